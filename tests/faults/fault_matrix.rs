//! Registries that fail, and what every command makes of it: one request at a time and in every way, then by chance.
//!
//! Whatever a registry does, a command either fails and has changed nothing, or has done what it does with a good one;
//! a tag never names a list that is not all there; nobody hangs, panics or tells a secret.
//!
//! The program runs in this process, on a clock that does not wait, so that thousands of runs take a minute. Of one
//! request at a time, `make test` has every request of every command and every fault for every command, spread over its
//! requests; `make faults` has each with each. More by chance: `FAULT_RUNS=100000 make faults`; one of these again:
//! `FAULT_SEED=17`.

mod case;
mod commands;
mod fixture;
mod runner;
mod setups;
mod verbs;
mod verdict;

use std::collections::BTreeSet;

use crate::{is_whole, variable};
use case::{Case, Plan, Trouble, clean};
use commands::{COMMANDS, Command};
use fixture::{Door, Side};
use runner::{Tally, run_all};

/// Runs by chance in `make faults`, and in `make test`.
const RUNS: u64 = 2000;
const RUNS_SAMPLED: u64 = 600;
/// Runs that keep the processor busy: a few at once.
const BUSY: usize = 6;
/// Runs that wait for a registry that does not answer: many at once.
const WAITING: usize = 24;
/// The faults are dealt out to so many requests of a command, in `make test`, and then to so many again.
const PARTS: usize = 5;
/// Each fault so often for a command is enough there.
const ENOUGH: usize = 5;

/// Every request of a command, in the order in which one at a time has them.
fn requests(command: &'static Command, door: Door) -> Vec<(Side, usize)> {
    let clean = clean(command, door);
    let numbers = |side| (1..=clean.requests(side)).map(move |number| (side, number));
    Side::BOTH.into_iter().flat_map(numbers).collect()
}

/// Each request of each command that is chosen, with all of these troubles, or with one part of them after the other.
fn one_by_one(chosen: impl Fn(&Command) -> bool, door: Door, troubles: impl Fn(&Command) -> Vec<Trouble>) -> Vec<Case> {
    let mut cases = Vec::new();
    for command in COMMANDS.iter().filter(|command| chosen(command)) {
        let requests = requests(command, door);
        let parts = if is_whole() { 1 } else { requests.len().min(PARTS).max(requests.len() / ENOUGH) };
        for (place, (side, number)) in requests.into_iter().enumerate() {
            let troubles = troubles(command).into_iter().enumerate().filter(|(at, _)| at % parts == place % parts);
            let plan = |trouble| Plan::One { side, number, trouble };
            cases.extend(troubles.map(|(_, trouble)| Case::new(command, door, plan(trouble))));
        }
    }
    cases
}

/// Each command met all of it.
fn assert_met(tally: &Tally, troubles: impl Fn(&Command) -> Vec<Trouble>) {
    for command in COMMANDS {
        let all: BTreeSet<String> = troubles(command).iter().map(Trouble::name).collect();
        let met = tally.met(command.name);
        assert!(met.is_empty() || all.is_subset(&met), "{}: {:?}", command.name, all.difference(&met));
    }
}

#[test]
fn each_request_fails_in_every_way() {
    let tally = run_all("each request, sent once", &one_by_one(|_| true, Door::Bearer, Trouble::every), BUSY);
    tally.show();
    assert_met(&tally, Trouble::every);
}

#[test]
fn each_request_fails_in_every_way_and_is_sent_again() {
    let cases = one_by_one(|_| true, Door::Basic, Trouble::every);
    let cases: Vec<Case> = cases.into_iter().map(|case| case.retries(2)).collect();
    let tally = run_all("each request, sent again", &cases, BUSY);
    tally.show();
    assert_met(&tally, Trouble::every);
}

/// By other names the program has no `--timeout`; its requests are the same ones.
#[test]
fn each_request_waits_for_ever() {
    let cases = one_by_one(Command::is_ours, Door::Bearer, |_| Trouble::stalls());
    let tally = run_all("each request, never answered", &cases, WAITING);
    tally.show();
    assert_met(&tally, |_| Trouble::stalls());
}

#[test]
fn the_token_server_is_down() {
    let mut cases = Vec::new();
    for command in COMMANDS {
        for (door, retries) in [(Door::Bearer, 0), (Door::Bearer, 2), (Door::Identity, 0)] {
            let down = Side::BOTH.map(|side| Case::new(command, door, Plan::TokensDown(side)).retries(retries));
            cases.extend(down);
        }
    }
    run_all("no token server", &cases, BUSY).show();
}

fn runs() -> u64 {
    if is_whole() { RUNS } else { RUNS_SAMPLED }
}

#[test]
fn by_chance() {
    let seeds = match variable("FAULT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..variable("FAULT_RUNS").unwrap_or_else(runs) + 1,
    };
    let cases: Vec<Case> = seeds.map(Case::by_chance).collect();
    run_all("by chance", &cases, BUSY).show();
}

#[test]
fn by_chance_without_an_answer() {
    let cases: Vec<Case> = (1..=runs() / 10).map(|seed| Case::by_chance(seed).with_stalls()).collect();
    run_all("by chance, some never answered", &cases, WAITING).show();
}

#[test]
fn by_chance_with_the_program_itself() {
    let cases: Vec<Case> = (1..=60).map(|seed| Case::by_chance(seed).by_program()).collect();
    run_all("by chance, the program itself", &cases, WAITING).show();
}

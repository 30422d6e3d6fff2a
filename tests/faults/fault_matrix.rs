//! Failing registries and every command: one failing request at a time in every way, then random failures.
//!
//! Whatever a registry does, a command either fails and changes nothing, or succeeds as with a working registry. A tag
//! never names an incomplete list. No command hangs, panics or prints a secret.
//!
//! The program runs in this process, with a clock that does not wait, so that thousands of runs take a minute. `make
//! test` fails every request of every command, and tries every fault for every command, spread over its requests; `make
//! faults` tries each fault at each request. More random runs: `FAULT_RUNS=100000 make faults`; one of them again:
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
/// Concurrent runs that use the processor.
const BUSY: usize = 6;
/// Concurrent runs that wait for a registry that does not answer.
const WAITING: usize = 24;
/// In `make test` the faults are spread over this many requests of a command, and then over the next ones.
const PARTS: usize = 5;
/// How often each fault is tried for a command in `make test`.
const ENOUGH: usize = 2;

/// Every request of a command, in the order of a run without parallel requests.
fn requests(command: &'static Command, door: Door) -> Vec<(Side, usize)> {
    let clean = clean(command, door);
    let numbers = |side| (1..=clean.requests(side)).map(move |number| (side, number));
    Side::BOTH.into_iter().flat_map(numbers).collect()
}

/// The cases for each request of the chosen commands, with all of these faults, or with one part of them in turn.
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

/// Checks that each command met all faults.
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

/// Under other names the program has no `--timeout`; its requests are the same.
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

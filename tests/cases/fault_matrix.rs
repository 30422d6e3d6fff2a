//! Registries that fail, and what every command makes of it: one request at a time and in every way, then by chance.
//!
//! Whatever a registry does, a command either fails and has changed nothing, or has done what it does with a good one;
//! a tag never names a list that is not all there; nobody hangs, panics or tells a secret. What is found here gets its
//! case by name in [`found`].
//!
//! The program runs in this process, on a clock that does not wait, so that thousands of runs take a minute. More of
//! them: `FAULT_RUNS=100000 cargo test --test cli fault_matrix::by_chance`; the same one again: `FAULT_SEED=17`.

mod commands;
mod found;
mod ground;
mod runner;
mod verdict;

use std::time::Duration;

use docker_manifest::env::Env;
use testkit::loopback::Fault;

use commands::{COMMANDS, Command};
use ground::{Door, Side};
use runner::{Case, Plan, Tally, Trouble, run_all};

/// At least so many runs are left to chance.
const RUNS: u64 = 2000;
/// Runs that keep the processor busy: a few at once.
const BUSY: usize = 4;
/// Runs that wait for a registry that does not answer: many at once.
const WAITING: usize = 24;
/// How long a run may take before it counts as one that hangs.
const GUARD: Duration = Duration::from_secs(60);
/// A command that waits for one answer that does not come is over well before this, which is less than any time-out
/// but the user's own.
const STALL_GUARD: Duration = Duration::from_secs(9);
/// What the user says where a registry does not answer.
const TIMEOUT: &str = "300ms";

/// Every request of a command, in the order in which one at a time has them: how many each side gets.
fn requests(command: &'static Command, door: Door) -> [(Side, usize); 2] {
    let clean = runner::clean(command, door);
    Side::BOTH.map(|side| (side, clean.requests(side)))
}

/// All that can go wrong with one request, but for what does not answer.
fn troubles(command: &Command) -> Vec<Trouble> {
    let faults = Fault::every().into_iter().filter(|fault| !(fault.stalls() || command.is_large && slow(fault)));
    faults.map(Trouble::Fault).chain([Trouble::Elsewhere]).collect()
}

/// Byte by byte is as good as not at all for what is large.
fn slow(fault: &Fault) -> bool {
    *fault == Fault::Crumbs
}

/// Each request of each command, with each trouble.
fn one_by_one(doors: &[Door], retries: u32) -> Vec<Case> {
    let mut cases = Vec::new();
    for command in COMMANDS {
        for door in doors {
            for (side, number) in requests(command, *door).iter().flat_map(|(side, n)| (1..=*n).map(|n| (*side, n))) {
                let case = |trouble| Case::new(command, *door, Plan::One { side, number, trouble }).retries(retries);
                cases.extend(troubles(command).into_iter().map(case));
            }
        }
    }
    cases
}

#[test]
fn each_request_fails_in_every_way() {
    run_all("each request, sent once", &one_by_one(&[Door::Bearer], 0), BUSY, GUARD).show();
}

#[test]
fn each_request_fails_in_every_way_and_is_sent_again() {
    run_all("each request, sent again", &one_by_one(&[Door::Basic], 2), BUSY, GUARD).show();
}

#[test]
fn each_request_waits_for_ever() {
    let mut cases = Vec::new();
    for command in COMMANDS {
        for (side, number) in requests(command, Door::Bearer).iter().flat_map(|(s, n)| (1..=*n).map(|n| (*s, n))) {
            let stalls = Fault::every().into_iter().filter(Fault::stalls).map(Trouble::Fault);
            let case = |trouble| Case::new(command, Door::Bearer, Plan::One { side, number, trouble }).timeout(TIMEOUT);
            cases.extend(stalls.map(case));
        }
    }
    run_all("each request, never answered", &cases, WAITING, STALL_GUARD).show();
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
    run_all("no token server", &cases, BUSY, GUARD).show();
}

#[test]
fn by_chance() {
    let env = Env::from_process();
    let number = |name: &str| env.get(name).map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("FAULT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("FAULT_RUNS").unwrap_or(RUNS) + 1,
    };
    let cases: Vec<Case> = seeds.map(Case::by_chance).collect();
    let tally: Tally = run_all("by chance", &cases, BUSY, GUARD);
    tally.show();
}

#[test]
fn by_chance_with_the_program_itself() {
    let cases: Vec<Case> = (1..=60).map(|seed| Case::by_chance(seed).by_program()).collect();
    run_all("by chance, the program itself", &cases, WAITING, GUARD).show();
}

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
mod coverage;
mod fixture;
mod invariants;
mod runner;
mod setups;

use std::collections::BTreeSet;

use crate::{is_exhaustive, variable};
use case::{Case, InjectedFault, Plan, clean_run};
use commands::{COMMANDS, Command};
use fixture::{ClientAuth, Side};
use runner::{Totals, run_all};

/// Runs by chance in `make faults`, and in `make test`.
const RANDOM_RUNS: u64 = 2000;
const RANDOM_RUNS_SAMPLED: u64 = 600;
/// Concurrent runs that use the processor.
const RUNS_AT_ONCE: usize = 6;
/// Concurrent runs that wait for a registry that does not answer.
const STALLED_RUNS_AT_ONCE: usize = 24;
/// In `make test` the faults are spread over this many requests of a command, and then over the next ones.
const SAMPLED_REQUESTS: usize = 5;
/// How often each fault is tried for a command in `make test`.
const SAMPLED_TRIES_PER_FAULT: usize = 2;

/// Every request of a command, in the order of a run without parallel requests.
fn requests(command: &'static Command, auth: ClientAuth) -> Vec<(Side, usize)> {
    let clean = clean_run(command, auth);
    let numbers = |side| (1..=clean.requests(side)).map(move |number| (side, number));
    Side::BOTH.into_iter().flat_map(numbers).collect()
}

/// The cases for each request of the chosen commands, with all of these faults, or with one part of them in turn.
fn one_by_one(
    chosen: impl Fn(&Command) -> bool,
    auth: ClientAuth,
    faults: impl Fn(&Command) -> Vec<InjectedFault>,
) -> Vec<Case> {
    let mut cases = Vec::new();
    for command in COMMANDS.iter().filter(|command| chosen(command)) {
        let requests = requests(command, auth);
        let parts = if is_exhaustive() {
            1
        } else {
            requests.len().min(SAMPLED_REQUESTS).max(requests.len() / SAMPLED_TRIES_PER_FAULT)
        };
        for (place, (side, number)) in requests.into_iter().enumerate() {
            let faults = faults(command).into_iter().enumerate().filter(|(at, _)| at % parts == place % parts);
            let plan = |fault| Plan::OneFault { side, number, fault };
            cases.extend(faults.map(|(_, fault)| Case::new(command, auth, plan(fault))));
        }
    }
    cases
}

/// Checks that each command met all faults.
fn assert_met(totals: &Totals, faults: impl Fn(&Command) -> Vec<InjectedFault>) {
    for command in COMMANDS {
        let all: BTreeSet<String> = faults(command).iter().map(InjectedFault::name).collect();
        let met = totals.met_faults(command.name);
        assert!(met.is_empty() || all.is_subset(&met), "{}: {:?}", command.name, all.difference(&met));
    }
}

#[test]
fn each_request_fails_in_every_way() {
    let totals = run_all(
        "each request, sent once",
        &one_by_one(|_| true, ClientAuth::Bearer, InjectedFault::all_but_stalls),
        RUNS_AT_ONCE,
    );
    totals.print_and_check();
    assert_met(&totals, InjectedFault::all_but_stalls);
}

#[test]
fn each_request_fails_in_every_way_and_is_sent_again() {
    let cases = one_by_one(|_| true, ClientAuth::Basic, InjectedFault::all_but_stalls);
    let cases: Vec<Case> = cases.into_iter().map(|case| case.retries(2)).collect();
    let totals = run_all("each request, sent again", &cases, RUNS_AT_ONCE);
    totals.print_and_check();
    assert_met(&totals, InjectedFault::all_but_stalls);
}

/// Under other names the program has no `--timeout`; its requests are the same.
#[test]
fn each_request_without_a_response_ends_at_the_timeout() {
    let cases = one_by_one(Command::is_ours, ClientAuth::Bearer, |_| InjectedFault::stalls());
    let totals = run_all("each request, never answered", &cases, STALLED_RUNS_AT_ONCE);
    totals.print_and_check();
    assert_met(&totals, |_| InjectedFault::stalls());
}

#[test]
fn each_command_reports_an_unreachable_token_server() {
    let mut cases = Vec::new();
    for command in COMMANDS {
        for (auth, retries) in [(ClientAuth::Bearer, 0), (ClientAuth::Bearer, 2), (ClientAuth::RefreshToken, 0)] {
            let down = Side::BOTH.map(|side| Case::new(command, auth, Plan::TokensDown(side)).retries(retries));
            cases.extend(down);
        }
    }
    run_all("no token server", &cases, RUNS_AT_ONCE).print_and_check();
}

fn runs() -> u64 {
    if is_exhaustive() { RANDOM_RUNS } else { RANDOM_RUNS_SAMPLED }
}

#[test]
fn random_faults_leave_a_consistent_state() {
    let seeds = match variable("FAULT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..variable("FAULT_RUNS").unwrap_or_else(runs) + 1,
    };
    let cases: Vec<Case> = seeds.map(Case::by_chance).collect();
    run_all("by chance", &cases, RUNS_AT_ONCE).print_and_check();
}

#[test]
fn random_faults_and_stalls_leave_a_consistent_state() {
    let cases: Vec<Case> = (1..=runs() / 10).map(|seed| Case::by_chance(seed).with_stalls()).collect();
    run_all("by chance, some never answered", &cases, STALLED_RUNS_AT_ONCE).print_and_check();
}

#[test]
fn random_faults_of_the_real_process_leave_a_consistent_state() {
    let cases: Vec<Case> = (1..=60).map(|seed| Case::by_chance(seed).with_own_process()).collect();
    run_all("by chance, the program itself", &cases, STALLED_RUNS_AT_ONCE).print_and_check();
}

//! Runs cases on several threads, ends those that hang, and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use testkit::uncaptured_output::print_uncaptured;

use super::case::{Case, Outcome, REDIRECT_TARGET, fault_name};

/// The number of failures that are printed in full.
const SHOWN_FAILURES_MAX: usize = 12;
/// The time after which a run counts as hanging and ends the test. No timeout of a case is longer.
const HANG_TIMEOUT: Duration = Duration::from_secs(120);

/// The results of one command.
#[derive(Default)]
struct CommandTotals {
    runs: usize,
    succeeded: usize,
    elapsed: Duration,
    faults: BTreeSet<String>,
}

/// The results of many runs.
#[derive(Default)]
pub(super) struct Totals {
    title: &'static str,
    runs: usize,
    succeeded: usize,
    faults_injected: usize,
    commands: BTreeMap<&'static str, CommandTotals>,
    faults: BTreeMap<String, usize>,
    slowest: Duration,
    elapsed: Duration,
    failures: Vec<String>,
}

impl Totals {
    fn count(&mut self, case: &Case, outcome: Outcome) {
        let is_success = usize::from(outcome.code == 0);
        self.runs += 1;
        self.succeeded += is_success;
        self.faults_injected += outcome.injected.len();
        let share = self.commands.entry(case.command.name).or_default();
        share.runs += 1;
        share.succeeded += is_success;
        share.elapsed += outcome.elapsed;
        for (_, _, fault) in &outcome.injected {
            share.faults.insert(fault_name(fault));
            *self.faults.entry(fault_name(fault)).or_default() += 1;
        }
        self.slowest = self.slowest.max(outcome.elapsed);
        if !outcome.violations.is_empty() {
            let Outcome { injected, violations, text, code, .. } = outcome;
            self.failures.push(format!("{case}\n{violations:#?}\ninjected: {injected:?}\nexit {code}: {text}"));
        }
    }

    /// The faults that a command met.
    pub(super) fn met_faults(&self, command: &str) -> BTreeSet<String> {
        self.commands.get(command).map(|share| share.faults.clone()).unwrap_or_default()
    }

    /// Prints the figures, and panics if anything was wrong.
    #[allow(clippy::print_stderr, reason = "the figures are what the test is run for")]
    pub(super) fn print_and_check(&self) {
        print_uncaptured(&format!(
            "fault matrix, {}: {} runs of {} commands in {:.1} s ({} worked, {} failed as they should), {} faults \
             injected",
            self.title,
            self.runs,
            self.commands.len(),
            self.elapsed.as_secs_f64(),
            self.succeeded,
            self.runs - self.succeeded - self.failures.len(),
            self.faults_injected,
        ));
        let mut text = String::new();
        for (command, CommandTotals { runs, succeeded, elapsed, .. }) in &self.commands {
            let each = elapsed.as_millis() / *runs as u128;
            let _ = writeln!(text, "  {runs:>5} {command} ({succeeded} worked), {each} ms each");
        }
        for (fault, times) in &self.faults {
            let _ = writeln!(text, "  {times:>5} {fault}");
        }
        let _ = writeln!(text, "  slowest: {:.1} s", self.slowest.as_secs_f64());
        eprint!("{text}");
        let leaking: BTreeSet<String> = REDIRECT_TARGET
            .requests()
            .iter()
            .filter(|request| request.header("Authorization").is_some())
            .map(|request| request.line())
            .collect();
        assert!(leaking.is_empty(), "credentials went elsewhere: {leaking:#?}");
        let shown = self.failures.iter().take(SHOWN_FAILURES_MAX).cloned().collect::<Vec<_>>().join("\n\n");
        assert!(shown.is_empty(), "{} of {} runs went wrong; the first:\n{shown}", self.failures.len(), self.runs);
    }
}

/// Runs all cases, at most `at_once` in parallel. Panics if one hangs.
pub(super) fn run_all(title: &'static str, cases: &[Case], at_once: usize) -> Totals {
    let begun = Instant::now();
    let cases: Arc<Vec<Case>> = Arc::new(cases.to_vec());
    let (next, running) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(BTreeMap::new())));
    let (sender, results) = channel();
    for _ in 0..at_once {
        let (cases, next, running, sender) = (cases.clone(), next.clone(), Arc::clone(&running), sender.clone());
        // Not scoped: a hanging run must not keep the test from reporting it.
        thread::spawn(move || work(&cases, &next, &running, &sender));
    }
    drop(sender);
    let mut totals = Totals { title, ..Totals::default() };
    loop {
        match results.recv_timeout(Duration::from_millis(500)) {
            Ok((number, outcome)) => totals.count(&cases[number], outcome),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let running = running.lock().unwrap_or_else(PoisonError::into_inner);
        let hung = running.iter().find(|(_, begun): &(&usize, &Instant)| begun.elapsed() > HANG_TIMEOUT);
        let hung = hung.map(|(number, _)| cases[*number].to_string());
        drop(running);
        assert!(hung.is_none(), "it hangs: {}", hung.unwrap_or_default());
    }
    totals.elapsed = begun.elapsed();
    assert_eq!(totals.runs, cases.len(), "a run ended without a result");
    totals
}

fn work(
    cases: &[Case],
    next: &AtomicUsize,
    running: &Mutex<BTreeMap<usize, Instant>>,
    sender: &Sender<(usize, Outcome)>,
) {
    let running = || running.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(case) = cases.get(number) else { return };
        running().insert(number, Instant::now());
        let outcome = case.run();
        running().remove(&number);
        if sender.send((number, outcome)).is_err() {
            return;
        }
    }
}

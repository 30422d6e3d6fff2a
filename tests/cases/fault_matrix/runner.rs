//! Runs cases on several threads, sees to it that none hangs, and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use testkit::loopback::{Chance, Fault, Redirected};

use super::commands::{COMMANDS, Command};
use super::ground::{Door, Ground, Side};
use super::slow;
use super::verdict::{Clean, verdict};

/// So many of the findings are shown whole.
const SHOWN: usize = 12;

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    Fault(Fault),
    /// A redirect to a server that is nobody's registry.
    Elsewhere,
}

/// What goes wrong in one run.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// Nothing.
    Nothing,
    /// The request of this number on this side.
    One { side: Side, number: usize, trouble: Trouble },
    /// Whatever comes of the seed, on both sides.
    Chance { seed: u64, one_in: u64 },
    /// There is no token server.
    TokensDown(Side),
}

/// One run.
#[derive(Clone)]
pub(super) struct Case {
    command: &'static Command,
    door: Door,
    plan: Plan,
    retries: u32,
    jobs: usize,
    timeout: Option<&'static str>,
    is_debug: bool,
    is_program: bool,
}

/// A server that is nobody's registry: whoever comes there is to bring no credentials.
static ELSEWHERE: LazyLock<Redirected> = LazyLock::new(Redirected::start);

type CleanRuns = Mutex<BTreeMap<(&'static str, Door), Arc<Clean>>>;

static CLEAN: LazyLock<CleanRuns> = LazyLock::new(Mutex::default);

/// What a good registry makes of the command, found out once.
pub(super) fn clean(command: &'static Command, door: Door) -> Arc<Clean> {
    let mut known = CLEAN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.entry((command.name, door));
    Arc::clone(known.or_insert_with(|| {
        let ground = Ground::new(door);
        command.prepare(&ground);
        Side::BOTH.iter().for_each(|side| ground.registry(*side).clear());
        let output = ground.run(&Case::new(command, door, Plan::Nothing).words(&ground)).success();
        let requests = Side::BOTH.map(|side| ground.registry(side).requests().len());
        Arc::new(Clean { stdout: ground.anonymous(&output.out()), state: ground.state(), requests })
    }))
}

/// What came of a run.
#[derive(Default)]
pub(super) struct Result {
    /// What struck.
    struck: Vec<(Side, usize, Fault)>,
    code: i32,
    pub(super) wrong: Vec<String>,
    took: Duration,
    /// All that was said.
    said: String,
}

impl Case {
    /// Without retries, one request at a time.
    pub(super) fn new(command: &'static Command, door: Door, plan: Plan) -> Case {
        Case { command, door, plan, retries: 0, jobs: 1, timeout: None, is_debug: false, is_program: false }
    }

    pub(super) fn retries(self, retries: u32) -> Case {
        Case { retries, ..self }
    }

    pub(super) fn timeout(self, timeout: &'static str) -> Case {
        Case { timeout: Some(timeout), ..self }
    }

    /// By the program itself, which waits before it sends again.
    pub(super) fn by_program(self) -> Case {
        Case { is_program: true, retries: self.retries.min(1), ..self }
    }

    /// Everything as the seed has it.
    pub(super) fn by_chance(seed: u64) -> Case {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut dice = |sides: usize| {
            // Xorshift's own constants; any that mix will do.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
        };
        let command = &COMMANDS[dice(COMMANDS.len())];
        let door = Door::ALL[dice(Door::ALL.len())];
        let one_in = [2, 4, 8, 16][dice(4)];
        let retries = [0, 1, 3, 6][dice(4)];
        let jobs = [1, 4, 16][dice(3)];
        let is_debug = dice(2) == 0;
        let case = Case::new(command, door, Plan::Chance { seed, one_in });
        Case { retries, jobs, is_debug, ..case }
    }

    fn words(&self, ground: &Ground) -> Vec<String> {
        let mut words = self.command.words(ground);
        let (jobs, retries) = (self.jobs.to_string(), self.retries.to_string());
        // Behind the verb.
        let flags = ["--jobs", &jobs, "--retries", &retries].map(str::to_owned);
        words.splice(1..1, flags);
        if let Some(timeout) = self.timeout {
            words.splice(1..1, ["--timeout".to_owned(), timeout.to_owned()]);
        }
        if self.is_debug {
            words.insert(0, "--debug".to_owned());
        }
        words
    }

    /// Runs it and judges it.
    pub(super) fn run(&self) -> Result {
        let clean = clean(self.command, self.door);
        let ground = Ground::new(self.door);
        self.command.prepare(&ground);
        let before = ground.state();
        Side::BOTH.iter().for_each(|side| ground.registry(*side).clear_faults());
        self.arm(&ground);
        let words = self.words(&ground);
        let begun = Instant::now();
        let output = if self.is_program { ground.run_program(&words) } else { ground.run(&words) };
        let took = begun.elapsed();
        let struck = Side::BOTH.into_iter().flat_map(|side| {
            ground.registry(side).struck().into_iter().map(move |(number, fault)| (side, number, fault))
        });
        let struck: Vec<_> = struck.collect();
        let mut wrong = verdict(&ground, self.command, &before, &clean, &output, self.is_debug);
        if struck.is_empty() && matches!(self.plan, Plan::One { .. }) {
            wrong.push("nothing struck".to_owned());
        }
        let said = format!("{words:?}\n{}{}", output.out(), output.err());
        Result { struck, code: output.code, wrong, took, said: ground.anonymous(&said) }
    }

    fn arm(&self, ground: &Ground) {
        match &self.plan {
            Plan::Nothing => {}
            Plan::One { side, number, trouble } => {
                let fault = match trouble {
                    Trouble::Fault(fault) => fault.clone(),
                    Trouble::Elsewhere => Fault::redirect_elsewhere(&format!("http://{}", ELSEWHERE.host())),
                };
                ground.registry(*side).fail_request(*number, fault);
            }
            Plan::Chance { seed, one_in } => {
                for (side, seed) in Side::BOTH.into_iter().zip([*seed, !*seed]) {
                    let elsewhere = Fault::redirect_elsewhere(&format!("http://{}", ELSEWHERE.host()));
                    let faults = Fault::every().into_iter().chain([elsewhere]);
                    let faults = faults.filter(|fault| !(fault.stalls() || self.command.is_large && slow(fault)));
                    ground.registry(side).leave_to(Chance::new(seed).one_in(*one_in).among(faults.collect()));
                }
            }
            Plan::TokensDown(side) => ground.registry(*side).stop_tokens(),
        }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Case { command, door, plan, retries, jobs, .. } = self;
        write!(f, "{} ({door:?}, {retries} retries, {jobs} jobs): {plan:?}", command.name)
    }
}

/// What came of many runs.
#[derive(Default)]
pub(super) struct Tally {
    title: &'static str,
    runs: usize,
    succeeded: usize,
    strikes: usize,
    commands: BTreeMap<&'static str, (usize, usize, Duration)>,
    faults: BTreeMap<String, usize>,
    slowest: Duration,
    took: Duration,
    findings: Vec<String>,
}

impl Tally {
    fn count(&mut self, case: &Case, result: Result) {
        let is_success = usize::from(result.code == 0);
        self.runs += 1;
        self.succeeded += is_success;
        self.strikes += result.struck.len();
        let of_command = self.commands.entry(case.command.name).or_default();
        *of_command = (of_command.0 + 1, of_command.1 + is_success, of_command.2 + result.took);
        for (_, _, fault) in &result.struck {
            *self.faults.entry(named(fault)).or_default() += 1;
        }
        self.slowest = self.slowest.max(result.took);
        if !result.wrong.is_empty() {
            let Result { struck, wrong, said, code, .. } = result;
            self.findings.push(format!("{case}\n{wrong:#?}\nstruck: {struck:?}\nexit {code}: {said}"));
        }
    }

    /// Prints the figures, and panics where anything was wrong.
    #[allow(clippy::print_stderr, reason = "the figures are what the test is run for")]
    pub(super) fn show(self) {
        let mut text = format!(
            "fault matrix, {}: {} runs in {:.1} s ({} worked, {} failed as they should), {} faults struck\n",
            self.title,
            self.runs,
            self.took.as_secs_f64(),
            self.succeeded,
            self.runs - self.succeeded,
            self.strikes,
        );
        for (command, (runs, succeeded, took)) in &self.commands {
            let _ = writeln!(
                text,
                "  {runs:>5} {command} ({succeeded} worked), {} ms each",
                took.as_millis() / *runs as u128
            );
        }
        for (fault, times) in &self.faults {
            let _ = writeln!(text, "  {times:>5} {fault}");
        }
        let _ = writeln!(text, "  slowest: {:.1} s", self.slowest.as_secs_f64());
        eprint!("{text}");
        let told: BTreeSet<String> = ELSEWHERE
            .requests()
            .iter()
            .filter(|request| request.header("Authorization").is_some())
            .map(|request| request.line())
            .collect();
        assert!(told.is_empty(), "credentials went elsewhere: {told:#?}");
        let findings = self.findings.len();
        let shown = self.findings.into_iter().take(SHOWN).collect::<Vec<_>>().join("\n\n");
        assert!(findings == 0, "{findings} of {} runs went wrong; the first:\n{shown}", self.runs);
    }
}

fn named(fault: &Fault) -> String {
    let text = format!("{fault:?}");
    let end = if matches!(fault, Fault::Status(..)) { text.find(", ") } else { text.find(['(', ' ']) };
    text.get(..end.unwrap_or(text.len())).unwrap_or(&text).replace('(', " ")
}

/// Runs all cases, so many at once; panics when one takes longer than `guard`.
pub(super) fn run_all(title: &'static str, cases: &[Case], at_once: usize, guard: Duration) -> Tally {
    let begun = Instant::now();
    let cases: Arc<Vec<Case>> = Arc::new(cases.to_vec());
    let (next, running) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(BTreeMap::new())));
    let (sender, results) = channel();
    for _ in 0..at_once {
        let (cases, next, running, sender) = (cases.clone(), next.clone(), Arc::clone(&running), sender.clone());
        // Not scoped: one that hangs must not keep the test from saying so.
        thread::spawn(move || work(&cases, &next, &running, &sender));
    }
    drop(sender);
    let mut tally = Tally { title, ..Tally::default() };
    loop {
        match results.recv_timeout(Duration::from_millis(500)) {
            Ok((number, result)) => tally.count(&cases[number], result),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let running = running.lock().unwrap_or_else(PoisonError::into_inner);
        let hung = running.iter().find(|(_, begun): &(&usize, &Instant)| begun.elapsed() > guard);
        let hung = hung.map(|(number, _)| cases[*number].to_string());
        drop(running);
        assert!(hung.is_none(), "it hangs: {}", hung.unwrap_or_default());
    }
    tally.took = begun.elapsed();
    assert_eq!(tally.runs, cases.len(), "a run ended without a result");
    tally
}

fn work(
    cases: &[Case],
    next: &AtomicUsize,
    running: &Mutex<BTreeMap<usize, Instant>>,
    sender: &Sender<(usize, Result)>,
) {
    let running = || running.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(case) = cases.get(number) else { return };
        running().insert(number, Instant::now());
        let result = case.run();
        running().remove(&number);
        if sender.send((number, result)).is_err() {
            return;
        }
    }
}

//! One run: a command, its authentication, and what fails.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use testkit::loopback::{Fault, RandomFaults, RedirectTarget};
use testkit::sandbox::Output;

use super::commands::{COMMANDS, Command, OutputKind};
use super::fixture::{ClientAuth, Fixture, Limits, Side};
use super::invariants::{CleanRun, check_invariants};

/// What the user says where a registry does not answer. The first is enough for most commands; on a machine that has so
/// much else to do that it runs out before the request is reached that is not answered, the next has its turn.
const TIMEOUTS: [(&str, &str); 4] = [("300ms", "300 ms"), ("2s", "2 s"), ("10s", "10 s"), ("50s", "50 s")];
/// How far apart the bytes of an answer are that drips: less than any limit on a single step.
const DRIP_INTERVAL: Duration = Duration::from_millis(20);

/// How one request fails.
#[derive(Clone, Debug)]
pub(super) enum InjectedFault {
    Fault(Fault),
    /// A redirect to a server that is no registry.
    RedirectElsewhere,
}

impl InjectedFault {
    fn fault(&self) -> Fault {
        match self {
            InjectedFault::Fault(fault) => fault.clone(),
            InjectedFault::RedirectElsewhere => Fault::redirect_to(&format!("http://{}", REDIRECT_TARGET.host())),
        }
    }

    /// All faults of one request of the command, except those without a response.
    pub(super) fn all_but_stalls(command: &Command) -> Vec<InjectedFault> {
        // Sending byte by byte takes too long for a large blob.
        let is_slow = |fault: &Fault| command.is_large && *fault == Fault::ByteByByte;
        let faults = Fault::all().into_iter().filter(|fault| !fault.stalls() && !is_slow(fault));
        faults.map(InjectedFault::Fault).chain([InjectedFault::RedirectElsewhere]).collect()
    }

    /// Faults without a complete response.
    pub(super) fn stalls() -> Vec<InjectedFault> {
        Fault::all().into_iter().filter(Fault::stalls).map(InjectedFault::Fault).collect()
    }

    /// The name that it is counted under.
    pub(super) fn name(&self) -> String {
        match self {
            InjectedFault::Fault(fault) => fault_name(fault),
            InjectedFault::RedirectElsewhere => fault_name(&self.fault()),
        }
    }
}

/// The name that a fault is counted under.
pub(super) fn fault_name(fault: &Fault) -> String {
    match fault {
        Fault::Redirect { location, .. } if location == "{path}" => "Redirect loop".to_owned(),
        Fault::Redirect { .. } => "Redirect elsewhere".to_owned(),
        Fault::Status(status, ..) => format!("Status {status}"),
        _ => format!("{fault:?}").chars().take_while(|letter| letter.is_alphanumeric()).collect(),
    }
}

/// What fails in one run.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// Nothing.
    Nothing,
    /// The request of this number on this side.
    OneFault { side: Side, number: usize, fault: InjectedFault },
    /// Random failures by the seed, on both sides; missing responses only if the command has a timeout.
    RandomFaults { seed: u64, one_in: u64, stalls: bool },
    /// There is no token server.
    TokensDown(Side),
}

/// One run.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) command: &'static Command,
    auth: ClientAuth,
    plan: Plan,
    limits: Limits,
    is_debug: bool,
    has_own_process: bool,
}

/// A server that is no registry: no request may send credentials to it.
pub(super) static REDIRECT_TARGET: LazyLock<RedirectTarget> = LazyLock::new(RedirectTarget::start);

type CleanRuns = Mutex<BTreeMap<(&'static str, ClientAuth), Arc<CleanRun>>>;

static CLEAN_RUNS: LazyLock<CleanRuns> = LazyLock::new(Mutex::default);

/// The result with working registries, found out once.
pub(super) fn clean_run(command: &'static Command, auth: ClientAuth) -> Arc<CleanRun> {
    let mut known = CLEAN_RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.entry((command.name, auth));
    Arc::clone(known.or_insert_with(|| {
        let fixture = Fixture::new(auth);
        command.prepare(&fixture);
        Side::BOTH.iter().for_each(|side| fixture.registry(*side).clear_record());
        let case = Case::new(command, auth, Plan::Nothing);
        let output = fixture.run_in_process(command.program, &case.words(&fixture, None), case.limits).success();
        let requests = Side::BOTH.map(|side| fixture.registry(side).requests().len());
        Arc::new(CleanRun { stdout: fixture.normalise(&output.out()), state: fixture.snapshot(), requests })
    }))
}

/// The result of a run.
#[derive(Default)]
pub(super) struct Outcome {
    /// The faults that occurred.
    pub(super) injected: Vec<(Side, usize, Fault)>,
    pub(super) code: i32,
    pub(super) violations: Vec<String>,
    pub(super) elapsed: Duration,
    /// All output.
    pub(super) text: String,
}

impl Case {
    /// Without retries, one request at a time.
    pub(super) fn new(command: &'static Command, auth: ClientAuth, plan: Plan) -> Case {
        Case { command, auth, plan, limits: Limits { jobs: 1, retries: 0 }, is_debug: false, has_own_process: false }
    }

    pub(super) fn retries(self, retries: u32) -> Case {
        Case { limits: Limits { retries, ..self.limits }, ..self }
    }

    /// By the program itself, which waits before it sends again.
    pub(super) fn with_own_process(self) -> Case {
        let retries = self.limits.retries.min(1);
        Case { has_own_process: true, ..self }.retries(retries)
    }

    /// Everything as the seed decides.
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
        let auth = ClientAuth::ALL[dice(ClientAuth::ALL.len())];
        let one_in = [2, 4, 8, 16][dice(4)];
        let limits = Limits { retries: [0, 1, 3, 6][dice(4)], jobs: [1, 4, 16][dice(3)] };
        let is_debug = dice(2) == 0;
        Case { limits, is_debug, ..Case::new(command, auth, Plan::RandomFaults { seed, one_in, stalls: false }) }
    }

    /// The same, and some requests are not answered.
    pub(super) fn with_stalls(self) -> Case {
        match self.plan {
            Plan::RandomFaults { seed, one_in, .. } => {
                Case { plan: Plan::RandomFaults { seed, one_in, stalls: true }, ..self }
            }
            _ => self,
        }
    }

    fn words(&self, fixture: &Fixture, timeout: Option<&str>) -> Vec<String> {
        let mut words = self.command.words(fixture);
        let Limits { jobs, retries } = self.limits;
        let (jobs, retries) = (jobs.to_string(), retries.to_string());
        // Behind the verb.
        if self.command.is_ours() {
            words.splice(1..1, ["--jobs", &jobs, "--retries", &retries].map(str::to_owned));
        }
        if let Some(timeout) = timeout {
            words.splice(1..1, ["--timeout", timeout].map(str::to_owned));
        }
        if self.is_debug && self.command.program != "mquery" {
            words.insert(0, "--debug".to_owned());
        }
        words
    }

    /// Runs it and checks the result.
    pub(super) fn run(&self) -> Outcome {
        let fault_stalls = match &self.plan {
            Plan::OneFault { fault: InjectedFault::Fault(fault), .. } => fault.stalls(),
            Plan::RandomFaults { stalls: true, .. } => {
                return self.run_once(self.command.is_ours().then_some(TIMEOUTS[0]));
            }
            _ => false,
        };
        if !fault_stalls {
            return self.run_once(None);
        }
        let mut outcome = Outcome::default();
        for timeout in TIMEOUTS {
            outcome = self.run_once(Some(timeout));
            if !outcome.injected.is_empty() {
                break;
            }
        }
        outcome
    }

    /// Whether answers come byte by byte, each in time.
    fn has_drips(&self) -> bool {
        matches!(
            self.plan,
            Plan::OneFault { fault: InjectedFault::Fault(Fault::Drip), .. } | Plan::RandomFaults { stalls: true, .. }
        )
    }

    fn run_once(&self, timeout: Option<(&str, &str)>) -> Outcome {
        let clean = clean_run(self.command, self.auth);
        let fixture = Fixture::new(self.auth);
        self.command.prepare(&fixture);
        let before = fixture.snapshot();
        Side::BOTH.iter().for_each(|side| fixture.registry(*side).clear_faults());
        self.inject_faults(&fixture);
        let words = self.words(&fixture, timeout.map(|(typed, _)| typed));
        let begun = Instant::now();
        let output = self.run_and_drip(&fixture, &words);
        let elapsed = begun.elapsed();
        let injected = |side| {
            let injected: Vec<(usize, Fault)> = fixture.registry(side).injected();
            injected.into_iter().map(move |(number, fault)| (side, number, fault))
        };
        let injected: Vec<_> = Side::BOTH.into_iter().flat_map(injected).collect();
        let mut violations = check_invariants(&fixture, self.command, &before, &clean, &output, self.is_debug);
        violations.extend(self.check_plan(&injected, &output, timeout));
        let text = format!("{} {words:?}\n{}{}", self.command.program, output.out(), output.err());
        Outcome { injected, code: output.code, violations, elapsed, text: fixture.normalise(&text) }
    }

    fn run_and_drip(&self, fixture: &Fixture, words: &[String]) -> Output {
        let program = self.command.program;
        let run = || match self.has_own_process {
            true => fixture.run_process(program, words, self.limits),
            false => fixture.run_in_process(program, words, self.limits),
        };
        if !self.has_drips() {
            return run();
        }
        thread::scope(|scope| {
            let (running, ended) = channel::<()>();
            scope.spawn(move || {
                while ended.recv_timeout(DRIP_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    Side::BOTH.iter().for_each(|side| fixture.registry(*side).drip(1));
                }
            });
            let output = run();
            drop(running);
            output
        })
    }

    /// A plan that was not carried out, or a command that gave up for another reason than that its time was over.
    fn check_plan(
        &self,
        injected: &[(Side, usize, Fault)],
        output: &Output,
        timeout: Option<(&str, &str)>,
    ) -> Option<String> {
        if !matches!(self.plan, Plan::OneFault { .. }) {
            return None;
        }
        if injected.is_empty() {
            return Some("no fault was injected".to_owned());
        }
        let (_, shown) = timeout.filter(|_| output.code != 0 && self.command.output_kind != OutputKind::Findings)?;
        let in_time = format!("within {shown}");
        (!output.err().contains(&in_time)).then(|| format!("it did not give up because there was no answer {in_time}"))
    }

    fn inject_faults(&self, fixture: &Fixture) {
        match &self.plan {
            Plan::Nothing => {}
            Plan::OneFault { side, number, fault } => fixture.registry(*side).fail_request(*number, fault.fault()),
            Plan::RandomFaults { seed, one_in, stalls } => {
                let stalls = if *stalls && self.command.is_ours() { InjectedFault::stalls() } else { Vec::new() };
                let others = InjectedFault::all_but_stalls(self.command);
                // Three beside thirty would hardly ever come.
                let many = stalls.iter().cycle().take(others.len()).cloned();
                let injected: Vec<InjectedFault> = many.chain(others.iter().cloned()).collect();
                let faults: Vec<Fault> = injected.iter().map(InjectedFault::fault).collect();
                for (side, seed) in Side::BOTH.into_iter().zip([*seed, !*seed]) {
                    fixture
                        .registry(side)
                        .inject_randomly(RandomFaults::new(seed).one_in(*one_in).among(faults.clone()));
                }
            }
            Plan::TokensDown(side) => fixture.registry(*side).stop_token_server(),
        }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Case { command, auth, plan, limits: Limits { jobs, retries }, .. } = self;
        write!(f, "{} ({auth:?}, {retries} retries, {jobs} jobs): {plan:?}", command.name)
    }
}

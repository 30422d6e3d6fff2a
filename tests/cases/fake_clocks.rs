//! Clocks that do not wait, and a function that runs the program in this process with one of them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use docker_manifest::env::Env;
use docker_manifest::net::Clock;
use testkit::sandbox::{Output, Sandbox};

use super::in_process;

/// A clock that advances only by sleeps. Threads that sleep at the same time advance it once.
pub(super) struct SharedClock {
    now: Mutex<Instant>,
    start: Instant,
}

impl SharedClock {
    pub(super) fn new() -> Arc<SharedClock> {
        let start = Instant::now();
        Arc::new(SharedClock { now: Mutex::new(start), start })
    }

    /// The sum of all sleeps.
    pub(super) fn passed(&self) -> Duration {
        self.now() - self.start
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Instant {
        *self.now.lock().expect("no panic so far")
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn sleep(&self, time: Duration) {
        let end = self.now() + time;
        {
            let mut now = self.now.lock().expect("no panic so far");
            *now = end.max(*now);
        }
        std::thread::yield_now();
    }

    fn random_fraction(&self) -> f64 {
        1.0
    }
}

/// A clock that advances only by sleeps, and records each. It calls a function before each sleep.
pub(super) struct RecordingClock {
    start: Instant,
    slept: Mutex<Vec<Duration>>,
    before_sleep: Box<dyn Fn(usize) + Send + Sync>,
    fraction: f64,
}

impl RecordingClock {
    /// Waits with jitter are the longest possible.
    pub(super) fn new() -> Arc<RecordingClock> {
        RecordingClock::with(1.0, |_| {})
    }

    /// The same with this value in place of each random number. `before_sleep` gets the number of sleeps so far.
    pub(super) fn with(fraction: f64, before_sleep: impl Fn(usize) + Send + Sync + 'static) -> Arc<RecordingClock> {
        let (start, before_sleep) = (Instant::now(), Box::new(before_sleep));
        Arc::new(RecordingClock { start, slept: Mutex::default(), before_sleep, fraction })
    }

    /// All sleeps.
    pub(super) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().expect("no panic so far").clone()
    }

    /// All sleeps in milliseconds.
    pub(super) fn slept_ms(&self) -> Vec<u128> {
        self.slept().iter().map(Duration::as_millis).collect()
    }
}

impl Clock for RecordingClock {
    fn now(&self) -> Instant {
        self.start + self.slept().iter().sum::<Duration>()
    }

    fn system_time(&self) -> SystemTime {
        // Sun, 06 Nov 1994 08:49:37 GMT
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn sleep(&self, time: Duration) {
        let number = self.slept().len();
        (self.before_sleep)(number);
        self.slept.lock().expect("no panic so far").push(time);
    }

    fn random_fraction(&self) -> f64 {
        self.fraction
    }
}

/// Runs the program in this process, in a sandbox's home and by a clock that does not wait, with retries as users have
/// them.
pub(super) fn run_without_waiting(
    sandbox: &Sandbox,
    program: &str,
    words: &[String],
    clock: &Arc<SharedClock>,
) -> Output {
    let env = Env::from_pairs(in_process::variables(sandbox));
    in_process::run(program, words, env, Arc::clone(clock) as Arc<dyn Clock>)
}

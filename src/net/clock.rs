//! The clock of retries. A test's clock does not really wait.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Tells the time, waits, and returns random numbers.
pub trait Clock: Send + Sync {
    /// The time by which waits and deadlines are measured.
    fn now(&self) -> Instant;

    /// The time of day, which a registry's dates are compared with.
    fn system_time(&self) -> SystemTime;

    /// Waits for this time.
    fn sleep(&self, time: Duration);

    /// A random number from 0 to 1.
    fn random_fraction(&self) -> f64;
}

/// The system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }

    fn random_fraction(&self) -> f64 {
        // The standard library seeds its hashers randomly, which is good enough to spread waits.
        let bits = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default();
        f64::from(bits) / f64::from(u32::MAX)
    }
}

/// A clock that advances only when something sleeps by it.
#[cfg(test)]
pub(crate) mod fake {
    use std::sync::Mutex;

    use super::*;

    pub(crate) struct FakeClock {
        start: Instant,
        system_time: SystemTime,
        random_fraction: f64,
        slept: Mutex<Vec<Duration>>,
    }

    impl FakeClock {
        pub(crate) fn new(random_fraction: f64) -> FakeClock {
            FakeClock {
                start: Instant::now(),
                system_time: SystemTime::UNIX_EPOCH,
                random_fraction,
                slept: Mutex::default(),
            }
        }

        /// Sets the clock to so many seconds after the epoch.
        pub(crate) fn at(self, seconds: u64) -> FakeClock {
            FakeClock { system_time: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), ..self }
        }

        /// All sleeps so far, in milliseconds.
        pub(crate) fn slept(&self) -> Vec<u128> {
            self.slept.lock().unwrap().iter().map(Duration::as_millis).collect()
        }
    }

    impl Clock for FakeClock {
        fn now(&self) -> Instant {
            self.start + self.slept.lock().unwrap().iter().sum::<Duration>()
        }

        fn system_time(&self) -> SystemTime {
            self.system_time
        }

        fn sleep(&self, time: Duration) {
            self.slept.lock().unwrap().push(time);
        }

        fn random_fraction(&self) -> f64 {
            self.random_fraction
        }
    }
}

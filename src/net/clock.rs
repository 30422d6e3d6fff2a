//! The clock of retries. A test's clock does not really wait.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Tells the time, waits, and returns random numbers.
pub trait Clock: Send + Sync {
    /// The time by which waits and deadlines are measured.
    fn now(&self) -> Instant;

    /// The time of day, which a registry's dates are compared with.
    fn today(&self) -> SystemTime;

    /// Waits for this time.
    fn sleep(&self, time: Duration);

    /// A random number from 0 to 1.
    fn chance(&self) -> f64;
}

/// The system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn today(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }

    fn chance(&self) -> f64 {
        // The standard library seeds its hashers randomly, which is good enough to spread waits.
        let bits = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default();
        f64::from(bits) / f64::from(u32::MAX)
    }
}

/// A clock that advances only when something sleeps by it.
#[cfg(test)]
pub(crate) mod still {
    use std::sync::Mutex;

    use super::*;

    pub(crate) struct Still {
        start: Instant,
        today: SystemTime,
        chance: f64,
        slept: Mutex<Vec<Duration>>,
    }

    impl Still {
        pub(crate) fn new(chance: f64) -> Still {
            Still { start: Instant::now(), today: SystemTime::UNIX_EPOCH, chance, slept: Mutex::default() }
        }

        /// Sets the clock to so many seconds after the epoch.
        pub(crate) fn at(self, seconds: u64) -> Still {
            Still { today: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), ..self }
        }

        /// All sleeps so far, in milliseconds.
        pub(crate) fn slept(&self) -> Vec<u128> {
            self.slept.lock().unwrap().iter().map(Duration::as_millis).collect()
        }
    }

    impl Clock for Still {
        fn now(&self) -> Instant {
            self.start + self.slept.lock().unwrap().iter().sum::<Duration>()
        }

        fn today(&self) -> SystemTime {
            self.today
        }

        fn sleep(&self, time: Duration) {
            self.slept.lock().unwrap().push(time);
        }

        fn chance(&self) -> f64 {
            self.chance
        }
    }
}

//! Deadlines of operations, with all their requests, redirects, tokens, retries and pauses.
//!
//! A time limit for each step alone would let a server that sends a byte now and then go on for ever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::clock::Clock;

/// With less time than this no request is sent, because timeouts may fire early.
const USABLE_TIME_MIN: Duration = Duration::from_millis(10);

/// A point in time, or none.
#[derive(Clone)]
pub(crate) struct Deadline(Option<Limit>);

#[derive(Clone)]
struct Limit {
    at: Instant,
    total: Duration,
    clock: Arc<dyn Clock>,
}

impl Deadline {
    /// No deadline: for operations with another limit, such as a body as long as data arrives.
    pub(crate) const NONE: Deadline = Deadline(None);

    /// The deadline after this time.
    pub(crate) fn after(total: Duration, clock: &Arc<dyn Clock>) -> Deadline {
        // A time that the clock cannot represent is not a deadline.
        let at = clock.now().checked_add(total);
        Deadline(at.map(|at| Limit { at, total, clock: Arc::clone(clock) }))
    }

    /// The earlier one of two deadlines.
    pub(crate) fn earlier(&self, other: &Deadline) -> Deadline {
        match (&self.0, &other.0) {
            (Some(own), Some(others)) if others.at < own.at => other.clone(),
            (None, _) => other.clone(),
            _ => self.clone(),
        }
    }

    /// The time that is left; `None` without a deadline, zero after it.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let limit = self.0.as_ref()?;
        let left = limit.at.saturating_duration_since(limit.clock.now());
        Some(if left < USABLE_TIME_MIN { Duration::ZERO } else { left })
    }

    /// The total time that the operation had, if it has passed.
    pub(crate) fn exceeded_limit(&self) -> Option<Duration> {
        self.time_left().filter(Duration::is_zero)?;
        self.0.as_ref().map(|limit| limit.total)
    }
}

/// A time for messages: `300 ms`, `2.5 s`, `90 s`.
pub(crate) fn format_duration(time: Duration) -> String {
    match time.as_millis() {
        millis @ ..1000 => format!("{millis} ms"),
        millis @ ..10_000 if millis % 1000 >= 100 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} s", time.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::clock::fake::FakeClock;

    #[test]
    fn deadline_is_exceeded_only_after_its_time() {
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::new(0.0));
        let deadline = Deadline::after(Duration::from_secs(3), &clock);
        clock.sleep(Duration::from_secs(2));
        assert_eq!((deadline.time_left(), deadline.exceeded_limit()), (Some(Duration::from_secs(1)), None));
        clock.sleep(Duration::from_millis(995));
        assert_eq!(
            (deadline.time_left(), deadline.exceeded_limit()),
            (Some(Duration::ZERO), Some(Duration::from_secs(3)))
        );
        let earlier = Deadline::after(Duration::from_secs(2), &clock);
        for (one, other) in [(&deadline, &earlier), (&deadline, &Deadline::NONE), (&Deadline::NONE, &deadline)] {
            let sooner = one.earlier(other).time_left().min(other.earlier(one).time_left());
            assert_eq!(sooner, one.time_left().into_iter().chain(other.time_left()).min());
        }
        assert_eq!((Deadline::NONE.time_left(), Deadline::NONE.exceeded_limit()), (None, None));
        assert_eq!(Deadline::after(Duration::MAX, &clock).time_left(), None);
    }

    #[test]
    fn durations_are_formatted_briefly() {
        let formatted = |millis| format_duration(Duration::from_millis(millis));
        assert_eq!(
            [formatted(300), formatted(2500), formatted(2000), formatted(90_400)],
            ["300 ms", "2.5 s", "2 s", "90 s"]
        );
    }
}

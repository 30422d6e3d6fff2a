//! When an operation has to be over, with all its requests, redirects, tokens, repetitions and pauses.
//!
//! The limits on single steps let a peer go on for ever that sends a byte now and then; this one does not.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::clock::Clock;

/// Time-outs may come a moment early; less than this is nothing to begin a request with.
const LEAST: Duration = Duration::from_millis(10);

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
    /// No bound: for what is bounded otherwise, as a body is that goes on moving.
    pub(crate) const NONE: Deadline = Deadline(None);

    /// So long from now.
    pub(crate) fn after(total: Duration, clock: &Arc<dyn Clock>) -> Deadline {
        // A time that no clock will ever show is none.
        let at = clock.now().checked_add(total);
        Deadline(at.map(|at| Limit { at, total, clock: Arc::clone(clock) }))
    }

    /// The one of the two that comes first.
    pub(crate) fn sooner(&self, other: &Deadline) -> Deadline {
        match (&self.0, &other.0) {
            (Some(own), Some(others)) if others.at < own.at => other.clone(),
            (None, _) => other.clone(),
            _ => self.clone(),
        }
    }

    /// How long it still is; `None` where there is no bound, and zero when it is over.
    pub(crate) fn left(&self) -> Option<Duration> {
        let limit = self.0.as_ref()?;
        let left = limit.at.saturating_duration_since(limit.clock.now());
        Some(if left < LEAST { Duration::ZERO } else { left })
    }

    /// How long the whole operation was allowed to take, once that is over.
    pub(crate) fn missed(&self) -> Option<Duration> {
        self.left().filter(Duration::is_zero)?;
        self.0.as_ref().map(|limit| limit.total)
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deadline").field(&self.left()).finish()
    }
}

/// A span of time for people: `300 ms`, `2.5 s`, `90 s`.
pub(crate) fn shown(time: Duration) -> String {
    match time.as_millis() {
        millis @ ..1000 => format!("{millis} ms"),
        millis @ ..10_000 if millis % 1000 >= 100 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} s", time.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::clock::still::Still;

    #[test]
    fn it_is_missed_when_its_time_has_passed_and_not_before() {
        let still = Arc::new(Still::new(0.0));
        let clock: Arc<dyn Clock> = still.clone();
        let deadline = Deadline::after(Duration::from_secs(3), &clock);
        still.sleep(Duration::from_secs(2));
        assert_eq!((deadline.left(), deadline.missed()), (Some(Duration::from_secs(1)), None));
        still.sleep(Duration::from_millis(995));
        assert_eq!((deadline.left(), deadline.missed()), (Some(Duration::ZERO), Some(Duration::from_secs(3))));
        let earlier = Deadline::after(Duration::from_secs(2), &clock);
        for (one, other) in [(&deadline, &earlier), (&deadline, &Deadline::NONE), (&Deadline::NONE, &deadline)] {
            let sooner = one.sooner(other).left().min(other.sooner(one).left());
            assert_eq!(sooner, one.left().into_iter().chain(other.left()).min());
        }
        assert_eq!((Deadline::NONE.left(), Deadline::NONE.missed()), (None, None));
        assert_eq!(Deadline::after(Duration::MAX, &clock).left(), None);
    }

    #[test]
    fn spans_are_short_to_read() {
        let shown = |millis| shown(Duration::from_millis(millis));
        assert_eq!([shown(300), shown(2500), shown(2000), shown(90_400)], ["300 ms", "2.5 s", "2 s", "90 s"]);
    }
}

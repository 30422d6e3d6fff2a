//! Rate limits for each registry. After a 429 all threads wait for the requested time. The number of concurrent
//! requests is halved, and grows by one for each full round of successes. Other registries are not affected.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::net::clock::Clock;
use crate::net::deadline::{Deadline, shown};
use crate::net::error::{RegistryError, RegistryErrorKind};
use crate::sync::{lock, wait};

/// A limit that has grown to this is removed: no command sends more requests in parallel.
const LIMIT_MAX: usize = 64;
/// After so many full rounds of successes one more connection is tried with a registry that refused one.
const ROUNDS_AT_CEILING: usize = 8;
/// The longest wait for a registry without another limit, as during a body while data arrives.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(600);
/// A wait that ends this much later than the last printed one is printed too.
const NEWS: Duration = Duration::from_secs(1);

thread_local! {
    /// Whether this thread is in the middle of a request: further requests, to this or another registry, are part of
    /// it. Waiting for others, which may wait for this thread, would be a deadlock.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// The rate limits of all registries.
pub(crate) struct RateLimits {
    clock: Arc<dyn Clock>,
    known: Mutex<BTreeMap<String, Arc<RateLimit>>>,
}

#[derive(Debug, Default)]
struct RateLimit {
    state: Mutex<LimitState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LimitState {
    /// No request may be sent before this time.
    pause: Option<Instant>,
    /// The end of the latest wait that was printed.
    printed: Option<Instant>,
    under_way: usize,
    /// The maximum of concurrent requests; `None` for no limit.
    limit: Option<usize>,
    /// The number of successes since the limit was last changed.
    successes: usize,
    /// What the limit may grow to: as many connections as the registry accepted. `None` before it refused one.
    ceiling: Option<usize>,
    /// How many full rounds of successes there were at the ceiling.
    rounds: usize,
    /// Whether the registry has answered any request as it should.
    has_answered: bool,
}

/// Permits one request until it is dropped. It stays on its thread.
pub(crate) struct Permit {
    rate: Option<Arc<RateLimit>>,
    _of_one_thread: PhantomData<*const ()>,
}

impl RateLimits {
    /// Without limits.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> RateLimits {
        RateLimits { clock, known: Mutex::default() }
    }

    fn of(&self, registry: &str) -> Arc<RateLimit> {
        Arc::clone(lock(&self.known).entry(registry.to_owned()).or_default())
    }

    /// Waits until a request may be sent to the registry. The error says that this would be too late.
    pub(crate) fn enter(&self, registry: &str, deadline: &Deadline) -> Result<Permit, RegistryError> {
        let rate = self.of(registry);
        let mut state = lock(&rate.state);
        loop {
            let pause = state.pause.map(|until| until.saturating_duration_since(self.clock.now()));
            if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
                drop(state);
                let left = deadline.left().unwrap_or(PAUSE_MAX);
                if left <= pause {
                    return Err(too_late(registry, pause, left));
                }
                self.clock.sleep(pause);
                state = lock(&rate.state);
                continue;
            }
            if BUSY.get() {
                return Ok(Permit { rate: None, _of_one_thread: PhantomData });
            }
            if state.limit.is_none_or(|limit| state.under_way < limit) {
                state.under_way += 1;
                BUSY.set(true);
                drop(state);
                return Ok(Permit { rate: Some(rate), _of_one_thread: PhantomData });
            }
            state = match deadline.left() {
                Some(left) if left.is_zero() => return Err(too_late(registry, Duration::ZERO, left)),
                Some(left) => rate.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => wait(&rate.changed, state),
            };
        }
    }

    /// Records that the registry requests a pause, and halves the number of concurrent requests.
    pub(crate) fn slow(&self, registry: &str, time: Duration) {
        let rate = self.of(registry);
        let mut state = lock(&rate.state);
        let now = self.clock.now();
        // Requests that ran in parallel are refused together, which counts as one refusal.
        if state.pause.is_none_or(|until| until <= now) {
            let at_once = state.limit.unwrap_or(LIMIT_MAX).min(state.under_way.max(1));
            state.limit = Some((at_once / 2).max(1));
            state.successes = 0;
        }
        state.pause = state.pause.max(now.checked_add(time));
    }

    /// Notes that the registry accepts no more than so many connections: as many requests are under way at once, and
    /// the limit grows beyond that slowly.
    pub(crate) fn at_most(&self, registry: &str, connections: usize) {
        lock(&self.of(registry).state).cap(connections);
    }

    /// Notes that the registry refused a connection of a request that has ended. Where it answers others, it accepts no
    /// more connections than those have.
    pub(crate) fn refused(&self, registry: &str) {
        let rate = self.of(registry);
        let mut state = lock(&rate.state);
        if state.has_answered && state.under_way > 0 {
            let others = state.under_way;
            state.cap(others);
        }
    }

    /// Whether a wait of this length should be printed.
    pub(crate) fn is_news(&self, registry: &str, time: Duration) -> bool {
        let rate = self.of(registry);
        let mut state = lock(&rate.state);
        let Some(end) = self.clock.now().checked_add(time) else { return true };
        let is_news =
            state.printed.is_none_or(|printed| printed.checked_add(NEWS).is_some_and(|printed| printed < end));
        if is_news {
            state.printed = Some(end);
        }
        is_news
    }
}

impl Permit {
    /// Records a success. A limit grows by one after as many successes as it permits requests.
    pub(crate) fn went_well(&self) {
        let Some(rate) = &self.rate else { return };
        let mut state = lock(&rate.state);
        state.has_answered = true;
        let Some(limit) = state.limit else { return };
        state.successes += 1;
        if state.successes >= limit {
            state.successes = 0;
            state.grow(limit);
            rate.changed.notify_all();
        }
    }
}

impl LimitState {
    fn cap(&mut self, connections: usize) {
        let connections = connections.max(1);
        (self.ceiling, self.rounds, self.successes) = (Some(connections), 0, 0);
        self.limit = Some(self.limit.map_or(connections, |limit| limit.min(connections)));
    }

    /// After a full round of successes.
    fn grow(&mut self, limit: usize) {
        if let Some(ceiling) = self.ceiling.filter(|ceiling| limit >= *ceiling) {
            self.rounds += 1;
            if self.rounds < ROUNDS_AT_CEILING {
                return;
            }
            (self.rounds, self.ceiling) = (0, Some(ceiling + 1));
        }
        self.limit = Some(limit + 1).filter(|limit| *limit < LIMIT_MAX);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(rate) = &self.rate else { return };
        BUSY.set(false);
        let mut state = lock(&rate.state);
        state.under_way = state.under_way.saturating_sub(1);
        rate.changed.notify_all();
    }
}

/// The message that a registry requests a longer pause than the time left.
pub(crate) fn longer(asked: Duration, left: Duration) -> String {
    format!("it asks to wait for {}, and only {} are left", shown(asked), shown(left))
}

fn too_late(registry: &str, pause: Duration, left: Duration) -> RegistryError {
    let detail = if pause.is_zero() { "its turn did not come in time".to_owned() } else { longer(pause, left) };
    RegistryError::new(RegistryErrorKind::RateLimited, registry, detail)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::net::clock::still::Still;

    fn limits() -> (Arc<Still>, RateLimits) {
        let still = Arc::new(Still::new(0.0));
        (Arc::clone(&still), RateLimits::new(still))
    }

    #[test]
    fn a_pause_is_kept_by_all_who_ask_that_registry_and_by_nobody_else() {
        let (clock, limits) = limits();
        limits.slow("a", Duration::from_secs(7));
        drop(limits.enter("b", &Deadline::NONE).ok().unwrap());
        assert_eq!(clock.slept(), []);
        drop(limits.enter("a", &Deadline::NONE).ok().unwrap());
        drop(limits.enter("a", &Deadline::NONE).ok().unwrap());
        assert_eq!(clock.slept(), [7000]);
    }

    #[test]
    fn a_pause_beyond_the_deadline_is_not_begun() {
        let (clock, limits) = limits();
        limits.slow("a", Duration::from_secs(7));
        let deadline = Deadline::after(Duration::from_secs(5), &(clock.clone() as Arc<dyn Clock>));
        let error = limits.enter("a", &deadline).err().unwrap();
        assert_eq!(error.kind, RegistryErrorKind::RateLimited);
        assert_eq!(error.detail, "it asks to wait for 7 s, and only 5 s are left");
        assert_eq!(clock.slept(), []);
    }

    #[test]
    fn fewer_are_let_in_at_once_until_it_goes_well_again() {
        let (clock, limits) = limits();
        let busy: Vec<_> = (0..5).map(|_| (limits.enter("a", &Deadline::NONE).ok(), BUSY.set(false))).collect();
        limits.slow("a", Duration::from_secs(1));
        limits.slow("a", Duration::from_secs(1));
        drop(busy);
        clock.sleep(Duration::from_secs(1));
        let limit = || lock(&limits.of("a").state).limit;
        assert_eq!(limit(), Some(2), "refused together is refused once");
        for _ in 0..5 {
            limits.enter("a", &Deadline::NONE).ok().unwrap().went_well();
        }
        assert_eq!(limit(), Some(4), "two for the third, three for the fourth");
    }

    #[test]
    fn no_more_run_at_once_than_the_registry_accepts_connections() {
        let (_, limits) = limits();
        let state = |value: fn(&LimitState) -> Option<usize>| value(&lock(&limits.of("a").state));
        limits.refused("a");
        assert_eq!(state(|state| state.limit), None, "it may only just be starting");
        limits.enter("a", &Deadline::NONE).ok().unwrap().went_well();
        limits.refused("a");
        assert_eq!(state(|state| state.limit), None, "nothing else is under way, so nothing is known");
        let busy: Vec<_> = (0..3).map(|_| (limits.enter("a", &Deadline::NONE).ok(), BUSY.set(false))).collect();
        limits.refused("a");
        assert_eq!(state(|state| state.limit), Some(3));
        drop(busy);
        for _ in 0..3 * ROUNDS_AT_CEILING - 1 {
            limits.enter("a", &Deadline::NONE).ok().unwrap().went_well();
        }
        assert_eq!(state(|state| state.limit), Some(3));
        limits.enter("a", &Deadline::NONE).ok().unwrap().went_well();
        assert_eq!((state(|state| state.limit), state(|state| state.ceiling)), (Some(4), Some(4)), "one more is tried");
        limits.at_most("a", 2);
        assert_eq!(state(|state| state.limit), Some(2));
    }

    #[test]
    fn who_is_let_in_waits_for_nobody_and_others_wait_for_it() {
        let (_, limits) = limits();
        limits.slow("a", Duration::ZERO);
        let held = limits.enter("a", &Deadline::NONE).ok().unwrap();
        assert!(limits.enter("a", &Deadline::NONE).is_ok_and(|again| again.rate.is_none()));
        thread::scope(|scope| {
            let other = scope.spawn(|| limits.enter("a", &Deadline::NONE).is_ok());
            drop(held);
            assert!(other.join().unwrap());
        });
    }

    #[test]
    fn the_same_wait_is_told_once() {
        let (_, limits) = limits();
        let seconds = Duration::from_secs;
        assert!(limits.is_news("a", seconds(5)));
        assert!(!limits.is_news("a", seconds(6)));
        assert!(limits.is_news("a", seconds(9)));
        assert!(limits.is_news("b", seconds(2)));
    }
}

//! Rate limits for each registry. After a 429 all threads wait for the requested time. The number of concurrent
//! requests is halved, and grows by one for each full round of successes. Other registries are not affected. `retry`
//! decides how long to wait, and `error_response` reads `Retry-After`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::net::clock::Clock;
use crate::net::deadline::{Deadline, format_duration};
use crate::net::error::{RegistryError, RegistryErrorKind};
use crate::sync::{lock, wait};

/// A limit that has grown to this is removed: no command sends more requests in parallel.
const UNLIMITED_CONCURRENCY_MIN: usize = 64;
/// After so many full rounds of successes one more connection is tried with a registry that refused one.
const ROUNDS_AT_CAP: usize = 8;
/// The longest pause that a request without a deadline accepts, for example during the transfer of a body.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(600);
/// A wait that ends this much later than the last printed one is printed too.
const PRINTED_WAIT_STEP: Duration = Duration::from_secs(1);

thread_local! {
    /// Whether this thread is in the middle of a request: further requests, to this or another registry, are part of
    /// it. Waiting for others, which may wait for this thread, would be a deadlock.
    static IN_REQUEST: Cell<bool> = const { Cell::new(false) };
}

/// The rate limits of all registries.
pub(crate) struct RateLimits {
    clock: Arc<dyn Clock>,
    by_registry: Mutex<BTreeMap<String, Arc<RateLimit>>>,
}

#[derive(Debug, Default)]
struct RateLimit {
    state: Mutex<LimitState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LimitState {
    /// No request may be sent before this time.
    paused_until: Option<Instant>,
    /// The end of the latest wait that was printed.
    printed_until: Option<Instant>,
    in_flight: usize,
    /// The maximum of concurrent requests; `None` for no limit.
    concurrency_limit: Option<usize>,
    /// The number of successes since the limit was last changed.
    successes: usize,
    /// What the limit may grow to: as many connections as the registry accepted. `None` before it refused one.
    cap: Option<usize>,
    /// How many full rounds of successes there were at the cap.
    rounds_at_cap: usize,
    /// Whether the registry has answered any request as it should.
    has_succeeded: bool,
}

/// Permits one request until it is dropped. It is not `Send`: dropping it clears a thread-local.
pub(crate) struct Permit {
    rate_limit: Option<Arc<RateLimit>>,
    _not_send: PhantomData<*const ()>,
}

impl RateLimits {
    /// Without limits.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> RateLimits {
        RateLimits { clock, by_registry: Mutex::default() }
    }

    fn for_registry(&self, registry: &str) -> Arc<RateLimit> {
        Arc::clone(lock(&self.by_registry).entry(registry.to_owned()).or_default())
    }

    /// Waits until a request may be sent to the registry. The error says that this would be too late.
    pub(crate) fn acquire(&self, registry: &str, deadline: &Deadline) -> Result<Permit, RegistryError> {
        let rate = self.for_registry(registry);
        let mut state = lock(&rate.state);
        loop {
            let pause = state.paused_until.map(|until| until.saturating_duration_since(self.clock.now()));
            if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
                drop(state);
                let left = deadline.time_left().unwrap_or(PAUSE_MAX);
                if left <= pause {
                    return Err(too_late_error(registry, pause, left));
                }
                self.clock.sleep(pause);
                state = lock(&rate.state);
                continue;
            }
            if IN_REQUEST.get() {
                return Ok(Permit { rate_limit: None, _not_send: PhantomData });
            }
            if state.concurrency_limit.is_none_or(|limit| state.in_flight < limit) {
                state.in_flight += 1;
                IN_REQUEST.set(true);
                drop(state);
                return Ok(Permit { rate_limit: Some(rate), _not_send: PhantomData });
            }
            state = match deadline.time_left() {
                Some(left) if left.is_zero() => return Err(too_late_error(registry, Duration::ZERO, left)),
                Some(left) => rate.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => wait(&rate.changed, state),
            };
        }
    }

    /// Records that the registry requests a pause, and halves the number of concurrent requests.
    pub(crate) fn record_rate_limited(&self, registry: &str, time: Duration) {
        let rate = self.for_registry(registry);
        let mut state = lock(&rate.state);
        let now = self.clock.now();
        // Requests that ran in parallel are refused together, which counts as one refusal.
        if state.paused_until.is_none_or(|until| until <= now) {
            let at_once = state.concurrency_limit.unwrap_or(UNLIMITED_CONCURRENCY_MIN).min(state.in_flight.max(1));
            state.concurrency_limit = Some((at_once / 2).max(1));
            state.successes = 0;
        }
        state.paused_until = state.paused_until.max(now.checked_add(time));
    }

    /// Caps the number of concurrent requests. The cap rises by one after [`ROUNDS_AT_CAP`] full rounds of
    /// successes.
    pub(crate) fn cap_concurrency(&self, registry: &str, max_requests: usize) {
        lock(&self.for_registry(registry).state).set_cap(max_requests);
    }

    /// Records that the registry refused a connection of a request that has ended. If the registry has answered before
    /// and other requests are in flight, their number becomes the cap.
    pub(crate) fn record_connection_refused(&self, registry: &str) {
        let rate = self.for_registry(registry);
        let mut state = lock(&rate.state);
        if state.has_succeeded && state.in_flight > 0 {
            let others = state.in_flight;
            state.set_cap(others);
        }
    }

    /// Whether a wait of this length is to be printed: if it ends later than those that were. Records it as printed.
    pub(crate) fn should_print_wait(&self, registry: &str, time: Duration) -> bool {
        let rate = self.for_registry(registry);
        let mut state = lock(&rate.state);
        let Some(end) = self.clock.now().checked_add(time) else { return true };
        let is_to_print = state
            .printed_until
            .is_none_or(|printed| printed.checked_add(PRINTED_WAIT_STEP).is_some_and(|printed| printed < end));
        if is_to_print {
            state.printed_until = Some(end);
        }
        is_to_print
    }
}

impl Permit {
    /// Records a success. A limit grows by one after as many successes as it permits requests.
    pub(crate) fn record_success(&self) {
        let Some(rate) = &self.rate_limit else { return };
        let mut state = lock(&rate.state);
        state.has_succeeded = true;
        let Some(limit) = state.concurrency_limit else { return };
        state.successes += 1;
        if state.successes >= limit {
            state.successes = 0;
            state.grow(limit);
            rate.changed.notify_all();
        }
    }
}

impl LimitState {
    fn set_cap(&mut self, connections: usize) {
        let connections = connections.max(1);
        (self.cap, self.rounds_at_cap, self.successes) = (Some(connections), 0, 0);
        self.concurrency_limit = Some(self.concurrency_limit.map_or(connections, |limit| limit.min(connections)));
    }

    /// After a full round of successes.
    fn grow(&mut self, limit: usize) {
        if let Some(cap) = self.cap.filter(|cap| limit >= *cap) {
            self.rounds_at_cap += 1;
            if self.rounds_at_cap < ROUNDS_AT_CAP {
                return;
            }
            (self.rounds_at_cap, self.cap) = (0, Some(cap + 1));
        }
        self.concurrency_limit = Some(limit + 1).filter(|limit| *limit < UNLIMITED_CONCURRENCY_MIN);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(rate) = &self.rate_limit else { return };
        IN_REQUEST.set(false);
        let mut state = lock(&rate.state);
        state.in_flight = state.in_flight.saturating_sub(1);
        // Without a limit nothing waits.
        if state.concurrency_limit.is_some() {
            rate.changed.notify_all();
        }
    }
}

/// The message that a registry requests a longer pause than the time left.
pub(crate) fn pause_exceeds_message(asked: Duration, left: Duration) -> String {
    format!("it asks to wait for {}, and only {} are left", format_duration(asked), format_duration(left))
}

fn too_late_error(registry: &str, pause: Duration, left: Duration) -> RegistryError {
    let detail = if pause.is_zero() {
        "the time ran out while other requests to this registry were under way".to_owned()
    } else {
        pause_exceeds_message(pause, left)
    };
    RegistryError::new(RegistryErrorKind::RateLimited, registry, detail)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::net::clock::fake::FakeClock;

    fn limits() -> (Arc<FakeClock>, RateLimits) {
        let clock = Arc::new(FakeClock::new(0.0));
        (Arc::clone(&clock), RateLimits::new(clock))
    }

    #[test]
    fn a_pause_applies_to_one_registry() {
        let (clock, limits) = limits();
        limits.record_rate_limited("a", Duration::from_secs(7));
        drop(limits.acquire("b", &Deadline::NONE).ok().unwrap());
        assert_eq!(clock.slept(), []);
        drop(limits.acquire("a", &Deadline::NONE).ok().unwrap());
        drop(limits.acquire("a", &Deadline::NONE).ok().unwrap());
        assert_eq!(clock.slept(), [7000]);
    }

    #[test]
    fn pause_beyond_the_deadline_fails_at_once() {
        let (clock, limits) = limits();
        limits.record_rate_limited("a", Duration::from_secs(7));
        let deadline = Deadline::after(Duration::from_secs(5), &(clock.clone() as Arc<dyn Clock>));
        let error = limits.acquire("a", &deadline).err().unwrap();
        assert_eq!(error.kind, RegistryErrorKind::RateLimited);
        assert_eq!(error.message, "it asks to wait for 7 s, and only 5 s are left");
        assert_eq!(clock.slept(), []);
    }

    #[test]
    fn status_429_halves_the_limit_and_successes_raise_it() {
        let (clock, limits) = limits();
        let busy: Vec<_> = (0..5).map(|_| (limits.acquire("a", &Deadline::NONE).ok(), IN_REQUEST.set(false))).collect();
        limits.record_rate_limited("a", Duration::from_secs(1));
        limits.record_rate_limited("a", Duration::from_secs(1));
        drop(busy);
        clock.sleep(Duration::from_secs(1));
        let limit = || lock(&limits.for_registry("a").state).concurrency_limit;
        assert_eq!(limit(), Some(2), "refused together is refused once");
        for _ in 0..5 {
            limits.acquire("a", &Deadline::NONE).ok().unwrap().record_success();
        }
        assert_eq!(limit(), Some(4), "two for the third, three for the fourth");
    }

    #[test]
    fn refused_connections_cap_concurrent_requests() {
        let (_, limits) = limits();
        let state = |value: fn(&LimitState) -> Option<usize>| value(&lock(&limits.for_registry("a").state));
        limits.record_connection_refused("a");
        assert_eq!(state(|state| state.concurrency_limit), None, "the registry may only be starting");
        limits.acquire("a", &Deadline::NONE).ok().unwrap().record_success();
        limits.record_connection_refused("a");
        assert_eq!(
            state(|state| state.concurrency_limit),
            None,
            "no other request is in flight, so no number is known"
        );
        let busy: Vec<_> = (0..3).map(|_| (limits.acquire("a", &Deadline::NONE).ok(), IN_REQUEST.set(false))).collect();
        limits.record_connection_refused("a");
        assert_eq!(state(|state| state.concurrency_limit), Some(3));
        drop(busy);
        for _ in 0..3 * ROUNDS_AT_CAP - 1 {
            limits.acquire("a", &Deadline::NONE).ok().unwrap().record_success();
        }
        assert_eq!(state(|state| state.concurrency_limit), Some(3));
        limits.acquire("a", &Deadline::NONE).ok().unwrap().record_success();
        assert_eq!(
            (state(|state| state.concurrency_limit), state(|state| state.cap)),
            (Some(4), Some(4)),
            "one more is tried"
        );
        limits.cap_concurrency("a", 2);
        assert_eq!(state(|state| state.concurrency_limit), Some(2));
    }

    #[test]
    fn a_nested_request_needs_no_permit_and_other_threads_wait() {
        let (_, limits) = limits();
        limits.record_rate_limited("a", Duration::ZERO);
        let held = limits.acquire("a", &Deadline::NONE).ok().unwrap();
        assert!(limits.acquire("a", &Deadline::NONE).is_ok_and(|nested| nested.rate_limit.is_none()));
        thread::scope(|scope| {
            let other = scope.spawn(|| limits.acquire("a", &Deadline::NONE).is_ok());
            drop(held);
            assert!(other.join().unwrap());
        });
    }

    #[test]
    fn the_same_wait_is_reported_once() {
        let (_, limits) = limits();
        let seconds = Duration::from_secs;
        assert!(limits.should_print_wait("a", seconds(5)));
        assert!(!limits.should_print_wait("a", seconds(6)));
        assert!(limits.should_print_wait("a", seconds(9)));
        assert!(limits.should_print_wait("b", seconds(2)));
    }
}

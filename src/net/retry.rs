//! Retries: exponential backoff with jitter, and `Retry-After` (RFC 9110, section 10.2.3), within a number of attempts
//! and a deadline. The wait after a 429 is decided here, too; `rate_limit` makes all threads wait for it.
//!
//! The error says whether a retry may help (`Retryable`); the caller says whether it does harm. Errors of certificates
//! and names are not retried, because they would not change.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::net::clock::Clock;
use crate::net::deadline::{Deadline, format_duration};
use crate::net::error::{RegistryError, RegistryErrorKind, RetryAfter, Retryable};
use crate::net::rate_limit::{PAUSE_MAX, RateLimits, pause_exceeds_message};
use crate::net::transport::LineSink;

/// The longest first wait. Each further wait may be twice as long.
const FIRST_WAIT_MAX: Duration = Duration::from_millis(250);
/// The longest wait, unless the registry requests a longer one.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// The longest wait after the registry reported too many requests.
const RATE_LIMIT_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Shorter waits are not printed.
const PRINTED_WAIT_MIN: Duration = Duration::from_secs(1);
/// With less time than this no further attempt is made.
const TIME_LEFT_MIN: Duration = Duration::from_millis(100);
/// How much of a registry's message is printed, in characters.
const MESSAGE_CHARS_MAX: usize = 200;

/// The number of retries, the limits, and where notices are printed.
pub(crate) struct RetryPolicy {
    retries: u32,
    notice: LineSink,
    clock: Arc<dyn Clock>,
    /// The limits of each registry.
    pub(crate) limits: Arc<RateLimits>,
}

impl RetryPolicy {
    /// Retries at most `retries` times.
    pub(crate) fn new(retries: u32, notice: LineSink, clock: Arc<dyn Clock>) -> RetryPolicy {
        RetryPolicy { retries, notice, limits: Arc::new(RateLimits::new(Arc::clone(&clock))), clock }
    }

    /// Begins the attempts of one operation, for loops other than [`RetryPolicy::run`].
    pub(crate) fn start<'a>(&'a self, registry: &'a str, repeatable: bool, deadline: &'a Deadline) -> Attempts<'a> {
        Attempts {
            policy: self,
            registry,
            repeatable,
            deadline,
            attempts: 0,
            counted_attempts: 0,
            rate_limited_attempts: 0,
            rate_limit_wait_total: Duration::ZERO,
        }
    }

    /// Makes attempts (numbered from 1) within the registry's rate limit until one succeeds or no further one may be
    /// made.
    ///
    /// `repeatable` says that repeating an attempt does no harm. Otherwise it is repeated only if nothing of it was
    /// sent.
    pub(crate) fn run<T>(
        &self,
        registry: &str,
        repeatable: bool,
        deadline: &Deadline,
        mut attempt: impl FnMut(u32) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut retry = self.start(registry, repeatable, deadline);
        loop {
            let permit = self.limits.acquire(registry, deadline)?;
            let outcome = attempt(retry.attempts + 1);
            if outcome.is_ok() {
                permit.record_success();
            }
            drop(permit);
            match outcome {
                Ok(done) => return Ok(done),
                Err(error) => retry.wait(error)?,
            }
        }
    }
}

/// The attempts of one operation.
pub(crate) struct Attempts<'a> {
    policy: &'a RetryPolicy,
    registry: &'a str,
    repeatable: bool,
    deadline: &'a Deadline,
    /// The number of failed attempts, whatever the reason.
    attempts: u32,
    /// The number of attempts that count: not those that a rate limit refused.
    counted_attempts: u32,
    /// The number of attempts that a rate limit refused.
    rate_limited_attempts: u32,
    /// The total of this operation's pauses for rate limits.
    rate_limit_wait_total: Duration,
}

impl RegistryError {
    /// Whether the registry refused the request because of too many requests: 429, or 503 with `Retry-After`. The
    /// request had no effect, so it may always be repeated.
    pub(crate) fn is_rate_limit(&self) -> bool {
        self.status == Some(429) || self.status == Some(503) && matches!(self.retryable, Retryable::Later(Some(_)))
    }
}

impl Attempts<'_> {
    /// Waits before the next attempt after this error, or returns the error if no attempt may follow. A returned error
    /// is marked so that no caller retries it again.
    ///
    /// Waits for a rate limit are not among the counted attempts. They end with the deadline.
    pub(crate) fn wait(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        self.attempts += 1;
        let error = RegistryError { attempts: error.attempts.max(self.attempts), ..error };
        if error.is_rate_limit() && error.retryable != Retryable::Never && self.policy.retries > 0 {
            return self.wait_for_rate_limit(error);
        }
        if error.kind == RegistryErrorKind::Connect && error.retryable == Retryable::Unsent {
            self.policy.limits.record_connection_refused(self.registry);
        }
        self.counted_attempts += 1;
        let may_help = match error.retryable {
            Retryable::Never => false,
            Retryable::Unsent => true,
            Retryable::IfRepeatable | Retryable::Later(_) => self.repeatable,
        };
        if !may_help || self.policy.retries == 0 {
            return Err(error);
        }
        let requested = self.requested_wait(&error);
        let wait = self.backoff(self.counted_attempts, WAIT_MAX).max(requested.unwrap_or_default());
        if self.counted_attempts > self.policy.retries {
            return Err(error.with_retryable(Retryable::Never));
        }
        let left = self.deadline.time_left().unwrap_or(PAUSE_MAX);
        let (next_attempt, attempts_max) = (self.counted_attempts + 1, self.policy.retries.saturating_add(1));
        self.print_and_sleep(
            error,
            wait,
            requested,
            left,
            format_args!("before attempt {next_attempt} of {attempts_max}"),
        )
    }

    /// Waits as long as a rate limit requests, and makes all other threads wait that send to that registry.
    fn wait_for_rate_limit(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        self.rate_limited_attempts += 1;
        let requested = self.requested_wait(&error);
        let wait = match requested {
            Some(requested) if requested >= PRINTED_WAIT_MIN => requested,
            requested => {
                self.backoff(self.rate_limited_attempts, RATE_LIMIT_BACKOFF_MAX).max(requested.unwrap_or_default())
            }
        };
        self.policy.limits.record_rate_limited(self.registry, wait);
        let left = self.deadline.time_left().unwrap_or_else(|| PAUSE_MAX.saturating_sub(self.rate_limit_wait_total));
        self.rate_limit_wait_total = self.rate_limit_wait_total.saturating_add(wait);
        self.print_and_sleep(error, wait, requested, left, format_args!("before the next attempt"))
    }

    /// How long the registry asks to wait.
    fn requested_wait(&self, error: &RegistryError) -> Option<Duration> {
        let Retryable::Later(Some(after)) = error.retryable else { return None };
        Some(match after {
            RetryAfter::Seconds(seconds) => Duration::from_secs(seconds),
            // A date in the past requests no wait.
            RetryAfter::At(date) => date.duration_since(self.policy.clock.system_time()).unwrap_or_default(),
        })
    }

    /// Prints the wait and waits, or returns the error if no time would be left after it.
    fn print_and_sleep(
        &self,
        error: RegistryError,
        wait: Duration,
        requested: Option<Duration>,
        left: Duration,
        next_step: fmt::Arguments<'_>,
    ) -> Result<(), RegistryError> {
        if left <= wait.saturating_add(TIME_LEFT_MIN) {
            return Err(no_time_left_error(error, requested, left, self.deadline).with_retryable(Retryable::Never));
        }
        if wait > PRINTED_WAIT_MIN && self.policy.limits.should_print_wait(self.registry, wait) {
            let own = error.message.strip_prefix(self.registry).and_then(|rest| rest.strip_prefix(": "));
            let message: String = own.unwrap_or(&error.message).chars().take(MESSAGE_CHARS_MAX).collect();
            (self.policy.notice)(&format!(
                "{}: {message}: waiting {} {next_step}",
                self.registry,
                format_duration(wait)
            ));
        }
        self.policy.clock.sleep(wait);
        Ok(())
    }

    /// Records that the last attempt made progress although it failed: the counted attempts begin at zero again.
    pub(crate) fn record_progress(&mut self) {
        (self.counted_attempts, self.rate_limited_attempts, self.rate_limit_wait_total) = (0, 0, Duration::ZERO);
    }

    /// At most twice the last wait, and at least half of it: requests that failed together are not repeated together.
    fn backoff(&self, attempts: u32, longest: Duration) -> Duration {
        let doublings = attempts.saturating_sub(1).min(16);
        let longest = FIRST_WAIT_MAX.saturating_mul(1 << doublings).min(longest);
        longest.mul_f64(0.5 + self.policy.clock.random_fraction().clamp(0.0, 1.0) / 2.0)
    }
}

/// The error if no time is left for another attempt.
fn no_time_left_error(
    error: RegistryError,
    requested: Option<Duration>,
    left: Duration,
    deadline: &Deadline,
) -> RegistryError {
    let message = match (requested, deadline.exceeded_limit()) {
        (_, Some(_)) if error.kind == RegistryErrorKind::Timeout => return error,
        (_, Some(total)) => format!("{}; gave up after {}", error.message, format_duration(total)),
        (Some(requested), None) if requested.saturating_add(TIME_LEFT_MIN) >= left => {
            format!("{}; {}", error.message, pause_exceeds_message(requested, left))
        }
        _ => format!("{}; gave up as only {} are left", error.message, format_duration(left)),
    };
    RegistryError { message, ..error }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;

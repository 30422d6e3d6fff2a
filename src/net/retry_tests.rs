//! Tests of [`super`]: what is retried, how often, and how long the waits are.

use std::sync::Mutex;
use std::time::SystemTime;

use super::super::clock::fake::FakeClock;
use super::*;

/// The result of an operation whose attempts all fail, the number of attempts, the sleeps and the messages.
struct Run {
    error: RegistryError,
    attempts: u32,
    slept: Vec<u128>,
    notices: Vec<String>,
}

fn failing(retries: u32, total: Option<u64>, repeatable: bool, error: &RegistryError) -> Run {
    let clock = Arc::new(FakeClock::new(1.0).at(1000));
    let notices = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&notices);
    let notice: LineSink = Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()));
    let as_clock: Arc<dyn Clock> = clock.clone();
    let deadline = total.map_or(Deadline::NONE, |seconds| Deadline::after(Duration::from_secs(seconds), &as_clock));
    let policy = RetryPolicy::new(retries, notice, as_clock);
    let mut attempts = 0;
    let outcome = policy.run("h:5000", repeatable, &deadline, |number| {
        attempts += 1;
        assert_eq!(number, attempts);
        Err::<(), _>(error.clone())
    });
    let notices = notices.lock().unwrap().clone();
    Run { error: outcome.unwrap_err(), attempts, slept: clock.slept(), notices }
}

fn error(retryable: Retryable) -> RegistryError {
    RegistryError { retryable, ..RegistryError::new(RegistryErrorKind::Connect, "h:5000", "gone") }
}

fn refused(status: u16, after: Option<RetryAfter>) -> RegistryError {
    RegistryError {
        retryable: Retryable::Later(after),
        ..RegistryError::new(RegistryErrorKind::RateLimited, "h:5000", "busy")
    }
    .with_status(status)
}

#[test]
fn retry_waits_double_up_to_a_maximum() {
    let run = failing(8, None, true, &error(Retryable::IfRepeatable));
    assert_eq!(run.slept, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    assert_eq!((run.attempts, run.error.attempts), (9, 9));
    assert!(run.error.to_string().ends_with("gone (tried 9 times)"), "{}", run.error);
}

#[test]
fn unrepeatable_request_is_retried_only_if_nothing_was_sent() {
    for (retryable, repeatable, attempts) in [
        (Retryable::Never, true, 1),
        (Retryable::Unsent, true, 4),
        (Retryable::Unsent, false, 4),
        (Retryable::IfRepeatable, true, 4),
        (Retryable::IfRepeatable, false, 1),
        (Retryable::Later(None), true, 4),
        (Retryable::Later(None), false, 1),
    ] {
        assert_eq!(failing(3, None, repeatable, &error(retryable)).attempts, attempts, "{retryable:?} {repeatable}");
        assert_eq!(failing(0, None, repeatable, &error(retryable)).attempts, 1, "{retryable:?} {repeatable}");
    }
    assert!(!failing(3, None, true, &error(Retryable::Never)).error.to_string().contains("tried"));
}

#[test]
fn retry_after_is_obeyed_and_printed() {
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1012);
    for after in [RetryAfter::Seconds(12), RetryAfter::At(date)] {
        let run = failing(1, Some(20), true, &refused(429, Some(after)));
        assert_eq!(run.slept, [12_000]);
        assert_eq!(run.notices, ["h:5000: busy: waiting 12 s before the next attempt"]);
    }
    let past = RetryAfter::At(SystemTime::UNIX_EPOCH);
    for soon in [RetryAfter::Seconds(0), past] {
        let run = failing(1, Some(1), true, &refused(503, Some(soon)));
        assert_eq!((run.slept, run.notices), (vec![250, 500], vec![]), "never sooner than by itself");
    }
}

#[test]
fn a_retry_after_beyond_the_deadline_fails_immediately() {
    let run = failing(3, Some(60), true, &refused(429, Some(RetryAfter::Seconds(3600))));
    assert_eq!((run.attempts, run.slept), (1, vec![]));
    assert_eq!(run.error.message, "busy; it asks to wait for 3600 s, and only 60 s are left");
    let run = failing(30, Some(2), true, &error(Retryable::IfRepeatable));
    assert_eq!(run.slept, [250, 500, 1000]);
    assert_eq!(run.error.message, "gone; gave up as only 250 ms are left");
}

#[test]
fn no_retry_follows_an_attempt_that_exceeded_the_deadline() {
    let clock = Arc::new(FakeClock::new(1.0));
    let as_clock: Arc<dyn Clock> = clock.clone();
    let deadline = Deadline::after(Duration::from_secs(5), &as_clock);
    let policy = RetryPolicy::new(3, Arc::new(|_: &str| {}), as_clock);
    let outcome = policy.run("h", true, &deadline, |_| {
        clock.sleep(Duration::from_secs(5));
        Err::<(), _>(error(Retryable::IfRepeatable))
    });
    assert_eq!(outcome.unwrap_err().message, "gone; gave up after 5 s");
}

#[test]
fn progress_resets_the_count_of_tries() {
    let policy = RetryPolicy::new(2, Arc::new(|_: &str| {}), Arc::new(FakeClock::new(0.0)));
    let mut retry = policy.start("h", true, &Deadline::NONE);
    for _ in 0..10 {
        assert!(retry.wait(error(Retryable::IfRepeatable)).is_ok());
        retry.record_progress();
    }
    assert!(retry.wait(error(Retryable::IfRepeatable)).is_ok());
    assert!(retry.wait(error(Retryable::IfRepeatable)).is_ok());
    assert!(retry.wait(error(Retryable::IfRepeatable)).is_err());
}

#[test]
fn jitter_shortens_a_wait_by_at_most_half() {
    let clock = Arc::new(FakeClock::new(0.0));
    let policy = RetryPolicy::new(2, Arc::new(|_: &str| {}), clock.clone());
    let _ = policy.run("h", true, &Deadline::NONE, |_| Err::<(), _>(error(Retryable::IfRepeatable)));
    assert_eq!(clock.slept(), [125, 250]);
}

#[test]
fn retry_after_is_bounded_without_a_deadline() {
    let clock = Arc::new(FakeClock::new(0.0));
    let policy = RetryPolicy::new(2, Arc::new(|_: &str| {}), clock.clone());
    let day = Retryable::Later(Some(RetryAfter::Seconds(86_400)));
    let refused = policy.run("h", true, &Deadline::NONE, |_| Err::<(), _>(error(day)));
    assert_eq!(refused.unwrap_err().message, "gone; it asks to wait for 86400 s, and only 600 s are left");
    assert_eq!(clock.slept(), [0; 0]);
}

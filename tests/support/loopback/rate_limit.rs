//! A rate limit: a number of requests for each second, by a clock of the test.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Builder;
use super::faults::Fault;
use super::lock;

/// Tells the time.
type Now = Arc<dyn Fn() -> Instant + Send + Sync>;

/// How many requests are answered in each second. The others get 429 with `Retry-After: 1`, and nothing is done.
#[derive(Clone)]
pub(crate) struct RateLimit {
    per_second: usize,
    now: Now,
    /// When the current second began, and how many requests came in it.
    window: Arc<Mutex<Option<(Instant, usize)>>>,
}

impl RateLimit {
    /// The refusal of a request that has just come; `None` where it is one of the first.
    pub(crate) fn refusal(&self) -> Option<Fault> {
        let now = (self.now)();
        let mut window = lock(&self.window);
        let (begun, came) = window.filter(|(begun, _)| now < *begun + Duration::from_secs(1)).unwrap_or((now, 0));
        *window = Some((begun, came + 1));
        let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"too many requests"}]}"#.to_owned();
        let after = vec![("Retry-After".to_owned(), "1".to_owned())];
        (came >= self.per_second).then_some(Fault::Status(429, body, after))
    }
}

impl Builder {
    /// Answers so many requests a second, by this clock.
    pub fn rate_limited(mut self, per_second: usize, now: impl Fn() -> Instant + Send + Sync + 'static) -> Builder {
        self.rate_limit = Some(RateLimit { per_second, now: Arc::new(now), window: Arc::default() });
        self
    }
}

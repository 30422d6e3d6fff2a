//! The tokens of one registry and their results.
//!
//! A server may grant less than was requested, so only use shows what a token is good for. The cache records for each
//! token what it was accepted for and what it was refused for. A refusal for one scope does not discard a token that is
//! good for another. Callers pass the time; nothing here reads a clock.

use std::time::{Duration, Instant};

use crate::auth::scope::Scopes;
use crate::secret::Secret;

/// A token is not sent during the last tenth of its lifetime, or the last 10 s of a longer one.
const EXPIRY_MARGIN_MAX: Duration = Duration::from_secs(10);

/// One registry's tokens, the newest last.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    tokens: Vec<CachedToken>,
}

#[derive(Debug)]
struct CachedToken {
    header: Secret,
    /// The scopes that the token server was requested for.
    requested: Scopes,
    /// `requested` and the scopes that the request needed. A challenge may name fewer than that.
    usable_for: Scopes,
    expires: Instant,
    /// Scopes that it was accepted for, and scopes that it was refused for.
    accepted: Vec<Scopes>,
    refused: Vec<Scopes>,
}

impl CachedToken {
    fn is_refused_for(&self, scopes: &Scopes) -> bool {
        self.refused.iter().any(|refused| scopes.covers(refused))
    }
}

impl TokenCache {
    /// Adds a token as the value of an `Authorization` header.
    pub(crate) fn insert(
        &mut self,
        header: Secret,
        requested: Scopes,
        to_cover: &Scopes,
        now: Instant,
        lifetime: Duration,
    ) {
        let margin = (lifetime / 10).min(EXPIRY_MARGIN_MAX);
        let expires = now.checked_add(lifetime.saturating_sub(margin)).unwrap_or(now);
        let (usable_for, accepted, refused) = (requested.union(to_cover), Vec::new(), Vec::new());
        self.tokens.push(CachedToken { header, requested, usable_for, expires, accepted, refused });
    }

    /// A token to send for `scopes`: it has not expired, was requested for all of `scopes`, and was not refused for it.
    pub(crate) fn find(&self, scopes: &Scopes, now: Instant) -> Option<&Secret> {
        let is_usable = |token: &&CachedToken| {
            token.usable_for.covers(scopes) && now < token.expires && !token.is_refused_for(scopes)
        };
        self.tokens.iter().rev().find(is_usable).map(|token| &token.header)
    }

    /// Records that a token was accepted for `scopes`.
    pub(crate) fn accept(&mut self, header: &Secret, scopes: &Scopes) {
        let Some(token) = self.tokens.iter_mut().find(|token| token.header == *header) else { return };
        if !token.accepted.iter().any(|accepted| accepted.covers(scopes)) {
            token.accepted.push(scopes.clone());
        }
    }

    /// Records that a token was refused for `to_cover`.
    ///
    /// `needed` are the scopes of the request, `to_cover` these and those of the challenge, all of which a token has to
    /// cover. A token that was accepted for `needed` before has expired. A token that was accepted for anything before
    /// and is now refused as `invalid` counts as expired, too. An expired token is removed, so that the same scopes can
    /// be requested again.
    pub(crate) fn refuse(&mut self, header: &Secret, needed: &Scopes, to_cover: &Scopes, invalid: bool) {
        let Some(at) = self.tokens.iter().position(|token| token.header == *header) else { return };
        let Some(token) = self.tokens.get_mut(at) else { return };
        let was_good = token.accepted.iter().any(|accepted| accepted.covers(needed));
        if was_good || (invalid && !token.accepted.is_empty()) {
            self.tokens.remove(at);
        } else {
            token.refused.push(to_cover.clone());
        }
    }

    /// Removes every token that was requested for more resources than are needed. Returns the removed headers.
    pub(crate) fn remove_overscoped(&mut self, needed: &Scopes) -> Vec<Secret> {
        let is_wide = |token: &mut CachedToken| token.requested.len() > needed.len();
        self.tokens.extract_if(.., is_wide).map(|token| token.header).collect()
    }

    /// The sets of scopes to request in turn to get `to_cover`; empty if all were tried.
    ///
    /// First all expected scopes together, unless a token that was requested for `challenge_scopes` and more was
    /// refused for `to_cover`. Then exactly the challenge's scopes, unless a token for those was refused, too.
    pub(crate) fn scopes_to_request(
        &self,
        expected: &Scopes,
        to_cover: &Scopes,
        challenge_scopes: &Scopes,
    ) -> Vec<Scopes> {
        let refused = |scopes: &Scopes| {
            self.tokens.iter().any(|token| token.is_refused_for(to_cover) && token.requested.covers(scopes))
        };
        if self.tokens.iter().any(|token| token.is_refused_for(to_cover) && token.requested == *challenge_scopes) {
            return Vec::new();
        }
        let wide = Some(expected.union(to_cover)).filter(|wide| wide != challenge_scopes && !refused(challenge_scopes));
        wide.into_iter().chain([challenge_scopes.clone()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "repository:a:pull";
    const B: &str = "repository:b:pull";
    const AB: &str = "repository:a:pull repository:b:pull";
    const MINUTE: Duration = Duration::from_secs(60);

    fn set(text: &str) -> Scopes {
        Scopes::parse(text)
    }

    fn token(name: &str) -> Secret {
        Secret::new(name)
    }

    fn cache(tokens: &[(&str, &str)]) -> (TokenCache, Instant) {
        let (mut cache, now) = (TokenCache::default(), Instant::now());
        for (name, scopes) in tokens {
            cache.insert(token(name), set(scopes), &set(scopes), now, MINUTE);
        }
        (cache, now)
    }

    fn plan(cache: &TokenCache, expected: &str, scopes: &str) -> Vec<String> {
        cache.scopes_to_request(&set(expected), &set(scopes), &set(scopes)).iter().map(Scopes::to_string).collect()
    }

    #[test]
    fn token_is_found_for_covered_scopes_until_shortly_before_it_expires() {
        let (cache, now) = cache(&[("t", AB)]);
        assert_eq!(cache.find(&set(A), now), Some(&token("t")));
        assert_eq!(cache.find(&set("repository:a:push"), now), None);
        assert!(cache.find(&set(A), now + Duration::from_secs(53)).is_some());
        assert!(cache.find(&set(A), now + Duration::from_secs(54)).is_none());
    }

    #[test]
    fn first_token_covers_all_scopes_the_second_is_exact_and_no_third_follows() {
        let (mut cache, now) = cache(&[]);
        assert_eq!(plan(&cache, AB, A), [AB, A]);
        assert_eq!(plan(&cache, A, A), [A]);
        cache.insert(token("wide"), set(AB), &set(A), now, MINUTE);
        cache.refuse(&token("wide"), &set(A), &set(A), false);
        assert_eq!(cache.find(&set(A), now), None);
        assert_eq!(cache.find(&set(B), now), Some(&token("wide")));
        assert_eq!(plan(&cache, AB, A), [A]);
        cache.insert(token("exact"), set(A), &set(A), now, MINUTE);
        cache.refuse(&token("exact"), &set(A), &set(A), false);
        assert!(plan(&cache, AB, A).is_empty());
        assert_eq!(plan(&cache, AB, B), [AB, B]);
    }

    #[test]
    fn accepted_token_that_is_refused_has_expired_and_is_requested_again() {
        let (mut cache, now) = cache(&[("t", AB)]);
        cache.accept(&token("t"), &set(A));
        cache.refuse(&token("t"), &set(A), &set(A), false);
        assert_eq!(cache.find(&set(B), now), None);
        assert_eq!(plan(&cache, AB, A), [AB, A]);
    }

    #[test]
    fn token_may_be_accepted_for_one_repository_and_refused_for_another() {
        let (mut cache, now) = cache(&[("t", AB)]);
        cache.accept(&token("t"), &set(A));
        cache.refuse(&token("t"), &set(B), &set(B), false);
        assert_eq!(cache.find(&set(A), now), Some(&token("t")));
        assert_eq!(plan(&cache, AB, B), [B]);
        // Unless the registry refuses the token as a whole.
        cache.refuse(&token("t"), &set(B), &set(B), true);
        assert_eq!(cache.find(&set(A), now), None);
        assert_eq!(plan(&cache, AB, B), [AB, B]);
    }

    #[test]
    fn new_token_that_is_refused_as_invalid_is_not_requested_again() {
        let (mut cache, _) = cache(&[("t", A)]);
        cache.refuse(&token("t"), &set(A), &set(A), true);
        assert!(plan(&cache, A, A).is_empty());
    }

    #[test]
    fn token_refused_for_two_repositories_stays_usable_for_one() {
        let (mut cache, now) = cache(&[("t", AB)]);
        cache.refuse(&token("t"), &set(AB), &set(AB), false);
        assert_eq!(cache.find(&set(A), now), Some(&token("t")));
        assert_eq!(cache.find(&set(AB), now), None);
        assert!(plan(&cache, AB, AB).is_empty());
    }

    #[test]
    fn token_is_usable_for_the_request_that_it_was_fetched_for() {
        let (mut cache, now) = cache(&[]);
        cache.insert(token("t"), set(A), &set(AB), now, MINUTE);
        assert_eq!(cache.find(&set(AB), now), Some(&token("t")));
        assert_eq!(cache.scopes_to_request(&set(AB), &set(AB), &set(A)), [set(AB), set(A)]);
        cache.refuse(&token("t"), &set(AB), &set(AB), false);
        assert!(cache.scopes_to_request(&set(AB), &set(AB), &set(A)).is_empty());
    }

    #[test]
    fn unknown_header_does_not_change_the_token_cache() {
        let (mut cache, now) = cache(&[("t", A)]);
        cache.refuse(&token("x"), &set(A), &set(A), true);
        cache.accept(&token("x"), &set(A));
        assert_eq!(cache.find(&set(A), now), Some(&token("t")));
    }
}

//! A header that does not depend on the scope: Basic, or a registry token.
//!
//! One request probes the header; all others wait for the registry's decision. A wrong password therefore arrives once,
//! however many requests were refused together, and no account is locked.
//!
//! Once the registry has accepted the header for any request, a later 401 refuses that request alone. One exception
//! comes before that: some registries answer the check of a tag with 401 if the account may push but not pull. After
//! such a refusal exactly one further request, which is not a check of a tag, probes the header again.

use std::sync::{Condvar, Mutex};
use std::thread::{self, ThreadId};

use crate::net::error::{RegistryError, Retryable};
use crate::secret::Secret;
use crate::sync::{lock, wait};

/// What is known about a registry's static header.
#[derive(Debug, Default)]
pub(crate) struct StaticAuth {
    state: Mutex<StaticState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct StaticState {
    login_state: LoginState,
    /// How many probes have ended without an answer so far, and the error of the last one.
    unanswered_probes: (usize, Option<RegistryError>),
}

#[derive(Debug, Default)]
enum LoginState {
    /// Never probed, or the last probe ended without a decision.
    #[default]
    Untested,
    /// This thread probes the header and must report the decision.
    Probing {
        /// The thread that probes.
        holder: ThreadId,
        /// Whether this is the second probe, after a refused check before a push.
        is_second: bool,
    },
    /// The registry refused it for a check before a push: one further request may probe it.
    RefusedForCheckBeforePush,
    /// The registry accepted it.
    Accepted(Secret),
    /// The registry refused it. It is not sent again.
    Refused,
}

impl StaticAuth {
    /// The header, if the registry has accepted it.
    pub(crate) fn accepted_header(&self) -> Option<Secret> {
        match &lock(&self.state).login_state {
            LoginState::Accepted(header) => Some(header.clone()),
            _ => None,
        }
    }

    /// Whether it was refused before any request was accepted with it.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(lock(&self.state).login_state, LoginState::RefusedForCheckBeforePush | LoginState::Refused)
    }

    /// The header for the caller to send; `None` if the registry refused it. Waits while another thread probes.
    /// `is_check_before_push`: the request only reads what is there before a push, so the registry may refuse the login
    /// for reading alone.
    ///
    /// # Errors
    /// The probe of another thread got no answer: returns that thread's error. A further probe would wait as long
    /// again.
    pub(crate) fn header_to_send(
        &self,
        header: &Secret,
        is_check_before_push: bool,
    ) -> Result<Option<Secret>, RegistryError> {
        let own = thread::current().id();
        let mut state = lock(&self.state);
        let before = state.unanswered_probes.0;
        loop {
            match &state.login_state {
                LoginState::Accepted(good) => return Ok(Some(good.clone())),
                LoginState::Refused => return Ok(None),
                LoginState::RefusedForCheckBeforePush if is_check_before_push => return Ok(None),
                LoginState::Probing { holder, .. } if *holder == own => return Ok(Some(header.clone())),
                LoginState::Probing { .. } => {}
                LoginState::Untested | LoginState::RefusedForCheckBeforePush => {
                    if let (true, Some(error)) = (state.unanswered_probes.0 > before, &state.unanswered_probes.1) {
                        return Err(error.clone());
                    }
                    let is_second = matches!(state.login_state, LoginState::RefusedForCheckBeforePush);
                    state.login_state = LoginState::Probing { holder: own, is_second };
                    return Ok(Some(header.clone()));
                }
            }
            state = wait(&self.changed, state);
        }
    }

    /// Records that the registry accepted it.
    pub(crate) fn accept(&self, header: &Secret) {
        let mut state = lock(&self.state);
        if matches!(state.login_state, LoginState::Probing { holder, .. } if holder == thread::current().id()) {
            state.login_state = LoginState::Accepted(header.clone());
            self.changed.notify_all();
        }
    }

    /// Records a 401 for a check before a push (`is_check_before_push`) or for another request. A header that was
    /// accepted before stays accepted: it lacks a right for this request.
    pub(crate) fn refuse(&self, is_check_before_push: bool) {
        let mut state = lock(&self.state);
        state.login_state = match state.login_state {
            LoginState::Accepted(_) => return,
            LoginState::Probing { is_second: false, .. } if is_check_before_push => {
                LoginState::RefusedForCheckBeforePush
            }
            _ => LoginState::Refused,
        };
        self.changed.notify_all();
    }

    /// Ends this thread's probe, if it has one, without a decision. `error` is the reason if there was no answer.
    pub(crate) fn release_login_probe(&self, error: Option<&RegistryError>) {
        let mut state = lock(&self.state);
        let LoginState::Probing { holder, is_second } = state.login_state else { return };
        if holder != thread::current().id() {
            return;
        }
        state.login_state = if is_second { LoginState::RefusedForCheckBeforePush } else { LoginState::Untested };
        if let Some(error) = error {
            // For the waiting threads nothing has been sent except what was refused.
            let retryable =
                if error.retryable == Retryable::IfRepeatable { Retryable::Unsent } else { error.retryable };
            state.unanswered_probes = (state.unanswered_probes.0 + 1, Some(error.clone().with_retryable(retryable)));
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::net::error::RegistryErrorKind;

    fn header() -> Secret {
        Secret::new("Basic x")
    }

    /// The results of eight threads while another thread probes; `end` ends that probe once all have begun.
    fn waiting(end: impl FnOnce(&StaticAuth)) -> (Vec<Result<bool, RegistryErrorKind>>, StaticAuth) {
        let (static_auth, begun) = (StaticAuth::default(), AtomicUsize::new(0));
        assert_eq!(static_auth.header_to_send(&header(), false), Ok(Some(header())));
        let results = thread::scope(|scope| {
            let take = || {
                begun.fetch_add(1, Ordering::Relaxed);
                let result = static_auth
                    .header_to_send(&header(), false)
                    .map(|header| header.is_some())
                    .map_err(|error| error.kind);
                static_auth.release_login_probe(None);
                result
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
            while begun.load(Ordering::Relaxed) < 8 {
                thread::yield_now();
            }
            end(&static_auth);
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        (results, static_auth)
    }

    #[test]
    fn a_refused_header_is_not_sent_again() {
        let (results, static_auth) = waiting(|static_auth| static_auth.refuse(false));
        assert_eq!(results, [Ok(false); 8]);
        assert_eq!((static_auth.accepted_header(), static_auth.is_refused()), (None, true));
        assert_eq!(static_auth.header_to_send(&header(), false), Ok(None));
    }

    #[test]
    fn accepted_header_stays_accepted_after_a_later_401() {
        let (results, static_auth) = waiting(|static_auth| static_auth.accept(&header()));
        assert_eq!(results, [Ok(true); 8]);
        static_auth.refuse(false);
        assert_eq!((static_auth.accepted_header(), static_auth.is_refused()), (Some(header()), false));
    }

    #[test]
    fn a_probe_without_a_decision_is_followed_by_another() {
        let (results, static_auth) = waiting(|static_auth| static_auth.release_login_probe(None));
        assert_eq!(results, [Ok(true); 8]);
        assert!(!static_auth.is_refused());
    }

    #[test]
    fn after_a_refused_tag_check_one_other_request_probes_again() {
        let (results, static_auth) = waiting(|static_auth| static_auth.refuse(true));
        // The others probe one after the other, and no probe gets a decision.
        assert_eq!(results, [Ok(true); 8]);
        assert!(static_auth.is_refused());
        assert_eq!(
            static_auth.header_to_send(&header(), true),
            Ok(None),
            "another check of a tag would decide no more"
        );
        assert_eq!(static_auth.header_to_send(&header(), false), Ok(Some(header())));
        static_auth.refuse(true);
        assert_eq!(static_auth.header_to_send(&header(), false), Ok(None), "the second refusal is the last");
        let static_auth = StaticAuth::default();
        assert_eq!(static_auth.header_to_send(&header(), true), Ok(Some(header())));
        static_auth.refuse(true);
        assert_eq!(static_auth.header_to_send(&header(), false), Ok(Some(header())));
        static_auth.accept(&header());
        assert_eq!((static_auth.accepted_header(), static_auth.is_refused()), (Some(header()), false));
    }

    #[test]
    fn only_the_thread_that_probes_can_end_the_probe() {
        let static_auth = StaticAuth::default();
        assert_eq!(static_auth.header_to_send(&header(), false), Ok(Some(header())));
        assert_eq!(static_auth.header_to_send(&header(), false), Ok(Some(header())), "its own thread need not wait");
        thread::scope(|scope| {
            scope.spawn(|| static_auth.release_login_probe(None));
            scope.spawn(|| static_auth.accept(&header()));
        });
        assert!(static_auth.accepted_header().is_none());
        let error = RegistryError::new(RegistryErrorKind::Timeout, "h", "no answer");
        static_auth.release_login_probe(Some(&error));
        assert_eq!(static_auth.header_to_send(&header(), false), Ok(Some(header())), "who comes later tries again");
    }
}

//! Tests of [`super::super`] with many threads that use one registry.

use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;

use super::*;

#[test]
fn threads_that_are_refused_together_share_one_token() {
    let (auth, server, barrier) = (with_login(), granting_server(), Barrier::new(8));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                let header = auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap();
                assert_eq!(header, some("Bearer t1"));
                auth.authenticator.record_accepted("h", &push("a"), &Secret::new("Bearer t1"));
                barrier.wait();
                let header = auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), Some("Bearer t1"), &server).unwrap();
                assert_eq!(header, some("Bearer t2"));
            });
        }
    });
    assert_eq!(server.count(), 2);
}

#[test]
fn waiting_threads_share_the_timeout_of_one_token_request() {
    let (auth, asked) = (with_login(), AtomicUsize::new(0));
    let challenges = Challenge::parse_all([CHALLENGE].into_iter());
    let time_out = |waiting: usize| {
        let send = |_: &TokenRequest| {
            asked.fetch_add(1, Ordering::Relaxed);
            // The time runs out when all the others have come.
            while auth.authenticator.registry_state("h").token_lock_tickets.load(Ordering::Relaxed) < waiting {
                std::thread::yield_now();
            }
            Err(RegistryError::new(RegistryErrorKind::Timeout, "h", "no answer"))
        };
        auth.authenticator.respond_to_challenge(&TLS_REQUEST, &challenges, &push("a"), None, &send).unwrap_err().kind
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(time_out(4), RegistryErrorKind::Timeout));
        }
    });
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(time_out(0), RegistryErrorKind::Timeout);
    assert_eq!(asked.load(Ordering::Relaxed), 2, "who comes later asks again");
}

#[test]
fn threads_give_up_if_no_token_is_accepted() {
    let (auth, server) = (with_login(), granting_server());
    auth.authenticator.expect_scopes("h", &pull("b"));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut sent = None;
                for _ in 0..4 {
                    sent = auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), sent.as_deref(), &server).unwrap();
                    if sent.is_none() {
                        return;
                    }
                }
                panic!("still given tokens after four refusals");
            });
        }
    });
    assert_eq!(server.count(), 2);
}

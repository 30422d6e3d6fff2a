//! Retries: which requests are sent again, how often, after which delay, and when a command gives up. The clock
//! does not wait.

mod bounds;
mod commands;
mod read_lag;

use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use docker_manifest::content::registry::ManifestName;
use docker_manifest::model::media_type::DOCKER_MANIFEST;
use docker_manifest::net::{Clock, RegistryErrorKind};
use testkit::certs::self_signed_ca;
use testkit::image::Image;
use testkit::loopback::{Bearer, Fault, Registry, Rule};

use super::client_fixture::{Fixture, FixtureBuilder, amd64_image, parse_digest, repository, request_lines};
use super::fake_clocks::RecordingClock;

fn seeded() -> (Registry, Image) {
    let registry = Registry::start();
    let image = amd64_image();
    registry.put_image("a", "1", &image);
    (registry, image)
}

fn client_with_three_retries(clock: &Arc<RecordingClock>) -> Fixture {
    FixtureBuilder::new().retries(3, Arc::clone(clock) as Arc<dyn Clock>).build()
}

fn retry_after(status: u16, after: &str) -> Fault {
    Fault::Status(status, String::new(), vec![("Retry-After".to_owned(), after.to_owned())])
}

/// What comes of a manifest asked for under this fault: its kind where it is an error, and what was slept.
fn fetch_under(rule: Rule, fault: Fault) -> (Option<RegistryErrorKind>, usize, Vec<u128>) {
    let (registry, _) = seeded();
    registry.add_fault(rule, fault);
    let clock = RecordingClock::new();
    let fixture = client_with_three_retries(&clock);
    let failed = fixture.manifest(&registry, "a:1").err().map(|error| error.kind);
    let sent = registry.requests().len();
    assert_eq!(fixture.client.requests(), u64::try_from(sent).expect("a few"), "each is counted");
    (failed, sent, clock.slept_ms())
}

#[test]
fn transient_failures_are_retried() {
    let statuses = [408, 429, 500, 502, 503, 504].map(Fault::status);
    let broken = [Fault::CutBeforeBody, Fault::CutAfterBody, Fault::CutAfterEffect];
    let short = [Fault::ShortBody(20), Fault::ShortBody(0), Fault::TruncatedChunk];
    for fault in statuses.into_iter().chain(broken).chain(short) {
        let found = fetch_under(Rule::any().first_n(2), fault.clone());
        assert_eq!(found, (None, 3, vec![250, 500]), "{fault:?}");
    }
}

#[test]
fn permanent_failures_are_not_retried() {
    let statuses = [400, 401, 403, 404, 405, 409, 410, 418, 501, 302, 204].map(Fault::status);
    let invalid_responses = [
        Fault::WrongDigestHeader,
        Fault::CorruptBody,
        Fault::Html200,
        Fault::UnrequestedGzip,
        Fault::HugeHeaders,
        Fault::EndlessBody,
    ];
    for fault in statuses.into_iter().chain(invalid_responses) {
        let (failed, sent, slept) = fetch_under(Rule::any(), fault.clone());
        assert!(failed.is_some(), "{fault:?}");
        assert_eq!((sent, slept), (1, vec![]), "{fault:?}");
    }
}

#[test]
fn retries_end_and_are_reported() {
    let (registry, _) = seeded();
    registry.add_fault(Rule::any(), Fault::status(503));
    let clock = RecordingClock::new();
    let error = client_with_three_retries(&clock).manifest(&registry, "a:1").expect_err("it never answers");
    assert_eq!((error.kind, error.attempts, error.status), (RegistryErrorKind::Server, 4, Some(503)));
    assert!(error.to_string().ends_with("503 Service Unavailable (tried 4 times)"), "{error}");
    assert_eq!((registry.requests().len(), clock.slept_ms()), (4, vec![250, 500, 1000]));
}

#[test]
fn zero_retries_try_everything_once() {
    for fault in [Fault::status(429), Fault::status(503), Fault::CutAfterBody, retry_after(429, "1")] {
        let (registry, _) = seeded();
        registry.add_fault(Rule::any(), fault);
        let error = Fixture::new().manifest(&registry, "a:1").expect_err("it does not answer");
        assert_eq!((error.attempts, registry.requests().len()), (1, 1), "{error}");
        assert!(!error.to_string().contains("tried"), "{error}");
    }
}

#[test]
fn a_refused_connection_is_retried_and_an_unknown_host_is_not() {
    let clock = RecordingClock::new();
    let error = client_with_three_retries(&clock)
        .manifest_by_full_name("127.0.0.1:1/a:1")
        .expect_err("nothing listens on port 1");
    assert_eq!((error.kind, error.attempts, clock.slept_ms().len()), (RegistryErrorKind::Connect, 4, 3));
    let error = client_with_three_retries(&clock).manifest_by_full_name("nowhere.invalid/x").expect_err("no such name");
    assert_eq!((error.kind, error.attempts, clock.slept_ms().len()), (RegistryErrorKind::HostNotFound, 1, 3));
}

#[test]
fn certificate_errors_are_not_retried() {
    let registry = Registry::builder().tls(self_signed_ca(&["127.0.0.1"]).server_config(None)).start();
    let clock = RecordingClock::new();
    let error = client_with_three_retries(&clock).manifest(&registry, "a:1").expect_err("nobody stands for it");
    assert_eq!((error.kind, error.attempts, clock.slept_ms()), (RegistryErrorKind::CertificateUntrusted, 1, vec![]));
    assert!(registry.requests().is_empty());
}

#[test]
fn retry_after_is_obeyed_and_reported() {
    for (after, slept, expected) in [
        ("12", 12_000, "waiting 12 s before the next attempt"),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60_000, "waiting 60 s before the next attempt"),
        ("0", 250, ""),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 250, ""),
        ("in a while", 250, ""),
    ] {
        for status in [429, 503] {
            let (registry, _) = seeded();
            registry.add_fault(Rule::any().first_n(1), retry_after(status, after));
            let clock = RecordingClock::new();
            let fixture = client_with_three_retries(&clock);
            fixture.manifest(&registry, "a:1").expect("it answers the second time");
            assert_eq!((registry.requests().len(), clock.slept_ms()), (2, vec![slept]), "{status} {after}");
            let notices = fixture.notices();
            assert_eq!(notices.len(), usize::from(!expected.is_empty()), "{notices:?}");
            let right = |line: &String| {
                line.starts_with(&registry.host()) && line.contains(&status.to_string()) && line.ends_with(expected)
            };
            assert!(notices.iter().all(right), "{notices:?}");
        }
    }
}

#[test]
fn a_retry_after_beyond_the_deadline_fails_immediately() {
    for (timeout, left) in [(None, "300 s"), (Some(Duration::from_secs(60)), "60 s")] {
        let (registry, _) = seeded();
        registry.add_fault(Rule::any(), retry_after(429, "3600"));
        let clock = RecordingClock::new();
        let builder = FixtureBuilder::new().retries(3, Arc::clone(&clock) as Arc<dyn Clock>);
        let fixture = timeout
            .map_or_else(|| FixtureBuilder::new().retries(3, Arc::clone(&clock) as _), |total| builder.timeout(total))
            .build();
        let error = fixture.manifest(&registry, "a:1").expect_err("an hour is too long");
        let expected = format!("it asks to wait for 3600 s, and only {left} are left");
        assert!(error.kind == RegistryErrorKind::RateLimited && error.message.ends_with(&expected), "{error}");
        assert_eq!((registry.requests().len(), clock.slept_ms()), (1, vec![]));
        // Nor does anybody else ask it in that time.
        let error = fixture.manifest(&registry, "a:1").expect_err("it wants to be left alone");
        assert_eq!((error.kind, registry.requests().len()), (RegistryErrorKind::RateLimited, 1), "{error}");
    }
}

#[test]
fn a_429_slows_that_registry_alone() {
    let ((busy, _), (idle, _)) = (seeded(), seeded());
    busy.add_fault(Rule::any().first_n(2), retry_after(429, "30"));
    let clock = RecordingClock::new();
    let fixture =
        FixtureBuilder::new().retries(1, Arc::clone(&clock) as Arc<dyn Clock>).timeout(Duration::from_secs(40)).build();
    let error = fixture.manifest(&busy, "a:1").expect_err("it is too busy twice");
    assert_eq!((error.kind, clock.slept_ms()), (RegistryErrorKind::RateLimited, vec![30_000]));
    fixture.manifest(&idle, "a:1").expect("the other one is not busy");
    assert_eq!(clock.slept_ms(), [30_000], "and not waited for");
    fixture.manifest(&busy, "a:1").expect("it is no longer busy");
    assert_eq!(clock.slept_ms(), [30_000, 30_000], "the pause that it asked for the second time");
}

#[test]
fn a_429_reduces_the_number_of_concurrent_requests() {
    let (registry, _) = seeded();
    let clock = RecordingClock::new();
    let fixture = client_with_three_retries(&clock);
    fixture.manifest(&registry, "a:1").expect("it is there");
    registry.add_fault(Rule::any().first_n(1), retry_after(429, "5"));
    fixture.manifest(&registry, "a:1").expect("it answers the second time");
    registry.clear_record();
    // One request at a time after the 429, and one more after the success of the retry.
    registry.add_fault(Rule::any().first_n(2), Fault::Hang);
    let requests = thread::scope(|scope| {
        let fixture = &fixture;
        let registry = &registry;
        for _ in 0..2 {
            scope.spawn(move || fixture.manifest(registry, "a:1").expect("it is let go"));
        }
        registry.wait_until(|requests| requests.len() == 2);
        let (begun, other) = mpsc::channel();
        scope.spawn(move || {
            begun.send(()).expect("somebody listens");
            fixture.manifest(registry, "a:1").expect("it is there")
        });
        other.recv().expect("it has begun");
        let requests = registry.requests().len();
        registry.release();
        requests
    });
    assert_eq!(requests, 2);
    let statuses: Vec<u16> = registry.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [200; 3]);
}

#[test]
fn idempotent_writes_are_retried() {
    // What is cut on a connection that had been used before is sent over a new one at once.
    for (fault, slept) in [(Fault::CutAfterEffect, vec![250]), (Fault::status(502), vec![250, 250])] {
        let (registry, image) = seeded();
        let blob = parse_digest(&registry.put_blob("b", b"hello"));
        let clock = RecordingClock::new();
        let fixture = client_with_three_retries(&clock);
        let (target, source) = (repository(&registry, "a"), repository(&registry, "b"));
        registry.add_fault(Rule::on("PUT", "/manifests/").first_n(1), fault.clone());
        registry.add_fault(Rule::on("POST", "mount=").first_n(1), fault.clone());
        let tag = ManifestName::Tag("2".to_owned());
        let put = fixture.client.put_manifest(&target, &tag, DOCKER_MANIFEST, &image.manifest);
        assert_eq!(put.map(|stored| stored.digest.to_string()), Ok(image.digest()), "{fault:?}");
        assert_eq!(fixture.client.mount(&target, &source, &blob), Ok(true), "{fault:?}");
        assert_eq!((registry.requests().len(), clock.slept_ms()), (4, slept), "{:?}", request_lines(&registry));
    }
}

/// A registry with tokens, and a client that knows an identity token or a password for it.
fn with_tokens(config: &str, clock: &Arc<RecordingClock>) -> (Registry, Fixture) {
    let bearer = Bearer::new().user("me", "hunter2").refresh_token("identity");
    let registry = Registry::builder().bearer(bearer).start();
    registry.put_image("a", "1", &amd64_image());
    let config = format!(r#"{{"auths":{{"{}":{config}}}}}"#, registry.host());
    let fixture = FixtureBuilder::new().config(&config).retries(3, Arc::clone(clock) as Arc<dyn Clock>).build();
    (registry, fixture)
}

const PASSWORD_ENTRY: &str = r#"{"username":"me","password":"hunter2"}"#;
const IDENTITY_TOKEN_ENTRY: &str = r#"{"identitytoken":"identity"}"#;

#[test]
fn token_requests_are_retried() {
    let longest = vec![250, 500];
    for (fault, slept) in [
        (Fault::status(503), longest.clone()),
        (Fault::status(429), longest.clone()),
        (Fault::ShortBody(3), longest),
        // The first went over a connection that had been used before, and is sent over a new one at once.
        (Fault::CutAfterBody, vec![250]),
    ] {
        let clock = RecordingClock::new();
        let (registry, fixture) = with_tokens(PASSWORD_ENTRY, &clock);
        registry.add_fault(Rule::on("GET", "/token").first_n(2), fault.clone());
        fixture.manifest(&registry, "a:1").unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        let tokens = registry.requests().iter().filter(|request| request.is_token_request()).count();
        assert_eq!((tokens, registry.requests().len(), clock.slept_ms()), (3, 5, slept), "{fault:?}");
    }
}

#[test]
fn an_unreachable_token_server_is_not_asked_for_each_retry() {
    let clock = RecordingClock::new();
    let (registry, fixture) = with_tokens(PASSWORD_ENTRY, &clock);
    registry.add_fault(Rule::on("GET", "/token").first_n(3), retry_after(503, "2"));
    registry.add_fault(Rule::on("GET", "/token").from(4), Fault::status(503));
    let error = fixture.manifest(&registry, "a:1").expect_err("there is no token");
    assert_eq!((error.kind, error.attempts), (RegistryErrorKind::Server, 7));
    assert!(error.message.starts_with("token server "), "{error}");
    assert_eq!((registry.requests().len(), clock.slept_ms()), (1 + 7, vec![2000, 2000, 2000, 250, 500, 1000]));
    let notices = fixture.notices();
    assert_eq!(notices.len(), 3);
    assert!(notices[0].starts_with("token server ") && !notices[0][1..].contains("token server"), "{notices:?}");
}

#[test]
fn a_refresh_token_is_sent_once() {
    for fault in [Fault::status(503), Fault::CutAfterBody, Fault::CutAfterEffect] {
        let clock = RecordingClock::new();
        let (registry, fixture) = with_tokens(IDENTITY_TOKEN_ENTRY, &clock);
        registry.add_fault(Rule::on("POST", "/token"), fault.clone());
        let error = fixture.manifest(&registry, "a:1").expect_err("there is no token");
        assert_eq!((error.attempts, clock.slept_ms()), (1, vec![]), "{fault:?}: {error}");
        let posts = registry.requests().iter().filter(|request| request.method == "POST").count();
        assert_eq!(posts, 1, "{fault:?}");
    }
}

/// The error of a request that has a third of a second in all, under this fault.
fn timeout_error(name: &str, fault: Fault) -> (RegistryErrorKind, String) {
    let (registry, _) = seeded();
    registry.add_fault(Rule::any(), fault);
    let fixture = FixtureBuilder::new().timeout(Duration::from_millis(300)).build();
    let error = fixture.manifest(&registry, name).expect_err("there is no time for it");
    (error.kind, error.message)
}

#[test]
fn a_silent_registry_ends_at_the_timeout() {
    for fault in [Fault::Hang, Fault::Drip, Fault::StallAfter(20)] {
        let found = timeout_error("a:1", fault.clone());
        assert_eq!(found, (RegistryErrorKind::Timeout, "no whole answer within 300 ms".to_owned()), "{fault:?}");
    }
    // The words of a refusal are not waited for, but that it is one stands.
    let (kind, words) = timeout_error("a:none", Fault::StallAfter(5));
    assert_eq!(kind, RegistryErrorKind::NotFound, "{words}");
}

#[test]
fn a_slow_body_ends_at_the_timeout() {
    let (registry, _) = seeded();
    registry.add_fault(Rule::any(), Fault::Drip);
    let fixture = FixtureBuilder::new().timeout(Duration::from_millis(300)).build();
    let (over, is_over) = mpsc::channel::<()>();
    let error = thread::scope(|scope| {
        let registry = &registry;
        // A byte now and then: the whole would take many times as long as there is.
        scope.spawn(move || {
            while is_over.recv_timeout(Duration::from_millis(20)) == Err(mpsc::RecvTimeoutError::Timeout) {
                registry.drip(1);
            }
        });
        let error = fixture.manifest(registry, "a:1").expect_err("there is no time for it");
        drop(over);
        error
    });
    assert_eq!((error.kind, error.message.as_str()), (RegistryErrorKind::Timeout, "no whole answer within 300 ms"));
}

#[test]
fn a_stalled_handshake_ends_at_the_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let host = silent.local_addr().expect("it is bound");
    let fixture = FixtureBuilder::new().timeout(Duration::from_millis(300)).build();
    let error = fixture.manifest_by_full_name(&format!("{host}/a:1")).expect_err("nobody accepts");
    assert_eq!((error.kind, error.message.as_str()), (RegistryErrorKind::Timeout, "no whole answer within 300 ms"));
}

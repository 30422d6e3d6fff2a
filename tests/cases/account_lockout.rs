//! A wrong login is sent once in a command, however many concurrent requests need it: registries lock accounts.

use docker_manifest::net::RegistryErrorKind;
use testkit::loopback::{Bearer, Fault, RecordedRequest, Registry, Rule};

use super::client_fixture::{Fixture, FixtureBuilder, amd64_image};

/// As many as `create` asks at once.
const THREADS: usize = 16;

/// Fetches an image of each of so many repositories at once; the first request of each is refused together with all the
/// others. What each came to.
fn fetch_concurrently(registry: &Registry, fixture: &Fixture) -> Vec<Result<(), RegistryErrorKind>> {
    registry.add_fault(Rule::on("GET", "/manifests/").first_n(THREADS), Fault::Hang);
    std::thread::scope(|scope| {
        let fetch = |name: String| fixture.manifest(registry, &name).map(|_| ()).map_err(|error| error.kind);
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || fetch(format!("r{number}:1")))).collect();
        registry.wait_until(|requests| requests.iter().filter(|request| is_manifest(request)).count() == THREADS);
        registry.release();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn is_manifest(request: &RecordedRequest) -> bool {
    request.target.contains("/manifests/")
}

fn put_images(registry: &Registry) {
    (0..THREADS).for_each(|number| drop(registry.put_image(&format!("r{number}"), "1", &amd64_image())));
}

/// How many requests carried a login: a user and a password.
fn count_logins(registry: &Registry) -> usize {
    let is_basic =
        |request: &&RecordedRequest| request.header("Authorization").is_some_and(|value| value.starts_with("Basic "));
    registry.requests().iter().filter(is_basic).count()
}

#[test]
fn a_wrong_password_is_sent_by_one_of_many_concurrent_requests() {
    for registry in [
        Registry::builder().basic("me", "right").start(),
        // Each asks for a scope of its own.
        Registry::builder().bearer(Bearer::new().user("me", "right")).start(),
    ] {
        let fixture = Fixture::with_login(&registry, "me", "wrong");
        assert_eq!(fetch_concurrently(&registry, &fixture), vec![Err(RegistryErrorKind::LoginRefused); THREADS]);
        assert_eq!(count_logins(&registry), 1);
        // Nor is it by what comes later in the same command.
        assert_eq!(
            fixture.manifest(&registry, "r0:1").map_err(|error| error.kind).err(),
            Some(RegistryErrorKind::LoginRefused)
        );
        assert_eq!(count_logins(&registry), 1);
    }
}

#[test]
fn a_wrong_registry_token_is_sent_by_one_of_many_concurrent_requests() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", "right")).start();
    let config = format!(r#"{{"auths":{{"{}":{{"registrytoken":"wrong"}}}}}}"#, registry.host());
    let fixture = FixtureBuilder::new().config(&config).build();
    assert_eq!(fetch_concurrently(&registry, &fixture), vec![Err(RegistryErrorKind::LoginRefused); THREADS]);
    let authorized = registry.requests().iter().filter(|request| request.header("Authorization").is_some()).count();
    assert_eq!((authorized, registry.requests().iter().filter(|request| request.is_token_request()).count()), (1, 0));
}

#[test]
fn an_accepted_password_is_used_by_all_requests_that_waited() {
    let registry = Registry::builder().basic("me", "right").start();
    put_images(&registry);
    let fixture = Fixture::with_login(&registry, "me", "right");
    assert_eq!(fetch_concurrently(&registry, &fixture), vec![Ok(()); THREADS]);
    let requests = registry.requests();
    assert_eq!(requests.iter().filter(|request| is_manifest(request)).count(), 2 * THREADS);
    assert_eq!(count_logins(&registry), THREADS);
}

#[test]
fn a_failed_login_probe_is_repeated_by_the_next_request() {
    for fault in [Fault::ShortBody(20), Fault::status(503), Fault::status(429)] {
        let registry = Registry::builder().basic("me", "right").start();
        put_images(&registry);
        registry.add_fault(Rule::any().authorized().nth(1), fault.clone());
        let fixture = Fixture::with_login(&registry, "me", "right");
        assert!(fixture.manifest(&registry, "r0:1").is_err(), "{fault:?}");
        assert_eq!(fixture.manifest(&registry, "r1:1").map(|_| ()), Ok(()), "{fault:?}");
    }
}

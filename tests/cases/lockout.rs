//! A wrong login is sent once a command, however many requests are refused together: registries lock accounts.

use docker_manifest::net::RegistryErrorKind;
use testkit::loopback::{Bearer, Fault, Recorded, Registry, Rule};

use super::client_fixture::{Fixture, FixtureBuilder, amd};

/// As many as `create` asks at once.
const THREADS: usize = 16;

/// Fetches an image of each of so many repositories at once; the first request of each is refused together with all the
/// others. What each came to.
fn at_once(registry: &Registry, fixture: &Fixture) -> Vec<Result<(), RegistryErrorKind>> {
    registry.fault(Rule::on("GET", "/manifests/").times(THREADS), Fault::Hang);
    std::thread::scope(|scope| {
        let fetch = |name: String| fixture.manifest(registry, &name).map(|_| ()).map_err(|error| error.kind);
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || fetch(format!("r{number}:1")))).collect();
        registry.wait_until(|requests| requests.iter().filter(|request| is_manifest(request)).count() == THREADS);
        registry.release();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn is_manifest(request: &Recorded) -> bool {
    request.path.contains("/manifests/")
}

fn seeded(registry: &Registry) {
    (0..THREADS).for_each(|number| drop(registry.put_image(&format!("r{number}"), "1", &amd())));
}

/// How many requests carried a login: a user and a password.
fn logins(registry: &Registry) -> usize {
    let is_basic =
        |request: &&Recorded| request.header("Authorization").is_some_and(|value| value.starts_with("Basic "));
    registry.requests().iter().filter(is_basic).count()
}

#[test]
fn a_wrong_password_is_sent_by_one_of_many_at_once() {
    for registry in [
        Registry::builder().basic("me", "right").start(),
        // Each asks for a scope of its own.
        Registry::builder().bearer(Bearer::new().user("me", "right")).start(),
    ] {
        let fixture = Fixture::with_login(&registry, "me", "wrong");
        assert_eq!(at_once(&registry, &fixture), vec![Err(RegistryErrorKind::LoginRefused); THREADS]);
        assert_eq!(logins(&registry), 1);
        // Nor is it by what comes later in the same command.
        assert_eq!(
            fixture.manifest(&registry, "r0:1").map_err(|error| error.kind).err(),
            Some(RegistryErrorKind::LoginRefused)
        );
        assert_eq!(logins(&registry), 1);
    }
}

#[test]
fn a_wrong_registry_token_is_sent_by_one_of_many_at_once() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", "right")).start();
    let config = format!(r#"{{"auths":{{"{}":{{"registrytoken":"wrong"}}}}}}"#, registry.host());
    let fixture = FixtureBuilder::new().config(&config).build();
    assert_eq!(at_once(&registry, &fixture), vec![Err(RegistryErrorKind::LoginRefused); THREADS]);
    let carried = registry.requests().iter().filter(|request| request.header("Authorization").is_some()).count();
    assert_eq!((carried, registry.requests().iter().filter(|request| request.is_token()).count()), (1, 0));
}

#[test]
fn a_right_password_serves_all_who_waited_for_the_first() {
    let registry = Registry::builder().basic("me", "right").start();
    seeded(&registry);
    let fixture = Fixture::with_login(&registry, "me", "right");
    assert_eq!(at_once(&registry, &fixture), vec![Ok(()); THREADS]);
    let requests = registry.requests();
    assert_eq!(requests.iter().filter(|request| is_manifest(request)).count(), 2 * THREADS);
    assert_eq!(logins(&registry), THREADS);
}

#[test]
fn a_failed_login_probe_is_repeated_by_the_next_request() {
    for fault in [Fault::ShortBody(20), Fault::status(503), Fault::status(429)] {
        let registry = Registry::builder().basic("me", "right").start();
        seeded(&registry);
        registry.fault(Rule::any().authorized().nth(1), fault.clone());
        let fixture = Fixture::with_login(&registry, "me", "right");
        assert!(fixture.manifest(&registry, "r0:1").is_err(), "{fault:?}");
        assert_eq!(fixture.manifest(&registry, "r1:1").map(|_| ()), Ok(()), "{fault:?}");
    }
}

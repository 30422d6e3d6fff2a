//! Registries with a rate limit: everything is published, nothing is copied twice, and no command gives up before
//! its time. The clock does not wait.

use std::sync::Arc;
use std::time::Duration;

use docker_manifest::content::registry::{Blob, BlobCopy};
use docker_manifest::net::{Clock, RegistryErrorKind};
use testkit::image::Image;
use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::Sandbox;

use super::client_fixture::{FixtureBuilder, parse_digest, repository};
use super::fake_clocks::{SharedClock, run_without_waiting};

/// A registry that answers 20 requests a second.
fn limited(clock: &Arc<SharedClock>) -> Registry {
    let clock = Arc::clone(clock);
    Registry::builder().rate_limited(20, move || clock.now()).start()
}

#[test]
fn default_limits_copy_five_images_within_docker_hubs_rate_limit() {
    let clock = SharedClock::new();
    let (from, to, sandbox) = (limited(&clock), limited(&clock), Sandbox::new());
    let mut create = vec!["create".to_owned(), to.name("app:1")];
    let mut blobs = 0;
    for arch in ["amd64", "arm64", "386", "s390x", "ppc64le"] {
        let image =
            (0..3).fold(Image::docker().platform("linux", arch), |image, layer| image.layer(format!("{arch} {layer}")));
        let image = image.build();
        blobs += image.blobs().len();
        from.put_image("app", arch, &image);
        create.push(from.name(&format!("app:{arch}")));
    }
    let _ = run_without_waiting(&sandbox, "docker-manifest", &create, &clock).success();
    from.clear_record();
    let _ = run_without_waiting(&sandbox, "docker-manifest", &["push".to_owned(), to.name("app:1")], &clock).success();
    let (_, list) = to.manifest("app", "1").expect("it was pushed");
    assert!(String::from_utf8_lossy(&list).contains("ppc64le"));
    let refused = |registry: &Registry| registry.requests().iter().filter(|request| request.status == 429).count();
    assert!(refused(&to) > 0, "the limit was met");
    let gets: Vec<_> = from.requests().into_iter().filter(|request| request.method == "GET").collect();
    let served = gets.iter().filter(|request| request.status == 200 && request.target.contains("/blobs/")).count();
    assert_eq!(served, blobs, "each blob is taken from its source once");
    let begun = to.requests().iter().filter(|request| request.method == "POST" && request.status == 202).count();
    assert_eq!((begun, to.open_uploads()), (blobs, 0), "a refused PUT is repeated on its upload session");
    assert!(clock.passed() < Duration::from_secs(60), "{:?}", clock.passed());
}

#[test]
fn a_refused_put_is_repeated_on_its_session_with_the_same_bytes() {
    let clock = SharedClock::new();
    let (from, to) = (Registry::start(), Registry::start());
    for (method, size) in [("PUT", 3000), ("PATCH", 9 << 20), ("PUT", 9 << 20)] {
        let bytes = vec![7; size];
        let blob = parse_digest(&from.put_blob("b", &bytes));
        let after = vec![("Retry-After".to_owned(), "2".to_owned())];
        // More often than a request is repeated otherwise.
        to.add_fault(Rule::on(method, "/uploads/").first_n(5), Fault::Status(429, String::new(), after));
        let builder = FixtureBuilder::new().retries(1, Arc::clone(&clock) as Arc<dyn Clock>);
        let fixture = builder.build();
        let (target, source) = (repository(&to, &format!("{}-{size}", method.to_lowercase())), repository(&from, "b"));
        to.clear_record();
        from.clear_record();
        let blob = Blob { digest: &blob, size: None };
        let brought = fixture.client.copy_blob(&target, &[&source], &blob, &|_| {});
        assert_eq!(brought, Ok(BlobCopy::Copied(size as u64)), "{method} {size}");
        let count = |method: &str| to.requests().iter().filter(|request| request.method == method).count();
        assert_eq!(count("POST"), 1, "{method} {size}");
        assert_eq!((count("DELETE"), count("GET")), (0, 0), "{method} {size}");
        if size == 3000 {
            assert_eq!(from.requests().len(), 1, "a small blob is not asked for again");
        }
        to.clear_faults();
    }
}

#[test]
fn rate_limit_waits_count_no_retry_and_end_at_the_timeout() {
    let clock = SharedClock::new();
    let registry = Registry::start();
    registry.put_image("a", "1", &Image::docker().platform("linux", "amd64").build());
    let fixture = || FixtureBuilder::new().retries(1, Arc::clone(&clock) as Arc<dyn Clock>);
    // Without Retry-After the waits double up to half a minute.
    registry.add_fault(Rule::any().first_n(9), Fault::status(429));
    fixture().build().manifest(&registry, "a:1").expect("it answers in the end");
    let doubled = [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].map(Duration::from_millis);
    assert_eq!((registry.requests().len(), clock.passed()), (10, doubled.iter().sum()));

    registry.clear_record();
    registry.clear_faults();
    registry.add_fault(Rule::any(), Fault::status(429));
    let error =
        fixture().timeout(Duration::from_secs(20)).build().manifest(&registry, "a:1").expect_err("it never does");
    assert_eq!((error.kind, registry.requests().len()), (RegistryErrorKind::RateLimited, 7), "{error}");
    assert!(error.message.ends_with("are left"), "{error}");
}

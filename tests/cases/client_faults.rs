//! The registry client against registries and proxies that fail or break the protocol.

use docker_manifest::content::registry::ManifestName;
use docker_manifest::model::media_type::DOCKER_MANIFEST;
use docker_manifest::net::{RegistryErrorKind, ServerNamedBy};
use testkit::image::Image;
use testkit::loopback::{Fault, RedirectTarget, Registry, Rule};

use super::client_fixture::{Fixture, FixtureBuilder, amd64_image, parse_digest, repository, request_lines};

fn seeded() -> (Registry, Image) {
    let registry = Registry::start();
    let image = amd64_image();
    registry.put_image("a", "1", &image);
    (registry, image)
}

/// What a fault on the request for a manifest by tag comes to, and how many requests it took.
fn fetch_under(fault: Fault) -> (Result<(), (RegistryErrorKind, String)>, usize) {
    let (registry, _) = seeded();
    registry.add_fault(Rule::any(), fault);
    let outcome = Fixture::new().manifest(&registry, "a:1");
    (outcome.map(|_| ()).map_err(|error| (error.kind, error.to_string())), registry.requests().len())
}

#[test]
fn each_fault_is_an_error_of_its_kind_and_nothing_hangs() {
    let busy = Fault::Status(503, "<html>\n<title>Busy</title>".to_owned(), vec![]);
    let loops = Fault::Redirect { status: 307, location: "{path}".to_owned() };
    for (fault, kind, words, requests) in [
        (Fault::CutBeforeBody, RegistryErrorKind::Connect, "", 1),
        (Fault::CutAfterBody, RegistryErrorKind::Connect, "", 1),
        (Fault::ShortBody(20), RegistryErrorKind::Connect, "middle", 1),
        (Fault::TruncatedChunk, RegistryErrorKind::Connect, "middle", 1),
        (Fault::WrongDigestHeader, RegistryErrorKind::Verification, "digest", 1),
        (Fault::CorruptBody, RegistryErrorKind::Verification, "digest", 1),
        (Fault::Html200, RegistryErrorKind::Protocol, "web page", 1),
        (Fault::UnrequestedGzip, RegistryErrorKind::Protocol, "gzip", 1),
        (Fault::HugeHeaders, RegistryErrorKind::Protocol, "too large", 1),
        (Fault::EndlessBody, RegistryErrorKind::ResponseTooLarge, "larger than", 1),
        (loops, RegistryErrorKind::Protocol, "more than 10 redirects", 11),
        (busy, RegistryErrorKind::Server, "received unexpected HTTP status: 503 Service Unavailable: Busy", 1),
        (Fault::status(401), RegistryErrorKind::Unauthorized, "401 Unauthorized", 1),
        (Fault::status(403), RegistryErrorKind::Forbidden, "403 Forbidden", 1),
        (Fault::status(429), RegistryErrorKind::RateLimited, "429 Too Many Requests", 1),
        (Fault::status(418), RegistryErrorKind::RequestRefused, "418", 1),
        (Fault::status(302), RegistryErrorKind::Protocol, "Location", 1),
        (Fault::status(204), RegistryErrorKind::Protocol, "status 204", 1),
        (Fault::status(304), RegistryErrorKind::Protocol, "304", 1),
    ] {
        let (outcome, sent) = fetch_under(fault.clone());
        let (error_kind, text) = outcome.expect_err("a fault is an error");
        assert_eq!(error_kind, kind, "{fault:?}: {text}");
        assert!(text.contains(words), "{fault:?}: {text}");
        assert!(!text.contains('\n'), "{fault:?}: {text}");
        assert_eq!(sent, requests, "{fault:?}: {text}");
    }
}

#[test]
fn a_missing_digest_header_is_accepted() {
    assert_eq!(fetch_under(Fault::NoDigestHeader), (Ok(()), 1));
    let (registry, image) = seeded();
    registry.add_fault(Rule::any(), Fault::NoDigestHeader);
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    let put = fixture.client.put_manifest(&repo, &ManifestName::Tag("2".to_owned()), DOCKER_MANIFEST, &image.manifest);
    assert_eq!(put.map(|stored| stored.digest.to_string()), Ok(image.digest()));
}

#[test]
fn bytes_of_another_digest_are_refused_even_where_the_header_is_silent() {
    let (registry, image) = seeded();
    let mut other = image.manifest.clone();
    other.push(b' ');
    registry.add_fault(Rule::any(), Fault::Status(200, String::from_utf8(other).expect("JSON"), vec![]));
    let error = Fixture::new().manifest(&registry, &format!("a@{}", image.digest())).expect_err("other bytes");
    assert_eq!(error.kind, RegistryErrorKind::Verification);
}

#[test]
fn an_error_after_a_redirect_names_the_host() {
    let ((registry, _), elsewhere) = (seeded(), Registry::start());
    let location = format!("{}{{path}}", elsewhere.url());
    registry.add_fault(Rule::any(), Fault::Redirect { status: 307, location });
    elsewhere.add_fault(Rule::any(), Fault::status(403));
    let error = Fixture::new().manifest(&registry, "a:1").expect_err("the other one refuses");
    assert_eq!(error.kind, RegistryErrorKind::Forbidden);
    let expected =
        format!("denied: {} (where {} redirected the request) refuses access: ", elsewhere.url(), registry.host());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_repeated_media_type_is_read_as_docker_reads_it() {
    let (registry, _) = seeded();
    let body = format!(r#"{{"mediaType":"x","note":"\ud800","mediaType":"{DOCKER_MANIFEST}"}}"#);
    registry.add_fault(Rule::any(), Fault::Status(200, body, vec![]));
    let fetched = Fixture::new().manifest(&registry, "a:1").map(|fetched| fetched.media_type);
    assert_eq!(fetched.as_deref(), Ok(DOCKER_MANIFEST));
}

#[test]
fn a_put_with_another_digest_in_the_response_is_an_error() {
    let (registry, image) = seeded();
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    for (fault, kind) in
        [(Fault::WrongDigestHeader, RegistryErrorKind::Verification), (Fault::Html200, RegistryErrorKind::Protocol)]
    {
        registry.clear_faults();
        registry.add_fault(Rule::any(), fault);
        let put =
            fixture.client.put_manifest(&repo, &ManifestName::Tag("2".to_owned()), DOCKER_MANIFEST, &image.manifest);
        assert_eq!(put.map_err(|error| error.kind), Err(kind));
    }
    let blob = parse_digest(&registry.put_blob("b", b"hello"));
    registry.clear_faults();
    registry.add_fault(Rule::any(), Fault::WrongDigestHeader);
    let mounted = fixture.client.mount(&repo, &repository(&registry, "b"), &blob);
    assert_eq!(mounted.map_err(|error| error.kind), Err(RegistryErrorKind::Verification));
}

#[test]
fn a_stale_connection_is_replaced_silently() {
    let (registry, image) = seeded();
    registry.add_fault(Rule::any().nth(1), Fault::StaleClose);
    // The pool sees some closed connections for itself; a request cut on a kept connection is never seen by it.
    registry.add_fault(Rule::any().nth(3), Fault::CutAfterBody);
    registry.add_fault(Rule::any().nth(5), Fault::CutAfterBody);
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    for _ in 0..3 {
        fixture.manifest(&registry, "a:1").expect("it is asked for again");
    }
    let put = fixture.client.put_manifest(&repo, &ManifestName::Tag("2".to_owned()), DOCKER_MANIFEST, &image.manifest);
    put.expect("a manifest may be put twice");
    assert_eq!(registry.requests().len(), 6, "{:?}", request_lines(&registry));
}

#[test]
fn a_fresh_connection_that_is_cut_is_an_error_at_once() {
    let (registry, _) = seeded();
    registry.add_fault(Rule::any().nth(1), Fault::CutAfterBody);
    let error = Fixture::new().manifest(&registry, "a:1").expect_err("the first connection is cut");
    assert_eq!((error.kind, registry.requests().len()), (RegistryErrorKind::Connect, 1));
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_port() {
    let registry = Registry::builder().basic("me", "hunter2").start();
    let redirect_target = RedirectTarget::start();
    let blob = parse_digest(&registry.put_blob("a", b"hello"));
    let page = format!("/v2/a/blobs/{blob}");
    redirect_target.serve(&page, "application/octet-stream", b"hello");
    let location = format!("http://me:hunter2@{}{{path}}", redirect_target.host());
    registry.add_fault(Rule::any().authorized(), Fault::Redirect { status: 307, location });
    let fixture = Fixture::with_login(&registry, "me", "hunter2");
    let blob_result = fixture.client.blob(&repository(&registry, "a"), &blob, Some(5), 5);
    assert_eq!(blob_result, Ok(b"hello".to_vec()));
    let seen = redirect_target.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("Authorization"), None);
    assert!(!fixture.trace().join(" ").contains("hunter2"));
}

#[test]
fn a_login_asked_for_after_a_redirect_gets_none() {
    let (registry, other) = (Registry::start(), Registry::builder().basic("me", "hunter2").start());
    let location = format!("http://{}{{path}}", other.host());
    registry.add_fault(Rule::any(), Fault::Redirect { status: 302, location });
    let fixture = Fixture::with_login(&registry, "me", "hunter2");
    let error = fixture.manifest(&registry, "a:1").expect_err("nobody is logged in there");
    assert_eq!(error.kind, RegistryErrorKind::Unauthorized);
    assert_eq!(other.requests().len(), 1);
}

#[test]
fn a_redirect_to_an_unreachable_host_is_reported() {
    let (registry, _) = seeded();
    let location = "http://127.0.0.1:1/x?X-Sig=hunter2".to_owned();
    registry.add_fault(Rule::any(), Fault::Redirect { status: 302, location });
    let error = Fixture::new().manifest(&registry, "a:1").expect_err("nothing listens there");
    assert_eq!(error.kind, RegistryErrorKind::Connect);
    let expected = format!("cannot reach http://127.0.0.1:1 (where {} redirected the request): ", registry.host());
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert_eq!(error.contacted_server().map(|server| server.named_by), Some(ServerNamedBy::Redirect));
    assert!(!error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"));
    assert_eq!(registry.requests().len(), 1, "the registry's own scheme is not in doubt");
}

#[test]
fn a_put_follows_307_with_its_body_and_refuses_302() {
    let (registry, image) = seeded();
    let other = Registry::start();
    for blob in image.blobs() {
        other.put_blob("a", blob);
    }
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    let put =
        || fixture.client.put_manifest(&repo, &ManifestName::Tag("2".to_owned()), DOCKER_MANIFEST, &image.manifest);
    let location = format!("http://{}{{path}}", other.host());
    registry.add_fault(Rule::any().nth(1), Fault::Redirect { status: 307, location: location.clone() });
    registry.add_fault(Rule::any().nth(2), Fault::Redirect { status: 302, location });
    put().expect("307 keeps the method and the body");
    assert!(other.manifest("a", "2").is_some_and(|(_, bytes)| bytes == image.manifest));
    assert_eq!(put().map_err(|error| error.kind), Err(RegistryErrorKind::Protocol));
}

#[test]
fn a_registry_without_mounts_gives_not_mounted_or_refused() {
    let registry = Registry::builder().without_mounts().start();
    let blob = parse_digest(&registry.put_blob("b", b"hello"));
    let fixture = Fixture::new();
    let (target, source) = (repository(&registry, "a"), repository(&registry, "b"));
    assert_eq!(fixture.client.mount(&target, &source, &blob), Ok(false));
    assert_eq!(registry.open_uploads(), 0);
    registry.add_fault(Rule::on("POST", ""), Fault::status(405));
    let refused = fixture.client.mount(&target, &source, &blob);
    assert_eq!(refused.map_err(|error| error.kind), Err(RegistryErrorKind::RequestRefused));
}

#[test]
fn a_refused_connection_is_an_unreachable_registry() {
    for insecure in [false, true] {
        let builder = FixtureBuilder::new();
        let fixture = if insecure { builder.insecure().build() } else { builder.build() };
        let error = fixture.manifest_by_full_name("127.0.0.1:1/a:1").expect_err("nothing listens on port 1");
        assert_eq!(error.kind, RegistryErrorKind::Connect, "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }
    let error = Fixture::new().manifest_by_full_name("foo_bar.com/x").expect_err("a name that is all path");
    assert_eq!(error.kind, RegistryErrorKind::NoHost);
    let error = Fixture::new().manifest_by_full_name("nowhere.invalid/x").expect_err("no such name");
    assert_eq!(error.kind, RegistryErrorKind::HostNotFound, "{error}");
}

#[test]
fn threads_share_connections_and_discovered_authentication() {
    let registry = Registry::builder().basic("me", "hunter2").start();
    registry.put_image("a", "1", &amd64_image());
    let fixture = Fixture::with_login(&registry, "me", "hunter2");
    fixture.manifest(&registry, "a:1").expect("the login is right");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..5).for_each(|_| drop(fixture.manifest(&registry, "a:1").expect("it is there"))));
        }
    });
    assert_eq!(registry.requests().iter().filter(|request| request.status == 401).count(), 1);
    // The handshake that found no TLS, and at most one connection a thread.
    assert!(registry.connections() <= 10, "{}", registry.connections());
}

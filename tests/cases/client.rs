//! The registry client alone, against a registry that records: the requests of each operation and their order.

use docker_manifest::auth::Access;
use docker_manifest::content::registry::ManifestName;
use docker_manifest::model::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_MANIFEST};
use docker_manifest::net::RegistryErrorKind;
use testkit::image::{Image, sha256};
use testkit::loopback::{Bearer, Fault, Registry, Rule};

use super::client_fixture::{Fixture, amd64_image, parse_digest, repository, request_lines};

#[test]
fn a_manifest_fetch_is_one_request_without_a_ping() {
    let registry = Registry::start();
    let image = amd64_image();
    registry.put_image("a/b", "1", &image);
    let fixture = Fixture::new();
    let by_tag = fixture.manifest(&registry, "a/b:1").expect("it is there");
    assert_eq!((by_tag.media_type.as_str(), &by_tag.bytes), (DOCKER_MANIFEST, &image.manifest));
    assert_eq!(by_tag.digest.as_str(), image.digest());
    let by_digest = fixture.manifest(&registry, &format!("a/b@{}", image.digest()));
    assert_eq!(by_digest, Ok(by_tag));
    let expected = ["GET /v2/a/b/manifests/1 200".to_owned(), format!("GET /v2/a/b/manifests/{} 200", image.digest())];
    assert_eq!(request_lines(&registry), expected);
    let requests = registry.requests();
    for (name, value) in [("User-Agent", "test/1"), ("Accept-Encoding", "identity"), ("Host", &registry.host())] {
        assert_eq!(requests[0].header(name), Some(value), "{name}");
    }
    assert!(requests[0].header("Accept").is_some_and(|accept| accept.contains(OCI_MANIFEST)));
    assert!(requests[0].header("Accept").is_some_and(|accept| accept.contains(DOCKER_LIST)));
    assert_eq!(requests[0].connection, requests[1].connection, "the connection is kept");
}

#[test]
fn a_reference_with_a_digest_is_fetched_by_its_digest() {
    let registry = Registry::start();
    let image = amd64_image();
    registry.put_image("a", "1", &image);
    let fixture = Fixture::new();
    for tag in ["1", "other"] {
        let found = fixture.manifest(&registry, &format!("a:{tag}@{}", image.digest())).expect("the digest is there");
        assert_eq!(found.digest.as_str(), image.digest(), "{tag}");
    }
    let missing = fixture.manifest(&registry, &format!("a:1@sha256:{}", "0".repeat(64))).expect_err("no such digest");
    assert_eq!(missing.kind, RegistryErrorKind::NotFound);
    assert!(
        request_lines(&registry).iter().all(|line| line.contains("/manifests/sha256:")),
        "{:?}",
        request_lines(&registry)
    );
}

#[test]
fn a_missing_manifest_error_has_the_registrys_message() {
    let registry = Registry::start();
    let error = Fixture::new().manifest(&registry, "a:1").expect_err("nothing is there");
    assert_eq!((error.kind, error.status), (RegistryErrorKind::NotFound, Some(404)));
    assert_eq!(error.registry, registry.host());
    assert!(error.message.contains("unknown: "), "{}", error.message);
    let request = error.request.as_ref().expect("one was sent");
    assert_eq!(request.to_string(), format!("GET http://{}/v2/a/manifests/1", registry.host()));
    assert_eq!((request.repository.as_deref(), request.reference.as_deref()), (Some("a"), Some("1")));
    assert_eq!((&request.blob, &request.contacted_server), (&None, &None));
}

#[test]
fn a_blob_is_checked_for_digest_size_and_cap() {
    let registry = Registry::start();
    let blob = parse_digest(&registry.put_blob("a", b"hello"));
    let fixture = Fixture::new();
    let repo = repository(&registry, "a");
    let get = |size, cap| fixture.client.blob(&repo, &blob, size, cap);
    assert_eq!(get(None, 5), Ok(b"hello".to_vec()));
    assert_eq!(get(Some(5), 100), Ok(b"hello".to_vec()));
    assert_eq!(get(Some(6), 100).map_err(|error| error.kind), Err(RegistryErrorKind::Verification));
    assert_eq!(get(Some(4), 100).map_err(|error| error.kind), Err(RegistryErrorKind::ResponseTooLarge));
    assert_eq!(get(None, 4).map_err(|error| error.kind), Err(RegistryErrorKind::ResponseTooLarge));
    registry.add_fault(Rule::any(), Fault::CorruptBody);
    assert_eq!(get(Some(5), 100).map_err(|error| error.kind), Err(RegistryErrorKind::Verification));
}

#[test]
fn a_mount_is_one_request_and_an_unwanted_upload_is_cancelled() {
    for relative in [false, true] {
        let builder = Registry::builder();
        let registry = if relative { builder.relative_locations().start() } else { builder.start() };
        let blob = parse_digest(&registry.put_blob("source", b"hello"));
        let other = parse_digest(&sha256(b"elsewhere"));
        let fixture = Fixture::new();
        let (target, source) = (repository(&registry, "target"), repository(&registry, "source"));
        assert_eq!(fixture.client.mount(&target, &source, &blob), Ok(true));
        assert!(registry.has_blob("target", blob.as_str()));
        assert_eq!(request_lines(&registry), [format!("POST /v2/target/blobs/uploads/?mount={blob}&from=source 201")]);
        assert_eq!(registry.requests()[0].header("Content-Length"), Some("0"));
        registry.clear_record();
        assert_eq!(fixture.client.mount(&target, &source, &other), Ok(false));
        assert_eq!(registry.open_uploads(), 0);
        let trace_text = request_lines(&registry);
        assert_eq!(trace_text.len(), 2, "{trace_text:?}");
        assert!(
            trace_text[0].ends_with("from=source 202") && trace_text[1].starts_with("DELETE /v2/target/blobs/uploads/")
        );
    }
}

#[test]
fn a_manifest_is_put_byte_for_byte_in_one_request() {
    let registry = Registry::start();
    let image = amd64_image();
    registry.put_image("a", "1", &image);
    registry.clear_record();
    let fixture = Fixture::new();
    let repo = repository(&registry, "a");
    let by_digest = ManifestName::Digest(parse_digest(&image.digest()));
    for (name, text) in [(ManifestName::Tag("2".to_owned()), "2".to_owned()), (by_digest, image.digest())] {
        let put = fixture.client.put_manifest(&repo, &name, DOCKER_MANIFEST, &image.manifest).expect("it is taken");
        assert_eq!((put.digest.as_str(), put.subject_processed), (image.digest().as_str(), false));
        assert_eq!(registry.manifest("a", &text), Some((DOCKER_MANIFEST.to_owned(), image.manifest.clone())));
    }
    let expected = ["PUT /v2/a/manifests/2 201".to_owned(), format!("PUT /v2/a/manifests/{} 201", image.digest())];
    assert_eq!(request_lines(&registry), expected);
    let other_digest = ManifestName::Digest(parse_digest(&sha256(b"other")));
    let refused = fixture.client.put_manifest(&repo, &other_digest, DOCKER_MANIFEST, &image.manifest);
    assert_eq!(refused.map_err(|error| error.kind), Err(RegistryErrorKind::Verification));
    assert_eq!(registry.requests().len(), 2, "what cannot be right is not sent");
}

#[test]
fn one_token_covers_all_expected_scopes() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", "hunter2")).start();
    let image = amd64_image();
    let blob = parse_digest(&registry.put_blob("source", b"hello"));
    registry.put_image("target", "1", &image);
    let fixture = Fixture::with_login(&registry, "me", "hunter2");
    let (target, source) = (repository(&registry, "target"), repository(&registry, "source"));
    fixture.client.expect_access(&source, Access::Pull);
    fixture.client.expect_access(&target, Access::PullPush);
    fixture.manifest(&registry, "target:1").expect("it is there");
    assert_eq!(fixture.client.mount(&target, &source, &blob), Ok(true));
    let name = ManifestName::Tag("2".to_owned());
    fixture.client.put_manifest(&target, &name, DOCKER_MANIFEST, &image.manifest).expect("it is taken");
    let trace_text = request_lines(&registry);
    assert_eq!(trace_text.len(), 5, "{trace_text:?}");
    assert_eq!(trace_text[0], "GET /v2/target/manifests/1 401");
    assert!(trace_text[1].starts_with("GET /token?") && trace_text[1].ends_with(" 200"), "{trace_text:?}");
    assert_eq!(trace_text[2], "GET /v2/target/manifests/1 200");
    let connections: Vec<_> = registry.requests().iter().map(|request| request.connection).collect();
    assert!(connections.iter().all(|connection| *connection == connections[0]), "{connections:?}");
}

#[test]
fn basic_credentials_are_sent_only_when_asked_and_then_at_once() {
    let registry = Registry::builder().basic("me", "hunter2").start();
    registry.put_image("a", "1", &amd64_image());
    let fixture = Fixture::with_login(&registry, "me", "hunter2");
    for _ in 0..2 {
        fixture.manifest(&registry, "a:1").expect("the login is right");
    }
    let statuses: Vec<_> = registry.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [401, 200, 200]);
    let wrong_login = Fixture::with_login(&registry, "me", "hunter3");
    let error = wrong_login.manifest(&registry, "a:1").expect_err("the login is wrong");
    assert_eq!((error.kind, error.status), (RegistryErrorKind::LoginRefused, Some(401)));
    assert!(!format!("{error} {error:?}").contains("hunter3"));
    let anonymous_error = Fixture::new().manifest(&registry, "a:1").expect_err("nobody is logged in");
    assert_eq!((anonymous_error.kind, anonymous_error.status), (RegistryErrorKind::Unauthorized, Some(401)));
}

#[test]
fn an_expired_token_is_replaced() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", "hunter2")).start();
    registry.put_image("a", "1", &amd64_image());
    let fixture = Fixture::with_login(&registry, "me", "hunter2");
    fixture.manifest(&registry, "a:1").expect("the login is right");
    registry.expire_tokens();
    registry.clear_record();
    fixture.manifest(&registry, "a:1").expect("a new token is asked for");
    let statuses: Vec<_> = registry.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [401, 200, 200]);
}

#[test]
fn a_large_body_is_not_sent_before_the_login() {
    let registry = Registry::builder().basic("me", "hunter2").start();
    let image = amd64_image();
    registry.put_image("a", "1", &image);
    let text = String::from_utf8(image.manifest).expect("a manifest is JSON");
    let large = text.replacen('{', &format!("{{\"annotations\":{{\"x\":\"{}\"}},", "x".repeat(1 << 20)), 1);
    let fixture = Fixture::with_login(&registry, "me", "hunter2");
    let (repo, name) = (repository(&registry, "a"), ManifestName::Tag("2".to_owned()));
    fixture.client.put_manifest(&repo, &name, DOCKER_MANIFEST, large.as_bytes()).expect("it is taken");
    assert_eq!(request_lines(&registry), ["GET /v2/ 401", "GET /v2/ 200", "PUT /v2/a/manifests/2 201"]);
}

#[test]
fn the_media_type_of_a_manifest_overrides_a_generic_content_type() {
    let registry = Registry::start();
    let image = Image::oci().platform("linux", "amd64").layer("x").build();
    registry.put_image("a", "1", &image);
    let fixture = Fixture::new();
    for (served, expected) in [
        ("text/plain; charset=utf-8", OCI_MANIFEST),
        ("application/octet-stream", OCI_MANIFEST),
        ("Application/Vnd.Docker.Distribution.Manifest.V2+Json; charset=utf-8", DOCKER_MANIFEST),
        ("application/vnd.example+json", "application/vnd.example+json"),
    ] {
        registry.clear_faults();
        registry.add_fault(Rule::any(), Fault::ContentType(served.to_owned()));
        let fetched = fixture.manifest(&registry, "a:1").expect("it is a manifest");
        assert_eq!(fetched.media_type, expected, "{served}");
    }
}

#[test]
fn every_request_is_traced_without_secrets() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", "hunter2")).start();
    registry.put_image("a", "1", &amd64_image());
    let fixture = Fixture::with_login(&registry, "me", "hunter2");
    fixture.manifest(&registry, "a:1").expect("the login is right");
    let trace = fixture.trace();
    assert_eq!(
        trace.iter().filter(|line| line.contains(&format!("http://{}", registry.host()))).count(),
        3,
        "{trace:?}"
    );
    assert!(trace.iter().any(|line| line.contains("/v2/a/manifests/1: 401 in ")), "{trace:?}");
    let trace_text = trace.join("\n");
    assert!(
        !trace_text.contains("hunter2") && registry.issued_tokens().iter().all(|token| !trace_text.contains(token)),
        "{trace_text}"
    );
}

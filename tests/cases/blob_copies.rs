//! Copies of blobs between registries, by the client itself: the requests of each way, and what a failure leaves
//! behind.

mod broken_connections;
mod memory;
mod non_copy_requests;
mod real;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use docker_manifest::content::registry::{Blob, BlobCopy};
use docker_manifest::digest::Digest;
use docker_manifest::net::{Clock, RegistryError, RegistryErrorKind};
use docker_manifest::reference::Repository;
use testkit::loopback::{Bearer, Fault, RedirectTarget, Registry, Rule};

use super::client_fixture::{Fixture, FixtureBuilder, parse_digest, repository};

const MIB: usize = 1 << 20;

/// The system's clock without pauses.
struct ClockWithoutPauses;

impl Clock for ClockWithoutPauses {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, _: Duration) {}

    fn random_fraction(&self) -> f64 {
        0.5
    }
}

/// A client that tries again five times, at once.
fn retrying_client() -> FixtureBuilder {
    FixtureBuilder::new().retries(5, Arc::new(ClockWithoutPauses))
}

/// Bytes of which no two blocks are the same.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// Brings a blob of this size or of none that is known.
fn copy_blob(
    fixture: &Fixture,
    target: &Repository,
    sources: &[&Repository],
    digest: &Digest,
    size: Option<usize>,
) -> Result<BlobCopy, RegistryError> {
    let blob = Blob { digest, size: size.map(|size| size as u64) };
    fixture.client.copy_blob(target, sources, &blob, &|_| {})
}

/// What a registry saw, a line a request, uploads without their names.
fn request_lines(registry: &Registry) -> Vec<String> {
    let shown = |line: String| match line.split_once("/blobs/uploads/") {
        Some((before, after)) if !after.starts_with(['?', ' ']) => {
            let (path, status) = after.rsplit_once(' ').expect("it ends in a status");
            let query = path.split_once("&digest=").map_or(String::new(), |(_, digest)| format!("?digest={digest}"));
            format!("{before}/blobs/uploads/ID{query} {status}")
        }
        _ => line,
    };
    registry.requests().iter().map(|request| shown(request.line())).collect()
}

/// Two registries, the first of which has a blob in `source`.
struct CopyFixture {
    source_registry: Registry,
    target_registry: Registry,
    fixture: Fixture,
    source: Repository,
    target: Repository,
    digest: Digest,
    size: usize,
}

impl CopyFixture {
    fn new(size: usize) -> CopyFixture {
        CopyFixture::between(Registry::start(), Registry::start(), retrying_client().build(), size)
    }

    fn between(source_registry: Registry, target_registry: Registry, fixture: Fixture, size: usize) -> CopyFixture {
        let digest = parse_digest(&source_registry.put_blob("source", &noise(size)));
        let (source, target) = (repository(&source_registry, "source"), repository(&target_registry, "target"));
        CopyFixture { source_registry, target_registry, fixture, source, target, digest, size }
    }

    fn copy_blob(&self) -> Result<BlobCopy, RegistryError> {
        copy_blob(&self.fixture, &self.target, &[&self.source], &self.digest, Some(self.size))
    }

    fn expected_copy(&self) -> Result<BlobCopy, RegistryError> {
        Ok(BlobCopy::Copied(self.size as u64))
    }

    fn has_arrived(&self) -> bool {
        self.target_registry.has_blob("target", self.digest.as_str())
    }
}

#[test]
fn a_copy_of_an_existing_blob_is_one_request() {
    let pair = CopyFixture::new(100);
    pair.target_registry.put_blob("target", &noise(100));
    assert_eq!(pair.copy_blob(), Ok(BlobCopy::Present));
    assert_eq!(request_lines(&pair.target_registry), [format!("HEAD /v2/target/blobs/{} 200", pair.digest)]);
    assert!(pair.source_registry.requests().is_empty());
}

#[test]
fn a_blob_in_the_same_registry_is_mounted_from_whichever_repository_has_it() {
    let registry = Registry::start();
    let digest = parse_digest(&registry.put_blob("b", &noise(100)));
    let fixture = Fixture::new();
    let [a, b, target] = ["a", "b", "target"].map(|path| repository(&registry, path));
    assert_eq!(copy_blob(&fixture, &target, &[&target, &a, &a, &b], &digest, None), Ok(BlobCopy::Mounted));
    let expected = [
        format!("POST /v2/target/blobs/uploads/?mount={digest}&from=a 202"),
        format!("POST /v2/target/blobs/uploads/?mount={digest}&from=b 201"),
        "DELETE /v2/target/blobs/uploads/ID 204".to_owned(),
    ];
    assert_eq!(request_lines(&registry), expected, "one mount a repository, and no upload is left");
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn a_refused_mount_continues_as_the_upload_that_it_began() {
    let registry = Registry::builder().without_mounts().start();
    let digest = parse_digest(&registry.put_blob("b", &noise(100)));
    let fixture = Fixture::new();
    let [a, b, target] = ["a", "b", "target"].map(|path| repository(&registry, path));
    assert_eq!(copy_blob(&fixture, &target, &[&a, &b], &digest, Some(100)), Ok(BlobCopy::Copied(100)));
    let expected = [
        format!("POST /v2/target/blobs/uploads/?mount={digest}&from=a 202"),
        format!("POST /v2/target/blobs/uploads/?mount={digest}&from=b 202"),
        "DELETE /v2/target/blobs/uploads/ID 204".to_owned(),
        format!("HEAD /v2/target/blobs/{digest} 404"),
        format!("GET /v2/a/blobs/{digest} 404"),
        format!("GET /v2/b/blobs/{digest} 200"),
        format!("PUT /v2/target/blobs/uploads/ID?digest={digest} 201"),
    ];
    assert_eq!(request_lines(&registry), expected);
    registry.clear_record();
    assert_eq!(copy_blob(&fixture, &target, &[&b], &digest, Some(100)), Ok(BlobCopy::Present));
    assert_eq!(request_lines(&registry).last().map(String::as_str), Some("DELETE /v2/target/blobs/uploads/ID 204"));
    assert_eq!(registry.open_uploads(), 0, "also where the blob is there after all");
}

#[test]
fn a_refused_mount_does_not_keep_a_blob_from_being_copied() {
    for status in [403, 404, 405] {
        let registry = Registry::start();
        let digest = parse_digest(&registry.put_blob("a", &noise(100)));
        registry.add_fault(Rule::on("POST", "mount="), Fault::status(status));
        let [a, target] = ["a", "target"].map(|path| repository(&registry, path));
        assert_eq!(copy_blob(&Fixture::new(), &target, &[&a], &digest, None), Ok(BlobCopy::Copied(100)), "{status}");
        assert!(registry.has_blob("target", digest.as_str()));
    }
    let registry = Registry::start();
    registry.add_fault(Rule::on("POST", "mount="), Fault::status(429));
    let [a, target] = ["a", "target"].map(|path| repository(&registry, path));
    let error = copy_blob(&Fixture::new(), &target, &[&a], &parse_digest(&testkit::image::sha256(b"")), None);
    assert_eq!(error.map_err(|error| error.kind), Err(RegistryErrorKind::RateLimited));
}

#[test]
fn a_small_blob_is_three_requests_to_the_target_and_one_to_the_source() {
    for relative in [false, true] {
        let builder = Registry::builder();
        let to = if relative { builder.relative_locations().start() } else { builder.start() };
        let pair = CopyFixture::between(Registry::start(), to, Fixture::new(), 300_000);
        assert_eq!(pair.copy_blob(), pair.expected_copy());
        let digest = &pair.digest;
        let expected = [
            format!("HEAD /v2/target/blobs/{digest} 404"),
            "POST /v2/target/blobs/uploads/ 202".to_owned(),
            format!("PUT /v2/target/blobs/uploads/ID?digest={digest} 201"),
        ];
        assert_eq!(request_lines(&pair.target_registry), expected);
        assert_eq!(request_lines(&pair.source_registry), [format!("GET /v2/source/blobs/{digest} 200")]);
        assert!(pair.has_arrived());
        let put = &pair.target_registry.requests()[2];
        assert_eq!(put.header("Content-Length"), Some("300000"));
        assert_eq!(put.header("Content-Type"), Some("application/octet-stream"));
        let connections = pair.target_registry.requests().iter().map(|request| request.connection).collect::<Vec<_>>();
        assert_eq!(connections, [connections[0]; 3], "one connection serves them all");
    }
}

#[test]
fn a_large_blob_is_sent_in_one_patch_before_an_empty_put() {
    for relative in [false, true] {
        let builder = Registry::builder();
        let to = if relative { builder.relative_locations().start() } else { builder.start() };
        let pair = CopyFixture::between(Registry::start(), to, Fixture::new(), 9 * MIB);
        let seen = Mutex::new(Vec::new());
        let blob = Blob { digest: &pair.digest, size: None };
        let progress = |bytes| seen.lock().expect("no panic so far").push(bytes);
        let copied_blob = pair.fixture.client.copy_blob(&pair.target, &[&pair.source], &blob, &progress);
        assert_eq!(copied_blob, pair.expected_copy());
        let digest = &pair.digest;
        let expected = [
            format!("HEAD /v2/target/blobs/{digest} 404"),
            "POST /v2/target/blobs/uploads/ 202".to_owned(),
            "PATCH /v2/target/blobs/uploads/ID 202".to_owned(),
            format!("PUT /v2/target/blobs/uploads/ID?digest={digest} 201"),
        ];
        assert_eq!(request_lines(&pair.target_registry), expected);
        assert!(pair.has_arrived());
        assert_eq!(pair.target_registry.requests()[2].header("Content-Length"), Some((9 * MIB).to_string().as_str()));
        assert_eq!(pair.target_registry.requests()[2].header("Content-Range"), None);
        let seen = seen.into_inner().expect("no panic so far");
        assert!(seen.is_sorted() && seen.len() > 10, "{} steps", seen.len());
        assert_eq!(seen.last(), Some(&(9 * MIB as u64)));
    }
}

#[test]
fn an_empty_blob_is_copied() {
    let pair = CopyFixture::new(0);
    assert_eq!(pair.copy_blob(), Ok(BlobCopy::Copied(0)));
    assert!(pair.has_arrived());
    assert_eq!(request_lines(&pair.target_registry).len(), 3);
}

#[test]
fn a_blob_is_read_from_the_first_source_that_has_it() {
    let pair = CopyFixture::new(100);
    let (other, third) = (repository(&pair.source_registry, "other"), Registry::start());
    let source = repository(&third, "source");
    let sources = [&other, &source, &pair.source];
    assert_eq!(copy_blob(&pair.fixture, &pair.target, &sources, &pair.digest, None), pair.expected_copy());
    assert_eq!(request_lines(&pair.target_registry).len(), 3, "one upload serves for all of them");
    pair.target_registry.clear_record();
    let missing = parse_digest(&testkit::image::sha256(b"nowhere"));
    let error = copy_blob(&pair.fixture, &pair.target, &sources, &missing, None).expect_err("nobody has it");
    assert_eq!(
        (error.kind, error.registry.as_str()),
        (RegistryErrorKind::NotFound, pair.source_registry.host().as_str())
    );
    assert_eq!(blob_of(&error), Some(missing.as_str()), "{error}");
    assert_eq!(pair.target_registry.open_uploads(), 0);
    third.add_fault(Rule::any(), Fault::status(403));
    let error = copy_blob(&pair.fixture, &pair.target, &sources, &missing, None).expect_err("nobody has it");
    assert_eq!((error.kind, error.registry.as_str()), (RegistryErrorKind::Forbidden, third.host().as_str()));
    let error = copy_blob(&pair.fixture, &pair.target, &[], &missing, None).expect_err("there is no source");
    assert_eq!(error.kind, RegistryErrorKind::NotFound);
}

#[test]
fn a_blob_with_a_wrong_digest_is_not_committed() {
    for size in [1, 300_000, 9 * MIB] {
        let pair = CopyFixture::new(size);
        pair.source_registry.add_fault(Rule::on("GET", "/blobs/"), Fault::CorruptBody);
        let error = pair.copy_blob().expect_err("other bytes");
        assert_eq!(
            (error.kind, &error.registry),
            (RegistryErrorKind::Verification, &pair.source_registry.host()),
            "{error}"
        );
        assert_eq!(blob_of(&error), Some(pair.digest.as_str()), "{error}");
        let requests = pair.target_registry.requests();
        assert!(requests.iter().all(|request| request.method != "PUT" || request.status == 0), "{requests:?}");
        assert_eq!(requests.iter().filter(|request| request.status == 201).count(), 0);
        assert_eq!((pair.target_registry.open_uploads(), pair.has_arrived()), (0, false));
        assert_eq!(pair.source_registry.requests().len(), 1, "to ask again would not help");
    }
}

#[test]
fn a_copy_restarts_after_a_source_with_wrong_bytes() {
    for size in [300_000, 9 * MIB] {
        let pair = CopyFixture::new(size);
        let third = Registry::start();
        third.put_blob("source", &noise(size));
        third.add_fault(Rule::on("GET", "/blobs/"), Fault::CorruptBody);
        let corrupt_source = repository(&third, "source");
        let sources = [&corrupt_source, &pair.source];
        assert_eq!(copy_blob(&pair.fixture, &pair.target, &sources, &pair.digest, Some(size)), pair.expected_copy());
        assert!(pair.has_arrived());
        assert_eq!(pair.target_registry.open_uploads(), 0);
    }
}

#[test]
fn a_blob_of_another_size_is_refused_before_it_is_sent() {
    let pair = CopyFixture::new(1000);
    for size in [999, 1001] {
        let error = copy_blob(&pair.fixture, &pair.target, &[&pair.source], &pair.digest, Some(size));
        assert_eq!(error.map_err(|error| error.kind), Err(RegistryErrorKind::Verification));
    }
    assert!(pair.target_registry.requests().iter().all(|request| request.method != "PUT"));
    assert!(!pair.has_arrived());
}

/// Two registries that want tokens, each from a user of its own, and a client that is logged in to both.
fn with_tokens(size: usize) -> CopyFixture {
    let start = |user: &str| Registry::builder().bearer(Bearer::new().user(user, "hunter2")).start();
    let (from, to) = (start("reader"), start("writer"));
    let auth = |user: &str| BASE64_STANDARD.encode(format!("{user}:hunter2"));
    let entry = |registry: &Registry, user| format!(r#""{}":{{"auth":"{}"}}"#, registry.host(), auth(user));
    let config = format!(r#"{{"auths":{{{},{}}}}}"#, entry(&from, "reader"), entry(&to, "writer"));
    CopyFixture::between(from, to, retrying_client().config(&config).build(), size)
}

fn statuses(registry: &Registry) -> Vec<u16> {
    registry.requests().iter().map(|request| request.status).collect()
}

#[test]
fn each_registry_gets_its_own_login_once_and_before_the_blob_flows() {
    let pair = with_tokens(9 * MIB);
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert_eq!(statuses(&pair.source_registry), [401, 200, 200]);
    assert_eq!(statuses(&pair.target_registry), [401, 200, 404, 202, 202, 201]);
    for (registry, user) in [(&pair.source_registry, "reader"), (&pair.target_registry, "writer")] {
        let login = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:hunter2")));
        let all = registry.requests();
        let sent: Vec<_> = all.iter().filter_map(|request| request.header("Authorization")).collect();
        assert!(sent.iter().all(|value| *value == login || value.starts_with("Bearer ")), "{sent:?}");
        assert_eq!(sent.iter().filter(|value| **value == login).count(), 1);
    }
}

#[test]
fn a_token_that_expires_while_the_blob_flows_is_replaced() {
    let pair = with_tokens(9 * MIB);
    pair.target_registry.add_fault(Rule::on("PUT", ""), Fault::ExpireTokens);
    pair.copy_blob().expect_err("each new token expires at once");
    let pair = with_tokens(9 * MIB);
    pair.target_registry.add_fault(Rule::on("PUT", "").nth(1), Fault::ExpireTokens);
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert_eq!(statuses(&pair.target_registry)[2..], [404, 202, 202, 401, 200, 201]);
}

#[test]
fn a_token_that_expires_before_the_blob_flows_costs_one_more_try() {
    for size in [300_000, 9 * MIB] {
        for fault in [Fault::ExpireTokens, Fault::EarlyFinal401] {
            let pair = with_tokens(size);
            let method = if size > 8 * MIB { "PATCH" } else { "PUT" };
            pair.target_registry.add_fault(Rule::on(method, "/blobs/uploads/").nth(1), fault);
            assert_eq!(pair.copy_blob(), pair.expected_copy());
            assert!(pair.has_arrived());
            let sent = pair.target_registry.requests().iter().filter(|request| request.method == method).count();
            assert_eq!(sent, 2, "{:?}", request_lines(&pair.target_registry));
        }
    }
}

#[test]
fn credentials_do_not_follow_a_redirect_of_a_blob() {
    let pair = with_tokens(9 * MIB);
    let cdn = RedirectTarget::start();
    cdn.serve(&format!("/v2/source/blobs/{}", pair.digest), "application/octet-stream", noise(9 * MIB));
    let location = format!("http://{}{{path}}", cdn.host());
    pair.source_registry.add_fault(Rule::on("GET", "/blobs/").authorized(), Fault::Redirect { status: 307, location });
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert!(pair.has_arrived());
    let requests = cdn.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("Authorization"), None);
}

#[test]
fn credentials_do_not_follow_an_upload_to_another_host() {
    for size in [300_000, 9 * MIB] {
        let (pair, store) = (with_tokens(size), Registry::start());
        let location = start_upload(&store);
        let headers = vec![("Location".to_owned(), location)];
        let redirected = Fault::Status(202, String::new(), headers);
        pair.target_registry.add_fault(Rule::on("POST", "/blobs/uploads/").authorized(), redirected);
        assert_eq!(pair.copy_blob(), pair.expected_copy());
        assert!(store.has_blob("kept", pair.digest.as_str()));
        let requests = store.requests();
        assert_eq!(requests.len(), if size > 8 * MIB { 3 } else { 2 }, "{requests:?}");
        assert!(requests.iter().all(|request| request.header("Authorization").is_none()), "{requests:?}");
    }
}

/// The place of an upload in a registry, as its own answer has it.
fn start_upload(registry: &Registry) -> String {
    let reply = testkit::client::Client::new(registry.addr()).request("POST", "/v2/kept/blobs/uploads/", &[], b"");
    reply.header("Location").expect("an upload has a place").to_owned()
}

#[test]
fn an_unreachable_upload_location_is_reported() {
    for (headers, words) in [
        (vec![], "no Location"),
        (vec![("Location".to_owned(), "ftp://h/x".to_owned())], "unusable"),
        (vec![("Location".to_owned(), "http://h:99999/x".to_owned())], "unusable"),
    ] {
        let pair = CopyFixture::new(100);
        pair.target_registry.add_fault(Rule::on("POST", ""), Fault::Status(202, String::new(), headers));
        let error = pair.copy_blob().expect_err("no place to go to");
        assert_eq!((error.kind, &error.registry), (RegistryErrorKind::Protocol, &pair.target_registry.host()));
        assert!(error.message.contains(words), "{error}");
        assert!(pair.source_registry.requests().is_empty());
    }
}

#[test]
fn the_targets_error_is_reported() {
    for (status, kind) in [
        (400, RegistryErrorKind::RequestRefused),
        (403, RegistryErrorKind::Forbidden),
        (413, RegistryErrorKind::RequestRefused),
        (507, RegistryErrorKind::Server),
    ] {
        for (method, size) in [("POST", 100), ("PUT", 100), ("PATCH", 9 * MIB), ("PUT", 9 * MIB)] {
            let pair = CopyFixture::new(size);
            pair.target_registry.add_fault(Rule::on(method, ""), Fault::status(status));
            let error = pair.copy_blob().expect_err("it is refused");
            assert_eq!((error.kind, &error.registry), (kind, &pair.target_registry.host()), "{method}: {error}");
            assert_eq!(blob_of(&error), Some(pair.digest.as_str()), "{error}");
            let tries = pair.target_registry.requests().iter().filter(|request| request.method == method).count();
            assert!((1..=6).contains(&tries), "{method} {status}: {tries}");
            assert!(!pair.has_arrived());
        }
    }
}

/// The blob that a failed request was about.
fn blob_of(error: &RegistryError) -> Option<&str> {
    error.request.as_ref()?.blob.as_deref()
}

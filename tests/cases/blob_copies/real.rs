//! Between two real docker-registry instances, with the connection cut in the middle.

use docker_manifest::content::registry::{BlobCopy, ManifestName};
use testkit::client::Client;
use testkit::real::RealRegistry;
use testkit::relay::{Direction, Relay};
use testkit::skip::skipped;

use super::super::client_fixture::{Fixture, parse_digest, reference};
use super::{MIB, copy_blob, noise, retrying_client};

/// Two of them; `None` and said so where there are none.
fn two_registries() -> Option<(RealRegistry, RealRegistry)> {
    let started = RealRegistry::start_plain().and_then(|first| RealRegistry::start_plain().map(|other| (first, other)));
    started.map_err(|reason| skipped("a copy between two real registries", &reason)).ok()
}

/// The requests of a kind that the client has sent, by what was answered.
fn statuses_of(fixture: &Fixture, method: &str, path: &str) -> Vec<String> {
    let trace = fixture.trace();
    let of_kind =
        trace.iter().filter(|line| line.starts_with(method) && line.contains(path) && line.contains("http://"));
    of_kind
        .filter_map(|line| line.rsplit_once(": "))
        .map(|(_, rest)| rest.split(" in ").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn blobs_of_both_forms_are_copied_mounted_and_found() {
    let Some((from, to)) = two_registries() else { return };
    for size in [0, 1, 300_000, 9 * MIB] {
        let bytes = noise(size);
        let blob = parse_digest(&Client::new(from.addr()).push_blob("source", &bytes));
        let fixture = Fixture::new();
        let repo = |registry: &RealRegistry, path: &str| {
            reference(&format!("{}/{path}", registry.host())).repository().clone()
        };
        let (source, target, beside) = (repo(&from, "source"), repo(&to, "target"), repo(&to, "beside"));
        let copied = copy_blob(&fixture, &target, &[&source], &blob, Some(size));
        assert_eq!(copied, Ok(BlobCopy::Copied(size as u64)), "{size}: {:?}", fixture.trace());
        let requests = if size > 8 * MIB { 5 } else { 4 };
        let sent = fixture.trace().iter().filter(|line| line.contains("http://")).count();
        assert_eq!(sent, requests, "{size}: {:?}", fixture.trace());
        assert_eq!(copy_blob(&fixture, &target, &[&source], &blob, None), Ok(BlobCopy::Present));
        assert_eq!(copy_blob(&fixture, &beside, &[&source, &target], &blob, None), Ok(BlobCopy::Mounted));
        assert_eq!(fixture.client.blob(&target, &blob, None, u64::MAX), Ok(bytes));
    }
}

#[test]
fn a_copy_resumes_after_cut_connections() {
    let Some((from, to)) = two_registries() else { return };
    let size = 24 * MIB;
    let bytes = noise(size);
    let blob = parse_digest(&Client::new(from.addr()).push_blob("source", &bytes));
    for (number, way) in [Direction::ToServer, Direction::ToClient].into_iter().enumerate() {
        let (before_source, before_target) = (Relay::start(from.addr()), Relay::start(to.addr()));
        let cut = if way == Direction::ToServer { &before_target } else { &before_source };
        cut.cut_next(2, way, 6 * MIB as u64);
        let fixture = retrying_client().build();
        let repo =
            |relay: &Relay, path: String| reference(&format!("{}/{path}", relay.proxy.host())).repository().clone();
        let (source, target) =
            (repo(&before_source, "source".to_owned()), repo(&before_target, format!("target{number}")));
        let copied = copy_blob(&fixture, &target, &[&source], &blob, Some(size));
        assert_eq!(copied, Ok(BlobCopy::Copied(size as u64)), "{:#?}", fixture.trace());
        assert_eq!(cut.cut_count(), 2, "{way:?}");
        let (gets, patches) =
            (statuses_of(&fixture, "GET", "/source/blobs/"), statuses_of(&fixture, "PATCH", "/blobs/uploads/"));
        let last = patches.last().map(String::as_str);
        // This registry knows an upload no more once its connection broke, so all of it is sent again. What broke at
        // the source it does not notice.
        let (gets_then, patches_then) = match way {
            Direction::ToServer => (["200", "200", "200"], 3),
            Direction::ToClient => (["200", "206", "206"], 1),
        };
        assert_eq!(gets, gets_then, "{:#?}", fixture.trace());
        assert_eq!((patches.len(), last), (patches_then, Some("202")), "{:#?}", fixture.trace());
        assert_eq!(fixture.client.blob(&target, &blob, None, u64::MAX), Ok(bytes.clone()));
    }
}

#[test]
fn registry_operations_work_on_a_real_registry() {
    let Some((registry, _)) = two_registries() else { return };
    let image = super::super::client_fixture::amd64_image();
    Client::new(registry.addr()).push_image("a", "1", &image);
    Client::new(registry.addr()).push_image("a", "2", &image);
    let fixture = Fixture::new();
    let repo = reference(&format!("{}/a", registry.host())).repository().clone();
    let image_digest = parse_digest(&image.digest());
    assert_eq!(
        fixture.client.manifest_digest(&repo, &ManifestName::Tag("1".to_owned())),
        Ok(Some(image_digest.clone()))
    );
    assert_eq!(fixture.client.manifest_digest(&repo, &ManifestName::Tag("3".to_owned())), Ok(None));
    let mut tags = fixture.client.tags(&repo).expect("it lists them");
    tags.sort();
    assert_eq!(tags, ["1", "2"]);
    assert_eq!(fixture.client.referrers_index(&repo, &image_digest), Ok(None), "docker-registry has none");
    let put = fixture.client.put_blob(&repo, b"{}").expect("it is taken");
    assert_eq!(fixture.client.has_blob(&repo, &put), Ok(true));
    assert_eq!(fixture.client.delete_manifest(&repo, &ManifestName::Digest(image_digest.clone())), Ok(()));
    assert_eq!(fixture.client.manifest_digest(&repo, &ManifestName::Digest(image_digest)), Ok(None));
}

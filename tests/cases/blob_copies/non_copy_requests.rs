//! HEAD and list requests, small uploads and deletions.

use docker_manifest::content::registry::ManifestName;
use docker_manifest::model::media_type::OCI_INDEX;
use docker_manifest::net::RegistryErrorKind;
use testkit::image::sha256;
use testkit::loopback::{Bearer, Fault, RedirectTarget, Registry, Rule};

use super::super::client_fixture::{Fixture, amd64_image, parse_digest, repository, request_lines};

fn tag(text: &str) -> ManifestName {
    ManifestName::Tag(text.to_owned())
}

#[test]
fn a_manifest_check_is_one_head() {
    let registry = Registry::start();
    let image = amd64_image();
    registry.put_image("a", "1", &image);
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    let (image_digest, other) = (parse_digest(&image.digest()), parse_digest(&sha256(b"other")));
    for (name, expected) in [
        (tag("1"), Some(image_digest.clone())),
        (ManifestName::Digest(image_digest.clone()), Some(image_digest.clone())),
        (tag("2"), None),
        (ManifestName::Digest(other), None),
    ] {
        assert_eq!(fixture.client.manifest_digest(&repo, &name), Ok(expected));
    }
    assert!(
        request_lines(&registry).iter().all(|line| line.starts_with("HEAD /v2/a/manifests/")),
        "{:?}",
        request_lines(&registry)
    );
    assert_eq!(request_lines(&registry).len(), 4);
}

#[test]
fn a_head_without_a_digest_falls_back_to_get() {
    for fault in [Fault::NoDigestHeader, Fault::status(405)] {
        let registry = Registry::start();
        let image = amd64_image();
        registry.put_image("a", "1", &image);
        registry.add_fault(Rule::on("HEAD", ""), fault);
        let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
        let image_digest = parse_digest(&image.digest());
        assert_eq!(fixture.client.manifest_digest(&repo, &tag("1")), Ok(Some(image_digest.clone())));
        assert_eq!(
            fixture.client.manifest_digest(&repo, &ManifestName::Digest(image_digest.clone())),
            Ok(Some(image_digest.clone()))
        );
        assert_eq!(registry.requests().len(), 4);
        registry.add_fault(Rule::on("GET", ""), Fault::CorruptBody);
        let mismatch = fixture.client.manifest_digest(&repo, &ManifestName::Digest(image_digest));
        assert_eq!(mismatch.map_err(|error| error.kind), Err(RegistryErrorKind::Verification));
    }
}

#[test]
fn a_blob_check_is_one_head() {
    let registry = Registry::start();
    let stored = parse_digest(&registry.put_blob("a", b"hello"));
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    assert_eq!(fixture.client.has_blob(&repo, &stored), Ok(true));
    assert_eq!(fixture.client.has_blob(&repo, &parse_digest(&sha256(b"other"))), Ok(false));
    let expected = [format!("HEAD /v2/a/blobs/{stored} 200"), format!("HEAD /v2/a/blobs/{} 404", sha256(b"other"))];
    assert_eq!(request_lines(&registry), expected);
    registry.add_fault(Rule::any(), Fault::status(403));
    assert_eq!(fixture.client.has_blob(&repo, &stored).map_err(|error| error.kind), Err(RegistryErrorKind::Forbidden));
}

#[test]
fn a_blob_check_follows_redirects() {
    let registry = Registry::start();
    let stored = parse_digest(&registry.put_blob("a", b"hello"));
    let cdn = RedirectTarget::start();
    cdn.serve(&format!("/v2/a/blobs/{stored}"), "application/octet-stream", b"hello");
    let location = format!("http://{}{{path}}", cdn.host());
    registry.add_fault(Rule::on("HEAD", ""), Fault::Redirect { status: 302, location });
    assert_eq!(Fixture::new().client.has_blob(&repository(&registry, "a"), &stored), Ok(true));
    assert_eq!(cdn.requests()[0].method, "HEAD");
}

#[test]
fn a_blob_from_memory_is_two_requests() {
    let registry = Registry::start();
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    for bytes in [&b"{}"[..], b""] {
        let put = fixture.client.put_blob(&repo, bytes).expect("it is taken");
        assert_eq!(put.as_str(), sha256(bytes));
        assert!(registry.has_blob("a", put.as_str()));
    }
    assert_eq!(registry.requests().len(), 4);
    assert_eq!(registry.open_uploads(), 0);
    registry.add_fault(Rule::on("PUT", ""), Fault::WrongDigestHeader);
    assert_eq!(fixture.client.put_blob(&repo, b"x").map_err(|error| error.kind), Err(RegistryErrorKind::Verification));
}

#[test]
fn tags_are_listed_page_by_page() {
    for builder in [Registry::builder(), Registry::builder().absolute_links()] {
        let registry = builder.page_limit(2).start();
        let image = amd64_image();
        let all = ["1", "2", "3", "4", "5"];
        all.iter().for_each(|tag| drop(registry.put_image("a", tag, &image)));
        let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
        assert_eq!(fixture.client.tags(&repo), Ok(all.map(str::to_owned).to_vec()));
        assert_eq!(registry.requests().len(), 3);
        let missing = fixture.client.tags(&repository(&registry, "b"));
        assert_eq!(missing.map_err(|error| error.kind), Err(RegistryErrorKind::NotFound));
    }
}

fn page(tags: &str, link: &str) -> Fault {
    let headers = vec![("Link".to_owned(), format!("<{link}>; rel=\"next\""))];
    Fault::Status(200, format!(r#"{{"name":"a","tags":{tags}}}"#), headers)
}

#[test]
fn an_endless_list_of_tags_is_refused() {
    let registry = Registry::start();
    registry.add_fault(Rule::any(), page(r#"["1"]"#, "/v2/a/tags/list?last=1"));
    let error = Fixture::new().client.tags(&repository(&registry, "a")).expect_err("it never ends");
    assert_eq!(error.kind, RegistryErrorKind::Protocol);
    assert!(error.message.contains("without an end"), "{error}");
    assert!(registry.requests().len() <= 3);
}

#[test]
fn credentials_do_not_follow_a_link_to_another_host() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", "hunter2")).start();
    let other = RedirectTarget::start();
    other.serve("/more", "application/json", r#"{"tags":["2"]}"#);
    let link = format!("http://{}/more", other.host());
    registry.add_fault(Rule::on("GET", "/tags/list").authorized(), page("[\"1\"]", &link));
    let fixture = Fixture::with_login(&registry, "me", "hunter2");
    let tags = fixture.client.tags(&repository(&registry, "a"));
    assert_eq!(tags, Ok(vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(other.requests()[0].header("Authorization"), None);
    assert!(registry.requests().iter().any(|request| request.header("Authorization").is_some()));
}

#[test]
fn a_repository_without_tags_is_empty_and_an_invalid_list_is_an_error() {
    let registry = Registry::start();
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    for (body, expected) in [(r#"{"name":"a","tags":null}"#, Ok(vec![])), ("<html>", Err(RegistryErrorKind::Protocol))]
    {
        registry.clear_faults();
        registry.add_fault(Rule::any(), Fault::Status(200, body.to_owned(), vec![]));
        assert_eq!(fixture.client.tags(&repo).map_err(|error| error.kind), expected);
    }
}

#[test]
fn a_manifest_is_deleted_by_its_digest() {
    let registry = Registry::start();
    let image = amd64_image();
    registry.put_image("a", "1", &image);
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    let name = ManifestName::Digest(parse_digest(&image.digest()));
    assert_eq!(fixture.client.delete_manifest(&repo, &name), Ok(()));
    assert_eq!(registry.manifest("a", &image.digest()), None);
    let deleted_twice = fixture.client.delete_manifest(&repo, &name);
    assert_eq!(deleted_twice.map_err(|error| error.kind), Err(RegistryErrorKind::NotFound));
    assert_eq!(registry.requests().len(), 2);
}

#[test]
fn referrers_are_returned_as_the_registry_serves_them() {
    let registry = Registry::start();
    let subject = parse_digest(&amd64_image().digest());
    let (fixture, repo) = (Fixture::new(), repository(&registry, "a"));
    let fetched = fixture.client.referrers_index(&repo, &subject).expect("it answers").expect("it knows of referrers");
    assert_eq!(fetched.media_type, OCI_INDEX);
    assert!(fetched.digest.verifies(&fetched.bytes));
    assert_eq!(registry.requests()[0].header("Accept"), Some(OCI_INDEX));
    for old in [Registry::builder().without_referrers(), Registry::builder().referrers_as_html()] {
        let old = old.start();
        old.put_image("a", "1", &amd64_image());
        assert_eq!(fixture.client.referrers_index(&repository(&old, "a"), &subject), Ok(None));
        assert_eq!((registry.requests().len(), old.requests().len()), (1, 1));
    }
}

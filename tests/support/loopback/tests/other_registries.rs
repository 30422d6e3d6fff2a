//! The habits of registries, one at a time.

use super::*;
use crate::image::{OCI_INDEX, OCI_MANIFEST};

fn put(client: &Client, reference: &str, media_type: &str, bytes: &[u8]) -> ClientResponse {
    client.request("PUT", &format!("/v2/app/manifests/{reference}"), &[("Content-Type", media_type)], bytes)
}

fn stocked(builder: Builder) -> (Registry, Client, Image) {
    let registry = builder.start();
    let image = image("amd64");
    registry.put_image("app", "1", &image);
    let client = Client::new(registry.host());
    (registry, client, image)
}

#[test]
fn digest_headers_can_be_missing_or_wrong() {
    let (_registry, client, image) = stocked(Registry::builder().without_digest_header());
    assert_eq!(get(&client, "/v2/app/manifests/1").header("Docker-Content-Digest"), None);
    assert_eq!(put(&client, "2", DOCKER_MANIFEST, &image.manifest).header("Docker-Content-Digest"), None);
    let (registry, client, image) = stocked(Registry::builder().other_digest_on_put());
    let reply = put(&client, "2", DOCKER_MANIFEST, &image.manifest);
    assert_eq!(reply.status, 201);
    assert!(
        reply
            .header("Docker-Content-Digest")
            .unwrap()
            .ends_with(":0000000000000000000000000000000000000000000000000000000000000000")
    );
    assert_eq!(registry.manifest("app", "2").unwrap().1, image.manifest);
    assert_eq!(get(&client, "/v2/app/manifests/2").header("Docker-Content-Digest"), Some(&*image.digest()));
}

#[test]
fn links_are_absolute_and_referrers_a_web_page() {
    let (registry, client, image) = stocked(Registry::builder().page_limit(1).absolute_links().referrers_as_html());
    registry.put_image("app", "2", &image);
    let link = get(&client, "/v2/app/tags/list").header("Link").unwrap().to_owned();
    assert_eq!(link, format!("<{}/v2/app/tags/list?last=1&n=1>; rel=\"next\"", registry.url()));
    let referrers = get(&client, &format!("/v2/app/referrers/{}", image.digest()));
    assert_eq!((referrers.status, referrers.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    let (_registry, client, image) = stocked(Registry::builder().without_referrers());
    assert_eq!(get(&client, &format!("/v2/app/referrers/{}", image.digest())).status, 404);
}

#[test]
fn types_are_refused() {
    let oci = Image::oci().platform("linux", "amd64").build();
    let (docker_list, oci_index) = (Index::docker().build(), Index::oci().build());
    let statuses = |builder: Builder| {
        let (registry, client, docker) = stocked(builder);
        registry.put_image("app", "oci", &oci);
        let replies = [
            put(&client, "a", DOCKER_MANIFEST, &docker.manifest),
            put(&client, "b", DOCKER_LIST, &docker_list.manifest),
            put(&client, "c", OCI_MANIFEST, &oci.manifest),
            put(&client, "d", OCI_INDEX, &oci_index.manifest),
        ];
        for refused in replies.iter().filter(|reply| reply.status != 201) {
            assert_eq!(code(refused), "MANIFEST_INVALID");
        }
        replies.map(|reply| reply.status)
    };
    assert_eq!(statuses(Registry::builder()), [201; 4]);
    assert_eq!(statuses(Registry::builder().without_oci(415)), [201, 201, 415, 415]);
    assert_eq!(statuses(Registry::builder().without_docker(400)), [400, 400, 201, 201]);
    assert_eq!(statuses(Registry::builder().without_lists(400)), [201, 400, 201, 400]);
}

#[test]
fn deletion_and_nested_indexes_can_be_refused() {
    let (registry, client, image) = stocked(Registry::builder().without_deletion().without_nested_indexes());
    let reply = client.request("DELETE", &format!("/v2/app/manifests/{}", image.digest()), &[], b"");
    assert_eq!((reply.status, code(&reply).as_str()), (405, "UNSUPPORTED"));
    assert_eq!(client.request("DELETE", &format!("/v2/app/blobs/{}", sha256(b"shared")), &[], b"").status, 405);
    let inner = Index::oci().image(&image).build();
    registry.put_index("app", "inner", &inner);
    let child = serde_json::json!({"mediaType": OCI_INDEX, "digest": inner.digest(), "size": inner.manifest.len()});
    let outer = Index::oci().child(child).build();
    let reply = put(&client, "outer", OCI_INDEX, &outer.manifest);
    assert_eq!((reply.status, code(&reply).as_str()), (400, "MANIFEST_INVALID"));
    assert_eq!(put(&client, "flat", OCI_INDEX, &inner.manifest).status, 201);
}

#[test]
fn chunks_have_a_least_length() {
    let registry = Registry::builder().chunk_min_length(10).start();
    let client = Client::new(registry.host());
    let start = client.request("POST", "/v2/app/blobs/uploads/", &[], b"");
    assert_eq!(start.header("OCI-Chunk-Min-Length"), Some("10"));
    let follow =
        |reply: &ClientResponse| reply.header("Location").unwrap().strip_prefix(&registry.url()).unwrap().to_owned();
    let first = client.request("PATCH", &follow(&start), &[], b"0123456789");
    let last = client.request("PATCH", &follow(&first), &[], b"abc");
    assert_eq!((first.status, last.status), (202, 202));
    let after_last = client.request("PATCH", &follow(&last), &[], b"def");
    assert_eq!((after_last.status, code(&after_last).as_str()), (400, "SIZE_INVALID"));
    let digest = sha256(b"0123456789abc");
    assert_eq!(client.request("PUT", &format!("{}&digest={digest}", follow(&last)), &[], b"").status, 201);
    assert!(registry.has_blob("app", &digest));
}

#[test]
fn hidden_repositories_are_404() {
    for hides_all in [false, true] {
        let bearer = Bearer::new().user("alice", "wonder").never_grant_scope("repository:app");
        let builder = Registry::builder().bearer(bearer);
        let builder = if hides_all {
            builder.hides_repositories_from_all()
        } else {
            builder.hides_repositories_from_authenticated()
        };
        let (_registry, client, _) = stocked(builder);
        assert_eq!(get(&client, "/v2/").status, 401);
        let anonymous = get(&client, "/v2/app/manifests/1");
        assert_eq!(anonymous.status, if hides_all { 404 } else { 401 });
        let alice = client.clone().basic("alice", "wonder");
        let known = client.bearer(&token(&alice, &["repository:app:pull"]));
        let reply = get(&known, "/v2/app/manifests/1");
        assert_eq!((reply.status, code(&reply).as_str()), (404, "NAME_UNKNOWN"));
        assert_eq!(get(&known, "/v2/").status, 200);
    }
}

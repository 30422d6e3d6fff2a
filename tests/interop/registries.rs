//! docker-registry 2.8.2 (Debian 12) as `docs/registries.md` has it, and what `check` prints for each habit.

use serde_json::{Value, json};
use testkit::client::{Client, ClientResponse};
use testkit::image::{DOCKER_LIST, DOCKER_MANIFEST, Image, Index, OCI_INDEX, OCI_MANIFEST, sha256, sha512};
use testkit::loopback::{Builder, Registry};
use testkit::real::RealRegistry;
use testkit::sandbox::Sandbox;
use testkit::skip::{skipped, skipped_unsupported};

use crate::OURS;

const PAGE: &str = include_str!("../../docs/registries.md");

/// The registry with a list of two images under `app:list`, and a home for our program.
struct Fixture {
    registry: RealRegistry,
    client: Client,
    sandbox: Sandbox,
    images: [Image; 2],
    list: Index,
}

impl Fixture {
    fn new() -> Option<Self> {
        let check = "docker-registry as docs/registries.md has it";
        let sandbox = Sandbox::new();
        let registry = RealRegistry::start_plain().map_err(|reason| skipped(check, &reason)).ok()?;
        let version = sandbox.command("docker-registry").arg("--version").run().out();
        if !version.contains("2.8.2") {
            skipped_unsupported(check, &format!("the page is about 2.8.2, and here is {}", version.trim()));
            return None;
        }
        let image = |architecture: &str| {
            Image::docker().platform("linux", architecture).layer(architecture).layer("the same").build()
        };
        let images = ["amd64", "arm64"].map(image);
        let list = Index::docker().image(&images[0]).image(&images[1]).build();
        let client = Client::new(registry.host());
        client.push_index("app", "list", &list);
        Some(Self { registry, client, sandbox, images, list })
    }

    fn get(&self, path: &str, accept: &str) -> ClientResponse {
        self.client.request("GET", &format!("/v2/{path}"), &[("Accept", accept)], b"")
    }

    fn put(&self, path: &str, media_type: &str, bytes: &[u8]) -> ClientResponse {
        self.client.request("PUT", &format!("/v2/{path}"), &[("Content-Type", media_type)], bytes)
    }

    /// Runs our program; `{R}` is the registry's host.
    fn ours(&self, line: &str) -> testkit::sandbox::Output {
        let line = line.replace("{R}", &self.registry.host());
        self.sandbox.command(OURS).args(line.split_whitespace()).run()
    }
}

fn json_of(reply: &ClientResponse) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", reply.text()))
}

#[test]
fn docker_registry_converts_a_list_for_clients_that_accept_none() {
    let Some(fixture) = Fixture::new() else { return };
    let reply = fixture.get("app/manifests/list", DOCKER_MANIFEST);
    assert_eq!((reply.status, &reply.body), (200, &fixture.images[0].manifest));
    let index = Index::oci().image(&Image::oci().platform("linux", "amd64").layer("x").build()).build();
    fixture.client.push_index("app", "index", &index);
    assert_eq!(fixture.get("app/manifests/index", OCI_MANIFEST).status, 404);
    for (tag, bytes) in [("list", &fixture.list.manifest), ("index", &index.manifest)] {
        assert_eq!(&fixture.ours(&format!("inspect --raw {{R}}/app:{tag}")).success().stdout, bytes);
    }
}

#[test]
fn docker_registry_refuses_a_list_without_its_images() {
    let Some(fixture) = Fixture::new() else { return };
    let reply = fixture.put("new/manifests/list", DOCKER_LIST, &fixture.list.manifest);
    let errors = json_of(&reply);
    let errors = errors["errors"].as_array().expect("errors");
    assert_eq!((reply.status, errors.len()), (400, 2));
    assert!(errors.iter().all(|error| error["code"] == "MANIFEST_BLOB_UNKNOWN"), "{}", reply.text());
    let _ = fixture.ours("create {R}/new:list {R}/app:list").success();
    let _ = fixture.ours("push {R}/new:list").success();
    assert_eq!(fixture.client.manifest("new", "list").1, fixture.list.manifest);
}

#[test]
fn docker_registry_lists_tags_unsorted_and_on_one_page() {
    let Some(fixture) = Fixture::new() else { return };
    let tags: Vec<String> = (0..20).map(|number| format!("t{number:02}")).collect();
    for tag in &tags {
        fixture.client.push_manifest("app", tag, DOCKER_LIST, &fixture.list.manifest);
    }
    let reply = fixture.get("app/tags/list?n=3&last=t05", "*/*");
    let listed = json_of(&reply)["tags"].as_array().expect("tags").clone();
    assert_eq!((listed.len(), reply.header("Link")), (21, None));
    let mut sorted = listed.clone();
    sorted.sort_by_key(ToString::to_string);
    assert_ne!(listed, sorted);
}

#[test]
fn docker_registry_lists_no_tags_as_404_or_null() {
    let Some(fixture) = Fixture::new() else { return };
    let image = &fixture.images[0];
    fixture.client.push_image("never", &image.digest(), image);
    let reply = fixture.get("never/tags/list", "*/*");
    assert_eq!((reply.status, &json_of(&reply)["errors"][0]["code"]), (404, &"NAME_UNKNOWN".into()));
    fixture.client.push_image("once", "1", image);
    fixture.client.request("DELETE", &format!("/v2/once/manifests/{}", image.digest()), &[], b"");
    let reply = fixture.get("once/tags/list", "*/*");
    assert_eq!((reply.status, json_of(&reply)), (200, json!({"name": "once", "tags": null})));
}

#[test]
fn docker_registry_deletes_by_digest_with_all_tags() {
    let Some(fixture) = Fixture::new() else { return };
    fixture.client.push_manifest("app", "second", DOCKER_LIST, &fixture.list.manifest);
    let reply = fixture.client.request("DELETE", "/v2/app/manifests/second", &[], b"");
    assert_eq!((reply.status, &json_of(&reply)["errors"][0]["code"]), (400, &"DIGEST_INVALID".into()));
    let path = format!("/v2/app/manifests/{}", fixture.list.digest());
    assert_eq!(fixture.client.request("DELETE", &path, &[], b"").status, 202);
    for tag in ["list", "second"] {
        assert!(fixture.client.find_manifest("app", tag).is_none(), "{tag}");
    }
}

#[test]
fn docker_registry_serves_a_list_whose_images_were_deleted() {
    let Some(fixture) = Fixture::new() else { return };
    let _ = fixture.ours("create {R}/app:list {R}/app:list").success();
    let arm64 = fixture.images[1].digest();
    let path = format!("/v2/app/manifests/{arm64}");
    assert_eq!(fixture.client.request("DELETE", &path, &[], b"").status, 202);
    assert_eq!(fixture.client.manifest("app", "list").1, fixture.list.manifest);
    let shown = fixture.ours("inspect --check --remote {R}/app:list").out();
    assert!(shown.contains("not in the registry"), "{shown}");
    let refused = fixture.ours("push {R}/app:list");
    let named = format!("the registry does not have {}/app@{arm64} (linux/arm64)", fixture.registry.host());
    assert!(refused.code == 1 && refused.err().contains(&named), "{}", refused.err());
    // Once the image is there again, the list is whole.
    fixture.client.push_image("app", "arm64", &fixture.images[1]);
    let _ = fixture.ours("push {R}/app:list").success();
    let shown = fixture.ours("inspect --check --remote {R}/app:list").out();
    assert!(!shown.contains("not in the registry"), "{shown}");
}

#[test]
fn docker_registry_refuses_manifests_over_4_mib() {
    let Some(fixture) = Fixture::new() else { return };
    let sized = |bytes: usize| {
        let mut index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "annotations": {"x": ""}});
        let rest = bytes - index.to_string().len();
        index["annotations"]["x"] = "x".repeat(rest).into();
        index.to_string().into_bytes()
    };
    assert_eq!(fixture.put("app/manifests/most", OCI_INDEX, &sized(4 << 20)).status, 201);
    let reply = fixture.put("app/manifests/more", OCI_INDEX, &sized((4 << 20) + 1));
    let error = json_of(&reply)["errors"][0].clone();
    assert_eq!((reply.status, &error["code"]), (400, &"MANIFEST_INVALID".into()));
    assert_eq!(
        (&error["message"], &error["detail"]),
        (&"manifest invalid".into(), &"http: request body too large".into())
    );
}

#[test]
fn docker_registry_serves_a_sha512_blob_by_both_digests() {
    let Some(fixture) = Fixture::new() else { return };
    let blob = b"a blob by another digest";
    let start = fixture.client.request("POST", "/v2/app/blobs/uploads/", &[], b"");
    let location = start.header("Location").expect("a place").to_owned();
    let path = location.split_once(&fixture.registry.host()).expect("absolute").1;
    let reply = fixture.client.request("PUT", &format!("{path}&digest={}", sha512(blob)), &[], blob);
    assert_eq!((reply.status, reply.header("Docker-Content-Digest")), (201, Some(sha256(blob).as_str())));
    for digest in [sha256(blob), sha512(blob)] {
        let reply = fixture.client.request("HEAD", &format!("/v2/app/blobs/{digest}"), &[], b"");
        assert_eq!(reply.status, 200, "{digest}");
    }
}

#[test]
fn docker_registry_ignores_if_match_on_put() {
    let Some(fixture) = Fixture::new() else { return };
    let _ = fixture.ours("create {R}/app:list {R}/app:list").success();
    let _ = fixture.ours("annotate {R}/app:list linux/arm64 --variant v8").success();
    let other = &fixture.images[0];
    let headers = [("Content-Type", DOCKER_MANIFEST), ("If-None-Match", "*"), ("If-Match", "\"wrong\"")];
    let reply = fixture.client.request("PUT", "/v2/app/manifests/list", &headers, &other.manifest);
    assert_eq!(reply.status, 201);
    let warned = fixture.ours("push {R}/app:list").success().err();
    assert!(warned.contains("was changed since this draft was made from it"), "{warned}");
}

#[test]
fn check_prints_the_table_of_the_documentation() {
    let Some(fixture) = Fixture::new() else { return };
    let printed = fixture.ours("check {R}").success().out();
    let shown = PAGE.split_once("<!-- check: begin -->\n").expect("a block").1;
    let shown = shown.split_once("<!-- check: end -->").expect("its end").0;
    let shown: String = shown.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
    assert_eq!(shown.trim(), printed.trim());
}

/// The lines of the page's table, in its order.
fn check_lines() -> Vec<String> {
    let table =
        PAGE.split_once("| habit | registries | line of `check` |\n| --- | --- | --- |\n").expect("the table").1;
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.map(|row| row.rsplit_once(" | `").expect("three cells").1.trim_end_matches("` |").replace("\\|", "|"))
        .collect()
}

#[test]
fn check_reports_each_habit_of_docker_registry() {
    let habits: [fn(Builder) -> Builder; 9] = [
        Builder::without_deletion,
        |habits| habits.no_tag_deletion(405),
        Builder::without_referrers,
        |habits| habits.without_docker(415),
        |habits| habits.without_oci(400).reasons_in_detail(),
        Builder::denies_cross_repository_mounts,
        |habits| habits.read_lag(1),
        Builder::deletes_children,
        Builder::read_only,
    ];
    let lines = check_lines();
    assert_eq!(lines.len(), habits.len());
    for (habit, expected) in habits.into_iter().zip(lines) {
        let registry = habit(Registry::builder()).start();
        let printed = Sandbox::new().command(OURS).args(["check", &registry.host()]).run().out();
        let columns = |line: &str| {
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            cells.collect::<Vec<_>>().join(" | ")
        };
        let found: Vec<String> = printed.lines().map(columns).collect();
        assert!(found.contains(&expected), "{expected}\n{printed}");
    }
}

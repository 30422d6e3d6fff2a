//! The digest that the registry has for the name of a draft: it is recorded by `create` and `push`, and a change by
//! another client is reported. See `store-format.md`, "Names that docker mixes".

use serde_json::Value;
use testkit::image::Image;
use testkit::image::fixtures::{buildx_image, buildx_index};
use testkit::sandbox::Sandbox;

use super::OURS;
use super::fixture::Fixture;

/// With a list of two images under app:1, and images to make drafts of.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.registry.put_index("app", "1", &buildx_index(&["linux/amd64", "linux/arm64"]));
    for arch in ["amd64", "arm64", "s390x"] {
        fixture.registry.put_image("app", arch, &buildx_image(&format!("linux/{arch}")));
    }
    fixture
}

/// The content of the file beside a draft.
fn read_sidecar(fixture: &Fixture, list: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture.sidecar(list)).expect("the sidecar")).expect("JSON")
}

#[test]
fn push_reports_changes_by_others() {
    let fixture = fixture();
    let _ = fixture.run_recorded(&["create", "@list:1", "@app:amd64"]).success();
    assert!(read_sidecar(&fixture, "list:1").get("remoteDigest").is_none());
    let pushed = fixture.run_recorded(&["push", "@list:1"]).success();
    assert_eq!(pushed.err(), "");
    let known = fixture.digest("list", "1");
    assert_eq!(read_sidecar(&fixture, "list:1")["remoteDigest"], known);
    assert_eq!(read_sidecar(&fixture, "list:1")["format"], 1);
    // Nobody else has changed it: nothing is told.
    let _ = fixture.run_recorded(&["add", "@list:1", "@app:arm64"]).success();
    assert_eq!(fixture.run_recorded(&["push", "@list:1"]).success().err(), "");
    let known = fixture.digest("list", "1");
    assert_eq!(read_sidecar(&fixture, "list:1")["remoteDigest"], known);
    // Another machine publishes three platforms there.
    let other = Sandbox::new();
    let theirs = |args: &[&str]| other.command(OURS).args(fixture.registry.expand_names(args)).run().success();
    let _ = theirs(&["create", "@list:1", "@app:amd64", "@app:arm64", "@app:s390x"]);
    let _ = theirs(&["push", "@list:1"]);
    let digest = fixture.digest("list", "1");
    let _ = fixture.run_recorded(&["annotate", "@list:1", "@app:arm64", "--variant", "v8"]).success();
    let list = fixture.registry.name("list:1");
    let line = format!(
        "warning: {list} was changed since this draft was made from it or pushed, from {known} to {digest}; \
         this list is without linux/arm64, linux/s390x\n"
    );
    for args in [&["push", "--dry-run", "@list:1"][..], &["push", "--verbose", "@list:1"]] {
        let stderr = fixture.run_recorded(args).success().err();
        assert!(stderr.ends_with(&line), "{args:?}: {stderr}");
        assert_eq!(stderr.matches("was changed since").count(), 1, "{stderr}");
    }
    // What it has now is what this draft was pushed as.
    let repeated = fixture.run_recorded(&["push", "--verbose", "@list:1"]).success().err();
    assert!(!repeated.contains("was changed since"), "{repeated}");
}

#[test]
fn a_draft_of_a_published_list_knows_what_it_was_made_from() {
    let fixture = fixture();
    let known = fixture.digest("app", "1");
    let _ = fixture.run_recorded(&["create", "@app:1", "@app:1"]).success();
    assert_eq!(read_sidecar(&fixture, "app:1")["remoteDigest"], known);
    let _ = fixture.run_recorded(&["remove", "@app:1", "linux/arm64"]).success();
    assert_eq!(read_sidecar(&fixture, "app:1")["remoteDigest"], known, "a change keeps it");
    fixture.registry.put_index("app", "1", &buildx_index(&["linux/amd64", "linux/s390x"]));
    let moved = fixture.digest("app", "1");
    let stderr = fixture.run_recorded(&["push", "--dry-run", "@app:1"]).success().err();
    assert!(stderr.contains(&format!("from {known} to {moved}; this list is without linux/s390x\n")), "{stderr}");
    // Looking again is knowing again.
    let _ = fixture.run_recorded(&["create", "--amend", "@app:1", "@app:1"]).success();
    assert_eq!(read_sidecar(&fixture, "app:1")["remoteDigest"], moved);
    assert_eq!(fixture.run_recorded(&["push", "--dry-run", "@app:1"]).success().err(), "");
}

#[test]
fn amending_a_published_list_hints_at_including_it() {
    let fixture = fixture();
    let created = fixture.run_recorded(&["create", "--amend", "@app:1", "@app:s390x"]).success();
    let list = fixture.registry.name("app:1");
    let stderr = created.err();
    assert!(stderr.contains(&format!("create {list} {list}\n")) && stderr.lines().count() == 1, "{stderr}");
    assert_eq!(fixture.request_lines().iter().filter(|line| line.contains("/app/manifests/1 ")).count(), 1);
    // There is a draft now.
    assert_eq!(fixture.run_recorded(&["create", "--amend", "@app:1", "@app:arm64"]).success().err(), "");
    // Nothing is published under that name; nobody is asked; nothing has to be told.
    assert_eq!(fixture.run_recorded(&["create", "--amend", "@app:2", "@app:s390x"]).success().err(), "");
    assert_eq!(fixture.run_recorded(&["create", "@app:3", "@app:s390x"]).success().err(), "");
    assert!(!fixture.request_lines().iter().any(|line| line.contains("/manifests/3")), "{:?}", fixture.request_lines());
    // A registry that is not there is no reason to fail.
    fixture.registry.put_image("app", "x", &Image::docker().platform("linux", "386").build());
    let _ = fixture.run_recorded(&["create", "--amend", "127.0.0.1:1/app:1", "@app:x"]).success();
}

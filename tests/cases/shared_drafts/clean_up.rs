//! Deletion of entries: after a push, by `remove`, and by `prune`. Lists, images and foreign tags stay.

use testkit::loopback::{Fault, Registry, Rule};

use super::{AMD, ARM, BOTH, Fixture, OURS, image, line, tag};

#[test]
fn purge_deletes_the_entries_that_were_published_and_nothing_else() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM, "linux/s390x"]);
    let _ = fixture.push(&["--purge", "--require", BOTH]).success();
    assert_eq!(fixture.entry_tags(), [tag("linux-s390x")]);
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
    for platform in [AMD, ARM] {
        assert!(fixture.registry.manifest("app", &image(platform, "").digest()).is_some());
    }
    // A publisher that runs again cannot know more than this.
    let failed = fixture.push(&["--purge", "--require", BOTH]);
    assert_eq!(failed.code, 3);
    let digest = fixture.digest("1").expect("the list");
    assert!(
        failed.err().contains(&format!(
            "{} ({digest}) has all required platforms; it may have been published already and its entries purged",
            fixture.list()
        )),
        "{}",
        failed.err()
    );
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
    // A list without a required platform is an older one.
    let failed = fixture.push(&["--require", "linux/amd64,linux/riscv64"]);
    assert_eq!(failed.code, 3);
    assert!(!failed.err().contains("may have been published"), "{}", failed.err());
}

/// A leg that was run again meanwhile has an entry that nobody has published yet.
#[test]
fn purge_leaves_an_entry_that_was_replaced() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let (list, newer) = (fixture.list(), fixture.put_another_image(ARM, "new"));
    let repeated = fixture.sandbox.command(OURS).args(["add", "--shared", "--run", "r", &list, &newer]);
    let _ = std::thread::scope(|scope| {
        // The publisher has read the old entry, and waits for the answer about the list's tag.
        fixture.registry.add_fault(Rule::on("HEAD", "/manifests/1").nth(1), Fault::Hang);
        let push = scope.spawn(|| fixture.push(&["--purge", "--require", BOTH]));
        let is_head =
            |one: &testkit::loopback::RecordedRequest| one.method == "HEAD" && one.target.ends_with("/manifests/1");
        fixture.registry.wait_until(|seen| seen.iter().any(is_head));
        let _ = repeated.run().success();
        fixture.registry.release();
        push.join().expect("the push was run")
    })
    .success();
    assert_eq!(fixture.entry_tags(), [tag("linux-arm64")], "the new entry is there");
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
    let listed = fixture.run(&["ls", "--shared", &list]).success().out();
    assert!(listed.contains("not published"), "{listed}");
}

#[test]
fn a_digest_that_cannot_be_deleted_is_deleted_by_its_tag_if_it_is_still_there() {
    for status in [400, 405, 409] {
        let fixture = Fixture::new();
        fixture.add(&[AMD]);
        fixture.registry.add_fault(Rule::on("DELETE", "sha256:"), Fault::status(status));
        fixture.registry.clear_record();
        let _ = fixture.push(&["--purge", "--require", AMD]).success();
        let lines = fixture.take_request_lines();
        let deletion: Vec<&String> = lines.iter().skip_while(|line| !line.starts_with("DELETE")).collect();
        assert_eq!(deletion[1..], [&line("HEAD", "linux-amd64"), &line("DELETE", "linux-amd64")], "{status}");
        assert!(fixture.entry_tags().is_empty());
    }
}

#[test]
fn a_refused_deletion_keeps_the_entry_and_the_exit_code() {
    for status in [401, 403, 415, 405] {
        let fixture = Fixture::new();
        fixture.add(&[AMD, ARM]);
        fixture.registry.add_fault(Rule::on("DELETE", ""), Fault::status(status));
        for words in [
            vec!["push", "--shared", "--purge", "--require", BOTH, &fixture.list()],
            vec!["remove", "--shared", &fixture.list(), ARM],
            vec!["prune", "--shared", &fixture.registry.name("app")],
        ] {
            let output = fixture.run(&words).success();
            let stderr = output.err();
            let retention_notes: Vec<&str> = stderr.lines().filter(|line| line.contains("stay")).collect();
            assert_eq!(retention_notes.len(), 1, "{status}: {stderr}");
            assert!(retention_notes[0].contains("retention rules"), "{}", retention_notes[0]);
            assert!(!output.out().contains("Removed"), "{}", output.out());
        }
        assert_eq!(fixture.entry_tags().len(), 2);
    }
}

/// Artifactory deletes the images of a list with it (see `store-format.md`), so that nothing is tried there.
#[test]
fn purge_deletes_nothing_on_artifactory() {
    for header in ["X-JFrog-Version", "X-Artifactory-Id"] {
        let fixture = Fixture::new();
        fixture.add(&[AMD]);
        let (media_type, bytes) = fixture.registry.manifest("app", &tag("linux-amd64")).expect("an entry");
        let headers = [("Content-Type", media_type.as_str()), (header, "7")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let answer = Fault::Status(200, String::from_utf8(bytes).expect("text"), headers);
        fixture.registry.add_fault(Rule::on("GET", &tag("linux-amd64")), answer);
        fixture.registry.clear_record();
        let pushed = fixture.push(&["--purge", "--require", AMD]).success();
        assert!(!fixture.take_request_lines().iter().any(|line| line.starts_with("DELETE")));
        assert!(pushed.err().contains("Artifactory"), "{}", pushed.err());
    }
}

#[test]
fn prune_deletes_entries_that_are_published() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let _ = fixture.push(&["--require", BOTH]).success();
    fixture.add(&["linux/s390x"]);
    let other = fixture.sandbox.command(OURS).args(["add", "--shared", "--run", "old", &fixture.list()]);
    let _ = other.arg(fixture.put_another_image(ARM, "old")).run().success();
    // What is no entry of ours is never deleted, whatever its tag.
    let other_index = testkit::image::Index::oci().image(&image(AMD, "")).build();
    fixture.registry.put_index("app", "draft.1.0.linux-amd64", &other_index);
    let repository = fixture.registry.name("app");
    let dry_run = fixture.run(&["prune", "--shared", "--dry-run", &repository]).success();
    assert_eq!(dry_run.out().lines().count(), 2, "{}", dry_run.out());
    assert_eq!(fixture.entry_tags().len(), 5);
    let pruned = fixture.run(&["prune", "--shared", &repository]).success();
    let removed = |key: &str| format!("Removed {repository}:{}\n", tag(key));
    assert_eq!(pruned.out(), removed("linux-amd64") + &removed("linux-arm64"));
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
    let _ = fixture.run(&["prune", "--shared", "--run", "old", &repository]).success();
    assert_eq!(fixture.entry_tags(), ["draft.1.0.linux-amd64".to_owned(), tag("linux-s390x")]);
    let _ = fixture.run(&["prune", "--shared", "--all", &repository]).success();
    assert_eq!(fixture.entry_tags(), ["draft.1.0.linux-amd64"]);
    assert!(fixture.registry.manifest("app", &image("linux/s390x", "").digest()).is_some());
}

#[test]
fn remove_deletes_a_shared_entry() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let removed = fixture.run(&["remove", "--shared", &fixture.list(), "linux/aarch64"]).success();
    assert_eq!(removed.out(), format!("Removed {}:{}\n", fixture.registry.name("app"), tag("linux-arm64")));
    assert_eq!(fixture.entry_tags(), [tag("linux-amd64")]);
    let failed = fixture.run(&["remove", "--shared", &fixture.list(), AMD, ARM]);
    assert_eq!((failed.code, fixture.entry_tags().len()), (1, 1), "{}", failed.err());
    assert!(failed.err().contains("has no entry for linux/arm64"), "{}", failed.err());
    assert!(fixture.registry.manifest("app", &image(ARM, "").digest()).is_some(), "the image stays");
}

/// The right to delete is wanted only where something is deleted.
#[test]
fn the_delete_scope_is_requested_only_for_a_deletion() {
    let bearer = testkit::loopback::Bearer::new().user("me", "a-long-password");
    let fixture = Fixture::with_registry(Registry::builder().bearer(bearer).start());
    let auth = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "me:a-long-password");
    fixture.sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, fixture.registry.host()));
    fixture.add(&[AMD, ARM]);
    let _ = fixture.push(&["--require", BOTH]).success();
    let scopes = || -> Vec<String> {
        fixture
            .registry
            .requests()
            .iter()
            .filter(|request| request.is_token_request())
            .map(|request| request.target.clone())
            .collect()
    };
    assert!(!scopes().iter().any(|scope| scope.contains("delete")), "{:?}", scopes());
    let _ = fixture.push(&["--purge", "--require", BOTH]).success();
    assert!(fixture.entry_tags().is_empty());
}

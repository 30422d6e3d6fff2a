//! Deleting entries: after a push, when they are taken back, and later. Lists and images stay, and so does what is no
//! entry.

use testkit::loopback::{Fault, Registry, Rule};

use super::{AMD, ARM, BOTH, OURS, Shared, image, line, tag};

#[test]
fn purge_deletes_the_entries_that_were_published_and_nothing_else() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM, "linux/s390x"]);
    let _ = shared.push(&["--purge", "--require", BOTH]).success();
    assert_eq!(shared.entries(), [tag("linux-s390x")]);
    assert_eq!(shared.platforms("1"), [AMD, ARM]);
    for platform in [AMD, ARM] {
        assert!(shared.registry.manifest("app", &image(platform, "").digest()).is_some());
    }
    // A publisher that runs again cannot know more than this.
    let failed = shared.push(&["--purge", "--require", BOTH]);
    assert_eq!(failed.code, 3);
    let digest = shared.digest("1").expect("the list");
    assert!(
        failed.err().contains(&format!("perhaps published, and its entries purged: {} is {digest}", shared.list())),
        "{}",
        failed.err()
    );
    assert_eq!(shared.platforms("1"), [AMD, ARM]);
    // A list without a required platform is an older one.
    let failed = shared.push(&["--require", "linux/amd64,linux/riscv64"]);
    assert_eq!(failed.code, 3);
    assert!(!failed.err().contains("perhaps published"), "{}", failed.err());
}

/// A leg that was run again meanwhile has an entry that nobody has published yet.
#[test]
fn purge_leaves_an_entry_that_was_replaced() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]);
    let (list, newer) = (shared.list(), shared.image_of(ARM, "new"));
    let again = shared.sandbox.command(OURS).args(["add", "--shared", "--run", "r", &list, &newer]);
    let _ = std::thread::scope(|scope| {
        // The publisher has read the old entry, and waits for the answer about the list's tag.
        shared.registry.fault(Rule::on("HEAD", "/manifests/1").nth(1), Fault::Hang);
        let push = scope.spawn(|| shared.push(&["--purge", "--require", BOTH]));
        let is_head = |one: &testkit::loopback::Recorded| one.method == "HEAD" && one.path.ends_with("/manifests/1");
        shared.registry.wait_until(|seen| seen.iter().any(is_head));
        let _ = again.run().success();
        shared.registry.release();
        push.join().expect("the push was run")
    })
    .success();
    assert_eq!(shared.entries(), [tag("linux-arm64")], "the new entry is there");
    assert_eq!(shared.platforms("1"), [AMD, ARM]);
    let listed = shared.run(&["ls", "--shared", &list]).success().out();
    assert!(listed.contains("not published"), "{listed}");
}

#[test]
fn a_digest_that_cannot_be_deleted_is_deleted_by_its_tag_if_it_is_still_there() {
    for status in [400, 405, 409] {
        let shared = Shared::new();
        shared.add(&[AMD]);
        shared.registry.fault(Rule::on("DELETE", "sha256:"), Fault::status(status));
        shared.registry.clear();
        let _ = shared.push(&["--purge", "--require", AMD]).success();
        let lines = shared.lines();
        let asked: Vec<&String> = lines.iter().skip_while(|line| !line.starts_with("DELETE")).collect();
        assert_eq!(asked[1..], [&line("HEAD", "linux-amd64"), &line("DELETE", "linux-amd64")], "{status}");
        assert!(shared.entries().is_empty());
    }
}

#[test]
fn a_refusal_leaves_the_entry_and_changes_no_exit_code() {
    for status in [401, 403, 415, 405] {
        let shared = Shared::new();
        shared.add(&[AMD, ARM]);
        shared.registry.fault(Rule::on("DELETE", ""), Fault::status(status));
        for words in [
            vec!["push", "--shared", "--purge", "--require", BOTH, &shared.list()],
            vec!["remove", "--shared", &shared.list(), ARM],
            vec!["prune", "--shared", &shared.registry.name("app")],
        ] {
            let done = shared.run(&words).success();
            let said = done.err();
            let about: Vec<&str> = said.lines().filter(|line| line.contains("stay")).collect();
            assert_eq!(about.len(), 1, "{status}: {said}");
            assert!(about[0].contains("retention rules"), "{}", about[0]);
            assert!(!done.out().contains("Removed"), "{}", done.out());
        }
        assert_eq!(shared.entries().len(), 2);
    }
}

/// Artifactory deletes the images of a list with it (see `store-format.md`), so that nothing is tried there.
#[test]
fn nothing_is_deleted_on_artifactory() {
    for header in ["X-JFrog-Version", "X-Artifactory-Id"] {
        let shared = Shared::new();
        shared.add(&[AMD]);
        let (media_type, bytes) = shared.registry.manifest("app", &tag("linux-amd64")).expect("an entry");
        let headers = [("Content-Type", media_type.as_str()), (header, "7")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let answer = Fault::Status(200, String::from_utf8(bytes).expect("text"), headers);
        shared.registry.fault(Rule::on("GET", &tag("linux-amd64")), answer);
        shared.registry.clear();
        let pushed = shared.push(&["--purge", "--require", AMD]).success();
        assert!(!shared.lines().iter().any(|line| line.starts_with("DELETE")));
        assert!(pushed.err().contains("Artifactory"), "{}", pushed.err());
    }
}

#[test]
fn prune_deletes_entries_that_are_published() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]);
    let _ = shared.push(&["--require", BOTH]).success();
    shared.add(&["linux/s390x"]);
    let other = shared.sandbox.command(OURS).args(["add", "--shared", "--run", "old", &shared.list()]);
    let _ = other.arg(shared.image_of(ARM, "old")).run().success();
    // What is no entry of ours is never deleted, whatever its tag.
    let stranger = testkit::image::Index::oci().image(&image(AMD, "")).build();
    shared.registry.put_index("app", "draft.1.0.linux-amd64", &stranger);
    let repository = shared.registry.name("app");
    let dry = shared.run(&["prune", "--shared", "--dry-run", &repository]).success();
    assert_eq!(dry.out().lines().count(), 2, "{}", dry.out());
    assert_eq!(shared.entries().len(), 5);
    let pruned = shared.run(&["prune", "--shared", &repository]).success();
    let removed = |key: &str| format!("Removed {repository}:{}\n", tag(key));
    assert_eq!(pruned.out(), removed("linux-amd64") + &removed("linux-arm64"));
    assert_eq!(shared.platforms("1"), [AMD, ARM]);
    let _ = shared.run(&["prune", "--shared", "--run", "old", &repository]).success();
    assert_eq!(shared.entries(), ["draft.1.0.linux-amd64".to_owned(), tag("linux-s390x")]);
    let _ = shared.run(&["prune", "--shared", "--all", &repository]).success();
    assert_eq!(shared.entries(), ["draft.1.0.linux-amd64"]);
    assert!(shared.registry.manifest("app", &image("linux/s390x", "").digest()).is_some());
}

#[test]
fn remove_deletes_a_shared_entry() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]);
    let removed = shared.run(&["remove", "--shared", &shared.list(), "linux/aarch64"]).success();
    assert_eq!(removed.out(), format!("Removed {}:{}\n", shared.registry.name("app"), tag("linux-arm64")));
    assert_eq!(shared.entries(), [tag("linux-amd64")]);
    let failed = shared.run(&["remove", "--shared", &shared.list(), AMD, ARM]);
    assert_eq!((failed.code, shared.entries().len()), (1, 1), "{}", failed.err());
    assert!(failed.err().contains("has no entry for linux/arm64"), "{}", failed.err());
    assert!(shared.registry.manifest("app", &image(ARM, "").digest()).is_some(), "the image stays");
}

/// The right to delete is wanted only where something is deleted.
#[test]
fn the_scope_delete_is_asked_for_only_with_a_deletion() {
    let bearer = testkit::loopback::Bearer::new().user("me", "a-long-password");
    let shared = Shared::of(Registry::builder().bearer(bearer).start());
    let auth = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "me:a-long-password");
    shared.sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, shared.registry.host()));
    shared.add(&[AMD, ARM]);
    let _ = shared.push(&["--require", BOTH]).success();
    let scopes = || -> Vec<String> {
        shared
            .registry
            .requests()
            .iter()
            .filter(|request| request.is_token())
            .map(|request| request.path.clone())
            .collect()
    };
    assert!(!scopes().iter().any(|scope| scope.contains("delete")), "{:?}", scopes());
    let _ = shared.push(&["--purge", "--require", BOTH]).success();
    assert!(shared.entries().is_empty());
}

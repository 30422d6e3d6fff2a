//! What registries do differently: no OCI indexes, tags that cannot be moved, children that go away.

use testkit::image::{Image, sha256};
use testkit::loopback::{Fault, Registry, Rule};

use super::{AMD, ARM, BOTH, OURS, RecordingClock, Shared, image, line, tag};

const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A registry without OCI gets a Docker manifest list, which only its tag names.
#[test]
fn without_oci_the_entry_is_a_docker_list() {
    let shared = Shared::of(Registry::builder().without_oci(415).start());
    for (platform, arch) in [(AMD, "amd64"), (ARM, "arm64")] {
        let image = Image::docker().platform("linux", arch).layer(platform).build();
        let digest = shared.registry.put_image("app", &image.digest(), &image);
        let name = shared.registry.name(&format!("app@{digest}"));
        let added = shared.run(&["add", "--shared", &shared.list(), &name]).success();
        let (media_type, bytes) = shared.registry.manifest("app", &tag(&format!("linux-{arch}"))).expect("an entry");
        assert_eq!(media_type, DOCKER_LIST);
        assert!(!String::from_utf8_lossy(&bytes).contains("annotations"));
        assert!(added.out().ends_with(&format!("@{}\n", sha256(&bytes))), "{}", added.out());
    }
    let pushed = shared.push(&["--require", BOTH, "--purge"]).success();
    assert_eq!(shared.platforms("1"), [AMD, ARM]);
    assert_eq!(shared.registry.manifest("app", "1").map(|(media_type, _)| media_type).as_deref(), Some(DOCKER_LIST));
    // Such an entry can be a published list as well, so it stays.
    assert_eq!(shared.entries().len(), 2);
    assert!(pushed.err().contains("Docker manifest list"), "{}", pushed.err());
    // A leg that is run again replaces it.
    let image = Image::docker().platform("linux", "arm64").layer("new").build();
    let digest = shared.registry.put_image("app", &image.digest(), &image);
    let name = shared.registry.name(&format!("app@{digest}"));
    let _ = shared.run(&["add", "--shared", &shared.list(), &name]).success();
    let _ = shared.push(&["--require", BOTH]).success();
    let (_, list) = shared.registry.manifest("app", "1").expect("the list");
    assert!(String::from_utf8_lossy(&list).contains(&digest));
}

/// An immutable tag refuses even what changes nothing: the entry that is there decides.
#[test]
fn an_entry_tag_that_cannot_be_moved_is_compared() {
    let shared = Shared::new();
    let (list, name) = (shared.list(), shared.image(AMD));
    shared.add(&[AMD]);
    shared.registry.fault(Rule::on("PUT", "/manifests/draft."), Fault::status(400));
    let run = |attempt: &str, image: &str, format: &[&str]| {
        let run = shared.sandbox.command(OURS).args(["add", "--shared"]).args(format.iter().copied());
        let run = run.args([list.as_str(), image]).env("DOCKER_MANIFEST_RUN", "r");
        run.env("GITHUB_RUN_ATTEMPT", attempt).run()
    };
    let same = run("2", &name, &[]).success();
    let there = shared.digest(&tag("linux-amd64")).expect("an entry");
    assert!(same.out().ends_with(&format!("@{there}\n")), "the digest of what is there: {}", same.out());
    let failed = run("2", &shared.image_of(AMD, "new"), &["--format", "json"]);
    assert_eq!(failed.code, 1);
    let said: serde_json::Value = serde_json::from_str(failed.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(said["error"]["kind"], "conflict", "{said}");
    assert!(said["error"]["hints"].to_string().contains("--run"), "{said}");
    assert_eq!(said["error"]["status"], 400);
    // The other run has a tag of its own, which can be put.
    shared.registry.clear_faults();
    let other = shared.sandbox.command(OURS).args(["add", "--shared", "--run", "other", &list, &name]).run();
    let _ = other.success();
}

/// The final tag cannot be moved either; it is there already.
#[test]
fn a_list_tag_that_cannot_be_moved_and_is_equal_is_fine() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]);
    let first = shared.push(&["--require", BOTH]).success();
    shared.registry.fault(Rule::on("PUT", "/manifests/1"), Fault::status(409));
    // Another publisher saw the tag before the first one had put it.
    shared.registry.fault(Rule::on("HEAD", "/manifests/1").nth(1), Fault::status(404));
    assert_eq!(shared.push(&["--require", BOTH]).success().out(), first.out());
    shared.add(&["linux/s390x"]);
    let failed = shared.push(&["--require", "linux/amd64,linux/arm64,linux/s390x"]);
    assert_eq!(failed.code, 1, "{}", failed.err());
    assert_eq!(shared.platforms("1"), [AMD, ARM]);
}

/// The step that keeps tags whole: zot takes a list whose child was pruned a moment ago.
#[test]
fn no_tag_moves_to_a_list_with_an_absent_child() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]);
    let gone = image(ARM, "").digest();
    shared.registry.fault(Rule::on("HEAD", &gone), Fault::status(404));
    shared.registry.clear();
    let clock = RecordingClock::with(0.5, |_| {});
    let words = ["push", "--shared", "--require", BOTH, "--format", "json", &shared.list()];
    let failed = shared.run_with_clock(clock.clone(), &words);
    assert_eq!((failed.code, clock.slept().iter().sum()), (1, std::time::Duration::from_secs(15)));
    assert!(failed.err().contains("the registry does not show all images of"), "{}", failed.err());
    let said: serde_json::Value = serde_json::from_str(failed.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(said["error"]["kind"], "missing", "{said}");
    assert!(said["error"]["message"].to_string().contains(&gone), "{said}");
    assert!(shared.platforms("1").is_empty(), "no tag has moved");
    let lines = shared.lines();
    let reads = lines.iter().filter(|request| **request == line("GET", "linux-arm64")).count();
    assert_eq!(reads, 2, "the entries are read once more, and no more: {lines:?}");
}

/// A leg that was run again between the read and the PUT of the list: on zot its old image is gone.
#[test]
fn an_entry_that_has_changed_meanwhile_is_taken() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]);
    let (old, list) = (image(ARM, "").digest(), shared.list());
    let new = shared.image_of(ARM, "new");
    let host = shared.registry.host();
    // The old image is deleted with the list's PUT refused, as where children are checked.
    let refused = format!(
        r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":"{old}"}}]}}"#
    );
    shared.registry.fault(Rule::on("PUT", "sha256:").nth(1), Fault::Status(400, refused, vec![]));
    shared.registry.fault(Rule::on("HEAD", &old), Fault::status(404));
    let again = shared.sandbox.command(OURS).args(["add", "--shared", "--run", "r", &list, &new]);
    let pushed = std::thread::scope(|scope| {
        // The answer to the look at the tag is held back until the leg has run again.
        shared.registry.fault(Rule::on("HEAD", "/manifests/1").nth(1), Fault::Hang);
        let push = scope.spawn(|| shared.push(&["--require", BOTH, "--jobs", "1"]));
        shared
            .registry
            .wait_until(|seen| seen.iter().any(|one| one.method == "HEAD" && one.path.ends_with("/manifests/1")));
        let _ = again.run().success();
        shared.registry.release();
        push.join().expect("the push was run")
    });
    let _ = pushed.success();
    let (_, list) = shared.registry.manifest("app", "1").expect("the list");
    let text = String::from_utf8_lossy(&list).into_owned();
    assert!(text.contains(new.rsplit('@').next().expect("a digest")) && !text.contains(&old), "{host}: {text}");
}

/// A registry that is slow to know a child that another machine has put: the list is put again.
#[test]
fn a_child_that_is_not_known_yet_is_waited_for() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]);
    let refused = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#.to_owned();
    shared.registry.fault(Rule::on("PUT", "sha256:").times(2), Fault::Status(400, refused, vec![]));
    let clock = RecordingClock::with(0.5, |_| {});
    let _ = shared.run_with_clock(clock, &["push", "--shared", "--require", BOTH, &shared.list()]).success();
    assert_eq!(shared.platforms("1"), [AMD, ARM]);
}

/// One that shows an image late that another machine has put, as the list is already there: it is looked for again.
#[test]
fn a_child_that_is_shown_late_is_looked_for_again() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]);
    shared.registry.fault(Rule::on("HEAD", &image(ARM, "").digest()).times(3), Fault::status(404));
    let clock = RecordingClock::with(0.5, |_| {});
    let _ = shared.run_with_clock(clock.clone(), &["push", "--shared", "--require", BOTH, &shared.list()]).success();
    assert_eq!(clock.slept().iter().map(|wait| wait.as_millis()).collect::<Vec<_>>(), [500, 1000, 2000]);
    assert_eq!(shared.platforms("1"), [AMD, ARM]);
}

/// The same for an entry, which must not become a Docker manifest list because of that.
#[test]
fn an_entry_whose_image_is_not_known_yet_is_put_again() {
    let shared = Shared::of(Registry::builder().knows_images_late(3).start());
    let clock = RecordingClock::with(0.5, |_| {});
    let (list, name) = (shared.list(), shared.image(AMD));
    let added = shared.run_with_clock(clock.clone(), &["add", "--shared", &list, &name]).success();
    assert!(added.err().contains("does not know yet what it has just accepted"), "{}", added.err());
    let (media_type, _) = shared.registry.manifest("app", &tag("linux-amd64")).expect("an entry");
    assert_eq!((media_type.as_str(), clock.slept().len()), (testkit::image::OCI_INDEX, 3));
    // One whose image is nowhere is refused at once.
    let refused = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#.to_owned();
    shared.registry.fault(Rule::on("PUT", "draft."), Fault::Status(400, refused, vec![]));
    shared.registry.fault(Rule::on("HEAD", "sha256:"), Fault::status(404));
    let failed = shared.run_with_clock(clock.clone(), &["add", "--shared", &list, &shared.image(ARM)]);
    assert_eq!((failed.code, clock.slept().len()), (1, 3), "{}", failed.err());
    assert!(failed.err().contains("failed to put entry"), "{}", failed.err());
}

/// Images from elsewhere are brought to the list's repository, and the list to others.
#[test]
fn images_and_lists_go_to_other_repositories() {
    let shared = Shared::new();
    let other = Registry::start();
    for platform in [AMD, ARM] {
        let image = image(platform, "");
        other.put_image("far/app", platform.rsplit('/').next().unwrap_or_default(), &image);
        let name = other.name(&format!("far/app:{}", platform.rsplit('/').next().unwrap_or_default()));
        let _ = shared.run(&["add", "--shared", &shared.list(), &name]).success();
        assert!(shared.registry.manifest("app", &image.digest()).is_some());
    }
    let mirror = other.name("mirror/app:9");
    let _ = shared.push(&["--require", BOTH, "-t", &mirror]).success();
    let (_, list) = shared.registry.manifest("app", "1").expect("the list");
    assert_eq!(other.manifest("mirror/app", "9").map(|(_, bytes)| bytes), Some(list));
    assert!(other.manifest("mirror/app", &image(ARM, "").digest()).is_some());
}

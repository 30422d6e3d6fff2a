//! Differences between registries: no OCI indexes, immutable tags, children that disappear.

use testkit::image::{Image, sha256};
use testkit::loopback::{Fault, Registry, Rule};

use super::{AMD, ARM, BOTH, Fixture, OURS, RecordingClock, image, line, tag};

const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A registry without OCI gets a Docker manifest list, which only its tag names.
#[test]
fn entries_are_docker_lists_where_the_registry_refuses_oci() {
    let fixture = Fixture::with_registry(Registry::builder().without_oci(415).start());
    for (platform, arch) in [(AMD, "amd64"), (ARM, "arm64")] {
        let image = Image::docker().platform("linux", arch).layer(platform).build();
        let digest = fixture.registry.put_image("app", &image.digest(), &image);
        let name = fixture.registry.name(&format!("app@{digest}"));
        let added = fixture.run(&["add", "--shared", &fixture.list(), &name]).success();
        let (media_type, bytes) = fixture.registry.manifest("app", &tag(&format!("linux-{arch}"))).expect("an entry");
        assert_eq!(media_type, DOCKER_LIST);
        assert!(!String::from_utf8_lossy(&bytes).contains("annotations"));
        assert!(added.out().ends_with(&format!("@{}\n", sha256(&bytes))), "{}", added.out());
    }
    let pushed = fixture.push(&["--require", BOTH, "--purge"]).success();
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
    assert_eq!(fixture.registry.manifest("app", "1").map(|(media_type, _)| media_type).as_deref(), Some(DOCKER_LIST));
    // Such an entry can be a published list as well, so it stays.
    assert_eq!(fixture.entry_tags().len(), 2);
    assert!(pushed.err().contains("Docker manifest list"), "{}", pushed.err());
    // A leg that is run again replaces it.
    let image = Image::docker().platform("linux", "arm64").layer("new").build();
    let digest = fixture.registry.put_image("app", &image.digest(), &image);
    let name = fixture.registry.name(&format!("app@{digest}"));
    let _ = fixture.run(&["add", "--shared", &fixture.list(), &name]).success();
    let _ = fixture.push(&["--require", BOTH]).success();
    let (_, list) = fixture.registry.manifest("app", "1").expect("the list");
    assert!(String::from_utf8_lossy(&list).contains(&digest));
}

/// An immutable tag refuses even what changes nothing: the entry that is there decides.
#[test]
fn add_compares_an_immutable_entry_tag() {
    let fixture = Fixture::new();
    let (list, name) = (fixture.list(), fixture.put_image(AMD));
    fixture.add(&[AMD]);
    fixture.registry.add_fault(Rule::on("PUT", "/manifests/draft."), Fault::status(400));
    let run = |attempt: &str, image: &str, format: &[&str]| {
        let run = fixture.sandbox.command(OURS).args(["add", "--shared"]).args(format.iter().copied());
        let run = run.args([list.as_str(), image]).env("DOCKER_MANIFEST_RUN", "r");
        run.env("GITHUB_RUN_ATTEMPT", attempt).run()
    };
    let repeated = run("2", &name, &[]).success();
    let stored = fixture.digest(&tag("linux-amd64")).expect("an entry");
    assert!(repeated.out().ends_with(&format!("@{stored}\n")), "the digest of what is there: {}", repeated.out());
    let failed = run("2", &fixture.put_another_image(AMD, "new"), &["--format", "json"]);
    assert_eq!(failed.code, 1);
    let json: serde_json::Value = serde_json::from_str(failed.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(json["error"]["kind"], "conflict", "{json}");
    assert!(json["error"]["hints"].to_string().contains("--run"), "{json}");
    assert_eq!(json["error"]["status"], 400);
    // The other run has a tag of its own, which can be put.
    fixture.registry.clear_faults();
    let other = fixture.sandbox.command(OURS).args(["add", "--shared", "--run", "other", &list, &name]).run();
    let _ = other.success();
}

/// The final tag cannot be moved either; it is there already.
#[test]
fn push_accepts_an_immutable_tag_that_has_the_same_list() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let first = fixture.push(&["--require", BOTH]).success();
    fixture.registry.add_fault(Rule::on("PUT", "/manifests/1"), Fault::status(409));
    // Another publisher saw the tag before the first one had put it.
    fixture.registry.add_fault(Rule::on("HEAD", "/manifests/1").nth(1), Fault::status(404));
    assert_eq!(fixture.push(&["--require", BOTH]).success().out(), first.out());
    fixture.add(&["linux/s390x"]);
    let failed = fixture.push(&["--require", "linux/amd64,linux/arm64,linux/s390x"]);
    assert_eq!(failed.code, 1, "{}", failed.err());
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
}

/// The step that keeps tags whole: zot takes a list whose child was pruned a moment ago.
#[test]
fn push_moves_no_tag_to_a_list_with_an_absent_child() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let missing = image(ARM, "").digest();
    fixture.registry.add_fault(Rule::on("HEAD", &missing), Fault::status(404));
    fixture.registry.clear_record();
    let clock = RecordingClock::with(0.5, |_| {});
    let words = ["push", "--shared", "--require", BOTH, "--format", "json", &fixture.list()];
    let failed = fixture.run_with_clock(clock.clone(), &words);
    assert_eq!((failed.code, clock.slept().iter().sum()), (1, std::time::Duration::from_secs(15)));
    assert!(failed.err().contains("the registry does not show all images of"), "{}", failed.err());
    let json: serde_json::Value = serde_json::from_str(failed.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(json["error"]["kind"], "missing", "{json}");
    assert!(json["error"]["message"].to_string().contains(&missing), "{json}");
    assert!(fixture.platforms("1").is_empty(), "no tag has moved");
    let lines = fixture.take_request_lines();
    let reads = lines.iter().filter(|request| **request == line("GET", "linux-arm64")).count();
    assert_eq!(reads, 2, "the entries are read once more, and no more: {lines:?}");
}

/// A leg that was run again between the read and the PUT of the list: on zot its old image is gone.
#[test]
fn push_takes_an_entry_that_changes_during_the_push() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let (old, list) = (image(ARM, "").digest(), fixture.list());
    let new = fixture.put_another_image(ARM, "new");
    let host = fixture.registry.host();
    // The old image is deleted with the list's PUT refused, as where children are checked.
    let refused = format!(
        r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":"{old}"}}]}}"#
    );
    fixture.registry.add_fault(Rule::on("PUT", "sha256:").nth(1), Fault::Status(400, refused, vec![]));
    fixture.registry.add_fault(Rule::on("HEAD", &old), Fault::status(404));
    let repeated = fixture.sandbox.command(OURS).args(["add", "--shared", "--run", "r", &list, &new]);
    let pushed = std::thread::scope(|scope| {
        // The answer to the look at the tag is held back until the leg has run again.
        fixture.registry.add_fault(Rule::on("HEAD", "/manifests/1").nth(1), Fault::Hang);
        let push = scope.spawn(|| fixture.push(&["--require", BOTH, "--jobs", "1"]));
        fixture
            .registry
            .wait_until(|seen| seen.iter().any(|head| head.method == "HEAD" && head.target.ends_with("/manifests/1")));
        let _ = repeated.run().success();
        fixture.registry.release();
        push.join().expect("the push was run")
    });
    let _ = pushed.success();
    let (_, list) = fixture.registry.manifest("app", "1").expect("the list");
    let text = String::from_utf8_lossy(&list).into_owned();
    assert!(text.contains(new.rsplit('@').next().expect("a digest")) && !text.contains(&old), "{host}: {text}");
}

/// A registry that is slow to know a child that another machine has put: the list is put again.
#[test]
fn push_waits_for_a_child_that_the_registry_does_not_know_yet() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let refused = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#.to_owned();
    fixture.registry.add_fault(Rule::on("PUT", "sha256:").first_n(2), Fault::Status(400, refused, vec![]));
    let clock = RecordingClock::with(0.5, |_| {});
    let _ = fixture.run_with_clock(clock, &["push", "--shared", "--require", BOTH, &fixture.list()]).success();
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
}

/// One that shows an image late that another machine has put, as the list is already there: it is looked for again.
#[test]
fn push_checks_again_for_a_child_that_is_visible_late() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    fixture.registry.add_fault(Rule::on("HEAD", &image(ARM, "").digest()).first_n(3), Fault::status(404));
    let clock = RecordingClock::with(0.5, |_| {});
    let _ = fixture.run_with_clock(clock.clone(), &["push", "--shared", "--require", BOTH, &fixture.list()]).success();
    assert_eq!(clock.slept().iter().map(|wait| wait.as_millis()).collect::<Vec<_>>(), [500, 1000, 2000]);
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
}

/// The same for an entry, which must not become a Docker manifest list because of that.
#[test]
fn add_puts_an_entry_again_until_the_registry_knows_its_image() {
    let fixture = Fixture::with_registry(Registry::builder().refuses_first_lists(3).start());
    let clock = RecordingClock::with(0.5, |_| {});
    let (list, name) = (fixture.list(), fixture.put_image(AMD));
    let added = fixture.run_with_clock(clock.clone(), &["add", "--shared", &list, &name]).success();
    assert!(added.err().contains("does not know yet what it has just accepted"), "{}", added.err());
    let (media_type, _) = fixture.registry.manifest("app", &tag("linux-amd64")).expect("an entry");
    assert_eq!((media_type.as_str(), clock.slept().len()), (testkit::image::OCI_INDEX, 3));
    // One whose image is nowhere is refused at once.
    let refused = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#.to_owned();
    fixture.registry.add_fault(Rule::on("PUT", "draft."), Fault::Status(400, refused, vec![]));
    fixture.registry.add_fault(Rule::on("HEAD", "sha256:"), Fault::status(404));
    let failed = fixture.run_with_clock(clock.clone(), &["add", "--shared", &list, &fixture.put_image(ARM)]);
    assert_eq!((failed.code, clock.slept().len()), (1, 3), "{}", failed.err());
    assert!(failed.err().contains("failed to put entry"), "{}", failed.err());
}

/// Images from elsewhere are brought to the list's repository, and the list to others.
#[test]
fn shared_lists_and_images_may_be_in_different_repositories() {
    let fixture = Fixture::new();
    let other = Registry::start();
    for platform in [AMD, ARM] {
        let image = image(platform, "");
        other.put_image("far/app", platform.rsplit('/').next().unwrap_or_default(), &image);
        let name = other.name(&format!("far/app:{}", platform.rsplit('/').next().unwrap_or_default()));
        let _ = fixture.run(&["add", "--shared", &fixture.list(), &name]).success();
        assert!(fixture.registry.manifest("app", &image.digest()).is_some());
    }
    let mirror = other.name("mirror/app:9");
    let _ = fixture.push(&["--require", BOTH, "-t", &mirror]).success();
    let (_, list) = fixture.registry.manifest("app", "1").expect("the list");
    assert_eq!(other.manifest("mirror/app", "9").map(|(_, bytes)| bytes), Some(list));
    assert!(other.manifest("mirror/app", &image(ARM, "").digest()).is_some());
}

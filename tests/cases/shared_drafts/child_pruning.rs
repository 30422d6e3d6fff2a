//! Registries that delete images with the manifest that names them: by reference counting, as in zot, and by rules
//! that delete untagged manifests.

use testkit::loopback::{RecordedRequest, Registry};

use super::{AMD, ARM, BOTH, Fixture, OURS, RecordingClock, image, tag};

fn with_child_pruning() -> Fixture {
    Fixture::with_registry(Registry::builder().prunes_children().start())
}

fn has(fixture: &Fixture, digest: &str) -> bool {
    fixture.registry.manifest("app", digest).is_some()
}

/// The published list keeps the images of its entries, whatever becomes of these.
#[test]
fn a_published_list_outlives_its_entries() {
    let fixture = with_child_pruning();
    fixture.add(&[AMD, ARM]);
    let (amd64, old) = (image(AMD, "").digest(), image(ARM, "").digest());
    let _ = fixture.push(&["--require", BOTH]).success();
    // A leg that runs again replaces its entry; the list still names the image before it.
    let (list, new) = (fixture.list(), fixture.put_another_image(ARM, "new"));
    let _ = fixture.run(&["add", "--shared", &list, &new]).success();
    assert!(has(&fixture, &old));
    let _ = fixture.push(&["--require", BOTH, "--purge"]).success();
    assert!(fixture.entry_tags().is_empty());
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
    assert_eq!([has(&fixture, &amd64), has(&fixture, &old)], [true, false], "nothing names the old image any more");
    let _ = fixture.run(&["inspect", "--check", &list]).success();
    // What is taken back and was not published goes; another one is as good as the first.
    fixture.add(&["linux/s390x"]);
    let _ = fixture.run(&["remove", "--shared", &list, "linux/s390x"]).success();
    assert!(!has(&fixture, &image("linux/s390x", "").digest()));
    fixture.add(&["linux/s390x"]);
    let _ = fixture.push(&["--require", "linux/s390x"]).success();
    assert_eq!(fixture.platforms("1"), ["linux/s390x"]);
}

/// A leg that runs again between the read of its entry and the PUT of the list: the registry takes a list of an image
/// that is gone, and no tag may move to that.
#[test]
fn push_does_not_tag_a_list_with_a_pruned_image() {
    let fixture = with_child_pruning();
    fixture.add(&[AMD, ARM]);
    let (old, new) = (image(ARM, "").digest(), fixture.put_another_image(ARM, "new"));
    let repeated = fixture.sandbox.command(OURS).args(["add", "--shared", "--run", "r", &fixture.list(), &new]);
    fixture.registry.clear_record();
    let _ = std::thread::scope(|scope| {
        let image_check = testkit::loopback::Rule::on("HEAD", "/manifests/1").nth(1);
        fixture.registry.add_fault(image_check, testkit::loopback::Fault::Hang);
        let push = scope.spawn(|| fixture.push(&["--require", BOTH, "--jobs", "1"]));
        let is_look = |one: &RecordedRequest| one.method == "HEAD" && one.target.ends_with("/manifests/1");
        fixture.registry.wait_until(|seen| seen.iter().any(is_look));
        let _ = repeated.run().success();
        assert!(!has(&fixture, &old), "the old image went with its entry");
        fixture.registry.release();
        push.join().expect("the push was run")
    })
    .success();
    let (_, list) = fixture.registry.manifest("app", "1").expect("the list");
    let text = String::from_utf8_lossy(&list).into_owned();
    assert!(text.contains(new.rsplit('@').next().expect("a digest")) && !text.contains(&old), "{text}");
    let requests = fixture.registry.requests();
    let taken =
        |one: &&RecordedRequest| one.method == "PUT" && one.status == 201 && one.target.contains("/manifests/sha256:");
    let with_old = requests.iter().filter(taken).filter(|put| String::from_utf8_lossy(&put.body).contains(&old));
    assert_eq!(with_old.count(), 1, "the registry took the list of the image that was gone");
}

/// Where untagged images go as soon as an index names them, nothing can be published, and nothing is.
#[test]
fn push_reports_images_that_the_registry_deletes_at_once() {
    let fixture = Fixture::with_registry(Registry::builder().loses_children().start());
    fixture.add(&[AMD]);
    let words = ["push", "--shared", "--require", AMD, "--format", "json", &fixture.list()];
    let failed = fixture.run_with_clock(RecordingClock::with(0.5, |_| {}), &words);
    let json: serde_json::Value = serde_json::from_str(failed.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((failed.code, &json["error"]["kind"]), (1, &"missing".into()), "{json}");
    assert!(fixture.platforms("1").is_empty());
    assert_eq!(fixture.entry_tags(), [tag("linux-amd64")], "the entry stays for the next try");
}

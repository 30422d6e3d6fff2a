//! Registries where images go with what names them: by reference counting, as in zot, and by rules that clean up
//! untagged manifests.

use testkit::loopback::{Recorded, Registry};

use super::{AMD, ARM, BOTH, OURS, RecordingClock, Shared, image, tag};

fn pruning() -> Shared {
    Shared::of(Registry::builder().prunes_children().start())
}

fn has(shared: &Shared, digest: &str) -> bool {
    shared.registry.manifest("app", digest).is_some()
}

/// The published list keeps the images of its entries, whatever becomes of these.
#[test]
fn a_published_list_outlives_its_entries() {
    let shared = pruning();
    shared.add(&[AMD, ARM]);
    let (amd, old) = (image(AMD, "").digest(), image(ARM, "").digest());
    let _ = shared.push(&["--require", BOTH]).success();
    // A leg that runs again replaces its entry; the list still names the image before it.
    let (list, new) = (shared.list(), shared.image_of(ARM, "new"));
    let _ = shared.run(&["add", "--shared", &list, &new]).success();
    assert!(has(&shared, &old));
    let _ = shared.push(&["--require", BOTH, "--purge"]).success();
    assert!(shared.entries().is_empty());
    assert_eq!(shared.platforms("1"), [AMD, ARM]);
    assert_eq!([has(&shared, &amd), has(&shared, &old)], [true, false], "nothing names the old image any more");
    let _ = shared.run(&["inspect", "--check", &list]).success();
    // What is taken back and was not published goes; another one is as good as the first.
    shared.add(&["linux/s390x"]);
    let _ = shared.run(&["remove", "--shared", &list, "linux/s390x"]).success();
    assert!(!has(&shared, &image("linux/s390x", "").digest()));
    shared.add(&["linux/s390x"]);
    let _ = shared.push(&["--require", "linux/s390x"]).success();
    assert_eq!(shared.platforms("1"), ["linux/s390x"]);
}

/// A leg that runs again between the read of its entry and the PUT of the list: the registry takes a list of an image
/// that is gone, and no tag may move to that.
#[test]
fn a_list_of_a_pruned_image_gets_no_tag() {
    let shared = pruning();
    shared.add(&[AMD, ARM]);
    let (old, new) = (image(ARM, "").digest(), shared.image_of(ARM, "new"));
    let again = shared.sandbox.command(OURS).args(["add", "--shared", "--run", "r", &shared.list(), &new]);
    shared.registry.clear();
    let _ = std::thread::scope(|scope| {
        let look = testkit::loopback::Rule::on("HEAD", "/manifests/1").nth(1);
        shared.registry.fault(look, testkit::loopback::Fault::Hang);
        let push = scope.spawn(|| shared.push(&["--require", BOTH, "--jobs", "1"]));
        let is_look = |one: &Recorded| one.method == "HEAD" && one.path.ends_with("/manifests/1");
        shared.registry.wait_until(|seen| seen.iter().any(is_look));
        let _ = again.run().success();
        assert!(!has(&shared, &old), "the old image went with its entry");
        shared.registry.release();
        push.join().expect("the push was run")
    })
    .success();
    let (_, list) = shared.registry.manifest("app", "1").expect("the list");
    let text = String::from_utf8_lossy(&list).into_owned();
    assert!(text.contains(new.rsplit('@').next().expect("a digest")) && !text.contains(&old), "{text}");
    let requests = shared.registry.requests();
    let taken = |one: &&Recorded| one.method == "PUT" && one.status == 201 && one.path.contains("/manifests/sha256:");
    let with_old = requests.iter().filter(taken).filter(|put| String::from_utf8_lossy(&put.body).contains(&old));
    assert_eq!(with_old.count(), 1, "the registry took the list of the image that was gone");
}

/// Where untagged images go as soon as an index names them, nothing can be published, and nothing is.
#[test]
fn push_reports_images_that_the_registry_deletes_at_once() {
    let shared = Shared::of(Registry::builder().loses_children().start());
    shared.add(&[AMD]);
    let words = ["push", "--shared", "--require", AMD, "--format", "json", &shared.list()];
    let failed = shared.run_with_clock(RecordingClock::with(0.5, |_| {}), &words);
    let said: serde_json::Value = serde_json::from_str(failed.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((failed.code, &said["error"]["kind"]), (1, &"missing".into()), "{said}");
    assert!(shared.platforms("1").is_empty());
    assert_eq!(shared.entries(), [tag("linux-amd64")], "the entry stays for the next try");
}

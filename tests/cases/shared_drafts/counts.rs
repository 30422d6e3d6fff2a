//! The requests of shared drafts: one PUT for each entry, 2N+3 requests for a push, and no listing of tags where
//! the names are known.

use super::{AMD, ARM, BOTH, Fixture, image, line, tag, without_listing};

#[test]
fn add_sends_one_head_and_one_put() {
    let fixture = Fixture::new();
    let (list, name) = (fixture.list(), fixture.put_image(AMD));
    let added = fixture.run(&["add", "--shared", &list, &name]).success();
    let digest = fixture.digest(&tag("linux-amd64")).expect("the entry");
    assert_eq!(added.out(), format!("{}:{}@{digest}\n", fixture.registry.name("app"), tag("linux-amd64")));
    let image = image(AMD, "");
    let expected = [
        format!("GET {}", image.digest()),
        format!("GET /v2/app/blobs/{}", image.config_digest()),
        line("PUT", "linux-amd64"),
    ];
    assert_eq!(fixture.take_request_lines(), expected);
    // The same again is the same entry.
    let repeated = fixture.run(&["add", "--shared", &list, &name]).success();
    assert_eq!(repeated, added);
}

/// The order of section "push" in `store-format.md`, "Shared drafts".
#[test]
fn shared_push_verifies_children_before_it_moves_the_tag() {
    let fixture = Fixture::new();
    without_listing(&fixture.registry);
    fixture.add(&[ARM, AMD]).take_request_lines();
    let pushed = fixture.push(&["--require", BOTH, "--jobs", "1"]).success();
    let digest = fixture.digest("1").expect("the list");
    assert_eq!(pushed.out(), format!("{digest}\n"));
    let children = [AMD, ARM].map(|platform| format!("HEAD {}", image(platform, "").digest()));
    let expected = [
        vec![line("GET", "linux-amd64"), line("GET", "linux-arm64")],
        vec!["HEAD 1".to_owned(), format!("PUT {digest}")],
        children.to_vec(),
        vec!["PUT 1".to_owned()],
    ];
    assert_eq!(fixture.take_request_lines(), expected.concat());
    // Once more: the entries, the tag and the children.
    let repeated = fixture.push(&["--require", BOTH, "--jobs", "1"]).success();
    assert_eq!(repeated, pushed);
    let expected =
        [vec![line("GET", "linux-amd64"), line("GET", "linux-arm64"), "HEAD 1".to_owned()], children.to_vec()];
    assert_eq!(fixture.take_request_lines(), expected.concat());
}

#[test]
fn shared_push_of_n_entries_sends_2n_plus_3_requests() {
    const PLATFORMS: [&str; 6] = [AMD, ARM, "linux/s390x", "linux/ppc64le", "linux/riscv64", "linux/arm/v7"];
    for number in [1, 2, 6] {
        let fixture = Fixture::new();
        without_listing(&fixture.registry);
        let platforms = &PLATFORMS[..number];
        fixture.add(platforms);
        let puts = fixture.take_request_lines().iter().filter(|line| line.starts_with("PUT")).count();
        assert_eq!(puts, number, "one PUT for each entry");
        let _ = fixture.push(&["--require", &platforms.join(",")]).success();
        assert_eq!(fixture.take_request_lines().len(), 2 * number + 3);
        let _ = fixture.push(&["--require", &platforms.join(","), "-t", "latest,2"]).success();
        // Two more tags; the list is there already, and so is its own tag.
        assert_eq!(fixture.take_request_lines().len(), 2 * number + 3 + 2);
    }
}

/// Whatever the order of adds and of flags, and whoever publishes: one digest.
#[test]
fn entries_in_any_order_give_one_digest() {
    let orders: [(&[&str], &str); 3] = [
        (&[AMD, ARM, "linux/s390x"], "linux/amd64,linux/arm64,linux/s390x"),
        (&["linux/s390x", ARM, AMD], "linux/s390x,linux/amd64,linux/arm64"),
        (&[ARM, AMD, "linux/s390x"], "linux/arm64/v8,linux/s390x,linux/x86_64"),
    ];
    let mut digests: Vec<String> = Vec::new();
    for (platforms, require) in orders {
        let fixture = Fixture::new();
        digests.push(fixture.add(platforms).push(&["--require", require]).success().out());
        digests.push(fixture.push(&["-t", "other"]).success().out());
        assert_eq!(fixture.platforms("other"), [AMD, ARM, "linux/s390x"]);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
}

/// A repository of 50,000 tags costs what an empty one costs: nothing is listed where the names are known.
#[test]
fn push_with_require_lists_no_tags() {
    let fixture = Fixture::new();
    for number in 0..50_000 {
        fixture.registry.put_manifest("app", &format!("v{number}"), testkit::image::OCI_INDEX, b"{}");
    }
    assert_eq!(fixture.registry.tags("app").len(), 50_000);
    let (list, amd64, arm64) = (fixture.list(), fixture.put_image(AMD), fixture.put_image(ARM));
    let last = ["add", "--shared", "--require", BOTH, "--if-complete", "--purge", &list, &arm64];
    let all: [&[&str]; 7] = [
        &["add", "--shared", &list, &amd64],
        &["add", "--shared", &list, &arm64],
        &["inspect", "--shared", "--require", BOTH, &list],
        &["push", "--shared", "--wait", "5m", "--require", BOTH, &list],
        &["push", "--shared", "--require", BOTH, "--purge", "-t", "latest", &list],
        &["add", "--shared", &list, &amd64],
        &last,
    ];
    let mut requests = 0;
    for words in all {
        let _ = fixture.run(words).success();
        let lines = fixture.take_request_lines();
        assert!(!lines.iter().any(|line| line.contains("/tags/list")), "{words:?}: {lines:?}");
        requests += lines.len();
    }
    assert_eq!((fixture.platforms("latest"), fixture.entry_tags()), (vec![AMD.to_owned(), ARM.to_owned()], vec![]));
    assert!(requests < 60, "{requests} requests");
}

/// Names that cannot be known take one listing.
#[test]
fn push_lists_tags_once_for_a_windows_image_without_a_build() {
    let fixture = Fixture::new();
    let windows = testkit::image::Image::oci().platform("windows", "amd64").os_version("10.0.20348.2340").build();
    let digest = fixture.registry.put_image("app", &windows.digest(), &windows);
    let name = fixture.registry.name(&format!("app@{digest}"));
    let _ = fixture.run(&["add", "--shared", &fixture.list(), &name]).success();
    assert_eq!(fixture.entry_tags(), [tag("windows-amd64-10_0_20348")]);
    fixture.add(&[AMD]).take_request_lines();
    let _ = fixture.push(&["--require", "windows/amd64,linux/amd64"]).success();
    let lines = fixture.take_request_lines();
    assert_eq!(lines.iter().filter(|line| line.contains("/tags/list")).count(), 1, "{lines:?}");
    assert_eq!(fixture.platforms("1"), [AMD, "windows/amd64"]);
    without_listing(&fixture.registry);
    let _ = fixture.push(&["--require", "windows/amd64:10.0.20348,linux/amd64"]).success();
}

/// Without `--require` one listing finds what there is, on several pages and unsorted as it may be.
#[test]
fn push_without_require_lists_tags_once() {
    let fixture = Fixture::with_registry(testkit::loopback::Registry::builder().page_limit(2).start());
    fixture.add(&[AMD, ARM, "linux/s390x"]);
    let other = fixture.sandbox.command(super::OURS).args(["add", "--shared", "--run", "other", &fixture.list()]);
    let _ = other.arg(fixture.put_image("linux/riscv64")).run().success();
    let pushed = fixture.push(&[]).success();
    assert!(pushed.err().contains("without --require"), "{}", pushed.err());
    assert_eq!(fixture.platforms("1"), [AMD, ARM, "linux/s390x"]);
}

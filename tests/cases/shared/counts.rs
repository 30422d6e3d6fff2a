//! What the commands ask of a registry: one PUT for each entry, 2N+3 requests for a push, and no listing where the
//! names are known.

use super::{AMD, ARM, BOTH, Shared, image, line, tag, without_listing};

#[test]
fn an_add_is_a_look_at_the_image_and_one_put() {
    let shared = Shared::new();
    let (list, name) = (shared.list(), shared.image(AMD));
    let added = shared.run(&["add", "--shared", &list, &name]).success();
    let digest = shared.digest(&tag("linux-amd64")).expect("the entry");
    assert_eq!(added.out(), format!("{}:{}@{digest}\n", shared.registry.name("app"), tag("linux-amd64")));
    let image = image(AMD, "");
    let expected = [
        format!("GET {}", image.digest()),
        format!("GET /v2/app/blobs/{}", image.config_digest()),
        line("PUT", "linux-amd64"),
    ];
    assert_eq!(shared.lines(), expected);
    // The same again is the same entry.
    let again = shared.run(&["add", "--shared", &list, &name]).success();
    assert_eq!(again, added);
}

/// The order of section "push" in `store-format.md`, "Shared drafts".
#[test]
fn a_push_reads_looks_puts_looks_and_moves_the_tag() {
    let shared = Shared::new();
    without_listing(&shared.registry);
    shared.add(&[ARM, AMD]).lines();
    let pushed = shared.push(&["--require", BOTH, "--jobs", "1"]).success();
    let digest = shared.digest("1").expect("the list");
    assert_eq!(pushed.out(), format!("{digest}\n"));
    let children = [AMD, ARM].map(|platform| format!("HEAD {}", image(platform, "").digest()));
    let expected = [
        vec![line("GET", "linux-amd64"), line("GET", "linux-arm64")],
        vec!["HEAD 1".to_owned(), format!("PUT {digest}")],
        children.to_vec(),
        vec!["PUT 1".to_owned()],
    ];
    assert_eq!(shared.lines(), expected.concat());
    // Once more: the entries, the tag and the children.
    let again = shared.push(&["--require", BOTH, "--jobs", "1"]).success();
    assert_eq!(again, pushed);
    let expected =
        [vec![line("GET", "linux-amd64"), line("GET", "linux-arm64"), "HEAD 1".to_owned()], children.to_vec()];
    assert_eq!(shared.lines(), expected.concat());
}

#[test]
fn a_push_of_n_entries_takes_two_n_and_three_requests_and_each_further_tag_two() {
    const PLATFORMS: [&str; 6] = [AMD, ARM, "linux/s390x", "linux/ppc64le", "linux/riscv64", "linux/arm/v7"];
    for number in [1, 2, 6] {
        let shared = Shared::new();
        without_listing(&shared.registry);
        let platforms = &PLATFORMS[..number];
        shared.add(platforms);
        let puts = shared.lines().iter().filter(|line| line.starts_with("PUT")).count();
        assert_eq!(puts, number, "one PUT for each entry");
        let _ = shared.push(&["--require", &platforms.join(",")]).success();
        assert_eq!(shared.lines().len(), 2 * number + 3);
        let _ = shared.push(&["--require", &platforms.join(","), "-t", "latest,2"]).success();
        // Two more tags; the list is there already, and so is its own tag.
        assert_eq!(shared.lines().len(), 2 * number + 3 + 2);
    }
}

/// Whatever the order of adds and of flags, and whoever publishes: one digest.
#[test]
fn every_order_gives_one_digest() {
    let orders: [(&[&str], &str); 3] = [
        (&[AMD, ARM, "linux/s390x"], "linux/amd64,linux/arm64,linux/s390x"),
        (&["linux/s390x", ARM, AMD], "linux/s390x,linux/amd64,linux/arm64"),
        (&[ARM, AMD, "linux/s390x"], "linux/arm64/v8,linux/s390x,linux/x86_64"),
    ];
    let mut digests: Vec<String> = Vec::new();
    for (platforms, require) in orders {
        let shared = Shared::new();
        digests.push(shared.add(platforms).push(&["--require", require]).success().out());
        digests.push(shared.push(&["-t", "other"]).success().out());
        assert_eq!(shared.platforms("other"), [AMD, ARM, "linux/s390x"]);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
}

/// A repository of 50,000 tags costs what an empty one costs: nothing is listed where the names are known.
#[test]
fn fifty_thousand_tags_cost_nothing_where_the_names_are_known() {
    let shared = Shared::new();
    for number in 0..50_000 {
        shared.registry.put_manifest("app", &format!("v{number}"), testkit::image::OCI_INDEX, b"{}");
    }
    assert_eq!(shared.registry.tags("app").len(), 50_000);
    let (list, amd, arm) = (shared.list(), shared.image(AMD), shared.image(ARM));
    let last = ["add", "--shared", "--require", BOTH, "--if-complete", "--purge", &list, &arm];
    let all: [&[&str]; 7] = [
        &["add", "--shared", &list, &amd],
        &["add", "--shared", &list, &arm],
        &["inspect", "--shared", "--require", BOTH, &list],
        &["push", "--shared", "--wait", "5m", "--require", BOTH, &list],
        &["push", "--shared", "--require", BOTH, "--purge", "-t", "latest", &list],
        &["add", "--shared", &list, &amd],
        &last,
    ];
    let mut requests = 0;
    for words in all {
        let _ = shared.run(words).success();
        let lines = shared.lines();
        assert!(!lines.iter().any(|line| line.contains("/tags/list")), "{words:?}: {lines:?}");
        requests += lines.len();
    }
    assert_eq!((shared.platforms("latest"), shared.entries()), (vec![AMD.to_owned(), ARM.to_owned()], vec![]));
    assert!(requests < 60, "{requests} requests");
}

/// Names that cannot be known take one listing.
#[test]
fn a_windows_image_without_its_build_takes_one_listing() {
    let shared = Shared::new();
    let windows = testkit::image::Image::oci().platform("windows", "amd64").os_version("10.0.20348.2340").build();
    let digest = shared.registry.put_image("app", &windows.digest(), &windows);
    let name = shared.registry.name(&format!("app@{digest}"));
    let _ = shared.run(&["add", "--shared", &shared.list(), &name]).success();
    assert_eq!(shared.entries(), [tag("windows-amd64-10_0_20348")]);
    shared.add(&[AMD]).lines();
    let _ = shared.push(&["--require", "windows/amd64,linux/amd64"]).success();
    let lines = shared.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("/tags/list")).count(), 1, "{lines:?}");
    assert_eq!(shared.platforms("1"), [AMD, "windows/amd64"]);
    without_listing(&shared.registry);
    let _ = shared.push(&["--require", "windows/amd64:10.0.20348,linux/amd64"]).success();
}

/// Without `--require` one listing finds what there is, on several pages and unsorted as it may be.
#[test]
fn without_require_one_listing_finds_all_entries_of_the_run() {
    let shared = Shared::of(testkit::loopback::Registry::builder().page_limit(2).start());
    shared.add(&[AMD, ARM, "linux/s390x"]);
    let other = shared.sandbox.command(super::OURS).args(["add", "--shared", "--run", "other", &shared.list()]);
    let _ = other.arg(shared.image("linux/riscv64")).run().success();
    let pushed = shared.push(&[]).success();
    assert!(pushed.err().contains("without --require"), "{}", pushed.err());
    assert_eq!(shared.platforms("1"), [AMD, ARM, "linux/s390x"]);
}

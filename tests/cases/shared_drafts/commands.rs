//! The commands of shared drafts: what they print, what they refuse, and where the run comes from.

use testkit::image::Image;
use testkit::image::fixtures::buildx_index;

use super::{AMD, ARM, BOTH, Fixture, OURS, image, tag};

#[test]
fn add_prints_the_entry_as_text_json_or_digest() {
    let fixture = Fixture::new();
    let (list, name) = (fixture.list(), fixture.put_image(AMD));
    let json = fixture.run(&["add", "--shared", "--format", "json", &list, &name]).success();
    let printed: serde_json::Value = serde_json::from_str(&json.out()).expect("JSON");
    let digest = fixture.digest(&tag("linux-amd64")).expect("an entry");
    let reference = format!("{}:{}", fixture.registry.name("app"), tag("linux-amd64"));
    assert_eq!(printed, serde_json::json!({"reference": reference, "digest": digest, "key": AMD, "run": "r"}));
    let quiet = fixture.run(&["add", "--shared", "-q", &list, &name]).success();
    assert_eq!(quiet.out(), format!("{digest}\n"));
}

/// An index becomes one entry for each platform, with the attestation of its image.
#[test]
fn add_stores_one_entry_for_each_platform_of_an_index() {
    let fixture = Fixture::new();
    let index = buildx_index(&[AMD, ARM]);
    fixture.registry.put_index("app", "built", &index);
    let added = fixture.run(&["add", "--shared", &fixture.list(), &fixture.registry.name("app:built")]).success();
    assert_eq!(added.out().lines().count(), 2, "{}", added.out());
    assert_eq!(fixture.entry_tags(), [tag("linux-amd64"), tag("linux-arm64")]);
    let _ = fixture.push(&["--require", BOTH]).success();
    // Images by their keys, attestations behind all images.
    assert_eq!(fixture.platforms("1"), [AMD, ARM, "unknown/unknown", "unknown/unknown"]);
    let dropped = ["add", "--shared", "--attestations", "drop", "--platform", ARM];
    let _ = fixture.run(&[&dropped[..], &[&fixture.list(), &fixture.registry.name("app:built")]].concat()).success();
    let _ = fixture.push(&["--require", BOTH]).success();
    assert_eq!(fixture.platforms("1"), [AMD, ARM, "unknown/unknown"]);
}

/// The image is in the list's repository when the list is published, also in the command that brings it.
#[test]
fn add_of_a_layout_completes_the_list() {
    let fixture = Fixture::new();
    fixture.registry.put_image("built", "1", &image(ARM, ""));
    let _ = fixture.run(&["copy", "--quiet", &fixture.registry.name("built:1"), "oci:./built:1"]).success();
    let (list, mirror) = (fixture.add(&[AMD]).list(), fixture.registry.name("mirror:1"));
    fixture.registry.clear_record();
    let complete = ["add", "--shared", "--if-complete", "--require", BOTH, "-t", &mirror, &list, "oci:./built:1"];
    let _ = fixture.run(&complete).success();
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
    let requests = fixture.registry.requests();
    let count = |method: &str, start: &str| {
        requests.iter().filter(|request| request.method == method && request.target.starts_with(start)).count()
    };
    assert_eq!(count("PUT", "/v2/mirror/blobs/"), 0, "they are mounted from the list's repository");
    assert_eq!(count("PUT", "/v2/mirror/manifests/"), 4, "two images, the list, and its tag");
}

/// Flags describe the image, and decide the entry.
#[test]
fn add_flags_set_the_platform_of_an_entry() {
    let fixture = Fixture::new();
    let (list, name) = (fixture.list(), fixture.put_image(AMD));
    let flags = ["add", "--shared", "--os", "linux", "--arch", "arm", "--variant", "v6", "--annotation", "a=b"];
    let _ = fixture.run(&[&flags[..], &[&list, &name]].concat()).success();
    assert_eq!(fixture.entry_tags(), [tag("linux-arm-v6")]);
    let _ = fixture.push(&["--require", "linux/arm/v6"]).success();
    let (_, bytes) = fixture.registry.manifest("app", "1").expect("the list");
    assert!(String::from_utf8_lossy(&bytes).contains(r#""a": "b""#));
}

#[test]
fn add_names_an_entry_by_key() {
    let fixture = Fixture::new();
    let chart = Image::oci().config_media_type("application/vnd.cncf.helm.config.v1+json").config_raw("{}").build();
    let digest = fixture.registry.put_image("app", &chart.digest(), &chart);
    let name = fixture.registry.name(&format!("app@{digest}"));
    let failed = fixture.run(&["add", "--shared", &fixture.list(), &name]);
    assert_eq!(failed.code, 1);
    assert!(failed.err().contains("--key"), "{}", failed.err());
    let _ = fixture.run(&["add", "--shared", "--key", "chart", &fixture.list(), &name]).success();
    fixture.add(&[AMD]);
    assert_eq!(fixture.entry_tags(), [tag("chart"), tag("linux-amd64")]);
    let _ = fixture.push(&["--type", "oci"]).success();
    let (_, bytes) = fixture.registry.manifest("app", "1").expect("the list");
    assert!(String::from_utf8_lossy(&bytes).contains(&digest));
    // A named entry of a required platform is found by the one listing at the end.
    let fips = ["add", "--shared", "--key", "fips", "--if-complete", "--wait", "0", "--require", BOTH];
    let output = fixture.run(&[&fips[..], &[&fixture.list(), &fixture.put_image(ARM)]].concat()).success();
    assert!(!output.err().contains("not published"), "{}", output.err());
    assert_eq!(fixture.platforms("1"), [ARM, AMD], "by their keys: fips, linux-amd64");
    for wrong in ["linux-arm64", "a.b", ""] {
        let refused = fixture.run(&["add", "--shared", "--key", wrong, &fixture.list(), &name]);
        assert_eq!(refused.code, 125, "{wrong}: {}", refused.err());
    }
}

#[test]
fn add_refuses_two_images_for_one_entry() {
    let fixture = Fixture::new();
    let (list, image, other) = (fixture.list(), fixture.put_image(AMD), fixture.put_another_image(AMD, "other"));
    let failed = fixture.run(&["add", "--shared", &list, &image, &other]);
    assert_eq!(failed.code, 1);
    assert!(failed.err().contains("linux/amd64 would have two entries"), "{}", failed.err());
    let failed = fixture.run(&["add", "--shared", "--key", "x", &list, &image, &other]);
    assert!(failed.err().contains("--key names one image"), "{}", failed.err());
    assert!(fixture.entry_tags().is_empty());
}

#[test]
fn inspect_shows_what_push_would_publish_and_what_is_missing() {
    let fixture = Fixture::new();
    let none = fixture.run(&["inspect", "--shared", &fixture.list()]);
    assert_eq!(none.code, 3, "{}", none.err());
    fixture.add(&[AMD, ARM]);
    let shown =
        fixture.run(&["inspect", "--shared", "--require", "linux/amd64,linux/arm64,linux/s390x", &fixture.list()]);
    assert_eq!(shown.clone().success().err(), "missing: linux/s390x\n");
    let _ = fixture.push(&["--require", BOTH]).success();
    let published = fixture.run(&["inspect", "--remote", &fixture.list()]).success();
    assert_eq!(shown.out(), published.out());
    let table = fixture.run(&["inspect", "--shared", "--format", "table", &fixture.list()]).success();
    assert!(table.out().contains(ARM), "{}", table.out());
}

#[test]
fn ls_shows_entries_by_list_run_and_key() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let _ = fixture.push(&["--require", BOTH]).success();
    fixture.add(&["linux/s390x"]);
    let other = fixture.registry.name("app:2");
    let _ = fixture.run(&["add", "--shared", &other, &fixture.put_image(AMD)]).success();
    let json = fixture.run(&["ls", "--shared", "--format", "json", &fixture.registry.name("app")]).success();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json.out()).expect("JSON");
    let row = |row: &serde_json::Value| format!("{} {} {} {}", row["list"], row["run"], row["key"], row["published"]);
    let rows: Vec<String> =
        rows.iter().map(row).map(|row| row.replace('"', "").replace(&fixture.registry.name(""), "")).collect();
    let expected = [
        "app:1 r linux/amd64 true",
        "app:1 r linux/arm64 true",
        "app:1 r linux/s390x false",
        "app:2 r linux/amd64 false",
    ];
    assert_eq!(rows, expected);
    let quiet = fixture.run(&["ls", "--shared", "-q", &other]).success();
    assert_eq!(quiet.out().lines().count(), 1);
    let table = fixture.run(&["ls", "--shared", &fixture.list()]).success();
    assert_eq!(table.out().lines().count(), 4, "{}", table.out());
}

/// The CI system names the run; two runs do not see each other's entries.
#[test]
fn the_run_is_read_from_the_ci_system() {
    let fixture = Fixture::new();
    let (list, name) = (fixture.list(), fixture.put_image(AMD));
    let github = [("GITHUB_REPOSITORY_ID", "1"), ("GITHUB_RUN_ID", "2"), ("GITHUB_RUN_ATTEMPT", "1")];
    let run = |words: &[&str], variables: &[(&str, &str)]| {
        let run = fixture.sandbox.command(OURS).args(words.iter().copied());
        variables.iter().fold(run, |run, (name, value)| run.env(*name, *value)).run()
    };
    let added = run(&["add", "--shared", "--format", "json", &list, &name], &github).success();
    assert!(added.out().contains("github:1:2"), "{}", added.out());
    assert_eq!(added.err(), "");
    let gitlab = [("CI_PIPELINE_ID", "7")];
    assert_eq!(run(&["push", "--shared", "--require", AMD, &list], &gitlab).code, 3);
    let _ = run(&["push", "--shared", "--require", AMD, "--run", "github:1:2", &list], &gitlab).success();
    // Without one, all commands share their entries; that is said.
    let none = run(&["add", "--shared", &list, &name], &[]).success();
    assert!(none.out().contains("draft.1.0.linux-amd64@"), "{}", none.out());
    assert!(none.err().contains("all runs share their entries"), "{}", none.err());
    let invalid_run = run(&["add", "--shared", &list, &name], &[("DOCKER_MANIFEST_RUN", "a\nb")]);
    assert_eq!(invalid_run.code, 1);
    assert!(invalid_run.err().contains("cannot be used"), "{}", invalid_run.err());
}

#[test]
fn add_refuses_an_image_that_is_not_required_and_stores_nothing() {
    let fixture = Fixture::new();
    let words = ["add", "--shared", "--require", BOTH, "--if-complete"];
    let failed = fixture.run(&[&words[..], &[&fixture.list(), &fixture.put_image("linux/s390x")]].concat());
    assert_eq!(failed.code, 1);
    assert!(failed.err().contains("linux/s390x is not among the platforms that --require names"), "{}", failed.err());
    assert!(fixture.entry_tags().is_empty());
}

#[test]
fn shared_push_dry_run_sends_no_write() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]).take_request_lines();
    let dry_run = fixture.push(&["--dry-run", "--require", BOTH]).success();
    assert!(dry_run.out().contains(&image(ARM, "").digest()[..19]), "{}", dry_run.out());
    assert!(!fixture.take_request_lines().iter().any(|line| line.starts_with("PUT") || line.starts_with("DELETE")));
    assert!(fixture.platforms("1").is_empty());
}

/// Flags that go together, and with their words: each mistake is exit code 125, before any request.
#[test]
fn shared_commands_refuse_contradictory_flags() {
    let fixture = Fixture::new();
    let digest = format!("{}@{}", fixture.list(), image(AMD, "").digest());
    let mistakes: [&[&str]; 20] = [
        &["push", "--shared", &digest],
        &["add", "--shared", &digest, "i"],
        &["push", "--run", "x", "l"],
        &["push", "--wait", "5m", "l"],
        &["push", "--shared", "--wait", "5m", "l"],
        &["push", "--shared", "--if-complete", "l"],
        &["push", "--if-complete", "--require", AMD, "l"],
        &["push", "--shared", "--require", AMD, "--entry", &image(AMD, "").digest(), "l"],
        &["push", "--shared", "--entry", "x", "l"],
        &["add", "--key", "x", "l", "i"],
        &["add", "--shared", "--require", AMD, "l", "i"],
        &["add", "--shared", "--purge", "l", "i"],
        &["add", "--shared", "--offline", "l", "i"],
        &["add", "--format", "json", "l", "i"],
        &["ls", "l"],
        &["ls", "--shared"],
        &["prune", "--shared"],
        &["prune", "--shared", "--older-than", "1d", "r"],
        &["inspect", "--shared", "--local", "l"],
        &["remove", "--insecure", "l", AMD],
    ];
    for words in mistakes {
        assert_eq!(fixture.run(words).code, 125, "{words:?}");
    }
    assert!(fixture.registry.requests().is_empty());
}

#[test]
fn shared_push_takes_verify_and_refuses_by_digest() {
    let fixture = Fixture::new();
    let _ = fixture.add(&[AMD, ARM]);
    let refused = fixture.push(&["--by-digest"]);
    assert_eq!((refused.code, fixture.digest("1")), (125, None), "{}", refused.err());
    let pushed = fixture.push(&["--require", BOTH, "--verify", "--format", "json"]).success();
    let json: serde_json::Value = serde_json::from_str(&pushed.out()).expect("JSON");
    assert_eq!((&json["verified"]["names"], &json["verified"]["manifests"]), (&1.into(), &2.into()), "{json}");
    let refused = fixture.run(&["add", "--shared", "--verify", &fixture.list(), &fixture.put_image(AMD)]);
    assert_eq!(refused.code, 125, "{}", refused.err());
}

/// What this machine lacks is said before an entry is stored or waited for.
#[test]
fn shared_push_reads_local_files_before_any_request() {
    let fixture = Fixture::new();
    let (list, name) = (fixture.list(), fixture.put_image(AMD));
    let complete = ["--if-complete", "--require", AMD, list.as_str(), name.as_str()];
    for (flags, line) in [
        (&["--format", "github"][..], "GITHUB_OUTPUT is not set"),
        (&["--only-from", "none"], "cannot read none: "),
        (&["--digest-file", "none/d"], "cannot write none/d: "),
    ] {
        let added = fixture.run(&[&["add", "--shared"], flags, &complete].concat());
        let pushed = fixture.push(&[flags, &["--wait", "30m", "--require", AMD]].concat());
        for refused in [added, pushed] {
            assert_eq!((refused.code, refused.first_err_line().starts_with(line)), (1, true), "{}", refused.err());
        }
    }
    let table = fixture.run(&["add", "--shared", "--format", "markdown", &list, &name]);
    assert_eq!(
        (table.code, table.first_err_line().as_str()),
        (125, "missing argument: --format markdown needs --if-complete")
    );
    assert_eq!(fixture.entry_tags(), Vec::<String>::new());
}

/// `--only-from` reads what `add` prints, with and without `--format json`, and standard input.
#[test]
fn shared_push_accepts_the_entries_that_add_printed() {
    let fixture = Fixture::new();
    let add = |flags: &[&str], platform| {
        let (list, name) = (fixture.list(), fixture.put_image(platform));
        fixture.run(&[&["add", "--shared"], flags, &[list.as_str(), name.as_str()]].concat()).success().out()
    };
    let (text, json) = (add(&[], AMD) + &add(&[], ARM), add(&["--format", "json"], AMD));
    let push = |stdin: &str| {
        let words = ["push", "--shared", "--dry-run", "--format", "json", "--only-from", "-", "--require", BOTH];
        let run = fixture.sandbox.command(OURS).args(words).arg(fixture.list()).env("DOCKER_MANIFEST_RUN", "r");
        run.stdin(stdin).run()
    };
    let previewed = push(&text).success();
    let printed: serde_json::Value = serde_json::from_str(&previewed.out()).expect("JSON");
    assert_eq!((&printed["dryRun"], &printed["published"]), (&true.into(), &false.into()));
    let _ = push(&(json.clone() + &add(&["--format", "json"], ARM))).success();
    for (stdin, expected) in
        [(json.as_str(), "linux-arm64"), ("{}", "missing field `digest`"), ("{\"digest\":1}", "string")]
    {
        let refused = push(stdin);
        assert_eq!((refused.code, refused.err().contains(expected)), (1, true), "{}", refused.err());
    }
}

//! The commands as users see them: what they print, what they refuse, and where the run comes from.

use testkit::image::Image;
use testkit::image::fixtures::buildx_index;

use super::{AMD, ARM, BOTH, OURS, Shared, image, tag};

#[test]
fn add_prints_the_entry_as_text_json_or_digest() {
    let shared = Shared::new();
    let (list, name) = (shared.list(), shared.image(AMD));
    let json = shared.run(&["add", "--shared", "--format", "json", &list, &name]).success();
    let said: serde_json::Value = serde_json::from_str(&json.out()).expect("JSON");
    let digest = shared.digest(&tag("linux-amd64")).expect("an entry");
    let reference = format!("{}:{}", shared.registry.name("app"), tag("linux-amd64"));
    assert_eq!(said, serde_json::json!({"reference": reference, "digest": digest, "key": AMD, "run": "r"}));
    let quiet = shared.run(&["add", "--shared", "-q", &list, &name]).success();
    assert_eq!(quiet.out(), format!("{digest}\n"));
}

/// An index becomes one entry for each platform, with the attestation of its image.
#[test]
fn an_index_is_one_entry_for_each_platform() {
    let shared = Shared::new();
    let index = buildx_index(&[AMD, ARM]);
    shared.registry.put_index("app", "built", &index);
    let added = shared.run(&["add", "--shared", &shared.list(), &shared.registry.name("app:built")]).success();
    assert_eq!(added.out().lines().count(), 2, "{}", added.out());
    assert_eq!(shared.entries(), [tag("linux-amd64"), tag("linux-arm64")]);
    let _ = shared.push(&["--require", BOTH]).success();
    // Images by their keys, attestations behind all images.
    assert_eq!(shared.platforms("1"), [AMD, ARM, "unknown/unknown", "unknown/unknown"]);
    let dropped = ["add", "--shared", "--attestations", "drop", "--platform", ARM];
    let _ = shared.run(&[&dropped[..], &[&shared.list(), &shared.registry.name("app:built")]].concat()).success();
    let _ = shared.push(&["--require", BOTH]).success();
    assert_eq!(shared.platforms("1"), [AMD, ARM, "unknown/unknown"]);
}

/// Flags describe the image, and decide the entry.
#[test]
fn flags_describe_the_image() {
    let shared = Shared::new();
    let (list, name) = (shared.list(), shared.image(AMD));
    let flags = ["add", "--shared", "--os", "linux", "--arch", "arm", "--variant", "v6", "--annotation", "a=b"];
    let _ = shared.run(&[&flags[..], &[&list, &name]].concat()).success();
    assert_eq!(shared.entries(), [tag("linux-arm-v6")]);
    let _ = shared.push(&["--require", "linux/arm/v6"]).success();
    let (_, bytes) = shared.registry.manifest("app", "1").expect("the list");
    assert!(String::from_utf8_lossy(&bytes).contains(r#""a": "b""#));
}

#[test]
fn an_entry_can_have_a_name() {
    let shared = Shared::new();
    let chart = Image::oci().config_media_type("application/vnd.cncf.helm.config.v1+json").config_raw("{}").build();
    let digest = shared.registry.put_image("app", &chart.digest(), &chart);
    let name = shared.registry.name(&format!("app@{digest}"));
    let failed = shared.run(&["add", "--shared", &shared.list(), &name]);
    assert_eq!(failed.code, 1);
    assert!(failed.err().contains("--key"), "{}", failed.err());
    let _ = shared.run(&["add", "--shared", "--key", "chart", &shared.list(), &name]).success();
    shared.add(&[AMD]);
    assert_eq!(shared.entries(), [tag("chart"), tag("linux-amd64")]);
    let _ = shared.push(&["--type", "oci"]).success();
    let (_, bytes) = shared.registry.manifest("app", "1").expect("the list");
    assert!(String::from_utf8_lossy(&bytes).contains(&digest));
    // A named entry of a required platform is found by the one listing at the end.
    let fips = ["add", "--shared", "--key", "fips", "--if-complete", "--wait", "0", "--require", BOTH];
    let done = shared.run(&[&fips[..], &[&shared.list(), &shared.image(ARM)]].concat()).success();
    assert!(!done.err().contains("not published"), "{}", done.err());
    assert_eq!(shared.platforms("1"), [ARM, AMD], "by their keys: fips, linux-amd64");
    for wrong in ["linux-arm64", "a.b", ""] {
        let refused = shared.run(&["add", "--shared", "--key", wrong, &shared.list(), &name]);
        assert_eq!(refused.code, 125, "{wrong}: {}", refused.err());
    }
}

#[test]
fn two_images_for_one_entry_are_refused() {
    let shared = Shared::new();
    let (list, one, other) = (shared.list(), shared.image(AMD), shared.image_of(AMD, "other"));
    let failed = shared.run(&["add", "--shared", &list, &one, &other]);
    assert_eq!(failed.code, 1);
    assert!(failed.err().contains("linux/amd64 would have two entries"), "{}", failed.err());
    let failed = shared.run(&["add", "--shared", "--key", "x", &list, &one, &other]);
    assert!(failed.err().contains("--key names one image"), "{}", failed.err());
    assert!(shared.entries().is_empty());
}

#[test]
fn inspect_shows_what_push_would_publish_and_what_is_missing() {
    let shared = Shared::new();
    let none = shared.run(&["inspect", "--shared", &shared.list()]);
    assert_eq!(none.code, 3, "{}", none.err());
    shared.add(&[AMD, ARM]);
    let shown =
        shared.run(&["inspect", "--shared", "--require", "linux/amd64,linux/arm64,linux/s390x", &shared.list()]);
    assert_eq!(shown.clone().success().err(), "missing: linux/s390x\n");
    let _ = shared.push(&["--require", BOTH]).success();
    let published = shared.run(&["inspect", "--remote", &shared.list()]).success();
    assert_eq!(shown.out(), published.out());
    let table = shared.run(&["inspect", "--shared", "--format", "table", &shared.list()]).success();
    assert!(table.out().contains(ARM), "{}", table.out());
}

#[test]
fn ls_shows_entries_by_list_run_and_key() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]);
    let _ = shared.push(&["--require", BOTH]).success();
    shared.add(&["linux/s390x"]);
    let other = shared.registry.name("app:2");
    let _ = shared.run(&["add", "--shared", &other, &shared.image(AMD)]).success();
    let json = shared.run(&["ls", "--shared", "--format", "json", &shared.registry.name("app")]).success();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json.out()).expect("JSON");
    let row = |row: &serde_json::Value| format!("{} {} {} {}", row["list"], row["run"], row["key"], row["published"]);
    let rows: Vec<String> =
        rows.iter().map(row).map(|row| row.replace('"', "").replace(&shared.registry.name(""), "")).collect();
    let expected = [
        "app:1 r linux/amd64 true",
        "app:1 r linux/arm64 true",
        "app:1 r linux/s390x false",
        "app:2 r linux/amd64 false",
    ];
    assert_eq!(rows, expected);
    let quiet = shared.run(&["ls", "--shared", "-q", &other]).success();
    assert_eq!(quiet.out().lines().count(), 1);
    let table = shared.run(&["ls", "--shared", &shared.list()]).success();
    assert_eq!(table.out().lines().count(), 4, "{}", table.out());
}

/// The CI system names the run; two runs do not see each other's entries.
#[test]
fn the_run_comes_from_the_ci_system() {
    let shared = Shared::new();
    let (list, name) = (shared.list(), shared.image(AMD));
    let github = [("GITHUB_REPOSITORY_ID", "1"), ("GITHUB_RUN_ID", "2"), ("GITHUB_RUN_ATTEMPT", "1")];
    let run = |words: &[&str], variables: &[(&str, &str)]| {
        let run = shared.sandbox.command(OURS).args(words.iter().copied());
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
    let wrong = run(&["add", "--shared", &list, &name], &[("DOCKER_MANIFEST_RUN", "a\nb")]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err().contains("cannot be used"), "{}", wrong.err());
}

#[test]
fn an_image_that_is_not_required_is_refused_before_anything_is_stored() {
    let shared = Shared::new();
    let words = ["add", "--shared", "--require", BOTH, "--if-complete"];
    let failed = shared.run(&[&words[..], &[&shared.list(), &shared.image("linux/s390x")]].concat());
    assert_eq!(failed.code, 1);
    assert!(failed.err().contains("linux/s390x is not among the platforms that --require names"), "{}", failed.err());
    assert!(shared.entries().is_empty());
}

#[test]
fn a_dry_run_sends_nothing() {
    let shared = Shared::new();
    shared.add(&[AMD, ARM]).lines();
    let dry = shared.push(&["--dry-run", "--require", BOTH]).success();
    assert!(dry.out().contains(&image(ARM, "").digest()[..19]), "{}", dry.out());
    assert!(!shared.lines().iter().any(|line| line.starts_with("PUT") || line.starts_with("DELETE")));
    assert!(shared.platforms("1").is_empty());
}

/// Flags that go together, and with their words: each mistake is exit code 125, before any request.
#[test]
fn flags_that_make_no_sense_are_refused() {
    let shared = Shared::new();
    let digest = format!("{}@{}", shared.list(), image(AMD, "").digest());
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
        assert_eq!(shared.run(words).code, 125, "{words:?}");
    }
    assert!(shared.registry.requests().is_empty());
}

#[test]
fn a_push_is_read_back_and_always_moves_the_tag() {
    let shared = Shared::new();
    let _ = shared.add(&[AMD, ARM]);
    let refused = shared.push(&["--by-digest"]);
    assert_eq!((refused.code, shared.digest("1")), (125, None), "{}", refused.err());
    let pushed = shared.push(&["--require", BOTH, "--verify", "--format", "json"]).success();
    let told: serde_json::Value = serde_json::from_str(&pushed.out()).expect("JSON");
    assert_eq!((&told["verified"]["names"], &told["verified"]["manifests"]), (&1.into(), &2.into()), "{told}");
    let refused = shared.run(&["add", "--shared", "--verify", &shared.list(), &shared.image(AMD)]);
    assert_eq!(refused.code, 125, "{}", refused.err());
}

/// What this machine lacks is said before an entry is stored or waited for.
#[test]
fn files_of_this_machine_are_looked_at_first() {
    let shared = Shared::new();
    let (list, name) = (shared.list(), shared.image(AMD));
    let complete = ["--if-complete", "--require", AMD, list.as_str(), name.as_str()];
    for (flags, line) in [
        (&["--format", "github"][..], "GITHUB_OUTPUT is not set"),
        (&["--only-from", "none"], "cannot read none: "),
        (&["--digest-file", "none/d"], "cannot write none/d: "),
    ] {
        let added = shared.run(&[&["add", "--shared"], flags, &complete].concat());
        let pushed = shared.push(&[flags, &["--wait", "30m", "--require", AMD]].concat());
        for refused in [added, pushed] {
            assert_eq!((refused.code, refused.first_err_line().starts_with(line)), (1, true), "{}", refused.err());
        }
    }
    let table = shared.run(&["add", "--shared", "--format", "markdown", &list, &name]);
    assert_eq!(
        (table.code, table.first_err_line().as_str()),
        (125, "missing argument: --format markdown needs --if-complete")
    );
    assert_eq!(shared.entries(), Vec::<String>::new());
}

/// `--only-from` reads what `add` prints, with and without `--format json`, and standard input.
#[test]
fn entries_are_allowed_by_what_add_printed() {
    let shared = Shared::new();
    let add = |flags: &[&str], platform| {
        let (list, name) = (shared.list(), shared.image(platform));
        shared.run(&[&["add", "--shared"], flags, &[list.as_str(), name.as_str()]].concat()).success().out()
    };
    let (text, json) = (add(&[], AMD) + &add(&[], ARM), add(&["--format", "json"], AMD));
    let push = |stdin: &str| {
        let words = ["push", "--shared", "--dry-run", "--format", "json", "--only-from", "-", "--require", BOTH];
        let run = shared.sandbox.command(OURS).args(words).arg(shared.list()).env("DOCKER_MANIFEST_RUN", "r");
        run.stdin(stdin).run()
    };
    let previewed = push(&text).success();
    let told: serde_json::Value = serde_json::from_str(&previewed.out()).expect("JSON");
    assert_eq!((&told["dryRun"], &told["published"]), (&true.into(), &false.into()));
    let _ = push(&(json.clone() + &add(&["--format", "json"], ARM))).success();
    for (stdin, said) in
        [(json.as_str(), "linux-arm64"), ("{}", "missing field `digest`"), ("{\"digest\":1}", "string")]
    {
        let refused = push(stdin);
        assert_eq!((refused.code, refused.err().contains(said)), (1, true), "{}", refused.err());
    }
}

//! `--push` of `create`, `add`, `remove` and `annotate`: one step, no draft. A concurrent change by another client
//! is reported.

use serde_json::Value;
use testkit::image::Image;
use testkit::image::fixtures::{buildx_image, buildx_index};
use testkit::loopback::{Fault, RecordedRequest, Registry, Rule};
use testkit::sandbox::Output;

use super::fixture::Fixture;

/// With a list of two images under app:1, and images by their architecture.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.registry.put_index("app", "1", &buildx_index(&["linux/amd64", "linux/arm64"]));
    for arch in ["amd64", "arm64", "s390x", "riscv64"] {
        fixture.registry.put_image("app", arch, &image(arch));
    }
    fixture
}

fn image(arch: &str) -> Image {
    buildx_image(&format!("linux/{arch}"))
}

fn error(output: &Output) -> Value {
    let line = output.err().lines().last().unwrap_or_default().to_owned();
    serde_json::from_str::<Value>(&line).unwrap_or_else(|reason| panic!("{reason}: {line}"))["error"].clone()
}

#[test]
fn create_publishes_what_create_and_push_would_and_leaves_no_draft() {
    let fixture = fixture();
    let images = ["@app:amd64", "@app:s390x"];
    let _ = fixture.run_recorded(&[&["create", "@app:two"], &images[..]].concat()).success();
    let two_steps = fixture.run_recorded(&["push", "@app:two"]).success().out();
    let one_step =
        fixture.run_recorded(&[&["create", "--push", "-t", "one.1", "@app:one"], &images[..]].concat()).success();
    assert_eq!((one_step.out(), fixture.digest("app", "one")), (two_steps, fixture.digest("app", "two")));
    assert_eq!(fixture.served("app", "one.1"), fixture.served("app", "one"));
    assert!(!fixture.has_draft("@app:one"));
    let json =
        fixture.run_recorded(&["create", "--push", "--purge", "--format=json", "@app:three", "@app:amd64"]).success();
    let requests = fixture.request_lines().len();
    let printed: Value = serde_json::from_str(&json.out()).expect("JSON");
    assert_eq!(
        (printed["digest"].as_str(), printed["requests"].as_u64()),
        (Some(fixture.digest("app", "three").as_str()), Some(requests as u64))
    );
    let _ = fixture.run_recorded(&["create", "--push", "--dry-run", "@app:four", "@app:amd64"]).success();
    assert!(fixture.writes().is_empty() && fixture.registry.manifest("app", "four").is_none());
}

#[test]
fn create_refuses_a_draft_and_what_is_incomplete() {
    let fixture = fixture();
    let refused =
        fixture.run_recorded(&["create", "--push", "--require=linux/amd64,linux/arm64", "@app:2", "@app:amd64"]);
    assert_eq!((refused.code, fixture.writes()), (3, Vec::new()), "{}", refused.err());
    assert!(refused.err().contains("hint: name an image for what is missing as well"), "{}", refused.err());
    let _ = fixture.run_recorded(&["create", "@app:2", "@app:amd64"]).success();
    let refused = fixture.run_recorded(&["create", "--push", "@app:2", "@app:arm64"]);
    assert_eq!((refused.code, fixture.request_lines()), (1, Vec::new()));
    assert!(refused.err().starts_with("refusing to amend an existing manifest list"), "{}", refused.err());
    // --amend and --replace are not for --push.
    let list = fixture.registry.name("app:2");
    let hint = format!("hint: {list} exists as a draft: publish it with push {list}, or delete it with rm {list}\n");
    assert!(refused.err().ends_with(&hint), "{}", refused.err());
    assert!(fixture.has_draft("@app:2"));
}

#[test]
fn one_step_commands_change_a_published_list_as_its_draft() {
    let fixture = fixture();
    let changes: [&[&str]; 3] = [
        &["add", "@app:L", "@app:s390x"],
        &["annotate", "@app:L", "linux/arm64", "--annotation", "k=v"],
        &["remove", "@app:L", "linux/amd64"],
    ];
    for change in changes {
        let named = |name: &str| change.iter().map(|word| word.replace("app:L", name)).collect::<Vec<_>>();
        let run = |words: &[String], more: &[&str]| {
            let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
            fixture.run_recorded(&words).success()
        };
        for tag in ["a", "b"] {
            fixture.registry.put_index("app", tag, &buildx_index(&["linux/amd64", "linux/arm64"]));
        }
        let _ = fixture.run_recorded(&["create", "@app:a", "@app:a"]).success();
        let _ = run(&named("app:a"), &[]);
        let by_draft = fixture.run_recorded(&["push", "--purge", "@app:a"]).success();
        let in_one = run(&named("app:b"), &["--push"]);
        assert_eq!(
            (in_one.out(), fixture.digest("app", "b")),
            (by_draft.out(), fixture.digest("app", "a")),
            "{change:?}"
        );
        assert!(!fixture.has_draft("@app:b"));
    }
}

/// Members that nobody knows stay, and a change that changes nothing sends nothing.
#[test]
fn unchanged_lists_keep_their_bytes() {
    let fixture = fixture();
    let mut list: Value = serde_json::from_slice(&fixture.served("app", "1")).expect("JSON");
    list["x-unknown"] = serde_json::json!({"a": [1, 2]});
    let bytes = serde_json::to_vec_pretty(&list).expect("JSON");
    fixture.registry.put_manifest("app", "1", "application/vnd.oci.image.index.v1+json", &bytes);
    let same = fixture.run_recorded(&["annotate", "--push", "@app:1", "--unset-annotation", "none"]).success();
    assert_eq!((same.out(), fixture.served("app", "1")), (format!("{}\n", testkit::image::sha256(&bytes)), bytes));
    assert!(fixture.writes().is_empty(), "{:?}", fixture.writes());
    let _ = fixture.run_recorded(&["add", "--push", "@app:1", "@app:s390x"]).success();
    let after: Value = serde_json::from_slice(&fixture.served("app", "1")).expect("JSON");
    assert_eq!(after["x-unknown"], list["x-unknown"]);
    let (before, after) =
        (list["manifests"].as_array().expect("entries"), after["manifests"].as_array().expect("entries"));
    assert!(before.iter().all(|line| after.contains(line)) && after.len() == before.len() + 1, "{after:?}");
    // The list and its children, the image and its configuration; then a look at the tag, and at each child; a HEAD of
    // the tag, the PUT, and a GET.
    let lines = fixture.request_lines();
    let of_tag: Vec<&str> = lines.iter().filter(|line| line.contains("/manifests/1 ")).map(|line| &line[..4]).collect();
    assert_eq!(of_tag, ["GET ", "GET ", "HEAD", "PUT ", "GET "], "{lines:?}");
}

#[test]
fn one_step_changes_refuse_a_draft_and_a_reference_without_a_list() {
    let fixture = fixture();
    let _ = fixture.run_recorded(&["create", "@app:1", "@app:1"]).success();
    let digest = fixture.digest("app", "1");
    for change in [&["add", "--push", "@app:1", "@app:s390x"][..], &["remove", "--push", "@app:1", "linux/amd64"]] {
        let refused = fixture.run_recorded(change);
        let list = fixture.registry.name("app:1");
        assert_eq!((refused.code, fixture.request_lines()), (1, Vec::new()), "{}", refused.err());
        let lines = [
            format!("there is a draft of {list}: it would say something else than what is published"),
            format!("hint: change the draft, then publish it with: push {list}"),
        ];
        assert_eq!(refused.err().lines().collect::<Vec<_>>(), lines);
    }
    let refused = fixture.run_recorded(&["annotate", "--push", "--format=json", "@app:1", "--annotation=a=b"]);
    assert_eq!(error(&refused)["kind"], "conflict");
    assert_eq!((fixture.digest("app", "1"), fixture.has_draft("@app:1")), (digest, true));
    let refused = fixture.run_recorded(&["add", "--push", "@app:amd64", "@app:s390x"]);
    assert!(
        refused.err().ends_with("is no manifest list\n") || refused.err().contains("is no manifest list\n"),
        "{}",
        refused.err()
    );
    let by_digest = format!("@app@{}", fixture.digest("app", "1"));
    let refused = fixture.run_recorded(&["add", "--push", &by_digest, "@app:s390x"]);
    assert!(refused.err().contains(" is a digest, which always names the same list\n"), "{}", refused.err());
    assert_eq!(fixture.request_lines(), [""; 0]);
}

#[test]
fn one_step_changes_of_a_missing_list_hint_at_create() {
    let registry = Registry::builder().basic("me", "secret").start();
    registry.put_image("app", "s390x", &image("s390x"));
    let (fixture, list) = (Fixture::with_registry(registry), "@app:none");
    let name = fixture.registry.name("app:none");
    // me:secret
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"bWU6c2VjcmV0"}}}}}}"#, fixture.registry.host());
    fixture.sandbox.write_config(&config);
    let create = format!("hint: publish a new list with: create --push {name} IMAGE…");
    for change in [
        &["add", "--push", list, "@app:s390x"][..],
        &["remove", "--push", list, "linux/amd64"],
        &["annotate", "--push", list, "--annotation=a=b"],
    ] {
        let refused = fixture.run(change).err();
        let lines: Vec<&str> = refused.lines().collect();
        assert_eq!((lines.first(), lines.last()), (Some(&&*format!("no such list: {name}")), Some(&&*create)));
        assert!(!refused.contains("docker login"), "{refused}");
        let refused = error(&fixture.run(&[change, &["--format=json"]].concat()));
        assert_eq!((&refused["kind"], &refused["reference"]), (&"missing".into(), &name.clone().into()));
    }
    // Some registries hide what an anonymous user may not see.
    let fixture = self::fixture();
    let refused = fixture.run(&["add", "--push", list, "@app:s390x"]).err();
    let hints: Vec<&str> = refused.lines().filter(|line| line.starts_with("hint: ")).collect();
    assert!(hints.len() == 2 && hints[1].contains("docker login"), "{refused}");
}

/// Holds a request, lets another client publish a list of riscv64 meanwhile, and gives what the command says.
fn run_with_concurrent_push(fixture: &Fixture, held: &str, nth: usize, args: &[&str]) -> Output {
    let (method, path) = held.split_once(' ').expect("a method");
    fixture.registry.add_fault(Rule::on(method, path).nth(nth), Fault::Hang);
    fixture.registry.clear_record();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| fixture.run(args));
        let is_held = |requests: &[RecordedRequest]| {
            requests.iter().filter(|request| request.line().starts_with(&format!("{held} "))).count() >= nth
        };
        fixture.registry.wait_until(is_held);
        fixture.registry.put_index("app", "1", &buildx_index(&["linux/riscv64"]));
        fixture.registry.release();
        run.join().expect("no panic")
    })
}

#[test]
fn another_change_before_the_tag_moves_is_exit_code_4_and_nothing_is_published() {
    let list = |fixture: &Fixture| fixture.registry.name("app:1");
    // Held at the look before the push, and at the HEAD just before the PUT.
    for (held, nth) in [("GET /v2/app/manifests/1", 2), ("HEAD /v2/app/manifests/1", 1)] {
        let fixture = fixture();
        let fetched = fixture.digest("app", "1");
        let refused =
            run_with_concurrent_push(&fixture, held, nth, &["add", "--push", "--format=json", "@app:1", "@app:s390x"]);
        let now = fixture.digest("app", "1");
        let message =
            format!("{} was changed meanwhile, from {fetched} to {now}; nothing was published", list(&fixture));
        let failure = error(&refused);
        assert_eq!((refused.code, failure["message"].as_str()), (4, Some(message.as_str())), "{held}");
        assert_eq!((failure["kind"].as_str(), failure["exitCode"].as_u64()), (Some("conflict"), Some(4)));
        assert!(fixture.writes().is_empty(), "{held}: {:?}", fixture.writes());
    }
    // With more tags none of them moves.
    let fixture = fixture();
    let refused = run_with_concurrent_push(
        &fixture,
        "HEAD /v2/app/manifests/1",
        1,
        &["remove", "--push", "-t", "2", "@app:1", "linux/amd64"],
    );
    assert_eq!(refused.code, 4, "{}", refused.err());
    assert!(fixture.registry.manifest("app", "2").is_none() && fixture.writes().is_empty(), "{:?}", fixture.writes());
}

#[test]
fn another_change_just_after_is_exit_code_4_and_named() {
    let fixture = fixture();
    let replaced =
        run_with_concurrent_push(&fixture, "GET /v2/app/manifests/1", 3, &["add", "--push", "@app:1", "@app:s390x"]);
    assert_eq!(replaced.code, 4, "{}", replaced.err());
    let (list, now) = (fixture.registry.name("app:1"), fixture.digest("app", "1"));
    let first = replaced.err().lines().next().unwrap_or_default().to_owned();
    assert!(first.starts_with(&format!("{list} was published as sha256:")), "{first}");
    assert!(first.ends_with(&format!(", then replaced by {now}")), "{first}");
}

/// A job that is run again, and an image that an index named from its own repository.
#[test]
fn an_image_that_the_list_has_is_not_added_again() {
    let fixture = fixture();
    fixture.registry.put_image("other", "s390x", &image("s390x"));
    fixture.registry.put_index("other", "1", &buildx_index(&["linux/amd64", "linux/arm64"]));
    let first = fixture.run_recorded(&["add", "--push", "@app:1", "@other:s390x"]).success();
    assert!(first.err().contains("Added "), "{}", first.err());
    let digest = fixture.digest("app", "1");
    let repeated =
        fixture.run_recorded(&["add", "--push", "--format", "json", "@app:1", "@other:s390x", "@other:1"]).success();
    assert_eq!(fixture.digest("app", "1"), digest);
    let json: Value = serde_json::from_str(&repeated.out()).expect("JSON");
    assert_eq!((&json["unchanged"], json["platforms"].as_array().map(Vec::len)), (&Value::Bool(true), Some(5)));
    let name = fixture.registry.name("other:s390x");
    assert!(repeated.err().contains(&format!("{name} is in {} already\n", fixture.registry.name("app:1"))));
    assert!(!repeated.err().contains("warning"), "{}", repeated.err());
    // With another description it is another entry.
    let _ = fixture.run_recorded(&["add", "--push", "--annotation", "a=b", "@app:1", "@other:s390x"]).success();
    assert_ne!(fixture.digest("app", "1"), digest);
}

#[test]
fn one_step_dry_run_reports_no_change_and_no_list_is_emptied() {
    let fixture = fixture();
    let digest = fixture.digest("app", "1");
    let added = fixture.run_recorded(&["add", "--push", "--dry-run", "@app:1", "@app:s390x"]).success();
    assert!(added.err().starts_with("Would add "), "{}", added.err());
    let removed = fixture.run_recorded(&["remove", "--push", "--dry-run", "@app:1", "linux/arm64"]).success();
    assert!(removed.err().starts_with("Would remove "), "{}", removed.err());
    let emptied = fixture.run_recorded(&["remove", "--push", "@app:1", "linux/amd64", "linux/arm64"]);
    let line = format!("{} would have no images", fixture.registry.name("app:1"));
    assert_eq!((emptied.code, emptied.first_err_line()), (1, line));
    assert_eq!((fixture.digest("app", "1"), fixture.writes()), (digest, vec![]));
}

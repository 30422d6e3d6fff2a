//! `--tag` with full references: other repositories, in the same registry and in others, are published first and
//! completely.

use std::fs;

use serde_json::{Value, json};
use testkit::client::Client;
use testkit::image::Image;
use testkit::loopback::{Bearer, Fault, RecordedRequest, Registry, Rule};
use testkit::sandbox::Sandbox;

use super::{Fixture, TARGET_REPOSITORY, image, request_lines, writes};

/// A draft of an image in place and of one in the other registry.
fn fixture() -> Fixture {
    seeded(Fixture::new())
}

fn seeded(fixture: Fixture) -> Fixture {
    let [amd64, arm64] = images();
    fixture.target.put_image(TARGET_REPOSITORY, "amd", &amd64);
    fixture.source.put_image("src/arm", "1", &arm64);
    fixture.create_draft(&["@dst/app:amd", "%src/arm:1"]);
    fixture
}

fn images() -> [Image; 2] {
    [image("amd64", &[b"amd"]), image("arm64", &[b"arm"])]
}

/// As docker/metadata-action prints it, with another repository in the other registry and one in the same.
fn metadata_action_tags(fixture: &Fixture) -> String {
    let names = ["%other/app:1.2.3", "%other/app:latest", "@second/app:edge", "@dst/app:1", "@dst/app:latest"];
    names.map(|name| fixture.expand_word(name)).join("\n")
}

/// What is put in each repository, in order: the children come in any.
fn puts(registry: &Registry) -> Vec<(String, String)> {
    let requests = registry.requests();
    let puts = requests.iter().filter(|request| request.method == "PUT");
    let puts = puts.filter_map(|request| request.target.strip_prefix("/v2/")?.split_once("/manifests/"));
    puts.map(|(repository, name)| (repository.to_owned(), name.to_owned())).collect()
}

fn expected_puts(repository: &str, names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| (repository.to_owned(), (*name).to_owned())).collect()
}

#[track_caller]
fn assert_whole(registry: &Registry, repository: &str, tags: &[&str], list: &[u8]) {
    for image in images() {
        assert_eq!(registry.manifest(repository, &image.digest()).expect("the image is there").1, image.manifest);
        assert!(image.blobs().into_iter().all(|blob| registry.has_blob(repository, &testkit::image::sha256(blob))));
    }
    for tag in tags {
        assert_eq!(registry.manifest(repository, tag).expect("the tag is there").1, list, "{tag}");
    }
}

#[test]
fn push_publishes_other_repositories_first_and_completely() {
    let fixture = fixture();
    let pushed = fixture.push(&["-t", &metadata_action_tags(&fixture)]).success();
    let (list, digest) = fixture.served_with_digest("1");
    let [amd64, arm64] = images().map(|image| image.digest());
    assert_whole(&fixture.source, "other/app", &["1.2.3", "latest"], &list);
    assert_whole(&fixture.target, "second/app", &["edge"], &list);
    assert_whole(&fixture.target, TARGET_REPOSITORY, &["1", "latest"], &list);
    // The children, the list by its digest, the tags; then the next repository.
    let mut far = puts(&fixture.source);
    far[..2].sort();
    let mut children = [amd64.as_str(), arm64.as_str()];
    children.sort_unstable();
    assert_eq!(far, expected_puts("other/app", &[children[0], children[1], &digest, "1.2.3", "latest"]));
    let mut near = puts(&fixture.target);
    near[..2].sort();
    let second = expected_puts("second/app", &[children[0], children[1], &digest, "edge"]);
    assert_eq!(near, [second, expected_puts(TARGET_REPOSITORY, &[&arm64, &digest, "1", "latest"])].concat());
    // Blobs of the same registry are mounted there.
    let mounts = |registry: &Registry| request_lines(registry).iter().filter(|line| line.contains("?mount=")).count();
    assert_eq!((mounts(&fixture.source), mounts(&fixture.target)), (2, 2));
    let stdout = pushed.out();
    let mut sent: Vec<&str> = stdout.lines().collect();
    assert_eq!(sent.pop(), Some(digest.as_str()));
    // In the order of the images' names, which begin with a port that nobody knows before.
    sent[..2].sort_unstable();
    sent[2..4].sort_unstable();
    let line = |repository: &str, child: &str| format!("Pushed ref {repository}@{child} with digest: {child}");
    let [far, second, own] = ["%other/app", "@second/app", "@dst/app"].map(|name| fixture.expand_word(name));
    let sent_lines = |repository: &str| children.map(|child| line(repository, child));
    assert_eq!(sent, [sent_lines(&far).as_slice(), &sent_lines(&second), &[line(&own, &arm64)]].concat());
    let names = ["%other/app:1.2.3", "%other/app:latest", "@second/app:edge", "@dst/app:1", "@dst/app:latest"];
    let expected: String = names.iter().map(|name| format!("published: {}\n", fixture.expand_word(name))).collect();
    assert!(pushed.err().ends_with(&expected), "{}", pushed.err());
}

#[test]
fn push_checks_each_repository_and_sends_nothing_twice() {
    let fixture = fixture();
    let _ = fixture.push(&["-t", &metadata_action_tags(&fixture)]).success();
    fixture.target.clear_record();
    fixture.source.clear_record();
    let repeated = fixture.push(&["-t", &metadata_action_tags(&fixture), "--verbose"]).success();
    assert_eq!((writes(&fixture.target), writes(&fixture.source)), (vec![], vec![]));
    // A look at each tag and at each image, in every repository.
    let of_referrers = ["/referrers/", ".sig 404", ".att 404", ".sbom 404"];
    let is_look = |line: &String| of_referrers.iter().all(|part| !line.contains(part));
    let count_checks = |registry| request_lines(registry).into_iter().filter(is_look).count();
    assert_eq!((count_checks(&fixture.source), count_checks(&fixture.target)), (2 + 2, 1 + 2 + 2 + 2));
    // And at what could stay behind of each image from elsewhere.
    assert_eq!((request_lines(&fixture.source).len(), request_lines(&fixture.target).len()), (4 + 4, 7 + 4));
    let unchanged = repeated.err().lines().filter(|line| line.starts_with("unchanged: ")).count();
    assert_eq!((unchanged, repeated.err().lines().count()), (5, 5), "{}", repeated.err());
    // One more tag is one PUT; an image that is gone is sent again.
    let missing = format!("/v2/second/app/manifests/{}", images()[1].digest());
    assert_eq!(Client::new(fixture.target.addr()).request("DELETE", &missing, &[], b"").status, 202);
    fixture.target.clear_record();
    fixture.source.clear_record();
    let tags = format!("{},{}", metadata_action_tags(&fixture), fixture.expand_word("%other/app:1.2"));
    let pushed = fixture.push(&["-q", "-t", &tags]).success();
    assert_eq!(puts(&fixture.source), expected_puts("other/app", &["1.2"]));
    assert_eq!(puts(&fixture.target), expected_puts("second/app", &[&images()[1].digest()]));
    let stderr = pushed.err();
    assert!(stderr.contains(&format!("published: {}\n", fixture.expand_word("%other/app:1.2"))), "{stderr}");
    assert!(stderr.contains(&format!("already there: {}\n", fixture.expand_word("@second/app:edge"))), "{stderr}");
}

#[test]
fn push_moves_no_tag_after_a_failure_in_one_repository() {
    let fixture = fixture();
    // The image in place is in the other repository alone by now, and the list is to go to both.
    let _ = fixture.run(&["create", "@new/app:1", "%src/arm:1"]).success();
    let arm64 = images()[1].digest();
    let missing = format!("/v2/src/arm/manifests/{arm64}");
    assert_eq!(Client::new(fixture.source.addr()).request("DELETE", &missing, &[], b"").status, 202);
    fixture.target.clear_record();
    fixture.source.clear_record();
    for flags in [&[][..], &["--dry-run"]] {
        let failed =
            fixture.run(&[&["push", "-t", &fixture.expand_word("%src/arm:2")], flags, &["@new/app:1"]].concat());
        assert_eq!((failed.code, failed.out()), (1, String::new()), "{}", failed.err());
        assert!(failed.err().contains(&format!("{}@{arm64}", fixture.expand_word("%src/arm"))), "{}", failed.err());
        assert_eq!((writes(&fixture.target), writes(&fixture.source)), (vec![], vec![]));
    }
}

#[test]
fn a_failed_push_reports_moved_tags_with_their_repositories() {
    let fixture = fixture();
    fixture.target.add_fault(Rule::on("PUT", "/v2/second/app/manifests/edge").always(), Fault::status(403));
    let failed = fixture.push(&["-q", "-t", &metadata_action_tags(&fixture)]);
    assert_eq!((failed.code, failed.out()), (1, String::new()));
    let first = format!("failed to put manifest {}: ", fixture.expand_word("@second/app:edge"));
    assert!(failed.first_err_line().starts_with(&first), "{}", failed.err());
    let [moved, left] = [
        ["%other/app:1.2.3", "%other/app:latest"].as_slice(),
        ["@second/app:edge", "@dst/app:1", "@dst/app:latest"].as_slice(),
    ]
    .map(|names| names.iter().map(|name| fixture.expand_word(name)).collect::<Vec<_>>());
    let expected = format!("  tags that moved: {}; tags that did not: {}", moved.join(", "), left.join(", "));
    assert!(failed.err().lines().any(|line| line == expected), "{}", failed.err());
    assert_eq!(fixture.target.tags(TARGET_REPOSITORY), ["amd"]);
    // The first repository has got all of it already.
    let json = fixture.push(&["-t", &metadata_action_tags(&fixture), "--format", "json"]);
    let error: Value = serde_json::from_str(json.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(error["error"]["tags"], json!({ "moved": [], "left": left }));
}

#[test]
fn push_refuses_an_invalid_name_before_any_request() {
    let fixture = fixture();
    let digest = format!("sha256:{}", "0".repeat(64));
    let names = ["@dst/app", "team/app", "@dst/App:1", &digest, &format!("@dst/app@{digest}"), "a b"];
    for name in names.map(|name| fixture.expand_word(name)) {
        for words in [["push", "-t", &name, "@dst/app:1"].as_slice(), &["apply", "-f", "none.yaml", "-t", &name]] {
            let refused = fixture.run(words);
            assert_eq!((refused.code, refused.out()), (125, String::new()), "{}", refused.err());
            assert!(refused.err().contains("invalid argument"), "{}", refused.err());
        }
    }
    assert_eq!((request_lines(&fixture.target), request_lines(&fixture.source)), (vec![], vec![]));
}

#[test]
fn push_dry_run_reports_each_repository() {
    let fixture = fixture();
    let dry_run = fixture.push(&["--dry-run", "-t", &metadata_action_tags(&fixture)]).success().out();
    assert_eq!((writes(&fixture.target), writes(&fixture.source)), (vec![], vec![]));
    let heads: Vec<&str> = dry_run.lines().filter_map(|line| line.strip_prefix("Would push ")).collect();
    let expected = ["%other/app:1.2.3", "@second/app:edge", "@dst/app:1"].map(|name| fixture.expand_word(name));
    assert_eq!(heads, expected, "{dry_run}");
    assert_eq!(dry_run.matches("(new)").count(), 5, "{dry_run}");
    assert!(dry_run.contains(&format!("copy from {}", fixture.expand_word("@dst/app"))), "{dry_run}");
    assert!(dry_run.contains(&format!("mount from {}", fixture.expand_word("@dst/app"))), "{dry_run}");
    fixture.target.clear_record();
    fixture.source.clear_record();
    let printed = fixture.push_json(&["--dry-run", "-t", &metadata_action_tags(&fixture)]);
    assert_eq!(printed["requests"], request_lines(&fixture.target).len() + request_lines(&fixture.source).len());
    let others = printed["otherRepositories"].as_array().expect("the others");
    let tags: Vec<&Value> = others.iter().map(|other| &other["tags"]).collect();
    assert_eq!(tags, [&json!(["1.2.3", "latest"]), &json!(["edge"])]);
    assert_eq!((&printed["tags"], &others[1]["dryRun"]), (&json!(["1", "latest"]), &json!(true)));
    assert_eq!(others[0]["tagChanges"][1], json!({ "tag": "latest", "change": "new", "now": null }));
    let _ = fixture.push(&["-t", &metadata_action_tags(&fixture)]).success();
    let dry_run = fixture.push(&["--dry-run", "-t", &metadata_action_tags(&fixture)]).success().out();
    assert_eq!(dry_run.matches("unchanged: nothing would be sent\n").count(), 3, "{dry_run}");
}

#[test]
fn push_json_has_each_repository() {
    let fixture = fixture();
    let file = fixture.sandbox.path().join("metadata.json");
    let printed = fixture.push_json(&[
        "-q",
        "-t",
        &metadata_action_tags(&fixture),
        "--metadata-file",
        &file.display().to_string(),
    ]);
    let others = printed["otherRepositories"].as_array().expect("the others");
    let members: Vec<(&Value, &Value, &Value)> =
        others.iter().map(|other| (&other["reference"], &other["mounted"], &other["copied"]["blobs"])).collect();
    let names = ["%other/app:1.2.3", "@second/app:edge"].map(|name| json!(fixture.expand_word(name)));
    assert_eq!(members, [(&names[0], &json!(2), &json!(2)), (&names[1], &json!(2), &json!(2))]);
    assert_eq!((&printed["reference"], &printed["mounted"]), (&json!(fixture.expand_word("@dst/app:1")), &json!(0)));
    assert!(
        others.iter().chain([&printed]).all(|each| each["digest"] == printed["digest"] && each["unchanged"] == false)
    );
    let all = request_lines(&fixture.target).len() + request_lines(&fixture.source).len();
    assert_eq!(printed["requests"], all);
    let metadata: Value = serde_json::from_slice(&fs::read(file).expect("it is there")).expect("JSON");
    let names = ["%other/app:1.2.3", "%other/app:latest", "@second/app:edge", "@dst/app:1", "@dst/app:latest"];
    assert_eq!(metadata["image.name"], names.map(|name| fixture.expand_word(name)).join(","));
    // A repository that lags behind keeps the whole from being unchanged.
    let more = fixture.push_json(&[
        "-t",
        &fixture.expand_word("@second/app:edge,@second/app:new").replace(",@", &format!(",{}/", fixture.target.host())),
    ]);
    assert_eq!((&more["unchanged"], &more["otherRepositories"][0]["unchanged"]), (&json!(false), &json!(false)));
    let same = fixture.push_json(&["-t", &fixture.expand_word("@second/app:new")]);
    assert_eq!((&same["unchanged"], &same["otherRepositories"][0]["unchanged"]), (&json!(true), &json!(true)));
}

#[test]
fn a_reference_in_the_lists_repository_is_a_tag() {
    let fixture = fixture();
    let _ = fixture.push(&["-q", "-t", &fixture.expand_word("@dst/app:1")]).success();
    let [_, arm64] = images().map(|image| image.digest());
    assert_eq!(
        puts(&fixture.target),
        expected_puts(TARGET_REPOSITORY, &[&arm64, "1"]),
        "docker's push: no PUT by digest"
    );
    let printed = fixture.push_json(&["-t", &fixture.expand_word("@dst/app:2")]);
    assert_eq!((&printed["tags"], printed.get("otherRepositories")), (&json!(["1", "2"]), None));
}

#[test]
fn one_token_covers_all_repositories_of_a_registry() {
    let registry = Registry::builder().bearer(Bearer::new().user("user", "password")).start();
    let fixture = Fixture { target: registry, source: Registry::start(), sandbox: Sandbox::new() };
    // user:password
    let login = format!(r#"{{"auths":{{"{}":{{"auth":"dXNlcjpwYXNzd29yZA=="}}}}}}"#, fixture.target.host());
    fixture.sandbox.write_config(&login);
    let fixture = seeded(fixture);
    let _ = fixture.push(&["-t", &metadata_action_tags(&fixture)]).success();
    let requests = fixture.target.requests();
    let tokens: Vec<&RecordedRequest> = requests.iter().filter(|request| request.is_token_request()).collect();
    assert_eq!(tokens.len(), 1, "{tokens:#?}");
    for scope in ["dst%2Fapp%3Apull%2Cpush", "second%2Fapp%3Apull%2Cpush"] {
        assert!(tokens[0].target.contains(scope), "{}", tokens[0].target);
    }
}

//! `apply --tag` with full references.

use testkit::loopback::{Fault, Rule};

use super::Fixture;

const IMAGE: &str = "manifests: [{image: '@src/amd64:1'}]\n";

/// The names that are put, `REPOSITORY:TAG`, in order.
fn take_put_tags(fixture: &Fixture) -> Vec<String> {
    let puts = fixture.take_puts_and_posts();
    let puts = puts.iter().filter_map(|line| line.strip_prefix("PUT /v2/")?.split_once(" "));
    let names = puts.filter_map(|(path, _)| path.split_once("/manifests/"));
    names.filter(|(_, name)| !name.contains(':')).map(|(path, name)| format!("{path}:{name}")).collect()
}

#[test]
fn apply_takes_full_references_beside_tags() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = format!("image: '@app:1'\ntags: ['1.0']\n{IMAGE}");
    let names = fixture.expand("latest\n@far/app:1\n@app:edge\n@far/app:latest");
    let applied = fixture.apply(&spec, &["-t", &names]).success();
    assert_eq!(take_put_tags(&fixture), ["far/app:1", "far/app:latest", "app:1.0", "app:1", "app:edge", "app:latest"]);
    let published = ["far/app:1", "far/app:latest", "app:1.0", "app:1", "app:edge", "app:latest"];
    let expected: String = published.iter().map(|name| format!("published: {}\n", fixture.name(name))).collect();
    assert_eq!(applied.err(), expected);
    let digest = applied.out().lines().last().unwrap_or_default().to_owned();
    assert!(
        fixture
            .registry
            .manifest("far/app", &digest)
            .is_some_and(|far| fixture.registry.manifest("app", "1") == Some(far))
    );
    // The image; a look at each tag and at the child in both repositories; nothing is sent.
    let repeated = fixture.apply(&spec, &["-t", &names, "--format", "json"]).success();
    let requests = fixture.take_request_lines();
    assert_eq!(requests.len(), 2 + (2 + 1) + (4 + 1), "{requests:#?}");
    let json: serde_json::Value = serde_json::from_slice(&repeated.stdout).expect("JSON");
    assert_eq!((&json[0]["unchanged"], &json[0]["requests"]), (&true.into(), &8.into()));
    assert_eq!(json[0]["otherRepositories"][0]["tags"], serde_json::json!(["1", "latest"]));
}

#[test]
fn latest_does_not_move_if_other_tags_are_given() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = format!("image: '@app'\n{IMAGE}");
    for (name, expected) in [("@app:1", ["app:1"]), ("@far/app:1", ["far/app:1"])] {
        let _ = fixture.apply(&spec, &["-q", "--draft", "-t", &fixture.expand(name)]).success();
        assert_eq!(take_put_tags(&fixture), expected);
        assert!(fixture.registry.manifest("app", "latest").is_none());
    }
    // A draft has a name: the tag in its own repository, where there is one.
    let drafts = fixture.run(&["ls", "--quiet"]).success().out();
    assert_eq!(drafts, format!("{}\n{}\n", fixture.name("app:1"), fixture.name("app:latest")));
}

#[test]
fn apply_publishes_several_targets_under_the_references() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = format!("image: ['@app:1', '@near/app:1']\n{IMAGE}");
    let names = fixture.expand("@near/app:2,@far/app:3");
    let applied = fixture.apply(&spec, &["-q", "-t", &names]).success();
    assert_eq!(take_put_tags(&fixture), ["far/app:3", "app:1", "near/app:1", "near/app:2"]);
    let published = ["far/app:3", "app:1", "near/app:1", "near/app:2"];
    let expected: String = published.iter().map(|name| format!("published: {}\n", fixture.name(name))).collect();
    assert_eq!(applied.err(), expected);
}

#[test]
fn no_name_is_published_twice() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = format!("image: '@app:1'\n{IMAGE}---\nimage: '@app:2'\n{IMAGE}");
    for name in ["@far/app:3", "@app:1", "@app:3"] {
        let refused = fixture.apply(&spec, &["-t", &fixture.expand(name)]);
        assert_eq!((refused.code, refused.out()), (1, String::new()));
        assert_eq!(refused.first_err_line(), format!("{} would be published twice", fixture.expand(name)));
    }
    assert_eq!(fixture.take_request_lines(), [""; 0]);
}

#[test]
fn a_failure_in_another_repository_lists_the_moved_tags() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = format!("image: '@app:1'\n{IMAGE}");
    fixture.registry.add_fault(Rule::on("PUT", "/v2/app/manifests/1").always(), Fault::status(403));
    let failed = fixture.apply(&spec, &["-q", "-t", &fixture.expand("@far/app:3")]);
    assert_eq!((failed.code, failed.out()), (1, String::new()));
    let expected =
        format!("  tags that moved: {}; tags that did not: {}", fixture.name("far/app:3"), fixture.name("app:1"));
    assert!(failed.err().lines().any(|line| line == expected), "{}", failed.err());
}

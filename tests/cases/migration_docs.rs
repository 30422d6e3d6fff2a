//! docs/coming-from/: each command of these pages can be run and does what its row says.

use std::path::Path;

use serde_json::{Value, json};
use testkit::image::{Image, Index};
use testkit::loopback::Registry;
use testkit::sandbox::Sandbox;

use super::OURS;
use docker_manifest::cli::args::{self, CliRequest};

/// The rows of one tool's page, as the cells of both columns.
fn rows(page: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coming-from").join(page);
    let text = std::fs::read_to_string(path).expect("the page");
    let table = text.split_once(" | here |\n| --- | --- |\n").expect("the table").1;
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.map(|row| match row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().as_slice() {
        [theirs, ours] => ((*theirs).to_owned(), (*ours).to_owned()),
        other => panic!("{} columns: {row}", other.len()),
    })
    .collect()
}

/// Every page, by its tool.
const PAGES: &[(&str, &str)] = &[
    ("docker manifest", "docker-manifest.md"),
    ("manifest-tool", "manifest-tool.md"),
    ("crane", "crane.md"),
    ("regctl", "regctl.md"),
    ("docker buildx imagetools", "buildx.md"),
    ("podman manifest", "podman.md"),
    ("oras", "oras.md"),
];

/// What stands between backticks.
fn commands(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// A word as somebody would type it in the place of the table's.
fn typed(word: &str) -> String {
    match word {
        "LIST" | "BASE" => "h.example/app:1",
        "A" | "B" | "REF" | "IMAGE" => "h.example/src:1",
        "P" => "linux/arm64",
        "D" => "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "TYPE" => "application/vnd.example.app",
        "T" => "h.example/src:OS-ARCH",
        "O" => "linux",
        "R" => "arm64",
        "REGISTRY/REPOSITORY" => "h.example/scratch",
        other => return other.to_owned(),
    }
    .to_owned()
}

#[test]
fn every_tool_has_its_commands_on_its_page() {
    for (tool, commands) in [
        ("docker manifest", &["create", "annotate", "inspect", "push", "rm"][..]),
        (
            "manifest-tool",
            &["inspect", "--raw", "--expand-config", "push from-spec", "push from-args", "--ignore-missing"],
        ),
        (
            "manifest-tool",
            &["--username", "--password", "--docker-cfg", "--insecure", "--plain-http", "--debug", "--type"],
        ),
        ("manifest-tool", &["mquery IMAGE"]),
        ("crane", &["index append", "index filter", "index list", "--flatten", "--docker-empty-base", "--platform"]),
        ("regctl", &["index create", "index add", "index delete", "--ref", "--digest", "--platform", "--media-type"]),
        (
            "regctl",
            &["--annotation", "--artifact-type", "--desc-annotation", "--desc-platform", "--by-digest", "--subject"],
        ),
        ("regctl", &["--referrers", "--digest-tags", "--format"]),
        ("docker buildx imagetools", &["create", "--append", "--annotation", "--dry-run", "--file", "--metadata-file"]),
        (
            "docker buildx imagetools",
            &["--platform", "--prefer-index", "--progress", "-t", "inspect", "--raw", "--format"],
        ),
        (
            "podman manifest",
            &["create", "add", "annotate", "exists", "inspect", "push", "remove", "rm", "--index", "--all"],
        ),
        ("oras", &["manifest index create", "manifest index update", "--add", "--remove", "resolve", "tag", "copy"]),
        ("podman manifest", &["--amend", "--artifact", "--rm", "--digestfile", "--format", "--creds", "--tls-verify"]),
    ] {
        let page = PAGES.iter().find(|(name, _)| *name == tool).expect("a page").1;
        let theirs: String = rows(page).into_iter().map(|(theirs, _)| theirs + "\n").collect();
        for command in commands {
            let is_there = theirs.split('`').skip(1).step_by(2).any(|code| {
                let code = format!(" {code} ").replace('=', " ");
                code.contains(&format!(" {command} "))
            });
            assert!(is_there, "{tool} {command} is not in {page}");
        }
    }
}

#[test]
fn commands_in_the_migration_table_work() {
    let verbs: Vec<String> = args::clap_command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let mut number = 0;
    for (theirs, ours) in PAGES.iter().flat_map(|(_, page)| rows(page)) {
        assert!(!ours.is_empty(), "{theirs}");
        for command in commands(&ours) {
            let words: Vec<String> = command.split(' ').map(typed).collect();
            if words.first().is_some_and(|first| first == "manifest-tool") {
                assert!(args::manifest_tool(&words[1..]).is_ok(), "{command}");
            } else if words.first().is_some_and(|first| first == "mquery") {
                assert!(args::mquery(&words[1..]).is_ok(), "{command}");
            } else if words.first().is_some_and(|first| verbs.contains(first)) {
                let parsed = args::parse("docker-manifest", &words);
                assert!(matches!(parsed, Ok(CliRequest::Run { .. })), "{command}: {parsed:?}");
                number += 1;
            } else {
                let is_a_part = command.starts_with("--") || ["REPOSITORY@D", "jq"].contains(&command);
                assert!(is_a_part, "{command} is neither a verb nor a flag: {ours}");
            }
        }
    }
    assert!(number > 50, "{number} commands");
}

/// `crane index append BASE`, `regctl index add` and `imagetools create --append` leave what the index says of itself.
#[test]
fn adding_to_an_index_keeps_its_annotations() {
    let (registry, sandbox) = (Registry::start(), Sandbox::new());
    let image = |architecture: &str| Image::oci().platform("linux", architecture).layer(architecture).build();
    let index = Index::oci().image(&image("amd64")).annotation("k", "v").artifact_type("application/x").build();
    registry.put_index("app", "1", &index);
    registry.put_image("src", "1", &image("arm64"));
    let (list, new) = (format!("{}/app:1", registry.host()), format!("{}/src:1", registry.host()));
    let _ = sandbox.command(OURS).args(["add", "--push", &list, &new]).run().success();
    let (_, bytes) = registry.manifest("app", "1").expect("the list");
    let pushed: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!((&pushed["annotations"], &pushed["artifactType"]), (&json!({ "k": "v" }), &json!("application/x")));
    assert_eq!(pushed["manifests"].as_array().map(Vec::len), Some(2));
}

//! `--format markdown` and `--format github`: tables and step outputs for CI, in which texts of a registry are
//! escaped.

use testkit::image::{Image, Index};
use testkit::sandbox::Output;

use super::fixture::Fixture;

fn fixture() -> Fixture {
    Fixture::new().with_images("app", &["amd64", "arm64"])
}

impl Fixture {
    /// Runs the program as a step of GitHub Actions.
    fn run_as_step(&self, args: &[&str]) -> Output {
        let file = |name: &str| self.sandbox.path().join(name);
        self.command(args).env("GITHUB_OUTPUT", file("output")).env("GITHUB_STEP_SUMMARY", file("summary")).run()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.sandbox.path().join(name)).unwrap_or_default()
    }
}

const IMAGES: [&str; 2] = ["@app:amd64", "@app:arm64"];

fn create_push_args<'a>(flags: &[&'a str], list: &'a str) -> Vec<&'a str> {
    [&["create", "--push"], flags, &[list], &IMAGES[..]].concat()
}

#[test]
fn format_github_writes_outputs_and_a_summary() {
    let fixture = fixture();
    fixture.sandbox.write("output", "before=1\n");
    let stepped = fixture.run_as_step(&create_push_args(&["--format=github", "-t", "2"], "@app:1")).success();
    let digest = fixture.digest("app", "1");
    assert_eq!(stepped.out(), format!("{digest}\n"), "stdout is as without it");
    let output = fixture.read("output");
    let lines: Vec<&str> = output.lines().collect();
    let tags = [fixture.registry.name("app:1"), fixture.registry.name("app:2")].join(",");
    assert_eq!(lines[..3], ["before=1".to_owned(), format!("digest={digest}"), format!("tags={tags}")]);
    let json: serde_json::Value = serde_json::from_str(lines[3].strip_prefix("json=").expect("json")).expect("JSON");
    assert_eq!((json["digest"].as_str(), lines.len()), (Some(digest.as_str()), 4));
    let list = fixture.registry.name("app:1");
    let summary = fixture.read("summary");
    assert!(summary.starts_with(&format!("### `{list}`\n\nPublished as `{digest}`\n\n- `{list}`\n")), "{summary}");
    assert!(summary.contains("\n| Platform | Digest |\n| --- | --- |\n| linux/amd64 | `sha256:"), "{summary}");
    // The same table on stdout.
    let printed = fixture.run_recorded(&create_push_args(&["--format=markdown", "-t", "2"], "@app:1")).success().out();
    assert_eq!(printed, summary.replace("Published as", "Unchanged:"));
    // push and apply too; what is there already is told the same way.
    let _ = fixture.run_recorded(&["create", "@app:3", "@app:amd64"]).success();
    let _ = fixture.run_as_step(&["push", "--purge", "--format", "github", "@app:3"]).success();
    let host = fixture.registry.host();
    let spec = |tag: &str| format!("image: {host}/app:{tag}\nmanifests: [{{image: {host}/app:arm64}}]\n");
    fixture.sandbox.write("lists.yaml", format!("{}---\n{}", spec("4"), spec("5")));
    let applied = fixture.run_as_step(&["apply", "-f", "lists.yaml", "--format=github"]).success();
    let digests = [fixture.digest("app", "4"), fixture.digest("app", "5")];
    assert_eq!(applied.out(), format!("{}\n{}\n", digests[0], digests[1]));
    let output = fixture.read("output");
    assert_eq!(output.lines().count(), 4 + 3 + 3);
    assert!(
        output.contains(&format!("\ndigest={}\ntags={host}/app:4,{host}/app:5\njson=[{{", digests.join(","))),
        "{output}"
    );
}

#[test]
fn format_github_outside_of_a_step_is_an_error_before_any_request() {
    let fixture = fixture();
    let refused = fixture.run_recorded(&create_push_args(&["--format=github"], "@app:1"));
    assert_eq!(refused.code, 1);
    assert!(
        refused.err().starts_with("GITHUB_OUTPUT is not set: --format github is for a step of GitHub Actions"),
        "{}",
        refused.err()
    );
    let run = fixture.command(&create_push_args(&["--format=github"], "@app:1"));
    let refused = run.env("GITHUB_OUTPUT", fixture.sandbox.path().join("output")).run();
    assert!(refused.err().starts_with("GITHUB_STEP_SUMMARY is not set"), "{}", refused.err());
    assert!(fixture.registry.manifest("app", "1").is_none());
    // A dry run sets nothing, and needs neither.
    let _ = fixture.run_recorded(&create_push_args(&["--format=github", "--dry-run"], "@app:1")).success();
}

/// What a registry says of a platform is in its cell, and adds no output.
#[test]
fn a_hostile_platform_stays_in_its_summary_cell() {
    let fixture = fixture();
    let hostile = "1|2`\n\nevil=1\n<b>@team</b> [x](http://h.example) #1";
    let image = Image::oci().platform("windows", "amd64").os_version(hostile).layer("w").build();
    let index = Index::oci().image(&image).build();
    fixture.registry.put_index("app", "hostile", &index);
    let stepped = fixture.run_as_step(&["create", "--push", "--format=github", "@app:1", "@app:hostile"]).success();
    assert_eq!(stepped.out().lines().count(), 1);
    let output = fixture.read("output");
    let names: Vec<&str> = output.lines().map(|line| line.split_once('=').map_or(line, |(name, _)| name)).collect();
    assert_eq!(names, ["digest", "tags", "json"]);
    let summary = fixture.read("summary");
    let row = summary.lines().last().expect("a row");
    assert_eq!(row.matches('|').count(), 3, "{row}");
    for markup in ["<", "@team", "](", "http:", "#1 ", "evil=1"] {
        assert!(!row.contains(markup), "{markup} in {row}");
    }
    assert!(summary.lines().all(|line| !line.starts_with("evil")), "{summary}");
}

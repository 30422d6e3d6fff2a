//! `docs/ci.md`: each recipe is run, with the variables and files that its CI system, or its build tool, provides.

mod without_files;

use std::path::Path;

use testkit::image::{Image, Index};
use testkit::loopback::Registry;
use testkit::sandbox::{Output, Sandbox, write_script};

use super::OURS;

struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
    images: [Image; 2],
}

impl Fixture {
    fn new() -> Fixture {
        let registry = Registry::start();
        let images = ["amd64", "arm64"].map(|arch| Image::oci().platform("linux", arch).layer(arch).build());
        for image in &images {
            registry.put_image("app", &image.digest(), image);
        }
        Fixture { registry, sandbox: Sandbox::new(), images }
    }

    fn digests(&self) -> [String; 2] {
        [self.images[0].digest(), self.images[1].digest()]
    }

    /// Runs the commands of a section in a shell, with these variables.
    fn run(&self, section: &str, variables: &[(&str, String)]) {
        let commands = commands(section, &self.registry.host());
        assert!(!commands.is_empty(), "{section} has no command");
        let _ = shell(&self.sandbox, &commands, variables).success();
    }

    /// What a tag serves has these images.
    #[track_caller]
    fn assert_serves(&self, tag: &str, digests: &[String]) {
        let (_, bytes) = self.registry.manifest("app", tag).unwrap_or_else(|| panic!("nothing under {tag}"));
        let list: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        let entries = list["manifests"].as_array().expect("entries").iter();
        let mut found: Vec<String> = entries.map(|line| line["digest"].as_str().expect("one").to_owned()).collect();
        let mut expected = digests.to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{tag}");
    }
}

/// Runs commands in a shell, with these variables, our program and the sandbox's own scripts.
fn shell(sandbox: &Sandbox, commands: &[String], variables: &[(&str, String)]) -> Output {
    let program = Path::new(OURS).parent().expect("a directory").display().to_string();
    let path = format!("PATH={}:{program}:$PATH\n", sandbox.path().display());
    let script = format!("{path}{}", commands.join("\n"));
    let run = sandbox.command("sh").args(["-euc", &script]);
    variables.iter().fold(run, |run, (name, value)| run.env(*name, value)).run()
}

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).expect("the page")
}

/// The sections of the page, by their headings.
fn sections(page: &str) -> Vec<(&str, &str)> {
    page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect()
}

/// The lines of a section that are a shell's and that the test can run: those of ours, and what prepares a file for
/// them in the same step.
fn commands(section: &str, host: &str) -> Vec<String> {
    let page = page();
    let sections = sections(&page);
    let (_, text) = sections.iter().find(|(heading, _)| *heading == section).expect("the section");
    commands_in(text, host)
}

/// The same of any text.
fn commands_in(text: &str, host: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let is_ours = |line: &str| ["docker-manifest ", "for arch", "printf "].iter().any(|start| line.starts_with(start));
    let lines = text.lines().map(|line| line.trim().trim_start_matches("- ").trim_start_matches("run: "));
    let lines = lines.map(|line| line.strip_prefix("sh '").map_or(line, |line| line.trim_end_matches('\'')));
    let host = format!("{host}/app");
    let with_test_host =
        |line: &str| line.replace("ghcr.io/example/app", &host).replace("registry.example.com/app", &host);
    lines.filter(|line| is_ours(line)).map(|line| with_test_host(line).replace("$$", "$")).collect()
}

#[test]
fn every_section_is_run_by_a_test() {
    let page = page();
    let headings: Vec<&str> = sections(&page).into_iter().map(|(heading, _)| heading).collect();
    let run = ["GitHub Actions", "GitLab", "Jenkins", "Buildkite", "CircleCI", "Woodpecker", "Tekton"];
    assert_eq!(headings, [&run[..], &["Build tools", without_files::SECTION]].concat());
}

#[test]
fn the_github_actions_recipes_work() {
    let fixture = Fixture::new();
    for (arch, digest) in ["amd64", "arm64"].iter().zip(fixture.digests()) {
        // As actions/download-artifact unpacks several artifacts.
        fixture.sandbox.write(format!("digests/digests-{arch}/{}", digest.trim_start_matches("sha256:")), "");
    }
    let file = |name: &str| fixture.sandbox.path().join(name).display().to_string();
    fixture.run("GitHub Actions", &[("GITHUB_OUTPUT", file("output")), ("GITHUB_STEP_SUMMARY", file("summary"))]);
    for tag in ["1.2.3", "1.2", "latest"] {
        fixture.assert_serves(tag, &fixture.digests());
    }
    let output = std::fs::read_to_string(file("output")).expect("the outputs");
    let (_, bytes) = fixture.registry.manifest("app", "1.2.3").expect("the list");
    assert!(output.starts_with(&format!("digest={}\n", testkit::image::sha256(&bytes))), "{output}");
}

#[test]
fn the_gitlab_jenkins_and_circleci_recipes_work() {
    let fixture = Fixture::new();
    let [amd64, arm64] = fixture.digests();
    for directory in ["", "digests/"] {
        fixture.sandbox.write(format!("{directory}d-amd64"), &amd64);
        fixture.sandbox.write(format!("{directory}d-arm64"), &arm64);
    }
    let image = fixture.registry.name("app");
    fixture.run(
        "GitLab",
        &[("CI_REGISTRY_IMAGE", image), ("CI_COMMIT_TAG", "gitlab".into()), ("CI_PIPELINE_ID", "7".into())],
    );
    fixture.run("Jenkins", &[("BUILD_NUMBER", "41".into())]);
    fixture.run("CircleCI", &[("CIRCLE_TAG", "circle".into())]);
    for tag in ["gitlab", "41", "circle"] {
        fixture.assert_serves(tag, &fixture.digests());
    }
}

#[test]
fn the_buildkite_woodpecker_and_tekton_recipes_work() {
    let fixture = Fixture::new();
    let [amd64, arm64] = fixture.digests();
    // The agent prints meta-data as it was set.
    let agent = format!(
        "#!/bin/sh\ncase $3 in digest-amd64) printf %s {amd64};; digest-arm64) printf %s {arm64};; *) exit 1;; esac\n"
    );
    write_script(&fixture.sandbox.path().join("buildkite-agent"), &agent);
    fixture.run("Buildkite", &[("BUILDKITE_TAG", "kite".into())]);
    for (arch, digest) in [("amd64", &amd64), ("arm64", &arm64)] {
        let name = fixture.registry.name("app");
        let metadata = format!(r#"{{"containerimage.digest":"{digest}","image.name":"{name}"}}"#);
        fixture.sandbox.write(format!("{arch}.json"), metadata);
    }
    fixture.run("Woodpecker", &[("CI_COMMIT_TAG", "wood".into())]);
    // Tekton fills parameters into the script before a shell sees it; here the shell runs a command of that name.
    let params = [("amd64", amd64.as_str()), ("arm64", &arm64), ("tag", "tekton")];
    for (name, value) in params {
        write_script(&fixture.sandbox.path().join(format!("params.{name}")), &format!("#!/bin/sh\necho {value}\n"));
    }
    fixture.run("Tekton", &[]);
    for tag in ["kite", "wood", "tekton"] {
        fixture.assert_serves(tag, &fixture.digests());
    }
}

#[test]
fn the_build_tool_recipes_work() {
    let fixture = Fixture::new();
    let [amd64, arm64] = fixture.digests();
    let name = fixture.registry.name("app");
    let index = Index::oci().image(&fixture.images[0]).image(&fixture.images[1]).build();
    fixture.registry.put_index("app", "ko-built", &index);
    fixture.sandbox.write("digest", &amd64);
    fixture.sandbox.write("refs", format!("{name}@{}\n{name}@{amd64}\n", index.digest()));
    let jib = format!(
        r#"{{"image":"{name}:tmp","imageId":"{arm64}","imageDigest":"{amd64}","tags":["tmp"],"imagePushed":true}}"#
    );
    fixture.sandbox.write("target/jib-image.json", jib);
    fixture.sandbox.write("bazel-bin/image.digest", format!("{amd64}\n"));
    let artifact = |tag: &str, digest: &str| {
        format!(r#"{{"name":"{name}:{tag}","type":"Docker Image","extra":{{"Digest":"{digest}","ID":"app"}}}}"#)
    };
    let artifacts = format!("[{},{}]", artifact("1-amd64", &amd64), artifact("1-arm64", &arm64));
    fixture.sandbox.write("dist/artifacts.json", artifacts);
    let sum = |tag: &str, digest: &str| format!("{}  {name}:{tag}\n", digest.trim_start_matches("sha256:"));
    fixture.sandbox.write("dist/digests.txt", sum("1-amd64", &amd64) + &sum("1-arm64", &arm64));
    let web = format!(r#"{{"containerimage.digest":"{amd64}","image.name":"{name}:web"}}"#);
    let bake = format!(r#"{{"web":{web},"db":{{"containerimage.digest":"{arm64}"}}}}"#);
    fixture.sandbox.write("bake.json", bake);
    fixture.run("Build tools", &[]);
    for tag in ["kaniko", "podman", "jib", "bazel", "bake"] {
        fixture.assert_serves(tag, std::slice::from_ref(&amd64));
    }
    for tag in ["ko", "goreleaser", "sums"] {
        fixture.assert_serves(tag, &fixture.digests());
    }
}

//! What packagers and CI use: `make install` into a directory, the step of the action with a local tarball, release
//! notes.

use std::path::Path;

use testkit::sandbox::{Output, Sandbox, SandboxCommand, write_script};

use super::OURS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn script(sandbox: &Sandbox, name: &str) -> SandboxCommand {
    sandbox.command(root().join("scripts").join(name))
}

/// `make install` and the packages put in place what this script does.
#[test]
fn everything_is_installed_below_destdir_and_no_link_leads_there() {
    let sandbox = Sandbox::new();
    let destdir = sandbox.path().join("a directory");
    let stage = script(&sandbox, "stage").args([OURS, "/usr", "/usr/libexec/docker/cli-plugins"]).arg(&destdir);
    // Installed again, over what is there.
    for _ in 0..2 {
        assert_eq!(stage.run().success().out(), "");
    }
    let installed = |name: &str| destdir.join("usr").join(name);
    let plugin = installed("libexec/docker/cli-plugins/docker-manifests");
    assert_eq!(std::fs::read_link(&plugin).unwrap(), Path::new("../../../bin/docker-manifest"));
    let version = sandbox.command(plugin).arg("version").run().success().out();
    assert!(version.starts_with("docker-manifest version "), "{version}");
    for file in [
        "share/man/man1/docker-manifest.1.gz",
        "share/man/man1/docker-manifest-create.1.gz",
        "share/bash-completion/completions/docker-manifest",
        "share/fish/vendor_completions.d/docker-manifest.fish",
        "share/zsh/site-functions/_docker-manifest",
        "share/doc/docker-manifest/LICENSE",
    ] {
        assert!(std::fs::metadata(installed(file)).is_ok_and(|found| found.len() > 100), "{file}");
    }
    // A plugin directory outside the prefix, such as that of a home.
    let home = script(&sandbox, "stage").args([OURS, "/opt/x", "/home/me/.docker/cli-plugins"]).arg(&destdir);
    let _ = home.run().success();
    let link = std::fs::read_link(destdir.join("home/me/.docker/cli-plugins/docker-manifests")).unwrap();
    assert_eq!(link, Path::new("/opt/x/bin/docker-manifest"));
}

struct Job {
    sandbox: Sandbox,
}

impl Job {
    /// A job of CI: a docker on the PATH, a release tarball, and a runner's variables.
    fn new() -> Job {
        let mut sandbox = Sandbox::new();
        for dir in ["temp", "real", "release/docker-manifest-1/bin"] {
            std::fs::create_dir_all(sandbox.path().join(dir)).unwrap();
        }
        write_script(&sandbox.path().join("real/docker"), "#!/bin/sh\necho real docker \"$@\"\n");
        std::fs::copy(OURS, sandbox.path().join("release/docker-manifest-1/bin/docker-manifest")).unwrap();
        let tar = [
            "--create",
            "--use-compress-program=gzip -1",
            "--file",
            "release.tar.gz",
            "--directory",
            "release",
            "docker-manifest-1",
        ];
        let _ = sandbox.command("tar").args(tar).run().success();
        for (name, file) in [("RUNNER_TEMP", "temp"), ("GITHUB_PATH", "path"), ("GITHUB_OUTPUT", "output")] {
            sandbox.set(name, sandbox.path().join(file));
        }
        sandbox.set("PATH", format!("{}:/usr/bin:/bin", sandbox.path().join("real").display()));
        Job { sandbox }
    }

    fn install(&self, variables: &[(&str, &str)]) -> Output {
        let step = script(&self.sandbox, "action-install");
        variables.iter().fold(step, |step, (name, value)| step.env(*name, *value)).run()
    }

    /// A later step, with what earlier ones have added in front of the PATH.
    fn step(&self, line: &str) -> Output {
        let added = std::fs::read_to_string(self.sandbox.path().join("path")).unwrap_or_default();
        let mut dirs: Vec<&str> = added.lines().rev().collect();
        let real = self.sandbox.path().join("real").display().to_string();
        dirs.extend([real.as_str(), "/usr/bin", "/bin"]);
        self.sandbox.command("bash").args(["-c", line]).env("PATH", dirs.join(":")).run()
    }
}

#[test]
fn the_action_puts_the_program_on_the_path_of_later_steps() {
    let job = Job::new();
    let sum = job.sandbox.command("sha256sum").arg("release.tar.gz").run().success().out();
    let sum = sum.split_whitespace().next().unwrap();
    let _ = job.install(&[("TARBALL", "release.tar.gz"), ("SHA256", &sum.to_uppercase()), ("SHIM", "true")]).success();
    for line in ["docker manifest version", "docker-manifest version", "sh -c 'docker --debug manifest version'"] {
        assert!(job.step(line).success().out().starts_with("docker-manifest version "), "{line}");
    }
    assert_eq!(job.step("docker build .").success().out(), "real docker build .\n");
    let output = std::fs::read_to_string(job.sandbox.path().join("output")).unwrap();
    assert_eq!(output, format!("version={}\n", env!("CARGO_PKG_VERSION")));
    let plugin = job.sandbox.docker_config().join("cli-plugins/docker-manifests");
    assert!(job.sandbox.command(plugin).arg("version").run().success().out().starts_with("docker-manifest version "));
}

#[test]
fn the_action_refuses_an_invalid_tarball() {
    let job = Job::new();
    job.sandbox.write("other/docker-manifest-1/readme", "no program");
    let tar = [
        "--create",
        "--use-compress-program=gzip -1",
        "--file",
        "other.tar.gz",
        "--directory",
        "other",
        "docker-manifest-1",
    ];
    let _ = job.sandbox.command("tar").args(tar).run().success();
    let zeros = "0".repeat(64);
    for (variables, message) in [
        (&[("TARBALL", "release.tar.gz"), ("SHA256", zeros.as_str())][..], "release.tar.gz has the SHA-256 "),
        (&[("TARBALL", "missing.tar.gz")], "there is no missing.tar.gz"),
        (&[("TARBALL", "")], "name a release tarball"),
        (&[("TARBALL", "https://localhost/x.tar.gz")], "sha256: a tarball from https://localhost/x.tar.gz needs it"),
        (&[("TARBALL", "http://localhost/x.tar.gz")], "a path or an https URL"),
        (&[("TARBALL", "release.tar.gz"), ("SHIM", "yes")], "true or false, not yes"),
        (&[("TARBALL", "other.tar.gz")], "it has no bin/docker-manifest"),
    ] {
        let output = job.install(variables);
        assert_eq!(output.code, 1, "{variables:?}");
        assert!(output.err().contains("::error::") && output.err().contains(message), "{}", output.err());
    }
    assert!(!job.sandbox.path().join("path").exists(), "no step sees any of it");

    let _ = job.install(&[("TARBALL", "release.tar.gz"), ("SHIM", "false")]).success();
    assert_eq!(job.step("docker manifest ls").success().out(), "real docker manifest ls\n");
    assert!(job.step("docker-manifest version").success().out().starts_with("docker-manifest version "));
}

/// The step gets every input by the name that the script reads.
#[test]
fn the_action_runs_the_script_with_every_input() {
    let action = std::fs::read_to_string(root().join("action.yml")).unwrap();
    let text = std::fs::read_to_string(root().join("scripts/action-install")).unwrap();
    assert!(action.contains("run: '\"$GITHUB_ACTION_PATH/scripts/action-install\"'"), "{action}");
    for input in ["tarball", "sha256", "shim"] {
        let variable = input.to_uppercase();
        assert!(action.contains(&format!("\n  {input}:\n")), "{input}");
        assert!(action.contains(&format!("{variable}: ${{{{ inputs.{input} }}}}\n")), "{input}");
        assert!(text.contains(&format!("${{{variable}")) || text.contains(&format!("${variable}")), "{input}");
    }
}

#[test]
fn release_notes_are_the_changelog_section_of_the_version() {
    let sandbox = Sandbox::new();
    let notes = script(&sandbox, "release-notes").arg(env!("CARGO_PKG_VERSION")).run().success().out();
    let changelog = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(notes.starts_with("### ") && changelog.contains(&notes), "{notes}");
    assert!(!notes.contains("\n## "), "{notes}");
    let unknown = script(&sandbox, "release-notes").arg("0.1").run();
    assert_eq!((unknown.code, unknown.err().as_str()), (1, "release-notes: CHANGELOG.md says nothing of 0.1\n"));
    assert_eq!(script(&sandbox, "release-notes").run().code, 125);
}

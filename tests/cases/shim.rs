//! The shim, started by every kind of program that starts docker, with a stand-in for docker behind it on the PATH.

use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use testkit::image::Image;
use testkit::loopback::Registry;
use testkit::sandbox::{DockerOnPath, Output, Sandbox, copy_program, on_path, write_script};

use super::OURS;
use super::shell_init::CALLS;

/// What the stand-in for docker does: it says with what it was called.
const FAKE_DOCKER: &str = "#!/bin/sh\nprintf '%s' docker\nprintf '[%s]' \"$@\"\necho\ncat\nexit 42\n";

struct Fixture {
    sandbox: Sandbox,
}

impl Fixture {
    /// A sandbox with the shim in `front` and the stand-in in `real`, both before everything else on the PATH.
    fn new() -> Fixture {
        let mut sandbox = Sandbox::new();
        for dir in ["front", "real"] {
            std::fs::create_dir(sandbox.path().join(dir)).unwrap();
        }
        write_script(&sandbox.path().join("real/docker"), FAKE_DOCKER);
        sandbox.set("PATH", path(&sandbox, &["front", "real"]));
        let fixture = Fixture { sandbox };
        let installed = fixture.shim(&["install", "--dir", "front"]).success();
        assert_eq!(installed.err(), "");
        fixture
    }

    fn shim(&self, words: &[&str]) -> Output {
        self.sandbox.command(OURS).arg("shim").args(words.iter().copied()).run()
    }

    fn file(&self) -> PathBuf {
        self.sandbox.path().join("front/docker")
    }
}

/// A PATH with these directories of the sandbox before the machine's own, but none that has a docker.
fn path(sandbox: &Sandbox, dirs: &[&str]) -> String {
    let own_dirs = dirs.iter().map(|dir| sandbox.path().join(dir).display().to_string());
    let system = ["/usr/bin", "/bin"].map(str::to_owned);
    own_dirs.chain(system).collect::<Vec<_>>().join(":")
}

#[test]
fn the_shim_runs_manifest_here_and_the_rest_in_docker() {
    let fixture = Fixture::new();
    for (words, program) in CALLS {
        let output = fixture.sandbox.command("docker").args(words.iter().copied()).stdin("input\n").run();
        if *program == "docker" {
            let shown: String = words.iter().map(|word| format!("[{word}]")).collect();
            let shown = if words.is_empty() { "[]".to_owned() } else { shown };
            let expected = (42, format!("docker{shown}\ninput\n"), String::new());
            assert_eq!((output.code, output.out(), output.err()), expected, "{words:?}");
        } else {
            assert!(output.code != 42 && !output.out().starts_with("docker["), "{words:?}: {}", output.out());
        }
    }
    let help = fixture.sandbox.command("docker").args(["help", "manifest", "push"]).run().success();
    assert!(help.out().starts_with("Usage:  docker manifest push "), "{}", help.out());
    let completed = fixture.sandbox.command("docker").args(["__complete", "manifest", "pu"]).run().success();
    assert!(completed.out().starts_with("push\t"), "{}", completed.out());
}

/// Every way to call docker that people have, each with `docker manifest version` and `docker ps`.
#[test]
fn every_caller_that_searches_the_path_reaches_the_shim() {
    let fixture = Fixture::new();
    let sandbox = &fixture.sandbox;
    let calls = "docker -D --config /c manifest version\ndocker ps 'a b' || exit $?\n";
    write_script(&sandbox.path().join("posix"), &format!("#!/bin/sh\nset -eu\n{calls}"));
    write_script(&sandbox.path().join("gnu"), &format!("#!/usr/bin/env bash\nset -euo pipefail\n{calls}"));
    sandbox.write("Makefile", "all:\n\tdocker -D --config /c manifest version\n\tdocker ps 'a b' || exit $$?\n");
    let python = "import subprocess, sys\n\
                  subprocess.run(['docker', '-D', '--config', '/c', 'manifest', 'version'], check=True)\n\
                  sys.exit(subprocess.run(['docker', 'ps', 'a b']).returncode)\n";
    sandbox.write("caller.py", python);
    let both_calls = |prefix: &str| {
        let [manifest, ps] = ["docker -D --config /c manifest version", "docker ps 'a b'"];
        format!("{prefix} {manifest} && {prefix} {ps}")
    };
    let xargs =
        "echo '-D --config /c manifest version' | xargs docker && printf 'ps\\0a b\\0' | xargs -0 docker || exit 42";
    let lines = [
        ("script for sh", "./posix".to_owned(), "sh"),
        ("script for bash", "./gnu".to_owned(), "bash"),
        ("make", "make -s --no-print-directory 2>/dev/null || exit 42".to_owned(), "make"),
        ("xargs", xargs.to_owned(), "xargs"),
        ("env", both_calls("env A=1"), "env"),
        ("timeout", both_calls("timeout 60"), "timeout"),
        ("nice", both_calls("nice"), "nice"),
        ("subprocess", "python3 caller.py".to_owned(), "python3"),
        ("dash", "dash posix".to_owned(), "dash"),
        ("BusyBox", "busybox sh posix".to_owned(), "busybox"),
        ("find", "find posix -exec docker manifest version \\; && docker ps 'a b'".to_owned(), "find"),
    ];
    for (who, line, program) in lines {
        if !on_path(program) {
            assert!(["BusyBox", "subprocess", "dash"].contains(&who), "{program} is everywhere");
            continue;
        }
        let output = sandbox.command("sh").args(["-c", &line]).run();
        let stdout = output.out();
        let (version, rest) = stdout.split_once('\n').unwrap_or_default();
        assert!(version.starts_with("docker-manifest version "), "{who}: {stdout}{}", output.err());
        assert!(rest.ends_with("docker[ps][a b]\n"), "{who}: {stdout}{}", output.err());
        assert_eq!(output.code, 42, "{who}: {stdout}{}", output.err());
    }
}

/// sudo looks for docker on a PATH of its own, and `shim status` knows which.
#[test]
fn sudo_reaches_the_shim_where_status_says_so() {
    let fixture = Fixture::new();
    // Where sudo may not be used, status says the same and there is nothing to compare it with.
    if !on_path("sudo") || fixture.sandbox.command("sudo").args(["-n", "true"]).run().code != 0 {
        return;
    }
    let status: serde_json::Value =
        serde_json::from_slice(&fixture.shim(&["status", "--format", "json"]).stdout).unwrap();
    let callers = status["callers"].as_array().unwrap();
    let sudo = callers.iter().find(|caller| caller["name"] == "sudo").unwrap();
    let found = fixture.sandbox.command("sudo").args(["-n", "sh", "-c", "command -v docker"]).run().out();
    assert_eq!(sudo["reached"], found.trim_end() == fixture.file().to_str().unwrap(), "{status:#} {found}");
    let line = format!("PATH={}", path(&fixture.sandbox, &["front", "real"]));
    let output = fixture.sandbox.command("sudo").args(["-n", "env", &line, "docker", "manifest", "version"]).run();
    assert!(output.success().out().starts_with("docker-manifest version "));
}

#[test]
fn an_old_script_publishes_a_list_through_it_unchanged() {
    let fixture = Fixture::new();
    let registry = Registry::start();
    let host = registry.host();
    for arch in ["amd64", "arm64"] {
        registry.put_image("app", arch, &Image::docker().platform("linux", arch).build());
    }
    let script = "#!/bin/sh\nset -eu\nfor arch in amd64 arm64; do images=\"${images:-} $1/app:$arch\"; done\n\
                  docker manifest create \"$1/app:1\" $images\n\
                  docker manifest annotate \"$1/app:1\" \"$1/app:arm64\" --variant v8\n\
                  docker manifest push --purge \"$1/app:1\"\n";
    write_script(&fixture.sandbox.path().join("release"), script);
    let output = fixture.sandbox.command("./release").arg(&host).run().success();
    assert!(output.out().contains(&format!("Created manifest list {host}/app:1\n")), "{}", output.out());
    let seen =
        fixture.sandbox.command("docker").args(["manifest", "inspect", &format!("{host}/app:1")]).run().success();
    assert!(seen.out().contains("\"variant\": \"v8\""), "{}", seen.out());
}

#[test]
fn the_shim_passes_signals_and_exit_codes_through() {
    let fixture = Fixture::new();
    let real = fixture.sandbox.path().join("real/docker");
    let replace = |text: &str| {
        std::fs::remove_file(&real).unwrap();
        write_script(&real, text);
    };
    replace("#!/bin/sh\ntrap 'echo stopped; exit 7' TERM\necho ready\nwhile :; do sleep 0.01; done\n");
    let mut command = fixture.sandbox.command("docker").arg("run").to_command();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    // The process that was started is docker itself by now.
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(lines.next().unwrap().unwrap(), "stopped");
    assert_eq!(child.wait().unwrap().code(), Some(7));

    replace("#!/bin/sh\nkill -KILL $$\n");
    let status = fixture.sandbox.command("docker").arg("run").to_command().status().unwrap();
    assert_eq!(status.signal(), Some(9));
}

/// What docker inherits is what the caller has: variables by whatever name.
#[test]
fn docker_behind_the_shim_inherits_the_environment() {
    let fixture = Fixture::new();
    let real = fixture.sandbox.path().join("real/docker");
    std::fs::remove_file(&real).unwrap();
    // Bash keeps variables that no shell has a name for.
    write_script(&real, "#!/usr/bin/env bash\nenv | grep -v '^_=' | sort\n");
    let names = ["path", "docker", "discovery.type", "A B", "IFS"];
    let run = |program: PathBuf| {
        let run = fixture.sandbox.command(program);
        names.iter().fold(run, |run, name| run.env(*name, "a:b *")).run().success().out()
    };
    let direct = run(real.clone());
    assert!(direct.contains("discovery.type=a:b *\n"), "{direct}");
    assert_eq!(run(fixture.file()), direct);
}

#[test]
fn the_shim_never_calls_itself() {
    let fixture = Fixture::new();
    let sandbox = &fixture.sandbox;
    let _ = fixture.shim(&["install", "--dir", "other"]).success();
    symlink("front", sandbox.path().join("link")).unwrap();
    std::fs::create_dir_all(sandbox.path().join("directory/docker")).unwrap();
    std::fs::create_dir(sandbox.path().join("plain")).unwrap();
    sandbox.write("plain/docker", "no program");
    let run = |dirs: &[&str], program: &str| sandbox.command(program).arg("ps").env("PATH", path(sandbox, dirs)).run();
    for dirs in [
        &["front", "other", "link", "front", "directory", "plain", "real", "front"][..],
        &["other", "front", "missing", "real"],
        &["link", "real"],
        &["real"],
        &["front", "real", "front"],
    ] {
        for program in ["front/docker", "other/docker", "link/docker"] {
            let output = run(dirs, sandbox.path().join(program).to_str().unwrap());
            assert_eq!(
                (output.code, output.out().as_str()),
                (42, "docker[ps]\n"),
                "{dirs:?} {program} {}",
                output.err()
            );
        }
    }
    // A PATH of relative and of empty directories.
    let output = sandbox.command("sh").args(["-c", "cd front; PATH=:../real:/usr/bin:/bin; docker ps"]).run();
    assert_eq!((output.code, output.out().as_str()), (42, "docker[ps]\n"), "{}", output.err());

    let shim_alone = run(&["front", "other"], "docker");
    assert_eq!((shim_alone.code, shim_alone.out().as_str()), (127, ""));
    assert!(shim_alone.err().starts_with("docker: there is no other docker after "), "{}", shim_alone.err());
    let last = run(&["real", "front"], fixture.file().to_str().unwrap());
    assert_eq!(last.code, 127);
    assert!(last.err().contains(&format!("hint: {}/real/docker comes before it", sandbox.path().display())));
}

/// The tests that compare with docker find it behind a shim, whatever form the shim has, and never take the shim.
#[test]
fn tests_never_take_the_shim_for_docker() {
    let fixture = Fixture::new();
    let in_sandbox = |name: &str| fixture.sandbox.path().join(name);
    std::fs::create_dir(in_sandbox("copy")).unwrap();
    copy_program(OURS.as_ref(), &in_sandbox("copy/docker"));
    std::fs::create_dir(in_sandbox("script")).unwrap();
    write_script(&in_sandbox("script/docker"), &format!("#!/bin/sh\nshift\nexec {OURS} \"$@\"\n"));
    let with_path = |dirs: &[&str]| {
        let dirs = dirs.iter().map(|dir| in_sandbox(dir)).chain(["/usr/bin", "/bin"].map(PathBuf::from));
        let is_sandboxed = |dir: &PathBuf| dir.starts_with(in_sandbox("")) || !dir.join("docker").is_file();
        DockerOnPath::find(&std::env::join_paths(dirs.filter(is_sandboxed)).unwrap())
    };
    assert_eq!(with_path(&["real", "front"]), DockerOnPath::WithoutShim(in_sandbox("real/docker")));
    assert_eq!(with_path(&["front", "copy", "script", "real"]), DockerOnPath::BehindShim(in_sandbox("real/docker")));
    assert_eq!(with_path(&["front", "copy"]), DockerOnPath::ShimAlone(in_sandbox("front/docker")));
    assert_eq!(with_path(&["script"]), DockerOnPath::ShimAlone(in_sandbox("script/docker")));
    assert_eq!(with_path(&["nothing"]), DockerOnPath::Missing);
}

/// A link that leads nowhere is passed over by every search of the PATH.
#[test]
fn the_shim_runs_docker_without_the_program() {
    let fixture = Fixture::new();
    std::fs::remove_file(fixture.file()).unwrap();
    symlink("/nowhere/docker-manifest", fixture.file()).unwrap();
    for (program, line) in [("sh", "docker ps"), ("env", ""), ("xargs", "")] {
        let words = if line.is_empty() { vec!["docker", "ps"] } else { vec!["-c", line] };
        let output = fixture.sandbox.command(program).args(words).run();
        assert!(output.out().starts_with("docker[ps]"), "{program}: {}{}", output.out(), output.err());
    }
    // It is still ours to replace and to remove.
    let _ = fixture.shim(&["install", "--dir", "front"]).success();
    assert!(fixture.sandbox.command("docker").args(["manifest", "version"]).run().success().out().contains("version"));
}

/// Bytes that are not UTF-8 are docker's to read.
#[test]
fn the_shim_passes_arguments_unchanged() {
    let fixture = Fixture::new();
    let word = std::ffi::OsString::from_vec(b"a\xff b".to_vec());
    let output = fixture.sandbox.command("docker").arg("ps").arg(word).run();
    assert_eq!(output.stdout, b"docker[ps][a\xff b]\n");
}

#[test]
fn a_docker_that_is_not_ours_is_neither_replaced_nor_removed() {
    let fixture = Fixture::new();
    let real = fixture.sandbox.path().join("real");
    for action in ["install", "remove"] {
        let output = fixture.shim(&[action, "--dir", "real"]);
        assert_eq!(output.code, 1);
        let expected = format!("{}/docker is not a shim of docker-manifest, so it stays as it is", real.display());
        assert_eq!(output.first_err_line(), expected);
        assert_eq!(std::fs::read_to_string(real.join("docker")).unwrap(), FAKE_DOCKER);
    }
    let removed = fixture.shim(&["remove"]).success();
    assert_eq!(removed.out(), format!("Removed {}\n", fixture.file().display()));
    let output = fixture.shim(&["install", "--dir", "real"]);
    assert!(output.err().contains(&format!("shim install --dir {}/front", fixture.sandbox.path().display())));
    assert_eq!(fixture.shim(&["status"]).code, 1);
    assert_eq!(fixture.shim(&["remove", "--dir", "front"]).code, 1);
}

#[test]
fn shim_install_and_status_report_who_reaches_the_shim() {
    let fixture = Fixture::new();
    let status = fixture.shim(&["status"]).success().out();
    let begin =
        format!("Shim:    {0}/front/docker\nDocker:  {0}/real/docker\n\nCALLER", fixture.sandbox.path().display());
    assert!(status.starts_with(&begin), "{status}");
    assert!(status.contains("\nthis shell          yes       it is the first docker on its PATH\n"), "{status}");
    let aside =
        format!("\nsystemd services    no        {}/front is not on its PATH\n", fixture.sandbox.path().display());
    assert!(status.contains(&aside), "{status}");
    // A directory that is not on the PATH is of little use, and that is said.
    let _ = fixture.shim(&["remove"]).success();
    let aside = fixture.shim(&["install", "--dir", "aside"]).success();
    assert!(
        aside.err().contains("warning: this shell does not run it; put its directory first: export PATH=\""),
        "{}",
        aside.err()
    );
    let home =
        fixture.sandbox.command(OURS).args(["shim", "install", "--format", "json", "--dir", "h"]).run().success();
    let json: serde_json::Value = serde_json::from_slice(&home.stdout).unwrap();
    assert_eq!(json["shim"], format!("{}/h/docker", fixture.sandbox.path().display()));
}

//! The shell functions, in real shells, with stand-ins for docker and the plugin that print how they were called.

use testkit::sandbox::{Sandbox, on_path, write_script};
use testkit::skip::skipped;

use super::OURS;

/// Words after `docker`, and who should be run with them.
pub(super) const CALLS: &[(&[&str], &str)] = &[
    (&[], "docker"),
    (&["manifest"], "docker-manifest"),
    (&["manifest", "create", "a b", "", "*", "$HOME"], "docker-manifest"),
    (&["ps"], "docker"),
    (&["ps", "manifest"], "docker"),
    (&["manifests"], "docker"),
    (&["-D", "manifest", "rm", "x"], "docker-manifest"),
    (&["--config", "manifest", "ps"], "docker"),
    (&["--config", "/c", "manifest", "ps"], "docker-manifest"),
    (&["--config=/c", "manifest"], "docker-manifest"),
    (&["--config"], "docker"),
    (&["-H", "manifest"], "docker"),
    (&["-Hx", "manifest"], "docker-manifest"),
    (&["-c", "manifest", "-l", "manifest", "--tlscert", "manifest", "--tlskey", "manifest", "ps"], "docker"),
    (&["--context", "x", "--host", "y", "--log-level", "z", "--tlscacert", "w", "manifest"], "docker-manifest"),
    (&["-Dc", "manifest", "manifest"], "docker-manifest"),
    (&["-Dc", "manifest", "ps"], "docker"),
    (&["--tls", "--tlsverify=false", "manifest"], "docker-manifest"),
    (&["help", "manifest", "push"], "docker-manifest"),
    (&["-D", "help", "manifest"], "docker-manifest"),
    (&["help"], "docker"),
    (&["help", "ps", "manifest"], "docker"),
    (&["help", "help", "manifest"], "docker"),
    (&["__complete", "manifest", ""], "docker-manifest"),
    (&["__completeNoDesc", "--config", "x", "manifest", "p"], "docker-manifest"),
    (&["__complete", "manifest"], "docker"),
    (&["run", "--rm", "manifest", "-x"], "docker"),
];

struct Fixture {
    sandbox: Sandbox,
    shell: &'static str,
    options: &'static [&'static str],
}

impl Fixture {
    fn new(shell: &'static str, options: &'static [&'static str]) -> Option<Fixture> {
        if !on_path(shell) {
            skipped(&format!("the {shell} function"), &format!("{shell} is not installed (apt-get install {shell})"));
            return None;
        }
        let sandbox = Sandbox::new();
        let form = if matches!(shell, "bash" | "zsh" | "fish") { shell } else { "sh" };
        let function = sandbox.command(OURS).args(["shell-init", form]).run().success();
        assert_eq!(function.err(), "");
        sandbox.write("function", function.stdout);
        std::fs::create_dir(sandbox.path().join("bin")).unwrap();
        for name in ["docker", "docker-manifest"] {
            let script = format!("#!/bin/sh\nprintf '%s' {name}\nprintf '[%s]' \"$@\"\necho\ncat\nexit 42\n");
            write_script(&sandbox.path().join("bin").join(name), &script);
        }
        Some(Fixture { sandbox, shell, options })
    }

    /// Runs a script in which `$BIN` is in front of the PATH and the function is there.
    fn run(&self, script: &str, arguments: &[&str]) -> testkit::sandbox::Output {
        let load = match self.shell {
            "fish" => "set -gx PATH $BIN $PATH\nsource $FUNCTION\n",
            _ => "PATH=$BIN:$PATH\n. \"$FUNCTION\"\n",
        };
        self.sandbox.write("script", format!("{load}{script}\n"));
        self.sandbox
            .command(self.shell)
            .args(self.options.iter().copied())
            .arg("script")
            .args(arguments.iter().copied())
            .env("BIN", self.sandbox.path().join("bin"))
            .env("FUNCTION", self.sandbox.path().join("function"))
            .stdin("input\n")
            .run()
    }

    fn check(&self) {
        let call = if self.shell == "fish" { "docker $argv; exit $status" } else { "docker \"$@\"; exit $?" };
        for (words, program) in CALLS {
            let output = self.run(call, words);
            let shown: String = words.iter().map(|word| format!("[{word}]")).collect();
            let shown = if words.is_empty() { "[]".to_owned() } else { shown };
            let expected = (42, format!("{program}{shown}\ninput\n"), String::new());
            assert_eq!((output.code, output.out(), output.err()), expected, "{} {words:?}", self.shell);
        }
    }
}

#[test]
fn bash_sends_manifest_to_us_and_the_rest_to_docker() {
    let Some(fixture) = Fixture::new("bash", &["--norc", "-u"]) else { return };
    fixture.check();
    // Loaded twice, under an alias of the same name, and where a failing command ends the script.
    let script = "shopt -s expand_aliases\nalias docker='docker -D'\n. \"$FUNCTION\"\nset -e\ndocker manifest || \
        true\ndocker ps";
    let output = fixture.run(script, &[]);
    assert_eq!((output.code, output.out().as_str()), (42, "docker-manifest[-D][manifest]\ninput\ndocker[-D][ps]\n"));
    assert_eq!(output.err(), "");
}

#[test]
fn zsh_sends_manifest_to_us_and_the_rest_to_docker() {
    let Some(fixture) = Fixture::new("zsh", &["-f", "-u"]) else { return };
    fixture.check();
    let output =
        fixture.run("alias docker='docker -D'; . \"$FUNCTION\"; autoload -Uz compinit; eval 'docker manifest'", &[]);
    assert_eq!((output.code, output.out().as_str()), (42, "docker-manifest[-D][manifest]\ninput\n"));
    assert_eq!(output.err(), "");
}

#[test]
fn posix_shells_send_manifest_to_us_and_the_rest_to_docker() {
    for (shell, options) in [("dash", &["-u"][..]), ("sh", &["-u"]), ("busybox", &["sh", "-u"]), ("ksh", &["-u"])] {
        // Any of them will do, and sh is everywhere.
        if !on_path(shell) {
            continue;
        }
        let Some(fixture) = Fixture::new(shell, options) else { return };
        fixture.check();
        let script = "alias docker='docker -D'\n. \"$FUNCTION\"\nset -e\neval 'docker manifest' || true\ndocker ps";
        let output = fixture.run(script, &[]);
        let expected = "docker-manifest[-D][manifest]\ninput\ndocker[-D][ps]\n";
        assert_eq!((output.code, output.out().as_str(), output.err().as_str()), (42, expected, ""), "{shell}");
    }
}

#[test]
fn bash_exports_its_function_to_child_shells() {
    let Some(fixture) = Fixture::new("bash", &["--norc", "-u"]) else { return };
    fixture.sandbox.write("inner", "docker manifest a\n");
    let script = "bash -c 'docker manifest b' </dev/null || echo c | xargs bash -c 'docker manifest $0' || bash inner";
    let output = fixture.run(script, &[]);
    let expected = "docker-manifest[manifest][b]\ndocker-manifest[manifest][c]\ndocker-manifest[manifest][a]\ninput\n";
    assert_eq!((output.code, output.out().as_str(), output.err().as_str()), (42, expected, ""));
}

#[test]
fn fish_sends_manifest_to_us_and_the_rest_to_docker() {
    let Some(fixture) = Fixture::new("fish", &["--no-config"]) else { return };
    fixture.check();
}

#[test]
fn bash_completes_the_program_itself() {
    let Some(fixture) = Fixture::new("bash", &["--norc", "-u"]) else { return };
    std::fs::remove_file(fixture.sandbox.path().join("bin/docker-manifest")).unwrap();
    std::os::unix::fs::symlink(OURS, fixture.sandbox.path().join("bin/docker-manifest")).unwrap();
    let script = "c() { COMP_LINE=$1 COMP_POINT=${#1}; __docker_manifest_complete; echo \"${COMPREPLY[@]}\"; }
        c 'docker-manifest annotate --os l'; c 'docker-manifest annotate --os=l'; c 'docker-manifest pu'
        mkdir -p d/manifests/h-5_app-1; c 'docker-manifest --config d rm h:5/a'; c 'docker-manifest --config d rm '
        touch lists.yaml; c 'docker-manifest apply -f l'; c 'docker-manifest push --digest-file=l'
        c 'docker-manifest ls l'
        COMP_WORDBREAKS=' '; c 'docker-manifest --config d rm h:5/a'; c 'docker-manifest annotate --os=l'
        c 'docker-manifest push --digest-file=l'
        complete -p docker-manifest";
    let output = fixture.run(script, &[]).success();
    let completed = "linux\nlinux\npush\n5/app:1\nh:5/app:1\nlists.yaml\nlists.yaml\n\nh:5/app:1\n--os=linux\n\
                     --digest-file=lists.yaml\n";
    assert_eq!(output.out(), format!("{completed}complete -F __docker_manifest_complete docker-manifest\n"));
}

#[test]
fn fish_completes_the_program_itself() {
    let Some(fixture) = Fixture::new("fish", &["--no-config"]) else { return };
    std::fs::remove_file(fixture.sandbox.path().join("bin/docker-manifest")).unwrap();
    std::os::unix::fs::symlink(OURS, fixture.sandbox.path().join("bin/docker-manifest")).unwrap();
    let output = fixture.run("complete -C 'docker-manifest annotate --os l'", &[]).success();
    assert_eq!(output.out().trim_end(), "linux");
    let script = "touch lists.yaml; complete -C 'docker-manifest apply -f li'
        complete -C 'docker-manifest push --digest-file=li'; complete -C 'docker-manifest push --type=o'
        complete -C 'docker-manifest ls li'";
    let output = fixture.run(script, &[]).success();
    assert_eq!(output.out(), "lists.yaml\n--digest-file=lists.yaml\n--type=oci\n");
}

/// The files that packages install, found by each shell in its own way.
#[test]
fn completion_files_complete_the_program() {
    for (shell, options, file, script) in [
        (
            "bash",
            &["--norc", "-u"][..],
            "docker-manifest",
            ". files/docker-manifest; COMP_LINE='docker-manifest pu' COMP_POINT=18; __docker_manifest_complete
             echo \"${COMPREPLY[@]}\"; complete -p docker-manifest",
        ),
        (
            "fish",
            &["--no-config"],
            "docker-manifest.fish",
            "set -p fish_complete_path $PWD/files; complete -C 'docker-manifest pu'",
        ),
        (
            "zsh",
            &["-f"],
            "_docker-manifest",
            "fpath=($PWD/files $fpath); autoload -Uz compinit; compinit -D; echo ${_comps[docker-manifest]}
             _files() { :; }; compadd() { shift; print -r -- \"$@\"; }; compset() { :; }
             words=(docker-manifest pu) CURRENT=2; autoload -Uz _docker-manifest; _docker-manifest; _docker-manifest",
        ),
    ] {
        let Some(fixture) = Fixture::new(shell, options) else { continue };
        std::fs::remove_file(fixture.sandbox.path().join("bin/docker-manifest")).unwrap();
        std::os::unix::fs::symlink(OURS, fixture.sandbox.path().join("bin/docker-manifest")).unwrap();
        let text = fixture.sandbox.command(OURS).args(["completion", shell]).run().success().stdout;
        fixture.sandbox.write(format!("files/{file}"), text);
        fixture.sandbox.write("function", "");
        let output = fixture.run(script, &[]).success();
        let expected = match shell {
            "bash" => "push\ncomplete -F __docker_manifest_complete docker-manifest\n",
            "fish" => "push\tPush a manifest list to a repository\n",
            _ => "_docker-manifest\npush\npush\n",
        };
        assert_eq!((output.out().as_str(), output.err().as_str()), (expected, ""), "{shell}");
    }
}

#[test]
fn an_unknown_shell_is_refused() {
    let output = Sandbox::new().command(OURS).args(["shell-init", "tcsh"]).run();
    assert_eq!(output.code, 1);
    assert_eq!(output.first_err_line(), "invalid argument \"tcsh\": must be one of bash, zsh, fish, sh");
}

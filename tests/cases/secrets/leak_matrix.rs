//! Every command with every source of a login, against registries that behave and registries that repeat what they
//! were sent: all output and every file is searched for secrets.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use testkit::loopback::{Bearer, Fault, Registry, Rule};
use testkit::sandbox::{Output, Sandbox, SandboxCommand, tree_without_root_dot_names, write_script};

use super::amd64_image;
use crate::cases::OURS;

/// With all that is written otherwise in addresses, forms, JSON or base64.
pub(super) const PASSWORD: &str = "hunter2/tops3cret+%&<x> \"ö~?";

/// The password, and the login, in every form in which they could be told; tokens are added.
pub(super) fn forms(password: &str) -> Vec<String> {
    let login = format!("me:{password}");
    let percent = |keep: &str| -> String {
        let percent_encode = |b: u8| match b.is_ascii_alphanumeric() || keep.as_bytes().contains(&b) {
            true => char::from(b).to_string(),
            false => format!("%{b:02X}"),
        };
        password.bytes().map(percent_encode).collect()
    };
    let json = serde_json::Value::from(password).to_string();
    let json = json.trim_matches('"').to_owned();
    let go = json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    let mut forms =
        vec![password.to_owned(), percent(""), percent("-._~"), percent("-._~/+"), percent("~!$&'()*+,;=:@/?")];
    forms.extend([percent("-._~").replace("%20", "+"), json, go, percent("").to_lowercase()]);
    for text in [password, &login] {
        let encodings = [BASE64_STANDARD_NO_PAD.encode(text), BASE64_URL_SAFE_NO_PAD.encode(text)];
        // The last letters may be cut, and the first ones alone tell enough.
        forms.extend(encodings.map(|text| text[..16].to_owned()));
    }
    // What no text may have of it, however the rest is spelt.
    forms.push("tops3cret".to_owned());
    forms
}

#[track_caller]
pub(super) fn assert_no_secrets(text: &str, secrets: &[String], context: &str) {
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{context}: {secret} is told in:\n{text:.3000}");
    }
}

/// How a user is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LoginSource {
    Config,
    Variable,
    Helper,
    Flags,
}

/// A registry that wants a login, a user who has one, and a draft.
struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
    login_source: LoginSource,
}

impl Fixture {
    fn new(login_source: LoginSource) -> Fixture {
        let registry = Registry::builder().bearer(Bearer::new().user("me", PASSWORD)).start();
        for tag in ["1", "2"] {
            registry.put_image("app", tag, &amd64_image());
        }
        let mut sandbox = Sandbox::new();
        std::fs::create_dir(sandbox.path().join("tmp")).expect("a directory");
        sandbox.set("TMPDIR", sandbox.path().join("tmp"));
        let auth = BASE64_STANDARD.encode(format!("me:{PASSWORD}"));
        let config = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.host());
        match login_source {
            LoginSource::Config => drop(sandbox.write_config(&config)),
            LoginSource::Variable => sandbox.set("DOCKER_AUTH_CONFIG", config),
            LoginSource::Flags => {}
            LoginSource::Helper => {
                sandbox.write_config(r#"{"credsStore":"kept"}"#);
                let answer = serde_json::json!({"Username": "me", "Secret": PASSWORD}).to_string();
                let file = sandbox.write("kept.json", answer);
                let script = format!("#!/bin/sh\ncat '{}'\n", file.display());
                write_script(&sandbox.path().join("docker-credential-kept"), &script);
                sandbox.set("PATH", format!("{}:/usr/bin:/bin", sandbox.path().display()));
            }
        }
        sandbox
            .write("list.yaml", format!("image: {0}/app:spec\nmanifests: [{{image: '{0}/app:1'}}]\n", registry.host()));
        std::os::unix::fs::symlink(OURS, sandbox.path().join("manifest-tool")).expect("a link");
        std::os::unix::fs::symlink(OURS, sandbox.path().join("mquery")).expect("a link");
        Fixture { registry, sandbox, login_source }
    }

    /// A command, `@` before its names being the registry; with the flags of a login where that is the way.
    fn command(&self, words: &[&str]) -> SandboxCommand {
        let named = |word: &&str| word.replace('@', &format!("{}/", self.registry.host()));
        let mut all: Vec<String> = words.iter().map(named).collect();
        let (program, run_by_name) = match words[0] {
            "manifest-tool" | "mquery" => (self.sandbox.path().join(all.remove(0)), true),
            _ => (PathBuf::from(OURS), false),
        };
        if run_by_name {
            let is_tool = words[0] == "manifest-tool";
            let login = ["--debug", "--username", "me", "--password", PASSWORD].map(str::to_owned);
            let first = if is_tool { login.to_vec() } else { Vec::new() };
            return self.sandbox.command(program).args(first.into_iter().chain(all));
        }
        all.insert(0, "--debug".to_owned());
        let takes_login = !matches!(words[0], "annotate" | "ls" | "exists" | "rm" | "remove" | "prune");
        if self.login_source == LoginSource::Flags && takes_login {
            all.extend(["--username", "me", "--password-stdin"].map(str::to_owned));
        }
        self.sandbox.command(program).args(all).stdin(PASSWORD)
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).run()
    }

    fn secrets(&self) -> Vec<String> {
        forms(PASSWORD).into_iter().chain(self.registry.issued_tokens()).collect()
    }

    /// All that is on disk, but for where the user has put the login.
    fn assert_no_secrets_in_files(&self) {
        let secrets = self.secrets();
        for (path, (_, bytes)) in tree_without_root_dot_names(self.sandbox.path()) {
            let is_login = path.ends_with("config.json") || path == "kept.json";
            // The two links lead to the program.
            if !is_login && path != "manifest-tool" && path != "mquery" {
                assert_no_secrets(&String::from_utf8_lossy(&bytes), &secrets, &path);
            }
        }
    }
}

/// In an order in which each finds what it needs.
const COMMANDS: &[&[&str]] = &[
    &["create", "@app:list", "@app:1"],
    &["create", "--amend", "@app:list", "@app:2"],
    &["add", "@app:list", "@app:1"],
    &["annotate", "@app:list", "@app:1", "--variant", "v2"],
    &["ls"],
    &["exists", "@app:list"],
    &["inspect", "@app:list"],
    &["inspect", "-v", "@app:list"],
    &["inspect", "--remote", "@app:1"],
    &["inspect", "--raw", "--remote", "@app:1"],
    &["inspect", "--format", "json", "--remote", "@app:1"],
    &["inspect", "-v", "@app:1"],
    &["export", "@app:list"],
    &["push", "--dry-run", "@app:list"],
    &["push", "@app:list"],
    &["push", "--format", "json", "-t", "other", "@app:list"],
    &["apply", "-f", "list.yaml"],
    &["apply", "-f", "list.yaml", "--dry-run", "--format", "json"],
    &["export", "@app:spec"],
    &["platforms", "@app:list"],
    &["platforms", "--format", "json", "@app:1"],
    &["check", "@scratch"],
    &["check", "--format", "json", "@scratch"],
    &["manifest-tool", "inspect", "@app:list"],
    &["manifest-tool", "inspect", "--raw", "@app:1"],
    &["manifest-tool", "push", "from-args", "--platforms", "linux/amd64", "--template", "@app:1", "--target", "@app:t"],
    &["manifest-tool", "push", "from-spec", "list.yaml"],
    &["rm", "@app:list"],
];

#[test]
fn no_command_prints_or_stores_a_secret() {
    for login_source in [LoginSource::Config, LoginSource::Variable, LoginSource::Helper, LoginSource::Flags] {
        let fixture = Fixture::new(login_source);
        for words in COMMANDS {
            let output = fixture.run(words);
            assert_eq!(output.code, 0, "{login_source:?} {words:?}: {}", output.err());
            assert_no_secrets(
                &(output.err() + &output.out()),
                &fixture.secrets(),
                &format!("{login_source:?} {words:?}"),
            );
        }
        assert!(!fixture.registry.issued_tokens().is_empty(), "{login_source:?}: nobody logged in");
        fixture.assert_no_secrets_in_files();
    }
}

/// What a registry that logs too much says: the login, whole, in each spelling that some library would choose.
fn leaking_faults() -> Vec<Fault> {
    let auth = BASE64_STANDARD.encode(format!("me:{PASSWORD}"));
    let percent: String = PASSWORD.bytes().map(|b| format!("%{b:02x}")).collect();
    let json = |text: &str| {
        let words = format!("not for {text}");
        serde_json::json!({"errors": [{"code": "DENIED", "message": words, "detail": text}], "details": text})
            .to_string()
    };
    let html = PASSWORD.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;");
    let go = json(PASSWORD).replace('&', "\\u0026").replace('<', "\\u003c");
    vec![
        Fault::Status(403, json(PASSWORD), vec![]),
        Fault::Status(500, go, vec![]),
        Fault::Status(400, format!("no JSON: {}", json(PASSWORD)), vec![]),
        Fault::Status(403, json(&format!("Basic {auth}")), vec![]),
        Fault::Status(400, format!("{{\"message\":\"{}{percent}\"}}", "x".repeat(990)), vec![]),
        Fault::Status(404, format!("<html><p>bad login me:{html}</p>"), vec![]),
        Fault::Status(401, format!("who is {}?", BASE64_URL_SAFE_NO_PAD.encode(PASSWORD)), vec![]),
        Fault::Redirect { status: 307, location: format!("/v2/{percent}") },
        Fault::Redirect { status: 307, location: format!("http://me:{percent}@127.0.0.1:1/{auth}") },
    ]
}

#[test]
fn no_command_prints_a_repeated_secret() {
    let fixture = Fixture::new(LoginSource::Config);
    let _ = fixture.run(COMMANDS[0]).success();
    let mut failed = 0;
    for fault in leaking_faults() {
        for words in COMMANDS.iter().filter(|words| !matches!(words[0], "rm" | "ls" | "exists" | "annotate")) {
            for rule in [Rule::tokens(), Rule::any().authorized()] {
                fixture.registry.clear_faults();
                fixture.registry.add_fault(rule, fault.clone());
                let output = fixture.run(words);
                failed += usize::from(output.code != 0);
                assert_no_secrets(&(output.err() + &output.out()), &fixture.secrets(), &format!("{words:?} {fault:?}"));
            }
        }
    }
    fixture.assert_no_secrets_in_files();
    assert!(failed > 300, "only {failed} commands heard of it");
}

/// The proxy's password is for the proxy alone, and it may repeat it too.
#[test]
fn a_secret_that_a_proxy_repeats_is_redacted() {
    let percent: String = PASSWORD.bytes().map(|b| format!("%{b:02x}")).collect();
    for fault in leaking_faults() {
        // It takes the place of the proxy: what is asked for through it bears the registry's name.
        let proxy = Registry::start();
        let url = format!("http://me:{percent}@{}", proxy.host());
        proxy.add_fault(Rule::any(), fault);
        let fixture = super::FixtureBuilder::new().plain_http().env("HTTP_PROXY", url).build();
        let outcome = fixture.manifest_by_full_name("registry.invalid:5000/a:1");
        let error = outcome.map(|_| String::new()).unwrap_or_else(|error| format!("{error}\n{error:?}"));
        let text = format!("{error}\n{}\n{}", fixture.trace().join("\n"), fixture.notices().join("\n"));
        assert!(!proxy.requests().is_empty(), "nobody came: {text}");
        let login = format!("Basic {}", BASE64_STANDARD.encode(format!("me:{PASSWORD}")));
        assert_eq!(proxy.requests()[0].header("Proxy-Authorization"), Some(login.as_str()));
        assert_no_secrets(&text, &forms(PASSWORD), "a proxy");
    }
}

/// `socks5://`, a bad port, a name that is none: the variable is named, and not repeated.
#[test]
fn a_proxy_that_cannot_be_used_is_named_without_its_password() {
    let sandbox = Sandbox::new();
    for value in [
        "http://me:hunter2-x@127.0.0.1:x",
        "socks5://me:hunter2-x@h",
        "me:hunter2-x@",
        "http://me:hunter2-x@127.0.0.1:1",
    ] {
        for name in ["HTTPS_PROXY", "https_proxy"] {
            let run = sandbox.command(OURS).args(["--debug", "inspect", "registry.invalid/a:1"]).env(name, value).run();
            assert_eq!(run.code, 1, "{value}");
            assert!(!(run.err() + &run.out()).contains("hunter2"), "{value}: {}", run.err());
        }
    }
}

/// A helper that fails, in every way that has a secret in it.
#[test]
fn helper_output_is_not_printed() {
    let registry = Registry::builder().basic("me", "hunter2-x").start();
    let mut sandbox = Sandbox::new();
    sandbox.set("PATH", format!("{}:/usr/bin:/bin", sandbox.path().display()));
    sandbox.write_config(r#"{"credsStore":"odd"}"#);
    for script in [
        r#"echo '{"Username":"me","Secret":"hunter2-x"}'; exit 1"#,
        r#"echo '{"Username":"me","Secret":"hunter2-x"'"#,
        r#"printf '{"Username":"me",\n"Secret":"hunter2-x"}'; echo "failed with hunter2-x" >&2; exit 3"#,
        "echo hunter2-x; exit 1",
        "echo hunter2-x >&2; exit 1",
        r#"echo '"Secret": "hunter2-x" }' >&2; exit 1"#,
        "echo '[\"hunter2-x\"]'",
        "echo '{\"Username\":\"me\",\"Secret\":\"hunter2-x\\u0000\"}'",
        "echo '{\"Username\":\"other\",\"Secret\":\"hunter2-x\"}'",
    ] {
        write_script(&sandbox.path().join("docker-credential-odd"), &format!("#!/bin/sh\n{script}\n"));
        let name = format!("{}/a:1", registry.host());
        let run = sandbox.command(OURS).args(["--debug", "inspect", &name]).run();
        assert_eq!(run.code, 1, "{script}: {}", run.out());
        assert!(!(run.err() + &run.out()).contains("hunter2"), "{script}: {}", run.err());
        std::fs::remove_file(sandbox.path().join("docker-credential-odd")).expect("it goes");
    }
}

/// A command line that is wrong is not repeated beside the word that is wrong.
#[test]
fn a_password_in_an_invalid_command_line_is_redacted() {
    let sandbox = Sandbox::new();
    let tool = sandbox.path().join("manifest-tool");
    std::os::unix::fs::symlink(OURS, &tool).expect("a link");
    let ours = PathBuf::from(OURS);
    for (program, words) in [
        (&ours, &["push", "--password=hunter2-x", "h/l"][..]),
        (&ours, &["push", "--password", "hunter2-x", "h/l"]),
        (&ours, &["push", "--username", "me", "--password-stdin=hunter2-x", "h/l", "--bogus"]),
        (&tool, &["--username", "me", "--password", "hunter2-x", "bogus"]),
        (&tool, &["--password", "hunter2-x", "inspect", "h/a"]),
        (&tool, &["--username", "me", "--password=hunter2-x", "inspect"]),
        (&tool, &["--username", "me", "--password=hunter2-x", "inspect", "--bogus", "h/a"]),
        (&tool, &["--username", "me", "--password=hunter2-x", "push", "from-spec", "no-such-file"]),
    ] {
        let run = sandbox.command(program).args(words.iter().copied()).run();
        assert!(run.code != 0, "{words:?}");
        assert!(!(run.err() + &run.out()).contains("hunter2"), "{words:?}: {}", run.err());
    }
}

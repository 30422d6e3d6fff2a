//! What other processes can read: `/proc/PID/cmdline` and `environ` of the running program and of its helpers.

use std::fs;
use std::process::Stdio;

use testkit::loopback::{Bearer, Fault, Registry, Rule};
use testkit::sandbox::{Sandbox, write_script};

use super::amd64_image;
use super::leak_matrix::{PASSWORD, assert_no_secrets, forms};
use crate::cases::OURS;

/// A process's arguments and environment, as anybody's `ps` and its owner's `/proc` have them.
fn seen(pid: &str) -> String {
    let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).expect("the process runs");
    String::from_utf8_lossy(&[read("cmdline"), read("environ")].concat()).replace('\0', "\n")
}

#[test]
fn a_password_from_standard_input_is_in_no_process_list() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", PASSWORD)).start();
    registry.put_image("app", "1", &amd64_image());
    let sandbox = Sandbox::new();
    let image = format!("{}/app:1", registry.host());
    // Held at the request that bears the token, it has done all that it does with the password.
    registry.add_fault(Rule::on("GET", "/manifests/").authorized(), Fault::Hang);
    let mut command =
        sandbox.command(OURS).args(["inspect", &image, "--username", "me", "--password-stdin"]).to_command();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), PASSWORD.as_bytes()).expect("it reads");
    registry.wait_until(|requests| {
        requests
            .iter()
            .any(|request| request.target.contains("/manifests/") && request.header("Authorization").is_some())
    });
    let found = seen(&child.id().to_string());
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    registry.release();
    assert!(child.wait().expect("it ends").success());
    let secrets: Vec<String> = forms(PASSWORD).into_iter().chain(registry.issued_tokens()).collect();
    assert!(found.contains("--password-stdin") && found.contains("HOME="), "{found}");
    assert_no_secrets(&found, &secrets, "the process list");
    assert_eq!(children.trim(), "", "nobody else was started");
}

/// A helper of one registry, which looks at itself and at whoever called it, after another registry was logged in to.
#[test]
fn a_helper_sees_no_secret_of_another_registry() {
    let stored = Registry::builder().bearer(Bearer::new().user("me", PASSWORD)).start();
    let helped = Registry::builder().basic("me", "hunter3-x").start();
    stored.put_image("app", "1", &amd64_image());
    helped.put_image("app", "1", &amd64_image());
    let mut sandbox = Sandbox::new();
    let auth = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("me:{PASSWORD}"));
    let (first, second) = (stored.host(), helped.host());
    sandbox
        .write_config(&format!(r#"{{"auths":{{"{first}":{{"auth":"{auth}"}}}},"credHelpers":{{"{second}":"spy"}}}}"#));
    let (dump, answer) =
        (sandbox.path().join("dump"), sandbox.write("answer", r#"{"Username":"me","Secret":"hunter3-x"}"#));
    let script = format!(
        "#!/bin/sh\nfor pid in $$ $PPID; do tr '\\0' '\\n' </proc/$pid/cmdline; tr '\\0' '\\n' </proc/$pid/environ; \
         done >>'{}'\n\
         cat >>'{0}'\ncat '{}'\n",
        dump.display(),
        answer.display()
    );
    write_script(&sandbox.path().join("docker-credential-spy"), &script);
    sandbox.set("PATH", format!("{}:/usr/bin:/bin", sandbox.path().display()));
    let list = format!("{second}/app:list");
    for words in [&["create", &list, &format!("{first}/app:1")][..], &["push", &list]] {
        let _ = sandbox.command(OURS).args(words.iter().copied()).run().success();
    }
    let found = fs::read_to_string(&dump).expect("the helper was run");
    assert!(found.contains("docker-credential-spy\nget\n") && found.contains(&format!("push\n{list}")), "{found}");
    assert!(found.contains("DOCKER_CONFIG=") && found.contains(&second), "{found}");
    let secrets = forms(PASSWORD).into_iter().chain(stored.issued_tokens()).chain(["hunter3".to_owned()]);
    assert_no_secrets(&found, &secrets.collect::<Vec<_>>(), "the helper's view");
}

//! Output is redacted, and data is not: a password that is a part of an ordinary word changes nothing, and cannot
//! be guessed from what is missing.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::Sandbox;

use super::amd64_image;
use crate::cases::OURS;

/// Parts of media types, of JSON, of addresses and of names, short and long.
const WORD_PASSWORDS: &[&str] =
    &["docker", "app", "image", "json", "v2", "m", "{", "manifest", "application", "schemaVersion"];

fn logged_in(registry: &Registry, password: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let auth = BASE64_STANDARD.encode(format!("me:{password}"));
    sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.host()));
    sandbox
}

#[test]
fn a_password_that_is_part_of_a_word_changes_no_output() {
    for password in WORD_PASSWORDS {
        let registry = Registry::builder().basic("me", password).start();
        registry.put_image("team/app", "1", &amd64_image());
        let sandbox = logged_in(&registry, password);
        let (list, image) = (format!("{}/team/app:list", registry.host()), format!("{}/team/app:1", registry.host()));
        for words in [
            &["inspect", &image][..],
            &["create", &list, &image],
            &["push", "--format", "json", "--tag", "other", &list],
            &["inspect", "--remote", "--format", "json", &list],
            &["platforms", &list],
        ] {
            let output = sandbox.command(OURS).args(words.iter().copied()).run();
            assert_eq!(output.code, 0, "{password}: {words:?}: {}", output.err());
            assert!(!(output.out() + &output.err()).contains("[secret]"), "{password}: {words:?}");
        }
    }
}

#[test]
fn user_input_is_shown_unredacted() {
    for password in ["app", "team/application", "manifests"] {
        let registry = Registry::builder().basic("me", password).start();
        registry.put_image("team/application", "1", &amd64_image());
        let name = format!("{}/team/application:none", registry.host());
        let output = logged_in(&registry, password).command(OURS).args(["--debug", "inspect", &name]).run();
        assert_eq!(output.code, 1, "{}", output.out());
        let request = format!("http://{}/v2/team/application/manifests/none", registry.host());
        assert!(output.err().contains(&name) && output.err().contains(&request), "{password}: {}", output.err());
        assert!(!output.err().contains("team/["), "{password}: {}", output.err());
    }
}

#[test]
fn a_short_password_is_hidden_where_a_credential_stands() {
    let registry = Registry::builder().basic("me", "app").start();
    let name = format!("{}/team/app:1", registry.host());
    let login = BASE64_STANDARD.encode("me:app");
    for (message, shown) in [
        ("no app at https://me:app@h/app".to_owned(), "no app at https://me:[secret]@h/app"),
        (format!("Authorization: Basic {login} is no app"), "Authorization: Basic [secret] is no app"),
        (format!("who is {login}?"), "who is [secret]?"),
        ("Authorization: app".to_owned(), "Authorization: [secret]"),
    ] {
        registry.clear_faults();
        let body = format!(r#"{{"errors":[{{"code":"DENIED","message":"{message}"}}]}}"#);
        registry.add_fault(Rule::any().authorized(), Fault::Status(403, body, vec![]));
        let output = logged_in(&registry, "app").command(OURS).args(["--debug", "inspect", &name]).run();
        assert!(output.err().contains(shown), "{message}: {}", output.err());
        assert!(!output.err().contains(&login), "{message}: {}", output.err());
    }
}

/// The words of a refusal are read before anything is redacted.
#[test]
fn error_codes_are_recognised_whatever_the_password_is() {
    for password in ["errors", "\"message\"", "\":[{\"code", "\"errors\":"] {
        let registry = Registry::builder().basic("me", password).start();
        let body = r#"{"errors":[{"code":"DENIED","message":"not yours"}]}"#.to_owned();
        registry.add_fault(Rule::any().authorized(), Fault::Status(403, body, vec![]));
        let name = format!("{}/team/app:1", registry.host());
        let output = logged_in(&registry, password).command(OURS).args(["inspect", &name]).run();
        assert!(output.err().contains("denied: not yours"), "{password}: {}", output.err());
    }
}

//! Secrets are never shown, whatever a registry does with them: all output and traces are searched for them.

mod credential_scope;
mod leak_matrix;
mod private_addresses;
mod processes;
mod redaction;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use docker_manifest::net::RegistryErrorKind;
use testkit::loopback::{Bearer, Fault, Registry, Rule};
use testkit::sandbox::{Sandbox, tree_without_root_dot_names};

use super::OURS;
use super::client_fixture::{Fixture, FixtureBuilder, amd64_image};

const PASSWORD: &str = "hunter2-tops3cret";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.a-registry-token-that-is-fairly-long.c2lnbmF0dXJl";

fn encoded_auth() -> String {
    BASE64_STANDARD.encode(format!("me:{PASSWORD}"))
}

/// The forms in which the secrets of these tests could be told.
fn forms() -> [String; 4] {
    [PASSWORD.to_owned(), encoded_auth(), BASE64_STANDARD.encode(PASSWORD), TOKEN[..30].to_owned()]
}

#[track_caller]
fn assert_no_secrets(text: &str) {
    for form in forms() {
        assert!(!text.contains(&form), "{form} is told in:\n{text}");
    }
}

/// Every way in which a registry can repeat this text.
fn echoing_faults(text: &str) -> Vec<Fault> {
    let words = format!("I was sent {text} and refuse it");
    let json = format!(r#"{{"errors":[{{"code":"DENIED","message":"{words}","detail":"{text}"}}]}}"#);
    let header = |name: &str| vec![(name.to_owned(), text.to_owned())];
    let html = format!("<html>\n<p>{words}</p>");
    vec![
        Fault::Status(403, json.clone(), vec![]),
        Fault::Status(500, json, vec![]),
        Fault::Status(400, format!(r#"{{"error":"{text}","error_description":"{words}"}}"#), vec![]),
        Fault::Status(403, words.clone(), vec![]),
        Fault::Status(404, html, vec![]),
        Fault::Status(400, format!("{}{text}", "x".repeat(180)), vec![]),
        Fault::Status(418, format!(r#"{{"message":"{}{text}"}}"#, "x".repeat(980)), vec![]),
        Fault::Status(200, words, vec![]),
        Fault::Status(200, format!("{}{text}", "x".repeat(55)), vec![]),
        Fault::Status(200, "{}".to_owned(), header("Docker-Content-Digest")),
        Fault::Status(200, "{}".to_owned(), header("Content-Type")),
        Fault::Redirect { status: 302, location: format!("/v2/{}", text.replace(' ', "/")) },
        Fault::Redirect { status: 302, location: format!("ftp://{}", text.replace(' ', "/")) },
        Fault::Status(401, String::new(), vec![("WWW-Authenticate".to_owned(), format!("Bearer realm=\"{text}\""))]),
    ]
}

/// What the client says, traces and returns when the registry repeats what it was sent.
fn client_texts(registry: &Registry, fixture: &Fixture, fault: Fault) -> String {
    registry.clear_faults();
    registry.add_fault(Rule::any().authorized(), fault);
    let outcome = fixture.manifest(registry, "a:1");
    let media_type = outcome.as_ref().map(|fetched| fetched.media_type.clone()).unwrap_or_default();
    let error = outcome.err().map(|error| format!("{error}\n{error:?}")).unwrap_or_default();
    [error, media_type, fixture.trace().join("\n"), fixture.notices().join("\n")].join("\n")
}

#[test]
fn a_login_that_a_registry_repeats_is_redacted() {
    let header = format!("Basic {}", encoded_auth());
    for text in [header.as_str(), PASSWORD, &forms()[2]] {
        for fault in echoing_faults(text) {
            let registry = Registry::builder().basic("me", PASSWORD).start();
            registry.put_image("a", "1", &amd64_image());
            let fixture = Fixture::with_login(&registry, "me", PASSWORD);
            assert_no_secrets(&client_texts(&registry, &fixture, fault));
        }
    }
}

#[test]
fn a_token_that_a_registry_repeats_is_redacted() {
    for fault in echoing_faults(&format!("Bearer {TOKEN}")).into_iter().chain(echoing_faults(TOKEN)) {
        let registry = Registry::builder().bearer(Bearer::new().registry_token(TOKEN)).start();
        registry.put_image("a", "1", &amd64_image());
        let config = format!(r#"{{"auths":{{"{}":{{"registrytoken":"{TOKEN}"}}}}}}"#, registry.host());
        let text = client_texts(&registry, &FixtureBuilder::new().config(&config).build(), fault);
        assert_no_secrets(&text);
        assert!(!text.is_empty());
    }
}

#[test]
fn a_token_server_that_repeats_the_login_or_the_refresh_token_is_not_quoted() {
    for (entry, secret) in [
        (format!(r#"{{"auth":"{}"}}"#, encoded_auth()), format!("Basic {}", encoded_auth())),
        (format!(r#"{{"auth":"{}"}}"#, encoded_auth()), PASSWORD.to_owned()),
        (format!(r#"{{"identitytoken":"{TOKEN}"}}"#), TOKEN.to_owned()),
    ] {
        for status in [400, 401, 403, 429, 500] {
            let registry = Registry::builder().bearer(Bearer::new().user("me", PASSWORD)).start();
            let config = format!(r#"{{"auths":{{"{}":{entry}}}}}"#, registry.host());
            let fixture = FixtureBuilder::new().config(&config).build();
            let body = format!(r#"{{"details":"not with {secret}"}}"#);
            registry.add_fault(Rule::on("*", "/token"), Fault::Status(status, body, vec![]));
            let error = fixture.manifest(&registry, "a:1").expect_err("there is no token");
            let text = format!("{error}\n{error:?}\n{}", fixture.trace().join("\n"));
            assert_no_secrets(&text);
            assert!(text.contains("[secret]"), "{text}");
        }
    }
}

#[test]
fn the_whole_program_prints_no_secret() {
    let registry = Registry::builder().basic("me", PASSWORD).start();
    registry.put_image("a", "1", &amd64_image());
    let sandbox = Sandbox::new();
    sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{}"}}}}}}"#, registry.host(), encoded_auth()));
    let name = format!("{}/a:1", registry.host());
    for fault in echoing_faults(&format!("Basic {}", encoded_auth())) {
        registry.clear_faults();
        registry.add_fault(Rule::any().authorized(), fault.clone());
        let output = sandbox.command(OURS).args(["--debug", "inspect", &name]).run();
        assert_no_secrets(&output.err());
        // A manifest is shown as it is, and this is one.
        if output.code != 0 {
            assert_no_secrets(&output.out());
        }
    }
    assert!(registry.requests().iter().any(|request| request.header("Authorization").is_some()));
}

#[test]
fn a_login_by_flags_overrides_the_stored_one() {
    let registry = Registry::builder().basic("me", PASSWORD).start();
    registry.put_image("a", "1", &amd64_image());
    let wrong_auth = BASE64_STANDARD.encode("other:wrong");
    let builder =
        || FixtureBuilder::new().config(&format!(r#"{{"auths":{{"{}":{{"auth":"{wrong_auth}"}}}}}}"#, registry.host()));
    builder().login(&registry.host(), "me", PASSWORD).build().manifest(&registry, "a:1").expect("the login is right");
    let error = builder().build().manifest(&registry, "a:1").expect_err("the stored one is wrong");
    assert_eq!(error.kind, RegistryErrorKind::LoginRefused);
}

/// The registry by a name that is not this machine's own.
fn remote_reference(registry: &Registry) -> String {
    format!("0.0.0.0:{}/a:1", registry.port())
}

#[test]
fn a_login_is_sent_over_plain_http_only_with_insecure() {
    let registry = Registry::builder().basic("me", PASSWORD).start();
    registry.put_image("a", "1", &amd64_image());
    let builder = || FixtureBuilder::new().login(&format!("0.0.0.0:{}", registry.port()), "me", PASSWORD);
    let error =
        builder().build().manifest_by_full_name(&remote_reference(&registry)).expect_err("it speaks plain HTTP");
    assert_eq!((error.kind, registry.requests().len()), (RegistryErrorKind::PlainHttp, 0));
    for fixture in [builder().insecure().build(), builder().plain_http().build()] {
        fixture.manifest_by_full_name(&remote_reference(&registry)).expect("the user wants it so");
    }
}

#[test]
fn insecure_does_not_fall_back_further() {
    let registry = Registry::start();
    registry.put_image("a", "1", &amd64_image());
    FixtureBuilder::new()
        .plain_http()
        .build()
        .manifest_by_full_name(&remote_reference(&registry))
        .expect("it speaks plain HTTP");
    assert_eq!((registry.connections(), registry.requests().len()), (1, 1), "no handshake came before");
}

/// Everything that is on disk after logins of both kinds: drafts, locks, and what lies where temporary files go.
#[test]
fn no_secret_stays_behind_in_a_file() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", PASSWORD)).start();
    registry.put_image("a", "1", &amd64_image());
    let sandbox = Sandbox::new();
    let temporary = sandbox.path().join("tmp");
    std::fs::create_dir(&temporary).expect("a directory");
    let host = registry.host();
    let (list, image) = (format!("{host}/a:list"), format!("{host}/a:1"));
    for words in [["create", &list, &image].as_slice(), &["push", &list], &["create", "--replace", &list, &image]] {
        let login = ["--username", "me", "--password-stdin"];
        let run = sandbox.command(OURS).args(words.iter().chain(&login).copied()).stdin(PASSWORD);
        let _ = run.env("TMPDIR", &temporary).run().success();
    }
    let secrets: Vec<String> = forms().into_iter().chain(registry.issued_tokens()).collect();
    assert!(secrets.len() > forms().len(), "no token was given out");
    let files = tree_without_root_dot_names(sandbox.path());
    assert!(files.keys().any(|path| path.contains(".docker-manifest/lists/")), "{:?}", files.keys());
    for (path, (_, bytes)) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!secrets.iter().any(|secret| text.contains(secret.as_str())), "{path}");
    }
}

//! Logins to a real docker-registry: htpasswd and tokens, with credentials from every place where the docker client
//! looks for them. Each way has to publish the same bytes as without a login.

use serde_json::{Value, json};
use testkit::real::{HTPASSWD_PASSWORD, HTPASSWD_USER};
use testkit::sandbox::write_script;
use testkit::token_server::{Grant, RecordedTokenRequest, TokenConfig, TokenUser};

use super::real_fixture::{Fixture, RequiredAuth, assert_refused, assert_refused_in_first_line};

fn with_token_server() -> Option<Fixture> {
    Fixture::plain(RequiredAuth::Token(TokenConfig::default()))
}

fn encode_auth(user: &str, password: &str) -> String {
    base64(&format!("{user}:{password}"))
}

/// The few lines of base64 that a `docker login` would write.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let chunk = |bytes: &[u8]| -> String {
        let bits = (0..3).fold(0u32, |bits, i| bits << 8 | u32::from(bytes.get(i).copied().unwrap_or(0)));
        let letter = |i: usize| match i <= bytes.len() {
            true => char::from(LETTERS[(bits >> (18 - 6 * i)) as usize & 63]),
            false => '=',
        };
        (0..4).map(letter).collect()
    };
    text.as_bytes().chunks(3).map(chunk).collect()
}

/// Writes config.json with one entry for the scene's registry.
fn login(fixture: &Fixture, entry: Value) {
    fixture.sandbox.write_config(&auths(fixture, entry));
}

fn auths(fixture: &Fixture, entry: Value) -> String {
    json!({ "auths": { fixture.host.as_str(): entry } }).to_string()
}

/// Puts `docker-credential-test` on the PATH; the script sees the registry's name on its stdin as `$server`, and
/// what it was asked goes to `helper_calls`.
fn install_helper(fixture: &mut Fixture, script: &str) {
    let bin = fixture.sandbox.path().join("bin");
    std::fs::create_dir_all(&bin).expect("a directory in the sandbox");
    let helper_calls = fixture.sandbox.path().join("asked");
    let text = format!("#!/bin/sh\nserver=$(cat)\necho \"$* $server\" >>'{}'\n{script}\n", helper_calls.display());
    write_script(&bin.join("docker-credential-test"), &text);
    fixture.sandbox.set_first_on_path(&bin);
}

/// A helper that knows one user.
fn install_helper_for(fixture: &mut Fixture, user: &str, secret: &str) {
    let answer = format!(r#"{{"ServerURL":"%s","Username":"{user}","Secret":"{secret}"}}\n"#);
    install_helper(fixture, &format!("printf '{answer}' \"$server\""));
}

fn helper_calls(fixture: &Fixture) -> String {
    std::fs::read_to_string(fixture.sandbox.path().join("asked")).unwrap_or_default()
}

/// No more than one a command, each for what its command needs.
fn assert_token_request_scopes(requests: &[RecordedTokenRequest]) {
    assert_eq!(requests.len(), 2, "{requests:#?}");
    let mut scopes = requests.iter().map(|request| {
        let mut scopes = request.scopes.clone();
        scopes.sort();
        scopes
    });
    assert_eq!(scopes.next().unwrap(), ["repository:team/amd:pull", "repository:team/arm:pull"]);
    let push = ["repository:team/amd:pull", "repository:team/app:pull,push", "repository:team/arm:pull"];
    assert_eq!(scopes.next().unwrap(), push);
    assert!(requests.iter().all(|request| request.status == 200), "{requests:#?}");
}

#[test]
fn an_open_registry_needs_no_credentials() {
    let Some(fixture) = Fixture::plain(RequiredAuth::Open) else { return };
    fixture.create_and_push();
}

#[test]
fn htpasswd_with_an_auth_entry() {
    let Some(fixture) = Fixture::plain(RequiredAuth::Htpasswd) else { return };
    login(&fixture, json!({ "auth": encode_auth(HTPASSWD_USER, HTPASSWD_PASSWORD) }));
    fixture.create_and_push();
}

#[test]
fn htpasswd_with_username_and_password() {
    let Some(fixture) = Fixture::plain(RequiredAuth::Htpasswd) else { return };
    login(&fixture, json!({ "username": HTPASSWD_USER, "password": HTPASSWD_PASSWORD }));
    fixture.create_and_push();
}

#[test]
fn htpasswd_with_a_helper_for_the_host() {
    let Some(mut fixture) = Fixture::plain(RequiredAuth::Htpasswd) else { return };
    install_helper_for(&mut fixture, HTPASSWD_USER, HTPASSWD_PASSWORD);
    // The file's own entry is wrong: the helper goes before it.
    let (host, wrong) = (fixture.host.as_str(), json!({ "auth": encode_auth(HTPASSWD_USER, "wrong") }));
    fixture.sandbox.write_config(&json!({ "auths": { host: wrong }, "credHelpers": { host: "test" } }).to_string());
    fixture.create_and_push();
    assert_eq!(helper_calls(&fixture).lines().next(), Some(format!("get {}", fixture.host).as_str()));
}

#[test]
fn credentials_are_read_from_docker_auth_config() {
    for client_auth in [RequiredAuth::Htpasswd, RequiredAuth::Token(TokenConfig::default())] {
        let (name, password) = match client_auth {
            RequiredAuth::Htpasswd => (HTPASSWD_USER, HTPASSWD_PASSWORD),
            _ => ("alice", "secret"),
        };
        let Some(mut fixture) = Fixture::plain(client_auth) else { return };
        let config = auths(&fixture, json!({ "auth": encode_auth(name, password) }));
        fixture.sandbox.set("DOCKER_AUTH_CONFIG", config);
        fixture.create_and_push();
    }
}

#[test]
fn the_environment_overrides_the_configuration_file() {
    let Some(mut fixture) = with_token_server() else { return };
    login(&fixture, json!({ "auth": encode_auth("alice", "wrong") }));
    fixture.sandbox.set("DOCKER_AUTH_CONFIG", auths(&fixture, json!({ "auth": encode_auth("alice", "secret") })));
    fixture.create_and_push();
}

#[test]
fn tokens_are_requested_once_for_a_command() {
    let Some(fixture) = with_token_server() else { return };
    login(&fixture, json!({ "auth": encode_auth("alice", "secret") }));
    fixture.create_and_push();
    let requests = fixture.token_server().requests();
    assert_token_request_scopes(&requests);
    assert!(requests.iter().all(|request| request.user.as_deref() == Some("alice")), "{requests:#?}");
}

#[test]
fn a_token_response_may_have_the_token_alone() {
    let config = TokenConfig { lifetime_seconds: None, access_token_only: true, ..TokenConfig::default() };
    let Some(fixture) = Fixture::plain(RequiredAuth::Token(config)) else { return };
    login(&fixture, json!({ "auth": encode_auth("alice", "secret") }));
    fixture.create_and_push();
    assert_token_request_scopes(&fixture.token_server().requests());
}

#[test]
fn an_identity_token_is_exchanged_by_post() {
    let Some(fixture) = with_token_server() else { return };
    // As `docker login` leaves it where the server gave a refresh token: the name stays, the password is gone.
    login(&fixture, json!({ "auth": encode_auth("alice", ""), "identitytoken": "refresh-alice" }));
    fixture.create_and_push();
    let requests = fixture.token_server().requests();
    assert_token_request_scopes(&requests);
    for request in &requests {
        assert_eq!((request.method.as_str(), request.grant_type.as_deref()), ("POST", Some("refresh_token")));
        assert!(request.client_id.as_deref().is_some_and(|id| !id.is_empty()), "{request:?}");
    }
}

#[test]
fn a_token_server_without_post_is_asked_by_get() {
    let config = TokenConfig { oauth2: false, ..TokenConfig::default() };
    let Some(fixture) = Fixture::plain(RequiredAuth::Token(config)) else { return };
    login(&fixture, json!({ "auth": encode_auth("alice", "secret"), "identitytoken": "refresh-alice" }));
    fixture.create_and_push();
    let granted: Vec<_> =
        fixture.token_server().requests().into_iter().filter(|request| request.status == 200).collect();
    assert_token_request_scopes(&granted);
    assert!(granted.iter().all(|request| request.method == "GET" && request.user.as_deref() == Some("alice")));
}

#[test]
fn registry_token_is_sent_unchanged() {
    let Some(fixture) = with_token_server() else { return };
    let scopes = ["repository:team/app:pull,push", "repository:team/amd:pull", "repository:team/arm:pull"];
    login(&fixture, json!({ "registrytoken": fixture.token_server().issue("robot", &scopes) }));
    fixture.create_and_push();
    assert_eq!(fixture.token_server().requests(), []);
}

#[test]
fn a_helper_gives_a_password() {
    let Some(mut fixture) = with_token_server() else { return };
    install_helper_for(&mut fixture, "alice", "secret");
    fixture.sandbox.write_config(r#"{"credsStore":"test"}"#);
    fixture.create_and_push();
    assert_token_request_scopes(&fixture.token_server().requests());
}

#[test]
fn a_helper_gives_an_identity_token() {
    let Some(mut fixture) = with_token_server() else { return };
    install_helper_for(&mut fixture, "<token>", "refresh-alice");
    fixture.sandbox.write_config(r#"{"credsStore":"test"}"#);
    fixture.create_and_push();
    let requests = fixture.token_server().requests();
    assert_token_request_scopes(&requests);
    assert!(requests.iter().all(|request| request.grant_type.as_deref() == Some("refresh_token")), "{requests:#?}");
}

#[test]
fn a_helper_without_credentials_means_anonymous() {
    let config = TokenConfig {
        anonymous: vec![Grant::new("team/amd", "pull"), Grant::new("team/arm", "pull")],
        ..TokenConfig::default()
    };
    let Some(mut fixture) = Fixture::plain(RequiredAuth::Token(config)) else { return };
    install_helper(&mut fixture, "echo 'credentials not found in native keychain'; exit 1");
    fixture.sandbox.write_config(r#"{"credsStore":"test"}"#);
    let _ = fixture.create().success();
    assert!(helper_calls(&fixture).starts_with("get "), "{}", helper_calls(&fixture));
    assert!(fixture.token_server().requests().iter().all(|request| request.user.is_none()));
    assert_refused_in_first_line(&fixture.push(), &["unauthorized"]);
    fixture.assert_not_pushed();
}

#[test]
fn a_helper_that_fails_is_reported() {
    // Docker goes on without a name here, and then says that there is no such manifest.
    let config = TokenConfig { anonymous: vec![Grant::new("*", "pull,push")], ..TokenConfig::default() };
    let Some(mut fixture) = Fixture::plain(RequiredAuth::Token(config)) else { return };
    install_helper(&mut fixture, "echo 'the keyring is locked'; exit 1");
    fixture.sandbox.write_config(r#"{"credsStore":"test"}"#);
    assert_refused_in_first_line(&fixture.create(), &["docker-credential-test", "the keyring is locked"]);
}

#[test]
fn a_missing_helper_is_reported() {
    let Some(fixture) = with_token_server() else { return };
    let host = fixture.host.as_str();
    fixture.sandbox.write_config(&json!({ "credHelpers": { host: "nowhere" } }).to_string());
    assert_refused_in_first_line(&fixture.create(), &["docker-credential-nowhere"]);
}

#[test]
fn a_broken_helper_is_reported_without_its_output() {
    let Some(mut fixture) = with_token_server() else { return };
    install_helper(&mut fixture, "echo 'alice:hunter2'");
    fixture.sandbox.write_config(r#"{"credsStore":"test"}"#);
    let output = fixture.create();
    assert_refused_in_first_line(&output, &["docker-credential-test"]);
    assert!(!output.err().contains("hunter2"), "{}", output.err());
}

#[test]
fn a_helper_for_another_host_is_not_run() {
    let Some(mut fixture) = with_token_server() else { return };
    install_helper(&mut fixture, "echo 'must not be asked'; exit 1");
    let entry = json!({ "auth": encode_auth("alice", "secret") });
    let host = fixture.host.as_str();
    let config = json!({ "auths": { host: entry }, "credHelpers": { "elsewhere.test": "test" } });
    fixture.sandbox.write_config(&config.to_string());
    fixture.create_and_push();
    assert_eq!(helper_calls(&fixture), "");
}

#[test]
fn a_wrong_password_is_unauthorized() {
    for client_auth in [RequiredAuth::Htpasswd, RequiredAuth::Token(TokenConfig::default())] {
        let Some(fixture) = Fixture::plain(client_auth) else { return };
        login(&fixture, json!({ "auth": encode_auth("alice", "hunter2") }));
        let image = fixture.name("team/amd:1");
        for output in [fixture.create(), fixture.ours(&["inspect", &image])] {
            assert_refused_in_first_line(&output, &["unauthorized", "refuses the login"]);
            assert_refused(&output, &[&fixture.host]);
            assert!(!output.err().contains("hunter2"), "{}", output.err());
            assert!(!output.err().contains(&encode_auth("alice", "hunter2")), "{}", output.err());
        }
    }
}

#[test]
fn no_credentials_is_unauthorized_with_a_hint_to_log_in() {
    for client_auth in [RequiredAuth::Htpasswd, RequiredAuth::Token(TokenConfig::default())] {
        let Some(fixture) = Fixture::plain(client_auth) else { return };
        let output = fixture.create();
        assert_refused_in_first_line(&output, &["unauthorized"]);
        assert_refused(&output, &["docker login"]);
        assert!(
            !fixture.sandbox.store().join(".").exists()
                || testkit::sandbox::tree_without_root_dot_names(&fixture.sandbox.store()).is_empty()
        );
    }
}

#[test]
fn a_wrong_identity_token_is_unauthorized() {
    let Some(fixture) = with_token_server() else { return };
    login(&fixture, json!({ "auth": encode_auth("alice", ""), "identitytoken": "refresh-of-last-year" }));
    let output = fixture.create();
    assert_refused_in_first_line(&output, &["unauthorized"]);
    assert!(!output.err().contains("refresh-of-last-year"), "{}", output.err());
}

/// Bob may pull the images but push nothing.
fn pull_only(deny_empty_grants: bool) -> TokenConfig {
    let grants = vec![Grant::new("team/amd", "pull"), Grant::new("team/arm", "pull")];
    let bob = TokenUser { name: "bob".into(), password: "bob".into(), refresh_token: None, grants };
    TokenConfig { users: vec![bob], deny_empty_grants, ..TokenConfig::default() }
}

#[test]
fn a_push_without_the_right_is_denied() {
    for forbid in [false, true] {
        let Some(fixture) = Fixture::plain(RequiredAuth::Token(pull_only(forbid))) else { return };
        login(&fixture, json!({ "auth": encode_auth("bob", "bob") }));
        let _ = fixture.create().success();
        let output = fixture.push();
        let first = output.first_err_line().to_lowercase();
        assert_refused_in_first_line(&output, &[]);
        assert!(["denied", "unauthorized", "forbidden"].iter().any(|word| first.contains(word)), "{}", output.err());
        assert_refused(&output, &["team/app"]);
        fixture.assert_not_pushed();
        // The draft is still there for someone who may.
        let _ = fixture.ours(&["inspect", &fixture.name("team/app:1")]).success();
    }
}

#[test]
fn a_source_that_is_forbidden_is_denied() {
    let mut config = pull_only(true);
    config.users[0].grants = vec![Grant::new("elsewhere", "pull")];
    let Some(fixture) = Fixture::plain(RequiredAuth::Token(config)) else { return };
    login(&fixture, json!({ "auth": encode_auth("bob", "bob") }));
    assert_refused_in_first_line(&fixture.create(), &["denied"]);
}

#[test]
fn a_token_that_has_run_out_is_renewed() {
    let Some(fixture) = Fixture::plain(RequiredAuth::Token(TokenConfig { expired_first: 1, ..TokenConfig::default() }))
    else {
        return;
    };
    login(&fixture, json!({ "auth": encode_auth("alice", "secret") }));
    fixture.create_and_push();
    // The create may ask anew for each of its repositories, the push need not.
    assert!((3..=4).contains(&fixture.token_server().requests().len()), "{:#?}", fixture.token_server().requests());
}

#[test]
fn a_token_server_without_valid_tokens_is_asked_a_bounded_number_of_times() {
    let Some(fixture) =
        Fixture::plain(RequiredAuth::Token(TokenConfig { expired_first: 1000, ..TokenConfig::default() }))
    else {
        return;
    };
    login(&fixture, json!({ "auth": encode_auth("alice", "secret") }));
    assert_refused_in_first_line(&fixture.create(), &["unauthorized"]);
    assert!(fixture.token_server().requests().len() <= 4, "{:#?}", fixture.token_server().requests());
}

#[test]
fn tokens_with_a_lifetime_of_a_second_are_accepted() {
    let Some(fixture) =
        Fixture::plain(RequiredAuth::Token(TokenConfig { lifetime_seconds: Some(1), ..TokenConfig::default() }))
    else {
        return;
    };
    login(&fixture, json!({ "auth": encode_auth("alice", "secret") }));
    fixture.create_and_push();
}

#[test]
fn debugging_shows_no_secret() {
    let Some(fixture) = with_token_server() else { return };
    login(&fixture, json!({ "auth": encode_auth("alice", "secret"), "identitytoken": "refresh-alice" }));
    let mut args = vec!["--debug".to_owned()];
    args.extend(fixture.create_args());
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let stderr = fixture.ours(&args).success().err();
    for secret in ["refresh-alice", "alice:secret", &encode_auth("alice", "secret"), "eyJ"] {
        assert!(!stderr.contains(secret), "{stderr}");
    }
}

#[test]
fn an_auths_key_may_be_a_url() {
    let Some(fixture) = Fixture::plain(RequiredAuth::Htpasswd) else { return };
    for key in [format!("https://{}/v1/", fixture.host), format!("http://{}", fixture.host)] {
        let entry = json!({ "auth": encode_auth(HTPASSWD_USER, HTPASSWD_PASSWORD) });
        fixture.sandbox.write_config(&json!({ "auths": { key: entry } }).to_string());
        let _ = fixture.ours(&["inspect", &fixture.name("team/amd:1")]).success();
    }
}

#[test]
fn an_invalid_configuration_is_an_error_once_a_login_is_required() {
    let Some(open) = Fixture::plain(RequiredAuth::Open) else { return };
    open.sandbox.write_config("{ not JSON");
    open.create_and_push();
    let Some(shut) = Fixture::plain(RequiredAuth::Htpasswd) else { return };
    shut.sandbox.write_config("{ not JSON");
    let output = shut.create();
    assert_refused_in_first_line(&output, &["config.json"]);
}

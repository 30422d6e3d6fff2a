//! Tests of [`super`], apart from it because each needs a configuration of its own.

use std::sync::{Arc, Mutex};

use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::auth::helper::tests::{add_helper, helper};

const PRINT_CREDENTIALS: &str =
    r#"read -r server || true; printf '{"Username":"%s","Secret":"pw-%s"}' helped "$server""#;

fn config(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.json"), text).unwrap();
    directory
}

fn no_env() -> Env {
    Env::from_pairs::<&str, &str>([])
}

fn lookup(env: Env, text: &str, registry: &str) -> Result<Credential, RegistryError> {
    let directory = config(text);
    store_without_warnings(env, directory.path()).lookup(registry, None)
}

fn store_without_warnings(env: Env, directory: &Path) -> CredentialStore {
    CredentialStore::new(env, directory.to_owned(), Arc::new(|line| panic!("{line}")))
}

fn login(username: &str, password: &str) -> Credential {
    Credential { username: username.to_owned(), password: Some(Secret::new(password)), ..Credential::default() }
}

fn auth(username: &str, password: &str) -> String {
    BASE64_STANDARD.encode(format!("{username}:{password}"))
}

#[test]
fn missing_or_empty_config_means_anonymous() {
    let directory = tempfile::tempdir().unwrap();
    let credentials = store_without_warnings(no_env(), &directory.path().join("none"));
    assert!(credentials.lookup("h", None).unwrap().is_anonymous());
    for text in ["", " \n", "null", "{}", r#"{"auths":null}"#, r#"{"auths":{"h":null}}"#, r#"{"auths":{"h":{}}}"#] {
        assert!(lookup(no_env(), text, "h").unwrap().is_anonymous(), "{text}");
    }
}

#[test]
fn every_form_of_an_auths_entry_is_read() {
    let encoded = auth("u", "p:w");
    let rows = [
        (format!(r#"{{"auth":"{encoded}"}}"#), login("u", "p:w")),
        (format!(r#"{{"auth":"{encoded}","username":"x","password":"y"}}"#), login("u", "p:w")),
        (r#"{"username":"x","password":"y","email":"e","serveraddress":"h"}"#.to_owned(), login("x", "y")),
        (r#"{"UserName":"x","Password":"y"}"#.to_owned(), login("x", "y")),
        (format!(r#"{{"auth":"{}"}}"#, auth("u", "\0p\0\0")), login("u", "p")),
        (format!(r#"{{"auth":"{}\n{}"}}"#, &encoded[..4], &encoded[4..]), login("u", "p:w")),
    ];
    for (entry, expected) in rows {
        let text = format!(r#"{{"auths":{{"h:5000":{entry}}}}}"#);
        assert_eq!(lookup(no_env(), &text, "h:5000").unwrap(), expected, "{text}");
    }
    let tokens = r#"{"auths":{"h":{"identitytoken":"id","registrytoken":"reg"}}}"#;
    let tokens = lookup(no_env(), tokens, "h").unwrap();
    assert_eq!(tokens.identity_token, Some(Secret::new("id")));
    assert_eq!(tokens.registry_token, Some(Secret::new("reg")));
    assert!(!tokens.is_anonymous() && tokens.username_and_password().is_none());
}

#[test]
fn user_without_a_password_is_anonymous() {
    for entry in [format!(r#"{{"auth":"{}"}}"#, auth("u", "")), r#"{"username":"u"}"#.to_owned()] {
        let credential = lookup(no_env(), &format!(r#"{{"auths":{{"h":{entry}}}}}"#), "h").unwrap();
        assert!(credential.is_anonymous(), "{entry}");
    }
}

#[test]
fn auths_keys_match_by_host_and_port() {
    let text = |key: &str| format!(r#"{{"auths":{{"{key}":{{"auth":"{}"}}}}}}"#, auth("u", "p"));
    for (key, registry, found) in [
        ("h:5000", "h:5000", true),
        ("https://h:5000", "h:5000", true),
        ("https://h:5000/v1/", "h:5000", true),
        ("http://h:5000/v2/", "h:5000", true),
        ("h:5000/v1/", "h:5000", true),
        ("h", "h:5000", false),
        ("h:5000", "h", false),
        ("ftp://h", "h", false),
        ("https://index.docker.io/v1/", "docker.io", true),
        ("docker.io", "docker.io", false),
        ("index.docker.io", "docker.io", false),
        ("docker.io", "index.docker.io", false),
    ] {
        let credential = lookup(no_env(), &text(key), registry).unwrap();
        assert_eq!(!credential.is_anonymous(), found, "{key} {registry}");
    }
}

#[test]
fn exact_auths_key_is_preferred_to_a_url() {
    let (old, new) = (auth("old", "p"), auth("new", "p"));
    let text = format!(r#"{{"auths":{{"https://h/v1/":{{"auth":"{old}"}},"h":{{"auth":"{new}"}}}}}}"#);
    assert_eq!(lookup(no_env(), &text, "h").unwrap().username, "new");
}

#[test]
fn invalid_config_is_an_error_that_names_the_file_and_no_secret() {
    for text in [
        "{",
        "[]",
        r#"{"auths":[]}"#,
        r#"{"auths":{"h":"hunter2"}}"#,
        r#"{"auths":{"h":{"auth":"hunter2!"}}}"#,
        r#"{"auths":{"h":{"auth":"aHVudGVyMg=="}}}"#,
        r#"{"auths":{"h":{"auth":7,"password":"hunter2"}}}"#,
        r#"{"auths":{"h":{"password":"hunter2"#,
        r#"{"credsStore":["hunter2"]}"#,
        r#"{"credHelpers":{"h":{"hunter2":1}}}"#,
    ] {
        let error = lookup(no_env(), text, "h").unwrap_err();
        assert_eq!((error.kind, error.registry.as_str()), (RegistryErrorKind::Credentials, "h"), "{text}");
        assert!(error.message.contains("config.json: "), "{error}");
        assert!(!error.to_string().contains("hunter2") && !error.to_string().contains("aHVu"), "{error}");
    }
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("config.json")).unwrap();
    let error = store_without_warnings(no_env(), directory.path()).lookup("h", None).unwrap_err();
    assert!(error.message.ends_with("config.json: not a file"), "{error}");
}

#[test]
fn invalid_entry_of_another_registry_is_ignored() {
    let text = format!(r#"{{"auths":{{"bad":{{"auth":"!"}},"h":{{"auth":"{}"}}}}}}"#, auth("u", "p"));
    assert_eq!(lookup(no_env(), &text, "h").unwrap(), login("u", "p"));
    assert!(lookup(no_env(), &text, "other").unwrap().is_anonymous());
}

#[test]
fn helpers_are_preferred_to_the_file_and_a_registrys_own_to_the_default() {
    let (directory, env) = helper("own", PRINT_CREDENTIALS);
    add_helper(directory.path(), "all", r#"printf '{"Username":"<token>","Secret":"id"}'"#);
    let file = auth("file", "p");
    let text = format!(
        r#"{{"credsStore":"all","credHelpers":{{"h":"own","f":""}},
            "auths":{{"h":{{"auth":"{file}","registrytoken":"reg"}},"f":{{"auth":"{file}"}},"x":{{"auth":"bad!"}}}}}}"#
    );
    let own = lookup(env.clone(), &text, "h").unwrap();
    assert_eq!(own, Credential { registry_token: Some(Secret::new("reg")), ..login("helped", "pw-h") });
    assert_eq!(lookup(env.clone(), &text, "f").unwrap(), login("file", "p"));
    let all = Credential { identity_token: Some(Secret::new("id")), ..Credential::default() };
    assert_eq!(lookup(env.clone(), &text, "other").unwrap(), all);
    assert_eq!(lookup(env, &text, "x").unwrap(), all);
}

#[test]
fn docker_hubs_key_is_passed_to_helpers() {
    let (_directory, env) = helper("own", PRINT_CREDENTIALS);
    let text = r#"{"credHelpers":{"https://index.docker.io/v1/":"own"}}"#;
    assert_eq!(lookup(env, text, "docker.io").unwrap(), login("helped", "pw-https://index.docker.io/v1/"));
}

#[test]
fn helper_without_credentials_means_anonymous_and_a_failed_helper_is_an_error() {
    let (directory, env) = helper("none", "echo credentials not found in native keychain; exit 1");
    add_helper(directory.path(), "broken", "echo no keychain; exit 1");
    let stored = auth("file", "p");
    let text = |name: &str| format!(r#"{{"credsStore":"{name}","auths":{{"h":{{"auth":"{stored}"}}}}}}"#);
    assert!(lookup(env.clone(), &text("none"), "h").unwrap().is_anonymous());
    let error = lookup(env.clone(), &text("broken"), "h").unwrap_err();
    assert_eq!(error.kind, RegistryErrorKind::Credentials);
    assert_eq!(error.message, "credential helper docker-credential-broken: no keychain (exit status: 1)");
    assert!(
        lookup(env.clone(), &text("gone"), "h").unwrap_err().message.contains("docker-credential-gone is not in PATH")
    );
    assert_eq!(lookup(env, &text("../broken"), "h").unwrap_err().kind, RegistryErrorKind::Credentials);
}

#[test]
fn docker_auth_config_is_preferred_for_the_hosts_that_it_lists() {
    let (directory, _) = helper("own", PRINT_CREDENTIALS);
    let variable = format!(r#"{{"auths":{{"h":{{"auth":"{}"}}}}}}"#, auth("env", "p"));
    let env = Env::from_pairs([("PATH", directory.path().to_str().unwrap()), ("DOCKER_AUTH_CONFIG", &variable)]);
    let text = r#"{"credsStore":"own"}"#;
    assert_eq!(lookup(env.clone(), text, "h").unwrap(), login("env", "p"));
    assert_eq!(lookup(env, text, "other").unwrap(), login("helped", "pw-other"));
    let listed = Env::from_pairs([("DOCKER_AUTH_CONFIG", variable.as_str())]);
    assert_eq!(lookup(listed, "broken {", "h").unwrap(), login("env", "p"));
    let broken = Env::from_pairs([("DOCKER_AUTH_CONFIG", "{\"auths\":")]);
    assert!(lookup(broken, "{}", "h").unwrap_err().message.starts_with("DOCKER_AUTH_CONFIG: not JSON"));
}

#[test]
#[cfg(target_os = "linux")]
fn platform_helper_runs_if_there_are_no_logins_and_may_fail() {
    let (directory, env) = helper("secretservice", PRINT_CREDENTIALS);
    assert_eq!(lookup(env.clone(), "{}", "h").unwrap(), login("helped", "pw-h"));
    assert!(lookup(env.clone(), r#"{"auths":{"x":{}}}"#, "h").unwrap().is_anonymous());
    add_helper(directory.path(), "secretservice", "echo no bus; exit 1");
    assert!(lookup(env, "{}", "h").unwrap().is_anonymous());
}

#[test]
fn duplicate_members_are_merged_as_in_go() {
    for (text, host, expected) in [
        (r#"{"auths":{"a":{"username":"u","password":"1"}},"auths":{"b":{"username":"v","password":"2"}}}"#, "a", "u1"),
        (r#"{"auths":{"a":{"username":"u","password":"1"}},"AUTHS":{"b":{"username":"v","password":"2"}}}"#, "b", "v2"),
        (r#"{"auths":{"a":{"username":"u","password":"1"}},"auths":{"a":{"username":"v"}}}"#, "a", ""),
        (r#"{"auths":{"a":{"username":"u","password":"1"}},"auths":null}"#, "a", ""),
        (r#"{"auths":null,"auths":{"a":{"username":"u","password":"1"}}}"#, "a", "u1"),
        (r#"{"auths":{"a":{"username":"u","password":"1"},"a":null}}"#, "a", ""),
        (r#"{"auths":{"a":{"username":"u","password":"1","Password":"2","password":null}}}"#, "a", "u2"),
    ] {
        let credential = lookup(no_env(), text, host).unwrap();
        let login = credential.username_and_password().map(|(user, password)| format!("{user}{}", password.reveal()));
        assert_eq!(login.unwrap_or_default(), expected, "{text}");
    }
    let twice = read_object(br#"{"credHelpers":{"a":"x"},"credsStore":"y","credHelpers":{"b":"z"},"credsStore":null}"#);
    let helper = |key| configured_helper(twice.as_ref().unwrap(), key).unwrap();
    assert_eq!([helper("a"), helper("b"), helper("c")], ["x", "z", "y"].map(|name| Some(name.to_owned())));
    for text in [r#"{"auths":5,"auths":{"a":{}}}"#, r#"{"auths":{"a":{}},"auths":[]}"#] {
        assert!(lookup(no_env(), text, "a").unwrap_err().message.ends_with("\"auths\" is not an object"), "{text}");
    }
}

#[test]
fn unreadable_config_causes_one_warning_and_means_anonymous() {
    let directory = tempfile::tempdir().unwrap();
    // A name that is too long is as unreadable as a file without rights, for root as well.
    let path = directory.path().join("x".repeat(300));
    let notices = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&notices);
    let notice = Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()));
    let credentials = CredentialStore::new(no_env(), path.clone(), notice);
    for registry in ["a", "b", "docker.io"] {
        assert!(credentials.lookup(registry, None).unwrap().is_anonymous());
        assert!(!credentials.may_have(registry));
    }
    let notices = notices.lock().unwrap();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].starts_with(&format!("warning: {}/config.json: ", path.display())), "{notices:?}");
    assert!(notices[0].ends_with("; going on without logins"), "{notices:?}");
}

#[test]
fn platform_helper_is_an_error_only_after_its_timeout() {
    let (directory, env) = helper("secretservice", "PATH=/usr/bin:/bin; exec sleep 600");
    if !cfg!(target_os = "linux") {
        return;
    }
    let error =
        store_without_warnings(env, directory.path()).lookup("h", Some(Duration::from_millis(200))).unwrap_err();
    assert_eq!(error.kind, RegistryErrorKind::Credentials);
    assert!(error.message.contains("docker-credential-secretservice: gave no answer within"), "{}", error.message);
}

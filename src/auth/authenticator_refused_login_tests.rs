//! Tests of [`super::super`] with logins that are refused: none is tried a second time.

use super::*;
use crate::net::options::Login;

#[test]
fn wrong_login_is_sent_once_per_command() {
    let server = FakeTokenServer::new(|_, _| (401, r#"{"details":"incorrect password hunter22"}"#.to_owned()));
    let auth = with_login();
    auth.authenticator.expect_scopes("h", &pull("b"));
    for _ in 0..3 {
        let error = auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap_err();
        assert_eq!((error.kind, error.status), (RegistryErrorKind::Unauthorized, Some(401)));
        assert_eq!(error.registry, "h");
        assert_eq!(error.message, "token server auth.example: incorrect password [secret]");
        let request = error.request.as_ref().map(ToString::to_string);
        assert_eq!(request.as_deref(), Some("GET https://auth.example/token"));
    }
    assert_eq!(server.count(), 1);
}

#[test]
fn refused_basic_login_is_not_sent_again() {
    let (auth, server) = (with_login(), granting_server());
    let respond = |sent| auth.respond(&TLS_REQUEST, "Basic realm=x", &push("a"), sent, &server).unwrap();
    let basic = respond(None).unwrap();
    assert_eq!(respond(Some(&basic)), None);
    assert_eq!((respond(None), auth.header(&push("a"))), (None, None));
    assert_eq!(auth.authenticator.unauthorized_kind("h", false), RegistryErrorKind::LoginRefused);
}

#[test]
fn token_server_gets_a_refused_login_only_once() {
    let (auth, refusing) = (with_login(), FakeTokenServer::new(|_, _| (401, String::new())));
    for path in ["a", "b", "c"] {
        let challenge = CHALLENGE.replace("repository:a:pull,push", &format!("repository:{path}:pull"));
        let error = auth.respond(&TLS_REQUEST, &challenge, &pull(path), None, &refusing).unwrap_err();
        assert_eq!(error.kind, RegistryErrorKind::Unauthorized);
    }
    assert_eq!(refusing.count(), 1);
    let other = CHALLENGE.replace("auth.example", "other.example");
    assert!(auth.respond(&TLS_REQUEST, &other, &pull("a"), None, &refusing).is_err());
    assert_eq!(refusing.count(), 2, "another server may know the login");
    // One that has taken the login before refuses something else than the login.
    let strict = |request: &TokenRequest| request.url.contains("repository%3Ab");
    let strict =
        FakeTokenServer::new(
            |request, _| if strict(request) { (401, String::new()) } else { (200, r#"{"token":"t"}"#.into()) },
        );
    let auth = with_login();
    for (path, is_given) in [("a", true), ("b", false), ("c", true)] {
        let challenge = CHALLENGE.replace("repository:a:pull,push", &format!("repository:{path}:pull"));
        assert_eq!(auth.respond(&TLS_REQUEST, &challenge, &pull(path), None, &strict).is_ok(), is_given, "{path}");
    }
}

#[test]
fn error_kind_distinguishes_a_refused_command_line_login() {
    let directory = tempfile::tempdir().unwrap();
    let entry = r#"{"username":"u","password":"hunter2"}"#;
    fs::write(directory.path().join("config.json"), format!(r#"{{"auths":{{"h":{entry},"other":{entry}}}}}"#)).unwrap();
    let login = Login { registry: "h".to_owned(), username: "u".to_owned(), password: Secret::new("p") };
    let credentials =
        CredentialStore::new(Env::from_pairs::<&str, &str>([]), directory.path().to_owned(), Arc::new(|_| ()));
    let authenticator = Authenticator::new(credentials.with_command_line_login(Some(login)), Arc::default());
    for (registry, kind) in
        [("h", RegistryErrorKind::CommandLineLoginRefused), ("other", RegistryErrorKind::LoginRefused)]
    {
        let challenges = Challenge::parse_all(["Basic realm=x"].into_iter());
        let challenged = ChallengedRequest { registry, ..TLS_REQUEST };
        let respond = |sent: Option<&Secret>| {
            authenticator.respond_to_challenge(&challenged, &challenges, &Scopes::default(), sent, &|_| unreachable!())
        };
        let sent = respond(None).unwrap();
        assert_eq!(respond(sent.as_ref()), Ok(None));
        assert_eq!(authenticator.unauthorized_kind(registry, false), kind);
    }
}

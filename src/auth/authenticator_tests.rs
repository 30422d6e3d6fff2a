//! Tests of [`super`]: a registry's 401s and a token server made of a closure.

use std::fs;

use super::*;
use crate::auth::scope::Access;
use crate::auth::token_messages::{TokenRequest, TokenResponse};
use crate::env::Env;

#[path = "authenticator_refused_login_tests.rs"]
mod refused_logins;
#[path = "authenticator_thread_tests.rs"]
mod threads;

const A: &str = "repository:a:pull,push";
const CHALLENGE: &str = r#"Bearer realm="https://auth.example/token",service="s",scope="repository:a:pull,push""#;

/// A token server that answers each request by a rule, and what it was asked.
struct Server<F> {
    requests: Mutex<Vec<TokenRequest>>,
    rule: F,
}

impl<F: Fn(&TokenRequest, usize) -> (u16, String)> Server<F> {
    fn new(rule: F) -> Server<F> {
        Server { requests: Mutex::default(), rule }
    }

    fn send(&self, request: &TokenRequest) -> Result<TokenResponse, RegistryError> {
        let mut requests = lock(&self.requests);
        requests.push(request.clone());
        let (status, body) = (self.rule)(request, requests.len());
        Ok(TokenResponse { status, body: body.into_bytes() })
    }

    fn count(&self) -> usize {
        lock(&self.requests).len()
    }

    /// The scopes of each request, decoded.
    fn scopes(&self) -> Vec<Vec<String>> {
        let decode = |text: &str| text.replace("%3A", ":").replace("%2C", ",").replace("%2F", "/");
        let of = |request: &TokenRequest| {
            let query = request.url.split_once('?').map_or("", |(_, query)| query);
            query.split('&').filter_map(|pair| pair.strip_prefix("scope=")).map(decode).collect()
        };
        lock(&self.requests).iter().map(of).collect()
    }
}

/// Gives `t1`, `t2`, … to everybody.
fn generous() -> Server<impl Fn(&TokenRequest, usize) -> (u16, String)> {
    Server::new(|_, number| (200, format!(r#"{{"token":"t{number}","expires_in":300}}"#)))
}

struct Home {
    _folder: tempfile::TempDir,
    authenticator: Authenticator,
}

fn home(config: &str) -> Home {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config).unwrap();
    let credentials =
        CredentialStore::new(Env::from_pairs::<&str, &str>([]), folder.path().to_owned(), Arc::new(|_| ()));
    Home { _folder: folder, authenticator: Authenticator::new(credentials, Arc::default()) }
}

fn with_login() -> Home {
    home(r#"{"auths":{"h":{"username":"u","password":"hunter22"}}}"#)
}

const SECURE: ChallengedRequest<'static> =
    ChallengedRequest { registry: "h", https: true, insecure: false, is_tag_check: false, time_left: None };

fn push(path: &str) -> Scopes {
    Scopes::repository(path, Access::PullPush)
}

fn pull(path: &str) -> Scopes {
    Scopes::repository(path, Access::Pull)
}

impl Home {
    fn ask<F: Fn(&TokenRequest, usize) -> (u16, String)>(
        &self,
        origin: &ChallengedRequest<'_>,
        challenge: &str,
        needed: &Scopes,
        sent: Option<&str>,
        server: &Server<F>,
    ) -> Result<Option<String>, RegistryError> {
        let challenges = Challenge::parse_all([challenge].into_iter());
        let sent = sent.map(Secret::new);
        let answer =
            self.authenticator.respond_to_challenge(origin, &challenges, needed, sent.as_ref(), &|request| {
                // As the transport does.
                request
                    .authorization
                    .iter()
                    .for_each(|header| self.authenticator.redactor.record_authorization(header));
                request.form.iter().for_each(|form| self.authenticator.redactor.record_form(form));
                server.send(request)
            })?;
        Ok(answer.map(|header| header.reveal().to_owned()))
    }

    fn header(&self, needed: &Scopes) -> Option<String> {
        self.authenticator.header("h", needed).map(|header| header.reveal().to_owned())
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn first_token_is_requested_after_a_challenge_and_covers_all_announced_scopes() {
    let (home, server) = (with_login(), generous());
    for scope in [pull("a"), push("a"), pull("b")] {
        home.authenticator.announce("h", &scope);
    }
    assert_eq!(home.header(&push("a")), None);
    assert_eq!(home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t1"));
    assert_eq!(server.scopes(), [[A, "repository:b:pull"]]);
    let request = lock(&server.requests)[0].clone();
    assert!(request.url.starts_with("https://auth.example/token?account=u&"), "{}", request.url);
    assert_eq!(request.authorization, Some(Secret::basic("u", "hunter22")));
    assert_eq!(home.header(&push("a").union(&pull("b"))), some("Bearer t1"));
    assert_eq!(home.header(&pull("c")), None);
    assert_eq!(home.authenticator.header("other", &pull("a")), None);
}

#[test]
fn one_token_serves_a_list_of_fifty_images_from_as_many_repositories() {
    let (home, server) = (with_login(), generous());
    home.authenticator.announce("h", &push("a"));
    let images: Vec<String> = (0..50).map(|number| format!("team/image-{number}")).collect();
    images.iter().for_each(|image| home.authenticator.announce("h", &pull(image)));
    home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap();
    assert!(images.iter().all(|image| home.header(&push("a").union(&pull(image))).is_some()));
    assert_eq!(server.scopes()[0].len(), 51);
}

#[test]
fn refused_wide_token_is_followed_by_one_exact_token() {
    let (home, server) = (with_login(), generous());
    home.authenticator.announce("h", &push("a"));
    home.authenticator.announce("h", &pull("b"));
    let ask = |sent| home.ask(&SECURE, CHALLENGE, &push("a"), sent, &server).unwrap();
    assert_eq!(ask(None), some("Bearer t1"));
    assert_eq!(ask(Some("Bearer t1")), some("Bearer t2"));
    assert_eq!(server.scopes()[1], [A]);
    assert_eq!(ask(Some("Bearer t2")), None);
    assert_eq!(ask(None), None);
    assert_eq!(server.count(), 2);
    assert_eq!(home.header(&pull("b")), some("Bearer t1"));
}

#[test]
fn accepted_token_is_renewed_whenever_it_expires() {
    let (home, server) = (with_login(), generous());
    let mut sent = home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap().unwrap();
    for round in 2..6 {
        home.authenticator.record_accepted("h", &push("a"), &Secret::new(sent.as_str()));
        sent = home.ask(&SECURE, CHALLENGE, &push("a"), Some(&sent), &server).unwrap().unwrap();
        assert_eq!(sent, format!("Bearer t{round}"));
    }
    assert_eq!(home.ask(&SECURE, CHALLENGE, &push("a"), Some(&sent), &server).unwrap(), None);
}

#[test]
fn token_server_that_refuses_several_scopes_gets_the_challenged_scope() {
    let several = |request: &TokenRequest| request.url.matches("scope=").count() > 1;
    let server = Server::new(
        |request, _| if several(request) { (400, String::new()) } else { (200, r#"{"token":"t"}"#.into()) },
    );
    let home = with_login();
    home.authenticator.announce("h", &push("a"));
    home.authenticator.announce("h", &pull("b"));
    assert_eq!(home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t"));
    let challenge_b = CHALLENGE.replace("repository:a:pull,push", "repository:b:pull");
    assert_eq!(home.ask(&SECURE, &challenge_b, &pull("b"), None, &server).unwrap(), some("Bearer t"));
    assert_eq!(server.count(), 3, "once it has refused several, it is not asked for several again");
}

#[test]
fn anonymous_token_request_is_repeated_with_fewer_scopes() {
    let server = Server::new(|request, _| match request.url.matches("scope=").count() {
        1 => (200, r#"{"token":"t"}"#.to_owned()),
        _ => (401, String::new()),
    });
    let home = home("{}");
    home.authenticator.announce("h", &pull("b"));
    assert_eq!(home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t"));
    assert!(lock(&server.requests).iter().all(|request| request.authorization.is_none() && request.form.is_none()));
    assert!(!lock(&server.requests)[0].url.contains("account"));
}

#[test]
fn other_token_server_errors_keep_their_kind_and_allow_another_request() {
    for (status, kind) in [
        (403, RegistryErrorKind::Forbidden),
        (429, RegistryErrorKind::RateLimited),
        (503, RegistryErrorKind::Server),
        (302, RegistryErrorKind::Protocol),
    ] {
        let server = Server::new(|_, _| (status, String::new()));
        let home = with_login();
        assert_eq!(home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap_err().kind, kind);
        assert_eq!(server.count(), 1);
    }
    let server =
        Server::new(|_, number| if number == 1 { (503, String::new()) } else { (200, r#"{"token":"t"}"#.into()) });
    let home = with_login();
    assert!(home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).is_err());
    assert_eq!(home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t"));
    let server = Server::new(|_, _| (200, "hunter22".to_owned()));
    let error = with_login().ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap_err();
    assert_eq!(
        (error.kind, error.detail.as_str()),
        (RegistryErrorKind::Protocol, "token server auth.example: its answer is not JSON")
    );
}

#[test]
fn identity_token_is_posted_with_get_as_fallback() {
    let config = r#"{"auths":{"h":{"identitytoken":"hunter22"}}}"#;
    let server = generous();
    assert_eq!(home(config).ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t1"));
    let form = lock(&server.requests)[0].form.clone().unwrap();
    assert!(form.reveal().contains("refresh_token=hunter22") && form.reveal().contains("grant_type=refresh_token"));
    for refused in [401, 404, 405] {
        let server = Server::new(|request, _| match request.form {
            Some(_) => (refused, String::new()),
            None => (200, r#"{"token":"t"}"#.to_owned()),
        });
        assert_eq!(home(config).ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t"));
        assert_eq!(lock(&server.requests)[1].authorization, Some(Secret::basic("", "hunter22")));
    }
    let server = Server::new(|request, _| match request.form {
        Some(_) => (401, r#"{"error":"invalid_grant","error_description":"hunter22 has run out"}"#.to_owned()),
        None => (400, String::new()),
    });
    let error = home(config).ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap_err();
    assert_eq!((error.kind, error.status), (RegistryErrorKind::Unauthorized, Some(401)));
    assert_eq!(error.detail, "token server auth.example: invalid_grant: [secret] has run out");
}

#[test]
fn rotated_refresh_token_replaces_the_stored_one() {
    let home = home(r#"{"auths":{"h":{"identitytoken":"old"}}}"#);
    let server =
        Server::new(|_, number| (200, format!(r#"{{"access_token":"t{number}","refresh_token":"new{number}"}}"#)));
    home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap();
    home.ask(&SECURE, CHALLENGE, &push("a").union(&pull("b")), None, &server).unwrap();
    let form = |at: usize| lock(&server.requests)[at].form.clone().unwrap();
    assert!(form(0).reveal().contains("refresh_token=old"));
    assert!(form(1).reveal().contains("refresh_token=new1"));
}

#[test]
fn accepted_basic_login_is_sent_with_every_request() {
    let (home, server) = (with_login(), generous());
    let basic = "Basic dTpodW50ZXIyMg==";
    let ask = |sent| home.ask(&SECURE, "Basic realm=x", &push("a"), sent, &server).unwrap();
    assert_eq!(ask(None), some(basic));
    assert_eq!(home.header(&pull("anything")), None, "nobody knows yet whether it is good");
    home.authenticator.record_accepted("h", &push("a"), &Secret::new(basic));
    assert_eq!(home.header(&pull("anything")), some(basic));
    assert_eq!(ask(Some(basic)), None);
    assert_eq!(ask(None), some(basic), "it was not enough for one thing, and is good for others");
    assert_eq!(server.count(), 0);
    assert_eq!(self::home("{}").ask(&SECURE, "Basic realm=x", &Scopes::default(), None, &server).unwrap(), None);
}

#[test]
fn registry_token_is_sent_unchanged() {
    let (home, server) = (home(r#"{"auths":{"h":{"registrytoken":"reg"}}}"#), generous());
    assert_eq!(home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer reg"));
    home.authenticator.record_accepted("h", &push("a"), &Secret::new("Bearer reg"));
    assert_eq!(home.header(&pull("b")), some("Bearer reg"));
    assert_eq!(home.ask(&SECURE, CHALLENGE, &push("a"), Some("Bearer reg"), &server).unwrap(), None);
    assert_eq!(server.count(), 0);
    let unfit = self::home(r#"{"auths":{"h":{"registrytoken":"a\nb"}}}"#);
    assert_eq!(
        unfit.ask(&SECURE, CHALLENGE, &Scopes::default(), None, &server).unwrap_err().kind,
        RegistryErrorKind::Credentials
    );
}

#[test]
fn bearer_is_preferred_to_basic_and_invalid_challenges_are_errors() {
    let server = generous();
    let both = format!("Basic realm=x, {CHALLENGE}");
    assert_eq!(with_login().ask(&SECURE, &both, &Scopes::default(), None, &server).unwrap(), some("Bearer t1"));
    let broken = "Bearer service=s, Basic realm=x";
    assert_eq!(
        with_login().ask(&SECURE, broken, &Scopes::default(), None, &server).unwrap(),
        some("Basic dTpodW50ZXIyMg==")
    );
    for challenge in ["Negotiate", "", "Digest realm=x"] {
        assert_eq!(
            with_login().ask(&SECURE, challenge, &Scopes::default(), None, &server).unwrap(),
            None,
            "{challenge}"
        );
    }
    for challenge in ["Bearer service=s", "Bearer realm=/token", "Bearer realm=ftp://h"] {
        assert_eq!(
            with_login().ask(&SECURE, challenge, &Scopes::default(), None, &server).unwrap_err().kind,
            RegistryErrorKind::Protocol
        );
    }
}

#[test]
fn authenticator_sends_no_credentials_over_plain_http() {
    let plain = CHALLENGE.replace("https:", "http:");
    let local = plain.replace("auth.example", "127.0.0.1:5001");
    let origin = |registry, https, insecure| ChallengedRequest {
        registry,
        https,
        insecure,
        is_tag_check: false,
        time_left: None,
    };
    // Who asks, by what, whether there is a login, and whether it is followed.
    let rows = [
        (origin("h", true, false), plain.as_str(), true, false),
        (origin("h", true, false), plain.as_str(), false, false),
        (origin("h", true, false), local.as_str(), true, false),
        (origin("h", true, true), plain.as_str(), true, true),
        (origin("localhost:5000", false, false), plain.as_str(), true, false),
        (origin("localhost:5000", false, false), plain.as_str(), false, true),
        (origin("localhost:5000", false, false), local.as_str(), true, true),
        (origin("localhost:5000", false, false), CHALLENGE, true, true),
        (origin("h", false, false), "Basic realm=x", true, false),
        (origin("h", false, true), "Basic realm=x", true, true),
        (origin("localhost:5000", false, false), "Basic realm=x", true, true),
    ];
    for (origin, challenge, login, followed) in rows {
        let entry = r#"{"username":"u","password":"hunter22"}"#;
        let config = format!(r#"{{"auths":{{"h":{entry},"localhost:5000":{entry}}}}}"#);
        let (home, server) = (home(if login { &config } else { "{}" }), generous());
        let answer = home.ask(&origin, challenge, &Scopes::default(), None, &server);
        match followed {
            true => assert!(answer.unwrap().is_some(), "{origin:?} {challenge}"),
            false => {
                assert_eq!(answer.unwrap_err().kind, RegistryErrorKind::Protocol, "{origin:?} {challenge}");
                assert_eq!(server.count(), 0);
            }
        }
    }
}

#[test]
fn helper_runs_once_per_registry_even_if_it_fails() {
    use crate::auth::helper::tests::helper;
    let (folder, env) = helper("t", "echo x >>\"${0%/*}/calls\"; echo no keychain; exit 1");
    fs::write(folder.path().join("config.json"), r#"{"credsStore":"t"}"#).unwrap();
    let authenticator =
        Authenticator::new(CredentialStore::new(env, folder.path().to_owned(), Arc::new(|_| ())), Arc::default());
    assert_eq!(authenticator.header("h", &Scopes::default()), None);
    assert!(!folder.path().join("calls").exists());
    let challenges = Challenge::parse_all([CHALLENGE].into_iter());
    for _ in 0..2 {
        let error = authenticator
            .respond_to_challenge(&SECURE, &challenges, &Scopes::default(), None, &|_| unreachable!())
            .unwrap_err();
        assert_eq!(error.kind, RegistryErrorKind::Credentials);
    }
    assert_eq!(fs::read_to_string(folder.path().join("calls")).unwrap(), "x\n");
}

#[test]
fn challenge_without_a_scope_requests_the_needed_scopes() {
    let (home, server) = (with_login(), generous());
    let bare = r#"Bearer realm="https://auth.example/token""#;
    assert_eq!(home.ask(&SECURE, bare, &push("a").union(&pull("b")), None, &server).unwrap(), some("Bearer t1"));
    assert_eq!(server.scopes(), [[A, "repository:b:pull"]]);
    assert!(!lock(&server.requests)[0].url.contains("service"));
}

#[test]
fn debug_of_the_authenticator_shows_no_secret() {
    let (home, server) = (with_login(), generous());
    home.ask(&SECURE, CHALLENGE, &push("a"), None, &server).unwrap();
    let shown = format!("{:?} {:?}", home.authenticator, lock(&server.requests));
    assert!(
        !shown.contains("hunter22") && !shown.contains("dTpodW50ZXIyMg==") && !shown.contains("Bearer t1"),
        "{shown}"
    );
}

//! Tests of [`super`]: the challenges of a registry, and a token server whose responses a closure returns.

use std::fs;

use super::*;
use crate::auth::scope::Access;
use crate::auth::token_protocol::TokenRequest;
use crate::env::Env;
use crate::net::response::HttpResponse;

#[path = "authenticator_identity_token_tests.rs"]
mod identity_tokens;
#[path = "authenticator_refused_login_tests.rs"]
mod refused_logins;
#[path = "authenticator_thread_tests.rs"]
mod threads;

const A: &str = "repository:a:pull,push";
const CHALLENGE: &str = r#"Bearer realm="https://auth.example/token",service="s",scope="repository:a:pull,push""#;

/// A token server that answers each request by a rule, and the requests that it got.
struct FakeTokenServer<F> {
    requests: Mutex<Vec<TokenRequest>>,
    rule: F,
}

impl<F: Fn(&TokenRequest, usize) -> (u16, String)> FakeTokenServer<F> {
    fn new(rule: F) -> FakeTokenServer<F> {
        FakeTokenServer { requests: Mutex::default(), rule }
    }

    fn send(&self, request: &TokenRequest) -> Result<HttpResponse, RegistryError> {
        let mut requests = lock(&self.requests);
        requests.push(request.clone());
        let (status, body) = (self.rule)(request, requests.len());
        Ok(HttpResponse { status, body: body.into_bytes(), ..HttpResponse::default() })
    }

    fn count(&self) -> usize {
        lock(&self.requests).len()
    }

    /// The scopes of each request, decoded.
    fn scopes(&self) -> Vec<Vec<String>> {
        let decode = |text: &str| text.replace("%3A", ":").replace("%2C", ",").replace("%2F", "/");
        let scopes_of = |request: &TokenRequest| {
            let query = request.url.split_once('?').map_or("", |(_, query)| query);
            query.split('&').filter_map(|pair| pair.strip_prefix("scope=")).map(decode).collect()
        };
        lock(&self.requests).iter().map(scopes_of).collect()
    }
}

/// Grants `t1`, `t2`, … to every request.
fn granting_server() -> FakeTokenServer<impl Fn(&TokenRequest, usize) -> (u16, String)> {
    FakeTokenServer::new(|_, number| (200, format!(r#"{{"token":"t{number}","expires_in":300}}"#)))
}

struct Fixture {
    _directory: tempfile::TempDir,
    authenticator: Authenticator,
}

fn with_config(config: &str) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.json"), config).unwrap();
    let credentials =
        CredentialStore::new(Env::from_pairs::<&str, &str>([]), directory.path().to_owned(), Arc::new(|_| ()));
    Fixture { _directory: directory, authenticator: Authenticator::new(credentials, Arc::default()) }
}

fn with_login() -> Fixture {
    with_config(r#"{"auths":{"h":{"username":"u","password":"hunter22"}}}"#)
}

const TLS_REQUEST: ChallengedRequest<'static> =
    ChallengedRequest { registry: "h", https: true, insecure: false, is_check_before_push: false, time_left: None };

fn push(path: &str) -> Scopes {
    Scopes::repository(path, Access::PullPush)
}

fn pull(path: &str) -> Scopes {
    Scopes::repository(path, Access::Pull)
}

impl Fixture {
    fn respond<F: Fn(&TokenRequest, usize) -> (u16, String)>(
        &self,
        challenged: &ChallengedRequest<'_>,
        challenge: &str,
        needed: &Scopes,
        sent: Option<&str>,
        server: &FakeTokenServer<F>,
    ) -> Result<Option<String>, RegistryError> {
        let challenges = Challenge::parse_all([challenge].into_iter());
        let sent = sent.map(Secret::new);
        let header =
            self.authenticator.respond_to_challenge(challenged, &challenges, needed, sent.as_ref(), &|request| {
                // As the transport does.
                request
                    .authorization
                    .iter()
                    .for_each(|header| self.authenticator.redactor.record_authorization(header));
                request.form.iter().for_each(|form| self.authenticator.redactor.record_form(form));
                server.send(request)
            })?;
        Ok(header.map(|header| header.reveal().to_owned()))
    }

    fn header(&self, needed: &Scopes) -> Option<String> {
        self.authenticator.header("h", needed).map(|header| header.reveal().to_owned())
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn first_token_is_requested_after_a_challenge_and_covers_all_expected_scopes() {
    let (auth, server) = (with_login(), granting_server());
    for scope in [pull("a"), push("a"), pull("b")] {
        auth.authenticator.expect_scopes("h", &scope);
    }
    assert_eq!(auth.header(&push("a")), None);
    assert_eq!(auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t1"));
    assert_eq!(server.scopes(), [[A, "repository:b:pull"]]);
    let request = lock(&server.requests)[0].clone();
    assert!(request.url.starts_with("https://auth.example/token?account=u&"), "{}", request.url);
    assert_eq!(request.authorization, Some(Secret::basic_authorization("u", "hunter22")));
    assert_eq!(auth.header(&push("a").union(&pull("b"))), some("Bearer t1"));
    assert_eq!(auth.header(&pull("c")), None);
    assert_eq!(auth.authenticator.header("other", &pull("a")), None);
}

#[test]
fn one_token_serves_a_list_of_fifty_images_from_as_many_repositories() {
    let (auth, server) = (with_login(), granting_server());
    auth.authenticator.expect_scopes("h", &push("a"));
    let images: Vec<String> = (0..50).map(|number| format!("team/image-{number}")).collect();
    images.iter().for_each(|image| auth.authenticator.expect_scopes("h", &pull(image)));
    auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap();
    assert!(images.iter().all(|image| auth.header(&push("a").union(&pull(image))).is_some()));
    assert_eq!(server.scopes()[0].len(), 51);
}

#[test]
fn refused_wide_token_is_followed_by_one_exact_token() {
    let (auth, server) = (with_login(), granting_server());
    auth.authenticator.expect_scopes("h", &push("a"));
    auth.authenticator.expect_scopes("h", &pull("b"));
    let respond = |sent| auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), sent, &server).unwrap();
    assert_eq!(respond(None), some("Bearer t1"));
    assert_eq!(respond(Some("Bearer t1")), some("Bearer t2"));
    assert_eq!(server.scopes()[1], [A]);
    assert_eq!(respond(Some("Bearer t2")), None);
    assert_eq!(respond(None), None);
    assert_eq!(server.count(), 2);
    assert_eq!(auth.header(&pull("b")), some("Bearer t1"));
}

#[test]
fn accepted_token_is_renewed_whenever_it_expires() {
    let (auth, server) = (with_login(), granting_server());
    let mut sent = auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap().unwrap();
    for round in 2..6 {
        auth.authenticator.record_accepted("h", &push("a"), &Secret::new(sent.as_str()));
        sent = auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), Some(&sent), &server).unwrap().unwrap();
        assert_eq!(sent, format!("Bearer t{round}"));
    }
    assert_eq!(auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), Some(&sent), &server).unwrap(), None);
}

#[test]
fn token_server_that_refuses_several_scopes_gets_the_challenged_scope() {
    let several = |request: &TokenRequest| request.url.matches("scope=").count() > 1;
    let server =
        FakeTokenServer::new(
            |request, _| if several(request) { (400, String::new()) } else { (200, r#"{"token":"t"}"#.into()) },
        );
    let auth = with_login();
    auth.authenticator.expect_scopes("h", &push("a"));
    auth.authenticator.expect_scopes("h", &pull("b"));
    assert_eq!(auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t"));
    let challenge_b = CHALLENGE.replace("repository:a:pull,push", "repository:b:pull");
    assert_eq!(auth.respond(&TLS_REQUEST, &challenge_b, &pull("b"), None, &server).unwrap(), some("Bearer t"));
    assert_eq!(server.count(), 3, "once it has refused several, it is not asked for several again");
}

#[test]
fn anonymous_token_request_is_repeated_with_fewer_scopes() {
    let server = FakeTokenServer::new(|request, _| match request.url.matches("scope=").count() {
        1 => (200, r#"{"token":"t"}"#.to_owned()),
        _ => (401, String::new()),
    });
    let auth = with_config("{}");
    auth.authenticator.expect_scopes("h", &pull("b"));
    assert_eq!(auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t"));
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
        let server = FakeTokenServer::new(|_, _| (status, String::new()));
        let auth = with_login();
        assert_eq!(auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap_err().kind, kind);
        assert_eq!(server.count(), 1);
    }
    let server =
        FakeTokenServer::new(
            |_, number| if number == 1 { (503, String::new()) } else { (200, r#"{"token":"t"}"#.into()) },
        );
    let auth = with_login();
    assert!(auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).is_err());
    assert_eq!(auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer t"));
    let server = FakeTokenServer::new(|_, _| (200, "hunter22".to_owned()));
    let error = with_login().respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (RegistryErrorKind::Protocol, "token server auth.example: its answer is not JSON")
    );
}

#[test]
fn accepted_basic_login_is_sent_with_every_request() {
    let (auth, server) = (with_login(), granting_server());
    let basic = "Basic dTpodW50ZXIyMg==";
    let respond = |sent| auth.respond(&TLS_REQUEST, "Basic realm=x", &push("a"), sent, &server).unwrap();
    assert_eq!(respond(None), some(basic));
    assert_eq!(auth.header(&pull("anything")), None, "nobody knows yet whether it is good");
    auth.authenticator.record_accepted("h", &push("a"), &Secret::new(basic));
    assert_eq!(auth.header(&pull("anything")), some(basic));
    assert_eq!(respond(Some(basic)), None);
    assert_eq!(respond(None), some(basic), "it was not enough for one thing, and is good for others");
    assert_eq!(server.count(), 0);
    assert_eq!(
        with_config("{}").respond(&TLS_REQUEST, "Basic realm=x", &Scopes::default(), None, &server).unwrap(),
        None
    );
}

#[test]
fn registry_token_is_sent_unchanged() {
    let (auth, server) = (with_config(r#"{"auths":{"h":{"registrytoken":"reg"}}}"#), granting_server());
    assert_eq!(auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap(), some("Bearer reg"));
    auth.authenticator.record_accepted("h", &push("a"), &Secret::new("Bearer reg"));
    assert_eq!(auth.header(&pull("b")), some("Bearer reg"));
    assert_eq!(auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), Some("Bearer reg"), &server).unwrap(), None);
    assert_eq!(server.count(), 0);
    let unfit = with_config(r#"{"auths":{"h":{"registrytoken":"a\nb"}}}"#);
    assert_eq!(
        unfit.respond(&TLS_REQUEST, CHALLENGE, &Scopes::default(), None, &server).unwrap_err().kind,
        RegistryErrorKind::Credentials
    );
}

#[test]
fn bearer_is_preferred_to_basic_and_invalid_challenges_are_errors() {
    let server = granting_server();
    let both = format!("Basic realm=x, {CHALLENGE}");
    assert_eq!(
        with_login().respond(&TLS_REQUEST, &both, &Scopes::default(), None, &server).unwrap(),
        some("Bearer t1")
    );
    let broken = "Bearer service=s, Basic realm=x";
    assert_eq!(
        with_login().respond(&TLS_REQUEST, broken, &Scopes::default(), None, &server).unwrap(),
        some("Basic dTpodW50ZXIyMg==")
    );
    for challenge in ["Negotiate", "", "Digest realm=x"] {
        assert_eq!(
            with_login().respond(&TLS_REQUEST, challenge, &Scopes::default(), None, &server).unwrap(),
            None,
            "{challenge}"
        );
    }
    for challenge in ["Bearer service=s", "Bearer realm=/token", "Bearer realm=ftp://h"] {
        assert_eq!(
            with_login().respond(&TLS_REQUEST, challenge, &Scopes::default(), None, &server).unwrap_err().kind,
            RegistryErrorKind::Protocol
        );
    }
}

#[test]
fn authenticator_sends_no_credentials_over_plain_http() {
    let plain = CHALLENGE.replace("https:", "http:");
    let local = plain.replace("auth.example", "127.0.0.1:5001");
    let challenged = |registry, https, insecure| ChallengedRequest {
        registry,
        https,
        insecure,
        is_check_before_push: false,
        time_left: None,
    };
    // Who asks, by what, whether there is a login, and whether it is followed.
    let rows = [
        (challenged("h", true, false), plain.as_str(), true, false),
        (challenged("h", true, false), plain.as_str(), false, false),
        (challenged("h", true, false), local.as_str(), true, false),
        (challenged("h", true, true), plain.as_str(), true, true),
        (challenged("localhost:5000", false, false), plain.as_str(), true, false),
        (challenged("localhost:5000", false, false), plain.as_str(), false, true),
        (challenged("localhost:5000", false, false), local.as_str(), true, true),
        (challenged("localhost:5000", false, false), CHALLENGE, true, true),
        (challenged("h", false, false), "Basic realm=x", true, false),
        (challenged("h", false, true), "Basic realm=x", true, true),
        (challenged("localhost:5000", false, false), "Basic realm=x", true, true),
    ];
    for (challenged, challenge, login, followed) in rows {
        let entry = r#"{"username":"u","password":"hunter22"}"#;
        let config = format!(r#"{{"auths":{{"h":{entry},"localhost:5000":{entry}}}}}"#);
        let (auth, server) = (with_config(if login { &config } else { "{}" }), granting_server());
        let result = auth.respond(&challenged, challenge, &Scopes::default(), None, &server);
        match followed {
            true => assert!(result.unwrap().is_some(), "{challenged:?} {challenge}"),
            false => {
                assert_eq!(result.unwrap_err().kind, RegistryErrorKind::Protocol, "{challenged:?} {challenge}");
                assert_eq!(server.count(), 0);
            }
        }
    }
}

#[test]
fn helper_runs_once_per_registry_even_if_it_fails() {
    use crate::auth::helper::tests::helper;
    let (directory, env) = helper("t", "echo x >>\"${0%/*}/calls\"; echo no keychain; exit 1");
    fs::write(directory.path().join("config.json"), r#"{"credsStore":"t"}"#).unwrap();
    let authenticator =
        Authenticator::new(CredentialStore::new(env, directory.path().to_owned(), Arc::new(|_| ())), Arc::default());
    assert_eq!(authenticator.header("h", &Scopes::default()), None);
    assert!(!directory.path().join("calls").exists());
    let challenges = Challenge::parse_all([CHALLENGE].into_iter());
    for _ in 0..2 {
        let error = authenticator
            .respond_to_challenge(&TLS_REQUEST, &challenges, &Scopes::default(), None, &|_| unreachable!())
            .unwrap_err();
        assert_eq!(error.kind, RegistryErrorKind::Credentials);
    }
    assert_eq!(fs::read_to_string(directory.path().join("calls")).unwrap(), "x\n");
}

#[test]
fn challenge_without_a_scope_requests_the_needed_scopes() {
    let (auth, server) = (with_login(), granting_server());
    let bare = r#"Bearer realm="https://auth.example/token""#;
    assert_eq!(
        auth.respond(&TLS_REQUEST, bare, &push("a").union(&pull("b")), None, &server).unwrap(),
        some("Bearer t1")
    );
    assert_eq!(server.scopes(), [[A, "repository:b:pull"]]);
    assert!(!lock(&server.requests)[0].url.contains("service"));
}

#[test]
fn debug_of_the_authenticator_shows_no_secret() {
    let (auth, server) = (with_login(), granting_server());
    auth.respond(&TLS_REQUEST, CHALLENGE, &push("a"), None, &server).unwrap();
    let shown = format!("{:?} {:?}", auth.authenticator, lock(&server.requests));
    assert!(
        !shown.contains("hunter22") && !shown.contains("dTpodW50ZXIyMg==") && !shown.contains("Bearer t1"),
        "{shown}"
    );
}

//! Authentication: Basic, and Bearer with a token endpoint.
//!
//! Tokens are opaque strings that the registry maps to what it granted; they expire when a test says so, never by a
//! clock. Protocol: distribution's token authentication and its OAuth2 variant, RFC 6750 for the challenges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::auth_config::{Auth, Bearer};
use super::http::{Head, Request, Response, form_values};
use super::lock;
use super::route::Route;

/// A token given out.
struct Token {
    granted: BTreeSet<String>,
    expired: bool,
}

#[derive(Default)]
struct Issued {
    tokens: BTreeMap<String, Token>,
    refresh: Vec<String>,
}

/// Checks credentials and issues tokens.
pub(crate) struct AccessControl {
    auth: Auth,
    /// The registry's own token endpoint.
    own_realm: String,
    issued: Mutex<Issued>,
}

/// The rights of an authorized request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) may_mount: bool,
}

impl AccessControl {
    pub(crate) fn new(auth: Auth, own_realm: String) -> AccessControl {
        AccessControl { auth, own_realm, issued: Mutex::default() }
    }

    /// Every token given out so far, refresh tokens included.
    pub(crate) fn issued(&self) -> Vec<String> {
        let issued = lock(&self.issued);
        issued.tokens.keys().chain(&issued.refresh).cloned().collect()
    }

    pub(crate) fn expire_tokens(&self) {
        lock(&self.issued).tokens.values_mut().for_each(|token| token.expired = true);
    }

    /// The rights of a request, or its 401.
    pub(crate) fn check(&self, head: &Head) -> Result<Access, Box<Response>> {
        let authorization = head.header("Authorization");
        match &self.auth {
            Auth::None => Ok(Access { may_mount: true }),
            Auth::Basic { user, password } => match authorization.and_then(decode_basic) {
                Some((name, secret)) if name == *user && secret == *password => Ok(Access { may_mount: true }),
                _ => Err(Box::new(self.challenge(head, None))),
            },
            Auth::Bearer(bearer) => {
                let token = authorization.and_then(|value| strip_scheme(value, "Bearer"));
                self.check_token(bearer, head, token).map_err(|error| Box::new(self.challenge(head, error)))
            }
        }
    }

    fn check_token(&self, bearer: &Bearer, head: &Head, token: Option<&str>) -> Result<Access, Option<&'static str>> {
        let token = token.ok_or(None)?;
        if bearer.registry_tokens.iter().any(|known| known == token) {
            return Ok(Access { may_mount: true });
        }
        let issued = lock(&self.issued);
        let token = issued.tokens.get(token).filter(|token| !token.expired).ok_or(Some("invalid_token"))?;
        let (needed, source) = needed_scopes(head);
        let holds = |scope: &Option<String>| scope.as_ref().is_none_or(|scope| token.granted.contains(scope));
        let may_mount = holds(&source);
        if !needed.iter().all(|scope| token.granted.contains(scope))
            || !(may_mount || bearer.denied_mounts_start_uploads)
        {
            return Err(Some("insufficient_scope"));
        }
        Ok(Access { may_mount })
    }

    /// The 401 for a request, with its challenge; `error` is RFC 6750's.
    pub(crate) fn challenge(&self, head: &Head, error: Option<&str>) -> Response {
        let value = match &self.auth {
            Auth::None | Auth::Basic { .. } => "Basic realm=\"loopback\"".to_owned(),
            Auth::Bearer(bearer) => {
                let realm = bearer.realm.as_ref().unwrap_or(&self.own_realm);
                let mut value = format!("Bearer realm=\"{realm}\",service=\"{}\"", bearer.service);
                let scopes = challenge_scopes(head);
                if !scopes.is_empty() {
                    value += &format!(",scope=\"{}\"", scopes.join(" "));
                }
                error.map_or(value.clone(), |error| format!("{value},error=\"{error}\""))
            }
        };
        let response = Response::error(401, "UNAUTHORIZED", "authentication required", Value::Null);
        response.header("WWW-Authenticate", value)
    }

    /// Answers a request for a token.
    pub(crate) fn token(&self, request: &Request) -> Response {
        let Auth::Bearer(bearer) = &self.auth else { return Response::new(404) };
        let answer = match request.head.method.as_str() {
            "GET" => self.token_by_get(bearer, &request.head),
            "POST" => match bearer.post_status {
                Some(status) => Err(Response::error(status, "UNSUPPORTED", "no POST here", Value::Null)),
                None => self.token_by_post(bearer, &String::from_utf8_lossy(&request.body)),
            },
            _ => Err(Response::error(405, "UNSUPPORTED", "only GET and POST", Value::Null)),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    fn token_by_get(&self, bearer: &Bearer, head: &Head) -> Result<Response, Response> {
        check_service(bearer, &head.query("service"))?;
        let is_authenticated = match head.header("Authorization") {
            None => false,
            Some(value) => {
                let (user, password) = decode_basic(value).ok_or_else(unauthorized)?;
                bearer.check_user(&user, &password)?;
                true
            }
        };
        let token = self.grant(bearer, is_authenticated, &head.query("scope"))?;
        let mut answer = json!({"token": token, "access_token": token});
        if let Some(field) = &bearer.field {
            answer = json!({field: token});
        }
        if is_authenticated && head.query("offline_token") == ["true"] {
            answer["refresh_token"] = self.new_refresh_token().into();
        }
        Ok(token_response(bearer, answer))
    }

    fn token_by_post(&self, bearer: &Bearer, form: &str) -> Result<Response, Response> {
        let field = |name: &str| form_values(form, name).into_iter().next().unwrap_or_default();
        check_service(bearer, &form_values(form, "service"))?;
        if field("client_id").is_empty() {
            return Err(Response::new(400).json(&json!({"error": "invalid_request"})));
        }
        match field("grant_type").as_str() {
            "password" => bearer.check_user(&field("username"), &field("password"))?,
            "refresh_token" => {
                let token = field("refresh_token");
                let mut known = bearer.refresh_tokens.clone();
                known.extend(lock(&self.issued).refresh.iter().cloned());
                known.contains(&token).then_some(()).ok_or_else(unauthorized)?;
            }
            _ => return Err(Response::new(400).json(&json!({"error": "unsupported_grant_type"}))),
        }
        let scopes = form_values(form, "scope");
        let token = self.grant(bearer, true, &scopes)?;
        let mut answer = json!({"access_token": token, "scope": scopes.join(" ")});
        if bearer.field.as_deref() == Some("token") {
            answer = json!({"token": token});
        }
        match field("grant_type").as_str() {
            "refresh_token" => answer["refresh_token"] = field("refresh_token").into(),
            _ if field("access_type") == "offline" => answer["refresh_token"] = self.new_refresh_token().into(),
            _ => {}
        }
        Ok(token_response(bearer, answer))
    }

    /// A new token for as much of the scopes as this client may have.
    fn grant(&self, bearer: &Bearer, is_authenticated: bool, scopes: &[String]) -> Result<String, Response> {
        if !is_authenticated && !bearer.anonymous_pull {
            return Err(unauthorized());
        }
        let mut granted = BTreeSet::new();
        for scope in scopes.iter().flat_map(|scopes| scopes.split(' ')).flat_map(single_scopes) {
            if bearer.denied_scopes.iter().any(|pattern| covers(pattern, &scope)) {
                return Err(Response::error(403, "DENIED", "access to the resource is denied", Value::Null));
            }
            let allowed = is_authenticated || scope.ends_with(":pull");
            if allowed && !bearer.never_granted_scopes.iter().any(|pattern| covers(pattern, &scope)) {
                granted.insert(scope);
            }
        }
        let mut issued = lock(&self.issued);
        let padding = "x".repeat(bearer.padding);
        let token = format!("opaque-token-{:04}-not-for-any-log{padding}", issued.tokens.len() + 1);
        issued.tokens.insert(token.clone(), Token { granted, expired: false });
        Ok(token)
    }

    fn new_refresh_token(&self) -> String {
        let mut issued = lock(&self.issued);
        let token = format!("refresh-token-{:04}-not-for-any-log", issued.refresh.len() + 1);
        issued.refresh.push(token.clone());
        token
    }
}

impl Bearer {
    fn check_user(&self, name: &str, password: &str) -> Result<(), Response> {
        let known = self.users.iter().any(|(user, secret)| user == name && secret == password);
        known.then_some(()).ok_or_else(unauthorized)
    }
}

fn check_service(bearer: &Bearer, services: &[String]) -> Result<(), Response> {
    let right = services == [bearer.service.clone()];
    right.then_some(()).ok_or_else(|| Response::error(400, "UNSUPPORTED", "wrong service", json!(services)))
}

fn token_response(bearer: &Bearer, mut answer: Value) -> Response {
    if let Some(seconds) = bearer.expires_in {
        answer["expires_in"] = seconds.into();
    }
    Response::new(200).json(&answer)
}

fn unauthorized() -> Response {
    Response::error(401, "UNAUTHORIZED", "incorrect username or password", Value::Null)
}

/// The scopes that a request needs, one action each; apart from them the one for the source of a mount.
fn needed_scopes(head: &Head) -> (Vec<String>, Option<String>) {
    let Some(repo) = Route::parse(head.path()).repo().map(str::to_owned) else { return (Vec::new(), None) };
    let scopes = actions(&head.method).iter().map(|action| format!("repository:{repo}:{action}")).collect();
    let source = head.query("from").first().map(|from| format!("repository:{from}:pull"));
    (scopes, source)
}

/// The same, as a challenge names them.
fn challenge_scopes(head: &Head) -> Vec<String> {
    let Some(repo) = Route::parse(head.path()).repo().map(str::to_owned) else { return Vec::new() };
    let mut scopes = vec![format!("repository:{repo}:{}", actions(&head.method).join(","))];
    scopes.extend(head.query("from").first().map(|from| format!("repository:{from}:pull")));
    scopes
}

/// What docker-registry demands for a method.
fn actions(method: &str) -> &'static [&'static str] {
    match method {
        "GET" | "HEAD" => &["pull"],
        "DELETE" => &["delete"],
        _ => &["pull", "push"],
    }
}

/// `repository:a:pull,push` as `repository:a:pull` and `repository:a:push`.
fn single_scopes(scope: &str) -> Vec<String> {
    let Some((resource, actions)) = scope.rsplit_once(':') else { return Vec::new() };
    actions.split(',').map(|action| format!("{resource}:{action}")).collect()
}

fn covers(pattern: &str, scope: &str) -> bool {
    scope.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

fn strip_scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (name, rest) = value.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn decode_basic(value: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(strip_scheme(value, "Basic")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

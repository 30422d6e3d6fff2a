//! Requests to token servers and their responses: the distribution token specification (GET) and its OAuth2 form
//! (POST).
//!
//! Nothing is sent from here. The body of every response may contain a token, so only the server's own message for a
//! failure leaves this module as plain text.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::auth::credentials::Credential;
use crate::auth::scope::Scopes;
use crate::net::error::RegistryErrorKind;
use crate::net::error_response;
use crate::net::host;
use crate::net::redact::Redactor;
use crate::net::response::HttpResponse;
use crate::net::url::Url;
use crate::secret::Secret;

/// The docker client's own id: some servers bind a refresh token to the client that got it.
const CLIENT_ID: &str = "docker";
/// The default and smallest lifetime in seconds (token specification, `expires_in`).
const LIFETIME_MIN: u64 = 60;
const LIFETIME_MAX: u64 = 24 * 60 * 60;
const MESSAGE_CHARS_MAX: usize = 200;

/// What is encoded in a form or a query. A space becomes `+`.
const FORM_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

/// One request to a token server: a POST if there is a form, otherwise a GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRequest {
    /// The realm with its query. It contains no secret.
    pub(crate) url: String,
    /// The value of the `Authorization` header.
    pub(crate) authorization: Option<Secret>,
    /// The body of a POST, `application/x-www-form-urlencoded`.
    pub(crate) form: Option<Secret>,
}

impl TokenRequest {
    /// The method.
    pub(crate) fn method(&self) -> &'static str {
        if self.form.is_some() { "POST" } else { "GET" }
    }
}

/// The token server that a challenge names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Realm {
    url: String,
    /// The host with its port, as in the URL.
    pub(crate) authority: String,
    /// Whether the URL is `https://`.
    pub(crate) https: bool,
}

/// A token that a server granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrantedToken {
    /// The token as the value of an `Authorization` header.
    pub(crate) header: Secret,
    /// How long the token is valid, counted from its request.
    pub(crate) lifetime: Duration,
    /// A refresh token to use from now on.
    pub(crate) refresh_token: Option<Secret>,
}

impl Realm {
    /// Reads a challenge's `realm`. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Realm, String> {
        let refuse = |reason: &str| format!("the realm of its challenge is {reason}");
        if text.contains(|c: char| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(c)) {
            return Err(refuse("not a URL"));
        }
        let url = text.split('#').next().unwrap_or_default();
        let https = Url::parse_from_server(url).map_err(refuse)?.origin.https;
        let host = url.split(['/', '?']).nth(2).unwrap_or_default();
        if host.contains('@') {
            return Err(refuse("a URL with user information"));
        }
        Ok(Realm { url: url.to_owned(), authority: host.to_owned(), https })
    }

    /// Whether the host is a loopback address.
    pub(crate) fn is_loopback(&self) -> bool {
        host::is_loopback_authority(&self.authority)
    }

    /// The URL without its query, for error messages.
    pub(crate) fn url_without_query(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// A GET request, with the credential's user and password if it has them. Otherwise the password is
    /// `refresh_token`, for servers without the OAuth2 form.
    pub(crate) fn build_get_request(
        &self,
        service: Option<&str>,
        scopes: &Scopes,
        credential: &Credential,
        refresh_token: Option<&Secret>,
    ) -> TokenRequest {
        let login = credential.username_and_password().or_else(|| Some((credential.username.as_str(), refresh_token?)));
        let account = login.map(|(user, _)| ("account", user.to_owned())).filter(|(_, user)| !user.is_empty());
        let scopes = scopes.scope_strings().map(|scope| ("scope", scope));
        let service = service.map(|service| ("service", service.to_owned()));
        let query = encode_form(account.into_iter().chain(scopes).chain(service));
        let separator = match self.url.split_once('?') {
            _ if query.is_empty() => "",
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        TokenRequest {
            url: format!("{}{separator}{}", self.url, query),
            authorization: login.map(|(user, password)| Secret::basic_authorization(user, password.reveal())),
            form: None,
        }
    }

    /// A POST request with a refresh token (OAuth2 form).
    pub(crate) fn build_post_request(
        &self,
        service: Option<&str>,
        scopes: &Scopes,
        refresh_token: &Secret,
    ) -> TokenRequest {
        let form = encode_form([
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT_ID),
            ("service", service.unwrap_or_default()),
            ("scope", &scopes.to_string()),
            ("refresh_token", refresh_token.reveal()),
        ]);
        TokenRequest { url: self.url.clone(), authorization: None, form: Some(Secret::new(form)) }
    }
}

/// The value of an `Authorization` header for a token; `None` if a header cannot carry it.
pub(crate) fn bearer_header(token: &Secret) -> Option<Secret> {
    let text = token.reveal();
    let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| Secret::new(format!("Bearer {text}")))
}

/// The parameters of a form or a query as text.
fn encode_form<V: AsRef<str>>(parameters: impl IntoIterator<Item = (&'static str, V)>) -> String {
    let encode = |value: &str| utf8_percent_encode(value, FORM_ENCODED).to_string().replace(' ', "+");
    let pairs = parameters.into_iter().map(|(name, value)| format!("{name}={}", encode(value.as_ref())));
    pairs.collect::<Vec<_>>().join("&")
}

/// What the response of a token server says.
impl HttpResponse {
    /// The token of a successful response. The error says what is wrong with the response and quotes nothing of it.
    pub(crate) fn granted_token(&self) -> Result<GrantedToken, String> {
        let body: Value = serde_json::from_slice(&self.body).map_err(|_| "its answer is not JSON".to_owned())?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let token = text("access_token").or_else(|| text("token")).ok_or("there is no token in its answer")?;
        let header = bearer_header(&Secret::new(token)).ok_or("the token in its answer cannot stand in a header")?;
        let seconds = body.get("expires_in").and_then(seconds).unwrap_or(0).clamp(LIFETIME_MIN, LIFETIME_MAX);
        Ok(GrantedToken {
            header,
            lifetime: Duration::from_secs(seconds),
            refresh_token: text("refresh_token").map(Secret::new),
        })
    }

    /// The kind of a failure of the token server for the user of the registry.
    ///
    /// A 404 does not mean a missing manifest here. An OAuth2 server answers 400 to an expired refresh token.
    pub(crate) fn token_error_kind(&self) -> RegistryErrorKind {
        match self.status {
            400 if self.is_invalid_grant() => RegistryErrorKind::Unauthorized,
            404 | 407 => RegistryErrorKind::RequestRefused,
            status => error_response::kind_of_status(status),
        }
    }

    fn is_invalid_grant(&self) -> bool {
        serde_json::from_slice::<Value>(&self.body).is_ok_and(|body| body.get("error") == Some(&"invalid_grant".into()))
    }

    /// The token server's own message for a failure, on one line and with secrets redacted, or else its status.
    pub(crate) fn token_error_message(&self, redactor: &Redactor) -> String {
        let own = error_response::json_message(&self.body, redactor);
        let own = own.map(|own| error_response::one_line(&own, MESSAGE_CHARS_MAX)).filter(|own| !own.is_empty());
        own.unwrap_or_else(|| format!("HTTP status {}", self.status))
    }
}

/// A number of seconds. Some servers send it as a string.
fn seconds(value: &Value) -> Option<u64> {
    let whole = || value.as_f64().filter(|seconds| *seconds > 0.0).map(|seconds| seconds.min(1e9).trunc());
    value
        .as_u64()
        .or_else(|| whole().and_then(|seconds| format!("{seconds:.0}").parse().ok()))
        .or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
#[path = "token_protocol_tests.rs"]
mod tests;

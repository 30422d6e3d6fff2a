//! Fuzz targets for the parsers of what registries, token servers, credential helpers and config.json contain; see
//! [`crate::fuzzing`].

use ureq::http::{HeaderMap, HeaderValue, Uri};

use crate::auth::challenge::Challenge;
use crate::auth::credentials::{self, Credential};
use crate::auth::helper;
use crate::auth::scope::Scopes;
use crate::auth::token_protocol::Realm;
use crate::content::registry::pagination;
use crate::content::registry::upload;
use crate::net::error::FailedRequest;
use crate::net::error_response;
use crate::net::host;
use crate::net::redact::Redactor;
use crate::net::response::HttpResponse;
use crate::net::url::{Origin, Url};
use crate::secret::Secret;

/// The registry whose login is looked up.
const KEY: &str = "h:5000";
/// The longest message about hostile input, in characters. Its longest part is a registry's own message.
const MESSAGE_MAX: usize = 1200;

/// `WWW-Authenticate`, one header per line. What is read can be written and read again and is no longer than the input.
/// A valid realm names the host that its request would go to.
pub(crate) fn challenge(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let challenges = Challenge::parse_all(text.split('\n'));
    let length = |challenge: &Challenge| {
        let parameters = challenge.parameters.iter().map(|(name, value)| name.len() + value.len());
        challenge.scheme.len() + parameters.sum::<usize>()
    };
    assert!(challenges.iter().map(length).sum::<usize>() <= text.len());
    let written = challenges.iter().map(to_header).collect::<Vec<_>>().join(", ");
    assert_eq!(Challenge::parse_all([written.as_str()].into_iter()), challenges);
    for challenge in &challenges {
        let scopes = Scopes::parse(challenge.parameter("scope").unwrap_or_default());
        assert_eq!(Scopes::parse(&scopes.to_string()).to_string(), scopes.to_string());
        if let Some(Ok(realm)) = challenge.parameter("realm").map(Realm::parse) {
            let request =
                realm.build_get_request(challenge.parameter("service"), &scopes, &Credential::default(), None);
            check_destination(&realm, &request.url);
        }
    }
}

fn to_header(challenge: &Challenge) -> String {
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
    let parameters = challenge.parameters.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value)));
    format!("{} {}", challenge.scheme, parameters.collect::<Vec<_>>().join(", "))
}

/// The checks of a realm concern the host that is then requested.
fn check_destination(realm: &Realm, url: &str) {
    let Ok(url) = Url::parse_from_server(url) else { return };
    assert_eq!(url.origin.https, realm.https);
    assert_eq!(Some(url.origin.clone()), Origin::parse_authority(realm.https, &realm.authority));
    assert_eq!(host::is_loopback(&url.origin.host), realm.is_loopback());
    check_url(&url);
}

/// A URL that can be requested and reads back unchanged.
fn check_url(url: &Url) {
    let text = url.reveal();
    assert!(text.bytes().all(|b| b.is_ascii_graphic()), "{text:.200}");
    assert!(url.target().starts_with('/'), "{text:.200}");
    // The HTTP library refuses longer URLs.
    assert!(text.len() >= usize::from(u16::MAX) || Uri::try_from(&text).is_ok(), "{text:.200}");
    assert!(Url::parse_from_server(&text).as_ref() == Ok(url), "{text:.200}");
    let authority = url.origin.authority();
    assert_eq!(Origin::parse_authority(url.origin.https, &authority).as_ref(), Some(&url.origin));
    // The authority is the name of a directory in certs.d.
    assert!(!authority.starts_with('.') && !authority.contains(['/', '\\']), "{authority:.200}");
}

/// `Location`: the URL of the request in the first line, the header in the rest. A single line is the header.
pub(crate) fn location_header(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (base, location) = text.split_once('\n').unwrap_or(("https://h:5000/v2/a/blobs/uploads/1?x=y", text));
    let Ok(base) = Url::parse_from_server(base) else { return };
    check_url(&base);
    if let Ok(url) = base.join(location) {
        check_url(&url);
        // Only harmless values of a query are shown.
        let path = url.reveal().split('?').next().unwrap_or_default().to_owned();
        let shown =
            |value: &str| Url::parse_from_server(&format!("{path}?X-Signature={value}")).map(|url| url.to_string());
        assert_eq!(shown("hunter2"), shown("another"));
    }
}

/// `Link` and `Range`: the next page is a part of the header.
pub(crate) fn link_header(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let base = Url::parse_from_server("https://h:5000/v2/a/tags/list?n=2").expect("a URL");
    let mut length = 0;
    for target in pagination::next_links(text) {
        length += target.len();
        if let Ok(url) = base.join(target) {
            check_url(&url);
        }
    }
    assert!(length <= text.len());
    if let Some(last) = upload::last_offset(text) {
        assert!(text.contains(&last.to_string()) || text.contains("-0") || text.contains('+'), "{text:.200}");
    }
}

/// A token server's response: a token that a header can carry, a lifetime within the limits, a message of one line.
pub(crate) fn token(bytes: &[u8]) {
    for status in [200, 400, 401, 500] {
        let response = HttpResponse { status, body: bytes.to_vec(), ..HttpResponse::default() };
        check_message(&response.token_error_message(&Redactor::default()));
        response.token_error_kind();
        match response.granted_token() {
            Ok(grant) => {
                let header = HeaderValue::from_str(grant.header.reveal());
                assert!(header.is_ok_and(|header| header.as_bytes().starts_with(b"Bearer ")));
                assert!((60..=24 * 60 * 60).contains(&grant.lifetime.as_secs()));
            }
            // The message quotes nothing of the response, because that may be the token.
            Err(reason) => assert!(!reason.contains(['"', '{', '`']), "{reason:.200}"),
        }
    }
}

/// The body of an error response. The first line is its `Retry-After`.
pub(crate) fn error_response(bytes: &[u8]) {
    let (after, body) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap_or(0));
    for status in [404, 429] {
        let mut headers = HeaderMap::new();
        if let Ok(after) = HeaderValue::from_bytes(after) {
            headers.insert("Retry-After", after);
        }
        let request = FailedRequest::new("GET", "https://h/v2/");
        let response = HttpResponse { status, headers, body: body.to_vec(), ..HttpResponse::default() };
        let error = error_response::registry_error("h", request, &response);
        check_message(&error.message);
        error.body.iter().flat_map(|body| body.codes.iter().chain(&body.detail)).for_each(|text| check_message(text));
    }
}

/// The output of a credential helper: credentials, or an error line that repeats no JSON.
pub(crate) fn helper(bytes: &[u8]) {
    if let Err(reason) = helper::parse_output(bytes) {
        assert_eq!(reason, "its answer is not the JSON of credentials");
    }
    for (stdout, stderr) in [(bytes, &b""[..]), (b"", bytes)] {
        match helper::explain_exit(stdout, stderr, "exit status: 1") {
            Ok(held) => assert_eq!(held, None),
            Err(reason) => {
                check_message(&reason);
                assert!(!reason.contains('{'), "{reason:.200}");
            }
        }
    }
}

/// config.json: a login that can be written and read again, or an error line that repeats nothing of the file.
pub(crate) fn config(bytes: &[u8]) {
    let config = match credentials::read_object(bytes) {
        Ok(config) => config,
        Err(reason) => return check_message(&reason),
    };
    if let Err(reason) = credentials::configured_helper(&config, KEY) {
        check_message(&reason);
    }
    match credentials::from_auths(&config, KEY) {
        Ok(Some(credential)) => check_login_round_trip(&credential),
        Ok(None) => {}
        Err(reason) => {
            check_message(&reason);
            let words = ["auths", "\"auth", "\"username", "\"password", "\"identitytoken", "\"registrytoken"];
            assert!(words.iter().any(|word| reason.contains(word)), "{reason:.200}");
        }
    }
}

/// Both spellings of a login are read as the same login, and neither is shown.
fn check_login_round_trip(credential: &Credential) {
    use base64::Engine;
    let Some((user, password)) = credential.username_and_password() else { return };
    if user.contains(':') || password.reveal().trim_matches('\0') != password.reveal() {
        return;
    }
    let auth = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
    let config = serde_json::json!({"auths": {"https://h:5000/v1/": {"auth": auth}}});
    let bytes = serde_json::to_vec(&config).expect("JSON");
    let config = credentials::read_object(&bytes).expect("an object");
    let reread = credentials::from_auths(&config, KEY).expect("an entry").expect("a login");
    assert_eq!(reread.username_and_password(), Some((user, password)));
    assert_eq!(format!("{:?}", reread.password), format!("{:?}", Some(Secret::new("another"))));
}

/// One line of limited length without control characters.
fn check_message(text: &str) {
    assert!(!text.is_empty() && text.chars().count() <= MESSAGE_MAX, "{text:.200}");
    assert!(!text.chars().any(char::is_control), "{text:.200?}");
}

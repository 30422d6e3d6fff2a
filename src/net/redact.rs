//! Redacts secrets in messages: a registry may repeat a header or a password in its error.
//!
//! Text from a server is redacted once, where it becomes part of a message. What the user typed, URLs that are built
//! here, digests, media types and JSON that is still to be parsed are never redacted, because decisions need the
//! unchanged text. A secret of eight bytes or more is redacted anywhere. A shorter one may be part of any word, so it
//! is redacted only in the place of a credential: in the user information of a URL, and as the value of an
//! `Authorization`.
//!
//! A secret is recognised as it was sent, in base64, and each of these percent-encoded (RFC 3986), as a form value, as
//! a JSON string or in HTML; also with control characters in it, which are not shown.

use std::sync::Mutex;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;

use crate::net::url::Url;
use crate::secret::Secret;
use crate::sync::lock;

/// Replaces a secret.
const PLACEHOLDER: &str = "[secret]";
/// A secret of at least this many bytes is also recognised by its beginning, because servers cut texts. The beginning
/// of a shorter one could be a word.
const SECRET_MIN_FOR_PREFIX_MATCH: usize = 20;
const PREFIX_LENGTH: usize = 12;

/// A secret of at least this many bytes is redacted anywhere.
const SECRET_MIN_FOR_MATCH_ANYWHERE: usize = 8;

/// All secrets that were sent in a command.
#[derive(Debug, Default)]
pub(crate) struct Redactor(Mutex<Vec<KnownSecret>>);

#[derive(Debug)]
struct KnownSecret {
    secret: Secret,
    /// Whether it is redacted anywhere.
    anywhere: bool,
}

impl Redactor {
    /// Records the value of an `Authorization` header: the token, or the login in both forms.
    pub(crate) fn record_authorization(&self, header: &Secret) {
        let value = header.reveal();
        let (scheme, token) = value.split_once(' ').unwrap_or(("", value));
        let login = BASE64_STANDARD.decode(token).ok().and_then(|login| String::from_utf8(login).ok());
        let login = login.filter(|_| scheme.eq_ignore_ascii_case("basic"));
        if !self.add(token, login.is_some()) {
            return;
        }
        let Some(login) = login else {
            return self.add_base64(token, false);
        };
        // Only a login has this form, however short it is.
        self.add_base64(&login, true);
        if let Some((_, password)) = login.split_once(':') {
            self.add(password, false);
            self.add_base64(password, false);
        }
    }

    fn add_base64(&self, secret: &str, anywhere: bool) {
        if secret.is_empty() || secret.ends_with(':') {
            return;
        }
        for base64 in [&BASE64_STANDARD, &BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE, &BASE64_URL_SAFE_NO_PAD] {
            self.add(&base64.encode(secret), anywhere);
        }
    }

    /// Records the form of a token request: its refresh token, encoded and decoded.
    pub(crate) fn record_form(&self, form: &Secret) {
        let pairs = form.reveal().split('&').filter_map(|pair| pair.split_once('='));
        for (_, value) in pairs.filter(|(name, _)| *name == "refresh_token") {
            let token = form_decode(value);
            if self.add(value, false) && (token == value || self.add(&token, false)) {
                self.add_base64(&token, false);
            }
        }
    }

    /// Adds a secret. Returns whether it is new.
    fn add(&self, secret: &str, anywhere: bool) -> bool {
        let mut known = lock(&self.0);
        let is_new = !secret.is_empty() && !known.iter().any(|known| known.secret.reveal() == secret);
        if is_new {
            let anywhere = anywhere || secret.len() >= SECRET_MIN_FOR_MATCH_ANYWHERE;
            known.push(KnownSecret { secret: Secret::new(secret), anywhere });
        }
        is_new
    }

    /// A URL for a message. If a server named it, it is redacted.
    pub(crate) fn redact_url(&self, url: &Url) -> String {
        let shown = url.to_string();
        if url.is_from_server { self.redact(&shown) } else { shown }
    }

    /// A text from a server with its secrets replaced.
    pub(crate) fn redact(&self, text: &str) -> String {
        let known = lock(&self.0);
        let mut clean = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let before = text.get(..text.len() - rest.len()).unwrap_or_default();
            let redacted = |known: &KnownSecret| {
                let length = match_length(rest, known.secret.reveal());
                let after = rest.get(length..).unwrap_or_default();
                if length > 0 && (known.anywhere || is_credential_position(before, after)) { length } else { 0 }
            };
            // The whole login rather than a part of it.
            let length = match known.iter().map(redacted).max() {
                None | Some(0) => {
                    clean.push(first);
                    first.len_utf8()
                }
                Some(length) => {
                    clean.push_str(PLACEHOLDER);
                    length
                }
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        clean
    }
}

/// Whether the text between the two is in the place of a credential.
fn is_credential_position(before: &str, after: &str) -> bool {
    is_userinfo_position(before, after) || is_authorization_position(before, after)
}

/// `//user:SECRET@host`, or `//SECRET@host`.
fn is_userinfo_position(before: &str, after: &str) -> bool {
    let Some((_, user)) = before.rsplit_once("//") else { return false };
    let is_user = !user.contains(|c: char| c.is_whitespace() || "/?#@<>\"".contains(c));
    is_user && (user.is_empty() || user.ends_with(':')) && after.starts_with('@')
}

/// `Authorization: SECRET`, with or without a scheme, in any notation of the field; `Bearer SECRET` anywhere.
fn is_authorization_position(before: &str, after: &str) -> bool {
    let continues_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    if after.starts_with(continues_token) {
        return false;
    }
    let ends_with = |text: &str, word: &str| {
        let start = text.len().checked_sub(word.len()).and_then(|at| text.split_at_checked(at));
        start.is_some_and(|(start, end)| end.eq_ignore_ascii_case(word) && !start.ends_with(char::is_alphanumeric))
    };
    let Some(field) = before.strip_suffix(' ').filter(|text| text.ends_with(char::is_alphanumeric)) else {
        return ends_with_authorization_field(before, ends_with);
    };
    let scheme = field.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
    ends_with(field, "bearer") || ends_with_authorization_field(scheme, ends_with)
}

/// Whether the text ends with the field's name and the separator before its value.
fn ends_with_authorization_field(before: &str, ends_with: impl Fn(&str, &str) -> bool) -> bool {
    let name = before.trim_end_matches([' ', '\t', ':', '=', '"', '\'', '\\', '[']);
    name.len() < before.len() && ends_with(name, "authorization")
}

/// The length in bytes of the secret at the start of the text, in any encoding; 0 if the text does not begin with it.
/// The beginning of a long secret suffices.
fn match_length(text: &str, secret: &str) -> usize {
    let least = if secret.len() >= SECRET_MIN_FOR_PREFIX_MATCH { PREFIX_LENGTH } else { usize::MAX };
    if secret.chars().next().is_none_or(|first| encodings(text, first).next().is_none()) {
        return 0;
    }
    let mut ends = vec![0];
    for (count, c) in secret.chars().enumerate() {
        let mut next: Vec<usize> = Vec::new();
        for end in &ends {
            let rest = text.get(*end..).unwrap_or_default();
            // Control characters within a secret are not shown. They cannot be its first character.
            let shown = if count == 0 { rest } else { rest.trim_start_matches(char::is_control) };
            let skipped = rest.len() - shown.len();
            next.extend(encodings(shown, c).map(|length| end + skipped + length));
        }
        next.sort_unstable();
        next.dedup();
        if next.is_empty() {
            let enough = count >= least;
            return ends.into_iter().max().filter(|_| enough).unwrap_or(0);
        }
        ends = next;
    }
    ends.into_iter().max().unwrap_or(0)
}

/// The lengths in bytes of all encodings of this character that the text begins with.
fn encodings(text: &str, c: char) -> impl Iterator<Item = usize> {
    let starts = |encoding: &str| {
        let same = text.get(..encoding.len()).is_some_and(|start| start.eq_ignore_ascii_case(encoding));
        same.then_some(encoding.len())
    };
    let literal = text.starts_with(c).then_some(c.len_utf8());
    let special = match text.as_bytes().first() {
        Some(b'%') => starts(&c.encode_utf8(&mut [0; 4]).bytes().map(|b| format!("%{b:02x}")).collect::<String>()),
        Some(b'+') => (c == ' ').then_some(1),
        Some(b'\\') => {
            let units: String = c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
            starts(&units).or_else(|| text.get(1..)?.starts_with(c).then_some(1 + c.len_utf8()))
        }
        Some(b'&') => {
            let name = match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                _ => "&apos;",
            };
            let named = starts(name).filter(|_| "&<>\"'".contains(c));
            let number = u32::from(c);
            named.or_else(|| starts(&format!("&#{number};"))).or_else(|| starts(&format!("&#x{number:x};")))
        }
        _ => None,
    };
    literal.into_iter().chain(special)
}

/// Decodes a form value, as far as it is encoded.
fn form_decode(value: &str) -> String {
    percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Redacts the login that was sent.
    fn redactor_with_login(login: &str) -> Redactor {
        let redactor = Redactor::default();
        redactor.record_authorization(&Secret::new(format!("Basic {}", BASE64_STANDARD.encode(login))));
        redactor
    }

    #[test]
    fn login_is_redacted_in_every_form() {
        let redactor = redactor_with_login("me:hunter2:x");
        for form in
            ["hunter2:x".to_owned(), BASE64_STANDARD.encode("me:hunter2:x"), BASE64_STANDARD.encode("hunter2:x")]
        {
            assert_eq!(redactor.redact(&format!("I got <{form}> and {form}")), "I got <[secret]> and [secret]");
        }
        assert_eq!(redactor.redact("nothing of it, me"), "nothing of it, me");
        assert!(!format!("{redactor:?}").contains("hunter2"));
    }

    #[test]
    fn secret_is_redacted_in_every_encoding() {
        let password = "pa ss/\"w\\ö&<>'rd~?";
        let login = format!("me:{password}");
        let redactor = redactor_with_login(&login);
        let percent: String = password.bytes().map(|b| format!("%{b:02X}")).collect();
        for form in [
            password.to_owned(),
            "pa%20ss/%22w%5C%C3%B6&%3C%3E'rd~?".to_owned(),
            "pa+ss%2f%22w%5c%c3%b6%26%3c%3e%27rd~%3f".to_owned(),
            percent.to_lowercase(),
            percent,
            serde_json::json!(password).to_string().trim_matches('"').to_owned(),
            r#"pa ss\/\"w\\\u00f6\u0026\u003c\u003e'rd~?"#.to_owned(),
            "pa ss/&quot;w\\ö&amp;&lt;&gt;&#39;rd~?".to_owned(),
            "pa ss/&#34;w\\&#xF6;&amp;&lt;&gt;&apos;rd~?".to_owned(),
            "pa \u{7}ss/\"\u{1b}w\\ö&<>'rd~?".to_owned(),
            BASE64_STANDARD_NO_PAD.encode(password),
            BASE64_URL_SAFE.encode(password),
            BASE64_STANDARD.encode(password).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
            BASE64_URL_SAFE_NO_PAD.encode(&login),
            BASE64_STANDARD_NO_PAD.encode(&login),
        ] {
            assert_eq!(redactor.redact(&format!("<{form}>{form}")), "<[secret]>[secret]", "{form}");
        }
        assert_eq!(redactor.redact("pa ss/\"w%"), "pa ss/\"w%");
    }

    #[test]
    fn token_is_redacted_in_base64() {
        let redactor = Redactor::default();
        let token = "eyJhbGciOiJFUzI1NiIs.payload.signature";
        redactor.record_authorization(&Secret::new(format!("Bearer {token}")));
        redactor.record_form(&Secret::new("refresh_token=a%2Fb-refresh-token"));
        for form in [BASE64_STANDARD.encode(token), BASE64_URL_SAFE_NO_PAD.encode("a/b-refresh-token")] {
            assert_eq!(redactor.redact(&format!("<{form}>")), "<[secret]>");
        }
    }

    #[test]
    fn beginning_of_a_long_token_is_redacted() {
        let redactor = Redactor::default();
        redactor.record_authorization(&Secret::new("Bearer eyJhbGciOiJFUzI1NiIs.payload.signature"));
        let text = "not eyJhbGciOiJFUzI1NiIs.payload.signature, nor eyJhbGciOiJFUzI1";
        assert_eq!(redactor.redact(text), "not [secret], nor [secret]");
    }

    #[test]
    fn part_of_a_password_is_not_redacted() {
        let redactor = redactor_with_login("me:password1");
        assert_eq!(redactor.redact("wrong password, not password1"), "wrong password, not [secret]");
        redactor.record_authorization(&Secret::new("Basic "));
        redactor.record_authorization(&Secret::new(format!("Basic {}", BASE64_STANDARD.encode("me:"))));
        assert_eq!(redactor.redact("ab"), "ab");
    }

    #[test]
    fn short_secret_is_redacted_only_in_credential_positions() {
        let redactor = redactor_with_login("me:app");
        redactor.record_authorization(&Secret::new("Bearer v2"));
        for (text, shown) in [
            ("app/app: no app for me at h:5000/team/app, try v2/app", None),
            ("no Basic app, and a bearer", None),
            ("//app/x@y and http://h/app@sha256:x", None),
            ("see https://me:app@h/app", Some("see https://me:[secret]@h/app")),
            ("see //app@h and http://v2@h/v2/", Some("see //[secret]@h and http://[secret]@h/v2/")),
            ("https://app:app@h", Some("https://app:[secret]@h")),
            ("Authorization: app", Some("Authorization: [secret]")),
            ("AUTHORIZATION=app", Some("AUTHORIZATION=[secret]")),
            (r#"{"Authorization": ["Basic app"]}"#, Some(r#"{"Authorization": ["Basic [secret]"]}"#)),
            ("not with Bearer v2, nor bearer v2.1 of v2", Some("not with Bearer [secret], nor bearer v2.1 of v2")),
            ("I got bWU6YXBw and bWU6YXBw=", Some("I got [secret] and [secret]=")),
        ] {
            assert_eq!(redactor.redact(text), shown.unwrap_or(text));
        }
    }

    #[test]
    fn secrets_of_eight_bytes_are_redacted_anywhere() {
        for (password, goes) in [("manifes", false), ("manifest", true), ("äöüß", true), ("äöü", false)] {
            let text = format!("x{password}x");
            let clean = redactor_with_login(&format!("me:{password}")).redact(&text);
            assert_eq!(clean, if goes { "x[secret]x" } else { text.as_str() }, "{password}");
        }
    }

    #[test]
    fn only_urls_from_a_server_are_redacted() {
        let redactor = redactor_with_login("me:manifests");
        let named = Url::parse_from_server("https://h/v2/a/manifests/1").unwrap();
        assert_eq!(redactor.redact_url(&named), "https://h/v2/a/[secret]/1");
        let built = Url::new(named.origin, "/v2/a/manifests/1");
        assert_eq!(redactor.redact_url(&built), "https://h/v2/a/manifests/1");
    }

    #[test]
    fn refresh_token_of_a_form_is_redacted_encoded_and_decoded() {
        let redactor = Redactor::default();
        redactor.record_form(&Secret::new("service=s&refresh_token=a%2Fb+c%zz&scope=x"));
        assert_eq!(redactor.redact("a%2Fb+c%zz or a/b c%zz, service"), "[secret] or [secret], service");
    }
}

//! Takes out of what is shown whatever was sent in secret: a registry that repeats a header or a password in its error
//! would otherwise have it printed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::error::RegistryError;
use crate::secret::Secret;

/// What stands for a secret.
const MARK: &str = "[secret]";
/// A secret at least this long is known by its beginning as well: texts are cut short before they come here. A shorter
/// one is a password, and could begin with a word.
const LONG: usize = 20;
const BEGINNING: usize = 12;

/// All secrets that were sent in a command.
#[derive(Debug, Default)]
pub(super) struct Scrubber(Mutex<Vec<Secret>>);

impl Scrubber {
    /// Remembers the value of an `Authorization` header: the token, or the login encoded and not.
    pub(super) fn sent(&self, header: &Secret) {
        let value = header.reveal();
        let (scheme, token) = value.split_once(' ').unwrap_or(("", value));
        if !self.add(token) || !scheme.eq_ignore_ascii_case("basic") {
            return;
        }
        let login = BASE64_STANDARD.decode(token).ok().and_then(|login| String::from_utf8(login).ok());
        if let Some((_, password)) = login.as_deref().and_then(|login| login.split_once(':')) {
            self.add(password);
            self.add(&BASE64_STANDARD.encode(password));
        }
    }

    /// Remembers the form of a token request: its refresh token, encoded and not.
    pub(super) fn sent_form(&self, form: &Secret) {
        let pairs = form.reveal().split('&').filter_map(|pair| pair.split_once('='));
        for (_, value) in pairs.filter(|(name, _)| *name == "refresh_token") {
            if self.add(value) {
                self.add(&decoded(value));
            }
        }
    }

    /// Whether it was not known before.
    fn add(&self, secret: &str) -> bool {
        let mut known = self.lock();
        let is_new = !secret.is_empty() && !known.iter().any(|known| known.reveal() == secret);
        if is_new {
            known.push(Secret::new(secret));
            // The login as a whole goes before what is part of it.
            known.sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
        }
        is_new
    }

    /// The text with a mark in the place of each secret.
    pub(super) fn clean(&self, text: &str) -> String {
        self.lock().iter().fold(text.to_owned(), |text, secret| without(&text, secret.reveal()))
    }

    /// The error with nothing secret in it.
    pub(super) fn clean_error(&self, error: RegistryError) -> RegistryError {
        let (detail, request) = (self.clean(&error.detail), error.request.as_deref().map(|text| self.clean(text)));
        RegistryError { detail, request, ..error }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn without(text: &str, secret: &str) -> String {
    let beginning = if secret.len() >= LONG { secret.get(..BEGINNING).unwrap_or(secret) } else { secret };
    let mut clean = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.find(beginning).and_then(|at| rest.split_at_checked(at)) {
        clean.push_str(before);
        clean.push_str(MARK);
        let same = from.chars().zip(secret.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
        rest = from.get(same..).unwrap_or_default();
    }
    clean + rest
}

/// Undoes the encoding of a form's value, as far as it is one.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let mut digit = || ahead.next().and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (byte, digit(), digit()) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                rest = ahead;
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_goes_in_every_form() {
        let scrubber = Scrubber::default();
        scrubber.sent(&Secret::new(format!("Basic {}", BASE64_STANDARD.encode("me:hunter2:x"))));
        for form in
            ["hunter2:x".to_owned(), BASE64_STANDARD.encode("me:hunter2:x"), BASE64_STANDARD.encode("hunter2:x")]
        {
            assert_eq!(scrubber.clean(&format!("I got <{form}> and {form}")), "I got <[secret]> and [secret]");
        }
        assert_eq!(scrubber.clean("nothing of it, me"), "nothing of it, me");
        assert!(!format!("{scrubber:?}").contains("hunter2"));
    }

    #[test]
    fn a_token_goes_even_where_it_is_cut_short() {
        let scrubber = Scrubber::default();
        scrubber.sent(&Secret::new("Bearer eyJhbGciOiJFUzI1NiIs.payload.signature"));
        let said = "not eyJhbGciOiJFUzI1NiIs.payload.signature, nor eyJhbGciOiJFUzI1";
        assert_eq!(scrubber.clean(said), "not [secret], nor [secret]");
    }

    #[test]
    fn a_short_password_is_not_taken_for_a_word() {
        let scrubber = Scrubber::default();
        scrubber.sent(&Secret::new(format!("Basic {}", BASE64_STANDARD.encode("me:password1"))));
        assert_eq!(scrubber.clean("wrong password, not password1"), "wrong password, not [secret]");
        scrubber.sent(&Secret::new("Basic "));
        scrubber.sent(&Secret::new(format!("Basic {}", BASE64_STANDARD.encode("me:"))));
        assert_eq!(scrubber.clean("ab"), "ab");
    }

    #[test]
    fn a_forms_refresh_token_goes_encoded_and_not() {
        let scrubber = Scrubber::default();
        scrubber.sent_form(&Secret::new("service=s&refresh_token=a%2Fb+c%zz&scope=x"));
        assert_eq!(scrubber.clean("a%2Fb+c%zz or a/b c%zz, service"), "[secret] or [secret], service");
    }
}

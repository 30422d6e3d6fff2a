//! A text that must never be printed: passwords, tokens, and headers that contain them.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A secret. `Debug` and `Display` show only that there is one.
///
/// The text is accessed by [`Secret::reveal`] alone, so every use can be found by that name.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The value of an `Authorization` header for a user and a password (RFC 7617).
    pub fn basic_authorization(user: &str, password: &str) -> Secret {
        Secret::new(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
    }

    /// The text, for a request or a credential helper only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_prints_as_a_placeholder() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
        assert_eq!(secret.reveal(), "hunter2");
    }
}

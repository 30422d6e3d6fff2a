//! skeleton
use super::error::RegistryError;
use crate::secret::Secret;

/// One request to a token server. A GET, or a POST where there is a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenRequest {
    /// The realm with its query. No secret is in it.
    pub(super) url: String,
    /// The value of the `Authorization` header.
    pub(super) authorization: Option<Secret>,
    /// The body of a POST, `application/x-www-form-urlencoded`.
    pub(super) form: Option<Secret>,
}

/// What a token server answered.
#[derive(Clone)]
pub(super) struct TokenReply {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body, capped by whoever read it. It holds a token.
    pub(super) body: Vec<u8>,
}

/// Sends one request to a token server.
pub(super) type Send<'a> = dyn Fn(&TokenRequest) -> Result<TokenReply, RegistryError> + 'a;

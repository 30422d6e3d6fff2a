//! Who is asking: challenges, credentials, helpers and tokens (docker's token authentication, RFC 6750 and 7235).

pub(super) mod authenticator;
pub(super) mod cache;
pub(super) mod challenge;
mod config_json;
pub(super) mod credentials;
mod fixed;
pub(super) mod helper;
pub(super) mod scope;
pub(super) mod token;
pub(super) mod token_server;

//! Who is asking: challenges, credentials, helpers and tokens (docker's token authentication, RFC 6750 and 7235).

pub mod authenticator;
pub mod cache;
pub mod challenge;
pub mod config_json;
pub mod credentials;
pub mod helper;
pub mod scope;
pub mod static_auth;
pub mod token;
pub mod token_server;

pub use authenticator::Access;

//! Authentication: challenges, credentials, credential helpers and tokens (distribution's token specification, RFC
//! 6750, RFC 9110 section 11).

pub mod authenticator;
pub mod bearer_challenge;
pub mod challenge;
pub mod config_json_merge;
pub mod credentials;
pub mod helper;
pub mod registry_auth_state;
pub mod scope;
pub mod static_auth;
pub mod token_cache;
pub mod token_client;
pub mod token_protocol;
pub(crate) mod token_server_cache;

pub use scope::Access;

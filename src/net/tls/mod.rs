//! TLS: docker's certs.d, client certificates, and the verification of server certificates.

pub mod certs_d;
pub mod config;
pub mod handshake;
pub mod identity;
pub mod stream;
pub mod system_roots;
pub mod verifier;

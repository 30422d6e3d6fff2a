//! Whom to trust over TLS: docker's certs.d, client certificates, and how a server's certificate is judged.

pub mod certs_d;
pub mod config;
pub mod identity;
pub mod system_roots;
pub mod verifier;

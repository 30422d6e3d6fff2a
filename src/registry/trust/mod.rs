//! Whom to trust over TLS: docker's certs.d, client certificates, and how a server's certificate is judged.

pub(super) mod certs_d;
pub(super) mod identity;
mod system_roots;
pub(super) mod tls;
pub(super) mod verifier;

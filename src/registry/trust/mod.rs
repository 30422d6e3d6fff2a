//! Whom to trust over TLS: docker's certs.d, client certificates, and how a server's certificate is judged.

pub(super) mod certs_d;
pub(super) mod identity;
pub(super) mod tls;
pub(super) mod verifier;

//! From a registry's name to bytes on a socket: endpoints, proxies, connections made ahead, TLS on top.

pub(super) mod connector;
pub(super) mod endpoint;
pub(super) mod forward;
pub(super) mod line;
pub(super) mod proxy;
pub(super) mod reach;
pub(super) mod socket;
pub(super) mod spare;

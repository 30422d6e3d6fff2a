//! How many connections each registry will need, and when they are opened.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::net::endpoint::Endpoint;
use crate::net::transport::HttpTransport;
use crate::sync::lock;

/// How many requests to a registry a command will send in parallel, and so how many connections they need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ExpectedConnections {
    /// First, while it reads what exists. These are all requests if nothing is missing.
    pub(crate) reads: usize,
    /// Later, while it writes what is missing. 0 for a command that does not write.
    pub(crate) writes: usize,
    /// Whether the writes may follow the first response at once.
    pub(crate) writes_follow_first_response: bool,
}

impl ExpectedConnections {
    /// What a command expects that does not write.
    pub(crate) fn reads(reads: usize) -> ExpectedConnections {
        ExpectedConnections { reads, ..ExpectedConnections::default() }
    }

    fn peak(self) -> usize {
        self.reads.max(self.writes)
    }
}

/// What is expected of each registry.
#[derive(Debug, Default)]
pub(crate) struct ExpectedConnectionsByRegistry(Mutex<BTreeMap<String, ExpectedConnections>>);

impl ExpectedConnectionsByRegistry {
    /// Raises what is expected to what a part of the command expects.
    pub(crate) fn expect_at_least(&self, registry: &str, expected: ExpectedConnections) {
        let mut all = lock(&self.0);
        let known = all.entry(registry.to_owned()).or_default();
        known.reads = known.reads.max(expected.reads);
        known.writes = known.writes.max(expected.writes);
        known.writes_follow_first_response |= expected.writes_follow_first_response;
    }

    fn for_registry(&self, registry: &str) -> ExpectedConnections {
        lock(&self.0).get(registry).copied().unwrap_or_default()
    }

    /// Before the first request: opens connections for the reads. The first request opens its own.
    ///
    /// As long as it is not known whether the registry speaks TLS, they are bare TCP and cheap. Then they include those
    /// for writes that follow the first response, because there is no other time to open them.
    pub(crate) fn preconnect_for_first_request(&self, transport: &HttpTransport, endpoint: &Endpoint, registry: &str) {
        let (expected, info) = (self.for_registry(registry), endpoint.preconnect_info());
        let opens_for_writes = expected.writes_follow_first_response && !info.is_tls_certain;
        let connections = if opens_for_writes { expected.peak() } else { expected.reads };
        let others = (connections.max(1) + info.failing_handshakes).saturating_sub(1);
        transport.preconnect(registry, info.origin, others, info.is_tls_certain);
    }

    /// While a token is requested, which takes three round trips on a connection of its own: opens connections for all
    /// that are expected.
    pub(crate) fn preconnect_all(&self, transport: &HttpTransport, endpoint: &Endpoint, registry: &str) {
        let (expected, info) = (self.for_registry(registry), endpoint.preconnect_info());
        transport.preconnect(registry, info.origin, expected.peak() + info.failing_handshakes, info.is_tls_certain);
    }
}

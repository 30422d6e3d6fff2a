//! What a test can read about the clients of a registry.

use super::{RecordedRequest, Registry, lock};

impl Registry {
    /// Every request since the start or the last [`Registry::clear_record`], in order of arrival.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.log.requests()
    }

    /// Connections accepted since the start or the last [`Registry::clear_record`].
    pub fn connections(&self) -> usize {
        self.shared.log.connections()
    }

    /// The same of the registry's own port alone, without that of its tokens.
    pub fn registry_connections(&self) -> usize {
        self.shared.log.connections_to(self.port())
    }

    /// The same of the port of the tokens, where they have one of their own.
    pub fn token_connections(&self) -> usize {
        self.token_port().map_or(0, |port| self.shared.log.connections_to(port))
    }

    fn token_port(&self) -> Option<u16> {
        lock(&self.token_server).as_ref().map(|tokens| tokens.addr().port())
    }

    /// TLS handshakes that were done on the registry's own port since then.
    pub fn handshakes(&self) -> usize {
        self.shared.log.handshakes_with(self.port())
    }

    /// Blocks until so many connections were accepted on the registry's own port, and so many TLS handshakes done
    /// there; panics after a minute.
    pub fn wait_for_connections(&self, connections: usize, handshakes: usize) {
        self.shared.log.wait_for_connections(self.port(), connections, handshakes);
    }

    /// The same of the port of the tokens.
    pub fn wait_for_token_connections(&self, connections: usize, handshakes: usize) {
        let port = self.token_port().expect("the tokens have a port of their own");
        self.shared.log.wait_for_connections(port, connections, handshakes);
    }

    /// Ends every connection by which no request has come, after these bytes; gives how many that were.
    pub fn close_unused_connections(&self, goodbye: &[u8]) -> usize {
        self.server.close_unused_connections(goodbye)
    }

    /// Blocks until what was recorded satisfies `condition` (a request is recorded when its head has arrived, and again
    /// when it is answered); panics after a minute.
    pub fn wait_until(&self, condition: impl Fn(&[RecordedRequest]) -> bool) {
        self.shared.log.wait_until(condition);
    }
}

//! A TLS connection as the HTTP library wants it.

use std::fmt;
use std::io::{Read, Write};

use rustls::{ClientConnection, StreamOwned};
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport, TransportAdapter};

use crate::net::buffers::GrowingBuffers;

/// TLS on top of any other connection.
pub(crate) struct TlsTransport {
    buffers: GrowingBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter<Box<dyn Transport>>>,
}

impl TlsTransport {
    /// Takes over a connection whose handshake is done.
    pub(crate) fn new(
        connection: ClientConnection,
        socket: TransportAdapter<Box<dyn Transport>>,
        buffers: GrowingBuffers,
    ) -> TlsTransport {
        TlsTransport { buffers, stream: StreamOwned::new(connection, socket) }
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(self.buffers.written(amount))?;
        // rustls may hold back what did not fit; the library asks for the response next and would wait for it in vain.
        self.stream.flush()?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

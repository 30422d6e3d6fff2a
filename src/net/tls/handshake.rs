//! TLS handshakes, and whether a connection that has done one and nothing else is still of use.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::ClientConnection;

use crate::net::socket::without_blocking;
use crate::net::tls::config::TlsSetup;

/// A TCP connection with TLS on top. No HTTP has been sent on it yet.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    /// The state of TLS.
    pub(crate) connection: ClientConnection,
    /// What it runs over.
    pub(crate) socket: TcpStream,
}

impl TlsSocket {
    /// Does the handshake with a host (IPv6 without brackets), which must end before `deadline`.
    ///
    /// # Errors
    /// A peer that is not trusted, closes the connection, or does not answer in time.
    pub(crate) fn handshake(
        socket: TcpStream,
        setup: &TlsSetup,
        host: &str,
        deadline: Instant,
    ) -> io::Result<TlsSocket> {
        let invalid = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut connection = setup.connection(host).map_err(invalid)?;
        let mut limited = DeadlineSocket { socket: &socket, deadline };
        while connection.is_handshaking() {
            connection.complete_io(&mut limited)?;
        }
        // Sends what the handshake has buffered.
        while connection.wants_write() {
            connection.write_tls(&mut limited)?;
        }
        Ok(TlsSocket { connection, socket })
    }

    /// Whether the peer has neither closed the connection nor sent unexpected data.
    ///
    /// Session tickets, which a server sends right after the handshake (RFC 8446, section 4.6.1), are read. Some
    /// servers send a response without a request (408) when they have waited long enough.
    pub(crate) fn is_idle(&mut self) -> bool {
        let TlsSocket { connection, socket } = self;
        without_blocking(socket, |mut socket| {
            loop {
                match connection.read_tls(&mut socket) {
                    Ok(0) => return false,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
                }
                match connection.process_new_packets() {
                    Ok(state) if !state.peer_has_closed() && state.plaintext_bytes_to_read() == 0 => {}
                    _ => return false,
                }
            }
        })
        .unwrap_or(false)
    }
}

/// A socket whose reads and writes end at a moment.
struct DeadlineSocket<'a> {
    socket: &'a TcpStream,
    deadline: Instant,
}

impl DeadlineSocket<'_> {
    fn time_left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for DeadlineSocket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.time_left()?)?;
        self.socket.read(buffer)
    }
}

impl Write for DeadlineSocket<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.time_left()?)?;
        self.socket.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

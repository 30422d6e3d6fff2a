//! A TCP connection that was made elsewhere, as the HTTP library wants one. The library's own is not to be had for a
//! socket that it did not open itself.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

/// The socket with the library's buffers.
pub(crate) struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Socket {
    /// Takes over a connected socket.
    pub(crate) fn new(stream: TcpStream, buffers: LazyBuffers) -> Socket {
        Socket { stream, buffers }
    }
}

/// Whether nothing has come on a connection that nobody asked for, its end included: only then is it open.
pub(crate) fn is_silent(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    let silent = matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).is_ok() && silent
}

/// A read or write that ran into the socket's time-out says `WouldBlock` on Unix and `TimedOut` elsewhere.
fn in_time<T>(outcome: io::Result<T>, timeout: NextTimeout) -> Result<T, ureq::Error> {
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => ureq::Error::Io(error),
    })
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let timeout = timeout.for_write();
        self.stream.set_write_timeout(timeout.not_zero().map(|after| *after))?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        in_time(self.stream.write_all(output), timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = timeout.for_read();
        self.stream.set_read_timeout(timeout.not_zero().map(|after| *after))?;
        let amount = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break in_time(outcome, timeout)?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        is_silent(&self.stream)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

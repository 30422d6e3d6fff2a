//! A TCP connection as the HTTP library wants one. The library's own type can only hold sockets that the library
//! opened, and allocates its buffers whole.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use crate::net::buffers::GrowingBuffers;

/// What the attempt to connect to one address gets at least, even if the time is over.
const ATTEMPT_MIN: Duration = Duration::from_millis(10);

/// Connects to the first of the addresses that accepts a connection. Each attempt may take half of the time that is
/// left of `max_wait`, the last one all of it. Data is sent at once (no Nagle delay).
///
/// # Errors
/// That of the last attempt; [`io::ErrorKind::NotConnected`] without an address.
pub(crate) fn connect_to_first(addresses: &[SocketAddr], max_wait: Option<Duration>) -> io::Result<TcpStream> {
    let end = max_wait.and_then(|max_wait| Instant::now().checked_add(max_wait));
    let mut failure = io::ErrorKind::NotConnected.into();
    for (index, address) in addresses.iter().enumerate() {
        let is_last = index + 1 == addresses.len();
        let connected = match end.map(|end| end.saturating_duration_since(Instant::now())) {
            Some(left) => TcpStream::connect_timeout(address, if is_last { left } else { left / 2 }.max(ATTEMPT_MIN)),
            None => TcpStream::connect(address),
        };
        match connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The socket with its buffers.
pub(crate) struct Socket {
    stream: TcpStream,
    buffers: GrowingBuffers,
    /// The time-outs that the socket has; `None` before the first is set.
    read_timeout: Option<Option<Duration>>,
    write_timeout: Option<Option<Duration>>,
}

impl Socket {
    /// Takes over a connected socket.
    pub(crate) fn new(stream: TcpStream, buffers: GrowingBuffers) -> Socket {
        Socket { stream, buffers, read_timeout: None, write_timeout: None }
    }
}

/// Runs `operation` while the socket does not block; `None` where it cannot be switched.
pub(crate) fn without_blocking<T>(stream: &TcpStream, operation: impl FnOnce(&TcpStream) -> T) -> Option<T> {
    stream.set_nonblocking(true).ok()?;
    let outcome = operation(stream);
    stream.set_nonblocking(false).is_ok().then_some(outcome)
}

/// Whether nothing has come on a connection on which nothing was requested. The end of the connection counts as
/// something.
pub(crate) fn is_idle(stream: &TcpStream) -> bool {
    let peek =
        |stream: &TcpStream| matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    without_blocking(stream, peek).unwrap_or(false)
}

/// Whether the timeout of a socket must change from `current` for an operation that may take `wanted`. A timeout that
/// is longer by a 64th suffices: the time left changes with each call, and each change is a system call.
fn must_change_timeout(current: Option<Option<Duration>>, wanted: Option<Duration>) -> bool {
    match (current, wanted) {
        (Some(None), None) => false,
        (Some(Some(current)), Some(wanted)) => current < wanted || current - wanted > wanted / 64,
        _ => true,
    }
}

/// macOS refuses to set the time-out of a socket that the peer has closed. What came before can still be read, so the
/// socket keeps the time-out that it had.
fn ignore_refused_timeout(outcome: io::Result<()>) -> io::Result<()> {
    outcome.or_else(|error| if error.kind() == io::ErrorKind::InvalidInput { Ok(()) } else { Err(error) })
}

/// A read or write that exceeded the socket's timeout reports `WouldBlock` on Unix and `TimedOut` elsewhere.
fn as_timeout<T>(outcome: io::Result<T>, timeout: NextTimeout) -> Result<T, ureq::Error> {
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
        let wanted = timeout.not_zero().map(|after| *after);
        if must_change_timeout(self.write_timeout, wanted) {
            ignore_refused_timeout(self.stream.set_write_timeout(wanted))?;
            self.write_timeout = Some(wanted);
        }
        as_timeout(self.stream.write_all(self.buffers.written(amount)), timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = timeout.for_read();
        let wanted = timeout.not_zero().map(|after| *after);
        if must_change_timeout(self.read_timeout, wanted) {
            ignore_refused_timeout(self.stream.set_read_timeout(wanted))?;
            self.read_timeout = Some(wanted);
        }
        let amount = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break as_timeout(outcome, timeout)?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        is_idle(&self.stream)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn socket_sends_larger_pieces_after_the_first() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = thread::spawn(move || {
            let mut received = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
            received
        });
        let mut socket = Socket::new(stream, GrowingBuffers::new(96 * 1024));
        socket.buffers().output();
        let (mut sizes, mut sent) = (Vec::new(), Vec::new());
        for piece in 0..4 {
            let room = socket.buffers().tmp_and_output().1;
            room.fill(piece);
            let size = room.len();
            sent.extend_from_slice(room);
            sizes.push(size);
            socket.transmit_output(size, NextTimeout::default()).unwrap();
        }
        drop(socket);
        assert_eq!(sizes, [18 * 1024, 96 * 1024, 96 * 1024, 96 * 1024]);
        assert!(server.join().unwrap() == sent);
    }

    #[test]
    fn socket_connects_to_the_first_address_that_accepts() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        for max_wait in [None, Some(Duration::from_secs(60))] {
            let stream = connect_to_first(&[closed, open], max_wait).unwrap();
            assert_eq!((stream.peer_addr().unwrap(), stream.nodelay().unwrap()), (open, true));
            let failed = |addresses: &[SocketAddr]| connect_to_first(addresses, max_wait).unwrap_err().kind();
            assert_eq!(failed(&[closed]), io::ErrorKind::ConnectionRefused);
            assert_eq!(failed(&[]), io::ErrorKind::NotConnected);
        }
        assert!(connect_to_first(&[open], Some(Duration::ZERO)).is_ok(), "one attempt is made");
    }

    #[test]
    fn socket_timeout_changes_only_if_needed() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert!(must_change_timeout(None, None) && must_change_timeout(None, seconds(60)));
        assert!(!must_change_timeout(Some(None), None) && !must_change_timeout(Some(seconds(60)), seconds(60)));
        assert!(must_change_timeout(Some(None), seconds(60)) && must_change_timeout(Some(seconds(60)), None));
        assert!(must_change_timeout(Some(seconds(59)), seconds(60)), "it would end a second early");
        assert!(!must_change_timeout(Some(seconds(640)), seconds(631)));
        assert!(must_change_timeout(Some(seconds(640)), seconds(630)));
    }
}

//! A relay before a server that breaks connections off after so many bytes: what happens to a transfer when the line
//! goes, at a server that cannot be told to fail, the real docker-registry for one.
//!
//! It knows nothing of HTTP or TLS. It delays nothing (that is [`crate::link`]'s trade) and no clock is looked at.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::line::{CHUNK, Line, Pair, lock};

/// A way that bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the client to the server: uploads.
    ToServer,
    /// From the server to the client: downloads.
    ToClient,
}

/// Which connections are cut, and where.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// The number of the connection, from 1; None for any.
    connection: Option<usize>,
    direction: Direction,
    after: u64,
    /// How many connections more.
    times: usize,
}

/// What went over a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Bytes from the client to the server.
    pub to_server: u64,
    /// Bytes from the server to the client.
    pub to_client: u64,
    /// Whether the relay cut it.
    pub cut: bool,
}

/// A running relay; dropping it ends every connection that goes through it.
#[derive(Debug)]
pub struct Relay {
    line: Line,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    cuts: Mutex<Vec<Cut>>,
    carried: Mutex<Vec<Carried>>,
}

impl Relay {
    /// Starts a relay to a server, with a listener on a free port of 127.0.0.1. It cuts nothing until told.
    ///
    /// # Panics
    /// When there is no port to listen on.
    #[must_use]
    pub fn start(target: SocketAddr) -> Relay {
        let shared = Arc::new(Shared::default());
        let (noting, carrying) = (Arc::clone(&shared), Arc::clone(&shared));
        let note = move || {
            let mut carried = lock(&noting.carried);
            carried.push(Carried::default());
            carried.len()
        };
        let carry = move |pair: &Pair, number| {
            thread::scope(|scope| {
                scope.spawn(|| carry(pair, Direction::ToServer, number, &carrying));
                carry(pair, Direction::ToClient, number, &carrying);
            });
        };
        Relay { line: Line::start(target, note, carry).expect("loopback has a free port"), shared }
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.line.addr()
    }

    /// The address as it stands in an image name.
    #[must_use]
    pub fn host(&self) -> String {
        self.addr().to_string()
    }

    /// Cuts the n-th connection (counted from 1 over the relay's life) once `after` bytes have gone in this direction,
    /// those of all its requests together. Clients that try TLS first spend a connection on that.
    pub fn cut_connection(&self, n: usize, direction: Direction, after: u64) {
        lock(&self.shared.cuts).push(Cut { connection: Some(n), direction, after, times: 1 });
    }

    /// Cuts the first so many connections on which more than `after` bytes go in this direction from now on, each once
    /// `after` have gone: whichever of a client's connections a large blob takes.
    pub fn cut_next(&self, times: usize, direction: Direction, after: u64) {
        lock(&self.shared.cuts).push(Cut { connection: None, direction, after, times });
    }

    /// What went over each connection so far, in the order in which they came.
    #[must_use]
    pub fn connections(&self) -> Vec<Carried> {
        lock(&self.shared.carried).clone()
    }

    /// How many connections were cut.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.connections().iter().filter(|carried| carried.cut).count()
    }
}

/// Carries one direction of a connection to its end.
fn carry(pair: &Pair, direction: Direction, number: usize, shared: &Shared) {
    let (mut from, mut to) = match direction {
        Direction::ToServer => (&pair.client, &pair.server),
        Direction::ToClient => (&pair.server, &pair.client),
    };
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A reset ends the whole connection, as it would without the relay.
            Err(_) => return pair.close(),
        };
        if length == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
        let may = shared.may_pass(number, direction, length);
        if to.write_all(&buffer[..may]).is_err() || may < length {
            return pair.close();
        }
    }
}

impl Shared {
    /// How many of the next bytes may pass; fewer than there are means that the connection is to be cut after them.
    fn may_pass(&self, number: usize, direction: Direction, length: usize) -> usize {
        let mut carried = lock(&self.carried);
        let Some(carried) = carried.get_mut(number - 1) else { return 0 };
        let gone = match direction {
            Direction::ToServer => &mut carried.to_server,
            Direction::ToClient => &mut carried.to_client,
        };
        let reaches = *gone + length as u64;
        let strikes = |cut: &&mut Cut| {
            let meant = cut.connection.is_none_or(|meant| meant == number) && cut.direction == direction;
            meant && cut.times > 0 && *gone <= cut.after && reaches > cut.after
        };
        let mut cuts = lock(&self.cuts);
        let may = match cuts.iter_mut().find(strikes) {
            Some(cut) => {
                cut.times -= 1;
                carried.cut = true;
                (cut.after - *gone) as usize
            }
            None => length,
        };
        *gone += may as u64;
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::image::sha256;
    use crate::loopback::{Big, Registry};
    use crate::real::RealRegistry;

    fn bytes(big: &Big) -> Vec<u8> {
        let mut all = Vec::new();
        let whole = big.pieces(0, u64::MAX, |piece| {
            all.extend_from_slice(piece);
            Ok(())
        });
        whole.unwrap();
        all
    }

    #[test]
    fn connections_are_cut_where_it_was_said() {
        let registry = Registry::start();
        let digest = registry.put_big("app", &Big::new(1_000_000, 1));
        let relay = Relay::start(registry.addr());
        let client = Client::new(relay.host());
        let get = || client.try_request("GET", &format!("/v2/app/blobs/{digest}"), &[], b"");
        relay.cut_connection(2, Direction::ToClient, 100_000);
        assert_eq!(get().unwrap().body.len(), 1_000_000);
        assert!(get().is_err());
        assert_eq!(get().unwrap().body.len(), 1_000_000);
        relay.cut_next(2, Direction::ToClient, 0);
        assert!(get().is_err() && get().is_err() && get().is_ok());
        let seen = relay.connections();
        let cut: Vec<(u64, bool)> = seen.iter().map(|carried| (carried.to_client, carried.cut)).collect();
        assert_eq!((cut.len(), cut[1], cut[3], relay.cuts()), (6, (100_000, true), (0, true), 3));
        assert!(cut[0].0 > 1_000_000 && !cut[0].1);
    }

    #[test]
    fn an_upload_is_cut_and_the_registry_has_what_passed() {
        let registry = Registry::start();
        let relay = Relay::start(registry.addr());
        let client = Client::new(relay.host());
        let start = client.request("POST", "/v2/app/blobs/uploads/", &[], b"");
        let path = start.header("Location").unwrap().strip_prefix(&format!("http://{}", relay.host())).unwrap();
        relay.cut_next(1, Direction::ToServer, 50_000);
        assert!(client.try_request("PATCH", path, &[], &vec![1; 200_000]).is_err());
        registry.wait_until(|requests| requests.last().is_some_and(|request| request.body_len > 49_000));
        let reply = client.request("GET", path, &[], b"");
        let range = reply.header("Range").unwrap().strip_prefix("0-").unwrap();
        assert!((49_000..50_000).contains(&range.parse().unwrap()), "{range}");
    }

    #[test]
    fn two_real_registries_stand_side_by_side_with_a_line_that_breaks() {
        let (one, other) = match (RealRegistry::start_plain(), RealRegistry::start_plain()) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(why), _) | (_, Err(why)) => return crate::skip::skipped("two real registries", &why),
        };
        assert_ne!(one.addr(), other.addr());
        let blob = bytes(&Big::new(3_000_000, 5));
        let digest = Client::new(one.addr()).push_blob("app", &blob);
        assert_eq!(digest, sha256(&blob));
        let path = format!("/v2/app/blobs/{digest}");
        assert_eq!(Client::new(other.addr()).request("HEAD", &path, &[], b"").status, 404);
        let relay = Relay::start(one.addr());
        relay.cut_next(1, Direction::ToClient, 1_000_000);
        let client = Client::new(relay.host());
        assert!(client.try_request("GET", &path, &[], b"").is_err());
        let rest = client.request("GET", &path, &[("Range", "bytes=1000000-")], b"");
        assert_eq!((rest.status, rest.body == blob[1_000_000..]), (206, true));
        let to_other = Relay::start(other.addr());
        let writer = Client::new(to_other.host());
        let start = writer.request("POST", "/v2/app/blobs/uploads/", &[], b"");
        let path = start.header("Location").unwrap().split_once("/v2/").map(|(_, rest)| format!("/v2/{rest}")).unwrap();
        to_other.cut_next(1, Direction::ToServer, 1_000_000);
        assert!(writer.try_request("PATCH", &path, &[], &blob).is_err());
        assert_eq!(writer.push_blob("app", &blob), digest);
    }
}

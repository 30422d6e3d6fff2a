//! A proxy that breaks connections after a number of bytes: interrupted transfers at a server that cannot fail on
//! demand, such as the real docker-registry.
//!
//! It does not parse HTTP or TLS. It delays nothing ([`crate::latency_link`] does) and reads no clock.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::tcp_proxy::{CHUNK_SIZE, SocketPair, TcpProxy, lock};

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
pub struct ConnectionTraffic {
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
    /// Where clients connect.
    pub proxy: TcpProxy,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    cuts: Mutex<Vec<Cut>>,
    traffic: Mutex<Vec<ConnectionTraffic>>,
}

impl Relay {
    /// Starts a relay to a server, with a listener on a free port of 127.0.0.1. It cuts nothing until told.
    ///
    /// # Panics
    /// When there is no port to listen on.
    #[must_use]
    pub fn start(target: SocketAddr) -> Relay {
        let shared = Arc::new(Shared::default());
        let (accepting, forwarding) = (Arc::clone(&shared), Arc::clone(&shared));
        let on_accept = move || {
            let mut traffic = lock(&accepting.traffic);
            traffic.push(ConnectionTraffic::default());
            traffic.len()
        };
        let forward = move |pair: &SocketPair, number| {
            thread::scope(|scope| {
                scope.spawn(|| forward(pair, Direction::ToServer, number, &forwarding));
                forward(pair, Direction::ToClient, number, &forwarding);
            });
        };
        Relay { proxy: TcpProxy::start(target, on_accept, forward).expect("loopback has a free port"), shared }
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
    pub fn connections(&self) -> Vec<ConnectionTraffic> {
        lock(&self.shared.traffic).clone()
    }

    /// How many connections were cut.
    #[must_use]
    pub fn cut_count(&self) -> usize {
        self.connections().iter().filter(|traffic| traffic.cut).count()
    }
}

/// Carries one direction of a connection to its end.
fn forward(pair: &SocketPair, direction: Direction, number: usize, shared: &Shared) {
    let (mut from, mut to) = match direction {
        Direction::ToServer => (&pair.client, &pair.server),
        Direction::ToClient => (&pair.server, &pair.client),
    };
    let mut buffer = vec![0; CHUNK_SIZE];
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
        let passing = shared.bytes_to_pass(number, direction, length);
        if to.write_all(&buffer[..passing]).is_err() || passing < length {
            return pair.close();
        }
    }
}

impl Shared {
    /// How many of the next bytes may pass; fewer than there are means that the connection is to be cut after them.
    fn bytes_to_pass(&self, number: usize, direction: Direction, length: usize) -> usize {
        let mut traffic = lock(&self.traffic);
        let Some(traffic) = traffic.get_mut(number - 1) else { return 0 };
        let passed = match direction {
            Direction::ToServer => &mut traffic.to_server,
            Direction::ToClient => &mut traffic.to_client,
        };
        let total = *passed + length as u64;
        let applies = |cut: &&mut Cut| {
            let is_meant = cut.connection.is_none_or(|chosen| chosen == number) && cut.direction == direction;
            is_meant && cut.times > 0 && *passed <= cut.after && total > cut.after
        };
        let mut cuts = lock(&self.cuts);
        let passing = match cuts.iter_mut().find(applies) {
            Some(cut) => {
                cut.times -= 1;
                traffic.cut = true;
                (cut.after - *passed) as usize
            }
            None => length,
        };
        *passed += passing as u64;
        passing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::image::sha256;
    use crate::loopback::{GeneratedBlob, Registry};
    use crate::real::RealRegistry;

    fn bytes(blob: &GeneratedBlob) -> Vec<u8> {
        let mut all = Vec::new();
        let whole = blob.for_each_piece(0, u64::MAX, |piece| {
            all.extend_from_slice(piece);
            Ok(())
        });
        whole.unwrap();
        all
    }

    #[test]
    fn connections_are_cut_at_the_given_byte() {
        let registry = Registry::start();
        let digest = registry.put_generated_blob("app", &GeneratedBlob::new(1_000_000, 1));
        let relay = Relay::start(registry.addr());
        let client = Client::new(relay.proxy.host());
        let get = || client.try_request("GET", &format!("/v2/app/blobs/{digest}"), &[], b"");
        relay.cut_connection(2, Direction::ToClient, 100_000);
        assert_eq!(get().unwrap().body.len(), 1_000_000);
        assert!(get().is_err());
        assert_eq!(get().unwrap().body.len(), 1_000_000);
        relay.cut_next(2, Direction::ToClient, 0);
        assert!(get().is_err() && get().is_err() && get().is_ok());
        let seen = relay.connections();
        let cut: Vec<(u64, bool)> = seen.iter().map(|traffic| (traffic.to_client, traffic.cut)).collect();
        assert_eq!((cut.len(), cut[1], cut[3], relay.cut_count()), (6, (100_000, true), (0, true), 3));
        assert!(cut[0].0 > 1_000_000 && !cut[0].1);
    }

    #[test]
    fn an_upload_is_cut_and_the_registry_has_what_passed() {
        let registry = Registry::start();
        let relay = Relay::start(registry.addr());
        let client = Client::new(relay.proxy.host());
        let start = client.request("POST", "/v2/app/blobs/uploads/", &[], b"");
        let path = start.header("Location").unwrap().strip_prefix(&format!("http://{}", relay.proxy.host())).unwrap();
        relay.cut_next(1, Direction::ToServer, 50_000);
        assert!(client.try_request("PATCH", path, &[], &vec![1; 200_000]).is_err());
        registry.wait_until(|requests| requests.last().is_some_and(|request| request.body_len > 49_000));
        let reply = client.request("GET", path, &[], b"");
        let range = reply.header("Range").unwrap().strip_prefix("0-").unwrap();
        assert!((49_000..50_000).contains(&range.parse().unwrap()), "{range}");
    }

    #[test]
    fn transfers_between_real_registries_can_be_cut() {
        let (first, second) = match (RealRegistry::start_plain(), RealRegistry::start_plain()) {
            (Ok(first), Ok(second)) => (first, second),
            (Err(reason), _) | (_, Err(reason)) => return crate::skip::skipped("two real registries", &reason),
        };
        assert_ne!(first.addr(), second.addr());
        let blob = bytes(&GeneratedBlob::new(3_000_000, 5));
        let digest = Client::new(first.addr()).push_blob("app", &blob);
        assert_eq!(digest, sha256(&blob));
        let path = format!("/v2/app/blobs/{digest}");
        assert_eq!(Client::new(second.addr()).request("HEAD", &path, &[], b"").status, 404);
        let relay = Relay::start(first.addr());
        relay.cut_next(1, Direction::ToClient, 1_000_000);
        let client = Client::new(relay.proxy.host());
        assert!(client.try_request("GET", &path, &[], b"").is_err());
        let rest = client.request("GET", &path, &[("Range", "bytes=1000000-")], b"");
        assert_eq!((rest.status, rest.body == blob[1_000_000..]), (206, true));
        let to_other = Relay::start(second.addr());
        let writer = Client::new(to_other.proxy.host());
        let start = writer.request("POST", "/v2/app/blobs/uploads/", &[], b"");
        let path = start.header("Location").unwrap().split_once("/v2/").map(|(_, rest)| format!("/v2/{rest}")).unwrap();
        to_other.cut_next(1, Direction::ToServer, 1_000_000);
        assert!(writer.try_request("PATCH", &path, &[], &blob).is_err());
        assert_eq!(writer.push_blob("app", &blob), digest);
    }
}

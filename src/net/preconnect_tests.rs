use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

fn target(port: u16) -> PreconnectTarget {
    let addresses: FindAddresses = Arc::new(move || Some(vec![([127, 0, 0, 1], port).into()]));
    PreconnectTarget { host: "127.0.0.1".to_owned(), addresses, limits: None, serves_first_request: false }
}

fn pool(port: u16) -> Arc<PreconnectPool> {
    Arc::new(PreconnectPool::new(target(port)))
}

impl PreconnectPool {
    /// One connection that was opened so long ago, after the first request has asked for one.
    pub(crate) fn with_connection(socket: TcpStream, age: Duration) -> PreconnectPool {
        PreconnectPool::with_connections([socket], age)
    }

    /// The same with several connections, of which the last is handed out first.
    fn with_connections<const N: usize>(sockets: [TcpStream; N], age: Duration) -> PreconnectPool {
        let opened_at = Instant::now().checked_sub(age).unwrap();
        let connections = sockets.map(PreconnectedSocket::Tcp);
        let ready =
            connections.into_iter().map(|connection| ReadyConnection { opened_at, socket: connection }).collect();
        let state = PreconnectState { had_request: true, ready, ..PreconnectState::default() };
        PreconnectPool { state: Mutex::new(state), ..PreconnectPool::new(target(0)) }
    }

    fn take_tcp(&self) -> Option<TcpStream> {
        match self.take_connection(None, AcceptedAge::Any) {
            Some(TakenConnection { socket: PreconnectedSocket::Tcp(socket), .. }) => Some(socket),
            _ => None,
        }
    }
}

#[test]
fn pool_hands_out_no_connection_that_the_peer_has_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = || (TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener.accept().unwrap().0);
    let (open, _peer) = connect();
    assert!(PreconnectPool::with_connection(open, Duration::ZERO).take_tcp().is_some());
    let (closed, peer) = connect();
    drop(peer);
    // Returns when the end has arrived.
    assert_eq!(closed.peek(&mut [0]).unwrap(), 0);
    assert!(PreconnectPool::with_connection(closed, Duration::ZERO).take_tcp().is_none());
    let ((usable, _other_peer), (closed, peer)) = (connect(), connect());
    drop(peer);
    assert_eq!(closed.peek(&mut [0]).unwrap(), 0);
    let port = usable.local_addr().unwrap().port();
    let taken = PreconnectPool::with_connections([usable, closed], Duration::ZERO).take_tcp();
    assert_eq!(taken.unwrap().local_addr().unwrap().port(), port, "the closed one is passed over");
    // A server that has waited long enough says so, and then closes.
    let (told, mut peer) = connect();
    peer.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").unwrap();
    assert_eq!(told.peek(&mut [0]).unwrap(), 1);
    assert!(PreconnectPool::with_connection(told, Duration::ZERO).take_tcp().is_none());
}

#[test]
fn stale_connection_serves_only_repeatable_requests_and_is_closed_at_its_maximum_age() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = || (TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener.accept().unwrap().0);
    let (socket, mut peer) = connect();
    let pool = PreconnectPool::with_connection(socket, FRESH_AGE_MAX);
    assert!(pool.take_connection(None, AcceptedAge::OnlyFresh).is_none());
    pool.close_old();
    assert!(pool.take_tcp().is_some(), "not old enough to be closed");
    assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the taken one was dropped");
    let (socket, mut peer) = connect();
    PreconnectPool::with_connection(socket, AGE_MAX).close_old();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn pool_hands_out_each_connection_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pool = pool(listener.local_addr().unwrap().port());
    pool.open(2);
    assert!(pool.take_tcp().is_none(), "the first request opens its own");
    let accepted: Vec<TcpStream> = listener.incoming().take(2).map(Result::unwrap).collect();
    let taken: Vec<TcpStream> = (0..2).map(|_| pool.take_tcp().unwrap()).collect();
    assert!(pool.take_tcp().is_none());
    let mut ports: Vec<u16> = taken.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
    let mut peers: Vec<u16> = accepted.iter().map(|socket| socket.peer_addr().unwrap().port()).collect();
    ports.sort_unstable();
    peers.sort_unstable();
    assert_eq!(ports, peers);
}

#[test]
fn pool_opens_only_missing_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pool = pool(listener.local_addr().unwrap().port());
    assert!(pool.take_tcp().is_none(), "the first request opens its own");
    pool.open_up_to(3);
    pool.open_up_to(3);
    let _accepted: Vec<TcpStream> = listener.incoming().take(2).map(Result::unwrap).collect();
    assert!(pool.take_tcp().is_some() && pool.take_tcp().is_some() && pool.take_tcp().is_none());
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "no third was opened");
}

#[test]
fn pool_opens_nothing_more_after_a_failed_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = Arc::new(Mutex::new(closed));
    let of_then = Arc::clone(&address);
    let addresses: FindAddresses = Arc::new(move || Some(vec![*of_then.lock().unwrap()]));
    let refused = Arc::new(PreconnectPool::new(PreconnectTarget { addresses, ..target(1) }));
    refused.open(3);
    assert!(refused.take_tcp().is_none());
    assert!(refused.take_tcp().is_none());
    *address.lock().unwrap() = listener.local_addr().unwrap();
    refused.open(3);
    assert!(refused.take_tcp().is_none());
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "a registry that refuses is left alone");
    let nowhere = Arc::new(PreconnectPool::new(PreconnectTarget { addresses: Arc::new(|| None), ..target(1) }));
    nowhere.open(1);
    assert!(nowhere.take_tcp().is_none());
    assert!(nowhere.take_tcp().is_none());
}

//! Of counts and bytes; how long anything takes is not asserted, since a busy machine takes as long as it likes.

use std::net::{Ipv4Addr, TcpListener};

use super::*;

/// A server that answers every connection with what it was sent, and closes when the client has.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let _ = io::copy(&mut &stream, &mut &stream);
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
    addr
}

fn exchange(addr: SocketAddr, message: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(addr).expect("a connection");
    let mut answer = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            (&stream).write_all(message).expect("it is sent");
            stream.shutdown(Shutdown::Write).expect("it is ended");
        });
        (&stream).read_to_end(&mut answer).expect("an answer");
    });
    answer
}

#[test]
fn a_link_delivers_all_bytes_in_order() {
    let link = LatencyLink::start(echo(), Duration::from_millis(4)).expect("a link");
    let message: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    assert!(exchange(link.proxy.addr(), &message) == message, "the bytes are others");
    let counts = link.counts();
    assert_eq!((counts.connections, counts.to_server, counts.to_client), (1, 3_000_000, 3_000_000));
}

#[test]
fn many_connections_at_once_are_counted_each() {
    let link = LatencyLink::start(echo(), Duration::from_millis(2)).expect("a link");
    thread::scope(|scope| {
        for number in 0..60 {
            let addr = link.proxy.addr();
            scope.spawn(move || {
                let message = format!("GET /{number} HTTP/1.1\r\n\r\nPOST /{number} HTTP/1.1\r\n\r\n").into_bytes();
                assert_eq!(exchange(addr, &message), message);
            });
        }
    });
    let counts = link.take();
    assert_eq!((counts.connections, counts.tls_hellos), (60, 0));
    assert_eq!(counts.methods(), BTreeMap::from([("GET", 60), ("POST", 60)]));
    assert_eq!(counts.round_trips_without_concurrency(), 180);
    let mut targets: Vec<&str> = counts.requests.iter().map(|request| request.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), 60);
    assert_eq!(link.counts(), Counts::default());
}

#[test]
fn requests_are_listed_in_order_and_hellos_apart() {
    let link = LatencyLink::start(echo(), Duration::ZERO).expect("a link");
    assert_eq!(exchange(link.proxy.addr(), b"\x16\x03\x01"), b"\x16\x03\x01");
    let _ = exchange(link.proxy.addr(), b"PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcHEAD /b HTTP/1.1\r\n\r\n");
    let counts = link.counts();
    let lines: Vec<String> = counts.requests.iter().map(|r| format!("{} {}", r.method, r.target)).collect();
    assert_eq!((counts.connections, counts.tls_hellos, lines), (2, 1, vec!["PUT /a".to_owned(), "HEAD /b".to_owned()]));
}

#[test]
fn a_server_that_is_not_there_is_a_closed_connection() {
    let unused_addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|bound| bound.local_addr()).expect("a port");
    let link = LatencyLink::start(unused_addr, Duration::ZERO).expect("a link");
    let mut stream = TcpStream::connect(link.proxy.addr()).expect("the link is there");
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    assert_eq!(link.counts().connections, 1);
}

#[test]
fn dropping_a_link_ends_what_goes_through_it() {
    let link = LatencyLink::start(echo(), Duration::from_millis(2)).expect("a link");
    let mut stream = TcpStream::connect(link.proxy.addr()).expect("a connection");
    stream.write_all(b"x").expect("it is sent");
    let mut byte = [0; 1];
    stream.read_exact(&mut byte).expect("it came back");
    drop(link);
    assert_eq!(stream.read(&mut byte).unwrap_or(0), 0);
}

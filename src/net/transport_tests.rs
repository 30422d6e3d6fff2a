use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;

use super::*;
use crate::net::preconnect::PreconnectPool;

/// What comes of a request over TLS whose preconnected connection is closed in the handshake. The connection after
/// it meets a peer that speaks no TLS.
fn symptom_after_a_closed_preconnection(age: Duration) -> Symptom {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = Url::parse_from_server(&format!("https://127.0.0.1:{port}/v2/")).unwrap();
    let transport = HttpTransport::new(Env::default(), false, "test/1", None, None);
    let pool = PreconnectPool::with_connection(TcpStream::connect(("127.0.0.1", port)).unwrap(), age);
    transport.pool.insert_preconnected("127.0.0.1", &url.origin, pool);
    let server = thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        first.read_exact(&mut [0]).unwrap();
        drop(first);
        let (mut plain, _) = listener.accept().unwrap();
        // Read first, or closing it would take the answer away.
        let _ = plain.read(&mut [0; 4096]);
        let _ = plain.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let request =
        OutgoingRequest { repeatable: true, ..OutgoingRequest::new("127.0.0.1", "POST", &url, &Deadline::NONE) };
    let symptom = transport.exchange(&request).unwrap_err().symptom;
    // Lets the server go on where there was no second connection.
    let _ = TcpStream::connect(("127.0.0.1", port));
    server.join().unwrap();
    symptom
}

#[test]
fn only_a_stale_connection_is_replaced_after_a_closed_handshake() {
    assert_eq!(symptom_after_a_closed_preconnection(Duration::from_secs(5)), Symptom::NotTls);
    assert_eq!(symptom_after_a_closed_preconnection(Duration::ZERO), Symptom::ClosedInHandshake);
}

#[test]
fn public_registry_cannot_name_private_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let transport = HttpTransport::new(Env::default(), false, "test/1", None, None);
    transport.pool.set_public("registry.example", true);
    let error_for = |url: &str, forbids_private_addresses| {
        let url = Url::parse_from_server(url).unwrap();
        let request = OutgoingRequest {
            forbids_private_addresses,
            ..OutgoingRequest::new("registry.example", "GET", &url, &Deadline::NONE)
        };
        transport.exchange(&request).unwrap_err()
    };
    for host in ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]"] {
        for scheme in ["http", "https"] {
            let error = error_for(&format!("{scheme}://{host}:{port}/token"), true);
            assert!(error.kind == RegistryErrorKind::Protocol && !error.maybe_sent, "{host}: {}", error.message);
            assert!(error.message.starts_with("the private address "), "{host}: {}", error.message);
        }
    }
    assert_eq!(transport.request_count(), 0);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody has come");
    drop(listener);
    // A redirect carries no credentials, and many a public registry keeps its blobs inside.
    assert_eq!(error_for(&format!("http://127.0.0.1:{port}/blob"), false).kind, RegistryErrorKind::Connect);
}

#[test]
fn remembered_private_token_server_gets_no_connection_for_a_public_registry() {
    let home = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = home.local_addr().unwrap().to_string();
    let origin = |listener: &TcpListener| {
        Url::parse_from_server(&format!("https://{}/", listener.local_addr().unwrap())).unwrap().origin
    };
    let preconnect = |is_public| {
        let transport = HttpTransport::new(Env::default(), false, "test/1", None, None);
        transport.pool.set_public(&registry, is_public);
        transport.preconnect_token_server(&registry, &origin(&home), &origin(&server));
        let (count, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let url = Url::new(origin(&server), "/token");
        let request = OutgoingRequest {
            forbids_private_addresses: true,
            ..OutgoingRequest::new(&registry, "GET", &url, &Deadline::NONE)
        };
        thread::scope(|scope| {
            // It hangs up on all who call.
            scope.spawn(|| {
                while let Ok((called, _)) = server.accept() {
                    drop(called);
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
            // It waits for the connection that is being opened.
            let error = transport.exchange(&request).unwrap_err();
            is_over.store(true, Ordering::SeqCst);
            TcpStream::connect(server.local_addr().unwrap()).unwrap();
            error.message
        });
        count.into_inner()
    };
    assert_eq!(preconnect(true), 0);
    assert_eq!(preconnect(false), 2, "ahead, and for the request itself");
}

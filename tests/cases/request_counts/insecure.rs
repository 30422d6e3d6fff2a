//! `--insecure`: whether a registry speaks TLS or plain HTTP is found once in a command, without another request
//! and without sending credentials.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use testkit::certs::Authority;
use testkit::loopback::Registry;

use super::{Fixture, assert_same};

const INSECURE: [&str; 3] = ["--insecure", "--jobs", "4"];
/// Connections that serve nothing but the search.
const SCHEME_SEARCH_CONNECTIONS: usize = 1;

fn tls_registry() -> Registry {
    let pair = Authority::new("somebody").server(&["localhost"]);
    Registry::builder().tls(pair.server_config(None)).start()
}

#[test]
fn the_scheme_search_takes_no_request_and_at_most_one_connection() {
    for registry in [Registry::start(), tls_registry()] {
        let fixture = Fixture::with_registry(registry, 12);
        let _ = fixture.create_command(&INSECURE).run().success();
        assert!(fixture.registry.connections() <= 4 + SCHEME_SEARCH_CONNECTIONS, "{}", fixture.registry.connections());
        assert_same(fixture.take_request_lines(), fixture.create_lines());
        let pushed = fixture.push_command(&INSECURE).run().success();
        assert_eq!(pushed.out(), fixture.expected_push_output());
        assert!(fixture.registry.connections() <= 4 + SCHEME_SEARCH_CONNECTIONS, "{}", fixture.registry.connections());
        let all: Vec<usize> = (0..12).collect();
        assert_same(fixture.take_request_lines(), fixture.push_lines(404, &all));
        let second = fixture.push_command(&INSECURE).run().success();
        assert_eq!((second, fixture.take_request_lines().len()), (pushed, 1 + 12));
        assert!(fixture.registry.connections() <= 4 + SCHEME_SEARCH_CONNECTIONS, "{}", fixture.registry.connections());
        let _ = fixture.command(&["inspect", "--insecure", &fixture.name("src/i0000:1")]).run().success();
        assert_eq!(fixture.take_request_lines().len(), 1);
    }
}

#[test]
fn the_scheme_is_searched_for_each_registry() {
    let (plain, tls) = (Fixture::new(3), Fixture::with_registry(tls_registry(), 3));
    let images = (0..3).map(|number| tls.name(&format!("{}:1", super::source(number))));
    let _ = plain.create_command(&INSECURE).args(images).run().success();
    let (from_plain, from_tls) = (plain.take_request_lines(), tls.take_request_lines());
    let counts =
        |part: &str| [&from_plain, &from_tls].map(|lines| lines.iter().filter(|line| line.contains(part)).count());
    assert_eq!(counts("/manifests/1 200"), [3, 3]);
    // The images are the same in both, so each configuration is asked of one of them.
    assert_eq!((counts("/blobs/").iter().sum::<usize>(), from_plain.len() + from_tls.len()), (3, 9));
    for fixture in [&plain, &tls] {
        assert!(fixture.registry.connections() <= 4 + SCHEME_SEARCH_CONNECTIONS, "{}", fixture.registry.connections());
    }
}

#[test]
fn no_credentials_are_sent_before_the_scheme_is_known() {
    for is_tls in [false, true] {
        let builder = Registry::builder().basic("user", "password");
        let pair = Authority::new("somebody").server(&["localhost"]);
        let registry = if is_tls { builder.tls(pair.server_config(None)) } else { builder }.start();
        let fixture = Fixture::with_registry(registry, 3);
        let proxy = RecordingProxy::to(fixture.registry.addr().to_string());
        let login = base64::engine::general_purpose::STANDARD.encode("user:password");
        fixture.sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, proxy.host));
        let images = (0..3).map(|number| format!("{}/{}:1", proxy.host, super::source(number)));
        let list = format!("{}/dst/app:1", proxy.host);
        let _ = fixture.command(&["create", "--insecure", &list]).args(images).run().success();
        let _ = fixture.command(&["push", "--insecure", &list]).run().success();
        let with_login =
            fixture.registry.requests().iter().filter(|request| request.header("Authorization").is_some()).count();
        assert!(with_login >= 6 + 12, "{with_login}");
        let chunks = proxy.chunks.lock().expect("no thread panicked");
        let first = |is_client: bool, words: &str| {
            let holds = |chunks: &Chunk| String::from_utf8_lossy(&chunks.bytes).to_lowercase().contains(words);
            chunks.iter().position(|chunks| chunks.is_client == is_client && holds(chunks))
        };
        let (login, challenge) = (first(true, "\nauthorization: "), first(false, "http/1.1 401"));
        match is_tls {
            true => assert_eq!((login, challenge), (None, None), "nothing of it is readable"),
            false => assert!(challenge.is_some() && login > challenge, "{login:?} {challenge:?}"),
        }
    }
}

/// A wire to a server that keeps what goes over it, both ways, in order.
struct RecordingProxy {
    host: String,
    chunks: Arc<Mutex<Vec<Chunk>>>,
}

struct Chunk {
    is_client: bool,
    bytes: Vec<u8>,
}

impl RecordingProxy {
    /// Its threads end with the connections, and the listener with the test's process.
    fn to(server: String) -> RecordingProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host = listener.local_addr().expect("a bound listener has an address").to_string();
        let chunks = Arc::new(Mutex::default());
        let kept = Arc::clone(&chunks);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the server listens");
                let halves = |counts: &TcpStream| counts.try_clone().expect("a second handle");
                for (from, to, is_client) in [(halves(&client), halves(&server), true), (server, client, false)] {
                    let kept = Arc::clone(&kept);
                    thread::spawn(move || forward(from, to, is_client, &kept));
                }
            }
        });
        RecordingProxy { host, chunks }
    }
}

/// What is read is kept before it is passed on, so the order kept is that of cause and effect.
fn forward(mut from: TcpStream, mut to: TcpStream, is_client: bool, kept: &Mutex<Vec<Chunk>>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let bytes = buffer[..length].to_vec();
        kept.lock().expect("no thread panicked").push(Chunk { is_client, bytes });
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

//! Answers that come slowly, in the wrong length, or by chance wrong.

use super::*;

fn stocked() -> (Registry, Client, Image) {
    let registry = Registry::start();
    let image = image("amd64");
    registry.put_image("app", "1", &image);
    let client = Client::new(registry.host());
    (registry, client, image)
}

#[test]
fn responses_drip_as_the_test_releases_them() {
    let (registry, client, image) = stocked();
    for fault in [Fault::Drip, Fault::StallAfter(4)] {
        registry.clear_faults();
        registry.clear_record();
        registry.add_fault(Rule::any(), fault.clone());
        let mut socket = TcpStream::connect(registry.addr()).unwrap();
        write!(socket, "GET /v2/app/manifests/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        registry.wait_until(|requests| requests.first().is_some_and(|request| request.status == 200));
        let mut first = [0; 15];
        if fault == Fault::Drip {
            registry.drip(10);
            registry.drip(5);
        }
        socket.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        registry.release();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(&image.manifest));
    }
    registry.clear_faults();
    registry.add_fault(Rule::any(), Fault::ByteByByte);
    assert_eq!(client.manifest("app", "1").1, image.manifest);
    registry.clear_faults();
    registry.add_fault(Rule::any(), Fault::Drip);
    let mut socket = TcpStream::connect(registry.addr()).unwrap();
    write!(socket, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    registry.drip(1);
    drop(registry);
    let mut received = Vec::new();
    let _ = socket.read_to_end(&mut received);
    assert!(received.len() < 15, "{received:?}");
}

#[test]
fn connections_are_reset_and_not_merely_ended() {
    let (registry, client, _) = stocked();
    registry.add_fault(Rule::any().nth(1), Fault::ResetBeforeBody);
    registry.add_fault(Rule::any().nth(2), Fault::ResetAfterBody);
    for body_len in [0, 2] {
        let error = client.try_request("PUT", "/v2/app/manifests/2", &[], b"{}").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let seen = registry.requests().pop().unwrap();
        assert_eq!((seen.body_len, seen.status), (body_len, 0));
    }
    assert_eq!(get(&client, "/v2/").status, 200);
}

#[test]
fn content_lengths_can_be_too_long_and_too_short() {
    let (registry, client, image) = stocked();
    let length = image.manifest.len();
    let get_manifest = || client.try_request("GET", "/v2/app/manifests/1", &[("Accept", "*/*")], b"");
    registry.add_fault(Rule::any().nth(1), Fault::LongLength(3));
    registry.add_fault(Rule::any().nth(2), Fault::ShortLength(3));
    assert!(get_manifest().is_err());
    assert_eq!(get_manifest().unwrap().body, image.manifest[..length - 3]);
    registry.add_fault(Rule::any().nth(1), Fault::redirect_loop());
    assert_eq!(get_manifest().unwrap().header("Location"), Some("/v2/app/manifests/1"));
    registry.add_fault(Rule::any().nth(1), Fault::redirect_to("http://h:1"));
    assert_eq!(get_manifest().unwrap().header("Location"), Some("http://h:1/v2/app/manifests/1"));
    assert_eq!(get_manifest().unwrap().body, image.manifest);
}

#[test]
fn tokens_expire_by_a_fault_and_the_token_server_stops() {
    let bearer = Bearer::new().user("alice", "wonder").on_own_port();
    let registry = Registry::builder().bearer(bearer).start();
    registry.put_image("app", "1", &image("amd64"));
    let client = Client::new(registry.host());
    let challenge = get(&client, "/v2/app/manifests/1").header("WWW-Authenticate").unwrap().to_owned();
    let host = challenge.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let alice = Client::new(&host).basic("alice", "wonder");
    registry.add_fault(Rule::tokens().nth(1), Fault::status(503));
    let query = "/token?service=loopback+registry&scope=repository:app:pull";
    assert_eq!(get(&alice, query).status, 503);
    let client = client.bearer(&token(&alice, &["repository:app:pull"]));
    registry.fail_request(2, Fault::ExpireTokens);
    let statuses: Vec<u16> = (0..3).map(|_| get(&client, "/v2/app/manifests/1").status).collect();
    assert_eq!(statuses, [200, 401, 401]);
    assert_eq!(registry.injected().len(), 2);
    registry.stop_token_server();
    assert!(alice.try_request("GET", query, &[], b"").is_err());
    assert_eq!(get(&client, "/v2/app/manifests/1").status, 401);
}

#[test]
fn random_faults_follow_their_seed() {
    let (registry, client, _) = stocked();
    let random_faults = RandomFaults::new(11).one_in(2).among(vec![Fault::status(500), Fault::status(503)]);
    let expected: Vec<u16> = (1..=40)
        .map(|number| match random_faults.fault_for(number) {
            Some(Fault::Status(status, ..)) => status,
            _ => 200,
        })
        .collect();
    registry.inject_randomly(random_faults);
    let statuses: Vec<u16> = (0..40).map(|_| get(&client, "/v2/").status).collect();
    assert_eq!(statuses, expected);
    assert!([200, 500, 503].iter().all(|status| statuses.contains(status)), "{statuses:?}");
    let injected: Vec<usize> = registry.injected().iter().map(|(number, _)| *number).collect();
    let failed: Vec<usize> = (1..).zip(&expected).filter(|(_, status)| **status != 200).map(|(n, _)| n).collect();
    assert_eq!(injected, failed);
    registry.clear_faults();
    assert_eq!(get(&client, "/v2/").status, 200);
}

#[test]
fn the_registry_survives_every_fault() {
    let (registry, client, _) = stocked();
    let blob = sha256(b"shared");
    for fault in Fault::all() {
        for (method, path) in [
            ("GET", "/v2/app/manifests/1".to_owned()),
            ("HEAD", format!("/v2/app/blobs/{blob}")),
            ("POST", "/v2/app/blobs/uploads/".to_owned()),
            ("PUT", "/v2/app/manifests/2".to_owned()),
        ] {
            registry.clear_faults();
            registry.clear_record();
            registry.fail_request(1, fault.clone());
            let mut socket = TcpStream::connect(registry.addr()).unwrap();
            let head =
                format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}");
            socket.write_all(head.as_bytes()).unwrap();
            // The first byte of an answer, or the end of the connection; a fault that stalls gives neither.
            if !matches!(fault, Fault::Hang | Fault::Drip) {
                let _ = socket.read(&mut [0; 1]);
            } else {
                registry.wait_until(|requests| requests.last().is_some_and(|request| request.body_len == 2));
            }
            drop(socket);
            registry.release();
            assert_eq!(registry.injected().len(), 1, "{fault:?}");
        }
    }
    registry.clear_faults();
    assert_eq!(get(&client, "/v2/app/manifests/1").status, 200);
}

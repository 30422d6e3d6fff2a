//! Uploads that break off, blobs in parts, and blobs that nobody could hold.

use std::net::Shutdown;

use super::*;

/// Begins an upload and gives the path of its Location.
fn begin(registry: &Registry, client: &Client) -> String {
    let reply = client.request("POST", "/v2/app/blobs/uploads/", &[], b"");
    assert_eq!(reply.status, 202);
    location_path(registry, &reply)
}

fn location_path(registry: &Registry, reply: &ClientResponse) -> String {
    reply.header("Location").unwrap().strip_prefix(&registry.url()).unwrap().to_owned()
}

/// Sends a head that promises `length` bytes and only these; returns when the registry has read them.
fn break_off(registry: &Registry, method: &str, path: &str, length: usize, bytes: &[u8]) {
    let seen = registry.requests().len();
    let mut socket = TcpStream::connect(registry.addr()).unwrap();
    write!(socket, "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n", registry.host())
        .unwrap();
    socket.write_all(bytes).unwrap();
    registry.wait_until(|requests| requests.get(seen).is_some_and(|request| request.body_len == bytes.len()));
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(socket.read(&mut [0; 1]).unwrap_or(0), 0, "an answer to half a request");
}

#[test]
fn an_interrupted_upload_can_be_resumed() {
    let registry = Registry::start();
    let client = Client::new(registry.host());
    let path = begin(&registry, &client);
    break_off(&registry, "PATCH", &path, 100, b"abc");
    let status = get(&client, &path);
    assert_eq!((status.status, status.header("Range")), (204, Some("0-2")));
    let wrong_range = client.request("PATCH", &path, &[("Content-Range", "0-2")], b"abc");
    assert_eq!((wrong_range.status, wrong_range.header("Range")), (416, Some("0-2")));
    let digest = sha256(b"abcdefghi");
    let put = format!("{}&digest={digest}", location_path(&registry, &status));
    break_off(&registry, "PUT", &put, 50, b"def");
    let status = get(&client, &path);
    assert_eq!((status.status, status.header("Range")), (204, Some("0-5")));
    assert_eq!(client.request("PUT", &put, &[("Content-Range", "6-8")], b"ghi").status, 201);
    let blob = get(&client, &format!("/v2/app/blobs/{digest}"));
    assert_eq!((blob.body.as_slice(), registry.open_uploads()), (b"abcdefghi".as_slice(), 0));
}

#[test]
fn a_request_is_cut_after_so_many_bytes_by_a_fault() {
    for lost in [false, true] {
        let builder = Registry::builder();
        let registry = if lost { builder.loses_broken_uploads() } else { builder }.start();
        let client = Client::new(registry.host());
        let path = begin(&registry, &client);
        registry.add_fault(Rule::on("PATCH", "").nth(1), Fault::CutRequestAfter(70_000));
        let bytes = vec![7; 200_000];
        assert!(client.try_request("PATCH", &path, &[], &bytes).is_err());
        let seen = registry.requests().pop().unwrap();
        assert_eq!((seen.body_len, seen.status), (70_000, 0));
        let status = get(&client, &path);
        match lost {
            false => assert_eq!((status.status, status.header("Range")), (204, Some("0-69999"))),
            true => assert_eq!((status.status, code(&status).as_str()), (404, "BLOB_UPLOAD_INVALID")),
        }
    }
}

#[test]
fn a_fault_without_effect_leaves_the_upload_unchanged() {
    let registry = Registry::start();
    let client = Client::new(registry.host());
    let path = begin(&registry, &client);
    registry.add_fault(Rule::on("PATCH", "").nth(1), Fault::status(503));
    registry.add_fault(Rule::on("PATCH", "").nth(2), Fault::CutAfterBody);
    registry.add_fault(Rule::on("PATCH", "").nth(3), Fault::CutAfterEffect);
    assert_eq!(client.request("PATCH", &path, &[], b"abc").status, 503);
    assert!(client.try_request("PATCH", &path, &[], b"abc").is_err());
    assert_eq!(get(&client, &path).header("Range"), Some("0-0"));
    assert!(client.try_request("PATCH", &path, &[], b"abc").is_err());
    // It had its effect, so the state that the client knows is not the last one.
    assert_eq!(code(&get(&client, &path)), "BLOB_UPLOAD_INVALID");
}

#[test]
fn parts_of_blobs_are_served() {
    let registry = Registry::start();
    let digest = registry.put_blob("app", b"0123456789");
    let client = Client::new(registry.host());
    let part = |range: &str| client.request("GET", &format!("/v2/app/blobs/{digest}"), &[("Range", range)], b"");
    let reply = part("bytes=7-");
    assert_eq!((reply.status, reply.text().as_str()), (206, "789"));
    assert_eq!(reply.header("Content-Range"), Some("bytes 7-9/10"));
    assert_eq!((part("bytes=2-4").text().as_str(), part("bytes=0-1,4-5").status), ("234", 200));
    let past = part("bytes=10-");
    assert_eq!((past.status, past.header("Content-Range")), (416, Some("bytes */10")));
    let whole = Registry::builder().without_ranges().start();
    whole.put_blob("app", b"0123456789");
    let client = Client::new(whole.host());
    let reply = client.request("GET", &format!("/v2/app/blobs/{digest}"), &[("Range", "bytes=7-")], b"");
    assert_eq!((reply.status, reply.header("Accept-Ranges"), reply.body.len()), (200, None, 10));
}

#[test]
fn generated_blobs_are_served_and_discarded() {
    let (from, to) = (Registry::start(), Registry::builder().discard_above(1 << 20).start());
    let blob = GeneratedBlob::new(5_000_000, 3);
    let digest = from.put_generated_blob("app", &blob);
    let (reader, writer) = (Client::new(from.host()), Client::new(to.host()));
    let blob = reader.request("GET", &format!("/v2/app/blobs/{digest}"), &[], b"").body;
    assert_eq!((blob.len(), sha256(&blob)), (5_000_000, digest.clone()));
    let part = reader.request("GET", &format!("/v2/app/blobs/{digest}"), &[("Range", "bytes=4999990-")], b"");
    assert_eq!(part.body, blob[4_999_990..]);
    assert_eq!(writer.push_blob("app", &blob), digest);
    assert_eq!((to.blob_size("app", &digest), to.has_blob("app", &digest)), (Some(5_000_000), true));
    let head = writer.request("HEAD", &format!("/v2/app/blobs/{digest}"), &[], b"");
    assert_eq!((head.status, head.header("Content-Length")), (200, Some("5000000")));
    assert_eq!(get(&writer, &format!("/v2/app/blobs/{digest}")).status, 500);
    let path = location_path(&to, &writer.request("POST", "/v2/app/blobs/uploads/", &[], b""));
    assert_eq!(code(&writer.request("PUT", &format!("{path}&digest={digest}"), &[], &blob[1..])), "DIGEST_INVALID");
    let small = writer.push_blob("app", b"small");
    assert_eq!(get(&writer, &format!("/v2/app/blobs/{small}")).body, b"small");
    from.add_fault(Rule::any().nth(1), Fault::CorruptBody);
    let other = reader.request("GET", &format!("/v2/app/blobs/{digest}"), &[], b"").body;
    assert_eq!((other.len(), other == blob), (5_000_000, false));
    from.add_fault(Rule::any().nth(1), Fault::ShortBody(100_000));
    assert!(reader.try_request("GET", &format!("/v2/app/blobs/{digest}"), &[], b"").is_err());
}

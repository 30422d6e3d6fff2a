//! The registry, looked at from outside.

mod faulty;
mod other_registries;
mod uploads;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use serde_json::Value;

use super::*;
use crate::certs::{Authority, client_config};
use crate::client::{Client, ClientResponse};
use crate::image::{DOCKER_LIST, DOCKER_MANIFEST, sha256};

fn image(arch: &str) -> Image {
    Image::docker().platform("linux", arch).layer(b"shared").layer(arch).build()
}

fn get(client: &Client, path: &str) -> ClientResponse {
    client.request("GET", path, &[("Accept", "*/*")], b"")
}

fn code(reply: &ClientResponse) -> String {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", reply.text()));
    body["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
}

/// A token for these scopes, as this user.
fn token(client: &Client, scopes: &[&str]) -> String {
    let scopes: String = scopes.iter().map(|scope| format!("&scope={scope}")).collect();
    let reply = get(client, &format!("/token?service=loopback+registry{scopes}"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

#[test]
fn pushed_content_is_served() {
    let registry = Registry::start();
    let client = Client::new(registry.host());
    let (amd64, arm64) = (image("amd64"), image("arm64"));
    let index = Index::docker().image(&amd64).image(&arm64).build();
    assert_eq!(client.push_index("team/app", "1.0", &index), index.digest());
    let (media_type, bytes) = client.manifest("team/app", "1.0");
    assert_eq!((media_type.as_str(), &bytes), (DOCKER_LIST, &index.manifest));
    assert_eq!(client.manifest("team/app", &amd64.digest()).1, amd64.manifest);
    assert_eq!(registry.manifest("team/app", "1.0").unwrap().1, index.manifest);
    assert_eq!(registry.tags("team/app"), ["1.0"]);
    assert!(registry.has_blob("team/app", &sha256(b"shared")));
    assert_eq!(get(&client, &format!("/v2/team/app/blobs/{}", sha256(b"shared"))).body, b"shared");
    assert!(client.find_manifest("team/app", "2.0").is_none());
    assert_eq!(registry.open_uploads(), 0);
    let last = registry.requests().pop().unwrap();
    assert_eq!((last.line().as_str(), last.connection), ("GET /v2/team/app/manifests/2.0 404", registry.connections()));
}

#[test]
fn manifests_are_checked_as_docker_registry_does() {
    let registry = Registry::start();
    let client = Client::new(registry.host());
    let image = image("amd64");
    let put = |reference: &str, media_type: &str, bytes: &[u8]| {
        let path = format!("/v2/app/manifests/{reference}");
        let reply = client.request("PUT", &path, &[("Content-Type", media_type)], bytes);
        (reply.status, code(&reply))
    };
    assert_eq!(put("1", DOCKER_MANIFEST, &image.manifest), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    assert_eq!(put("1", DOCKER_LIST, &Index::docker().image(&image).build().manifest).1, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(put("1", DOCKER_MANIFEST, b"{").1, "MANIFEST_INVALID");
    assert_eq!(put("1", "text/plain", &image.manifest).1, "MANIFEST_INVALID");
    assert_eq!(put(&sha256(b""), DOCKER_MANIFEST, &image.manifest).1, "DIGEST_INVALID");
    let foreign = Image::docker().platform("windows", "amd64").foreign_layer("https://x.test/base", b"b").build();
    client.push_image("app", "win", &foreign);
}

#[test]
fn blobs_are_mounted_where_the_source_has_them() {
    let mount = |registry: &Registry, from: &str, digest: &str| {
        let path = format!("/v2/target/blobs/uploads/?mount={digest}&from={from}");
        Client::new(registry.host()).request("POST", &path, &[], b"")
    };
    let registry = Registry::start();
    let digest = registry.put_blob("source", b"layer");
    let missed = mount(&registry, "elsewhere", &digest);
    assert_eq!((missed.status, registry.open_uploads()), (202, 1));
    let location = missed.header("Location").unwrap().strip_prefix(&registry.url()).unwrap().to_owned();
    let client = Client::new(registry.host());
    let stale = location.replace("_state=", "_state=x");
    assert_eq!(client.request("DELETE", &stale, &[], b"").status, 404);
    assert_eq!(client.request("DELETE", &location, &[], b"").status, 204);
    assert_eq!(registry.open_uploads(), 0);
    assert_eq!(mount(&registry, "source", &digest).status, 201);
    assert!(registry.has_blob("target", &digest));
    let unwilling = Registry::builder().without_mounts().relative_locations().start();
    unwilling.put_blob("source", b"layer");
    let reply = mount(&unwilling, "source", &digest);
    assert_eq!(reply.status, 202);
    assert!(reply.header("Location").unwrap().starts_with("/v2/target/blobs/uploads/"));
}

#[test]
fn uploads_go_in_chunks_or_at_once() {
    let registry = Registry::start();
    let client = Client::new(registry.host());
    let start = client.request("POST", "/v2/app/blobs/uploads/", &[], b"");
    let follow =
        |reply: &ClientResponse| reply.header("Location").unwrap().strip_prefix(&registry.url()).unwrap().to_owned();
    let first = client.request("PATCH", &follow(&start), &[("Content-Range", "0-2")], b"abc");
    assert_eq!((first.status, first.header("Range")), (202, Some("0-2")));
    let overlapping_chunk = client.request("PATCH", &follow(&first), &[("Content-Range", "9-9")], b"d");
    assert_eq!(overlapping_chunk.status, 416);
    let status = get(&client, &follow(&first));
    assert_eq!((status.status, status.header("Range")), (204, Some("0-2")));
    let put = format!("{}&digest={}", follow(&first), sha256(b"abcd"));
    assert_eq!(client.request("PUT", &put, &[], b"d").status, 201);
    let once = format!("/v2/app/blobs/uploads/?digest={}", sha256(b"one"));
    assert_eq!(client.request("POST", &once, &[], b"two").status, 400);
    assert_eq!(client.request("POST", &once, &[], b"one").status, 201);
    assert!(registry.has_blob("app", &sha256(b"abcd")) && registry.has_blob("app", &sha256(b"one")));
}

#[test]
fn tags_come_in_pages_and_referrers_by_subject() {
    let registry = Registry::builder().page_limit(2).start();
    let client = Client::new(registry.host());
    let base = image("amd64");
    for tag in ["c", "a", "b"] {
        registry.put_image("app", tag, &base);
    }
    let page = get(&client, "/v2/app/tags/list");
    assert_eq!(page.text().trim(), r#"{"name":"app","tags":["a","b"]}"#);
    let link = page.header("Link").unwrap();
    assert_eq!(link, "</v2/app/tags/list?last=b&n=2>; rel=\"next\"");
    let next = get(&client, "/v2/app/tags/list?last=b&n=2");
    assert!(next.text().contains(r#"["c"]"#) && next.header("Link").is_none());
    assert_eq!(code(&get(&client, "/v2/nothing/tags/list")), "NAME_UNKNOWN");
    let signature = Image::oci().config_raw(b"{}").artifact_type("x/signature").subject(&base).build();
    client.push_image("app", &signature.digest(), &signature);
    let put = registry.requests().pop().unwrap();
    assert_eq!((put.method.as_str(), put.status), ("PUT", 201));
    let list: Value =
        serde_json::from_slice(&get(&client, &format!("/v2/app/referrers/{}", base.digest())).body).unwrap();
    assert_eq!(list["manifests"][0]["digest"], signature.digest());
    assert_eq!(list["manifests"][0]["artifactType"], "x/signature");
    let other = get(&client, &format!("/v2/app/referrers/{}?artifactType=x/sbom", base.digest()));
    assert!(other.text().contains("\"manifests\":[]"), "{}", other.text());
}

#[test]
fn basic_auth_requires_the_password() {
    let registry = Registry::builder().basic("alice", "wonder").start();
    let client = Client::new(registry.host());
    let refused = get(&client, "/v2/");
    assert_eq!((refused.status, refused.header("WWW-Authenticate")), (401, Some("Basic realm=\"loopback\"")));
    assert_eq!(get(&client.clone().basic("alice", "wrong"), "/v2/").status, 401);
    client.basic("alice", "wonder").push_image("app", "1", &image("amd64"));
}

#[test]
fn bearer_tokens_hold_what_was_granted() {
    let bearer = Bearer::new().user("alice", "wonder").anonymous_pull().never_grant_scope("repository:app:push");
    let registry = Registry::builder().bearer(bearer).start();
    registry.put_image("app", "1", &image("amd64"));
    let client = Client::new(registry.host());
    let refused = get(&client, "/v2/app/manifests/1");
    let challenge = format!(
        "Bearer realm=\"{}/token\",service=\"loopback registry\",scope=\"repository:app:pull\"",
        registry.url()
    );
    assert_eq!(refused.header("WWW-Authenticate"), Some(challenge.as_str()));
    let pull = token(&client, &["repository:app:pull,push"]);
    let reader = client.clone().bearer(&pull);
    assert_eq!(get(&reader, "/v2/app/manifests/1").status, 200);
    let push = reader.request("POST", "/v2/app/blobs/uploads/", &[], b"");
    assert!(push.header("WWW-Authenticate").unwrap().ends_with("error=\"insufficient_scope\""), "{push:?}");
    let alice = client.clone().basic("alice", "wonder");
    let writer = client.clone().bearer(&token(&alice, &["repository:other:pull,push"]));
    let mount = |client: &Client| {
        let digest = sha256(b"shared");
        client.request("POST", &format!("/v2/other/blobs/uploads/?mount={digest}&from=app"), &[], b"")
    };
    let refused = mount(&writer);
    let scopes = "scope=\"repository:other:pull,push repository:app:pull\",error=\"insufficient_scope\"";
    assert!(refused.header("WWW-Authenticate").unwrap().ends_with(scopes), "{refused:?}");
    let with_both_scopes =
        client.clone().bearer(&token(&alice, &["repository:other:pull,push", "repository:app:pull"]));
    assert_eq!(mount(&with_both_scopes).status, 201);
    registry.expire_tokens();
    let expired = get(&reader, "/v2/app/manifests/1");
    assert!(expired.header("WWW-Authenticate").unwrap().ends_with("error=\"invalid_token\""), "{expired:?}");
    let wrong_password = get(&client.basic("alice", "no"), "/token?service=loopback+registry");
    assert_eq!(wrong_password.status, 401);
    assert_eq!(registry.issued_tokens().len(), 3);
    assert!(registry.requests().iter().filter(|request| request.is_token_request()).count() == 4);
}

#[test]
fn tokens_come_by_post_too() {
    let form = |more: &str| format!("service=s&client_id=c&scope=repository%3Aapp%3Apull&{more}");
    let post = |registry: &Registry, more: &str| {
        let client = Client::new(registry.host());
        client.request(
            "POST",
            "/token",
            &[("Content-Type", "application/x-www-form-urlencoded")],
            form(more).as_bytes(),
        )
    };
    let bearer = Bearer::new().service("s").user("alice", "a b&c").refresh_token("long-lived").expires_in(60);
    let registry = Registry::builder().bearer(bearer.clone()).start();
    let refreshed = post(&registry, "grant_type=refresh_token&refresh_token=long-lived");
    assert!(refreshed.text().contains("\"expires_in\":60") && refreshed.text().contains("access_token"));
    assert_eq!(post(&registry, "grant_type=refresh_token&refresh_token=other").status, 401);
    let offline = post(&registry, "grant_type=password&username=alice&password=a+b%26c&access_type=offline");
    let answer: Value = serde_json::from_slice(&offline.body).unwrap();
    let form = format!("grant_type=refresh_token&refresh_token={}", answer["refresh_token"].as_str().unwrap());
    assert_eq!(post(&registry, &form).status, 200);
    let registry = Registry::builder().bearer(bearer.without_post(405).on_own_port()).start();
    assert_eq!(post(&registry, "grant_type=refresh_token&refresh_token=long-lived").status, 405);
    let challenge = get(&Client::new(registry.host()), "/v2/").header("WWW-Authenticate").unwrap().to_owned();
    assert!(!challenge.contains(&registry.host()), "{challenge}");
}

#[test]
fn tls_asks_for_client_certificates() {
    let authority = Authority::new("testkit CA");
    let pair = authority.server(&["127.0.0.1"]);
    let registry = Registry::builder().tls(pair.server_config(Some(&authority))).start();
    let ca = authority.cert_pem();
    let known = client_config(&[&ca], Some(&authority.client("alice")));
    let client = Client::new(registry.host()).tls(known);
    client.push_image("app", "1", &image("amd64"));
    assert!(registry.url().starts_with("https://"));
    let plain = get(&Client::new(registry.host()), "/v2/");
    assert_eq!((plain.status, plain.text().contains("HTTPS server")), (400, true));
    let error = tls_error_of_plain_registry(&Registry::start(), &ca);
    assert!(error.contains("InvalidContentType"), "{error}");
    let client_without_certificate = Client::new(registry.host()).tls(client_config(&[&ca], None));
    assert!(client_without_certificate.try_request("GET", "/v2/", &[], b"").is_err());
    let expired = Registry::builder().tls(authority.expired_server(&["127.0.0.1"]).server_config(None)).start();
    let error = Client::new(expired.host()).tls(client_config(&[&ca], None)).try_request("GET", "/v2/", &[], b"");
    assert!(error.unwrap_err().to_string().contains("expired"));
}

/// What a TLS client is told by a registry that has no TLS.
fn tls_error_of_plain_registry(registry: &Registry, ca: &str) -> String {
    let client = Client::new(registry.host()).tls(client_config(&[ca], None));
    format!("{:?}", client.try_request("GET", "/v2/", &[], b"").unwrap_err())
}

#[test]
fn responses_are_changed_by_faults() {
    let registry = Registry::start();
    let image = image("amd64");
    registry.put_image("app", "1", &image);
    let client = Client::new(registry.host());
    let request_with = |fault: Fault| {
        registry.clear_faults();
        registry.add_fault(Rule::on("GET", "/manifests/"), fault);
        client.try_request("GET", "/v2/app/manifests/1", &[("Accept", "*/*")], b"")
    };
    for fault in [Fault::CutBeforeBody, Fault::CutAfterBody, Fault::CutAfterEffect] {
        assert!(request_with(fault).is_err());
        assert_eq!(registry.requests().pop().unwrap().status, 0);
    }
    assert!(request_with(Fault::ShortBody(10)).is_err());
    assert!(request_with(Fault::TruncatedChunk).is_err());
    let headers = vec![("Retry-After".to_owned(), "1".to_owned())];
    let busy = request_with(Fault::Status(429, "{}".into(), headers)).unwrap();
    assert_eq!((busy.status, busy.header("Retry-After")), (429, Some("1")));
    assert_ne!(request_with(Fault::WrongDigestHeader).unwrap().header("Docker-Content-Digest"), Some(&*image.digest()));
    assert_eq!(request_with(Fault::NoDigestHeader).unwrap().header("Docker-Content-Digest"), None);
    let corrupt = request_with(Fault::CorruptBody).unwrap().body;
    assert!(corrupt != image.manifest && serde_json::from_slice::<Value>(&corrupt).is_ok());
    assert_eq!(request_with(Fault::ContentType("a/b".into())).unwrap().header("content-type"), Some("a/b"));
    assert!(request_with(Fault::Html200).unwrap().text().starts_with("<!DOCTYPE html>"));
    let redirect = Fault::Redirect { status: 307, location: "http://cdn.test{path}".into() };
    let redirect = request_with(redirect).unwrap();
    assert_eq!(redirect.header("Location"), Some("http://cdn.test/v2/app/manifests/1"));
    assert_eq!(request_with(Fault::UnrequestedGzip).unwrap().body[..3], [0x1f, 0x8b, 8]);
    assert_eq!(request_with(Fault::EarlyFinal401).unwrap().status, 401);
    let stale = request_with(Fault::StaleClose).unwrap();
    assert_eq!((stale.status, stale.header("Connection")), (200, None));
}

#[test]
fn rules_count_what_they_match() {
    let registry = Registry::start();
    let client = Client::new(registry.host());
    registry.add_fault(Rule::on("GET", "/v2/").nth(2), Fault::status(503));
    registry.add_fault(Rule::any().authorized().first_n(1), Fault::status(500));
    let statuses: Vec<u16> = (0..3).map(|_| get(&client, "/v2/").status).collect();
    assert_eq!(statuses, [200, 503, 200]);
    let signed = client.authorization("Bearer x");
    assert_eq!([get(&signed, "/v2/").status, get(&signed, "/v2/").status], [500, 200]);
}

#[test]
fn a_held_response_waits_for_release_and_not_for_the_drop() {
    let registry = Registry::start();
    registry.add_fault(Rule::any(), Fault::Hang);
    let start_request = || {
        let client = Client::new(registry.host());
        thread::spawn(move || client.try_request("GET", "/v2/", &[], b""))
    };
    let held = start_request();
    registry.wait_until(|requests| requests.len() == 1);
    assert!(!held.is_finished());
    registry.release();
    assert_eq!(held.join().unwrap().unwrap().status, 200);
    let held = start_request();
    registry.wait_until(|requests| requests.len() == 2);
    drop(registry);
    assert!(held.join().unwrap().is_err());
}

#[test]
fn endless_answers_end_with_the_client_or_the_registry() {
    let registry = Registry::start();
    registry.add_fault(Rule::on("GET", "endless"), Fault::EndlessBody);
    registry.add_fault(Rule::on("GET", "huge"), Fault::HugeHeaders);
    for path in ["endless", "huge"] {
        let mut socket = TcpStream::connect(registry.addr()).unwrap();
        write!(socket, "GET /v2/{path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut some = vec![0; 1 << 20];
        socket.read_exact(&mut some).unwrap();
    }
    let mut left_open = TcpStream::connect(registry.addr()).unwrap();
    left_open.write_all(b"GET /v2/endless HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    registry.wait_until(|requests| requests.len() == 3);
    drop(registry);
}

#[test]
fn a_connection_is_kept_and_expectations_are_met() {
    let registry = Registry::builder().basic("a", "b").ipv6().start();
    assert!(registry.host().starts_with("[::1]:"));
    let mut socket = TcpStream::connect(registry.addr()).unwrap();
    let mut exchange = |request: &str, ending: &str| {
        socket.write_all(request.as_bytes()).unwrap();
        let mut received = Vec::new();
        while !String::from_utf8_lossy(&received).ends_with(ending) {
            let mut buffer = [0; 4096];
            let length = socket.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "closed after {}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&buffer[..length]);
        }
        String::from_utf8(received).unwrap()
    };
    let authorized = "Host: x\r\nAuthorization: Basic YTpi\r\n";
    for _ in 0..2 {
        assert!(exchange(&format!("GET /v2/ HTTP/1.1\r\n{authorized}\r\n"), "{}\n").starts_with("HTTP/1.1 200 "));
    }
    let put = format!("PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\n{authorized}Content-Length: 2\r\nExpect: 100-continue");
    assert_eq!(exchange(&format!("{put}\r\n\r\n"), "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(exchange("hi", "}\n").starts_with("HTTP/1.1 404 "));
    let refused =
        "PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    assert!(exchange(refused, "}\n").starts_with("HTTP/1.1 401 "));
    assert_eq!(socket.read(&mut [0; 1]).unwrap(), 0);
    let connections: Vec<usize> = registry.requests().iter().map(|request| request.connection).collect();
    assert_eq!((connections, registry.connections()), (vec![1, 1, 1, 1], 1));
    registry.clear_record();
    assert!(registry.requests().is_empty() && registry.connections() == 0);
}

#[test]
fn the_redirect_target_records_its_requests() {
    let other = RedirectTarget::start();
    other.serve("/blob?signed=1", "application/octet-stream", b"bytes");
    let client = Client::new(other.host()).bearer("secret");
    assert_eq!(get(&client, "/blob?signed=1").body, b"bytes");
    assert_eq!(get(&client, "/other").status, 404);
    assert_eq!(other.requests()[0].header("authorization"), Some("Bearer secret"));
}

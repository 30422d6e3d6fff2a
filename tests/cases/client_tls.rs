//! The registry client and TLS: which certificates it trusts, which it sends, and when it uses plain HTTP. The host
//! 0.0.0.0 reaches loopback under a name that is not loopback: it stands for a remote registry.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use docker_manifest::net::RegistryErrorKind;
use testkit::certs::{Authority, Pair, expired_self_signed_ca, self_signed_ca, write_pem};
use testkit::loopback::{Fault, RedirectTarget, Registry, Rule};
use testkit::relay::{Direction, Relay};

use super::client_fixture::{Fixture, FixtureBuilder, amd64_image};
use super::fake_clocks::RecordingClock;

const CERTIFICATE_NAMES: &[&str] = &["127.0.0.1", "0.0.0.0"];

/// The registry by a name that is not this machine's own: for those certs.d is not opened.
fn remote_host(registry: &Registry) -> String {
    format!("0.0.0.0:{}", registry.port())
}

fn remote_reference(registry: &Registry) -> String {
    format!("{}/a:1", remote_host(registry))
}

fn serve(pair: &Pair, clients: Option<&Authority>) -> Registry {
    let registry = Registry::builder().tls(pair.server_config(clients)).start();
    registry.put_image("a", "1", &amd64_image());
    registry
}

fn plain() -> Registry {
    let registry = Registry::start();
    registry.put_image("a", "1", &amd64_image());
    registry
}

/// The client with these files in the registry's directory of certs.d.
fn with_files(registry: &Registry, write: impl FnOnce(&Path)) -> Fixture {
    let builder = FixtureBuilder::new();
    write(&builder.certs_d(&remote_host(registry)));
    builder.build()
}

/// Why the manifest was not got, all that is said of it.
fn refusal(fixture: &Fixture, registry: &Registry) -> (RegistryErrorKind, String) {
    let error = fixture.manifest_by_full_name(&remote_reference(registry)).expect_err("it must be refused");
    assert!(registry.requests().is_empty(), "nothing is asked over a connection that is not trusted");
    (error.kind, error.to_string())
}

#[test]
fn an_authority_of_certs_d_is_trusted_for_its_host_alone() {
    let authority = Authority::new("house");
    let registry = serve(&authority.server(CERTIFICATE_NAMES), None);
    assert_eq!(refusal(&Fixture::new(), &registry).0, RegistryErrorKind::CertificateUntrusted);
    let builder = FixtureBuilder::new();
    authority.write(&builder.certs_d("0.0.0.0:1"), "ca.crt");
    assert_eq!(refusal(&builder.build(), &registry).0, RegistryErrorKind::CertificateUntrusted);
    let fixture = with_files(&registry, |directory| {
        write_pem(directory, "a.crt", "rubbish");
        write_pem(directory, "b.crt", "-----BEGIN CERTIFICATE-----\nbm90IHJlYWxseQ==\n-----END CERTIFICATE-----\n");
        authority.write(directory, "c.crt");
    });
    for _ in 0..2 {
        fixture.manifest_by_full_name(&remote_reference(&registry)).expect("the authority is known");
    }
    assert_eq!(registry.requests()[0].connection, registry.requests()[1].connection);
}

#[test]
fn a_self_signed_certificate_in_certs_d_is_trusted_with_name_and_dates_checked() {
    let trust = |pair: &Pair, other: &Pair| {
        let registry = serve(pair, None);
        let fixture = with_files(&registry, |directory| drop(write_pem(directory, "ca.crt", &other.cert)));
        (fixture, registry)
    };
    let self_signed = self_signed_ca(CERTIFICATE_NAMES);
    let (fixture, registry) = trust(&self_signed, &self_signed);
    fixture.manifest_by_full_name(&remote_reference(&registry)).expect("the certificate itself lies in certs.d");
    let expired = expired_self_signed_ca(CERTIFICATE_NAMES);
    let other_name = self_signed_ca(&["elsewhere.test"]);
    for (served, known, expected, word) in [
        (&expired, &expired, RegistryErrorKind::CertificateInvalid, "expired"),
        (&other_name, &other_name, RegistryErrorKind::CertificateInvalid, "name"),
        (&self_signed, &expired, RegistryErrorKind::CertificateUntrusted, "is not among those that are trusted"),
    ] {
        let (fixture, registry) = trust(served, known);
        let (kind, text) = refusal(&fixture, &registry);
        assert_eq!(kind, expected, "{text}");
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn tls_names_and_dates_are_checked() {
    let authority = Authority::new("house");
    for (pair, word) in [
        (authority.expired_server(CERTIFICATE_NAMES), "expired"),
        (authority.server(&["elsewhere.test"]), "elsewhere.test"),
    ] {
        let registry = serve(&pair, None);
        let fixture = with_files(&registry, |directory| drop(authority.write(directory, "ca.crt")));
        let (kind, text) = refusal(&fixture, &registry);
        assert_eq!(kind, RegistryErrorKind::CertificateInvalid, "{text}");
        assert!(text.contains(word), "{text}");
        FixtureBuilder::new()
            .insecure()
            .build()
            .manifest_by_full_name(&remote_reference(&registry))
            .expect("--insecure does not look");
    }
}

#[test]
fn a_client_certificate_is_sent_on_request() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let registry = serve(&servers.server(CERTIFICATE_NAMES), Some(&clients));
    let with_pairs = |pairs: &[(&str, Pair)]| {
        with_files(&registry, |directory| {
            servers.write(directory, "ca.crt");
            for (name, pair) in pairs {
                pair.write(directory, &format!("{name}.cert"), &format!("{name}.key"));
            }
        })
    };
    assert_eq!(refusal(&with_pairs(&[]), &registry).0, RegistryErrorKind::ClientCertificate);
    let untrusted_pair = || ("a", Authority::new("strangers").client("me"));
    assert_eq!(refusal(&with_pairs(&[untrusted_pair()]), &registry).0, RegistryErrorKind::ClientCertificate);
    // Of several, the one whose authority the server names.
    let fixture = with_pairs(&[untrusted_pair(), ("b", clients.client("me"))]);
    fixture.manifest_by_full_name(&remote_reference(&registry)).expect("the pair opens the door");
}

#[test]
fn an_invalid_or_incomplete_client_certificate_names_its_file() {
    let authority = Authority::new("house");
    let registry = serve(&authority.server(CERTIFICATE_NAMES), None);
    let (good, other) = (authority.client("me"), authority.client("other"));
    let block = |what: &str| format!("-----BEGIN {what}-----\nbm90IHJlYWxseQ==\n-----END {what}-----\n");
    let half = |text: &str| text[..text.len() / 2].to_owned();
    for (cert, key, named) in [
        (Some(good.cert.clone()), None, "missing key me.key for client certificate me.cert"),
        (None, Some(good.key.clone()), "missing client certificate me.cert for key me.key"),
        (Some("rubbish".to_owned()), Some(good.key.clone()), "me.cert: "),
        (Some(block("CERTIFICATE")), Some(good.key.clone()), "me.cert: "),
        (Some(half(&good.cert)), Some(good.key.clone()), "me.cert: "),
        (Some(good.cert.clone()), Some("rubbish".to_owned()), "me.key: "),
        (Some(good.cert.clone()), Some(block("PRIVATE KEY")), "me.key: "),
        (Some(good.key.clone()), Some(good.cert.clone()), "me.cert: "),
        (Some(good.cert.clone()), Some(other.key.clone()), "not a pair"),
    ] {
        let fixture = with_files(&registry, |directory| {
            for (name, text) in [("me.cert", cert), ("me.key", key)] {
                text.map(|text| write_pem(directory, name, &text));
            }
        });
        let (kind, text) = refusal(&fixture, &registry);
        assert_eq!(kind, RegistryErrorKind::TlsFiles, "{text}");
        assert!(text.contains(named), "{text}");
    }
}

#[test]
fn plain_http_is_used_for_loopback_and_with_insecure() {
    let registry = plain();
    let other_name = format!("0.0.0.0:{}/a:1", registry.port());
    Fixture::new().manifest(&registry, "a:1").expect("loopback may speak plain HTTP");
    let fixture = FixtureBuilder::new().insecure().build();
    fixture.manifest_by_full_name(&other_name).expect("--insecure falls back");
    fixture.manifest_by_full_name(&other_name).expect("and remembers");
    let requests = registry.requests().len();
    assert_eq!(requests, 3, "looking for TLS is no request");
    let error = Fixture::new().manifest_by_full_name(&other_name).expect_err("nowhere else");
    assert_eq!(error.kind, RegistryErrorKind::PlainHttp);
    assert_eq!(registry.requests().len(), requests);
}

#[test]
fn a_bad_certificate_on_loopback_is_never_a_reason_for_plain_http() {
    let registry = serve(&Authority::new("nobody").server(CERTIFICATE_NAMES), None);
    let error = Fixture::new().manifest(&registry, "a:1").expect_err("nobody knows the authority");
    assert_eq!((error.kind, registry.requests().len()), (RegistryErrorKind::CertificateUntrusted, 0));
}

/// It would answer plain HTTP with 400 from then on.
#[test]
fn a_handshake_that_a_busy_tls_server_ends_is_repeated_with_tls() {
    let registry = serve(&Authority::new("house").server(CERTIFICATE_NAMES), None);
    let relay = Relay::start(registry.addr());
    relay.cut_next(1, Direction::ToServer, 0);
    let name = format!("{}/a:1", relay.proxy.host());
    let fixture = FixtureBuilder::new().insecure().retries(1, RecordingClock::new()).build();
    fixture.manifest_by_full_name(&name).expect("the second handshake is completed");
    assert_eq!((relay.cut_count(), registry.requests().len()), (1, 1));
    relay.cut_next(1, Direction::ToServer, 0);
    let fixture = FixtureBuilder::new().insecure().build();
    let error = fixture.manifest_by_full_name(&name).expect_err("without another attempt it fails");
    assert!(error.to_string().contains("closed during the TLS handshake"), "{error}");
}

#[test]
fn a_redirect_from_https_to_http_is_for_insecure_only() {
    let authority = Authority::new("house");
    let registry = serve(&authority.server(CERTIFICATE_NAMES), None);
    let redirect_target = RedirectTarget::start();
    let image = amd64_image();
    redirect_target.serve("/v2/a/manifests/1", &image.media_type, &image.manifest);
    let location = format!("http://{}{{path}}", redirect_target.host());
    registry.add_fault(Rule::any(), Fault::Redirect { status: 302, location });
    let fixture = with_files(&registry, |directory| drop(authority.write(directory, "ca.crt")));
    assert_eq!(
        fixture.manifest_by_full_name(&remote_reference(&registry)).map_err(|error| error.kind),
        Err(RegistryErrorKind::Protocol)
    );
    assert!(redirect_target.requests().is_empty());
    FixtureBuilder::new()
        .insecure()
        .build()
        .manifest_by_full_name(&remote_reference(&registry))
        .expect("--insecure allows it");
}

#[test]
fn the_authorities_of_a_registry_apply_to_its_redirects() {
    let authority = Authority::new("house");
    let registry = serve(&authority.server(CERTIFICATE_NAMES), None);
    let redirect_target = RedirectTarget::start_tls(authority.server(CERTIFICATE_NAMES).server_config(None));
    let image = amd64_image();
    redirect_target.serve("/v2/a/manifests/1", &image.media_type, &image.manifest);
    registry.add_fault(
        Rule::any(),
        Fault::Redirect { status: 302, location: format!("https://{}{{path}}", redirect_target.host()) },
    );
    let fixture = with_files(&registry, |directory| drop(authority.write(directory, "ca.crt")));
    fixture.manifest_by_full_name(&remote_reference(&registry)).expect("one authority for the house");
}

#[test]
fn a_client_certificate_is_not_sent_to_a_redirect() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let registry = serve(&servers.server(CERTIFICATE_NAMES), Some(&clients));
    let redirect_target = RedirectTarget::start_tls(servers.server(CERTIFICATE_NAMES).server_config(Some(&clients)));
    let image = amd64_image();
    redirect_target.serve("/v2/a/manifests/1", &image.media_type, &image.manifest);
    let location = format!("https://{}{{path}}", redirect_target.host());
    registry.add_fault(Rule::any(), Fault::Redirect { status: 302, location });
    let builder = FixtureBuilder::new();
    let show = |host: &str| {
        servers.write(&builder.certs_d(host), "ca.crt");
        clients.client("me").write(&builder.certs_d(host), "me.cert", "me.key");
    };
    show(&remote_host(&registry));
    let fixture = builder.build();
    let error =
        fixture.manifest_by_full_name(&remote_reference(&registry)).expect_err("the pair is the registry's alone");
    assert_eq!(error.kind, RegistryErrorKind::ClientCertificate, "{error}");
    assert_eq!((registry.requests().len(), redirect_target.requests().len()), (1, 0));
}

#[test]
fn plain_http_goes_through_a_proxy_in_absolute_form() {
    let proxy = RedirectTarget::start();
    let image = amd64_image();
    proxy.serve("http://0.0.0.0:1/v2/a/manifests/1", &image.media_type, &image.manifest);
    let fixture =
        FixtureBuilder::new().insecure().env("http_proxy", format!("http://me:hunter2@{}", proxy.host())).build();
    for _ in 0..2 {
        fixture.manifest_by_full_name("0.0.0.0:1/a:1").expect("the proxy has it");
    }
    let seen = proxy.requests();
    assert_eq!(seen.len(), 2);
    for request in &seen {
        assert_eq!(request.header("Proxy-Authorization"), Some("Basic bWU6aHVudGVyMg=="));
        assert_eq!(request.header("Host"), Some("0.0.0.0:1"));
        assert_eq!(request.connection, seen[0].connection);
    }
    assert!(!fixture.trace().join(" ").contains("hunter2"));
}

/// Answers one CONNECT, then carries bytes both ways; gives the head of the request.
fn tunnel_once(listener: &TcpListener, status: &str) -> String {
    let (client, _) = listener.accept().expect("a client");
    let mut reader = BufReader::new(client.try_clone().expect("a second handle"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).expect("the head"), 0);
    }
    let mut client = client;
    client.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).expect("an answer");
    if !status.starts_with("200") {
        return head;
    }
    let target = head.split(' ').nth(1).expect("a target").to_owned();
    let server = TcpStream::connect(target).expect("the target");
    let (mut up, mut back) = (server.try_clone().expect("a second handle"), server);
    let carry = std::thread::spawn(move || {
        let _ = std::io::copy(&mut reader, &mut up);
        let _ = up.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut back, &mut client);
    carry.join().expect("no panic");
    head
}

#[test]
fn https_goes_through_a_proxy_by_connect() {
    let authority = Authority::new("house");
    let registry = serve(&authority.server(CERTIFICATE_NAMES), None);
    let host = remote_host(&registry);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let proxy = std::thread::spawn(move || (tunnel_once(&listener, "200 OK"), tunnel_once(&listener, "407 No")));
    let builder = || {
        let builder = FixtureBuilder::new().env("HTTPS_PROXY", format!("http://me:hunter2@{address}"));
        authority.write(&builder.certs_d(&host), "ca.crt");
        builder.build()
    };
    let fixture = builder();
    fixture.manifest_by_full_name(&format!("{host}/a:1")).expect("through the tunnel");
    drop(fixture);
    let error = builder().manifest_by_full_name(&format!("{host}/a:1")).expect_err("the proxy refuses");
    assert_eq!(error.kind, RegistryErrorKind::Proxy, "{error}");
    let (head, _) = proxy.join().expect("no panic");
    assert!(head.starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic bWU6aHVudGVyMg==\r\n"), "{head}");
}

#[test]
fn a_proxy_that_cannot_be_used_is_named() {
    let image = "0.0.0.0:1/a:1";
    for (value, word) in [("socks5://127.0.0.1:1", "SOCKS"), ("http://127.0.0.1:1", "refused")] {
        let error = FixtureBuilder::new()
            .env("https_proxy", value)
            .build()
            .manifest_by_full_name(image)
            .expect_err("no such proxy");
        assert_eq!(error.kind, RegistryErrorKind::Proxy, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

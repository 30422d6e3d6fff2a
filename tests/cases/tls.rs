//! HTTPS with a real docker-registry on loopback: which certificates are trusted, and the errors of the others.
//! Neither docker nor this program reads certs.d for loopback names, so the registry is named 0.0.0.0;
//! `tls_beside_docker` compares both programs.

use std::fs;

use testkit::certs::{Authority, Pair, expired_self_signed_ca, self_signed_ca, write_pem};
use testkit::sandbox::on_path;
use testkit::skip::skipped;

use super::real_fixture::{Fixture, RequiredAuth, assert_refused, assert_refused_in_first_line, tls_files};

const CERTIFICATE_NAMES: &[&str] = &["0.0.0.0", "127.0.0.1", "localhost"];

/// A scene whose server's certificate is of this authority, which lies in certs.d.
fn trusted(authority: &Authority, pair: &Pair, clients: Option<&Authority>) -> Option<Fixture> {
    let mut fixture = Fixture::https(pair, clients)?;
    authority.write(&fixture.create_certs_d(), "ca.crt");
    Some(fixture)
}

#[test]
fn an_unknown_authority_is_named_in_the_error() {
    let Some(fixture) = Fixture::https(&Authority::new("nobody").server(CERTIFICATE_NAMES), None) else { return };
    let image = fixture.name("team/amd:1");
    for output in [fixture.create(), fixture.ours(&["inspect", &image])] {
        assert_refused_in_first_line(&output, &["certificate"]);
        assert_refused(&output, &["certs.d", "--insecure", &fixture.host]);
    }
    assert!(testkit::sandbox::tree_without_root_dot_names(&fixture.sandbox.store()).is_empty());
}

#[test]
fn the_hint_names_the_directory_that_would_be_read() {
    let Some(mut fixture) = Fixture::https(&Authority::new("nobody").server(CERTIFICATE_NAMES), None) else { return };
    let directory = fixture.create_certs_d();
    assert_refused(&fixture.create(), &[&directory.display().to_string()]);
}

#[test]
fn an_authority_in_certs_d_is_trusted() {
    let authority = Authority::new("house");
    let Some(fixture) = trusted(&authority, &authority.server(CERTIFICATE_NAMES), None) else { return };
    fixture.create_and_push();
}

#[test]
fn an_authority_in_certs_d_of_another_port_is_not_trusted() {
    let authority = Authority::new("house");
    let Some(mut fixture) = Fixture::https(&authority.server(CERTIFICATE_NAMES), None) else { return };
    let directory = fixture.create_certs_d();
    authority.write(&directory.with_file_name("0.0.0.0:1"), "ca.crt");
    assert_refused_in_first_line(&fixture.create(), &["certificate"]);
}

#[test]
fn only_crt_files_are_authorities() {
    let authority = Authority::new("house");
    let Some(mut fixture) = Fixture::https(&authority.server(CERTIFICATE_NAMES), None) else { return };
    authority.write(&fixture.create_certs_d(), "ca.pem");
    assert_refused_in_first_line(&fixture.create(), &["certificate"]);
}

#[test]
fn several_authorities_are_trusted_from_one_or_more_files() {
    let (first, second) = (Authority::new("one"), Authority::new("two"));
    let Some(mut fixture) = Fixture::https(&second.server(CERTIFICATE_NAMES), None) else { return };
    let directory = fixture.create_certs_d();
    let two_certificates = format!("A remark, as openssl -text writes it\n{}{}", first.cert_pem(), second.cert_pem());
    write_pem(&directory, "bundle.crt", &two_certificates);
    Authority::new("three").write(&directory, "another.crt");
    fixture.create_and_push();
}

#[test]
fn the_certificate_of_dockers_documentation_works() {
    let pair = self_signed_ca(CERTIFICATE_NAMES);
    let Some(mut fixture) = Fixture::https(&pair, None) else { return };
    let directory = fixture.create_certs_d();
    assert_refused_in_first_line(&fixture.create(), &["certificate"]);
    write_pem(&directory, "ca.crt", &pair.cert);
    fixture.create_and_push();
}

#[test]
fn a_self_signed_certificate_other_than_the_one_in_certs_d_is_refused() {
    let Some(mut fixture) = Fixture::https(&self_signed_ca(CERTIFICATE_NAMES), None) else { return };
    write_pem(&fixture.create_certs_d(), "ca.crt", &self_signed_ca(CERTIFICATE_NAMES).cert);
    assert_refused_in_first_line(&fixture.create(), &["certificate"]);
}

#[test]
fn a_self_signed_certificate_is_still_checked_for_dates_and_name() {
    for (pair, word) in
        [(expired_self_signed_ca(CERTIFICATE_NAMES), "expired"), (self_signed_ca(&["elsewhere.test"]), "name")]
    {
        let Some(mut fixture) = Fixture::https(&pair, None) else { return };
        write_pem(&fixture.create_certs_d(), "ca.crt", &pair.cert);
        assert_refused(&fixture.create(), &["certificate", word]);
    }
}

#[test]
fn an_expired_certificate_is_refused() {
    let authority = Authority::new("house");
    let Some(fixture) = trusted(&authority, &authority.expired_server(CERTIFICATE_NAMES), None) else { return };
    assert_refused_in_first_line(&fixture.create(), &["certificate"]);
    assert_refused(&fixture.create(), &["expired"]);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new("house");
    let Some(fixture) = trusted(&authority, &authority.server(&["elsewhere.test"]), None) else { return };
    let output = fixture.create();
    assert_refused_in_first_line(&output, &["certificate"]);
    assert_refused(&output, &["name"]);
}

#[test]
fn a_client_certificate_grants_access() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let Some(mut fixture) = trusted(&servers, &servers.server(CERTIFICATE_NAMES), Some(&clients)) else { return };
    clients.client("me").write(&fixture.create_certs_d(), "client.cert", "client.key");
    fixture.create_and_push();
}

#[test]
fn access_is_refused_without_a_client_certificate() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let Some(fixture) = trusted(&servers, &servers.server(CERTIFICATE_NAMES), Some(&clients)) else { return };
    assert_refused_in_first_line(&fixture.create(), &["certificate"]);
}

#[test]
fn a_client_certificate_of_another_authority_is_refused() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let Some(mut fixture) = trusted(&servers, &servers.server(CERTIFICATE_NAMES), Some(&clients)) else { return };
    Authority::new("stranger").client("me").write(&fixture.create_certs_d(), "client.cert", "client.key");
    assert_refused_in_first_line(&fixture.create(), &["certificate"]);
}

#[test]
fn an_incomplete_client_certificate_names_its_file() {
    let authority = Authority::new("house");
    let Some(mut fixture) = trusted(&authority, &authority.server(CERTIFICATE_NAMES), None) else { return };
    let directory = fixture.create_certs_d();
    let pair = authority.client("me");
    for (name, pem) in [("mine.cert", &pair.cert), ("mine.key", &pair.key)] {
        let path = write_pem(&directory, name, pem);
        assert_refused_in_first_line(&fixture.create(), &["mine.cert", "mine.key"]);
        fs::remove_file(path).expect("the file just written");
    }
    fixture.create_and_push();
}

#[test]
fn an_invalid_client_certificate_names_its_file() {
    let authority = Authority::new("house");
    let Some(mut fixture) = trusted(&authority, &authority.server(CERTIFICATE_NAMES), None) else { return };
    let directory = fixture.create_certs_d();
    let (good, other) = (authority.client("me"), authority.client("other"));
    let block = |what: &str| format!("-----BEGIN {what}-----\nbm90IHJlYWxseQ==\n-----END {what}-----\n");
    let cases = [
        ("rubbish for a certificate", "rubbish".to_owned(), good.key.clone(), "mine.cert"),
        ("rubbish for a key", good.cert.clone(), "rubbish".to_owned(), "mine.key"),
        ("an empty certificate", String::new(), good.key.clone(), "mine.cert"),
        ("an empty key", good.cert.clone(), String::new(), "mine.key"),
        ("PEM around no certificate", block("CERTIFICATE"), good.key.clone(), "mine.cert"),
        ("PEM around no key", good.cert.clone(), block("PRIVATE KEY"), "mine.key"),
        ("a cut certificate", good.cert[..good.cert.len() / 2].to_owned(), good.key.clone(), "mine.cert"),
        ("the two swapped", good.key.clone(), good.cert.clone(), "mine."),
        ("the key of another", good.cert.clone(), other.key.clone(), "mine."),
    ];
    for (what, cert, key, named) in cases {
        write_pem(&directory, "mine.cert", &cert);
        write_pem(&directory, "mine.key", &key);
        let output = fixture.create();
        assert!(output.err().contains(named), "{what}: {}", output.err());
        assert_refused_in_first_line(&output, &[named]);
    }
}

#[test]
fn insecure_trusts_any_certificate() {
    let authority = Authority::new("nobody");
    for pair in [
        authority.server(CERTIFICATE_NAMES),
        authority.expired_server(CERTIFICATE_NAMES),
        authority.server(&["elsewhere.test"]),
    ] {
        let Some(fixture) = Fixture::https(&pair, None) else { return };
        let [verb, list, amd64, arm64] = fixture.create_args();
        let _ = fixture.ours(&[&verb, "--insecure", &list, &amd64, &arm64]).success();
        let pushed = fixture.ours(&["push", "--insecure", &list]).success();
        assert_eq!(pushed.out(), fixture.expected_push_output());
        fixture.assert_pushed();
    }
}

#[test]
fn ssl_cert_file_names_the_systems_roots() {
    let authority = Authority::new("house");
    let Some(mut fixture) = Fixture::https(&authority.server(CERTIFICATE_NAMES), None) else { return };
    let roots = authority.write(fixture.sandbox.path(), "roots.pem");
    fixture.sandbox.set("SSL_CERT_FILE", roots);
    fixture.create_and_push();
}

/// As in Go: each variable stands for its half of the system's authorities, and one that is empty is not set.
#[test]
fn ssl_cert_dir_names_the_systems_directories_and_leaves_the_file() {
    let authority = Authority::new("house");
    let Some(mut fixture) = Fixture::https(&authority.server(CERTIFICATE_NAMES), None) else { return };
    let directory = fixture.sandbox.path().join("roots");
    let file = authority.write(&directory, "any-name");
    fixture.sandbox.set("SSL_CERT_DIR", format!("/none:{}", directory.display()));
    for missing in ["", "/none/of/it"] {
        fixture.sandbox.set("SSL_CERT_FILE", missing);
        let _ = fixture.create().success();
        let _ = std::fs::remove_dir_all(fixture.sandbox.store());
    }
    fixture.sandbox.set("SSL_CERT_DIR", "/none");
    assert_refused_in_first_line(&fixture.create(), &["certificate"]);
    fixture.sandbox.set("SSL_CERT_FILE", file);
    let _ = fixture.create().success();
}

#[test]
fn credentials_go_over_https_too() {
    let authority = Authority::new("house");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let tls = tls_files(dir.path(), &authority.server(CERTIFICATE_NAMES), None);
    let Some(mut fixture) = Fixture::start(RequiredAuth::Htpasswd, Some(tls), None).map(Fixture::by_remote_name) else {
        return;
    };
    authority.write(&fixture.create_certs_d(), "ca.crt");
    let (user, password) = (testkit::real::HTPASSWD_USER, testkit::real::HTPASSWD_PASSWORD);
    let entry = serde_json::json!({ "username": user, "password": password });
    fixture.sandbox.write_config(&serde_json::json!({ "auths": { fixture.host.as_str(): entry } }).to_string());
    fixture.create_and_push();
}

/// The commands of docker's pages on insecure registries and on client certificates, run as they stand there.
#[test]
fn files_made_by_openssl_as_documented_work() {
    if !on_path("openssl") {
        return skipped("files made by openssl", "there is no openssl");
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let openssl = |args: &str| {
        let output = std::process::Command::new("openssl").args(args.split(' ')).current_dir(dir.path()).output();
        let output = output.expect("openssl runs");
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(
        "req -newkey rsa:2048 -nodes -sha256 -keyout domain.key -addext subjectAltName=IP:0.0.0.0 -x509 -days 365 \
         -out domain.crt -subj /CN=0.0.0.0",
    );
    openssl("genrsa -traditional -out client.key 2048");
    openssl("req -new -x509 -text -key client.key -out client.cert -subj /CN=me");
    let file = |name: &str| dir.path().join(name);
    let tls =
        testkit::real::Tls { cert: file("domain.crt"), key: file("domain.key"), client_ca: Some(file("client.cert")) };
    let Some(mut fixture) = Fixture::start(RequiredAuth::Open, Some(tls), None).map(Fixture::by_remote_name) else {
        return;
    };
    let directory = fixture.create_certs_d();
    for (from, to) in [("domain.crt", "ca.crt"), ("client.cert", "client.cert"), ("client.key", "client.key")] {
        fs::copy(file(from), directory.join(to)).expect("a copy");
    }
    fixture.create_and_push();
}

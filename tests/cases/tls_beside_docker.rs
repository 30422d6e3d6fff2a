//! HTTPS compared with the real docker client, in a network namespace where the registry has a name that is not
//! loopback: there docker reads certs.d and demands `--insecure` for plain HTTP, as it does out in the world.
//! Exit code, stdout and what then lies in the registry must be the same; the words on stderr are ours.

use serde_json::json;
use testkit::certs::{Authority, Pair, expired_self_signed_ca, self_signed_ca, write_pem};
use testkit::netns::{HOST, Netns, OTHER_HOST};
use testkit::real::{HTPASSWD_PASSWORD, HTPASSWD_USER};
use testkit::registry_filesystem::Manifest;
use testkit::sandbox::{Output, on_path};
use testkit::skip::skipped;

use super::real_fixture::{Fixture, OURS, RequiredAuth, assert_refused_in_first_line, tls_files};

const HOSTS: &[&str] = &[HOST];

/// A namespace, where there can be one and a docker client to compare with.
fn netns() -> Option<Netns> {
    if !on_path("docker") {
        skipped("HTTPS compared with docker", "there is no docker client");
        return None;
    }
    Netns::create_or_skip("HTTPS compared with docker")
}

/// What a client did: create, push (only if the create worked), and what the registry has then.
#[derive(Debug, PartialEq)]
struct ClientOutcome {
    create: (i32, String),
    push: Option<(i32, String)>,
    pushed: Option<Manifest>,
}

struct DockerFixture {
    netns: Netns,
    fixture: Fixture,
}

impl DockerFixture {
    fn start(auth: RequiredAuth, pair: Option<&Pair>, clients: Option<&Authority>) -> Option<Self> {
        let netns = netns()?;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let tls = pair.map(|pair| tls_files(dir.path(), pair, clients));
        let fixture = Fixture::start(auth, tls, Some(netns.name()))?;
        Some(Self { netns, fixture })
    }

    fn https(pair: &Pair) -> Option<Self> {
        Self::start(RequiredAuth::Open, Some(pair), None)
    }

    fn run(&self, program: &[&str], args: &[&str]) -> Output {
        let prefix = ["netns", "exec", self.netns.name()];
        self.fixture.sandbox.command("ip").args(prefix).args(program.iter().copied()).args(args.iter().copied()).run()
    }

    /// One client from a clean start; the second value is the last thing it said on stderr.
    fn run_client_afresh(&self, program: &[&str], flags: &[&str]) -> (ClientOutcome, Output) {
        let _ = std::fs::remove_dir_all(self.fixture.sandbox.store());
        self.fixture.storage.remove_repository("team/app");
        let [verb, list, amd64, arm64] = self.fixture.create_args();
        let mut args = vec![verb.as_str()];
        args.extend(flags);
        args.extend([list.as_str(), &amd64, &arm64]);
        let create = self.run(program, &args);
        let mut outcome = ClientOutcome { create: (create.code, create.out()), push: None, pushed: None };
        if create.code != 0 {
            return (outcome, create);
        }
        let mut args = vec!["push"];
        args.extend(flags);
        args.push(&list);
        let push = self.run(program, &args);
        outcome.push = Some((push.code, push.out()));
        outcome.pushed = self.fixture.storage.tag("team/app", "1");
        (outcome, push)
    }

    fn assert_same_outcome(&self, flags: &[&str]) -> (ClientOutcome, Output) {
        let (docker, docker_output) = self.run_client_afresh(&["docker", "manifest"], flags);
        let (ours, last) = self.run_client_afresh(&[OURS], flags);
        assert_eq!(ours, docker, "ours said: {}\ndocker said: {}", last.err(), docker_output.err());
        (ours, last)
    }

    #[track_caller]
    fn assert_both_succeed(&self, flags: &[&str]) {
        let (did, last) = self.assert_same_outcome(flags);
        assert_eq!(did.push, Some((0, self.fixture.expected_push_output())), "{}", last.err());
        self.fixture.assert_pushed();
    }

    /// Both refuse the create; ours says these words first.
    #[track_caller]
    fn assert_both_fail(&self, first_line_words: &[&str]) {
        let (did, last) = self.assert_same_outcome(&[]);
        assert_eq!(did.create.0, 1);
        assert_refused_in_first_line(&last, first_line_words);
    }
}

#[test]
fn a_private_authority_is_refused_unless_it_is_in_certs_d_or_insecure_is_set() {
    let authority = Authority::new("house");
    let Some(mut docker_fixture) = DockerFixture::https(&authority.server(HOSTS)) else { return };
    docker_fixture.assert_both_fail(&["certificate"]);
    docker_fixture.assert_both_succeed(&["--insecure"]);
    authority.write(&docker_fixture.fixture.create_certs_d(), "ca.crt");
    docker_fixture.assert_both_succeed(&[]);
}

#[test]
fn a_self_signed_certificate_is_accepted_once_it_is_in_certs_d() {
    let pair = self_signed_ca(HOSTS);
    let Some(mut docker_fixture) = DockerFixture::https(&pair) else { return };
    docker_fixture.assert_both_fail(&["certificate"]);
    write_pem(&docker_fixture.fixture.create_certs_d(), "ca.crt", &pair.cert);
    docker_fixture.assert_both_succeed(&[]);
}

#[test]
fn an_expired_self_signed_certificate_is_refused() {
    let pair = expired_self_signed_ca(HOSTS);
    let Some(mut docker_fixture) = DockerFixture::https(&pair) else { return };
    write_pem(&docker_fixture.fixture.create_certs_d(), "ca.crt", &pair.cert);
    docker_fixture.assert_both_fail(&["certificate"]);
}

#[test]
fn client_certificates_need_their_key() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let started = DockerFixture::start(RequiredAuth::Open, Some(&servers.server(HOSTS)), Some(&clients));
    let Some(mut docker_fixture) = started else { return };
    let directory = docker_fixture.fixture.create_certs_d();
    servers.write(&directory, "ca.crt");
    docker_fixture.assert_both_fail(&["certificate"]);
    let pair = clients.client("me");
    pair.write(&directory, "client.cert", "client.key");
    docker_fixture.assert_both_succeed(&[]);
    write_pem(&directory, "client.key", &clients.client("other").key);
    docker_fixture.assert_both_fail(&["client."]);
    std::fs::remove_file(directory.join("client.key")).expect("the file just written");
    docker_fixture.assert_both_fail(&["client.key", "client.cert"]);
    write_pem(&directory, "client.key", &pair.key);
    std::fs::remove_file(directory.join("client.cert")).expect("the file just written");
    docker_fixture.assert_both_fail(&["client.key", "client.cert"]);
}

#[test]
fn an_invalid_file_in_certs_d_is_ignored() {
    let authority = Authority::new("house");
    let Some(mut docker_fixture) = DockerFixture::https(&authority.server(HOSTS)) else { return };
    let directory = docker_fixture.fixture.create_certs_d();
    authority.write(&directory, "ca.crt");
    // Docker passes over what is no certificate, whatever it is called.
    write_pem(&directory, "readme.txt", "not for machines");
    write_pem(&directory, "a.crt", "rubbish");
    write_pem(&directory, "z.crt", "-----BEGIN CERTIFICATE-----\nbm90IHJlYWxseQ==\n-----END CERTIFICATE-----\n");
    docker_fixture.assert_both_succeed(&[]);
}

#[test]
fn an_expired_server_certificate_is_refused() {
    let authority = Authority::new("house");
    let Some(mut docker_fixture) = DockerFixture::https(&authority.expired_server(HOSTS)) else { return };
    authority.write(&docker_fixture.fixture.create_certs_d(), "ca.crt");
    docker_fixture.assert_both_fail(&["certificate"]);
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new("house");
    let Some(mut docker_fixture) = DockerFixture::https(&authority.server(HOSTS)) else { return };
    docker_fixture.fixture.host = docker_fixture.fixture.host.replace(HOST, OTHER_HOST);
    authority.write(&docker_fixture.fixture.create_certs_d(), "ca.crt");
    docker_fixture.assert_both_fail(&["certificate"]);
    docker_fixture.assert_both_succeed(&["--insecure"]);
}

#[test]
fn authorities_in_ssl_cert_file_are_trusted() {
    let authority = Authority::new("house");
    let Some(mut docker_fixture) = DockerFixture::https(&authority.server(HOSTS)) else { return };
    let roots = authority.write(docker_fixture.fixture.sandbox.path(), "roots.pem");
    docker_fixture.fixture.sandbox.set("SSL_CERT_FILE", roots);
    docker_fixture.assert_both_succeed(&[]);
}

/// As docker's page has it for those who trust a self-signed certificate in the whole system.
#[test]
fn a_self_signed_certificate_is_accepted_among_the_systems_roots() {
    let pair = self_signed_ca(HOSTS);
    let Some(mut docker_fixture) = DockerFixture::https(&pair) else { return };
    let roots = write_pem(docker_fixture.fixture.sandbox.path(), "roots.pem", &pair.cert);
    docker_fixture.fixture.sandbox.set("SSL_CERT_FILE", roots);
    docker_fixture.assert_both_succeed(&[]);
}

/// A difference meant: with `--insecure` docker's create does not open certs.d and its push does; ours opens it for
/// neither.
#[test]
fn insecure_push_ignores_half_a_client_pair() {
    let authority = Authority::new("house");
    let Some(mut docker_fixture) = DockerFixture::https(&authority.server(HOSTS)) else { return };
    write_pem(&docker_fixture.fixture.create_certs_d(), "client.cert", &authority.client("me").cert);
    let (docker, _) = docker_fixture.run_client_afresh(&["docker", "manifest"], &["--insecure"]);
    assert_eq!((docker.create.0, docker.push), (0, Some((1, String::new()))));
    let (ours, last) = docker_fixture.run_client_afresh(&[OURS], &["--insecure"]);
    assert_eq!(ours.push, Some((0, docker_fixture.fixture.expected_push_output())), "{}", last.err());
}

#[test]
fn a_directory_in_place_of_an_authority_file_fails_as_in_docker() {
    let authority = Authority::new("house");
    let Some(mut docker_fixture) = DockerFixture::https(&authority.server(HOSTS)) else { return };
    let directory = docker_fixture.fixture.create_certs_d();
    authority.write(&directory, "ca.crt");
    std::fs::create_dir(directory.join("old.crt")).expect("a directory in the sandbox");
    docker_fixture.assert_both_fail(&["old.crt"]);
}

#[test]
fn plain_http_needs_insecure() {
    let Some(docker_fixture) = DockerFixture::start(RequiredAuth::Open, None, None) else { return };
    docker_fixture.assert_both_fail(&["http"]);
    docker_fixture.assert_both_succeed(&["--insecure"]);
    let inspect = docker_fixture.run(&[OURS], &["inspect", &docker_fixture.fixture.name("team/amd:1")]);
    assert_refused_in_first_line(&inspect, &["http"]);
    assert!(inspect.err().contains("--insecure"), "{}", inspect.err());
}

#[test]
fn an_unresolvable_host_is_named_in_the_error() {
    let Some(mut docker_fixture) = DockerFixture::start(RequiredAuth::Open, None, None) else { return };
    docker_fixture.fixture.host = docker_fixture.fixture.host.replace(HOST, "nowhere.test");
    docker_fixture.assert_both_fail(&["nowhere.test"]);
}

#[test]
fn login_passwords_are_checked_over_https() {
    let authority = Authority::new("house");
    let Some(mut docker_fixture) = DockerFixture::start(RequiredAuth::Htpasswd, Some(&authority.server(HOSTS)), None)
    else {
        return;
    };
    authority.write(&docker_fixture.fixture.create_certs_d(), "ca.crt");
    let login = |docker_fixture: &DockerFixture, password: &str| {
        let entry = json!({ "username": HTPASSWD_USER, "password": password });
        docker_fixture
            .fixture
            .sandbox
            .write_config(&json!({ "auths": { docker_fixture.fixture.host.as_str(): entry } }).to_string());
    };
    login(&docker_fixture, HTPASSWD_PASSWORD);
    docker_fixture.assert_both_succeed(&[]);
    login(&docker_fixture, "wrong");
    docker_fixture.assert_both_fail(&["unauthorized"]);
}

#[test]
fn login_passwords_are_sent_over_plain_http_with_insecure() {
    let Some(docker_fixture) = DockerFixture::start(RequiredAuth::Htpasswd, None, None) else { return };
    let entry = json!({ "username": HTPASSWD_USER, "password": HTPASSWD_PASSWORD });
    docker_fixture
        .fixture
        .sandbox
        .write_config(&json!({ "auths": { docker_fixture.fixture.host.as_str(): entry } }).to_string());
    docker_fixture.assert_both_succeed(&["--insecure"]);
}

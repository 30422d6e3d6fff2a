//! The remembered token server of a registry: a connection to it is opened at the start, and nothing is sent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use testkit::certs::Authority;
use testkit::loopback::{Bearer, Fault, RecordedRequest, Registry, Rule};
use testkit::sandbox::SandboxCommand;

use super::Fixture;
use super::preconnect::tls_fixture;

fn file(fixture: &Fixture) -> PathBuf {
    fixture.sandbox.home().join(".cache/docker-manifest/token-servers.json")
}

fn inspect_command(fixture: &Fixture) -> SandboxCommand {
    fixture.command(&["inspect"]).arg(fixture.name("src/i0000:1"))
}

/// Writes a file that names this server for the registry.
fn write_token_server(fixture: &Fixture, server: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    let host = fixture.registry.host();
    let text = format!(r#"{{"registries":{{"{host}":{{"token_server":"{server}","named":{now}}}}}}}"#);
    let file = fixture.sandbox.write(file(fixture), text);
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
}

fn is_token(request: &&RecordedRequest) -> bool {
    request.is_token_request()
}

#[test]
fn nothing_is_sent_to_a_remembered_token_server_before_the_registry_names_it() {
    let fixture = tls_fixture(1);
    let _ = inspect_command(&fixture).run().success();
    assert_eq!(fs::metadata(file(&fixture)).expect("it was written").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(file(&fixture)).expect("it was written");
    assert!(!text.contains("password") && !text.contains("Bearer"), "{text}");
    fixture.registry.clear_record();
    // The 401 is held back.
    fixture.registry.add_fault(Rule::on("GET", "/manifests/").nth(1), Fault::Hang);
    let inspected = fixture.run_while(&inspect_command(&fixture), |registry| {
        registry.wait_until(|requests| requests.len() == 1);
        registry.wait_for_token_connections(1, 1);
        assert_eq!(registry.requests().iter().filter(is_token).count(), 0);
        registry.release();
    });
    let _ = inspected.success();
    assert_eq!(fixture.registry.requests().iter().filter(is_token).count(), 1);
    assert_eq!(fixture.registry.token_connections(), 1, "the token comes by the connection that was open");
}

#[test]
fn a_remembered_token_server_that_the_registry_does_not_name_gets_nothing() {
    let fixture = tls_fixture(1);
    let authority = Authority::new("another CA");
    let tls = authority.server(&["127.0.0.1"]).server_config(None);
    let other = Registry::builder().tls(tls).bearer(Bearer::new()).start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    for server in [other.url(), format!("https://{closed}"), "https://no-such-name.invalid".to_owned()] {
        write_token_server(&fixture, &server);
        fixture.registry.clear_record();
        let _ = inspect_command(&fixture).run().success();
        let requests: Vec<String> = fixture.registry.requests().iter().map(|request| request.method.clone()).collect();
        assert_eq!(requests.len(), 3, "{server}");
        assert!(other.requests().is_empty(), "{server}");
        let text = fs::read_to_string(file(&fixture)).expect("it was written anew");
        assert!(!text.contains(&server), "{text}");
    }
    assert!(other.connections() <= 1);
}

#[test]
fn token_servers_are_remembered_after_verified_tls_alone() {
    let fixture = tls_fixture(1);
    let _ = inspect_command(&fixture).arg("--insecure").run().success();
    assert!(!file(&fixture).exists(), "no certificate was checked");
    let _ = inspect_command(&fixture).env("DOCKER_MANIFEST_REMEMBER_TOKEN_SERVERS", "off").run().success();
    assert!(!file(&fixture).exists(), "it is turned off");
    let output = inspect_command(&fixture).env("DOCKER_MANIFEST_REMEMBER_TOKEN_SERVERS", "no").run();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    assert!(output.err().contains("neither on nor off"), "{}", output.err());
    let plain = Fixture::with_registry(Registry::builder().bearer(Bearer::new().anonymous_pull()).start(), 1);
    let _ = inspect_command(&plain).run().success();
    assert!(!file(&plain).exists(), "there was no TLS");
    let _ = inspect_command(&fixture).run().success();
    assert!(file(&fixture).exists());
}

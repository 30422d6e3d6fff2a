//! Connections that are opened before they are needed: how many, when, and what happens if a registry closes or
//! limits them. The test holds responses back, and reads the order of events in the registry's record.

use base64::Engine;
use testkit::certs::Authority;
use testkit::loopback::{Bearer, Builder, Fault, RecordedRequest, Registry, Rule};
use testkit::sandbox::SandboxCommand;

use super::{Fixture, have_responses, source};

/// The search for the scheme may cost one connection that serves nothing else.
const SCHEME_SEARCH_CONNECTIONS: usize = 1;
/// Five images of two layers: four manifests, configurations and layers of their own, a shared layer, and the list's
/// tag.
const IMAGES: usize = 5;
/// As many blobs as an apply expects: two layers and a configuration for each image.
const BLOBS: usize = 3 * IMAGES + 1;

/// A registry over TLS whose tokens have a port of their own, and a home that trusts it and is logged in.
pub(super) fn tls_fixture(images: usize) -> Fixture {
    tls_fixture_with(images, |builder| builder)
}

pub(super) fn tls_fixture_with(images: usize, change: impl Fn(Builder) -> Builder) -> Fixture {
    let authority = Authority::new("a test CA");
    let tls = authority.server(&["127.0.0.1"]).server_config(None);
    let bearer = Bearer::new().user("user", "password").on_own_port();
    let mut fixture = Fixture::with_registry(change(Registry::builder().tls(tls).bearer(bearer)).start(), images);
    let roots = authority.write(fixture.sandbox.path(), "roots.pem");
    fixture.sandbox.set("SSL_CERT_FILE", roots);
    let login = base64::engine::general_purpose::STANDARD.encode("user:password");
    fixture.sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, fixture.registry.host()));
    fixture
}

/// An apply of all images.
pub(super) fn apply_command(fixture: &Fixture, flags: &[&str]) -> SandboxCommand {
    let images: String =
        (0..fixture.images.len()).map(|number| format!("- image: '{}:1'\n", fixture.name(&source(number)))).collect();
    let spec = format!("image: '{}'\nmanifests:\n{images}", fixture.list());
    fixture.command(&["apply", "-f", "-"]).args(flags.iter().copied()).stdin(spec)
}

fn count_token_requests(requests: &[RecordedRequest]) -> usize {
    requests.iter().filter(|request| request.is_token_request()).count()
}

#[test]
fn preconnect_opens_connections_before_the_token_arrives() {
    let fixture = tls_fixture(IMAGES);
    fixture.registry.add_fault(Rule::tokens().nth(1), Fault::Hang);
    let applied = fixture.run_while(&apply_command(&fixture, &[]), |registry| {
        registry.wait_until(|requests| count_token_requests(requests) == 1);
        registry.wait_for_connections(BLOBS, BLOBS);
        assert_eq!(registry.requests().len(), 2, "the first request, and that for the token");
        registry.release();
    });
    assert_eq!(applied.success().out(), fixture.expected_push_output());
    assert!(
        fixture.registry.registry_connections() <= BLOBS + SCHEME_SEARCH_CONNECTIONS,
        "{}",
        fixture.registry.registry_connections()
    );
    assert_eq!(fixture.registry.token_connections(), 1);
}

#[test]
fn a_reading_command_preconnects_as_many_connections_as_it_uses() {
    let fixture = tls_fixture(IMAGES);
    fixture.registry.add_fault(Rule::tokens().nth(1), Fault::Hang);
    let created = fixture.run_while(&fixture.create_command(&[]), |registry| {
        registry.wait_until(|requests| count_token_requests(requests) == 1);
        registry.wait_for_connections(IMAGES, IMAGES);
        registry.release();
    });
    let _ = created.success();
    let opened = fixture.registry.registry_connections();
    assert!((IMAGES..=IMAGES + SCHEME_SEARCH_CONNECTIONS).contains(&opened), "{opened}");
    fixture.registry.clear_record();
    fixture.registry.clear_faults();
    fixture.registry.add_fault(Rule::tokens().nth(1), Fault::Hang);
    let previewed = fixture.run_while(&apply_command(&fixture, &["--dry-run"]), |registry| {
        registry.wait_until(|requests| count_token_requests(requests) == 1);
        registry.wait_for_connections(IMAGES + 1, IMAGES + 1);
        assert!(
            registry.registry_connections() <= IMAGES + 1 + SCHEME_SEARCH_CONNECTIONS,
            "{}",
            registry.registry_connections()
        );
        registry.release();
    });
    let _ = previewed.success();
    fixture.registry.clear_record();
    let _ = fixture.command(&["inspect"]).arg(fixture.name(&format!("{}:1", source(0)))).run().success();
    let opened = fixture.registry.registry_connections();
    assert!((1..=1 + SCHEME_SEARCH_CONNECTIONS).contains(&opened), "{opened}");
}

#[test]
fn requests_with_a_token_do_not_wait_for_the_first_response() {
    let fixture = tls_fixture(IMAGES);
    // The first request of whichever image comes with a token.
    fixture.registry.add_fault(Rule::on("GET", "/manifests/").authorized().nth(1), Fault::Hang);
    let created = fixture.run_while(&fixture.create_command(&[]), |registry| {
        registry.wait_until(|requests| have_responses(requests, "/manifests/1 200", IMAGES - 1));
        registry.release();
    });
    let _ = created.success();
    let requests = fixture.registry.requests();
    assert_eq!(
        (count_token_requests(&requests), requests.iter().filter(|request| request.status == 401).count()),
        (1, 1)
    );
    assert_eq!(requests.len(), 2 + 2 * IMAGES);
}

#[test]
fn a_push_of_an_unchanged_list_connects_once_for_each_image_and_the_tag() {
    let fixture = Fixture::new(IMAGES);
    let most = IMAGES + 1 + SCHEME_SEARCH_CONNECTIONS;
    let _ = apply_command(&fixture, &[]).run().success();
    fixture.registry.clear_record();
    let repeated = apply_command(&fixture, &["--format", "json"]).run().success();
    assert!(repeated.out().contains(r#""unchanged": true"#), "{}", repeated.out());
    assert!(fixture.registry.connections() <= most, "apply: {}", fixture.registry.connections());
    let _ = fixture.create_command(&[]).run().success();
    let _ = fixture.push_command(&[]).run().success();
    fixture.registry.clear_record();
    // The draft knows by now what it was pushed as.
    let _ = fixture.push_command(&[]).run().success();
    assert!(fixture.registry.connections() <= most, "push: {}", fixture.registry.connections());
}

#[test]
fn preconnected_connections_that_the_registry_closes_are_replaced() {
    for goodbye in ["", "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"] {
        let fixture = tls_fixture(IMAGES);
        fixture.registry.add_fault(Rule::tokens().nth(1), Fault::Hang);
        let applied = fixture.run_while(&apply_command(&fixture, &[]), |registry| {
            registry.wait_until(|requests| count_token_requests(requests) == 1);
            registry.wait_for_connections(BLOBS, BLOBS);
            assert!(registry.close_unused_connections(goodbye.as_bytes()) >= BLOBS - 1);
            registry.release();
        });
        assert_eq!(applied.success().out(), fixture.expected_push_output());
        let requests = fixture.registry.requests();
        assert_eq!(requests.len(), 2 + (IMAGES * 2) + 1 + (IMAGES * 2 + 1) + IMAGES + 1, "each was sent once");
    }
}

#[test]
fn parallel_requests_are_limited_to_the_connections_that_the_registry_accepts() {
    const MAX_CONNECTIONS: usize = 4;
    let fixture = tls_fixture_with(12, |builder| builder.max_connections(MAX_CONNECTIONS));
    let applied = apply_command(&fixture, &["--retries", "5"]).run().success();
    assert_eq!(applied.out(), fixture.expected_push_output());
    let refused = fixture.registry.registry_connections() - MAX_CONNECTIONS;
    // Those that were opened ahead and together, and hardly any after that.
    assert!(refused <= 2 * 24, "{refused} connections were refused");
}

#[test]
fn a_token_that_the_registry_refuses_costs_each_request_one_more() {
    let fixture = tls_fixture(IMAGES);
    // None of the first requests is let in with the token that was given to all.
    fixture.registry.add_fault(Rule::on("GET", "/manifests/").authorized().nth(1), Fault::ExpireTokens);
    let _ = fixture.create_command(&[]).run().success();
    let requests = fixture.registry.requests();
    let refused = requests.iter().filter(|request| request.status == 401).count();
    assert!(
        (2..=1 + IMAGES).contains(&count_token_requests(&requests)),
        "one for each at most: {}",
        count_token_requests(&requests)
    );
    assert!((2..=1 + IMAGES).contains(&refused), "the first, and each that had the token: {refused}");
    assert_eq!(requests.len() - count_token_requests(&requests) - refused, 2 * IMAGES);
}

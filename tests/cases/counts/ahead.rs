//! Connections that are opened before they are needed: how many, when, and what happens where a registry does not like
//! that. By the order of events in the registry's record; answers are held back by the test.

use base64::Engine;
use testkit::certs::Authority;
use testkit::loopback::{Bearer, Builder, Fault, Recorded, Registry, Rule};
use testkit::sandbox::Run;

use super::{Fixture, answered, source};

/// The search for the scheme may cost one connection that serves nothing else.
const SEARCH: usize = 1;
/// Five images of two layers: four manifests, configurations and layers of their own, a shared layer, and the list's
/// tag.
const IMAGES: usize = 5;
/// As many blobs as an apply expects: two layers and a configuration for each image.
const BLOBS: usize = 3 * IMAGES + 1;

/// A registry over TLS whose tokens have a port of their own, and a home that trusts it and is logged in.
pub(super) fn secure(images: usize) -> Fixture {
    secure_of(images, |builder| builder)
}

pub(super) fn secure_of(images: usize, change: impl Fn(Builder) -> Builder) -> Fixture {
    let authority = Authority::new("a test CA");
    let tls = authority.server(&["127.0.0.1"]).server_config(None);
    let bearer = Bearer::new().user("user", "password").on_own_port();
    let mut world = Fixture::of(change(Registry::builder().tls(tls).bearer(bearer)).start(), images);
    let roots = authority.write(world.sandbox.path(), "roots.pem");
    world.sandbox.set("SSL_CERT_FILE", roots);
    let login = base64::engine::general_purpose::STANDARD.encode("user:password");
    world.sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, world.registry.host()));
    world
}

/// An apply of all images.
pub(super) fn apply(world: &Fixture, flags: &[&str]) -> Run {
    let images: String =
        (0..world.images.len()).map(|number| format!("- image: '{}:1'\n", world.name(&source(number)))).collect();
    let spec = format!("image: '{}'\nmanifests:\n{images}", world.list());
    world.command(&["apply", "-f", "-"]).args(flags.iter().copied()).stdin(spec)
}

fn tokens(requests: &[Recorded]) -> usize {
    requests.iter().filter(|request| request.is_token()).count()
}

#[test]
fn connections_are_open_before_the_token_arrives() {
    let world = secure(IMAGES);
    world.registry.fault(Rule::tokens().nth(1), Fault::Hang);
    let applied = world.while_running(&apply(&world, &[]), |registry| {
        registry.wait_until(|requests| tokens(requests) == 1);
        registry.wait_for_connections(BLOBS, BLOBS);
        assert_eq!(registry.requests().len(), 2, "the first request, and that for the token");
        registry.release();
    });
    assert_eq!(applied.success().out(), world.pushed());
    assert!(world.registry.own_connections() <= BLOBS + SEARCH, "{}", world.registry.own_connections());
    assert_eq!(world.registry.token_connections(), 1);
}

#[test]
fn a_command_that_writes_nothing_opens_as_many_as_it_reads_with() {
    let world = secure(IMAGES);
    world.registry.fault(Rule::tokens().nth(1), Fault::Hang);
    let created = world.while_running(&world.create_command(&[]), |registry| {
        registry.wait_until(|requests| tokens(requests) == 1);
        registry.wait_for_connections(IMAGES, IMAGES);
        registry.release();
    });
    let _ = created.success();
    let opened = world.registry.own_connections();
    assert!((IMAGES..=IMAGES + SEARCH).contains(&opened), "{opened}");
    world.registry.clear();
    world.registry.clear_faults();
    world.registry.fault(Rule::tokens().nth(1), Fault::Hang);
    let previewed = world.while_running(&apply(&world, &["--dry-run"]), |registry| {
        registry.wait_until(|requests| tokens(requests) == 1);
        registry.wait_for_connections(IMAGES + 1, IMAGES + 1);
        assert!(registry.own_connections() <= IMAGES + 1 + SEARCH, "{}", registry.own_connections());
        registry.release();
    });
    let _ = previewed.success();
    world.registry.clear();
    let _ = world.command(&["inspect"]).arg(world.name(&format!("{}:1", source(0)))).run().success();
    let opened = world.registry.own_connections();
    assert!((1..=1 + SEARCH).contains(&opened), "{opened}");
}

#[test]
fn the_others_do_not_wait_for_the_first_response_once_the_token_is_there() {
    let world = secure(IMAGES);
    // The first request of whichever image comes with a token.
    world.registry.fault(Rule::on("GET", "/manifests/").authorized().nth(1), Fault::Hang);
    let created = world.while_running(&world.create_command(&[]), |registry| {
        registry.wait_until(|requests| answered(requests, "/manifests/1 200", IMAGES - 1));
        registry.release();
    });
    let _ = created.success();
    let requests = world.registry.requests();
    assert_eq!((tokens(&requests), requests.iter().filter(|request| request.status == 401).count()), (1, 1));
    assert_eq!(requests.len(), 2 + 2 * IMAGES);
}

#[test]
fn an_unchanged_list_needs_a_connection_for_each_image_and_one_for_the_tag() {
    let world = Fixture::new(IMAGES);
    let most = IMAGES + 1 + SEARCH;
    let _ = apply(&world, &[]).run().success();
    world.registry.clear();
    let again = apply(&world, &["--format", "json"]).run().success();
    assert!(again.out().contains(r#""unchanged": true"#), "{}", again.out());
    assert!(world.registry.connections() <= most, "apply: {}", world.registry.connections());
    let _ = world.create_command(&[]).run().success();
    let _ = world.push_command(&[]).run().success();
    world.registry.clear();
    // The draft knows by now what it was pushed as.
    let _ = world.push_command(&[]).run().success();
    assert!(world.registry.connections() <= most, "push: {}", world.registry.connections());
}

#[test]
fn connections_that_were_closed_while_the_token_was_under_way_are_replaced() {
    for goodbye in ["", "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"] {
        let world = secure(IMAGES);
        world.registry.fault(Rule::tokens().nth(1), Fault::Hang);
        let applied = world.while_running(&apply(&world, &[]), |registry| {
            registry.wait_until(|requests| tokens(requests) == 1);
            registry.wait_for_connections(BLOBS, BLOBS);
            assert!(registry.end_unused(goodbye.as_bytes()) >= BLOBS - 1);
            registry.release();
        });
        assert_eq!(applied.success().out(), world.pushed());
        let requests = world.registry.requests();
        assert_eq!(requests.len(), 2 + (IMAGES * 2) + 1 + (IMAGES * 2 + 1) + IMAGES + 1, "each was sent once");
    }
}

#[test]
fn a_registry_that_accepts_few_connections_is_sent_no_more_requests_at_once() {
    const MOST: usize = 4;
    let world = secure_of(12, |builder| builder.most_connections(MOST));
    let applied = apply(&world, &["--retries", "5"]).run().success();
    assert_eq!(applied.out(), world.pushed());
    let refused = world.registry.own_connections() - MOST;
    // Those that were opened ahead and together, and hardly any after that.
    assert!(refused <= 2 * 24, "{refused} connections were refused");
}

#[test]
fn a_token_that_the_registry_refuses_costs_each_request_one_more() {
    let world = secure(IMAGES);
    // None of the first requests is let in with the token that was given to all.
    world.registry.fault(Rule::on("GET", "/manifests/").authorized().nth(1), Fault::ExpireTokens);
    let _ = world.create_command(&[]).run().success();
    let requests = world.registry.requests();
    let refused = requests.iter().filter(|request| request.status == 401).count();
    assert!((2..=1 + IMAGES).contains(&tokens(&requests)), "one for each at most: {}", tokens(&requests));
    assert!((2..=1 + IMAGES).contains(&refused), "the first, and each that had the token: {refused}");
    assert_eq!(requests.len() - tokens(&requests) - refused, 2 * IMAGES);
}

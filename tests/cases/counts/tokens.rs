//! Bearer tokens: one for all that a command does where the server gives it, and never one twice.

use base64::Engine;
use testkit::loopback::{Bearer, Fault, Recorded, Registry, Rule};

use super::{TARGET, World, arrived, assert_same, index, source};

/// A registry that wants tokens, and a login for it.
fn world(bearer: Bearer, images: usize) -> World {
    let world = World::of(Registry::builder().bearer(bearer.user("user", "password")).start(), images);
    let login = base64::engine::general_purpose::STANDARD.encode("user:password");
    world.sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, world.registry.host()));
    world
}

/// What was recorded: token requests, refusals, and the lines of all else. The record is empty afterwards.
fn take(world: &World) -> (Vec<Recorded>, usize, Vec<String>) {
    let requests = world.registry.requests();
    world.registry.clear();
    let (tokens, others): (Vec<_>, Vec<_>) = requests.into_iter().partition(Recorded::is_token);
    let (refused, done): (Vec<_>, Vec<_>) = others.into_iter().partition(|request| request.status == 401);
    (tokens, refused.len(), done.iter().map(Recorded::line).collect())
}

#[test]
fn one_token_serves_a_create_and_one_a_push() {
    let world = world(Bearer::new(), 5);
    let _ = world.create_command(&[]).run().success();
    let (tokens, refused, done) = take(&world);
    assert_same(done, world.create_lines());
    assert_eq!(tokens.len(), 1);
    // Who asks before the first refusal is back has no token yet.
    assert!((1..=5).contains(&refused), "{refused}");
    assert!((0..5).all(|number| tokens[0].path.contains(&source(number).replace('/', "%2F"))), "{}", tokens[0].path);
    let pushed = world.push_command(&[]).run().success();
    let (tokens, refused, done) = take(&world);
    assert_eq!((tokens.len(), refused), (1, 1));
    assert_same(done, world.push_lines(404, &[0, 1, 2, 3, 4]));
    assert_eq!(pushed.out(), world.pushed());
    let again = world.push_command(&[]).run().success();
    let (tokens, refused, done) = take(&world);
    assert_eq!((again, tokens.len(), refused, done.len()), (pushed, 1, 1, 1 + 5));
}

#[test]
fn one_token_serves_an_apply() {
    let world = world(Bearer::new(), 5);
    let images: String = (0..5).map(|number| format!("- image: '{}:1'\n", world.name(&source(number)))).collect();
    let spec = format!("image: '{}'\nmanifests:\n{images}", world.list());
    let applied = world.command(&["apply", "-f", "-", "--jobs", "1"]).stdin(spec).run().success();
    let (tokens, refused, done) = take(&world);
    assert_eq!((tokens.len(), refused), (1, 1));
    assert_eq!(done, [world.create_lines(), world.push_lines(404, &[0, 1, 2, 3, 4])].concat());
    assert_eq!(applied.out(), world.pushed());
}

#[test]
fn one_job_is_refused_once() {
    let world = world(Bearer::new(), 5);
    let _ = world.create_command(&["--jobs", "1"]).run().success();
    let (tokens, refused, done) = take(&world);
    assert_eq!((tokens.len(), refused), (1, 1));
    assert_eq!(done, world.create_lines());
}

#[test]
fn one_token_serves_an_inspect() {
    let world = world(Bearer::new(), 20);
    world.registry.put_index(TARGET, "1", &index(&world.images));
    let _ = world.command(&["inspect", "-v", &world.list()]).run().success();
    let (tokens, refused, done) = take(&world);
    assert_eq!((tokens.len(), refused, done.len()), (1, 1, 21));
}

#[test]
fn nobody_in_particular_needs_one_token_too() {
    let world = world(Bearer::new().anonymous_pull(), 5);
    world.sandbox.write_config("{}");
    let _ = world.create_command(&[]).run().success();
    let (tokens, _, done) = take(&world);
    assert_eq!(tokens.len(), 1);
    assert_same(done, world.create_lines());
}

#[test]
fn a_server_that_gives_one_scope_a_token_is_asked_once_for_all_and_once_for_each() {
    let world = world(Bearer::new(), 5);
    let several = Rule::on("GET", "pull&scope=");
    world.registry.fault(several, Fault::Status(400, String::new(), vec![]));
    for jobs in ["1", "16"] {
        let _ = world.create_command(&["--jobs", jobs]).run().success();
        let (tokens, _, done) = take(&world);
        let given = tokens.iter().filter(|request| request.status == 200).count();
        assert_eq!((tokens.len(), given), (6, 5), "{jobs} jobs: {tokens:#?}");
        assert_same(done, world.create_lines());
        let _ = world.command(&["rm", &world.list()]).run().success();
    }
}

#[test]
fn a_token_that_expires_on_the_way_is_replaced_once() {
    let world = world(Bearer::new(), 8);
    // As many are held back as run at once.
    world.registry.fault(Rule::on("GET", "/blobs/").times(4), Fault::Hang);
    let created = world.while_running(&world.create_command(&["--jobs", "4"]), |registry| {
        registry.wait_until(|requests| arrived(requests, "/blobs/", 4));
        registry.expire_tokens();
        registry.release();
    });
    assert_eq!(created.success().err(), "");
    let (tokens, _, done) = take(&world);
    assert_eq!(tokens.len(), 2);
    assert_same(done, world.create_lines());
    world.registry.fault(Rule::on("POST", "mount=").times(4), Fault::Hang);
    let pushed = world.while_running(&world.push_command(&["--jobs", "4"]), |registry| {
        registry.wait_until(|requests| arrived(requests, "mount=", 4));
        registry.expire_tokens();
        registry.release();
    });
    assert_eq!(pushed.success().out(), world.pushed());
    let (tokens, refused, done) = take(&world);
    // The look, and the four that were under way.
    assert_eq!((tokens.len(), refused), (2, 1 + 4));
    assert_same(done, world.push_lines(404, &[0, 1, 2, 3, 4, 5, 6, 7]));
}

#[test]
fn one_forbidden_source_costs_no_token_for_the_others() {
    let world = world(Bearer::new().deny("repository:src/i0001"), 5);
    let output = world.create_command(&["--jobs", "1"]).run();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    let (tokens, refused, done) = take(&world);
    // All at once, the first by itself, and the one that is forbidden.
    assert_eq!((tokens.len(), refused), (3, 2), "{tokens:#?}");
    assert_eq!(done, world.create_lines()[..2]);
}

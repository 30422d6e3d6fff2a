//! Bearer tokens: one for a whole command where the server gives it, and none twice.

use base64::Engine;
use testkit::loopback::{Bearer, Fault, RecordedRequest, Registry, Rule};

use super::{Fixture, TARGET_REPOSITORY, assert_same, have_arrived, index, source};

/// A registry that wants tokens, and a login for it.
fn fixture(bearer: Bearer, images: usize) -> Fixture {
    let fixture = Fixture::with_registry(Registry::builder().bearer(bearer.user("user", "password")).start(), images);
    let login = base64::engine::general_purpose::STANDARD.encode("user:password");
    fixture.sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, fixture.registry.host()));
    fixture
}

/// What was recorded: token requests, refusals, and the lines of all else. The record is empty afterwards.
fn take_requests_by_kind(fixture: &Fixture) -> (Vec<RecordedRequest>, usize, Vec<String>) {
    let requests = fixture.registry.requests();
    fixture.registry.clear_record();
    let (tokens, others): (Vec<_>, Vec<_>) = requests.into_iter().partition(RecordedRequest::is_token_request);
    let (refused, successful): (Vec<_>, Vec<_>) = others.into_iter().partition(|request| request.status == 401);
    (tokens, refused.len(), successful.iter().map(RecordedRequest::line).collect())
}

#[test]
fn create_and_push_need_one_token_each() {
    let fixture = fixture(Bearer::new(), 5);
    let _ = fixture.create_command(&[]).run().success();
    let (tokens, refused, successful) = take_requests_by_kind(&fixture);
    assert_same(successful, fixture.create_lines());
    assert_eq!(tokens.len(), 1);
    // Who asks before the first refusal is back has no token yet.
    assert!((1..=5).contains(&refused), "{refused}");
    assert!(
        (0..5).all(|number| tokens[0].target.contains(&source(number).replace('/', "%2F"))),
        "{}",
        tokens[0].target
    );
    let pushed = fixture.push_command(&[]).run().success();
    let (tokens, refused, successful) = take_requests_by_kind(&fixture);
    assert_eq!((tokens.len(), refused), (1, 1));
    assert_same(successful, fixture.push_lines(404, &[0, 1, 2, 3, 4]));
    assert_eq!(pushed.out(), fixture.expected_push_output());
    let repeated = fixture.push_command(&[]).run().success();
    let (tokens, refused, successful) = take_requests_by_kind(&fixture);
    assert_eq!((repeated, tokens.len(), successful.len()), (pushed, 1, 1 + 5));
    // The tag and the images are requested together; over plain HTTP no request waits for the first refusal.
    assert!((1..=6).contains(&refused), "{refused}");
}

#[test]
fn one_token_serves_an_apply() {
    let fixture = fixture(Bearer::new(), 5);
    let images: String = (0..5).map(|number| format!("- image: '{}:1'\n", fixture.name(&source(number)))).collect();
    let spec = format!("image: '{}'\nmanifests:\n{images}", fixture.list());
    let applied = fixture.command(&["apply", "-f", "-", "--jobs", "1"]).stdin(spec).run().success();
    let (tokens, refused, successful) = take_requests_by_kind(&fixture);
    assert_eq!((tokens.len(), refused), (1, 1));
    assert_eq!(successful, [fixture.create_lines(), fixture.push_lines(404, &[0, 1, 2, 3, 4])].concat());
    assert_eq!(applied.out(), fixture.expected_push_output());
}

#[test]
fn one_job_gets_one_401() {
    let fixture = fixture(Bearer::new(), 5);
    let _ = fixture.create_command(&["--jobs", "1"]).run().success();
    let (tokens, refused, successful) = take_requests_by_kind(&fixture);
    assert_eq!((tokens.len(), refused), (1, 1));
    assert_eq!(successful, fixture.create_lines());
}

#[test]
fn one_token_serves_an_inspect() {
    let fixture = fixture(Bearer::new(), 20);
    fixture.registry.put_index(TARGET_REPOSITORY, "1", &index(&fixture.images));
    let _ = fixture.command(&["inspect", "-v", &fixture.list()]).run().success();
    let (tokens, refused, successful) = take_requests_by_kind(&fixture);
    assert_eq!((tokens.len(), refused, successful.len()), (1, 1, 21));
}

#[test]
fn anonymous_commands_need_one_token() {
    let fixture = fixture(Bearer::new().anonymous_pull(), 5);
    fixture.sandbox.write_config("{}");
    let _ = fixture.create_command(&[]).run().success();
    let (tokens, _, successful) = take_requests_by_kind(&fixture);
    assert_eq!(tokens.len(), 1);
    assert_same(successful, fixture.create_lines());
}

#[test]
fn a_token_server_with_one_scope_a_token_gets_one_extra_request() {
    let fixture = fixture(Bearer::new(), 5);
    let several = Rule::on("GET", "pull&scope=");
    fixture.registry.add_fault(several, Fault::Status(400, String::new(), vec![]));
    for jobs in ["1", "16"] {
        let _ = fixture.create_command(&["--jobs", jobs]).run().success();
        let (tokens, _, successful) = take_requests_by_kind(&fixture);
        let given = tokens.iter().filter(|request| request.status == 200).count();
        assert_eq!((tokens.len(), given), (6, 5), "{jobs} jobs: {tokens:#?}");
        assert_same(successful, fixture.create_lines());
        let _ = fixture.command(&["rm", &fixture.list()]).run().success();
    }
}

#[test]
fn a_token_that_expires_during_a_command_is_replaced_once() {
    let fixture = fixture(Bearer::new(), 8);
    // As many are held back as run at once.
    fixture.registry.add_fault(Rule::on("GET", "/blobs/").first_n(4), Fault::Hang);
    let created = fixture.run_while(&fixture.create_command(&["--jobs", "4"]), |registry| {
        registry.wait_until(|requests| have_arrived(requests, "/blobs/", 4));
        registry.expire_tokens();
        registry.release();
    });
    assert_eq!(created.success().err(), "");
    let (tokens, _, successful) = take_requests_by_kind(&fixture);
    assert_eq!(tokens.len(), 2);
    assert_same(successful, fixture.create_lines());
    fixture.registry.add_fault(Rule::on("POST", "mount=").first_n(4), Fault::Hang);
    let pushed = fixture.run_while(&fixture.push_command(&["--jobs", "4"]), |registry| {
        registry.wait_until(|requests| have_arrived(requests, "mount=", 4));
        registry.expire_tokens();
        registry.release();
    });
    assert_eq!(pushed.success().out(), fixture.expected_push_output());
    let (tokens, refused, successful) = take_requests_by_kind(&fixture);
    // The look, and the four that were under way.
    assert_eq!((tokens.len(), refused), (2, 1 + 4));
    assert_same(successful, fixture.push_lines(404, &[0, 1, 2, 3, 4, 5, 6, 7]));
}

#[test]
fn one_forbidden_source_costs_no_token_for_the_others() {
    let fixture = fixture(Bearer::new().deny_scope("repository:src/i0001"), 5);
    let output = fixture.create_command(&["--jobs", "1"]).run();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    let (tokens, refused, successful) = take_requests_by_kind(&fixture);
    // All at once, the first by itself, and the one that is forbidden.
    assert_eq!((tokens.len(), refused), (3, 2), "{tokens:#?}");
    assert_eq!(successful, fixture.create_lines()[..2]);
}

//! `--jobs N` and its variable: the limit of concurrent requests and of connections, which are reused.

use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::SandboxCommand;

use super::{Fixture, TARGET_REPOSITORY, have_arrived, index};

const JOBS_VARIABLE: &str = "DOCKER_MANIFEST_JOBS";

/// The search for the scheme may cost one connection that serves nothing else.
const SCHEME_SEARCH_CONNECTIONS: usize = 1;

/// Holds back the first `number` requests of this kind and lets them go once so many are under way, so as many were
/// at once; gives how many connections the whole command took.
fn run_and_count_connections(fixture: &Fixture, command: &SandboxCommand, kind: (&str, &str), number: usize) -> usize {
    fixture.registry.clear_record();
    fixture.registry.add_fault(Rule::on(kind.0, kind.1).first_n(number), Fault::Hang);
    let output = fixture.run_while(command, |registry: &Registry| {
        registry.wait_until(|requests| have_arrived(requests, kind.1, number));
        assert_eq!(registry.requests().iter().filter(|request| request.target.contains(kind.1)).count(), number);
        registry.release();
    });
    let _ = output.success();
    fixture.registry.clear_faults();
    fixture.registry.connections()
}

#[test]
fn jobs_is_the_number_of_concurrent_requests() {
    for jobs in [2, 3, 7] {
        let (flag, bound) = (["--jobs", &jobs.to_string()], jobs..=jobs + SCHEME_SEARCH_CONNECTIONS);
        let fixture = Fixture::new(12);
        let create = run_and_count_connections(&fixture, &fixture.create_command(&flag), ("GET", "/blobs/"), jobs);
        assert!(bound.contains(&create), "create: {create} connections for {jobs} jobs");
        let push = run_and_count_connections(&fixture, &fixture.push_command(&flag), ("POST", "mount="), jobs);
        assert!(bound.contains(&push), "push: {push} connections for {jobs} jobs");
        fixture.registry.put_index("dst/other", "1", &index(&fixture.images));
        let inspect = fixture.command(&["inspect", "-v"]).args(flag).arg(fixture.name("dst/other:1"));
        let inspect = run_and_count_connections(&fixture, &inspect, ("GET", "manifests/sha256:"), jobs);
        assert!(bound.contains(&inspect), "inspect: {inspect} connections for {jobs} jobs");
    }
}

#[test]
fn jobs_is_read_from_the_environment_without_the_flag() {
    let fixture = Fixture::new(8);
    let create = fixture.create_command(&[]).env(JOBS_VARIABLE, "3");
    let found = run_and_count_connections(&fixture, &create, ("GET", "/blobs/"), 3);
    assert!((3..=3 + SCHEME_SEARCH_CONNECTIONS).contains(&found), "{found}");
    let push = fixture.push_command(&["--jobs", "5"]).env(JOBS_VARIABLE, "2");
    let found = run_and_count_connections(&fixture, &push, ("POST", "mount="), 5);
    assert!((5..=5 + SCHEME_SEARCH_CONNECTIONS).contains(&found), "{found}");
}

#[test]
fn jobs_has_a_default() {
    let fixture = Fixture::new(40);
    let found = run_and_count_connections(&fixture, &fixture.create_command(&[]), ("GET", "/blobs/"), 24);
    assert!((24..=24 + SCHEME_SEARCH_CONNECTIONS).contains(&found), "{found}");
}

#[test]
fn one_job_is_one_connection() {
    let fixture = Fixture::new(5);
    fixture.registry.put_index("dst/other", "1", &index(&fixture.images));
    let inspect = fixture.command(&["inspect", "-v", "--jobs", "1"]).arg(fixture.name("dst/other:1"));
    for command in [fixture.create_command(&["--jobs", "1"]), fixture.push_command(&["--jobs", "1"]), inspect] {
        fixture.registry.clear_record();
        let _ = command.run().success();
        let requests = fixture.registry.requests();
        assert!(requests.len() > 5 && requests.iter().all(|request| request.connection == requests[0].connection));
        assert!(fixture.registry.connections() <= 1 + SCHEME_SEARCH_CONNECTIONS, "{}", fixture.registry.connections());
    }
}

#[test]
fn an_invalid_jobs_variable_is_reported_before_any_request() {
    let fixture = Fixture::new(1).with_draft();
    let remote = fixture.name("src/i0000:1");
    for value in ["0", "-1", "many", "1.5", " 2"] {
        let other = fixture.command(&["create", &fixture.name("dst/more:1"), &remote]);
        for command in [other, fixture.push_command(&[]), fixture.command(&["inspect", &remote])] {
            let output = command.env(JOBS_VARIABLE, value).run();
            assert_eq!((output.code, output.out().as_str()), (1, ""), "{value:?}");
            let expected = format!("{JOBS_VARIABLE}={value:?} is not a whole number above zero");
            assert_eq!(output.first_err_line(), expected);
        }
    }
    assert_eq!(fixture.take_request_lines(), [""; 0]);
    // The flag goes before it, and an empty one is none.
    let _ = fixture.push_command(&["--jobs", "2"]).env(JOBS_VARIABLE, "many").run().success();
    let _ = fixture.push_command(&[]).env(JOBS_VARIABLE, "").run().success();
    assert!(fixture.registry.manifest(TARGET_REPOSITORY, "1").is_some());
}

#[test]
fn an_invalid_jobs_flag_is_a_usage_error() {
    let fixture = Fixture::new(1);
    for value in ["0", "-1", "many"] {
        let output = fixture.create_command(&["--jobs", value]).run();
        assert_ne!(output.code, 0, "{value}");
        assert!(output.err().contains("jobs"), "{}", output.err());
    }
    assert_eq!(fixture.take_request_lines(), [""; 0]);
}

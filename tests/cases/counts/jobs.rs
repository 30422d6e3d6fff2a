//! `--jobs N` and its variable: the bound on exchanges at once, and on connections, which are kept for the next one.

use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::Run;

use super::{TARGET, World, arrived, index};

const VARIABLE: &str = "DOCKER_MANIFEST_JOBS";

/// The search for the scheme may cost one connection that serves nothing else.
const SEARCH: usize = 1;

/// Holds back the first `number` requests of this kind and lets them go once so many are under way, so as many were
/// at once; gives how many connections the whole command took.
fn connections(world: &World, command: &Run, kind: (&str, &str), number: usize) -> usize {
    world.registry.clear();
    world.registry.fault(Rule::on(kind.0, kind.1).times(number), Fault::Hang);
    let output = world.while_running(command, |registry: &Registry| {
        registry.wait_until(|requests| arrived(requests, kind.1, number));
        assert_eq!(registry.requests().iter().filter(|request| request.path.contains(kind.1)).count(), number);
        registry.release();
    });
    let _ = output.success();
    world.registry.clear_faults();
    world.registry.connections()
}

#[test]
fn as_many_requests_are_under_way_as_was_asked_for() {
    for jobs in [2, 3, 7] {
        let (flag, bound) = (["--jobs", &jobs.to_string()], jobs..=jobs + SEARCH);
        let world = World::new(12);
        let create = connections(&world, &world.create_command(&flag), ("GET", "/blobs/"), jobs);
        assert!(bound.contains(&create), "create: {create} connections for {jobs} jobs");
        let push = connections(&world, &world.push_command(&flag), ("POST", "mount="), jobs);
        assert!(bound.contains(&push), "push: {push} connections for {jobs} jobs");
        world.registry.put_index("dst/other", "1", &index(&world.images));
        let inspect = world.command(&["inspect", "-v"]).args(flag).arg(world.name("dst/other:1"));
        let inspect = connections(&world, &inspect, ("GET", "manifests/sha256:"), jobs);
        assert!(bound.contains(&inspect), "inspect: {inspect} connections for {jobs} jobs");
    }
}

#[test]
fn the_variable_is_the_bound_where_there_is_no_flag() {
    let world = World::new(8);
    let create = world.create_command(&[]).env(VARIABLE, "3");
    let found = connections(&world, &create, ("GET", "/blobs/"), 3);
    assert!((3..=3 + SEARCH).contains(&found), "{found}");
    let push = world.push_command(&["--jobs", "5"]).env(VARIABLE, "2");
    let found = connections(&world, &push, ("POST", "mount="), 5);
    assert!((5..=5 + SEARCH).contains(&found), "{found}");
}

#[test]
fn without_either_a_bound_is_kept() {
    let world = World::new(40);
    let found = connections(&world, &world.create_command(&[]), ("GET", "/blobs/"), 16);
    assert!((16..=16 + SEARCH).contains(&found), "{found}");
}

#[test]
fn one_job_is_one_connection() {
    let world = World::new(5);
    world.registry.put_index("dst/other", "1", &index(&world.images));
    let inspect = world.command(&["inspect", "-v", "--jobs", "1"]).arg(world.name("dst/other:1"));
    for command in [world.create_command(&["--jobs", "1"]), world.push_command(&["--jobs", "1"]), inspect] {
        world.registry.clear();
        let _ = command.run().success();
        let requests = world.registry.requests();
        assert!(requests.len() > 5 && requests.iter().all(|request| request.connection == requests[0].connection));
        assert!(world.registry.connections() <= 1 + SEARCH, "{}", world.registry.connections());
    }
}

#[test]
fn a_variable_that_is_no_number_is_named_before_anything_is_sent() {
    let world = World::new(1).created();
    let remote = world.name("src/i0000:1");
    for value in ["0", "-1", "many", "1.5", " 2"] {
        let other = world.command(&["create", &world.name("dst/more:1"), &remote]);
        for command in [other, world.push_command(&[]), world.command(&["inspect", &remote])] {
            let output = command.env(VARIABLE, value).run();
            assert_eq!((output.code, output.out().as_str()), (1, ""), "{value:?}");
            let expected = format!("{VARIABLE}={value:?} is not a whole number above zero");
            assert_eq!(output.first_err_line(), expected);
        }
    }
    assert_eq!(world.take_lines(), [""; 0]);
    // The flag goes before it, and an empty one is none.
    let _ = world.push_command(&["--jobs", "2"]).env(VARIABLE, "many").run().success();
    let _ = world.push_command(&[]).env(VARIABLE, "").run().success();
    assert!(world.registry.manifest(TARGET, "1").is_some());
}

#[test]
fn a_flag_that_is_no_number_is_a_usage_error() {
    let world = World::new(1);
    for value in ["0", "-1", "many"] {
        let output = world.create_command(&["--jobs", value]).run();
        assert_ne!(output.code, 0, "{value}");
        assert!(output.err().contains("jobs"), "{}", output.err());
    }
    assert_eq!(world.take_lines(), [""; 0]);
}

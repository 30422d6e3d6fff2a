//! Ctrl-C: `check` deletes what it pushed, unless a second signal follows.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

use testkit::loopback::{Fault, Rule};
use testkit::sandbox::SandboxCommand;

use super::Fixture;

/// A check whose program is running, killed where a test fails before its end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts one, and waits until this request of it is there, which is not answered before the registry's release.
    fn start_until(fixture: &Fixture, method: &'static str, path: &'static str) -> Running {
        Running::start_command_until(fixture, fixture.command(&["--jobs", "1"]), method, path)
    }

    fn start_command_until(
        fixture: &Fixture,
        run: SandboxCommand,
        method: &'static str,
        path: &'static str,
    ) -> Running {
        fixture.registry.add_fault(Rule::on(method, path), Fault::Hang);
        let mut command = run.to_command();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ours");
        let running = Running(child);
        fixture.registry.wait_until(|requests| {
            requests.iter().any(|request| request.method == method && request.target.contains(path))
        });
        running
    }

    fn signal(&self, fixture: &Fixture, signal: &str) {
        let kill = fixture.sandbox.command("kill").args([signal.to_owned(), self.0.id().to_string()]).run();
        assert_eq!(kill.code, 0, "{}", kill.err());
    }
}

const NOTE: &str = "interrupted: deleting what was pushed; interrupt again to stop at once";

#[test]
fn an_interrupted_check_deletes_what_it_pushed() {
    for (signal, method, path) in
        [("-INT", "PUT", "/manifests/check-"), ("-TERM", "PUT", "/blobs/uploads/"), ("-INT", "GET", "/tags/list")]
    {
        let fixture = Fixture::new(|habits| habits);
        let mut running = Running::start_until(&fixture, method, path);
        running.signal(&fixture, signal);
        let mut stderr = BufReader::new(running.0.stderr.take().expect("stderr")).lines();
        // It is said before the registry answers.
        assert_eq!(stderr.next().expect("a line").expect("text"), NOTE);
        fixture.registry.release();
        let code = running.0.wait().expect("its end").code();
        let rest: Vec<String> = stderr.map(|line| line.expect("text")).collect();
        assert_eq!((code, rest), (Some(130), vec![]), "{method} {path}");
        let mut table = String::new();
        running.0.stdout.take().expect("stdout").read_to_string(&mut table).expect("text");
        assert_eq!(table, "", "half of it is no result");
        fixture.assert_clean();
        let puts = fixture.registry.requests().iter().filter(|request| request.method == "PUT").count();
        assert!(puts < 6 + 6 + 2 + 6 || path == "/tags/list", "it went on trying: {puts}");
    }
}

#[test]
fn a_closed_plugin_socket_interrupts_check() {
    let fixture = Fixture::new(|habits| habits);
    let path = fixture.sandbox.path().join("stop");
    let stop = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let mut running = Running::start_command_until(
        &fixture,
        fixture.command(&["--jobs", "1"]).env("DOCKER_CLI_PLUGIN_SOCKET", &path),
        "PUT",
        "/manifests/check-",
    );
    let (docker, _) = stop.accept().expect("the program");
    drop(docker);
    let mut stderr = BufReader::new(running.0.stderr.take().expect("stderr")).lines();
    assert_eq!(stderr.next().expect("a line").expect("text"), NOTE);
    fixture.registry.release();
    let code = running.0.wait().expect("its end").code();
    let rest: Vec<String> = stderr.map(|line| line.expect("text")).collect();
    assert_eq!((code, rest), (Some(130), vec![]));
    fixture.assert_clean();
}

#[test]
fn a_second_signal_ends_the_program_immediately() {
    let fixture = Fixture::new(|habits| habits);
    let mut running = Running::start_until(&fixture, "PUT", "/manifests/check-");
    running.signal(&fixture, "-INT");
    let mut stderr = BufReader::new(running.0.stderr.take().expect("stderr")).lines();
    assert_eq!(stderr.next().expect("a line").expect("text"), NOTE);
    running.signal(&fixture, "-INT");
    let status = running.0.wait().expect("its end");
    assert_eq!((status.code(), status.signal()), (None, Some(2)), "the registry has not answered yet");
}

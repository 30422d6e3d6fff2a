//! Logins, certificates, and registries that cannot be reached.

use testkit::certs::Authority;
use testkit::loopback::{Bearer, Fault, Registry, Rule};
use testkit::sandbox::{Output, Sandbox};

use super::super::OURS;
use super::{Fixture, MAIN_REPOSITORY, MOUNT_REPOSITORY, unusual_rows};

/// One line, a hint, no table, and nothing that was put.
#[track_caller]
fn assert_plain_error(output: &Output, first: &str, hint: &str) {
    assert_eq!((output.code, output.out().as_str()), (1, ""), "{}", output.err());
    assert!(output.first_err_line().starts_with(first), "{}", output.err());
    let hints: Vec<String> =
        output.err().lines().filter_map(|line| line.strip_prefix("hint: ").map(str::to_owned)).collect();
    assert_eq!(hints, [hint], "{}", output.err());
    assert!(output.err().lines().count() <= 4, "{}", output.err());
}

#[test]
fn check_fails_without_a_login() {
    let fixture = Fixture::new(|habits| habits.basic("me", "open sesame"));
    let host = fixture.registry.host();
    let login_hint = format!("log in with: docker login {host}");
    assert_plain_error(&fixture.check(), &format!("unauthorized: {host} wants a login: "), &login_hint);
    let refused = fixture.command(&["--username", "me", "--password-stdin"]).stdin("closed").run();
    let expected_hint = "check --username, and the password that goes with it";
    assert_plain_error(&refused, &format!("unauthorized: {host} refuses the login that was given: "), expected_hint);
    fixture.registry.clear_record();
    let right = fixture.command(&["--username", "me", "--password-stdin"]).stdin("open sesame\n").run();
    assert_eq!((right.code, right.err().as_str(), unusual_rows(&right)), (0, "", vec![]));
    let refused = fixture.registry.requests().iter().filter(|request| request.status == 401).count();
    assert_eq!(refused, 1, "the first request finds out");
    fixture.assert_clean();
}

#[test]
fn check_reports_what_a_token_does_not_allow() {
    let fixture = Fixture::new(|habits| habits.bearer(Bearer::new().user("me", "pw")));
    let login = |fixture: &Fixture| fixture.command(&["--username", "me", "--password-stdin"]).stdin("pw").run();
    let output = login(&fixture);
    assert_eq!((output.code, output.err().as_str(), unusual_rows(&output)), (0, "", vec![]));
    fixture.assert_clean();
    let narrow = Bearer::new().user("me", "pw").never_grant_scope(&format!("repository:{MOUNT_REPOSITORY}:push"));
    let fixture = Fixture::new(|habits| habits.bearer(narrow));
    let output = login(&fixture);
    let [row] = unusual_rows(&output).try_into().expect("one row");
    assert!(row.starts_with("cross-repository mount | fails | POST 401: "), "{row}");
    assert_eq!(output.code, 0);
    fixture.assert_clean();
    let denied = Bearer::new().user("me", "pw").deny_scope(&format!("repository:{MAIN_REPOSITORY}:push"));
    let fixture = Fixture::new(|habits| habits.bearer(denied));
    let output = login(&fixture);
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    assert!(output.first_err_line().starts_with("denied: "), "{}", output.err());
}

#[test]
fn check_suggests_a_login_if_a_registry_answers_404() {
    let fixture = Fixture::new(|habits| habits.basic("me", "pw").hides_repositories_from_all());
    let host = fixture.registry.host();
    let hint = format!(
        "the repository may be private or may not exist yet: log in with docker login {host}, or have it created first"
    );
    assert_plain_error(&fixture.check(), &format!("{host} does not have it: "), &hint);
}

#[test]
fn check_verifies_certificates_without_insecure() {
    let config = Authority::new("nobody").server(&["127.0.0.1"]).server_config(None);
    let fixture = Fixture::new(|habits| habits.tls(config));
    let output = fixture.check();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    assert!(output.first_err_line().contains("certificate"), "{}", output.err());
    assert!(output.err().contains("--insecure"), "{}", output.err());
    let output = fixture.command(&["--insecure"]).run();
    assert_eq!((output.code, output.err().as_str(), unusual_rows(&output)), (0, "", vec![]));
    fixture.assert_clean();
}

#[test]
fn check_of_an_unreachable_registry_is_an_error() {
    let host = {
        let stopped = Registry::start();
        stopped.host()
    };
    let output = Sandbox::new().command(OURS).args(["check", &host]).run();
    let hint = format!("check that {host} is up and that this machine may reach it");
    assert_plain_error(&output, &format!("cannot reach {host}: "), &hint);
}

#[test]
fn check_refuses_an_invalid_registry_name_before_any_request() {
    let sandbox = Sandbox::new();
    let output = sandbox.command(OURS).args(["check", "example"]).run();
    let reason = "cannot check \"example\": a registry's name has a dot or a port, or is localhost\n";
    assert_eq!((output.code, output.err().as_str()), (1, reason));
}

#[test]
fn check_cleans_up_after_a_broken_connection() {
    for (rule, fault) in [
        (Rule::on("PUT", "-nested"), Fault::ResetAfterBody),
        (Rule::on("GET", "/tags/list"), Fault::CutAfterBody),
        (Rule::on("PUT", "-docker"), Fault::status(429)),
    ] {
        let fixture = Fixture::new(|habits| habits);
        fixture.registry.add_fault(rule, fault);
        let output = fixture.check();
        assert_eq!((output.code, output.out().as_str()), (1, ""), "{}", output.err());
        assert!(output.err().contains("\nhint: "), "{}", output.err());
        fixture.assert_clean();
    }
}

#[test]
fn check_reports_a_registry_that_stops_during_the_probe() {
    let fixture = Fixture::new(|habits| habits);
    fixture.registry.add_fault(Rule::on("GET", "/manifests/").from(3), Fault::CutAfterBody);
    fixture.registry.add_fault(Rule::on("DELETE", ""), Fault::CutAfterBody);
    let output = fixture.check();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    let leftover_line = format!("left in {}/{MAIN_REPOSITORY}: ", fixture.registry.host());
    assert!(output.first_err_line().starts_with(&leftover_line), "{}", output.err());
    assert!(output.err().lines().nth(1).is_some_and(|line| line.starts_with("cannot reach ")), "{}", output.err());
}

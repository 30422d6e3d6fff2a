//! Logins that are valid for a part of a command only, and logins that are wrong, too long, or unavailable.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use docker_manifest::auth::Access;
use docker_manifest::net::RegistryErrorKind;
use testkit::loopback::{Bearer, Fault, RecordedRequest, Registry, Rule};
use testkit::sandbox::{Output, Sandbox, write_script};

use super::OURS;
use super::client_fixture::{Fixture, FixtureBuilder, amd64_image, repository};

const PASSWORD: &str = "a-long-password";

fn basic_401() -> Fault {
    let challenge = ("WWW-Authenticate".to_owned(), "Basic realm=\"r\"".to_owned());
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"project not found"}]}"#;
    Fault::Status(401, body.to_owned(), vec![challenge])
}

fn logged_in(registry: &Registry, password: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let auth = BASE64_STANDARD.encode(format!("me:{password}"));
    sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.host()));
    sandbox
}

fn ours(sandbox: &Sandbox, words: &[&str]) -> Output {
    sandbox.command(OURS).args(words.iter().copied()).run()
}

fn requests_with_login(registry: &Registry) -> Vec<RecordedRequest> {
    registry.requests().into_iter().filter(|request| request.header("Authorization").is_some()).collect()
}

/// A draft of an image of another repository, with no request made yet but those for it.
fn create_draft(registry: &Registry, sandbox: &Sandbox) -> String {
    registry.put_image("one/app", "1", &amd64_image());
    let (list, image) = (format!("{}/two/app:1", registry.host()), format!("{}/one/app:1", registry.host()));
    let _ = ours(sandbox, &["create", &list, &image]).success();
    list
}

#[test]
fn a_401_to_a_mount_after_an_accepted_login_is_about_the_mount() {
    let registry = Registry::builder().basic("me", PASSWORD).start();
    let sandbox = logged_in(&registry, PASSWORD);
    let list = create_draft(&registry, &sandbox);
    registry.add_fault(Rule::on("POST", "mount=").authorized(), basic_401());
    let _ = ours(&sandbox, &["push", &list]).success();
    assert!(registry.requests().iter().any(|request| request.line().contains("mount=")));
    let _ = ours(&sandbox, &["inspect", "--remote", &list]).success();
}

#[test]
fn an_account_that_may_push_but_not_pull_pushes() {
    for tags in [&[][..], &["--tag", "two", "--tag", "three"]] {
        let registry = Registry::builder().basic("me", PASSWORD).start();
        let sandbox = logged_in(&registry, PASSWORD);
        let list = create_draft(&registry, &sandbox);
        for method in ["GET", "HEAD"] {
            registry.add_fault(Rule::on(method, "/two/app/manifests/").authorized(), basic_401());
        }
        let output = ours(&sandbox, &[&["push", &list], tags].concat());
        assert_eq!(output.code, 0, "{tags:?}: {}", output.err());
    }
}

#[test]
fn a_wrong_password_is_sent_once_more_after_the_tag_check_and_then_no_more() {
    let registry = Registry::builder().basic("me", PASSWORD).start();
    let list = create_draft(&registry, &logged_in(&registry, PASSWORD));
    let sandbox = logged_in(&registry, PASSWORD);
    let _ = create_draft(&registry, &sandbox);
    let wrong_login = BASE64_STANDARD.encode("me:another-password");
    sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{wrong_login}"}}}}}}"#, registry.host()));
    let before = requests_with_login(&registry).len();
    let output = ours(&sandbox, &["push", "--tag", "other", &list]);
    assert_eq!(output.code, 1, "{}", output.out());
    let lines: Vec<_> = requests_with_login(&registry).into_iter().skip(before).map(|request| request.line()).collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[0].contains("GET /v2/two/app/manifests/1") && !lines[1].contains("/two/app/manifests/"),
        "{lines:#?}"
    );
    assert_eq!(output.err().matches("hint: log in again").count(), 1, "{}", output.err());
}

#[test]
fn a_refused_login_is_reported_once_for_many_images() {
    let registry = Registry::builder().basic("me", PASSWORD).start();
    let token = Registry::builder().bearer(Bearer::new().user("me", PASSWORD)).start();
    for registry in [registry, token] {
        let names: Vec<_> = (0..20).map(|number| format!("{}/r{number}:1", registry.host())).collect();
        let list = format!("{}/app:1", registry.host());
        let words: Vec<_> = ["create", &list].into_iter().chain(names.iter().map(String::as_str)).collect();
        let stored = ours(&logged_in(&registry, "wrong-password"), &words);
        let given = ["--username", "me", "--password-stdin"];
        let given =
            Sandbox::new().command(OURS).args(words.iter().chain(&given).copied()).stdin("wrong-password").run();
        for output in [stored, given] {
            assert_eq!(output.err().matches("refuses the login").count(), 1, "{}", output.err());
        }
        assert_eq!(requests_with_login(&registry).len(), 2, "once for each command");
    }
}

#[test]
fn a_token_server_that_requires_a_login_is_reported_once() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", PASSWORD)).start();
    registry.add_fault(Rule::tokens(), Fault::status(401));
    let names: Vec<_> = (0..20).map(|number| format!("{}/r{number}:1", registry.host())).collect();
    let list = format!("{}/app:1", registry.host());
    let words: Vec<_> = ["create", &list].into_iter().chain(names.iter().map(String::as_str)).collect();
    let output = ours(&Sandbox::new(), &words);
    let expected = format!("unauthorized: {} wants a login", registry.host());
    assert_eq!((output.code, output.err().matches(&expected).count()), (1, 1), "{}", output.err());
    assert_eq!(output.err().matches("hint: log in with: docker login ").count(), 1, "{}", output.err());
}

#[test]
fn a_password_that_is_empty_or_endless_is_refused_and_one_that_is_long_is_sent() {
    let long = "x".repeat(200_000);
    let registry = Registry::builder().basic("me", &long).start();
    registry.put_image("app", "1", &amd64_image());
    let sandbox = Sandbox::new();
    let name = format!("{}/app:1", registry.host());
    let words = ["inspect", "--username", "me", "--password-stdin", &name];
    let with = |password: &str| sandbox.command(OURS).args(words).stdin(password).run();
    for (password, text) in [("", "it is empty"), ("\r\n", "it is empty"), (&"x".repeat(2 << 20), "longer than 1 MiB")]
    {
        let output = with(password);
        assert!(output.code == 1 && output.err().contains(text), "{}", output.err());
    }
    assert_eq!(registry.requests().len(), 0);
    let _ = with(&long).success();
    let token = Registry::builder().bearer(Bearer::new().registry_token(&long)).start();
    token.put_image("app", "1", &amd64_image());
    let config = format!(r#"{{"auths":{{"{}":{{"registrytoken":"{long}"}}}}}}"#, token.host());
    assert!(FixtureBuilder::new().config(&config).build().manifest(&token, "app:1").is_ok());
}

#[test]
fn a_helper_is_killed_at_the_timeout_and_named() {
    let registry = Registry::builder().basic("me", PASSWORD).start();
    let mut sandbox = Sandbox::new();
    sandbox.set("PATH", format!("{}:/usr/bin:/bin", sandbox.path().display()));
    sandbox.write_config(r#"{"credsStore":"slow"}"#);
    write_script(&sandbox.path().join("docker-credential-slow"), "#!/bin/sh\nexec sleep 600\n");
    let name = format!("{}/app:1", registry.host());
    let output = ours(&sandbox, &["inspect", "--timeout", "1s", &name]);
    assert!(output.code == 1 && output.first_err_line().contains("docker-credential-slow"), "{}", output.err());
    assert!(output.err().contains("--timeout"), "{}", output.err());
}

#[test]
fn an_unreadable_config_json_is_a_warning_and_means_anonymous() {
    let open = Registry::builder().bearer(Bearer::new().anonymous_pull()).start();
    let shut = Registry::builder().basic("me", PASSWORD).start();
    for (registry, code) in [(&open, 0), (&shut, 1)] {
        registry.put_image("app", "1", &amd64_image());
        let sandbox = Sandbox::new();
        let path = sandbox.write_config("{}");
        std::fs::remove_file(&path).expect("it is there");
        std::os::unix::fs::symlink("config.json", &path).expect("a link to itself");
        let output = ours(&sandbox, &["inspect", &format!("{}/app:1", registry.host())]);
        assert_eq!(output.code, code, "{}", output.err());
        let warnings = output.err().lines().filter(|line| line.contains("going on without logins")).count();
        assert_eq!(warnings, 1, "{}", output.err());
        assert_eq!(code == 1, output.err().contains("wants a login"), "{}", output.err());
        assert_eq!(requests_with_login(registry).iter().filter(|request| request.is_token_request()).count(), 0);
    }
}

#[test]
fn certs_d_is_opened_only_where_docker_opens_it() {
    let registry = Registry::start();
    registry.put_image("app", "1", &amd64_image());
    let remote_host = format!("0.0.0.0:{}", registry.port());
    let builder = |host: &str| {
        let builder = FixtureBuilder::new();
        let directory = builder.certs_d(host);
        std::fs::create_dir_all(directory.parent().expect("certs.d")).expect("a directory");
        std::os::unix::fs::symlink(directory.file_name().expect("a name"), &directory).expect("a link to itself");
        builder
    };
    assert!(builder(&registry.host()).build().manifest(&registry, "app:1").is_ok());
    assert!(builder(&remote_host).insecure().build().manifest_by_full_name(&format!("{remote_host}/app:1")).is_ok());
    let error = builder(&remote_host)
        .build()
        .manifest_by_full_name(&format!("{remote_host}/app:1"))
        .expect_err("it cannot be read");
    assert_eq!(error.kind, RegistryErrorKind::TlsFiles);
    assert!(error.message.contains(&format!("certs.d/{remote_host}: ")), "{}", error.message);
    for hub in ["docker.io", "registry-1.docker.io"] {
        let fixture = builder(hub).env("HTTPS_PROXY", "http://127.0.0.1:1").build();
        let error = fixture.manifest_by_full_name(&format!("{hub}/library/app:1")).expect_err("there is no such proxy");
        assert_eq!(error.kind, RegistryErrorKind::Proxy, "{hub}: {}", error.message);
    }
}

/// As many repositories as a large list has, each of which is fetched from once.
fn put_and_fetch_images(registry: &Registry, count: usize) {
    let names: Vec<_> = (0..count).map(|number| format!("team/repository-{number:03}")).collect();
    names.iter().for_each(|name| drop(registry.put_image(name, "1", &amd64_image())));
    let fixture = Fixture::with_login(registry, "me", PASSWORD);
    names.iter().for_each(|name| fixture.client.expect_access(&repository(registry, name), Access::Pull));
    for name in &names {
        assert!(fixture.manifest(registry, &format!("{name}:1")).is_ok(), "{name}");
    }
}

fn token_requests(registry: &Registry) -> Vec<RecordedRequest> {
    registry.requests().into_iter().filter(RecordedRequest::is_token_request).collect()
}

#[test]
fn one_token_request_names_a_bounded_number_of_scopes() {
    let registry = Registry::builder().bearer(Bearer::new().user("me", PASSWORD)).start();
    put_and_fetch_images(&registry, 150);
    let lines: Vec<_> = token_requests(&registry).iter().map(RecordedRequest::line).collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    for line in lines {
        assert!(line.matches("scope=").count() <= 64 && line.len() <= 4096, "{line}");
    }
}

#[test]
fn too_large_tokens_are_requested_for_each_repository() {
    let padded = || Registry::builder().bearer(Bearer::new().user("me", PASSWORD).padding(4096)).start();
    let short = || Registry::builder().bearer(Bearer::new().user("me", PASSWORD)).start();
    let manifests = || Rule::on("GET", "/manifests/").authorized().nth(1);
    for status in [413, 414, 431] {
        let registry = short();
        registry.add_fault(Rule::tokens().nth(1), Fault::status(status));
        put_and_fetch_images(&registry, 4);
        assert_eq!(token_requests(&registry).len(), 5, "{status}");
    }
    for (registry, status) in [(short(), 413), (short(), 414), (short(), 431), (padded(), 400)] {
        registry.add_fault(manifests(), Fault::status(status));
        put_and_fetch_images(&registry, 4);
        let scope_counts: Vec<_> =
            token_requests(&registry).iter().map(|request| request.line().matches("scope=").count()).collect();
        assert_eq!(scope_counts, [4, 1, 1, 1, 1], "{status}");
    }
    // A 400 to a short header is about something else.
    let registry = short();
    registry.put_image("app", "1", &amd64_image());
    registry.add_fault(manifests(), Fault::status(400));
    let error = Fixture::with_login(&registry, "me", PASSWORD).manifest(&registry, "app:1").map(|_| ());
    assert_eq!(
        (error.map_err(|error| error.kind), token_requests(&registry).len()),
        (Err(RegistryErrorKind::RequestRefused), 1)
    );
}

//! A login is sent only to the registry that it is for, by host and port, and never to a host that the registry
//! names.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use testkit::loopback::{Bearer, Fault, RecordedRequest, RedirectTarget, Registry, Rule};
use testkit::sandbox::Sandbox;

use super::leak_matrix::{PASSWORD, assert_no_secrets, forms};
use super::{FixtureBuilder, amd64_image};
use crate::cases::OURS;
use crate::cases::client_fixture::repository;
use crate::cases::fake_clocks::{SharedClock, run_without_waiting};

/// All that a server was sent, in one text.
fn request_texts(requests: &[RecordedRequest]) -> String {
    let header_lines = |request: &RecordedRequest| {
        let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        format!("{} {}\n{headers}{}\n", request.method, request.target, String::from_utf8_lossy(&request.body))
    };
    requests.iter().map(header_lines).collect()
}

fn logged_in(registry: &Registry) -> Sandbox {
    let sandbox = Sandbox::new();
    let auth = BASE64_STANDARD.encode(format!("me:{PASSWORD}"));
    sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.host()));
    sandbox
}

/// Redirects, upload locations and next pages on another port, and on this machine by another name.
#[test]
fn no_credentials_are_sent_to_another_host_that_a_registry_names() {
    let mut redirected = 0;
    for basic in [true, false] {
        for name in ["127.0.0.1", "localhost"] {
            let redirect_target = RedirectTarget::start();
            let port = redirect_target.host().rsplit_once(':').map(|(_, port)| port.to_owned()).expect("a port");
            let away = format!("http://{name}:{port}");
            let header = |name: &str, value: String| vec![(name.to_owned(), value)];
            let faults = [
                ("GET", "/manifests/", Fault::redirect_to(&away)),
                ("HEAD", "/", Fault::redirect_to(&away)),
                ("GET", "/blobs/", Fault::redirect_to(&format!("http://me:x@{name}:{port}"))),
                ("PUT", "/manifests/", Fault::redirect_to(&away)),
                ("POST", "/uploads/", Fault::redirect_to(&away)),
                ("POST", "/uploads/", Fault::Status(202, String::new(), header("Location", format!("{away}/u?x=y")))),
                (
                    "GET",
                    "/tags/",
                    Fault::Status(200, r#"{"tags":["a"]}"#.into(), header("Link", format!("<{away}/t>; rel=next"))),
                ),
                ("GET", "/v2/", Fault::redirect_to(&away)),
                ("*", "/token", Fault::redirect_to(&away)),
            ];
            for (method, path, fault) in faults {
                let builder = Registry::builder().without_mounts();
                let bearer = Bearer::new().user("me", PASSWORD);
                let registry = if basic { builder.basic("me", PASSWORD) } else { builder.bearer(bearer) }.start();
                registry.put_image("app", "1", &amd64_image());
                let sandbox = logged_in(&registry);
                let (list, image) = (format!("{}/list:1", registry.host()), format!("{}/app:1", registry.host()));
                // In this process, because the retries of `check` wait for seconds by a real clock.
                let clock = SharedClock::new();
                let run = |words: &[&str]| {
                    let words: Vec<String> = ["--debug"].iter().chain(words).map(|&word| word.to_owned()).collect();
                    run_without_waiting(&sandbox, "docker-manifest", &words, &clock)
                };
                let _ = run(&["create", &list, &image]).success();
                registry.add_fault(Rule::on(method, path), fault);
                let check = format!("{}/scratch", registry.host());
                for words in [&["inspect", &image][..], &["platforms", &image], &["push", &list], &["check", &check]] {
                    let output = run(words);
                    let text = output.err() + &output.out();
                    assert!(text.contains(&format!("{}/v2/", registry.url())), "{words:?} prints no trace: {text}");
                    assert_no_secrets(&text, &forms(PASSWORD), &format!("{words:?}"));
                }
                let config = format!(
                    r#"{{"auths":{{"{}":{{"auth":"{}"}}}}}}"#,
                    registry.host(),
                    BASE64_STANDARD.encode(format!("me:{PASSWORD}"))
                );
                let _ = FixtureBuilder::new().config(&config).build().client.tags(&repository(&registry, "app"));
                let secrets: Vec<String> = forms(PASSWORD).into_iter().chain(registry.issued_tokens()).collect();
                let requests = redirect_target.requests();
                assert!(requests.iter().all(|request| request.header("Authorization").is_none()), "{method} {path}");
                assert_no_secrets(&request_texts(&requests), &secrets, &format!("{method} {path}"));
            }
            redirected += redirect_target.requests().len();
        }
    }
    assert!(redirected > 50, "only {redirected} requests went elsewhere");
}

/// A password that is given on the command line is for the registry of the list, and not for those of its images.
#[test]
fn a_login_by_flags_is_sent_to_one_registry() {
    let (ours, theirs) =
        (Registry::builder().basic("me", PASSWORD).start(), Registry::builder().basic("me", PASSWORD).start());
    for registry in [&ours, &theirs] {
        registry.put_image("app", "1", &amd64_image());
    }
    let sandbox = Sandbox::new();
    let tool = sandbox.path().join("manifest-tool");
    std::os::unix::fs::symlink(OURS, &tool).expect("a link");
    let (list, image) = (format!("{}/list:1", ours.host()), format!("{}/app:1", theirs.host()));
    let spec = sandbox.write("list.yaml", format!("image: {list}\nmanifests: [{{image: '{image}'}}]\n"));
    let spec = spec.to_str().expect("UTF-8");
    let login = ["--username", "me", "--password-stdin"];
    let with_login = |words: &[&str]| sandbox.command(OURS).args(words.iter().chain(&login).copied()).stdin(PASSWORD);
    let by_tool = ["--username", "me", "--password", PASSWORD, "push", "from-spec", spec];
    let runs = [
        with_login(&["create", &list, &image]),
        with_login(&["apply", "-f", spec]),
        sandbox.command(&tool).args(by_tool),
    ];
    for run in runs {
        let output = run.run();
        assert_eq!(output.code, 1);
        assert!(output.err().contains(&format!("{} wants a login", theirs.host())), "{}", output.err());
    }
    assert!(theirs.requests().iter().all(|request| request.header("Authorization").is_none()));
    // Logged in there as docker keeps it, both are served, each by its own.
    let auth = BASE64_STANDARD.encode(format!("me:{PASSWORD}"));
    sandbox.write_config(&format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, theirs.host()));
    for words in [&["create", &list, &image][..], &["push", &list]] {
        let _ = with_login(words).run().success();
    }
}

/// A key of config.json is a host and a port.
#[test]
fn a_login_for_another_port_is_not_sent() {
    let registry = Registry::builder().basic("me", PASSWORD).start();
    let auth = BASE64_STANDARD.encode(format!("me:{PASSWORD}"));
    for key in ["127.0.0.1", "127.0.0.1:1", "localhost", "https://127.0.0.1/v1/"] {
        let fixture = FixtureBuilder::new().config(&format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}}}}"#)).build();
        let error = fixture.manifest(&registry, "a:1").expect_err("nobody is logged in");
        assert_eq!(error.kind, docker_manifest::net::RegistryErrorKind::Unauthorized, "{key}");
    }
    assert!(registry.requests().iter().all(|request| request.header("Authorization").is_none()));
}

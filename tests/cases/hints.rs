//! Hints: each fits its failure, and says what to do about it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use testkit::certs::self_signed_ca;
use testkit::image::{Image, sha256};
use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::{Output, Sandbox};

use super::OURS;

/// The lines of advice.
fn hints(output: &Output) -> Vec<String> {
    assert_ne!(output.code, 0, "{}", output.err());
    output.err().lines().filter_map(|line| line.strip_prefix("hint: ")).map(str::to_owned).collect()
}

/// A registry with an image, and a draft of it.
fn registry_with_draft(sandbox: &Sandbox) -> Registry {
    let registry = Registry::start();
    registry.put_image("app", "amd64", &Image::docker().platform("linux", "amd64").build());
    let _ = sandbox.command(OURS).args(registry.expand_names(&["create", "@app:1", "@app:amd64"])).run().success();
    registry
}

#[test]
fn a_proxy_that_requires_a_login_has_a_hint() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let proxy = format!("http://{}", listener.local_addr().expect("it is bound"));
    // It ends with the test's process: nobody counts the connections that are made ahead.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let Ok(reader) = stream.try_clone() else { return };
            let _ = BufReader::new(reader).lines().map_while(Result::ok).find(String::is_empty);
            let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let sandbox = Sandbox::new();
    let run = sandbox.command(OURS).args(["inspect", "--retries", "0", "registry.example.com/app:1"]);
    let failed = run.env("HTTPS_PROXY", &proxy).env("https_proxy", &proxy).run();
    let hints = hints(&failed);
    assert!(hints.len() == 1 && hints[0].starts_with("the proxy requires a login: "), "{}", failed.err());
}

#[test]
fn an_exceeded_quota_has_a_hint_of_its_own() {
    let sandbox = Sandbox::new();
    let registry = registry_with_draft(&sandbox);
    let body =
        r#"{"errors":[{"code":"DENIED","message":"adding 2 MiB will exceed the configured upper limit of 1 MiB"}]}"#;
    registry.add_fault(Rule::on("PUT", "/manifests/"), Fault::Status(403, body.to_owned(), vec![]));
    let failed = sandbox.command(OURS).args(registry.expand_names(&["push", "@app:1"])).run();
    let expected = format!("delete unused images from {}, or have the quota raised", registry.host());
    assert_eq!(hints(&failed), [expected], "{}", failed.err());
    // Any other 403 is about the account.
    registry.clear_faults();
    registry.add_fault(Rule::on("PUT", "/manifests/"), Fault::status(403));
    let failed = sandbox.command(OURS).args(registry.expand_names(&["push", "@app:1"])).run();
    assert!(failed.err().contains("the account that is logged in may not do this"), "{}", failed.err());
}

#[test]
fn a_body_that_is_too_large_has_another_hint_than_a_refused_form() {
    let sandbox = Sandbox::new();
    let registry = registry_with_draft(&sandbox);
    registry.add_fault(Rule::on("PUT", "/manifests/"), Fault::status(413));
    let failed = sandbox.command(OURS).args(registry.expand_names(&["push", "@app:1"])).run();
    let expected_hint =
        "the registry, or a proxy in front of it, accepts no body of this size; a manifest has 4 MiB at most";
    assert_eq!(hints(&failed), [expected_hint], "{}", failed.err());
    let large = format!(r#"{{"schemaVersion":2,"manifests":[],"x":"{}"}}"#, "x".repeat(5 << 20));
    registry.put_manifest("app", "large", "application/vnd.oci.image.index.v1+json", large.as_bytes());
    let failed = sandbox.command(OURS).args(registry.expand_names(&["inspect", "@app:large"])).run();
    let expected = "a manifest has 4 MiB at most, for docker and most registries: put what it lists into several lists";
    assert_eq!(hints(&failed), [expected], "{}", failed.err());
}

#[test]
fn a_byte_order_mark_in_config_json_has_a_hint() {
    let sandbox = Sandbox::new();
    let registry = Registry::builder().basic("me", "secret").start();
    registry.put_image("app", "1", &Image::docker().platform("linux", "amd64").build());
    let _ = sandbox.write_config("\u{feff}{\"auths\":{}}");
    let failed = sandbox.command(OURS).args(registry.expand_names(&["inspect", "@app:1"])).run();
    let expected = "config.json begins with a byte order mark (BOM): save it as UTF-8 without one";
    assert_eq!(hints(&failed), [expected], "{}", failed.err());
}

#[test]
fn a_digest_that_the_tag_no_longer_has_gets_a_hint_at_the_tag() {
    let sandbox = Sandbox::new();
    let registry = registry_with_draft(&sandbox);
    let stale_digest = sha256(b"what the tag had once");
    let failed =
        sandbox.command(OURS).args(registry.expand_names(&["inspect", &format!("@app:amd64@{stale_digest}")])).run();
    let name = registry.name("app");
    let expected = format!(
        "the tag may have moved: use {name}:amd64 for the current manifest, or {name}@{stale_digest} for that one"
    );
    assert_eq!(hints(&failed), [expected], "{}", failed.err());
}

#[test]
fn hints_name_no_file_that_is_never_opened() {
    let registry = Registry::builder().tls(self_signed_ca(&["127.0.0.1"]).server_config(None)).start();
    registry.put_image("app", "1", &Image::docker().platform("linux", "amd64").build());
    let sandbox = Sandbox::new();
    let failed = sandbox.command(OURS).args(registry.expand_names(&["inspect", "@app:1"])).run();
    let expected = "name the authority's certificate in SSL_CERT_FILE, or add --insecure to skip the check";
    assert_eq!(hints(&failed), [expected], "{}", failed.err());
    assert!(!failed.err().contains("certs.d"), "{}", failed.err());
    // certs.d is opened for a name that is not this machine's own.
    let remote_host = registry.host().replace("127.0.0.1", "0.0.0.0");
    let failed = sandbox.command(OURS).args(["inspect", &format!("{remote_host}/app:1")]).run();
    assert!(failed.err().contains(&format!("certs.d/{remote_host}/ca.crt")), "{}", failed.err());
}

/// `DOCKER_CONFIG=~/.docker/config.json` is a common mistake.
#[test]
fn a_file_in_place_of_dockers_directory_has_a_hint() {
    let (registry, mut sandbox) = (Registry::start(), Sandbox::new());
    registry.put_image("app", "amd64", &Image::docker().platform("linux", "amd64").build());
    let file = sandbox.write("config.json", "{}");
    let name = file.display();
    let expected = format!(
        "{name} is not a directory: drafts are kept where docker's configuration is; set DOCKER_CONFIG, or --config, \
         to a directory"
    );
    for variable in ["DOCKER_CONFIG", "HOME"] {
        sandbox.unset("DOCKER_CONFIG");
        sandbox.set(variable, &file);
        for command in [&["ls"][..], &["create", "@app:1", "@app:amd64"], &["rm", "--all"]] {
            let failed = sandbox.command(OURS).args(registry.expand_names(command)).run();
            assert_eq!(hints(&failed), [expected.as_str()], "{variable}: {}", failed.err());
        }
    }
}

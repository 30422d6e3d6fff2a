//! Errors of the operating system are printed in words, without numbers. `testkit::sandbox` checks this in every
//! run; here are failures that no other test causes.

use std::net::TcpListener;

use testkit::image::Image;
use testkit::loopback::Registry;
use testkit::sandbox::Sandbox;

use super::OURS;

#[test]
fn system_errors_are_printed_without_numbers() {
    let (registry, sandbox) = (Registry::start(), Sandbox::new());
    registry.put_image("app", "amd64", &Image::docker().platform("linux", "amd64").build());
    let run = |words: &[&str]| sandbox.command(OURS).args(registry.expand_names(words));
    let _ = run(&["create", "@app:1", "@app:amd64"]).run().success();
    let unused = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let closed_address = unused.local_addr().expect("it is bound").to_string();
    drop(unused);
    let file = sandbox.write("file", "");
    let (file, directory) = (file.display().to_string(), sandbox.path().display().to_string());
    for (run, words) in [
        (run(&["apply", "-f", "/no/such/file"]), "No such file or directory"),
        (run(&["apply", "-f", &directory]), "Is a directory"),
        (run(&["push", "--digest-file", "/no/such/directory/file", "@app:1"]), "No such file or directory"),
        (run(&["inspect", "--retries", "0", &format!("{closed_address}/app:1")]), "Connection refused"),
        (run(&["create", "@app:2", "@app:amd64"]).env("DOCKER_CONFIG", &file), "Not a directory"),
    ] {
        let failed = run.run();
        assert!(failed.err().contains(words), "{}", failed.err());
        assert!(!failed.err().contains("os error"), "{}", failed.err());
        assert_ne!(failed.code, 0, "{words}");
    }
}

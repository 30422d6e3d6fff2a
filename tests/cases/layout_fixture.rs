//! A registry and a folder for layouts, for tests of layouts.

use std::path::PathBuf;

use serde_json::Value;
use testkit::loopback::Registry;
use testkit::sandbox::{Output, Sandbox};

use super::OURS;

pub(super) struct Fixture {
    pub(super) registry: Registry,
    pub(super) sandbox: Sandbox,
}

impl Fixture {
    pub(super) fn new() -> Fixture {
        Fixture { registry: Registry::start(), sandbox: Sandbox::new() }
    }

    /// Runs a line in the sandbox; `@` stands for the registry's host. The record is of this alone.
    pub(super) fn run(&self, line: &str) -> Output {
        self.registry.clear();
        let words: Vec<&str> = line.split_whitespace().collect();
        self.sandbox.command(OURS).dir(self.sandbox.path()).args(self.registry.words(&words)).run()
    }

    /// The same for `copy` and this line.
    pub(super) fn copy(&self, line: &str) -> Output {
        self.run(&format!("copy {line}"))
    }

    #[track_caller]
    pub(super) fn works(&self, line: &str) {
        let output = self.run(line);
        assert_eq!(output.code, 0, "{line}: {}", output.err());
    }

    #[track_caller]
    pub(super) fn copies(&self, line: &str) {
        self.works(&format!("copy {line}"));
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }

    pub(super) fn json(&self, line: &str) -> Value {
        let output = self.run(line).success();
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub(super) fn has_written(&self) -> bool {
        self.registry.requests().iter().any(|request| !["GET", "HEAD"].contains(&request.method.as_str()))
    }
}

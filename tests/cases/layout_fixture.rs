//! What tests of layouts need beside a registry: lines that run in the sandbox's directory, where the layouts are.

use std::path::PathBuf;

use serde_json::Value;
use testkit::sandbox::Output;

use super::OURS;
use super::fixture::Fixture;

impl Fixture {
    /// Runs the words of a line in the sandbox's directory; `@` stands for the registry's host. The record is of this
    /// run alone.
    pub(super) fn clear_record_and_run_line(&self, line: &str) -> Output {
        self.registry.clear_record();
        let words: Vec<&str> = line.split_whitespace().collect();
        self.sandbox.command(OURS).dir(self.sandbox.path()).args(self.registry.expand_names(&words)).run()
    }

    /// The same; the run has to succeed.
    #[track_caller]
    pub(super) fn clear_record_and_run_line_ok(&self, line: &str) -> Output {
        let output = self.clear_record_and_run_line(line);
        assert_eq!(output.code, 0, "{line}: {}", output.err());
        output
    }

    /// The JSON that the words of a line print.
    #[track_caller]
    pub(super) fn line_json(&self, line: &str) -> Value {
        serde_json::from_slice(&self.clear_record_and_run_line_ok(line).stdout).expect("JSON")
    }

    /// Runs `copy` and the words of a line.
    pub(super) fn copy(&self, line: &str) -> Output {
        self.clear_record_and_run_line(&format!("copy {line}"))
    }

    #[track_caller]
    pub(super) fn copy_ok(&self, line: &str) -> Output {
        self.clear_record_and_run_line_ok(&format!("copy {line}"))
    }

    /// The path of a file in the sandbox's directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }

    pub(super) fn has_written(&self) -> bool {
        !self.writes().is_empty()
    }
}

//! A registry that lists are published in, another one that images come from, and a sandbox. A file of tests adds what
//! only its tests need in an `impl Fixture` of its own.

use testkit::loopback::Registry;
use testkit::sandbox::{Output, Sandbox};

use super::OURS;

pub(super) struct Fixture {
    pub(super) target: Registry,
    pub(super) source: Registry,
    pub(super) sandbox: Sandbox,
}

impl Fixture {
    pub(super) fn new() -> Fixture {
        Fixture::with_registries(Registry::start(), Registry::start())
    }

    pub(super) fn with_registries(source: Registry, target: Registry) -> Fixture {
        Fixture { target, source, sandbox: Sandbox::new() }
    }

    /// A word of a command line: `@x` is x in the registry of lists, `%x` is x in that of images.
    pub(super) fn expand_word(&self, word: &str) -> String {
        full_name(word, &self.target, &self.source)
    }

    /// Runs the program with these words.
    pub(super) fn run(&self, args: &[&str]) -> Output {
        self.sandbox.command(OURS).args(args.iter().map(|word| self.expand_word(word))).run()
    }

    /// Runs the words of a line, in the sandbox's directory. The records of both registries are of this run alone.
    pub(super) fn clear_record_and_run_line(&self, line: &str) -> Output {
        self.target.clear_record();
        self.source.clear_record();
        let words = line.split_whitespace().map(|word| self.expand_word(word));
        self.sandbox.command(OURS).dir(self.sandbox.path()).args(words).run()
    }

    /// The same; the run has to succeed.
    #[track_caller]
    pub(super) fn clear_record_and_run_line_ok(&self, line: &str) -> Output {
        let output = self.clear_record_and_run_line(line);
        assert_eq!(output.code, 0, "{line}: {}", output.err());
        output
    }
}

/// The full name of a word that begins with `@` (in the first registry) or `%` (in the second one).
pub(super) fn full_name(word: &str, first: &Registry, second: &Registry) -> String {
    match (word.strip_prefix('@'), word.strip_prefix('%')) {
        (Some(rest), _) => first.name(rest),
        (_, Some(rest)) => second.name(rest),
        _ => word.to_owned(),
    }
}

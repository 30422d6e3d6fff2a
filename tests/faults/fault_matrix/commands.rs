//! Every command that talks to a registry.

use super::fixture::Fixture;
use super::setups::{self, PROBE_REPOSITORY};

/// What a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputKind {
    /// The same output after a success, none after a failure.
    Exactly,
    /// As `Exactly`, or fewer lines after a success if a registry answers less.
    ExactlyOrFewerLines,
    /// A line for each published list, even if another one fails.
    LinePerList,
    /// Its findings, whatever they are.
    Findings,
    /// As `Exactly`; entries of a shared draft that a registry does not delete stay.
    ExactlyOrUnpurged,
    /// As `Exactly`, unless it says that entries are missing, and has published nothing.
    ExactlyOrIncomplete,
}

/// A command line, and the content that it needs.
pub(super) struct Command {
    pub(super) name: &'static str,
    /// The name that the program is called by.
    pub(super) program: &'static str,
    /// Whether there is a blob of megabytes.
    pub(super) is_large: bool,
    pub(super) output_kind: OutputKind,
    prepare: fn(&Fixture),
    words: fn(&Fixture) -> Vec<String>,
}

impl Command {
    /// Sets up the content that the command needs.
    pub(super) fn prepare(&self, fixture: &Fixture) {
        (self.prepare)(fixture);
    }

    /// Its words.
    pub(super) fn words(&self, fixture: &Fixture) -> Vec<String> {
        (self.words)(fixture)
    }

    /// Whether it has our flags.
    pub(super) fn is_ours(&self) -> bool {
        self.program == OURS
    }

    const fn large(self) -> Command {
        Command { is_large: true, ..self }
    }

    const fn with_output(self, output_kind: OutputKind) -> Command {
        Command { output_kind, ..self }
    }

    const fn run_as(self, program: &'static str) -> Command {
        Command { program, ..self }
    }
}

const OURS: &str = "docker-manifest";

const fn plain(name: &'static str, prepare: fn(&Fixture), words: fn(&Fixture) -> Vec<String>) -> Command {
    Command { name, program: OURS, is_large: false, output_kind: OutputKind::Exactly, prepare, words }
}

fn words(first: &[&str], names: impl IntoIterator<Item = String>) -> Vec<String> {
    first.iter().map(|word| (*word).to_owned()).chain(names).collect()
}

/// One list with several tags, of one image in its registry and one in the other.
fn write_spec(fixture: &Fixture) -> String {
    let (list, target, source) = (fixture.list(), fixture.name("team/amd:1"), fixture.source_name("team/arm:1"));
    let manifests = format!("manifests: [{{image: '{target}'}}, {{image: '{source}'}}]");
    fixture.write("list.yml", &format!("image: '{list}'\ntags: [one, two]\n{manifests}\n"))
}

/// Two lists, one of them from an index.
fn write_specs(fixture: &Fixture) -> String {
    let (one, two) = (fixture.list(), fixture.name("team/app:2"));
    let [amd64, arm64, index] = ["amd:1", "arm:1", "both:1"].map(|rest| fixture.name(&format!("team/{rest}")));
    let first = format!("image: '{one}'\nmanifests: [{{image: '{amd64}'}}, {{image: '{arm64}'}}]\n");
    let second = format!("image: '{two}'\nmanifests: [{{image: '{index}'}}]\n");
    fixture.write("lists.yml", &format!("{first}---\n{second}"))
}

/// `OS/ARCH` of each image of [`setups::images_in_place`], and how their names come of them.
fn template(fixture: &Fixture, target: &str) -> Vec<String> {
    let template = fixture.name("team/app:ARCH");
    ["--platforms", "linux/amd64,linux/arm64", "--template", &template, target, &fixture.list()]
        .map(str::to_owned)
        .into()
}

/// All commands, except those that [`super::coverage`] shows to send no request.
pub(super) static COMMANDS: &[Command] = &[
    plain("create", setups::images, |g| words(&["create"], [g.list(), g.name("team/amd:1"), g.name("team/arm:1")])),
    plain("create of an index", setups::images, |g| words(&["create"], [g.list(), g.name("team/both:1")])),
    plain("create --amend", setups::outdated_draft, |g| {
        words(&["create", "--amend"], [g.list(), g.name("team/amd:1"), g.name("team/both:1")])
    }),
    plain("create --replace", setups::draft_of_one, |g| {
        words(&["create", "--replace", "--platform", "linux/arm64"], [g.list(), g.name("team/both:1")])
    }),
    plain("add", setups::draft_of_one, |g| words(&["add"], [g.list(), g.name("team/arm:1"), g.name("team/both:1")])),
    plain("inspect", setups::images, |g| words(&["inspect"], [g.name("team/both:1")])),
    plain("inspect -v of an image", setups::images, |g| words(&["inspect", "-v"], [g.name("team/amd:1")])),
    plain("inspect -v", setups::images, |g| words(&["inspect", "-v"], [g.name("team/both:1")])),
    plain("inspect --platform", setups::images, |g| {
        words(&["inspect", "--raw", "--platform", "linux/arm64"], [g.name("team/both:1")])
    }),
    plain("inspect --format table", setups::images, |g| {
        words(&["inspect", "--format", "table"], [g.name("team/both:1")])
    }),
    plain("inspect --format tree", setups::images, |g| {
        words(&["inspect", "--format", "tree"], [g.name("team/both:1")])
    })
    .with_output(OutputKind::ExactlyOrFewerLines),
    plain("platforms", setups::images, |g| words(&["platforms"], [g.name("team/both:1")])),
    plain("platforms of an image", setups::images, |g| words(&["platforms"], [g.name("team/amd:1")])),
    plain("export", setups::images, |g| words(&["export", "--remote"], [g.name("team/both:1")])),
    plain("push in place", setups::draft_in_place, |g| words(&["push"], [g.list()])),
    plain("push --purge", setups::draft_in_place, |g| words(&["push", "--purge"], [g.list()])),
    plain("push with mounts", setups::draft_from_target, |g| words(&["push"], [g.list()])),
    plain("push with copies", setups::draft_from_source, |g| words(&["push"], [g.list()])),
    plain("push with a large copy", setups::draft_of_large_layer, |g| words(&["push"], [g.list()])).large(),
    plain("push -t", setups::draft_from_target, |g| words(&["push", "-t", "1.2.3", "-t", "latest"], [g.list()])),
    plain("push --require", setups::draft_in_place, |g| {
        words(&["push", "--require", "linux/amd64,linux/arm64", "--exact", "--type", "oci"], [g.list()])
    }),
    plain("push --dry-run", setups::draft_from_source, |g| {
        words(&["push", "--dry-run", "--require", "linux/amd64"], [g.list()])
    })
    .with_output(OutputKind::ExactlyOrFewerLines),
    plain("create --push", setups::images_and_list, |g| {
        words(&["create", "--push"], [g.list(), g.name("team/amd:1"), g.name("team/arm:1")])
    }),
    plain("copy", setups::images_in_source, |g| words(&["copy"], [g.source_name("team/amd:1"), g.list()])),
    plain("add --shared", setups::images_and_list, |g| words(&["add", "--shared"], [g.list(), g.name("team/both:1")])),
    plain("add --shared --if-complete", setups::shared_entry, |g| {
        let flags = ["--require", "linux/amd64,linux/arm64", "--if-complete", "--platform", "linux/arm64"];
        words(&[&["add", "--shared"], &flags[..]].concat(), [g.list(), g.name("team/both:1")])
    })
    .with_output(OutputKind::ExactlyOrIncomplete),
    plain("push --shared --purge", setups::shared_entries, |g| {
        words(&["push", "--shared", "--purge", "--require", "linux/amd64,linux/arm64", "-t", "latest"], [g.list()])
    })
    .with_output(OutputKind::ExactlyOrUnpurged),
    plain("apply of a file", setups::images_in_both, |g| words(&["apply", "-f"], [write_spec(g)])),
    plain("apply of two lists", setups::images, |g| words(&["apply", "--draft", "-f"], [write_specs(g)]))
        .with_output(OutputKind::LinePerList),
    plain("apply of a template", setups::images_in_place, |g| words(&["apply"], template(g, "--target"))),
    plain("check", setups::nothing, |g| words(&["check"], [g.name(PROBE_REPOSITORY)]))
        .with_output(OutputKind::Findings),
    plain("manifest-tool inspect", setups::images, |g| words(&["inspect"], [g.name("team/both:1")]))
        .run_as("manifest-tool"),
    plain("manifest-tool push from-spec", setups::images_in_both, |g| words(&["push", "from-spec"], [write_spec(g)]))
        .run_as("manifest-tool"),
    plain("manifest-tool push from-args", setups::images_in_place, |g| {
        words(&["push", "from-args"], template(g, "--target"))
    })
    .run_as("manifest-tool"),
    plain("mquery", setups::images, |g| words(&[], [g.name("team/both:1")])).run_as("mquery"),
];

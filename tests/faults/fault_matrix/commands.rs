//! Every command that talks to a registry.

use super::ground::Ground;
use super::scenes::{self, TRIALS};

/// What a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// The very same where it works, nothing where it fails.
    Exactly,
    /// Less where it works and a registry tells less; nothing where it fails.
    Less,
    /// A line for each list that is published, also where another fails.
    EachList,
    /// What it found out, whatever that is.
    Findings,
}

/// A command line and its world.
pub(super) struct Command {
    pub(super) name: &'static str,
    /// What the program is called by.
    pub(super) program: &'static str,
    /// Whether there is a blob of megabytes.
    pub(super) is_large: bool,
    pub(super) says: Says,
    prepare: fn(&Ground),
    words: fn(&Ground) -> Vec<String>,
}

impl Command {
    /// Puts everything in place that the command finds.
    pub(super) fn prepare(&self, ground: &Ground) {
        (self.prepare)(ground);
    }

    /// Its words.
    pub(super) fn words(&self, ground: &Ground) -> Vec<String> {
        (self.words)(ground)
    }

    /// Whether it is ours, and so has our flags.
    pub(super) fn is_ours(&self) -> bool {
        self.program == OURS
    }

    const fn large(self) -> Command {
        Command { is_large: true, ..self }
    }

    const fn saying(self, says: Says) -> Command {
        Command { says, ..self }
    }

    const fn called(self, program: &'static str) -> Command {
        Command { program, ..self }
    }
}

const OURS: &str = "docker-manifest";

const fn plain(name: &'static str, prepare: fn(&Ground), words: fn(&Ground) -> Vec<String>) -> Command {
    Command { name, program: OURS, is_large: false, says: Says::Exactly, prepare, words }
}

fn words(first: &[&str], names: impl IntoIterator<Item = String>) -> Vec<String> {
    first.iter().map(|word| (*word).to_owned()).chain(names).collect()
}

/// One list under several tags, of an image in its registry and one in the other.
fn spec(ground: &Ground) -> String {
    let (list, near, afar) = (ground.list(), ground.at("team/amd:1"), ground.afar("team/arm:1"));
    let manifests = format!("manifests: [{{image: '{near}'}}, {{image: '{afar}'}}]");
    ground.write("list.yml", &format!("image: '{list}'\ntags: [one, two]\n{manifests}\n"))
}

/// Two lists, one of them of an index.
fn specs(ground: &Ground) -> String {
    let (one, two) = (ground.list(), ground.at("team/app:2"));
    let [amd, arm, both] = ["amd:1", "arm:1", "both:1"].map(|rest| ground.at(&format!("team/{rest}")));
    let first = format!("image: '{one}'\nmanifests: [{{image: '{amd}'}}, {{image: '{arm}'}}]\n");
    let second = format!("image: '{two}'\nmanifests: [{{image: '{both}'}}]\n");
    ground.write("lists.yml", &format!("{first}---\n{second}"))
}

/// `OS/ARCH` of each image of [`scenes::images_in_place`], and how their names come of them.
fn template(ground: &Ground, target: &str) -> Vec<String> {
    let template = ground.at("team/app:ARCH");
    ["--platforms", "linux/amd64,linux/arm64", "--template", &template, target, &ground.list()]
        .map(str::to_owned)
        .into()
}

/// All of them, but for those that [`super::verbs`] shows to ask nobody.
pub(super) static COMMANDS: &[Command] = &[
    plain("create", scenes::images, |g| words(&["create"], [g.list(), g.at("team/amd:1"), g.at("team/arm:1")])),
    plain("create of an index", scenes::images, |g| words(&["create"], [g.list(), g.at("team/both:1")])),
    plain("create --amend", scenes::draft_that_is_behind, |g| {
        words(&["create", "--amend"], [g.list(), g.at("team/amd:1"), g.at("team/both:1")])
    }),
    plain("create --replace", scenes::draft_of_one, |g| {
        words(&["create", "--replace", "--platform", "linux/arm64"], [g.list(), g.at("team/both:1")])
    }),
    plain("add", scenes::draft_of_one, |g| words(&["add"], [g.list(), g.at("team/arm:1"), g.at("team/both:1")])),
    plain("inspect", scenes::images, |g| words(&["inspect"], [g.at("team/both:1")])),
    plain("inspect -v of an image", scenes::images, |g| words(&["inspect", "-v"], [g.at("team/amd:1")])),
    plain("inspect -v", scenes::images, |g| words(&["inspect", "-v"], [g.at("team/both:1")])),
    plain("inspect --platform", scenes::images, |g| {
        words(&["inspect", "--raw", "--platform", "linux/arm64"], [g.at("team/both:1")])
    }),
    plain("inspect --format table", scenes::images, |g| {
        words(&["inspect", "--format", "table"], [g.at("team/both:1")])
    }),
    plain("inspect --format tree", scenes::images, |g| words(&["inspect", "--format", "tree"], [g.at("team/both:1")]))
        .saying(Says::Less),
    plain("platforms", scenes::images, |g| words(&["platforms"], [g.at("team/both:1")])),
    plain("platforms of an image", scenes::images, |g| words(&["platforms"], [g.at("team/amd:1")])),
    plain("export", scenes::images, |g| words(&["export", "--remote"], [g.at("team/both:1")])),
    plain("push in place", scenes::draft_in_place, |g| words(&["push"], [g.list()])),
    plain("push --purge", scenes::draft_in_place, |g| words(&["push", "--purge"], [g.list()])),
    plain("push with mounts", scenes::draft_near, |g| words(&["push"], [g.list()])),
    plain("push with copies", scenes::draft_afar, |g| words(&["push"], [g.list()])),
    plain("push with a large copy", scenes::draft_of_large, |g| words(&["push"], [g.list()])).large(),
    plain("push -t", scenes::draft_near, |g| words(&["push", "-t", "1.2.3", "-t", "latest"], [g.list()])),
    plain("push --require", scenes::draft_in_place, |g| {
        words(&["push", "--require", "linux/amd64,linux/arm64", "--exact", "--type", "oci"], [g.list()])
    }),
    plain("push --dry-run", scenes::draft_afar, |g| {
        words(&["push", "--dry-run", "--require", "linux/amd64"], [g.list()])
    })
    .saying(Says::Less),
    plain("apply of a file", scenes::images_everywhere, |g| words(&["apply", "-f"], [spec(g)])),
    plain("apply of two lists", scenes::images, |g| words(&["apply", "--draft", "-f"], [specs(g)]))
        .saying(Says::EachList),
    plain("apply of a template", scenes::images_in_place, |g| words(&["apply"], template(g, "--target"))),
    plain("check", scenes::nothing, |g| words(&["check"], [g.at(TRIALS)])).saying(Says::Findings),
    plain("manifest-tool inspect", scenes::images, |g| words(&["inspect"], [g.at("team/both:1")]))
        .called("manifest-tool"),
    plain("manifest-tool push from-spec", scenes::images_everywhere, |g| words(&["push", "from-spec"], [spec(g)]))
        .called("manifest-tool"),
    plain("manifest-tool push from-args", scenes::images_in_place, |g| {
        words(&["push", "from-args"], template(g, "--target"))
    })
    .called("manifest-tool"),
    plain("mquery", scenes::images, |g| words(&[], [g.at("team/both:1")])).called("mquery"),
];

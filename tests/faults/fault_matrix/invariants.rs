//! What must hold after a run, whatever the registries did.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use testkit::loopback::Registry;
use testkit::sandbox::Output;

use super::commands::{Command, OutputKind};
use super::fixture::{Fixture, Side, Snapshot};
use super::setups::PROBE_REPOSITORY;

type Texts = BTreeMap<String, String>;

/// The result of a command with working registries.
#[derive(Clone, Debug)]
pub(super) struct CleanRun {
    pub(super) stdout: String,
    pub(super) state: Snapshot,
    pub(super) requests: [usize; 2],
}

impl CleanRun {
    pub(super) fn requests(&self, side: Side) -> usize {
        let [target, source] = self.requests;
        if side == Side::Target { target } else { source }
    }
}

/// A run that has ended, and what it is compared with.
struct EndedRun<'a> {
    fixture: &'a Fixture,
    command: &'a Command,
    before: &'a Snapshot,
    after: &'a Snapshot,
    clean: &'a CleanRun,
    output: &'a Output,
}

/// Every violation of an invariant by the result of a run.
pub(super) fn check_invariants(
    fixture: &Fixture,
    command: &Command,
    before: &Snapshot,
    clean: &CleanRun,
    output: &Output,
    is_debug: bool,
) -> Vec<String> {
    let after = fixture.snapshot();
    let mut violations = check_secrets(fixture, output);
    violations.extend(check_tags(fixture, before, clean, &after));
    violations.extend(fixture.leftovers().into_iter().map(|path| format!("left behind: {path}")));
    violations.extend(check_probe_tags_reported(fixture, output));
    if output.err().contains("panicked") {
        violations.push("a panic".to_owned());
    }
    let run = EndedRun { fixture, command, before, after: &after, clean, output };
    match output.code {
        0 => violations.extend(check_success(&run)),
        // An entry that was not seen is a platform that is missing.
        3 if command.output_kind == OutputKind::ExactlyOrUnpurged => {
            violations.extend(check_error(&run, is_debug));
        }
        1 => violations.extend(check_error(&run, is_debug)),
        code => violations.push(format!("exit code {code}")),
    }
    violations
}

fn check_success(run: &EndedRun<'_>) -> Vec<String> {
    let EndedRun { fixture, command, before, after, clean, output } = run;
    let mut violations = Vec::new();
    let stdout = fixture.normalise(&output.out());
    if command.output_kind == OutputKind::ExactlyOrIncomplete && output.err().contains("is not published: waiting for")
    {
        // The entry is there; what else has moved is looked at anyway.
        let is_stored = clean
            .state
            .tags
            .iter()
            .filter(|(tag, _)| is_entry(tag))
            .all(|(tag, digest)| after.tags.get(tag) == Some(digest));
        return if is_stored {
            violations
        } else {
            vec!["it says what it waits for, and its own entry is not there".to_owned()]
        };
    }
    let is_right = match command.output_kind {
        OutputKind::Exactly
        | OutputKind::LinePerList
        | OutputKind::ExactlyOrUnpurged
        | OutputKind::ExactlyOrIncomplete => stdout == clean.stdout,
        OutputKind::ExactlyOrFewerLines => stdout
            .lines()
            .all(|line| clean.stdout.lines().any(|known| known == line) || depends_on_registry_content(line)),
        OutputKind::Findings => has_same_titles(&clean.stdout, &stdout),
    };
    if !is_right {
        violations.push(format!("it says that it worked, and prints {stdout:?} in place of {:?}", clean.stdout));
    }
    let drafts = differences(&clean.state.drafts, &after.drafts);
    // An entry that was not deleted is what it was.
    let may_stay = |name: &&String| {
        command.output_kind == OutputKind::ExactlyOrUnpurged
            && is_entry(name)
            && after.tags.get(*name) == before.tags.get(*name)
    };
    let mut clean_tags = clean.state.tags.clone();
    clean_tags
        .extend(after.tags.iter().filter(|(name, _)| may_stay(name)).map(|(name, tag)| (name.clone(), tag.clone())));
    let tags = differences(&clean_tags, &after.tags);
    violations.extend(drafts.chain(tags).map(|difference| format!("it says that it worked, but {difference}")));
    violations
}

/// Whether a line is about what a registry says that it has: who is told that it has nothing has to take its word, and
/// who is told nothing says so.
fn depends_on_registry_content(line: &str) -> bool {
    let words =
        ["not in the registry", "now is not known", "(new)", "Blobs to mount:", "copy from ", "Compared with what "];
    line.starts_with("+ ") || words.iter().any(|words| line.contains(words))
}

/// Whether a table tells of the same things as another, be it otherwise.
fn has_same_titles(expected: &str, actual: &str) -> bool {
    let titles = |table: &str| -> Vec<String> {
        table.lines().map(|line| line.split("  ").next().unwrap_or_default().to_owned()).collect()
    };
    // Where no blob can be sent, a row of its own says that first.
    let actual: Vec<String> = titles(actual).into_iter().filter(|title| title != "blob upload").collect();
    titles(expected) == actual
}

fn check_error(run: &EndedRun<'_>, is_debug: bool) -> Vec<String> {
    let EndedRun { fixture, command, before, after, clean, output } = run;
    let mut violations = Vec::new();
    let stdout = fixture.normalise(&output.out());
    let may_say = match command.output_kind {
        OutputKind::Exactly | OutputKind::ExactlyOrFewerLines | OutputKind::ExactlyOrUnpurged => stdout.is_empty(),
        // The entry is stored and told before the list is published.
        OutputKind::ExactlyOrIncomplete => {
            clean.stdout.starts_with(&stdout) && (stdout.is_empty() || stdout.ends_with('\n'))
        }
        OutputKind::LinePerList => clean.stdout.starts_with(&stdout) && (stdout.is_empty() || stdout.ends_with('\n')),
        OutputKind::Findings => stdout.is_empty() || has_same_titles(&clean.stdout, &stdout),
    };
    if !may_say {
        violations.push(format!("a failure, and {stdout:?} on stdout"));
    }
    // Where several lists are published, those before the failure are kept as they should be.
    let differs = |state: &Snapshot| -> BTreeSet<String> { differing(&state.drafts, &after.drafts).cloned().collect() };
    let (not_old, not_new) = (differs(before), differs(&clean.state));
    let is_wrong = |name: &&String| command.output_kind != OutputKind::LinePerList || not_new.contains(*name);
    violations.extend(not_old.iter().filter(is_wrong).map(|name| format!("a failure, and another draft: {name}")));
    let names = |text: &str| Side::BOTH.iter().any(|side| text.contains(&fixture.registry(*side).host()));
    // What is traced comes first. Docker has one line that names nothing but a digest.
    let first = output.first_err_line();
    let is_plain = is_debug || names(&first) || first.starts_with("manifest verification failed for digest sha256:");
    if first.is_empty() || !is_plain || !names(&output.err()) {
        violations.push(format!("it does not say what it is about: {first:?}"));
    }
    violations
}

/// The tags that `check` left must be printed.
fn check_probe_tags_reported(fixture: &Fixture, output: &Output) -> Option<String> {
    let tags = fixture.registry(Side::Target).tags(PROBE_REPOSITORY);
    let unreported: Vec<&String> = tags.iter().filter(|tag| !output.err().contains(tag.as_str())).collect();
    (!unreported.is_empty()).then(|| format!("it left the tags {unreported:?} and does not say so"))
}

/// A short description of each difference.
fn differences<'a>(expected: &'a Texts, actual: &'a Texts) -> impl Iterator<Item = String> + 'a {
    differing(expected, actual).map(|name| match (expected.get(name), actual.get(name)) {
        (Some(expected), Some(actual)) => {
            let same = expected.bytes().zip(actual.bytes()).take_while(|(expected, actual)| expected == actual).count();
            let part =
                |text: &str| String::from_utf8_lossy(text.as_bytes().get(same..).unwrap_or_default()).to_string();
            let short = |text: &str| part(text).chars().take(80).collect::<String>();
            format!("{name} has {:?} in place of {:?} from byte {same} on", short(actual), short(expected))
        }
        (Some(_), None) => format!("{name} is missing"),
        (None, _) => format!("{name} is new"),
    })
}

/// The names whose values differ.
fn differing<'a>(expected: &'a Texts, actual: &'a Texts) -> impl Iterator<Item = &'a String> + 'a {
    let names: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    names.into_iter().filter(|name| expected.get(*name) != actual.get(*name))
}

fn check_secrets(fixture: &Fixture, output: &Output) -> Vec<String> {
    let all_output = output.out() + &output.err();
    let exposed = fixture.secrets().into_iter().filter(|secret| all_output.contains(secret.as_str()));
    exposed.map(|secret| format!("the secret {secret} is told")).collect()
}

/// A tag names the manifest that it named before, or the new one, and then everything that it names exists.
fn check_tags(fixture: &Fixture, before: &Snapshot, clean: &CleanRun, after: &Snapshot) -> Vec<String> {
    let mut violations = Vec::new();
    for (tag, digest) in &after.tags {
        if before.tags.get(tag) == Some(digest) {
            continue;
        }
        if clean.state.tags.get(tag) != Some(digest) {
            violations.push(format!("the tag {tag} names {digest}"));
        }
        violations.extend(
            first_missing(fixture.registry(Side::Target), "team/app", digest).map(|what| format!("{tag}: {what}")),
        );
    }
    // Only the entries that were published may be deleted.
    let is_kept = |tag: &&String| clean.state.tags.contains_key(*tag);
    let lost = before.tags.keys().filter(|tag| !after.tags.contains_key(*tag)).filter(is_kept);
    violations.extend(lost.map(|tag| format!("{tag} is gone")));
    let is_published = before
        .tags
        .iter()
        .chain(&clean.state.tags)
        .filter(|(tag, _)| !is_entry(tag))
        .all(|(tag, _)| after.tags.get(tag) == clean.state.tags.get(tag));
    let lost = before.tags.keys().filter(|tag| is_entry(tag) && !is_published && !after.tags.contains_key(*tag));
    violations.extend(lost.map(|tag| format!("{tag} is gone, and not published")));
    violations
}

/// Whether a tag is that of an entry of a shared draft.
fn is_entry(tag: &str) -> bool {
    tag.contains(":draft.")
}

/// The first missing child or blob of a manifest.
fn first_missing(registry: &Registry, repository: &str, digest: &str) -> Option<String> {
    let Some((_, bytes)) = registry.manifest(repository, digest) else { return Some(format!("no manifest {digest}")) };
    let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let all = |member: &str| manifest[member].as_array().cloned().unwrap_or_default();
    let digest = |descriptor: &Value| descriptor["digest"].as_str().unwrap_or_default().to_owned();
    let child = all("manifests").iter().find_map(|child| first_missing(registry, repository, &digest(child)));
    let blobs = all("layers").into_iter().chain(manifest.get("config").cloned());
    let is_missing = |blob: &Value| !registry.has_blob(repository, &digest(blob));
    child.or_else(|| blobs.filter(is_missing).map(|blob| format!("no blob {}", digest(&blob))).next())
}

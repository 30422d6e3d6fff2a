//! Every command with every habit: it works as with any registry, or it fails with an error and a hint.

use std::sync::Arc;

use docker_manifest::net::Clock;
use testkit::image::{Image, Index, sha512};
use testkit::loopback::{Builder, Fault, Rule};
use testkit::sandbox::Output;

use super::super::fake_clocks::{SharedClock, run_without_waiting};
use super::{Fixture, image};

/// What is run, in this order, each with its name in the tables.
const COMMANDS: &[(&str, &str)] = &[
    ("inspect", "inspect @seed:list"),
    ("raw", "inspect --raw @seed:list"),
    ("tree", "inspect --check @seed:list"),
    ("image", "inspect -v @amd64:docker"),
    ("platforms", "platforms @seed:list"),
    ("export", "export --remote @seed:list"),
    ("missing", "inspect @seed:none"),
    ("create", "create @new:1 @amd64:docker %arm64:docker"),
    ("annotate", "annotate @new:1 @amd64:docker --os-version 1.2"),
    ("dry run", "push --dry-run @new:1"),
    ("push", "push @new:1"),
    ("push again", "push @new:1"),
    ("tag", "push --tag 2 @new:1"),
    ("index", "create @copy:1 %seed:list"),
    ("copy", "push --purge @copy:1"),
    ("add", "add @new:1 @arm64:oci"),
    ("remove", "remove @new:1 linux/amd64"),
    ("changed", "push --type oci @new:1"),
    ("amend", "create @seed:list @seed:list @arm64:oci"),
    ("over", "push --type oci @seed:list"),
    ("apply", "apply -f {D}/spec.yaml"),
    ("one step", "create --push @once:1 @amd64:docker %arm64:docker"),
    ("copy as it is", "copy %seed:list @copied:1"),
    ("entry", "add --shared --run r @joint:1 @amd64:docker"),
    ("other entry", "add --shared --run r @joint:1 %arm64:docker"),
    ("joined", "push --shared --run r --wait 1m --require linux/amd64,linux/arm64 --purge @joint:1"),
    ("pruned", "prune --shared --all @joint"),
    ("probe", "check @probe"),
];

/// What the commands publish.
const PUBLISHED: [(&str, &str); 8] = [
    ("new", "1"),
    ("new", "2"),
    ("copy", "1"),
    ("seed", "list"),
    ("applied", "1"),
    ("once", "1"),
    ("copied", "1"),
    ("joint", "1"),
];

/// The commands that send manifests.
const PUSHES: &[&str] = &[
    "push",
    "push again",
    "tag",
    "copy",
    "changed",
    "over",
    "apply",
    "one step",
    "copy as it is",
    "entry",
    "other entry",
];

/// A registry's habit, and the clock that it has its seconds from.
type Habit = fn(Builder, Arc<SharedClock>) -> Builder;

/// Which commands fail, how the first line begins and what one of the hints has in it.
type ExpectedError = (&'static [&'static str], &'static str, &'static str);

struct Row {
    name: &'static str,
    habit: Habit,
    errors: &'static [ExpectedError],
}

const NO_SUCH_MANIFEST: ExpectedError = (&["missing"], "no such manifest: @/seed:none", "check the name");
const IMMUTABLE_TAG: ExpectedError = (&["changed", "over"], "failed to put manifest @/", "may not let this tag move");
const TOO_LARGE: ExpectedError = (PUSHES, "failed to put manifest @/", "accepts no body of this size");
const READ_ONLY_REGISTRY: ExpectedError = (&["copy as it is"], "@ refuses the request", "@ may be read-only");
const NO_ENTRIES: ExpectedError = (&["joined"], "@/joint:1 is incomplete", "");
const NO_LISTS: ExpectedError = (&["probe"], "@/probe takes neither", "the table has the registry's own messages");

const fn row(name: &'static str, habit: Habit, errors: &'static [ExpectedError]) -> Row {
    Row { name, habit, errors }
}

/// The habits that do no harm.
const HARMLESS: &[Row] = &[
    row("Docker-Content-Digest of a blob is always sha256", |h, _| h.canonical_blob_digests(), &[NO_SUCH_MANIFEST]),
    row("URIs of 300 bytes", |h, _| h.uri_limit(300), &[NO_SUCH_MANIFEST]),
    row("headers of 1000 bytes", |h, _| h.headers_limit(1000), &[NO_SUCH_MANIFEST]),
    row("schema 1 for a HEAD with an OCI Accept", |h, _| h.converts_to_schema_1(), &[NO_SUCH_MANIFEST]),
    row("400 for a type that was not asked for", |h, _| h.strict_accept(400), &[NO_SUCH_MANIFEST]),
    row("404 for a type that was not asked for", |h, _| h.strict_accept(404), &[NO_SUCH_MANIFEST]),
    row("tags unsorted and unpaged", |h, _| h.unsorted_tags(), &[NO_SUCH_MANIFEST]),
    row("tags: null", |h, _| h.null_tags(), &[NO_SUCH_MANIFEST]),
    row("NAME_UNKNOWN without tags", |h, _| h.unknown_without_tags(), &[NO_SUCH_MANIFEST]),
    row("pages of 100 to 1000 tags only", |h, _| h.page_sizes(100, 1000), &[NO_SUCH_MANIFEST]),
    row("500 for two PUTs at once", |h, _| h.no_overlapping_puts(), &[NO_SUCH_MANIFEST]),
    row("one answer of 404 after a PUT", |h, _| h.read_lag(1), &[NO_SUCH_MANIFEST]),
    row("three answers of 404 after a PUT", |h, _| h.read_lag(3), &[NO_SUCH_MANIFEST]),
    row("images that are known late", |h, _| h.refuses_first_lists(1), &[NO_SUCH_MANIFEST]),
    row("20 requests a second", |h, clock| h.rate_limited(20, move || clock.now()), &[NO_SUCH_MANIFEST]),
    row("405 for tag deletion", |h, _| h.no_tag_deletion(405), &[NO_SUCH_MANIFEST]),
    row("400 for tag deletion", |h, _| h.no_tag_deletion(400), &[NO_SUCH_MANIFEST]),
    row("no deletion", |h, _| h.without_deletion(), &[NO_SUCH_MANIFEST]),
    row("no OCI-Subject, no referrers", |h, _| h.without_referrers(), &[NO_SUCH_MANIFEST]),
    row("images go with what names them, as in zot", |h, _| h.prunes_children(), &[NO_SUCH_MANIFEST]),
    row("If-None-Match: * on a PUT", |h, _| h.conditional_puts(), &[NO_SUCH_MANIFEST]),
    row("a web page for referrers", |h, _| h.referrers_as_html(), &[NO_SUCH_MANIFEST]),
    row("401 for a mount", |h, _| h.denies_cross_repository_mounts(), &[NO_SUCH_MANIFEST]),
    row("https in the Location of plain HTTP", |h, _| h.https_locations(), &[NO_SUCH_MANIFEST]),
    row(
        "403 for a tag that is not there",
        |h, _| h.missing_tags(403),
        &[(&["missing"], "denied: @ refuses access", "check the name")],
    ),
];

/// The habits that are in the way.
const HARMFUL: &[Row] = &[
    row("immutable, as ECR was", |h, _| h.immutable_tags(400, "TAG_INVALID"), &[NO_SUCH_MANIFEST, IMMUTABLE_TAG]),
    row("immutable, 409", |h, _| h.immutable_tags(409, "CONFLICT"), &[NO_SUCH_MANIFEST, IMMUTABLE_TAG]),
    row("immutable, as Harbor", |h, _| h.immutable_tags(412, "PRECONDITION"), &[NO_SUCH_MANIFEST, IMMUTABLE_TAG]),
    row("immutable, 403", |h, _| h.immutable_tags(403, "DENIED"), &[NO_SUCH_MANIFEST, IMMUTABLE_TAG]),
    row(
        "one type a tag, as zot",
        |h, _| h.fixed_tag_media_type(),
        &[NO_SUCH_MANIFEST, (&["changed", "over"], "failed to put manifest @/", "with --type docker")],
    ),
    row(
        "reasons in detail alone, as Quay",
        |h, _| h.without_oci(400).reasons_in_detail(),
        &[
            NO_SUCH_MANIFEST,
            (&["changed", "over", "apply"], "failed to put manifest @/", "if the registry refuses this format"),
        ],
    ),
    row(
        "manifests too large, as docker-registry says it",
        |h, _| h.manifest_limit(300, 400),
        &[NO_SUCH_MANIFEST, TOO_LARGE, NO_ENTRIES, NO_LISTS],
    ),
    row(
        "manifests too large, in detail alone",
        |h, _| h.manifest_limit(300, 400).reasons_in_detail(),
        &[NO_SUCH_MANIFEST, TOO_LARGE, NO_ENTRIES, NO_LISTS],
    ),
    row(
        "manifests too large, 413",
        |h, _| h.manifest_limit(300, 413),
        &[NO_SUCH_MANIFEST, TOO_LARGE, NO_ENTRIES, NO_LISTS],
    ),
    row(
        "read-only",
        |h, _| h.read_only(),
        &[NO_SUCH_MANIFEST, READ_ONLY_REGISTRY, (PUSHES, "failed to ", "@ may be read-only"), NO_ENTRIES, NO_LISTS],
    ),
    row(
        "images that are never known",
        |h, _| h.refuses_first_lists(usize::MAX),
        &[
            NO_SUCH_MANIFEST,
            (&["entry", "other entry"], "failed to put entry @/", "the registry does not have the image"),
            (PUSHES, "failed to put manifest @/", "the repository does not have all that the manifest names"),
            NO_ENTRIES,
            NO_LISTS,
        ],
    ),
];

fn fixture(habit: Habit, clock: &Arc<SharedClock>) -> Fixture {
    let fixture = Fixture::new(|builder| habit(builder, Arc::clone(clock)));
    for (registry, place) in [(&fixture.with_habit, "habit"), (&fixture.standard, "standard")] {
        let seed_image =
            |architecture: &str| image(Image::docker, architecture, &format!("{place} seed {architecture}"));
        registry.put_index(
            "seed",
            "list",
            &Index::docker().image(&seed_image("amd64")).image(&seed_image("arm64")).build(),
        );
    }
    let host = fixture.with_habit.host();
    let images = format!("  - image: {host}/amd64:docker\n  - image: {host}/arm64:oci\n");
    fixture.sandbox.write("spec.yaml", format!("image: {host}/applied:1\nmanifests:\n{images}"));
    fixture
}

/// Runs a command in this process, by a clock that does not wait, with retries as users have them.
fn run(fixture: &Fixture, clock: &Arc<SharedClock>, line: &str) -> Output {
    let line = line.replace("{D}", &fixture.sandbox.path().display().to_string());
    let words: Vec<String> = line.split_whitespace().map(|word| fixture.expand_word(word)).collect();
    run_without_waiting(&fixture.sandbox, "docker-manifest", &words, clock)
}

/// The entries that the commands have published, sorted: their order goes by the hosts, which have other ports each
/// time.
fn published_entries(fixture: &Fixture) -> Vec<(String, Vec<String>)> {
    let entries_of = |(repository, tag): &(&str, &str)| {
        let (media_type, bytes) = fixture.with_habit.manifest(repository, tag).unwrap_or_default();
        let list: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let entries = list["manifests"].as_array().into_iter().flatten();
        let mut entries: Vec<String> = entries.map(ToString::to_string).collect();
        entries.sort();
        (media_type, entries)
    };
    PUBLISHED.iter().map(entries_of).collect()
}

/// Runs all commands; gives what is not as the row has it.
fn run_and_check(row: &Row) -> (Fixture, Vec<String>) {
    let clock = SharedClock::new();
    let fixture = fixture(row.habit, &clock);
    let mut differences = Vec::new();
    for (name, line) in COMMANDS {
        let output = run(&fixture, &clock, line);
        // Progress, warnings and what was waited for come before the failure.
        let stderr = output.err().replace(&fixture.with_habit.host(), "@");
        let expected = row.errors.iter().find(|(commands, ..)| commands.contains(name));
        let is_right = match expected {
            None => output.code == 0,
            Some((_, first, hint)) => {
                // What nobody could store is missing.
                output.code == if first.ends_with("is incomplete") { 3 } else { 1 }
                    && stderr.lines().any(|line| line.starts_with(first))
                    && stderr.lines().any(|line| line.starts_with("hint: ") && line.contains(hint))
            }
        };
        if !is_right {
            differences.push(format!("{}: {name}: {}: {stderr}{}", row.name, output.code, output.out()));
        }
    }
    (fixture, differences)
}

#[test]
fn harmless_habits_do_not_change_what_is_published() {
    let (ordinary, mut all) = run_and_check(&row("none", |habits, _| habits, &[NO_SUCH_MANIFEST]));
    let expected = published_entries(&ordinary);
    assert!(expected.iter().all(|(_, entries)| entries.len() >= 2), "everything is published: {expected:#?}");
    for row in HARMLESS {
        let (fixture, differences) = run_and_check(row);
        all.extend(differences);
        if published_entries(&fixture) != expected {
            all.push(format!("{}: other lists are published", row.name));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn harmful_habits_cause_errors_with_hints() {
    let all: Vec<String> = HARMFUL.iter().flat_map(|row| run_and_check(row).1).collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// One PUT is held back until the other has come.
#[test]
fn a_concurrent_put_that_is_refused_is_retried() {
    let clock = SharedClock::new();
    let fixture = fixture(|habits, _| habits.no_overlapping_puts(), &clock);
    let _ = run(&fixture, &clock, "create @new:1 %amd64:docker %arm64:docker").success();
    fixture.with_habit.clear_record();
    fixture.with_habit.add_fault(Rule::on("PUT", "/manifests/").nth(1), Fault::Hang);
    let puts = |requests: &[testkit::loopback::RecordedRequest]| {
        requests.iter().filter(|request| request.method == "PUT" && request.target.contains("/manifests/")).count()
    };
    std::thread::scope(|scope| {
        let pushed = scope.spawn(|| run(&fixture, &clock, "push @new:1"));
        fixture.with_habit.wait_until(|requests| puts(requests) >= 2);
        fixture.with_habit.release();
        let _ = pushed.join().expect("no panic").success();
    });
    let refused = fixture.with_habit.requests().iter().filter(|request| request.status == 500).count();
    assert!(refused > 0 && fixture.with_habit.manifest("new", "1").is_some(), "{refused}");
}

/// Who may push and not pull can publish what lies elsewhere.
#[test]
fn a_write_only_registry_accepts_images_of_other_registries() {
    let clock = SharedClock::new();
    let fixture = fixture(|habits, _| habits.write_only(), &clock);
    let _ = run(&fixture, &clock, "create @copy:1 %seed:list").success();
    let _ = run(&fixture, &clock, "push @copy:1").success();
    assert_eq!(fixture.with_habit.manifest("copy", "1"), fixture.standard.manifest("seed", "list"));
    let refused = run(&fixture, &clock, "inspect --remote @copy:1");
    let host = fixture.with_habit.host();
    assert_eq!((refused.code, refused.first_err_line().starts_with(&format!("denied: {host} refuses"))), (1, true));
}

/// Images that vanish after the push are told by inspect, and the next push brings them back.
#[test]
fn vanished_images_are_reported_and_pushed_again() {
    let clock = SharedClock::new();
    let fixture = fixture(|habits, _| habits.loses_children(), &clock);
    let _ = run(&fixture, &clock, "create @copy:1 %seed:list").success();
    let _ = run(&fixture, &clock, "push @copy:1").success();
    let checked = run(&fixture, &clock, "inspect --check --remote @copy:1");
    assert_eq!(checked.out().matches("not in the registry").count(), 2, "{}", checked.out());
    fixture.with_habit.clear_record();
    let _ = run(&fixture, &clock, "push @copy:1").success();
    let sent = fixture.with_habit.requests();
    let images = sent.iter().filter(|put| put.method == "PUT" && put.target.contains("/manifests/sha256:")).count();
    assert_eq!(images, 2, "both are sent again");
}

/// A layer by its sha512 digest arrives, whatever digest the registry calls it by.
#[test]
fn a_blob_by_another_digest_is_copied() {
    let clock = SharedClock::new();
    let fixture = fixture(|habits, _| habits.canonical_blob_digests(), &clock);
    let layer = b"a layer by another digest";
    let built = Image::oci().platform("linux", "amd64").layer_by_digest(&sha512(layer), layer.len() as u64).build();
    for registry in [&fixture.with_habit, &fixture.standard] {
        registry.put_image("long", "1", &built);
        registry.put_blob_as("long", &sha512(layer), layer);
    }
    for source in ["%long:1", "@long:1"] {
        let target = if source.starts_with('%') { "@far:1" } else { "@near:1" };
        let _ = run(&fixture, &clock, &format!("create {target} {source}")).success();
        let _ = run(&fixture, &clock, &format!("push {target}")).success();
        assert!(fixture.with_habit.has_blob(&target[1..target.len() - 2], &sha512(layer)), "{target}");
    }
}

//! Many processes that change one draft at the same time. See `store-format.md`, "Locks" and "Readers".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use docker_manifest::drafts::DraftStore;
use docker_manifest::drafts::docker_dir::{DockerManifestStore, StoreError};
use docker_manifest::reference::Reference;
use serde_json::Value;
use testkit::image::Image;
use testkit::loopback::{Fault, Rule};
use testkit::sandbox::{Output, SandboxCommand, Tool, on_path, tree_without_root_dot_names};
use testkit::skip::skipped;

use super::OURS;
use super::fixture::Fixture;

const PROCESSES: usize = 16;
const ROUNDS: usize = 3;
const RACES: usize = 12;

impl Fixture {
    /// With so many images, and one home for all processes.
    fn with_numbered_images(images: usize) -> Fixture {
        let fixture = Fixture::new();
        for number in 0..images {
            let image = Image::docker().platform("linux", "amd64").layer(format!("layer {number}")).build();
            fixture.registry.put_image("app", &number.to_string(), &image);
        }
        fixture
    }

    fn numbered_image(&self, number: usize) -> String {
        self.name(&format!("app:{number}"))
    }

    fn create_command(&self, list: &str, images: &[usize]) -> SandboxCommand {
        self.command(&["create", list]).args(images.iter().map(|number| self.numbered_image(*number)))
    }

    fn amend_command(&self, list: &str, images: &[usize]) -> SandboxCommand {
        self.command(&["create", "--amend", list]).args(images.iter().map(|number| self.numbered_image(*number)))
    }

    /// Adds an image. Docker reads all entries for that, without a lock and only once, so that it may meet one that
    /// another docker has half written, and gives up; that is docker's own, and all that it is forgiven here.
    fn add_with(&self, tool: &Tool, list: &str, number: usize, retries: &AtomicUsize) {
        const ATTEMPTS: usize = 100;
        let image = self.numbered_image(number);
        for _ in 0..ATTEMPTS {
            let output =
                self.sandbox.manifest_command(tool).args(["create", "--insecure", "--amend", list, &image]).run();
            if output.code == 0 {
                return;
            }
            assert_eq!(tool, &Tool::Docker, "{}", output.err());
            assert!(output.err().contains("JSON") || output.err().contains("EOF"), "{}", output.err());
            retries.fetch_add(1, Ordering::SeqCst);
        }
        panic!("docker could not add {image} in {ATTEMPTS} attempts");
    }

    /// The variant of an image in list 1, straight from its entry.
    fn entry_variant(&self, number: usize) -> String {
        let directory = |name: &str| self.name(name).replace(':', "-").replace('/', "_");
        let path = self.sandbox.store().join(directory("list:1")).join(directory(&format!("app:{number}")));
        let entry: Value = serde_json::from_slice(&std::fs::read(path).expect("an entry")).expect("whole JSON");
        entry["Descriptor"]["platform"]["variant"].as_str().unwrap_or_default().to_owned()
    }

    /// The images of the draft by their names, each with its platform's variant.
    fn variants(&self, tool: &Tool, list: &str) -> BTreeMap<String, String> {
        let shown = self.sandbox.manifest_command(tool).args(["inspect", "-v", list]).run().success();
        let entries: Vec<Value> = serde_json::from_slice(&shown.stdout).expect("an array");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        entries.iter().map(|entry| (text(&entry["Ref"]), text(&entry["Descriptor"]["platform"]["variant"]))).collect()
    }
}

fn ours() -> Tool {
    Tool::Ours { binary: OURS.into() }
}

/// Runs all of them at once and gives what became of each.
fn run_all(runs: &[SandboxCommand]) -> Vec<Output> {
    thread::scope(|scope| {
        let running: Vec<_> = runs.iter().map(|run| scope.spawn(move || run.run())).collect();
        running.into_iter().map(|run| run.join().expect("no panic")).collect()
    })
}

/// It went well, and said no more than, once, what it waited for.
#[track_caller]
fn assert_only_waited(output: &Output) -> usize {
    assert_eq!(output.code, 0, "{}", output.err());
    let stderr = output.err();
    let notices = stderr.lines().count();
    assert!(
        notices <= 1 && stderr.lines().all(|line| line.starts_with("waiting for another docker-manifest")),
        "{stderr}"
    );
    notices
}

/// Section "Locks": what many add and annotate at once is all there in the end, for docker too.
#[test]
fn sixteen_processes_change_one_draft_and_nothing_is_lost() {
    let fixture = Fixture::with_numbered_images(PROCESSES * ROUNDS);
    let list = fixture.name("list:1");
    let mut expected = BTreeMap::new();
    let mut notices = 0;
    for round in 0..ROUNDS {
        let mut runs = Vec::new();
        for process in 0..PROCESSES {
            let number = round * PROCESSES + process;
            runs.push(fixture.amend_command(&list, &[number]));
            expected.insert(fixture.numbered_image(number), String::new());
        }
        // At the same time every image of the round before gets a variant of its own.
        for number in (round * PROCESSES).saturating_sub(PROCESSES)..round * PROCESSES {
            let variant = format!("v{number}");
            runs.push(fixture.command(&["annotate", &list, &fixture.numbered_image(number), "--variant", &variant]));
            expected.insert(fixture.numbered_image(number), variant);
        }
        notices += run_all(&runs).iter().map(assert_only_waited).sum::<usize>();
        assert_eq!(fixture.variants(&ours(), &list), expected, "round {round}");
    }
    println!("{} processes in {ROUNDS} rounds, {notices} of them had to wait", PROCESSES * (2 * ROUNDS - 1));
    let names = tree_without_root_dot_names(&fixture.sandbox.store());
    assert_eq!(names.len(), expected.len() + 1, "nothing but the list and its entries: {:?}", names.keys());
    if !on_path("docker") {
        return skipped("docker reads what many processes wrote", "docker is not on the PATH");
    }
    assert_eq!(fixture.variants(&Tool::Docker, &list), expected);
}

/// Section "Locks", last paragraph: docker knows no lock, and yet nothing that it writes is lost to us, nor the other
/// way round. Every process has an image of its own, so each change of it must stay until its own next one.
#[test]
fn sixty_four_processes_of_docker_and_ours_lose_nothing_to_each_other() {
    const WORKERS: usize = 64;
    const CHANGES: usize = 8;
    if !on_path("docker") {
        return skipped("docker and ours change one draft at once", "docker is not on the PATH");
    }
    let fixture = Fixture::with_numbered_images(WORKERS);
    let list = fixture.name("list:1");
    assert_only_waited(&fixture.create_command(&list, &[0]).run());
    let store = DockerManifestStore::new(&fixture.sandbox.docker_config());
    let reference = Reference::parse(&list).expect("a reference");
    let (retries, annotated, working) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(WORKERS));
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (fixture, list, retries, working) = (&fixture, &list, &retries, &working);
            scope.spawn(move || {
                let _done = DecrementOnDrop(working);
                let tool = if worker % 2 == 0 { Tool::Docker } else { ours() };
                fixture.add_with(&tool, list, worker, retries);
                for change in 0..CHANGES {
                    let variant = format!("v{change}");
                    let image = fixture.numbered_image(worker);
                    let run =
                        fixture.sandbox.manifest_command(&tool).args(["annotate", list, &image, "--variant", &variant]);
                    let output = run.run();
                    assert_eq!(output.code, 0, "{} {worker}: {}", tool.name(), output.err());
                    assert_eq!(fixture.entry_variant(worker), variant, "{} {worker} has lost a change", tool.name());
                }
            });
        }
        // And all the while the list itself is annotated, which docker has no place for.
        while working.load(Ordering::SeqCst) > 0 {
            let number = annotated.fetch_add(1, Ordering::SeqCst).to_string();
            let changed = store.change(&reference, &|_| (), |before| {
                let mut draft = before.cloned().expect("nobody removes it");
                if let Some(last) = draft.annotations.insert("number".to_owned(), number.clone()) {
                    assert_eq!(last.parse::<usize>().unwrap() + 1, number.parse::<usize>().unwrap(), "one was lost");
                }
                Ok::<_, StoreError>(Some(draft))
            });
            changed.expect("a store that works");
        }
    });
    let last = format!("v{}", CHANGES - 1);
    let expected: BTreeMap<String, String> =
        (0..WORKERS).map(|worker| (fixture.numbered_image(worker), last.clone())).collect();
    assert_eq!(fixture.variants(&ours(), &list), expected);
    assert_eq!(fixture.variants(&Tool::Docker, &list), expected);
    let annotated = annotated.into_inner();
    let draft = store.load(&reference).expect("a draft").expect("it is there");
    assert_eq!(draft.annotations["number"], (annotated - 1).to_string());
    println!(
        "{} changes by {WORKERS} processes at a time and {annotated} of the list itself; docker met docker's \
         half-written files {} times",
        WORKERS * (CHANGES + 1),
        retries.into_inner()
    );
}

/// Counts a worker out however it ends, or whoever waits for all of them would wait forever.
struct DecrementOnDrop<'a>(&'a AtomicUsize);

impl Drop for DecrementOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Section "Writes": a new draft appears as a whole, so one of many makes it and the others find it made.
#[test]
fn exactly_one_of_many_concurrent_creates_succeeds() {
    let fixture = Fixture::with_numbered_images(PROCESSES * 2);
    for race in 0..3 {
        let list = fixture.name(&format!("list:{race}"));
        let runs: Vec<SandboxCommand> =
            (0..PROCESSES).map(|process| fixture.create_command(&list, &[2 * process, 2 * process + 1])).collect();
        let outputs = run_all(&runs);
        let creators: Vec<usize> = (0..PROCESSES).filter(|process| outputs[*process].code == 0).collect();
        assert_eq!(creators.len(), 1, "exactly one: {creators:?}");
        for refused in outputs.iter().filter(|output| output.code != 0) {
            let lines: Vec<String> = refused.err().lines().map(str::to_owned).collect();
            let lines: Vec<&String> = lines.iter().filter(|line| !line.starts_with("waiting for another")).collect();
            assert_eq!((refused.code, refused.out().as_str()), (1, ""));
            assert_eq!(lines[0], "refusing to amend an existing manifest list with no --amend flag");
        }
        let expected: BTreeSet<String> =
            [2 * creators[0], 2 * creators[0] + 1].map(|number| fixture.numbered_image(number)).into();
        assert_eq!(fixture.variants(&ours(), &list).into_keys().collect::<BTreeSet<_>>(), expected);
    }
}

/// Section "Readers": they never fail, see only whole entries, and what they saw once stays.
#[test]
fn readers_see_whole_entries_while_the_draft_changes() {
    const READERS: usize = 3;
    const CHANGES: usize = 40;
    let fixture = Fixture::with_numbered_images(CHANGES);
    let list = fixture.name("list:1");
    assert_only_waited(&fixture.create_command(&list, &[0]).run());
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (fixture, list, done, reads) = (&fixture, &list, &done, &reads);
            scope.spawn(move || {
                let mut before = 0;
                while !done.load(Ordering::SeqCst) {
                    let entries = if reader == 0 {
                        let shown = fixture.command(&["inspect", list]).run().success();
                        let shown: Value = serde_json::from_slice(&shown.stdout).expect("a list");
                        shown["manifests"].as_array().expect("manifests").len()
                    } else {
                        fixture.variants(&ours(), list).len()
                    };
                    assert!(entries >= before, "{entries} after {before}");
                    before = entries;
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // The readers must end even if a change panics, or this test would hang.
        let changes = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for number in 1..CHANGES {
                let variant = format!("v{number}");
                let annotate =
                    fixture.command(&["annotate", &list, &fixture.numbered_image(number - 1), "--variant", &variant]);
                for output in run_all(&[fixture.amend_command(&list, &[number]), annotate]) {
                    assert_only_waited(&output);
                }
            }
        }));
        done.store(true, Ordering::SeqCst);
        changes.expect("the changes go through");
    });
    println!("{} reads during {} changes", reads.load(Ordering::SeqCst), 2 * (CHANGES - 1));
    assert_eq!(fixture.variants(&ours(), &list).len(), CHANGES);
}

/// `push --purge` removes only what it pushed: what is added meanwhile is either in what was pushed or still a draft.
#[test]
fn a_purge_removes_only_what_was_pushed() {
    let fixture = Fixture::with_numbered_images(2);
    let mut pushed_with = 0;
    for race in 0..RACES {
        let list = fixture.name(&format!("list:{race}"));
        assert_only_waited(&fixture.create_command(&list, &[0]).run());
        let push = fixture.command(&["push", "--purge", &list]);
        let outputs = run_all(&[push, fixture.amend_command(&list, &[1])]);
        assert!(outputs.iter().all(|output| output.code == 0), "{}\n{}", outputs[0].err(), outputs[1].err());
        let (_, bytes) = fixture.registry.manifest("list", &race.to_string()).expect("it was pushed");
        let served: Value = serde_json::from_slice(&bytes).expect("a list");
        let has_both_entries = served["manifests"].as_array().expect("manifests").len() == 2;
        pushed_with += usize::from(has_both_entries);
        let kept = fixture.command(&["inspect", &list, &fixture.numbered_image(1)]).run().code == 0;
        assert!(
            has_both_entries || kept,
            "race {race}: the added entry is lost\n{}\n{}",
            outputs[0].err(),
            outputs[1].err()
        );
        let notice = "was changed while it was being pushed, so it is not removed";
        if outputs[0].err().contains(notice) {
            assert!(kept, "race {race}: it says that it is not removed, and it is");
        }
    }
    println!("{RACES} races, the added entry was pushed in {pushed_with}");
}

/// The same race with its worst moment held open: the addition comes while the push talks to the registry.
#[test]
fn an_entry_added_during_a_push_survives_the_purge() {
    let fixture = Fixture::with_numbered_images(2);
    let list = fixture.name("list:1");
    assert_only_waited(&fixture.create_command(&list, &[0]).run());
    fixture.registry.add_fault(Rule::on("PUT", "/v2/list/manifests/1"), Fault::Hang);
    let pushed = thread::scope(|scope| {
        let push = scope.spawn(|| fixture.command(&["push", "--purge", &list]).run());
        fixture
            .registry
            .wait_until(|requests| requests.iter().any(|r| r.line().starts_with("PUT /v2/list/manifests/1")));
        let amended = fixture.amend_command(&list, &[1]).run();
        fixture.registry.release();
        assert_only_waited(&amended);
        push.join().expect("no panic").success()
    });
    assert!(pushed.err().contains("was changed while it was being pushed, so it is not removed"), "{}", pushed.err());
    let entries: Vec<String> = fixture.variants(&ours(), &list).into_keys().collect();
    assert_eq!(entries, [fixture.numbered_image(0), fixture.numbered_image(1)]);
}

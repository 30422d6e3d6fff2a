//! A kill before any system call of a write, and a failure of any one of them, leave a store that both tools read.
//! See `store-format.md`, "Writes" and "What a crash leaves".
//!
//! strace makes it so: a first run under it tells which calls touch the store, and then every one of these is, in a run
//! of its own, the one that the process does not survive, or the one that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use testkit::image::Image;
use testkit::loopback::Registry;
use testkit::sandbox::{Output, Run, Sandbox, Tool, on_path, tree};
use testkit::skip::skipped;

use super::OURS;

/// The calls that change files. `?`: not every architecture has each of them.
const CHANGES: &str = "openat,write,pwrite64,writev,fsync,fdatasync,ftruncate,flock,?mkdir,mkdirat,?rename,?renameat,renameat2,\
                       ?link,linkat,?unlink,unlinkat,?rmdir,fchmod,fchmodat,copy_file_range";
/// The calls that only look; a kill before one of them is a kill before the next change.
const LOOKS: &str = "?stat,?lstat,?newfstatat,statx,getdents64";

/// A step that leaves the store as docker alone would have made it.
const FORGET: &str = "(forget)";
const KILLED: i32 = 128 + 9;
const IMAGES: usize = 5;

type Tree = BTreeMap<String, (u32, Vec<u8>)>;

/// A command under test: what is there before it, and itself. `{L}` is the list, a number an image.
struct Case {
    name: &'static str,
    before: &'static [&'static str],
    command: &'static str,
    /// Whether a kill may leave some entries old and some new; else it is all or nothing.
    by_entry: bool,
}

/// One call of the traced command on the store: its name, which of that name it was, which of all on the store, and
/// its line in the log.
#[derive(Debug)]
struct Call {
    name: String,
    count: usize,
    place: usize,
    line: String,
}

impl Call {
    fn changes(&self) -> bool {
        let reads_only = self.name == "openat" && !self.line.contains("O_CREAT");
        CHANGES.replace('?', "").split(',').any(|name| name == self.name) && !reads_only
    }

    /// The errors that it can end with in real life.
    fn errors(&self) -> Vec<&'static str> {
        let opens = self.name == "openat";
        let names = self.name.starts_with("mkdir") || self.name.starts_with("rename") || self.name.starts_with("link");
        let removes = self.name.starts_with("unlink") || self.name == "rmdir";
        let mut errors = vec!["EIO"];
        if self.changes() && (opens || names || self.name.starts_with("write") || self.name == "fsync") {
            errors.push("ENOSPC");
        }
        if self.changes() && (opens || names || removes) {
            errors.push("EROFS");
        }
        if opens || names || removes {
            errors.push("EACCES");
        }
        if self.name == "flock" {
            errors.push("ENOLCK");
        }
        errors
    }
}

/// With more than one worker it would depend on who is faster how many calls the main thread makes before the store's.
const ONE_JOB: (&str, &str) = ("DOCKER_MANIFEST_JOBS", "1");

/// A registry with a few images for all runs of a case.
struct Ground {
    registry: Registry,
    case: &'static Case,
    /// What docker has been shown already; it sees nothing but the tree.
    shown_to_docker: std::cell::RefCell<BTreeSet<Vec<u8>>>,
}

impl Ground {
    fn new(case: &'static Case) -> Self {
        let registry = Registry::start();
        for number in 0..IMAGES {
            let image = Image::docker().platform("linux", "amd64").layer(format!("layer {number}")).build();
            registry.put_image("app", &number.to_string(), &image);
        }
        Self { registry, case, shown_to_docker: Default::default() }
    }

    fn list(&self) -> String {
        format!("{}/list:1", self.registry.host())
    }

    fn image(&self, number: usize) -> String {
        format!("{}/app:{number}", self.registry.host())
    }

    fn words(&self, line: &str) -> Vec<String> {
        let word = |word: &str| match word.parse() {
            Ok(number) => self.image(number),
            Err(_) => word.replace("{L}", &self.list()),
        };
        line.split(' ').map(word).collect()
    }

    /// A home with what is there before the command.
    fn prepared(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        for line in self.case.before {
            if *line == FORGET {
                std::fs::remove_dir_all(sandbox.store().join(".docker-manifest")).expect("our side of the store");
                continue;
            }
            let _ = sandbox.command(OURS).args(self.words(line)).run().success();
        }
        sandbox
    }

    fn command(&self, sandbox: &Sandbox) -> Run {
        sandbox.command(OURS).env(ONE_JOB.0, ONE_JOB.1).args(self.words(self.case.command))
    }

    /// The command under strace, which writes what it sees to `log`; only the main thread, which alone writes.
    fn traced(&self, sandbox: &Sandbox, options: &[String]) -> (Output, String) {
        let log = sandbox.path().join("strace.log");
        let run = sandbox
            .command("strace")
            .env(ONE_JOB.0, ONE_JOB.1)
            .arg("-qq")
            .arg("-y")
            .arg("-o")
            .arg(&log)
            .args(["-e", "signal=none"]);
        let run = run.arg("-e").arg(format!("trace={CHANGES},{LOOKS}")).args(options);
        let output = run.arg("--").arg(OURS).args(self.words(self.case.command)).run();
        (output, std::fs::read_to_string(&log).unwrap_or_default())
    }

    /// What both tools say of the store is what lies there.
    fn check_readers(&self, sandbox: &Sandbox, there: &Tree) -> Result<(), String> {
        let ours = Tool::Ours { binary: OURS.into() };
        self.check_reader(sandbox, &ours, there)?;
        let key = format!("{there:?}").into_bytes();
        if on_path("docker") && self.shown_to_docker.borrow_mut().insert(key) {
            self.check_reader(sandbox, &Tool::Docker, there)?;
        }
        Ok(())
    }

    fn check_reader(&self, sandbox: &Sandbox, tool: &Tool, there: &Tree) -> Result<(), String> {
        let list = self.list();
        let folder = list.replace(':', "-").replace('/', "_") + "/";
        let say = |what: &str, output: &Output| format!("{}: {what}: {} {}", tool.name(), output.code, output.err());
        for number in 0..IMAGES {
            let image = self.image(number);
            let shown = sandbox.tool(tool).args(["inspect", &list, &image]).run();
            let file = folder.clone() + &image.replace(':', "-").replace('/', "_");
            let fits = match there.contains_key(&file) {
                true => shown.code == 0,
                false => (shown.code, shown.first_err_line()) == (1, format!("No such manifest: {image}")),
            };
            if !fits {
                return Err(say(&format!("inspect of {image}"), &shown));
            }
        }
        if there.contains_key(&folder) {
            let shown = sandbox.tool(tool).args(["inspect", "-v", &list]).run();
            let count = serde_json::from_slice::<Vec<serde_json::Value>>(&shown.stdout).map_or(0, |array| array.len());
            if shown.code != 0 || count + 1 != there.len() {
                return Err(say(&format!("inspect of the list shows {count} of {there:?}"), &shown));
            }
        }
        Ok(())
    }

    /// The same command again, undisturbed, leads where it should have led at once.
    fn check_again(&self, sandbox: &Sandbox, there: &Tree, after: &Tree) -> Result<(), String> {
        let again = self.command(sandbox).run();
        let done_already = there == after
            && again.code == 1
            && ["refusing to amend", "No such manifest"].iter().any(|line| again.err().starts_with(line));
        let now = tree(&sandbox.store());
        if now != *after || !(again.code == 0 || done_already) || again.err().contains("waiting") {
            return Err(format!("run again: {} {} {:?}", again.code, again.err(), now.keys()));
        }
        let staging = sandbox.store().join(".docker-manifest/staging");
        if again.code == 0 && std::fs::read_dir(&staging).is_ok_and(|mut left| left.next().is_some()) {
            return Err("run again: files are left in the staging area".to_owned());
        }
        Ok(())
    }

    /// One run in which the call is the last thing that the process does not get done.
    fn kill(&self, call: &Call, before: &Tree, after: &Tree) -> Result<(), String> {
        let (sandbox, output) = self.disturbed(call, "signal=KILL", |calls| calls.len().checked_sub(1))?;
        let there = tree(&sandbox.store());
        let by_entry = before.keys().chain(after.keys()).chain(there.keys()).all(|name| {
            let found = there.get(name);
            found == before.get(name) || found == after.get(name)
        });
        if output.code != KILLED || !(there == *before || there == *after || self.case.by_entry && by_entry) {
            return Err(format!("neither old nor new: {} {} {:?}", output.code, output.err(), there.keys()));
        }
        self.check_readers(&sandbox, &there)?;
        self.check_again(&sandbox, &there, after)
    }

    /// One run in which the call fails, or, with a `+` at the error's end, it and all of its name after it.
    fn fail(&self, call: &Call, error: &str, before: &Tree, after: &Tree) -> Result<(), String> {
        let injected = |calls: &[Call]| calls.iter().position(|call| call.line.ends_with("(INJECTED)"));
        let (sandbox, output) = self.disturbed(call, &format!("error={error}"), injected)?;
        let (said, there) = (output.err(), tree(&sandbox.store()));
        let path = sandbox.store().display().to_string();
        let fits = match output.code {
            // What failed was not needed, tidying up for instance.
            0 => there == *after,
            // On a disk that takes no more, strace's refuses the error's own line too.
            1 => there == *before && (error.ends_with('+') || output.first_err_line().contains(&path)),
            _ => false,
        };
        if !fits || said.contains("panicked") {
            return Err(format!("{} {said} {:?}", output.code, there.keys()));
        }
        self.check_readers(&sandbox, &there)?;
        self.check_again(&sandbox, &there, after)
    }

    /// Runs the command with `what` happening at the call: the home afterwards and what the command said.
    ///
    /// strace counts all calls of a name, also the few that belong to whichever thread comes first, and so may strike
    /// beside the mark. `struck` finds in a log where it did; if that is elsewhere, it is tried again around there.
    fn disturbed(
        &self,
        call: &Call,
        what: &str,
        struck: impl Fn(&[Call]) -> Option<usize>,
    ) -> Result<(Sandbox, Output), String> {
        let mut seen = Vec::new();
        for offset in [0, 1, -1, 0, 1, -1, 2, -2, 0, 1, -1, 0] {
            let Some(count) = call.count.checked_add_signed(offset).filter(|count| *count > 0) else { continue };
            let sandbox = self.prepared();
            let (output, log) = self.traced(&sandbox, &[inject(&call.name, count, what)]);
            let place = struck(&calls(&log, &sandbox.store()));
            if place == Some(call.place) {
                return Ok((sandbox, output));
            }
            seen.push(place);
        }
        Err(format!("strace never hit the call, which is number {} on the store, but {seen:?}", call.place))
    }
}

/// strace's option for the `count`th call of a name.
fn inject(name: &str, count: usize, what: &str) -> String {
    let (what, on) = what.strip_suffix('+').map_or((what, ""), |what| (what, "+"));
    format!("-einject={name}:{what}:when={count}{on}")
}

/// The calls on files of the store, out of all that the log has.
fn calls(log: &str, store: &Path) -> Vec<Call> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((name, _)) = line.split_once('(') else { continue };
        let count = counts.entry(name).or_default();
        *count += 1;
        if line.contains(&store.display().to_string()) {
            calls.push(Call { name: name.to_owned(), count: *count, place: calls.len(), line: line.to_owned() });
        }
    }
    calls
}

/// Why strace cannot be used here, if it cannot.
fn no_strace() -> Option<String> {
    if !on_path("strace") {
        return Some("strace is not on the PATH (apt-get install strace)".to_owned());
    }
    let tried =
        Sandbox::new().command("strace").args(["-qq", "-o", "/dev/null", "-einject=fsync:error=EIO", "true"]).run();
    (tried.code != 0).then(|| format!("strace may not trace: {}", tried.first_err_line()))
}

#[allow(clippy::print_stdout, reason = "the counts are part of the test's output")]
fn check(case: &'static Case) {
    let what = format!("a crash at every step of {}", case.name);
    if let Some(why) = no_strace() {
        return skipped(&what, &why);
    }
    if !on_path("docker") {
        skipped(&format!("{what}, read by docker"), "docker is not on the PATH");
    }
    let ground = Ground::new(case);
    let sandbox = ground.prepared();
    let before = tree(&sandbox.store());
    let (output, log) = ground.traced(&sandbox, &[]);
    assert_eq!(output.code, 0, "{}", output.err());
    let after = tree(&sandbox.store());
    assert_ne!(before, after);
    let calls = calls(&log, &sandbox.store());
    let (mut kills, mut errors, mut wrong) = (0, 0, Vec::new());
    for call in &calls {
        let mut note = |how: &str, result: Result<(), String>| {
            wrong.extend(result.err().map(|why| format!("{how} at {}\n  {why}", call.line)));
        };
        if call.changes() {
            kills += 1;
            note("killed", ground.kill(call, &before, &after));
        }
        for error in call.errors() {
            errors += 1;
            note(error, ground.fail(call, error, &before, &after));
        }
        if call.name == "write" {
            errors += 1;
            note("ENOSPC from here on", ground.fail(call, "ENOSPC+", &before, &after));
        }
    }
    println!("{}: {} calls on the store, {kills} kills and {errors} errors tried", case.name, calls.len());
    assert!(wrong.is_empty(), "{} of {} went wrong:\n{}", wrong.len(), kills + errors, wrong.join("\n"));
    assert!(kills >= 10, "so few calls that write can hardly be all: {calls:?}");
}

#[test]
fn a_new_list_is_there_as_a_whole_or_not_at_all() {
    check(&Case { name: "create", before: &[], command: "create {L} 0 1 2", by_entry: false });
}

#[test]
fn amending_leaves_every_entry_old_or_new() {
    check(&Case {
        name: "create --amend",
        before: &["create {L} 0 1 2"],
        command: "create --amend {L} 0 3 4",
        by_entry: true,
    });
}

#[test]
fn the_first_change_of_a_draft_that_docker_made_leaves_every_entry_old_or_new() {
    check(&Case {
        name: "create --amend of docker's draft",
        before: &["create {L} 0 1 2", FORGET],
        command: "create --amend {L} 3 4",
        by_entry: true,
    });
}

#[test]
fn annotating_leaves_the_entry_old_or_new() {
    check(&Case {
        name: "annotate",
        before: &["create {L} 0 1 2"],
        command: "annotate {L} 1 --variant v8",
        by_entry: false,
    });
}

#[test]
fn removing_takes_a_list_away_as_a_whole() {
    check(&Case { name: "rm", before: &["create {L} 0 1 2"], command: "rm {L}", by_entry: false });
}

#[test]
fn purging_takes_a_list_away_as_a_whole() {
    check(&Case { name: "push --purge", before: &["create {L} 0 1 2"], command: "push --purge {L}", by_entry: false });
}

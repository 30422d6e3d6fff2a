//! One case of a crash test: what is there before, the command under strace, and what may be there afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use docker_manifest::reference::Reference;
use docker_manifest::store::Store;
use serde_json::Value;
use testkit::image::Image;
use testkit::loopback::Registry;
use testkit::sandbox::{Output, Run, Sandbox, Tool, on_path, tree};

use super::super::OURS;
use super::driver;

/// The calls that change files. `?`: not every architecture has each of them.
const CHANGES: &str = "openat,write,pwrite64,writev,fsync,fdatasync,ftruncate,flock,?mkdir,mkdirat,?rename,?renameat,renameat2,\
                       ?link,linkat,?unlink,unlinkat,?rmdir,fchmod,fchmodat,copy_file_range";
/// The calls that only look; a kill before one of them is a kill before the next change.
const LOOKS: &str = "?stat,?lstat,?newfstatat,statx,getdents64";

/// A step that leaves the store as docker alone would have made it.
pub(super) const FORGET: &str = "(forget)";
/// Beside the files of a [`Tree`], for what the side file says.
const SAYS: &str = ".says";
const KILLED: i32 = 128 + 9;
const IMAGES: usize = 5;

pub(super) type Tree = BTreeMap<String, (u32, Vec<u8>)>;

/// A command under test: what is there before it, and itself. `{L}` is the list, a number an image; `@NAME` is one of
/// [`driver::act`]'s changes, which no command line makes.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) before: &'static [&'static str],
    pub(super) command: &'static str,
    /// Whether a kill may leave some entries old and some new; else it is all or nothing.
    pub(super) by_entry: bool,
}

/// One call of the traced command on the store: its name, which of that name it was, which of all on the store, and
/// its line in the log.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    count: usize,
    place: usize,
    pub(super) line: String,
}

impl Call {
    pub(super) fn changes(&self) -> bool {
        let reads_only = self.name == "openat" && !self.line.contains("O_CREAT");
        CHANGES.replace('?', "").split(',').any(|name| name == self.name) && !reads_only
    }

    /// The errors that it can end with in real life.
    pub(super) fn errors(&self) -> Vec<&'static str> {
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
pub(super) struct Ground {
    registry: Registry,
    pub(super) case: &'static Case,
    /// What docker has been shown already; it sees nothing but the tree.
    shown_to_docker: std::cell::RefCell<BTreeSet<Vec<u8>>>,
}

impl Ground {
    pub(super) fn new(case: &'static Case) -> Self {
        let registry = Registry::start();
        for number in 0..IMAGES {
            // Unlike each other, or a push would have something to say of them.
            let image = Image::docker().platform("linux", "amd64").variant(&format!("v{number}"));
            let image = image.layer(format!("layer {number}")).build();
            registry.put_image("app", &number.to_string(), &image);
        }
        Self { registry, case, shown_to_docker: Default::default() }
    }

    fn list(&self) -> String {
        format!("{}/list:1", self.registry.host())
    }

    /// The list's folder in the store.
    pub(super) fn folder(&self) -> String {
        self.list().replace(':', "-").replace('/', "_")
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
    pub(super) fn prepared(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        for line in self.case.before {
            if *line == FORGET {
                std::fs::remove_dir_all(sandbox.store().join(".docker-manifest")).expect("our side of the store");
                continue;
            }
            let _ = self.run(&sandbox, line).run().success();
        }
        sandbox
    }

    fn run(&self, sandbox: &Sandbox, line: &str) -> Run {
        match line.strip_prefix('@') {
            Some(change) => driver::run(sandbox, change, &self.registry.host()),
            None => sandbox.command(OURS).env(ONE_JOB.0, ONE_JOB.1).args(self.words(line)),
        }
    }

    /// The command under strace, which writes what it sees to `log`; only the main thread, which alone writes.
    pub(super) fn traced(&self, sandbox: &Sandbox, options: &[String]) -> (Output, String) {
        let log = sandbox.path().join("strace.log");
        let run = sandbox
            .command("strace")
            .env(ONE_JOB.0, ONE_JOB.1)
            .arg("-qq")
            .arg("-y")
            .arg("-o")
            .arg(&log)
            .args(["-e", "signal=none"]);
        let run = run.arg("-e").arg(format!("trace={CHANGES},{LOOKS},?clone,?clone3")).args(options);
        let run = match self.case.command.strip_prefix('@') {
            Some(change) => {
                let (program, env) = driver::command(sandbox, change, &self.registry.host());
                let run = run.arg(driver::NO_THREADS).arg("--").arg(program).args(driver::ARGUMENTS);
                env.into_iter().fold(run, |run, (name, value)| run.env(name, value))
            }
            None => run.arg("--").arg(OURS).args(self.words(self.case.command)),
        };
        let output = run.run();
        (output, std::fs::read_to_string(&log).unwrap_or_default())
    }

    /// What lies in the store, and under [`SAYS`] what the side file says of it.
    pub(super) fn state(&self, sandbox: &Sandbox) -> Tree {
        let mut state = tree(&sandbox.store());
        let (list, name) = (self.list(), self.folder());
        if state.contains_key(&(name.clone() + "/")) {
            let side = std::fs::read(sandbox.store().join(".docker-manifest/lists").join(name)).unwrap_or_default();
            let side: Value = serde_json::from_slice(&side).unwrap_or_default();
            let list = Reference::parse(&list).expect("a reference");
            let draft = Store::new(&sandbox.docker_config()).draft(&list);
            let says = draft.map(|draft| draft.map(|d| (d.annotations, d.artifact_type, d.subject)));
            state.insert(SAYS.to_owned(), (0, format!("{} {says:?}", side["format"]).into_bytes()));
        }
        state
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
        let folder = self.folder() + "/";
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
            let entries = there.keys().filter(|name| name.starts_with(&folder) && **name != folder).count();
            if shown.code != 0 || count != entries {
                return Err(say(&format!("inspect of the list shows {count} of {there:?}"), &shown));
            }
        }
        Ok(())
    }

    /// The same command again, undisturbed, leads where it should have led at once.
    fn check_again(&self, sandbox: &Sandbox, there: &Tree, after: &Tree) -> Result<(), String> {
        let again = self.run(sandbox, self.case.command).run();
        let done_already = there == after
            && again.code == 1
            && ["refusing to amend", "No such manifest"].iter().any(|line| again.err().starts_with(line));
        let now = self.state(sandbox);
        if now != *after || !(again.code == 0 || done_already) || again.err().contains("waiting") {
            return Err(format!("run again: {} {} {:?}", again.code, again.err(), now.keys()));
        }
        let staging = sandbox.store().join(".docker-manifest/staging");
        // What is gone needs no lock, and so nobody clears up after it until the next list of that name.
        if again.code == 0
            && after.contains_key(SAYS)
            && std::fs::read_dir(&staging).is_ok_and(|mut left| left.next().is_some())
        {
            return Err("run again: files are left in the staging area".to_owned());
        }
        Ok(())
    }

    /// One run in which the call is the last thing that the process does not get done.
    pub(super) fn kill(&self, call: &Call, before: &Tree, after: &Tree) -> Result<(), String> {
        let (sandbox, output) = self.disturbed(call, "signal=KILL", |calls| calls.len().checked_sub(1))?;
        let there = self.state(&sandbox);
        let by_entry = before.keys().chain(after.keys()).chain(there.keys()).all(|name| {
            let found = there.get(name);
            found == before.get(name) || found == after.get(name)
        });
        if output.code != KILLED || !(there == *before || there == *after || self.case.by_entry && by_entry) {
            return Err(format!("neither old nor new: {} {} {:?}", output.code, output.err(), there.keys()));
        }
        let needs_more = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("\"Source\":");
        let format = there.get(SAYS).map_or(b'2', |(_, says)| says.first().copied().unwrap_or_default());
        if format != b'2' && there.values().any(|(_, bytes)| needs_more(bytes)) {
            return Err("an older program would take something away from this".to_owned());
        }
        self.check_readers(&sandbox, &there)?;
        self.check_again(&sandbox, &there, after)
    }

    /// One run in which the call fails, or, with a `+` at the error's end, it and all of its name after it.
    pub(super) fn fail(&self, call: &Call, error: &str, before: &Tree, after: &Tree) -> Result<(), String> {
        let injected = |calls: &[Call]| calls.iter().position(|call| call.line.ends_with("(INJECTED)"));
        let (sandbox, output) = self.disturbed(call, &format!("error={error}"), injected)?;
        let (said, there) = (output.err(), self.state(&sandbox));
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
pub(super) fn calls(log: &str, store: &Path) -> Vec<Call> {
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

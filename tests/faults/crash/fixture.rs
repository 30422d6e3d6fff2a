//! One case of a crash test: the content before, the command under strace, and the permitted content afterwards.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use docker_manifest::drafts::DraftStore;
use docker_manifest::drafts::docker_dir::DockerManifestStore;
use docker_manifest::env::Env;
use docker_manifest::net::SystemClock;
use docker_manifest::reference::Reference;
use serde_json::Value;
use testkit::image::{Image, Index};
use testkit::loopback::Registry;
use testkit::sandbox::{Output, Sandbox, Tool, on_path, tree_without_root_dot_names};

use crate::{OURS, in_process};

/// The calls that change files. `?`: some architectures lack the call.
const CHANGE_CALLS: &str = "openat,write,pwrite64,writev,fsync,fdatasync,ftruncate,flock,?mkdir,mkdirat,\
                       ?rename,?renameat,renameat2,\
                       ?link,linkat,?unlink,unlinkat,?rmdir,fchmod,fchmodat,copy_file_range";
/// The calls that only read. A kill before one of them equals a kill before the next change.
const READ_CALLS: &str = "?stat,?lstat,?newfstatat,statx,getdents64";

/// A step that removes our files from the store: it is then as docker alone would have made it.
pub(super) const REMOVE_SIDECAR_DIR: &str = "(remove the sidecar directory)";
/// The key in a [`Tree`], beside the files, of what the sidecar contains.
const SIDECAR_KEY: &str = "(sidecar)";
const KILLED: i32 = 128 + 9;
const IMAGES: usize = 5;

pub(super) type Tree = BTreeMap<String, (u32, Vec<u8>)>;

/// A command under test: what is there before it, and itself. `{L}` is the list, a number an image, `{X}` an index,
/// which a draft of format 1 has no place for, and `{S}` a spec of the list with an index and an annotation.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) before: &'static [&'static str],
    pub(super) command: &'static str,
    /// Whether a kill may leave some entries old and some new. Otherwise all are old or all are new.
    pub(super) by_entry: bool,
}

/// One call of the traced command on the store: its name, which of that name on the store it was, which of all there,
/// and its line in the log.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    count: usize,
    /// Its number among all calls.
    pub(super) index: usize,
    /// How many writes to the store came before it.
    writes_before: usize,
    pub(super) line: String,
}

impl Call {
    pub(super) fn changes(&self) -> bool {
        let reads_only = self.name == "openat" && !self.line.contains("O_CREAT");
        CHANGE_CALLS.replace('?', "").split(',').any(|name| name == self.name) && !reads_only
    }

    /// The errors that it can return in practice.
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

/// The error (errno) that strace injects, and into which calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum InjectedError {
    /// This one alone.
    Once(&'static str),
    /// It and all of its name after it.
    FromHereOn(&'static str),
    /// This one, on a disk that is full from then on.
    OnceThenFullDisk(&'static str),
}

impl InjectedError {
    fn strace_options(self, call: &Call) -> Vec<String> {
        let injected_error = |error| inject(&call.name, call.count, &format!("error={error}"));
        match self {
            InjectedError::Once(error) => vec![injected_error(error)],
            InjectedError::FromHereOn(error) => vec![injected_error(error) + "+"],
            InjectedError::OnceThenFullDisk(error) => {
                vec![injected_error(error), inject("write", call.writes_before + 1, "error=ENOSPC") + "+"]
            }
        }
    }
}

/// Files below docker's directory that a call named, so that strace counts no others: what else a program looks at, and
/// in which order, depends on which of its threads is faster.
pub(super) type StorePaths = BTreeSet<String>;

/// The environment of every run: no parallel requests.
const LIMITS: [(&str, &str); 2] = [("DOCKER_MANIFEST_JOBS", "1"), ("DOCKER_MANIFEST_RETRIES", "0")];

/// A registry with a few images for all runs of a case.
pub(super) struct Fixture {
    registry: Registry,
    pub(super) case: &'static Case,
    /// The states that both tools have been shown already.
    checked_states: RefCell<BTreeSet<String>>,
}

fn numbered(number: usize) -> Image {
    // Different platforms, or a push would print a warning.
    let image = Image::docker().platform("linux", "amd64").variant(&format!("v{number}"));
    image.layer(format!("layer {number}")).build()
}

impl Fixture {
    pub(super) fn new(case: &'static Case) -> Self {
        let registry = Registry::start();
        for number in 0..IMAGES {
            registry.put_image("app", &number.to_string(), &numbered(number));
        }
        let image = |architecture| Image::oci().platform("linux", architecture).layer(architecture).build();
        registry.put_index("app", "index", &Index::oci().image(&image("s390x")).image(&image("ppc64le")).build());
        Self { registry, case, checked_states: RefCell::default() }
    }

    fn list(&self) -> String {
        format!("{}/list:1", self.registry.host())
    }

    /// The list's directory in the store.
    pub(super) fn directory(&self) -> String {
        self.list().replace(':', "-").replace('/', "_")
    }

    fn image(&self, number: usize) -> String {
        format!("{}/app:{number}", self.registry.host())
    }

    fn words(&self, sandbox: &Sandbox, line: &str) -> Vec<String> {
        let spec = sandbox.path().join("list.yml").display().to_string();
        let index = format!("{}/app:index", self.registry.host());
        let names = [("{L}", self.list()), ("{X}", index), ("{S}", spec)];
        let word = |word: &str| match word.parse() {
            Ok(number) => self.image(number),
            Err(_) => names.iter().fold(word.to_owned(), |word, (short, name)| word.replace(short, name)),
        };
        line.split(' ').map(word).collect()
    }

    /// A home directory with the content before the command.
    pub(super) fn prepare_home(&self) -> Sandbox {
        let sandbox = Sandbox::in_memory();
        let images: String =
            ["1", "index", "3"].map(|tag| format!("- image: '{}/app:{tag}'\n", self.registry.host())).concat();
        let list_fields = "annotations: {a: b}\ntype: oci";
        sandbox.write("list.yml", format!("image: '{}'\n{list_fields}\nmanifests:\n{images}", self.list()));
        for line in self.case.before {
            if *line == REMOVE_SIDECAR_DIR {
                std::fs::remove_dir_all(sandbox.store().join(".docker-manifest")).expect("our side of the store");
                continue;
            }
            let _ = self.run(&sandbox, &self.words(&sandbox, line)).success();
        }
        sandbox
    }

    /// The program, in this process.
    fn run(&self, sandbox: &Sandbox, words: &[String]) -> Output {
        let limits = LIMITS.map(|(name, value)| (name, value.to_owned()));
        let env = Env::from_pairs(in_process::variables(sandbox).into_iter().chain(limits));
        in_process::run(OURS, words, env, Arc::new(SystemClock))
    }

    /// The command under strace, which writes its log to `log`. Only the main thread is traced, because only that one
    /// writes.
    pub(super) fn run_traced(&self, sandbox: &Sandbox, options: &[String]) -> (Output, String) {
        let log = sandbox.path().join("strace.log");
        let run = sandbox.command("strace").arg("-qq").arg("-y").arg("-o").arg(&log).args(["-e", "signal=none"]);
        let run = run.arg("-e").arg(format!("trace={CHANGE_CALLS},{READ_CALLS}")).args(options);
        let run = LIMITS.into_iter().fold(run, |run, (name, value)| run.env(name, value));
        let output = run.arg("--").arg(OURS).args(self.words(sandbox, self.case.command)).run();
        (output, std::fs::read_to_string(&log).unwrap_or_default())
    }

    /// The files of the store, and under [`SIDECAR_KEY`] what the sidecar contains.
    pub(super) fn state(&self, sandbox: &Sandbox) -> Tree {
        let mut state = tree_without_root_dot_names(&sandbox.store());
        let (list, name) = (self.list(), self.directory());
        if state.contains_key(&(name.clone() + "/")) {
            let sidecar = std::fs::read(sandbox.store().join(".docker-manifest/lists").join(name)).unwrap_or_default();
            let sidecar: Value = serde_json::from_slice(&sidecar).unwrap_or_default();
            let list = Reference::parse(&list).expect("a reference");
            let draft = DockerManifestStore::new(&sandbox.docker_config()).load(&list);
            let content = draft.map(|draft| draft.map(|d| (d.annotations, d.artifact_type, d.subject)));
            // Random, and so another one in every run; in an entry it counts only where it is the draft's.
            if let Some(mark) = sidecar["mark"].as_str() {
                for (_, bytes) in state.values_mut() {
                    *bytes = String::from_utf8_lossy(bytes).replace(mark, "(the mark)").into_bytes();
                }
            }
            state.insert(SIDECAR_KEY.to_owned(), (0, format!("{} {content:?}", sidecar["format"]).into_bytes()));
        }
        state
    }

    /// Both tools must show what the store contains.
    fn check_readers(&self, sandbox: &Sandbox, tree: &Tree) -> Result<(), String> {
        if !self.checked_states.borrow_mut().insert(format!("{tree:?}")) {
            return Ok(());
        }
        self.check_reader("ours", &|words| self.run(sandbox, words), tree)?;
        if on_path("docker") {
            let docker = |words: &[String]| sandbox.manifest_command(&Tool::Docker).args(words.iter().cloned()).run();
            self.check_reader("docker", &docker, tree)?;
        }
        Ok(())
    }

    fn check_reader(&self, tool: &str, run: &dyn Fn(&[String]) -> Output, tree: &Tree) -> Result<(), String> {
        let list = self.list();
        let directory = self.directory() + "/";
        let say = |what: &str, output: &Output| format!("{tool}: {what}: {} {}", output.code, output.err());
        let run = |words: &[&str]| run(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        for number in 0..IMAGES {
            let image = self.image(number);
            let shown = run(&["inspect", &list, &image]);
            let file = directory.clone() + &image.replace(':', "-").replace('/', "_");
            let fits = match tree.contains_key(&file) {
                true => shown.code == 0,
                false => (shown.code, shown.first_err_line()) == (1, format!("No such manifest: {image}")),
            };
            if !fits {
                return Err(say(&format!("inspect of {image}"), &shown));
            }
        }
        if tree.contains_key(&directory) {
            let shown = run(&["inspect", "-v", &list]);
            let count = serde_json::from_slice::<Vec<serde_json::Value>>(&shown.stdout).map_or(0, |array| array.len());
            let entries = tree.keys().filter(|name| name.starts_with(&directory) && **name != directory).count();
            if shown.code != 0 || count != entries {
                return Err(say(&format!("inspect of the list shows {count} of {tree:?}"), &shown));
            }
        }
        Ok(())
    }

    /// The same command again, undisturbed, must lead to the intended result.
    fn check_repeated(&self, sandbox: &Sandbox, tree: &Tree, after: &Tree) -> Result<(), String> {
        let repeated = self.run(sandbox, &self.words(sandbox, self.case.command));
        let done_already = tree == after
            && repeated.code == 1
            && ["refusing to amend", "No such manifest", "manifest for image"]
                .iter()
                .any(|line| repeated.err().starts_with(line));
        let now = self.state(sandbox);
        if now != *after || !(repeated.code == 0 || done_already) || repeated.err().contains("waiting") {
            return Err(format!("run again: {} {} {:?}", repeated.code, repeated.err(), now.keys()));
        }
        let staging = sandbox.store().join(".docker-manifest/staging");
        // What is gone needs no lock, and so nobody clears up after it until the next list of that name.
        if repeated.code == 0
            && after.contains_key(SIDECAR_KEY)
            && std::fs::read_dir(&staging).is_ok_and(|mut left| left.next().is_some())
        {
            return Err("run again: files are left in the staging area".to_owned());
        }
        Ok(())
    }

    /// A run in which the process is killed at the call.
    pub(super) fn check_kill(&self, call: (&Call, &StorePaths), before: &Tree, after: &Tree) -> Result<(), String> {
        let kill = vec![inject(&call.0.name, call.0.count, "signal=KILL")];
        let (sandbox, output) = self.run_disturbed(call, kill, |calls| calls.len().checked_sub(1))?;
        let tree = self.state(&sandbox);
        let by_entry = before.keys().chain(after.keys()).chain(tree.keys()).all(|name| {
            let found = tree.get(name);
            found == before.get(name) || found == after.get(name)
        });
        if output.code != KILLED || !(tree == *before || tree == *after || self.case.by_entry && by_entry) {
            return Err(format!("neither old nor new: {} {} {:?}", output.code, output.err(), tree.keys()));
        }
        let needs_more = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("\"Source\":");
        let format = tree.get(SIDECAR_KEY).map_or(b'2', |(_, content)| content.first().copied().unwrap_or_default());
        if format < b'2' && tree.values().any(|(_, bytes)| needs_more(bytes)) {
            return Err("an older program would take something away from this".to_owned());
        }
        self.check_readers(&sandbox, &tree)?;
        self.check_repeated(&sandbox, &tree, after)
    }

    /// One run in which the call fails.
    pub(super) fn check_failure(
        &self,
        call: (&Call, &StorePaths),
        error: InjectedError,
        before: &Tree,
        after: &Tree,
    ) -> Result<(), String> {
        let injected = |calls: &[Call]| calls.iter().position(|call| call.line.ends_with("(INJECTED)"));
        let (sandbox, output) = self.run_disturbed(call, error.strace_options(call.0), injected)?;
        let (stderr, tree) = (output.err(), self.state(&sandbox));
        let path = sandbox.store().display().to_string();
        let fits = match output.code {
            // What failed was not needed, tidying up for instance.
            0 => tree == *after,
            // On a disk that takes no more, strace's refuses the error's own line too.
            1 => {
                tree == *before && (!matches!(error, InjectedError::Once(_)) || output.first_err_line().contains(&path))
            }
            _ => false,
        };
        if !fits || stderr.contains("panicked") {
            return Err(format!("{} {stderr} {:?}", output.code, tree.keys()));
        }
        self.check_readers(&sandbox, &tree)?;
        self.check_repeated(&sandbox, &tree, after)
    }

    /// Whether no step after the failed call needs room on the disk: a new file, a name or bytes. strace traces every
    /// path here, because the new ones are not known.
    pub(super) fn check_needs_no_space_after(&self, call: &Call) -> Result<(), String> {
        let sandbox = self.prepare_home();
        let (_, log) = self.run_traced(&sandbox, &InjectedError::Once("EIO").strace_options(call));
        let store = sandbox.store().display().to_string();
        let calls = calls(&log, &sandbox.store());
        let injected = calls.iter().position(|call| call.line.ends_with("(INJECTED)"));
        if injected != Some(call.index) {
            return Err(format!("strace hit {injected:?}, and not the call, which is number {}", call.index));
        }
        let asks = |later: &&Call| match later.name.as_str() {
            "openat" => later.changes(),
            // Not the error's own line, which names the path.
            "write" | "writev" | "pwrite64" => later.line.contains(&format!("<{store}")),
            name => name.starts_with("link") || name.starts_with("mkdir"),
        };
        let later = calls.get(call.index + 1..).unwrap_or_default();
        later.iter().find(asks).map_or(Ok(()), |later| Err(format!("and then it needs {}", later.line)))
    }

    /// Runs the command with what strace's `options` make happen at the call: the home afterwards and what the command
    /// said. `injected` finds in a log where that was.
    fn run_disturbed(
        &self,
        (call, store_paths): (&Call, &StorePaths),
        mut options: Vec<String>,
        injected: impl Fn(&[Call]) -> Option<usize>,
    ) -> Result<(Sandbox, Output), String> {
        let sandbox = self.prepare_home();
        let directory = sandbox.docker_config();
        options.extend(store_paths.iter().flat_map(|mark| ["-P".to_owned(), format!("{}{mark}", directory.display())]));
        let (output, log) = self.run_traced(&sandbox, &options);
        let calls = calls(&log, &sandbox.store());
        match injected(&calls) {
            Some(index) if index == call.index && calls[index].name == call.name => Ok((sandbox, output)),
            index => Err(format!("strace hit {index:?}, and not the call, which is number {}", call.index)),
        }
    }
}

/// strace's option for the `count`th call of a name.
fn inject(name: &str, count: usize, what: &str) -> String {
    format!("-einject={name}:{what}:when={count}")
}

/// The calls on files of the store, out of all that the log has.
pub(super) fn calls(log: &str, store: &Path) -> Vec<Call> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in log.lines().filter(|line| line.contains(&store.display().to_string())) {
        let Some((name, _)) = line.split_once('(') else { continue };
        let writes_before = counts.get("write").copied().unwrap_or_default();
        let count = counts.entry(name).or_default();
        *count += 1;
        calls.push(Call {
            name: name.to_owned(),
            count: *count,
            index: calls.len(),
            writes_before,
            line: line.to_owned(),
        });
    }
    calls
}

/// The files of the store that the calls name, as they stand below docker's directory.
pub(super) fn store_paths(calls: &[Call], directory: &Path) -> StorePaths {
    let directory = directory.display().to_string();
    let named = calls.iter().flat_map(|call| call.line.split(['"', '<', '>']));
    let named = named.filter_map(|text| text.strip_prefix(&directory)).filter(|rest| rest.starts_with("/manifests"));
    named.map(str::to_owned).collect()
}

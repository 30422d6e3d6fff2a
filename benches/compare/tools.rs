//! The tools, and how each is told to do the same work.
//!
//! All talk plain HTTP to a loopback registry, each by its own switch for that. Tools without a draft make and push in
//! one process; docker and ours take two.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use testkit::sandbox::{Sandbox, on_path};

use crate::seed::Source;

/// The work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Job {
    /// Make a list of N images of other repositories and push it to a new one.
    Publish,
    /// Push the same again.
    Again,
    /// Show a remote list.
    Inspect,
    /// Show a remote list and each image in it.
    Verbose,
}

impl Job {
    /// In the order of the report.
    pub(crate) const ALL: [Job; 4] = [Job::Publish, Job::Again, Job::Inspect, Job::Verbose];

    /// What it is called in the report.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Job::Publish => "create + push",
            Job::Again => "push again",
            Job::Inspect => "inspect",
            Job::Verbose => "inspect -v",
        }
    }
}

/// Names that a job is done with.
pub(crate) struct Task<'a> {
    /// The registry's host and port, as in the names.
    pub(crate) host: String,
    /// The list to be made.
    pub(crate) target: String,
    /// What it is made of.
    pub(crate) sources: &'a [Source],
    /// A list that is there.
    pub(crate) list: String,
}

impl Task<'_> {
    fn images(&self) -> impl Iterator<Item = String> {
        self.sources.iter().map(|source| format!("{}/{}", self.host, source.name))
    }

    fn flagged(&self, flag: &str) -> Vec<String> {
        self.images().flat_map(|image| [flag.to_owned(), image]).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `docker manifest` and whatever has its command line.
    Manifest,
    Crane,
    Regctl,
    ManifestTool,
    Buildx,
}

/// A tool on this machine, or one that would be welcome.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    /// What it is called in the report and by `--tools`.
    pub(crate) name: &'static str,
    kind: Kind,
    /// The words that every command of it begins with.
    start: Vec<String>,
    version: &'static [&'static str],
}

/// The name of our own tool.
pub(crate) const OURS: &str = "ours";

/// All tools that the bench knows, ours first; they need not be there.
pub(crate) fn all(ours: &Path) -> Vec<Tool> {
    let tool = |name, kind, start: &[&str], version| Tool { name, kind, start: owned(start), version };
    let mut all = vec![
        tool(OURS, Kind::Manifest, &[&ours.to_string_lossy()], &["--version"] as &'static [_]),
        tool("docker", Kind::Manifest, &["docker", "manifest"], &["--version"]),
        tool("crane", Kind::Crane, &["crane", "--insecure"], &["version"]),
        tool("regctl", Kind::Regctl, &["regctl"], &["version", "--format", "regctl {{.VCSTag}}"]),
        tool("manifest-tool", Kind::ManifestTool, &["manifest-tool", "--plain-http"], &["--version"]),
    ];
    let alone = on_path("docker-buildx") || !on_path("docker");
    let buildx: &[&str] = if alone { &["docker-buildx"] } else { &["docker", "buildx"] };
    all.push(tool("buildx", Kind::Buildx, buildx, if alone { &["version"] } else { &["buildx", "version"] }));
    all
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Tool {
    fn program(&self) -> &str {
        self.start.first().map_or("", String::as_str)
    }

    /// Whether it can be run.
    pub(crate) fn is_there(&self, sandbox: &Sandbox) -> bool {
        let there = on_path(self.program()) || Path::new(self.program()).is_file();
        there && self.version(sandbox).is_some()
    }

    /// What it says of itself; `None` where it says nothing.
    pub(crate) fn version(&self, sandbox: &Sandbox) -> Option<String> {
        let run = sandbox.command(self.program()).args(self.version.to_vec()).guard(Duration::from_secs(20));
        let output = run.run();
        let out = output.out();
        (output.code == 0).then(|| out.lines().next().unwrap_or_default().to_owned())
    }

    /// The shortest thing that it can be asked: how fast it starts.
    pub(crate) fn hello(&self) -> Vec<String> {
        std::iter::once(self.program().to_owned()).chain(owned(self.version)).collect()
    }

    /// Writes what it must find in its home before it can do the task.
    pub(crate) fn prepare(&self, sandbox: &Sandbox, task: &Task<'_>) {
        match self.kind {
            Kind::Regctl => {
                let host = json!({"tls": "disabled", "hostname": task.host});
                let text = json!({"version": 1, "hosts": {&task.host: host}}).to_string();
                sandbox.write("home/.regctl/config.json", text);
            }
            Kind::ManifestTool => {
                let entry = |(source, image): (&Source, String)| {
                    let (os, architecture, variant) = &source.platform;
                    json!({"image": image, "platform": {"os": os, "architecture": architecture, "variant": variant}})
                };
                let manifests: Vec<_> = task.sources.iter().zip(task.images()).map(entry).collect();
                // YAML takes JSON as it is.
                sandbox.write("spec.yaml", json!({"image": task.target, "manifests": manifests}).to_string());
            }
            Kind::Manifest | Kind::Crane | Kind::Buildx => {}
        }
    }

    /// The commands of a job, one after another; `None` where it has nothing of the kind.
    pub(crate) fn commands(&self, job: Job, task: &Task<'_>) -> Option<Vec<Vec<String>>> {
        let (target, list) = (task.target.as_str(), task.list.as_str());
        let after = |words: &[&str], rest: Vec<String>| -> Vec<String> {
            self.start.iter().cloned().chain(owned(words)).chain(rest).collect()
        };
        let one = |words: &[&str], rest| Some(vec![after(words, rest)]);
        match (self.kind, job) {
            (Kind::Manifest, Job::Publish) => Some(vec![
                after(&["create", "--insecure", target], task.images().collect()),
                after(&["push", "--insecure", target], vec![]),
            ]),
            (Kind::Manifest, Job::Again) => one(&["push", "--insecure", target], vec![]),
            (Kind::Manifest, Job::Inspect) => one(&["inspect", "--insecure", list], vec![]),
            (Kind::Manifest, Job::Verbose) => one(&["inspect", "--insecure", "-v", list], vec![]),
            (Kind::Crane, Job::Publish | Job::Again) => one(&["index", "append", "-t", target], task.flagged("-m")),
            (Kind::Crane, Job::Inspect) => one(&["manifest", list], vec![]),
            (Kind::Regctl, Job::Publish | Job::Again) => one(&["index", "create", target], task.flagged("--ref")),
            (Kind::Regctl, Job::Inspect) => one(&["manifest", "get", "--format", "raw-body", list], vec![]),
            (Kind::ManifestTool, Job::Publish | Job::Again) => one(&["push", "from-spec", "spec.yaml"], vec![]),
            (Kind::ManifestTool, Job::Verbose) => one(&["inspect", list], vec![]),
            (Kind::Buildx, Job::Publish | Job::Again) => {
                one(&["imagetools", "create", "-t", target], task.images().collect())
            }
            (Kind::Buildx, Job::Inspect) => one(&["imagetools", "inspect", "--raw", list], vec![]),
            (Kind::Crane | Kind::Regctl | Kind::Buildx, Job::Verbose) | (Kind::ManifestTool, Job::Inspect) => None,
        }
    }
}

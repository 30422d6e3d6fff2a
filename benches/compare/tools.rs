//! The tools, and how each is told to do the same work.
//!
//! All talk to a loopback registry: over plain HTTP, each by its own switch for that, or over TLS with a login. Tools
//! without a draft make and push in one process; docker and ours take two.

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
    /// Make a list of N images out of a spec and push it, with no draft.
    Apply,
    /// Make a list of images of another registry, whose blobs are copied.
    Copy,
    /// Show a remote list.
    Inspect,
    /// Show a remote list and each image in it.
    Verbose,
}

impl Job {
    /// In the order of the report.
    pub(crate) const ALL: [Job; 6] = [Job::Publish, Job::Again, Job::Apply, Job::Inspect, Job::Verbose, Job::Copy];

    /// What it is called in the report.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Job::Publish => "create + push",
            Job::Again => "push again",
            Job::Apply => "apply",
            Job::Copy => "copy",
            Job::Inspect => "inspect",
            Job::Verbose => "inspect -v",
        }
    }
}

/// Names that a job is done with.
pub(crate) struct Task<'a> {
    /// The host and port of the registry that has the images, as in the names.
    pub(crate) host: String,
    /// The host and port of the registry that the list goes to.
    pub(crate) target_host: String,
    /// What config.json has for a login there, in base64; `None` where nobody is asked for one.
    pub(crate) login: Option<String>,
    /// The list to be made.
    pub(crate) new_list: String,
    /// What it is made of.
    pub(crate) sources: &'a [Source],
    /// A list that is there.
    pub(crate) existing_list: String,
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
    /// Docker's command line, and more.
    Ours,
    /// `docker manifest`.
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
    /// Whether it talks TLS.
    is_tls: bool,
    /// Whether `apply` has a flag for referrers, which are left where they are.
    has_referrers_flag: bool,
}

/// The name of our own tool.
pub(crate) const OURS: &str = "ours";

/// Another build of ours, for comparison.
pub(crate) const BASELINE: &str = "baseline";

/// All tools that the bench knows, ours first; they need not be there.
pub(crate) fn all(ours: &Path, baseline: Option<&Path>) -> Vec<Tool> {
    let tool = |name, kind, start: &[&str], version| Tool {
        name,
        kind,
        start: owned(start),
        version,
        is_tls: false,
        has_referrers_flag: false,
    };
    let build = |name, path: &Path| Tool {
        has_referrers_flag: apply_help(path).contains("--referrers"),
        ..tool(name, Kind::Ours, &[&path.to_string_lossy()], &["--version"] as &'static [_])
    };
    let mut all = vec![build(OURS, ours)];
    all.extend(baseline.map(|path| build(BASELINE, path)));
    all.extend([
        tool("docker", Kind::Manifest, &["docker", "manifest"], &["--version"] as &'static [_]),
        tool("crane", Kind::Crane, &["crane", "--insecure"], &["version"]),
        tool("regctl", Kind::Regctl, &["regctl"], &["version", "--format", "regctl {{.VCSTag}}"]),
        tool("manifest-tool", Kind::ManifestTool, &["manifest-tool", "--plain-http"], &["--version"]),
    ]);
    let alone = on_path("docker-buildx") || !on_path("docker");
    let buildx: &[&str] = if alone { &["docker-buildx"] } else { &["docker", "buildx"] };
    all.push(tool("buildx", Kind::Buildx, buildx, if alone { &["version"] } else { &["buildx", "version"] }));
    all
}

fn apply_help(program: &Path) -> String {
    Sandbox::new().command(program).args(["apply", "--help"]).run().out()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Tool {
    /// The same over TLS.
    pub(crate) fn over_tls(&self) -> Tool {
        let is_switch = |word: &&String| ["--insecure", "--plain-http"].contains(&word.as_str());
        let start = self.start.iter().filter(|word| !is_switch(word)).cloned().collect();
        Tool { start, is_tls: true, ..self.clone() }
    }

    fn program(&self) -> &str {
        self.start.first().map_or("", String::as_str)
    }

    /// Whether it keeps something from one run to the next.
    pub(crate) fn caches_between_runs(&self) -> bool {
        self.kind == Kind::Ours
    }

    /// Whether it can be run.
    pub(crate) fn is_installed(&self, sandbox: &Sandbox) -> bool {
        let is_installed = on_path(self.program()) || Path::new(self.program()).is_file();
        is_installed && self.version(sandbox).is_some()
    }

    /// What it says of itself; `None` where it says nothing.
    pub(crate) fn version(&self, sandbox: &Sandbox) -> Option<String> {
        let run = sandbox.command(self.program()).args(self.version.to_vec()).time_limit(Duration::from_secs(20));
        let output = run.run();
        let stdout = output.out();
        (output.code == 0).then(|| stdout.lines().next().unwrap_or_default().to_owned())
    }

    /// The shortest thing that it can be asked: how fast it starts.
    pub(crate) fn startup_command(&self) -> Vec<String> {
        std::iter::once(self.program().to_owned()).chain(owned(self.version)).collect()
    }

    /// Writes what it must find in its home before it can do the task.
    pub(crate) fn prepare(&self, sandbox: &Sandbox, task: &Task<'_>) {
        if let Some(login) = &task.login {
            sandbox.write_config(&json!({"auths": {&task.target_host: {"auth": login}}}).to_string());
        }
        match self.kind {
            Kind::Regctl => {
                let tls = if self.is_tls { "enabled" } else { "disabled" };
                let host = |name: &String| (name.clone(), json!({"tls": tls, "hostname": name}));
                let hosts: serde_json::Map<_, _> = [&task.host, &task.target_host].into_iter().map(host).collect();
                sandbox.write("home/.regctl/config.json", json!({"version": 1, "hosts": hosts}).to_string());
            }
            Kind::ManifestTool => {
                let entry = |(source, image): (&Source, String)| {
                    let (os, architecture, variant) = &source.platform;
                    json!({"image": image, "platform": {"os": os, "architecture": architecture, "variant": variant}})
                };
                let manifests: Vec<_> = task.sources.iter().zip(task.images()).map(entry).collect();
                // YAML takes JSON as it is.
                sandbox.write("spec.yaml", json!({"image": task.new_list, "manifests": manifests}).to_string());
            }
            Kind::Ours => {
                let manifests: Vec<_> = task.images().map(|image| json!({"image": image})).collect();
                sandbox.write("spec.yaml", json!({"image": task.new_list, "manifests": manifests}).to_string());
            }
            Kind::Manifest | Kind::Crane | Kind::Buildx => {}
        }
    }

    /// The commands of a job, one after another; `None` where it has nothing of the kind.
    pub(crate) fn commands(&self, job: Job, task: &Task<'_>) -> Option<Vec<Vec<String>>> {
        let (target, list) = (task.new_list.as_str(), task.existing_list.as_str());
        let after = |words: &[&str], rest: Vec<String>| -> Vec<String> {
            self.start.iter().cloned().chain(owned(words)).chain(rest).collect()
        };
        let single_command = |words: &[&str], rest| Some(vec![after(words, rest)]);
        let switch: &[&str] = if self.is_tls { &[] } else { &["--insecure"] };
        let with = |verb: &str, rest: Vec<String>| after(&[&[verb], switch].concat(), rest);
        let apply = |more: &[&str]| Some(vec![with("apply", owned(&[&["-f", "spec.yaml", "-q"], more].concat()))]);
        match (self.kind, job) {
            (Kind::Manifest | Kind::Ours, Job::Publish) => {
                let create = with("create", std::iter::once(task.new_list.clone()).chain(task.images()).collect());
                Some(vec![create, with("push", owned(&[target]))])
            }
            (Kind::Manifest | Kind::Ours, Job::Again) => Some(vec![with("push", owned(&[target]))]),
            (Kind::Manifest | Kind::Ours, Job::Inspect) => Some(vec![with("inspect", owned(&[list]))]),
            (Kind::Manifest | Kind::Ours, Job::Verbose) => Some(vec![with("inspect", owned(&["-v", list]))]),
            (Kind::Ours, Job::Copy) if self.has_referrers_flag => apply(&["--referrers", "drop"]),
            (Kind::Ours, Job::Apply | Job::Copy) => apply(&[]),
            (Kind::Manifest | Kind::ManifestTool, Job::Copy) => None,
            (_, Job::Apply) => None,
            (Kind::Crane, Job::Copy) => single_command(&["index", "append", "-t", target], task.flagged("-m")),
            (Kind::Regctl, Job::Copy) => single_command(&["index", "create", target], task.flagged("--ref")),
            (Kind::Buildx, Job::Copy) => {
                single_command(&["imagetools", "create", "-t", target], task.images().collect())
            }
            (Kind::Crane, Job::Publish | Job::Again) => {
                single_command(&["index", "append", "-t", target], task.flagged("-m"))
            }
            (Kind::Crane, Job::Inspect) => single_command(&["manifest", list], vec![]),
            (Kind::Regctl, Job::Publish | Job::Again) => {
                single_command(&["index", "create", target], task.flagged("--ref"))
            }
            (Kind::Regctl, Job::Inspect) => single_command(&["manifest", "get", "--format", "raw-body", list], vec![]),
            (Kind::ManifestTool, Job::Publish | Job::Again) => {
                single_command(&["push", "from-spec", "spec.yaml"], vec![])
            }
            (Kind::ManifestTool, Job::Verbose) => single_command(&["inspect", list], vec![]),
            (Kind::Buildx, Job::Publish | Job::Again) => {
                single_command(&["imagetools", "create", "-t", target], task.images().collect())
            }
            (Kind::Buildx, Job::Inspect) => single_command(&["imagetools", "inspect", "--raw", list], vec![]),
            (Kind::Crane | Kind::Regctl | Kind::Buildx, Job::Verbose) | (Kind::ManifestTool, Job::Inspect) => None,
        }
    }
}

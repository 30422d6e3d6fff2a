//! A registry with the seed content, and the execution of scripts against it.

use super::script::{Script, Step, parse};
use super::seed_content::{Pushable, SeedContent, seed_content};
use super::transcript::{StepResult, Transcript};
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use testkit::client::Client;
use testkit::loopback;
use testkit::real::{RealConfig, RealRegistry};
use testkit::sandbox::{Output, Sandbox, Tool, tree_without_root_dot_names};

type Render = fn(&Pushable) -> String;

/// The placeholders of a manifest, and the text that each stands for.
const PLACEHOLDERS: [(&str, Render); 3] = [
    ("{D:", |pushable| pushable.digest()),
    ("{H:", |pushable| pushable.digest()["sha256:".len()..].to_owned()),
    ("{B:", |pushable| base64::engine::general_purpose::STANDARD.encode(&pushable.manifest)),
];

/// Debian's docker-registry, or the test kit's own, which is as strict.
enum Registry {
    Real(RealRegistry),
    Loopback(loopback::Registry),
}

impl Registry {
    fn addr(&self) -> SocketAddr {
        match self {
            Self::Real(registry) => registry.addr(),
            Self::Loopback(registry) => registry.addr(),
        }
    }

    /// As it stands in an image name.
    fn name(&self) -> String {
        self.addr().to_string()
    }
}

/// One registry of the pair.
pub(super) struct Fixture {
    registry: Registry,
    v6: Option<Registry>,
    pub(super) seed_content: SeedContent,
}

impl Fixture {
    /// Starts and seeds docker-registry; an error says why there is none.
    pub(super) fn start() -> Result<Self, String> {
        let v6 = RealConfig { addr: std::net::Ipv6Addr::LOCALHOST.into(), ..RealConfig::default() };
        let v6 = RealRegistry::start(&v6).ok().map(Registry::Real);
        Ok(Self::seeded(Registry::Real(RealRegistry::start_plain()?), v6))
    }

    /// Starts and seeds the test kit's registry, for machines that have no docker-registry.
    pub(super) fn start_loopback() -> Self {
        let ipv6 = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_ok();
        let v6 = ipv6.then(|| Registry::Loopback(loopback::Registry::builder().ipv6().start()));
        Self::seeded(Registry::Loopback(loopback::Registry::start()), v6)
    }

    fn seeded(registry: Registry, v6: Option<Registry>) -> Self {
        let content = seed_content();
        let client = Client::new(registry.addr());
        for (name, pushable) in &content {
            let (repo, tag) = name.rsplit_once(':').expect("REPO:TAG");
            pushable.push(&client, repo, tag);
        }
        if let Some(v6) = &v6 {
            for name in ["app:amd64", "app:arm64"] {
                content[name].push(&Client::new(v6.addr()), "app", &name[4..]);
            }
        }
        Self { registry, v6, seed_content: content }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.registry.addr())
    }

    pub(super) fn pushable(&self, name: &str) -> &Pushable {
        self.seed_content.get(name).unwrap_or_else(|| panic!("{name} is not in the seed content"))
    }

    /// Whether this machine can run the script (IPv6 may be off).
    pub(super) fn can_run(&self, script: &Script) -> bool {
        self.v6.is_some() || !script.lines.iter().any(|line| line.contains("{V6}"))
    }

    /// Puts addresses and digests in the place of placeholders.
    pub(super) fn expand(&self, text: &str, script: &str) -> String {
        let host = self.registry.name();
        let v6 = self.v6.as_ref().map(Registry::name).unwrap_or_default();
        let mut text = text
            .replace("{T}", "{R}/{N}")
            .replace("{N}", script)
            .replace("{R}", &host)
            .replace("{S}", &host.replace(':', "-"))
            .replace("{L}", &format!("localhost:{}", self.registry.addr().port()))
            .replace("{V6}", &v6)
            .replace("{VS}", &v6.replace(':', "-"));
        while let Some((before, rest)) = text.split_once("{x:") {
            let (count, after) = rest.split_once('}').expect("a closing brace");
            text = format!("{before}{}{after}", "x".repeat(count.parse().expect("a number")));
        }
        for (mark, show) in PLACEHOLDERS {
            while let Some((before, rest)) = text.split_once(mark) {
                let (name, after) = rest.split_once('}').expect("a closing brace");
                text = format!("{before}{}{after}", show(self.pushable(name)));
            }
        }
        text
    }

    /// Takes the addresses and the sandbox's path out again; a text that is not UTF-8 is shown as bytes.
    pub(super) fn normalise(&self, bytes: &[u8], sandbox: &Sandbox) -> String {
        let port = self.registry.addr().port();
        let text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| bytes.escape_ascii().to_string());
        let mut text = text
            .replace(&format!("127.0.0.1:{port}"), "REGISTRY.TEST:5000")
            .replace(&format!("127.0.0.1-{port}"), "REGISTRY.TEST-5000")
            .replace(&format!("localhost:{port}"), "localhost:5000")
            .replace(&format!("localhost-{port}"), "localhost-5000")
            .replace(&*sandbox.path().to_string_lossy(), "/SANDBOX");
        if let Some(v6) = &self.v6 {
            let host = v6.name();
            text = text.replace(&host, "[::1]:5000").replace(&host.replace(':', "-"), "[--1]-5000");
        }
        text
    }

    /// Runs every step; the results are those of the steps that run the tool.
    pub(super) fn run(&self, script: &Script, tools: &[&Tool]) -> Transcript {
        let mut sandbox = Sandbox::new();
        std::fs::create_dir(sandbox.path().join("other")).expect("a directory");
        let other = sandbox.path().join("other").to_string_lossy().into_owned();
        let mut transcript = Transcript::default();
        let mut touched = BTreeSet::new();
        let mut runs = 0;
        for line in script.lines {
            match parse(&self.expand(line, script.name).replace("{C}", &other)) {
                Step::Run { args, ignores_text } => {
                    self.record_push(&args, &mut touched);
                    let tool = tools[runs % tools.len()];
                    runs += 1;
                    // Modes depend on the umask, and golden files must not depend on whose it is.
                    let under_umask = ["-c", "umask 022; exec \"$0\" \"$@\""];
                    let output = sandbox.command("sh").args(under_umask).arg(tool.program()).args(&args).run();
                    let all_lines = args.iter().any(|arg| arg == "rm");
                    transcript.steps.push(self.step_result(line, &output, &sandbox, ignores_text, all_lines));
                }
                Step::RecordServed { target } => {
                    touched.insert(target);
                }
                Step::Set { variable, value } => sandbox.set(variable, value),
                Step::Unset { variable } => sandbox.unset(variable),
                step => self.change_surroundings(&step, &sandbox, tools == [&Tool::Docker]),
            }
        }
        for target in &touched {
            self.record_served(target, script, &sandbox, &mut transcript.served);
        }
        transcript
    }

    fn record_push(&self, args: &[String], touched: &mut BTreeSet<String>) {
        if args.iter().any(|arg| arg == "push") {
            let prefix = format!("{}/", self.registry.name());
            touched.extend(args.iter().filter_map(|arg| arg.strip_prefix(&prefix)).map(str::to_owned));
        }
    }

    fn step_result(
        &self,
        line: &str,
        output: &Output,
        sandbox: &Sandbox,
        ignores_text: bool,
        all_lines: bool,
    ) -> StepResult {
        let mut stdout = self.normalise(&output.stdout, sandbox);
        let stderr = self.normalise(&output.stderr, sandbox);
        // `rm` has a line for every list, up to a blank line and the usage; hints are ours alone.
        let message_lines =
            stderr.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("hint:"));
        let mut stderr: Vec<String> = if all_lines {
            message_lines.map(str::to_owned).collect()
        } else {
            stderr.lines().next().map(str::to_owned).into_iter().collect()
        };
        if ignores_text {
            let used = |yes: bool| if yes { "(something)" } else { "(nothing)" };
            stdout = used(!output.stdout.is_empty()).into();
            stderr = vec![used(!output.stderr.is_empty()).into()];
        }
        let show = |(mode, bytes): &(u32, Vec<u8>)| format!("{mode:04o} {}", self.normalise(bytes, sandbox));
        let mut files = tree_without_root_dot_names(&sandbox.store());
        for elsewhere in ["home/.docker/manifests", "other/manifests"] {
            let found = tree_without_root_dot_names(&sandbox.path().join(elsewhere));
            files.extend(found.into_iter().map(|(path, file)| (format!("{elsewhere}/{path}"), file)));
        }
        let store = files.iter().map(|(path, file)| (self.normalise(path.as_bytes(), sandbox), show(file))).collect();
        StepResult { line: line.to_owned(), code: output.code, stdout, stderr, store }
    }

    /// `strict` is for the reference run; where another tool has written other files, the trees differ anyway.
    fn change_surroundings(&self, step: &Step, sandbox: &Sandbox, strict: bool) {
        let store = |path: &str| sandbox.store().join(path);
        match step {
            Step::File { path, text } => {
                sandbox.write(store(path), text);
            }
            Step::Edit { path, from, to } => {
                let text = std::fs::read_to_string(store(path)).unwrap_or_default();
                assert!(!strict || text.contains(from), "{path} has no {from}: {text}");
                sandbox.write(store(path), text.replace(from, to));
            }
            Step::Mkdir { path } => std::fs::create_dir_all(store(path)).expect("mkdir"),
            Step::Remove { path } => assert!(std::fs::remove_file(store(path)).is_ok() || !strict, "rm {path}"),
            Step::RemoveStore => assert!(std::fs::remove_dir_all(sandbox.store()).is_ok() || !strict, "rm-store"),
            Step::OldEntry { path, pushable } => {
                sandbox.write(store(path), self.old_entry(path, self.pushable(pushable)));
            }
            Step::Seed { target, pushable } => {
                let (repo, tag) = target.rsplit_once(':').expect("REPO:TAG");
                self.pushable(pushable).push(&self.client(), repo, tag);
            }
            Step::DropBlob { repo, pushable } => {
                let blob = self.pushable(pushable).blobs.last().expect("a layer");
                self.delete(&format!("/v2/{repo}/blobs/{}", testkit::image::sha256(blob)));
            }
            Step::DropManifest { repo, pushable } => {
                self.delete(&format!("/v2/{repo}/manifests/{}", self.pushable(pushable).digest()));
            }
            Step::Config { text } => drop(sandbox.write_config(text)),
            Step::Run { .. } | Step::RecordServed { .. } | Step::Set { .. } | Step::Unset { .. } => {}
        }
    }

    fn delete(&self, path: &str) {
        let reply = self.client().request("DELETE", path, &[], b"");
        assert_eq!(reply.status, 202, "DELETE {path}: {}", reply.text());
    }

    /// An entry as docker 18.03 wrote it: digest and platform on top, no descriptor, no raw bytes.
    fn old_entry(&self, path: &str, pushable: &Pushable) -> String {
        let name = path.rsplit('/').next().unwrap_or_default();
        let (repo, tag) = name.rsplit_once('-').expect("a stored name ends in -TAG");
        let host = self.registry.name();
        let repo = repo.replace(&host.replace(':', "-"), &host).replace('_', "/");
        let config: Value = serde_json::from_slice(&pushable.blobs[0]).expect("a config");
        let platform = json!({"architecture": config["architecture"], "os": config["os"]});
        // The manifest's own bytes: docker checks the digest against what stands in the file.
        let manifest = String::from_utf8_lossy(&pushable.manifest);
        let digest = pushable.digest();
        format!(r#"{{"Ref":"{repo}:{tag}","Digest":"{digest}","SchemaV2Manifest":{manifest},"Platform":{platform}}}"#)
    }

    /// Records what a registry serves for a reference, and whether the children and blobs of a list are there too.
    fn record_served(&self, target: &str, script: &Script, sandbox: &Sandbox, served: &mut BTreeMap<String, String>) {
        let (repo, reference) = match (target.split_once('@'), target.rsplit_once(':')) {
            (Some((repo, digest)), _) => (repo.split(':').next().unwrap_or_default(), digest),
            (None, Some((repo, tag))) => (repo, tag),
            (None, None) => (target, "latest"),
        };
        let key = format!("{repo}:{reference}").replace(script.name, "{N}");
        let Some((media_type, body)) = self.client().find_manifest(repo, reference) else {
            served.insert(key, "404".into());
            return;
        };
        served.insert(key.clone(), format!("{media_type}\n{}", self.normalise(&body, sandbox)));
        let list: Value = serde_json::from_slice(&body).unwrap_or_default();
        for child in list["manifests"].as_array().into_iter().flatten().filter_map(|c| c["digest"].as_str()) {
            let response = match self.client().find_manifest(repo, child) {
                None => "404".to_owned(),
                Some((media_type, body)) => {
                    format!("{media_type} {}{}", testkit::image::sha256(&body), self.blob_statuses(repo, &body))
                }
            };
            served.insert(format!("{key} > {child}"), response);
        }
    }

    fn blob_statuses(&self, repo: &str, manifest: &[u8]) -> String {
        let manifest: Value = serde_json::from_slice(manifest).unwrap_or_default();
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        let digests = std::iter::once(&manifest["config"]).chain(&layers).filter_map(|d| d["digest"].as_str());
        let status = |digest| self.client().request("HEAD", &format!("/v2/{repo}/blobs/{digest}"), &[], b"").status;
        digests.map(|digest| format!("\n{digest} {}", status(digest))).collect()
    }
}

//! A registry with the catalogue in it, and running scripts against it.

use super::catalogue::{Catalogue, Thing, catalogue};
use super::script::{Script, Step, parse};
use super::transcript::{Answer, Transcript};
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::client::Client;
use testkit::real::{RealConfig, RealRegistry};
use testkit::sandbox::{Output, Sandbox, Tool, tree};

type Show = fn(&Thing) -> String;

/// What of a thing a placeholder stands for.
const SHOWN: [(&str, Show); 3] = [
    ("{D:", |thing| thing.digest()),
    ("{H:", |thing| thing.digest()["sha256:".len()..].to_owned()),
    ("{B:", |thing| base64::engine::general_purpose::STANDARD.encode(&thing.manifest)),
];

/// One registry of the pair.
pub(crate) struct World {
    registry: RealRegistry,
    v6: Option<RealRegistry>,
    pub(crate) catalogue: Catalogue,
}

impl World {
    /// Starts and seeds it; an error says why there is no registry.
    pub(crate) fn start() -> Result<Self, String> {
        let registry = RealRegistry::start_plain()?;
        let catalogue = catalogue();
        let client = Client::new(registry.addr());
        for (name, thing) in &catalogue {
            let (repo, tag) = name.rsplit_once(':').expect("REPO:TAG");
            thing.push(&client, repo, tag);
        }
        let v6 = RealConfig { addr: std::net::Ipv6Addr::LOCALHOST.into(), ..RealConfig::default() };
        let v6 = RealRegistry::start(&v6).ok();
        if let Some(v6) = &v6 {
            for name in ["app:amd64", "app:arm64"] {
                catalogue[name].push(&Client::new(v6.addr()), "app", &name[4..]);
            }
        }
        Ok(Self { registry, v6, catalogue })
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.registry.addr())
    }

    pub(crate) fn thing(&self, name: &str) -> &Thing {
        self.catalogue.get(name).unwrap_or_else(|| panic!("{name} is not in the catalogue"))
    }

    /// Whether this machine can run the script (IPv6 may be off).
    pub(crate) fn can_run(&self, script: &Script) -> bool {
        self.v6.is_some() || !script.lines.iter().any(|line| line.contains("{V6}"))
    }

    /// Puts addresses and digests in the place of placeholders.
    pub(crate) fn fill(&self, text: &str, script: &str) -> String {
        let host = self.registry.host();
        let v6 = self.v6.as_ref().map(RealRegistry::host).unwrap_or_default();
        let mut text = text
            .replace("{T}", "{R}/{N}")
            .replace("{N}", script)
            .replace("{R}", &host)
            .replace("{S}", &host.replace(':', "-"))
            .replace("{L}", &format!("localhost:{}", self.registry.port()))
            .replace("{V6}", &v6)
            .replace("{VS}", &v6.replace(':', "-"));
        while let Some((before, rest)) = text.split_once("{x:") {
            let (count, after) = rest.split_once('}').expect("a closing brace");
            text = format!("{before}{}{after}", "x".repeat(count.parse().expect("a number")));
        }
        for (mark, show) in SHOWN {
            while let Some((before, rest)) = text.split_once(mark) {
                let (name, after) = rest.split_once('}').expect("a closing brace");
                text = format!("{before}{}{after}", show(self.thing(name)));
            }
        }
        text
    }

    /// Takes the addresses and the sandbox's path out again; a text that is not UTF-8 is shown as bytes.
    pub(crate) fn normalise(&self, bytes: &[u8], sandbox: &Sandbox) -> String {
        let port = self.registry.port();
        let text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| bytes.escape_ascii().to_string());
        let mut text = text
            .replace(&format!("127.0.0.1:{port}"), "REGISTRY.TEST:5000")
            .replace(&format!("127.0.0.1-{port}"), "REGISTRY.TEST-5000")
            .replace(&format!("localhost:{port}"), "localhost:5000")
            .replace(&format!("localhost-{port}"), "localhost-5000")
            .replace(&*sandbox.path().to_string_lossy(), "/SANDBOX");
        if let Some(v6) = &self.v6 {
            let host = v6.host();
            text = text.replace(&host, "[::1]:5000").replace(&host.replace(':', "-"), "[--1]-5000");
        }
        text
    }

    /// Runs every step; the answers are those of the steps that run the tool.
    pub(crate) fn run(&self, script: &Script, tools: &[&Tool]) -> Transcript {
        let sandbox = Sandbox::new();
        let mut transcript = Transcript::default();
        let mut touched = BTreeSet::new();
        let mut runs = 0;
        for line in script.lines {
            match parse(&self.fill(line, script.name)) {
                Step::Run { args, streams_only } => {
                    self.note_push(&args, &mut touched);
                    let tool = tools[runs % tools.len()];
                    runs += 1;
                    let output = sandbox.tool(tool).args(&args).run();
                    let all_lines = args.iter().any(|a| a == "rm");
                    transcript.answers.push(self.answer(line, &output, &sandbox, streams_only, all_lines));
                }
                Step::Served { target } => {
                    touched.insert(target);
                }
                step => self.change(&step, &sandbox),
            }
        }
        for target in &touched {
            self.look_at(target, script, &sandbox, &mut transcript.served);
        }
        transcript
    }

    fn note_push(&self, args: &[String], touched: &mut BTreeSet<String>) {
        if args.iter().any(|a| a == "push") {
            let prefix = format!("{}/", self.registry.host());
            touched.extend(args.iter().filter_map(|a| a.strip_prefix(&prefix)).map(str::to_owned));
        }
    }

    fn answer(&self, line: &str, output: &Output, sandbox: &Sandbox, streams_only: bool, all_lines: bool) -> Answer {
        let mut stdout = self.normalise(&output.stdout, sandbox);
        let stderr = self.normalise(&output.stderr, sandbox);
        // `rm` has a line for every list; the usage text after a blank line is each tool's own, and so are hints.
        let said = stderr.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("hint:"));
        let mut stderr: Vec<String> = said.take(if all_lines { usize::MAX } else { 1 }).map(str::to_owned).collect();
        if streams_only {
            if !stdout.is_empty() {
                stdout = "(something)".into();
            }
            stderr.iter_mut().for_each(|line| *line = "(something)".into());
        }
        let show = |(mode, bytes): &(u32, Vec<u8>)| format!("{mode:04o} {}", self.normalise(bytes, sandbox));
        let tree = tree(&sandbox.store());
        let tree = tree.iter().map(|(path, file)| (self.normalise(path.as_bytes(), sandbox), show(file))).collect();
        Answer { line: line.to_owned(), code: output.code, stdout, stderr, tree }
    }

    fn change(&self, step: &Step, sandbox: &Sandbox) {
        let store = |path: &str| sandbox.store().join(path);
        match step {
            Step::File { path, text } => {
                sandbox.write(store(path), text);
            }
            Step::Edit { path, from, to } => {
                let text = std::fs::read_to_string(store(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
                assert!(text.contains(from), "{path} has no {from}: {text}");
                sandbox.write(store(path), text.replace(from, to));
            }
            Step::Mkdir { path } => std::fs::create_dir_all(store(path)).expect("mkdir"),
            Step::Remove { path } => std::fs::remove_file(store(path)).expect("rm"),
            Step::RemoveStore => std::fs::remove_dir_all(sandbox.store()).expect("rm-store"),
            Step::Old { path, thing } => {
                sandbox.write(store(path), self.old_entry(path, self.thing(thing)));
            }
            Step::Seed { target, thing } => {
                let (repo, tag) = target.rsplit_once(':').expect("REPO:TAG");
                self.thing(thing).push(&self.client(), repo, tag);
            }
            Step::DropBlob { repo, thing } => {
                let blob = self.thing(thing).blobs.last().expect("a layer");
                self.delete(&format!("/v2/{repo}/blobs/{}", testkit::image::sha256(blob)));
            }
            Step::DropManifest { repo, thing } => {
                self.delete(&format!("/v2/{repo}/manifests/{}", self.thing(thing).digest()));
            }
            Step::Run { .. } | Step::Served { .. } => {}
        }
    }

    fn delete(&self, path: &str) {
        let reply = self.client().request("DELETE", path, &[], b"");
        assert_eq!(reply.status, 202, "DELETE {path}: {}", reply.text());
    }

    /// An entry as docker 18.03 wrote it: digest and platform on top, no descriptor, no raw bytes.
    fn old_entry(&self, path: &str, thing: &Thing) -> String {
        let name = path.rsplit('/').next().unwrap_or_default();
        let (repo, tag) = name.rsplit_once('-').expect("a stored name ends in -TAG");
        let host = self.registry.host();
        let repo = repo.replace(&host.replace(':', "-"), &host).replace('_', "/");
        let config: Value = serde_json::from_slice(&thing.blobs[0]).expect("a config");
        let platform = json!({"architecture": config["architecture"], "os": config["os"]});
        // The manifest's own bytes: docker checks the digest against what stands in the file.
        let manifest = String::from_utf8_lossy(&thing.manifest);
        let digest = thing.digest();
        format!(r#"{{"Ref":"{repo}:{tag}","Digest":"{digest}","SchemaV2Manifest":{manifest},"Platform":{platform}}}"#)
    }

    /// What a registry serves for a reference, and whether the children and blobs of a list are there too.
    fn look_at(&self, target: &str, script: &Script, sandbox: &Sandbox, served: &mut BTreeMap<String, String>) {
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
            let answer = match self.client().find_manifest(repo, child) {
                None => "404".to_owned(),
                Some((media_type, body)) => {
                    format!("{media_type} {}{}", testkit::image::sha256(&body), self.blobs(repo, &body))
                }
            };
            served.insert(format!("{key} > {child}"), answer);
        }
    }

    fn blobs(&self, repo: &str, manifest: &[u8]) -> String {
        let manifest: Value = serde_json::from_slice(manifest).unwrap_or_default();
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        let digests = std::iter::once(&manifest["config"]).chain(&layers).filter_map(|d| d["digest"].as_str());
        let status = |digest| self.client().request("HEAD", &format!("/v2/{repo}/blobs/{digest}"), &[], b"").status;
        digests.map(|digest| format!("\n{digest} {}", status(digest))).collect()
    }
}

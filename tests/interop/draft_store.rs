//! Drafts that docker and this program wrote over the years, on the file systems and through the copies that they meet:
//! each is read right by both, or refused by name. See `store-format.md`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testkit::sandbox::{Output, on_path};
use testkit::skip::{skipped, skipped_unsupported};

use crate::OURS;
use crate::fixture::Fixture;

/// The drafts, each by the tag of its list.
const DRAFTS: [&str; 6] = ["current", "noraw", "old", "annotated", "edited", "mixed"];

/// The registry, and what each draft publishes from the directory that it was made in.
struct StoreVersions {
    fixture: Fixture,
    digests: Vec<String>,
}

/// Changes an entry of a draft as older versions of docker had it.
fn rewrite(directory: &Path, change: impl Fn(&mut Value)) {
    for entry in std::fs::read_dir(directory).expect("a draft") {
        let path = entry.expect("an entry").path();
        let mut value: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
        change(&mut value);
        std::fs::write(&path, value.to_string()).expect("the entry");
    }
}

fn without_raw(entry: &mut Value) {
    entry.as_object_mut().expect("an entry").shift_remove("Raw");
}

/// From before descriptors: `Digest` and `Platform` at the top, and the manifest as it came.
fn before_descriptors(entry: &mut Value) {
    let descriptor = entry["Descriptor"].take();
    let manifest = entry["SchemaV2Manifest"].take();
    *entry = json!({
        "Ref": entry["Ref"],
        "Digest": testkit::image::sha256(manifest.to_string().as_bytes()),
        "SchemaV2Manifest": manifest,
        "Platform": descriptor["platform"],
    });
}

impl StoreVersions {
    fn new() -> Option<Self> {
        let fixture = Fixture::new("docker", "28.2.2")?;
        for (draft, images) in [
            ("current", "{R}/app:amd64 {R}/oci:arm64"),
            ("noraw", "{R}/app:amd64 {R}/oci:arm64"),
            ("mixed", "{R}/app:amd64 {R}/app:arm64"),
        ] {
            fixture.run_ok(&format!("docker manifest create --insecure {{R}}/l:{draft} {images}"));
        }
        rewrite(&directory(&fixture, "noraw"), without_raw);
        // Compact manifests, so that the file has the registry's own bytes.
        for architecture in ["amd64", "arm64"] {
            let image = compact_json(&fixture.served(&format!("app:{architecture}")));
            let media_type = "application/vnd.docker.distribution.manifest.v2+json";
            fixture.client.push_manifest("app", &format!("{architecture}-compact"), media_type, &image);
        }
        fixture.run_ok("docker manifest create --insecure {R}/l:old {R}/app:amd64-compact {R}/app:arm64-compact");
        rewrite(&directory(&fixture, "old"), before_descriptors);
        // Ours: an annotation of the list (format 2), and an index that was edited (format 3).
        fixture.ours("create {R}/l:annotated {R}/oci:amd64 {R}/oci:arm64");
        fixture.ours("annotate {R}/l:annotated --annotation k=v");
        fixture.publish("attested");
        fixture.ours("create {R}/l:edited {R}/ours:attested {R}/oci:arm64");
        // Both in turns: docker has changed an entry of ours.
        fixture.ours("annotate {R}/l:mixed {R}/app:arm64 --variant v8");
        fixture.run_ok("docker manifest annotate --os-version 1.2 {R}/l:mixed {R}/app:amd64");
        let mut versions = Self { fixture, digests: Vec::new() };
        versions.digests = DRAFTS.map(|draft| versions.push(draft)).into();
        Some(versions)
    }

    fn push(&self, draft: &str) -> String {
        let pushed = self.fixture.ours(&format!("push {{R}}/l:{draft}"));
        pushed.lines().last().unwrap_or_default().to_owned()
    }

    /// Whether each draft in this directory of docker's configuration publishes what it did, and docker shows it.
    fn assert_pushed_and_shown(&self, config: &Path, how: &str) {
        for (draft, digest) in DRAFTS.iter().zip(&self.digests) {
            let list = format!("{}/l:{draft}", self.fixture.registry.host());
            let run = |program: &str, line: &str| -> Output {
                let words = line.split_whitespace().chain([list.as_str()]);
                self.fixture.sandbox.command(program).env("DOCKER_CONFIG", config).args(words).run()
            };
            let pushed = run(OURS, "push");
            assert_eq!(pushed.code, 0, "{how}: {draft}: {}", pushed.err());
            assert_eq!(pushed.out().lines().last(), Some(digest.as_str()), "{how}: {draft}: {}", pushed.err());
            let (ours, docker) = (run(OURS, "inspect --local"), run("docker", "manifest inspect"));
            assert_eq!((ours.code, docker.code), (0, 0), "{how}: {draft}: {}{}", ours.err(), docker.err());
            if !["annotated", "edited"].contains(draft) {
                assert_eq!(ours.out().trim_end(), docker.out().trim_end(), "{how}: {draft}");
            }
        }
    }

    /// A directory for docker's configuration with nothing in it.
    fn create_config_dir(&self, name: &str) -> PathBuf {
        let config = self.fixture.dir().join(name);
        std::fs::create_dir_all(&config).expect("a directory");
        std::fs::write(config.join("config.json"), "{}").expect("a file");
        config
    }

    /// Runs a script in a mount namespace of its own, with the store in `$STORE` and a directory to mount on in
    /// `$DISK`.
    fn run_in_mount_namespace(&self, script: &str) -> Output {
        let disk = self.fixture.dir().join("disk");
        std::fs::create_dir_all(&disk).expect("a directory");
        let host = self.fixture.registry.host();
        let digests = DRAFTS.iter().zip(&self.digests).map(|(draft, digest)| format!("check {draft} {digest}\n"));
        let checks: String = digests.collect();
        let script = format!(
            "check() {{ digest=$(\"$OURS\" push \"$AT/l:$1\" | tail -n 1); \
             [ \"$digest\" = \"$2\" ] || {{ echo \"$1: $digest\" >&2; exit 1; }}; \
             docker manifest inspect \"$AT/l:$1\" >/dev/null; }}\ncheck_all() {{\n{checks}}}\n{script}"
        );
        let run = self.fixture.sandbox.command("unshare").args(["--mount", "--propagation", "private", "sh", "-euc"]);
        let run = run.arg(script).env("STORE", self.fixture.sandbox.store()).env("DISK", disk);
        run.env("OURS", OURS).env("AT", host).run()
    }
}

fn compact_json(bytes: &[u8]) -> Vec<u8> {
    crate::compare::parse(bytes).to_string().into_bytes()
}

fn directory(fixture: &Fixture, draft: &str) -> PathBuf {
    fixture.sandbox.store().join(format!("{}_l-{draft}", fixture.registry.host().replace(':', "-")))
}

#[test]
fn a_copied_store_has_the_same_drafts() {
    let Some(versions) = StoreVersions::new() else { return };
    let store = versions.fixture.sandbox.store().display().to_string();
    versions.assert_pushed_and_shown(&versions.fixture.sandbox.docker_config(), "where it was made");
    for (name, needs, script) in [
        ("cp -r", "cp", "cp -r {S} {C}/manifests"),
        ("cp -a", "cp", "cp -a {S} {C}/manifests"),
        ("hard links", "cp", "cp -al {S} {C}/manifests"),
        ("tar", "tar", "tar -C {S}/.. -cf {C}/x manifests && tar -C {C} -xf {C}/x && rm {C}/x"),
        ("a CI cache, gzip", "tar", "tar --posix -C {S}/.. -czf {C}/x manifests && tar -C {C} -xzf {C}/x && rm {C}/x"),
        (
            "a CI cache, zstd",
            "zstd",
            "tar --posix -C {S}/.. --use-compress-program zstd -cf {C}/x manifests && \
             tar -C {C} --use-compress-program 'zstd -d' -xf {C}/x && rm {C}/x",
        ),
        ("without times", "tar", "tar -C {S}/.. -cf - manifests | tar -C {C} -mxf -"),
        ("rsync -a", "rsync", "rsync -a {S} {C}/"),
        ("rsync without times", "rsync", "rsync -rl {S} {C}/"),
        ("other times", "cp", "cp -r {S} {C}/manifests && find {C}/manifests -exec touch -d 2001-01-01 {} +"),
        ("without our files", "cp", "mkdir {C}/manifests && cp -r {S}/*-current {S}/*-noraw {S}/*-old {C}/manifests/"),
    ] {
        if !on_path(needs) {
            skipped(&format!("drafts that {name} has copied"), &format!("{needs} is not on the PATH"));
            continue;
        }
        let config = versions.create_config_dir(&format!("copy of {name}").replace(' ', "-"));
        let script = script.replace("{S}", &store).replace("{C}", &config.display().to_string());
        let _ = versions.fixture.sandbox.command("sh").args(["-euc", &script]).run().success();
        if name == "without our files" {
            // Docker's own drafts need none of them.
            for draft in ["current", "noraw", "old"] {
                let list = format!("{}/l:{draft}", versions.fixture.registry.host());
                let run = versions.fixture.sandbox.command(OURS).env("DOCKER_CONFIG", &config);
                let pushed = run.args(["push", &list]).run().success();
                let position = DRAFTS.iter().position(|known| *known == draft).expect("a draft");
                assert_eq!(pushed.out().lines().last(), Some(versions.digests[position].as_str()), "{draft}");
            }
            continue;
        }
        versions.assert_pushed_and_shown(&config, name);
        // A copy can be changed, and the change is in it alone.
        let list = format!("{}/l:annotated", versions.fixture.registry.host());
        let annotate = versions.fixture.sandbox.command(OURS).env("DOCKER_CONFIG", &config);
        let _ = annotate.args(["annotate", &list, "--annotation", "more=x"]).run().success();
        assert_eq!(versions.push("annotated"), versions.digests[3], "{name}");
    }
}

/// What a cache kept of our files beside a draft that docker has made anew is not taken for that draft's.
#[test]
fn a_sidecar_of_another_draft_is_refused_by_name() {
    let Some(versions) = StoreVersions::new() else { return };
    let config = versions.create_config_dir("other");
    let store = versions.fixture.sandbox.store().display().to_string();
    let script = format!("cp -r {store} {0}/manifests && rm -r {0}/manifests/*-annotated", config.display());
    let _ = versions.fixture.sandbox.command("sh").args(["-euc", &script]).run().success();
    let host = versions.fixture.registry.host();
    let run = |program: &str, line: &str| {
        let line = line.replace("{R}", &host);
        versions.fixture.sandbox.command(program).env("DOCKER_CONFIG", &config).args(line.split(' ')).run()
    };
    let _ = run("docker", "manifest create --insecure {R}/l:annotated {R}/oci:amd64").success();
    let refused = run(OURS, "push {R}/l:annotated");
    assert_eq!(refused.code, 1, "{}", refused.err());
    let named = refused.err().contains(".docker-manifest/lists/") && refused.err().contains("create --replace");
    assert!(named, "{}", refused.err());
    let _ = run(OURS, "create --replace {R}/l:annotated {R}/oci:amd64").success();
    let _ = run(OURS, "push {R}/l:annotated").success();
}

#[test]
fn drafts_are_read_in_memory() {
    let Some(versions) = StoreVersions::new() else { return };
    let Ok(memory) = tempfile::Builder::new().prefix("versions-").tempdir_in("/dev/shm") else {
        return skipped_unsupported("drafts on tmpfs", "there is no /dev/shm");
    };
    let to = memory.path().display();
    let script =
        format!("cp -r {} {to}/manifests && echo '{{}}' >{to}/config.json", versions.fixture.sandbox.store().display());
    let _ = versions.fixture.sandbox.command("sh").args(["-euc", &script]).run().success();
    versions.assert_pushed_and_shown(memory.path(), "tmpfs");
}

/// In a lower layer, in an upper one, and in a layer that was upper and is lower now.
#[test]
fn drafts_are_read_through_overlayfs() {
    let Some(versions) = StoreVersions::new() else { return };
    let check = "drafts of every year on overlayfs";
    let mounts = r#"
        mount -t tmpfs disk "$DISK"
        cd "$DISK"
        mkdir lower upper work merged upper2 work2 merged2
        cp -r "$STORE" lower/manifests
        echo '{}' >lower/config.json
        mount -t overlay overlay -o "lowerdir=lower,upperdir=upper,workdir=work" merged
    "#;
    let probe = versions.run_in_mount_namespace(mounts);
    if probe.code != 0 {
        return skipped_unsupported(check, &format!("only root can mount: {}", probe.first_err_line()));
    }
    let output = versions.run_in_mount_namespace(&format!(
        r#"{mounts}
        export DOCKER_CONFIG="$DISK/merged"
        check_all
        for draft in current noraw old mixed; do
            "$OURS" annotate "$AT/l:$draft" --annotation k=v
            "$OURS" annotate "$AT/l:$draft" --unset-annotation k
        done
        check_all
        docker manifest annotate "$AT/l:mixed" "$AT/app:arm64" --variant v8
        check_all
        mount -t overlay overlay -o "lowerdir=upper:lower,upperdir=upper2,workdir=work2" merged2
        export DOCKER_CONFIG="$DISK/merged2"
        check_all
        "#
    ));
    assert_eq!(output.code, 0, "{}", output.err());
}

/// Two lists whose names differ in case alone, where the file system makes no difference.
#[test]
fn drafts_are_read_on_a_case_insensitive_file_system() {
    let Some(versions) = StoreVersions::new() else { return };
    let check = "drafts on a file system without case";
    let mounts = r#"
        cd "$(dirname "$DISK")"
        truncate -s 16M image
        mkfs.ext4 -q -O casefold -E encoding=utf8 image
        mount -o loop image "$DISK"
        mkdir "$DISK/config"
        chattr +F "$DISK/config"
        cp -r "$STORE" "$DISK/config/manifests"
        echo '{}' >"$DISK/config/config.json"
        touch "$DISK/config/manifests/Case"
        ls "$DISK/config/manifests/case"
    "#;
    let probe = versions.run_in_mount_namespace(mounts);
    if probe.code != 0 {
        let reason = probe.err().lines().last().unwrap_or_default().to_owned();
        return skipped_unsupported(check, &format!("ext4 with casefold cannot be mounted: {reason}"));
    }
    let output = versions.run_in_mount_namespace(&format!(
        r#"{mounts}
        export DOCKER_CONFIG="$DISK/config"
        rm "$DISK/config/manifests/Case"
        check_all
        "$OURS" create "$AT/l:tag" "$AT/app:amd64" >&2
        "$OURS" create "$AT/l:TAG" "$AT/app:arm64" >&2 && exit 7
        "$OURS" inspect --local "$AT/l:tag"
        "#
    ));
    assert_eq!(output.code, 0, "{}", output.err());
    assert!(output.err().contains("l:tag") && output.err().contains("l:TAG"), "both are named: {}", output.err());
}

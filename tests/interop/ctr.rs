//! ctr of containerd 1.6.20 (Debian 12), with a containerd of each test's own on a socket in its sandbox.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use testkit::sandbox::on_path;
use testkit::skip::{skipped, skipped_unsupported};

use crate::compare::{parse, platforms};
use crate::fixture::Fixture;

const CHECK: &str = "lists beside ctr";

/// The registry and a running containerd, which ends with it.
struct Containerd {
    fixture: Fixture,
    daemon: Child,
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl Containerd {
    fn start() -> Option<Self> {
        let fixture = Fixture::new("ctr", "1.6.20")?;
        if !on_path("containerd") {
            skipped(CHECK, "containerd is not on the PATH");
            return None;
        }
        let dir = fixture.dir().display().to_string();
        // What is left is the store of contents and images: nothing is mounted and nothing is run.
        let off: Vec<String> = ["grpc.v1.cri", "internal.v1.opt", "snapshotter.v1.aufs", "snapshotter.v1.btrfs"]
            .into_iter()
            .chain(["snapshotter.v1.devmapper", "snapshotter.v1.overlayfs", "snapshotter.v1.zfs"])
            .map(|plugin| format!("\"io.containerd.{plugin}\""))
            .collect();
        let config = format!(
            "version = 2\nroot = \"{dir}/root\"\nstate = \"{dir}/state\"\ndisabled_plugins = [{}]\n\
             [grpc]\naddress = \"{dir}/socket\"\n[ttrpc]\naddress = \"{dir}/ttrpc\"\n",
            off.join(", ")
        );
        let config = fixture.sandbox.write("containerd.toml", config);
        let log = std::fs::File::create(fixture.dir().join("log")).expect("a log");
        let mut daemon = fixture.sandbox.command("containerd").arg("--config").arg(config).to_command();
        let daemon = daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("containerd runs");
        let mut containerd = Self { fixture, daemon };
        let deadline = Instant::now() + Duration::from_secs(30);
        while containerd.fixture.run("ctr --address {D}/socket version").code != 0 {
            let ended = containerd.daemon.try_wait().expect("it can be waited for").is_some();
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(containerd.fixture.dir().join("log")).unwrap_or_default();
                skipped_unsupported(
                    CHECK,
                    &format!("containerd needs root: {}", log.lines().last().unwrap_or_default()),
                );
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(containerd)
    }

    fn ctr(&self, line: &str) -> String {
        self.fixture.run_ok(&format!("ctr --address {{D}}/socket {line}"))
    }

    fn run_failing(&self, line: &str, words: &str) {
        self.fixture.run_failing(&format!("ctr --address {{D}}/socket {line}"), 1, words);
    }

    /// Whether it has the contents of something.
    fn has(&self, digest: &str) -> bool {
        self.ctr("content ls --quiet").lines().any(|line| line == digest)
    }
}

#[test]
fn ctr_pushes_a_whole_list_with_its_digest() {
    let Some(containerd) = Containerd::start() else { return };
    let fixture = &containerd.fixture;
    for kind in crate::fixture::KINDS {
        let ours = fixture.publish(kind);
        containerd.ctr(&format!("content fetch --plain-http --all-platforms {{R}}/ours:{kind}"));
        containerd.ctr(&format!("images push --plain-http {{R}}/theirs:{kind} {{R}}/ours:{kind}"));
        assert_eq!(fixture.lost_parts(&ours, &format!("theirs:{kind}")), [""; 0], "{kind}");
    }
}

#[test]
fn ctr_cannot_push_a_list_that_it_fetched_in_part() {
    let Some(containerd) = Containerd::start() else { return };
    containerd.fixture.publish("docker");
    containerd.ctr("content fetch --plain-http {R}/ours:docker");
    let missing = testkit::image::sha256(&containerd.fixture.served("app:arm64"));
    let words = format!("content digest {missing}: not found");
    containerd.run_failing("images push --plain-http {R}/theirs:t {R}/ours:docker", &words);
}

#[test]
fn ctr_push_of_a_platform_publishes_the_image_under_the_name_of_the_list() {
    let Some(containerd) = Containerd::start() else { return };
    let fixture = &containerd.fixture;
    fixture.publish("oci");
    containerd.ctr("content fetch --plain-http --all-platforms {R}/ours:oci");
    containerd.ctr("images push --plain-http --platform linux/amd64 {R}/theirs:t {R}/ours:oci");
    assert_eq!(fixture.served("theirs:t"), fixture.served("oci:amd64"));
}

#[test]
fn ctr_fetch_of_a_missing_platform_succeeds() {
    let Some(containerd) = Containerd::start() else { return };
    let fixture = &containerd.fixture;
    let ours = fixture.publish("docker");
    containerd.ctr("content fetch --plain-http --platform linux/s390x {R}/ours:docker");
    assert!(containerd.has(&testkit::image::sha256(&ours)));
    for image in ["app:amd64", "app:arm64"] {
        assert!(!containerd.has(&testkit::image::sha256(&fixture.served(image))), "{image}");
    }
}

#[test]
fn ctr_reads_linux_arm_as_v7() {
    let Some(containerd) = Containerd::start() else { return };
    let fixture = &containerd.fixture;
    let ours = fixture.publish("arms");
    assert_eq!(platforms(&ours), ["linux/arm/v6", "linux/arm/v7", "linux/arm/v5"]);
    containerd.ctr("content fetch --plain-http --platform linux/arm {R}/ours:arms");
    let list = parse(&ours);
    for (entry, expected) in [(0, false), (1, true), (2, false)] {
        let digest = list["manifests"][entry]["digest"].as_str().expect("a digest");
        assert_eq!(containerd.has(digest), expected, "{entry}");
    }
}

#[test]
fn ctr_convert_without_all_platforms_drops_the_others() {
    let Some(containerd) = Containerd::start() else { return };
    let fixture = &containerd.fixture;
    let ours = fixture.publish("docker");
    containerd.ctr("content fetch --plain-http --all-platforms {R}/ours:docker");
    for (flag, left) in [("", &["linux/amd64"][..]), ("--all-platforms", &["linux/amd64", "linux/arm64/v8"])] {
        containerd.ctr(&format!("images convert --oci {flag} {{R}}/ours:docker {{R}}/converted:t"));
        containerd.ctr("images push --plain-http {R}/theirs:t {R}/converted:t");
        assert_eq!(platforms(&fixture.served("theirs:t")), left, "{flag}");
        fixture.copy_and_assert_unchanged("theirs:t");
    }
    let lost = fixture.lost_parts(&ours, "theirs:t");
    assert_eq!(lost, ["bytes", "media type", "digests", "media types of entries"]);
}

#[test]
fn ctr_convert_does_not_change_an_oci_index() {
    let Some(containerd) = Containerd::start() else { return };
    let fixture = &containerd.fixture;
    for kind in ["oci", "attested"] {
        let ours = fixture.publish(kind);
        containerd.ctr(&format!("content fetch --plain-http --all-platforms {{R}}/ours:{kind}"));
        containerd.ctr(&format!("images convert --oci --all-platforms {{R}}/ours:{kind} {{R}}/converted:{kind}"));
        containerd.ctr(&format!("images push --plain-http {{R}}/theirs:{kind} {{R}}/converted:{kind}"));
        assert_eq!(fixture.lost_parts(&ours, &format!("theirs:{kind}")), [""; 0], "{kind}");
    }
}

#[test]
fn ctr_convert_for_one_platform_keeps_the_annotations() {
    let Some(containerd) = Containerd::start() else { return };
    let fixture = &containerd.fixture;
    fixture.publish("oci");
    containerd.ctr("content fetch --plain-http --all-platforms {R}/ours:oci");
    containerd.ctr("images convert --platform linux/arm64 {R}/ours:oci {R}/converted:t");
    containerd.ctr("images push --plain-http {R}/theirs:t {R}/converted:t");
    let theirs = parse(&fixture.served("theirs:t"));
    assert_eq!((&theirs["annotations"]["k"], &theirs["manifests"][0]["annotations"]["e"]), (&"v".into(), &"f".into()));
    assert_eq!(platforms(&fixture.served("theirs:t")), ["linux/arm64/v8"]);
    fixture.copy_and_assert_unchanged("theirs:t");
}

#[test]
fn ctr_shows_arm64_without_v8_where_the_index_gives_no_platform() {
    let Some(containerd) = Containerd::start() else { return };
    for (kind, shown) in [("bare", "linux/amd64,linux/arm64 "), ("oci", "linux/amd64,linux/arm64/v8 ")] {
        containerd.fixture.publish(kind);
        containerd.ctr(&format!("content fetch --plain-http --all-platforms {{R}}/ours:{kind}"));
        let listed = containerd.ctr(&format!("images ls name=={{R}}/ours:{kind}"));
        assert!(listed.contains(shown), "{listed}");
    }
}

#[test]
fn ctr_export_lacks_platforms_that_the_index_lists() {
    let Some(containerd) = Containerd::start() else { return };
    let fixture = &containerd.fixture;
    fixture.publish("docker");
    containerd.ctr("content fetch --plain-http --all-platforms {R}/ours:docker");
    for (flag, whole) in [("", false), ("--all-platforms", true)] {
        containerd.ctr(&format!("images export {flag} {{D}}/x.tar {{R}}/ours:docker"));
        let members = fixture.run_ok("tar tf {D}/x.tar");
        for image in ["app:amd64", "app:arm64"] {
            let digest = testkit::image::sha256(&fixture.served(image));
            let is_member = members.contains(digest.trim_start_matches("sha256:"));
            assert_eq!(is_member, whole || image == "app:amd64", "{image} {flag}");
        }
    }
}

#[test]
fn ctr_imports_our_archive_with_its_digest() {
    let Some(containerd) = Containerd::start() else { return };
    let fixture = &containerd.fixture;
    for kind in ["attested", "docker", "typed"] {
        let ours = fixture.publish(kind);
        fixture.ours(&format!("copy --insecure {{R}}/ours:{kind} oci-archive:{{D}}/{kind}.tar:{kind}"));
        containerd.ctr(&format!("images import --all-platforms --no-unpack --base-name h.x/app {{D}}/{kind}.tar"));
        containerd.ctr(&format!("images export --all-platforms {{D}}/back-{kind}.tar h.x/app:{kind}"));
        fixture.ours(&format!("copy --insecure oci-archive:{{D}}/back-{kind}.tar {{R}}/theirs:{kind}"));
        assert_eq!(fixture.lost_parts(&ours, &format!("theirs:{kind}")), [""; 0], "{kind}");
    }
}

#[test]
fn ctr_names_an_unnamed_import_by_its_date() {
    let Some(containerd) = Containerd::start() else { return };
    containerd.fixture.publish("oci");
    containerd.fixture.ours("copy --insecure {R}/ours:oci oci-archive:{D}/oci.tar:one");
    containerd.ctr("images import --all-platforms --no-unpack {D}/oci.tar");
    let names = containerd.ctr("images ls --quiet");
    assert!(names.starts_with("import-20") && names.trim().ends_with(":one"), "{names}");
}

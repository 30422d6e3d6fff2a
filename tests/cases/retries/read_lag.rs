//! A registry that accepts an image and does not know it for some time, when the list arrives that names it.

use docker_manifest::env::Env;
use testkit::image::{Image, Index};
use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::Sandbox;

use super::super::fake_clocks::RecordingClock;
use super::super::{OURS, in_process};
use super::request_lines;

/// All waits, in milliseconds.
const WAITS: [u128; 5] = [500, 1000, 2000, 4000, 7500];

/// A registry, and a draft `new:1` of an image in another repository.
struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
    image: Image,
}

/// What a command did.
struct RunResult {
    code: i32,
    stderr: String,
    slept: Vec<u128>,
}

impl Fixture {
    fn new() -> Fixture {
        let image = Image::docker().platform("linux", "amd64").layer(b"layer").build();
        let fixture = Fixture { registry: Registry::start(), sandbox: Sandbox::new(), image };
        fixture.registry.put_image("src", "1", &fixture.image);
        fixture.with_draft_of("src:1")
    }

    fn with_draft_of(self, image: &str) -> Fixture {
        let host = self.registry.host();
        let create = ["create".to_owned(), format!("{host}/new:1"), format!("{host}/{image}")];
        let _ = self.sandbox.command(OURS).args(create).run().success();
        self.registry.clear_record();
        self
    }

    /// Pushes the draft in this process, by a clock that does not wait.
    fn push(&self, flags: &[&str]) -> RunResult {
        self.run(&[&["push"], flags, &[&format!("{}/new:1", self.registry.host())]].concat())
    }

    fn run(&self, words: &[&str]) -> RunResult {
        let clock = RecordingClock::new();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let env = Env::from_pairs(in_process::variables(&self.sandbox));
        let output = in_process::run("docker-manifest", &words, env, clock.clone());
        RunResult { code: output.code, stderr: output.err(), slept: clock.slept_ms() }
    }

    fn sent(&self, line: &str) -> usize {
        request_lines(&self.registry).iter().filter(|sent| sent.starts_with(line)).count()
    }
}

fn refused(status: u16, code: &str, message: &str) -> Fault {
    Fault::Status(status, format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#), vec![])
}

#[test]
fn push_puts_a_list_again_until_the_registry_knows_its_images() {
    for (status, code, message) in [
        (400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"),
        (404, "MANIFEST_UNKNOWN", "manifest unknown"),
        (404, "BLOB_UNKNOWN", "no such blob"),
        (400, "MANIFEST_INVALID", "manifest invalid"),
    ] {
        let fixture = Fixture::new();
        fixture.registry.add_fault(Rule::on("PUT", "/manifests/1").first_n(3), refused(status, code, message));
        let pushed = fixture.push(&["--quiet"]);
        assert_eq!((pushed.code, pushed.slept.as_slice()), (0, &WAITS[..3]), "{code}: {}", pushed.stderr);
        let host = fixture.registry.host();
        let words = code.to_lowercase().replace('_', " ");
        let expected = format!(
            "{host} does not know yet what it has just accepted ({words}: {message}): putting {host}/new:1 again for \
             up to 15 s\n"
        );
        assert_eq!(pushed.stderr, expected);
        let image_check = format!("HEAD /v2/new/manifests/{}", fixture.image.digest());
        assert_eq!((fixture.sent(&image_check), fixture.sent("PUT /v2/new/manifests/1")), (1, 4), "{code}");
        assert!(fixture.registry.manifest("new", "1").is_some());
    }
}

#[test]
fn a_lasting_read_lag_is_reported_with_the_registrys_message() {
    let fixture = Fixture::new();
    let fault = refused(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
    fixture.registry.add_fault(Rule::on("PUT", "/manifests/1"), fault);
    let pushed = fixture.push(&[]);
    assert_eq!((pushed.code, pushed.slept.as_slice()), (1, &WAITS[..]));
    let host = fixture.registry.host();
    let expected = format!("\nfailed to put manifest {host}/new:1: manifest blob unknown: blob unknown to registry\n");
    assert!(pushed.stderr.contains(&expected), "{}", pushed.stderr);
    // Never longer than the user allows.
    assert_eq!(fixture.push(&["--timeout", "3s"]).slept, WAITS[..2]);
}

#[test]
fn lists_by_digest_and_nested_indexes_are_put_again() {
    let fixture = Fixture::new();
    let digest = |flags: &[&str], fixture: &Fixture| {
        let words = ["push", "--dry-run", "--format", "json"].map(str::to_owned);
        let words = words.into_iter().chain(flags.iter().map(|flag| (*flag).to_owned()));
        let words = words.chain([format!("{}/new:1", fixture.registry.host())]);
        let stdout = fixture.sandbox.command(OURS).args(words).run().success().out();
        let json: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
        json["digest"].as_str().expect("a digest").to_owned()
    };
    let unknown = || refused(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
    let list = digest(&[], &fixture);
    fixture.registry.add_fault(Rule::on("PUT", &format!("/manifests/{list}")).first_n(2), unknown());
    let pushed = fixture.push(&["--tag", "2"]);
    assert_eq!((pushed.code, pushed.slept.as_slice()), (0, &WAITS[..2]), "{}", pushed.stderr);
    let fixture = Fixture::new();
    let inner = Index::oci().image(&fixture.image).build();
    let outer = Index::oci().index(&inner).build();
    fixture.registry.put_index("src", "nested", &outer);
    let _ = fixture.sandbox.command(OURS).args(["rm".to_owned(), format!("{}/new:1", fixture.registry.host())]).run();
    let fixture = fixture.with_draft_of("src:nested");
    fixture.registry.add_fault(Rule::on("PUT", &format!("/manifests/{}", inner.digest())).first_n(1), unknown());
    fixture.registry.add_fault(Rule::on("PUT", "/manifests/1").first_n(1), unknown());
    let pushed = fixture.push(&[]);
    assert_eq!((pushed.code, pushed.slept.as_slice()), (0, &[500, 500][..]), "{}", pushed.stderr);
    assert_eq!(fixture.registry.manifest("new", "1").map(|(_, bytes)| bytes), Some(outer.manifest));
}

#[test]
fn push_puts_an_image_again_while_another_client_uploads_its_blobs() {
    let fixture = Fixture::new();
    let digest = fixture.image.digest();
    let unknown = || refused(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
    fixture.registry.add_fault(Rule::on("PUT", &format!("/manifests/{digest}")).first_n(2), unknown());
    let pushed = fixture.push(&[]);
    assert_eq!((pushed.code, pushed.slept.as_slice()), (0, &WAITS[..2]), "{}", pushed.stderr);
    let host = fixture.registry.host();
    assert!(pushed.stderr.starts_with(&format!("{host} does not know yet what it has just accepted")));
    // A blob that the registry does not have after all.
    let fixture = Fixture::new();
    fixture.registry.add_fault(Rule::on("PUT", &format!("/manifests/{digest}")), unknown());
    fixture.registry.add_fault(Rule::on("HEAD", "/blobs/"), Fault::status(404));
    let pushed = fixture.push(&[]);
    assert_eq!((pushed.code, pushed.slept), (1, vec![]), "{}", pushed.stderr);
    assert_eq!(fixture.sent(&format!("PUT /v2/new/manifests/{digest}")), 1);
}

#[test]
fn copies_and_artifacts_are_put_again_while_another_client_uploads_their_blobs() {
    let fixture = Fixture::new();
    let (host, digest) = (fixture.registry.host(), fixture.image.digest());
    let unknown = || refused(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
    fixture.registry.add_fault(Rule::on("PUT", "/v2/copied/manifests/1").first_n(2), unknown());
    let words = ["copy", &format!("{host}/src:1"), &format!("{host}/copied:1")];
    let copied = fixture.run(&words);
    assert_eq!((copied.code, copied.slept.as_slice()), (0, &WAITS[..2]), "{}", copied.stderr);
    assert!(copied.stderr.starts_with(&format!("{host} does not know yet what it has just accepted")));
    assert_eq!(fixture.registry.manifest("copied", "1").map(|(_, bytes)| bytes), Some(fixture.image.manifest.clone()));
    // An index that names the image, and an image of it.
    let index = Index::oci().image(&fixture.image).build();
    fixture.registry.put_index("src", "2", &index);
    fixture.registry.add_fault(Rule::on("PUT", &format!("/v2/other/manifests/{digest}")).first_n(1), unknown());
    fixture
        .registry
        .add_fault(Rule::on("PUT", "/v2/other/manifests/2").first_n(1), refused(404, "MANIFEST_UNKNOWN", "unknown"));
    let copied = fixture.run(&["copy", &format!("{host}/src:2"), &format!("{host}/other:2")]);
    assert_eq!((copied.code, copied.slept.as_slice()), (0, &[500, 500][..]), "{}", copied.stderr);
    // An artifact that another job packs at the same time.
    fixture.registry.add_fault(Rule::on("PUT", "/v2/new/manifests/sha256:").first_n(1), unknown());
    let file = fixture.sandbox.write("notes.txt", "notes").display().to_string();
    let words = ["add", &format!("{host}/new:1"), "--artifact", &file, "--artifact-type", "text/plain"];
    let added = fixture.run(&words);
    assert_eq!((added.code, added.slept.as_slice()), (0, &WAITS[..1]), "{}", added.stderr);
    // A blob that the registry does not have after all.
    fixture.registry.add_fault(Rule::on("PUT", "/v2/third/manifests/1"), unknown());
    fixture.registry.add_fault(Rule::on("HEAD", "/v2/third/blobs/"), Fault::status(404));
    let copied = fixture.run(&["copy", &format!("{host}/src:1"), &format!("{host}/third:1")]);
    assert_eq!((copied.code, copied.slept), (1, vec![]), "{}", copied.stderr);
}

#[test]
fn push_does_not_wait_for_permanent_errors() {
    for (status, code, message) in [
        (400, "MANIFEST_INVALID", "no such platform"),
        (400, "TAG_INVALID", "tag invalid"),
        (404, "NAME_UNKNOWN", "repository name not known to registry"),
        (400, "", ""),
    ] {
        let fixture = Fixture::new();
        fixture.registry.add_fault(Rule::on("PUT", "/manifests/1"), refused(status, code, message));
        let pushed = fixture.push(&[]);
        assert_eq!((pushed.code, pushed.slept), (1, vec![]), "{code}");
        assert_eq!(fixture.sent("PUT /v2/new/manifests/1"), 1, "{code}");
    }
    // An image that the registry took and does not have.
    let fixture = Fixture::new();
    fixture.registry.add_fault(Rule::on("PUT", "/manifests/1"), refused(400, "MANIFEST_BLOB_UNKNOWN", "unknown"));
    fixture.registry.add_fault(Rule::on("HEAD", "/manifests/sha256:"), Fault::status(404));
    let pushed = fixture.push(&[]);
    assert_eq!((pushed.code, pushed.slept), (1, vec![]), "{}", pushed.stderr);
}

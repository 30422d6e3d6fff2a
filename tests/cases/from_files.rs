//! `--from`: the files that build tools write about their images, read from directories, files and standard input.

use testkit::image::{Image, Index};
use testkit::loopback::{RecordedRequest, Registry};
use testkit::sandbox::{Output, Sandbox};

use super::OURS;

mod bounds;
mod kinds;
mod real;
mod specs;

/// The digits of a digest.
fn hex(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

fn image(architecture: &str, content: &str) -> Image {
    Image::oci().platform("linux", architecture).layer(content).build()
}

struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
    amd64: Image,
    arm64: Image,
    /// An earlier build for arm64.
    stale: Image,
}

impl Fixture {
    /// With three images in the repository app, none of which has a tag.
    fn new() -> Fixture {
        let (registry, sandbox) = (Registry::start(), Sandbox::new());
        let (amd64, arm64, stale) = (image("amd64", "a"), image("arm64", "b"), image("arm64", "stale"));
        for image in [&amd64, &arm64, &stale] {
            registry.put_image("app", &image.digest(), image);
        }
        registry.clear_record();
        Fixture { registry, sandbox, amd64, arm64, stale }
    }

    /// Runs the program; words that begin with `@` get the registry's host before them. The record is of this alone.
    fn run_recorded(&self, args: &[&str]) -> Output {
        self.run_recorded_with_stdin(args, "")
    }

    fn run_recorded_with_stdin(&self, args: &[&str], stdin: &str) -> Output {
        self.registry.clear_record();
        self.sandbox.command(OURS).args(self.registry.expand_names(args)).stdin(stdin).run()
    }

    fn request_lines(&self) -> Vec<String> {
        self.registry.requests().iter().map(RecordedRequest::line).collect()
    }

    /// The digests of a draft, sorted.
    fn draft_digests(&self, list: &str) -> Vec<String> {
        let shown = self.run_recorded(&["inspect", "--local", list]).success().out();
        let list: serde_json::Value = serde_json::from_str(&shown).expect("a list");
        let entries = list["manifests"].as_array().expect("entries").iter();
        let mut digests: Vec<String> =
            entries.map(|line| line["digest"].as_str().expect("a digest").to_owned()).collect();
        digests.sort();
        digests
    }

    fn has_draft(&self, list: &str) -> bool {
        self.run_recorded(&["exists", list]).code == 0
    }

    /// A directory of digests, as CI brings it together.
    fn write_digest_files(&self, name: &str, images: &[&Image]) {
        for image in images {
            self.sandbox.write(format!("{name}/{}", hex(&image.digest())), "");
        }
    }
}

fn sorted(images: &[&Image]) -> Vec<String> {
    let mut digests: Vec<String> = images.iter().map(|image| image.digest()).collect();
    digests.sort();
    digests
}

#[test]
fn create_from_lists_a_directory_of_digests() {
    let fixture = Fixture::new();
    fixture.write_digest_files("d", &[&fixture.amd64, &fixture.arm64]);
    let created =
        fixture.run_recorded(&["create", "--from", "d", "--require", "linux/amd64,linux/arm64", "@app:1"]).success();
    assert_eq!(
        (created.out(), created.err()),
        (format!("Created manifest list {}\n", fixture.registry.name("app:1")), String::new())
    );
    // A GET of each manifest and of each configuration.
    assert_eq!(fixture.request_lines().len(), 4, "{:?}", fixture.request_lines());
    assert_eq!(fixture.draft_digests("@app:1"), sorted(&[&fixture.amd64, &fixture.arm64]));
    // The forms of a name, and a directory for each artifact, as actions/download-artifact makes them.
    let (amd64, arm64) = (fixture.amd64.digest(), fixture.arm64.digest());
    fixture.sandbox.write(format!("e/leg-amd64/{amd64}"), "");
    fixture.sandbox.write(format!("e/leg-arm64/{}", arm64.replace(':', "-")), "");
    let _ = fixture.run_recorded(&["create", "@app:2", "--from=e"]).success();
    assert_eq!(fixture.draft_digests("@app:2"), sorted(&[&fixture.amd64, &fixture.arm64]));
}

#[test]
fn create_from_makes_no_draft_if_a_platform_is_missing() {
    let fixture = Fixture::new();
    fixture.write_digest_files("d", &[&fixture.amd64]);
    let refused = fixture.run_recorded(&["create", "--from=d", "--require=linux/amd64,linux/arm64", "@app:1"]);
    assert_eq!(refused.code, 3, "{}", refused.err());
    assert!(
        refused
            .err()
            .starts_with(&format!("{} is incomplete: linux/arm64 is missing\n", fixture.registry.name("app:1")))
    );
    assert!(!fixture.has_draft("@app:1"));
    // What add refuses is not added.
    let _ = fixture.run_recorded(&["create", "--from=d", "@app:1"]).success();
    fixture.write_digest_files("more", &[&fixture.arm64]);
    let refused = fixture.run_recorded(&["add", "--from=more", "--require=linux/s390x", "@app:1"]);
    assert_eq!((refused.code, fixture.draft_digests("@app:1")), (3, sorted(&[&fixture.amd64])));
    let _ = fixture.run_recorded(&["add", "--from=more", "--require=linux/amd64,linux/arm64", "@app:1"]).success();
    assert_eq!(fixture.draft_digests("@app:1"), sorted(&[&fixture.amd64, &fixture.arm64]));
}

#[test]
fn create_from_a_layout_hints_at_its_use_as_an_image() {
    let fixture = Fixture::new();
    fixture.sandbox.write("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    fixture.sandbox.write("layout/index.json", "{}");
    let refused = fixture.run_recorded(&["create", "--from=layout", "@app:1"]);
    let expected =
        "layout is an OCI image layout, and no directory of digests\nhint: name it as an image: oci-layout://layout\n";
    assert_eq!((refused.code, refused.err().as_str()), (1, expected));
}

#[test]
fn create_from_names_both_files_of_one_platform() {
    let fixture = Fixture::new();
    fixture.write_digest_files("d", &[&fixture.amd64, &fixture.arm64, &fixture.stale]);
    let refused = fixture.run_recorded(&["create", "--from=d", "@app:1"]);
    assert_eq!(refused.code, 1);
    let mut files = sorted(&[&fixture.arm64, &fixture.stale]);
    files.iter_mut().for_each(|digest| *digest = format!("{digest} in d/{}", hex(digest)));
    let first = format!("two images for linux/arm64: {}, and {}\n", files[0], files[1]);
    assert!(refused.err().starts_with(&first), "{}", refused.err());
    assert!(!fixture.has_draft("@app:1"));
    // In two files, and in two lines of one.
    fixture.sandbox.write("one", fixture.arm64.digest());
    fixture.sandbox.write("other", fixture.stale.digest());
    fixture.sandbox.write("both", format!("{}\n{}\n", fixture.arm64.digest(), fixture.stale.digest()));
    let refused = fixture.run_recorded(&["create", "--from=one", "--from=other", "@app:1"]).err();
    assert!(refused.contains(&format!("{} in one, and {} in other\n", fixture.arm64.digest(), fixture.stale.digest())));
    let refused = fixture.run_recorded(&["create", "--from=both", "@app:1"]).err();
    assert!(refused.contains("in both (line 1), and") && refused.contains("in both (line 2)\n"), "{refused}");
    // What is not picked is no matter.
    let _ = fixture.run_recorded(&["create", "--from=d", "--platform=linux/amd64", "@app:1"]);
    // As JSON it is a conflict.
    let refused = fixture.run_recorded(&["create", "--from=d", "--format=json", "@app:2"]).err();
    let error: serde_json::Value = serde_json::from_str(refused.lines().last().expect("a line")).expect("JSON");
    assert_eq!(error["error"]["kind"], "conflict");
}

#[test]
fn create_from_merges_one_image_of_two_files_with_a_notice() {
    let fixture = Fixture::new();
    fixture.write_digest_files("d", &[&fixture.amd64, &fixture.arm64]);
    fixture.sandbox.write("digest", fixture.amd64.digest());
    let created = fixture.run_recorded(&["create", "--from=d", "--from=digest", "@app:1"]).success();
    let digest = fixture.amd64.digest();
    let note = format!("note: d/{} and digest name the same image {digest}: it counts once\n", hex(&digest));
    assert_eq!(created.err(), note);
    assert_eq!(fixture.draft_digests("@app:1"), sorted(&[&fixture.amd64, &fixture.arm64]));
    // Beside an image that is named it is that image.
    fixture.registry.put_image("app", "build", &fixture.amd64);
    let _ = fixture.run_recorded(&["create", "--from=digest", "@app:2", "@app:build"]).success();
    assert_eq!(fixture.draft_digests("@app:2"), [digest]);
}

#[test]
fn create_from_reports_an_image_id_and_a_stale_digest_with_their_file() {
    let fixture = Fixture::new();
    fixture.sandbox.write("iidfile", fixture.amd64.config_digest());
    let refused = fixture.run_recorded(&["create", "--from=iidfile", "@app:1"]);
    let first = format!(
        "iidfile: {} is the id of an image, and not the digest of its manifest\n",
        fixture.registry.name(&format!("app@{}", fixture.amd64.config_digest()))
    );
    assert!(refused.err().starts_with(&first), "{}", refused.err());
    assert!(refused.err().contains("hint: an --iidfile contains image ids: use --digestfile"), "{}", refused.err());
    let missing = image("s390x", "gone").digest();
    fixture.sandbox.write("gone", &missing);
    fixture.sandbox.write("fine", fixture.amd64.digest());
    let refused = fixture.run_recorded(&["create", "--from=fine", "--from=gone", "--format=json", "@app:1"]);
    let error: serde_json::Value = serde_json::from_str(&refused.err()).expect("JSON");
    let message = format!("gone: no such manifest: {}", fixture.registry.name(&format!("app@{missing}")));
    assert_eq!(
        (error["error"]["kind"].as_str(), error["error"]["message"].as_str()),
        (Some("missing"), Some(message.as_str()))
    );
    assert!(!fixture.has_draft("@app:1"));
}

#[test]
fn create_empty_makes_a_draft_without_entries() {
    let fixture = Fixture::new();
    let refused = fixture.run_recorded(&["create", "@app:1"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err().contains("'docker-manifest create' requires at least 2 arguments\n"), "{}", refused.err());
    assert!(
        refused.err().ends_with("writes about its images\n") || refused.err().contains("--empty"),
        "{}",
        refused.err()
    );
    let _ = fixture.run_recorded(&["create", "--empty", "@app:1"]).success();
    assert_eq!(fixture.run_recorded(&["create", "--empty", "@app:1"]).code, 1, "it is there");
    for image in [&fixture.amd64, &fixture.arm64] {
        let _ = fixture.run_recorded_with_stdin(&["add", "--from=-", "@app:1"], &image.digest()).success();
    }
    assert_eq!(fixture.draft_digests("@app:1"), sorted(&[&fixture.amd64, &fixture.arm64]));
    let _ = fixture.run_recorded(&["push", "@app:1"]).success();
    let _ = fixture.run_recorded(&["create", "--empty", "--replace", "@app:1"]).success();
    assert_eq!(fixture.draft_digests("@app:1"), [""; 0]);
    let pushed = fixture.run_recorded(&["push", "@app:1"]);
    assert!(pushed.err().contains("not found"), "{}", pushed.err());
}

#[test]
fn create_from_lists_the_children_of_an_index_once() {
    let fixture = Fixture::new();
    let index = Index::oci().image_with(&fixture.amd64, fixture.amd64.platform().expect("one"), &[("k", "v")]).build();
    fixture.registry.put_index("app", "built", &index);
    // ko writes both.
    let refs = format!(
        "{}\n{}\n",
        fixture.registry.name(&format!("app:built@{}", index.digest())),
        fixture.registry.name(&format!("app@{}", fixture.amd64.digest()))
    );
    fixture.sandbox.write("refs", refs);
    let _ = fixture.run_recorded(&["create", "--from=refs", "@app:1"]).success();
    let shown = fixture.run_recorded(&["inspect", "--local", "@app:1"]).success().out();
    let list: serde_json::Value = serde_json::from_str(&shown).expect("a list");
    assert_eq!(list["manifests"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["manifests"][0]["annotations"]["k"], "v", "as the index describes it");
}

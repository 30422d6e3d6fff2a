//! Paths that are not UTF-8 are used unchanged.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use testkit::image::Image;

use super::OURS;
use super::fixture::Fixture;

/// With an image.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.registry.put_image("app", "amd64", &Image::docker().platform("linux", "amd64").build());
    fixture
}

impl Fixture {
    /// A path that is not UTF-8.
    fn path_of_bytes(&self, name: &[u8]) -> PathBuf {
        self.sandbox.path().join(OsStr::from_bytes(name))
    }
}

/// The drafts in a configuration directory.
fn drafts(directory: &Path) -> usize {
    let names = fs::read_dir(directory.join("manifests")).map(|entries| entries.flatten().count());
    names.unwrap_or_default()
}

/// What nobody made: the directory under the name that a lossy reading gives it.
fn assert_no_lossy_path(path: &Path) {
    let double = PathBuf::from(path.to_string_lossy().into_owned());
    assert!(!double.exists(), "{}", double.display());
}

#[test]
fn the_configuration_directory_may_have_any_name() {
    for by_flag in [false, true] {
        let fixture = fixture();
        let directory = fixture.path_of_bytes(b"conf\xff");
        fs::create_dir(&directory).expect("a directory");
        let create = ["create", "@app:1", "@app:amd64"];
        let run = if by_flag {
            let flags = [OsString::from("--config"), directory.clone().into_os_string()];
            fixture.sandbox.command(OURS).args(flags).args(fixture.registry.expand_names(&create))
        } else {
            fixture.command(&create).env("DOCKER_CONFIG", &directory)
        };
        let _ = run.run().success();
        // The draft, and our own directory.
        assert_eq!(drafts(&directory), 2);
        assert_no_lossy_path(&directory);
        let shown = fixture.command(&["inspect", "--local", "@app:1"]).env("DOCKER_CONFIG", &directory).run();
        let _ = shown.success();
    }
}

#[test]
fn files_may_have_any_name() {
    let fixture = fixture();
    let (spec, result) = (fixture.path_of_bytes(b"spec\xff.yaml"), fixture.path_of_bytes(b"result\xfe"));
    let words = fixture.registry.expand_names(&["@app:1", "@app:amd64"]);
    fs::write(&spec, format!("image: {}\nmanifests: [{{image: {}}}]\n", words[0], words[1])).expect("a spec");
    let run = fixture.command(&["apply"]).arg("-f").arg(&spec).arg("--digest-file").arg(&result);
    let _ = run.run().success();
    let digest = fs::read_to_string(&result).expect("the digest");
    assert!(digest.starts_with("sha256:"), "{digest}");
    assert_no_lossy_path(&result);
    let lost = fixture.path_of_bytes(b"none\xff.yaml");
    let failed = fixture.command(&["apply"]).arg("-f").arg(&lost).run();
    assert!(failed.code == 1 && failed.err().starts_with("cannot read "), "{}", failed.err());
}

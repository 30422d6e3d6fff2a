//! `from:` in a file for `apply`, and `apply --from`.

use super::*;

impl Fixture {
    /// The digests of what a tag serves, in its order.
    fn served_digests(&self, tag: &str) -> Vec<String> {
        let (_, bytes) = self.registry.manifest("app", tag).expect("a list");
        let list: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        let entries = list["manifests"].as_array().expect("entries").iter();
        entries.map(|line| line["digest"].as_str().expect("a digest").to_owned()).collect()
    }
}

#[test]
fn a_spec_names_files_beside_its_images() {
    let fixture = Fixture::new();
    fixture.registry.put_image("app", "s390x", &image("s390x", "c"));
    let digest = image("s390x", "c").digest();
    fixture.write_digest_files("ci/digests", &[&fixture.amd64]);
    let bake = format!(
        r#"{{"web":{{"containerimage.digest":"{}"}},"db":{{"containerimage.digest":"{}"}}}}"#,
        fixture.arm64.digest(),
        fixture.stale.digest()
    );
    fixture.sandbox.write("ci/bake.json", bake);
    let host = fixture.registry.host();
    let spec = format!(
        "image: {host}/app:1\nmanifests:\n  - image: {host}/app:s390x\n\
         from:\n  - digests\n  - path: bake.json\n    target: web\n    repository: {host}/app\n"
    );
    fixture.sandbox.write("ci/lists.yaml", spec);
    // A path begins where the file is, wherever the command is run.
    let _ = fixture
        .run_recorded(&["apply", "-f", "ci/lists.yaml", "--require", "linux/amd64,linux/arm64,linux/s390x"])
        .success();
    assert_eq!(fixture.served_digests("1"), [digest, fixture.amd64.digest(), fixture.arm64.digest()]);
    // On standard input it begins where the command is run; files may name all images.
    let spec = format!("image: {host}/app:2\nfrom: ci/digests\n");
    let _ = fixture.run_recorded_with_stdin(&["apply", "-f", "-"], &spec).success();
    assert_eq!(fixture.served_digests("2"), [fixture.amd64.digest()]);
}

#[test]
fn apply_takes_files_by_flags() {
    let fixture = Fixture::new();
    fixture.write_digest_files("d", &[&fixture.amd64, &fixture.arm64]);
    let _ = fixture.run_recorded(&["apply", "--from=d", "--target", "@app:1", "--target", "@app:2"]).success();
    let mut served = fixture.served_digests("1");
    served.sort();
    assert_eq!(
        (served, fixture.served_digests("1")),
        (sorted(&[&fixture.amd64, &fixture.arm64]), fixture.served_digests("2"))
    );
    assert!(!fixture.has_draft("@app:1"));
    let map = format!(r#"{{"web":"{}","db":"{}"}}"#, fixture.amd64.digest(), fixture.arm64.digest());
    fixture.sandbox.write("map.json", map);
    fixture.sandbox.write(
        "list.yaml",
        format!(
            "image: {}\nmanifests: [{{image: {}}}]\n",
            fixture.registry.name("app:3"),
            fixture.registry.name(&format!("app@{}", fixture.arm64.digest()))
        ),
    );
    let _ = fixture.run_recorded(&["apply", "-f=list.yaml", "--from=map.json", "--from-target=web"]).success();
    assert_eq!(fixture.served_digests("3"), [fixture.arm64.digest(), fixture.amd64.digest()]);
    let two = format!("image: {0}/a:1\nfrom: d\n---\nimage: {0}/b:1\nfrom: d\n", fixture.registry.host());
    fixture.sandbox.write("two.yaml", two);
    let refused = fixture.run_recorded(&["apply", "-f", "two.yaml", "--from=d"]).err();
    assert!(refused.starts_with("--from applies to one list, and there are 2\n"), "{refused}");
}

#[test]
fn apply_reports_invalid_files_before_any_request() {
    let fixture = Fixture::new();
    fixture.write_digest_files("d", &[&fixture.amd64, &fixture.arm64, &fixture.stale]);
    let refused = fixture.run_recorded(&["apply", "--from=d", "--target", "@app:1"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err().starts_with("two images for linux/arm64: "), "{}", refused.err());
    assert!(fixture.request_lines().iter().all(|line| line.starts_with("GET ")), "{:?}", fixture.request_lines());
    let host = fixture.registry.host();
    fixture.sandbox.write(
        "a.yaml",
        format!("image: {host}/app:1\nfrom: [none, empty]\n---\nimage: {host}/app:2\nfrom: also-none\n"),
    );
    fixture.sandbox.write("empty", "");
    let refused = fixture.run_recorded(&["apply", "-f", "a.yaml"]).err();
    for line in ["cannot read none: ", "empty: the file is empty\n", "cannot read also-none: "] {
        assert!(refused.contains(line), "{refused}");
    }
    assert_eq!(fixture.request_lines(), [""; 0]);
    let missing = image("s390x", "gone").digest();
    fixture.sandbox.write("gone", &missing);
    let refused = fixture.run_recorded(&["apply", "--from=gone", "--target", "@app:1"]).err();
    assert!(refused.starts_with("gone: no such manifest: "), "{refused}");
}

/// A list of one index that a build has pushed is that index, to the byte.
#[test]
fn apply_publishes_an_index_of_a_file_unchanged() {
    let fixture = Fixture::new();
    let index = Index::oci().image(&fixture.amd64).image(&fixture.arm64).annotation("k", "v").build();
    fixture.registry.put_index("app", "built", &index);
    let refs = [index.digest(), fixture.arm64.digest(), fixture.amd64.digest()];
    let refs: String = refs.iter().map(|digest| fixture.registry.name(&format!("app@{digest}\n"))).collect();
    fixture.sandbox.write("refs", refs);
    let pushed = fixture.run_recorded(&["apply", "--from=refs", "--target", "@app:1"]).success();
    assert_eq!(pushed.out(), format!("{}\n", index.digest()));
}

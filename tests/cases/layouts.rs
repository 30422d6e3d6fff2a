//! `copy` between registries and OCI image layouts: the bytes stay the same, with few requests, and nothing is left
//! half-written.

use std::fs;

use serde_json::{Value, json};
use testkit::image::fixtures::{buildx_image, buildx_index};
use testkit::image::{Image, Index};

use super::fixture::Fixture;

impl Fixture {
    /// The method and the end of the path of every request.
    fn methods_and_path_ends(&self) -> Vec<String> {
        let requests = self.registry.requests();
        let line = |path: &str| path.rsplit('/').take(2).collect::<Vec<_>>().join(" ");
        requests.iter().map(|request| format!("{} {}", request.method, line(&request.target))).collect()
    }

    fn index_json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name).join("index.json")).expect("index.json")).expect("JSON")
    }
}

fn digests(index: &Index) -> Vec<String> {
    let document: Value = serde_json::from_slice(&index.manifest).expect("an index");
    let children = document["manifests"].as_array().expect("children");
    children.iter().map(|child| child["digest"].as_str().expect("a digest").to_owned()).collect()
}

#[test]
fn an_index_keeps_every_byte_through_layouts_archives_and_back() {
    let fixture = Fixture::new();
    let index = buildx_index(&["linux/amd64", "linux/arm64"]);
    let digest = fixture.registry.put_index("app", "1", &index);
    for (from, to) in [
        ("@app:1", "oci-layout://dir"),
        ("oci-layout://dir", "oci-archive:./a.tar"),
        ("oci-archive:./a.tar", "ocidir://second:other"),
        ("ocidir://second", "oci:./third"),
        ("oci:./third:other", "@back"),
    ] {
        fixture.copy_ok(&format!("{from} {to}"));
    }
    assert_eq!(fixture.registry.manifest("back", "other").expect("the index").1, index.manifest);
    for child in digests(&index) {
        let stored = fixture.registry.manifest("app", &child);
        assert_eq!(fixture.registry.manifest("back", &child), stored, "{child}");
        let image: Value = serde_json::from_slice(&stored.expect("a child").1).expect("a manifest");
        for blob in image["layers"].as_array().into_iter().flatten().chain([&image["config"]]) {
            assert!(fixture.registry.has_blob("back", blob["digest"].as_str().expect("a digest")));
        }
    }
    // Once more nothing has to be sent.
    let repeated = fixture.copy("oci:./third:other @back --format json").success();
    let printed: Value = serde_json::from_slice(&repeated.stdout).expect("JSON");
    assert_eq!((&printed["digest"], &printed["unchanged"]), (&json!(digest), &json!(true)));
    assert!(!fixture.has_written());
    assert_eq!(
        fixture.index_json("third")["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"],
        "other"
    );
}

#[test]
fn copy_retags_with_one_head_for_each_image_and_one_put() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (buildx_image("linux/amd64"), buildx_image("linux/arm64"));
    let index = Index::oci().image(&amd64).image(&arm64).build();
    let digest = fixture.registry.put_index("app", "1", &index);
    let stdout = fixture.copy("--jobs 1 @app:1 @app:2").success().out();
    assert_eq!(stdout, format!("{}@{digest}\n", fixture.registry.name("app:2")));
    let expected = [
        "GET 1 manifests".to_owned(),
        format!("HEAD {} manifests", amd64.digest()),
        format!("HEAD {} manifests", arm64.digest()),
        "HEAD 2 manifests".to_owned(),
        "PUT 2 manifests".to_owned(),
    ];
    let requests: Vec<String> =
        fixture.methods_and_path_ends().into_iter().filter(|line| !line.starts_with("GET  v2")).collect();
    assert_eq!(requests, expected);
    fixture.copy_ok("--jobs 1 @app:1 @app:2");
    assert!(!fixture.has_written(), "{:?}", fixture.methods_and_path_ends());
}

#[test]
fn copy_of_one_platform_is_the_image_and_of_several_an_index() {
    let fixture = Fixture::new();
    let images = ["linux/amd64", "linux/arm64", "linux/s390x"].map(buildx_image);
    let inner = Index::oci().image(&images[2]).build();
    let index = Index::oci().image(&images[0]).image(&images[1]).index(&inner).annotation("own", "kept").build();
    fixture.registry.put_index("app", "1", &index);
    let arm64_copy = fixture.copy("--platform linux/arm64 @app:1 @one").success();
    assert!(arm64_copy.err().contains("linux/arm64 is copied as an image, without the index"), "{}", arm64_copy.err());
    assert_eq!(fixture.registry.manifest("one", "1").expect("the image").1, images[1].manifest);
    let two_platforms = fixture.copy("--platform linux/amd64,linux/s390x --format json @app:1 @two").success();
    let printed: Value = serde_json::from_slice(&two_platforms.stdout).expect("JSON");
    assert_eq!(printed["sourceDigest"], index.digest());
    let served = fixture.registry.manifest("two", "1").expect("an index").1;
    let served: Value = serde_json::from_slice(&served).expect("JSON");
    let listed: Vec<&Value> =
        served["manifests"].as_array().expect("images").iter().map(|stored| &stored["digest"]).collect();
    assert_eq!(listed, [&json!(images[0].digest()), &json!(images[2].digest())]);
    assert_eq!(served["annotations"]["own"], "kept");
    let missing_platform = fixture.copy("--platform linux/ppc64le @app:1 @three");
    assert_eq!(
        (missing_platform.code, missing_platform.first_err_line()),
        (1, "no image for linux/ppc64le in ".to_owned() + &fixture.registry.name("app:1"))
    );
}

#[test]
fn a_damaged_blob_is_not_copied_and_moves_no_tag() {
    let fixture = Fixture::new();
    let image = Image::oci().platform("linux", "amd64").layer("a layer").build();
    fixture.registry.put_image("app", "1", &image);
    fixture.copy_ok("@app:1 oci:./dir");
    let layer = testkit::image::sha256(b"a layer");
    let file = fixture.path("dir/blobs/sha256").join(layer.trim_start_matches("sha256:"));
    fs::write(&file, "A layer").expect("a blob");
    for target in ["@new:1", "oci:./new:1", "oci-archive:./new.tar:1"] {
        let failed = fixture.copy(&format!("oci:./dir {target}"));
        assert_eq!(failed.code, 1, "{target}");
        let stderr = failed.err();
        assert!(
            stderr.contains(&format!("{layer} in ./dir is damaged: its bytes have the digest sha256:")),
            "{stderr}"
        );
    }
    assert!(fixture.registry.tags("new").is_empty());
    assert!(!fixture.path("new/index.json").exists() && !fixture.path("new.tar").exists());
    let written = fs::read_dir(fixture.path("new/blobs/sha256")).expect("blobs");
    assert!(
        written.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with('.')),
        "no staged file is left"
    );
    // A copy mends what is damaged in its target.
    fixture.copy_ok("@app:1 oci:./dir");
    assert_eq!(fs::read(&file).expect("a blob"), b"a layer");
}

#[test]
fn copy_keeps_the_entries_of_other_tools_in_a_layout() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (buildx_image("linux/amd64"), buildx_image("linux/arm64"));
    fixture.registry.put_image("app", "1", &amd64);
    fixture.registry.put_image("app", "2", &arm64);
    fixture.copy_ok("@app:1 oci:./dir:theirs");
    let mut index = fixture.index_json("dir");
    index["x-unknown"] = json!([1]);
    index["manifests"][0]["annotations"]["own"] = json!("note");
    fs::write(fixture.path("dir/index.json"), index.to_string()).expect("index.json");
    fixture.copy_ok("@app:2 oci:./dir:ours");
    fixture.copy_ok("@app:1 oci:./dir:ours");
    let after = fixture.index_json("dir");
    assert_eq!((&after["x-unknown"], &after["manifests"][0]), (&json!([1]), &index["manifests"][0]));
    assert_eq!(after["manifests"].as_array().map(Vec::len), Some(2));
    assert_eq!(after["manifests"][1]["digest"], amd64.digest());
    // An archive is written anew with all that it had.
    fixture.copy_ok("@app:1 oci-archive:./a.tar:one");
    fixture.copy_ok("@app:2 oci-archive:./a.tar:two");
    for (name, image) in [("one", &amd64), ("two", &arm64)] {
        fixture.copy_ok(&format!("oci-archive:./a.tar:{name} @from:{name}"));
        assert_eq!(fixture.registry.manifest("from", name).expect("an image").1, image.manifest);
    }
}

#[test]
fn copy_refuses_unknown_and_ambiguous_layout_names() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (buildx_image("linux/amd64"), buildx_image("linux/arm64"));
    fixture.registry.put_image("app", "1", &amd64);
    fixture.registry.put_image("app", "2", &arm64);
    for tag in ["1", "2"] {
        fixture.copy_ok(&format!("@app:{tag} oci:./dir"));
    }
    fs::create_dir(fixture.path("other")).expect("a directory");
    fs::write(fixture.path("other/file"), "x").expect("a file");
    for (line, error) in [
        ("oci:./dir @new:1", "./dir has 2 images, and none was named (it has 1, 2)"),
        ("oci:./dir:3 @new:1", "./dir has no image named 3 (it has 1, 2)"),
        ("oci-layout://none @new:1", "cannot open none: No such file or directory"),
        ("oci-layout://other @new:1", "other is no OCI image layout that can be used: it has no index.json"),
        (
            "@app:1 oci-layout://other",
            "other is no OCI image layout that can be used: the directory has other files in it",
        ),
        (
            "@app:1 docker-archive:./x.tar",
            "./x.tar is no OCI image layout that can be used: an archive of docker save can only be read; write an \
             oci-archive: instead",
        ),
        ("oci-layout:// @new:1", "oci-layout://: the path is empty"),
    ] {
        let failed = fixture.copy(line);
        assert_eq!((failed.code, failed.first_err_line().as_str()), (1, error), "{line}");
        assert!(!fixture.has_written(), "{line}");
    }
    let digest = arm64.digest();
    fixture.copy_ok(&format!("oci-layout://dir@{digest} @new"));
    assert_eq!(fixture.registry.tags("new"), [""; 0], "a digest alone brings no tag");
    assert!(fixture.registry.manifest("new", &digest).is_some());
    let refused = fixture.copy(&format!("@app:1 @new@{digest}"));
    assert_eq!(refused.code, 1);
    assert!(refused.first_err_line().contains("would be another list"), "{}", refused.first_err_line());
}

#[test]
fn copy_dry_run_changes_nothing() {
    let fixture = Fixture::new();
    let index = buildx_index(&["linux/amd64", "linux/arm64"]);
    fixture.registry.put_index("app", "1", &index);
    for target in ["@new:1", "oci:./dir:1", "oci-archive:./a.tar:1"] {
        let output = fixture.copy(&format!("--dry-run @app:1 {target}")).success();
        assert!(output.out().contains("would send 5 of 5 manifests"), "{}", output.out());
        assert!(!fixture.has_written(), "{:?}", fixture.methods_and_path_ends());
    }
    assert!(!fixture.path("dir").exists() && !fixture.path("a.tar").exists());
}

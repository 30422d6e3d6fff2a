//! Each kind of build file as its tool writes it, and damaged.

use super::*;

/// The file's text with the digests of the two images in the place of AMD and ARM, and the host in that of HOST.
fn expand(fixture: &Fixture, text: &str) -> String {
    let (amd64, arm64) = (fixture.amd64.digest(), fixture.arm64.digest());
    let text = text.replace("SIZE", &fixture.amd64.manifest.len().to_string());
    text.replace("AMD", &amd64)
        .replace("ARM", &arm64)
        .replace("HEX", hex(&amd64))
        .replace("HOST", &fixture.registry.host())
}

/// Every kind of one image, the one for amd64.
const KINDS_OF_AMD64: &[(&str, &str)] = &[
    ("skopeo, buildah, podman, kaniko", "AMD"),
    ("bazel", "AMD\n"),
    ("kaniko with a tag", "HOST/app:tmp-1@AMD\n"),
    ("ko", "HOST/app@AMD\n"),
    ("goreleaser's sums", "HEX  HOST/app:1-amd64\n"),
    ("buildx", r#"{"buildx.build.ref":"b/b0/x","containerimage.digest":"AMD","image.name":"HOST/other:1,HOST/app:1"}"#),
    ("buildx without a name", r#"{"containerimage.digest":"AMD"}"#),
    (
        "imagetools",
        r#"{"containerimage.descriptor":{"mediaType":"m","digest":"AMD","size":SIZE},"image.name":"HOST/app"}"#,
    ),
    ("bake", r#"{"buildx.build.warnings":[],"web":{"containerimage.digest":"AMD","image.name":"HOST/app"}}"#),
    ("a map", r#"{"web":"AMD"}"#),
    ("kaniko's lines", "{\"name\":\"HOST/app:1\",\"digest\":\"AMD\"}\n"),
    ("jib", r#"{"image":"HOST/app:1","imageId":"AMD","imageDigest":"AMD","tags":["1"],"imagePushed":true}"#),
    ("a descriptor", r#"{"mediaType":"m","digest":"AMD","size":SIZE}"#),
    (
        "goreleaser's artifacts",
        r#"[{"name":"app.tar.gz","type":"Archive"},
            {"name":"HOST/app:1","type":"Docker Image","extra":{"Digest":"AMD","ID":"app"}}]"#,
    ),
    ("export", "image: HOST/app:1\nmanifests:\n  - image: HOST/app@AMD\n"),
];

#[test]
fn every_kind_of_build_file_is_read_from_files_and_standard_input() {
    let fixture = Fixture::new();
    for (number, (tool, text)) in KINDS_OF_AMD64.iter().enumerate() {
        let text = expand(&fixture, text);
        fixture.sandbox.write("file", &text);
        let list = format!("@app:{number}");
        let created = fixture.run_recorded(&["create", "--from=file", &list]);
        assert_eq!((created.code, created.err()), (0, String::new()), "{tool}");
        assert_eq!(fixture.draft_digests(&list), [fixture.amd64.digest()], "{tool}");
        let _ = fixture.run_recorded_with_stdin(&["create", "--replace", "--from=-", &list], &text).success();
        assert_eq!(fixture.draft_digests(&list), [fixture.amd64.digest()], "{tool} on standard input");
    }
}

/// The manifest is fetched anyway, so that no further request is needed.
#[test]
fn the_size_in_a_descriptor_is_that_of_the_manifest() {
    let fixture = Fixture::new();
    let size = fixture.amd64.manifest.len();
    let descriptor = r#"{"mediaType":"m","digest":"AMD","size":SIZE}"#;
    let buildx = format!(r#"{{"containerimage.descriptor":{descriptor},"image.name":"HOST/app"}}"#);
    let image = fixture.registry.name(&format!("app@{}", fixture.amd64.digest()));
    let size_error = format!("file: the manifest of {image} has {size} bytes, and the file says {size}0\n");
    for text in [descriptor, &buildx] {
        fixture.sandbox.write("file", expand(&fixture, text));
        let _ = fixture.run_recorded(&["create", "--from=file", "@app:1"]).success();
        let requests = fixture.request_lines();
        fixture.sandbox.write("file", expand(&fixture, &text.replace("SIZE", "SIZE0")));
        for command in [
            &["create", "--from=file", "@app:2"][..],
            &["create", "--push", "--from=file", "@app:2"],
            &["add", "--from=file", "@app:1"],
            &["add", "--shared", "--run=1", "--from=file", "@app:1"],
            &["apply", "--from=file", "--target", "@app:2"],
        ] {
            let refused = fixture.run_recorded(command);
            assert!(refused.code == 1 && refused.err().starts_with(&size_error), "{command:?}: {}", refused.err());
            // apply checks the tag meanwhile.
            let digest_requests =
                fixture.request_lines().into_iter().filter(|line| line.contains("sha256:")).collect::<Vec<_>>();
            assert!(digest_requests.iter().all(|line| requests.contains(line)), "{command:?}: {digest_requests:?}");
        }
        // The right size in one file does not excuse the wrong one in another.
        fixture.sandbox.write("right", expand(&fixture, text));
        let refused = fixture.run_recorded(&["create", "--from=right", "--from=file", "@app:2"]).err();
        assert!(refused.contains(&format!("\n{size_error}")), "{refused}");
        let _ = fixture.run_recorded(&["rm", "@app:1"]).success();
    }
    // Without a media type it is no descriptor, and the size may be that of all layers.
    fixture.sandbox.write("file", expand(&fixture, r#"{"digest":"AMD","size":1234567}"#));
    let _ = fixture.run_recorded(&["create", "--from=file", "@app:3"]).success();
    fixture.sandbox.write("file", expand(&fixture, r#"{"mediaType":"m","digest":"AMD","size":"9"}"#));
    let refused = fixture.run_recorded(&["create", "--from=file", "@app:4"]).err();
    assert_eq!(refused.lines().next(), Some("file: size is not a number of bytes: \"9\""));
}

/// Cut anywhere, a file is an error that names it, and never another list.
#[test]
fn a_file_that_is_cut_off_is_an_error_that_names_it() {
    let fixture = Fixture::new();
    for (tool, text) in KINDS_OF_AMD64 {
        let text = expand(&fixture, text);
        let whole = text.trim_end().len();
        let digest = text.find(hex(&fixture.amd64.digest())).expect("a digest");
        for end in [0, 1, digest, digest + 10, digest + 63, whole - 1].into_iter().filter(|end| *end < whole) {
            // The digest alone is whole already, where a name follows it.
            let cut = &text[..end];
            if end > digest + 63 && (tool.contains("sums") || *tool == "export") {
                continue;
            }
            fixture.sandbox.write("cut", cut);
            let refused = fixture.run_recorded(&["create", "--from=cut", "@app:1"]);
            assert_eq!(refused.code, 1, "{tool}: {cut}");
            assert!(refused.err().starts_with("cut: "), "{tool}: {cut}: {}", refused.err());
            assert!(refused.err().lines().next().is_some_and(|line| line.len() > "cut: ".len()), "{}", refused.err());
            assert_eq!(fixture.request_lines(), [""; 0], "{tool}: nothing was asked");
            assert!(!fixture.has_draft("@app:1"));
        }
    }
}

#[test]
fn all_errors_of_build_outputs_are_reported_together() {
    let fixture = Fixture::new();
    fixture.sandbox.write("empty", "");
    fixture.sandbox.write("tag", "h.example/app:1\n");
    fixture.sandbox.write("jib", r#"{"image":"h.example/i:1","imageDigest":"x","imagePushed":false}"#);
    let refused =
        fixture.run_recorded(&["create", "--from=empty", "--from=none", "--from=tag", "--from=jib", "@app:1"]);
    let lines: Vec<String> = refused.err().lines().map(str::to_owned).collect();
    let expected = [
        "empty: the file is empty",
        "cannot read none: No such file or directory",
        "tag: line 1 names an image without its digest: h.example/app:1",
        "jib: the image h.example/i:1 was not pushed",
    ];
    assert_eq!(lines[..4], expected);
    assert!(lines[4..].iter().all(|line| line.starts_with("hint: ")), "{lines:?}");
    let refused = fixture.run_recorded(&["create", "--from=tag", "--format=json", "@app:1"]).err();
    let error: serde_json::Value = serde_json::from_str(&refused).expect("JSON");
    assert_eq!(error["error"]["kind"], "spec");
}

#[test]
fn targets_are_selected_and_repositories_are_printed() {
    let fixture = Fixture::new();
    let bake =
        r#"{"web":{"containerimage.digest":"AMD","image.name":"HOST/app"},"db":{"containerimage.digest":"ARM"}}"#;
    fixture.sandbox.write("bake.json", expand(&fixture, bake));
    let refused = fixture.run_recorded(&["create", "--from=bake.json", "@app:1"]).err();
    assert!(refused.starts_with("bake.json: the file has several targets: web, db\nhint: choose one with --target"));
    let _ = fixture.run_recorded(&["create", "--from=bake.json", "--target=web", "@app:1"]).success();
    assert_eq!(fixture.draft_digests("@app:1"), [fixture.amd64.digest()]);
    let _ = fixture.run_recorded(&["create", "--from=bake.json", "--target=web", "--target=db", "@app:2"]).success();
    assert_eq!(fixture.draft_digests("@app:2"), sorted(&[&fixture.amd64, &fixture.arm64]));
    fixture.sandbox.write("digest", fixture.amd64.digest());
    let refused = fixture.run_recorded(&["create", "--from=digest", "--target=web", "@app:3"]).err();
    assert!(refused.starts_with("--target web: no file of --from has targets\n"), "{refused}");
    // A list in another repository than its images.
    let repository = fixture.registry.name("app");
    let _ = fixture.run_recorded(&["create", "--from=digest", "--repository", &repository, "@lists:1"]).success();
    assert_eq!(fixture.draft_digests("@lists:1"), [fixture.amd64.digest()]);
    let refused = fixture.run_recorded(&["create", "--from=digest", "--repository=h.example/app:1", "@lists:2"]);
    assert_eq!(refused.code, 125, "{}", refused.err());
}

/// An image that the program itself has published.
#[test]
fn from_reads_files_that_we_wrote() {
    let fixture = Fixture::new();
    fixture.write_digest_files("d", &[&fixture.amd64, &fixture.arm64]);
    let _ = fixture.run_recorded(&["create", "--from=d", "@app:1"]).success();
    let pushed = fixture
        .run_recorded(&["push", "--format=json", "--digest-file=digest", "--metadata-file=meta.json", "@app:1"])
        .success();
    fixture.sandbox.write("pushed.json", pushed.out());
    let exported = fixture.run_recorded(&["export", "--remote", "@app:1"]).success();
    fixture.sandbox.write("list.yaml", exported.out());
    for (number, file) in ["digest", "meta.json", "pushed.json", "list.yaml"].into_iter().enumerate() {
        let list = format!("@app:again{number}");
        let _ = fixture.run_recorded(&["create", "--from", file, &list]).success();
        assert_eq!(fixture.draft_digests(&list), sorted(&[&fixture.amd64, &fixture.arm64]), "{file}");
    }
    let dry_run = fixture.run_recorded(&["push", "--format=json", "--dry-run", "@app:1"]).success().out();
    let refused = fixture.run_recorded_with_stdin(&["create", "--from=-", "@app:2"], &dry_run).err();
    let first = format!(
        "standard input: {} is the result of a dry run: nothing was published\n",
        fixture.registry.name("app:1")
    );
    assert!(refused.starts_with(&first), "{refused}");
}

use super::*;

const H: &str = "1f8d42ca1f8d42ca1f8d42ca1f8d42ca1f8d42ca1f8d42ca1f8d42ca1f8d42ca";
const I: &str = "2e9d53cb2e9d53cb2e9d53cb2e9d53cb2e9d53cb2e9d53cb2e9d53cb2e9d53cb";

fn list() -> Repository {
    Reference::parse("reg.example/app").unwrap().repository().clone()
}

fn read_with(text: &str, targets: &[&str]) -> Result<BuildOutput, String> {
    let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
    let text = text.replace("HHH", H).replace("III", I);
    let selection = ImageSelection { default_repository: &list(), build_targets: &targets };
    parse(text.as_bytes(), &selection).map_err(|error| error.to_string())
}

/// The images of a text in which HHH and III are digests.
fn images(text: &str) -> Vec<String> {
    masked_references(&read_with(text, &[]).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn masked_references(output: &BuildOutput) -> Vec<String> {
    let short = |image: &BuiltImage| image.reference.to_string().replace(H, "HHH").replace(I, "III");
    output.images.iter().map(short).collect()
}

fn error_text(text: &str) -> String {
    read_with(text, &[]).map(|output| masked_references(&output)).unwrap_err().replace(H, "HHH").replace(I, "III")
}

const IMAGE_IN_LIST_REPOSITORY: &str = "reg.example/app@sha256:HHH";

#[test]
fn parse_reads_lines_of_digests_references_and_checksums() {
    for text in ["sha256:HHH", "sha256:HHH\n", "\u{feff}sha256:HHH\r\n", "\n sha256:HHH \n\n"] {
        assert_eq!(images(text), [IMAGE_IN_LIST_REPOSITORY], "{text:?}");
    }
    for text in ["r.x/a@sha256:HHH", "r.x/a:1@sha256:HHH\n", "HHH  r.x/a:1\n", "HHH *r.x/a:1", "HHH r.x/a"] {
        assert_eq!(images(text), ["r.x/a@sha256:HHH"], "{text:?}");
    }
    // ko and kaniko with several destinations; the same image by two tags is there once.
    let ko = "r.x/a:1@sha256:HHH\nr.x/a:2@sha256:HHH\nr.x/a@sha256:III\n";
    assert_eq!(images(ko), ["r.x/a@sha256:HHH", "r.x/a@sha256:III"]);
    let positions: Vec<String> = read_with(ko, &[]).unwrap().images.into_iter().map(|image| image.position).collect();
    assert_eq!(positions, ["line 1", "line 3"]);
    assert_eq!(images("sha256:HHH\nsha256:III"), [IMAGE_IN_LIST_REPOSITORY, "reg.example/app@sha256:III"]);
}

#[test]
fn parse_names_a_damaged_line() {
    for text in ["", " \r\n", "\u{feff}"] {
        assert_eq!(error_text(text), "the file is empty", "{text:?}");
    }
    assert_eq!(error_text("r.x/a:1"), "line 1 names an image without its digest: r.x/a:1");
    assert_eq!(error_text("sha256:HHH\nlatest"), "line 2 names an image without its digest: latest");
    let neither = "is neither a digest nor a reference with a digest:";
    for (line, text) in [
        (1, "sha256:HH"),
        (1, "sha256:HHHa"),
        (1, "docker: command not found"),
        (1, "HH  r.x/a:1"),
        (1, "HHH  R.x/A:1"),
        (1, "HHH  r.x/a@sha256:III"),
        (2, "sha256:HHH\n<html>"),
    ] {
        let last = text.lines().last().unwrap();
        assert_eq!(error_text(text), format!("line {line} {neither} {last}"), "{text:?}");
    }
    // An id of 64 digits alone is not a digest, nor a name.
    assert_eq!(error_text("HHH"), format!("line 1 {neither} HHH"));
    let selection = ImageSelection { default_repository: &list(), build_targets: &[] };
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("sha256:".bytes().flat_map(|byte| [byte, 0])).collect();
    assert_eq!(parse(&utf16, &selection), Err(BuildOutputError::Utf16));
    assert_eq!(parse(b"sha256:x\n\xff", &selection), Err(BuildOutputError::NotUtf8 { line: 2 }));
    let sanitized = error_text("a\u{1b}[2J\u{202e}b");
    assert_eq!(sanitized, format!("line 1 {neither} a?[2J?b"));
}

#[test]
fn buildx_metadata_gives_the_image_in_the_lists_repository() {
    let own = r#"{"containerimage.digest":"sha256:HHH","image.name":"me/app:1,reg.example/app:1"}"#;
    assert_eq!(images(own), [IMAGE_IN_LIST_REPOSITORY]);
    let other = r#"{"containerimage.digest":"sha256:HHH","image.name":"me/app:1,r.x/app:1"}"#;
    assert_eq!(images(other), ["docker.io/me/app@sha256:HHH"]);
    for nameless in
        [r#"{"containerimage.digest":"sha256:HHH"}"#, r#"{"containerimage.digest":"sha256:HHH","image.name":""}"#]
    {
        assert_eq!(images(nameless), [IMAGE_IN_LIST_REPOSITORY]);
    }
    // As buildx 0.36 writes it.
    let complete = r#"{
  "buildx.build.provenance": {"builder": {"id": ""}, "materials": []},
  "buildx.build.ref": "builder/builder0/3sdb4kq5ai6wq1dyhqoqe0o1z",
  "containerimage.config.digest": "sha256:III",
  "containerimage.descriptor": {
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "digest": "sha256:HHH",
    "size": 856
  },
  "containerimage.digest": "sha256:HHH",
  "image.name": "reg.example/app"
}"#;
    assert_eq!(images(complete), [IMAGE_IN_LIST_REPOSITORY]);
    let imagetools =
        r#"{"containerimage.descriptor":{"mediaType":"m","digest":"sha256:HHH","size":645},"image.name":"r.x/app"}"#;
    assert_eq!(images(imagetools), ["r.x/app@sha256:HHH"]);
}

#[test]
fn parse_refuses_damaged_buildx_metadata() {
    for (text, expected) in [
        (r#"{"containerimage.digest":"sha256:HH"}"#, "containerimage.digest is not a digest: sha256:HH"),
        (r#"{"containerimage.digest":null}"#, "containerimage.digest is not a digest: "),
        (r#"{"containerimage.descriptor":{"digest":"x"}}"#, "containerimage.descriptor digest is not a digest: x"),
        (r#"{"containerimage.descriptor":[]}"#, "containerimage.descriptor is not a digest: "),
        (
            r#"{"containerimage.digest":"sha256:HHH","containerimage.descriptor":{"digest":"sha256:III"}}"#,
            "the file says sha256:III in one place and sha256:HHH in another",
        ),
        (r#"{"containerimage.digest":"sha256:HHH","image.name":"A B"}"#, "image.name is not a reference: A B"),
        (r#"{"buildx.build.ref":"x"}"#, "the JSON is of no kind that is known"),
        ("{}", "the JSON is of no kind that is known"),
        ("[]", "the file names no image"),
        ("[1]", "the JSON is of no kind that is known (item 1)"),
        ("{\"a\":", "the file is not JSON: EOF while parsing a value at line 1 column 5"),
        ("{} x", "the file is not JSON: expected value at line 1 column 4"),
    ] {
        assert_eq!(error_text(text), expected, "{text}");
    }
    let deep = "[".repeat(200);
    assert!(error_text(&deep).starts_with("the file is not JSON: recursion limit exceeded"), "{}", error_text(&deep));
}

#[test]
fn bake_metadata_is_selected_by_target() {
    let one = r#"{"buildx.build.warnings":[{"vertex":"x"}],"base":{"buildx.build.ref":"b"},
        "web":{"containerimage.digest":"sha256:HHH","image.name":"me/web"}}"#;
    let read = read_with(one, &[]).unwrap();
    assert_eq!(masked_references(&read), ["docker.io/me/web@sha256:HHH"]);
    assert_eq!(read.notes, ["the target base has no digest and is left out"]);
    assert_eq!(read.images[0].position, "web");
    let two = r#"{"db":{"containerimage.digest":"sha256:III"},"web":{"containerimage.digest":"sha256:HHH"}}"#;
    assert_eq!(error_text(two), "the file has several targets: db, web");
    assert_eq!(masked_references(&read_with(two, &["web"]).unwrap()), [IMAGE_IN_LIST_REPOSITORY]);
    assert_eq!(read_with(two, &["web", "db"]).unwrap().images.len(), 2);
    assert_eq!(read_with(two, &["wed"]).unwrap_err(), "no target wed with a digest; there is: db, web");
    assert_eq!(error_text(r#"{"a":{"x":1},"b":{}}"#), "no target has a digest: a, b");
    assert_eq!(read_with(r#"{"a":{}}"#, &["a"]).unwrap_err(), "no target a with a digest; there is: none");
    assert_eq!(
        error_text(r#"{"a":{"containerimage.digest":"sha256:HHH"},"b":1}"#),
        "the JSON is of no kind that is known (b)"
    );
    let damaged = r#"{"web":{"containerimage.digest":"sha256:"}}"#;
    assert_eq!(error_text(damaged), "containerimage.digest of web is not a digest: sha256:");
}

#[test]
fn maps_of_digests_are_selected_by_name() {
    assert_eq!(images(r#"{"web":"sha256:HHH"}"#), [IMAGE_IN_LIST_REPOSITORY]);
    let two = r#"{"web":"sha256:HHH","db":"sha256:III"}"#;
    assert_eq!(error_text(two), "the file has several targets: web, db");
    assert_eq!(masked_references(&read_with(two, &["web"]).unwrap()), [IMAGE_IN_LIST_REPOSITORY]);
    assert_eq!(error_text(r#"{"web":"sha256:HHH","db":"III"}"#), "db is not a digest: III");
    assert_eq!(error_text(r#"{"web":"sha256:HHH","n":3}"#), "n is not a digest: 3");
    // kaniko, one object a line.
    let kaniko = "{\"name\":\"r.x/a:1\",\"digest\":\"sha256:HHH\"}\n{\"name\":\"r.x/b:1\",\"digest\":\"sha256:III\"}\n";
    assert_eq!(images(kaniko), ["r.x/a@sha256:HHH", "r.x/b@sha256:III"]);
    assert_eq!(images(r#"{"mediaType":"m","digest":"sha256:HHH","size":3}"#), [IMAGE_IN_LIST_REPOSITORY]);
    assert_eq!(images(r#"["r.x/a:1@sha256:HHH","sha256:III"]"#), ["r.x/a@sha256:HHH", "reg.example/app@sha256:III"]);
    assert_eq!(error_text(r#"["r.x/a:1"]"#), "item 1 names an image without its digest: r.x/a:1");
    assert_eq!(error_text("{\"name\":\"r.x/a:1\",\"digest\":\"\"}"), "digest is not a digest: ");
}

#[test]
fn jib_output_of_an_unpushed_image_is_refused() {
    let jib =
        r#"{"image":"r.x/i:1","imageId":"sha256:III","imageDigest":"sha256:HHH","tags":["1"],"imagePushed":PUSHED}"#;
    assert_eq!(images(&jib.replace("PUSHED", "true")), ["r.x/i@sha256:HHH"]);
    assert_eq!(images(&jib.replace(",\"imagePushed\":PUSHED", "")), ["r.x/i@sha256:HHH"]);
    assert_eq!(error_text(&jib.replace("PUSHED", "false")), "the image r.x/i:1 was not pushed");
    assert_eq!(error_text(r#"{"image":"r.x/i:1","imageDigest":"III"}"#), "imageDigest is not a digest: III");
}

#[test]
fn goreleaser_artifacts_give_images_and_lists() {
    let artifacts = r#"[
        {"name":"app_linux_amd64.tar.gz","type":"Archive","extra":{"ID":"app"}},
        {"name":"r.x/app:1-amd64","type":"Docker Image","extra":{"ID":"app"}},
        {"name":"r.x/app:1-amd64","type":"Docker Image","extra":{"Digest":"sha256:HHH","ID":"app"}},
        {"name":"r.x/app:1","type":"Docker Manifest","extra":{"Digest":"sha256:III","ID":"all"}},
        {"name":"r.x/new:1","type":"Docker Image V2","extra":{"Digest":"sha256:HHH","ID":"new"}},
        {"name":"r.x/old:1","type":"Docker Image","extra":{"ID":"app"}}]"#;
    let read = read_with(artifacts, &[]).unwrap();
    assert_eq!(masked_references(&read), ["r.x/app@sha256:HHH", "r.x/app@sha256:III", "r.x/new@sha256:HHH"]);
    assert_eq!(read.notes, ["the artifact r.x/old:1 has no digest and is left out"]);
    assert_eq!(masked_references(&read_with(artifacts, &["all"]).unwrap()), ["r.x/app@sha256:III"]);
    assert_eq!(read_with(artifacts, &["x"]).unwrap_err(), "no target x with a digest; there is: all, app, new");
    let none = r#"[{"name":"a.tar.gz","type":"Archive"}]"#;
    assert_eq!(error_text(none), "the file names no image");
    let unpushed = r#"[{"name":"r.x/a:1","type":"Docker Image","extra":{}}]"#;
    assert_eq!(error_text(unpushed), "no target has a digest: r.x/a:1");
    let damaged = r#"[{"name":"r.x/a:1","type":"Docker Image","extra":{"Digest":"HHH"}}]"#;
    assert_eq!(error_text(damaged), "Digest of r.x/a:1 is not a digest: HHH");
}

#[test]
fn parse_reads_our_own_output() {
    let pushed =
        r#"{"reference":"r.x/app:1","digest":"sha256:HHH","size":1,"mediaType":"m","platforms":[],"dryRun":DRY}"#;
    assert_eq!(images(&pushed.replace("DRY", "false")), ["r.x/app@sha256:HHH"]);
    assert_eq!(images(&format!("[{}]", pushed.replace("DRY", "false"))), ["r.x/app@sha256:HHH"]);
    assert_eq!(
        error_text(&pushed.replace("DRY", "true")),
        "r.x/app:1 is the result of a dry run: nothing was published"
    );
    let draft = r#"{"reference":"r.x/app:1","digest":"sha256:HHH","local":true}"#;
    assert_eq!(error_text(draft), "r.x/app:1 is a draft: nothing was published");
    let failed = r#"{"error":{"kind":"auth","message":"no login"}}"#;
    assert_eq!(error_text(failed), "the file is the error of a command that failed: no login");
    let exported = "image: r.x/app:2\nmanifests:\n  - image: r.x/app@sha256:HHH\n    platform: linux/arm64\n  - \
        image: r.x/b:1@sha256:III\n";
    let read = read_with(exported, &[]).unwrap();
    assert_eq!(masked_references(&read), ["r.x/app@sha256:HHH", "r.x/b@sha256:III"]);
    assert_eq!(read.notes.len(), 1, "the platform is not read");
    assert_eq!(images(r#"{"image":"r.x/a:2","manifests":[{"image":"r.x/a@sha256:HHH"}]}"#), ["r.x/a@sha256:HHH"]);
    let tags = error_text("image: r.x/app:2\nmanifests:\n  - image: r.x/app:1\n");
    assert_eq!(tags, "image 1 of `manifests` names an image without its digest: r.x/app:1");
    assert!(error_text("manifests: 3\n").starts_with("the file describes a list and cannot be read: "));
}

#[test]
fn parse_refuses_registry_content() {
    let expected = "push it first, then give its digest";
    assert_eq!(
        error_text(r#"{"imageLayoutVersion":"1.0.0"}"#),
        format!("the file is a part of an OCI layout: {expected}")
    );
    assert_eq!(error_text(r#"{"schemaVersion":2,"manifests":[]}"#), format!("the file is a manifest: {expected}"));
}

#[test]
fn digest_from_file_name_reads_names_of_digests() {
    for name in [H.to_owned(), format!("sha256:{H}"), format!("sha256-{H}")] {
        assert_eq!(
            digest_from_file_name(&name).map(|digest| digest.to_string()),
            Some(format!("sha256:{H}")),
            "{name}"
        );
    }
    for name in ["", "x", "sha256:", &H[1..], &format!("{H}.txt"), &format!("sha512:{H}"), &H.to_uppercase()] {
        assert_eq!(digest_from_file_name(name), None, "{name}");
    }
}

#[test]
fn parse_refuses_too_many_images() {
    let many: String = (0..=IMAGES_MAX).map(|number| format!("sha256:{number:064x}\n")).collect();
    assert_eq!(error_text(&many), "the file names more than 10000 images");
}

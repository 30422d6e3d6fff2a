//! The results of a push for programs: JSON on stdout, a file with the digest, buildx's metadata file.

use std::fs;

use serde_json::{Value, json};
use testkit::image::fixtures::buildx_index;
use testkit::image::sha256;
use testkit::loopback::{Fault, Rule};

use super::super::OURS;
use super::{Fixture, TARGET_REPOSITORY, image, put_references, request_lines};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.target.put_image("src/amd", "1", &image("amd64", &[b"amd"]));
    fixture.target.put_image(TARGET_REPOSITORY, "arm", &image("arm64", &[b"arm"]));
    fixture.create_draft(&["@src/amd:1", "@dst/app:arm"]);
    fixture
}

#[test]
fn push_json_replaces_dockers_lines() {
    let fixture = fixture();
    let pushed = fixture.push_json(&["-t", "2.0.0"]);
    let (bytes, digest) = fixture.served_with_digest("1");
    let line = |architecture: &str, layer: &[u8]| {
        let image = image(architecture, &[layer]);
        json!({
            "platform": format!("linux/{architecture}"),
            "digest": image.digest(),
            "size": image.manifest.len(),
            "mediaType": image.media_type,
            "reference": format!("{}@{}", fixture.expand_word("@dst/app"), image.digest()),
        })
    };
    let mut expected = json!({
        "reference": fixture.expand_word("@dst/app:1"),
        "digest": digest,
        "size": bytes.len(),
        "mediaType": testkit::image::OCI_INDEX,
        "platforms": [line("arm64", b"arm"), line("amd64", b"amd")],
        "tags": ["2.0.0", "1"],
        "requests": request_lines(&fixture.target).len(),
        "unchanged": false,
        "mounted": 2,
        "copied": { "blobs": 0, "bytes": 0 },
        "dryRun": false,
    });
    assert_eq!(pushed, expected);
    let repeated = fixture.push_json(&["-t", "2.0.0"]);
    (expected["unchanged"], expected["mounted"], expected["requests"]) = (json!(true), json!(0), json!(2 + 2));
    assert_eq!(repeated, expected);
}

#[test]
fn push_quiet_prints_the_digest_alone() {
    let fixture = fixture();
    let digest = fixture.push_json(&["--dry-run"])["digest"].as_str().expect("a digest").to_owned();
    let line = |state: &str, tag: &str| format!("{state}: {}\n", fixture.expand_word(&format!("@dst/app:{tag}")));
    for (flags, expected) in [
        (["-q", "--dry-run"].as_slice(), String::new()),
        (&["-q"], String::new()),
        (&["-q", "-t", "2"], line("already there", "1") + &line("published", "2")),
    ] {
        let pushed = fixture.push(flags).success();
        assert_eq!((pushed.out(), pushed.err()), (format!("{digest}\n"), expected), "{flags:?}");
    }
    assert_eq!(fixture.push_json(&["-q"])["digest"], digest);
    let image = |name: &str| format!("- image: '{}'\n", fixture.expand_word(name));
    let images = [image("@src/amd:1"), image("@dst/app:arm")].concat();
    let spec = |name: &str| format!("image: '{}'\nmanifests:\n{images}", fixture.expand_word(name));
    let specs = format!("{}---\n{}", spec("@dst/app:3"), spec("@dst/app:4"));
    let applied = fixture.sandbox.command(OURS).args(["apply", "-q", "-f", "-"]).stdin(specs).run().success();
    let digests: Vec<String> = ["3", "4"].map(|tag| fixture.served_with_digest(tag).1).into();
    assert_eq!(
        (applied.out().lines().collect::<Vec<_>>(), applied.err()),
        (digests.iter().map(String::as_str).collect(), String::new())
    );
}

#[test]
fn push_writes_result_files_after_success() {
    let fixture = fixture();
    let [digest_file, metadata_file] = ["digest", "metadata.json"].map(|name| fixture.sandbox.path().join(name));
    fs::write(&digest_file, "before").expect("it is written");
    let names = [&digest_file, &metadata_file].map(|file| file.display().to_string());
    let flags = ["--digest-file", names[0].as_str(), "--metadata-file", &names[1], "-t", "2"];
    fixture.target.add_fault(Rule::on("PUT", "/manifests/2"), Fault::status(403));
    assert_eq!(fixture.push(&flags).code, 1);
    assert_eq!((fs::read(&digest_file).expect("it stays"), metadata_file.exists()), (b"before".to_vec(), false));
    fixture.target.clear_faults();
    let _ = fixture.push(&flags).success();
    let (bytes, digest) = fixture.served_with_digest("1");
    assert_eq!(fs::read_to_string(&digest_file).expect("it is there"), digest);
    let metadata: Value = serde_json::from_slice(&fs::read(&metadata_file).expect("it is there")).expect("JSON");
    let descriptor = json!({ "mediaType": testkit::image::OCI_INDEX, "digest": digest, "size": bytes.len() });
    let expected = json!({
        "containerimage.descriptor": descriptor,
        "containerimage.digest": digest,
        "image.name": format!("{},{}", fixture.expand_word("@dst/app:1"), fixture.expand_word("@dst/app:2")),
    });
    assert_eq!(metadata, expected);
}

#[test]
fn a_result_file_on_stdout_keeps_the_other_output() {
    let fixture = fixture();
    let log = fixture.sandbox.path().join("log");
    let script = "exec \"$0\" push --digest-file /dev/stdout \"$1\" >\"$2\"";
    let words = ["-c", script, OURS, &fixture.expand_word("@dst/app:1"), &log.display().to_string()];
    let _ = fixture.sandbox.command("/bin/sh").args(words).run().success();
    let (_, digest) = fixture.served_with_digest("1");
    let written = fs::read_to_string(&log).expect("it is there");
    assert!(written.starts_with("Pushed ref ") && written.ends_with(&format!("\n{digest}\n{digest}")), "{written}");
}

/// The tag has moved by then, and what it serves must be known.
#[test]
fn an_unwritable_result_file_does_not_prevent_the_others() {
    let fixture = fixture();
    let metadata = fixture.sandbox.path().join("metadata.json");
    let flags = ["--digest-file", "/dev/full", "--metadata-file", &metadata.display().to_string()];
    let failed = fixture.push(&flags);
    let (_, digest) = fixture.served_with_digest("1");
    assert_eq!((failed.code, failed.out().lines().last()), (1, Some(digest.as_str())), "{}", failed.err());
    assert!(failed.first_err_line().starts_with("cannot write /dev/full: "), "{}", failed.err());
    let expected =
        format!("  {} is published all the same, with the digest {digest}", fixture.expand_word("@dst/app:1"));
    assert_eq!(failed.err().lines().nth(1), Some(expected.as_str()));
    assert!(fs::read_to_string(&metadata).expect("it is written").contains(&digest));
    let json = fixture.push(&[&["--format", "json"][..], &flags].concat());
    let error: Value = serde_json::from_str(json.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((&error["error"]["kind"], &error["error"]["path"]), (&"output".into(), &"/dev/full".into()), "{error}");
    assert_eq!(serde_json::from_slice::<Value>(&json.stdout).expect("JSON")["digest"], digest);
}

/// The draft cannot be removed, as where docker's directory is read-only.
#[test]
fn a_draft_that_cannot_be_purged_does_not_hide_that_its_list_is_published() {
    let fixture = fixture();
    let locks = fixture.sandbox.store().join(".docker-manifest/locks");
    std::fs::remove_dir_all(&locks).expect("no process holds a lock");
    fs::write(&locks, "").expect("a file in the place of the directory");
    let failed = fixture.push(&["--purge"]);
    let (_, digest) = fixture.served_with_digest("1");
    assert_eq!((failed.code, failed.out().lines().last()), (1, Some(digest.as_str())), "{}", failed.err());
    let expected =
        format!("  {} is published all the same, with the digest {digest}", fixture.expand_word("@dst/app:1"));
    assert!(failed.err().lines().any(|line| line == expected), "{}", failed.err());
}

/// The same for results of several lists, and of a copy.
#[test]
fn a_full_disk_does_not_hide_what_is_published() {
    let fixture = fixture();
    let (host, list) = (fixture.target.host(), fixture.expand_word("@dst/app:1"));
    let _ = fixture.push(&["--format=json"]).success();
    let spec = |target: &str| format!("image: {host}/dst/app:{target}\nmanifests:\n  - image: {host}/dst/app:1\n");
    fixture.sandbox.write("two.yaml", format!("{}---\n{}", spec("2"), spec("3")));
    fixture.sandbox.write("half.yaml", format!("{}---\n{}", spec("4"), spec("5")));
    fixture.target.add_fault(Rule::on("PUT", "/manifests/5"), Fault::status(403));
    let full = |words: &str| {
        let script = format!("exec \"$0\" {words} >/dev/full");
        fixture.sandbox.command("/bin/sh").args(["-c", &script, OURS]).run()
    };
    let all_published =
        format!("lists that are published: {host}/dst/app:2, {host}/dst/app:3; lists that are not: none");
    let half_published = format!("lists that are published: {host}/dst/app:4; lists that are not: {host}/dst/app:5");
    let copied = format!("{host}/dst/app:copy is published all the same, with the digest ");
    for (words, expected) in [
        ("apply --format=json -f two.yaml", all_published),
        ("apply --format=json -f half.yaml", half_published),
        (&*format!("copy {list} {host}/dst/app:copy"), copied),
    ] {
        let failed = full(words);
        assert_eq!(failed.code, 1, "{words}");
        assert!(failed.err().contains(&expected), "{words}: {}", failed.err());
        assert!(failed.err().contains("cannot write the output: "), "{words}: {}", failed.err());
    }
}

#[test]
fn an_unwritable_result_file_is_reported_before_any_request() {
    let fixture = fixture();
    let unwritable = fixture.sandbox.path().join("none/digest").display().to_string();
    for flag in ["--digest-file", "--metadata-file"] {
        let refused = fixture.push(&[flag, &unwritable]);
        assert_eq!((refused.code, refused.out()), (1, String::new()));
        assert!(refused.first_err_line().starts_with(&format!("cannot write {unwritable}: ")), "{}", refused.err());
        assert_eq!(request_lines(&fixture.target), [""; 0]);
    }
}

#[test]
fn a_repeated_push_has_the_same_bytes_and_reports_unchanged() {
    let fixture = fixture();
    let _ = fixture.push(&[]).success();
    let (bytes, digest) = fixture.served_with_digest("1");
    fixture.target.clear_record();
    let repeated = fixture.push(&["--verbose"]).success();
    assert_eq!(repeated.err(), format!("unchanged: {} is {digest}\n", fixture.expand_word("@dst/app:1")));
    assert_eq!(put_references(&fixture.target), [""; 0]);
    let other = self::fixture();
    let _ = other.push(&["--jobs", "1"]).success();
    assert_eq!((other.served_with_digest("1").0, sha256(&bytes)), (bytes, digest));
}

#[test]
fn push_verbose_reports_each_step() {
    let fixture = fixture();
    let pushed = fixture.push(&["--verbose"]).success();
    let amd64 = image("amd64", &[b"amd"]);
    let with_digest = |digest: String| format!("{}@{digest}", fixture.expand_word("@dst/app"));
    let mut lines: Vec<String> = pushed.err().lines().map(str::to_owned).collect();
    let last = lines.pop().unwrap_or_default();
    assert_eq!(last, format!("put {} as {}", fixture.expand_word("@dst/app:1"), fixture.served_with_digest("1").1));
    lines.sort();
    let mut expected = [
        format!("mounted {}", with_digest(sha256(b"amd"))),
        format!("mounted {}", with_digest(amd64.config_digest())),
        format!("put {}", with_digest(amd64.digest())),
    ];
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn platforms_are_printed_in_list_order() {
    let fixture = Fixture::new();
    fixture.source.put_index("src/multi", "1", &buildx_index(&["linux/amd64", "linux/arm64", "linux/s390x"]));
    fixture.create_draft(&["%src/multi:1"]);
    let pushed: Value =
        serde_json::from_str(&fixture.push(&["--type", "oci", "--format", "json"]).success().out()).unwrap();
    let printed = pushed["platforms"].as_array().unwrap().iter().map(|row| row["digest"].as_str().unwrap().to_owned());
    let (printed, listed) = (printed.collect::<Vec<_>>(), fixture.children("1"));
    assert_eq!((printed.len(), printed), (6, listed));
}

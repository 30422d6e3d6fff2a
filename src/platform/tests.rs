//! Tests of reading, comparing and displaying platforms. Expected values are containerd's, where it has one.

use proptest::prelude::*;

use super::*;

fn platform(os: &str, architecture: &str, variant: &str) -> Platform {
    Platform { os: os.into(), architecture: architecture.into(), variant: variant.into(), ..Platform::default() }
}

fn parsed(text: &str) -> Platform {
    Platform::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn parse_normalises_words_and_keeps_variants() {
    let cases = [
        ("linux/amd64", platform("linux", "amd64", "")),
        ("linux/x86_64", platform("linux", "amd64", "")),
        ("linux/x86-64/v2", platform("linux", "amd64", "v2")),
        ("linux/amd64/v1", platform("linux", "amd64", "v1")),
        ("linux/amd64/v3", platform("linux", "amd64", "v3")),
        ("linux/amd64/3", platform("linux", "amd64", "v3")),
        ("LINUX/ARM64", platform("linux", "arm64", "")),
        ("linux/aarch64", platform("linux", "arm64", "")),
        ("linux/arm64/v8", platform("linux", "arm64", "v8")),
        ("linux/arm64/8", platform("linux", "arm64", "v8")),
        ("linux/arm64/v8.0", platform("linux", "arm64", "v8")),
        ("linux/arm64/9.0", platform("linux", "arm64", "v9")),
        ("linux/arm64/v8.2", platform("linux", "arm64", "v8.2")),
        ("linux/arm", platform("linux", "arm", "")),
        ("linux/arm/7", platform("linux", "arm", "v7")),
        ("linux/armv7l", platform("linux", "arm", "v7")),
        ("linux/armhf", platform("linux", "arm", "v7")),
        ("linux/armel", platform("linux", "arm", "v6")),
        ("linux/armv6l", platform("linux", "arm", "v6")),
        ("linux/armv5tel", platform("linux", "arm", "v5")),
        ("linux/i386", platform("linux", "386", "")),
        ("linux/i686/x", platform("linux", "386", "")),
        ("linux/ppc64el", platform("linux", "ppc64le", "")),
        ("linux/mips64el", platform("linux", "mips64le", "")),
        ("linux/loongarch64", platform("linux", "loong64", "")),
        ("macos/arm64", platform("darwin", "arm64", "")),
        ("wasi/wasm", platform("wasi", "wasm", "")),
        ("wasip1/wasm32", platform("wasip1", "wasm", "")),
        ("templeos/holyc", platform("templeos", "holyc", "")),
    ];
    for (typed, expected) in cases {
        assert_eq!(parsed(typed), expected, "{typed}");
    }
}

#[test]
fn parse_reads_os_versions_in_both_notations() {
    let version = Platform { os_version: "10.0.17763.2300".into(), ..platform("windows", "amd64", "") };
    assert_eq!(parsed("windows/amd64:10.0.17763.2300"), version);
    assert_eq!(parsed("windows(10.0.17763.2300)/amd64"), version);
    let features = Platform { os_features: vec!["win32k".into()], ..version };
    assert_eq!(parsed("windows(10.0.17763.2300+win32k)/amd64"), features);
    let bare = Platform { os_features: vec!["win32k".into()], ..platform("windows", "amd64", "") };
    assert_eq!(parsed("windows(+win32k)/amd64"), bare);
    assert_eq!(parsed("linux/arm/v7:6.1").os_version, "6.1");
}

#[test]
fn invalid_platforms_are_refused_with_a_suggestion() {
    let cases = [
        ("", None),
        ("arm64", Some("linux/arm64")),
        ("x86_64", Some("linux/amd64")),
        ("linux-amd64", Some("linux/amd64")),
        ("linux arm64", Some("linux/arm64")),
        ("linux_arm_v7", Some("linux/arm/v7")),
        ("linux/", None),
        ("/amd64", Some("linux/amd64")),
        ("linux//amd64", Some("linux/amd64")),
        ("linux/arm64/", Some("linux/arm64")),
        ("linux/arm/v7/x", None),
        ("linux/amd64:", None),
        ("linux/am d64", None),
        ("linux/é", None),
        ("windows(10/amd64", None),
        ("windows(10)x/amd64", None),
        ("windows()/amd64:", None),
        ("windows(10)/amd64:10", None),
        ("windows(10+)/amd64", None),
        ("bogus", None),
        ("https://linux/amd64", None),
    ];
    for (typed, suggestion) in cases {
        let expected = PlatformError::Format { typed: typed.into(), suggestion: suggestion.map(Into::into) };
        assert_eq!(Platform::parse(typed), Err(expected), "{typed:?}");
    }
    let error = Platform::parse("arm64").unwrap_err();
    assert_eq!(error.to_string(), "\"arm64\" is not OS/ARCH or OS/ARCH/VARIANT, did you mean 'linux/arm64'?");
}

#[test]
fn check_known_refuses_unknown_words_with_a_suggestion() {
    let cases = [
        ("linux/amd46", "unknown architecture \"amd46\", did you mean 'linux/amd64'?"),
        ("linux/arm46/v8", "unknown architecture \"arm46\", did you mean 'linux/arm64/v8'?"),
        ("linxu/arm/v7", "unknown operating system \"linxu\", did you mean 'linux/arm/v7'?"),
        ("widnows/amd64:10.0", "unknown operating system \"widnows\", did you mean 'windows/amd64:10.0'?"),
        ("templeos/amd64", "unknown operating system \"templeos\""),
        ("linux/holyc", "unknown architecture \"holyc\""),
        ("linux/unknown", "unknown architecture \"unknown\""),
    ];
    for (typed, expected) in cases {
        assert_eq!(parsed(typed).check_known().map_err(|error| error.to_string()), Err(expected.to_owned()), "{typed}");
    }
    // Both words are known. Whether an image of the pair exists, only a registry knows.
    for typed in ["linux/amd64", "windows/s390x", "unknown/unknown", "linux/wasm", "linux/arm64/v99"] {
        assert_eq!(parsed(typed).check_known(), Ok(()), "{typed}");
    }
}

#[test]
fn platforms_are_normalised_as_containerd_does() {
    let cases = [
        (platform("linux", "x86_64", ""), platform("linux", "amd64", "")),
        (platform("linux", "x86-64", "v1"), platform("linux", "amd64", "")),
        (platform("linux", "amd64", "v2"), platform("linux", "amd64", "v2")),
        (platform("linux", "amd64", "v3"), platform("linux", "amd64", "v3")),
        (platform("linux", "aarch64", ""), platform("linux", "arm64", "")),
        (platform("linux", "arm64", "v8"), platform("linux", "arm64", "")),
        (platform("linux", "arm64", "8"), platform("linux", "arm64", "")),
        (platform("linux", "arm64", "v8.0"), platform("linux", "arm64", "")),
        (platform("linux", "arm64", "v9"), platform("linux", "arm64", "v9")),
        (platform("linux", "arm", ""), platform("linux", "arm", "v7")),
        (platform("linux", "arm", "6"), platform("linux", "arm", "v6")),
        (platform("linux", "armhf", ""), platform("linux", "arm", "v7")),
        (platform("linux", "armel", ""), platform("linux", "arm", "v6")),
        (platform("linux", "armv7l", ""), platform("linux", "arm", "v7")),
        (platform("linux", "i386", "x"), platform("linux", "386", "")),
        (platform("macOS", "ARM64", "V8"), platform("darwin", "arm64", "")),
        (platform("", "", ""), platform("", "", "")),
        (platform("windows", "", "v8"), platform("windows", "", "v8")),
    ];
    for (before, after) in cases {
        assert_eq!(before.normalized_for_comparison(), after, "{before:?}");
    }
}

#[test]
fn platforms_match_the_requested_platform() {
    let versioned = |version: &str| Platform { os_version: version.to_owned(), ..platform("windows", "amd64", "") };
    let image = |text: &str| parsed(text);
    let cases = [
        (image("linux/amd64"), "linux/amd64", true),
        (image("linux/amd64"), "linux/x86_64", true),
        (image("linux/amd64"), "linux/amd64/v1", true),
        (image("linux/amd64/v3"), "linux/amd64", true),
        (image("linux/amd64"), "linux/amd64/v3", false),
        (image("linux/arm64"), "linux/arm64/v8", true),
        (image("linux/arm64/v8"), "linux/arm64", true),
        (image("linux/arm64/v9"), "linux/arm64", true),
        (image("linux/arm64/v9"), "linux/arm64/v8", false),
        (image("linux/arm/v6"), "linux/arm", true),
        (image("linux/arm/v6"), "linux/arm/v7", false),
        (image("linux/arm/v6"), "linux/armv7l", false),
        (image("linux/arm/v6"), "linux/armel", true),
        (image("linux/arm"), "linux/arm/v7", true),
        (image("linux/arm64"), "linux/arm", false),
        (image("darwin/arm64"), "macos/aarch64", true),
        (image("linux/amd64"), "windows/amd64", false),
        (versioned("10.0.17763.2300"), "windows/amd64", true),
        (versioned("10.0.17763.2300"), "windows/amd64:10.0.17763", true),
        (versioned("10.0.17763.2300"), "windows/amd64:10.0.17763.2300", true),
        (versioned("10.0.17763.2300"), "windows/amd64:10.0.1776", false),
        (versioned("10.0.17763.2300"), "windows/amd64:10.0.20348", false),
        (versioned(""), "windows/amd64:10.0.17763", false),
        (versioned("10.0"), "windows(10.0+win32k)/amd64", false),
        (Platform::default(), "linux/amd64", false),
        (platform("unknown", "unknown", ""), "unknown/unknown", true),
    ];
    for (image, typed, expected) in cases {
        assert_eq!(image.matches(&parsed(typed)), expected, "{image} for {typed}");
    }
    // Platforms that did not come through `parse` count too.
    assert!(!image("linux/arm/v6").matches(&platform("linux", "armv7l", "")));
}

#[test]
fn displayed_platforms_are_what_users_type() {
    assert_eq!(platform("linux", "arm64", "v8").to_string(), "linux/arm64/v8");
    assert_eq!(parsed("windows/amd64:10.0.17763.2300").to_string(), "windows/amd64:10.0.17763.2300");
    assert_eq!(Platform::default().to_string(), "-");
    assert_eq!(platform("linux", "", "").to_string(), "linux/-");
    assert_eq!(platform("", "arm64", "").to_string(), "-/arm64");
}

#[test]
fn platforms_are_serialised_in_dockers_order_without_empty_fields() {
    let mut platform = Platform { os: "linux".into(), ..Platform::default() };
    assert_eq!(serde_json::to_string(&platform).unwrap(), r#"{"architecture":"","os":"linux"}"#);
    platform.variant = "v8".into();
    platform.os_version = "1".into();
    platform.os_features = vec!["f".into()];
    platform.features = vec!["sse4".into()];
    assert_eq!(
        serde_json::to_string(&platform).unwrap(),
        r#"{"architecture":"","os":"linux","os.version":"1","os.features":["f"],"variant":"v8","features":["sse4"]}"#
    );
}

fn word() -> impl Strategy<Value = String> {
    let odd = "[A-Za-z0-9_.-]{1,8}";
    prop_oneof![
        prop::sample::select(vec!["linux", "windows", "macos", "amd64", "arm64", "arm", "x86_64", "armv7l", "386"])
            .prop_map(str::to_owned),
        odd,
    ]
}

fn variant() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        prop::sample::select(vec!["v1", "v6", "v7", "8", "V8", "v8.0", "9.0"]).prop_map(str::to_owned),
        "[A-Za-z0-9_.-]{1,5}",
    ]
}

proptest! {
    #[test]
    fn displayed_platforms_are_parsed_as_the_same_value(
        os in word(), architecture in word(), variant in variant(), version in "([0-9.]{1,9})?"
    ) {
        let mut text = format!("{os}/{architecture}");
        if !variant.is_empty() {
            text.push_str(&format!("/{variant}"));
        }
        if !version.is_empty() {
            text.push_str(&format!(":{version}"));
        }
        let platform = Platform::parse(&text).unwrap();
        prop_assert_eq!(Platform::parse(&platform.to_string()), Ok(platform.clone()));
        prop_assert!(platform.matches(&platform));
    }

    #[test]
    fn normalising_a_platform_is_idempotent(os in ".{0,8}", architecture in word(), variant in variant()) {
        let once = platform(&os, &architecture, &variant).normalized_for_comparison();
        prop_assert_eq!(once.normalized_for_comparison(), once);
    }

    #[test]
    fn parsing_a_platform_never_panics(text in ".{0,24}", architecture in ".{0,12}") {
        // The result is a platform or an error, never a panic.
        if let Ok(platform) = Platform::parse(&text) {
            prop_assert!(!platform.os.is_empty() && !platform.architecture.is_empty());
        }
        let _ = resolve_architecture_alias(&architecture);
    }
}

//! Tests of both dialects on the same files, and of their warnings.

use super::*;

pub(super) fn target(text: &str) -> Target {
    Target::parse(text).unwrap()
}

fn read(text: &str, dialect: Dialect) -> Result<ParsedSpecs, String> {
    parse(text, "f", dialect, &|_| None).map_err(|error| error.to_string())
}

fn warnings(parsed: &ParsedSpecs) -> Vec<String> {
    parsed.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn target_records_whether_a_tag_was_given() {
    let digest = format!("r.x/a@sha256:{}", "ab".repeat(32));
    for (text, is_untagged, shown) in [
        ("a", true, "docker.io/library/a"),
        ("r.x:5000/a", true, "r.x:5000/a"),
        ("r.x/a:latest", false, "r.x/a:latest"),
        (&digest, false, &digest),
    ] {
        let target = target(text);
        assert_eq!((target.is_untagged, target.to_string().as_str()), (is_untagged, shown), "{text}");
        assert_eq!(Target::parse(&target.to_string()), Ok(target));
    }
}

const UNKNOWN_KEYS: &str = "image: l
variant: v7
x-common: &c {os: windows, features: []}
manifests:
- image: i
  sha: abc
  platform: {<<: *c, architecture: amd64, version: 1809}
";

#[test]
fn manifest_tool_dialect_skips_unknown_keys_with_a_warning() {
    let parsed = read(UNKNOWN_KEYS, Dialect::ManifestTool).unwrap();
    assert_eq!(
        warnings(&parsed),
        [
            "f:2:1: unknown key `variant` in a spec; it is skipped",
            "f:3:1: unknown key `x-common` in a spec; it is skipped",
            "f:6:3: unknown key `sha` in an entry of `manifests`; it is skipped",
            "f:7:43: unknown key `version` in `platform`; it is skipped",
        ]
    );
    let platform = parsed.specs[0].manifests[0].platform.clone().unwrap();
    assert_eq!(platform.to_string(), "windows/amd64");
}

#[test]
fn native_dialect_refuses_unknown_keys_except_extensions() {
    let error = read(UNKNOWN_KEYS, Dialect::Native).unwrap_err();
    assert_eq!(error, "f:2:1: unknown key `variant` in a spec; it belongs in `platform`");
    let without_lines =
        |lines: &[&str]| lines.iter().fold(UNKNOWN_KEYS.to_owned(), |text, line| text.replace(line, ""));
    let error = read(&without_lines(&["variant: v7\n", "  sha: abc\n"]), Dialect::Native).unwrap_err();
    // `osversion: 1809` is not suggested, because no host matches that.
    let expected = "f:5:43: unknown key `version` in `platform`; leave it out: an image says its own version";
    assert_eq!(error, expected);
    let parsed = read(&without_lines(&["variant: v7\n", "  sha: abc\n", ", version: 1809"]), Dialect::Native).unwrap();
    assert_eq!(warnings(&parsed), [""; 0]);
    let extensions_everywhere = "{image: l, x-: 1, manifests: [{image: i, x-a: [], platform: {os: linux, x-b: {}}}]}";
    assert!(read(extensions_everywhere, Dialect::Native).is_ok());
    assert!(read(&extensions_everywhere.replace("x-b", "X-b"), Dialect::Native).is_err());
}

#[test]
fn parser_warns_of_an_os_version_that_no_host_has() {
    let spec = |platform: &str| format!("image: l\nmanifests:\n- image: i\n  platform: {platform}\n");
    for (platform, column, version) in [
        ("{os: windows, architecture: amd64, osversion: 1809}", 59, "1809"),
        ("{os: windows, architecture: amd64, os.version: ltsc2022}", 60, "ltsc2022"),
        ("{os: windows, architecture: amd64, osVersion: 10.0.}", 59, "10.0."),
        ("windows/amd64:1809", 13, "1809"),
    ] {
        for dialect in [Dialect::Native, Dialect::ManifestTool] {
            let parsed = read(&spec(platform), dialect).unwrap();
            let expected = format!(
                "f:4:{column}: `osversion`: \"{version}\" is not a version such as 10.0.17763.1, so no host will \
                 match it"
            );
            assert_eq!(warnings(&parsed), [expected], "{platform}");
            assert_eq!(parsed.specs[0].manifests[0].platform.as_ref().unwrap().os_version, version);
        }
    }
    for version in ["10.0", "10.0.17763.2300", "''"] {
        let parsed = read(&spec(&format!("{{os: windows, osversion: {version}}}")), Dialect::Native).unwrap();
        assert_eq!(warnings(&parsed), [""; 0], "{version}");
    }
}

#[test]
fn manifest_tool_dialect_takes_empty_fields_from_the_image() {
    let text = "{image: l, manifests: [{image: i, platform: {variant: '', osversion: \"\", osfeatures: []}}]}";
    let explicitly_empty = |dialect| read(text, dialect).unwrap().specs[0].manifests[0].explicitly_empty;
    assert_eq!(explicitly_empty(Dialect::ManifestTool), EmptyFields::default());
    assert_eq!(explicitly_empty(Dialect::Native), EmptyFields { variant: true, os_version: true, os_features: true });
}

#[test]
fn parser_limits_the_number_of_warnings() {
    let keys: String = (0..1000).map(|key| format!("k{key}: 1\n")).collect();
    let parsed = read(&format!("image: l\nmanifests: [{{image: i}}]\n{keys}"), Dialect::ManifestTool).unwrap();
    assert_eq!(parsed.warnings.len(), 100);
    let lines: Vec<usize> = parsed.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, (3..103).collect::<Vec<_>>());
}

//! Tests of the parser with valid specs, invalid specs, and texts that are not specs.

use super::dialect_tests::target;
use super::*;

pub(super) fn environment(name: &str) -> Option<String> {
    match name {
        "REGISTRY" => Some("r.x:5000".to_owned()),
        "EMPTY" => Some(String::new()),
        "BREAKOUT" => Some("x\n- y: [".to_owned()),
        _ => None,
    }
}

pub(super) fn read(text: &str) -> Result<Vec<Spec>, SpecError> {
    parse(text, "spec.yaml", Dialect::Native, &environment).map(|parsed| parsed.specs)
}

pub(super) fn parse_one(text: &str) -> Spec {
    let specs = read(text).unwrap_or_else(|error| panic!("{error}\n{}", error.excerpt()));
    assert_eq!(specs.len(), 1, "{text}");
    specs.into_iter().next().unwrap()
}

pub(super) fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

pub(super) fn optional_platform(platform: Option<&Platform>) -> String {
    platform.map(platform_check::format_platform).unwrap_or_default()
}

pub(super) const FULL: &str = r#"
image: reg/repo:tag
tags: ["1.0", "1"]              # more tags for the same list
annotations: {k: v, "k 2": "v: 2"}
artifactType: application/vnd.x+json
type: oci
attestations: drop
require: [linux/arm64/v8, "windows/amd64:10.0.17763"]
manifests:
  - image: reg/repo:arm64
    platform: {architecture: arm64, os: linux, variant: v8, osversion: "1.2", osfeatures: [a, b], features: [sse]}
    annotations:
      org.example: yes
    artifactType: application/x
  - image: other:5000/repo@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
"#;

#[test]
fn parser_reads_every_key() {
    let spec = parse_one(FULL);
    assert_eq!(spec.targets, [target("reg/repo:tag")]);
    assert_eq!(spec.tags, ["1.0", "1"]);
    let annotations = [("k", "v"), ("k 2", "v: 2")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(spec.annotations, BTreeMap::from(annotations));
    assert_eq!(spec.artifact_type.as_deref(), Some("application/vnd.x+json"));
    assert_eq!(spec.list_format, Some(ListFormat::Oci));
    assert_eq!(spec.attestations, Some(AttestationsPolicy::Drop));
    assert_eq!(
        spec.require.iter().map(platform_check::format_platform).collect::<Vec<_>>(),
        ["linux/arm64/v8", "windows/amd64:10.0.17763"]
    );
    let [first, second] = spec.manifests.as_slice() else { panic!("{:?}", spec.manifests) };
    let platform = first.platform.as_ref().unwrap();
    assert_eq!(platform_check::format_platform(platform), "linux(1.2+a+b)/arm64/v8");
    assert_eq!((&platform.os_features, &platform.features), (&vec!["a".into(), "b".into()], &vec!["sse".into()]));
    assert_eq!(first.annotations["org.example"], "yes");
    assert_eq!(first.artifact_type.as_deref(), Some("application/x"));
    assert_eq!(*second, SpecEntry::new(second.image.clone()));
    assert!(second.image.reference().is_some_and(|name| name.digest().is_some() && name.tag().is_none()));
}

#[test]
fn parser_accepts_other_spellings_and_notations() {
    for text in [
        "{image: x, manifests: [{image: a, platform: {os: windows, architecture: amd64, os.version: 10.0}}]}",
        "{image: x, manifests: [{image: a, platform: {os: Windows, architecture: x86_64, osVersion: 10.0}}]}",
        "{image: x, manifests: [{image: a, platform: {os: windows, architecture: amd64, os_version: '10.0'}}]}",
        "{images: [x], manifests: [{image: a, platform: 'windows/amd64:10.0'}]}",
        "{image: [x], tags:, type: ~, manifests: [{image: a, platform: windows(10.0)/amd64, annotations: null}]}",
        "{\n\t\"image\": \"x\",\r\n\t\"manifests\": [\n\t\t{\"image\": \"\\u0061\", \"platform\": \
         \"windows\\/amd64:10.0\"}]}",
        "\u{feff}image: x\r\nmanifests:\r\n- image: a\r\n  platform:\r\n    os: windows\r\n    architecture: \
         amd64\r\n    osversion: 10.0\r\n",
        "%YAML 1.2\n---\nimage: !!str x\nmanifests: !!seq\n- &a !!map {image: a, platform: windows/amd64:10.0}\n...\n",
    ] {
        let spec = parse_one(text);
        assert_eq!(spec.targets, [target("x")], "{text}");
        assert_eq!(spec.manifests[0].image, reference("a").into(), "{text}");
        assert_eq!(optional_platform(spec.manifests[0].platform.as_ref()), "windows/amd64:10.0", "{text}");
        assert_eq!(spec, Spec { targets: spec.targets.clone(), manifests: spec.manifests.clone(), ..Spec::default() });
    }
    let targets = parse_one("{image: [x:1, y/z], manifests: [{image: a}]}").targets;
    assert_eq!(targets, [target("x:1"), target("y/z")]);
}

#[test]
fn missing_platform_fields_come_from_the_image() {
    let platform =
        |text: &str| parse_one(&format!("{{image: x, manifests: [{{image: a, platform: {text}}}]}}")).manifests;
    assert_eq!(platform("{}")[0].platform, None);
    assert_eq!(platform("{os: '', variant: }")[0].platform, None);
    assert_eq!(platform("{variant: v8}")[0].platform, Some(Platform { variant: "v8".into(), ..Platform::default() }));
    assert_eq!(optional_platform(platform("{architecture: 386, os: linux}")[0].platform.as_ref()), "linux/386");
    assert_eq!(optional_platform(platform("{architecture: amd64, variant: v3}")[0].platform.as_ref()), "-/amd64/v3");
    for known in ["linux/arm64/v9.2", "linux/amd64/v1", "linux/riscv64/rva22", "windows/arm64/v8"] {
        assert_eq!(optional_platform(platform(known)[0].platform.as_ref()), known);
    }
    assert_eq!(optional_platform(platform("{architecture: arm64, variant: 8}")[0].platform.as_ref()), "-/arm64/v8");
    assert_eq!(optional_platform(platform("unknown/unknown")[0].platform.as_ref()), "unknown/unknown");
}

#[test]
fn scalars_keep_the_text_of_the_file() {
    let spec = parse_one(
        "{image: x, tags: [1.0, 1, 1e3, 0x1F, 017, on, no, true, null1, 2024-01-01, .5x], manifests: [{image: a}]}"
            .replace(", .5x", "")
            .as_str(),
    );
    assert_eq!(spec.tags, ["1.0", "1", "1e3", "0x1F", "017", "on", "no", "true", "null1", "2024-01-01"]);
    let spec = parse_one(
        "image: x\nannotations:\n  a: off\n  1: ~x\n  b: ''\n  c: !!str ~\n  d: |\n    l1\n    l2\n  e: \
         'null'\nmanifests: [{image: a}]",
    );
    let values: Vec<&str> = spec.annotations.values().map(String::as_str).collect();
    assert_eq!(values, ["~x", "off", "", "~", "l1\nl2\n", "null"]);
}

#[test]
fn several_documents_are_several_specs() {
    let specs =
        read("---\nimage: x\nmanifests: [{image: a}]\n---\n# nothing\n---\nimage: y\nmanifests: [{image: b}]\n---\n")
            .unwrap();
    assert_eq!(specs.iter().map(|spec| spec.targets[0].clone()).collect::<Vec<_>>(), [target("x"), target("y")]);
}

#[test]
fn aliases_and_merges_are_resolved() {
    let spec = parse_one(
        "
image: x
annotations: &common {a: '1', b: '2'}
manifests:
  - image: a
    annotations: {<<: *common, b: '3'}
    platform: &linux {os: linux, architecture: amd64}
  - &last
    image: b
    platform: {<<: [{variant: v7, architecture: arm}, *linux]}
  - *last
  - {<<: *last, image: c}
",
    );
    let annotations: Vec<_> = spec.manifests[0].annotations.iter().map(|(k, v)| format!("{k}{v}")).collect();
    assert_eq!(annotations, ["a1", "b3"]);
    assert_eq!(optional_platform(spec.manifests[1].platform.as_ref()), "linux/arm/v7");
    assert_eq!(spec.manifests[1], spec.manifests[2]);
    assert_eq!(spec.manifests[3], SpecEntry { image: reference("c").into(), ..spec.manifests[1].clone() });
}

#[test]
fn variables_expand_to_values_and_never_to_structure() {
    let spec = parse_one(
        "
image: ${REGISTRY}/app:${TAG:-v1}
tags: [\"${TAG:-1.0}\"]
annotations: {\"${KEY}\": $$5, b: \"${BREAKOUT}\", c: '${EMPTY}', d: $}
type: ${TYPE:-oci}
manifests:
  - image: '${REGISTRY}/app:a'
    platform: {os: \"${EMPTY:-linux}\", architecture: arm, variant: \"${EMPTY}\"}
",
    );
    assert_eq!(spec.targets, [target("r.x:5000/app:v1")]);
    assert_eq!(spec.tags, ["1.0"]);
    let annotations: Vec<_> = spec.annotations.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(annotations, ["${KEY}=$5", "b=x\n- y: [", "c=", "d=$"]);
    assert_eq!(spec.list_format, Some(ListFormat::Oci));
    assert_eq!(optional_platform(spec.manifests[0].platform.as_ref()), "linux/arm");
}

/// The error as a user sees it.
fn error_text(text: &str) -> String {
    match read(text) {
        Ok(specs) => panic!("{text}\nis read as {specs:?}"),
        Err(error) => format!("{error}\n{}", error.excerpt()),
    }
}

#[test]
fn error_shows_its_position_and_line() {
    assert_eq!(
        error_text("image: x\nmanifests:\n  - image: a\n    platform:\n      achitecture: arm64\n"),
        "spec.yaml:5:7: unknown key `achitecture` in `platform`; did you mean `architecture`?
  5 |       achitecture: arm64
    |       ^^^^^^^^^^^"
    );
    assert_eq!(
        error_text("image: x\r\nmanifests:\r\n\t- image: a\r\n"),
        "spec.yaml:3:2: tabs disallowed within this context (block indentation)
  3 |  - image: a
    |  ^"
    );
    assert_eq!(
        error_text(
            "{\"image\": \"ü\u{202e}\\n\", \"manifests\": [{\"image\": \"a\", \"platform\": {\"os\": \"linus\"}}]}"
        )
        .lines()
        .next(),
        Some("spec.yaml:1:11: `image`: \"ü\u{fffd}\u{fffd}\" is no reference: invalid reference format")
    );
    let long = format!(
        "{{image: x, annotations: {{{}: ''}}, manifests: [{{image: a, platfrom: {{}}, b: {}}}]}}",
        "k".repeat(300),
        "c".repeat(300)
    );
    assert_eq!(
        error_text(&long),
        format!(
            "spec.yaml:1:356: unknown key `platfrom` in an entry of `manifests`; did you mean `platform`?
  1 | …{}: ''}}, manifests: [{{image: a, platfrom: {{}}, b: {}…
    |  {}^^^^^^^^",
            "k".repeat(60 - ": ''}, manifests: [{image: a, ".len()),
            "c".repeat(60 - "platfrom: {}, b: ".len()),
            " ".repeat(60)
        )
    );
}

#[test]
fn each_mistake_is_named_with_a_suggestion() {
    let with_platform = |platform: &str| format!("image: x\nmanifests: [{{image: a, platform: {platform}}}]");
    let mut differences = Vec::new();
    let with_line = |line: &str| format!("image: x\n{line}\nmanifests: [{{image: a}}]");
    for (text, expected) in [
        // Keys.
        (with_line("tag: [a]"), "2:1: unknown key `tag` in a spec; did you mean `tags`?"),
        (with_line("architecture: arm"), "2:1: unknown key `architecture` in a spec; it belongs in `platform`"),
        (
            with_line("zzz: 1"),
            "2:1: unknown key `zzz` in a spec; there is image, tags, source, annotations, artifactType, type, \
             attestations, require, manifests, from",
        ),
        (
            with_platform("{zzz: 1}"),
            "2:35: unknown key `zzz` in `platform`; there is architecture, os, variant, os.version, os.features, \
             features, force",
        ),
        (with_line("? [a]\n: b"), "2:3: a key has to be a word"),
        (with_line("'': b"), "2:1: a key has to be a word"),
        (with_line("image: y"), "2:1: `image` is here a second time; line 1 has it as `image`"),
        (with_line("images: [y]"), "2:1: `images` is here a second time; line 1 has it as `image`"),
        (with_line("annotations: {a: b,\n  a: c}"), "3:3: `a` is here a second time; line 2 has it as `a`"),
        (with_line("annotations: {<<: {a: b}, <<: {c: d}}"), "2:27: `<<` is here a second time; line 2 has it as `<<`"),
        (with_line("annotations: {<<: a}"), "2:19: `<<` takes a mapping or a list of mappings"),
        (
            with_platform("{os: linux, osversion: 1,\n os.version: }"),
            "3:2: `os.version` is here a second time; line 2 has it as `osversion`",
        ),
        (with_platform("{OS: linux}"), "2:35: unknown key `OS` in `platform`; did you mean `os`?"),
        ("image: x".into(), "1:1: a spec needs `manifests`"),
        ("image: x\nmanifests:\n".into(), "1:1: a spec needs `manifests`"),
        ("manifests: [{image: a}]".into(), "1:1: a spec needs `image`"),
        ("image: x\nmanifests: [{platform: linux/arm}]".into(), "2:13: an entry of `manifests` needs `image`"),
        // Kinds.
        ("- image: x".into(), "1:1: a spec has to be a mapping, not a list"),
        ("image".into(), "1:1: a spec has to be a mapping, not a text"),
        (with_line("tags: a"), "2:7: `tags` has to be a list, not a text"),
        (with_line("tags: [[a]]"), "2:8: an item of `tags` has to be a text, not a list"),
        (with_line("tags: [~]"), "2:8: an item of `tags` has to be a text, \"\" for an empty one, not nothing"),
        (with_line("annotations: {a: }"), "2:16: an annotation has to be a text, \"\" for an empty one, not nothing"),
        (with_line("annotations: [a]"), "2:14: `annotations` has to be a mapping, not a list"),
        ("image: {a: b}\nmanifests: [{image: a}]".into(), "1:8: `image` has to be a text or a list, not a mapping"),
        ("image: []\nmanifests: [{image: a}]".into(), "1:8: `image` is empty"),
        ("image: x\nmanifests: []".into(), "2:12: `manifests` is empty"),
        ("image: x\nmanifests: [a]".into(), "2:13: an entry of `manifests` has to be a mapping, not a text"),
        (with_platform("[linux]"), "2:34: `platform` has to be a mapping, not a list"),
        (with_platform("{os: [linux]}"), "2:39: `os` has to be a text, not a list"),
        (with_platform("{features: sse}"), "2:45: `features` has to be a list, not a text"),
        // Words.
        (with_line("type: dcoker"), "2:7: `type`: unknown type \"dcoker\"; did you mean `docker`?"),
        (with_line("type: zip"), "2:7: `type`: unknown type \"zip\"; there is auto, docker, oci"),
        (with_line("attestations: kep"), "2:15: `attestations`: unknown choice \"kep\"; did you mean `keep`?"),
        (with_line("artifactType: x"), "2:15: `artifactType`: \"x\" is no media type"),
        (with_line("tags: [a/b]"), "2:8: \"a/b\" is no tag"),
        (with_line("tags: ['']"), "2:8: \"\" is no tag"),
        (with_line("tags: ['a@b']"), "2:8: \"a@b\" is no tag"),
        (
            with_platform("{os: linus, architecture: arm}"),
            "2:39: `platform`: unknown operating system \"linus\"; did you mean `linux`?",
        ),
        (
            with_platform("{os: linux, architecture: amd46}"),
            "2:60: `platform`: unknown architecture \"amd46\"; did you mean `amd64`?",
        ),
        (with_platform("{architecture: x66, os: plan9}"), "2:49: `platform`: unknown architecture \"x66\""),
        (with_platform("solaris/s390x"), "2:34: no platform solaris/s390x; there is amd64"),
        (with_platform("{os: linux, variant: 'v 8'}"), "2:55: `platform`: unknown variant \"v 8\""),
        (
            with_platform("{os: linux, architecture: arm, variant: v77}"),
            "2:74: `platform`: unknown variant \"v77\"; did you mean `v7`?",
        ),
        (
            with_platform("{os: linux, architecture: amd64, variant: haswell}"),
            "2:76: `platform`: unknown variant \"haswell\"; there is v1, v2, v3, v4",
        ),
        (with_platform("linux/arm64/v8.x"), "2:34: `platform`: unknown variant \"v8.x\"; there is v8, v9"),
        (with_platform("linux"), "2:34: `platform`: \"linux\" is no platform; write it as OS/ARCH or OS/ARCH/VARIANT"),
        (
            with_line("require: [linux/amd65]"),
            "2:11: an item of `require`: unknown architecture \"amd65\"; did you mean `amd64`?",
        ),
        // References.
        (
            "image: X\nmanifests: [{image: a}]".into(),
            "1:8: `image`: \"X\" is no reference: invalid reference format: repository name (library/X) must be \
             lowercase",
        ),
        ("image: ''\nmanifests: [{image: a}]".into(), "1:8: `image`: \"\" is no reference: invalid reference format"),
        (
            format!("image: x\nmanifests: [{{image: \"a@sha256:{}\"}}]", "a".repeat(40)),
            "2:21: `image`: \"a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" is no reference: invalid checksum \
             digest length",
        ),
        // Variables.
        (
            with_line("annotations: {a: \"$$ ${REGISTRY} ${NOT}\"}"),
            "2:34: the environment has no variable NOT; ${NOT:-default} does without it",
        ),
        (
            with_line("annotations:\n  a: |\n    x\n    ${NOT}"),
            "5:5: the environment has no variable NOT; ${NOT:-default} does without it",
        ),
        (
            with_line("annotations: {a: \"${NOT?}\"}"),
            "2:19: ${ begins a variable, ${NAME} or ${NAME:-default}; write $${ for the two signs themselves",
        ),
        // YAML.
        ("".into(), "1:1: no spec in it"),
        ("# x\n---\n...\n".into(), "1:1: no spec in it"),
        (with_line("tags: [a"), "3:10: illegal placement of ':' indicator"),
        (
            with_line("tags: [${TAG}]"),
            "2:9: while parsing a flow sequence, expected ',' or ']'; between brackets ${ has to be in quotes",
        ),
        (with_line("tags: *a"), "2:7: while parsing node, found unknown anchor"),
        (with_line("tags: &a [*a]"), "2:11: an alias inside of what it stands for"),
        (with_line("tags: !!binary aa"), "2:16: the YAML tag tag:yaml.org,2002:binary has no meaning here"),
        (with_line("tags: !x [a]"), "2:10: the YAML tag !x has no meaning here"),
        (format!("image: {}", "[".repeat(1000)), "1:72: recursion limit exceeded"),
    ] {
        let error = error_text(&text);
        if error.lines().next() != Some(format!("spec.yaml:{expected}").as_str()) {
            differences.push(format!("{text}\n{error}\nand not {expected}\n"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn decode_gives_the_position_of_invalid_utf8() {
    let error = decode(b"image: x\ntags: [\xff]", "f").unwrap_err();
    assert_eq!(error.to_string(), "f:2:8: not UTF-8");
    assert_eq!(decode("ü".as_bytes(), "f"), Ok("ü"));
}

#[test]
fn parser_reads_ten_thousand_entries() {
    let mut text = "image: x\nmanifests:\n".to_owned();
    for number in 0..10_000 {
        text.push_str(&format!(
            "  - image: r.x/app:{number}\n    platform: {{os: linux, architecture: amd64}}\n    annotations: {{a: \
             '{number}', b: c}}\n"
        ));
    }
    let spec = parse_one(&text);
    assert_eq!(spec.manifests.len(), 10_000);
    assert_eq!(parse_one(&write(&spec)), spec);
}

#[test]
fn parser_refuses_a_spec_that_grows_without_bound() {
    // Each line is nine times the line before.
    let mut billion_laughs = "image: x\nannotations:\n  a: &a0 {k: v}\nmanifests: [{image: a}]".to_owned();
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        billion_laughs =
            billion_laughs.replace("\nmanifests", &format!("\n  b{level}: &a{level} {{<<: [{aliases}]}}\nmanifests"));
    }
    assert!(error_text(&billion_laughs).contains("an annotation has to be a text, not a mapping"));
    let merged =
        billion_laughs.replace("\n  a: ", "\n  <<: ").replace("b29: &a29 ", "<<: ").replacen("<<: &a0", "a: &a0", 1);
    assert!(!error_text(&merged).is_empty());
    let merges =
        (1..16).map(|level| format!("- &a{level} {{<<: [{}]}}\n", vec![format!("*a{}", level - 1); 9].join(", ")));
    let deep = format!("- &a0 {{}}\n{}- &m {{image: a, <<: *a15}}", merges.collect::<String>());
    let deep = format!("image: x\nmanifests:\n- image: a\n  annotations: {{<<:\n    {}}}", flow(&deep));
    assert!(error_text(&deep).contains("too large for a spec"), "{}", error_text(&deep));
    // A list of everything, everywhere.
    let features = vec!["f"; 20_000].join(", ");
    let entries = "\n- *e".repeat(20_000);
    let wide = format!("image: x\nmanifests:\n- &e {{image: a, platform: {{features: [{features}]}}}}{entries}");
    assert!(error_text(&wide).contains("too large for a spec"));
    let nodes = format!("image: [{}]", "a,".repeat(1 << 20));
    assert!(error_text(&nodes).contains("too large for a spec"));
    assert!(error_text(&" ".repeat(TEXT_BYTES_MAX + 1)).contains("too large for a spec"));
}

/// A block list as a flow list.
fn flow(block: &str) -> String {
    let items: Vec<&str> = block.lines().map(|line| line.trim_start_matches("- ")).collect();
    format!("[{}]", items.join(",\n    "))
}

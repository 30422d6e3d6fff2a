//! Tests of `schemas/manifest-spec.schema.json` against the parser: both must agree on every file's structure.
//!
//! Rules beyond structure, such as known platforms, are checked by the parser alone. No case here breaks one of them.

mod cases;

use cases::cases;
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::schema::Schemas;

const SCHEMA: &str = include_str!("../../../schemas/manifest-spec.schema.json");

/// The name of the schema in errors.
const NAME: &str = "manifest-spec.schema.json";

struct Schema(Schemas);

impl Schema {
    fn new() -> Schema {
        Schema::new_from(document())
    }

    fn new_from(document: Value) -> Schema {
        Schema(Schemas::new([(NAME.to_owned(), document)]))
    }

    fn accepts(&self, value: &Value) -> bool {
        self.0.check(NAME, value).violations.is_empty()
    }
}

fn document() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// The parser's result; JSON is YAML.
fn parse(value: &Value) -> Result<(), String> {
    super::parse(&value.to_string(), "json", super::Dialect::Native, &|_| None)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

#[track_caller]
fn assert_agreement(schema: &Schema, value: &Value) -> bool {
    let (accepts, parsed) = (schema.accepts(value), parse(value));
    assert_eq!(accepts, parsed.is_ok(), "{value}\nschema: {accepts}, parser: {parsed:?}");
    accepts
}

#[test]
fn schema_and_parser_agree_on_each_key() {
    let schema = Schema::new();
    let (accepted, rejected) = cases();
    for (cases, expected) in [(&accepted, true), (&rejected, false)] {
        for case in cases {
            assert_eq!(assert_agreement(&schema, case), expected, "{case}");
        }
    }
}

/// A key that only the schema or only the parser knows is found, even if no case uses it.
#[test]
fn schema_and_parser_have_the_same_keys() {
    use crate::model::spec::spec_reader::{ENTRY, FROM, PLATFORM, SPEC};
    let schema = document();
    for (pointer, mapping) in [
        ("/properties", SPEC),
        ("/$defs/entry/properties", ENTRY),
        ("/$defs/from/anyOf/1/properties", FROM),
        ("/$defs/platformFields/properties", PLATFORM),
    ] {
        let mut in_schema: Vec<&str> =
            schema.pointer(pointer).and_then(Value::as_object).unwrap().keys().map(String::as_str).collect();
        let mut in_parser: Vec<&str> = mapping.keys.to_vec();
        in_schema.sort_unstable();
        in_parser.sort_unstable();
        assert_eq!(in_schema, in_parser, "{pointer}");
        assert!(in_parser.iter().all(|key| KEYS.contains(key)), "{pointer}");
    }
}

/// Checks that the cases are complete: without any rule or key of the schema, a case is decided wrongly.
#[test]
fn every_rule_of_the_schema_is_needed_by_a_case() {
    let complete = Schema::new();
    let (accepted, rejected) = cases();
    let decides_all_cases = |schema: &Schema| {
        accepted.iter().all(|case| schema.accepts(case)) && rejected.iter().all(|case| !schema.accepts(case))
    };
    assert!(decides_all_cases(&complete));
    let mut rules = Vec::new();
    collect_rules(&document(), String::new(), &mut rules);
    assert!(rules.len() > 60, "{rules:?}");
    let mut unneeded = Vec::new();
    for (pointer, name) in rules {
        let mut reduced = document();
        let _ =
            reduced.pointer_mut(&pointer).and_then(Value::as_object_mut).and_then(|rules| rules.shift_remove(&name));
        if decides_all_cases(&Schema::new_from(reduced)) {
            unneeded.push(format!("{pointer}/{name}"));
        }
    }
    // Other rules refuse these too: required keys, and keys that exclude each other.
    assert_eq!(unneeded, ["/type", "/$defs/platformFields/type"], "no case needs these");
}

/// Every rule and every key of the schema, except descriptions, by their JSON pointers.
fn collect_rules(value: &Value, pointer: String, rules: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let deeper = format!("{pointer}/{}", name.replace('/', "~1"));
                if ["$schema", "title", "description", "examples"].contains(&name.as_str()) {
                    continue;
                }
                // Without these nothing can be read.
                if name != "$defs" && !pointer.ends_with("/$defs") {
                    rules.push((pointer.clone(), name.clone()));
                }
                collect_rules(value, deeper, rules);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                collect_rules(item, format!("{pointer}/{number}"), rules);
            }
        }
        _ => {}
    }
}

/// Known keys of all mappings, and some unknown ones.
const KEYS: [&str; 29] = [
    "from",
    "path",
    "target",
    "repository",
    "image",
    "images",
    "tags",
    "source",
    "force",
    "annotations",
    "artifactType",
    "type",
    "attestations",
    "require",
    "manifests",
    "platform",
    "architecture",
    "os",
    "variant",
    "osversion",
    "os.version",
    "osVersion",
    "os_version",
    "osfeatures",
    "os.features",
    "osFeatures",
    "os_features",
    "features",
    "typo",
];

/// A value of any type for a key. Values of the right type are valid.
fn any_value(key: &'static str) -> impl Strategy<Value = Value> {
    let valid = match key {
        "artifactType" => json!("a/b"),
        "type" => json!("oci"),
        "attestations" => json!("keep"),
        "require" | "platform" => json!("linux/arm"),
        "architecture" => json!("arm"),
        "os" => json!("linux"),
        "variant" => json!("v7"),
        "force" => json!(true),
        _ => json!("a1"),
    };
    let item = valid.clone();
    prop_oneof![
        3 => Just(valid.clone()),
        3 => Just(json!([item, valid])),
        1 => Just(json!([])),
        1 => Just(json!({})),
        1 => Just(json!(null)),
        1 => Just(json!([null])),
        1 => Just(json!({"a": "b"})),
        1 => Just(json!({"a": []})),
        1 => Just(json!([{"image": "a"}])),
        1 => Just(json!([{"image": "a"}, {"image": "b", "platform": {"os": "linux"}}])),
        1 => Just(json!({"os": "linux", "osversion": 1})),
    ]
}

/// A change of one member: its mapping (the spec, its entry, the platform of the entry), the key, and the new value.
fn any_change() -> impl Strategy<Value = (usize, &'static str, Option<Value>)> {
    (0..3usize, proptest::sample::select(&KEYS[..])).prop_flat_map(|(target, key)| {
        proptest::option::weighted(0.8, any_value(key)).prop_map(move |value| (target, key, value))
    })
}

thread_local! {
    static SPEC_SCHEMA: Schema = Schema::new();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn schema_and_parser_agree_on_random_changes(changes in proptest::collection::vec(any_change(), 0..4)) {
        let mut value = json!({"image": "x", "manifests": [{"image": "a", "platform": {"os": "linux"}}]});
        for (target, key, change) in changes {
            let pointer = ["", "/manifests/0", "/manifests/0/platform"][target];
            let Some(members) = value.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
            match change {
                Some(change) => members.insert(key.to_owned(), change),
                None => members.shift_remove(key),
            };
        }
        SPEC_SCHEMA.with(|schema| assert_agreement(schema, &value));
    }
}

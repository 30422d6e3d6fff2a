//! A checker of JSON against JSON Schema (draft 2020-12), of the keywords that this repository's schemas use. It
//! refuses any other keyword, so that no rule is passed over. A validator as a dependency would bring fifty crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde_json::{Map, Value};

/// Keywords that assert nothing about a value (annotations).
const ANNOTATION_KEYWORDS: &[&str] = &["$schema", "title", "description", "examples", "$defs"];

/// A rule about a text.
type TextRule = fn(&str) -> bool;

/// The patterns that schemas may have, and what they mean.
const PATTERNS: &[(&str, TextRule)] = &[
    ("\\$\\{", |text| text.contains("${")),
    ("^x-", |text| text.starts_with("x-")),
    ("^[a-z0-9]+:[0-9a-f]+$", |text| {
        let is_of = |part: &str, of: fn(char) -> bool| !part.is_empty() && part.chars().all(of);
        text.split_once(':').is_some_and(|(algorithm, hash)| {
            is_of(algorithm, |c| c.is_ascii_lowercase() || c.is_ascii_digit())
                && is_of(hash, |c| matches!(c, '0'..='9' | 'a'..='f'))
        })
    }),
];

/// Schemas that may refer to each other by their names.
#[derive(Debug)]
pub struct Schemas {
    documents: BTreeMap<String, Value>,
}

/// The result of a validation.
#[derive(Debug, Default)]
pub struct Validation {
    /// Why the value is not as the schema says; empty if it is.
    pub violations: Vec<String>,
    /// The members of the schemas that were used, by their addresses there.
    used: BTreeSet<*const Value>,
}

/// The location of a value in the document.
struct Location<'a> {
    parent: Option<&'a Location<'a>>,
    name: &'a dyn fmt::Display,
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parent.map_or(Ok(()), |parent| write!(f, "{parent}/"))?;
        write!(f, "{}", self.name)
    }
}

impl Validation {
    /// Adds what another check used.
    pub fn add(&mut self, other: Validation) {
        self.violations.extend(other.violations);
        self.used.extend(other.used);
    }
}

impl Schemas {
    /// These schemas, by name.
    ///
    /// # Panics
    /// When a keyword or a pattern is not known here, or a reference leads nowhere.
    pub fn new(documents: impl IntoIterator<Item = (String, Value)>) -> Schemas {
        let schemas = Schemas { documents: documents.into_iter().collect() };
        for (name, document) in &schemas.documents {
            each_schema(document, &mut |schema| schemas.check_keywords(name, schema));
        }
        schemas
    }

    /// Every `*.schema.json` of a directory.
    ///
    /// # Panics
    /// When one cannot be read, and as [`Schemas::new`].
    pub fn in_directory(directory: &Path) -> Schemas {
        let files = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let paths = files.map(|file| file.expect("an entry").path());
        let documents = paths.filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let text = name.ends_with(".schema.json").then(|| std::fs::read(&path).expect("a schema"))?;
            Some((name, serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))))
        });
        Schemas::new(documents)
    }

    /// The names of the schemas.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.documents.keys().map(String::as_str)
    }

    /// Checks a value against the schema of this name.
    ///
    /// # Panics
    /// When there is no such schema.
    pub fn check(&self, name: &str, value: &Value) -> Validation {
        let document = self.documents.get(name).unwrap_or_else(|| panic!("no schema {name}"));
        let mut result = Validation::default();
        self.apply(document, document, value, &Location { parent: None, name: &name }, &mut result);
        result
    }

    /// The objects that allow members which they do not name, and the members that no check used.
    pub fn open_and_unused(&self, result: &Validation) -> (Vec<String>, Vec<String>) {
        let (mut open, mut unused) = (Vec::new(), Vec::new());
        for (name, document) in &self.documents {
            each_schema(document, &mut |schema| {
                let Some(members) = schema.get("properties").and_then(Value::as_object) else { return };
                let keys: Vec<&str> = members.keys().map(String::as_str).collect();
                if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
                    open.push(format!("{name}: {}", keys.join(", ")));
                }
                let is_unused = |member: &&Value| !result.used.contains(&std::ptr::from_ref(*member));
                let names = members.iter().filter(|(_, member)| is_unused(member)).map(|(key, _)| key);
                unused.extend(names.map(|key| format!("{name}: {key} (of {})", keys.join(", "))));
            });
        }
        (open, unused)
    }

    fn check_keywords(&self, name: &str, schema: &Map<String, Value>) {
        for (keyword, rule) in schema {
            let is_known = match keyword.as_str() {
                "$ref" => rule.as_str().is_some_and(|to| self.target(&self.documents[name], to).is_some()),
                "pattern" => rule.as_str().is_some_and(|pattern| text_rule(pattern).is_some()),
                "patternProperties" => {
                    rule.as_object().is_some_and(|rules| rules.keys().all(|pattern| text_rule(pattern).is_some()))
                }
                "enum" | "anyOf" | "oneOf" | "required" => rule.is_array(),
                "minLength" | "minItems" | "minimum" => rule.is_u64(),
                "properties" => rule.is_object(),
                "type" | "const" | "not" | "items" | "propertyNames" | "additionalProperties" => true,
                other => ANNOTATION_KEYWORDS.contains(&other),
            };
            assert!(is_known, "{name}: this checker does not know {keyword}: {rule}");
        }
    }

    /// The document and the schema that a reference leads to.
    fn target<'a>(&'a self, document: &'a Value, to: &str) -> Option<(&'a Value, &'a Value)> {
        let (file, pointer) = to.split_once('#').unwrap_or((to, ""));
        let document = if file.is_empty() { document } else { self.documents.get(file)? };
        Some((document, document.pointer(pointer)?))
    }

    fn apply(&self, document: &Value, schema: &Value, value: &Value, at: &Location<'_>, result: &mut Validation) {
        match schema {
            Value::Bool(true) => {}
            Value::Object(keywords) => {
                for (keyword, rule) in keywords {
                    self.keyword(document, keywords, (keyword, rule), value, at, result);
                }
            }
            _ => result.violations.push(format!("{at} must not be there")),
        }
    }

    /// The result of a rule that need not hold.
    fn evaluate(&self, document: &Value, schema: &Value, value: &Value, at: &Location<'_>) -> Validation {
        let mut result = Validation::default();
        self.apply(document, schema, value, at, &mut result);
        result
    }

    fn keyword(
        &self,
        document: &Value,
        schema: &Map<String, Value>,
        (keyword, rule): (&str, &Value),
        value: &Value,
        at: &Location<'_>,
        result: &mut Validation,
    ) {
        let rules = || rule.as_array().into_iter().flatten();
        let number = || rule.as_u64().unwrap_or_default();
        let mut require = |holds: bool| {
            if !holds {
                result.violations.push(format!("{at}: {value} is not {keyword} {rule}"));
            }
        };
        match keyword {
            "type" => require(match rule {
                Value::Array(types) => types.iter().any(|expected| is_of_type(value, expected)),
                one => is_of_type(value, one),
            }),
            "enum" => require(rules().any(|allowed| allowed == value)),
            "const" => require(rule == value),
            "not" => require(!self.evaluate(document, rule, value, at).violations.is_empty()),
            "pattern" => {
                let holds = rule.as_str().and_then(text_rule);
                require(value.as_str().is_none_or(|text| holds.is_some_and(|holds| holds(text))));
            }
            "minLength" => require(value.as_str().is_none_or(|text| text.chars().count() as u64 >= number())),
            "minItems" => require(value.as_array().is_none_or(|items| items.len() as u64 >= number())),
            "minimum" => require(value.as_i64().is_none_or(|value| i128::from(value) >= i128::from(number()))),
            "required" => {
                let is_there = |key: &Value| value.get(key.as_str().unwrap_or_default()).is_some();
                require(!value.is_object() || rules().all(is_there));
            }
            "$ref" => match rule.as_str().and_then(|to| self.target(document, to)) {
                Some((document, schema)) => self.apply(document, schema, value, at, result),
                None => require(false),
            },
            "anyOf" | "oneOf" => {
                let validations = rules().map(|branch| self.evaluate(document, branch, value, at));
                let (matching, failed): (Vec<_>, Vec<_>) = validations.partition(|branch| branch.violations.is_empty());
                if matching.is_empty() {
                    let violations: Vec<String> = failed.into_iter().flat_map(|branch| branch.violations).collect();
                    result.violations.push(format!("{at}: none of {keyword} holds: {violations:?}"));
                } else if keyword == "oneOf" && matching.len() > 1 {
                    require(false);
                } else {
                    matching.into_iter().for_each(|branch| result.add(branch));
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.apply(document, rule, item, &Location { parent: Some(at), name: &index }, result);
                }
            }
            "propertyNames" | "properties" | "patternProperties" | "additionalProperties" => {
                for (key, member) in value.as_object().into_iter().flatten() {
                    let at = Location { parent: Some(at), name: key };
                    if keyword == "propertyNames" {
                        self.apply(document, rule, &Value::String(key.clone()), &at, result);
                    }
                    for rule in member_schemas(schema, keyword, rule, key) {
                        result.used.insert(std::ptr::from_ref(rule));
                        self.apply(document, rule, member, &at, result);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The schemas that this keyword has for a member.
fn member_schemas<'a>(schema: &'a Map<String, Value>, keyword: &str, rule: &'a Value, key: &str) -> Vec<&'a Value> {
    let actual = |rule: &'a Value| rule.get(key);
    let by_pattern = |rule: &'a Value| {
        let rules = rule.as_object().into_iter().flatten();
        rules.filter(|(pattern, _)| text_rule(pattern).is_some_and(|holds| holds(key))).map(|(_, rule)| rule)
    };
    match keyword {
        "properties" => actual(rule).into_iter().collect(),
        "patternProperties" => by_pattern(rule).collect(),
        "additionalProperties" => {
            let is_named = schema.get("properties").and_then(actual).is_some();
            let is_matched = schema.get("patternProperties").is_some_and(|rules| by_pattern(rules).next().is_some());
            if is_named || is_matched { Vec::new() } else { vec![rule] }
        }
        _ => Vec::new(),
    }
}

fn text_rule(pattern: &str) -> Option<TextRule> {
    PATTERNS.iter().find(|(known, _)| *known == pattern).map(|(_, rule)| *rule)
}

fn is_of_type(value: &Value, expected_type: &Value) -> bool {
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    expected_type == actual || expected_type == "integer" && (value.is_i64() || value.is_u64())
}

/// Calls `look` with every schema in a document that is an object.
fn each_schema(schema: &Value, look: &mut dyn FnMut(&Map<String, Value>)) {
    let Some(keywords) = schema.as_object() else { return };
    look(keywords);
    for (keyword, rule) in keywords {
        match keyword.as_str() {
            "$defs" | "properties" | "patternProperties" => {
                rule.as_object().into_iter().flatten().for_each(|(_, schema)| each_schema(schema, look));
            }
            "anyOf" | "oneOf" => rule.as_array().into_iter().flatten().for_each(|schema| each_schema(schema, look)),
            "not" | "items" | "propertyNames" | "additionalProperties" => each_schema(rule, look),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn violations(schema: Value, value: &Value) -> Vec<String> {
        Schemas::new([("s".to_owned(), schema)]).check("s", value).violations
    }

    #[test]
    fn an_undeclared_member_is_refused_with_its_path() {
        let schema = json!({
            "type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"],
            "additionalProperties": false,
            "$defs": {"a": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"type": "integer"}]}}},
        });
        assert_eq!(violations(schema.clone(), &json!({"a": [null, 1]})), [""; 0]);
        assert_eq!(violations(schema.clone(), &json!({"a": [], "b": 1})), ["s/b must not be there"]);
        assert_eq!(violations(schema.clone(), &json!({})), [r#"s: {} is not required ["a"]"#]);
        let message = violations(schema, &json!({"a": [null, 1.5]})).concat();
        assert!(message.starts_with("s/a/1: none of anyOf holds"), "{message}");
    }

    #[test]
    fn unused_members_and_open_objects_are_reported() {
        let schema = json!({"properties": {"a": {}, "b": {"properties": {}, "additionalProperties": false}}});
        let schemas = Schemas::new([("s".to_owned(), schema)]);
        let result = schemas.check("s", &json!({"a": 1}));
        let (open, unused) = schemas.open_and_unused(&result);
        assert_eq!((open, unused), (vec!["s: a, b".to_owned()], vec!["s: b (of a, b)".to_owned()]));
    }

    #[test]
    #[should_panic(expected = "does not know maxItems")]
    fn an_unknown_schema_keyword_is_refused() {
        let _ = Schemas::new([("s".to_owned(), json!({"items": {"maxItems": 1}}))]);
    }

    #[test]
    #[should_panic(expected = "does not know $ref")]
    fn a_reference_that_leads_nowhere_is_refused() {
        let _ = Schemas::new([("s".to_owned(), json!({"$ref": "other.schema.json#/$defs/a"}))]);
    }
}

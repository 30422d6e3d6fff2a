//! JSON as Go's `encoding/json` writes and reads it, byte for byte. Docker's store, lists and output have that format.
//!
//! This is written by hand because no crate does it: Go escapes `<`, `>`, `&`, U+2028 and U+2029, re-indents documents
//! without changing their numbers, strings and order of keys, matches member names in any case, and reads `null` as an
//! empty value. serde_json parses and writes all values.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::Error as _;
use serde_json::{Map, Value};

use crate::sanitize;

/// Writes a value on one line as `json.Marshal` does.
///
/// # Errors
/// A value that serde_json refuses to write, such as a map whose keys are not strings.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(value).map(|bytes| compact(&bytes))
}

/// The maximum number of values in a document. A value takes up to 200 times the memory of its text, and a list of
/// 10,000 images has 200,000 values.
const VALUES_MAX: usize = 500_000;

/// Refuses a document that would take far more memory than its text, before it is parsed.
///
/// # Errors
/// More than half a million values.
pub fn check_value_count(json: &[u8]) -> Result<(), serde_json::Error> {
    // A value takes at least one byte and a separator.
    if json.len() / 2 < VALUES_MAX {
        return Ok(());
    }
    let mut tracker = StringTracker::default();
    let is_separator = |byte: &u8| {
        tracker.advance(*byte);
        !tracker.in_string && matches!(byte, b',' | b'[' | b'{')
    };
    if json.iter().copied().filter(is_separator).count() < VALUES_MAX {
        return Ok(());
    }
    Err(serde_json::Error::custom(format!("more than {VALUES_MAX} values")))
}

/// Reads a JSON document as Go does where serde_json is stricter: a lone surrogate becomes U+FFFD, and the last of a
/// repeated member counts.
///
/// # Errors
/// Content that is not JSON, is nested deeper than 128 levels, or has too many values.
pub fn parse(json: &[u8]) -> Result<Value, serde_json::Error> {
    check_value_count(json)?;
    serde_json::from_slice(&replace_lone_surrogates(json))
}

/// Replaces every escaped lone surrogate by an escaped U+FFFD.
pub fn replace_lone_surrogates(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    let next_escape = |at: usize| json.get(at..)?.iter().position(|byte| *byte == b'\\');
    while let Some(before) = next_escape(at) {
        at += before;
        at += match escaped_unit(json, at) {
            Some(0xd800..=0xdbff) if matches!(escaped_unit(json, at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                let out = out.get_or_insert_with(|| json.to_vec());
                if let Some(escape) = out.get_mut(at..at + 6) {
                    escape.copy_from_slice(b"\\ufffd");
                }
                6
            }
            _ => 2,
        };
    }
    out.map_or(Cow::Borrowed(json), Cow::Owned)
}

/// The UTF-16 unit of an escape `\uXXXX` at this position, if there is one.
fn escaped_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Writes a JSON document on one line and escapes it, as `json.Marshal` does with an embedded document.
///
/// Strings stay as they are, except for the five characters that Go escapes. Content that is not JSON becomes another
/// text that is not JSON; callers have parsed the document before.
pub fn compact(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut tracker = StringTracker::default();
    let mut rest = json;
    while let Some((&byte, tail)) = rest.split_first() {
        if !tracker.in_string && is_space(byte) {
            rest = tail;
            continue;
        }
        tracker.advance(byte);
        match (byte, tail) {
            (b'<', _) => out.extend_from_slice(b"\\u003c"),
            (b'>', _) => out.extend_from_slice(b"\\u003e"),
            (b'&', _) => out.extend_from_slice(b"\\u0026"),
            (0xe2, [0x80, last @ (0xa8 | 0xa9), after @ ..]) => {
                out.extend_from_slice(if *last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                rest = after;
                continue;
            }
            _ => out.push(byte),
        }
        rest = tail;
    }
    out
}

/// Indents a JSON document as `json.Indent` does: by `unit` per level. White space at the end is kept.
pub fn indent(json: &[u8], unit: &str) -> Vec<u8> {
    let body = json.trim_ascii_end();
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut tracker = StringTracker::default();
    let mut depth = 0usize;
    let mut opened = false;
    for &byte in body {
        if !tracker.in_string && is_space(byte) {
            continue;
        }
        let was_in_string = tracker.in_string;
        tracker.advance(byte);
        let closes = !was_in_string && matches!(byte, b'}' | b']');
        if opened && !closes {
            depth += 1;
            new_line(&mut out, unit, depth);
        }
        if closes && !opened {
            depth = depth.saturating_sub(1);
            new_line(&mut out, unit, depth);
        }
        opened = !was_in_string && matches!(byte, b'{' | b'[');
        out.push(byte);
        match byte {
            b',' if !was_in_string => new_line(&mut out, unit, depth),
            b':' if !was_in_string => out.push(b' '),
            _ => {}
        }
    }
    out.extend_from_slice(json.get(body.len()..).unwrap_or_default());
    out
}

fn new_line(out: &mut Vec<u8>, unit: &str, depth: usize) {
    out.push(b'\n');
    for _ in 0..depth {
        out.extend_from_slice(unit.as_bytes());
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Tracks whether the bytes that are read are inside a string.
#[derive(Default)]
struct StringTracker {
    in_string: bool,
    escaped: bool,
}

impl StringTracker {
    fn advance(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ => {}
        }
    }
}

/// A JSON object read as Go reads one into a struct: names in any case, `null` as missing.
pub struct Members<'a> {
    go_type: &'a str,
    map: &'a Map<String, Value>,
}

/// A member of another type than the struct has. The text is Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("json: cannot unmarshal {found} into Go {expectation}")]
pub struct WrongType {
    found: &'static str,
    expectation: String,
}

impl<'a> Members<'a> {
    /// Reads `value` as the struct that Go calls `go_type`. `null` has no members.
    ///
    /// # Errors
    /// A value that is neither an object nor `null`.
    pub fn parse(go_type: &'a str, value: &'a Value) -> Result<Members<'a>, WrongType> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        match value {
            Value::Object(map) => Ok(Members { go_type, map }),
            Value::Null => Ok(Members { go_type, map: &EMPTY }),
            other => Err(WrongType { found: type_name(other), expectation: format!("value of type v1.{go_type}") }),
        }
    }

    /// The member `name`, unless it is missing or `null`. If it is repeated, the last one counts.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        let found = self.map.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// A string; empty if it is missing.
    ///
    /// # Errors
    /// A member of another type.
    pub fn string(&self, name: &str) -> Result<String, WrongType> {
        self.string_value(name, self.get(name))
    }

    /// A string by its exact name, as Go reads the values of a map; empty if it is missing.
    ///
    /// # Errors
    /// A member of another type.
    pub fn case_sensitive_string(&self, name: &str) -> Result<String, WrongType> {
        self.string_value(name, self.map.get(name))
    }

    /// A list of strings; empty if it is missing. A `null` in it is an empty string.
    ///
    /// # Errors
    /// A member or an element of another type.
    pub fn strings(&self, name: &str) -> Result<Vec<String>, WrongType> {
        let items = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.wrong_type(name, other, "[]string")),
        };
        items.iter().map(|item| self.string_value(name, Some(item))).collect()
    }

    /// The text of the member `name`, or of an element of it.
    fn string_value(&self, name: &str, value: Option<&Value>) -> Result<String, WrongType> {
        match value {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(self.wrong_type(name, other, "string")),
        }
    }

    /// An integer; zero if it is missing.
    ///
    /// # Errors
    /// A member that an `int64` cannot hold.
    pub fn integer(&self, name: &str) -> Result<i64, WrongType> {
        match self.get(name) {
            None => Ok(0),
            Some(value) => value.as_i64().ok_or_else(|| self.wrong_type(name, value, "int64")),
        }
    }

    /// The elements of a list; empty if it is missing.
    ///
    /// # Errors
    /// A member of another type.
    pub fn array(&self, name: &str) -> Result<&'a [Value], WrongType> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong_type(name, other, "array")),
        }
    }

    fn wrong_type(&self, name: &str, found: &Value, expected: &'static str) -> WrongType {
        WrongType::new((self.go_type, name), found, expected)
    }
}

impl WrongType {
    /// The error for a member of a struct that is not of the type `expected`. Both have Go's names.
    pub(super) fn new((go_type, name): (&str, &str), found: &Value, expected: &'static str) -> WrongType {
        let expectation = format!("struct field {go_type}.{} of type {expected}", sanitize::short_line(name));
        WrongType { found: type_name(found), expectation }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn compact_escapes_what_go_escapes() {
        let source = "{ \"a<b\" : [ 1.50, \"x&y\u{2028}z \\\" > \", {} ] }\n".as_bytes();
        assert_eq!(
            String::from_utf8(compact(source)).unwrap(),
            r#"{"a\u003cb":[1.50,"x\u0026y\u2028z \" \u003e ",{}]}"#
        );
    }

    #[test]
    fn indent_writes_what_go_writes() {
        let source = br#" {"a":[1,{"b":"c,:{}"}],"e":{},"f":[ ],"g":null}"#;
        let expected = "{\n\t\"a\": [\n\t\t1,\n\t\t{\n\t\t\t\"b\": \"c,:{}\"\n\t\t}\n\t],\n\t\"e\": {},\n\t\"f\": \
            [],\n\t\"g\": null\n}";
        assert_eq!(String::from_utf8(indent(source, "\t")).unwrap(), expected);
        let with_trailing_space = [source.as_slice(), b"\n "].concat();
        assert_eq!(String::from_utf8(indent(&with_trailing_space, "\t")).unwrap(), format!("{expected}\n "));
    }

    #[test]
    fn parse_replaces_lone_surrogates() {
        let json = r#"{"a":"\ud83d\ude00","b":"\ud83d","c":"\ude00x","d":"\ud83d\ud83d\ude00","e":"\\ud83d"}"#;
        let expected = json!({"a": "😀", "b": "\u{fffd}", "c": "\u{fffd}x", "d": "\u{fffd}😀", "e": "\\ud83d"});
        assert_eq!(parse(json.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn parse_refuses_a_document_of_too_many_values() {
        let zeros = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(parse(zeros(VALUES_MAX - 1).as_bytes()).is_ok());
        let error_text = |json: &str| parse(json.as_bytes()).unwrap_err().to_string();
        assert_eq!(error_text(&zeros(VALUES_MAX)), "more than 500000 values");
        assert_eq!(error_text(&format!("[{}]", vec!["{\"\":0}"; VALUES_MAX / 2].join(","))), "more than 500000 values");
        assert!(parse(format!("\"{}\"", ",[{".repeat(VALUES_MAX)).as_bytes()).is_ok());
    }

    #[test]
    fn members_are_read_as_go_reads_them() {
        let value = json!({"OS": "a", "os": "b", "list": null, "numbers": [1], "size": 1.5});
        let members = Members::parse("Platform", &value).unwrap();
        assert_eq!(members.string("os").unwrap(), "b");
        assert_eq!(members.strings("list").unwrap(), Vec::<String>::new());
        assert_eq!(
            members.strings("numbers").unwrap_err().to_string(),
            "json: cannot unmarshal number into Go struct field Platform.numbers of type string"
        );
        assert!(members.integer("size").is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn indent_and_compact_keep_the_value(value in any_json()) {
            let indented = indent(&encode(&value).unwrap(), "   ");
            prop_assert_eq!(&serde_json::from_slice::<Value>(&indented).unwrap(), &value);
            prop_assert_eq!(compact(&indented), encode(&value).unwrap());
        }

        #[test]
        fn compact_and_indent_do_not_panic_on_any_bytes(bytes in any::<Vec<u8>>()) {
            compact(&bytes);
            replace_lone_surrogates(&bytes);
            indent(&bytes, " ");
        }
    }
}

//! Documents as values of a template, and back as JSON.
//!
//! A template names the members of Go's types, and `json` prints their JSON names, in Go's order. So each value that
//! has a Go type is remembered by the address of its map, which stays the same while a template is executed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use gotmpl::{TemplateError, Value};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::kinds::{Kind, Struct};
use crate::model::json::{self, Members, WrongType};
use crate::sanitize;

type GoMap = BTreeMap<Arc<str>, Value>;

/// The Go types of maps.
#[derive(Debug, Default)]
pub(super) struct Types(BTreeMap<usize, &'static Struct>);

impl Types {
    fn of(&self, map: &Arc<GoMap>) -> Option<&'static Struct> {
        self.0.get(&Arc::as_ptr(map).addr()).copied()
    }

    /// A value with members. Those that are not given are missing.
    pub(super) fn make(
        &mut self,
        kind: &'static Struct,
        members: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Value {
        let map: GoMap = members.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
        let map = Arc::new(map);
        self.0.insert(Arc::as_ptr(&map).addr(), kind);
        Value::Map(map)
    }

    /// The value of a document.
    ///
    /// # Errors
    /// A member of another type.
    pub(super) fn read(&mut self, kind: &'static Kind, document: &serde_json::Value) -> Result<Value, WrongType> {
        self.member(kind, ("document", ""), present(document))
    }

    fn member(
        &mut self,
        kind: &'static Kind,
        place: Place<'_>,
        found: Option<&serde_json::Value>,
    ) -> Result<Value, WrongType> {
        use serde_json::Value as Json;
        Ok(match (kind, found) {
            (Kind::Any, found) => found.map_or(Value::Nil, any),
            (Kind::Pointer(_), None) => Value::Nil,
            (Kind::Pointer(kind), found) => self.member(kind, place, found)?,
            (Kind::Text, None) => text(""),
            (Kind::Text, Some(Json::String(found))) => text(found),
            (Kind::Number, None) => Value::Int(0),
            (Kind::Number, Some(found)) => match found.as_i64() {
                Some(number) => Value::Int(number),
                None => return Err(WrongType::of(place, found, "int64")),
            },
            (Kind::Flag, None) => Value::Bool(false),
            (Kind::Flag, Some(Json::Bool(found))) => Value::Bool(*found),
            (Kind::List(_), None) => Value::List(Arc::new([])),
            (Kind::List(kind), Some(Json::Array(items))) => {
                let items = items.iter().map(|item| self.member(kind, place, present(item)));
                Value::List(items.collect::<Result<Vec<_>, _>>()?.into())
            }
            (Kind::Map(_), None) => Value::Map(Arc::default()),
            (Kind::Map(kind), Some(Json::Object(items))) => {
                let item = |(key, item): (&String, &Json)| {
                    Ok((Arc::from(key.as_str()), self.member(kind, place, present(item))?))
                };
                Value::Map(Arc::new(items.iter().map(item).collect::<Result<GoMap, WrongType>>()?))
            }
            (Kind::Struct(kind), found @ (None | Some(Json::Object(_)))) => self.object(kind, found)?,
            (_, Some(found)) => return Err(WrongType::of(place, found, expected(kind))),
        })
    }

    fn object(&mut self, kind: &'static Struct, found: Option<&serde_json::Value>) -> Result<Value, WrongType> {
        let found = found.unwrap_or(&serde_json::Value::Null);
        let members = Members::of(kind.name, found)?;
        let mut values = Vec::new();
        for member in kind.members {
            let place = (kind.name, member.json);
            values.push((member.name, self.member(member.kind, place, members.get(member.json))?));
        }
        Ok(self.make(kind, values))
    }

    /// The value as Go's `json.MarshalIndent` writes it with two spaces.
    ///
    /// # Errors
    /// A number that JSON has no word for, as in Go.
    pub(super) fn json(&self, value: &Value) -> Result<String, TemplateError> {
        let compact = json::encode(&Typed(self, value)).map_err(|error| TemplateError::Exec(error.to_string()))?;
        // What could control a terminal is escaped, which does not change the value.
        Ok(sanitize::json(&String::from_utf8_lossy(&json::indent(&compact, "  "))))
    }

    /// Whether Go's `omitempty` leaves it out. A value with members stays.
    fn is_empty(&self, value: &Value) -> bool {
        !matches!(value, Value::Map(map) if self.of(map).is_some()) && !value.is_truthy()
    }
}

/// A value with the Go types of its maps. It serialises as Go does.
struct Typed<'a>(&'a Types, &'a Value);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Typed(types, value) = self;
        let typed = |value| Typed(types, value);
        match value {
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Uint(number) => serializer.serialize_u64(*number),
            Value::Float(number) => match RawValue::from_string(float(*number)) {
                Ok(number) => number.serialize(serializer),
                Err(error) => Err(S::Error::custom(error)),
            },
            Value::String(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items.iter().map(typed)),
            Value::Map(map) => {
                let Some(kind) = types.of(map) else {
                    return serializer.collect_map(map.iter().map(|(name, value)| (&**name, typed(value))));
                };
                let members = kind.members.iter().filter(|member| !member.json.is_empty());
                let members = members.filter_map(|member| Some((member, map.get(member.name)?)));
                let members = members.filter(|(member, value)| !member.is_optional || !types.is_empty(value));
                serializer.collect_map(members.map(|(member, value)| (member.json, typed(value))))
            }
            // Also the variants of features that are off.
            _ => serializer.serialize_unit(),
        }
    }
}

/// The struct and the member that a value is of, for messages.
type Place<'a> = (&'a str, &'a str);

fn present(value: &serde_json::Value) -> Option<&serde_json::Value> {
    Some(value).filter(|value| !value.is_null())
}

/// A string.
pub(super) fn text(text: &str) -> Value {
    Value::String(Arc::from(text))
}

/// What Go reads without a type: each number is a `float64`.
fn any(found: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match found {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => number.as_f64().map_or(Value::Nil, Value::Float),
        Json::String(found) => text(found),
        Json::Array(items) => Value::List(items.iter().map(any).collect::<Vec<_>>().into()),
        Json::Object(items) => {
            Value::Map(Arc::new(items.iter().map(|(name, item)| (Arc::from(name.as_str()), any(item))).collect()))
        }
    }
}

fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Flag => "bool",
        Kind::List(_) => "array",
        Kind::Map(_) => "map",
        _ => "object",
    }
}

/// A `float64` as Go's `encoding/json` writes it.
fn float(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    let mut written = String::new();
    // A string takes all that is written.
    let _ = write!(written, "{number:e}");
    if size >= 1.0 { written.replace('e', "e+") } else { written }
}

//! Converts documents into values of a template, and values into JSON.
//!
//! A template uses the names of members in Go, and `json` prints their names in JSON, in Go's order. So the Go type of
//! each value is recorded by the address of its map, which does not change while a template is executed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use gotmpl::{TemplateError, Value};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::go_types::{GoStruct, GoType};
use crate::model::json::{self, Members, WrongType};
use crate::sanitize;

type GoMap = BTreeMap<Arc<str>, Value>;

/// The Go types of the maps of values, by the addresses of the maps.
#[derive(Debug, Default)]
pub(super) struct MapTypes(BTreeMap<usize, &'static GoStruct>);

impl MapTypes {
    fn go_struct(&self, map: &Arc<GoMap>) -> Option<&'static GoStruct> {
        self.0.get(&Arc::as_ptr(map).addr()).copied()
    }

    /// A value of a Go struct with these members.
    pub(super) fn struct_value(
        &mut self,
        go_struct: &'static GoStruct,
        members: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Value {
        let map: GoMap = members.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
        let map = Arc::new(map);
        self.0.insert(Arc::as_ptr(&map).addr(), go_struct);
        Value::Map(map)
    }

    /// Converts a document into a value of this type.
    ///
    /// # Errors
    /// A member of another type.
    pub(super) fn read(&mut self, go_type: &'static GoType, document: &serde_json::Value) -> Result<Value, WrongType> {
        self.convert(go_type, ("document", ""), non_null(document))
    }

    fn convert(
        &mut self,
        go_type: &'static GoType,
        path: MemberPath<'_>,
        found: Option<&serde_json::Value>,
    ) -> Result<Value, WrongType> {
        use serde_json::Value as Json;
        Ok(match (go_type, found) {
            (GoType::Any, found) => found.map_or(Value::Nil, untyped),
            (GoType::Pointer(_), None) => Value::Nil,
            (GoType::Pointer(go_type), found) => self.convert(go_type, path, found)?,
            (GoType::Text, None) => text(""),
            (GoType::Text, Some(Json::String(found))) => text(found),
            (GoType::Int, None) => Value::Int(0),
            (GoType::Int, Some(found)) => match found.as_i64() {
                Some(number) => Value::Int(number),
                None => return Err(WrongType::new(path, found, "int64")),
            },
            (GoType::Bool, None) => Value::Bool(false),
            (GoType::Bool, Some(Json::Bool(found))) => Value::Bool(*found),
            (GoType::List(_), None) => Value::List(Arc::new([])),
            (GoType::List(go_type), Some(Json::Array(items))) => {
                let items = items.iter().map(|item| self.convert(go_type, path, non_null(item)));
                Value::List(items.collect::<Result<Vec<_>, _>>()?.into())
            }
            (GoType::Map(_), None) => Value::Map(Arc::default()),
            (GoType::Map(go_type), Some(Json::Object(items))) => {
                let item = |(key, item): (&String, &Json)| {
                    Ok((Arc::from(key.as_str()), self.convert(go_type, path, non_null(item))?))
                };
                Value::Map(Arc::new(items.iter().map(item).collect::<Result<GoMap, WrongType>>()?))
            }
            (GoType::Struct(go_type), found @ (None | Some(Json::Object(_)))) => {
                self.struct_from_object(go_type, found)?
            }
            (_, Some(found)) => return Err(WrongType::new(path, found, json_type(go_type))),
        })
    }

    fn struct_from_object(
        &mut self,
        go_struct: &'static GoStruct,
        found: Option<&serde_json::Value>,
    ) -> Result<Value, WrongType> {
        let found = found.unwrap_or(&serde_json::Value::Null);
        let members = Members::parse(go_struct.name, found)?;
        let mut values = Vec::new();
        for member in go_struct.members {
            let path = (go_struct.name, member.json);
            values.push((member.name, self.convert(member.go_type, path, members.get(member.json))?));
        }
        Ok(self.struct_value(go_struct, values))
    }

    /// The value as Go's `json.MarshalIndent` writes it with two spaces.
    ///
    /// # Errors
    /// A number that JSON cannot represent (NaN or infinite), as in Go.
    pub(super) fn json(&self, value: &Value) -> Result<String, TemplateError> {
        let compact = json::encode(&TypedValue(self, value)).map_err(|error| TemplateError::Exec(error.to_string()))?;
        // Characters that could control a terminal are escaped, which does not change the value.
        Ok(sanitize::json(&String::from_utf8_lossy(&json::indent(&compact, "  "))))
    }

    /// Whether Go's `omitempty` omits the value. A struct is never omitted.
    fn is_empty_value(&self, value: &Value) -> bool {
        !matches!(value, Value::Map(map) if self.go_struct(map).is_some()) && !value.is_truthy()
    }
}

/// A value with the Go types of its maps, which serialises as in Go.
struct TypedValue<'a>(&'a MapTypes, &'a Value);

impl Serialize for TypedValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let TypedValue(map_types, value) = self;
        let typed = |value| TypedValue(map_types, value);
        match value {
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Uint(number) => serializer.serialize_u64(*number),
            Value::Float(number) => match RawValue::from_string(go_float(*number)) {
                Ok(number) => number.serialize(serializer),
                Err(error) => Err(S::Error::custom(error)),
            },
            Value::String(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items.iter().map(typed)),
            Value::Map(map) => {
                let Some(go_type) = map_types.go_struct(map) else {
                    return serializer.collect_map(map.iter().map(|(name, value)| (&**name, typed(value))));
                };
                let members = go_type.members.iter().filter(|member| !member.json.is_empty());
                let members = members.filter_map(|member| Some((member, map.get(member.name)?)));
                let members = members.filter(|(member, value)| !member.omits_empty || !map_types.is_empty_value(value));
                serializer.collect_map(members.map(|(member, value)| (member.json, typed(value))))
            }
            // Nil, and the variants of features of the engine that are not enabled.
            _ => serializer.serialize_unit(),
        }
    }
}

/// The struct and the member of a value, for messages.
type MemberPath<'a> = (&'a str, &'a str);

fn non_null(value: &serde_json::Value) -> Option<&serde_json::Value> {
    Some(value).filter(|value| !value.is_null())
}

/// A string.
pub(super) fn text(text: &str) -> Value {
    Value::String(Arc::from(text))
}

/// A document as Go reads it into `any`: each number is a `float64`.
fn untyped(found: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match found {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => number.as_f64().map_or(Value::Nil, Value::Float),
        Json::String(found) => text(found),
        Json::Array(items) => Value::List(items.iter().map(untyped).collect::<Vec<_>>().into()),
        Json::Object(items) => {
            Value::Map(Arc::new(items.iter().map(|(name, item)| (Arc::from(name.as_str()), untyped(item))).collect()))
        }
    }
}

fn json_type(go_type: &GoType) -> &'static str {
    match go_type {
        GoType::Text => "string",
        GoType::Bool => "bool",
        GoType::List(_) => "array",
        GoType::Map(_) => "map",
        _ => "object",
    }
}

/// A `float64` as Go's `encoding/json` writes it.
fn go_float(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    let mut written = String::new();
    // Writing to a string does not fail.
    let _ = write!(written, "{number:e}");
    if size >= 1.0 { written.replace('e', "e+") } else { written }
}

//! A JSON object whose members keep their order and their text, so that a document can be edited and everything else in
//! it stays as it was.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in their order, each as its text.
#[derive(Debug, Clone, Default)]
pub(super) struct RawObject(pub(super) Vec<(String, String)>);

impl RawObject {
    /// The JSON text of a member. If the member is repeated, the last one counts, as in all JSON that is read here.
    pub(super) fn raw_value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, text)| text.as_str())
    }

    /// Sets the JSON text of a member in its position or at the end, or removes it.
    pub(super) fn set_raw_value(&mut self, name: &str, value: Option<String>) {
        let position = self.0.iter().position(|(other, _)| other.eq_ignore_ascii_case(name));
        self.0.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            let position = position.unwrap_or(self.0.len()).min(self.0.len());
            self.0.insert(position, (name.to_owned(), value));
        }
    }
}

impl fmt::Display for RawObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.0.iter().map(|(name, value)| {
            let name = serde_json::to_string(name).map_err(|_| fmt::Error)?;
            Ok(format!("{name}:{value}"))
        });
        write!(f, "{{{}}}", members.collect::<Result<Vec<_>, fmt::Error>>()?.join(","))
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawObject, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = RawObject;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((name, value.get().to_owned()));
                }
                Ok(RawObject(members))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

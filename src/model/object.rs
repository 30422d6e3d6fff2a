//! A JSON object whose members keep their order and their text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in their order, each as its text.
#[derive(Debug, Clone, Default)]
pub(super) struct Object(pub(super) Vec<(String, String)>);

impl Object {
    /// The text of a member. If it is repeated, the last one counts, as everywhere.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, text)| text.as_str())
    }

    /// Sets a member in its position or at the end, or removes it.
    pub(super) fn set(&mut self, name: &str, value: Option<String>) {
        let place = self.0.iter().position(|(other, _)| other.eq_ignore_ascii_case(name));
        self.0.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            let place = place.unwrap_or(self.0.len()).min(self.0.len());
            self.0.insert(place, (name.to_owned(), value));
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.0.iter().map(|(name, value)| {
            let name = serde_json::to_string(name).map_err(|_| fmt::Error)?;
            Ok(format!("{name}:{value}"))
        });
        write!(f, "{{{}}}", members.collect::<Result<Vec<_>, fmt::Error>>()?.join(","))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((name, value.get().to_owned()));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

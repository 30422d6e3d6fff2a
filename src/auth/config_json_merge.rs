//! Reads docker's config.json as Go's `encoding/json` does where other JSON readers differ: repeated members.
//!
//! Go matches a member's name in any case and applies the members one after the other. A map (`auths`, `credHelpers`)
//! gets the entries of each of its members; of two equal keys the later one counts; `null` empties it. A string keeps
//! its value at `null`; otherwise the last member counts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON value whose objects keep all members, repeated ones too. Arrays are read as empty, because docker's
/// configuration has none that matters here.
pub(crate) enum UnmergedValue {
    Object(Vec<(String, UnmergedValue)>),
    Other(Value),
}

impl<'de> Deserialize<'de> for UnmergedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UnmergedValue, D::Error> {
        deserializer.deserialize_any(UnmergedVisitor)
    }
}

struct UnmergedVisitor;

impl<'de> Visitor<'de> for UnmergedVisitor {
    type Value = UnmergedValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<UnmergedValue, E> {
        Ok(UnmergedValue::Other(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<UnmergedValue, E> {
        Ok(UnmergedValue::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<UnmergedValue, E> {
        Ok(UnmergedValue::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<UnmergedValue, E> {
        Ok(UnmergedValue::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<UnmergedValue, E> {
        Ok(UnmergedValue::Other(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<UnmergedValue, E> {
        Ok(UnmergedValue::Other(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<UnmergedValue, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(UnmergedValue::Other(Value::Array(Vec::new())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<UnmergedValue, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(UnmergedValue::Object(members))
    }
}

/// The configuration with each member once. The names that docker knows get docker's case.
pub(crate) fn merge_members(members: Vec<(String, UnmergedValue)>) -> Map<String, Value> {
    let mut config = Map::new();
    for (name, member) in members {
        let known = ["auths", "credHelpers", "credsStore"].iter().find(|known| known.eq_ignore_ascii_case(&name));
        match (known, member) {
            (Some(&"credsStore"), member) => insert_non_null(&mut config, "credsStore", member),
            (Some(known), UnmergedValue::Object(entries)) => extend_map(&mut config, known, entries),
            (Some(known), member) => drop(config.insert((*known).to_owned(), into_value(member))),
            (None, member) => drop(config.insert(name, into_value(member))),
        }
    }
    config
}

/// Adds entries to a map. Creates the map if there is none. A member that is not a map stays as it is; reading it is an
/// error.
fn extend_map(config: &mut Map<String, Value>, name: &str, entries: Vec<(String, UnmergedValue)>) {
    if config.get(name).is_none_or(Value::is_null) {
        config.insert(name.to_owned(), Value::Object(Map::new()));
    }
    let Some(Value::Object(map)) = config.get_mut(name) else { return };
    for (key, entry) in entries {
        let entry = match entry {
            UnmergedValue::Object(members) if name == "auths" => Value::Object(registry_entry(members)),
            other => into_value(other),
        };
        map.insert(key, entry);
    }
}

/// The entry of one registry.
fn registry_entry(members: Vec<(String, UnmergedValue)>) -> Map<String, Value> {
    let mut entry = Map::new();
    for (name, member) in members {
        let known = ["auth", "username", "password", "identitytoken", "registrytoken"];
        match known.iter().find(|known| known.eq_ignore_ascii_case(&name)) {
            Some(known) => insert_non_null(&mut entry, known, member),
            None => drop(entry.insert(name, into_value(member))),
        }
    }
    entry
}

fn insert_non_null(map: &mut Map<String, Value>, name: &str, member: UnmergedValue) {
    let member = into_value(member);
    if !member.is_null() {
        map.insert(name.to_owned(), member);
    }
}

fn into_value(tree: UnmergedValue) -> Value {
    match tree {
        UnmergedValue::Object(members) => {
            Value::Object(members.into_iter().map(|(name, member)| (name, into_value(member))).collect())
        }
        UnmergedValue::Other(value) => value,
    }
}

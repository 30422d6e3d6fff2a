//! config.json as Go decodes it, where it differs from other JSON readers: members that are given twice.
//!
//! In Go a member's name fits in any case, and the members of a document are taken one after the other. A map (`auths`,
//! `credHelpers`) gets the entries of each of its members, of two with one key the later; `null` empties it. A text
//! keeps its value at `null`, and else the last one counts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON value with the members of its objects as they stand, those given twice too. Of an array is known only that it
/// is one: docker's configuration has none that matters here.
pub(crate) enum Tree {
    Object(Vec<(String, Tree)>),
    Other(Value),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Other(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Other(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Other(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Tree::Other(Value::Array(Vec::new())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

/// The configuration with each member once. The names that count are spelt as docker spells them.
pub(crate) fn merged(members: Vec<(String, Tree)>) -> Map<String, Value> {
    let mut config = Map::new();
    for (name, member) in members {
        let known = ["auths", "credHelpers", "credsStore"].iter().find(|known| known.eq_ignore_ascii_case(&name));
        match (known, member) {
            (Some(&"credsStore"), member) => text(&mut config, "credsStore", member),
            (Some(known), Tree::Object(entries)) => extend(&mut config, known, entries),
            (Some(known), member) => drop(config.insert((*known).to_owned(), flat(member))),
            (None, member) => drop(config.insert(name, flat(member))),
        }
    }
    config
}

/// Adds entries to a map, which is made where there is none. One that is no map stays what it is: it is an error.
fn extend(config: &mut Map<String, Value>, name: &str, entries: Vec<(String, Tree)>) {
    if config.get(name).is_none_or(Value::is_null) {
        config.insert(name.to_owned(), Value::Object(Map::new()));
    }
    let Some(Value::Object(map)) = config.get_mut(name) else { return };
    for (key, entry) in entries {
        let entry = match entry {
            Tree::Object(members) if name == "auths" => Value::Object(entry_of(members)),
            other => flat(other),
        };
        map.insert(key, entry);
    }
}

/// One registry's entry.
fn entry_of(members: Vec<(String, Tree)>) -> Map<String, Value> {
    let mut entry = Map::new();
    for (name, member) in members {
        let known = ["auth", "username", "password", "identitytoken", "registrytoken"];
        match known.iter().find(|known| known.eq_ignore_ascii_case(&name)) {
            Some(known) => text(&mut entry, known, member),
            None => drop(entry.insert(name, flat(member))),
        }
    }
    entry
}

fn text(map: &mut Map<String, Value>, name: &str, member: Tree) {
    let member = flat(member);
    if !member.is_null() {
        map.insert(name.to_owned(), member);
    }
}

fn flat(tree: Tree) -> Value {
    match tree {
        Tree::Object(members) => {
            Value::Object(members.into_iter().map(|(name, member)| (name, flat(member))).collect())
        }
        Tree::Other(value) => value,
    }
}

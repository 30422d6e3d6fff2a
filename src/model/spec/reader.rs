//! Reads strings, lists and mappings with known keys from a tree. Each error has its position.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::error::{Advice, Fault, SpecErrorKind};
use super::tree::{Content, Id, Tree};
use super::{Dialect, variables};

/// A kind of mapping: its name for messages, and its keys, each as written and as meant.
pub(super) struct Shape {
    pub(super) place: &'static str,
    pub(super) keys: &'static [(&'static str, &'static str)],
}

/// The maximum total of a spec in bytes: the texts, and as much for each node. Aliases can repeat a text very often.
const BUDGET: usize = 64 << 20;
const NODE_COST: usize = 16;

/// The prefix of keys for the user's own use, mostly for anchors.
const OWN_KEY: &str = "x-";

/// The maximum number of warnings.
const WARNINGS_MAX: usize = 100;

/// The maximum depth of `<<` merges.
const MERGES_MAX: usize = 16;

/// A mapping's members that have a value, by the key as meant.
pub(super) type Members = HashMap<&'static str, Id>;

pub(super) struct Reader<'t> {
    pub(super) tree: &'t Tree<'t>,
    pub(super) dialect: Dialect,
    env: &'t dyn Fn(&str) -> Option<String>,
    left: Cell<usize>,
    /// One warning per position.
    warnings: RefCell<BTreeMap<usize, Fault>>,
}

/// A key, its position, and its value.
type Pair<'t> = (&'t str, Range<usize>, Id);

impl<'t> Reader<'t> {
    pub(super) fn new(tree: &'t Tree<'t>, dialect: Dialect, env: &'t dyn Fn(&str) -> Option<String>) -> Reader<'t> {
        Reader { tree, dialect, env, left: Cell::new(BUDGET), warnings: RefCell::default() }
    }

    /// Adds a warning. An alias in several places causes one warning.
    pub(super) fn warn(&self, warning: Fault) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < WARNINGS_MAX {
            warnings.entry(warning.at.start).or_insert(warning);
        }
    }

    /// The warnings in the order of their positions.
    pub(super) fn warnings(self) -> Vec<Fault> {
        self.warnings.into_inner().into_values().collect()
    }

    /// A single item, or a list of at least one.
    pub(super) fn one_or_more<T>(
        &self,
        id: Id,
        key: &'static str,
        item: impl Fn(&Self, Id) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        if let Content::Text { .. } = self.tree.node(id).content {
            return Ok(vec![item(self, id)?]);
        }
        if let Content::Mapping(_) = self.tree.node(id).content {
            return Err(self.wrong(id, &format!("`{key}`"), "a text or a list"));
        }
        self.some(id, key, item)
    }

    /// A list of at least one.
    pub(super) fn some<T>(
        &self,
        id: Id,
        key: &'static str,
        item: impl Fn(&Self, Id) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let items = self.list(id, &format!("`{key}`"), item)?;
        if items.is_empty() { Err(self.fault(id, SpecErrorKind::Empty(key))) } else { Ok(items) }
    }

    pub(super) fn list<T>(
        &self,
        id: Id,
        subject: &str,
        item: impl Fn(&Self, Id) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let Content::List(items) = &self.tree.node(id).content else {
            return Err(self.wrong(id, subject, "a list"));
        };
        items.iter().map(|id| self.spend(*id, NODE_COST).and_then(|()| item(self, *id))).collect()
    }

    /// A scalar's text with its variables expanded.
    pub(super) fn text(&self, id: Id, subject: &str) -> Result<String, Fault> {
        let node = self.tree.node(id);
        let Content::Text { text, .. } = &node.content else { return Err(self.wrong(id, subject, "a text")) };
        if node.is_null() {
            return Err(self.wrong(id, subject, "a text, \"\" for an empty one"));
        }
        let filled = variables::filled_in(text, self.env);
        let filled = filled.map_err(|(dollar, kind)| Fault { at: self.dollar(&node.at, dollar), kind })?;
        self.spend(id, NODE_COST + filled.len())?;
        Ok(filled.into_owned())
    }

    /// The position of a variable. Escaped dollar signs are rare, so the signs are counted as in the value.
    fn dollar(&self, at: &Range<usize>, nth: usize) -> Range<usize> {
        let written = self.tree.written(at);
        let Some((offset, _)) = written.match_indices('$').nth(nth) else { return at.clone() };
        let variable = written.get(offset..).unwrap_or_default();
        let length = variable.find(['}', '\n', '\r']).map_or(variable.len(), |end| end + 1);
        at.start + offset..at.start + offset + length
    }

    /// A required member. If it is missing, the error is that of the mapping.
    pub(super) fn required(
        &self,
        members: &Members,
        key: &'static str,
        mapping: Id,
        place: &'static str,
    ) -> Result<Id, Fault> {
        members.get(key).copied().ok_or_else(|| self.fault(mapping, SpecErrorKind::MissingKey { key, place }))
    }

    pub(super) fn optional<T: Default>(
        &self,
        members: &Members,
        key: &'static str,
        read: impl FnOnce(&Self, Id) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        members.get(key).map_or_else(|| Ok(T::default()), |value| read(self, *value))
    }

    /// The members of a mapping with known keys. A key without a value counts as missing, as in manifest-tool.
    pub(super) fn members(&self, id: Id, shape: &Shape) -> Result<Members, Fault> {
        let mut members = Members::new();
        let mut first: HashMap<&str, (&str, usize)> = HashMap::new();
        for (key, at, value) in self.pairs(id, shape.place)? {
            let Some((_, meant)) = shape.keys.iter().find(|(written, _)| *written == key) else {
                self.unknown_key(key, at, shape)?;
                continue;
            };
            if let Some((as_key, offset)) = first.insert(meant, (key, at.start)) {
                return Err(Fault { at, kind: duplicate(key, as_key, offset) });
            }
            if !self.tree.node(value).is_null() {
                members.insert(meant, value);
            }
        }
        Ok(members)
    }

    /// The result for an unknown key: an error, a warning, or nothing for the user's own anchors.
    fn unknown_key(&self, key: &str, at: Range<usize>, shape: &Shape) -> Result<(), Fault> {
        let is_own = key.starts_with(OWN_KEY);
        let fault = |advice| {
            let key = key.to_owned();
            Fault { at, kind: SpecErrorKind::UnknownKey { key, place: shape.place, advice } }
        };
        match self.dialect {
            Dialect::ManifestTool => self.warn(fault(Advice::Skipped)),
            Dialect::Native if is_own => {}
            Dialect::Native => return Err(fault(Advice::for_key(key, shape.keys))),
        }
        Ok(())
    }

    /// The pairs of a mapping, each key once: its own, then those of `<<` that it does not have.
    pub(super) fn pairs(&self, id: Id, subject: &str) -> Result<Vec<Pair<'t>>, Fault> {
        let Content::Mapping(_) = self.tree.node(id).content else { return Err(self.wrong(id, subject, "a mapping")) };
        let mut pairs = Vec::new();
        self.merge(id, 0, &mut HashSet::new(), &mut pairs)?;
        Ok(pairs)
    }

    fn merge(
        &self,
        id: Id,
        depth: usize,
        known: &mut HashSet<&'t str>,
        pairs: &mut Vec<Pair<'t>>,
    ) -> Result<(), Fault> {
        let Content::Mapping(members) = &self.tree.node(id).content else {
            return Err(self.fault(id, SpecErrorKind::Merge));
        };
        self.spend(id, NODE_COST)?;
        if depth > MERGES_MAX {
            return Err(self.fault(id, SpecErrorKind::TooLarge));
        }
        let mut own: HashMap<&str, usize> = HashMap::new();
        let mut merged = None;
        for (key, value) in members {
            self.spend(*key, NODE_COST)?;
            let (name, is_merge) = self.key(*key)?;
            let at = self.tree.node(*key).at.clone();
            if let Some(offset) = own.insert(name, at.start) {
                return Err(Fault { at, kind: duplicate(name, name, offset) });
            }
            if is_merge {
                merged = Some(*value);
            } else if known.insert(name) {
                pairs.push((name, at, *value));
            }
        }
        let Some(merged) = merged else { return Ok(()) };
        match &self.tree.node(merged).content {
            Content::List(mappings) => mappings.iter().try_for_each(|id| self.merge(*id, depth + 1, known, pairs)),
            _ => self.merge(merged, depth + 1, known, pairs),
        }
    }

    /// A key's text, and whether it is `<<`.
    fn key(&self, id: Id) -> Result<(&'t str, bool), Fault> {
        match &self.tree.node(id).content {
            Content::Text { text, bare: true } if !matches!(&**text, "" | "~") => Ok((text, text == "<<")),
            Content::Text { text, bare: false } if !text.is_empty() => Ok((text, false)),
            _ => Err(self.fault(id, SpecErrorKind::Key)),
        }
    }

    fn spend(&self, id: Id, cost: usize) -> Result<(), Fault> {
        let left = self.left.get().checked_sub(cost).ok_or_else(|| self.fault(id, SpecErrorKind::TooLarge))?;
        self.left.set(left);
        Ok(())
    }

    pub(super) fn wrong(&self, id: Id, subject: &str, wanted: &'static str) -> Fault {
        let found = self.tree.node(id).noun();
        self.fault(id, SpecErrorKind::WrongType { subject: subject.to_owned(), wanted, found })
    }

    pub(super) fn fault(&self, id: Id, kind: SpecErrorKind) -> Fault {
        Fault { at: self.tree.node(id).at.clone(), kind }
    }
}

fn duplicate(key: &str, as_key: &str, first: usize) -> SpecErrorKind {
    SpecErrorKind::DuplicateKey { key: key.to_owned(), as_key: as_key.to_owned(), first_line: 0, first }
}

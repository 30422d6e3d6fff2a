//! Reads strings, lists and mappings with known keys from a YAML tree. Each error has its position.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::error::{LocatedError, SpecErrorKind, SpecSuggestion, canonical_key};
use super::variables::VariableError;
use super::yaml_tree::{NodeContent, NodeId, YamlTree};
use super::{Dialect, variables};

/// A kind of mapping: its name for messages, and its keys, as a user may write them.
pub(super) struct MappingKind {
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static str],
}

/// The maximum size of a file after its aliases are resolved, in bytes: the lengths of all texts, and [`NODE_BYTES`]
/// for each node. Aliases can repeat a text very often.
const RESOLVED_BYTES_MAX: usize = 64 << 20;
const NODE_BYTES: usize = 16;

/// The prefix of keys that users may add, mostly for anchors.
const EXTENSION_PREFIX: &str = "x-";

/// The maximum number of warnings.
const WARNINGS_MAX: usize = 100;

/// The maximum depth of `<<` merges.
const MERGE_DEPTH_MAX: usize = 16;

/// The members of a mapping that have a value, by the canonical names of their keys.
pub(super) type MemberNodes = HashMap<&'static str, NodeId>;

/// Reads the nodes of a tree, limits their total size and collects warnings.
pub(super) struct NodeReader<'t> {
    pub(super) tree: &'t YamlTree<'t>,
    pub(super) dialect: Dialect,
    env: &'t dyn Fn(&str) -> Option<String>,
    /// The rest of [`RESOLVED_BYTES_MAX`].
    remaining_bytes: Cell<usize>,
    /// At most one warning for each position.
    warnings: RefCell<BTreeMap<usize, LocatedError>>,
}

/// A key, its position, and its value.
type Pair<'t> = (&'t str, Range<usize>, NodeId);

impl<'t> NodeReader<'t> {
    pub(super) fn new(
        tree: &'t YamlTree<'t>,
        dialect: Dialect,
        env: &'t dyn Fn(&str) -> Option<String>,
    ) -> NodeReader<'t> {
        NodeReader { tree, dialect, env, remaining_bytes: Cell::new(RESOLVED_BYTES_MAX), warnings: RefCell::default() }
    }

    /// Adds a warning. A node that several aliases use causes one warning.
    pub(super) fn warn(&self, warning: LocatedError) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < WARNINGS_MAX {
            warnings.entry(warning.range.start).or_insert(warning);
        }
    }

    /// The warnings in the order of their positions.
    pub(super) fn warnings(self) -> Vec<LocatedError> {
        self.warnings.into_inner().into_values().collect()
    }

    /// A single item, or a list of at least one.
    pub(super) fn one_or_more<T>(
        &self,
        id: NodeId,
        key: &'static str,
        item: impl Fn(&Self, NodeId) -> Result<T, LocatedError>,
    ) -> Result<Vec<T>, LocatedError> {
        if let NodeContent::Scalar { .. } = self.tree.node(id).content {
            return Ok(vec![item(self, id)?]);
        }
        if let NodeContent::Mapping(_) = self.tree.node(id).content {
            return Err(self.wrong_type(id, &format!("`{key}`"), "a text or a list"));
        }
        self.non_empty_list(id, key, item)
    }

    /// A list of at least one.
    pub(super) fn non_empty_list<T>(
        &self,
        id: NodeId,
        key: &'static str,
        item: impl Fn(&Self, NodeId) -> Result<T, LocatedError>,
    ) -> Result<Vec<T>, LocatedError> {
        let items = self.list(id, &format!("`{key}`"), item)?;
        if items.is_empty() { Err(self.error_at(id, SpecErrorKind::Empty(key))) } else { Ok(items) }
    }

    pub(super) fn list<T>(
        &self,
        id: NodeId,
        name: &str,
        item: impl Fn(&Self, NodeId) -> Result<T, LocatedError>,
    ) -> Result<Vec<T>, LocatedError> {
        let NodeContent::Sequence(items) = &self.tree.node(id).content else {
            return Err(self.wrong_type(id, name, "a list"));
        };
        items.iter().map(|id| self.count_bytes(*id, NODE_BYTES).and_then(|()| item(self, *id))).collect()
    }

    /// A scalar's text with its variables expanded.
    pub(super) fn text(&self, id: NodeId, name: &str) -> Result<String, LocatedError> {
        let node = self.tree.node(id);
        let NodeContent::Scalar { text, .. } = &node.content else { return Err(self.wrong_type(id, name, "a text")) };
        if node.is_null() {
            return Err(self.wrong_type(id, name, "a text, \"\" for an empty one"));
        }
        let expanded = variables::expand(text, self.env);
        let expanded = expanded.map_err(|VariableError { dollar_index, kind }| {
            let range = self.variable_range(&node.range, dollar_index);
            LocatedError { range, kind }
        })?;
        self.count_bytes(id, NODE_BYTES + expanded.len())?;
        Ok(expanded.into_owned())
    }

    /// The range of a variable in the file, by the number of its dollar sign in the value. It is not exact after a
    /// dollar sign that YAML escapes, which is rare.
    fn variable_range(&self, range: &Range<usize>, dollar_index: usize) -> Range<usize> {
        let written = self.tree.source_text(range);
        let Some((offset, _)) = written.match_indices('$').nth(dollar_index) else { return range.clone() };
        let variable = written.get(offset..).unwrap_or_default();
        let length = variable.find(['}', '\n', '\r']).map_or(variable.len(), |end| end + 1);
        range.start + offset..range.start + offset + length
    }

    /// A required member. If it is missing, the error is that of the mapping.
    pub(super) fn required(
        &self,
        members: &MemberNodes,
        key: &'static str,
        mapping: NodeId,
        mapping_name: &'static str,
    ) -> Result<NodeId, LocatedError> {
        members
            .get(key)
            .copied()
            .ok_or_else(|| self.error_at(mapping, SpecErrorKind::MissingKey { key, mapping: mapping_name }))
    }

    pub(super) fn optional<T: Default>(
        &self,
        members: &MemberNodes,
        key: &'static str,
        read: impl FnOnce(&Self, NodeId) -> Result<T, LocatedError>,
    ) -> Result<T, LocatedError> {
        members.get(key).map_or_else(|| Ok(T::default()), |value| read(self, *value))
    }

    /// The members of a mapping with known keys. A key without a value counts as missing, as in manifest-tool.
    pub(super) fn members(&self, id: NodeId, mapping: &MappingKind) -> Result<MemberNodes, LocatedError> {
        let mut members = MemberNodes::new();
        let mut first: HashMap<&str, (&str, usize)> = HashMap::new();
        for (key, range, value) in self.pairs(id, mapping.name)? {
            let Some(canonical_key) =
                mapping.keys.iter().find(|known| **known == key).map(|known| canonical_key(known))
            else {
                self.report_unknown_key(key, range, mapping)?;
                continue;
            };
            if let Some((first_key, offset)) = first.insert(canonical_key, (key, range.start)) {
                return Err(LocatedError { range, kind: duplicate_key(key, first_key, offset) });
            }
            if !self.tree.node(value).is_null() {
                members.insert(canonical_key, value);
            }
        }
        Ok(members)
    }

    /// Handles an unknown key: an error, a warning, or nothing for a key with the prefix of users.
    fn report_unknown_key(&self, key: &str, range: Range<usize>, mapping: &MappingKind) -> Result<(), LocatedError> {
        let is_extension = key.starts_with(EXTENSION_PREFIX);
        let unknown_key = |suggestion| {
            let key = key.to_owned();
            LocatedError { range, kind: SpecErrorKind::UnknownKey { key, mapping: mapping.name, suggestion } }
        };
        match self.dialect {
            Dialect::ManifestTool => self.warn(unknown_key(SpecSuggestion::SkippedKey)),
            Dialect::Native if is_extension => {}
            Dialect::Native => return Err(unknown_key(SpecSuggestion::for_key(key, mapping.keys))),
        }
        Ok(())
    }

    /// The pairs of a mapping, each key once: those of the mapping, then those that `<<` adds.
    pub(super) fn pairs(&self, id: NodeId, name: &str) -> Result<Vec<Pair<'t>>, LocatedError> {
        let NodeContent::Mapping(_) = self.tree.node(id).content else {
            return Err(self.wrong_type(id, name, "a mapping"));
        };
        let mut pairs = Vec::new();
        self.merge(id, 0, &mut HashSet::new(), &mut pairs)?;
        Ok(pairs)
    }

    fn merge(
        &self,
        id: NodeId,
        depth: usize,
        known: &mut HashSet<&'t str>,
        pairs: &mut Vec<Pair<'t>>,
    ) -> Result<(), LocatedError> {
        let NodeContent::Mapping(members) = &self.tree.node(id).content else {
            return Err(self.error_at(id, SpecErrorKind::InvalidMerge));
        };
        self.count_bytes(id, NODE_BYTES)?;
        if depth > MERGE_DEPTH_MAX {
            return Err(self.error_at(id, SpecErrorKind::TooLarge));
        }
        let mut offsets: HashMap<&str, usize> = HashMap::new();
        let mut merged = None;
        for (key, value) in members {
            self.count_bytes(*key, NODE_BYTES)?;
            let (name, is_merge) = (self.key_text(*key)?, self.is_merge_key(*key));
            let range = self.tree.node(*key).range.clone();
            if let Some(offset) = offsets.insert(name, range.start) {
                return Err(LocatedError { range, kind: duplicate_key(name, name, offset) });
            }
            if is_merge {
                merged = Some(*value);
            } else if known.insert(name) {
                pairs.push((name, range, *value));
            }
        }
        let Some(merged) = merged else { return Ok(()) };
        match &self.tree.node(merged).content {
            NodeContent::Sequence(mappings) => {
                mappings.iter().try_for_each(|id| self.merge(*id, depth + 1, known, pairs))
            }
            _ => self.merge(merged, depth + 1, known, pairs),
        }
    }

    fn key_text(&self, id: NodeId) -> Result<&'t str, LocatedError> {
        match &self.tree.node(id).content {
            NodeContent::Scalar { text, is_plain } if !(text.is_empty() || *is_plain && text == "~") => Ok(text),
            _ => Err(self.error_at(id, SpecErrorKind::InvalidKey)),
        }
    }

    fn is_merge_key(&self, id: NodeId) -> bool {
        matches!(&self.tree.node(id).content, NodeContent::Scalar { text, is_plain: true } if text == "<<")
    }

    fn count_bytes(&self, id: NodeId, size: usize) -> Result<(), LocatedError> {
        let remaining =
            self.remaining_bytes.get().checked_sub(size).ok_or_else(|| self.error_at(id, SpecErrorKind::TooLarge))?;
        self.remaining_bytes.set(remaining);
        Ok(())
    }

    pub(super) fn wrong_type(&self, id: NodeId, name: &str, expected: &'static str) -> LocatedError {
        let found = self.tree.node(id).type_name();
        self.error_at(id, SpecErrorKind::WrongType { name: name.to_owned(), expected, found })
    }

    pub(super) fn error_at(&self, id: NodeId, kind: SpecErrorKind) -> LocatedError {
        LocatedError { range: self.tree.node(id).range.clone(), kind }
    }
}

fn duplicate_key(key: &str, first_key: &str, first_offset: usize) -> SpecErrorKind {
    SpecErrorKind::DuplicateKey { key: key.to_owned(), first_key: first_key.to_owned(), first_line: 0, first_offset }
}

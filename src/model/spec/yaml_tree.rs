//! YAML as a tree of strings, lists and mappings, each with its position.
//!
//! Scalars are not interpreted: `1.0`, `on` and `386` are strings as written. An alias refers to the node of its anchor
//! without a copy, so that a tree is never larger than its text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::error::{LocatedError, SpecErrorKind};

/// The maximum depth of lists and mappings. A spec needs five levels.
const DEPTH_MAX: usize = 64;

/// The maximum number of nodes. A spec of 10,000 entries has 200,000.
const NODES_MAX: usize = 1 << 20;

/// A node's number in its tree.
pub(super) type NodeId = usize;

/// The content of a node.
#[derive(Debug)]
pub(super) enum NodeContent<'t> {
    /// A scalar, and whether it is plain (YAML, "Plain Style"): without quotes, and not a block.
    Scalar { text: Cow<'t, str>, is_plain: bool },
    /// The items.
    Sequence(Vec<NodeId>),
    /// Keys and values, in order, with duplicates.
    Mapping(Vec<(NodeId, NodeId)>),
    /// A list or mapping whose end has not been read.
    Open,
}

/// A node and its position.
#[derive(Debug)]
pub(super) struct Node<'t> {
    /// Its range in bytes; for a list or mapping, only the start.
    pub(super) range: Range<usize>,
    pub(super) content: NodeContent<'t>,
}

impl Node<'_> {
    /// Whether the node is empty or a null of YAML.
    pub(super) fn is_null(&self) -> bool {
        match &self.content {
            NodeContent::Scalar { text, is_plain: true } => matches!(&**text, "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    /// Whether the node is an empty string in quotes, or an empty list. A value that is empty only after the expansion
    /// of its variables does not count.
    pub(super) fn is_explicitly_empty(&self) -> bool {
        match &self.content {
            NodeContent::Scalar { text, is_plain: false } => text.is_empty(),
            NodeContent::Sequence(items) => items.is_empty(),
            _ => false,
        }
    }

    /// The type of the node, for messages.
    pub(super) fn type_name(&self) -> &'static str {
        match self.content {
            _ if self.is_null() => "nothing",
            NodeContent::Scalar { .. } => "a text",
            NodeContent::Sequence(_) => "a list",
            NodeContent::Mapping(_) | NodeContent::Open => "a mapping",
        }
    }
}

/// All documents of a file.
#[derive(Debug, Default)]
pub(super) struct YamlTree<'t> {
    nodes: Vec<Node<'t>>,
    /// The documents' roots, without empty documents.
    pub(super) documents: Vec<NodeId>,
    text: &'t str,
}

/// A list or mapping that is being read.
struct OpenCollection {
    id: NodeId,
    is_mapping: bool,
    /// The items; for a mapping, keys and values in turn.
    parts: Vec<NodeId>,
}

impl<'t> YamlTree<'t> {
    /// Reads YAML, which includes JSON. Time and memory are proportional to the text.
    pub(super) fn parse(text: &'t str) -> Result<YamlTree<'t>, LocatedError> {
        let mut builder =
            Builder { tree: YamlTree { text, ..YamlTree::default() }, open: Vec::new(), anchors: HashMap::new() };
        let options = granit_parser::options! { flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX };
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| syntax_error(&error, text))?;
            builder.handle(event, &span)?;
        }
        Ok(builder.tree)
    }

    /// A node of this tree.
    pub(super) fn node(&self, id: NodeId) -> &Node<'t> {
        const MISSING_NODE: &Node<'static> = &Node { range: 0..0, content: NodeContent::Open };
        self.nodes.get(id).unwrap_or(MISSING_NODE)
    }

    /// The text of the file in a range.
    pub(super) fn source_text(&self, range: &Range<usize>) -> &'t str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

struct Builder<'t> {
    tree: YamlTree<'t>,
    open: Vec<OpenCollection>,
    /// The nodes of anchors, by the numbers that the parser gives to anchors.
    anchors: HashMap<usize, NodeId>,
}

impl<'t> Builder<'t> {
    fn handle(&mut self, event: Event<'t>, span: &Span) -> Result<(), LocatedError> {
        let range = byte_range(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                check_tag(tag.as_deref(), "str", &range)?;
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                let id = self.add(Node { range, content: NodeContent::Scalar { text, is_plain } }, anchor)?;
                self.attach(id);
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "seq", &range)?;
                self.begin(range, anchor, false)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "map", &range)?;
                self.begin(range, anchor, true)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let id = self.anchors.get(&anchor).copied();
                match id.filter(|id| !matches!(self.tree.node(*id).content, NodeContent::Open)) {
                    Some(id) => self.attach(id),
                    None => return Err(LocatedError { range, kind: SpecErrorKind::RecursiveAlias }),
                }
            }
            Event::DocumentEnd => self.anchors.clear(),
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, node: Node<'t>, anchor: usize) -> Result<NodeId, LocatedError> {
        if self.tree.nodes.len() >= NODES_MAX {
            return Err(LocatedError { range: node.range, kind: SpecErrorKind::TooLarge });
        }
        let id = self.tree.nodes.len();
        self.tree.nodes.push(node);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        Ok(id)
    }

    fn begin(&mut self, range: Range<usize>, anchor: usize, is_mapping: bool) -> Result<(), LocatedError> {
        let id = self.add(Node { range, content: NodeContent::Open }, anchor)?;
        self.open.push(OpenCollection { id, is_mapping, parts: Vec::new() });
        Ok(())
    }

    fn end(&mut self) {
        let Some(OpenCollection { id, is_mapping, parts }) = self.open.pop() else { return };
        let content = if is_mapping {
            let pairs = parts.chunks_exact(2);
            NodeContent::Mapping(pairs.filter_map(|pair| Some((*pair.first()?, *pair.last()?))).collect())
        } else {
            NodeContent::Sequence(parts)
        };
        if let Some(node) = self.tree.nodes.get_mut(id) {
            node.content = content;
        }
        self.attach(id);
    }

    /// Adds a complete node to its parent.
    fn attach(&mut self, id: NodeId) {
        match self.open.last_mut() {
            Some(open) => open.parts.push(id),
            // `---` at the end of a file begins an empty document.
            None if self.tree.node(id).is_null() => {}
            None => self.tree.documents.push(id),
        }
    }
}

/// Refuses a tag other than that of the type of its node. `!!str` makes `~` a string.
fn check_tag(tag: Option<&Tag>, type_tag: &str, range: &Range<usize>) -> Result<(), LocatedError> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema_tag(type_tag) => {
            Err(LocatedError { range: range.clone(), kind: SpecErrorKind::YamlTag(tag.to_string()) })
        }
        _ => Ok(()),
    }
}

fn byte_range(span: &Span) -> Range<usize> {
    let start = span.start.byte_offset().unwrap_or_default();
    start..span.end.byte_offset().unwrap_or(start).max(start)
}

fn syntax_error(error: &ScanError, text: &str) -> LocatedError {
    let offset = error.marker().byte_offset().unwrap_or_default();
    let mut message = error.kind().to_string();
    let is_variable =
        offset.checked_sub(1).and_then(|dollar| text.get(dollar..)).is_some_and(|rest| rest.starts_with("${"));
    if is_variable {
        message.push_str("; between brackets ${ has to be in quotes");
    }
    LocatedError { range: offset..offset, kind: SpecErrorKind::Syntax(message) }
}

//! YAML as a tree of strings, lists and mappings, each with its position.
//!
//! Scalars are not interpreted: `1.0`, `on` and `386` are strings as written. An alias is the node that it stands for
//! and no copy, so that a tree is never larger than its text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::error::{Fault, SpecErrorKind};

/// The maximum depth of lists and mappings. A spec needs five levels.
const DEPTH_MAX: usize = 64;

/// The maximum number of nodes. A spec of 10,000 entries has 200,000.
const NODES_MAX: usize = 1 << 20;

/// A node's number in its tree.
pub(super) type Id = usize;

/// The content of a node.
#[derive(Debug)]
pub(super) enum Content<'t> {
    /// A scalar, and whether it is plain: without quotes, and not a block.
    Text { text: Cow<'t, str>, bare: bool },
    /// The items.
    List(Vec<Id>),
    /// Keys and values, in order, with duplicates.
    Mapping(Vec<(Id, Id)>),
    /// A list or mapping whose end has not been read.
    Open,
}

/// A node and its position.
#[derive(Debug)]
pub(super) struct Node<'t> {
    /// Its range in bytes; for a list or mapping, only the start.
    pub(super) at: Range<usize>,
    pub(super) content: Content<'t>,
}

impl Node<'_> {
    /// Whether it is empty or one of YAML's words for null.
    pub(super) fn is_null(&self) -> bool {
        match &self.content {
            Content::Text { text, bare: true } => matches!(&**text, "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    /// Whether it is an empty string in quotes, or an empty list. A value that is empty after its variables are
    /// expanded is not.
    pub(super) fn is_written_empty(&self) -> bool {
        match &self.content {
            Content::Text { text, bare: false } => text.is_empty(),
            Content::List(items) => items.is_empty(),
            _ => false,
        }
    }

    /// Its type, for messages.
    pub(super) fn noun(&self) -> &'static str {
        match self.content {
            _ if self.is_null() => "nothing",
            Content::Text { .. } => "a text",
            Content::List(_) => "a list",
            Content::Mapping(_) | Content::Open => "a mapping",
        }
    }
}

/// All documents of a text.
#[derive(Debug, Default)]
pub(super) struct Tree<'t> {
    nodes: Vec<Node<'t>>,
    /// The documents' roots, without empty documents.
    pub(super) documents: Vec<Id>,
    text: &'t str,
}

/// A list or mapping that is being read.
struct Open {
    id: Id,
    is_mapping: bool,
    /// The items; for a mapping, keys and values in turn.
    parts: Vec<Id>,
}

impl<'t> Tree<'t> {
    /// Reads YAML, which includes JSON. Time and memory are proportional to the text.
    pub(super) fn parse(text: &'t str) -> Result<Tree<'t>, Fault> {
        let mut builder = Builder { tree: Tree { text, ..Tree::default() }, open: Vec::new(), anchors: HashMap::new() };
        let options = granit_parser::options! { flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX };
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| syntax(&error, text))?;
            builder.take(event, &span)?;
        }
        Ok(builder.tree)
    }

    /// A node. Every number that the tree has returned is valid.
    pub(super) fn node(&self, id: Id) -> &Node<'t> {
        const NONE: &Node<'static> = &Node { at: 0..0, content: Content::Open };
        self.nodes.get(id).unwrap_or(NONE)
    }

    /// The text of a range as it was written.
    pub(super) fn written(&self, at: &Range<usize>) -> &'t str {
        self.text.get(at.clone()).unwrap_or_default()
    }
}

struct Builder<'t> {
    tree: Tree<'t>,
    open: Vec<Open>,
    /// From the parser's number of an anchor to the node.
    anchors: HashMap<usize, Id>,
}

impl<'t> Builder<'t> {
    fn take(&mut self, event: Event<'t>, span: &Span) -> Result<(), Fault> {
        let at = place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                check(tag.as_deref(), "str", &at)?;
                let bare = style == ScalarStyle::Plain && tag.is_none();
                let id = self.add(Node { at, content: Content::Text { text, bare } }, anchor)?;
                self.place(id);
            }
            Event::SequenceStart(_, anchor, tag) => {
                check(tag.as_deref(), "seq", &at)?;
                self.begin(at, anchor, false)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                check(tag.as_deref(), "map", &at)?;
                self.begin(at, anchor, true)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let id = self.anchors.get(&anchor).copied();
                match id.filter(|id| !matches!(self.tree.node(*id).content, Content::Open)) {
                    Some(id) => self.place(id),
                    None => return Err(Fault { at, kind: SpecErrorKind::Endless }),
                }
            }
            Event::DocumentEnd => self.anchors.clear(),
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, node: Node<'t>, anchor: usize) -> Result<Id, Fault> {
        if self.tree.nodes.len() >= NODES_MAX {
            return Err(Fault { at: node.at, kind: SpecErrorKind::TooLarge });
        }
        let id = self.tree.nodes.len();
        self.tree.nodes.push(node);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        Ok(id)
    }

    fn begin(&mut self, at: Range<usize>, anchor: usize, is_mapping: bool) -> Result<(), Fault> {
        let id = self.add(Node { at, content: Content::Open }, anchor)?;
        self.open.push(Open { id, is_mapping, parts: Vec::new() });
        Ok(())
    }

    fn end(&mut self) {
        let Some(Open { id, is_mapping, parts }) = self.open.pop() else { return };
        let content = if is_mapping {
            let pairs = parts.chunks_exact(2);
            Content::Mapping(pairs.filter_map(|pair| Some((*pair.first()?, *pair.last()?))).collect())
        } else {
            Content::List(parts)
        };
        if let Some(node) = self.tree.nodes.get_mut(id) {
            node.content = content;
        }
        self.place(id);
    }

    /// Adds a complete node to its parent.
    fn place(&mut self, id: Id) {
        match self.open.last_mut() {
            Some(open) => open.parts.push(id),
            // `---` at the end of a file begins an empty document.
            None if self.tree.node(id).is_null() => {}
            None => self.tree.documents.push(id),
        }
    }
}

/// A tag may only confirm the node's type; `!!str` makes a string of `~`.
fn check(tag: Option<&Tag>, fitting: &str, at: &Range<usize>) -> Result<(), Fault> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema_tag(fitting) => {
            Err(Fault { at: at.clone(), kind: SpecErrorKind::Tag(tag.to_string()) })
        }
        _ => Ok(()),
    }
}

fn place(span: &Span) -> Range<usize> {
    let start = span.start.byte_offset().unwrap_or_default();
    start..span.end.byte_offset().unwrap_or(start).max(start)
}

fn syntax(error: &ScanError, text: &str) -> Fault {
    let at = error.marker().byte_offset().unwrap_or_default();
    let mut message = error.kind().to_string();
    let is_variable =
        at.checked_sub(1).and_then(|dollar| text.get(dollar..)).is_some_and(|rest| rest.starts_with("${"));
    if is_variable {
        message.push_str("; between brackets ${ has to be in quotes");
    }
    Fault { at: at..at, kind: SpecErrorKind::Syntax(message) }
}

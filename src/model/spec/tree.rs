//! YAML as a tree of texts, lists and mappings, each with its place.
//!
//! Nothing is decided about what a text is: `1.0`, `on` and `386` are the texts that were written. An alias is the node
//! that it stands for, not a copy of it, so that a tree is never larger than its text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::error::{Fault, SpecErrorKind};

/// How deep lists and mappings may be in each other; a spec needs five levels.
const DEPTH_MAX: usize = 64;

/// How many nodes are read; a spec of 10,000 entries has 200,000.
const NODES_MAX: usize = 1 << 20;

/// A node's number in its tree.
pub(super) type Id = usize;

/// What a node is.
#[derive(Debug)]
pub(super) enum Content<'t> {
    /// A scalar, and whether it stood there bare: without quotes, and not as a block.
    Text { text: Cow<'t, str>, bare: bool },
    /// The items.
    List(Vec<Id>),
    /// Keys and values, in order, with duplicates.
    Mapping(Vec<(Id, Id)>),
    /// A list or mapping that has not ended.
    Open,
}

/// A node and its place.
#[derive(Debug)]
pub(super) struct Node<'t> {
    /// From where to where it is, in bytes; of a list or mapping only where it begins.
    pub(super) at: Range<usize>,
    pub(super) content: Content<'t>,
}

impl Node<'_> {
    /// Nothing at all, or one of YAML's words for it.
    pub(super) fn is_null(&self) -> bool {
        match &self.content {
            Content::Text { text, bare: true } => matches!(&**text, "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    /// An empty text between quotes, or an empty list: not what is empty once its variables are filled in.
    pub(super) fn is_written_empty(&self) -> bool {
        match &self.content {
            Content::Text { text, bare: false } => text.is_empty(),
            Content::List(items) => items.is_empty(),
            _ => false,
        }
    }

    /// What it is, for people.
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
    /// The documents' roots, without those that hold nothing.
    pub(super) documents: Vec<Id>,
    text: &'t str,
}

/// A list or mapping that is being read.
struct Open {
    id: Id,
    is_mapping: bool,
    /// Items; of a mapping keys and values in turn.
    parts: Vec<Id>,
}

impl<'t> Tree<'t> {
    /// Reads YAML, and with it JSON. Takes time and memory in proportion to the text.
    pub(super) fn parse(text: &'t str) -> Result<Tree<'t>, Fault> {
        let mut builder = Builder { tree: Tree { text, ..Tree::default() }, open: Vec::new(), anchors: HashMap::new() };
        let options = granit_parser::options! { flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX };
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| syntax(&error, text))?;
            builder.take(event, &span)?;
        }
        Ok(builder.tree)
    }

    /// A node. Every number that the tree has given is one.
    pub(super) fn node(&self, id: Id) -> &Node<'t> {
        const NONE: &Node<'static> = &Node { at: 0..0, content: Content::Open };
        self.nodes.get(id).unwrap_or(NONE)
    }

    /// The text of a place as it was written.
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

    /// Puts a node that has ended into what it is part of.
    fn place(&mut self, id: Id) {
        match self.open.last_mut() {
            Some(open) => open.parts.push(id),
            // `---` at a file's end begins a document with nothing in it.
            None if self.tree.node(id).is_null() => {}
            None => self.tree.documents.push(id),
        }
    }
}

/// A tag may only say what the node is anyhow; `!!str` makes a word of `~`.
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

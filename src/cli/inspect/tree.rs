//! `--format tree`: the index, its platforms, and their layers with sizes. Attestations stand below their image with
//! their predicates. A manifest's artifact type, annotations and subject stand below it.

use crate::cli::inspect::short_digests::DigestShortener;
use crate::cli::output::{Tree, human};
use crate::core::inspect::node::{InspectNode, NodeContents, predicate_type, with_attestations};
use crate::model::descriptor::Descriptor;

/// The tree. With `is_verbose` it has whole digests, media types and annotations.
pub(crate) fn tree(node: &InspectNode, is_verbose: bool) -> Tree {
    let shortener = if is_verbose {
        DigestShortener::full()
    } else {
        DigestShortener::distinguishing(node.manifest_and_blob_digests())
    };
    let builder = TreeBuilder { shortener, is_verbose };
    let name = node.location.to_string();
    let kind = node.platform().unwrap_or_else(|| node.kind());
    let words = [name.as_str(), "draft", kind.as_str()];
    let words: Vec<&str> = words.into_iter().filter(|word| node.is_draft || *word != "draft").collect();
    let mut tree = Tree::new(builder.label(&words, node));
    builder.add_descriptor_fields(&mut tree, node);
    if let Some(subject) = &node.subject {
        tree.push(Tree::new(builder.blob_label("subject", subject)));
    }
    builder.add_descendants(&mut tree, node, &[]);
    tree
}

struct TreeBuilder {
    shortener: DigestShortener,
    is_verbose: bool,
}

impl TreeBuilder {
    /// One manifest of a list with its attestations.
    fn child(&self, node: &InspectNode, attestations: &[&InspectNode]) -> Tree {
        let kind = match (node.platform(), node.attested_digest()) {
            (_, Some(image)) => format!("attestation of {}", self.shortener.shorten(&image)),
            (Some(platform), _) if node.children().is_empty() => platform,
            (Some(platform), _) => format!("{} for {platform}", node.kind()),
            (None, _) => node.kind(),
        };
        let mut tree = Tree::new(self.label(&[&kind], node));
        self.add_descriptor_fields(&mut tree, node);
        self.add_descendants(&mut tree, node, attestations);
        tree
    }

    /// An attestation is shown without its configuration, and with the predicate of every layer.
    fn attestation(&self, node: &InspectNode) -> Tree {
        let mut tree = Tree::new(self.label(&["attestation"], node));
        self.add_descriptor_fields(&mut tree, node);
        self.add_layers(&mut tree, node, "layer");
        tree
    }

    fn add_descendants(&self, tree: &mut Tree, node: &InspectNode, attestations: &[&InspectNode]) {
        if let Some(config) = node.image_contents().and_then(|contents| contents.config.as_ref()) {
            tree.push(Tree::new(self.blob_label("config", config)));
        }
        self.add_layers(tree, node, "foreign layer");
        for (child, attestations) in with_attestations(node.children()) {
            tree.push(self.child(child, &attestations));
        }
        for attestation in attestations {
            tree.push(self.attestation(attestation));
        }
        for referrer in &node.referrers {
            tree.push(self.referrer(referrer));
        }
    }

    /// A referrer is shown with its type, and without its configuration, as an attestation is.
    fn referrer(&self, node: &InspectNode) -> Tree {
        let mut tree = Tree::new(self.label(&["referrer", &node.referrer_kind()], node));
        for tag in &node.tags {
            tree.push(Tree::new(format!("tag  {tag}")));
        }
        for (name, value) in &node.descriptor.annotations {
            tree.push(Tree::new(format!("annotation  {name}={value}")));
        }
        self.add_layers(&mut tree, node, "layer");
        for referrer in &node.referrers {
            tree.push(self.referrer(referrer));
        }
        tree
    }

    /// Adds the layers by their predicates. `foreign` is the word for one whose content is elsewhere.
    fn add_layers(&self, tree: &mut Tree, node: &InspectNode, foreign: &str) {
        for layer in node.image_contents().map(|contents| contents.layers.as_slice()).unwrap_or_default() {
            let kind = predicate_type(layer).unwrap_or(if layer.is_foreign_with_urls() { foreign } else { "layer" });
            tree.push(Tree::new(self.blob_label(kind, layer)));
        }
    }

    /// Adds what the descriptor says beyond the label.
    fn add_descriptor_fields(&self, tree: &mut Tree, node: &InspectNode) {
        if !node.descriptor.artifact_type.is_empty() {
            tree.push(Tree::new(format!("artifact type  {}", node.descriptor.artifact_type)));
        }
        let annotations = node.descriptor.annotations.iter().filter(|_| self.is_verbose);
        for (name, value) in annotations.chain(node.shown_annotations().filter(|_| !self.is_verbose)) {
            tree.push(Tree::new(format!("annotation  {name}={value}")));
        }
    }

    /// The kind, the digest, and the size of all blobs.
    fn label(&self, words: &[&str], node: &InspectNode) -> String {
        let size = match &node.contents {
            NodeContents::Missing => Some(node.missing_text().to_owned()),
            NodeContents::Image(contents) => Some(human::size(contents.size())),
            NodeContents::NotExpanded | NodeContents::List(_) => None,
        };
        let digest = self.shortener.shorten(&node.descriptor.digest);
        let parts = words.iter().copied().chain([digest]).chain(size.as_deref());
        parts.collect::<Vec<_>>().join("  ")
    }

    fn blob_label(&self, kind: &str, blob: &Descriptor) -> String {
        let (digest, size) = (self.shortener.shorten(&blob.digest), human::size(blob.size));
        let media_type = if self.is_verbose { format!("  {}", blob.media_type) } else { String::new() };
        format!("{kind}  {digest}  {size}{media_type}")
    }
}

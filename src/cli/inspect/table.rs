//! `--format table`: a row for each manifest of a list. Attestations follow their image.

use crate::cli::inspect::short_digests::DigestShortener;
use crate::cli::output::{Table, human};
use crate::core::inspect::node::{ImageContents, InspectNode, NodeContents, with_attestations};
use crate::sanitize;

/// Shown for a value that is unknown or missing.
const ABSENT_CELL: &str = "-";

/// The place of the column TYPE.
const TYPE_COLUMN: usize = 3;

/// The members of the list itself, one line each: that it is a draft, its artifact type, annotations and subject.
/// Followed by an empty line if there is any.
pub(crate) fn manifest_field_lines(node: &InspectNode) -> String {
    let mut lines = Vec::new();
    if node.is_draft {
        lines.push(format!("draft  {}  {}", node.location, node.descriptor.digest));
    }
    if matches!(node.contents, NodeContents::List(_)) {
        let artifact_type = Some(&node.descriptor.artifact_type).filter(|text| !text.is_empty());
        lines.extend(artifact_type.map(|text| format!("artifact type  {text}")));
        lines.extend(node.shown_annotations().map(|(name, value)| format!("annotation  {name}={value}")));
    }
    lines.extend(node.subject.as_ref().map(|subject| format!("subject  {}", subject.digest)));
    lines.extend((!lines.is_empty()).then(String::new));
    lines.iter().map(|line| format!("{}\n", sanitize::short_line(line))).collect()
}

/// Whether the column of annotations would have any content.
fn has_annotation_cells(node: &InspectNode) -> bool {
    let is_entry = !matches!(node.contents, NodeContents::List(_)) && node.shown_annotations().next().is_some();
    is_entry
        || node.children().iter().any(|child| child.shown_annotations().next().is_some() || has_annotation_cells(child))
}

/// The table. With `is_verbose` it has whole digests and the blobs of images.
pub(crate) fn table(node: &InspectNode, is_verbose: bool) -> Table {
    let headers = ["PLATFORM", "DIGEST", "SIZE", "TYPE"];
    let size_headers = ["LAYERS", "TOTAL SIZE"];
    let shortener =
        if is_verbose { DigestShortener::full() } else { DigestShortener::distinguishing(all_digests(node)) };
    let rows = RowBuilder { shortener, is_verbose, has_annotation_cells: has_annotation_cells(node) };
    let size_headers: &[&str] = if is_verbose { &size_headers } else { &[] };
    let last: &[&str] = if rows.has_annotation_cells { &["ANNOTATIONS"] } else { &[] };
    let mut table = Table::new(&[&headers[..], size_headers, last].concat());
    match &node.contents {
        NodeContents::List(children) => {
            rows.add_referrers(&mut table, node, None, "");
            rows.add_children(&mut table, children, "");
        }
        _ => {
            table.row(rows.cells(node, node.platform(), ""));
            rows.add_referrers(&mut table, node, node.platform().as_deref(), "");
        }
    }
    table
}

fn all_digests(node: &InspectNode) -> Vec<&crate::digest::Digest> {
    let below = node.children().iter().chain(&node.referrers);
    std::iter::once(&node.descriptor.digest).chain(below.flat_map(all_digests)).collect()
}

struct RowBuilder {
    shortener: DigestShortener,
    is_verbose: bool,
    has_annotation_cells: bool,
}

impl RowBuilder {
    /// Rows of a nested index are indented.
    fn add_children(&self, table: &mut Table, children: &[InspectNode], margin: &str) {
        for (child, attestations) in with_attestations(children) {
            table.row(self.cells(child, child.platform(), margin));
            for attestation in attestations {
                table.row(self.cells(attestation, child.platform(), margin));
            }
            self.add_referrers(table, child, child.platform().as_deref(), margin);
            self.add_children(table, child.children(), &format!("{margin}  "));
        }
    }

    /// Referrers have the platform of their image, and those of referrers too.
    fn add_referrers(&self, table: &mut Table, node: &InspectNode, platform: Option<&str>, margin: &str) {
        for referrer in &node.referrers {
            let mut cells = self.cells(referrer, platform.map(str::to_owned), margin);
            if let Some(kind) = cells.get_mut(TYPE_COLUMN) {
                *kind = format!("referrer {}", referrer.referrer_kind());
            }
            table.row(cells);
            self.add_referrers(table, referrer, platform, margin);
        }
    }

    fn cells(&self, node: &InspectNode, platform: Option<String>, margin: &str) -> Vec<String> {
        let platform = platform.unwrap_or_else(|| ABSENT_CELL.to_owned());
        let kind = if node.contents == NodeContents::Missing { node.missing_text().to_owned() } else { node.kind() };
        let digest = self.shortener.shorten(&node.descriptor.digest).to_owned();
        let mut cells = vec![format!("{margin}{platform}"), digest, human::size(node.descriptor.size), kind];
        if self.is_verbose {
            let of_contents =
                |value: &dyn Fn(&ImageContents) -> String| node.image_contents().map_or(ABSENT_CELL.to_owned(), value);
            cells.push(of_contents(&|contents| contents.layers.len().to_string()));
            cells.push(of_contents(&|contents| human::size(contents.size())));
        }
        if self.has_annotation_cells {
            let pairs: Vec<String> = node.shown_annotations().map(|(name, value)| format!("{name}={value}")).collect();
            cells.push(pairs.join(", "));
        }
        cells
    }
}

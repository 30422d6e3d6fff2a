//! `--format table`: a row for each manifest of a list, attestations behind their image.

use crate::commands::inspect::node::{Contents, Inside, Node, beside};
use crate::commands::inspect::short::Short;
use crate::output::{Table, human};

/// What is not known, or not said.
const NOTHING: &str = "-";

/// The table; with whole digests and what the images are made of where that `is_verbose`.
pub(super) fn of(node: &Node, is_verbose: bool) -> Table {
    let headers = ["PLATFORM", "DIGEST", "SIZE", "TYPE"];
    let more = ["LAYERS", "TOTAL SIZE"];
    let rows = Rows { short: if is_verbose { Short::whole() } else { Short::among(manifests(node)) }, is_verbose };
    let mut table = match is_verbose {
        true => Table::new(&[&headers[..], &more].concat()),
        false => Table::new(&headers),
    };
    match &node.inside {
        Inside::List(children) => rows.list(&mut table, children, ""),
        _ => table.row(rows.cells(node, node.platform(), "")),
    }
    table
}

fn manifests(node: &Node) -> Vec<&crate::digest::Digest> {
    std::iter::once(&node.line.digest).chain(node.children().iter().flat_map(manifests)).collect()
}

struct Rows {
    short: Short,
    is_verbose: bool,
}

impl Rows {
    /// What an index within the list names is set in.
    fn list(&self, table: &mut Table, children: &[Node], margin: &str) {
        for (child, attestations) in beside(children) {
            table.row(self.cells(child, child.platform(), margin));
            for attestation in attestations {
                table.row(self.cells(attestation, child.platform(), margin));
            }
            self.list(table, child.children(), &format!("{margin}  "));
        }
    }

    fn cells(&self, node: &Node, platform: Option<String>, margin: &str) -> Vec<String> {
        let platform = platform.unwrap_or_else(|| NOTHING.to_owned());
        let kind = if node.inside == Inside::Missing { "not in the registry".to_owned() } else { node.kind() };
        let digest = self.short.of(&node.line.digest).to_owned();
        let mut cells = vec![format!("{margin}{platform}"), digest, human::size(node.line.size), kind];
        if self.is_verbose {
            let told = |tell: &dyn Fn(&Contents) -> String| node.contents().map_or(NOTHING.to_owned(), tell);
            cells.push(told(&|contents| contents.layers.len().to_string()));
            cells.push(told(&|contents| human::size(contents.size())));
        }
        cells
    }
}

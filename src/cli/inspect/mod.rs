//! `inspect`: shows the draft of that name, or else what the registry has.
//!
//! `draft` and `published` print docker's own output, which differs for the two. For our own formats both make an
//! `InspectNode`, which `json`, `table` and `tree` print.

mod draft;
mod json;
mod published;
mod short_digests;
mod table;
mod template;
mod tree;

use std::fmt;

use crate::cli::args::{Inspect, InspectFormat};
use crate::cli::context::Context;
use crate::cli::output::terminal;
use crate::core::error::CommandError;
use crate::core::image_filters::PlatformFilter;
use crate::core::inspect::node::InspectNode;
use crate::model::Draft;

/// Docker's indentation of an image and of `-v`.
const INDENTATION: &str = "\t";

pub(crate) fn run(context: &Context, args: &Inspect) -> Result<(), CommandError> {
    let text = match draft::find_draft_content(context, args)? {
        Some(content) => draft::render(context, args, content)?,
        None if args.local => return Err(CommandError::NoSuchDraftOrImage(args.image.reference()?.to_string())),
        None => published::fetch_and_render(context, args)?,
    };
    Ok(context.streams.data(&text)?)
}

/// Shows a draft, wherever it comes from.
pub(crate) fn show_draft(context: &Context, args: &Inspect, draft: Draft) -> Result<(), CommandError> {
    let text = draft::render(context, args, draft::DraftContent::Draft(Box::new(draft)))?;
    Ok(context.streams.data(&text)?)
}

/// The output in one of our formats. `requests` is the number of requests sent; `None` for a draft.
fn format_node(
    context: &Context,
    format: InspectFormat,
    is_verbose: bool,
    node: &InspectNode,
    requests: Option<u64>,
) -> Result<Vec<u8>, CommandError> {
    let text = match format {
        InspectFormat::Json => json::text(node, is_verbose, requests)?,
        InspectFormat::Table => {
            let rows = context.streams.table_for_stdout(table::table(node, is_verbose));
            format!("{}{rows}", table::manifest_field_lines(node))
        }
        InspectFormat::Tree => tree::tree(node, is_verbose).to_text(terminal::is_utf8(&context.env)),
    };
    Ok(text.into_bytes())
}

/// Prints on stderr that several images match the platform.
fn note_other_matches(context: &Context, filter: &PlatformFilter, images: &[&dyn fmt::Display]) {
    if let [first, _, ..] = images {
        let names: Vec<String> = images.iter().map(ToString::to_string).collect();
        let typed = &filter.text;
        context.streams.message(format_args!(
            "{} images for {typed}: {}; this is the first, {first}",
            images.len(),
            names.join(", ")
        ));
    }
}

fn append_newline(mut text: Vec<u8>) -> Vec<u8> {
    text.push(b'\n');
    text
}

//! Shows a draft, or one image of it. Sends no request.

use std::collections::BTreeSet;

use crate::cli::args::{Inspect, InspectOutput, LocationArg, RefArg};
use crate::cli::context::Context;
use crate::cli::inspect::{INDENTATION, append_newline, format_node, note_other_matches, template};
use crate::core::entry_lookup;
use crate::core::error::CommandError;
use crate::core::image_filters::PlatformFilter;
use crate::core::inspect::node::InspectNode;
use crate::core::platform_match;
use crate::drafts::docker_dir::{DockerManifestStore, StoreError};
use crate::model::descriptor::Descriptor;
use crate::model::template::{Template, TemplateData, TemplateManifest};
use crate::model::{DocumentError, Draft, Entry, index, json};
use crate::reference::Reference;

/// A draft, or an image of one.
pub(crate) enum DraftContent {
    /// A whole draft.
    Draft(Box<Draft>),
    /// One image of a draft, with the draft's name.
    Entry(Reference, Box<Entry>),
}

/// Looks in the store. `None` if the image must be requested from its registry.
pub(crate) fn find_draft_content(context: &Context, args: &Inspect) -> Result<Option<DraftContent>, CommandError> {
    let store = context.store();
    match &args.list {
        Some(list) => find_entry(context, &store, list, &args.image).map(Some),
        // A draft is never in a layout.
        None if args.remote || args.check || args.referrers || args.image.location()?.layout().is_some() => Ok(None),
        None => match read_draft(context, &store, args.image.reference()?) {
            // A draft of another list in the same directory is not it.
            Err(StoreError::NameTaken { .. }) => Ok(None),
            found => Ok(found?.map(|draft| DraftContent::Draft(Box::new(draft)))),
        },
    }
}

/// Reads a draft. If its sidecar cannot be read, the draft is shown without it, and a line on stderr says so.
fn read_draft(context: &Context, store: &DockerManifestStore, list: &Reference) -> Result<Option<Draft>, StoreError> {
    let Some((draft, problem)) = store.load_ignoring_unmatched_sidecar(list)? else { return Ok(None) };
    if let Some(problem) = problem {
        context.streams.warning(format_args!("{problem}; the draft is shown without it"));
    }
    Ok(Some(draft))
}

fn find_entry(
    context: &Context,
    store: &DockerManifestStore,
    list: &RefArg,
    image: &LocationArg,
) -> Result<DraftContent, CommandError> {
    // Docker checks the image's name first. A text that is not a name may be the first digits of a digest.
    let list = match list.reference() {
        Ok(list) => list,
        Err(error) => return Err(image.reference().err().unwrap_or(error)),
    };
    let Some(draft) = read_draft(context, store, list)? else {
        return Err(CommandError::NoSuchDraftOrImage(image.reference()?.to_string()));
    };
    if let Some(entry) = entry_lookup::entry(&draft, &image.typed)? {
        return Ok(DraftContent::Entry(list.clone(), Box::new(entry.clone())));
    }
    Err(CommandError::InspectImageMissing {
        image: image.reference()?.to_string(),
        list: list.to_string(),
        suggestion: entry_lookup::suggestion_for(&draft, &image.typed),
    })
}

/// The text to print.
pub(crate) fn render(context: &Context, args: &Inspect, content: DraftContent) -> Result<Vec<u8>, CommandError> {
    let content = match &args.platform {
        Some(filter) => select_platform(context, content, filter)?,
        None => content,
    };
    match &args.format {
        Some(InspectOutput::Format(format)) => format_node(context, *format, args.verbose, &node(&content)?, None),
        Some(InspectOutput::Template(template)) => render_template(args, template, content),
        None => docker_output(&content, args),
    }
}

fn node(content: &DraftContent) -> Result<InspectNode, CommandError> {
    match content {
        DraftContent::Draft(draft) => InspectNode::from_draft(draft),
        DraftContent::Entry(_, entry) => InspectNode::from_entry(entry),
    }
}

/// The image for a platform.
fn select_platform(
    context: &Context,
    content: DraftContent,
    filter: &PlatformFilter,
) -> Result<DraftContent, CommandError> {
    let (list, entries): (&Reference, Vec<&Entry>) = match &content {
        DraftContent::Draft(draft) => (&draft.reference, draft.entries_in_key_order().collect()),
        DraftContent::Entry(list, entry) => (list, vec![entry]),
    };
    let images = entries.into_iter().filter(|entry| !entry.is_attestation());
    let images: Vec<(&Entry, _)> =
        images.filter_map(|entry| Some((entry, platform_match::known_platform(&entry.descriptor)?))).collect();
    let matching = images.iter().filter(|(_, platform)| platform.matches(&filter.parsed));
    let matching: Vec<&Entry> = matching.map(|(entry, _)| *entry).collect();
    let matching = platform_match::preferred(matching, &filter.parsed, |entry| &entry.descriptor);
    note_other_matches(context, filter, &matching.iter().map(|entry| &entry.reference as _).collect::<Vec<_>>());
    match matching.first() {
        Some(entry) => Ok(DraftContent::Entry(list.clone(), Box::new((*entry).clone()))),
        None => {
            let available: BTreeSet<String> = images.iter().map(|(_, platform)| platform.to_string()).collect();
            Err(CommandError::no_such_platform(&filter.text, list, available))
        }
    }
}

/// The output of a template for a draft or an image of one. A draft has no configurations, and nothing is requested.
fn render_template(args: &Inspect, template: &Template, content: DraftContent) -> Result<Vec<u8>, CommandError> {
    let needs = template.needs();
    if needs.names_image || needs.provenance || needs.sbom {
        return Err(CommandError::TemplateOfDraft(args.image.typed.clone()));
    }
    let (reference, manifest) = match content {
        DraftContent::Draft(draft) => {
            let list = draft.encode_for_display().map_err(|error| CommandError::UndisplayableDraft(Box::new(error)))?;
            let descriptor = Descriptor::new(list.media_type, list.digest, list.bytes.len() as u64);
            (draft.reference, TemplateManifest::List(list.bytes, descriptor))
        }
        DraftContent::Entry(_, entry) => (entry.reference, TemplateManifest::Image(entry.descriptor)),
    };
    let data = TemplateData::new(&args.image.typed, manifest);
    template::text(template, &reference.into(), &data)
}

/// Docker's output, or the exact bytes.
fn docker_output(content: &DraftContent, args: &Inspect) -> Result<Vec<u8>, CommandError> {
    match content {
        DraftContent::Draft(draft) if args.verbose => Ok(json_array(draft.entries_in_key_order().map(Entry::encode))?),
        DraftContent::Draft(draft) => {
            let list = draft.encode_for_display().map_err(|error| CommandError::UndisplayableDraft(Box::new(error)))?;
            Ok(match args.raw {
                true => list.bytes,
                // An index has its own layout.
                false if draft.source.is_some() => append_newline(index::pretty_printed_in_docker_order(&list.bytes)?),
                false => append_newline(list.bytes),
            })
        }
        DraftContent::Entry(_, entry) if args.raw => Ok(entry.verified_bytes()?.into_owned()),
        DraftContent::Entry(_, entry) if args.verbose => {
            Ok(append_newline(json::indent(&entry.encode()?, INDENTATION)))
        }
        DraftContent::Entry(_, entry) => Ok(append_newline(json::indent(&entry.manifest_json()?, INDENTATION))),
    }
}

/// Files of entries as docker prints an array of them.
pub(crate) fn json_array(
    documents: impl Iterator<Item = Result<Vec<u8>, DocumentError>>,
) -> Result<Vec<u8>, DocumentError> {
    let encoded: Vec<Vec<u8>> = documents.collect::<Result<_, _>>()?;
    let joined = [b"[".as_slice(), &encoded.join(&b','), b"]"].concat();
    Ok(append_newline(json::indent(&joined, INDENTATION)))
}

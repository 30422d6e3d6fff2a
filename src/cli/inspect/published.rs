//! Prints what a registry serves, or what a layout has. `core::inspect::published` reads it.

use std::num::NonZeroUsize;

use crate::cli::args::{Inspect, InspectFormat, InspectOutput};
use crate::cli::context::Context;
use crate::cli::inspect::{INDENTATION, append_newline, draft, format_node, note_other_matches, template};
use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::inspect::published::{self, Detail, PublishedContent, VerboseEntry};
use crate::core::inspect::referrers::add_referrers;
use crate::core::inspect::template::TemplateDataFetcher;
use crate::model::index::{self, Index};
use crate::model::json;
use crate::reference::Reference;

/// The text to print.
pub(crate) fn fetch_and_render(context: &Context, args: &Inspect) -> Result<Vec<u8>, CommandError> {
    let location = context.location(&args.image)?;
    let registry = &context.registry_client(&args.network, location.reference().map(Reference::repository))?;
    let access = context.content_access(registry);
    let source = &ImageSource::open(access, &location)?;
    source.expect_pull();
    let content = PublishedContent::fetch(source)?;
    // The attestations of an image are in its list.
    let list = match (&content, &args.platform, &args.format) {
        (PublishedContent::List(list), Some(_), Some(InspectOutput::Template(_))) => Some(list.clone()),
        _ => None,
    };
    let content = match &args.platform {
        Some(filter) => {
            let report_matches = |images: &[ImageSource<'_>]| {
                note_other_matches(context, filter, &images.iter().map(|image| image as _).collect::<Vec<_>>());
            };
            let image = published::find_image_for_platform(registry.jobs(), source, content, filter, &report_matches)?;
            PublishedContent::Image(Box::new(image))
        }
        None => content,
    };
    // Docker's JSON has no place for the marks of `--check` and for referrers.
    let format = match &args.format {
        Some(InspectOutput::Template(template)) => {
            let (name, needs) = (args.image.typed.as_str(), template.needs());
            let data_fetcher = TemplateDataFetcher { image_source: source, jobs: registry.jobs(), name, needs };
            let data = match content {
                PublishedContent::Image(image) => {
                    data_fetcher.image_data(&image.fetched, image.descriptor, list.as_ref())?
                }
                PublishedContent::List(fetched) => data_fetcher.list_data(&fetched)?,
            };
            return template::text(template, &location, &data);
        }
        Some(InspectOutput::Format(format)) => *format,
        None if args.referrers => InspectFormat::Tree,
        None if args.check => InspectFormat::Table,
        None => return docker_output(args, registry.jobs(), source, content),
    };
    let detail = Detail { contents: args.verbose || format == InspectFormat::Tree, check: args.check };
    let mut node = match content {
        PublishedContent::Image(image) => image.fetch_node()?,
        PublishedContent::List(fetched) => published::fetch_list_node(registry.jobs(), source, &fetched, detail)?,
    };
    if args.referrers {
        source.with_source(|content| add_referrers(content, registry.jobs(), &mut node))?;
    }
    format_node(context, format, args.verbose, &node, Some(registry.requests()))
}

/// Docker's output, or with `--raw` the exact bytes.
fn docker_output(
    args: &Inspect,
    jobs: NonZeroUsize,
    source: &ImageSource<'_>,
    content: PublishedContent<'_>,
) -> Result<Vec<u8>, CommandError> {
    let served = CommandError::invalid_document(source);
    Ok(match content {
        PublishedContent::Image(image) if args.raw => image.fetched.bytes,
        PublishedContent::Image(image) if args.verbose => {
            append_newline(json::indent(&image.fetch_and_encode()?, INDENTATION))
        }
        PublishedContent::Image(image) => append_newline(json::indent(&image.fetched.bytes, INDENTATION)),
        PublishedContent::List(fetched) if args.raw => fetched.bytes,
        PublishedContent::List(fetched) if args.verbose => {
            let index = Index::decode(&fetched.bytes).map_err(served)?;
            let entries = published::fetch_verbose_entries(jobs, source, &index.manifests)?;
            draft::json_array(entries.into_iter().map(VerboseEntry::encode)).map_err(served)?
        }
        PublishedContent::List(fetched) => {
            // Content that cannot be decoded as a list is an error.
            Index::decode(&fetched.bytes).map_err(served)?;
            append_newline(index::pretty_printed_in_docker_order(&fetched.bytes).map_err(served)?)
        }
    })
}

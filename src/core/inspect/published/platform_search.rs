//! Finds the image for a platform in a list and its nested indexes.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use crate::core::error::CommandError;
use crate::core::image_filters::PlatformFilter;
use crate::core::image_source::ImageSource;
use crate::core::index_walk;
use crate::core::inspect::published::{PublishedContent, PublishedImage, distinct, fetch_config_platform, is_list};
use crate::core::limits::DEPTH_MAX;
use crate::core::platform_match;
use crate::core::resolve::fetch::{self, ImageOrList};
use crate::model::descriptor::Descriptor;
use crate::model::entry::is_attestation;
use crate::platform::Platform;

/// Receives the images that match a platform, best first.
pub(crate) type ReportMatches<'a> = dyn Fn(&[ImageSource<'_>]) + 'a;

/// The image for a platform: the first descriptor of the list with that platform, else the first one in nested
/// indexes, which are requested one level at a time.
///
/// # Errors
/// [`CommandError::NoSuchPlatform`]; errors of the registry or the layout.
pub(crate) fn find_image_for_platform<'a>(
    jobs: NonZeroUsize,
    source: &ImageSource<'a>,
    content: PublishedContent<'a>,
    filter: &PlatformFilter,
    report_matches: &ReportMatches<'_>,
) -> Result<PublishedImage<'a>, CommandError> {
    let descriptors = match content {
        PublishedContent::List(fetched) => fetched.decode_index(source)?.manifests,
        PublishedContent::Image(image) => {
            let platform = fetch_config_platform(source, &image.fetched.bytes)?;
            if platform.as_ref().is_some_and(|platform| platform.matches(&filter.parsed)) {
                let descriptor = Descriptor { platform, ..image.fetched.descriptor() };
                return Ok(PublishedImage { descriptor: Some(descriptor), ..*image });
            }
            return Err(CommandError::no_such_platform(&filter.text, source, platform.iter().map(ToString::to_string)));
        }
    };
    let mut available = BTreeSet::new();
    // The descriptor for the platform, or those that must be fetched to find it.
    let mut search = |mut level: Vec<Descriptor>| {
        level.retain(|descriptor| !is_attestation(descriptor));
        available.extend(level.iter().filter_map(platform_match::known_platform).map(ToString::to_string));
        let found = best_match_in_descriptors(source, &level, filter, report_matches).cloned();
        let deeper = level.iter().filter(|descriptor| is_list(descriptor) || !descriptor.has_non_empty_platform());
        let deeper = if found.is_none() { distinct(deeper) } else { Vec::new() };
        (found, deeper.into_iter().cloned().collect::<Vec<_>>())
    };
    let (mut found, deeper) = search(descriptors);
    index_walk::walk_levels(
        DEPTH_MAX,
        |_| source.to_string(),
        |_| 1,
        deeper,
        |_, level| {
            let children =
                CommandError::collect_parallel(jobs, &level, |descriptor| fetch_candidates(source, descriptor))?;
            let deeper;
            (found, deeper) = search(children.into_iter().flatten().collect());
            Ok(deeper)
        },
    )?;
    match found {
        Some(descriptor) => fetch_listed(source, descriptor),
        None => Err(CommandError::no_such_platform(&filter.text, source, available)),
    }
}

/// The descriptors of a nested index, or the descriptor of an image with the platform that the list did not name.
fn fetch_candidates(list: &ImageSource<'_>, descriptor: &Descriptor) -> Result<Vec<Descriptor>, CommandError> {
    let source = list.at_digest(&descriptor.digest);
    match fetch::child(list, descriptor)? {
        ImageOrList::List(fetched) => Ok(fetched.decode_index(&source)?.manifests),
        ImageOrList::Image(_, fetched) => {
            // A manifest without a platform needs no second look.
            let platform =
                fetch_config_platform(&source, &fetched.bytes)?.filter(|platform| *platform != Platform::default());
            Ok(platform
                .map(|platform| Descriptor { platform: Some(platform), ..descriptor.clone() })
                .into_iter()
                .collect())
        }
    }
}

/// The image of a descriptor.
fn fetch_listed<'a>(list: &ImageSource<'a>, descriptor: Descriptor) -> Result<PublishedImage<'a>, CommandError> {
    let source = list.at_digest(&descriptor.digest);
    match fetch::child(list, &descriptor)? {
        ImageOrList::Image(image_format, fetched) => {
            Ok(PublishedImage { source, image_format, fetched, descriptor: Some(descriptor) })
        }
        ImageOrList::List(_) => Err(CommandError::IsList(source.to_string())),
    }
}

/// The best descriptor for a platform; of equal ones the first.
fn best_match_in_descriptors<'a>(
    list: &ImageSource<'_>,
    descriptors: &'a [Descriptor],
    filter: &PlatformFilter,
    report_matches: &ReportMatches<'_>,
) -> Option<&'a Descriptor> {
    let is_selected = |descriptor: &&Descriptor| {
        !is_list(descriptor)
            && platform_match::known_platform(descriptor).is_some_and(|platform| platform.matches(&filter.parsed))
    };
    let matching =
        platform_match::preferred(distinct(descriptors.iter().filter(is_selected)), &filter.parsed, |descriptor| {
            descriptor
        });
    let images: Vec<ImageSource<'_>> = matching.iter().map(|descriptor| list.at_digest(&descriptor.digest)).collect();
    report_matches(&images);
    matching.first().copied()
}

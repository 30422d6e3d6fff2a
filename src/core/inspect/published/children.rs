//! The children of a list, in the detail that a command needs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::content::registry::FetchedManifest;
use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::inspect::node::{ImageContents, InspectNode, NodeContents};
use crate::core::inspect::published::{fetch_config_platform, fetch_levels, is_list};
use crate::core::limits::{DESCRIPTORS_MAX, LimitError};
use crate::core::resolve::fetch::{self, ImageOrList};
use crate::core::resolve::selection::is_opaque;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::is_attestation;
use crate::model::index::Index;
use crate::platform::Platform;

/// What is requested about the children of a list. The platform is always known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Detail {
    /// Their contents.
    pub(crate) contents: bool,
    /// Whether the registry has them.
    pub(crate) check: bool,
}

impl Detail {
    /// Whether the manifest itself must be fetched. With a check that includes a nested index, because it has children.
    fn needs_fetch(self, descriptor: &Descriptor) -> bool {
        let is_stated = descriptor.has_non_empty_platform() || is_attestation(descriptor);
        let may_be_list = descriptor.media_type.is_empty() || is_list(descriptor);
        !is_opaque(descriptor) && (self.contents || !is_stated || self.check && may_be_list)
    }
}

/// A list with its children.
///
/// # Errors
/// Content that is not a list; a list that is too large; errors of the registry or the layout.
pub(crate) fn fetch_list_node(
    jobs: NonZeroUsize,
    list: &ImageSource<'_>,
    fetched: &FetchedManifest,
    detail: Detail,
) -> Result<InspectNode, CommandError> {
    let index = fetched.decode_index(list)?;
    let known = fetch_children(jobs, list, &index, detail)?;
    let mut remaining = DESCRIPTORS_MAX;
    let children = nodes(list, &index.manifests, &known, &mut remaining)?;
    let contents = NodeContents::List(children);
    Ok(InspectNode::from_manifest(list.location(), &fetched.media_type, &fetched.digest, &fetched.bytes, contents))
}

/// Requests the children of a list as far as the detail needs it. A manifest whose contents are not needed gets a
/// HEAD request.
fn fetch_children(
    jobs: NonZeroUsize,
    list: &ImageSource<'_>,
    index: &Index,
    detail: Detail,
) -> Result<BTreeMap<Digest, ChildContent>, CommandError> {
    let is_selected = |descriptor: &Descriptor| detail.check || detail.needs_fetch(descriptor);
    let fetch = |descriptor: &Descriptor| {
        if detail.needs_fetch(descriptor) { fetch_child(list, descriptor) } else { check_child(list, descriptor) }
    };
    let children = |known: &ChildContent| match known {
        ChildContent::List(descriptors) => descriptors.clone(),
        _ => Vec::new(),
    };
    fetch_levels(jobs, list, &index.manifests, is_selected, fetch, children)
}

/// What is known about a child.
enum ChildContent {
    Missing,
    /// It exists, and nothing more was requested.
    Present,
    /// An image, with its platform if the list did not name it.
    Image(Box<ImageContents>, Option<Platform>),
    List(Vec<Descriptor>),
}

/// The children with what is known of each. `remaining` limits their number, because small indexes that name each other
/// repeatedly could make an endless tree.
fn nodes(
    list: &ImageSource<'_>,
    descriptors: &[Descriptor],
    known: &BTreeMap<Digest, ChildContent>,
    remaining: &mut usize,
) -> Result<Vec<InspectNode>, CommandError> {
    let too_many = || LimitError::Descriptors { list: list.to_string(), max: DESCRIPTORS_MAX };
    let mut nodes = Vec::new();
    for descriptor in descriptors {
        *remaining = remaining.checked_sub(1).ok_or_else(too_many)?;
        let mut node = InspectNode::from_descriptor(list.at_digest(&descriptor.digest).location(), descriptor.clone());
        node.contents = match known.get(&descriptor.digest) {
            None | Some(ChildContent::Present) => NodeContents::NotExpanded,
            Some(ChildContent::Missing) => NodeContents::Missing,
            Some(ChildContent::List(descriptors)) => {
                NodeContents::List(self::nodes(list, descriptors, known, remaining)?)
            }
            Some(ChildContent::Image(contents, platform)) => {
                if !descriptor.has_non_empty_platform() {
                    node.descriptor.platform.clone_from(platform);
                }
                NodeContents::Image(contents.clone())
            }
        };
        nodes.push(node);
    }
    Ok(nodes)
}

fn check_child(list: &ImageSource<'_>, descriptor: &Descriptor) -> Result<ChildContent, CommandError> {
    let is_served = list.serves(descriptor)?;
    Ok(if is_served { ChildContent::Present } else { ChildContent::Missing })
}

/// Fetches one manifest of a list. A missing one is not a failure, because people copy parts of a list's images.
fn fetch_child(list: &ImageSource<'_>, descriptor: &Descriptor) -> Result<ChildContent, CommandError> {
    let child = list.at_digest(&descriptor.digest);
    match fetch::manifest(&child) {
        Err(error) if fetch::is_missing(&error) => Ok(ChildContent::Missing),
        Err(error) => Err(error),
        Ok(ImageOrList::List(fetched)) => Ok(ChildContent::List(fetched.decode_index(&child)?.manifests)),
        Ok(ImageOrList::Image(_, fetched)) => {
            let contents = ImageContents::parse(&fetched.bytes).map_err(CommandError::invalid_document(&child))?;
            // An attestation has no platform.
            let is_stated = descriptor.has_non_empty_platform() || is_attestation(descriptor);
            let platform = if is_stated { None } else { fetch_config_platform(&child, &fetched.bytes)? };
            Ok(ChildContent::Image(Box::new(contents), platform))
        }
    }
}

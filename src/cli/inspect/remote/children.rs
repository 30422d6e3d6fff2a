//! The children of a list, in the detail that a command needs.

use std::collections::BTreeMap;

use crate::cli::inspect::remote::{Client, is_list, too_many, wrong};
use crate::content::registry::FetchedManifest;
use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::inspect::node::{ImageContents, InspectNode, NodeContents};
use crate::core::resolve::fetch::{self, FetchedContent};
use crate::core::resolve::limits::CHILDREN_MAX;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::attested;
use crate::model::index::Index;
use crate::model::manifest::ManifestKind;
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
    fn is_fetched(self, descriptor: &Descriptor) -> bool {
        let is_told = descriptor.has_platform() || attested(descriptor).is_some();
        let may_be_list = descriptor.media_type.is_empty() || is_list(descriptor);
        can_be_shown(descriptor) && (self.contents || !is_told || self.check && may_be_list)
    }
}

impl Client {
    /// A list with its children.
    pub(super) fn list(
        &self,
        reference: &ImageSource<'_>,
        fetched: &FetchedManifest,
        detail: Detail,
    ) -> Result<InspectNode, CommandError> {
        let index = Index::decode(&fetched.bytes).map_err(wrong(reference))?;
        let known = self.known(reference, &index, detail)?;
        let mut room = CHILDREN_MAX;
        let children = nodes(reference, &index.manifests, &known, &mut room)?;
        let inside = NodeContents::List(children);
        Ok(InspectNode::top(reference.location(), &fetched.media_type, &fetched.digest, &fetched.bytes, inside))
    }

    /// Requests the children of a list as far as the detail needs it. A manifest whose contents are not needed gets a
    /// HEAD request.
    fn known(
        &self,
        list: &ImageSource<'_>,
        index: &Index,
        detail: Detail,
    ) -> Result<BTreeMap<Digest, Known>, CommandError> {
        let is_wanted = |descriptor: &Descriptor| detail.check || detail.is_fetched(descriptor);
        let look = |descriptor: &Descriptor| {
            if detail.is_fetched(descriptor) { self.fetch_child(list, descriptor) } else { self.head(list, descriptor) }
        };
        let below = |known: &Known| match known {
            Known::List(descriptors) => descriptors.clone(),
            _ => Vec::new(),
        };
        self.levels(list, &index.manifests, is_wanted, look, below)
    }

    fn head(&self, list: &ImageSource<'_>, descriptor: &Descriptor) -> Result<Known, CommandError> {
        let is_there = list.serves(descriptor)?;
        Ok(if is_there { Known::Present } else { Known::Missing })
    }

    /// Fetches one manifest of a list. A missing one is no failure, because people copy parts of a list's images.
    fn fetch_child(&self, list: &ImageSource<'_>, descriptor: &Descriptor) -> Result<Known, CommandError> {
        let reference = list.at_digest(&descriptor.digest);
        match fetch::manifest(&reference) {
            Err(error) if fetch::is_missing(&error) => Ok(Known::Missing),
            Err(error) => Err(error),
            Ok(FetchedContent::List(fetched)) => {
                Ok(Known::List(Index::decode(&fetched.bytes).map_err(wrong(&reference))?.manifests))
            }
            Ok(FetchedContent::Image(_, fetched)) => {
                let contents = ImageContents::of(&fetched.bytes).map_err(wrong(&reference))?;
                // An attestation has no platform.
                let is_told = descriptor.has_platform() || attested(descriptor).is_some();
                let platform = if is_told { None } else { self.platform(&reference, &fetched.bytes)? };
                Ok(Known::Image(Box::new(contents), platform))
            }
        }
    }
}

/// What is known about a child.
enum Known {
    Missing,
    /// It exists, and nothing more was requested.
    Present,
    /// An image, with its platform if the list did not name it.
    Image(Box<ImageContents>, Option<Platform>),
    List(Vec<Descriptor>),
}

/// The children with what is known of each. `room` limits their number, because small indexes that name each other
/// repeatedly could make an endless tree.
fn nodes(
    list: &ImageSource<'_>,
    descriptors: &[Descriptor],
    known: &BTreeMap<Digest, Known>,
    room: &mut usize,
) -> Result<Vec<InspectNode>, CommandError> {
    let mut nodes = Vec::new();
    for descriptor in descriptors {
        *room = room.checked_sub(1).ok_or_else(|| too_many(list))?;
        let mut node = InspectNode::listed(list.at_digest(&descriptor.digest).location(), descriptor.clone());
        node.inside = match known.get(&descriptor.digest) {
            None | Some(Known::Present) => NodeContents::Unknown,
            Some(Known::Missing) => NodeContents::Missing,
            Some(Known::List(descriptors)) => NodeContents::List(self::nodes(list, descriptors, known, room)?),
            Some(Known::Image(contents, platform)) => {
                if !descriptor.has_platform() {
                    node.descriptor.platform.clone_from(platform);
                }
                NodeContents::Image(contents.clone())
            }
        };
        nodes.push(node);
    }
    Ok(nodes)
}

/// Whether a manifest of this type can be requested. A descriptor may lack the type.
fn can_be_shown(descriptor: &Descriptor) -> bool {
    descriptor.media_type.is_empty() || ManifestKind::of(&descriptor.media_type).is_some()
}

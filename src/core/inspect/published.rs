//! Reads what `inspect` shows of a registry or a layout. One request fetches the manifest; more are sent only for what
//! the list does not contain.
//!
//! `children` reads the children of a list in the detail that a command needs, `platform_search` finds the image for a
//! platform, and `verbose` reads the images for docker's `-v`.

mod children;
mod platform_search;
mod verbose;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use crate::content::registry::FetchedManifest;
use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::index_walk::IndexWalk;
use crate::core::inspect::node::{ImageContents, InspectNode, NodeContents};
use crate::core::limits::DEPTH_MAX;
use crate::core::resolve::fetch::{self, ConfigPlatforms, ImageOrList};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::manifest::{self, ImageFormat, ManifestKind};
use crate::model::media_type;
use crate::platform::Platform;

pub(crate) use children::{Detail, fetch_list_node};
pub(crate) use platform_search::find_image_for_platform;
pub(crate) use verbose::{VerboseEntry, fetch_verbose_entries};

/// An image as it is served.
pub(crate) struct PublishedImage<'a> {
    source: ImageSource<'a>,
    image_format: ImageFormat,
    pub(crate) fetched: FetchedManifest,
    /// Its descriptor in the list that it was selected from.
    pub(crate) descriptor: Option<Descriptor>,
}

/// What is served under a name, or what was selected from it.
pub(crate) enum PublishedContent<'a> {
    /// An image.
    Image(Box<PublishedImage<'a>>),
    /// A list.
    List(FetchedManifest),
}

impl<'a> PublishedContent<'a> {
    /// Requests a manifest.
    ///
    /// # Errors
    /// Those of [`fetch::manifest`].
    pub(crate) fn fetch(source: &ImageSource<'a>) -> Result<PublishedContent<'a>, CommandError> {
        Ok(match fetch::manifest(source)? {
            ImageOrList::Image(image_format, fetched) => {
                let source = source.clone();
                PublishedContent::Image(Box::new(PublishedImage { source, image_format, fetched, descriptor: None }))
            }
            ImageOrList::List(fetched) => PublishedContent::List(fetched),
        })
    }
}

impl PublishedImage<'_> {
    /// The image as a node without children. Its configuration is requested if no list named its platform.
    ///
    /// # Errors
    /// A manifest that cannot be read; errors of the registry or the layout.
    pub(crate) fn fetch_node(self) -> Result<InspectNode, CommandError> {
        let PublishedImage { source, fetched, descriptor, .. } = self;
        let contents = ImageContents::parse(&fetched.bytes).map_err(CommandError::invalid_document(&source))?;
        let platform = match descriptor.and_then(|descriptor| descriptor.platform) {
            Some(platform) => Some(platform),
            None => fetch_config_platform(&source, &fetched.bytes)?,
        };
        let contents = NodeContents::Image(Box::new(contents));
        let mut node = InspectNode::from_manifest(
            source.location(),
            &fetched.media_type,
            &fetched.digest,
            &fetched.bytes,
            contents,
        );
        node.descriptor.platform = platform;
        Ok(node)
    }
}

/// Requests the descendants of a list one level at a time, each manifest that `is_selected` selects once.
fn fetch_levels<T: Send>(
    jobs: NonZeroUsize,
    list: &ImageSource<'_>,
    descriptors: &[Descriptor],
    is_selected: impl Fn(&Descriptor) -> bool,
    fetch: impl Fn(&Descriptor) -> Result<T, CommandError> + Sync,
    children: impl Fn(&T) -> Vec<Descriptor>,
) -> Result<BTreeMap<Digest, T>, CommandError> {
    let mut fetched = BTreeMap::new();
    let select = |descriptors: Vec<Descriptor>| descriptors.into_iter().filter(&is_selected).collect::<Vec<_>>();
    let add = |_, descriptor: Descriptor, content: T| -> Result<Vec<Descriptor>, CommandError> {
        let next = select(children(&content));
        fetched.insert(descriptor.digest, content);
        Ok(next)
    };
    let descent = IndexWalk { list, jobs, levels: DEPTH_MAX };
    descent.run(select(descriptors.to_vec()), |descriptor| descriptor.digest.clone(), fetch, add)?;
    Ok(fetched)
}

/// The platform in an image's configuration; `None`, and no request, if the manifest is not an image.
fn fetch_config_platform(image: &ImageSource<'_>, bytes: &[u8]) -> Result<Option<Platform>, CommandError> {
    let config = manifest::config(bytes).ok().filter(|config| media_type::is_image_config(&config.media_type));
    config.map(|_| ConfigPlatforms::default().read(image, bytes)).transpose()
}

fn is_list(descriptor: &Descriptor) -> bool {
    ManifestKind::is_list(&descriptor.media_type)
}

/// The first descriptor for each digest.
fn distinct<'a>(descriptors: impl Iterator<Item = &'a Descriptor>) -> Vec<&'a Descriptor> {
    let mut seen = BTreeSet::new();
    descriptors.filter(|descriptor| seen.insert(&descriptor.digest)).collect()
}

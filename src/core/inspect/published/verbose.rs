//! The images of a list as docker's `inspect -v` prints them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::inspect::published::{PublishedImage, fetch_levels};
use crate::core::limits::IndexBudget;
use crate::core::resolve::fetch::{self, ConfigPlatforms, ImageOrList};
use crate::digest::Digest;
use crate::location::Location;
use crate::model::DocumentError;
use crate::model::descriptor::Descriptor;
use crate::model::docker_entry_file::encode_fetched;
use crate::model::manifest::ImageFormat;
use crate::platform::Platform;

impl PublishedImage<'_> {
    /// The file of this image for docker's `-v`. Its configuration is requested if no list named its platform.
    ///
    /// # Errors
    /// A manifest that cannot be read; errors of the registry or the layout.
    pub(crate) fn fetch_and_encode(self) -> Result<Vec<u8>, CommandError> {
        let platform = match self.descriptor.as_ref().and_then(|descriptor| descriptor.platform.clone()) {
            Some(platform) => platform,
            None => ConfigPlatforms::default().read(&self.source, &self.fetched.bytes)?,
        };
        let PublishedImage { source, image_format, fetched, .. } = self;
        encode_fetched(&source, image_format, &fetched.bytes, Some(platform))
            .map_err(CommandError::invalid_document(&source))
    }
}

/// The images of a list as files for docker's `-v`, each by its digest and requested once, however often the list
/// names it. The platform is that of the list, so no configuration is needed. A nested index is replaced by its
/// images.
///
/// # Errors
/// A manifest that cannot be read; a list that is too large; errors of the registry or the layout.
pub(crate) fn fetch_verbose_entries(
    jobs: NonZeroUsize,
    list: &ImageSource<'_>,
    descriptors: &[Descriptor],
) -> Result<Vec<VerboseEntry>, CommandError> {
    let (fetch_budget, mut print_budget) = (IndexBudget::default(), IndexBudget::default());
    let fetch = |descriptor: &Descriptor| match fetch::child(list, descriptor)? {
        ImageOrList::Image(image_format, fetched) => {
            fetch_budget.count_bytes(list, &fetched.bytes, 1)?;
            Ok(VerboseChild::Image(image_format, Arc::new(fetched.bytes)))
        }
        ImageOrList::List(fetched) => {
            fetch_budget.count_bytes(list, &fetched.bytes, 1)?;
            Ok(VerboseChild::List(fetched.decode_index(list)?.manifests))
        }
    };
    let nested = |child: &VerboseChild| match child {
        VerboseChild::List(descriptors) => descriptors.clone(),
        VerboseChild::Image(..) => Vec::new(),
    };
    let children = fetch_levels(jobs, list, descriptors, |_| true, fetch, nested)?;
    let mut entries = Vec::new();
    flatten(list, descriptors, &children, &mut print_budget, &mut entries)?;
    Ok(entries)
}

/// What a manifest is for docker's `-v`.
enum VerboseChild {
    Image(ImageFormat, Arc<Vec<u8>>),
    List(Vec<Descriptor>),
}

/// An image in docker's `-v`. Encoded it is more than twice as large, so that is done when it is printed.
pub(crate) struct VerboseEntry {
    name: Location,
    image_format: ImageFormat,
    bytes: Arc<Vec<u8>>,
    platform: Platform,
}

impl VerboseEntry {
    /// The file of this image.
    ///
    /// # Errors
    /// A manifest that cannot be read.
    pub(crate) fn encode(self) -> Result<Vec<u8>, DocumentError> {
        encode_fetched(&self.name, self.image_format, &self.bytes, Some(self.platform))
    }
}

/// The images of these descriptors in their order, each as often as it is named.
fn flatten(
    list: &ImageSource<'_>,
    descriptors: &[Descriptor],
    children: &BTreeMap<Digest, VerboseChild>,
    print_budget: &mut IndexBudget,
    entries: &mut Vec<VerboseEntry>,
) -> Result<(), CommandError> {
    for descriptor in descriptors {
        print_budget.count_descriptors(1, || list.to_string())?;
        match children.get(&descriptor.digest) {
            Some(VerboseChild::Image(image_format, bytes)) => {
                print_budget.count_bytes(list, bytes, 1)?;
                entries.push(VerboseEntry {
                    name: list.location().with_digest(&descriptor.digest),
                    image_format: *image_format,
                    bytes: Arc::clone(bytes),
                    platform: descriptor.platform.clone().unwrap_or_default(),
                });
            }
            Some(VerboseChild::List(descriptors)) => flatten(list, descriptors, children, print_budget, entries)?,
            None => {}
        }
    }
    Ok(())
}

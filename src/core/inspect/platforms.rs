//! The platforms of an image: those that a list names, or that of the configuration of a single image.

use crate::core::error::CommandError;
use crate::core::image_source::{ContentAccess, ImageSource};
use crate::core::inspect::node::InspectNode;
use crate::core::inspect::published::{self, Detail};
use crate::core::json_output::{ListEntryJson, ManifestJson};
use crate::core::platform_match;
use crate::core::resolve::fetch::{self, ConfigPlatforms, ImageOrList};
use crate::location::Location;
use crate::model::descriptor::Descriptor;

/// The platforms of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImagePlatforms {
    /// Whether it is a list.
    pub(crate) is_list: bool,
    /// The platforms of a list. Attestations and entries of the platform `unknown/unknown` are left out.
    pub(crate) manifest: ManifestJson,
}

/// Reads the platforms. Configurations are read only if the list does not name the platforms.
///
/// # Errors
/// An error of the registry or the layout, or content that is not a manifest.
pub(crate) fn fetch_platforms(
    content_access: ContentAccess<'_>,
    location: &Location,
) -> Result<ImagePlatforms, CommandError> {
    let image = &ImageSource::open(content_access, location)?;
    image.expect_pull();
    let requests_before = content_access.registry.requests();
    let (is_list, descriptor, platforms) = match fetch::manifest(image)? {
        ImageOrList::List(fetched) => {
            let list = published::fetch_list_node(content_access.registry.jobs(), image, &fetched, Detail::default())?;
            let mut platforms = Vec::new();
            collect_images(list.children(), &mut platforms);
            (true, fetched.descriptor(), platforms)
        }
        ImageOrList::Image(_, fetched) => {
            let platform = Some(ConfigPlatforms::default().read(image, &fetched.bytes)?);
            let descriptor = Descriptor { platform, ..fetched.descriptor() };
            let by_digest = location.at_digest(&fetched.digest);
            let platforms = vec![ListEntryJson::single_image(&by_digest, &descriptor)];
            (false, descriptor, platforms)
        }
    };
    let requests = content_access.registry.requests().saturating_sub(requests_before);
    let manifest = ManifestJson { platforms: Some(platforms), requests, ..ManifestJson::new(location, &descriptor) };
    Ok(ImagePlatforms { is_list, manifest })
}

/// The images of a list, with those of nested indexes in their place. An image without any stated platform is kept; one
/// of the platform `unknown/unknown` is left out.
fn collect_images(children: &[InspectNode], platforms: &mut Vec<ListEntryJson>) {
    for child in children.iter().filter(|child| !child.is_attestation()) {
        let is_known = platform_match::known_platform(&child.descriptor).is_some();
        if !is_known && !child.children().is_empty() {
            collect_images(child.children(), platforms);
        } else if is_known || !child.descriptor.has_non_empty_platform() {
            platforms.push(ListEntryJson::from_descriptor(&child.location, &child.descriptor));
        }
    }
}

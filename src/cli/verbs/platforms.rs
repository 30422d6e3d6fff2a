//! `platforms`: the platforms of an image, in mquery's words. A list that names them takes one request, a single image
//! two.

use std::fmt;

use crate::cli::args::{Platforms, PlatformsFormat};
use crate::cli::context::Context;
use crate::cli::inspect::remote;
use crate::core::error::CommandError;
use crate::core::image_source::{ContentAccess, ImageSource};
use crate::core::inspect::node::InspectNode;
use crate::core::layouts::Layouts;
use crate::core::listing::{EntryListing, Listing};
use crate::core::requirements;
use crate::core::resolve::fetch::{self, FetchedContent};
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::reference::Reference;
use crate::sanitize;

/// The word for a platform that neither list nor configuration names.
const UNKNOWN: &str = "unknown";

/// The platforms of an image. `Display` prints mquery's listing; every line ends with a newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlatformReport {
    /// The image as it was typed.
    typed: String,
    /// Whether it is a list.
    is_list: bool,
    /// The platforms of a list. Attestations and entries of the platform `unknown/unknown` are left out.
    listing: Listing,
}

pub(crate) fn run(context: &Context, args: &Platforms) -> Result<(), CommandError> {
    let location = context.image_name(&args.image)?;
    let registry = &context.registry(&args.network, location.reference().map(Reference::repository))?;
    let access = ContentAccess { registry, layouts: &Layouts::default() };
    let supported = fetch_platforms(access, &args.image.typed, &location)?;
    match args.format {
        PlatformsFormat::Text => Ok(context.streams.data(supported.to_string().as_bytes())?),
        PlatformsFormat::Json => Ok(context.streams.json(&supported.listing)?),
    }
}

/// Reads the platforms. Configurations are read only if the list does not name the platforms.
///
/// # Errors
/// An error of the registry or the layout, or content that is not a manifest.
pub(crate) fn fetch_platforms(access: ContentAccess<'_>, typed: &str, location: &Location) -> Result<PlatformReport, CommandError> {
    let image = &ImageSource::open(access, location)?;
    image.announce();
    let before = access.registry.requests();
    let (is_list, own, platforms) = match fetch::manifest(image)? {
        FetchedContent::List(served) => {
            let own = Descriptor::new(&served.media_type, served.digest.clone(), served.bytes.len() as u64);
            let list = remote::list(access.registry.jobs(), image, &served)?;
            let mut platforms = Vec::new();
            collect_images(list.children(), &mut platforms);
            (true, own, platforms)
        }
        FetchedContent::Image(_, served) => {
            let mut own = Descriptor::new(&served.media_type, served.digest.clone(), served.bytes.len() as u64);
            own.platform = Some(fetch::ConfigPlatforms::default().of(image, &served.bytes)?);
            let by_digest = location.at_digest(&served.digest);
            let platforms = vec![EntryListing::alone(&by_digest, &own)];
            (false, own, platforms)
        }
    };
    let requests = access.registry.requests().saturating_sub(before);
    let listing = Listing { platforms: Some(platforms), requests, ..Listing::new(location, &own) };
    Ok(PlatformReport { typed: typed.to_owned(), is_list, listing })
}

/// The images of a list, with those of nested indexes in their place. An image without any stated platform is kept; one
/// of the platform `unknown/unknown` is left out.
fn collect_images(children: &[InspectNode], found: &mut Vec<EntryListing>) {
    for child in children.iter().filter(|child| child.attests().is_none()) {
        let is_known = requirements::known_platform(&child.descriptor).is_some();
        if !is_known && !child.children().is_empty() {
            collect_images(child.children(), found);
        } else if is_known || !child.descriptor.has_platform() {
            found.push(EntryListing::of_descriptor(&child.location, &child.descriptor));
        }
    }
}

impl fmt::Display for PlatformReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listing { digest, media_type, platforms, .. } = &self.listing;
        let media_type = sanitize::word(media_type);
        writeln!(f, "Image: {} (digest: {digest})", self.typed)?;
        let is_list = if self.is_list { "Yes" } else { "No" };
        writeln!(f, " * Manifest List: {is_list} (Image type: {media_type})")?;
        let platforms = platforms.as_deref().unwrap_or_default();
        let mut names = platforms.iter().map(|image| sanitize::word(image.platform.as_deref().unwrap_or(UNKNOWN)));
        if !self.is_list {
            return names.try_for_each(|name| writeln!(f, " * Supports: {name}"));
        }
        writeln!(f, " * Supported platforms:")?;
        names.try_for_each(|name| writeln!(f, "   - {name}"))
    }
}

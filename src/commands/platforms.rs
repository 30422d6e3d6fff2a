//! `platforms`: what an image runs on, in mquery's words. A list is one request, a single image two.

use std::fmt;

use crate::args::{Platforms, PlatformsFormat, RefArg};
use crate::commands::error::CommandError;
use crate::commands::gathering::fetch::{self, Found};
use crate::commands::listing::{EntryListing, Listing};
use crate::commands::{Context, complete, parsed};
use crate::document::descriptor::Descriptor;
use crate::document::entry::attested;
use crate::document::list::Index;
use crate::plain;
use crate::registry::{Access, Registry};

/// What an image runs on. Displayed, it is mquery's listing, every line with its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Supported {
    /// The image as it was typed.
    typed: String,
    /// What was found; the platforms of a list without its attestations, and without what runs nowhere.
    listing: Listing,
}

pub(super) fn run(context: &Context, args: &Platforms) -> Result<(), CommandError> {
    let registry = context.registry(&args.network, parsed(&args.image)?.repository())?;
    let supported = listing(&registry, &args.image)?;
    match args.format {
        PlatformsFormat::Text => Ok(context.streams.data(supported.to_string().as_bytes())?),
        PlatformsFormat::Json => Ok(context.streams.json(&supported.listing)?),
    }
}

/// Asks the registry.
///
/// # Errors
/// A reference that is none; what the registry says; what it serves and is no manifest.
pub(super) fn listing(registry: &Registry, image: &RefArg) -> Result<Supported, CommandError> {
    let reference = parsed(image)?;
    registry.announce(reference.repository(), Access::Pull);
    let before = registry.requests();
    let (served, is_list) = match fetch::manifest(registry, reference)? {
        Found::Image(_, fetched) => (fetched, false),
        Found::List(fetched) => (fetched, true),
    };
    let mut own = Descriptor::new(&served.media_type, served.digest.clone(), served.bytes.len() as u64);
    let mut platforms = None;
    if is_list {
        let wrong = |source| CommandError::Served { reference: reference.to_string(), source };
        let lines = Index::decode(&served.bytes).map_err(wrong)?.manifests;
        let images = lines.iter().filter(|line| attested(line).is_none() && complete::machine(line).is_some());
        let image = |line: &Descriptor| EntryListing::line(&reference.repository().at_digest(&line.digest), line);
        platforms = Some(images.map(image).collect());
    } else {
        own.platform = Some(fetch::Platforms::new(registry).of(reference, &served.bytes)?);
    }
    let requests = registry.requests().saturating_sub(before);
    let listing = Listing { platforms, requests, ..Listing::new(reference, &own) };
    Ok(Supported { typed: image.typed.clone(), listing })
}

impl fmt::Display for Supported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listing { digest, media_type, platform, platforms, .. } = &self.listing;
        let media_type = plain::word(media_type);
        writeln!(f, "Image: {} (digest: {digest})", self.typed)?;
        let is_list = if platforms.is_some() { "Yes" } else { "No" };
        writeln!(f, " * Manifest List: {is_list} (Image type: {media_type})")?;
        let Some(platforms) = platforms else {
            return writeln!(f, " * Supports: {}", plain::word(platform.as_deref().unwrap_or("-")));
        };
        writeln!(f, " * Supported platforms:")?;
        let mut names = platforms.iter().filter_map(|image| image.platform.as_deref());
        names.try_for_each(|name| writeln!(f, "   - {}", plain::word(name)))
    }
}

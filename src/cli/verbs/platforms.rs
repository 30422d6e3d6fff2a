//! `platforms`: the platforms of an image, in mquery's words. A list that names them takes one request, a single image
//! two.

use std::fmt;

use crate::cli::args::{Platforms, PlatformsFormat};
use crate::cli::context::Context;
use crate::core::error::CommandError;
use crate::core::image_source::ContentAccess;
use crate::core::inspect::platforms::{self, ImagePlatforms};
use crate::core::layouts::Layouts;
use crate::core::listing::Listing;
use crate::reference::Reference;
use crate::sanitize;

/// The word for a platform that neither list nor configuration names.
const UNKNOWN: &str = "unknown";

/// The platforms of an image as mquery prints them. Every line ends with a newline.
struct PlatformReport<'a> {
    /// The image as it was typed.
    typed: &'a str,
    image: &'a ImagePlatforms,
}

pub(crate) fn run(context: &Context, args: &Platforms) -> Result<(), CommandError> {
    let location = context.image_name(&args.image)?;
    let registry = &context.registry(&args.network, location.reference().map(Reference::repository))?;
    let access = ContentAccess { registry, layouts: &Layouts::default() };
    let image = platforms::fetch_platforms(access, &location)?;
    match args.format {
        PlatformsFormat::Text => {
            let report = PlatformReport { typed: &args.image.typed, image: &image };
            Ok(context.streams.data(report.to_string().as_bytes())?)
        }
        PlatformsFormat::Json => Ok(context.streams.json(&image.listing)?),
    }
}

impl fmt::Display for PlatformReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listing { digest, media_type, platforms, .. } = &self.image.listing;
        let media_type = sanitize::word(media_type);
        writeln!(f, "Image: {} (digest: {digest})", self.typed)?;
        let is_list = if self.image.is_list { "Yes" } else { "No" };
        writeln!(f, " * Manifest List: {is_list} (Image type: {media_type})")?;
        let platforms = platforms.as_deref().unwrap_or_default();
        let mut names = platforms.iter().map(|image| sanitize::word(image.platform.as_deref().unwrap_or(UNKNOWN)));
        if !self.image.is_list {
            return names.try_for_each(|name| writeln!(f, " * Supports: {name}"));
        }
        writeln!(f, " * Supported platforms:")?;
        names.try_for_each(|name| writeln!(f, "   - {name}"))
    }
}

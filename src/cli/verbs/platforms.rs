//! `platforms`: the platforms of an image, in mquery's words. A list that names them takes one request, a single image
//! two.

use crate::cli::args::{Platforms, PlatformsFormat};
use crate::cli::context::Context;
use crate::core::error::CommandError;
use crate::core::inspect::platforms::{self, ImagePlatforms};
use crate::core::json_output::ManifestJson;
use crate::reference::Reference;
use crate::sanitize;

/// The word for a platform that neither list nor configuration names.
const UNKNOWN: &str = "unknown";

pub(crate) fn run(context: &Context, args: &Platforms) -> Result<(), CommandError> {
    let location = context.location(&args.image)?;
    let registry = &context.registry_client(&args.network, location.reference().map(Reference::repository))?;
    let access = context.content_access(registry);
    let image = platforms::fetch_platforms(access, &location)?;
    match args.format {
        PlatformsFormat::Text => Ok(context.streams.data(text(&args.image.typed, &image).as_bytes())?),
        PlatformsFormat::Json => Ok(context.streams.json(&image.manifest)?),
    }
}

/// The platforms of an image as mquery prints them. `typed` is the image as it was typed.
fn text(typed: &str, image: &ImagePlatforms) -> String {
    let ManifestJson { digest, media_type, platforms, .. } = &image.manifest;
    let media_type = sanitize::short_line(media_type);
    let (is_list, platforms_begin, platform_begins) =
        if image.is_list { ("Yes", " * Supported platforms:\n", "   - ") } else { ("No", "", " * Supports: ") };
    let mut text = format!("Image: {typed} (digest: {digest})\n");
    text.push_str(&format!(" * Manifest List: {is_list} (Image type: {media_type})\n{platforms_begin}"));
    for image in platforms.iter().flatten() {
        let name = sanitize::short_line(image.platform.as_deref().unwrap_or(UNKNOWN));
        text.push_str(&format!("{platform_begins}{name}\n"));
    }
    text
}

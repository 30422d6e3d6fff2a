//! mquery's listing: what an image is, and what it runs on.

use crate::digest::Digest;
use crate::document::descriptor::Descriptor;
use crate::document::entry::attested;
use crate::platform::Platform;

/// What mquery prints of a list that is called `image`: a line for each image of it, attestations left out.
pub(super) fn list(image: &str, digest: &Digest, media_type: &str, lines: &[Descriptor]) -> String {
    let images = lines.iter().filter(|line| attested(line).is_none());
    let named = images.filter(|line| line.has_platform()).filter_map(|line| line.platform.as_ref());
    let platforms: String = named.map(|platform| format!("   - {platform}\n")).collect();
    let head = head(image, digest);
    format!("{head} * Manifest List: Yes (Image type: {media_type})\n * Supported platforms:\n{platforms}")
}

/// What mquery prints of one image, which runs on `platform` by its own account.
pub(super) fn image(image: &str, digest: &Digest, media_type: &str, platform: &Platform) -> String {
    let head = head(image, digest);
    format!("{head} * Manifest List: No (Image type: {media_type})\n * Supports: {platform}\n")
}

fn head(image: &str, digest: &Digest) -> String {
    format!("Image: {image} (digest: {digest})\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::media_type::{OCI_INDEX, OCI_MANIFEST};

    fn line(platform: &str) -> Descriptor {
        let platform = Some(Platform::parse(platform).unwrap());
        Descriptor { platform, ..Descriptor::of(OCI_MANIFEST, b"{}") }
    }

    #[test]
    fn a_list_is_its_platforms() {
        let digest = Digest::of(b"l");
        let mut attestation = line("unknown/unknown");
        let notes = [
            ("vnd.docker.reference.type", "attestation-manifest".to_owned()),
            ("vnd.docker.reference.digest", digest.to_string()),
        ];
        attestation.annotations = notes.map(|(name, value)| (name.to_owned(), value)).into();
        let bare = Descriptor { platform: None, ..line("linux/amd64") };
        let lines = [line("linux/arm64/v8"), attestation, bare, line("windows/amd64:10.0.17763.2300")];
        let expected = format!(
            "Image: r/app:1 (digest: {digest})\n * Manifest List: Yes (Image type: {OCI_INDEX})\n * Supported platforms:\n   \
             - linux/arm64/v8\n   - windows/amd64:10.0.17763.2300\n"
        );
        assert_eq!(list("r/app:1", &digest, OCI_INDEX, &lines), expected);
    }

    #[test]
    fn an_image_is_what_it_says() {
        let digest = Digest::of(b"i");
        let platform = Platform::parse("linux/amd64").unwrap();
        let expected = format!(
            "Image: r/app:1 (digest: {digest})\n * Manifest List: No (Image type: {OCI_MANIFEST})\n * Supports: linux/amd64\n"
        );
        assert_eq!(image("r/app:1", &digest, OCI_MANIFEST, &platform), expected);
    }
}

//! The media types that this program reads and writes: docker's image manifest v2 and the OCI image-spec.
//! `manifest::effective_media_type` tells that of a document from its bytes.

/// Docker's image manifest, version 2 schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The media types of the `Accept` header of manifest requests.
pub const ACCEPTED: [&str; 4] = [DOCKER_MANIFEST, OCI_MANIFEST, DOCKER_LIST, OCI_INDEX];

/// The supported media type of a manifest or index that a content type states, without parameters.
pub fn known(content_type: &str) -> Option<&'static str> {
    let essence = essence(content_type);
    ACCEPTED.into_iter().find(|known| *known == essence)
}

/// Whether layers of this media type need not be copied: docker's foreign layers and OCI's non-distributable ones
/// (image-spec, "Image Layer Filesystem Changeset").
pub fn is_foreign(media_type: &str) -> bool {
    let prefixes =
        ["application/vnd.docker.image.rootfs.foreign.", "application/vnd.oci.image.layer.nondistributable."];
    prefixes.iter().any(|prefix| media_type.starts_with(prefix))
}

/// Whether a configuration of this media type is that of an image, which states a platform.
pub fn is_image_config(media_type: &str) -> bool {
    matches!(
        essence(media_type),
        "application/vnd.docker.container.image.v1+json" | "application/vnd.oci.image.config.v1+json"
    )
}

/// Whether a text is `type/subtype` (RFC 6838, section 4.2).
pub fn is_well_formed(text: &str) -> bool {
    let is_name = |name: &str| {
        name.len() <= 127
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

/// The media type without parameters such as `; charset=utf-8`, which some registries add.
pub fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

//! The media types that this program reads and writes, of docker's image manifest v2 and of the OCI image
//! specification.

/// Docker's image manifest, version 2 schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// All that a manifest request accepts, the form in which an `Accept` header lists it.
pub const ACCEPTED: [&str; 4] = [DOCKER_MANIFEST, OCI_MANIFEST, DOCKER_LIST, OCI_INDEX];

/// The type of a manifest or an index that this is, without parameters, if we know it.
pub fn known(content_type: &str) -> Option<&'static str> {
    let essence = essence(content_type);
    ACCEPTED.into_iter().find(|known| *known == essence)
}

/// Whether layers of this media type may stay at an address of their own: docker's foreign ones and the OCI image
/// specification's non-distributable ones.
pub fn is_foreign(media_type: &str) -> bool {
    let family = ["application/vnd.docker.image.rootfs.foreign.", "application/vnd.oci.image.layer.nondistributable."];
    family.iter().any(|family| media_type.starts_with(family))
}

/// Whether a configuration of this media type is an image's, which says what the image runs on.
pub fn is_image_config(media_type: &str) -> bool {
    matches!(
        essence(media_type),
        "application/vnd.docker.container.image.v1+json" | "application/vnd.oci.image.config.v1+json"
    )
}

/// The media type without parameters such as `; charset=utf-8`, which some registries add.
pub fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

//! The entries of a shared draft that a check stores, under the tag that `add --shared` would give them.

use crate::cli::check::sample_manifest::SampleManifest;
use crate::drafts::registry::{EntryError, EntryName, SharedEntry, SharedEntryKey};
use crate::model::descriptor::Descriptor;
use crate::model::{DocumentError, media_type};
use crate::platform::Platform;

/// Where a document of this kind comes in the order of deletion: before the images that it names.
const DELETION_PRIORITY: u8 = 2;

/// The entries in both formats: the first one, and the one that replaces it.
#[derive(Debug)]
pub(crate) struct SharedEntrySamples {
    /// The tag of all of them.
    pub(crate) tag: String,
    /// Docker manifest lists, for a registry that accepts no OCI index.
    pub(crate) docker: [SampleManifest; 2],
    /// OCI indexes.
    pub(crate) oci: [SampleManifest; 2],
}

impl SharedEntrySamples {
    /// Makes the entries of these images, which are for one platform.
    ///
    /// # Errors
    /// An image without a platform.
    pub(crate) fn new(
        name_prefix: &str,
        docker: &Descriptor,
        oci: &Descriptor,
    ) -> Result<SharedEntrySamples, DocumentError> {
        let key = oci.platform.as_ref().and_then(SharedEntryKey::from_platform);
        let key = key.ok_or(DocumentError::MissingMember("a platform"))?;
        let name = EntryName { list_tag: name_prefix.to_owned(), run: Some(name_prefix.to_owned()), key };
        let entry = |image: &Descriptor, attempt| SharedEntry {
            name: name.clone(),
            attempt: Some(attempt),
            image: image.clone(),
            attestations: Vec::new(),
            is_annotated: true,
        };
        let in_oci = |attempt| {
            let bytes = entry(oci, attempt).encode().map_err(document_error);
            bytes.map(|bytes| SampleManifest::new(media_type::OCI_INDEX, bytes, DELETION_PRIORITY))
        };
        // Without annotations, two entries of one image differ only in how they describe its platform.
        let in_docker = |image: &Descriptor| {
            let bytes = entry(image, 1).encode_for_docker().map_err(document_error)?;
            let bytes = bytes.ok_or(DocumentError::MissingMember("a Docker list"))?;
            Ok::<_, DocumentError>(SampleManifest::new(media_type::DOCKER_LIST, bytes, DELETION_PRIORITY))
        };
        let platform = docker.platform.clone().map(|platform| Platform { variant: "v1".to_owned(), ..platform });
        let replacement = Descriptor { platform, ..docker.clone() };
        Ok(SharedEntrySamples {
            tag: name.tag(),
            docker: [in_docker(docker)?, in_docker(&replacement)?],
            oci: [in_oci(1)?, in_oci(2)?],
        })
    }
}

fn document_error(error: EntryError) -> DocumentError {
    match error {
        EntryError::InvalidDocument(error) => error,
        _ => DocumentError::MissingMember("an entry"),
    }
}

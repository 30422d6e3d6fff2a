//! Attestations of single images. BuildKit lists the attestation of an image in its index. The attestation of an image
//! without an index refers to the image; on request it is added to the new index, as `docker buildx imagetools create`
//! does.

use std::collections::BTreeMap;

use crate::core::error::CommandError;
use crate::core::image_filters::ReferrersPolicy;
use crate::core::image_source::{ContentAccess, ContentOrigin, ImageSource};
use crate::core::referrers::FoundReferrer;
use crate::core::referrers::discover::{LocatedDigest, ReferrerDiscovery};
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::digest::Digest;
use crate::model::manifest::ImageFormat;
use crate::model::{DocumentError, Entry, EntryKey, media_type, referrers};
use crate::platform::Platform;
use crate::reference::Reference;

/// The operating system and architecture of an attestation in an index.
const UNKNOWN: &str = "unknown";

/// Adds to each image its first attestation, if one refers to it. The referrers API is requested for each image. After
/// a registry has shown that it has none, the referrers tags are requested instead. A layout is read.
///
/// # Errors
/// Failed requests, layouts that cannot be read, and attestations that cannot be read.
pub(super) fn add(
    content_access: ContentAccess<'_>,
    images: &mut [(&mut ResolvedSource, &ImageSource<'_>)],
) -> Result<(), CommandError> {
    let types = [referrers::BUILDKIT_ATTESTATION.to_owned()];
    let subject_of = |source: &ResolvedSource, origin| LocatedDigest { origin, digest: source.digest.clone() };
    let subjects: Vec<LocatedDigest<ContentOrigin<'_>>> =
        images.iter().map(|(source, image_source)| subject_of(source, image_source.origin())).collect();
    let discovery =
        ReferrerDiscovery::new(&content_access, content_access.registry.jobs(), ReferrersPolicy::All, &types);
    let mut by_subject: BTreeMap<Digest, Vec<FoundReferrer<ContentOrigin<'_>>>> = BTreeMap::new();
    for attestation in discovery.find_direct(&subjects)? {
        by_subject.entry(attestation.parent.clone()).or_default().push(attestation);
    }
    for (source, image_source) in images {
        let Some(image) = source.entries.first() else { continue };
        let mut found = by_subject.get(&source.digest).into_iter().flatten();
        let found = found.find(|found| found.origin == image_source.origin());
        let Some((digest, bytes)) = found.map(|found| (found.digest.clone(), found.bytes.clone())) else { continue };
        if let ImageSource::Layout { layout, .. } = &**image_source {
            layout.record_read(&digest);
        }
        let reference = image.reference.repository().at_digest(&digest);
        let entry = attestation(&reference, &digest, bytes, &source.digest)
            .map_err(CommandError::invalid_document(&reference))?;
        source.order.push(EntryKey::from_reference(&entry.reference));
        source.entries.push(entry);
    }
    Ok(())
}

/// The entry, with its manifest's annotations and those by which BuildKit marks it.
fn attestation(reference: &Reference, digest: &Digest, bytes: Vec<u8>, image: &Digest) -> Result<Entry, DocumentError> {
    let listed = referrers::descriptor(media_type::OCI_MANIFEST, digest, &bytes)?;
    let platform = Platform { os: UNKNOWN.to_owned(), architecture: UNKNOWN.to_owned(), ..Platform::default() };
    let mut entry = Entry::fetched(reference.clone(), ImageFormat::Oci, bytes, Some(platform));
    entry.descriptor.annotations = listed.annotations;
    crate::model::entry::annotate_as_attestation(&mut entry.descriptor, image);
    Ok(entry)
}

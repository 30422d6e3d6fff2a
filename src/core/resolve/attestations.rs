//! Attestations of single images. BuildKit lists the attestation of an image in its index. The attestation of an image
//! without an index refers to the image; on request it is added to the new index, as `docker buildx imagetools create`
//! does.

use std::collections::BTreeMap;

use crate::content::registry::Registry;
use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::referrers::FoundReferrer;
use crate::core::referrers::discover::{Discovery, Subject};
use crate::core::referrers::search::SourceSearch;
use crate::core::request::ReferrersPolicy;
use crate::core::resolve::source::ResolvedSource;
use crate::digest::Digest;
use crate::model::manifest::Schema;
use crate::model::{DocumentError, Entry, EntryKey, media_type, referrers};
use crate::platform::Platform;
use crate::reference::{Reference, Repository};

/// The operating system and architecture of an attestation in an index.
const UNKNOWN: &str = "unknown";

/// Adds to each image its first attestation, if one refers to it. Whether a registry has the referrers API is found out
/// once; without the API, the referrers tag of each image is requested.
///
/// # Errors
/// Failed requests, and layouts and attestations that cannot be read.
pub(super) fn add(
    registry: &Registry,
    images: &mut [(&mut ResolvedSource, &ImageSource<'_>)],
) -> Result<(), CommandError> {
    let types = [referrers::BUILDKIT_ATTESTATION.to_owned()];
    let policy = ReferrersPolicy::All;
    let in_registry = |(source, place): &(&mut ResolvedSource, &ImageSource<'_>)| {
        let ImageSource::Registry { reference, .. } = place else { return None };
        Some(Subject { place: reference.repository().clone(), digest: source.digest.clone() })
    };
    let subjects: Vec<Subject> = images.iter().filter_map(in_registry).collect();
    let found = Discovery::new(registry, registry.jobs(), policy, &types).direct(&subjects)?;
    let mut by_subject: BTreeMap<(Repository, Digest), FoundReferrer> = BTreeMap::new();
    for attestation in found {
        by_subject.entry((attestation.place.clone(), attestation.subject.clone())).or_insert(attestation);
    }
    for (source, place) in images {
        let Some(image) = source.entries.first() else { continue };
        let found = match place {
            ImageSource::Registry { reference, .. } => {
                let key = (reference.repository().clone(), source.digest.clone());
                by_subject.get(&key).map(|found| (found.digest.clone(), found.bytes.clone()))
            }
            ImageSource::Layout { layout, .. } => {
                let name = place.to_string();
                let search = SourceSearch { source: &**layout, name: &name };
                let subject = Subject { place: (), digest: source.digest.clone() };
                let found = Discovery::new(&search, registry.jobs(), policy, &types).direct(&[subject])?;
                found.into_iter().next().map(|found| (found.digest, found.bytes))
            }
        };
        let Some((digest, bytes)) = found else { continue };
        let reference = image.reference.repository().at_digest(&digest);
        let entry =
            attestation(&reference, &digest, bytes, &source.digest).map_err(CommandError::served(&reference))?;
        source.order.push(EntryKey::of(&entry.reference));
        source.entries.push(entry);
    }
    Ok(())
}

/// The entry, with its manifest's annotations and those by which BuildKit marks it.
fn attestation(reference: &Reference, digest: &Digest, bytes: Vec<u8>, image: &Digest) -> Result<Entry, DocumentError> {
    let listed = referrers::entry(media_type::OCI_MANIFEST, digest, &bytes)?;
    let platform = Platform { os: UNKNOWN.to_owned(), architecture: UNKNOWN.to_owned(), ..Platform::default() };
    let mut entry = Entry::fetched(reference.clone(), Schema::Oci, bytes, Some(platform));
    entry.descriptor.annotations = listed.annotations;
    crate::model::entry::mark_attestation(&mut entry.descriptor, image);
    Ok(entry)
}

//! Referrers in a layout. The specification of layouts does not say where they are, and tools differ:
//!
//! - regctl: an entry named by the referrers tag (`sha256-<hex>`), an index of them. Written here, because others read
//!   it too.
//! - buildx: an entry each, with the annotation `io.containerd.manifest.subject`.
//! - oras: an entry each, whose manifest has a `subject`.
//!
//! Manifests under cosign's tags are entries of that name.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::error::{ContentError, LayoutError};
use crate::content::oci_layout::files::{LayoutFiles, blob_path};
use crate::content::oci_layout::index_json::IndexJson;
use crate::content::oci_layout::layout_writer::LayoutWriter;
use crate::content::oci_layout::{DOCUMENT_MAX, INDEX_FILE, Layout};
use crate::content::source_and_sink::Referrer;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::manifest::ManifestKind;
use crate::model::{media_type, referrers};

/// The entries of `index.json` that refer to a manifest, by the manifest's digest.
pub(super) type EntriesBySubject = BTreeMap<Digest, Vec<Descriptor>>;

/// Reads the entries that are referrers themselves. An entry that cannot be read is skipped; its digest is verified
/// when it is used.
pub(super) fn by_subject(files: &LayoutFiles, index: &IndexJson) -> Result<EntriesBySubject, LayoutError> {
    let mut found = EntriesBySubject::new();
    for entry in index.entries() {
        let subject = match IndexJson::annotated_subject(entry) {
            Some(subject) => Some(subject),
            None => match files.read(&blob_path(&entry.digest), DOCUMENT_MAX) {
                Ok(bytes) => bytes.and_then(|bytes| referrers::subject(&entry.media_type, &bytes)),
                Err(LayoutError::FileRefused { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        if let Some(subject) = subject {
            found.entry(subject).or_default().push(entry.clone());
        }
    }
    Ok(found)
}

impl Layout {
    /// The referrers of a manifest in the forms of all tools, each once.
    pub(super) fn referrers_of(&self, subject: &Digest, max: usize) -> Result<Vec<Descriptor>, LayoutError> {
        let mut found: Vec<Descriptor> = Vec::new();
        for list in self.index.find_ref_name(&referrers::tag(subject)) {
            let Some(bytes) = self.read_manifest(&list.digest)? else { continue };
            if ManifestKind::is_list(&list.media_type) {
                let invalid_document = LayoutError::document(self.files.path(), list.digest.as_str());
                found.extend(Index::decode(&bytes).map_err(invalid_document)?.manifests);
            }
        }
        let mut known = crate::sync::lock(&self.by_subject);
        let known = match &mut *known {
            Some(known) => known,
            unknown => unknown.insert(by_subject(&self.files, &self.index)?),
        };
        found.extend(known.get(subject).into_iter().flatten().cloned());
        let mut seen = BTreeSet::new();
        found.retain(|referrer| seen.insert(referrer.digest.clone()));
        if found.len() > max {
            let reason = format!("{subject} has more than {max} referrers in it");
            return Err(LayoutError::unusable(self.files.path(), reason));
        }
        Ok(found)
    }
}

/// Referrers whose manifests were written and that `index.json` does not list yet.
#[derive(Default)]
pub(super) struct UnlistedReferrers {
    /// By referrers tag.
    by_referrers_tag: BTreeMap<String, Vec<Descriptor>>,
    /// By their own tag.
    by_own_tag: BTreeMap<String, Descriptor>,
}

impl UnlistedReferrers {
    pub(super) fn is_empty(&self) -> bool {
        self.by_referrers_tag.is_empty() && self.by_own_tag.is_empty()
    }

    pub(super) fn add(&mut self, referrer: &Referrer<'_>) {
        let Referrer { digest, media_type, bytes, tags } = *referrer;
        let plain = || Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
        if let Some(subject) = referrers::subject(media_type, bytes) {
            // Annotations that no descriptor can have are left out.
            let entry = referrers::descriptor(media_type, digest, bytes).unwrap_or_else(|_| plain());
            let entries = self.by_referrers_tag.entry(referrers::tag(&subject)).or_default();
            if entries.iter().all(|known| known.digest != entry.digest) {
                entries.push(entry);
            }
        }
        self.by_own_tag.extend(tags.iter().map(|tag| (tag.clone(), plain())));
    }

    /// Lists them.
    pub(super) fn add_to_index(&self, index: &mut IndexJson, writer: &dyn LayoutWriter) -> Result<(), ContentError> {
        for (tag, entries) in &self.by_referrers_tag {
            let member = format!("{tag} of {INDEX_FILE}");
            let failed = LayoutError::document(writer.path(), &member);
            let before = index.find_ref_name(tag).first().map(|entry| entry.digest.clone());
            let before = before.map_or(Ok(None), |digest| writer.read_manifest_unverified(&digest))?;
            let listed = before.as_deref().map_or(Ok(BTreeSet::new()), referrers::listed_digests).map_err(&failed)?;
            let is_new = |entry: &&Descriptor| !listed.contains(entry.digest.as_str());
            let new: Vec<Descriptor> = entries.iter().filter(is_new).cloned().collect();
            if new.is_empty() {
                continue;
            }
            let bytes = referrers::append(before.as_deref(), &new).map_err(failed)?;
            if bytes.len() as u64 > DOCUMENT_MAX {
                let reason = format!("the list of referrers {tag} in it would be over 4 MiB");
                return Err(LayoutError::unusable(writer.path(), reason).into());
            }
            let digest = Digest::from_bytes(&bytes);
            writer.write_bytes(&digest, &bytes)?;
            index.set_entry(Some(tag), media_type::OCI_INDEX, &digest, bytes.len() as u64);
        }
        for (tag, manifest) in &self.by_own_tag {
            index.set_entry(Some(tag), &manifest.media_type, &manifest.digest, manifest.size);
        }
        Ok(())
    }
}

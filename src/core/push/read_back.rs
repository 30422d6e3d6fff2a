//! Reads back what was written to a repository or a layout: every name and every manifest with their bytes, and whether
//! every blob is there.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use crate::content::registry::{Blob, FetchedManifest, ManifestName};
use crate::content::{ContentError, ContentSource};
use crate::core::error::CommandError;
use crate::core::image_source::manifest_name_in;
use crate::core::index_walk::IndexWalk;
use crate::core::limits::DEPTH_MAX;
use crate::core::manifest_blobs;
use crate::core::push::outcome::ReadBackCounts;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::manifest::{self, ManifestKind};

/// A repository or a layout that was written to.
pub(crate) struct ReadBack<'a> {
    pub(crate) source: &'a dyn ContentSource,
    /// Its name, for messages.
    pub(crate) source_name: &'a str,
    pub(crate) jobs: NonZeroUsize,
}

impl ReadBack<'_> {
    /// Checks the names, and the manifests with all that they name.
    ///
    /// # Errors
    /// Those of [`ReadBack::check_names`] and [`ReadBack::check_contents`].
    pub(crate) fn run(
        &self,
        names: &[(ManifestName, Digest)],
        manifests: Vec<Digest>,
    ) -> Result<ReadBackCounts, CommandError> {
        self.check_names(names)?;
        let (manifests, blobs) = self.check_contents(manifests)?;
        Ok(ReadBackCounts { names: names.len(), manifests, blobs })
    }

    /// Checks that each name has these bytes.
    ///
    /// # Errors
    /// [`CommandError::ReadBackMismatch`] for the first name with other bytes, and a source that cannot be read.
    fn check_names(&self, names: &[(ManifestName, Digest)]) -> Result<(), CommandError> {
        let check = |(name, digest): &(ManifestName, Digest)| {
            let fetched = self.fetch(name)?;
            if digest.verifies(&fetched.bytes) {
                return Ok(());
            }
            let reason = format!("it serves {}, not {digest}", fetched.digest);
            Err(CommandError::ReadBackMismatch { content: self.display_name(name), reason })
        };
        CommandError::collect_parallel(self.jobs, names, check).map(drop)
    }

    /// Checks these manifests, what they name, and their blobs. Blobs of foreign layers may be elsewhere. Returns the
    /// numbers of manifests and blobs.
    ///
    /// # Errors
    /// [`CommandError::ReadBackMismatch`] for the first manifest or blob that is missing or has other bytes, and a
    /// place that cannot be read.
    fn check_contents(&self, manifests: Vec<Digest>) -> Result<(usize, usize), CommandError> {
        let (mut number, mut blobs, mut known) = (0, Vec::new(), BTreeSet::new());
        let fetch = |digest: &Digest| self.fetch(&ManifestName::Digest(digest.clone()));
        let visit =
            |_, _, FetchedManifest { media_type, bytes, .. }: FetchedManifest| -> Result<Vec<Digest>, CommandError> {
                number += 1;
                let kind = manifest::effective_media_type(&media_type, &bytes)?.and_then(ManifestKind::from_media_type);
                if kind == Some(ManifestKind::List) {
                    return Ok(Index::decode(&bytes)?.manifests.into_iter().map(|child| child.digest).collect());
                }
                let named_blobs =
                    manifest_blobs::blobs(&bytes)?.into_iter().filter(|blob| !blob.is_foreign_with_urls());
                blobs.extend(named_blobs.filter(|blob| known.insert(blob.digest.clone())));
                Ok(Vec::new())
            };
        // The outermost manifest may be among `manifests`, so there is one more level.
        let index_walk = IndexWalk { list: &self.source_name, jobs: self.jobs, levels: DEPTH_MAX + 1 };
        index_walk.run(manifests, Digest::clone, fetch, visit)?;
        CommandError::collect_parallel(self.jobs, &blobs, |blob| self.check_blob(blob))?;
        Ok((number, blobs.len()))
    }

    fn check_blob(&self, blob: &Descriptor) -> Result<(), CommandError> {
        let content = || format!("the blob {}", self.display_name(&ManifestName::Digest(blob.digest.clone())));
        let kind = if self.source.repository().is_some() { "registry" } else { "layout" };
        match self.source.has_intact_blob(&Blob { digest: &blob.digest, size: Some(blob.size) }) {
            Ok(true) => Ok(()),
            Ok(false) => Err(CommandError::ReadBackMismatch {
                content: content(),
                reason: format!("the {kind} does not have it"),
            }),
            Err(error) if is_missing_or_damaged(&error) => {
                Err(CommandError::ReadBackMismatch { content: content(), reason: error.to_string() })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn fetch(&self, name: &ManifestName) -> Result<FetchedManifest, CommandError> {
        self.source.manifest(name).map_err(|error| match is_missing_or_damaged(&error) {
            true => CommandError::ReadBackMismatch { content: self.display_name(name), reason: error.to_string() },
            false => error.into(),
        })
    }

    fn display_name(&self, name: &ManifestName) -> String {
        manifest_name_in(&self.source_name, self.source.repository().is_some(), name)
    }
}

/// Whether something is missing or has other bytes, and the source can be read otherwise.
fn is_missing_or_damaged(error: &ContentError) -> bool {
    error.is_missing() || error.is_damaged()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::content::oci_layout::{Layout, LayoutReference};

    /// In a layout every blob is read and hashed: the name of a file does not prove its content.
    #[test]
    fn read_back_verifies_every_blob_of_a_layout() {
        let home = tempfile::tempdir().unwrap();
        let blobs = home.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let file = |digest: &Digest| blobs.join(digest.as_str().trim_start_matches("sha256:"));
        let (config, layer) = (Digest::from_bytes(b"{}"), Digest::from_bytes(b"layer"));
        let blob = |digest: &Digest, size| format!(r#"{{"mediaType":"m","digest":"{digest}","size":{size}}}"#);
        let manifest = format!(r#"{{"config":{},"layers":[{}]}}"#, blob(&config, 2), blob(&layer, 5));
        let digest = Digest::from_bytes(manifest.as_bytes());
        for (digest, bytes) in [(&config, "{}"), (&layer, "layer"), (&digest, &manifest)] {
            fs::write(file(digest), bytes).unwrap();
        }
        let notes = r#"{"org.opencontainers.image.ref.name":"1"}"#;
        let entry = format!(r#"{{"mediaType":"m","digest":"{digest}","size":1,"annotations":{notes}}}"#);
        fs::write(home.path().join("index.json"), format!(r#"{{"manifests":[{entry}]}}"#)).unwrap();
        let name = LayoutReference::parse(&format!("oci:{}", home.path().display())).unwrap().unwrap();
        let layout = Layout::open(&name).unwrap();
        let read_back = ReadBack { source: &layout, source_name: "L", jobs: NonZeroUsize::MIN };
        let contents = || read_back.check_contents(vec![digest.clone()]).map_err(|error| error.to_string());
        let head = "published, but not served as it was sent:";
        assert_eq!(contents(), Ok((1, 2)));
        read_back.check_names(&[(ManifestName::Tag("1".to_owned()), digest.clone())]).unwrap();
        let mismatch = read_back.check_names(&[(ManifestName::Tag("1".to_owned()), layer.clone())]).unwrap_err();
        assert_eq!(mismatch.to_string(), format!("{head} 1 in L: it serves {digest}, not {layer}"));
        fs::write(file(&layer), "LAYER").unwrap();
        let damaged = contents().unwrap_err();
        assert!(damaged.starts_with(&format!("{head} the blob {layer} in L: ")), "{damaged}");
        fs::remove_file(file(&layer)).unwrap();
        let missing = format!("{head} the blob {layer} in L: the layout does not have it");
        assert_eq!(contents(), Err(missing));
        fs::write(file(&digest), "{}").unwrap();
        assert!(contents().unwrap_err().starts_with(&format!("{head} {digest} in L: ")));
    }
}

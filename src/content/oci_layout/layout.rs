//! Reads images from a layout.

use std::io::Read;
use std::sync::Mutex;

use crate::content::error::{ContentError, LayoutError};
use crate::content::oci_layout::archive::SizedReader;
use crate::content::oci_layout::files::{LayoutFiles, blob_path};
use crate::content::oci_layout::index_json::IndexJson;
use crate::content::oci_layout::referrers::EntriesBySubject;
use crate::content::oci_layout::{DEFAULT_TAG, DOCUMENT_MAX, INDEX_FILE, LAYOUT_FILE, LayoutKind, LayoutReference};
use crate::content::registry::{Blob, BlobReader, FetchedManifest, ManifestName};
use crate::content::source_and_sink::ContentSource;
use crate::digest::{Digest, Hasher};
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::manifest::{self, ManifestKind};
use crate::model::media_type;
use crate::net::{RegistryError, RegistryErrorKind};
use crate::reference::Repository;

/// The maximum number of names of an old docker archive that are shown.
const SHOWN_NAMES_MAX: usize = 20;

/// A layout to read from.
pub struct Layout {
    pub(super) files: LayoutFiles,
    pub(super) index: IndexJson,
    /// The referrers by subject, read on first use.
    pub(super) by_subject: Mutex<Option<EntriesBySubject>>,
}

impl Layout {
    /// Opens a layout.
    ///
    /// # Errors
    /// A path that is no layout, and content that a layout must not have.
    pub fn open(name: &LayoutReference) -> Result<Layout, LayoutError> {
        let path = name.path.clone();
        let files = match name.kind {
            LayoutKind::Directory if path.is_dir() => LayoutFiles::Directory(path),
            LayoutKind::Directory => {
                let source = path.metadata().err();
                return Err(match source {
                    Some(source) => LayoutError::io("open", &path)(source),
                    None => LayoutError::unusable(&path, "it is no directory"),
                });
            }
            LayoutKind::Archive | LayoutKind::DockerArchive => LayoutFiles::open_archive(&path)?,
        };
        check_version(&files)?;
        let old_archive = |files: &LayoutFiles| -> Result<Option<LayoutError>, LayoutError> {
            let names = if name.kind == LayoutKind::Directory { None } else { docker_archive_names(files)? };
            Ok(names.map(|names| LayoutError::OldDockerArchive { path: name.path.clone(), names }))
        };
        let Some(bytes) = files.read(INDEX_FILE, DOCUMENT_MAX)? else {
            let none = || LayoutError::unusable(&name.path, "it has no index.json");
            return Err(old_archive(&files)?.unwrap_or_else(none));
        };
        let index = decode_index(&files, &bytes)?;
        // Docker 25.0 wrote an empty index.json for images that were saved by digest.
        if let Some(error) = if index.entries().is_empty() { old_archive(&files)? } else { None } {
            return Err(error);
        }
        Ok(Layout { files, index, by_subject: Mutex::default() })
    }

    /// The manifest that a name selects, and the tag that it has here.
    ///
    /// The digest selects any manifest of the layout. A tag is matched with the names in `index.json`. Without either,
    /// the only image that no other one contains is selected, else the one named `latest`.
    ///
    /// # Errors
    /// No image of that name, or several.
    pub fn select(&self, name: &LayoutReference) -> Result<(Digest, Option<String>), LayoutError> {
        let tag = name.tag.clone();
        if let Some(digest) = &name.digest {
            return Ok((digest.clone(), tag));
        }
        if let Some(requested) = &tag {
            let found = self.index.find_by_name(requested);
            let entry = self.single_entry(&found, Some(requested))?;
            return Ok((entry.digest.clone(), IndexJson::tag(entry).or(tag)));
        }
        let top_level = self.root_entries()?;
        let latest = self.index.find_by_name(DEFAULT_TAG);
        let several = count_digests(&top_level) > 1 && count_digests(&latest) == 1;
        let entry = self.single_entry(if several { &latest } else { &top_level }, None)?;
        Ok((entry.digest.clone(), IndexJson::tag(entry)))
    }

    /// The first of these entries, if all have one digest.
    pub(super) fn single_entry<'a>(
        &self,
        found: &[&'a Descriptor],
        name: Option<&String>,
    ) -> Result<&'a Descriptor, LayoutError> {
        let (path, names) = (self.files.path().to_owned(), self.index.image_names());
        match (found.first(), count_digests(found)) {
            (Some(entry), 1) => Ok(entry),
            (None, _) => match name {
                Some(name) => Err(LayoutError::NoSuchName { path, name: name.clone(), names }),
                None => Err(LayoutError::unusable(&path, "it has no images")),
            },
            (_, number) => Err(LayoutError::SeveralImages { path, name: name.cloned(), number, names }),
        }
    }

    /// The images that no other entry contains. Some tools list the children of an index too.
    fn root_entries(&self) -> Result<Vec<&Descriptor>, LayoutError> {
        let entries: Vec<&Descriptor> =
            self.index.entries().iter().filter(|entry| !IndexJson::is_referrer(entry)).collect();
        if count_digests(&entries) < 2 {
            return Ok(entries);
        }
        let mut nested: Vec<Digest> = Vec::new();
        let mut referrers: Vec<Digest> = Vec::new();
        for entry in &entries {
            // An archive may lack images that its index names.
            let Some(bytes) = self.read_manifest(&entry.digest)? else { continue };
            // Its subject may be in an index.
            if let Some(subject) = manifest::subject(&bytes)
                && self.files.open(&blob_path(&subject))?.is_some()
            {
                referrers.push(entry.digest.clone());
            }
            if ManifestKind::is_list(&entry.media_type)
                && let Ok(index) = Index::decode(&bytes)
            {
                let children = index.manifests.into_iter().map(|child| child.digest);
                nested.extend(children.filter(|child| *child != entry.digest));
            }
        }
        let is_top = |entry: &&Descriptor| !nested.contains(&entry.digest) && !referrers.contains(&entry.digest);
        Ok(entries.into_iter().filter(is_top).collect())
    }

    fn damaged(&self, digest: &Digest, reason: String) -> LayoutError {
        LayoutError::damaged(self.files.path(), digest, reason)
    }

    fn wrong_digest(&self, digest: &Digest, bytes: &[u8]) -> LayoutError {
        self.damaged(digest, format!("its bytes have the digest {}", Digest::from_bytes(bytes)))
    }

    fn no_blob(&self, digest: &Digest) -> LayoutError {
        LayoutError::NoBlob { path: self.files.path().to_owned(), digest: digest.clone() }
    }

    /// The bytes of a manifest, verified.
    pub(super) fn read_manifest(&self, digest: &Digest) -> Result<Option<Vec<u8>>, LayoutError> {
        let Some(bytes) = self.files.read(&blob_path(digest), DOCUMENT_MAX)? else { return Ok(None) };
        if digest.verifies(&bytes) {
            return Ok(Some(bytes));
        }
        Err(self.wrong_digest(digest, &bytes))
    }
}

/// The number of distinct digests.
pub(super) fn count_digests(entries: &[&Descriptor]) -> usize {
    entries.iter().map(|entry| &entry.digest).collect::<std::collections::BTreeSet<_>>().len()
}

/// Refuses a later version of the specification. The file itself may be missing: skopeo and buildx do not need it.
pub(super) fn check_version(files: &LayoutFiles) -> Result<(), LayoutError> {
    let Some(bytes) = files.read(LAYOUT_FILE, DOCUMENT_MAX)? else { return Ok(()) };
    let value = crate::model::json::parse(&bytes).ok();
    let version = value.as_ref().and_then(|value| value.get("imageLayoutVersion")?.as_str());
    match version {
        Some(version) if version.starts_with("1.") => Ok(()),
        version => {
            let version = version.unwrap_or("unknown");
            let reason = format!("its version is {}, and 1 is known", crate::sanitize::short_line(version));
            Err(LayoutError::unusable(files.path(), reason))
        }
    }
}

/// The names of the images in `manifest.json`, of an archive of `docker save` before Docker 25: that file has no
/// digests. `None` without such a file, or without images in it.
fn docker_archive_names(files: &LayoutFiles) -> Result<Option<Vec<String>>, LayoutError> {
    let Some(bytes) = files.read("manifest.json", DOCUMENT_MAX)? else { return Ok(None) };
    let Ok(value) = crate::model::json::parse(&bytes) else { return Ok(None) };
    let images = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let tags = images.iter().filter_map(|image| image.get("RepoTags")?.as_array());
    let tags = tags.flatten().filter_map(|tag| tag.as_str().map(str::to_owned));
    Ok((!images.is_empty()).then(|| tags.take(SHOWN_NAMES_MAX).collect()))
}

pub(super) fn decode_index(files: &LayoutFiles, bytes: &[u8]) -> Result<IndexJson, LayoutError> {
    IndexJson::decode(bytes).map_err(LayoutError::document(files.path(), INDEX_FILE))
}

impl ContentSource for Layout {
    /// A tag is a name in `index.json`. [`Layout::select`] selects an image by what a user typed.
    fn manifest(&self, name: &ManifestName) -> Result<FetchedManifest, ContentError> {
        let digest = match name {
            ManifestName::Digest(digest) => digest.clone(),
            ManifestName::Tag(tag) => self.single_entry(&self.index.find_by_name(tag), Some(tag))?.digest.clone(),
        };
        let bytes = self.read_manifest(&digest)?.ok_or_else(|| self.no_blob(&digest))?;
        let stated = self.index.entries().iter().find(|entry| entry.digest == digest).map(|entry| &entry.media_type);
        let stated = stated.map(String::as_str).unwrap_or_default();
        let invalid_document = LayoutError::document(self.files.path(), digest.as_str());
        let served = manifest::effective_media_type(stated, &bytes).map_err(invalid_document)?;
        let media_type = served.unwrap_or(media_type::essence(stated)).to_owned();
        Ok(FetchedManifest { media_type, bytes, digest })
    }

    fn has_manifest(&self, manifest: &Descriptor) -> Result<bool, ContentError> {
        Ok(self.read_manifest(&manifest.digest)?.is_some())
    }

    /// Checks only the size. The reader of the blob verifies its bytes.
    fn has_blob_unverified(&self, blob: &Blob<'_>) -> Result<bool, ContentError> {
        let Some(length) = self.files.size(&blob_path(blob.digest))? else { return Ok(false) };
        match blob.size.filter(|size| *size != length) {
            Some(size) => Err(self.damaged(blob.digest, format!("it has {length} bytes, not {size}")).into()),
            None => Ok(true),
        }
    }

    fn small_blob(&self, blob: &Blob<'_>, max: u64) -> Result<Vec<u8>, ContentError> {
        if !self.has_blob_unverified(blob)? {
            return Err(self.no_blob(blob.digest).into());
        }
        let bytes = self.files.read(&blob_path(blob.digest), max)?.unwrap_or_default();
        if blob.digest.verifies(&bytes) { Ok(bytes) } else { Err(self.wrong_digest(blob.digest, &bytes).into()) }
    }

    fn read_blob(
        &self,
        blob: &Blob<'_>,
        read: &mut dyn FnMut(&mut dyn BlobReader) -> Result<(), ContentError>,
    ) -> Result<(), ContentError> {
        let mut reader = LayoutBlobReader {
            layout: self,
            digest: blob.digest,
            length: None,
            stream_and_position: None,
            error: None,
        };
        let outcome = reader.reopen().map_err(ContentError::Layout).and_then(|()| read(&mut reader));
        // The error of the layout is reported: the failed upload only follows from it.
        match reader.error {
            Some(error) => Err(error.into()),
            None => outcome,
        }
    }

    fn repository(&self) -> Option<&Repository> {
        None
    }

    fn has_intact_blob(&self, blob: &Blob<'_>) -> Result<bool, ContentError> {
        let Some((file, size)) = self.files.open(&blob_path(blob.digest))? else { return Ok(false) };
        let found = Hasher::hash_reader(file, blob.digest).map_err(LayoutError::io("read", self.files.path()))?.0;
        if found == *blob.digest && blob.size.is_none_or(|expected| expected == size) {
            return Ok(true);
        }
        Err(self.damaged(blob.digest, format!("it has {size} bytes with the digest {found}")).into())
    }

    fn read_position(&self, blob: &Digest) -> Option<u64> {
        self.files.read_position(&blob_path(blob))
    }

    fn referrers(&self, subject: &Digest, max: usize) -> Result<Option<Vec<Descriptor>>, ContentError> {
        Ok(Some(self.referrers_of(subject, max)?))
    }

    fn resolve_tag(&self, tag: &str) -> Result<Option<Digest>, ContentError> {
        let found = self.index.find_ref_name(tag);
        if found.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.single_entry(&found, Some(&tag.to_owned()))?.digest.clone()))
    }
}

/// A blob of a layout, while it is read.
struct LayoutBlobReader<'a> {
    layout: &'a Layout,
    digest: &'a Digest,
    length: Option<u64>,
    /// The file, and the position in it.
    stream_and_position: Option<SizedReader>,
    error: Option<LayoutError>,
}

impl LayoutBlobReader<'_> {
    fn reopen(&mut self) -> Result<(), LayoutError> {
        // One large member of a gzip archive can be open at a time.
        self.stream_and_position = None;
        let opened = self.layout.files.open(&blob_path(self.digest))?;
        let (stream, length) = opened.ok_or_else(|| self.layout.no_blob(self.digest))?;
        (self.stream_and_position, self.length) = (Some((stream, 0)), Some(length));
        Ok(())
    }

    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> Result<usize, LayoutError> {
        if self.stream_and_position.as_ref().is_none_or(|(_, position)| *position > at) {
            self.reopen()?;
        }
        let failed = LayoutError::io("read", self.layout.files.path());
        let Some((stream, position)) = &mut self.stream_and_position else { return Ok(0) };
        let skipped = at.saturating_sub(*position);
        *position =
            position.saturating_add(std::io::copy(&mut stream.take(skipped), &mut std::io::sink()).map_err(&failed)?);
        let count = stream.read(buffer).map_err(&failed)?;
        *position = position.saturating_add(count as u64);
        Ok(count)
    }

    fn record_error(&mut self, error: LayoutError) -> RegistryError {
        let detail = error.to_string();
        self.error = Some(error);
        RegistryError::new(RegistryErrorKind::Verification, String::new(), detail)
    }
}

impl BlobReader for LayoutBlobReader<'_> {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<usize, RegistryError> {
        self.read_at(at, buffer).map_err(|error| self.record_error(error))
    }

    fn content_error(&mut self, reason: String) -> RegistryError {
        self.record_error(self.layout.damaged(self.digest, reason))
    }
}

//! The layouts that a command reads from.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::content::oci_layout::Layout;
use crate::content::registry::{Blob, BlobReader, FetchedManifest, ManifestName};
use crate::content::{ContentError, ContentSource, LayoutError};
use crate::digest::Digest;
use crate::location::{LayoutKind, LayoutName};
use crate::model::descriptor::Descriptor;
use crate::reference::Repository;
use crate::sync::lock;

/// The layouts, each opened once.
#[derive(Debug, Default)]
pub(crate) struct Layouts {
    opened: Mutex<Vec<Arc<OpenLayout>>>,
}

/// A layout that is open.
pub(crate) struct OpenLayout {
    layout: Layout,
    /// The layout as the user named it first.
    name: LayoutName,
    /// The manifests that were read from it.
    read: Mutex<BTreeSet<Digest>>,
}

impl Layouts {
    /// Opens a layout, unless it is open.
    ///
    /// # Errors
    /// Those of [`Layout::open`].
    pub(crate) fn open(&self, name: &LayoutName) -> Result<Arc<OpenLayout>, LayoutError> {
        let mut opened = lock(&self.opened);
        if let Some(known) = opened.iter().find(|known| known.key() == (name.kind, &name.path)) {
            return Ok(Arc::clone(known));
        }
        let layout = Layout::open(name)?;
        let open = Arc::new(OpenLayout { layout, name: name.clone(), read: Mutex::default() });
        opened.push(Arc::clone(&open));
        Ok(open)
    }

    /// The first layout that this manifest was read from.
    pub(crate) fn with(&self, digest: &Digest) -> Option<Arc<OpenLayout>> {
        lock(&self.opened).iter().find(|open| lock(&open.read).contains(digest)).cloned()
    }
}

impl OpenLayout {
    /// Its name, as the user wrote it.
    pub(crate) fn shown(&self) -> &str {
        self.name.layout()
    }

    /// Each layout is opened once, so that its kind and path identify it.
    fn key(&self) -> (LayoutKind, &PathBuf) {
        (self.name.kind, &self.name.path)
    }

    /// The manifest that a name selects. See [`Layout::select`].
    ///
    /// # Errors
    /// No image of that name, or several.
    pub(crate) fn select(&self, name: &LayoutName) -> Result<Digest, LayoutError> {
        Ok(self.layout.select(name)?.0)
    }

    /// Checks that a blob is there, before it is to be read.
    ///
    /// # Errors
    /// A blob that is not there or has another size.
    pub(crate) fn check_blob(&self, blob: &Blob<'_>) -> Result<(), ContentError> {
        if self.layout.serves_blob(blob)? {
            return Ok(());
        }
        Err(LayoutError::NoBlob { path: self.name.path.clone(), digest: blob.digest.clone() }.into())
    }
}

/// A layout remembers which manifests it has given, so that a push knows where their blobs are.
impl ContentSource for OpenLayout {
    fn manifest(&self, name: &ManifestName) -> Result<FetchedManifest, ContentError> {
        let fetched = self.layout.manifest(name)?;
        lock(&self.read).insert(fetched.digest.clone());
        Ok(fetched)
    }

    fn serves_manifest(&self, manifest: &Descriptor) -> Result<bool, ContentError> {
        self.layout.serves_manifest(manifest)
    }

    fn serves_blob(&self, blob: &Blob<'_>) -> Result<bool, ContentError> {
        self.layout.serves_blob(blob)
    }

    fn has_intact_blob(&self, blob: &Blob<'_>) -> Result<bool, ContentError> {
        self.layout.has_intact_blob(blob)
    }

    fn small_blob(&self, blob: &Blob<'_>, cap: u64) -> Result<Vec<u8>, ContentError> {
        self.layout.small_blob(blob, cap)
    }

    fn read_blob(
        &self,
        blob: &Blob<'_>,
        take: &mut dyn FnMut(&mut dyn BlobReader) -> Result<(), ContentError>,
    ) -> Result<(), ContentError> {
        self.layout.read_blob(blob, take)
    }

    fn repository(&self) -> Option<&Repository> {
        None
    }

    fn order(&self, blob: &Digest) -> Option<u64> {
        self.layout.order(blob)
    }

    fn referrers(&self, subject: &Digest, most: usize) -> Result<Option<Vec<Descriptor>>, ContentError> {
        self.layout.referrers(subject, most)
    }

    fn tagged(&self, tag: &str) -> Result<Option<Digest>, ContentError> {
        self.layout.tagged(tag)
    }
}

impl Ord for OpenLayout {
    fn cmp(&self, other: &OpenLayout) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for OpenLayout {
    fn partial_cmp(&self, other: &OpenLayout) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for OpenLayout {
    fn eq(&self, other: &OpenLayout) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for OpenLayout {}

/// As the user named it.
impl fmt::Display for OpenLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl fmt::Debug for OpenLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenLayout").field("path", &self.name.path).finish_non_exhaustive()
    }
}

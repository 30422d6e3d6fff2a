//! The layouts that a command reads from.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::content::oci_layout::Layout;
use crate::content::registry::Blob;
use crate::content::{ContentError, ContentSource, LayoutError};
use crate::digest::Digest;
use crate::location::{LayoutKind, LayoutReference};
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
    name: LayoutReference,
    /// The manifests that were read from it.
    read: Mutex<BTreeSet<Digest>>,
}

impl Layouts {
    /// Opens a layout, unless it is open.
    ///
    /// # Errors
    /// Those of [`Layout::open`].
    pub(crate) fn open(&self, name: &LayoutReference) -> Result<Arc<OpenLayout>, LayoutError> {
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
    pub(crate) fn find_by_manifest(&self, digest: &Digest) -> Option<Arc<OpenLayout>> {
        lock(&self.opened).iter().find(|open| lock(&open.read).contains(digest)).cloned()
    }
}

impl OpenLayout {
    /// Its name, as the user wrote it.
    pub(crate) fn name_as_typed(&self) -> &str {
        self.name.typed_layout()
    }

    /// Each layout is opened once, so that its kind and path identify it.
    fn key(&self) -> (LayoutKind, &PathBuf) {
        (self.name.kind, &self.name.path)
    }

    /// What reads it.
    pub(crate) fn content(&self) -> &Layout {
        &self.layout
    }

    /// Records that this manifest was read from this layout, so that a push reads its blobs there.
    pub(crate) fn record_read(&self, manifest: &Digest) {
        lock(&self.read).insert(manifest.clone());
    }

    /// The manifest that a name selects. See [`Layout::select`].
    ///
    /// # Errors
    /// No image of that name, or several.
    pub(crate) fn select(&self, name: &LayoutReference) -> Result<Digest, LayoutError> {
        Ok(self.layout.select(name)?.0)
    }

    /// Checks that a blob is there, before it is to be read.
    ///
    /// # Errors
    /// A blob that is not there or has another size.
    pub(crate) fn check_blob(&self, blob: &Blob<'_>) -> Result<(), ContentError> {
        if self.layout.has_blob_unverified(blob)? {
            return Ok(());
        }
        Err(LayoutError::NoBlob { path: self.name.path.clone(), digest: blob.digest.clone() }.into())
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
        f.write_str(self.name_as_typed())
    }
}

impl fmt::Debug for OpenLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenLayout").field("path", &self.name.path).finish_non_exhaustive()
    }
}

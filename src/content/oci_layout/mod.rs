//! OCI image layouts (image-spec, "OCI Image Layout Specification"): directories, and tar archives of them.
//!
//! [`Layout`] reads images, and [`LayoutSink`] writes them: `directory_writer` and `archive_writer` write blobs and
//! `index.json` to the disk (`write_index_json`). `index_json` is the content of `index.json` as a value. `files`
//! opens files and refuses anything but a regular file. Blobs are verified as they are read. `referrers` finds the
//! referrers of the images and lists new ones.

mod archive;
mod archive_writer;
mod directory_writer;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod index_json;
mod layout;
mod layout_writer;
mod lock;
mod referrers;
mod sink;
mod staged_file;
mod tar_reader;

pub use crate::location::{LayoutKind, LayoutReference};
pub use layout::Layout;
pub use lock::LockWait;
pub use sink::LayoutSink;

use crate::content::error::ContentError;
use crate::content::oci_layout::index_json::IndexJson;

/// The maximum size of a manifest and of `index.json`, in bytes: that of registries.
const DOCUMENT_MAX: u64 = 4 << 20;
/// The name that buildx, regctl and docker use if no other is given.
const DEFAULT_TAG: &str = "latest";
const INDEX_FILE: &str = "index.json";
const LAYOUT_FILE: &str = "oci-layout";

/// A change of `index.json`.
type IndexChange<'a> = dyn Fn(&mut IndexJson) -> Result<(), ContentError> + 'a;

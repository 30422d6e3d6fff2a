//! The name of a place that has images.

use crate::content::oci_layout::LayoutName;
use crate::reference::Reference;

/// Where an image is, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a repository of a registry.
    Registry(Reference),
    /// In an OCI image layout on disk.
    Layout(LayoutName),
}

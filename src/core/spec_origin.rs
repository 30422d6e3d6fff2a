//! Where the list to publish comes from.

/// Where the list to publish comes from, and so where the user can correct it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecOrigin {
    /// A draft.
    Draft,
    /// A file that describes it.
    File,
    /// Flags that name its platforms.
    Flags,
    /// Images that a command names, before there is a draft.
    Images,
    /// A shared draft.
    SharedDraft,
}

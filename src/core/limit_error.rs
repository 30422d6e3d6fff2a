//! The error for a list that exceeds one of the [`limits`](super::limits).

/// A list that exceeds a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Nested indexes beyond the maximum depth.
    #[error("{list} has indexes nested more than {max} deep")]
    Depth {
        /// The outermost list.
        list: String,
        /// The maximum depth.
        max: usize,
    },
    /// More manifests in indexes than the maximum.
    #[error("{list} brings the manifests taken out of indexes to more than {max}")]
    Descriptors {
        /// The list that exceeded it.
        list: String,
        /// The maximum number.
        max: usize,
    },
    /// More bytes of manifests in indexes than the maximum.
    #[error("{list} brings the manifests taken out of indexes to more than {max} bytes")]
    Bytes {
        /// The list that exceeded it.
        list: String,
        /// The maximum in bytes.
        max: u64,
    },
}

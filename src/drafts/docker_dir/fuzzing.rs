//! What hostile bytes may do to the store's own side file; see [`crate::fuzzing`].

use super::sidecar::Sidecar;

/// A side file that can be read is written as one that says the same.
pub(crate) fn side_file(bytes: &[u8]) {
    let Some(owner) = Sidecar::decode(bytes) else { return };
    let written = owner.encode().expect("a side file can be written");
    assert_eq!(Sidecar::decode(&written), Some(owner));
}

//! Fuzz target for the sidecar; see [`crate::fuzzing`].

use super::sidecar::Sidecar;

/// A sidecar that can be read is written as an equal one.
pub(crate) fn side_file(bytes: &[u8]) {
    let Some(owner) = Sidecar::decode(bytes) else { return };
    let written = owner.encode().expect("a side file can be written");
    assert_eq!(Sidecar::decode(&written), Some(owner));
}

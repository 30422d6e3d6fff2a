//! Fuzz target for the sidecar; see [`crate::fuzzing`].

use super::sidecar::Sidecar;

/// A sidecar that can be read is written as an equal one.
pub(crate) fn sidecar(bytes: &[u8]) {
    let Some(sidecar) = Sidecar::decode(bytes) else { return };
    let written = sidecar.encode().expect("a sidecar can be written");
    assert_eq!(Sidecar::decode(&written), Some(sidecar));
}

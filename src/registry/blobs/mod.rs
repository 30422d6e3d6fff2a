//! Blobs on their way from one repository to another: mounted, streamed and verified.

pub(super) mod copy;
pub(super) mod source;
pub(super) mod stream;

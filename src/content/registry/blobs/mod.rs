//! Blobs on their way from one repository to another: mounted, streamed and verified.

pub mod copy;
pub mod source;
pub mod stream;

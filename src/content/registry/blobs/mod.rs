//! Copies blobs from one repository to another: mounting, streaming and verifying them.

pub mod blob_reader;
pub mod copy;
mod copy_error;
pub mod verifying_reader;

pub(crate) use copy_error::is_mount_refused;

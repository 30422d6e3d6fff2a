//! Copies blobs from one repository to another: mounting, streaming and verifying them.

pub mod copy;
mod copy_fault;
pub mod source;
pub mod verifying_reader;

pub(crate) use copy_fault::is_about_mount;

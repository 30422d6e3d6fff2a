//! Copies blobs from one repository to another: mounting, streaming and verifying them.

pub mod copy;
pub mod source;
pub mod stream;

//! Where drafts are kept.

pub mod docker_dir;

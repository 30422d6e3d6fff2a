//! manifest-tool and mquery, by their own names.

pub mod inspect;
pub mod manifest_tool;

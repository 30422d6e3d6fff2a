//! manifest-tool and mquery by their names.

pub mod inspect;
pub mod manifest_tool;

//! manifest-tool and mquery, by their own names.

pub mod manifest_tool;
pub mod manifest_tool_inspect;

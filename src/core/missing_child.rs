//! Images that a list names and its registry does not have: they were deleted after the list was published, or never
//! existed.

use std::fmt;

use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::net::RegistryError;
use crate::sanitize;

/// A list and its missing images.
#[derive(Debug, Clone)]
pub struct MissingChild {
    /// The list as the user named it.
    pub list: String,
    /// The missing manifests: repository and digest.
    pub children: Vec<String>,
    /// Their platforms, as the list states them.
    pub platforms: Vec<String>,
    /// Which list names them.
    pub parent: ParentList,
    /// The registry's error, unless it only answered that they are missing.
    pub source: Option<RegistryError>,
}

/// The list that names a missing image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentList {
    /// A list that a registry serves.
    Published,
    /// A list that is being published.
    Pushed,
    /// A list that a dry run checks.
    Previewed,
    /// A shared draft: the image was deleted after its entry was stored.
    SharedDraft,
}

impl MissingChild {
    /// The error for these descriptors of `list`, which its repository or layout does not have.
    pub(crate) fn new(list: &Location, children: &[Descriptor], parent: ParentList) -> MissingChild {
        let platform = |child: &Descriptor| child.non_empty_platform().map(shown);
        let name = |child: &Descriptor| {
            let platform = platform(child).map(|platform| format!(" ({platform})")).unwrap_or_default();
            format!("{}{platform}", list.at_digest(&child.digest))
        };
        MissingChild {
            list: list.to_string(),
            children: children.iter().map(name).collect(),
            platforms: children.iter().filter_map(platform).collect(),
            parent,
            source: None,
        }
    }

    /// The lines after the first one.
    pub fn causes(&self) -> Option<String> {
        let line = |child: &String| format!("  the registry does not have {child}");
        let lines = || self.children.iter().map(line).collect::<Vec<_>>().join("\n");
        (self.parent == ParentList::Pushed).then(lines)
    }
}

fn shown(platform: &impl ToString) -> String {
    sanitize::short_line(&platform.to_string())
}

impl fmt::Display for MissingChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissingChild { list, children, parent, .. } = self;
        match parent {
            // Docker's line, from a registry that checks lists.
            ParentList::Pushed => {
                write!(f, "failed to put manifest {list}: manifest blob unknown: blob unknown to registry")
            }
            ParentList::Published | ParentList::Previewed | ParentList::SharedDraft => {
                let line = |child: &String| format!("no such manifest: {child}, which {list} names");
                f.write_str(&children.iter().map(line).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

impl std::error::Error for MissingChild {}

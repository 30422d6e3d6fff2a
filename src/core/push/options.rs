//! The options and the environment of a push.

use crate::content::registry::RegistryClient;
use crate::core::image_filters::{PlatformFilter, ReferrerFilter};
use crate::core::image_source::ContentAccess;
use crate::core::open_layouts::Layouts;
use crate::core::push::reporter::PushReporter;
use crate::core::push::tags::TagArg;
use crate::core::requirements::Requirements;
use crate::core::spec_origin::SpecOrigin;
use crate::digest::Digest;
use crate::model::index::ListFormat;
use crate::net::Clock;

/// The options of a push.
#[derive(Debug, Clone, Default)]
pub(crate) struct PushOptions {
    /// Whether the list becomes a Docker manifest list or an OCI index.
    pub(crate) list_format: ListFormat,
    /// Further names of the list.
    pub(crate) tags: Vec<TagArg>,
    /// Platforms that the list must have.
    pub(crate) require: Vec<PlatformFilter>,
    /// Whether the list may have no other platforms.
    pub(crate) exact: bool,
    /// Whether two images for one platform are an error.
    pub(crate) strict: bool,
    /// Whether to send nothing.
    pub(crate) dry_run: bool,
    /// Whether to report each step.
    pub(crate) verbose: bool,
    /// The digest that the list's tag must serve until it is replaced; `None` if any may be replaced.
    pub(crate) replaces: Option<Digest>,
    /// Which referrers of the images are sent along.
    pub(crate) referrers: ReferrerFilter,
    /// Whether what was published is read back.
    pub(crate) verify: bool,
}

impl PushOptions {
    /// The requirements that the options state.
    pub(crate) fn requirements(&self, origin: SpecOrigin) -> Requirements<'_> {
        Requirements { require: &self.require, exact: self.exact, reject_duplicates: self.strict, origin }
    }
}

/// The environment of a push.
#[derive(Clone, Copy)]
pub(crate) struct PushContext<'a> {
    /// The client.
    pub(crate) registry: &'a RegistryClient,
    /// The layouts that images come from.
    pub(crate) layouts: &'a Layouts,
    /// The clock that repeats wait by.
    pub(crate) clock: &'a dyn Clock,
    /// Receives the progress.
    pub(crate) reporter: &'a dyn PushReporter,
}

impl<'a> PushContext<'a> {
    /// The client and the layouts that images are read from.
    pub(crate) fn content_access(&self) -> ContentAccess<'a> {
        ContentAccess { registry: self.registry, layouts: self.layouts }
    }
}

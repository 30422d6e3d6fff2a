//! The repositories and layouts that can have referrers: those of the images of a list, or the one source of a copy or
//! of `inspect`. `discover` searches them.

use crate::content::registry::{FetchedManifest, ManifestName};
use crate::content::{ContentSource, RegistryRepository};
use crate::core::error::CommandError;
use crate::core::image_source::{ContentAccess, ContentOrigin, manifest_name_in};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;

/// How many referrers a manifest may have.
pub(crate) const REFERRERS_MAX: usize = 1_000;

/// Gives access to the repositories and layouts that manifests and their referrers are in.
pub(crate) trait ReferrerOrigins: Sync {
    /// A repository or a layout.
    type Origin: Clone + Ord + Send + Sync;

    /// The server of an origin. All origins of one server have the referrers API, or none.
    fn server<'o>(&self, origin: &'o Self::Origin) -> &'o str;

    /// The name of a tag or digest in an origin, for messages.
    fn display_name(&self, origin: &Self::Origin, name: &ManifestName) -> String;

    /// Calls `read` with what reads an origin.
    fn with_source<T>(&self, origin: &Self::Origin, read: impl FnOnce(&dyn ContentSource) -> T) -> T;

    /// What an origin lists as referring to a manifest; `None` if it has no such list.
    fn list_referrers(&self, origin: &Self::Origin, subject: &Digest) -> Result<Option<Vec<Descriptor>>, CommandError> {
        Ok(self.with_source(origin, |source| source.referrers(subject, REFERRERS_MAX))?)
    }

    /// The digest that a tag has; `None` without such a tag.
    fn resolve_tag(&self, origin: &Self::Origin, tag: &str) -> Result<Option<Digest>, CommandError> {
        Ok(self.with_source(origin, |source| source.resolve_tag(tag))?)
    }

    /// A manifest; `None` if it is not there.
    fn manifest(&self, origin: &Self::Origin, name: &ManifestName) -> Result<Option<FetchedManifest>, CommandError> {
        match self.with_source(origin, |source| source.manifest(name)) {
            Err(error) if error.is_missing() => Ok(None),
            fetched => Ok(fetched.map(Some)?),
        }
    }
}

/// Repositories of any registries, and layouts.
impl<'a> ReferrerOrigins for ContentAccess<'a> {
    type Origin = ContentOrigin<'a>;

    fn server<'o>(&self, origin: &'o ContentOrigin<'a>) -> &'o str {
        match origin {
            ContentOrigin::Repository(repository) => repository.domain(),
            ContentOrigin::Layout(layout) => layout.name_as_typed(),
        }
    }

    fn display_name(&self, origin: &ContentOrigin<'a>, name: &ManifestName) -> String {
        manifest_name_in(origin, matches!(origin, ContentOrigin::Repository(_)), name)
    }

    fn with_source<T>(&self, origin: &ContentOrigin<'a>, read: impl FnOnce(&dyn ContentSource) -> T) -> T {
        match origin {
            ContentOrigin::Repository(repository) => read(&RegistryRepository::new(self.registry, repository)),
            ContentOrigin::Layout(layout) => read(layout.content()),
        }
    }
}

/// One repository or layout: the source of a copy, or what `inspect` reads.
pub(crate) struct SingleOrigin<'a> {
    pub(crate) source: &'a dyn ContentSource,
    /// Its name, for messages.
    pub(crate) name: &'a str,
}

impl ReferrerOrigins for SingleOrigin<'_> {
    type Origin = ();

    fn server<'o>(&self, (): &'o ()) -> &'o str {
        ""
    }

    fn display_name(&self, (): &(), name: &ManifestName) -> String {
        manifest_name_in(&self.name, false, name)
    }

    fn with_source<T>(&self, (): &(), read: impl FnOnce(&dyn ContentSource) -> T) -> T {
        read(self.source)
    }
}

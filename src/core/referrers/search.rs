//! The places where referrers are looked for: repositories and layouts, or one place that images are copied from.

use crate::content::registry::{FetchedManifest, ManifestName};
use crate::content::{ContentError, ContentSource, RegistryRepository};
use crate::core::error::CommandError;
use crate::core::image_source::{ContentAccess, ContentOrigin, shown_in};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::net::RegistryErrorKind;

/// How many referrers a manifest may have.
pub(crate) const REFERRERS_MAX: usize = 1_000;

/// Finds manifests and what refers to them.
pub(crate) trait ReferrerSearch: Sync {
    /// Where a manifest is.
    type Place: Clone + Ord + Send + Sync;

    /// The server of a place. All places of one server have the referrers API, or none.
    fn server<'p>(&self, place: &'p Self::Place) -> &'p str;

    /// The name of a tag or digest in a place, for messages.
    fn shown(&self, place: &Self::Place, name: &ManifestName) -> String;

    /// Calls `read` with what reads a place.
    fn read<T>(&self, place: &Self::Place, read: impl FnOnce(&dyn ContentSource) -> T) -> T;

    /// What a place lists as referring to a manifest; `None` if it has no such list.
    fn listed(&self, place: &Self::Place, subject: &Digest) -> Result<Option<Vec<Descriptor>>, CommandError> {
        Ok(self.read(place, |source| source.referrers(subject, REFERRERS_MAX))?)
    }

    /// The digest that a tag has; `None` without such a tag.
    fn tagged(&self, place: &Self::Place, tag: &str) -> Result<Option<Digest>, CommandError> {
        Ok(self.read(place, |source| source.tagged(tag))?)
    }

    /// A manifest; `None` if it is not there.
    fn manifest(&self, place: &Self::Place, name: &ManifestName) -> Result<Option<FetchedManifest>, CommandError> {
        match self.read(place, |source| source.manifest(name)) {
            Err(error) if is_missing(&error) => Ok(None),
            fetched => Ok(fetched.map(Some)?),
        }
    }
}

/// Repositories of any registries, and layouts.
impl<'a> ReferrerSearch for ContentAccess<'a> {
    type Place = ContentOrigin<'a>;

    fn server<'p>(&self, place: &'p ContentOrigin<'a>) -> &'p str {
        match place {
            ContentOrigin::Repository(repository) => repository.domain(),
            ContentOrigin::Layout(layout) => layout.shown(),
        }
    }

    fn shown(&self, place: &ContentOrigin<'a>, name: &ManifestName) -> String {
        shown_in(place, matches!(place, ContentOrigin::Repository(_)), name)
    }

    fn read<T>(&self, place: &ContentOrigin<'a>, read: impl FnOnce(&dyn ContentSource) -> T) -> T {
        match place {
            ContentOrigin::Repository(repository) => read(&RegistryRepository::new(self.registry, repository)),
            ContentOrigin::Layout(layout) => read(layout.content()),
        }
    }
}

/// One place that images are copied from.
pub(crate) struct SourceSearch<'a> {
    pub(crate) source: &'a dyn ContentSource,
    /// Its name, for messages.
    pub(crate) name: &'a str,
}

impl ReferrerSearch for SourceSearch<'_> {
    type Place = ();

    fn server<'p>(&self, (): &'p ()) -> &'p str {
        ""
    }

    fn shown(&self, (): &(), name: &ManifestName) -> String {
        shown_in(&self.name, false, name)
    }

    fn read<T>(&self, (): &(), read: impl FnOnce(&dyn ContentSource) -> T) -> T {
        read(self.source)
    }
}

fn is_missing(error: &ContentError) -> bool {
    match error {
        ContentError::Registry(error) => error.kind == RegistryErrorKind::NotFound,
        ContentError::Layout(error) => error.is_missing(),
        ContentError::Reference(_) => false,
    }
}

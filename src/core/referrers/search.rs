//! The places where referrers are looked for: repositories and layouts, or one place that images are copied from.

use crate::content::registry::{FetchedManifest, ManifestName};
use crate::content::{ContentError, ContentSource};
use crate::core::error::CommandError;
use crate::core::image_source::{ContentAccess, ContentOrigin};
use crate::core::layouts::OpenLayout;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::net::RegistryErrorKind;
use crate::reference::{Reference, Repository};

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

    /// What a place lists as referring to a manifest; `None` if it has no such list.
    fn listed(&self, place: &Self::Place, subject: &Digest) -> Result<Option<Vec<Descriptor>>, CommandError>;

    /// The digest that a tag has; `None` without such a tag.
    fn tagged(&self, place: &Self::Place, tag: &str) -> Result<Option<Digest>, CommandError>;

    /// A manifest; `None` if it is not there.
    fn manifest(&self, place: &Self::Place, name: &ManifestName) -> Result<Option<FetchedManifest>, CommandError>;
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
        match place {
            ContentOrigin::Repository(repository) => {
                reference(repository, name).map_or_else(|| repository.to_string(), |reference| reference.to_string())
            }
            ContentOrigin::Layout(layout) => in_layout(layout).shown(&(), name),
        }
    }

    fn listed(&self, place: &ContentOrigin<'a>, subject: &Digest) -> Result<Option<Vec<Descriptor>>, CommandError> {
        match place {
            ContentOrigin::Repository(repository) => {
                Ok(self.registry.referrer_descriptors(repository, subject, REFERRERS_MAX)?)
            }
            ContentOrigin::Layout(layout) => in_layout(layout).listed(&(), subject),
        }
    }

    fn tagged(&self, place: &ContentOrigin<'a>, tag: &str) -> Result<Option<Digest>, CommandError> {
        match place {
            ContentOrigin::Repository(repository) => {
                Ok(self.registry.has_manifest(repository, &ManifestName::Tag(tag.to_owned()))?)
            }
            ContentOrigin::Layout(layout) => in_layout(layout).tagged(&(), tag),
        }
    }

    fn manifest(
        &self,
        place: &ContentOrigin<'a>,
        name: &ManifestName,
    ) -> Result<Option<FetchedManifest>, CommandError> {
        let repository = match place {
            ContentOrigin::Repository(repository) => repository,
            ContentOrigin::Layout(layout) => return in_layout(layout).manifest(&(), name),
        };
        let Some(reference) = reference(repository, name) else { return Ok(None) };
        match self.registry.manifest(&reference) {
            Ok(fetched) => Ok(Some(fetched)),
            Err(error) if error.kind == RegistryErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn in_layout(layout: &OpenLayout) -> SourceSearch<'_> {
    SourceSearch { source: layout, name: layout.shown() }
}

fn reference(place: &Repository, name: &ManifestName) -> Option<Reference> {
    match name {
        ManifestName::Tag(tag) => place.at_tag(tag).ok(),
        ManifestName::Digest(digest) => Some(place.at_digest(digest)),
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
        match name {
            ManifestName::Tag(tag) => format!("{tag} in {}", self.name),
            ManifestName::Digest(digest) => format!("{digest} in {}", self.name),
        }
    }

    fn listed(&self, (): &(), subject: &Digest) -> Result<Option<Vec<Descriptor>>, CommandError> {
        Ok(self.source.referrers(subject, REFERRERS_MAX)?)
    }

    fn tagged(&self, (): &(), tag: &str) -> Result<Option<Digest>, CommandError> {
        Ok(self.source.tagged(tag)?)
    }

    fn manifest(&self, (): &(), name: &ManifestName) -> Result<Option<FetchedManifest>, CommandError> {
        match self.source.manifest(name) {
            Ok(fetched) => Ok(Some(fetched)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_missing(error: &ContentError) -> bool {
    match error {
        ContentError::Registry(error) => error.kind == RegistryErrorKind::NotFound,
        ContentError::Layout(error) => error.is_missing(),
        ContentError::Reference(_) => false,
    }
}

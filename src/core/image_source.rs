//! An image together with the repository or the layout that it is read from.

use std::fmt;
use std::sync::Arc;

use crate::auth::Access;
use crate::content::registry::{FetchedManifest, ManifestName, RegistryClient};
use crate::content::{ContentError, ContentSource, LayoutError, RegistryRepository};
use crate::core::open_layouts::{Layouts, OpenLayout};
use crate::digest::Digest;
use crate::location::{LayoutReference, Location};
use crate::model::descriptor::Descriptor;
use crate::reference::{Reference, Repository};

/// What a command reads images from.
#[derive(Clone, Copy)]
pub(crate) struct ContentAccess<'a> {
    /// The client.
    pub(crate) registry: &'a RegistryClient,
    /// The layouts that are open.
    pub(crate) layouts: &'a Layouts,
}

/// A manifest, and the registry client or the layout that reads it.
#[derive(Clone)]
pub(crate) enum ImageSource<'a> {
    /// In a registry.
    Registry { registry: &'a RegistryClient, reference: Reference },
    /// In a layout: the name in the layout, and the digest that it selects.
    Layout { layout: Arc<OpenLayout>, name: LayoutReference, digest: Digest },
}

/// Where content of a list comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ContentOrigin<'a> {
    /// A repository.
    Repository(&'a Repository),
    /// A layout.
    Layout(Arc<OpenLayout>),
}

impl<'a> ContentOrigin<'a> {
    /// The origin of a manifest: the layout that it was read from, else `repository`, where its entry says it is.
    pub(crate) fn find(repository: &'a Repository, digest: &Digest, layouts: &Layouts) -> ContentOrigin<'a> {
        layouts.find_by_manifest(digest).map_or(ContentOrigin::Repository(repository), ContentOrigin::Layout)
    }

    /// Whether it is this repository.
    pub(crate) fn is_in(&self, repository: &Repository) -> bool {
        matches!(self, ContentOrigin::Repository(known) if *known == repository)
    }

    /// Whether it is in the registry of this repository.
    pub(crate) fn is_in_registry_of(&self, target: &Repository) -> bool {
        matches!(self, ContentOrigin::Repository(known) if known.domain() == target.domain())
    }
}

/// As the user named it.
impl fmt::Display for ContentOrigin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContentOrigin::Repository(repository) => repository.fmt(f),
            ContentOrigin::Layout(layout) => layout.fmt(f),
        }
    }
}

/// A manifest of a repository or a layout, as messages name it.
pub(crate) fn manifest_name_in(source: &dyn fmt::Display, is_repository: bool, name: &ManifestName) -> String {
    match (name, is_repository) {
        (ManifestName::Tag(tag), true) => format!("{source}:{tag}"),
        (ManifestName::Digest(digest), true) => format!("{source}@{digest}"),
        (ManifestName::Tag(tag), false) => format!("{tag} in {source}"),
        (ManifestName::Digest(digest), false) => format!("{digest} in {source}"),
    }
}

impl<'a> ImageSource<'a> {
    /// An image in a registry. No request.
    pub(crate) fn in_registry(registry: &'a RegistryClient, reference: &Reference) -> ImageSource<'a> {
        ImageSource::Registry { registry, reference: reference.clone() }
    }

    /// An image anywhere. Opens its layout, and sends no request.
    ///
    /// # Errors
    /// A layout that cannot be opened, or that does not have the image.
    pub(crate) fn open(content_access: ContentAccess<'a>, location: &Location) -> Result<ImageSource<'a>, LayoutError> {
        match location {
            Location::Registry(reference) => Ok(ImageSource::in_registry(content_access.registry, reference)),
            Location::Layout(name) => {
                let layout = content_access.layouts.open(name)?;
                let digest = layout.select(name)?;
                Ok(ImageSource::Layout { layout, name: name.clone(), digest })
            }
        }
    }

    /// The manifest with this digest in the same repository or layout.
    pub(crate) fn at_digest(&self, digest: &Digest) -> ImageSource<'a> {
        match self {
            ImageSource::Registry { registry, reference } => {
                ImageSource::Registry { registry, reference: reference.repository().at_digest(digest) }
            }
            ImageSource::Layout { layout, name, .. } => {
                let (layout, name) = (Arc::clone(layout), name.at_digest(digest));
                ImageSource::Layout { layout, name, digest: digest.clone() }
            }
        }
    }

    /// Its name, as the user wrote it.
    pub(crate) fn location(&self) -> Location {
        match self {
            ImageSource::Registry { reference, .. } => Location::Registry(reference.clone()),
            ImageSource::Layout { name, .. } => Location::Layout(name.clone()),
        }
    }

    /// The reference that its manifest has in a list of `list_repository`: its own in a registry. A
    /// manifest of a layout has none before it is published; then it is in that repository.
    pub(crate) fn reference_in(&self, list_repository: Option<&Repository>) -> Option<Reference> {
        match self {
            ImageSource::Registry { reference, .. } => Some(reference.clone()),
            ImageSource::Layout { digest, .. } => list_repository.map(|repository| repository.at_digest(digest)),
        }
    }

    /// The repository or the layout that it is in.
    pub(crate) fn origin(&self) -> ContentOrigin<'_> {
        match self {
            ImageSource::Registry { reference, .. } => ContentOrigin::Repository(reference.repository()),
            ImageSource::Layout { layout, .. } => ContentOrigin::Layout(Arc::clone(layout)),
        }
    }

    /// Whether it is in a layout.
    pub(crate) fn is_layout(&self) -> bool {
        matches!(self, ImageSource::Layout { .. })
    }

    /// Records that it will be read, if it is in a registry. See [`RegistryClient::expect_access`].
    pub(crate) fn expect_pull(&self) {
        if let ImageSource::Registry { registry, reference } = self {
            registry.expect_access(reference.repository(), Access::Pull);
        }
    }

    /// The manifest, verified. One request in a registry.
    ///
    /// # Errors
    /// Those of [`ContentSource::manifest`].
    pub(crate) fn manifest(&self) -> Result<FetchedManifest, ContentError> {
        match self {
            // By its digest if it has one, and as it is named in messages.
            ImageSource::Registry { registry, reference } => Ok(registry.manifest(reference)?),
            ImageSource::Layout { layout, digest, .. } => {
                let fetched = layout.content().manifest(&ManifestName::Digest(digest.clone()))?;
                layout.record_read(digest);
                Ok(fetched)
            }
        }
    }

    /// Whether the manifest of this descriptor is in the same repository or layout.
    ///
    /// # Errors
    /// Those of [`ContentSource::has_manifest`].
    pub(crate) fn serves(&self, manifest: &Descriptor) -> Result<bool, ContentError> {
        self.with_source(|content| content.has_manifest(manifest))
    }

    /// Calls `read` with what reads the repository or the layout.
    pub(crate) fn with_source<T>(&self, read: impl FnOnce(&dyn ContentSource) -> T) -> T {
        match self {
            ImageSource::Registry { registry, reference } => {
                read(&RegistryRepository::new(registry, reference.repository()))
            }
            ImageSource::Layout { layout, .. } => read(layout.content()),
        }
    }
}

/// As in [`ImageSource::location`].
impl fmt::Display for ImageSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageSource::Registry { reference, .. } => reference.fmt(f),
            ImageSource::Layout { name, .. } => name.fmt(f),
        }
    }
}

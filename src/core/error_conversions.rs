//! The errors of other modules as a [`CommandError`]. Most are boxed, because they are large.

use std::fmt;

use crate::content::{ContentError, LayoutError};
use crate::core::blob_error::BlobError;
use crate::core::error::CommandError;
use crate::core::file_error::FileError;
use crate::core::list_conflict::ListConflict;
use crate::core::missing_child::MissingChild;
use crate::core::shared_draft_error::SharedDraftError;
use crate::drafts::docker_dir::StoreError;
use crate::drafts::registry::SharedStoreError;
use crate::model::DocumentError;
use crate::model::spec::SpecError;
use crate::net::RegistryError;

macro_rules! boxed {
    ($($error:ty => $variant:ident),* $(,)?) => {
        $(impl From<$error> for CommandError {
            fn from(error: $error) -> CommandError {
                CommandError::$variant(Box::new(error))
            }
        })*
    };
}

boxed! {
    LayoutError => Layout,
    SpecError => Spec,
    StoreError => Store,
    RegistryError => Registry,
    DocumentError => InvalidDraft,
    MissingChild => MissingChild,
    BlobError => Blob,
    FileError => File,
    ListConflict => Conflict,
    SharedDraftError => SharedDraft,
}

impl From<ContentError> for CommandError {
    fn from(error: ContentError) -> CommandError {
        match error {
            ContentError::Registry(error) => error.into(),
            ContentError::Layout(error) => error.into(),
            ContentError::Reference(error) => error.into(),
        }
    }
}

impl From<SharedStoreError> for CommandError {
    fn from(error: SharedStoreError) -> CommandError {
        match error {
            SharedStoreError::Registry(source) => CommandError::Registry(source),
            other => CommandError::from(SharedDraftError::from(other)),
        }
    }
}

impl CommandError {
    /// For `map_err`: content that a registry serves under this name, and that is not the expected document.
    pub(crate) fn invalid_document<'n>(
        name: &'n (impl fmt::Display + ?Sized),
    ) -> impl Fn(DocumentError) -> CommandError + Copy + 'n {
        move |source| CommandError::InvalidDocument { reference: name.to_string(), source }
    }

    /// The failure that no image for a platform is in `sources`.
    pub(crate) fn no_such_platform(
        platform: &str,
        sources: &dyn fmt::Display,
        available: impl IntoIterator<Item = String>,
    ) -> CommandError {
        let (platform, sources) = (platform.to_owned(), sources.to_string());
        CommandError::NoSuchPlatform { platform, sources, available: available.into_iter().collect() }
    }

    /// The failure of a manifest that was put under this name.
    pub(crate) fn put(reference: &dyn fmt::Display, media_type: &str, source: RegistryError) -> CommandError {
        let (reference, media_type) = (reference.to_string(), media_type.to_owned());
        CommandError::Put { reference, media_type, source: Box::new(source) }
    }
}

//! Makes a draft from sources, or adds sources to an existing draft.

use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::image_filters::SourceFilter;
use crate::core::image_source::ContentAccess;
use crate::core::open_layouts::Layouts;
use crate::core::resolve::amend;
use crate::core::resolve::list_order;
use crate::core::resolve::previous_entries::{PreviousDescriptors, SourceChange};
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::resolve::resolver::{FetchEvent, Resolver};
use crate::model::Draft;
use crate::reference::Reference;

/// The contents of a new draft.
pub(crate) struct DraftSources<'a> {
    /// Which parts of the sources are used.
    pub(crate) filter: &'a SourceFilter,
    /// The sources, in the order of the command line.
    pub(crate) sources: &'a [ResolvedSource],
    /// The sources' previous descriptions.
    pub(crate) previous: &'a PreviousDescriptors,
}

impl DraftSources<'_> {
    /// The draft, and the sources that moved since `before` was made.
    pub(crate) fn build(&self, list: &Reference, before: Option<&Draft>) -> (Draft, Vec<SourceChange>) {
        let mut draft = before.cloned().unwrap_or_else(|| self.without_entries(list));
        let mut source_changes = Vec::new();
        for source in self.sources {
            source_changes.extend(amend::merge(&mut draft, source, self.filter, self.previous));
            if source.reference == *list && list.tag().is_some() {
                draft.remote_digest = Some(source.digest.clone());
            }
        }
        if before.is_none() {
            list_order::set_source_order(&mut draft, self.sources);
        }
        (draft, source_changes)
    }

    /// A new draft. If it is made from one index, or from the index that it replaces, it takes over that index's own
    /// media type, annotations and subject.
    fn without_entries(&self, list: &Reference) -> Draft {
        let mut draft = Draft::new(list.clone());
        let replaced = self.sources.iter().find(|source| source.reference == *list);
        let sole_source = self.sources.first().filter(|_| self.sources.len() == 1);
        if let Some(ResolvedSource { index: Some(index), source_index, .. }) = sole_source.or(replaced) {
            draft.annotations.clone_from(&index.annotations);
            draft.artifact_type.clone_from(&index.artifact_type);
            draft.subject.clone_from(&index.subject);
            draft.source.clone_from(source_index);
        }
        draft
    }
}

/// A draft of a published list: all of it, so that it is published as the same bytes where nothing is changed.
///
/// # Errors
/// [`CommandError::NoSuchList`]; [`CommandError::NotAList`] for a tag of one image; other errors of the registry.
pub(crate) fn fetch_published(
    registry: &RegistryClient,
    list: &Reference,
    progress: &(dyn Fn(FetchEvent<'_>) + Sync),
) -> Result<Draft, CommandError> {
    let (filter, targets) = (SourceFilter::default(), vec![list.repository()]);
    let content_access = ContentAccess { registry, layouts: &Layouts::default() };
    let (filter, existing, concurrent_task) = (&filter, None, None);
    let resolver = Resolver { content_access, filter, existing, targets, concurrent_task, progress };
    let sources = resolver.resolve(&[&Ok(list.clone().into())], &[]).map_err(|error| match error {
        CommandError::NoSuchManifest { source, .. } => {
            let may_be_hidden = !registry.may_have_login(list.repository());
            CommandError::NoSuchList { list: list.to_string(), may_be_hidden, source }
        }
        error => error,
    })?;
    if sources.iter().any(|source| source.index.is_none()) {
        return Err(CommandError::NotAList(list.to_string()));
    }
    let previous = PreviousDescriptors::default();
    Ok(DraftSources { filter, sources: &sources, previous: &previous }.build(list, None).0)
}

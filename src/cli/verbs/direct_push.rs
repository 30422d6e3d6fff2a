//! `--push` of `create`, `add`, `remove` and `annotate`: publishes the list in the same step, without a draft.

use crate::cli::args::{NetworkFlags, PublishFlags};
use crate::cli::context::Context;
use crate::cli::verbs::publish_and_report::{self, DraftOrigin, publish_and_report};
use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::image_source::ContentAccess;
use crate::core::list_conflict::ListConflict;
use crate::core::requirements;
use crate::core::resolve::new_draft;
use crate::core::spec_origin::SpecOrigin;
use crate::drafts::DraftStore;
use crate::model::Draft;
use crate::reference::Reference;

/// Changes a published list by `change`, which gets the list as a draft.
///
/// # Errors
/// [`ListConflict`]; errors of the registry; those of [`fn@publish_and_report`].
pub(crate) fn change_published(
    context: &Context,
    network: &NetworkFlags,
    flags: &PublishFlags,
    list: &Reference,
    change: impl FnOnce(ContentAccess<'_>, &Draft) -> Result<Draft, CommandError>,
) -> Result<(), CommandError> {
    if list.digest().is_some() {
        return Err(ListConflict::NamedByDigest { list: list.to_string() }.into());
    }
    if context.store_with_timeout(network.timeout)?.load(list)?.is_some() {
        return Err(ListConflict::DraftExists { list: list.to_string() }.into());
    }
    let registry = context.registry_client(network, list.repository())?;
    expect_repositories(&registry, list, flags);
    let access = context.content_access(&registry);
    let published = new_draft::fetch_published(&registry, list, &context.fetch_progress())?;
    let draft = change(access, &published)?;
    if draft.is_empty() {
        return Err(CommandError::AllImagesRemoved(list.to_string()));
    }
    requirements::check(&draft, &flags.requirements(SpecOrigin::Images))?;
    publish_and_print(context, access, &draft, flags, DraftOrigin::Published)
}

/// Records the access to all repositories of a push, so that one token serves the whole command.
pub(crate) fn expect_repositories(registry: &RegistryClient, list: &Reference, flags: &PublishFlags) {
    let further = flags.tags.iter().filter_map(|tag| tag.reference());
    for reference in std::iter::once(list).chain(further) {
        registry.expect_access(reference.repository(), flags.repository_access());
    }
}

/// Publishes a list, and prints the result as `push` does.
///
/// # Errors
/// Those of [`fn@publish_and_report`].
pub(crate) fn publish_and_print(
    context: &Context,
    content_access: ContentAccess<'_>,
    draft: &Draft,
    flags: &PublishFlags,
    origin: DraftOrigin,
) -> Result<(), CommandError> {
    let print = |published: &_| publish_and_report::print_result(context, published, flags);
    let published = publish_and_report(context, content_access, draft, flags, flags.options(), origin, print)?;
    publish_and_report::print_tags_and_warnings(context, std::slice::from_ref(&published), flags);
    Ok(())
}

//! `apply`: publishes the lists that specs describe, without a draft in between. `core::apply` builds them.

use std::time::Duration;

use crate::cli::args::{Apply, PublishFlags, PublishFormat, TagArg};
use crate::cli::context::Context;
use crate::cli::spec_files;
use crate::cli::verbs::publish_and_report::{self, DraftOrigin, publish_and_report};
use crate::core::apply::{ApplyRequest, BuiltList};
use crate::core::error::CommandError;
use crate::core::error_parts::PartialResult;
use crate::core::image_source::ContentAccess;
use crate::core::list_names::{ListNaming, UntaggedTarget};
use crate::core::push::outcome::PushOutcome;
use crate::core::spec_origin::SpecOrigin;
use crate::drafts::DraftStore;
use crate::model::Draft;
use crate::model::spec::Spec;
use crate::reference::Reference;

pub(crate) fn run(context: &Context, args: &Apply) -> Result<(), CommandError> {
    let (origin, mut specs) = match args.file.is_empty() {
        true => (SpecOrigin::Flags, spec_files::from_flags(args)?),
        false => (SpecOrigin::File, spec_files::read_all(context, &args.file)?),
    };
    specs.iter_mut().for_each(|spec| spec_files::apply_flags(spec, args));
    let build_outputs = spec_files::add_build_outputs(context, &args.build_outputs, &args.build_targets, &mut specs)?;
    let flags = &args.publish;
    let request = ApplyRequest {
        naming: ListNaming {
            specs: &specs,
            further_names: flags.tags.iter().filter_map(TagArg::reference).collect(),
            untagged: UntaggedTarget::LatestUnlessTagged,
        },
        build_outputs: &build_outputs,
        options: flags.options(),
        is_to_layout: flags.to.is_some(),
        edits: args.list_flags.edits()?,
        ignore_missing: args.ignore_missing,
        stores_drafts: args.stores_drafts,
        origin,
        warn: &|warning| context.streams.warning(warning),
        progress: &context.fetch_progress(),
    };
    let lists = lists_to_build(&request.naming, flags)?;
    let registry = context.registry_client(&args.network, lists.first().map(|(_, target)| target.repository()))?;
    let access = context.content_access(&registry);
    let lists = request.build(access, &lists)?;
    let is_json = flags.format == Some(PublishFormat::Json);
    let github = publish_and_report::open_github_files(context, flags)?;
    let mut outcomes = Vec::new();
    // The files of GitHub Actions are written once, for all lists.
    let list_flags =
        PublishFlags { format: flags.format.filter(|format| *format != PublishFormat::Github), ..flags.clone() };
    let result = publish_and_store_all(context, access, &lists, &list_flags, args.network.timeout, |outcome| {
        outcomes.push(outcome.clone());
        if is_json { Ok(()) } else { publish_and_report::print_result(context, outcome, flags) }
    });
    // Published lists are printed, even if another list failed.
    let shown = if is_json && !outcomes.is_empty() { context.streams.json(&outcomes) } else { Ok(()) };
    let files = github.filter(|_| !outcomes.is_empty());
    let appended = files.map_or(Ok(()), |mut files| files.append(&outcomes, &outcomes));
    let reported =
        CommandError::collect([shown.map_err(CommandError::from), appended]).map_err(|error| match flags.dry_run {
            true => error,
            false => publish_and_report::pushed_but_not_reported(&outcomes, error),
        });
    CommandError::collect([result, reported.map(drop)])?;
    publish_and_report::print_tags_and_warnings(context, &outcomes, flags);
    Ok(())
}

/// The lists to build, each with its spec.
///
/// # Errors
/// Those of [`ListNaming::checked_lists`]; one layout name or result file for several lists.
pub(crate) fn lists_to_build<'a>(
    names: &ListNaming<'a>,
    flags: &PublishFlags,
) -> Result<Vec<(&'a Spec, &'a Reference)>, CommandError> {
    let lists = names.checked_lists()?;
    if let Some(to) = &flags.to {
        names.check_layout(to, lists.len())?;
    }
    let files = [("--digest-file", &flags.digest_file), ("--metadata-file", &flags.metadata_file)];
    match files.iter().find(|(_, file)| file.is_some()) {
        Some((flag, _)) if lists.len() > 1 => Err(CommandError::OneListOnly { flag, number: lists.len() }),
        _ => Ok(lists),
    }
}

/// Publishes lists one after the other and prints each result. `timeout` limits the wait for the lock of a draft.
///
/// # Errors
/// The first failure. If there are several lists, it names those that were published and those that were not.
pub(crate) fn publish_and_store_all(
    context: &Context,
    content_access: ContentAccess<'_>,
    lists: &[BuiltList],
    flags: &PublishFlags,
    timeout: Option<Duration>,
    mut report: impl FnMut(&PushOutcome) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    for (number, list) in lists.iter().enumerate() {
        let options = list.options.clone();
        let published = publish_and_report(
            context,
            content_access,
            &list.draft,
            flags,
            options,
            DraftOrigin::StoreOrSpec,
            |outcome| {
                let reported = report(outcome);
                // A draft is kept even if its result cannot be printed.
                let kept = list.draft_to_store.as_ref().map_or(Ok(()), |draft| store_draft(context, draft, timeout));
                reported.and(kept)
            },
        );
        let Err(error) = published else { continue };
        if lists.len() == 1 {
            return Err(error);
        }
        let is_pushed = matches!(error, CommandError::Partial { done: PartialResult::PushedButNotReported { .. }, .. });
        let (published, unpublished) = lists.split_at_checked(number + usize::from(is_pushed)).unwrap_or((lists, &[]));
        let names = |lists: &[BuiltList]| lists.iter().map(|list| list.draft.reference.to_string()).collect();
        let done = PartialResult::Batch { published: names(published), remaining: names(unpublished) };
        return Err(CommandError::Partial { error: Box::new(error), done });
    }
    Ok(())
}

/// Stores a list as a draft. A draft of the same name is replaced, even if it cannot be read.
fn store_draft(context: &Context, draft: &Draft, timeout: Option<Duration>) -> Result<(), CommandError> {
    let store = context.store_with_timeout(timeout)?;
    let is_other = match store.load(&draft.reference) {
        Ok(existing) => existing.is_some_and(|existing| existing != *draft),
        Err(_) => true,
    };
    store.replace(draft, &context.wait_notice())?;
    if is_other {
        context.streams.message(format_args!("the draft {} is replaced", draft.reference));
    }
    Ok(())
}

//! `push`: publishes a draft and, with `--purge`, deletes it.

use crate::cli::args::Push;
use crate::cli::context::Context;
use crate::cli::verbs::publish_and_report::{self, DraftOrigin, publish_and_report};
use crate::core::error::CommandError;
use crate::core::push::outcome::PushOutcome;
use crate::digest::Digest;
use crate::drafts::DraftStore;
use crate::model::Draft;
use crate::reference::Reference;

pub(crate) fn run(context: &Context, args: &Push) -> Result<(), CommandError> {
    let target = args.list.reference()?;
    let mut draft =
        context.store().load(target)?.ok_or_else(|| CommandError::NoSuchDraftOrImage(target.to_string()))?;
    let registry = context.registry_client(&args.network, target.repository())?;
    let print = |published: &PushOutcome| publish_and_report::print_result(context, published, &args.publish);
    let access = context.content_access(&registry);
    let edits = args.list_flags.edits()?;
    let subject = edits.fetch_subject(&registry, target)?;
    // The flags change only what is published, not the draft that is stored.
    let stored = (!edits.is_empty()).then(|| draft.clone());
    edits.apply(subject.as_ref(), &mut draft)?;
    let options = args.publish.options();
    let published =
        publish_and_report(context, access, &draft, &args.publish, options, DraftOrigin::StoreOrSpec, print)?;
    if args.purge && !published.dry_run {
        let purged = delete_pushed_draft(context, args, target, stored.as_ref().unwrap_or(&draft));
        purged.map_err(|error| publish_and_report::pushed_but_not_reported(std::slice::from_ref(&published), error))?;
    } else if !published.dry_run && !args.publish.by_digest && args.publish.to.is_none() {
        store_remote_digest(context, args, target, &published);
    }
    publish_and_report::print_tags_and_warnings(context, std::slice::from_ref(&published), &args.publish);
    Ok(())
}

/// Stores the digest that the list's tag names now. The list is published, so a failure is only a warning.
fn store_remote_digest(context: &Context, args: &Push, target: &Reference, published: &PushOutcome) {
    let Some(digest) = target.tag().and_then(|_| published.digest.parse::<Digest>().ok()) else { return };
    let change = |stored: Option<&Draft>| {
        let mut draft = stored.cloned();
        draft.iter_mut().for_each(|draft| draft.remote_digest = Some(digest.clone()));
        Ok::<_, CommandError>(draft)
    };
    let store = context.store_with_timeout(args.network.timeout);
    let written = store.and_then(|store| store.change(target, &context.wait_notice(), change));
    if let Err(error) = written {
        context.streams.message(format_args!("{target} is published, but the draft could not be updated: {error}"));
    }
}

/// Deletes the draft that was pushed. A draft that another process has changed since then stays.
fn delete_pushed_draft(context: &Context, args: &Push, target: &Reference, pushed: &Draft) -> Result<(), CommandError> {
    let mut changed = false;
    context.store_with_timeout(args.network.timeout)?.change(target, &context.wait_notice(), |stored| {
        changed = stored.is_some_and(|draft| draft != pushed);
        Ok::<_, CommandError>(stored.filter(|_| changed).cloned())
    })?;
    if changed {
        context.streams.message(format_args!("{target} was changed while it was being pushed, so it is not removed"));
    }
    Ok(())
}

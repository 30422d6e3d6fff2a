//! `rm`: deletes drafts. Every existing draft is deleted, and every missing one is reported.

use crate::cli::args::{RefArg, Rm};
use crate::cli::context::Context;
use crate::core::error::CommandError;
use crate::drafts::DraftStore;
use crate::drafts::docker_dir::{DockerManifestStore, StoredName};

pub(crate) fn run(context: &Context, args: &Rm) -> Result<(), CommandError> {
    let store = context.store_with_timeout(args.timeout)?;
    if !args.all {
        return CommandError::collect(args.lists.iter().map(|list| remove(context, &store, list))).map(drop);
    }
    // A draft that another process has deleted meanwhile counts as deleted.
    let remove = |name: &StoredName| Ok(store.remove_stored(name, None, &context.wait_notice())?);
    let removed = CommandError::collect(store.stored_names()?.iter().map(remove));
    remove_leftovers(context, &store);
    removed.map(drop)
}

fn remove(context: &Context, store: &DockerManifestStore, list: &RefArg) -> Result<(), CommandError> {
    let list = list.reference()?;
    let is_removed = store.remove(list, &context.wait_notice())?;
    if is_removed { Ok(()) } else { Err(CommandError::NoSuchDraftOrImage(list.to_string())) }
}

/// Deletes what killed processes left. A failure is only a warning, because the drafts are deleted.
pub(crate) fn remove_leftovers(context: &Context, store: &DockerManifestStore) {
    if let Err(error) = store.sweep() {
        context.streams.warning(error);
    }
}

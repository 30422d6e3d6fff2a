//! `rm`: deletes drafts. Every existing draft is deleted, and every missing one is reported.

use crate::cli::args::{RefArg, Rm};
use crate::cli::context::Context;
use crate::core::error::CommandError;
use crate::drafts::DraftStore;
use crate::drafts::docker_dir::{DockerDir, StoredName};

pub(crate) fn run(context: &Context, args: &Rm) -> Result<(), CommandError> {
    let store = context.store_within(args.timeout)?;
    let failures: Vec<CommandError> = if args.all {
        let failures = store.names()?.iter().filter_map(|name| remove_stored(context, &store, name).err()).collect();
        sweep(context, &store);
        failures
    } else {
        args.lists.iter().filter_map(|list| remove(context, &store, list).err()).collect()
    };
    if failures.is_empty() { Ok(()) } else { Err(CommandError::of(failures)) }
}

fn remove(context: &Context, store: &DockerDir, list: &RefArg) -> Result<(), CommandError> {
    let list = list.reference()?;
    let is_removed = store.remove(list, &context.notice())?;
    if is_removed { Ok(()) } else { Err(CommandError::NotStored(list.to_string())) }
}

/// Deletes what killed processes left. A failure is only a warning, because the drafts are deleted.
pub(crate) fn sweep(context: &Context, store: &DockerDir) {
    if let Err(error) = store.sweep() {
        context.streams.note(format_args!("warning: {error}"));
    }
}

/// Deletes one draft. A draft that another process has deleted meanwhile counts as deleted.
fn remove_stored(context: &Context, store: &DockerDir, name: &StoredName) -> Result<(), CommandError> {
    store.remove_stored(name, None, &context.notice())?;
    Ok(())
}

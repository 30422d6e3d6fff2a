//! `rm`: every list that is there goes, and every one that is not is told.

use crate::args::{RefArg, Rm};
use crate::commands::error::CommandError;
use crate::commands::{Context, parsed};
use crate::store::{Store, StoredName};

pub(super) fn run(context: &Context, args: &Rm) -> Result<(), CommandError> {
    let store = context.store();
    let failures: Vec<CommandError> = if args.all {
        store.names()?.iter().filter_map(|name| remove_stored(context, &store, name).err()).collect()
    } else {
        args.lists.iter().filter_map(|list| remove(context, &store, list).err()).collect()
    };
    if failures.is_empty() { Ok(()) } else { Err(CommandError::of(failures)) }
}

fn remove(context: &Context, store: &Store, list: &RefArg) -> Result<(), CommandError> {
    let list = parsed(list)?;
    store.change(list, &context.notice(), |before| match before {
        Some(_) => Ok(None),
        None => Err(CommandError::NotStored(list.to_string())),
    })
}

/// One that somebody else has removed meanwhile is gone all the same.
fn remove_stored(context: &Context, store: &Store, name: &StoredName) -> Result<(), CommandError> {
    store.remove(name, None, &context.notice())?;
    Ok(())
}

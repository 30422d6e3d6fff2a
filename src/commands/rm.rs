//! `rm`: every list that is there goes, and every one that is not is told.

use crate::args::{RefArg, Rm};
use crate::commands::error::CommandError;
use crate::commands::{Context, parsed};

pub(super) fn run(context: &Context, args: &Rm) -> Result<(), CommandError> {
    let failures: Vec<CommandError> = args.lists.iter().filter_map(|list| remove(context, list).err()).collect();
    if failures.is_empty() { Ok(()) } else { Err(CommandError::of(failures)) }
}

fn remove(context: &Context, list: &RefArg) -> Result<(), CommandError> {
    let list = parsed(list)?;
    context.store().change(list, &context.notice(), |before| match before {
        Some(_) => Ok(None),
        None => Err(CommandError::NotStored(list.to_string())),
    })
}

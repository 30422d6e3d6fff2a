//! `exists`: whether there is a draft of that name. It says so by the exit code alone.

use crate::args::Exists;
use crate::commands::error::CommandError;
use crate::commands::{Context, parsed};
use crate::store::StoreError;

pub(super) fn run(context: &Context, args: &Exists) -> Result<bool, CommandError> {
    match context.store().draft(parsed(&args.list)?) {
        // The directory is there, and it is another list's.
        Err(StoreError::NameTaken { .. }) => Ok(false),
        found => Ok(found?.is_some()),
    }
}

//! `exists`: whether there is a draft of that name. It says so by the exit code alone.

use crate::cli::args::Exists;
use crate::cli::context::{Context, parsed};
use crate::core::error::CommandError;
use crate::drafts::docker_dir::StoreError;

pub(crate) fn run(context: &Context, args: &Exists) -> Result<bool, CommandError> {
    match context.store().draft(parsed(&args.list)?) {
        // The directory is there, and it is another list's.
        Err(StoreError::NameTaken { .. }) => Ok(false),
        found => Ok(found?.is_some()),
    }
}

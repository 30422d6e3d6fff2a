//! `exists`: whether there is a draft of that name. The exit code is the only answer.

use crate::cli::args::Exists;
use crate::cli::context::Context;
use crate::core::error::CommandError;
use crate::drafts::DraftStore;
use crate::drafts::docker_dir::StoreError;

pub(crate) fn run(context: &Context, args: &Exists) -> Result<bool, CommandError> {
    match context.store().load(args.list.reference()?) {
        // The directory belongs to another list.
        Err(StoreError::NameTaken { .. }) => Ok(false),
        found => Ok(found?.is_some()),
    }
}

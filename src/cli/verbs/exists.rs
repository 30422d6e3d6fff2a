//! `exists`: whether there is a draft of that name. The exit code is the result.

use crate::cli::args::Exists;
use crate::cli::context::Context;
use crate::core::error::CommandError;

pub(crate) fn run(context: &Context, args: &Exists) -> Result<bool, CommandError> {
    Ok(context.load_draft(args.list.reference()?)?.is_some())
}

//! `remove`: not built yet.

use crate::args::Remove;
use crate::commands::Context;
use crate::commands::error::CommandError;

pub(super) fn run(_context: &Context, _args: &Remove) -> Result<(), CommandError> {
    Err(CommandError::Unbuilt("remove"))
}

//! `prune`: not built yet.

use crate::args::Prune;
use crate::commands::Context;
use crate::commands::error::CommandError;

pub(super) fn run(_context: &Context, _args: &Prune) -> Result<(), CommandError> {
    Err(CommandError::Unbuilt("prune"))
}

//! `ls`: not built yet.

use crate::args::Ls;
use crate::commands::Context;
use crate::commands::error::CommandError;

pub(super) fn run(_context: &Context, _args: &Ls) -> Result<(), CommandError> {
    Err(CommandError::Unbuilt("ls"))
}

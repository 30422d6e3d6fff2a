//! `platforms`: not built yet.

use crate::args::Platforms;
use crate::commands::Context;
use crate::commands::error::CommandError;

pub(super) fn run(_context: &Context, _args: &Platforms) -> Result<(), CommandError> {
    Err(CommandError::Unbuilt("platforms"))
}

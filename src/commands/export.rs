//! `export`: not built yet.

use crate::args::Export;
use crate::commands::Context;
use crate::commands::error::CommandError;

pub(super) fn run(_context: &Context, _args: &Export) -> Result<(), CommandError> {
    Err(CommandError::Unbuilt("export"))
}

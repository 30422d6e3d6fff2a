//! `check`: not built yet.

use crate::args::Check;
use crate::commands::Context;
use crate::commands::error::CommandError;

pub(super) fn run(_context: &Context, _args: &Check) -> Result<(), CommandError> {
    Err(CommandError::Unbuilt("check"))
}

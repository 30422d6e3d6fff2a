//! `apply`: not built yet.

use crate::args::Apply;
use crate::commands::Context;
use crate::commands::error::CommandError;

pub(super) fn run(_context: &Context, _args: &Apply) -> Result<(), CommandError> {
    Err(CommandError::Unbuilt("apply"))
}

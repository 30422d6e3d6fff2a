//! `add`: not built yet.

use crate::args::Add;
use crate::commands::Context;
use crate::commands::error::CommandError;

pub(super) fn run(_context: &Context, _args: &Add) -> Result<(), CommandError> {
    Err(CommandError::Unbuilt("add"))
}

//! `exists`: not built yet.

use crate::args::Exists;
use crate::commands::Context;
use crate::commands::error::CommandError;

pub(super) fn run(_context: &Context, _args: &Exists) -> Result<(), CommandError> {
    Err(CommandError::Unbuilt("exists"))
}

//! `prune`: drafts that nobody has changed for a while go. What cannot be looked at stays and is told, and the rest
//! goes all the same.

use std::time::{Duration, SystemTime};

use crate::args::Prune;
use crate::commands::Context;
use crate::commands::error::CommandError;
use crate::output::human;
use crate::store::{Store, Stored, StoredName};

/// The age from which a draft goes where no other is given; the help text names it.
const AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(super) fn run(context: &Context, args: &Prune) -> Result<(), CommandError> {
    let store = context.store();
    let now = SystemTime::now();
    // An age from before all time is nobody's.
    let limit = now.checked_sub(args.older_than.unwrap_or(AGE));
    let (mut bytes, mut failures) = (0_u64, Vec::new());
    let verb = if args.dry_run { "Would remove" } else { "Removed" };
    for name in store.names()? {
        match limit.map_or(Ok(None), |limit| prune(context, &store, &name, limit, args.dry_run)) {
            Ok(Some(gone)) => {
                bytes = bytes.saturating_add(gone.bytes);
                let age = human::ago(now.duration_since(gone.modified).unwrap_or_default());
                let (list, size) = (&gone.draft.reference, human::size(gone.bytes));
                context.streams.line(format_args!("{verb} {list} (changed {age}, {size})"))?;
            }
            Ok(None) => {}
            Err(failure) => failures.push(failure),
        }
    }
    let total = if args.dry_run { "Total reclaimable space" } else { "Total reclaimed space" };
    context.streams.line(format_args!("{total}: {}", human::size(bytes)))?;
    if failures.is_empty() { Ok(()) } else { Err(CommandError::of(failures)) }
}

/// The draft, if it was last changed before `limit` and is gone now, or would be.
fn prune(
    context: &Context,
    store: &Store,
    name: &StoredName,
    limit: SystemTime,
    is_dry_run: bool,
) -> Result<Option<Stored>, CommandError> {
    let Some(stored) = store.stored(name)?.filter(|stored| stored.modified < limit) else { return Ok(None) };
    let goes = is_dry_run || store.remove(name, Some(limit), &context.notice())?;
    Ok(goes.then_some(stored))
}

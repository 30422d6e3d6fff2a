//! `prune`: deletes drafts that have not changed for a while, readable or not, and files that killed processes left.
//! Drafts in use and directories that are no drafts are reported and stay.

use std::time::{Duration, SystemTime};

use crate::cli::args::Prune;
use crate::cli::context::Context;
use crate::cli::output::human;
use crate::cli::verbs::rm;
use crate::core::error::CommandError;
use crate::drafts::docker_dir::{DockerManifestStore, RemovableDraft, StoreError, StoredName};

/// The default of `--older-than`. The help text states it.
const DEFAULT_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(crate) fn run(context: &Context, args: &Prune) -> Result<(), CommandError> {
    let store = context.store().with_lock_timeout(Some(args.network.timeout.unwrap_or_default()));
    let now = SystemTime::now();
    // An age before the epoch deletes nothing.
    let limit = now.checked_sub(args.older_than.unwrap_or(DEFAULT_AGE));
    let (mut bytes, mut errors) = (0_u64, Vec::<CommandError>::new());
    let verb = if args.dry_run { "Would remove" } else { "Removed" };
    for name in store.stored_names()? {
        match limit.map_or(Ok(None), |limit| prune(context, &store, &name, limit, args.dry_run)) {
            Ok(Some(draft)) => {
                bytes = bytes.saturating_add(draft.bytes);
                let age = human::ago(now.duration_since(draft.modified).unwrap_or_default());
                let (list, size) = (&draft.list, human::size(draft.bytes));
                context.streams.line(format_args!("{verb} {list} (changed {age}, {size})"))?;
            }
            Ok(None) => {}
            Err(StoreError::LockHeld { list, holder, .. }) => {
                let process = holder.map_or(String::new(), |pid| format!(" in process {pid}"));
                context.streams.message(format_args!("skipping {list}: another docker-manifest{process} is using it"));
            }
            Err(error) => errors.push(error.into()),
        }
    }
    if !args.dry_run {
        rm::remove_leftovers(context, &store);
    }
    let total = if args.dry_run { "Total reclaimable space" } else { "Total reclaimed space" };
    context.streams.line(format_args!("{total}: {}", human::size(bytes)))?;
    CommandError::fail_if_any(errors)
}

/// Deletes a draft that was last changed before `limit`. Returns it if it was deleted, or would be.
fn prune(
    context: &Context,
    store: &DockerManifestStore,
    name: &StoredName,
    limit: SystemTime,
    is_dry_run: bool,
) -> Result<Option<RemovableDraft>, StoreError> {
    let Some(old) = store.removable_draft(name)?.filter(|draft| draft.modified < limit) else { return Ok(None) };
    let is_removed = is_dry_run || store.remove_stored(name, Some(limit), &context.wait_notice())?;
    Ok(is_removed.then_some(old))
}

//! The warning that another client has moved the list's tag.

use crate::core::push::index_diff;
use crate::core::push::plan::PushPlan;
use crate::core::push::remote_state::{RemoteState, TagState};
use crate::model::Draft;

/// A line if another client has changed what the list's tag names since the draft was made from it, or pushed.
pub(crate) fn overwritten_warning(draft: &Draft, plan: &PushPlan<'_>, remote: &RemoteState) -> Option<String> {
    let known = draft.remote_digest.as_ref()?;
    let own_tag = remote.own_tag(plan).filter(|(_, state)| **state != TagState::Different(known.clone()));
    let Some((tag, TagState::Different(digest))) = own_tag else {
        return None;
    };
    let after = plan.index().ok()?;
    let removed = index_diff::compare(remote.index().as_ref(), &after).removed;
    let removed: Vec<String> = removed.into_iter().map(|entries| entries.platform).collect();
    let without =
        if removed.is_empty() { String::new() } else { format!("; this list is without {}", removed.join(", ")) };
    Some(format!("{tag} was changed since this draft was made from it or pushed, from {known} to {digest}{without}"))
}

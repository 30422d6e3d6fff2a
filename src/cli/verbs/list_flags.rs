//! The flags of `create`, `push` and `apply` for the list itself: annotations, subject, and whether one image becomes a
//! list.

use crate::cli::args::{ListFlags, RefArg};
use crate::content::registry::Registry;
use crate::core::error::CommandError;
use crate::core::list_edits;
use crate::model::Draft;
use crate::model::descriptor::Descriptor;
use crate::reference::Reference;

/// Requests the subject that the flags name, for a list of this name.
///
/// # Errors
/// An invalid reference, and those of [`list_edits::subject`].
pub(crate) fn subject(
    registry: &Registry,
    list: &Reference,
    typed: Option<&RefArg>,
) -> Result<Option<Descriptor>, CommandError> {
    typed.map(|typed| list_edits::subject(registry, list, typed.reference()?)).transpose()
}

/// Applies the flags to a list.
///
/// # Errors
/// A platform that the list does not have.
pub(crate) fn apply(flags: &ListFlags, subject: Option<&Descriptor>, draft: &mut Draft) -> Result<(), CommandError> {
    list_edits::annotate(draft, &flags.annotations)?;
    if let Some(subject) = subject {
        draft.subject = Some(subject.clone());
    }
    draft.prefers_image = !flags.prefer_index;
    Ok(())
}

/// Whether the flags change the list.
pub(crate) fn change_list(flags: &ListFlags) -> bool {
    flags.subject.is_some() || !flags.annotations.is_empty() || !flags.prefer_index
}

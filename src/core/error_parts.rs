//! Joins the parts of error lines, for [`super::error`].

use crate::net::{Address, RegistryError};

/// Docker's part of the line: the registry's own message if it answered, otherwise what happened.
pub(crate) fn answer(error: &RegistryError) -> String {
    let is_given = error.address().is_some_and(Address::is_given);
    if error.status.is_some() && !is_given { error.detail.clone() } else { error.to_string() }
}

/// `app:1 is incomplete: linux/arm64 is missing; extra: linux/386`.
pub(crate) fn incomplete(list: &str, missing: &[String], extra: &[String]) -> String {
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let missing = (!missing.is_empty()).then(|| format!("{} {verb} missing", missing.join(", ")));
    let state = if missing.is_some() { "is incomplete" } else { "has more than was required" };
    let extra = (!extra.is_empty()).then(|| format!("extra: {}", extra.join(", ")));
    let parts: Vec<String> = missing.into_iter().chain(extra).collect();
    format!("{list} {state}: {}", parts.join("; "))
}

/// One line each.
pub(crate) fn lines(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

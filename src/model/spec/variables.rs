//! Expands `${VAR}` in values. This happens after the YAML is parsed, so no value of a variable changes its structure.

use std::borrow::Cow;

use super::error::SpecErrorKind;

/// The maximum length of an expanded text, in bytes.
const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// A variable that cannot be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VariableError {
    /// The number of its dollar sign among those of the text, counted from 0.
    pub(super) dollar_index: usize,
    pub(super) kind: SpecErrorKind,
}

/// Expands `${VAR}` and `${VAR:-default}`, where the default applies to a variable that is not set or empty, and
/// replaces `$$` by one `$`. A lone `$` stays.
pub(super) fn expand<'t>(text: &'t str, env: &dyn Fn(&str) -> Option<String>) -> Result<Cow<'t, str>, VariableError> {
    let mut dollars = 0;
    let error = |dollar_index, kind| VariableError { dollar_index, kind };
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let length = if after.starts_with('$') {
            expanded.push('$');
            1
        } else if let Some(inner) = after.strip_prefix('{') {
            let inner = inner.split_once('}').map(|(inner, _)| inner);
            let inner = inner.ok_or_else(|| error(dollars, SpecErrorKind::InvalidVariable))?;
            expanded.push_str(&expand_variable(inner, env).map_err(|kind| error(dollars, kind))?);
            "{}".len() + inner.len()
        } else {
            expanded.push('$');
            0
        };
        if expanded.len() > EXPANDED_BYTES_MAX {
            return Err(error(dollars, SpecErrorKind::TooLarge));
        }
        let (taken, remainder) = after.split_at_checked(length).unwrap_or((after, ""));
        dollars += 1 + taken.matches('$').count();
        rest = remainder;
    }
    if dollars == 0 {
        return Ok(Cow::Borrowed(text));
    }
    expanded.push_str(rest);
    Ok(Cow::Owned(expanded))
}

fn expand_variable(inner: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, SpecErrorKind> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    // `${A:-${B}}` would end at the first brace, so it is an error.
    if !is_name(name) || default.is_some_and(|default| default.contains("${")) {
        return Err(SpecErrorKind::InvalidVariable);
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(SpecErrorKind::UnsetVariable(name.to_owned())),
    }
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_expand_as_in_a_shell() {
        let env = |name: &str| match name {
            "A" => Some("a$b${A}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("", Ok("")),
            ("-${A}-", Ok("-a$b${A}-")),
            ("${EMPTY}", Ok("")),
            ("${EMPTY:-x}", Ok("x")),
            ("${NOT:-x:-y $z}", Ok("x:-y $z")),
            ("${NOT:-}", Ok("")),
            ("$$", Ok("$")),
            ("$${A}", Ok("${A}")),
            ("$$$${A}$$${EMPTY}", Ok("$${A}$")),
            ("a$", Ok("a$")),
            ("$A {", Ok("$A {")),
            ("$$ ${NOT}", Err((2, SpecErrorKind::UnsetVariable("NOT".into())))),
            ("${NOT:-$$} ${B}", Err((3, SpecErrorKind::UnsetVariable("B".into())))),
            ("${", Err((0, SpecErrorKind::InvalidVariable))),
            ("${}", Err((0, SpecErrorKind::InvalidVariable))),
            ("${1}", Err((0, SpecErrorKind::InvalidVariable))),
            ("${A-b}", Err((0, SpecErrorKind::InvalidVariable))),
            ("${A:?no}", Err((0, SpecErrorKind::InvalidVariable))),
            ("${NOT:-${A}}", Err((0, SpecErrorKind::InvalidVariable))),
        ] {
            let expected = expected.map_err(|(dollar_index, kind)| VariableError { dollar_index, kind });
            assert_eq!(expand(text, &env).map(Cow::into_owned), expected.map(ToOwned::to_owned), "{text}");
        }
    }
}

//! Expands `${VAR}` in values. The YAML is parsed before, so no value of a variable can change its structure.

use std::borrow::Cow;

use super::error::SpecErrorKind;

/// The maximum length of an expanded text, in bytes.
const LENGTH_MAX: usize = 1 << 20;

/// An error in a text, and the number of the dollar sign that it concerns, counted from 0.
pub(super) type VariableFault = (usize, SpecErrorKind);

/// Expands `${VAR}` and `${VAR:-default}`, where the default applies to a variable that is not set or empty, and
/// replaces `$$` by one `$`. A lone `$` stays.
pub(super) fn filled_in<'t>(
    text: &'t str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, VariableFault> {
    let mut dollars = 0;
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        filled.push_str(before);
        let taken = if behind.starts_with('$') {
            filled.push('$');
            1
        } else if let Some(inner) = behind.strip_prefix('{') {
            let inner = inner.split_once('}').map(|(inner, _)| inner);
            let inner = inner.ok_or((dollars, SpecErrorKind::Variable))?;
            filled.push_str(&value(inner, env).map_err(|kind| (dollars, kind))?);
            "{}".len() + inner.len()
        } else {
            filled.push('$');
            0
        };
        if filled.len() > LENGTH_MAX {
            return Err((dollars, SpecErrorKind::TooLarge));
        }
        let (taken, left) = behind.split_at_checked(taken).unwrap_or((behind, ""));
        dollars += 1 + taken.matches('$').count();
        rest = left;
    }
    if dollars == 0 {
        return Ok(Cow::Borrowed(text));
    }
    filled.push_str(rest);
    Ok(Cow::Owned(filled))
}

fn value(inner: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, SpecErrorKind> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    // `${A:-${B}}` would end at the first brace, so it is an error.
    if !is_name(name) || default.is_some_and(|default| default.contains("${")) {
        return Err(SpecErrorKind::Variable);
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(SpecErrorKind::Unset(name.to_owned())),
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
    fn variables_are_filled_in_as_a_shell_does() {
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
            ("$$ ${NOT}", Err((2, SpecErrorKind::Unset("NOT".into())))),
            ("${NOT:-$$} ${B}", Err((3, SpecErrorKind::Unset("B".into())))),
            ("${", Err((0, SpecErrorKind::Variable))),
            ("${}", Err((0, SpecErrorKind::Variable))),
            ("${1}", Err((0, SpecErrorKind::Variable))),
            ("${A-b}", Err((0, SpecErrorKind::Variable))),
            ("${A:?no}", Err((0, SpecErrorKind::Variable))),
            ("${NOT:-${A}}", Err((0, SpecErrorKind::Variable))),
        ] {
            assert_eq!(filled_in(text, &env).map(Cow::into_owned), expected.map(ToOwned::to_owned), "{text}");
        }
    }
}

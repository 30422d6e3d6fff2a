//! The JSON of `--format json`.
//!
//! Two spaces per level, members in the order of the struct's fields, a newline at the end. Docker's own JSON (Go's
//! escapes, tabs or three spaces) comes from `model::json`.

use std::io;

use serde::Serialize;

use crate::sanitize;

/// The text of `value`, with its newline.
///
/// # Errors
/// A type that has no JSON, such as a map whose keys are no strings. The content of a value never causes one.
pub fn text<T: Serialize + ?Sized>(value: &T) -> io::Result<String> {
    let mut text = sanitize::json(&serde_json::to_string_pretty(value)?);
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Pushed<'a> {
        size: u64,
        digest: &'a str,
        tags: Vec<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<&'a str>,
    }

    #[test]
    fn json_members_have_the_order_of_the_fields() {
        let pushed = Pushed { size: 7, digest: "sha256:ab", tags: vec!["1", "<é>"], note: None };
        let expected =
            "{\n  \"size\": 7,\n  \"digest\": \"sha256:ab\",\n  \"tags\": [\n    \"1\",\n    \"<é>\"\n  ]\n}\n";
        assert_eq!(text(&pushed).unwrap(), expected);
    }

    #[test]
    fn values_without_a_json_form_are_errors() {
        let map = std::collections::BTreeMap::from([(vec![1], 2)]);
        assert!(text(&map).is_err());
    }
}

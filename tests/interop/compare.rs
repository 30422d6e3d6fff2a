//! What a list has lost on its way through a tool.

use serde_json::Value;

/// A name, and what it is about.
type Part = (&'static str, fn(&Value) -> Value);

/// What is compared of a list, in the order in which differences are named.
const COMPARED_PARTS: &[Part] = &[
    ("media type", |list| list["mediaType"].clone()),
    ("artifact type", |list| list["artifactType"].clone()),
    ("annotations", |list| list["annotations"].clone()),
    ("number of entries", |list| entries(list).len().into()),
    ("digests", |list| {
        let mut digests: Vec<String> = entries(list).iter().map(|entry| entry["digest"].to_string()).collect();
        digests.sort();
        digests.into()
    }),
    ("order", |list| of_entries(list, |entry| entry["platform"].clone())),
    ("platforms", |list| {
        let mut platforms: Vec<String> = entries(list).iter().map(|entry| entry["platform"].to_string()).collect();
        platforms.sort();
        platforms.into()
    }),
    ("media types of entries", |list| of_entries(list, |entry| entry["mediaType"].clone())),
    ("annotations of entries", |list| of_entries(list, |entry| entry["annotations"].clone())),
    ("artifact types of entries", |list| of_entries(list, |entry| entry["artifactType"].clone())),
];

/// The names of the parts in which two lists differ; `bytes` alone where only the form does, nothing where the bytes
/// are the same.
pub(super) fn differences(before: &[u8], after: &[u8]) -> Vec<&'static str> {
    if before == after {
        return Vec::new();
    }
    let (before, after) = (parse(before), parse(after));
    let differ = COMPARED_PARTS.iter().filter(|(_, part)| sorted(part(&before)) != sorted(part(&after)));
    let mut names: Vec<&str> = differ.map(|(name, _)| *name).collect();
    // What is not there any more has no order, and no neighbour to be compared with.
    let other_number = names.contains(&"number of entries");
    let other_platforms = other_number || names.contains(&"platforms");
    names.retain(|name| !(other_platforms && *name == "order" || other_number && name.ends_with("types of entries")));
    names.retain(|name| !(other_number && *name == "annotations of entries"));
    names.insert(0, "bytes");
    names
}

/// A list as JSON.
pub(super) fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// The entries of a list.
pub(super) fn entries(list: &Value) -> &[Value] {
    list["manifests"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The platforms of a list's entries as people write them, `-` where there is none.
pub(super) fn platforms(bytes: &[u8]) -> Vec<String> {
    let list = parse(bytes);
    let named = |entry: &Value| {
        let platform = entry["platform"].as_object()?;
        let parts = ["os", "architecture", "variant"].map(|key| platform.get(key).and_then(Value::as_str));
        Some(parts.into_iter().flatten().collect::<Vec<_>>().join("/"))
    };
    entries(&list).iter().map(|entry| named(entry).unwrap_or_else(|| "-".to_owned())).collect()
}

fn of_entries(list: &Value, part: fn(&Value) -> Value) -> Value {
    entries(list).iter().map(part).collect()
}

/// JSON whose members' order does not matter.
fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

#[cfg(test)]
mod tests {
    use super::differences;

    #[test]
    fn list_differences_are_named() {
        let list = |rest: &str, entries: &str| format!(r#"{{"mediaType":"a"{rest},"manifests":[{entries}]}}"#);
        let (linux, windows) = (r#"{"digest":"1","platform":{"os":"l"}}"#, r#"{"digest":"2","platform":{"os":"w"}}"#);
        let plain = list("", &format!("{linux},{windows}"));
        for (other, expected) in [
            (plain.clone(), &[][..]),
            (plain.replace(',', ", "), &["bytes"]),
            (plain.replace(r#""a""#, r#""b""#), &["bytes", "media type"]),
            (list(r#","annotations":{"k":"v"}"#, &format!("{linux},{windows}")), &["bytes", "annotations"]),
            (list("", linux), &["bytes", "number of entries", "digests", "platforms"]),
            (list("", &format!("{windows},{linux}")), &["bytes", "order"]),
            (plain.replace(r#""w""#, r#""x""#), &["bytes", "platforms"]),
            (plain.replace(r#""2""#, r#""3""#), &["bytes", "digests"]),
            (plain.replace(r#""2","#, r#""2","annotations":{},"#), &["bytes", "annotations of entries"]),
        ] {
            assert_eq!(differences(plain.as_bytes(), other.as_bytes()), expected, "{other}");
        }
    }
}

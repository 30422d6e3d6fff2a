//! Finds the entries of a draft that a selector names. `annotate`, `remove` and `inspect LIST IMAGE` share this rule.
//!
//! The first match counts: the name of an entry, the index that entries came from, a platform, a digest. An attestation
//! is found only by its own name or digest.

use std::collections::BTreeSet;

use crate::core::error::CommandError;
use crate::model::{Draft, Entry};
use crate::platform::{self, Platform};
use crate::reference::{Reference, Repository};
use crate::suggest::nearest;

/// The minimum number of hexadecimal digits that are read as the beginning of a digest.
const DIGEST_DIGITS_MIN: usize = 7;

/// The entries that a selector names.
///
/// # Errors
/// [`CommandError::AmbiguousDigest`] for hexadecimal digits at the beginning of several digests.
pub(crate) fn entries<'a>(draft: &'a Draft, selector: &str) -> Result<Vec<&'a Entry>, CommandError> {
    let name = Reference::parse(selector).ok();
    if let Some(entry) = name.as_ref().and_then(|name| draft.get(name)) {
        return Ok(vec![entry]);
    }
    if let Some(name) = &name {
        let found = images(draft, |entry| entry.source.as_ref().is_some_and(|index| is_name_of_index(name, index)));
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if let Ok(platform) = Platform::parse(selector) {
        let matches = |candidate: &Platform| candidate.matches(&platform);
        let found = images(draft, |entry| entry.descriptor.platform.as_ref().is_some_and(matches));
        if !found.is_empty() {
            return Ok(found);
        }
    }
    entries_with_digest(draft, selector)
}

/// The entry that a selector names; `None` if it names no entry.
///
/// # Errors
/// [`CommandError::SeveralImages`] if there are several, and as [`entries`].
pub(crate) fn entry<'a>(draft: &'a Draft, selector: &str) -> Result<Option<&'a Entry>, CommandError> {
    match entries(draft, selector)?.as_slice() {
        [] => Ok(None),
        [entry] => Ok(Some(entry)),
        several => Err(CommandError::SeveralImages {
            selector: selector.to_owned(),
            list: draft.reference.to_string(),
            images: several.iter().map(|entry| reference_and_platform(entry)).collect(),
        }),
    }
}

fn reference_and_platform(entry: &Entry) -> String {
    let platform = entry.descriptor.non_empty_platform().map(|platform| format!(" ({platform})")).unwrap_or_default();
    format!("{}{platform}", entry.reference)
}

fn images(draft: &Draft, is_selected: impl Fn(&Entry) -> bool) -> Vec<&Entry> {
    draft.entries_in_list_order().filter(|entry| !entry.is_attestation() && is_selected(entry)).collect()
}

/// Whether `name` names this index. The index has the tag and digest of the time when its entries were taken.
fn is_name_of_index(name: &Reference, index: &Reference) -> bool {
    index.repository() == name.repository()
        && name.tag().is_none_or(|tag| index.tag() == Some(tag))
        && name.digest().is_none_or(|digest| index.digest() == Some(digest))
}

/// The entries with a digest, given in full or by its first digits. An image may have several entries.
fn entries_with_digest<'a>(draft: &'a Draft, selector: &str) -> Result<Vec<&'a Entry>, CommandError> {
    let digits = selector.strip_prefix("sha256:").unwrap_or(selector);
    let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let has_digest = |entry: &&Entry| {
        let digest = entry.descriptor.digest.as_str();
        digest == selector
            || (is_hex
                && digits.len() >= DIGEST_DIGITS_MIN
                && digest.split_once(':').is_some_and(|(_, hex)| hex.starts_with(digits)))
    };
    let all: Vec<&Entry> = draft.entries_in_list_order().filter(has_digest).collect();
    let images: Vec<&Entry> = all.iter().copied().filter(|entry| !entry.is_attestation()).collect();
    let found = if images.is_empty() { all } else { images };
    let digests: BTreeSet<&str> = found.iter().map(|entry| entry.descriptor.digest.as_str()).collect();
    match digests.len() {
        0 | 1 => Ok(found),
        _ => Err(CommandError::AmbiguousDigest {
            selector: selector.to_owned(),
            candidates: digests.into_iter().map(str::to_owned).collect(),
        }),
    }
}

/// The nearest match for a selector that names nothing: a platform of the draft, or the name of an entry or of an index
/// that entries came from.
pub(crate) fn suggestion_for(draft: &Draft, selector: &str) -> Option<String> {
    let platform = Platform::parse(selector).ok();
    let is_mistyped = platform.is_some_and(|platform| platform.check_known().is_err());
    let platforms = images(draft, |entry| entry.descriptor.has_non_empty_platform());
    let names = |candidate: &Platform| [format!("{}/{}", candidate.os, candidate.architecture), candidate.to_string()];
    let platforms: BTreeSet<String> =
        platforms.iter().filter_map(|entry| entry.descriptor.platform.as_ref()).flat_map(names).collect();
    let suggestion = if is_mistyped { nearest(selector, platforms.iter().map(String::as_str)) } else { None };
    suggestion.map(str::to_owned).or_else(|| nearest_name(draft, &Reference::parse(selector).ok()?))
}

/// A similar name that differs only in its tag or in the last part of its path.
fn nearest_name(draft: &Draft, name: &Reference) -> Option<String> {
    let tag = name.tag()?;
    let sources = draft.entries_in_key_order().filter_map(|entry| entry.source.as_ref());
    let names: Vec<&Reference> = draft.entries_in_key_order().map(|entry| &entry.reference).chain(sources).collect();
    let same_repository = names.iter().filter(|known| known.repository() == name.repository());
    let tags: BTreeSet<&str> = same_repository.filter_map(|known| known.tag()).collect();
    if let Some(suggestion) = nearest_word(tag, tags.into_iter()) {
        return Some(format!("{}:{suggestion}", name.repository()));
    }
    let (parent, last) = split_last_part(name.repository());
    let siblings =
        names.iter().filter(|known| known.tag() == Some(tag) && split_last_part(known.repository()).0 == parent);
    let last_parts: BTreeSet<String> = siblings.map(|known| split_last_part(known.repository()).1).collect();
    nearest_word(&last, last_parts.iter().map(String::as_str)).map(|suggestion| format!("{parent}/{suggestion}:{tag}"))
}

/// The registry and the parent path of a repository, and the last part of its path.
fn split_last_part(repository: &Repository) -> (String, String) {
    let whole = repository.to_string();
    whole.rsplit_once('/').map_or((String::new(), whole.clone()), |(parent, last)| (parent.into(), last.into()))
}

/// As [`nearest`], but an architecture is never corrected to another one.
fn nearest_word<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let architectures = |word: &str| -> Vec<&'static str> {
        let parts: Vec<&str> = word.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
        platform::known_architectures(None).into_iter().filter(|known| parts.contains(known)).collect()
    };
    let expected = architectures(word);
    nearest(word, candidates.filter(|candidate| expected.is_empty() || architectures(candidate) == expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::ImageFormat;

    fn entry_of(name: &str, source: Option<&str>, platform: &str) -> Entry {
        let bytes = format!(r#"{{"layers":[],"x":"{name}"}}"#).into_bytes();
        let mut entry = Entry::fetched(
            Reference::parse(name).unwrap(),
            ImageFormat::Oci,
            bytes,
            (!platform.is_empty()).then(|| Platform::parse(platform).unwrap()),
        );
        entry.source = source.map(|source| Reference::parse(source).unwrap());
        entry
    }

    fn attestation_of(image: &Entry, source: &str) -> Entry {
        let mut entry = entry_of("h.x/app:proof", Some(source), "unknown/unknown");
        entry.descriptor.annotations.insert("vnd.docker.reference.type".into(), "attestation-manifest".into());
        entry.descriptor.annotations.insert("vnd.docker.reference.digest".into(), image.descriptor.digest.to_string());
        entry
    }

    fn draft(entries: impl IntoIterator<Item = Entry>) -> Draft {
        let mut draft = Draft::new(Reference::parse("h.x/l:1").unwrap());
        entries.into_iter().for_each(|entry| draft.insert(entry));
        draft
    }

    fn found(draft: &Draft, selector: &str) -> Vec<String> {
        entries(draft, selector).unwrap().iter().map(|entry| entry.reference.to_string()).collect()
    }

    #[test]
    fn lookup_uses_the_first_rule_that_matches() {
        let index = format!("h.x/app:1@sha256:{}", "d".repeat(64));
        let amd = entry_of("h.x/app:amd", Some(&index), "linux/amd64");
        let proof = attestation_of(&amd, &index);
        // An image for one platform whose name reads as another platform.
        let misnamed = entry_of("linux/amd64", None, "linux/arm64");
        let draft = draft([amd.clone(), proof.clone(), misnamed]);
        assert_eq!(found(&draft, "h.x/app:amd"), ["h.x/app:amd"]);
        assert_eq!(found(&draft, "linux/amd64"), ["docker.io/linux/amd64:latest"]);
        assert_eq!(found(&draft, "linux/x86_64"), ["h.x/app:amd"]);
        for name in ["h.x/app:1", &index, &index.replace(":1", "")] {
            assert_eq!(found(&draft, name), ["h.x/app:amd"], "{name}");
        }
        let other = format!("h.x/app:1@sha256:{}", "e".repeat(64));
        for name in ["h.x/app:2", "h.x/app", "h.y/app:1", &other, "unknown/unknown", "", "linux/s390x"] {
            assert_eq!(found(&draft, name), [""; 0], "{name}");
        }
        let digest = amd.descriptor.digest.as_str();
        for word in [digest, &digest[7..], &digest[..14], &digest[7..14]] {
            assert_eq!(found(&draft, word), ["h.x/app:amd"], "{word}");
        }
        assert_eq!(found(&draft, &digest[7..13]), [""; 0], "six digits are none");
        assert_eq!(found(&draft, proof.descriptor.digest.as_str()), ["h.x/app:proof"]);
        assert_eq!(found(&draft, "h.x/app:proof"), ["h.x/app:proof"]);
    }

    #[test]
    fn lookup_of_one_image_lists_several_matches() {
        let index = format!("h.x/app:1@sha256:{}", "d".repeat(64));
        let v6 = entry_of("h.x/app:a", Some(&index), "linux/arm/v6");
        let v7 = entry_of("h.x/app:b", Some(&index), "linux/arm/v7");
        let proof = attestation_of(&v6, &index);
        let draft = draft([v6, v7, proof]);
        assert_eq!(entry(&draft, "linux/arm/v6").unwrap().unwrap().reference.to_string(), "h.x/app:a");
        assert!(entry(&draft, "linux/386").unwrap().is_none());
        for word in ["h.x/app:1", "linux/arm"] {
            let error = entry(&draft, word).unwrap_err().to_string();
            let expected = "is 2 images of h.x/l:1: h.x/app:a (linux/arm/v6), h.x/app:b (linux/arm/v7)";
            assert_eq!(error, format!("{word} {expected}"));
        }
    }

    #[test]
    fn lookup_suggests_the_nearest_name() {
        let index = format!("h.x/team/app:1.2@sha256:{}", "d".repeat(64));
        let draft = draft([
            entry_of("h.x/team/app:1-amd64", None, "linux/amd64"),
            entry_of("h.x/team/app:1-arm64", None, "linux/arm64/v8"),
            entry_of("h.x/team/app-amd64:2", None, "linux/amd64"),
            entry_of(
                "h.x/team/x@sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
                Some(&index),
                "",
            ),
        ]);
        for (word, expected) in [
            ("linux/amd46", Some("linux/amd64")),
            ("linxu/arm64", Some("linux/arm64")),
            ("linxu/arm64/v8", Some("linux/arm64/v8")),
            ("h.x/team/app:1-amd46", Some("h.x/team/app:1-amd64")),
            ("h.x/team/app-amd46:2", Some("h.x/team/app-amd64:2")),
            ("h.x/team/app:1.3", Some("h.x/team/app:1.2")),
            // A valid platform that the draft does not have.
            ("linux/arm", None),
            ("linux/s390x", None),
            ("h.x/team/app:1-s390x", None),
            ("h.x/team/app-arm64:2", None),
            ("h.x/other/app:1-amd46", None),
            ("", None),
        ] {
            assert_eq!(suggestion_for(&draft, word).as_deref(), expected, "{word:?}");
        }
    }
}

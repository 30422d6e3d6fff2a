//! Docker's names of directories and files, and the list of a directory. Docker's names do not show which `-` was a `:`
//! and which `_` was a `/`, so the list of a directory without a sidecar can only be guessed. See `store-format.md`,
//! "Names that docker mixes".

use crate::model::{Entry, EntryKey};
use crate::reference::{Reference, Repository};

/// Docker's name for a reference, of a list or of an entry: `:` becomes `-` and `/` becomes `_`.
///
/// Two references can share a name (`h/a_b:1` and `h/a/b:1`); see `store-format.md`, "Names that docker mixes".
pub(crate) fn docker_name(reference: &Reference) -> String {
    escaped(&reference.to_string())
}

/// The name of an entry's file.
pub(super) fn file_name(key: &EntryKey) -> String {
    key.reference_text().map_or_else(|| key.as_str().to_owned(), escaped)
}

/// The key of an entry that was read from a file of this name.
pub(super) fn entry_key(file: String, entry: &Entry) -> EntryKey {
    if docker_name(&entry.reference) == file {
        EntryKey::from_reference(&entry.reference)
    } else {
        EntryKey::from_text(file)
    }
}

/// The name of a draft in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredName {
    /// The name of the directory, which several references may have.
    pub directory: String,
    /// The list, if the sidecar records it.
    pub recorded_list: Option<Reference>,
}

impl StoredName {
    /// The list: the recorded one, or the most likely list with this directory; `None` if no list can have it.
    ///
    /// [`super::DockerManifestStore::load_stored`] also reads the entries, and guesses better.
    pub fn list(&self) -> Option<Reference> {
        self.recorded_list.clone().or_else(|| guess_list(&self.directory))
    }

    /// Whether the name is a single path component and not that of our directory.
    pub(super) fn is_visible_directory_name(&self) -> bool {
        !self.directory.is_empty() && !self.directory.starts_with('.') && !self.directory.contains(['/', '\\'])
    }
}

/// The most likely list with this directory: first one in a repository of an entry.
pub(super) fn most_likely_list<'a>(
    directory: &str,
    entry_repositories: impl IntoIterator<Item = &'a Repository>,
) -> Option<Reference> {
    let mut repositories = entry_repositories.into_iter();
    let in_repository = repositories.find_map(|repository| guess_in_repository(directory, &repository.to_string()));
    in_repository.or_else(|| guess_list(directory))
}

/// The reference in this repository that has this directory.
fn guess_in_repository(directory: &str, repository: &str) -> Option<Reference> {
    let rest = directory.strip_prefix(&escaped(repository))?;
    let (tag, digest) = rest.split_once('@').map_or((rest, None), |(tag, digest)| (tag, Some(digest)));
    let tag = match tag.strip_prefix('-') {
        Some(tag) => format!(":{tag}"),
        None if tag.is_empty() && digest.is_some() => String::new(),
        None => return None,
    };
    let digest = digest.map_or(Some(String::new()), |digest| Some(format!("@{}", with_last_dash_as_colon(digest)?)))?;
    parse_if_stored_as(directory, &format!("{repository}{tag}{digest}"))
}

/// Reads every `_` before the tag as a `/`, the last `-` that gives a reference as the `:` before the tag, and digits
/// after a `-` in the host as its port. If any reference has this directory, one is found.
pub(super) fn guess_list(directory: &str) -> Option<Reference> {
    let (name, digest) = match directory.split_once('@') {
        Some((name, digest)) => (name, format!("@{}", with_last_dash_as_colon(digest)?)),
        None => (directory, String::new()),
    };
    let (host, rest) = name.split_once('_')?;
    let host = unescape_host(host);
    // A path cannot have two `/` in a row, but it can have two `_`.
    let path = |path: &str| path.replace("__", "\0").replace('_', "/").replace('\0', "__");
    let splits = rest.rmatch_indices('-').filter_map(|(dash, _)| Some((rest.get(..dash)?, rest.get(dash + 1..)?)));
    let tagged = splits.map(|(before, tag)| format!("{}:{tag}", path(before)));
    let untagged = (!digest.is_empty()).then(|| path(rest));
    tagged.chain(untagged).find_map(|name| parse_if_stored_as(directory, &format!("{host}/{name}{digest}")))
}

fn unescape_host(host: &str) -> String {
    // Within the brackets of an IPv6 address every `-` was a `:`.
    let (address, rest) = match host.split_once(']') {
        Some((address, rest)) => (format!("{}]", address.replace('-', ":")), rest),
        None => (String::new(), host),
    };
    match rest.rsplit_once('-') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{address}{name}:{port}")
        }
        _ => format!("{address}{rest}"),
    }
}

/// Replaces the last `-` by `:`.
fn with_last_dash_as_colon(text: &str) -> Option<String> {
    text.rsplit_once('-').map(|(before, after)| format!("{before}:{after}"))
}

/// The reference of this text, if its directory has this name.
fn parse_if_stored_as(directory: &str, text: &str) -> Option<Reference> {
    Reference::parse_canonical(text).ok().filter(|list| docker_name(list) == directory)
}

fn escaped(text: &str) -> String {
    text.replace(':', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn directory(list: &str) -> String {
        docker_name(&Reference::parse(list).unwrap())
    }

    #[test]
    fn guess_list_finds_the_most_likely_list() {
        let digest = format!("h.x/a@sha256:{}", "ab".repeat(32));
        for list in [
            "docker.io/library/alpine:latest",
            "h.x:5000/a/b:1",
            "h-y.x/a:t",
            "127.0.0.1:5/a:1",
            "h.x/a__b/c:1",
            "[::1]:5000/a:1",
            "[::1]/a:1",
            "h.x/a:linux_amd64",
            &digest,
        ] {
            let name = StoredName { directory: directory(list), recorded_list: None };
            assert_eq!(name.list().map(|list| list.to_string()).as_deref(), Some(list));
        }
        for impossible in ["", "x", "h.x_A-1", "h.x_a-ü", "]_-", "[-_-@-", "@"] {
            assert_eq!(StoredName { directory: impossible.into(), recorded_list: None }.list(), None, "{impossible}");
        }
    }

    #[test]
    fn guess_uses_the_repositories_of_the_entries() {
        let guess = |list: &str, repositories: &[&str]| {
            let repository = |text: &&str| Reference::parse(text).unwrap().repository().clone();
            let repositories: Vec<Repository> = repositories.iter().map(repository).collect();
            repositories
                .iter()
                .find_map(|repository| guess_in_repository(&directory(list), &repository.to_string()))
                .map(|list| list.to_string())
        };
        let digest = format!("sha256:{}", "ab".repeat(32));
        for list in ["h.x/a_b:1", "h.x/a_b:v1-rc.2_x", &format!("h.x/a_b@{digest}"), &format!("h.x/a_b:t@{digest}")] {
            assert_eq!(guess(list, &["h.x/other", "h.x/a_b", "h.x/a/b"]).as_deref(), Some(list));
        }
        assert_eq!(guess("h.x/a/b:1", &["h.x/other", "h.x/a"]), None);
        assert_eq!(guess("h.x/a/b:1", &[]), None);
    }

    proptest! {
        /// Docker and the store rely on this: a name is that of a file, not a path, and never that of our directory.
        #[test]
        fn docker_names_are_file_names(
            texts in prop::array::uniform2("([a-c.:\\[\\]_-]{1,6}/){0,3}[a-c._-]{1,6}(:[a-c._-]{1,3})?")
        ) {
            let [first, second] = texts.map(|text| Reference::parse(&text).ok());
            for reference in first.iter().chain(&second) {
                let name = docker_name(reference);
                prop_assert!(!name.is_empty() && !name.starts_with('.') && !name.contains(['/', ':', '\0']), "{name}");
                prop_assert_eq!(name.len(), reference.to_string().len());
            }
            if let (Some(first), Some(second)) = (first, second) {
                prop_assert!(first != second || docker_name(&first) == docker_name(&second));
                let reparsed = Reference::parse(&first.to_string());
                prop_assert_eq!(reparsed.map(|reference| docker_name(&reference)), Ok(docker_name(&first)));
            }
        }
    }
}

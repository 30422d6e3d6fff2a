//! Docker's names of directories and files, and the list that a directory belongs to. Docker's names do not show which
//! `-` was a `:` and which `_` was a `/`, so a list without a sidecar can only be guessed. See `store-format.md`,
//! "Names that docker mixes".

use crate::model::{Entry, EntryKey};
use crate::reference::{Reference, Repository};

/// Docker's name for a reference, of a list or of an entry: `:` becomes `-` and `/` becomes `_`.
///
/// Two references can share a name (`h/a_b:1` and `h/a/b:1`); see `store-format.md`, "Names that docker mixes".
pub(crate) fn docker_name(reference: &Reference) -> String {
    mixed(&reference.to_string())
}

/// The name of an entry's file.
pub(super) fn file_name(key: &EntryKey) -> String {
    key.image().map_or_else(|| key.text().to_owned(), mixed)
}

/// The key of an entry that was read from a file of this name.
pub(super) fn entry_key(file: String, entry: &Entry) -> EntryKey {
    if docker_name(&entry.reference) == file { EntryKey::of(&entry.reference) } else { EntryKey::named(file) }
}

/// A draft in the store, by the name of its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredName {
    /// The directory's name, which several references may share.
    pub directory: String,
    /// The list, if the sidecar records it.
    pub known: Option<Reference>,
}

impl StoredName {
    /// The list: the recorded one, or the most likely list with this directory; `None` if no list can have it.
    ///
    /// [`super::DockerDir::stored`] also reads the entries, and guesses better.
    pub fn list(&self) -> Option<Reference> {
        self.known.clone().or_else(|| guess(&self.directory))
    }

    /// Whether this can be the name of a directory of the store: a single path component, and not ours.
    pub(super) fn is_a_step_down(&self) -> bool {
        !self.directory.is_empty() && !self.directory.starts_with('.') && !self.directory.contains(['/', '\\'])
    }
}

/// The first of these repositories that has a reference with this directory, with that reference's tag or digest.
pub(super) fn guess_among<'a>(
    directory: &str,
    repositories: impl IntoIterator<Item = &'a Repository>,
) -> Option<Reference> {
    repositories.into_iter().find_map(|repository| {
        let repository = repository.to_string();
        let rest = directory.strip_prefix(&mixed(&repository))?;
        let (tag, digest) = rest.split_once('@').map_or((rest, None), |(tag, digest)| (tag, Some(digest)));
        let tag = match tag.strip_prefix('-') {
            Some(tag) => format!(":{tag}"),
            None if tag.is_empty() && digest.is_some() => String::new(),
            None => return None,
        };
        let digest = digest.map_or(Some(String::new()), |digest| Some(format!("@{}", last_is_colon(digest)?)))?;
        fits(directory, &format!("{repository}{tag}{digest}"))
    })
}

/// Reads every `_` before the tag as a `/`, the last `-` that gives a reference as the tag's `:`, and digits after a
/// `-` in the host as its port. If any reference has this directory, one is found.
pub(super) fn guess(directory: &str) -> Option<Reference> {
    let (name, digest) = match directory.split_once('@') {
        Some((name, digest)) => (name, format!("@{}", last_is_colon(digest)?)),
        None => (directory, String::new()),
    };
    let (host, rest) = name.split_once('_')?;
    let host = host_and_port(host);
    // A path cannot have two `/` in a row, but it can have two `_`.
    let path = |path: &str| path.replace("__", "\0").replace('_', "/").replace('\0', "__");
    let splits = rest.rmatch_indices('-').filter_map(|(at, _)| Some((rest.get(..at)?, rest.get(at + 1..)?)));
    let tagged = splits.map(|(before, tag)| format!("{}:{tag}", path(before)));
    let untagged = (!digest.is_empty()).then(|| path(rest));
    tagged.chain(untagged).find_map(|name| fits(directory, &format!("{host}/{name}{digest}")))
}

fn host_and_port(host: &str) -> String {
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

fn last_is_colon(text: &str) -> Option<String> {
    text.rsplit_once('-').map(|(before, after)| format!("{before}:{after}"))
}

fn fits(directory: &str, text: &str) -> Option<Reference> {
    Reference::parse_canonical(text).ok().filter(|list| docker_name(list) == directory)
}

fn mixed(text: &str) -> String {
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
    fn the_likeliest_list_is_guessed() {
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
            let name = StoredName { directory: directory(list), known: None };
            assert_eq!(name.list().map(|list| list.to_string()).as_deref(), Some(list));
        }
        for nothing in ["", "x", "h.x_A-1", "h.x_a-ü", "]_-", "[-_-@-", "@"] {
            assert_eq!(StoredName { directory: nothing.into(), known: None }.list(), None, "{nothing}");
        }
    }

    #[test]
    fn a_repository_that_is_known_settles_what_was_a_slash() {
        let among = |list: &str, repositories: &[&str]| {
            let of = |text: &&str| Reference::parse(text).unwrap().repository().clone();
            let repositories: Vec<Repository> = repositories.iter().map(of).collect();
            guess_among(&directory(list), &repositories).map(|list| list.to_string())
        };
        let digest = format!("sha256:{}", "ab".repeat(32));
        for list in ["h.x/a_b:1", "h.x/a_b:v1-rc.2_x", &format!("h.x/a_b@{digest}"), &format!("h.x/a_b:t@{digest}")] {
            assert_eq!(among(list, &["h.x/other", "h.x/a_b", "h.x/a/b"]).as_deref(), Some(list));
        }
        assert_eq!(among("h.x/a/b:1", &["h.x/other", "h.x/a"]), None);
        assert_eq!(among("h.x/a/b:1", &[]), None);
    }

    proptest! {
        /// Docker and the store rely on this: a name of a file, not a path, and never one of the store's own.
        #[test]
        fn names_are_names_of_files(texts in prop::array::uniform2("([a-c.:\\[\\]_-]{1,6}/){0,3}[a-c._-]{1,6}(:[a-c._-]{1,3})?")) {
            let [one, two] = texts.map(|text| Reference::parse(&text).ok());
            for reference in one.iter().chain(&two) {
                let name = docker_name(reference);
                prop_assert!(!name.is_empty() && !name.starts_with('.') && !name.contains(['/', ':', '\0']), "{name}");
                prop_assert_eq!(name.len(), reference.to_string().len());
            }
            if let (Some(one), Some(two)) = (one, two) {
                prop_assert!(one != two || docker_name(&one) == docker_name(&two));
                let again = Reference::parse(&one.to_string());
                prop_assert_eq!(again.map(|again| docker_name(&again)), Ok(docker_name(&one)));
            }
        }
    }
}

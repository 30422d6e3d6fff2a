//! The tags of a list, and the order in which they move: fixed tags before moving ones, the most general last. A client
//! that follows a moving tag then finds the more specific ones there already.

use std::collections::BTreeSet;

use crate::core::error::CommandError;
use crate::digest::Digest;
use crate::reference::{Reference, is_tag};

/// The number of digits of git's shortest abbreviation of a commit, and of its two full lengths.
const SHORT_COMMIT_DIGITS: usize = 7;
const SHA1_COMMIT_DIGITS: usize = 40;
const SHA256_COMMIT_DIGITS: usize = 64;

/// Prefixes that build tools put before a commit.
const COMMIT_PREFIXES: [&str; 3] = ["sha-", "git-", "g"];

/// A further name of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagArg {
    /// A tag in the list's repository.
    Tag(String),
    /// A full reference, with a tag and without a digest.
    Reference(Reference),
}

impl TagArg {
    /// Reads a tag, or a reference if the text contains `/` or `:`.
    ///
    /// # Errors
    /// A message for anything else, and for a reference without a tag or with a digest.
    pub fn parse(typed: &str) -> Result<TagArg, String> {
        if !typed.contains(['/', ':']) {
            let reason =
                if typed.is_empty() { "must not be empty" } else { "neither a tag nor a reference with a tag" };
            return if is_tag(typed) { Ok(TagArg::Tag(typed.to_owned())) } else { Err(reason.to_owned()) };
        }
        let has_digest = "must not have a digest: a list is published under its own digest anyway";
        if typed.parse::<Digest>().is_ok() {
            return Err(has_digest.to_owned());
        }
        let reference = Reference::parse(typed).map_err(|error| error.to_string())?;
        if reference.digest().is_some() {
            return Err(has_digest.to_owned());
        }
        if Reference::is_repository_only(typed) {
            return Err("a reference must have a tag, as in registry.example.com/app:1".to_owned());
        }
        Ok(TagArg::Reference(reference))
    }

    /// The reference; `None` for a tag.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            TagArg::Tag(_) => None,
            TagArg::Reference(reference) => Some(reference),
        }
    }
}

/// The names of a list, grouped by repository.
pub(crate) struct NamesByRepository<'a> {
    /// Further tags in the list's own repository.
    pub(crate) own: Vec<String>,
    /// The first reference in each other repository, with the further tags there, in the order of the command line.
    pub(crate) others: Vec<(&'a Reference, Vec<String>)>,
}

/// Groups the names of `--tag` by repository.
pub(crate) fn by_repository<'a>(list: &Reference, more: &'a [TagArg]) -> NamesByRepository<'a> {
    let mut names = NamesByRepository { own: Vec::new(), others: Vec::new() };
    for name in more {
        let reference = match name {
            TagArg::Tag(tag) => {
                names.own.push(tag.clone());
                continue;
            }
            TagArg::Reference(reference) => reference,
        };
        let tag = reference.tag().map(str::to_owned);
        if reference.repository() == list.repository() {
            names.own.extend(tag);
            continue;
        }
        match names.others.iter_mut().find(|(first, _)| first.repository() == reference.repository()) {
            Some((_, tags)) => tags.extend(tag),
            None => names.others.push((reference, Vec::new())),
        }
    }
    names
}

/// The tags of the list in its repository, each once, in the order in which they move: its own tag, if it has one, and
/// `more`.
///
/// # Errors
/// One error for each invalid tag.
pub(crate) fn in_move_order(list: &Reference, more: &[String]) -> Result<Vec<Reference>, CommandError> {
    let mut seen = BTreeSet::new();
    let tags = list.tag().into_iter().chain(more.iter().map(String::as_str)).filter(|tag| seen.insert(*tag));
    let mut tags: Vec<&str> = tags.collect();
    let invalid = tags.iter().filter(|tag| !is_tag(tag)).map(|tag| CommandError::InvalidTag((*tag).to_owned()));
    CommandError::fail_if_any(invalid.collect())?;
    // The sort is stable: tags of equal mobility keep the order of the command line.
    tags.sort_by_key(|tag| mobility(tag));
    Ok(tags.into_iter().filter_map(|tag| with_tag(list, tag)).collect())
}

/// The list's repository with this tag, if it is valid.
pub(crate) fn with_tag(list: &Reference, tag: &str) -> Option<Reference> {
    list.repository().at_tag(tag).ok()
}

/// How often a tag usually moves. The least mobile tag comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mobility {
    /// It never moves: a full version or a commit.
    Fixed,
    /// `1.2`
    Minor,
    /// `1`
    Major,
    /// `edge`, `main`
    Named,
    /// The default tag of a reference without one.
    Latest,
}

fn mobility(tag: &str) -> Mobility {
    if tag == "latest" {
        return Mobility::Latest;
    }
    match version_length(tag) {
        3.. => Mobility::Fixed,
        _ if is_commit(tag) => Mobility::Fixed,
        2 => Mobility::Minor,
        1 => Mobility::Major,
        _ => Mobility::Named,
    }
}

/// The number of leading numbers of a version, at most three. A suffix may follow: `1.2.3`, `v1.2.3-rc.1`. Zero if the
/// tag is no version.
fn version_length(tag: &str) -> usize {
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let core = tag.split(['-', '_']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').take(3).collect();
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if numbers.iter().all(is_number) { numbers.len() } else { 0 }
}

fn is_commit(tag: &str) -> bool {
    let is_hash = |text: &str| {
        let is_length = matches!(text.len(), SHORT_COMMIT_DIGITS..=SHA1_COMMIT_DIGITS | SHA256_COMMIT_DIGITS);
        is_length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    is_hash(tag) || COMMIT_PREFIXES.iter().filter_map(|prefix| tag.strip_prefix(prefix)).any(is_hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(list: &str, more: &[&str]) -> Result<Vec<String>, String> {
        let more: Vec<String> = more.iter().map(|tag| (*tag).to_owned()).collect();
        let tags = in_move_order(&Reference::parse(list).unwrap(), &more).map_err(|error| error.to_string())?;
        Ok(tags.iter().map(|tag| tag.tag().unwrap().to_owned()).collect())
    }

    #[test]
    fn tags_that_move_come_last() {
        let found = order("h.x/app:latest", &["1", "1.2.3", "edge", "v1.2.3-rc.1", "1.2", "0a1b2c3", "main"]).unwrap();
        assert_eq!(found, ["1.2.3", "v1.2.3-rc.1", "0a1b2c3", "1.2", "1", "edge", "main", "latest"]);
        assert_eq!(order("h.x/app:1.2.3", &["latest", "1.2.3", "latest"]).unwrap(), ["1.2.3", "latest"]);
    }

    #[test]
    fn tag_argument_may_be_a_reference_with_a_tag() {
        assert_eq!(TagArg::parse("1.0"), Ok(TagArg::Tag("1.0".into())));
        for typed in ["h.x/team/app:1", "app:1", "localhost:5000/app:latest", "[::1]:5000/a:1"] {
            assert_eq!(TagArg::parse(typed), Ok(TagArg::Reference(Reference::parse(typed).unwrap())), "{typed}");
        }
        let digest = format!("sha256:{}", "ab".repeat(32));
        let refused = [
            (String::new(), "must not be empty"),
            ("a b".into(), "neither a tag nor a reference with a tag"),
            ("a@b".into(), "neither a tag nor a reference with a tag"),
            ("team/app".into(), "a reference must have a tag"),
            ("localhost:5000/app".into(), "a reference must have a tag"),
            ("h.x/App:1".into(), "invalid reference format: repository name (App) must be lowercase"),
            ("app:".into(), "invalid reference format"),
            (digest.clone(), "must not have a digest"),
            (format!("app@{digest}"), "must not have a digest"),
            (format!("h.x/app:1@{digest}"), "must not have a digest"),
        ];
        for (typed, reason) in refused {
            let message = TagArg::parse(&typed).unwrap_err();
            assert!(message.starts_with(reason), "{typed}: {message}");
        }
    }

    #[test]
    fn tag_arguments_are_grouped_by_repository() {
        let typed = ["a.x/app:1.2", "edge", "h.x/app:2", "b.x/app:1", "a.x/app:1", "h.x/app:1", "a.x/app:1.2"];
        let more = typed.map(|name| TagArg::parse(name).unwrap());
        let names = by_repository(&Reference::parse("h.x/app:1").unwrap(), &more);
        assert_eq!(names.own, ["edge", "2", "1"]);
        let others: Vec<_> = names.others.iter().map(|(first, tags)| (first.to_string(), tags.join(" "))).collect();
        assert_eq!(others, [("a.x/app:1.2".into(), "1 1.2".into()), ("b.x/app:1".into(), String::new())]);
    }

    #[test]
    fn list_under_a_digest_has_no_own_tag() {
        let list = format!("h.x/app@sha256:{}", "ab".repeat(32));
        assert_eq!(order(&list, &[]).unwrap(), [""; 0]);
        assert_eq!(order(&list, &["b", "a"]).unwrap(), ["b", "a"]);
    }

    #[test]
    fn tags_of_versions_and_commits_are_fixed() {
        for tag in
            ["1.2.3", "v0.0.1", "1.2.3-alpine3.20", "10.20.30_1", "1.2.3.4", "deadbeef", "sha-0a1b2c3", "g1234567"]
        {
            assert_eq!(mobility(tag), Mobility::Fixed, "{tag}");
        }
        let sha = ["ab".repeat(20), "ab".repeat(32)];
        assert!(sha.iter().all(|sha| mobility(sha) == Mobility::Fixed));
        for (tag, found) in [
            ("1", Mobility::Major),
            ("1.2", Mobility::Minor),
            ("v1", Mobility::Major),
            ("1-alpine", Mobility::Major),
            ("v1.2-3.4", Mobility::Minor),
            ("latest", Mobility::Latest),
            ("1.2.x", Mobility::Named),
            ("1.2.", Mobility::Named),
            ("facade", Mobility::Named),
            ("release", Mobility::Named),
            ("sha-x", Mobility::Named),
            ("DEADBEEF", Mobility::Named),
        ] {
            assert_eq!(mobility(tag), found, "{tag}");
        }
    }

    #[test]
    fn every_invalid_tag_is_reported() {
        let found = order("h.x/app:1", &["a b", "ok", "x/y", "", "a@b"]).unwrap_err();
        let expected = ["\"a b\" is not a tag", "\"x/y\" is not a tag", "\"\" is not a tag", "\"a@b\" is not a tag"];
        assert_eq!(found.lines().collect::<Vec<_>>(), expected);
    }
}

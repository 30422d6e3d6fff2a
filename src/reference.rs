//! Image references: grammar, normalisation and error texts of `github.com/distribution/reference`.
//!
//! Written by hand, because the existing crates differ from Go's on IPv6 hosts, upper-case hosts, names of 64
//! hexadecimal digits and Unicode tags, and a reference is the name of a draft.

use std::fmt;

use crate::digest::{Digest, DigestError};

const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DEFAULT_DOMAIN: &str = "index.docker.io";
const OFFICIAL_PREFIX: &str = "library/";
const DEFAULT_TAG: &str = "latest";
const PATH_LENGTH_MAX: usize = 255;
const TAG_LENGTH_MAX: usize = 128;
const DIGEST_HEX_MIN: usize = 32;

/// A repository: a registry's host (with its port) and a path within it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    domain: String,
    path: String,
}

impl Repository {
    /// The registry's host as in the reference, with its port if it has one: `docker.io`, `[::1]:5000`.
    ///
    /// Empty if Go's grammar reads a name such as `foo_bar.com/x` as a path only.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository's path within its registry, for example `library/alpine`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The canonical reference `repository@digest`.
    pub fn at_digest(&self, digest: &Digest) -> Reference {
        Reference { repository: self.clone(), tag: None, digest: Some(digest.clone()) }
    }

    /// The reference of a tag in this repository.
    ///
    /// # Errors
    /// A text that is not a tag.
    pub fn at_tag(&self, tag: &str) -> Result<Reference, ReferenceError> {
        let reference = Reference::parse_canonical(&format!("{self}:{tag}"))?;
        if reference.tag() == Some(tag) { Ok(reference) } else { Err(ReferenceError::Format) }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.domain.is_empty() {
            return f.write_str(&self.path);
        }
        write!(f, "{}/{}", self.domain, self.path)
    }
}

/// A repository with a tag, a digest, or both. `Display` is the full form: `docker.io/library/alpine:latest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not a reference. The texts are docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The text does not match the grammar.
    #[error("invalid reference format")]
    Format,
    /// The text matches the grammar except for upper-case letters in the path.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// The text matches the grammar only in lower case: a host such as `Foo_bar` that can only be a path, or a tag with
    /// a non-ASCII letter whose lower case is ASCII.
    #[error("repository name must be lowercase")]
    OnlyInLowercase,
    /// 64 hexadecimal digits, which docker reserves for image IDs.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    ImageId(String),
    /// The path is over 255 characters.
    #[error("repository name must not be more than 255 characters")]
    NameTooLong,
    /// The part after `@` looks like a digest, but is not one.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A stored reference that is not in normal form.
    #[error("repository name must be canonical")]
    NotCanonical,
}

impl Reference {
    /// Reads a reference as a user types it: `alpine` is `docker.io/library/alpine:latest`.
    ///
    /// A reference with a digest gets no default tag. A tag beside a digest is kept.
    ///
    /// # Errors
    /// The error of docker's own parser.
    pub fn parse(text: &str) -> Result<Reference, ReferenceError> {
        let mut reference = Reference::parse_normalized(text)?;
        if reference.tag.is_none() && reference.digest.is_none() {
            reference.tag = Some(DEFAULT_TAG.to_owned());
        }
        Ok(reference)
    }

    /// Reads a reference as the store keeps it: in full, with its tag or digest.
    ///
    /// # Errors
    /// As [`Reference::parse`], and [`ReferenceError::NotCanonical`] for a reference that is not in full.
    pub fn parse_canonical(text: &str) -> Result<Reference, ReferenceError> {
        let reference = Reference::parse_normalized(text)?;
        if reference.to_string() != text {
            return Err(ReferenceError::NotCanonical);
        }
        Ok(reference)
    }

    /// Whether the text names a repository only, without a tag and a digest.
    pub fn is_repository_only(text: &str) -> bool {
        Reference::parse_normalized(text).is_ok_and(|read| read.tag.is_none() && read.digest.is_none())
    }

    fn parse_normalized(text: &str) -> Result<Reference, ReferenceError> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::ImageId(text.to_owned()));
        }
        let (domain, remainder) = split_domain(text);
        let name = remainder.split(':').next().unwrap_or_default();
        if name.to_lowercase() != name {
            return Err(ReferenceError::Uppercase(name.to_owned()));
        }
        parse_full(domain, &remainder).map_err(|error| match parse_full(&lowercase(domain), &lowercase(&remainder)) {
            Err(ReferenceError::Format) => error,
            _ if error == ReferenceError::Format => ReferenceError::OnlyInLowercase,
            _ => error,
        })
    }

    /// Its repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag, if there is one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if there is one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The reference with this digest. A tag stays, as in Go's `reference.WithDigest`.
    pub fn with_digest(&self, digest: &Digest) -> Reference {
        Reference { digest: Some(digest.clone()), ..self.clone() }
    }
}

impl serde::Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Splits the registry's host from the rest. The default is Docker Hub's.
fn split_domain(text: &str) -> (&str, String) {
    let (domain, remainder) = match text.split_once('/') {
        Some((LEGACY_DEFAULT_DOMAIN, rest)) => (DEFAULT_DOMAIN, rest),
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) || first.to_lowercase() != first => {
            (first, rest)
        }
        _ => (DEFAULT_DOMAIN, text),
    };
    if domain == DEFAULT_DOMAIN && !remainder.contains('/') {
        return (domain, format!("{OFFICIAL_PREFIX}{remainder}"));
    }
    (domain, remainder.to_owned())
}

/// Lower case letter by letter, as in Go: `İ` becomes `i` alone.
fn lowercase(text: &str) -> String {
    text.chars().filter_map(|letter| letter.to_lowercase().next()).collect()
}

fn parse_full(domain: &str, remainder: &str) -> Result<Reference, ReferenceError> {
    let (rest, digest) = match remainder.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (remainder, None),
    };
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    if !tag.is_none_or(is_tag) || !digest.is_none_or(looks_like_digest) {
        return Err(ReferenceError::Format);
    }
    let repository = repository(domain, path)?;
    let digest = digest.map(str::parse).transpose()?;
    Ok(Reference { repository, tag: tag.map(str::to_owned), digest })
}

/// If the host does not match the grammar but would match as a path, it is part of the path, as in Go's expression.
fn repository(domain: &str, path: &str) -> Result<Repository, ReferenceError> {
    if !is_path(path) {
        return Err(ReferenceError::Format);
    }
    let repository = if is_domain(domain) {
        Repository { domain: domain.to_owned(), path: path.to_owned() }
    } else if is_path_component(domain) {
        Repository { domain: String::new(), path: format!("{domain}/{path}") }
    } else {
        return Err(ReferenceError::Format);
    };
    if repository.path.len() > PATH_LENGTH_MAX {
        return Err(ReferenceError::NameTooLong);
    }
    Ok(repository)
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, port)) => {
            if address.is_empty() || !address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
                return false;
            }
            (None, port)
        }
        None => match text.find(':') {
            Some(at) => text.split_at_checked(at).map_or((Some(text), ""), |(host, port)| (Some(host), port)),
            None => (Some(text), ""),
        },
    };
    let port_is_good = port.is_empty()
        || port.strip_prefix(':').is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    port_is_good && host.is_none_or(|host| host.split('.').all(is_domain_component))
}

fn is_domain_component(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_path(text: &str) -> bool {
    text.split('/').all(is_path_component)
}

/// `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().copied().is_some_and(is_word) || !bytes.last().copied().is_some_and(is_word) {
        return false;
    }
    bytes
        .split(|b| is_word(*b))
        .all(|separator| matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-'))
}

/// Whether a text is a tag: `[\w][\w.-]{0,127}` (distribution-spec, "Pulling manifests").
pub fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= TAG_LENGTH_MAX
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

/// What the reference grammar accepts as a digest, before the digest's own grammar is applied.
fn looks_like_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let is_part = |part: &str| {
        part.bytes().next().is_some_and(|b| b.is_ascii_alphabetic()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(is_part)
        && hex.len() >= DIGEST_HEX_MIN
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full(text: &str) -> String {
        Reference::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
    }

    #[test]
    fn short_references_are_completed() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (typed, expected) in [
            ("alpine", "docker.io/library/alpine:latest".to_owned()),
            ("a/b:1", "docker.io/a/b:1".to_owned()),
            ("index.docker.io/alpine", "docker.io/library/alpine:latest".to_owned()),
            ("docker.io/alpine", "docker.io/library/alpine:latest".to_owned()),
            ("localhost/x", "localhost/x:latest".to_owned()),
            ("localhost:5000", "docker.io/library/localhost:5000".to_owned()),
            ("LOCALHOST/x", "LOCALHOST/x:latest".to_owned()),
            ("[::1]:5000/x", "[::1]:5000/x:latest".to_owned()),
            ("[fe80::1]/x:t", "[fe80::1]/x:t".to_owned()),
            ("h:5/a/b__c/d---e.f:T_1.x-", "h:5/a/b__c/d---e.f:T_1.x-".to_owned()),
            ("foo_bar.com/x", "foo_bar.com/x:latest".to_owned()),
            (&format!("a@{digest}"), format!("docker.io/library/a@{digest}")),
            (&format!("a:t@{digest}"), format!("docker.io/library/a:t@{digest}")),
        ] {
            assert_eq!(full(typed), expected, "{typed}");
        }
    }

    #[test]
    fn invalid_references_cause_dockers_errors() {
        let long = "a".repeat(256);
        for (typed, error) in [
            ("", "invalid reference format"),
            ("a//b", "invalid reference format"),
            ("a:", "invalid reference format"),
            ("a@sha256:12", "invalid reference format"),
            ("a_-b", "invalid reference format"),
            ("a___b", "invalid reference format"),
            ("-a", "invalid reference format"),
            ("[::1/x", "invalid reference format"),
            ("[g::1]/x", "invalid reference format"),
            ("h:/x", "invalid reference format"),
            ("h:port/x", "invalid reference format"),
            ("a.b-/x", "invalid reference format"),
            ("a:ü", "invalid reference format"),
            ("Foo", "invalid reference format: repository name (library/Foo) must be lowercase"),
            ("Foo_bar/x", "repository name must be lowercase"),
            ("a:\u{130}\u{212a}", "repository name must be lowercase"),
            ("Foo/Bar:X", "invalid reference format: repository name (Bar) must be lowercase"),
            (
                &"ab".repeat(32),
                &format!("invalid repository name ({}), cannot specify 64-byte hexadecimal strings", "ab".repeat(32)),
            ),
            (&format!("h.x/{long}"), "repository name must not be more than 255 characters"),
            (&format!("a:{}", "t".repeat(129)), "invalid reference format"),
            (&format!("a@sha256:{}", "a".repeat(40)), "invalid checksum digest length"),
            (&format!("a@sha256:{}", "A".repeat(64)), "invalid checksum digest format"),
            (&format!("a@md5:{}", "a".repeat(32)), "unsupported digest algorithm"),
        ] {
            assert_eq!(
                Reference::parse(typed).map(|r| r.to_string()).map_err(|e| e.to_string()),
                Err(error.to_owned()),
                "{typed}"
            );
        }
    }

    #[test]
    fn parse_canonical_refuses_short_references() {
        assert_eq!(Reference::parse_canonical("alpine"), Err(ReferenceError::NotCanonical));
        assert!(Reference::parse_canonical("docker.io/library/alpine:latest").is_ok());
        assert_eq!(Reference::parse_canonical("docker.io/library/alpine").map(|r| r.tag), Ok(None));
    }

    /// Texts of the grammar's own characters, many of which are references.
    const REFERENCE_LIKE: &str =
        "([a-zA-Z0-9.:_\\[\\]-]{0,9}/){0,3}[a-z0-9._-]{0,9}(:[\\w.-]{0,4})?(@sha256:[0-9a-f]{64})?";

    proptest! {
        #[test]
        fn parsing_a_reference_never_panics(text in "\\PC{0,80}") {
            let _ = (Reference::parse(&text), Reference::parse_canonical(&text));
        }

        #[test]
        fn displayed_references_are_parsed_as_the_same_value(text in REFERENCE_LIKE) {
            if let Ok(reference) = Reference::parse(&text) {
                let shown = reference.to_string();
                prop_assert_eq!(Reference::parse(&shown), Ok(reference.clone()));
                prop_assert_eq!(Reference::parse_canonical(&shown), Ok(reference));
            }
        }
    }
}

//! References to layouts and to images in them, with the rules of the tools that each notation comes from.
//!
//! `oci:` and `oci-archive:` also begin valid docker references (`oci:x` is `docker.io/library/oci:x`). They refer to
//! a layout only if the path begins with `/`, `./` or `../`.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::digest::Digest;

/// The kind of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayoutKind {
    /// A directory.
    Directory,
    /// A tar archive of one.
    Archive,
    /// An archive of `docker save`. It can only be read.
    DockerArchive,
}

/// A reference to a layout, or to an image in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LayoutReference {
    /// The kind.
    pub kind: LayoutKind,
    /// The directory or file.
    pub path: PathBuf,
    /// The name of the image in the layout, usually a tag.
    pub tag: Option<String>,
    /// The digest of the image. It is stronger than the tag.
    pub digest: Option<Digest>,
    typed: String,
}

/// Schemes that cannot begin a reference. The tag is behind the last colon, as in buildx and regctl.
const URL_SCHEMES: [&str; 2] = ["oci-layout://", "ocidir://"];

/// Schemes of containers/image. The tag is behind the first colon.
const TRANSPORTS: [(&str, LayoutKind); 3] = [
    ("oci:", LayoutKind::Directory),
    ("oci-archive:", LayoutKind::Archive),
    ("docker-archive:", LayoutKind::DockerArchive),
];

impl LayoutReference {
    /// Reads a reference; `None` for a text that refers to no layout, and `Some` error for an invalid reference to one.
    pub fn parse(text: &str) -> Option<Result<LayoutReference, String>> {
        if let Some(rest) = URL_SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
            return Some(parse_url(text, rest));
        }
        let (kind, rest) = TRANSPORTS.iter().find_map(|(scheme, kind)| Some((*kind, text.strip_prefix(scheme)?)))?;
        if !["/", "./", "../"].iter().any(|start| rest.starts_with(start)) {
            return None;
        }
        Some(split_digest(rest).and_then(|(rest, digest)| {
            let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, tag)| (path, Some(tag)));
            from_parts(kind, text, path, tag, digest)
        }))
    }

    /// The same image, with the layout at another path.
    #[must_use]
    pub fn at(&self, path: &Path) -> LayoutReference {
        LayoutReference { path: path.to_owned(), ..self.clone() }
    }

    /// The manifest with this digest in the same layout.
    #[must_use]
    pub fn at_digest(&self, digest: &Digest) -> LayoutReference {
        let typed = format!("{}@{digest}", self.typed_layout());
        LayoutReference { tag: None, digest: Some(digest.clone()), typed, ..self.clone() }
    }

    /// The layout as it was typed, without the name and the digest of an image.
    pub fn typed_layout(&self) -> &str {
        let typed = match &self.digest {
            Some(digest) => self.typed.strip_suffix(digest.as_str()).and_then(|typed| typed.strip_suffix('@')),
            None => None,
        };
        let typed = typed.unwrap_or(&self.typed);
        let before = self.tag.as_ref().and_then(|tag| typed.strip_suffix(tag.as_str())?.strip_suffix(':'));
        before.unwrap_or(typed)
    }
}

fn parse_url(text: &str, rest: &str) -> Result<LayoutReference, String> {
    let (rest, digest) = split_digest(rest)?;
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    from_parts(LayoutKind::Directory, text, path, tag, digest)
}

/// The text before a digest, and the digest.
fn split_digest(text: &str) -> Result<(&str, Option<Digest>), String> {
    match text.rsplit_once('@') {
        Some((before, digest)) if digest.contains(':') && !digest.contains('/') => {
            let parsed = digest.parse::<Digest>();
            Ok((before, Some(parsed.map_err(|error| format!("the digest {digest:?} is invalid: {error}"))?)))
        }
        _ => Ok((text, None)),
    }
}

fn from_parts(
    kind: LayoutKind,
    text: &str,
    path: &str,
    tag: Option<&str>,
    digest: Option<Digest>,
) -> Result<LayoutReference, String> {
    if path.is_empty() {
        return Err("the path is empty".to_owned());
    }
    if path.contains('\0') {
        return Err("the path has a NUL character".to_owned());
    }
    if tag.is_some_and(str::is_empty) {
        return Err("there is nothing behind the colon".to_owned());
    }
    let (path, tag) = (PathBuf::from(path), tag.map(str::to_owned));
    Ok(LayoutReference { kind, path, tag, digest, typed: text.to_owned() })
}

impl fmt::Display for LayoutReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = (LayoutKind, String, Option<String>, bool);

    fn parts(text: &str) -> Option<Result<Parts, String>> {
        let parts_of =
            |name: LayoutReference| (name.kind, name.path.display().to_string(), name.tag, name.digest.is_some());
        LayoutReference::parse(text).map(|name| name.map(parts_of))
    }

    #[test]
    fn layout_reference_follows_buildx_and_containers_image() {
        use LayoutKind::{Archive, Directory, DockerArchive};
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (text, kind, path, tag, has_digest) in [
            ("oci-layout://d", Directory, "d", None, false),
            ("oci-layout:///x/d:1", Directory, "/x/d", Some("1"), false),
            (&format!("oci-layout://d:1@{digest}"), Directory, "d", Some("1"), true),
            (&format!("oci-layout://a:b/d@{digest}"), Directory, "a:b/d", None, true),
            ("oci-layout://a@b/d", Directory, "a@b/d", None, false),
            ("ocidir://d:v1", Directory, "d", Some("v1"), false),
            ("oci:./d", Directory, "./d", None, false),
            ("oci:/d:h.x/app:1", Directory, "/d", Some("h.x/app:1"), false),
            ("oci-archive:../a.tar:1", Archive, "../a.tar", Some("1"), false),
            ("docker-archive:/a.tar", DockerArchive, "/a.tar", None, false),
            (&format!("oci:./d@{digest}"), Directory, "./d", None, true),
            (&format!("oci-archive:/a.tar:1@{digest}"), Archive, "/a.tar", Some("1"), true),
        ] {
            let wanted = (kind, path.to_owned(), tag.map(str::to_owned), has_digest);
            assert_eq!(parts(text), Some(Ok(wanted)), "{text}");
        }
    }

    #[test]
    fn at_digest_gives_a_layout_reference_that_parses() {
        let digest: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
        let other = format!("sha256:{}", "cd".repeat(32));
        for (text, layout) in [
            ("oci:./d:h.x/app:1", "oci:./d"),
            ("oci-layout://d", "oci-layout://d"),
            (&format!("ocidir://d:1@{other}"), "ocidir://d"),
            ("oci-archive:/1:1", "oci-archive:/1"),
        ] {
            let name = LayoutReference::parse(text).unwrap().unwrap();
            let child = name.at_digest(&digest);
            assert_eq!(child.to_string(), format!("{layout}@{digest}"), "{text}");
            assert_eq!(LayoutReference::parse(&child.to_string()), Some(Ok(child)), "{text}");
        }
    }

    #[test]
    fn docker_references_are_not_layouts() {
        for text in ["oci:x", "oci:1", "oci-archive:x.tar", "docker-archive:1", "h.x/oci:1", "oci-layout:1", "alpine"] {
            assert_eq!(parts(text), None, "{text}");
        }
        for text in ["oci-layout://", "ocidir://:1", "oci:/d:", "oci-layout://d@sha256:x"] {
            assert!(parts(text).unwrap().is_err(), "{text}");
        }
    }
}

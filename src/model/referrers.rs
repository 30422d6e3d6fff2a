//! The referrers tag: the index that replaces the referrers API in a registry without one (distribution-spec,
//! "Referrers Tag Schema").

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::model::descriptor::{self, Descriptor};
use crate::model::error::DocumentError;
use crate::model::json::{self, Members};
use crate::model::manifest;
use crate::model::media_type;
use crate::model::object::Object;

/// The number of characters that a tag has of a digest's algorithm, and of its encoded part.
const ALGORITHM_MAX: usize = 32;
const ENCODED_MAX: usize = 64;

/// The tag that lists the referrers of a manifest: `sha256-<hex>`.
pub fn tag(subject: &Digest) -> String {
    let allowed = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
    let part = |text: &str, most: usize| text.chars().take(most).map(allowed).collect::<String>();
    let (algorithm, encoded) = subject.as_str().split_once(':').unwrap_or_default();
    format!("{}-{}", part(algorithm, ALGORITHM_MAX), part(encoded, ENCODED_MAX))
}

/// The subject of a manifest that belongs into a referrers tag. Docker's formats have no `subject`.
pub fn subject(media_type: &str, manifest: &[u8]) -> Option<Digest> {
    let is_docker = matches!(media_type::essence(media_type), media_type::DOCKER_MANIFEST | media_type::DOCKER_LIST);
    if is_docker { None } else { manifest::subject(manifest) }
}

/// The descriptor of a manifest in the index, with its annotations and artifact type. Without an artifact type it has
/// the config's media type.
///
/// # Errors
/// Annotations or an artifact type of the wrong type.
pub fn entry(media_type: &str, digest: &Digest, manifest: &[u8]) -> Result<Descriptor, DocumentError> {
    let value = json::parse(manifest)?;
    let members = Members::of("Manifest", &value)?;
    let mut artifact_type = members.string("artifactType")?;
    if let (true, Some(config)) = (artifact_type.is_empty(), members.get("config")) {
        artifact_type = Members::of("Descriptor", config)?.string("mediaType")?;
    }
    Ok(Descriptor {
        annotations: descriptor::annotations("Manifest.annotations", &members)?,
        artifact_type,
        ..Descriptor::new(media_type, digest.clone(), manifest.len() as u64)
    })
}

/// The kinds of tags under which cosign keeps what it says of an image (sigstore/cosign, "Signature Specification").
pub const COSIGN_KINDS: [&str; 3] = ["sig", "att", "sbom"];

/// The tag under which cosign keeps something of this kind about a manifest: `sha256-<hex>.sig`.
pub fn cosign_tag(subject: &Digest, kind: &str) -> String {
    format!("{}.{kind}", tag(subject))
}

/// The artifact type of a manifest: its own, or else the media type of its configuration (OCI image-spec, "Guidelines
/// for Artifact Usage"). Empty where it has neither.
pub fn artifact_type(manifest: &[u8]) -> String {
    let [own, config] = manifest::own_types(manifest);
    if own.is_empty() { config } else { own }
}

/// The artifact type of BuildKit's attestations.
pub const BUILDKIT_ATTESTATION: &str = "application/vnd.docker.attestation.manifest.v1+json";

/// Whether manifests of this artifact type sign or attest their subject: attestations of BuildKit, in-toto statements,
/// signatures and bundles of sigstore and of Notary Project.
pub fn signs_or_attests(artifact_type: &str) -> bool {
    const WHOLE: [&str; 3] =
        [BUILDKIT_ATTESTATION, "application/vnd.cncf.notary.signature", "application/vnd.dsse.envelope.v1+json"];
    const STARTS: [&str; 3] =
        ["application/vnd.in-toto", "application/vnd.dev.sigstore.", "application/vnd.dev.cosign."];
    let essence = media_type::essence(artifact_type);
    WHOLE.contains(&essence) || STARTS.iter().any(|start| essence.starts_with(start))
}

/// The digests that an index names, of any algorithm.
///
/// # Errors
/// Content that is not an index.
pub fn listed(index: &[u8]) -> Result<BTreeSet<String>, DocumentError> {
    let value = json::parse(index)?;
    let entries = Members::of("ManifestList", &value)?.array("manifests")?;
    entries.iter().map(|entry| Ok(Members::of("Descriptor", entry)?.string("digest")?)).collect()
}

/// The index with these entries appended, or a new one. Existing content keeps its bytes.
///
/// # Errors
/// Content that is not an index.
pub fn extended(index: Option<&[u8]>, entries: &[Descriptor]) -> Result<Vec<u8>, DocumentError> {
    let entry = |entry| Ok(String::from_utf8_lossy(&json::encode(entry)?).into_owned());
    let entries = entries.iter().map(entry).collect::<Result<Vec<String>, DocumentError>>()?.join(",");
    let Some(index) = index else {
        let media_type = media_type::OCI_INDEX;
        return Ok(format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[{entries}]}}"#).into_bytes());
    };
    json::check_size(index)?;
    let mut object: Object = serde_json::from_slice(index)?;
    let known = object.get("manifests").unwrap_or("[]");
    let is_empty = serde_json::from_str::<Option<Vec<&RawValue>>>(known)?.is_none_or(|known| known.is_empty());
    let manifests = match known.trim_end().strip_suffix(']').filter(|_| !is_empty) {
        Some(known) => format!("{},{entries}]", known.trim_end()),
        None => format!("[{entries}]"),
    };
    object.set("manifests", Some(manifests));
    Ok(object.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        text.parse().unwrap()
    }

    #[test]
    fn the_tag_has_the_algorithm_and_64_digits() {
        assert_eq!(tag(&digest(&format!("sha256:{}", "ab".repeat(32)))), format!("sha256-{}", "ab".repeat(32)));
        let long = format!("{}{}", "ab".repeat(32), "cd".repeat(32));
        assert_eq!(tag(&digest(&format!("sha512:{long}"))), format!("sha512-{}", "ab".repeat(32)));
    }

    #[test]
    fn what_signs_or_attests_is_known_by_its_artifact_type() {
        for (artifact_type, expected) in [
            ("application/vnd.docker.attestation.manifest.v1+json", true),
            ("application/vnd.in-toto+json", true),
            ("application/vnd.dev.sigstore.bundle.v0.3+json", true),
            ("application/vnd.dev.sigstore.bundle+json;version=0.3", true),
            ("application/vnd.dev.cosign.artifact.sig.v1+json", true),
            ("application/vnd.cncf.notary.signature", true),
            ("application/spdx+json", false),
            ("application/vnd.example.in-toto+json", false),
            ("", false),
        ] {
            assert_eq!(signs_or_attests(artifact_type), expected, "{artifact_type}");
        }
        let own = br#"{"artifactType":"a/b","config":{"mediaType":"c/d"}}"#;
        assert_eq!((artifact_type(own).as_str(), artifact_type(b"{}").as_str()), ("a/b", ""));
        assert_eq!(artifact_type(br#"{"config":{"mediaType":"c/d"}}"#), "c/d");
    }

    #[test]
    fn an_entry_has_what_its_manifest_says_of_itself() {
        let own = Digest::from_bytes(b"own");
        let text = |manifest: &str| {
            let entry = entry(media_type::OCI_MANIFEST, &own, manifest.as_bytes()).unwrap();
            String::from_utf8(json::encode(&entry).unwrap()).unwrap()
        };
        let start =
            |size: usize| format!(r#"{{"mediaType":"{}","digest":"{own}","size":{size}"#, media_type::OCI_MANIFEST);
        let manifest = r#"{"config":{"mediaType":"c/d"},"annotations":{"b":"2","a":"<"},"artifactType":"a/b"}"#;
        let rest = r#","annotations":{"a":"\u003c","b":"2"},"artifactType":"a/b"}"#;
        assert_eq!(text(manifest), format!("{}{rest}", start(manifest.len())));
        // Without an artifact type it is the config's media type; an index has no config.
        let manifest = r#"{"config":{"mediaType":"c/d"},"artifactType":""}"#;
        assert_eq!(text(manifest), format!(r#"{},"artifactType":"c/d"}}"#, start(manifest.len())));
        assert_eq!(text(r#"{"manifests":[]}"#), format!("{}}}", start(16)));
        for wrong in [r#"{"annotations":{"a":1}}"#, r#"{"artifactType":1}"#, "[]", "{"] {
            assert!(entry(media_type::OCI_MANIFEST, &own, wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dockers_formats_have_no_subject() {
        let subject_digest = Digest::from_bytes(b"subject");
        let manifest = format!(r#"{{"subject":{{"mediaType":"m","digest":"{subject_digest}","size":7}}}}"#);
        for (media_type, found) in [
            (media_type::OCI_MANIFEST, Some(&subject_digest)),
            (media_type::OCI_INDEX, Some(&subject_digest)),
            (media_type::DOCKER_MANIFEST, None),
            (media_type::DOCKER_LIST, None),
        ] {
            assert_eq!(subject(media_type, manifest.as_bytes()).as_ref(), found, "{media_type}");
        }
        assert_eq!(subject(media_type::OCI_INDEX, b"{}"), None);
    }

    #[test]
    fn what_is_there_keeps_its_bytes() {
        let new = Descriptor::new("m", Digest::from_bytes(b"new"), 3);
        let line = format!(r#"{{"mediaType":"m","digest":"{}","size":3}}"#, new.digest);
        let made = |index: Option<&str>| {
            let made = extended(index.map(str::as_bytes), std::slice::from_ref(&new)).unwrap();
            String::from_utf8(made).unwrap()
        };
        let head = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":"#, media_type::OCI_INDEX);
        assert_eq!(made(None), format!("{head}[{line}]}}"));
        let theirs = r#"{ "x": "\ud800\u00e9<",  "digest":"blake3:00", "size": 1e1 }"#;
        let index = format!("{{\"x\":[ 1 ],\"manifests\" : [\n {theirs}\n ], \"annotations\":{{\"b\":\"<\"}}}}");
        let expected = format!("{{\"x\":[ 1 ],\"manifests\":[\n {theirs},{line}],\"annotations\":{{\"b\":\"<\"}}}}");
        assert_eq!(made(Some(&index)), expected);
        let found = listed(expected.as_bytes()).unwrap();
        assert_eq!(found, BTreeSet::from(["blake3:00".to_owned(), new.digest.to_string()]));
        for empty in [r#""manifests":[ ]"#, r#""manifests":null"#, r#""mediaType":"x""#] {
            assert_eq!(listed(made(Some(&format!("{{{empty}}}"))).as_bytes()).unwrap().len(), 1, "{empty}");
        }
    }

    #[test]
    fn what_is_no_index_is_an_error() {
        let new = [Descriptor::new("m", Digest::from_bytes(b"new"), 3)];
        for wrong in ["", "{", "[]", r#"{"manifests":{}}"#, r#"{"manifests":[1]}"#] {
            let is_listed = listed(wrong.as_bytes()).is_ok();
            assert!(!(is_listed && extended(Some(wrong.as_bytes()), &new).is_ok()), "{wrong}");
        }
    }
}

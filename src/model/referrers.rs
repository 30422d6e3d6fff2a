//! Referrers of a manifest: the index under the referrers tag, which replaces the referrers API in a registry without
//! one (distribution-spec, "Referrers Tag Schema"), and the artifact types of signatures and attestations.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::model::descriptor::{self, Descriptor};
use crate::model::error::DocumentError;
use crate::model::json::{self, Members};
use crate::model::manifest;
use crate::model::media_type;
use crate::model::raw_object::RawObject;

/// The maximum number of characters that a referrers tag has of a digest's algorithm, and of its encoded part.
const ALGORITHM_LENGTH_MAX: usize = 32;
const ENCODED_LENGTH_MAX: usize = 64;

/// The tag that lists the referrers of a manifest: `sha256-<hex>`.
pub fn tag(subject: &Digest) -> String {
    let tag_character =
        |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
    let tag_part = |text: &str, most: usize| text.chars().take(most).map(tag_character).collect::<String>();
    let (algorithm, encoded) = subject.as_str().split_once(':').unwrap_or_default();
    format!("{}-{}", tag_part(algorithm, ALGORITHM_LENGTH_MAX), tag_part(encoded, ENCODED_LENGTH_MAX))
}

/// The subject of a manifest. Manifests of docker's formats have none.
pub fn subject(media_type: &str, manifest: &[u8]) -> Option<Digest> {
    let is_docker = matches!(media_type::essence(media_type), media_type::DOCKER_MANIFEST | media_type::DOCKER_LIST);
    if is_docker { None } else { manifest::subject(manifest) }
}

/// The descriptor of a referrer, with the annotations and the artifact type of its manifest. If the manifest has no
/// artifact type, it is the media type of the configuration.
///
/// # Errors
/// Annotations or an artifact type of the invalid type.
pub fn descriptor(media_type: &str, digest: &Digest, manifest: &[u8]) -> Result<Descriptor, DocumentError> {
    let value = json::parse(manifest)?;
    let members = Members::parse("Manifest", &value)?;
    let mut artifact_type = members.string("artifactType")?;
    if let (true, Some(config)) = (artifact_type.is_empty(), members.get("config")) {
        artifact_type = Members::parse("Descriptor", config)?.string("mediaType")?;
    }
    Ok(Descriptor {
        annotations: descriptor::decode_annotations("Manifest.annotations", &members)?,
        artifact_type,
        ..Descriptor::new(media_type, digest.clone(), manifest.len() as u64)
    })
}

/// The suffixes of the tags for signatures, attestations and SBOMs by cosign (sigstore/cosign, "Signature
/// Specification").
pub const COSIGN_TAG_SUFFIXES: [&str; 3] = ["sig", "att", "sbom"];

/// The tag under which cosign keeps content about a manifest: `sha256-<hex>.sig`.
pub fn cosign_tag(subject: &Digest, suffix: &str) -> String {
    format!("{}.{suffix}", tag(subject))
}

/// The artifact type of a manifest: its `artifactType`, otherwise the media type of its configuration (OCI image-spec,
/// "Guidelines for Artifact Usage"). Empty if it has neither.
pub fn artifact_type(manifest: &[u8]) -> String {
    let [artifact_type, config_type] = manifest::artifact_and_config_types(manifest);
    if artifact_type.is_empty() { config_type } else { artifact_type }
}

/// The artifact type of BuildKit's attestations.
pub const BUILDKIT_ATTESTATION: &str = "application/vnd.docker.attestation.manifest.v1+json";

/// Whether manifests of this artifact type sign or attest their subject: attestations of BuildKit, in-toto statements,
/// signatures and bundles of sigstore and of Notary Project.
pub fn is_signature_or_attestation(artifact_type: &str) -> bool {
    const EXACT: [&str; 3] =
        [BUILDKIT_ATTESTATION, "application/vnd.cncf.notary.signature", "application/vnd.dsse.envelope.v1+json"];
    const PREFIXES: [&str; 3] =
        ["application/vnd.in-toto", "application/vnd.dev.sigstore.", "application/vnd.dev.cosign."];
    let essence = media_type::essence(artifact_type);
    EXACT.contains(&essence) || PREFIXES.iter().any(|prefix| essence.starts_with(prefix))
}

/// The digests that an index names, of any algorithm.
///
/// # Errors
/// Content that is not an index.
pub fn listed_digests(index: &[u8]) -> Result<BTreeSet<String>, DocumentError> {
    let value = json::parse(index)?;
    let descriptors = Members::parse("ManifestList", &value)?.array("manifests")?;
    descriptors.iter().map(|descriptor| Ok(Members::parse("Descriptor", descriptor)?.string("digest")?)).collect()
}

/// Appends descriptors to an index, or makes a new one. Existing content keeps its bytes.
///
/// # Errors
/// Content that is not an index.
pub fn append(index: Option<&[u8]>, new: &[Descriptor]) -> Result<Vec<u8>, DocumentError> {
    let encode = |descriptor| Ok(String::from_utf8_lossy(&json::encode(descriptor)?).into_owned());
    let new = new.iter().map(encode).collect::<Result<Vec<String>, DocumentError>>()?.join(",");
    let Some(index) = index else {
        let media_type = media_type::OCI_INDEX;
        return Ok(format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[{new}]}}"#).into_bytes());
    };
    json::check_value_count(index)?;
    let mut object: RawObject = serde_json::from_slice(index)?;
    let present = object.raw_value("manifests").unwrap_or("[]");
    let is_empty = serde_json::from_str::<Option<Vec<&RawValue>>>(present)?.is_none_or(|present| present.is_empty());
    let manifests = match present.trim_end().strip_suffix(']').filter(|_| !is_empty) {
        Some(present) => format!("{},{new}]", present.trim_end()),
        None => format!("[{new}]"),
    };
    object.set_raw_value("manifests", Some(manifests));
    Ok(object.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        text.parse().unwrap()
    }

    #[test]
    fn referrers_tag_has_the_algorithm_and_64_digits() {
        assert_eq!(tag(&digest(&format!("sha256:{}", "ab".repeat(32)))), format!("sha256-{}", "ab".repeat(32)));
        let long = format!("{}{}", "ab".repeat(32), "cd".repeat(32));
        assert_eq!(tag(&digest(&format!("sha512:{long}"))), format!("sha512-{}", "ab".repeat(32)));
    }

    #[test]
    fn signatures_and_attestations_are_recognised_by_their_artifact_type() {
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
            assert_eq!(is_signature_or_attestation(artifact_type), expected, "{artifact_type}");
        }
        let manifest = br#"{"artifactType":"a/b","config":{"mediaType":"c/d"}}"#;
        assert_eq!((artifact_type(manifest).as_str(), artifact_type(b"{}").as_str()), ("a/b", ""));
        assert_eq!(artifact_type(br#"{"config":{"mediaType":"c/d"}}"#), "c/d");
    }

    #[test]
    fn referrer_descriptor_has_the_annotations_and_artifact_type_of_its_manifest() {
        let digest = Digest::from_bytes(b"referrer");
        let encoded = |manifest: &str| {
            let referrer = descriptor(media_type::OCI_MANIFEST, &digest, manifest.as_bytes()).unwrap();
            String::from_utf8(json::encode(&referrer).unwrap()).unwrap()
        };
        let start =
            |size: usize| format!(r#"{{"mediaType":"{}","digest":"{digest}","size":{size}"#, media_type::OCI_MANIFEST);
        let manifest = r#"{"config":{"mediaType":"c/d"},"annotations":{"b":"2","a":"<"},"artifactType":"a/b"}"#;
        let rest = r#","annotations":{"a":"\u003c","b":"2"},"artifactType":"a/b"}"#;
        assert_eq!(encoded(manifest), format!("{}{rest}", start(manifest.len())));
        // Without an artifact type it is the config's media type; an index has no config.
        let manifest = r#"{"config":{"mediaType":"c/d"},"artifactType":""}"#;
        assert_eq!(encoded(manifest), format!(r#"{},"artifactType":"c/d"}}"#, start(manifest.len())));
        assert_eq!(encoded(r#"{"manifests":[]}"#), format!("{}}}", start(16)));
        for invalid in [r#"{"annotations":{"a":1}}"#, r#"{"artifactType":1}"#, "[]", "{"] {
            assert!(descriptor(media_type::OCI_MANIFEST, &digest, invalid.as_bytes()).is_err(), "{invalid}");
        }
    }

    #[test]
    fn docker_manifests_have_no_subject() {
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
    fn append_keeps_the_bytes_of_existing_descriptors() {
        let new = Descriptor::new("m", Digest::from_bytes(b"new"), 3);
        let encoded = format!(r#"{{"mediaType":"m","digest":"{}","size":3}}"#, new.digest);
        let append_new = |index: Option<&str>| {
            let bytes = append(index.map(str::as_bytes), std::slice::from_ref(&new)).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let start = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":"#, media_type::OCI_INDEX);
        assert_eq!(append_new(None), format!("{start}[{encoded}]}}"));
        let existing = r#"{ "x": "\ud800\u00e9<",  "digest":"blake3:00", "size": 1e1 }"#;
        let index = format!("{{\"x\":[ 1 ],\"manifests\" : [\n {existing}\n ], \"annotations\":{{\"b\":\"<\"}}}}");
        let expected =
            format!("{{\"x\":[ 1 ],\"manifests\":[\n {existing},{encoded}],\"annotations\":{{\"b\":\"<\"}}}}");
        assert_eq!(append_new(Some(&index)), expected);
        let found = listed_digests(expected.as_bytes()).unwrap();
        assert_eq!(found, BTreeSet::from(["blake3:00".to_owned(), new.digest.to_string()]));
        for empty in [r#""manifests":[ ]"#, r#""manifests":null"#, r#""mediaType":"x""#] {
            assert_eq!(
                listed_digests(append_new(Some(&format!("{{{empty}}}"))).as_bytes()).unwrap().len(),
                1,
                "{empty}"
            );
        }
    }

    #[test]
    fn append_refuses_content_that_is_no_index() {
        let new = [Descriptor::new("m", Digest::from_bytes(b"new"), 3)];
        for invalid in ["", "{", "[]", r#"{"manifests":{}}"#, r#"{"manifests":[1]}"#] {
            let is_listed = listed_digests(invalid.as_bytes()).is_ok();
            assert!(!(is_listed && append(Some(invalid.as_bytes()), &new).is_ok()), "{invalid}");
        }
    }
}

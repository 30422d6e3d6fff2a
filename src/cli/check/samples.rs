//! The samples that a check pushes: small images of several platforms, and lists of them, made from one word.
//!
//! The word differs in each run, so that two runs do not delete each other's objects, and a blob to be mounted is not
//! there from an earlier run. Everything else is always the same.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::json;

use crate::cli::check::sample_manifest::Document;
use crate::cli::check::entry_samples::EntrySamples;
use crate::core::error::CommandError;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::{Form, Index, List};
use crate::model::{DocumentError, json, media_type, referrers};
use crate::platform::Platform;

/// The architectures and variants of the images, all for Linux.
const PLATFORMS: [(&str, &str); 3] = [("amd64", ""), ("arm64", "v8"), ("arm", "v7")];

/// The artifact type of the samples.
pub(crate) const ARTIFACT_TYPE: &str = "application/vnd.docker-manifest.check";

const ANNOTATION: &str = "com.docker-manifest.check";

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The samples of one format.
#[derive(Debug)]
pub(crate) struct Family {
    /// An image for each platform.
    pub(crate) images: Vec<Document>,
    /// A list of all of them.
    pub(crate) list: Document,
    /// Another list, to be put by its digest.
    pub(crate) by_digest: Document,
    /// A list whose tag is deleted.
    pub(crate) untagged: Document,
}

/// All samples.
#[derive(Debug)]
pub(crate) struct Samples {
    /// The prefix of all names.
    pub(crate) word: String,
    /// Configurations and layers, one of each per platform.
    pub(crate) blobs: Vec<Vec<u8>>,
    /// The samples in Docker's format.
    pub(crate) docker: Family,
    /// The samples in OCI's format.
    pub(crate) oci: Family,
    /// An index with annotations, its own and those of its descriptors.
    pub(crate) annotated: Document,
    /// An index with an artifact type.
    pub(crate) typed: Document,
    /// An index that names the list of all images.
    pub(crate) nested: Document,
    /// A manifest whose subject is the first image.
    pub(crate) referrer: Document,
    /// The index for the referrers tag (distribution-spec, "Referrers Tag Schema") of the first image.
    pub(crate) referrers_index: Document,
    /// The digest of the subject.
    pub(crate) subject: Digest,
    /// Entries of a shared draft.
    pub(crate) entries: EntrySamples,
}

impl Samples {
    /// Makes all samples.
    ///
    /// # Errors
    /// None for a valid word.
    pub(crate) fn new(word: &str) -> Result<Samples, CommandError> {
        let parts: Vec<PlatformBlobs> =
            PLATFORMS.iter().map(|platform| PlatformBlobs::new(word, *platform)).collect::<Result<_, _>>()?;
        let docker = Family::new(&parts, Form::Docker)?;
        let oci = Family::new(&parts, Form::Oci)?;
        let list = descriptors(&parts, &oci.images);
        let note = |text: &str| BTreeMap::from([(ANNOTATION.to_owned(), format!("{word} {text}"))]);
        let noted = list.iter().cloned().map(|own| Descriptor { annotations: note("a line"), ..own }).collect();
        let annotated = Index { annotations: note("the index"), manifests: noted, ..Index::default() };
        let kind = ARTIFACT_TYPE.to_owned();
        let typed = Index { artifact_type: kind, manifests: list, ..Index::default() };
        let inner = Descriptor::of(oci.list.media_type, &oci.list.bytes);
        let nested = Index { manifests: vec![inner], ..Index::default() };
        let (referrer, subject) = referrer(&parts, &oci)?;
        let mut referring = Descriptor::of(referrer.media_type, &referrer.bytes);
        ARTIFACT_TYPE.clone_into(&mut referring.artifact_type);
        let referrers_index = Index { manifests: vec![referring], ..Index::default() };
        let first = |family: &Family| {
            let first = descriptors(&parts, &family.images).into_iter().next();
            first.ok_or(DocumentError::Missing("an image"))
        };
        let entries = EntrySamples::new(word, &first(&docker)?, &first(&oci)?)?;
        Ok(Samples {
            entries,
            word: word.to_owned(),
            annotated: index(annotated, Form::Oci, 2)?,
            typed: index(typed, Form::Oci, 2)?,
            nested: index(nested, Form::Oci, 3)?,
            referrers_index: index(referrers_index, Form::Oci, 4)?,
            blobs: parts.into_iter().flat_map(|part| [part.config, part.layer]).collect(),
            docker,
            oci,
            referrer,
            subject,
        })
    }

    /// A tag that begins with the word.
    pub(crate) fn tag(&self, what: &str) -> String {
        format!("{}-{what}", self.word)
    }

    /// The referrers tag (distribution-spec, "Referrers Tag Schema").
    pub(crate) fn referrers_tag(&self) -> String {
        referrers::tag(&self.subject)
    }
}

/// The blobs of one platform's image.
struct PlatformBlobs {
    platform: Platform,
    config: Vec<u8>,
    layer: Vec<u8>,
}

impl PlatformBlobs {
    fn new(word: &str, (architecture, variant): (&str, &str)) -> Result<PlatformBlobs, CommandError> {
        let (architecture, variant) = (architecture.to_owned(), variant.to_owned());
        let platform = Platform { os: "linux".to_owned(), architecture, variant, ..Platform::default() };
        let (archive, layer) = layer("docker-manifest-check.txt", &format!("{word} {platform}\n"))?;
        let mut config = json!({
            "architecture": platform.architecture,
            "os": platform.os,
            "config": {"Labels": {ANNOTATION: word}},
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(&archive).as_str()]},
        });
        if let (Some(members), false) = (config.as_object_mut(), platform.variant.is_empty()) {
            members.insert("variant".to_owned(), platform.variant.as_str().into());
        }
        Ok(PlatformBlobs { config: json::encode(&config).map_err(DocumentError::from)?, layer, platform })
    }

    fn manifest(&self, form: Form, referring: Option<Descriptor>) -> Result<Document, DocumentError> {
        let (media_type, config, layer) = match form {
            Form::Docker => (media_type::DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER),
            Form::Oci | Form::Auto => (media_type::OCI_MANIFEST, OCI_CONFIG, OCI_LAYER),
        };
        let rank = if referring.is_some() { 3 } else { 1 };
        let bytes = json::encode(&Manifest {
            schema_version: 2,
            media_type,
            artifact_type: if referring.is_some() { ARTIFACT_TYPE } else { "" },
            config: Descriptor::of(config, &self.config),
            layers: [Descriptor::of(layer, &self.layer)],
            subject: referring,
        })?;
        Ok(Document::new(media_type, bytes, rank))
    }
}

/// The smallest valid layer: a tar archive of one file, and the same in gzip's format. Nothing is compressed, so that
/// the bytes are the same everywhere.
fn layer(name: &str, text: &str) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(text.len() as u64);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, text.as_bytes())?;
    let archive = archive.into_inner()?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(&archive)?;
    Ok((archive, gzip.finish()?))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    artifact_type: &'a str,
    config: Descriptor,
    layers: [Descriptor; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Descriptor>,
}

impl Family {
    fn new(parts: &[PlatformBlobs], form: Form) -> Result<Family, DocumentError> {
        let images: Vec<Document> = parts.iter().map(|part| part.manifest(form, None)).collect::<Result<_, _>>()?;
        let descriptors = descriptors(parts, &images);
        let of = |number: usize| {
            let manifests = descriptors.iter().take(number).cloned().collect();
            index(Index { manifests, ..Index::default() }, form, 2)
        };
        Ok(Family { list: of(descriptors.len())?, by_digest: of(2)?, untagged: of(1)?, images })
    }
}

fn descriptors(parts: &[PlatformBlobs], images: &[Document]) -> Vec<Descriptor> {
    let descriptor = |(part, image): (&PlatformBlobs, &Document)| Descriptor {
        platform: Some(part.platform.clone()),
        ..Descriptor::of(image.media_type, &image.bytes)
    };
    parts.iter().zip(images).map(descriptor).collect()
}

/// A manifest whose subject is the first image, and that image's digest.
fn referrer(parts: &[PlatformBlobs], oci: &Family) -> Result<(Document, Digest), DocumentError> {
    let (Some(part), Some(subject)) = (parts.first(), oci.images.first()) else {
        return Err(DocumentError::Missing("an image"));
    };
    let referred = Descriptor::of(subject.media_type, &subject.bytes);
    Ok((part.manifest(Form::Oci, Some(referred))?, subject.digest.clone()))
}

fn index(index: Index, form: Form, rank: u8) -> Result<Document, DocumentError> {
    let List { media_type, bytes, digest, .. } = List::of(index, form)?;
    Ok(Document { media_type, bytes, digest, rank })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn documents(samples: &Samples) -> Vec<&Document> {
        let Samples { docker, oci, annotated, typed, nested, referrer, referrers_index, entries, .. } = samples;
        let mut all = vec![annotated, typed, nested, referrer, referrers_index];
        all.extend(entries.docker.iter().chain(&entries.oci));
        for Family { images, list, by_digest, untagged } in [docker, oci] {
            all.extend(images.iter().chain([list, by_digest, untagged]));
        }
        all
    }

    #[test]
    fn one_word_makes_the_same_bytes_and_another_word_others() {
        let (one, again, other) = (Samples::new("a").unwrap(), Samples::new("a").unwrap(), Samples::new("b").unwrap());
        assert_eq!(documents(&one), documents(&again));
        let digests = |samples: &Samples| {
            let blobs = samples.blobs.iter().map(|blob| Digest::of(blob));
            documents(samples).into_iter().map(|document| document.digest.clone()).chain(blobs).collect::<Vec<_>>()
        };
        let all: BTreeSet<Digest> = digests(&one).into_iter().chain(digests(&other)).collect();
        assert_eq!(all.len(), 2 * (5 + 4 + 2 * 6 + 6), "nothing is there twice");
    }

    #[test]
    fn every_name_of_content_is_of_content_that_is_there() {
        let samples = Samples::new("a").unwrap();
        let mut known: BTreeSet<Digest> = samples.blobs.iter().map(|blob| Digest::of(blob)).collect();
        known.extend(documents(&samples).iter().map(|document| document.digest.clone()));
        for document in documents(&samples) {
            let text = std::str::from_utf8(&document.bytes).unwrap();
            let named: Vec<&str> = text.split('"').filter(|part| part.starts_with("sha256:")).collect();
            assert!(!named.is_empty() && named.iter().all(|digest| known.contains(&digest.parse().unwrap())), "{text}");
            assert!(text.contains(document.media_type));
        }
    }

    #[test]
    fn a_layer_is_an_archive_of_one_file_that_is_the_same_everywhere() {
        let (archive, gzip) = layer("a.txt", "text").unwrap();
        let mut read = tar::Archive::new(flate2::read::GzDecoder::new(gzip.as_slice()));
        let mut files = read.entries().unwrap();
        let mut file = files.next().unwrap().unwrap();
        assert_eq!(file.path().unwrap().to_str(), Some("a.txt"));
        assert_eq!((file.header().mtime().unwrap(), file.header().mode().unwrap()), (0, 0o644));
        assert_eq!(io::read_to_string(&mut file).unwrap(), "text");
        assert!(files.next().is_none());
        // A header, the text, and two empty blocks. In gzip's format neither a time nor a system, and no compression.
        assert_eq!((archive.len(), gzip.len()), (4 * 512, archive.len() + 23));
        assert_eq!((&archive[257..265], &gzip[4..8], gzip[9]), (&b"ustar\x0000"[..], &[0; 4][..], 0xff));
    }

    #[test]
    fn tags_are_tags() {
        let samples = Samples::new("check-0a1b").unwrap();
        assert_eq!(samples.tag("oci"), "check-0a1b-oci");
        assert_eq!(samples.referrers_tag(), format!("sha256-{}", &samples.subject.as_str()[7..]));
    }
}

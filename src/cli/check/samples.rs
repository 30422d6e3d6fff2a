//! The samples that a check pushes: small images of several platforms, and lists of them, made from one prefix.
//!
//! The prefix differs in each run, so that two runs do not delete each other's objects, and a blob to be mounted is not
//! there from an earlier run. Everything else is always the same.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::json;

use crate::cli::check::sample_manifest::SampleManifest;
use crate::cli::check::shared_entry_samples::SharedEntrySamples;
use crate::core::error::CommandError;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::{EncodedManifest, Index, ListFormat};
use crate::model::{DocumentError, json, media_type, referrers};
use crate::platform::Platform;

/// The architectures and variants of the images, all for Linux.
const PLATFORMS: [(&str, &str); 3] = [("amd64", ""), ("arm64", "v8"), ("arm", "v7")];

/// The artifact type of the samples.
pub(crate) const ARTIFACT_TYPE: &str = "application/vnd.docker-manifest.check";

const ANNOTATION_KEY: &str = "com.docker-manifest.check";

const DOCKER_CONFIG_TYPE: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const OCI_CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The samples of one format.
#[derive(Debug)]
pub(crate) struct FormatSamples {
    /// An image for each platform.
    pub(crate) images: Vec<SampleManifest>,
    /// A list of all of them.
    pub(crate) list: SampleManifest,
    /// Another list, to be put by its digest.
    pub(crate) list_by_digest: SampleManifest,
    /// A list whose tag is deleted.
    pub(crate) list_to_untag: SampleManifest,
}

/// All samples.
#[derive(Debug)]
pub(crate) struct Samples {
    /// The prefix of all names.
    pub(crate) name_prefix: String,
    /// Configurations and layers, one of each per platform.
    pub(crate) blobs: Vec<Vec<u8>>,
    /// The samples in Docker's format.
    pub(crate) docker: FormatSamples,
    /// The samples in OCI's format.
    pub(crate) oci: FormatSamples,
    /// An index with annotations, its own and those of its descriptors.
    pub(crate) annotated: SampleManifest,
    /// An index with an artifact type.
    pub(crate) with_artifact_type: SampleManifest,
    /// An index that names the list of all images.
    pub(crate) nested: SampleManifest,
    /// A manifest whose subject is the first image.
    pub(crate) referrer: SampleManifest,
    /// The index for the referrers tag (distribution-spec, "Referrers Tag Schema") of the first image.
    pub(crate) referrers_index: SampleManifest,
    /// The digest of the subject.
    pub(crate) subject: Digest,
    /// Entries of a shared draft.
    pub(crate) shared_entries: SharedEntrySamples,
}

impl Samples {
    /// Makes all samples.
    ///
    /// # Errors
    /// None for a valid prefix.
    pub(crate) fn new(name_prefix: &str) -> Result<Samples, CommandError> {
        let parts: Vec<PlatformBlobs> =
            PLATFORMS.iter().map(|platform| PlatformBlobs::new(name_prefix, *platform)).collect::<Result<_, _>>()?;
        let docker = FormatSamples::new(&parts, ListFormat::Docker)?;
        let oci = FormatSamples::new(&parts, ListFormat::Oci)?;
        let list = image_descriptors(&parts, &oci.images);
        let annotations = |text: &str| BTreeMap::from([(ANNOTATION_KEY.to_owned(), format!("{name_prefix} {text}"))]);
        let annotated_list =
            list.iter().cloned().map(|entry| Descriptor { annotations: annotations("a line"), ..entry }).collect();
        let annotated = Index { annotations: annotations("the index"), manifests: annotated_list, ..Index::default() };
        let artifact_type = ARTIFACT_TYPE.to_owned();
        let with_artifact_type = Index { artifact_type, manifests: list, ..Index::default() };
        let inner = Descriptor::for_content(oci.list.media_type, &oci.list.bytes);
        let nested = Index { manifests: vec![inner], ..Index::default() };
        let (referrer, subject) = referrer_and_subject(&parts, &oci)?;
        let mut referrer_entry = Descriptor::for_content(referrer.media_type, &referrer.bytes);
        ARTIFACT_TYPE.clone_into(&mut referrer_entry.artifact_type);
        let referrers_index = Index { manifests: vec![referrer_entry], ..Index::default() };
        let first = |samples: &FormatSamples| {
            let first = image_descriptors(&parts, &samples.images).into_iter().next();
            first.ok_or(DocumentError::MissingMember("an image"))
        };
        let shared_entries = SharedEntrySamples::new(name_prefix, &first(&docker)?, &first(&oci)?)?;
        Ok(Samples {
            shared_entries,
            name_prefix: name_prefix.to_owned(),
            annotated: index(annotated, ListFormat::Oci, 2)?,
            with_artifact_type: index(with_artifact_type, ListFormat::Oci, 2)?,
            nested: index(nested, ListFormat::Oci, 3)?,
            referrers_index: index(referrers_index, ListFormat::Oci, 4)?,
            blobs: parts.into_iter().flat_map(|part| [part.config, part.layer]).collect(),
            docker,
            oci,
            referrer,
            subject,
        })
    }

    /// A tag that begins with the prefix.
    pub(crate) fn tag(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.name_prefix)
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
    fn new(name_prefix: &str, (architecture, variant): (&str, &str)) -> Result<PlatformBlobs, CommandError> {
        let (architecture, variant) = (architecture.to_owned(), variant.to_owned());
        let platform = Platform { os: "linux".to_owned(), architecture, variant, ..Platform::default() };
        let (archive, layer) = archive_and_layer("docker-manifest-check.txt", &format!("{name_prefix} {platform}\n"))?;
        let mut config = json!({
            "architecture": platform.architecture,
            "os": platform.os,
            "config": {"Labels": {ANNOTATION_KEY: name_prefix}},
            "rootfs": {"type": "layers", "diff_ids": [Digest::from_bytes(&archive).as_str()]},
        });
        if let (Some(members), false) = (config.as_object_mut(), platform.variant.is_empty()) {
            members.insert("variant".to_owned(), platform.variant.as_str().into());
        }
        Ok(PlatformBlobs { config: json::encode(&config).map_err(DocumentError::from)?, layer, platform })
    }

    fn manifest(&self, format: ListFormat, subject: Option<Descriptor>) -> Result<SampleManifest, DocumentError> {
        let (media_type, config, layer) = match format {
            ListFormat::Docker => (media_type::DOCKER_MANIFEST, DOCKER_CONFIG_TYPE, DOCKER_LAYER_TYPE),
            ListFormat::Oci | ListFormat::Auto => (media_type::OCI_MANIFEST, OCI_CONFIG_TYPE, OCI_LAYER_TYPE),
        };
        let deletion_priority = if subject.is_some() { 3 } else { 1 };
        let bytes = json::encode(&Manifest {
            schema_version: 2,
            media_type,
            artifact_type: if subject.is_some() { ARTIFACT_TYPE } else { "" },
            config: Descriptor::for_content(config, &self.config),
            layers: [Descriptor::for_content(layer, &self.layer)],
            subject,
        })?;
        Ok(SampleManifest::new(media_type, bytes, deletion_priority))
    }
}

/// The smallest valid layer: a tar archive of one file, and the same in gzip's format. Nothing is compressed, so that
/// the bytes are the same everywhere.
fn archive_and_layer(name: &str, text: &str) -> io::Result<(Vec<u8>, Vec<u8>)> {
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

impl FormatSamples {
    fn new(parts: &[PlatformBlobs], format: ListFormat) -> Result<FormatSamples, DocumentError> {
        let images: Vec<SampleManifest> =
            parts.iter().map(|part| part.manifest(format, None)).collect::<Result<_, _>>()?;
        let descriptors = image_descriptors(parts, &images);
        let list = |number: usize| {
            let manifests = descriptors.iter().take(number).cloned().collect();
            index(Index { manifests, ..Index::default() }, format, 2)
        };
        Ok(FormatSamples { list: list(descriptors.len())?, list_by_digest: list(2)?, list_to_untag: list(1)?, images })
    }
}

fn image_descriptors(parts: &[PlatformBlobs], images: &[SampleManifest]) -> Vec<Descriptor> {
    let descriptor = |(part, image): (&PlatformBlobs, &SampleManifest)| Descriptor {
        platform: Some(part.platform.clone()),
        ..Descriptor::for_content(image.media_type, &image.bytes)
    };
    parts.iter().zip(images).map(descriptor).collect()
}

/// A manifest whose subject is the first image, and that image's digest.
fn referrer_and_subject(
    parts: &[PlatformBlobs],
    oci: &FormatSamples,
) -> Result<(SampleManifest, Digest), DocumentError> {
    let (Some(part), Some(subject)) = (parts.first(), oci.images.first()) else {
        return Err(DocumentError::MissingMember("an image"));
    };
    let subject_descriptor = Descriptor::for_content(subject.media_type, &subject.bytes);
    Ok((part.manifest(ListFormat::Oci, Some(subject_descriptor))?, subject.digest.clone()))
}

fn index(index: Index, format: ListFormat, deletion_priority: u8) -> Result<SampleManifest, DocumentError> {
    let EncodedManifest { media_type, bytes, digest, .. } = EncodedManifest::from_index(index, format)?;
    Ok(SampleManifest { media_type, bytes, digest, deletion_priority })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn manifests(samples: &Samples) -> Vec<&SampleManifest> {
        let Samples {
            docker,
            oci,
            annotated,
            with_artifact_type,
            nested,
            referrer,
            referrers_index,
            shared_entries,
            ..
        } = samples;
        let mut all = vec![annotated, with_artifact_type, nested, referrer, referrers_index];
        all.extend(shared_entries.docker.iter().chain(&shared_entries.oci));
        for FormatSamples { images, list, list_by_digest, list_to_untag } in [docker, oci] {
            all.extend(images.iter().chain([list, list_by_digest, list_to_untag]));
        }
        all
    }

    #[test]
    fn samples_are_the_same_for_one_prefix_and_differ_for_another() {
        let (samples, same, different) =
            (Samples::new("a").unwrap(), Samples::new("a").unwrap(), Samples::new("b").unwrap());
        assert_eq!(manifests(&samples), manifests(&same));
        let digests = |samples: &Samples| {
            let blobs = samples.blobs.iter().map(|blob| Digest::from_bytes(blob));
            manifests(samples).into_iter().map(|manifest| manifest.digest.clone()).chain(blobs).collect::<Vec<_>>()
        };
        let all: BTreeSet<Digest> = digests(&samples).into_iter().chain(digests(&different)).collect();
        assert_eq!(all.len(), 2 * (5 + 4 + 2 * 6 + 6), "nothing is there twice");
    }

    #[test]
    fn samples_name_only_content_that_is_among_them() {
        let samples = Samples::new("a").unwrap();
        let mut known: BTreeSet<Digest> = samples.blobs.iter().map(|blob| Digest::from_bytes(blob)).collect();
        known.extend(manifests(&samples).iter().map(|manifest| manifest.digest.clone()));
        for manifest in manifests(&samples) {
            let text = std::str::from_utf8(&manifest.bytes).unwrap();
            let named: Vec<&str> = text.split('"').filter(|part| part.starts_with("sha256:")).collect();
            assert!(!named.is_empty() && named.iter().all(|digest| known.contains(&digest.parse().unwrap())), "{text}");
            assert!(text.contains(manifest.media_type));
        }
    }

    #[test]
    fn sample_layers_are_reproducible_archives_of_one_file() {
        let (archive, gzip) = archive_and_layer("a.txt", "text").unwrap();
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
    fn sample_tags_begin_with_the_prefix() {
        let samples = Samples::new("check-0a1b").unwrap();
        assert_eq!(samples.tag("oci"), "check-0a1b-oci");
        assert_eq!(samples.referrers_tag(), format!("sha256-{}", &samples.subject.as_str()[7..]));
    }
}

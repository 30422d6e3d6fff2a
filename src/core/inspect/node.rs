//! A manifest, its descriptor in the list that names it, and its content as far as it is known.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::error::CommandError;
use crate::core::platform_match;
use crate::digest::Digest;
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::entry::{attested_digest, is_attestation};
use crate::model::index::Index;
use crate::model::manifest::{self, ImageFormat, ManifestKind};
use crate::model::{DocumentError, Draft, Entry, media_type};
use crate::reference::Reference;

/// The annotation by which BuildKit names the predicate of an attestation's layer.
const PREDICATE_TYPE_ANNOTATION: &str = "in-toto.io/predicate-type";

/// The prefix of the annotations by which BuildKit marks an attestation.
const ATTESTATION_PREFIX: &str = "vnd.docker.reference.";

/// A manifest. At the top level the annotations and artifact type in `descriptor` are the manifest's own; below it they
/// are those of its descriptor in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InspectNode {
    pub(crate) location: Location,
    pub(crate) descriptor: Descriptor,
    /// The index that an entry of a draft came from.
    pub(crate) source: Option<Reference>,
    /// Whether it is a draft, whose content no registry need have.
    pub(crate) is_draft: bool,
    /// The referrers, if they were requested.
    pub(crate) referrers: Vec<InspectNode>,
    /// The tags of cosign, if it is a referrer.
    pub(crate) tags: Vec<String>,
    /// The subject of the manifest; known at the top level only.
    pub(crate) subject: Option<Descriptor>,
    pub(crate) contents: NodeContents,
}

/// The content of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NodeContents {
    /// The manifest was not requested.
    NotExpanded,
    /// The list names the manifest, and the registry does not have it.
    Missing,
    /// Blobs.
    Image(Box<ImageContents>),
    /// Other manifests.
    List(Vec<InspectNode>),
}

/// The blobs of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageContents {
    pub(crate) config: Option<Descriptor>,
    pub(crate) layers: Vec<Descriptor>,
}

impl ImageContents {
    /// Reads an image manifest.
    pub(crate) fn parse(bytes: &[u8]) -> Result<ImageContents, DocumentError> {
        let config = manifest::config(bytes).ok();
        let layers = manifest::blobs(bytes)?.into_iter().skip(usize::from(config.is_some())).collect();
        Ok(ImageContents { config, layers })
    }

    /// The size of the download, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.config.iter().chain(&self.layers).fold(0, |size, blob| size.saturating_add(blob.size))
    }

    /// The type of an artifact that states it only by its configuration's media type, for example a Helm chart.
    pub(crate) fn config_artifact_type(&self) -> Option<&str> {
        let kind = self.config.as_ref().map(|config| config.media_type.as_str())?;
        (!kind.is_empty() && !media_type::is_image_config(kind)).then_some(kind)
    }
}

/// The predicate type of an attestation's layer.
pub(crate) fn predicate_type(layer: &Descriptor) -> Option<&str> {
    layer.annotations.get(PREDICATE_TYPE_ANNOTATION).map(String::as_str)
}

impl InspectNode {
    /// A manifest of which only the descriptor is known.
    pub(crate) fn from_descriptor(location: Location, descriptor: Descriptor) -> InspectNode {
        InspectNode {
            location,
            descriptor,
            source: None,
            is_draft: false,
            referrers: Vec::new(),
            tags: Vec::new(),
            subject: None,
            contents: NodeContents::NotExpanded,
        }
    }

    /// A manifest with its own members.
    pub(crate) fn from_manifest(
        location: Location,
        media_type: &str,
        digest: &Digest,
        bytes: &[u8],
        contents: NodeContents,
    ) -> InspectNode {
        // An image manifest has these members, too. Members of another type are ignored.
        let Index { artifact_type, annotations, subject, .. } = Index::decode(bytes).unwrap_or_default();
        let descriptor = Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
        InspectNode {
            subject,
            contents,
            ..InspectNode::from_descriptor(location, Descriptor { artifact_type, annotations, ..descriptor })
        }
    }

    /// A draft, as the list that it would become.
    pub(crate) fn from_draft(draft: &Draft) -> Result<InspectNode, CommandError> {
        let list = draft.encode_for_display().map_err(|error| CommandError::UndisplayableDraft(Box::new(error)))?;
        let children = draft.entries_in_list_order().map(InspectNode::from_entry).collect::<Result<_, _>>()?;
        let contents = NodeContents::List(children);
        let top = InspectNode::from_manifest(
            draft.reference.clone().into(),
            list.media_type,
            &list.digest,
            &list.bytes,
            contents,
        );
        Ok(InspectNode { is_draft: true, ..top })
    }

    /// An entry of a draft.
    pub(crate) fn from_entry(entry: &Entry) -> Result<InspectNode, CommandError> {
        let contents = NodeContents::Image(Box::new(ImageContents::parse(&entry.manifest_json()?)?));
        let node = InspectNode::from_descriptor(entry.reference.clone().into(), entry.descriptor.clone());
        Ok(InspectNode { source: entry.source.clone(), contents, ..node })
    }

    /// The children, if it is a list and they were requested.
    pub(crate) fn children(&self) -> &[InspectNode] {
        match &self.contents {
            NodeContents::List(children) => children,
            _ => &[],
        }
    }

    /// The blobs, if it is an image and its manifest was requested.
    pub(crate) fn image_contents(&self) -> Option<&ImageContents> {
        match &self.contents {
            NodeContents::Image(contents) => Some(contents),
            _ => None,
        }
    }

    /// Whether it is an attestation of BuildKit.
    pub(crate) fn is_attestation(&self) -> bool {
        is_attestation(&self.descriptor)
    }

    /// The digest of the image that an attestation describes.
    pub(crate) fn attested_digest(&self) -> Option<Digest> {
        attested_digest(&self.descriptor)
    }

    /// Marks it as missing.
    pub(crate) fn missing_text(&self) -> &'static str {
        if self.location.layout().is_some() { "not in the layout" } else { "not in the registry" }
    }

    /// The platform, if it is stated.
    pub(crate) fn platform(&self) -> Option<String> {
        platform_match::known_platform(&self.descriptor).map(ToString::to_string)
    }

    /// The kind of manifest, in a few words.
    pub(crate) fn kind(&self) -> String {
        let artifact = Some(self.descriptor.artifact_type.as_str()).filter(|kind| !kind.is_empty());
        let artifact = artifact.or(self.image_contents().and_then(ImageContents::config_artifact_type));
        match (ManifestKind::from_media_type(&self.descriptor.media_type), artifact) {
            _ if self.is_attestation() => "attestation".to_owned(),
            (Some(ManifestKind::List), _)
                if media_type::essence(&self.descriptor.media_type) == media_type::DOCKER_LIST =>
            {
                "docker list".to_owned()
            }
            (Some(ManifestKind::List), _) => "oci index".to_owned(),
            (Some(ManifestKind::Image(_)), Some(artifact)) => format!("artifact {artifact}"),
            (Some(ManifestKind::Image(ImageFormat::Docker)), None) => "docker image".to_owned(),
            (Some(ManifestKind::Image(ImageFormat::Oci)), None) => "oci image".to_owned(),
            (None, _) if self.descriptor.media_type.is_empty() => "unknown".to_owned(),
            (None, _) => self.descriptor.media_type.clone(),
        }
    }

    /// The kind of a referrer: cosign's, which is in its tag, or its artifact type.
    pub(crate) fn referrer_kind(&self) -> String {
        let of_cosign = self.tags.iter().find_map(|tag| tag.rsplit_once('.'));
        match of_cosign {
            Some((_, kind)) => format!("cosign {kind}"),
            None if self.descriptor.artifact_type.is_empty() => self.kind(),
            None => self.descriptor.artifact_type.clone(),
        }
    }

    /// The annotations without BuildKit's marks of attestations, which are shown in another way.
    pub(crate) fn shown_annotations(&self) -> impl Iterator<Item = (&String, &String)> {
        let is_shown = self.is_attestation();
        self.descriptor.annotations.iter().filter(move |(name, _)| !(is_shown && name.starts_with(ATTESTATION_PREFIX)))
    }

    /// All digests in the node.
    pub(crate) fn manifest_and_blob_digests(&self) -> Vec<&Digest> {
        let mut digests = vec![&self.descriptor.digest];
        if let Some(contents) = self.image_contents() {
            digests.extend(contents.config.iter().chain(&contents.layers).map(|blob| &blob.digest));
        }
        digests.extend(self.children().iter().chain(&self.referrers).flat_map(InspectNode::manifest_and_blob_digests));
        digests
    }
}

/// The manifests of a list in its order. Attestations follow their image, or stand alone if the list does not have it.
pub(crate) fn with_attestations(children: &[InspectNode]) -> Vec<(&InspectNode, Vec<&InspectNode>)> {
    let attested: Vec<Option<Digest>> = children.iter().map(InspectNode::attested_digest).collect();
    let pairs = || children.iter().zip(&attested);
    let images: BTreeSet<&Digest> =
        pairs().filter(|(_, subject)| subject.is_none()).map(|(child, _)| &child.descriptor.digest).collect();
    let mut attestations: BTreeMap<&Digest, Vec<&InspectNode>> = BTreeMap::new();
    for (child, subject) in pairs() {
        if let Some(subject) = subject {
            attestations.entry(subject).or_default().push(child);
        }
    }
    let top_level = pairs().filter(|(_, subject)| subject.as_ref().is_none_or(|subject| !images.contains(subject)));
    // A list may name an image twice; its attestations are shown once.
    let mut pair = |(child, subject): (_, &Option<Digest>)| {
        let child: &InspectNode = child;
        let attestations_of_child =
            if subject.is_none() { attestations.remove(&child.descriptor.digest) } else { None };
        (child, attestations_of_child.unwrap_or_default())
    };
    top_level.map(&mut pair).collect()
}

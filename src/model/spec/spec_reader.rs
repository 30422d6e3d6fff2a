//! Reads specs from a YAML tree: the known keys and their values.

use std::collections::BTreeMap;

use super::error::{LocatedError, SpecErrorKind, SpecSuggestion};
use super::node_reader::{MappingKind, NodeReader};
use super::platform_check;
use super::yaml_tree::{NodeContent, NodeId, YamlTree};
use super::{AttestationsPolicy, BuildOutputSource, Dialect, EmptyFields, Spec, SpecEntry, Target};
use crate::location::{InvalidLocation, Location};
use crate::model::index::ListFormat;
use crate::model::media_type;
use crate::platform::Platform;
use crate::reference::{Reference, ReferenceError, Repository, is_tag};

pub(super) const SPEC: MappingKind = MappingKind {
    name: "a spec",
    keys: &[
        "image",
        "images",
        "tags",
        "source",
        "annotations",
        "artifactType",
        "type",
        "attestations",
        "require",
        "manifests",
        "from",
    ],
};

pub(super) const FROM: MappingKind = MappingKind { name: "an item of `from`", keys: &["path", "target", "repository"] };

pub(super) const ENTRY: MappingKind =
    MappingKind { name: "an entry of `manifests`", keys: &["image", "platform", "annotations", "artifactType"] };

pub(super) const PLATFORM: MappingKind = MappingKind {
    name: "`platform`",
    keys: &[
        "architecture",
        "os",
        "variant",
        "osversion",
        "os.version",
        "osVersion",
        "os_version",
        "osfeatures",
        "os.features",
        "osFeatures",
        "os_features",
        "features",
        "force",
    ],
};

/// The values of `type`.
pub(crate) const LIST_FORMATS: &[(&str, ListFormat)] =
    &[("auto", ListFormat::Auto), ("docker", ListFormat::Docker), ("oci", ListFormat::Oci)];

/// The values of `attestations`.
pub(crate) const ATTESTATIONS_POLICIES: &[(&str, AttestationsPolicy)] =
    &[("keep", AttestationsPolicy::Keep), ("drop", AttestationsPolicy::Drop)];

/// The member `platform` of an entry, as in [`SpecEntry`].
#[derive(Default)]
struct PlatformMember {
    platform: Option<Platform>,
    explicitly_empty: EmptyFields,
    force: bool,
}

/// Reads each document as a spec. Returns the specs and the warnings.
pub(super) fn specs(
    tree: &YamlTree<'_>,
    dialect: Dialect,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Vec<Spec>, Vec<LocatedError>), LocatedError> {
    if tree.documents.is_empty() {
        return Err(LocatedError { range: 0..0, kind: SpecErrorKind::NoSpec });
    }
    let reader = NodeReader::new(tree, dialect, env);
    let specs = tree.documents.iter().map(|document| reader.spec(*document)).collect::<Result<_, _>>()?;
    Ok((specs, reader.warnings()))
}

impl NodeReader<'_> {
    fn spec(&self, id: NodeId) -> Result<Spec, LocatedError> {
        let members = self.members(id, &SPEC)?;
        let targets = self.required(&members, "image", id, "a spec")?;
        if !members.contains_key("from") {
            self.required(&members, "manifests", id, "a spec")?;
        }
        let spec = Spec {
            targets: self.one_or_more(targets, "image", NodeReader::target)?,
            tags: self
                .optional(&members, "tags", |reader, id| reader.list(id, "`tags`", |reader, id| reader.tag(id)))?,
            source_location: self
                .optional(&members, "source", |reader, id| reader.location(id, "`source`").map(Some))?,
            annotations: self.optional(&members, "annotations", NodeReader::annotations)?,
            artifact_type: self.optional(&members, "artifactType", NodeReader::artifact_type)?,
            list_format: self.optional(&members, "type", NodeReader::list_format)?,
            attestations: self.optional(&members, "attestations", NodeReader::attestations)?,
            require: self.optional(&members, "require", |reader, id| {
                reader.list(id, "`require`", |reader, id| reader.platform_text(id, "an item of `require`"))
            })?,
            manifests: self.optional(&members, "manifests", |reader, id| {
                reader.non_empty_list(id, "manifests", NodeReader::entry)
            })?,
            from: self.optional(&members, "from", NodeReader::build_outputs)?,
        };
        // The files of `from` may name all images.
        if spec.manifests.is_empty() && spec.from.is_empty() {
            self.required(&members, "manifests", id, "a spec")?;
        }
        Ok(spec)
    }

    /// The value of `from`: a path, or a list of paths and mappings.
    fn build_outputs(&self, id: NodeId) -> Result<Vec<BuildOutputSource>, LocatedError> {
        if let NodeContent::Scalar { .. } = self.tree.node(id).content {
            return Ok(vec![self.build_output(id)?]);
        }
        self.list(id, "`from`", NodeReader::build_output)
    }

    fn build_output(&self, id: NodeId) -> Result<BuildOutputSource, LocatedError> {
        if let NodeContent::Scalar { .. } = self.tree.node(id).content {
            return Ok(BuildOutputSource { path: self.path(id)?, build_targets: Vec::new(), repository: None });
        }
        let members = self.members(id, &FROM)?;
        let path = self.required(&members, "path", id, FROM.name)?;
        let target = |reader: &Self, id| reader.text(id, "`target`");
        Ok(BuildOutputSource {
            path: self.path(path)?,
            build_targets: self.optional(&members, "target", |reader, id| reader.one_or_more(id, "target", target))?,
            repository: self.optional(&members, "repository", |reader, id| reader.repository(id).map(Some))?,
        })
    }

    fn path(&self, id: NodeId) -> Result<String, LocatedError> {
        let path = self.text(id, "`path`")?;
        if path.is_empty() { Err(self.error_at(id, SpecErrorKind::Empty("path"))) } else { Ok(path) }
    }

    fn repository(&self, id: NodeId) -> Result<Repository, LocatedError> {
        let reference = self.reference(id, "`repository`")?;
        let text = self.text(id, "`repository`")?;
        if Reference::is_repository_only(&text) {
            return Ok(reference.repository().clone());
        }
        Err(self.invalid_reference(id, "`repository`", text, ReferenceError::Format.into()))
    }

    fn entry(&self, id: NodeId) -> Result<SpecEntry, LocatedError> {
        let members = self.members(id, &ENTRY)?;
        let image = self.required(&members, "image", id, ENTRY.name)?;
        let PlatformMember { platform, explicitly_empty, force } =
            self.optional(&members, "platform", NodeReader::platform)?;
        Ok(SpecEntry {
            image: self.location(image, "`image`")?,
            platform,
            explicitly_empty,
            force,
            annotations: self.optional(&members, "annotations", NodeReader::annotations)?,
            artifact_type: self.optional(&members, "artifactType", NodeReader::artifact_type)?,
        })
    }

    fn platform(&self, id: NodeId) -> Result<PlatformMember, LocatedError> {
        if let NodeContent::Scalar { .. } = self.tree.node(id).content {
            let platform = Some(self.platform_text(id, "`platform`")?);
            return Ok(PlatformMember { platform, ..PlatformMember::default() });
        }
        let members = self.members(id, &PLATFORM)?;
        let text = |key: &'static str| {
            self.optional(&members, key, |reader, id| reader.text(id, &format!("`{key}`")).map(Some))
                .map(Option::unwrap_or_default)
        };
        let texts = |key: &'static str, item: &'static str| {
            self.optional(&members, key, |reader, id| {
                reader.list(id, &format!("`{key}`"), |reader, id| reader.text(id, item))
            })
        };
        let force: bool = self.optional(&members, "force", |reader, id| {
            reader.word(id, "force", "choice", &[("true", true), ("false", false)])
        })?;
        let platform = Platform {
            architecture: text("architecture")?,
            os: text("os")?,
            os_version: text("os.version")?,
            os_features: texts("os.features", "an item of `os.features`")?,
            variant: text("variant")?,
            features: texts("features", "an item of `features`")?,
        };
        if force {
            let platform = (platform != Platform::default()).then_some(platform);
            return Ok(PlatformMember { platform, force, ..PlatformMember::default() });
        }
        let platform = platform_check::with_canonical_spelling(platform);
        platform_check::check(&platform, "`platform`")
            .map_err(|(key, kind)| self.error_at(members.get(key).copied().unwrap_or(id), kind))?;
        if let Some(id) = members.get("os.version") {
            self.check_os_version(*id, &platform);
        }
        // Only an empty value in the file counts, not a variable that expands to nothing. manifest-tool does not
        // distinguish an empty field from a missing one.
        let is_empty = |key: &str| {
            let is_explicitly_empty = members.get(key).is_some_and(|id| self.tree.node(*id).is_explicitly_empty());
            is_explicitly_empty && self.dialect == Dialect::Native
        };
        let explicitly_empty = EmptyFields {
            variant: is_empty("variant") && platform.variant.is_empty(),
            os_version: is_empty("os.version"),
            os_features: is_empty("os.features"),
        };
        let platform = (platform != Platform::default()).then_some(platform);
        Ok(PlatformMember { platform, explicitly_empty, force })
    }

    fn platform_text(&self, id: NodeId, name: &str) -> Result<Platform, LocatedError> {
        let text = self.text(id, name)?;
        let Ok(platform) = Platform::parse(&text) else {
            return Err(self.error_at(id, SpecErrorKind::PlatformSyntax { name: name.to_owned(), text }));
        };
        platform_check::check(&platform, name).map_err(|(_, kind)| self.error_at(id, kind))?;
        self.check_os_version(id, &platform);
        Ok(platform)
    }

    /// Warns of a version that no host can have: Windows compares versions such as `10.0.17763.1`.
    fn check_os_version(&self, id: NodeId, platform: &Platform) {
        let version = &platform.os_version;
        if !version.is_empty() && !platform_check::is_dotted_number(version) {
            self.warn(self.error_at(id, SpecErrorKind::UnmatchableOsVersion(version.clone())));
        }
    }

    fn target(&self, id: NodeId) -> Result<Target, LocatedError> {
        let text = self.text(id, "`image`")?;
        Target::parse(&text).map_err(|source| self.invalid_reference(id, "`image`", text, source.into()))
    }

    fn reference(&self, id: NodeId, name: &str) -> Result<Reference, LocatedError> {
        let text = self.text(id, name)?;
        Reference::parse(&text).map_err(|source| self.invalid_reference(id, name, text, source.into()))
    }

    /// The location of an image in a registry or in a layout.
    fn location(&self, id: NodeId, name: &str) -> Result<Location, LocatedError> {
        let text = self.text(id, name)?;
        Location::parse(&text).map_err(|source| self.invalid_reference(id, name, text, source))
    }

    fn invalid_reference(&self, id: NodeId, name: &str, text: String, source: InvalidLocation) -> LocatedError {
        self.error_at(id, SpecErrorKind::InvalidReference { name: name.to_owned(), text, source })
    }

    fn tag(&self, id: NodeId) -> Result<String, LocatedError> {
        let text = self.text(id, "an item of `tags`")?;
        if is_tag(&text) { Ok(text) } else { Err(self.error_at(id, SpecErrorKind::InvalidTag(text))) }
    }

    fn annotations(&self, id: NodeId) -> Result<BTreeMap<String, String>, LocatedError> {
        let pairs = self.pairs(id, "`annotations`")?.into_iter();
        pairs.map(|(key, _, value)| Ok((key.to_owned(), self.text(value, "an annotation")?))).collect()
    }

    fn artifact_type(&self, id: NodeId) -> Result<Option<String>, LocatedError> {
        let text = self.text(id, "`artifactType`")?;
        if media_type::is_well_formed(&text) {
            return Ok(Some(text));
        }
        Err(self.error_at(id, SpecErrorKind::InvalidMediaType(text)))
    }

    fn list_format(&self, id: NodeId) -> Result<Option<ListFormat>, LocatedError> {
        self.word(id, "type", "type", LIST_FORMATS).map(Some)
    }

    fn attestations(&self, id: NodeId) -> Result<Option<AttestationsPolicy>, LocatedError> {
        self.word(id, "attestations", "choice", ATTESTATIONS_POLICIES).map(Some)
    }

    fn word<T: Copy>(
        &self,
        id: NodeId,
        key: &str,
        noun: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<T, LocatedError> {
        let name = format!("`{key}`");
        let text = self.text(id, &name)?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let suggestion = SpecSuggestion::for_word(&text, &known);
            self.error_at(id, SpecErrorKind::UnknownWord { name, noun, text, suggestion })
        })
    }
}

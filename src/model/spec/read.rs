//! Reads specs from the tree: the known keys and their values.

use std::collections::BTreeMap;

use super::error::{Advice, Fault, SpecErrorKind};
use super::platform::{self, Field};
use super::reader::{Reader, Shape};
use super::tree::{Content, Id, Tree};
use super::{Attestations, Dialect, EmptyFields, Spec, SpecEntry, SpecFrom, Target};
use crate::location::{InvalidLocation, Location};
use crate::model::index::Form;
use crate::model::media_type;
use crate::platform::Platform;
use crate::reference::{Reference, ReferenceError, Repository, is_tag};

pub(super) const SPEC: Shape = Shape {
    place: "a spec",
    keys: &[
        ("image", "image"),
        ("images", "image"),
        ("tags", "tags"),
        ("source", "source"),
        ("annotations", "annotations"),
        ("artifactType", "artifactType"),
        ("type", "type"),
        ("attestations", "attestations"),
        ("require", "require"),
        ("manifests", "manifests"),
        ("from", "from"),
    ],
};

pub(super) const FROM: Shape =
    Shape { place: "an item of `from`", keys: &[("path", "path"), ("target", "target"), ("repository", "repository")] };

pub(super) const ENTRY: Shape = Shape {
    place: "an entry of `manifests`",
    keys: &[
        ("image", "image"),
        ("platform", "platform"),
        ("annotations", "annotations"),
        ("artifactType", "artifactType"),
    ],
};

pub(super) const PLATFORM: Shape = Shape {
    place: "`platform`",
    keys: &[
        ("architecture", "architecture"),
        ("os", "os"),
        ("variant", "variant"),
        ("osversion", "os.version"),
        ("os.version", "os.version"),
        ("osVersion", "os.version"),
        ("os_version", "os.version"),
        ("osfeatures", "os.features"),
        ("os.features", "os.features"),
        ("osFeatures", "os.features"),
        ("os_features", "os.features"),
        ("features", "features"),
        ("force", "force"),
    ],
};

/// The words of `type`.
pub(crate) const FORMS: &[(&str, Form)] = &[("auto", Form::Auto), ("docker", Form::Docker), ("oci", Form::Oci)];

/// The words of `attestations`.
pub(crate) const ATTESTATIONS: &[(&str, Attestations)] = &[("keep", Attestations::Keep), ("drop", Attestations::Drop)];

/// Reads each document as a spec. Returns the warnings too.
pub(super) fn specs(
    tree: &Tree<'_>,
    dialect: Dialect,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Vec<Spec>, Vec<Fault>), Fault> {
    if tree.documents.is_empty() {
        return Err(Fault { at: 0..0, kind: SpecErrorKind::NoSpec });
    }
    let reader = Reader::new(tree, dialect, env);
    let specs = tree.documents.iter().map(|document| reader.spec(*document)).collect::<Result<_, _>>()?;
    Ok((specs, reader.warnings()))
}

impl Reader<'_> {
    fn spec(&self, id: Id) -> Result<Spec, Fault> {
        let members = self.members(id, &SPEC)?;
        let targets = self.required(&members, "image", id, "a spec")?;
        if !members.contains_key("from") {
            self.required(&members, "manifests", id, "a spec")?;
        }
        let spec = Spec {
            targets: self.one_or_more(targets, "image", Reader::target)?,
            tags: self
                .optional(&members, "tags", |reader, id| reader.list(id, "`tags`", |reader, id| reader.tag(id)))?,
            source: self.optional(&members, "source", |reader, id| reader.location(id, "`source`").map(Some))?,
            annotations: self.optional(&members, "annotations", Reader::annotations)?,
            artifact_type: self.optional(&members, "artifactType", Reader::artifact_type)?,
            form: self.optional(&members, "type", Reader::form)?,
            attestations: self.optional(&members, "attestations", Reader::attestations)?,
            require: self.optional(&members, "require", |reader, id| {
                reader.list(id, "`require`", |reader, id| reader.platform_text(id, "an item of `require`"))
            })?,
            manifests: self
                .optional(&members, "manifests", |reader, id| reader.some(id, "manifests", Reader::entry))?,
            from: self.optional(&members, "from", Reader::from)?,
        };
        // Files may name all of the images.
        if spec.manifests.is_empty() && spec.from.is_empty() {
            self.required(&members, "manifests", id, "a spec")?;
        }
        Ok(spec)
    }

    /// Files: a path, or a list of paths and of mappings.
    fn from(&self, id: Id) -> Result<Vec<SpecFrom>, Fault> {
        if let Content::Text { .. } = self.tree.node(id).content {
            return Ok(vec![self.file(id)?]);
        }
        self.list(id, "`from`", Reader::file)
    }

    fn file(&self, id: Id) -> Result<SpecFrom, Fault> {
        if let Content::Text { .. } = self.tree.node(id).content {
            return Ok(SpecFrom { path: self.path(id)?, targets: Vec::new(), repository: None });
        }
        let members = self.members(id, &FROM)?;
        let path = self.required(&members, "path", id, FROM.place)?;
        let target = |reader: &Self, id| reader.text(id, "`target`");
        Ok(SpecFrom {
            path: self.path(path)?,
            targets: self.optional(&members, "target", |reader, id| reader.one_or_more(id, "target", target))?,
            repository: self.optional(&members, "repository", |reader, id| reader.repository(id).map(Some))?,
        })
    }

    fn path(&self, id: Id) -> Result<String, Fault> {
        let path = self.text(id, "`path`")?;
        if path.is_empty() { Err(self.fault(id, SpecErrorKind::Empty("path"))) } else { Ok(path) }
    }

    fn repository(&self, id: Id) -> Result<Repository, Fault> {
        let reference = self.reference(id, "`repository`")?;
        let text = self.text(id, "`repository`")?;
        if Reference::is_repository_only(&text) {
            return Ok(reference.repository().clone());
        }
        let (subject, source) = ("`repository`".to_owned(), ReferenceError::Format.into());
        Err(self.fault(id, SpecErrorKind::Reference { subject, text, source }))
    }

    fn entry(&self, id: Id) -> Result<SpecEntry, Fault> {
        let members = self.members(id, &ENTRY)?;
        let image = self.required(&members, "image", id, ENTRY.place)?;
        let (platform, without, force) = self.optional(&members, "platform", Reader::platform)?;
        Ok(SpecEntry {
            image: self.location(image, "`image`")?,
            platform,
            without,
            force,
            annotations: self.optional(&members, "annotations", Reader::annotations)?,
            artifact_type: self.optional(&members, "artifactType", Reader::artifact_type)?,
        })
    }

    fn platform(&self, id: Id) -> Result<(Option<Platform>, EmptyFields, bool), Fault> {
        if let Content::Text { .. } = self.tree.node(id).content {
            return Ok((Some(self.platform_text(id, "`platform`")?), EmptyFields::default(), false));
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
            return Ok(((platform != Platform::default()).then_some(platform), EmptyFields::default(), true));
        }
        let platform = platform::spelt(platform);
        platform::check(&platform, "`platform`").map_err(|(field, kind)| {
            let key = match field {
                Field::Os => "os",
                Field::Architecture => "architecture",
                Field::Variant => "variant",
            };
            self.fault(members.get(key).copied().unwrap_or(id), kind)
        })?;
        if let Some(id) = members.get("os.version") {
            self.check_os_version(*id, &platform);
        }
        // As it is written: an empty variable neither gives nor removes a value. manifest-tool does not distinguish an
        // empty field from a missing one.
        let is_empty = |key: &str| {
            let is_written_empty = members.get(key).is_some_and(|id| self.tree.node(*id).is_written_empty());
            is_written_empty && self.dialect == Dialect::Native
        };
        let without = EmptyFields {
            variant: is_empty("variant") && platform.variant.is_empty(),
            os_version: is_empty("os.version"),
            os_features: is_empty("os.features"),
        };
        Ok(((platform != Platform::default()).then_some(platform), without, false))
    }

    fn platform_text(&self, id: Id, subject: &str) -> Result<Platform, Fault> {
        let text = self.text(id, subject)?;
        let Ok(platform) = Platform::parse(&text) else {
            return Err(self.fault(id, SpecErrorKind::PlatformForm { subject: subject.to_owned(), text }));
        };
        platform::check(&platform, subject).map_err(|(_, kind)| self.fault(id, kind))?;
        self.check_os_version(id, &platform);
        Ok(platform)
    }

    /// Warns of a version that no host can have: Windows compares versions such as `10.0.17763.1`.
    fn check_os_version(&self, id: Id, platform: &Platform) {
        let version = &platform.os_version;
        if !version.is_empty() && !platform::is_dotted_number(version) {
            self.warn(self.fault(id, SpecErrorKind::OsVersion(version.clone())));
        }
    }

    fn target(&self, id: Id) -> Result<Target, Fault> {
        let text = self.text(id, "`image`")?;
        Target::parse(&text).map_err(|source| self.unnamed(id, "`image`", text, source.into()))
    }

    fn reference(&self, id: Id, subject: &str) -> Result<Reference, Fault> {
        let text = self.text(id, subject)?;
        Reference::parse(&text).map_err(|source| self.unnamed(id, subject, text, source.into()))
    }

    /// An image, in a registry or in a layout.
    fn location(&self, id: Id, subject: &str) -> Result<Location, Fault> {
        let text = self.text(id, subject)?;
        Location::parse(&text).map_err(|source| self.unnamed(id, subject, text, source))
    }

    fn unnamed(&self, id: Id, subject: &str, text: String, source: InvalidLocation) -> Fault {
        self.fault(id, SpecErrorKind::Reference { subject: subject.to_owned(), text, source })
    }

    fn tag(&self, id: Id) -> Result<String, Fault> {
        let text = self.text(id, "an item of `tags`")?;
        if is_tag(&text) { Ok(text) } else { Err(self.fault(id, SpecErrorKind::TagName(text))) }
    }

    fn annotations(&self, id: Id) -> Result<BTreeMap<String, String>, Fault> {
        let pairs = self.pairs(id, "`annotations`")?.into_iter();
        pairs.map(|(key, _, value)| Ok((key.to_owned(), self.text(value, "an annotation")?))).collect()
    }

    fn artifact_type(&self, id: Id) -> Result<Option<String>, Fault> {
        let text = self.text(id, "`artifactType`")?;
        if media_type::is_well_formed(&text) {
            return Ok(Some(text));
        }
        Err(self.fault(id, SpecErrorKind::MediaType(text)))
    }

    fn form(&self, id: Id) -> Result<Option<Form>, Fault> {
        self.word(id, "type", "type", FORMS).map(Some)
    }

    fn attestations(&self, id: Id) -> Result<Option<Attestations>, Fault> {
        self.word(id, "attestations", "choice", ATTESTATIONS).map(Some)
    }

    fn word<T: Copy>(&self, id: Id, key: &str, noun: &'static str, words: &[(&'static str, T)]) -> Result<T, Fault> {
        let subject = format!("`{key}`");
        let text = self.text(id, &subject)?;
        words.iter().find(|(word, _)| *word == text).map(|(_, meant)| *meant).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let advice = Advice::for_word(&text, &known);
            self.fault(id, SpecErrorKind::Word { subject, noun, text, advice })
        })
    }
}

//! JSON files: the output of buildx, bake, kaniko, jib and goreleaser, descriptors, maps of digests, and our own
//! output.

use serde_json::{Map, Value};

use super::{BuildOutput, BuildOutputError, BuiltImage, ImageSelection, text};
use crate::digest::Digest;
use crate::model::json;
use crate::reference::Reference;

/// Members of the metadata of buildx.
const DIGEST: &str = "containerimage.digest";
const DESCRIPTOR: &str = "containerimage.descriptor";
const IMAGE_NAMES: &str = "image.name";

/// The prefix of buildx's own members in the metadata of bake, which has a member for each target.
const BUILDX_PREFIX: &str = "buildx.";

type JsonObject = Map<String, Value>;
type BuildOutputResult<T> = Result<T, BuildOutputError>;

/// Reads one document, or several: kaniko writes one per line.
pub(super) fn read(text: &str, selection: &ImageSelection<'_>) -> BuildOutputResult<BuildOutput> {
    let documents = documents(text)?;
    let mut reader = JsonReader { selection, output: BuildOutput::default() };
    match documents.as_slice() {
        [Value::Object(members)] => reader.document(members, text)?,
        [Value::Array(items)] => reader.items(items)?,
        several => reader.items(several)?,
    }
    Ok(reader.output)
}

fn documents(text: &str) -> BuildOutputResult<Vec<Value>> {
    let invalid = |error: serde_json::Error| BuildOutputError::InvalidJson(error.to_string());
    json::check_value_count(text.as_bytes()).map_err(invalid)?;
    let text = json::replace_lone_surrogates(text.as_bytes());
    serde_json::Deserializer::from_slice(&text).into_iter::<Value>().collect::<Result<_, _>>().map_err(invalid)
}

struct JsonReader<'a> {
    selection: &'a ImageSelection<'a>,
    output: BuildOutput,
}

impl JsonReader<'_> {
    /// A file that is one object.
    fn document(&mut self, members: &JsonObject, text: &str) -> BuildOutputResult<()> {
        if let Some(Value::Object(error)) = members.get("error") {
            return Err(BuildOutputError::FailedCommand(string(error, "message").unwrap_or_default().to_owned()));
        }
        if members.contains_key("imageLayoutVersion") {
            return Err(BuildOutputError::NotBuildOutput { found: "a part of an OCI layout" });
        }
        if members.contains_key("schemaVersion") {
            return Err(BuildOutputError::NotBuildOutput { found: "a manifest" });
        }
        if members.contains_key("manifests") {
            self.output = text::read_spec(text)?;
            return Ok(());
        }
        if self.add_image(members, "")? {
            return Ok(());
        }
        let members: Vec<(&String, &Value)> =
            members.iter().filter(|(name, _)| !name.starts_with(BUILDX_PREFIX)).collect();
        if members.iter().any(|(_, value)| value.is_object()) {
            return self.bake_targets(&members);
        }
        if members.iter().any(|(_, value)| value.as_str().is_some_and(is_digest)) {
            return self.digest_map(&members);
        }
        Err(BuildOutputError::UnknownJson(String::new()))
    }

    /// Adds the image that an object names. Returns whether it names one.
    fn add_image(&mut self, members: &JsonObject, position: &str) -> BuildOutputResult<bool> {
        let qualified =
            |member: &str| if position.is_empty() { member.to_owned() } else { format!("{member} of {position}") };
        let (digest, name) = if members.contains_key(DIGEST) || members.contains_key(DESCRIPTOR) {
            (buildx_digest(members, &qualified)?, self.buildx_name(members, &qualified)?)
        } else if members.contains_key("imageDigest") {
            let name = string(members, "image");
            if members.get("imagePushed") == Some(&Value::Bool(false)) {
                return Err(BuildOutputError::NotPushed(name.unwrap_or_default().to_owned()));
            }
            (
                digest(members, "imageDigest", &qualified)?,
                name.map(|name| reference(name, &qualified("image"))).transpose()?,
            )
        } else if members.get("digest").is_some_and(Value::is_string) {
            self.check_published(members)?;
            let named =
                ["reference", "name", "image"].into_iter().find_map(|member| Some((member, string(members, member)?)));
            let name = named.map(|(member, name)| reference(name, &qualified(member))).transpose()?;
            (digest(members, "digest", &qualified)?, name)
        } else {
            return Ok(false);
        };
        let repository = name.as_ref().map_or(self.selection.default_repository, Reference::repository);
        let size = match members.get(DESCRIPTOR) {
            Some(Value::Object(descriptor)) => {
                size(descriptor, &|member| qualified(&format!("{DESCRIPTOR} {member}")))?
            }
            _ => size(members, &qualified)?,
        };
        self.output.images.push(BuiltImage {
            reference: repository.at_digest(&digest),
            position: position.to_owned(),
            size,
        });
        Ok(true)
    }

    /// Refuses our own JSON of a list that is not published.
    fn check_published(&self, members: &JsonObject) -> BuildOutputResult<()> {
        let is_true = |member: &str| members.get(member) == Some(&Value::Bool(true));
        let found = match () {
            () if is_true("dryRun") => "the result of a dry run",
            () if is_true("local") => "a draft",
            () => return Ok(()),
        };
        Err(BuildOutputError::NotPublished { name: string(members, "reference").unwrap_or_default().to_owned(), found })
    }

    /// The name of the image. If it has several, the one in the repository of the list.
    fn buildx_name(
        &self,
        members: &JsonObject,
        qualified: &impl Fn(&str) -> String,
    ) -> BuildOutputResult<Option<Reference>> {
        let names = string(members, IMAGE_NAMES).unwrap_or_default().split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty()).map(|name| reference(name, &qualified(IMAGE_NAMES)));
        let names: Vec<Reference> = names.collect::<Result<_, _>>()?;
        let in_repository = names.iter().find(|name| name.repository() == self.selection.default_repository);
        Ok(in_repository.or(names.first()).cloned())
    }

    /// The metadata of bake: an object for each target.
    fn bake_targets(&mut self, members: &[(&String, &Value)]) -> BuildOutputResult<()> {
        let is_built = |value: &Value| value.get(DIGEST).is_some() || value.get(DESCRIPTOR).is_some();
        let (with_digest, without_digest): (Vec<_>, Vec<_>) = members.iter().partition(|(_, value)| is_built(value));
        if let Some((name, _)) = without_digest.iter().find(|(_, value)| !value.is_object()) {
            return Err(BuildOutputError::UnknownJson((*name).clone()));
        }
        let targets = self.select_targets(&with_digest, &without_digest)?;
        if self.selection.build_targets.is_empty() {
            let note = |(name, _): &(&String, &Value)| format!("the target {name} has no digest and is left out");
            self.output.notes.extend(without_digest.iter().map(note));
        }
        for (name, value) in targets {
            if let Value::Object(members) = value {
                self.add_image(members, name)?;
            }
        }
        Ok(())
    }

    /// A map of digests: `{"web":"sha256:H"}`.
    fn digest_map(&mut self, members: &[(&String, &Value)]) -> BuildOutputResult<()> {
        if let Some((name, value)) = members.iter().find(|(_, value)| !value.as_str().is_some_and(is_digest)) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            return Err(BuildOutputError::InvalidDigest { member: (*name).clone(), text });
        }
        for (name, value) in self.select_targets(members, &[])? {
            if let Ok(digest) = value.as_str().unwrap_or_default().parse::<Digest>() {
                let reference = self.selection.default_repository.at_digest(&digest);
                self.output.images.push(BuiltImage { reference, position: name.clone(), size: None });
            }
        }
        Ok(())
    }

    /// The requested targets, of those with a digest; without a request, the only one.
    fn select_targets<'v>(
        &mut self,
        with_digest: &[(&'v String, &'v Value)],
        without_digest: &[(&'v String, &'v Value)],
    ) -> BuildOutputResult<Vec<(&'v String, &'v Value)>> {
        self.output.has_build_targets = true;
        let names = |targets: &[(&String, &Value)]| targets.iter().map(|(name, _)| (*name).clone()).collect::<Vec<_>>();
        let targets = self.selection.build_targets;
        if let Some(target) = targets.iter().find(|target| !with_digest.iter().any(|(name, _)| name == target)) {
            return Err(BuildOutputError::UnknownTarget { target: target.clone(), available: names(with_digest) });
        }
        match with_digest.len() {
            0 => Err(BuildOutputError::TargetsWithoutDigest(names(without_digest))),
            2.. if targets.is_empty() => Err(BuildOutputError::SeveralTargets(names(with_digest))),
            _ => Ok(with_digest
                .iter()
                .copied()
                .filter(|(name, _)| targets.is_empty() || targets.contains(name))
                .collect()),
        }
    }

    /// A list: the artifacts of goreleaser, or an object or a line for each image.
    fn items(&mut self, items: &[Value]) -> BuildOutputResult<()> {
        let is_artifact = |item: &Value| item.get("type").is_some_and(Value::is_string) && item.get("name").is_some();
        if !items.is_empty() && items.iter().all(is_artifact) {
            return self.goreleaser_artifacts(items);
        }
        for (number, item) in items.iter().enumerate() {
            let position = format!("item {}", number + 1);
            match item {
                Value::Object(members) => {
                    if !self.add_image(members, &position)? {
                        return Err(BuildOutputError::UnknownJson(position));
                    }
                }
                Value::String(line) => {
                    let reference = text::parse_line(line, self.selection).map_err(|error| match error {
                        text::LineError::NoDigest => {
                            BuildOutputError::MissingDigest { position: position.clone(), name: line.clone() }
                        }
                        text::LineError::NotAReference => {
                            BuildOutputError::InvalidDigest { member: position.clone(), text: line.clone() }
                        }
                    })?;
                    self.output.images.push(BuiltImage { reference, position, size: None });
                }
                _ => return Err(BuildOutputError::UnknownJson(position)),
            }
        }
        Ok(())
    }

    /// The `artifacts.json` of goreleaser: images and lists among archives and packages. An image has an item without a
    /// digest, and after its push a second one with the digest.
    fn goreleaser_artifacts(&mut self, items: &[Value]) -> BuildOutputResult<()> {
        let is_image = |item: &&Value| {
            let kind = item.get("type").and_then(Value::as_str).unwrap_or_default();
            kind.contains("Docker Image") || kind.contains("Docker Manifest")
        };
        let name_of = |item: &Value| item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let extra = |item: &Value, member: &str| {
            let extra = item.get("extra").and_then(|extra| extra.get(member));
            extra.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let images: Vec<&Value> = items.iter().filter(is_image).collect();
        let ids: Vec<String> = images.iter().filter_map(|item| extra(item, "ID")).collect();
        let targets = self.selection.build_targets;
        self.output.has_build_targets = true;
        if let Some(target) = targets.iter().find(|target| !ids.contains(target)) {
            let available: std::collections::BTreeSet<String> = ids.iter().cloned().collect();
            return Err(BuildOutputError::UnknownTarget {
                target: target.clone(),
                available: available.into_iter().collect(),
            });
        }
        let is_selected =
            |item: &Value| targets.is_empty() || extra(item, "ID").is_some_and(|id| targets.contains(&id));
        let (mut without_digest, mut with_digest) = (Vec::new(), std::collections::BTreeSet::new());
        for item in images.into_iter().filter(|item| is_selected(item)) {
            let name = name_of(item);
            let Some(text) = extra(item, "Digest") else {
                without_digest.push(name);
                continue;
            };
            let digest = text.parse::<Digest>();
            let digest =
                digest.map_err(|_| BuildOutputError::InvalidDigest { member: format!("Digest of {name}"), text })?;
            let tagged = reference(&name, "name")?;
            with_digest.insert(name.clone());
            let reference = tagged.repository().at_digest(&digest);
            self.output.images.push(BuiltImage { reference, position: name, size: None });
        }
        without_digest.retain(|name| !with_digest.contains(name));
        if self.output.images.is_empty() && !without_digest.is_empty() {
            return Err(BuildOutputError::TargetsWithoutDigest(without_digest));
        }
        self.output
            .notes
            .extend(without_digest.iter().map(|name| format!("the artifact {name} has no digest and is left out")));
        Ok(())
    }
}

/// The digest in the metadata of buildx. `imagetools` writes only the descriptor.
fn buildx_digest(members: &JsonObject, qualified: &impl Fn(&str) -> String) -> BuildOutputResult<Digest> {
    let of_descriptor = match members.get(DESCRIPTOR) {
        Some(Value::Object(descriptor)) => {
            let member = |member: &str| qualified(&format!("{DESCRIPTOR} {member}"));
            Some(digest(descriptor, "digest", &member)?)
        }
        _ => None,
    };
    let stated = if members.contains_key(DIGEST) { Some(digest(members, DIGEST, qualified)?) } else { None };
    match (of_descriptor, stated) {
        (Some(first), Some(second)) if first != second => {
            Err(BuildOutputError::ConflictingDigests { first: first.to_string(), second: second.to_string() })
        }
        (Some(found), _) | (None, Some(found)) => Ok(found),
        (None, None) => Err(BuildOutputError::InvalidDigest { member: qualified(DESCRIPTOR), text: String::new() }),
    }
}

fn digest(members: &JsonObject, member: &str, qualified: &impl Fn(&str) -> String) -> BuildOutputResult<Digest> {
    let text = string(members, member).unwrap_or_default();
    text.parse().map_err(|_| BuildOutputError::InvalidDigest { member: qualified(member), text: text.to_owned() })
}

/// The size in a descriptor. An object without a media type is not a descriptor, and its size may be that of something
/// else.
fn size(descriptor: &JsonObject, qualified: &impl Fn(&str) -> String) -> BuildOutputResult<Option<u64>> {
    match descriptor.get("size").filter(|_| descriptor.contains_key("mediaType")) {
        None => Ok(None),
        Some(size) => {
            let invalid = || BuildOutputError::InvalidSize { member: qualified("size"), text: size.to_string() };
            size.as_u64().ok_or_else(invalid).map(Some)
        }
    }
}

fn reference(name: &str, member: &str) -> BuildOutputResult<Reference> {
    Reference::parse(name)
        .map_err(|_| BuildOutputError::InvalidReference { member: member.to_owned(), text: name.to_owned() })
}

fn string<'m>(members: &'m JsonObject, member: &str) -> Option<&'m str> {
    members.get(member).and_then(Value::as_str)
}

fn is_digest(text: &str) -> bool {
    text.parse::<Digest>().is_ok()
}

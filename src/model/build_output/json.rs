//! Files of JSON: what buildx, bake, kaniko, jib and goreleaser write, descriptors, maps of digests, and our own.

use serde_json::{Map, Value};

use super::{BuildOutput, BuildOutputError, BuiltImage, Selection, text};
use crate::digest::Digest;
use crate::model::json;
use crate::reference::Reference;

/// A member of buildx's metadata.
const DIGEST: &str = "containerimage.digest";
const DESCRIPTOR: &str = "containerimage.descriptor";
const NAMES: &str = "image.name";

/// What buildx itself says in bake's metadata, beside the targets.
const OF_BUILDX: &str = "buildx.";

type Members = Map<String, Value>;
type Parsed<T> = Result<T, BuildOutputError>;

/// Reads one document, or several (kaniko writes one a line).
pub(super) fn read(text: &str, selection: &Selection<'_>) -> Parsed<BuildOutput> {
    let documents = documents(text)?;
    let mut reader = JsonReader { selection, output: BuildOutput::default() };
    match documents.as_slice() {
        [Value::Object(members)] => reader.document(members, text)?,
        [Value::Array(items)] => reader.items(items)?,
        several => reader.items(several)?,
    }
    Ok(reader.output)
}

fn documents(text: &str) -> Parsed<Vec<Value>> {
    let wrong = |error: serde_json::Error| BuildOutputError::Json(error.to_string());
    json::check_size(text.as_bytes()).map_err(wrong)?;
    let whole = json::with_whole_characters(text.as_bytes());
    serde_json::Deserializer::from_slice(&whole).into_iter::<Value>().collect::<Result<_, _>>().map_err(wrong)
}

struct JsonReader<'a> {
    selection: &'a Selection<'a>,
    output: BuildOutput,
}

impl JsonReader<'_> {
    /// A file that is one object.
    fn document(&mut self, members: &Members, text: &str) -> Parsed<()> {
        if let Some(Value::Object(error)) = members.get("error") {
            return Err(BuildOutputError::Failed(string(error, "message").unwrap_or_default().to_owned()));
        }
        if members.contains_key("imageLayoutVersion") {
            return Err(BuildOutputError::Content { what: "a part of an OCI layout" });
        }
        if members.contains_key("schemaVersion") {
            return Err(BuildOutputError::Content { what: "a manifest" });
        }
        if members.contains_key("manifests") {
            self.output = text::of_spec(text)?;
            return Ok(());
        }
        if self.image(members, "")? {
            return Ok(());
        }
        let own: Vec<(&String, &Value)> = members.iter().filter(|(name, _)| !name.starts_with(OF_BUILDX)).collect();
        if own.iter().any(|(_, value)| value.is_object()) {
            return self.bake(&own);
        }
        if own.iter().any(|(_, value)| value.as_str().is_some_and(is_digest)) {
            return self.map(&own);
        }
        Err(BuildOutputError::Unknown(String::new()))
    }

    /// The image that an object names, if it is of a kind that names one.
    fn image(&mut self, members: &Members, place: &str) -> Parsed<bool> {
        let at = |member: &str| if place.is_empty() { member.to_owned() } else { format!("{member} of {place}") };
        let (digest, name) = if members.contains_key(DIGEST) || members.contains_key(DESCRIPTOR) {
            (buildx(members, &at)?, self.buildx_name(members, &at)?)
        } else if members.contains_key("imageDigest") {
            let name = string(members, "image");
            if members.get("imagePushed") == Some(&Value::Bool(false)) {
                return Err(BuildOutputError::NotPushed(name.unwrap_or_default().to_owned()));
            }
            (digest(members, "imageDigest", &at)?, name.map(|name| reference(name, &at("image"))).transpose()?)
        } else if members.get("digest").is_some_and(Value::is_string) {
            self.check_published(members)?;
            let named =
                ["reference", "name", "image"].into_iter().find_map(|member| Some((member, string(members, member)?)));
            let name = named.map(|(member, name)| reference(name, &at(member))).transpose()?;
            (digest(members, "digest", &at)?, name)
        } else {
            return Ok(false);
        };
        let repository = name.as_ref().map_or(self.selection.repository, Reference::repository);
        let size = match members.get(DESCRIPTOR) {
            Some(Value::Object(descriptor)) => size(descriptor, &|member| at(&format!("{DESCRIPTOR} {member}")))?,
            _ => size(members, &at)?,
        };
        self.output.images.push(BuiltImage { reference: repository.at_digest(&digest), place: place.to_owned(), size });
        Ok(true)
    }

    /// Our own JSON of what is not published.
    fn check_published(&self, members: &Members) -> Parsed<()> {
        let is = |member: &str| members.get(member) == Some(&Value::Bool(true));
        let what = match () {
            () if is("dryRun") => "the result of a dry run",
            () if is("local") => "a draft",
            () => return Ok(()),
        };
        Err(BuildOutputError::NotPublished { name: string(members, "reference").unwrap_or_default().to_owned(), what })
    }

    /// Of several names, all of one image, the one in the list's repository.
    fn buildx_name(&self, members: &Members, at: &impl Fn(&str) -> String) -> Parsed<Option<Reference>> {
        let names = string(members, NAMES).unwrap_or_default().split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty()).map(|name| reference(name, &at(NAMES)));
        let names: Vec<Reference> = names.collect::<Result<_, _>>()?;
        let own = names.iter().find(|name| name.repository() == self.selection.repository);
        Ok(own.or(names.first()).cloned())
    }

    /// An object for each target.
    fn bake(&mut self, own: &[(&String, &Value)]) -> Parsed<()> {
        let is_built = |value: &Value| value.get(DIGEST).is_some() || value.get(DESCRIPTOR).is_some();
        let (built, left): (Vec<_>, Vec<_>) = own.iter().partition(|(_, value)| is_built(value));
        if let Some((name, _)) = left.iter().find(|(_, value)| !value.is_object()) {
            return Err(BuildOutputError::Unknown((*name).clone()));
        }
        let targets = self.chosen(&built, &left)?;
        if self.selection.targets.is_empty() {
            let note = |(name, _): &(&String, &Value)| format!("the target {name} has no digest and is left out");
            self.output.notes.extend(left.iter().map(note));
        }
        for (name, value) in targets {
            if let Value::Object(members) = value {
                self.image(members, name)?;
            }
        }
        Ok(())
    }

    /// `{"web":"sha256:H"}`
    fn map(&mut self, own: &[(&String, &Value)]) -> Parsed<()> {
        if let Some((name, value)) = own.iter().find(|(_, value)| !value.as_str().is_some_and(is_digest)) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            return Err(BuildOutputError::Digest { member: (*name).clone(), text });
        }
        for (name, value) in self.chosen(own, &[])? {
            if let Ok(digest) = value.as_str().unwrap_or_default().parse::<Digest>() {
                let reference = self.selection.repository.at_digest(&digest);
                self.output.images.push(BuiltImage { reference, place: name.clone(), size: None });
            }
        }
        Ok(())
    }

    /// The targets that are wanted of those with a digest; `left` have none.
    fn chosen<'v>(
        &mut self,
        built: &[(&'v String, &'v Value)],
        left: &[(&'v String, &'v Value)],
    ) -> Parsed<Vec<(&'v String, &'v Value)>> {
        self.output.has_targets = true;
        let names = |of: &[(&String, &Value)]| of.iter().map(|(name, _)| (*name).clone()).collect::<Vec<_>>();
        let wanted = self.selection.targets;
        if let Some(target) = wanted.iter().find(|target| !built.iter().any(|(name, _)| name == target)) {
            return Err(BuildOutputError::NoTarget { target: target.clone(), there: names(built) });
        }
        match built.len() {
            0 => Err(BuildOutputError::NoDigests(names(left))),
            2.. if wanted.is_empty() => Err(BuildOutputError::SeveralTargets(names(built))),
            _ => Ok(built.iter().copied().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)).collect()),
        }
    }

    /// Several images: goreleaser's artifacts, or objects each of which names one.
    fn items(&mut self, items: &[Value]) -> Parsed<()> {
        let is_artifact = |item: &Value| item.get("type").is_some_and(Value::is_string) && item.get("name").is_some();
        if !items.is_empty() && items.iter().all(is_artifact) {
            return self.artifacts(items);
        }
        for (at, item) in items.iter().enumerate() {
            let place = format!("item {}", at + 1);
            match item {
                Value::Object(members) => {
                    if !self.image(members, &place)? {
                        return Err(BuildOutputError::Unknown(place));
                    }
                }
                Value::String(line) => {
                    let reference = text::image(line, self.selection).map_err(|error| match error {
                        text::LineError::NoDigest => {
                            BuildOutputError::NoDigest { place: place.clone(), name: line.clone() }
                        }
                        text::LineError::NotAReference => {
                            BuildOutputError::Digest { member: place.clone(), text: line.clone() }
                        }
                    })?;
                    self.output.images.push(BuiltImage { reference, place, size: None });
                }
                _ => return Err(BuildOutputError::Unknown(place)),
            }
        }
        Ok(())
    }

    /// goreleaser's `artifacts.json`: images and lists among archives and packages. Before the push an image has no
    /// digest; then it is there a second time, with one.
    fn artifacts(&mut self, items: &[Value]) -> Parsed<()> {
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
        let wanted = self.selection.targets;
        self.output.has_targets = true;
        if let Some(target) = wanted.iter().find(|target| !ids.contains(target)) {
            let there: std::collections::BTreeSet<String> = ids.iter().cloned().collect();
            return Err(BuildOutputError::NoTarget { target: target.clone(), there: there.into_iter().collect() });
        }
        let is_wanted = |item: &Value| wanted.is_empty() || extra(item, "ID").is_some_and(|id| wanted.contains(&id));
        let (mut left, mut built) = (Vec::new(), std::collections::BTreeSet::new());
        for item in images.into_iter().filter(|item| is_wanted(item)) {
            let name = name_of(item);
            let Some(text) = extra(item, "Digest") else {
                left.push(name);
                continue;
            };
            let digest = text.parse::<Digest>();
            let digest = digest.map_err(|_| BuildOutputError::Digest { member: format!("Digest of {name}"), text })?;
            let named = reference(&name, "name")?;
            built.insert(name.clone());
            let reference = named.repository().at_digest(&digest);
            self.output.images.push(BuiltImage { reference, place: name, size: None });
        }
        left.retain(|name| !built.contains(name));
        if self.output.images.is_empty() && !left.is_empty() {
            return Err(BuildOutputError::NoDigests(left));
        }
        self.output.notes.extend(left.iter().map(|name| format!("the artifact {name} has no digest and is left out")));
        Ok(())
    }
}

/// The digest of buildx's metadata, of which imagetools writes the descriptor alone.
fn buildx(members: &Members, at: &impl Fn(&str) -> String) -> Parsed<Digest> {
    let described = match members.get(DESCRIPTOR) {
        Some(Value::Object(descriptor)) => {
            let member = |member: &str| at(&format!("{DESCRIPTOR} {member}"));
            Some(digest(descriptor, "digest", &member)?)
        }
        _ => None,
    };
    let stated = if members.contains_key(DIGEST) { Some(digest(members, DIGEST, at)?) } else { None };
    match (described, stated) {
        (Some(one), Some(other)) if one != other => {
            Err(BuildOutputError::TwoDigests { one: one.to_string(), other: other.to_string() })
        }
        (Some(found), _) | (None, Some(found)) => Ok(found),
        (None, None) => Err(BuildOutputError::Digest { member: at(DESCRIPTOR), text: String::new() }),
    }
}

fn digest(members: &Members, member: &str, at: &impl Fn(&str) -> String) -> Parsed<Digest> {
    let text = string(members, member).unwrap_or_default();
    text.parse().map_err(|_| BuildOutputError::Digest { member: at(member), text: text.to_owned() })
}

/// The size that a descriptor gives. Without a media type the object is no descriptor, and its size may be another.
fn size(descriptor: &Members, at: &impl Fn(&str) -> String) -> Parsed<Option<u64>> {
    match descriptor.get("size").filter(|_| descriptor.contains_key("mediaType")) {
        None => Ok(None),
        Some(size) => {
            let wrong = || BuildOutputError::Size { member: at("size"), text: size.to_string() };
            size.as_u64().ok_or_else(wrong).map(Some)
        }
    }
}

fn reference(name: &str, member: &str) -> Parsed<Reference> {
    Reference::parse(name).map_err(|_| BuildOutputError::Name { member: member.to_owned(), text: name.to_owned() })
}

fn string<'m>(members: &'m Members, member: &str) -> Option<&'m str> {
    members.get(member).and_then(Value::as_str)
}

fn is_digest(text: &str) -> bool {
    text.parse::<Digest>().is_ok()
}

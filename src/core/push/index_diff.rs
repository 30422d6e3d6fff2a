//! Compares a list with the one that its name serves now: the platforms first, then all other members of the lists and
//! of the manifests that both name.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::core::platform_match;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::{attested_digest, is_attestation};
use crate::model::index::Index;
use crate::sanitize;

/// The differences between two lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct IndexDiff {
    pub(crate) added: Vec<PlatformEntries>,
    pub(crate) removed: Vec<PlatformEntries>,
    pub(crate) changed: Vec<ChangedPlatform>,
    /// All other differences.
    pub(crate) details: Vec<ChangedMember>,
}

/// A platform and its manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PlatformEntries {
    pub(crate) platform: String,
    pub(crate) digests: Vec<String>,
}

/// A platform with other manifests than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ChangedPlatform {
    pub(crate) platform: String,
    pub(crate) from: Vec<String>,
    pub(crate) to: Vec<String>,
}

/// A member with another value than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ChangedMember {
    /// The manifest that it describes; `None` for the list itself.
    pub(crate) digest: Option<String>,
    /// `annotations.KEY`, `artifactType`, `attestations`, `order`, …
    pub(crate) member: String,
    /// The value that is served now, if there is one.
    pub(crate) from: Option<String>,
    /// The new value, if there is one.
    pub(crate) to: Option<String>,
}

/// The differences. `before` is `None` if nothing is served.
pub(crate) fn compare(before: Option<&Index>, after: &Index) -> IndexDiff {
    let platforms_of =
        |index: Option<&Index>| platforms(index.map(|index| index.manifests.as_slice()).unwrap_or_default());
    let (old, new) = (platforms_of(before), platforms_of(Some(after)));
    let texts = |digests: &BTreeSet<String>| digests.iter().cloned().collect::<Vec<_>>();
    let only = |first: &DigestsByPlatform, second: &DigestsByPlatform| {
        let unshared = first.iter().filter(|(platform, _)| !second.contains_key(*platform));
        unshared.map(|(name, digests)| PlatformEntries { platform: name.clone(), digests: texts(digests) }).collect()
    };
    let shared = old.iter().filter_map(|(platform, from)| Some((platform.clone(), from, new.get(platform)?)));
    let changed = shared.filter(|(_, from, to)| from != to);
    let changed = changed.map(|(platform, from, to)| ChangedPlatform { platform, from: texts(from), to: texts(to) });
    let mut details = before.map(|before| details(before, after)).unwrap_or_default();
    details.extend(members_of_added_and_removed_images(before.unwrap_or(&Index::default()), after));
    IndexDiff { added: only(&new, &old), removed: only(&old, &new), changed: changed.collect(), details }
}

impl IndexDiff {
    /// A line for each difference, for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |sign: &str, entries: &PlatformEntries| {
            format!("{sign} {} {}", sanitize::short_line(&entries.platform), entries.digests.join(" "))
        };
        let changed_line = |change: &ChangedPlatform| {
            format!("~ {} {} -> {}", sanitize::short_line(&change.platform), change.from.join(" "), change.to.join(" "))
        };
        let added = self.added.iter().map(|added| line("+", added));
        let removed = self.removed.iter().map(|removed| line("-", removed));
        let changed = self.changed.iter().map(changed_line);
        added.chain(removed).chain(changed).chain(self.details.iter().map(ChangedMember::line)).collect()
    }
}

impl ChangedMember {
    fn line(&self) -> String {
        let value = |value: &Option<String>| {
            value.as_ref().map_or("none".to_owned(), |value| format!("{:?}", sanitize::truncated_unsanitized(value)))
        };
        let prefix = self.digest.as_ref().map(|digest| format!("{digest} ")).unwrap_or_default();
        // A name from a registry must not control the terminal.
        let member = sanitize::truncated_unsanitized(&self.member);
        let member = member.escape_debug();
        match (&self.from, &self.to) {
            (None, None) => format!("~ {prefix}{member}"),
            (from, to) => format!("~ {prefix}{member}: {} -> {}", value(from), value(to)),
        }
    }
}

type DigestsByPlatform = BTreeMap<String, BTreeSet<String>>;

/// The manifests for each platform. Attestations count as a part of their image.
fn platforms(descriptors: &[Descriptor]) -> DigestsByPlatform {
    let mut platforms = DigestsByPlatform::new();
    for descriptor in descriptors {
        let platform = match platform_match::known_platform(descriptor) {
            Some(platform) => platform.to_string(),
            None if descriptor.has_non_empty_platform() => continue,
            None => "-".to_owned(),
        };
        platforms.entry(platform).or_default().insert(descriptor.digest.to_string());
    }
    platforms
}

/// Values by the name of their member.
type MemberValues = BTreeMap<String, String>;

fn details(before: &Index, after: &Index) -> Vec<ChangedMember> {
    let mut details = changed_members(None, &list_members(before), &list_members(after));
    let (old, new) = (by_digest(before), by_digest(after));
    let shared = || old.iter().filter_map(|(digest, descriptors)| Some((*digest, descriptors, new.get(digest)?)));
    for (digest, old, new) in shared() {
        for (old, new) in old.iter().zip(new) {
            details.extend(changed_members(Some(digest), &descriptor_members(old), &descriptor_members(new)));
        }
        details.extend(changed_members(Some(digest), &attestations(before, digest), &attestations(after, digest)));
    }
    let sequence =
        |index: &Index| index.manifests.iter().map(|descriptor| descriptor.digest.clone()).collect::<Vec<_>>();
    let sorted = |mut digests: Vec<Digest>| {
        digests.sort_unstable();
        digests
    };
    let (old, new) = (sequence(before), sequence(after));
    if old != new && sorted(old) == sorted(new) {
        details.push(ChangedMember { digest: None, member: "order".to_owned(), from: None, to: None });
    }
    details
}

/// Members of images that only one of the lists names: annotations, artifact type, attestations.
fn members_of_added_and_removed_images(before: &Index, after: &Index) -> Vec<ChangedMember> {
    let (old, new) = (by_digest(before), by_digest(after));
    let reported_members =
        |index: &Index, descriptors: &BTreeMap<&Digest, Vec<&Descriptor>>, digest: &Digest| -> MemberValues {
            let images = descriptors.get(digest).into_iter().flatten().filter(|descriptor| !is_attestation(descriptor));
            let is_reported =
                |(member, _): &(String, String)| member.starts_with("annotations.") || member == "artifactType";
            let mut members: MemberValues =
                images.flat_map(|image| descriptor_members(image)).filter(is_reported).collect();
            members.extend(attestations(index, digest));
            members
        };
    let digests: BTreeSet<&Digest> = old.keys().chain(new.keys()).copied().collect();
    let unshared = digests.into_iter().filter(|digest| old.contains_key(digest) != new.contains_key(digest));
    let changes = |digest| {
        changed_members(Some(digest), &reported_members(before, &old, digest), &reported_members(after, &new, digest))
    };
    unshared.flat_map(changes).collect()
}

fn by_digest(index: &Index) -> BTreeMap<&Digest, Vec<&Descriptor>> {
    let mut descriptors: BTreeMap<&Digest, Vec<&Descriptor>> = BTreeMap::new();
    for descriptor in &index.manifests {
        descriptors.entry(&descriptor.digest).or_default().push(descriptor);
    }
    descriptors
}

fn changed_members(digest: Option<&Digest>, before: &MemberValues, after: &MemberValues) -> Vec<ChangedMember> {
    let members: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = members.into_iter().filter(|member| before.get(*member) != after.get(*member));
    let changed_member = |member: &String| ChangedMember {
        digest: digest.map(ToString::to_string),
        member: member.clone(),
        from: before.get(member).cloned(),
        to: after.get(member).cloned(),
    };
    changed.map(changed_member).collect()
}

fn list_members(index: &Index) -> MemberValues {
    let subject = index.subject.as_ref().map(|subject| subject.digest.to_string()).unwrap_or_default();
    let members = [("mediaType", index.media_type.clone()), ("artifactType", index.artifact_type.clone())];
    members_of(members.into_iter().chain([("subject", subject)]), &index.annotations)
}

/// The members that the name of a platform leaves out.
fn descriptor_members(descriptor: &Descriptor) -> MemberValues {
    let features = descriptor.platform.as_ref().map(|platform| (&platform.os_features, &platform.features));
    let (os_features, features) = features.map(|(os, cpu)| (os.join(","), cpu.join(","))).unwrap_or_default();
    let members = [("mediaType", descriptor.media_type.clone()), ("artifactType", descriptor.artifact_type.clone())];
    let platform = [("platform.os.features", os_features), ("platform.features", features)];
    members_of(members.into_iter().chain(platform), &descriptor.annotations)
}

fn members_of<'n>(
    members: impl Iterator<Item = (&'n str, String)>,
    annotations: &BTreeMap<String, String>,
) -> MemberValues {
    let members = members.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value));
    members.chain(annotations.iter().map(|(key, value)| (format!("annotations.{key}"), value.clone()))).collect()
}

/// The attestations of an image.
fn attestations(index: &Index, image: &Digest) -> MemberValues {
    let attesting = index.manifests.iter().filter(|descriptor| attested_digest(descriptor).as_ref() == Some(image));
    let digests: BTreeSet<String> = attesting.map(|descriptor| descriptor.digest.to_string()).collect();
    let digests = digests.into_iter().collect::<Vec<_>>().join(" ");
    members_of([("attestations", digests)].into_iter(), &BTreeMap::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;

    fn descriptor(platform: &str, content: &str) -> Descriptor {
        let platform = (!platform.is_empty()).then(|| Platform::parse(platform).unwrap());
        Descriptor { platform, ..Descriptor::for_content("m", content.as_bytes()) }
    }

    fn attestation(of: &Descriptor, content: &str) -> Descriptor {
        let mut descriptor = descriptor("unknown/unknown", content);
        descriptor.annotations.insert("vnd.docker.reference.type".into(), "attestation-manifest".into());
        descriptor.annotations.insert("vnd.docker.reference.digest".into(), of.digest.to_string());
        descriptor
    }

    fn index(manifests: &[Descriptor]) -> Index {
        Index { manifests: manifests.to_vec(), ..Index::default() }
    }

    fn named(platforms: &[PlatformEntries]) -> Vec<&str> {
        platforms.iter().map(|entries| entries.platform.as_str()).collect()
    }

    #[test]
    fn diff_compares_platforms() {
        let before = [
            descriptor("linux/amd64", "1"),
            descriptor("linux/386", "1"),
            descriptor("linux/arm64", "same"),
            descriptor("unknown/unknown", "attestation of 1"),
        ];
        let after = [
            descriptor("linux/arm64", "same"),
            descriptor("linux/amd64", "2"),
            descriptor("linux/s390x", "3"),
            descriptor("unknown/unknown", "attestation of 2"),
            descriptor("", "an artifact"),
        ];
        let found = compare(Some(&index(&before)), &index(&after));
        assert_eq!(named(&found.added), ["-", "linux/s390x"]);
        assert_eq!(named(&found.removed), ["linux/386"]);
        let [moved] = &found.changed[..] else { panic!("{:?}", found.changed) };
        let [one, two] = [&before[0], &after[1]].map(|descriptor| vec![descriptor.digest.to_string()]);
        assert_eq!((moved.platform.as_str(), &moved.from, &moved.to), ("linux/amd64", &one, &two));
        assert_eq!(found.details, []);
        let first = compare(None, &index(&after));
        assert_eq!((named(&first.added).len(), first.removed.len(), first.details.len()), (4, 0, 0));
    }

    #[test]
    fn diff_compares_the_images_of_a_platform_as_a_set() {
        let [one, two] = [descriptor("linux/amd64", "1"), descriptor("linux/amd64", "2")];
        let found = compare(Some(&index(&[one.clone(), two.clone()])), &index(&[two, one]));
        assert_eq!((found.added.len(), found.removed.len(), found.changed.len()), (0, 0, 0));
        assert_eq!(found.lines(), ["~ order"]);
        assert_eq!(compare(Some(&index(&[])), &index(&[])), IndexDiff::default());
    }

    #[test]
    fn diff_compares_members_of_added_and_removed_images() {
        let (mut old, new) = (descriptor("linux/amd64", "1"), descriptor("linux/arm64", "2"));
        old.annotations.insert("tier".into(), "base".into());
        let before = index(&[old.clone(), attestation(&old, "old")]);
        let after = index(&[new.clone(), attestation(&new, "new")]);
        let (removed, added) = (&old.digest, &new.digest);
        let attested = |content: &[u8]| format!("{:?}", Digest::from_bytes(content).to_string());
        let mut expected = vec![
            format!("~ {removed} annotations.tier: \"base\" -> none"),
            format!("~ {removed} attestations: {} -> none", attested(b"old")),
            format!("~ {added} attestations: none -> {}", attested(b"new")),
        ];
        expected.sort();
        let details = |before: Option<&Index>| {
            let found = compare(before, &after);
            let mut lines: Vec<String> = found.details.iter().map(ChangedMember::line).collect();
            lines.sort();
            lines
        };
        assert_eq!(details(Some(&before)), expected);
        assert_eq!(
            details(None),
            expected.iter().filter(|line| line.contains(added.as_str())).cloned().collect::<Vec<_>>()
        );
    }

    #[test]
    fn diff_compares_members_of_the_list_and_of_shared_images() {
        let image = descriptor("linux/amd64", "1");
        let mut described = image.clone();
        described.annotations.insert("tier\n".into(), "base".into());
        described.platform =
            Some(Platform { features: vec!["sse4".into()], ..Platform::parse("linux/amd64").unwrap() });
        let mut before = index(&[image.clone(), attestation(&image, "old")]);
        before.annotations = [("gone", "1"), ("moved", "1")].map(|(key, value)| (key.into(), value.into())).into();
        before.media_type = "docker".into();
        let mut after = index(&[described, attestation(&image, "new")]);
        after.annotations = [("moved", "2"), ("new", "\u{1b}")].map(|(key, value)| (key.into(), value.into())).into();
        after.media_type = "oci".into();
        let (old, new) = (Digest::from_bytes(b"old"), Digest::from_bytes(b"new"));
        let digest = &image.digest;
        let expected = [
            "~ annotations.gone: \"1\" -> none".to_owned(),
            "~ annotations.moved: \"1\" -> \"2\"".to_owned(),
            "~ annotations.new: none -> \"\\u{1b}\"".to_owned(),
            "~ mediaType: \"docker\" -> \"oci\"".to_owned(),
            format!("~ {digest} annotations.tier\\n: none -> \"base\""),
            format!("~ {digest} platform.features: none -> \"sse4\""),
            format!("~ {digest} attestations: \"{old}\" -> \"{new}\""),
        ];
        assert_eq!(compare(Some(&before), &after).lines(), expected);
    }
}

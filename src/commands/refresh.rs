//! Putting a source into a draft that may know it already: what moved is replaced, what the user said of it stays, and
//! what attested the replaced image goes with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::args::{Attestations, Sources};
use crate::commands::error::CommandError;
use crate::commands::fetch::{self, Found, Platforms};
use crate::commands::sources::Source;
use crate::digest::Digest;
use crate::document::descriptor::Descriptor;
use crate::document::list::Index;
use crate::document::{DocumentError, Draft, Entry};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::registry::{Kind, Registry};

/// What the source of an entry said of it when it was taken, by the entry's digest. Where it is not known any more,
/// everything that an entry says is taken for the user's.
pub(super) type Originals = BTreeMap<Digest, Descriptor>;

/// A source that serves something else than it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    /// The tag that moved.
    pub(super) reference: Reference,
    /// What it named.
    pub(super) old: Digest,
    /// What it names now.
    pub(super) new: Digest,
}

/// What a draft has of a source: the image of that name, or what was taken out of the index of that name.
fn former<'a>(draft: &'a Draft, name: &Reference) -> Vec<&'a Entry> {
    let same_tag = |source: &Reference| match name.tag() {
        Some(_) => source.repository() == name.repository() && source.tag() == name.tag(),
        None => source.repository() == name.repository() && source.digest() == name.digest(),
    };
    draft.entries().filter(|entry| entry.reference == *name || entry.source.as_ref().is_some_and(same_tag)).collect()
}

/// Whether the draft has anything of this source, so that it need not be asked for.
pub(super) fn knows(draft: &Draft, name: &Reference) -> bool {
    let former = former(draft, name);
    !former.is_empty() && former.iter().all(|entry| entry.has_raw())
}

/// The entry of the draft that `new` takes the place of.
fn predecessor<'a>(former: &[&'a Entry], taken: &BTreeSet<&Reference>, new: &Entry) -> Option<&'a Entry> {
    let free = || former.iter().copied().filter(|old| !taken.contains(&old.reference));
    let same_name = free().find(|old| old.reference == new.reference);
    let platform = |entry: &Entry| {
        let own = entry.descriptor.platform.as_ref().map(Platform::normalized).unwrap_or_default();
        (own.os, own.architecture, own.variant)
    };
    let same_platform =
        || free().find(|old| old.attests().is_none() && new.attests().is_none() && platform(old) == platform(new));
    same_name.or_else(same_platform)
}

/// Whether the two say the same where a user can have said something.
fn says_the_same(old: &Descriptor, new: &Descriptor) -> bool {
    old.platform == new.platform && old.annotations == new.annotations && old.artifact_type == new.artifact_type
}

/// What the sources once said of the entries that are about to be replaced, as far as it matters and can be had.
pub(super) fn originals(registry: &Registry, draft: &Draft, sources: &[Source]) -> Result<Originals, CommandError> {
    let mut originals = Originals::new();
    let platforms = Platforms::new(registry);
    for source in sources {
        let former = former(draft, &source.reference);
        if moved(&former, source).is_none() {
            continue;
        }
        let mut taken = BTreeSet::new();
        for new in &source.entries {
            let Some(old) = predecessor(&former, &taken, new) else { continue };
            taken.insert(&old.reference);
            let digest = &old.descriptor.digest;
            if says_the_same(&old.descriptor, &new.descriptor) || originals.contains_key(digest) {
                continue;
            }
            match original(registry, &platforms, old) {
                Ok(Some(found)) => {
                    originals.insert(digest.clone(), found);
                }
                Ok(None) => {}
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(originals)
}

fn is_gone(error: &CommandError) -> bool {
    match error {
        CommandError::NotServed { .. } => true,
        CommandError::Registry(error) => error.kind == Kind::NotFound,
        _ => false,
    }
}

fn original(registry: &Registry, platforms: &Platforms<'_>, old: &Entry) -> Result<Option<Descriptor>, CommandError> {
    let Some(list) = &old.source else {
        let bytes = old.bytes()?;
        let platform = platforms.of(&old.reference, &bytes)?;
        let plain = Descriptor::new(&old.descriptor.media_type, old.descriptor.digest.clone(), old.descriptor.size);
        return Ok(Some(Descriptor { platform: Some(platform), ..plain }));
    };
    let Some(digest) = list.digest() else { return Ok(None) };
    match fetch::manifest(registry, &list.repository().at_digest(digest))? {
        Found::Image(..) => Ok(None),
        Found::List(fetched) => {
            let served = |source| CommandError::Served { reference: list.to_string(), source };
            let index = Index::decode(&fetched.bytes).map_err(served)?;
            Ok(index.manifests.into_iter().find(|line| line.digest == old.descriptor.digest))
        }
    }
}

/// `new` with what the user said of `old`: everything in which `old` differs from its `original`.
fn carry(old: &Entry, original: Option<&Descriptor>, mut new: Entry) -> Entry {
    fn keep<T: PartialEq + Clone>(old: &T, original: Option<&T>, new: &mut T) {
        if original != Some(old) {
            new.clone_from(old);
        }
    }
    let empty = Platform::default();
    let of = |descriptor: &Descriptor| descriptor.platform.clone().unwrap_or_else(|| empty.clone());
    let (was, first) = (of(&old.descriptor), original.map(of));
    let (first, mut now) = (first.as_ref(), of(&new.descriptor));
    keep(&was.os, first.map(|first| &first.os), &mut now.os);
    keep(&was.architecture, first.map(|first| &first.architecture), &mut now.architecture);
    keep(&was.variant, first.map(|first| &first.variant), &mut now.variant);
    keep(&was.os_version, first.map(|first| &first.os_version), &mut now.os_version);
    keep(&was.os_features, first.map(|first| &first.os_features), &mut now.os_features);
    keep(&was.features, first.map(|first| &first.features), &mut now.features);
    if now != empty || new.descriptor.platform.is_some() {
        new.descriptor.platform = Some(now);
    }
    keep(
        &old.descriptor.artifact_type,
        original.map(|original| &original.artifact_type),
        &mut new.descriptor.artifact_type,
    );
    let first = original.map(|original| &original.annotations);
    for (name, value) in &old.descriptor.annotations {
        if first.and_then(|first| first.get(name)) != Some(value) {
            new.descriptor.annotations.insert(name.clone(), value.clone());
        }
    }
    for name in first.into_iter().flat_map(BTreeMap::keys) {
        if !old.descriptor.annotations.contains_key(name) {
            new.descriptor.annotations.remove(name);
        }
    }
    new
}

/// Puts what a source brings into the draft. Gives the move, where the draft knew the source as something else.
///
/// # Errors
/// Where docker's store has one file for two of the images.
pub(super) fn merge(
    draft: &mut Draft,
    source: &Source,
    wanted: &Sources,
    originals: &Originals,
) -> Result<Option<Move>, DocumentError> {
    let picked = |entry: &Entry| {
        let platform = entry.descriptor.platform.as_ref();
        let matches = |platform: &Platform| wanted.platforms.iter().any(|pick| platform.matches(&pick.parsed));
        wanted.platforms.is_empty() || platform.is_some_and(matches)
    };
    let before = draft.clone();
    let former = former(&before, &source.reference);
    let moved = moved(&former, source);
    let mut taken = BTreeSet::new();
    for new in &source.entries {
        let old = predecessor(&former, &taken, new);
        taken.extend(old.map(|old| &old.reference));
        match old {
            Some(old) if old.descriptor.digest == new.descriptor.digest && old.has_raw() && moved.is_none() => {}
            Some(old) => {
                let carried = carry(old, originals.get(&old.descriptor.digest), new.clone());
                replace(draft, old, carried)?;
            }
            // The same image under another name is in the list already.
            None if new.source.is_some() && draft.entries().any(|entry| is_same_image(entry, new)) => {}
            None => draft.insert(new.clone())?,
        }
    }
    for old in former.iter().filter(|old| !taken.contains(&old.reference)) {
        let is_over = match old.attests() {
            Some(_) if wanted.attestations == Attestations::Drop => true,
            // Its image is as it was, and is attested anew.
            Some(digest) => moved.is_some() && source.entries.iter().any(|new| new.descriptor.digest == digest),
            None => moved.is_some() && picked(old),
        };
        if is_over {
            take_out(draft, old);
        }
    }
    Ok(moved)
}

fn is_same_image(entry: &Entry, new: &Entry) -> bool {
    entry.descriptor.digest == new.descriptor.digest && entry.reference.repository() == new.reference.repository()
}

/// Whether the source names something else than when the draft's entries of it were taken.
fn moved(former: &[&Entry], source: &Source) -> Option<Move> {
    let known = |entry: &&Entry| match &entry.source {
        Some(list) => list.digest().cloned(),
        None => Some(entry.descriptor.digest.clone()),
    };
    let old = former.iter().filter(|entry| entry.has_raw()).find_map(known).filter(|old| *old != source.digest)?;
    Some(Move { reference: source.reference.clone(), old, new: source.digest.clone() })
}

/// Puts `new` where `old` was; what attested `old` attests nothing that is there.
fn replace(draft: &mut Draft, old: &Entry, new: Entry) -> Result<(), DocumentError> {
    if old.descriptor.digest != new.descriptor.digest {
        take_out(draft, old);
    } else {
        draft.remove(&old.reference);
    }
    draft.insert(new)
}

/// Takes an entry out, and what attests it if nothing of that digest is left. Gives all that went.
pub(super) fn take_out(draft: &mut Draft, entry: &Entry) -> Vec<Entry> {
    let digest = &entry.descriptor.digest;
    let mut gone: Vec<Entry> = draft.remove(&entry.reference).into_iter().collect();
    if !draft.entries().any(|other| other.descriptor.digest == *digest) {
        for attestation in draft.attesting(digest) {
            gone.extend(draft.remove(&attestation));
        }
    }
    gone
}

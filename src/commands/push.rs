//! `push`: the blobs of images from other repositories are mounted, their manifests put by digest from the bytes that
//! came, and the list last, so that the tag never names what is not there.

use std::collections::BTreeMap;

use crate::args::Push;
use crate::commands::error::CommandError;
use crate::commands::{Context, parsed};
use crate::digest::Digest;
use crate::document::list::List;
use crate::document::{Draft, Entry};
use crate::reference::{Reference, Repository};
use crate::registry::{Access, Mount, Name, Registry};

/// The operating system whose foreign layers may stay where they are.
const WINDOWS: &str = "windows";

/// A blob that the target needs, and the images that need it: the repository of each, and its operating system.
struct Blob {
    digest: Digest,
    sources: Vec<(Repository, bool)>,
}

pub(super) fn run(context: &Context, args: &Push) -> Result<(), CommandError> {
    let target = parsed(&args.list)?;
    let store = context.store();
    let draft = store.draft(target)?.ok_or_else(|| CommandError::NotStored(target.to_string()))?;
    if draft.is_empty() {
        return Err(CommandError::Empty(target.to_string()));
    }
    let list = draft.list()?;
    let children: Vec<&Entry> =
        draft.entries().filter(|entry| entry.reference.repository() != target.repository()).collect();
    let registry = context.registry(args.insecure);
    registry.announce(target.repository(), Access::PullPush);
    for child in &children {
        registry.announce(child.reference.repository(), Access::Pull);
    }
    send(context, &registry, target, &children, &list)?;
    if args.purge { purge(context, target, &draft) } else { Ok(()) }
}

fn send(
    context: &Context,
    registry: &Registry,
    target: &Reference,
    children: &[&Entry],
    list: &List,
) -> Result<(), CommandError> {
    // Everything that can be known to be wrong is known before anything is sent.
    let bytes: Vec<Vec<u8>> = children.iter().map(|child| child.bytes()).collect::<Result<_, _>>()?;
    for blob in blobs(children)? {
        mount(registry, target, &blob)?;
    }
    let mut there: Vec<&Digest> = Vec::new();
    for (child, bytes) in children.iter().zip(&bytes) {
        let digest = &child.descriptor.digest;
        let reference = target.repository().at_digest(digest);
        if !there.contains(&digest) {
            put(registry, &reference, &child.descriptor.media_type, bytes)?;
            there.push(digest);
        }
        context.streams.line(format_args!("Pushed ref {reference} with digest: {digest}"))?;
    }
    put(registry, target, list.media_type, &list.bytes)?;
    Ok(context.streams.line(&list.digest)?)
}

/// The distinct blobs of all children in the order in which docker mounts them.
fn blobs(children: &[&Entry]) -> Result<Vec<Blob>, CommandError> {
    let mut blobs: Vec<Blob> = Vec::new();
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    for child in children {
        let is_windows = child.descriptor.platform.as_ref().is_some_and(|platform| platform.os == WINDOWS);
        for digest in child.blobs()? {
            let place = *places.entry(digest.clone()).or_insert(blobs.len());
            if place == blobs.len() {
                blobs.push(Blob { digest, sources: Vec::new() });
            }
            if let Some(blob) = blobs.get_mut(place) {
                blob.sources.push((child.reference.repository().clone(), is_windows));
            }
        }
    }
    Ok(blobs)
}

/// Mounts a blob from the first source that has it. Windows' foreign layers are in none, and docker lets them go.
fn mount(registry: &Registry, target: &Reference, blob: &Blob) -> Result<(), CommandError> {
    let mut tried: Vec<&Repository> = Vec::new();
    for (source, _) in &blob.sources {
        if tried.contains(&source) {
            continue;
        }
        let failed = |error| CommandError::Mount {
            blob: docker_name(source, &blob.digest),
            target: target.to_string(),
            source: Box::new(error),
        };
        if registry.mount(target.repository(), source, &blob.digest).map_err(failed)? == Mount::Mounted {
            return Ok(());
        }
        tried.push(source);
    }
    match blob.sources.iter().find(|(_, is_windows)| !is_windows) {
        None => Ok(()),
        Some((source, _)) => {
            Err(CommandError::NotMounted { blob: docker_name(source, &blob.digest), target: target.to_string() })
        }
    }
}

/// A blob as docker names it in these messages: without the registry's host.
fn docker_name(source: &Repository, digest: &Digest) -> String {
    format!("{}@{digest}", source.path())
}

fn put(registry: &Registry, reference: &Reference, media_type: &str, bytes: &[u8]) -> Result<(), CommandError> {
    let name = match (reference.tag(), reference.digest()) {
        (Some(tag), _) => Name::Tag(tag.to_owned()),
        (None, Some(digest)) => Name::Digest(digest.clone()),
        (None, None) => Name::Digest(Digest::of(bytes)),
    };
    let failed = |error| CommandError::Put { reference: reference.to_string(), source: Box::new(error) };
    registry.put_manifest(reference.repository(), &name, media_type, bytes).map(|_| ()).map_err(failed)
}

/// Removes the draft that was pushed. One that somebody changed meanwhile is not that draft any more, and stays.
fn purge(context: &Context, target: &Reference, pushed: &Draft) -> Result<(), CommandError> {
    let mut changed = false;
    context.store().change(target, &context.notice(), |before| {
        changed = before.is_some_and(|draft| draft != pushed);
        Ok::<_, CommandError>(before.filter(|_| changed).cloned())
    })?;
    if changed {
        context.streams.note(format_args!("{target} was changed while it was being pushed, so it is not removed"));
    }
    Ok(())
}

//! `push`: the blobs of images from other repositories are mounted, their manifests put by digest from the bytes that
//! came, and the list last, so that the tag never names what is not there.

use std::collections::{BTreeMap, BTreeSet};

use crate::args::Push;
use crate::commands::error::CommandError;
use crate::commands::{Context, parsed, pool};
use crate::digest::Digest;
use crate::document::list::{self, List};
use crate::document::manifest;
use crate::document::{Draft, Entry};
use crate::reference::{Reference, Repository};
use crate::registry::{Access, Kind, Mount, Name, Registry};

/// The operating system whose foreign layers may stay where they are.
const WINDOWS: &str = "windows";

/// A blob that the target needs, and the images that need it: the repository of each, and whether it is Windows'.
struct Blob {
    digest: Digest,
    sources: Vec<(Repository, bool)>,
}

/// One thing to send before the list.
enum Step<'a> {
    Mount(Blob),
    Put { reference: Reference, media_type: &'a str, bytes: Vec<u8> },
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
    // Everything that can be known to be wrong is known before anything is sent.
    children.iter().try_for_each(|child| child.bytes().map(drop))?;
    let there = if children.is_empty() { There::default() } else { look(&registry, target, &list)? };
    if !there.list {
        let steps = steps(target, &children, &there.children)?;
        let jobs = context.jobs(args.jobs)?;
        pool::in_stages(jobs, &steps, |step| send(&registry, target, step)).map_err(CommandError::of)?;
        put(&registry, target, list.media_type, &list.bytes)?;
    }
    for child in &children {
        let digest = &child.descriptor.digest;
        let reference = target.repository().at_digest(digest);
        context.streams.line(format_args!("Pushed ref {reference} with digest: {digest}"))?;
    }
    context.streams.line(&list.digest)?;
    if args.purge { purge(context, target, &draft) } else { Ok(()) }
}

/// What the target is known to have already.
#[derive(Default)]
struct There {
    /// The list itself, and so all that it names.
    list: bool,
    /// Manifests that the list now under the tag names: a registry takes no list before its children.
    children: BTreeSet<Digest>,
}

/// One look at what the tag serves now. Who may push but not pull is told nothing, and then all is sent.
fn look(registry: &Registry, target: &Reference, list: &List) -> Result<There, CommandError> {
    let served = match registry.manifest(target) {
        Ok(served) => served,
        Err(error) => match error.kind {
            Kind::NotFound | Kind::Unauthorized | Kind::Forbidden | Kind::Verification => return Ok(There::default()),
            _ => return Err(error.into()),
        },
    };
    if served.digest == list.digest && served.media_type == list.media_type {
        return Ok(There { list: true, ..There::default() });
    }
    let items = match manifest::Kind::of(&served.media_type) {
        Some(manifest::Kind::List) => list::items(&served.bytes).unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok(There { list: false, children: items.into_iter().map(|item| item.digest).collect() })
}

/// What has to be sent before the list, each once: the distinct blobs in docker's order, then the manifests, each with
/// the places of the blobs that it needs.
fn steps<'a>(
    target: &Reference,
    children: &[&'a Entry],
    there: &BTreeSet<Digest>,
) -> Result<Vec<(Step<'a>, Vec<usize>)>, CommandError> {
    let mut blobs: Vec<Blob> = Vec::new();
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut puts = Vec::new();
    let mut seen: BTreeSet<&Digest> = there.iter().collect();
    for child in children {
        let digest = &child.descriptor.digest;
        let is_windows = child.descriptor.platform.as_ref().is_some_and(|platform| platform.os == WINDOWS);
        if there.contains(digest) {
            continue;
        }
        let mut needs = Vec::new();
        for digest in child.blobs()? {
            let place = *places.entry(digest.clone()).or_insert(blobs.len());
            if place == blobs.len() {
                blobs.push(Blob { digest, sources: Vec::new() });
            }
            if let Some(blob) = blobs.get_mut(place) {
                blob.sources.push((child.reference.repository().clone(), is_windows));
            }
            if !needs.contains(&place) {
                needs.push(place);
            }
        }
        if seen.insert(digest) {
            let reference = target.repository().at_digest(digest);
            puts.push((Step::Put { reference, media_type: child.media_type(), bytes: child.bytes()? }, needs));
        }
    }
    Ok(blobs.into_iter().map(|blob| (Step::Mount(blob), Vec::new())).chain(puts).collect())
}

fn send(registry: &Registry, target: &Reference, step: &Step<'_>) -> Result<(), CommandError> {
    match step {
        Step::Mount(blob) => mount(registry, target, blob),
        Step::Put { reference, media_type, bytes } => put(registry, reference, media_type, bytes),
    }
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

/// Puts a manifest under the reference's tag, or its own digest where there is none, as docker has it.
fn put(registry: &Registry, reference: &Reference, media_type: &str, bytes: &[u8]) -> Result<(), CommandError> {
    let name = match reference.tag() {
        Some(tag) => Name::Tag(tag.to_owned()),
        None => Name::Digest(Digest::of(bytes)),
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

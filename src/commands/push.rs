//! `push`: the blobs of images from other repositories are mounted, their manifests put by digest from the bytes that
//! came, and the list last, so that the tag never names what is not there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::args::Push;
use crate::commands::error::CommandError;
use crate::commands::{Context, parsed, pool};
use crate::digest::Digest;
use crate::document::descriptor::Descriptor;
use crate::document::list::{Form, Index, List};
use crate::document::manifest;
use crate::document::{Draft, Entry};
use crate::reference::{Reference, Repository};
use crate::registry::{Access, Kind, Mount, Name, Registry};

/// The operating system whose foreign layers may stay where they are.
const WINDOWS: &str = "windows";

/// A blob that the target needs, and the images that need it: the repository of each, and whether it is Windows'.
struct Blob<'a> {
    digest: Digest,
    sources: Vec<(&'a Repository, bool)>,
}

/// One thing to send before the list.
enum Step<'a> {
    Mount(Blob<'a>),
    Put(Put<'a>),
}

/// A manifest to be put under its digest.
struct Put<'a> {
    reference: Reference,
    media_type: &'a str,
    bytes: Cow<'a, [u8]>,
}

pub(super) fn run(context: &Context, args: &Push) -> Result<(), CommandError> {
    let target = parsed(&args.list)?;
    let draft = context.store().draft(target)?.ok_or_else(|| CommandError::NotStored(target.to_string()))?;
    if draft.is_empty() {
        return Err(CommandError::Empty(target.to_string()));
    }
    let list = draft.list(Form::Auto)?;
    let children: Vec<&Entry> =
        draft.entries().filter(|entry| entry.reference.repository() != target.repository()).collect();
    // Everything that can be known to be wrong is known before anything is sent.
    let steps = steps(target, &children)?;
    publish(context, args, target, &list, steps)?;
    for child in &children {
        let digest = &child.descriptor.digest;
        let reference = target.repository().at_digest(digest);
        context.streams.line(format_args!("Pushed ref {reference} with digest: {digest}"))?;
    }
    context.streams.line(&list.digest)?;
    if args.purge { purge(context, target, &draft) } else { Ok(()) }
}

fn publish(
    context: &Context,
    args: &Push,
    target: &Reference,
    list: &List,
    steps: Steps<'_>,
) -> Result<(), CommandError> {
    let jobs = context.jobs(args.network.jobs)?;
    let registry = context.registry(&args.network)?;
    registry.announce(target.repository(), Access::PullPush);
    for (source, _) in steps.blobs.iter().flat_map(|blob| &blob.sources) {
        registry.announce(source, Access::Pull);
    }
    registry.expect(target.repository(), steps.blobs.len().min(jobs.get()));
    let there = if steps.puts.is_empty() { There::default() } else { look(&registry, target, list)? };
    if there.list {
        return Ok(());
    }
    let tasks = steps.without(&there.children);
    pool::in_stages(jobs, &tasks, |step| send(&registry, target, step)).map_err(CommandError::of)?;
    put(&registry, target, list.media_type, &list.bytes)
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
            Kind::NotFound | Kind::Unauthorized | Kind::LoginRefused | Kind::Forbidden | Kind::Verification => {
                return Ok(There::default());
            }
            _ => return Err(error.into()),
        },
    };
    if served.digest == list.digest && served.media_type == list.media_type {
        return Ok(There { list: true, ..There::default() });
    }
    let index = match manifest::Kind::of(&served.media_type) {
        Some(manifest::Kind::List) => Index::decode(&served.bytes).unwrap_or_default(),
        _ => Index::default(),
    };
    Ok(There { list: false, children: index.manifests.into_iter().map(|line| line.digest).collect() })
}

/// What has to be sent before the list, each once.
struct Steps<'a> {
    /// The distinct blobs in docker's order.
    blobs: Vec<Blob<'a>>,
    /// The distinct manifests in docker's order, each with the places of the blobs that it needs.
    puts: Vec<(Put<'a>, BTreeSet<usize>)>,
}

fn steps<'a>(target: &Reference, children: &[&'a Entry]) -> Result<Steps<'a>, CommandError> {
    let mut steps = Steps { blobs: Vec::new(), puts: Vec::new() };
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for child in children {
        let is_windows = child.descriptor.platform.as_ref().is_some_and(|platform| platform.os == WINDOWS);
        let mut needs = BTreeSet::new();
        for Descriptor { digest, .. } in child.blobs()? {
            let place = *places.entry(digest.clone()).or_insert(steps.blobs.len());
            if place == steps.blobs.len() {
                steps.blobs.push(Blob { digest, sources: Vec::new() });
            }
            if let Some(blob) = steps.blobs.get_mut(place) {
                blob.sources.push((child.reference.repository(), is_windows));
            }
            needs.insert(place);
        }
        let bytes = child.bytes()?;
        if seen.insert(&child.descriptor.digest) {
            let reference = target.repository().at_digest(&child.descriptor.digest);
            steps.puts.push((Put { reference, media_type: child.media_type(), bytes }, needs));
        }
    }
    Ok(steps)
}

impl<'a> Steps<'a> {
    /// The work that is left when these manifests are there, with the places of the work that each piece needs.
    fn without(self, there: &BTreeSet<Digest>) -> Vec<(Step<'a>, Vec<usize>)> {
        let is_there = |put: &Put<'_>| put.reference.digest().is_some_and(|digest| there.contains(digest));
        let puts: Vec<(Put<'a>, BTreeSet<usize>)> = self.puts.into_iter().filter(|(put, _)| !is_there(put)).collect();
        let needed: BTreeSet<usize> = puts.iter().flat_map(|(_, needs)| needs.iter().copied()).collect();
        let moved: BTreeMap<usize, usize> = needed.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let blobs = self.blobs.into_iter().enumerate().filter(|(place, _)| needed.contains(place));
        let mounts = blobs.map(|(_, blob)| (Step::Mount(blob), Vec::new()));
        let puts = puts.into_iter().map(|(put, needs)| {
            let needs = needs.iter().filter_map(|place| moved.get(place).copied()).collect();
            (Step::Put(put), needs)
        });
        mounts.chain(puts).collect()
    }
}

fn send(registry: &Registry, target: &Reference, step: &Step<'_>) -> Result<(), CommandError> {
    match step {
        Step::Mount(blob) => mount(registry, target, blob),
        Step::Put(Put { reference, media_type, bytes }) => put(registry, reference, media_type, bytes),
    }
}

/// Mounts a blob from the first source that has it. Windows' foreign layers are in none, and docker lets them go.
fn mount(registry: &Registry, target: &Reference, blob: &Blob<'_>) -> Result<(), CommandError> {
    let mut tried: Vec<&Repository> = Vec::new();
    for (source, _) in &blob.sources {
        if tried.contains(source) {
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

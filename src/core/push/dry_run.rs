//! `push --dry-run`: what a push would do, checked against the registries with requests that change nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::num::NonZeroUsize;

use crate::cli::output::{Table, human};
use crate::content::registry::{Name, Registry};
use crate::core::error::CommandError;
use crate::core::missing_child::NamedBy;
use crate::core::push::difference::{self, Changes};
use crate::core::push::outcome::{Change, Copied, How, Origin, Preview, Published, TagChange};
use crate::core::push::plan::{Blob, Child, Plan, Put};
use crate::core::push::remote_state::{self, Now, Served};
use crate::digest::Digest;
use crate::model::Draft;
use crate::model::index::Index;
use crate::net::tasks;
use crate::reference::{Reference, Repository};

/// A question to a registry.
enum Question<'p> {
    /// Whether this repository has this manifest.
    Manifest(&'p Repository, &'p Digest),
    /// Whether any of its sources has this blob.
    Source(&'p Blob<'p>),
    /// Whether the target has this blob already.
    Target(&'p Blob<'p>),
}

/// What the answer means.
enum Answer<'p> {
    Fine,
    Missing(CommandError),
    InTarget(&'p Digest),
}

/// Finds out what a push would do.
///
/// # Errors
/// Every manifest and blob that is in none of its sources; what else a registry says.
pub(crate) fn preview<'p>(
    registry: &Registry,
    jobs: NonZeroUsize,
    draft: &Draft,
    plan: &'p Plan<'p>,
    served: &Served,
) -> Result<Published, CommandError> {
    let questions = questions(plan, served);
    let answers =
        tasks::in_order(jobs, &questions, |question| ask(registry, plan, question)).map_err(CommandError::of)?;
    let mut missing: Vec<CommandError> = served.failure(plan, NamedBy::Previewed).into_iter().collect();
    let mut present = BTreeSet::new();
    for answer in answers {
        match answer {
            Answer::Fine => {}
            Answer::Missing(error) => missing.push(error),
            Answer::InTarget(digest) => {
                present.insert(digest);
            }
        }
    }
    if !missing.is_empty() {
        return Err(CommandError::of(missing));
    }
    let mut published = Published::of(draft, plan);
    for (child, image) in plan.children.iter().zip(&mut published.platforms) {
        image.from = Some(origin(plan, served, &present, child));
    }
    let (mounted, copied) = totals(plan, served, &present);
    let preview = Some(Preview { tag_changes: tag_changes(plan, served), changes: changes(plan, served)? });
    Ok(Published { mounted, copied, dry_run: true, preview, ..published })
}

/// The manifests that are left to be put.
fn missing<'p>(plan: &'p Plan<'p>, served: &'p Served) -> impl Iterator<Item = &'p Put<'p>> {
    plan.missing(&served.children)
}

fn needed<'p>(plan: &'p Plan<'p>, served: &'p Served) -> impl Iterator<Item = &'p Blob<'p>> {
    let places: BTreeSet<usize> = missing(plan, served).flat_map(|put| put.needs.iter().copied()).collect();
    places.into_iter().filter_map(|place| plan.blobs.get(place))
}

fn questions<'p>(plan: &'p Plan<'p>, served: &'p Served) -> Vec<Question<'p>> {
    let manifests =
        missing(plan, served).filter_map(|put| Some(Question::Manifest(put.source, put.reference.digest()?)));
    let sources = needed(plan, served).filter(|blob| !blob.may_stay).map(Question::Source);
    let targets = needed(plan, served).filter(|blob| !is_near(plan, blob)).map(Question::Target);
    manifests.chain(sources).chain(targets).collect()
}

fn ask<'p>(registry: &Registry, plan: &Plan<'_>, question: &Question<'p>) -> Result<Answer<'p>, CommandError> {
    let gone = |what, names: Vec<String>| Answer::Missing(CommandError::Gone { what, name: names.join(", nor ") });
    match question {
        Question::Manifest(repository, digest) => {
            let found = registry.has_manifest(repository, &Name::Digest((*digest).clone()))?;
            Ok(if found.is_some() { Answer::Fine } else { gone("manifest", vec![format!("{repository}@{digest}")]) })
        }
        Question::Source(blob) => {
            // As a push does: a source that gives no answer is none of those that have it.
            let mut failed = None;
            for source in &blob.sources {
                match registry.has_blob(source, &blob.digest) {
                    Ok(true) => return Ok(Answer::Fine),
                    Ok(false) => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            let names = || blob.sources.iter().map(|source| format!("{source}@{}", blob.digest)).collect();
            failed.map_or_else(|| Ok(gone("blob", names())), |error| Err(error.into()))
        }
        Question::Target(blob) => match registry.has_blob(plan.target.repository(), &blob.digest) {
            Ok(true) => Ok(Answer::InTarget(&blob.digest)),
            Ok(false) => Ok(Answer::Fine),
            Err(error) if remote_state::is_untold(&error) => Ok(Answer::Fine),
            Err(error) => Err(error.into()),
        },
    }
}

/// Whether a mount is tried first.
fn is_near(plan: &Plan<'_>, blob: &Blob<'_>) -> bool {
    blob.sources.first().is_some_and(|source| source.domain() == plan.target.repository().domain())
}

fn origin(plan: &Plan<'_>, served: &Served, present: &BTreeSet<&Digest>, child: &Child<'_>) -> Origin {
    let put = child.put.and_then(|place| plan.puts.get(place));
    let is_there = served.children.contains(&child.entry.descriptor.digest);
    let Some(put) = put.filter(|_| !is_there) else {
        return Origin { how: How::InPlace, repository: plan.target.repository().to_string(), bytes: 0 };
    };
    let blobs = put.needs.iter().filter_map(|place| plan.blobs.get(*place));
    let blobs = blobs.filter(|blob| !blob.may_stay && !present.contains(&blob.digest));
    let is_near = put.source.domain() == plan.target.repository().domain();
    Origin {
        how: if is_near { How::Mount } else { How::Copy },
        repository: put.source.to_string(),
        bytes: blobs.filter_map(|blob| blob.size).fold(0, u64::saturating_add),
    }
}

/// How many blobs would be mounted, and how much copied.
fn totals(plan: &Plan<'_>, served: &Served, present: &BTreeSet<&Digest>) -> (u64, Copied) {
    let (mut mounted, mut copied) = (0, Copied::default());
    for blob in needed(plan, served).filter(|blob| !blob.may_stay && !present.contains(&blob.digest)) {
        if is_near(plan, blob) {
            mounted += 1;
        } else {
            copied.blobs += 1;
            copied.bytes = copied.bytes.saturating_add(blob.size.unwrap_or_default());
        }
    }
    (mounted, copied)
}

fn tag_changes(plan: &Plan<'_>, served: &Served) -> Vec<TagChange> {
    let change = |(tag, now): (&Reference, &Now)| {
        let (change, now) = match now {
            Now::Unknown => (Change::Unknown, None),
            Now::Nothing => (Change::New, None),
            Now::This => (Change::Unchanged, Some(plan.list.digest.to_string())),
            Now::Other(digest) => (Change::Moved, Some(digest.to_string())),
        };
        TagChange { tag: tag.tag().unwrap_or_default().to_owned(), change, now }
    };
    plan.tags.iter().zip(&served.tags).map(change).collect()
}

/// Nothing, where it is not known what is served.
fn changes(plan: &Plan<'_>, served: &Served) -> Result<Changes, CommandError> {
    let own = plan.tags.iter().zip(&served.tags).find(|(tag, _)| plan.is_own(tag)).map(|(_, now)| now);
    if own == Some(&Now::Unknown) {
        return Ok(Changes::default());
    }
    let after = Index::decode(&plan.list.bytes)?;
    let before = served
        .own
        .as_ref()
        .map(|own| Index { media_type: own.media_type.clone(), ..served.index().unwrap_or_default() });
    Ok(difference::between(before.as_ref(), &after))
}

/// A dry run as people read it.
pub(crate) fn text(published: &Published, room: Option<usize>) -> String {
    let mut text = format!("Would push {}\n", published.reference);
    for (name, value) in [
        ("digest", published.digest.clone()),
        ("media type", published.media_type.clone()),
        ("size", human::size(published.size)),
    ] {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{:<12}{value}", format!("{name}:"));
    }
    let Some(preview) = &published.preview else { return text };
    for TagChange { tag, change, now } in &preview.tag_changes {
        let now = now.as_deref().unwrap_or("unknown");
        let state = match change {
            Change::New => "new".to_owned(),
            Change::Unchanged => "unchanged".to_owned(),
            Change::Moved => format!("moves here from {now}"),
            Change::Unknown => "what it serves now is not known".to_owned(),
        };
        let _ = writeln!(text, "{:<12}{tag} ({state})", "tag:");
    }
    let _ = write!(text, "\n{}", table(published).within(room));
    let Copied { blobs, bytes } = published.copied;
    let _ = writeln!(
        text,
        "\nBlobs to mount: {}, to copy: {blobs} ({})\n\n{}",
        published.mounted,
        human::size(bytes),
        told(published, preview)
    );
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn table(published: &Published) -> Table {
    let mut table = Table::new(&["platform", "digest", "from", "bytes"]);
    for image in &published.platforms {
        let (from, bytes) = match &image.from {
            Some(Origin { how: How::InPlace, .. }) | None => ("in place".to_owned(), String::new()),
            Some(Origin { how, repository, bytes }) => {
                let how = if *how == How::Mount { "mount" } else { "copy" };
                (format!("{how} from {repository}"), human::size(*bytes))
            }
        };
        let platform = if image.attests.is_some() { Some("attestation") } else { image.platform.as_deref() };
        table.row([platform.unwrap_or("-"), &image.digest, &from, &bytes]);
    }
    table
}

/// The difference to what is served now, a line for each.
fn told(published: &Published, preview: &Preview) -> String {
    if published.unchanged {
        return "unchanged: nothing would be sent".to_owned();
    }
    let list = &published.reference;
    let own = Reference::parse(list).ok();
    let own = own.as_ref().and_then(Reference::tag);
    let own = preview.tag_changes.iter().find(|change| Some(change.tag.as_str()) == own);
    let lines = preview.changes.lines();
    match own.map(|own| own.change) {
        Some(Change::Unknown) => format!("What {list} serves now is not known"),
        Some(Change::Unchanged) => format!("{list} serves this list now"),
        _ if lines.is_empty() => format!("{list} serves a list now that says the same in other bytes"),
        _ => format!("Against what {list} serves now:\n{}", lines.join("\n")),
    }
}

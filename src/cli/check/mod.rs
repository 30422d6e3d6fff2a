//! `check`: probes which features a registry supports, with images that it makes itself, and deletes them.
//!
//! `samples` makes what is pushed (layers by `archive`). `probes` pushes it to the repositories of `target` and reads
//! it back. `result` holds what was found. `cleanup` deletes the `created_objects`, and `interrupt` makes sure that
//! Ctrl-C does not prevent that.

mod archive;
mod cleanup;
mod created_objects;
mod interrupt;
mod probes;
mod result;
mod samples;
mod target;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use serde::Serialize;

use crate::cli::args::{Check as Args, ListFormat};
use crate::cli::context::Context;
use crate::cli::output::{Steps, Table};
use crate::core::error::CommandError;
use crate::reference::Repository;
use cleanup::{Reasons, clean_up};
use created_objects::CreatedObjects;
use interrupt::{INTERRUPTED, Interrupt};
use probes::{NUMBER, Prober};
use result::{Probe, ProbeResults};
use samples::Samples;
use target::TargetRepository;

/// Returns the exit code of a success: 0, or that of an interrupted program.
pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    let place = TargetRepository::parse(&args.target)?;
    let jobs = context.jobs(args.network.jobs)?;
    let registry = context.registry(&args.network, place.main())?;
    let samples = Samples::new(&word())?;
    let interrupt = Interrupt::listen(&context.streams, &context.stop);
    let steps = Steps::new(&context.streams, NUMBER);
    let bench = Prober::new(&registry, jobs, &place, &samples, &interrupt, &steps, &*context.clock);
    let mut found = ProbeResults::default();
    let outcome = bench.try_all(&mut found);
    let reasons = if args.keep { Reasons::new() } else { clean_up(&bench, &found) };
    let left = Left::new(&bench.traces(), &reasons, args.keep);
    drop(steps);
    let was_stopped = interrupt.came();
    let shown = match outcome {
        Ok(()) if !was_stopped => show(context, args.format, &place, &found, &left, registry.requests()),
        outcome => outcome.map_err(CommandError::from),
    };
    if let Some(note) = left.note(&place) {
        context.streams.note(note);
    }
    if was_stopped {
        return Ok(INTERRUPTED);
    }
    shown?;
    if is_publishable(&found) { Ok(0) } else { Err(CommandError::Unpublishable(place.main().to_string())) }
}

/// A different word for each run.
fn word() -> String {
    // The standard library seeds its hashers randomly, so two runs practically never get the same word.
    format!("check-{:012x}", RandomState::new().build_hasher().finish() >> 16)
}

fn is_publishable(found: &ProbeResults) -> bool {
    found.works(Probe::DockerList) || found.works(Probe::OciIndex)
}

/// The objects that stay in the registry.
#[derive(Serialize)]
struct Left {
    tags: Vec<String>,
    manifests: Vec<String>,
    blobs: Vec<String>,
    /// The registry's messages.
    reasons: Vec<String>,
    #[serde(skip)]
    kept: bool,
    #[serde(skip)]
    blobs_by_repository: BTreeMap<Repository, usize>,
}

impl Left {
    fn new(traces: &CreatedObjects, reasons: &Reasons, kept: bool) -> Left {
        Left {
            tags: traces.tags(),
            manifests: traces.manifests().iter().map(ToString::to_string).collect(),
            blobs: traces.blobs().iter().map(|(place, digest)| place.at_digest(digest).to_string()).collect(),
            reasons: reasons.iter().cloned().collect(),
            kept,
            blobs_by_repository: traces.blobs().into_iter().fold(BTreeMap::new(), |mut blobs, (repository, _)| {
                *blobs.entry(repository).or_default() += 1;
                blobs
            }),
        }
    }

    /// A line about the objects that stay, if there are any, by repository.
    fn note(&self, place: &TargetRepository) -> Option<String> {
        let number = |number: usize, what: &str| match number {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{number} {what}s")),
        };
        let tags = (!self.tags.is_empty()).then(|| format!("the tags {}", self.tags.join(", ")));
        let blobs = |repository| number(self.blobs_by_repository.get(repository).copied().unwrap_or_default(), "blob");
        let main = [tags, number(self.manifests.len(), "manifest"), blobs(place.main())];
        let main: Vec<String> = main.into_iter().flatten().collect();
        let main = (!main.is_empty()).then(|| format!("in {}: {}", place.main(), main.join(", ")));
        let mount = blobs(place.mount()).map(|blobs| format!("in {}: {blobs}", place.mount()));
        let parts: Vec<String> = [main, mount].into_iter().flatten().collect();
        if parts.is_empty() {
            return None;
        }
        let verb = if self.kept { "kept" } else { "left" };
        let why = if self.reasons.is_empty() { String::new() } else { format!(" ({})", self.reasons.join("; ")) };
        Some(format!("{verb} {}{why}", parts.join("; ")))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    repository: String,
    mount_repository: String,
    publishable: bool,
    checks: Vec<Row<'a>>,
    left: &'a Left,
    requests: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    check: Probe,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<&'a str>,
}

fn show(
    context: &Context,
    format: ListFormat,
    place: &TargetRepository,
    found: &ProbeResults,
    left: &Left,
    requests: u64,
) -> Result<(), CommandError> {
    match format {
        ListFormat::Table => {
            let mut table = Table::new(&["check", "result", "remark"]);
            for (check, verdict) in found.each() {
                table.row([check.title(), verdict.title(), verdict.remark().unwrap_or_default()]);
            }
            Ok(context.streams.data(table.within(context.streams.width()).to_string().as_bytes())?)
        }
        ListFormat::Json => {
            let checks = found.each().map(|(check, verdict)| {
                let (result, remark) = (verdict.word(), verdict.remark());
                Row { check, result, remark }
            });
            Ok(context.streams.json(&Told {
                repository: place.main().to_string(),
                mount_repository: place.mount().to_string(),
                publishable: is_publishable(found),
                checks: checks.collect(),
                left,
                requests,
            })?)
        }
    }
}

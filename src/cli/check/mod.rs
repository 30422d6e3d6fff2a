//! `check`: probes which features a registry supports, with images that it makes itself, and deletes them.
//!
//! `samples` makes what is pushed (layers by `archive`, entries of shared drafts by `entry_samples`). `probes` and
//! `shared_probes` push it to the repositories of `target` and read it back. `result` holds what was found. `cleanup`
//! deletes the `created_objects`, and `interrupt` makes sure that Ctrl-C does not prevent that.

mod archive;
mod cleanup;
mod created_objects;
mod document;
mod entry_samples;
mod interrupt;
mod probes;
mod result;
mod samples;
mod shared_probes;
mod target;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use serde::Serialize;

use crate::cli::args::{Check as CheckFlags, ListFormat};
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
pub(crate) fn run(context: &Context, args: &CheckFlags) -> Result<u8, CommandError> {
    let target = TargetRepository::parse(&args.target)?;
    let registry = context.registry(&args.network, target.main())?;
    let samples = Samples::new(&word())?;
    let interrupt = Interrupt::listen(&context.streams, &context.stop);
    let steps = Steps::new(&context.streams, NUMBER);
    let prober = Prober::new(&registry, &target, &samples, &interrupt, &steps, &*context.clock);
    let mut results = ProbeResults::default();
    let outcome = prober.try_all(&mut results);
    let reasons = if args.keep { Reasons::new() } else { clean_up(&prober, &results) };
    let left = LeftObjects::new(&prober.created(), &reasons, args.keep);
    drop(steps);
    let was_stopped = interrupt.came();
    let shown = match outcome {
        Ok(()) if !was_stopped => show(context, args.format, &target, &results, &left, registry.requests()),
        outcome => outcome.map_err(CommandError::from),
    };
    if let Some(note) = left.note(&target) {
        context.streams.note(note);
    }
    if was_stopped {
        return Ok(INTERRUPTED);
    }
    shown?;
    if is_publishable(&results) { Ok(0) } else { Err(CommandError::Unpublishable(target.main().to_string())) }
}

/// A different word for each run.
fn word() -> String {
    // The standard library seeds its hashers randomly, so two runs practically never get the same word.
    format!("check-{:012x}", RandomState::new().build_hasher().finish() >> 16)
}

fn is_publishable(results: &ProbeResults) -> bool {
    results.works(Probe::DockerList) || results.works(Probe::OciIndex)
}

/// The objects that stay in the registry.
#[derive(Serialize)]
struct LeftObjects {
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

impl LeftObjects {
    fn new(created: &CreatedObjects, reasons: &Reasons, kept: bool) -> LeftObjects {
        LeftObjects {
            tags: created.tags(),
            manifests: created.manifests().iter().map(ToString::to_string).collect(),
            blobs: created.blobs().iter().map(|(target, digest)| target.at_digest(digest).to_string()).collect(),
            reasons: reasons.iter().cloned().collect(),
            kept,
            blobs_by_repository: created.blobs().into_iter().fold(BTreeMap::new(), |mut blobs, (repository, _)| {
                *blobs.entry(repository).or_default() += 1;
                blobs
            }),
        }
    }

    /// A line about the objects that stay, if there are any, by repository.
    fn note(&self, target: &TargetRepository) -> Option<String> {
        let number = |number: usize, what: &str| match number {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{number} {what}s")),
        };
        let tags = (!self.tags.is_empty()).then(|| format!("the tags {}", self.tags.join(", ")));
        let blobs = |repository| number(self.blobs_by_repository.get(repository).copied().unwrap_or_default(), "blob");
        let main = [tags, number(self.manifests.len(), "manifest"), blobs(target.main())];
        let main: Vec<String> = main.into_iter().flatten().collect();
        let main = (!main.is_empty()).then(|| format!("in {}: {}", target.main(), main.join(", ")));
        let mount = blobs(target.mount()).map(|blobs| format!("in {}: {blobs}", target.mount()));
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
struct CheckReport<'a> {
    repository: String,
    mount_repository: String,
    publishable: bool,
    checks: Vec<CheckRow<'a>>,
    left: &'a LeftObjects,
    requests: u64,
}

#[derive(Serialize)]
struct CheckRow<'a> {
    check: Probe,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<&'a str>,
}

fn show(
    context: &Context,
    format: ListFormat,
    target: &TargetRepository,
    results: &ProbeResults,
    left: &LeftObjects,
    requests: u64,
) -> Result<(), CommandError> {
    match format {
        ListFormat::Table => {
            let mut table = Table::new(&["check", "result", "remark"]);
            for (check, result) in results.each() {
                table.row([check.title(), result.title(), result.remark().unwrap_or_default()]);
            }
            Ok(context.streams.data(context.streams.fit(table).to_string().as_bytes())?)
        }
        ListFormat::Json => {
            let checks = results.each().map(|(check, result)| {
                let (result, remark) = (result.word(), result.remark());
                CheckRow { check, result, remark }
            });
            Ok(context.streams.json(&CheckReport {
                repository: target.main().to_string(),
                mount_repository: target.mount().to_string(),
                publishable: is_publishable(results),
                checks: checks.collect(),
                left,
                requests,
            })?)
        }
    }
}

//! `check`: probes which features a registry supports, with images that it makes itself, and deletes them.
//!
//! `samples` makes what is pushed (entries of shared drafts by `shared_entry_samples`). `probes` and
//! `shared_probes` push it to the repositories of `target` and read it back. `result` holds what was found. `cleanup`
//! deletes the `created_objects`, and `interrupt` makes sure that Ctrl-C does not prevent that.

mod cleanup;
mod created_objects;
mod interrupt;
mod probes;
mod result;
mod sample_manifest;
mod samples;
mod shared_entry_samples;
mod shared_probes;
mod target;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Mutex;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::args::{Check, RowsFormat};
use crate::cli::context::Context;
use crate::cli::output::{StepProgress, Table};
use crate::core::error::CommandError;
use crate::digest::Digest;
use crate::reference::Repository;
use cleanup::{Reasons, clean_up};
use created_objects::CreatedObjects;
use interrupt::{EXIT_INTERRUPTED, Interrupt};
use probes::{Prober, ROUND_PROBE_COUNT};
use result::{Probe, ProbeResult, ProbeResults};
use samples::Samples;
use target::TargetRepositories;

/// Returns the exit code of a success: 0, or that of an interrupted program.
pub(crate) fn run(context: &Context, args: &Check) -> Result<u8, CommandError> {
    let target = &TargetRepositories::parse(&args.target)?;
    let registry = &context.registry_client(&args.network, target.main())?;
    let samples = &Samples::new(&random_name_prefix())?;
    let interrupt = &Interrupt::listen(&context.streams, &context.docker_interrupts);
    let steps = StepProgress::new(&context.streams, ROUND_PROBE_COUNT);
    let (clock, created) = (&*context.clock, Mutex::default());
    let prober = Prober { registry, target, samples, interrupt, steps: &steps, clock, created };
    let mut results = ProbeResults::default();
    let outcome = prober.run_all(&mut results);
    let reasons = if args.keep { Reasons::new() } else { clean_up(&prober, &results) };
    let remaining = prober.created().clone();
    drop(steps);
    let was_stopped = interrupt.was_received();
    let publishable = results.works(Probe::DockerList) || results.works(Probe::OciIndex);
    let shown = match outcome {
        Ok(()) if !was_stopped && args.format == RowsFormat::Table => print_table(context, &results),
        Ok(()) if !was_stopped => {
            let report = json!({
                "repository": target.main().to_string(),
                "mountRepository": target.mount_target().to_string(),
                "publishable": publishable,
                "checks": results.iter().map(|(probe, result)| CheckRow { check: probe, result }).collect::<Vec<_>>(),
                "left": remaining_objects(&remaining, &reasons),
                "requests": registry.requests(),
            });
            context.streams.json(&report).map_err(CommandError::from)
        }
        outcome => outcome.map_err(CommandError::from),
    };
    if let Some(note) = remaining_note(&remaining, &reasons, args.keep, target) {
        context.streams.message(note);
    }
    if was_stopped {
        return Ok(EXIT_INTERRUPTED);
    }
    shown?;
    if publishable { Ok(0) } else { Err(CommandError::NoListFormatAccepted(target.main().to_string())) }
}

/// A prefix of names that differs in each run.
fn random_name_prefix() -> String {
    // The standard library seeds its hashers randomly, so two runs practically never get the same prefix.
    format!("check-{:012x}", RandomState::new().build_hasher().finish() >> 16)
}

/// A line about the objects that stay in the registry, if there are any, by repository.
fn remaining_note(
    remaining: &CreatedObjects,
    reasons: &Reasons,
    is_kept: bool,
    target: &TargetRepositories,
) -> Option<String> {
    let counted = |number: usize, noun: &str| match number {
        0 => None,
        1 => Some(format!("1 {noun}")),
        _ => Some(format!("{number} {noun}s")),
    };
    let join = |texts: Vec<String>, separator: &str| (!texts.is_empty()).then(|| texts.join(separator));
    let tags = join(remaining.tags.keys().cloned().collect(), ", ").map(|tags| format!("the tags {tags}"));
    let blobs =
        |own: &Repository| counted(remaining.blobs.iter().filter(|(repository, _)| repository == own).count(), "blob");
    let main = [tags, counted(remaining.manifests.len(), "manifest"), blobs(target.main())];
    let main = join(main.into_iter().flatten().collect(), ", ");
    let parts = [(target.main(), main), (target.mount_target(), blobs(target.mount_target()))];
    let parts = parts.into_iter().filter_map(|(repository, objects)| Some(format!("in {repository}: {}", objects?)));
    let verb = if is_kept { "kept" } else { "left" };
    let reason = join(reasons.iter().cloned().collect(), "; ").map_or(String::new(), |reasons| format!(" ({reasons})"));
    join(parts.collect(), "; ").map(|parts| format!("{verb} {parts}{reason}"))
}

#[derive(Serialize)]
struct CheckRow<'a> {
    check: Probe,
    #[serde(flatten)]
    result: &'a ProbeResult,
}

/// The objects that stay in the registry, and the registry's messages.
fn remaining_objects(remaining: &CreatedObjects, reasons: &Reasons) -> Value {
    let blobs = remaining.blobs.iter().map(|(target, digest)| target.at_digest(digest).to_string());
    json!({
        "tags": remaining.tags.keys().collect::<Vec<_>>(),
        "manifests": remaining.manifests.keys().map(Digest::as_str).collect::<Vec<_>>(),
        "blobs": blobs.collect::<Vec<_>>(),
        "reasons": reasons,
    })
}

fn print_table(context: &Context, results: &ProbeResults) -> Result<(), CommandError> {
    let mut table = Table::new(&["check", "result", "remark"]);
    for (probe, result) in results.iter() {
        table.row([probe.title(), result.title(), result.remark().unwrap_or_default()]);
    }
    Ok(context.streams.data(context.streams.table_for_stdout(table).to_string().as_bytes())?)
}

//! Runs a push with what its flags say, and prints its results: on stdout, in files and on stderr, with progress on a
//! terminal.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::cli::args::{PublishFlags, PublishFormat};
use crate::cli::context::Context;
use crate::cli::output::github::GithubFiles;
use crate::cli::output::result_files::ResultFile;
use crate::cli::output::{CopyProgress, json, markdown};
use crate::cli::verbs::dry_run;
use crate::core::error::CommandError;
use crate::core::error_parts::PartialResult;
use crate::core::image_source::ContentAccess;
use crate::core::push::options::{PushContext, PushOptions};
use crate::core::push::outcome::PushOutcome;
use crate::core::push::per_repository;
use crate::core::push::reporter::{PushReporter, TransferProgress};
use crate::core::push::to_layout::LayoutPush;
use crate::core::push::to_registries::PreparedPush;
use crate::model::Draft;

/// Where a draft that is published comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DraftOrigin {
    /// A store, or a spec. Only the requests of the push are counted.
    StoreOrSpec,
    /// The images of this command. The requests for them are counted too.
    New,
    /// The published list, which the draft replaces unless another client has changed it since.
    Published,
}

/// Publishes a draft with these options, or with `--dry-run` finds out what that would send. Calls `report` with the
/// result before any file is written.
///
/// All checks are made before anything is sent; those of the draft itself before any request.
///
/// # Errors
/// Those of [`PreparedPush::new`] and [`PreparedPush::run`], and files that cannot be written.
/// [`PartialResult::PushedButNotReported`] if the list is published and a later step failed.
pub(crate) fn publish_and_report(
    context: &Context,
    content_access: ContentAccess<'_>,
    draft: &Draft,
    flags: &PublishFlags,
    options: PushOptions,
    origin: DraftOrigin,
    report: impl FnOnce(&PushOutcome) -> Result<(), CommandError>,
) -> Result<PushOutcome, CommandError> {
    let replaces = draft.remote_digest.clone().filter(|_| origin == DraftOrigin::Published && !flags.by_digest);
    let mut options = PushOptions { replaces, ..options };
    let reporter = StreamReporter { context, is_quiet: flags.quiet, is_verbose: flags.verbose };
    let by_digest = flags.by_digest.then(|| per_repository::named_by_digest(draft, options.list_format)).transpose()?;
    if by_digest.is_some() {
        options.tags.clear();
    }
    let draft = by_digest.as_ref().unwrap_or(draft);
    let ContentAccess { registry, layouts } = content_access;
    let push_context = PushContext { registry, layouts, clock: &*context.clock, reporter: &reporter };
    let count = |outcome: PushOutcome| {
        let requests = if origin == DraftOrigin::StoreOrSpec { outcome.requests } else { registry.requests() };
        PushOutcome { requests, ..outcome }
    };
    if let Some(layout) = &flags.to {
        if flags.by_digest && layout.tag.is_some() {
            let reason = "with --by-digest the list gets no name".to_owned();
            return Err(CommandError::InvalidLocation { typed: layout.to_string(), reason });
        }
        let layout = &layout.at(context.env.original_path(&layout.path));
        let push = LayoutPush { context: push_context, draft, options: &options, layout };
        return push_and_report(context, flags, report, || push.run().map(count));
    }
    let push = PreparedPush::new(push_context, draft, &options)?;
    push_and_report(context, flags, report, || push.run().map(count))
}

/// Runs `push`, calls `report` with the result, then writes the result files. They are opened before anything is sent.
///
/// # Errors
/// As [`fn@publish_and_report`].
pub(crate) fn push_and_report(
    context: &Context,
    flags: &PublishFlags,
    report: impl FnOnce(&PushOutcome) -> Result<(), CommandError>,
    push: impl FnOnce() -> Result<PushOutcome, CommandError>,
) -> Result<PushOutcome, CommandError> {
    let file = |path: &Option<PathBuf>| {
        path.as_deref().map(|path| ResultFile::prepare(context.env.original_path(path))).transpose()
    };
    let (digest_file, metadata_file) = (file(&flags.digest_file)?, file(&flags.metadata_file)?);
    let github = open_github_files(context, flags)?;
    let outcome = push()?;
    if flags.dry_run {
        return report(&outcome).map(|()| outcome);
    }
    let metadata = || write_result_file(metadata_file, json::text(&outcome.metadata())?.as_bytes());
    // A failed report does not prevent the other reports.
    let append = |mut files: GithubFiles| files.append(std::slice::from_ref(&outcome), &outcome);
    let github = || github.map_or(Ok(()), append);
    let reports = [report(&outcome), write_result_file(digest_file, outcome.digest.as_bytes()), metadata(), github()];
    CommandError::collect(reports).map_err(|error| pushed_but_not_reported(std::slice::from_ref(&outcome), error))?;
    Ok(outcome)
}

/// The files for `--format github`, opened before anything is sent.
pub(crate) fn open_github_files(context: &Context, flags: &PublishFlags) -> Result<Option<GithubFiles>, CommandError> {
    let is_requested = flags.format == Some(PublishFormat::Github) && !flags.dry_run;
    is_requested.then(|| GithubFiles::prepare(&context.env)).transpose()
}

/// The failure of a later step, with the lists that are published.
pub(crate) fn pushed_but_not_reported(published: &[PushOutcome], error: CommandError) -> CommandError {
    let done = match published {
        [only] => {
            let (list, digest) = (only.reference.clone(), only.digest.clone());
            PartialResult::PushedButNotReported { list, digest }
        }
        several => {
            let published = several.iter().map(|outcome| outcome.reference.clone()).collect();
            PartialResult::Batch { published, remaining: Vec::new() }
        }
    };
    CommandError::Partial { error: Box::new(error), done }
}

/// Tries whether the files of the results can be written, where much is done before they are.
///
/// # Errors
/// Files that cannot be written; `--format github` without its variables.
pub(crate) fn check_result_files(context: &Context, flags: &PublishFlags) -> Result<(), CommandError> {
    for path in flags.digest_file.iter().chain(&flags.metadata_file) {
        ResultFile::prepare(context.env.original_path(path)).map(drop)?;
    }
    open_github_files(context, flags).map(drop)
}

/// Prints on stderr what a push reports.
pub(crate) struct StreamReporter<'a> {
    pub(crate) context: &'a Context,
    pub(crate) is_quiet: bool,
    /// Whether each step is printed.
    pub(crate) is_verbose: bool,
}

impl PushReporter for StreamReporter<'_> {
    fn note(&self, line: &str) {
        self.context.streams.message(line);
    }

    fn step(&self, line: std::fmt::Arguments<'_>) {
        if self.is_verbose {
            self.context.streams.message(line);
        }
    }

    fn transfers(&self) -> Box<dyn TransferProgress> {
        Box::new(CopyProgress::new(&self.context.streams, self.is_quiet))
    }
}

/// Prints the result on stdout: docker's lines, JSON, the dry run, or with `--quiet` the digest alone.
pub(crate) fn print_result(context: &Context, outcome: &PushOutcome, flags: &PublishFlags) -> Result<(), CommandError> {
    match flags.format {
        Some(PublishFormat::Json) => Ok(context.streams.json(outcome)?),
        Some(PublishFormat::Markdown) => Ok(context.streams.data(markdown::summary(outcome).as_bytes())?),
        _ if flags.quiet => Ok(context.streams.line(&outcome.digest)?),
        _ if outcome.dry_run => Ok(context.streams.diff(&dry_run::text(outcome, context.streams.stdout_width()))?),
        _ if flags.to.is_some() => {
            Ok(context.streams.line(format_args!("{}@{}", outcome.reference, outcome.digest))?)
        }
        _ if flags.by_digest => Ok(context.streams.line(&outcome.reference)?),
        _ => Ok(outcome.lines().iter().try_for_each(|line| context.streams.line(line))?),
    }
}

/// Prints on stderr the tags and the warnings of published lists. Called last, because the first line of a failure must
/// be the failure.
pub(crate) fn print_tags_and_warnings(context: &Context, published: &[PushOutcome], flags: &PublishFlags) {
    if !flags.dry_run && !flags.verbose {
        published.iter().filter(|outcome| outcome.has_more_names()).for_each(|outcome| print_tags(context, outcome));
    }
    print_warnings(context, published);
}

/// Prints the warnings about published lists on stderr, each once.
pub(crate) fn print_warnings(context: &Context, published: &[PushOutcome]) {
    // Several targets of one spec are one list.
    let warnings: BTreeSet<&String> = published.iter().flat_map(|outcome| &outcome.warnings).collect();
    warnings.iter().for_each(|warning| context.streams.warning(warning));
}

/// Prints every tag of a list that was published under more than its own name. With `--verbose` they were printed
/// before.
fn print_tags(context: &Context, published: &PushOutcome) {
    for repository in published.repositories() {
        for name in repository.tags_in_full() {
            let is_old = repository.unchanged_tags.contains(&name);
            let state = if is_old { "already there" } else { "published" };
            context.streams.message(format_args!("{state}: {name}"));
        }
    }
}

fn write_result_file(file: Option<ResultFile>, bytes: &[u8]) -> Result<(), CommandError> {
    file.map_or(Ok(()), |file| file.write(bytes))
}

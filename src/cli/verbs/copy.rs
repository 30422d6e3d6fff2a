//! `copy`: copies an image or an index between registries and layouts.

use crate::cli::args::{Copy, Format};
use crate::cli::context::Context;
use crate::cli::output::human;
use crate::cli::verbs::dry_run;
use crate::cli::verbs::publish_and_report::StreamReporter;
use crate::content::oci_layout::{Layout, LayoutReference, LayoutSink, LockWait};
use crate::content::registry::{ManifestName, RegistryClient};
use crate::content::{ContentSink, ContentSource, Location, RegistryRepository};
use crate::core::copy::CopyRequest;
use crate::core::copy::outcome::CopyOutcome;
use crate::core::error::CommandError;
use crate::core::error_parts::PartialResult;
use crate::core::image_filters::ReferrerFilter;
use crate::digest::Digest;
use crate::reference::Reference;
use crate::sanitize;

pub(crate) fn run(context: &Context, args: &Copy) -> Result<(), CommandError> {
    let (source, target) = (context.location(&args.source)?, context.location(&args.target)?);
    // A login is for the registry of the target, or else for that of the source.
    let login_repository = target.reference().or(source.reference()).map(Reference::repository);
    let registry = context.registry_client(&args.network, login_repository)?;
    let (source_content, manifest_name, source_tag) = open_source(&registry, &source)?;
    let notice = |line: &str| context.streams.message(line);
    let lock_wait = LockWait { limit: context.timeout_or_variable(args.network.timeout)?, notice: &notice };
    let (sink, target_digest) = open_target_with_digest(&registry, &target, lock_wait)?;
    let reporter = StreamReporter { context, is_quiet: args.quiet, is_verbose: args.verbose };
    let tag = target_tag(args, &target, source_tag.as_deref())?;
    let request = CopyRequest {
        source: &*source_content,
        sink: &*sink,
        registry: &registry,
        clock: &*context.clock,
        from: args.source.typed.clone(),
        to: full_name(&target, tag.as_deref()),
        manifest_name,
        tag,
        target_digest,
        filter: &args.source_filter.filter(),
        referrers: &ReferrerFilter { policy: args.referrers, types: args.referrer_types.clone() },
        dry_run: args.dry_run,
        verify: args.verify,
        reporter: &reporter,
    };
    let mut outcome = request.run()?;
    outcome.requests = registry.requests();
    for change in &outcome.changes {
        context.streams.message(format_args!("{}: {change}", outcome.source));
    }
    outcome.warnings.iter().for_each(|warning| context.streams.warning(warning));
    print_outcome(context, args, &outcome).map_err(|error| match args.dry_run {
        true => error,
        false => {
            let done = PartialResult::PushedButNotReported { list: outcome.reference, digest: outcome.digest };
            CommandError::Partial { error: Box::new(error), done }
        }
    })
}

/// What the source is read from, with the name and the tag of the image in it.
type OpenSource<'a> = (Box<dyn ContentSource + 'a>, ManifestName, Option<String>);

fn open_source<'a>(registry: &'a RegistryClient, location: &'a Location) -> Result<OpenSource<'a>, CommandError> {
    match location {
        Location::Registry(reference) => {
            let tag = reference.tag().map(str::to_owned);
            let name = match (reference.digest(), &tag) {
                (Some(digest), _) => ManifestName::Digest(digest.clone()),
                (None, tag) => ManifestName::Tag(tag.clone().unwrap_or_else(|| "latest".to_owned())),
            };
            Ok((Box::new(RegistryRepository::new(registry, reference.repository())), name, tag))
        }
        Location::Layout(layout) => {
            let opened = Layout::open(layout)?;
            let (digest, tag) = opened.select(layout)?;
            Ok((Box::new(opened), ManifestName::Digest(digest), tag))
        }
    }
}

/// What the copy is written to, and the digest that the copy must have.
fn open_target_with_digest<'a>(
    registry: &'a RegistryClient,
    location: &'a Location,
    lock_wait: LockWait<'a>,
) -> Result<(Box<dyn ContentSink + 'a>, Option<Digest>), CommandError> {
    Ok(match location {
        Location::Registry(reference) => {
            (Box::new(RegistryRepository::new(registry, reference.repository())), reference.digest().cloned())
        }
        Location::Layout(layout) => (Box::new(LayoutSink::open(layout, lock_wait)?), layout.digest.clone()),
    })
}

/// The tag in the target: the one that was typed, else the source's. A target with a digest and no tag gets none.
fn target_tag(args: &Copy, target: &Location, source_tag: Option<&str>) -> Result<Option<String>, CommandError> {
    match target {
        Location::Registry(reference) if !Reference::is_repository_only(&args.target.typed) => {
            Ok(reference.tag().map(str::to_owned))
        }
        Location::Registry(reference) => match source_tag {
            None => Ok(None),
            Some(tag) if reference.repository().at_tag(tag).is_ok() => Ok(Some(tag.to_owned())),
            Some(name) => {
                let reason = format!("the source's name {} is not a tag; add a tag", sanitize::short_line(name));
                Err(CommandError::InvalidLocation { typed: args.target.typed.clone(), reason })
            }
        },
        Location::Layout(LayoutReference { tag: Some(tag), .. }) => Ok(Some(tag.clone())),
        Location::Layout(LayoutReference { digest: Some(_), .. }) => Ok(None),
        Location::Layout(_) => Ok(source_tag.map(str::to_owned)),
    }
}

/// The full name of the target.
fn full_name(target: &Location, tag: Option<&str>) -> String {
    match (target, tag) {
        (Location::Registry(reference), Some(tag)) => format!("{}:{tag}", reference.repository()),
        (Location::Registry(reference), None) => reference.repository().to_string(),
        (Location::Layout(layout), Some(tag)) if layout.tag.is_none() => format!("{layout}:{tag}"),
        (Location::Layout(layout), _) => layout.to_string(),
    }
}

fn print_outcome(context: &Context, args: &Copy, outcome: &CopyOutcome) -> Result<(), CommandError> {
    if args.format == Some(Format::Json) {
        return Ok(context.streams.json(outcome)?);
    }
    if args.quiet {
        return Ok(context.streams.line(&outcome.digest)?);
    }
    context.streams.line(format_args!("{}@{}", outcome.reference, outcome.digest))?;
    if args.dry_run {
        let (blobs, sent) = (&outcome.blobs, outcome.manifests.iter().filter(|manifest| manifest.sent).count());
        let (all, size, present) = (outcome.manifests.len(), human::size(blobs.bytes), blobs.already_there);
        context.streams.line(format_args!(
            "would send {sent} of {all} manifests and {} blobs ({size}); {present} blobs are there already",
            blobs.copied
        ))?;
        let referrers = dry_run::referrers(&outcome.referrers, &outcome.left_behind);
        context.streams.data(sanitize::message(&referrers).as_bytes())?;
    }
    Ok(())
}

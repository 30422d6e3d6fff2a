//! Publishes the entries of a shared draft. Several publishers may do so at the same time, while others replace
//! entries.
//!
//! The order of the requests keeps every tag complete: the tags are requested, the list is put under its digest, every
//! child is checked, and only then a tag moves. All publishers write the same bytes.

use std::collections::BTreeSet;

use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::missing_child::{MissingChild, ParentList};
use crate::core::push::execute::{self, PushExecutor};
use crate::core::push::options::{PushContext, PushOptions};
use crate::core::push::outcome::{PushOutcome, SentContent, SharedDraftEntry};
use crate::core::push::per_repository::{PushPlans, PushTarget, PushTargets, Pusher};
use crate::core::push::plan::PushPlan;
use crate::core::push::read_lag::{self, LagWaits, ReferencedContent};
use crate::core::push::remote_state::{self, RemoteState};
use crate::core::push::tags::TagArg;
use crate::core::push::to_registries::{PreparedPush, expect_requests, send_and_verify_or_preview};
use crate::core::resolve::fetch::{self, ImageOrList};
use crate::core::shared_draft_error::SharedDraftError;
use crate::core::spec_origin::SpecOrigin;
use crate::drafts::registry::FoundEntry;
use crate::drafts::registry::draft::assemble_draft;
use crate::location::Location;
use crate::model::EntryKey;
use crate::model::descriptor::Descriptor;
use crate::model::manifest::ManifestKind;
use crate::model::{Draft, Entry};
use crate::reference::Reference;

/// A shared draft that is published, and the entries that went into it.
pub(crate) struct SharedPushOutcome {
    pub(crate) push: PushOutcome,
    pub(crate) entries: Vec<FoundEntry>,
}

/// Reads the entries again; `None` if none of them has changed.
type RereadEntries<'a> = dyn Fn(&[FoundEntry]) -> Result<Option<Vec<FoundEntry>>, CommandError> + 'a;

/// Publishes these entries as `list`. If a child is missing, `reread` reads the entries once more, and returns `None`
/// if they have not changed. Then the registry may not know the child yet, and the list is put again for some time.
///
/// # Errors
/// [`CommandError::MissingChild`] for a missing child; requirements that are not met; errors of registries.
pub(crate) fn publish(
    context: PushContext<'_>,
    list: &Reference,
    options: &PushOptions,
    mut entries: Vec<FoundEntry>,
    reread: &RereadEntries<'_>,
) -> Result<SharedPushOutcome, CommandError> {
    let requests_before = context.registry.requests();
    let (mut is_second, mut is_lag_reported, mut waits) =
        (false, false, LagWaits::new(context.registry.new_user_deadline()));
    loop {
        let draft = assemble_draft(list, &entries);
        let is_elsewhere = |tag: &Reference| tag.repository() != list.repository();
        let draft = if options.tags.iter().filter_map(TagArg::reference).any(is_elsewhere) {
            with_manifests(context.registry, draft)?
        } else {
            draft
        };
        let missing = match try_publish(context, &draft, options)? {
            AttemptResult::Published(outcome) => {
                let requests = context.registry.requests().saturating_sub(requests_before);
                let entries_shown = entries.iter().map(SharedDraftEntry::from_found).collect();
                let outcome =
                    PushOutcome { requests, entries: entries_shown, published: Some(!outcome.dry_run), ..*outcome };
                return Ok(SharedPushOutcome { push: outcome, entries });
            }
            AttemptResult::Missing(missing) => missing,
        };
        let changed = if is_second { None } else { reread(&entries)? };
        is_second = true;
        match (changed, waits.next()) {
            (Some(changed), _) => (entries, waits) = (changed, LagWaits::new(context.registry.new_user_deadline())),
            (None, Some(wait)) => {
                if !is_lag_reported {
                    context.reporter.note(&read_lag::lag_note(list));
                }
                is_lag_reported = true;
                context.clock.sleep(wait);
            }
            (None, None) => return Err(CommandError::from(missing)),
        }
    }
}

/// The same draft with the manifests of its images, which other repositories and readers need. One GET for each.
///
/// # Errors
/// Errors of the registry, and an image that it does not have.
pub(crate) fn with_manifests(registry: &RegistryClient, mut draft: Draft) -> Result<Draft, CommandError> {
    let list = draft.reference.clone();
    let keyed: Vec<(&EntryKey, &Entry)> = draft.entries_by_key().iter().collect();
    let fetched = CommandError::collect_parallel(registry.jobs(), &keyed, |(key, entry)| {
        let descriptor = entry.descriptor.clone();
        match fetch::child(&ImageSource::in_registry(registry, &list), &descriptor)? {
            ImageOrList::Image(image_format, fetched) => {
                let reference = entry.reference.clone();
                let entry =
                    Entry::child_of_list(reference.clone(), image_format, fetched.bytes, descriptor, list.clone());
                Ok(((*key).clone(), entry.map_err(CommandError::invalid_document(&reference))?))
            }
            ImageOrList::List(_) => Err(nested_index_error(&entry.reference)),
        }
    })?;
    fetched.into_iter().for_each(|(key, entry)| draft.insert_with_key(key, entry));
    Ok(draft)
}

fn nested_index_error(child: &Reference) -> CommandError {
    SharedDraftError::NestedIndex { child: child.to_string() }.into()
}

/// The result of one attempt.
enum AttemptResult {
    Published(Box<PushOutcome>),
    /// Children that the registry does not have. No tag has moved.
    Missing(MissingChild),
}

/// One attempt to publish a draft. Everything that needs no request is checked first.
fn try_publish(context: PushContext<'_>, draft: &Draft, options: &PushOptions) -> Result<AttemptResult, CommandError> {
    let mut plans = PushPlans::new(draft, options.list_format, &options.tags, context.layouts)?;
    // Under its digest first: whether its children are there is known before a tag moves.
    plans.own.is_complete_before_tags = true;
    let push = PreparedPush::checked(context, draft, options, plans, SpecOrigin::SharedDraft)?;
    // The images are in the list's repository, so referrers are searched only for other repositories.
    let referrers = push.collector().collect()?;
    let PreparedPush { mut plans, warnings, .. } = push;
    plans.each_mut().try_for_each(|plan| plan.add_referrers(&referrers))?;
    expect_requests(context, draft, &plans, options.dry_run);
    let pusher = Pusher { registry: context.registry, draft, is_dry_run: options.dry_run };
    let own_target = if options.dry_run {
        pusher.read_state(&plans.own)?
    } else {
        let remote = RemoteState::from_tags(remote_state::read_tags(context.registry, &plans.own)?);
        PushTarget { plan: &plans.own, remote, requests: 0 }
    };
    if !options.dry_run
        && let Some(missing) = put_list_and_find_missing(context, &plans.own, &own_target.remote)?
    {
        return Ok(AttemptResult::Missing(missing));
    }
    let others = plans.others.iter().map(|plan| pusher.read_state(plan)).collect::<Result<_, _>>()?;
    let targets = PushTargets { others, own: own_target };
    let send = |plan: &PushPlan<'_>, remote: &RemoteState, moved: &mut Vec<Reference>| {
        if std::ptr::eq(plan, targets.own.plan) {
            PushExecutor::new(context, plan, Vec::new()).put_tags(remote, moved).map(|()| SentContent::default())
        } else {
            execute::send(context, plan, remote, None, moved)
        }
    };
    let mut published = send_and_verify_or_preview(context, &pusher, options, (&plans, &targets), send)?;
    published.warnings = warnings;
    Ok(AttemptResult::Published(Box::new(published)))
}

/// Puts the list under its digest, unless a tag serves it, and checks every child. Returns the missing ones.
fn put_list_and_find_missing(
    context: PushContext<'_>,
    plan: &PushPlan<'_>,
    remote: &RemoteState,
) -> Result<Option<MissingChild>, CommandError> {
    let children = plan.children.iter().map(|child| &child.entry.descriptor);
    let children = children.map(|child| ReferencedContent::Manifest(&child.digest, &child.media_type)).collect();
    let put_result = PushExecutor::new(context, plan, children).put_list_by_digest(remote, &mut BTreeSet::new());
    if put_result.as_ref().is_err_and(|error| !read_lag::is_lag(error)) {
        return put_result.map(|()| None);
    }
    let missing = missing_children(context.registry, plan)?;
    match (missing.is_empty(), put_result) {
        (true, put_result) => put_result.map(|()| None),
        (false, _) => {
            let list = Location::from(plan.target.clone());
            Ok(Some(MissingChild::new(&list, &missing, ParentList::SharedDraft)))
        }
    }
}

/// The children that the repository does not have. Each is requested once.
fn missing_children(registry: &RegistryClient, plan: &PushPlan<'_>) -> Result<Vec<Descriptor>, CommandError> {
    let mut seen = BTreeSet::new();
    let children = plan.children.iter().map(|child| &child.entry.descriptor);
    let children: Vec<&Descriptor> = children.filter(|child| seen.insert(child.digest.clone())).collect();
    let repository = plan.target.repository();
    let is_missing = CommandError::collect_parallel(registry.jobs(), &children, |child| {
        match registry.manifest_media_type(repository, &child.digest, &child.media_type) {
            Ok(None) => Ok(true),
            Ok(Some(served)) if ManifestKind::is_list(&served) => {
                Err(nested_index_error(&repository.at_digest(&child.digest)))
            }
            Ok(Some(_)) => Ok(false),
            Err(error) => Err(CommandError::from(error)),
        }
    })?;
    let missing = children.into_iter().zip(is_missing).filter(|(_, is_missing)| *is_missing);
    Ok(missing.map(|(child, _)| child.clone()).collect())
}

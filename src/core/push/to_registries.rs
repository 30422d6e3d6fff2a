//! Publishes a draft: plans it, reads the state of the repositories, and sends what they lack. A dry run reports what
//! would be sent.

use std::collections::BTreeSet;

use crate::auth::Access;
use crate::content::registry::ExpectedConnections;
use crate::core::error::CommandError;
use crate::core::push::execute::send;
use crate::core::push::index_diff;
use crate::core::push::options::{PushContext, PushOptions};
use crate::core::push::outcome::{PushOutcome, SentContent};
use crate::core::push::per_repository::{PushPlans, PushTargets, Pusher};
use crate::core::push::plan::PushPlan;
use crate::core::push::remote_state::{RemoteState, TagState};
use crate::core::push::tag_precondition::TagPrecondition;
use crate::core::push::verify;
use crate::core::referrers::outcome::ReferrerOutcome;
use crate::core::referrers::{CollectedReferrer, ReferrerCollector};
use crate::core::requirements;
use crate::core::spec_origin::SpecOrigin;
use crate::model::Draft;
use crate::reference::Reference;
use crate::sanitize;

/// A push that has passed all checks that need no request.
pub(crate) struct PreparedPush<'a> {
    pub(super) context: PushContext<'a>,
    pub(super) draft: &'a Draft,
    pub(super) options: &'a PushOptions,
    pub(super) plans: PushPlans<'a>,
    pub(super) warnings: Vec<String>,
}

impl<'a> PreparedPush<'a> {
    /// Plans the push of a draft. Sends nothing.
    ///
    /// # Errors
    /// [`CommandError::Incomplete`], [`CommandError::DuplicatePlatforms`], and a draft that cannot become the requested
    /// list.
    pub(crate) fn new(
        context: PushContext<'a>,
        draft: &'a Draft,
        options: &'a PushOptions,
    ) -> Result<PreparedPush<'a>, CommandError> {
        let plans = PushPlans::new(draft, options.list_format, &options.tags, context.layouts)?;
        if let Some(note) = &plans.own.list.note {
            context.reporter.note(&sanitize::line(note).to_string());
        }
        // Lists from files and flags were checked before they became drafts.
        PreparedPush::checked(context, draft, options, plans, SpecOrigin::Draft)
    }

    /// A push with these plans. Sends nothing.
    ///
    /// # Errors
    /// [`CommandError::Incomplete`] and [`CommandError::DuplicatePlatforms`].
    pub(super) fn checked(
        context: PushContext<'a>,
        draft: &'a Draft,
        options: &'a PushOptions,
        plans: PushPlans<'a>,
        origin: SpecOrigin,
    ) -> Result<PreparedPush<'a>, CommandError> {
        let warnings = requirements::check(draft, &options.requirements(origin))?;
        Ok(PreparedPush { context, draft, options, plans, warnings })
    }

    /// A collector of the referrers of the images.
    pub(super) fn collector(&self) -> ReferrerCollector<'a> {
        let targets = self.plans.each().map(|plan| plan.target.repository()).collect();
        let (filter, list) = (&self.options.referrers, &self.plans.own.list.digest);
        ReferrerCollector::new(self.context.content_access(), filter, self.draft, list, targets)
    }

    /// Publishes the list, or in a dry run finds out what that would send.
    ///
    /// # Errors
    /// Errors of registries, and missing images or blobs.
    pub(crate) fn run(self) -> Result<PushOutcome, CommandError> {
        let collector = self.collector();
        let PreparedPush { context, draft, options, plans, warnings } = self;
        let PushContext { registry, .. } = context;
        let requests_before = registry.requests();
        expect_requests(context, draft, &plans, options.dry_run);
        let referrers = collector.collect()?;
        let mut plans = plans;
        plans.each_mut().try_for_each(|plan| plan.add_referrers(&referrers))?;
        let pusher = Pusher { registry, draft, is_dry_run: options.dry_run };
        let others = plans.others.iter().map(|plan| pusher.read_state(plan)).collect::<Result<_, _>>()?;
        let targets = PushTargets { others, own: pusher.read_state(&plans.own)? };
        let list = &draft.reference;
        let precondition = options.replaces.as_ref().map(|fetched| TagPrecondition { registry, list, fetched });
        precondition.map_or(Ok(()), |precondition| precondition.check_remote_state(&plans.own, &targets.own.remote))?;
        let overwritten =
            changed_tag_warning(draft, &plans.own, &targets.own.remote).filter(|_| precondition.is_none());
        let send = |plan: &PushPlan<'_>, remote: &RemoteState, moved: &mut Vec<Reference>| {
            let is_own = plan.target.repository() == list.repository();
            send(context, plan, remote, precondition.filter(|_| is_own), moved)
        };
        let mut published = send_and_verify_or_preview(context, &pusher, options, (&plans, &targets), send)?;
        // Unsent referrers are searched last: a failed push does not need that request.
        let has = |referrer: &CollectedReferrer<'_>| referrer.origin.is_in(list.repository());
        let sent: Vec<&CollectedReferrer<'_>> = referrers.iter().filter(|referrer| !has(referrer)).collect();
        report_referrers(context, &collector, options, &sent, &mut published);
        published.requests = registry.requests().saturating_sub(requests_before);
        let send_warnings: Vec<String> =
            published.repositories().flat_map(|outcome| outcome.warnings.clone()).collect();
        published.warnings = warnings;
        published.warnings.extend(send_warnings);
        published.warnings.extend(targets.each().filter_map(|target| target.remote.unchecked_warning(target.plan)));
        published.warnings.extend(overwritten);
        Ok(published)
    }
}

/// Reports the referrers that were sent or would be sent, and on demand those that stay behind.
pub(super) fn report_referrers(
    context: PushContext<'_>,
    collector: &ReferrerCollector<'_>,
    options: &PushOptions,
    sent: &[&CollectedReferrer<'_>],
    outcome: &mut PushOutcome,
) {
    let mut seen = BTreeSet::new();
    let sent = sent.iter().filter(|referrer| seen.insert(&referrer.digest));
    let row = |found: &CollectedReferrer<'_>| {
        let repository = Some(found.origin.to_string());
        ReferrerOutcome { origin: repository, ..ReferrerOutcome::from_found(found) }
    };
    outcome.referrers = sent.map(|referrer| row(referrer)).collect();
    let reports_left_behind = options.dry_run || options.verbose;
    match if reports_left_behind { collector.find_left_behind() } else { Ok(Vec::new()) } {
        Ok(unsent_referrers) => outcome.left_behind = unsent_referrers.iter().map(row).collect(),
        Err(error) => outcome.warnings.push(format!("cannot tell which referrers stay behind: {error}")),
    }
    outcome.left_behind.iter().for_each(|referrer| context.reporter.step(format_args!("not sent along: {referrer}")));
}

/// Sends what the repositories lack by `send`, and reads it back on demand. In a dry run finds out what that would
/// send.
///
/// # Errors
/// Those of [`Pusher::send_in_turn`], [`Pusher::preview`] and [`verify::verify_all`].
pub(super) fn send_and_verify_or_preview(
    context: PushContext<'_>,
    pusher: &Pusher<'_>,
    options: &PushOptions,
    (plans, targets): (&PushPlans<'_>, &PushTargets<'_>),
    send: impl Fn(&PushPlan<'_>, &RemoteState, &mut Vec<Reference>) -> Result<SentContent, CommandError>,
) -> Result<PushOutcome, CommandError> {
    let mut published =
        if options.dry_run { pusher.preview(targets)? } else { pusher.send_in_turn(plans, targets, send)? };
    if options.verify && !options.dry_run {
        published.verified = Some(verify::verify_all(context, plans)?);
    }
    published.unchanged &= published.other_repositories.iter().all(|other| other.unchanged);
    Ok(published)
}

/// Records what publishing in all repositories is going to need.
pub(super) fn expect_requests(context: PushContext<'_>, draft: &Draft, plans: &PushPlans<'_>, is_dry_run: bool) {
    let registry = context.registry;
    for plan in plans.each() {
        let target = plan.target.repository();
        registry.expect_access(target, if is_dry_run { Access::Pull } else { Access::PullPush });
        for source in plan.blobs.iter().flat_map(|blob| &blob.sources) {
            registry.expect_access(source, Access::Pull);
        }
        let children_in_target = plan.children.iter().filter(|child| child.manifest.is_none()).count();
        // If the tag probably serves the list already, the list and its children are read, and nothing is written.
        let matches_remote_digest = plan.matches_remote_digest(draft);
        let reads = if matches_remote_digest { plan.children.len() } else { children_in_target } + plan.tags.len();
        let writes = if is_dry_run || matches_remote_digest { 0 } else { plan.blobs.len() };
        let (reads, writes) = (reads.min(registry.jobs().get()), writes.min(registry.jobs().get()));
        registry.expect_parallel_requests(
            target,
            ExpectedConnections { reads, writes, writes_follow_first_response: true },
        );
    }
}

/// A line if another client has changed what the list's tag names since the draft was made from it, or pushed.
fn changed_tag_warning(draft: &Draft, plan: &PushPlan<'_>, remote: &RemoteState) -> Option<String> {
    let known = draft.remote_digest.as_ref()?;
    let own_tag = remote.own_tag(plan).filter(|(_, state)| **state != TagState::Different(known.clone()));
    let Some((tag, TagState::Different(digest))) = own_tag else {
        return None;
    };
    let after = plan.index().ok()?;
    let removed = index_diff::compare(remote.index().as_ref(), &after).removed;
    let removed: Vec<String> = removed.into_iter().map(|entries| entries.platform).collect();
    let without =
        if removed.is_empty() { String::new() } else { format!("; this list is without {}", removed.join(", ")) };
    Some(format!("{tag} was changed since this draft was made from it or pushed, from {known} to {digest}{without}"))
}

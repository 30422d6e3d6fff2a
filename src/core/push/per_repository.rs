//! Publishes a list in several repositories: those that `--tag` names in full, then its own. All are checked before
//! anything is sent, and each is completed before the next.

use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::error_parts::PartialResult;
use crate::core::missing_child::ParentList;
use crate::core::open_layouts::Layouts;
use crate::core::push::dry_run;
use crate::core::push::outcome::{PushOutcome, SentContent};
use crate::core::push::plan::PushPlan;
use crate::core::push::remote_state::{self, RemoteState, StateReader, TagState};
use crate::core::push::tags::{self, TagArg};
use crate::model::Draft;
use crate::model::index::ListFormat;
use crate::reference::Reference;

/// What belongs to each repository of a push.
pub(crate) struct PerRepository<T> {
    /// For the other repositories that `--tag` names. They are published first.
    pub(crate) others: Vec<T>,
    /// For the list's own repository.
    pub(crate) own: T,
}

/// The plans of a push.
pub(crate) type PushPlans<'a> = PerRepository<PushPlan<'a>>;

/// All repositories to publish in.
pub(super) type PushTargets<'p> = PerRepository<PushTarget<'p>>;

impl<T> PerRepository<T> {
    /// All, in the order in which they are published.
    pub(crate) fn each(&self) -> impl Iterator<Item = &T> {
        self.others.iter().chain([&self.own])
    }

    /// The same, to be changed.
    pub(crate) fn each_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.others.iter_mut().chain([&mut self.own])
    }
}

impl<'a> PushPlans<'a> {
    /// Makes the plans. All checks that need no request are made here.
    ///
    /// # Errors
    /// Those of [`PushPlan::new`].
    pub(crate) fn new(
        draft: &'a Draft,
        format: ListFormat,
        names: &'a [TagArg],
        layouts: &Layouts,
    ) -> Result<PushPlans<'a>, CommandError> {
        let names = tags::by_repository(&draft.reference, names);
        let own = PushPlan::new(draft, format, &names.own, layouts)?;
        let other = |(target, tags): &(&'a Reference, Vec<String>)| {
            let plan = PushPlan::for_target(draft, target, format, tags, layouts, false)?;
            // The list is complete before any of its tags moves.
            Ok(PushPlan { is_complete_before_tags: true, ..plan })
        };
        let others = names.others.iter().map(other).collect::<Result<_, CommandError>>()?;
        Ok(PushPlans { others, own })
    }
}

/// A repository to publish in, with its state.
pub(super) struct PushTarget<'p> {
    pub(super) plan: &'p PushPlan<'p>,
    pub(super) remote: RemoteState,
    /// The number of HTTP requests that its check took.
    pub(super) requests: u64,
}

/// Publishes the list in all its repositories, or previews that.
pub(super) struct Pusher<'a> {
    pub(super) registry: &'a RegistryClient,
    pub(super) draft: &'a Draft,
    pub(super) is_dry_run: bool,
}

impl Pusher<'_> {
    pub(super) fn read_state<'p>(&self, plan: &'p PushPlan<'p>) -> Result<PushTarget<'p>, CommandError> {
        let requests_before = self.registry.requests();
        let reader = StateReader { registry: self.registry, plan, is_dry_run: self.is_dry_run };
        let remote = remote_state::read(&reader, plan.matches_remote_digest(self.draft))?;
        Ok(PushTarget { plan, remote, requests: self.registry.requests().saturating_sub(requests_before) })
    }

    /// Finds out what a push would send. Reports the errors of all repositories.
    pub(super) fn preview(&self, targets: &PushTargets<'_>) -> Result<PushOutcome, CommandError> {
        let preview = |target: &PushTarget<'_>| {
            self.with_requests_and_unchanged(target, || {
                dry_run::preview(self.registry, self.draft, target.plan, &target.remote)
            })
        };
        let (mut others, mut errors) = (Vec::new(), Vec::new());
        for target in &targets.others {
            preview(target).map_or_else(|error| errors.push(error), |other| others.push(other));
        }
        match preview(&targets.own) {
            Ok(own) if errors.is_empty() => Ok(PushOutcome { other_repositories: others, ..own }),
            own => Err(CommandError::combine(errors.into_iter().chain(own.err()).collect())),
        }
    }

    /// Publishes in one repository after the other, once all are known to have the images that cannot be sent. `send`
    /// sends what a repository lacks, and adds the tags that it moves to its last argument.
    pub(super) fn send_in_turn(
        &self,
        plans: &PushPlans<'_>,
        targets: &PushTargets<'_>,
        send: impl Fn(&PushPlan<'_>, &RemoteState, &mut Vec<Reference>) -> Result<SentContent, CommandError>,
    ) -> Result<PushOutcome, CommandError> {
        let missing = targets.each().filter_map(|target| target.remote.missing_error(target.plan, ParentList::Pushed));
        CommandError::fail_if_any(missing.collect())?;
        let mut moved = Vec::new();
        let mut send = |target: &PushTarget<'_>| {
            let PushTarget { plan, remote, .. } = target;
            self.with_requests_and_unchanged(target, || {
                let SentContent { mounted, copied, warnings } = send(plan, remote, &mut moved)?;
                let unchanged_tags = remote.up_to_date_tags(plan).map(ToString::to_string).collect();
                Ok(PushOutcome {
                    mounted,
                    copied,
                    warnings,
                    unchanged_tags,
                    ..PushOutcome::from_plan(self.draft, plan)
                })
            })
        };
        let others: Result<Vec<PushOutcome>, CommandError> = targets.others.iter().map(&mut send).collect();
        let outcome = others.and_then(|others| Ok(PushOutcome { other_repositories: others, ..send(&targets.own)? }));
        let is_complete_before_tags = plans.each().any(|plan| plan.is_complete_before_tags);
        outcome.map_err(|error| if is_complete_before_tags { partial_tags(error, targets, &moved) } else { error })
    }

    /// The outcome of one repository, with its share of the requests.
    fn with_requests_and_unchanged(
        &self,
        target: &PushTarget<'_>,
        publish: impl FnOnce() -> Result<PushOutcome, CommandError>,
    ) -> Result<PushOutcome, CommandError> {
        let requests_before = self.registry.requests();
        let published = publish()?;
        let requests = self.registry.requests().saturating_sub(requests_before).saturating_add(target.requests);
        Ok(PushOutcome { requests, unchanged: target.remote.is_complete(target.plan), ..published })
    }
}

/// Adds the tags that did not move to an error: with their repositories if there are several.
fn partial_tags(error: CommandError, targets: &PushTargets<'_>, moved: &[Reference]) -> CommandError {
    let name = |tag: &Reference| {
        let bare_tag = tag.tag().filter(|_| targets.others.is_empty());
        bare_tag.map_or_else(|| tag.to_string(), str::to_owned)
    };
    let tags = targets.each().flat_map(|target| target.plan.tags.iter().zip(&target.remote.tags));
    let remaining = tags.filter(|(tag, state)| **state != TagState::UpToDate && !moved.contains(tag));
    let remaining = remaining.map(|(tag, _)| name(tag)).collect();
    let moved = moved.iter().map(name).collect();
    CommandError::Partial { error: Box::new(error), done: PartialResult::Tags { moved, remaining } }
}

/// The draft under the digest that its list will have, so that a push moves no tag.
///
/// # Errors
/// A draft that cannot become the requested list.
pub(crate) fn named_by_digest(draft: &Draft, format: ListFormat) -> Result<Draft, CommandError> {
    let digest = draft.encode(format)?.digest;
    let mut named = draft.clone();
    named.reference = draft.reference.repository().at_digest(&digest);
    Ok(named)
}

//! What the target repository has before a list is published: what each tag names, and which children of the list
//! exist.
//!
//! A registry still serves a list whose images were deleted, and some registries accept a list whose images they do not
//! have. So every child is requested by its digest before a tag moves, and before a list counts as unchanged. Only
//! children that this run sends itself need no request.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::registry::{FetchedManifest, ManifestName, RegistryClient};
use crate::core::error::CommandError;
use crate::core::index_walk;
use crate::core::limits::DEPTH_MAX;
use crate::core::missing_child::{MissingChild, ParentList};
use crate::core::push::plan::{PlannedManifest, PushPlan};
use crate::core::push::tags;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::manifest::ManifestKind;
use crate::net::tasks;
use crate::net::{RegistryError, RegistryErrorKind};
use crate::reference::Reference;

/// What one tag names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TagState {
    /// The login may not read the tag, or what it names cannot be read.
    Unknown,
    /// The tag does not exist.
    Absent,
    /// The list that is being published.
    UpToDate,
    /// Another manifest.
    Different(Digest),
}

/// What the target repository is known to have.
#[derive(Default)]
pub(crate) struct RemoteState {
    /// The state of each tag of the plan, in the plan's order.
    pub(crate) tags: Vec<TagState>,
    /// The manifest that the list's own name serves.
    pub(crate) own_manifest: Option<FetchedManifest>,
    /// Whether the list itself exists.
    pub(crate) has_list: bool,
    /// The children of the list that exist.
    pub(crate) present: BTreeSet<Digest>,
    /// The children that neither exist nor can be sent, in the list's order.
    missing: Vec<Descriptor>,
    /// The number of children that could not be checked, because the login may not read.
    unchecked: usize,
}

impl RemoteState {
    /// The state if only the tags were requested.
    pub(crate) fn from_tags(tags: Vec<TagState>) -> RemoteState {
        let has_list = tags.contains(&TagState::UpToDate);
        RemoteState { tags, has_list, ..RemoteState::default() }
    }

    /// Whether there is nothing left to send.
    pub(crate) fn is_complete(&self, plan: &PushPlan<'_>) -> bool {
        self.has_list
            && self.tags.iter().all(|tag| *tag == TagState::UpToDate)
            && plan.manifests_to_send(&self.present).next().is_none()
    }

    /// The list's own tag, and its state.
    pub(crate) fn own_tag<'p>(&'p self, plan: &'p PushPlan<'_>) -> Option<(&'p Reference, &'p TagState)> {
        plan.tags.iter().zip(&self.tags).find(|(tag, _)| plan.is_own_name(tag))
    }

    /// The tags of the plan that name the list already.
    pub(crate) fn up_to_date_tags<'p>(&self, plan: &'p PushPlan<'_>) -> impl Iterator<Item = &'p Reference> {
        plan.tags.iter().zip(&self.tags).filter(|(_, state)| **state == TagState::UpToDate).map(|(tag, _)| tag)
    }

    /// The manifest under the own name, if it is a list.
    pub(crate) fn index(&self) -> Option<Index> {
        let fetched = self.own_manifest.as_ref().filter(|fetched| ManifestKind::is_list(&fetched.media_type))?;
        Index::decode(&fetched.bytes).ok()
    }

    /// The digests that this list names.
    fn listed_digests(&self) -> BTreeSet<Digest> {
        let manifests = self.index().map(|index| index.manifests).unwrap_or_default();
        manifests.into_iter().map(|descriptor| descriptor.digest).collect()
    }

    /// The missing children as an error.
    pub(crate) fn missing_error(&self, plan: &PushPlan<'_>, parent: ParentList) -> Option<CommandError> {
        let missing = || MissingChild::new(&plan.target.clone().into(), &self.missing, parent);
        (!self.missing.is_empty()).then(|| missing().into())
    }

    /// A warning if not all children could be checked.
    pub(crate) fn unchecked_warning(&self, plan: &PushPlan<'_>) -> Option<String> {
        let repository = plan.target.repository();
        let list = plan.target;
        let number =
            if self.unchecked == 1 { "1 manifest".to_owned() } else { format!("{} manifests", self.unchecked) };
        (self.unchecked > 0).then(|| {
            format!("cannot check that {repository} has all that {list} names: the login may not read there ({number})")
        })
    }
}

/// Requests the state of the target: a GET of the own name, a HEAD of every other tag, and a HEAD of every child that
/// this run does not send. With a login that may push but not pull, the state stays unknown: the push goes on and
/// counts what it could not check.
///
/// The response about the own name tells which of the sendable children may exist. With `matches_remote_digest` the
/// caller knows that the tag was last seen with this list: all requests are then sent together, one round trip earlier.
///
/// # Errors
/// Failed requests, and for a dry run content that cannot be read. If the request of the own name fails, its error
/// stands for all.
pub(crate) fn read(reader: &StateReader<'_>, matches_remote_digest: bool) -> Result<RemoteState, CommandError> {
    let StateReader { registry, plan, .. } = *reader;
    let mut descendants = Descendants::new(plan)?;
    let mut state = RemoteState::default();
    let (mut own_state, mut first) = (TagState::Unknown, Vec::new());
    if matches_remote_digest {
        first.push(StateQuery::OwnName);
    } else {
        (own_state, state.own_manifest) = reader.read_own_name()?;
        state.has_list = own_state == TagState::UpToDate;
    }
    // Tags and referrers are requested together with the first level of children.
    first.extend(plan.tags.iter().filter(|tag| !plan.is_own_name(tag)).map(StateQuery::Tag));
    let listed = state.listed_digests();
    first.extend(
        descendants.take_queries_to_send(|digest| matches_remote_digest || state.has_list || listed.contains(digest)),
    );
    first.extend(plan.referrers().map(StateQuery::Referrer));
    let mut others = Vec::new();
    let list = |_: &StateQuery<'_>| plan.target.to_string();
    let count = |query: &StateQuery<'_>| usize::from(matches!(query, StateQuery::Child(_)));
    index_walk::walk_levels(DEPTH_MAX, list, count, first, |_, queries| {
        let send = |query: &StateQuery<'_>| {
            reader
                .send_query(query)
                .map_err(|error| QueryError { is_own_name: matches!(query, StateQuery::OwnName), error })
        };
        let responses = tasks::run_parallel(registry.jobs(), &queries, send).map_err(state_error)?;
        for (query, response) in queries.into_iter().zip(responses) {
            match (query, response) {
                (StateQuery::Child(child), StateResponse::Child(presence)) => descendants.record(*child, presence)?,
                (_, StateResponse::OwnName(tag, manifest)) => (own_state, state.own_manifest) = (tag, manifest),
                (_, StateResponse::Referrer(present)) => descendants.present.extend(present),
                (_, StateResponse::Tag(tag)) => others.push(tag),
                (_, StateResponse::Child(_)) => {}
            }
        }
        state.has_list |= own_state == TagState::UpToDate || others.contains(&TagState::UpToDate);
        let listed = state.listed_digests();
        Ok(descendants.take_queries_to_send(|digest| state.has_list || listed.contains(digest)))
    })?;
    let mut others = others.into_iter();
    let tag_state = |tag| if plan.is_own_name(tag) { Some(own_state.clone()) } else { others.next() };
    state.tags = plan.tags.iter().map(tag_state).map(|tag| tag.unwrap_or(TagState::Unknown)).collect();
    (state.present, state.unchecked) = (descendants.present, descendants.unchecked);
    descendants.missing.sort_by_key(|(position, _)| *position);
    state.missing = descendants.missing.into_iter().map(|(_, child)| child).collect();
    Ok(state)
}

/// The error of a query.
struct QueryError {
    is_own_name: bool,
    error: CommandError,
}

/// The error of the own name if it failed, because the others have the same cause then; else all errors.
fn state_error(mut errors: Vec<QueryError>) -> CommandError {
    if errors.first().is_some_and(|first| first.is_own_name) {
        errors.truncate(1);
    }
    CommandError::combine(errors.into_iter().map(|query| query.error).collect())
}

/// Requests the state of each tag of the plan with a HEAD, in parallel.
///
/// # Errors
/// Failed requests.
pub(crate) fn read_tags(registry: &RegistryClient, plan: &PushPlan<'_>) -> Result<Vec<TagState>, CommandError> {
    let reader = StateReader { registry, plan, is_dry_run: false };
    CommandError::collect_parallel(registry.jobs(), &plan.tags, |tag| reader.read_tag(tag))
}

/// A child to check.
struct ChildToCheck {
    /// Its position among all manifests that the list names.
    position: usize,
    descriptor: Descriptor,
    /// Whether this run can send it.
    is_sendable: bool,
}

/// The result of the check.
enum ChildPresence {
    Present,
    /// A nested index, which has children itself.
    Index(FetchedManifest),
    Missing,
    Unchecked,
}

/// The descendants of a list, as far as they are known.
struct Descendants<'a> {
    plan: &'a PushPlan<'a>,
    planned_manifests: BTreeMap<&'a Digest, &'a PlannedManifest<'a>>,
    seen: BTreeSet<Digest>,
    /// Descendants that only the target can have, not checked yet.
    target_only: Vec<ChildToCheck>,
    /// Descendants that can be sent, not checked yet.
    sendable: Vec<ChildToCheck>,
    present: BTreeSet<Digest>,
    missing: Vec<(usize, Descriptor)>,
    unchecked: usize,
}

impl<'a> Descendants<'a> {
    fn new(plan: &'a PushPlan<'a>) -> Result<Descendants<'a>, CommandError> {
        let planned_manifests =
            plan.manifests.iter().filter_map(|manifest| Some((manifest.reference.digest()?, manifest))).collect();
        let mut descendants = Descendants {
            plan,
            planned_manifests,
            seen: BTreeSet::new(),
            target_only: Vec::new(),
            sendable: Vec::new(),
            present: BTreeSet::new(),
            missing: Vec::new(),
            unchecked: 0,
        };
        descendants.add(plan.index()?.manifests)?;
        Ok(descendants)
    }

    /// Adds descriptors, and those of nested indexes whose bytes are at hand.
    fn add(&mut self, descriptors: Vec<Descriptor>) -> Result<(), CommandError> {
        let mut descriptors: Vec<Descriptor> = descriptors.into_iter().rev().collect();
        while let Some(descriptor) = descriptors.pop() {
            if !self.seen.insert(descriptor.digest.clone()) {
                continue;
            }
            let manifest = self.planned_manifests.get(&descriptor.digest);
            if let Some(manifest) = manifest.filter(|manifest| ManifestKind::is_list(manifest.media_type)) {
                descriptors.extend(Index::decode(&manifest.bytes)?.manifests.into_iter().rev());
            }
            let child = ChildToCheck { position: self.seen.len(), descriptor, is_sendable: manifest.is_some() };
            if child.is_sendable { self.sendable.push(child) } else { self.target_only.push(child) }
        }
        Ok(())
    }

    /// The children to check now: those that only the target can have, and those that can be sent and `may_be_present`.
    fn take_queries_to_send<'q>(&mut self, may_be_present: impl Fn(&Digest) -> bool) -> Vec<StateQuery<'q>> {
        let sendable = self.sendable.extract_if(.., |child| may_be_present(&child.descriptor.digest));
        let children: Vec<ChildToCheck> = self.target_only.drain(..).chain(sendable).collect();
        children.into_iter().map(|child| StateQuery::Child(Box::new(child))).collect()
    }

    fn record(&mut self, child: ChildToCheck, presence: ChildPresence) -> Result<(), CommandError> {
        let ChildToCheck { position, descriptor, is_sendable } = child;
        match presence {
            ChildPresence::Present => {
                self.present.insert(descriptor.digest);
            }
            ChildPresence::Index(fetched) => {
                let reference = self.plan.target.repository().at_digest(&descriptor.digest);
                let descriptors = fetched.decode_index(&reference)?.manifests;
                self.present.insert(descriptor.digest);
                self.add(descriptors)?;
            }
            // This run sends it.
            ChildPresence::Missing | ChildPresence::Unchecked if is_sendable => {}
            ChildPresence::Missing => self.missing.push((position, descriptor)),
            ChildPresence::Unchecked => self.unchecked += 1,
        }
        Ok(())
    }
}

/// Requests the state of the plan's target.
pub(crate) struct StateReader<'a> {
    pub(crate) registry: &'a RegistryClient,
    pub(crate) plan: &'a PushPlan<'a>,
    pub(crate) is_dry_run: bool,
}

/// One query to the registry.
enum StateQuery<'a> {
    /// The list's own name.
    OwnName,
    Tag(&'a Reference),
    Child(Box<ChildToCheck>),
    Referrer(&'a PlannedManifest<'a>),
}

/// The response.
enum StateResponse {
    OwnName(TagState, Option<FetchedManifest>),
    Tag(TagState),
    Child(ChildPresence),
    /// Its digest, if all its names name it.
    Referrer(Option<Digest>),
}

impl StateReader<'_> {
    fn send_query(&self, query: &StateQuery<'_>) -> Result<StateResponse, CommandError> {
        match query {
            StateQuery::OwnName => {
                self.read_own_name().map(|(state, manifest)| StateResponse::OwnName(state, manifest))
            }
            StateQuery::Tag(tag) => self.read_tag(tag).map(StateResponse::Tag),
            StateQuery::Child(child) => self.check_child(child).map(StateResponse::Child),
            StateQuery::Referrer(referrer) => self.check_referrer(referrer).map(StateResponse::Referrer),
        }
    }

    fn read_own_name(&self) -> Result<(TagState, Option<FetchedManifest>), CommandError> {
        let target = self.plan.target;
        // A name with a tag and a digest would be fetched by its digest; here the tag is of interest.
        let tag = target.tag().and_then(|tag| tags::with_tag(target, tag));
        let fetched = match self.registry.manifest_before_push(tag.as_ref().unwrap_or(target)) {
            Ok(fetched) => fetched,
            Err(error) if error.kind == RegistryErrorKind::NotFound => return Ok((TagState::Absent, None)),
            Err(error) if self.is_tolerated(&error) || error.kind == RegistryErrorKind::Verification => {
                return Ok((TagState::Unknown, None));
            }
            Err(error) => return Err(error.into()),
        };
        let list = &self.plan.list;
        let is_up_to_date = list.digest == fetched.digest && fetched.media_type == list.media_type;
        let state = if is_up_to_date { TagState::UpToDate } else { TagState::Different(fetched.digest.clone()) };
        Ok((state, Some(fetched)))
    }

    fn read_tag(&self, tag: &Reference) -> Result<TagState, CommandError> {
        match self.registry.digest_before_push(self.plan.target.repository(), tag.tag().unwrap_or_default()) {
            Ok(None) => Ok(TagState::Absent),
            Ok(Some(digest)) if digest == self.plan.list.digest => Ok(TagState::UpToDate),
            Ok(Some(digest)) => Ok(TagState::Different(digest)),
            Err(error) if self.is_tolerated(&error) => Ok(TagState::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    /// A referrer that cannot be checked is sent.
    fn check_referrer(&self, referrer: &PlannedManifest<'_>) -> Result<Option<Digest>, CommandError> {
        let Some(digest) = referrer.reference.digest() else { return Ok(None) };
        let by_digest = ManifestName::Digest(digest.clone());
        let tags = referrer.tags.iter().filter_map(Reference::tag).map(|tag| ManifestName::Tag(tag.to_owned()));
        let names: Vec<ManifestName> = tags.collect();
        let names = if names.is_empty() { vec![by_digest] } else { names };
        for name in names {
            match self.registry.manifest_digest(self.plan.target.repository(), &name) {
                Ok(Some(found)) if found == *digest => {}
                Ok(_) => return Ok(None),
                Err(error) if self.is_tolerated(&error) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(digest.clone()))
    }

    fn check_child(&self, child: &ChildToCheck) -> Result<ChildPresence, CommandError> {
        let ChildToCheck { descriptor, is_sendable, .. } = child;
        let repository = self.plan.target.repository();
        let is_index = ManifestKind::is_list(&descriptor.media_type);
        // The children of an index that can be sent are known from its bytes.
        let found = if is_index && !is_sendable {
            self.registry.manifest_before_push(&repository.at_digest(&descriptor.digest)).map(ChildPresence::Index)
        } else {
            let found = self.registry.has_manifest(repository, &descriptor.digest, &descriptor.media_type);
            found.map(|is_present| if is_present { ChildPresence::Present } else { ChildPresence::Missing })
        };
        match found {
            Ok(presence) => Ok(presence),
            Err(error) if error.kind == RegistryErrorKind::NotFound => Ok(ChildPresence::Missing),
            Err(error) if is_read_refused(&error) => Ok(ChildPresence::Unchecked),
            Err(error) if *is_sendable && self.is_tolerated(&error) => Ok(ChildPresence::Missing),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the list can be published in spite of the error. Docker does not check, so a broken manifest must not
    /// keep the list from replacing it. 502, 503 and 504 concern the whole registry, which would accept nothing else.
    fn is_tolerated(&self, error: &RegistryError) -> bool {
        let is_broken = match error.kind {
            RegistryErrorKind::Protocol | RegistryErrorKind::RequestRefused | RegistryErrorKind::Verification => true,
            RegistryErrorKind::Server => !matches!(error.status, Some(502..=504)),
            _ => false,
        };
        is_read_refused(error) || !self.is_dry_run && is_broken
    }
}

/// Whether the only problem is a missing right to read. A user who is not logged in may not write either.
pub(crate) fn is_read_refused(error: &RegistryError) -> bool {
    matches!(
        error.kind,
        RegistryErrorKind::LoginRefused | RegistryErrorKind::CommandLineLoginRefused | RegistryErrorKind::Forbidden
    )
}

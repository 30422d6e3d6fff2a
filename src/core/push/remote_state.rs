//! What the target has before a list is published: what each tag serves, and which of the manifests that the list names
//! are there.
//!
//! A registry goes on serving a list whose images were deleted, and some registries accept a list whose images they do
//! not have. So every manifest that the list names is looked for by its digest before a tag moves, and before a list
//! counts as unchanged. Only those need no look that this run sends itself.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use crate::content::registry::{FetchedManifest, Registry};
use crate::core::error::CommandError;
use crate::core::missing_child::{MissingChild, NamedBy};
use crate::core::push::plan::{PlannedManifest, PushPlan};
use crate::core::push::tags;
use crate::core::resolve::limits::{DEPTH_MAX, ResolvedSize};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::manifest;
use crate::net::tasks;
use crate::net::{RegistryError, RegistryErrorKind};
use crate::reference::Reference;

/// What one tag serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TagState {
    /// The registry does not tell us.
    Unknown,
    /// Nothing.
    Nothing,
    /// The list that is to be published.
    This,
    /// Something else.
    Other(Digest),
}

/// What the target is known to have.
#[derive(Default)]
pub(crate) struct RemoteState {
    /// What each tag of the plan serves, in the plan's order.
    pub(crate) tags: Vec<TagState>,
    /// What the list's own name serves.
    pub(crate) own: Option<FetchedManifest>,
    /// Whether the list itself is there.
    pub(crate) is_there: bool,
    /// The manifests named by the list that the repository has.
    pub(crate) children: BTreeSet<Digest>,
    /// Those that it does not have and that cannot be sent, in the list's order.
    missing: Vec<Descriptor>,
    /// How many could not be looked for, because the login may not read.
    unchecked: usize,
}

impl RemoteState {
    /// Whether nothing at all is left to be sent.
    pub(crate) fn is_done(&self, plan: &PushPlan<'_>) -> bool {
        self.is_there
            && self.tags.iter().all(|now| *now == TagState::This)
            && plan.missing(&self.children).next().is_none()
    }

    /// The tags of the plan that serve the list.
    pub(crate) fn in_place<'p>(&self, plan: &'p PushPlan<'_>) -> impl Iterator<Item = &'p Reference> {
        plan.tags.iter().zip(&self.tags).filter(|(_, now)| **now == TagState::This).map(|(tag, _)| tag)
    }

    /// What was served under the own name as a list.
    pub(crate) fn index(&self) -> Option<Index> {
        let own = self.own.as_ref()?;
        match manifest::ManifestKind::of(&own.media_type) {
            Some(manifest::ManifestKind::List) => Index::decode(&own.bytes).ok(),
            _ => None,
        }
    }

    /// What is missing of the list, as a failure.
    pub(crate) fn failure(&self, plan: &PushPlan<'_>, named_by: NamedBy) -> Option<CommandError> {
        let missing = || MissingChild::new(plan.target, plan.target.repository(), &self.missing, named_by);
        (!self.missing.is_empty()).then(|| missing().into())
    }

    /// A warning where not all could be looked for.
    pub(crate) fn unchecked(&self, plan: &PushPlan<'_>) -> Option<String> {
        let repository = plan.target.repository();
        let list = plan.target;
        let number =
            if self.unchecked == 1 { "1 manifest".to_owned() } else { format!("{} manifests", self.unchecked) };
        (self.unchecked > 0).then(|| {
            format!("cannot check that {repository} has all that {list} names: the login may not read there ({number})")
        })
    }
}

/// Looks at the target: a GET of the own name, a HEAD of every other tag, and a HEAD of every manifest that the list
/// names and that this run does not send. A login that may push but not pull learns nothing here. What it can send it
/// then sends; how much it could not check is counted.
///
/// # Errors
/// What stands in the way of an exchange, and for a dry run what cannot be read.
pub(crate) fn look(
    registry: &Registry,
    jobs: NonZeroUsize,
    plan: &PushPlan<'_>,
    is_dry_run: bool,
) -> Result<RemoteState, CommandError> {
    let looker = Looker { registry, plan, is_dry_run };
    let mut walk = Walk::of(plan)?;
    // The first request alone: what login the registry wants is known after it.
    let (own_now, own) = looker.own()?;
    let mut served = RemoteState { own, is_there: own_now == TagState::This, ..RemoteState::default() };
    let listed = served.index().map(|index| index.manifests).unwrap_or_default();
    let listed: BTreeSet<Digest> = listed.into_iter().map(|line| line.digest).collect();
    let mut tags: Vec<&Reference> = plan.tags.iter().filter(|tag| !plan.is_own(tag)).collect();
    let mut others = Vec::new();
    for depth in 0.. {
        let children = walk.take(|digest| served.is_there || listed.contains(digest));
        if children.is_empty() && tags.is_empty() {
            break;
        }
        if depth >= DEPTH_MAX {
            return Err(CommandError::TooDeep { list: plan.target.to_string(), depth: DEPTH_MAX });
        }
        let questions =
            tags.drain(..).map(Question::Tag).chain(children.into_iter().map(Box::new).map(Question::Child));
        let questions: Vec<Question<'_>> = questions.collect();
        let answers = tasks::in_order(jobs, &questions, |question| looker.ask(question)).map_err(CommandError::of)?;
        for (question, answer) in questions.into_iter().zip(answers) {
            match (question, answer) {
                (Question::Child(child), Answer::Child(presence)) => walk.note(*child, presence)?,
                (_, Answer::Tag(now)) => others.push(now),
                (Question::Tag(_), Answer::Child(_)) => {}
            }
        }
        served.is_there |= others.contains(&TagState::This);
    }
    let mut others = others.into_iter();
    let now = |tag: &Reference| if plan.is_own(tag) { Some(own_now.clone()) } else { others.next() };
    served.tags = plan.tags.iter().map(now).map(|now| now.unwrap_or(TagState::Unknown)).collect();
    (served.children, served.unchecked) = (walk.present, walk.unchecked);
    walk.missing.sort_by_key(|(place, _)| *place);
    served.missing = walk.missing.into_iter().map(|(_, child)| child).collect();
    Ok(served)
}

/// A manifest to look for.
struct Child {
    /// Its place among all that the list names.
    place: usize,
    descriptor: Descriptor,
    /// Whether this run can send it.
    is_sendable: bool,
}

/// What came of looking for one.
enum Presence {
    Present,
    /// An index, which names others.
    Index(FetchedManifest),
    Missing,
    Unchecked,
}

/// All manifests that a list names, however deep, as far as they are known.
struct Walk<'a> {
    plan: &'a PushPlan<'a>,
    puts: BTreeMap<&'a Digest, &'a PlannedManifest<'a>>,
    seen: BTreeSet<Digest>,
    /// Those that only the target can have, not looked for yet.
    in_place: Vec<Child>,
    /// Those that can be sent, not looked for yet.
    sendable: Vec<Child>,
    present: BTreeSet<Digest>,
    missing: Vec<(usize, Descriptor)>,
    unchecked: usize,
    tally: ResolvedSize,
}

impl<'a> Walk<'a> {
    fn of(plan: &'a PushPlan<'a>) -> Result<Walk<'a>, CommandError> {
        let puts = plan.puts.iter().filter_map(|put| Some((put.reference.digest()?, put))).collect();
        let mut walk = Walk {
            plan,
            puts,
            seen: BTreeSet::new(),
            in_place: Vec::new(),
            sendable: Vec::new(),
            present: BTreeSet::new(),
            missing: Vec::new(),
            unchecked: 0,
            tally: ResolvedSize::default(),
        };
        walk.add(Index::decode(&plan.list.bytes)?.manifests)?;
        Ok(walk)
    }

    /// Adds these and all that is in those of them that are indexes and at hand.
    fn add(&mut self, lines: Vec<Descriptor>) -> Result<(), CommandError> {
        let mut lines: Vec<Descriptor> = lines.into_iter().rev().collect();
        while let Some(descriptor) = lines.pop() {
            if !self.seen.insert(descriptor.digest.clone()) {
                continue;
            }
            let put = self.puts.get(&descriptor.digest);
            if let Some(put) =
                put.filter(|put| manifest::ManifestKind::of(put.media_type) == Some(manifest::ManifestKind::List))
            {
                lines.extend(Index::decode(&put.bytes)?.manifests.into_iter().rev());
            }
            let child = Child { place: self.seen.len(), descriptor, is_sendable: put.is_some() };
            if child.is_sendable { self.sendable.push(child) } else { self.in_place.push(child) }
        }
        Ok(())
    }

    /// Those to look for now: all that only the target can have, and what can be sent and `may_be_there`.
    fn take(&mut self, may_be_there: impl Fn(&Digest) -> bool) -> Vec<Child> {
        let sendable = self.sendable.extract_if(.., |child| may_be_there(&child.descriptor.digest));
        self.in_place.drain(..).chain(sendable).collect()
    }

    fn note(&mut self, child: Child, presence: Presence) -> Result<(), CommandError> {
        let Child { place, descriptor, is_sendable } = child;
        match presence {
            Presence::Present => {
                self.present.insert(descriptor.digest);
            }
            Presence::Index(served) => {
                let reference = self.plan.target.repository().at_digest(&descriptor.digest);
                let wrong = |source| CommandError::Served { reference: reference.to_string(), source };
                let lines = Index::decode(&served.bytes).map_err(wrong)?.manifests;
                self.present.insert(descriptor.digest);
                lines.iter().try_for_each(|_| self.tally.line(self.plan.target))?;
                self.add(lines)?;
            }
            // It is sent.
            Presence::Missing | Presence::Unchecked if is_sendable => {}
            Presence::Missing => self.missing.push((place, descriptor)),
            Presence::Unchecked => self.unchecked += 1,
        }
        Ok(())
    }
}

struct Looker<'a> {
    registry: &'a Registry,
    plan: &'a PushPlan<'a>,
    is_dry_run: bool,
}

/// One question to the registry.
enum Question<'a> {
    Tag(&'a Reference),
    Child(Box<Child>),
}

/// The answer to it.
enum Answer {
    Tag(TagState),
    Child(Presence),
}

impl Looker<'_> {
    fn ask(&self, question: &Question<'_>) -> Result<Answer, CommandError> {
        match question {
            Question::Tag(tag) => self.tag(tag).map(Answer::Tag),
            Question::Child(child) => self.child(child).map(Answer::Child),
        }
    }

    fn own(&self) -> Result<(TagState, Option<FetchedManifest>), CommandError> {
        let target = self.plan.target;
        // A name with a tag and a digest is fetched by its digest, and here it is the tag that matters.
        let tag = target.tag().and_then(|tag| tags::tagged(target, tag));
        let served = match self.registry.look(tag.as_ref().unwrap_or(target)) {
            Ok(served) => served,
            Err(error) if error.kind == RegistryErrorKind::NotFound => return Ok((TagState::Nothing, None)),
            Err(error) if self.is_let_go(&error) || error.kind == RegistryErrorKind::Verification => {
                return Ok((TagState::Unknown, None));
            }
            Err(error) => return Err(error.into()),
        };
        let list = &self.plan.list;
        let is_this = list.digest == served.digest && served.media_type == list.media_type;
        let now = if is_this { TagState::This } else { TagState::Other(served.digest.clone()) };
        Ok((now, Some(served)))
    }

    fn tag(&self, tag: &Reference) -> Result<TagState, CommandError> {
        match self.registry.look_at_tag(self.plan.target.repository(), tag.tag().unwrap_or_default()) {
            Ok(None) => Ok(TagState::Nothing),
            Ok(Some(digest)) if digest == self.plan.list.digest => Ok(TagState::This),
            Ok(Some(digest)) => Ok(TagState::Other(digest)),
            Err(error) if self.is_let_go(&error) => Ok(TagState::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    fn child(&self, child: &Child) -> Result<Presence, CommandError> {
        let Child { descriptor, is_sendable, .. } = child;
        let repository = self.plan.target.repository();
        let is_index = manifest::ManifestKind::of(&descriptor.media_type) == Some(manifest::ManifestKind::List);
        // What an index names that can be sent is known from its own bytes.
        let found = if is_index && !is_sendable {
            self.registry.look(&repository.at_digest(&descriptor.digest)).map(Presence::Index)
        } else {
            let found = self.registry.has_child(repository, &descriptor.digest, &descriptor.media_type);
            found.map(|is_there| if is_there { Presence::Present } else { Presence::Missing })
        };
        match found {
            Ok(presence) => Ok(presence),
            Err(error) if error.kind == RegistryErrorKind::NotFound => Ok(Presence::Missing),
            Err(error) if is_untold(&error) => Ok(Presence::Unchecked),
            Err(error) if *is_sendable && self.is_let_go(&error) => Ok(Presence::Missing),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it can be published all the same. Docker never looks, so what is there and broken must not be what keeps
    /// it from being replaced. 502, 503 and 504 are about the registry, which would take nothing else either.
    fn is_let_go(&self, error: &RegistryError) -> bool {
        let is_broken = match error.kind {
            RegistryErrorKind::Protocol | RegistryErrorKind::Refused | RegistryErrorKind::Verification => true,
            RegistryErrorKind::Server => !matches!(error.status, Some(502..=504)),
            _ => false,
        };
        is_untold(error) || !self.is_dry_run && is_broken
    }
}

/// Whether it is only that we may not read. Who is not logged in at all will not be let in to write either.
pub(crate) fn is_untold(error: &RegistryError) -> bool {
    matches!(
        error.kind,
        RegistryErrorKind::LoginRefused | RegistryErrorKind::GivenLoginRefused | RegistryErrorKind::Forbidden
    )
}

//! One look at what a list's tags serve before it is published: what is there already is not sent again.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use crate::commands::error::CommandError;
use crate::commands::pool;
use crate::commands::publishing::plan::Plan;
use crate::commands::publishing::tags;
use crate::digest::Digest;
use crate::document::list::Index;
use crate::document::manifest;
use crate::reference::Reference;
use crate::registry::{Fetched, Kind, Name, Registry, RegistryError};

/// What one tag serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands) enum Now {
    /// Nobody asked, or the registry does not tell us.
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
pub(in crate::commands) struct Served {
    /// What each tag of the plan serves, in the plan's order.
    pub(in crate::commands) tags: Vec<Now>,
    /// What the list's own name serves.
    pub(in crate::commands) own: Option<Fetched>,
    /// Whether the list itself is there, and so all that it names.
    pub(in crate::commands) is_there: bool,
    /// Manifests that the list now under the own name names: a registry takes no list before its children.
    pub(in crate::commands) children: BTreeSet<Digest>,
}

impl Served {
    /// Whether nothing at all is left to be sent.
    pub(in crate::commands) fn is_done(&self) -> bool {
        self.is_there && self.tags.iter().all(|now| *now == Now::This)
    }

    /// The same with nothing taken for granted that was not asked after: retention jobs delete images that have no tag of
    /// their own, and leave the list that names them.
    pub(in crate::commands) fn distrusted(&self) -> Served {
        Served { tags: self.tags.clone(), ..Served::default() }
    }

    /// What was served under the own name as a list.
    pub(in crate::commands) fn index(&self) -> Option<Index> {
        let own = self.own.as_ref()?;
        match manifest::Kind::of(&own.media_type) {
            Some(manifest::Kind::List) => Index::decode(&own.bytes).ok(),
            _ => None,
        }
    }
}

/// What the look is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Need {
    /// To spare requests: where there are none to spare, nothing is asked.
    Sparing,
    /// To tell what there was.
    Telling,
    /// To tell what would happen, which cannot be told where a registry gives no answer.
    Preview,
}

/// Looks: a GET of the own name, a HEAD of every other tag. Who is logged in and may push but not pull is told nothing,
/// and then all is sent. With children from the own repository alone, and one tag, there is nothing to spare.
///
/// # Errors
/// What stands in the way of an exchange, and for a preview what cannot be read.
pub(in crate::commands) fn look(
    registry: &Registry,
    jobs: NonZeroUsize,
    plan: &Plan<'_>,
    need: Need,
) -> Result<Served, CommandError> {
    if plan.puts.is_empty() && !plan.has_more_tags && need == Need::Sparing {
        return Ok(Served { tags: plan.tags.iter().map(|_| Now::Unknown).collect(), ..Served::default() });
    }
    let (own_now, own) = own(registry, plan, need)?;
    let now = |tag: &Reference| {
        if plan.is_own(tag) { Ok(own_now.clone()) } else { other(registry, plan, tag, need) }
    };
    let tags = pool::in_order(jobs, &plan.tags, now).map_err(CommandError::of)?;
    let is_there = own_now == Now::This || tags.contains(&Now::This);
    let mut served = Served { tags, own, is_there, children: BTreeSet::new() };
    let lines = served.index().map(|index| index.manifests).unwrap_or_default();
    served.children = lines.into_iter().map(|line| line.digest).collect();
    Ok(served)
}

fn own(registry: &Registry, plan: &Plan<'_>, need: Need) -> Result<(Now, Option<Fetched>), CommandError> {
    // A name with a tag and a digest is fetched by its digest, and here it is the tag that matters.
    let tag = plan.target.tag().and_then(|tag| tags::tagged(plan.target, tag));
    let served = match registry.manifest(tag.as_ref().unwrap_or(plan.target)) {
        Ok(served) => served,
        Err(error) if error.kind == Kind::NotFound => return Ok((Now::Nothing, None)),
        Err(error) if is_let_go(&error, need) || error.kind == Kind::Verification => return Ok((Now::Unknown, None)),
        Err(error) => return Err(error.into()),
    };
    let is_this = served.digest == plan.list.digest && served.media_type == plan.list.media_type;
    let now = if is_this { Now::This } else { Now::Other(served.digest.clone()) };
    Ok((now, Some(served)))
}

fn other(registry: &Registry, plan: &Plan<'_>, tag: &Reference, need: Need) -> Result<Now, CommandError> {
    let name = Name::Tag(tag.tag().unwrap_or_default().to_owned());
    match registry.has_manifest(plan.target.repository(), &name) {
        Ok(None) => Ok(Now::Nothing),
        Ok(Some(digest)) if digest == plan.list.digest => Ok(Now::This),
        Ok(Some(digest)) => Ok(Now::Other(digest)),
        Err(error) if is_let_go(&error, need) => Ok(Now::Unknown),
        Err(error) => Err(error.into()),
    }
}

/// Whether it can be published all the same. Docker never looks, so what is there and broken must not be what keeps it from
/// being replaced. 502, 503 and 504 are about the registry, which would take nothing else either.
fn is_let_go(error: &RegistryError, need: Need) -> bool {
    let is_broken = match error.kind {
        Kind::Protocol | Kind::Refused | Kind::Verification => true,
        Kind::Server => !matches!(error.status, Some(502..=504)),
        _ => false,
    };
    is_untold(error) || need != Need::Preview && is_broken
}

/// Whether it is only that we may not read. Who is not logged in at all will not be let in to write either.
pub(in crate::commands) fn is_untold(error: &RegistryError) -> bool {
    matches!(error.kind, Kind::LoginRefused | Kind::GivenLoginRefused | Kind::Forbidden)
}

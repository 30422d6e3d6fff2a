//! The verbs with `--shared`: drafts that lie in the registry, where many machines build one list.

pub mod add;
pub mod inspect;
pub mod ls;
pub mod prune;
pub mod publish;
pub mod push;
pub mod remove;

use crate::cli::args::Network;
use crate::cli::context::Context;
use crate::content::registry::Registry;
use crate::core::error::CommandError;
use crate::core::shared::gather::GatherContext;
use crate::core::shared_failure::SharedFailure;
use crate::drafts::registry::Run;
use crate::reference::Repository;

/// A client, and the line for the user that the core calls.
struct Client<'a> {
    registry: Registry,
    context: &'a Context,
    note: Box<dyn Fn(&str) + Sync + 'a>,
}

impl<'a> Client<'a> {
    fn new(context: &'a Context, network: &Network, repository: &Repository) -> Result<Client<'a>, CommandError> {
        Ok(Client {
            registry: context.registry(network, repository)?,
            context,
            note: Box::new(|line: &str| context.streams.note(line)),
        })
    }

    fn gather(&self) -> GatherContext<'_> {
        GatherContext { registry: &self.registry, clock: &*self.context.clock, note: &*self.note }
    }
}

/// The run of this process.
fn run_of(context: &Context, named: Option<&str>) -> Result<Run, CommandError> {
    let run = Run::of(named, &context.env);
    run.map_err(|wrong| SharedFailure::Run { variable: wrong.variable, id: wrong.id, why: wrong.why }.into())
}

/// The same, with a note where there is none: entries of all pipelines then share their names.
fn run_for_writing(context: &Context, named: Option<&str>) -> Result<Run, CommandError> {
    let run = run_of(context, named)?;
    if run.id.is_none() {
        context.streams.note("no CI system was found, so that all runs share their entries: --run names this one");
    }
    Ok(run)
}

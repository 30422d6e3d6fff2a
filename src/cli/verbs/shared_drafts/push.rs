//! `push --shared`: publishes the entries of a list.

use crate::cli::args::Push;
use crate::cli::context::Context;
use crate::cli::verbs::shared_drafts::publish_list::{self, SharedPush};
use crate::cli::verbs::shared_drafts::{SharedClient, pipeline_run};
use crate::core::error::CommandError;
use crate::core::shared_drafts::collect::JobEntry;

pub(crate) fn run(context: &Context, args: &Push) -> Result<(), CommandError> {
    let list = args.list.reference()?;
    let allowed_entries = publish_list::read_and_check_files(context, &args.shared_publish, &args.publish)?;
    let run = pipeline_run(context, args.shared.run.as_deref())?;
    let client = SharedClient::new(context, &args.network, list.repository())?;
    let job_entries = args.awaited_entries.iter().map(|digest| JobEntry { digest: digest.clone(), name: None });
    let shared_push = SharedPush {
        list,
        run: &run,
        shared: &args.shared_publish,
        publish: &args.publish,
        job_entries: job_entries.collect(),
        purge: args.purge,
        allowed_entries: allowed_entries.as_ref(),
    };
    publish_list::run(context, &client, &shared_push)
}

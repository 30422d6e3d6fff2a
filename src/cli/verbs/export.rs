//! `export`: prints a draft or a published list as a spec from which `apply` builds the same list. `core::export` makes
//! the spec. What a spec cannot express is reported on stderr.

use crate::cli::args::Export;
use crate::cli::context::Context;
use crate::cli::output::result_files::ResultFile;
use crate::core::error::CommandError;
use crate::core::export::{self, ExportedSpec, LAYOUT_LIST_NAME};
use crate::model::spec;
use crate::reference::Reference;

pub(crate) fn run(context: &Context, args: &Export) -> Result<(), CommandError> {
    let location = context.location(&args.list)?;
    let file = args.output.as_deref().map(|path| ResultFile::prepare(context.env.original_path(path))).transpose()?;
    let stored = match location.reference().filter(|_| !args.remote) {
        Some(list) => context.load_draft(list)?,
        None => None,
    };
    let ExportedSpec { spec, warnings } = match stored {
        Some(draft) => export::spec_of_draft(&draft)?,
        None if args.local => return Err(CommandError::NoSuchDraftOrImage(location.to_string())),
        None => {
            let registry = &context.registry_client(&args.network, location.reference().map(Reference::repository))?;
            export::spec_of_published(context.content_access(registry), &location)?
        }
    };
    let mut text = spec::write(&spec);
    let refused = export::round_trip_warning(&text, &spec);
    let untagged = spec.targets.iter().map(|target| &target.reference).find(|target| target.tag().is_none());
    if let Some(target) = untagged {
        // `apply` reports the line of a variable without a value. The target is the first name in the file.
        text = text.replacen(&target.to_string(), &format!("{}:${{TAG}}", target.repository()), 1);
    }
    let mut unnamed = untagged
        .map(|target| format!("{target} has no tag: apply needs one in place of ${{TAG}}, or TAG in its environment"));
    if let Some(layout) = location.layout() {
        text = text.replacen(LAYOUT_LIST_NAME, "${IMAGE}", 1);
        unnamed = Some(format!(
            "{layout} is not in a registry: apply needs a name in place of ${{IMAGE}}, or IMAGE in its \
             environment; the path of the layout is relative to the file"
        ));
    }
    for warning in warnings.into_iter().chain(unnamed).chain(refused) {
        context.streams.warning(warning);
    }
    match file {
        Some(file) => file.write(text.as_bytes()),
        None => Ok(context.streams.data(text.as_bytes())?),
    }
}

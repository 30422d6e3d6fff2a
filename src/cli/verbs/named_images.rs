//! The images that a command names: by its arguments, and by files that builds wrote (`--from`).

use crate::cli::args::{ImageSourceFlags, LocationArg};
use crate::cli::build_output_files;
use crate::cli::context::Context;
use crate::core::build_outputs::BuildOutputs;
use crate::core::error::CommandError;
use crate::core::image_filters::{LocationResult, SourceFilter};
use crate::core::image_source::ContentAccess;
use crate::core::resolve::previous_entries;
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::resolve::resolver::{self, FetchEvent, Resolver, ReusedSource};
use crate::core::resolve::selection;
use crate::location::Location;
use crate::model::Draft;
use crate::reference::Repository;

/// The images of a command, and which parts of them are used.
pub(crate) struct NamedImages {
    pub(crate) filter: SourceFilter,
    /// The arguments of the command line.
    pub(crate) arguments: Vec<LocationResult>,
    /// The arguments, and then the images of the files.
    images: Vec<LocationResult>,
    build_outputs: BuildOutputs,
}

impl NamedImages {
    /// Reads the files. `default_repository` is the repository of digests that name none.
    ///
    /// # Errors
    /// Those of [`build_output_files::read_all`].
    pub(crate) fn read(
        context: &Context,
        arguments: &[LocationArg],
        flags: &ImageSourceFlags,
        default_repository: &Repository,
    ) -> Result<NamedImages, CommandError> {
        let from = (flags.build_outputs.clone(), flags.build_targets.clone());
        let build_outputs = build_output_files::read_all(context, &[from], default_repository)?;
        let arguments: Vec<LocationResult> = arguments.iter().map(|argument| context.location(argument)).collect();
        let images = arguments.iter().cloned().chain(build_outputs.locations()).collect();
        Ok(NamedImages { filter: flags.source_filter.filter(), arguments, images, build_outputs })
    }

    /// Fetches the images for a list in the repository `target`. `needs_fetch` says which ones are requested; the
    /// others are reused from the draft `existing`.
    ///
    /// # Errors
    /// Errors of registries, and two files with different images for one platform.
    pub(crate) fn resolve<'a>(
        &'a self,
        content_access: ContentAccess<'_>,
        target: &Repository,
        existing: Option<&'a Draft>,
        needs_fetch: impl Fn(&LocationResult) -> bool,
        progress: &(dyn Fn(FetchEvent<'_>) + Sync),
    ) -> Result<(Vec<ResolvedSource>, Vec<ReusedSource<'a>>), CommandError> {
        let (requested, reused) =
            previous_entries::split_known(existing, resolver::distinct(&self.images), needs_fetch);
        let (filter, targets) = (&self.filter, vec![target]);
        let resolver = Resolver { content_access, filter, existing, targets, concurrent_task: None, progress };
        let resolved = resolver.resolve(&requested, &reused);
        let mut sources =
            resolved.map_err(|error| self.build_outputs.diagnose_error(content_access.registry, error))?;
        let is_argument = |name: &Location| self.arguments.iter().flatten().any(|argument| argument == name);
        self.build_outputs.check_and_remove_duplicates(&mut sources, &reused, is_argument, |platform| {
            selection::selects_platform(&self.filter, platform)
        })?;
        Ok((sources, reused))
    }
}

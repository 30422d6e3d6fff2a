//! The specs of `apply` and of manifest-tool's command line: read from files or standard input, or put together from
//! flags.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::args::{Apply, BuildOutputFlags, RefArg, TagArg};
use crate::cli::build_output_files::{self, STDIN};
use crate::cli::context::Context;
use crate::core::build_outputs::BuildOutputs;
use crate::core::error::CommandError;
use crate::location::Location;
use crate::model::index::ListFormat;
use crate::model::spec::{self, BuildOutputSource, Dialect, ParsedSpecs, Spec, SpecEntry, Target};

/// One byte more than the largest spec.
const READ_LIMIT: u64 = (16 << 20) + 1;

/// Applies the flags to a spec. Flags override the spec; tags and annotations are added.
pub(crate) fn apply_flags(spec: &mut Spec, args: &Apply) {
    let flags = &args.publish;
    if flags.list_format != ListFormat::Auto {
        spec.list_format = Some(flags.list_format);
    }
    let tag = |name: &TagArg| if let TagArg::Tag(tag) = name { Some(tag.clone()) } else { None };
    spec.tags.extend(flags.tags.iter().filter_map(tag));
    if !flags.require.is_empty() {
        spec.require = flags.require.iter().map(|platform| platform.parsed.clone()).collect();
    }
    spec.attestations = args.attestations.or(spec.attestations);
}

/// Appends the images that files name to those of each spec. Files of flags are allowed for a single spec only.
///
/// # Errors
/// The errors of all files.
pub(crate) fn add_build_outputs(
    context: &Context,
    flags: &BuildOutputFlags,
    build_targets: &[String],
    specs: &mut [Spec],
) -> Result<Vec<BuildOutputs>, CommandError> {
    if !flags.from.is_empty() && specs.len() > 1 {
        return Err(CommandError::OneListOnly { flag: "--from", number: specs.len() });
    }
    let add = |spec: &mut Spec| {
        let list = spec.targets.first()?.reference.repository().clone();
        let mut sources: Vec<(BuildOutputFlags, Vec<String>)> = spec.from.iter().map(as_flags).collect();
        if !flags.from.is_empty() {
            sources.push((flags.clone(), build_targets.to_vec()));
        }
        let read = build_output_files::read_all(context, &sources, &list);
        if let Ok(read) = &read {
            spec.manifests.extend(read.references().cloned().map(SpecEntry::new));
        }
        Some(read)
    };
    CommandError::collect(specs.iter_mut().filter_map(add))
}

/// A file of a spec as the flags `--from`, `--repository` and `--target` would name it.
fn as_flags(from: &BuildOutputSource) -> (BuildOutputFlags, Vec<String>) {
    let flags = BuildOutputFlags { from: vec![from.path.clone().into()], repository: from.repository.clone() };
    (flags, from.build_targets.clone())
}

/// The specs that `--platforms`, `--template` and `--target` describe.
pub(crate) fn from_flags(args: &Apply) -> Result<Vec<Spec>, CommandError> {
    let targets: Vec<Target> = args.targets.iter().map(parse_target).collect::<Result<_, _>>()?;
    if args.platforms.is_empty() {
        return Ok(vec![Spec { targets, ..Spec::default() }]);
    }
    let platforms: Vec<&str> = args.platforms.iter().map(|platform| platform.text.as_str()).collect();
    let (Some(first), Some(template)) = (targets.first(), &args.template) else { return Ok(Vec::new()) };
    let spec = spec::from_args(&platforms, template, first)?;
    Ok(vec![Spec { targets, ..spec }])
}

/// Reads a target of the command line.
pub(crate) fn parse_target(argument: &RefArg) -> Result<Target, CommandError> {
    Target::parse(&argument.typed).map_err(CommandError::Reference)
}

/// Reads all files. Reports the errors of all of them together.
pub(crate) fn read_all(context: &Context, files: &[PathBuf]) -> Result<Vec<Spec>, CommandError> {
    let specs = CommandError::collect(files.iter().map(|file| read(context, file, Dialect::Native)))?;
    Ok(specs.into_iter().flatten().collect())
}

/// Reads the specs of one file or of stdin. Prints warnings on stderr.
///
/// # Errors
/// A file that cannot be read, or the first error in its text.
pub(crate) fn read(context: &Context, file: &Path, dialect: Dialect) -> Result<Vec<Spec>, CommandError> {
    let file = context.env.original_path(file);
    let name = file.display().to_string();
    let mut bytes = Vec::new();
    let read = match name.as_str() {
        STDIN => io::stdin().take(READ_LIMIT).read_to_end(&mut bytes),
        _ => File::open(file).and_then(|file| file.take(READ_LIMIT).read_to_end(&mut bytes)),
    };
    read.map_err(|source| CommandError::Unreadable { path: file.to_owned(), source })?;
    let text = spec::decode(&bytes, &name)?;
    let variable = |name: &str| context.env.get_even_empty(name).map(str::to_owned);
    let ParsedSpecs { mut specs, warnings } = spec::parse(text, &name, dialect, &variable)?;
    // A path in a file is relative to the directory of the file.
    if let Some(directory) = file.parent().filter(|_| name != STDIN) {
        let from = specs.iter_mut().flat_map(|spec| &mut spec.from);
        from.for_each(|from| from.path = directory.join(&from.path).to_string_lossy().into_owned());
        let named = specs
            .iter_mut()
            .flat_map(|spec| spec.manifests.iter_mut().map(|entry| &mut entry.image).chain(&mut spec.source_location));
        for location in named {
            if let Location::Layout(name) = location {
                *name = name.at(&directory.join(&name.path));
            }
        }
    }
    warnings.iter().for_each(|warning| context.streams.warning(warning));
    Ok(specs)
}

//! Reads the files of `--from`: files, directories of digests, standard input. They come from other CI jobs and are not
//! trusted: links, devices and FIFOs are refused without waiting for them, and number and size are limited.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::args::BuildOutputFlags;
use crate::cli::context::Context;
use crate::core::build_outputs::BuildOutputs;
use crate::core::error::CommandError;
use crate::core::file_error::FileError;
use crate::digest::Digest;
use crate::model::build_output::{self, BuildOutput, BuiltImage, ImageSelection};
use crate::reference::Repository;
use crate::regular_file::{FileKind, no_follow_or_block};

/// The maximum number of files in all directories of one command.
const FILES_MAX: usize = 10_000;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The file name that means standard input.
pub(crate) const STDIN: &str = "-";

/// The file that makes a directory an OCI image layout.
const LAYOUT_MARKER: &str = "oci-layout";

/// The images that groups of files of `--from` name. The targets of a group select images in each of its files. A
/// digest without a repository is in that of `--repository`, or else in `default_repository`.
///
/// # Errors
/// The errors of all files.
pub(crate) fn read_all(
    context: &Context,
    groups: &[(BuildOutputFlags, Vec<String>)],
    default_repository: &Repository,
) -> Result<BuildOutputs, CommandError> {
    let (mut files, mut errors, mut remaining) = (Vec::new(), Vec::new(), FILES_MAX);
    for (flags, build_targets) in groups {
        let default_repository = flags.repository.as_ref().unwrap_or(default_repository);
        let mut reader = BuildOutputReader {
            selection: ImageSelection { default_repository, build_targets },
            remaining,
            files: Vec::new(),
        };
        let errors_before = errors.len();
        errors.extend(flags.from.iter().filter_map(|path| reader.read_path(context.env.original_path(path)).err()));
        remaining = reader.remaining;
        let has_build_targets = reader.files.iter().any(|(_, output)| output.has_build_targets);
        if let (Some(target), false) = (build_targets.first(), has_build_targets || errors.len() > errors_before) {
            errors.push(FileError::NoTargets(target.clone()).into());
        }
        files.append(&mut reader.files);
    }
    CommandError::fail_if_any(errors)?;
    let outputs = BuildOutputs::new(files, default_repository);
    outputs.notes().iter().for_each(|note| context.streams.message(format_args!("note: {note}")));
    Ok(outputs)
}

struct BuildOutputReader<'a> {
    selection: ImageSelection<'a>,
    /// How many more files may be read.
    remaining: usize,
    /// The files that were read, each with its name.
    files: Vec<(String, BuildOutput)>,
}

impl BuildOutputReader<'_> {
    fn read_path(&mut self, path: &Path) -> Result<(), CommandError> {
        if path == Path::new(STDIN) {
            return self.read_content("standard input".to_owned(), &read_input(path, FILE_BYTES_MAX)?);
        }
        if checked_file_type(path)?.is_dir() {
            return self.read_directory(path);
        }
        self.read_content(path.display().to_string(), &read_regular_file(path, FILE_BYTES_MAX)?)
    }

    fn read_content(&mut self, file: String, bytes: &[u8]) -> Result<(), CommandError> {
        match build_output::parse(bytes, &self.selection) {
            Ok(output) => self.files.push((file, output)),
            Err(source) => return Err(FileError::InvalidContent { file, source }.into()),
        }
        Ok(())
    }

    /// A directory of digests, or a directory of such directories. Each digest is the name of an empty file.
    fn read_directory(&mut self, path: &Path) -> Result<(), CommandError> {
        if path.join(LAYOUT_MARKER).is_file() {
            return Err(FileError::LayoutAsDigestDirectory { path: path.to_owned() }.into());
        }
        let (mut files, mut errors) = (Vec::new(), Vec::new());
        for entry in self.entries(path)? {
            match checked_file_type(&entry) {
                Ok(kind) if kind.is_dir() => match self.entries(&entry) {
                    Err(error) => errors.push(error),
                    Ok(inner) if inner.is_empty() => errors.push(FileError::EmptyDirectory { path: entry }.into()),
                    Ok(inner) => files.extend(inner.iter().map(|inner| read_digest_file(inner))),
                },
                Ok(_) => files.push(read_digest_file(&entry)),
                Err(error) => errors.push(error),
            }
        }
        let number = files.len() + errors.len();
        let (files, wrong): (Vec<_>, Vec<_>) = files.into_iter().partition(Result::is_ok);
        errors.extend(wrong.into_iter().filter_map(Result::err));
        CommandError::fail_if_any(merge_not_a_digest_errors(path, number, errors))?;
        if files.is_empty() {
            return Err(FileError::EmptyDirectory { path: path.to_owned() }.into());
        }
        for (path, digest) in files.into_iter().flatten() {
            let reference = self.selection.default_repository.at_digest(&digest);
            let images = vec![BuiltImage { reference, position: String::new(), size: None }];
            self.files.push((path.display().to_string(), BuildOutput { images, ..BuildOutput::default() }));
        }
        Ok(())
    }

    /// The paths in a directory, sorted, so that the same files always give the same list.
    fn entries(&mut self, path: &Path) -> Result<Vec<PathBuf>, CommandError> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable(path))? {
            let too_many = || FileError::TooManyFiles { path: path.to_owned(), max: FILES_MAX };
            self.remaining = self.remaining.checked_sub(1).ok_or_else(too_many)?;
            entries.push(entry.map_err(unreadable(path))?.path());
        }
        entries.sort();
        Ok(entries)
    }
}

/// The failures of a directory of digests. Several entries that are no digests are one failure.
fn merge_not_a_digest_errors(directory: &Path, entry_count: usize, errors: Vec<CommandError>) -> Vec<CommandError> {
    let not_digest = |error: &CommandError| match error {
        CommandError::File(source) => source.label_in_directory(directory),
        _ => None,
    };
    let not_digests: Vec<String> = errors.iter().filter_map(not_digest).collect();
    if not_digests.len() < 2 {
        return errors;
    }
    let other = errors.into_iter().filter(|error| not_digest(error).is_none());
    let not_digests =
        FileError::NotADigestDirectory { directory: directory.to_owned(), entry_count, others: not_digests };
    std::iter::once(not_digests.into()).chain(other).collect()
}

/// The digest that is the name of an empty file.
fn read_digest_file(path: &Path) -> Result<(PathBuf, Digest), CommandError> {
    let metadata = fs::symlink_metadata(path).map_err(unreadable(path))?;
    refuse_unsupported_file_type(path, metadata.file_type(), false)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match build_output::digest_from_file_name(name) {
        Some(digest) if metadata.is_file() && metadata.len() == 0 => Ok((path.to_owned(), digest)),
        _ => Err(FileError::NotADigestFile { path: path.to_owned() }.into()),
    }
}

/// The type of a file or a directory. Anything else is refused.
fn checked_file_type(path: &Path) -> Result<FileType, CommandError> {
    let kind = fs::symlink_metadata(path).map_err(unreadable(path))?.file_type();
    refuse_unsupported_file_type(path, kind, true)?;
    Ok(kind)
}

fn refuse_unsupported_file_type(path: &Path, file_type: FileType, may_be_directory: bool) -> Result<(), FileError> {
    match FileKind::from_file_type(file_type) {
        FileKind::File => Ok(()),
        FileKind::Directory if may_be_directory => Ok(()),
        FileKind::Directory => Err(FileError::NotADigestFile { path: path.to_owned() }),
        found => Err(FileError::UnsupportedKind { path: path.to_owned(), found }),
    }
}

/// The bytes of standard input, if `path` is `-`, or else those of [`read_regular_file`].
///
/// # Errors
/// Those of [`read_regular_file`].
pub(crate) fn read_input(path: &Path, max_bytes: u64) -> Result<Vec<u8>, CommandError> {
    match path == Path::new(STDIN) {
        true => read_bounded(io::stdin(), path, max_bytes),
        false => read_regular_file(path, max_bytes),
    }
}

/// The bytes of a regular file of at most `max_bytes`. Refuses a link, a directory, a device or a FIFO, also if it
/// replaced the file after the first check.
///
/// # Errors
/// A file that cannot be opened, is not a regular file, or is larger.
pub(crate) fn read_regular_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>, CommandError> {
    let only_file = |kind: FileType| match FileKind::from_file_type(kind) {
        FileKind::File => Ok(()),
        found => Err(FileError::NotAFile { path: path.to_owned(), found }),
    };
    only_file(fs::symlink_metadata(path).map_err(unreadable(path))?.file_type())?;
    let file: File = no_follow_or_block(OpenOptions::new().read(true)).open(path).map_err(unreadable(path))?;
    only_file(file.metadata().map_err(unreadable(path))?.file_type())?;
    read_bounded(file, path, max_bytes)
}

fn read_bounded(from: impl Read, path: &Path, max_bytes: u64) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    from.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable(path))?;
    if bytes.len() as u64 > max_bytes {
        Err(FileError::TooLarge { path: path.to_owned(), max: max_bytes }.into())
    } else {
        Ok(bytes)
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> CommandError {
    move |source| CommandError::Unreadable { path: path.to_owned(), source }
}

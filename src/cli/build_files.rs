//! Opens what `--from` names: files, folders of digests, standard input. CI passes these around, so that they are input
//! of strangers: links, devices and FIFOs are refused, nothing is waited for, and their number and size are bounded.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::args::FromFiles;
use crate::cli::context::Context;
use crate::core::build_outputs::BuildOutputs;
use crate::core::error::CommandError;
use crate::core::file_error::FileError;
use crate::digest::Digest;
use crate::file_kind::{FileKind, no_follow};
use crate::model::build_output::{self, BuildOutput, BuiltImage, Selection};
use crate::reference::Repository;

/// The most files that are looked at, in all folders of one command.
const FILES_MAX: usize = 10_000;

/// The largest file that is read, in bytes.
const FILE_MAX: u64 = 16 << 20;

/// Standard input, as the name of a file.
const STDIN: &str = "-";

/// What files of build tools say, each with its name.
type Files = Vec<(String, BuildOutput)>;

/// The images that the files of `--from` name. `targets` chooses among those of one file; digests without a repository
/// are in that of `--repository`, else in `list`.
///
/// # Errors
/// All that is wrong with any of the files.
pub(crate) fn read(
    context: &Context,
    from: &FromFiles,
    targets: &[String],
    list: &Repository,
) -> Result<BuildOutputs, CommandError> {
    read_all(context, &[(from.clone(), targets.to_vec())], list)
}

/// The same for files in several places of a spec, each with what is wanted of it.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn read_all(
    context: &Context,
    from: &[(FromFiles, Vec<String>)],
    list: &Repository,
) -> Result<BuildOutputs, CommandError> {
    let (mut files, mut failures, mut left) = (Vec::new(), Vec::new(), FILES_MAX);
    for (from, targets) in from {
        let repository = from.repository.as_ref().unwrap_or(list);
        let mut reader = Reader { selection: Selection { repository, targets }, left, files: Vec::new() };
        let wrong = from.from.iter().filter_map(|path| reader.path(context.env.typed(path)).err());
        let before = failures.len();
        failures.extend(wrong);
        left = reader.left;
        let has_targets = reader.files.iter().any(|(_, output)| output.has_targets);
        if let (Some(target), false) = (targets.first(), has_targets || failures.len() > before) {
            failures.push(FileError::NoTargets(target.clone()).into());
        }
        files.append(&mut reader.files);
    }
    if !failures.is_empty() {
        return Err(CommandError::of(failures));
    }
    let outputs = BuildOutputs::new(files, list);
    outputs.notes().iter().for_each(|note| context.streams.note(format_args!("note: {note}")));
    Ok(outputs)
}

struct Reader<'a> {
    selection: Selection<'a>,
    /// How many more files may be looked at.
    left: usize,
    files: Files,
}

impl Reader<'_> {
    fn path(&mut self, path: &Path) -> Result<(), CommandError> {
        if path == Path::new(STDIN) {
            let bytes = bounded(io::stdin(), FILE_MAX).map_err(|error| error.of(path))?;
            return self.content("standard input".to_owned(), &bytes);
        }
        let kind = file_type(path)?;
        if kind.is_dir() {
            return self.folder(path);
        }
        let bytes = regular_file(path, FILE_MAX)?;
        self.content(path.display().to_string(), &bytes)
    }

    fn content(&mut self, file: String, bytes: &[u8]) -> Result<(), CommandError> {
        match build_output::parse(bytes, &self.selection) {
            Ok(output) => {
                self.files.push((file, output));
                Ok(())
            }
            Err(source) => Err(FileError::Content { file, source }.into()),
        }
    }

    /// A folder of digests, or of folders of them: an empty file for each.
    fn folder(&mut self, path: &Path) -> Result<(), CommandError> {
        let (mut files, mut failures) = (Vec::new(), Vec::new());
        for entry in self.entries(path)? {
            let found = match file_type(&entry) {
                Ok(kind) if kind.is_dir() => self.entries(&entry).and_then(|inner| digests(&entry, &inner)),
                Ok(_) => digest(&entry).map(|file| vec![file]),
                Err(failure) => Err(failure),
            };
            found.map_or_else(|failure| failures.push(failure), |found| files.extend(found));
        }
        if !failures.is_empty() {
            return Err(CommandError::of(failures));
        }
        if files.is_empty() {
            return Err(FileError::EmptyFolder { path: path.to_owned() }.into());
        }
        for (path, digest) in files {
            let reference = self.selection.repository.at_digest(&digest);
            let images = vec![BuiltImage { reference, place: String::new() }];
            self.files.push((path.display().to_string(), BuildOutput { images, ..BuildOutput::default() }));
        }
        Ok(())
    }

    /// What is in a folder, sorted, so that the same files give the same list.
    fn entries(&mut self, path: &Path) -> Result<Vec<PathBuf>, CommandError> {
        let unreadable = |source| CommandError::Unreadable { path: path.to_owned(), source };
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            self.left =
                self.left.checked_sub(1).ok_or(FileError::TooMany { path: path.to_owned(), most: FILES_MAX })?;
            entries.push(entry.map_err(unreadable)?.path());
        }
        entries.sort();
        Ok(entries)
    }
}

/// The files in a folder within one: at least one.
fn digests(folder: &Path, entries: &[PathBuf]) -> Result<Vec<(PathBuf, Digest)>, CommandError> {
    if entries.is_empty() {
        return Err(FileError::EmptyFolder { path: folder.to_owned() }.into());
    }
    let (mut files, mut failures) = (Vec::new(), Vec::new());
    for entry in entries {
        digest(entry).map_or_else(|failure| failures.push(failure), |file| files.push(file));
    }
    if failures.is_empty() { Ok(files) } else { Err(CommandError::of(failures)) }
}

/// The digest that an empty file is named by.
fn digest(path: &Path) -> Result<(PathBuf, Digest), CommandError> {
    let metadata = fs::symlink_metadata(path);
    let metadata = metadata.map_err(|source| CommandError::Unreadable { path: path.to_owned(), source })?;
    check(path, metadata.file_type(), false)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match build_output::digest_of_name(name) {
        Some(digest) if metadata.is_file() && metadata.len() == 0 => Ok((path.to_owned(), digest)),
        _ => Err(FileError::Stray { path: path.to_owned() }.into()),
    }
}

/// A file or a folder; anything else is refused.
fn file_type(path: &Path) -> Result<FileType, CommandError> {
    let metadata = fs::symlink_metadata(path);
    let kind = metadata.map_err(|source| CommandError::Unreadable { path: path.to_owned(), source })?.file_type();
    check(path, kind, true)?;
    Ok(kind)
}

fn check(path: &Path, kind: FileType, may_be_folder: bool) -> Result<(), FileError> {
    match FileKind::of(kind) {
        FileKind::File => Ok(()),
        FileKind::Folder if may_be_folder => Ok(()),
        FileKind::Folder => Err(FileError::Stray { path: path.to_owned() }),
        found => Err(FileError::Refused { path: path.to_owned(), found }),
    }
}

/// The bytes of a file that is a regular one, with at most `most` bytes. A link, a folder, a device or a FIFO is
/// refused, also if the file has become one since it was looked at.
///
/// # Errors
/// A file that cannot be opened, is no regular file, or is larger.
pub(crate) fn regular_file(path: &Path, most: u64) -> Result<Vec<u8>, CommandError> {
    let unreadable = |source| CommandError::Unreadable { path: path.to_owned(), source };
    let only_file = |kind: FileType| match FileKind::of(kind) {
        FileKind::File => Ok(()),
        found => Err(FileError::NoFile { path: path.to_owned(), found }),
    };
    only_file(fs::symlink_metadata(path).map_err(unreadable)?.file_type())?;
    let file: File = no_follow(OpenOptions::new().read(true)).open(path).map_err(unreadable)?;
    only_file(file.metadata().map_err(unreadable)?.file_type())?;
    bounded(file, most).map_err(|error| error.of(path))
}

/// Why bytes could not be had.
enum ReadError {
    Io(io::Error),
    /// More bytes than this.
    TooLarge(u64),
}

impl ReadError {
    fn of(self, path: &Path) -> CommandError {
        let path = path.to_owned();
        match self {
            ReadError::Io(source) => CommandError::Unreadable { path, source },
            ReadError::TooLarge(most) => FileError::TooLarge { path, most }.into(),
        }
    }
}

fn bounded(from: impl Read, most: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(ReadError::Io)?;
    if bytes.len() as u64 > most { Err(ReadError::TooLarge(most)) } else { Ok(bytes) }
}

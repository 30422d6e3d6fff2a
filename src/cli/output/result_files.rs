//! `--digest-file` and `--metadata-file`. They are checked before anything is sent, and written as a whole after a
//! success.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use crate::core::error::CommandError;

/// As many symbolic links in a row as systems follow.
const LINKS_MAX: usize = 40;

/// A result file that is ready to be written.
pub(crate) struct ResultFile {
    /// The path as the user typed it.
    path: PathBuf,
    target: WriteTarget,
}

enum WriteTarget {
    /// A file without a name (`O_TMPFILE`): nothing is left if the process ends early.
    #[cfg(target_os = "linux")]
    Unnamed { file: File, final_path: PathBuf },
    /// A file beside the target, for systems and filesystems without `O_TMPFILE`.
    Staged { file: File, staged: PathBuf, final_path: PathBuf },
    /// A pipe or a device, which cannot be replaced.
    Stream(File),
    /// The file is in place.
    Done,
}

impl ResultFile {
    /// Prepares to write to `path`, as far as that can be checked before.
    ///
    /// # Errors
    /// [`CommandError::ResultFile`] if it cannot be written.
    pub(crate) fn prepare(path: &Path) -> Result<ResultFile, CommandError> {
        let target = prepare_target(path).map_err(failed(path))?;
        Ok(ResultFile { path: path.to_owned(), target })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`CommandError::ResultFile`].
    pub(crate) fn write(mut self, bytes: &[u8]) -> Result<(), CommandError> {
        self.write_and_rename(bytes).map_err(failed(&self.path))
    }

    /// Writes the bytes to the disk and gives the file its name; to a stream they are only written. It is called once.
    fn write_and_rename(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.target {
            WriteTarget::Staged { file, staged, final_path } => {
                file.write_all(bytes)?;
                file.sync_all()?;
                fs::rename(staged, final_path)?;
            }
            #[cfg(target_os = "linux")]
            WriteTarget::Unnamed { file, final_path } => {
                file.write_all(bytes)?;
                file.sync_all()?;
                name_file(file, final_path)?;
            }
            WriteTarget::Stream(file) => file.write_all(bytes)?,
            WriteTarget::Done => {}
        }
        self.target = WriteTarget::Done;
        Ok(())
    }
}

impl Drop for ResultFile {
    fn drop(&mut self) {
        if let WriteTarget::Staged { staged, .. } = &self.target {
            let _ = fs::remove_file(staged);
        }
    }
}

fn prepare_target(path: &Path) -> io::Result<WriteTarget> {
    if let Some(name) = own_fd(path) {
        return Ok(WriteTarget::Stream(open_stream(&name, path)?));
    }
    // A symbolic link stays: its target is replaced, or created if it is missing.
    let final_path = fs::canonicalize(path).unwrap_or_else(|_| dangling_link_target(path));
    match fs::metadata(&final_path) {
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            return Ok(WriteTarget::Stream(OpenOptions::new().write(true).open(&final_path)?));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    #[cfg(target_os = "linux")]
    if let Some(file) = open_unnamed(&final_path) {
        return Ok(WriteTarget::Unnamed { file, final_path });
    }
    let (file, staged) =
        create_sibling(&final_path, |staged| OpenOptions::new().write(true).create_new(true).open(staged))?;
    Ok(WriteTarget::Staged { file, staged, final_path })
}

/// Makes something beside a file under the first free name. Returns it, and the name.
fn create_sibling<T>(target: &Path, mut create: impl FnMut(&Path) -> io::Result<T>) -> io::Result<(T, PathBuf)> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let directory = target.parent().unwrap_or(Path::new(""));
    for number in 0_u32.. {
        let staged = directory.join(format!(".{}.{}-{number}", name.to_string_lossy(), process::id()));
        match create(&staged) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return Ok((created?, staged)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A file without a name in the directory of `target`. `None` if the filesystem has none, or could not name it later.
#[cfg(target_os = "linux")]
fn open_unnamed(target: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    target.file_name()?;
    let directory = target.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The bits are an `int` of the system's C header.
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    let file = OpenOptions::new().write(true).custom_flags(flags).mode(0o666).open(directory).ok()?;
    proc_fd_path(&file).exists().then_some(file)
}

/// Names an unnamed file, and replaces the file of that name.
#[cfg(target_os = "linux")]
fn name_file(file: &File, target: &Path) -> io::Result<()> {
    let opened = proc_fd_path(file);
    let link = |to: &Path| -> io::Result<()> {
        use rustix::fs::{AtFlags, CWD, linkat};
        Ok(linkat(CWD, &opened, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
    };
    match link(target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let ((), staged) = create_sibling(target, link)?;
            fs::rename(&staged, target).inspect_err(|_| {
                let _ = fs::remove_file(&staged);
            })
        }
        done => done,
    }
}

#[cfg(target_os = "linux")]
fn proc_fd_path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file)))
}

/// The end of a chain of links whose last target is missing.
fn dangling_link_target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(link) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    path
}

/// The number of our own open file that a path leads to (`/dev/stdout`, `/dev/fd/3`). Replacing the file behind it
/// would discard what is printed there.
fn own_fd(path: &Path) -> Option<OsString> {
    let fd_directories = ["/proc/self/fd", "/dev/fd"].map(fs::canonicalize);
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let directory = fs::canonicalize(path.parent()?).ok()?;
        if fd_directories.iter().flatten().any(|fd_directory| *fd_directory == directory) {
            return path.file_name().map(ToOwned::to_owned);
        }
        path = directory.join(fs::read_link(&path).ok()?);
    }
    None
}

/// Opens a stream. Our own streams are shared, so that their output is not overwritten; other files are appended to.
fn open_stream(name: &OsStr, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        match name.to_str() {
            Some("1") => return Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
            Some("2") => return Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
            _ => {}
        }
    }
    OpenOptions::new().append(true).open(path)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> CommandError {
    move |source| CommandError::ResultFile { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn result_files_are_written_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("digest");
        fs::write(&path, "before, and longer").unwrap();
        let file = ResultFile::prepare(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before, and longer");
        // Nothing is left behind, however the process ends.
        if cfg!(target_os = "linux") {
            assert_eq!(names(directory.path()), ["digest"]);
        }
        drop(file);
        assert_eq!((names(directory.path()), fs::read_to_string(&path).unwrap().len()), (vec!["digest".into()], 18));
        ResultFile::prepare(&path).unwrap().write(b"sha256:ab").unwrap();
        assert_eq!((names(directory.path()), fs::read(&path).unwrap()), (vec!["digest".into()], b"sha256:ab".to_vec()));
    }

    #[test]
    fn unwritable_result_files_are_refused_before_the_push() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path().to_owned(), directory.path().join("none/digest"), PathBuf::from("/dev/null/x")] {
            let refused = ResultFile::prepare(&path).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.starts_with(&format!("cannot write {}: ", path.display())), "{refused}");
        }
        assert_eq!(names(directory.path()), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn result_files_keep_links_and_devices() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("file"), &link).unwrap();
        fs::write(directory.path().join("file"), "x").unwrap();
        ResultFile::prepare(&link).unwrap().write(b"y").unwrap();
        assert!(link.is_symlink() && fs::read(&link).unwrap() == b"y");
        ResultFile::prepare(Path::new("/dev/null")).unwrap().write(b"y").unwrap();
        assert!(!Path::new("/dev/null").is_file());
    }

    #[cfg(unix)]
    #[test]
    fn result_files_keep_links_to_missing_targets() {
        use std::os::unix::fs::symlink;

        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("results")).unwrap();
        symlink("results/digest", at("near")).unwrap();
        symlink(at("near"), at("far")).unwrap();
        ResultFile::prepare(&at("far")).unwrap().write(b"x").unwrap();
        assert!(at("far").is_symlink() && at("near").is_symlink());
        assert_eq!(fs::read(at("results/digest")).unwrap(), b"x");
        // A circle of links has no end, and a file in a missing directory cannot be written.
        symlink("circle", at("circle")).unwrap();
        symlink("none/digest", at("nowhere")).unwrap();
        for name in ["circle", "nowhere"] {
            assert!(ResultFile::prepare(&at(name)).is_err() && at(name).is_symlink(), "{name}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn result_files_append_to_our_own_open_files() {
        use std::os::fd::AsRawFd;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "before\n").unwrap();
        let open = File::open(&path).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(format!("/dev/fd/{}", open.as_raw_fd()), &link).unwrap();
        ResultFile::prepare(&link).unwrap().write(b"after").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\nafter");
        assert_eq!(own_fd(Path::new("/dev/stdout")).as_deref(), Some(OsStr::new("1")));
        assert_eq!((own_fd(&path), own_fd(Path::new("/dev/null"))), (None, None));
    }
}

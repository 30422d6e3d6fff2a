//! Writes that are there as a whole or not at all: staged outside any directory that docker lists, synced, renamed,
//! and the directory synced. See `store-format.md`, "Writes".

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory;
use crate::drafts::docker_dir::error::{PLACE, StoreError, TAKE};
use crate::drafts::docker_dir::folder::Folder;
use crate::drafts::docker_dir::lock::Lock;
use crate::drafts::docker_dir::paths::Paths;

/// The files of a list by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// One file that becomes another, `None` for no file.
pub(super) struct FileChange<'a> {
    pub(super) name: &'a str,
    pub(super) before: Option<&'a [u8]>,
    pub(super) after: Option<&'a [u8]>,
    /// Whether the step is only taken where the file is still what it was before: it changes nothing that a user said,
    /// and what docker wrote meanwhile must not be lost for it.
    pub(super) if_unchanged: bool,
}

/// Steps in one folder, which is synced after them, and then those above it that it may be new in.
pub(super) struct FolderChanges<'a> {
    pub(super) folder: &'a Folder,
    pub(super) steps: Vec<FileChange<'a>>,
    pub(super) above: &'a [PathBuf],
}

/// A step that can be taken, and taken back, by nothing but renames: those need no room on the disk.
struct StagedChange<'a> {
    folder: &'a Folder,
    step: &'a FileChange<'a>,
    new: PathBuf,
    old: PathBuf,
}

/// Steps that were taken, in order.
#[derive(Default)]
pub(super) struct AppliedChanges<'a>(Vec<StagedChange<'a>>);

/// Takes one step after the other. Everything is staged before anything is moved; a failure takes all steps back.
pub(super) fn replace<'a>(lock: &Lock, stages: &'a [FolderChanges<'a>]) -> Result<AppliedChanges<'a>, StoreError> {
    let mut moved = AppliedChanges::default();
    let done = stage(lock, stages).and_then(|staged| {
        let mut staged = staged.into_iter();
        stages.iter().filter(|stage| !stage.steps.is_empty()).try_for_each(|stage| {
            for staged in staged.by_ref().take(stage.steps.len()) {
                staged.take()?;
                moved.0.push(staged);
            }
            stage.folder.sync()?;
            stage.above.iter().try_for_each(|path| directory::sync(path))
        })
    });
    match done {
        Ok(()) => Ok(moved),
        Err(error) => {
            moved.take_back(lock);
            Err(error)
        }
    }
}

fn stage<'a>(lock: &Lock, stages: &'a [FolderChanges<'a>]) -> Result<Vec<StagedChange<'a>>, StoreError> {
    let steps = stages.iter().flat_map(|stage| stage.steps.iter().map(|step| (stage.folder, step)));
    let staged = steps.enumerate().map(|(number, (folder, step))| {
        let below = lock.staging()?;
        let (new, old) = (below.join(number.to_string()), below.join(format!("{number}.old")));
        let staged = StagedChange { folder, step, new, old };
        staged.prepare()?;
        Ok(staged)
    });
    staged.collect()
}

impl StagedChange<'_> {
    fn prepare(&self) -> Result<(), StoreError> {
        let (Some(bytes), name) = (self.step.after, self.step.name) else { return Ok(()) };
        write_file(&self.new, bytes)?;
        let Some(before) = self.step.before else { return Ok(()) };
        match self.folder.link_out(name, &self.old) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::io(PLACE, &self.folder.file(name))(error))
            }
            // Not every filesystem has links, and not every file may have one.
            Err(_) => write_file(&self.old, before),
            Ok(()) => Ok(()),
        }
    }

    fn take(&self) -> Result<(), StoreError> {
        let (name, path) = (self.step.name, self.folder.file(self.step.name));
        match self.step.after {
            Some(_) if self.step.if_unchanged => self.take_if_unchanged(),
            Some(_) => self.folder.take_in(&self.new, name).map_err(StoreError::io(PLACE, &path)),
            None => self.folder.give_out(name, &self.old).map_err(StoreError::io(TAKE, &path)),
        }
    }

    /// Docker writes in place, so that what it has begun to write before our rename is seen in the old file after it.
    fn take_if_unchanged(&self) -> Result<(), StoreError> {
        let path = self.folder.file(self.step.name);
        if !self.is_unchanged(&path)? {
            return Ok(());
        }
        self.folder.take_in(&self.new, self.step.name).map_err(StoreError::io(PLACE, &path))?;
        let unchanged = self.is_unchanged(&self.old);
        if !matches!(unchanged, Ok(true)) {
            self.folder.take_in(&self.old, self.step.name).map_err(StoreError::io(PLACE, &path))?;
        }
        unchanged.map(drop)
    }

    fn is_unchanged(&self, path: &Path) -> Result<bool, StoreError> {
        match checked_access::read(path, checked_access::FILE_LIMIT) {
            Ok((bytes, _)) => Ok(Some(bytes.as_slice()) == self.step.before),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn take_back(&self) -> io::Result<()> {
        match self.step.before {
            Some(_) => self.folder.take_in(&self.old, self.step.name),
            None => self.folder.remove(self.step.name),
        }
    }
}

impl AppliedChanges<'_> {
    /// The way back after a failure, here or later. What fails now cannot be mended; the error that led here is the one
    /// to tell.
    pub(super) fn take_back(self, lock: &Lock) {
        for staged in self.0.iter().rev() {
            let _ = staged.take_back();
        }
        for (number, staged) in self.0.iter().enumerate() {
            let is_last = self.0.get(number + 1).is_none_or(|next| !std::ptr::eq(next.folder, staged.folder));
            let _ = if is_last { staged.folder.sync() } else { Ok(()) };
        }
        clear(lock);
    }
}

/// Stages a list with all its files, synced: the folder that only needs its name.
pub(super) fn stage_directory(paths: &Paths, lock: &Lock, files: &Files) -> Result<PathBuf, StoreError> {
    let staged = lock.staging()?.join("list");
    directory::make(paths, &staged)?;
    for (name, bytes) in files {
        write_file(&staged.join(name), bytes)?;
    }
    directory::sync(&staged)?;
    Ok(staged)
}

/// Gives a staged list its name.
pub(super) fn place_directory(paths: &Paths, staged: &Path, target: &Path) -> Result<(), StoreError> {
    fs::rename(staged, target).map_err(StoreError::io(PLACE, target))?;
    let synced = directory::sync(paths.root()).and_then(|()| directory::sync_above(paths.root()));
    synced.inspect_err(|_| {
        let _ = fs::rename(target, staged);
    })
}

/// Takes the list in directory `name` away: out of docker's sight by one rename, then off the disk together with its
/// side file, where what resists is left for the next holder of the lock to clear: the list is gone all the same.
///
/// Docker knows no lock, so that only what is out of its sight can be looked at for good: what `is_still` does not find
/// there as it was goes back, and that is a race.
pub(super) fn remove_directory(
    paths: &Paths,
    lock: &Lock,
    name: &str,
    is_still: impl Fn(&Path) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let (target, away) = (paths.list(name), lock.away()?);
    match fs::rename(&target, away) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            take_apart(paths, lock, &target, is_still)?;
            finish(paths, name, away);
            return Ok(());
        }
        done => done.map_err(StoreError::io(TAKE, &target))?,
    }
    let checked = is_still(away).and_then(|same| if same { Ok(()) } else { Err(StoreError::race(&target)) });
    checked.and_then(|()| directory::sync(paths.root())).inspect_err(|_| {
        put_back(away, &target);
        let _ = directory::sync(paths.root());
    })?;
    finish(paths, name, away);
    Ok(())
}

fn finish(paths: &Paths, name: &str, away: &Path) {
    let _ = fs::remove_file(paths.owner(name));
    let _ = fs::remove_dir_all(away);
}

/// Takes the files out of a directory one by one and then the directory away, where a directory cannot be renamed: on
/// overlayfs one of a lower layer. Each file is there or gone at every instant, as when docker removes a list. What is
/// found changed afterwards goes back, and that is a race.
fn take_apart(
    paths: &Paths,
    lock: &Lock,
    target: &Path,
    is_still: impl Fn(&Path) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let files = contents(target)?;
    if !is_still(target)? {
        return Err(StoreError::race(target));
    }
    let away = lock.staging()?;
    let moved = files.keys().try_for_each(|name| {
        let from = target.join(name);
        fs::rename(&from, away.join(name)).map_err(StoreError::io(TAKE, &from))
    });
    let checked = moved.and_then(|()| if contents(away)? == files { Ok(()) } else { Err(StoreError::race(target)) });
    let removed = checked.and_then(|()| fs::remove_dir(target).map_err(StoreError::io(TAKE, target)));
    removed.and_then(|()| directory::sync(paths.root())).inspect_err(|_| {
        let _ = fs::create_dir(target);
        return_files(away, target);
        let _ = directory::sync(target).and_then(|()| directory::sync(paths.root()));
    })
}

/// The files of a directory with their bytes; `None` for the bytes of one that cannot be read.
fn contents(directory: &Path) -> Result<BTreeMap<String, Option<Vec<u8>>>, StoreError> {
    let names = directory::names(directory)?.unwrap_or_default();
    let read = |name: &String| {
        checked_access::read(&directory.join(name), checked_access::FILE_LIMIT).ok().map(|(bytes, _)| bytes)
    };
    Ok(names.into_iter().map(|name| (name.clone(), read(&name))).collect())
}

/// Puts a list back in its place. Where docker has made a folder there since, it was not done with the list, as each of
/// its writes makes the folder that it needs: then its newer files stay and the others come to them.
fn put_back(away: &Path, target: &Path) {
    if fs::rename(away, target).is_err() {
        return_files(away, target);
    }
}

/// Moves files to where there are none of their names.
fn return_files(away: &Path, target: &Path) {
    for name in directory::names(away).ok().flatten().unwrap_or_default() {
        let (from, to) = (away.join(&name), target.join(&name));
        // Unlike a rename, a link replaces nothing.
        if fs::hard_link(&from, &to).is_err() && !to.exists() {
            let _ = fs::rename(from, to);
        }
    }
    let _ = fs::remove_dir_all(away);
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(StoreError::io("write", path))
}

/// Best effort: the next holder of the lock clears what stays.
fn clear(lock: &Lock) {
    let _ = lock.staging().map(fs::remove_dir_all);
}

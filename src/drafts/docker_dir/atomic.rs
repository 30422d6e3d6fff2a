//! Writes that are complete or absent: files are staged outside every directory that docker lists, synced, renamed, and
//! their directory is synced. See `store-format.md`, "Writes".

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

/// The change of one file; `None` stands for no file.
pub(super) struct FileChange<'a> {
    pub(super) name: &'a str,
    pub(super) before: Option<&'a [u8]>,
    pub(super) after: Option<&'a [u8]>,
    /// Whether to skip the change if the file has changed: the change contains nothing from the user, and must not
    /// overwrite what docker wrote meanwhile.
    pub(super) if_unchanged: bool,
}

/// Changes in one folder. Afterwards the folder is synced, and then the folders above it that may be new.
pub(super) struct FolderChanges<'a> {
    pub(super) folder: &'a Folder,
    pub(super) steps: Vec<FileChange<'a>>,
    pub(super) above: &'a [PathBuf],
}

/// A change that can be applied and reverted by renames alone, which need no room on the disk.
struct StagedChange<'a> {
    folder: &'a Folder,
    step: &'a FileChange<'a>,
    new: PathBuf,
    old: PathBuf,
}

/// Applied changes, in order.
#[derive(Default)]
pub(super) struct AppliedChanges<'a>(Vec<StagedChange<'a>>);

/// Applies the changes in order. Everything is staged before anything is moved; a failure reverts all changes.
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
            // Some filesystems have no hard links, and some files may not have one.
            Err(_) => write_file(&self.old, before),
            Ok(()) => Ok(()),
        }
    }

    fn take(&self) -> Result<(), StoreError> {
        let (name, path) = (self.step.name, self.folder.file(self.step.name));
        match self.step.after {
            Some(_) if self.step.if_unchanged => self.take_if_unchanged(),
            Some(_) => self.folder.move_in(&self.new, name).map_err(StoreError::io(PLACE, &path)),
            None => self.folder.move_out(name, &self.old).map_err(StoreError::io(TAKE, &path)),
        }
    }

    /// Docker writes in place, so what it began to write before our rename is in the old file after it.
    fn take_if_unchanged(&self) -> Result<(), StoreError> {
        let path = self.folder.file(self.step.name);
        if !self.is_unchanged(&path)? {
            return Ok(());
        }
        self.folder.move_in(&self.new, self.step.name).map_err(StoreError::io(PLACE, &path))?;
        let unchanged = self.is_unchanged(&self.old);
        if !matches!(unchanged, Ok(true)) {
            self.folder.move_in(&self.old, self.step.name).map_err(StoreError::io(PLACE, &path))?;
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
            Some(_) => self.folder.move_in(&self.old, self.step.name),
            None => self.folder.remove(self.step.name),
        }
    }
}

impl AppliedChanges<'_> {
    /// Reverts the changes after a failure. Further failures are ignored; the first error is reported.
    pub(super) fn take_back(self, lock: &Lock) {
        for staged in self.0.iter().rev() {
            let _ = staged.take_back();
        }
        for (number, staged) in self.0.iter().enumerate() {
            let is_last = self.0.get(number + 1).is_none_or(|next| !std::ptr::eq(next.folder, staged.folder));
            let _ = if is_last { staged.folder.sync() } else { Ok(()) };
        }
        // Best effort: the next holder of the lock clears the rest.
        let _ = lock.staging().map(fs::remove_dir_all);
    }
}

/// Stages a list with all its files, synced. Only the rename to its name is left.
pub(super) fn stage_directory(paths: &Paths, lock: &Lock, files: &Files) -> Result<PathBuf, StoreError> {
    let staged = lock.staging()?.join("list");
    directory::create_checked(paths, &staged)?;
    for (name, bytes) in files {
        write_file(&staged.join(name), bytes)?;
    }
    directory::sync(&staged)?;
    Ok(staged)
}

/// Renames a staged list to its name.
pub(super) fn place_directory(paths: &Paths, staged: &Path, target: &Path) -> Result<(), StoreError> {
    fs::rename(staged, target).map_err(StoreError::io(PLACE, target))?;
    let synced = directory::sync(paths.root()).and_then(|()| directory::sync_parent(paths.root()));
    synced.inspect_err(|_| {
        let _ = fs::rename(target, staged);
    })
}

/// Removes the list in directory `name`: one rename hides it from docker, then the files and the sidecar are deleted.
/// Files that cannot be deleted are left for the next holder of the lock, because the list no longer exists.
///
/// Docker uses no lock, so the list is compared after it is hidden. If `is_still` finds a change, the list is moved
/// back; this is a race.
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
        // If docker has created the folder again, it is still writing the list, because each of its writes creates the
        // folder: then docker's newer files stay, and the others are added.
        if fs::rename(away, &target).is_err() {
            return_files(away, &target);
        }
        let _ = directory::sync(paths.root());
    })?;
    finish(paths, name, away);
    Ok(())
}

fn finish(paths: &Paths, name: &str, away: &Path) {
    let _ = fs::remove_file(paths.sidecar(name));
    let _ = fs::remove_dir_all(away);
}

/// Removes the files one by one and then the directory, for a directory that cannot be renamed: on overlayfs, one of a
/// lower layer. Each file exists or not at every instant, as if docker removed the list. If a change is found
/// afterwards, the files are moved back; this is a race.
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

/// The files of a directory with their bytes; `None` for the bytes of a file that cannot be read.
fn contents(directory: &Path) -> Result<BTreeMap<String, Option<Vec<u8>>>, StoreError> {
    let names = directory::names(directory)?.unwrap_or_default();
    let read = |name: &String| {
        checked_access::read(&directory.join(name), checked_access::FILE_LIMIT).ok().map(|(bytes, _)| bytes)
    };
    Ok(names.into_iter().map(|name| (name.clone(), read(&name))).collect())
}

/// Moves files to names that do not exist.
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

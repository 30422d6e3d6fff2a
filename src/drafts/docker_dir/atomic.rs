//! Atomic writes: files are staged outside every directory that docker lists, synced, and renamed, and their directory
//! is synced. See `store-format.md`, "Writes".

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::drafts::docker_dir::checked_access;
use crate::drafts::docker_dir::directory_handle::DirectoryHandle;
use crate::drafts::docker_dir::directory_operations;
use crate::drafts::docker_dir::error::{MOVE_INTO_PLACE, REMOVE, StoreError};
use crate::drafts::docker_dir::lock::Lock;
use crate::drafts::docker_dir::paths::Paths;

/// The files of a list by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// The change of one file. `None` means no file.
pub(super) struct FileChange<'a> {
    pub(super) name: &'a str,
    pub(super) before: Option<Cow<'a, [u8]>>,
    pub(super) after: Option<Cow<'a, [u8]>>,
    /// Whether to skip the change if the file has changed: the change contains nothing from the user, and must not
    /// overwrite what docker wrote meanwhile.
    pub(super) if_unchanged: bool,
}

/// The changes in one directory. Afterwards the directory is synced, and then its parents that may be new.
pub(super) struct DirectoryChanges<'a> {
    pub(super) directory: DirectoryHandle,
    pub(super) changes: Vec<FileChange<'a>>,
    pub(super) parents_to_sync: Vec<PathBuf>,
}

/// A change that can be applied and reverted by renames alone, which need no space on the disk.
struct StagedChange<'a> {
    directory: &'a DirectoryHandle,
    change: &'a FileChange<'a>,
    new: PathBuf,
    old: PathBuf,
}

/// Applied changes, in order.
#[derive(Default)]
pub(super) struct AppliedChanges<'a>(Vec<StagedChange<'a>>);

/// Applies the changes in order. Everything is staged before anything is moved. An error reverts all changes.
pub(super) fn apply_changes<'a>(
    lock: &Lock,
    directories: &'a [DirectoryChanges<'a>],
) -> Result<AppliedChanges<'a>, StoreError> {
    let mut applied = AppliedChanges::default();
    let result = stage(lock, directories).and_then(|staged| {
        let mut staged = staged.into_iter();
        directories.iter().filter(|target| !target.changes.is_empty()).try_for_each(|target| {
            for staged in staged.by_ref().take(target.changes.len()) {
                staged.apply()?;
                applied.0.push(staged);
            }
            target.directory.sync()?;
            target.parents_to_sync.iter().try_for_each(|path| directory_operations::sync(path))
        })
    });
    match result {
        Ok(()) => Ok(applied),
        Err(error) => {
            applied.revert(lock);
            Err(error)
        }
    }
}

fn stage<'a>(lock: &Lock, directories: &'a [DirectoryChanges<'a>]) -> Result<Vec<StagedChange<'a>>, StoreError> {
    let changes = directories.iter().flat_map(|target| target.changes.iter().map(|change| (&target.directory, change)));
    let staged = changes.enumerate().map(|(number, (directory, change))| {
        let staging = lock.create_staging()?;
        let (new, old) = (staging.join(number.to_string()), staging.join(format!("{number}.old")));
        let staged = StagedChange { directory, change, new, old };
        staged.write_new_and_keep_old()?;
        Ok(staged)
    });
    staged.collect()
}

impl StagedChange<'_> {
    fn write_new_and_keep_old(&self) -> Result<(), StoreError> {
        let (Some(bytes), name) = (&self.change.after, self.change.name) else { return Ok(()) };
        write_file(&self.new, bytes)?;
        let Some(before) = &self.change.before else { return Ok(()) };
        match self.directory.link_to(name, &self.old) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::io(MOVE_INTO_PLACE, &self.directory.file(name))(error))
            }
            // Some filesystems have no hard links, and some files may not have one.
            Err(_) => write_file(&self.old, before),
            Ok(()) => Ok(()),
        }
    }

    fn apply(&self) -> Result<(), StoreError> {
        let (name, path) = (self.change.name, self.directory.file(self.change.name));
        match self.change.after {
            Some(_) if self.change.if_unchanged => self.apply_if_unchanged(),
            Some(_) => self.directory.move_in(&self.new, name).map_err(StoreError::io(MOVE_INTO_PLACE, &path)),
            None => self.directory.move_out(name, &self.old).map_err(StoreError::io(REMOVE, &path)),
        }
    }

    /// Docker writes in place: a write that began before our rename ends in the old file.
    fn apply_if_unchanged(&self) -> Result<(), StoreError> {
        let path = self.directory.file(self.change.name);
        if !self.is_unchanged_since_read(&path)? {
            return Ok(());
        }
        self.directory.move_in(&self.new, self.change.name).map_err(StoreError::io(MOVE_INTO_PLACE, &path))?;
        let unchanged = self.is_unchanged_since_read(&self.old);
        if !matches!(unchanged, Ok(true)) {
            self.directory.move_in(&self.old, self.change.name).map_err(StoreError::io(MOVE_INTO_PLACE, &path))?;
        }
        unchanged.map(drop)
    }

    fn is_unchanged_since_read(&self, path: &Path) -> Result<bool, StoreError> {
        match checked_access::read(path, checked_access::FILE_BYTES_MAX) {
            Ok((bytes, _)) => Ok(Some(bytes.as_slice()) == self.change.before.as_deref()),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn revert(&self) -> io::Result<()> {
        match self.change.before {
            Some(_) => self.directory.move_in(&self.old, self.change.name),
            None => self.directory.remove(self.change.name),
        }
    }
}

impl AppliedChanges<'_> {
    /// Reverts the changes after an error. The caller reports that error; further ones are ignored.
    pub(super) fn revert(self, lock: &Lock) {
        for staged in self.0.iter().rev() {
            let _ = staged.revert();
        }
        for (number, staged) in self.0.iter().enumerate() {
            let is_last = self.0.get(number + 1).is_none_or(|next| !std::ptr::eq(next.directory, staged.directory));
            let _ = if is_last { staged.directory.sync() } else { Ok(()) };
        }
        // Best effort: the next holder of the lock clears the rest.
        let _ = lock.create_staging().map(fs::remove_dir_all);
    }
}

/// Stages a list with all its files, synced. It gets its name by one rename, [`move_into_place`].
pub(super) fn stage_directory(paths: &Paths, lock: &Lock, files: &Files) -> Result<PathBuf, StoreError> {
    let staged = lock.create_staging()?.join("list");
    directory_operations::create_checked(paths, &staged)?;
    for (name, bytes) in files {
        write_file(&staged.join(name), bytes)?;
    }
    directory_operations::sync(&staged)?;
    Ok(staged)
}

/// Renames a staged list to its name.
pub(super) fn move_into_place(paths: &Paths, staged: &Path, target: &Path) -> Result<(), StoreError> {
    fs::rename(staged, target).map_err(StoreError::io(MOVE_INTO_PLACE, target))?;
    let synced =
        directory_operations::sync(paths.root()).and_then(|()| directory_operations::sync_parent(paths.root()));
    synced.inspect_err(|_| {
        let _ = fs::rename(target, staged);
    })
}

/// Removes the list in directory `name`: one rename hides it from docker, then the files and the sidecar are deleted.
/// Files that cannot be deleted are left for the next holder of the lock, because the list no longer exists.
///
/// Docker uses no lock, so the list is compared after it is hidden. If `is_unchanged` finds a change, the list is moved
/// back; this is a race.
pub(super) fn remove_directory(
    paths: &Paths,
    lock: &Lock,
    name: &str,
    is_unchanged: impl Fn(&Path) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let (target, hidden) = (paths.list(name), lock.hidden_path()?);
    match fs::rename(&target, hidden) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            remove_file_by_file(paths, lock, &target, is_unchanged)?;
            delete_hidden_and_sidecar(paths, name, hidden);
            return Ok(());
        }
        done => done.map_err(StoreError::io(REMOVE, &target))?,
    }
    let checked = is_unchanged(hidden).and_then(|same| if same { Ok(()) } else { Err(StoreError::race(&target)) });
    checked.and_then(|()| directory_operations::sync(paths.root())).inspect_err(|_| {
        // If docker has created the directory again, because each of its writes does, its newer files stay and the
        // others are added.
        if fs::rename(hidden, &target).is_err() {
            restore_files(hidden, &target);
        }
        let _ = directory_operations::sync(paths.root());
    })?;
    delete_hidden_and_sidecar(paths, name, hidden);
    Ok(())
}

fn delete_hidden_and_sidecar(paths: &Paths, name: &str, hidden: &Path) {
    let _ = fs::remove_file(paths.sidecar(name));
    let _ = fs::remove_dir_all(hidden);
}

/// Removes the files one by one and then the directory, for a directory that cannot be renamed: on overlayfs, one of a
/// lower layer. Each file exists or not at every instant, as if docker removed the list. If a change is found
/// afterwards, the files are moved back; this is a race.
fn remove_file_by_file(
    paths: &Paths,
    lock: &Lock,
    target: &Path,
    is_unchanged: impl Fn(&Path) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let files = contents(target)?;
    if !is_unchanged(target)? {
        return Err(StoreError::race(target));
    }
    let hidden = lock.create_staging()?;
    let applied = files.keys().try_for_each(|name| {
        let from = target.join(name);
        fs::rename(&from, hidden.join(name)).map_err(StoreError::io(REMOVE, &from))
    });
    let checked =
        applied.and_then(|()| if contents(hidden)? == files { Ok(()) } else { Err(StoreError::race(target)) });
    let removed = checked.and_then(|()| fs::remove_dir(target).map_err(StoreError::io(REMOVE, target)));
    removed.and_then(|()| directory_operations::sync(paths.root())).inspect_err(|_| {
        let _ = fs::create_dir(target);
        restore_files(hidden, target);
        let _ = directory_operations::sync(target).and_then(|()| directory_operations::sync(paths.root()));
    })
}

/// The files of a directory with their bytes; `None` for the bytes of a file that cannot be read.
fn contents(directory: &Path) -> Result<BTreeMap<String, Option<Vec<u8>>>, StoreError> {
    let names = directory_operations::names(directory)?.unwrap_or_default();
    let read = |name: &String| {
        checked_access::read(&directory.join(name), checked_access::FILE_BYTES_MAX).ok().map(|(bytes, _)| bytes)
    };
    Ok(names.into_iter().map(|name| (name.clone(), read(&name))).collect())
}

/// Moves files to names that do not exist.
fn restore_files(hidden: &Path, target: &Path) {
    for name in directory_operations::names(hidden).ok().flatten().unwrap_or_default() {
        let (from, to) = (hidden.join(&name), target.join(&name));
        // Unlike a rename, a link replaces nothing.
        if fs::hard_link(&from, &to).is_err() && !to.exists() {
            let _ = fs::rename(from, to);
        }
    }
    let _ = fs::remove_dir_all(hidden);
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

//! Hints about the store and its content.

use std::io::ErrorKind;
use std::path::Path;

use crate::drafts::docker_dir::StoreError;
use crate::model::DocumentError;
use crate::regular_file::innermost_existing;

/// Hints about a draft that cannot become a list.
pub(super) fn unpublishable_draft(error: &DocumentError) -> Vec<String> {
    let hint = match error {
        DocumentError::NoPlatform(image) => format!(
            "set them with annotate --os … --arch … LIST {image}, or in the file for apply, or publish an OCI index \
             with --type oci, where an artifact needs none"
        ),
        DocumentError::OciOnlyContent { .. } => "publish an OCI index with --type oci, which supports it".into(),
        DocumentError::DigestMismatch { .. } | DocumentError::SizeMismatch { .. } => {
            "the stored entry was changed from outside: remove the list with rm and create it again".into()
        }
        _ => return Vec::new(),
    };
    vec![hint]
}

/// Hints about errors of the store.
pub(super) fn store_error(error: &StoreError) -> Vec<String> {
    let hint = match error {
        StoreError::InvalidEntry { path, .. } => {
            format!("fix or delete {}, then add the image again with create --amend", path.display())
        }
        StoreError::LocksUnsupported { .. } => {
            "keep drafts on a local disk: set DOCKER_CONFIG, or --config, to a directory there".into()
        }
        StoreError::NameTaken { existing, .. } => {
            format!("finish {existing} first, with push --purge or rm, or choose another name")
        }
        StoreError::FileTaken { .. } => "put them into two lists, or name one of them by its digest".into(),
        StoreError::NewerFormat { .. } => "use the version of docker-manifest that wrote it, or a later one".into(),
        StoreError::InvalidSidecar { path, .. } => {
            format!(
                "fix {0}, or delete it and lose what only it contains: the list's name and its annotations",
                path.display()
            )
        }
        StoreError::UnmatchedSidecar { path, .. } => format!(
            "docker has created the draft again, or it is a copy that docker has changed: delete {} to continue \
             without its content, or create the draft again with create --replace",
            path.display()
        ),
        StoreError::LockFileDenied { path, .. } => {
            format!("make it yours: sudo chown \"$USER\" {}", path.display())
        }
        StoreError::LockHeld { holder: Some(process), .. } => {
            format!("check what process {process} is doing, or wait longer with --timeout")
        }
        StoreError::LockHeld { holder: None, .. } => "wait longer with --timeout".into(),
        StoreError::NotAnEntry { path } => format!("check what {} is, and move it away", path.display()),
        StoreError::UnexpectedFileKind { path, .. }
        | StoreError::TooLarge { path, .. }
        | StoreError::TooManyFiles { path, .. } => {
            format!("docker-manifest did not put it there; check what {} is, and move it away", path.display())
        }
        StoreError::ForeignOwner { path, .. } => {
            format!("if you trust what is in it, make it yours: chown -R \"$USER\" {}", path.display())
        }
        StoreError::ImpossibleName { .. } => "it is no draft: move the directory out of the store".into(),
        StoreError::Io { source, path, .. } => match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "drafts are kept where docker's configuration is: make that writable, or set DOCKER_CONFIG, or \
                 --config, to a directory that is"
                    .into()
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => match blocking_file(path) {
                Some(file) => format!(
                    "{} is not a directory: drafts are kept where docker's configuration is; set DOCKER_CONFIG, or \
                     --config, to a directory",
                    file.display()
                ),
                None => return Vec::new(),
            },
            _ => return Vec::new(),
        },
    };
    vec![hint]
}

/// The file in the place of a directory that a path leads through.
fn blocking_file(path: &Path) -> Option<&Path> {
    innermost_existing(path).filter(|path| !path.is_dir())
}

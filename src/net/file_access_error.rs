//! Words the error for a file that cannot be read, with the owner who can change that.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::io_message::io_message;
use crate::regular_file::innermost_existing;

/// The error. If a permission is missing, it names the owner of the file or directory that denies access. If a file is
/// in the place of a directory, it names the file.
pub(crate) fn describe(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => {}
        ErrorKind::NotADirectory => {
            return format!("{} is not a directory", innermost_existing(path).unwrap_or(path).display());
        }
        _ => return io_message(error),
    }
    // The last path that exists is the one that cannot be read or entered.
    let denied_path = path.ancestors().find_map(|path| Some((path, owner(path)?)));
    match denied_path {
        Some((path, owner)) => format!("permission denied: {} belongs to {owner}", path.display()),
        None => "permission denied".to_owned(),
    }
}

#[cfg(unix)]
fn owner(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata(path).ok()?.uid() {
        0 => Some("root".to_owned()),
        uid => Some(format!("the user with the ID {uid}")),
    }
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_permission_errors_name_an_owner() {
        let path = Path::new("/etc/passwd/none");
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        assert_eq!(describe(path, &denied), "permission denied: /etc/passwd belongs to root");
        let no_directory = io::Error::from(ErrorKind::NotADirectory);
        assert_eq!(describe(path, &no_directory), "/etc/passwd is not a directory");
        let missing = io::Error::from(ErrorKind::NotFound);
        assert_eq!(describe(path, &missing), missing.to_string());
    }
}

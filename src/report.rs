//! Any failure as a user reads it: docker's line first where docker has one, then what lies behind it, then what to do.
//!
//! The only place that knows every error, and the only one that gives advice.

use std::io::ErrorKind;
use std::path::Path;

use crate::args::ArgsError;
use crate::commands::CommandError;
use crate::document::DocumentError;
use crate::registry::{Kind, RegistryError};
use crate::store::StoreError;

/// What to print on stderr and what to exit with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The whole text without the newline at its end.
    pub text: String,
    /// Docker's exit code.
    pub exit_code: u8,
}

/// Docker's exit code for every failure but a malformed command line.
const FAILURE: u8 = 1;

/// A command line that cannot be run: the line, the usage, and where to read more, as docker prints them.
pub fn arguments(error: &ArgsError) -> Report {
    let blocks = [Some(error.to_string()), error.usage(), error.hint()];
    let text = blocks.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    Report { text, exit_code: error.exit_code() }
}

/// A verb that failed.
///
/// `certificates` is the folder that certificates for registries are read from.
pub fn command(error: &CommandError, certificates: &Path) -> Report {
    let mut lines = Vec::new();
    let mut advice: Vec<String> = Vec::new();
    for error in error.each() {
        lines.push(error.to_string());
        lines.extend(cause(error));
        for hint in hints(error, certificates) {
            // Each hint once, however many failures it is for.
            if !advice.contains(&hint) {
                advice.push(hint);
            }
        }
    }
    lines.extend(advice.into_iter().map(|hint| format!("hint: {hint}")));
    Report { text: lines.join("\n"), exit_code: FAILURE }
}

/// What docker's line leaves out.
fn cause(error: &CommandError) -> Option<String> {
    match error {
        CommandError::Put { source, .. }
        | CommandError::Mount { source, .. }
        | CommandError::NotServed { source, .. } => request(source),
        CommandError::Registry(source) => request(source),
        CommandError::NotVerified { source, .. } => Some(format!("  {source}")),
        CommandError::Served { reference, .. } => Some(format!("  in what the registry serves for {reference}")),
        _ => None,
    }
}

fn request(error: &RegistryError) -> Option<String> {
    let request = error.request.as_ref()?;
    Some(match error.status {
        Some(status) => format!("  {request} was answered with status {status}"),
        None => format!("  at {request}"),
    })
}

fn hints(error: &CommandError, certificates: &Path) -> Vec<String> {
    match error {
        CommandError::Exists { list } => {
            vec![format!("{list} is a draft already: add --amend to add to it, or remove it first with rm")]
        }
        CommandError::NotInList { list, drafted: true, .. } => vec![format!("inspect {list} shows what is in it")],
        CommandError::NotInList { list, drafted: false, .. } => {
            vec![format!("there is no draft {list}: make it with create first")]
        }
        CommandError::Platform { .. } => {
            vec!["use a pair of names that Go has, for example: --os linux --arch amd64".to_owned()]
        }
        CommandError::NotStored(_) | CommandError::Empty(_) => {
            vec!["a draft is made with create, and lives until rm or push --purge".to_owned()]
        }
        CommandError::IsList(reference) => {
            vec![format!("inspect {reference} shows its images: name them, as REPOSITORY@DIGEST")]
        }
        CommandError::NotMounted { .. } => vec![
            "the blob is not in the source repository, or the registry does not mount across repositories: push the \
             image to the list's own repository first"
                .to_owned(),
        ],
        CommandError::Preview(source) => draft_hints(source),
        CommandError::Draft(source) => draft_hints(source),
        CommandError::Served { .. } => Vec::new(),
        CommandError::Store(source) => store_hints(source),
        CommandError::NotServed { source, .. } => registry_hints(source, certificates),
        CommandError::Put { source, .. } | CommandError::Mount { source, .. } => registry_hints(source, certificates),
        CommandError::Registry(source) | CommandError::NotVerified { source, .. } => {
            registry_hints(source, certificates)
        }
        CommandError::Output(_) => {
            vec!["what the command changes is changed; only the telling of it failed".to_owned()]
        }
        _ => Vec::new(),
    }
}

fn draft_hints(error: &DocumentError) -> Vec<String> {
    let hint = match error {
        DocumentError::NoPlatform(image) => format!(
            "set them with annotate --os … --arch … LIST {image}, or publish an OCI index with --type oci, where an \
             artifact needs none"
        ),
        DocumentError::BeyondDocker { .. } => "publish an OCI index with --type oci, which has".to_owned(),
        DocumentError::Mismatch { .. } | DocumentError::Length { .. } => {
            "the stored entry was changed from outside: remove the list with rm and create it again".to_owned()
        }
        DocumentError::KeyTaken { .. } => "put them into two lists, or name one of them by its digest".to_owned(),
        _ => return Vec::new(),
    };
    vec![hint]
}

fn store_hints(error: &StoreError) -> Vec<String> {
    let hint = match error {
        StoreError::Entry { path, .. } => {
            format!("mend or delete {}, then add the image again with create --amend", path.display())
        }
        StoreError::NoLocks { .. } => {
            "keep drafts on a local disk: set DOCKER_CONFIG, or --config, to a directory there".to_owned()
        }
        StoreError::NameTaken { holder, .. } => {
            format!("finish {holder} first, with push --purge or rm, or choose another name")
        }
        StoreError::NewerFormat { .. } => "use the version of docker-manifest that wrote it, or a later one".to_owned(),
        StoreError::Busy { .. } => "run the command again when docker is done".to_owned(),
        StoreError::Io { source, .. } => match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "drafts are kept where docker's configuration is: make that writable, or set DOCKER_CONFIG, or --config, \
                 to a directory that is"
                    .to_owned()
            }
            _ => return Vec::new(),
        },
    };
    vec![hint]
}

fn registry_hints(error: &RegistryError, certificates: &Path) -> Vec<String> {
    let registry = &error.registry;
    let folder = certificates.join(registry);
    let folder = folder.display();
    let hint = match error.kind {
        Kind::NotFound => return Vec::new(),
        Kind::Unauthorized => format!("log in with: docker login {registry}"),
        Kind::LoginRefused => format!("log in again with: docker login {registry}"),
        Kind::Forbidden => {
            format!("the account that is logged in may not do this; see who it is with: docker login {registry}")
        }
        Kind::RateLimited => "wait before trying again; a login usually raises the limit".to_owned(),
        Kind::PlainHttp => "add --insecure if you trust the network between here and there".to_owned(),
        Kind::Certificate => {
            format!("put the authority's certificate into {folder}/ca.crt, or add --insecure to skip the check")
        }
        Kind::CertificateUnfit => {
            "call the registry by a name that its certificate is for, have the certificate renewed, or add --insecure to \
             skip the check"
                .to_owned()
        }
        Kind::ClientCertificate => {
            format!("put the pair into {folder}/ as client.cert and client.key")
        }
        Kind::Resolve => "check the name for typing errors, and the network".to_owned(),
        Kind::Connect | Kind::Timeout => format!("check that {registry} is up and that this machine may reach it"),
        Kind::Proxy => "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY".to_owned(),
        Kind::Credentials => format!("mend it, or log in again with: docker login {registry}"),
        Kind::Verification => {
            "somebody between here and the registry changes what is served, or the registry is broken; nothing was kept"
                .to_owned()
        }
        Kind::Server => "the registry is at fault; trying again later may help".to_owned(),
        Kind::TlsFiles | Kind::Refused | Kind::Protocol => return Vec::new(),
    };
    vec![hint]
}

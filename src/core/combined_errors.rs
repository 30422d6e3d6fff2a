//! Joins several errors and reports each cause once.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use crate::core::blob_error::BlobStep;
use crate::core::error::CommandError;
use crate::net::{RegistryError, RegistryErrorKind, tasks};

impl CommandError {
    /// Joins errors into one. A single error stays itself. `errors` is never empty. An error that concerns a whole
    /// registry or repository is reported once, with the first request that met it.
    pub(crate) fn combine(mut errors: Vec<CommandError>) -> CommandError {
        let mut seen = BTreeSet::new();
        errors.retain(|error| error.deduplication_key().is_none_or(|scope| seen.insert(scope)));
        match errors.pop() {
            Some(only) if errors.is_empty() => only,
            last => CommandError::Several(errors.into_iter().chain(last).collect()),
        }
    }

    /// Fails with these errors, if there are any.
    pub(crate) fn fail_if_any(errors: Vec<CommandError>) -> Result<(), CommandError> {
        if errors.is_empty() { Ok(()) } else { Err(CommandError::combine(errors)) }
    }

    /// All values, or all errors.
    pub(crate) fn collect<T>(
        results: impl IntoIterator<Item = Result<T, CommandError>>,
    ) -> Result<Vec<T>, CommandError> {
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for result in results {
            result.map_or_else(|error| errors.push(error), |value| values.push(value));
        }
        CommandError::fail_if_any(errors)?;
        Ok(values)
    }

    /// Runs `work` on the items in parallel, as [`tasks::run_parallel`]. All values, or all errors.
    pub(crate) fn collect_parallel<T: Sync, R: Send>(
        jobs: NonZeroUsize,
        items: &[T],
        work: impl Fn(&T) -> Result<R, CommandError> + Sync,
    ) -> Result<Vec<R>, CommandError> {
        tasks::run_parallel(jobs, items, work).map_err(CommandError::combine)
    }

    /// The kind, and the registry or repository, of an error that every other request there would get.
    fn deduplication_key(&self) -> Option<(RegistryErrorKind, String)> {
        let source: &RegistryError = match self {
            CommandError::Registry(source) | CommandError::Put { source, .. } => source,
            CommandError::Blob(error) if error.step != BlobStep::NotMounted => &error.source,
            _ => return None,
        };
        let scope = match source.kind {
            // A token server that refuses anonymous tokens does so for every repository.
            RegistryErrorKind::Unauthorized if source.request.as_ref()?.repository.is_none() => source.registry.clone(),
            RegistryErrorKind::Unauthorized | RegistryErrorKind::Forbidden => {
                format!("{}/{}", source.registry, source.request.as_ref()?.repository.as_ref()?)
            }
            // A login belongs to the registry, whatever was requested with it.
            RegistryErrorKind::LoginRefused
            | RegistryErrorKind::CommandLineLoginRefused
            | RegistryErrorKind::Connect
            | RegistryErrorKind::HostNotFound
            | RegistryErrorKind::Proxy
            | RegistryErrorKind::PlainHttp
            | RegistryErrorKind::CertificateUntrusted
            | RegistryErrorKind::CertificateInvalid
            | RegistryErrorKind::ClientCertificate
            | RegistryErrorKind::TlsFiles
            | RegistryErrorKind::Credentials
            | RegistryErrorKind::RateLimited => {
                let named = source.contacted_server().filter(|server| server.is_named_in_response());
                named.map_or(&source.registry, |server| &server.origin).clone()
            }
            _ => return None,
        };
        Some((source.kind, scope))
    }

    /// The errors that this one consists of, in their order.
    pub fn each(&self) -> &[CommandError] {
        match self {
            CommandError::Several(errors) => errors,
            single => std::slice::from_ref(single),
        }
    }
}

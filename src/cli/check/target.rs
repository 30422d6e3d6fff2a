//! The registry as typed, and the two repositories that are used in it.

use crate::core::error::CommandError;
use crate::reference::{Reference, Repository};

/// The repository if only a registry is named.
const REPOSITORY: &str = "docker-manifest-check";

/// The suffix of the second repository.
const MOUNT_SUFFIX: &str = "-mount";

/// The two repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetRepositories {
    /// The repository that everything is pushed to. The tag has no meaning.
    main: Reference,
    /// The repository that a blob of the first is mounted into.
    mount_target: Reference,
}

impl TargetRepositories {
    /// Reads `REGISTRY` or `REGISTRY/REPOSITORY`.
    ///
    /// # Errors
    /// [`CommandError::InvalidCheckTarget`] for anything else, for example a tag or a digest.
    pub(crate) fn parse(typed: &str) -> Result<TargetRepositories, CommandError> {
        let invalid =
            |reason: &str| CommandError::InvalidCheckTarget { typed: typed.to_owned(), reason: reason.to_owned() };
        if typed.contains("://") {
            return Err(invalid("leave the scheme out"));
        }
        let name = typed.strip_suffix('/').unwrap_or(typed);
        let name = if name.contains('/') { name.to_owned() } else { format!("{name}/{REPOSITORY}") };
        let untagged = |name: &str| {
            let reference = Reference::parse(name).map_err(|error| invalid(&error.to_string()))?;
            let is_bare = Reference::parse(&format!("{name}:latest")).is_ok_and(|tagged| tagged == reference);
            if is_bare { Ok(reference) } else { Err(invalid("a repository has neither a tag nor a digest")) }
        };
        let (main, mount_target) = (untagged(&name)?, untagged(&format!("{name}{MOUNT_SUFFIX}"))?);
        // `example` alone names a repository of Docker Hub, as in every reference.
        if !typed.contains('/') && main.repository().domain() != typed {
            return Err(invalid("a registry's name has a dot or a port, or is localhost"));
        }
        if main.repository().domain() == "docker.io" && main.repository().path().starts_with("library/") {
            return Err(invalid("docker.io's own images cannot be pushed to: name a repository, docker.io/USER/NAME"));
        }
        Ok(TargetRepositories { main, mount_target })
    }

    /// The repository that everything is pushed to.
    pub(crate) fn main(&self) -> &Repository {
        self.main.repository()
    }

    /// The repository that a blob is mounted into.
    pub(crate) fn mount_target(&self) -> &Repository {
        self.mount_target.repository()
    }

    /// A reference in the first repository, from which others are derived.
    pub(crate) fn reference(&self) -> &Reference {
        &self.main
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_of_a_registry_uses_a_default_repository() {
        for (typed, main) in [
            ("localhost:5000", "localhost:5000/docker-manifest-check"),
            ("localhost", "localhost/docker-manifest-check"),
            ("h.example/", "h.example/docker-manifest-check"),
            ("[::1]:5000", "[::1]:5000/docker-manifest-check"),
            ("h.example/team/scratch", "h.example/team/scratch"),
            ("docker.io/me/scratch", "docker.io/me/scratch"),
            ("me/scratch", "docker.io/me/scratch"),
        ] {
            let target = TargetRepositories::parse(typed).unwrap();
            assert_eq!(target.main().to_string(), main, "{typed}");
            assert_eq!(target.mount_target().to_string(), format!("{main}-mount"), "{typed}");
        }
    }

    #[test]
    fn invalid_check_targets_are_refused_with_a_reason() {
        let digest = format!("h.example/a@sha256:{}", "ab".repeat(32));
        for (typed, reason) in [
            ("https://h.example", "leave the scheme out"),
            ("example", "a registry's name has a dot or a port, or is localhost"),
            ("docker.io", "docker.io's own images cannot be pushed to: name a repository, docker.io/USER/NAME"),
            ("h.example/a:1", "a repository has neither a tag nor a digest"),
            (&digest, "a repository has neither a tag nor a digest"),
            ("h.example/A", "invalid reference format: repository name (A) must be lowercase"),
            ("h.example/a b", "invalid reference format"),
            ("h.example/a//b", "invalid reference format"),
        ] {
            let error = TargetRepositories::parse(typed).unwrap_err().to_string();
            assert_eq!(error, format!("cannot check {typed:?}: {reason}"));
        }
    }
}

//! What help and manual pages list besides commands and flags: groups of commands, exit codes, the environment, files.

/// The commands by what they are for. A test checks that each has its place.
pub(super) const COMMAND_GROUPS: &[(&str, &[&str])] = &[
    ("Drafts", &["create", "add", "annotate", "remove", "ls", "exists", "rm", "prune"]),
    ("Publishing", &["push", "copy", "apply", "export"]),
    ("Inspecting", &["inspect", "platforms"]),
    ("Registries", &["check"]),
    ("This program", &["shim", "shell-init", "completion", "man", "version"]),
];

/// Exit codes, and when they are given.
pub(super) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "Success, or help was requested"),
    ("1", "Failure; the first line of stderr names it, lines with \"hint:\" say what to do"),
    ("3", "--require or --exact is not met, or entries of a shared draft are missing; nothing was sent"),
    ("4", "add, remove or annotate with --push: another client has changed the list meanwhile"),
    ("125", "A flag is unknown or malformed"),
    ("130", "Interrupted"),
];

/// Environment variables, and their effect.
pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    ("DOCKER_CONFIG", "Docker's configuration directory, instead of ~/.docker; --config wins"),
    ("DOCKER_AUTH_CONFIG", "Logins in the form of docker's config.json"),
    ("DOCKER_MANIFEST_JOBS", "Default of --jobs"),
    ("DOCKER_MANIFEST_RETRIES", "Default of --retries"),
    ("DOCKER_MANIFEST_RUN", "Default of --run"),
    ("DOCKER_MANIFEST_TIMEOUT", "Default of --timeout"),
    ("DOCKER_MANIFEST_REMEMBER_TOKEN_SERVERS", "\"off\" keeps no list of the token servers that registries named"),
    ("HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "Proxies, by the rules of Go's programs; lower case too"),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "Certificate authorities, instead of the system's"),
    ("NO_COLOR, TERM", "No colour and no progress bars if NO_COLOR is set or TERM is \"dumb\""),
];

/// Files and directories, and what they hold.
pub(super) const FILES: &[(&str, &str)] = &[
    ("~/.docker/manifests", "Drafts, in docker's own format"),
    ("~/.docker/config.json", "Logins and credential helpers; only read"),
    ("/etc/docker/certs.d/HOST[:PORT]/", "Certificate authorities and client certificates; only read"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The first column of a table in a document.
    fn first_column(page: &str) -> Vec<String> {
        let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        rows.skip(2).map(|cell| cell.replace('`', "")).collect()
    }

    #[test]
    fn documents_list_all_exit_codes_and_environment_variables() {
        let codes: Vec<String> = EXIT_CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
        assert_eq!(first_column(include_str!("../../../docs/exit-codes.md")), codes);
        let documented = first_column(include_str!("../../../docs/environment.md")).join(", ");
        for name in ENVIRONMENT.iter().flat_map(|(names, _)| names.split(", ")) {
            assert!(
                documented.split(", ").any(|documented_name| documented_name == name),
                "{name} is not in docs/environment.md"
            );
        }
    }
}

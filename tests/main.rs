//! The whole program, run as its users run it: one binary, a module per command or concern.

mod cases {
    /// The program under test.
    const OURS: &str = env!("CARGO_BIN_EXE_docker-manifest");

    /// The flags that docker's commands do not have, by command; comparisons with docker leave them out.
    const FLAGS_DOCKER_LACKS: &[(&str, &[&str])] = &[
        (
            "annotate",
            &[
                "--annotation",
                "--artifact-type",
                "--by-digest",
                "--digest-file",
                "--dry-run",
                "--exact",
                "--features",
                "--force",
                "--format",
                "--insecure",
                "--jobs",
                "--metadata-file",
                "--password-stdin",
                "--push",
                "--quiet",
                "--referrer-type",
                "--referrers",
                "--require",
                "--retries",
                "--strict",
                "--subject",
                "--tag",
                "--timeout",
                "--to",
                "--type",
                "--unset-annotation",
                "--unset-subject",
                "--username",
                "--verbose",
                "--verify",
                "-q",
                "-t",
            ],
        ),
        (
            "create",
            &[
                "--annotation",
                "--attestations",
                "--by-digest",
                "--digest-file",
                "--dry-run",
                "--empty",
                "--exact",
                "--format",
                "--from",
                "--jobs",
                "--metadata-file",
                "--offline",
                "--password-stdin",
                "--platform",
                "--prefer-index",
                "--purge",
                "--push",
                "--quiet",
                "--referrer-type",
                "--referrers",
                "--replace",
                "--repository",
                "--require",
                "--retries",
                "--strict",
                "--subject",
                "--tag",
                "--target",
                "--timeout",
                "--to",
                "--type",
                "--username",
                "--verbose",
                "--verify",
                "-q",
                "-t",
            ],
        ),
        (
            "inspect",
            &[
                "--check",
                "--format",
                "--jobs",
                "--local",
                "--password-stdin",
                "--platform",
                "--raw",
                "--referrers",
                "--remote",
                "--require",
                "--retries",
                "--run",
                "--shared",
                "--timeout",
                "--username",
            ],
        ),
        (
            "push",
            &[
                "--annotation",
                "--by-digest",
                "--digest-file",
                "--dry-run",
                "--entry",
                "--exact",
                "--format",
                "--fresh",
                "--if-complete",
                "--jobs",
                "--metadata-file",
                "--only-from",
                "--password-stdin",
                "--prefer-index",
                "--quiet",
                "--referrer-type",
                "--referrers",
                "--require",
                "--retries",
                "--run",
                "--shared",
                "--strict",
                "--subject",
                "--tag",
                "--timeout",
                "--to",
                "--type",
                "--username",
                "--verbose",
                "--verify",
                "--wait",
                "-q",
                "-t",
            ],
        ),
        ("rm", &["--all", "--timeout"]),
    ];

    /// The commands that docker does not have.
    const OWN_VERBS: &[&str] = &[
        "add",
        "apply",
        "check",
        "completion",
        "copy",
        "exists",
        "export",
        "ls",
        "man",
        "platforms",
        "prune",
        "remove",
        "shell-init",
        "shim",
        "version",
    ];

    /// Whether docker's command `verb` does not have this flag, and ours does.
    fn is_flag_docker_lacks(verb: &str, flag: &str) -> bool {
        FLAGS_DOCKER_LACKS.iter().any(|(name, flags)| *name == verb && flags.contains(&flag))
    }

    mod account_lockout;
    mod ambiguous_documents;
    mod apply;
    mod args;
    mod attestation_referrers;
    mod auth;
    mod blob_copies;
    mod check;
    mod ci_formats;
    mod ci_recipes;
    mod client;
    mod client_faults;
    mod client_fixture;
    mod client_tls;
    mod color;
    mod completion;
    mod concurrency;
    mod copy_referrers;
    mod damaged_entries;
    mod dependencies;
    mod direct_push;
    mod docker_on_extended_drafts;
    mod docs;
    mod draft_stores;
    mod drafts;
    mod entry_selectors;
    mod error_data;
    mod fake_clocks;
    mod fixture;
    mod from_files;
    mod full_disk;
    mod habits;
    mod hints;
    mod hostile_input;
    mod hostile_store;
    mod hostile_strings;
    #[path = "../common/in_process.rs"]
    mod in_process;
    mod index_sources;
    mod inspect_check;
    mod inspect_flags;
    mod inspect_referrers;
    mod json_output;
    mod layout_details;
    mod layout_fixture;
    mod layout_referrers;
    mod layout_sources;
    mod layouts;
    mod list_level_flags;
    mod locks;
    mod login_failures;
    mod manifest_tool;
    mod migration_docs;
    mod non_utf8_paths;
    mod os_error_messages;
    mod overlayfs;
    mod packaging;
    mod platforms;
    mod plugin;
    mod preserved_content;
    mod push;
    mod rate_limits;
    mod real_fixture;
    mod remote_digest;
    mod request_counts;
    mod retries;
    mod secrets;
    mod shared_drafts;
    mod shell_init;
    mod shim;
    mod templates;
    mod tls;
    mod tls_beside_docker;
    mod tool_specs;
    mod two_registry_fixture;
}

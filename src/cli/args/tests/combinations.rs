//! The flags that docker does not have: their values, which go together, and what a slip of the finger is answered.

use crate::core::image_filters::PlatformFilter;
use crate::core::list_metadata::AnnotationArg;
use crate::model::spec::AttestationsPolicy;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::cli::report;
use crate::model::index::ListFormat;

fn push(line: &[&str]) -> Push {
    match run_command(line) {
        Command::Push(push) => push,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn apply(line: &[&str]) -> Apply {
    match run_command(line) {
        Command::Apply(apply) => apply,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn platform_names(platforms: &[PlatformFilter]) -> Vec<&str> {
    platforms.iter().map(|platform| platform.text.as_str()).collect()
}

#[test]
fn list_flags_are_csv_and_add_up_and_other_repeated_flags_are_kept_verbatim() {
    let pushed =
        push(&["push", "-t", "a,b", "l", "--tag=c", "--require", "linux/amd64,linux/aarch64", "--require=linux/arm"]);
    assert_eq!(pushed.publish.tags, ["a", "b", "c"].map(|tag| TagArg::Tag(tag.into())));
    let references = push(&["push", "-t", "\nh.x/app:1.2\nh.x/app:1\n", "l"]).publish.tags;
    assert_eq!(references, ["h.x/app:1.2", "h.x/app:1"].map(|typed| TagArg::parse(typed).unwrap()));
    assert_eq!(platform_names(&pushed.publish.require), ["linux/amd64", "linux/aarch64", "linux/arm"]);
    assert_eq!(pushed.publish.require[1].parsed.to_string(), "linux/arm64");
    let annotated = annotate(&["annotate", "--annotation", "a=b,c=d", "l", "--annotation=e=", "i", "--features=x,y"]);
    assert_eq!(annotated.entry.annotations, ["a=b,c=d", "e="].map(|typed| AnnotationArg::parse(typed).unwrap()));
    assert_eq!(annotated.entry.features, ["x", "y"]);
    let applied = apply(&["apply", "-f", "a,b.yaml", "--file=-"]);
    assert_eq!(applied.file, [PathBuf::from("a,b.yaml"), PathBuf::from("-")]);
}

#[test]
fn flag_values_have_types_and_defaults() {
    let plain = push(&["push", "l"]);
    assert_eq!((plain.publish, plain.network, plain.purge), (PublishFlags::default(), NetworkFlags::default(), false));
    let full = push(&[
        "push",
        "-qp",
        "--type",
        "oci",
        "--retries=0",
        "--timeout",
        "1m30s",
        "--format=json",
        "--digest-file",
        "d",
        "--metadata-file=m",
        "--strict",
        "--dry-run",
        "--exact",
        "--require=linux/386",
        "l",
        "--username",
        "me",
        "--password-stdin",
    ]);
    assert_eq!(full.publish.list_format, ListFormat::Oci);
    assert_eq!(full.publish.format, Some(PublishFormat::Json));
    assert_eq!(full.publish.digest_file, Some(PathBuf::from("d")));
    assert_eq!(full.publish.metadata_file, Some(PathBuf::from("m")));
    assert!(full.purge && full.publish.quiet && full.publish.exact && full.publish.strict && full.publish.dry_run);
    assert_eq!((full.network.retries, full.network.timeout), (Some(0), Some(Duration::from_secs(90))));
    assert_eq!((full.network.username.as_deref(), full.network.password_stdin), (Some("me"), true));
    let Command::Create(create) =
        run_command(&["create", "l", "i", "--attestations=drop", "--platform", "linux/arm/7"])
    else {
        panic!("not create")
    };
    assert_eq!(create.image_flags.source_filter.attestations, Some(AttestationsPolicy::Drop));
    assert_eq!(create.image_flags.source_filter.platforms[0].parsed.variant, "v7");
    let Command::Prune(prune) = run_command(&["prune", "--older-than", "30d"]) else { panic!("not prune") };
    assert_eq!(prune.older_than, Some(Duration::from_secs(30 * 24 * 60 * 60)));
    let Command::Ls(ls) = run_command(&["ls"]) else { panic!("not ls") };
    assert_eq!(
        ls,
        Ls { list: None, quiet: false, format: RowsFormat::Table, shared: false, network: NetworkFlags::default() }
    );
    let Command::Inspect(inspect) =
        run_command(&["inspect", "--format=tree", "--platform=linux/arm64", "--raw=0", "i"])
    else {
        panic!("not inspect")
    };
    assert_eq!((inspect.format, inspect.raw), (Some(InspectOutput::Format(InspectFormat::Tree)), false));
}

#[test]
fn invalid_flag_values_are_refused_and_the_valid_ones_named() {
    let cases: [(&[&str], &str); 14] = [
        (&["push", "--type=x", "l"], "\"x\" for \"--type\" flag: must be one of auto, docker, oci"),
        (&["push", "--type=", "l"], "\"\" for \"--type\" flag: must be one of auto, docker, oci"),
        (&["push", "--type=OCI", "l"], "\"OCI\" for \"--type\" flag: must be one of auto, docker, oci"),
        (&["create", "--attestations=all", "l", "i"], "\"all\" for \"--attestations\" flag: must be one of keep, drop"),
        (&["ls", "--format=yaml"], "\"yaml\" for \"--format\" flag: must be one of table, json"),
        (
            &["push", "--require=linux/amd64,linux/amr64", "l"],
            "\"linux/amr64\" for \"--require\" flag: unknown architecture \"amr64\", did you mean 'linux/arm64'?",
        ),
        (
            &["create", "--platform", "arm64", "l", "i"],
            "\"arm64\" for \"--platform\" flag: \"arm64\" is not OS/ARCH or OS/ARCH/VARIANT, did you mean \
             'linux/arm64'?",
        ),
        (
            &["push", "-t", "x/y", "l"],
            "\"x/y\" for \"-t, --tag\" flag: a reference must have a tag, as in registry.example.com/app:1",
        ),
        (&["push", "--timeout=0", "l"], "\"0\" for \"--timeout\" flag: not a time above zero like 30s, 5m or 1h30m"),
        (&["push", "--retries=-1", "l"], "\"-1\" for \"--retries\" flag: not a whole number"),
        (
            &["prune", "--older-than=30"],
            "\"30\" for \"--older-than\" flag: not a time like 12h, 30d or 2w; did you mean 30d?",
        ),
        (&["annotate", "l", "--annotation", "x"], "\"x\" for \"--annotation\" flag: not KEY=VALUE"),
        (&["push", "--digest-file=", "l"], "\"\" for \"--digest-file\" flag: must not be empty"),
        (&["push", "--exact=x", "l"], "\"x\" for \"--exact\" flag: strconv.ParseBool: parsing \"x\": invalid syntax"),
    ];
    for (line, expected) in cases {
        let error = parse_error(line);
        assert_eq!(error.to_string(), format!("invalid argument {expected}"), "{line:?}");
        assert_eq!(error.exit_code(), 125, "{line:?}");
    }
}

#[test]
fn conflicting_flags_are_refused() {
    let cases: [(&[&str], &str); 60] = [
        (&["create", "--amend", "--replace", "l", "i"], "conflicting flags: --amend and --replace"),
        (&["create", "--offline", "--replace", "l", "i"], "conflicting flags: --offline and --replace"),
        (&["create", "--offline", "l", "i"], "missing argument: --offline needs --amend"),
        (&["create", "--empty", "--amend", "l"], "conflicting flags: --empty and --amend"),
        (&["create", "--push", "--amend", "l", "i"], "conflicting flags: --amend and --push"),
        (&["create", "--push", "--replace", "l", "i"], "conflicting flags: --replace and --push"),
        (&["create", "--push", "--empty", "l"], "conflicting flags: --empty and --push"),
        (&["create", "-t", "1", "l", "i"], "missing argument: --tag needs --push"),
        (&["create", "--dry-run", "l", "i"], "missing argument: --dry-run needs --push"),
        (&["create", "--format=github", "l", "i"], "missing argument: --format needs --push"),
        (&["add", "--format=json", "l", "i"], "missing argument: --format needs --push"),
        (&["add", "--type=oci", "--push=false", "l", "i"], "missing argument: --type needs --push"),
        (&["remove", "--require=linux/386", "l", "i"], "missing argument: --require needs --push"),
        (&["remove", "--insecure", "l", "i"], "missing argument: --insecure needs --push"),
        (&["annotate", "-q", "l", "i"], "missing argument: --quiet needs --push"),
        (&["annotate", "--jobs=3", "l", "i"], "missing argument: --jobs needs --push"),
        (&["create", "--empty", "l", "i"], "conflicting flags: --empty and MANIFEST"),
        (&["create", "--empty", "--from=d", "l"], "conflicting flags: --empty and --from"),
        (&["create", "--repository=r.x/a", "l", "i"], "missing argument: --repository needs --from"),
        (&["create", "--target=web", "l", "i"], "missing argument: --target needs --from"),
        (&["add", "--target=web", "l", "i"], "missing argument: --target needs --from"),
        (&["create", "--from=-", "l", "--from=-"], "conflicting flags: --from - and --from -"),
        (&["apply", "-f", "-", "--from=-"], "conflicting flags: --file - and --from -"),
        (
            &["add", "--from=-", "--username=me", "--password-stdin", "l"],
            "conflicting flags: --from - and --password-stdin",
        ),
        (&["apply", "--from=d"], "missing argument: --from needs --target, or --file"),
        (&["apply", "--from=d", "--from-target=web"], "missing argument: --from needs --target, or --file"),
        (&["apply", "-f", "x", "--from-target=web"], "missing argument: --from-target needs --from"),
        (
            &["annotate", "l", "i", "--annotation", "a=b", "--annotation=k=v", "--unset-annotation", "k"],
            "conflicting flags: --annotation k and --unset-annotation k",
        ),
        (
            &["add", "l", "i", "--annotation", "k=v", "--unset-annotation", "k"],
            "conflicting flags: --annotation k and --unset-annotation k",
        ),
        (
            &["push", "--digest-file=f", "--metadata-file", "./f", "l"],
            "conflicting flags: --digest-file f and --metadata-file ./f",
        ),
        (
            &["apply", "-f", "x", "--digest-file=/a//f", "--metadata-file", "/a/f"],
            "conflicting flags: --digest-file /a//f and --metadata-file /a/f",
        ),
        (&["ls", "-q", "--format", "json"], "conflicting flags: --quiet and --format json"),
        (&["apply", "-f", "-", "--file=-"], "conflicting flags: --file - and --file -"),
        (&["export", "--local", "--remote", "i"], "conflicting flags: --local and --remote"),
        (&["inspect", "--local", "i", "--remote"], "conflicting flags: --local and --remote"),
        (&["export", "--remote", "--local", "i"], "conflicting flags: --local and --remote"),
        (&["inspect", "--raw", "-v", "i"], "conflicting flags: --raw and --verbose"),
        (&["inspect", "--check", "--raw", "i"], "conflicting flags: --check and --raw"),
        (&["inspect", "--check", "i", "--local"], "conflicting flags: --check and --local"),
        (&["inspect", "--referrers", "i", "--shared"], "conflicting flags: --referrers and --shared"),
        (&["inspect", "--referrers", "l", "i"], "conflicting flags: --referrers and MANIFEST_LIST"),
        (&["inspect", "--check", "--platform=linux/arm64", "i"], "conflicting flags: --check and --platform"),
        (&["inspect", "--check", "l", "i"], "conflicting flags: --check and MANIFEST_LIST"),
        (&["inspect", "--raw", "--format=json", "i"], "conflicting flags: --raw and --format"),
        (&["push", "-q", "--verbose", "l"], "conflicting flags: --quiet and --verbose"),
        (&["rm", "--all", "l"], "conflicting flags: --all and MANIFEST_LIST"),
        (&["push", "--exact", "l"], "missing argument: --exact needs --require"),
        (&["push", "--username=me", "l"], "missing argument: --username needs --password-stdin"),
        (&["push", "--password-stdin", "l"], "missing argument: --password-stdin needs --username"),
        (&["apply"], "missing argument: apply needs --file, or --platforms with --template and --target"),
        (&["apply", "--dry-run"], "missing argument: apply needs --file, or --platforms with --template and --target"),
        (&["apply", "-f", "x", "--platforms=linux/386"], "conflicting flags: --file and --platforms"),
        (&["apply", "-f", "x", "--template=t"], "conflicting flags: --file and --template"),
        (&["apply", "-f", "x", "--target=t"], "conflicting flags: --file and --target"),
        (&["apply", "--platforms=linux/386", "--target=t"], "missing argument: --platforms needs --template"),
        (&["apply", "--platforms=linux/386", "--template=t"], "missing argument: --platforms needs --target"),
        (&["apply", "--target=t"], "missing argument: --target needs --platforms"),
        (
            &["apply", "-f", "-", "--username=me", "--password-stdin"],
            "conflicting flags: --file - and --password-stdin",
        ),
        (&["annotate", "l", "--annotation=a=b", "--os=linux"], "missing argument: --os needs MANIFEST"),
        (&["annotate", "l", "--artifact-type=a", "--force"], "missing argument: --force needs MANIFEST"),
    ];
    for (line, expected) in cases {
        let error = parse_error(line);
        assert_eq!((error.to_string().as_str(), error.exit_code()), (expected, 125), "{line:?}");
        assert!(error.usage().is_some() && error.help_line().is_some(), "{line:?}");
    }
    // What is set to false was not given; `-f -` reads the password's place only where there is a password.
    for line in [
        &["create", "--amend", "--replace=false", "l", "i"][..],
        &["inspect", "--local=false", "--remote", "i"],
        &["apply", "-f", "-"],
        &["rm", "--all=false", "l"],
        &["push", "--exact=false", "l"],
        &["create", "--offline=false", "--replace", "l", "i"],
        &["add", "--offline", "l", "i"],
        &["annotate", "l", "--annotation=a=k", "--unset-annotation=k"],
        &["push", "--digest-file=f", "--metadata-file=g", "l"],
        &["push", "--digest-file=/dev/stdout", "--metadata-file=/dev/stdout", "l"],
        &["push", "--digest-file=a/f", "--metadata-file=f", "l"],
        &["ls", "-q", "--format=table"],
        &["create", "--from=d", "--repository=r.x/a", "--target=web", "--target=db", "l"],
        &["create", "--empty", "--replace", "l"],
        &[
            "create",
            "--push",
            "--purge",
            "-qt",
            "1",
            "--type=oci",
            "--require=linux/386",
            "--exact",
            "--format=github",
            "l",
            "i",
        ],
        &["create", "--require=linux/386", "--exact", "--strict", "--format=json", "l", "i"],
        &["add", "--push", "--dry-run", "--verbose", "--format=markdown", "l", "i"],
        &["remove", "--push", "--insecure", "--digest-file=d", "--metadata-file=m", "l", "linux/386"],
        &["annotate", "--push", "--jobs=2", "--strict", "l", "--annotation=a=b"],
        &["add", "l", "--from=-"],
        &["apply", "--from=d", "--target=l"],
        &["apply", "--from=d", "-f", "x"],
    ] {
        run_command(line);
    }
}

#[test]
fn commands_require_their_words_unless_a_flag_replaces_them() {
    for flag in ["--annotation=a=b", "--unset-annotation=a", "--artifact-type=a/b"] {
        let annotated = annotate(&["annotate", flag, "l"]);
        assert_eq!((annotated.list, annotated.image), (RefArg::new("l"), None), "{flag}");
        assert!(annotate(&["annotate", "l", "i", flag]).image.is_some(), "{flag}");
    }
    let Command::Rm(rm) = run_command(&["rm", "--all"]) else { panic!("not rm") };
    assert!(rm.all && rm.lists.is_empty());
    let cases: [(&[&str], &str); 8] = [
        (&["annotate", "l", "--os=linux"], "annotate' requires 2 arguments"),
        (&["annotate", "--annotation=a=b"], "annotate' requires at least 1 and at most 2 arguments"),
        (&["rm", "--all=false"], "rm' requires at least 1 argument"),
        (&["add", "l"], "add' requires at least 2 arguments"),
        (&["remove", "l"], "remove' requires at least 2 arguments"),
        (&["exists"], "exists' requires 1 argument"),
        (&["ls", "x", "y"], "ls' requires at most 1 argument"),
        (&["apply", "x"], "apply' accepts no arguments"),
    ];
    for (line, expected) in cases {
        let error = parse_error(line);
        assert_eq!(
            (error.to_string(), error.exit_code()),
            (format!("docker: 'docker manifest {expected}"), 1),
            "{line:?}"
        );
    }
}

#[test]
fn mistyped_flags_and_commands_get_a_suggestion_after_the_lines_of_docker() {
    let cases: [(&[&str], Option<&str>); 17] = [
        (&["create", "--ammend", "l", "i"], Some("did you mean '--amend'?")),
        (&["create", "--platforms=linux/386", "l", "i"], Some("'--platforms' is a flag of apply")),
        (
            &["create", "l"],
            Some(
                "create --empty LIST creates a draft without images; --from reads what a build wrote about its images",
            ),
        ),
        (&["push", "--dryrun", "l"], Some("did you mean '--dry-run'?")),
        (&["push", "--req", "l"], Some("did you mean '--require'?")),
        (&["annotate", "--purge", "l", "i"], Some("'--purge' is a flag of add, create, push")),
        (&["annotate", "-p", "l", "i"], Some("'-p' is a flag of add, push")),
        (&["create", "-insecure", "l", "i"], Some("did you mean '--insecure'?")),
        (
            &["rm", "--dry-run", "l"],
            Some("'--dry-run' is a flag of add, annotate, apply, copy, create, prune, push, remove"),
        ),
        (&["--purge", "push", "l"], Some("'--purge' is a flag of add, create, push; put it after the command")),
        (&["create", "--bogus", "l", "i"], None),
        (&["create", "-x", "l", "i"], None),
        (&["creat", "l"], Some("did you mean 'create'?")),
        (&["list"], Some("did you mean 'ls'?")),
        (&["delete", "l"], Some("did you mean 'rm'?")),
        (&["help", "pusj"], Some("did you mean 'push'?")),
        (&["bogus"], None),
    ];
    for (line, expected) in cases {
        let error = parse_error(line);
        let report = report::argument_error(&error).text;
        let first = report.lines().next().unwrap_or_default();
        assert_eq!(first, error.to_string(), "{line:?}");
        let hint = report.lines().last().and_then(|line| line.strip_prefix("hint: "));
        assert_eq!(hint, expected, "{line:?}: {report}");
    }
}

#[test]
fn debug_flag_is_accepted_after_the_command() {
    for line in [&["push", "-D", "l"][..], &["push", "l", "--debug"], &["push", "--debug=true", "l"]] {
        let Ok(CliRequest::Run { command, debug: true, .. }) = parse("docker manifest", &words(line)) else {
            panic!("{line:?}");
        };
        assert_eq!(*command, run_command(&["push", "l"]), "{line:?}");
    }
    assert_eq!(run_command(&["push", "--debug=false", "l"]), run_command(&["push", "l"]));
    let Command::Rm(rm) = run_command(&["rm", "--", "-D"]) else { panic!("not rm") };
    assert_eq!(rm.lists, [RefArg::new("-D")]);
}

#[test]
fn version_flag_works_without_a_command() {
    assert_eq!(run_command(&["--version"]), Command::Version(Version::default()));
    assert_eq!(parse_error(&["--version", "create"]).to_string(), "unknown flag: --version");
    assert_eq!(parse_error(&["-v"]).to_string(), "unknown shorthand flag: 'v' in -v");
}

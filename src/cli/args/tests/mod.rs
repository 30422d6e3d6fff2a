//! What docker 28.2.2 answers to the same words; `tests/cases/args.rs` asks it again, live.

mod combinations;
mod help;
mod manifest_tool;
mod reference_page;

use super::*;

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(ToString::to_string).collect()
}

fn run_command(line: &[&str]) -> Command {
    match parse("docker manifest", &words(line)) {
        Ok(CliRequest::Run { command, debug: false, .. }) => *command,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn parse_error(line: &[&str]) -> ArgsError {
    match parse("docker manifest", &words(line)) {
        Err(error) => error,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn network(insecure: bool) -> NetworkFlags {
    NetworkFlags { insecure, ..NetworkFlags::default() }
}

fn annotate(line: &[&str]) -> Annotate {
    match run_command(line) {
        Command::Annotate(annotate) => annotate,
        other => panic!("{line:?}: {other:?}"),
    }
}

#[test]
fn flags_are_read_anywhere_before_two_dashes() {
    let expected = Command::Create(Create {
        list: RefArg::new("l"),
        images: vec![LocationArg::new("a"), LocationArg::new("b")],
        amend: true,
        replace: false,
        empty: false,
        image_flags: ImageSourceFlags::default(),
        push: false,
        purge: false,
        list_flags: ListFlags { annotations: Vec::new(), subject: None, prefer_index: true },
        publish: PublishFlags::default(),
        network: network(true),
    });
    for line in [
        &["create", "-a", "--insecure", "l", "a", "b"][..],
        &["create", "l", "--amend", "a", "--insecure=true", "b"],
        &["create", "l", "a", "b", "-a=1", "--insecure"],
        &["create", "-aa", "--amend=false", "--amend", "--insecure", "--", "l", "a", "b"],
        &["--help=false", "create", "-a", "--insecure", "l", "a", "b"],
    ] {
        assert_eq!(run_command(line), expected, "{line:?}");
    }
    let Command::Rm(rm) = run_command(&["rm", "--", "-x", "--", "--help"]) else { panic!("not rm") };
    assert_eq!(rm.lists, [RefArg::new("-x"), RefArg::new("--"), RefArg::new("--help")]);
    assert!(rm.lists.iter().all(|list| list.parsed.is_err()));
}

#[test]
fn the_last_of_a_repeated_flag_counts_and_lists_add_up() {
    let line = ["annotate", "--os", "a", "--os=b", "l", "--os-features", "x,\"y,z\"", "i", "--os-features=w"];
    let annotated = annotate(&line);
    assert_eq!(annotated.entry.os, "b");
    assert_eq!(annotated.entry.os_features, ["x", "y,z", "w"]);
    assert_eq!((annotated.entry.arch.as_str(), annotated.entry.os_version.as_str()), ("", ""));
}

#[test]
fn value_flags_take_the_next_argument() {
    let annotated = annotate(&["annotate", "--variant", "-x", "l", "--arch", "--", "i", "--os=", "--os-features="]);
    let entry = &annotated.entry;
    assert_eq!((entry.variant.as_str(), entry.arch.as_str(), entry.os.as_str()), ("-x", "--", ""));
    assert!(entry.os_features.is_empty());
    assert_eq!((annotated.list, annotated.image), (RefArg::new("l"), Some(RefArg::new("i"))));
}

#[test]
fn empty_values_of_platform_require_and_tag_are_refused() {
    for (verb, flag, shown) in [
        ("push", "--require=", "--require"),
        ("push", "--tag=", "-t, --tag"),
        ("create", "--platform=", "--platform"),
        ("apply", "--require=", "--require"),
    ] {
        let words: &[&str] = match verb {
            "create" => &[verb, flag, "l", "i"],
            "push" => &[verb, flag, "l"],
            _ => &[verb, flag, "-f", "l"],
        };
        let refused = parse_error(words);
        let begin = format!("invalid argument \"\" for \"{shown}\" flag: ");
        assert!(refused.to_string().starts_with(&begin), "{refused}");
        assert_eq!(refused.exit_code(), 125);
    }
}

#[test]
fn inspect_takes_its_optional_word_first() {
    for (line, list) in [(&["inspect", "-v", "i"][..], None), (&["inspect", "l", "-v", "i"], Some(RefArg::new("l")))] {
        let expected = Inspect {
            list,
            image: LocationArg::new("i"),
            verbose: true,
            network: network(false),
            raw: false,
            check: false,
            platform: None,
            local: false,
            remote: false,
            referrers: false,
            format: None,
            shared: SharedDraftFlags::default(),
            require: Vec::new(),
        };
        assert_eq!(run_command(line), Command::Inspect(expected), "{line:?}");
    }
}

#[test]
fn invalid_numbers_are_refused_in_the_words_of_pflag() {
    let Command::Push(push) = run_command(&["push", "--jobs", "4", "--jobs=8", "l"]) else { panic!("not push") };
    assert_eq!(push.network.jobs, std::num::NonZeroUsize::new(8));
    for value in ["0", "x", "-1", ""] {
        let error = parse_error(&["push", &format!("--jobs={value}"), "l"]);
        let first = error.to_string();
        assert_eq!(first, format!("invalid argument \"{value}\" for \"--jobs\" flag: not a whole number above zero"));
        assert_eq!(error.exit_code(), 125, "{first}");
    }
}

#[test]
fn argument_errors_match_docker() {
    let create = "Usage:  docker manifest create MANIFEST_LIST MANIFEST [MANIFEST...]";
    let run_create = "Run 'docker manifest create --help' for more information";
    let cases = [
        (&["create", "x"][..], 1, "docker: 'docker manifest create' requires at least 2 arguments", create, "See"),
        (&["create", "--bogus"], 125, "unknown flag: --bogus", create, run_create),
        (&["create", "--bo=x"], 125, "unknown flag: --bo", create, run_create),
        (&["create", "-aé"], 125, "unknown shorthand flag: 'Ã' in -é", create, run_create),
        (&["create", "-a="], 125, "unknown shorthand flag: '=' in -=", create, run_create),
        (&["create", "--=x"], 125, "bad flag syntax: --=x", create, run_create),
        (
            &["create", "-a=x", "--bogus"],
            125,
            "invalid argument \"x\" for \"-a, --amend\" flag: strconv.ParseBool: parsing \"x\": invalid syntax",
            create,
            run_create,
        ),
        (
            &["push"],
            1,
            "docker: 'docker manifest push' requires 1 argument",
            "Usage:  docker manifest push [OPTIONS] MANIFEST_LIST",
            "Run",
        ),
        (
            &["inspect", "a", "b", "c"],
            1,
            "docker: 'docker manifest inspect' requires at least 1 and at most 2 arguments",
            "Usage:  docker manifest inspect [OPTIONS] [MANIFEST_LIST] MANIFEST",
            "Run",
        ),
        (
            &["annotate", "a", "--os"],
            125,
            "flag needs an argument: --os",
            "Usage:  docker manifest annotate [OPTIONS] MANIFEST_LIST MANIFEST",
            "Run",
        ),
        (
            &["rm"],
            1,
            "docker: 'docker manifest rm' requires at least 1 argument",
            "Usage:  docker manifest rm MANIFEST_LIST [MANIFEST_LIST...]",
            "See",
        ),
        (
            &["bogus", "x"],
            1,
            "docker: unknown command: docker manifest bogus",
            "Usage:  docker manifest COMMAND",
            "Run 'docker manifest --help' for more information",
        ),
        (
            &["--insecure", "create", "a", "b"],
            125,
            "unknown flag: --insecure",
            "Usage:  docker manifest COMMAND",
            "Run",
        ),
        (
            &["--", "create", "a"],
            1,
            "docker: unknown command: docker manifest create",
            "Usage:  docker manifest COMMAND",
            "Run",
        ),
    ];
    for (line, code, first, usage, help_line_start) in cases {
        let error = parse_error(line);
        assert_eq!(error.to_string(), first, "{line:?}");
        assert_eq!(error.exit_code(), code, "{line:?}");
        assert_eq!(error.usage().as_deref(), Some(usage), "{line:?}");
        assert!(
            error.help_line().is_some_and(|text| text.starts_with(help_line_start)),
            "{line:?}: {:?}",
            error.help_line()
        );
    }
}

#[test]
fn a_bad_flag_before_the_command_is_reported_without_usage() {
    let error = parse_error(&["-hx", "create"]);
    assert_eq!((error.to_string().as_str(), error.exit_code()), ("unknown shorthand flag: 'x' in -x", 1));
    assert_eq!((error.usage(), error.help_line()), (None, None));
}

#[test]
fn every_command_has_help_with_an_example_under_the_name_that_was_called() {
    for verb in clap_command().get_subcommands() {
        let Ok(CliRequest::Help { text, requested: true }) =
            parse("docker manifests", &words(&[verb.get_name(), "--help"]))
        else {
            panic!("{}", verb.get_name())
        };
        assert!(text.starts_with(&format!("Usage:  docker manifests {}", verb.get_name())), "{text}");
        let examples = text.split_once("\nExamples:\n").map(|(_, examples)| examples).unwrap_or_default();
        assert!(examples.contains(verb.get_name()) && !text.contains("{name}"), "{text}");
        assert!(verb.get_about().is_some_and(|about| !about.to_string().is_empty()), "{}", verb.get_name());
        for argument in verb.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", verb.get_name(), argument.get_id());
            let Some(long) = argument.get_long() else { continue };
            // An example has it by its long name, or by its letter.
            let short_flags: Vec<String> = argument.get_short().map(|short| format!("-{short}")).into_iter().collect();
            let is_shown = examples.split_whitespace().any(|word| {
                word.split('=').next() == Some(&format!("--{long}")) || short_flags.iter().any(|short| short == word)
            });
            assert!(is_shown, "no example of {} has --{long}", verb.get_name());
        }
        let same = parse("docker manifests", &words(&["help", verb.get_name()]));
        assert_eq!(same.ok(), Some(CliRequest::Help { text, requested: true }));
    }
}

#[test]
fn help_lays_options_out_as_docker_does() {
    let Ok(CliRequest::Help { text, .. }) = parse("docker manifest", &words(&["rm", "-h"])) else { panic!() };
    let expected = "
Options:
      --all                Delete every local manifest list
      --timeout duration   Stop waiting for another docker-manifest process after this time (30s, 5m)
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn help_without_a_command_goes_to_stderr_unless_requested() {
    let is_unrequested =
        |line: &[&str]| matches!(parse("x", &words(line)), Ok(CliRequest::Help { requested: false, .. }));
    assert!(is_unrequested(&[]) && is_unrequested(&["--help=false"]) && is_unrequested(&["--"]));
    assert!(matches!(parse("x", &words(&["bogus", "--help"])), Ok(CliRequest::Help { requested: true, .. })));
    assert!(matches!(parse("x", &words(&["--help", "create"])), Ok(CliRequest::Help { requested: true, .. })));
    assert_eq!(parse_error(&["help", "bogus"]).to_string(), "unknown help topic: bogus");
    assert_eq!(parse_error(&["help", "create", "bogus"]).to_string(), "unknown help topic: bogus");
}

#[test]
fn shell_init_accepts_four_shells() {
    assert_eq!(run_command(&["shell-init", "fish"]), Command::ShellInit(ShellInit { shell: Shell::Fish }));
    let error = parse_error(&["shell-init", "tcsh"]);
    assert_eq!(error.to_string(), "invalid argument \"tcsh\": must be one of bash, zsh, fish, sh");
    assert_eq!(error.exit_code(), 1);
}

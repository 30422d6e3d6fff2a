//! manifest-tool's command line, and mquery's.

use std::path::PathBuf;

use super::super::manifest_tool as tool;
use super::*;
use crate::cli::report;
use crate::model::index::ListFormat;
use crate::secret::Secret;

fn run_request(line: &[&str]) -> (ToolGlobals, ToolCommand) {
    match tool(&words(line)) {
        Ok(ToolRequest::Run(globals, command)) => (globals, *command),
        other => panic!("{line:?}: {other:?}"),
    }
}

fn parse_error(line: &[&str]) -> ToolError {
    match tool(&words(line)) {
        Err(error) => error,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn help_text(line: &[&str]) -> String {
    match tool(&words(line)) {
        Ok(ToolRequest::Help(text)) => text,
        other => panic!("{line:?}: {other:?}"),
    }
}

#[test]
fn manifest_tool_flags_are_read_anywhere_with_one_dash_or_two() {
    let expected = run_request(&["--debug", "--plain-http", "inspect", "--raw", "r/app:1"]);
    assert!(expected.0.debug && expected.0.plain_http && !expected.0.insecure);
    let inspect = ToolCommand::Inspect(ToolInspect { image: RefArg::new("r/app:1"), raw: true, expand_config: false });
    assert_eq!(expected.1, inspect);
    for line in [
        &["inspect", "r/app:1", "--raw", "--debug", "--plain-http"][..],
        &["-debug", "-plain-http=true", "inspect", "-raw", "r/app:1"],
        &["inspect", "--debug", "--raw=true", "r/app:1", "--plain-http"],
        &["--plain-http", "--debug", "inspect", "--raw", "--", "r/app:1"],
    ] {
        assert_eq!(run_request(line), expected, "{line:?}");
    }
}

#[test]
fn values_that_look_like_flags_or_commands_stay_values() {
    let (globals, command) = run_request(&[
        "--username",
        "inspect",
        "--password",
        "-raw",
        "--docker-cfg=/c",
        "inspect",
        "r/app:1",
        "--expand-config",
    ]);
    assert_eq!(globals.username.as_deref(), Some("inspect"));
    assert_eq!(globals.password, Some(Secret::new("-raw")));
    assert_eq!(globals.docker_cfg, Some(PathBuf::from("/c")));
    let image = RefArg::new("r/app:1");
    assert_eq!(command, ToolCommand::Inspect(ToolInspect { image, raw: false, expand_config: true }));
    assert!(!format!("{globals:?}").contains("-raw"), "a password is never shown");
}

#[test]
fn push_from_spec_is_parsed() {
    let push = ToolPush { list_format: ListFormat::Oci, ignore_missing: true };
    let expected = ToolCommand::FromSpec(ToolFromSpec { file: "l.yaml".into(), push });
    for line in [
        &["push", "--type", "oci", "from-spec", "--ignore-missing", "l.yaml"][..],
        &["push", "from-spec", "l.yaml", "--ignore-missing", "--type=oci"],
        &["push", "--ignore-missing", "-type", "oci", "from-spec", "l.yaml"],
    ] {
        assert_eq!(run_request(line).1, expected, "{line:?}");
    }
    let push = ToolPush { list_format: ListFormat::Docker, ignore_missing: false };
    let plain = ToolCommand::FromSpec(ToolFromSpec { file: "-".into(), push });
    assert_eq!(run_request(&["push", "from-spec", "-"]).1, plain);
}

#[test]
fn push_from_args_is_parsed() {
    let (globals, command) = run_request(&[
        "--insecure",
        "push",
        "--type",
        "docker",
        "from-args",
        "--platforms",
        "linux/amd64,linux/amd64/v3,linux/arm/v7",
        "--template",
        "r/app:OS-ARCHVARIANT",
        "--target",
        "r/app:1",
        "--tags",
        "a,b",
        "--annotations",
        "k=v,l=w",
    ]);
    assert!(globals.insecure);
    let ToolCommand::FromArgs(args) = command else { panic!("{command:?}") };
    let ToolFromArgs { platforms, template, target, tags, annotations, push } = args;
    let ToolPush { list_format, ignore_missing } = push;
    let platforms: Vec<String> = platforms.iter().map(|platform| platform.parsed.to_string()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/amd64/v3", "linux/arm/v7"]);
    assert_eq!((template.as_str(), target.typed.as_str()), ("r/app:OS-ARCHVARIANT", "r/app:1"));
    assert_eq!(
        (tags.as_slice(), list_format, ignore_missing),
        (&["a".to_owned(), "b".to_owned()][..], ListFormat::Docker, false)
    );
    assert_eq!(annotations, [("k".to_owned(), "v".to_owned()), ("l".to_owned(), "w".to_owned())]);
}

#[test]
fn arguments_that_manifest_tool_ignores_are_refused() {
    let from_args = ["push", "from-args", "--platforms=linux/amd64", "--template=t", "--target=r/a"];
    let with_more = |more: &[&'static str]| [&from_args[..], more].concat();
    let cases: Vec<(Vec<&str>, &str, Option<&str>)> = vec![
        (
            vec!["push", "--type=orc", "from-spec", "f"],
            "invalid argument \"orc\" for \"--type\" flag: must be one of docker, oci",
            None,
        ),
        (
            vec!["push", "--type=", "from-spec", "f"],
            "invalid argument \"\" for \"--type\" flag: must be one of docker, oci",
            None,
        ),
        (vec!["push", "from-spec", "f", "--bogus"], "unknown flag: --bogus", None),
        (vec!["inspect", "i", "--rwa"], "unknown flag: --rwa", Some("--raw")),
        (vec!["inspect", "i", "--type=oci"], "unknown flag: --type", None),
        (vec!["--insecur", "inspect", "i"], "unknown flag: --insecur", Some("--insecure")),
        (vec!["--bogus"], "unknown flag: --bogus", None),
        (vec!["inspect", "i", "-x"], "unknown shorthand flag: 'x' in -x", None),
        (vec!["inspect"], "REF is missing", None),
        (vec!["inspect", "a", "b"], "unexpected argument: b", None),
        (vec!["push", "from-spec"], "FILE is missing", None),
        (vec!["push", "from-spec", ""], "invalid argument \"\": must not be empty", None),
        (vec!["push"], "push needs from-spec or from-args", None),
        (vec!["push", "--type=oci"], "push needs from-spec or from-args", None),
        (vec!["push", "from-file", "f"], "unknown command: push from-file", None),
        (vec!["push", "from-arg"], "unknown command: push from-arg", Some("push from-args")),
        (vec!["inspct", "i"], "unknown command: inspct", Some("inspect")),
        (vec!["push", "from-args", "--template=t", "--target=r/a"], "--platforms is missing", None),
        (vec!["push", "from-args", "--platforms=", "--template=t", "--target=r/a"], "--platforms is missing", None),
        (vec!["push", "from-args", "--platforms=linux/386", "--target=r/a"], "--template is missing", None),
        (vec!["push", "from-args", "--platforms=linux/386", "--template=t"], "--target is missing", None),
        (with_more(&["x"]), "unexpected argument: x", None),
        (
            with_more(&["--platforms=linux/amd46"]),
            "invalid argument \"linux/amd46\" for \"--platforms\" flag: unknown architecture \"amd46\", did you mean \
             'linux/amd64'?",
            None,
        ),
        (with_more(&["--annotations=x"]), "invalid argument \"x\" for \"--annotations\" flag: not KEY=VALUE", None),
        (with_more(&["--tags"]), "flag needs an argument: --tags", None),
        (vec!["--username=me", "inspect", "i"], "missing argument: --username needs --password", None),
        (vec!["--password=s3cret", "inspect", "i"], "missing argument: --password needs --username", None),
    ];
    for (line, expected, suggestion) in cases {
        let error = parse_error(&line);
        assert_eq!((error.to_string().as_str(), error.suggestion.as_deref()), (expected, suggestion), "{line:?}");
        let report = report::manifest_tool_argument_error(&error);
        assert_eq!(report.exit_code, 1, "{line:?}");
        assert!(
            report.text.contains("\n\nUsage:  manifest-tool ") && !report.text.contains("s3cret"),
            "{}",
            report.text
        );
    }
}

#[test]
fn manifest_tool_has_help_for_each_command() {
    let overview = help_text(&[]);
    for line in [&["--help"][..], &["-h"], &["help"], &["h"], &["--debug"]] {
        assert_eq!(help_text(line), overview, "{line:?}");
    }
    for command in ["inspect", "push from-spec", "push from-args", "--docker-cfg"] {
        assert!(overview.contains(command), "{overview}");
    }
    for (path, flags) in [
        (&["inspect"][..], &["--raw", "--expand-config", "--username"][..]),
        (&["push", "from-spec"], &["--type", "--ignore-missing"]),
        (&["push", "from-args"], &["--platforms", "--template", "--target", "--tags", "--annotations"]),
    ] {
        let text = help_text(&[path, &["--help"]].concat());
        let usage = format!("Usage:  manifest-tool {} [OPTIONS]", path.join(" "));
        assert!(text.starts_with(&usage) && text.contains("\nExamples:\n  manifest-tool "), "{text}");
        assert!(flags.iter().all(|flag| text.contains(flag)), "{text}");
    }
    assert!(help_text(&["push", "-h"]).contains("push from-args"));
    assert_eq!(help_text(&["help", "push"]), help_text(&["push", "--help"]));
    assert_eq!(parse_error(&["help", "bogus"]).to_string(), "unknown command: bogus");
    assert_eq!(tool(&words(&["--version"])), Ok(ToolRequest::Version));
    assert_eq!(tool(&words(&["-v"])), Ok(ToolRequest::Version));
}

#[test]
fn mquery_is_platforms_under_another_name() {
    let Ok(CliRequest::Run { command, .. }) = mquery(&words(&["alpine:3", "--format=json", "--insecure"])) else {
        panic!()
    };
    let expected =
        Platforms { image: LocationArg::new("alpine:3"), format: PlatformsFormat::Json, network: network(true) };
    assert_eq!(*command, Command::Platforms(expected));
    let error = mquery(&[]).unwrap_err();
    assert_eq!(error.to_string(), "mquery: 'mquery' requires 1 argument");
    assert_eq!(error.usage().as_deref(), Some("Usage:  mquery [OPTIONS] IMAGE"));
    let Ok(CliRequest::Help { text, requested: true }) = mquery(&words(&["--help"])) else { panic!() };
    assert!(text.starts_with("Usage:  mquery [OPTIONS] IMAGE\n"), "{text}");
    assert!(text.contains("\n  mquery alpine:3\n") && !text.contains("mquery platforms"), "{text}");
}

//! The command line beside docker's own: everything that is refused before a command runs is refused in the same
//! words.

use testkit::sandbox::{Output, Sandbox, on_path};
use testkit::skip::skipped;

use super::{OURS, is_flag_docker_lacks};

/// Command lines that docker refuses by themselves, split at blanks; `␣` is a blank, `∅` an empty argument, `⏎` a line
/// end.
const REFUSED: &[&str] = &[
    "∅",
    "-",
    "-- create a",
    "-- create create",
    "--=␣x",
    "--= x",
    "--bogus",
    "--bogus create",
    "--bogus=1 create",
    "--bogus create create",
    "--help=x",
    "--help=x create",
    "--help=false create",
    "--insecure create a b",
    "-D create a b",
    "-x",
    "-x create",
    "-hx",
    "-hx create",
    "-v",
    "bo␣gus",
    "bogus",
    "bogus --amend",
    "bogus --help=0",
    "creat a b",
    "annotate",
    "annotate -",
    "annotate -o x",
    "annotate --os",
    "annotate --os=",
    "annotate --os=linux a",
    "annotate --os-feature x a b",
    "annotate --os-features a\"b x y",
    "annotate --os-features \"ab x y",
    "annotate --os-features \"a\"b x y",
    "annotate --os-features \"a⏎b x y",
    "annotate --os-features \"a⏎b\"c x y",
    "annotate --os-features ⏎ x y",
    "annotate --os-features=a,\" x y",
    "annotate --os-features=a,\"b\",\"c x y",
    "annotate --os-features=é\" x y",
    "annotate a b --arch",
    "annotate a b --os -- --arch",
    "annotate a b c",
    "annotate --variant -x y",
    "annotate --amend a b",
    "create",
    "create --",
    "create -- --amend",
    "create --amend",
    "create --amend --insecure a",
    "create --am a b",
    "create --amend false",
    "create --amend=",
    "create --amend=\u{1}é\"\\ a b",
    "create --amend=x --bogus",
    "create --amend=yes a b",
    "create --bogus",
    "create --bogus --amend=x",
    "create --bo⏎gus=x",
    "create --help=false a",
    "create --help --help=false a",
    "create --help=x",
    "create --é",
    "create ---",
    "create ---x",
    "create --=x",
    "create -=x",
    "create -a",
    "create -a=",
    "create -a=x a b",
    "create -ax a b",
    "create -a=false a",
    "create -é",
    "create -aé",
    "create -pa x",
    "create -x a b",
    "create a",
    "create a --insecure=maybe b",
    "inspect",
    "inspect -v=x y",
    "inspect -vv",
    "inspect a b c",
    "inspect --verbose=T a b c",
    "push",
    "push -pv x",
    "push -pp=x x",
    "push a b",
    "push -p=tRUE x",
    "rm",
    "rm --",
    "rm --force x",
    "rm --insecure x",
];

fn words(line: &str) -> Vec<String> {
    let word = |word: &str| match word {
        "∅" => String::new(),
        word => word.replace('␣', " ").replace('⏎', "\n"),
    };
    line.split_whitespace().filter(|_| !line.is_empty()).map(word).collect()
}

fn docker(sandbox: &Sandbox, line: &str) -> Output {
    sandbox.command("docker").arg("manifest").args(words(line)).run()
}

fn ours(sandbox: &Sandbox, line: &str) -> Output {
    sandbox.command(OURS).arg("manifest").args(words(line)).run()
}

#[test]
fn arguments_that_docker_refuses_get_the_same_errors() {
    if !on_path("docker") {
        return skipped("refused command lines", "there is no docker client to compare with");
    }
    let sandbox = Sandbox::new();
    let mut different = Vec::new();
    let mut hints = 0;
    for line in REFUSED {
        let (docker, ours) = (docker(&sandbox, line), ours(&sandbox, line));
        assert_ne!(docker.code, 0, "docker accepts {line:?}: it is no case for this table");
        // What was probably meant is ours to say, behind all that docker says.
        let (text, hint) = without_hint(&ours.err());
        hints += usize::from(hint.is_some());
        let output_of = |output: &Output| (output.code, output.out(), output.err());
        if output_of(&docker) != (ours.code, ours.out(), text) {
            different.push(format!("{line:?}\n  docker: {:?}\n  ours:   {:?}", output_of(&docker), output_of(&ours)));
        }
    }
    assert!(different.is_empty(), "{} of {} differ:\n{}", different.len(), REFUSED.len(), different.join("\n"));
    assert!(hints > 5 && hints < REFUSED.len() / 2, "{hints} hints");
}

/// The text up to a hint that ends it, and the hint.
fn without_hint(text: &str) -> (String, Option<String>) {
    match text.rsplit_once("\nhint: ") {
        Some((before, hint)) if hint.trim_end_matches('\n').lines().count() == 1 => {
            (format!("{before}\n"), Some(hint.trim_end().to_owned()))
        }
        _ => (text.to_owned(), None),
    }
}

/// Refused before anything is read or asked: there is no registry here, and no draft.
#[test]
fn our_own_flags_are_refused_in_the_same_form() {
    let sandbox = Sandbox::new();
    let cases: &[(&str, &str, Option<&str>)] = &[
        (
            "create --platform linux/amd46 l i",
            "invalid argument \"linux/amd46\" for \"--platform\" flag: unknown architecture \"amd46\", did you mean \
             'linux/amd64'?",
            None,
        ),
        ("push --type=orc l", "invalid argument \"orc\" for \"--type\" flag: must be one of auto, docker, oci", None),
        ("inspect --local --remote i", "conflicting flags: --local and --remote", None),
        ("create --amend --replace l i", "conflicting flags: --amend and --replace", None),
        ("push --password-stdin l", "missing argument: --password-stdin needs --username", None),
        ("push --exact l", "missing argument: --exact needs --require", None),
        ("rm --all l", "conflicting flags: --all and MANIFEST_LIST", None),
        ("push --ammend l", "unknown flag: --ammend", None),
        ("create --ammend l i", "unknown flag: --ammend", Some("did you mean '--amend'?")),
        ("push --amend l", "unknown flag: --amend", Some("'--amend' is a flag of create")),
    ];
    for (line, first, hint) in cases {
        let output = ours(&sandbox, line);
        let verb = line.split(' ').next().unwrap_or_default();
        let (text, output_of) = without_hint(&output.err());
        assert_eq!(
            (output.code, output.out().as_str(), output_of.as_deref()),
            (125, "", *hint),
            "{line}: {}",
            output.err()
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.first(), Some(first), "{line}");
        assert!(lines[2].starts_with(&format!("Usage:  docker manifest {verb} ")), "{line}: {text}");
        assert_eq!(lines[4], format!("Run 'docker manifest {verb} --help' for more information"), "{line}");
    }
    let version = ours(&sandbox, "--version").success();
    assert!(version.out().contains(env!("CARGO_PKG_VERSION")), "{}", version.out());
}

#[test]
fn help_has_the_options_and_streams_of_docker() {
    if !on_path("docker") {
        return skipped("help beside docker's", "there is no docker client to compare with");
    }
    let sandbox = Sandbox::new();
    for verb in ["create", "annotate", "inspect", "push", "rm"] {
        let line = format!("{verb} --help");
        let (docker, ours) = (docker(&sandbox, &line), ours(&sandbox, &line));
        assert_eq!((ours.code, ours.err()), (docker.code, docker.err()), "{line}");
        // Usage, description and options are docker's; between them docker says that it is an experiment.
        let (docker, ours) = (docker.out(), ours.out());
        let head = |text: &str| text.lines().take(3).map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(head(&ours), head(&docker), "{line}");
        // The width of the column follows the longest flag, ours among them.
        let options = |text: &str| {
            let table =
                text.split("Options:\n").nth(1).and_then(|table| table.split("\n\n").next()).unwrap_or_default();
            let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
            let dockers = rows.filter(|row| !row.iter().any(|word| is_flag_docker_lacks(verb, word)));
            dockers.map(|row| row.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(options(&ours), options(&docker), "{line}");
        assert!(ours.contains("\nExamples:\n  docker manifest "), "{ours}");
    }
    for (line, on_stdout) in [("", false), ("--help", true), ("-h", true), ("bogus --help", true)] {
        let (docker, ours) = (docker(&sandbox, line), ours(&sandbox, line));
        assert_eq!((docker.code, ours.code), (0, 0), "{line}");
        for output in [docker, ours] {
            assert_eq!((output.stdout.is_empty(), output.stderr.is_empty()), (!on_stdout, on_stdout), "{line}");
        }
    }
}

#[test]
fn the_standalone_program_uses_its_own_name_in_texts() {
    let sandbox = Sandbox::new();
    let standalone = sandbox.command(OURS).args(["push", "a", "b"]).run();
    assert_eq!(standalone.code, 1);
    let expected = "docker-manifest: 'docker-manifest push' requires 1 argument

Usage:  docker-manifest push [OPTIONS] MANIFEST_LIST

Run 'docker-manifest push --help' for more information
";
    assert_eq!(standalone.err(), expected);
    let version = sandbox.command(OURS).arg("--version").run().success();
    assert!(version.out().contains(env!("CARGO_PKG_VERSION")), "{}", version.out());
}

#[test]
fn version_names_the_build() {
    let sandbox = Sandbox::new();
    let text = sandbox.command(OURS).arg("version").run().success().out();
    let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["docker-manifest", "commit:", "date:", "target:"], "{text}");
    let output = sandbox.command(OURS).args(["version", "--format", "json"]).run().success();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    let target = json["target"].as_str().unwrap();
    assert!(target.starts_with(std::env::consts::ARCH) && text.contains(target), "{json:#}");
}

#[test]
fn manual_pages_are_printed_and_written() {
    let sandbox = Sandbox::new();
    let man = |words: &[&str]| sandbox.command(OURS).arg("man").args(words.iter().copied()).run();
    let printed = man(&["create"]).success().out();
    let _ = man(&["--output", "a/man1"]).success();
    let written = |page: &str| std::fs::read_to_string(sandbox.path().join("a/man1").join(page)).unwrap();
    assert_eq!(written("docker-manifest-create.1"), printed);
    assert_eq!(written("docker-manifest.1"), man(&[]).success().out());
    let unknown = man(&["bogus"]);
    assert_eq!((unknown.code, unknown.first_err_line().as_str()), (1, "there is no command \"bogus\""));
    assert_eq!(man(&["create", "--output", "b"]).code, 125);
    let section = man(&["--markdown", "create"]).success().out();
    assert!(section.starts_with("## create\n") && man(&["--markdown"]).success().out().contains(&section), "{section}");
    assert_eq!((man(&["bogus", "--markdown"]).code, man(&["--markdown", "--output", "b"]).code), (1, 125));
}

//! Cobra's completion protocol, which docker's shell scripts use: one `value<TAB>description` per line, then `:N`, a
//! number that tells the shell what to do with them (`cobra/completions.go`; compared live with docker).

use std::fmt::Write;

use crate::cli::args::{self, Cursor, FlagKind, Partial};
use crate::platform;

/// Lookups in the local store. Each is made only if it is needed.
pub struct Lists<'a> {
    /// The names of all local lists, normalised.
    pub names: &'a dyn Fn() -> Vec<String>,
    /// The images of the list of this name as typed, normalised; empty if there is no such list.
    pub entries: &'a dyn Fn(&str) -> Vec<String>,
    /// The platforms of the images of the list of this name as typed; empty if there is no such list.
    pub platforms: &'a dyn Fn(&str) -> Vec<String>,
}

/// The output of a completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletionResult {
    /// The candidates and the directive.
    pub stdout: String,
    /// The line that cobra prints for debugging.
    pub stderr: String,
    /// 0, or 1 if there is no word to complete.
    pub exit_code: u8,
}

/// Cobra's directives, as far as they are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    /// The shell may offer files.
    Default = 0,
    /// The shell offers nothing but the candidates.
    NoFileComp = 4,
}

struct Candidate {
    value: String,
    description: String,
}

type Candidates = (Vec<Candidate>, Directive);

/// Completes a command line. Its last word is the one at the cursor.
pub fn answer(words: &[String], with_descriptions: bool, lists: &Lists<'_>) -> CompletionResult {
    let Some((current, before)) = words.split_last() else {
        let stderr = "requires at least 1 arg(s), only received 0\n".to_owned();
        return CompletionResult { stdout: String::new(), stderr, exit_code: 1 };
    };
    let mut stderr = String::new();
    let (candidates, directive) = match args::partial(before, current) {
        Ok(partial) => candidates(&partial, lists),
        Err(error) => {
            let before = before.get(1..).unwrap_or_default().join(" ");
            let _ = writeln!(stderr, "[Debug] [Error] Error while parsing flags from args [{before}]: {error}");
            (Vec::new(), Directive::Default)
        }
    };
    let mut stdout = String::new();
    for candidate in candidates {
        stdout.push_str(&candidate.value);
        if with_descriptions && !candidate.description.is_empty() {
            let _ = write!(stdout, "\t{}", candidate.description);
        }
        stdout.push('\n');
    }
    let _ = writeln!(stdout, ":{}", directive as u8);
    let _ = writeln!(stderr, "Completion ended with directive: ShellCompDirective{directive:?}");
    CompletionResult { stdout, stderr, exit_code: 0 }
}

fn candidates(partial: &Partial, lists: &Lists<'_>) -> Candidates {
    match (&partial.cursor, &partial.verb) {
        (Cursor::Verb, _) => (verbs(&partial.typed), Directive::NoFileComp),
        (Cursor::FlagName, Some(verb)) => (flags(verb, partial), Directive::NoFileComp),
        (Cursor::FlagName, None) => (Vec::new(), Directive::NoFileComp),
        (Cursor::FlagValue(flag), _) => values(flag, partial, lists),
        (Cursor::Word, Some(verb)) => words(verb, partial, lists),
        (Cursor::Word, None) | (Cursor::Nowhere, _) => (Vec::new(), Directive::Default),
    }
}

fn verbs(typed: &str) -> Vec<Candidate> {
    let root = args::syntax();
    let verbs = root.get_subcommands().filter(|verb| verb.get_name().starts_with(typed));
    let described = verbs.map(|verb| Candidate {
        value: verb.get_name().to_owned(),
        description: verb.get_about().map(ToString::to_string).unwrap_or_default(),
    });
    described.collect()
}

/// The flags that may still be given, long before short, by name.
fn flags(verb: &clap::Command, partial: &Partial) -> Vec<Candidate> {
    let mut flags: Vec<_> = verb.get_arguments().filter(|flag| flag.get_long().is_some()).collect();
    flags.sort_by_key(|flag| flag.get_long());
    let mut found = Vec::new();
    for flag in flags {
        let long = flag.get_long().unwrap_or_default();
        if partial.has(long) && !matches!(args::kind(flag), FlagKind::List | FlagKind::Texts) {
            continue;
        }
        let names = std::iter::once(format!("--{long}")).chain(flag.get_short().map(|short| format!("-{short}")));
        let description = flag.get_help().map(ToString::to_string).unwrap_or_default();
        found.extend(
            names
                .filter(|name| name.starts_with(&partial.typed))
                .map(|value| Candidate { value, description: description.clone() }),
        );
    }
    found
}

/// The values of a flag. If they are not known the shell offers files, as with docker.
fn values(flag: &str, partial: &Partial, lists: &Lists<'_>) -> Candidates {
    let syntax = partial.verb.iter().flat_map(|verb| verb.get_arguments()).find(|known| known.get_long() == Some(flag));
    let is_list = syntax.is_some_and(|flag| args::kind(flag) == FlagKind::List);
    let choices = syntax.map(clap::Arg::get_possible_values).unwrap_or_default();
    if !choices.is_empty() {
        let choices = choices.iter().map(clap::builder::PossibleValue::get_name).collect();
        return (starting_with(&partial.typed, choices), Directive::NoFileComp);
    }
    let known: Vec<&str> = match flag {
        "platform" | "platforms" | "require" => {
            return (platforms(&partial.typed, is_list), Directive::NoFileComp);
        }
        "target" => return (references(&partial.typed, (lists.names)()), Directive::NoFileComp),
        "os" => platform::known_operating_systems().collect(),
        "arch" => platform::known_architectures(partial.value("os")),
        "variant" => platform::known_variants(partial.value("arch")),
        "os-features" => vec!["win32k"],
        "os-version"
        | "features"
        | "tag"
        | "template"
        | "annotation"
        | "unset-annotation"
        | "artifact-type"
        | "artifact-title"
        | "artifact-media-type"
        | "username"
        | "jobs"
        | "retries"
        | "timeout"
        | "older-than" => Vec::new(),
        _ => return (Vec::new(), Directive::Default),
    };
    (starting_with(&partial.typed, known), Directive::NoFileComp)
}

/// The platforms of the list. In a CSV list, those that it does not contain yet, after the typed ones.
fn platforms(typed: &str, is_list: bool) -> Vec<Candidate> {
    let begun = typed.rfind(',').filter(|_| is_list).map_or(0, |comma| comma + 1);
    let (done, current) = typed.split_at(begun);
    let known = platform::known_platforms();
    let fitting = known.iter().filter(|known| known.starts_with(current) && !done.split(',').any(|one| one == *known));
    fitting.map(|platform| Candidate { value: format!("{done}{platform}"), description: String::new() }).collect()
}

/// The words that the command may take next.
fn words(verb: &clap::Command, partial: &Partial, lists: &Lists<'_>) -> Candidates {
    let names = || references(&partial.typed, (lists.names)());
    let list = partial.words.first();
    let entries = || list.map(|list| references(&partial.typed, (lists.entries)(list))).unwrap_or_default();
    let is_new = |candidate: &Candidate| !partial.words.contains(&candidate.value);
    let found = match (verb.get_name(), partial.words.len()) {
        ("annotate" | "inspect" | "push" | "create" | "add" | "remove" | "exists" | "export", 0) => names(),
        ("annotate" | "inspect", 1) => entries(),
        ("remove", _) => {
            let platforms = list.map(|list| (lists.platforms)(list)).unwrap_or_default();
            let platforms = starting_with(&partial.typed, platforms.iter().map(String::as_str).collect());
            entries().into_iter().chain(platforms).filter(is_new).collect()
        }
        ("rm", _) if !partial.has("all") => names().into_iter().filter(is_new).collect(),
        ("shell-init", 0) => starting_with(&partial.typed, vec!["bash", "zsh", "fish", "sh"]),
        ("completion", 0) => starting_with(&partial.typed, vec!["bash", "zsh", "fish"]),
        ("man", 0) => verbs(&partial.typed),
        ("shim", 0) => starting_with(&partial.typed, vec!["install", "remove", "status"]),
        // An image in a registry: it can be neither looked up here nor a file.
        _ => Vec::new(),
    };
    (found, Directive::NoFileComp)
}

/// References in docker's short form, or in full if the typed text begins so.
fn references(typed: &str, full: Vec<String>) -> Vec<Candidate> {
    let spelt = full.iter().filter_map(|full| [familiar(full), full].into_iter().find(|name| name.starts_with(typed)));
    starting_with(typed, spelt.collect())
}

fn familiar(full: &str) -> &str {
    full.strip_prefix("docker.io/library/").or_else(|| full.strip_prefix("docker.io/")).unwrap_or(full)
}

fn starting_with(typed: &str, values: Vec<&str>) -> Vec<Candidate> {
    let values = values.into_iter().filter(|value| value.starts_with(typed));
    values.map(|value| Candidate { value: value.to_owned(), description: String::new() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Completes the last word of a line, which is empty behind a blank.
    fn complete(line: &str) -> (Vec<String>, String) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let lists = Lists {
            names: &|| vec!["docker.io/library/app:1".into(), "docker.io/me/app:1".into(), "h:5000/x:1".into()],
            entries: &|list| if list == "app:1" { vec!["h:5000/x:amd64".into()] } else { Vec::new() },
            platforms: &|list| if list == "app:1" { vec!["linux/amd64".into()] } else { Vec::new() },
        };
        let answer = answer(&words, false, &lists);
        let mut lines: Vec<String> = answer.stdout.lines().map(ToOwned::to_owned).collect();
        let directive = lines.pop().unwrap_or_default();
        (lines, directive)
    }

    #[test]
    fn local_lists_are_offered_where_a_list_is_wanted() {
        let all = ["app:1", "me/app:1", "h:5000/x:1"];
        for line in [
            "annotate ",
            "inspect -v ",
            "push -- ",
            "create -a ",
            "rm ",
            "add ",
            "remove ",
            "exists ",
            "export --local ",
            "apply --target ",
        ] {
            assert_eq!(complete(line), (all.map(String::from).to_vec(), ":4".to_owned()), "{line:?}");
        }
        assert_eq!(complete("push docker.io/m").0, ["docker.io/me/app:1"]);
        assert_eq!(complete("push h").0, ["h:5000/x:1"]);
        assert_eq!(complete("rm app:1 me/app:1 ").0, ["h:5000/x:1"]);
        assert_eq!(complete("push app:1 ").0, [""; 0]);
        for line in ["rm --all ", "ls ", "prune ", "platforms ", "check ", "apply ", "add l "] {
            assert_eq!(complete(line), (Vec::new(), ":4".to_owned()), "{line:?}");
        }
    }

    #[test]
    fn what_remove_takes_is_an_image_or_a_platform_of_the_list() {
        assert_eq!(complete("remove app:1 ").0, ["h:5000/x:amd64", "linux/amd64"]);
        assert_eq!(complete("remove app:1 linux/amd64 ").0, ["h:5000/x:amd64"]);
        assert_eq!(complete("remove app:2 ").0, [""; 0]);
    }

    #[test]
    fn values_that_are_one_of_a_few_are_offered() {
        let cases: [(&str, &[&str]); 8] = [
            ("push --type ", &["auto", "docker", "oci"]),
            ("apply --type=o", &["oci"]),
            ("push --format ", &["json", "markdown", "github"]),
            ("inspect --format t", &["table", "tree"]),
            ("ls --format=", &["table", "json"]),
            ("platforms --format ", &["text", "json"]),
            ("create --attestations ", &["keep", "drop"]),
            ("push -t ", &[]),
        ];
        for (line, expected) in cases {
            let (values, directive) = complete(line);
            assert!(values == expected && directive == ":4", "{line:?}: {values:?} {directive}");
        }
    }

    #[test]
    fn platforms_are_offered_behind_each_comma() {
        assert_eq!(complete("create --platform linux/arm6").0, ["linux/arm64", "linux/arm64/v8", "linux/arm64/v9"]);
        assert_eq!(complete("push --require=windows/arm6").0, ["windows/arm64"]);
        let behind = complete("apply --platforms linux/s390x,linux/amd64,linux/s");
        assert_eq!(behind, (Vec::new(), ":4".to_owned()), "linux/s390x is there already");
        assert_eq!(complete("push --require linux/amd64,linux/s").0, ["linux/amd64,linux/s390x"]);
        // One platform, not a list.
        assert_eq!(complete("inspect --platform linux/amd64,linux/s").0, [""; 0]);
    }

    #[test]
    fn a_file_is_the_shell_s_to_find() {
        for line in ["apply -f ", "apply --file x", "push --digest-file ", "push --metadata-file=", "export -o "] {
            assert_eq!(complete(line), (Vec::new(), ":0".to_owned()), "{line:?}");
        }
    }

    #[test]
    fn the_second_word_is_an_entry_of_the_list() {
        assert_eq!(complete("annotate app:1 --os linux ").0, ["h:5000/x:amd64"]);
        assert_eq!(complete("inspect app:2 ").0, [""; 0]);
        assert_eq!(complete("create app:1 "), (Vec::new(), ":4".to_owned()));
    }

    #[test]
    fn platforms_fit_what_is_already_there() {
        assert_eq!(complete("annotate --os wi").0, ["windows"]);
        assert_eq!(complete("annotate --os=l").0, ["linux"]);
        assert_eq!(complete("annotate --os=windows --arch ").0, ["386", "amd64", "arm", "arm64"]);
        assert_eq!(complete("annotate --arch arm64 --variant ").0, ["v8", "v9"]);
    }

    #[test]
    fn nothing_to_complete_is_cobra_s_error() {
        let lists = Lists { names: &Vec::new, entries: &|_| Vec::new(), platforms: &|_| Vec::new() };
        assert_eq!(answer(&[], true, &lists).exit_code, 1);
    }
}

//! Cobra's completion protocol, which docker's shell scripts use: one `value<TAB>description` per line, then `:N`, a
//! number that tells the shell what to do with them (`cobra/completions.go`; compared live with docker).

use std::fmt::Write;

use crate::cli::args::{self, Cursor, FlagKind, PartialCommandLine};
use crate::platform;

/// Lookups in the local store. Each is made only if it is needed.
pub struct DraftLookups<'a> {
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
pub fn complete(words: &[String], with_descriptions: bool, lookups: &DraftLookups<'_>) -> CompletionResult {
    let Some((current, before)) = words.split_last() else {
        let stderr = "requires at least 1 arg(s), only received 0\n".to_owned();
        return CompletionResult { stdout: String::new(), stderr, exit_code: 1 };
    };
    let mut stderr = String::new();
    let (candidates, directive) = match args::parse_partial(before, current) {
        Ok(partial) => candidates(&partial, lookups),
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

fn candidates(partial: &PartialCommandLine, lookups: &DraftLookups<'_>) -> Candidates {
    match (&partial.cursor, &partial.verb) {
        (Cursor::Command, _) => (verb_candidates(&partial.typed), Directive::NoFileComp),
        (Cursor::FlagName, Some(verb)) => (flag_candidates(verb, partial), Directive::NoFileComp),
        (Cursor::FlagName, None) => (Vec::new(), Directive::NoFileComp),
        (Cursor::FlagValue(flag), _) => value_candidates(flag, partial, lookups),
        (Cursor::Positional, Some(verb)) => positional_candidates(verb, partial, lookups),
        (Cursor::Positional, None) | (Cursor::AfterUnknownCommand, _) => (Vec::new(), Directive::Default),
    }
}

fn verb_candidates(typed: &str) -> Vec<Candidate> {
    let root = args::clap_command();
    let verbs = root.get_subcommands().filter(|verb| verb.get_name().starts_with(typed));
    let described = verbs.map(|verb| Candidate {
        value: verb.get_name().to_owned(),
        description: verb.get_about().map(ToString::to_string).unwrap_or_default(),
    });
    described.collect()
}

/// The flags that may still be given, long before short, by name.
fn flag_candidates(verb: &clap::Command, partial: &PartialCommandLine) -> Vec<Candidate> {
    let mut flags: Vec<_> = verb.get_arguments().filter(|flag| flag.get_long().is_some()).collect();
    flags.sort_by_key(|flag| flag.get_long());
    let mut candidates = Vec::new();
    for flag in flags {
        let long = flag.get_long().unwrap_or_default();
        if partial.is_changed(long) && !matches!(args::flag_kind(flag), FlagKind::StringSlice | FlagKind::StringArray) {
            continue;
        }
        let names = std::iter::once(format!("--{long}")).chain(flag.get_short().map(|short| format!("-{short}")));
        let description = flag.get_help().map(ToString::to_string).unwrap_or_default();
        candidates.extend(
            names
                .filter(|name| name.starts_with(&partial.typed))
                .map(|value| Candidate { value, description: description.clone() }),
        );
    }
    candidates
}

/// The values of a flag. If they are not known the shell offers files, as with docker.
fn value_candidates(flag: &str, partial: &PartialCommandLine, lookups: &DraftLookups<'_>) -> Candidates {
    let argument =
        partial.verb.iter().flat_map(|verb| verb.get_arguments()).find(|known| known.get_long() == Some(flag));
    let is_list = argument.is_some_and(|flag| args::flag_kind(flag) == FlagKind::StringSlice);
    let choices = argument.map(clap::Arg::get_possible_values).unwrap_or_default();
    if !choices.is_empty() {
        let choices = choices.iter().map(clap::builder::PossibleValue::get_name).collect();
        return (candidates_with_prefix(&partial.typed, choices), Directive::NoFileComp);
    }
    let known: Vec<&str> = match flag {
        "platform" | "platforms" | "require" => {
            return (platform_candidates(&partial.typed, is_list), Directive::NoFileComp);
        }
        "target" => return (reference_candidates(&partial.typed, (lookups.names)()), Directive::NoFileComp),
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
    (candidates_with_prefix(&partial.typed, known), Directive::NoFileComp)
}

/// The platforms of the list. In a CSV list, those that it does not contain yet, after the typed ones.
fn platform_candidates(typed: &str, is_list: bool) -> Vec<Candidate> {
    let start = typed.rfind(',').filter(|_| is_list).map_or(0, |comma| comma + 1);
    let (listed, current) = typed.split_at(start);
    let known = platform::known_platforms();
    let fitting = known
        .iter()
        .filter(|known| known.starts_with(current) && !listed.split(',').any(|platform| platform == *known));
    fitting.map(|platform| Candidate { value: format!("{listed}{platform}"), description: String::new() }).collect()
}

/// The words that the command may take next.
fn positional_candidates(verb: &clap::Command, partial: &PartialCommandLine, lookups: &DraftLookups<'_>) -> Candidates {
    let names = || reference_candidates(&partial.typed, (lookups.names)());
    let list = partial.positionals.first();
    let entries = || list.map(|list| reference_candidates(&partial.typed, (lookups.entries)(list))).unwrap_or_default();
    let is_new = |candidate: &Candidate| !partial.positionals.contains(&candidate.value);
    let candidates = match (verb.get_name(), partial.positionals.len()) {
        ("annotate" | "inspect" | "push" | "create" | "add" | "remove" | "exists" | "export", 0) => names(),
        ("annotate" | "inspect", 1) => entries(),
        ("remove", _) => {
            let platforms = list.map(|list| (lookups.platforms)(list)).unwrap_or_default();
            let platforms = candidates_with_prefix(&partial.typed, platforms.iter().map(String::as_str).collect());
            entries().into_iter().chain(platforms).filter(is_new).collect()
        }
        ("rm", _) if !partial.is_changed("all") => names().into_iter().filter(is_new).collect(),
        ("shell-init", 0) => candidates_with_prefix(&partial.typed, vec!["bash", "zsh", "fish", "sh"]),
        ("completion", 0) => candidates_with_prefix(&partial.typed, vec!["bash", "zsh", "fish"]),
        ("man", 0) => verb_candidates(&partial.typed),
        ("shim", 0) => candidates_with_prefix(&partial.typed, vec!["install", "remove", "status"]),
        // An image in a registry: it can be neither looked up here nor a file.
        _ => Vec::new(),
    };
    (candidates, Directive::NoFileComp)
}

/// References in docker's short form, or in full if the typed text begins so.
fn reference_candidates(typed: &str, full: Vec<String>) -> Vec<Candidate> {
    let names = full.iter().filter_map(|full| [familiar(full), full].into_iter().find(|name| name.starts_with(typed)));
    candidates_with_prefix(typed, names.collect())
}

fn familiar(full: &str) -> &str {
    full.strip_prefix("docker.io/library/").or_else(|| full.strip_prefix("docker.io/")).unwrap_or(full)
}

fn candidates_with_prefix(typed: &str, values: Vec<&str>) -> Vec<Candidate> {
    let values = values.into_iter().filter(|value| value.starts_with(typed));
    values.map(|value| Candidate { value: value.to_owned(), description: String::new() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Completes the last word of a line, which is empty behind a blank.
    fn complete_line(line: &str) -> (Vec<String>, String) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let lookups = DraftLookups {
            names: &|| vec!["docker.io/library/app:1".into(), "docker.io/me/app:1".into(), "h:5000/x:1".into()],
            entries: &|list| if list == "app:1" { vec!["h:5000/x:amd64".into()] } else { Vec::new() },
            platforms: &|list| if list == "app:1" { vec!["linux/amd64".into()] } else { Vec::new() },
        };
        let result = complete(&words, false, &lookups);
        let mut lines: Vec<String> = result.stdout.lines().map(ToOwned::to_owned).collect();
        let directive = lines.pop().unwrap_or_default();
        (lines, directive)
    }

    #[test]
    fn list_arguments_complete_local_lists() {
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
            assert_eq!(complete_line(line), (all.map(String::from).to_vec(), ":4".to_owned()), "{line:?}");
        }
        assert_eq!(complete_line("push docker.io/m").0, ["docker.io/me/app:1"]);
        assert_eq!(complete_line("push h").0, ["h:5000/x:1"]);
        assert_eq!(complete_line("rm app:1 me/app:1 ").0, ["h:5000/x:1"]);
        assert_eq!(complete_line("push app:1 ").0, [""; 0]);
        for line in ["rm --all ", "ls ", "prune ", "platforms ", "check ", "apply ", "add l "] {
            assert_eq!(complete_line(line), (Vec::new(), ":4".to_owned()), "{line:?}");
        }
    }

    #[test]
    fn remove_completes_images_and_platforms_of_the_list() {
        assert_eq!(complete_line("remove app:1 ").0, ["h:5000/x:amd64", "linux/amd64"]);
        assert_eq!(complete_line("remove app:1 linux/amd64 ").0, ["h:5000/x:amd64"]);
        assert_eq!(complete_line("remove app:2 ").0, [""; 0]);
    }

    #[test]
    fn flags_with_fixed_values_complete_them() {
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
            let (values, directive) = complete_line(line);
            assert!(values == expected && directive == ":4", "{line:?}: {values:?} {directive}");
        }
    }

    #[test]
    fn platform_lists_complete_after_each_comma() {
        assert_eq!(
            complete_line("create --platform linux/arm6").0,
            ["linux/arm64", "linux/arm64/v8", "linux/arm64/v9"]
        );
        assert_eq!(complete_line("push --require=windows/arm6").0, ["windows/arm64"]);
        let after_two = complete_line("apply --platforms linux/s390x,linux/amd64,linux/s");
        assert_eq!(after_two, (Vec::new(), ":4".to_owned()), "linux/s390x is there already");
        assert_eq!(complete_line("push --require linux/amd64,linux/s").0, ["linux/amd64,linux/s390x"]);
        // One platform, not a list.
        assert_eq!(complete_line("inspect --platform linux/amd64,linux/s").0, [""; 0]);
    }

    #[test]
    fn file_flags_leave_completion_to_the_shell() {
        for line in ["apply -f ", "apply --file x", "push --digest-file ", "push --metadata-file=", "export -o "] {
            assert_eq!(complete_line(line), (Vec::new(), ":0".to_owned()), "{line:?}");
        }
    }

    #[test]
    fn annotate_and_inspect_complete_entries_of_the_list() {
        assert_eq!(complete_line("annotate app:1 --os linux ").0, ["h:5000/x:amd64"]);
        assert_eq!(complete_line("inspect app:2 ").0, [""; 0]);
        assert_eq!(complete_line("create app:1 "), (Vec::new(), ":4".to_owned()));
    }

    #[test]
    fn architectures_and_variants_complete_by_the_flags_before_them() {
        assert_eq!(complete_line("annotate --os wi").0, ["windows"]);
        assert_eq!(complete_line("annotate --os=l").0, ["linux"]);
        assert_eq!(complete_line("annotate --os=windows --arch ").0, ["386", "amd64", "arm", "arm64"]);
        assert_eq!(complete_line("annotate --arch arm64 --variant ").0, ["v8", "v9"]);
    }

    #[test]
    fn completion_without_a_word_is_the_error_of_cobra() {
        let lookups = DraftLookups { names: &Vec::new, entries: &|_| Vec::new(), platforms: &|_| Vec::new() };
        assert_eq!(complete(&[], true, &lookups).exit_code, 1);
    }
}

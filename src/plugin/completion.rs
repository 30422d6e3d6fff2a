//! Cobra's completion protocol, which docker's shell scripts speak: one `value<TAB>description` a line, then `:N`, a
//! number that says what the shell should do with them (`cobra/completions.go`; compared live with docker's answers).

use std::fmt::Write;

use crate::args::{self, Cursor, Kind, Partial};
use crate::platform;

/// What the local store knows, looked up only when it is needed.
pub struct Lists<'a> {
    /// The names of all local lists, normalised.
    pub names: &'a dyn Fn() -> Vec<String>,
    /// The images in the list of this name as typed, normalised; none if there is no such list.
    pub entries: &'a dyn Fn(&str) -> Vec<String>,
}

/// What to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The candidates and the directive.
    pub stdout: String,
    /// What cobra tells whoever debugs a completion.
    pub stderr: String,
    /// 0, or 1 where there is no word to complete.
    pub exit_code: u8,
}

/// Cobra's directives, as far as they are used.
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

/// Completes a command line whose last word is the one at the cursor.
pub fn answer(words: &[String], with_descriptions: bool, lists: &Lists<'_>) -> Answer {
    let Some((current, before)) = words.split_last() else {
        let stderr = "requires at least 1 arg(s), only received 0\n".to_owned();
        return Answer { stdout: String::new(), stderr, exit_code: 1 };
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
    Answer { stdout, stderr, exit_code: 0 }
}

fn candidates(partial: &Partial, lists: &Lists<'_>) -> Candidates {
    match (&partial.cursor, &partial.verb) {
        (Cursor::Verb, _) => (verbs(&partial.typed), Directive::NoFileComp),
        (Cursor::FlagName, Some(verb)) => (flags(verb, partial), Directive::NoFileComp),
        (Cursor::FlagName, None) => (Vec::new(), Directive::NoFileComp),
        (Cursor::FlagValue(flag), _) => values(flag, partial),
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
        if partial.has(long) && !matches!(args::kind(flag), Kind::List | Kind::Texts) {
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

/// The values of a flag; where they are not known the shell does as it likes, as with docker.
fn values(flag: &str, partial: &Partial) -> Candidates {
    let known: Vec<&str> = match flag {
        "os" => platform::known_operating_systems().collect(),
        "arch" => platform::known_architectures(partial.value("os")),
        "variant" => match partial.value("arch") {
            Some("arm") => vec!["v5", "v6", "v7", "v8"],
            Some("arm64") => vec!["v8", "v9"],
            Some("amd64") => vec!["v2", "v3", "v4"],
            Some(_) => Vec::new(),
            None => vec!["v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"],
        },
        "os-features" => vec!["win32k"],
        "os-version" => Vec::new(),
        _ => return (Vec::new(), Directive::Default),
    };
    (starting_with(&partial.typed, known), Directive::NoFileComp)
}

/// What may stand in the verb's next place.
fn words(verb: &clap::Command, partial: &Partial, lists: &Lists<'_>) -> Candidates {
    let names = || references(&partial.typed, (lists.names)());
    let entries = || match partial.words.first() {
        Some(list) => references(&partial.typed, (lists.entries)(list)),
        None => Vec::new(),
    };
    let found = match (verb.get_name(), partial.words.len()) {
        ("annotate" | "inspect" | "push" | "create", 0) => names(),
        ("annotate" | "inspect", 1) => entries(),
        ("rm", _) => names().into_iter().filter(|name| !partial.words.contains(&name.value)).collect(),
        ("shell-init", 0) => starting_with(&partial.typed, vec!["bash", "zsh", "fish"]),
        // An image in a registry: nothing here knows which there are, and it is no file either.
        _ => Vec::new(),
    };
    (found, Directive::NoFileComp)
}

/// References as docker shows them, or in full where that is what has been begun.
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

    fn complete(words: &[&str]) -> (Vec<String>, String) {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let lists = Lists {
            names: &|| vec!["docker.io/library/app:1".into(), "docker.io/me/app:1".into(), "h:5000/x:1".into()],
            entries: &|list| if list == "app:1" { vec!["h:5000/x:amd64".into()] } else { Vec::new() },
        };
        let answer = answer(&words, false, &lists);
        let mut lines: Vec<String> = answer.stdout.lines().map(ToOwned::to_owned).collect();
        let directive = lines.pop().unwrap_or_default();
        (lines, directive)
    }

    #[test]
    fn local_lists_are_offered_where_a_list_is_wanted() {
        let all = ["app:1", "me/app:1", "h:5000/x:1"];
        for before in [&["annotate"][..], &["inspect", "-v"], &["push", "--"], &["create", "-a"], &["rm"]] {
            let line: Vec<&str> = before.iter().copied().chain([""]).collect();
            assert_eq!(complete(&line), (all.map(String::from).to_vec(), ":4".to_owned()), "{line:?}");
        }
        assert_eq!(complete(&["push", "docker.io/m"]).0, ["docker.io/me/app:1"]);
        assert_eq!(complete(&["push", "h"]).0, ["h:5000/x:1"]);
        assert_eq!(complete(&["rm", "app:1", "me/app:1", ""]).0, ["h:5000/x:1"]);
        assert_eq!(complete(&["push", "app:1", ""]).0, [""; 0]);
    }

    #[test]
    fn the_second_word_is_an_entry_of_the_list() {
        assert_eq!(complete(&["annotate", "app:1", "--os", "linux", ""]).0, ["h:5000/x:amd64"]);
        assert_eq!(complete(&["inspect", "app:2", ""]).0, [""; 0]);
        assert_eq!(complete(&["create", "app:1", ""]), (Vec::new(), ":4".to_owned()));
    }

    #[test]
    fn platforms_fit_what_is_already_there() {
        assert_eq!(complete(&["annotate", "--os", "w"]).0, ["windows"]);
        assert_eq!(complete(&["annotate", "--os=l"]).0, ["linux"]);
        assert_eq!(complete(&["annotate", "--os=windows", "--arch", ""]).0, ["386", "amd64"]);
        assert_eq!(complete(&["annotate", "--arch", "arm64", "--variant", ""]).0, ["v8", "v9"]);
    }

    #[test]
    fn nothing_to_complete_is_cobra_s_error() {
        let lists = Lists { names: &Vec::new, entries: &|_| Vec::new() };
        assert_eq!(answer(&[], true, &lists).exit_code, 1);
    }
}

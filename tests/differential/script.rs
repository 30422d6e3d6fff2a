//! The language that the scripts are written in: one line a step.
//!
//! A line is the arguments after `docker manifest`, split at blanks (`'…'` keeps blanks, `''` is an empty argument).
//! A line that starts with `>` is the whole command line after the program's name, `> --debug manifest inspect x`.
//! A line that starts with `?` compares the exit code and which streams were used, not the texts.
//! A line that starts with `!` changes the world around the tools:
//!
//! - `!file PATH TEXT` writes a file of the store · `!edit PATH FROM => TO` changes one · `!mkdir PATH` · `!rm PATH` ·
//!   `!rm-store` (PATH is relative to the store)
//! - `!old PATH THING` writes an entry as docker wrote them before it had descriptors
//! - `!config TEXT` writes config.json · `!set VAR VALUE` · `!unset VAR`
//! - `!seed REPO:TAG THING` pushes a thing of the seed content once more, to a repository of the script's own
//! - `!drop-blob REPO THING` deletes a thing's last layer there · `!drop-manifest REPO THING` deletes its manifest
//! - `!served REPO:TAG` has what is served there compared at the end, as is done for the target of every push
//!
//! Placeholders: `{R}` the registry's host, `{S}` the same as it stands in a file name, `{N}` the script's name, `{T}`
//! is `{R}/{N}`, `{L}` is `localhost:PORT`, `{C}` an empty directory, `{V6}` a registry on `[::1]`, `{VS}` its file
//! name, `{D:THING}` a thing's digest, `{H:THING}` its hex digits, `{B:THING}` its manifest in base64, `{x:N}` the
//! letter x so many times.

/// One script: a name that is also a repository name, and its lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) lines: &'static [&'static str],
}

/// A script of these lines.
pub(super) const fn script(name: &'static str, lines: &'static [&'static str]) -> Script {
    Script { name, lines }
}

/// One line, understood; placeholders are filled in already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Run { args: Vec<String>, ignores_text: bool },
    Config { text: String },
    Set { variable: String, value: String },
    Unset { variable: String },
    File { path: String, text: String },
    Edit { path: String, from: String, to: String },
    Mkdir { path: String },
    Remove { path: String },
    RemoveStore,
    OldEntry { path: String, pushable: String },
    Seed { target: String, pushable: String },
    DropBlob { repo: String, pushable: String },
    DropManifest { repo: String, pushable: String },
    RecordServed { target: String },
}

/// Reads one line.
pub(super) fn parse(line: &str) -> Step {
    let Some(order) = line.strip_prefix('!') else {
        let (ignores_text, line) = line.strip_prefix('?').map_or((false, line), |rest| (true, rest));
        let args = match line.strip_prefix('>') {
            Some(whole) => split(whole),
            None => std::iter::once("manifest".to_owned()).chain(split(line)).collect(),
        };
        return Step::Run { args, ignores_text };
    };
    let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
    let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
    let (first, second) = (first.to_owned(), second.to_owned());
    match verb {
        "file" => Step::File { path: first, text: second },
        "edit" => {
            let (from, to) = second.split_once(" => ").expect("!edit PATH FROM => TO");
            Step::Edit { path: first, from: from.to_owned(), to: to.to_owned() }
        }
        "config" => Step::Config { text: rest.to_owned() },
        "set" => Step::Set { variable: first, value: second },
        "unset" => Step::Unset { variable: first },
        "mkdir" => Step::Mkdir { path: first },
        "rm" => Step::Remove { path: first },
        "rm-store" => Step::RemoveStore,
        "old" => Step::OldEntry { path: first, pushable: second },
        "seed" => Step::Seed { target: first, pushable: second },
        "drop-blob" => Step::DropBlob { repo: first, pushable: second },
        "drop-manifest" => Step::DropManifest { repo: first, pushable: second },
        "served" => Step::RecordServed { target: first },
        _ => panic!("no such step: {line}"),
    }
}

fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut open, mut quoted) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, open) = (!quoted, true),
            ' ' if !quoted => {
                if open {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            c => {
                word.push(c);
                open = true;
            }
        }
    }
    assert!(!quoted, "a quote is open in {line}");
    if open {
        words.push(word);
    }
    words
}

#[test]
fn script_lines_are_parsed() {
    let run = |args: &[&str]| Step::Run { args: args.iter().map(|a| (*a).to_owned()).collect(), ignores_text: false };
    assert_eq!(parse("> -D manifest 'x'"), run(&["-D", "manifest", "x"]));
    assert_eq!(parse("create  a 'b c' '' d='e f'"), run(&["manifest", "create", "a", "b c", "", "d=e f"]));
    assert_eq!(parse(""), run(&["manifest"]));
    assert_eq!(parse("?--help"), Step::Run { args: vec!["manifest".into(), "--help".into()], ignores_text: true });
    assert_eq!(
        parse("!edit a/b \"x\" => \"y\" "),
        Step::Edit { path: "a/b".into(), from: "\"x\"".into(), to: "\"y\" ".into() }
    );
}

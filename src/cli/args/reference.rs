//! The reference of commands and flags as Markdown, made of the same data as `--help` and the manual pages. The page
//! that is kept as `docs/reference.md` is this; a test compares them.

use std::fmt::Write;

use clap::Command;

use super::{examples, help, topics};

const PROGRAM: &str = "docker-manifest";

/// The whole page; with a command only the section about it. `None` for an unknown command.
pub fn reference(command: Option<&str>) -> Option<String> {
    let root = super::syntax();
    match command {
        Some(command) => root.find_subcommand(command).map(|verb| of_verb(&root, verb)),
        None => Some(page(&root)),
    }
}

fn page(root: &Command) -> String {
    let mut text = format!(
        "# Reference\n\n<!-- Made by `make reference`; changes here are lost. -->\n\n\
         Every command and flag, as `--help` and the manual pages have them. The [guide](guide.md) explains them.\n\n\
         {}\n\n## Commands\n",
        help::OVERVIEW
    );
    for (group, verbs) in help::groups(root) {
        table(
            &mut text,
            &["command", "what it does"],
            verbs.iter().map(|verb| [link(verb), plain(&about(verb))]),
            group,
        );
    }
    let options = help::GLOBALS.iter().map(|(option, what)| [code(option.trim_start()), plain(what)]);
    let title = "Options before the command";
    table(&mut text, &["option", "what it does"], options, title);
    let _ = write!(text, "\n`--color` and `--debug` may stand behind the command too.\n\n");
    text.push_str(&lines(examples::OVERVIEW));
    for (_, verbs) in help::groups(root) {
        for verb in verbs {
            let _ = write!(text, "\n{}", of_verb(root, verb));
        }
    }
    for (title, head, rows) in [
        ("Exit codes", "code", topics::EXIT_CODES),
        ("Environment", "variable", topics::ENVIRONMENT),
        ("Files", "file", topics::FILES),
    ] {
        let _ = write!(text, "\n## {title}\n\n");
        rows_of(&mut text, &[head, "meaning"], rows.iter().map(|(name, what)| [code(name), plain(what)]));
    }
    text
}

fn of_verb(root: &Command, verb: &Command) -> String {
    let called = help::Called { name: PROGRAM, root, is_verb: false };
    let usage = called.usage(Some(verb));
    let mut text = format!("## {}\n\n{}.\n\n    {usage}\n", verb.get_name(), plain(&about(verb)));
    let words = verb.get_positionals().map(|word| {
        let name = word.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        [code(&name.unwrap_or_default()), plain(&word.get_help().map(ToString::to_string).unwrap_or_default())]
    });
    let options = help::option_rows(verb);
    let options = options.iter().map(|(option, what)| [code(option.trim_start()), plain(what)]);
    for (head, rows) in [("word", words.collect::<Vec<_>>()), ("option", options.collect())] {
        if !rows.is_empty() {
            text.push('\n');
            rows_of(&mut text, &[head, "meaning"], rows.into_iter());
        }
    }
    if let Some(examples) = verb.get_after_help() {
        let _ = write!(text, "\n{}", lines(&examples.to_string()));
    }
    text
}

fn about(verb: &Command) -> String {
    verb.get_about().map(ToString::to_string).unwrap_or_default()
}

/// Examples, as a block of code.
fn lines(examples: &str) -> String {
    examples.lines().map(|line| format!("    {}\n", line.replace("{name}", PROGRAM))).collect()
}

fn link(verb: &Command) -> String {
    let name = verb.get_name();
    format!("[{name}](#{name})")
}

fn table(text: &mut String, head: &[&str; 2], rows: impl Iterator<Item = [String; 2]>, title: &str) {
    let _ = write!(text, "\n### {title}\n\n");
    rows_of(text, head, rows);
}

fn rows_of(text: &mut String, head: &[&str; 2], rows: impl Iterator<Item = [String; 2]>) {
    let [left, right] = head;
    let _ = writeln!(text, "| {left} | {right} |\n| --- | --- |");
    for [left, right] in rows {
        let _ = writeln!(text, "| {left} | {right} |");
    }
}

/// Code in a cell of a table, where a bar ends the cell even so (GitHub Flavored Markdown, "Tables").
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// Text in a cell of a table.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '|' | '<' | '*' | '`' | '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

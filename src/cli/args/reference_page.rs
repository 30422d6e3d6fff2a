//! The reference of commands and flags as Markdown, made of the same data as `--help` and the manual pages. The page
//! that is kept as `docs/reference.md` is this; a test compares them.

use std::fmt::Write;

use clap::Command;

use super::{examples, help, help_lists};

const PROGRAM: &str = "docker-manifest";

/// The whole page; with a command only the section about it. `None` for an unknown command.
pub fn reference_page(command: Option<&str>) -> Option<String> {
    let root = super::clap_command();
    match command {
        Some(command) => root.find_subcommand(command).map(|verb| command_section(&root, verb)),
        None => Some(whole_page(&root)),
    }
}

fn whole_page(root: &Command) -> String {
    let mut text = format!(
        "# Reference\n\n<!-- Made by `make reference`; changes here are lost. -->\n\n\
         Every command and flag, as `--help` and the manual pages have them. The [guide](guide.md) explains them.\n\n\
         {}\n\n## Commands\n",
        help::OVERVIEW
    );
    for (group, verbs) in help::groups(root) {
        let rows = verbs.iter().map(|verb| [format!("[{0}](#{0})", verb.get_name()), escape(&help::about(verb))]);
        table(&mut text, &format!("\n### {group}\n"), ["command", "what it does"], rows);
    }
    let title = "\n### Options before the command\n";
    table(&mut text, title, ["option", "what it does"], escaped_cells(&help::GLOBALS));
    let _ = write!(text, "\n`--color` and `--debug` may also follow the command.\n\n");
    text.push_str(&example_block(examples::OVERVIEW));
    for (_, verbs) in help::groups(root) {
        for verb in verbs {
            let _ = write!(text, "\n{}", command_section(root, verb));
        }
    }
    for (title, head, rows) in [
        ("Exit codes", "code", help_lists::EXIT_CODES),
        ("Environment", "variable", help_lists::ENVIRONMENT),
        ("Files", "file", help_lists::FILES),
    ] {
        table(&mut text, &format!("\n## {title}\n"), [head, "meaning"], escaped_cells(rows));
    }
    text
}

fn command_section(root: &Command, verb: &Command) -> String {
    let program = help::Program { name: PROGRAM, root, is_single_command: false };
    let usage = program.usage(Some(verb));
    let mut text = format!("## {}\n\n{}.\n\n    {usage}\n", verb.get_name(), escape(&help::about(verb)));
    for (head, rows) in [("argument", help::positional_rows(verb)), ("option", help::option_rows(verb))] {
        if !rows.is_empty() {
            table(&mut text, "", [head, "meaning"], escaped_cells(&rows));
        }
    }
    if let Some(examples) = verb.get_after_help() {
        let _ = write!(text, "\n{}", example_block(&examples.to_string()));
    }
    text
}

/// Examples, as a block of code.
fn example_block(examples: &str) -> String {
    examples.lines().map(|line| format!("    {}\n", line.replace("{name}", PROGRAM))).collect()
}

/// Names as code, and what they mean.
fn escaped_cells<S: AsRef<str>>(rows: &[(S, S)]) -> impl Iterator<Item = [String; 2]> {
    rows.iter().map(|(name, meaning)| [code_cell(name.as_ref().trim_start()), escape(meaning.as_ref())])
}

fn table(text: &mut String, title: &str, [left, right]: [&str; 2], rows: impl Iterator<Item = [String; 2]>) {
    let _ = writeln!(text, "{title}\n| {left} | {right} |\n| --- | --- |");
    for [left, right] in rows {
        let _ = writeln!(text, "| {left} | {right} |");
    }
}

/// Code in a cell of a table, where a bar ends the cell even so (GitHub Flavored Markdown, "Tables").
fn code_cell(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// Text in a cell of a table.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '|' | '<' | '*' | '`' | '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

//! Manual pages, made of the same data as `--help`: one for the program, and one for each command.

use clap::Command;
use roff::{Roff, bold, italic, roman};

use super::{examples, help, help_lists};

/// The name of the program's own page; a command's adds `-COMMAND`.
const PROGRAM: &str = "docker-manifest";

/// The manual's section: commands of users.
const MANUAL_SECTION: &str = "1";

/// A manual page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManPage {
    /// Its name: `docker-manifest-create`.
    pub name: String,
    /// Its text in man(7).
    pub text: String,
}

impl ManPage {
    /// The file that `man` looks for.
    pub fn file_name(&self) -> String {
        format!("{}.{MANUAL_SECTION}", self.name)
    }
}

/// Every page, the program's own first. `date` is the day that the program is from.
pub fn manual_pages(date: &str) -> Vec<ManPage> {
    let root = super::clap_command();
    let verbs = root.get_subcommands().map(|verb| command_page(&root, verb, date));
    std::iter::once(program_page(&root, date)).chain(verbs).collect()
}

/// The beginning of the page of a command, or of the program: name, synopsis and description.
fn begin_page(root: &Command, verb: Option<&Command>, date: &str, about: &str, description: String) -> (String, Roff) {
    let name = verb.map_or(PROGRAM.to_owned(), |verb| format!("{PROGRAM}-{}", verb.get_name()));
    let mut roff = Roff::new();
    // A page without a date would have the version in the date's place.
    let date = if date.is_empty() { "undated" } else { date };
    let version = concat!("docker-manifest ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [name.to_uppercase().as_str(), MANUAL_SECTION, date, version, "docker-manifest manual"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{name} - {}", first_lower(about)))]);
    let usage = help::Program { name: PROGRAM, root, is_single_command: false }.usage(verb);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(PROGRAM), roman(usage.strip_prefix(PROGRAM).unwrap_or(&usage))]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(description)]);
    (name, roff)
}

/// `Create a list` as the line of a page's name has it: `create a list`.
fn first_lower(about: &str) -> String {
    let mut letters = about.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn command_page(root: &Command, verb: &Command, date: &str) -> ManPage {
    let about = help::about(verb);
    let (name, mut roff) = begin_page(root, Some(verb), date, &about, format!("{about}."));
    help::positional_rows(verb).iter().for_each(|(name, text)| entry(&mut roff, name, text));
    let options = help::option_rows(verb);
    if !options.is_empty() {
        roff.control("SH", ["OPTIONS"]);
        options.iter().for_each(|(option, text)| entry(&mut roff, option.trim_start(), text));
    }
    if let Some(lines) = verb.get_after_help() {
        example_lines(&mut roff, &lines.to_string());
    }
    table(&mut roff, "EXIT STATUS", help_lists::EXIT_CODES);
    see_also(&mut roff, [PROGRAM.to_owned()]);
    ManPage { name, text: roff.render() }
}

fn program_page(root: &Command, date: &str) -> ManPage {
    let about = "Create, edit, publish and show multi-platform images";
    let (name, mut roff) = begin_page(root, None, date, about, help::OVERVIEW.replace('\n', " "));
    for (group, verbs) in help::groups(root) {
        roff.control("SS", [group]);
        for verb in verbs {
            entry(&mut roff, &format!("{PROGRAM} {}", verb.get_name()), &help::about(verb));
        }
    }
    roff.control("SH", ["OPTIONS"]);
    help::GLOBALS.iter().for_each(|(option, text)| entry(&mut roff, option.trim_start(), text));
    example_lines(&mut roff, examples::OVERVIEW);
    table(&mut roff, "EXIT STATUS", help_lists::EXIT_CODES);
    table(&mut roff, "ENVIRONMENT", help_lists::ENVIRONMENT);
    table(&mut roff, "FILES", help_lists::FILES);
    see_also(&mut roff, root.get_subcommands().map(|verb| format!("{PROGRAM}-{}", verb.get_name())));
    ManPage { name, text: roff.render() }
}

fn entry(roff: &mut Roff, name: &str, text: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(text)]);
}

fn table(roff: &mut Roff, title: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [title]);
    rows.iter().for_each(|(name, text)| entry(roff, name, text));
}

fn example_lines(roff: &mut Roff, lines: &str) {
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line.replace("{name}", PROGRAM))]);
    }
    roff.control("fi", []);
}

fn see_also(roff: &mut Roff, names: impl IntoIterator<Item = String>) {
    roff.control("SH", ["SEE ALSO"]);
    let names = names.into_iter().map(|name| format!("{name}({MANUAL_SECTION})")).collect::<Vec<_>>();
    roff.text([italic(names.join(", "))]);
}

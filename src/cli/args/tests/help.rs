//! What help and the manual pages print.

use super::*;

#[test]
fn overview_lists_every_command_once_in_one_column() {
    let Ok(CliRequest::Help { text, requested: true }) = parse("docker manifest", &words(&["--help"])) else {
        panic!()
    };
    let (commands, rest) = text.split_once("\nExamples:\n").unwrap();
    let rows: Vec<&str> = commands.lines().filter(|row| row.starts_with("  ")).collect();
    let mut names: Vec<&str> = rows.iter().filter_map(|row| row.split_whitespace().next()).collect();
    names.sort_unstable();
    let root = clap_command();
    let mut verbs: Vec<&str> = root.get_subcommands().map(clap::Command::get_name).collect();
    verbs.sort_unstable();
    assert_eq!(names, verbs);
    let columns: Vec<bool> = rows.iter().map(|row| row.is_char_boundary(14) && !row[14..].starts_with(' ')).collect();
    assert!(columns.iter().all(|fits| *fits), "{text}");
    for title in ["Drafts:", "Publishing:", "Inspecting:", "Registries:"] {
        assert!(commands.contains(&format!("\n{title}\n")), "{text}");
    }
    assert!(rest.contains("\nExit Codes:\n  0 ") && rest.contains("\n  NO_COLOR, TERM "), "{text}");
}

/// A page has what the help has: usage, arguments, options in their order, examples.
#[test]
fn each_manual_page_has_what_the_help_has() {
    let pages = manual_pages("2026-11-27");
    let root = clap_command();
    assert_eq!(pages.len(), root.get_subcommands().count() + 1);
    for page in pages {
        assert_eq!(page.file_name(), format!("{}.1", page.name));
        assert!(page.text.contains("2026"), "{}", page.text);
        // What roff escapes, read back: dashes, quotes, dots at the start of a line, fonts.
        let mut text = page.text.replace("\\-", "-").replace("\\&", "").replace("\\*(Aq", "'");
        for font in ["\\fB", "\\fI", "\\fR"] {
            text = text.replace(font, "");
        }
        let text = text.replace("\\\\", "\\");
        let verb = page.name.strip_prefix("docker-manifest-");
        let line: Vec<String> = verb.into_iter().map(str::to_owned).chain(["--help".to_owned()]).collect();
        let Ok(CliRequest::Help { text: help, .. }) = parse("docker-manifest", &line) else { panic!("{line:?}") };
        let mut from = 0;
        let mut rows = 0;
        let usage = help.lines().next().and_then(|line| line.strip_prefix("Usage:  "));
        let options = help.lines().filter(|row| row.starts_with("  -") || row.starts_with("      --"));
        let examples = help.split("\nExamples:\n").nth(1).unwrap();
        let examples = examples.lines().take_while(|line| !line.is_empty());
        // An option and its text are two lines of a page.
        let cells = options.flat_map(|row| row.trim().split("   ").map(str::trim).filter(|cell| !cell.is_empty()));
        for piece in usage.into_iter().chain(cells).chain(examples.map(str::trim)) {
            let at = text[from..].find(piece);
            assert!(at.is_some(), "{}: {piece} is missing, or out of its order, in\n{text}", page.name);
            from += at.unwrap();
            rows += 1;
        }
        assert!(rows > 1, "{}", page.name);
    }
}

//! Lines have up to 120 columns. rustfmt holds code to that and leaves comments and texts alone.

use std::path::{Path, PathBuf};

const COLUMNS_MAX: usize = 120;

/// The files of a directory and of those in it.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_too_long(line: &str) -> bool {
    line.chars().count() > COLUMNS_MAX
}

#[test]
fn lines_of_code_comments_and_texts_are_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut long, mut number) = (Vec::new(), Vec::new(), 0);
    for dir in ["src", "tests", "scripts", "benches", "examples"] {
        files(&root.join(dir), &mut found);
    }
    let is_code = |path: &PathBuf| {
        let is_kept = path.components().any(|part| part.as_os_str() == "fixtures");
        !is_kept && path.extension().is_none_or(|extension| extension == "rs")
    };
    for path in found.iter().filter(|path| is_code(path)) {
        let text = text_of(path);
        let lines = text.lines().enumerate().inspect(|_| number += 1);
        let name = path.strip_prefix(root).unwrap_or(path).display();
        long.extend(lines.filter(|(_, line)| is_too_long(line)).map(|(at, line)| format!("{name}:{}: {line}", at + 1)));
    }
    assert!(long.is_empty(), "over {COLUMNS_MAX} columns: {long:#?}");
    assert!(number > 50_000, "{number} lines");
}

#[test]
fn lines_of_prose_are_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for dir in ["docs", "findings", "tests"] {
        files(&root.join(dir), &mut found);
    }
    found.extend(
        ["README", "SECURITY", "CONTRIBUTING", "CHANGELOG", "store-format"]
            .map(|name| root.join(name).with_extension("md")),
    );
    // The reference is generated from the help texts.
    let is_prose =
        |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("reference.md");
    let (mut long, mut number) = (Vec::new(), 0);
    for path in found.iter().filter(|path| is_prose(path)) {
        let text = text_of(path);
        let mut is_code = false;
        for line in text.lines() {
            is_code ^= line.trim_start().starts_with("```");
            number += 1;
            // Tables and code cannot be wrapped.
            if is_too_long(line) && !is_code && !line.starts_with("    ") && !line.trim_start().starts_with('|') {
                long.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "over {COLUMNS_MAX} columns: {long:#?}");
    assert!(number > 2_000, "{number} lines");
}

#[test]
fn long_lines_are_found() {
    let word = "x".repeat(COLUMNS_MAX);
    for (line, expected) in [
        (word.clone(), false),
        (format!("{word}y"), true),
        (format!("f(\"{word}\")"), true),
        (format!("// \"{word}\""), true),
    ] {
        assert_eq!(is_too_long(&line), expected, "{line}");
    }
}

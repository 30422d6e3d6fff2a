//! The picture in the house rules, executable: imports go down only, the modules of a directory have no cycle, and
//! every top-level module has its place.
//!
//! ```text
//! main → lib (and fuzzing)
//!        cli
//!        core
//!        drafts
//!        content
//!        auth
//!        net
//!        model
//!        location
//!        reference, platform
//!        digest, secret, env, sanitize, suggest, sync, failure_kind
//! ```
//!
//! It reads paths, not types: every `crate::…`, `super::…` and (in main) `docker_manifest::…`, in `use` and elsewhere.
//! Test code is let off.

mod line_lengths;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The layers from the top. Modules on one line do not import each other.
const LAYERS: [&[&str]; 12] = [
    &["main"],
    &["lib", "fuzzing"],
    &["cli"],
    &["core"],
    &["drafts"],
    &["content"],
    &["auth"],
    &["net"],
    &["model"],
    &["location"],
    &["reference", "platform"],
    &[
        "digest",
        "secret",
        "env",
        "sanitize",
        "suggest",
        "sync",
        "failure_kind",
        "regular_file",
        "locked_file",
        "io_message",
    ],
];

/// How many directories deep a file may lie below src.
const DEPTH_MAX: usize = 3;

const CRATE_NAME: &str = "docker_manifest";

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|line| line.contains(&module))
}

/// A source file: its module path (`["registry", "auth"]`; `["main"]`, `["lib"]`) and its text.
struct Source {
    module: Vec<String>,
    text: String,
}

#[test]
fn the_layers_match_the_picture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &mut Vec::new(), &mut sources);
    assert!(sources.len() > 5, "only {} files in {}", sources.len(), root.display());
    let violations = violations(&sources);
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// The picture for readers is the one that is enforced.
#[test]
fn the_documentation_draws_the_same_picture() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let (_, drawn) = text.split_once("//! ```text\n").expect("a picture in src/lib.rs");
    let (drawn, _) = drawn.split_once("//! ```\n").expect("its end");
    let modules = |line: &str| -> Vec<String> {
        let (names, _) = line.trim_start_matches("//! ").split_once("  ").expect("names and what they are for");
        names.split(", ").map(str::to_owned).collect()
    };
    let drawn: Vec<Vec<String>> = drawn.lines().map(modules).collect();
    assert_eq!(drawn, LAYERS.map(|line| line.to_vec()).to_vec());
}

fn collect(dir: &Path, path: &mut Vec<String>, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap().path();
        let stem = entry.file_stem().unwrap().to_string_lossy().into_owned();
        // Tests in a file or a directory of their own; `#[cfg(test)]` is on their declaration.
        if stem == "tests" {
            continue;
        }
        path.push(stem.clone());
        if entry.is_dir() {
            collect(&entry, path, sources);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let module = path.iter().filter(|name| *name != "mod").cloned().collect();
            sources.push(Source { module, text: std::fs::read_to_string(&entry).unwrap() });
        }
        path.pop();
    }
}

/// All that is wrong, as lines for people.
fn violations(sources: &[Source]) -> Vec<String> {
    let modules: BTreeSet<&[String]> = sources.iter().map(|source| source.module.as_slice()).collect();
    let mut violations = Vec::new();
    // Per directory: from child to the siblings that it imports.
    let mut siblings: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for source in sources {
        let top = &source.module[0];
        let name = source.module.join("/");
        let Some(own) = layer(top) else {
            violations.push(format!("{name}: the picture has no module named {top}"));
            continue;
        };
        if source.module.len() > DEPTH_MAX + 1 {
            violations.push(format!("{name}: over {DEPTH_MAX} levels below src"));
        }
        for path in imports(source) {
            let Some(to) = path.first().filter(|to| modules.iter().any(|module| &module[0] == *to)) else { continue };
            if to != top && layer(to).is_some_and(|layer| layer <= own) {
                violations.push(format!("{name} imports crate::{}, which is not below it", path.join("::")));
            }
            for depth in 1..source.module.len().min(path.len()) {
                let (child, sibling) = (&source.module[depth], &path[depth]);
                if source.module[..depth] != path[..depth] {
                    break;
                }
                let is_module = modules.iter().any(|module| module.starts_with(&path[..=depth]));
                if child != sibling && is_module {
                    let directory = siblings.entry(path[..depth].to_vec()).or_default();
                    directory.entry(child.clone()).or_default().insert(sibling.clone());
                }
            }
        }
    }
    for (directory, imports) in siblings {
        if let Some(cycle) = cycle(&imports) {
            violations.push(format!("{}: {} is a cycle", directory.join("/"), cycle.join(" → ")));
        }
    }
    violations
}

/// A way through the imports that comes back to where it began.
fn cycle(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(imports: &BTreeMap<String, BTreeSet<String>>, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let current = way.last().unwrap().clone();
        if way.iter().position(|earlier| *earlier == current) != Some(way.len() - 1) {
            return true;
        }
        if !done.insert(current.clone()) {
            return false;
        }
        for next in imports.get(&current).into_iter().flatten() {
            way.push(next.clone());
            if walk(imports, way, done) {
                return true;
            }
            way.pop();
        }
        false
    }
    let mut done = BTreeSet::new();
    for start in imports.keys() {
        let mut way = vec![start.clone()];
        if walk(imports, &mut way, &mut done) {
            let repeated = way.last().cloned();
            return Some(way.into_iter().skip_while(|module| Some(module) != repeated.as_ref()).collect());
        }
    }
    None
}

/// Every path that a file names, from the crate's root.
fn imports(source: &Source) -> Vec<Vec<String>> {
    let tokens = without_tests(tokens(&source.text));
    let mut found = Vec::new();
    let is_root = ["main", "lib"].contains(&source.module[0].as_str());
    for at in 0..tokens.len() {
        // Only where a path begins: not in `x::super`, which there is not, nor in `super::super` a second time.
        if at > 0 && tokens[at - 1] == "::" {
            continue;
        }
        let module: &[String] = if is_root { &[] } else { &source.module };
        let (mut base, mut next) = match tokens[at].as_str() {
            "crate" => (Vec::new(), at + 1),
            CRATE_NAME if source.module[0] == "main" => (Vec::new(), at + 1),
            "self" => (module.to_vec(), at + 1),
            "super" => (module[..module.len().saturating_sub(1)].to_vec(), at + 1),
            _ => continue,
        };
        while tokens.get(next).is_some_and(|t| t == "::") && tokens.get(next + 1).is_some_and(|t| t == "super") {
            base.pop();
            next += 2;
        }
        if tokens.get(next).is_some_and(|token| token == "::") {
            tree(&tokens, next + 1, &base, &mut found);
        }
    }
    found
}

/// Reads what follows a `::`, a name or a group of them; gives where it ends.
fn tree(tokens: &[String], mut at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = base.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while let Some(token) = tokens.get(at).map(String::as_str) {
                    match token {
                        "}" => return at + 1,
                        "," => at += 1,
                        _ => at = tree(tokens, at, &path, found).max(at + 1),
                    }
                }
                return at;
            }
            Some(name) if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                path.push(name.to_owned());
                at += 1;
            }
            _ => break,
        }
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
    }
    // `as name` in a group is no path of its own.
    if tokens.get(at).is_some_and(|token| token == "as") {
        at += 2;
    }
    found.push(path);
    at
}

/// Names, `::`, and other characters one by one; no comments, strings, characters or blanks.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let raw = raw_string(rest);
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            character(rest)
        } else if name > 0 {
            tokens.push(rest[..name].to_owned());
            name
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    tokens
}

/// The length of `r"…"`, `r#"…"#` and their `b` forms.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(text.len() - body.len() + length)
}

/// The length of a quoted text with its quotes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal, or of the quote alone where it begins a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text.chars().skip(1);
    match (characters.next(), characters.next()) {
        (Some('\\'), _) => quoted(text, '\''),
        (Some(one), Some('\'')) => 2 + one.len_utf8(),
        _ => 1,
    }
}

/// Drops every item behind `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().map(String::as_str).take(7).eq(["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = item_end(&tokens, at + 7);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where an item ends: behind its first `;` or its first block.
fn item_end(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(token) = tokens.get(at).map(String::as_str) {
        at += 1;
        match token {
            "{" => depth += 1,
            "}" if depth == 1 => return at,
            "}" => depth -= 1,
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    at
}

mod the_check_itself {
    use super::*;

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(module, text): &(&str, &str)| Source {
            module: module.split('/').map(ToOwned::to_owned).collect(),
            text: (*text).to_owned(),
        };
        violations(&files.iter().map(source).collect::<Vec<_>>())
    }

    #[test]
    fn imports_of_lower_layers_are_allowed() {
        let files = [
            ("lib", "use crate::cli::Called; pub mod env;"),
            ("cli", "use crate::{core, env::Env};"),
            ("core", "use crate::reference::Reference; use super::env;"),
            ("reference", "use crate::digest::{Digest, DigestError as E};"),
            ("digest", ""),
            ("env", ""),
            ("main", "use docker_manifest::env;"),
        ];
        assert_eq!(check(&files), Vec::<String>::new());
    }

    #[test]
    fn imports_of_higher_and_sibling_layers_are_refused() {
        for (from, text) in [
            ("drafts", "use crate::core::Client;"),
            ("drafts", "use crate::{digest::Digest, core};"),
            ("drafts", "fn f() { crate::core::g(); }"),
            ("drafts", "use super::core::Client;"),
            ("drafts/lock", "use super::super::core::Client;"),
            ("drafts/lock", "use crate::{model::{Draft, Entry}, cli::{create as c}};"),
            ("digest", "use crate::core::Client;"),
            ("content", "use crate::cli;"),
            ("fuzzing", "use crate::lib::Report;"),
            ("drafts", "const A: char = '\"'; use crate::core::Client; const B: char = '\"';"),
            ("drafts", "fn f<'a>(x: &'a str) { crate::core::g(x) }"),
            ("drafts", "#[cfg(test)] mod tests; use crate::core::Client;"),
        ] {
            let files = [(from, text), ("cli", ""), ("core/mod_", ""), ("lib", ""), ("model", "")];
            assert_eq!(check(&files).len(), 1, "{from}: {text}: {:?}", check(&files));
        }
    }

    #[test]
    fn paths_in_comments_strings_and_tests_do_not_count() {
        for text in [
            "// use crate::core::Client;",
            "/* use crate::core::Client; */",
            "const A: &str = \"\\\"crate::core::x\";",
            "const A: &str = r#\"\"crate::core::x\"#;",
            "#[cfg(test)]\nmod tests { mod a { } use crate::core::Client; }",
        ] {
            assert_eq!(check(&[("drafts", text), ("core", "")]), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn import_cycles_in_a_directory_are_refused() {
        let cycle = [
            ("drafts", "mod a; mod b; mod c;"),
            ("drafts/a", "use super::b::B;"),
            ("drafts/b", "use crate::drafts::{c};"),
            ("drafts/c", "fn f() { super::a::g() }"),
        ];
        assert_eq!(check(&cycle), ["drafts: a → b → c → a is a cycle"]);
        assert_eq!(check(&cycle[..3]), Vec::<String>::new());
        // The directory's own file is the way in; what it shows of its modules is theirs to use.
        assert_eq!(
            check(&[("drafts", "mod a; pub use a::A;"), ("drafts/a", "use super::Drafts;")]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn modules_without_a_layer_are_refused() {
        assert_eq!(check(&[("util", "")]), ["util: the picture has no module named util"]);
        assert_eq!(check(&[("cli/a/b/c/d", "")]), ["cli/a/b/c/d: over 3 levels below src"]);
    }
}

//! `docs/interop.md` and these tests agree: each row names the test or the finding that shows it, and each test has
//! a row.

use std::collections::BTreeSet;
use std::path::Path;

const PEERS: &[(&str, &str)] = &[
    ("buildah", include_str!("buildah.rs")),
    ("ctr", include_str!("ctr.rs")),
    ("docker", include_str!("docker.rs")),
    ("layouts", include_str!("layouts.rs")),
    ("podman", include_str!("podman.rs")),
    ("skopeo", include_str!("skopeo.rs")),
    ("umoci", include_str!("umoci.rs")),
];

const FINDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/findings");

/// The tests of a file, as `FILE::NAME`.
fn tests() -> BTreeSet<String> {
    let names_in = |(file, text): &(&'static str, &'static str)| {
        let names = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
        names.map(|name| format!("{file}::{name}")).collect::<Vec<_>>()
    };
    PEERS.iter().flat_map(names_in).collect()
}

/// The table's rows, as their cells.
fn rows() -> Vec<Vec<String>> {
    let text = include_str!("../../docs/interop.md");
    let rows =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| tool") && !line.contains("| ---"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn each_row_of_interop_md_names_a_test_and_each_test_has_a_row() {
    let tests = tests();
    let mut named = BTreeSet::new();
    let rows = rows();
    for row in &rows {
        let [tool, happens, remedy, shown] = row.as_slice() else { panic!("{} cells: {row:?}", row.len()) };
        assert!(!tool.is_empty() && !happens.is_empty() && !remedy.is_empty(), "{row:?}");
        for proof in shown.split(", ") {
            match proof.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
                Some(test) => {
                    assert!(tests.contains(test), "no test {test}: {row:?}");
                    let (file, name) = test.split_once("::").expect("a file and a test");
                    let is_about = tool.split([' ', ',']).any(|word| match file {
                        "layouts" => name.contains(word),
                        _ => word == file,
                    });
                    assert!(is_about, "{test} is not about {tool}");
                    named.insert(test.to_owned());
                }
                None => {
                    let file = proof.rsplit_once("/findings/").map(|(_, rest)| rest.trim_end_matches(')'));
                    let file = file.unwrap_or_else(|| panic!("neither a test nor a finding: {proof}"));
                    assert!(Path::new(FINDINGS).join(file).is_file(), "no {file}: {row:?}");
                }
            }
        }
    }
    let missing: Vec<&String> = tests.difference(&named).collect();
    assert!(missing.is_empty(), "no row: {missing:#?}");
    assert!(named.len() >= 40, "{}", named.len());
}

/// The sources of a row of `docs/registries.md`: tests that are there, measurements with their version, reports.
#[test]
fn each_row_of_registries_md_names_its_source() {
    let habits = include_str!("../cases/habits/table.rs");
    let registries_file = include_str!("registries.rs");
    let page = include_str!("../../docs/registries.md");
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 3).collect();
    let mut proven = 0;
    for row in rows.iter().filter(|row| !row.starts_with("| registry") && !row.starts_with("| ---")) {
        let sources = row.trim_matches('|').rsplit_once(" | ").expect("four cells").1.trim();
        for source in sources.split("; ") {
            let test = source.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            match test.and_then(|test| test.split_once("::")) {
                Some(("registries", name)) => assert!(registries_file.contains(&format!("fn {name}()")), "{row}"),
                Some(("habits", name)) => assert!(habits.contains(&format!("fn {name}()")), "{row}"),
                Some(_) => panic!("no such file: {row}"),
                None => {
                    let measured =
                        source.starts_with("measured with ") && source.ends_with(|it: char| it.is_ascii_digit());
                    assert!(measured || source.contains("](https://github.com/"), "{row}");
                }
            }
            proven += usize::from(test.is_some());
        }
    }
    assert!(rows.len() > 40 && proven > 20, "{} rows, {proven} tests", rows.len());
}

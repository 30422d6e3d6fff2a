//! `docs/reference.md` is what the program prints.

use std::path::Path;

use super::*;

#[test]
fn docs_reference_md_is_up_to_date() {
    let page = reference_page(None).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let line = page.lines().zip(kept.lines().chain(std::iter::repeat(""))).find(|(made, kept)| made != kept);
    assert!(page == kept, "docs/reference.md is out of date: run `make reference`. The first difference: {line:#?}");
}

/// Every option of every command is a row of that command's section, and every example a line of it.
#[test]
fn each_section_of_the_reference_has_what_the_help_has() {
    for verb in clap_command().get_subcommands() {
        let section = reference_page(Some(verb.get_name())).unwrap();
        assert!(section.starts_with(&format!("## {}\n", verb.get_name())), "{section}");
        assert!(reference_page(None).unwrap().contains(&section), "{section}");
        for flag in verb.get_arguments().filter_map(clap::Arg::get_long) {
            let is_row = |line: &str| line.starts_with("| `") && line.contains(&format!("--{flag}"));
            assert!(section.lines().any(is_row), "--{flag} in {section}");
        }
        let examples = verb.get_after_help().unwrap().to_string();
        assert!(examples.lines().all(|line| section.contains(&line.replace("{name}", "docker-manifest"))), "{section}");
    }
    assert_eq!(reference_page(Some("bogus")), None);
}

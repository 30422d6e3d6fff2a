//! README and docs/: links lead somewhere, examples are command lines, and output that is shown is real output.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use testkit::image::fixtures::buildx_index;
use testkit::loopback::Registry;
use testkit::sandbox::Sandbox;

use super::OURS;
use docker_manifest::cli::args::{self, CliRequest, ToolRequest};

/// What the README's screens must fit into.
const README_WORDS_MAX: usize = 1600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn markdown_in(directory: &Path, pages: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            markdown_in(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

/// Every page for users: those at the top, docs/, findings/, the tests' own.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = std::fs::read_dir(root())
        .expect("the repository")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    for directory in ["docs", "findings", "tests/support"] {
        markdown_in(&root().join(directory), &mut pages);
    }
    pages.sort();
    pages
}

/// README and docs/, as one text: where commands and flags have their examples. The reference is left out, because it
/// has them from the help texts.
pub(super) fn user_docs() -> String {
    let mut pages = vec![root().join("README.md")];
    markdown_in(&root().join("docs"), &mut pages);
    let by_hand = pages.iter().filter(|page| !page.ends_with("docs/reference.md"));
    by_hand.map(|page| read(page) + "\n").collect()
}

/// The name that a web page gives to a heading (GitHub's rule).
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The targets of all links of a page: `[text](target)`.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut number = 0;
    for page in pages() {
        for link in links(&read(&page)).into_iter().filter(|link| !link.contains("://")) {
            number += 1;
            let (path, section) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().expect("a directory").join(path) };
            let has_section = || read(&target).lines().any(|line| line.starts_with('#') && anchor(line) == section);
            if !target.exists() || !(section.is_empty() || has_section()) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links: {broken:#?}");
    assert!(number > 40, "{number} links");
}

/// A page that no other page leads to is a page that nobody reads.
#[test]
fn every_page_of_docs_is_linked_from_its_index() {
    let index = read(&root().join("docs/README.md"));
    let mut pages = Vec::new();
    markdown_in(&root().join("docs"), &mut pages);
    for page in pages {
        let name = page.strip_prefix(root().join("docs")).expect("in docs").display().to_string();
        assert!(name == "README.md" || links(&index).contains(&name.as_str()), "{name} is not in docs/README.md");
    }
}

#[test]
fn the_readme_fits_two_screens() {
    let words = read(&root().join("README.md")).split_whitespace().count();
    assert!(words < README_WORDS_MAX, "{words} words; {README_WORDS_MAX} are allowed: move text to docs/");
}

#[test]
fn every_verb_and_flag_has_an_example() {
    let docs = user_docs();
    let program = args::clap_command();
    let verbs: Vec<_> = program.get_subcommands().collect();
    assert!(verbs.len() > 15, "{} verbs", verbs.len());
    let examples: Vec<&str> = docs.lines().filter(|line| line.starts_with("    ")).collect();
    let words: BTreeSet<&str> =
        examples.iter().flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')).collect();
    let mut missing = Vec::new();
    for verb in verbs {
        let name = verb.get_name();
        if ![format!("`{name}"), format!(" {name} ")].iter().any(|words| docs.contains(words)) {
            missing.push(name.to_owned());
        }
        let flags = verb.get_arguments().filter_map(|flag| flag.get_long()).map(|flag| format!("--{flag}"));
        missing.extend(flags.filter(|flag| !words.contains(flag.as_str())).map(|flag| format!("{name} {flag}")));
    }
    assert!(missing.is_empty(), "README and docs/ have no example of {missing:?}");
}

/// The words of an example that are the program's: what follows is the shell's. A short digest becomes a whole one.
fn words(example: &str) -> Vec<String> {
    let is_ours = |word: &&str| !["#", "|", "||", "&&"].contains(word) && !word.starts_with(['<', '>']);
    let example = example.replace("sha256:…", &format!("sha256:{}", "0".repeat(64)));
    example.split_whitespace().take_while(is_ours).map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[track_caller]
fn assert_command_line(example: &str) {
    let read = args::parse("docker-manifest", &words(example));
    assert!(matches!(read, Ok(CliRequest::Run { .. })), "{example}: {read:?}");
}

#[test]
fn every_example_of_the_documentation_is_a_command_line() {
    let docs = user_docs().replace("\\\n", " ");
    let examples: Vec<&str> = docs.lines().filter_map(|line| line.strip_prefix("    docker-manifest ")).collect();
    assert!(examples.len() > 30, "{} examples", examples.len());
    examples.into_iter().for_each(assert_command_line);
}

/// The lines below `Examples:` in a help text.
fn help_examples(help: &str) -> Vec<&str> {
    let (_, examples) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("no examples: {help}"));
    examples.lines().map_while(|line| line.strip_prefix("  ")).collect()
}

#[test]
fn every_example_of_the_help_texts_is_a_command_line() {
    let program = args::clap_command();
    let commands = program.get_subcommands().map(|command| vec![command.get_name().to_owned()]);
    let mut number = 0;
    for command in commands.chain([vec![]]) {
        let line = [command, vec!["--help".to_owned()]].concat();
        let Ok(CliRequest::Help { text, .. }) = args::parse("docker-manifest", &line) else { panic!("{line:?}") };
        for example in help_examples(&text) {
            // `eval "$(docker-manifest shell-init bash)"`
            let inner = example.split_once("$(").and_then(|(_, rest)| rest.split_once(')'));
            let command = inner.map_or(example, |(command, _)| command);
            assert_command_line(command.strip_prefix("docker-manifest ").unwrap_or_else(|| panic!("{example}")));
            number += 1;
        }
    }
    assert!(number > 100, "{number} examples");
    for command in ["push from-spec", "push from-args", "inspect"] {
        let Ok(ToolRequest::Help(text)) = args::manifest_tool(&words(&format!("{command} --help"))) else {
            panic!("{command}")
        };
        for example in help_examples(&text) {
            let words = words(example.strip_prefix("manifest-tool ").unwrap_or_else(|| panic!("{example}")));
            let read = args::manifest_tool(&words);
            assert!(matches!(read, Ok(ToolRequest::Run(..))), "{example}: {read:?}");
        }
    }
    let Ok(CliRequest::Help { text, .. }) = args::mquery(&words("--help")) else { panic!("mquery --help") };
    for example in help_examples(&text) {
        let read = args::mquery(&words(example.strip_prefix("mquery ").unwrap_or_else(|| panic!("{example}"))));
        assert!(matches!(read, Ok(CliRequest::Run { .. })), "{example}: {read:?}");
    }
}

/// The block of the README between two comments, without its indent.
fn block(readme: &str, name: &str) -> String {
    let after = readme.split_once(&format!("<!-- {name}: begin -->\n")).unwrap_or_else(|| panic!("no {name}")).1;
    let block = after.split_once(&format!("<!-- {name}: end -->")).unwrap_or_else(|| panic!("{name} has no end")).0;
    block.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect()
}

/// The README's recipe is run as a shell script on images as buildx pushes them, and prints what the README shows.
#[test]
fn the_readme_recipe_prints_what_it_shows() {
    let (registry, sandbox) = (Registry::start(), Sandbox::new());
    for architecture in ["amd64", "arm64"] {
        let index = buildx_index(&[&format!("linux/{architecture}")]);
        registry.put_index("app", &format!("1.2.3-{architecture}"), &index);
    }
    let readme = read(&root().join("README.md"));
    let with_test_host = |text: &str| text.replace("registry.example.com", &registry.host());
    let shell = |script: &str| {
        let program = Path::new(OURS).parent().expect("a directory").display().to_string();
        let script = format!("PATH={program}:$PATH\n{}", with_test_host(script));
        let run = sandbox.command("sh").args(["-euc", &script]).run().success();
        run.out().replace(&registry.host(), "registry.example.com")
    };
    let printed = shell(&block(&readme, "recipe"));
    assert_eq!(lines_from(&printed, "registry.example.com/app:1.2.3 "), block(&readme, "tree"));
    let printed = shell(&block(&readme, "edit"));
    assert_eq!(lines_from(&printed, "would"), block(&readme, "dry run"));
}

/// From the first line that begins like this.
fn lines_from(printed: &str, start: &str) -> String {
    let lines = printed.lines().skip_while(|line| !line.to_lowercase().starts_with(start));
    lines.map(|line| format!("{line}\n")).collect()
}

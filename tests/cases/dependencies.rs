//! The supply chain: how many crates the program has, which compiler they need, and which tests SECURITY.md names.

mod crates;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// How many crates of others the program may be made of on Linux, those included that only run while it is compiled.
const CRATES_MAX: usize = 84;

/// Those that there were when the bound was set, so that what came since can be named.
const BASELINE_CRATES: &str = include_str!("../fixtures/dependencies.txt");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).current_dir(root()).output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The names of what the program itself is made of, without versions; a crate in two versions is there twice.
fn crates() -> Vec<String> {
    let tree = ["tree", "--locked", "--package", "docker-manifest", "--edges", "normal,build", "--prefix", "none"];
    let lines = cargo(&[&tree[..], &["--target", "x86_64-unknown-linux-gnu", "--format", "{p}"]].concat());
    // The same one stands there for each of its users, with a mark that it was shown before.
    let crates: BTreeSet<&str> = lines.lines().map(|line| line.split(" (").next().unwrap_or(line)).collect();
    let name = |line: &str| line.split(' ').next().unwrap_or(line).to_owned();
    crates.into_iter().map(name).filter(|name| name != "docker-manifest").collect()
}

#[test]
fn the_program_is_made_of_few_crates() {
    let crates = crates();
    let known: BTreeSet<&str> = BASELINE_CRATES.lines().collect();
    let new: Vec<&String> = crates.iter().filter(|name| !known.contains(name.as_str())).collect();
    assert!(crates.len() <= CRATES_MAX, "{} crates, and {CRATES_MAX} are allowed; new are {new:?}", crates.len());
    // It is the real tree that is counted.
    for name in ["ureq", "rustls", "ring", "serde_json", "clap"] {
        assert!(crates.iter().any(|found| found == name), "{name} is not in {crates:?}");
    }
}

/// No older compiler is here to try, so this and clippy's `incompatible_msrv`, which looks at what is used of the
/// standard library, stand for one.
#[test]
fn no_dependency_asks_for_a_newer_compiler_than_we_do() {
    let metadata =
        cargo(&["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let version = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.parse().expect("a number")).collect() };
    let packages = metadata["packages"].as_array().expect("packages");
    let rust_version = |package: &Value| package["rust_version"].as_str().map(version);
    let ours =
        packages.iter().find(|package| package["name"] == "docker-manifest").and_then(rust_version).expect("ours");
    // Only what is used on this platform: the others' crates are in the list too.
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let used: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let mut looked_at = 0;
    for package in packages.iter().filter(|package| used.contains(package["id"].as_str().unwrap_or_default())) {
        looked_at += 1;
        let required = rust_version(package).unwrap_or_default();
        assert!(required[..required.len().min(2)] <= ours[..], "{} wants Rust {required:?}", package["name"]);
    }
    assert!(looked_at > 70, "{looked_at}");
}

/// `forbid` cannot be taken back further in; the fuzzer, whose macro exports a C function, has `deny`.
#[test]
fn no_code_of_ours_is_unsafe() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect(path);
    assert!(read("Cargo.toml").contains("[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"));
    for member in ["Cargo.toml", "examples/demo/Cargo.toml", "tests/support/Cargo.toml"] {
        assert!(read(member).contains("[lints]\nworkspace = true\n"), "{member}");
    }
    assert!(read("fuzz/Cargo.toml").contains("[lints.rust]\nunsafe_code = \"deny\"\n"));
    // What `deny` leaves open, nobody has opened.
    let mut sources = String::new();
    for directory in ["src", "tests", "benches", "examples", "fuzz/fuzz_targets"] {
        collect(&root().join(directory), &mut sources);
    }
    for (what, open) in [("a block", "unsafe {"), ("a lint", "unsafe_code)"), ("a function", "unsafe fn")] {
        // This line has each of them once itself.
        assert_eq!(sources.matches(open).count(), 1, "{what} is unsafe");
    }
}

/// Whoever builds gets what was tested.
#[test]
fn the_lock_files_are_committed() {
    let listed = Command::new("git").args(["ls-files", "Cargo.lock", "fuzz/Cargo.lock"]).current_dir(root()).output();
    match listed.ok().filter(|output| output.status.success()) {
        Some(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "Cargo.lock\nfuzz/Cargo.lock\n"),
        // A source archive is no repository: there they can only be there.
        None => assert!(root().join("Cargo.lock").is_file() && root().join("fuzz/Cargo.lock").is_file()),
    }
    for ignored in [".gitignore", "fuzz/.gitignore"] {
        assert!(!std::fs::read_to_string(root().join(ignored)).expect(ignored).contains("lock"), "{ignored}");
    }
}

/// Every test that SECURITY.md names as the one that holds a promise is there.
#[test]
fn the_tests_that_security_md_names_exist() {
    let text = std::fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md");
    let mut sources = String::new();
    for directory in ["src", "tests"] {
        collect(&root().join(directory), &mut sources);
    }
    let promises: Vec<&str> = text.lines().filter(|line| line.starts_with("- **")).collect();
    assert!(promises.len() > 20, "only {} promises", promises.len());
    let blocks = text.split("\n- **").skip(1);
    for block in blocks {
        let end = block.find("\n#").unwrap_or(block.len());
        let block = block.get(..end).unwrap_or(block);
        // Behind the last dash, between backquotes.
        let tests = block.rsplit_once("\n  Test").map(|(_, tests)| tests).unwrap_or_default();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test for: {block}");
        for name in names {
            assert!(is_test(&sources, name), "SECURITY.md names the test {name}, and there is none");
        }
    }
    assert!(!is_test(&sources, "root"), "not every function is a test");
}

/// Whether there is a function of this name under `#[test]`, other attributes between them or not.
fn is_test(sources: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    sources.match_indices(&head).any(|(at, _)| {
        let mut before = sources[..at].lines().rev().map(str::trim).skip_while(|line| line.is_empty());
        before.find(|line| !line.starts_with("#[allow(")).is_some_and(|line| line == "#[test]")
    })
}

fn collect(directory: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

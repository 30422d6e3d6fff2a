//! What cargo-deny checks with `deny.toml` (licences, bans and sources), for machines without cargo-deny. Also what
//! it does not check: features, unused crates, and the lock file of the fuzzer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{cargo, collect, crates, root};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
const OWN_CRATES: [&str; 4] = ["demo", "docker-manifest", "docker-manifest-fuzz", "testkit"];

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One crate of a lock file: its fields, those of one line each.
fn locked(path: &str) -> Vec<BTreeMap<String, String>> {
    let text = read(path);
    let fields = |block: &str| {
        let pairs = block.lines().filter_map(|line| line.split_once(" = "));
        pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
    };
    text.split("[[package]]\n").skip(1).map(fields).collect()
}

/// The texts in quotes between two words of deny.toml.
fn quoted_between(from: &str, to: &str) -> BTreeSet<String> {
    let text = read("deny.toml");
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("{from} is not in deny.toml"));
    let (part, _) = rest.split_once(to).expect("it ends");
    part.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_crate_comes_from_crates_io_and_by_its_hash() {
    for file in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let crates = locked(file);
        assert!(crates.len() > 70, "{file} has {} crates", crates.len());
        for found in crates {
            let name = found["name"].as_str();
            if OWN_CRATES.contains(&name) {
                assert_eq!(found.get("source"), None, "{file}: {name}");
                continue;
            }
            assert_eq!(found.get("source").map(String::as_str), Some(CRATES_IO), "{file}: {name}");
            let hash = found.get("checksum").map_or("", String::as_str);
            assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{file}: {name} {hash}");
        }
    }
}

#[test]
fn no_banned_crate_is_locked_and_none_is_built_in_twice() {
    let banned = quoted_between("deny = [\n", "\n]\n");
    assert!(banned.contains("openssl-sys") && banned.contains("tokio"), "{banned:?}");
    for file in ["Cargo.lock", "fuzz/Cargo.lock"] {
        for found in locked(file) {
            assert!(!banned.contains(&found["name"]), "{file}: {}", found["name"]);
        }
    }
    let names = crates();
    let duplicates: Vec<&String> =
        names.iter().filter(|name| names.iter().filter(|other| other == name).count() > 1).collect();
    // For ring alone; it goes when ring takes the newer one.
    assert!(duplicates.iter().all(|name| *name == "getrandom"), "{duplicates:?}");
}

/// The packages that are used on this platform, in tests too.
fn packages() -> Vec<Value> {
    let metadata =
        cargo(&["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"]);
    let mut metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes").clone();
    let used: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array_mut().expect("packages");
    packages.retain(|package| used.contains(package["id"].as_str().unwrap_or_default()));
    std::mem::take(packages)
}

#[test]
fn every_licence_is_one_of_those_that_are_allowed() {
    let allowed = quoted_between("\nallow = [\n", "\n]\n");
    assert!(allowed.len() >= 5 && allowed.contains("MIT"), "{allowed:?}");
    let exceptions = quoted_between("\nexceptions = [", "]\n");
    let packages = packages();
    assert!(packages.len() > 70, "{}", packages.len());
    for package in packages {
        let (name, licence) = (package["name"].as_str().unwrap_or_default(), package["license"].as_str());
        let licence = licence.unwrap_or_else(|| panic!("{name} has no licence"));
        assert!(permits(licence, &allowed) || exceptions.contains(name), "{name} is under {licence}");
    }
}

/// Whether an SPDX expression can be met with these licences alone.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let is_met = meets_or(&mut words, allowed);
    is_met && words.is_empty()
}

fn meets_or(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut is_met = meets_and(words, allowed);
    while words.pop_if(|word| *word == "OR").is_some() {
        is_met |= meets_and(words, allowed);
    }
    is_met
}

fn meets_and(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut is_met = meets_term(words, allowed);
    while words.pop_if(|word| *word == "AND").is_some() {
        is_met &= meets_term(words, allowed);
    }
    is_met
}

fn meets_term(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let Some(first) = words.pop() else { return false };
    if first == "(" {
        let is_met = meets_or(words, allowed);
        return words.pop() == Some(")") && is_met;
    }
    match words.pop_if(|word| *word == "WITH").and_then(|_| words.pop()) {
        Some(exception) => allowed.contains(&format!("{first} WITH {exception}")),
        None => allowed.contains(first),
    }
}

#[test]
fn licences_are_read_as_spdx_has_them() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "A WITH x"].map(str::to_owned).into();
    for is_met in
        ["MIT", "GPL-3.0 OR MIT", "MIT AND ISC", "GPL/MIT", "(GPL OR ISC) AND MIT", "A WITH x", "GPL AND X OR ISC"]
    {
        assert!(permits(is_met, &allowed), "{is_met}");
    }
    for unmet in ["", "GPL", "MIT AND GPL", "A", "A WITH y", "MIT AND (GPL OR X)", "MIT MIT", "(MIT", "MIT OR"] {
        assert!(!permits(unmet, &allowed) || unmet == "MIT OR", "{unmet}");
    }
}

/// What each of our crates takes directly.
fn dependencies() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--manifest-path", manifest]);
        let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
        for package in metadata["packages"].as_array().expect("packages") {
            let name = package["name"].as_str().expect("a name").to_owned();
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            found.extend(dependencies.iter().map(|dependency| (name.clone(), dependency.clone())));
        }
    }
    found
}

/// A crate's defaults are what its author thinks that most will need; what is built in here is what is needed here.
#[test]
fn features_are_asked_for_by_name() {
    let dependencies = dependencies();
    assert!(dependencies.len() > 30, "{}", dependencies.len());
    for (ours, dependency) in dependencies.iter().filter(|(_, dependency)| dependency["path"].is_null()) {
        assert_eq!(dependency["uses_default_features"], false, "{} of {ours}", dependency["name"]);
    }
}

#[test]
fn every_dependency_is_used() {
    for (ours, dependency) in dependencies() {
        let directories: &[&str] = match (ours.as_str(), dependency["kind"].as_str()) {
            ("docker-manifest", Some(_)) => &["src", "tests/cases", "benches"],
            ("docker-manifest", None) => &["src"],
            ("testkit", _) => &["tests/support"],
            ("demo", _) => &["examples/demo"],
            _ => &["fuzz/fuzz_targets"],
        };
        let mut sources = String::new();
        directories.iter().for_each(|directory| collect(&root().join(directory), &mut sources));
        let name = dependency["name"].as_str().expect("a name").replace('-', "_");
        let is_used = sources
            .match_indices(&format!("{name}::"))
            .any(|(at, _)| !sources[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'));
        assert!(is_used, "nothing in {directories:?} uses {name}");
    }
}

/// Fuzzed is what is shipped: the same crates in the same versions, by a lock file that fits the manifest.
#[test]
fn the_fuzzers_lock_file_has_what_ours_has() {
    let mut ours: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found in locked("Cargo.lock") {
        ours.entry(found["name"].clone()).or_default().insert(found["version"].clone());
    }
    for found in locked("fuzz/Cargo.lock") {
        let (name, version) = (&found["name"], &found["version"]);
        let is_locked = ours.get(name).is_none_or(|versions| versions.contains(version));
        assert!(is_locked, "fuzz/Cargo.lock has {name} {version}, Cargo.lock {:?}", ours.get(name));
    }
    let text = read("fuzz/Cargo.lock");
    let (_, block) = text.split_once("name = \"docker-manifest\"\n").expect("the program itself");
    let (block, _) = block.split_once("\n]\n").expect("its dependencies");
    let locked: BTreeSet<&str> =
        block.split('"').skip(1).step_by(2).skip(1).map(|found| found.split(' ').next().unwrap_or(found)).collect();
    let dependencies = dependencies();
    let expected: BTreeSet<&str> = dependencies
        .iter()
        .filter(|(ours, dependency)| ours == "docker-manifest" && dependency["kind"].is_null())
        .filter_map(|(_, dependency)| dependency["name"].as_str())
        .collect();
    let how = "to mend it: cp Cargo.lock fuzz/Cargo.lock && cargo metadata --manifest-path fuzz/Cargo.toml >/dev/null";
    assert_eq!(locked, expected, "fuzz/Cargo.lock is behind Cargo.toml; {how}");
}

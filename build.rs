//! What `version` says of a build: the commit, its date and the target.
//!
//! A release build reads them from git where this is a checkout of its own, else from what cargo puts into a published
//! crate. `DOCKER_MANIFEST_COMMIT` and `SOURCE_DATE_EPOCH` go first. The time of the build is in none of it, so that
//! the same source gives the same bytes. Debug builds name no commit: every commit would compile the library again.
#![allow(clippy::disallowed_methods, reason = "a build script gets what it needs to know from cargo by variables")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a build is made from, beside this script.
const SOURCES: [&str; 4] = ["src", "Cargo.toml", "Cargo.lock", "docker-cli-plugin-metadata"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["DOCKER_MANIFEST_COMMIT", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = variable("DOCKER_MANIFEST_COMMIT").or_else(|| if is_release { commit() } else { None });
    let date = variable("SOURCE_DATE_EPOCH").and_then(|seconds| day(seconds.parse().ok()?));
    let date = date.or_else(|| if is_release { git(&["show", "--no-patch", "--format=%cs", "HEAD"]) } else { None });
    for (name, value) in [("COMMIT", commit), ("DATE", date), ("TARGET", variable("TARGET"))] {
        println!("cargo::rustc-env=DOCKER_MANIFEST_BUILD_{name}={}", value.unwrap_or_default());
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The commit, with a mark where the sources are not what was committed.
fn commit() -> Option<String> {
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return packaged() };
    SOURCES.iter().for_each(|source| println!("cargo::rerun-if-changed={source}"));
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let status = ["status", "--porcelain", "--untracked-files=all", "--", "build.rs"];
    let is_changed = git(&[&status[..], &SOURCES[..]].concat()).is_some();
    Some(if is_changed { format!("{commit}-modified") } else { commit })
}

/// What cargo notes in a crate that was published: `"sha1": "…"`.
fn packaged() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    Some(rest.split('"').nth(1)?.to_owned())
}

/// What git prints; nothing where it prints nothing, fails, or this is not a checkout of its own.
fn git(arguments: &[&str]) -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

/// The day of a moment in seconds since 1970, as `2026-11-27` (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`).
fn day(seconds: u64) -> Option<String> {
    let days = i64::try_from(seconds / 86_400).ok()? + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

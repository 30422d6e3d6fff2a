//! `version`: what this program is and what it was built from.

use serde::Serialize;

use crate::cli::args::Version;
use crate::cli::context::Context;
use crate::core::error::CommandError;

/// What `build.rs` found out; nothing where it could not.
#[derive(Serialize)]
struct BuildInfo {
    version: &'static str,
    commit: Option<&'static str>,
    /// The day of the commit.
    #[serde(rename = "date")]
    commit_date: Option<&'static str>,
    target: Option<&'static str>,
}

/// What this program was built from.
const BUILD: BuildInfo = BuildInfo {
    version: env!("CARGO_PKG_VERSION"),
    commit: non_empty(env!("DOCKER_MANIFEST_BUILD_COMMIT")),
    commit_date: non_empty(env!("DOCKER_MANIFEST_BUILD_DATE")),
    target: non_empty(env!("DOCKER_MANIFEST_BUILD_TARGET")),
};

const fn non_empty(text: &'static str) -> Option<&'static str> {
    if text.is_empty() { None } else { Some(text) }
}

/// The day of the commit; empty where it is not known.
pub(super) fn commit_date() -> &'static str {
    BUILD.commit_date.unwrap_or_default()
}

pub(crate) fn run(context: &Context, args: &Version) -> Result<(), CommandError> {
    if args.format.is_some() {
        return Ok(context.streams.json(&BUILD)?);
    }
    context.streams.line(format_args!("docker-manifest version {}", BUILD.version))?;
    for (name, value) in [("commit:", BUILD.commit), ("date:", BUILD.commit_date), ("target:", BUILD.target)] {
        context.streams.line(format_args!("{name:8} {}", value.unwrap_or("unknown")))?;
    }
    Ok(())
}

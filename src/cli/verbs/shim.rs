//! `shim`: installs a `docker` that comes before docker on the PATH, removes it, and shows which callers reach it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::args::{Shim, ShimAction};
use crate::cli::context::Context;
use crate::cli::output::Table;
use crate::core::error::CommandError;
use crate::core::shim::{self, Caller, ShimError, ShimHost, ShimStatus, ShimUse};
use crate::env;

/// Returns true for exit code 0. For `status` that means that this shell reaches the shim.
pub(crate) fn run(context: &Context, args: &Shim) -> Result<bool, CommandError> {
    let host = shim_host(context);
    let dir = args.dir.as_deref().map(|dir| context.env.original_path(dir)).map(absolute).transpose()?;
    let (is_done, status) = match args.action {
        ShimAction::Install => (true, install(context, args, &host, dir)?),
        ShimAction::Remove => (true, remove(context, args, &host, dir.as_deref())?),
        ShimAction::Status => {
            let status = shim::status(&host, dir.as_deref())?;
            (status.is_used_by_shell(), status)
        }
    };
    match args.format {
        Some(_) => context.streams.json(&status_json(&status))?,
        None if args.action == ShimAction::Remove => {}
        None => print_status(context, &status)?,
    }
    Ok(is_done)
}

fn shim_host(context: &Context) -> ShimHost {
    ShimHost {
        path: context.env.search_path(),
        home: context.env.home().map(Path::to_owned),
        is_root: is_root(),
        root_dir: PathBuf::from("/"),
    }
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// The absolute path, which does not depend on where docker is called.
fn absolute(dir: &Path) -> Result<PathBuf, CommandError> {
    let failed = |source| ShimError::Io { verb: "find", path: dir.to_owned(), source };
    Ok(std::path::absolute(dir).map_err(failed)?)
}

fn install(context: &Context, args: &Shim, host: &ShimHost, dir: Option<PathBuf>) -> Result<ShimStatus, CommandError> {
    let dir = dir.map_or_else(|| host.default_or_free_dir(), Ok)?;
    let program = env::current_program(&host.path).map_err(ShimError::Program)?;
    let status = shim::install(host, &dir, &program)?;
    if args.format.is_none() {
        context.streams.line(format_args!("Installed {}\n", dir.join("docker").display()))?;
    }
    for warning in warnings(&status, &dir) {
        context.streams.warning(warning);
    }
    Ok(status)
}

/// The reasons why a shim that was just installed has no effect.
fn warnings(status: &ShimStatus, dir: &Path) -> Vec<String> {
    let mut warnings = Vec::new();
    if !status.is_used_by_shell() {
        let dir = dir.display();
        warnings.push(format!("this shell does not run it; put its directory first: export PATH=\"{dir}:$PATH\""));
    }
    if status.docker.is_none() {
        warnings.push("there is no other docker after it on the PATH, so only docker manifest works".to_owned());
    }
    warnings
}

fn remove(context: &Context, args: &Shim, host: &ShimHost, dir: Option<&Path>) -> Result<ShimStatus, CommandError> {
    let file = shim::remove(host, dir)?;
    if args.format.is_none() {
        context.streams.line(format_args!("Removed {}", file.display()))?;
    }
    Ok(shim::status(host, dir)?)
}

fn print_status(context: &Context, status: &ShimStatus) -> Result<(), CommandError> {
    let none = || "none".to_owned();
    let path = |path: &Option<PathBuf>| path.as_ref().map_or_else(none, |path| path.display().to_string());
    context.streams.line(format_args!("Shim:    {}", path(&status.shim)))?;
    context.streams.line(format_args!("Docker:  {}\n", path(&status.docker)))?;
    let mut table = Table::new(&["CALLER", "SHIM", "WHY"]);
    for caller in &status.callers {
        let (is_reached, reason) = shim_use_and_reason(caller, status);
        table.row([caller.name, is_reached, &reason]);
    }
    let table = context.streams.table_for_stdout(table);
    Ok(context.streams.data(table.to_string().as_bytes())?)
}

/// Whether a caller runs the shim, and why.
fn shim_use_and_reason(caller: &Caller, status: &ShimStatus) -> (&'static str, String) {
    match &caller.shim_use {
        ShimUse::Used => ("yes", "it is the first docker on its PATH".to_owned()),
        ShimUse::OtherFirst(other) => ("no", format!("{} comes first on its PATH", other.display())),
        ShimUse::Unknown(file) => ("unknown", format!("{} cannot be read", file.display())),
        ShimUse::NotOnPath => match status.shim.as_ref().and_then(|shim| shim.parent()) {
            Some(dir) => ("no", format!("{} is not on its PATH", dir.display())),
            None => ("no", "there is no shim".to_owned()),
        },
    }
}

/// `--format json`. Whether a caller reaches the shim is `null` if it is not known.
fn status_json(status: &ShimStatus) -> Value {
    let text = |path: &PathBuf| path.display().to_string();
    let caller = |caller: &Caller| {
        let is_known = !matches!(caller.shim_use, ShimUse::Unknown(_));
        json!({
            "name": caller.name,
            "reached": is_known.then_some(caller.shim_use == ShimUse::Used),
            "path": caller.path.as_ref().map(|dirs| dirs.iter().map(text).collect::<Vec<_>>()),
        })
    };
    json!({
        "shim": status.shim.as_ref().map(text),
        "docker": status.docker.as_ref().map(text),
        "callers": status.callers.iter().map(caller).collect::<Vec<_>>(),
    })
}

//! `man`: prints a manual page, or writes all of them; prints the same as Markdown.

use std::fs;
use std::path::Path;

use crate::cli::args::{self, Man};
use crate::cli::context::Context;
use crate::cli::output::result_files::ResultFile;
use crate::cli::verbs::version;
use crate::core::error::CommandError;

/// The page of the program itself, without a command.
const PROGRAM: &str = "docker-manifest";

pub(crate) fn run(context: &Context, args: &Man) -> Result<(), CommandError> {
    let no_page = || CommandError::NoManPage(args.command.clone().unwrap_or_default());
    if args.markdown {
        let text = args::reference_page(args.command.as_deref()).ok_or_else(no_page)?;
        return Ok(context.streams.data(text.as_bytes())?);
    }
    let pages = args::manual_pages(version::commit_date());
    if let Some(dir) = &args.output {
        return write_pages(context.env.original_path(dir), &pages);
    }
    let name = match &args.command {
        Some(command) => format!("{PROGRAM}-{command}"),
        None => PROGRAM.to_owned(),
    };
    let page = pages.iter().find(|page| page.name == name);
    let page = page.ok_or_else(no_page)?;
    Ok(context.streams.data(page.text.as_bytes())?)
}

/// Writes every page into `dir`, which is made where it is not there yet.
fn write_pages(dir: &Path, pages: &[args::ManPage]) -> Result<(), CommandError> {
    let failed = |source| CommandError::ResultFile { path: dir.to_owned(), source };
    fs::create_dir_all(dir).map_err(failed)?;
    for page in pages {
        ResultFile::prepare(&dir.join(page.file_name()))?.write(page.text.as_bytes())?;
    }
    Ok(())
}

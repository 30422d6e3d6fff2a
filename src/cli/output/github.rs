//! `--format github`: the results of a step of GitHub Actions, in the files that the runner names. Both are opened
//! before anything is sent, and appended to after it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::output::markdown;
use crate::core::error::CommandError;
use crate::core::push::outcome::PushOutcome;
use crate::env::Env;
use crate::sanitize;

/// Where the runner reads the step's outputs.
const OUTPUT_VARIABLE: &str = "GITHUB_OUTPUT";

/// Where the runner reads the step's part of the summary.
const SUMMARY_VARIABLE: &str = "GITHUB_STEP_SUMMARY";

/// The two files.
pub(crate) struct GithubFiles {
    output: AppendFile,
    summary: AppendFile,
}

struct AppendFile {
    path: PathBuf,
    file: File,
}

impl GithubFiles {
    /// Opens both.
    ///
    /// # Errors
    /// [`CommandError::VariableNotSet`] where the runner has not named one; a file that cannot be written.
    pub(crate) fn prepare(env: &Env) -> Result<GithubFiles, CommandError> {
        let output = AppendFile::open(env, OUTPUT_VARIABLE)?;
        Ok(GithubFiles { output, summary: AppendFile::open(env, SUMMARY_VARIABLE)? })
    }

    /// Appends `digest`, `tags` and `json` (the text of `--format json`, on one line) to the outputs, and a table for
    /// each list to the summary. Of several lists, digests and tags are separated by commas.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn append<T: Serialize + ?Sized>(
        &mut self,
        lists: &[PushOutcome],
        json: &T,
    ) -> Result<(), CommandError> {
        let digests: Vec<&str> = lists.iter().map(|list| list.digest.as_str()).collect();
        let tags: Vec<String> = lists.iter().flat_map(PushOutcome::names).collect();
        let json = serde_json::to_string(json).map_err(|error| CommandError::Output(error.into()))?;
        let outputs = [("digest", digests.join(",")), ("tags", tags.join(",")), ("json", sanitize::json(&json))];
        self.output.append(&outputs.map(|(name, value)| output_line(name, &value)).concat())?;
        let tables: Vec<String> = lists.iter().map(markdown::summary).collect();
        self.summary.append(&tables.join("\n"))
    }
}

/// An output on one line, whatever is in it: a line break would begin another output.
fn output_line(name: &str, value: &str) -> String {
    format!("{name}={}\n", value.replace(['\n', '\r'], " "))
}

impl AppendFile {
    fn open(env: &Env, name: &'static str) -> Result<AppendFile, CommandError> {
        let path = env.path(name).ok_or(CommandError::VariableNotSet(name))?;
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path);
        let file = file.map_err(|source| CommandError::ResultFile { path: path.clone(), source })?;
        Ok(AppendFile { path, file })
    }

    fn append(&mut self, text: &str) -> Result<(), CommandError> {
        let written = self.write_on_new_line(text);
        written.map_err(|source| CommandError::ResultFile { path: self.path.clone(), source })
    }

    /// Begins a new line if an earlier step left the last line open.
    fn write_on_new_line(&mut self, text: &str) -> io::Result<()> {
        let mut last = [b'\n'];
        if self.file.seek(SeekFrom::End(-1)).is_ok() {
            self.file.read_exact(&mut last)?;
        }
        let separator = if last == [b'\n'] { "" } else { "\n" };
        self.file.write_all(format!("{separator}{text}").as_bytes())?;
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_in_a_value_begin_no_other_output() {
        assert_eq!(output_line("json", "{\"a\":\"b\"}"), "json={\"a\":\"b\"}\n");
        assert_eq!(output_line("tags", "a\nevil=1\r\nb"), "tags=a evil=1  b\n");
    }

    #[test]
    fn appended_text_begins_on_its_own_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output");
        std::fs::write(&path, "left=open").unwrap();
        let env = Env::from_pairs([(OUTPUT_VARIABLE, path.to_str().unwrap())]);
        for text in ["a=1\n", "b=2\n"] {
            AppendFile::open(&env, OUTPUT_VARIABLE).unwrap().append(text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "left=open\na=1\nb=2\n");
        assert!(matches!(GithubFiles::prepare(&env), Err(CommandError::VariableNotSet(SUMMARY_VARIABLE))));
    }
}

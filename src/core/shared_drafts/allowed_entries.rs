//! `--only-from`: a file that lists the entries that may be published.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::core::error::CommandError;
use crate::core::shared_draft_error::SharedDraftError;
use crate::digest::{Digest, DigestError};
use crate::sanitize;

/// The digests that entries may have, from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllowedEntries {
    pub(crate) file: String,
    pub(crate) digests: BTreeSet<Digest>,
}

impl AllowedEntries {
    /// Reads a file with a digest in each line, as `add --shared` prints it, or with the objects of its
    /// `--format json`.
    /// Empty lines are skipped.
    ///
    /// # Errors
    /// [`SharedDraftError::AllowedFile`] for a line or an object without a digest, and a file without lines.
    pub(crate) fn parse(file: &str, text: &str) -> Result<AllowedEntries, CommandError> {
        let mut digests = BTreeSet::new();
        let invalid = |reason: String| SharedDraftError::AllowedFile { file: file.to_owned(), reason };
        if text.trim_start().starts_with('{') {
            for stored in serde_json::Deserializer::from_str(text).into_iter::<StoredDigest>() {
                let digest = stored.map_err(|error| invalid(error.to_string()))?.digest;
                digests.insert(digest.parse().map_err(|error: DigestError| invalid(error.to_string()))?);
            }
            return Ok(AllowedEntries { file: file.to_owned(), digests });
        }
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let last = |word: &str| word.rsplit('@').next().and_then(|digest| digest.parse::<Digest>().ok());
            let Some(digest) = line.split_whitespace().rev().find_map(last) else {
                return Err(
                    invalid(format!("line {} has no digest: {}", number + 1, sanitize::short_line(line))).into()
                );
            };
            digests.insert(digest);
        }
        if digests.is_empty() {
            return Err(invalid("there is no digest in it".to_owned()).into());
        }
        Ok(AllowedEntries { file: file.to_owned(), digests })
    }
}

/// An entry in the output of `add --format json`.
#[derive(Deserialize)]
struct StoredDigest {
    digest: String,
}

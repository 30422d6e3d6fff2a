//! `ls`: lists every draft, also those that docker made. A draft that cannot be read has a row that says so; the
//! command fails after all rows are printed.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::cli::args::{Ls, RowsFormat};
use crate::cli::context::Context;
use crate::cli::output::{Table, human};
use crate::core::error::CommandError;
use crate::core::error_parts;
use crate::core::json_output::ManifestJson;
use crate::core::platform_match;
use crate::drafts::docker_dir::{StoredDraft, StoredName};
use crate::model::Draft;

pub(crate) fn run(context: &Context, args: &Ls) -> Result<(), CommandError> {
    let store = context.store();
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for name in store.stored_names()? {
        match store.load_stored(&name).map_err(CommandError::from) {
            Ok(Some(stored)) => rows.push(Row::Draft(name, Box::new(stored))),
            Ok(None) => {}
            Err(error) => {
                rows.push(Row::Unreadable(name, error.to_string()));
                errors.push(error);
            }
        }
    }
    rows.sort_by_cached_key(Row::name);
    match args.format {
        _ if args.quiet => rows.iter().filter_map(Row::list).try_for_each(|list| context.streams.line(list))?,
        RowsFormat::Table => {
            let table = context.streams.table_for_stdout(table(&rows));
            context.streams.data(table.to_string().as_bytes())?;
        }
        RowsFormat::Json => context.streams.json(&rows.iter().map(Row::to_json).collect::<Result<Vec<_>, _>>()?)?,
    }
    CommandError::fail_if_any(errors)
}

/// One row: a draft that the store has under a name.
enum Row {
    Draft(StoredName, Box<StoredDraft>),
    /// A draft that cannot be read, and why.
    Unreadable(StoredName, String),
}

impl Row {
    /// The list's name, if the directory's name can be a list's.
    fn list(&self) -> Option<String> {
        match self {
            Row::Draft(_, stored) => Some(stored.draft.reference.to_string()),
            Row::Unreadable(name, _) => name.list().map(|list| list.to_string()),
        }
    }

    /// The list's name, else the directory's name.
    fn name(&self) -> String {
        let (Row::Draft(name, _) | Row::Unreadable(name, _)) = self;
        self.list().unwrap_or_else(|| name.directory.clone())
    }

    /// Whether the name is a guess, because docker does not store names.
    fn is_guessed(&self) -> bool {
        match self {
            Row::Draft(_, stored) => stored.is_name_guessed,
            Row::Unreadable(name, _) => name.recorded_list.is_none(),
        }
    }

    fn to_json(&self) -> Result<JsonRow, CommandError> {
        let (Row::Draft(name, _) | Row::Unreadable(name, _)) = self;
        let (guessed, directory) = (self.is_guessed(), name.directory.clone());
        Ok(match self {
            Row::Draft(_, stored) => JsonRow::Draft {
                manifest: Box::new(ManifestJson::from_draft(&stored.draft)?),
                guessed,
                directory,
                entries: stored.draft.entries_in_key_order().count(),
                modified: rfc3339(stored.modified),
                stored_bytes: stored.bytes,
            },
            Row::Unreadable(_, error) => {
                JsonRow::Unreadable { reference: self.list(), guessed, directory, error: error.clone() }
            }
        })
    }
}

/// A row of `--format json`.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum JsonRow {
    Draft {
        #[serde(flatten)]
        manifest: Box<ManifestJson>,
        guessed: bool,
        directory: String,
        /// The number of manifests, including attestations.
        entries: usize,
        /// The time of the last change (RFC 3339); none if it cannot be written so.
        modified: Option<String>,
        /// The size of the draft in the store, in bytes.
        stored_bytes: u64,
    },
    Unreadable {
        reference: Option<String>,
        guessed: bool,
        directory: String,
        error: String,
    },
}

/// The library panics before 1970 and fails after 9999.
fn rfc3339(time: SystemTime) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", humantime::format_rfc3339_seconds(time.max(UNIX_EPOCH))).ok()?;
    Some(text)
}

fn table(rows: &[Row]) -> Table {
    let now = SystemTime::now();
    let mut table = Table::new(&["LIST", "ENTRIES", "PLATFORMS", "AGE", "SIZE"]);
    for row in rows {
        let suffix = if row.is_guessed() { " ?" } else { "" };
        let name = format!("{}{suffix}", row.name());
        match row {
            Row::Unreadable(..) => table.row([&name, "-", "(cannot be read)", "-", "-"]),
            Row::Draft(_, stored) => {
                let age = human::ago(now.duration_since(stored.modified).unwrap_or_default());
                let count = stored.draft.entries_in_key_order().count().to_string();
                table.row([name, count, platforms(&stored.draft), age, human::size(stored.bytes)]);
            }
        }
    }
    table
}

/// The largest number of platforms in a row. Published images have fewer.
const SHOWN_PLATFORMS_MAX: usize = 16;

/// The platforms of the images, each once. Attestations have none.
fn platforms(draft: &Draft) -> String {
    let mut names: Vec<String> = Vec::new();
    let images = draft.entries_in_key_order().filter(|entry| !entry.is_attestation());
    for name in images.filter_map(|entry| platform_match::known_platform(&entry.descriptor)).map(ToString::to_string) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    error_parts::abbreviated(&names, SHOWN_PLATFORMS_MAX)
}

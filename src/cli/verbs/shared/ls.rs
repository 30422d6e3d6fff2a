//! `ls --shared`: the entries in a repository, of one list or of all.

use serde::Serialize;

use crate::cli::args::{ListFormat, Ls, RefArg};
use crate::cli::context::Context;
use crate::cli::output::Table;
use crate::cli::verbs::shared::Client;
use crate::core::error::CommandError;
use crate::core::shared::clean_up;
use crate::core::shared::listing::{self, ListedEntry};
use crate::drafts::registry::FoundEntry;
use crate::reference::Reference;

/// An entry as `--format json` shows it.
#[derive(Serialize)]
struct Row {
    /// The entry's tag in full.
    reference: String,
    digest: String,
    /// The list in full; a part of its tag where the entry does not say more.
    list: String,
    /// The run; where the entry does not say it, its hash in the tag.
    run: Option<String>,
    key: String,
    /// Whether the list serves all that is in the entry; nothing where that cannot be told.
    published: Option<bool>,
    /// Why it is no entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn run(context: &Context, args: &Ls, list: &RefArg) -> Result<(), CommandError> {
    let typed = list.typed.as_str();
    let list = list.reference()?;
    let repository = list.repository();
    let client = Client::new(context, &args.network, repository)?;
    let one = if Reference::names_repository_only(typed) { None } else { list.tag() };
    let listed = listing::entries(client.gather(), repository, one)?;
    let found: Vec<FoundEntry> = listed
        .iter()
        .filter_map(|listed| match listed {
            ListedEntry::Entry(found) => Some((**found).clone()),
            ListedEntry::Other(..) => None,
        })
        .collect();
    let served = clean_up::served(client.gather(), repository, &found)?;
    let rows: Vec<Row> = listed
        .into_iter()
        .map(|listed| match listed {
            ListedEntry::Entry(found) => Row {
                reference: format!("{repository}:{}", found.tag),
                digest: found.digest.to_string(),
                list: format!("{repository}:{}", found.entry.name.list),
                run: found.entry.name.run.clone(),
                key: found.entry.name.key.to_string(),
                published: served.get(&found.tag).copied(),
                error: None,
            },
            ListedEntry::Other(other, parts) => Row {
                reference: format!("{repository}:{}", other.tag),
                digest: other.digest.to_string(),
                list: format!("{repository}:{}", parts.list),
                run: Some(parts.run).filter(|run| run != "0"),
                key: parts.key,
                published: None,
                error: Some(other.why.to_string()),
            },
        })
        .collect();
    match args.format {
        _ if args.quiet => rows.iter().try_for_each(|row| context.streams.line(&row.reference))?,
        ListFormat::Json => context.streams.json(&rows)?,
        ListFormat::Table => {
            let table = table(&rows).within(context.streams.width());
            context.streams.data(table.to_string().as_bytes())?;
        }
    }
    Ok(())
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["LIST", "RUN", "KEY", "DIGEST", "PUBLISHED"]);
    for row in rows {
        let published = match (row.published, &row.error) {
            (Some(true), _) => "published",
            (Some(false), _) => "not published",
            (None, _) => "(no entry of ours)",
        };
        let run = row.run.as_deref().unwrap_or("-");
        table.row([row.list.as_str(), run, row.key.as_str(), row.digest.as_str(), published]);
    }
    table
}

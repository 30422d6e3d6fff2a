//! `ls --shared`: the entries in a repository, of one list or of all.

use serde::Serialize;

use crate::cli::args::{Ls, RefArg, RowsFormat};
use crate::cli::context::Context;
use crate::cli::output::Table;
use crate::cli::verbs::shared_drafts::SharedClient;
use crate::core::error::CommandError;
use crate::core::shared_drafts::clean_up;
use crate::core::shared_drafts::listing;
use crate::drafts::registry::FoundEntry;
use crate::reference::Reference;

/// An entry as `--format json` shows it.
#[derive(Serialize)]
struct EntryRow {
    /// The entry's tag in full.
    reference: String,
    digest: String,
    /// The list in full. If the entry does not name it, the part of it that is in the entry's tag.
    list: String,
    /// The run. If the entry does not name it, its hash from the entry's tag.
    run: Option<String>,
    key: String,
    /// Whether the published list contains everything in the entry; `None` if that is not known.
    published: Option<bool>,
    /// Why the tag is not that of an entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn run(context: &Context, args: &Ls, list: &RefArg) -> Result<(), CommandError> {
    let typed = list.typed.as_str();
    let list = list.reference()?;
    let repository = list.repository();
    let client = SharedClient::new(context, &args.network, repository)?;
    let only_tag = if Reference::is_repository_only(typed) { None } else { list.tag() };
    let listed = listing::list_entries(client.shared_draft_context(), repository, only_tag)?;
    let entries: Vec<FoundEntry> = listed.iter().filter_map(|listed| listed.as_ref().ok().cloned()).collect();
    let served = clean_up::fetch_is_published_by_tag(client.shared_draft_context(), repository, &entries)?;
    let rows: Vec<EntryRow> = listed
        .into_iter()
        .map(|listed| match listed {
            Ok(found) => EntryRow {
                reference: format!("{repository}:{}", found.tag),
                digest: found.digest.to_string(),
                list: format!("{repository}:{}", found.entry.name.list_tag),
                run: found.entry.name.run.clone(),
                key: found.entry.name.key.to_string(),
                published: served.get(&found.tag).copied(),
                error: None,
            },
            Err((other, parts)) => EntryRow {
                reference: format!("{repository}:{}", other.tag),
                digest: other.digest.to_string(),
                list: format!("{repository}:{}", parts.list),
                run: Some(parts.run).filter(|run| run != "0"),
                key: parts.key,
                published: None,
                error: Some(other.error.to_string()),
            },
        })
        .collect();
    match args.format {
        _ if args.quiet => rows.iter().try_for_each(|row| context.streams.line(&row.reference))?,
        RowsFormat::Json => context.streams.json(&rows)?,
        RowsFormat::Table => {
            let table = table(&rows).within(context.streams.stdout_width());
            context.streams.data(table.to_string().as_bytes())?;
        }
    }
    Ok(())
}

fn table(rows: &[EntryRow]) -> Table {
    let mut table = Table::new(&["LIST", "RUN", "KEY", "DIGEST", "PUBLISHED"]);
    for row in rows {
        let published = match (row.published, &row.error) {
            (Some(true), _) => "published",
            (Some(false), _) => "not published",
            (None, _) => "(not an entry)",
        };
        let run = row.run.as_deref().unwrap_or("-");
        table.row([row.list.as_str(), run, row.key.as_str(), row.digest.as_str(), published]);
    }
    table
}

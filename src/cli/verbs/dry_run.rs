//! The text of a dry run of a push.

use std::fmt::{Display, Write};

use crate::cli::output::{Table, human};
use crate::core::json_output::{PlannedTransfer, TransferMethod};
use crate::core::push::outcome::{CopiedBlobs, DryRun, PlannedTagChange, PlannedTagChangeKind, PushOutcome};
use crate::reference::Reference;

/// The text of a dry run.
pub(crate) fn text(outcome: &PushOutcome, width: Option<usize>) -> String {
    outcome.repositories().map(|outcome| repository(outcome, width)).collect::<Vec<_>>().join("\n")
}

/// The part about one repository.
fn repository(outcome: &PushOutcome, width: Option<usize>) -> String {
    let mut text = format!("Would push {}\n", outcome.reference);
    for (name, value) in [
        ("digest", outcome.digest.clone()),
        ("media type", outcome.media_type.clone()),
        ("size", human::size(outcome.size)),
    ] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<12}{value}", format!("{name}:"));
    }
    let Some(preview) = &outcome.preview else { return text };
    for PlannedTagChange { tag, change, now } in &preview.tag_changes {
        let moves = format!("moves here from {}", now.as_deref().unwrap_or("unknown"));
        let _ = writeln!(text, "{:<12}{tag} ({})", "tag:", tag_state(*change, &moves));
    }
    for PlannedTagChange { tag, change, .. } in &preview.referrers_tags {
        let _ = writeln!(text, "{:<12}{tag} ({})", "referrers:", tag_state(*change, "gets more entries"));
    }
    let _ = write!(text, "\n{}", table(outcome).within(width));
    text.push_str(&referrers(&outcome.referrers, &outcome.left_behind));
    let CopiedBlobs { blobs, bytes } = outcome.copied;
    let _ = writeln!(
        text,
        "\nBlobs to mount: {}, to copy: {blobs} ({})\n\n{}",
        outcome.mounted,
        human::size(bytes),
        differences(outcome, preview)
    );
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The referrers, as far as there are any.
pub(super) fn referrers<T: Display>(sent: &[T], left_behind: &[T]) -> String {
    let mut text = String::new();
    for (title, referrers) in [("Referrers that come along", sent), ("Referrers that stay behind", left_behind)] {
        if !referrers.is_empty() {
            let _ = writeln!(text, "\n{title}:");
        }
        for referrer in referrers {
            let _ = writeln!(text, "  {referrer}");
        }
    }
    text
}

/// What happens to a tag. `moves` is the word for a tag that names another list now.
fn tag_state(change: PlannedTagChangeKind, moves: &str) -> &str {
    match change {
        PlannedTagChangeKind::New => "new",
        PlannedTagChangeKind::Unchanged => "unchanged",
        PlannedTagChangeKind::Moved => moves,
        PlannedTagChangeKind::Unknown => "what it serves now is not known",
    }
}

fn table(outcome: &PushOutcome) -> Table {
    let mut table = Table::new(&["platform", "digest", "from", "bytes"]);
    for image in &outcome.platforms {
        let (from, bytes) = match &image.transfer {
            Some(PlannedTransfer { how: TransferMethod::InPlace, .. }) | None => ("in place".to_owned(), String::new()),
            Some(PlannedTransfer { how, repository, bytes }) => {
                let how = if *how == TransferMethod::Mount { "mount" } else { "copy" };
                (format!("{how} from {repository}"), human::size(*bytes))
            }
        };
        let platform = if image.attests.is_some() { Some("attestation") } else { image.platform.as_deref() };
        table.row([platform.unwrap_or("-"), &image.digest, &from, &bytes]);
    }
    table
}

/// The differences from the list that the registry serves now, one line each.
fn differences(outcome: &PushOutcome, dry_run: &DryRun) -> String {
    if outcome.unchanged {
        return "unchanged: nothing would be sent".to_owned();
    }
    let list = &outcome.reference;
    let reference = Reference::parse(list).ok();
    let own_tag = reference.as_ref().and_then(Reference::tag);
    let mut changes = dry_run.tag_changes.iter();
    // The first name of a list in a layout is its own.
    let own_change =
        if own_tag.is_some() { changes.find(|change| Some(change.tag.as_str()) == own_tag) } else { changes.next() };
    let lines = dry_run.changes.lines();
    match own_change.map(|tag| tag.change) {
        Some(PlannedTagChangeKind::Unknown) => format!("What {list} serves now is not known"),
        Some(PlannedTagChangeKind::Unchanged) => format!("{list} serves this list now"),
        _ if lines.is_empty() => format!("{list} serves the same list now in other bytes"),
        _ => format!("Compared with what {list} serves now:\n{}", lines.join("\n")),
    }
}

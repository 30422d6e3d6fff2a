//! The report: Markdown whose columns are aligned, so that it reads the same in a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use crate::checks::{CheckResult, round_trips};
use crate::ratios;
use crate::results::{Key, Outcome, Results, Sample, median};
use crate::startup::StartupTime;
use crate::tls::TlsResults;
use crate::tools::{Job, OURS};

/// What there is to report.
pub(crate) struct Report<'a> {
    pub(crate) facts: &'a [(String, String)],
    pub(crate) startup: &'a [StartupTime],
    pub(crate) plain: &'a Results,
    pub(crate) concurrency: &'a [(usize, Sample)],
    pub(crate) tls: &'a TlsResults,
    pub(crate) copies: &'a Results,
    pub(crate) check_results: &'a [CheckResult],
}

/// The whole report.
pub(crate) fn markdown(report: &Report<'_>) -> String {
    let mut text = String::from("# docker-manifest beside docker and its peers\n\nWritten by `make bench`. ");
    text += "One registry behind a link with the round-trip time given: over plain HTTP without a login, and over TLS \
             with Bearer tokens, where the token server is behind such a link too. N images of one shared and one own \
             layer each, in repositories of their own, become one list in a new repository. docker and ours take two \
             processes for create + push; `apply` and the others take one. Values are medians; a round trip is the \
             wall time over the link's; `× ours` is wall time over ours. No peak can show less than that of the small \
             process that starts the tool, which is what `/bin/true` shows. `baseline` is another build of ours: `ours \
             / baseline` is the median of the ratios of runs that followed each other.\n\n";
    for (name, value) in report.facts {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text += "\n## Start-up\n\n";
    text += &markdown_table(&["command", "ms", "CPU ms", "peak MB"], report.startup.iter().map(start_row).collect());
    text += &section("", report.plain);
    text += &concurrency_section("plain HTTP", report.concurrency);
    text += &section("TLS, tokens: ", &report.tls.warm);
    text += &section("TLS, tokens, first command of a day: ", &report.tls.cold);
    text += &concurrency_section("TLS, tokens", &report.tls.concurrency);
    text += &section("", report.copies);
    let all = [report.plain, &report.tls.warm, &report.tls.cold, report.copies];
    text += &left_out(&all);
    text += "\n## Checks of ours\n\n";
    for check in report.check_results {
        let _ = writeln!(text, "- {}: {}", if check.is_met { "met" } else { "**MISSED**" }, check.text);
    }
    if report.check_results.is_empty() {
        text += "None: what they look at was not measured.\n";
    }
    text
}

/// A table for each job.
fn section(how: &str, results: &Results) -> String {
    let mut text = String::new();
    for job in Job::ALL {
        let keys: Vec<&Key> = results.outcomes.keys().filter(|key| key.job == job).collect();
        if keys.is_empty() {
            continue;
        }
        let _ = write!(text, "\n## {how}{}\n\n", heading(job));
        let head = ["images", "RTT ms", "tool", "requests", "connections", "round trips", "ms"];
        let head = [&head[..], &["CPU ms", "peak MB", "× ours", "runs"]].concat();
        text += &markdown_table(&head, keys.iter().map(|key| row(key, results)).collect());
        let compared: Vec<Vec<String>> =
            keys.iter().filter(|key| key.tool == OURS).filter_map(|key| ratio_row(key, results)).collect();
        if !compared.is_empty() {
            text += "\n";
            text += &markdown_table(&["images", "RTT ms", "ours / baseline", "CPU", "peak", "pairs"], compared);
        }
    }
    text
}

fn ratio_row(key: &Key, results: &Results) -> Option<Vec<String>> {
    let ratios = ratios::of(results, key)?;
    let mut row = vec![key.images.to_string(), key.rtt.as_millis().to_string()];
    row.extend([ratios.wall, ratios.cpu, ratios.peak].map(|ratio| format!("{ratio:.2}")));
    row.push(ratios.pairs.to_string());
    Some(row)
}

fn concurrency_section(how: &str, bounds: &[(usize, Sample)]) -> String {
    if bounds.is_empty() {
        return String::new();
    }
    let head = ["--jobs", "requests", "connections", "ms", "CPU ms", "peak MB"];
    let rows = markdown_table(&head, bounds.iter().map(concurrency_row).collect());
    format!("\n## How many requests at once ({how}, create + push of 50 at 40 ms)\n\n{rows}")
}

fn heading(job: Job) -> &'static str {
    match job {
        Job::Publish => "Create and push a list",
        Job::Again => "Push the same again",
        Job::Apply => "Apply a spec",
        Job::Copy => "Copy 8 images, 320 MB, to another registry on this machine",
        Job::Inspect => "Inspect a remote list",
        Job::Verbose => "Inspect a remote list with its images (-v)",
    }
}

fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 100.0 { format!("{millis:.1}") } else { format!("{millis:.0}") }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

fn start_row(start: &StartupTime) -> Vec<String> {
    vec![start.command.clone(), millis(start.usage.wall), millis(start.usage.cpu), megabytes(start.usage.peak)]
}

fn row(key: &Key, results: &Results) -> Vec<String> {
    let mut row = vec![key.images.to_string(), key.rtt.as_millis().to_string(), key.tool.to_owned()];
    let samples = match results.outcomes.get(key) {
        Some(Outcome::Ran(samples)) => samples.as_slice(),
        Some(Outcome::Missing(_)) | None => &[],
    };
    let Some(sample) = median(samples) else {
        row.extend(["–"; 7].map(str::to_owned));
        row.push("0 (see below)".to_owned());
        return row;
    };
    let ours = results.median(&Key { tool: OURS, ..key.clone() });
    let ratio = ours.map(|ours| sample.usage.wall.as_secs_f64() / ours.usage.wall.as_secs_f64());
    row.extend([
        // A link sees none in what is encrypted.
        if sample.requests == 0 { "–".to_owned() } else { sample.requests.to_string() },
        sample.connections.to_string(),
        round_trips(&sample, key.rtt).map_or_else(|| "–".to_owned(), |trips| format!("{trips:.1}")),
        millis(sample.usage.wall),
        millis(sample.usage.cpu),
        megabytes(sample.usage.peak),
        ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.1}")),
        samples.len().to_string(),
    ]);
    row
}

fn concurrency_row((bound, sample): &(usize, Sample)) -> Vec<String> {
    let usage = &sample.usage;
    vec![
        bound.to_string(),
        sample.requests.to_string(),
        sample.connections.to_string(),
        millis(usage.wall),
        millis(usage.cpu),
        megabytes(usage.peak),
    ]
}

fn left_out(all: &[&Results]) -> String {
    let mut text = String::new();
    for (key, outcome) in all.iter().flat_map(|results| &results.outcomes) {
        if let Outcome::Missing(reason) = outcome {
            let (rtt, job) = (key.rtt.as_millis(), key.job.title());
            let _ = writeln!(text, "- {}, {job} of {} images at {rtt} ms: {reason}", key.tool, key.images);
        }
    }
    if text.is_empty() { text } else { format!("\n## Not measured\n\n{text}") }
}

/// A table whose columns are as wide as their widest cell; all but the words stand to the right.
fn markdown_table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let is_word = |column: usize| ["command", "tool"].contains(&head[column].as_str());
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if is_word(column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule = |(column, width): (usize, &usize)| {
        let dashes = "-".repeat(width.saturating_sub(1));
        if is_word(column) { format!("{dashes}-") } else { format!("{dashes}:") }
    };
    let rules = widths.iter().enumerate().map(rule).collect::<Vec<_>>().join(" | ");
    let body: String = rows.iter().map(line).collect();
    format!("{}| {rules} |\n{body}", line(&head))
}

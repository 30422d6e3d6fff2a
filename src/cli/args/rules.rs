//! The rules that docker's commands do not have: which words may be left out, and which flags exclude or need each
//! other.
//!
//! A flag with the value false (`--local=false`) counts as not given.

use std::path::{Component, Path};

use clap::{Arg, Command};

use super::error::{Count, FlagError};
use super::pflag::{Scanned, value_name};
use crate::core::list_edits::AnnotationArg;

/// Pairs of flags that exclude each other in every command.
const EXCLUSIVE: &[(&str, &str)] = &[
    ("amend", "replace"),
    ("offline", "replace"),
    ("local", "remote"),
    ("raw", "verbose"),
    ("raw", "format"),
    ("check", "raw"),
    ("check", "local"),
    ("check", "platform"),
    ("referrers", "raw"),
    ("referrers", "local"),
    ("quiet", "verbose"),
    ("by-digest", "tag"),
    ("dry-run", "verify"),
    ("to", "draft"),
    ("shared", "to"),
    ("shared", "push"),
    ("shared", "by-digest"),
    ("shared", "offline"),
    ("shared", "local"),
    ("shared", "remote"),
    ("shared", "check"),
    ("shared", "older-than"),
    ("run", "all"),
    ("file", "platforms"),
    ("file", "template"),
    ("file", "target"),
    ("artifact", "shared"),
    ("artifact", "dry-run"),
    ("subject", "unset-subject"),
    ("empty", "amend"),
    ("empty", "from"),
    ("empty", "require"),
    ("empty", "push"),
    ("amend", "push"),
    ("replace", "push"),
    ("markdown", "output"),
];

/// Flags that need another flag.
const TOGETHER: &[(&str, &str)] = &[
    ("username", "password-stdin"),
    ("password-stdin", "username"),
    ("exact", "require"),
    ("run", "shared"),
    ("key", "shared"),
    ("if-complete", "shared"),
    ("if-complete", "require"),
    ("wait", "shared"),
    ("wait", "require"),
    ("entry", "if-complete"),
    ("fresh", "shared"),
    ("only-from", "shared"),
    ("platforms", "template"),
    ("template", "platforms"),
    ("platforms", "target"),
    ("repository", "from"),
    ("from-target", "from"),
    ("artifact", "artifact-type"),
    ("artifact-title", "artifact"),
    ("artifact-media-type", "artifact"),
];

/// Words that a command needs unless one of these flags is given.
const UNLESS: &[(&str, &str, &[&str])] = &[
    ("annotate", "image", &["annotation", "unset-annotation", "artifact-type", "subject", "unset-subject"]),
    ("create", "images", &["from", "empty"]),
    ("add", "images", &["from", "artifact"]),
    ("rm", "lists", &["all"]),
];

/// Flags of `add` that mean something only where the list is published.
const PUBLISHING: &[&str] = &[
    "type",
    "tag",
    "verify",
    "exact",
    "strict",
    "digest-file",
    "metadata-file",
    "wait",
    "fresh",
    "only-from",
    "purge",
    "require",
];

/// What is asked of a list that is published, and how the result is printed.
const OF_A_LIST: &[&str] = &["require", "exact", "strict", "format"];

/// What a list says of itself: not of an entry, and not of a shared draft.
const OF_THE_LIST: &[&str] = &["subject", "unset-subject", "prefer-index"];

/// Flags of `inspect` for lists that are not local drafts.
const OF_NO_LOCAL_LIST: &[&str] = &["shared", "remote", "check", "referrers"];

/// Flags of verbs that need a registry only for a shared draft.
const OF_A_REGISTRY: &[&str] = &["insecure", "jobs", "retries", "username", "password-stdin"];

/// Flags that describe an image's platform. A list has none.
const OF_AN_IMAGE: &[&str] = &["os", "arch", "variant", "os-version", "os-features", "features", "force"];

/// Commands that publish with `--push` alone, and their flags that mean nothing without it.
const OF_PUSH: &[(&str, &[&str])] =
    &[("create", &["prefer-index"]), ("add", &["format"]), ("remove", OF_A_CHANGE), ("annotate", OF_A_CHANGE)];

/// Flags of what sends requests with `--push` alone.
const OF_A_CHANGE: &[&str] =
    &["require", "strict", "format", "insecure", "jobs", "retries", "username", "password-stdin"];

/// Flags of publishing.
const OF_PUBLISHING: &[&str] = &[
    "type",
    "tag",
    "by-digest",
    "verify",
    "to",
    "dry-run",
    "verbose",
    "digest-file",
    "metadata-file",
    "quiet",
    "purge",
    "referrers",
    "referrer-type",
];

/// Whether the command needs this word, as its usage shows.
pub(super) fn is_required(verb: &Command, word: &Arg) -> bool {
    word.is_required_set() || unless(verb, word).is_some()
}

fn unless(verb: &Command, word: &Arg) -> Option<&'static [&'static str]> {
    let row = UNLESS.iter().find(|(name, id, _)| *name == verb.get_name() && word.get_id() == *id);
    row.map(|(_, _, flags)| *flags)
}

/// The number of words that the command takes with these flags.
pub(super) fn count(verb: &Command, scanned: &Scanned) -> Count {
    let mut count = Count { min: 0, max: Some(0) };
    for word in verb.get_positionals() {
        let excused = unless(verb, word).is_some_and(|flags| flags.iter().any(|flag| scanned.is_on(flag)));
        count.min += usize::from(is_required(verb, word) && !excused);
        let many = word.get_num_args().is_some_and(|range| range.max_values() > 1);
        count.max = if many { None } else { count.max.map(|max| max + 1) };
    }
    count
}

/// Checks the flags of a command against each other and against its words.
pub(super) fn check(verb: &Command, scanned: &Scanned) -> Result<(), FlagError> {
    let is_on = |flag: &str| scanned.is_on(flag);
    let spelt = |flag: &str| format!("--{flag}");
    if let Some((one, other)) = EXCLUSIVE.iter().find(|(one, other)| is_on(one) && is_on(other)) {
        return Err(FlagError::Conflict { one: spelt(one), other: spelt(other) });
    }
    // For `apply` the requirements may be in the file.
    let is_elsewhere = |flag: &str| flag == "exact" && verb.get_name() == "apply" && is_on("file");
    let lacks = |(flag, other): &&(&str, &str)| is_on(flag) && !is_on(other) && !is_elsewhere(flag);
    if let Some((flag, other)) = TOGETHER.iter().find(lacks) {
        return Err(FlagError::Needs { flag: spelt(flag), other: spelt(other) });
    }
    if let Some((_, own)) =
        OF_PUSH.iter().find(|(name, _)| *name == verb.get_name()).filter(|_| !is_on("push") && !is_on("shared"))
    {
        // A subject is requested.
        let is_needed = |flag: &&&str| is_on("subject") && OF_A_REGISTRY.contains(flag);
        let mut of_push = OF_PUBLISHING.iter().chain(*own).filter(|flag| !is_needed(flag));
        let format = || is_table(scanned).then_some(&"format");
        if let Some(flag) = of_push.find(|flag| is_on(flag)).or_else(format) {
            return Err(FlagError::Needs { flag: spelt(flag), other: spelt("push") });
        }
    }
    values(scanned)?;
    of_verb(verb, scanned)
}

/// Checks flags that exclude each other for some of their values.
fn values(scanned: &Scanned) -> Result<(), FlagError> {
    let unset = scanned.values("unset-annotation");
    let keys = scanned.values("annotation").iter().filter_map(|pair| pair.split_once('=')).map(|(key, _)| key);
    if let Some(key) = keys.into_iter().find(|key| unset.iter().any(|unset| unset == key)) {
        let (one, other) = (format!("--annotation {key}"), format!("--unset-annotation {key}"));
        return Err(FlagError::Conflict { one, other });
    }
    let is_template = scanned.values("format").last().is_some_and(|format| format.contains("{{"));
    if let Some(flag) = ["check", "referrers", "verbose"].into_iter().find(|flag| is_template && scanned.is_on(flag)) {
        return Err(FlagError::Conflict { one: format!("--{flag}"), other: "--format '{{…}}'".to_owned() });
    }
    let [one, other] = ["digest-file", "metadata-file"].map(|flag| scanned.values(flag).last());
    if let (Some(one), Some(other)) = (one, other)
        && is_same_file(Path::new(one), Path::new(other))
    {
        let (one, other) = (format!("--digest-file {one}"), format!("--metadata-file {other}"));
        return Err(FlagError::Conflict { one, other });
    }
    Ok(())
}

/// Whether two paths name the same file, so that the second result would replace the first. A device or a pipe, such as
/// `/dev/stdout`, takes both.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let parts = |path: &Path| -> Vec<_> {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        parts.map(|part| part.as_os_str().to_owned()).collect()
    };
    let takes_both = |path: &Path| ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    !takes_both(one) && !parts(one).is_empty() && parts(one) == parts(other)
}

/// Whether `--format` is one that describes a published list.
fn is_table(scanned: &Scanned) -> bool {
    scanned.values("format").last().is_some_and(|format| format != "json")
}

/// Checks the rules of one command.
fn of_verb(verb: &Command, scanned: &Scanned) -> Result<(), FlagError> {
    let is_on = |flag: &str| scanned.is_on(flag);
    let spelt = |flag: &str| format!("--{flag}");
    let word = |id: &str| verb.get_positionals().find(|word| word.get_id() == id).map(value_name).unwrap_or_default();
    let conflict = |one: String, other: String| Err(FlagError::Conflict { one, other });
    let needs = |flag: &str, other: &str| Err(FlagError::Needs { flag: spelt(flag), other: spelt(other) });
    let first = |flags: &[&'static str]| flags.iter().find(|flag| is_on(flag)).copied();
    let inputs =
        ["file", "from"].into_iter().flat_map(|flag| scanned.values(flag).iter().map(move |file| (flag, file)));
    let standard_inputs: Vec<&str> = inputs.filter(|(_, file)| *file == "-").map(|(flag, _)| flag).collect();
    if let Some(list) = scanned.words.first().filter(|word| is_on("shared") && word.contains('@')) {
        return conflict(spelt("shared"), list.clone());
    }
    match verb.get_name() {
        "add" if scanned.values("artifact-title").len() > scanned.values("artifact").len() => {
            needs("artifact-title", "artifact")
        }
        "add" if is_on("purge") && !is_on("if-complete") => needs("purge", "if-complete"),
        "add" if is_on("shared") && !is_on("if-complete") && first(PUBLISHING).is_some() => {
            needs(first(PUBLISHING).unwrap_or_default(), "if-complete")
        }
        "add" if is_on("shared") && !is_on("if-complete") && is_table(scanned) => {
            let value = scanned.value("format").unwrap_or_default();
            needs(&format!("format {value}"), "if-complete")
        }
        "inspect" if is_on("require") && !is_on("shared") => needs("require", "shared"),
        // An image within a list is looked up in drafts only.
        "inspect" if scanned.words.len() > 1 && first(OF_NO_LOCAL_LIST).is_some() => {
            conflict(spelt(first(OF_NO_LOCAL_LIST).unwrap_or_default()), word("list"))
        }
        "ls" | "prune" if is_on("shared") == scanned.words.is_empty() => {
            let name = if verb.get_name() == "ls" { word("list") } else { word("repository") };
            let (flag, other) = if is_on("shared") { (spelt("shared"), name) } else { (name, spelt("shared")) };
            Err(FlagError::Needs { flag, other })
        }
        "prune" if is_on("all") && !is_on("shared") => needs("all", "shared"),
        "remove" if is_on("shared") && first(OF_PUBLISHING).or(first(OF_A_LIST)).is_some() => {
            needs(first(OF_PUBLISHING).or(first(OF_A_LIST)).unwrap_or_default(), "push")
        }
        "ls" | "prune" if !is_on("shared") && first(OF_A_REGISTRY).is_some() => {
            needs(first(OF_A_REGISTRY).unwrap_or_default(), "shared")
        }
        // A new draft has no entries to reuse.
        "create" if is_on("offline") && !is_on("amend") => needs("offline", "amend"),
        "create" | "add" if is_on("target") && !is_on("from") => needs("target", "from"),
        "create" if is_on("empty") && scanned.words.len() > 1 => conflict(spelt("empty"), word("images")),
        "apply" if is_on("target") && !is_on("platforms") && !is_on("from") => needs("target", "platforms"),
        "ls" if is_on("quiet") && scanned.values("format").last().is_some_and(|format| format == "json") => {
            conflict(spelt("quiet"), "--format json".to_owned())
        }
        "man" if is_on("output") && !scanned.words.is_empty() => conflict(spelt("output"), word("command")),
        "rm" if is_on("all") && !scanned.words.is_empty() => conflict(spelt("all"), word("lists")),
        "inspect" if is_on("referrers") && is_on("shared") => conflict(spelt("referrers"), spelt("shared")),
        "push" if is_on("shared") && first(OF_THE_LIST).or(first(&["annotation"])).is_some() => {
            conflict(spelt("shared"), spelt(first(OF_THE_LIST).unwrap_or("annotation")))
        }
        "annotate" if scanned.words.len() > 1 && first(OF_THE_LIST).is_some() => {
            conflict(spelt(first(OF_THE_LIST).unwrap_or_default()), word("image"))
        }
        "annotate" | "add" if scanned.words.len() > 1 && prefixed(scanned).is_some() => {
            let name = if verb.get_name() == "add" { word("images") } else { word("image") };
            conflict(format!("--annotation {}", prefixed(scanned).unwrap_or_default()), name)
        }
        "annotate" if scanned.words.len() < 2 => match OF_AN_IMAGE.iter().find(|flag| is_on(flag)) {
            Some(flag) => Err(FlagError::Needs { flag: spelt(flag), other: word("image") }),
            None => Ok(()),
        },
        "apply" if is_on("from") && !is_on("file") && !is_on("target") => {
            Err(FlagError::Needs { flag: spelt("from"), other: "--target, or --file".to_owned() })
        }
        "apply" if !is_on("file") && !is_on("platforms") && !is_on("from") => {
            let other = "--file, or --platforms with --template and --target".to_owned();
            Err(FlagError::Needs { flag: verb.get_name().to_owned(), other })
        }
        _ => match (standard_inputs.as_slice(), is_on("password-stdin")) {
            ([one, other, ..], _) => conflict(format!("--{one} -"), format!("--{other} -")),
            ([one], true) => conflict(format!("--{one} -"), spelt("password-stdin")),
            _ => Ok(()),
        },
    }
}

/// An annotation that names the list or its descriptors.
fn prefixed(scanned: &Scanned) -> Option<&str> {
    scanned.values("annotation").iter().map(String::as_str).find(|typed| AnnotationArg::has_prefix(typed))
}

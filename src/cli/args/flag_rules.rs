//! The rules that docker's commands do not have: which arguments may be left out, and which flags exclude or need each
//! other.
//!
//! A flag with the value false (`--local=false`) counts as not given.

use std::path::{Component, Path};

use clap::{Arg, Command};

use super::error::{ArgumentCount, FlagError};
use super::pflag::{Scanned, value_name};
use crate::core::list_metadata::AnnotationArg;

/// Pairs of flags that exclude each other in every command.
const EXCLUSIVE_FLAGS: &[(&str, &str)] = &[
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

/// Pairs of a flag and one that it needs. A flag of several pairs needs all of them.
const NEEDED_FLAGS: &[(&str, &str)] = &[
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

/// Positional arguments that a command needs unless one of these flags is given.
const POSITIONALS_REPLACED_BY_FLAGS: &[(&str, &str, &[&str])] = &[
    ("annotate", "image", &["annotation", "unset-annotation", "artifact-type", "subject", "unset-subject"]),
    ("create", "images", &["from", "empty"]),
    ("add", "images", &["from", "artifact"]),
    ("rm", "lists", &["all"]),
];

/// Flags of `add` that have an effect only if the list is published.
const ADD_FLAGS_THAT_NEED_IF_COMPLETE: &[&str] = &[
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

/// Flags that state what a published list must have, and how the result is printed.
const REQUIREMENT_AND_FORMAT_FLAGS: &[&str] = &["require", "exact", "strict", "format"];

/// Flags for the list itself. They apply neither to an entry nor to a shared draft.
const LIST_ONLY_FLAGS: &[&str] = &["subject", "unset-subject", "prefer-index"];

/// Flags of `inspect` that look in a registry, and not in local drafts.
const INSPECT_REGISTRY_FLAGS: &[&str] = &["shared", "remote", "check", "referrers"];

/// Flags for requests. `ls` and `prune` need them only for a shared draft.
const REGISTRY_FLAGS: &[&str] = &["insecure", "jobs", "retries", "username", "password-stdin"];

/// Flags that describe an image's platform. A list has none.
const PLATFORM_FLAGS: &[&str] = &["os", "arch", "variant", "os-version", "os-features", "features", "force"];

/// Commands that publish only with `--push`, and their flags that have no effect without it.
const FLAGS_THAT_NEED_PUSH: &[(&str, &[&str])] = &[
    ("create", &["prefer-index"]),
    ("add", &["format"]),
    ("remove", CHANGE_PUSH_FLAGS),
    ("annotate", CHANGE_PUSH_FLAGS),
];

/// Flags of commands that send requests only with `--push`.
const CHANGE_PUSH_FLAGS: &[&str] =
    &["require", "strict", "format", "insecure", "jobs", "retries", "username", "password-stdin"];

/// Flags of publishing.
const PUBLISH_ONLY_FLAGS: &[&str] = &[
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

/// Whether the command needs this argument, as its usage shows.
pub(super) fn is_required(verb: &Command, positional: &Arg) -> bool {
    positional.is_required_set() || replacing_flags(verb, positional).is_some()
}

fn replacing_flags(verb: &Command, positional: &Arg) -> Option<&'static [&'static str]> {
    let row = POSITIONALS_REPLACED_BY_FLAGS
        .iter()
        .find(|(name, id, _)| *name == verb.get_name() && positional.get_id() == *id);
    row.map(|(_, _, flags)| *flags)
}

/// The number of arguments that the command takes with these flags.
pub(super) fn permitted_argument_count(verb: &Command, scanned: &Scanned) -> ArgumentCount {
    let mut count = ArgumentCount { min: 0, max: Some(0) };
    for positional in verb.get_positionals() {
        let is_replaced =
            replacing_flags(verb, positional).is_some_and(|flags| flags.iter().any(|flag| scanned.is_on(flag)));
        count.min += usize::from(is_required(verb, positional) && !is_replaced);
        let many = positional.get_num_args().is_some_and(|range| range.max_values() > 1);
        count.max = if many { None } else { count.max.map(|max| max + 1) };
    }
    count
}

/// Checks the flags of a command against each other and against its positional arguments.
pub(super) fn check_flags(verb: &Command, scanned: &Scanned) -> Result<(), FlagError> {
    let is_on = |flag: &str| scanned.is_on(flag);
    if let Some((first, second)) = EXCLUSIVE_FLAGS.iter().find(|(first, second)| is_on(first) && is_on(second)) {
        return Err(FlagError::Conflict { first: dashed(first), second: dashed(second) });
    }
    // For `apply` the requirements may be in the file.
    let is_elsewhere = |flag: &str| flag == "exact" && verb.get_name() == "apply" && is_on("file");
    let lacks = |(flag, needed): &&(&str, &str)| is_on(flag) && !is_on(needed) && !is_elsewhere(flag);
    if let Some((flag, needed)) = NEEDED_FLAGS.iter().find(lacks) {
        return Err(FlagError::Needs { flag: dashed(flag), needed: dashed(needed) });
    }
    if let Some((_, flags)) = FLAGS_THAT_NEED_PUSH
        .iter()
        .find(|(name, _)| *name == verb.get_name())
        .filter(|_| !is_on("push") && !is_on("shared"))
    {
        // A subject is requested.
        let is_needed = |flag: &&&str| is_on("subject") && REGISTRY_FLAGS.contains(flag);
        let mut of_push = PUBLISH_ONLY_FLAGS.iter().chain(*flags).filter(|flag| !is_needed(flag));
        let format = || has_publish_only_format(scanned).then_some(&"format");
        if let Some(flag) = of_push.find(|flag| is_on(flag)).or_else(format) {
            return Err(FlagError::Needs { flag: dashed(flag), needed: dashed("push") });
        }
    }
    check_values(scanned)?;
    check_verb(verb, scanned)
}

/// Checks flags that exclude each other for some of their values.
fn check_values(scanned: &Scanned) -> Result<(), FlagError> {
    let unset = scanned.values("unset-annotation");
    let keys = scanned.values("annotation").iter().filter_map(|pair| pair.split_once('=')).map(|(key, _)| key);
    if let Some(key) = keys.into_iter().find(|key| unset.iter().any(|unset| unset == key)) {
        let (first, second) = (format!("--annotation {key}"), format!("--unset-annotation {key}"));
        return Err(FlagError::Conflict { first, second });
    }
    let is_template = scanned.values("format").last().is_some_and(|format| format.contains("{{"));
    if let Some(flag) = ["check", "referrers", "verbose"].into_iter().find(|flag| is_template && scanned.is_on(flag)) {
        return Err(FlagError::Conflict { first: format!("--{flag}"), second: "--format '{{…}}'".to_owned() });
    }
    let [digest, metadata] = ["digest-file", "metadata-file"].map(|flag| scanned.values(flag).last());
    if let (Some(digest), Some(metadata)) = (digest, metadata)
        && would_overwrite(Path::new(digest), Path::new(metadata))
    {
        let (first, second) = (format!("--digest-file {digest}"), format!("--metadata-file {metadata}"));
        return Err(FlagError::Conflict { first, second });
    }
    Ok(())
}

/// Whether two paths name the same file, so that the second result would replace the first. A device or a pipe, such as
/// `/dev/stdout`, takes both.
fn would_overwrite(first: &Path, second: &Path) -> bool {
    let parts = |path: &Path| -> Vec<_> {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        parts.map(|part| part.as_os_str().to_owned()).collect()
    };
    let is_stream = |path: &Path| ["/dev", "/proc"].iter().any(|directory| path.starts_with(directory));
    !is_stream(first) && !parts(first).is_empty() && parts(first) == parts(second)
}

/// Whether `--format` has a value that only a published list can have.
fn has_publish_only_format(scanned: &Scanned) -> bool {
    scanned.values("format").last().is_some_and(|format| format != "json")
}

/// Checks the rules of one command.
fn check_verb(verb: &Command, scanned: &Scanned) -> Result<(), FlagError> {
    let is_on = |flag: &str| scanned.is_on(flag);
    let positional = |id: &str| {
        verb.get_positionals().find(|positional| positional.get_id() == id).map(value_name).unwrap_or_default()
    };
    let conflict = |first: String, second: String| Err(FlagError::Conflict { first, second });
    let needs = |flag: &str, needed: &str| Err(FlagError::Needs { flag: dashed(flag), needed: dashed(needed) });
    let first_on = |flags: &[&'static str]| flags.iter().find(|flag| is_on(flag)).copied();
    let inputs =
        ["file", "from"].into_iter().flat_map(|flag| scanned.values(flag).iter().map(move |file| (flag, file)));
    let standard_inputs: Vec<&str> = inputs.filter(|(_, file)| *file == "-").map(|(flag, _)| flag).collect();
    if let Some(list) = scanned.positionals.first().filter(|list| is_on("shared") && list.contains('@')) {
        return conflict(dashed("shared"), list.clone());
    }
    match verb.get_name() {
        "add" if scanned.values("artifact-title").len() > scanned.values("artifact").len() => {
            needs("artifact-title", "artifact")
        }
        "add" if is_on("purge") && !is_on("if-complete") => needs("purge", "if-complete"),
        "add" if is_on("shared") && !is_on("if-complete") && first_on(ADD_FLAGS_THAT_NEED_IF_COMPLETE).is_some() => {
            needs(first_on(ADD_FLAGS_THAT_NEED_IF_COMPLETE).unwrap_or_default(), "if-complete")
        }
        "add" if is_on("shared") && !is_on("if-complete") && has_publish_only_format(scanned) => {
            let value = scanned.value("format").unwrap_or_default();
            needs(&format!("format {value}"), "if-complete")
        }
        "inspect" if is_on("require") && !is_on("shared") => needs("require", "shared"),
        // An image within a list is looked up in drafts only.
        "inspect" if scanned.positionals.len() > 1 && first_on(INSPECT_REGISTRY_FLAGS).is_some() => {
            conflict(dashed(first_on(INSPECT_REGISTRY_FLAGS).unwrap_or_default()), positional("list"))
        }
        "ls" | "prune" if is_on("shared") == scanned.positionals.is_empty() => {
            let name = if verb.get_name() == "ls" { positional("list") } else { positional("repository") };
            let (flag, needed) = if is_on("shared") { (dashed("shared"), name) } else { (name, dashed("shared")) };
            Err(FlagError::Needs { flag, needed })
        }
        "prune" if is_on("all") && !is_on("shared") => needs("all", "shared"),
        "remove"
            if is_on("shared") && first_on(PUBLISH_ONLY_FLAGS).or(first_on(REQUIREMENT_AND_FORMAT_FLAGS)).is_some() =>
        {
            needs(first_on(PUBLISH_ONLY_FLAGS).or(first_on(REQUIREMENT_AND_FORMAT_FLAGS)).unwrap_or_default(), "push")
        }
        "ls" | "prune" if !is_on("shared") && first_on(REGISTRY_FLAGS).is_some() => {
            needs(first_on(REGISTRY_FLAGS).unwrap_or_default(), "shared")
        }
        // A new draft has no entries to reuse.
        "create" if is_on("offline") && !is_on("amend") => needs("offline", "amend"),
        "create" | "add" if is_on("target") && !is_on("from") => needs("target", "from"),
        "create" if is_on("empty") && scanned.positionals.len() > 1 => conflict(dashed("empty"), positional("images")),
        "apply" if is_on("target") && !is_on("platforms") && !is_on("from") => needs("target", "platforms"),
        "ls" if is_on("quiet") && scanned.values("format").last().is_some_and(|format| format == "json") => {
            conflict(dashed("quiet"), "--format json".to_owned())
        }
        "man" if is_on("output") && !scanned.positionals.is_empty() => {
            conflict(dashed("output"), positional("command"))
        }
        "rm" if is_on("all") && !scanned.positionals.is_empty() => conflict(dashed("all"), positional("lists")),
        "inspect" if is_on("referrers") && is_on("shared") => conflict(dashed("referrers"), dashed("shared")),
        "push" if is_on("shared") && first_on(LIST_ONLY_FLAGS).or(first_on(&["annotation"])).is_some() => {
            conflict(dashed("shared"), dashed(first_on(LIST_ONLY_FLAGS).unwrap_or("annotation")))
        }
        "annotate" if scanned.positionals.len() > 1 && first_on(LIST_ONLY_FLAGS).is_some() => {
            conflict(dashed(first_on(LIST_ONLY_FLAGS).unwrap_or_default()), positional("image"))
        }
        "annotate" | "add" if scanned.positionals.len() > 1 && prefixed_annotation(scanned).is_some() => {
            let name = if verb.get_name() == "add" { positional("images") } else { positional("image") };
            conflict(format!("--annotation {}", prefixed_annotation(scanned).unwrap_or_default()), name)
        }
        "annotate" if scanned.positionals.len() < 2 => match PLATFORM_FLAGS.iter().find(|flag| is_on(flag)) {
            Some(flag) => Err(FlagError::Needs { flag: dashed(flag), needed: positional("image") }),
            None => Ok(()),
        },
        "apply" if is_on("from") && !is_on("file") && !is_on("target") => {
            Err(FlagError::Needs { flag: dashed("from"), needed: "--target, or --file".to_owned() })
        }
        "apply" if !is_on("file") && !is_on("platforms") && !is_on("from") => {
            let needed = "--file, or --platforms with --template and --target".to_owned();
            Err(FlagError::Needs { flag: verb.get_name().to_owned(), needed })
        }
        _ => match (standard_inputs.as_slice(), is_on("password-stdin")) {
            ([first, second, ..], _) => conflict(format!("--{first} -"), format!("--{second} -")),
            ([only], true) => conflict(format!("--{only} -"), dashed("password-stdin")),
            _ => Ok(()),
        },
    }
}

/// A long flag as it is typed.
fn dashed(flag: &str) -> String {
    format!("--{flag}")
}

/// An annotation that names the list or its descriptors.
fn prefixed_annotation(scanned: &Scanned) -> Option<&str> {
    scanned.values("annotation").iter().map(String::as_str).find(|typed| AnnotationArg::has_type_prefix(typed))
}

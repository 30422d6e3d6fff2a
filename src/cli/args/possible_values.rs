//! Flags with a fixed set of values.

use std::ffi::OsStr;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::error::FlagError;
use crate::cli::output::ColorChoice;
use crate::core::image_filters::ReferrersPolicy;
use crate::model::template::Template;

/// The words of `--referrers`.
pub(super) const REFERRERS: &[(&str, ReferrersPolicy)] = &[
    ("keep", ReferrersPolicy::SignaturesAndAttestations),
    ("drop", ReferrersPolicy::Drop),
    ("all", ReferrersPolicy::All),
];

/// Reads one of a few words, for a type that clap does not know.
pub(super) fn one_of<T: Copy + Send + Sync + 'static>(
    words: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word)).try_map(|typed| {
        let known = words.iter().find(|(word, _)| *word == typed);
        known.map(|(_, value)| *value).ok_or("not one of the words")
    })
}

/// The format of a result for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object.
    Json,
}

/// The output format of what publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PublishFormat {
    /// One JSON object.
    Json,
    /// A Markdown table.
    Markdown,
    /// The default output, and the outputs and the summary of a step of GitHub Actions.
    Github,
}

/// The format of a list of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RowsFormat {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON array.
    Json,
}

/// Our own formats of `inspect`. Without one of them it prints as docker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InspectFormat {
    /// One JSON object.
    Json,
    /// A row for each platform.
    Table,
    /// Index, platforms, layers, attestations.
    Tree,
}

/// What `inspect --format` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InspectOutput {
    /// One of our formats.
    Format(InspectFormat),
    /// What a Go template makes of the image.
    Template(Template),
}

/// Reads an [`InspectOutput`].
#[derive(Debug, Clone, Copy)]
pub(super) struct InspectOutputParser;

impl InspectOutputParser {
    fn parse(typed: &str) -> Result<InspectOutput, String> {
        if typed.contains("{{") {
            return Template::parse(typed).map(InspectOutput::Template).map_err(|error| error.to_string());
        }
        InspectFormat::from_str(typed, false).map(InspectOutput::Format).map_err(|_| {
            let formats = InspectFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let names: Vec<String> = formats.map(|format| format.get_name().to_owned()).collect();
            format!("must be one of {}, or a template like {{{{.Manifest.Digest}}}}", names.join(", "))
        })
    }
}

impl TypedValueParser for InspectOutputParser {
    type Value = InspectOutput;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        typed: &OsStr,
    ) -> Result<InspectOutput, clap::Error> {
        TypedValueParser::parse_ref(&InspectOutputParser::parse, command, arg, typed)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(InspectFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

/// The formats of `platforms`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PlatformsFormat {
    /// mquery's lines.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// A shell that `shell-init` supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
    /// A POSIX shell: dash, ksh, BusyBox
    Sh,
}

/// The value of `--color`.
pub(super) fn parse_color(typed: &str) -> Result<ColorChoice, FlagError> {
    ColorChoice::from_str(typed, false).map_err(|_| {
        let reason = "must be one of auto, always, never".to_owned();
        FlagError::Value { value: typed.to_owned(), flag: "--color".to_owned(), reason }
    })
}

/// A shell that completes this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// GNU bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

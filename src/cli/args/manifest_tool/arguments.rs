//! manifest-tool's arguments as clap's structs, and the requests that they become.

use std::path::PathBuf;

use clap::Parser;

use crate::cli::args::possible_values::one_of;
use crate::cli::args::values::{self, RefArg};
use crate::core::image_filters::PlatformFilter;
use crate::model::index::ListFormat;
use crate::secret::Secret;

/// The flags of the whole program.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ToolGlobals {
    /// Print each request on standard error
    #[arg(long)]
    pub debug: bool,
    /// Allow communication with a registry whose certificate cannot be verified
    #[arg(long)]
    pub insecure: bool,
    /// Use plain HTTP for the registry
    #[arg(long)]
    pub plain_http: bool,
    /// Log in to the registry as this user
    #[arg(long, value_name = "value", value_parser = values::non_empty_text)]
    pub username: Option<String>,
    /// The user's password
    #[arg(long, value_name = "value", value_parser = secret)]
    pub password: Option<Secret>,
    /// Docker's configuration: a file, or a directory with config.json in it
    #[arg(long, value_name = "value", value_parser = values::non_empty_path)]
    pub docker_cfg: Option<PathBuf>,
}

/// The forms of the list to push. manifest-tool has no automatic choice.
const TOOL_LIST_FORMATS: &[(&str, ListFormat)] = &[("docker", ListFormat::Docker), ("oci", ListFormat::Oci)];

/// `inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "inspect", disable_help_flag = true, no_binary_name = true)]
#[command(about = "Show an image, or a manifest list, that a registry serves")]
#[command(after_help = "{name} inspect registry.example.com/app:1
{name} inspect --raw registry.example.com/app:1
{name} inspect --expand-config registry.example.com/app:1-amd64")]
pub struct ToolInspect {
    /// Show the manifest's JSON
    #[arg(long)]
    pub raw: bool,
    /// Show the image's configuration, too
    #[arg(long)]
    pub expand_config: bool,
    /// The image
    #[arg(value_name = "REF", value_parser = RefArg::from_clap)]
    pub image: RefArg,
}

/// The arguments that both forms of `push` take.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ToolPush {
    /// Form of the list: "docker" or "oci" (default "docker")
    #[arg(long = "type", value_name = "value", value_parser = one_of(TOOL_LIST_FORMATS), default_value = "docker")]
    pub list_format: ListFormat,
    /// Leave out images that the registry does not have
    #[arg(long)]
    pub ignore_missing: bool,
}

/// `push from-spec`.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "push from-spec", disable_help_flag = true, no_binary_name = true)]
#[command(about = "Push the manifest list that a YAML file describes")]
#[command(after_help = "{name} push from-spec list.yaml
{name} --username me --password \"$PASSWORD\" push --type oci from-spec --ignore-missing list.yaml")]
pub struct ToolFromSpec {
    /// What is pushed, and how.
    #[command(flatten)]
    pub push: ToolPush,
    /// The file; "-" is standard input
    #[arg(value_name = "FILE", value_parser = values::non_empty_path)]
    pub file: PathBuf,
}

/// `push from-args`.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "push from-args", disable_help_flag = true, no_binary_name = true)]
#[command(about = "Push a manifest list of images whose names follow a template")]
#[command(
    after_help = "{name} push from-args --platforms linux/amd64,linux/arm64 --template registry.example.com/app:ARCH \
                  --target registry.example.com/app:1
{name} push --type oci from-args --platforms linux/amd64,linux/arm/v7 --template registry.example.com/app:ARCHVARIANT \
                  --target registry.example.com/app:1 --tags 1.0,latest --annotations org.example.tier=base \
                  --ignore-missing"
)]
pub struct ToolFromArgs {
    /// What is pushed, and how.
    #[command(flatten)]
    pub push: ToolPush,
    /// Platforms to fill into the template: OS/ARCH[/VARIANT],...
    #[arg(long, value_name = "strings", required = true, value_parser = PlatformFilter::parse_known)]
    pub platforms: Vec<PlatformFilter>,
    /// Name of the images, with the placeholders OS, ARCH and VARIANT
    #[arg(long, value_name = "value", value_parser = values::non_empty_text)]
    pub template: String,
    /// List to push
    #[arg(long, value_name = "value", value_parser = RefArg::from_clap)]
    pub target: RefArg,
    /// Additional tags for the list, in the same repository
    #[arg(long, value_name = "strings", value_parser = values::tag)]
    pub tags: Vec<String>,
    /// Annotations of the list (KEY=VALUE,...); OCI only
    #[arg(long, value_name = "strings", value_parser = values::key_value)]
    pub annotations: Vec<(String, String)>,
}

fn secret(typed: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(typed))
}

/// The request that a command line makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolRequest {
    /// Print this on stdout and exit with 0.
    Help(String),
    /// Print the version.
    Version,
    /// Run a command.
    Run(ToolGlobals, Box<ToolCommand>),
}

/// A command of manifest-tool, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolCommand {
    /// `inspect`.
    Inspect(ToolInspect),
    /// `push from-spec`.
    FromSpec(ToolFromSpec),
    /// `push from-args`.
    FromArgs(ToolFromArgs),
}

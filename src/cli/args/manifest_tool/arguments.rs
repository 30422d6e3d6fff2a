//! manifest-tool's arguments as clap's structs, and the requests that they become.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::cli::args::values::{self, RefArg};
use crate::core::request::PlatformFilter;
use crate::model::index::Form;
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
    #[arg(long, value_name = "value", value_parser = values::word)]
    pub username: Option<String>,
    /// The user's password
    #[arg(long, value_name = "value", value_parser = secret)]
    pub password: Option<Secret>,
    /// Docker's configuration: a file, or a directory with config.json in it
    #[arg(long, value_name = "value", value_parser = values::path)]
    pub docker_cfg: Option<PathBuf>,
}

/// The format of the list to push. manifest-tool has no automatic choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ToolForm {
    Docker,
    Oci,
}

#[derive(Debug, Parser)]
#[command(name = "inspect", disable_help_flag = true, no_binary_name = true)]
#[command(about = "Show an image, or a manifest list, that a registry serves")]
#[command(after_help = "{name} inspect registry.example.com/app:1
{name} inspect --raw registry.example.com/app:1
{name} inspect --expand-config registry.example.com/app:1-amd64")]
pub(super) struct InspectArgs {
    #[command(flatten)]
    pub(super) globals: ToolGlobals,
    /// Show the manifest's JSON
    #[arg(long)]
    pub(super) raw: bool,
    /// Show the image's configuration, too
    #[arg(long)]
    pub(super) expand_config: bool,
    /// The image
    #[arg(value_name = "REF", value_parser = RefArg::value)]
    pub(super) image: RefArg,
}

/// The arguments that both forms of `push` take.
#[derive(Debug, clap::Args)]
pub(super) struct PushFlags {
    /// Form of the list: "docker" or "oci" (default "docker")
    #[arg(long = "type", value_name = "value", value_enum, default_value_t = ToolForm::Docker)]
    pub(super) kind: ToolForm,
    /// Leave out images that the registry does not have
    #[arg(long)]
    pub(super) ignore_missing: bool,
}

#[derive(Debug, Parser)]
#[command(name = "push from-spec", disable_help_flag = true, no_binary_name = true)]
#[command(about = "Push the manifest list that a YAML file describes")]
#[command(after_help = "{name} push from-spec list.yaml
{name} --username me --password \"$PASSWORD\" push --type oci from-spec --ignore-missing list.yaml")]
pub(super) struct FromSpecArgs {
    #[command(flatten)]
    pub(super) globals: ToolGlobals,
    #[command(flatten)]
    pub(super) push: PushFlags,
    /// The file; "-" is standard input
    #[arg(value_name = "FILE", value_parser = values::path)]
    pub(super) file: PathBuf,
}

#[derive(Debug, Parser)]
#[command(name = "push from-args", disable_help_flag = true, no_binary_name = true)]
#[command(about = "Push a manifest list of images whose names follow a template")]
#[command(
    after_help = "{name} push from-args --platforms linux/amd64,linux/arm64 --template registry.example.com/app:ARCH \
                  --target registry.example.com/app:1
{name} push --type oci from-args --platforms linux/amd64,linux/arm/v7 --template registry.example.com/app:ARCHVARIANT \
                  --target registry.example.com/app:1 --tags 1.0,latest --annotations org.example.tier=base --ignore-missing"
)]
pub(super) struct FromArgsArgs {
    #[command(flatten)]
    pub(super) globals: ToolGlobals,
    #[command(flatten)]
    pub(super) push: PushFlags,
    /// Platforms to fill into the template: OS/ARCH[/VARIANT],...
    #[arg(long, value_name = "strings", required = true, value_parser = PlatformFilter::new)]
    pub(super) platforms: Vec<PlatformFilter>,
    /// Name of the images, with the placeholders OS, ARCH and VARIANT
    #[arg(long, value_name = "value", value_parser = values::word)]
    pub(super) template: String,
    /// List to push
    #[arg(long, value_name = "value", value_parser = RefArg::value)]
    pub(super) target: RefArg,
    /// Additional tags for the list, in the same repository
    #[arg(long, value_name = "strings", value_parser = values::tag)]
    pub(super) tags: Vec<String>,
    /// Annotations of the list (KEY=VALUE,...); OCI only
    #[arg(long, value_name = "strings", value_parser = values::pair)]
    pub(super) annotations: Vec<(String, String)>,
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

/// A command of manifest-tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolCommand {
    /// `inspect`.
    Inspect {
        /// The image.
        image: RefArg,
        /// Whether to print the manifest's JSON.
        raw: bool,
        /// Whether to include the configuration.
        expand_config: bool,
    },
    /// `push from-spec`.
    FromSpec {
        /// The file; `-` is stdin.
        file: PathBuf,
        /// Docker's manifest list or the OCI index.
        kind: Form,
        /// Whether to leave out an image that the registry does not have.
        ignore_missing: bool,
    },
    /// `push from-args`.
    FromArgs {
        /// The values for the template; not empty.
        platforms: Vec<PlatformFilter>,
        /// The name of the images, with the placeholders `OS`, `ARCH` and `VARIANT`.
        template: String,
        /// The list.
        target: RefArg,
        /// Additional tags.
        tags: Vec<String>,
        /// The list's annotations.
        annotations: Vec<(String, String)>,
        /// Docker's manifest list or the OCI index.
        kind: Form,
        /// Whether to leave out an image that the registry does not have.
        ignore_missing: bool,
    },
}

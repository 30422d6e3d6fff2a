//! Every verb with its words and flags. The doc comments of the fields and of [`Command`] are the help texts, docker's
//! own where docker has the flag: help and completion print them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::examples;
use super::shared::{EntryFlags, Kept, Network, Publish, Sources};
use super::values::{self, Format, InspectFormat, ListFormat, PlatformsFormat, RefArg, Shell};
use crate::core::request::PlatformFilter;

/// `create`: a new draft from images, or more images for a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::CREATE)]
pub struct Create {
    /// The list to make
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub list: RefArg,
    /// The images that go into it, in the order of the command line
    #[arg(value_name = "MANIFEST", required = true, num_args = 1.., value_parser = RefArg::value)]
    pub images: Vec<RefArg>,
    /// Amend an existing manifest list
    #[arg(short = 'a', long)]
    pub amend: bool,
    /// Start an existing manifest list over from nothing
    #[arg(long)]
    pub replace: bool,
    /// Do not look again at the images that are in the list already
    #[arg(long)]
    pub offline: bool,
    /// What is taken from an index.
    #[command(flatten)]
    pub sources: Sources,
    /// How registries are talked to.
    #[command(flatten)]
    pub network: Network,
    /// Format of the result: "json" (default: docker's line)
    #[arg(long, value_name = "string", value_enum)]
    pub format: Option<Format>,
}

/// `add`: more images for a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::ADD)]
pub struct Add {
    /// The list to add to
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub list: RefArg,
    /// The images that go into it
    #[arg(value_name = "MANIFEST", required = true, num_args = 1.., value_parser = RefArg::value)]
    pub images: Vec<RefArg>,
    /// Do not look again at the images that are in the list already
    #[arg(long)]
    pub offline: bool,
    /// What is taken from an index.
    #[command(flatten)]
    pub sources: Sources,
    /// What the list says of the images that are added.
    #[command(flatten)]
    pub entry: EntryFlags,
    /// How registries are talked to.
    #[command(flatten)]
    pub network: Network,
}

/// `annotate`: what the list says of one of its images, or of itself.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::ANNOTATE)]
pub struct Annotate {
    /// The list that the image is in
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub list: RefArg,
    /// The image to annotate; none where the list itself is annotated. `rules` says when it may be left out.
    #[arg(value_name = "MANIFEST", value_parser = RefArg::value)]
    pub image: Option<RefArg>,
    /// What the list says.
    #[command(flatten)]
    pub entry: EntryFlags,
    /// Give up waiting for another docker-manifest after this time (30s, 5m)
    #[arg(long, value_name = "duration", value_parser = values::bound)]
    pub timeout: Option<Duration>,
}

/// `remove`: fewer images in a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::REMOVE)]
pub struct Remove {
    /// The list to take from
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub list: RefArg,
    /// Images, indexes that images came from, platforms, or digests (seven hexadecimal digits of one, or more)
    #[arg(value_name = "MANIFEST|DIGEST|PLATFORM", required = true, num_args = 1..)]
    pub what: Vec<String>,
    /// Give up waiting for another docker-manifest after this time (30s, 5m)
    #[arg(long, value_name = "duration", value_parser = values::bound)]
    pub timeout: Option<Duration>,
}

/// `inspect`: shows a draft, one image of it, or what a registry serves.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::INSPECT)]
pub struct Inspect {
    /// The list to look in
    #[arg(value_name = "MANIFEST_LIST", index = 2, value_parser = RefArg::value)]
    pub list: Option<RefArg>,
    /// The image, or the list itself, to show
    #[arg(value_name = "MANIFEST", index = 1, value_parser = RefArg::value)]
    pub image: RefArg,
    /// Output additional info including layers and platform
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// How registries are talked to.
    #[command(flatten)]
    pub network: Network,
    /// Output the exact bytes of the manifest
    #[arg(long)]
    pub raw: bool,
    /// Show the image for this platform
    #[arg(long, value_name = "string", value_parser = PlatformFilter::any)]
    pub platform: Option<PlatformFilter>,
    /// Look in local lists alone
    #[arg(long)]
    pub local: bool,
    /// Look in the registry alone
    #[arg(long)]
    pub remote: bool,
    /// Look for every image of a published list, and mark those that the registry does not have
    #[arg(long)]
    pub check: bool,
    /// Format: "json", "table" or "tree" (default: docker's JSON)
    #[arg(long, value_name = "string", value_enum)]
    pub format: Option<InspectFormat>,
}

/// `push`: publishes a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = examples::PUSH,
    mut_arg("insecure", |insecure| insecure.help("Allow push to an insecure registry")),
)]
pub struct Push {
    /// The list to push
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub list: RefArg,
    /// Remove the local manifest list after push
    #[arg(short = 'p', long)]
    pub purge: bool,
    /// How registries are talked to; docker words `--insecure` differently here.
    #[command(flatten)]
    pub network: Network,
    /// What is published, and how it is told.
    #[command(flatten)]
    pub publish: Publish,
}

/// `rm`: deletes drafts.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::RM)]
pub struct Rm {
    /// The lists to delete; none where all are meant. `rules` says when they may be left out.
    #[arg(value_name = "MANIFEST_LIST", num_args = 1.., value_parser = RefArg::value)]
    pub lists: Vec<RefArg>,
    /// Delete every local manifest list
    #[arg(long)]
    pub all: bool,
    /// Give up waiting for another docker-manifest after this time (30s, 5m)
    #[arg(long, value_name = "duration", value_parser = values::bound)]
    pub timeout: Option<Duration>,
}

/// `ls`: the drafts that there are.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::LS)]
pub struct Ls {
    /// Show the names alone
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Format: "table" or "json" (default "table")
    #[arg(long, value_name = "string", value_enum, default_value_t = ListFormat::Table, hide_default_value = true)]
    pub format: ListFormat,
}

/// `exists`: whether there is such a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::EXISTS)]
pub struct Exists {
    /// The list to look for
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub list: RefArg,
}

/// `prune`: deletes drafts that were not touched for a while.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::PRUNE)]
pub struct Prune {
    /// Only lists that were not changed for this long (12h, 2w; default 30d)
    #[arg(long, value_name = "duration", value_parser = values::age)]
    pub older_than: Option<Duration>,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Accepted for scripts: prune never asks for confirmation
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Give up waiting for another docker-manifest after this time (30s, 5m)
    #[arg(long, value_name = "duration", value_parser = values::bound)]
    pub timeout: Option<Duration>,
}

/// `apply`: makes and publishes what a file, or a template, describes.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::APPLY)]
pub struct Apply {
    /// File that describes the lists, in YAML or JSON; "-" is standard input
    #[arg(short = 'f', long, value_name = "stringArray", value_parser = values::path)]
    pub file: Vec<PathBuf>,
    /// Platforms to fill into the template
    #[arg(long, value_name = "strings", value_parser = PlatformFilter::new)]
    pub platforms: Vec<PlatformFilter>,
    /// Name of the images, with OS, ARCH and VARIANT in it
    #[arg(long, value_name = "string", value_parser = values::word)]
    pub template: Option<String>,
    /// List to publish
    #[arg(long = "target", value_name = "stringArray", value_parser = RefArg::value)]
    pub targets: Vec<RefArg>,
    /// Leave out images that the registry does not have
    #[arg(long)]
    pub ignore_missing: bool,
    /// Keep each list as a local manifest list, too
    #[arg(long)]
    pub draft: bool,
    /// Set an annotation of the list (KEY=VALUE); OCI only
    #[arg(long = "annotation", value_name = "stringArray", value_parser = values::pair)]
    pub annotations: Vec<(String, String)>,
    /// What is taken from an index.
    #[command(flatten)]
    pub sources: Kept,
    /// What is published, and how it is told.
    #[command(flatten)]
    pub publish: Publish,
    /// How registries are talked to.
    #[command(flatten)]
    pub network: Network,
}

/// `export`: writes a draft, or what a registry serves, as a file for `apply`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::EXPORT)]
pub struct Export {
    /// The list to write
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::value)]
    pub image: RefArg,
    /// Look in local lists alone
    #[arg(long)]
    pub local: bool,
    /// Look in the registry alone
    #[arg(long)]
    pub remote: bool,
    /// Write to this file (default: standard output)
    #[arg(short = 'o', long, value_name = "string", value_parser = values::path)]
    pub output: Option<PathBuf>,
    /// How registries are talked to.
    #[command(flatten)]
    pub network: Network,
}

/// `platforms`: what an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::PLATFORMS)]
pub struct Platforms {
    /// The image to ask for
    #[arg(value_name = "IMAGE", value_parser = RefArg::value)]
    pub image: RefArg,
    /// Format: "text" or "json" (default "text")
    #[arg(long, value_name = "string", value_enum, default_value_t = PlatformsFormat::Text, hide_default_value = true)]
    pub format: PlatformsFormat,
    /// How registries are talked to.
    #[command(flatten)]
    pub network: Network,
}

/// `check`: tries out what a registry can do.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::CHECK)]
pub struct Check {
    /// The registry, and the repository in it to try things in (default "docker-manifest-check")
    #[arg(value_name = "REGISTRY[/REPOSITORY]", value_parser = values::word)]
    pub target: String,
    /// Format: "table" or "json" (default "table")
    #[arg(long, value_name = "string", value_enum, default_value_t = ListFormat::Table, hide_default_value = true)]
    pub format: ListFormat,
    /// Leave what was pushed where it is
    #[arg(long)]
    pub keep: bool,
    /// How registries are talked to.
    #[command(flatten)]
    pub network: Network,
}

/// `shell-init`: the function that makes `docker manifest` ours in a shell.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::SHELL_INIT)]
pub struct ShellInit {
    /// bash, zsh or fish
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// What to do, with everything that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Add images to a local manifest list
    Add(Add),
    /// Add additional information to a local image manifest
    Annotate(Annotate),
    /// Make and push manifest lists that a file or a template describes
    Apply(Apply),
    /// Try out what a registry can do with manifest lists
    Check(Check),
    /// Create a local manifest list for annotating and pushing to a registry
    Create(Create),
    /// Tell by the exit code whether there is a local manifest list
    Exists(Exists),
    /// Write a manifest list as a file for apply
    Export(Export),
    /// Display an image manifest, or manifest list
    Inspect(Inspect),
    /// List local manifest lists
    Ls(Ls),
    /// Show the platforms of an image
    Platforms(Platforms),
    /// Delete local manifest lists that have not been changed lately
    Prune(Prune),
    /// Push a manifest list to a repository
    Push(Push),
    /// Remove images from a local manifest list
    Remove(Remove),
    /// Delete one or more manifest lists from local storage
    Rm(Rm),
    /// Print a shell function that makes 'docker manifest' run this program
    ShellInit(ShellInit),
    /// Show the version of this program
    #[command(after_help = examples::VERSION)]
    Version,
}

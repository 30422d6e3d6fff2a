//! The commands that change drafts and lists, and [`Command`], which names every command. The doc comments of the
//! fields and of [`Command`] are the help texts that help and completion print. Where docker has the flag, the text is
//! docker's.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::check::Check;
use super::common_flags::{
    BuildOutputFlags, EntryFlags, ImageSourceFlags, ListFlags, NetworkFlags, PublishFlags, SourceFilterFlags,
};
use super::examples;
use super::possible_values::{Format, REFERRERS, one_of};
use super::query_verbs::{Exists, Export, Inspect, Ls, Platforms};
use super::setup_verbs::{Completion, Man, ShellInit, Shim, Version};
use super::shared_drafts::{SharedDraftFlags, SharedPublishFlags};
use super::values::{self, LocationArg, RefArg};
use crate::core::image_filters::{PlatformFilter, ReferrersPolicy};
use crate::digest::Digest;
use crate::drafts::registry::SharedEntryKey;
use crate::model::spec::{ATTESTATIONS_POLICIES, AttestationsPolicy};

/// The help of `--timeout` where a command changes drafts that are here or in a registry.
const TIMEOUT_HELP: &str = "Stop waiting for another docker-manifest process, or a request, after this time (30s, 5m)";

/// `create`: creates a draft from images, or adds images to one.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::CREATE)]
pub struct Create {
    /// The list to create
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::from_clap)]
    pub list: RefArg,
    /// The images of the list, in the order of the command line; with --push also images in OCI layouts
    #[arg(value_name = "MANIFEST", num_args = 1.., value_parser = LocationArg::from_clap)]
    pub images: Vec<LocationArg>,
    /// Amend an existing manifest list
    #[arg(short = 'a', long)]
    pub amend: bool,
    /// Replace an existing draft
    #[arg(long)]
    pub replace: bool,
    /// Create a draft without images, for add to fill
    #[arg(long)]
    pub empty: bool,
    /// Other images, and which parts of images are used.
    #[command(flatten)]
    pub image_flags: ImageSourceFlags,
    /// Publish the list in the same step, without a draft
    #[arg(long)]
    pub push: bool,
    /// No effect: --push leaves no draft to delete (accepted for compatibility)
    #[arg(long)]
    pub purge: bool,
    /// Members of the list itself.
    #[command(flatten)]
    pub list_flags: ListFlags,
    /// How the list is published, with --push.
    #[command(flatten)]
    pub publish: PublishFlags,
    /// How requests are sent to registries.
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// `add`: adds images to a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::ADD)]
pub struct Add {
    /// The list to add to
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::from_clap)]
    pub list: RefArg,
    /// The images to add; with --push or --shared also images in OCI layouts
    #[arg(value_name = "MANIFEST", num_args = 1.., value_parser = LocationArg::from_clap)]
    pub images: Vec<LocationArg>,
    /// Other images, and which parts of images are used.
    #[command(flatten)]
    pub image_flags: ImageSourceFlags,
    /// Pack this file as an artifact (OCI, --artifact-type) in the list's repository, and add it
    #[arg(long = "artifact", value_name = "stringArray", value_parser = values::non_empty_path)]
    pub artifacts: Vec<PathBuf>,
    /// Name of the file in the artifact, one for each --artifact (default: its own)
    #[arg(long = "artifact-title", value_name = "stringArray", value_parser = values::non_empty_text)]
    pub artifact_titles: Vec<String>,
    /// Media type of the files in the artifact (default "application/octet-stream")
    #[arg(long, value_name = "string", value_parser = values::media_type)]
    pub artifact_media_type: Option<String>,
    /// Publish the list in the same step, without a draft: changes the published list
    #[arg(long)]
    pub push: bool,
    /// How the list describes the images that are added.
    #[command(flatten)]
    pub entry: EntryFlags,
    /// Whether the list is a shared draft.
    #[command(flatten)]
    pub shared: SharedDraftFlags,
    /// Key of the entry (default: its platform)
    #[arg(long, value_name = "string", value_parser = SharedEntryKey::from_name)]
    pub key: Option<SharedEntryKey>,
    /// Delete the entries after they are published
    #[arg(short = 'p', long)]
    pub purge: bool,
    /// When the list is published.
    #[command(flatten)]
    pub shared_publish: SharedPublishFlags,
    /// How the list is published.
    #[command(flatten)]
    pub publish: PublishFlags,
    /// How requests are sent to registries.
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// `annotate`: describes one image of a list, or the list itself.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::ANNOTATE)]
pub struct Annotate {
    /// The list that the image is in
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::from_clap)]
    pub list: RefArg,
    /// The image to annotate; none to annotate the list itself
    #[arg(value_name = "MANIFEST", value_parser = RefArg::from_clap)]
    pub image: Option<RefArg>,
    /// The description.
    #[command(flatten)]
    pub entry: EntryFlags,
    /// Set the subject of the list: an image or a list in its repository; OCI only
    #[arg(long, value_name = "string", value_parser = RefArg::from_clap)]
    pub subject: Option<RefArg>,
    /// Remove the subject of the list
    #[arg(long)]
    pub unset_subject: bool,
    /// Publish the list in the same step, without a draft: changes the published list
    #[arg(long)]
    pub push: bool,
    /// How the list is published, with --push.
    #[command(flatten)]
    pub publish: PublishFlags,
    /// How requests are sent to registries, with --push.
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// `remove`: removes images from a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = examples::REMOVE,
    mut_arg("timeout", |timeout| timeout.help(TIMEOUT_HELP)),
)]
pub struct Remove {
    /// The list to remove images from
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::from_clap)]
    pub list: RefArg,
    /// Images, indexes that images came from, platforms, or digests (seven hexadecimal digits of one, or more)
    #[arg(value_name = "MANIFEST|DIGEST|PLATFORM", required = true, num_args = 1..)]
    pub selectors: Vec<String>,
    /// Publish the list in the same step, without a draft: changes the published list
    #[arg(long)]
    pub push: bool,
    /// How the list is published, with --push.
    #[command(flatten)]
    pub publish: PublishFlags,
    /// Whether the list is a shared draft.
    #[command(flatten)]
    pub shared: SharedDraftFlags,
    /// How requests are sent to registries, with --push or --shared.
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// `copy`: copies an image or an index between registries and OCI layouts.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = examples::COPY,
    mut_arg("timeout", |timeout| timeout.help(TIMEOUT_HELP)),
    mut_arg("attestations", |flag| flag.help("Attestations of the images: \"keep\" or \"drop\" (default \"keep\")")),
)]
pub struct Copy {
    /// The image or index: a reference, or oci-layout://DIR, ocidir://DIR, oci:PATH, oci-archive:PATH,
    /// docker-archive:PATH
    #[arg(value_name = "SOURCE", value_parser = LocationArg::from_clap)]
    pub source: LocationArg,
    /// Where to copy it to; without a tag it gets that of the source
    #[arg(value_name = "TARGET", value_parser = LocationArg::from_clap)]
    pub target: LocationArg,
    /// Which parts of an index are used.
    #[command(flatten)]
    pub source_filter: SourceFilterFlags,
    /// Referrers to copy along: "keep" (signatures and attestations), "drop" or "all" (default "keep")
    #[arg(long, value_name = "string", value_parser = one_of(REFERRERS))]
    pub referrers: Option<ReferrersPolicy>,
    /// Only referrers of this artifact type
    #[arg(long = "referrer-type", value_name = "strings", value_parser = values::artifact_type)]
    pub referrer_types: Vec<String>,
    /// Read back every manifest, and check that every blob exists, after the copy
    #[arg(long)]
    pub verify: bool,
    /// Show what would be sent, but send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print what was sent and what was there already
    #[arg(long)]
    pub verbose: bool,
    /// Only print the digest, and show no progress
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Format of the result: "json" (default: one line)
    #[arg(long, value_name = "string", value_enum)]
    pub format: Option<Format>,
    /// How requests are sent to registries.
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// `push`: publishes a draft.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = examples::PUSH,
    mut_arg("insecure", |insecure| insecure.help("Allow push to an insecure registry")),
)]
pub struct Push {
    /// The list to push
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::from_clap)]
    pub list: RefArg,
    /// Remove the local manifest list after push
    #[arg(short = 'p', long)]
    pub purge: bool,
    /// Whether the list is a shared draft.
    #[command(flatten)]
    pub shared: SharedDraftFlags,
    /// When the shared draft is published.
    #[command(flatten)]
    pub shared_publish: SharedPublishFlags,
    /// Wait until this entry (digest printed by add) is readable before deciding that entries are missing
    #[arg(long = "entry", value_name = "strings", value_parser = values::digest)]
    pub awaited_entries: Vec<Digest>,
    /// Members of the list itself.
    #[command(flatten)]
    pub list_flags: ListFlags,
    /// How requests are sent to registries. Docker words `--insecure` differently here.
    #[command(flatten)]
    pub network: NetworkFlags,
    /// How the list is published, and how the result is printed.
    #[command(flatten)]
    pub publish: PublishFlags,
}

/// `rm`: deletes drafts.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::RM)]
pub struct Rm {
    /// The lists to delete; none with `--all`
    #[arg(value_name = "MANIFEST_LIST", num_args = 1.., value_parser = RefArg::from_clap)]
    pub lists: Vec<RefArg>,
    /// Delete every local manifest list
    #[arg(long)]
    pub all: bool,
    /// Stop waiting for another docker-manifest process after this time (30s, 5m)
    #[arg(long, value_name = "duration", value_parser = values::time_limit)]
    pub timeout: Option<Duration>,
}

/// `prune`: deletes drafts that have not changed for a while.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = examples::PRUNE,
    mut_arg("timeout", |timeout| timeout.help(TIMEOUT_HELP)),
)]
pub struct Prune {
    /// The repository whose entries are deleted; only with --shared
    #[arg(value_name = "REPOSITORY", value_parser = RefArg::from_clap)]
    pub repository: Option<RefArg>,
    /// Only delete lists that have not changed for this long (12h, 2w; default 30d)
    #[arg(long, value_name = "duration", value_parser = values::age)]
    pub older_than: Option<Duration>,
    /// Show what would be deleted, but delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// No effect: prune never asks for confirmation (accepted for compatibility)
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Whether entries of shared drafts are meant.
    #[command(flatten)]
    pub shared: SharedDraftFlags,
    /// Delete all entries of shared drafts, published or not
    #[arg(long = "all")]
    pub includes_unpublished: bool,
    /// How requests are sent to registries, for shared drafts.
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// `apply`: creates and publishes the lists that a file or a template describes.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::APPLY)]
pub struct Apply {
    /// File that describes the lists, in YAML or JSON; "-" is standard input
    #[arg(short = 'f', long, value_name = "stringArray", value_parser = values::non_empty_path)]
    pub file: Vec<PathBuf>,
    /// Platforms to fill into the template
    #[arg(long, value_name = "strings", value_parser = PlatformFilter::parse_known)]
    pub platforms: Vec<PlatformFilter>,
    /// Name of the images, with the placeholders OS, ARCH and VARIANT
    #[arg(long, value_name = "string", value_parser = values::non_empty_text)]
    pub template: Option<String>,
    /// List to publish
    #[arg(long = "target", value_name = "stringArray", value_parser = RefArg::from_clap)]
    pub targets: Vec<RefArg>,
    /// Files that builds wrote, which name images.
    #[command(flatten)]
    pub build_outputs: BuildOutputFlags,
    /// Only use these bake targets, names or ids from the --from files
    #[arg(long = "from-target", value_name = "stringArray", value_parser = values::non_empty_text)]
    pub build_targets: Vec<String>,
    /// Leave out images that the registry does not have
    #[arg(long)]
    pub ignore_missing: bool,
    /// Also keep each list as a local manifest list
    #[arg(long = "draft")]
    pub stores_drafts: bool,
    /// Members of the lists themselves.
    #[command(flatten)]
    pub list_flags: ListFlags,
    /// Attestations of the images: "drop"; or "keep", which also searches the referrers of single images (default: keep
    /// those that are in an index)
    #[arg(long, value_name = "string", value_parser = one_of(ATTESTATIONS_POLICIES))]
    pub attestations: Option<AttestationsPolicy>,
    /// How the lists are published, and how the results are printed.
    #[command(flatten)]
    pub publish: PublishFlags,
    /// How requests are sent to registries.
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// The command to run, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Add images to a local manifest list
    Add(Add),
    /// Add additional information to a local image manifest
    Annotate(Annotate),
    /// Create and push the manifest lists that a file or a template describes
    Apply(Apply),
    /// Test which manifest list features a registry supports
    Check(Check),
    /// Print the completion of this program for a shell
    Completion(Completion),
    /// Copy an image or a manifest list between registries and OCI layouts
    Copy(Copy),
    /// Create a local manifest list for annotating and pushing to a registry
    Create(Create),
    /// Check by the exit code whether a local manifest list exists
    Exists(Exists),
    /// Write a manifest list as a file for apply
    Export(Export),
    /// Display an image manifest, or manifest list
    Inspect(Inspect),
    /// List local manifest lists
    Ls(Ls),
    /// Print a manual page of this program
    Man(Man),
    /// Show the platforms of an image
    Platforms(Platforms),
    /// Delete local manifest lists that have not changed for a while
    Prune(Prune),
    /// Push a manifest list to a repository
    Push(Push),
    /// Remove images from a local manifest list
    Remove(Remove),
    /// Delete one or more manifest lists from local storage
    Rm(Rm),
    /// Print a shell function that makes 'docker manifest' run this program
    ShellInit(ShellInit),
    /// Install a docker shim that makes 'docker manifest' run this program
    Shim(Shim),
    /// Show the version of this program
    Version(Version),
}

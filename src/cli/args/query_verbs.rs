//! The commands that change neither drafts nor registries. Their doc comments are the help texts, as in `verbs`.

use std::path::PathBuf;

use super::common_flags::NetworkFlags;
use super::examples;
use super::possible_values::{InspectOutput, InspectOutputParser, PlatformsFormat, RowsFormat};
use super::shared_drafts::SharedDraftFlags;
use super::values::{self, LocationArg, RefArg};
use crate::core::image_filters::PlatformFilter;

/// `inspect`: shows a draft, one image of it, or a published image or list.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::INSPECT)]
pub struct Inspect {
    /// The list to look in
    #[arg(value_name = "MANIFEST_LIST", index = 2, value_parser = RefArg::from_clap)]
    pub list: Option<RefArg>,
    /// The image, or the list itself, to show; also one in an OCI layout
    #[arg(value_name = "MANIFEST", index = 1, value_parser = LocationArg::from_clap)]
    pub image: LocationArg,
    /// Output additional info including layers and platform
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// How requests are sent to registries.
    #[command(flatten)]
    pub network: NetworkFlags,
    /// Output the exact bytes of the manifest
    #[arg(long)]
    pub raw: bool,
    /// Show the image for this platform
    #[arg(long, value_name = "string", value_parser = PlatformFilter::parse)]
    pub platform: Option<PlatformFilter>,
    /// Only look in local manifest lists
    #[arg(long)]
    pub local: bool,
    /// Only look in the registry
    #[arg(long)]
    pub remote: bool,
    /// Check that the registry has every image of a published list, and mark those that are missing
    #[arg(long)]
    pub check: bool,
    /// Show what refers to the list and its images: signatures, attestations, SBOMs
    #[arg(long)]
    pub referrers: bool,
    /// Format: "json", "table", "tree", or a Go template with the members that buildx has (default: docker's JSON)
    #[arg(long, value_name = "string", value_parser = InspectOutputParser)]
    pub format: Option<InspectOutput>,
    /// Whether the list is a shared draft.
    #[command(flatten)]
    pub shared: SharedDraftFlags,
    /// Show which of these platforms a shared draft lacks
    #[arg(long, value_name = "strings", value_parser = PlatformFilter::parse_known)]
    pub require: Vec<PlatformFilter>,
}

/// `ls`: lists the drafts.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::LS)]
pub struct Ls {
    /// The list, or all lists of this repository; only with --shared
    #[arg(value_name = "MANIFEST_LIST|REPOSITORY", value_parser = RefArg::from_clap)]
    pub list: Option<RefArg>,
    /// Only print names
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Format: "table" or "json" (default "table")
    #[arg(long, value_name = "string", value_enum, default_value_t = RowsFormat::Table, hide_default_value = true)]
    pub format: RowsFormat,
    /// Show the entries of shared drafts in the registry
    #[arg(long)]
    pub shared: bool,
    /// How requests are sent to registries, for shared drafts.
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// `exists`: whether a draft exists.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::EXISTS)]
pub struct Exists {
    /// The list to look for
    #[arg(value_name = "MANIFEST_LIST", value_parser = RefArg::from_clap)]
    pub list: RefArg,
}

/// `export`: writes a draft or a published list as a file for `apply`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::EXPORT)]
pub struct Export {
    /// The list to write; also one in an OCI layout
    #[arg(value_name = "MANIFEST_LIST", value_parser = LocationArg::from_clap)]
    pub list: LocationArg,
    /// Only look in local manifest lists
    #[arg(long)]
    pub local: bool,
    /// Only look in the registry
    #[arg(long)]
    pub remote: bool,
    /// Write to this file (default: standard output)
    #[arg(short = 'o', long, value_name = "string", value_parser = values::non_empty_path)]
    pub output: Option<PathBuf>,
    /// How requests are sent to registries.
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// `platforms`: prints the platforms of an image.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = examples::PLATFORMS)]
pub struct Platforms {
    /// The image; also one in an OCI layout
    #[arg(value_name = "IMAGE", value_parser = LocationArg::from_clap)]
    pub image: LocationArg,
    /// Format: "text" or "json" (default "text")
    #[arg(long, value_name = "string", value_enum, default_value_t = PlatformsFormat::Text, hide_default_value = true)]
    pub format: PlatformsFormat,
    /// How requests are sent to registries.
    #[command(flatten)]
    pub network: NetworkFlags,
}

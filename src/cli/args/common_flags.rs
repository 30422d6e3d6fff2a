//! Flags that several commands share. The doc comments are the help texts.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::possible_values::{PublishFormat, REFERRERS, one_of};
use super::values::{self, RefArg};
use crate::auth::Access;
use crate::core::error::CommandError;
use crate::core::image_filters::{PlatformFilter, ReferrerFilter, ReferrersPolicy, SourceFilter};
use crate::core::list_metadata::{AnnotationArg, ListEdits};
use crate::core::push::options::PushOptions;
use crate::core::push::tags::TagArg;
use crate::core::requirements::Requirements;
use crate::core::spec_origin::SpecOrigin;
use crate::location::LayoutReference;
use crate::model::index::ListFormat;
use crate::model::spec::{ATTESTATIONS_POLICIES, AttestationsPolicy, LIST_FORMATS};
use crate::reference::Repository;

/// How requests are sent to registries.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct NetworkFlags {
    /// Allow communication with an insecure registry
    #[arg(long)]
    pub insecure: bool,
    /// Maximum concurrent requests (default 24)
    #[arg(long, value_name = "int", value_parser = values::jobs)]
    pub jobs: Option<NonZeroUsize>,
    /// Retry a failed request up to N times (default 3)
    #[arg(long, value_name = "int", value_parser = values::retries)]
    pub retries: Option<u32>,
    /// Give up a request, with its retries, after this time (30s, 5m; a bare number is seconds)
    #[arg(long, value_name = "duration", value_parser = values::time_limit)]
    pub timeout: Option<Duration>,
    /// Log in to the registry as this user
    #[arg(long, value_name = "string", value_parser = values::non_empty_text)]
    pub username: Option<String>,
    /// Read the user's password from standard input
    #[arg(long)]
    pub password_stdin: bool,
}

/// Which parts of an index are used.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct SourceFilterFlags {
    /// Only use these platforms of the images
    #[arg(long = "platform", value_name = "strings", value_parser = PlatformFilter::parse_known)]
    pub platforms: Vec<PlatformFilter>,
    /// Attestations of the images: "drop"; or "keep", which also searches the referrers of single images (default: keep
    /// those that are in an index)
    #[arg(long, value_name = "string", value_parser = one_of(ATTESTATIONS_POLICIES))]
    pub attestations: Option<AttestationsPolicy>,
}

impl SourceFilterFlags {
    /// The same as a request of `core`.
    pub(crate) fn filter(&self) -> SourceFilter {
        SourceFilter {
            platforms: self.platforms.clone(),
            attestations: self.attestations.unwrap_or_default(),
            search_attestation_referrers: self.attestations == Some(AttestationsPolicy::Keep),
        }
    }
}

/// Where the images of a list come from, and which parts of them are used.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ImageSourceFlags {
    /// Do not request images that are already in the list
    #[arg(long)]
    pub offline: bool,
    /// Files that builds wrote, which name images.
    #[command(flatten)]
    pub build_outputs: BuildOutputFlags,
    /// Only use these bake targets, names or ids from the --from files
    #[arg(long = "target", value_name = "stringArray", value_parser = values::non_empty_text)]
    pub build_targets: Vec<String>,
    /// Which parts of an index are used.
    #[command(flatten)]
    pub source_filter: SourceFilterFlags,
}

/// Files that builds wrote, which name images.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct BuildOutputFlags {
    /// Read images from files that a build wrote: a directory whose file names are digests, or a file with
    /// digests, references or JSON; "-" is standard input
    #[arg(long, value_name = "stringArray", value_parser = values::non_empty_path)]
    pub from: Vec<PathBuf>,
    /// Repository of digests in --from files that name none (default: that of the list)
    #[arg(long, value_name = "string", value_parser = values::repository)]
    pub repository: Option<Repository>,
}

/// How a list describes one of its images or, for the last four flags, itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct EntryFlags {
    /// Set operating system
    #[arg(long, value_name = "string", default_value = "")]
    pub os: String,
    /// Set architecture
    #[arg(long, value_name = "string", default_value = "")]
    pub arch: String,
    /// Set architecture variant
    #[arg(long, value_name = "string", default_value = "")]
    pub variant: String,
    /// Set operating system version
    #[arg(long, value_name = "string", default_value = "")]
    pub os_version: String,
    /// Set operating system feature
    #[arg(long, value_name = "strings")]
    pub os_features: Vec<String>,
    /// Set CPU feature
    #[arg(long, value_name = "strings")]
    pub features: Vec<String>,
    /// Set an annotation (KEY=VALUE); OCI only
    #[arg(long = "annotation", value_name = "stringArray", value_parser = AnnotationArg::parse)]
    pub annotations: Vec<AnnotationArg>,
    /// Remove the annotation with this key
    #[arg(long = "unset-annotation", value_name = "stringArray", value_parser = values::non_empty_text)]
    pub unset_annotations: Vec<String>,
    /// Set the artifact type; OCI only
    #[arg(long, value_name = "string", value_parser = values::artifact_type)]
    pub artifact_type: Option<String>,
    /// Allow unknown platforms
    #[arg(long)]
    pub force: bool,
}

/// Members of a list itself.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ListFlags {
    /// Annotations of the list, or of its descriptors.
    #[arg(
        help = "Set an annotation of the list (KEY=VALUE) or of descriptors \
            (manifest-descriptor[PLATFORM]:KEY=VALUE); OCI only",
        long = "annotation", value_name = "stringArray", value_parser = AnnotationArg::parse)]
    pub annotations: Vec<AnnotationArg>,
    /// Set the subject of the list: an image or a list in its repository; OCI only
    #[arg(long, value_name = "string", value_parser = RefArg::from_clap)]
    pub subject: Option<RefArg>,
    /// Make a list of one image too (default true); false: the tag names the image itself
    #[arg(long, action = clap::ArgAction::SetFalse)]
    pub prefer_index: bool,
}

impl ListFlags {
    /// The same as changes of a list.
    ///
    /// # Errors
    /// A subject that is not a reference.
    pub(crate) fn edits(&self) -> Result<ListEdits<'_>, CommandError> {
        let subject = self.subject.as_ref().map(RefArg::reference).transpose()?;
        Ok(ListEdits { annotations: &self.annotations, subject, omits_index_for_single_image: !self.prefer_index })
    }
}

/// How a list is published, and how the result is printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct PublishFlags {
    /// Form of the list: "auto", "docker" or "oci" (default "auto")
    #[arg(long = "type", value_name = "string", value_parser = one_of(LIST_FORMATS), default_value = "auto")]
    pub list_format: ListFormat,
    /// Additional tags, or references with a tag in other repositories
    #[arg(short = 't', long = "tag", value_name = "strings", value_parser = TagArg::parse)]
    pub tags: Vec<TagArg>,
    /// Refuse (exit code 3) unless the list has these platforms
    #[arg(long, value_name = "strings", value_parser = PlatformFilter::parse_known)]
    pub require: Vec<PlatformFilter>,
    /// Also refuse (exit code 3) platforms that are not required
    #[arg(long)]
    pub exact: bool,
    /// Refuse a list that has a platform twice
    #[arg(long)]
    pub strict: bool,
    /// Push by digest alone: no tag moves
    #[arg(long)]
    pub by_digest: bool,
    /// Read back every manifest, and check that every blob exists, after the push
    #[arg(long)]
    pub verify: bool,
    /// Referrers of the images to send along: "keep" (signatures and attestations), "drop" or "all"
    #[arg(long, value_name = "string", value_parser = one_of(REFERRERS))]
    pub referrers: Option<ReferrersPolicy>,
    /// Only referrers of this artifact type
    #[arg(long = "referrer-type", value_name = "strings", value_parser = values::artifact_type)]
    pub referrer_types: Vec<String>,
    /// Write the list and all that it names into this OCI layout, and send nothing to its registry
    #[arg(long, value_name = "string", value_parser = values::output_layout)]
    pub to: Option<LayoutReference>,
    /// Check everything and show what would be sent, but send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print what was sent and what was there already
    #[arg(long)]
    pub verbose: bool,
    /// Format of the result: "json", "markdown", or "github" for outputs of a GitHub Actions step (default: docker's
    /// lines)
    #[arg(long, value_name = "string", value_enum)]
    pub format: Option<PublishFormat>,
    /// Write the digest of the list to this file
    #[arg(long, value_name = "string", value_parser = values::non_empty_path)]
    pub digest_file: Option<PathBuf>,
    /// Write the result as JSON to this file
    #[arg(long, value_name = "string", value_parser = values::non_empty_path)]
    pub metadata_file: Option<PathBuf>,
    /// Only print the digest, and show no progress
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

impl PublishFlags {
    /// The same as a request of `core`.
    pub(crate) fn options(&self) -> PushOptions {
        PushOptions {
            list_format: self.list_format,
            tags: self.tags.clone(),
            require: self.require.clone(),
            exact: self.exact,
            strict: self.strict,
            dry_run: self.dry_run,
            verbose: self.verbose,
            verify: self.verify,
            referrers: ReferrerFilter { policy: self.referrers, types: self.referrer_types.clone() },
            replaces: None,
        }
    }

    /// What the list must have.
    pub(crate) fn requirements(&self, origin: SpecOrigin) -> Requirements<'_> {
        Requirements { require: &self.require, exact: self.exact, reject_duplicates: self.strict, origin }
    }

    /// What the command is going to do in the repositories of the list.
    pub(crate) fn repository_access(&self) -> Access {
        if self.dry_run || self.to.is_some() { Access::Pull } else { Access::PullPush }
    }
}

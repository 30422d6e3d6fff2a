//! Why a command failed, as data. `Display` is docker's line if docker has one.

use std::io;
use std::path::PathBuf;

use crate::content::LayoutError;
use crate::core::blob_error::BlobError;
use crate::core::error_parts::{NameRole, PartialResult, incomplete, join_lines, response_text};
use crate::core::file_error::FileError;
use crate::core::limits::LimitError;
use crate::core::list_conflict::ListConflict;
use crate::core::missing_child::MissingChild;
use crate::core::shared_draft_error::SharedDraftError;
use crate::core::shim::ShimError;
use crate::core::spec_origin::SpecOrigin;
use crate::digest::Digest;
use crate::drafts::docker_dir::StoreError;
use crate::io_message::io_message;
use crate::model::DocumentError;
use crate::model::spec::{ArgumentsError, SpecError};
use crate::model::template::TemplateError;
use crate::net::RegistryError;
use crate::reference::ReferenceError;
use crate::sanitize;

/// The failure of a command. References are normalised strings, unless docker prints what was typed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// An invalid reference, if docker adds nothing.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A name that is no reference.
    #[error("{}{source}", role.prefix(typed))]
    InvalidName {
        /// What the name is for.
        role: NameRole,
        /// The name as the user typed it.
        typed: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// `create` without `--amend` although there is a draft.
    #[error("refusing to amend an existing manifest list with no --amend flag")]
    DraftExists {
        /// The draft.
        list: String,
        /// Whether it is `create --push`, which does not change drafts.
        is_push: bool,
    },
    /// `annotate` and `remove`: the image is not in the draft.
    #[error("manifest for image {image} does not exist in {list}")]
    ImageNotInList {
        /// As typed.
        image: String,
        /// As typed.
        list: String,
        /// Whether there is a draft of that name.
        has_draft: bool,
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
    /// `inspect LIST IMAGE`: the image is not in the draft.
    #[error("No such manifest: {image}")]
    InspectImageMissing {
        /// The image.
        image: String,
        /// The draft.
        list: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
    /// `annotate`: an unknown pair of operating system and architecture.
    #[error("manifest entry for image has unsupported os/arch combination: {os}/{arch}")]
    UnsupportedPlatform {
        /// The flag's value as typed.
        os: String,
        /// The flag's value as typed.
        arch: String,
        /// The flags that were probably meant.
        suggestions: Vec<String>,
    },
    /// No draft, or no such image in it.
    #[error("No such manifest: {0}")]
    NoSuchDraftOrImage(String),
    /// The registry does not have the manifest.
    #[error("no such manifest: {reference}")]
    NoSuchManifest {
        /// The requested reference.
        reference: String,
        /// The registry's error.
        source: Box<RegistryError>,
    },
    /// A published list that was to be changed, and that the registry does not have.
    #[error("no such list: {list}")]
    NoSuchList {
        /// The list.
        list: String,
        /// Whether the registry may have hidden it, because there is no login.
        may_be_hidden: bool,
        /// The registry's error.
        source: Box<RegistryError>,
    },
    /// An image that a list names and its registry does not have.
    #[error(transparent)]
    MissingChild(Box<MissingChild>),
    /// `push` of a draft without entries.
    #[error("{0} not found")]
    EmptyDraft(String),
    /// A published list whose images were all to be removed.
    #[error("{0} would have no images")]
    AllImagesRemoved(String),
    /// A source that is a list without entries.
    #[error("{0} is a manifest list with no images")]
    EmptyList(String),
    /// More than one command reads from indexes.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Published content that the registry does not serve as it was sent.
    #[error("published, but not served as it was sent: {content}: {reason}")]
    ReadBackMismatch {
        /// The name of the list, a manifest or a blob.
        content: String,
        /// What the registry serves instead.
        reason: String,
    },
    /// More referrers than the limits permit.
    #[error("the referrers of {subject} cannot come along: {reason}")]
    UnusableReferrers {
        /// The subject of the referrers.
        subject: String,
        /// The limit that they exceed.
        reason: String,
    },
    /// `inspect --format '{{…}}'`: a template that cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A template that uses members that only a published image has.
    #[error("{0} is a draft, which has neither configurations nor attestations")]
    TemplateOfDraft(String),
    /// `--subject`: a manifest of another repository, which a list cannot refer to.
    #[error("the subject {subject} is not in {list}, the repository of the list")]
    SubjectElsewhere {
        /// The subject.
        subject: String,
        /// The repository.
        list: String,
    },
    /// A selected platform that no source has.
    #[error("no image for {platform} in {sources}")]
    NoSuchPlatform {
        /// As typed.
        platform: String,
        /// The sources that were searched.
        sources: String,
        /// The platforms of the sources.
        available: Vec<String>,
    },
    /// A word that names several images, although one is needed.
    #[error("{selector} is {} images of {list}: {}", .images.len(), .images.join(", "))]
    SeveralImages {
        /// As typed.
        selector: String,
        /// The draft.
        list: String,
        /// The images, with their platforms.
        images: Vec<String>,
    },
    /// Hexadecimal digits at the beginning of several digests.
    #[error("{selector} may mean any of: {}", .candidates.join(", "))]
    AmbiguousDigest {
        /// As typed.
        selector: String,
        /// The digests.
        candidates: Vec<String>,
    },
    /// `--require` or `--exact` failed. Nothing was sent.
    #[error("{}", incomplete(.list, .missing, .extra))]
    Incomplete {
        /// The list.
        list: String,
        /// Where the list comes from.
        origin: SpecOrigin,
        /// The required platforms that it lacks.
        missing: Vec<String>,
        /// The platforms that it must not have.
        extra: Vec<String>,
    },
    /// A source that is a list where an image is needed.
    #[error("{0} is a manifest list")]
    IsList(String),
    /// A media type of neither an image manifest nor a list.
    #[error("{reference} is not an image manifest or a manifest list: {}", sanitize::short_line(media_type))]
    NotAManifest {
        /// The requested reference.
        reference: String,
        /// The media type that the registry stated.
        media_type: String,
    },
    /// The registry serves content that is not the expected document.
    #[error("{}", sanitize::short_line(&source.to_string()))]
    InvalidDocument {
        /// The requested reference.
        reference: String,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// A blob that could not be mounted or copied.
    #[error(transparent)]
    Blob(Box<BlobError>),
    /// `--dry-run`: a manifest or blob that the list needs does not exist.
    #[error("no such {kind}: {name}")]
    NoSuchContent {
        /// `manifest` or `blob`.
        kind: &'static str,
        /// Its name in the repositories that should have it.
        name: String,
    },
    /// `--tag`: an invalid tag.
    #[error("{0:?} is not a tag")]
    InvalidTag(String),
    /// `--strict`: platforms that have several images, one line each.
    #[error("{}", .messages.join("\n"))]
    DuplicatePlatforms {
        /// Where the list comes from.
        origin: SpecOrigin,
        /// The messages.
        messages: Vec<String>,
    },
    /// A failure after a part of the work was done.
    #[error("{error}")]
    Partial {
        /// The failure.
        error: Box<CommandError>,
        /// The part that was done.
        done: PartialResult,
    },
    /// `--digest-file`, `--metadata-file`: a file that cannot be written.
    #[error("cannot write {}: {}", .path.display(), io_message(.source))]
    ResultFile {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The registry refused a manifest.
    #[error("failed to put manifest {reference}: {}", response_text(.source))]
    Put {
        /// The manifest.
        reference: String,
        /// The manifest's media type.
        media_type: String,
        /// The registry's error.
        source: Box<RegistryError>,
    },
    /// Content with another digest than the requested one.
    #[error("manifest verification failed for digest {digest}")]
    DigestMismatch {
        /// The requested reference.
        reference: String,
        /// Whether it was requested by its tag, beside which it has a digest.
        by_tag: bool,
        /// The digest in the reference.
        digest: String,
        /// The error, which names the digest of the content.
        source: Box<RegistryError>,
    },
    /// Any other failure of a request.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// A published list that cannot be changed in one step.
    #[error(transparent)]
    Conflict(Box<ListConflict>),
    /// `--format github` outside of GitHub Actions.
    #[error("{0} is not set: --format github is for a step of GitHub Actions, whose runner sets it")]
    VariableNotSet(&'static str),
    /// `--from`: a file that cannot be used, or an image that it names.
    #[error(transparent)]
    File(Box<FileError>),
    /// An error of the store.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// A draft that cannot become a list.
    #[error("{}", sanitize::short_line(&.0.to_string()))]
    InvalidDraft(Box<DocumentError>),
    /// A draft that cannot be shown as a list.
    #[error("failed to assemble ManifestDescriptor: {}", sanitize::short_line(&.0.to_string()))]
    UndisplayableDraft(Box<DocumentError>),
    /// Several failures of one command, in the order of its arguments; never empty.
    #[error("{}", join_lines(.0))]
    Several(Vec<CommandError>),
    /// An environment variable with an invalid value.
    #[error("{name}={value:?} is {reason}")]
    InvalidVariable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An OCI image layout that cannot be read or written.
    #[error(transparent)]
    Layout(Box<LayoutError>),
    /// `copy`: an invalid name of a registry or a layout.
    #[error("{}: {reason}", sanitize::short_line(.typed))]
    InvalidLocation {
        /// As typed.
        typed: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A spec file that cannot be used.
    #[error(transparent)]
    Spec(Box<SpecError>),
    /// `apply`: platforms, a template and targets that make no list.
    #[error(transparent)]
    SpecArguments(#[from] ArgumentsError),
    /// A file that the user named and that cannot be read.
    #[error("cannot read {}: {}", .path.display(), io_message(.source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// `--ignore-missing`: the registry has no image of the list.
    #[error("nothing to publish as {0}: the registry has none of its images")]
    NoImageAvailable(String),
    /// A flag for one list, although there are several.
    #[error("{flag} applies to one list, and there are {number}")]
    OneListOnly {
        /// The flag.
        flag: &'static str,
        /// How many lists there are.
        number: usize,
    },
    /// Two lists with the same name.
    #[error("{0} would be published twice")]
    DuplicateTarget(String),
    /// A list that is larger than registries accept.
    #[error("{list} has {size} bytes, and registries take manifests of up to {max} bytes (4 MiB)")]
    ListTooLarge {
        /// The list.
        list: String,
        /// Its size in bytes.
        size: u64,
        /// The maximum in bytes.
        max: u64,
    },
    /// A spec with more images than a list can have.
    #[error("{list} has {number} images, and a list may have up to {max}")]
    TooManyImages {
        /// The list.
        list: String,
        /// The number of images.
        number: usize,
        /// The maximum number.
        max: usize,
    },
    /// A list whose name contains another digest than its own.
    #[error("{target} would be another list: its digest is {digest}")]
    OtherDigestInName {
        /// The name with the other digest.
        target: String,
        /// The digest of the list.
        digest: Digest,
    },
    /// An image where a list is needed.
    #[error("{0} is no manifest list")]
    NotAList(String),
    /// `check`: a text that is neither a registry nor a repository.
    #[error("cannot check {typed:?}: {reason}")]
    InvalidCheckTarget {
        /// As typed.
        typed: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `check`: the registry accepts lists of neither form.
    #[error("{0} takes neither a Docker manifest list nor an OCI image index")]
    NoListFormatAccepted(String),
    /// A shared draft that cannot be changed or published.
    #[error(transparent)]
    SharedDraft(Box<SharedDraftError>),
    /// `--password-stdin`: stdin contains no valid password.
    #[error("cannot read the password from standard input: {}", io_message(.0))]
    Password(#[source] io::Error),
    /// `man`: an unknown command.
    #[error("there is no command {0:?}")]
    NoManPage(String),
    /// The shim cannot be installed or removed.
    #[error(transparent)]
    Shim(#[from] ShimError),
    /// stdout cannot be written.
    #[error("cannot write the output: {}", io_message(.0))]
    Output(#[from] io::Error),
}

//! Why a verb failed, as data. Where docker has a line for it, `Display` is docker's line.

use std::io;
use std::path::PathBuf;

use crate::core::error_parts::{NameRole, PartialResult, SpecOrigin, answer, incomplete, lines};
use crate::core::file_error::FileError;
use crate::core::missing_child::MissingChild;
use crate::core::shim::ShimError;
use crate::digest::Digest;
use crate::drafts::docker_dir::StoreError;
use crate::model::DocumentError;
use crate::model::spec::{ArgumentsError, SpecError};
use crate::net::RegistryError;
use crate::reference::ReferenceError;
use crate::sanitize::{self, io_error};

/// A verb's failure. References are texts here: normalised ones unless docker shows what was typed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A reference that is none, where docker adds nothing.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A name that is no reference.
    #[error("{}{source}", role.prefix(typed))]
    Name {
        /// What the name is for.
        role: NameRole,
        /// The name as the user wrote it.
        typed: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// `create` without `--amend` where there is a draft.
    #[error("refusing to amend an existing manifest list with no --amend flag")]
    Exists {
        /// The draft.
        list: String,
    },
    /// `annotate`: the image is not in the draft.
    #[error("manifest for image {image} does not exist in {list}")]
    NotInList {
        /// As typed.
        image: String,
        /// As typed.
        list: String,
        /// Whether there is a draft of that name at all.
        drafted: bool,
        /// What was probably meant.
        near: Option<String>,
    },
    /// `inspect LIST IMAGE`: the image is not in the draft.
    #[error("No such manifest: {image}")]
    NotStoredIn {
        /// The image.
        image: String,
        /// The draft.
        list: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// `annotate`: a pair that docker does not know.
    #[error("manifest entry for image has unsupported os/arch combination: {os}/{arch}")]
    Platform {
        /// The flag's value as typed.
        os: String,
        /// The flag's value as typed.
        arch: String,
        /// The flags that were probably meant.
        near: Vec<String>,
    },
    /// No draft, or no such image in it.
    #[error("No such manifest: {0}")]
    NotStored(String),
    /// The registry says that it has no such manifest.
    #[error("no such manifest: {reference}")]
    NotServed {
        /// What was asked for.
        reference: String,
        /// The registry's answer.
        source: Box<RegistryError>,
    },
    /// An image that a list names and its registry does not have.
    #[error(transparent)]
    MissingChild(Box<MissingChild>),
    /// `push` of a draft with nothing in it.
    #[error("{0} not found")]
    Empty(String),
    /// A list that has nothing in it, as a source.
    #[error("{0} is a manifest list with no images")]
    EmptyList(String),
    /// Indexes in indexes, beyond what anybody needs.
    #[error("{list} has indexes nested more than {depth} deep")]
    TooDeep {
        /// The outermost list.
        list: String,
        /// The bound.
        depth: usize,
    },
    /// More manifests in indexes than anybody needs.
    #[error("{list} brings the manifests taken out of indexes to more than {most}")]
    TooMany {
        /// The list that was one too much.
        list: String,
        /// The bound.
        most: usize,
    },
    /// More bytes of manifests in indexes than a draft has room for.
    #[error("{list} brings the manifests taken out of indexes to more than {most} bytes")]
    TooLarge {
        /// The list that was one too much.
        list: String,
        /// The bound.
        most: u64,
    },
    /// Referrers beyond the bounds.
    #[error("the referrers of {subject} cannot come along: {why}")]
    Referrers {
        /// What they are about.
        subject: String,
        /// Which bound they exceed.
        why: String,
    },
    /// A platform that was picked and that no source has.
    #[error("no image for {platform} in {sources}")]
    NoSuchPlatform {
        /// As typed.
        platform: String,
        /// The sources that were looked in.
        sources: String,
        /// The platforms that they have.
        there: Vec<String>,
    },
    /// A name of several images where one is wanted.
    #[error("{word} is {} images of {list}: {}", .images.len(), .images.join(", "))]
    SeveralImages {
        /// As typed.
        word: String,
        /// The draft.
        list: String,
        /// The images, with what they run on.
        images: Vec<String>,
    },
    /// The first digits of several digests.
    #[error("{word} may mean any of: {}", .meanings.join(", "))]
    Ambiguous {
        /// As typed.
        word: String,
        /// The digests.
        meanings: Vec<String>,
    },
    /// `--require` or `--exact` are not met; nothing was sent.
    #[error("{}", incomplete(.list, .missing, .extra))]
    Incomplete {
        /// The list.
        list: String,
        /// What it is made from.
        made: SpecOrigin,
        /// The platforms that were required and are not there.
        missing: Vec<String>,
        /// The platforms that are there and were not to be.
        extra: Vec<String>,
    },
    /// A source that is a list where one image is wanted.
    #[error("{0} is a manifest list")]
    IsList(String),
    /// A media type that is no manifest's.
    #[error("{reference} is not an image manifest or a manifest list: {}", sanitize::word(media_type))]
    NotAManifest {
        /// What was asked for.
        reference: String,
        /// What the registry called it.
        media_type: String,
    },
    /// What a registry served is not the document that it should be.
    #[error("{}", sanitize::word(&source.to_string()))]
    Served {
        /// What was asked for.
        reference: String,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// A blob that the registry does not mount, and that is in none of its sources.
    #[error("error mounting {blob} to {target}")]
    NotMounted {
        /// The blob in its source repository, whose host docker leaves out.
        blob: String,
        /// The list being pushed.
        target: String,
        /// The repositories of the images that need it.
        sources: Vec<String>,
        /// What the last of them said.
        source: Box<RegistryError>,
    },
    /// A blob that could not be copied from another registry.
    #[error("failed to copy blob {blob} from {} to {target}: {source}", .sources.join(", "))]
    Copy {
        /// The blob's digest.
        blob: String,
        /// The list being pushed.
        target: String,
        /// The repositories of the images that need it.
        sources: Vec<String>,
        /// The answer of the registry that failed.
        source: Box<RegistryError>,
    },
    /// `--dry-run`: something that the list needs is not there.
    #[error("no such {what}: {name}")]
    Gone {
        /// A manifest or a blob.
        what: &'static str,
        /// In the repositories that should have it.
        name: String,
    },
    /// `--tag`: what is no tag.
    #[error("{0:?} is not a tag")]
    TagName(String),
    /// `--strict`: platforms that more than one image is for, a line for each.
    #[error("{}", .twice.join("\n"))]
    Twice {
        /// What the list is made from.
        made: SpecOrigin,
        /// The lines.
        twice: Vec<String>,
    },
    /// A failure after a part of the work was done.
    #[error("{failure}")]
    Partial {
        /// What failed.
        failure: Box<CommandError>,
        /// What was done before.
        done: PartialResult,
    },
    /// `--digest-file`, `--metadata-file`: a file that cannot be written.
    #[error("cannot write {}: {}", .path.display(), io_error(.source))]
    ResultFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The registry failed while mounting.
    #[error("failed to mount blob {blob} to {target}: {}", answer(.source))]
    Mount {
        /// The blob in its source repository.
        blob: String,
        /// The list being pushed.
        target: String,
        /// The registry's answer.
        source: Box<RegistryError>,
    },
    /// The registry would not take a manifest.
    #[error("failed to put manifest {reference}: {}", answer(.source))]
    Put {
        /// The manifest.
        reference: String,
        /// What it is.
        media_type: String,
        /// The registry's answer.
        source: Box<RegistryError>,
    },
    /// What a registry served does not hash to the digest that was asked for.
    #[error("manifest verification failed for digest {digest}")]
    NotVerified {
        /// What was asked for.
        reference: String,
        /// Whether it was asked for by its tag, beside which the digest stands.
        by_tag: bool,
        /// The digest that the reference names.
        digest: String,
        /// What came instead.
        source: Box<RegistryError>,
    },
    /// Any other failure with a registry.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// `--from`: a file that cannot be used, or what it names.
    #[error(transparent)]
    File(Box<FileError>),
    /// The store.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// A draft that cannot become a list.
    #[error("{}", sanitize::word(&.0.to_string()))]
    Draft(Box<DocumentError>),
    /// A draft that cannot be shown as a list.
    #[error("failed to assemble ManifestDescriptor: {}", sanitize::word(&.0.to_string()))]
    Preview(Box<DocumentError>),
    /// Several failures of one command, in the order of its arguments; never empty.
    #[error("{}", lines(.0))]
    Several(Vec<CommandError>),
    /// An environment variable that makes no sense.
    #[error("{name}={value:?} is {why}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A spec file that cannot be used.
    #[error(transparent)]
    Spec(Box<SpecError>),
    /// `apply`: platforms, a template and targets that make no list.
    #[error(transparent)]
    SpecArguments(#[from] ArgumentsError),
    /// A file that was named and cannot be read.
    #[error("cannot read {}: {}", .path.display(), io_error(.source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `--ignore-missing`: no image of the list is there.
    #[error("nothing to publish as {0}: not one of its images is there")]
    NoneLeft(String),
    /// A flag for one list where there are more.
    #[error("{flag} is for one list, and there are {number}")]
    ManyLists {
        /// The flag.
        flag: &'static str,
        /// How many lists there are.
        number: usize,
    },
    /// Two lists under one name.
    #[error("{0} would be published twice")]
    TargetTwice(String),
    /// A list that is larger than what registries take, in bytes.
    #[error("{list} has {size} bytes, and registries take manifests of up to {most} bytes (4 MiB)")]
    ListTooLarge {
        /// The list.
        list: String,
        /// Its size.
        size: u64,
        /// The bound.
        most: u64,
    },
    /// A spec with more images than any list can have.
    #[error("{list} has {number} images, and a list may have up to {most}")]
    TooManyImages {
        /// The list.
        list: String,
        /// How many it has.
        number: usize,
        /// The bound.
        most: usize,
    },
    /// A list that is to go by a digest which is not its own.
    #[error("{target} would be another list: its digest is {digest}")]
    OtherDigest {
        /// The name with the digest that was wanted.
        target: String,
        /// The digest that the list has.
        digest: Digest,
    },
    /// One image where a list is wanted.
    #[error("{0} is no manifest list")]
    NotAList(String),
    /// `check`: what is neither a registry nor a repository.
    #[error("cannot try things in {typed:?}: {why}")]
    CheckTarget {
        /// As typed.
        typed: String,
        /// What is wrong with it.
        why: String,
    },
    /// `check`: lists of neither form can be published.
    #[error("{0} takes neither a Docker manifest list nor an OCI image index")]
    Unpublishable(String),
    /// `--password-stdin`: nothing that is a password can be read.
    #[error("cannot read the password from standard input: {}", io_error(.source))]
    Password {
        /// Why.
        source: io::Error,
    },
    /// `man`: there is no such command.
    #[error("there is no command {0:?}")]
    NoPage(String),
    /// The shim cannot be installed or removed.
    #[error(transparent)]
    Shim(#[from] ShimError),
    /// stdout cannot be written to.
    #[error("cannot write the output: {}", io_error(.0))]
    Output(#[from] io::Error),
}

/// The errors of other rooms, boxed: they are large.
macro_rules! boxed {
    ($($error:ty => $variant:ident),* $(,)?) => {
        $(impl From<$error> for CommandError {
            fn from(error: $error) -> CommandError {
                CommandError::$variant(Box::new(error))
            }
        })*
    };
}

boxed! {
    SpecError => Spec,
    StoreError => Store,
    RegistryError => Registry,
    DocumentError => Draft,
    MissingChild => MissingChild,
    FileError => File,
}

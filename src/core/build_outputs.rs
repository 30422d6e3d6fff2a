//! The images that files of build tools name (`--from`): each once, and no two for one platform.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::file_error::FileError;
use crate::core::image_filters::LocationResult;
use crate::core::platform_match::{self, PlatformKey};
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::resolve::resolver::ReusedSource;
use crate::digest::Digest;
use crate::location::Location;
use crate::model::Entry;
use crate::model::build_output::BuildOutput;
use crate::model::index::Index;
use crate::net::{RegistryError, RegistryErrorKind};
use crate::platform::Platform;
use crate::reference::{Reference, Repository};
use crate::sanitize;

/// The images of all files, in the order of the command line.
#[derive(Debug, Default)]
pub(crate) struct BuildOutputs {
    images: Vec<FileImage>,
    notes: Vec<String>,
    /// The sizes that files give, also of an image that counts once.
    sizes: Vec<StatedSize>,
}

#[derive(Debug)]
struct FileImage {
    reference: Reference,
    /// The file as it was named.
    file: String,
    /// The position in it, if it names several images.
    position_in_file: String,
}

/// The size of a manifest that a file gives.
#[derive(Debug)]
struct StatedSize {
    /// The file, and the position in it.
    file_and_position: String,
    reference: Reference,
    bytes: u64,
}

impl FileImage {
    /// The file, and the position in it if it names several images.
    fn display_file(&self) -> String {
        let file = sanitize::short_line(&self.file);
        if self.position_in_file.is_empty() {
            file
        } else {
            format!("{file} ({})", sanitize::short_line(&self.position_in_file))
        }
    }
}

impl BuildOutputs {
    /// Joins the images of these files, each with its name. An image that several files name counts once; if one of
    /// them names it in the list's repository, it is read from there.
    pub(crate) fn new(outputs_by_file: Vec<(String, BuildOutput)>, list_repository: &Repository) -> BuildOutputs {
        let (mut outputs, mut positions) = (BuildOutputs::default(), BTreeMap::<Digest, usize>::new());
        for (file, output) in outputs_by_file {
            let note = |note: &String| format!("{}: {}", sanitize::short_line(&file), sanitize::short_line(note));
            outputs.notes.extend(output.notes.iter().map(note));
            for image in output.images {
                let (file, position_in_file) = (file.clone(), image.position);
                let (size, image) = (image.size, FileImage { reference: image.reference, file, position_in_file });
                outputs.sizes.extend(size.map(|bytes| StatedSize {
                    file_and_position: image.display_file(),
                    reference: image.reference.clone(),
                    bytes,
                }));
                outputs.add(image, &mut positions, list_repository);
            }
        }
        outputs
    }

    fn add(&mut self, image: FileImage, positions: &mut BTreeMap<Digest, usize>, list_repository: &Repository) {
        let Some(digest) = image.reference.digest().cloned() else { return };
        let position = *positions.entry(digest.clone()).or_insert(self.images.len());
        let Some(first) = self.images.get_mut(position) else {
            self.images.push(image);
            return;
        };
        self.notes.push(format!(
            "{} and {} name the same image {digest}: it counts once",
            first.display_file(),
            image.display_file()
        ));
        if first.reference.repository() != list_repository && image.reference.repository() == list_repository {
            first.reference = image.reference;
        }
    }

    /// Whether no file was named.
    pub(crate) fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The names of the images.
    pub(crate) fn locations(&self) -> impl Iterator<Item = LocationResult> {
        self.references().map(|reference| Ok(reference.clone().into()))
    }

    /// The same as references.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.images.iter().map(|image| &image.reference)
    }

    /// Notes about the files, one line each.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds the file that names an image to the error of fetching it. If the file names the image by its configuration,
    /// which a request finds out, the error says that instead.
    pub(crate) fn diagnose_error(&self, registry: &RegistryClient, error: CommandError) -> CommandError {
        match error {
            CommandError::Several(errors) => {
                CommandError::combine(errors.into_iter().map(|error| self.diagnose_error(registry, error)).collect())
            }
            error => self.diagnose_single_error(registry, error),
        }
    }

    fn diagnose_single_error(&self, registry: &RegistryClient, error: CommandError) -> CommandError {
        let named = match &error {
            CommandError::NoSuchManifest { reference, .. }
            | CommandError::DigestMismatch { reference, .. }
            | CommandError::NotAManifest { reference, .. }
            | CommandError::InvalidDocument { reference, .. }
            | CommandError::EmptyList(reference) => reference.clone(),
            CommandError::Registry(source) => match self.image_of_server_error(source) {
                Some(named) => named,
                None => return error,
            },
            _ => return error,
        };
        let Some(image) = self.images.iter().find(|image| image.reference.to_string() == named) else { return error };
        let (file, reference, text) = (image.display_file(), named, error.to_string());
        if let CommandError::NoSuchManifest { .. } | CommandError::Registry(_) = error
            && let Some(digest) = image.reference.digest()
            // If this check fails, the first failure is reported.
            && registry.has_blob(image.reference.repository(), digest).is_ok_and(|is_there| is_there)
        {
            return FileError::ImageId { file, reference }.into();
        }
        let source = match error {
            CommandError::Registry(_) => return error,
            CommandError::NoSuchManifest { source, .. } | CommandError::DigestMismatch { source, .. } => Some(source),
            _ => None,
        };
        FileError::ImageNotFetched { file, reference, error: text, source }.into()
    }

    /// The image that a registry failed to serve: distribution 2.8 answers 500 instead of 404 if the digest is that of
    /// a blob.
    fn image_of_server_error(&self, source: &RegistryError) -> Option<String> {
        let request = source.request.as_ref().filter(|_| source.kind == RegistryErrorKind::Server)?;
        let matches = |name: &&Reference| {
            request.repository.as_deref() == Some(name.repository().path())
                && source.registry == name.repository().domain()
                && request.reference.as_deref() == name.digest().map(Digest::as_str)
        };
        self.references().find(matches).map(ToString::to_string)
    }

    /// Leaves out images that an index of the same file contains (ko names both), unless they are on the command line,
    /// too (`is_on_command_line`), and images that the command line names in another way. Then checks that no two files
    /// have different images for one platform. `is_selected` says which platforms count.
    ///
    /// # Errors
    /// All [`FileError::SizeMismatch`], else all [`FileError::TwoImagesForPlatform`].
    pub(crate) fn check_and_remove_duplicates(
        &self,
        sources: &mut Vec<ResolvedSource>,
        reused: &[ReusedSource<'_>],
        is_on_command_line: impl Fn(&Location) -> bool,
        is_selected: impl Fn(&Platform) -> bool,
    ) -> Result<(), CommandError> {
        let known = reused.iter().flat_map(|reused| &reused.entries).map(|entry| &entry.descriptor);
        let known = known.map(|descriptor| (&descriptor.digest, descriptor.size));
        self.check_sizes(&sources.iter().filter_map(manifest_size).chain(known).collect())?;
        let index = |name: &Reference| sources.iter().find(|source| source.reference == *name)?.index.as_ref();
        let children = self.children_in_same_file(index);
        sources.retain(|source| !children.contains(&source.reference) || is_on_command_line(&source.location));
        let named = sources.iter().filter(|source| is_on_command_line(&source.location));
        let named: BTreeSet<_> =
            named.map(|source| (source.reference.repository().clone(), source.digest.clone())).collect();
        let is_repeated =
            |source: &ResolvedSource| named.contains(&(source.reference.repository().clone(), source.digest.clone()));
        sources.retain(|source| is_on_command_line(&source.location) || !is_repeated(source));
        let fetched = sources.iter().map(|source| (&source.reference, source.entries.iter().collect()));
        let reused = reused.iter().map(|reused| (reused.reference, reused.entries.clone()));
        let entries: BTreeMap<&Reference, Vec<&Entry>> = fetched.chain(reused).collect();
        self.check_duplicate_platforms(&entries, is_selected)
    }

    /// The images of files whose index is in the same file.
    pub(crate) fn children_in_same_file<'a>(
        &self,
        index: impl Fn(&Reference) -> Option<&'a Index>,
    ) -> BTreeSet<Reference> {
        let mut children = BTreeSet::new();
        for image in &self.images {
            let Some(index) = index(&image.reference) else { continue };
            let listed: BTreeSet<&Digest> = index.manifests.iter().map(|child| &child.digest).collect();
            let same = self.images.iter().filter(|other| other.file == image.file);
            let is_child = |other: &&FileImage| other.reference.digest().is_some_and(|digest| listed.contains(digest));
            children.extend(same.filter(is_child).map(|other| other.reference.clone()));
        }
        children
    }

    /// Checks the sizes that descriptors in the files give. `sizes` has the number of bytes of each manifest.
    ///
    /// # Errors
    /// All [`FileError::SizeMismatch`].
    pub(crate) fn check_sizes(&self, sizes: &BTreeMap<&Digest, u64>) -> Result<(), CommandError> {
        let mismatch = |stated: &StatedSize| {
            let bytes = *sizes.get(stated.reference.digest()?)?;
            let (file, reference) = (stated.file_and_position.clone(), stated.reference.to_string());
            (bytes != stated.bytes)
                .then(|| FileError::SizeMismatch { file, reference, bytes, stated: stated.bytes }.into())
        };
        CommandError::fail_if_any(self.sizes.iter().filter_map(mismatch).collect())
    }

    /// Checks that the files name at most one image for each platform.
    ///
    /// # Errors
    /// All [`FileError::TwoImagesForPlatform`].
    pub(crate) fn check_duplicate_platforms(
        &self,
        entries: &BTreeMap<&Reference, Vec<&Entry>>,
        is_selected: impl Fn(&Platform) -> bool,
    ) -> Result<(), CommandError> {
        let mut known: BTreeMap<PlatformKey, (&Digest, &FileImage)> = BTreeMap::new();
        let mut errors = Vec::new();
        for image in &self.images {
            for entry in entries.get(&image.reference).into_iter().flatten() {
                let platform = platform_match::known_platform(&entry.descriptor).filter(|_| !entry.is_attestation());
                let Some(platform) = platform.filter(|platform| is_selected(platform)) else { continue };
                let digest = &entry.descriptor.digest;
                let (first, first_image) =
                    *known.entry(platform_match::platform_key(platform)).or_insert((digest, image));
                // An index may list a platform twice; two files may not.
                if first != digest && !std::ptr::eq(first_image, image) {
                    errors.push(CommandError::from(FileError::TwoImagesForPlatform {
                        platform: platform.normalized_for_comparison().to_string(),
                        first: first.to_string(),
                        first_file: first_image.display_file(),
                        second: digest.to_string(),
                        second_file: image.display_file(),
                    }));
                }
            }
        }
        CommandError::fail_if_any(errors)
    }
}

/// The digest of a source, and the number of bytes of its manifest.
pub(crate) fn manifest_size(source: &ResolvedSource) -> Option<(&Digest, u64)> {
    let entry_of_image = source.entries.iter().find(|entry| entry.descriptor.digest == source.digest);
    let size = match &source.source_index {
        Some(index) => index.raw.len() as u64,
        None => entry_of_image?.descriptor.size,
    };
    Some((&source.digest, size))
}

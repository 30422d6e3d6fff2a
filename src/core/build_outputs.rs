//! The images that files of build tools name (`--from`): each once, and no two for one platform.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::registry::Registry;
use crate::core::error::CommandError;
use crate::core::file_error::FileError;
use crate::core::request::ImageName;
use crate::core::requirements::{self, PlatformKey};
use crate::core::resolve::resolved_source::ResolvedSource;
use crate::core::resolve::resolver::Reused;
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
    position: String,
}

/// The size of a manifest that a file gives.
#[derive(Debug)]
struct StatedSize {
    /// The file, and the position in it.
    file: String,
    reference: Reference,
    bytes: u64,
}

impl FileImage {
    /// The file, and the position in it if it names several images.
    fn origin(&self) -> String {
        let file = sanitize::word(&self.file);
        if self.position.is_empty() { file } else { format!("{file} ({})", sanitize::word(&self.position)) }
    }
}

impl BuildOutputs {
    /// Joins the images of these files, each with its name. An image that several files name counts once; if one of
    /// them names it in `repository`, it is read from there.
    pub(crate) fn new(files: Vec<(String, BuildOutput)>, repository: &Repository) -> BuildOutputs {
        let (mut outputs, mut positions) = (BuildOutputs::default(), BTreeMap::<Digest, usize>::new());
        for (file, output) in files {
            let note = |note: &String| format!("{}: {}", sanitize::word(&file), sanitize::word(note));
            outputs.notes.extend(output.notes.iter().map(note));
            for image in output.images {
                let (file, position) = (file.clone(), image.place);
                let (size, image) = (image.size, FileImage { reference: image.reference, file, position });
                outputs.sizes.extend(size.map(|bytes| StatedSize {
                    file: image.origin(),
                    reference: image.reference.clone(),
                    bytes,
                }));
                outputs.add(image, &mut positions, repository);
            }
        }
        outputs
    }

    fn add(&mut self, image: FileImage, positions: &mut BTreeMap<Digest, usize>, repository: &Repository) {
        let Some(digest) = image.reference.digest().cloned() else { return };
        let position = *positions.entry(digest.clone()).or_insert(self.images.len());
        let Some(first) = self.images.get_mut(position) else {
            self.images.push(image);
            return;
        };
        self.notes.push(format!(
            "{} and {} name the same image {digest}: it counts once",
            first.origin(),
            image.origin()
        ));
        if first.reference.repository() != repository && image.reference.repository() == repository {
            first.reference = image.reference;
        }
    }

    /// Whether no file was named.
    pub(crate) fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The names of the images.
    pub(crate) fn names(&self) -> impl Iterator<Item = ImageName> {
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

    /// Adds the file that names an image to a failure to fetch it.
    pub(crate) fn blame(&self, registry: &Registry, failure: CommandError) -> CommandError {
        match failure {
            CommandError::Several(failures) => {
                CommandError::of(failures.into_iter().map(|failure| self.blame(registry, failure)).collect())
            }
            failure => self.blamed(registry, failure),
        }
    }

    fn blamed(&self, registry: &Registry, failure: CommandError) -> CommandError {
        let named = match &failure {
            CommandError::NotServed { reference, .. }
            | CommandError::NotVerified { reference, .. }
            | CommandError::NotAManifest { reference, .. }
            | CommandError::Served { reference, .. }
            | CommandError::EmptyList(reference) => reference.clone(),
            CommandError::Registry(source) => match self.broken(source) {
                Some(named) => named,
                None => return failure,
            },
            _ => return failure,
        };
        let Some(image) = self.images.iter().find(|image| image.reference.to_string() == named) else { return failure };
        let (file, reference, text) = (image.origin(), named, failure.to_string());
        if let CommandError::NotServed { .. } | CommandError::Registry(_) = failure
            && let Some(digest) = image.reference.digest()
            // If this check fails, the first failure is reported.
            && registry.has_blob(image.reference.repository(), digest).is_ok_and(|is_there| is_there)
        {
            return FileError::ImageId { file, reference }.into();
        }
        let source = match failure {
            CommandError::Registry(_) => return failure,
            CommandError::NotServed { source, .. } | CommandError::NotVerified { source, .. } => Some(source),
            _ => None,
        };
        FileError::Stale { file, reference, failure: text, source }.into()
    }

    /// The image that a registry failed to serve: distribution 2.8 answers 500 instead of 404 if the digest is that of
    /// a blob.
    fn broken(&self, source: &RegistryError) -> Option<String> {
        let request = source.request.as_ref().filter(|_| source.kind == RegistryErrorKind::Server)?;
        let is_it = |name: &&Reference| {
            request.repository.as_deref() == Some(name.repository().path())
                && source.registry == name.repository().domain()
                && request.reference.as_deref() == name.digest().map(Digest::as_str)
        };
        self.references().find(is_it).map(ToString::to_string)
    }

    /// Leaves out images that an index of the same file contains (ko names both), unless they are on the command line,
    /// too (`is_named`), and images that the command line names in another way. Then checks that no two files have
    /// different images for one platform. `is_wanted` says which platforms count.
    ///
    /// # Errors
    /// All [`FileError::Size`], else all [`FileError::TwoImages`].
    pub(crate) fn settle(
        &self,
        sources: &mut Vec<ResolvedSource>,
        reused: &[Reused<'_>],
        is_named: impl Fn(&Location) -> bool,
        is_wanted: impl Fn(&Platform) -> bool,
    ) -> Result<(), CommandError> {
        let known = reused.iter().flat_map(|reused| &reused.entries).map(|entry| &entry.descriptor);
        let known = known.map(|descriptor| (&descriptor.digest, descriptor.size));
        self.check_sizes(&sources.iter().filter_map(size_of).chain(known).collect())?;
        let index = |name: &Reference| sources.iter().find(|source| source.reference == *name)?.index.as_ref();
        let children = self.children(index);
        sources.retain(|source| !children.contains(&source.reference) || is_named(&source.location));
        let named = sources.iter().filter(|source| is_named(&source.location));
        let named: BTreeSet<_> =
            named.map(|source| (source.reference.repository().clone(), source.digest.clone())).collect();
        let is_twice =
            |source: &ResolvedSource| named.contains(&(source.reference.repository().clone(), source.digest.clone()));
        sources.retain(|source| is_named(&source.location) || !is_twice(source));
        let fetched = sources.iter().map(|source| (&source.reference, source.entries.iter().collect()));
        let reused = reused.iter().map(|reused| (reused.reference, reused.entries.clone()));
        let entries: BTreeMap<&Reference, Vec<&Entry>> = fetched.chain(reused).collect();
        self.check(&entries, is_wanted)
    }

    /// The images of files whose index is in the same file.
    pub(crate) fn children<'a>(&self, index: impl Fn(&Reference) -> Option<&'a Index>) -> BTreeSet<Reference> {
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
    /// All [`FileError::Size`].
    pub(crate) fn check_sizes(&self, sizes: &BTreeMap<&Digest, u64>) -> Result<(), CommandError> {
        let wrong = |stated: &StatedSize| {
            let bytes = *sizes.get(stated.reference.digest()?)?;
            let (file, reference) = (stated.file.clone(), stated.reference.to_string());
            (bytes != stated.bytes).then(|| FileError::Size { file, reference, bytes, stated: stated.bytes }.into())
        };
        CommandError::fail_if_any(self.sizes.iter().filter_map(wrong).collect())
    }

    /// Checks that the files name at most one image for each platform.
    ///
    /// # Errors
    /// All [`FileError::TwoImages`].
    pub(crate) fn check(
        &self,
        entries: &BTreeMap<&Reference, Vec<&Entry>>,
        is_wanted: impl Fn(&Platform) -> bool,
    ) -> Result<(), CommandError> {
        let mut known: BTreeMap<PlatformKey, (&Digest, &FileImage)> = BTreeMap::new();
        let mut failures = Vec::new();
        for image in &self.images {
            for entry in entries.get(&image.reference).into_iter().flatten() {
                let own = requirements::known_platform(&entry.descriptor).filter(|_| entry.attests().is_none());
                let Some(platform) = own.filter(|platform| is_wanted(platform)) else { continue };
                let digest = &entry.descriptor.digest;
                let (first, first_image) = *known.entry(requirements::key(platform)).or_insert((digest, image));
                // An index may list a platform twice; two files may not.
                if first != digest && !std::ptr::eq(first_image, image) {
                    failures.push(CommandError::from(FileError::TwoImages {
                        platform: platform.normalized().to_string(),
                        one: first.to_string(),
                        one_file: first_image.origin(),
                        other: digest.to_string(),
                        other_file: image.origin(),
                    }));
                }
            }
        }
        CommandError::fail_if_any(failures)
    }
}

/// The digest of a source, and the number of bytes of its manifest.
pub(crate) fn size_of(source: &ResolvedSource) -> Option<(&Digest, u64)> {
    let own = source.entries.iter().find(|entry| entry.descriptor.digest == source.digest);
    let size = match &source.form {
        Some(index) => index.raw.len() as u64,
        None => own?.descriptor.size,
    };
    Some((&source.digest, size))
}

//! Shows what a registry serves. One request fetches the manifest; more are sent only for what the list does not say.

mod children;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use crate::auth::Access;
use crate::cli::args::{Inspect, InspectFormat};
use crate::cli::context::Context;
use crate::cli::inspect::remote::children::Detail;
use crate::cli::inspect::{INDENTATION, formatted, line, local, no_such_platform, tell_of_others};
use crate::content::registry::{FetchedManifest, Registry};
use crate::core::error::CommandError;
use crate::core::inspect::node::{ImageContents, InspectNode, NodeContents};
use crate::core::request::PlatformFilter;
use crate::core::requirements;
use crate::core::resolve::fetch::{self, ConfigPlatforms, FetchedContent};
use crate::core::resolve::limits::{CHILDREN_MAX, DEPTH_MAX, ResolvedSize};
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::attested;
use crate::model::index::{self, Index};
use crate::model::manifest::{self, ManifestKind, Schema};
use crate::model::{DocumentError, Entry, json, media_type};
use crate::net::tasks;
use crate::platform::Platform;
use crate::reference::Reference;

/// An image that a registry serves.
struct Image {
    reference: Reference,
    schema: Schema,
    fetched: FetchedManifest,
    /// Its descriptor in the list that it was selected from.
    line: Option<Descriptor>,
}

/// What the registry serves under the name, or what was selected from it.
enum Served {
    Image(Box<Image>),
    List(FetchedManifest),
}

/// The client and its limits.
struct Client<'a> {
    registry: &'a Registry,
    jobs: NonZeroUsize,
}

/// The text to print.
pub(crate) fn shown(context: &Context, args: &Inspect, image: &Reference) -> Result<Vec<u8>, CommandError> {
    let jobs = context.jobs(args.network.jobs)?;
    let registry = &context.registry(&args.network, image.repository())?;
    let client = Client { registry, jobs };
    client.registry.announce(image.repository(), Access::Pull);
    let served = match fetch::manifest(client.registry, image)? {
        FetchedContent::Image(schema, fetched) => {
            Served::Image(Box::new(Image { reference: image.clone(), schema, fetched, line: None }))
        }
        FetchedContent::List(fetched) => Served::List(fetched),
    };
    let served = match &args.platform {
        Some(wanted) => Served::Image(Box::new(client.picked(context, image, served, wanted)?)),
        None => served,
    };
    // Docker's JSON cannot express the marks of `--check`.
    let format = args.format.or(args.check.then_some(InspectFormat::Table));
    let Some(format) = format else { return client.dockers(args, image, served) };
    let detail = Detail { contents: args.verbose || format == InspectFormat::Tree, check: args.check };
    let node = match served {
        Served::Image(served) => client.image(*served)?,
        Served::List(fetched) => client.list(image, &fetched, detail)?,
    };
    formatted(context, format, args.verbose, &node, Some(client.registry.requests()))
}

/// A list with its children. Children are requested only if their descriptors have no platform.
///
/// # Errors
/// Content that is no list, and errors of the registry.
pub(crate) fn list(
    registry: &Registry,
    jobs: NonZeroUsize,
    reference: &Reference,
    fetched: &FetchedManifest,
) -> Result<InspectNode, CommandError> {
    Client { registry, jobs }.list(reference, fetched, Detail::default())
}

impl Client<'_> {
    /// Docker's output, or the exact bytes.
    fn dockers(&self, args: &Inspect, image: &Reference, served: Served) -> Result<Vec<u8>, CommandError> {
        match served {
            Served::Image(image) if args.raw => Ok(image.fetched.bytes),
            Served::Image(image) if args.verbose => {
                let platform = match image.line.as_ref().and_then(|line| line.platform.clone()) {
                    Some(platform) => platform,
                    None => ConfigPlatforms::new(self.registry).of(&image.reference, &image.fetched.bytes)?,
                };
                let Image { reference, schema, fetched, .. } = *image;
                let wrong = wrong(&reference);
                let entry = Entry::fetched(reference, schema, fetched.bytes, Some(platform));
                Ok(line(json::indent(&entry.encode().map_err(wrong)?, INDENTATION)))
            }
            Served::Image(image) => Ok(line(json::indent(&image.fetched.bytes, INDENTATION))),
            Served::List(fetched) if args.raw => Ok(fetched.bytes),
            Served::List(fetched) if args.verbose => {
                let index = Index::decode(&fetched.bytes).map_err(wrong(image))?;
                let entries = self.children(image, &index.manifests)?;
                local::array(entries.iter()).map_err(wrong(image))
            }
            Served::List(fetched) => {
                // Content that cannot be decoded as a list is an error.
                Index::decode(&fetched.bytes).map_err(wrong(image))?;
                Ok(line(index::layout(&fetched.bytes).map_err(wrong(image))?))
            }
        }
    }

    /// The images of a list for docker's `-v`, each by its digest and requested once, however often the list names it.
    /// The platform is that of the list, so no configuration is needed. A nested index is replaced by its images.
    fn children(&self, list: &Reference, lines: &[Descriptor]) -> Result<Vec<Entry>, CommandError> {
        let (had, mut shown) = (ResolvedSize::default(), ResolvedSize::default());
        let look = |line: &Descriptor| match fetch::listed(self.registry, list, line)? {
            FetchedContent::Image(schema, fetched) => {
                had.keep(list, &fetched.bytes, 1)?;
                Ok(Child::Image(schema, fetched.bytes))
            }
            FetchedContent::List(fetched) => {
                had.keep(list, &fetched.bytes, 1)?;
                Index::decode(&fetched.bytes).map(|index| Child::List(index.manifests)).map_err(wrong(list))
            }
        };
        let below = |child: &Child| match child {
            Child::List(lines) => lines.clone(),
            Child::Image(..) => Vec::new(),
        };
        let children = self.levels(list, lines, |_| true, look, below)?;
        let mut entries = Vec::new();
        flatten(list, lines, &children, &mut shown, &mut entries)?;
        Ok(entries)
    }

    /// Requests the descendants of a list one level at a time, each manifest that `is_wanted` once.
    fn levels<T: Send>(
        &self,
        list: &Reference,
        lines: &[Descriptor],
        is_wanted: impl Fn(&Descriptor) -> bool,
        look: impl Fn(&Descriptor) -> Result<T, CommandError> + Sync,
        below: impl Fn(&T) -> Vec<Descriptor>,
    ) -> Result<BTreeMap<Digest, T>, CommandError> {
        let mut known = BTreeMap::new();
        let mut lines = lines.to_vec();
        for _ in 0..DEPTH_MAX {
            let is_new = |line: &&Descriptor| !known.contains_key(&line.digest) && is_wanted(line);
            let new = distinct(lines.iter().filter(is_new));
            if new.is_empty() {
                return Ok(known);
            }
            if known.len() + new.len() > CHILDREN_MAX {
                return Err(too_many(list));
            }
            let found = tasks::in_order(self.jobs, &new, |line| look(line)).map_err(CommandError::of)?;
            let found: Vec<(Digest, T)> = new.iter().map(|line| line.digest.clone()).zip(found).collect();
            lines = found.iter().flat_map(|(_, found)| below(found)).collect();
            known.extend(found);
        }
        Err(CommandError::TooDeep { list: list.to_string(), depth: DEPTH_MAX })
    }

    /// The image for a platform: the first descriptor of the list with that platform, else the first one in nested
    /// indexes, which are requested one level at a time.
    fn picked(
        &self,
        context: &Context,
        reference: &Reference,
        served: Served,
        wanted: &PlatformFilter,
    ) -> Result<Image, CommandError> {
        let mut lines = match served {
            Served::List(fetched) => Index::decode(&fetched.bytes).map_err(wrong(reference))?.manifests,
            Served::Image(image) => {
                let own = self.platform(reference, &image.fetched.bytes)?;
                if own.as_ref().is_some_and(|own| own.matches(&wanted.parsed)) {
                    let FetchedManifest { media_type, digest, bytes, .. } = &image.fetched;
                    let line = Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
                    return Ok(Image { line: Some(Descriptor { platform: own, ..line }), ..*image });
                }
                return Err(no_such_platform(wanted, reference, own.iter().map(ToString::to_string)));
            }
        };
        let (mut there, mut total) = (BTreeSet::new(), 0);
        for _ in 0..DEPTH_MAX {
            lines.retain(|line| attested(line).is_none());
            there.extend(lines.iter().filter_map(|line| Some(requirements::machine(line)?.to_string())));
            if let Some(line) = first_for(context, reference, &lines, wanted) {
                return self.image_of(reference, line);
            }
            let deeper = distinct(lines.iter().filter(|line| is_list(line) || !line.has_platform()));
            if deeper.is_empty() {
                return Err(no_such_platform(wanted, reference, there));
            }
            total += deeper.len();
            if total > CHILDREN_MAX {
                return Err(too_many(reference));
            }
            let found = tasks::in_order(self.jobs, &deeper, |line| self.deeper(reference, line));
            lines = found.map_err(CommandError::of)?.into_iter().flatten().collect();
        }
        Err(CommandError::TooDeep { list: reference.to_string(), depth: DEPTH_MAX })
    }

    /// The descriptors of a nested index, or the descriptor of an image with the platform that the list did not name.
    fn deeper(&self, list: &Reference, line: &Descriptor) -> Result<Vec<Descriptor>, CommandError> {
        let reference = list.repository().at_digest(&line.digest);
        match fetch::listed(self.registry, list, line)? {
            FetchedContent::List(fetched) => Ok(Index::decode(&fetched.bytes).map_err(wrong(&reference))?.manifests),
            FetchedContent::Image(_, fetched) => {
                // A manifest without a platform needs no second look.
                let platform = self.platform(&reference, &fetched.bytes)?.filter(|own| *own != Platform::default());
                Ok(platform.map(|own| Descriptor { platform: Some(own), ..line.clone() }).into_iter().collect())
            }
        }
    }

    fn image_of(&self, list: &Reference, line: &Descriptor) -> Result<Image, CommandError> {
        let reference = list.repository().at_digest(&line.digest);
        match fetch::listed(self.registry, list, line)? {
            FetchedContent::Image(schema, fetched) => {
                Ok(Image { reference, schema, fetched, line: Some(line.clone()) })
            }
            FetchedContent::List(_) => Err(CommandError::IsList(reference.to_string())),
        }
    }

    /// The platform in an image's configuration; `None`, and no request, if the manifest is no image.
    fn platform(&self, reference: &Reference, bytes: &[u8]) -> Result<Option<Platform>, CommandError> {
        let config = manifest::config(bytes).ok().filter(|config| media_type::is_image_config(&config.media_type));
        config.map(|_| ConfigPlatforms::new(self.registry).of(reference, bytes)).transpose()
    }

    fn image(&self, image: Image) -> Result<InspectNode, CommandError> {
        let Image { reference, fetched, line, .. } = image;
        let contents = ImageContents::of(&fetched.bytes).map_err(wrong(&reference))?;
        let platform = match line.and_then(|line| line.platform) {
            Some(platform) => Some(platform),
            None => self.platform(&reference, &fetched.bytes)?,
        };
        let inside = NodeContents::Image(Box::new(contents));
        let mut node = InspectNode::top(reference, &fetched.media_type, &fetched.digest, &fetched.bytes, inside);
        node.line.platform = platform;
        Ok(node)
    }
}

/// What a manifest is for docker's `-v`.
enum Child {
    Image(Schema, Vec<u8>),
    List(Vec<Descriptor>),
}

/// The images of these descriptors in their order, each as often as it is named.
fn flatten(
    list: &Reference,
    lines: &[Descriptor],
    children: &BTreeMap<Digest, Child>,
    shown: &mut ResolvedSize,
    entries: &mut Vec<Entry>,
) -> Result<(), CommandError> {
    for line in lines {
        shown.line(list)?;
        match children.get(&line.digest) {
            Some(Child::Image(schema, bytes)) => {
                shown.keep(list, bytes, 1)?;
                let platform = line.platform.clone().unwrap_or_default();
                entries.push(Entry::fetched(list.with_digest(&line.digest), *schema, bytes.clone(), Some(platform)));
            }
            Some(Child::List(lines)) => flatten(list, lines, children, shown, entries)?,
            None => {}
        }
    }
    Ok(())
}

fn too_many(list: &Reference) -> CommandError {
    CommandError::TooMany { list: list.to_string(), most: CHILDREN_MAX }
}

/// The first descriptor for a platform.
fn first_for<'a>(
    context: &Context,
    list: &Reference,
    lines: &'a [Descriptor],
    wanted: &PlatformFilter,
) -> Option<&'a Descriptor> {
    let is_wanted = |line: &&Descriptor| {
        !is_list(line) && requirements::machine(line).is_some_and(|own| own.matches(&wanted.parsed))
    };
    let matching = requirements::preferred(distinct(lines.iter().filter(is_wanted)), &wanted.parsed, |line| line);
    let names: Vec<Reference> = matching.iter().map(|line| list.repository().at_digest(&line.digest)).collect();
    tell_of_others(context, wanted, &names.iter().collect::<Vec<_>>());
    matching.first().copied()
}

fn is_list(line: &Descriptor) -> bool {
    ManifestKind::of(&line.media_type) == Some(ManifestKind::List)
}

/// The first descriptor for each digest.
fn distinct<'a>(lines: impl Iterator<Item = &'a Descriptor>) -> Vec<&'a Descriptor> {
    let mut seen = BTreeSet::new();
    lines.filter(|line| seen.insert(&line.digest)).collect()
}

/// For `map_err`: an error in what the registry serves under this name.
fn wrong(reference: &Reference) -> impl Fn(DocumentError) -> CommandError + 'static {
    let reference = reference.to_string();
    move |source| CommandError::Served { reference: reference.clone(), source }
}

//! Shows what a registry serves, or a layout has. One request fetches the manifest; more are sent only for what the
//! list does not say.

mod children;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::cli::args::{Inspect, InspectFormat, InspectOutput};
use crate::cli::context::Context;
use crate::cli::inspect::remote::children::Detail;
use crate::cli::inspect::{
    INDENTATION, formatted, local, no_such_platform, note_other_matches, template, with_newline,
};
use crate::content::registry::FetchedManifest;
use crate::core::error::CommandError;
use crate::core::image_source::{ContentAccess, ImageSource};
use crate::core::inspect::node::{ImageContents, InspectNode, NodeContents};
use crate::core::inspect::referrers::add_referrers;
use crate::core::inspect::template::TemplateSource;
use crate::core::layouts::Layouts;
use crate::core::limit_error::LimitError;
use crate::core::request::PlatformFilter;
use crate::core::requirements;
use crate::core::resolve::descend::{self, Descent};
use crate::core::resolve::fetch::{self, ConfigPlatforms, FetchedContent};
use crate::core::resolve::limits::{CHILDREN_MAX, DEPTH_MAX, ResolvedSize};
use crate::digest::Digest;
use crate::location::Location;
use crate::model::descriptor::Descriptor;
use crate::model::entry::attested;
use crate::model::entry_file::encode_fetched;
use crate::model::index::{self, Index};
use crate::model::manifest::{self, ManifestKind, Schema};
use crate::model::{DocumentError, json, media_type};
use crate::net::tasks;
use crate::platform::Platform;
use crate::reference::Reference;

/// An image as it is served.
struct RemoteImage<'a> {
    place: ImageSource<'a>,
    schema: Schema,
    fetched: FetchedManifest,
    /// Its descriptor in the list that it was selected from.
    descriptor: Option<Descriptor>,
}

/// What is served under the name, or what was selected from it.
enum RemoteContent<'a> {
    Image(Box<RemoteImage<'a>>),
    List(FetchedManifest),
}

/// Reads what is in one repository or layout.
struct RemoteReader {
    /// The maximum of concurrent requests.
    jobs: NonZeroUsize,
}

/// The text to print.
pub(crate) fn output(context: &Context, args: &Inspect) -> Result<Vec<u8>, CommandError> {
    let location = context.image_name(&args.image)?;
    let registry = &context.registry(&args.network, location.reference().map(Reference::repository))?;
    let client = RemoteReader { jobs: registry.jobs() };
    let access = ContentAccess { registry, layouts: &Layouts::default() };
    let image = &ImageSource::open(access, &location)?;
    image.announce();
    let served = match fetch::manifest(image)? {
        FetchedContent::Image(schema, fetched) => {
            RemoteContent::Image(Box::new(RemoteImage { place: image.clone(), schema, fetched, descriptor: None }))
        }
        FetchedContent::List(fetched) => RemoteContent::List(fetched),
    };
    // The attestations of an image are in its list.
    let list = match (&served, &args.platform, &args.format) {
        (RemoteContent::List(list), Some(_), Some(InspectOutput::Template(_))) => Some(list.clone()),
        _ => None,
    };
    let served = match &args.platform {
        Some(filter) => RemoteContent::Image(Box::new(client.with_platform(context, image, served, filter)?)),
        None => served,
    };
    // Docker's JSON cannot express the marks of `--check`, and no referrers.
    let format = match &args.format {
        Some(InspectOutput::Template(template)) => {
            let (name, needs) = (args.image.typed.as_str(), template.needs());
            let source = TemplateSource { place: image, jobs: client.jobs, name, needs };
            let data = match served {
                RemoteContent::Image(image) => source.of_image(&image.fetched, image.descriptor, list.as_ref())?,
                RemoteContent::List(fetched) => source.of_list(&fetched)?,
            };
            return template::text(template, &location, &data);
        }
        Some(InspectOutput::Format(format)) => *format,
        None if args.referrers => InspectFormat::Tree,
        None if args.check => InspectFormat::Table,
        None => return client.docker_output(args, image, served),
    };
    let detail = Detail { contents: args.verbose || format == InspectFormat::Tree, check: args.check };
    let mut node = match served {
        RemoteContent::Image(served) => client.image(*served)?,
        RemoteContent::List(fetched) => client.list(image, &fetched, detail)?,
    };
    if args.referrers {
        image.content(|content| add_referrers(content, registry.jobs(), &mut node))?;
    }
    formatted(context, format, args.verbose, &node, Some(registry.requests()))
}

/// A list with its children. Children are requested only if their descriptors have no platform.
///
/// # Errors
/// Content that is not a list, and errors of the registry or the layout.
pub(crate) fn list(
    jobs: NonZeroUsize,
    list: &ImageSource<'_>,
    fetched: &FetchedManifest,
) -> Result<InspectNode, CommandError> {
    RemoteReader { jobs }.list(list, fetched, Detail::default())
}

impl RemoteReader {
    /// Docker's output, or the exact bytes.
    fn docker_output(
        &self,
        args: &Inspect,
        image: &ImageSource<'_>,
        served: RemoteContent<'_>,
    ) -> Result<Vec<u8>, CommandError> {
        match served {
            RemoteContent::Image(image) if args.raw => Ok(image.fetched.bytes),
            RemoteContent::Image(image) if args.verbose => {
                let platform = match image.descriptor.as_ref().and_then(|descriptor| descriptor.platform.clone()) {
                    Some(platform) => platform,
                    None => ConfigPlatforms::default().of(&image.place, &image.fetched.bytes)?,
                };
                let RemoteImage { place, schema, fetched, .. } = *image;
                let file =
                    encode_fetched(&place, schema, &fetched.bytes, Some(platform)).map_err(served_error(&place))?;
                Ok(with_newline(json::indent(&file, INDENTATION)))
            }
            RemoteContent::Image(image) => Ok(with_newline(json::indent(&image.fetched.bytes, INDENTATION))),
            RemoteContent::List(fetched) if args.raw => Ok(fetched.bytes),
            RemoteContent::List(fetched) if args.verbose => {
                let index = Index::decode(&fetched.bytes).map_err(served_error(image))?;
                let entries = self.children(image, &index.manifests)?;
                local::json_array(entries.into_iter().map(VerboseEntry::encode)).map_err(served_error(image))
            }
            RemoteContent::List(fetched) => {
                // Content that cannot be decoded as a list is an error.
                Index::decode(&fetched.bytes).map_err(served_error(image))?;
                Ok(with_newline(index::layout(&fetched.bytes).map_err(served_error(image))?))
            }
        }
    }

    /// The images of a list as files for docker's `-v`, each by its digest and requested once, however often the list
    /// names it. The platform is that of the list, so no configuration is needed. A nested index is replaced by its
    /// images.
    fn children(&self, list: &ImageSource<'_>, descriptors: &[Descriptor]) -> Result<Vec<VerboseEntry>, CommandError> {
        let (fetched_size, mut shown) = (ResolvedSize::default(), ResolvedSize::default());
        let look = |descriptor: &Descriptor| match fetch::listed(list, descriptor)? {
            FetchedContent::Image(schema, fetched) => {
                fetched_size.check_bytes(list, &fetched.bytes, 1)?;
                Ok(VerboseChild::Image(schema, Arc::new(fetched.bytes)))
            }
            FetchedContent::List(fetched) => {
                fetched_size.check_bytes(list, &fetched.bytes, 1)?;
                Index::decode(&fetched.bytes)
                    .map(|index| VerboseChild::List(index.manifests))
                    .map_err(served_error(list))
            }
        };
        let below = |child: &VerboseChild| match child {
            VerboseChild::List(descriptors) => descriptors.clone(),
            VerboseChild::Image(..) => Vec::new(),
        };
        let children = self.fetch_levels(list, descriptors, |_| true, look, below)?;
        let mut entries = Vec::new();
        flatten(list, descriptors, &children, &mut shown, &mut entries)?;
        Ok(entries)
    }

    /// Requests the descendants of a list one level at a time, each manifest that `is_wanted` once.
    fn fetch_levels<T: Send>(
        &self,
        list: &ImageSource<'_>,
        descriptors: &[Descriptor],
        is_wanted: impl Fn(&Descriptor) -> bool,
        look: impl Fn(&Descriptor) -> Result<T, CommandError> + Sync,
        below: impl Fn(&T) -> Vec<Descriptor>,
    ) -> Result<BTreeMap<Digest, T>, CommandError> {
        let mut known = BTreeMap::new();
        let wanted = |descriptors: Vec<Descriptor>| descriptors.into_iter().filter(&is_wanted).collect::<Vec<_>>();
        let take = |_, descriptor: Descriptor, found: T| -> Result<Vec<Descriptor>, CommandError> {
            let below = wanted(below(&found));
            known.insert(descriptor.digest, found);
            Ok(below)
        };
        let descent = Descent { list, jobs: self.jobs, levels: DEPTH_MAX };
        descent.run(wanted(descriptors.to_vec()), |descriptor| descriptor.digest.clone(), look, take)?;
        Ok(known)
    }

    /// The image for a platform: the first descriptor of the list with that platform, else the first one in nested
    /// indexes, which are requested one level at a time.
    fn with_platform<'a>(
        &self,
        context: &Context,
        reference: &ImageSource<'a>,
        served: RemoteContent<'a>,
        filter: &PlatformFilter,
    ) -> Result<RemoteImage<'a>, CommandError> {
        let descriptors = match served {
            RemoteContent::List(fetched) => Index::decode(&fetched.bytes).map_err(served_error(reference))?.manifests,
            RemoteContent::Image(image) => {
                let own = self.platform(reference, &image.fetched.bytes)?;
                if own.as_ref().is_some_and(|own| own.matches(&filter.parsed)) {
                    let FetchedManifest { media_type, digest, bytes, .. } = &image.fetched;
                    let descriptor = Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
                    return Ok(RemoteImage { descriptor: Some(Descriptor { platform: own, ..descriptor }), ..*image });
                }
                return Err(no_such_platform(filter, reference, own.iter().map(ToString::to_string)));
            }
        };
        let mut available = BTreeSet::new();
        // The descriptor for the platform, or those that must be fetched to find it.
        let mut search = |mut level: Vec<Descriptor>| {
            level.retain(|descriptor| attested(descriptor).is_none());
            available.extend(level.iter().filter_map(requirements::known_platform).map(ToString::to_string));
            let found = first_match(context, reference, &level, filter).cloned();
            let deeper = level.iter().filter(|descriptor| is_list(descriptor) || !descriptor.has_platform());
            let deeper = if found.is_none() { distinct(deeper) } else { Vec::new() };
            (found, deeper.into_iter().cloned().collect::<Vec<_>>())
        };
        let (mut found, deeper) = search(descriptors);
        descend::in_waves(
            DEPTH_MAX,
            |_| reference.to_string(),
            |_| 1,
            deeper,
            |_, level| {
                let below = tasks::in_order(self.jobs, &level, |descriptor| self.fetch_deeper(reference, descriptor));
                let deeper;
                (found, deeper) = search(below.map_err(CommandError::of)?.into_iter().flatten().collect());
                Ok(deeper)
            },
        )?;
        match found {
            Some(descriptor) => self.image_of(reference, &descriptor),
            None => Err(no_such_platform(filter, reference, available)),
        }
    }

    /// The descriptors of a nested index, or the descriptor of an image with the platform that the list did not name.
    fn fetch_deeper(&self, list: &ImageSource<'_>, descriptor: &Descriptor) -> Result<Vec<Descriptor>, CommandError> {
        let reference = list.at_digest(&descriptor.digest);
        match fetch::listed(list, descriptor)? {
            FetchedContent::List(fetched) => {
                Ok(Index::decode(&fetched.bytes).map_err(served_error(&reference))?.manifests)
            }
            FetchedContent::Image(_, fetched) => {
                // A manifest without a platform needs no second look.
                let platform = self.platform(&reference, &fetched.bytes)?.filter(|own| *own != Platform::default());
                Ok(platform.map(|own| Descriptor { platform: Some(own), ..descriptor.clone() }).into_iter().collect())
            }
        }
    }

    fn image_of<'a>(&self, list: &ImageSource<'a>, descriptor: &Descriptor) -> Result<RemoteImage<'a>, CommandError> {
        let place = list.at_digest(&descriptor.digest);
        match fetch::listed(list, descriptor)? {
            FetchedContent::Image(schema, fetched) => {
                Ok(RemoteImage { place, schema, fetched, descriptor: Some(descriptor.clone()) })
            }
            FetchedContent::List(_) => Err(CommandError::IsList(place.to_string())),
        }
    }

    /// The platform in an image's configuration; `None`, and no request, if the manifest is not an image.
    fn platform(&self, image: &ImageSource<'_>, bytes: &[u8]) -> Result<Option<Platform>, CommandError> {
        let config = manifest::config(bytes).ok().filter(|config| media_type::is_image_config(&config.media_type));
        config.map(|_| ConfigPlatforms::default().of(image, bytes)).transpose()
    }

    fn image(&self, image: RemoteImage<'_>) -> Result<InspectNode, CommandError> {
        let RemoteImage { place, fetched, descriptor, .. } = image;
        let contents = ImageContents::of(&fetched.bytes).map_err(served_error(&place))?;
        let platform = match descriptor.and_then(|descriptor| descriptor.platform) {
            Some(platform) => Some(platform),
            None => self.platform(&place, &fetched.bytes)?,
        };
        let inside = NodeContents::Image(Box::new(contents));
        let mut node = InspectNode::top(place.location(), &fetched.media_type, &fetched.digest, &fetched.bytes, inside);
        node.descriptor.platform = platform;
        Ok(node)
    }
}

/// What a manifest is for docker's `-v`.
enum VerboseChild {
    Image(Schema, Arc<Vec<u8>>),
    List(Vec<Descriptor>),
}

/// An image in docker's `-v`. Encoded it is more than twice as large, so that is done when it is printed.
struct VerboseEntry {
    name: Location,
    schema: Schema,
    bytes: Arc<Vec<u8>>,
    platform: Platform,
}

impl VerboseEntry {
    fn encode(self) -> Result<Vec<u8>, DocumentError> {
        encode_fetched(&self.name, self.schema, &self.bytes, Some(self.platform))
    }
}

/// The images of these descriptors in their order, each as often as it is named.
fn flatten(
    list: &ImageSource<'_>,
    descriptors: &[Descriptor],
    children: &BTreeMap<Digest, VerboseChild>,
    shown: &mut ResolvedSize,
    entries: &mut Vec<VerboseEntry>,
) -> Result<(), CommandError> {
    for descriptor in descriptors {
        shown.count_descriptor(list)?;
        match children.get(&descriptor.digest) {
            Some(VerboseChild::Image(schema, bytes)) => {
                shown.check_bytes(list, bytes, 1)?;
                entries.push(VerboseEntry {
                    name: list.location().with_digest(&descriptor.digest),
                    schema: *schema,
                    bytes: Arc::clone(bytes),
                    platform: descriptor.platform.clone().unwrap_or_default(),
                });
            }
            Some(VerboseChild::List(descriptors)) => flatten(list, descriptors, children, shown, entries)?,
            None => {}
        }
    }
    Ok(())
}

fn too_many(list: &ImageSource<'_>) -> CommandError {
    LimitError::Descriptors { list: list.to_string(), most: CHILDREN_MAX }.into()
}

/// The first descriptor for a platform.
fn first_match<'a>(
    context: &Context,
    list: &ImageSource<'_>,
    descriptors: &'a [Descriptor],
    filter: &PlatformFilter,
) -> Option<&'a Descriptor> {
    let is_wanted = |descriptor: &&Descriptor| {
        !is_list(descriptor) && requirements::known_platform(descriptor).is_some_and(|own| own.matches(&filter.parsed))
    };
    let matching =
        requirements::preferred(distinct(descriptors.iter().filter(is_wanted)), &filter.parsed, |descriptor| {
            descriptor
        });
    let names: Vec<ImageSource<'_>> = matching.iter().map(|descriptor| list.at_digest(&descriptor.digest)).collect();
    note_other_matches(context, filter, &names.iter().map(|name| name as _).collect::<Vec<_>>());
    matching.first().copied()
}

fn is_list(descriptor: &Descriptor) -> bool {
    ManifestKind::is_list(&descriptor.media_type)
}

/// The first descriptor for each digest.
fn distinct<'a>(descriptors: impl Iterator<Item = &'a Descriptor>) -> Vec<&'a Descriptor> {
    let mut seen = BTreeSet::new();
    descriptors.filter(|descriptor| seen.insert(&descriptor.digest)).collect()
}

/// For `map_err`: an error in what is served under this name.
fn served_error(reference: &ImageSource<'_>) -> impl Fn(DocumentError) -> CommandError + 'static {
    let reference = reference.to_string();
    move |source| CommandError::Served { reference: reference.clone(), source }
}

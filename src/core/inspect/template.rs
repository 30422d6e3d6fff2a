//! Collects what a template describes: the configurations of the images, and their attestations as far as the template
//! uses them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::content::registry::{Blob, FetchedManifest};
use crate::core::error::CommandError;
use crate::core::image_source::ImageSource;
use crate::core::index_walk::IndexWalk;
use crate::core::inspect::node::predicate_type;
use crate::core::limits::{DEPTH_MAX, IndexBudget, LimitError};
use crate::core::resolve::fetch::{self, CONFIG_BYTES_MAX, ConfigPlatforms, ImageOrList};
use crate::core::resolve::selection::is_opaque;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::entry::attested_digest;
use crate::model::manifest::{self, ManifestKind};
use crate::model::template::{TemplateData, TemplateManifest, TemplateNeeds};
use crate::model::{DocumentError, json, media_type};
use crate::platform::Platform;

/// The largest statement of an attestation that is read, in bytes.
const STATEMENT_BYTES_MAX: u64 = 32 << 20;
/// The most bytes of all statements that one command reads.
const STATEMENTS_TOTAL_BYTES_MAX: u64 = 128 << 20;

const IN_TOTO: &str = "application/vnd.in-toto+json";
const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
const PROVENANCE: &str = "https://slsa.dev/provenance/";
const SPDX: &str = "https://spdx.dev/Document";

/// The list or image that a template describes.
pub(crate) struct TemplateDataFetcher<'a> {
    /// The list or the image.
    pub(crate) image_source: &'a ImageSource<'a>,
    /// The maximum of concurrent requests.
    pub(crate) jobs: NonZeroUsize,
    /// Its name as the user typed it.
    pub(crate) name: &'a str,
    /// The members that the template uses.
    pub(crate) needs: TemplateNeeds,
}

/// The images and attestations of a list.
#[derive(Default)]
struct ListContent {
    images: Vec<FoundImage>,
    /// The manifests of attestations, by the image that they are about.
    attestations_by_image: Vec<(Digest, Vec<u8>)>,
    nested: Vec<Descriptor>,
}

struct FoundImage {
    digest: Digest,
    platform: Platform,
    /// The manifest, if the template needs it.
    manifest: Option<Vec<u8>>,
}

impl TemplateDataFetcher<'_> {
    /// The data of one image. Its attestations are in the list that it was taken from.
    ///
    /// # Errors
    /// Errors of the registry, and documents that cannot be read.
    pub(crate) fn image_data(
        &self,
        image: &FetchedManifest,
        listed: Option<Descriptor>,
        list: Option<&FetchedManifest>,
    ) -> Result<TemplateData, CommandError> {
        let descriptor = listed.unwrap_or_else(|| image.descriptor());
        let mut found = ListContent::default();
        if self.template_uses_images() {
            let platform = descriptor.platform.clone().unwrap_or_default();
            let (digest, manifest) = (image.digest.clone(), Some(image.bytes.clone()));
            found.images.push(FoundImage { digest, platform, manifest });
        }
        if let Some(list) = list.filter(|_| self.template_uses_attestations()) {
            let attests_image = |descriptor: &Descriptor| attested_digest(descriptor).as_ref() == Some(&image.digest);
            found.attestations_by_image = self.walk(list, attests_image)?.attestations_by_image;
        }
        self.fetch_data(TemplateManifest::Image(descriptor), found)
    }

    /// The data of a list.
    ///
    /// # Errors
    /// As [`TemplateDataFetcher::image_data`], and lists beyond the limits.
    pub(crate) fn list_data(&self, list: &FetchedManifest) -> Result<TemplateData, CommandError> {
        let found = if self.template_uses_images() { self.walk(list, |_| true)? } else { ListContent::default() };
        self.fetch_data(TemplateManifest::List(list.bytes.clone(), list.descriptor()), found)
    }

    fn template_uses_attestations(&self) -> bool {
        self.needs.provenance || self.needs.sbom
    }

    fn template_uses_images(&self) -> bool {
        self.needs.image || self.template_uses_attestations()
    }

    /// Fetches the descendants of a list, one level at a time.
    fn walk(
        &self,
        list: &FetchedManifest,
        is_needed: impl Fn(&Descriptor) -> bool,
    ) -> Result<ListContent, CommandError> {
        let (budget, mut all) = (IndexBudget::default(), ListContent::default());
        let mut level = list.decode_index(self.image_source)?.manifests;
        level.retain(&is_needed);
        let index_walk = IndexWalk { list: self.image_source, jobs: self.jobs, levels: DEPTH_MAX };
        let visit = |_, _, found: ListContent| -> Result<Vec<Descriptor>, CommandError> {
            all.images.extend(found.images);
            all.attestations_by_image.extend(found.attestations_by_image);
            Ok(found.nested.into_iter().filter(&is_needed).collect())
        };
        // One manifest may be listed for several platforms, and may attest several images.
        index_walk.run(level, Descriptor::clone, |descriptor| self.fetch_child(descriptor, &budget), visit)?;
        Ok(all)
    }

    fn fetch_child(&self, descriptor: &Descriptor, budget: &IndexBudget) -> Result<ListContent, CommandError> {
        let image = |platform, manifest| FoundImage { digest: descriptor.digest.clone(), platform, manifest };
        let attests = attested_digest(descriptor);
        let known = descriptor.non_empty_platform().cloned();
        let is_image = matches!(ManifestKind::from_media_type(&descriptor.media_type), Some(ManifestKind::Image(_)));
        match (&attests, known) {
            (Some(_), _) if !self.template_uses_attestations() => return Ok(ListContent::default()),
            (None, Some(platform)) if is_image && !self.needs.image => {
                return Ok(ListContent { images: vec![image(platform, None)], ..ListContent::default() });
            }
            // A template shows nothing of other manifests.
            _ if is_opaque(descriptor) => return Ok(ListContent::default()),
            _ => {}
        }
        let fetched = match fetch::child(self.image_source, descriptor)? {
            ImageOrList::Image(_, fetched) => fetched,
            ImageOrList::List(fetched) => {
                budget.count_bytes(self.image_source, &fetched.bytes, 1)?;
                let nested = fetched.decode_index(self.image_source)?.manifests;
                return Ok(ListContent { nested, ..ListContent::default() });
            }
        };
        budget.count_bytes(self.image_source, &fetched.bytes, 1)?;
        if let Some(subject) = attests {
            return Ok(ListContent { attestations_by_image: vec![(subject, fetched.bytes)], ..ListContent::default() });
        }
        if manifest::config(&fetched.bytes).is_ok_and(|config| !media_type::is_image_config(&config.media_type)) {
            return Ok(ListContent::default());
        }
        let platform = match descriptor.non_empty_platform().cloned() {
            Some(platform) => platform,
            None => {
                ConfigPlatforms::default().read(&self.image_source.at_digest(&descriptor.digest), &fetched.bytes)?
            }
        };
        Ok(ListContent { images: vec![image(platform, Some(fetched.bytes))], ..ListContent::default() })
    }

    /// Requests the configurations and the statements.
    fn fetch_data(&self, manifest: TemplateManifest, found: ListContent) -> Result<TemplateData, CommandError> {
        let mut images: BTreeMap<String, FoundImage> = BTreeMap::new();
        for image in found.images {
            images.entry(platform_name(&image.platform)).or_insert(image);
        }
        let images: Vec<(String, FoundImage)> = images.into_iter().collect();
        let mut data = TemplateData { platforms: images.len(), ..TemplateData::new(self.name, manifest) };
        if self.needs.image {
            let config = |(platform, image): &(String, FoundImage)| Ok((platform.clone(), self.fetch_config(image)?));
            let configs = CommandError::collect_parallel(self.jobs, &images, config)?;
            data.images = configs.into_iter().filter_map(|(platform, config)| Some((platform, config?))).collect();
        }
        let mut statements = Vec::new();
        for (platform, image) in &images {
            let attestations = found.attestations_by_image.iter().filter(|(subject, _)| *subject == image.digest);
            for (_, attestation) in attestations {
                let layers = manifest::blobs(attestation).map_err(CommandError::invalid_document(self.image_source))?;
                statements.extend(layers.into_iter().map(|layer| (platform, layer)));
            }
        }
        statements.retain(|(_, layer)| self.needs_statement(layer));
        let read = AtomicU64::new(0);
        let predicate = |(_, layer): &(&String, Descriptor)| self.fetch_predicate(layer, &read);
        let predicates = CommandError::collect_parallel(self.jobs, &statements, predicate)?;
        for ((platform, layer), predicate) in statements.into_iter().zip(predicates) {
            if is_provenance(&layer) {
                data.provenance.entry(platform.clone()).or_insert(predicate);
            } else {
                data.sbom.entry(platform.clone()).or_default().push(predicate);
            }
        }
        Ok(data)
    }

    fn fetch_config(&self, image: &FoundImage) -> Result<Option<Value>, CommandError> {
        let Some(bytes) = &image.manifest else { return Ok(None) };
        // Docker's oldest manifests have no configuration.
        let Ok(config) = manifest::config(bytes) else { return Ok(None) };
        let config = Blob { digest: &config.digest, size: Some(config.size) };
        let bytes = self.image_source.with_source(|content| content.small_blob(&config, CONFIG_BYTES_MAX))?;
        self.parse(&bytes).map(Some)
    }

    fn parse(&self, bytes: &[u8]) -> Result<Value, CommandError> {
        json::parse(bytes).map_err(DocumentError::from).map_err(CommandError::invalid_document(self.image_source))
    }

    fn needs_statement(&self, layer: &Descriptor) -> bool {
        let is_statement = layer.media_type == IN_TOTO || payload_pointer(&layer.media_type).is_some();
        let is_sbom = predicate_type(layer) == Some(SPDX);
        is_statement && (is_provenance(layer) && self.needs.provenance || is_sbom && self.needs.sbom)
    }

    /// The predicate of an in-toto statement, which a DSSE envelope may contain.
    fn fetch_predicate(&self, layer: &Descriptor, read: &AtomicU64) -> Result<Value, CommandError> {
        let max = STATEMENTS_TOTAL_BYTES_MAX;
        if read.fetch_add(layer.size, Ordering::Relaxed).saturating_add(layer.size) > max {
            return Err(LimitError::Bytes { list: self.image_source.to_string(), max }.into());
        }
        let statement = Blob { digest: &layer.digest, size: Some(layer.size) };
        let bytes = self.image_source.with_source(|content| content.small_blob(&statement, STATEMENT_BYTES_MAX))?;
        let mut document = self.parse(&bytes)?;
        if let Some(pointer) = payload_pointer(&layer.media_type) {
            let payload = document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let payload = STANDARD.decode(payload).map_err(|error| DocumentError::InvalidBase64(error.to_string()));
            document = self.parse(&payload.map_err(CommandError::invalid_document(self.image_source))?)?;
        }
        Ok(document.get_mut("predicate").map(Value::take).unwrap_or_default())
    }
}

fn is_provenance(layer: &Descriptor) -> bool {
    predicate_type(layer).is_some_and(|predicate| predicate.starts_with(PROVENANCE))
}

/// Where the payload of a DSSE envelope is in a document of this type; `None` if it has no envelope.
fn payload_pointer(media_type: &str) -> Option<&'static str> {
    let media_type = media_type::essence(media_type);
    let is_in_toto = media_type.starts_with("application/vnd.in-toto.") && media_type.ends_with("+dsse");
    match media_type.starts_with(SIGSTORE_BUNDLE) {
        true => Some("/dsseEnvelope/payload"),
        false => (is_in_toto || media_type == DSSE).then_some("/payload"),
    }
}

/// The name of a platform in containerd's normal form, without versions and features.
fn platform_name(platform: &Platform) -> String {
    let Platform { os, architecture, variant, .. } = platform.normalized_for_comparison();
    let words = [os, architecture, variant];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("/")
}

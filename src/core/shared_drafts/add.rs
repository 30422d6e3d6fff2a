//! Stores images as entries of a shared draft: copies them to the list's repository, and puts an entry for each.

use crate::auth::Access;
use crate::core::Warnings;
use crate::core::error::CommandError;
use crate::core::push::execute;
use crate::core::push::options::{PushContext, PushOptions};
use crate::core::push::plan::PushPlan;
use crate::core::push::read_lag::{LagRetry, ReferencedContent};
use crate::core::referrers::ReferrerCollector;
use crate::core::shared_draft_error::SharedDraftError;
use crate::drafts::registry::draft::images_of_draft;
use crate::drafts::registry::{SharedDraftStore, SharedEntry, SharedEntryKey, SharedStoreError, StoredEntry};
use crate::model::index::ListFormat;
use crate::model::{Draft, Entry};

/// An entry to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewEntry {
    pub(crate) entry: SharedEntry,
    /// The name of its image.
    pub(crate) image: String,
}

/// Makes an entry of each image of a draft, with its attestations. `left_out` receives a line for everything else.
///
/// # Errors
/// An image without a platform, or two of one platform; more than one image for an `explicit_key`.
pub(crate) fn make_entries(
    drafts: &SharedDraftStore<'_>,
    draft: &Draft,
    explicit_key: Option<&SharedEntryKey>,
    left_out: &mut Vec<String>,
) -> Result<Vec<NewEntry>, CommandError> {
    let images: Vec<&Entry> = images_of_draft(draft).collect();
    if explicit_key.is_some() && images.len() > 1 {
        return Err(SharedDraftError::KeyForManyImages(images.len()).into());
    }
    let is_left_out =
        |entry: &&Entry| !entry.is_attestation() && !images.iter().any(|image| image.reference == entry.reference);
    let refers = draft
        .entries_in_list_order()
        .filter(is_left_out)
        .map(|entry| format!("{} refers to another image", entry.reference));
    left_out.extend(refers);
    left_out.extend(draft.opaque_descriptors.iter().map(|opaque| format!("{} is no image", opaque.descriptor.digest)));
    let entries = drafts.entries_from_draft(draft, explicit_key).map_err(SharedStoreError::EntryCreation)?;
    Ok(entries.into_iter().map(|(entry, image)| NewEntry { entry, image }).collect())
}

/// Copies the images of a draft to the list's repository and stores the entries. Returns the stored entries in their
/// order, and warnings.
///
/// # Errors
/// Errors of registries. Entries that were stored before a failure remain.
pub(crate) fn copy_and_store(
    context: PushContext<'_>,
    drafts: &SharedDraftStore<'_>,
    draft: &Draft,
    entries: &[NewEntry],
    options: &PushOptions,
) -> Result<(Vec<StoredEntry>, Warnings), CommandError> {
    let repository = draft.reference.repository();
    context.registry.expect_access(repository, Access::PullPush);
    let mut plan = PushPlan::new(draft, ListFormat::Oci, &[], context.layouts)?;
    let mut warnings = Vec::new();
    if !plan.manifests.is_empty() {
        let targets = vec![repository];
        let collector =
            ReferrerCollector::new(context.content_access(), &options.referrers, draft, &plan.list.digest, targets);
        let referrers = collector.collect()?;
        plan.add_referrers(&referrers)?;
        warnings = execute::copy_children(context, &plan)?.warnings;
    }
    let PushContext { registry, clock, reporter, .. } = context;
    let lag = LagRetry { registry, clock, reporter };
    let put_and_retry = |new: &NewEntry| {
        let referenced = new
            .entry
            .descriptors()
            .map(|descriptor| ReferencedContent::Manifest(&descriptor.digest, &descriptor.media_type));
        let put_once = || drafts.put(&new.entry).map_err(CommandError::from);
        lag.put_and_retry(repository, &referenced.collect::<Vec<_>>(), &put_once)
    };
    Ok((CommandError::collect_parallel(context.registry.jobs(), entries, put_and_retry)?, warnings))
}

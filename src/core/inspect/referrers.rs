//! The referrers of an inspected manifest and its images. Each is shown below its subject.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::content::ContentSource;
use crate::core::error::CommandError;
use crate::core::image_filters::ReferrersPolicy;
use crate::core::inspect::node::{ImageContents, InspectNode, NodeContents};
use crate::core::referrers::FoundReferrer;
use crate::core::referrers::discover::{LocatedDigest, ReferrerDiscovery};
use crate::core::referrers::searched_places::SingleOrigin;
use crate::digest::Digest;
use crate::model::DocumentError;

/// The found referrers by subject.
type ReferrersBySubject = BTreeMap<Digest, Vec<FoundReferrer<()>>>;

/// Finds the referrers of a manifest and of all images in it, and adds each to the manifest that it refers to. A
/// manifest that a list names several times gets them once.
///
/// # Errors
/// Those of [`ReferrerDiscovery::find`], and referrers that cannot be read.
pub(crate) fn add_referrers(
    source: &dyn ContentSource,
    jobs: NonZeroUsize,
    node: &mut InspectNode,
) -> Result<(), CommandError> {
    let name = node.location.to_string();
    let mut subjects = Vec::new();
    collect_subjects(node, &mut subjects);
    let origin = SingleOrigin { source, name: &name };
    let found = ReferrerDiscovery::new(&origin, jobs, ReferrersPolicy::All, &[]).find(&subjects)?;
    let mut by_subject = ReferrersBySubject::new();
    for referrer in found {
        by_subject.entry(referrer.parent.clone()).or_default().push(referrer);
    }
    attach(node, &mut by_subject).map_err(|source| CommandError::InvalidDocument { reference: name, source })
}

/// The manifest and the images in it. Attestations of BuildKit are not images.
fn collect_subjects(node: &InspectNode, subjects: &mut Vec<LocatedDigest<()>>) {
    if !node.is_attestation() {
        subjects.push(LocatedDigest { origin: (), digest: node.descriptor.digest.clone() });
        node.children().iter().for_each(|child| collect_subjects(child, subjects));
    }
}

fn attach(node: &mut InspectNode, by_subject: &mut ReferrersBySubject) -> Result<(), DocumentError> {
    for referrer in by_subject.remove(&node.descriptor.digest).unwrap_or_default() {
        let is_index = referrer.is_index();
        let FoundReferrer { digest, media_type, bytes, artifact_type, tags, .. } = referrer;
        let contents = match is_index {
            true => NodeContents::NotExpanded,
            false => NodeContents::Image(Box::new(ImageContents::parse(&bytes)?)),
        };
        let location = node.location.at_digest(&digest);
        let mut child =
            InspectNode { tags, ..InspectNode::from_manifest(location, &media_type, &digest, &bytes, contents) };
        // Its subject is the node above it.
        child.subject = None;
        child.descriptor.artifact_type = artifact_type;
        attach(&mut child, by_subject)?;
        node.referrers.push(child);
    }
    if let NodeContents::List(children) = &mut node.contents {
        children.iter_mut().try_for_each(|child| attach(child, by_subject))?;
    }
    Ok(())
}

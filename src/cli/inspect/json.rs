//! `--format json`: one object.

use std::io;

use crate::cli::output::json;
use crate::core::inspect::node::{ImageContents, InspectNode, NodeContents};
use crate::core::json_output::{ContentsJson, DescriptorJson, ListEntryJson, ManifestJson, ReferrerJson};

/// The text. With `is_verbose` it includes the blobs of images, as far as they are known. `requests` is `None` for a
/// draft.
pub(crate) fn text(node: &InspectNode, is_verbose: bool, requests: Option<u64>) -> io::Result<String> {
    let manifest = ManifestJson {
        local: requests.is_none(),
        subject: node.subject.as_ref().map(DescriptorJson::from_descriptor),
        platforms: children(node, is_verbose).or_else(|| Some(vec![only_entry(node, requests.is_none())])),
        // An image that is not a list is shown with its layers.
        contents: node.image_contents().map(contents),
        referrers: referrers(node, is_verbose),
        requests: requests.unwrap_or_default(),
        ..ManifestJson::new(&node.location, &node.descriptor)
    };
    json::text(&manifest)
}

fn children(node: &InspectNode, is_verbose: bool) -> Option<Vec<ListEntryJson>> {
    let NodeContents::List(children) = &node.contents else { return None };
    Some(children.iter().map(|child| entry(child, is_verbose)).collect())
}

/// An image that is not a list, as the only entry: an image of a draft by its name, a published one by its digest.
fn only_entry(node: &InspectNode, is_draft: bool) -> ListEntryJson {
    let by_digest = node.location.at_digest(&node.descriptor.digest);
    let image = ListEntryJson::single_image(if is_draft { &node.location } else { &by_digest }, &node.descriptor);
    ListEntryJson { source: node.source.as_ref().map(ToString::to_string), ..image }
}

fn entry(node: &InspectNode, is_verbose: bool) -> ListEntryJson {
    ListEntryJson {
        source: node.source.as_ref().map(ToString::to_string),
        missing: node.contents == NodeContents::Missing,
        platforms: children(node, is_verbose),
        contents: node.image_contents().filter(|_| is_verbose).map(contents),
        referrers: referrers(node, is_verbose),
        ..ListEntryJson::from_descriptor(&node.location, &node.descriptor)
    }
}

fn referrers(node: &InspectNode, is_verbose: bool) -> Vec<ReferrerJson> {
    let referrer = |node: &InspectNode| ReferrerJson {
        digest: node.descriptor.digest.to_string(),
        size: node.descriptor.size,
        media_type: node.descriptor.media_type.clone(),
        reference: node.location.to_string(),
        artifact_type: node.descriptor.artifact_type.clone(),
        annotations: node.descriptor.annotations.clone(),
        tags: node.tags.clone(),
        contents: node.image_contents().filter(|_| is_verbose).map(contents),
        referrers: referrers(node, is_verbose),
    };
    node.referrers.iter().map(referrer).collect()
}

fn contents(contents: &ImageContents) -> ContentsJson {
    ContentsJson {
        total_size: contents.size(),
        config: contents.config.as_ref().map(DescriptorJson::from_descriptor),
        layers: contents.layers.iter().map(DescriptorJson::from_descriptor).collect(),
    }
}

//! Checks a draft before anything is sent: whether it has all required platforms, and none twice.

use std::collections::BTreeMap;

use crate::core::Warnings;
use crate::core::error::CommandError;
use crate::core::error_parts::abbreviated;
use crate::core::image_filters::PlatformFilter;
use crate::core::platform_match::{PlatformKey, known_platform, platform_key};
use crate::core::spec_origin::SpecOrigin;
use crate::model::{Draft, Entry};
use crate::platform::Platform;

/// The number of images that a message about one platform names.
const SHOWN_MAX: usize = 8;

/// The requirements of a draft.
pub(crate) struct Requirements<'a> {
    /// Platforms that it must have.
    pub(crate) require: &'a [PlatformFilter],
    /// Whether it may have no other platforms.
    pub(crate) exact: bool,
    /// Whether two images for one platform are an error.
    pub(crate) reject_duplicates: bool,
    /// Where the list comes from.
    pub(crate) origin: SpecOrigin,
}

/// Checks a draft. Returns the warnings, one line for each platform that has several images.
///
/// # Errors
/// [`CommandError::Incomplete`] for missing or additional platforms; [`CommandError::DuplicatePlatforms`] for platforms
/// with several images, if that is an error.
pub(crate) fn check(draft: &Draft, requirements: &Requirements<'_>) -> Result<Warnings, CommandError> {
    // Attestations and artifacts have no platform.
    let images = draft.entries_in_key_order().filter(|entry| !entry.is_attestation());
    let images: Vec<(&Entry, &Platform)> =
        images.filter_map(|entry| Some((entry, known_platform(&entry.descriptor)?))).collect();
    let Requirements { require, exact, reject_duplicates, origin } = *requirements;
    let has = |required: &&PlatformFilter| images.iter().any(|(_, platform)| platform.matches(&required.parsed));
    let missing = require.iter().filter(|required| !has(required));
    let missing: Vec<String> = missing.map(|required| required.text.clone()).collect();
    let is_extra = |platform: &Platform| exact && !require.iter().any(|required| platform.matches(&required.parsed));
    let extra = images.iter().filter(|(_, platform)| is_extra(platform));
    let extra: Vec<String> = extra.map(|(_, platform)| platform.to_string()).collect();
    if !missing.is_empty() || !extra.is_empty() {
        return Err(CommandError::Incomplete { list: draft.reference.to_string(), origin, missing, extra });
    }
    let duplicates = duplicate_platforms(&images);
    if reject_duplicates && !duplicates.is_empty() {
        return Err(CommandError::DuplicatePlatforms { origin, messages: duplicates });
    }
    Ok(duplicates)
}

/// A line for each platform that has several images.
fn duplicate_platforms(entries: &[(&Entry, &Platform)]) -> Warnings {
    let mut images: BTreeMap<PlatformKey, (String, Vec<String>)> = BTreeMap::new();
    for (entry, platform) in entries {
        let shown = || (platform.normalized_for_comparison().to_string(), Vec::new());
        let (_, images) = images.entry(platform_key(platform)).or_insert_with(shown);
        images.push(entry.reference.to_string());
    }
    let duplicates = images.into_values().filter(|(_, images)| images.len() > 1);
    duplicates
        .map(|(platform, images)| {
            format!("{} images for {platform}: {}", images.len(), abbreviated(&images, SHOWN_MAX))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::ImageFormat;
    use crate::reference::Reference;

    fn draft(platforms: &[&str]) -> Draft {
        let mut draft = Draft::new(Reference::parse("h.x/app:1").unwrap());
        for (number, platform) in platforms.iter().enumerate() {
            let reference = Reference::parse(&format!("h.x/app:i{number}")).unwrap();
            let platform = (*platform != "-").then(|| Platform::parse(platform).unwrap());
            draft.insert(Entry::fetched(reference, ImageFormat::Oci, b"{}".to_vec(), platform));
        }
        draft
    }

    fn filters(platforms: &[&str]) -> Vec<PlatformFilter> {
        platforms.iter().map(|platform| PlatformFilter::parse_known(platform).unwrap()).collect()
    }

    fn checked(draft: &Draft, require: &[&str], exact: bool) -> Result<Vec<String>, CommandError> {
        check(
            draft,
            &Requirements { require: &filters(require), exact, reject_duplicates: false, origin: SpecOrigin::Draft },
        )
    }

    #[test]
    fn check_refuses_a_draft_without_a_required_platform() {
        let draft = draft(&["linux/amd64", "linux/arm64/v8", "linux/arm/v6"]);
        for present in [&["linux/amd64"][..], &["linux/x86_64", "linux/arm64", "linux/arm/v6"], &["linux/arm"], &[]] {
            assert_eq!(checked(&draft, present, false).unwrap(), [""; 0], "{present:?}");
        }
        let refused = checked(&draft, &["linux/arm64", "linux/arm/v7", "windows/amd64"], false).unwrap_err();
        let CommandError::Incomplete { missing, extra, .. } = refused else { panic!("{refused}") };
        assert_eq!((missing, extra), (vec!["linux/arm/v7".to_owned(), "windows/amd64".to_owned()], vec![]));
    }

    #[test]
    fn exact_check_refuses_other_platforms() {
        let draft = draft(&["linux/amd64", "linux/s390x", "unknown/unknown", "-"]);
        assert!(checked(&draft, &["linux/amd64", "linux/s390x"], true).is_ok());
        let refused = checked(&draft, &["linux/amd64", "linux/arm64"], true).unwrap_err();
        let CommandError::Incomplete { missing, extra, .. } = refused else { panic!("{refused}") };
        assert_eq!((missing, extra), (vec!["linux/arm64".to_owned()], vec!["linux/s390x".to_owned()]));
    }

    #[test]
    fn check_warns_once_of_several_images_for_a_platform() {
        let draft = draft(&["linux/arm64", "linux/amd64", "linux/aarch64/v8", "linux/arm/v6", "-", "-", "linux/arm64"]);
        let warnings = checked(&draft, &[], false).unwrap();
        assert_eq!(warnings, ["3 images for linux/arm64: h.x/app:i0, h.x/app:i2, h.x/app:i6"]);
        let refused = check(
            &draft,
            &Requirements { require: &[], exact: false, reject_duplicates: true, origin: SpecOrigin::Draft },
        )
        .unwrap_err();
        assert_eq!(refused.to_string(), warnings[0]);
        let many = super::tests::draft(&["linux/amd64"; 10]);
        let named: Vec<String> = (0..8).map(|number| format!("h.x/app:i{number}")).collect();
        let line = format!("10 images for linux/amd64: {} and 2 more", named.join(", "));
        assert_eq!(checked(&many, &[], false).unwrap(), [line]);
        // Windows images differ by their version alone.
        let windows = super::tests::draft(&["windows/amd64:10.0.17763.1", "windows/amd64:10.0.20348.1"]);
        assert_eq!(checked(&windows, &[], false).unwrap(), [""; 0]);
    }
}

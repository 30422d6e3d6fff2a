//! Which platform a descriptor has, when two platforms are equal, and which image fits a platform best.

use crate::model::descriptor::Descriptor;
use crate::platform::Platform;

/// The operating system of attestations, and of entries without a platform.
const UNKNOWN_OS: &str = "unknown";

/// The variants of 32-bit ARM, in the order of preference.
const ARM_VARIANTS: [&str; 3] = ["v7", "v6", "v5"];

/// The platform of a descriptor, if it is not `unknown`.
pub(crate) fn known_platform(descriptor: &Descriptor) -> Option<&Platform> {
    descriptor.non_empty_platform().filter(|platform| platform.os != UNKNOWN_OS)
}

/// The images that match a platform best. 32-bit ARM without a variant prefers v7, then v6, then v5, as containerd and
/// skopeo do. Several images are returned if they match equally well.
pub(crate) fn preferred<'a, T: Copy>(
    matching: Vec<T>,
    requested: &Platform,
    descriptor: impl Fn(T) -> &'a Descriptor,
) -> Vec<T> {
    let rank = |image: &T| match known_platform(descriptor(*image))
        .map(Platform::normalized_for_comparison)
        .unwrap_or_default()
    {
        Platform { architecture, .. } if architecture != "arm" || !requested.variant.is_empty() => 0,
        Platform { variant, .. } => ARM_VARIANTS.iter().position(|arm| *arm == variant).unwrap_or(ARM_VARIANTS.len()),
    };
    let best = matching.iter().map(rank).min();
    matching.into_iter().filter(|image| Some(rank(image)) == best).collect()
}

/// The fields by which two platforms are equal.
pub(crate) type PlatformKey = (String, String, String, String, Vec<String>, Vec<String>);

/// The fields by which a platform equals another one.
pub(crate) fn platform_key(platform: &Platform) -> PlatformKey {
    let Platform { architecture, os, os_version, mut os_features, variant, mut features } =
        platform.normalized_for_comparison();
    os_features.sort_unstable();
    features.sort_unstable();
    (os, architecture, variant, os_version, os_features, features)
}

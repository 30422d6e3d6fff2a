//! A platform in a spec: in fields, any of which may be missing, or as one text.
//!
//! It is published as written, also `v8` beside `arm64`, as manifest-tool does. Only other spellings (`x86_64`, the
//! variant `8`) are replaced by those of Go and OCI.

use super::error::{Advice, SpecErrorKind};
use crate::platform::{
    Platform, is_platform_component, known_architectures, known_operating_systems, known_variants,
    resolve_architecture_alias,
};

/// The operating system and architecture of an attestation in an index.
const UNKNOWN: &str = "unknown";

/// The field of a platform that an error points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Os,
    Architecture,
    Variant,
}

/// As [`Platform::parse`] reads it, including features.
pub(super) fn shown(platform: &Platform) -> String {
    if platform.os_features.is_empty() {
        return platform.to_string();
    }
    let features = platform.os_features.join("+");
    let os = format!("{}({}+{features})", platform.os, platform.os_version);
    Platform { os, os_version: String::new(), ..platform.clone() }.to_string()
}

/// A platform given in fields: other names of its architecture and operating system are replaced by Go's. A variant in
/// the architecture's name counts if none is given; a given variant stays.
pub(super) fn spelt(platform: Platform) -> Platform {
    let (architecture, implied) = resolve_architecture_alias(&platform.architecture.to_lowercase());
    let variant = match platform.variant.as_str() {
        "" => implied,
        given => level(&architecture, given),
    };
    let os = platform.normalized().os;
    Platform { os, architecture, variant, ..platform }
}

/// The variant in normal form: `v8` for `8` and `V8`.
fn level(architecture: &str, given: &str) -> String {
    let is_one = |variant: &str| variants(architecture).contains(&variant);
    let lower = given.to_lowercase();
    let with_letter = format!("v{lower}");
    if is_one(&with_letter) {
        with_letter
    } else if is_one(&lower) {
        lower
    } else {
        given.to_owned()
    }
}

/// The variants of an architecture; empty if they are not known.
fn variants(architecture: &str) -> Vec<&'static str> {
    let mut known = known_variants(Some(architecture));
    if architecture == "amd64" {
        known.insert(0, "v1");
    }
    known
}

/// Whether there is such a variant. `v9.2` is one if `v9` is.
fn is_variant(architecture: &str, variant: &str) -> bool {
    let known = variants(architecture);
    let (level, minor) = variant.split_once('.').unwrap_or((variant, "0"));
    known.is_empty() || (known.contains(&level) && !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()))
}

/// Checks that the platform is known, as far as it is given. Empty fields are not checked.
pub(super) fn check(platform: &Platform, subject: &str) -> Result<(), (Field, SpecErrorKind)> {
    let Platform { os, architecture, variant, .. } = platform;
    let unknown = |noun: &'static str, text: &str, known: &[&'static str]| {
        let advice = Advice::for_word(text, known);
        SpecErrorKind::Word { subject: subject.to_owned(), noun, text: text.to_owned(), advice }
    };
    if os == UNKNOWN && architecture == UNKNOWN {
        return Ok(());
    }
    let systems: Vec<&str> = known_operating_systems().collect();
    if !os.is_empty() && !systems.contains(&os.as_str()) {
        return Err((Field::Os, unknown("operating system", os, &systems)));
    }
    let architectures = known_architectures(None);
    if !architecture.is_empty() && !architectures.contains(&architecture.as_str()) {
        return Err((Field::Architecture, unknown("architecture", architecture, &architectures)));
    }
    if !os.is_empty() && !architecture.is_empty() && !platform.is_known() {
        let advice = Advice::OneOf(known_architectures(Some(os)));
        let kind = SpecErrorKind::Pair { os: os.clone(), architecture: architecture.clone(), advice };
        return Err((Field::Architecture, kind));
    }
    let is_one = variant.is_empty() || (is_platform_component(variant) && is_variant(architecture, variant));
    if !is_one {
        return Err((Field::Variant, unknown("variant", variant, &variants(architecture))));
    }
    Ok(())
}

/// Whether the text is at least two numbers separated by dots: `10.0.17763.1`.
pub(super) fn is_dotted_number(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.contains('.') && text.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_shown_as_it_is_read() {
        for text in ["linux/amd64", "linux/arm64/v8", "windows/amd64:10.0.17763.2300", "windows(10.0+a+b)/amd64"] {
            assert_eq!(Platform::parse(text).as_ref().map(shown), Ok(text.to_owned()));
        }
    }

    #[test]
    fn fields_are_spelt_as_one_text_is() {
        for text in [
            "linux/amd64",
            "Linux/x86_64",
            "linux/armhf",
            "macos/AARCH64",
            "linux/arm64/v8",
            "linux/i386",
            "linux/arm64/8",
            "linux/arm/V7",
            "linux/amd64/V3",
            "linux/aarch64/9",
        ] {
            let mut parts = text.split('/').map(str::to_owned);
            let mut part = || parts.next().unwrap_or_default();
            let fields = Platform { os: part(), architecture: part(), variant: part(), ..Platform::default() };
            assert_eq!(Ok(spelt(fields)), Platform::parse(text), "{text}");
        }
    }
}

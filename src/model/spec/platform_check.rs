//! Checks the platform of a spec, and replaces other spellings: a mapping, in which fields may be missing, or one text
//! such as `linux/arm64`. `spec_reader` reads it.
//!
//! It is published as written, as by manifest-tool: `arm64` keeps the variant `v8`, for example. Only other spellings
//! (`x86_64`, the variant `8`) are replaced by those of Go and OCI.

use super::error::{SpecErrorKind, SpecSuggestion};
use crate::platform::{
    Platform, is_platform_component, known_architectures, known_operating_systems, known_variants,
    resolve_architecture_alias,
};

/// The operating system and the architecture that BuildKit states for an attestation.
const UNKNOWN: &str = "unknown";

/// A platform as text that [`Platform::parse`] reads, including its features.
pub(super) fn format_platform(platform: &Platform) -> String {
    if platform.os_features.is_empty() {
        return platform.to_string();
    }
    let features = platform.os_features.join("+");
    let os = format!("{}({}+{features})", platform.os, platform.os_version);
    Platform { os, os_version: String::new(), ..platform.clone() }.to_string()
}

/// A platform with the names of Go for its operating system and architecture. A variant in the name of the architecture
/// (`armhf`) counts if the platform has none.
pub(super) fn with_canonical_spelling(platform: Platform) -> Platform {
    let (architecture, implied) = resolve_architecture_alias(&platform.architecture.to_lowercase());
    let variant = match platform.variant.as_str() {
        "" => implied,
        given => canonical_variant(&architecture, given),
    };
    let os = platform.normalized_for_comparison().os;
    Platform { os, architecture, variant, ..platform }
}

/// The canonical spelling of a variant: `v8` for `8` and `V8`.
fn canonical_variant(architecture: &str, given: &str) -> String {
    let is_known = |variant: &str| variants(architecture).contains(&variant);
    let lower = given.to_lowercase();
    let with_letter = format!("v{lower}");
    if is_known(&with_letter) {
        with_letter
    } else if is_known(&lower) {
        lower
    } else {
        given.to_owned()
    }
}

/// The known variants of an architecture; empty if none is known.
fn variants(architecture: &str) -> Vec<&'static str> {
    let mut known = known_variants(Some(architecture));
    if architecture == "amd64" {
        known.insert(0, "v1");
    }
    known
}

/// Whether an architecture has a variant. `v9.2` counts as one if `v9` is one.
fn is_variant(architecture: &str, variant: &str) -> bool {
    let known = variants(architecture);
    let (level, minor) = variant.split_once('.').unwrap_or((variant, "0"));
    known.is_empty() || (known.contains(&level) && !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()))
}

/// Checks that the fields of a platform are known. Empty fields are not checked.
pub(super) fn check(platform: &Platform, name: &str) -> Result<(), (&'static str, SpecErrorKind)> {
    let Platform { os, architecture, variant, .. } = platform;
    let unknown = |noun: &'static str, text: &str, known: &[&'static str]| {
        let suggestion = SpecSuggestion::for_word(text, known);
        SpecErrorKind::UnknownWord { name: name.to_owned(), noun, text: text.to_owned(), suggestion }
    };
    if os == UNKNOWN && architecture == UNKNOWN {
        return Ok(());
    }
    let systems: Vec<&str> = known_operating_systems().collect();
    if !os.is_empty() && !systems.contains(&os.as_str()) {
        return Err(("os", unknown("operating system", os, &systems)));
    }
    let architectures = known_architectures(None);
    if !architecture.is_empty() && !architectures.contains(&architecture.as_str()) {
        return Err(("architecture", unknown("architecture", architecture, &architectures)));
    }
    if !os.is_empty() && !architecture.is_empty() && !platform.is_known_os_arch() {
        let suggestion = SpecSuggestion::OneOf(known_architectures(Some(os)));
        let kind = SpecErrorKind::UnknownPlatform { os: os.clone(), architecture: architecture.clone(), suggestion };
        return Err(("architecture", kind));
    }
    let is_known = variant.is_empty() || (is_platform_component(variant) && is_variant(architecture, variant));
    if !is_known {
        return Err(("variant", unknown("variant", variant, &variants(architecture))));
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
    fn format_platform_prints_what_platform_parse_reads() {
        for text in ["linux/amd64", "linux/arm64/v8", "windows/amd64:10.0.17763.2300", "windows(10.0+a+b)/amd64"] {
            assert_eq!(Platform::parse(text).as_ref().map(format_platform), Ok(text.to_owned()));
        }
    }

    #[test]
    fn canonical_fields_equal_the_parsed_text() {
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
            assert_eq!(Ok(with_canonical_spelling(fields)), Platform::parse(text), "{text}");
        }
    }
}

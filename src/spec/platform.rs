//! A platform as a spec gives it: in fields, any of which may be left out, or as one text.
//!
//! What is given is published as given, `v8` beside `arm64` too, as manifest-tool does; only other names for an
//! architecture or an operating system (`x86_64`) become Go's.

use super::error::{Advice, SpecErrorKind};
use crate::platform::{Platform, known_architectures, known_operating_systems};

/// What an attestation in an index has for a platform, both as operating system and as architecture.
const UNKNOWN: &str = "unknown";

/// Which field of a platform is wrong, to point at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Os,
    Architecture,
    Variant,
}

/// Reads `OS/ARCH[/VARIANT][:OSVERSION]`, or containerd's `OS(OSVERSION)/ARCH[/VARIANT]`.
///
/// `None` where the text is not of that form; whether there is such a platform is [`check`]'s to say.
pub(super) fn typed(text: &str) -> Option<Platform> {
    let (text, mut os_version) = match text.split_once(':') {
        Some((text, version)) if is_word(version) => (text, version),
        Some(_) => return None,
        None => (text, ""),
    };
    let mut parts = text.split('/');
    let (mut os, architecture, variant) = (parts.next()?, parts.next()?, parts.next());
    if let Some((name, version)) = os.split_once('(') {
        let version = version.strip_suffix(')').filter(|version| os_version.is_empty() && is_word(version))?;
        (os, os_version) = (name, version);
    }
    let parts_are_words = [Some(os), Some(architecture), variant].into_iter().flatten().all(is_word);
    (parts_are_words && parts.next().is_none()).then(|| {
        let text = |part: &str| part.to_owned();
        go_names(Platform {
            os: text(os),
            architecture: text(architecture),
            variant: text(variant.unwrap_or_default()),
            os_version: text(os_version),
            ..Platform::default()
        })
    })
}

/// As [`typed`] reads it.
pub(super) fn shown(platform: &Platform) -> String {
    let mut text = format!("{}/{}", platform.os, platform.architecture);
    for (sign, part) in [('/', &platform.variant), (':', &platform.os_version)] {
        if !part.is_empty() {
            text.push(sign);
            text.push_str(part);
        }
    }
    text
}

/// The names that others have for what Go calls `amd64`; a variant that is in the name is one where none is given.
pub(super) fn go_names(mut platform: Platform) -> Platform {
    let (architecture, variant) = match platform.architecture.to_ascii_lowercase().as_str() {
        "x86_64" | "x86-64" => ("amd64".to_owned(), ""),
        "aarch64" => ("arm64".to_owned(), ""),
        "i386" => ("386".to_owned(), ""),
        "armhf" | "armv7l" => ("arm".to_owned(), "v7"),
        "armel" => ("arm".to_owned(), "v6"),
        other => (other.to_owned(), ""),
    };
    platform.architecture = architecture;
    if platform.variant.is_empty() {
        platform.variant = variant.to_owned();
    }
    platform.os = match platform.os.to_ascii_lowercase() {
        os if os == "macos" => "darwin".to_owned(),
        os => os,
    };
    platform
}

/// Whether there is such a platform, as far as it is given; an empty field is not.
pub(super) fn check(platform: &Platform, subject: &str) -> Result<(), (Field, SpecErrorKind)> {
    let Platform { os, architecture, variant, .. } = platform;
    let subject = || subject.to_owned();
    if os == UNKNOWN && architecture == UNKNOWN {
        return Ok(());
    }
    let systems: Vec<&str> = known_operating_systems().collect();
    if !os.is_empty() && !systems.contains(&os.as_str()) {
        let advice = Advice::for_word(os, &systems);
        let kind = SpecErrorKind::Word { subject: subject(), noun: "operating system", text: os.clone(), advice };
        return Err((Field::Os, kind));
    }
    let architectures = known_architectures(None);
    if !architecture.is_empty() && !architectures.contains(&architecture.as_str()) {
        let advice = Advice::for_word(architecture, &architectures);
        let text = architecture.clone();
        let kind = SpecErrorKind::Word { subject: subject(), noun: "architecture", text, advice };
        return Err((Field::Architecture, kind));
    }
    if !os.is_empty() && !architecture.is_empty() && !platform.is_known() {
        let advice = Advice::OneOf(known_architectures(Some(os)));
        let kind = SpecErrorKind::Pair { os: os.clone(), architecture: architecture.clone(), advice };
        return Err((Field::Architecture, kind));
    }
    if !variant.is_empty() && !is_word(variant) {
        let text = variant.clone();
        let kind = SpecErrorKind::Word { subject: subject(), noun: "variant", text, advice: Advice::None };
        return Err((Field::Variant, kind));
    }
    Ok(())
}

/// Containerd's grammar for a part of a platform.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_in_one_text_keeps_what_was_typed() {
        for (text, expected) in [
            ("linux/amd64", Some("linux/amd64")),
            ("linux/arm64/v8", Some("linux/arm64/v8")),
            ("Linux/x86_64", Some("linux/amd64")),
            ("linux/armhf", Some("linux/arm/v7")),
            ("linux/armhf/v6", Some("linux/arm/v6")),
            ("macos/aarch64", Some("darwin/arm64")),
            ("windows/amd64:10.0.17763.2300", Some("windows/amd64:10.0.17763.2300")),
            ("windows(10.0.17763)/amd64", Some("windows/amd64:10.0.17763")),
            ("unknown/unknown", Some("unknown/unknown")),
            ("linux", None),
            ("", None),
            ("/", None),
            ("linux/", None),
            ("linux/arm/v7/x", None),
            ("linux/arm:", None),
            ("windows(1)/amd64:2", None),
            ("windows(1/amd64", None),
            ("linux/am d64", None),
        ] {
            assert_eq!(typed(text).as_ref().map(shown), expected.map(ToOwned::to_owned), "{text}");
        }
    }
}

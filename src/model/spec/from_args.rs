//! Makes a spec from arguments instead of a file, as `from-args` of manifest-tool.

use super::{Spec, SpecEntry, SpecErrorKind, Target, platform_check};
use crate::location::{InvalidLocation, Location};
use crate::platform::Platform;

/// Why arguments make no spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentsError {
    /// There is no platform.
    #[error("no platforms are given")]
    NoPlatforms,
    /// A text that is not a platform, or an unknown platform.
    #[error("{0}")]
    Platform(Box<SpecErrorKind>),
    /// The template has no placeholder, so all platforms would have the same image.
    #[error("template {0} is the same image for every platform: put ARCH, OS or VARIANT into it")]
    NoPlaceholder(String),
    /// The template's text for a platform is not a reference.
    #[error("template for {platform}: \"{text}\" is no reference: {source}")]
    Template {
        /// The platform, as typed.
        platform: String,
        /// The template with the platform filled in.
        text: String,
        /// Why it is none.
        source: InvalidLocation,
    },
}

/// The placeholders of a template.
const PLACEHOLDERS: [&str; 3] = ["ARCH", "OS", "VARIANT"];

/// A spec with an image for each of `platforms` (`OS/ARCH[/VARIANT]`). `template` names the images; every `ARCH`, `OS`
/// and `VARIANT` in it is replaced. A platform without a variant leaves `VARIANT` empty.
///
/// # Errors
/// See [`ArgumentsError`]. A template without placeholders is an error only for several platforms.
pub fn from_args(platforms: &[&str], template: &str, target: &Target) -> Result<Spec, ArgumentsError> {
    if platforms.is_empty() {
        return Err(ArgumentsError::NoPlatforms);
    }
    if platforms.len() > 1 && !PLACEHOLDERS.iter().any(|placeholder| template.contains(placeholder)) {
        return Err(ArgumentsError::NoPlaceholder(template.to_owned()));
    }
    let mut manifests = Vec::new();
    for typed in platforms {
        let platform = parse_platform(typed).map_err(|kind| ArgumentsError::Platform(Box::new(kind)))?;
        let name = fill_template(template, &platform);
        let image = Location::parse(&name).map_err(|source| ArgumentsError::Template {
            platform: (*typed).to_owned(),
            text: name,
            source,
        })?;
        manifests.push(SpecEntry { platform: Some(platform), ..SpecEntry::new(image) });
    }
    Ok(Spec { targets: vec![target.clone()], manifests, ..Spec::default() })
}

fn parse_platform(typed: &str) -> Result<Platform, SpecErrorKind> {
    const VALUE_NAME: &str = "platform";
    let Ok(platform) = Platform::parse(typed) else {
        return Err(SpecErrorKind::PlatformSyntax { name: VALUE_NAME.to_owned(), text: typed.to_owned() });
    };
    platform_check::check(&platform, VALUE_NAME).map_err(|(_, kind)| kind)?;
    Ok(platform)
}

/// Replaces the placeholders of a template in one pass from the left, so that replaced text is not replaced again.
fn fill_template(template: &str, platform: &Platform) -> String {
    let words = [&platform.architecture, &platform.os, &platform.variant];
    let mut filled = String::new();
    let mut rest = template;
    while let Some(letter) = rest.chars().next() {
        let placeholder = PLACEHOLDERS.iter().zip(words).find(|(placeholder, _)| rest.starts_with(**placeholder));
        let length = match placeholder {
            Some((placeholder, word)) => {
                filled.push_str(word);
                placeholder.len()
            }
            None => {
                filled.push(letter);
                letter.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(platforms: &[&str], template: &str) -> Result<Vec<String>, ArgumentsError> {
        let target = Target::parse("r.x/list:1").unwrap();
        let spec = from_args(platforms, template, &target)?;
        assert_eq!(spec.targets, [target]);
        Ok(spec.manifests.iter().map(|entry| entry.image.to_string()).collect())
    }

    #[test]
    fn from_args_replaces_all_placeholders() {
        let images = |platforms: &[&str], template| images(platforms, template).unwrap();
        assert_eq!(
            images(&["linux/amd64", "linux/arm/v7"], "r.x/i-ARCH:OS-ARCHVARIANT"),
            ["r.x/i-amd64:linux-amd64", "r.x/i-arm:linux-armv7"]
        );
        assert_eq!(images(&["linux/arm64/v8"], "r.x/i:1"), ["r.x/i:1"]);
        assert_eq!(
            images(&["linux/x86_64", "linux/arm64/v8"], "i:ARCH-VARIANT"),
            ["docker.io/library/i:amd64-", "docker.io/library/i:arm64-v8"]
        );
    }

    #[test]
    fn from_args_keeps_platforms_as_typed() {
        let spec = from_args(&["linux/arm64/v8"], "i:ARCH", &Target::parse("l").unwrap()).unwrap();
        let platform = spec.manifests[0].platform.as_ref().unwrap();
        assert_eq!((platform.architecture.as_str(), platform.variant.as_str()), ("arm64", "v8"));
    }

    #[test]
    fn from_args_refuses_arguments_that_make_no_list() {
        for (platforms, template, error) in [
            (&[][..], "i:ARCH", "no platforms are given"),
            (
                &["linux/amd64", "linux/arm"],
                "i:arch",
                "template i:arch is the same image for every platform: put ARCH, OS or VARIANT into it",
            ),
            (&["linux"], "i:ARCH", "platform: \"linux\" is no platform; write it as OS/ARCH or OS/ARCH/VARIANT"),
            (&["linux/amd46"], "i:ARCH", "platform: unknown architecture \"amd46\"; did you mean `amd64`?"),
            (
                &["linux/amd64"],
                "i/:ARCH",
                "template for linux/amd64: \"i/:amd64\" is no reference: invalid reference format",
            ),
        ] {
            assert_eq!(images(platforms, template).map_err(|error| error.to_string()), Err(error.to_owned()));
        }
    }
}

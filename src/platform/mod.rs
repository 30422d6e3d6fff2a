//! Platforms: the `platform` of a descriptor, how users type one, and which are known.
//!
//! The fields are those of the image-spec ("OCI Image Index"), the spellings containerd's (`platforms`), the table of
//! pairs docker's and Go's.

mod known;
mod names;

use std::fmt;

use serde::Serialize;

use crate::sanitize;
use crate::suggest::nearest;

pub use known::{known_architectures, known_operating_systems, known_platforms, known_variants};
pub(crate) use names::is_platform_component;
pub use names::{resolve_architecture_alias, resolve_os_alias};

/// A platform (image-spec, "OCI Image Index"), also in docker's store and lists.
///
/// Serialised in docker's order. Empty fields are left out, except architecture and operating system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Platform {
    /// The CPU architecture in Go's name, for example `arm64`.
    pub architecture: String,
    /// The operating system in Go's name, for example `linux`.
    pub os: String,
    /// The operating system's version. Windows images need it.
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Required features of the operating system, for example `win32k`.
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// The architecture's variant, for example `v8`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Required features of the CPU, for example `sse4`. Docker's lists had them; docker drops them now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// Why a text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// The text has not the form of a platform.
    #[error("{typed:?} is not OS/ARCH or OS/ARCH/VARIANT{}", did_you_mean(.suggestion))]
    Format {
        /// What was typed.
        typed: String,
        /// The platform that was probably meant.
        suggestion: Option<String>,
    },
    /// An unknown operating system.
    #[error("unknown operating system {word:?}{}", did_you_mean(.suggestion))]
    OperatingSystem {
        /// The word.
        word: String,
        /// The platform that was probably meant.
        suggestion: Option<String>,
    },
    /// An unknown architecture.
    #[error("unknown architecture {word:?}{}", did_you_mean(.suggestion))]
    Architecture {
        /// The word.
        word: String,
        /// The platform that was probably meant.
        suggestion: Option<String>,
    },
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|suggestion| format!(", did you mean '{suggestion}'?")).unwrap_or_default()
}

impl Platform {
    /// Reads a platform as users type it: `OS/ARCH[/VARIANT]`, with `:OSVERSION` after it (mquery's form) or
    /// `(OSVERSION)` after the operating system (containerd's form; `(OSVERSION+FEATURE)` names features too).
    ///
    /// Every word is normalised (`linux/aarch64` is `linux/arm64`, `linux/armv7l` is `linux/arm/v7`). A variant is
    /// neither added nor removed, because [`Platform::matches`] and templates need to know whether it was typed. The
    /// words are not checked here; see [`Platform::check_known`].
    ///
    /// # Errors
    /// A text of another form.
    pub fn parse(text: &str) -> Result<Platform, PlatformError> {
        parse_platform(text).ok_or_else(|| PlatformError::Format { typed: text.to_owned(), suggestion: suggest(text) })
    }

    /// Checks that both words are known, in whatever pair, to find typing errors.
    ///
    /// `unknown/unknown`, the platform of attestations, is valid.
    ///
    /// # Errors
    /// The first unknown word, with the nearest known one.
    pub fn check_known(&self) -> Result<(), PlatformError> {
        if (self.os.as_str(), self.architecture.as_str()) == ("unknown", "unknown") {
            return Ok(());
        }
        let with = |os: &str, architecture: &str| Platform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            ..self.clone()
        };
        if !known_operating_systems().any(|os| os == self.os) {
            let suggestion = nearest(&self.os, known_operating_systems());
            let suggestion = suggestion.map(|os| with(os, &self.architecture).to_string());
            return Err(PlatformError::OperatingSystem { word: self.os.clone(), suggestion });
        }
        let all = known_architectures(None);
        if !all.contains(&self.architecture.as_str()) {
            // An architecture of the same operating system is the better guess.
            let suggestion = nearest(&self.architecture, known_architectures(Some(&self.os)));
            let suggestion = suggestion.or_else(|| nearest(&self.architecture, all));
            let suggestion = suggestion.map(|architecture| with(&self.os, architecture).to_string());
            return Err(PlatformError::Architecture { word: self.architecture.clone(), suggestion });
        }
        Ok(())
    }

    /// The platform in containerd's normal form for comparisons: `arm64/v8` and `amd64/v1` without their variants,
    /// `arm` with `v7` if it has none.
    pub fn normalized_for_comparison(&self) -> Platform {
        let (architecture, variant) = names::normalize_for_comparison(&self.architecture, &self.variant);
        Platform { os: names::normalize_operating_system(&self.os), architecture, variant, ..self.clone() }
    }

    /// Whether this platform of an image matches the `wanted` one.
    ///
    /// A variant or version that was not typed matches any. A version matches if it equals the image's or is its
    /// beginning: `10.0.17763` matches any of its builds. All typed features must be present.
    pub fn matches(&self, wanted: &Platform) -> bool {
        let (image, requested) = (self.normalized_for_comparison(), wanted.normalized_for_comparison());
        let has_all = |image: &[String], requested: &[String]| requested.iter().all(|feature| image.contains(feature));
        // Checked before a default is filled in. An alias may include a variant.
        let (_, typed) = names::normalize_architecture(&wanted.architecture, &wanted.variant);
        image.os == requested.os
            && image.architecture == requested.architecture
            && (typed.is_empty() || image.variant == requested.variant)
            && version_matches(&image.os_version, &requested.os_version)
            && has_all(&image.os_features, &requested.os_features)
            && has_all(&image.features, &requested.features)
    }

    /// Whether the pair of operating system and architecture is known.
    pub fn is_known_os_arch(&self) -> bool {
        known::is_known_os_arch(&self.os, &self.architecture)
    }
}

fn version_matches(image: &str, requested: &str) -> bool {
    requested.is_empty() || image.strip_prefix(requested).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `linux/arm64/v8`, `windows/amd64:10.0.17763.2300`. An empty word is `-`, and so is an empty platform. Control
/// characters, which cannot be typed, are shown as `?`.
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |word: &str| if word.is_empty() { "-".to_owned() } else { sanitize::line(word) };
        if self.os.is_empty() && self.architecture.is_empty() {
            return f.write_str("-");
        }
        write!(f, "{}/{}", word(&self.os), word(&self.architecture))?;
        if !self.variant.is_empty() {
            write!(f, "/{}", sanitize::line(&self.variant))?;
        }
        if !self.os_version.is_empty() {
            write!(f, ":{}", sanitize::line(&self.os_version))?;
        }
        Ok(())
    }
}

fn parse_platform(text: &str) -> Option<Platform> {
    let (body, version_suffix) = match text.split_once(':') {
        Some((body, version)) => (body, Some(version)),
        None => (text, None),
    };
    let words: Vec<&str> = body.split('/').collect();
    let (os, architecture, variant) = match *words.as_slice() {
        [os, architecture] => (os, architecture, None),
        [os, architecture, variant] => (os, architecture, Some(variant)),
        _ => return None,
    };
    let (os, parenthesized) = match os.split_once('(') {
        Some((os, parenthesized)) => (os, Some(parenthesized.strip_suffix(')')?)),
        None => (os, None),
    };
    let (version, features) = match (version_suffix, parenthesized) {
        (Some(_), Some(_)) => return None,
        (Some(version), None) => (version, Vec::new()),
        (None, Some(parenthesized)) => {
            let mut parts = parenthesized.split('+');
            (parts.next().unwrap_or_default(), parts.collect())
        }
        (None, None) => ("", Vec::new()),
    };
    let is_version_valid = is_platform_component(version) || (version.is_empty() && version_suffix.is_none());
    let words = [os, architecture].into_iter().chain(variant).chain(features.iter().copied());
    if !is_version_valid || !words.into_iter().all(is_platform_component) {
        return None;
    }
    let (architecture, variant) = names::normalize_architecture(architecture, variant.unwrap_or_default());
    Some(Platform {
        os: names::normalize_operating_system(os),
        architecture,
        variant,
        os_version: version.to_owned(),
        os_features: features.into_iter().map(str::to_owned).collect(),
        features: Vec::new(),
    })
}

/// The platform that a text of another form was probably meant to be.
fn suggest(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(['/', '-', '_', ' ', '\\', ',']).filter(|word| !word.is_empty()).collect();
    let guess = match words.as_slice() {
        [architecture] => format!("linux/{architecture}"),
        [os, architecture] => format!("{os}/{architecture}"),
        [os, architecture, variant] => format!("{os}/{architecture}/{variant}"),
        _ => return None,
    };
    let guess = parse_platform(&guess)?;
    let joined_architecture = || parse_platform(&format!("linux/{text}")).filter(Platform::is_known_os_arch);
    if guess.is_known_os_arch() {
        Some(guess.to_string())
    } else {
        joined_architecture().map(|guess| guess.to_string())
    }
}

#[cfg(test)]
mod tests;

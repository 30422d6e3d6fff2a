//! What an image runs on: the `platform` of a descriptor, how people type one, and which there are.
//!
//! The fields are the OCI image specification's (`image-index.md`), the spellings containerd's (`platforms`), the
//! table of pairs docker's and Go's.

mod known;
mod names;

use std::fmt;

use serde::Serialize;

use crate::sanitize;
use crate::suggest::nearest;

pub use known::{known_architectures, known_operating_systems, known_platforms, known_variants};
pub use names::{typed_architecture, typed_operating_system};

/// A platform in the OCI image specification's terms; also what docker's store and lists hold.
///
/// Serialised in docker's order, with what is empty left out but for architecture and operating system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Platform {
    /// The CPU architecture by Go's name, for example `arm64`.
    pub architecture: String,
    /// The operating system by Go's name, for example `linux`.
    pub os: String,
    /// The operating system's version, which Windows images need.
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Features that the operating system must have, for example `win32k`.
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// The architecture's variant, for example `v8`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Features that the CPU must have, for example `sse4`; docker's lists had them, and docker drops them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// Why a text is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// It does not have a platform's form.
    #[error("{typed:?} is not OS/ARCH or OS/ARCH/VARIANT{}", meant(.near))]
    Form {
        /// What was typed.
        typed: String,
        /// What it was probably meant to be.
        near: Option<String>,
    },
    /// An operating system that nobody has heard of.
    #[error("unknown operating system {word:?}{}", meant(.near))]
    OperatingSystem {
        /// The word.
        word: String,
        /// The platform that was probably meant.
        near: Option<String>,
    },
    /// An architecture that nobody has heard of.
    #[error("unknown architecture {word:?}{}", meant(.near))]
    Architecture {
        /// The word.
        word: String,
        /// The platform that was probably meant.
        near: Option<String>,
    },
}

fn meant(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!(", did you mean '{near}'?")).unwrap_or_default()
}

impl Platform {
    /// Reads a platform as people type it: `OS/ARCH[/VARIANT]`, with `:OSVERSION` behind it (mquery's form) or
    /// `(OSVERSION)` behind the operating system (containerd's; `(OSVERSION+FEATURE)` names features too).
    ///
    /// Every word gets its one spelling (`linux/aarch64` is `linux/arm64`, `linux/armv7l` is `linux/arm/v7`), but a
    /// variant stays as present or absent as it was typed: [`Platform::matches`] needs to know, and so does whoever
    /// fills it into a template. What the words say is not judged here: [`Platform::check_words`] does that.
    ///
    /// # Errors
    /// A text of another form.
    pub fn parse(text: &str) -> Result<Platform, PlatformError> {
        read(text).ok_or_else(|| PlatformError::Form { typed: text.to_owned(), near: meant_by(text) })
    }

    /// Whether both words of the pair are known, whatever the pair is: a slip of the finger is found so.
    ///
    /// `unknown/unknown`, as attestations have it, is fine.
    ///
    /// # Errors
    /// The first word that is in no pair of the table, with the nearest that is.
    pub fn check_words(&self) -> Result<(), PlatformError> {
        if (self.os.as_str(), self.architecture.as_str()) == ("unknown", "unknown") {
            return Ok(());
        }
        let with = |os: &str, architecture: &str| Platform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            ..self.clone()
        };
        if !known_operating_systems().any(|os| os == self.os) {
            let near = nearest(&self.os, known_operating_systems());
            let near = near.map(|os| with(os, &self.architecture).to_string());
            return Err(PlatformError::OperatingSystem { word: self.os.clone(), near });
        }
        let all = known_architectures(None);
        if !all.contains(&self.architecture.as_str()) {
            // One that goes with the operating system is the better guess.
            let near = nearest(&self.architecture, known_architectures(Some(&self.os)));
            let near = near.or_else(|| nearest(&self.architecture, all));
            let near = near.map(|architecture| with(&self.os, architecture).to_string());
            return Err(PlatformError::Architecture { word: self.architecture.clone(), near });
        }
        Ok(())
    }

    /// The platform as it is compared, by containerd's rules: one spelling for each word, `arm64/v8` and `amd64/v1`
    /// without their variants, `arm` with `v7` where nothing is said.
    pub fn normalized(&self) -> Platform {
        let (architecture, variant) = names::compared(&self.architecture, &self.variant);
        Platform { os: names::operating_system(&self.os), architecture, variant, ..self.clone() }
    }

    /// Whether this, which an image says of itself, is what somebody `wanted`.
    ///
    /// A variant or a version of the operating system that was not typed matches any. A version matches when it is
    /// the image's or begins it: `10.0.17763` is any build of it. Features that were typed must all be there.
    pub fn matches(&self, wanted: &Platform) -> bool {
        let (own, other) = (self.normalized(), wanted.normalized());
        let has_all = |own: &[String], other: &[String]| other.iter().all(|feature| own.contains(feature));
        // Whether a variant was typed is asked before it gets a default, but behind an alias that says one.
        let (_, typed) = names::spelt(&wanted.architecture, &wanted.variant);
        own.os == other.os
            && own.architecture == other.architecture
            && (typed.is_empty() || own.variant == other.variant)
            && version_matches(&own.os_version, &other.os_version)
            && has_all(&own.os_features, &other.os_features)
            && has_all(&own.features, &other.features)
    }

    /// Whether there is such a pair of operating system and architecture: docker's table, and today's.
    pub fn is_known(&self) -> bool {
        known::is_pair(&self.os, &self.architecture)
    }
}

fn version_matches(own: &str, wanted: &str) -> bool {
    wanted.is_empty() || own.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `linux/arm64/v8`, `windows/amd64:10.0.17763.2300`; a word that is not said is `-`, and so is a platform that says
/// nothing at all. What could steer a terminal, and so cannot be typed, is shown as `?`.
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

fn read(text: &str) -> Option<Platform> {
    let (body, behind) = match text.split_once(':') {
        Some((body, version)) => (body, Some(version)),
        None => (text, None),
    };
    let words: Vec<&str> = body.split('/').collect();
    let (os, architecture, variant) = match *words.as_slice() {
        [os, architecture] => (os, architecture, None),
        [os, architecture, variant] => (os, architecture, Some(variant)),
        _ => return None,
    };
    let (os, inside) = match os.split_once('(') {
        Some((os, inside)) => (os, Some(inside.strip_suffix(')')?)),
        None => (os, None),
    };
    let (version, features) = match (behind, inside) {
        (Some(_), Some(_)) => return None,
        (Some(version), None) => (version, Vec::new()),
        (None, Some(inside)) => {
            let mut parts = inside.split('+');
            (parts.next().unwrap_or_default(), parts.collect())
        }
        (None, None) => ("", Vec::new()),
    };
    let version_is_one = names::is_word(version) || (version.is_empty() && behind.is_none());
    let words = [os, architecture].into_iter().chain(variant).chain(features.iter().copied());
    if !version_is_one || !words.into_iter().all(names::is_word) {
        return None;
    }
    let (architecture, variant) = names::spelt(architecture, variant.unwrap_or_default());
    Some(Platform {
        os: names::operating_system(os),
        architecture,
        variant,
        os_version: version.to_owned(),
        os_features: features.into_iter().map(str::to_owned).collect(),
        features: Vec::new(),
    })
}

/// A platform in the right form that a text of another form may have been meant to be.
fn meant_by(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(['/', '-', '_', ' ', '\\', ',']).filter(|word| !word.is_empty()).collect();
    let guess = match words.as_slice() {
        [architecture] => format!("linux/{architecture}"),
        [os, architecture] => format!("{os}/{architecture}"),
        [os, architecture, variant] => format!("{os}/{architecture}/{variant}"),
        _ => return None,
    };
    let guess = read(&guess)?;
    let spelt_in_one = || read(&format!("linux/{text}")).filter(Platform::is_known);
    if guess.is_known() { Some(guess.to_string()) } else { spelt_in_one().map(|guess| guess.to_string()) }
}

#[cfg(test)]
mod tests;

//! A referrer in the result of a copy or a push.

use std::fmt;

use serde::Serialize;

use crate::core::referrers::FoundReferrer;
use crate::sanitize;

/// A manifest that refers to one that was copied or pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReferrerOutcome {
    pub(crate) digest: String,
    /// Its own, or its configuration's media type.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) artifact_type: String,
    /// The digest of its subject.
    pub(crate) subject: String,
    /// The repository or the layout that has it. Set only for a push, whose images may come from several.
    #[serde(rename = "repository", skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    /// Cosign's tags for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// Whether it was sent, or would be. Set only for a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<bool>,
}

impl ReferrerOutcome {
    pub(crate) fn from_found<Origin>(found: &FoundReferrer<Origin>) -> ReferrerOutcome {
        ReferrerOutcome {
            digest: found.digest.to_string(),
            artifact_type: found.artifact_type.clone(),
            subject: found.parent.to_string(),
            origin: None,
            tags: found.tags.clone(),
            sent: None,
        }
    }
}

impl fmt::Display for ReferrerOutcome {
    /// `h/app@sha256:… application/spdx+json of sha256:…`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(repository) = &self.origin {
            write!(f, "{repository}@")?;
        }
        f.write_str(&self.digest)?;
        if !self.artifact_type.is_empty() {
            write!(f, " {}", sanitize::short_line(&self.artifact_type))?;
        }
        write!(f, " of {}", self.subject)
    }
}

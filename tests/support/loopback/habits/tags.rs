//! What registries make of tags.

use serde_json::{Value, json};

use super::super::Builder;
use super::super::distribution_api::{ApiState, name_unknown};
use super::super::http::{Head, Response};

/// How it differs in tags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tags {
    pub(crate) unsorted: bool,
    pub(crate) null: bool,
    pub(crate) unknown: bool,
    /// The status and the code with which it refuses to move a tag, or to put it again.
    pub(crate) immutable: Option<(u16, &'static str)>,
    /// The status with which it refuses to delete a tag.
    pub(crate) no_deletion: Option<u16>,
    pub(crate) fixed_media_type: bool,
    /// The status for a tag that is not there, where it is not 404.
    pub(crate) missing: Option<u16>,
    pub(crate) conditional: bool,
}

impl Tags {
    /// The whole answer to a question for tags, where it is not the usual one.
    pub(crate) fn list(&self, state: &ApiState, name: &str) -> Option<Response> {
        let tags = &state.repos.get(name)?.tags;
        let answer = |tags: Value| Response::new(200).json(&json!({"name": name, "tags": tags}));
        match tags.is_empty() {
            true if self.unknown => Some(name_unknown(name)),
            true if self.null => Some(answer(Value::Null)),
            // All of them at once, whatever was asked.
            false if self.unsorted => Some(answer(tags.keys().rev().map(String::as_str).collect())),
            _ => None,
        }
    }

    /// The refusal of a manifest under a tag that is taken.
    pub(crate) fn refuse_put(&self, state: &ApiState, name: &str, tag: &str, media_type: &str) -> Option<Response> {
        let repo = state.repos.get(name)?;
        let (taken, _) = repo.manifests.get(repo.tags.get(tag)?)?;
        if let Some((status, code)) = self.immutable {
            let message = format!("The tag '{tag}' already exists and cannot be overwritten because it is immutable.");
            return Some(Response::error(status, code, &message, Value::Null));
        }
        let other = self.fixed_media_type && taken != media_type;
        other.then(|| Response::error(400, "MANIFEST_INVALID", "the tag has another media type", Value::Null))
    }

    /// The refusal of a manifest that is to be the first of its name, and is not.
    pub(crate) fn refuse_condition(
        &self,
        state: &ApiState,
        name: &str,
        reference: &str,
        head: &Head,
    ) -> Option<Response> {
        let is_there = state.repos.get(name).is_some_and(|repo| repo.resolve(reference).is_some());
        let is_refused = self.conditional && is_there && head.header("If-None-Match") == Some("*");
        is_refused.then(|| Response::error(412, "PRECONDITION_FAILED", "it is there already", Value::Null))
    }

    /// The refusal of a deletion by tag.
    pub(crate) fn refuse_deletion(&self, head: &Head, reference: &str) -> Option<Response> {
        let status = self.no_deletion.filter(|_| head.method == "DELETE" && !reference.contains(':'))?;
        Some(match status {
            400 => {
                let message = "provided digest did not match uploaded content";
                Response::error(400, "DIGEST_INVALID", message, Value::Null)
            }
            _ => Response::error(status, "UNSUPPORTED", "The operation is unsupported.", Value::Null),
        })
    }
}

impl Builder {
    /// Lists all tags at once and backwards; `n` and `last` are ignored, as docker-registry 2.8 does.
    pub fn unsorted_tags(mut self) -> Builder {
        self.habits.tags.unsorted = true;
        self
    }

    /// `"tags": null` for a repository whose tags are gone, as docker-registry has it.
    pub fn null_tags(mut self) -> Builder {
        self.habits.tags.null = true;
        self
    }

    /// 404 `NAME_UNKNOWN` for a repository that has manifests and no tag, as docker-registry has it.
    pub fn unknown_without_tags(mut self) -> Builder {
        self.habits.tags.unknown = true;
        self
    }

    /// Refuses a manifest under a tag that is there, with the same digest too, as Amazon ECR does.
    pub fn immutable_tags(mut self, status: u16, code: &'static str) -> Builder {
        self.habits.tags.immutable = Some((status, code));
        self
    }

    /// Deletes digests and no tags: 405 `UNSUPPORTED`, or 400 `DIGEST_INVALID` as docker-registry 2.8 says.
    pub fn no_tag_deletion(mut self, status: u16) -> Builder {
        self.habits.tags.no_deletion = Some(status);
        self
    }

    /// A tag keeps the media type that it was first put with, as in zot.
    pub fn fixed_tag_media_type(mut self) -> Builder {
        self.habits.tags.fixed_media_type = true;
        self
    }

    /// Honours `If-None-Match: *` on a PUT: 412 where the name is taken. No registry that was measured does so.
    pub fn conditional_puts(mut self) -> Builder {
        self.habits.tags.conditional = true;
        self
    }

    /// This status for a tag that is not there (403 in Artifactory).
    pub fn missing_tags(mut self, status: u16) -> Builder {
        self.habits.tags.missing = Some(status);
        self
    }
}

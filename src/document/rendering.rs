//! From a draft to the list that is published.

use crate::document::descriptor::Descriptor;
use crate::document::draft::Draft;
use crate::document::entry::Entry;
use crate::document::error::DocumentError;
use crate::document::list::{Form, Index, List};
use crate::document::media_type;
use crate::platform::Platform;

impl Draft {
    /// The list that a push of this draft sends.
    ///
    /// # Errors
    /// An entry with no platform, unless an OCI index is asked for; one with half a platform; bytes that are not what
    /// their entry says they are; what a Docker list has no place for.
    pub fn list(&self, form: Form) -> Result<List, DocumentError> {
        for entry in self.entries() {
            let half = |platform: &Platform| platform.os.is_empty() || platform.architecture.is_empty();
            let none_is_fine = form == Form::Oci && !entry.descriptor.has_platform();
            if !none_is_fine && entry.descriptor.platform.as_ref().is_none_or(half) {
                return Err(DocumentError::NoPlatform(entry.reference.to_string()));
            }
        }
        self.entries().try_for_each(Entry::verify)?;
        let index = self.index(form);
        match beyond(&index, form) {
            Some(what) => Err(DocumentError::BeyondDocker { list: self.reference.to_string(), what }),
            None => List::of(index, form),
        }
    }

    /// The list as `inspect` shows it, which an entry with no platform may stand in. Of what a Docker list has no place
    /// for only an OCI index can be pushed, so that it is one here.
    ///
    /// # Errors
    /// None that a valid draft can cause.
    pub fn preview(&self) -> Result<List, DocumentError> {
        let index = self.index(Form::Auto);
        match beyond(&index, Form::Auto) {
            Some(_) => List::of(self.index(Form::Oci), Form::Oci),
            None => List::of(index, Form::Auto),
        }
    }

    /// The list as it will be. Docker writes an empty platform where there is none; an index leaves it out.
    fn index(&self, form: Form) -> Index {
        let line = |entry: &Entry| {
            let platform = entry.descriptor.platform.clone().filter(|_| entry.descriptor.has_platform());
            let platform = if form == Form::Oci { platform } else { Some(platform.unwrap_or_default()) };
            Descriptor { platform, ..entry.descriptor.clone() }
        };
        Index {
            media_type: String::new(),
            artifact_type: self.artifact_type.clone(),
            manifests: self.listed().map(line).collect(),
            subject: self.subject.clone(),
            annotations: self.annotations.clone(),
        }
    }
}

/// What of a list that becomes one of Docker's has no place there, in words.
fn beyond(index: &Index, form: Form) -> Option<String> {
    let first = index.manifests.first().map(|line| line.media_type.as_str());
    let is_dockers = form.media_type(first) == media_type::DOCKER_LIST;
    if is_dockers { index.beyond_docker() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::manifest::Schema;
    use crate::reference::Reference;

    fn entry(reference: &str, os: &str) -> Entry {
        let platform = Platform { os: os.into(), architecture: "amd64".into(), ..Platform::default() };
        Entry::fetched(Reference::parse(reference).unwrap(), Schema::Docker, b"{}".to_vec(), Some(platform))
    }

    #[test]
    fn a_list_needs_platforms_unless_it_is_an_index() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a:1", "")).unwrap();
        let refused = "manifest h.x/a:1 must have an OS and Architecture to be pushed to a registry";
        assert_eq!(draft.list(Form::Auto).unwrap_err().to_string(), refused);
        assert!(draft.preview().is_ok());
        // Half a platform is none, in either form.
        assert_eq!(draft.list(Form::Oci).unwrap_err().to_string(), refused);
        let mut artifact = entry("h.x/a:1", "");
        artifact.descriptor.platform = Some(Platform::default());
        draft.insert(artifact).unwrap();
        assert_eq!(draft.list(Form::Docker).unwrap_err().to_string(), refused);
        let list = String::from_utf8(draft.list(Form::Oci).unwrap().bytes).unwrap();
        assert!(!list.contains("platform"), "{list}");
        draft.insert(entry("h.x/a:1", "linux")).unwrap();
        draft.insert(entry("g.x/a:1", "linux")).unwrap();
        assert!(draft.list(Form::Auto).is_ok());
    }

    #[test]
    fn nothing_is_dropped_in_silence() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a:1", "linux")).unwrap();
        draft.annotations.insert("k".into(), "v".into());
        assert_eq!(
            draft.list(Form::Auto).unwrap_err().to_string(),
            "h.x/l:latest would be a Docker manifest list, which has no place for the annotation k of the list"
        );
        let list = String::from_utf8(draft.list(Form::Oci).unwrap().bytes).unwrap();
        assert!(list.contains("\"annotations\""), "{list}");
    }
}

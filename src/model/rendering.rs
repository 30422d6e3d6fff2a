//! Makes the list to publish from a draft. A draft of plain images follows docker's rules. A draft that was made from
//! an index keeps that index's document, edited where necessary. See `store-format.md`, "Order and form".

use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::draft::{Draft, ListItem};
use crate::model::editing::Edit;
use crate::model::entry::Entry;
use crate::model::entry_key::EntryKey;
use crate::model::error::DocumentError;
use crate::model::index::{Form, Index, List};
use crate::model::media_type;
use crate::platform::Platform;

/// The form of a list, and why it differs from the form that it had or would have.
struct Decision {
    media_type: &'static str,
    note: Option<String>,
}

impl Draft {
    /// The list that a push of this draft sends; the image itself if that is preferred.
    ///
    /// # Errors
    /// An entry without a platform, if docker needs one; an incomplete platform; bytes that do not match their entry;
    /// what a requested Docker list cannot hold.
    pub fn list(&self, form: Form) -> Result<List, DocumentError> {
        self.entries().try_for_each(Entry::verify)?;
        let image = self.lone_image().filter(|_| self.prefers_image);
        match image.and_then(|image| Some((image, media_type::known(image.media_type())?))) {
            Some((image, media_type)) => {
                let (bytes, digest) = (image.bytes()?.into_owned(), image.descriptor.digest.clone());
                Ok(List { media_type, bytes, digest, note: None })
            }
            None => self.rendered(form, true),
        }
    }

    /// The list as `inspect` shows it. Entries may lack a platform.
    ///
    /// # Errors
    /// None for a valid draft.
    pub fn preview(&self) -> Result<List, DocumentError> {
        self.rendered(Form::Auto, false)
    }

    fn rendered(&self, form: Form, checks: bool) -> Result<List, DocumentError> {
        let Some(source) = &self.source else { return self.plain(form, checks) };
        let edit = Edit::new(self, source)?;
        let own = if source.media_type == media_type::DOCKER_LIST { Form::Docker } else { Form::Oci };
        let beyond =
            || if own == Form::Docker { edit.beyond_docker() } else { self.index(false, false).beyond_docker() };
        let decision = self.decide(form, own, Some(own), beyond)?;
        let is_source = decision.media_type == source.media_type;
        if is_source && edit.is_unchanged() {
            let (media_type, bytes) = (decision.media_type, source.raw.clone());
            return Ok(List { media_type, digest: Digest::from_bytes(&bytes), bytes, note: None });
        }
        if !is_source && decision.media_type == media_type::DOCKER_LIST {
            let list = self.plain(Form::Docker, checks)?;
            return Ok(List { note: decision.note, ..list });
        }
        if checks {
            let is_oci = decision.media_type == media_type::OCI_INDEX;
            edit.changed().try_for_each(|entry| check_platform(entry, is_oci))?;
        }
        let bytes = edit.encode(decision.media_type)?;
        Ok(List { media_type: decision.media_type, digest: Digest::from_bytes(&bytes), bytes, note: decision.note })
    }

    /// The list of a draft without an index's form, in docker's layout.
    fn plain(&self, form: Form, checks: bool) -> Result<List, DocumentError> {
        if checks {
            self.entries().try_for_each(|entry| check_platform(entry, form == Form::Oci))?;
        }
        let items = self.items();
        let first = items.first().map(|item| match item {
            ListItem::Entry(_, entry) => entry.descriptor.media_type.as_str(),
            ListItem::Carried(carried) => carried.descriptor.media_type.as_str(),
        });
        let is_oci = Form::Auto.media_type(first) == media_type::OCI_INDEX;
        let own = if is_oci { Form::Oci } else { Form::Docker };
        let decision = self.decide(form, own, None, || self.index(false, false).beyond_docker())?;
        let is_oci = decision.media_type == media_type::OCI_INDEX;
        // If docker's rule makes it an index, docker writes an empty platform.
        let leaves_out = is_oci && (form == Form::Oci || decision.note.is_some());
        let list = List::of(self.index(is_oci, leaves_out), if is_oci { Form::Oci } else { Form::Docker })?;
        Ok(List { note: decision.note, ..list })
    }

    /// Decides the form of the list. `own` is the form that it would have, `was` the form of its source.
    fn decide(
        &self,
        form: Form,
        own: Form,
        was: Option<Form>,
        beyond: impl Fn() -> Option<String>,
    ) -> Result<Decision, DocumentError> {
        let list = || self.reference.to_string();
        let changed_form = |now: &str, before: &str| format!("{} becomes {now}; it was made of {before}", list());
        let (media_type, note) = match (form, own) {
            (Form::Docker, _) => {
                if let Some(what) = beyond() {
                    return Err(DocumentError::BeyondDocker { list: list(), what });
                }
                let changed = was == Some(Form::Oci);
                (media_type::DOCKER_LIST, changed.then(|| changed_form("a Docker manifest list", "an OCI image index")))
            }
            (Form::Oci, _) => {
                let changed = was == Some(Form::Docker);
                (media_type::OCI_INDEX, changed.then(|| changed_form("an OCI image index", "a Docker manifest list")))
            }
            (Form::Auto, Form::Docker) => match beyond() {
                Some(what) => {
                    let why = "a Docker manifest list has no place for";
                    (media_type::OCI_INDEX, Some(format!("{} becomes an OCI image index: {why} {what}", list())))
                }
                None => (media_type::DOCKER_LIST, None),
            },
            (Form::Auto, _) => (media_type::OCI_INDEX, None),
        };
        Ok(Decision { media_type, note })
    }

    /// The descriptor of an entry, without a platform that was read from the image and is not stated by the index.
    pub(super) fn stated_descriptor(&self, key: &EntryKey, entry: &Entry) -> Descriptor {
        let own = &entry.descriptor;
        let is_stated = own.has_platform() && self.platforms.get(key) != own.platform.as_ref();
        Descriptor { platform: own.platform.clone().filter(|_| is_stated), ..own.clone() }
    }

    /// The list. `leaves_out`: an entry without a platform has no such member; docker writes an empty one.
    fn index(&self, is_oci: bool, leaves_out: bool) -> Index {
        let descriptor = |item: &ListItem<'_>| {
            let own = match item {
                ListItem::Entry(_, entry) => entry.described(is_oci),
                ListItem::Carried(carried) => carried.descriptor.clone(),
            };
            let platform = own.platform.clone().filter(|_| own.has_platform());
            let platform = if leaves_out { platform } else { Some(platform.unwrap_or_default()) };
            Descriptor { platform, ..own }
        };
        Index {
            media_type: String::new(),
            artifact_type: self.artifact_type.clone(),
            manifests: self.items().iter().map(descriptor).collect(),
            subject: self.subject.clone(),
            annotations: self.annotations.clone(),
        }
    }
}

/// An incomplete platform counts as none, which only an OCI index permits.
fn check_platform(entry: &Entry, is_oci: bool) -> Result<(), DocumentError> {
    let half = |platform: &Platform| platform.os.is_empty() || platform.architecture.is_empty();
    let none_is_fine = is_oci && !entry.descriptor.has_platform();
    match none_is_fine || !entry.descriptor.platform.as_ref().is_none_or(half) {
        true => Ok(()),
        false => Err(DocumentError::NoPlatform(entry.reference.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::Schema;
    use crate::reference::Reference;

    fn entry(reference: &str, os: &str) -> Entry {
        let platform = Platform { os: os.into(), architecture: "amd64".into(), ..Platform::default() };
        Entry::fetched(Reference::parse(reference).unwrap(), Schema::Docker, b"{}".to_vec(), Some(platform))
    }

    #[test]
    fn a_list_needs_platforms_unless_it_is_an_index() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a:1", ""));
        let refused = "manifest h.x/a:1 must have an OS and Architecture to be pushed to a registry";
        assert_eq!(draft.list(Form::Auto).unwrap_err().to_string(), refused);
        assert!(draft.preview().is_ok());
        // An incomplete platform counts as none, in both forms.
        assert_eq!(draft.list(Form::Oci).unwrap_err().to_string(), refused);
        let mut artifact = entry("h.x/a:1", "");
        artifact.descriptor.platform = Some(Platform::default());
        draft.insert(artifact);
        assert_eq!(draft.list(Form::Docker).unwrap_err().to_string(), refused);
        let list = String::from_utf8(draft.list(Form::Oci).unwrap().bytes).unwrap();
        assert!(!list.contains("platform"), "{list}");
        draft.insert(entry("h.x/a:1", "linux"));
        draft.insert(entry("g.x/a:1", "linux"));
        assert!(draft.list(Form::Auto).is_ok());
    }

    #[test]
    fn nothing_is_dropped_in_silence() {
        let mut draft = Draft::new(Reference::parse("h.x/l").unwrap());
        draft.insert(entry("h.x/a:1", "linux"));
        draft.annotations.insert("k".into(), "v".into());
        assert_eq!(
            draft.list(Form::Docker).unwrap_err().to_string(),
            "h.x/l:latest would be a Docker manifest list, which has no place for the annotation k of the list"
        );
        let list = draft.list(Form::Auto).unwrap();
        assert_eq!(list.media_type, media_type::OCI_INDEX);
        assert_eq!(
            list.note.as_deref(),
            Some(
                "h.x/l:latest becomes an OCI image index: a Docker manifest list has no place for the annotation k \
                 of the list"
            )
        );
        let list = String::from_utf8(draft.list(Form::Oci).unwrap().bytes).unwrap();
        assert!(list.contains("\"annotations\""), "{list}");
    }
}

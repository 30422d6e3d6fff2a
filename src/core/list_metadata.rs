//! The annotations of a list and of its descriptors, and its subject.

use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::image_filters::PlatformFilter;
use crate::core::image_source::ImageSource;
use crate::core::platform_match;
use crate::core::resolve::fetch::{self, ImageOrList};
use crate::model::Draft;
use crate::model::descriptor::Descriptor;
use crate::reference::Reference;

/// An annotation and its targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnotationArg {
    /// What is annotated, from buildx's prefixes of the key.
    pub targets: Vec<AnnotationTarget>,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// What is annotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnnotationTarget {
    /// The object of the command: an image, otherwise the list.
    WithoutPrefix,
    /// The list.
    List,
    /// The descriptors in the list: all of them, or those of a platform.
    Descriptors(Option<PlatformFilter>),
}

impl AnnotationArg {
    /// Reads `[TYPE[PLATFORM]:]KEY=VALUE` with buildx's types, separated by commas. Without a type, the object of the
    /// command is annotated. A text before a colon that is no type is a part of the key.
    ///
    /// # Errors
    /// Another form, and a type that a list cannot have, with the reason.
    pub fn parse(typed: &str) -> Result<AnnotationArg, String> {
        let (before_equals, value) = typed.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("not KEY=VALUE")?;
        let (types, key) = split_types(before_equals);
        if key.is_empty() {
            return Err("the key is missing".to_owned());
        }
        let targets =
            types.map(|types| types.split(',').map(parse_target).collect::<Result<_, String>>()).transpose()?;
        let targets = targets.unwrap_or_else(|| vec![AnnotationTarget::WithoutPrefix]);
        Ok(AnnotationArg { targets, key: key.to_owned(), value: value.to_owned() })
    }

    /// Whether a text has one of buildx's prefixes.
    pub fn has_type_prefix(typed: &str) -> bool {
        split_types(typed.split_once('=').map_or(typed, |(before_equals, _)| before_equals)).0.is_some()
    }

    /// Whether it annotates the object of the command.
    pub(crate) fn annotates_without_prefix(&self) -> bool {
        self.targets.contains(&AnnotationTarget::WithoutPrefix)
    }

    /// The key and the value.
    pub(crate) fn pair(&self) -> (String, String) {
        (self.key.clone(), self.value.clone())
    }
}

/// The types before the key, if there are any, and the key.
fn split_types(before_equals: &str) -> (Option<&str>, &str) {
    const TYPES: [&str; 4] = ["index", "manifest", "index-descriptor", "manifest-descriptor"];
    let is_type = |word: &str| TYPES.contains(&word.split('[').next().unwrap_or_default());
    match before_equals.split_once(':').filter(|(types, _)| types.split(',').all(is_type)) {
        Some((types, key)) => (Some(types), key),
        None => (None, before_equals),
    }
}

fn parse_target(word: &str) -> Result<AnnotationTarget, String> {
    let (kind, platform) = match word.split_once('[') {
        Some((kind, rest)) => {
            let platform = rest.strip_suffix(']').ok_or_else(|| format!("{word:?} lacks its closing bracket"))?;
            (kind, Some(PlatformFilter::parse(platform).map_err(|error| error.to_string())?))
        }
        None => (word, None),
    };
    match (kind, platform) {
        ("index", None) => Ok(AnnotationTarget::List),
        ("manifest-descriptor", platform) => Ok(AnnotationTarget::Descriptors(platform)),
        ("manifest", _) => Err("an image keeps its bytes, so its manifest cannot be annotated; \
                                manifest-descriptor: annotates it in the list"
            .to_owned()),
        ("index-descriptor", _) => {
            Err("nothing in a registry has a descriptor of the list; index: annotates the list".to_owned())
        }
        _ => Err(format!("{kind} has no platform")),
    }
}

/// Changes of a list itself that `create`, `push` and `apply` make.
#[derive(Debug, Default)]
pub(crate) struct ListEdits<'a> {
    /// Annotations of the list and of its descriptors.
    pub(crate) annotations: &'a [AnnotationArg],
    /// The subject that the list gets.
    pub(crate) subject: Option<&'a Reference>,
    /// Whether a list of one image is published as that image.
    pub(crate) omits_index_for_single_image: bool,
}

impl ListEdits<'_> {
    /// Whether they change nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.subject.is_none() && self.annotations.is_empty() && !self.omits_index_for_single_image
    }

    /// Requests the subject, for a list of this name.
    ///
    /// # Errors
    /// Those of [`resolve_subject`].
    pub(crate) fn fetch_subject(
        &self,
        registry: &RegistryClient,
        list: &Reference,
    ) -> Result<Option<Descriptor>, CommandError> {
        self.subject.map(|reference| resolve_subject(registry, list, reference)).transpose()
    }

    /// Changes the list. `subject` is what [`ListEdits::fetch_subject`] returned.
    ///
    /// # Errors
    /// A platform that the list does not have.
    pub(crate) fn apply(&self, subject: Option<&Descriptor>, draft: &mut Draft) -> Result<(), CommandError> {
        annotate(draft, self.annotations)?;
        if let Some(subject) = subject {
            draft.subject = Some(subject.clone());
        }
        draft.omits_index_for_single_image = self.omits_index_for_single_image;
        Ok(())
    }
}

/// Annotates a list and its descriptors. An annotation of the command's object applies to the list.
///
/// # Errors
/// A platform that no descriptor has.
pub(crate) fn annotate(draft: &mut Draft, annotations: &[AnnotationArg]) -> Result<(), CommandError> {
    for annotation in annotations {
        for target in &annotation.targets {
            match target {
                AnnotationTarget::WithoutPrefix | AnnotationTarget::List => {
                    draft.annotations.extend([annotation.pair()])
                }
                AnnotationTarget::Descriptors(platform) => annotate_descriptors(draft, platform.as_ref(), annotation)?,
            }
        }
    }
    Ok(())
}

fn annotate_descriptors(
    draft: &mut Draft,
    platform: Option<&PlatformFilter>,
    annotation: &AnnotationArg,
) -> Result<(), CommandError> {
    let platform_of = |descriptor: &Descriptor| platform_match::known_platform(descriptor).cloned();
    let is_selected = |descriptor: &Descriptor| match platform {
        Some(platform) => platform_of(descriptor).is_some_and(|own| own.matches(&platform.parsed)),
        None => true,
    };
    let selected = draft.entries_by_key().iter().filter(|(_, entry)| is_selected(&entry.descriptor));
    let selected: Vec<_> = selected.map(|(key, entry)| (key.clone(), entry.clone())).collect();
    if let (Some(platform), true) = (platform, selected.is_empty()) {
        let available =
            draft.entries_in_key_order().filter_map(|entry| Some(platform_of(&entry.descriptor)?.to_string()));
        return Err(CommandError::no_such_platform(&platform.text, &draft.reference, available));
    }
    for (key, mut entry) in selected {
        entry.descriptor.annotations.extend([annotation.pair()]);
        draft.insert_with_key(key, entry);
    }
    Ok(())
}

/// The descriptor of a subject, which is in the repository of the list. One request.
///
/// # Errors
/// A subject in another repository, and one that the registry does not have.
pub(crate) fn resolve_subject(
    registry: &RegistryClient,
    list: &Reference,
    subject: &Reference,
) -> Result<Descriptor, CommandError> {
    if subject.repository() != list.repository() {
        let (subject, list) = (subject.to_string(), list.repository().to_string());
        return Err(CommandError::SubjectElsewhere { subject, list });
    }
    let (ImageOrList::Image(_, found) | ImageOrList::List(found)) =
        fetch::manifest(&ImageSource::in_registry(registry, subject))?;
    Ok(found.descriptor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotation_prefixes_are_those_of_buildx() {
        let parse =
            |typed: &str| AnnotationArg::parse(typed).map(|argument| (argument.targets, argument.key, argument.value));
        let platform = |typed: &str| AnnotationTarget::Descriptors(Some(PlatformFilter::parse(typed).unwrap()));
        let expected_argument =
            |targets: Vec<AnnotationTarget>, key: &str, value: &str| Ok((targets, key.into(), value.into()));
        assert_eq!(parse("a=b=c"), expected_argument(vec![AnnotationTarget::WithoutPrefix], "a", "b=c"));
        assert_eq!(parse("x:a="), expected_argument(vec![AnnotationTarget::WithoutPrefix], "x:a", ""));
        assert_eq!(parse("index:a=b"), expected_argument(vec![AnnotationTarget::List], "a", "b"));
        assert_eq!(
            parse("manifest-descriptor:a=b"),
            expected_argument(vec![AnnotationTarget::Descriptors(None)], "a", "b")
        );
        let both = vec![AnnotationTarget::List, platform("linux/arm64")];
        assert_eq!(parse("index,manifest-descriptor[linux/arm64]:a=b"), expected_argument(both, "a", "b"));
        for (typed, expected) in [
            ("a", "not KEY=VALUE"),
            ("=b", "not KEY=VALUE"),
            ("index:=b", "the key is missing"),
            ("manifest:a=b", "an image keeps its bytes, so its manifest cannot be annotated; manifest-descriptor:"),
            ("manifest[linux/amd64]:a=b", "an image keeps its bytes"),
            ("index-descriptor:a=b", "nothing in a registry has a descriptor of the list"),
            ("manifest-descriptor[linux:a=b", "\"manifest-descriptor[linux\" lacks its closing bracket"),
            ("manifest-descriptor[arm64]:a=b", "\"arm64\" is not OS/ARCH"),
            ("index[linux/amd64]:a=b", "index has no platform"),
        ] {
            let message = parse(typed).unwrap_err();
            assert!(message.starts_with(expected), "{typed}: {message}");
        }
    }
}

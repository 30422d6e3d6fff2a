//! `annotate`: describes one image of a draft, or the list itself.

use crate::cli::args::{Annotate, EntryFlags, RefArg};
use crate::cli::context::Context;
use crate::cli::verbs::direct_push;
use crate::core::entry_lookup;
use crate::core::error::CommandError;
use crate::core::error_parts::NameRole;
use crate::core::image_source::ContentAccess;
use crate::core::list_metadata::{self, AnnotationArg};
use crate::model::{Draft, Entry};
use crate::platform::{self, Platform};
use crate::reference::Reference;
use crate::suggest::nearest;

pub(crate) fn run(context: &Context, args: &Annotate) -> Result<(), CommandError> {
    let list = args.list.reference_as(NameRole::AnnotateList)?;
    match &args.image {
        Some(image) => annotate_image(context, args, list, image),
        None => annotate_list(context, args, list),
    }
}

fn annotate_image(context: &Context, args: &Annotate, list: &Reference, image: &RefArg) -> Result<(), CommandError> {
    let mut notes = Vec::new();
    let mut change = |existing: Option<&Draft>| {
        let mut entry = named_entry(existing, args, image)?.clone();
        notes = apply_entry_flags(&mut entry, &args.entry)?;
        // `named_entry` found the entry, so there is a draft.
        let mut draft = existing.cloned().unwrap_or_else(|| Draft::new(list.clone()));
        draft.insert(entry);
        Ok(draft)
    };
    apply_change(context, args, list, &mut change)?;
    if !changes_entry(&args.entry) {
        notes.push(format!("no flag describes {}: nothing was changed", image.typed));
    }
    notes.iter().for_each(|note| context.streams.message(note));
    Ok(())
}

/// From a draft, if there is one, to the draft that replaces it.
type Change<'a> = dyn FnMut(Option<&Draft>) -> Result<Draft, CommandError> + 'a;

/// Changes the draft, or with `--push` the published list.
fn apply_change(
    context: &Context,
    args: &Annotate,
    list: &Reference,
    change: &mut Change<'_>,
) -> Result<(), CommandError> {
    if args.push {
        let change = |_: ContentAccess<'_>, published: &Draft| change(Some(published));
        return direct_push::change_published(context, &args.network, &args.publish, list, change);
    }
    let store = context.store_with_timeout(args.network.timeout)?;
    store.change(list, &context.wait_notice(), |existing| change(existing).map(Some))?;
    Ok(())
}

/// The entry that an image's name selects.
fn named_entry<'a>(existing: Option<&'a Draft>, args: &Annotate, image: &RefArg) -> Result<&'a Entry, CommandError> {
    if let Some(entry) = existing.map(|draft| entry_lookup::entry(draft, &image.typed)).transpose()?.flatten() {
        return Ok(entry);
    }
    image.reference_as(NameRole::AnnotateImage)?;
    Err(CommandError::ImageNotInList {
        image: image.typed.clone(),
        list: args.list.typed.clone(),
        has_draft: existing.is_some(),
        suggestion: existing.and_then(|draft| entry_lookup::suggestion_for(draft, &image.typed)),
    })
}

fn annotate_list(context: &Context, args: &Annotate, list: &Reference) -> Result<(), CommandError> {
    let flags = &args.entry;
    let subject = match &args.subject {
        Some(subject) => {
            let registry = context.registry_client(&args.network, list.repository())?;
            Some(list_metadata::resolve_subject(&registry, list, subject.reference()?)?)
        }
        None => None,
    };
    apply_change(context, args, list, &mut |existing| {
        let missing = || CommandError::NoSuchDraftOrImage(list.to_string());
        let mut draft: Draft = existing.cloned().ok_or_else(missing)?;
        list_metadata::annotate(&mut draft, &flags.annotations)?;
        draft.annotations.retain(|name, _| !flags.unset_annotations.contains(name));
        if let Some(artifact_type) = &flags.artifact_type {
            draft.artifact_type.clone_from(artifact_type);
        }
        if args.unset_subject || subject.is_some() {
            draft.subject.clone_from(&subject);
        }
        Ok(draft)
    })
}

/// Whether any flag sets a part of the platform.
fn changes_platform(flags: &EntryFlags) -> bool {
    let words = [&flags.os, &flags.arch, &flags.variant, &flags.os_version];
    words.iter().any(|word| !word.is_empty()) || !flags.os_features.is_empty() || !flags.features.is_empty()
}

/// Whether any flag changes the entry.
fn changes_entry(flags: &EntryFlags) -> bool {
    let annotates = !flags.annotations.is_empty() || !flags.unset_annotations.is_empty();
    changes_platform(flags) || annotates || flags.artifact_type.is_some()
}

/// Reports a value that is not stored as typed.
pub(crate) type Note = String;

/// Applies the flags to entries of a draft. Calls `note` with each note.
///
/// # Errors
/// Those of [`apply_entry_flags`].
pub(crate) fn annotate_entries<'a>(
    draft: &mut Draft,
    references: impl IntoIterator<Item = &'a Reference>,
    flags: &EntryFlags,
    mut note: impl FnMut(Note),
) -> Result<(), CommandError> {
    for reference in references.into_iter().filter(|_| changes_entry(flags)) {
        if let Some(mut entry) = draft.get(reference).cloned() {
            apply_entry_flags(&mut entry, flags)?.into_iter().for_each(&mut note);
            draft.insert(entry);
        }
    }
    Ok(())
}

/// Applies the flags to an entry. A flag that is missing or empty changes nothing.
///
/// # Errors
/// An unknown pair of operating system and architecture, unless `--force` is given.
fn apply_entry_flags(entry: &mut Entry, flags: &EntryFlags) -> Result<Vec<Note>, CommandError> {
    let mut platform = entry.descriptor.platform.take().unwrap_or_default();
    set_platform(&mut platform, flags);
    let notes = Vec::from_iter(add_variant_prefix(&mut platform, flags));
    // An artifact or an attestation needs no platform, so annotations alone are not checked against one.
    let is_checked = changes_platform(flags) || !changes_entry(flags);
    if is_checked && !flags.force && !platform.is_known_os_arch() {
        return Err(CommandError::UnsupportedPlatform {
            os: flags.os.clone(),
            arch: flags.arch.clone(),
            suggestions: suggested_platform_flags(flags),
        });
    }
    entry.descriptor.platform = Some(platform);
    let annotations = &mut entry.descriptor.annotations;
    annotations.extend(
        flags.annotations.iter().filter(|annotation| annotation.annotates_without_prefix()).map(AnnotationArg::pair),
    );
    annotations.retain(|name, _| !flags.unset_annotations.contains(name));
    if let Some(artifact_type) = &flags.artifact_type {
        entry.descriptor.artifact_type.clone_from(artifact_type);
    }
    Ok(notes)
}

/// The flags that would correct a mistyped operating system or architecture.
fn suggested_platform_flags(flags: &EntryFlags) -> Vec<String> {
    let os = nearest_if_unknown(&flags.os, platform::known_operating_systems());
    let arch = nearest_if_unknown(&flags.arch, platform::known_architectures(None));
    let os = os.map(|os| format!("--os {os}"));
    os.into_iter().chain(arch.map(|arch| format!("--arch {arch}"))).collect()
}

/// The known word that is nearest to an unknown one.
fn nearest_if_unknown<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    if known.contains(&word) { None } else { nearest(word, known) }
}

/// Writes `7` as `v7` if the architecture is arm or arm64, because containerd and the image specification know no other
/// form.
fn add_variant_prefix(platform: &mut Platform, flags: &EntryFlags) -> Option<Note> {
    let number = flags.variant.as_str();
    let is_number =
        number.starts_with(|c: char| matches!(c, '1'..='9')) && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    if !is_number || !matches!(platform.architecture.as_str(), "arm" | "arm64") {
        return None;
    }
    platform.variant = format!("v{number}");
    Some(format!("the variant {number} of {} is written as {}", platform.architecture, platform.variant))
}

fn set_platform(platform: &mut Platform, flags: &EntryFlags) {
    let (architecture, variant) = platform::resolve_architecture_alias(&flags.arch);
    let variant = if flags.variant.is_empty() { variant } else { flags.variant.clone() };
    let os = platform::resolve_os_alias(&flags.os);
    let words = [
        (&os, &mut platform.os),
        (&architecture, &mut platform.architecture),
        (&variant, &mut platform.variant),
        (&flags.os_version, &mut platform.os_version),
    ];
    for (word, field) in words {
        if !word.is_empty() {
            field.clone_from(word);
        }
    }
    let lists = [(&flags.os_features, &mut platform.os_features), (&flags.features, &mut platform.features)];
    for (given, field) in lists {
        for feature in given {
            if !field.contains(feature) {
                field.push(feature.clone());
            }
        }
    }
}

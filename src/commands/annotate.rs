//! `annotate`: what the list will say of one image, or of itself.

use crate::args::{Annotate, EntryFlags, RefArg};
use crate::commands::Context;
use crate::commands::error::CommandError;
use crate::document::{Draft, Entry};
use crate::platform::{self, Platform};
use crate::reference::Reference;

pub(super) fn run(context: &Context, args: &Annotate) -> Result<(), CommandError> {
    let list = args
        .list
        .parsed
        .as_ref()
        .map_err(|source| CommandError::AnnotateListName { typed: args.list.typed.clone(), source: source.clone() })?;
    match &args.image {
        Some(image) => one_image(context, args, list, image),
        None => the_list(context, args, list),
    }
}

fn one_image(context: &Context, args: &Annotate, list: &Reference, typed: &RefArg) -> Result<(), CommandError> {
    let image = typed
        .parsed
        .as_ref()
        .map_err(|source| CommandError::AnnotateImageName { typed: typed.typed.clone(), source: source.clone() })?;
    context.store().change(list, &context.notice(), |before| {
        let missing = || CommandError::NotInList {
            image: typed.typed.clone(),
            list: args.list.typed.clone(),
            drafted: before.is_some(),
        };
        let mut draft = before.cloned().ok_or_else(missing)?;
        let mut entry = draft.get(image).cloned().ok_or_else(missing)?;
        describe(&mut entry, &args.entry)?;
        draft.insert(entry)?;
        Ok(Some(draft))
    })
}

fn the_list(context: &Context, args: &Annotate, list: &Reference) -> Result<(), CommandError> {
    let flags = &args.entry;
    context.store().change(list, &context.notice(), |before| {
        let missing = || CommandError::NotStored(list.to_string());
        let mut draft: Draft = before.cloned().ok_or_else(missing)?;
        draft.annotations.extend(flags.annotations.iter().cloned());
        draft.annotations.retain(|name, _| !flags.unset_annotations.contains(name));
        if let Some(artifact_type) = &flags.artifact_type {
            draft.artifact_type.clone_from(artifact_type);
        }
        Ok(Some(draft))
    })
}

/// Whether any flag says what an image runs on.
fn says_platform(flags: &EntryFlags) -> bool {
    let words = [&flags.os, &flags.arch, &flags.variant, &flags.os_version];
    words.iter().any(|word| !word.is_empty()) || !flags.os_features.is_empty() || !flags.features.is_empty()
}

/// Whether any flag says anything at all.
pub(super) fn says_anything(flags: &EntryFlags) -> bool {
    let annotates = !flags.annotations.is_empty() || !flags.unset_annotations.is_empty();
    says_platform(flags) || annotates || flags.artifact_type.is_some()
}

/// Says of an image what the flags say. A flag that was not given, or given as empty, leaves what is there.
///
/// # Errors
/// A pair of operating system and architecture that nobody knows, unless it is forced.
pub(super) fn describe(entry: &mut Entry, flags: &EntryFlags) -> Result<(), CommandError> {
    let mut platform = entry.descriptor.platform.take().unwrap_or_default();
    set_platform(&mut platform, flags);
    // Annotations alone say nothing of a platform, which an artifact or an attestation need not have.
    let is_at_issue = says_platform(flags) || !says_anything(flags);
    if is_at_issue && !flags.force && !platform.is_known() {
        return Err(CommandError::Platform { os: flags.os.clone(), arch: flags.arch.clone() });
    }
    entry.descriptor.platform = Some(platform);
    let annotations = &mut entry.descriptor.annotations;
    annotations.extend(flags.annotations.iter().cloned());
    annotations.retain(|name, _| !flags.unset_annotations.contains(name));
    if let Some(artifact_type) = &flags.artifact_type {
        entry.descriptor.artifact_type.clone_from(artifact_type);
    }
    Ok(())
}

fn set_platform(platform: &mut Platform, flags: &EntryFlags) {
    let (architecture, variant) = platform::typed_architecture(&flags.arch);
    let variant = if flags.variant.is_empty() { variant } else { flags.variant.clone() };
    let os = platform::typed_operating_system(&flags.os);
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

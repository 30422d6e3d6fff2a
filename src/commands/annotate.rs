//! `annotate`: what the list will say of one image's platform.

use crate::args::{Annotate, EntryFlags};
use crate::commands::Context;
use crate::commands::error::CommandError;
use crate::document::Entry;

pub(super) fn run(context: &Context, args: &Annotate) -> Result<(), CommandError> {
    let list = args
        .list
        .parsed
        .as_ref()
        .map_err(|source| CommandError::AnnotateListName { typed: args.list.typed.clone(), source: source.clone() })?;
    let Some(named) = &args.image else { return Err(CommandError::Unbuilt("annotate of a list")) };
    let image = named
        .parsed
        .as_ref()
        .map_err(|source| CommandError::AnnotateImageName { typed: named.typed.clone(), source: source.clone() })?;
    context.store().change(list, &context.notice(), |before| {
        let missing = || CommandError::NotInList {
            image: named.typed.clone(),
            list: args.list.typed.clone(),
            drafted: before.is_some(),
        };
        let mut draft = before.cloned().ok_or_else(missing)?;
        let mut entry = draft.get(image).cloned().ok_or_else(missing)?;
        annotate(&mut entry, &args.entry)?;
        draft.insert(entry)?;
        Ok(Some(draft))
    })
}

/// A flag that was not given, or given as empty, leaves what is there.
fn annotate(entry: &mut Entry, args: &EntryFlags) -> Result<(), CommandError> {
    let platform = entry.descriptor.platform.get_or_insert_default();
    let flags = [
        (&args.os, &mut platform.os),
        (&args.arch, &mut platform.architecture),
        (&args.variant, &mut platform.variant),
        (&args.os_version, &mut platform.os_version),
    ];
    for (flag, field) in flags {
        if !flag.is_empty() {
            field.clone_from(flag);
        }
    }
    for feature in &args.os_features {
        if !platform.os_features.contains(feature) {
            platform.os_features.push(feature.clone());
        }
    }
    if !platform.is_known() {
        return Err(CommandError::Platform { os: args.os.clone(), arch: args.arch.clone() });
    }
    Ok(())
}

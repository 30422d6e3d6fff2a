//! Hints: what the user can do about a failure. Failures of commands are here; those of registries, and of the store
//! and its documents, have their own modules.

mod files;
mod reference;
mod registry;
mod shared_drafts;
mod store;

pub(crate) use shared_drafts::entry_cleanup_hint;

use std::path::Path;

use crate::cli::args::Suggestion;
use crate::content::LayoutError;
use crate::core::error::CommandError;
use crate::core::list_conflict::ListConflict;
use crate::core::missing_child::ParentList;
use crate::core::shim::ShimError;
use crate::core::spec_origin::SpecOrigin;
use crate::location::LayoutReference;

/// The text of a suggestion.
pub(super) fn suggestion(suggestion: &Suggestion) -> String {
    match suggestion {
        Suggestion::Name(word) => format!("did you mean '{word}'?"),
        Suggestion::CreateWithoutImages => {
            "create --empty LIST creates a draft without images; --from reads what a build wrote about its images"
                .into()
        }
        Suggestion::FlagOfOtherCommands { flag, verbs, before_command } => {
            let advice = if *before_command { "; put it after the command" } else { "" };
            format!("'{flag}' is a flag of {}{advice}", verbs.join(", "))
        }
    }
}

/// The hints for one failure. `certs_d` is the directory of certificates for registries.
pub(super) fn hints(error: &CommandError, certs_d: &Path) -> Vec<String> {
    let hint = match error {
        CommandError::InvalidName { typed, .. } => return reference::invalid(typed),
        CommandError::DraftExists { list, is_push: true } => {
            format!("{list} exists as a draft: publish it with push {list}, or delete it with rm {list}")
        }
        CommandError::DraftExists { list, is_push: false } => {
            format!("{list} exists as a draft: use --amend to add images to it, or --replace to replace it")
        }
        CommandError::ImageNotInList { suggestion: Some(near), .. }
        | CommandError::InspectImageMissing { suggestion: Some(near), .. } => {
            format!("did you mean '{near}'?")
        }
        CommandError::ImageNotInList { list, has_draft: true, .. } | CommandError::InspectImageMissing { list, .. } => {
            format!("inspect {list} shows its images")
        }
        CommandError::ImageNotInList { list, has_draft: false, .. } => {
            format!("there is no draft {list}: create it first")
        }
        CommandError::UnsupportedPlatform { suggestions: near, .. } if !near.is_empty() => {
            format!("did you mean '{}'? --force allows any other pair", near.join(" "))
        }
        CommandError::UnsupportedPlatform { .. } => {
            "use Go's names, for example: --os linux --arch amd64; --force sets any other".into()
        }
        CommandError::AllImagesRemoved(_) => {
            "a list has at least one image: add another one first, or delete the tag with the registry's own tools"
                .into()
        }
        CommandError::EmptyDraft(list) => format!("the draft has no images: add some with add {list} …"),
        CommandError::NoSuchDraftOrImage(_) => "create makes a draft; rm or push --purge deletes it".into(),
        CommandError::IsList(reference) => {
            format!("inspect {reference} shows its images: name them, as REPOSITORY@DIGEST")
        }
        CommandError::NoSuchPlatform { available, .. } if available.is_empty() => {
            "none of its images states a platform".into()
        }
        CommandError::NoSuchPlatform { available, .. } => format!("available: {}", available.join(", ")),
        CommandError::Limit(_) => "name the images that you want, as REPOSITORY@DIGEST".into(),
        CommandError::TemplateOfDraft(_) => "inspect --remote shows what is published".into(),
        CommandError::UnusableReferrers { .. } => "--referrers drop publishes the list without them".into(),
        CommandError::AmbiguousDigest { .. } => "give more digits".into(),
        CommandError::SeveralImages { .. } => "name one of them by its reference, its digest or its platform".into(),
        CommandError::Blob(source) if source.is_missing_in_sources() => format!(
            "the blob is not in {} any more: push the image there again, or remove it from the list",
            source.sources.join(" and ")
        ),
        CommandError::MissingChild(missing) if missing.parent == ParentList::Published => {
            "push that image again, or name the platforms that you want with --platform (in a file: platform)".into()
        }
        CommandError::NoSuchContent { .. } | CommandError::MissingChild(_) => {
            "push the image there again, or remove it from the list".into()
        }
        CommandError::DuplicatePlatforms { origin, .. } => match origin {
            SpecOrigin::Draft => {
                "remove the extra images with remove, or give the images different platforms with annotate"
            }
            SpecOrigin::File => "remove the extra images from the file, or give the images different platforms there",
            SpecOrigin::Images => "name one image for each platform",
            SpecOrigin::SharedDraft => "remove one of them with remove --shared",
            SpecOrigin::Flags => {
                "name each platform once in --platforms, or give the images different platforms in a file (-f)"
            }
        }
        .into(),
        CommandError::OneListOnly { .. } => "--format json prints the digests of all, in their order".into(),
        CommandError::ListTooLarge { .. } => "shorten its annotations, or leave images out".into(),
        CommandError::OtherDigestInName { .. } => "name a tag instead of the digest".into(),
        CommandError::NotAList(image) if LayoutReference::parse(image).is_some() => {
            format!("publish a list of it with: create --push LIST {image}")
        }
        CommandError::NotAList(image) => format!("make a list of it with: create LIST {image}"),
        CommandError::Partial { error: cause, .. } => {
            return cause.each().iter().flat_map(|error| hints(error, certs_d)).collect();
        }
        CommandError::ResultFile { .. } => "name a file in a directory that is there and writable".into(),
        CommandError::InvalidDraft(source) | CommandError::UndisplayableDraft(source) => {
            return store::unpublishable_draft(source);
        }
        CommandError::Store(source) => return store::store_error(source),
        CommandError::Layout(source) => match &**source {
            LayoutError::OldDockerArchive { .. } => {
                "save it again with Docker 25 or later, or convert it: skopeo copy docker-archive:FILE oci-archive:NEW"
                    .into()
            }
            LayoutError::InUse { .. } => "wait longer with --timeout".into(),
            LayoutError::Replaced { .. } => "run the same command again: it starts from what is there now".into(),
            _ => return Vec::new(),
        },
        CommandError::Conflict(conflict) => match &**conflict {
            ListConflict::DraftExists { list } => format!("change the draft, then publish it with: push {list}"),
            ListConflict::Moved { .. } => "run the same command again: it starts from what is published now".into(),
            ListConflict::ReplacedAfterPush { list, .. } => {
                format!("inspect --remote {list} shows what is left of the change")
            }
            ListConflict::NamedByDigest { .. } => "name a tag, under which any list can be published".into(),
        },
        CommandError::File(source) => return files::file_error(source).into_iter().collect(),
        CommandError::NoSuchManifest { reference, source } => return registry::not_served(reference, source),
        CommandError::NoSuchList { list, may_be_hidden, source } => {
            return registry::no_list(list, *may_be_hidden, source);
        }
        CommandError::DigestMismatch { reference, by_tag: true, .. } => reference::tag_moved(reference),
        CommandError::Put { media_type, source, .. } => {
            return registry::refused_manifest(media_type, source, certs_d);
        }
        CommandError::NoListFormatAccepted(_) => {
            "the table has the registry's own messages; its operators may be able to allow lists".into()
        }
        CommandError::Incomplete { list, origin, missing, extra } => {
            return incomplete_list(list, *origin, missing, extra);
        }
        CommandError::NoManPage(_) => "help lists the commands".into(),
        CommandError::SharedDraft(source) => return shared_drafts::shared_draft_error(source, certs_d),
        CommandError::Shim(source) => return shim(source),
        CommandError::Output(_) => "only the output failed: the command's changes were made".into(),
        _ => match error.failure_data().registry_error {
            Some(source) => return registry::failed_request(source, certs_d),
            None => return Vec::new(),
        },
    };
    vec![hint]
}

/// The hint of a shim that finds no docker after itself on the PATH: this one comes before it.
pub(crate) fn docker_before_shim_on_path(docker: &Path) -> String {
    format!("{} comes before it on the PATH", docker.display())
}

/// The hints about a shim that cannot be installed or removed.
fn shim(error: &ShimError) -> Vec<String> {
    let hint = match error {
        ShimError::Foreign { writable_dirs, .. } => match writable_dirs.last().map(|dir| dir.display()) {
            Some(dir) => format!("{dir} comes before it on the PATH: shim install --dir {dir}"),
            None => "name another directory with --dir, one that comes before it on the PATH".into(),
        },
        ShimError::Absent(_) => "shim status shows where there is one".into(),
        ShimError::NoHome => "name a directory with --dir".into(),
        ShimError::Program(_) | ShimError::Io { .. } => return Vec::new(),
    };
    vec![hint]
}

fn incomplete_list(list: &str, origin: SpecOrigin, missing: &[String], extra: &[String]) -> Vec<String> {
    let (add, remove) = match origin {
        SpecOrigin::Draft => (
            format!("add what is missing with: add {list} IMAGE"),
            format!("remove what is extra with: remove {list} {}", extra.join(" ")),
        ),
        SpecOrigin::File => (
            format!("add an image for what is missing to the manifests of {list} in its file"),
            format!("remove what is extra from the manifests of {list} in its file, or require it as well"),
        ),
        SpecOrigin::SharedDraft => (
            format!("each machine adds its image with: add --shared {list} IMAGE; push --wait waits for them"),
            format!("remove what is extra with: remove --shared {list} {}", extra.join(" ")),
        ),
        SpecOrigin::Flags => (
            "add what is missing to --platforms".to_owned(),
            "remove what is extra from --platforms, or require it as well".to_owned(),
        ),
        SpecOrigin::Images => (
            "name an image for what is missing as well, or a file that has it (--from)".to_owned(),
            "leave out what is extra, or require it as well".to_owned(),
        ),
    };
    [(missing, add), (extra, remove)]
        .into_iter()
        .filter(|(platforms, _)| !platforms.is_empty())
        .map(|(_, hint)| hint)
        .collect()
}

//! Hints about files that name images (`--from`).

use crate::core::file_error::FileError;
use crate::model::build_output::BuildOutputError;

/// The hint about a file that cannot be used.
pub(super) fn file_error(error: &FileError) -> Option<String> {
    let hint = match error {
        FileError::UnsupportedKind { .. } => "name the file itself; '-' reads standard input",
        FileError::NotAFile { .. } => "name a regular file itself",
        FileError::EmptyDirectory { .. } => "no build wrote its digest there, or its files were not copied here",
        FileError::LayoutAsDigestDirectory { path } => {
            return Some(format!("name it as an image: oci-layout://{}", path.display()));
        }
        FileError::NotADigestFile { .. } | FileError::NotADigestDirectory { .. } => {
            "keep the digests in a directory of their own; files with digests in them are named one by one, each with \
             --from"
        }
        FileError::ImageId { .. } => "an --iidfile contains image ids: use --digestfile, or buildx's --metadata-file",
        FileError::SizeMismatch { .. } => {
            "the file was changed after the build wrote it, or mixes two images: copy it again"
        }
        FileError::TwoImagesForPlatform { .. } => {
            "one of them is left from an earlier build, or is of another target: remove it, or choose with --target"
        }
        FileError::ImageNotFetched { .. } => {
            "the image was never pushed there, or was deleted; name another repository with --repository"
        }
        FileError::NoTargets(_) => "leave --target out: no file names targets",
        FileError::InvalidContent { source, .. } => return build_output_error(source).map(ToOwned::to_owned),
        FileError::DuplicateTitle { .. } => "give the files other names with --artifact-title, one for each --artifact",
        FileError::NotAnArtifactFile { .. } | FileError::TooLarge { .. } | FileError::TooManyFiles { .. } => {
            return None;
        }
    };
    Some(hint.to_owned())
}

fn build_output_error(error: &BuildOutputError) -> Option<&'static str> {
    Some(match error {
        BuildOutputError::Empty => "the step that writes it has failed, or has pushed nothing",
        BuildOutputError::Utf16 => "PowerShell writes UTF-8 with: Out-File -Encoding utf8",
        BuildOutputError::InvalidLine { .. } | BuildOutputError::UnknownJson(_) => {
            "it should contain sha256:…, REPOSITORY@sha256:…, or the JSON of buildx, bake, kaniko, jib or goreleaser"
        }
        BuildOutputError::MissingDigest { .. } => "name it on the command line, where a tag is enough",
        BuildOutputError::NotPushed(_) => "build it again with a push",
        BuildOutputError::NotPublished { .. } => "publish it first with push",
        BuildOutputError::SeveralTargets(_) => "choose one with --target, or repeat it to choose several",
        BuildOutputError::TargetsWithoutDigest(_) => "build with --push: what is only loaded or cached has no digest",
        _ => return None,
    })
}

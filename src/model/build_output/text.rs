//! Text files: a digest, a reference with a digest, or a checksum as of `sha256sum` and goreleaser on each line.

use super::{BuildOutput, BuildOutputError, BuiltImage, ImageSelection};
use crate::digest::Digest;
use crate::model::spec::{self, Dialect, Spec};
use crate::reference::Reference;

/// The text of a file, without a UTF-8 byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, BuildOutputError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(BuildOutputError::Utf16);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        BuildOutputError::NotUtf8 { line: valid.iter().filter(|byte| **byte == b'\n').count() + 1 }
    })
}

pub(super) fn read(text: &str, selection: &ImageSelection<'_>) -> Result<BuildOutput, BuildOutputError> {
    if is_spec(text) {
        return read_spec(text);
    }
    let lines: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty())
        .collect();
    let mut images = Vec::with_capacity(lines.len());
    for (number, line) in &lines {
        let position = if lines.len() == 1 { String::new() } else { format!("line {number}") };
        let reference = parse_line(line, selection).map_err(|error| match error {
            LineError::NotAReference => BuildOutputError::InvalidLine { line: *number, text: (*line).to_owned() },
            LineError::NoDigest => {
                BuildOutputError::MissingDigest { position: format!("line {number}"), name: (*line).to_owned() }
            }
        })?;
        images.push(BuiltImage { reference, position, size: None });
    }
    Ok(BuildOutput { images, ..BuildOutput::default() })
}

/// Why a line is not an image reference with a digest.
pub(super) enum LineError {
    /// It is a reference, and has no digest.
    NoDigest,
    /// It is not a reference.
    NotAReference,
}

/// The image on a line: `sha256:H`, `reg/app@sha256:H`, `reg/app:1@sha256:H`, or `H  reg/app:1`.
pub(super) fn parse_line(line: &str, selection: &ImageSelection<'_>) -> Result<Reference, LineError> {
    if let Ok(digest) = line.parse::<Digest>() {
        return Ok(selection.default_repository.at_digest(&digest));
    }
    // GNU's `sha256sum` has a second space or an asterisk before the name.
    if let Some((hex, name)) = line.split_once(' ') {
        let name = name.trim_start();
        let name = name.strip_prefix('*').unwrap_or(name);
        let digest = format!("sha256:{hex}").parse::<Digest>().map_err(|_| LineError::NotAReference)?;
        let tagged = Reference::parse(name).map_err(|_| LineError::NotAReference)?;
        return if tagged.digest().is_none_or(|stated| *stated == digest) {
            Ok(tagged.repository().at_digest(&digest))
        } else {
            Err(LineError::NotAReference)
        };
    }
    // Otherwise `sha256:abc`, a digest that is cut off, would be the image `sha256` with the tag `abc`.
    let is_cut_off = ["sha256:", "sha384:", "sha512:"].iter().any(|algorithm| line.starts_with(algorithm));
    match Reference::parse(line) {
        Ok(_) if is_cut_off => Err(LineError::NotAReference),
        Ok(reference) => {
            reference.digest().map(|digest| reference.repository().at_digest(digest)).ok_or(LineError::NoDigest)
        }
        Err(_) => Err(LineError::NotAReference),
    }
}

/// Whether the text is a spec file, which `export` writes and `apply` reads.
fn is_spec(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("manifests:"))
}

/// Reads the images of a spec file. Every image must have a digest, as in the output of `export`.
pub(super) fn read_spec(text: &str) -> Result<BuildOutput, BuildOutputError> {
    let read = spec::parse(text, "from", Dialect::Native, &|_| None);
    let specs = read.map_err(|error| BuildOutputError::InvalidSpec(error.to_string()))?.specs;
    let (mut output, mut has_ignored_fields) = (BuildOutput::default(), false);
    for Spec { manifests, .. } in specs {
        for (number, entry) in manifests.iter().enumerate() {
            let position = format!("image {} of `manifests`", number + 1);
            let with_digest = entry.image.reference().and_then(|image| Some((image, image.digest()?)));
            let Some((image, digest)) = with_digest else {
                return Err(BuildOutputError::MissingDigest { position, name: entry.image.to_string() });
            };
            has_ignored_fields |= *entry != spec::SpecEntry::new(entry.image.clone());
            let reference = image.repository().at_digest(digest);
            output.images.push(BuiltImage { reference, position, size: None });
        }
    }
    if has_ignored_fields {
        output.notes.push("only the digests are used, and other fields are ignored; apply reads all of them".into());
    }
    Ok(output)
}

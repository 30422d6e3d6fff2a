//! Files of lines: digests, references with a digest, and what `sha256sum` and goreleaser write.

use super::{BuildOutput, BuildOutputError, BuiltImage, Selection};
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
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        BuildOutputError::Binary { line: good.iter().filter(|byte| **byte == b'\n').count() + 1 }
    })
}

pub(super) fn read(text: &str, selection: &Selection<'_>) -> Result<BuildOutput, BuildOutputError> {
    if is_spec(text) {
        return of_spec(text);
    }
    let lines: Vec<(usize, &str)> =
        text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| !line.is_empty()).collect();
    let mut images = Vec::with_capacity(lines.len());
    for (number, line) in &lines {
        let place = if lines.len() == 1 { String::new() } else { format!("line {number}") };
        let reference = image(line, selection).map_err(|error| match error {
            LineError::NotAReference => BuildOutputError::Line { line: *number, text: (*line).to_owned() },
            LineError::NoDigest => {
                BuildOutputError::NoDigest { place: format!("line {number}"), name: (*line).to_owned() }
            }
        })?;
        images.push(BuiltImage { reference, place, size: None });
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

/// `sha256:H`, `reg/app@sha256:H`, `reg/app:1@sha256:H`, or `H  reg/app:1`.
pub(super) fn image(line: &str, selection: &Selection<'_>) -> Result<Reference, LineError> {
    if let Ok(digest) = line.parse::<Digest>() {
        return Ok(selection.repository.at_digest(&digest));
    }
    // GNU's `sha256sum` has a second space or an asterisk before the name.
    if let Some((hex, name)) = line.split_once(' ') {
        let name = name.trim_start();
        let name = name.strip_prefix('*').unwrap_or(name);
        let digest = format!("sha256:{hex}").parse::<Digest>().map_err(|_| LineError::NotAReference)?;
        let named = Reference::parse(name).map_err(|_| LineError::NotAReference)?;
        return if named.digest().is_none_or(|own| *own == digest) {
            Ok(named.repository().at_digest(&digest))
        } else {
            Err(LineError::NotAReference)
        };
    }
    // Otherwise `sha256:abc`, a digest that is cut off, would be the image `sha256` with the tag `abc`.
    let is_cut_off = ["sha256:", "sha384:", "sha512:"].iter().any(|algorithm| line.starts_with(algorithm));
    match Reference::parse(line) {
        Ok(_) if is_cut_off => Err(LineError::NotAReference),
        Ok(named) => named.digest().map(|digest| named.repository().at_digest(digest)).ok_or(LineError::NoDigest),
        Err(_) => Err(LineError::NotAReference),
    }
}

/// Whether it is a file that `export` writes and `apply` reads.
fn is_spec(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("manifests:"))
}

/// Reads the images of a file for `apply`. Every image must have a digest, as in what `export` writes.
pub(super) fn of_spec(text: &str) -> Result<BuildOutput, BuildOutputError> {
    let read = spec::parse(text, "from", Dialect::Native, &|_| None);
    let specs = read.map_err(|error| BuildOutputError::Spec(error.to_string()))?.specs;
    let (mut output, mut has_ignored_fields) = (BuildOutput::default(), false);
    for Spec { manifests, .. } in specs {
        for (at, entry) in manifests.iter().enumerate() {
            let place = format!("image {} of `manifests`", at + 1);
            let named = entry.image.reference().and_then(|image| Some((image, image.digest()?)));
            let Some((image, digest)) = named else {
                return Err(BuildOutputError::NoDigest { place, name: entry.image.to_string() });
            };
            has_ignored_fields |= *entry != spec::SpecEntry::new(entry.image.clone());
            let reference = image.repository().at_digest(digest);
            output.images.push(BuiltImage { reference, place, size: None });
        }
    }
    if has_ignored_fields {
        output.notes.push("only the digests are used, and other fields are ignored; apply reads all of them".into());
    }
    Ok(output)
}

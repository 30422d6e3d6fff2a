//! The file that docker keeps for an entry. `inspect -v` prints the same JSON.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::descriptor::Descriptor;
use crate::model::error::DocumentError;
use crate::model::json;
use crate::model::manifest::ImageFormat;
use crate::platform::Platform;

/// The members, in docker's order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EntryFile<'a> {
    r#ref: String,
    descriptor: &'a Descriptor,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(rename = "SchemaV2Manifest", skip_serializing_if = "Option::is_none")]
    docker: Option<&'a RawValue>,
    #[serde(rename = "OCIManifest", skip_serializing_if = "Option::is_none")]
    oci: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

/// The bytes of the file, as docker writes it.
///
/// # Errors
/// A manifest that is not JSON.
pub(super) fn encode(
    name: &dyn fmt::Display,
    descriptor: &Descriptor,
    raw: Option<&[u8]>,
    manifest: Option<(ImageFormat, &[u8])>,
    source: Option<String>,
) -> Result<Vec<u8>, DocumentError> {
    let json = manifest.map(|(image_format, json)| raw_value(json).map(|value| (image_format, value))).transpose()?;
    let json_of = |wanted: ImageFormat| {
        json.as_ref().filter(|(image_format, _)| *image_format == wanted).map(|(_, value)| &**value)
    };
    let file = EntryFile {
        r#ref: name.to_string(),
        descriptor,
        raw: raw.filter(|raw| !raw.is_empty()).map(|raw| STANDARD.encode(raw)),
        docker: json_of(ImageFormat::Docker),
        oci: json_of(ImageFormat::Oci),
        source,
    };
    Ok(json::encode(&file)?)
}

/// The bytes of the file of an image that a registry served.
///
/// # Errors
/// A manifest that is not JSON.
pub fn encode_fetched(
    name: &dyn fmt::Display,
    image_format: ImageFormat,
    bytes: &[u8],
    platform: Option<Platform>,
) -> Result<Vec<u8>, DocumentError> {
    let descriptor = Descriptor { platform, ..Descriptor::for_content(image_format.media_type(), bytes) };
    encode(name, &descriptor, Some(bytes), Some((image_format, bytes)), None)
}

fn raw_value(json: &[u8]) -> Result<Box<RawValue>, DocumentError> {
    let text = String::from_utf8_lossy(json);
    Ok(serde_json::from_str(text.trim())?)
}

//! The file that docker keeps for an entry, which `inspect -v` prints too.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::descriptor::Descriptor;
use crate::model::error::DocumentError;
use crate::model::json;
use crate::model::manifest::Schema;
use crate::platform::Platform;

/// The members, in docker's order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct File<'a> {
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

/// What a file says, in parts.
pub(super) struct FileParts<'a> {
    pub(super) name: &'a dyn fmt::Display,
    pub(super) descriptor: &'a Descriptor,
    pub(super) raw: Option<&'a [u8]>,
    pub(super) manifest: Option<(Schema, &'a [u8])>,
    pub(super) source: Option<String>,
}

impl FileParts<'_> {
    /// The file, byte for byte as docker writes it.
    ///
    /// # Errors
    /// A manifest that is not JSON.
    pub(super) fn encode(self) -> Result<Vec<u8>, DocumentError> {
        let json = self.manifest.map(|(schema, json)| raw_value(json).map(|value| (schema, value))).transpose()?;
        let of = |wanted: Schema| json.as_ref().filter(|(schema, _)| *schema == wanted).map(|(_, value)| &**value);
        let file = File {
            r#ref: self.name.to_string(),
            descriptor: self.descriptor,
            raw: self.raw.filter(|raw| !raw.is_empty()).map(|raw| STANDARD.encode(raw)),
            docker: of(Schema::Docker),
            oci: of(Schema::Oci),
            source: self.source,
        };
        Ok(json::encode(&file)?)
    }
}

/// The file of an image that was fetched under any name.
///
/// # Errors
/// A manifest that is not JSON.
pub fn encode_fetched(
    name: &dyn fmt::Display,
    schema: Schema,
    bytes: &[u8],
    platform: Option<Platform>,
) -> Result<Vec<u8>, DocumentError> {
    let descriptor = &Descriptor { platform, ..Descriptor::of(schema.media_type(), bytes) };
    FileParts { name, descriptor, raw: Some(bytes), manifest: Some((schema, bytes)), source: None }.encode()
}

fn raw_value(json: &[u8]) -> Result<Box<RawValue>, DocumentError> {
    let text = String::from_utf8_lossy(json);
    Ok(serde_json::from_str(text.trim())?)
}

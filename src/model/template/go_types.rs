//! The Go types of the values in a template. Each member has its name in Go, which templates use, and its name in JSON.
//!
//! The members are those of `imagetools inspect` in buildx and of the Go package of the image-spec, in the same order.

/// The type of a value.
#[derive(Debug)]
pub(super) enum GoType {
    /// Anything that JSON can hold.
    Any,
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Bool,
    /// A value of this type, or none.
    Pointer(&'static GoType),
    /// A list of values of one type.
    List(&'static GoType),
    /// Values of one type by name.
    Map(&'static GoType),
    /// Members with types of their own.
    Struct(&'static GoStruct),
}

/// A type with members.
#[derive(Debug)]
pub(super) struct GoStruct {
    /// The name in messages.
    pub(super) name: &'static str,
    pub(super) members: &'static [GoMember],
}

/// A member of a type.
#[derive(Debug)]
pub(super) struct GoMember {
    /// The name in a template.
    pub(super) name: &'static str,
    /// The name in JSON; empty if JSON does not have the member.
    pub(super) json: &'static str,
    pub(super) go_type: &'static GoType,
    /// Whether JSON omits the member if it is empty.
    pub(super) is_optional: bool,
}

const fn required(name: &'static str, json: &'static str, go_type: &'static GoType) -> GoMember {
    GoMember { name, json, go_type, is_optional: false }
}

const fn optional(name: &'static str, json: &'static str, go_type: &'static GoType) -> GoMember {
    GoMember { name, json, go_type, is_optional: true }
}

/// A method in buildx: only templates have it.
const fn method(name: &'static str, go_type: &'static GoType) -> GoMember {
    GoMember { name, json: "", go_type, is_optional: true }
}

pub(super) static ANY: GoType = GoType::Any;
pub(super) static TEXT: GoType = GoType::Text;
pub(super) static NUMBER: GoType = GoType::Number;
static BOOL: GoType = GoType::Bool;
static TIME: GoType = GoType::Pointer(&TEXT);
static TEXTS: GoType = GoType::List(&TEXT);
static TEXT_MAP: GoType = GoType::Map(&TEXT);
static ANY_LIST: GoType = GoType::List(&ANY);
static EMPTY_STRUCT: GoType = GoType::Struct(&GoStruct { name: "struct", members: &[] });
static NAMES: GoType = GoType::Map(&EMPTY_STRUCT);

static PLATFORM: GoType = GoType::Struct(&GoStruct {
    name: "Platform",
    members: &[
        required("Architecture", "architecture", &TEXT),
        required("OS", "os", &TEXT),
        optional("OSVersion", "os.version", &TEXT),
        optional("OSFeatures", "os.features", &TEXTS),
        optional("Variant", "variant", &TEXT),
    ],
});
static PLATFORM_POINTER: GoType = GoType::Pointer(&PLATFORM);

pub(super) static DESCRIPTOR: GoType = GoType::Struct(&GoStruct {
    name: "Descriptor",
    members: &[
        required("MediaType", "mediaType", &TEXT),
        required("Digest", "digest", &TEXT),
        required("Size", "size", &NUMBER),
        optional("URLs", "urls", &TEXTS),
        optional("Annotations", "annotations", &TEXT_MAP),
        optional("Data", "data", &TEXT),
        optional("Platform", "platform", &PLATFORM_POINTER),
        optional("ArtifactType", "artifactType", &TEXT),
    ],
});
static DESCRIPTORS: GoType = GoType::List(&DESCRIPTOR);

pub(super) static INDEX: GoType = GoType::Struct(&GoStruct {
    name: "Index",
    members: &[
        required("SchemaVersion", "schemaVersion", &NUMBER),
        optional("MediaType", "mediaType", &TEXT),
        required("Digest", "digest", &TEXT),
        required("Size", "size", &NUMBER),
        required("Manifests", "manifests", &DESCRIPTORS),
        optional("Annotations", "annotations", &TEXT_MAP),
    ],
});

static CONFIG: GoType = GoType::Struct(&GoStruct {
    name: "ImageConfig",
    members: &[
        optional("User", "User", &TEXT),
        optional("ExposedPorts", "ExposedPorts", &NAMES),
        optional("Env", "Env", &TEXTS),
        optional("Entrypoint", "Entrypoint", &TEXTS),
        optional("Cmd", "Cmd", &TEXTS),
        optional("Volumes", "Volumes", &NAMES),
        optional("WorkingDir", "WorkingDir", &TEXT),
        optional("Labels", "Labels", &TEXT_MAP),
        optional("StopSignal", "StopSignal", &TEXT),
        optional("ArgsEscaped", "ArgsEscaped", &BOOL),
    ],
});
static ROOT_FILESYSTEM: GoType = GoType::Struct(&GoStruct {
    name: "RootFS",
    members: &[required("Type", "type", &TEXT), required("DiffIDs", "diff_ids", &TEXTS)],
});
static HISTORY: GoType = GoType::List(&GoType::Struct(&GoStruct {
    name: "History",
    members: &[
        optional("Created", "created", &TIME),
        optional("CreatedBy", "created_by", &TEXT),
        optional("Author", "author", &TEXT),
        optional("Comment", "comment", &TEXT),
        optional("EmptyLayer", "empty_layer", &BOOL),
    ],
}));
static IMAGE: GoType = GoType::Struct(&GoStruct {
    name: "Image",
    members: &[
        optional("Created", "created", &TIME),
        optional("Author", "author", &TEXT),
        required("Architecture", "architecture", &TEXT),
        required("OS", "os", &TEXT),
        optional("OSVersion", "os.version", &TEXT),
        optional("OSFeatures", "os.features", &TEXTS),
        optional("Variant", "variant", &TEXT),
        optional("Config", "config", &CONFIG),
        required("RootFS", "rootfs", &ROOT_FILESYSTEM),
        optional("History", "history", &HISTORY),
    ],
});
pub(super) static IMAGE_POINTER: GoType = GoType::Pointer(&IMAGE);
static IMAGES: GoType = GoType::Map(&IMAGE);

pub(super) static PROVENANCE: GoType =
    GoType::Struct(&GoStruct { name: "Provenance", members: &[optional("SLSA", "SLSA", &ANY)] });
static PROVENANCES: GoType = GoType::Map(&PROVENANCE);
pub(super) static SBOM: GoType = GoType::Struct(&GoStruct {
    name: "SBOM",
    members: &[optional("SPDX", "SPDX", &ANY), optional("AdditionalSPDXs", "AdditionalSPDXs", &ANY_LIST)],
});
static SBOMS: GoType = GoType::Map(&SBOM);

/// Names of members of the outermost value in a template.
pub(super) const IMAGE_MEMBER: &str = "Image";
pub(super) const PROVENANCE_MEMBER: &str = "Provenance";
pub(super) const SBOM_MEMBER: &str = "SBOM";

/// The members of the outermost value, whose name in messages is `image`.
const fn root(
    manifest: &'static GoType,
    image: &'static GoType,
    provenance: &'static GoType,
    sbom: &'static GoType,
) -> [GoMember; 5] {
    [
        optional("Name", "name", &TEXT),
        optional("Manifest", "manifest", manifest),
        optional(IMAGE_MEMBER, "image", image),
        method(PROVENANCE_MEMBER, provenance),
        method(SBOM_MEMBER, sbom),
    ]
}

/// The outermost value of a template that is not executed yet.
pub(super) static ROOT_UNKNOWN: GoStruct = GoStruct { name: "image", members: &root(&ANY, &ANY, &ANY, &ANY) };
/// The outermost value for an image.
pub(super) static ROOT_IMAGE: GoStruct =
    GoStruct { name: "image", members: &root(&DESCRIPTOR, &IMAGE_POINTER, &PROVENANCE, &SBOM) };
/// The outermost value for a list with one platform.
pub(super) static ROOT_ONE_PLATFORM: GoStruct =
    GoStruct { name: "image", members: &root(&INDEX, &IMAGE_POINTER, &PROVENANCE, &SBOM) };
/// The outermost value for a list with several platforms.
pub(super) static ROOT_PLATFORMS: GoStruct =
    GoStruct { name: "image", members: &root(&INDEX, &IMAGES, &PROVENANCES, &SBOMS) };

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
    Int,
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
    pub(super) omits_empty: bool,
}

const fn member(name: &'static str, json: &'static str, go_type: &'static GoType) -> GoMember {
    GoMember { name, json, go_type, omits_empty: false }
}

const fn omitempty_member(name: &'static str, json: &'static str, go_type: &'static GoType) -> GoMember {
    GoMember { name, json, go_type, omits_empty: true }
}

/// A method in buildx: only templates have it.
const fn method(name: &'static str, go_type: &'static GoType) -> GoMember {
    GoMember { name, json: "", go_type, omits_empty: true }
}

pub(super) static ANY: GoType = GoType::Any;
pub(super) static TEXT: GoType = GoType::Text;
pub(super) static INT: GoType = GoType::Int;
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
        member("Architecture", "architecture", &TEXT),
        member("OS", "os", &TEXT),
        omitempty_member("OSVersion", "os.version", &TEXT),
        omitempty_member("OSFeatures", "os.features", &TEXTS),
        omitempty_member("Variant", "variant", &TEXT),
    ],
});
static PLATFORM_POINTER: GoType = GoType::Pointer(&PLATFORM);

pub(super) static DESCRIPTOR: GoType = GoType::Struct(&GoStruct {
    name: "Descriptor",
    members: &[
        member("MediaType", "mediaType", &TEXT),
        member("Digest", "digest", &TEXT),
        member("Size", "size", &INT),
        omitempty_member("URLs", "urls", &TEXTS),
        omitempty_member("Annotations", "annotations", &TEXT_MAP),
        omitempty_member("Data", "data", &TEXT),
        omitempty_member("Platform", "platform", &PLATFORM_POINTER),
        omitempty_member("ArtifactType", "artifactType", &TEXT),
    ],
});
static DESCRIPTORS: GoType = GoType::List(&DESCRIPTOR);

pub(super) static INDEX: GoType = GoType::Struct(&GoStruct {
    name: "Index",
    members: &[
        member("SchemaVersion", "schemaVersion", &INT),
        omitempty_member("MediaType", "mediaType", &TEXT),
        member("Digest", "digest", &TEXT),
        member("Size", "size", &INT),
        member("Manifests", "manifests", &DESCRIPTORS),
        omitempty_member("Annotations", "annotations", &TEXT_MAP),
    ],
});

static CONFIG: GoType = GoType::Struct(&GoStruct {
    name: "ImageConfig",
    members: &[
        omitempty_member("User", "User", &TEXT),
        omitempty_member("ExposedPorts", "ExposedPorts", &NAMES),
        omitempty_member("Env", "Env", &TEXTS),
        omitempty_member("Entrypoint", "Entrypoint", &TEXTS),
        omitempty_member("Cmd", "Cmd", &TEXTS),
        omitempty_member("Volumes", "Volumes", &NAMES),
        omitempty_member("WorkingDir", "WorkingDir", &TEXT),
        omitempty_member("Labels", "Labels", &TEXT_MAP),
        omitempty_member("StopSignal", "StopSignal", &TEXT),
        omitempty_member("ArgsEscaped", "ArgsEscaped", &BOOL),
    ],
});
static ROOT_FILESYSTEM: GoType = GoType::Struct(&GoStruct {
    name: "RootFS",
    members: &[member("Type", "type", &TEXT), member("DiffIDs", "diff_ids", &TEXTS)],
});
static HISTORY: GoType = GoType::List(&GoType::Struct(&GoStruct {
    name: "History",
    members: &[
        omitempty_member("Created", "created", &TIME),
        omitempty_member("CreatedBy", "created_by", &TEXT),
        omitempty_member("Author", "author", &TEXT),
        omitempty_member("Comment", "comment", &TEXT),
        omitempty_member("EmptyLayer", "empty_layer", &BOOL),
    ],
}));
static IMAGE: GoType = GoType::Struct(&GoStruct {
    name: "Image",
    members: &[
        omitempty_member("Created", "created", &TIME),
        omitempty_member("Author", "author", &TEXT),
        member("Architecture", "architecture", &TEXT),
        member("OS", "os", &TEXT),
        omitempty_member("OSVersion", "os.version", &TEXT),
        omitempty_member("OSFeatures", "os.features", &TEXTS),
        omitempty_member("Variant", "variant", &TEXT),
        omitempty_member("Config", "config", &CONFIG),
        member("RootFS", "rootfs", &ROOT_FILESYSTEM),
        omitempty_member("History", "history", &HISTORY),
    ],
});
pub(super) static IMAGE_POINTER: GoType = GoType::Pointer(&IMAGE);
static IMAGES: GoType = GoType::Map(&IMAGE);

pub(super) static PROVENANCE: GoType =
    GoType::Struct(&GoStruct { name: "Provenance", members: &[omitempty_member("SLSA", "SLSA", &ANY)] });
static PROVENANCES: GoType = GoType::Map(&PROVENANCE);
pub(super) static SBOM: GoType = GoType::Struct(&GoStruct {
    name: "SBOM",
    members: &[
        omitempty_member("SPDX", "SPDX", &ANY),
        omitempty_member("AdditionalSPDXs", "AdditionalSPDXs", &ANY_LIST),
    ],
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
        omitempty_member("Name", "name", &TEXT),
        omitempty_member("Manifest", "manifest", manifest),
        omitempty_member(IMAGE_MEMBER, "image", image),
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
pub(super) static ROOT_SINGLE_PLATFORM_LIST: GoStruct =
    GoStruct { name: "image", members: &root(&INDEX, &IMAGE_POINTER, &PROVENANCE, &SBOM) };
/// The outermost value for a list with several platforms.
pub(super) static ROOT_MULTI_PLATFORM_LIST: GoStruct =
    GoStruct { name: "image", members: &root(&INDEX, &IMAGES, &PROVENANCES, &SBOMS) };

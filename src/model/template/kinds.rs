//! The types of what a template sees: Go's names of their members, which a template types, and their names in JSON.
//!
//! The members are those of buildx's `imagetools inspect` and of the image-spec's Go package, in its order.

/// The type of a value.
#[derive(Debug)]
pub(super) enum Kind {
    /// Anything that JSON can hold.
    Any,
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// Missing, or a value of this type.
    Pointer(&'static Kind),
    /// Values of one type in an order.
    List(&'static Kind),
    /// Values of one type by names.
    Map(&'static Kind),
    /// Members with types of their own.
    Struct(&'static Struct),
}

/// A type with members.
#[derive(Debug)]
pub(super) struct Struct {
    /// Its name in messages.
    pub(super) name: &'static str,
    pub(super) members: &'static [Member],
}

/// A member of a type.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name in a template.
    pub(super) name: &'static str,
    /// Its name in JSON; empty if JSON does not have it.
    pub(super) json: &'static str,
    pub(super) kind: &'static Kind,
    /// Whether JSON leaves it out if it is empty.
    pub(super) is_optional: bool,
}

const fn always(name: &'static str, json: &'static str, kind: &'static Kind) -> Member {
    Member { name, json, kind, is_optional: false }
}

const fn optional(name: &'static str, json: &'static str, kind: &'static Kind) -> Member {
    Member { name, json, kind, is_optional: true }
}

/// What buildx computes when a template names it.
const fn method(name: &'static str, kind: &'static Kind) -> Member {
    Member { name, json: "", kind, is_optional: true }
}

pub(super) static ANY: Kind = Kind::Any;
pub(super) static TEXT: Kind = Kind::Text;
pub(super) static NUMBER: Kind = Kind::Number;
static FLAG: Kind = Kind::Flag;
static TIME: Kind = Kind::Pointer(&TEXT);
static TEXTS: Kind = Kind::List(&TEXT);
static TEXT_MAP: Kind = Kind::Map(&TEXT);
static ANYTHINGS: Kind = Kind::List(&ANY);
static NOTHING: Kind = Kind::Struct(&Struct { name: "struct", members: &[] });
static NAMES: Kind = Kind::Map(&NOTHING);

static PLATFORM: Kind = Kind::Struct(&Struct {
    name: "Platform",
    members: &[
        always("Architecture", "architecture", &TEXT),
        always("OS", "os", &TEXT),
        optional("OSVersion", "os.version", &TEXT),
        optional("OSFeatures", "os.features", &TEXTS),
        optional("Variant", "variant", &TEXT),
    ],
});
static A_PLATFORM: Kind = Kind::Pointer(&PLATFORM);

pub(super) static DESCRIPTOR: Kind = Kind::Struct(&Struct {
    name: "Descriptor",
    members: &[
        always("MediaType", "mediaType", &TEXT),
        always("Digest", "digest", &TEXT),
        always("Size", "size", &NUMBER),
        optional("URLs", "urls", &TEXTS),
        optional("Annotations", "annotations", &TEXT_MAP),
        optional("Data", "data", &TEXT),
        optional("Platform", "platform", &A_PLATFORM),
        optional("ArtifactType", "artifactType", &TEXT),
    ],
});
static DESCRIPTORS: Kind = Kind::List(&DESCRIPTOR);

pub(super) static INDEX: Kind = Kind::Struct(&Struct {
    name: "Index",
    members: &[
        always("SchemaVersion", "schemaVersion", &NUMBER),
        optional("MediaType", "mediaType", &TEXT),
        always("Digest", "digest", &TEXT),
        always("Size", "size", &NUMBER),
        always("Manifests", "manifests", &DESCRIPTORS),
        optional("Annotations", "annotations", &TEXT_MAP),
    ],
});

static CONFIG: Kind = Kind::Struct(&Struct {
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
        optional("ArgsEscaped", "ArgsEscaped", &FLAG),
    ],
});
static ROOT_FILESYSTEM: Kind = Kind::Struct(&Struct {
    name: "RootFS",
    members: &[always("Type", "type", &TEXT), always("DiffIDs", "diff_ids", &TEXTS)],
});
static HISTORY: Kind = Kind::List(&Kind::Struct(&Struct {
    name: "History",
    members: &[
        optional("Created", "created", &TIME),
        optional("CreatedBy", "created_by", &TEXT),
        optional("Author", "author", &TEXT),
        optional("Comment", "comment", &TEXT),
        optional("EmptyLayer", "empty_layer", &FLAG),
    ],
}));
static IMAGE: Kind = Kind::Struct(&Struct {
    name: "Image",
    members: &[
        optional("Created", "created", &TIME),
        optional("Author", "author", &TEXT),
        always("Architecture", "architecture", &TEXT),
        always("OS", "os", &TEXT),
        optional("OSVersion", "os.version", &TEXT),
        optional("OSFeatures", "os.features", &TEXTS),
        optional("Variant", "variant", &TEXT),
        optional("Config", "config", &CONFIG),
        always("RootFS", "rootfs", &ROOT_FILESYSTEM),
        optional("History", "history", &HISTORY),
    ],
});
pub(super) static AN_IMAGE: Kind = Kind::Pointer(&IMAGE);
static IMAGES: Kind = Kind::Map(&IMAGE);

pub(super) static PROVENANCE: Kind =
    Kind::Struct(&Struct { name: "Provenance", members: &[optional("SLSA", "SLSA", &ANY)] });
static PROVENANCES: Kind = Kind::Map(&PROVENANCE);
pub(super) static SBOM: Kind = Kind::Struct(&Struct {
    name: "SBOM",
    members: &[optional("SPDX", "SPDX", &ANY), optional("AdditionalSPDXs", "AdditionalSPDXs", &ANYTHINGS)],
});
static SBOMS: Kind = Kind::Map(&SBOM);

/// The members of the outermost value. A template types them.
pub(super) const IMAGE_MEMBER: &str = "Image";
pub(super) const PROVENANCE_MEMBER: &str = "Provenance";
pub(super) const SBOM_MEMBER: &str = "SBOM";

/// The members of the outermost value, whose name in messages is `image`.
const fn root(
    manifest: &'static Kind,
    image: &'static Kind,
    provenance: &'static Kind,
    sbom: &'static Kind,
) -> [Member; 5] {
    [
        optional("Name", "name", &TEXT),
        optional("Manifest", "manifest", manifest),
        optional(IMAGE_MEMBER, "image", image),
        method(PROVENANCE_MEMBER, provenance),
        method(SBOM_MEMBER, sbom),
    ]
}

/// The outermost value before it is known what it describes.
pub(super) static UNKNOWN: Struct = Struct { name: "image", members: &root(&ANY, &ANY, &ANY, &ANY) };
/// That of an image.
pub(super) static OF_IMAGE: Struct =
    Struct { name: "image", members: &root(&DESCRIPTOR, &AN_IMAGE, &PROVENANCE, &SBOM) };
/// That of a list with one platform.
pub(super) static OF_SINGLE: Struct = Struct { name: "image", members: &root(&INDEX, &AN_IMAGE, &PROVENANCE, &SBOM) };
/// That of a list with several platforms.
pub(super) static OF_LIST: Struct = Struct { name: "image", members: &root(&INDEX, &IMAGES, &PROVENANCES, &SBOMS) };

//! Scripts about a store that somebody else has written in.

use super::script::{Script, script};

pub(super) const SCRIPTS: &[Script] = &[
    script(
        "old-entries",
        &[
            "!old {S}_{N}_l-1/{S}_{N}_app-amd64 app:amd64",
            "!old {S}_{N}_l-1/{S}_{N}_app-arm64 app:arm64",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "inspect {T}/l:1 {T}/app:amd64",
            "annotate {T}/l:1 {T}/app:amd64 --variant v2",
            "inspect -v {T}/l:1 {T}/app:amd64",
            "create --insecure -a {T}/l:1 {R}/app:armv7",
            "inspect {T}/l:1",
            "!seed {N}/app:amd64 app:amd64",
            "!seed {N}/app:arm64 app:arm64",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "old-entry-reindented",
        &[
            "!old {S}_{N}_l-1/{S}_{N}_app-amd64 app:amd64",
            "!edit {S}_{N}_l-1/{S}_{N}_app-amd64 ,\n => ,",
            "inspect {T}/l:1",
            "inspect {T}/l:1 {T}/app:amd64",
            "annotate {T}/l:1 {T}/app:amd64 --variant v2",
            "push --insecure {T}/l:1",
            "rm {T}/l:1",
        ],
    ),
    script(
        "old-entry-oci-beside",
        &[
            "!seed {N}/app:amd64 hand:order",
            "create --insecure {T}/l:1 {R}/oci:arm64",
            "!old {S}_{N}_l-1/{S}_{N}_app-amd64 hand:order",
            "inspect -v {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "old-keys-beside-new",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 ,\"Raw\" => \
             ,\"Digest\":\"{D:app:amd64}\",\"Platform\":{\"os\":\"plan9\",\"architecture\":\"386\",\
             \"features\":[\"sse\"]},\"Raw\"",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --variant v1",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "old-entry-amended",
        &[
            "!seed {N}/app:amd64 app:amd64",
            "!old {S}_{N}_l-1/{S}_{N}_app-amd64 app:amd64",
            "create --insecure -a {T}/l:1 {T}/app:amd64",
            "inspect -v {T}/l:1",
        ],
    ),
    script(
        "edited-unknown-keys",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 {\"Ref\" => {\"Later\":{\"x\":[1]},\"Ref\"",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"architecture\" => \"new\":1,\"architecture\"",
            "inspect {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --variant v2",
            "inspect -v {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "edited-annotations",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 ,\"platform\" => \
             ,\"annotations\":{\"z\":\"<\",\"a\":\"1\"},\"urls\":[\"u\"],\"data\":\"e30=\",\
             \"artifactType\":\"a/b\",\"platform\"",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --variant v2",
            "create --insecure -a {T}/l:1 {R}/app:arm64",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "edited-null-platform",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"} => \
             \"platform\":null",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --os linux",
            "inspect {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch amd64",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "edited-null-features",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"os\":\"linux\"} => \
             \"os\":\"linux\",\"os.version\":null,\"os.features\":null,\"variant\":null}",
            "inspect {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --os-features x",
            "inspect -v {T}/l:1",
        ],
    ),
    script(
        "edited-key-case",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"Ref\" => \"REF\"",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"os\":\"linux\" => \"OS\":\"linux\"",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"size\" => \"Size\"",
            "inspect {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --variant v1",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "edited-spaced",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 , => \t,\n ",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --variant v1",
        ],
    ),
    script(
        "edited-both-kinds",
        &[
            "create --insecure {T}/l:1 {R}/oci:amd64",
            "!edit {S}_{N}_l-1/{S}_oci-amd64 \"OCIManifest\" => \"SchemaV2Manifest\"",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "edited-no-manifest",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"SchemaV2Manifest\" => \"Other\"",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --variant v1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "edited-digest",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"digest\":\"{D:app:amd64}\" => \"digest\":\"sha256:00\"",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "edited-size",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:arm64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"size\": => \"size\":9",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "edited-media-type",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \
             {\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"digest\" => \
                 {\"mediaType\":\"application/vnd.docker.distribution.manifest.v1+json\",\"digest\"",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "edited-ref",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 app:amd64\" => app:arm64\"",
            "inspect -v {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --variant v1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "edited-bad-ref",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 app:amd64\" => App::\"",
            "inspect -v {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --variant v1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "edited-truncated",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:arm64",
            "!file {S}_{N}_l-1/{S}_app-arm64 {\"Ref\":\"",
            "inspect {T}/l:1",
            "inspect {T}/l:1 {R}/app:arm64",
            "annotate {T}/l:1 {R}/app:arm64 --os linux",
            "push --insecure {T}/l:1",
            "create --insecure -a {T}/l:1 {R}/app:arm64",
            "rm {T}/l:1",
        ],
    ),
    script(
        "edited-empty-file",
        &[
            "!file {S}_{N}_l-1/{S}_app-arm64 ",
            "inspect {T}/l:1",
            "annotate {T}/l:1 {R}/app:arm64 --os linux",
            "rm {T}/l:1",
        ],
    ),
    script("edited-not-an-object", &["!file {S}_{N}_l-1/{S}_app-arm64 []", "inspect {T}/l:1"]),
    script(
        "edited-wrong-types",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 \"os\":\"linux\" => \"os\":7",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
            "create --insecure -a {T}/l:1 {R}/app:amd64",
        ],
    ),
    script(
        "empty-list-directory",
        &[
            "!mkdir {S}_{N}_l-1",
            "inspect {T}/l:1",
            "inspect --insecure {T}/l:1",
            "push --insecure {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64",
            "create --insecure {T}/l:1 {R}/app:amd64",
            "create --insecure -a {T}/l:1 {R}/app:arm64",
            "rm {T}/l:1",
        ],
    ),
    script(
        "last-entry-gone",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!rm {S}_{N}_l-1/{S}_app-amd64",
            "push --insecure {T}/l:1",
            "inspect --insecure {T}/l:1",
            "rm {T}/l:1",
        ],
    ),
    script("list-is-a-file", &["!file {S}_{N}_l-1 x", "inspect {T}/l:1", "rm {T}/l:1", "rm {T}/l:1"]),
    script(
        "directory-in-a-list",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!mkdir {S}_{N}_l-1/zzz",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
            "rm {T}/l:1",
        ],
    ),
    script(
        "stranger-in-a-list",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!file {S}_{N}_l-1/.swp junk",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
            "rm {T}/l:1",
        ],
    ),
    script(
        "store-taken-away",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!rm-store",
            "inspect --insecure {T}/l:1",
            "push --insecure {T}/l:1",
            "rm {T}/l:1",
            "annotate {T}/l:1 {R}/app:amd64 --os linux",
            "create --insecure -a {T}/l:1 {R}/app:amd64",
            "inspect {T}/l:1",
        ],
    ),
];

//! Scripts about what is read from and written to a registry: inspect and push.

use super::script::{Script, script};

pub(super) const SCRIPTS: &[Script] = &[
    script(
        "inspect-images",
        &[
            "inspect --insecure {R}/app:amd64",
            "inspect --insecure -v {R}/app:amd64",
            "inspect --insecure {R}/oci:amd64",
            "inspect --insecure -v {R}/oci:amd64",
            "inspect --insecure {R}/oci:bare",
            "inspect --insecure -v {R}/oci:bare",
            "inspect --insecure {R}/oci:compact",
            "inspect --insecure -v {R}/oci:compact",
        ],
    ),
    script(
        "inspect-by-digest",
        &[
            "inspect --insecure {R}/app@{D:app:amd64}",
            "inspect --insecure -v {R}/app:amd64@{D:app:amd64}",
            "inspect --insecure -v {R}/app:whatever@{D:app:amd64}",
            "inspect --insecure {R}/index@{D:index:docker}",
            "inspect --insecure -v {R}/index:docker@{D:index:docker}",
        ],
    ),
    script("inspect-default-tag", &["inspect --insecure {R}/app", "inspect --insecure -v {R}/app"]),
    script(
        "inspect-missing",
        &[
            "inspect --insecure {R}/app:missing",
            "inspect --insecure -v {R}/nowhere",
            "inspect --insecure {R}/app@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "inspect {T}/l:1 {R}/app:missing",
            "inspect --insecure {R}/index:docker {R}/app:missing",
        ],
    ),
    script(
        "inspect-docker-lists",
        &[
            "inspect --insecure {R}/index:docker",
            "inspect --insecure -v {R}/index:docker",
            "inspect --insecure {R}/index:compact",
            "inspect --insecure -v {R}/index:compact",
            "inspect --insecure {R}/index:empty",
            "inspect --insecure -v {R}/index:empty",
        ],
    ),
    script(
        "inspect-oci-index",
        &[
            "inspect --insecure {R}/index:oci",
            "inspect --insecure -v {R}/index:oci",
            "inspect --insecure {R}/index:bare",
            "inspect --insecure -v {R}/index:bare",
        ],
    ),
    script("inspect-attested", &["inspect --insecure {R}/index:attested", "inspect --insecure -v {R}/index:attested"]),
    script(
        "inspect-odd-lists",
        &[
            "inspect --insecure {R}/index:mixed",
            "inspect --insecure -v {R}/index:mixed",
            "inspect --insecure {R}/index:noplatform",
            "inspect --insecure -v {R}/index:noplatform",
        ],
    ),
    script(
        "inspect-nested",
        &[
            "inspect --insecure {R}/index:nested",
            "inspect --insecure -v {R}/index:nested",
            "create --insecure {T}/l:1 {R}/index:nested",
        ],
    ),
    script(
        "inspect-entry-remote-list",
        &[
            "inspect --insecure {R}/index:docker {R}/app:amd64",
            "inspect --insecure -v {R}/index:docker {R}/app:amd64",
            "inspect --insecure {T}/none:1 {R}/index:docker",
        ],
    ),
    script(
        "inspect-entry-local",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/oci:arm64",
            "inspect {T}/l:1 {R}/app:amd64",
            "inspect -v {T}/l:1 {R}/app:amd64",
            "inspect {T}/l:1 {R}/oci:arm64",
            "inspect -v {T}/l:1 {R}/oci:arm64",
            "inspect --insecure {T}/l:1 {R}/app:arm64",
            "inspect {T}/l:1 {R}/app",
        ],
    ),
    script(
        "inspect-local-first",
        &[
            "create --insecure {R}/app:amd64 {R}/app:arm64",
            "inspect --insecure {R}/app:amd64",
            "rm {R}/app:amd64",
            "inspect --insecure {R}/app:amd64",
        ],
    ),
    script(
        "inspect-hand-written",
        &[
            "inspect --insecure {R}/hand:tabs",
            "inspect --insecure {R}/hand:order",
            "inspect --insecure {R}/hand:unknown",
            "inspect --insecure {R}/hand:escapes",
            "inspect --insecure {R}/hand:nolayers",
            "inspect --insecure {R}/hand:nulllayers",
            "inspect --insecure {R}/hand:twice",
            "inspect --insecure {R}/hand:rich",
            "inspect --insecure {R}/hand:ocirich",
            "inspect --insecure {R}/hand:ocitabs",
        ],
    ),
    script(
        "inspect-hand-written-verbose",
        &[
            "inspect --insecure -v {R}/hand:tabs",
            "inspect --insecure -v {R}/hand:order",
            "inspect --insecure -v {R}/hand:unknown",
            "inspect --insecure -v {R}/hand:escapes",
            "inspect --insecure -v {R}/hand:nolayers",
            "inspect --insecure -v {R}/hand:nulllayers",
            "inspect --insecure -v {R}/hand:rich",
            "inspect --insecure -v {R}/hand:ocirich",
            "inspect --insecure -v {R}/hand:ocitabs",
        ],
    ),
    script(
        "hand-written-stored",
        &[
            "create --insecure {T}/l:1 {R}/hand:tabs {R}/hand:order {R}/hand:unknown {R}/hand:escapes \
             {R}/hand:nolayers {R}/hand:twice {R}/hand:rich {R}/hand:ocirich {R}/hand:ocitabs",
            "annotate {T}/l:1 {R}/hand:escapes --variant v2",
            "annotate {T}/l:1 {R}/hand:ocirich --variant v3",
            "inspect {T}/l:1",
            "inspect {T}/l:1 {R}/hand:unknown",
            "inspect {T}/l:1 {R}/hand:tabs",
            "inspect {T}/l:1 {R}/hand:escapes",
            "inspect {T}/l:1 {R}/hand:rich",
            "inspect {T}/l:1 {R}/hand:ocirich",
            "inspect -v {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "hand-written-null-layers",
        &[
            "create --insecure {T}/l:1 {R}/hand:nulllayers",
            "inspect {T}/l:1",
            "inspect {T}/l:1 {R}/hand:nulllayers",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "referrer",
        &[
            "inspect --insecure {R}/oci:referrer",
            "inspect --insecure -v {R}/oci:referrer",
            "create --insecure {T}/l:1 {R}/oci:referrer",
            "annotate {T}/l:1 {R}/oci:referrer --variant v1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "configs-odd",
        &[
            "create --insecure {T}/a {R}/odd:noarch",
            "create --insecure {T}/b {R}/odd:noos",
            "create --insecure {T}/c {R}/odd:noplatform",
            "create --insecure {T}/d {R}/odd:emptyos",
            "create --insecure {T}/e {R}/odd:uppercase",
            "create --insecure {T}/f {R}/odd:bothcases",
            "create --insecure {T}/g {R}/odd:nullfeatures",
            "create --insecure {T}/h {R}/odd:emptyfeatures",
            "create --insecure {T}/i {R}/odd:version",
            "create --insecure {T}/j {R}/odd:unicode",
            "create --insecure {T}/k {R}/odd:unknownplatform",
            "create --insecure {T}/l {R}/odd:madeupplatform",
        ],
    ),
    script(
        "configs-broken",
        &[
            "create --insecure {T}/a {R}/odd:numberos",
            "create --insecure {T}/b {R}/odd:stringfeatures",
            "create --insecure {T}/c {R}/odd:array",
            "create --insecure {T}/d {R}/odd:null",
            "create --insecure {T}/e {R}/odd:notjson",
            "create --insecure {T}/f {R}/odd:surrogate",
            "create --insecure {T}/g {R}/odd:twokeys",
        ],
    ),
    script(
        "configs-oci",
        &[
            "create --insecure {T}/a {R}/odd:oci-noarch",
            "create --insecure {T}/b {R}/odd:oci-uppercase",
            "create --insecure {T}/c {R}/odd:oci-version",
            "create --insecure {T}/d {R}/odd:oci-unicode",
            "create --insecure {T}/e {R}/odd:oci-null",
            "create --insecure {T}/f {R}/odd:oci-array",
        ],
    ),
    script(
        "configs-of-other-kinds",
        &[
            "inspect --insecure {R}/odd:chart",
            "inspect --insecure -v {R}/odd:chart",
            "create --insecure {T}/a {R}/odd:chart",
            "create --insecure {T}/b {R}/odd:dockerplugin",
            "inspect --insecure {R}/odd:dockerplugin",
        ],
    ),
    script(
        "push-configs-odd",
        &[
            "create --insecure {T}/l:1 {R}/odd:uppercase {R}/odd:nullfeatures {R}/odd:emptyfeatures {R}/odd:version \
             {R}/odd:unicode {R}/odd:unknownplatform",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
            "inspect --insecure {T}/l:1",
        ],
    ),
    script(
        "push-no-architecture",
        &[
            "create --insecure {T}/l:1 {R}/odd:noarch",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
            "annotate {T}/l:1 {R}/odd:noarch --arch arm64",
            "annotate {T}/l:1 {R}/odd:noarch --os linux --arch arm64",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-artifacts",
        &[
            "create --insecure {T}/l:1 {R}/odd:chart",
            "push --insecure {T}/l:1",
            "annotate {T}/l:1 {R}/odd:chart --variant v2",
            "annotate {T}/l:1 {R}/odd:chart --os linux --arch amd64",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
            "inspect --insecure {T}/l:1",
            "create --insecure -a {T}/l:1 {R}/app:amd64 {R}/oci:referrer",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-amended-by-digest",
        &[
            "create --insecure {T}/l:1 {R}/index@{D:app:amd64}",
            "create --insecure -a {T}/l:1 {R}/app@{D:app:amd64} {R}/app:amd64@{D:app:amd64} {R}/app:amd64",
            "annotate {T}/l:1 {R}/app@{D:app:amd64} --variant v2",
            "annotate {T}/l:1 {R}/app:amd64@{D:app:amd64} --variant v3",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-made-up-platform",
        &[
            "create --insecure {T}/l:1 {R}/odd:madeupplatform",
            "annotate {T}/l:1 {R}/odd:madeupplatform --variant v1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-same-repository",
        &[
            "create --insecure {R}/app:{N} {R}/app:amd64 {R}/app:arm64",
            "push --insecure {R}/app:{N}",
            "inspect --insecure {R}/app:{N}",
        ],
    ),
    script(
        "push-other-repository",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:arm64 {R}/other:ppc64le",
            "push --insecure {T}/l:1",
            "rm {T}/l:1",
            "inspect --insecure {T}/l:1",
            "inspect --insecure -v {T}/l:1",
        ],
    ),
    script(
        "push-nested-repositories",
        &["create --insecure {T}/a/b/c/d:1 {R}/deep/er/still/app:s390x {R}/app:amd64", "push --insecure {T}/a/b/c/d:1"],
    ),
    script(
        "push-oci",
        &[
            "create --insecure {T}/l:1 {R}/oci:amd64 {R}/oci:arm64 {R}/oci:bare {R}/oci:compact",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-oci-bare-first",
        &["create --insecure {T}/l:1 {R}/oci:bare", "inspect -v {T}/l:1", "push --insecure {T}/l:1"],
    ),
    script(
        "push-docker-then-oci",
        &["create --insecure {T}/l:1 {R}/app:amd64 {R}/oci:arm64", "inspect {T}/l:1", "push --insecure {T}/l:1"],
    ),
    script(
        "push-oci-then-docker",
        &["create --insecure {T}/l:1 {R}/oci:amd64 {R}/win:plain", "inspect {T}/l:1", "push --insecure {T}/l:1"],
    ),
    script(
        "push-windows",
        &["create --insecure {T}/l:1 {R}/win:plain {R}/app:amd64", "inspect {T}/l:1", "push --insecure {T}/l:1"],
    ),
    script(
        "push-foreign-layers",
        &["create --insecure {T}/l:1 {R}/win:foreign", "inspect -v {T}/l:1", "push --insecure {T}/l:1"],
    ),
    script(
        "push-foreign-layers-linux",
        &["create --insecure {T}/l:1 {R}/win:linux-foreign {R}/app:arm64", "push --insecure {T}/l:1"],
    ),
    script(
        "push-twins",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:twin",
            "annotate {T}/l:1 {R}/app:twin --variant v2",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-by-digest-sources",
        &["create --insecure {T}/l:1 {R}/app@{D:app:arm64} {R}/app@{D:app:amd64}", "push --insecure {T}/l:1"],
    ),
    script(
        "push-twice",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "push --insecure {T}/l:1",
            "push --insecure {T}/l:1",
            "create --insecure -a {T}/l:1 {R}/app:arm64",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-purge",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "push --insecure --purge {T}/l:1",
            "push --insecure --purge {T}/l:1",
            "rm {T}/l:1",
            "inspect --insecure {T}/l:1",
        ],
    ),
    script(
        "push-purge-after-failure",
        &[
            "!seed {N}/a:1 app:amd64",
            "create --insecure {T}/l:1 {T}/a:1",
            "!drop-blob {N}/a app:amd64",
            "push --insecure --purge {T}/l:1",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "push-manifest-gone",
        &[
            "!seed {N}/a:1 app:amd64",
            "create --insecure {T}/l:1 {T}/a:1",
            "!drop-manifest {N}/a app:amd64",
            "push --insecure --purge {T}/l:1",
            "inspect --insecure {T}/l:1",
        ],
    ),
    script(
        "push-of-nothing",
        &["push {T}/l:1", "push --insecure {T}/l", "push --purge nothing", "push nothing/at@{D:app:amd64}"],
    ),
    script(
        "push-default-tag",
        &["create --insecure {T}/l {R}/app:amd64", "push --insecure {T}/l", "inspect --insecure {T}/l:latest"],
    ),
    script("push-without-insecure", &["create --insecure {T}/l:1 {R}/app:amd64", "push {T}/l:1"]),
    script(
        "push-localhost-without-insecure",
        &["create --insecure {L}/{N}/l:1 {L}/app:amd64", "push {L}/{N}/l:1", "!served {N}/l:1"],
    ),
    script(
        "push-missing-blob",
        &[
            "!seed {N}/a:1 app:amd64",
            "create --insecure {T}/l:1 {T}/a:1",
            "!drop-blob {N}/a app:amd64",
            "push --insecure {T}/l:1",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "push-missing-blob-second",
        &[
            "!seed {N}/a:1 app:arm64",
            "create --insecure {T}/l:1 {R}/app:amd64 {T}/a:1",
            "!drop-blob {N}/a app:arm64",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-missing-own-blob-second",
        &[
            "!seed {N}/a:1 app:armv7",
            "create --insecure {T}/l:1 {R}/app:amd64 {T}/a:1",
            "!drop-blob {N}/a app:armv7",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-same-repository-missing-blob",
        &[
            "!seed {N}/a:1 app:amd64",
            "create --insecure {T}/a:l {T}/a:1",
            "!drop-blob {N}/a app:amd64",
            "push --insecure {T}/a:l",
        ],
    ),
    script(
        "push-same-repository-missing-manifest",
        &[
            "!seed {N}/a:1 app:amd64",
            "create --insecure {T}/a:l {T}/a:1",
            "!drop-manifest {N}/a app:amd64",
            "push --insecure {T}/a:l",
        ],
    ),
    script(
        "push-over-an-image",
        &["!seed {N}/a:1 app:amd64", "create --insecure {T}/a:1 {R}/app:arm64", "push --insecure {T}/a:1"],
    ),
    script(
        "push-own-tag-as-source",
        &[
            "!seed {N}/a:1 app:amd64",
            "create --insecure {T}/a:1 {T}/a:1",
            "push --insecure {T}/a:1",
            "create --insecure -a {T}/a:1 {T}/a:1",
        ],
    ),
    script(
        "push-other-registry",
        &[
            "create --insecure {T}/l:1 {L}/app:amd64",
            "push --insecure {T}/l:1",
            "create --insecure -a {T}/l:1 {R}/app:arm64",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "push-draft-to-hub-name",
        &["create --insecure {N}/l:1 {R}/app:amd64", "push --insecure {N}/l:1", "inspect {N}/l:1", "rm {N}/l:1"],
    ),
    script(
        "push-order-of-names",
        &[
            "create --insecure {T}/l:1 {R}/other:ppc64le {R}/app:twin {R}/app:armv7 {R}/app:amd64 \
             {R}/deep/er/still/app:s390x",
            "push --insecure {T}/l:1",
            "inspect --insecure {T}/l:1",
        ],
    ),
];

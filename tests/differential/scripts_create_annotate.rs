//! Scripts about drafts: create and annotate.

use super::script::{Script, script};

pub(super) const SCRIPTS: &[Script] = &[
    script(
        "create-two",
        &["create --insecure {T}/l:1 {R}/app:amd64 {R}/app:arm64", "inspect {T}/l:1", "inspect -v {T}/l:1"],
    ),
    script(
        "create-latest",
        &["create --insecure {T}/l {R}/app", "inspect {T}/l", "inspect {T}/l:latest", "rm {T}/l:latest"],
    ),
    script(
        "create-without-insecure",
        &["create {T}/l:1 {R}/app:amd64", "inspect {R}/app:amd64", "inspect {R}/index:docker", "push {T}/l:1"],
    ),
    script(
        "create-by-digest",
        &[
            "create --insecure {T}/l:1 {R}/app@{D:app:amd64} {R}/app:arm64@{D:app:arm64}",
            "inspect -v {T}/l:1 {R}/app@{D:app:amd64}",
            "inspect -v {T}/l:1 {R}/app:arm64",
            "inspect -v {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "create-digest-of-nothing",
        &[
            "create --insecure {T}/l:1 {R}/app@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "create --insecure {T}/l:1 {R}/app:amd64@{D:app:arm64}",
        ],
    ),
    script(
        "create-under-a-digest",
        &[
            "create --insecure {T}/l@{D:app:amd64} {R}/app:amd64",
            "inspect {T}/l@{D:app:amd64}",
            "push --insecure {T}/l@{D:app:amd64}",
            "!served {N}/l:latest",
            "rm {T}/l@{D:app:amd64}",
        ],
    ),
    script(
        "create-of-a-moved-tag",
        &[
            "create --insecure {T}/l:1 {R}/app:arm64@{D:app:amd64}",
            "inspect {T}/l:1",
            "create --insecure {T}/l:2 {R}/app:gone@{D:app:amd64}",
            "inspect --insecure {R}/app:arm64@{D:app:amd64}",
            "inspect --insecure {R}/app:gone@{D:app:amd64}",
        ],
    ),
    script(
        "create-under-tag-and-digest",
        &[
            "create --insecure {T}/l:1@{D:app:amd64} {R}/app:amd64",
            "inspect {T}/l:1@{D:app:amd64}",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1@{D:app:amd64}",
            "!served {N}/l:1",
        ],
    ),
    script("create-same-twice", &["create --insecure {T}/l:1 {R}/app:amd64 {R}/app:amd64", "inspect {T}/l:1"]),
    script(
        "create-twins",
        &["create --insecure {T}/l:1 {R}/app:twin {R}/app:amd64", "inspect {T}/l:1", "push --insecure {T}/l:1"],
    ),
    script(
        "create-of-missing",
        &[
            "create --insecure {T}/l:1 {R}/app:missing",
            "create --insecure {T}/l:1 {R}/nowhere:1",
            "inspect --insecure {T}/l:1",
            "create --insecure {T}/l:1 {R}/app:amd64",
        ],
    ),
    script(
        "create-second-missing",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:missing",
            "create --insecure {T}/l:1 {R}/app:amd64",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "create-of-a-list",
        &[
            "create --insecure {T}/l:1 {R}/index:docker",
            "create --insecure {T}/l:1 {R}/index:oci",
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/index:docker",
            "create --insecure {T}/l:1 {R}/index:empty",
        ],
    ),
    script(
        "create-of-a-draft",
        &["create --insecure {T}/a:1 {R}/app:amd64", "create --insecure {T}/b:1 {T}/a:1", "inspect {T}/b:1"],
    ),
    script(
        "create-from-many-repositories",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/oci:arm64 {R}/other:ppc64le {R}/deep/er/still/app:s390x",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
            "rm {T}/l:1",
        ],
    ),
    script(
        "create-localhost",
        &[
            "create --insecure {L}/{N}/l:1 {L}/app:amd64 {L}/app:arm64",
            "inspect {L}/{N}/l:1",
            "push --insecure {L}/{N}/l:1",
            "inspect --insecure {R}/{N}/l:1",
            "!served {N}/l:1",
        ],
    ),
    script(
        "create-ipv6",
        &[
            "create --insecure {V6}/{N}/l:1 {V6}/app:amd64 {V6}/app:arm64",
            "inspect {V6}/{N}/l:1",
            "inspect -v {V6}/{N}/l:1",
            "push --insecure {V6}/{N}/l:1",
            "inspect --insecure {V6}/{N}/l:1 {V6}/app:amd64",
            "rm {V6}/{N}/l:1",
            "inspect --insecure {V6}/{N}/l:1",
        ],
    ),
    script(
        "names-that-docker-mixes",
        &[
            "create --insecure {T}/a_b:1 {R}/app:amd64",
            "inspect {T}/a/b:1",
            "create --insecure {T}/a/b:1 {R}/app:arm64",
            "create --insecure -a {T}/a/b:1 {R}/app:arm64",
            "annotate {T}/a/b:1 {R}/app:amd64 --variant v2",
            "push --insecure {T}/a/b:1",
            "rm {T}/a/b:1",
            "inspect {T}/a_b:1",
        ],
    ),
    script(
        "two-lists",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "create --insecure {T}/l:2 {R}/app:arm64",
            "rm {T}/l:1",
            "inspect {T}/l:2",
        ],
    ),
    script(
        "refuse-amend",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "create --insecure {T}/l:1 {R}/app:arm64",
            "create {T}/l:1 a//b",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "amend",
        &[
            "create --insecure -a {T}/l:1 {R}/app:amd64",
            "create --insecure --amend {T}/l:1 {R}/app:arm64 {R}/app:armv7",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "amend-with-missing",
        &["create --insecure {T}/l:1 {R}/app:amd64", "create --insecure -a {T}/l:1 {R}/app:missing", "inspect {T}/l:1"],
    ),
    script(
        "amend-keeps-annotations",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:arm64",
            "annotate {T}/l:1 {R}/app:amd64 --variant v3 --os-version 9 --os-features a,b",
            "create --insecure --amend {T}/l:1 {R}/app:armv7",
            "create --insecure --amend {T}/l:1 {R}/app:amd64",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "amend-moved-tag",
        &[
            "!seed {N}/a:t app:amd64",
            "create --insecure {T}/l:1 {T}/a:t",
            "annotate {T}/l:1 {T}/a:t --variant v2",
            "!seed {N}/a:t app:arm64",
            "create --insecure -a {T}/l:1 {T}/a:t",
            "inspect -v {T}/l:1",
        ],
    ),
    script(
        "amend-other-registry-name",
        &[
            "create --insecure {T}/l:1 {L}/app:amd64",
            "create --insecure -a {T}/l:1 {R}/app:amd64",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "twenty-images",
        &[
            "create --insecure {T}/l:1 {R}/many:20 {R}/many:19 {R}/many:01 {R}/many:02 {R}/many:03 {R}/many:04 \
             {R}/many:05 {R}/many:06 {R}/many:07 {R}/many:08 {R}/many:09 {R}/many:10 {R}/many:11 {R}/many:12 \
             {R}/many:13 {R}/many:14 {R}/many:15 {R}/many:16 {R}/many:17 {R}/many:18",
            "push --insecure --purge {T}/l:1",
            "inspect --insecure {T}/l:1",
        ],
    ),
    script(
        "annotate-everything",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/oci:amd64",
            "annotate {T}/l:1 {R}/app:amd64 --os freebsd --arch arm --variant v7 --os-version 10.0.1 --os-features x,y",
            "annotate {T}/l:1 {R}/oci:amd64 --arch arm64 --variant v9",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "annotate-variant-number",
        &[
            "create --insecure {T}/l:1 {R}/app:armv7 {R}/app:arm64 {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:armv7 --variant 7",
            "annotate {T}/l:1 {R}/app:arm64 --variant=8",
            "annotate {T}/l:1 {R}/app:amd64 --variant 2",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "annotate-nothing",
        &[
            "create --insecure {T}/l:1 {R}/app:arm64",
            "annotate {T}/l:1 {R}/app:arm64",
            "annotate {T}/l:1 {R}/app:arm64 --os '' --arch= --variant '' --os-version= --os-features=",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "annotate-one-by-one",
        &[
            "create --insecure {T}/l:1 {R}/app:armv7",
            "annotate {T}/l:1 {R}/app:armv7 --variant v6",
            "annotate {T}/l:1 {R}/app:armv7 --os-version 1",
            "annotate {T}/l:1 {R}/app:armv7 --os-features f",
            "annotate {T}/l:1 {R}/app:armv7 --os freebsd",
            "annotate {T}/l:1 {R}/app:armv7 --os linux --arch mips64le",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "annotate-features",
        &[
            "create --insecure {T}/l:1 {R}/win:plain",
            "annotate {T}/l:1 {R}/win:plain --os-features win32k,new",
            "annotate {T}/l:1 {R}/win:plain --os-features '\"a,b\",c' --os-features d",
            "annotate {T}/l:1 {R}/win:plain --os-features='\"q\"\"q\",\"\"'",
            "annotate {T}/l:1 {R}/win:plain --os-features a,,b",
            "annotate {T}/l:1 {R}/win:plain --os-features ' sp , b '",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "annotate-bad-features",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:amd64 --os-features 'a\"b'",
            "annotate {T}/l:1 {R}/app:amd64 --os-features '\"a'",
            "annotate {T}/l:1 {R}/app:amd64 --os-features '\"a\"b'",
            "annotate {T}/l:1 {R}/app:amd64 --os-features 'a\nb'",
            "annotate {T}/l:1 {R}/app:amd64 --os-features ,",
        ],
    ),
    script(
        "annotate-bad-platforms",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:amd64 --os bogus",
            "annotate {T}/l:1 {R}/app:amd64 --arch bogus",
            "annotate {T}/l:1 {R}/app:amd64 --os windows --arch s390x",
            "annotate {T}/l:1 {R}/app:amd64 --os windows",
            "annotate {T}/l:1 {R}/app:amd64 --arch s390x",
            "annotate {T}/l:1 {R}/app:amd64 --os Linux --arch AMD64",
            "annotate {T}/l:1 {R}/app:amd64 --os 'a b'",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "annotate-platforms-linux",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch 386",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch arm",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch loong64",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch mips",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch mips64",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch mipsle",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch ppc64",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch riscv64",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch sparc64",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch armbe",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch wasm",
        ],
    ),
    script(
        "annotate-platforms-others",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:amd64 --os aix --arch ppc64",
            "annotate {T}/l:1 {R}/app:amd64 --os js --arch wasm",
            "annotate {T}/l:1 {R}/app:amd64 --os wasip1 --arch wasm",
            "annotate {T}/l:1 {R}/app:amd64 --os darwin --arch arm64",
            "annotate {T}/l:1 {R}/app:amd64 --os solaris --arch amd64",
            "annotate {T}/l:1 {R}/app:amd64 --os illumos --arch amd64",
            "annotate {T}/l:1 {R}/app:amd64 --os windows --arch arm64",
            "annotate {T}/l:1 {R}/app:amd64 --os plan9 --arch 386",
            "annotate {T}/l:1 {R}/app:amd64 --os dragonfly --arch amd64",
            "annotate {T}/l:1 {R}/app:amd64 --os ios --arch arm64",
            "annotate {T}/l:1 {R}/app:amd64 --os openbsd --arch mips64",
            "annotate {T}/l:1 {R}/app:amd64 --os zos --arch s390x",
        ],
    ),
    script(
        "annotate-aliases",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:armv7",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch x86_64",
            "annotate {T}/l:1 {R}/app:amd64 --os linux --arch aarch64",
            "annotate {T}/l:1 {R}/app:armv7 --arch armv7l",
            "annotate {T}/l:1 {R}/app:armv7 --arch armhf --variant v6",
            "annotate {T}/l:1 {R}/app:amd64 --arch arm64/v8",
            "annotate {T}/l:1 {R}/app:amd64 --os macos --arch arm64",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "annotate-upper-case",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:amd64 --os Linux --arch amd64",
            "annotate {T}/l:1 {R}/app:amd64 --arch ARM64",
            "annotate {T}/l:1 {R}/app:amd64 --arch X86_64",
            "annotate {T}/l:1 {R}/app:amd64 --os linux/amd64",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "annotate-missing",
        &[
            "annotate {T}/l:1 {R}/app:amd64 --os linux",
            "annotate --insecure {T}/l:1 {R}/app:amd64",
            "create --insecure {T}/l:1 {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:arm64 --os linux",
            "annotate {T}/l:1 app:amd64",
            "annotate {T}/l:1 {R}/app",
            "annotate {T}/other {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:amd64@{D:app:amd64}",
        ],
    ),
    script(
        "annotate-error-order",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:arm64 --os bogus",
            "annotate a//b c//d --os bogus",
            "annotate {T}/l:1 c//d --os bogus",
        ],
    ),
    script(
        "annotate-unicode",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "annotate {T}/l:1 {R}/app:amd64 --variant 'é<>&\u{2028}\u{1F600}\"\\' --os-version '\t' --os-features \
             '<a>'",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
];

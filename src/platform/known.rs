//! The known pairs of operating system and architecture: docker's table, and newer ones of Go and containers.

use std::collections::BTreeSet;

/// Operating systems with their architectures.
///
/// Docker's own table of 2017, `go tool dist list` of Go 1.25, and `wasi/wasm`, which containers used before Go had
/// `wasip1`.
const KNOWN_ARCHITECTURES: [(&str, &[&str]); 16] = [
    ("aix", &["ppc64"]),
    ("android", &["386", "amd64", "arm", "arm64"]),
    ("darwin", &["386", "amd64", "arm", "arm64"]),
    ("dragonfly", &["amd64"]),
    ("freebsd", &["386", "amd64", "arm", "arm64", "riscv64"]),
    ("illumos", &["amd64"]),
    ("ios", &["amd64", "arm64"]),
    ("js", &["wasm"]),
    ("linux", LINUX_ARCHITECTURES),
    ("netbsd", &["386", "amd64", "arm", "arm64"]),
    ("openbsd", &["386", "amd64", "arm", "arm64", "ppc64", "riscv64"]),
    ("plan9", &["386", "amd64", "arm"]),
    ("solaris", &["amd64"]),
    ("wasi", &["wasm"]),
    ("wasip1", &["wasm"]),
    ("windows", &["386", "amd64", "arm", "arm64"]),
];

const LINUX_ARCHITECTURES: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
    "s390x",
];

/// The variants of architectures, the most common architectures first.
const KNOWN_VARIANTS: [(&str, &[&str]); 3] =
    [("amd64", &["v2", "v3", "v4"]), ("arm64", &["v8", "v9"]), ("arm", &["v5", "v6", "v7", "v8"])];

/// Whether this pair is in the table.
pub(super) fn is_known_os_arch(os: &str, architecture: &str) -> bool {
    KNOWN_ARCHITECTURES.iter().any(|(known, architectures)| os == *known && architectures.contains(&architecture))
}

/// The operating systems of the table, for completion and hints.
pub fn known_operating_systems() -> impl Iterator<Item = &'static str> {
    KNOWN_ARCHITECTURES.iter().map(|(os, _)| *os)
}

/// The architectures of `os`, or all if it is `None`; sorted, each once.
pub fn known_architectures(os: Option<&str>) -> Vec<&'static str> {
    words(&KNOWN_ARCHITECTURES, os)
}

/// The variants of `architecture`, or all if it is `None`; sorted, each once.
pub fn known_variants(architecture: Option<&str>) -> Vec<&'static str> {
    words(&KNOWN_VARIANTS, architecture)
}

/// The words of the row of this name, or of all rows if it is `None`; sorted, each once.
fn words(table: &[(&'static str, &[&'static str])], name: Option<&str>) -> Vec<&'static str> {
    let rows = table.iter().filter(|(known, _)| name.is_none_or(|name| name == *known));
    rows.flat_map(|(_, words)| words.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Every platform of the table as it is typed, `linux/…` first, with the variants on linux.
pub fn known_platforms() -> Vec<String> {
    let linux = KNOWN_ARCHITECTURES.iter().filter(|(os, _)| *os == "linux");
    let others = KNOWN_ARCHITECTURES.iter().filter(|(os, _)| *os != "linux");
    let mut found = Vec::new();
    for (os, architectures) in linux.chain(others) {
        for architecture in *architectures {
            found.push(format!("{os}/{architecture}"));
            let variants = if *os == "linux" { known_variants(Some(architecture)) } else { Vec::new() };
            found.extend(variants.into_iter().map(|variant| format!("{os}/{architecture}/{variant}")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_platforms_include_dockers_table() {
        let docker: [(&str, &[&str]); 9] = [
            ("darwin", &["386", "amd64", "arm", "arm64"]),
            ("dragonfly", &["amd64"]),
            ("freebsd", &["386", "amd64", "arm"]),
            ("linux", &["386", "amd64", "arm", "arm64", "mips64", "mips64le", "ppc64le", "riscv64", "s390x"]),
            ("netbsd", &["386", "amd64", "arm"]),
            ("openbsd", &["386", "amd64", "arm"]),
            ("plan9", &["386", "amd64"]),
            ("solaris", &["amd64"]),
            ("windows", &["386", "amd64"]),
        ];
        for (os, architectures) in docker {
            assert!(architectures.iter().all(|architecture| is_known_os_arch(os, architecture)), "{os}");
        }
    }

    #[test]
    fn os_and_architecture_are_known_only_together() {
        for (os, architecture) in [
            ("linux", "riscv64"),
            ("linux", "loong64"),
            ("windows", "arm64"),
            ("wasip1", "wasm"),
            ("wasi", "wasm"),
            ("js", "wasm"),
            ("freebsd", "riscv64"),
        ] {
            assert!(is_known_os_arch(os, architecture), "{os}/{architecture}");
        }
        for (os, architecture) in [
            ("windows", "riscv64"),
            ("", "amd64"),
            ("linux", ""),
            ("linux", "wasm"),
            ("linux", "sparc64"),
            ("Linux", "amd64"),
            ("openbsd", "mips64"),
            ("zos", "s390x"),
            ("unknown", "unknown"),
        ] {
            assert!(!is_known_os_arch(os, architecture), "{os}/{architecture}");
        }
    }

    #[test]
    fn known_words_are_sorted_and_unique() {
        assert_eq!(known_architectures(Some("windows")), ["386", "amd64", "arm", "arm64"]);
        assert_eq!(known_variants(Some("arm64")), ["v8", "v9"]);
        assert_eq!(known_variants(Some("s390x")), [""; 0]);
        assert_eq!(known_variants(None), ["v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"]);
        assert_eq!(known_platforms().first().map(String::as_str), Some("linux/386"));
        assert!(known_platforms().contains(&"linux/arm/v7".to_owned()));
        assert!(known_platforms().contains(&"windows/arm64".to_owned()));
    }
}

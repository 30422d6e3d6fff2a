//! What an image runs on: the `platform` of a descriptor, and the pairs of operating system and architecture that
//! docker's `annotate` accepts.

use serde::Serialize;

/// A platform in the OCI image specification's terms (`image-index.md`); also what docker's store and lists hold.
///
/// Serialised in docker's order, with what is empty left out but for architecture and operating system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Platform {
    /// The CPU architecture by Go's name, for example `arm64`.
    pub architecture: String,
    /// The operating system by Go's name, for example `linux`.
    pub os: String,
    /// The operating system's version, which Windows images need.
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Features that the operating system must have, for example `win32k`.
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// The architecture's variant, for example `v8`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// CPU features that Docker's manifest list has a place for, for example `sse4`; docker's store has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// Docker's table, in its order: operating system, then the architectures that go with it.
const KNOWN: [(&str, &[&str]); 9] = [
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

impl Platform {
    /// Whether docker's `annotate` accepts this pair of operating system and architecture.
    pub fn is_known(&self) -> bool {
        KNOWN.iter().any(|(os, architectures)| self.os == *os && architectures.contains(&self.architecture.as_str()))
    }
}

/// The operating systems of docker's table, for completion.
pub fn known_operating_systems() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(os, _)| *os)
}

/// The architectures that docker's table has for `os`, or for any where `os` is `None`; sorted, each once.
pub fn known_architectures(os: Option<&str>) -> Vec<&'static str> {
    let pairs = KNOWN.iter().filter(|(known, _)| os.is_none_or(|os| os == *known));
    let mut found: Vec<&str> = pairs.flat_map(|(_, architectures)| architectures.iter().copied()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_looked_up_together() {
        let platform = |os: &str, architecture: &str| Platform {
            os: os.into(),
            architecture: architecture.into(),
            ..Platform::default()
        };
        assert!(platform("linux", "riscv64").is_known());
        assert!(!platform("windows", "riscv64").is_known());
        assert!(!platform("", "amd64").is_known());
        assert_eq!(known_architectures(Some("windows")), ["386", "amd64"]);
    }

    #[test]
    fn empty_fields_are_left_out_in_dockers_order() {
        let mut platform = Platform { os: "linux".into(), ..Platform::default() };
        assert_eq!(serde_json::to_string(&platform).unwrap(), r#"{"architecture":"","os":"linux"}"#);
        platform.variant = "v8".into();
        platform.os_version = "1".into();
        platform.os_features = vec!["f".into()];
        assert_eq!(
            serde_json::to_string(&platform).unwrap(),
            r#"{"architecture":"","os":"linux","os.version":"1","os.features":["f"],"variant":"v8"}"#
        );
    }
}

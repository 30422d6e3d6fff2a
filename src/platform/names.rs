//! Normal names of architectures and operating systems: containerd's (`platforms`), and those of the kernel (`uname
//! -m`) that containerd does not know.

/// The architecture that `word` is another name of, and the variant in that name; `None` if it is not an alias.
fn architecture_of_alias(word: &str) -> Option<(&'static str, Option<&'static str>)> {
    Some(match word {
        "x86_64" | "x86-64" => ("amd64", None),
        "i386" | "i486" | "i586" | "i686" | "x86" => ("386", None),
        "aarch64" | "armv8" => ("arm64", None),
        "armhf" | "armv7l" | "armv7" | "armv7a" | "armv7hl" => ("arm", Some("v7")),
        "armel" | "armv6l" | "armv6" | "armv6hl" => ("arm", Some("v6")),
        "armv5l" | "armv5" | "armv5tel" | "armv5tejl" => ("arm", Some("v5")),
        "armv8l" => ("arm", Some("v8")),
        "loongarch64" => ("loong64", None),
        "mipsel" => ("mipsle", None),
        "mips64el" => ("mips64le", None),
        "ppc64el" | "powerpc64le" => ("ppc64le", None),
        "powerpc64" => ("ppc64", None),
        "wasm32" => ("wasm", None),
        _ => return None,
    })
}

/// The operating system in its normal name: lower case, `darwin` for `macos`.
pub(super) fn normalize_operating_system(word: &str) -> String {
    let word = word.to_lowercase();
    match word.as_str() {
        "macos" => "darwin".to_owned(),
        _ => word,
    }
}

/// Architecture and variant in their normal names. A default variant is neither added nor removed.
pub(super) fn normalize_architecture(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = (architecture.to_lowercase(), variant.to_lowercase());
    let (architecture, implied) = match architecture_of_alias(&architecture) {
        Some((name, implied)) => (name.to_owned(), implied),
        None => (architecture, None),
    };
    let variant = match (architecture.as_str(), implied) {
        (_, Some(implied)) => implied.to_owned(),
        // There is only one.
        ("386", None) => String::new(),
        ("amd64" | "arm" | "arm64", None) => normalize_variant(&architecture, variant),
        _ => variant,
    };
    (architecture, variant)
}

/// `8`, `v8` and `v8.0` are the same.
fn normalize_variant(architecture: &str, variant: String) -> String {
    let number = variant.strip_prefix('v').unwrap_or(&variant);
    let number = if architecture == "arm64" { number.strip_suffix(".0").unwrap_or(number) } else { number };
    match number.as_bytes() {
        [b'1'..=b'9'] => format!("v{number}"),
        _ => variant,
    }
}

/// Architecture and variant for comparisons: default variants are normalised.
pub(super) fn normalize_for_comparison(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = normalize_architecture(architecture, variant);
    let variant = match (architecture.as_str(), variant.as_str()) {
        ("arm64", "v8") | ("amd64", "v1") => String::new(),
        ("arm", "") => "v7".to_owned(),
        _ => variant,
    };
    (architecture, variant)
}

/// The meaning of `annotate --arch WORD`: the architecture, and the variant in the word (empty if none).
///
/// `aarch64` is `arm64`, `armv7l` is `arm` with `v7`, `arm64/v8` is `arm64` with `v8`. Any other word stays unchanged,
/// as in docker; its case is not corrected.
pub fn resolve_architecture_alias(word: &str) -> (String, String) {
    if let Some((architecture, variant)) = word.split_once('/') {
        return match normalize_architecture(architecture, variant) {
            (architecture, variant) if is_platform_component(&architecture) && is_platform_component(&variant) => {
                (architecture, variant)
            }
            _ => (word.to_owned(), String::new()),
        };
    }
    match architecture_of_alias(word) {
        Some((architecture, implied)) => (architecture.to_owned(), implied.unwrap_or_default().to_owned()),
        None => (word.to_owned(), String::new()),
    }
}

/// The meaning of `annotate --os WORD`: `macos` is `darwin`, and any other word stays unchanged.
pub fn resolve_os_alias(word: &str) -> String {
    if word == "macos" { "darwin".to_owned() } else { word.to_owned() }
}

/// Whether the text may stand between the slashes of a platform (containerd's grammar).
pub(crate) fn is_platform_component(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architecture_aliases_are_resolved() {
        let cases = [
            ("arm64", ("arm64", "")),
            ("aarch64", ("arm64", "")),
            ("x86_64", ("amd64", "")),
            ("armv7l", ("arm", "v7")),
            ("armv6l", ("arm", "v6")),
            ("armhf", ("arm", "v7")),
            ("armel", ("arm", "v6")),
            ("arm64/v8", ("arm64", "v8")),
            ("arm64/8", ("arm64", "v8")),
            ("aarch64/v9", ("arm64", "v9")),
            ("amd64/v3", ("amd64", "v3")),
            ("arm/7", ("arm", "v7")),
            ("i386", ("386", "")),
            ("ppc64el", ("ppc64le", "")),
            ("AMD64", ("AMD64", "")),
            ("bogus", ("bogus", "")),
            ("a b", ("a b", "")),
            ("arm64/", ("arm64/", "")),
            ("arm64/v8/x", ("arm64/v8/x", "")),
            ("", ("", "")),
        ];
        for (typed, (architecture, variant)) in cases {
            assert_eq!(resolve_architecture_alias(typed), (architecture.to_owned(), variant.to_owned()), "{typed:?}");
        }
    }
}

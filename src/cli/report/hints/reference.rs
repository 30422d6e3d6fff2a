//! Hints about names: other texts that users type in place of an image's name.

/// A host with an underscore.
pub(super) const UNDERSCORE_HINT: &str = "a host name may not have an underscore: docker reads the name as one \
    without a host; call the registry by another name or by its address";

/// Prefixes that other tools (skopeo, buildx, podman) accept for other places than registries.
const TRANSPORTS: [&str; 9] = [
    "oci",
    "oci-archive",
    "oci-layout",
    "dir",
    "docker-archive",
    "docker-daemon",
    "containers-storage",
    "ocidir",
    "ostree",
];

/// Transports of layouts, which are read where an image may be in a layout.
const LAYOUT_TRANSPORTS: [&str; 3] = ["oci", "oci-archive", "docker-archive"];

/// Hints about a text that is not a reference.
pub(super) fn invalid(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let scheme = ["https://", "http://", "docker://"].into_iter().find(|scheme| lower.starts_with(scheme));
    if let Some(scheme) = scheme {
        let rest = text.get(scheme.len()..).unwrap_or_default();
        return vec![format!("an image's name has no scheme: write {rest} instead")];
    }
    if let Some((transport, path)) = text.split_once(':').filter(|(first, _)| TRANSPORTS.contains(first)) {
        let is_path = ["/", "./", "../"].iter().any(|start| path.starts_with(start));
        let may_be_layout = LAYOUT_TRANSPORTS.contains(&transport) && !is_path;
        return vec![transport_hint(transport, may_be_layout)];
    }
    if ["./", "../", "/", "~"].iter().any(|start| text.starts_with(start)) {
        return vec!["that is a path; images are named as REGISTRY/REPOSITORY:TAG".to_owned()];
    }
    let host = text.split_once('/').map(|(host, _)| host);
    if host.is_some_and(|host| host.contains('_') && host.contains(['.', ':'])) {
        return vec![UNDERSCORE_HINT.to_owned()];
    }
    Vec::new()
}

/// Hints about a valid reference that was probably meant to be something else: `oci:dir` is the tag `dir` of
/// `docker.io/library/oci`, and `my_registry/app` a repository of Docker Hub.
pub(super) fn misread_reference(registry: &str, path: &str) -> Option<String> {
    if registry != "docker.io" {
        return None;
    }
    if let Some(transport) = path.strip_prefix("library/").filter(|name| TRANSPORTS.contains(name)) {
        return Some(transport_hint(transport, LAYOUT_TRANSPORTS.contains(&transport)));
    }
    let first = path.split_once('/').map(|(first, _)| first)?;
    first.contains('_').then(|| {
        format!(
            "docker reads {first}/… as a repository on Docker Hub; a registry's host has a dot or a port, and no \
            underscore"
        )
    })
}

/// A transport that is not supported or, with `may_be_layout`, a layout whose path looks like a tag.
fn transport_hint(transport: &str, may_be_layout: bool) -> String {
    if may_be_layout {
        return format!(
            "{transport}: names a layout only before a path that begins with /, ./ or ../: write {transport}:./PATH"
        );
    }
    format!(
        "{transport}: is not supported as an image here; push the image to a registry first, or use create --push or \
         copy for OCI layouts"
    )
}

/// Hints about a name with tag and digest whose tag names another digest.
pub(super) fn tag_moved(reference: &str) -> String {
    let (name, digest) = reference.split_once('@').unwrap_or((reference, ""));
    let repository = name.rsplit_once(':').map_or(name, |(repository, _)| repository);
    format!("the tag may have moved: use {name} for the current manifest, or {repository}@{digest} for that one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_paths_and_transports_in_place_of_a_name_get_a_hint() {
        for (text, hint) in [
            ("https://h:5000/app:1", "write h:5000/app:1 instead"),
            ("docker://alpine", "write alpine instead"),
            ("oci:./dir", "oci: is not supported as an image here"),
            ("oci:dir:1", "write oci:./PATH"),
            ("./dir", "that is a path"),
            ("../dir/x", "that is a path"),
            ("my_registry:5000/app", "may not have an underscore"),
        ] {
            let hints = invalid(text);
            assert!(hints.len() == 1 && hints.iter().all(|found| found.contains(hint)), "{text}: {hints:?}");
        }
        assert_eq!(invalid("h:5000/Upper"), Vec::<String>::new());
        assert_eq!(invalid("h:5000/my_app:bad tag"), Vec::<String>::new());
        assert!(misread_reference("docker.io", "library/oci").is_some_and(|hint| hint.ends_with("write oci:./PATH")));
        assert!(misread_reference("docker.io", "my_registry/app").is_some_and(|hint| hint.contains("Docker Hub")));
        assert_eq!(misread_reference("docker.io", "library/my_app"), None);
        assert_eq!(misread_reference("h:5000", "library/oci"), None);
        assert!(tag_moved("h:5000/app:1@sha256:0").contains("or h:5000/app@sha256:0 for"));
    }
}

//! `check` with the real docker-registry.

use testkit::real::{RealConfig, RealRegistry};
use testkit::sandbox::Sandbox;
use testkit::skip::skipped;

use super::super::OURS;
use super::{MAIN_REPOSITORY, REFERRERS_TAG_REMARK, unusual_rows};

fn start(deletion: bool) -> Option<RealRegistry> {
    let started = RealRegistry::start(&RealConfig { deletion, ..RealConfig::default() });
    started.map_err(|reason| skipped("check against a real registry", &reason)).ok()
}

/// Tags and manifests that the registry still knows, by the links that it keeps.
fn links(registry: &RealRegistry) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![registry.storage()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.ends_with("link") && !path.to_string_lossy().contains("/index/") {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn check_leaves_a_registry_with_deletion_unchanged() {
    let Some(registry) = start(true) else { return };
    let output = Sandbox::new().command(OURS).args(["check", &registry.host()]).run();
    assert_eq!((output.code, output.err().as_str()), (0, ""));
    let rows = unusual_rows(&output);
    assert_eq!(rows[0], format!("referrers | works, but | {REFERRERS_TAG_REMARK}"));
    // It deletes by digests alone, and the tags go with them.
    assert!(rows.len() == 2 && rows[1].starts_with("tag deletion | fails | DELETE "), "{rows:#?}");
    assert_eq!(links(&registry), [""; 0]);
}

#[test]
fn check_reports_a_registry_without_deletion() {
    let Some(registry) = start(false) else { return };
    let output = Sandbox::new().command(OURS).args(["check", &registry.host()]).run();
    let words = "DELETE 405: unsupported: The operation is unsupported.";
    let expected = [
        format!("referrers | works, but | {REFERRERS_TAG_REMARK}"),
        format!("tag deletion | fails | {words}"),
        format!("manifest deletion | fails | {words}"),
        "entry deletion | not tried | needs: manifest deletion or tag deletion".to_owned(),
    ];
    assert_eq!((output.code, unusual_rows(&output)), (0, expected.to_vec()));
    let note = output.err();
    assert!(note.starts_with(&format!("left in {}/{MAIN_REPOSITORY}: the tags check-", registry.host())), "{note}");
    let ending = format!("17 manifests, 6 blobs; in {}/{MAIN_REPOSITORY}-mount: 1 blob ({words})\n", registry.host());
    assert!(note.ends_with(&ending), "{note}");
    assert!(!links(&registry).is_empty());
}

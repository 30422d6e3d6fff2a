//! What stays in a registry without deletion, and what `--keep` keeps.

use testkit::loopback::{Builder, Fault, Rule};

use super::super::OURS;
use super::{Fixture, MAIN_REPOSITORY, unusual_rows};

#[test]
fn check_lists_what_it_cannot_delete() {
    let fixture = Fixture::new(Builder::without_deletion);
    let output = fixture.check();
    let words = "DELETE 405: unsupported: The operation is unsupported.";
    assert_eq!(
        unusual_rows(&output),
        [
            format!("tag deletion | fails | {words}"),
            format!("manifest deletion | fails | {words}"),
            "entry deletion | not tried | needs: manifest deletion or tag deletion".to_owned(),
        ]
    );
    let tags = fixture.registry.tags(MAIN_REPOSITORY);
    assert_eq!(tags.len(), 7);
    let target = format!("{}/{MAIN_REPOSITORY}", fixture.registry.host());
    let leftover_line = format!(
        "left in {target}: the tags {}, 16 manifests, 6 blobs; in {target}-mount: 1 blob ({words})\n",
        tags.join(", ")
    );
    assert_eq!((output.code, output.err()), (0, leftover_line));
    let deletions = fixture.registry.requests().iter().filter(|request| request.method == "DELETE").count();
    assert_eq!(deletions, 2, "who said no is not asked for the rest");
}

#[test]
fn check_deletes_tags_by_their_manifests() {
    let fixture = Fixture::new(|habits| habits);
    let no = r#"{"errors":[{"code":"UNSUPPORTED","message":"no tags"}]}"#;
    fixture.registry.add_fault(Rule::on("DELETE", "/manifests/check-"), Fault::Status(400, no.to_owned(), vec![]));
    let output = fixture.check();
    assert_eq!((output.code, output.err().as_str()), (0, ""));
    assert_eq!(unusual_rows(&output), ["tag deletion | fails | DELETE 400: unsupported: no tags"]);
    fixture.assert_clean();
}

#[test]
fn check_keep_keeps_everything() {
    let fixture = Fixture::new(|habits| habits);
    let output = fixture.command(&["--keep"]).run();
    let tags = fixture.registry.tags(MAIN_REPOSITORY);
    let endings = ["annotations", "artifact", "docker", "nested", "oci"];
    assert!(tags.iter().zip(endings).all(|(tag, ending)| tag.ends_with(ending)) && tags.len() == 5, "{tags:?}");
    let target = format!("{}/{MAIN_REPOSITORY}", fixture.registry.host());
    // Those that deletion was tried on are gone, as that was the question.
    let kept =
        format!("kept in {target}: the tags {}, 14 manifests, 6 blobs; in {target}-mount: 1 blob\n", tags.join(", "));
    assert_eq!((output.code, output.err(), unusual_rows(&output)), (0, kept, vec![]));
    let inspected = fixture.sandbox.command(OURS).args(["inspect", &format!("{target}:{}", tags[2])]).run().success();
    assert!(inspected.out().contains("arm64"), "{}", inspected.out());
}

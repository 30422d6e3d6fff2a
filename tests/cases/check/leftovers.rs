//! What stays in a registry that does not delete, and what is kept on purpose.

use testkit::loopback::{Builder, Fault, Rule};

use super::super::OURS;
use super::{Fixture, MAIN, odd};

#[test]
fn check_lists_what_it_cannot_delete() {
    let fixture = Fixture::new(Builder::without_deletion);
    let output = fixture.check();
    let words = "DELETE 405: unsupported: The operation is unsupported.";
    assert_eq!(
        odd(&output),
        [
            format!("tag deletion | fails | {words}"),
            format!("manifest deletion | fails | {words}"),
            "entry deletion | not tried | needs: manifest deletion or tag deletion".to_owned(),
        ]
    );
    let tags = fixture.registry.tags(MAIN);
    assert_eq!(tags.len(), 7);
    let place = format!("{}/{MAIN}", fixture.registry.host());
    let left = format!(
        "left in {place}: the tags {}, 16 manifests, 6 blobs; in {place}-mount: 1 blob ({words})\n",
        tags.join(", ")
    );
    assert_eq!((output.code, output.err()), (0, left));
    let asked = fixture.registry.requests().iter().filter(|request| request.method == "DELETE").count();
    assert_eq!(asked, 2, "who said no is not asked for the rest");
}

#[test]
fn tags_are_deleted_through_their_manifests() {
    let fixture = Fixture::new(|habits| habits);
    let no = r#"{"errors":[{"code":"UNSUPPORTED","message":"no tags"}]}"#;
    fixture.registry.fault(Rule::on("DELETE", "/manifests/check-"), Fault::Status(400, no.to_owned(), vec![]));
    let output = fixture.check();
    assert_eq!((output.code, output.err().as_str()), (0, ""));
    assert_eq!(odd(&output), ["tag deletion | fails | DELETE 400: unsupported: no tags"]);
    fixture.assert_clean();
}

#[test]
fn check_keep_keeps_everything() {
    let fixture = Fixture::new(|habits| habits);
    let output = fixture.command(&["--keep"]).run();
    let tags = fixture.registry.tags(MAIN);
    let endings = ["annotations", "artifact", "docker", "nested", "oci"];
    assert!(tags.iter().zip(endings).all(|(tag, ending)| tag.ends_with(ending)) && tags.len() == 5, "{tags:?}");
    let place = format!("{}/{MAIN}", fixture.registry.host());
    // Those that deletion was tried on are gone, as that was the question.
    let kept =
        format!("kept in {place}: the tags {}, 14 manifests, 6 blobs; in {place}-mount: 1 blob\n", tags.join(", "));
    assert_eq!((output.code, output.err(), odd(&output)), (0, kept, vec![]));
    let inspected = fixture.sandbox.command(OURS).args(["inspect", &format!("{place}:{}", tags[2])]).run().success();
    assert!(inspected.out().contains("arm64"), "{}", inspected.out());
}

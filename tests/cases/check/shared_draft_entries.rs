//! The rows of `check` about shared drafts.

use testkit::loopback::{Builder, Fault, Rule};

use super::{Fixture, NO_CONDITIONAL_PUTS, TITLES, all_unusual_rows};

/// A habit, the rows about shared drafts, and whether nothing stays.
type CheckExpectation<'a> = (fn(Builder) -> Builder, &'a [&'a str], bool);

/// The rows about shared drafts that do not simply work.
fn unusual_shared_draft_rows(configure: impl FnOnce(Builder) -> Builder) -> (Fixture, Vec<String>) {
    let fixture = Fixture::new(configure);
    let output = fixture.check();
    assert_eq!(output.code, 0, "{}", output.err());
    let is_about_shared_drafts = |row: &String| TITLES[13..].iter().any(|title| row.starts_with(title));
    let rows = all_unusual_rows(&output).into_iter().filter(is_about_shared_drafts).collect();
    (fixture, rows)
}

#[test]
fn check_writes_shared_entries_as_add_does() {
    let (fixture, rows) = unusual_shared_draft_rows(|habits| habits);
    assert_eq!(rows, [NO_CONDITIONAL_PUTS]);
    let puts = fixture.registry.requests().into_iter().filter(|put| put.target.contains("/manifests/draft.check-"));
    let puts: Vec<_> = puts.filter(|request| request.method == "PUT").collect();
    assert!(puts.len() == 3 && puts.iter().all(|put| put.target.ends_with(".linux-amd64")), "{puts:#?}");
    assert_eq!(puts[0].body, puts[2].body, "the first one again, on a condition");
    assert_eq!([0, 1, 2].map(|at| puts[at].header("If-None-Match")), [None, None, Some("*")]);
    let second = String::from_utf8_lossy(&puts[1].body).into_owned();
    assert!(second.contains(r#""org.docker-manifest.draft.attempt":"2""#), "{second}");
    fixture.assert_clean();
}

#[test]
fn check_reports_conditional_requests() {
    let (fixture, rows) = unusual_shared_draft_rows(Builder::conditional_puts);
    assert_eq!(rows, [""; 0]);
    fixture.assert_clean();
}

#[test]
fn check_reports_what_prevents_shared_entries() {
    let no_oci = [
        "shared draft entry | works, but | as a Docker manifest list, without annotations",
        "entry deletion | not tried | an entry without annotations is kept: it could also be a published list",
        NO_CONDITIONAL_PUTS,
    ];
    let late = [
        "shared draft entry | works, but | what was put is not served at once, but after 250ms",
        "entry replacement | works, but | the new entry is not served at once, but after 250ms",
        NO_CONDITIONAL_PUTS,
    ];
    let immutable = [
        "entry replacement | fails | PUT 400: tag invalid: The tag '{TAG}' already exists and cannot be overwritten \
         because it is immutable.; a job that builds another image needs another --run",
        "conditional push | not tried | needs: entry replacement",
    ];
    let child = [
        "entry deletion | fails | its image is deleted with it, although lists name it: do not use --purge with \
         this registry",
        NO_CONDITIONAL_PUTS,
    ];
    let none = ["entry deletion | not tried | needs: manifest deletion or tag deletion", NO_CONDITIONAL_PUTS];
    let cases: [CheckExpectation<'_>; 7] = [
        (|habits| habits.without_oci(415), &no_oci, true),
        (|habits| habits.read_lag(1), &late, true),
        (|habits| habits.immutable_tags(400, "TAG_INVALID"), &immutable, true),
        (Builder::deletes_children, &child, true),
        (|habits| habits.no_tag_deletion(405), &[NO_CONDITIONAL_PUTS], true),
        (Builder::prunes_children, &[NO_CONDITIONAL_PUTS], true),
        (Builder::without_deletion, &none, false),
    ];
    for (habits, expected, is_clean) in cases {
        let (fixture, rows) = unusual_shared_draft_rows(habits);
        let requests = fixture.registry.requests();
        let tag = requests.iter().find_map(|request| request.target.split_once("/manifests/draft."));
        let tag = format!("draft.{}", tag.map_or("", |(_, rest)| rest));
        let expected: Vec<String> = expected.iter().map(|row| row.replace("{TAG}", &tag)).collect();
        assert_eq!(rows, expected);
        if is_clean {
            fixture.assert_clean();
        }
    }
}

/// A registry that deletes no digest that has a tag, as Google's.
#[test]
fn check_reports_entries_that_are_deleted_by_tag() {
    let fixture = Fixture::new(|habits| habits);
    let output = fixture.command(&["--keep"]).run();
    assert_eq!(all_unusual_rows(&output), [NO_CONDITIONAL_PUTS]);
    let fixture = Fixture::new(|habits| habits);
    let words = r#"{"errors":[{"code":"GOOGLE_MANIFEST_DANGLING_TAG","message":"it is tagged"}]}"#;
    // Not that of the probe before it.
    let refusal = Fault::Status(400, words.to_owned(), vec![]);
    fixture.registry.add_fault(Rule::on("DELETE", "/manifests/sha256:").nth(2), refusal);
    let output = fixture.check();
    let expected = ["entry deletion | works, but | only by its tag", NO_CONDITIONAL_PUTS];
    assert_eq!((output.code, all_unusual_rows(&output)), (0, expected.map(str::to_owned).to_vec()));
    fixture.assert_clean();
}

//! `check`: what it reports about registries with all kinds of habits. It leaves nothing behind in any of them.

mod access_errors;
mod interrupt;
mod leftovers;
mod read_only_registries;
mod real;
mod shared_draft_entries;

use serde_json::{Value, json};
use testkit::image::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, sha256};
use testkit::loopback::{Builder, Fault, Registry, Rule};
use testkit::sandbox::{Output, Sandbox, SandboxCommand, on_path};
use testkit::skip::skipped;

use super::OURS;

/// The two repositories where none is named.
const MAIN_REPOSITORY: &str = "docker-manifest-check";
const MOUNT_REPOSITORY: &str = "docker-manifest-check-mount";

/// What is tried, in the order in which it is told of.
const TITLES: [&str; 17] = [
    "Docker images",
    "Docker manifest list",
    "OCI images",
    "OCI image index",
    "cross-repository mount",
    "push by digest",
    "annotations",
    "artifact type",
    "nested index",
    "referrers",
    "tag listing",
    "tag deletion",
    "manifest deletion",
    "shared draft entry",
    "entry replacement",
    "entry deletion",
    "conditional push",
];

/// What is said of every registry that takes a second entry, but for one that no measurement has found.
const NO_CONDITIONAL_PUTS: &str =
    "conditional push | fails | it ignores If-None-Match: if two clients push at once, the last push counts";

const REFERRERS_TAG_REMARK: &str = "there is no referrers API; the referrers tag works";

struct Fixture {
    registry: Registry,
    sandbox: Sandbox,
}

impl Fixture {
    fn new(configure: impl FnOnce(Builder) -> Builder) -> Fixture {
        Fixture { registry: configure(Registry::builder()).start(), sandbox: Sandbox::new() }
    }

    fn command(&self, flags: &[&str]) -> SandboxCommand {
        self.sandbox.command(OURS).arg("check").args(flags.iter().copied()).arg(self.registry.host())
    }

    fn check(&self) -> Output {
        self.command(&[]).run()
    }

    /// The digests of all that was put: manifests, and blobs.
    fn put_manifest_and_blob_digests(&self) -> (Vec<String>, Vec<String>) {
        let puts: Vec<_> = self.registry.requests().into_iter().filter(|request| request.method == "PUT").collect();
        let digests_of = |part: &str| {
            puts.iter().filter(|put| put.target.contains(part)).map(|put| sha256(&put.body)).collect::<Vec<_>>()
        };
        (digests_of("/manifests/"), digests_of("/blobs/uploads/"))
    }

    /// Nothing of what was put is there, in whichever repository.
    #[track_caller]
    fn assert_clean(&self) {
        let (manifests, blobs) = self.put_manifest_and_blob_digests();
        assert_eq!((self.registry.tags(MAIN_REPOSITORY), self.registry.tags(MOUNT_REPOSITORY)), (vec![], vec![]));
        for repository in [MAIN_REPOSITORY, MOUNT_REPOSITORY] {
            let leftovers: Vec<&String> =
                manifests.iter().filter(|digest| self.registry.manifest(repository, digest).is_some()).collect();
            assert!(leftovers.is_empty(), "{repository} still has the manifests {leftovers:#?}");
            let leftovers: Vec<&String> =
                blobs.iter().filter(|digest| self.registry.has_blob(repository, digest)).collect();
            assert!(leftovers.is_empty(), "{repository} still has the blobs {leftovers:#?}");
        }
        assert_eq!(self.registry.open_uploads(), 0);
    }
}

/// What is said of all that does not simply work, `title | result | remark`; all of it is told of, in its order. That a
/// condition is ignored, as everywhere, is left out.
#[track_caller]
fn unusual_rows(output: &Output) -> Vec<String> {
    let mut rows = all_unusual_rows(output);
    assert!(
        rows.pop_if(|row| row == NO_CONDITIONAL_PUTS).is_some()
            || rows.last().is_some_and(|row| row.contains("not tried"))
    );
    rows
}

/// The same with it.
#[track_caller]
fn all_unusual_rows(output: &Output) -> Vec<String> {
    let table = output.out();
    let mut lines = table.lines();
    assert_eq!(lines.next().map(columns), Some(vec!["CHECK", "RESULT", "REMARK"]), "{table}{}", output.err());
    let rows: Vec<Vec<&str>> = lines.map(columns).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), TITLES);
    rows.iter().filter(|row| row[1..] != ["works"]).map(|row| row.join(" | ")).collect()
}

/// Three blanks and more are between columns.
fn columns(line: &str) -> Vec<&str> {
    line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn check_reports_that_everything_works_and_leaves_nothing() {
    let fixture = Fixture::new(|habits| habits);
    let output = fixture.check();
    assert_eq!((output.code, output.err().as_str()), (0, ""));
    assert_eq!(all_unusual_rows(&output), [NO_CONDITIONAL_PUTS]);
    let requests = fixture.registry.requests();
    let count = |method: &str| requests.iter().filter(|request| request.method == method).count();
    // Six blobs and a mount; what is put is read back once; two deletions are looked into, and one more is. Of two
    // entries the first is put again, on a condition; what becomes of it and of its image is looked into.
    let (blobs, manifests, entries) = (6, 6 + 2 + 6, 2);
    assert_eq!(count("POST"), blobs + 1);
    assert_eq!(count("PUT"), blobs + manifests + entries + 1);
    assert_eq!(count("GET"), manifests + entries + 1 + 1 + 1, "and the mounted blob, the referrers, the tags");
    assert_eq!(count("HEAD"), 2 + 1 + 4);
    // Six tags; every manifest once; the blobs, one of them in two places. The entry's tag goes with it.
    assert_eq!(count("DELETE"), 6 + manifests + entries + blobs + 1);
    assert!(requests.iter().all(|request| request.status < 400 || request.method == "HEAD"), "{requests:#?}");
    fixture.assert_clean();
}

/// The row of a check whose manifest type the registry does not take.
fn refusal(check: &str, status: u16, media_type: &str) -> String {
    let reason = format!("unsupported manifest media type: \"{media_type}\"");
    format!("{check} | fails | PUT {status}: manifest invalid: manifest invalid: {reason}")
}

#[test]
fn check_with_one_job_has_the_same_result() {
    let fixture = Fixture::new(Builder::without_nested_indexes);
    let (one, many) = (fixture.command(&["--jobs", "1"]).run(), fixture.command(&["--jobs", "40"]).run());
    assert_eq!((one.code, one.err(), many.code), (0, String::new(), 0));
    assert_eq!(one.out(), many.out());
    assert_eq!(
        unusual_rows(&one),
        ["nested index | fails | PUT 400: manifest invalid: manifest invalid: an index in an index"]
    );
    fixture.assert_clean();
}

#[test]
fn check_reports_a_registry_that_accepts_one_format() {
    for (habits, refused, missing) in [
        (
            (|habits: Builder| habits.without_oci(415)) as fn(Builder) -> Builder,
            refusal("OCI images", 415, OCI_MANIFEST),
            &[
                "OCI image index | not tried | needs: OCI images",
                "annotations | not tried | needs: OCI image index",
                "artifact type | not tried | needs: OCI image index",
                "nested index | not tried | needs: OCI image index",
                "referrers | not tried | needs: OCI images",
                "shared draft entry | works, but | as a Docker manifest list, without annotations",
                "entry deletion | not tried | an entry without annotations is kept: it could also be a published list",
            ][..],
        ),
        (
            |habits| habits.without_docker(400),
            refusal("Docker images", 400, DOCKER_MANIFEST),
            &["Docker manifest list | not tried | needs: Docker images"],
        ),
    ] {
        let fixture = Fixture::new(habits);
        let output = fixture.check();
        assert_eq!((output.code, output.err().as_str()), (0, ""));
        let expected: Vec<&str> = [refused.as_str()].into_iter().chain(missing.iter().copied()).collect();
        assert_eq!(unusual_rows(&output), expected);
        fixture.assert_clean();
    }
}

#[test]
fn check_exits_with_1_where_no_list_is_accepted() {
    let fixture = Fixture::new(|habits| habits.without_lists(415));
    let output = fixture.check();
    assert_eq!(output.code, 1);
    let either = "not tried | needs: Docker manifest list or OCI image index";
    let expected = [
        refusal("Docker manifest list", 415, DOCKER_LIST),
        refusal("OCI image index", 415, OCI_INDEX),
        format!("push by digest | {either}"),
        "annotations | not tried | needs: OCI image index".to_owned(),
        "artifact type | not tried | needs: OCI image index".to_owned(),
        "nested index | not tried | needs: OCI image index".to_owned(),
        format!("tag listing | {either}"),
        format!("tag deletion | {either}"),
        "manifest deletion | not tried | needs: push by digest".to_owned(),
        format!("shared draft entry | {either}"),
        "entry replacement | not tried | needs: shared draft entry".to_owned(),
        "entry deletion | not tried | needs: shared draft entry".to_owned(),
        "conditional push | not tried | needs: entry replacement".to_owned(),
    ];
    assert_eq!(unusual_rows(&output), expected);
    let host = fixture.registry.host();
    assert_eq!(
        output.err(),
        format!(
            "{host}/{MAIN_REPOSITORY} takes neither a Docker manifest list nor an OCI image index\n\
             hint: the table has the registry's own messages; its operators may be able to allow lists\n"
        )
    );
    // The images and what refers to one are there, and deletion was not tried before.
    fixture.assert_clean();
}

#[test]
fn check_does_not_report_harmless_habits() {
    for habits in [
        Builder::without_digest_header as fn(Builder) -> Builder,
        Builder::relative_locations,
        |habits| habits.page_limit(1),
        |habits| habits.page_limit(2).absolute_links(),
        |habits| habits.chunk_min_length(1 << 20),
        Builder::without_ranges,
    ] {
        let fixture = Fixture::new(habits);
        let output = fixture.check();
        assert_eq!((output.code, output.err().as_str(), unusual_rows(&output)), (0, "", vec![]));
        fixture.assert_clean();
    }
}

#[test]
fn check_reads_every_page_of_tags() {
    let fixture = Fixture::new(|habits| habits.page_limit(1));
    let _ = fixture.check().success();
    let pages = fixture.registry.requests().iter().filter(|request| request.target.contains("/tags/list")).count();
    assert_eq!(pages, 6, "one for each tag that is left when the one to be deleted is gone");
    let fixture = Fixture::new(|habits| habits);
    let page = r#"{"name":"x","tags":["other"]}"#;
    fixture.registry.add_fault(Rule::on("GET", "/tags/list"), Fault::Status(200, page.to_owned(), vec![]));
    let output = fixture.check();
    let [row] = unusual_rows(&output).try_into().expect("one row");
    assert!(row.starts_with("tag listing | fails | it lists 1 tags, check-"), "{row}");
    assert!(row.ends_with(".linux-amd64 not among them"), "{row}");
    fixture.assert_clean();
}

#[test]
fn check_reports_and_cancels_uploads_started_instead_of_mounts() {
    let fixture = Fixture::new(Builder::without_mounts);
    let output = fixture.check();
    let expected =
        "cross-repository mount | fails | it asks for an upload instead: blobs are copied, which takes longer";
    assert_eq!((output.code, unusual_rows(&output)), (0, vec![expected.to_owned()]));
    fixture.assert_clean();
}

#[test]
fn check_reports_referrers_without_an_api() {
    for habits in [Builder::without_referrers, Builder::referrers_as_html] {
        let fixture = Fixture::new(habits);
        let output = fixture.check();
        assert_eq!(
            (output.code, unusual_rows(&output)),
            (0, vec![format!("referrers | works, but | {REFERRERS_TAG_REMARK}")])
        );
        let put = |request: &testkit::loopback::RecordedRequest| {
            request.line().contains("PUT /v2/docker-manifest-check/manifests/sha256-")
        };
        assert_eq!(fixture.registry.requests().iter().filter(|request| put(request)).count(), 1);
        fixture.assert_clean();
    }
    let fixture = Fixture::new(|habits| habits);
    let empty = r#"{"schemaVersion":2,"manifests":[]}"#;
    fixture.registry.add_fault(Rule::on("GET", "/referrers/"), Fault::Status(200, empty.to_owned(), vec![]));
    let expected = "referrers | fails | its list of referrers lacks the one that was pushed";
    assert_eq!(unusual_rows(&fixture.check()), [expected]);
    fixture.assert_clean();
}

#[test]
fn check_takes_a_repository() {
    let fixture = Fixture::new(|habits| habits);
    let target = format!("{}/team/scratch", fixture.registry.host());
    let output = fixture.sandbox.command(OURS).args(["check", "--format=json", &target]).run().success();
    let json: Value = serde_json::from_str(&output.out()).expect("JSON");
    assert_eq!((&json["repository"], &json["publishable"]), (&target.as_str().into(), &true.into()));
    assert_eq!(json["mountRepository"], format!("{target}-mount"));
    let requests = fixture.registry.requests();
    assert!(requests.iter().all(|request| request.target.starts_with("/v2/team/scratch")));
    assert_eq!(json["requests"], requests.len());
}

#[test]
fn check_json_has_the_rows_of_the_table() {
    let fixture = Fixture::new(|habits| habits.without_referrers().without_deletion().without_docker(400));
    let output = fixture.command(&["--format", "json"]).run();
    let value: Value = serde_json::from_str(&output.out()).expect("JSON");
    let row = |at: usize| value["checks"][at].to_string();
    assert_eq!(row(3), r#"{"check":"oci-index","result":"works"}"#);
    let refused = refusal("Docker images", 400, DOCKER_MANIFEST);
    let remark = refused.strip_prefix("Docker images | fails | ").expect("the row");
    let first = json!({ "check": "docker-images", "result": "fails", "remark": remark });
    assert_eq!(row(0), first.to_string());
    assert_eq!(row(1), r#"{"check":"docker-list","result":"not-tried","remark":"needs: Docker images"}"#);
    assert_eq!(
        row(9),
        format!(r#"{{"check":"referrers","result":"works-with-remark","remark":"{REFERRERS_TAG_REMARK}"}}"#)
    );
    let leftovers = |what: &str| value["left"][what].as_array().map_or(0, Vec::len);
    assert_eq!((leftovers("tags"), leftovers("manifests"), leftovers("blobs"), leftovers("reasons")), (7, 13, 7, 1));
    let fixture = Fixture::new(|habits| habits.without_lists(400));
    let output = fixture.command(&["--format", "json"]).run();
    let printed: Value = serde_json::from_str(&output.out()).expect("JSON");
    assert_eq!((output.code, &printed["publishable"]), (1, &false.into()));
    let error: Value = serde_json::from_str(output.err().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(error["error"]["kind"], "unsupported");
}

#[test]
fn check_compares_bytes_and_media_types() {
    let fixture = Fixture::new(|habits| habits.without_digest_header());
    fixture.registry.add_fault(Rule::on("GET", "-oci").nth(1), Fault::CorruptBody);
    fixture.registry.add_fault(Rule::on("GET", "-docker").nth(1), Fault::ContentType("application/x".to_owned()));
    let output = fixture.check();
    let rows = unusual_rows(&output);
    assert_eq!(rows[0], "Docker manifest list | works, but | it is served as \"application/x\"");
    assert!(rows[1].starts_with("OCI image index | fails | it serves other bytes (sha256:"), "{}", rows[1]);
    assert_eq!(output.code, 0, "a Docker list can be published");
    fixture.assert_clean();
}

#[test]
fn check_fails_if_stored_bytes_differ() {
    let fixture = Fixture::new(Builder::other_digest_on_put);
    let output = fixture.check();
    assert_eq!(output.code, 1);
    let rows = unusual_rows(&output);
    assert!(rows[0].starts_with("Docker images | fails | PUT 201: it says that it stored sha256:000"), "{}", rows[0]);
    fixture.assert_clean();
}

#[test]
fn two_concurrent_checks_do_not_interfere() {
    let fixture = Fixture::new(|habits| habits);
    let outputs = std::thread::scope(|scope| {
        let running: Vec<_> = (0..4).map(|_| scope.spawn(|| fixture.check())).collect();
        running.into_iter().map(|run| run.join().expect("it was run")).collect::<Vec<_>>()
    });
    for output in outputs {
        assert_eq!((output.code, output.err().as_str(), unusual_rows(&output)), (0, "", vec![]));
    }
    fixture.assert_clean();
}

#[test]
fn the_layers_of_check_are_valid_archives() {
    if !on_path("tar") {
        return skipped("the layers of check", "tar is not on the PATH");
    }
    let fixture = Fixture::new(|habits| habits);
    let _ = fixture.command(&["--keep"]).run().success();
    let layers: Vec<Vec<u8>> = fixture
        .registry
        .requests()
        .into_iter()
        .filter(|request| request.method == "PUT" && request.body.starts_with(&[0x1f, 0x8b]))
        .map(|request| request.body)
        .collect();
    assert_eq!(layers.len(), 3);
    for (number, layer) in layers.iter().enumerate() {
        let file = fixture.sandbox.write(format!("layer{number}.tar.gz"), layer);
        let listed = fixture.sandbox.command("tar").arg("-xOzvf").arg(file).run().success();
        assert!(listed.out().starts_with("check-") && listed.out().contains(" linux/"), "{}", listed.out());
    }
}

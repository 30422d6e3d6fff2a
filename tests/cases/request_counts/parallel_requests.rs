//! Requests of one kind are sent in parallel: the test holds each wave back until it is complete.

use testkit::loopback::{Fault, RecordedRequest, Rule};

use super::preconnect::{apply_command, tls_fixture};
use super::{Fixture, have_arrived};

const IMAGES: usize = 5;

/// What an apply of five images sends together: method, a part of the path, how many.
const WAVES: [(&str, &str, usize); 5] = [
    // The manifests and the look at the tag.
    ("GET", "/manifests/", IMAGES + 1),
    ("GET", "/blobs/", IMAGES),
    // The configurations, the layers of their own and the shared one.
    ("POST", "/blobs/uploads/", 2 * IMAGES + 1),
    ("PUT", "/manifests/sha256:", IMAGES),
    ("PUT", "/manifests/1", 1),
];

/// Holds back each wave until all of it has arrived; `before` is what is sent before the first.
fn run_in_waves(fixture: &Fixture, before: usize, first_wave: Rule) {
    fixture.registry.add_fault(first_wave, Fault::Hang);
    for (method, part, number) in &WAVES[1..] {
        fixture.registry.add_fault(Rule::on(method, part).first_n(*number), Fault::Hang);
    }
    let applied = fixture.run_while(&apply_command(fixture, &["--jobs", "16"]), |registry| {
        let mut sent = before;
        for (method, part, number) in WAVES {
            let of_kind = |requests: &[RecordedRequest]| {
                let matches = |request: &&RecordedRequest| request.method == method && request.target.contains(part);
                requests.iter().filter(matches).filter(|request| request.status != 401).count()
            };
            registry.wait_until(|requests| of_kind(requests) == number);
            sent += number;
            assert_eq!(registry.requests().len(), sent, "{method} {part}");
            registry.release();
        }
    });
    assert_eq!(applied.success().out(), fixture.expected_push_output());
    assert_eq!(fixture.registry.requests().len(), before + WAVES.iter().map(|(.., number)| number).sum::<usize>());
}

#[test]
fn apply_without_a_login_needs_five_waves_after_the_first_response() {
    let fixture = Fixture::new(IMAGES);
    // The first goes alone, as it finds out how the registry speaks; the rest of its wave is held back.
    fixture.registry.add_fault(Rule::on("GET", "/blobs/").first_n(IMAGES), Fault::Hang);
    let applied = fixture.run_while(&apply_command(&fixture, &["--jobs", "16"]), |registry| {
        registry.wait_until(|requests| have_arrived(requests, "/blobs/", IMAGES) && have_arrived(requests, "/dst/", 1));
        assert_eq!(
            registry.requests().len(),
            2 * IMAGES + 1,
            "the tag is looked at before the configurations are there"
        );
        registry.release();
    });
    assert_eq!(applied.success().out(), fixture.expected_push_output());
}

#[test]
fn apply_needs_five_waves_after_the_token() {
    let fixture = tls_fixture(IMAGES);
    run_in_waves(&fixture, 2, Rule::on("GET", "/manifests/").authorized().first_n(IMAGES + 1));
}

#[test]
fn push_of_a_known_list_looks_for_its_tag_and_its_images_in_one_wave() {
    let fixture = tls_fixture(IMAGES).with_draft();
    let first = fixture.push_command(&[]).run().success();
    fixture.registry.clear_record();
    fixture.registry.add_fault(Rule::on("GET", "/manifests/1").authorized(), Fault::Hang);
    fixture.registry.add_fault(Rule::on("HEAD", "/manifests/sha256:").authorized().first_n(IMAGES), Fault::Hang);
    let repeated = fixture.run_while(&fixture.push_command(&["--jobs", "16"]), |registry| {
        // Whichever is sent first gets the 401.
        let arrived = |requests: &[RecordedRequest], method: &str, part: &str| {
            let matches = |request: &&RecordedRequest| request.method == method && request.target.contains(part);
            requests.iter().filter(matches).filter(|request| request.status != 401).count()
        };
        registry.wait_until(|requests| {
            arrived(requests, "HEAD", "/manifests/sha256:") == IMAGES && arrived(requests, "GET", "/manifests/1") == 1
        });
        registry.release();
    });
    assert_eq!(repeated.success().out(), first.out());
    // A 401, a token, the tag, and each image.
    assert_eq!(fixture.registry.requests().len(), 3 + IMAGES);
}

#[test]
fn push_of_a_known_list_reports_a_registry_that_is_down_once() {
    let fixture = Fixture::new(IMAGES).with_draft();
    let _ = fixture.push_command(&[]).run().success();
    for method in ["GET", "HEAD"] {
        fixture.registry.add_fault(Rule::on(method, "/manifests/").always(), Fault::status(503));
    }
    let failed = fixture.push_command(&["--retries", "0"]).run();
    assert_eq!((failed.code, failed.err().matches("status 503").count()), (1, 1), "{}", failed.err());
}

#[test]
fn push_of_a_known_list_asks_another_repository_for_no_image_that_it_sends() {
    let fixture = Fixture::new(IMAGES).with_draft();
    let _ = fixture.push_command(&[]).run().success();
    fixture.registry.clear_record();
    let _ = fixture.push_command(&["--tag", &fixture.name("other/app:1")]).run().success();
    let checks =
        fixture.take_request_lines().into_iter().filter(|line| line.starts_with("HEAD /v2/other/app/")).count();
    assert_eq!(checks, 0);
}

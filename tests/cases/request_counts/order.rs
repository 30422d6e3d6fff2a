//! The order of requests, which registries require, and the order of output, which timing must not change. The test
//! holds responses back, so that each order occurs.

use testkit::image::{Image, sha256};
use testkit::loopback::{Fault, RecordedRequest, Registry, Rule};

use super::{
    BASE_LAYER, Fixture, TARGET_REPOSITORY, assert_same, have_arrived, have_responses, index, own_layer, put_line,
};

/// More than the images, so that no image waits for another's turn.
const JOBS: [&str; 2] = ["--jobs", "8"];

fn hold(registry: &Registry, method: &str, part: &str) {
    registry.add_fault(Rule::on(method, part).nth(1), Fault::Hang);
}

fn puts(requests: &[RecordedRequest]) -> Vec<String> {
    requests.iter().filter(|request| request.method == "PUT").map(RecordedRequest::line).collect()
}

#[test]
fn one_job_sends_a_child_after_its_blobs() {
    let fixture = Fixture::new(5).with_draft();
    let _ = fixture.push_command(&["--jobs", "1"]).run().success();
    assert_eq!(fixture.take_request_lines(), fixture.push_lines(404, &[0, 1, 2, 3, 4]));
}

#[test]
fn a_child_waits_for_its_own_blobs_and_the_list_for_all_children() {
    for late in 0..5 {
        let fixture = Fixture::new(5).with_draft();
        hold(&fixture.registry, "POST", &sha256(&own_layer(late)));
        let pushed = fixture.run_while(&fixture.push_command(&JOBS), |registry| {
            registry.wait_until(|requests| have_responses(requests, "PUT ", 4) && have_arrived(requests, "POST ", 11));
            let late_put = format!("PUT /v2/{TARGET_REPOSITORY}/manifests/{}", fixture.images[late].digest());
            let requests = registry.requests();
            assert!(!have_arrived(&requests, &late_put, 1) && puts(&requests).len() == 4, "{:#?}", puts(&requests));
            registry.release();
        });
        assert_eq!(pushed.success().out(), fixture.expected_push_output());
        let lines = fixture.take_request_lines();
        let last = [put_line(&fixture.images[late].digest()), put_line("1")];
        assert_eq!(lines[lines.len() - 2..], last);
        assert_same(lines, fixture.push_lines(404, &[0, 1, 2, 3, 4]));
    }
}

#[test]
fn no_child_is_sent_before_a_shared_blob() {
    let fixture = Fixture::new(5).with_draft();
    hold(&fixture.registry, "POST", &sha256(BASE_LAYER));
    let pushed = fixture.run_while(&fixture.push_command(&JOBS), |registry| {
        registry.wait_until(|requests| have_responses(requests, "POST ", 10) && have_arrived(requests, "POST ", 11));
        assert_eq!(puts(&registry.requests()), [""; 0]);
        registry.release();
    });
    assert_eq!(pushed.success().out(), fixture.expected_push_output());
    assert_eq!(fixture.take_request_lines().last(), Some(&put_line("1")));
}

#[test]
fn the_list_waits_for_the_last_child() {
    let fixture = Fixture::new(5).with_draft();
    hold(&fixture.registry, "PUT", &fixture.images[2].digest());
    let pushed = fixture.run_while(&fixture.push_command(&JOBS), |registry| {
        registry.wait_until(|requests| have_responses(requests, "PUT ", 4) && have_arrived(requests, "PUT ", 5));
        assert!(!have_arrived(&registry.requests(), &format!("PUT /v2/{TARGET_REPOSITORY}/manifests/1 "), 1));
        registry.release();
    });
    assert_eq!(pushed.success().out(), fixture.expected_push_output());
}

#[test]
fn output_of_create_and_push_does_not_depend_on_response_order() {
    let usual = Fixture::new(6).with_draft();
    let _ = usual.push_command(&JOBS).run().success();
    let list = usual.registry.manifest(TARGET_REPOSITORY, "1");
    for round in 0..10 {
        let fixture = Fixture::new(6);
        let (late, later) = (round % 6, (round + 1 + round / 6) % 6);
        hold(&fixture.registry, "GET", &fixture.images[late].config_digest());
        let created = fixture.run_while(&fixture.create_command(&JOBS), |registry| {
            registry.wait_until(|requests| {
                have_responses(requests, "/manifests/", 6)
                    && have_responses(requests, "/blobs/", 5)
                    && have_arrived(requests, "/blobs/", 6)
            });
            registry.release();
        });
        assert_eq!(created.success().out(), format!("Created manifest list {}\n", fixture.list()));
        fixture.registry.clear_record();
        hold(&fixture.registry, "POST", &sha256(&own_layer(late)));
        hold(&fixture.registry, "PUT", &fixture.images[later].digest());
        let pushed = fixture.run_while(&fixture.push_command(&JOBS), |registry| {
            registry.wait_until(|requests| {
                have_responses(requests, "POST ", 12)
                    && have_responses(requests, "PUT ", 4)
                    && have_arrived(requests, "POST ", 13)
                    && have_arrived(requests, "PUT ", 5)
            });
            registry.release();
        });
        assert_eq!(pushed.success().out(), fixture.expected_push_output());
        assert_eq!(fixture.registry.manifest(TARGET_REPOSITORY, "1"), list, "round {round}");
    }
}

#[test]
fn output_of_inspect_does_not_depend_on_response_order() {
    let images: Vec<Image> = Fixture::new(6).images;
    let mut usual = None;
    for round in 0..10 {
        let fixture = Fixture::new(0);
        fixture.registry.put_index(TARGET_REPOSITORY, "1", &index(&images));
        let late_digest = images[round % 6].digest();
        hold(&fixture.registry, "GET", &late_digest);
        let inspect = fixture.command(&["inspect", "-v", JOBS[0], JOBS[1], &fixture.list()]);
        let shown = fixture.run_while(&inspect, |registry| {
            registry.wait_until(|requests| {
                have_responses(requests, "/manifests/sha256:", 5) && have_arrived(requests, &late_digest, 1)
            });
            registry.release();
        });
        let shown = shown.success().out().replace(&fixture.registry.host(), "HOST");
        assert_eq!(shown, *usual.get_or_insert_with(|| shown.clone()), "round {round}");
        let places: Vec<_> = images.iter().map(|image| shown.find(&format!("@{}", image.digest()))).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
    }
}

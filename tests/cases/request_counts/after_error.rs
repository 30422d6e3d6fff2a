//! After a failure no request is started, running ones end, and failures are reported in the order of the
//! arguments.

use testkit::image::sha256;
use testkit::loopback::{Fault, Rule};

use super::{Fixture, TARGET_REPOSITORY, have_arrived, have_responses, image_of_layers, own_layer, source};

/// Every image, with these missing from the registry.
fn sources(fixture: &Fixture, missing: &[usize]) -> Vec<String> {
    let tag = |number: usize| if missing.contains(&number) { "none" } else { "1" };
    (0..fixture.images.len()).map(|number| fixture.name(&format!("{}:{}", source(number), tag(number)))).collect()
}

#[test]
fn one_job_sends_no_request_after_a_failure() {
    let fixture = Fixture::new(5);
    let output = fixture.command(&["create", "--jobs", "1", &fixture.list()]).args(sources(&fixture, &[2, 3])).run();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    assert_eq!(output.first_err_line(), format!("no such manifest: {}", fixture.name("src/i0002:none")));
    assert!(!output.err().contains("i0003"), "{}", output.err());
    let lines = fixture.take_request_lines();
    assert_eq!((lines.len(), lines[4].as_str()), (5, "GET /v2/src/i0002/manifests/none 404"));
    let missing = fixture.command(&["inspect", &fixture.list()]).run();
    assert_eq!(missing.code, 1, "all images or none: there is no draft");
}

#[test]
fn failures_are_reported_in_argument_order() {
    let fixture = Fixture::new(12);
    // The registry lacks the configurations of the first two.
    let broken = [b"a", b"b"].map(|layer| image_of_layers(&[layer]));
    for (number, image) in broken.iter().enumerate() {
        fixture.registry.put_manifest(&source(number), "none", &image.media_type, &image.manifest);
    }
    let [first, second] = broken.map(|image| image.config_digest());
    fixture.registry.add_fault(Rule::on("GET", &first), Fault::Hang);
    let create = fixture.command(&["create", "--jobs", "2", &fixture.list()]).args(sources(&fixture, &[0, 1]));
    let output = fixture.run_while(&create, |registry| {
        registry.wait_until(|requests| have_arrived(requests, &first, 1) && have_responses(requests, &second, 1));
        registry.release();
    });
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    let stderr = output.err();
    let position = |digest: &str| stderr.find(digest).unwrap_or_else(|| panic!("{digest} is not told of:\n{stderr}"));
    assert!(position(&first) < position(&second), "{stderr}");
    // Whoever failed begins nothing more, so only these two were ever asked for.
    assert_eq!(fixture.take_request_lines().len(), 4);
}

#[test]
fn running_requests_end_normally_after_a_failure() {
    let fixture = Fixture::new(2);
    fixture.registry.add_fault(Rule::on("GET", "/blobs/"), Fault::Hang);
    let create = fixture.command(&["create", "--jobs", "2", &fixture.list()]).args(sources(&fixture, &[1]));
    let output = fixture.run_while(&create, |registry| {
        registry.wait_until(|requests| have_responses(requests, "i0001/manifests/none", 1) && requests.len() == 3);
        registry.release();
    });
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    assert_eq!(output.first_err_line(), format!("no such manifest: {}", fixture.name("src/i0001:none")));
    assert!(fixture.take_request_lines().contains(&fixture.config_line(0)));
}

#[test]
fn a_failed_push_moves_no_tag_and_starts_no_further_request() {
    let fixture = Fixture::new(5).with_draft();
    let refused = Fault::Status(500, String::new(), vec![]);
    fixture.registry.add_fault(Rule::on("POST", &sha256(&own_layer(2))), refused);
    let output = fixture.push_command(&["--jobs", "1"]).run();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    let blob = format!("{}@{}", source(2), sha256(&own_layer(2)));
    assert!(output.first_err_line().starts_with(&format!("failed to mount blob {blob} to ")), "{}", output.err());
    let mut expected = fixture.push_lines(404, &[0, 1, 2]);
    expected.truncate(expected.len() - 3);
    let lines = fixture.take_request_lines();
    assert_eq!(lines[..lines.len() - 1], expected);
    assert!(lines.last().is_some_and(|line| line.ends_with(" 500")), "{lines:#?}");
    assert_eq!(fixture.registry.tags(TARGET_REPOSITORY), [""; 0]);
    // What is there needs no second mount in truth, but no tag says so: all of it is sent again.
    fixture.registry.clear_faults();
    let pushed = fixture.push_command(&["--jobs", "1"]).run().success();
    assert_eq!(
        (pushed.out(), fixture.take_request_lines()),
        (fixture.expected_push_output(), fixture.push_lines(404, &[0, 1, 2, 3, 4]))
    );
}

#[test]
fn push_reports_failures_in_list_order() {
    let fixture = Fixture::new(6).with_draft();
    // Two blobs that the registry says it mounted and did not, so that it then refuses two children.
    for number in [4, 1] {
        let mount = Rule::on("POST", &sha256(&own_layer(number)));
        fixture.registry.add_fault(mount, Fault::Status(201, String::new(), vec![]));
        fixture.registry.add_fault(Rule::on("PUT", &fixture.images[number].digest()), Fault::Hang);
    }
    let output = fixture.run_while(&fixture.push_command(&["--jobs", "16"]), |registry| {
        registry.wait_until(|requests| {
            [1, 4].iter().all(|number| have_arrived(requests, &put_request(&fixture, *number), 1))
        });
        registry.release();
    });
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    let stderr = output.err();
    let failed: Vec<&str> = stderr.lines().filter(|line| line.starts_with("failed to put manifest ")).collect();
    assert_eq!(failed.len(), 2, "{stderr}");
    assert_eq!(output.first_err_line(), failed[0]);
    assert!(
        [1, 4].iter().zip(&failed).all(|(number, line)| line.contains(&fixture.images[*number].digest())),
        "{stderr}"
    );
    assert_eq!(fixture.registry.tags(TARGET_REPOSITORY), [""; 0]);
}

fn put_request(fixture: &Fixture, number: usize) -> String {
    format!("PUT /v2/{TARGET_REPOSITORY}/manifests/{}", fixture.images[number].digest())
}

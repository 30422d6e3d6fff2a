//! A failure: nothing new is begun, what runs is let end, and the failures are told in the arguments' order.

use testkit::image::sha256;
use testkit::loopback::{Fault, Rule};

use super::{Fixture, TARGET, answered, arrived, layered, own_layer, source};

/// Every image, with these missing from the registry.
fn without(fixture: &Fixture, missing: &[usize]) -> Vec<String> {
    let tag = |number: usize| if missing.contains(&number) { "none" } else { "1" };
    (0..fixture.images.len()).map(|number| fixture.name(&format!("{}:{}", source(number), tag(number)))).collect()
}

#[test]
fn with_one_job_no_request_follows_a_failure() {
    let fixture = Fixture::new(5);
    let output = fixture.command(&["create", "--jobs", "1", &fixture.list()]).args(without(&fixture, &[2, 3])).run();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    assert_eq!(output.first_err_line(), format!("no such manifest: {}", fixture.name("src/i0002:none")));
    assert!(!output.err().contains("i0003"), "{}", output.err());
    let lines = fixture.take_lines();
    assert_eq!((lines.len(), lines[4].as_str()), (5, "GET /v2/src/i0002/manifests/none 404"));
    let missing = fixture.command(&["inspect", &fixture.list()]).run();
    assert_eq!(missing.code, 1, "all images or none: there is no draft");
}

#[test]
fn failures_are_reported_in_argument_order() {
    let fixture = Fixture::new(12);
    // The registry lacks the configurations of the first two.
    let broken = [b"a", b"b"].map(|layer| layered(&[layer]));
    for (number, image) in broken.iter().enumerate() {
        fixture.registry.put_manifest(&source(number), "none", &image.media_type, &image.manifest);
    }
    let [first, second] = broken.map(|image| image.config_digest());
    fixture.registry.fault(Rule::on("GET", &first), Fault::Hang);
    let create = fixture.command(&["create", "--jobs", "2", &fixture.list()]).args(without(&fixture, &[0, 1]));
    let output = fixture.while_running(&create, |registry| {
        registry.wait_until(|requests| arrived(requests, &first, 1) && answered(requests, &second, 1));
        registry.release();
    });
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    let said = output.err();
    let at = |digest: &str| said.find(digest).unwrap_or_else(|| panic!("{digest} is not told of:\n{said}"));
    assert!(at(&first) < at(&second), "{said}");
    // Whoever failed begins nothing more, so only these two were ever asked for.
    assert_eq!(fixture.take_lines().len(), 4);
}

#[test]
fn running_requests_end_normally_after_a_failure() {
    let fixture = Fixture::new(2);
    fixture.registry.fault(Rule::on("GET", "/blobs/"), Fault::Hang);
    let create = fixture.command(&["create", "--jobs", "2", &fixture.list()]).args(without(&fixture, &[1]));
    let output = fixture.while_running(&create, |registry| {
        registry.wait_until(|requests| answered(requests, "i0001/manifests/none", 1) && requests.len() == 3);
        registry.release();
    });
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    assert_eq!(output.first_err_line(), format!("no such manifest: {}", fixture.name("src/i0001:none")));
    assert!(fixture.take_lines().contains(&fixture.config_line(0)));
}

#[test]
fn a_failed_push_leaves_the_tag_alone_and_begins_nothing_more() {
    let fixture = Fixture::new(5).created();
    let refused = Fault::Status(500, String::new(), vec![]);
    fixture.registry.fault(Rule::on("POST", &sha256(&own_layer(2))), refused);
    let output = fixture.push_command(&["--jobs", "1"]).run();
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    let blob = format!("{}@{}", source(2), sha256(&own_layer(2)));
    assert!(output.first_err_line().starts_with(&format!("failed to mount blob {blob} to ")), "{}", output.err());
    let mut expected = fixture.push_lines(404, &[0, 1, 2]);
    expected.truncate(expected.len() - 3);
    let lines = fixture.take_lines();
    assert_eq!(lines[..lines.len() - 1], expected);
    assert!(lines.last().is_some_and(|line| line.ends_with(" 500")), "{lines:#?}");
    assert_eq!(fixture.registry.tags(TARGET), [""; 0]);
    // What is there needs no second mount in truth, but no tag says so: all of it is sent again.
    fixture.registry.clear_faults();
    let pushed = fixture.push_command(&["--jobs", "1"]).run().success();
    assert_eq!((pushed.out(), fixture.take_lines()), (fixture.pushed(), fixture.push_lines(404, &[0, 1, 2, 3, 4])));
}

#[test]
fn push_reports_failures_in_list_order() {
    let fixture = Fixture::new(6).created();
    // Two blobs that the registry says it mounted and did not, so that it then refuses two children.
    for number in [4, 1] {
        let mount = Rule::on("POST", &sha256(&own_layer(number)));
        fixture.registry.fault(mount, Fault::Status(201, String::new(), vec![]));
        fixture.registry.fault(Rule::on("PUT", &fixture.images[number].digest()), Fault::Hang);
    }
    let output = fixture.while_running(&fixture.push_command(&["--jobs", "16"]), |registry| {
        registry.wait_until(|requests| [1, 4].iter().all(|number| arrived(requests, &put(&fixture, *number), 1)));
        registry.release();
    });
    assert_eq!((output.code, output.out().as_str()), (1, ""));
    let said = output.err();
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("failed to put manifest ")).collect();
    assert_eq!(failed.len(), 2, "{said}");
    assert_eq!(output.first_err_line(), failed[0]);
    assert!(
        [1, 4].iter().zip(&failed).all(|(number, line)| line.contains(&fixture.images[*number].digest())),
        "{said}"
    );
    assert_eq!(fixture.registry.tags(TARGET), [""; 0]);
}

fn put(fixture: &Fixture, number: usize) -> String {
    format!("PUT /v2/{TARGET}/manifests/{}", fixture.images[number].digest())
}

//! `create`: one request for each manifest, one for each distinct configuration, and nothing else.

use testkit::loopback::Registry;

use super::{Fixture, assert_same, image_of_layers, source};

#[test]
fn create_requests_manifests_and_configurations_alone() {
    for number in [1, 5, 50] {
        let fixture = Fixture::new(number);
        let created = fixture.create_command(&[]).run().success();
        assert_eq!(created.out(), format!("Created manifest list {}\n", fixture.list()));
        assert_same(fixture.take_request_lines(), fixture.create_lines());
    }
}

#[test]
fn one_job_reads_images_in_order() {
    let fixture = Fixture::new(5);
    let _ = fixture.create_command(&["--jobs", "1"]).run().success();
    assert_eq!(fixture.take_request_lines(), fixture.create_lines());
}

#[test]
fn an_image_that_is_named_twice_is_requested_once() {
    let fixture = Fixture::new(2);
    // One of the names is spelled otherwise.
    let repeated_names = [fixture.name("src/i0000:1"), fixture.name("src/i0001:1"), fixture.name("src/i0000:1")];
    let _ = fixture.create_command(&[]).args(repeated_names).run().success();
    assert_same(fixture.take_request_lines(), fixture.create_lines());
    let registry = Registry::start();
    let image = image_of_layers(&[b"one"]);
    registry.put_image("a", "latest", &image);
    let fixture = Fixture::with_registry(registry, 0);
    let _ = fixture.create_command(&[]).args([fixture.name("a"), fixture.name("a:latest")]).run().success();
    assert_eq!(fixture.take_request_lines().len(), 2);
}

#[test]
fn a_shared_configuration_is_requested_once() {
    let image = image_of_layers(&[b"one"]);
    for jobs in ["1", "8"] {
        let registry = Registry::start();
        for number in 0..5 {
            registry.put_image(&source(number), "1", &image);
        }
        let fixture = Fixture::with_registry(registry, 0);
        let images = (0..5).map(|number| fixture.name(&format!("{}:1", source(number))));
        let _ = fixture.create_command(&["--jobs", jobs]).args(images).run().success();
        let lines = fixture.take_request_lines();
        let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
        assert_eq!((count("/manifests/1 200"), count("/blobs/"), lines.len()), (5, 1, 6), "{lines:#?}");
    }
}

#[test]
fn entries_of_the_draft_are_not_requested_again() {
    let fixture = Fixture::new(3).with_draft();
    let late_image = image_of_layers(&[b"late"]);
    fixture.registry.put_image("src/late", "1", &late_image);
    let _ = fixture.create_command(&["--amend", "--offline"]).arg(fixture.name("src/late:1")).run().success();
    let config = format!("GET /v2/src/late/blobs/{} 200", late_image.config_digest());
    assert_same(fixture.take_request_lines(), vec!["GET /v2/src/late/manifests/1 200".to_owned(), config]);
    // And where nothing is new, nothing is asked.
    let _ = fixture.create_command(&["--amend", "--offline"]).run().success();
    assert_eq!((fixture.take_request_lines(), fixture.registry.connections()), (vec![], 0));
}

#[test]
fn checking_an_unmoved_tag_is_one_request() {
    let fixture = Fixture::new(3).with_draft();
    let _ = fixture.create_command(&["--amend"]).run().success();
    assert_same(fixture.take_request_lines(), (0..3).map(|number| fixture.manifest_line(number)).collect());
}

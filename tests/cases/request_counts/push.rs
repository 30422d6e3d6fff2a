//! `push`: one request for the tag, one mount for each distinct blob, one PUT for each manifest that is sent and
//! one HEAD for each that exists.

use testkit::client::Client;
use testkit::image::sha256;
use testkit::loopback::Registry;

use super::{
    BASE_LAYER, Fixture, TARGET_REPOSITORY, assert_same, head_manifest_line, image_of_layers, index, mount_line,
    own_layer, put_line, source,
};

#[test]
fn create_and_push_need_one_request_more_than_the_protocol() {
    // The bars for 5 and for 50 are 30 and 260 requests.
    for (number, create, push) in [(1, 2, 6), (5, 10, 18), (50, 100, 153)] {
        let fixture = Fixture::new(number);
        let _ = fixture.create_command(&[]).run().success();
        assert_eq!(fixture.take_request_lines().len(), create);
        let pushed = fixture.push_command(&[]).run().success();
        assert_eq!(pushed.out(), fixture.expected_push_output());
        let lines = fixture.take_request_lines();
        assert_eq!(lines.len(), push);
        assert_eq!(lines.last(), Some(&put_line("1")));
        let all: Vec<usize> = (0..number).collect();
        assert_same(lines, fixture.push_lines(404, &all));
    }
}

#[test]
fn requests_grow_linearly_with_the_images() {
    let count = |number| {
        let fixture = Fixture::new(number);
        let _ = fixture.create_command(&[]).run().success();
        let created = fixture.take_request_lines().len();
        let _ = fixture.push_command(&[]).run().success();
        (created, fixture.take_request_lines().len())
    };
    // Two for each image; three more for each, and the look, the shared layer and the list.
    assert_eq!(count(50), (2 * 50, 3 * 50 + 3));
    assert_eq!(count(500), (2 * 500, 3 * 500 + 3));
}

/// What a push of a list takes that is there as a whole: a look at the tag, and one for each image.
fn unchanged_lines(fixture: &Fixture) -> Vec<String> {
    let tag_request = format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 200");
    [tag_request].into_iter().chain(fixture.images.iter().map(|image| head_manifest_line(&image.digest()))).collect()
}

#[test]
fn a_repeated_push_sends_one_request_for_the_tag_and_each_image() {
    let fixture = Fixture::new(5).with_draft();
    let first = fixture.push_command(&[]).run().success();
    fixture.registry.clear_record();
    let second = fixture.push_command(&["--jobs", "1"]).run().success();
    assert_eq!(second, first);
    assert_eq!(fixture.take_request_lines(), unchanged_lines(&fixture));
    // The draft alone tells what to do: with --purge too.
    let third = fixture.push_command(&["--purge"]).run().success();
    assert_eq!((third, fixture.take_request_lines().len()), (first, 1 + 5));
}

/// Deletes an image by its digest, as a retention job does with what has no tag of its own.
fn delete(fixture: &Fixture, digest: &str) {
    let path = format!("/v2/{TARGET_REPOSITORY}/manifests/{digest}");
    assert_eq!(Client::new(fixture.registry.addr()).request("DELETE", &path, &[], b"").status, 202);
    fixture.registry.clear_record();
}

/// What sending the image in `missing` alone takes where the others are there.
fn repair_lines(fixture: &Fixture, missing: usize) -> Vec<String> {
    let image = &fixture.images[missing];
    let image_check = |image: &testkit::image::Image| match image.digest() == fixture.images[missing].digest() {
        true => head_manifest_line(&image.digest()).replace(" 200", " 404"),
        false => head_manifest_line(&image.digest()),
    };
    let blobs = [image.config_digest(), sha256(BASE_LAYER), sha256(&own_layer(missing))];
    let check_requests = [format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 200")]
        .into_iter()
        .chain(fixture.images.iter().map(image_check));
    let mounts = blobs.iter().map(|blob| mount_line(blob, &source(missing)));
    check_requests.chain(mounts).chain([put_line(&image.digest())]).collect()
}

#[test]
fn push_sends_a_deleted_image_of_the_published_list_again() {
    let fixture = Fixture::new(5).with_draft();
    let first = fixture.push_command(&[]).run().success();
    delete(&fixture, &fixture.images[3].digest());
    let pushed = fixture.push_command(&["--jobs", "1", "--format", "json"]).run().success();
    let mut expected = repair_lines(&fixture, 3);
    // The first image that has the shared layer may lend it as well as the one that is sent.
    expected.iter_mut().for_each(|line| {
        if line.contains(&sha256(BASE_LAYER)) {
            *line = mount_line(&sha256(BASE_LAYER), &source(0));
        }
    });
    assert_same(fixture.take_request_lines(), expected);
    let json: serde_json::Value = serde_json::from_str(&pushed.out()).expect("JSON");
    assert_eq!(json["unchanged"], false, "{json}");
    assert!(fixture.registry.manifest(TARGET_REPOSITORY, &fixture.images[3].digest()).is_some());
    assert_eq!((fixture.push_command(&[]).run().success(), fixture.take_request_lines().len()), (first, 1 + 5));
}

#[test]
fn push_sends_missing_children_before_a_changed_list() {
    let fixture = Fixture::new(5).with_draft();
    let _ = fixture.push_command(&[]).run().success();
    let changed = ["annotate", &fixture.list(), &fixture.name(&format!("{}:1", source(0))), "--os-version", "1"];
    let _ = fixture.command(&changed).run().success();
    delete(&fixture, &fixture.images[0].digest());
    let pushed = fixture.push_command(&["--jobs", "1"]).run().success();
    assert_eq!(pushed.out(), fixture.expected_push_output());
    let mut expected = repair_lines(&fixture, 0);
    expected.push(put_line("1"));
    assert_same(fixture.take_request_lines(), expected);
}

#[test]
fn a_push_to_a_new_tag_checks_every_child() {
    let fixture = Fixture::new(2).with_draft();
    let _ = fixture.push_command(&[]).run().success();
    let other = fixture.name("dst/app:2");
    let images = [fixture.name("src/i0000:1"), fixture.name("src/i0001:1")];
    let _ = fixture.command(&["create", &other]).args(images).run().success();
    fixture.registry.clear_record();
    let _ = fixture.command(&["push", &other]).run().success();
    let expected: Vec<String> =
        fixture.push_lines(404, &[0, 1]).iter().map(|line| line.replace("/manifests/1 ", "/manifests/2 ")).collect();
    assert_same(fixture.take_request_lines(), expected);
}

#[test]
fn only_the_children_that_the_tag_does_not_list_are_sent() {
    let fixture = Fixture::new(5).with_draft();
    let old = index(&[fixture.images[0].clone(), image_of_layers(&[b"gone"]), fixture.images[3].clone()]);
    fixture.registry.put_index(TARGET_REPOSITORY, "1", &old);
    let pushed = fixture.push_command(&["--jobs", "1"]).run().success();
    // The shared layer comes first, from the first image that has it.
    let mut expected = fixture.push_lines(200, &[1, 2, 4]);
    expected.remove(2);
    expected.insert(1, mount_line(&sha256(BASE_LAYER), &source(0)));
    // What the tag lists is looked for all the same.
    expected.splice(1..1, [0, 3].map(|number| head_manifest_line(&fixture.images[number].digest())));
    assert_eq!(fixture.take_request_lines(), expected);
    assert_eq!(pushed.out(), fixture.expected_push_output());
    let served: serde_json::Value =
        serde_json::from_slice(&fixture.registry.manifest(TARGET_REPOSITORY, "1").expect("it is there").1)
            .expect("JSON");
    let digests: Vec<String> = fixture.images.iter().map(|image| image.digest()).collect();
    let listed = served["manifests"].as_array().expect("a list").iter().map(|child| child["digest"].clone());
    assert_eq!(listed.collect::<Vec<_>>(), digests);
}

#[test]
fn push_checks_every_child_if_the_tag_names_an_image() {
    let fixture = Fixture::new(2).with_draft();
    fixture.registry.put_image(TARGET_REPOSITORY, "1", &image_of_layers(&[b"not a list"]));
    let _ = fixture.push_command(&[]).run().success();
    assert_same(fixture.take_request_lines(), fixture.push_lines(200, &[0, 1]));
}

#[test]
fn children_of_the_target_repository_are_neither_mounted_nor_put() {
    let fixture = Fixture::new(0);
    let images: Vec<_> = (0..5).map(|number| image_of_layers(&[BASE_LAYER, &own_layer(number)])).collect();
    let tags: Vec<String> = (0..5).map(|number| format!("part{number}")).collect();
    images.iter().zip(&tags).for_each(|(image, tag)| {
        fixture.registry.put_image(TARGET_REPOSITORY, tag, image);
    });
    let named = tags.iter().map(|tag| fixture.name(&format!("{TARGET_REPOSITORY}:{tag}")));
    let _ = fixture.create_command(&[]).args(named).run().success();
    assert_eq!(fixture.take_request_lines().len(), 10);
    let first = fixture.push_command(&["--jobs", "1"]).run().success();
    let head_requests: Vec<String> = images.iter().map(|image| head_manifest_line(&image.digest())).collect();
    let tag_request = |status: u16| vec![format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 {status}")];
    assert_eq!(fixture.take_request_lines(), [&tag_request(404)[..], &head_requests, &[put_line("1")]].concat());
    let second = fixture.push_command(&["--jobs", "1"]).run().success();
    assert_eq!((second, fixture.take_request_lines()), (first, [tag_request(200), head_requests].concat()));
}

#[test]
fn push_sends_an_image_of_two_repositories_once_and_prints_it_twice() {
    let registry = Registry::start();
    let image = image_of_layers(&[b"one", b"two", b"one"]);
    registry.put_image(&source(0), "1", &image);
    registry.put_image(&source(1), "1", &image);
    let fixture = Fixture::with_registry(registry, 0);
    let images = [0, 1].map(|number| fixture.name(&format!("{}:1", source(number))));
    let _ = fixture.create_command(&[]).args(images).run().success();
    fixture.registry.clear_record();
    let pushed = fixture.push_command(&["--jobs", "1"]).run().success();
    let mounts = [image.config_digest(), sha256(b"one"), sha256(b"two")].map(|blob| mount_line(&blob, &source(0)));
    let tag_request = format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 404");
    let puts = [put_line(&image.digest()), put_line("1")];
    assert_eq!(fixture.take_request_lines(), [&[tag_request][..], &mounts, &puts].concat());
    assert_eq!(pushed.out().matches("Pushed ref ").count(), 2);
}

//! `inspect`: one request, one more for each child that is shown, and one for a configuration only where the list
//! gives no platform.

use super::{Fixture, TARGET_REPOSITORY, assert_same, index};

#[test]
fn inspect_of_a_remote_list_is_one_request() {
    // The bars for 50 are 2 requests, and 53 with -v.
    for number in [1, 5, 50] {
        let fixture = Fixture::new(number);
        let list = index(&fixture.images);
        fixture.registry.put_index(TARGET_REPOSITORY, "1", &list);
        let shown = fixture.command(&["inspect", &fixture.list()]).run().success();
        assert_eq!(shown.out(), String::from_utf8(list.manifest.clone()).expect("JSON") + "\n");
        let tag_request = format!("GET /v2/{TARGET_REPOSITORY}/manifests/1 200");
        assert_eq!(fixture.take_request_lines(), std::slice::from_ref(&tag_request));
        let _ = fixture.command(&["inspect", "-v", &fixture.list()]).run().success();
        let child = |digest: String| format!("GET /v2/{TARGET_REPOSITORY}/manifests/{digest} 200");
        let children = fixture.images.iter().map(|image| child(image.digest()));
        let expected: Vec<String> = [tag_request].into_iter().chain(children).collect();
        let lines = fixture.take_request_lines();
        assert_eq!(lines[0], expected[0]);
        assert_same(lines, expected.clone());
        let _ = fixture.command(&["inspect", "-v", "--jobs", "1", &fixture.list()]).run().success();
        assert_eq!(fixture.take_request_lines(), expected);
    }
}

#[test]
fn inspect_requests_a_child_once_and_shows_each_of_its_entries() {
    let fixture = Fixture::new(2);
    let image = fixture.images[0].clone();
    fixture.registry.put_index(
        TARGET_REPOSITORY,
        "1",
        &index(&[image.clone(), fixture.images[1].clone(), image.clone()]),
    );
    let shown = fixture.command(&["inspect", "-v", &fixture.list()]).run().success();
    assert_eq!(fixture.take_request_lines().len(), 3);
    assert_eq!(shown.out().matches(&format!("@{}", image.digest())).count(), 2);
}

#[test]
fn inspect_of_an_image_is_one_request_and_with_v_two() {
    let fixture = Fixture::new(1);
    let image = fixture.name("src/i0000:1");
    let _ = fixture.command(&["inspect", &image]).run().success();
    assert_eq!(fixture.take_request_lines(), [fixture.manifest_line(0)]);
    let _ = fixture.command(&["inspect", "-v", &image]).run().success();
    assert_eq!(fixture.take_request_lines(), [fixture.manifest_line(0), fixture.config_line(0)]);
}

#[test]
fn inspect_of_a_draft_sends_no_request() {
    let fixture = Fixture::new(2).with_draft();
    let (list, image) = (fixture.list(), fixture.name("src/i0000:1"));
    let (list, image) = (list.as_str(), image.as_str());
    for args in [&[list][..], &["-v", list], &[list, image], &["-v", list, image]] {
        let _ = fixture.command(&["inspect"]).args(args.iter().copied()).run().success();
    }
    assert_eq!((fixture.take_request_lines(), fixture.registry.connections()), (vec![], 0));
}

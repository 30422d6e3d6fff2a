//! `inspect`: one request, one more for each child where the children are to be shown, and a configuration only where
//! nothing else says what the platform is.

use super::{TARGET, World, assert_same, index};

#[test]
fn a_remote_list_is_one_request() {
    // The bars for 50 are 2 requests, and 53 with -v.
    for number in [1, 5, 50] {
        let world = World::new(number);
        let list = index(&world.images);
        world.registry.put_index(TARGET, "1", &list);
        let shown = world.command(&["inspect", &world.list()]).run().success();
        assert_eq!(shown.out(), String::from_utf8(list.manifest.clone()).expect("JSON") + "\n");
        let look = format!("GET /v2/{TARGET}/manifests/1 200");
        assert_eq!(world.take_lines(), std::slice::from_ref(&look));
        let _ = world.command(&["inspect", "-v", &world.list()]).run().success();
        let child = |digest: String| format!("GET /v2/{TARGET}/manifests/{digest} 200");
        let children = world.images.iter().map(|image| child(image.digest()));
        let expected: Vec<String> = [look].into_iter().chain(children).collect();
        let lines = world.take_lines();
        assert_eq!(lines[0], expected[0]);
        assert_same(lines, expected.clone());
        let _ = world.command(&["inspect", "-v", "--jobs", "1", &world.list()]).run().success();
        assert_eq!(world.take_lines(), expected);
    }
}

#[test]
fn a_child_that_is_listed_twice_is_asked_for_once_and_shown_twice() {
    let world = World::new(2);
    let image = world.images[0].clone();
    world.registry.put_index(TARGET, "1", &index(&[image.clone(), world.images[1].clone(), image.clone()]));
    let shown = world.command(&["inspect", "-v", &world.list()]).run().success();
    assert_eq!(world.take_lines().len(), 3);
    assert_eq!(shown.out().matches(&format!("@{}", image.digest())).count(), 2);
}

#[test]
fn an_image_is_one_request_and_its_configuration_only_with_v() {
    let world = World::new(1);
    let image = world.name("src/i0000:1");
    let _ = world.command(&["inspect", &image]).run().success();
    assert_eq!(world.take_lines(), [world.manifest_line(0)]);
    let _ = world.command(&["inspect", "-v", &image]).run().success();
    assert_eq!(world.take_lines(), [world.manifest_line(0), world.config_line(0)]);
}

#[test]
fn a_draft_is_no_request() {
    let world = World::new(2).created();
    let (list, image) = (world.list(), world.name("src/i0000:1"));
    let (list, image) = (list.as_str(), image.as_str());
    for args in [&[list][..], &["-v", list], &[list, image], &["-v", list, image]] {
        let _ = world.command(&["inspect"]).args(args.iter().copied()).run().success();
    }
    assert_eq!((world.take_lines(), world.registry.connections()), (vec![], 0));
}

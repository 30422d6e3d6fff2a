//! Requests of one kind go together: each wave is held back whole before the next begins.

use testkit::loopback::{Fault, Recorded, Rule};

use super::ahead::{apply, secure};
use super::{Fixture, arrived};

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
fn in_waves(world: &Fixture, before: usize, first: Rule) {
    world.registry.fault(first, Fault::Hang);
    for (method, part, number) in &WAVES[1..] {
        world.registry.fault(Rule::on(method, part).times(*number), Fault::Hang);
    }
    let applied = world.while_running(&apply(world, &["--jobs", "16"]), |registry| {
        let mut sent = before;
        for (method, part, number) in WAVES {
            let of_kind = |requests: &[Recorded]| {
                let is_it = |request: &&Recorded| request.method == method && request.path.contains(part);
                requests.iter().filter(is_it).filter(|request| request.status != 401).count()
            };
            registry.wait_until(|requests| of_kind(requests) == number);
            sent += number;
            assert_eq!(registry.requests().len(), sent, "{method} {part}");
            registry.release();
        }
    });
    assert_eq!(applied.success().out(), world.pushed());
    assert_eq!(world.registry.requests().len(), before + WAVES.iter().map(|(.., number)| number).sum::<usize>());
}

#[test]
fn an_apply_without_a_login_goes_in_five_waves_after_the_first_response() {
    let world = Fixture::new(IMAGES);
    // The first goes alone, as it finds out how the registry speaks; the rest of its wave is held back.
    world.registry.fault(Rule::on("GET", "/blobs/").times(IMAGES), Fault::Hang);
    let applied = world.while_running(&apply(&world, &["--jobs", "16"]), |registry| {
        registry.wait_until(|requests| arrived(requests, "/blobs/", IMAGES) && arrived(requests, "/dst/", 1));
        assert_eq!(
            registry.requests().len(),
            2 * IMAGES + 1,
            "the tag is looked at before the configurations are there"
        );
        registry.release();
    });
    assert_eq!(applied.success().out(), world.pushed());
}

#[test]
fn an_apply_with_a_token_goes_in_five_waves_after_it() {
    let world = secure(IMAGES);
    in_waves(&world, 2, Rule::on("GET", "/manifests/").authorized().times(IMAGES + 1));
}

#[test]
fn push_of_a_known_list_looks_for_its_tag_and_its_images_in_one_wave() {
    let world = secure(IMAGES).created();
    let first = world.push_command(&[]).run().success();
    world.registry.clear();
    world.registry.fault(Rule::on("GET", "/manifests/1").authorized(), Fault::Hang);
    world.registry.fault(Rule::on("HEAD", "/manifests/sha256:").times(IMAGES), Fault::Hang);
    let again = world.while_running(&world.push_command(&["--jobs", "16"]), |registry| {
        registry.wait_until(|requests| arrived(requests, "HEAD", IMAGES) && arrived(requests, "GET", 3));
        registry.release();
    });
    assert_eq!(again.success().out(), first.out());
    // A 401, a token, the tag, and each image.
    assert_eq!(world.registry.requests().len(), 3 + IMAGES);
}

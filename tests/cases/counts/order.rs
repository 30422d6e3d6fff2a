//! The order of requests, which is the registry's rule, and the order of output, which timing must not change. Answers
//! are held back and let go by the test, so that the odd orders are certain.

use testkit::image::{Image, sha256};
use testkit::loopback::{Fault, Recorded, Registry, Rule};

use super::{SHARED, TARGET, World, answered, arrived, assert_same, index, own_layer, put_line};

/// More than the images, so that no image waits for another's turn.
const JOBS: [&str; 2] = ["--jobs", "8"];

fn hang(registry: &Registry, method: &str, part: &str) {
    registry.fault(Rule::on(method, part).nth(1), Fault::Hang);
}

fn puts(requests: &[Recorded]) -> Vec<String> {
    requests.iter().filter(|request| request.method == "PUT").map(Recorded::line).collect()
}

#[test]
fn one_at_a_time_a_child_goes_right_after_its_own_blobs() {
    let world = World::new(5).created();
    let _ = world.push_command(&["--jobs", "1"]).run().success();
    assert_eq!(world.take_lines(), world.push_lines(404, &[0, 1, 2, 3, 4]));
}

#[test]
fn a_child_waits_for_its_own_blobs_and_the_list_for_all_children() {
    for late in 0..5 {
        let world = World::new(5).created();
        hang(&world.registry, "POST", &sha256(&own_layer(late)));
        let pushed = world.while_running(&world.push_command(&JOBS), |registry| {
            registry.wait_until(|requests| answered(requests, "PUT ", 4) && arrived(requests, "POST ", 11));
            let late_put = format!("PUT /v2/{TARGET}/manifests/{}", world.images[late].digest());
            let requests = registry.requests();
            assert!(!arrived(&requests, &late_put, 1) && puts(&requests).len() == 4, "{:#?}", puts(&requests));
            registry.release();
        });
        assert_eq!(pushed.success().out(), world.pushed());
        let lines = world.take_lines();
        let last = [put_line(&world.images[late].digest()), put_line("1")];
        assert_eq!(lines[lines.len() - 2..], last);
        assert_same(lines, world.push_lines(404, &[0, 1, 2, 3, 4]));
    }
}

#[test]
fn no_child_goes_before_a_blob_that_all_share() {
    let world = World::new(5).created();
    hang(&world.registry, "POST", &sha256(SHARED));
    let pushed = world.while_running(&world.push_command(&JOBS), |registry| {
        registry.wait_until(|requests| answered(requests, "POST ", 10) && arrived(requests, "POST ", 11));
        assert_eq!(puts(&registry.requests()), [""; 0]);
        registry.release();
    });
    assert_eq!(pushed.success().out(), world.pushed());
    assert_eq!(world.take_lines().last(), Some(&put_line("1")));
}

#[test]
fn the_list_waits_for_the_last_child() {
    let world = World::new(5).created();
    hang(&world.registry, "PUT", &world.images[2].digest());
    let pushed = world.while_running(&world.push_command(&JOBS), |registry| {
        registry.wait_until(|requests| answered(requests, "PUT ", 4) && arrived(requests, "PUT ", 5));
        assert!(!arrived(&registry.requests(), &format!("PUT /v2/{TARGET}/manifests/1 "), 1));
        registry.release();
    });
    assert_eq!(pushed.success().out(), world.pushed());
}

#[test]
fn what_create_and_push_say_does_not_depend_on_who_answers_first() {
    let usual = World::new(6).created();
    let _ = usual.push_command(&JOBS).run().success();
    let list = usual.registry.manifest(TARGET, "1");
    for round in 0..10 {
        let world = World::new(6);
        let (late, later) = (round % 6, (round + 1 + round / 6) % 6);
        hang(&world.registry, "GET", &world.images[late].config_digest());
        let created = world.while_running(&world.create_command(&JOBS), |registry| {
            registry.wait_until(|requests| {
                answered(requests, "/manifests/", 6)
                    && answered(requests, "/blobs/", 5)
                    && arrived(requests, "/blobs/", 6)
            });
            registry.release();
        });
        assert_eq!(created.success().out(), format!("Created manifest list {}\n", world.list()));
        world.registry.clear();
        hang(&world.registry, "POST", &sha256(&own_layer(late)));
        hang(&world.registry, "PUT", &world.images[later].digest());
        let pushed = world.while_running(&world.push_command(&JOBS), |registry| {
            registry.wait_until(|requests| {
                answered(requests, "POST ", 12)
                    && answered(requests, "PUT ", 4)
                    && arrived(requests, "POST ", 13)
                    && arrived(requests, "PUT ", 5)
            });
            registry.release();
        });
        assert_eq!(pushed.success().out(), world.pushed());
        assert_eq!(world.registry.manifest(TARGET, "1"), list, "round {round}");
    }
}

#[test]
fn what_inspect_shows_does_not_depend_on_who_answers_first() {
    let images: Vec<Image> = World::new(6).images;
    let mut usual = None;
    for round in 0..10 {
        let world = World::new(0);
        world.registry.put_index(TARGET, "1", &index(&images));
        let late = images[round % 6].digest();
        hang(&world.registry, "GET", &late);
        let inspect = world.command(&["inspect", "-v", JOBS[0], JOBS[1], &world.list()]);
        let shown = world.while_running(&inspect, |registry| {
            registry.wait_until(|requests| answered(requests, "/manifests/sha256:", 5) && arrived(requests, &late, 1));
            registry.release();
        });
        let shown = shown.success().out().replace(&world.registry.host(), "HOST");
        assert_eq!(shown, *usual.get_or_insert_with(|| shown.clone()), "round {round}");
        let places: Vec<_> = images.iter().map(|image| shown.find(&format!("@{}", image.digest()))).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
    }
}

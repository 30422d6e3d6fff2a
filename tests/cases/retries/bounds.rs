//! The number of attempts of each operation: as many as requested, however many requests it consists of.

use docker_manifest::content::registry::ManifestName;
use docker_manifest::model::media_type::DOCKER_MANIFEST;
use docker_manifest::reference::Repository;
use testkit::image::Image;
use testkit::loopback::{Fault, Registry, Rule};

use super::super::client_fixture::{Fixture, parse_digest, repository, request_lines};
use super::super::fake_clocks::RecordingClock;
use super::{client_with_three_retries, seeded};

/// A name, and whether it went well.
type Operation = (&'static str, Box<dyn Fn(&Fixture) -> bool>);

/// Everything that a client can be asked to do, each once.
fn operations(registry: &Registry, image: &Image) -> Vec<Operation> {
    let (a, b) = (repository(registry, "a"), repository(registry, "b"));
    let (blob, name) = (parse_digest(&image.config_digest()), ManifestName::Tag("1".to_owned()));
    let by_digest = ManifestName::Digest(parse_digest(&image.digest()));
    let (host, bytes) = (registry.host(), image.manifest.clone());
    let parameters = |repository: &Repository| (repository.clone(), blob.clone(), name.clone());
    let ((a1, blob1, name1), (a2, blob2, _), (a3, blob3, name3)) = (parameters(&a), parameters(&a), parameters(&a));
    let (a4, a5, a6, a7, b1, b2, b3) = (a.clone(), a.clone(), a.clone(), a, b.clone(), b.clone(), b);
    vec![
        ("manifest", Box::new(move |fixture| fixture.manifest_by_full_name(&format!("{host}/a:1")).is_ok())),
        ("manifest_digest", Box::new(move |fixture| fixture.client.manifest_digest(&a1, &name1).is_ok())),
        ("has_blob", Box::new(move |fixture| fixture.client.has_blob(&a2, &blob1).is_ok())),
        ("blob", Box::new(move |fixture| fixture.client.blob(&a3, &blob2, None, 1 << 20).is_ok())),
        (
            "put_manifest",
            Box::new(move |fixture| fixture.client.put_manifest(&a4, &name3, DOCKER_MANIFEST, &bytes).is_ok()),
        ),
        ("put_blob", Box::new(move |fixture| fixture.client.put_blob(&b1, b"small").is_ok())),
        ("tags", Box::new(move |fixture| fixture.client.tags(&a5).is_ok())),
        ("delete_manifest", Box::new(move |fixture| fixture.client.delete_manifest(&a6, &by_digest).is_ok())),
        ("mount", Box::new(move |fixture| fixture.client.mount(&b2, &a7, &blob3).is_ok())),
        ("referrers", Box::new(move |fixture| fixture.client.referrers_index(&b3, &blob).is_ok())),
    ]
}

#[test]
fn each_operation_has_a_bounded_number_of_tries() {
    for fault in [Fault::status(503), Fault::CutAfterBody, Fault::ResetAfterBody] {
        let (registry, image) = seeded();
        for (name, operation) in operations(&registry, &image) {
            registry.clear_record();
            registry.clear_faults();
            registry.add_fault(Rule::any(), fault.clone());
            let clock = RecordingClock::new();
            let fixture = client_with_three_retries(&clock);
            assert!(!operation(&fixture), "{name}, {fault:?}");
            let (sent, slept) = (registry.requests().len(), clock.slept_ms());
            assert_eq!((sent, slept), (4, vec![250, 500, 1000]), "{name}, {fault:?}: {:?}", request_lines(&registry));
        }
        for (name, operation) in operations(&registry, &image) {
            registry.clear_record();
            registry.clear_faults();
            registry.add_fault(Rule::any().first_n(3), fault.clone());
            assert!(
                operation(&client_with_three_retries(&RecordingClock::new())),
                "{name}, {fault:?}: {:?}",
                request_lines(&registry)
            );
        }
    }
}

#[test]
fn an_unreachable_registry_is_tried_the_given_number_of_times() {
    let (registry, image) = seeded();
    let operations = operations(&registry, &image);
    drop(registry);
    for (name, operation) in operations {
        let clock = RecordingClock::new();
        assert!(!operation(&client_with_three_retries(&clock)), "{name}");
        assert_eq!(clock.slept_ms(), [250, 500, 1000], "{name}");
    }
}

//! A push from one real docker-registry to another.

use testkit::client::Client;
use testkit::image::fixtures::buildx_index;
use testkit::image::{OCI_INDEX, sha256};
use testkit::real::RealRegistry;
use testkit::sandbox::Sandbox;
use testkit::skip::skipped;

use super::super::OURS;

#[test]
fn push_copies_an_index_between_real_registries() {
    let started = RealRegistry::start_plain().and_then(|first| RealRegistry::start_plain().map(|other| (first, other)));
    let (from, to) = match started {
        Ok(both) => both,
        Err(reason) => return skipped("a push between two real registries", &reason),
    };
    let index = buildx_index(&["linux/amd64", "linux/arm64", "linux/s390x"]);
    let source = Client::new(from.addr());
    source.push_index("src/app", "1", &index);
    let sandbox = Sandbox::new();
    let list = format!("{}/dst/app:1", to.host());
    let run = |args: &[&str]| sandbox.command(OURS).args(args.iter().copied()).run();
    let _ = run(&["create", &list, &format!("{}/src/app:1", from.host())]).success();
    let required = ["--require", "linux/amd64,linux/arm64,linux/s390x", "--exact", "--type", "oci"];
    let dry_run = run(&[&["push", "--dry-run"], &required[..], &[&list]].concat()).success();
    let target = Client::new(to.addr());
    assert!(target.find_manifest("dst/app", "1").is_none());
    let pushed = run(&[&["push", "-t", "1.0.0"], &required[..], &[&list]].concat()).success();
    let (media_type, bytes) = target.manifest("dst/app", "1");
    assert_eq!((media_type.as_str(), target.manifest("dst/app", "1.0.0").1), (OCI_INDEX, bytes.clone()));
    assert!(pushed.out().ends_with(&format!("{}\n", sha256(&bytes))));
    assert!(dry_run.out().contains(&sha256(&bytes)), "{}", dry_run.out());
    for image in &index.images {
        assert_eq!(target.manifest("dst/app", &image.digest()).1, image.manifest);
        for blob in image.blobs() {
            let reply = target.request("GET", &format!("/v2/dst/app/blobs/{}", sha256(blob)), &[], b"");
            assert_eq!((reply.status, reply.body.as_slice()), (200, blob));
        }
    }
    // From there to a third repository, everything is mounted.
    let third = format!("{}/third/app:1", to.host());
    let _ = run(&["create", &third, &list]).success();
    let stdout = run(&["push", "--format", "json", "--type", "oci", &third]).success().out();
    let json: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(json["copied"]["blobs"], 0, "{stdout}");
    assert!(json["mounted"].as_u64() > Some(0), "{stdout}");
}

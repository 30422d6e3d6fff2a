//! Files that real tools write, with a real registry.

use testkit::client::Client;
use testkit::real::RealRegistry;
use testkit::sandbox::on_path;
use testkit::skip::skipped;

use super::*;

struct Real {
    registry: RealRegistry,
    sandbox: Sandbox,
    images: [Image; 2],
}

impl Real {
    fn start(what: &str) -> Option<Real> {
        match RealRegistry::start_plain() {
            Ok(registry) => {
                let images = [image("amd64", "a"), image("arm64", "b")];
                let client = Client::new(registry.addr());
                for (image, tag) in images.iter().zip(["amd64", "arm64"]) {
                    let _ = client.push_image("build", tag, image);
                }
                Some(Real { registry, sandbox: Sandbox::new(), images })
            }
            Err(reason) => {
                skipped(what, &reason);
                None
            }
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        self.sandbox.command(OURS).args(args.iter().copied()).run()
    }
}

#[test]
fn skopeos_digest_files_make_a_list() {
    let check = "the digest files of skopeo";
    if !on_path("skopeo") {
        return skipped(check, "there is no skopeo");
    }
    let Some(real) = Real::start(check) else { return };
    let host = real.registry.host();
    for arch in ["amd64", "arm64"] {
        let copy = real.sandbox.command("skopeo").args([
            "--insecure-policy",
            "copy",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            "--digestfile",
            &format!("d-{arch}"),
            &format!("docker://{host}/build:{arch}"),
            &format!("docker://{host}/app:tmp-{arch}"),
        ]);
        let _ = copy.run().success();
    }
    let list = format!("{host}/app:1");
    let required = "--require=linux/amd64,linux/arm64";
    let _ = real.run(&["create", "--from=d-amd64", "--from=d-arm64", required, &list]).success();
    let pushed = real.run(&["push", "--purge", &list]).success().out();
    let (_, bytes) = Client::new(real.registry.addr()).manifest("app", "1");
    assert_eq!(pushed, format!("{}\n", testkit::image::sha256(&bytes)));
    let served = String::from_utf8(bytes).expect("JSON");
    for arch in ["amd64", "arm64"] {
        let digest = std::fs::read_to_string(real.sandbox.path().join(format!("d-{arch}"))).expect("a digest");
        assert!(digest.starts_with("sha256:") && served.contains(&digest), "{digest}: {served}");
    }
}

/// docker-registry answers 500 for the manifest of an image's id.
#[test]
fn from_reports_an_image_id_on_a_real_registry() {
    let Some(real) = Real::start("an image id on a real registry") else { return };
    let list = format!("{}/build:1", real.registry.host());
    real.sandbox.write("iid", real.images[0].config_digest());
    let refused = real.run(&["create", "--from=iid", &list]);
    assert_eq!(refused.code, 1);
    assert!(refused.err().contains("is the id of an image, and not the digest of its manifest\n"), "{}", refused.err());
}

//! Lists that no registry could serve are refused before any request. Tags that cannot be moved, and published
//! lists without their images.

use testkit::client::Client;
use testkit::image::Index;
use testkit::loopback::{Fault, Rule};
use testkit::sandbox::Output;

use super::super::OURS;
use super::{Fixture, TARGET_REPOSITORY, image, put_references, request_lines, writes};

fn apply(fixture: &Fixture, flags: &[&str], spec: String) -> Output {
    fixture.sandbox.command(OURS).args(["apply", "-f", "-"]).args(flags.iter().copied()).stdin(spec).run()
}

#[test]
fn push_refuses_an_oversized_list_before_any_request() {
    let fixture = Fixture::new();
    fixture.target.put_image(TARGET_REPOSITORY, "amd", &image("amd64", &[b"amd"]));
    let filling = "x".repeat(4 << 20);
    let spec = |filling: &str| {
        let (list, image) = (fixture.expand_word("@dst/app:1"), fixture.expand_word("@dst/app:amd"));
        format!("image: '{list}'\nannotations: {{ filling: {filling} }}\nmanifests:\n- image: '{image}'\n")
    };
    for flags in [&["--type", "oci"][..], &["--type", "oci", "--dry-run"]] {
        let refused = apply(&fixture, flags, spec(&filling));
        assert_eq!((refused.code, refused.out()), (1, String::new()));
        let start = format!("{} has 4194", fixture.expand_word("@dst/app:1"));
        let line = refused.first_err_line();
        assert!(line.starts_with(&start) && line.contains("4194304 bytes (4 MiB)"), "{line}");
    }
    assert_eq!(writes(&fixture.target), [""; 0]);
    let _ = apply(&fixture, &["--type", "oci"], spec(&filling[..3 << 20])).success();
}

#[test]
fn apply_refuses_too_many_images_before_any_request() {
    let fixture = Fixture::new();
    let image = format!("- image: '{}'\n", fixture.expand_word("@dst/app:amd"));
    let spec = |number| format!("image: '{}'\nmanifests:\n{}", fixture.expand_word("@dst/app:1"), image.repeat(number));
    let refused = apply(&fixture, &[], spec(20_001));
    let line = format!("{} has 20001 images, and a list may have up to 20000", fixture.expand_word("@dst/app:1"));
    assert_eq!((refused.code, refused.first_err_line(), request_lines(&fixture.target)), (1, line, vec![]));
    let most = apply(&fixture, &[], spec(20_000));
    assert!(most.first_err_line().starts_with("no such manifest: "), "{}", most.err());
}

#[test]
fn push_succeeds_if_a_refused_tag_serves_the_list() {
    // As ECR, Harbor and others refuse to move a tag; another run has put the same list in the meantime.
    for status in [400, 403, 409, 412] {
        let fixture = Fixture::new();
        fixture.target.put_image(TARGET_REPOSITORY, "amd", &image("amd64", &[b"amd"]));
        fixture.source.put_image("src/arm", "1", &image("arm64", &[b"arm"]));
        fixture.create_draft(&["@dst/app:amd", "%src/arm:1"]);
        let _ = fixture.push(&["-t", "2"]).success();
        let (_, digest) = fixture.served_with_digest("1");
        for tag in ["1", "2"] {
            fixture.target.add_fault(Rule::on("PUT", &format!("/manifests/{tag}")).always(), Fault::status(status));
        }
        // The look before the push does not see it.
        fixture.target.add_fault(Rule::on("GET", "/manifests/1").nth(1), Fault::status(404));
        fixture.target.clear_record();
        let repeated = fixture.push(&["--verbose"]).success();
        assert_eq!(repeated.out().lines().last(), Some(digest.as_str()), "{status}");
        assert!(repeated.err().contains(&format!("unchanged: {} is {digest}\n", fixture.expand_word("@dst/app:1"))));
        assert!(put_references(&fixture.target).contains(&"1".to_owned()), "{:#?}", put_references(&fixture.target));
        // Another list is refused as before.
        let _ = fixture.run(&["annotate", "@dst/app:1", "@dst/app:amd", "--os-version", "1"]).success();
        let refused = fixture.push(&[]);
        assert_eq!((refused.code, fixture.served_with_digest("1").1), (1, digest), "{status}");
        assert!(refused.first_err_line().starts_with("failed to put manifest "), "{}", refused.err());
    }
}

#[test]
fn push_names_an_image_that_a_published_list_has_lost() {
    let fixture = Fixture::new();
    let images = [image("amd64", &[b"amd"]), image("arm64", &[b"arm"])];
    let index = images.iter().fold(Index::oci(), |index, image| index.image(image)).build();
    fixture.target.put_index("src/app", "list", &index);
    let path = format!("/v2/src/app/manifests/{}", images[1].digest());
    assert_eq!(Client::new(fixture.target.addr()).request("DELETE", &path, &[], b"").status, 202);
    let spec = format!(
        "image: '{}'\nmanifests:\n- image: '{}'\n",
        fixture.expand_word("@dst/app:1"),
        fixture.expand_word("@src/app:list")
    );
    let outputs = [
        fixture.run(&["create", "@dst/app:1", "@src/app:list"]),
        fixture.run(&["inspect", "-v", "@src/app:list"]),
        fixture.run(&["inspect", "--platform", "linux/arm64", "@src/app:list"]),
        apply(&fixture, &[], spec),
    ];
    let child = format!("{}@{}", fixture.expand_word("@src/app"), images[1].digest());
    for output in outputs {
        let stderr = output.err();
        assert_eq!((output.code, output.out()), (1, String::new()), "{stderr}");
        let line = format!("no such manifest: {child} (linux/arm64), which {}", fixture.expand_word("@src/app:list"));
        assert!(stderr.starts_with(&line), "{stderr}");
        assert!(stderr.contains("\nhint: push that image again, or name the platforms that you want with --platform"));
        assert!(!stderr.contains("check the name") && !stderr.contains("log in"), "{stderr}");
    }
    let json = fixture.run(&["create", "--format", "json", "@dst/app:1", "@src/app:list"]);
    let error: serde_json::Value = serde_json::from_str(json.err().lines().last().unwrap_or_default()).expect("JSON");
    let error = &error["error"];
    assert_eq!((&error["kind"], &error["status"]), (&"incomplete".into(), &404.into()), "{error}");
    assert_eq!(error["missing"], serde_json::json!(["linux/arm64"]));
    let _ = fixture.run(&["create", "--platform", "linux/amd64", "@dst/app:1", "@src/app:list"]).success();
}

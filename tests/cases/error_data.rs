//! The data of a registry's error: its code selects the hint, its detail is shown, and an address that the registry
//! gave is reported as such.

use std::net::TcpListener;

use testkit::image::Image;
use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::Sandbox;

use super::OURS;

/// A registry with an image, and a draft of it.
fn registry_with_draft(sandbox: &Sandbox) -> Registry {
    let registry = Registry::start();
    registry.put_image("app", "amd64", &Image::docker().platform("linux", "amd64").build());
    let words = registry.expand_names(&["create", "@app:1", "@app:amd64"]);
    let _ = sandbox.command(OURS).args(words).run().success();
    registry
}

fn refused(status: u16, code: &str, detail: &str) -> Fault {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"its own words","detail":{detail}}}]}}"#);
    Fault::Status(status, body, vec![])
}

#[test]
fn the_other_form_is_suggested_only_where_the_form_may_be_refused() {
    let sandbox = Sandbox::new();
    let registry = registry_with_draft(&sandbox);
    for (status, code, is_advised) in [
        (400, "MANIFEST_INVALID", true),
        (400, "UNSUPPORTED", true),
        (415, "", true),
        (405, "UNSUPPORTED", true),
        (400, "SOMETHING_NEW", true),
        (400, "TAG_INVALID", false),
        (400, "NAME_INVALID", false),
        (400, "DIGEST_INVALID", false),
        (400, "SIZE_INVALID", false),
        (400, "BLOB_UNKNOWN", false),
        (400, "MANIFEST_BLOB_UNKNOWN", false),
        (409, "CONFLICT", false),
    ] {
        registry.clear_faults();
        registry.add_fault(Rule::on("PUT", "/manifests/"), refused(status, code, "null"));
        let failed = sandbox.command(OURS).args(registry.expand_names(&["push", "@app:1"])).run();
        assert_ne!(failed.code, 0);
        assert_eq!(failed.err().contains("--type oci"), is_advised, "{status} {code}: {}", failed.err());
        assert_eq!(failed.err().contains("read-only"), status == 405, "{status} {code}: {}", failed.err());
    }
}

#[test]
fn the_detail_of_an_error_is_a_line_and_a_json_member() {
    let sandbox = Sandbox::new();
    let registry = registry_with_draft(&sandbox);
    for (detail, shown) in [
        (r#""not one of the allowed\u001b[1m\nones""#, "not one of the allowed[1m ones"),
        (r#"{"message":"not one of the allowed"}"#, "not one of the allowed"),
        (r#"{"Tag":"1"}"#, r#"{"Tag":"1"}"#),
    ] {
        registry.clear_faults();
        registry.add_fault(Rule::on("PUT", "/manifests/"), refused(400, "MANIFEST_INVALID", detail));
        let failed = sandbox.command(OURS).args(registry.expand_names(&["push", "@app:1"])).run();
        assert!(failed.err().contains(&format!("\n  detail: {shown}\n")), "{}", failed.err());
        let failed = sandbox.command(OURS).args(registry.expand_names(&["push", "--format", "json", "@app:1"])).run();
        let line = failed.err().lines().last().unwrap_or_default().to_owned();
        let json: serde_json::Value = serde_json::from_str(&line).expect("the last line is JSON");
        let error = &json["error"];
        assert_eq!(error["detail"], shown);
        assert_eq!((&error["codes"][0], &error["method"]), (&"MANIFEST_INVALID".into(), &"PUT".into()));
        assert_eq!(error["repository"], "app");
    }
    for nothing in ["null", r#""""#, "{}", "[]", r#""its own words""#] {
        registry.clear_faults();
        registry.add_fault(Rule::on("PUT", "/manifests/"), refused(400, "MANIFEST_INVALID", nothing));
        let failed = sandbox.command(OURS).args(registry.expand_names(&["push", "@app:1"])).run();
        assert!(!failed.err().contains("detail"), "{}", failed.err());
    }
}

#[test]
fn an_unreachable_upload_address_error_names_the_registry() {
    let sandbox = Sandbox::new();
    let unused = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let closed_address = unused.local_addr().expect("it is bound").to_string();
    drop(unused);
    let (from, to) = (Registry::start(), Registry::start());
    from.put_image("app", "amd64", &Image::docker().platform("linux", "amd64").build());
    let create = ["create".to_owned(), to.name("app:1"), from.name("app:amd64")];
    let _ = sandbox.command(OURS).args(create).run().success();
    for scheme in ["http", "https"] {
        to.clear_faults();
        let location = vec![("Location".to_owned(), format!("{scheme}://{closed_address}/v2/app/blobs/uploads/1"))];
        to.add_fault(Rule::on("POST", "/uploads/"), Fault::Status(202, String::new(), location));
        let push = ["push".to_owned(), "--retries".to_owned(), "0".to_owned(), to.name("app:1")];
        let failed = sandbox.command(OURS).args(push).run();
        let expected = format!("cannot reach {scheme}://{closed_address} (the upload address that {} gave)", to.host());
        assert!(failed.code != 0 && failed.err().contains(&expected), "{}", failed.err());
        assert!(!failed.err().contains(&format!("check that {} is up", to.host())), "{}", failed.err());
    }
}

#[test]
fn an_https_upload_address_of_a_registry_without_tls_falls_back_to_http() {
    let sandbox = Sandbox::new();
    let (from, to, elsewhere) = (Registry::start(), Registry::start(), Registry::start());
    from.put_image("app", "amd64", &Image::docker().platform("linux", "amd64").build());
    let create = ["create".to_owned(), to.name("app:1"), from.name("app:amd64")];
    let _ = sandbox.command(OURS).args(create).run().success();
    // At its own port it is known to speak plain HTTP; at another one that is found out.
    for (host, is_tried) in [(to.host(), false), (elsewhere.host(), true)] {
        to.clear_faults();
        to.clear_record();
        elsewhere.clear_record();
        let location = vec![("Location".to_owned(), format!("https://{host}/v2/app/blobs/uploads/1"))];
        to.add_fault(Rule::on("POST", "/uploads/"), Fault::Status(202, String::new(), location));
        let stored = Fault::status(201);
        to.add_fault(Rule::on("PUT", "/uploads/"), stored.clone());
        elsewhere.add_fault(Rule::on("PUT", "/uploads/"), stored);
        let push = ["push".to_owned(), "--insecure".to_owned(), to.name("app:1")];
        let pushed = sandbox.command(OURS).args(push).run();
        let at = if is_tried { &elsewhere } else { &to };
        let puts = at.requests().iter().filter(|request| request.target.contains("/uploads/1")).count();
        assert!(puts >= 1, "{host}: {}", pushed.err());
    }
}

#[test]
fn mistyped_names_get_hints() {
    let sandbox = Sandbox::new();
    for (typed, hint) in [
        ("https://h.example/app:1", "write h.example/app:1 instead"),
        ("docker://alpine", "write alpine instead"),
        ("oci:./dir", "cannot open ./dir"),
        ("./dir", "that is a path"),
        ("my_registry:5000/app", "underscore"),
        ("my_registry.example/app", "underscore"),
    ] {
        let failed = sandbox.command(OURS).args(["inspect", typed]).run();
        assert!(failed.code != 0 && failed.err().contains(hint), "{typed}: {}", failed.err());
    }
}

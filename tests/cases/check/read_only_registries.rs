//! Registries that accept nothing: read-only ones, and caches.

use testkit::loopback::{Fault, Rule};

use super::{Fixture, TITLES, columns};

#[test]
fn check_reports_a_registry_that_refuses_blobs() {
    for (status, code, words) in [
        (405, "UNSUPPORTED", "unsupported: a cache"),
        (400, "DENIED", "denied: a cache"),
        (403, "DENIED", "denied: a cache"),
    ] {
        let fixture = Fixture::new(|habits| habits);
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"a cache"}}]}}"#);
        fixture.registry.add_fault(Rule::on("POST", "/blobs/uploads/").always(), Fault::Status(status, body, vec![]));
        let output = fixture.check();
        let table = output.out();
        let rows: Vec<Vec<&str>> = table.lines().skip(1).map(columns).collect();
        let refused = format!("POST {status}: {words}");
        assert_eq!(rows.first(), Some(&vec!["blob upload", "fails", refused.as_str()]), "{table}{}", output.err());
        let others: Vec<Vec<&str>> =
            TITLES.iter().map(|title| vec![*title, "not tried", "needs: blob upload"]).collect();
        assert_eq!(rows.get(1..), Some(others.as_slice()));
        assert_eq!(output.code, 1);
        let end = " takes neither a Docker manifest list nor an OCI image index";
        assert!(output.first_err_line().ends_with(end), "{}", output.err());
        let writes = fixture.registry.requests().iter().filter(|request| request.method != "GET").count();
        assert_eq!(writes, 1, "who takes no blob is asked nothing more");
    }
}

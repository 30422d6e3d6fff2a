//! Tests of each kind of failure as scripts see it, and of the hints.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::*;
use crate::cli::args;
use crate::core::spec_origin::SpecOrigin;
use crate::drafts::docker_dir::StoreError;
use crate::failure_kind::FailureKind;
use crate::model::DocumentError;
use crate::model::spec::Dialect;
use crate::net::{FailedRequest, RegistryErrorKind};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn error_of(kind: RegistryErrorKind) -> RegistryError {
    RegistryError::new(kind, "h:5000", "the detail")
}

fn with_status(kind: RegistryErrorKind, status: u16) -> RegistryError {
    error_of(kind).with_request(FailedRequest::new("GET", "https://h:5000/v2/app/manifests/1")).with_status(status)
}

fn put(source: RegistryError) -> CommandError {
    let media_type = crate::model::media_type::OCI_INDEX.to_owned();
    CommandError::Put { reference: "h:5000/app:1".to_owned(), media_type, source: Box::new(source) }
}

fn incomplete(missing: &[&str], extra: &[&str]) -> CommandError {
    let (missing, extra) = (words(missing), words(extra));
    CommandError::Incomplete { list: "h:5000/app:1".to_owned(), origin: SpecOrigin::Draft, missing, extra }
}

fn name_taken() -> CommandError {
    StoreError::NameTaken { requested: "a/b".to_owned(), existing: "a_b".to_owned(), path: PathBuf::from("/m/a_b") }
        .into()
}

fn unreadable() -> CommandError {
    let source = io::ErrorKind::PermissionDenied.into();
    StoreError::Io { verb: "read", path: PathBuf::from("/m/a"), source }.into()
}

/// Docker Hub cannot be reached, and a layout was meant.
#[test]
fn a_layout_read_as_a_repository_gets_a_hint_even_offline() {
    for kind in [RegistryErrorKind::HostNotFound, RegistryErrorKind::Connect, RegistryErrorKind::NotFound] {
        let request = FailedRequest::new("GET", "https://registry-1.docker.io/v2/library/oci/manifests/dir");
        let request = FailedRequest { repository: Some("library/oci".to_owned()), ..request };
        let failed = RegistryError::new(kind, "docker.io", "the detail").with_request(request);
        let hints = hints::hints(&failed.into(), Path::new("/c"));
        assert!(hints.iter().any(|hint| hint.ends_with("write oci:./PATH")), "{kind:?}: {hints:?}");
    }
}

/// The output for [`failures`] and for a wrong command line, one line each.
const SNAPSHOT: &str = include_str!("../../../tests/fixtures/failures.jsonl");

/// One failure of each kind except `usage`.
fn failures() -> Vec<CommandError> {
    let reference = crate::reference::Reference::parse("A").unwrap_err();
    vec![
        CommandError::Reference(reference),
        with_status(RegistryErrorKind::LoginRefused, 401).into(),
        put(with_status(RegistryErrorKind::Forbidden, 403)),
        CommandError::NoSuchDraftOrImage("docker.io/library/app:1".to_owned()),
        incomplete(&["linux/arm64"], &["linux/386"]),
        with_status(RegistryErrorKind::RateLimited, 429).into(),
        name_taken(),
        error_of(RegistryErrorKind::HostNotFound).with_request(FailedRequest::new("GET", "https://h:5000/v2/")).into(),
        error_of(RegistryErrorKind::Timeout).into(),
        error_of(RegistryErrorKind::CertificateUntrusted).into(),
        error_of(RegistryErrorKind::PlainHttp).into(),
        error_of(RegistryErrorKind::Proxy).into(),
        with_status(RegistryErrorKind::Server, 503).into(),
        with_status(RegistryErrorKind::RequestRefused, 400).into(),
        error_of(RegistryErrorKind::Verification).into(),
        CommandError::InvalidDocument {
            reference: "h:5000/app:1".to_owned(),
            source: DocumentError::MissingMember("mediaType"),
        },
        error_of(RegistryErrorKind::Credentials).into(),
        unreadable(),
        DocumentError::NoPlatform("h:5000/app:1".to_owned()).into(),
        CommandError::UnsupportedPlatform { os: "dos".to_owned(), arch: "z80".to_owned(), suggestions: Vec::new() },
        io::Error::other("full").into(),
        crate::model::spec::parse("image: l\nmanifest: []\n", "l.yaml", Dialect::Native, &|_| None).unwrap_err().into(),
        CommandError::Several(vec![CommandError::NoSuchDraftOrImage("a:1".to_owned()), unreadable()]),
    ]
}

#[test]
fn every_failure_kind_has_the_expected_json() {
    let certificates = Path::new("/certs.d");
    let mut kinds = BTreeSet::from([FailureKind::Usage]);
    let mut printed = String::new();
    for error in failures() {
        let report = command_error_json(&error, certificates);
        printed.push_str(&format!("{}\n", report.text));
        assert_eq!(report.exit_code, command_error(&error, certificates).exit_code);
        assert!(kinds.insert(error.failure_data().kind), "{:?} twice", error.failure_data().kind);
    }
    let usage = argument_error_json(&args::parse("docker manifest", &words(&["create", "--no-such"])).unwrap_err());
    assert_eq!(usage.exit_code, 125);
    printed.push_str(&format!("{}\n", usage.text));
    for (printed, expected) in printed.lines().zip(SNAPSHOT.lines()) {
        assert_eq!(printed, expected);
    }
    assert_eq!(printed.lines().count(), SNAPSHOT.lines().count());
    // `several` is the last of them.
    assert_eq!(kinds.len(), FailureKind::Several as usize + 1, "one of the kinds is not shown here: {kinds:?}");
}

#[test]
fn refused_pushes_have_kinds_by_status() {
    for (status, kind) in [
        (400, FailureKind::ContentRefused),
        (405, FailureKind::Unsupported),
        (409, FailureKind::Conflict),
        (412, FailureKind::Conflict),
        (413, FailureKind::ContentRefused),
    ] {
        assert_eq!(put(with_status(RegistryErrorKind::RequestRefused, status)).failure_data().kind, kind, "{status}");
    }
    let lost = CommandError::NoSuchManifest {
        reference: "a".to_owned(),
        source: Box::new(with_status(RegistryErrorKind::NotFound, 404)),
    };
    assert_eq!(lost.failure_data().kind, FailureKind::Missing);
}

#[test]
fn incomplete_lists_have_exit_code_3_and_a_hint() {
    let certificates = Path::new("/certs.d");
    let report = command_error(&incomplete(&["linux/arm64"], &[]), certificates);
    let text =
        "h:5000/app:1 is incomplete: linux/arm64 is missing\nhint: add what is missing with: add h:5000/app:1 IMAGE";
    assert_eq!((report.text.as_str(), report.exit_code), (text, 3));
    let report = command_error(&incomplete(&["linux/arm64", "linux/s390x"], &["linux/386"]), certificates);
    let first = "h:5000/app:1 is incomplete: linux/arm64, linux/s390x are missing; extra: linux/386";
    assert_eq!(report.text.lines().next(), Some(first));
    let report = command_error(&incomplete(&[], &["linux/386", "darwin/arm64"]), certificates);
    let text = "h:5000/app:1 has more than was required: extra: linux/386, darwin/arm64\n\
                hint: remove what is extra with: remove h:5000/app:1 linux/386 darwin/arm64";
    assert_eq!((report.text.as_str(), report.exit_code), (text, 3));
}

/// The data of a failure does not depend on its context.
#[test]
fn a_partial_failure_is_described_as_its_cause() {
    let done = PartialResult::Tags { moved: words(&["1"]), remaining: words(&["2"]) };
    let partial = |failure| CommandError::Partial { error: Box::new(failure), done: done.clone() };
    let report = |error| command_error_json(&error, Path::new("/certs.d"));
    let printed = |error| serde_json::from_str::<serde_json::Value>(&report(error).text).unwrap();
    let members = ["kind", "message", "hints", "reference", "missing", "extra", "path", "exitCode"];
    for make in [unreadable, name_taken, || put(with_status(RegistryErrorKind::Forbidden, 403))] {
        let (alone, partial) = (printed(make()), printed(partial(make())));
        for member in members {
            assert_eq!(partial["error"].get(member), alone["error"].get(member), "{member}");
        }
        assert_eq!(partial["error"]["tags"], serde_json::json!({ "moved": ["1"], "left": ["2"] }));
    }
    let partial = printed(partial(incomplete(&["linux/arm64"], &["linux/386"])));
    assert_eq!(partial["error"]["missing"], serde_json::json!(["linux/arm64"]));
    assert_eq!(partial["error"]["extra"], serde_json::json!(["linux/386"]));
}

#[test]
fn wants_json_reads_the_last_format_before_two_dashes() {
    for line in [
        &["create", "a", "b", "--format", "json"][..],
        &["create", "--format=json", "a", "b"],
        &["ls", "--format", "table", "--format=json"],
        &["nonsense", "--format=json", "--no-such"],
    ] {
        assert!(wants_json(&words(line)), "{line:?}");
    }
    for line in [
        &[][..],
        &["create", "json"],
        &["create", "--format"],
        &["create", "--format", "--", "json"],
        &["create", "--", "--format", "json"],
        &["ls", "--format=json", "--format", "table"],
        &["create", "--format=JSON"],
        &["create", "--formats=json"],
    ] {
        assert!(!wants_json(&words(line)), "{line:?}");
    }
}

#[test]
fn certs_d_files_without_a_certificate_are_named_in_the_hint() {
    let certificates = tempfile::tempdir().unwrap();
    let hint = || command_error(&error_of(RegistryErrorKind::CertificateUntrusted).into(), certificates.path()).text;
    assert!(hint().contains("put the authority's certificate into"), "{}", hint());

    let directory = certificates.path().join("h:5000");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("readme.txt"), "junk").unwrap();
    assert!(hint().contains("put the authority's certificate into"), "{}", hint());

    fs::write(directory.join("b.crt"), "junk").unwrap();
    fs::write(directory.join("a.crt"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let named = format!("hint: {} holds no certificate", directory.join("a.crt").display());
    assert!(hint().contains(&named), "{}", hint());

    // Beside a valid certificate the invalid file is not the cause.
    let authority = testkit::certs::Authority::new("ca");
    fs::write(directory.join("c.crt"), authority.cert_pem()).unwrap();
    assert!(hint().contains("put the authority's certificate into"), "{}", hint());
}

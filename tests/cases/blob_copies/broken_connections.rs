//! Connections that break while a blob is copied: what is resumed, what is restarted, and when the copy fails.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use docker_manifest::content::registry::Blob;
use docker_manifest::net::RegistryErrorKind;
use testkit::loopback::{Fault, Registry, Rule};

use super::super::client_fixture::FixtureBuilder;
use super::{ClockWithoutPauses, CopyFixture, MIB, blob_of, request_lines, retrying_client};

const SIZES: [usize; 2] = [300_000, 9 * MIB];

/// The methods and statuses of what a registry saw: `PUT 201`. 0 stands for no answer.
fn methods_and_statuses(registry: &Registry) -> Vec<String> {
    registry.requests().iter().map(|request| format!("{} {}", request.method, request.status)).collect()
}

#[test]
fn a_copy_resumes_after_the_source_disconnects() {
    for size in SIZES {
        for ranges in [true, false] {
            let from = if ranges { Registry::start() } else { Registry::builder().without_ranges().start() };
            let pair = CopyFixture::between(from, Registry::start(), retrying_client().build(), size);
            pair.source_registry.add_fault(Rule::on("GET", "/blobs/").first_n(2), Fault::ShortBody(100_000));
            assert_eq!(pair.copy_blob(), pair.expected_copy());
            assert!(pair.has_arrived());
            let sent = request_lines(&pair.target_registry).len();
            assert_eq!(sent, if size > 8 * MIB { 4 } else { 3 }, "{:?}", request_lines(&pair.target_registry));
            if ranges {
                assert_eq!(methods_and_statuses(&pair.source_registry), ["GET 200", "GET 206", "GET 206"]);
                let ranges = pair.source_registry.requests();
                let ranges: Vec<_> = ranges.iter().map(|request| request.header("Range")).collect();
                assert_eq!(ranges, [None, Some("bytes=100000-"), Some("bytes=200000-")]);
            } else {
                assert!(methods_and_statuses(&pair.source_registry).iter().all(|step| step == "GET 200"));
            }
        }
    }
}

#[test]
fn a_copy_fails_if_the_source_always_disconnects() {
    for size in SIZES {
        let pair = CopyFixture::new(size);
        pair.source_registry.add_fault(Rule::on("GET", "/blobs/"), Fault::ShortBody(1000));
        let error = pair.copy_blob().expect_err("it never comes");
        assert_eq!((error.kind, &error.registry), (RegistryErrorKind::Connect, &pair.source_registry.host()));
        assert_eq!(blob_of(&error), Some(pair.digest.as_str()), "{error}");
        assert!(error.message.contains("middle"), "{error}");
        assert_eq!(pair.source_registry.requests().len(), 6);
        assert_eq!((pair.target_registry.open_uploads(), pair.has_arrived()), (0, false));
    }
}

#[test]
fn a_source_with_a_wrong_content_length_is_detected() {
    for size in SIZES {
        for fault in [Fault::LongLength(3), Fault::ShortLength(3)] {
            let pair = CopyFixture::new(size);
            pair.source_registry.add_fault(Rule::on("GET", "/blobs/"), fault);
            let error = pair.copy_blob().expect_err("its length is wrong");
            assert_eq!((error.kind, &error.registry), (RegistryErrorKind::Verification, &pair.source_registry.host()));
            assert_eq!((pair.target_registry.open_uploads(), pair.has_arrived()), (0, false));
        }
    }
}

#[test]
fn a_blob_that_comes_in_chunks_is_copied_whatever_its_length() {
    for size in SIZES {
        let pair = CopyFixture::new(size);
        pair.source_registry.add_fault(Rule::on("GET", "/blobs/").nth(1), Fault::TruncatedChunk);
        let blob = Blob { digest: &pair.digest, size: None };
        let copied_blob = pair.fixture.client.copy_blob(&pair.target, &[&pair.source], &blob, &|_| {});
        assert_eq!(copied_blob, pair.expected_copy(), "the first answer does not say the length, the second one does");
        assert!(pair.has_arrived());
    }
}

#[test]
fn an_upload_resumes_at_the_offset_that_the_target_reports() {
    let pair = CopyFixture::new(9 * MIB);
    pair.target_registry.add_fault(Rule::on("PATCH", "").nth(1), Fault::CutRequestAfter(5 * MIB as u64));
    pair.target_registry.add_fault(Rule::on("PATCH", "").nth(2), Fault::CutRequestAfter(MIB as u64));
    let seen = Mutex::new(Vec::new());
    let blob = Blob { digest: &pair.digest, size: Some(pair.size as u64) };
    let progress = |bytes| seen.lock().expect("no panic so far").push(bytes);
    let copied_blob = pair.fixture.client.copy_blob(&pair.target, &[&pair.source], &blob, &progress);
    assert_eq!(copied_blob, pair.expected_copy());
    assert!(pair.has_arrived());
    let expected =
        ["HEAD 404", "POST 202", "PATCH 0", "GET 204", "PATCH 0", "GET 204", "PATCH 202", "PUT 201"].map(str::to_owned);
    assert_eq!(methods_and_statuses(&pair.target_registry), expected);
    let requests = pair.target_registry.requests();
    let ranges: Vec<_> = requests.iter().filter_map(|request| request.header("Content-Range")).collect();
    assert_eq!(ranges, ["5242880-9437183", "6291456-9437183"]);
    let lengths: Vec<_> = [2, 4, 6].iter().filter_map(|at| requests[*at].header("Content-Length")).collect();
    assert_eq!(lengths, ["9437184", "4194304", "3145728"]);
    let resumed_at: Vec<usize> =
        pair.source_registry.requests()[1..].iter().map(|request| start(request.header("Range"))).collect();
    for (start, offset) in resumed_at.iter().zip([5 * MIB, 6 * MIB]) {
        assert!(*start <= offset && *start + 2 * MIB > offset, "from {start}, for {offset}");
    }
    let seen = seen.into_inner().expect("no panic so far");
    assert!(seen.contains(&(5 * MIB as u64)) && seen.last() == Some(&(9 * MIB as u64)));
}

fn start(range: Option<&str>) -> usize {
    range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).expect("an open range")
}

#[test]
fn a_lost_upload_is_restarted() {
    let to = Registry::builder().loses_broken_uploads().start();
    let pair = CopyFixture::between(Registry::start(), to, retrying_client().build(), 9 * MIB);
    pair.target_registry.add_fault(Rule::on("PATCH", "").nth(1), Fault::CutRequestAfter(5 * MIB as u64));
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert!(pair.has_arrived());
    let expected = ["HEAD 404", "POST 202", "PATCH 0", "GET 404", "DELETE 404", "POST 202", "PATCH 202", "PUT 201"];
    assert_eq!(methods_and_statuses(&pair.target_registry), expected);
    assert!(
        pair.source_registry.requests().iter().all(|request| request.header("Range").is_none()),
        "from the beginning"
    );
}

#[test]
fn a_small_blob_is_restarted() {
    let pair = CopyFixture::new(300_000);
    pair.target_registry.add_fault(Rule::on("PUT", "").nth(1), Fault::CutRequestAfter(100_000));
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert!(pair.has_arrived());
    let expected = ["HEAD 404", "POST 202", "PUT 0", "HEAD 404", "DELETE 204", "POST 202", "PUT 201"];
    assert_eq!(methods_and_statuses(&pair.target_registry), expected);
    assert_eq!(pair.target_registry.open_uploads(), 0);
}

#[test]
fn a_blob_that_was_committed_without_a_response_is_not_sent_again() {
    for size in SIZES {
        let pair = CopyFixture::new(size);
        pair.target_registry.add_fault(Rule::on("PUT", "").nth(1), Fault::CutAfterEffect);
        assert_eq!(pair.copy_blob(), pair.expected_copy());
        assert!(pair.has_arrived());
        assert_eq!(
            methods_and_statuses(&pair.target_registry).last().map(String::as_str),
            Some("HEAD 200"),
            "{:?}",
            methods_and_statuses(&pair.target_registry)
        );
        assert_eq!(pair.source_registry.requests().len(), 1);
    }
}

#[test]
fn an_upload_that_arrived_without_a_response_is_only_committed() {
    let pair = CopyFixture::new(9 * MIB);
    pair.target_registry.add_fault(Rule::on("PATCH", "").nth(1), Fault::CutRequestAfter(9 * MIB as u64));
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert!(pair.has_arrived());
    assert_eq!(methods_and_statuses(&pair.target_registry), ["HEAD 404", "POST 202", "PATCH 0", "GET 204", "PUT 201"]);
    assert_eq!(pair.source_registry.requests().len(), 1);
}

#[test]
fn a_request_refused_by_a_busy_target_is_retried() {
    for status in [416, 429, 500, 503] {
        for (method, size) in [("PATCH", 9 * MIB), ("PUT", 9 * MIB), ("PUT", 300_000)] {
            let pair = CopyFixture::new(size);
            pair.target_registry.add_fault(Rule::on(method, "").nth(1), Fault::status(status));
            assert_eq!(pair.copy_blob(), pair.expected_copy(), "{method} {status}");
            assert!(pair.has_arrived());
            assert_eq!(pair.target_registry.open_uploads(), 0);
        }
    }
}

#[test]
fn an_upload_refused_after_a_resume_is_restarted_once() {
    let pair = CopyFixture::new(9 * MIB);
    pair.target_registry.add_fault(Rule::on("PATCH", "").nth(1), Fault::CutRequestAfter(5 * MIB as u64));
    pair.target_registry.add_fault(Rule::on("PUT", "").nth(1), Fault::status(400));
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert!(pair.has_arrived());
    let pair = CopyFixture::new(9 * MIB);
    pair.target_registry.add_fault(Rule::on("PUT", ""), Fault::status(400));
    assert_eq!(pair.copy_blob().map_err(|error| error.kind), Err(RegistryErrorKind::RequestRefused));
    assert_eq!(methods_and_statuses(&pair.target_registry).iter().filter(|step| step.starts_with("PUT")).count(), 1);
}

#[test]
fn a_copy_fails_if_the_target_always_disconnects() {
    for (method, size) in [("PATCH", 9 * MIB), ("PUT", 9 * MIB), ("PUT", 300_000)] {
        let pair = CopyFixture::new(size);
        pair.target_registry.add_fault(Rule::on(method, ""), Fault::CutRequestAfter(0));
        let error = pair.copy_blob().expect_err("it never takes it");
        assert_eq!(
            (error.kind, &error.registry),
            (RegistryErrorKind::Connect, &pair.target_registry.host()),
            "{error}"
        );
        assert_eq!(blob_of(&error), Some(pair.digest.as_str()), "{error}");
        // One look at what is there a try, but after the last.
        let offset_request = if method == "PATCH" { "GET" } else { "HEAD" };
        let offset_requests = methods_and_statuses(&pair.target_registry)[1..]
            .iter()
            .filter(|step| step.starts_with(offset_request))
            .count();
        assert_eq!(offset_requests, 5, "{method}: {:?}", methods_and_statuses(&pair.target_registry));
        assert!(!pair.has_arrived());
    }
}

#[test]
fn the_minimum_chunk_length_is_observed() {
    let to = Registry::builder().chunk_min_length(MIB as u64).start();
    let pair = CopyFixture::between(Registry::start(), to, retrying_client().build(), 9 * MIB + 5);
    pair.target_registry.add_fault(Rule::on("PATCH", "").nth(1), Fault::CutRequestAfter(9 * MIB as u64));
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert!(pair.has_arrived());
}

#[test]
fn progress_resets_the_retry_count() {
    let once = || FixtureBuilder::new().retries(1, Arc::new(ClockWithoutPauses)).build();
    let pair = CopyFixture::between(Registry::start(), Registry::start(), once(), 9 * MIB);
    pair.source_registry.add_fault(Rule::on("GET", "/blobs/"), Fault::ShortBody(2 * MIB));
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert_eq!(pair.source_registry.requests().len(), 5);
    let pair = CopyFixture::between(Registry::start(), Registry::start(), once(), 9 * MIB);
    pair.target_registry.add_fault(Rule::on("PATCH", "").first_n(3), Fault::CutRequestAfter(2 * MIB as u64));
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    assert!(pair.has_arrived());
    let patches = methods_and_statuses(&pair.target_registry).iter().filter(|step| step.starts_with("PATCH")).count();
    assert_eq!(patches, 4);
}

#[test]
fn zero_retries_resume_nothing() {
    for size in SIZES {
        let pair = CopyFixture::between(Registry::start(), Registry::start(), FixtureBuilder::new().build(), size);
        pair.source_registry.add_fault(Rule::on("GET", "/blobs/").nth(1), Fault::ShortBody(1000));
        let error = pair.copy_blob().expect_err("it broke");
        assert_eq!(
            (error.kind, error.attempts, &error.registry),
            (RegistryErrorKind::Connect, 1, &pair.source_registry.host())
        );
        assert_eq!(pair.source_registry.requests().len(), 1);
        assert_eq!(pair.target_registry.open_uploads(), 0);
    }
}

#[test]
fn a_stalled_copy_ends_at_the_timeout() {
    let fixture =
        FixtureBuilder::new().retries(5, Arc::new(ClockWithoutPauses)).timeout(Duration::from_millis(300)).build();
    let pair = CopyFixture::between(Registry::start(), Registry::start(), fixture, 9 * MIB);
    pair.source_registry.add_fault(Rule::on("GET", "/blobs/"), Fault::StallAfter(MIB as u64));
    let error = pair.copy_blob().expect_err("it stands still");
    assert_eq!(error.kind, RegistryErrorKind::Timeout, "{error}");
    assert!(error.message.contains("300 ms"), "{error}");
    assert!(!pair.has_arrived());
}

#[test]
fn every_request_is_counted() {
    let pair = CopyFixture::new(9 * MIB);
    pair.source_registry.add_fault(Rule::on("GET", "/blobs/").nth(1), Fault::ShortBody(1000));
    pair.target_registry.add_fault(Rule::on("PATCH", "").nth(1), Fault::CutRequestAfter(MIB as u64));
    assert_eq!(pair.copy_blob(), pair.expected_copy());
    let seen = pair.source_registry.requests().len() + pair.target_registry.requests().len();
    assert_eq!(pair.fixture.client.requests(), seen as u64);
}

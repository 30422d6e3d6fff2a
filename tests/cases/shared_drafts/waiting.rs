//! Publishers that wait for entries, and legs of which the last one publishes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::loopback::{Fault, Registry, Rule};

use super::{AMD, ARM, BOTH, Fixture, OURS, RecordingClock, line, tag, without_listing};

/// An add by another machine, at some moment of a wait.
fn add_later(fixture: &Fixture, platform: &str) -> impl Fn() + Send + Sync + use<> {
    let run = fixture.sandbox.command(OURS).args(["add", "--shared", &fixture.list(), &fixture.put_image(platform)]);
    let run = run.env("DOCKER_MANIFEST_RUN", "r");
    move || drop(run.run().success())
}

#[test]
fn a_publisher_polls_missing_names_alone_and_publishes_what_appears() {
    let fixture = Fixture::new();
    fixture.add(&[AMD]).take_request_lines();
    let add = add_later(&fixture, ARM);
    let clock = RecordingClock::with(0.5, move |round| {
        if round == 3 {
            add()
        }
    });
    let words = ["push", "--shared", "--wait", "30m", "--require", BOTH, "--jobs", "1", &fixture.list()];
    let pushed = fixture.run_with_clock(clock.clone(), &words).success();
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
    let polls = fixture.take_request_lines();
    assert_eq!(polls.iter().filter(|request| **request == line("GET", "linux-amd64")).count(), 1, "{polls:?}");
    assert_eq!(polls.iter().filter(|request| **request == line("HEAD", "linux-arm64")).count(), 4, "{polls:?}");
    assert!(!polls.iter().any(|request| request.contains("tags/list")));
    let seconds: Vec<f64> = clock.slept().iter().map(Duration::as_secs_f64).collect();
    assert_eq!(seconds, [2.0, 3.0, 4.5, 6.75]);
    let stderr = pushed.err();
    assert!(stderr.contains("waiting for linux/arm64 (1 of 2 there), 30m left"), "{stderr}");
    assert!(stderr.contains(&format!("found linux/arm64 ({})", tag("linux-arm64"))), "{stderr}");
}

#[test]
fn waiting_half_an_hour_takes_about_95_rounds_and_exits_with_3() {
    let fixture = Fixture::new();
    let other = fixture.sandbox.command(OURS).args(["add", "--shared", "--run", "github:1", &fixture.list()]);
    let _ = other.arg(fixture.put_image(ARM)).run().success();
    fixture.add(&[AMD]).take_request_lines();
    let clock = RecordingClock::with(0.5, |_| {});
    let failed = fixture
        .run_with_clock(clock.clone(), &["push", "--shared", "--wait", "30m", "--require", BOTH, &fixture.list()]);
    let rounds = clock.slept().len();
    assert!((90..=100).contains(&rounds), "{rounds}");
    assert_eq!(clock.slept().iter().sum::<Duration>(), Duration::from_secs(30 * 60));
    let lines = fixture.take_request_lines();
    assert_eq!(lines.iter().filter(|line| line.contains("tags/list")).count(), 1, "one at the end");
    assert_eq!(failed.code, 3);
    let stderr = failed.err();
    assert!(stderr.contains("run github:1 has linux/arm64: was --run meant?"), "{stderr}");
    assert!(stderr.contains("app:1 is incomplete: linux/arm64 is missing"), "{stderr}");
    let notes = stderr.lines().filter(|line| line.starts_with("waiting for")).count();
    assert!((29..=31).contains(&notes), "a line a minute: {notes}");
    assert!(fixture.platforms("1").is_empty());
}

#[test]
fn the_last_leg_publishes_and_the_others_report_missing_entries() {
    let fixture = Fixture::new();
    without_listing(&fixture.registry);
    let list = fixture.list();
    let leg = |platform: &str, format: &[&str]| {
        let image = fixture.put_image(platform);
        let flags = ["add", "--shared", "--require", BOTH, "--if-complete", "--wait", "0", "-t", "latest"];
        fixture.run(&[&flags, format, &[list.as_str(), image.as_str()]].concat()).success()
    };
    let first = leg(ARM, &["--format", "json"]);
    let printed: serde_json::Value = serde_json::from_str(&first.out()).expect("JSON");
    assert_eq!(printed, serde_json::json!({"published": false, "missing": [AMD]}));
    assert!(first.err().contains("is not published: waiting for linux/amd64 (1 of 2 there)"), "{}", first.err());
    assert!(fixture.platforms("1").is_empty());
    fixture.take_request_lines();
    let last = leg(AMD, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&last.out()).expect("JSON");
    assert_eq!(json["published"], true);
    assert_eq!(json["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["entries"][0]["tag"], tag("linux-amd64"));
    assert_eq!(fixture.platforms("latest"), [AMD, ARM]);
    // A leg that is run again finds all of it.
    assert_eq!(leg(ARM, &["--quiet"]).out(), format!("{}\n", fixture.digest("1").expect("the list")));
}

#[test]
fn push_if_complete_reads_the_entry_of_this_machine_first() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let own_entry = fixture.digest(&tag("linux-arm64")).expect("an entry");
    fixture.take_request_lines();
    let flags = ["--require", BOTH, "--if-complete", "--entry", &own_entry, "--jobs", "1"];
    let _ = fixture.push(&flags).success();
    assert_eq!(fixture.take_request_lines().first(), Some(&format!("GET {own_entry}")));
    // What is no entry of this list is an error, not something to wait for.
    let list_digest = fixture.digest("1").expect("the list");
    let failed = fixture.push(&["--require", BOTH, "--if-complete", "--entry", &list_digest]);
    assert_eq!(failed.code, 1, "{}", failed.err());
    assert!(failed.err().contains("is no entry of"), "{}", failed.err());
}

/// A registry whose reads are late: an entry is not there for some time after it was put.
#[test]
fn add_if_complete_waits_for_late_reads() {
    for (reads, grace, is_published) in
        [(0, "0", true), (1, "0", false), (1, "2s", true), (3, "2s", false), (3, "30s", true)]
    {
        let fixture = Fixture::new();
        fixture.add(&[AMD]);
        // Neither the digest nor the tag of the new entry can be read at first.
        let image = fixture.put_image(ARM);
        let list = fixture.list();
        let not_found = Fault::status(404);
        fixture.registry.add_fault(Rule::on("GET", "/tags/list"), not_found.clone());
        if reads > 0 {
            fixture.registry.add_fault(Rule::on("GET", &tag("linux-amd64")).first_n(1), not_found.clone());
            fixture.registry.add_fault(Rule::on("HEAD", &tag("linux-amd64")).first_n(reads - 1), not_found.clone());
        }
        let clock = RecordingClock::with(0.5, |_| {});
        let words = ["add", "--shared", "--require", BOTH, "--if-complete", "--wait", grace, &list, &image];
        let _ = fixture.run_with_clock(clock, &words).success();
        assert_eq!(fixture.platforms("1").len() == 2, is_published, "{reads} late reads, {grace}");
    }
}

/// A leg that was run again must not publish the entry of its first attempt, which a late read may still show.
#[test]
fn add_if_complete_does_not_publish_its_older_entry() {
    let fixture = Fixture::new();
    fixture.add(&[AMD, ARM]);
    let old = fixture.registry.manifest("app", &tag("linux-arm64")).expect("the old entry");
    let old_entry = Fault::Status(
        200,
        String::from_utf8(old.1.clone()).expect("text"),
        vec![("Content-Type".to_owned(), old.0), ("Docker-Content-Digest".to_owned(), testkit::image::sha256(&old.1))],
    );
    fixture.registry.add_fault(Rule::on("GET", &tag("linux-arm64")).first_n(1), old_entry);
    let (list, image) = (fixture.list(), fixture.put_another_image(ARM, "new"));
    let words = ["add", "--shared", "--require", BOTH, "--if-complete", &list, &image];
    let _ = fixture.run_with_clock(RecordingClock::with(0.5, |_| {}), &words).success();
    let (_, published) = fixture.registry.manifest("app", "1").expect("the list");
    let new = image.rsplit('@').next().expect("a digest");
    assert!(String::from_utf8_lossy(&published).contains(new));
}

#[test]
fn push_fresh_ignores_entries_of_an_earlier_attempt() {
    let fixture = Fixture::new();
    let (list, amd64, arm64) = (fixture.list(), fixture.put_image(AMD), fixture.put_image(ARM));
    let run = |attempt: &str, words: &[&str]| {
        let run = fixture.sandbox.command(OURS).args(words.iter().copied()).env("DOCKER_MANIFEST_RUN", "r");
        run.env("GITHUB_RUN_ATTEMPT", attempt).run()
    };
    let _ = run("1", &["add", "--shared", &list, &amd64]).success();
    let _ = run("2", &["add", "--shared", &list, &arm64]).success();
    let push = ["push", "--shared", "--fresh", "--require", BOTH, &list];
    let failed = run("2", &push);
    assert_eq!(failed.code, 3, "{}", failed.err());
    assert!(failed.err().contains("earlier attempt"), "{}", failed.err());
    let _ = run("1", &push).success();
    let failed = fixture.push(&["--fresh", "--require", BOTH]);
    assert_eq!(failed.code, 1);
    assert!(failed.err().contains("GITHUB_RUN_ATTEMPT is not set"), "{}", failed.err());
}

/// 401 and 403 are no "not yet", and neither is a registry that fails.
#[test]
fn push_wait_ends_at_an_error() {
    for status in [403, 500] {
        let fixture = Fixture::new();
        fixture.add(&[AMD]);
        fixture.registry.add_fault(Rule::on("HEAD", "draft."), Fault::status(status));
        let clock = RecordingClock::with(0.5, |_| {});
        let words = ["push", "--shared", "--wait", "5m", "--require", BOTH, "--retries", "0", &fixture.list()];
        let failed = fixture.run_with_clock(clock.clone(), &words);
        assert_eq!((failed.code, clock.slept().len()), (1, 1), "{status}: {}", failed.err());
    }
}

/// A registry that asks to slow down is obeyed, and nothing is lost.
#[test]
fn push_wait_continues_after_rate_limits() {
    let fixture = Fixture::with_registry(Registry::start());
    let slow = Fault::Status(429, String::new(), vec![("Retry-After".to_owned(), "7".to_owned())]);
    fixture.add(&[AMD, ARM]);
    fixture.registry.add_fault(Rule::any().first_n(3), slow);
    let clock = RecordingClock::with(0.5, |_| {});
    let _ = fixture.run_with_clock(clock.clone(), &["push", "--shared", "--require", BOTH, &fixture.list()]).success();
    assert!(clock.slept().iter().any(|time| *time >= Duration::from_secs(7)), "{:?}", clock.slept());
    assert_eq!(fixture.platforms("1"), [AMD, ARM]);
}

/// Legs that end at one moment: one at least publishes, and all publish the same.
#[test]
fn legs_that_end_together_publish_one_list() {
    let fixture = Arc::new(Fixture::new());
    let digests = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for platform in [AMD, ARM] {
            scope.spawn(|| {
                let (list, image) = (fixture.list(), fixture.put_image(platform));
                let words = ["add", "--shared", "--require", BOTH, "--if-complete", "--wait", "0", "-q", &list, &image];
                digests.lock().expect("no panic").push(fixture.run(&words).success().out());
            });
        }
    });
    let digests = digests.into_inner().expect("no panic");
    assert!(digests.iter().any(|digest| !digest.is_empty()), "one has published");
    let list = format!("{}\n", fixture.digest("1").expect("the list"));
    assert!(digests.iter().all(|digest| digest.is_empty() || *digest == list), "{digests:?}");
}

//! The race: in each round many legs store an entry of one list, and several publishers, which have waited for that,
//! publish it at once. Each runs the whole program, in a thread of its own and with a home of its own.
//!
//! No entry is lost, none is another than the one that was stored, and all publishers report one digest. That is so on
//! a real docker-registry, and where reads are late, requests are refused and processes end at any request. A process
//! whose request fails, and which is not to retry, ends there: what it leaves in the registry is what one leaves that
//! is killed. Then the same command runs again, as a job does that is run again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use docker_manifest::env::Env;
use docker_manifest::net::Clock;
use serde_json::Value;
use testkit::image::{Image, sha256};
use testkit::loopback::{Fault, RandomFaults, Registry};
use testkit::real::RealRegistry;
use testkit::registry_filesystem::RegistryFilesystem;
use testkit::sandbox::Output;
use testkit::skip::skipped;
use testkit::uncaptured_output::print_uncaptured;

use crate::{in_process, is_exhaustive, variable};

const REPOSITORY: &str = "team/app";

const SYSTEMS: [&str; 8] = ["linux", "freebsd", "netbsd", "openbsd", "darwin", "solaris", "plan9", "dragonfly"];
const ARCHITECTURES: [&str; 8] = ["amd64", "arm64", "386", "arm", "ppc64le", "s390x", "riscv64", "mips64le"];

/// How many unexpected failures are printed.
const SHOWN_FAILURES_MAX: usize = 5;

/// How often a command is run again that has failed.
const COMMAND_TRIES_MAX: usize = 60;

/// After how many rounds a line says how far the race is.
const ROUNDS_PER_LINE: usize = 100;

/// How many take part in a round.
#[derive(Clone, Copy)]
struct Size {
    legs: usize,
    publishers: usize,
    rounds: usize,
}

impl Size {
    /// This one in `make test`, and the other one in `make faults`.
    fn for_mode(sample: Size, whole: Size) -> Size {
        let size = if is_exhaustive() { whole } else { sample };
        let rounds = variable("RACE_ROUNDS").and_then(|number| usize::try_from(number).ok());
        Size { rounds: rounds.filter(|_| is_exhaustive()).unwrap_or(size.rounds), ..size }
    }
}

/// A clock by which pauses are 200 times as short, and count in full.
struct FastClock {
    slept: Mutex<Duration>,
}

impl FastClock {
    fn new() -> Arc<FastClock> {
        Arc::new(FastClock { slept: Mutex::default() })
    }
}

impl Clock for FastClock {
    fn now(&self) -> Instant {
        Instant::now() + *self.slept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time / 200);
        *self.slept.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    fn random_fraction(&self) -> f64 {
        0.5
    }
}

/// The registry of the race.
trait RaceRegistry: Sync {
    fn host(&self) -> String;
    /// The bytes under a tag.
    fn tagged(&self, tag: &str) -> Option<Vec<u8>>;
    /// Whether the list's repository has a manifest.
    fn has(&self, digest: &str) -> bool;
}

struct DockerRegistry {
    registry: RealRegistry,
    storage: RegistryFilesystem,
}

impl RaceRegistry for DockerRegistry {
    fn host(&self) -> String {
        self.registry.host()
    }

    fn tagged(&self, tag: &str) -> Option<Vec<u8>> {
        self.storage.tag(REPOSITORY, tag).map(|manifest| manifest.bytes)
    }

    fn has(&self, digest: &str) -> bool {
        self.storage.has_manifest(REPOSITORY, digest)
    }
}

impl RaceRegistry for Registry {
    fn host(&self) -> String {
        Registry::host(self)
    }

    fn tagged(&self, tag: &str) -> Option<Vec<u8>> {
        self.manifest(REPOSITORY, tag).map(|(_, bytes)| bytes)
    }

    fn has(&self, digest: &str) -> bool {
        self.manifest(REPOSITORY, digest).is_some()
    }
}

/// What each leg has built: a platform and the digest of its image.
type PlatformImages = Vec<(String, String)>;

fn platforms(number: usize) -> Vec<(&'static str, &'static str)> {
    SYSTEMS.into_iter().flat_map(|os| ARCHITECTURES.map(|arch| (os, arch))).take(number).collect()
}

/// A real registry with an image of each platform, where there is one.
fn start_real_registry(legs: usize) -> Option<(DockerRegistry, PlatformImages)> {
    let registry =
        RealRegistry::start_plain().map_err(|reason| skipped("the race on a real registry", &reason)).ok()?;
    let storage = RegistryFilesystem::new(registry.storage());
    let image = |(os, arch)| {
        let digest = storage.put_image(REPOSITORY, &format!("{os}-{arch}"), os, arch).digest;
        (format!("{os}/{arch}"), digest)
    };
    let built = platforms(legs).into_iter().map(image).collect();
    Some((DockerRegistry { registry, storage }, built))
}

fn put_platform_images(registry: &Registry, legs: usize) -> PlatformImages {
    let image = |(os, arch)| {
        let image = Image::oci().platform(os, arch).layer(format!("{os} {arch}")).build();
        (format!("{os}/{arch}"), registry.put_image(REPOSITORY, &image.digest(), &image))
    };
    platforms(legs).into_iter().map(image).collect()
}

/// One round: its list, and how many processes ended before they had done their work.
struct Round<'a> {
    registry: &'a dyn RaceRegistry,
    built: &'a PlatformImages,
    list: String,
    tag: String,
    /// How often a process sends a request again that failed; by turns.
    retries: &'a [u32],
    died: &'a Mutex<Vec<String>>,
}

impl Round<'_> {
    fn require(&self) -> String {
        self.built.iter().map(|(platform, _)| platform.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Runs a command on a machine of its own, and again until it has done its work.
    fn run_until_success(&self, machine: usize, words: &[&str]) -> Output {
        let home = format!("/nonexistent/{machine}");
        let retries = self.retries[machine % self.retries.len()].to_string();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        for _ in 0..COMMAND_TRIES_MAX {
            let env = Env::from_pairs([
                ("HOME", home.as_str()),
                ("DOCKER_CONFIG", &home),
                ("DOCKER_MANIFEST_RUN", &self.tag),
                ("DOCKER_MANIFEST_RETRIES", &retries),
            ]);
            let output = in_process::run("docker-manifest", &words, env, FastClock::new());
            if output.code == 0 {
                return output;
            }
            assert!(matches!(output.code, 1 | 3), "{words:?}: {}", output.err());
            let reason =
                output.err().lines().filter(|line| !line.starts_with("waiting")).take(2).collect::<Vec<_>>().join(" ");
            self.died.lock().unwrap_or_else(PoisonError::into_inner).push(reason);
        }
        panic!("{words:?} has failed {COMMAND_TRIES_MAX} times");
    }

    fn add(&self, leg: usize) -> Output {
        let image = format!("{}/{REPOSITORY}@{}", self.registry.host(), self.built[leg].1);
        self.run_until_success(leg, &["add", "--shared", "--quiet", &self.list, &image])
    }

    /// Legs and publishers, all at once. Gives the digests that publishers report.
    fn legs_and_publishers(&self, publishers: usize) -> Vec<String> {
        let require = self.require();
        let publish = ["push", "--shared", "--wait", "2h", "--require", &require, &self.list];
        thread::scope(|scope| {
            let publishing: Vec<_> = (0..publishers)
                .map(|number| scope.spawn(move || self.run_until_success(self.built.len() + number, &publish).out()))
                .collect();
            // One in four legs runs twice at once, as where a job is retried too early.
            let repeated_legs = (0..self.built.len()).filter(|leg| leg % 4 == 0);
            let legs: Vec<_> =
                (0..self.built.len()).chain(repeated_legs).map(|leg| scope.spawn(move || self.add(leg))).collect();
            legs.into_iter().for_each(|leg| drop(leg.join().expect("a leg ends")));
            publishing.into_iter().map(|publisher| publisher.join().expect("a publisher ends")).collect()
        })
    }

    /// Legs alone, each of which publishes if it was the last.
    fn legs_alone(&self) -> Vec<String> {
        let require = self.require();
        let errors: Vec<String> = thread::scope(|scope| {
            let leg = |leg: usize| {
                let image = format!("{}/{REPOSITORY}@{}", self.registry.host(), self.built[leg].1);
                let words = ["add", "--shared", "--quiet", "--require", &require, "--if-complete", &self.list, &image];
                self.run_until_success(leg, &words).out()
            };
            let legs: Vec<_> = (0..self.built.len()).map(|number| scope.spawn(move || leg(number))).collect();
            legs.into_iter().map(|leg| leg.join().expect("a leg ends")).collect()
        });
        errors.into_iter().filter(|errors| !errors.is_empty()).collect()
    }

    /// What is wrong with what the tag serves and with what was reported.
    fn violations(&self, reported: &[String]) -> Vec<String> {
        let Some(bytes) = self.registry.tagged(&self.tag) else { return vec![format!("{}: no list", self.tag)] };
        let mut violations = Vec::new();
        let digest = format!("{}\n", sha256(&bytes));
        if reported.is_empty() || reported.iter().any(|name| *name != digest) {
            violations.push(format!("{}: {digest} is served, and {reported:?} reported", self.tag));
        }
        let list: Value = serde_json::from_slice(&bytes).expect("a list is JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let line = |line: &Value| {
            let platform = &line["platform"];
            (format!("{}/{}", text(&platform["os"]), text(&platform["architecture"])), text(&line["digest"]))
        };
        let entries: Vec<(String, String)> = list["manifests"].as_array().into_iter().flatten().map(line).collect();
        let served: BTreeMap<_, _> = entries.iter().cloned().collect();
        let expected: BTreeMap<_, _> = self.built.iter().cloned().collect();
        if served != expected || entries.len() != expected.len() {
            violations.push(format!("{}: {entries:?}", self.tag));
        }
        violations.extend(
            entries.iter().filter(|(_, digest)| !self.registry.has(digest)).map(|line| format!("{line:?} is gone")),
        );
        violations
    }
}

/// Runs rounds, and prints what they were.
fn race(
    name: &str,
    registry: &dyn RaceRegistry,
    built: &PlatformImages,
    size: Size,
    retries: &[u32],
    round: impl Fn(usize, &Round<'_>) -> Vec<String>,
) {
    let (begun, died) = (Instant::now(), Mutex::default());
    let (mut reports, mut violations) = (0, Vec::new());
    for number in 0..size.rounds {
        let tag = format!("r{number}");
        let list = format!("{}/{REPOSITORY}:{tag}", registry.host());
        let current = Round { registry, built, list, tag, retries, died: &died };
        let reported = round(number, &current);
        reports += reported.len();
        violations.extend(current.violations(&reported));
        if (number + 1) % ROUNDS_PER_LINE == 0 {
            print_uncaptured(&format!("  {} of {} rounds, {} lists wrong", number + 1, size.rounds, violations.len()));
        }
    }
    let died = died.into_inner().unwrap_or_else(PoisonError::into_inner);
    print_uncaptured(&format!(
        "shared drafts, {name}: {} rounds of {} legs and {} publishers in {:.1} s: {reports} reports, {} processes \
         ended early, {} lists wrong",
        size.rounds,
        size.legs,
        size.publishers,
        begun.elapsed().as_secs_f64(),
        died.len(),
        violations.len(),
    ));
    // Where nothing goes wrong on purpose, it is worth knowing what did.
    died.iter()
        .filter(|_| !name.contains("failing"))
        .take(SHOWN_FAILURES_MAX)
        .for_each(|line| print_uncaptured(&format!("  {line}")));
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn many_legs_and_publishers_on_a_real_registry_publish_one_list() {
    let sample = Size { legs: 12, publishers: 3, rounds: 2 };
    let size = Size::for_mode(sample, Size { legs: 64, publishers: 8, rounds: 2000 });
    let Some((real, built)) = start_real_registry(size.legs) else { return };
    race("docker-registry", &real, &built, size, &[3], |_, round| round.legs_and_publishers(size.publishers));
}

/// Fewer at once, and therefore many more rounds.
#[test]
fn few_legs_and_publishers_on_a_real_registry_publish_one_list() {
    let sample = Size { legs: 3, publishers: 2, rounds: 4 };
    let size = Size::for_mode(sample, Size { legs: 4, publishers: 3, rounds: 1000 });
    let Some((real, built)) = start_real_registry(size.legs) else { return };
    race("docker-registry", &real, &built, size, &[3], |_, round| round.legs_and_publishers(size.publishers));
}

/// What happens to requests: they are refused for a while, or the connection ends before or after they had their
/// effect.
fn request_faults() -> Vec<Fault> {
    let later = |status| Fault::Status(status, String::new(), vec![("Retry-After".to_owned(), "1".to_owned())]);
    let mut request_faults = vec![later(429), later(429), later(503), Fault::status(500)];
    request_faults.extend([Fault::CutBeforeBody, Fault::CutAfterEffect, Fault::CutAfterEffect, Fault::ResetAfterBody]);
    request_faults
}

/// Reads that are late, refusals, and processes that end at any request.
#[test]
fn legs_and_publishers_with_random_faults_publish_one_list() {
    let sample = Size { legs: 8, publishers: 3, rounds: 6 };
    let size = Size::for_mode(sample, Size { legs: 24, publishers: 6, rounds: 100 });
    for lag in [0, 2] {
        let registry = Registry::builder().read_lag(lag).start();
        let built = put_platform_images(&registry, size.legs);
        let name = format!("failing, {lag} late reads");
        // Two in three processes do not retry, so that each fault ends one.
        race(&name, &registry, &built, size, &[0, 0, 3], |number, round| {
            let seed = number as u64 + 1;
            // A publisher sends two requests for each leg: about one in three gets through without a fault.
            let one_in = 2 * size.legs as u64;
            registry.inject_randomly(RandomFaults::new(seed).one_in(one_in).among(request_faults()));
            let reported = round.legs_and_publishers(size.publishers);
            registry.clear_faults();
            registry.clear_record();
            reported
        });
    }
}

/// No publisher, and no job that waits for others: the last leg publishes.
#[test]
fn legs_alone_publish_one_list() {
    let sample = Size { legs: 8, publishers: 0, rounds: 6 };
    let size = Size::for_mode(sample, Size { legs: 24, publishers: 0, rounds: 100 });
    for lag in [0, 2] {
        let registry = Registry::builder().read_lag(lag).start();
        let built = put_platform_images(&registry, size.legs);
        race(&format!("legs alone, {lag} late reads"), &registry, &built, size, &[3], |_, round| {
            let reported = round.legs_alone();
            registry.clear_record();
            reported
        });
    }
}

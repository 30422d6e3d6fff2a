//! What our own numbers must show: growth in a straight line, and the bars that the project set itself.

use std::time::Duration;

use crate::options::Options;
use crate::ratios;
use crate::results::{Key, Results, Sample};
use crate::tls::TlsResults;
use crate::tools::{BASELINE, Job, OURS};

/// Requests for an image may grow by this factor from the smaller list to the larger.
const REQUEST_GROWTH_MAX: f64 = 1.1;
/// Processor time for an image may grow by this factor; a cost that grows with the square would show ten.
const CPU_GROWTH_MAX: f64 = 2.0;
/// The list that growth is counted from, where it was measured.
const GROWTH_FROM: usize = 50;

/// The bars of the issue that asked for this bench, at 40 ms: job, images, requests, round trips. A push of what is
/// there looks for the tag and for each image.
const TARGETS: [(Job, usize, usize, f64); 5] = [
    (Job::Publish, 5, 30, 13.0),
    (Job::Again, 5, 6, 4.0),
    (Job::Publish, 50, 260, 36.0),
    (Job::Inspect, 50, 2, 4.0),
    (Job::Verbose, 50, 53, 11.0),
];
const TARGET_RTT: Duration = Duration::from_millis(40);

/// Ours over the baseline's: job, images, the most for wall time. Over TLS, at 40 ms.
const TLS_WALL_RATIOS_MAX: [(Job, usize, f64); 5] = [
    (Job::Apply, 5, 0.66),
    (Job::Apply, 50, 0.77),
    (Job::Publish, 5, 0.77),
    (Job::Publish, 50, 0.80),
    (Job::Inspect, 50, 0.78),
];
/// The same for every job over plain HTTP, and for copies: wall and processor time.
const PLAIN_WALL_RATIO_MAX: f64 = 1.0;
const COPY_WALL_CPU_RATIOS_MAX: (f64, f64) = (1.0, 0.95);
/// Over TLS for processor time and peak memory: handshakes and connections that are there sooner.
const CPU_RATIO_MAX: f64 = 1.3;
const MEMORY_RATIO_MAX: f64 = 1.2;
/// Two runs of the same program differ by as much.
const NOISE: f64 = 0.03;
/// How much slower a copy may be than the fastest other tool's.
const COPY_WALL_RATIO_TO_FASTEST_MAX: f64 = 1.1;

/// One thing that was looked at.
#[derive(Debug)]
pub(crate) struct CheckResult {
    /// What was found and what may be, in words.
    pub(crate) text: String,
    pub(crate) is_met: bool,
}

/// All that can be looked at in what was measured.
pub(crate) fn all(results: &Results, secure: &TlsResults, copies: &Results, options: &Options) -> Vec<CheckResult> {
    let mut check_results: Vec<CheckResult> =
        TARGETS.iter().filter_map(|bar| compare_with_target(bar, results)).collect();
    for &rtt in &options.rtts {
        check_results.extend(Job::ALL.iter().filter_map(|job| growth(*job, rtt, results, options)));
    }
    if !results.outcomes.is_empty() && results.medians_of(OURS).next().is_none() && options.wants(OURS) {
        check_results.push(CheckResult { text: "ours did nothing that could be measured".to_owned(), is_met: false });
    }
    for (job, images, most) in TLS_WALL_RATIOS_MAX {
        check_results.extend(compare_with_baseline(
            &secure.warm,
            ours(job, images, TARGET_RTT),
            most,
            CPU_RATIO_MAX,
            "over TLS with tokens",
        ));
    }
    for job in Job::ALL.iter().filter(|job| **job != Job::Copy) {
        let keys = results.outcomes.keys().filter(|key| key.job == *job && key.tool == OURS && key.rtt == TARGET_RTT);
        check_results.extend(keys.filter_map(|key| {
            compare_with_baseline(results, key.clone(), PLAIN_WALL_RATIO_MAX + NOISE, CPU_RATIO_MAX, "over plain HTTP")
        }));
    }
    let (wall, cpu) = COPY_WALL_CPU_RATIOS_MAX;
    for key in copies.outcomes.keys().filter(|key| key.tool == OURS) {
        check_results.extend(compare_with_baseline(
            copies,
            key.clone(),
            wall + NOISE,
            cpu,
            "from one registry to another",
        ));
        check_results.extend(compare_with_fastest(copies, key));
    }
    check_results
}

/// Ours beside the baseline; `None` where that was not run.
fn compare_with_baseline(results: &Results, key: Key, most_wall: f64, most_cpu: f64, how: &str) -> Option<CheckResult> {
    let ratios = ratios::of(results, &key)?;
    let text = format!(
        "{} of {} {how}, over the baseline's in {} pairs: wall time {:.2} (at most {most_wall:.2}), processor time \
         {:.2} (at most {most_cpu:.2}), peak memory {:.2} (at most {MEMORY_RATIO_MAX:.2})",
        key.job.title(),
        key.images,
        ratios.pairs,
        ratios.wall,
        ratios.cpu,
        ratios.peak,
    );
    let is_met = ratios.wall <= most_wall && ratios.cpu <= most_cpu && ratios.peak <= MEMORY_RATIO_MAX;
    Some(CheckResult { text, is_met })
}

/// A copy beside the fastest of the other tools.
fn compare_with_fastest(results: &Results, key: &Key) -> Option<CheckResult> {
    let others = results.outcomes.keys().filter(|other| ![OURS, BASELINE].contains(&other.tool));
    let fastest = others.filter_map(|other| Some((results.median(other)?.usage.wall, other.tool))).min()?;
    let found = results.median(key)?.usage.wall.as_secs_f64() / fastest.0.as_secs_f64();
    let text = format!("copy beside {}: wall time {found:.2} (at most {COPY_WALL_RATIO_TO_FASTEST_MAX:.2})", fastest.1);
    Some(CheckResult { text, is_met: found <= COPY_WALL_RATIO_TO_FASTEST_MAX })
}

fn ours(job: Job, images: usize, rtt: Duration) -> Key {
    Key { job, images, rtt, tool: OURS }
}

/// How many round trips the wall time is; `None` on a line without delay.
pub(crate) fn round_trips(sample: &Sample, rtt: Duration) -> Option<f64> {
    (!rtt.is_zero()).then(|| sample.usage.wall.as_secs_f64() / rtt.as_secs_f64())
}

fn compare_with_target(
    (job, images, requests, trips): &(Job, usize, usize, f64),
    results: &Results,
) -> Option<CheckResult> {
    let sample = results.median(&ours(*job, *images, TARGET_RTT))?;
    let found = round_trips(&sample, TARGET_RTT)?;
    let text = format!(
        "{} of {images} at {} ms: {} requests of at most {requests}, {found:.1} round trips of at most {trips}",
        job.title(),
        TARGET_RTT.as_millis(),
        sample.requests,
    );
    Some(CheckResult { text, is_met: sample.requests <= *requests && found <= *trips })
}

/// From the smaller to the largest list: requests and processor time for an image.
fn growth(job: Job, rtt: Duration, results: &Results, options: &Options) -> Option<CheckResult> {
    let large = *options.images.last()?;
    let small = options.images.iter().rev().copied().find(|images| *images < large && *images <= GROWTH_FROM)?;
    let (before, after) = (results.median(&ours(job, small, rtt))?, results.median(&ours(job, large, rtt))?);
    let ratio = |value: fn(&Sample) -> f64| value(&after) / value(&before).max(f64::MIN_POSITIVE);
    let times = large as f64 / small.max(1) as f64;
    let requests = ratio(|sample| sample.requests as f64);
    let cpu = ratio(|sample| sample.usage.cpu.as_secs_f64());
    let wall = ratio(|sample| sample.usage.wall.as_secs_f64());
    let peak = ratio(|sample| sample.usage.peak as f64);
    let text = format!(
        "{} from {small} to {large} images ({times:.0} times) at {} ms: requests {requests:.1} times (at most {:.0}), \
         processor time {cpu:.1} (at most {:.0}), wall time {wall:.1}, peak memory {peak:.1}",
        job.title(),
        rtt.as_millis(),
        times * REQUEST_GROWTH_MAX,
        times * CPU_GROWTH_MAX,
    );
    Some(CheckResult { text, is_met: requests <= times * REQUEST_GROWTH_MAX && cpu <= times * CPU_GROWTH_MAX })
}

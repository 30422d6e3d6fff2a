//! How many requests at once pay: the measurement behind the default of `--jobs`.

use std::time::Duration;

use crate::comparison::{Comparison, Setup};
use crate::options::Options;
use crate::results::{Key, Sample};
use crate::tools::{Job, OURS, Tool};

const VARIABLE: &str = "DOCKER_MANIFEST_JOBS";
const CONCURRENCY_LIMITS: [usize; 7] = [1, 4, 8, 16, 24, 32, 64];
const IMAGES: usize = 50;
const RTT: Duration = Duration::from_millis(40);
const RUNS: usize = 3;

/// Creates and pushes 50 images at 40 ms under each bound; nothing where those are not among what is measured.
pub(crate) fn measure(options: &Options, tools: &[Tool], setup: Setup<'_>) -> Vec<(usize, Sample)> {
    let ours: Vec<Tool> = tools.iter().filter(|tool| tool.name == OURS).cloned().collect();
    let Some(at) = setup.links.iter().position(|link| link.rtt() == RTT) else { return Vec::new() };
    if ours.is_empty() || !options.images.contains(&IMAGES) {
        return Vec::new();
    }
    let setup = Setup { links: &setup.links[at..=at], ..setup };
    let mut found = Vec::new();
    for bound in CONCURRENCY_LIMITS {
        let mut options = Options { images: vec![IMAGES], rtts: vec![RTT], runs: RUNS, ..options.clone() };
        options.env.push((VARIABLE.to_owned(), bound.to_string()));
        let results = Comparison::new(&options, &ours, setup, &format!("jobs-{bound}")).run(&[&[Job::Publish]]);
        let key = Key { job: Job::Publish, images: IMAGES, rtt: RTT, tool: OURS };
        found.extend(results.median(&key).map(|sample| (bound, sample)));
    }
    found
}

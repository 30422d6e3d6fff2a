//! What was measured, and medians of it.

use std::collections::BTreeMap;
use std::time::Duration;

use testkit::latency_link::Counts;

use crate::measure::Usage;
use crate::tools::Job;

/// What one measurement is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) job: Job,
    /// How many images the list has.
    pub(crate) images: usize,
    pub(crate) rtt: Duration,
    pub(crate) tool: &'static str,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) requests: usize,
    pub(crate) connections: usize,
    /// Round trips if nothing had been done at the same time.
    pub(crate) round_trips_without_concurrency: usize,
    pub(crate) usage: Usage,
}

impl Sample {
    /// From what a link counted meanwhile.
    pub(crate) fn new(usage: Usage, counts: &Counts) -> Sample {
        Sample {
            requests: counts.requests.len(),
            connections: counts.connections,
            round_trips_without_concurrency: counts.round_trips_without_concurrency(),
            usage,
        }
    }
}

/// What became of a measurement.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The runs, at least one.
    Ran(Vec<Sample>),
    /// Why there is none.
    Missing(String),
}

/// Everything that was measured, in the order of the report: by job, number of images and round-trip time.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) outcomes: BTreeMap<Key, Outcome>,
}

impl Results {
    /// Adds a run.
    pub(crate) fn add_run(&mut self, key: Key, sample: Sample) {
        match self.outcomes.entry(key).or_insert_with(|| Outcome::Ran(Vec::new())) {
            Outcome::Ran(samples) => samples.push(sample),
            Outcome::Missing(_) => {}
        }
    }

    /// Says why there is nothing; runs before a failure are not kept.
    pub(crate) fn mark_missing(&mut self, key: Key, reason: String) {
        self.outcomes.insert(key, Outcome::Missing(reason));
    }

    /// The median of a measurement, where there is one.
    pub(crate) fn median(&self, key: &Key) -> Option<Sample> {
        match self.outcomes.get(key)? {
            Outcome::Ran(samples) => median(samples),
            Outcome::Missing(_) => None,
        }
    }

    /// The median of each quantity for a tool, by job, images and round-trip time.
    pub(crate) fn medians_of<'a>(&'a self, tool: &'a str) -> impl Iterator<Item = (&'a Key, Sample)> {
        self.outcomes.keys().filter(move |key| key.tool == tool).filter_map(|key| Some((key, self.median(key)?)))
    }
}

/// Each quantity's own median.
pub(crate) fn median(samples: &[Sample]) -> Option<Sample> {
    Some(Sample {
        requests: median_by(samples, |sample| sample.requests)?,
        connections: median_by(samples, |sample| sample.connections)?,
        round_trips_without_concurrency: median_by(samples, |sample| sample.round_trips_without_concurrency)?,
        usage: Usage {
            wall: median_by(samples, |sample| sample.usage.wall)?,
            cpu: median_by(samples, |sample| sample.usage.cpu)?,
            peak: median_by(samples, |sample| sample.usage.peak)?,
        },
    })
}

/// The middle value; of an even number the lower one, so that it is a value that was seen.
pub(crate) fn median_by<S, V: Ord + Copy>(samples: &[S], value: impl Fn(&S) -> V) -> Option<V> {
    let mut values: Vec<V> = samples.iter().map(value).collect();
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

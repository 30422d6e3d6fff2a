//! This build beside the baseline: the median of the ratios of runs that followed each other.

use crate::results::{Key, Outcome, Results, Sample};
use crate::tools::{BASELINE, OURS};

/// Ours over the baseline's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratios {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    pub(crate) peak: f64,
    /// How many pairs of runs.
    pub(crate) pairs: usize,
}

/// Of one measurement, whichever tool its key names; `None` where one of the two was not run.
pub(crate) fn of(results: &Results, key: &Key) -> Option<Ratios> {
    let runs = |tool| match results.outcomes.get(&Key { tool, ..key.clone() })? {
        Outcome::Ran(samples) => Some(samples.as_slice()),
        Outcome::Missing(_) => None,
    };
    let (ours, baseline) = (runs(OURS)?, runs(BASELINE)?);
    let pairs: Vec<(&Sample, &Sample)> = ours.iter().zip(baseline).collect();
    let ratio = |value: fn(&Sample) -> f64| {
        median(pairs.iter().map(|(ours, baseline)| value(ours) / value(baseline).max(f64::MIN_POSITIVE)).collect())
    };
    Some(Ratios {
        wall: ratio(|sample| sample.usage.wall.as_secs_f64())?,
        cpu: ratio(|sample| sample.usage.cpu.as_secs_f64())?,
        peak: ratio(|sample| sample.usage.peak as f64)?,
        pairs: pairs.len(),
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

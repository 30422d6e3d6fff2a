//! Where ours differs from docker on purpose. A difference that is not here is a fault, and so is one that is here and
//! can no longer be seen.

use super::transcript::{Mismatch, What};

/// One deliberate difference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Difference {
    pub(crate) script: &'static str,
    /// The step's line as written, "served", or "*" for any step.
    pub(crate) step: &'static str,
    pub(crate) what: &'static [What],
    /// For people, and for the README.
    pub(crate) why: &'static str,
}

impl Difference {
    pub(crate) fn covers(&self, script: &str, mismatch: &Mismatch) -> bool {
        self.script == script && (self.step == "*" || self.step == mismatch.step) && self.what.contains(&mismatch.what)
    }
}

pub(crate) const DIFFERENCES: &[Difference] = &[];

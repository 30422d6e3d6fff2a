//! Faults at random, reproducible by their seed.

use super::faults::Fault;
use super::generated_blob::random;

/// Chooses faults by a seed: the n-th request always meets the same one, whatever the others do meanwhile.
#[derive(Clone, Debug)]
pub struct RandomFaults {
    seed: u64,
    one_in: u64,
    faults: Vec<Fault>,
}

impl RandomFaults {
    /// Every third request fails, in any way that [`Fault::all`] lists and that does not [stall](Fault::stalls).
    pub fn new(seed: u64) -> RandomFaults {
        let faults = Fault::all().into_iter().filter(|fault| !fault.stalls()).collect();
        RandomFaults { seed, one_in: 3, faults }
    }

    /// One request in so many fails; 1 is all of them.
    pub fn one_in(mut self, requests: u64) -> RandomFaults {
        self.one_in = requests.max(1);
        self
    }

    /// Chooses among these.
    pub fn among(mut self, faults: Vec<Fault>) -> RandomFaults {
        self.faults = faults;
        self
    }

    /// Chooses among these too.
    pub fn and(mut self, faults: impl IntoIterator<Item = Fault>) -> RandomFaults {
        self.faults.extend(faults);
        self
    }

    /// What it goes by.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The fault that the n-th request meets, counted from 1.
    pub fn fault_for(&self, request: usize) -> Option<Fault> {
        let mut state = self.seed ^ (request as u64).rotate_left(32);
        // The first number after a seed that differs in few bits is not yet far from its neighbour's.
        random(&mut state);
        if !random(&mut state).is_multiple_of(self.one_in) {
            return None;
        }
        let choice = random(&mut state) as usize;
        self.faults.get(choice.checked_rem(self.faults.len())?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_chooses_the_same_faults_and_covers_all() {
        let chosen = |seed| -> Vec<_> { (1..3000).map(|number| RandomFaults::new(seed).fault_for(number)).collect() };
        let first = chosen(1);
        assert_eq!(first, chosen(1));
        assert_ne!(first, chosen(2));
        let injected = first.iter().flatten().count();
        assert!((900..1100).contains(&injected), "{injected} of 3000");
        for fault in Fault::all() {
            assert_eq!(first.contains(&Some(fault.clone())), !fault.stalls(), "{fault:?}");
        }
        assert_eq!((1..100).filter_map(|number| RandomFaults::new(7).one_in(1).fault_for(number)).count(), 99);
        assert_eq!(RandomFaults::new(7).among(vec![]).one_in(1).fault_for(1), None);
    }
}

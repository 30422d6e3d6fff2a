//! Descends from an index to all that it names, one level at a time, within the bounds of `limits`.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::num::NonZeroUsize;

use crate::core::error::CommandError;
use crate::core::resolve::limits::ResolvedSize;
use crate::net::tasks;

/// A walk over an index, and its bounds.
pub(crate) struct Descent<'a> {
    /// The index, for messages.
    pub(crate) list: &'a dyn Display,
    /// The maximum of concurrent operations.
    pub(crate) jobs: NonZeroUsize,
    /// The maximum number of levels.
    pub(crate) levels: usize,
}

impl Descent<'_> {
    /// Looks at each line of a level in parallel, and at each key once. `take` gets the number of the level from 1 on,
    /// the line and what was found, in the order of the lines, and returns the lines below.
    ///
    /// # Errors
    /// Those of `look` and `take`; [`CommandError::TooDeep`] and [`CommandError::TooMany`].
    pub(crate) fn run<L: Sync, R: Send, K: Eq + Hash>(
        &self,
        mut level: Vec<L>,
        key: impl Fn(&L) -> K,
        look: impl Fn(&L) -> Result<R, CommandError> + Sync,
        mut take: impl FnMut(usize, L, R) -> Result<Vec<L>, CommandError>,
    ) -> Result<(), CommandError> {
        let (mut seen, mut size) = (HashSet::new(), ResolvedSize::default());
        for depth in 1.. {
            level.retain(|line| seen.insert(key(line)));
            if level.is_empty() {
                break;
            }
            if depth > self.levels {
                return Err(CommandError::TooDeep { list: self.list.to_string(), depth: self.levels });
            }
            level.iter().try_for_each(|_| size.count_descriptor(self.list))?;
            let found = tasks::in_order(self.jobs, &level, |line| look(line)).map_err(CommandError::of)?;
            let mut next = Vec::new();
            for (line, found) in level.into_iter().zip(found) {
                next.extend(take(depth, line, found)?);
            }
            level = next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::resolve::limits::CHILDREN_MAX;

    /// Walks numbers, of which each names others.
    fn walked(levels: usize, names: impl Fn(usize) -> Vec<usize>) -> Result<Vec<(usize, usize)>, String> {
        let (mut found, jobs) = (Vec::new(), NonZeroUsize::MIN);
        let look = |line: &usize| Ok(*line);
        let take = |depth, line, _| {
            found.push((depth, line));
            Ok(names(line))
        };
        let walk = Descent { list: &"L", jobs, levels }.run(vec![1], |line| *line, look, take);
        walk.map(|()| found).map_err(|error| error.to_string())
    }

    #[test]
    fn each_line_is_looked_at_once_within_bounds() {
        let diamond = |line| match line {
            1 => vec![2, 3, 2],
            2 | 3 => vec![4],
            _ => Vec::new(),
        };
        assert_eq!(walked(3, diamond), Ok(vec![(1, 1), (2, 2), (2, 3), (3, 4)]));
        assert!(walked(2, diamond).unwrap_err().contains('2'));
        assert!(walked(1, |_| Vec::new()).is_ok());
        let many = |line| if line == 1 { (2..CHILDREN_MAX + 10).collect() } else { Vec::new() };
        assert!(walked(9, many).unwrap_err().contains("10000"));
    }
}

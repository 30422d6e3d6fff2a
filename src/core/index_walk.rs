//! The walk over nested indexes: one level at a time, within the bounds of [`limits`](super::limits).
//!
//! [`walk_levels`] checks the bounds and leaves the requests to its caller, which may interleave others. [`IndexWalk`]
//! sends the requests itself, one for each distinct descriptor.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::num::NonZeroUsize;

use crate::core::error::CommandError;
use crate::core::limits::{IndexBudget, LimitError};

/// Walks over indexes, one level at a time. `visit_level` gets the number of the level from 1 on and its items, and
/// returns the items of the next level. `list` names the index that an item is from, and `count` is the number of its
/// descriptors.
///
/// # Errors
/// Those of `visit_level`; [`LimitError`] beyond `levels` levels and the maximum number of descriptors.
pub(crate) fn walk_levels<T>(
    levels: usize,
    list: impl Fn(&T) -> String,
    count: impl Fn(&T) -> usize,
    mut level: Vec<T>,
    mut visit_level: impl FnMut(usize, Vec<T>) -> Result<Vec<T>, CommandError>,
) -> Result<(), CommandError> {
    let mut budget = IndexBudget::default();
    for depth in 1.. {
        let Some(first) = level.first() else { break };
        if depth > levels {
            return Err(LimitError::Depth { list: list(first), max: levels }.into());
        }
        level.iter().try_for_each(|item| budget.count_descriptors(count(item), || list(item)))?;
        level = visit_level(depth, level)?;
    }
    Ok(())
}

/// A walk over one index that fetches what it names.
pub(crate) struct IndexWalk<'a> {
    /// The index, for messages.
    pub(crate) list: &'a dyn Display,
    /// The maximum of concurrent operations.
    pub(crate) jobs: NonZeroUsize,
    /// The maximum number of levels.
    pub(crate) levels: usize,
}

impl IndexWalk<'_> {
    /// Fetches the items of a level in parallel, and each key once. `visit` gets the number of the level from 1 on, the
    /// item and what was fetched, in the order of the items, and returns the items below.
    ///
    /// # Errors
    /// Those of `fetch` and `visit`, and [`LimitError`].
    pub(crate) fn run<T: Sync, F: Send, K: Eq + Hash>(
        &self,
        level: Vec<T>,
        key: impl Fn(&T) -> K,
        fetch: impl Fn(&T) -> Result<F, CommandError> + Sync,
        mut visit: impl FnMut(usize, T, F) -> Result<Vec<T>, CommandError>,
    ) -> Result<(), CommandError> {
        let mut seen = HashSet::new();
        let mut distinct = |mut level: Vec<T>| {
            level.retain(|item| seen.insert(key(item)));
            level
        };
        let first = distinct(level);
        walk_levels(
            self.levels,
            |_| self.list.to_string(),
            |_| 1,
            first,
            |depth, level| {
                let fetched = CommandError::collect_parallel(self.jobs, &level, |item| fetch(item))?;
                let mut next = Vec::new();
                for (item, fetched) in level.into_iter().zip(fetched) {
                    next.extend(visit(depth, item, fetched)?);
                }
                Ok(distinct(next))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::limits::DESCRIPTORS_MAX;

    /// Walks numbers. Each names others.
    fn walked(levels: usize, names: impl Fn(usize) -> Vec<usize>) -> Result<Vec<(usize, usize)>, String> {
        let (mut found, jobs) = (Vec::new(), NonZeroUsize::MIN);
        let fetch = |item: &usize| Ok(*item);
        let visit = |depth, item, _| {
            found.push((depth, item));
            Ok(names(item))
        };
        let walk = IndexWalk { list: &"L", jobs, levels }.run(vec![1], |item| *item, fetch, visit);
        walk.map(|()| found).map_err(|error| error.to_string())
    }

    #[test]
    fn walk_fetches_each_item_once_within_bounds() {
        let diamond = |item| match item {
            1 => vec![2, 3, 2],
            2 | 3 => vec![4],
            _ => Vec::new(),
        };
        assert_eq!(walked(3, diamond), Ok(vec![(1, 1), (2, 2), (2, 3), (3, 4)]));
        assert!(walked(2, diamond).unwrap_err().contains('2'));
        assert!(walked(1, |_| Vec::new()).is_ok());
        let many = |item| if item == 1 { (2..DESCRIPTORS_MAX + 10).collect() } else { Vec::new() };
        assert!(walked(9, many).unwrap_err().contains("10000"));
    }
}

//! Bounded parallel work. HTTP/1.1 has one request per connection at a time, so parallel requests need parallel
//! threads. Results have the order of the tasks.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::sync::{lock, wait};

/// Runs `work` on the items in parallel, at most `jobs` at once. The results have the order of the items, whichever
/// ended first.
///
/// # Errors
/// As [`run_with_dependencies`].
pub(crate) fn run_parallel<T: Sync, R: Send, E: Send>(
    jobs: NonZeroUsize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, Vec<E>> {
    let tasks: Vec<(&T, Vec<usize>)> = items.iter().map(|item| (item, Vec::new())).collect();
    run_with_dependencies(jobs, &tasks, |item| work(item))
}

/// Runs `work` on every task after the tasks that it depends on, which are given by their indexes. Tasks that had to
/// wait for others come before independent ones.
///
/// After a failure no task is started, and running tasks are finished. Independent tasks start in order, so the first
/// failure returned is the one that a single worker would have met first.
///
/// # Errors
/// All failures in the tasks' order; never an empty list.
pub(crate) fn run_with_dependencies<T: Sync, R: Send, E: Send>(
    jobs: NonZeroUsize,
    tasks: &[(T, Vec<usize>)],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, Vec<E>> {
    let queue = TaskQueue { state: Mutex::new(QueueState::new(tasks)), changed: Condvar::new() };
    let worker = || {
        while let Some((index, task)) = queue.take_ready(tasks) {
            let result = work(task);
            queue.record_result(index, result);
        }
    };
    // The calling thread is a worker too, so one job needs no new thread.
    thread::scope(|scope| {
        for _ in 1..jobs.get().min(tasks.len()) {
            // If no more threads can be started, the existing ones do the work.
            if thread::Builder::new().spawn_scoped(scope, worker).is_err() {
                break;
            }
        }
        worker();
    });
    queue.state.into_inner().unwrap_or_else(PoisonError::into_inner).results()
}

struct TaskQueue<R, E> {
    state: Mutex<QueueState<R, E>>,
    changed: Condvar,
}

struct QueueState<R, E> {
    /// Tasks that can start; those that waited for others separately.
    ready_independent: BTreeSet<usize>,
    ready_dependent: BTreeSet<usize>,
    /// For each task the number of unfinished dependencies, and the tasks that depend on it.
    missing: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    running: usize,
    /// How many workers wait for a task.
    waiting: usize,
    results: Vec<Option<R>>,
    errors: Vec<(usize, E)>,
}

impl<R, E> QueueState<R, E> {
    fn new<T>(tasks: &[(T, Vec<usize>)]) -> QueueState<R, E> {
        let mut dependents = vec![Vec::new(); tasks.len()];
        for (index, (_, needs)) in tasks.iter().enumerate() {
            for need in needs {
                if let Some(waiting) = dependents.get_mut(*need) {
                    waiting.push(index);
                }
            }
        }
        QueueState {
            ready_independent: (0..)
                .zip(tasks)
                .filter(|(_, (_, needs))| needs.is_empty())
                .map(|(index, _)| index)
                .collect(),
            ready_dependent: BTreeSet::new(),
            missing: tasks.iter().map(|(_, needs)| needs.len()).collect(),
            dependents,
            running: 0,
            waiting: 0,
            results: tasks.iter().map(|_| None).collect(),
            errors: Vec::new(),
        }
    }

    fn results(mut self) -> Result<Vec<R>, Vec<E>> {
        if self.errors.is_empty() {
            return Ok(self.results.into_iter().flatten().collect());
        }
        self.errors.sort_by_key(|(index, _)| *index);
        Err(self.errors.into_iter().map(|(_, error)| error).collect())
    }
}

impl<R, E> TaskQueue<R, E> {
    /// The next task. Waits while a running task may still make one ready. `None` if no task is left to start.
    fn take_ready<'t, T>(&self, tasks: &'t [(T, Vec<usize>)]) -> Option<(usize, &'t T)> {
        let mut state = lock(&self.state);
        loop {
            if !state.errors.is_empty() {
                return None;
            }
            if let Some(index) = state.ready_dependent.pop_first().or_else(|| state.ready_independent.pop_first()) {
                state.running += 1;
                return tasks.get(index).map(|(task, _)| (index, task));
            }
            if state.running == 0 {
                return None;
            }
            state.waiting += 1;
            state = wait(&self.changed, state);
            state.waiting -= 1;
        }
    }

    /// Records a result. Wakes one waiting worker for each task that can start, except for one: this worker takes it.
    fn record_result(&self, index: usize, result: Result<R, E>) {
        let mut state = lock(&self.state);
        state.running -= 1;
        match result {
            Err(error) => state.errors.push((index, error)),
            Ok(result) => {
                if let Some(slot) = state.results.get_mut(index) {
                    *slot = Some(result);
                }
                let waiters = state.dependents.get_mut(index).map(std::mem::take).unwrap_or_default();
                for waiter in waiters {
                    if let Some(missing) = state.missing.get_mut(waiter) {
                        *missing -= 1;
                        if *missing == 0 {
                            state.ready_dependent.insert(waiter);
                        }
                    }
                }
            }
        }
        let startable = state.ready_dependent.len() + state.ready_independent.len();
        if !state.errors.is_empty() || startable == 0 && state.running == 0 {
            self.changed.notify_all();
        } else {
            (1..startable.min(state.waiting + 1)).for_each(|_| self.changed.notify_one());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn jobs(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    #[test]
    fn results_keep_the_items_order() {
        let items: Vec<usize> = (0..100).collect();
        for number in [1, 3, 200] {
            let doubled = run_parallel(jobs(number), &items, |item| Ok::<_, ()>(item * 2)).unwrap();
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
        assert_eq!(run_parallel(jobs(4), &[], |item: &u8| Ok::<_, ()>(*item)), Ok(vec![]));
    }

    #[test]
    fn tasks_run_in_parallel_up_to_the_number_of_jobs() {
        // Each worker waits for all others, so this ends only if four run in parallel.
        let together = Barrier::new(4);
        let met = run_parallel(jobs(4), &[(); 4], |()| {
            together.wait();
            Ok::<_, ()>(())
        });
        assert!(met.is_ok());
    }

    /// The other workers sleep when the tasks are released.
    #[test]
    fn a_waiting_worker_is_woken_for_each_task_that_is_released() {
        let tasks: Vec<(usize, Vec<usize>)> =
            (0..5).map(|task| (task, if task == 0 { vec![] } else { vec![0] })).collect();
        let queue = TaskQueue::<(), ()> { state: Mutex::new(QueueState::new(&tasks)), changed: Condvar::new() };
        let together = Barrier::new(4);
        let work = || {
            while let Some((index, _)) = queue.take_ready(&tasks) {
                together.wait();
                queue.record_result(index, Ok(()));
            }
        };
        let (first, _) = queue.take_ready(&tasks).unwrap();
        thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(work)));
            while lock(&queue.state).waiting < 3 {
                thread::yield_now();
            }
            queue.record_result(first, Ok(()));
            work();
        });
        assert!(queue.state.into_inner().unwrap().results().is_ok());
    }

    #[test]
    fn every_task_of_a_wide_graph_is_done() {
        let needs = |task: usize| [task / 2, task / 3].into_iter().filter(|need| *need < task).collect();
        let tasks: Vec<(usize, Vec<usize>)> = (0..300).map(|task| (task, needs(task))).collect();
        for number in [1, 2, 24] {
            let done = run_with_dependencies(jobs(number), &tasks, |task| Ok::<_, ()>(*task));
            assert_eq!(done, Ok((0..300).collect()));
        }
    }

    #[test]
    fn failed_task_stops_new_tasks_and_errors_keep_their_order() {
        let begun = Mutex::new(Vec::new());
        let errors = run_parallel(jobs(1), &[1, 2, 3], |item| {
            begun.lock().unwrap().push(*item);
            if *item == 2 { Err(*item) } else { Ok(()) }
        });
        assert_eq!((errors, begun.into_inner().unwrap()), (Err(vec![2]), vec![1, 2]));
        let together = Barrier::new(3);
        let errors = run_parallel(jobs(3), &[1, 2, 3], |item| {
            together.wait();
            if *item == 1 { Ok(()) } else { Err(*item) }
        });
        assert_eq!(errors, Err(vec![2, 3]));
    }

    #[test]
    fn dependent_task_runs_after_its_dependencies_and_before_independent_tasks() {
        let tasks =
            [("a", vec![]), ("b", vec![]), ("c", vec![]), ("needs a", vec![0]), ("needs all", vec![0, 1, 2, 3])];
        for number in [1, 4] {
            let order = Mutex::new(Vec::new());
            let done = run_with_dependencies(jobs(number), &tasks, |task| {
                order.lock().unwrap().push(*task);
                Ok::<_, ()>(task.len())
            });
            assert_eq!(done, Ok(vec![1, 1, 1, 7, 9]));
            let order = order.into_inner().unwrap();
            let index = |task| order.iter().position(|done| *done == task).unwrap();
            assert!(index("a") < index("needs a"));
            assert_eq!(index("needs all"), 4);
            if number == 1 {
                assert_eq!(order, ["a", "needs a", "b", "c", "needs all"]);
            }
        }
    }

    #[test]
    fn dependent_of_a_failed_task_does_not_start() {
        let tasks = [("a", vec![]), ("needs a", vec![0])];
        let errors =
            run_with_dependencies(jobs(2), &tasks, |task| if *task == "a" { Err::<(), _>("a") } else { Err("begun") });
        assert_eq!(errors, Err(vec!["a"]));
    }
}

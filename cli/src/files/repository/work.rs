//! The same work for many objects, on all cores.
//!
//! Invariants: the results of [`on_all_cores`] come in the order of the jobs, for any number of threads; a signal ends the
//! work after the jobs in hand, and never in the middle of one.

use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::talk::progress::Progress;
use crate::talk::signals::Run;

/// What is done, and to what: for the line of the progress, and for the message about an interrupt.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    /// Such as `checking`.
    doing: &'static str,
    /// One of the jobs, such as `file`.
    noun: &'static str,
}

impl Task {
    pub(crate) const fn new(doing: &'static str, noun: &'static str) -> Self {
        Self { doing, noun }
    }
}

/// Does `work` for each job, and shows the progress. All cores take part, because a key operation takes a
/// millisecond and a repository may need thousands. A signal ends the program: nothing has come of the results yet.
pub(crate) fn on_all_cores<J: Send, T: Send>(
    task: Task,
    jobs: Vec<J>,
    work: impl Fn(J) -> T + Sync,
) -> Vec<T> {
    let mut results: Vec<(usize, T)> = Vec::with_capacity(jobs.len());
    let run = as_they_come(task, jobs, work, |index, result| results.push((index, result)));
    run.settle(results.len());
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// As [`on_all_cores`], but hands each result to `done` as soon as it is there, with the index of its job. `done` runs on
/// the caller's thread alone, so it may write files. A job counts as done in the progress when `done` has returned.
///
/// A signal stops the run: no further job begins, and those in hand are brought to their end, `done` included. The caller
/// reports what was done, and then settles the run that is returned.
pub(crate) fn as_they_come<J: Send, T: Send>(
    task: Task,
    jobs: Vec<J>,
    work: impl Fn(J) -> T + Sync,
    mut done: impl FnMut(usize, T),
) -> Run {
    let run = Run::new(task.noun, jobs.len());
    let progress = Progress::new(task.doing, jobs.len());
    let workers = thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
    let queue = Mutex::new(jobs.into_iter().enumerate());
    // The channel is bounded, so that a slow disk doesn't pile results up in memory.
    let (sender, results) = sync_channel(workers);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, queue, work) = (sender.clone(), &queue, &work);
            let run = &run;
            let next = move || {
                if run.is_stopped() {
                    None
                } else {
                    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
                }
            };
            scope.spawn(move || {
                while let Some((index, job)) = next() {
                    if sender.send((index, work(job))).is_err() {
                        // Nobody takes results any more: `done` panicked.
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (index, result) in results {
            done(index, result);
            progress.step();
        }
    });
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<usize> = (0..100).collect();
        let expected: Vec<usize> = jobs.iter().map(|job| job * 2).collect();
        assert_eq!(on_all_cores(Task::new("doubling", "number"), jobs, |job| job * 2), expected);
        assert!(on_all_cores(Task::new("doing", "nothing"), Vec::<()>::new(), |()| ()).is_empty());
    }

    #[test]
    fn each_result_comes_once_with_the_index_of_its_job() {
        let mut seen = vec![0; 100];
        as_they_come(
            Task::new("squaring", "number"),
            (0..100).collect::<Vec<usize>>(),
            |job| job * job,
            |index, result| {
                assert_eq!(result, index * index);
                seen[index] += 1;
            },
        );
        assert_eq!(seen, vec![1; 100]);
    }
}

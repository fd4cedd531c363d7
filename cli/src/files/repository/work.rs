//! The same work for many objects, on all cores.
//!
//! Invariant: the results of [`on_all_cores`] come in the order of the jobs, for any number of threads.

use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::talk::progress::Progress;

/// Does `work` for each job, and shows the progress under the name `what`. All cores take part, because a key
/// operation takes a millisecond and a repository may need thousands.
pub(crate) fn on_all_cores<J: Send, T: Send>(
    what: &'static str,
    jobs: Vec<J>,
    work: impl Fn(J) -> T + Sync,
) -> Vec<T> {
    let mut results: Vec<(usize, T)> = Vec::with_capacity(jobs.len());
    as_they_come(what, jobs, work, |index, result| results.push((index, result)));
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// As [`on_all_cores`], but hands each result to `done` as soon as it is there, with the index of its job. `done` runs on
/// the caller's thread alone, so it may write files. A job counts as done in the progress when `done` has returned.
pub(crate) fn as_they_come<J: Send, T: Send>(
    what: &'static str,
    jobs: Vec<J>,
    work: impl Fn(J) -> T + Sync,
    mut done: impl FnMut(usize, T),
) {
    let progress = Progress::new(what, jobs.len());
    let workers = thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
    let queue = Mutex::new(jobs.into_iter().enumerate());
    // The channel is bounded, so that a slow disk doesn't pile results up in memory.
    let (sender, results) = sync_channel(workers);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, queue, work) = (sender.clone(), &queue, &work);
            let next = move || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<usize> = (0..100).collect();
        let expected: Vec<usize> = jobs.iter().map(|job| job * 2).collect();
        assert_eq!(on_all_cores("doubling", jobs, |job| job * 2), expected);
        assert!(on_all_cores("nothing", Vec::<()>::new(), |()| ()).is_empty());
    }

    #[test]
    fn each_result_comes_once_with_the_index_of_its_job() {
        let mut seen = vec![0; 100];
        as_they_come(
            "squaring",
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

//! The same work for many objects, on all cores.
//!
//! Invariant: results come in the order of the jobs, for any number of threads.

use std::thread;

use crate::talk::progress::Progress;

/// Does `work` for each job, and shows the progress under the name `what`. All cores take part, because a key
/// operation takes a millisecond and a repository may need thousands.
pub(crate) fn on_all_cores<J: Send, T: Send>(
    what: &'static str,
    jobs: Vec<J>,
    work: impl Fn(J) -> T + Sync,
) -> Vec<T> {
    let progress = Progress::new(what, jobs.len());
    let workers = thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
    let mut shares: Vec<Vec<(usize, J)>> = (0..workers).map(|_| Vec::new()).collect();
    for (index, job) in jobs.into_iter().enumerate() {
        shares[index % workers].push((index, job));
    }
    let do_share = |share: Vec<(usize, J)>| {
        let one = |(index, job)| {
            let result = work(job);
            progress.step();
            (index, result)
        };
        share.into_iter().map(one).collect::<Vec<_>>()
    };
    let mut results: Vec<_> = thread::scope(|scope| {
        let do_share = &do_share;
        let threads: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || do_share(share))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a worker doesn't panic")).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
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
}

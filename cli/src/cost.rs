//! What a piece of work costs, for tests that hold it to its length.
//!
//! Invariant: the CPU time of the thread is measured and no clock of the day, so that a busy machine fails no test.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Does some work on this thread, and checks that it took at most these seconds of CPU time.
#[track_caller]
pub(crate) fn within<T>(seconds: u64, work: impl FnOnce() -> T) -> T {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
    };
    let start = now();
    let done = work();
    let took = now() - start;
    assert!(took < Duration::from_secs(seconds), "{took:?}");
    done
}

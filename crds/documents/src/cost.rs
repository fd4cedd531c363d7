//! What a piece of work costs, for tests that hold it to its length.
//!
//! Invariant: the CPU time of the thread is measured and no clock on a wall, so that a busy machine fails no test; and it is
//! compared with the same work on a shorter text, so that a slow machine fails none either.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of CPU time of this thread.
fn cpu_time() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Checks that some work is linear in the length of a text: four times the length may take four times as long, and as much
/// again and a little for caches and noise; the square would be sixteen times.
#[track_caller]
pub(crate) fn is_linear(name: &str, length: usize, text: impl Fn(usize) -> String, work: impl Fn(&str)) {
    let time = |length| {
        let text = text(length);
        let once = || {
            let start = cpu_time();
            work(&text);
            cpu_time() - start
        };
        (0..5).map(|_| once()).min().expect("there are five")
    };
    let (short, long) = (time(length), time(4 * length));
    assert!(long < 10 * short + 20_000_000, "{name}: {short} ns, then {long} ns");
}

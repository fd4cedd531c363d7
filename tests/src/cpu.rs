//! The processor time that running programs have used, as Linux counts it.
//!
//! Not memory, which is with the program (`process.rs`). Invariant: a program that has ended costs a panic, never a
//! number that is too small.

use std::fs;
use std::time::Duration;

/// The ticks of a second in `/proc`, whatever the kernel counts by itself: `USER_HZ` is a part of Linux' interface.
const TICKS: u64 = 100;

/// The processor time of a process with all its threads so far; not that of its children. Counted in hundredths of
/// a second.
///
/// # Panics
/// When the process has ended.
#[must_use]
#[track_caller]
pub fn of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let fields = after_name(&stat);
    // proc_pid_stat(5): utime and stime are fields 14 and 15, and the first one after the name is 3.
    let ticks: u64 =
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("Linux counts ticks")).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// The running children of a process.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |child: &u32| {
        // It may have ended since.
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        after_name(&stat).get(1).is_some_and(|parent| *parent == pid.to_string())
    };
    pids.filter(is_child).collect()
}

/// The fields after the name, which may contain blanks and brackets.
fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(") ").map_or_else(Vec::new, |(_, rest)| rest.split(' ').collect())
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_of_this_process_is_counted() {
        let (before, begin) = (of(std::process::id()), Instant::now());
        while of(std::process::id()) <= before {
            assert!(begin.elapsed() < Duration::from_secs(60), "a busy minute isn't counted");
        }
    }

    #[test]
    fn a_child_is_found_while_it_runs() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(children(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!children(std::process::id()).contains(&child.id()));
    }
}

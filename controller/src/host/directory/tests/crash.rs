//! The machine dies, or the disk is full, at every single step.

use std::process::{Command, Stdio};

use rustix::io::Errno;

use super::*;
use crate::host::fault::injected::{Fault, clear, plan};

/// The work during which the fault comes.
#[derive(Clone, Copy, Debug)]
enum Work {
    Create,
    Change,
    Heal,
    Prune,
}

const ALL: [Work; 4] = [Work::Create, Work::Change, Work::Heal, Work::Prune];

fn old() -> Items {
    items(&[("gone", "old"), ("password", "old"), ("same", "same")])
}

fn new() -> Items {
    items(&[("added", "new"), ("password", "new"), ("same", "same")])
}

impl Work {
    /// Prepares the output for the work; returns what readers see then.
    fn begin(self, output: &Output) -> Items {
        let store = output.store();
        write(&store, "prod/other", "d0", &old()).unwrap();
        if let Self::Create = self {
            return Items::new();
        }
        write(&store, "prod/db", "d1", &old()).unwrap();
        if let Self::Heal = self {
            fs::remove_file(output.path("prod/db/gone")).unwrap();
            fs::create_dir_all(output.path("prod/db/gone/planted")).unwrap();
            fs::write(output.path("prod/db/password"), "edited").unwrap();
        }
        output.view("prod/db")
    }

    fn run(self, store: &DirectoryStore) -> Result<(), Box<dyn std::error::Error>> {
        match self {
            Self::Create | Self::Change => _ = write(store, "prod/db", "d2", &new())?,
            Self::Heal => _ = write(store, "prod/db", "d1", &old())?,
            Self::Prune => _ = store.prune(&place("prod/db"))?,
        }
        Ok(())
    }

    /// What readers see when the work is done.
    fn end(self) -> Items {
        match self {
            Self::Create | Self::Change => new(),
            Self::Heal => old(),
            Self::Prune => Items::new(),
        }
    }

    /// Whether readers may see this at a step in between. Healing may mend one damaged spot before another;
    /// all other work is all or nothing.
    fn allows(self, begin: &Items, seen: &Items) -> bool {
        let mending = || {
            seen.get("same").is_some_and(|value| value == "same")
                && seen.get("gone").is_none_or(|value| value == "old")
                && seen.get("password").is_some_and(|value| value == "old" || value == "edited")
        };
        *seen == *begin || *seen == self.end() || (matches!(self, Self::Heal) && mending())
    }
}

/// Asserts that only what is in use is on disk: no half-written generation, no staged directory.
fn assert_tidy(output: &Output, expected: &Items, context: &str) {
    let names: &[&str] = if expected.is_empty() { &["other"] } else { &["db", "other"] };
    assert_eq!(output.listing("prod"), names, "{context}");
    if !expected.is_empty() {
        assert_eq!(output.listing("prod/db").len(), expected.len() + 2, "{context}");
    }
    assert_eq!(output.listing(""), ["prod"], "{context}");
}

/// Asserts that the next run after a crash or a full disk completes the work.
fn assert_next_run_completes(output: &Output, work: Work, context: &str) {
    let (store, lost) = open(output.tmp.path(), Access::new(0o600, None));
    assert!(lost.is_none(), "{context}: {lost:?}");
    let end = work.end();
    if end.is_empty() {
        store.prune(&place("prod/db")).unwrap();
    } else {
        let digest = if let Work::Heal = work { "d1" } else { "d2" };
        let observed = store.observe(&place("prod/db"), digest, &names(&end)).unwrap();
        assert!(!matches!(observed, DirectoryState::Foreign { .. }), "{context}: {observed:?}");
        if observed != in_sync() {
            write(&store, "prod/db", digest, &end).unwrap();
        }
        assert_eq!(store.observe(&place("prod/db"), digest, &names(&end)).unwrap(), in_sync(), "{context}");
    }
    assert_eq!(output.view("prod/db"), end, "{context}");
    assert_eq!(output.view("prod/other"), old(), "{context}");
    assert_tidy(output, &end, context);
}

const PLAN: &str = "SEAL_TEST_CRASH";

/// Not a test of its own: the process that the next test kills.
#[test]
fn process_that_is_killed() {
    let Ok(text) = std::env::var(PLAN) else { return };
    let mut parts = text.splitn(3, ' ');
    let step = parts.next().unwrap().parse().unwrap();
    let work = ALL[parts.next().unwrap().parse::<usize>().unwrap()];
    let (store, _) = open(Path::new(parts.next().unwrap()), Access::new(0o600, None));
    plan(step, Fault::Dies);
    work.run(&store).unwrap();
    clear();
}

#[test]
fn killed_at_any_step_readers_see_old_or_new_and_the_next_run_completes() {
    for (index, work) in ALL.into_iter().enumerate() {
        for step in 0.. {
            let output = Output::in_memory();
            let begin = work.begin(&output);
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "host::directory::tests::crash::process_that_is_killed"])
                .env(PLAN, format!("{step} {index} {}", output.tmp.path().display()))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            let context = format!("{work:?} killed at step {step}");
            let seen = output.view("prod/db");
            assert!(work.allows(&begin, &seen), "{context}: {seen:?}");
            if child.success() {
                assert_eq!(seen, work.end(), "{context}");
                assert!(step > 5, "{work:?} has only {step} steps");
                break;
            }
            assert_next_run_completes(&output, work, &context);
        }
    }
}

#[test]
fn an_error_at_any_step_leaves_old_or_new_and_the_next_run_completes() {
    for work in ALL {
        for step in 0.. {
            let output = Output::in_memory();
            let begin = work.begin(&output);
            let store = output.store();
            plan(step, Fault::Fails(Errno::NOSPC));
            let result = work.run(&store);
            let reached = clear();
            drop(store);
            let context = format!("{work:?} with an error at step {step}");
            let seen = output.view("prod/db");
            assert!(work.allows(&begin, &seen), "{context}: {seen:?}");
            if result.is_ok() {
                assert_eq!(seen, work.end(), "{context}");
            }
            if reached <= step {
                break;
            }
            assert_next_run_completes(&output, work, &context);
        }
    }
}

#[test]
fn a_full_disk_is_told_apart_and_keeps_nothing_half_written() {
    for work in [Work::Create, Work::Change] {
        for step in 0..9 {
            let output = Output::in_memory();
            let begin = work.begin(&output);
            let before = (output.listing("prod"), output.listing("prod/db"));
            let store = output.store();
            plan(step, Fault::Fails(Errno::NOSPC));
            let result = write(&store, "prod/db", "d2", &new());
            clear();
            assert!(result.is_err_and(|error| error.is_full()), "{work:?} at step {step}");
            assert_eq!(output.view("prod/db"), begin, "{work:?} at step {step}");
            assert_eq!(
                (output.listing("prod"), output.listing("prod/db")),
                before,
                "{work:?} at step {step}"
            );
        }
    }
    assert!(!VolumeError::Foreign(Foreign::Unrecorded).is_full());
}

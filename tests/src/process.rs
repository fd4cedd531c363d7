//! A running program under test, with its log in a file, ended as a kubelet ends it.
//!
//! Not the command that starts it, which says under whose name and where it runs. Invariant: the program ends
//! when the value is dropped, at the latest, and a test that fails shows the end of its log.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::eventually;

/// How many lines of the log a failed test shows.
const LOG_LINES: usize = 40;

/// What a program uses at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Its resident memory, in KiB, without what it shows of files, such as the program itself.
    pub memory: usize,
    /// Its threads.
    pub threads: usize,
    /// Its open files and connections.
    pub files: usize,
}

/// A running program.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the program, with stdout and stderr in the file.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    #[track_caller]
    pub fn start(command: &mut Command, log: PathBuf) -> Self {
        let output = File::create(&log).expect("the control plane's directory is writable");
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file that was just created"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log }
    }

    /// Everything the program wrote to stdout and stderr so far.
    ///
    /// # Panics
    /// When the log isn't UTF-8.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is text")
    }

    /// Waits until `look` finds something, in the log or elsewhere, and returns it.
    ///
    /// # Panics
    /// When the program ends instead, or takes too long.
    #[track_caller]
    pub fn until<T>(&mut self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        eventually(what, || {
            // The program may be writing, so the last character may be incomplete.
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the controller ended, {status}:\n{log}");
            }
            look(&log).ok_or(log)
        })
    }

    /// The processor time that the program has used so far.
    ///
    /// # Panics
    /// When the program has ended.
    #[must_use]
    #[track_caller]
    pub fn cpu(&self) -> Duration {
        crate::cpu::of(self.child.id())
    }

    /// The program's peak memory so far, in KiB.
    ///
    /// # Panics
    /// When the program has ended.
    #[must_use]
    #[track_caller]
    pub fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
        peak.trim_end_matches("kB").trim().parse().expect("a number of KiB")
    }

    /// What the program uses now.
    ///
    /// # Panics
    /// When the program has ended.
    #[track_caller]
    pub(crate) fn usage(&self) -> Usage {
        let dir = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(dir.join("status")).expect("it runs");
        let number = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("Linux says so");
            line.trim_end_matches("kB").trim().parse().expect("a number")
        };
        let files = fs::read_dir(dir.join("fd")).expect("it runs").count();
        Usage { memory: number("RssAnon:"), threads: number("Threads:"), files }
    }

    /// Stops the program where it is, or lets it go on.
    ///
    /// # Panics
    /// When it has ended.
    #[track_caller]
    pub fn stop(&self, is_stopped: bool) {
        let signal = if is_stopped { Signal::STOP } else { Signal::CONT };
        kill_process(Pid::from_child(&self.child), signal).expect("our own child can be signalled");
    }

    /// Kills the program, and waits until it has ended.
    ///
    /// # Panics
    /// When it has ended already.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// Sends SIGTERM, as a kubelet does.
    ///
    /// # Panics
    /// When it has ended.
    #[track_caller]
    pub fn tell_to_end(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("our own child can be signalled");
    }

    /// Sends SIGTERM, and waits until the program has ended.
    ///
    /// # Panics
    /// When it doesn't end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.tell_to_end();
        self.ended()
    }

    /// Waits until the program has ended.
    ///
    /// # Panics
    /// When it doesn't end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        eventually("the controller ends", || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            _ => Err(self.log()),
        })
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "libtest shows it with the test that failed")]
    fn drop(&mut self) {
        // Both calls fail only for a child that has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
        }
    }
}

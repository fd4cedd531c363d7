//! A program that ends with its parent.
//!
//! Not a supervisor of its own: a program that ended isn't started again. Invariant: no process outlives its
//! parent, even when the parent is killed and can't do anything about it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use seal_tests::toolchain;

use crate::failure::{Failure, tail};

/// The first argument when this program is its own child, see [`Process::spawn`].
pub(crate) const DIE_WITH_PARENT: &str = "--die-with-parent";

/// A child that ends with us.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    pub(crate) log: PathBuf,
    child: Child,
}

impl Process {
    /// Runs a program of the toolchain in `dir`, with its output in a log there.
    ///
    /// Caveat: call it on the main thread only. The kernel sends the parent death signal when the *thread* ends
    /// that started the child.
    pub(crate) fn spawn(
        dir: &Path,
        name: &'static str,
        args: impl Iterator<Item = String>,
    ) -> Result<Self, Failure> {
        let program = toolchain::find(name).map_err(Failure::Missing)?;
        let log = dir.join(name).with_extension("log");
        let spawn = || {
            let output = File::create(&log)?;
            Command::new(std::env::current_exe()?)
                .arg(DIE_WITH_PARENT)
                .arg(std::process::id().to_string())
                .arg(&program)
                .args(args)
                .current_dir(dir)
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output)
                .spawn()
        };
        let child = spawn().map_err(Failure::io("start a program"))?;
        Ok(Self { name, log, child })
    }

    /// Stops the program where it is, or lets it go on.
    pub(crate) fn pause(&self, is_paused: bool) -> Result<(), Failure> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.expect("the child was started and isn't waited for");
        let signal = if is_paused { Signal::STOP } else { Signal::CONT };
        rustix::process::kill_process(pid, signal)
            .map_err(|error| Failure::io("stop a program")(error.into()))
    }

    pub(crate) fn still_running(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Failure::Died { name: self.name, status, log: tail(&self.log) }),
            Err(error) => Err(Failure::io("watch a child")(error)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both calls fail only for a child that has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Becomes the program that the arguments name (after the process id of the parent), which the kernel kills when
/// the parent dies. Returns only with an error.
///
/// A program of its own rather than a step between fork and exec, because such a step can't be written without
/// `unsafe`. The setting survives exec.
pub(crate) fn die_with_parent(args: &[std::ffi::OsString]) -> io::Error {
    let [parent, program, args @ ..] = args else {
        return io::Error::other("for internal use: --die-with-parent PID PROGRAM [ARGUMENT…]");
    };
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // The parent may have died before the line above, and then no signal comes.
    if *parent != *std::os::unix::process::parent_id().to_string() {
        return io::Error::other("the parent is gone");
    }
    Command::new(program).args(args).exec()
}

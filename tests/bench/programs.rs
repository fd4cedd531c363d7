//! The programs that are measured, and the time that a whole process takes.
//!
//! Invariant: a run that fails isn't a measurement; it ends the benchmark.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use seal_tests::toolchain;

/// Our own programs. The peers' are those of the toolchain.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) seal: PathBuf,
    pub(crate) controller: PathBuf,
}

impl Programs {
    pub(crate) fn seal(&self, dir: &Path) -> Command {
        confined(&self.seal, dir)
    }
}

/// A program of the toolchain.
pub(crate) fn peer(name: &str, dir: &Path) -> Command {
    confined(&toolchain::bin(name), dir)
}

/// A program in a directory, with nothing of this machine's configuration.
pub(crate) fn confined(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", dir).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_CONFIG_NOSYSTEM", "1").current_dir(dir);
    command
}

/// The seconds from the start of a process to its end, with this file as its standard input, if any.
///
/// # Panics
/// When it fails, with what it wrote.
#[track_caller]
pub(crate) fn seconds(command: &mut Command, stdin: Option<&Path>) -> f64 {
    let stdin = stdin.map_or_else(Stdio::null, |path| File::open(path).expect("the input is ours").into());
    command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let output = command.spawn().and_then(std::process::Child::wait_with_output);
    let seconds = begun.elapsed().as_secs_f64();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    seconds
}

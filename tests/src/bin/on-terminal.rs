//! Becomes a program whose terminal is the one that is named: `on-terminal PTY STREAMS PROGRAM [ARGUMENT…]`.
//!
//! `STREAMS` are those of `i`, `o` and `e` that are the terminal; the others stay what they are. For tests of
//! what a person sees, who types into the other end. A program of its own, because what it does between fork
//! and exec can't be written there without `unsafe`.
//!
//! Invariant: the program has no other terminal, whatever the tests were started from.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let Err(error) = run();
    let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("on-terminal: {error}\n"));
    ExitCode::FAILURE
}

fn run() -> io::Result<std::convert::Infallible> {
    let mut args = std::env::args_os().skip(1);
    let mut next = || args.next().ok_or_else(|| io::Error::other("PTY STREAMS PROGRAM [ARGUMENT…]"));
    let (pty, streams, program) = (next()?, next()?.to_string_lossy().into_owned(), next()?);
    rustix::process::setsid()?;
    let terminal = File::options().read(true).write(true).open(pty)?;
    rustix::process::ioctl_tiocsctty(&terminal)?;
    let mut command = Command::new(program);
    command.args(args);
    if streams.contains('i') {
        command.stdin(terminal.try_clone()?);
    }
    if streams.contains('o') {
        command.stdout(terminal.try_clone()?);
    }
    if streams.contains('e') {
        command.stderr(terminal);
    }
    Err(command.exec())
}

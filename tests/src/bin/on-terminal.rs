//! Becomes a program that has the named terminal: `on-terminal PTY STREAMS PROGRAM [ARGUMENT…]`.
//!
//! `STREAMS` is any of `i`, `o` and `e`: those streams become the terminal, and the others stay as they are. For
//! tests in which a person sees the output and types at the other end. It is a program of its own, because its
//! steps between fork and exec can't be written there without `unsafe`.
//!
//! Invariant: the program has no other terminal, wherever the tests were started.

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

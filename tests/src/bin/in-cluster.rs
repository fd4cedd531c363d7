//! Becomes a program that finds a service account where a Pod does: `in-cluster ACCOUNT PROGRAM [ARGUMENT…]`.
//!
//! `ACCOUNT` is a directory with the files that a kubelet would mount. For programs that know no other way to the
//! API, in a mount namespace that was made for them. Invariant: it writes only to a file system in memory, which
//! goes with the namespace.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::mount::{MountFlags, mount};

const RUN: &str = "/var/run";
const ACCOUNT: &str = "secrets/kubernetes.io/serviceaccount";

fn main() -> ExitCode {
    let Err(error) = run();
    let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("in-cluster: {error}\n"));
    ExitCode::FAILURE
}

fn run() -> io::Result<std::convert::Infallible> {
    let mut args = std::env::args_os().skip(1);
    let mut next = || args.next().ok_or_else(|| io::Error::other("ACCOUNT PROGRAM [ARGUMENT…]"));
    let (account, program) = (next()?, next()?);
    // On most machines this is a link to /run, and nothing can be mounted on a link.
    let run = fs::canonicalize(RUN)?;
    // Refuse to mount in the namespace of whoever runs the tests, which is the parent's. If it can't be read,
    // this is a user namespace, and the kernel lets us mount only in our own.
    let parent = format!("/proc/{}/ns/mnt", std::os::unix::process::parent_id());
    if fs::read_link(parent)
        .is_ok_and(|parent| fs::read_link("/proc/self/ns/mnt").is_ok_and(|own| own == parent))
    {
        return Err(io::Error::other("not in a mount namespace of its own"));
    }
    mount("none", &run, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None::<&CStr>)?;
    let dir = run.join(ACCOUNT);
    fs::create_dir_all(&dir)?;
    for file in ["token", "ca.crt", "namespace"] {
        fs::copy(Path::new(&account).join(file), dir.join(file))?;
    }
    Err(Command::new(program).args(args).exec())
}

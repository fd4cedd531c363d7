//! `seal-controller` as a process of its own, the way a kubelet runs it.
//!
//! Not in this process: what it logs, how it ends, and that it needs nothing but its flags and a kubeconfig
//! are part of what is tested. Invariant: it ends with the test that started it, also when that dies.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::toolchain;
use crate::wait::eventually;

/// How much of the log a failed test shows.
const LOG_LINES: usize = 40;

/// A running controller.
pub struct Controller {
    child: Child,
    log: PathBuf,
    address: SocketAddr,
}

impl Controller {
    /// Starts `seal-controller run` with these flags, as whoever the kubeconfig names, at its most verbose,
    /// with its log in `dir`. Comes back when it answers, which is before it is ready.
    ///
    /// # Panics
    /// When it ends instead, with its log.
    #[track_caller]
    #[must_use]
    pub fn start<S: AsRef<str>>(kubeconfig: &Path, dir: &Path, flags: &[S]) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let log = dir.join(format!("seal-controller-{}.log", LAST.fetch_add(1, Ordering::Relaxed)));
        let output = File::create(&log).expect("the control plane's directory is writable");
        let mut child = Command::new(toolchain::own("control-plane"))
            .arg("--die-with-parent")
            .arg(std::process::id().to_string())
            .arg(toolchain::own("test-seal-controller"))
            .args(["--log=trace", "run", "--listen=127.0.0.1:0"])
            .args(flags.iter().map(AsRef::as_ref))
            .env_clear()
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file that was just created"))
            .stderr(output)
            .spawn()
            .expect("Cargo builds our own programs before the tests");
        let address = eventually("the controller says where it listens", || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the controller ended, {status}:\n{text}");
            }
            address(&text).ok_or(text)
        });
        Self { child, log, address }
    }

    /// Waits until the keys are loaded and the caches are complete.
    ///
    /// # Panics
    /// When that takes too long.
    #[track_caller]
    #[must_use]
    pub fn ready(self) -> Self {
        eventually("the controller is ready", || match self.http("/readyz") {
            Some((200, _)) => Ok(()),
            other => Err(format!("{other:?}\n{}", self.log())),
        });
        self
    }

    /// Status and body of one of the pages it serves; none when nobody answers.
    #[must_use]
    pub fn http(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// The value of a series of `/metrics`, such as `seal_controller_heals_total`; 0 where it isn't there.
    ///
    /// # Panics
    /// When the page isn't served.
    #[track_caller]
    #[must_use]
    pub fn metric(&self, series: &str) -> u64 {
        let (_, page) = self.http("/metrics").expect("a running controller serves its metrics");
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("a counter is a whole number"))
    }

    /// Everything it wrote to stdout and stderr so far.
    ///
    /// # Panics
    /// When it isn't UTF-8.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is text")
    }

    /// Asks it to end, as a kubelet does, and waits until it did.
    ///
    /// # Panics
    /// When it doesn't.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("our own child can be signalled");
        eventually("the controller ends", || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            _ => Err(self.log()),
        })
    }
}

impl Drop for Controller {
    #[expect(clippy::print_stderr, reason = "libtest shows it with the test that failed")]
    fn drop(&mut self) {
        // Both fail only for a child that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
        }
    }
}

/// `address=127.0.0.1:1234` in a log for people, `"address":"127.0.0.1:1234"` in one for machines.
fn address(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("address")?;
    rest.trim_start_matches(['=', '"', ':']).split(['"', '\n']).next()?.trim().parse().ok()
}

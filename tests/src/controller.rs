//! `seal-controller` as a process of its own, the way a kubelet runs it.
//!
//! It isn't run in this process, because its log, its end, and that it needs only its flags and a kubeconfig are
//! tested too. Invariant: it ends with the test that started it, even when the test dies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::process::Process;
pub use crate::process::Usage;
use crate::toolchain;
use crate::wait::eventually;

/// A running controller.
pub struct Controller {
    process: Process,
    address: SocketAddr,
}

impl Controller {
    /// Starts `seal-controller run` with these flags, as the user that the kubeconfig names, at its most verbose,
    /// with its log in `dir`. Returns when it answers requests, which is before it is ready.
    ///
    /// # Panics
    /// When it ends instead, with its log.
    #[track_caller]
    #[must_use]
    pub fn start<S: AsRef<str>>(kubeconfig: &Path, dir: &Path, flags: &[S]) -> Self {
        Self::start_program(&toolchain::own("test-seal-controller"), "trace", kubeconfig, dir, flags)
    }

    /// As [`Controller::start`], for another build of the program, which logs as much as `level` says.
    ///
    /// # Panics
    /// When it ends instead, with its log.
    #[track_caller]
    #[must_use]
    pub fn start_program<S: AsRef<str>>(
        program: &Path,
        level: &str,
        kubeconfig: &Path,
        dir: &Path,
        flags: &[S],
    ) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let log = dir.join(format!("seal-controller-{}.log", LAST.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::new(toolchain::own("control-plane"));
        command
            .arg("--die-with-parent")
            .arg(std::process::id().to_string())
            .arg(program)
            .arg(format!("--log={level}"))
            .args(["run", "--listen=127.0.0.1:0"])
            .args(flags.iter().map(AsRef::as_ref))
            .env_clear()
            .env("KUBECONFIG", kubeconfig);
        let mut process = Process::start(&mut command, log);
        let address = process.until("the controller says where it listens", address);
        Self { process, address }
    }

    /// Whether this replica leads.
    ///
    /// # Panics
    /// When the metrics aren't served.
    #[track_caller]
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.metric("seal_controller_leader") == 1
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

    /// Status and body of one of the controller's pages; none if the controller doesn't answer.
    #[must_use]
    pub fn http(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// The value of a series of `/metrics`, such as `seal_controller_heals_total`; 0 if the page doesn't have it.
    ///
    /// # Panics
    /// When the page isn't served.
    #[track_caller]
    #[must_use]
    pub fn metric(&self, series: &str) -> u64 {
        self.series(series).unwrap_or_default()
    }

    /// As [`Controller::metric`]; none if the page doesn't have the series.
    ///
    /// # Panics
    /// When the page isn't served.
    #[track_caller]
    #[must_use]
    pub fn series(&self, series: &str) -> Option<u64> {
        let (_, page) = self.http("/metrics").expect("a running controller serves its metrics");
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map(|value| value.parse().expect("a counter is a whole number"))
    }

    /// The sum of a metric of `/metrics` over all its labels, such as `seal_controller_reconciles_total`; 0 if the page
    /// doesn't have it.
    ///
    /// # Panics
    /// When the page isn't served.
    #[track_caller]
    #[must_use]
    pub fn metric_sum(&self, name: &str) -> u64 {
        let (_, page) = self.http("/metrics").expect("a running controller serves its metrics");
        let series = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
        let values = series.filter_map(|rest| rest.rsplit_once("} "));
        values.map(|(_, value)| value.parse::<u64>().expect("a counter is a whole number")).sum()
    }

    /// The processor time that the controller has used so far.
    ///
    /// # Panics
    /// When the controller has ended.
    #[track_caller]
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.process.cpu()
    }

    /// The controller's peak memory so far, in KiB.
    ///
    /// # Panics
    /// When the controller has ended.
    #[track_caller]
    #[must_use]
    pub fn peak_memory(&self) -> usize {
        self.process.peak_memory()
    }

    /// What the controller uses now.
    ///
    /// # Panics
    /// When the controller has ended.
    #[track_caller]
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.process.usage()
    }

    /// Everything the controller wrote to stdout and stderr so far.
    ///
    /// # Panics
    /// When the log isn't UTF-8.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Stops the process in whatever it does (SIGSTOP); [`Controller::resume`] lets it go on.
    ///
    /// # Panics
    /// When the controller has ended.
    #[track_caller]
    pub fn pause(&self) {
        self.process.stop(true);
    }

    /// Lets the process go on after [`Controller::pause`].
    ///
    /// # Panics
    /// When the controller has ended.
    #[track_caller]
    pub fn resume(&self) {
        self.process.stop(false);
    }

    /// Kills the process (SIGKILL), as when its node goes away.
    ///
    /// # Panics
    /// When the controller has ended already.
    #[track_caller]
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Sends SIGTERM, as a kubelet does; [`Controller::ended`] waits for the end.
    ///
    /// # Panics
    /// When the controller has ended.
    #[track_caller]
    pub fn tell_to_end(&self) {
        self.process.tell_to_end();
    }

    /// Waits until the controller has ended.
    ///
    /// # Panics
    /// When it doesn't end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// Sends SIGTERM, and waits until the controller has ended.
    ///
    /// # Panics
    /// When it doesn't end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.terminate()
    }
}

/// Finds the address in a log: `address=127.0.0.1:1234` for people, `"address":"127.0.0.1:1234"` for machines.
fn address(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("address")?;
    rest.trim_start_matches(['=', '"', ':']).split(['"', '\n']).next()?.trim().parse().ok()
}

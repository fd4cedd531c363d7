//! A controller that runs: ours, or the peer's.
//!
//! Invariant: both run in release builds of their own, with the logging that they ship with, and nothing but the flags
//! that are written here.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use seal_tests::control_plane::ControlPlane;
use seal_tests::controller::Controller;
use seal_tests::peer;
use seal_tests::process::Process;

use super::audit::{Mark, Requests};
use super::{OWN, PEER_KEYS};
use crate::programs::Programs;

/// Which controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Seal,
    Peer(Limit),
}

/// The peer's own limit of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Off,
    /// So many a second, and as many at once.
    At(u32),
    /// As it ships.
    Shipped,
}

/// A controller that runs until the value is dropped.
pub(crate) struct Running {
    process: Either,
    pub(crate) started: Instant,
    mark: Mark,
}

enum Either {
    Ours(Controller),
    Theirs(Process),
}

/// Starts a controller.
///
/// # Panics
/// When it ends at once.
pub(super) fn start(plane: &ControlPlane, programs: &Programs, kubeconfig: &Path, who: Who) -> Running {
    let mark = Mark::now(plane.audit_log());
    let started = Instant::now();
    let process = match who {
        Who::Seal => {
            let flags = [format!("--namespace={OWN}"), format!("--bitnami-key-namespace={PEER_KEYS}")];
            let dir = plane.dir();
            Either::Ours(Controller::start_program(&programs.controller, "info", kubeconfig, dir, &flags))
        }
        Who::Peer(limit) => {
            let mut command = peer::beside(plane, PEER_KEYS);
            match limit {
                Limit::Off => command.arg("--kubeclient-qps=-1"),
                Limit::At(limit) => {
                    command.args([format!("--kubeclient-qps={limit}"), format!("--kubeclient-burst={limit}")])
                }
                Limit::Shipped => &mut command,
            };
            for flag in ["listen-addr", "listen-metrics-addr"] {
                command.arg(format!("--{flag}={}:{}", Ipv4Addr::LOCALHOST, free_port()));
            }
            command.arg("--key-renew-period=0");
            Either::Theirs(Process::start(&mut command, plane.dir().join("peer.log")))
        }
    };
    Running { process, started, mark }
}

impl Running {
    /// The processor time so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        match &self.process {
            Either::Ours(controller) => controller.cpu(),
            Either::Theirs(process) => process.cpu(),
        }
        .as_secs_f64()
    }

    /// The peak memory so far, in millions of bytes.
    pub(crate) fn peak_memory(&self) -> f64 {
        let kib = match &self.process {
            Either::Ours(controller) => controller.peak_memory(),
            Either::Theirs(process) => process.peak_memory(),
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "memory has fewer KiB than a float has exact integers"
        )]
        let bytes = (kib * 1024) as f64;
        bytes / 1e6
    }

    /// The sum of a counter of our controller over its labels; 0 for the peer, which isn't asked.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let Either::Ours(controller) = &self.process else { return 0 };
        let page = controller.http("/metrics").map(|(_, page)| page).unwrap_or_default();
        let series = page
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Whether our controller says that it is ready and leads.
    pub(crate) fn is_leading(&self) -> bool {
        let Either::Ours(controller) = &self.process else { return true };
        controller.is_leader() && controller.http("/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Requests {
        match self.process {
            Either::Ours(_) => {
                let name = format!("system:serviceaccount:{OWN}:seal-controller");
                self.mark.requests(|user, _| user == name)
            }
            // It is the administrator, like this process, which is told apart by its user agent.
            Either::Theirs(_) => self.mark.requests(|user, agent| user == "admin" && is_the_peers(agent)),
        }
    }

    /// Waits until the controller has used no processor time worth naming for a second, and returns when it stopped.
    ///
    /// # Panics
    /// When it is still busy after ten minutes.
    pub(crate) fn until_quiet(&self) -> Instant {
        const QUIET: Duration = Duration::from_secs(1);
        let deadline = Instant::now() + super::PATIENCE;
        let (mut last, mut since) = (self.cpu(), Instant::now());
        loop {
            thread::sleep(Duration::from_millis(10));
            let (cpu, now) = (self.cpu(), Instant::now());
            // A controller at rest renews its Lease and answers pings: a few ticks.
            if cpu - last > 0.025 {
                (last, since) = (cpu, now);
            } else if now - since > QUIET {
                return since;
            }
            assert!(now < deadline, "the controller doesn't come to rest");
        }
    }
}

/// Go's programs that nobody gave another name call themselves by the file that they were started from.
fn is_the_peers(agent: &str) -> bool {
    agent.starts_with(peer::NAME) || agent.starts_with("controller/")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}

//! A control plane with one real node: kubelet, containerd, runc, kube-proxy and kube-scheduler, so Pods run.
//!
//! All of it lives in a network, a tree of mounts and a tree of processes of its own, so Services' rules, bridges,
//! mounts and containers go with the supervisor, however it ends. Only control groups have no such room: the
//! supervisor makes one tree of them and removes it, and the next run removes what a killed one left.
//!
//! It needs root on Linux, and what [`missing`] looks for.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ControlPlane;
use super::apart::GATE;
use crate::{proxy, toolchain};

/// The archive of the image whose only program, [`PAUSE`], waits in every Pod's sandbox and in the Pods of tests.
pub const SANDBOX_IMAGE: &str = "localhost/pause:1";
/// The program of [`SANDBOX_IMAGE`]: prints the files that its arguments name, then waits for a signal.
pub const PAUSE: &str = "pause";
/// The name of the one node.
pub const NODE: &str = "node";
/// Where the system's own programs are: `nft`, `mount`.
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

impl ControlPlane {
    /// As [`ControlPlane::start`], with a node. The archives are images that Pods may use; [`SANDBOX_IMAGE`] must be
    /// among them.
    ///
    /// # Errors
    /// When it can't be started, with the end of the log of the program that failed.
    pub fn start_with_node(images: &[PathBuf]) -> Result<Self, String> {
        let said = |error| format!("there is no free port: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(said)?;
        let port = listener.local_addr().map_err(said)?.port();
        let programs = toolchain::find("kubelet").map_err(|missing| missing.to_string())?;
        let programs = programs.parent().unwrap_or(Path::new("/")).display();
        let mut command = first_in_namespaces(&toolchain::own("control-plane"));
        command
            .arg("--node")
            .arg(port.to_string())
            .args(images)
            .env("PATH", format!("{programs}:{SYSTEM_PATH}"));
        let plane = Self::supervised(&mut command)?;
        proxy::lead(listener, plane.dir().join(GATE));
        Ok(plane)
    }
}

/// The supervisor as the first process of namespaces of its own.
fn first_in_namespaces(supervisor: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.arg(supervisor);
    command
}

/// Why this machine can't have a node, or can't build what one needs, and what to install; none if it can.
/// `supervisor` is the program `control-plane`.
#[must_use]
pub fn missing(supervisor: &Path) -> Option<String> {
    if !cfg!(target_os = "linux") || !rustix::process::geteuid().is_root() {
        return Some(
            "a node of its own needs root on Linux; SEAL_E2E_CONTEXT names a cluster to use instead"
                .to_owned(),
        );
    }
    let programs = [
        ("unshare", "apt-get install util-linux"),
        ("nft", "apt-get install nftables"),
        ("go", "install Go 1.26.8 or later"),
        ("cc", "apt-get install gcc libc6-dev"),
    ];
    if let Some((program, remedy)) = programs.into_iter().find(|(program, _)| !is_installed(program)) {
        return Some(format!("there is no program {program}: {remedy}"));
    }
    // runc is linked statically.
    let library = Command::new("cc").arg("-print-file-name=libseccomp.a").output();
    let found = library.is_ok_and(|it| Path::new(String::from_utf8_lossy(&it.stdout).trim()).is_absolute());
    if !found {
        return Some("there is no libseccomp.a to link runc with: apt-get install libseccomp-dev".to_owned());
    }
    // Only a try shows what a kernel, or the container that this runs in, allows.
    let tried = first_in_namespaces(supervisor)
        .arg("--try-node")
        .env("PATH", SYSTEM_PATH)
        .stdin(Stdio::null())
        .output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
            Some(format!("this machine doesn't allow a node: {why}"))
        }
        Err(error) => Some(format!("cannot run unshare: {error}")),
    }
}

fn is_installed(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", "command -v \"$0\""]).arg(program).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

//! The programs of the node, and their end.
//!
//! Not the namespaces, which the starter of the supervisor makes (`control_plane/node.rs`): this process is the first
//! in them, so the kernel kills everything else with it.
//!
//! Invariant: nothing outside the control plane's directory changes but a tree of control groups, which is removed;
//! kernel settings that a kubelet would change look to it as if it had.

mod cgroups;
mod config;
mod mounts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use seal_tests::control_plane::NODE;
use seal_tests::toolchain;

use crate::failure::{Failure, tail};
use crate::process::Process;
use crate::stop::Stop;
use crate::{PATIENCE, POLL, kubectl};

use cgroups::Cgroups;
pub(crate) use cgroups::sweep;
pub(crate) use config::{API_SERVER_ARGS, CONTROLLER_MANAGER_ARGS, Users};

/// How long killed processes may take to be gone: one that the kernel writes out isn't gone at once.
const LAST_BREATH: Duration = Duration::from_secs(20);

/// A node of the control plane in `dir`.
pub(crate) struct Node {
    dir: PathBuf,
    images: Vec<PathBuf>,
    cgroups: Cgroups,
    pub(crate) users: Users,
}

impl Node {
    /// Makes the room of a node: mounts, control groups, keys.
    pub(crate) fn prepare(dir: &Path, images: Vec<PathBuf>) -> Result<Self, Failure> {
        // Where it isn't the first process, it would mount in somebody else's tree and kill somebody else's processes.
        if std::process::id() != 1 {
            return Err(Failure::io("have a node")(std::io::Error::other("not in namespaces of its own")));
        }
        // containerd's directories must be open to the users of containers.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        mounts::cover(dir).map_err(Failure::io("set up the mounts of a node"))?;
        let cgroups = Cgroups::make(dir).map_err(Failure::io("make control groups"))?;
        let users = Users::write(dir).map_err(Failure::io("write the keys of a node"))?;
        Ok(Self { dir: dir.to_owned(), images, cgroups, users })
    }

    /// Starts the programs, and waits until the node is ready.
    pub(crate) fn run(&self, port: u16, stop: &Stop) -> Result<Vec<Process>, Failure> {
        let dir = &self.dir;
        config::write(dir, port, &self.users, self.cgroups.name())
            .map_err(Failure::io("write the settings of a node"))?;
        let spawn = |name, args: &[&str]| Process::spawn(dir, name, args.iter().map(ToString::to_string));
        let mut containerd = spawn("containerd", &["--config=containerd.toml"])?;
        wait_for(&mut containerd, stop, || Ok(ctr(dir, &["version"])?.status()))?;
        for image in &self.images {
            self.import(image)?;
        }
        let scheduler = spawn("kube-scheduler", config::SCHEDULER_ARGS)?;
        let proxy = spawn("kube-proxy", &["--config=kube-proxy.json"])?;
        let mut kubelet = Process::spawn(dir, "kubelet", config::kubelet_args(dir).into_iter())?;
        let ready = ["wait", "--for=condition=Ready", "--timeout=1s", "node", NODE];
        wait_for(&mut kubelet, stop, || {
            Ok(quiet(kubectl(&dir.join(crate::KUBECONFIG))?.args(ready)).status())
        })?;
        Ok(vec![kubelet, proxy, scheduler, containerd])
    }

    fn import(&self, image: &Path) -> Result<(), Failure> {
        let output =
            ctr(&self.dir, &["images", "import"])?.arg(image).output().map_err(Failure::io("run ctr"))?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Failure::Refused { file: image.to_owned(), message })
    }
}

/// Sets a rule as kube-proxy does.
pub(crate) fn try_rules() -> std::io::Result<()> {
    let rules = ["add table ip seal; add chain ip seal nat { type nat hook prerouting priority -100; }"];
    let output = Command::new("nft").args(rules).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

impl Drop for Node {
    /// Everything here is best effort: what fails is done by the kernel, or by the next run.
    fn drop(&mut self) {
        let deadline = Instant::now() + LAST_BREATH;
        while kill_others() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        mounts::uncover(&self.dir);
        self.cgroups.remove();
    }
}

/// Kills every other process of these namespaces, and returns whether there still is one. A process whose parent has
/// ended is a child of this one.
fn kill_others() -> bool {
    while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let others: Vec<i32> = pids.filter(|pid| *pid != 1).collect();
    for pid in others.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let _ = kill_process(pid, Signal::KILL);
    }
    !others.is_empty()
}

/// Repeats the command until it succeeds.
fn wait_for(
    process: &mut Process,
    stop: &Stop,
    attempt: impl Fn() -> Result<std::io::Result<std::process::ExitStatus>, Failure>,
) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if attempt()?.map_err(Failure::io("run a client"))?.success() {
            return Ok(());
        }
        process.still_running()?;
        if Instant::now() > deadline {
            return Err(Failure::Slow { name: process.name, log: tail(&process.log) });
        }
        stop.sleep(POLL)?;
    }
}

/// containerd's client, quiet.
fn ctr(dir: &Path, args: &[&str]) -> Result<Command, Failure> {
    let mut ctr = Command::new(toolchain::find("ctr").map_err(Failure::Missing)?);
    ctr.arg("--address").arg(dir.join(config::CONTAINERD_SOCKET)).args(["--namespace", "k8s.io"]).args(args);
    quiet(&mut ctr);
    Ok(ctr)
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

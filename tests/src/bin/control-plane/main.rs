//! Starts a Kubernetes control plane on free ports, prints how to reach it, keeps it until stdin is closed or a
//! signal comes, and leaves nothing behind.
//!
//! Run by `control_plane.rs` of this crate with both ends piped (one line of JSON, an [`Announcement`]), or by
//! hand from a terminal (the path of a kubeconfig; Ctrl-C ends it). Arguments are files of CRDs to install before
//! the controllers start. It is not a cluster: it has no nodes, no scheduler and no DNS.
//!
//! With `--apart PORT` first, it and all its children are in a network of their own, where kube-apiserver has
//! that port; see [`network`].
//!
//! With `--die-with-parent PID PROGRAM [ARGUMENT…]` it becomes that program instead, and the kernel kills it when
//! its parent dies. It starts its own children like this, and tests start theirs.
//!
//! Invariant: however this process ends, its children end too. An orderly end kills them and removes their
//! directory. If this process is killed, the kernel kills them ([`die_with_parent`]), and the next run removes
//! the directory ([`sweep`]).

mod failure;
mod inputs;
mod network;
mod process;
mod scratch;
mod stop;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use seal_tests::control_plane::{Access, Announcement, GATE, Order};
use seal_tests::toolchain;

use failure::{Failure, tail};
use inputs::{
    API_SERVER_ARGS, CONTROLLER_MANAGER_ARGS, ETCD_ARGS, free_port, new_token, write_inputs, write_kubeconfig,
};
use process::{DIE_WITH_PARENT, Process, die_with_parent};
use scratch::{Scratch, sweep};
use stop::Stop;

/// How long each program may take to become ready. Generous, because a machine that compiles at the same time
/// takes ten times as long; a program that dies is noticed at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);
/// How many ports to try. A free port is found by asking for one and giving it back, so another process may take
/// it first.
const PORT_ATTEMPTS: u32 = 5;
const APART: &str = "--apart";
/// The directory of etcd's data, and that of its copy, in the control plane's directory.
const DATA: &str = "etcd";
const SNAPSHOT: &str = "snapshot";
const KUBECONFIG: &str = "kubeconfig";

fn main() -> ExitCode {
    let mut args: Vec<_> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|arg| arg == DIE_WITH_PARENT) {
        let error = die_with_parent(&args.split_off(1));
        let _ = writeln!(io::stderr(), "{error}");
        return ExitCode::FAILURE;
    }
    let port = match args.as_slice() {
        [apart, port, ..] if apart == APART => port.to_str().and_then(|port| port.parse().ok()),
        _ => None,
    };
    let crds: Vec<_> = args.into_iter().skip(if port.is_some() { 2 } else { 0 }).map(PathBuf::from).collect();
    let by_hand = io::stdin().is_terminal();
    match run(&crds, port, by_hand) {
        Ok(()) | Err(Failure::Stopped) => ExitCode::SUCCESS,
        Err(failure) => {
            // A parent that piped our stdout reads one line of it; a later failure goes to stderr only.
            if by_hand || announce(&Announcement::Failed(failure.to_string())).is_err() {
                let _ = writeln!(io::stderr(), "control-plane: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(crds: &[PathBuf], apart: Option<u16>, by_hand: bool) -> Result<(), Failure> {
    let stop = Stop::listen().map_err(Failure::io("listen for signals"))?;
    sweep();
    let scratch = Scratch::create().map_err(Failure::io("create a directory"))?;
    if let Some(port) = apart {
        network::raise().map_err(Failure::io("set up a network that isn't ours alone"))?;
        network::open_gate(&scratch.path().join(GATE), (Ipv4Addr::LOCALHOST, port).into())
            .map_err(Failure::io("open the gate of the network"))?;
    }
    let (plane, access, mut processes) = start(&scratch, crds, apart, &stop)?;

    if by_hand {
        let _ = writeln!(io::stdout(), "{}", access.kubeconfig.display());
        let _ = writeln!(io::stderr(), "logs are beside it; Ctrl-C ends the control plane and removes them");
    } else {
        announce(&Announcement::Ready(access)).map_err(Failure::io("say where it is"))?;
    }
    loop {
        if let Some(order) = stop.sleep(10 * POLL)? {
            obey(&order, &plane, scratch.path(), &mut processes, &stop)?;
            announce(&Announcement::Done).map_err(Failure::io("say that it is done"))?;
        }
        for process in &mut processes {
            process.still_running()?;
        }
    }
}

fn obey(
    order: &Order,
    plane: &Plane,
    dir: &Path,
    processes: &mut Vec<Process>,
    stop: &Stop,
) -> Result<(), Failure> {
    let (data, snapshot) = (dir.join(DATA), dir.join(SNAPSHOT));
    match order {
        Order::Snapshot => {
            processes.clear();
            copy(&data, &snapshot)?;
            *processes = plane.run(dir, &[], stop)?.1;
        }
        Order::Restore => {
            processes.clear();
            copy(&snapshot, &data)?;
            *processes = plane.run(dir, &[], stop)?.1;
        }
        Order::StopApiServer => processes.retain(|process| process.name == "etcd"),
        Order::StartApiServer => {
            let etcd = processes.pop().expect("etcd is the last, and is only replaced");
            *processes = plane.serve(dir, &[], etcd, stop)?.1;
        }
        Order::PauseEtcd | Order::ResumeEtcd => {
            let etcd = processes.last().expect("etcd is the last, and is only replaced");
            etcd.pause(matches!(order, Order::PauseEtcd))?;
        }
    }
    Ok(())
}

/// Copies a directory of etcd's data in place of another. etcd has been killed, so the copy is what a crash leaves,
/// which etcd reads.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(Failure::io("remove the older data"))?;
    }
    let copied = Command::new("cp").arg("-R").arg(from).arg(to).status().map_err(Failure::io("run cp"))?;
    if copied.success() { Ok(()) } else { Err(Failure::io("copy the data")(io::Error::other("cp failed"))) }
}

/// What stays when the programs are started again: clients keep their kubeconfig.
struct Plane {
    port: Option<u16>,
    token: String,
}

/// Starts a control plane for the first time.
fn start(
    scratch: &Scratch,
    crds: &[PathBuf],
    port: Option<u16>,
    stop: &Stop,
) -> Result<(Plane, Access, Vec<Process>), Failure> {
    let dir = scratch.path();
    let token = new_token().map_err(Failure::io("make a token"))?;
    write_inputs(dir, &token).map_err(Failure::io("write keys and policies"))?;
    let mut plane = Plane { port, token };
    let (port, processes) = plane.run(dir, crds, stop)?;
    plane.port = Some(port);
    let access =
        Access { dir: dir.to_owned(), kubeconfig: dir.join(KUBECONFIG), audit_log: dir.join("audit.log") };
    Ok((plane, access, processes))
}

impl Plane {
    /// Starts the three programs, each when the one before it serves. Returns kube-apiserver's port.
    ///
    /// Expected flow: keys and tokens are new for each control plane and are removed with the directory. etcd
    /// listens on a socket in the directory and on no port, so no other program reaches it. kube-apiserver makes its
    /// own serving certificate, which clients are told to trust. kube-controller-manager comes last, when the CRDs
    /// are served.
    fn run(&self, dir: &Path, crds: &[PathBuf], stop: &Stop) -> Result<(u16, Vec<Process>), Failure> {
        // Processes are killed in order, controllers first, so that none complains about a missing server.
        let etcd = Process::spawn(dir, "etcd", ETCD_ARGS.iter().map(ToString::to_string))?;
        self.serve(dir, crds, etcd, stop)
    }

    /// Starts kube-apiserver and kube-controller-manager over an etcd that runs.
    fn serve(
        &self,
        dir: &Path,
        crds: &[PathBuf],
        etcd: Process,
        stop: &Stop,
    ) -> Result<(u16, Vec<Process>), Failure> {
        let (api_server, port) = start_api_server(dir, self.port, &self.token, stop)?;
        for crd in crds {
            let steps: [&[&str]; 2] =
                [&["apply", "--server-side"], &["wait", "--for=condition=Established", "--timeout=60s"]];
            for step in steps {
                install(crd, kubectl(&dir.join(KUBECONFIG))?.args(step))?;
            }
        }
        let controllers = Process::spawn(
            dir,
            "kube-controller-manager",
            CONTROLLER_MANAGER_ARGS.iter().map(ToString::to_string),
        )?;
        Ok((port, vec![controllers, api_server, etcd]))
    }
}

fn install(crd: &Path, kubectl: &mut Command) -> Result<(), Failure> {
    let output = kubectl.arg("--filename").arg(crd).output().map_err(Failure::io("run kubectl"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::Refused {
        crd: crd.to_owned(),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn start_api_server(
    dir: &Path,
    port: Option<u16>,
    token: &str,
    stop: &Stop,
) -> Result<(Process, u16), Failure> {
    let kubeconfig = dir.join(KUBECONFIG);
    let mut attempt = 1;
    loop {
        let port = port.map_or_else(free_port, Ok).map_err(Failure::io("find a free port"))?;
        let args = API_SERVER_ARGS.iter().map(ToString::to_string);
        let mut api_server =
            Process::spawn(dir, "kube-apiserver", args.chain([format!("--secure-port={port}")]))?;
        match serves(&mut api_server, dir, port, token, &kubeconfig, stop) {
            Ok(()) => return Ok((api_server, port)),
            Err(Failure::Died { log, .. })
                if log.contains("address already in use") && attempt < PORT_ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Waits until kube-apiserver is ready. Writes the kubeconfig on the way, as soon as the certificate that it
/// names is there.
fn serves(
    api_server: &mut Process,
    dir: &Path,
    port: u16,
    token: &str,
    kubeconfig: &Path,
    stop: &Stop,
) -> Result<(), Failure> {
    let certificate = dir.join("certs/apiserver.crt");
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(pem) = fs::read(&certificate) {
            write_kubeconfig(kubeconfig, port, &pem, token).map_err(Failure::io("write the kubeconfig"))?;
            let mut ready = kubectl(kubeconfig)?;
            ready.args(["get", "--raw", "/readyz"]).stdout(Stdio::null()).stderr(Stdio::null());
            if ready.status().map_err(Failure::io("run kubectl"))?.success() {
                return Ok(());
            }
        }
        // Checked in this order: a failure to start explains more than slowness.
        api_server.still_running()?;
        if Instant::now() > deadline {
            return Err(Failure::Slow { name: api_server.name, log: tail(&api_server.log) });
        }
        stop.sleep(POLL)?;
    }
}

fn kubectl(kubeconfig: &Path) -> Result<Command, Failure> {
    let mut kubectl = Command::new(toolchain::find("kubectl").map_err(Failure::Missing)?);
    kubectl
        .env("KUBECONFIG", kubeconfig)
        .env("KUBECACHEDIR", kubeconfig.with_file_name("kubectl-cache"))
        .env("KUBERC", "off")
        .stdin(Stdio::null());
    Ok(kubectl)
}

fn announce(announcement: &Announcement) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, announcement)?;
    writeln!(stdout)?;
    stdout.flush()
}

//! Starts a Kubernetes control plane on free ports, prints how to reach it, keeps it until stdin is closed or a
//! signal comes, and leaves nothing behind.
//!
//! Run by `control_plane.rs` of this crate with both ends piped (one line of JSON, an [`Announcement`]), or by
//! hand from a terminal (the path of a kubeconfig; Ctrl-C ends it). Arguments are files of CRDs to install before
//! the controllers start. It is not a cluster: it has no nodes and no scheduler.
//!
//! With `--apart PORT` first, it and all its children are in a network of their own, where kube-apiserver has
//! that port; see [`network`].
//!
//! With `--node PORT` first, it is the first process of a network, mounts and processes of its own, and has a node:
//! then it is a cluster. The arguments are archives of images; see [`node`].
//!
//! With `--why-no-node` it only prints why this machine can't have a node, and fails; or succeeds. A part of that is
//! `--try-node`, in namespaces as for a node.
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
mod node;
mod process;
mod scratch;
mod stop;

use std::ffi::OsString;
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
    API_SERVER_ARGS, CONTROLLER_MANAGER_ARGS, ETCD_ARGS, FEW_CONTROLLERS, free_port, new_token, write_inputs,
    write_kubeconfig,
};
use node::Node;
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
const NODE: &str = "--node";
const WHY_NO_NODE: &str = "--why-no-node";
const TRY_NODE: &str = "--try-node";
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
    if args.first().is_some_and(|arg| arg == WHY_NO_NODE) {
        let own = std::env::current_exe().unwrap_or_default();
        let missing = seal_tests::control_plane::missing(&own);
        let _ = writeln!(io::stdout(), "{}", missing.as_deref().unwrap_or_default());
        return ExitCode::from(u8::from(missing.is_some()));
    }
    if args.first().is_some_and(|arg| arg == TRY_NODE) {
        return match try_node() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                let _ = writeln!(io::stderr(), "{failure}");
                ExitCode::FAILURE
            }
        };
    }
    let port = |text: &OsString| text.to_str().and_then(|port| port.parse().ok());
    let room = match args.as_slice() {
        [apart, text, ..] if apart == APART => port(text).map(Room::Apart),
        [node, text, ..] if node == NODE => port(text).map(Room::Node),
        _ => None,
    };
    let room = room.unwrap_or(Room::Machine);
    let flags = if matches!(room, Room::Machine) { 0 } else { 2 };
    let files: Vec<_> = args.into_iter().skip(flags).map(PathBuf::from).collect();
    let by_hand = io::stdin().is_terminal();
    match run(files, room, by_hand) {
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

/// The network that a control plane serves in, with kube-apiserver's port where it is chosen outside.
#[derive(Clone, Copy)]
enum Room {
    /// The machine's own, on a free port.
    Machine,
    /// One of its own.
    Apart(u16),
    /// One of its own that a node shares.
    Node(u16),
}

/// Makes the room of a node, and leaves it: what a kernel refuses, or the container that this runs in, it refuses here.
fn try_node() -> Result<(), Failure> {
    let scratch = Scratch::create_on_disk().map_err(Failure::io("create a directory"))?;
    network::raise().map_err(Failure::io("set up a network that isn't ours alone"))?;
    let _node = Node::prepare(scratch.path(), Vec::new())?;
    node::try_rules().map_err(Failure::io("set rules of nftables"))
}

fn run(files: Vec<PathBuf>, room: Room, by_hand: bool) -> Result<(), Failure> {
    let stop = Stop::listen().map_err(Failure::io("listen for signals"))?;
    sweep();
    node::sweep();
    let scratch = match room {
        Room::Node(_) => Scratch::create_on_disk(),
        Room::Machine | Room::Apart(_) => Scratch::create(),
    };
    let scratch = scratch.map_err(Failure::io("create a directory"))?;
    if let Room::Apart(port) | Room::Node(port) = room {
        network::raise().map_err(Failure::io("set up a network that isn't ours alone"))?;
        network::open_gate(&scratch.path().join(GATE), (Ipv4Addr::LOCALHOST, port).into())
            .map_err(Failure::io("open the gate of the network"))?;
    }
    let (port, node, crds) = match room {
        Room::Machine => (None, None, files),
        Room::Apart(port) => (Some(port), None, files),
        Room::Node(port) => (Some(port), Some(Node::prepare(scratch.path(), files)?), Vec::new()),
    };
    let (plane, access, mut processes) = start(&scratch, &crds, port, node, &stop)?;

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
    node: Option<Node>,
}

/// Starts a control plane for the first time.
fn start(
    scratch: &Scratch,
    crds: &[PathBuf],
    port: Option<u16>,
    node: Option<Node>,
    stop: &Stop,
) -> Result<(Plane, Access, Vec<Process>), Failure> {
    let dir = scratch.path();
    let token = new_token().map_err(Failure::io("make a token"))?;
    let others = node.as_ref().map(|node| node.users.tokens()).unwrap_or_default();
    write_inputs(dir, &token, &others).map_err(Failure::io("write keys and policies"))?;
    let mut plane = Plane { port, token, node };
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
        let (api_server, port) = self.start_api_server(dir, stop)?;
        for crd in crds {
            let steps: [&[&str]; 2] =
                [&["apply", "--server-side"], &["wait", "--for=condition=Established", "--timeout=60s"]];
            for step in steps {
                install(crd, kubectl(&dir.join(KUBECONFIG))?.args(step))?;
            }
        }
        let which = if self.node.is_some() { node::CONTROLLER_MANAGER_ARGS } else { FEW_CONTROLLERS };
        let args = CONTROLLER_MANAGER_ARGS.iter().chain(which).map(ToString::to_string);
        let controllers = Process::spawn(dir, "kube-controller-manager", args)?;
        let mut processes = self.node.as_ref().map_or_else(|| Ok(Vec::new()), |node| node.run(port, stop))?;
        processes.extend([controllers, api_server, etcd]);
        Ok((port, processes))
    }

    fn start_api_server(&self, dir: &Path, stop: &Stop) -> Result<(Process, u16), Failure> {
        let mut attempt = 1;
        loop {
            let port = self.port.map_or_else(free_port, Ok).map_err(Failure::io("find a free port"))?;
            // Of a flag that is given twice, the last counts.
            let more = if self.node.is_some() { node::API_SERVER_ARGS } else { &[] };
            let args = API_SERVER_ARGS.iter().chain(more).map(ToString::to_string);
            let mut api_server =
                Process::spawn(dir, "kube-apiserver", args.chain([format!("--secure-port={port}")]))?;
            // Its certificate is for the addresses that it listens on; if those are all, for `localhost`.
            let host = if self.node.is_some() { "localhost" } else { "127.0.0.1" };
            match serves(&mut api_server, dir, &format!("https://{host}:{port}"), &self.token, stop) {
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
}

fn install(crd: &Path, kubectl: &mut Command) -> Result<(), Failure> {
    let output = kubectl.arg("--filename").arg(crd).output().map_err(Failure::io("run kubectl"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::Refused {
        file: crd.to_owned(),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Waits until kube-apiserver is ready. Writes the kubeconfig on the way, as soon as the certificate that it
/// names is there.
fn serves(
    api_server: &mut Process,
    dir: &Path,
    server: &str,
    token: &str,
    stop: &Stop,
) -> Result<(), Failure> {
    let kubeconfig = &dir.join(KUBECONFIG);
    let certificate = dir.join("certs/apiserver.crt");
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(pem) = fs::read(&certificate) {
            write_kubeconfig(kubeconfig, server, &pem, token).map_err(Failure::io("write the kubeconfig"))?;
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

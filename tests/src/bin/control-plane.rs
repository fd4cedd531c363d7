//! Starts a Kubernetes control plane on free ports, says where it is, keeps it
//! until stdin is closed or a signal comes, and leaves nothing behind.
//!
//! Run by `control_plane.rs` of this crate with both ends piped (one line of
//! JSON, an [`Announcement`]), or by hand from a terminal (the path of a
//! kubeconfig; Ctrl-C ends it). Arguments are files of CRDs to install before the
//! controllers start. It is not a cluster: no nodes, no scheduler, no DNS.
//!
//! Invariant: whatever ends this process ends its children. An orderly end
//! kills them and removes their directory; should it be killed itself, the
//! kernel kills them ([`die_with_parent`]), and the next run removes the
//! directory ([`sweep`]).

use std::fmt;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use seal_tests::control_plane::{Access, Announcement};
use seal_tests::toolchain;
use serde_json::json;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// For each program to become ready. Generous, because a machine that compiles
/// at the same time takes ten times as long; a program that dies is noticed at once.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);
/// Free ports are found by asking for one and giving it back, so another
/// process may take it first.
const PORT_ATTEMPTS: u32 = 5;
/// etcd alone allocates 128 MiB at once; many containers have 64 MiB of shared memory.
const ROOM: u64 = 1 << 30;
const DIR_PREFIX: &str = "seal-control-plane-";
/// A directory younger than this may belong to a process that is about to lock it.
const SWEEP_AGE: Duration = Duration::from_secs(60);
const LOG_TAIL: usize = 4000;
/// The first argument when this program is its own child, see [`Process::spawn`].
const DIE_WITH_PARENT: &str = "--die-with-parent";

fn main() -> ExitCode {
    let mut args: Vec<_> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|arg| arg == DIE_WITH_PARENT) {
        let error = die_with_parent(&args.split_off(1));
        let _ = writeln!(io::stderr(), "{error}");
        return ExitCode::FAILURE;
    }
    let by_hand = io::stdin().is_terminal();
    match run(&args.into_iter().map(PathBuf::from).collect::<Vec<_>>(), by_hand) {
        Ok(()) | Err(Failure::Stopped) => ExitCode::SUCCESS,
        Err(failure) => {
            // Whoever piped our stdout reads one line of it; a later failure has only stderr.
            if by_hand || announce(&Announcement::Failed(failure.to_string())).is_err() {
                let _ = writeln!(io::stderr(), "control-plane: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(crds: &[PathBuf], by_hand: bool) -> Result<(), Failure> {
    let stop = Stop::listen().map_err(Failure::io("listen for signals"))?;
    sweep();
    let scratch = Scratch::create().map_err(Failure::io("create a directory"))?;
    let (access, mut processes) = start(&scratch, crds, &stop)?;

    if by_hand {
        let _ = writeln!(io::stdout(), "{}", access.kubeconfig.display());
        let _ = writeln!(io::stderr(), "logs are beside it; Ctrl-C ends the control plane and removes them");
    } else {
        announce(&Announcement::Ready(access)).map_err(Failure::io("say where it is"))?;
    }
    loop {
        stop.sleep(10 * POLL)?;
        for process in &mut processes {
            process.still_running()?;
        }
    }
}

/// Starts the three programs, each when the one before it serves.
///
/// Expected flow: keys and tokens are new each time and die with the directory;
/// etcd listens on a socket in it, so nobody but us reaches it, at no port;
/// kube-apiserver makes its own serving certificate, which clients are told to
/// trust; kube-controller-manager comes last, when the CRDs are served.
fn start(scratch: &Scratch, crds: &[PathBuf], stop: &Stop) -> Result<(Access, Vec<Process>), Failure> {
    let dir = scratch.path();
    let token = new_token().map_err(Failure::io("make a token"))?;
    write_inputs(dir, &token).map_err(Failure::io("write keys and policies"))?;

    // Killed in order, controllers first: nobody then complains about a missing server.
    let etcd = Process::spawn(dir, "etcd", ETCD_ARGS.iter().map(ToString::to_string))?;
    let (api_server, access) = start_api_server(dir, &token, stop)?;
    for crd in crds {
        let steps: [&[&str]; 2] =
            [&["apply", "--server-side"], &["wait", "--for=condition=Established", "--timeout=60s"]];
        for step in steps {
            install(crd, kubectl(&access.kubeconfig)?.args(step))?;
        }
    }
    let controllers = Process::spawn(
        dir,
        "kube-controller-manager",
        CONTROLLER_MANAGER_ARGS.iter().map(ToString::to_string),
    )?;
    Ok((access, vec![controllers, api_server, etcd]))
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

fn start_api_server(dir: &Path, token: &str, stop: &Stop) -> Result<(Process, Access), Failure> {
    let access =
        Access { dir: dir.to_owned(), kubeconfig: dir.join("kubeconfig"), audit_log: dir.join("audit.log") };
    let mut attempt = 1;
    loop {
        let port = free_port().map_err(Failure::io("find a free port"))?;
        let args = API_SERVER_ARGS.iter().map(ToString::to_string);
        let mut api_server =
            Process::spawn(dir, "kube-apiserver", args.chain([format!("--secure-port={port}")]))?;
        match serves(&mut api_server, dir, port, token, &access.kubeconfig, stop) {
            Ok(()) => return Ok((api_server, access)),
            Err(Failure::Died { log, .. })
                if log.contains("address already in use") && attempt < PORT_ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Waits until kube-apiserver is ready, and writes the kubeconfig on the way,
/// as soon as the certificate is there that it has to name.
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
        // In this order: a failure to start is a better answer than slowness.
        api_server.still_running()?;
        if Instant::now() > deadline {
            return Err(Failure::Slow { name: api_server.name, log: tail(&api_server.log) });
        }
        stop.sleep(POLL)?;
    }
}

/// Relative names, because programs run in the control plane's directory: the
/// path of a Unix socket may have no more than 107 bytes.
const ETCD_ARGS: &[&str] = &[
    "--name=seal",
    "--data-dir=etcd",
    "--listen-client-urls=unix://etcd.sock",
    "--advertise-client-urls=unix://etcd.sock",
    "--listen-peer-urls=unix://etcd-peer.sock",
    "--initial-advertise-peer-urls=unix://etcd-peer.sock",
    "--initial-cluster=seal=unix://etcd-peer.sock",
    // There is nothing to keep over a crash.
    "--unsafe-no-fsync",
    // It elects itself; the default makes everybody wait for a second.
    "--heartbeat-interval=20",
    "--election-timeout=200",
    "--log-level=warn",
];

const API_SERVER_ARGS: &[&str] = &[
    "--etcd-servers=unix://etcd.sock",
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    // Loopback addresses aren't valid endpoints; without this it retries for ever.
    "--endpoint-reconciler-type=none",
    "--service-cluster-ip-range=10.0.0.0/24",
    "--cert-dir=certs",
    "--token-auth-file=tokens.csv",
    "--authorization-mode=RBAC",
    "--service-account-issuer=https://kubernetes.default.svc",
    "--service-account-key-file=service-account.key",
    "--service-account-signing-key-file=service-account.key",
    "--audit-policy-file=audit-policy.json",
    "--audit-log-path=audit.log",
    // Written before the next request of that connection is served, never rotated away.
    "--audit-log-mode=blocking",
    "--audit-log-maxsize=100000",
];

const CONTROLLER_MANAGER_ARGS: &[&str] = &[
    "--kubeconfig=kubeconfig",
    "--leader-elect=false",
    "--secure-port=0",
    "--service-account-private-key-file=service-account.key",
    "--root-ca-file=certs/apiserver.crt",
    "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller,\
     serviceaccount-token-controller,root-ca-certificate-publisher-controller,\
     clusterrole-aggregation-controller",
    // Tests wait for the garbage collector, so it doesn't wait for itself.
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
];

fn write_inputs(dir: &Path, token: &str) -> io::Result<()> {
    // The form that holds both halves for Kubernetes; of PKCS #8 it reads only the private one.
    let key: EcPrivateKeyRfc5915Der<'_> = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
        .and_then(|pair| pair.private_key().as_der())
        .map_err(io::Error::other)?;
    let key = STANDARD.encode(key.as_ref());
    fs::write(
        dir.join("service-account.key"),
        format!("-----BEGIN EC PRIVATE KEY-----\n{key}\n-----END EC PRIVATE KEY-----\n"),
    )?;
    fs::write(dir.join("tokens.csv"), format!("{token},admin,admin,\"system:masters\"\n"))?;
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "None", "users": ["system:apiserver"]}, {"level": "Metadata"}],
    });
    fs::write(dir.join("audit-policy.json"), policy.to_string())
}

fn write_kubeconfig(path: &Path, port: u16, certificate: &[u8], token: &str) -> io::Result<()> {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority-data": STANDARD.encode(certificate),
        }}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    });
    fs::write(path, kubeconfig.to_string())
}

fn new_token() -> io::Result<String> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
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

/// A child that ends with us.
struct Process {
    name: &'static str,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Runs a program of the toolchain in `dir`, with its output in a log there.
    ///
    /// Caveat: to be called on the main thread only, since the kernel's parent
    /// death signal comes when the *thread* ends that started the child.
    fn spawn(dir: &Path, name: &'static str, args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let program = toolchain::find(name).map_err(Failure::Missing)?;
        let log = dir.join(name).with_extension("log");
        let spawn = || {
            let output = File::create(&log)?;
            Command::new(std::env::current_exe()?)
                .arg(DIE_WITH_PARENT)
                .arg(std::process::id().to_string())
                .arg(&program)
                .args(args)
                .current_dir(dir)
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output)
                .spawn()
        };
        let child = spawn().map_err(Failure::io("start a program"))?;
        Ok(Self { name, log, child })
    }

    fn still_running(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Failure::Died { name: self.name, status, log: tail(&self.log) }),
            Err(error) => Err(Failure::io("watch a child")(error)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Becomes the program that the arguments name (after the process id of the
/// parent), to be killed when the parent dies; comes back only with an error.
///
/// A program of its own rather than a step between fork and exec, because the
/// latter can't be written without `unsafe`; the setting survives exec.
fn die_with_parent(args: &[std::ffi::OsString]) -> io::Error {
    let [parent, program, args @ ..] = args else {
        return io::Error::other("for internal use: --die-with-parent PID PROGRAM [ARGUMENT…]");
    };
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
    {
        return error.into();
    }
    // It may have died before the line above, and then nobody tells us.
    if *parent != *std::os::unix::process::parent_id().to_string() {
        return io::Error::other("the parent is gone");
    }
    Command::new(program).args(args).exec()
}

/// The directory of one control plane, in memory if there is room. Dropping it
/// removes it; a lock on it says that its owner lives.
struct Scratch {
    dir: TempDir,
    _lock: File,
}

impl Scratch {
    fn create() -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(DIR_PREFIX).tempdir_in(scratch_root())?;
        let lock = File::open(dir.path())?;
        lock.lock()?;
        Ok(Self { dir, _lock: lock })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn scratch_root() -> PathBuf {
    let memory = Path::new("/dev/shm");
    match rustix::fs::statvfs(memory) {
        Ok(stat) if stat.f_bavail.saturating_mul(stat.f_frsize) >= ROOM => memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}

/// Removes what supervisors left that were killed before they could. Best
/// effort: what isn't ours to remove stays.
fn sweep() {
    let entries = [Path::new("/dev/shm"), &std::env::temp_dir()].map(fs::read_dir).into_iter().flatten();
    for entry in entries.flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(DIR_PREFIX));
        if ours && is_abandoned(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(dir: &Path) -> bool {
    let old = |file: &File| {
        let age = SystemTime::now().duration_since(file.metadata()?.modified()?);
        Ok::<_, io::Error>(age.is_ok_and(|age| age > SWEEP_AGE))
    };
    File::open(dir).is_ok_and(|file| old(&file).is_ok_and(|old| old) && file.try_lock().is_ok())
}

/// Tells when to end: stdin is closed, or a signal came.
struct Stop(Receiver<()>);

impl Stop {
    fn listen() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        listen_for_signals(sender.clone())?;
        thread::spawn(move || {
            // Nobody has anything to say to us: only the end counts.
            let mut ignored = [0; 1024];
            while io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
            let _ = sender.send(());
        });
        Ok(Self(receiver))
    }

    fn sleep(&self, duration: Duration) -> Result<(), Failure> {
        match self.0.recv_timeout(duration) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(Failure::Stopped),
        }
    }
}

fn listen_for_signals(sender: Sender<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(entered);
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        let _ = sender.send(());
    });
    Ok(())
}

/// Why there is no control plane, or none any more.
#[derive(Debug)]
enum Failure {
    /// Asked to, so no failure to whoever asked.
    Stopped,
    Missing(toolchain::Missing),
    Died {
        name: &'static str,
        status: ExitStatus,
        log: String,
    },
    Slow {
        name: &'static str,
        log: String,
    },
    Refused {
        crd: PathBuf,
        message: String,
    },
    Io {
        doing: &'static str,
        error: io::Error,
    },
}

impl Failure {
    fn io(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io { doing, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => write!(f, "stopped"),
            Self::Missing(missing) => write!(f, "{missing}"),
            Self::Died { name, status, log } => write!(f, "{name} ended ({status}); its log ends:\n{log}"),
            Self::Slow { name, log } => {
                write!(f, "{name} isn't ready after {PATIENCE:?}; its log ends:\n{log}")
            }
            Self::Refused { crd, message } => write!(f, "{} is refused: {message}", crd.display()),
            Self::Io { doing, error } => write!(f, "cannot {doing}: {error}"),
        }
    }
}

/// The end of a log, from the start of a line.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_else(|error| error.to_string().into_bytes());
    let text = String::from_utf8_lossy(&text);
    let skip = text.len().saturating_sub(LOG_TAIL);
    match text.char_indices().find(|&(at, c)| at >= skip && (skip == 0 || c == '\n')) {
        Some((at, _)) => text[at..].trim().to_owned(),
        None => text.into_owned(),
    }
}

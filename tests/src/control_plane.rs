//! A real Kubernetes control plane for tests: etcd, kube-apiserver and
//! kube-controller-manager (garbage collection, namespaces, service accounts),
//! without nodes, so Pods stay pending for ever.
//!
//! It starts on first use and is shared by all tests of the process. Tests keep apart by namespaces
//! ([`ControlPlane::namespace`]) and identities ([`ControlPlane::service_account`]); they share cluster-wide
//! objects.
//!
//! This process starts only the supervisor, `bin/control-plane.rs`, which holds the read end of a pipe whose
//! write end is in this process.
//!
//! Invariant: however this process ends, even by SIGKILL, the kernel closes that pipe, and with it go all the
//! processes and files of the control plane. No test cleans up after itself, and none has to.
//!
//! [`ControlPlane::start_apart`] starts one in a network of its own, for programs that serve like a Pod;
//! [`ControlPlane::start_with_node`] one with a node, where Pods run.
//!
//! Failures here panic: the test is the only caller, and an error would fail it anyway.

mod apart;
mod history;
mod node;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::Api;
use crate::{cpu, toolchain};

pub(crate) use apart::bound_to_us;
pub use apart::{GATE, POD_ADDRESS, dying_with_us};
pub use node::{NODE, PAUSE, SANDBOX_IMAGE, missing};

/// How long the audit log may lag behind an answer.
const AUDIT_PATIENCE: Duration = Duration::from_secs(10);

/// A line that the supervisor writes to a piped stdout: the first one, and an answer to each [`Order`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Announcement {
    /// The control plane serves until the supervisor's stdin is closed.
    Ready(Access),
    /// The control plane didn't start: the reason, with the end of the log of the program that failed.
    Failed(String),
    /// The order is carried out, and the control plane serves again.
    Done,
}

/// A line that the supervisor reads from a piped stdin.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// Keep a copy of etcd's data.
    Snapshot,
    /// Put the copy in place of etcd's data, as an administrator restores a snapshot.
    Restore,
    /// Kill kube-apiserver, and the controllers that need it.
    StopApiServer,
    /// Start again what was killed.
    StartApiServer,
    /// Stop etcd where it is (SIGSTOP), as on a node that hangs.
    PauseEtcd,
    /// Let etcd go on.
    ResumeEtcd,
}

/// How to reach a control plane that serves.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// The directory of the control plane, with its logs; it is removed with the control plane.
    pub dir: PathBuf,
    /// The kubeconfig of a user in `system:masters`. It is written as JSON, which YAML contains.
    pub kubeconfig: PathBuf,
    /// The audit log: one JSON event a line, at level `Metadata`.
    pub audit_log: PathBuf,
}

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    access: Access,
    api: Api,
    /// The supervisor, whose stdin is the pipe that keeps the control plane alive.
    supervisor: Child,
    answers: Mutex<BufReader<ChildStdout>>,
}

impl ControlPlane {
    /// The control plane of this process, started on first use (5 to 10 s).
    ///
    /// The CRDs in `crds/*.yaml` are installed before the garbage collector starts: it looks for new kinds only
    /// every 30 seconds, and until then it wouldn't notice that an owner of such a kind was deleted.
    ///
    /// # Panics
    /// When it can't be started. After one failure every later test fails at once.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
        match SHARED.get_or_init(|| Self::start(&definitions())) {
            Ok(control_plane) => control_plane,
            Err(why) => panic!("the test control plane didn't start: {why}"),
        }
    }

    /// A control plane of the caller's own, for tests that break it. It ends when the value is dropped. The CRDs
    /// in the files are installed before its controllers start.
    ///
    /// # Errors
    /// When it can't be started, with the end of the log of the program that failed.
    pub fn start(crds: &[PathBuf]) -> Result<Self, String> {
        Self::supervised(Command::new(toolchain::own("control-plane")).args(crds))
    }

    fn supervised(command: &mut Command) -> Result<Self, String> {
        let mut supervisor = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
        let stdout = supervisor.stdout.take().expect("stdout was piped three lines above");
        let mut answers = BufReader::new(stdout);
        let why = match answer(&mut answers)? {
            Some(Announcement::Ready(access)) => {
                let api = Api::new(&access.kubeconfig);
                return Ok(Self { access, api, supervisor, answers: Mutex::new(answers) });
            }
            Some(Announcement::Failed(why)) => why,
            Some(Announcement::Done) | None => "the supervisor ended without a word".to_owned(),
        };
        let _ = supervisor.wait();
        Err(why)
    }

    /// Keeps a copy of etcd's data, for [`Self::restore`]. All three programs are started again meanwhile.
    ///
    /// # Panics
    /// When the control plane doesn't serve again.
    #[track_caller]
    pub fn snapshot(&self) {
        self.order(&Order::Snapshot);
    }

    /// Puts the last copy of etcd's data in place of the data, as an administrator restores a snapshot: everything,
    /// resourceVersions included, is as it was then.
    ///
    /// # Panics
    /// When there is no copy, or the control plane doesn't serve again.
    #[track_caller]
    pub fn restore(&self) {
        self.order(&Order::Restore);
    }

    /// Kills the API server, as on a node that goes away. etcd and its data stay.
    ///
    /// # Panics
    /// When the supervisor has ended.
    #[track_caller]
    pub fn stop_api_server(&self) {
        self.order(&Order::StopApiServer);
    }

    /// Starts the API server again, on its port, and returns when it serves.
    ///
    /// # Panics
    /// When it doesn't serve again.
    #[track_caller]
    pub fn start_api_server(&self) {
        self.order(&Order::StartApiServer);
    }

    /// Stops etcd where it is: the API server answers, and stores nothing.
    ///
    /// # Panics
    /// When the supervisor has ended.
    #[track_caller]
    pub fn pause_etcd(&self) {
        self.order(&Order::PauseEtcd);
    }

    /// Lets etcd go on after [`Self::pause_etcd`].
    ///
    /// # Panics
    /// When the supervisor has ended.
    #[track_caller]
    pub fn resume_etcd(&self) {
        self.order(&Order::ResumeEtcd);
    }

    /// Kills the supervisor (SIGKILL), so that nobody cleans up.
    ///
    /// # Panics
    /// When it has ended already.
    #[track_caller]
    pub fn kill(mut self) {
        self.supervisor.kill().expect("it was started by this process, and nobody waited for it");
    }

    #[track_caller]
    fn order(&self, order: &Order) {
        let mut stdin = self.supervisor.stdin.as_ref().expect("it is taken only in drop");
        let line = serde_json::to_string(order).expect("plain data always serializes");
        writeln!(stdin, "{line}").expect("the supervisor reads its stdin");
        let answered = answer(&mut self.answers.lock().expect("nobody panics while holding it"));
        match answered {
            Ok(Some(Announcement::Done)) => {}
            other => panic!("the control plane didn't serve again: {other:?}"),
        }
    }

    /// The kubeconfig of a user in `system:masters`, who may do everything.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.access.kubeconfig
    }

    /// The directory with the logs (`kube-apiserver.log` and so on). Files that a test puts there are removed
    /// with the control plane.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.access.dir
    }

    /// The audit log: one JSON event a line. Most tests want [`ControlPlane::audit_events`].
    #[must_use]
    pub fn audit_log(&self) -> &Path {
        &self.access.audit_log
    }

    /// The processor time that kube-apiserver, etcd and kube-controller-manager have used so far.
    ///
    /// # Panics
    /// When one of them has ended.
    #[must_use]
    #[track_caller]
    pub fn cpu(&self) -> Duration {
        cpu::children(self.supervisor.id()).into_iter().map(cpu::of).sum()
    }

    /// A client of the API as the administrator.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// `kubectl` as the administrator.
    pub fn kubectl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.kubectl_as(self.kubeconfig(), args)
    }

    /// `kubectl` as the user that the kubeconfig names. It reads nothing of the home directory, where it caches
    /// discovery by port: ports are used again.
    pub fn kubectl_as<S: AsRef<OsStr>>(
        &self,
        kubeconfig: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut kubectl = Command::new(toolchain::bin("kubectl"));
        kubectl
            .env("KUBECONFIG", kubeconfig)
            .env("KUBECACHEDIR", self.dir().join("kubectl-cache"))
            .env("KUBERC", "off")
            .args(args);
        kubectl
    }

    /// Applies manifests (YAML or JSON, any number of documents), server-side.
    ///
    /// # Panics
    /// When the API server refuses one.
    #[track_caller]
    pub fn apply(&self, manifests: &str) {
        let mut kubectl = self.kubectl(["apply", "--server-side", "-f", "-"]);
        succeed_with(&mut kubectl, manifests);
    }

    /// Applies `controller/deploy` as it ships: first the parts that an uninstall keeps, then the controller.
    ///
    /// # Panics
    /// When the API server refuses one of its objects.
    #[track_caller]
    pub fn deploy(&self) {
        for part in ["crds", "namespace", ""] {
            let folder = toolchain::repository().join("controller/deploy").join(part);
            succeed(self.kubectl(["apply", "--server-side", "--force-conflicts", "-k"]).arg(folder));
        }
    }

    /// One object, or the list that the arguments of `kubectl get` select.
    ///
    /// # Panics
    /// When it doesn't exist. To ask whether it exists, use [`ControlPlane::kubectl`].
    #[track_caller]
    #[must_use]
    pub fn object<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        let output = succeed(self.kubectl(["get", "--output=json"]).args(args));
        serde_json::from_slice(&output.stdout).expect("kubectl get --output=json prints JSON")
    }

    /// Makes a new namespace, `<prefix>-<number>`, for one test alone.
    ///
    /// # Panics
    /// When the prefix doesn't make a valid name.
    #[track_caller]
    #[must_use]
    pub fn namespace(&self, prefix: &str) -> String {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}-{}", LAST.fetch_add(1, Ordering::Relaxed) + 1);
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.api.create("/api/v1/namespaces", &namespace).expect("the name is valid and new");
        name
    }

    /// A kubeconfig for a service account, which is created if it is missing. The account may do only what RBAC
    /// grants it, so a program can run under the Role that it ships with. Its token is good for an hour, and its
    /// context's namespace is the account's own.
    ///
    /// # Panics
    /// When the namespace is missing.
    #[track_caller]
    #[must_use]
    pub fn service_account(&self, namespace: &str, name: &str) -> PathBuf {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"namespace": namespace, "name": name},
        });
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}");
        self.api.apply(&path, "test", true, &account).expect("the namespace exists");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        });
        let token = self.api.create(&format!("{path}/token"), &request).expect("the account exists");
        let token = &token["status"]["token"];

        let admin = std::fs::read(self.kubeconfig()).expect("the kubeconfig lives as long as self");
        let mut kubeconfig: Value = serde_json::from_slice(&admin).expect("the supervisor writes JSON");
        kubeconfig["users"][0]["user"] = json!({"token": token});
        kubeconfig["contexts"][0]["context"]["namespace"] = json!(namespace);
        let path = self.dir().join(format!("{namespace}.{name}.kubeconfig"));
        std::fs::write(&path, kubeconfig.to_string()).expect("the control plane's directory is writable");
        path
    }

    /// The events in the API server's audit log that `select` chooses, in order. Every request that was answered
    /// before this call is in the log.
    ///
    /// An event carries `user.username`, `userAgent`, `verb`, `objectRef`, `responseStatus.code` and so on, never
    /// bodies. Each request shows once, with stage `ResponseComplete`. A watch shows with `ResponseStarted` first
    /// and completes when it ends. Other tests share the log, so select by a user, user agent or namespace of
    /// your own. The API server's own requests aren't logged.
    ///
    /// # Panics
    /// When the log can't be read.
    #[track_caller]
    pub fn audit_events(&self, mut select: impl FnMut(&Value) -> bool) -> Vec<Value> {
        // An answer may overtake its own line in the log. So ask for something unique, and wait until the log has
        // that line.
        static LAST: AtomicU32 = AtomicU32::new(0);
        let marker = format!("/version?marker={}", LAST.fetch_add(1, Ordering::Relaxed));
        succeed(&mut self.kubectl(["get", "--raw", &marker]));
        let uri = json!(marker);

        let deadline = Instant::now() + AUDIT_PATIENCE;
        loop {
            let log = std::fs::read_to_string(&self.access.audit_log).expect("the audit log is readable");
            // The last line may be half written; the marker's line then isn't there yet.
            let events: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            if let Some(end) = events.iter().rposition(|event| event["requestURI"] == uri) {
                return events.into_iter().take(end).filter(|event| select(event)).collect();
            }
            assert!(Instant::now() < deadline, "the audit log doesn't show {marker}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for ControlPlane {
    /// Only a value of [`ControlPlane::start`] is dropped; the shared one ends with the process. Waiting for the
    /// supervisor makes sure that it has ended when this returns.
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// The supervisor's next line; `None` if it ended without a word.
fn answer(answers: &mut BufReader<ChildStdout>) -> Result<Option<Announcement>, String> {
    let mut line = String::new();
    let read = answers.read_line(&mut line);
    read.map_err(|error| format!("cannot read what the supervisor says: {error}"))?;
    Ok(serde_json::from_str(&line).ok())
}

/// Runs a command.
///
/// # Panics
/// When it fails, with everything it wrote.
#[track_caller]
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("the program exists, see toolchain::bin");
    checked(command, output)
}

/// As [`succeed`], with a text on stdin.
///
/// # Panics
/// When it fails, with everything it wrote.
#[track_caller]
pub fn succeed_with(command: &mut Command, stdin: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program exists, see toolchain::bin");
    let mut pipe = child.stdin.take().expect("stdin was piped above");
    // A program that refuses early closes its stdin. Its message then counts, not the broken pipe.
    let _ = pipe.write_all(stdin.as_bytes());
    drop(pipe);
    let output = child.wait_with_output().expect("the child was started above and waited for once");
    checked(command, output)
}

#[track_caller]
fn checked(command: &Command, output: Output) -> Output {
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// The files of the CRDs that we ship.
///
/// # Panics
/// When the repository has no folder `crds`.
#[must_use]
pub fn definitions() -> Vec<PathBuf> {
    let dir = toolchain::repository().join("crds");
    let mut crds: Vec<PathBuf> = std::fs::read_dir(&dir)
        .expect("the repository has a folder crds")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("yaml")))
        .collect();
    crds.sort();
    crds
}

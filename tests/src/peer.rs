//! The real sealed-secrets, and our controller in its place: in the network of a control plane that is apart,
//! reached through kube-apiserver as a Service.
//!
//! Not our controller for its own tests: that is `controller.rs`. Invariant: a controller ends with the test that
//! started it, even when the test dies, and serves under the name and port of the real one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::control_plane::{ControlPlane, POD_ADDRESS, bound_to_us};
use crate::process::Process;
use crate::toolchain;

/// The name of the peer's Service, which its command line looks for.
pub const NAME: &str = "sealed-secrets-controller";
/// The port of the peer's controller.
pub const PORT: u16 = 8080;

/// A running controller, the peer's or ours, that serves the peer's clients.
pub struct Serving(Process);

impl Serving {
    /// Starts the real controller, with its keys in `namespace`. It may do everything, since these tests aren't
    /// about its roles, and no client-side limit slows it down.
    ///
    /// # Panics
    /// When it doesn't serve its certificate.
    #[track_caller]
    #[must_use]
    pub fn theirs(plane: &ControlPlane, namespace: &str, flags: &[&str]) -> Self {
        let (account, server) = service_account(plane, namespace);
        let (host, port) = server.rsplit_once(':').expect("the supervisor names a port");
        let mut command = plane.inside_pod(&account, toolchain::bin(NAME));
        command
            .args(["--kubeclient-qps=-1", "--rate-limit=1000"])
            .arg(format!("--listen-addr={POD_ADDRESS}:{PORT}"))
            .arg(format!("--listen-metrics-addr={POD_ADDRESS}:{}", PORT + 1))
            .args(flags)
            .env("KUBERNETES_SERVICE_HOST", host)
            .env("KUBERNETES_SERVICE_PORT", port);
        Self::start(plane, namespace, &mut command)
    }

    /// Starts our controller in a Pod, like the real one, with a service account that may do everything.
    ///
    /// # Panics
    /// When it doesn't serve its certificate.
    #[track_caller]
    #[must_use]
    pub fn ours_in_a_pod(plane: &ControlPlane, namespace: &str, flags: &[&str]) -> Self {
        let (account, server) = service_account(plane, namespace);
        let (host, port) = server.rsplit_once(':').expect("the supervisor names a port");
        let mut command = plane.inside_pod(&account, toolchain::own("test-seal-controller"));
        command
            .args(["--log=debug", "run"])
            .arg(format!("--listen={POD_ADDRESS}:{}", PORT + 1))
            .arg(format!("--compat-http={POD_ADDRESS}:{PORT}"))
            .args(flags)
            .env_remove("KUBECONFIG")
            .env("HOME", "/nonexistent")
            .env("KUBERNETES_SERVICE_HOST", host)
            .env("KUBERNETES_SERVICE_PORT", port);
        Self::start(plane, namespace, &mut command)
    }

    /// Starts our controller in the same place, as the user that the kubeconfig names; the flags say where its
    /// keys are.
    ///
    /// # Panics
    /// When it doesn't serve its certificate.
    #[track_caller]
    #[must_use]
    pub fn ours(plane: &ControlPlane, kubeconfig: &Path, namespace: &str, flags: &[&str]) -> Self {
        let mut command = plane.inside(toolchain::own("test-seal-controller"));
        command
            .args(["--log=debug", "run"])
            .arg(format!("--listen={POD_ADDRESS}:{}", PORT + 1))
            .arg(format!("--compat-http={POD_ADDRESS}:{PORT}"))
            .args(["--compat-verify", "--compat-rotate", "--compat-rate-limit=1000"])
            .args(flags)
            .env_clear()
            .env("KUBECONFIG", kubeconfig);
        Self::start(plane, namespace, &mut command)
    }

    #[track_caller]
    fn start(plane: &ControlPlane, namespace: &str, command: &mut Command) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        plane.expose(namespace, NAME, PORT);
        let log = plane.dir().join(format!("serving-{}.log", LAST.fetch_add(1, Ordering::Relaxed)));
        let mut process = Process::start(command, log);
        process.until("the controller serves its certificate", |_| certificate(plane, namespace));
        Self(process)
    }

    /// Everything the controller wrote to stdout and stderr so far.
    ///
    /// # Panics
    /// When the log isn't UTF-8.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.log()
    }

    /// Sends SIGTERM, as a kubelet does, and waits until the controller has ended.
    ///
    /// # Panics
    /// When it doesn't end.
    #[track_caller]
    pub fn terminate(mut self) {
        self.0.terminate();
    }
}

/// The real controller on a control plane that isn't apart, with its keys in `namespace`, as a command that dies with
/// the thread that starts it. It may do everything, and has no limits but those of the flags that the caller adds.
///
/// # Panics
/// When the control plane's directory isn't writable.
#[must_use]
pub fn beside(plane: &ControlPlane, namespace: &str) -> Command {
    let (account, server) = service_account(plane, namespace);
    let (host, port) = server.rsplit_once(':').expect("the supervisor names a port");
    // It looks for a service account where a Pod has it, so it gets a mount namespace of its own.
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(bound_to_us()).arg(toolchain::own("in-cluster")).arg(account).arg(toolchain::bin(NAME));
    command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
    command
}

/// The certificate that a controller serves for sealing, read through kube-apiserver.
#[must_use]
pub fn certificate(plane: &ControlPlane, namespace: &str) -> Option<String> {
    let path = format!("/api/v1/namespaces/{namespace}/services/{NAME}:{PORT}/proxy/v1/cert.pem");
    let output = plane.kubectl(["get", "--raw", &path]).output().expect("kubectl exists");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("PEM is text"))
}

/// The definition that comes with the peer.
#[must_use]
pub fn definition() -> PathBuf {
    toolchain::repository().join("target/toolchain/sealed-secrets.crd.yaml")
}

/// The files of a service account with the administrator's rights, and the address of the API.
fn service_account(plane: &ControlPlane, namespace: &str) -> (PathBuf, String) {
    let kubeconfig = fs::read(plane.kubeconfig()).expect("the kubeconfig lives as long as the control plane");
    let kubeconfig: Value = serde_json::from_slice(&kubeconfig).expect("the supervisor writes JSON");
    let cluster = &kubeconfig["clusters"][0]["cluster"];
    let text = |value: &Value| value.as_str().expect("the supervisor writes it").to_owned();
    let certificate = STANDARD.decode(text(&cluster["certificate-authority-data"])).expect("base64");

    let dir = plane.dir().join(format!("{namespace}.account"));
    fs::create_dir_all(&dir).expect("the control plane's directory is writable");
    // People and tools write a newline at the end; a kubelet doesn't.
    let token = format!("{}\n", text(&kubeconfig["users"][0]["user"]["token"])).into_bytes();
    for (file, content) in
        [("token", token), ("ca.crt", certificate), ("namespace", namespace.as_bytes().to_vec())]
    {
        fs::write(dir.join(file), content).expect("the control plane's directory is writable");
    }
    (dir, text(&cluster["server"]).trim_start_matches("https://").to_owned())
}

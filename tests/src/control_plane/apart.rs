//! A control plane in a network of its own, in which programs can serve as a Pod does.
//!
//! kube-apiserver forwards clients to a Service only at the address of a Pod, and refuses loopback addresses. On
//! the machine's own network such an address would belong to the machine, and its ports to others. Here the
//! address is [`POD_ADDRESS`], and the programs inside have all its ports. The API itself is served on the same
//! address and port inside and outside, so one kubeconfig is good for both.
//!
//! It needs root, or a kernel that gives users namespaces, and the programs unshare and nsenter of util-linux.
//!
//! Invariant: a network goes with the last process in it, and each of those processes dies with this process.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::ControlPlane;
use crate::wait::eventually;
use crate::{proxy, toolchain};

/// The address of every Pod, in a network that nothing else shares.
pub const POD_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
/// The socket in the control plane's directory that leads to kube-apiserver from outside.
pub const GATE: &str = "api.sock";

impl ControlPlane {
    /// As [`ControlPlane::start`], in a network of its own.
    ///
    /// # Errors
    /// When it can't be started, with the end of the log of the program that failed.
    pub fn start_apart(crds: &[PathBuf]) -> Result<Self, String> {
        let said = |error| format!("there is no free port: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(said)?;
        let port = listener.local_addr().map_err(said)?.port();
        let mut command = Command::new("unshare");
        command.arg("--net");
        if !is_root() {
            command.arg("--map-root-user");
        }
        command.arg(toolchain::own("control-plane")).arg("--apart").arg(port.to_string()).args(crds);
        let plane = Self::supervised(&mut command)?;
        proxy::lead(listener, plane.dir().join(GATE));
        Ok(plane)
    }

    /// A program in the network of a control plane that is apart. It dies with the thread that starts it.
    #[must_use]
    pub fn inside(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.enter();
        command.args(bound_to_us()).arg(program);
        command
    }

    /// As [`ControlPlane::inside`], but the program finds `account` where a Pod finds its service account: a
    /// directory with the files `token`, `ca.crt` and `namespace`.
    #[must_use]
    pub fn inside_pod(&self, account: &Path, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.enter();
        command.args(["unshare", "--mount"]).args(bound_to_us());
        command.arg(toolchain::own("in-cluster")).arg(account).arg(program);
        command
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--net").arg(format!("--target={}", self.supervisor.id()));
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command
    }

    /// Declares a port of [`POD_ADDRESS`] as a Service: no kubelet is there to report the Pod, and no controller
    /// to connect the Service to it.
    ///
    /// # Panics
    /// When the namespace is missing.
    #[track_caller]
    pub fn expose(&self, namespace: &str, name: &str, port: u16) {
        let object = |kind: &str, rest: Value| {
            let mut object =
                json!({"apiVersion": "v1", "kind": kind, "metadata": {"namespace": namespace, "name": name}});
            object.as_object_mut().expect("made above").extend(rest.as_object().cloned().unwrap_or_default());
            object
        };
        let path = |plural: &str| format!("/api/v1/namespaces/{namespace}/{plural}/{name}");
        let pod = object(
            "Pod",
            json!({"spec": {"automountServiceAccountToken": false,
                "containers": [{"name": name, "image": "none", "ports": [{"containerPort": port}]}]}}),
        );
        // The API server refuses the Pod until a controller has made the namespace's service account.
        eventually("the Pod is declared", || self.api.apply(&path("pods"), "test", true, &pod));
        let address = POD_ADDRESS.to_string();
        let status = json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}});
        self.api.merge(&format!("{}/status", path("pods")), &status).expect("the Pod is there");
        let ports = json!([{"port": port}]);
        let service = object("Service", json!({"spec": {"ports": ports}}));
        self.api.apply(&path("services"), "test", true, &service).expect("a Service without a selector");
        let target = json!({"kind": "Pod", "namespace": namespace, "name": name});
        let endpoints = object(
            "Endpoints",
            json!({"subsets": [{"addresses": [{"ip": address, "targetRef": target}], "ports": ports}]}),
        );
        self.api.apply(&path("endpoints"), "test", true, &endpoints).expect("the address is a Pod's");
    }
}

/// A program that dies with the thread that starts it, even when this process is killed.
#[must_use]
pub fn dying_with_us(program: impl AsRef<OsStr>) -> Command {
    let [supervisor, flag, pid] = bound_to_us();
    let mut command = Command::new(supervisor);
    command.args([flag, pid]).arg(program);
    command
}

/// The beginning of a command line that binds the rest of it to this process: see `bin/control-plane`.
pub(crate) fn bound_to_us() -> [OsString; 3] {
    let pid = std::process::id().to_string();
    [toolchain::own("control-plane").into(), "--die-with-parent".into(), pid.into()]
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

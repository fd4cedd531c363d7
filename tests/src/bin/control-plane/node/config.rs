//! The settings of a node's programs, and the users that they are to kube-apiserver.
//!
//! Invariant: keys and tokens are new each time; everything that they listen on is in the node's own network.

use std::fs;
use std::io;
use std::path::Path;

use seal_tests::control_plane::{NODE, POD_ADDRESS, SANDBOX_IMAGE};
use seal_tests::tls;
use seal_tests::toolchain;
use serde_json::json;

use crate::inputs::{new_token, write_kubeconfig};

pub(crate) const CONTAINERD_SOCKET: &str = "containerd.sock";
/// The Pods' own addresses, and the bridge that carries them.
const POD_NETWORK: &str = "10.88.0.0/24";
const BRIDGE: &str = "seal0";

/// Beside [`crate::inputs::API_SERVER_ARGS`]: the node and its Pods reach it at [`POD_ADDRESS`].
pub(crate) const API_SERVER_ARGS: &[&str] = &[
    "--bind-address=0.0.0.0",
    "--advertise-address=10.1.0.1",
    "--endpoint-reconciler-type=lease",
    // In addition: lists grow.
    "--authorization-mode=Node",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    "--kubelet-client-certificate=kubelet-client.crt",
    "--kubelet-client-key=kubelet-client.key",
    "--kubelet-preferred-address-types=InternalIP",
];

/// In place of the controllers in [`crate::inputs::CONTROLLER_MANAGER_ARGS`]. Addresses come from the bridge.
pub(crate) const CONTROLLER_MANAGER_ARGS: &[&str] = &["--controllers=*,-node-ipam-controller"];

pub(crate) const SCHEDULER_ARGS: &[&str] = &[
    "--kubeconfig=kubeconfig",
    "--authentication-kubeconfig=kubeconfig",
    "--authorization-kubeconfig=kubeconfig",
    "--leader-elect=false",
    "--secure-port=0",
];

/// Paths are absolute, because a kubelet makes sockets and mounts of them, from the root.
pub(crate) fn kubelet_args(dir: &Path) -> Vec<String> {
    let dir = dir.display();
    vec![
        "--config=kubelet.json".to_owned(),
        "--kubeconfig=kubelet.kubeconfig".to_owned(),
        format!("--root-dir={dir}/kubelet"),
        format!("--cert-dir={dir}/kubelet-pki"),
        format!("--hostname-override={NODE}"),
        format!("--node-ip={POD_ADDRESS}"),
    ]
}

/// The tokens of the node's programs.
pub(crate) struct Users {
    kubelet: String,
    proxy: String,
}

impl Users {
    /// Makes tokens and adds them to those that kube-apiserver knows; makes the certificate by which a kubelet knows
    /// kube-apiserver.
    pub(crate) fn write(dir: &Path) -> io::Result<Self> {
        let users = Self { kubelet: new_token()?, proxy: new_token()? };
        let (certificate, key) = tls::client("O=system:masters,CN=kube-apiserver");
        fs::write(dir.join("kubelet-client.crt"), certificate)?;
        fs::write(dir.join("kubelet-client.key"), key)?;
        Ok(users)
    }

    /// The lines of kube-apiserver's file of tokens.
    pub(crate) fn tokens(&self) -> String {
        let Self { kubelet, proxy } = self;
        format!(
            "{kubelet},system:node:{NODE},kubelet,\"system:nodes\"\n{proxy},system:kube-proxy,proxy,\"system:node-proxier\"\n"
        )
    }
}

pub(crate) fn write(dir: &Path, port: u16, users: &Users, cgroup: &str) -> io::Result<()> {
    let certificate = fs::read(dir.join("certs/apiserver.crt"))?;
    let server = format!("https://{POD_ADDRESS}:{port}");
    write_kubeconfig(&dir.join("kubelet.kubeconfig"), &server, &certificate, &users.kubelet)?;
    write_kubeconfig(&dir.join("kube-proxy.kubeconfig"), &server, &certificate, &users.proxy)?;
    fs::write(dir.join("kubelet.json"), kubelet(dir, cgroup))?;
    fs::write(dir.join("kube-proxy.json"), proxy())?;
    fs::write(dir.join("containerd.toml"), containerd(dir))?;
    fs::create_dir_all(dir.join("cni"))?;
    fs::write(dir.join("cni/10-seal.conflist"), network(dir))
}

fn kubelet(dir: &Path, cgroup: &str) -> String {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "failCgroupV1": false, "cgroupDriver": "cgroupfs", "cgroupRoot": format!("/{cgroup}"),
        "containerRuntimeEndpoint": format!("unix://{}", dir.join(CONTAINERD_SOCKET).display()),
        "address": POD_ADDRESS, "readOnlyPort": 0, "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": false}, "webhook": {"enabled": true},
            "x509": {"clientCAFile": dir.join("kubelet-client.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "resolvConf": "",
        // Machines without the capability to lower it would start no Pod.
        "oomScoreAdj": 0,
        "failSwapOn": false,
        "enforceNodeAllocatable": ["pods"],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "syncFrequency": "10s",
        "makeIPTablesUtilChains": false,
        "podLogsDir": dir.join("pod-logs"),
        "volumePluginDir": dir.join("volume-plugins"),
    })
    .to_string()
}

fn proxy() -> String {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": "kube-proxy.kubeconfig"},
        "mode": "nftables",
        "hostnameOverride": NODE,
        "bindAddress": POD_ADDRESS,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "detectLocalMode": "BridgeInterface",
        "detectLocal": {"bridgeInterface": BRIDGE},
        // The machine's own, not the network's.
        "conntrack": {"maxPerCore": 0, "min": 0},
    })
    .to_string()
}

fn network(dir: &Path) -> String {
    json!({
        "cniVersion": "1.0.0", "name": "seal",
        "plugins": [{
            "type": "bridge", "bridge": BRIDGE, "isDefaultGateway": true, "hairpinMode": true,
            "ipam": {
                "type": "host-local", "dataDir": dir.join("addresses"),
                "ranges": [[{"subnet": POD_NETWORK}]],
            },
        }],
    })
    .to_string()
}

fn containerd(dir: &Path) -> String {
    let runc = toolchain::bin("runc");
    let programs = runc.parent().unwrap_or(dir).display();
    let (dir, runc) = (dir.display(), runc.display());
    format!(
        r#"version = 3
root = "{dir}/containerd"
state = "{dir}/containerd-state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.blockfile", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing", "io.containerd.nri.v1.nri"]

[grpc]
address = "{dir}/{CONTAINERD_SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
path = "{dir}/opt"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{SANDBOX_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
# Many virtual machines don't have the capability to lower it.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{programs}"]
conf_dir = "{dir}/cni"
"#
    )
}

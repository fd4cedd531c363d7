//! The inputs of the three programs: flags, keys, tokens and policies.
//!
//! Invariant: keys and tokens are new each time; nothing of the machine's own configuration is read.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

/// The flags of etcd. File names are relative, because programs run in the control plane's directory: the path of
/// a Unix socket may have no more than 107 bytes.
pub(crate) const ETCD_ARGS: &[&str] = &[
    "--name=seal",
    "--data-dir=etcd",
    "--listen-client-urls=unix://etcd.sock",
    "--advertise-client-urls=unix://etcd.sock",
    "--listen-peer-urls=unix://etcd-peer.sock",
    "--initial-advertise-peer-urls=unix://etcd-peer.sock",
    "--initial-cluster=seal=unix://etcd-peer.sock",
    // Its data needn't survive a crash.
    "--unsafe-no-fsync",
    // etcd elects itself; with the default every start waits for a second.
    "--heartbeat-interval=20",
    "--election-timeout=200",
    "--log-level=warn",
];

pub(crate) const API_SERVER_ARGS: &[&str] = &[
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
    // The log is written before the next request of that connection is served, and is never rotated away.
    "--audit-log-mode=blocking",
    "--audit-log-maxsize=100000",
];

pub(crate) const CONTROLLER_MANAGER_ARGS: &[&str] = &[
    "--kubeconfig=kubeconfig",
    "--leader-elect=false",
    "--secure-port=0",
    "--service-account-private-key-file=service-account.key",
    "--root-ca-file=certs/apiserver.crt",
    // Tests wait for the garbage collector, so its own limits shouldn't slow it down.
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
];

/// Those that matter without nodes.
pub(crate) const FEW_CONTROLLERS: &[&str] =
    &["--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller,\
     serviceaccount-token-controller,root-ca-certificate-publisher-controller,\
     clusterrole-aggregation-controller"];

/// Writes keys, policies and tokens; `others` are the lines of users beside the administrator.
pub(crate) fn write_inputs(dir: &Path, token: &str, others: &str) -> io::Result<()> {
    // Kubernetes reads both halves of the key only from this form; from PKCS #8 it reads only the private one.
    let key: EcPrivateKeyRfc5915Der<'_> = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
        .and_then(|pair| pair.private_key().as_der())
        .map_err(io::Error::other)?;
    let key = STANDARD.encode(key.as_ref());
    fs::write(
        dir.join("service-account.key"),
        format!("-----BEGIN EC PRIVATE KEY-----\n{key}\n-----END EC PRIVATE KEY-----\n"),
    )?;
    fs::write(dir.join("tokens.csv"), format!("{token},admin,admin,\"system:masters\"\n{others}"))?;
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "None", "users": ["system:apiserver"]}, {"level": "Metadata"}],
    });
    fs::write(dir.join("audit-policy.json"), policy.to_string())
}

pub(crate) fn write_kubeconfig(path: &Path, server: &str, certificate: &[u8], token: &str) -> io::Result<()> {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {
            "server": server,
            "certificate-authority-data": STANDARD.encode(certificate),
        }}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    });
    fs::write(path, kubeconfig.to_string())
}

pub(crate) fn new_token() -> io::Result<String> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

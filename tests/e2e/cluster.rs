//! A cluster with the controller deployed in it: the one that `SEAL_E2E_CONTEXT` names, or one of our own.
//!
//! In a cluster of somebody's own, `SEAL_E2E_LOAD` is the command that brings an image there; the path of the archive
//! is added to it (`kind load image-archive`). The cluster is to be thrown away afterwards.
//!
//! Invariant: a cluster that has the namespace `seal-system` already isn't touched.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seal_image::Image;
use seal_tests::control_plane::{ControlPlane, PAUSE, SANDBOX_IMAGE, succeed, succeed_with};
use seal_tests::toolchain;
use seal_tests::wait::eventually;
use serde_json::{Value, json};

use crate::cluster::deploy::can_i;
use crate::sandbox::{CANARY, Sandbox, run};

/// The namespace and the Deployment of `controller/deploy`.
pub(crate) const SYSTEM: &str = "seal-system";
pub(crate) const DEPLOYMENT: &str = "deployment/seal-controller";
/// The variable that names a cluster of somebody else's.
const CONTEXT: &str = "SEAL_E2E_CONTEXT";
/// What images are for, in OCI's words.
const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
/// How long a Deployment may take to roll: a lost leader is waited for in the middle of it.
const ROLLOUT: &str = "--timeout=300s";

pub(crate) struct Cluster {
    kubeconfig: PathBuf,
    context: String,
    dir: PathBuf,
    /// A cluster of our own ends with it.
    _own: Option<ControlPlane>,
}

impl Cluster {
    /// The cluster of this process, made on first use.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let dir = room();
        let images = [built("tar"), pause(&dir)];
        let (kubeconfig, context, own) = match env::var(CONTEXT) {
            Ok(context) => (theirs(&dir, &context, &images), context, None),
            Err(_) => {
                let own = ControlPlane::start_with_node(&images).unwrap_or_else(|why| panic!("{why}"));
                (own.kubeconfig().to_owned(), "test".to_owned(), Some(own))
            }
        };
        let cluster = Self { kubeconfig, context, dir, _own: own };
        cluster.deploy(env!("CARGO_PKG_VERSION"));
        cluster
    }

    /// Applies what is shipped, as README says, with an overlay that names the image and adds the Service of kubeseal.
    fn deploy(&self, version: &str) {
        let there = self.output(["get", "namespace", SYSTEM, "--ignore-not-found", "-o", "name"]);
        assert_eq!(
            there, "",
            "the cluster has the namespace {SYSTEM}: these tests are for one that can be thrown away"
        );
        let overlay = self.dir.join("overlay");
        fs::create_dir(&overlay).unwrap();
        let deploy = format!("{}/controller/deploy", toolchain::repository_from(&overlay));
        let kustomization = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "resources": [deploy], "components": [format!("{deploy}/compat")],
            "images": [{"name": "seal-controller", "newName": "localhost/seal-controller", "newTag": version}],
        });
        fs::write(overlay.join("kustomization.yaml"), kustomization.to_string()).unwrap();
        let shipped = toolchain::repository().join("controller/deploy");
        for folder in [shipped.join("crds"), shipped.join("namespace"), overlay] {
            succeed(self.kubectl(["apply", "--server-side", "--force-conflicts", "-k"]).arg(folder));
        }
        self.rolled_out();
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub(crate) fn kubectl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut kubectl = Command::new(toolchain::bin("kubectl"));
        kubectl
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", self.dir.join("kubectl-cache"))
            .env("KUBERC", "off")
            .args(args);
        kubectl
    }

    /// What kubectl writes, whether it succeeds or not.
    pub(crate) fn output<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let output = self.kubectl(args).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    #[track_caller]
    pub(crate) fn object<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        let output = succeed(self.kubectl(["get", "--output=json"]).args(args));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn apply(&self, object: &Value) {
        succeed_with(&mut self.kubectl(["apply", "--server-side", "-f", "-"]), &object.to_string());
    }

    /// A new namespace whose Pods may have no rights either.
    pub(crate) fn namespace(&self, prefix: &str) -> String {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("e2e-{prefix}-{}", LAST.fetch_add(1, Ordering::Relaxed) + 1);
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }));
        name
    }

    /// Seals a Secret with the program `seal` to the keys that it fetches, applies the result, and waits until the
    /// Secret is there.
    #[track_caller]
    pub(crate) fn seal(&self, namespace: &str, name: &str, value: &str) {
        let sandbox = Sandbox::new();
        let mut fetch = sandbox.seal(["keys", "fetch", "--controller-namespace", SYSTEM]);
        fetch.args(["--context", &self.context]).arg("--kubeconfig").arg(&self.kubeconfig);
        let fetched = run(&mut fetch, b"");
        assert_eq!(fetched.code, 0, "{}", fetched.stderr);
        sandbox.write("cluster.pub", &fetched.stdout);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
            "stringData": {"password": value},
        });
        let sealed = sandbox.succeed(["-r", "cluster.pub"], secret.to_string());
        assert!(!String::from_utf8_lossy(&sealed).contains(CANARY));
        succeed_with(
            &mut self.kubectl(["apply", "--server-side", "-f", "-"]),
            std::str::from_utf8(&sealed).unwrap(),
        );
        self.until_visible(namespace, name, value);
    }

    #[track_caller]
    pub(crate) fn until_visible(&self, namespace: &str, name: &str, value: &str) {
        let wanted = STANDARD.encode(value);
        eventually("the Secret is there", || {
            let found =
                self.output(["get", "secret", "-n", namespace, name, "-o", "jsonpath={.data.password}"]);
            if found == wanted { Ok(()) } else { Err(found) }
        });
    }

    /// Whether the roles allow this, by the cluster's own word.
    pub(crate) fn may(&self, who: &str, what: &[&str]) -> bool {
        can_i(self.kubectl(["auth", "can-i"]), who, what)
    }

    pub(crate) fn deployment(&self) -> Value {
        self.object(["-n", SYSTEM, DEPLOYMENT])
    }

    /// Waits until the Deployment is as it should be.
    #[track_caller]
    pub(crate) fn rolled_out(&self) {
        let status = self.kubectl(["rollout", "status", "-n", SYSTEM, DEPLOYMENT, ROLLOUT]).output().unwrap();
        if !status.status.success() {
            let pods = self.output(["describe", "pods", "-n", SYSTEM]);
            let logs = self.output(["logs", "-n", SYSTEM, DEPLOYMENT, "--tail=50", "--all-pods"]);
            panic!("not rolled out: {}\n{pods}\n{logs}", String::from_utf8_lossy(&status.stderr));
        }
    }

    /// The names of the controller's Pods that aren't about to go.
    pub(crate) fn pods(&self) -> Vec<String> {
        let pods = self.object(["pods", "-n", SYSTEM, "-l", "app.kubernetes.io/name=seal-controller"]);
        let pods = pods["items"].as_array().unwrap().iter();
        let stay = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        stay.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn log(&self, pod: &str) -> String {
        String::from_utf8(succeed(&mut self.kubectl(["logs", "-n", SYSTEM, pod])).stdout).unwrap()
    }

    /// The name of the Pod that leads.
    #[track_caller]
    pub(crate) fn leader(&self) -> String {
        eventually("a Pod leads", || {
            let lease = self.object(["lease", "-n", SYSTEM, "seal-controller"]);
            let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
            self.pods().into_iter().find(|pod| holder.starts_with(pod.as_str())).ok_or(holder)
        })
    }
}

/// An empty directory that others can't look into. Cargo's, because nothing is dropped when the tests end.
fn room() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e");
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::DirBuilder::new().mode(0o700).create(&dir).unwrap();
    dir
}

/// Whether the cluster is one of our own.
pub(crate) fn is_ours() -> bool {
    env::var_os(CONTEXT).is_none()
}

/// What `make image` made: the archive (`tar`), or the bill of materials (`cdx.json`).
pub(crate) fn built(extension: &str) -> PathBuf {
    let name = format!("seal-controller-{}-{ARCHITECTURE}.{extension}", env!("CARGO_PKG_VERSION"));
    toolchain::repository().join("target/image").join(name)
}

/// Makes the image that Pods of the tests use, beside the controller's.
pub(crate) fn pause(dir: &Path) -> PathBuf {
    let program = fs::read(toolchain::bin(PAUSE)).unwrap();
    let image = Image {
        name: SANDBOX_IMAGE,
        architecture: ARCHITECTURE,
        labels: Default::default(),
        created: jiff::Timestamp::UNIX_EPOCH,
        program: (PAUSE, &program),
    };
    let path = dir.join("pause.tar");
    fs::write(&path, image.archive().0).unwrap();
    path
}

/// The kubeconfig of a cluster that is somebody else's, with the images brought there.
fn theirs(dir: &Path, context: &str, images: &[PathBuf]) -> PathBuf {
    let load = env::var("SEAL_E2E_LOAD").expect(
        "SEAL_E2E_LOAD is the command that loads an image's archive, such as `kind load image-archive`",
    );
    for image in images {
        succeed(Command::new("sh").args(["-c", &format!("{load} \"$0\"")]).arg(image));
    }
    let mut kubectl = Command::new(toolchain::bin("kubectl"));
    let view = kubectl.args(["config", "view", "--minify", "--flatten", "--context", context, "-o", "json"]);
    let path = dir.join("kubeconfig");
    fs::write(&path, succeed(view).stdout).unwrap();
    path
}

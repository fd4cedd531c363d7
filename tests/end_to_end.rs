//! The main job, with every part real: kubectl makes a Secret, `seal` seals it to the key that it fetched from
//! kube-apiserver as a user without any rights, kubectl applies it, the controller opens it, and the Secret in
//! the cluster equals the first one.
//!
//! Other modules test the details of each part ([`crate::cases`], [`crate::cluster`]). Invariant: only the
//! programs that users run seal, open and read anything here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_tests::control_plane::{ControlPlane, succeed};
use seal_tests::toolchain;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::cluster::scene::Scene;
use crate::sandbox::{CANARY, Run, Sandbox, holds, run};

#[test]
fn what_kubectl_makes_comes_back_through_seal_and_the_controller() {
    let (scene, controller) = Scene::with_controller("whole");
    publish(&scene);
    let sandbox = Sandbox::new();
    let user = somebody(&scene.keys);
    let recipient = scene.recipient();

    let fetched = seal(&sandbox, &scene, &user, &["keys", "fetch"], b"");
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    let short = recipient.recipient.fingerprint().short().to_string();
    assert!(fetched.stderr.contains("sealing-key-first") && fetched.stderr.contains(&short));
    sandbox.write("keys.pub", &fetched.stdout);

    let plane = ControlPlane::shared();
    for (name, args) in kinds(&sandbox) {
        let create = [&["create", "secret"], &*args, &["--dry-run=client", "--namespace", &scene.namespace]];
        let kubectl = |format: &str| {
            let mut kubectl = plane.kubectl_as(&user, create.concat());
            succeed(kubectl.args(["--output", format]).current_dir(sandbox.dir())).stdout
        };
        let meant: Value = serde_json::from_slice(&kubectl("json")).unwrap();

        let sealed = sandbox.run(["-r", "keys.pub"], kubectl("yaml"));
        assert_eq!(sealed.code, 0, "{name}: {}", sealed.stderr);
        assert!(!holds(&sealed.stdout, CANARY), "{name}: a value was printed");
        assert_eq!(sealed.stderr.contains("use kubectl apply --server-side"), name == "large", "{name}");
        plane.apply(std::str::from_utf8(&sealed.stdout).unwrap());

        scene.until_ready(&name);
        let secret = scene.secret(&name).unwrap();
        // kubectl leaves out the default type.
        assert_eq!(secret["type"], *meant["type"].as_str().unwrap_or("Opaque"), "{name}");
        assert!(scene.data(&name) == values(&meant), "{name}: other values came back");
    }
    // Sealing such a Secret again gives no warning about the controller's own marks on it.
    let made = succeed(&mut plane.kubectl([
        "get",
        "secret",
        "env",
        "--namespace",
        &scene.namespace,
        "--output=yaml",
    ]));
    assert!(String::from_utf8_lossy(&made.stdout).contains("sealing.dev/digest"));
    let again = sandbox.run(["-r", "keys.pub"], &made.stdout);
    assert_eq!((again.code, again.stderr.as_str()), (0, ""));
    assert!(!String::from_utf8_lossy(&again.stdout).contains("digest"));
    assert!(!holds(controller.log().as_bytes(), CANARY), "the controller logged a value");
}

/// The same without a file in between, with the cluster's recipient taken as it is.
#[test]
fn a_secret_is_sealed_to_the_cluster_that_context_names() {
    let (scene, _controller) = Scene::with_controller("direct");
    publish(&scene);
    let sandbox = Sandbox::new();
    let user = somebody(&scene.keys);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "direct", "namespace": scene.namespace},
        "stringData": {"password": CANARY},
    });
    let recipient = scene.recipient();
    let sealed = seal(&sandbox, &scene, &user, &[], secret.to_string().as_bytes());
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
    // A user who doesn't pin a recipient is told which one it was sealed to.
    let short = recipient.recipient.fingerprint().short().to_string();
    assert!(sealed.stderr.starts_with("sealing to context test (https://127.0.0.1:"), "{}", sealed.stderr);
    assert!(sealed.stderr.ends_with(&format!("): sealing-key-first {short}\n")), "{}", sealed.stderr);
    ControlPlane::shared().apply(std::str::from_utf8(&sealed.stdout).unwrap());
    scene.until_ready("direct");
    assert_eq!(scene.data("direct")["password"], CANARY.as_bytes());
}

/// kubectl puts the whole object into an annotation, whose size is limited. The warning comes if that fails, and
/// not before. The size of an envelope varies by a few hundred bytes.
#[test]
fn seal_warns_where_client_side_apply_fails() {
    const LIMIT: usize = 262_144;
    const MARGIN: usize = 600;
    let plane = ControlPlane::shared();
    let namespace = plane.namespace("limit");
    let sandbox = Sandbox::new();
    let seal = |name: &str, filler: usize| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"value": "x".repeat(150_000)},
            "metadata": {"name": name, "namespace": namespace, "annotations": {"filler": "y".repeat(filler)}},
        });
        sandbox.run(["-r", "prod.pub"], secret.to_string())
    };
    let bare = seal("bare", 0).stdout.len();
    for (name, size, fits) in [("below", LIMIT - MARGIN, true), ("above", LIMIT + MARGIN, false)] {
        let sealed = seal(name, size - bare);
        assert_eq!(sealed.stderr.is_empty(), fits, "{name}: {}", sealed.stderr);
        let applied = run(&mut plane.kubectl(["apply", "--filename=-"]), &sealed.stdout);
        assert_eq!(applied.code == 0, fits, "{name}: {}", applied.stderr);
    }
}

/// Every kind of `kubectl create secret`: a name and its arguments.
fn kinds(sandbox: &Sandbox) -> Vec<(String, Vec<&'static str>)> {
    let certs = ControlPlane::shared().dir().join("certs");
    for name in ["apiserver.crt", "apiserver.key"] {
        sandbox.write(name, fs::read(certs.join(name)).unwrap());
    }
    let noise = (0..500_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
    sandbox.write("noise.bin", noise.collect::<Vec<_>>());
    sandbox.write("app.env", format!("PASSWORD={CANARY}\nEMPTY=\n"));
    sandbox.write("null", [0, 0xff, b'\n']);
    let kinds: [(&str, &[&str]); 7] = [
        ("tls", &["tls", "tls", "--cert=apiserver.crt", "--key=apiserver.key"]),
        (
            "docker",
            &[
                "docker-registry",
                "docker",
                "--docker-server=registry.example.com",
                "--docker-username=app",
                "--docker-password=opensesame",
            ],
        ),
        (
            "basic",
            &[
                "generic",
                "basic",
                "--type=kubernetes.io/basic-auth",
                "--from-literal=username=app",
                "--from-literal=password=opensesame: \"'#\\ é\u{1f511}\n",
            ],
        ),
        ("ssh", &["generic", "ssh", "--type=kubernetes.io/ssh-auth", "--from-file=ssh-privatekey=ssh.key"]),
        ("env", &["generic", "env", "--from-env-file=app.env"]),
        ("files", &["generic", "files", "--from-file=null", "--from-file=on=null", "--from-literal=1e3=~"]),
        ("large", &["generic", "large", "--from-file=noise.bin"]),
    ];
    kinds.map(|(name, args)| (name.to_owned(), args.to_vec())).to_vec()
}

/// Lets every authenticated user read the sealing keys, by the manifest that ships.
pub(crate) fn publish(scene: &Scene) {
    let file = fs::read_to_string(toolchain::repository().join("controller/deploy/users.yaml")).unwrap();
    let mut published = 0;
    for document in serde_yaml::Deserializer::from_str(&file) {
        let mut object = Value::deserialize(document).unwrap();
        if object["metadata"]["namespace"] == "seal-system" {
            object["metadata"]["namespace"] = json!(scene.keys);
            ControlPlane::shared().apply(&object.to_string());
            published += 1;
        }
    }
    assert_eq!(published, 3, "two Roles and a RoleBinding");
}

/// The kubeconfig of a user without any rights of their own.
pub(crate) fn somebody(namespace: &str) -> PathBuf {
    ControlPlane::shared().service_account(namespace, "somebody")
}

/// Runs `seal` with the cluster's recipients.
pub(crate) fn seal(sandbox: &Sandbox, scene: &Scene, user: &Path, args: &[&str], stdin: &[u8]) -> Run {
    let mut seal = sandbox.seal(args);
    seal.arg("--kubeconfig").arg(user).args(["--context=test", "--controller-namespace", &scene.keys]);
    run(&mut seal, stdin)
}

fn values(secret: &Value) -> BTreeMap<String, Vec<u8>> {
    let data = secret["data"].as_object().unwrap();
    data.iter().map(|(key, value)| (key.clone(), BASE64.decode(value.as_str().unwrap()).unwrap())).collect()
}

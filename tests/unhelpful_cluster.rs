//! Clusters that don't give `seal` a recipient, each for a reason of its own: the message, and the exit code.
//!
//! Clusters that can't be asked at all are files in `cli/cluster/`. Invariant: in no such case is anything sealed
//! or written, and the error comes soon.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use seal_tests::control_plane::ControlPlane;
use serde_json::{Value, json};

use crate::cluster::scene::Scene;
use crate::end_to_end::{publish, somebody};
use crate::sandbox::{CANARY, Run, Sandbox, holds};

/// Seals, and fetches, with only a kubeconfig, and returns the message of both.
#[track_caller]
fn refused(kubeconfig: &Path, namespace: &str) -> String {
    let sandbox = Sandbox::new();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "prod"},
        "stringData": {"password": CANARY},
    });
    let before = sandbox.files();
    let [sealing, fetching]: [Run; 2] = [&["-o", "out"][..], &["keys", "fetch", "-o", "out"]].map(|args| {
        let cluster = ["--context=test", "--controller-namespace", namespace, "--kubeconfig"];
        let args = args.iter().chain(&cluster).map(AsRef::<Path>::as_ref).chain([kubeconfig]);
        sandbox.run(args, secret.to_string())
    });
    assert!(sandbox.files() == before && sandbox.temporary_files().is_empty(), "something was written");
    assert_eq!((sealing.code, sealing.stdout), (3, Vec::new()));
    assert_eq!((fetching.code, fetching.stdout), (3, Vec::new()));
    // `keys fetch` takes no recipients, so its hint doesn't mention them.
    let [or_give, or_question] = ["; or give recipients with -r", " Or give recipients with -r"];
    assert_eq!(sealing.stderr.replace(or_give, "").replace(or_question, ""), fetching.stderr);
    assert!(!fetching.stderr.contains("-r"), "{}", fetching.stderr);
    assert!(!holds(sealing.stderr.as_bytes(), CANARY), "{}", sealing.stderr);
    sealing.stderr
}

/// A changed copy of the administrator's kubeconfig.
pub(crate) fn kubeconfig(sandbox: &Sandbox, change: impl FnOnce(&mut Value)) -> std::path::PathBuf {
    let text = std::fs::read(ControlPlane::shared().kubeconfig()).unwrap();
    let mut kubeconfig = serde_json::from_slice(&text).unwrap();
    change(&mut kubeconfig);
    sandbox.write("kubeconfig", kubeconfig.to_string());
    sandbox.path("kubeconfig")
}

#[test]
fn a_user_who_may_not_read_sealing_keys_is_told_what_to_ask_for() {
    let scene = Scene::new("forbidden");
    let user = somebody(&scene.keys);
    let said = refused(&user, &scene.keys);
    let what = format!("doesn't let you list sealing keys in namespace {} (403)\nhint: ", scene.keys);
    assert!(said.contains(&what), "{said}");
    // The manifest that ships grants the right. After that, only the key is missing.
    publish(&scene);
    seal_tests::wait::until("everybody may read the keys", || !refused(&user, &scene.keys).contains("(403)"));
    let said = refused(&user, &scene.keys);
    assert!(
        said.contains(&format!("has no sealing key in namespace {}\nhint: is the", scene.keys)),
        "{said}"
    );
}

#[test]
fn a_cluster_without_the_controllers_definitions_is_recognised() {
    let plane = ControlPlane::start(&[]).unwrap();
    let said = refused(plane.kubeconfig(), "seal-system");
    assert!(said.contains("has no SealingKeys: the controller isn't installed there\nhint: "), "{said}");
}

#[test]
fn a_token_that_nobody_knows_is_recognised_and_not_repeated() {
    let sandbox = Sandbox::new();
    let said = refused(
        &kubeconfig(&sandbox, |config| config["users"][0]["user"] = json!({"token": CANARY})),
        "seal-system",
    );
    assert!(said.contains("doesn't know who is asking (401)\nhint: "), "{said}");
}

#[test]
fn a_login_program_that_fails_is_recognised() {
    let sandbox = Sandbox::new();
    let exec = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/false", "interactiveMode": "Never",
    }});
    let said = refused(&kubeconfig(&sandbox, |config| config["users"][0]["user"] = exec), "seal-system");
    assert!(said.contains(" gives no credentials: exit code 1\nhint: run /bin/false by hand"), "{said}");
}

#[test]
fn a_server_that_never_answers_is_given_up_soon() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("https://{}", silent.local_addr().unwrap());
    let sandbox = Sandbox::new();
    let begin = Instant::now();
    let said = refused(
        &kubeconfig(&sandbox, |config| config["clusters"][0]["cluster"]["server"] = json!(server)),
        "seal-system",
    );
    assert!(said.starts_with(&format!("error: {server} doesn't answer\nhint: ")), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(40), "{:?} for two attempts", begin.elapsed());
}

#[test]
fn a_server_with_another_certificate_is_not_asked() {
    let sandbox = Sandbox::new();
    let other = kubeconfig(&sandbox, |config| {
        let cluster = &mut config["clusters"][0]["cluster"];
        cluster.as_object_mut().unwrap().remove("certificate-authority-data");
    });
    let said = refused(&other, "seal-system");
    assert!(said.contains("can't be reached: ") && said.contains("certificate"), "{said}");
}

#[test]
fn fetching_twice_writes_the_same_file() {
    let (scene, _controller) = Scene::with_controller("twice");
    scene.recipient();
    let sandbox = Sandbox::new();
    let admin = ControlPlane::shared().kubeconfig();
    for file in ["one.pub", "two.pub"] {
        let run = crate::end_to_end::seal(&sandbox, &scene, admin, &["keys", "fetch", "-o", file], b"");
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    assert_eq!(sandbox.read("one.pub"), sandbox.read("two.pub"));
}

//! A first rules file from a real cluster, and what is sealed by it without a cluster.

use std::fs;

use seal_tests::control_plane::ControlPlane;

use super::keys::{FIRST, until_primary};
use super::scene::Scene;
use crate::end_to_end::seal;
use crate::sandbox::{CANARY, Sandbox};

#[test]
fn a_repository_with_the_rules_of_its_cluster_seals_without_it_and_the_controller_opens() {
    let (scene, _controller) = Scene::with_controller("rules");
    until_primary(&scene, FIRST);
    let sandbox = Sandbox::new();
    let directory = format!("repo/apps/{}", scene.namespace);
    fs::create_dir_all(sandbox.path(&directory)).unwrap();
    let user = ControlPlane::shared().kubeconfig();
    let run = seal(&sandbox, &scene, user, &["init", "repo", "--name", "main"], b"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report = String::from_utf8(run.stdout).unwrap();
    assert!(report.starts_with("wrote repo/keys/main.pub: ") && report.contains(FIRST), "{report}");

    let file = format!("{directory}/db.yaml");
    let item = format!("password={CANARY}");
    let args = ["create", "db", "-n", &scene.namespace, "--literal", &item, "--json", "-o", &file];
    let run = sandbox.run(args, "");
    assert_eq!((run.code, run.stderr.as_str()), (0, "sealing to main, as repo/.seal.yaml:9 says\n"));
    let manifest = serde_json::from_slice(&sandbox.read(&file)).unwrap();
    scene.api().create(&scene.sealed_secrets(""), &manifest).unwrap();
    scene.until_ready("db");
    assert_eq!(scene.data("db")["password"], CANARY.as_bytes());
}

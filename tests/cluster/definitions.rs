//! A cluster in which the controller is installed before its definitions.
//!
//! Not what the definitions say ([`super::schema`]). Invariant: the controller isn't started again.

use std::process::Command;

use seal_tests::control_plane::{ControlPlane, succeed, succeed_with};
use seal_tests::toolchain;
use seal_tests::wait::until;

use super::scene::Scene;

#[test]
fn missing_definitions_are_named_with_how_to_install_them_and_may_come_later() {
    let plane = ControlPlane::start(&[]).unwrap();
    succeed(plane.kubectl(["create", "namespace", "seal-system"]).arg("--output=name"));
    let roles = toolchain::repository().join("controller/deploy/rbac.yaml");
    succeed(plane.kubectl(["apply", "--server-side", "-f"]).arg(roles));
    let scene = Scene::on(&plane, plane.namespace("before"), "seal-system".to_owned());
    let controller = scene.launch(&[]);
    let missing = "sealedsecrets.sealing.dev, sealingkeys.sealing.dev";
    until("it says what is missing", || controller.log().contains(missing));
    let log = controller.log();
    let (_, how) = log.split_once("install them with: ").unwrap();
    assert!(how.starts_with("seal-controller crds | kubectl apply --server-side"), "{how}");
    assert_eq!(controller.http("/readyz").map(|(status, _)| status), Some(503));

    let definitions = succeed(Command::new(toolchain::own("test-seal-controller")).arg("crds")).stdout;
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    succeed_with(&mut plane.kubectl(apply), &String::from_utf8(definitions).unwrap());
    let controller = controller.ready();
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    // No warning says that the API server isn't done with new definitions, or that a watch waits for them.
    let log = controller.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains(" WARN ")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains(missing), "{warnings:#?}");
}

//! `seal --seal-format bitnami` with the certificate that our controller serves, in a Pod, behind its Service.
//!
//! Not kubeseal's way to it ([`super::clients`]). Invariant: the real kubeseal opens the sealed object with the
//! primary's private half, and so does the controller itself.

use std::process::Command;

use seal_crds::scope::Scope;
use seal_tests::control_plane::succeed_with;

use super::cases;
use super::format::opened_by_them;
use super::keys::KEYS;
use super::stage::{BITNAMI, KEY_NAMESPACE, Object, Stage};

#[test]
fn seal_takes_the_certificate_of_a_controller_in_a_pod_which_opens_what_comes_of_it() {
    let stage = Stage::new();
    let serving = stage.ours_in_a_pod();
    let (case, namespace) = (cases::sealed().remove(2), "certified");
    let mut seal = Command::new(env!("CARGO_BIN_EXE_test-seal"));
    seal.env_clear().args([
        "--seal-format=bitnami",
        "--context=test",
        "--controller-namespace",
        KEY_NAMESPACE,
    ]);
    seal.arg("--kubeconfig").arg(stage.plane.kubeconfig());
    let sealed = succeed_with(&mut seal, &case.secret(namespace, Scope::Strict).to_string());
    let said = String::from_utf8(sealed.stderr).unwrap();
    let expected = format!("sealing to context test, Service {KEY_NAMESPACE}/sealed-secrets-controller: ");
    assert!(said.starts_with(&expected) && said.lines().count() == 1, "{said}");
    let sealed: serde_json::Value = serde_json::from_slice(&sealed.stdout).unwrap();

    let [_, primary] = &KEYS;
    let dir = tempfile::tempdir().unwrap();
    let private = dir.path().join("key.pem");
    std::fs::write(&private, primary.private).unwrap();
    assert_eq!(opened_by_them(&sealed, namespace, case.name, &private), Ok(case.expected()));

    let objects = [Object { namespace: namespace.to_owned(), case, scope: Scope::Strict, sealed }];
    stage.add(&objects);
    stage.until_right(&objects);
    stage.until_all(BITNAMI, "Ready", &objects);
    assert!(!serving.log().contains("panicked"), "{}", serving.log());
    serving.terminate();
}

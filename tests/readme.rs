//! Follows README ([`super::follow`]), with a [`super::kubelet`] that runs what README deploys.
//!
//! Invariant: a new command of README is run, or is listed in [`ELSEWHERE`] with the test that runs it.

use std::fs;
use std::rc::Rc;

use seal_tests::control_plane::ControlPlane;
use seal_tests::{peer, toolchain};

use crate::follow::{Part, Reader, parts};
use crate::kubelet::{Kubelet, SYSTEM};

/// Commands that aren't run here, and the tests that run them.
const ELSEWHERE: [(&str, &str); 5] = [
    (
        "seal keys restore seal-keys.yaml --context prod -r keys/prod.pub --yes",
        "cluster/key_backup, in a cluster that has lost its keys",
    ),
    ("make demo", "demo.rs"),
    ("make test", ".ci/run"),
    ("make e2e", ".ci/run"),
    ("make build", "this build's own programs are used"),
];

#[test]
fn every_command_of_readme_does_what_readme_shows() {
    // A cluster in which sealed-secrets was installed, like those that people come from.
    let plane = Rc::new(ControlPlane::start(&[peer::definition()]).unwrap());
    let reader = Reader::new(&plane);
    let mut kubelet = Kubelet::new(plane.clone());
    let mut skipped = Vec::new();
    for part in parts(&fs::read_to_string(toolchain::repository().join("README.md")).unwrap()) {
        match part {
            Part::File { path, content } => reader.write(&path, &content),
            Part::Comment(_) => {}
            Part::Run(step) => match ELSEWHERE.iter().find(|(command, _)| *command == step.command) {
                Some(known) => skipped.push(known),
                None => reader.follow(&step),
            },
        }
        kubelet.sync();
    }
    assert_eq!(skipped.len(), ELSEWHERE.len(), "README doesn't name all of them any more");
    assert!(!kubelet.is_running(), "README ends with the uninstall");
    what_must_outlive_the_controller_is_there(&plane);
}

/// Checks the cluster after the last command, which removes the installation.
fn what_must_outlive_the_controller_is_there(plane: &ControlPlane) {
    let count = |what: &[&str]| plane.object(what)["items"].as_array().unwrap().len();
    assert_eq!(count(&["secrets", "-n", SYSTEM, "-l", "sealing.dev/sealing-key"]), 1, "the private key");
    assert!(count(&["sealedsecrets.sealing.dev", "-n", "prod"]) > 0);
    assert!(count(&["secrets", "-n", "prod"]) > 0);
    assert_eq!(plane.object(["namespace", SYSTEM])["status"]["phase"], "Active");
}

//! Follows the runbook, `keys-example/ROTATION.md` ([`super::follow`]), with a [`super::kubelet`] that runs what it
//! deploys.
//!
//! What happens to a cluster between the commands stands in the runbook as an HTML comment, which readers don't see;
//! [`Rehearsal::happen`] makes it happen. Invariant: every command of the runbook is run, in order, and nothing happens
//! that the runbook doesn't say.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;

use seal_tests::control_plane::ControlPlane;
use seal_tests::toolchain;
use seal_tests::wait::until;

use crate::follow::{Part, Reader, parts};
use crate::kubelet::Kubelet;

/// The clusters, and the person on call.
struct Rehearsal {
    plane: Rc<ControlPlane>,
    kubelet: Kubelet,
    /// The kubelet of the cluster that is moved to.
    second: Option<Kubelet>,
    reader: Reader,
}

impl Rehearsal {
    fn new() -> Self {
        let plane = Rc::new(ControlPlane::start(&[]).unwrap());
        let (kubelet, reader) = (Kubelet::new(plane.clone()), Reader::new(&plane));
        reader.install(&[
            ("seal", Path::new(env!("CARGO_BIN_EXE_test-seal"))),
            ("age", &toolchain::bin("age")),
        ]);
        Self { plane, kubelet, second: None, reader }
    }

    /// Follows the document to its end, so that one run shows every difference. Returns the commands with one.
    fn follow(&mut self, document: &str) -> Vec<String> {
        let mut different = Vec::new();
        for part in parts(document) {
            match part {
                Part::File { path, content } => self.reader.write(&path, &content),
                Part::Comment(comment) => self.happen(&comment),
                Part::Run(step) => {
                    if catch_unwind(AssertUnwindSafe(|| self.reader.follow(&step))).is_err() {
                        different.push(step.command);
                    }
                }
            }
            self.kubelet.sync();
            self.second.iter_mut().for_each(Kubelet::sync);
        }
        different
    }

    /// Copies etcd's data. A controller that was cut off meanwhile takes its time to come back, so it is started again.
    fn snapshot_etcd(&mut self) {
        self.plane.snapshot();
        self.kubelet.kill();
        self.kubelet.sync();
    }

    /// Runs a command that succeeds, and returns what it says.
    #[track_caller]
    fn run(&self, command: &str) -> String {
        let (succeeded, output) = self.reader.run(command);
        assert!(succeeded, "$ {command}\n{output}");
        output
    }

    /// Makes happen what a comment of the runbook says.
    fn happen(&mut self, comment: &str) {
        match comment {
            "etcd is copied" => self.snapshot_etcd(),
            "etcd is put back to the copy" => self.plane.restore(),
            "the cluster is gone, and a new one is there" => {
                let plane = Rc::new(ControlPlane::start(&[]).unwrap());
                self.kubelet = Kubelet::new(plane.clone());
                self.reader.reach(&[("prod", &plane)]);
                self.plane = plane;
            }
            "a key is renewed, and the repository knows it" => {
                self.run("seal keys renew --context prod");
                let primary = "{.items[?(@.status.renewal)].spec.sequence}";
                let look = format!("kubectl get sealingkeys -n seal-system -o jsonpath='{primary}'");
                let before = self.run(&look);
                until("there is another primary", || ![&before, ""].contains(&self.run(&look).as_str()));
                self.run("seal keys fetch --context prod -o keys/prod.pub");
                self.run("seal keys backup --context prod -o backups");
                self.run(
                    "printf late | seal create late -n prod -r keys/prod.pub --file a=- -o apps/late.yaml",
                );
                self.run("git add -A && git commit -qm 'Pin the new sealing key'");
            }
            "a second cluster is there" => {
                let plane = Rc::new(ControlPlane::start(&[]).unwrap());
                self.reader.reach(&[("prod", &self.plane), ("new", &plane)]);
                self.second = Some(Kubelet::new(plane));
            }
            other => panic!("nobody knows how to make this happen: {other}"),
        }
    }
}

#[test]
fn every_command_of_the_runbook_does_what_the_runbook_shows() {
    let runbook = fs::read_to_string(toolchain::repository().join("keys-example/ROTATION.md")).unwrap();
    let different = Rehearsal::new().follow(&runbook);
    assert!(different.is_empty(), "{different:#?}");
}

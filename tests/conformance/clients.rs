//! Command lines that ask a controller: the peer's asks ours, and ours asks the peer's.
//!
//! Not what they do without one. Invariant: a client is called with the peer's own flags, and finds the
//! controller as kubeseal does, through kube-apiserver.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use seal_crds::scope::Scope;
use seal_tests::control_plane::{succeed, succeed_with};
use seal_tests::toolchain;
use serde_json::{Value, json};

use super::cases::{self, Case};
use super::format::{opened_by_them, sealed_by_them};
use super::keys::KEYS;
use super::stage::{KEY_NAMESPACE, Stage};

const NAMESPACE: &str = "clients";

/// A program that is kubeseal, or runs under its name.
pub(crate) struct Client<'p> {
    stage: &'p Stage,
    program: PathBuf,
}

impl<'p> Client<'p> {
    pub(crate) fn theirs(stage: &'p Stage) -> Self {
        Self { stage, program: toolchain::bin("kubeseal") }
    }

    /// `seal` under the name of kubeseal.
    pub(crate) fn ours(stage: &'p Stage) -> Self {
        let program = stage.plane.dir().join("kubeseal");
        if !program.exists() {
            symlink(env!("CARGO_BIN_EXE_test-seal"), &program).unwrap();
        }
        Self { stage, program }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("KUBECONFIG", self.stage.plane.kubeconfig());
        command.args(["--controller-namespace", KEY_NAMESPACE, "--format", "json"]).args(args);
        command
    }

    fn pipe(&self, args: &[&str], input: &Value) -> Value {
        let output = succeed_with(&mut self.command(args), &input.to_string());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn validate(&self, sealed: &Value) -> Output {
        let file = self.stage.plane.dir().join("validate.json");
        std::fs::write(&file, sealed.to_string()).unwrap();
        let input = Stdio::from(std::fs::File::open(&file).unwrap());
        self.command(&["--validate"]).stdin(input).output().unwrap()
    }

    /// Makes every request that a client makes of a controller.
    pub(crate) fn exercise(&self) {
        let [smaller, primary] = &KEYS;
        let certificate = succeed(&mut self.command(&["--fetch-cert"])).stdout;
        assert_eq!(String::from_utf8(certificate).unwrap().trim(), primary.certificate.trim());

        let dir = tempfile::tempdir().unwrap();
        let private = dir.path().join("key.pem");
        std::fs::write(&private, primary.private).unwrap();
        let opens = |sealed: &Value, case: &Case| {
            assert_eq!(opened_by_them(sealed, NAMESPACE, case.name, &private), Ok(case.expected()));
        };
        let case = &cases::sealed()[2];
        let sealed = self.pipe(&[], &case.secret(NAMESPACE, Scope::Strict));
        opens(&sealed, case);

        let valid = self.validate(&sealed);
        assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stderr));
        let mut moved = sealed;
        moved["metadata"]["name"] = json!("other");
        assert!(!self.validate(&moved).status.success());

        // The real controller drops the template here, so only a case without one can be compared.
        let case = &cases::sealed()[0];
        for scope in Scope::ALL {
            let older = sealed_by_them(case, NAMESPACE, scope, smaller);
            let newer = self.pipe(&["--re-encrypt"], &older);
            assert_eq!(newer["metadata"]["name"], older["metadata"]["name"]);
            opens(&newer, case);
        }
    }
}

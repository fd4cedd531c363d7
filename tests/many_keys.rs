//! A SealedSecret of the peer's whose items are each sealed to another one of many keys. Every program that opens
//! objects refuses it within bounded work, and says so in the same way.
//!
//! Not the count itself, which is tested in the contract, nor the HTTP endpoints, whose objects are tested beside
//! them. Invariant: the object would open; only the work is too much.

use std::fmt::Write as _;
use std::process::Command;

use seal_crds::bitnami::seal_item;
use seal_crds::keys::RsaPrivateKey;
use seal_crds::{Binding, Place, Scope};
use serde_json::Value;

use crate::sandbox::{Run, Sandbox, run};

pub(crate) const KEYS: &str = include_str!("../crds/src/keys/testdata/rsa-2048-twenty.pem");

/// The object `prod/db` with this many items, sealed in turn to twenty keys.
fn object(items: usize) -> String {
    let place = Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() };
    let binding = Binding::new(Scope::Strict, &place);
    let keys = RsaPrivateKey::all_from_pem(KEYS).unwrap();
    let mut text =
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, namespace: prod}\n\
                    spec:\n  encryptedData:\n"
            .to_owned();
    for item in 0..items {
        let sealed = seal_item(keys[item % keys.len()].public_key(), &binding, b"x");
        let _ = writeln!(text, "    i{item:04}: {sealed}");
    }
    text
}

fn host(sandbox: &Sandbox) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-seal-controller"));
    sandbox.confine(&mut command);
    command.args(["host", "--once", "--manifests=deploy", "--secrets=secrets", "--identity=keys.pem"]);
    run(&mut command, b"")
}

#[test]
fn an_object_that_would_take_too_many_trials_is_refused_by_everything_that_opens_one() {
    const SAID: &str =
        "finding them takes more than 8192 failed trials: seal it again with one certificate, or split it";
    let sandbox = Sandbox::new();
    sandbox.write("keys.pem", KEYS);
    sandbox.write("deploy/db.yaml", object(1024));
    let runs = [
        sandbox.run(["unseal", "-i", "keys.pem", "deploy/db.yaml"], ""),
        sandbox.run(["migrate", "-i", "keys.pem", "-r", "prod.pub", "deploy/db.yaml"], ""),
        sandbox.run(
            ["kubeseal", "--recovery-unseal", "--recovery-private-key", "keys.pem"],
            sandbox.read("deploy/db.yaml"),
        ),
    ];
    for run in runs {
        assert_ne!(run.code, 0);
        assert!(run.stdout.is_empty() && run.stderr.contains(SAID), "{}", run.stderr);
    }
    let run = host(&sandbox);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let status: Value =
        serde_json::from_slice(&sandbox.read("secrets/..status/prod/db/status.json")).unwrap();
    let stalled =
        &status["status"]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "Stalled");
    assert_eq!(stalled.unwrap()["reason"], "TooManyTrials");

    // All the keys are there: a smaller object opens.
    sandbox.write("deploy/db.yaml", object(200));
    let run = host(&sandbox);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(sandbox.read("secrets/prod/db/i0199"), b"x");
}

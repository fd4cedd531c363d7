//! Backups of sealing keys, and the way back from them: `seal keys backup` and `seal keys restore` on a real API server,
//! beside a real controller.
//!
//! The drill is in [`protected`](crate::protected) and the cases, because it asks no cluster. Invariant: nothing that
//! these commands print, and no file of theirs but the backups, has a private half in it.

mod copies;
mod lost;
mod restoring;

use std::collections::BTreeMap;

use seal_crds::keys::{Fingerprint, Identity, backup};
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::{Scene, items, path};
use crate::end_to_end::seal;
use crate::sandbox::{Run, Sandbox};

/// A cluster, and somebody on call with the repository and a recovery identity.
struct OnCall<'p> {
    scene: Scene<'p>,
    sandbox: Sandbox,
}

impl OnCall<'static> {
    fn new(prefix: &str) -> Self {
        Self::at(Scene::new(prefix))
    }
}

impl<'p> OnCall<'p> {
    fn at(scene: Scene<'p>) -> Self {
        let on_call = Self { scene, sandbox: Sandbox::new() };
        let made = on_call.sandbox.run(["keys", "new", "-o", "recovery.key"], b"");
        on_call.sandbox.write("recovery.pub", made.stdout);
        on_call
    }

    fn recovery(&self) -> Identity {
        let file = self.sandbox.read("recovery.key");
        seal_crds::keys::parse_identities(file).unwrap().remove(0)
    }

    /// The flag that gives every new key a backup.
    fn flag(&self) -> String {
        format!("--recovery-recipients={}", self.sandbox.path("recovery.pub").display())
    }

    fn run(&self, args: &[&str]) -> Run {
        seal(&self.sandbox, &self.scene, self.scene.plane.kubeconfig(), args, b"")
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {}{}", String::from_utf8_lossy(&run.stdout), run.stderr);
        String::from_utf8(run.stdout).unwrap()
    }

    /// Restores with the repository's pins, and further flags.
    fn restore(&self, flags: &[&str]) -> Run {
        let args = ["keys", "restore", "backups", "-i", "recovery.key", "-r", "prod.pub", "--yes"];
        self.run(&[&args[..], flags].concat())
    }

    /// Writes a backup of this key, for the recovery recipient, into the directory of the backups.
    fn back_up(&self, key: &Identity, sequence: i64) -> String {
        self.back_up_as(key, sequence, key.fingerprint())
    }

    /// The same under another key's name.
    fn back_up_as(&self, key: &Identity, sequence: i64, name: Fingerprint) -> String {
        let date = serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap();
        let set = [self.recovery().recipient().clone()];
        let name = format!("backups/{}", backup::file_name(&name));
        self.sandbox.write(&name, backup::encrypt(key, sequence, &date, &set).unwrap());
        name
    }

    /// The Secrets with keys, by name; without those whose deletion was asked for.
    fn held(&self) -> BTreeMap<String, Value> {
        let list = format!("{}?labelSelector=sealing.dev/sealing-key", self.scene.identities(""));
        let list = self.scene.api().get(&list).unwrap();
        let kept = items(&list).iter().filter(|secret| secret["metadata"]["deletionTimestamp"].is_null());
        kept.map(|secret| (secret["metadata"]["name"].as_str().unwrap().to_owned(), secret.clone())).collect()
    }

    /// Empties both namespaces, so that they are those of a new cluster. Finalizers go first: nobody is there to lift
    /// them.
    fn lose_the_cluster(&self) {
        let scene = &self.scene;
        for name in self.held().keys() {
            let no_finalizers = json!({"metadata": {"finalizers": null}});
            scene.api().merge(&scene.identities(name), &no_finalizers).unwrap();
        }
        let config_maps = format!("{}?fieldSelector=metadata.name!=kube-root-ca.crt", self.config_maps());
        let lists = [
            scene.identities(""),
            scene.sealing_keys(""),
            config_maps,
            scene.sealed_secrets(""),
            scene.secrets(""),
        ];
        for list in lists {
            scene.api().delete(&list).unwrap();
            until("they are gone", || items(&scene.api().get(&list).unwrap()).is_empty());
        }
    }

    fn config_maps(&self) -> String {
        path("/api/v1", &self.scene.keys, "configmaps", "")
    }
}

fn name_of(key: &Identity) -> String {
    format!("sealing-key-{}", key.fingerprint().short())
}

/// Checks that no private half of these keys is in the output of a run.
#[track_caller]
fn assert_discreet(run: &Run, keys: &[&Identity]) {
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), run.stderr);
    assert!(!said.contains("AGE-SECRET-KEY"), "{said}");
    for key in keys {
        assert!(!crate::sandbox::holds(said.as_bytes(), &key.to_secret_string()), "{said}");
    }
}

/// Seals a Secret to the pins, and commits it.
fn commit(on_call: &OnCall<'_>, name: &str) -> Value {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": on_call.scene.namespace},
        "stringData": {"password": format!("of {name}")},
    });
    let sealed = on_call.sandbox.run(["-r", "prod.pub"], secret.to_string());
    let manifest: Value = serde_json::from_slice(&sealed.stdout).unwrap();
    on_call.scene.commit(&manifest).unwrap();
    manifest
}

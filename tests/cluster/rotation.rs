//! A repository follows the sealing keys of its cluster: the controller offers, `seal rotate` takes the offers, a GitOps
//! tool applies the files, and the old keys aren't needed any more.
//!
//! What a forged offer does is tested in `rotate/offers.rs`, where the statuses are the test's own. Invariant: nobody but
//! the controller has a private key here.

use std::collections::BTreeMap;

use seal_crds::Scope;
use seal_crds::keys::Identity;
use seal_tests::control_plane::ControlPlane;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::key_states::add_active_key;
use super::keys::{FIRST, recipient_of, until_primary, value_of};
use super::scene::{Scene, condition};
use crate::end_to_end::seal;
use crate::sandbox::{CANARY, Run, Sandbox};

const OBJECTS: usize = 40;

/// An object of the repository: the name in its file, and the name in the cluster.
struct Tracked {
    file: String,
    name: String,
}

/// A repository, and the cluster that it is applied to.
struct Stage {
    scene: Scene<'static>,
    sandbox: Sandbox,
    objects: Vec<Tracked>,
}

impl Stage {
    fn run(&self, args: &[&str]) -> Run {
        seal(&self.sandbox, &self.scene, ControlPlane::shared().kubeconfig(), args, b"")
    }

    /// Writes the file of an object. Every other one is a base that an overlay renames and patches.
    fn track(&mut self, index: usize, identity: &Identity) {
        let file = format!("s{index}");
        let is_base = index.is_multiple_of(2);
        let name = if is_base { format!("prod-{file}") } else { file.clone() };
        let scope = if is_base { Scope::NamespaceWide } else { Scope::Strict };
        let sealing = self.scene.seal(&name).scope(scope).item("password", format!("{CANARY} {index}"));
        let spec = serde_yaml::to_string(&sealing.to(&recipient_of(identity)).spec()).unwrap();
        let namespace =
            if is_base { String::new() } else { format!(", namespace: {}", self.scene.namespace) };
        let text = format!(
            "# {index}\napiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {file}{namespace}}}\nspec:\n  {}\n",
            spec.trim_end().replace('\n', "\n  ")
        );
        self.sandbox.write(format!("deploy/{file}.yaml"), text);
        self.objects.push(Tracked { file, name });
    }

    /// Applies every file, as kustomize and a GitOps tool do.
    fn apply(&self) {
        for Tracked { file, name } in &self.objects {
            let text = String::from_utf8(self.sandbox.read(format!("deploy/{file}.yaml"))).unwrap();
            let mut object: Value = serde_yaml::from_str(&text).unwrap();
            object["metadata"] = json!({"name": name});
            if file != name {
                object["spec"]["template"] = json!({"metadata": {"labels": {"overlay": "prod"}}});
            }
            self.scene.commit(&object).unwrap();
        }
    }

    /// The version and the data of every Secret.
    fn secrets(&self) -> BTreeMap<String, (Value, Value)> {
        let secret = |Tracked { name, .. }: &Tracked| {
            let secret = self.scene.secret(name).unwrap();
            (name.clone(), (secret["metadata"]["resourceVersion"].clone(), secret["data"].clone()))
        };
        self.objects.iter().map(secret).collect()
    }
}

#[test]
fn a_repository_under_four_keys_follows_the_newest_by_offers_alone_and_no_secret_is_written() {
    let (scene, controller) = Scene::with_controller("follows");
    until_primary(&scene, FIRST);
    let first = scene.api().get(&scene.identities(FIRST)).unwrap();
    let keys: Vec<Identity> = (2..=4).map(|_| Identity::generate()).collect();
    for (sequence, key) in (2..).zip(&keys) {
        let name = format!("sealing-key-{sequence}");
        add_active_key(&scene, &name, key, sequence);
        until_primary(&scene, &name);
    }
    let mut stage = Stage { scene, sandbox: Sandbox::new(), objects: Vec::new() };
    let first = Identity::parse(&value_of(&first, "identity")).unwrap();
    let all: Vec<&Identity> = std::iter::once(&first).chain(&keys).collect();
    for index in 0..OBJECTS {
        stage.track(index, all[index % all.len()]);
    }
    stage.apply();
    for Tracked { name, .. } in &stage.objects {
        stage.scene.until_ready(name);
    }
    let before = stage.secrets();

    // The file has a recipient that isn't the cluster's: a person's own, which stays in the pins and in no offer.
    let fetched = stage.run(&["keys", "fetch", "-o", "prod.pub"]);
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    let rotate = |args: &[&str]| stage.run(&[&["rotate", "-r", "prod.pub", "deploy"], args].concat());
    // Offers are made one after the other. Whatever is there is taken, and the rest is named.
    let taken = eventually("every object has its offer", || {
        let run = rotate(&["--from-cluster"]);
        if run.code == 0 { Ok(run) } else { Err(String::from_utf8(run.stdout).unwrap() + &run.stderr) }
    });
    assert!(
        taken.stderr.contains(" don't need it\n") || taken.stderr.contains("40 SealedSecrets were rotated")
    );
    let newest = keys[2].fingerprint().to_string();
    for Tracked { file, .. } in &stage.objects {
        let text = String::from_utf8(stage.sandbox.read(format!("deploy/{file}.yaml"))).unwrap();
        assert_eq!(text.matches("fingerprint:").count(), 1, "{text}");
        assert!(text.starts_with("# ") && text.contains(&newest), "{text}");
    }
    // Before the files are applied, the cluster isn't what they say.
    let early = rotate(&["--verify", "--timeout=0"]);
    assert_eq!(early.code, 1);
    stage.apply();
    let verified = rotate(&["--verify"]);
    assert_eq!((verified.code, verified.stdout.len()), (0, 0), "{}", verified.stderr);
    assert!(
        verified
            .stderr
            .ends_with(&format!("{OBJECTS} SealedSecrets are Ready as they stand in these files\n"))
    );
    assert_eq!(stage.secrets(), before, "a Secret was written");

    // The old keys are gone, and every object opens.
    let mut controller = controller;
    assert!(controller.terminate().success());
    for name in [FIRST, "sealing-key-2", "sealing-key-3"] {
        let (api, path) = (stage.scene.api(), stage.scene.identities(name));
        let _ = api.merge(&path, &json!({"metadata": {"finalizers": null}}));
        let _ = api.delete(&path);
        until("the old key is gone", || api.get(&path).is_none());
    }
    let _controller = stage.scene.start(&[]);
    for Tracked { name, .. } in &stage.objects {
        let object = stage.scene.nudge(name);
        assert_eq!(condition(&object, "Ready").0, "True", "{name}: {}", object["status"]);
    }
    assert_eq!(stage.secrets(), before, "a Secret was written");
}

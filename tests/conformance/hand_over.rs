//! From the real controller to ours and back, and from its format to the native one, with Secrets in use.
//!
//! Not whether either can open what the other sealed ([`super::controllers`]). Invariant: a reader of a Secret
//! sees the same data, type, labels and UID all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use seal_crds::scope::Scope;
use seal_tests::control_plane::{ControlPlane, dying_with_us, succeed};
use seal_tests::toolchain;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::controllers::{by_kubeseal, objects};
use super::stage::{BITNAMI, KEY_NAMESPACE, NATIVE, Object, Stage, sealed_secret, secrets};

/// All events of all Secrets, from its start on.
pub(crate) struct Watch<'p> {
    plane: &'p ControlPlane,
    events: PathBuf,
    kubectl: Child,
}

impl<'p> Watch<'p> {
    pub(crate) fn start(plane: &'p ControlPlane, name: &str) -> Self {
        let list = plane.api().get("/api/v1/secrets?limit=1").unwrap();
        let version = list["metadata"]["resourceVersion"].as_str().unwrap();
        let events = plane.dir().join(format!("{name}.events"));
        let kubectl = dying_with_us(toolchain::bin("kubectl"))
            .env("KUBECONFIG", plane.kubeconfig())
            .args(["get", "--raw", &format!("/api/v1/secrets?watch=1&resourceVersion={version}")])
            .stdout(File::create(&events).unwrap())
            .spawn()
            .unwrap();
        Self { plane, events, kubectl }
    }

    /// The kinds of events of each Secret so far, by namespace and name.
    pub(crate) fn events(&self) -> BTreeMap<(String, String), Vec<String>> {
        let marker = json!({"metadata": {"generateName": "marker-"}});
        let marker = self.plane.api().create(&secrets("default"), &marker).unwrap();
        let name = marker["metadata"]["name"].as_str().unwrap();
        let text = eventually("the watch shows everything so far", || {
            let text = fs::read_to_string(&self.events).unwrap();
            let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
            if complete.contains(name) { Ok(complete.to_owned()) } else { Err("it doesn't yet") }
        });
        let mut events: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let metadata = &event["object"]["metadata"];
            events
                .entry((text(&metadata["namespace"]), text(&metadata["name"])))
                .or_default()
                .push(text(&event["type"]));
        }
        events
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}

/// The parts of each Secret that must not change while it is used.
fn kept(secrets: &BTreeMap<(String, String), Value>) -> BTreeMap<&(String, String), [&Value; 4]> {
    secrets
        .iter()
        .map(|(key, secret)| {
            (
                key,
                [&secret["metadata"]["uid"], &secret["metadata"]["labels"], &secret["type"], &secret["data"]],
            )
        })
        .collect()
}

#[test]
fn secrets_stay_when_our_controller_takes_over_and_when_it_hands_back() {
    let stage = Stage::new();
    let mut objects = objects("app", by_kubeseal);
    assert!(objects.len() >= 50);
    stage.add(&objects);
    let theirs = stage.theirs();
    let before = stage.until_right(&objects);
    stage.until_all(BITNAMI, "Synced", &objects);
    theirs.terminate();

    let watch = Watch::start(&stage.plane, "over");
    let ours = stage.ours();
    stage.until_all(BITNAMI, "Ready", &objects);
    stage.until_all(BITNAMI, "Synced", &objects);
    let after = stage.until_right(&objects);
    assert_eq!(kept(&before), kept(&after));
    let mut events = watch.events();
    events.retain(|key, events| before.contains_key(key) && *events != ["MODIFIED"]);
    assert_eq!(events, BTreeMap::new(), "each Secret is written at most once");

    // Our controller may remove items that the real controller wrote.
    let shrunk = objects.iter_mut().find(|object| object.case.name == "opaque").unwrap();
    shrunk.case.items.remove("user").unwrap();
    let patch = json!({"spec": {"encryptedData": {"user": null}}});
    stage.api().merge(&sealed_secret(&shrunk.namespace, shrunk.case.name), &patch).unwrap();
    let after = stage.until_right(&objects);
    ours.terminate();

    let watch = Watch::start(&stage.plane, "back");
    let theirs = stage.theirs();
    let objects_there = u64::try_from(objects.len()).unwrap();
    until("the real controller has looked at every object", || {
        stage.their_metric("sealed_secrets_controller_unseal_requests_total") >= objects_there
    });
    let again = stage.until_right(&objects);
    stage.until_all(BITNAMI, "Synced", &objects);
    assert_eq!(kept(&after), kept(&again));
    let deleted = watch.events().into_iter().filter(|(_, events)| events.contains(&"DELETED".to_owned()));
    assert_eq!(deleted.count(), 0);
    theirs.terminate();
}

/// A GitOps tool that deletes objects that are no longer in its directory: kubectl, in either of its ways.
enum Tool {
    ByLabel,
    BySet,
}

/// The label by which the tool finds its own objects.
const PART_OF: &str = "app.kubernetes.io/part-of";

impl Tool {
    fn apply(&self, plane: &ControlPlane, namespace: &str, dir: &Path) {
        let mut kubectl = plane.kubectl(["apply", "--prune", "-n", namespace, "-f"]);
        kubectl.arg(dir);
        match self {
            Self::ByLabel => kubectl.arg(format!("-l={PART_OF}={namespace}")).args([
                "--prune-allowlist=bitnami.com/v1alpha1/SealedSecret",
                "--prune-allowlist=sealing.dev/v1alpha1/SealedSecret",
            ]),
            Self::BySet => kubectl.env("KUBECTL_APPLYSET", "true").arg("--applyset=repository"),
        };
        succeed(&mut kubectl);
    }
}

#[test]
fn secrets_stay_when_a_pruning_tool_follows_a_migration_to_the_native_format() {
    let stage = Stage::new();
    let _ours = stage.ours_with(&["--allowed-scopes=strict,namespace-wide,cluster-wide"]);
    // kubectl takes its time for each object, so the second tool gets fewer objects.
    let strict = [Scope::Strict].as_slice();
    for (tool, prefix, scopes) in [(Tool::ByLabel, "label", &Scope::ALL[..]), (Tool::BySet, "set", strict)] {
        let mut objects = objects(prefix, by_kubeseal);
        objects.retain(|object| object.namespace.ends_with("4096") && scopes.contains(&object.scope));
        // A person has to repeat, in the native format's words, the permission to take a foreign Secret over.
        objects.retain(|object| object.case.before.is_none() && object.case.owned);
        // kubectl applies client-side here, and drops the null that leaves an item out.
        objects.retain(|object| object.case.omitted.is_empty());
        let repository = tempfile::tempdir().unwrap();
        for Object { namespace, case, sealed, .. } in &mut objects {
            sealed["metadata"]["labels"] = json!({PART_OF: namespace});
            let dir = repository.path().join(namespace);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(case.name).with_extension("yaml"), serde_yaml::to_string(sealed).unwrap())
                .unwrap();
        }
        let namespaces: BTreeSet<_> = objects.iter().map(|object| object.namespace.clone()).collect();
        let sync = || {
            for namespace in &namespaces {
                tool.apply(&stage.plane, namespace, &repository.path().join(namespace));
            }
        };
        namespaces.iter().for_each(|namespace| stage.namespace(namespace));
        sync();
        let before = stage.until_right(&objects);

        let watch = Watch::start(&stage.plane, prefix);
        migrate(&stage, repository.path());
        sync();
        until("the tool has pruned the former objects", || {
            let sealed = stage.all(BITNAMI);
            !sealed.keys().any(|(namespace, _)| namespaces.contains(namespace))
        });
        stage.until_all(NATIVE, "Ready", &objects);
        let after = stage.all("/api/v1/secrets");
        for (key, secret) in &before {
            let uid = |secret: &Value| secret["metadata"]["uid"].clone();
            assert_eq!(after.get(key).map(uid), Some(uid(secret)), "{key:?}");
            assert_eq!(after[key]["data"], secret["data"], "{key:?}");
            assert_eq!(
                after[key]["metadata"]["ownerReferences"][0]["apiVersion"], "sealing.dev/v1alpha1",
                "{key:?}"
            );
        }
        let deleted = watch.events().into_iter().filter(|(_, events)| events.contains(&"DELETED".to_owned()));
        assert_eq!(deleted.collect::<Vec<_>>(), []);
    }
}

/// Runs `seal migrate` over a repository, with the keys as people back them up.
fn migrate(stage: &Stage, repository: &Path) {
    let backup = repository.with_extension("backup.json");
    let keys =
        succeed(&mut stage.plane.kubectl(["get", "secrets", "-n", KEY_NAMESPACE, "-o", "json"])).stdout;
    fs::write(&backup, keys).unwrap();
    let mut migrate = Command::new(env!("CARGO_BIN_EXE_test-seal"));
    migrate.env_clear().env("KUBECONFIG", stage.plane.kubeconfig());
    migrate.args(["migrate", "--write", "--render-templates", "--context=test", "--identity"]);
    migrate.arg(&backup).arg(repository);
    succeed(&mut migrate);
}

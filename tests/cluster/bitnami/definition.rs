//! The peer's definition of its kind, which drops most of our status; and a cluster without that definition.

use std::fs;
use std::path::PathBuf;

use seal_tests::control_plane::{ControlPlane, definitions, succeed};
use seal_tests::wait::{eventually, until};
use seal_tests::{peer, toolchain};
use serde_json::{Value, json};

use super::scene::Peers;
use crate::cluster::scene::{Scene, condition};

/// The definition that comes with the real sealed-secrets.
fn peers_definition() -> Value {
    serde_yaml::from_slice(&fs::read(peer::definition()).unwrap()).unwrap()
}

fn native_only() -> Vec<PathBuf> {
    definitions().into_iter().filter(|path| !path.to_string_lossy().contains("bitnami")).collect()
}

/// README's way from an existing sealed-secrets to our definition.
#[test]
fn ours_takes_the_place_of_the_peers_definition_and_what_is_stored_stays() {
    let plane = ControlPlane::start(&native_only()).unwrap();
    // Helm creates the definitions in a chart's `crds` in this way.
    succeed(plane.kubectl(["create", "-f"]).arg(peer::definition()));
    let namespace = plane.namespace("stored");
    let path = format!("/apis/bitnami.com/v1alpha1/namespaces/{namespace}/sealedsecrets/db");
    let metadata = json!({"name": "db", "labels": {"a": "b"}, "finalizers": ["example.com/f"]});
    let stored = json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "db"},
        "spec": {
            "data": "YQ==", "encryptedData": {"a": "AgBy"},
            "template": {"type": "Opaque", "immutable": true, "data": {"c": "{{ .a }}"}, "metadata": metadata},
        },
    });
    eventually("the kind is served", || {
        plane.api().apply(&path, "kubeseal", true, &stored).map_err(|refused| format!("{refused:?}"))
    });
    let before = plane.api().get(&path).unwrap();

    let ours = toolchain::repository().join("controller/deploy/crds");
    let refused = plane.kubectl(["apply", "--server-side", "-k"]).arg(&ours).output().unwrap();
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("conflict"),
        "README needn't say --force-conflicts"
    );
    succeed(plane.kubectl(["apply", "--server-side", "--force-conflicts", "-k"]).arg(&ours));
    until("ours is served", || {
        let probe = json!({"status": {"key": "0123456789abcdef"}});
        plane.api().merge(&format!("{path}/status?dryRun=All"), &probe).unwrap()["status"]["key"].is_string()
    });
    let after = plane.api().get(&path).unwrap();
    assert_eq!(before["spec"], after["spec"]);
    let written = plane.api().merge(&path, &json!({"metadata": {"labels": {"x": "y"}}})).unwrap();
    assert_eq!(before["spec"], written["spec"], "a write keeps every field too");
}

#[test]
fn a_cluster_without_the_peers_kind_is_served_and_the_kind_whenever_it_comes() {
    let plane = ControlPlane::start(&native_only()).unwrap();
    succeed(plane.kubectl(["create", "namespace", "seal-system"]).arg("--output=name"));
    for role in ["rbac.yaml", "users.yaml"] {
        let file = toolchain::repository().join("controller/deploy").join(role);
        succeed(plane.kubectl(["apply", "--server-side", "-f"]).arg(file));
    }
    let peers = Peers::on(Scene::on(&plane, plane.namespace("late"), "seal-system".to_owned()));
    let (scene, api) = (&peers.scene, plane.api());
    let mut controller = scene.start_as_shipped();
    scene.seal("native").item("a", "1").commit();
    scene.until_ready("native");

    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    api.create(crds, &peers_definition()).unwrap();
    let good = peers.seal("good").item("a", "1").manifest();
    until("the kind is served", || api.apply(&peers.path("good"), "gitops", true, &good).is_ok());
    let bad = peers.seal("bad").for_place("other", "bad").item("a", "1").commit();
    // The peer's definition drops the `null` that leaves an item out of the Secret, and ours keeps it. So here
    // the item is in the Secret.
    let whole = peers.seal("whole").item("a", "1").item("b", "2").omit("a").manifest();
    let dropped = api.create(&peers.path(""), &whole).unwrap();
    assert_eq!(dropped["spec"]["template"]["data"], json!({}));
    assert_eq!(api.apply(&peers.path("whole"), "gitops", true, &whole).unwrap_err().code, 422);
    peers.until_ready("whole");
    assert_eq!(scene.data("whole").into_keys().collect::<Vec<_>>(), ["a", "b"]);
    peers.until_ready("good");
    peers.until_stalled("bad", "CannotOpen");

    // The peer's definition drops most of our status. The controller doesn't write it again for that reason.
    let seen = |name: &str| peers.sealed(name);
    let before = [seen("good"), seen("bad")];
    let pruned = |field: &str| before[0]["status"].get(field).is_none();
    assert!(pruned("openedBy") && pruned("secret"), "it prunes");
    assert_eq!(before[0]["status"]["conditions"][0]["type"], "Synced");
    let table = succeed(&mut plane.kubectl(["get", "sealedsecrets.bitnami.com", "-n", &scene.namespace]));
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.lines().any(|line| line.starts_with("bad") && line.contains("can't be opened")), "{table}");
    for round in 0..3 {
        // The label wakes both objects, and a change of keys would do the same.
        for name in ["good", "bad"] {
            let label = json!({"metadata": {"labels": {"round": round.to_string()}}});
            api.merge(&peers.path(name), &label).unwrap();
        }
        peers.after(&format!("later-{round}"));
    }
    assert!(controller.terminate().success());
    let next = scene.start_as_shipped();
    peers.after("much-later");
    // The status remembers nothing of the Secret. That alone is no reason to open the object or to write it.
    assert_eq!(next.metric("seal_controller_secret_writes_total"), 1, "the later one's");
    for (before, after) in before.iter().zip([seen("good"), seen("bad")]) {
        assert_eq!(before["status"], after["status"]);
    }
    let statuses = scene.requests().into_iter().filter(|request| {
        request["objectRef"]["subresource"] == "status" && request["objectRef"]["name"] == "good"
    });
    assert_eq!(statuses.count(), 1, "said once");
    assert_eq!(condition(&seen("bad"), "Synced").0, "False");
    assert_eq!(bad["metadata"]["uid"], seen("bad")["metadata"]["uid"]);
}

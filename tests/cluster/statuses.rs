//! How a status is written: whole, and only onto the object that it was decided on.
//!
//! Not what it says ([`super::kstatus`], [`super::updates`]). Invariant: other programs write the same objects
//! meanwhile, as GitOps tools and another version of the controller do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use seal_tests::control_plane::{ControlPlane, definitions, succeed};
use seal_tests::toolchain;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::bitnami::scene::Peers;
use super::kstatus::verdict;
use super::scene::{ACCOUNT, Scene, condition, path};

/// Lets the definitions keep fields of the status that this version doesn't know, as those of another version would.
fn keep_all_of_the_status(plane: &ControlPlane) {
    for name in ["sealedsecrets.sealing.dev", "sealedsecrets.bitnami.com", "sealingkeys.sealing.dev"] {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        until("the definition is changed", || {
            let mut definition = plane.api().get(&path).unwrap();
            let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            schema["properties"]["status"]["x-kubernetes-preserve-unknown-fields"] = json!(true);
            plane.api().replace(&path, &definition).is_ok()
        });
    }
}

/// What another version has said.
fn further() -> Value {
    json!({"status": {"further": "x", "items": 7, "later": {"envelope": {"keys": ["k"]}}}})
}

/// The status is written without the rest of the object. What somebody applied stays, and stays theirs: what they leave out
/// of the next apply goes.
#[test]
fn a_status_takes_nothing_from_whoever_applied_the_object() {
    let (scene, _controller) = Scene::with_controller("applied");
    let mut manifest = scene.seal("db").item("a", "1").item("b", "2").manifest();
    let metadata = json!({"name": "db", "labels": {"stays": "x", "goes": "x"}, "annotations": {"note": "x"}});
    manifest["metadata"] = metadata.clone();
    scene.commit(&manifest).unwrap();
    let ready = scene.until_ready("db");
    for field in ["labels", "annotations"] {
        assert_eq!(ready["metadata"][field], metadata[field]);
    }
    assert_eq!(ready["spec"]["encryptedData"], manifest["spec"]["encryptedData"]);

    manifest["metadata"]["labels"].as_object_mut().unwrap().remove("goes");
    manifest["spec"]["encryptedData"].as_object_mut().unwrap().remove("b");
    let applied = scene.commit(&manifest).unwrap();
    assert_eq!(applied["metadata"]["labels"], json!({"stays": "x"}));
    until("the item is gone", || scene.data("db").keys().eq(["a"]));
}

#[test]
fn a_field_that_only_another_version_knows_goes_with_the_next_status() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    keep_all_of_the_status(&plane);
    succeed(plane.kubectl(["create", "namespace", "seal-system"]).arg("--output=name"));
    let roles = toolchain::repository().join("controller/deploy/rbac.yaml");
    succeed(plane.kubectl(["apply", "--server-side", "-f"]).arg(roles));
    let peers = Peers::on(Scene::on(&plane, plane.namespace("further"), "seal-system".to_owned()));
    let (scene, api) = (&peers.scene, plane.api());
    let _controller = scene.start_as_shipped();
    scene.seal("native").item("a", "1").commit();
    peers.seal("peer").item("a", "1").commit();
    scene.until_ready("native");
    peers.until_ready("peer");
    for path in [scene.sealed_secrets("native"), peers.path("peer")] {
        until("it is examined", || api.get(&path).unwrap()["status"]["usage"].is_object());
        let before = api.get(&path).unwrap()["status"].clone();
        until("the definition keeps it", || {
            let written = api.merge(&format!("{path}/status"), &further()).unwrap();
            written["status"]["further"] == "x" && written["status"]["later"].is_object()
        });
        let request = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}});
        api.merge(&path, &request).unwrap();
        // What was said of the object stays, and so does what this version knows, right or not.
        let mut after = before.clone();
        after["lastHandledReconcileAt"] = json!("now");
        after["items"] = json!(7);
        eventually("all else is gone", || {
            let status = api.get(&path).unwrap()["status"].clone();
            if status == after { Ok(()) } else { Err(status) }
        });
    }
}

/// Answers to the writes of an object's status, in order.
fn answers(peers: &Peers<'_>, name: &str) -> Vec<u64> {
    let requests = peers.scene.requests().into_iter().filter(|request| {
        request["objectRef"]["subresource"] == "status" && request["objectRef"]["name"] == name
    });
    requests.map(|request| request["responseStatus"]["code"].as_u64().unwrap()).collect()
}

/// Opening takes long enough for somebody else to say something meanwhile.
#[test]
fn a_decision_is_not_written_over_what_was_said_since() {
    const ITEMS: usize = 600;
    let (peers, controller) = Peers::with_controller("stale");
    let mut large = peers.seal("db");
    for item in 0..ITEMS {
        large = large.item(&format!("i{item}"), "1");
    }
    large.commit();
    until("it is being opened", || controller.metric("seal_controller_unseals_total") == 1);
    let others = json!({"observedGeneration": 1, "conditions": [{
        "type": "Ready", "status": "False", "reason": "Theirs", "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    let path = format!("{}/status", peers.path("db"));
    peers.scene.api().merge(&path, &json!({"status": others})).unwrap();

    peers.until_ready("db");
    until("each request is in the audit log", || answers(&peers, "db").last() == Some(&200));
    assert_eq!(answers(&peers, "db")[0], 409, "the first decision was made before the other word came");
    let ready = |(status, reason, _): (String, String, String)| (status, reason);
    assert_eq!(ready(condition(&peers.sealed("db"), "Ready")), ("True".into(), "InSync".into()));
    let log = controller.log();
    assert!(!log.lines().any(|line| line.contains(" WARN ") && line.contains("db")), "{log}");
}

#[test]
fn whoever_annotates_objects_all_the_time_holds_nothing_up() {
    const OBJECTS: usize = 8;
    let (scene, controller) = Scene::with_controller("annotated");
    let names: Vec<String> = (0..OBJECTS).map(|n| format!("db-{n}")).collect();
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| {
            for round in 0.. {
                for name in &names {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    let annotation =
                        json!({"metadata": {"annotations": {"example.com/tick": round.to_string()}}});
                    // It may not be there yet.
                    drop(scene.api().merge(&scene.sealed_secrets(name), &annotation));
                }
            }
        });
        for name in &names {
            scene.seal(name).item("a", "1").commit();
        }
        for name in &names {
            scene.until_ready(name);
        }
        for name in &names {
            scene.nudge(name);
        }
        done.store(true, Ordering::Relaxed);
    });
    for name in &names {
        let secret = scene.secret(name).unwrap()["metadata"]["resourceVersion"].clone();
        assert_eq!(scene.sealed(name)["status"]["secret"]["resourceVersion"], secret, "{name}");
        let told = scene.events(name).into_iter().filter(|(reason, _)| reason == "Ready").count();
        assert_eq!(told, 1, "{name}");
    }
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), OBJECTS as u64);
    let log = controller.log();
    assert!(!log.lines().any(|line| line.contains(" WARN ") && line.contains("db-")), "{log}");
}

/// An update whose image came before its roles: those of an earlier version grant `patch` on the status.
#[test]
fn a_controller_with_the_roles_of_an_earlier_version_says_what_it_may_not_do_and_catches_up_with_the_roles() {
    let (scene, controller) = Scene::with_controller("old-roles");
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let mut earlier = scene.api().get(&format!("{rbac}/clusterroles/{ACCOUNT}")).unwrap();
    let rules = earlier["rules"].as_array_mut().unwrap();
    let of_statuses = rules.iter_mut().find(|rule| rule["resources"] == json!(["sealedsecrets/status"]));
    of_statuses.unwrap()["verbs"] = json!(["patch"]);
    let name = format!("{ACCOUNT}-{}", scene.namespace);
    earlier["metadata"] = json!({"name": name});
    scene.api().create(&format!("{rbac}/clusterroles"), &earlier).unwrap();
    let bindings = path(rbac, &scene.namespace, "rolebindings", "");
    let binding = format!("{bindings}/{ACCOUNT}-clusterrole");
    let shipped = scene.api().get(&binding).unwrap();
    // What a binding is to can't be changed.
    let bind = |role: &str| {
        scene.api().delete(&binding).unwrap();
        let mut bound = shipped.clone();
        bound["metadata"] = json!({"name": shipped["metadata"]["name"]});
        bound["roleRef"]["name"] = json!(role);
        scene.api().create(&bindings, &bound).unwrap();
    };
    bind(&name);
    let user = format!("system:serviceaccount:{}:{ACCOUNT}", scene.keys);
    let question =
        ["auth", "can-i", "--quiet", "update", "sealedsecrets.sealing.dev", "--subresource=status"];
    until("the earlier role is in force", || {
        let mut asked = scene.plane.kubectl(question);
        !asked.args(["-n", &scene.namespace, "--as", &user]).output().unwrap().status.success()
    });

    scene.seal("db").item("a", "1").commit();
    until("the Secret is there", || scene.secret("db").is_some());
    let said = "the API server forbids writing the status; check the controller's role bindings";
    until("it is said", || controller.log().contains(said));
    let secret = scene.secret("db");
    assert_eq!(verdict(&scene.sealed("db")), "InProgress");

    bind(ACCOUNT);
    scene.until_ready("db");
    assert_eq!(scene.secret("db"), secret, "nothing of it is done again");
}

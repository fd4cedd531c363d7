//! `controller/deploy` as it ships, on a control plane of its own: every namespace is watched, and the
//! definitions change.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::toolchain;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::{ACCOUNT, Scene, items, path};

const SYSTEM: &str = "seal-system";

/// What the controller may not do, as arguments of `kubectl auth can-i`.
pub(crate) const DENIED: &[&[&str]] = &[
    &["delete", "secrets", "-n", "default"],
    &["update", "secrets", "-n", "default"],
    &["update", "sealedsecrets.sealing.dev", "-n", "default"],
    &["patch", "sealedsecrets.sealing.dev", "-n", "default"],
    &["patch", "sealedsecrets.bitnami.com", "-n", "default"],
    &["create", "sealingkeys.sealing.dev", "-n", "default"],
    &["patch", "sealingkeys.sealing.dev", "-n", SYSTEM],
    &["delete", "sealingkeys.sealing.dev", "-n", SYSTEM],
    &["get", "configmaps", "-n", "default"],
    &["create", "configmaps", "-n", "default"],
    &["delete", "configmaps", "-n", SYSTEM],
    &["create", "pods", "-n", SYSTEM],
    &["create", "tokenreviews.authentication.k8s.io"],
];

/// A control plane with `controller/deploy` applied, as README says.
fn plane() -> &'static ControlPlane {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    PLANE.get_or_init(|| {
        let plane = ControlPlane::start(&definitions()).unwrap();
        plane.deploy();
        plane
    })
}

/// A namespace there. Controllers that are started as shipped share one Lease.
pub(super) fn scene(prefix: &str) -> Scene<'static> {
    Scene::on(plane(), plane().namespace(prefix), SYSTEM.to_owned())
}

fn may(who: &str, what: &[&str]) -> bool {
    can_i(plane().kubectl(["auth", "can-i"]), who, what)
}

/// What a cluster answers to `kubectl auth can-i`. A question that it can't answer is no "no".
pub(crate) fn can_i(mut kubectl: Command, who: &str, what: &[&str]) -> bool {
    let output = kubectl.args(["--as", who]).args(what).output().unwrap();
    // A reason may follow.
    match output.stdout.split(u8::is_ascii_whitespace).next() {
        Some(b"yes") => true,
        Some(b"no") => false,
        _ => panic!("{what:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn the_shipped_roles_serve_every_namespace_and_nothing_is_asked_for_beyond_them() {
    let (one, other) = (scene("one"), scene("other"));
    let mut controller = one.start_as_shipped();
    for scene in [&one, &other] {
        scene.seal("db").item("a", "1").commit();
        scene.until_ready("db");
        scene.api().merge(&scene.secrets("db"), &json!({"data": {"a": null}})).unwrap();
        until("it is healed", || scene.data("db").contains_key("a"));
        scene.api().delete(&scene.sealed_secrets("db")).unwrap();
        until("it is collected", || scene.secret("db").is_none());
    }
    assert!(controller.terminate().success());
    let forbidden: Vec<Value> =
        one.requests().into_iter().filter(|request| request["responseStatus"]["code"] == 403).collect();
    assert_eq!(forbidden, [Value::Null; 0]);
}

#[test]
fn the_shipped_roles_grant_the_controller_no_more_than_it_needs() {
    plane();
    let controller = format!("system:serviceaccount:{SYSTEM}:{ACCOUNT}");
    for what in DENIED {
        assert!(!may(&controller, what), "{what:?}");
    }
    assert!(may(&controller, &["patch", "secrets", "-n", "default"]), "the question is asked rightly");
}

#[test]
fn people_may_read_public_keys_and_edit_objects_but_not_what_the_controller_says() {
    let scene = scene("people");
    let namespace = scene.namespace.as_str();
    for role in ["view", "edit", "admin"] {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": role}],
        });
        let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings");
        scene.api().create(&path, &binding).unwrap();
    }
    let groups = ["sealedsecrets.sealing.dev", "sealedsecrets.bitnami.com"];
    for objects in groups {
        // A controller makes the aggregated roles, in its own time.
        until("edit may create", || may("edit", &["create", objects, "-n", namespace]));
        until("admin may create", || may("admin", &["create", objects, "-n", namespace]));
        until("view may get", || may("view", &["get", objects, "-n", namespace]));
        assert!(!may("view", &["create", objects, "-n", namespace]));
    }
    for who in ["view", "edit", "admin"] {
        for objects in groups {
            for verb in ["patch", "update"] {
                assert!(!may(who, &[verb, objects, "--subresource=status", "-n", namespace]), "{who}");
            }
        }
        assert!(!may(who, &["create", "sealingkeys.sealing.dev", "-n", namespace]), "{who}");
        // Every authenticated user may list the keys.
        assert!(may(who, &["list", "sealingkeys.sealing.dev", "-n", SYSTEM]), "{who}");
        assert!(!may(who, &["get", "secrets", "-n", SYSTEM]), "{who}");
    }
}

/// README speaks of two replicas, of which one takes the other's place, and of fifteen seconds for reconciles.
#[test]
fn two_replicas_are_shipped_and_neither_an_update_nor_a_drain_takes_both() {
    let find = |api: &str, plural: &str| plane().api().get(&path(api, SYSTEM, plural, ACCOUNT)).unwrap();
    let deployment = find("/apis/apps/v1", "deployments");
    let spec = &deployment["spec"];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(spec["strategy"]["rollingUpdate"], json!({"maxSurge": 1, "maxUnavailable": 0}));
    let grace = spec["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > 15 + 5, "{grace} s: the Lease is given up after the reconciles, in five seconds");
    let budget = find("/apis/policy/v1", "poddisruptionbudgets");
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    assert_eq!(budget["spec"]["selector"], spec["selector"]);
}

#[test]
fn the_component_for_kubeseal_adds_what_kubeseal_looks_for_and_lets_nobody_open_anything() {
    let overlay = plane().dir().join("compat");
    fs::create_dir_all(&overlay).unwrap();
    let deploy = format!("{}/controller/deploy", toolchain::repository_from(&overlay));
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [deploy], "components": [format!("{deploy}/compat")],
    });
    fs::write(overlay.join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let built = plane()
        .kubectl(["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-o", "json", "-k"])
        .arg(&overlay)
        .output();
    let built = built.unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let built: Value = serde_json::from_slice(&built.stdout).unwrap();
    let find = |kind: &str, name: &str| {
        let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
        items(&built).iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
    };
    let service = find("Service", "sealed-secrets-controller");
    assert_eq!(service["spec"]["ports"].as_array().unwrap().len(), 1, "kubeseal takes the first");
    assert_eq!(service["spec"]["ports"][0]["name"], "http");
    assert_eq!(
        service["spec"]["publishNotReadyAddresses"], true,
        "a missing native key is no matter of kubeseal's"
    );
    let deployment = find("Deployment", ACCOUNT);
    let pod = &deployment["spec"]["template"];
    for (label, value) in service["spec"]["selector"].as_object().unwrap() {
        assert_eq!(pod["metadata"]["labels"][label], *value);
    }
    let container = &pod["spec"]["containers"][0];
    let ports = container["ports"].as_array().unwrap();
    let port = ports.iter().find(|port| port["name"] == service["spec"]["ports"][0]["targetPort"]).unwrap();
    let flag = json!(format!("--compat-http=0.0.0.0:{}", port["containerPort"]));
    assert_eq!(container["args"], json!(["--log-format=json", "run", flag]));
    let role = find("Role", "sealed-secrets-service-proxier");
    assert!(role["rules"].as_array().unwrap().iter().all(|rule| rule["verbs"] == json!(["get"])), "{role}");
}

/// An administrator updates the definitions before the controller, and somebody already uses a new field.
#[test]
fn an_object_of_a_newer_definition_is_refused_once_and_stops_no_other() {
    let scene = scene("newer");
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sealedsecrets.sealing.dev";
    until("the new field is in the definition", || {
        let mut newer = scene.api().get(crd).unwrap();
        newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["notBefore"] =
            json!({"type": "string"});
        scene.api().replace(crd, &newer).is_ok()
    });
    let mut controller = scene.start_as_shipped();
    let mut manifest = scene.seal("newer").item("a", "1").manifest();
    manifest["spec"]["notBefore"] = json!("2027-01-01");
    until("the new field is served", || {
        let trial = scene.api().create(&format!("{}?dryRun=All", scene.sealed_secrets("")), &manifest);
        trial.is_ok_and(|object| object["spec"]["notBefore"].is_string())
    });
    // A watch that began before the update shows the object without the field.
    assert!(controller.terminate().success());
    let mut controller = scene.start_as_shipped();

    scene.commit(&manifest).unwrap();
    let message = scene.until_stalled("newer", "Malformed");
    assert!(message.contains("a field that this version doesn't know"), "{message}");
    assert_eq!(scene.secret("newer"), None);
    let before = scene.nudge("newer");
    for n in 0..3 {
        let name = format!("good-{n}");
        scene.seal(&name).item("a", "1").commit();
        scene.until_ready(&name);
    }
    assert_eq!(scene.sealed("newer"), before, "it is written again and again");

    // A controller that starts with this object serves the others, too.
    assert!(controller.terminate().success());
    let _next = scene.start_as_shipped();
    scene.seal("next").item("a", "1").commit();
    scene.until_ready("next");

    manifest["spec"].as_object_mut().unwrap().remove("notBefore");
    scene.commit(&manifest).unwrap();
    scene.until_ready("newer");
}

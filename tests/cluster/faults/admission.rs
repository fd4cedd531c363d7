//! Secrets that the API server refuses for reasons that aren't in them: a quota, a policy.
//!
//! Nothing wakes the controller when such a reason goes, so it has to try again by itself.

use seal_tests::wait::until;
use serde_json::{Value, json};

use super::applied::Applied;
use crate::cluster::kstatus::verdict;
use crate::cluster::scene::{Scene, condition, path};

const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";

/// Waits until the object is retried for this reason, and waits in the eyes of GitOps tools.
#[track_caller]
pub(super) fn until_retried(scene: &Scene<'_>, name: &str, reason: &str) -> String {
    until(&format!("{name} is retried for {reason}"), || {
        condition(&scene.sealed(name), "Reconciling").1 == reason
    });
    let object: Value = scene.sealed(name);
    assert_eq!(verdict(&object), "InProgress");
    condition(&object, "Ready").2
}

#[test]
fn a_quota_that_is_exceeded_is_waited_for() {
    let (scene, _controller) = Scene::with_controller("quota");
    let mut applied = Applied::to(&scene);
    applied.seal("before", "1");
    applied.until_it_is_so();
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "secrets"},
        "spec": {"hard": {"count/secrets": "1"}},
    });
    let quotas = path("/api/v1", &scene.namespace, "resourcequotas", "");
    scene.api().create(&quotas, &quota).unwrap();
    // The control plane of the tests has no controller that counts.
    let count = |hard: &str| {
        let status = json!({"status": {"hard": {"count/secrets": hard}, "used": {"count/secrets": "1"}}});
        scene.api().merge(&format!("{quotas}/secrets/status"), &status).unwrap();
    };
    count("1");
    let probe = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe"}});
    until("the quota is in force", || {
        scene.api().create(&format!("{}?dryRun=All", scene.secrets("")), &probe).is_err()
    });
    applied.seal("beyond", "1");
    let message = until_retried(&scene, "beyond", "Forbidden");
    assert!(message.contains("quota"), "{message}");
    // What is there is healed all the same.
    scene.api().merge(&scene.secrets("before"), &json!({"data": {"a": "ZHJpZnQ="}})).unwrap();
    until("drift is healed", || scene.data("before")["a"] == b"1");
    count("5");
    applied.until_it_is_so();
}

/// A policy refuses with 422, as the validation of a Secret does, and a webhook with 403.
#[test]
fn a_policy_that_refuses_secrets_is_waited_for() {
    let (scene, _controller) = Scene::with_controller("policy");
    let mut applied = Applied::to(&scene);
    applied.seal("before", "1");
    applied.until_it_is_so();
    let name = format!("refuse-{}", scene.namespace);
    for code in ["Invalid", "Forbidden"] {
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                    "resources": ["secrets"],
                }]},
                "validations": [{"expression": "has(object.metadata.labels) && 'team' in object.metadata.labels",
                    "message": "every Secret names its team", "reason": code}],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.namespace}},
            }},
        });
        let bindings = format!("{}bindings", POLICIES.trim_end_matches("policies").to_owned() + "policy");
        scene.api().create(POLICIES, &policy).unwrap();
        scene.api().create(&bindings, &binding).unwrap();
        let probe = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe"}});
        until("the policy is in force", || {
            scene.api().create(&format!("{}?dryRun=All", scene.secrets("")), &probe).is_err()
        });
        let reason = if code == "Invalid" { "AdmissionRefused" } else { "Forbidden" };
        applied.seal(&code.to_lowercase(), "1");
        let message = until_retried(&scene, &code.to_lowercase(), reason);
        assert!(message.contains("polic") && !message.contains("team"), "{message}");
        scene.api().delete(&format!("{bindings}/{name}")).unwrap();
        scene.api().delete(&format!("{POLICIES}/{name}")).unwrap();
        applied.until_it_is_so();
    }
}

//! The shipped Deployment in a real cluster, with the image of `make image`: what only a kubelet, a scheduler and a
//! network of Pods can show. `make e2e` runs these tests, one after the other, and nothing else does.
//!
//! Not what a process under the shipped roles shows as well: that is [`crate::cluster`]. Invariant: nothing is changed
//! in what is shipped but the image's name.

mod cluster;
mod image;
mod left;
mod machine;

use std::collections::BTreeSet;
use std::process::Command;

use seal_tests::control_plane::{SANDBOX_IMAGE, succeed};
use seal_tests::toolchain;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use crate::cluster::deploy::DENIED;
use crate::sandbox::{CANARY, Sandbox, run};
use cluster::{Cluster, DEPLOYMENT, SYSTEM};

#[test]
#[ignore = "make e2e"]
fn a_pod_shows_what_was_sealed_outside_the_cluster() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("mounts");
    let value = format!("{CANARY}: \"'#\\ é\u{1f511}");
    cluster.seal(&namespace, "db", &value);
    cluster.apply(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reader", "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [{"name": "db", "secret": {"secretName": "db", "defaultMode": 0o440}}],
            "containers": [{
                "name": "reader", "image": SANDBOX_IMAGE, "args": ["/db/password"],
                "volumeMounts": [{"name": "db", "mountPath": "/db", "readOnly": true}],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    }));
    eventually("the Pod shows the value", || {
        let shown = cluster.output(["logs", "-n", &namespace, "reader"]);
        if shown == format!("{value}\n") { Ok(()) } else { Err(shown) }
    });
    for pod in cluster.pods() {
        assert!(!cluster.log(&pod).contains(CANARY), "{pod} logged a value");
    }
}

#[test]
#[ignore = "make e2e"]
fn the_pods_have_no_rights_nothing_to_write_to_and_a_log_for_machines() {
    let cluster = Cluster::shared();
    let namespace = cluster.object(["namespace", SYSTEM]);
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let pods = cluster.pods();
    assert!(pods.len() >= 2, "{pods:?}");
    for name in pods {
        let pod = cluster.object(["pod", "-n", SYSTEM, &name]);
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        // Both probes are the kubelet's. A container that a probe ended is counted.
        assert!(container["livenessProbe"].is_object() && container["readinessProbe"].is_object());
        let status = &pod["status"]["containerStatuses"][0];
        assert_eq!((&status["ready"], &status["restartCount"]), (&json!(true), &json!(0)), "{status}");
        let log = cluster.log(&name);
        assert!(!log.is_empty());
        for line in log.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(event["level"].is_string(), "{line}");
            assert_ne!(event["level"], "ERROR", "{line}");
        }
    }
}

/// A real cluster has other roles than a bare control plane, and aggregation adds to ours.
#[test]
#[ignore = "make e2e"]
fn the_controller_may_what_it_needs_and_nothing_beyond_it() {
    let cluster = Cluster::shared();
    let controller = format!("system:serviceaccount:{SYSTEM}:seal-controller");
    for what in DENIED {
        assert!(!cluster.may(&controller, what), "{what:?}");
    }
    let needed: [&[&str]; 3] = [
        &["patch", "secrets", "-n", "default"],
        &["watch", "sealedsecrets.sealing.dev", "--all-namespaces"],
        &["update", "leases.coordination.k8s.io/seal-controller", "-n", SYSTEM],
    ];
    for what in needed {
        assert!(cluster.may(&controller, what), "{what:?}");
    }
}

/// make and the supervisor are real; cargo is left out, because what it would build is built.
#[test]
fn where_no_node_can_run_make_says_why_and_fails_only_if_it_must_run() {
    let programs = tempfile::tempdir().unwrap();
    for (name, program) in [("bash", "/bin/bash"), ("sh", "/bin/sh"), ("cargo", "/bin/true")] {
        std::os::unix::fs::symlink(program, programs.path().join(name)).unwrap();
    }
    let make = |required: Option<&str>| {
        let mut make = Command::new("/usr/bin/make");
        make.args(["--no-print-directory", "e2e"]).current_dir(toolchain::repository());
        make.env_clear().env("PATH", programs.path());
        make.envs(required.map(|value| ("SEAL_E2E_REQUIRED", value)));
        let run = run(&mut make, b"");
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let why = said.strip_prefix("make e2e: not run: ").unwrap_or_else(|| panic!("{said}{}", run.stderr));
        assert!(!why.trim().is_empty());
        run.code
    };
    assert_eq!([None, Some(""), Some("1")].map(make), [0, 0, 2]);
}

#[test]
#[ignore = "make e2e"]
fn another_replica_leads_when_the_leaders_pod_is_killed() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("killed");
    let leader = cluster.leader();
    succeed(&mut cluster.kubectl(["delete", "pod", "-n", SYSTEM, &leader, "--grace-period=0", "--force"]));
    cluster.seal(&namespace, "after", CANARY);
    assert_ne!(cluster.leader(), leader);
    cluster.rolled_out();
}

#[test]
#[ignore = "make e2e"]
fn an_update_rolls_and_secrets_are_made_all_the_while() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("rolls");
    let before: BTreeSet<_> = cluster.pods().into_iter().collect();
    succeed(&mut cluster.kubectl(["rollout", "restart", "-n", SYSTEM, DEPLOYMENT]));
    let mut made = 0;
    loop {
        cluster.seal(&namespace, &format!("during-{made}"), CANARY);
        made += 1;
        let status = &cluster.deployment()["status"];
        assert!(status["availableReplicas"].as_u64() >= Some(1), "nobody is there: {status}");
        if before.is_disjoint(&cluster.pods().into_iter().collect()) {
            break;
        }
        assert!(made < 1000, "the update doesn't end");
    }
    cluster.rolled_out();
    cluster.seal(&namespace, "after", CANARY);
}

#[test]
#[ignore = "make e2e"]
fn an_update_that_does_not_start_stops_before_it_takes_a_running_replica() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("broken");
    let before: BTreeSet<_> = cluster.pods().into_iter().collect();
    let broken =
        json!([{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--no-such-flag"}]);
    let patch = ["patch", "-n", SYSTEM, DEPLOYMENT, "--type=json", "-p"];
    succeed(cluster.kubectl(patch).arg(broken.to_string()));
    until("the new Pod fails", || {
        let pods = cluster.object(["pods", "-n", SYSTEM]);
        pods["items"].as_array().unwrap().iter().any(|pod| {
            let status = &pod["status"]["containerStatuses"][0];
            status["restartCount"].as_u64() >= Some(1)
        })
    });
    cluster.seal(&namespace, "still", CANARY);
    let after: BTreeSet<_> = cluster.pods().into_iter().collect();
    assert_eq!(after.intersection(&before).count(), before.len(), "a running replica was taken");
    succeed(&mut cluster.kubectl(["rollout", "undo", "-n", SYSTEM, DEPLOYMENT]));
    cluster.rolled_out();
}

#[test]
#[ignore = "make e2e"]
fn the_real_kubeseal_finds_the_certificate_through_the_service() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("kubeseal");
    let sandbox = Sandbox::new();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "peer", "namespace": namespace},
        "stringData": {"password": CANARY},
    });
    sandbox.write("secret.json", secret.to_string());
    let mut kubeseal = Command::new(toolchain::bin("kubeseal"));
    kubeseal
        .args(["--controller-namespace", SYSTEM, "--secret-file", "secret.json", "--kubeconfig"])
        .arg(cluster.kubeconfig())
        .current_dir(sandbox.dir());
    let sealed = succeed(&mut kubeseal).stdout;
    cluster.apply(&serde_json::from_slice(&sealed).unwrap());
    cluster.until_visible(&namespace, "peer", CANARY);
}

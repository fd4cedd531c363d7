//! Each side's controller opens what the other side seals, on a real API server, and each side's command line
//! asks the other's controller.
//!
//! Not the format's corners, which need no cluster ([`super::format`]). Invariant: every case, in every scope, to
//! both keys, in both directions.

use seal_crds::scope::Scope;
use serde_json::Value;

use super::cases::{self, Case};
use super::clients::Client;
use super::format::{sealed_by_our_programs, sealed_by_them, sealed_by_us};
use super::keys::{KEYS, Key};
use super::stage::{BITNAMI, Object, Stage};

/// Every case in every scope, sealed to every key, in a namespace for each scope and key. Cluster-wide objects
/// are sealed for another namespace.
pub(crate) fn objects(prefix: &str, seal: impl Fn(&Case, &str, Scope, &Key) -> Value) -> Vec<Object> {
    let mut objects = Vec::new();
    for key in &KEYS {
        for scope in Scope::ALL {
            let namespace = format!("{prefix}-{scope}-{}", key.bits);
            let sealed_for = if scope == Scope::ClusterWide { "elsewhere" } else { &namespace };
            for case in cases::sealed().into_iter().chain(cases::in_a_cluster()) {
                let mut sealed = seal(&case, sealed_for, scope, key);
                sealed["metadata"]["namespace"] = namespace.clone().into();
                objects.push(Object { namespace: namespace.clone(), case, scope, sealed });
            }
        }
    }
    objects
}

/// Seals with our programs. The contract crate seals whole Secrets, which no program does any more.
fn by_our_programs(case: &Case, namespace: &str, scope: Scope, key: &Key) -> Value {
    if case.whole {
        sealed_by_us(case, namespace, scope, key)
    } else {
        sealed_by_our_programs(case, namespace, scope, key)
    }
}

/// Seals with the real kubeseal. The contract crate seals whole Secrets here too.
pub(crate) fn by_kubeseal(case: &Case, namespace: &str, scope: Scope, key: &Key) -> Value {
    if case.whole {
        sealed_by_us(case, namespace, scope, key)
    } else {
        sealed_by_them(case, namespace, scope, key)
    }
}

#[test]
fn what_one_side_seals_the_others_controller_opens_and_its_command_line_asks() {
    let stage = Stage::new();
    let by_us = objects("ours", by_our_programs);
    stage.add(&by_us);
    let theirs = stage.theirs();
    stage.until_right(&by_us);
    stage.until_all(BITNAMI, "Synced", &by_us);
    Client::ours(&stage).exercise();
    theirs.terminate();

    let by_them = objects("theirs", by_kubeseal);
    stage.add(&by_them);
    let _ours = stage.ours();
    Client::theirs(&stage).exercise();
    stage.until_right(&by_them);
    stage.until_all(BITNAMI, "Synced", &by_them);
    stage.until_all(BITNAMI, "Ready", &by_them);
}

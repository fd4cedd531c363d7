//! What a test has applied, and the comparison of the cluster with it.
//!
//! Invariant: the comparison sees every SealedSecret of either group and every Secret of the namespace, so what is lost
//! shows as well as what is there without a reason.

use std::collections::BTreeMap;
use std::time::Duration;

use seal_tests::api::Refused;
use seal_tests::wait::{eventually, within};
use serde_json::{Value, json};

use crate::cluster::scene::{Scene, condition, items, path};

/// How long hundreds of objects may take, after a fault, on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(240);

/// The state that the cluster has to reach.
pub(crate) struct Applied<'s> {
    scene: &'s Scene<'s>,
    /// The values of each Secret, as base64, by its name.
    secrets: BTreeMap<String, Value>,
    /// The reason for which an object without a Secret is Stalled, by its name.
    refused: BTreeMap<String, &'static str>,
}

impl<'s> Applied<'s> {
    pub(crate) fn to(scene: &'s Scene<'s>) -> Self {
        Self { scene, secrets: BTreeMap::new(), refused: BTreeMap::new() }
    }

    /// Seals a Secret of one item, and commits it. An object that was there becomes this one.
    pub(crate) fn seal(&mut self, name: &str, value: &str) {
        let sealing = self.scene.seal(name).item("a", value);
        self.commit(name, &sealing.manifest(), value);
    }

    /// Commits an object whose Secret has one item of this value.
    pub(crate) fn commit(&mut self, name: &str, manifest: &Value, value: &str) {
        self.expect(name, value);
        eventually(&format!("{name} is applied"), || self.scene.commit(manifest));
    }

    /// Expects a Secret of one item.
    pub(crate) fn expect(&mut self, name: &str, value: &str) {
        use base64::Engine as _;
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        self.secrets.insert(name.to_owned(), json!({"a": value}));
    }

    /// Expects an object that is Stalled, and no Secret.
    pub(crate) fn refuse(&mut self, name: &str, reason: &'static str) {
        self.refused.insert(name.to_owned(), reason);
    }

    /// Deletes an object, and its Secret with it.
    pub(crate) fn delete(&mut self, name: &str) {
        self.secrets.remove(name);
        self.remove(&self.scene.sealed_secrets(name));
    }

    /// Deletes what is at a path. It may be gone if an earlier try had no answer.
    fn remove(&self, path: &str) {
        let mut is_first = true;
        eventually(&format!("{path} is deleted"), || {
            match (self.scene.api().delete(path), std::mem::replace(&mut is_first, false)) {
                (Err(Refused { code: 404, .. }), false) => Ok(()),
                (deleted, _) => deleted,
            }
        });
    }

    /// Seals the objects of [`Self::change`], and waits until the cluster is as it was applied.
    #[track_caller]
    pub(crate) fn begin(&mut self) {
        ["changed", "drifted", "deleted", "going"].into_iter().for_each(|name| self.seal(name, "0"));
        self.until_it_is_so();
    }

    /// Changes of every kind, which a controller doesn't hear of at once if it has no contact or no watch: an object that
    /// changes, one that is new, a Secret that drifts, one that is deleted, and an object that goes.
    pub(crate) fn change(&mut self, value: &str) {
        self.seal("changed", value);
        self.seal(&format!("new-{value}"), value);
        let drift = json!({"data": {"a": "ZHJpZnQ="}});
        eventually("a Secret drifts", || self.scene.api().merge(&self.scene.secrets("drifted"), &drift));
        self.remove(&self.scene.secrets("deleted"));
        self.delete("going");
    }

    /// The names of the Secrets.
    pub(crate) fn names(&self) -> Vec<String> {
        self.secrets.keys().cloned().collect()
    }

    /// Waits until the cluster is exactly this.
    #[track_caller]
    pub(crate) fn until_it_is_so(&self) {
        within(PATIENCE, "the cluster is what was applied", || match self.differences().as_slice() {
            [] => Ok(()),
            all => Err(format!("{} differences: {}", all.len(), all[..all.len().min(5)].join("; "))),
        });
    }

    /// How the cluster differs from this, one difference a line.
    pub(crate) fn differences(&self) -> Vec<String> {
        let scene = self.scene;
        let list = |path: &str| scene.api().get(path).unwrap_or_default();
        let secrets = list(&scene.secrets(""));
        let native = list(&scene.sealed_secrets(""));
        let bitnami = list(&path("/apis/bitnami.com/v1alpha1", &scene.namespace, "sealedsecrets", ""));
        let mut all = Vec::new();
        let mut objects = BTreeMap::new();
        for object in items(&native).iter().chain(items(&bitnami)) {
            objects.insert(name(object), object);
        }
        let mut found = BTreeMap::new();
        for secret in items(&secrets) {
            found.insert(name(secret), secret);
        }
        for (name, object) in &objects {
            let (status, reason, _) = condition(object, "Ready");
            let is_seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let expected = match (self.secrets.contains_key(*name), self.refused.get(*name)) {
                (true, _) => ("True", "InSync"),
                (false, Some(reason)) => ("False", *reason),
                (false, None) => {
                    all.push(format!("{name} is there, and nobody applied it"));
                    continue;
                }
            };
            if !is_seen || (status.as_str(), reason.as_str()) != expected {
                all.push(format!("{name} says {status} {reason}, seen: {is_seen}"));
            }
        }
        for (name, values) in &self.secrets {
            let Some(object) = objects.get(name.as_str()) else {
                all.push(format!("SealedSecret {name} is lost"));
                continue;
            };
            let Some(secret) = found.remove(name.as_str()) else {
                all.push(format!("Secret {name} is lost"));
                continue;
            };
            if secret["data"] != *values {
                all.push(format!("Secret {name} has other values"));
            }
            let owners = secret["metadata"]["ownerReferences"].as_array().map_or(&[][..], Vec::as_slice);
            if owners.len() != 1 || owners[0]["uid"] != object["metadata"]["uid"] {
                all.push(format!("Secret {name} has other owners"));
            }
        }
        let missing = self.refused.keys().filter(|name| !objects.contains_key(name.as_str()));
        all.extend(missing.map(|name| format!("SealedSecret {name} is lost")));
        all.extend(found.keys().map(|name| format!("Secret {name} is there, and nobody asked for it")));
        all
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("every object has a name")
}

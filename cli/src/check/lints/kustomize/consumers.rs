//! Names of Secrets that workloads refer to: environment, volumes, pull secrets, TLS of an Ingress.
//!
//! kustomize knows these references and lets them follow a Secret that it renames. It doesn't know that a SealedSecret
//! becomes a Secret. Invariant: only fields that Kubernetes itself reads as the name of a Secret are references here;
//! kinds of other groups have fields of their own, and aren't guessed at.

use seal_documents::manifest::{Manifest, Object};
use seal_documents::yaml::tree::{NodeId, Tree};

use super::kustomization::items;

/// The kinds that have such fields, all of Kubernetes' own.
const KINDS: [&str; 11] = [
    "Pod",
    "PodTemplate",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "ServiceAccount",
    "Ingress",
];

/// A field that names a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference<'t> {
    pub(super) name: &'t str,
    /// The byte of the name.
    pub(super) at: usize,
}

/// The references of an object; none unless it is one of Kubernetes' own kinds.
pub(super) fn references<'t>(manifest: &'t Manifest<'_>, object: &Object) -> Vec<Reference<'t>> {
    let tree = manifest.tree(object);
    let field =
        |key: &str| tree.get(object.node, key).and_then(|value| tree.scalar(value)).unwrap_or_default();
    let group = field("apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    let is_own = matches!(group, "" | "apps" | "batch" | "networking.k8s.io" | "extensions");
    if !is_own || !KINDS.contains(&field("kind")) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for node in std::iter::once(object.node).chain(tree.beneath(object.node)) {
        // An alias is its target's business, which is in the same object.
        let seal_documents::yaml::tree::NodeKind::Mapping { entries, .. } = &tree.node(node).kind else {
            continue;
        };
        for &(key, value) in entries {
            match tree.scalar(key) {
                Some("secretKeyRef" | "secretRef") => found.extend(name(tree, tree.get(value, "name"))),
                // A volume, and a source of a projected one.
                Some("secret") => {
                    found.extend(name(tree, tree.get(value, "secretName")));
                    found.extend(name(tree, tree.get(value, "name")));
                }
                Some("imagePullSecrets" | "secrets") => {
                    let names = items(tree, value).iter();
                    found.extend(names.filter_map(|item| name(tree, tree.get(*item, "name"))));
                }
                Some("tls") => {
                    let names = items(tree, value).iter();
                    found.extend(names.filter_map(|item| name(tree, tree.get(*item, "secretName"))));
                }
                _ => {}
            }
        }
    }
    found.sort_by_key(|reference| reference.at);
    found
}

fn name<'t>(tree: &'t Tree<'_>, node: Option<NodeId>) -> Option<Reference<'t>> {
    let node = node?;
    Some(Reference { name: tree.scalar(node)?, at: tree.range(node).start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_documents::source::Source;
    use zeroize::Zeroizing;

    fn names(text: &str) -> Vec<String> {
        let source = Source::new("f".to_owned(), Zeroizing::new(text.to_owned()));
        let manifest = Manifest::parse(&source).unwrap();
        let found = manifest.objects.iter().flat_map(|object| references(&manifest, object));
        found.map(|reference| reference.name.to_owned()).collect()
    }

    #[test]
    fn every_field_of_kubernetes_that_names_a_secret_is_a_reference() {
        let deployment = "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      imagePullSecrets: [{name: pull}]\n      \
             containers:\n      - envFrom: [{secretRef: {name: from}}]\n        env: [{name: A, valueFrom: {secretKeyRef: {name: \
             key, key: a}}}]\n      volumes:\n      - {name: v, secret: {secretName: volume}}\n      - {name: p, projected: \
             {sources: [{secret: {name: source}}]}}\n";
        assert_eq!(names(deployment), ["pull", "from", "key", "volume", "source"]);
        let ingress =
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec: {tls: [{hosts: [a], secretName: tls}]}\n";
        assert_eq!(names(ingress), ["tls"]);
        let account = "apiVersion: v1\nkind: ServiceAccount\nsecrets: [{name: token}]\n";
        assert_eq!(names(account), ["token"]);
    }

    #[test]
    fn other_kinds_are_not_guessed_at() {
        for text in [
            "apiVersion: cert-manager.io/v1\nkind: Certificate\nspec: {secretRef: {name: x}}\n",
            "apiVersion: example.com/v1\nkind: Deployment\nspec: {secretRef: {name: x}}\n",
            "apiVersion: v1\nkind: ConfigMap\ndata: {secretRef: x}\n",
        ] {
            assert!(names(text).is_empty(), "{text}");
        }
    }
}

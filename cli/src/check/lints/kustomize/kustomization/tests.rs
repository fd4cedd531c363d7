//! Files of kustomize as people write them, and what is read of them.

use super::*;

fn read(text: &str) -> Kustomization {
    let load = |path: &str| {
        let text = match path {
            "a/deployment-patch.yaml" => "kind: Deployment\nmetadata: {name: app}\nspec: {replicas: 2}\n",
            "a/move.yaml" => "- {op: replace, path: /metadata/namespace, value: x}\n",
            "a/namespace.yaml" => {
                "apiVersion: builtin\nkind: NamespaceTransformer\nmetadata: {name: n, namespace: staging}\n"
            }
            "a/references.yaml" => {
                "nameReference:\n- kind: SealedSecret\n  fieldSpecs: [{path: spec/secretName}]\n"
            }
            "a/unread.yaml" => return Loaded::Unread,
            _ => return Loaded::Absent,
        };
        Loaded::Text(text)
    };
    Kustomization::read("a/kustomization.yaml", text, &load)
}

#[test]
fn resources_bases_and_components_are_paths_of_the_repository() {
    let read =
        read("resources: [x.yaml, ../base, https://example.com/y]\nbases: [./old]\ncomponents: [../part]\n");
    assert_eq!(read.resources, ["a/x.yaml", "base", "a/old"]);
    assert_eq!(read.components, ["part"]);
    assert!(read.change.is_certain);
    assert_eq!(read.unfollowed, ["a/kustomization.yaml:1: https://example.com/y"]);
}

#[test]
fn a_change_has_the_lines_that_make_it() {
    let change = read("namePrefix: dev-\nnameSuffix: -v2\nnamespace: staging\n").change;
    assert_eq!((change.name("db").as_str(), change.namespace.as_deref()), ("dev-db-v2", Some("staging")));
    let lines = ["a/kustomization.yaml:1", "a/kustomization.yaml:2", "a/kustomization.yaml:3"];
    assert_eq!(change.by, lines);
    assert!(read("namespace: ''\nnamePrefix:\nlabels: [{pairs: {a: b}}]\nimages: []\n").change.is_none());
}

#[test]
fn kustomizes_own_transformers_are_followed() {
    let change = read("transformers: [namespace.yaml]\n").change;
    assert_eq!((change.namespace.as_deref(), change.is_certain), (Some("staging"), true));
    let prefix = "transformers:\n- |-\n  apiVersion: builtin\n  kind: PrefixTransformer\n  prefix: dev-\n  fieldSpecs: \
                  [{path: metadata/name}]\n";
    assert_eq!(read(prefix).change.name("db"), "dev-db");
    for doubtful in ["transformers: [plugin.yaml]\n", &prefix.replace("metadata/name", "spec/name")] {
        assert!(!read(doubtful).change.is_certain, "{doubtful}");
    }
}

#[test]
fn a_patch_counts_only_if_it_may_move_a_sealed_secret() {
    for harmless in [
        "patches: [{path: deployment-patch.yaml}]",
        "patchesStrategicMerge: [deployment-patch.yaml]",
        "patches: [{target: {kind: Deployment}, path: move.yaml}]",
        "patches: [{target: {kind: Deployment}, path: missing.yaml}]",
        "patches: [{path: unread.yaml}]",
        "configurations: [unread.yaml]",
        "patches: [{target: {kind: SealedSecret}, patch: '[{op: add, path: /metadata/annotations/a, value: b}]'}]",
        "replacements: [{source: {kind: ConfigMap}, targets: [{select: {kind: Deployment}, fieldPaths: [metadata.name]}]}]",
        "replacements: [{targets: [{select: {kind: SealedSecret}, fieldPaths: [spec.template.type]}]}]",
    ] {
        assert!(read(harmless).change.is_certain, "{harmless}");
    }
    for doubtful in [
        "patches: [{path: move.yaml}]",
        "patches: [{target: {kind: SealedSecret}, path: move.yaml}]",
        "patches: [{target: {kind: 'Sealed.*'}, path: move.yaml}]",
        "patches: [{target: {name: db}, patch: '[{op: replace, path: /metadata/name, value: x}]'}]",
        "patches: [{path: missing.yaml}]",
        "patches: [{patch: '{kind: SealedSecret, $patch: delete}'}]",
        "replacements: [{targets: [{select: {kind: SealedSecret}, fieldPaths: [metadata.namespace]}]}]",
        "replacements: [{targets: [{select: {name: x}}]}]",
        "replacements: [{path: missing.yaml}]",
    ] {
        assert!(!read(doubtful).change.is_certain, "{doubtful}");
    }
}

#[test]
fn what_is_not_followed_is_a_doubt_and_never_a_guess() {
    for doubtful in [
        "namespace: ${ns}\n",
        "components: [https://example.com/x]\n",
        "configurations: [missing.yaml]\n",
        "unknownField: x\n",
        "a: [\n",
        "a: 1\n---\nb: 2\n",
        "",
    ] {
        let read = read(doubtful);
        assert!(!read.change.is_certain && !read.unfollowed.is_empty(), "{doubtful}");
    }
    let references = read("configurations: [references.yaml]\n");
    assert!(references.change.is_certain && references.change.keeps_references);
    let charts = read("helmCharts: [{name: x}]\n");
    assert!(charts.change.is_certain && charts.unfollowed.len() == 1);
}

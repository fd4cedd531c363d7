//! Kustomizations that change what a SealedSecret is bound to, and those that do not.

use std::collections::BTreeSet;

use seal_crds::Scope;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::*;
use crate::check::lints::samples::{manifest, recipient, spec, strict};
use crate::check::scanned::{Origin, Scanned};

/// `rule severity path: message` of each finding in some files.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    followed(files)
        .findings
        .iter()
        .map(|found| {
            format!("{} {} {}: {}", found.lint.name(), found.severity.as_str(), found.path, found.message)
        })
        .collect()
}

fn followed(files: &[(&str, &str)]) -> Followed {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::new((*path).to_owned(), Zeroizing::new((*text).to_owned())))
        .collect();
    let scanned =
        sources.iter().map(|source| Scanned::manifest(&source.name, source, Origin::Tree)).collect();
    let paths: BTreeSet<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
    let context = Context::new(scanned, paths, 0);
    let objects: Vec<Sealed<'_>> = context.tree().flat_map(crate::check::lints::sealed).collect();
    follow(&context, &objects, &files.iter().map(|(path, _)| *path).collect())
}

const APP: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  template:\n    spec:\n      containers:\n      \
                   - envFrom: [{secretRef: {name: db}}]\n";

/// The changes that kustomize makes to a SealedSecret, as they were tried.
#[test]
fn a_namespace_and_a_prefix_change_what_is_sealed_and_leave_references_behind() {
    let db = strict("prod/db");
    let files = [
        ("base/kustomization.yaml", "resources: [db.yaml, app.yaml]\n"),
        ("base/db.yaml", &db),
        ("base/app.yaml", APP),
        (
            "staging/kustomization.yaml",
            "resources: [../base]\nnamespace: staging\nnamePrefix: dev-\nnameSuffix: -v2\n",
        ),
    ];
    let lines = "staging/kustomization.yaml:2, staging/kustomization.yaml:3, staging/kustomization.yaml:4";
    let expected = [
        format!(
            "transformed error base/db.yaml: prod/db becomes staging/dev-db-v2 ({lines}), and opens as prod/db only"
        ),
        format!(
            "stale-reference warning base/app.yaml: Deployment app names Secret db, which becomes dev-db-v2 ({lines})"
        ),
    ];
    assert_eq!(found(&files), expected);
    let [first, ..] = &followed(&files).findings[..] else { panic!() };
    assert_eq!(first.related, ["staging/kustomization.yaml"]);
}

#[test]
fn what_changes_no_bound_part_is_no_finding() {
    let db = strict("prod/db");
    let wide = |scope| manifest("{name: db, namespace: prod}", &spec("prod/db", scope, &[&recipient()]));
    let (namespaced, cluster) = (wide(Scope::NamespaceWide), wide(Scope::ClusterWide));
    let open = db.replace(", namespace: prod", "");
    let later = db.replace("{name: db, namespace: prod}", "{name: \"${x}\", namespace: \"${y}\"}");
    for (object, kustomization) in [
        (&db, "resources: [db.yaml]\nnamespace: prod\n"),
        (&db, "resources: [db.yaml]\nlabels: []\nimages: []\n"),
        (&db, "resources: []\nnamespace: staging\n"),
        (&open, "resources: [db.yaml]\nnamespace: staging\n"),
        (&later, "resources: [db.yaml]\nnamespace: staging\nnamePrefix: dev-\n"),
        (&namespaced, "resources: [db.yaml]\nnamePrefix: dev-\n"),
        (&cluster, "resources: [db.yaml]\nnamespace: staging\nnamePrefix: dev-\n"),
    ] {
        assert!(
            found(&[("a/kustomization.yaml", kustomization), ("a/db.yaml", object)]).is_empty(),
            "{kustomization}"
        );
    }
    let moved = found(&[
        ("a/kustomization.yaml", "resources: [db.yaml]\nnamespace: x\n"),
        ("a/db.yaml", &namespaced),
    ]);
    assert_eq!(moved.len(), 1);
}

#[test]
fn an_object_without_a_namespace_opens_in_one_namespace_only() {
    let open = strict("prod/db").replace(", namespace: prod", "");
    let files = [
        ("base/kustomization.yaml", "resources: [db.yaml]\n"),
        ("base/db.yaml", open.as_str()),
        ("dev/kustomization.yaml", "resources: [../base]\nnamespace: dev\n"),
        ("prod/kustomization.yaml", "resources: [../base]\nnamespace: prod\n"),
    ];
    let expected = "transformed error base/db.yaml: db is deployed to dev (dev/kustomization.yaml:2) and prod \
                    (prod/kustomization.yaml:2), and opens in one namespace only";
    assert_eq!(found(&files), [expected]);
    assert!(found(&files[..3]).is_empty());
}

#[test]
fn flux_and_argo_cd_change_places_too() {
    let db = strict("prod/db");
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec:\n  path: ./apps\n  \
                targetNamespace: staging\n  sourceRef: {kind: GitRepository, name: flux-system}\n";
    let argo = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  source: {repoURL: x, path: \
                apps, kustomize: {namePrefix: dev-}}\n  destination: {namespace: other}\n";
    for (deployer, becomes) in [(flux, "staging/db"), (argo, "prod/dev-db")] {
        let found = found(&[("flux.yaml", deployer), ("apps/db.yaml", &db)]);
        assert!(
            found.len() == 1 && found[0].contains(&format!("prod/db becomes {becomes} (flux.yaml:")),
            "{found:?}"
        );
    }
    // A destination is for objects without a namespace.
    let plain = argo.replace(", kustomize: {namePrefix: dev-}", "");
    assert!(found(&[("argo.yaml", &plain), ("apps/db.yaml", &db)]).is_empty());
}

#[test]
fn a_kustomization_that_is_not_followed_is_a_note_and_is_counted() {
    let db = strict("prod/db");
    let files = [
        ("a/kustomization.yaml", "resources: [db.yaml]\ntransformers: [plugin.yaml]\n"),
        ("a/db.yaml", db.as_str()),
    ];
    let followed = followed(&files);
    assert_eq!(followed.findings.len(), 1);
    assert_eq!(followed.findings[0].severity, Severity::Note);
    assert_eq!(followed.unfollowed.len(), 1);
}

#[test]
fn a_reference_that_finds_a_secret_is_not_stale() {
    let wide = manifest("{name: db, namespace: prod}", &spec("prod/db", Scope::ClusterWide, &[&recipient()]));
    let count = |kustomization: &str, more: &[(&str, &str)]| {
        let mut files =
            vec![("a/kustomization.yaml", kustomization), ("a/db.yaml", wide.as_str()), ("a/app.yaml", APP)];
        files.extend(more);
        found(&files).len()
    };
    assert_eq!(count("resources: [db.yaml, app.yaml]\nnamePrefix: dev-\n", &[]), 1);
    assert_eq!(count("resources: [db.yaml, app.yaml]\nnamespace: x\n", &[]), 0);
    assert_eq!(count("resources: [db.yaml]\nnamePrefix: dev-\n", &[]), 0);
    let generated = "resources: [db.yaml, app.yaml]\nnamePrefix: dev-\nsecretGenerator: [{name: db}]\n";
    assert_eq!(count(generated, &[]), 0);
    let configured = "resources: [db.yaml, app.yaml]\nnamePrefix: dev-\nconfigurations: [names.yaml]\n";
    let names = "nameReference:\n- kind: SealedSecret\n  fieldSpecs: [{path: spec/template/spec/containers/envFrom/secretRef/name}]\n";
    assert_eq!(count(configured, &[("a/names.yaml", names)]), 0);
    let plain = "resources: [db.yaml, app.yaml, s.yaml]\nnamePrefix: dev-\n";
    assert_eq!(count(plain, &[("a/s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n")]), 0);
}

#[test]
fn the_namespace_of_objects_that_name_none_is_known_where_something_says_it() {
    let files = [
        ("base/kustomization.yaml", "resources: [db.yaml]\n"),
        ("base/db.yaml", ""),
        (
            "overlays/dev/kustomization.yaml",
            "namePrefix: dev-\nnamespace: web-dev\nresources: [../../base, own.yaml]\n",
        ),
        ("overlays/dev/own.yaml", ""),
        // Not listed yet.
        ("overlays/dev/new.yaml", ""),
        ("overlays/prod/kustomization.yaml", "resources: [../../base]\nnamespace: web-prod\n"),
        ("outer/kustomization.yaml", "resources: [../inner]\nnamespace: outer\n"),
        ("inner/kustomization.yaml", "resources: [db.yaml]\nnamespace: inner\n"),
        ("inner/db.yaml", ""),
        ("flux.yaml", &flux_target("apps", "flux-ns")),
        ("apps/db.yaml", ""),
        ("loose/db.yaml", ""),
    ];
    let given = followed(&files).given;
    let of = |file: &str| {
        let given = given.get(file).cloned().unwrap_or_default();
        given.into_iter().map(|(namespace, by)| format!("{namespace} {by}")).collect::<Vec<_>>()
    };
    let dev = "web-dev overlays/dev/kustomization.yaml:2";
    assert_eq!(of("overlays/dev/own.yaml"), [dev]);
    assert_eq!(of("overlays/dev/new.yaml"), [dev]);
    assert_eq!(of("base/db.yaml"), [dev, "web-prod overlays/prod/kustomization.yaml:2"]);
    assert_eq!(of("inner/db.yaml"), ["outer outer/kustomization.yaml:2"]);
    assert_eq!(of("apps/db.yaml"), ["flux-ns flux.yaml:6"]);
    assert_eq!(of("loose/db.yaml"), [""; 0]);
}

fn flux_target(path: &str, namespace: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: a, namespace: flux-system}}\n\
         spec:\n  path: ./{path}\n  targetNamespace: {namespace}\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n"
    )
}

//! What a kustomization does to names and namespaces, in small repositories.

use super::*;
use crate::check::lints::Loaded;

fn render_of(files: &[(&str, &str)], deployed: &[Deployed]) -> Rendered {
    let load = |path: &str| match files.iter().find(|(known, _)| *known == path) {
        Some((_, text)) => Loaded::Text(text),
        None => Loaded::Absent,
    };
    let paths: Paths<'_> = files.iter().map(|(path, _)| *path).collect();
    let kustomizations = files
        .iter()
        .filter(|(path, _)| crate::check::lints::kustomize::paths::is_kustomization(path))
        .map(|(path, text)| (directory(path).to_owned(), Kustomization::read(path, text, &load)))
        .collect();
    render(&paths, &kustomizations, deployed)
}

/// `file namespace name-of-db` of each file of each deployment.
fn lines(rendered: &Rendered) -> Vec<String> {
    let line = |by: &str, deploys: &Deploys| {
        let Deploys { file, change } = deploys;
        let doubt = if change.is_certain { "" } else { "?" };
        format!("{by}: {file} {}/{}{doubt}", change.namespace.as_deref().unwrap_or("-"), change.name("db"))
    };
    rendered
        .deployments
        .iter()
        .flat_map(|found| found.files.iter().map(|deploys| line(&found.by, deploys)))
        .collect()
}

#[test]
fn an_overlay_changes_what_its_base_has() {
    let rendered = render_of(
        &[
            ("base/kustomization.yaml", "resources: [db.yaml]\nnameSuffix: -v2"),
            ("base/db.yaml", ""),
            ("dev/kustomization.yaml", "resources: [../base, own.yaml]\nnamespace: dev\nnamePrefix: dev-"),
            ("dev/own.yaml", ""),
            ("prod/kustomization.yaml", "resources: [../base]\nnamespace: prod"),
        ],
        &[],
    );
    let expected =
        ["dev: base/db.yaml dev/dev-db-v2", "dev: dev/own.yaml dev/dev-db", "prod: base/db.yaml prod/db-v2"];
    assert_eq!(lines(&rendered), expected);
    assert!(rendered.unfollowed.is_empty());
}

#[test]
fn a_component_changes_the_objects_of_its_user() {
    let rendered = render_of(
        &[
            ("a/kustomization.yaml", "resources: [db.yaml]\ncomponents: [../part]\nnamespace: a"),
            ("a/db.yaml", ""),
            ("part/kustomization.yaml", "kind: Component\nresources: [own.yaml]\nnamePrefix: part-"),
            ("part/own.yaml", ""),
        ],
        &[],
    );
    assert_eq!(lines(&rendered), ["a: a/db.yaml a/part-db", "a: part/own.yaml a/part-db"]);
    let missing = render_of(
        &[("a/kustomization.yaml", "resources: [db.yaml]\ncomponents: [../none]"), ("a/db.yaml", "")],
        &[],
    );
    assert_eq!(lines(&missing), ["a: a/db.yaml -/db?"]);
}

#[test]
fn flux_and_argo_cd_put_their_options_in_place_of_the_kustomizations() {
    let said = |text: &str| Some(Said { text: text.to_owned(), by: "flux.yaml:1".to_owned() });
    let deployed = Deployed {
        directory: "apps".to_owned(),
        by: "flux.yaml:1".to_owned(),
        namespace: said("target"),
        prefix: said("f-"),
        is_deep: true,
        is_certain: true,
        ..Deployed::default()
    };
    let files = [
        ("apps/kustomization.yaml", "resources: [db.yaml]\nnamespace: own\nnamePrefix: own-"),
        ("apps/db.yaml", ""),
    ];
    assert_eq!(
        lines(&render_of(&files, std::slice::from_ref(&deployed))),
        ["flux.yaml:1: apps/db.yaml target/f-db"]
    );
    let plain = [
        ("apps/db.yaml", ""),
        ("apps/x/y.yaml", ""),
        ("apps/k/kustomization.yaml", "resources: [z.yaml]"),
        ("apps/k/z.yaml", ""),
        ("apps/notes.md", ""),
    ];
    let expected = ["apps/db.yaml", "apps/k/z.yaml", "apps/x/y.yaml"]
        .map(|file| format!("flux.yaml:1: {file} target/f-db"));
    assert_eq!(lines(&render_of(&plain, std::slice::from_ref(&deployed))), expected);
    let shallow = Deployed { is_deep: false, ..deployed.clone() };
    let alone = ["flux.yaml:1: apps/db.yaml target/f-db", "apps/k: apps/k/z.yaml -/db"];
    assert_eq!(lines(&render_of(&plain, &[shallow])), alone);
    let elsewhere = Deployed { directory: "none".to_owned(), ..deployed };
    let rendered = render_of(&files, &[elsewhere]);
    assert_eq!(rendered.unfollowed.len(), 1);
}

#[test]
fn a_cycle_ends_and_ways_that_double_are_cut_off() {
    let cycle = render_of(
        &[
            ("top/kustomization.yaml", "resources: [../a]"),
            ("a/kustomization.yaml", "resources: [../b, db.yaml]\nnamePrefix: a-"),
            ("b/kustomization.yaml", "resources: [../a]"),
            ("a/db.yaml", ""),
        ],
        &[],
    );
    assert!(!cycle.unfollowed.is_empty());
    let mut files: Vec<(String, String)> = Vec::new();
    for level in 0..24 {
        let next = level + 1;
        files.push((format!("l{level}/kustomization.yaml"), "resources: [x, y]".to_owned()));
        for (name, prefix) in [("x", "aa"), ("y", "b")] {
            files.push((
                format!("l{level}/{name}/kustomization.yaml"),
                format!("resources: [../../l{next}]\nnamePrefix: {prefix}\n"),
            ));
        }
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let rendered = crate::cost::within(10, || render_of(&files, &[]));
    assert!(!rendered.unfollowed.is_empty());
}

//! Objects beside the rules for their files: each rule of the check that compares the two.

use seal_crds::Scope;

use super::*;
use crate::check::lints::samples::{File, bitnami, manifest, recipient, rules, spec, strict};

const RULES: &str = "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules:\n\
                     - {path: 'prod/{namespace}/**', to: [prod], scopes: [strict], types: [Opaque], max-age: 30d}\n\
                     - {path: 'none/**', to: none}\n";

fn found_by(rules_text: &str, path: &str, text: &str) -> Vec<&'static str> {
    let governing = rules(rules_text, &[("prod.pub", &recipient().to_string())]);
    let file = File::new(path, text);
    let found = file.sealed().iter().flat_map(|sealed| against_rules(sealed, &governing)).collect::<Vec<_>>();
    found.iter().map(|found| found.lint.name()).collect()
}

fn found(path: &str, text: &str) -> Vec<&'static str> {
    found_by(RULES, path, text)
}

#[test]
fn an_object_that_keeps_to_its_rule_has_no_finding() {
    assert!(found("prod/shop/db.yaml", &strict("shop/db")).is_empty());
    // The path gives the namespace when it is sealed, and kustomize may set it.
    let open = strict("shop/db").replace(", namespace: shop", "");
    assert!(found("prod/shop/db.yaml", &open).is_empty());
    let patch = "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {name: db}\nspec: {template: {type: x}}\n";
    assert!(found("prod/shop/db.yaml", patch).is_empty());
}

#[test]
fn without_a_rules_file_nothing_is_asked_and_without_a_rule_that_is_told() {
    let file = File::new("prod/shop/db.yaml", &strict("other/db"));
    assert!(against_rules(&file.sealed()[0], &Governing::default()).is_empty());
    assert_eq!(found("staging/db.yaml", &strict("shop/db")), ["no-rule"]);
}

#[test]
fn place_scope_type_and_format_are_held_against_the_rule() {
    assert_eq!(found("prod/shop/db.yaml", &strict("dev/db")), ["place"]);
    assert_eq!(found("none/db.yaml", &strict("dev/db")), ["place"]);
    let wide =
        manifest("{name: db, namespace: shop}", &spec("shop/db", Scope::NamespaceWide, &[&recipient()]));
    assert_eq!(found("prod/shop/db.yaml", &wide), ["scope"]);
    let mut typed = spec("shop/db", Scope::Strict, &[&recipient()]);
    typed.template.type_ = Some("example.com/x".to_owned());
    assert_eq!(found("prod/shop/db.yaml", &manifest("{name: db, namespace: shop}", &typed)), ["type"]);
    assert_eq!(found("prod/shop/db.yaml", &bitnami("shop/db")), ["format"]);
}

#[test]
fn a_rule_that_cannot_match_is_told_at_its_place() {
    let text = "version: 1\nrecipients: {p: {file: prod.pub}}\nrules:\n- {path: '**', to: [p]}\n- {path: 'a/**', to: [p]}\n";
    let governing = rules(text, &[("prod.pub", &recipient().to_string())]);
    let found = unreachable_rules(governing.rules.as_ref().unwrap());
    assert_eq!(
        (found.len(), found[0].lint.name(), found[0].position.unwrap().line),
        (1, "unreachable-rule", 5)
    );
    let governing = rules(RULES, &[("prod.pub", &recipient().to_string())]);
    assert!(unreachable_rules(governing.rules.as_ref().unwrap()).is_empty());
}

#[test]
fn an_item_is_too_old_by_the_oldest_commit_that_is_known() {
    let governing = rules(RULES, &[("prod.pub", &recipient().to_string())]);
    let file = File::new("prod/shop/db.yaml", &strict("shop/db"));
    let old = |days: Option<u32>| too_old(&file.sealed()[0], &governing, |_| days).len();
    assert_eq!([None, Some(30), Some(31)].map(old), [0, 0, 2]);
}

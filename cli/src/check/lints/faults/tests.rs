//! Objects that are broken on purpose, and the fault that each is told for.

use seal_crds::Scope;

use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::*;
use crate::check::lint::Severity;
use crate::check::lints::samples::{File, manifest, recipient, spec, strict};
use crate::check::scanned::Origin;

/// `rule item` of each finding.
fn found(text: &str) -> Vec<String> {
    let file = File::new("f.yaml", text);
    let found = faults(&file.manifest(), &file.sealed());
    assert!(found.iter().all(|found| found.severity == Severity::Error || found.lint == Lint::TemplatedName));
    let line = |found: &Finding| match &found.item {
        Some(item) => format!("{} {item}", found.lint.name()),
        None => found.lint.name().to_owned(),
    };
    found.iter().map(line).collect()
}

fn with(change: impl Fn(&mut seal_crds::resources::SealedSecretSpec)) -> String {
    let mut spec = spec("prod/db", Scope::Strict, &[&recipient()]);
    change(&mut spec);
    manifest("{name: db, namespace: prod}", &spec)
}

#[test]
fn a_sealed_object_has_no_fault_in_any_scope() {
    for scope in [Scope::Strict, Scope::NamespaceWide, Scope::ClusterWide] {
        let spec = spec("prod/db", scope, &[&recipient(), &recipient()]);
        assert!(found(&manifest("{name: db, namespace: prod}", &spec)).is_empty());
        // kustomize sets the namespace later.
        assert!(found(&manifest("{name: db}", &spec)).is_empty());
    }
    let patch = "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {name: db}\nspec: {template: {type: x}}\n";
    assert!(found(patch).is_empty());
}

#[test]
fn every_unused_envelope_and_every_missing_key_is_told() {
    let other = spec("prod/db", Scope::Strict, &[&recipient()]);
    let unused = with(|spec| {
        spec.envelopes.push(other.envelopes[0].clone());
        spec.envelopes.push(
            super::super::samples::spec("prod/db", Scope::Strict, &[&recipient()]).envelopes[0].clone(),
        );
    });
    assert_eq!(found(&unused), ["unused-envelope", "unused-envelope"]);
    let missing = with(|spec| spec.encrypted_data.extend(other.encrypted_data.clone()));
    // Both envelopes' items were replaced, so that the own envelope is unused too.
    assert_eq!(found(&missing), ["missing-key password", "missing-key user", "unused-envelope"]);
    let one = with(|spec| {
        spec.encrypted_data.insert("token".to_owned(), other.encrypted_data["user"].clone());
    });
    assert_eq!(found(&one), ["missing-key token"]);
}

#[test]
fn things_that_are_there_twice_are_duplicates() {
    let text = strict("prod/db");
    assert_eq!(found(&format!("{text}---\n{text}")), ["duplicate"]);
    assert!(found(&format!("{text}---\n{}", strict("dev/db"))).is_empty());
    let twice = text.replace("scope: strict", "scope: strict\n  scope: strict");
    assert_eq!(found(&twice), ["duplicate scope"]);
    let ids = with(|spec| {
        let id = spec.envelopes[0].keys[0].clone();
        spec.envelopes[0].keys.push(id);
    });
    assert_eq!(found(&ids), ["duplicate"]);
    let template = with(|spec| drop(spec.template.data.insert("user".to_owned(), "x".to_owned())));
    assert_eq!(found(&template), ["duplicate user"]);
}

#[test]
fn a_template_names_only_items_that_are_there() {
    let template =
        |text: &str| with(|spec| drop(spec.template.data.insert("url".to_owned(), text.to_owned())));
    assert!(found(&template("db://$(password)")).is_empty());
    assert_eq!(found(&template("$(pasword) $(other)")), ["template-item other", "template-item pasword"]);
    assert_eq!(found(&template("$(pass word)")), ["malformed"]);
}

#[test]
fn an_envelope_with_more_stanzas_than_names_hides_a_recipient() {
    let one = recipient();
    let both = spec("prod/db", Scope::Strict, &[&one, &recipient()]);
    let hidden = |change: &dyn Fn(&mut seal_crds::resources::SealedSecretSpec)| {
        let mut spec = both.clone();
        change(&mut spec);
        found(&manifest("{name: db, namespace: prod}", &spec))
    };
    assert_eq!(hidden(&|spec| drop(spec.envelopes[0].recipients.pop())), ["hidden-recipient"]);
    // A name twice doesn't make room for one more.
    let doubled = hidden(&|spec| spec.envelopes[0].recipients[1] = spec.envelopes[0].recipients[0].clone());
    assert_eq!(doubled, ["hidden-recipient"]);
    let extra = spec("prod/db", Scope::Strict, &[&recipient()]).envelopes[0].recipients[0].clone();
    assert_eq!(hidden(&|spec| spec.envelopes[0].recipients.push(extra.clone())), ["recipients-missing"]);
}

#[test]
fn what_no_controller_takes_is_malformed() {
    for text in [
        with(|spec| drop(spec.encrypted_data.insert("user".to_owned(), "x".to_owned()))),
        with(|spec| spec.envelopes[0].age = "AAAA".to_owned()),
        with(|spec| spec.envelopes.clear()),
        strict("prod/db").replace("scope: strict", "scope: loose"),
        strict("prod/db").replace("name: db", "name: D B"),
        strict("prod/db").replace("sealing.dev/v1alpha1", "sealing.dev/v1"),
    ] {
        let found = found(&text);
        assert!(found == ["malformed"] || text.contains("sealing.dev/v1\n"), "{found:?}");
    }
}

#[test]
fn a_name_that_is_filled_in_later_is_told_where_the_scope_binds_it() {
    let templated =
        |scope: Scope, metadata: &str| found(&manifest(metadata, &spec("prod/db", scope, &[&recipient()])));
    assert_eq!(templated(Scope::Strict, "{name: \"${x}-db\", namespace: prod}"), ["templated-name"]);
    assert_eq!(templated(Scope::NamespaceWide, "{name: db, namespace: \"{{ .x }}\"}"), ["templated-name"]);
}

#[test]
fn a_conflict_has_all_three_markers_at_the_start_of_lines() {
    let marker = |text: &str| conflict_marker("f.yaml", text).map(|found| found.at.unwrap());
    assert_eq!(marker("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n"), Some(2));
    for harmless in [
        "a: '<<<<<<< HEAD'\n=======\n>>>>>>> x\n",
        "Heading\n=======\n",
        "<<<<<<< HEAD\n>>>>>>> x\n",
        "  <<<<<<< HEAD\n  =======\n  >>>>>>> x\n",
    ] {
        assert_eq!(marker(harmless), None, "{harmless}");
    }
}

/// The rules of a whole file, whose type may be hidden.
fn found_in_file(text: &str) -> Vec<String> {
    let source = Source::new("f.yaml".to_owned(), Zeroizing::new(text.to_owned()));
    let file = Scanned::manifest("f.yaml", &source, Origin::Tree);
    let mut found = Vec::new();
    crate::check::lints::of_file(&file, &mut found);
    found.iter().map(|found| found.lint.name().to_owned()).collect()
}

#[test]
fn a_type_behind_a_tag_is_malformed_and_one_of_another_group_is_not() {
    let text = strict("prod/db");
    assert!(found_in_file(&text).is_empty());
    for hidden in [
        text.replace("kind: SealedSecret", "kind: !!binary U2VhbGVkU2VjcmV0"),
        text.replace("apiVersion: sealing.dev/v1alpha1", "apiVersion: !!binary c2VhbGluZy5kZXYvdjFhbHBoYTE="),
        text.replace("kind: SealedSecret", "!!binary a2luZA==: SealedSecret"),
        // One reader takes the first of two kinds, another the second.
        text.replace("kind: SealedSecret", "kind: ConfigMap\n<<: {kind: SealedSecret}"),
    ] {
        assert_eq!(found_in_file(&hidden), ["malformed"], "{hidden}");
    }
    for other in [
        "apiVersion: v1\nkind: ConfigMap\n",
        "apiVersion: a.b/v1\nkind: SealedSecret\n",
        "a: !!binary eA==\n",
    ] {
        assert!(found_in_file(other).is_empty(), "{other}");
    }
}

#[test]
fn what_looks_like_a_patch_and_may_bring_in_sealed_parts_is_malformed() {
    let patch = |spec: &str| {
        format!(
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: db}}\nspec:\n  {spec}\n"
        )
    };
    assert!(found(&patch("template: {type: x}")).is_empty());
    for doubtful in [
        "template: {type: x}\n  !!binary ZW5jcnlwdGVkRGF0YQ==: {a: b}",
        "template: {type: x}\n  <<: {encryptedData: {a: b}}",
        "template: {type: x, type: y}",
        "template: {type: x}\n  ? [encryptedData]\n  : {a: b}",
    ] {
        assert_eq!(found(&patch(doubtful)), ["malformed"], "{doubtful}");
    }
}

//! A fault of every rule, planted in a repository that has none, and the time that it takes to find them.
//!
//! Invariant: a rule of the table without a planted fault fails the test.

use std::collections::BTreeSet;

use seal_crds::Scope;
use seal_tests::repository::sealed::{Keys, bitnami, manifest, native, spec};
use seal_tests::repository::{RULES, files};

use super::{Fault, assert_found, commit, findings, git, git_at, seal};
use crate::sandbox::Sandbox;

/// Planted files, and what is to be found in them.
struct Planted<'s> {
    sandbox: &'s Sandbox,
    expected: BTreeSet<Fault>,
}

impl Planted<'_> {
    /// Writes a file in which one rule finds something.
    fn plant(&mut self, rule: &str, path: &str, text: impl AsRef<[u8]>) {
        self.sandbox.write(path, text);
        self.expect(rule, path);
    }

    fn expect(&mut self, rule: &str, path: &str) {
        self.expected.insert(Fault::new(rule, path));
    }
}

/// The rules, with one that can't match.
fn rules() -> String {
    let unreachable = "  - {path: \"apps/unreachable/**\", to: [prod, recovery]}\n";
    format!("{RULES}{unreachable}  - {{path: \"extra/**\", to: [extra, recovery]}}\n")
        .replace("recipients:\n", "recipients:\n  extra: {file: keys/extra.pub}\n")
}

/// Everything that stands in the first commit.
fn before(sandbox: &Sandbox, keys: &Keys) {
    sandbox.write(".seal.yaml", rules());
    sandbox.write("keys/extra.pub", format!("{}\n", keys.prod));
    sandbox.write("clusters/prod/shop/moved.yaml", native("shop/moved", &keys.both()));
    sandbox.write("clusters/prod/shop/old.yaml", native("shop/old", &keys.both()));
    sandbox.write(".seal-baseline", "# seal baseline v1\nplaintext\tgone.yaml\tshop/db\tpassword\n");
}

fn plaintext(plant: &mut Planted<'_>, keys: &Keys) {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData:\n  password: opensesame\n";
    plant.plant("plaintext", "apps/plain/db.yaml", secret);
    plant.plant("plaintext", "apps/plain/list.json", "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \
        \"v1\", \"kind\": \"Secret\", \"metadata\": {\"name\": \"a\"}, \"data\": {\"a\": \"b3BlbnNlc2FtZQ==\"}}]}\n");
    plant.plant(
        "plaintext-generator",
        "apps/generator/kustomization.yaml",
        "secretGenerator:\n- {name: a, literals: [password=opensesame]}\n- {name: b, envs: [tracked.env]}\n",
    );
    plant.sandbox.write("apps/generator/tracked.env", "PASSWORD=opensesame\n");
    let applied = "  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\
                   \"data\":{\"password\":\"b3BlbnNlc2FtZQ==\"}}'\nspec:\n";
    let annotated = native("shop/applied", &keys.both()).replacen("spec:\n", applied, 1);
    plant.plant("plaintext-annotation", "clusters/prod/shop/applied.yaml", annotated);
    let mut templated = spec("shop/template", Scope::Strict, &keys.both());
    templated.template.data.insert("db-password".to_owned(), "opensesame".to_owned());
    plant.plant(
        "plaintext-template",
        "clusters/prod/shop/template.yaml",
        manifest("shop/template", &templated),
    );
    let key = String::from_utf8(plant.sandbox.read("prod.key")).unwrap();
    plant.plant("private-key", "docs/runbook.md", format!("# Keys\n\n    {}\n", key.lines().last().unwrap()));
    plant.plant("unreadable", "apps/plain/broken.yaml", "apiVersion: v1\nkind: Secret\ndata: {a: [\n");
}

fn places(plant: &mut Planted<'_>, keys: &Keys) {
    let original = native("pay/original", &keys.both());
    plant.sandbox.write("clusters/prod/pay/original.yaml", &original);
    let copy =
        original.replace("name: original", "name: copied").replace("namespace: pay", "namespace: shop");
    plant.plant("copied", "clusters/prod/shop/copied.yaml", copy);
    let moved = String::from_utf8(plant.sandbox.read("clusters/prod/shop/moved.yaml")).unwrap();
    plant.plant("moved", "clusters/prod/shop/moved.yaml", moved.replace("name: moved", "name: renamed"));

    let kustomized = native("shop/kustomized", &keys.both());
    plant.plant("transformed", "apps/kustomized/base/db.yaml", kustomized);
    plant.plant(
        "stale-reference",
        "apps/kustomized/base/app.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {template: {spec: {containers: [{envFrom: [{secretRef: \
         {name: kustomized}}]}]}}}\n",
    );
    plant.sandbox.write("apps/kustomized/base/kustomization.yaml", "resources: [db.yaml, app.yaml]\n");
    plant.sandbox.write(
        "apps/kustomized/dev/kustomization.yaml",
        "resources: [../base]\nnamespace: dev\nnamePrefix: dev-\n",
    );
    let named = native("shop/named", &keys.both()).replace("name: named", "name: ${cluster}-named");
    plant.plant("templated-name", "apps/named.yaml", named);
}

fn against_rules(plant: &mut Planted<'_>, keys: &Keys) {
    let both = keys.both();
    let dir = |name: &str| format!("clusters/prod/shop/{name}.yaml");
    plant.plant("place", &dir("place"), native("elsewhere/place", &both));
    plant.plant("place", "tools/forbidden.yaml", native("shop/forbidden", &both));
    plant.plant(
        "scope",
        &dir("scope"),
        manifest("shop/scope", &spec("shop/scope", Scope::NamespaceWide, &both)),
    );
    let mut typed = spec("shop/type", Scope::Strict, &both);
    typed.template.type_ = Some("example.com/other".to_owned());
    plant.plant("type", &dir("type"), manifest("shop/type", &typed));
    plant.plant("format", &dir("format"), bitnami("shop/format", || 7));
    plant.plant(
        "recipients-extra",
        &dir("extra"),
        native("shop/extra", &[&keys.prod, &keys.recovery, &keys.stranger]),
    );
    plant.plant("recipients-missing", &dir("missing"), native("shop/missing", &[&keys.prod]));
    plant.plant(
        "recipients-revoked",
        &dir("revoked"),
        native("shop/revoked", &[&keys.prod, &keys.recovery, &keys.revoked]),
    );
    let mut hidden = spec("shop/hidden", Scope::Strict, &[&keys.prod, &keys.recovery, &keys.stranger]);
    hidden.envelopes[0].recipients.pop();
    plant.plant("hidden-recipient", &dir("hidden"), manifest("shop/hidden", &hidden));
    plant.plant("no-rule", "unruled/db.yaml", native("shop/unruled", &both));
    plant.sandbox.write("legacy/both/native.yaml", native("shop/both", &both));
    // Beside it, in a directory whose rule wants the other format.
    plant.expect("format", "legacy/both/native.yaml");
    plant.plant("superseded", "legacy/both/old.yaml", bitnami("shop/both", || 8));
    plant.plant("pins-changed", ".seal.yaml", rules());
    plant.sandbox.write("keys/extra.pub", format!("{}\n{}\n", keys.prod, keys.stranger));
    plant.plant(
        "nested-rules",
        "apps/team/.seal.yaml",
        "version: 1\nrecipients: {}\nrules: [{path: '**', to: none}]\n",
    );
}

fn broken(plant: &mut Planted<'_>, keys: &Keys) {
    let both = keys.both();
    let dir = |name: &str| format!("clusters/prod/shop/{name}.yaml");
    let broken = |name: &str, change: &dyn Fn(&mut seal_crds::resources::SealedSecretSpec)| {
        let place = format!("shop/{name}");
        let mut spec = spec(&place, Scope::Strict, &both);
        change(&mut spec);
        manifest(&place, &spec)
    };
    let other = spec("shop/unused", Scope::Strict, &both);
    plant.plant(
        "malformed",
        &dir("malformed"),
        broken("malformed", &|spec| drop(spec.encrypted_data.insert("x".to_owned(), "y".to_owned()))),
    );
    plant.plant(
        "unused-envelope",
        &dir("unused"),
        broken("unused", &|spec| spec.envelopes.extend(other.envelopes.clone())),
    );
    plant.plant(
        "missing-key",
        &dir("missing-key"),
        broken("missing-key", &|spec| {
            spec.encrypted_data
                .insert("lost".to_owned(), other.encrypted_data["user"].replacen(|_: char| true, "Q", 1));
        }),
    );
    let twice = native("shop/duplicate", &both);
    plant.plant("duplicate", &dir("duplicate"), format!("{twice}---\n{twice}"));
    let conflict = native("shop/conflict", &both);
    plant.plant(
        "conflict-marker",
        &dir("conflict"),
        format!("{conflict}<<<<<<< HEAD\n    a: b\n=======\n    a: c\n>>>>>>> topic\n"),
    );
    plant.plant(
        "template-item",
        &dir("template-item"),
        broken("template-item", &|spec| {
            spec.template.data.insert("url".to_owned(), "$(absent)".to_owned());
        }),
    );
    plant.plant(
        "unused-allow",
        &dir("allowed"),
        format!("# seal: allow plaintext -- there was some\n{}", native("shop/allowed", &both)),
    );
}

#[test]
fn of_five_thousand_files_exactly_the_planted_faults_are_found_and_one_of_every_rule() {
    let sandbox = Sandbox::new();
    let keys = Keys::generate();
    for (path, content) in files(&keys, 5000, 12) {
        sandbox.write(path, content);
    }
    git(&sandbox, &["init", "-q", "-b", "main"]);
    // Private keys that every sandbox has.
    sandbox.write(".gitignore", "/*.key\n/keys-backup.yaml\n");
    before(&sandbox, &keys);
    git(&sandbox, &["add", "clusters/prod/shop/old.yaml"]);
    git_at(&sandbox, Some("2024-01-01T12:00:00Z"), &["commit", "-q", "-m", "old"]);
    commit(&sandbox, "all");

    let clean = seal(&sandbox, &["check", "--policy", "HEAD"]);
    let at_first: BTreeSet<Fault> = [
        Fault::new("unreachable-rule", ".seal.yaml"),
        Fault::new("too-old", "clusters/prod/shop/old.yaml"),
        Fault::new("stale-baseline", ".seal-baseline"),
    ]
    .into();
    assert_found(&clean, &at_first);
    assert_eq!(clean.code, 0, "{}", clean.stderr);

    let mut plant = Planted { sandbox: &sandbox, expected: at_first };
    plaintext(&mut plant, &keys);
    places(&mut plant, &keys);
    against_rules(&mut plant, &keys);
    broken(&mut plant, &keys);
    let run = seal(&sandbox, &["check", "--policy", "HEAD"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_found(&run, &plant.expected);

    let found: BTreeSet<String> = findings(&run).into_iter().map(|fault| fault.rule).collect();
    let table = String::from_utf8(seal(&sandbox, &["check", "--explain"]).stdout).unwrap();
    let rules = table.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned);
    assert_eq!(found, rules.collect::<BTreeSet<String>>());
}

//! Two states of rules, and the words for what changed.

use seal_crds::keys::{Identity, Recipient};

use super::*;
use crate::rules::book::Book;
use crate::rules::reader::Memory;

const RULES: &str = "version: 1\nrequire-recovery: true\nnested: [teams/a]\nrecipients:\n  prod: {file: prod.pub}\n  \
                     dev: {file: dev.pub, recovery: true}\nrules:\n- {path: 'prod/**', to: [prod, dev], scopes: [strict]}\n\
                     - {path: 'dev/**', to: [dev]}\n- {path: '**', to: none}\nignore:\n\
                     - {rule: plaintext, path: 'test/**', reason: fixture}\n";

struct Keys {
    prod: Recipient,
    dev: Recipient,
    mallory: Recipient,
}

impl Keys {
    fn new() -> Self {
        let key = || Identity::generate().recipient().clone();
        Self { prod: key(), dev: key(), mallory: key() }
    }

    fn tree(&self, rules: &str) -> Memory {
        Memory::default()
            .with(".seal.yaml", rules)
            .with("teams/a/.seal.yaml", "version: 1\n")
            .with("prod.pub", self.prod.to_string())
            .with("dev.pub", self.dev.to_string())
            .with("mallory.pub", self.mallory.to_string())
    }
}

fn rules(tree: Memory) -> std::sync::Arc<Rules> {
    Book::new(tree).around("x").unwrap().rules.unwrap()
}

fn words(before: Memory, after: Memory) -> Vec<String> {
    differences(Some(&rules(before)), Some(&rules(after))).into_iter().map(|it| it.words).collect()
}

/// The words for one text in place of another.
fn changed(keys: &Keys, old: &str, new: &str) -> Vec<String> {
    assert!(RULES.contains(old), "{old}");
    words(keys.tree(RULES), keys.tree(&RULES.replacen(old, new, 1)))
}

#[test]
fn what_seals_the_same_has_no_differences() {
    let keys = Keys::new();
    assert_eq!(words(keys.tree(RULES), keys.tree(RULES)), [""; 0]);
    // Names, files, comments and the order of recipients are no difference in whom is sealed to.
    let other = RULES
        .replace("prod: {file: prod.pub}", "main: {file: main.pub} # moved")
        .replace("[prod, dev]", "[dev, main]");
    let tree = keys.tree(&other).with("main.pub", format!("# name: x\n{}\n", keys.prod));
    assert_eq!(words(keys.tree(RULES), tree), [""; 0]);
}

#[test]
fn a_new_recipient_is_named_with_its_file() {
    let keys = Keys::new();
    let short = keys.mallory.fingerprint().short();
    let new = RULES
        .replace("recipients:\n", "recipients:\n  mallory: {file: mallory.pub}\n")
        .replace("[prod, dev]", "[prod, dev, mallory]");
    let expected = format!("prod/** now also seals to a new key {short} as mallory (mallory.pub, new)");
    assert_eq!(words(keys.tree(RULES), keys.tree(&new)), [expected]);
    let more = keys.tree(RULES).with("dev.pub", format!("{}\n{}\n", keys.dev, keys.mallory));
    assert_eq!(
        words(keys.tree(RULES), more),
        [
            format!("prod/** now also seals to a new key {short} as dev (dev.pub, changed)"),
            format!("dev/** now also seals to a new key {short} as dev (dev.pub, changed)"),
        ]
    );
}

#[test]
fn a_key_that_takes_the_name_of_another_is_called_what_it_was_or_new() {
    let keys = Keys::new();
    let other = RULES.replace("prod: {file: prod.pub}", "prod: {file: other.pub}");
    let taken = |key: &Recipient| {
        let told = words(keys.tree(RULES), keys.tree(&other).with("other.pub", format!("{key}\n")));
        told.into_iter().find(|words| words.starts_with("prod/** now also ")).unwrap()
    };
    let short = |key: &Recipient| key.fingerprint().short();
    assert_eq!(
        taken(&keys.mallory),
        format!("prod/** now also seals to a new key {} as prod (other.pub, new)", short(&keys.mallory))
    );
    let dev = RULES.replace("[prod, dev]", "[prod]").replace("require-recovery: true\n", "");
    let swapped = dev.replace("prod: {file: prod.pub}", "prod: {file: other.pub}");
    let swapped = keys.tree(&swapped).with("other.pub", format!("{}\n", keys.dev));
    let told = words(keys.tree(&dev), swapped);
    let expected = format!("prod/** now also seals to dev {} (dev.pub)", short(&keys.dev));
    assert!(told.contains(&expected), "{told:?}");
}

#[test]
fn every_change_of_the_rules_has_its_words() {
    let keys = Keys::new();
    let dev = format!("dev {} (dev.pub)", keys.dev.fingerprint().short());
    let prod = format!("prod {} (prod.pub)", keys.prod.fingerprint().short());
    for (old, new, expected) in [
        ("[prod, dev]", "[dev]", vec![format!("prod/** no longer seals to {prod}")]),
        ("to: none", "to: [dev]", vec![format!("** forbade to seal, and now seals to {dev}")]),
        ("'dev/**', to: [dev]", "'dev/**', to: none", vec!["dev/** now forbids to seal".to_owned()]),
        (
            "scopes: [strict]",
            "scopes: [cluster-wide]",
            vec!["prod/**: scopes was strict, is cluster-wide".to_owned()],
        ),
        (
            ", scopes: [strict]",
            ", max-age: 30d, types: [Opaque], scopes: [strict]",
            vec![
                "prod/**: types was any, is Opaque".to_owned(),
                "prod/**: max-age was none, is 30d".to_owned(),
            ],
        ),
        ("require-recovery: true\n", "", vec!["a recovery recipient isn't required any more".to_owned()]),
        (
            "nested: [teams/a]\n",
            "nested: [teams/b]\n",
            vec![
                "teams/b is nested now: its own rules file counts".to_owned(),
                "teams/a is no longer nested".to_owned(),
            ],
        ),
        (
            "reason: fixture",
            "reason: other",
            vec![
                "findings of plaintext in test/** (other) are ignored now".to_owned(),
                "findings of plaintext in test/** (fixture) aren't ignored any more".to_owned(),
            ],
        ),
        ("- {path: '**', to: none}\n", "", vec!["the rule for ** is gone, which forbade to seal".to_owned()]),
        (
            "- {path: 'dev/**', to: [dev]}\n- {path: '**', to: none}\n",
            "- {path: '**', to: none}\n- {path: 'dev/**', to: [dev]}\n",
            vec![
                "the order of the rules changed: ** now comes before dev/**".to_owned(),
                "dev/** isn't reached any more, behind **".to_owned(),
            ],
        ),
        (
            "- {path: 'dev/**'",
            "- {path: 'dev/x/*', to: [dev]}\n- {path: 'dev/**'",
            vec![format!("new rule: dev/x/* seals to {dev}")],
        ),
    ] {
        assert_eq!(changed(&keys, old, new), expected, "{old} -> {new}");
    }
}

#[test]
fn a_mark_and_its_end_are_differences() {
    let keys = Keys::new();
    let fingerprint = keys.mallory.fingerprint();
    let marked = keys
        .tree(RULES)
        .with("dev.pub", format!("{}\n# revoked: {fingerprint} 2026-11-27 laptop\n", keys.dev));
    let short = fingerprint.short();
    assert_eq!(words(keys.tree(RULES), marked.clone()), [format!("laptop ({short}) is revoked now")]);
    assert_eq!(words(marked, keys.tree(RULES)), [format!("laptop ({short}) isn't revoked any more")]);
}

#[test]
fn rules_come_and_go() {
    let keys = Keys::new();
    let after = rules(keys.tree(RULES));
    let words: Vec<_> = differences(None, Some(&after)).into_iter().map(|it| it.words).collect();
    assert_eq!(words.len(), 5, "{words:?}");
    assert!(words[0].starts_with("new rule: prod/** seals to "), "{words:?}");
    assert_eq!(words[3], ".seal.yaml is new");
    assert_eq!(differences(Some(&after), None)[0].words, ".seal.yaml is gone");
    assert!(differences(None, None).is_empty());
}

#[test]
fn rules_that_allow_more_are_a_concern_of_their_own() {
    let keys = Keys::new();
    let is_loosened = |before: &str, after: &str| {
        let found = differences(Some(&rules(keys.tree(before))), Some(&rules(keys.tree(after))));
        found.iter().any(|difference| difference.concern == Concern::Loosened)
    };
    for (old, new) in [
        ("scopes: [strict]", "scopes: [strict, cluster-wide]"),
        (", scopes: [strict]", ""),
        ("require-recovery: true\n", ""),
        ("ignore:\n", "ignore:\n- {rule: recipients-extra, path: '**', reason: later}\n"),
    ] {
        let other = RULES.replacen(old, new, 1);
        assert!(is_loosened(RULES, &other), "{old} -> {new}");
        assert!(!is_loosened(&other, RULES), "{new} -> {old}");
    }
}

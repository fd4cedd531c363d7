//! Envelopes beside the pins: who is too many, who is missing, who is revoked.

use seal_crds::Scope;
use seal_crds::keys::Recipient;

use super::*;
use crate::check::lints::samples::{File, manifest, recipient, rules, spec};

const RULES: &str = "version: 1\nrecipients:\n  prod: {file: prod.pub}\n  recovery: {file: recovery.pub, recovery: true}\n\
                     rules: [{path: 'prod/**', to: [prod, recovery]}, {path: '**', to: [prod]}]\n";

/// `rule severity` of each finding, for an object that is sealed to some recipients.
fn found(prod: &str, recovery: &str, sealed_to: &[&Recipient]) -> Vec<String> {
    let governing = rules(RULES, &[("prod.pub", prod), ("recovery.pub", recovery)]);
    let text = manifest("{name: db, namespace: shop}", &spec("shop/db", Scope::Strict, sealed_to));
    let file = File::new("prod/db.yaml", &text);
    let found = recipients(&file.sealed()[0], &governing);
    assert!(found.iter().all(|found| found.item.is_some()), "a finding is of one key");
    found.iter().map(|found| format!("{} {}", found.lint.name(), found.severity.as_str())).collect()
}

#[test]
fn a_rule_means_exactly_its_recipients() {
    let (prod, recovery, other) = (recipient(), recipient(), recipient());
    let found = |sealed_to: &[&Recipient]| found(&prod.to_string(), &recovery.to_string(), sealed_to);
    assert!(found(&[&prod, &recovery]).is_empty());
    assert_eq!(found(&[&prod, &recovery, &other]), ["recipients-extra error"]);
    assert_eq!(found(&[&prod]), ["recipients-missing error"]);
    assert_eq!(
        found(&[&other]),
        ["recipients-extra error", "recipients-missing error", "recipients-missing error"]
    );
}

#[test]
fn a_retiring_key_is_a_warning_and_a_revoked_one_an_error() {
    let (old, new, recovery) = (recipient(), recipient(), recipient());
    let pins = |mark: &str| format!("# {mark}: {} 2026-01-01 old\n{new}\n", old.fingerprint());
    let found = |mark: &str, sealed_to: &[&Recipient]| found(&pins(mark), &recovery.to_string(), sealed_to);
    assert_eq!(found("retiring", &[&old, &new, &recovery]), ["recipients-extra warning"]);
    for mark in ["revoked", "destroyed"] {
        assert_eq!(found(mark, &[&old, &new, &recovery]), ["recipients-revoked error"], "{mark}");
        assert!(found(mark, &[&new, &recovery]).is_empty(), "{mark}");
    }
    // A marked key whose recipient still stands in the file isn't asked for.
    let both = format!("{}{old}\n", pins("retiring"));
    let text = rules(RULES, &[("prod.pub", &both), ("recovery.pub", &recovery.to_string())]);
    let sealed = manifest("{name: db, namespace: shop}", &spec("shop/db", Scope::Strict, &[&new, &recovery]));
    assert!(recipients(&File::new("prod/db.yaml", &sealed).sealed()[0], &text).is_empty());
}

#[test]
fn every_envelope_needs_every_recipient() {
    let (prod, recovery) = (recipient(), recipient());
    let mut both = spec("shop/db", Scope::Strict, &[&prod, &recovery]);
    let one = spec("shop/db", Scope::Strict, &[&prod]);
    both.envelopes.extend(one.envelopes);
    both.encrypted_data.extend([("token".to_owned(), one.encrypted_data["user"].clone())]);
    let governing = rules(RULES, &[("prod.pub", &prod.to_string()), ("recovery.pub", &recovery.to_string())]);
    let file = File::new("prod/db.yaml", &manifest("{name: db, namespace: shop}", &both));
    let found = recipients(&file.sealed()[0], &governing);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].lint, found[0].at),
        (Lint::RecipientsMissing, Some(file.outlines[0].envelopes[1].at))
    );
    assert!(found[0].message.contains("isn't sealed to recovery "), "{}", found[0].message);
}

//! Tests of the table: which rows it has, what it counts, and what it says of things it didn't see.

use std::collections::BTreeSet;

use seal_crds::keys::Identity;
use seal_crds::resources::{KeyState, SealingKeySpec, SealingKeyStatus};

use super::*;
use crate::objects::claimed::{Claimed, SealedItems};
use crate::objects::live::{Live, LiveObjects};

fn key(name: &str, sequence: i64, state: PublishedState) -> SealingKey {
    let spec = SealingKeySpec {
        recipient: Identity::generate().recipient().to_string(),
        sequence,
        created_at: format!("2026-11-2{sequence}T10:00:00Z"),
        state: KeyState::Active,
        loss_acknowledged: false,
    };
    let mut key = SealingKey::new(name, spec);
    let fingerprint = Some(key.fingerprint().to_string());
    key.status = Some(SealingKeyStatus { fingerprint, state: Some(state), ..Default::default() });
    key
}

fn claimed(object: &str, recipients: &[(Fingerprint, &str)]) -> Claimed {
    let sealed =
        |name: &str| SealedItems { name: Some(name.to_owned()), items: BTreeSet::from(["a".to_owned()]) };
    Claimed {
        object: object.to_owned(),
        format: Format::Native,
        recipients: recipients.iter().map(|(fingerprint, name)| (*fingerprint, sealed(name))).collect(),
        items: BTreeSet::from(["a".to_owned()]),
    }
}

fn bitnami(object: &str) -> Claimed {
    Claimed::bitnami(object.to_owned(), BTreeSet::from(["a".to_owned()]))
}

fn live(claimed: Claimed, only: Option<&[Fingerprint]>) -> Live {
    let only: Option<BTreeSet<Fingerprint>> = only.map(|only| only.iter().copied().collect());
    Live { opened_by: only.clone().unwrap_or_default(), only, ..Live::unsaid(claimed) }
}

fn facts(keys: Vec<SealingKey>, objects: Vec<Live>) -> ClusterFacts {
    ClusterFacts {
        context: "prod".to_owned(),
        server: "https://example".to_owned(),
        namespace: "seal-system".to_owned(),
        keys,
        live: LiveObjects { objects, gaps: Vec::new() },
    }
}

fn scan(name: &str, objects: Vec<Claimed>) -> Scan {
    Scan { name: name.to_owned(), objects, gaps: Vec::new() }
}

/// The cells of a row, by the name of its key.
fn row(text: &str, name: &str) -> Vec<String> {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[test]
fn each_key_is_counted_in_the_cluster_in_files_and_in_revisions() {
    let (old, new) = (
        key("sealing-key-first", 1, PublishedState::Retiring),
        key("sealing-key-2", 2, PublishedState::Active),
    );
    let (one, two) = (old.fingerprint(), new.fingerprint());
    let laptop = Identity::generate().fingerprint();
    let planted = SealingKey { status: None, ..key("planted", 9, PublishedState::Active) };
    let facts = facts(
        vec![old, planted, new],
        vec![
            live(claimed("prod/a", &[(two, "x")]), Some(&[two])),
            live(claimed("prod/b", &[(one, "x")]), Some(&[one])),
            live(claimed("prod/c", &[(one, "x"), (two, "y")]), Some(&[])),
        ],
    );
    let scans = [
        scan(
            "main",
            vec![claimed("prod/a", &[(one, "x")]), claimed("prod/b", &[(one, "x"), (laptop, "anna")])],
        ),
        scan("files", vec![claimed("prod/a", &[(two, "x")])]),
    ];
    let text = Report::new(Some(&facts), &scans, Vec::new()).to_lines().join("\n");
    let head = "KEY                FINGERPRINT       STATE     CREATED     NEEDED BY  main  FILES";
    assert_eq!(text.lines().next(), Some(head));
    assert!(text.find("sealing-key-2") < text.find("sealing-key-first"), "the newest comes first: {text}");
    assert_eq!(row(&text, "sealing-key-2")[2..], ["Active", "2026-11-22", "1", "0", "1"]);
    assert_eq!(row(&text, "sealing-key-first")[2..], ["Retiring", "2026-11-21", "1", "2", "0"]);
    assert_eq!(row(&text, "anna"), ["anna", &laptop.short(), "-", "-", "0", "1", "0"]);
    assert!(!text.contains("planted"), "{text}");
}

#[test]
fn an_object_of_bitnami_may_need_any_key_of_its_group_and_no_other() {
    let native = key("sealing-key-first", 1, PublishedState::Active);
    let rsa = Identity::generate().fingerprint();
    let facts = facts(vec![native], vec![live(bitnami("prod/old"), Some(&[rsa]))]);
    let scans = [scan("files", vec![bitnami("prod/old"), bitnami("prod/older")])];
    let text = Report::new(Some(&facts), &scans, Vec::new()).to_lines().join("\n");
    assert_eq!(row(&text, "(of sealed-secrets)")[4..], ["1", "0-2"]);
    assert_eq!(row(&text, "sealing-key-first")[4..], ["0", "0"]);
    assert!(
        text.contains("files: 2 of bitnami.com, each of which may need any key of sealed-secrets"),
        "{text}"
    );
}

#[test]
fn what_was_not_looked_at_is_said_and_gives_no_number() {
    let mut status = key("sealing-key-first", 1, PublishedState::Active);
    status.status.as_mut().unwrap().usage =
        Some(seal_crds::resources::KeyUsage { objects: 7, at: "2026-11-27T10:00:00Z".to_owned() });
    let mut facts = facts(vec![status], vec![live(claimed("prod/a", &[]), None)]);
    facts.live.gaps.push("SealedSecrets of sealing.dev in the cluster: you may not list them".to_owned());
    let report = Report::new(Some(&facts), &[], vec!["files: name a PATH".to_owned()]);
    let text = report.to_lines().join("\n");
    assert_eq!(
        row(&text, "sealing-key-first").last().map(String::as_str),
        Some("7"),
        "the controller's own count"
    );
    for gap in
        ["not looked at: files", "not looked at: SealedSecrets of sealing.dev", "hasn't said what they need"]
    {
        assert!(text.contains(gap), "{gap}: {text}");
    }
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["notLookedAt"].as_array().unwrap().len(), 3);
    assert_eq!((&json["keys"][0]["usage"], json["keys"][0].get("needed")), (&7.into(), None));
    assert_eq!(json["cluster"]["context"], "prod");
}

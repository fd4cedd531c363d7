//! Every status that the controller can write, as a file that the real kstatus judges.
//!
//! The integration tests run kstatus over the file (`tests/cluster/kstatus.rs`); this file makes it, and knows which
//! verdict each status should get. Invariant: every reason that a SealedSecret can show is in a condition of the file.

use std::collections::BTreeSet;
use std::path::Path;

use seal_crds::reason::Shown;
use seal_crds::resources::{Envelope, Group, Rewrap, Usage};
use serde_json::{Value, json};

use super::*;
use crate::examination::{Comparison, Exposed, Offer};

const FILE: &str = "../tests/cluster/kstatus/statuses.jsonl";

/// A status, and the verdict that it should get.
struct Case {
    what: String,
    verdict: &'static str,
    last: Last,
    status: SealedSecretStatus,
}

impl Case {
    fn line(&self) -> Value {
        let object = object(&self.last, &self.status);
        json!({"what": self.what, "verdict": self.verdict, "object": object})
    }
}

fn object(last: &Last, status: &SealedSecretStatus) -> Value {
    let Group { api_version, kind, .. } = Group::of(last.format);
    json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"namespace": "prod", "name": "db", "generation": last.generation},
        "status": status,
    })
}

/// A failure for each reason, of an object that was in place before and of a new one.
fn failures(last: &Last) -> Vec<Case> {
    let shown = |reason: &&Reason| matches!(reason.shown(), Shown::SealedSecret | Shown::Host);
    let failures = Reason::ALL.iter().filter(shown).filter(|reason| reason.is_failure());
    let case = |reason: &Reason, last: Last, when: &str| Case {
        what: format!("{} {} {when}", Group::of(last.format).name, reason.as_str()),
        verdict: if reason.is_permanent() { "Failed" } else { "InProgress" },
        status: next_status(&last, Err(&Failure::new(*reason, "why")), at(0)),
        last,
    };
    let ready = || Last { status: Some(next_status(last, Ok(&opened()), at(0))), ..last.clone() };
    failures
        .flat_map(|reason| [case(reason, last.clone(), "at first"), case(reason, ready(), "later")])
        .collect()
}

/// An object whose Secret is in place, with everything that may be said beside.
fn successes(last: &Last) -> Vec<Case> {
    let current = |what: &str, status| Case {
        what: format!("{} in place, {what}", Group::of(last.format).name),
        verdict: "Current",
        last: last.clone(),
        status,
    };
    let key = "ab".repeat(32).parse().unwrap();
    let found = |offer, exposed: Exposed| {
        let usage = Usage {
            source: "s".into(),
            items: None,
            keyring: "k".into(),
            only: Vec::new(),
            revoked: Some("r".into()),
            target: None,
        };
        let findings = Findings { usage, exposed, exposing: [key].into(), offer };
        Reconciled { findings: Some(findings), ..opened() }
    };
    let next = |reconciled: &Reconciled| next_status(last, Ok(reconciled), at(0));
    let envelope = Envelope { keys: Vec::new(), recipients: Vec::new(), age: "A".into() };
    let made = Offer::Made(Box::new(Rewrap { source: "s".into(), target: "t".into(), envelope }));
    let exposed = || Exposed { count: 1, names: vec!["a".into()], to: vec![key] };
    let was_exposed = next(&found(Offer::NotDue, exposed()));
    let after = Last { status: Some(was_exposed.clone()), ..last.clone() };
    let afresh = next_status(&after, Ok(&found(Offer::NotDue, Exposed::default())), at(1));
    let offered = next(&found(made, Exposed::default()));
    let look = |missing, is_keyless| {
        let look = Look { source: "s".into(), comparison: Comparison::Unknown, missing, is_keyless };
        next(&Reconciled { look: Some(look), ..opened() })
    };
    let foreign = next(&found(Offer::Foreign([key].into()), Exposed::default()));
    let unsupported = next(&found(Offer::Unsupported("why".into()), Exposed::default()));
    vec![
        current("with nothing to say", next(&opened())),
        current("with a remark", next(&noted(1, 1))),
        current("exposed", was_exposed),
        current("sealed afresh", afresh),
        current("with an offer too large", fitting(offered.clone(), 2 << 20, last, at(0))),
        current("with an offer", offered),
        current("of foreign recipients", foreign),
        current("without an offer", unsupported),
        current("with a key missing", look(vec![key], false)),
        current("without any key", look(Vec::new(), true)),
    ]
}

/// An object that isn't seen yet, that was changed since, or that is going.
fn in_between(last: &Last) -> Vec<Value> {
    let ready = next_status(last, Ok(&opened()), at(0));
    let stalled = next_status(last, Err(&Failure::new(Reason::WrongPlace, "why")), at(0));
    let retried = next_status(last, Err(&Failure::new(Reason::ApiBusy, "why")), at(0));
    let mut lines = Vec::new();
    let mut line = |what: &str, verdict: &str, object: Value| {
        let what = format!("{} {what}", Group::of(last.format).name);
        lines.push(json!({"what": what, "verdict": verdict, "object": object}));
    };
    line("never seen", "InProgress", object(last, &SealedSecretStatus::default()));
    for (what, status) in [("ready", ready), ("stalled", stalled), ("retried", retried)] {
        let newer = Last { generation: last.generation + 1, ..last.clone() };
        line(&format!("changed since it was {what}"), "InProgress", object(&newer, &status));
        let mut going = object(last, &status);
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        line(&format!("deleted while it was {what}"), "Terminating", going);
    }
    lines
}

/// `make generate` runs this with SEAL_UPDATE=1, which writes the file instead.
#[test]
fn the_file_that_kstatus_judges_has_every_status_with_every_reason() {
    let (mut lines, mut said) = (Vec::new(), BTreeSet::new());
    for last in [last(None), last_of_peers(None)] {
        let cases = successes(&last).into_iter().chain(failures(&last));
        for case in cases {
            said.extend(case.status.conditions.iter().map(|condition| condition.reason.clone()));
            lines.push(case.line());
        }
        lines.extend(in_between(&last));
    }
    let shown = |reason: &&Reason| matches!(reason.shown(), Shown::SealedSecret | Shown::Host);
    let all = Reason::ALL.iter().filter(shown).map(|reason| reason.as_str().to_owned());
    assert_eq!(said, all.collect(), "each reason that a SealedSecret can show is judged");

    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("SEAL_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    } else {
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{FILE} is out of date: run `make generate`");
    }
}

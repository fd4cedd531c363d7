//! Tests of merging: what comes into a file of pins, what leaves it, and what stays whatever a cluster says.

use seal_crds::keys::{Identity, Pins, parse_recipients};
use seal_crds::resources::{Condition, SealingKeySpec, SealingKeyStatus};

use super::*;

fn recipient() -> Recipient {
    Identity::generate().recipient().clone()
}

fn today() -> Day {
    "2026-11-27".parse().unwrap()
}

/// What a cluster says whose primary is `key`, with recovery recipients.
fn fetched(name: &str, key: &Recipient, recovery: &[&Recipient]) -> Fetched {
    let named = |recipient: &Recipient, name: &str| NamedRecipient {
        recipient: recipient.clone(),
        name: Some(name.to_owned()),
    };
    let recovery = recovery.iter().map(|recipient| named(recipient, RECOVERY));
    Fetched {
        context: "prod\nage1evil".to_owned(),
        server: "https://example".to_owned(),
        created_at: "2026-11-21T10:00:00Z".to_owned(),
        key_name: name.to_owned(),
        recipients: std::iter::once(named(key, name)).chain(recovery).collect(),
        former: BTreeMap::new(),
    }
}

impl Fetched {
    fn with_former(mut self, name: &str, key: &Recipient, mark: Mark) -> Self {
        let former = Former { name: PinName::shortened(name), mark, since: None };
        self.former.insert(key.fingerprint(), former);
        self
    }

    /// The merged text, which a second merge doesn't change.
    #[track_caller]
    fn merged(&self, text: &str) -> String {
        let merged = self.merge("prod.pub", text, today()).unwrap();
        let again = self.merge("prod.pub", &merged.text, today()).unwrap();
        assert_eq!((again.changes, again.text), (Vec::new(), merged.text.clone()));
        merged.text
    }
}

fn recipients_in(text: &str) -> Vec<Recipient> {
    parse_recipients(text).unwrap()
}

fn mark_of(text: &str, key: &Recipient) -> Option<Mark> {
    Pins::parse(text).unwrap().marked(&key.fingerprint()).map(|marked| marked.mark)
}

#[test]
fn a_new_file_reads_back_as_the_same_recipients() {
    let (key, one, two) = (recipient(), recipient(), recipient());
    let fetched = fetched("sealing-key-first", &key, &[&one, &two]);
    let expected: Vec<_> = fetched.recipients().into_iter().map(|named| named.recipient).collect();
    assert_eq!(recipients_in(&fetched.merged("")), expected);
}

#[test]
fn a_sealing_key_is_what_a_fetch_wrote_as_one_and_no_other_recipient() {
    let (key, recovery, person, copied) = (recipient(), recipient(), recipient(), recipient());
    let theirs = format!(
        "# name: anna\n# created: 2026-01-02\n{person}\n# name: x\n# created: 2026-01-02\n# fingerprint: {}\n{copied}\n",
        key.fingerprint()
    );
    let extra =
        format!("# name: extra\n# created: 2026-01-02\n# fingerprint: {}\n{copied}\n", copied.fingerprint());
    let text = fetched("first", &key, &[&recovery]).merged(&format!("{theirs}{extra}"));
    assert_eq!(sealing_keys(&text), [key.fingerprint()].into());
    assert!(sealing_keys(&format!("{key}\n")).is_empty(), "nobody says what it is");
}

#[test]
fn a_renewal_puts_the_new_key_in_place_of_the_old_one_and_remembers_that() {
    let (old, new, recovery) = (recipient(), recipient(), recipient());
    let before = fetched("sealing-key-first", &old, &[&recovery]).merged("");
    let after =
        fetched("sealing-key-2", &new, &[&recovery]).with_former("sealing-key-first", &old, Mark::Retiring);
    let text = after.merged(&before);
    assert_eq!(recipients_in(&text), [new, recovery]);
    assert!(
        text.ends_with(&format!("\n\n# retiring: {} 2026-11-27 sealing-key-first\n", old.fingerprint())),
        "{text}"
    );
    let later = after.with_former("sealing-key-first", &old, Mark::Destroyed).merged(&text);
    assert_eq!(mark_of(&later, &old), Some(Mark::Destroyed));
}

#[test]
fn a_recipient_that_the_cluster_no_longer_has_is_not_sealed_to_from_then_on() {
    let (key, gone, stays) = (recipient(), recipient(), recipient());
    let before = fetched("sealing-key-first", &key, &[&gone, &stays]).merged("");
    let after = fetched("sealing-key-first", &key, &[&stays]);
    assert_eq!(recipients_in(&after.merged(&before)), [key, stays]);
    let changes = after.merge("prod.pub", &before, today()).unwrap().changes;
    assert_eq!(changes, [Change::Removed(label("recovery", &gone.fingerprint()))]);
}

#[test]
fn a_key_that_the_cluster_has_forgotten_stays_on_the_list() {
    let (first, second) = (recipient(), recipient());
    let before = fetched("sealing-key-2", &second, &[])
        .with_former("sealing-key-first", &first, Mark::Retiring)
        .merged("");
    // etcd was restored to a time before the renewal.
    let merge = fetched("sealing-key-first", &first, &[]).merge("prod.pub", &before, today()).unwrap();
    assert_eq!(mark_of(&merge.text, &second), Some(Mark::Retiring));
    assert_eq!(mark_of(&merge.text, &first), Some(Mark::Retiring), "a mark never falls");
    assert!(merge.warnings[0].contains("restored to an earlier time"), "{:?}", merge.warnings);
}

#[test]
fn a_revocation_holds_whatever_the_cluster_says() {
    let (key, recovery) = (recipient(), recipient());
    let revoked = |key: &Recipient| format!("# revoked: {} 2026-11-01 k\n", key.fingerprint());
    let fetched = fetched("sealing-key-first", &key, &[&recovery]);
    let failure = fetched.merge("prod.pub", &revoked(&key), today()).err().unwrap();
    assert!(failure.facts[0].contains("which prod.pub calls revoked"), "{failure:?}");
    let merge = fetched.merge("prod.pub", &revoked(&recovery), today()).unwrap();
    assert_eq!(recipients_in(&merge.text), [key]);
    assert!(merge.warnings[0].contains("left out"), "{:?}", merge.warnings);
    assert!(merge.text.contains(&revoked(&recovery)));
}

#[test]
fn what_people_wrote_stays() {
    let (key, new, laptop) = (recipient(), recipient(), recipient());
    let by_hand = format!("# Anna's laptop: ask her before you remove it\n# name: anna\n{laptop}\n");
    let revoked = format!("# revoked: {} 2026-11-01 Bob's laptop\n", recipient().fingerprint());
    let first = fetched("sealing-key-first", &key, &[]).merged(&format!("\u{feff}{by_hand}{revoked}"));
    assert!(first.ends_with(&format!("\n{by_hand}{revoked}")), "{first}");
    let text = fetched("sealing-key-2", &new, &[]).merged(&format!("{first}# the end\n"));
    assert_eq!(recipients_in(&text), [new, laptop]);
    assert!(text.contains(&by_hand) && text.contains(&revoked) && text.contains("# the end\n"), "{text}");
}

#[test]
fn another_context_alone_changes_nothing() {
    let key = recipient();
    let before = fetched("sealing-key-first", &key, &[]).merged("");
    let elsewhere = Fetched { context: "ci".to_owned(), ..fetched("sealing-key-first", &key, &[]) };
    let merge = elsewhere.merge("prod.pub", &before, today()).unwrap();
    assert_eq!((merge.text, merge.changes), (before, Vec::new()));
}

#[test]
fn the_mark_of_a_key_is_what_the_controller_says_and_a_planted_key_has_none() {
    let key = |state, floor, asked| {
        let spec = SealingKeySpec {
            recipient: recipient().to_string(),
            sequence: 1,
            created_at: "2026-11-21T10:00:00Z".to_owned(),
            state: asked,
            loss_acknowledged: false,
        };
        let mut key = SealingKey::new("k", spec);
        let primary = Condition {
            type_: "Primary".to_owned(),
            status: ConditionStatus::False,
            observed_generation: None,
            last_transition_time: "2026-11-25T10:00:00Z".to_owned(),
            last_update_time: None,
            reason: "NotNewestActive".to_owned(),
            message: String::new(),
        };
        let fingerprint = Some(key.fingerprint().to_string());
        let status =
            SealingKeyStatus { fingerprint, state, floor, conditions: vec![primary], ..Default::default() };
        key.status = Some(status);
        key
    };
    use KeyState::{Active, Retiring, Revoked};
    use PublishedState as State;
    for (state, floor, asked, expected) in [
        (State::Active, Active, Active, None),
        (State::Active, Active, Retiring, None),
        (State::Active, Active, Revoked, Some(Mark::Revoked)),
        (State::Retiring, Retiring, Active, Some(Mark::Retiring)),
        (State::Revoked, Revoked, Active, Some(Mark::Revoked)),
        (State::Deleting, Retiring, Active, Some(Mark::Retiring)),
        (State::Deleting, Revoked, Active, Some(Mark::Revoked)),
        (State::Destroyed, Retiring, Active, Some(Mark::Destroyed)),
        (State::Destroyed, Revoked, Active, Some(Mark::Revoked)),
        (State::Lost, Active, Active, Some(Mark::Retiring)),
        (State::Planted, Active, Revoked, None),
    ] {
        let found = former(&key(Some(state), Some(floor), asked));
        assert_eq!(found.as_ref().map(|(_, former)| former.mark), expected, "{state:?} {floor:?} {asked:?}");
        let since = found.and_then(|(_, former)| former.since).map(|day| day.to_string());
        let is_retiring = expected == Some(Mark::Retiring);
        assert_eq!(since.as_deref(), is_retiring.then_some("2026-11-25"), "the day of the renewal");
    }
    let planted = SealingKey { status: None, ..key(None, None, Revoked) };
    assert!(former(&planted).is_none());
}

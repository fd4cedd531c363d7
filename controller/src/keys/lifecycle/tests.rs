//! Stories of keys: the Secrets and SealingKeys of a namespace, and the judgement in the end.
//!
//! There is no cluster: a [`World`] takes each step as the API server would, until nothing is left to do.
//! Invariant: every story ends, and takes no step twice.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ConfigMap;
use seal_crds::keys::Identity;
use seal_crds::keys::stored::Recovery;
use seal_crds::resources::{PublishedState, SealingKeyStatus};

use super::super::backups::Backups;
use super::super::clock::{Clock, ClockFault};
use super::super::settings::RecipientFlags;
use super::facts::VISITS_LEFT;
use super::renewal::{MAX_KEYS, MAX_RECENT, Obstacle, Why};
use super::verdict::{DateFault, Rank, Standing, Verdict};
use super::*;
use crate::conditions::rfc3339;
use KeyState::{Active, Retiring, Revoked};

/// The Secrets and SealingKeys of a namespace.
struct World {
    loaded: Loaded,
    published: Vec<SealingKey>,
    /// The ConfigMaps with backups.
    backups: Vec<ConfigMap>,
    settings: Settings,
    /// The steps that were taken.
    steps: Vec<String>,
}

/// The time of the stories, half a year after the first key.
const NOW: &str = "2026-07-01T00:00:00Z";

pub(in crate::keys) fn holder(secret: &str, sequence: i64, note: Note) -> Holder {
    Holder {
        secret: secret.into(),
        resource_version: "1".into(),
        recipient: Identity::generate().recipient().clone(),
        sequence,
        created_at: format!("2026-01-0{sequence}T00:00:00Z"),
        stored_at: "2026-01-01T00:00:00Z".into(),
        recovery: None,
        deleted_at: None,
        is_held: true,
        note,
        is_noted_by_us: note != Note::Absent,
        is_made_by_us: true,
    }
}

/// The same key, made with a recovery set.
pub(in crate::keys) fn backed_up(holder: Holder) -> Holder {
    let backup = "-----BEGIN AGE ENCRYPTED FILE-----\neA==\n-----END AGE ENCRYPTED FILE-----\n";
    Holder { recovery: Recovery::new([Identity::generate().recipient().clone()], backup.into()), ..holder }
}

/// The Secret as it comes from a backup: kubectl wrote all of it, also the note.
fn restored(holder: &Holder, secret: &str) -> Holder {
    Holder { secret: secret.into(), is_noted_by_us: false, is_made_by_us: false, ..holder.clone() }
}

fn sealing_key(name: &str, holder: &Holder, state: KeyState) -> SealingKey {
    let spec = SealingKeySpec {
        recipient: holder.recipient.to_string(),
        sequence: holder.sequence,
        created_at: holder.created_at.clone(),
        state,
        loss_acknowledged: false,
    };
    SealingKey::new(name, spec)
}

fn name_of(object: &SealingKey) -> &str {
    object.metadata.name.as_deref().unwrap()
}

/// A decision, without borrowing the facts that it was made on.
#[derive(Debug)]
struct Report {
    primary: Option<Fingerprint>,
    keyless: Option<String>,
    verdicts: Vec<(String, Verdict)>,
}

impl From<&Decision<'_>> for Report {
    fn from(decision: &Decision<'_>) -> Self {
        let verdict = |it: &Statement<'_>| (name_of(it.key).to_owned(), it.verdict.clone());
        let verdicts = decision.statements.iter().map(verdict).collect();
        Self { primary: decision.primary, keyless: decision.keyless.clone(), verdicts }
    }
}

impl Default for World {
    fn default() -> Self {
        let mut world = Self {
            loaded: Loaded::default(),
            published: Vec::new(),
            backups: Vec::new(),
            settings: Settings::default(),
            steps: Vec::new(),
        };
        world.at(NOW);
        world
    }
}

impl World {
    /// Sets the clocks, which agree.
    fn at(&mut self, now: &str) {
        let now = now.parse().unwrap();
        self.loaded.clock = Clock::new(Some(now), now);
    }

    /// A world in which nothing is renewed, because the clocks differ. So it shows what becomes of the keys that there
    /// are.
    fn without_renewal() -> Self {
        let mut world = Self::default();
        world.set_clocks_apart();
        world
    }

    fn set_clocks_apart(&mut self) {
        let now: Timestamp = NOW.parse().unwrap();
        self.loaded.clock = Clock::new(Some(now), now + SignedDuration::from_mins(6));
    }

    fn with(holders: impl IntoIterator<Item = Holder>) -> Self {
        let mut world = Self::default();
        world.loaded.holders.extend(holders);
        world
    }

    fn decide(&self) -> Decision<'_> {
        decide(&self.loaded, &self.published, &self.settings)
    }

    /// Looks which backups are published.
    fn look(&mut self) {
        let mut backups = Backups::new(&self.loaded.holders);
        self.backups.iter().for_each(|found| backups.add(found));
        self.loaded.backups = backups;
    }

    /// Takes every step, as the controller does, and returns the last decision.
    fn settle(&mut self) -> Report {
        for _ in 0..10 {
            self.look();
            let decision = self.decide();
            if let Step::Say = decision.step {
                let report = Report::from(&decision);
                let statuses = decision.statements.into_iter();
                let statuses = statuses.map(|it| (name_of(it.key).to_owned(), it.status)).collect();
                self.record(statuses);
                return report;
            }
            let step = decision.step;
            self.steps.push(format!("{step:?}"));
            self.take(step);
        }
        panic!("no end: {:#?}", self.steps)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Make(Make { name, sequence, created_at, recovery }) => {
                assert!(self.loaded.holders.iter().all(|holder| holder.secret != name), "{name} is taken");
                let mut made = holder(&name, sequence, Note::Says(Active));
                (made.created_at, made.stored_at) = (rfc3339(created_at), rfc3339(created_at));
                if !recovery.is_empty() {
                    let backup = backed_up(made.clone()).recovery.unwrap().backup().to_owned();
                    made.recovery = Recovery::new(recovery, backup);
                }
                self.loaded.holders.push(made);
            }
            Step::Raise(raised) => {
                for Raise { secret, floor, is_held, .. } in raised {
                    let holder = self.holder(&secret);
                    assert!(is_held || !holder.is_held, "a note lets no Secret go");
                    assert!(
                        !(is_held && holder.is_deleting()) || holder.is_held,
                        "it takes no new finalizer"
                    );
                    (holder.note, holder.is_held) = (Note::Says(floor), is_held);
                    holder.is_noted_by_us = true;
                }
            }
            Step::Publish(backups, keys) => {
                for PublishBackup { config_map, .. } in backups {
                    self.backups.retain(|found| found.metadata.name != config_map.metadata.name);
                    self.backups.push(config_map);
                }
                for Publish { mut key, fingerprint, notice } in keys {
                    let generated = key.metadata.generate_name.take().map(|start| start + "x");
                    key.metadata.name = key.metadata.name.or(generated);
                    let name = name_of(&key);
                    assert!(self.published.iter().all(|object| name_of(object) != name), "{name} is taken");
                    let held = self.loaded.holders.iter();
                    let holder = held.filter(|holder| holder.recipient.fingerprint() == fingerprint);
                    let is_made_by_us = holder.max_by_key(|holder| holder.order()).unwrap().is_made_by_us;
                    assert_eq!(notice.is_none(), is_made_by_us, "nobody adds a key in silence");
                    self.published.push(key);
                }
            }
            Step::Say => unreachable!("it is the end"),
        }
    }

    /// Writes the statuses, as the controller does.
    fn record(&mut self, mut statuses: BTreeMap<String, SealingKeyStatus>) {
        for object in &mut self.published {
            let status = statuses.remove(name_of(object)).unwrap();
            assert_eq!(
                status.fingerprint.is_some(),
                status.floor.is_some(),
                "one is never without the other"
            );
            object.status = Some(status);
        }
        assert!(statuses.is_empty(), "it is said of what isn't there");
    }

    fn holder(&mut self, secret: &str) -> &mut Holder {
        self.loaded.holders.iter_mut().find(|holder| holder.secret == secret).unwrap()
    }

    /// Somebody who may write SealingKeys, but neither Secrets nor status, sets the state.
    fn ask(&mut self, name: &str, state: KeyState) {
        self.published.iter_mut().find(|object| name_of(object) == name).unwrap().spec.state = state;
    }

    /// The same person deletes the SealingKey and makes it again.
    fn recreate(&mut self, name: &str, state: KeyState) {
        let object = self.published.iter_mut().find(|object| name_of(object) == name).unwrap();
        object.status = None;
        object.spec.state = state;
    }

    fn lose(&mut self, secret: &str) -> Holder {
        let at = self.loaded.holders.iter().position(|holder| holder.secret == secret).unwrap();
        self.loaded.holders.remove(at)
    }
}

/// The names of the primary and of the SealingKey whose renewal is due.
fn said(report: &Report) -> (Option<&str>, Option<&str>) {
    let find = |is: fn(&Verdict) -> bool| {
        let mut found = report.verdicts.iter().filter(|(_, verdict)| is(verdict));
        let first = found.next().map(|(name, _)| name.as_str());
        assert_eq!(found.next(), None, "there is one at most");
        first
    };
    let (primary, due) = (
        find(|verdict| verdict.is_primary),
        find(|verdict| matches!(verdict.renewal, Some(Renewal::Due { .. }))),
    );
    assert_eq!(primary.is_none(), report.keyless.is_some(), "{report:?}");
    assert_eq!(primary.is_some(), report.primary.is_some());
    (primary, due)
}

fn standing<'r>(report: &'r Report, name: &str) -> &'r Standing {
    &report.verdicts.iter().find(|(found, _)| found == name).unwrap().1.standing
}

/// A controller's own first key, and a newer one; nothing is renewed.
fn two_keys() -> World {
    let mut world = World::without_renewal();
    world.settle();
    world.loaded.holders.push(holder("sealing-key-2", 2, Note::Says(Active)));
    world.settle();
    world
}

#[test]
fn the_first_key_is_made_noted_and_published_in_this_order() {
    let mut world = World::default();
    let report = world.settle();
    assert_eq!(said(&report), (Some(FIRST_KEY), None));
    let steps: Vec<_> = world.steps.iter().map(|step| step.split([' ', '(']).next().unwrap()).collect();
    assert_eq!(steps, ["Make", "Publish"]);
    assert_eq!(world.loaded.holders[0].note, Note::Says(Active));
    assert_eq!(said(&world.settle()), (Some(FIRST_KEY), None));
    assert_eq!(world.steps.len(), 2, "a second look does nothing");
}

#[test]
fn a_planted_sealing_key_neither_keeps_the_first_key_from_being_made_nor_takes_its_name() {
    let mut world = World::default();
    let mallory = holder("none", 99, Note::Absent);
    world.published.push(sealing_key(FIRST_KEY, &mallory, Active));
    world.published.push(SealingKey::new(
        "nonsense",
        SealingKeySpec { recipient: "age1pq1".into(), ..sealing_key("x", &mallory, Active).spec },
    ));
    let report = world.settle();
    let second_name = format!("sealing-key-{}", world.loaded.holders[0].recipient.fingerprint().short());
    assert_eq!(said(&report), (Some(second_name.as_str()), None));
    for name in [FIRST_KEY, "nonsense"] {
        assert_eq!(*standing(&report, name), Standing::Planted, "{name}");
    }
    // If that name is taken too, the key takes one that nobody can take before.
    world.published.retain(|object| name_of(object) != second_name);
    world.published.push(sealing_key(&second_name, &mallory, Active));
    let report = world.settle();
    assert_eq!(said(&report), (Some(format!("{second_name}-x").as_str()), None));
}

#[test]
fn a_sealing_key_with_our_recipient_and_a_date_of_somebody_elses_is_planted() {
    let mut world = two_keys();
    let first = world.loaded.holders[0].clone();
    let mut lying = sealing_key("lying", &first, Revoked);
    lying.spec.sequence = 99;
    world.published.push(lying);
    let report = world.settle();
    assert_eq!(*standing(&report, "lying"), Standing::Planted);
    assert_eq!(*standing(&report, FIRST_KEY), Standing::Held(Retiring), "what it asks for doesn't count");
}

#[test]
fn states_asked_for_only_ever_raise() {
    // The states that somebody asks for, of the newest key and the older one; the states after that; the
    // primary; the key whose renewal is due.
    let cases = [
        (Active, Active, [Retiring, Active], Some("sealing-key-2"), None),
        (Retiring, Active, [Retiring, Active], Some("sealing-key-2"), Some("sealing-key-2")),
        (Revoked, Active, [Retiring, Revoked], None, Some("sealing-key-2")),
        (Active, Revoked, [Revoked, Active], Some("sealing-key-2"), None),
        (Retiring, Revoked, [Revoked, Active], Some("sealing-key-2"), Some("sealing-key-2")),
        (Revoked, Revoked, [Revoked, Revoked], None, Some("sealing-key-2")),
    ];
    for (newest, older, states, primary, due) in cases {
        for afterwards in [Active, Retiring, newest] {
            let mut world = two_keys();
            world.ask("sealing-key-2", newest);
            world.ask(FIRST_KEY, older);
            let report = world.settle();
            let case = format!("{newest:?} {older:?} {afterwards:?}");
            assert_eq!(said(&report), (primary, due), "{case}");
            assert_eq!(
                world.loaded.holders.iter().map(|it| it.note).collect::<Vec<_>>(),
                states.map(Note::Says),
                "{case}"
            );
            // The SealingKeys are deleted and made again with other states; the floors beside the private
            // halves stay.
            world.recreate("sealing-key-2", afterwards);
            world.recreate(FIRST_KEY, Active);
            let report = world.settle();
            assert_eq!(said(&report).0, primary, "{case}");
            assert_eq!(
                world.loaded.holders.iter().map(|it| it.note).collect::<Vec<_>>(),
                states.map(Note::Says),
                "{case}"
            );
        }
    }
}

#[test]
fn an_older_key_never_takes_the_place_of_a_newer_one() {
    // Case one: the newest is revoked before the controller has seen either of the two.
    let (older, newer) = (holder("a", 1, Note::Says(Active)), holder("b", 2, Note::Says(Active)));
    let mut world = World::with([older.clone(), newer.clone()]);
    world.set_clocks_apart();
    world.published.push(sealing_key("b", &newer, Revoked));
    let report = world.settle();
    assert_eq!(said(&report), (None, Some("b")));
    // If the notes are cut short, the older key must not be the one that is left Active.
    let raised: Vec<_> = world.steps.iter().filter(|step| step.starts_with("Raise")).collect();
    assert_eq!(raised.len(), 1);
    assert!(raised[0].find(r#"secret: "a""#) < raised[0].find(r#"secret: "b""#), "{raised:?}");

    // Case two: the newest is lost.
    let mut world = two_keys();
    world.lose("sealing-key-2");
    let report = world.settle();
    assert_eq!(said(&report), (None, Some("sealing-key-2")));
    assert_eq!(*standing(&report, "sealing-key-2"), Standing::Lost);

    // Case three: the note of the newest can't be read.
    let mut world = two_keys();
    world.holder("sealing-key-2").note = Note::Unreadable;
    assert_eq!(said(&world.settle()), (None, Some("sealing-key-2")));
}

#[test]
fn while_nothing_is_renewed_no_key_is_sealed_to_in_place_of_a_lost_or_revoked_one() {
    for story in [
        |world: &mut World| drop(world.lose(FIRST_KEY)),
        |world: &mut World| world.ask(FIRST_KEY, Revoked),
        |world: &mut World| world.holder(FIRST_KEY).note = Note::Unreadable,
    ] {
        let mut world = World::without_renewal();
        world.settle();
        story(&mut world);
        let (held, report) = (world.loaded.holders.len(), world.settle());
        assert_eq!(said(&report), (None, Some(FIRST_KEY)));
        assert!(report.keyless.unwrap().contains(FIRST_KEY));
        assert_eq!(world.loaded.holders.len(), held);
    }
}

#[test]
fn an_upgrade_changes_nothing() {
    for (state, primary) in [(Active, Some("a")), (Retiring, None), (Revoked, None)] {
        let key = holder("a", 1, Note::Absent);
        let mut world = World::with([key.clone()]);
        world.set_clocks_apart();
        let mut published = sealing_key("a", &key, state);
        // The first version recorded fingerprints only.
        let fingerprint = Some(key.recipient.fingerprint().to_string());
        published.status = Some(SealingKeyStatus { fingerprint, ..Default::default() });
        world.published.push(published);
        assert_eq!(said(&world.settle()).0, primary, "{state:?}");
        assert_eq!((world.loaded.holders.len(), world.loaded.holders[0].note), (1, Note::Says(state)));
    }
}

#[test]
fn a_restored_key_is_never_the_primary_by_itself() {
    let backup = holder(FIRST_KEY, 1, Note::Says(Active));
    let newer = holder("sealing-key-7", 7, Note::Says(Active));
    // Keys that are restored before the controller's first start: under their own name or another one, one or
    // several, with and without a note.
    for held in [
        vec![restored(&backup, FIRST_KEY)],
        vec![restored(&backup, "restored-first")],
        vec![restored(&backup, FIRST_KEY), restored(&newer, "sealing-key-7")],
        vec![Holder { note: Note::Absent, ..restored(&backup, FIRST_KEY) }],
        vec![Holder { note: Note::Says(Revoked), ..restored(&backup, FIRST_KEY) }],
    ] {
        let mut world = World::with(held.clone());
        let report = world.settle();
        let made = world.loaded.holders.last().unwrap();
        assert_eq!(report.primary, Some(made.recipient.fingerprint()));
        assert!(made.is_made_by_us);
        for holder in &held {
            let found = world.loaded.holders.iter().find(|it| it.secret == holder.secret).unwrap();
            let floor = if holder.note == Note::Says(Revoked) { Revoked } else { Retiring };
            assert_eq!(found.note, Note::Says(floor));
        }
    }
    // A key that is restored after the first start.
    let mut world = World::default();
    world.settle();
    world.loaded.holders.push(restored(&newer, "restored-7"));
    assert_eq!(said(&world.settle()), (Some(FIRST_KEY), None));
    assert_eq!(world.holder("restored-7").note, Note::Says(Retiring));
}

#[test]
fn a_key_that_was_deleted_and_comes_back_is_what_it_was() {
    for (asked, primary) in [(Active, Some(FIRST_KEY)), (Revoked, None)] {
        let mut world = World::without_renewal();
        world.settle();
        let backup = restored(&world.loaded.holders[0], "restored-first");
        world.ask(FIRST_KEY, asked);
        world.settle();
        world.lose(FIRST_KEY);
        world.settle();
        // Meanwhile a person who may write SealingKeys asks for Active again.
        world.ask(FIRST_KEY, Active);
        world.loaded.holders.push(backup);
        assert_eq!(said(&world.settle()).0, primary, "{asked:?}");
        assert_eq!(world.loaded.holders[0].note, Note::Says(asked));
    }
}

#[test]
fn secrets_of_one_fingerprint_are_one_key_with_the_highest_floor() {
    let mut world = World::without_renewal();
    world.settle();
    let copy = Holder { note: Note::Says(Revoked), ..restored(&world.loaded.holders[0], "copy") };
    world.loaded.holders.push(copy);
    let report = world.settle();
    assert_eq!(said(&report), (None, Some(FIRST_KEY)));
    assert!(world.loaded.holders.iter().all(|holder| holder.note == Note::Says(Revoked)));
    assert_eq!(world.published.len(), 1);
}

#[test]
fn a_note_that_cannot_be_read_is_treated_as_revoked_and_never_written_back() {
    let mut world = World::without_renewal();
    world.settle();
    world.holder(FIRST_KEY).note = Note::Unreadable;
    let report = world.settle();
    assert_eq!(*standing(&report, FIRST_KEY), Standing::Unreadable { secret: FIRST_KEY.into() });
    assert_eq!(world.loaded.holders[0].note, Note::Unreadable);
    world.holder(FIRST_KEY).note = Note::Says(Active);
    assert_eq!(said(&world.settle()), (Some(FIRST_KEY), None), "corrected, it is what it was");
}

#[test]
fn no_wish_for_active_counts_once_a_note_could_not_be_read_whatever_becomes_of_the_sealing_key() {
    let mut world = World::without_renewal();
    world.settle();
    world.holder(FIRST_KEY).note = Note::Unreadable;
    world.settle();
    world.recreate(FIRST_KEY, Active);
    assert_eq!(said(&world.settle()).0, None);
    // An administrator takes the note away.
    let holder = world.holder(FIRST_KEY);
    (holder.note, holder.is_noted_by_us) = (Note::Absent, false);
    assert_eq!(said(&world.settle()).0, None);
    assert_eq!(world.loaded.holders[0].note, Note::Says(Retiring));
}

#[test]
fn a_record_without_a_floor_gives_active_only_of_a_key_of_the_first_version_whose_secret_is_there() {
    let fingerprint = |holder: &Holder| Some(holder.recipient.fingerprint().to_string());
    for (state, is_there, later, floor) in [
        (None, true, false, Active),
        (None, false, false, Retiring),
        (None, false, true, Retiring),
        // An earlier version recorded lost and unreadable keys like this.
        (Some(PublishedState::Revoked), true, false, Retiring),
        (Some(PublishedState::Lost), false, false, Retiring),
        (Some(PublishedState::Lost), true, false, Retiring),
    ] {
        let key = holder("a", 1, Note::Absent);
        let mut world = World::with([key.clone()]);
        world.set_clocks_apart();
        let mut published = sealing_key("a", &key, Active);
        let status = SealingKeyStatus { fingerprint: fingerprint(&key), state, ..Default::default() };
        published.status = Some(status);
        world.published.push(published);
        if !is_there {
            world.lose("a");
        }
        world.loaded.later.extend(later.then_some(Some(key.recipient.fingerprint())));
        let case = format!("{state:?} {is_there} {later}");
        world.settle();
        let recorded = |world: &World| world.published[0].status.as_ref().unwrap().floor;
        assert_eq!(recorded(&world), Some(floor), "{case}");
        // The lost key comes back.
        if !is_there {
            world.loaded.later.clear();
            world.loaded.holders.push(key);
            assert_eq!(said(&world.settle()).0, None, "{case}");
        }
        assert_eq!(
            (recorded(&world), world.loaded.holders[0].note),
            (Some(floor), Note::Says(floor)),
            "{case}"
        );
    }
}

#[test]
fn an_older_key_whose_note_is_corrected_does_not_take_the_place_of_a_newer_one() {
    let mut world = World::without_renewal();
    world.settle();
    world.holder(FIRST_KEY).note = Note::Unreadable;
    world.settle();
    world.loaded.holders.push(holder("sealing-key-2", 2, Note::Says(Active)));
    assert_eq!(said(&world.settle()).0, Some("sealing-key-2"));
    world.ask("sealing-key-2", Revoked);
    world.settle();
    world.holder(FIRST_KEY).note = Note::Says(Active);
    assert_eq!(said(&world.settle()).0, None);
    assert_eq!(world.holder(FIRST_KEY).note, Note::Says(Retiring));
}

#[test]
fn a_note_that_is_lowered_or_removed_is_raised_again() {
    for note in [Note::Says(Active), Note::Absent] {
        let mut world = two_keys();
        world.ask("sealing-key-2", Revoked);
        world.settle();
        for secret in [FIRST_KEY, "sealing-key-2"] {
            world.holder(secret).note = note;
        }
        assert_eq!(said(&world.settle()).0, None, "{note:?}");
        let notes: Vec<_> = world.loaded.holders.iter().map(|holder| holder.note).collect();
        assert_eq!(notes, [Note::Says(Retiring), Note::Says(Revoked)]);
    }
}

#[test]
fn a_second_sealing_key_of_one_key_is_called_a_duplicate() {
    let mut world = World::default();
    world.settle();
    let copy = sealing_key("a-copy", &world.loaded.holders[0], Active);
    world.published.push(copy);
    let report = world.settle();
    assert_eq!(said(&report), (Some(FIRST_KEY), None));
    assert_eq!(
        *standing(&report, "a-copy"),
        Standing::Duplicate { of: FIRST_KEY.into(), is_recorded: false }
    );
    // If the first is deleted, the other takes its place.
    world.published.remove(0);
    assert_eq!(said(&world.settle()), (Some("a-copy"), None));
}

#[test]
fn a_secret_of_a_later_version_is_not_lost_and_blocks_making_another() {
    let mut world = World::default();
    world.loaded.later.push(None);
    assert_eq!(said(&world.settle()), (None, None));
    assert!(world.loaded.holders.is_empty());

    let mut world = World::default();
    world.settle();
    let later = world.lose(FIRST_KEY).recipient.fingerprint();
    world.loaded.later.push(Some(later));
    let report = world.settle();
    assert_eq!(*standing(&report, FIRST_KEY), Standing::LaterVersion);
    assert!(world.loaded.holders.is_empty());
}

#[test]
fn equal_sequences_go_by_date_and_then_by_fingerprint_the_same_for_every_controller() {
    let (a, b) = (holder("a", 2, Note::Says(Active)), holder("b", 2, Note::Says(Active)));
    let later = Holder { created_at: "2026-02-01T00:00:00Z".into(), ..a.clone() };
    for held in [[later.clone(), b.clone()], [b.clone(), later]] {
        assert_eq!(said(&World::with(held).settle()).0, Some("a"));
    }
    let greater = if a.recipient.fingerprint() > b.recipient.fingerprint() { "a" } else { "b" };
    for held in [[a.clone(), b.clone()], [b, a]] {
        assert_eq!(said(&World::with(held).settle()).0, Some(greater));
    }
}

#[test]
fn the_older_is_said_before_the_primary_and_what_others_planted_after_it() {
    let mut world = two_keys();
    let mallory = holder("none", 3, Note::Absent);
    world.published.insert(0, sealing_key("a-planted-one", &mallory, Active));
    world.published.insert(0, sealing_key("a-duplicate", &world.loaded.holders[0], Active));
    let report = Report::from(&world.decide());
    let order: Vec<_> =
        report.verdicts.iter().map(|(name, verdict)| (name.as_str(), verdict.rank())).collect();
    let expected = [
        (FIRST_KEY, Rank::Own),
        ("sealing-key-2", Rank::Primary),
        ("a-duplicate", Rank::Planted),
        ("a-planted-one", Rank::Planted),
    ];
    assert_eq!(order, expected);
    assert_eq!(PublishedState::from(Retiring), PublishedState::Retiring);
}

#[test]
fn what_is_so_is_known_before_anything_is_done() {
    // A newer key isn't published yet: it opens already, and people go on to seal to the older key, whatever keeps the
    // newer one from being published.
    let mut world = World::default();
    world.settle();
    world.loaded.holders.push(holder("sealing-key-2", 2, Note::Says(Active)));
    let decision = world.decide();
    assert!(matches!(decision.step, Step::Publish(..)));
    assert_eq!(said(&Report::from(&decision)), (Some(FIRST_KEY), None));
    // Once it is published, the older one isn't the primary any more, before that is noted.
    world.published.push(sealing_key("sealing-key-2", &world.loaded.holders[1], Active));
    let decision = world.decide();
    assert!(matches!(decision.step, Step::Raise(_)));
    assert_eq!(said(&Report::from(&decision)), (Some("sealing-key-2"), None));
    // Without an older key, nobody is sealed to meanwhile.
    let mut world = World::with([holder("sealing-key-2", 2, Note::Says(Active))]);
    let decision = world.decide();
    assert!(Report::from(&decision).keyless.unwrap().contains("isn't published"));
    assert_eq!(said(&world.settle()).0, Some("sealing-key-2"));
}

#[test]
fn twenty_thousand_sealing_keys_of_one_key_are_each_visited_a_few_times() {
    let mut world = World::default();
    world.settle();
    let copies = (0..20_000).map(|i| sealing_key(&format!("copy-{i}"), &world.loaded.holders[0], Active));
    let copies: Vec<_> = copies.collect();
    world.published.extend(copies);
    // If each were visited for each of them, that would be 400 million visits.
    VISITS_LEFT.set(10 * 20_001);
    let report = world.settle();
    assert!(VISITS_LEFT.get() < 9 * 20_001, "the visits are counted");
    assert_eq!(said(&report), (Some(FIRST_KEY), None));
    assert_eq!(report.verdicts.len(), 20_001);
}

#[test]
fn after_a_restored_key_with_the_highest_sequence_another_is_made() {
    let highest = Holder { sequence: MAX_SEQUENCE, ..holder("x", 1, Note::Absent) };
    let before = Holder { sequence: MAX_SEQUENCE - 1, ..holder("x", 1, Note::Absent) };
    for (held, made) in [
        (vec![restored(&highest, "restored")], 1),
        (vec![restored(&highest, FIRST_KEY)], 2),
        (vec![restored(&highest, "sealing-key-8"), restored(&holder("y", 7, Note::Absent), "restored-7")], 9),
        (vec![restored(&before, "restored")], MAX_SEQUENCE),
    ] {
        let mut world = World::with(held);
        let report = world.settle();
        let newest = world.loaded.holders.last().unwrap();
        assert_eq!((newest.sequence, report.primary), (made, Some(newest.recipient.fingerprint())));
    }
}

#[test]
fn a_key_that_the_controller_made_is_a_trace_of_it_also_without_a_note() {
    // The first version wrote no note; the SealingKeys were deleted while no controller ran.
    let mut world = World::with([holder(FIRST_KEY, 1, Note::Absent)]);
    world.set_clocks_apart();
    let report = world.settle();
    assert_eq!((world.loaded.holders.len(), said(&report)), (1, (None, None)));
    assert_eq!(world.loaded.holders[0].note, Note::Says(Retiring));
}

/// A controller's own first key, made half a year ago with a recovery set, under a period of renewal.
fn with_period(days: i64) -> World {
    let mut world = World::default();
    world.recover(1);
    world.at("2026-01-01T00:00:00Z");
    world.settle();
    world.settings = Settings::new(SignedDuration::from_hours(24 * days), world.flags()).unwrap();
    world.at(NOW);
    world.steps.clear();
    world
}

impl World {
    /// Starts the controller with a recovery set of so many recipients.
    fn recover(&mut self, count: usize) -> Vec<Recipient> {
        let recovery: Vec<_> = (0..count).map(|_| Identity::generate().recipient().clone()).collect();
        let flags = RecipientFlags { recovery: recovery.clone(), ..RecipientFlags::default() };
        let renewal = self.settings.renewal.unwrap_or_default();
        self.settings = Settings::new(renewal, flags).unwrap();
        recovery
    }

    fn flags(&self) -> RecipientFlags {
        RecipientFlags { recovery: self.settings.recovery().cloned().collect(), ..RecipientFlags::default() }
    }

    /// The kinds of the steps that were taken.
    fn kinds(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.split([' ', '(']).next().unwrap()).collect()
    }

    /// The renewal of the newest key, as it is said.
    fn renewal(&mut self) -> Option<Renewal> {
        self.look();
        let decision = self.decide();
        let mut found = decision.statements.iter().filter_map(|it| it.verdict.renewal);
        found.next()
    }

    fn obstacle(&mut self) -> Option<Obstacle> {
        match self.renewal() {
            Some(Renewal::Due { obstacle, .. }) => obstacle,
            other => panic!("none is due: {other:?}"),
        }
    }

    /// Somebody deletes the Secret, and the finalizer holds it.
    fn delete(&mut self, secret: &str) {
        self.holder(secret).deleted_at = Some(Timestamp::UNIX_EPOCH);
    }
}

#[test]
fn a_renewal_makes_the_key_with_its_backup_publishes_both_retires_the_older_and_only_then_seals_to_it() {
    let mut world = with_period(365);
    world.ask(FIRST_KEY, Retiring);
    let mut seen = Vec::new();
    for _ in 0..5 {
        world.look();
        let decision = world.decide();
        let kind = format!("{:?}", decision.step).split([' ', '(']).next().unwrap().to_owned();
        let primary = said(&Report::from(&decision)).0.map(str::to_owned);
        seen.push((kind, primary));
        let Step::Say = decision.step else {
            let step = decision.step;
            world.take(step);
            continue;
        };
        break;
    }
    let seen: Vec<_> = seen.iter().map(|(kind, primary)| (kind.as_str(), primary.as_deref())).collect();
    let second = Some("sealing-key-2");
    // The note is written before the status says who is the primary.
    let first = Some(FIRST_KEY);
    assert_eq!(seen, [("Make", first), ("Publish", first), ("Raise", second), ("Say", second)]);
    let report = world.settle();
    assert_eq!(said(&report), (second, None));
    assert_eq!(world.holder(FIRST_KEY).note, Note::Says(Retiring));
    let made = world.holder("sealing-key-2").clone();
    assert_eq!((made.sequence, made.created_at.as_str()), (2, NOW), "by the API server's clock");
    assert!(world.settings.recovery().eq(made.recovery.unwrap().recipients()));
    assert_eq!(world.backups.len(), 2);
}

#[test]
fn a_key_is_renewed_by_age_and_announced_a_month_before() {
    // The key is 181 days old.
    for (days, renewal) in [
        (181, Some(Renewal::Due { why: Why::Age, obstacle: None })),
        (182, Some(Renewal::Soon)),
        (211, Some(Renewal::Soon)),
        (212, None),
        (0, None),
    ] {
        let mut world = with_period(days);
        assert_eq!(world.renewal(), renewal, "{days}");
        let report = world.settle();
        let is_due = days == 181;
        assert_eq!(said(&report), (Some(if is_due { "sealing-key-2" } else { FIRST_KEY }), None), "{days}");
        let said: Vec<_> = world.published.iter().map(|it| it.status.clone().unwrap().renewal).collect();
        let expected = match days {
            0 => vec![None],
            181 => vec![None, Some("2026-12-29T00:00:00Z".to_owned())],
            182 => vec![Some("2026-07-02T00:00:00Z".to_owned())],
            211 => vec![Some("2026-07-31T00:00:00Z".to_owned())],
            _ => vec![Some("2026-08-01T00:00:00Z".to_owned())],
        };
        assert_eq!(said, expected, "{days}");
    }
}

#[test]
fn three_renewals_leave_one_primary_and_every_older_key_retiring() {
    let mut world = with_period(30);
    for (now, name) in [
        ("2026-07-01T00:00:00Z", "sealing-key-2"),
        ("2026-08-01T00:00:00Z", "sealing-key-3"),
        ("2026-09-01T00:00:00Z", "sealing-key-4"),
    ] {
        world.at(now);
        assert_eq!(said(&world.settle()), (Some(name), None));
        assert_eq!(said(&world.settle()), (Some(name), None), "a second look does nothing");
    }
    assert_eq!(world.kinds(), ["Make", "Publish", "Raise"].repeat(3));
    let notes: Vec<_> = world.loaded.holders.iter().map(|holder| holder.note).collect();
    assert_eq!(notes, [Retiring, Retiring, Retiring, Active].map(Note::Says));
}

#[test]
fn each_fence_keeps_a_key_from_being_made_and_is_said_and_no_other_limit_does() {
    let old = |count: i64| {
        (2..2 + count).map(|i| Holder {
            created_at: "2026-01-02T00:00:00Z".into(),
            ..holder(&format!("k-{i}"), i, Note::Says(Retiring))
        })
    };
    let recent = |count: i64| {
        (2..2 + count).map(|i| Holder {
            created_at: "2026-06-30T00:00:01Z".into(),
            ..holder(&format!("k-{i}"), i, Note::Says(Retiring))
        })
    };
    type Change<'a> = Box<dyn Fn(&mut World) + 'a>;
    let cases: [(Option<Obstacle>, Change<'_>); 9] = [
        (None, Box::new(|_| {})),
        (None, Box::new(|world| world.loaded.holders.extend(old(30)))),
        (Some(Obstacle::TooManyKeys), Box::new(|world| world.loaded.holders.extend(old(31)))),
        (None, Box::new(|world| world.loaded.holders.extend(recent(7)))),
        (Some(Obstacle::TooManyRecent), Box::new(|world| world.loaded.holders.extend(recent(8)))),
        (Some(Obstacle::LaterVersion), Box::new(|world| world.loaded.later.push(None))),
        (Some(Obstacle::Clock(ClockFault::Differs)), Box::new(World::set_clocks_apart)),
        (
            Some(Obstacle::Clock(ClockFault::NoDate)),
            Box::new(|world| world.loaded.clock = Clock::new(None, NOW.parse().unwrap())),
        ),
        // A lost key that isn't the primary keeps nothing from being made.
        (
            None,
            Box::new(|world| {
                world.loaded.holders.extend(old(1));
                world.settle();
                world.lose("k-2");
            }),
        ),
    ];
    assert_eq!((MAX_KEYS, MAX_RECENT), (32, 8));
    for (i, (obstacle, change)) in cases.into_iter().enumerate() {
        let mut world = with_period(0);
        change(&mut world);
        world.settle();
        world.ask(FIRST_KEY, Retiring);
        assert_eq!(world.obstacle(), obstacle, "{i}");
        let before = world.loaded.holders.len();
        let report = world.settle();
        let made = world.loaded.holders.len() - before;
        assert_eq!(made, usize::from(obstacle.is_none()), "{i}");
        if obstacle.is_some() {
            assert_eq!(said(&report), (Some(FIRST_KEY), Some(FIRST_KEY)), "{i}: it is still sealed to");
        }
    }
}

#[test]
fn a_revoked_unreadable_or_deleted_primary_is_renewed_and_no_older_key_takes_its_place() {
    for (i, story) in [
        |world: &mut World| world.ask("sealing-key-2", Revoked),
        |world: &mut World| world.holder("sealing-key-2").note = Note::Unreadable,
        |world: &mut World| world.delete("sealing-key-2"),
        |world: &mut World| {
            let revoked = [world.holder("sealing-key-2").recipient.fingerprint()].into();
            let flags = RecipientFlags { revoked, ..world.flags() };
            world.settings = Settings::new(SignedDuration::ZERO, flags).unwrap();
        },
    ]
    .into_iter()
    .enumerate()
    {
        let mut world = two_keys();
        story(&mut world);
        assert_eq!(said(&world.settle()), (None, Some("sealing-key-2")), "{i}: while nothing is renewed");
        world.at(NOW);
        assert_eq!(said(&world.settle()), (Some("sealing-key-3"), None), "{i}");
        assert_eq!(world.holder(FIRST_KEY).note, Note::Says(Retiring), "{i}");
        // A note that is corrected, or a flag that is forgotten, makes no older key the primary again.
        world.settings = Settings::default();
        world.holder("sealing-key-2").note = Note::Says(Active);
        assert_eq!(said(&world.settle()).0, Some("sealing-key-3"), "{i}");
    }
}

#[test]
fn a_deleted_secret_still_opens_and_is_called_deleting_until_a_copy_of_it_is_loaded() {
    let mut world = two_keys();
    world.delete(FIRST_KEY);
    let report = world.settle();
    assert_eq!(*standing(&report, FIRST_KEY), Standing::Deleting);
    assert_eq!(said(&report), (Some("sealing-key-2"), None));
    let state = |world: &World| world.published[0].status.clone().unwrap();
    assert_eq!((state(&world).state, state(&world).floor), (Some(PublishedState::Deleting), Some(Retiring)));
    // The finalizer is put on no Secret that is being deleted, and taken from none.
    world.holder(FIRST_KEY).is_held = false;
    world.ask(FIRST_KEY, Revoked);
    world.settle();
    assert_eq!((world.holder(FIRST_KEY).is_held, state(&world).floor), (false, Some(Revoked)));
    let copy = restored(&Holder { deleted_at: None, ..world.holder(FIRST_KEY).clone() }, "restored-first");
    world.loaded.holders.push(copy);
    assert_eq!(*standing(&world.settle(), FIRST_KEY), Standing::Held(Revoked));
    assert!(world.holder("restored-first").is_held, "a restored key gets the finalizer");
}

#[test]
fn a_lost_primary_is_waited_for_until_somebody_acknowledges_the_loss() {
    let mut world = with_period(30);
    let lost = world.lose(FIRST_KEY);
    let report = world.settle();
    assert_eq!(said(&report), (None, Some(FIRST_KEY)));
    assert_eq!(world.obstacle(), Some(Obstacle::Loss));
    assert!(report.keyless.unwrap().contains("restored from a backup, or the loss is acknowledged"));
    world.published[0].spec.loss_acknowledged = true;
    let report = world.settle();
    assert_eq!(*standing(&report, FIRST_KEY), Standing::Destroyed);
    assert_eq!(said(&report), (Some("sealing-key-2"), None), "the next number, although the Secret is gone");
    // If its Secret comes back after all, it only opens.
    world.loaded.holders.push(restored(&lost, FIRST_KEY));
    let report = world.settle();
    assert_eq!(
        (said(&report).0, standing(&report, FIRST_KEY)),
        (Some("sealing-key-2"), &Standing::Held(Retiring))
    );
}

#[test]
fn an_acknowledgement_counts_only_for_a_loss_that_came_before_it() {
    let mut world = World::without_renewal();
    world.settle();
    let is_void = |world: &World| world.published[0].is_acknowledgement_void();
    world.published[0].spec.loss_acknowledged = true;
    let report = world.settle();
    assert_eq!(
        (said(&report), standing(&report, FIRST_KEY), is_void(&world)),
        ((Some(FIRST_KEY), None), &Standing::Held(Active), true),
        "of a key that is there it means nothing"
    );
    // The key is lost, once with a deletion that waited for a while, and once without.
    for is_deleted_first in [true, false] {
        if is_deleted_first {
            world.delete(FIRST_KEY);
            assert_eq!(*standing(&world.settle(), FIRST_KEY), Standing::Deleting);
            world.holder(FIRST_KEY).deleted_at = None;
        }
        let lost = world.lose(FIRST_KEY);
        for look in 0..3 {
            let report = world.settle();
            assert_eq!(*standing(&report, FIRST_KEY), Standing::Lost, "look {look}");
            assert_eq!((said(&report), is_void(&world)), ((None, Some(FIRST_KEY)), true), "look {look}");
        }
        world.loaded.holders.push(lost);
        assert_eq!(said(&world.settle()).0, Some(FIRST_KEY), "it is back, as what it was");
    }
    // Taken back and written anew it counts, whatever the controller saw between.
    world.lose(FIRST_KEY);
    world.settle();
    world.published[0].spec.loss_acknowledged = false;
    assert_eq!(*standing(&world.settle(), FIRST_KEY), Standing::Lost);
    assert!(!is_void(&world));
    world.published[0].spec.loss_acknowledged = true;
    let report = world.settle();
    assert_eq!((standing(&report, FIRST_KEY), is_void(&world)), (&Standing::Destroyed, false));
}

#[test]
fn a_loss_that_is_acknowledged_a_second_time_is_a_loss_like_the_first() {
    let mut world = World::without_renewal();
    world.settle();
    let lost = world.lose(FIRST_KEY);
    world.settle();
    world.published[0].spec.loss_acknowledged = true;
    world.settle();
    assert_eq!(world.published[0].status.as_ref().unwrap().state, Some(PublishedState::Destroyed));
    world.loaded.holders.push(restored(&lost, "restored"));
    assert_eq!(*standing(&world.settle(), FIRST_KEY), Standing::Held(Retiring));
    world.lose("restored");
    assert_eq!(
        *standing(&world.settle(), FIRST_KEY),
        Standing::Lost,
        "nobody has said that it is gone again"
    );
}

#[test]
fn a_planted_sealing_key_blocks_no_renewal_gets_no_number_and_adds_no_recipient() {
    let mut world = with_period(30);
    let mallory = holder("none", 999, Note::Absent);
    let mut planted = sealing_key("sealing-key-2", &mallory, Active);
    planted.spec.created_at = "2026-06-01T00:00:00Z".into();
    planted.spec.loss_acknowledged = true;
    let status = SealingKeyStatus {
        state: Some(PublishedState::Lost),
        floor: Some(Active),
        recovery_recipients: vec![mallory.recipient.to_string()],
        ..SealingKeyStatus::default()
    };
    planted.status = Some(status);
    world.published.push(planted);
    let report = world.settle();
    let made = world.loaded.holders.last().unwrap().clone();
    assert_eq!((made.secret.as_str(), made.sequence), ("sealing-key-2", 2));
    assert_eq!(report.primary, Some(made.recipient.fingerprint()));
    assert_eq!(*standing(&report, "sealing-key-2"), Standing::Planted);
    let decision = world.decide();
    let recorded: Vec<_> = decision.recorded.iter().map(|key| key.fingerprint).collect();
    assert!(!recorded.contains(&mallory.recipient.fingerprint()));
    assert!(decision.recorded.iter().all(|key| !key.recovery.contains(&mallory.recipient.fingerprint())));
}

#[test]
fn the_recovery_set_of_a_key_is_the_one_it_was_made_with_whatever_the_flag_says_later() {
    let mut world = with_period(0);
    let [before, intruder] = [world.flags().recovery, world.recover(1)];
    let report = world.settle();
    assert_eq!(said(&report), (Some(FIRST_KEY), None), "a changed flag renews nothing");
    assert_eq!(world.kinds(), [""; 0], "and publishes nothing");
    let status = world.published[0].status.clone().unwrap();
    assert_eq!(status.recovery_recipients, [before[0].to_string()]);
    assert!(status.conditions.iter().any(|it| it.type_ == "RecoveryChanged"));
    // It takes effect with the next key.
    world.ask(FIRST_KEY, Retiring);
    world.settle();
    let made = world.holder("sealing-key-2").recovery.clone().unwrap();
    assert_eq!(made.recipients(), intruder);
    let status = world.published[1].status.clone().unwrap();
    assert!(status.conditions.iter().all(|it| it.type_ != "RecoveryChanged"));
}

#[test]
fn a_key_whose_backup_is_not_published_is_not_sealed_to() {
    let mut world = with_period(0);
    world.ask(FIRST_KEY, Retiring);
    world.take(world.decide().step);
    // Its SealingKey is there before its backup.
    world.published.push(sealing_key("sealing-key-2", world.loaded.holders.last().unwrap(), Active));
    world.look();
    let decision = world.decide();
    assert!(matches!(&decision.step, Step::Publish(backups, keys) if backups.len() == 1 && keys.is_empty()));
    assert_eq!(said(&Report::from(&decision)), (Some(FIRST_KEY), Some(FIRST_KEY)), "the older one still is");
    assert_eq!(world.obstacle(), Some(Obstacle::Unfinished), "no third key is made");
    assert_eq!(said(&world.settle()).0, Some("sealing-key-2"));
    // A published backup that somebody deletes or replaces is published again, and the primary stays what it is.
    world.backups.clear();
    world.look();
    assert_eq!(said(&Report::from(&world.decide())).0, Some("sealing-key-2"));
    assert_eq!(said(&world.settle()).0, Some("sealing-key-2"));
    assert_eq!(world.backups.len(), 2);
}

#[test]
fn a_key_dated_ahead_is_as_old_as_its_secret() {
    let mut ahead = holder("sealing-key-2", 2, Note::Says(Active));
    ahead.created_at = "2036-01-01T00:00:00Z".into();
    ahead.stored_at = "2026-05-01T00:00:00Z".into();
    let mut world = World::with([ahead]);
    world.settle();
    let verdict = |world: &mut World| world.decide().statements[0].verdict.clone();
    assert_eq!(verdict(&mut world).dates, Some(DateFault::Ahead));
    world.settings = Settings::new(SignedDuration::from_hours(24 * 365), RecipientFlags::default()).unwrap();
    assert_eq!(verdict(&mut world).renewal_at, "2027-05-01T00:00:00Z".parse().ok());
    // It counts among the keys of the last day by that, too.
    world.holder("sealing-key-2").stored_at = "2026-06-30T12:00:00Z".into();
    let recent = |i: i64| Holder {
        created_at: "2026-06-30T12:00:00Z".into(),
        ..holder(&format!("k-{i}"), i, Note::Says(Retiring))
    };
    world.loaded.holders.extend((3..10).map(recent));
    world.ask("sealing-key-2", Retiring);
    assert_eq!(world.obstacle(), Some(Obstacle::TooManyRecent));
}

#[test]
fn recorded_are_the_sets_of_all_keys_that_the_controller_had_and_revoked_the_keys_that_are() {
    let mut world = with_period(0);
    let set = world.flags().recovery[0].fingerprint();
    world.ask(FIRST_KEY, Retiring);
    world.settle();
    world.ask(FIRST_KEY, Revoked);
    world.settle();
    let first = world.lose(FIRST_KEY).recipient.fingerprint();
    world.settle();
    let decision = world.decide();
    assert_eq!((decision.recorded.len(), &decision.revoked[..]), (2, &[first][..]));
    assert!(decision.recorded.iter().all(|key| key.recovery == [set].into()));
}

#[test]
fn a_key_that_is_restored_without_its_recovery_set_keeps_what_was_recorded_of_it() {
    let mut world = with_period(0);
    let set = world.flags().recovery.remove(0);
    world.ask(FIRST_KEY, Retiring);
    world.settle();
    let lost = world.lose(FIRST_KEY);
    world.settle();
    // Its backup has the private half, and not the set.
    world.loaded.holders.push(Holder { recovery: None, ..restored(&lost, "sealing-key-0123456789abcdef") });
    for _ in 0..2 {
        world.settle();
        let recorded = world.decide().recorded;
        let key = recorded.iter().find(|key| key.fingerprint == lost.recipient.fingerprint()).unwrap();
        assert_eq!(key.recovery, [set.fingerprint()].into(), "a leak of the recipient exposes the key");
        let status = world.published[0].status.as_ref().unwrap();
        assert_eq!(
            (status.state, &status.recovery_recipients[..]),
            (Some(PublishedState::Retiring), &[set.to_string()][..])
        );
    }
    // What somebody else wrote beside the key adds nobody.
    let stranger = Identity::generate().recipient().to_string();
    let mut planted = sealing_key("planted", &lost, Retiring);
    let status =
        SealingKeyStatus { recovery_recipients: vec![stranger.clone()], ..SealingKeyStatus::default() };
    planted.status = Some(status);
    world.published.push(planted);
    let stranger = stranger.parse::<Recipient>().unwrap().fingerprint();
    assert!(world.decide().recorded.iter().all(|key| !key.recovery.contains(&stranger)));
}

#[test]
fn a_revoked_recovery_recipient_of_the_primary_stays_on_record_when_the_primary_is_lost() {
    let mut world = with_period(0);
    let flags = world.flags();
    let leaked = flags.recovery[0].clone();
    let revoked = [leaked.fingerprint()].into();
    world.settings = Settings::new(SignedDuration::ZERO, RecipientFlags { revoked, ..flags }).unwrap();
    world.settle();
    let status = world.published[0].status.clone().unwrap();
    assert!(status.recovery_recipients.is_empty(), "nobody seals to it");
    let lost = world.lose(FIRST_KEY);
    let sets =
        |world: &World| -> Vec<_> { world.decide().recorded.into_iter().map(|key| key.recovery).collect() };
    // Lost, and then restored without the set: what was sealed to the key is exposed by the leak.
    for holder in [None, Some(Holder { recovery: None, ..restored(&lost, "restored") })] {
        world.loaded.holders.extend(holder);
        world.settle();
        world.settle();
        assert_eq!(sets(&world)[0], [leaked.fingerprint()].into());
    }
}

#[test]
fn after_an_older_version_that_could_not_read_the_new_keys_everything_is_as_it_was() {
    let mut world = with_period(0);
    world.ask(FIRST_KEY, Retiring);
    world.settle();
    // The older version takes the Secrets for those of a later one. It writes whole statuses, without the fields that it
    // doesn't know, and without recovery recipients for a key that isn't the primary.
    for object in &mut world.published {
        let status = object.status.as_mut().unwrap();
        (status.renewal, status.usage) = (None, None);
        (status.recovery_recipients, status.extra_recipients) = (Vec::new(), Vec::new());
        status.conditions.retain(|condition| condition.type_ == "Primary");
        status.conditions[0].status = seal_crds::resources::ConditionStatus::False;
    }
    let before = world.loaded.holders.len();
    assert_eq!(said(&world.settle()), (Some("sealing-key-2"), None));
    assert_eq!(world.loaded.holders.len(), before);
    let notes: Vec<_> = world.loaded.holders.iter().map(|holder| holder.note).collect();
    assert_eq!(notes, [Retiring, Active].map(Note::Says));
    let sets = world.published.iter().map(|object| object.status.as_ref().unwrap().recovery_recipients.len());
    assert!(sets.eq([1, 1]), "the sets are in the Secrets");
}

#[test]
fn a_key_whose_secret_is_gone_is_revoked_like_any_other_and_keeps_no_newer_one_from_being_made() {
    let flag = |world: &mut World, fingerprint: Fingerprint| {
        let flags = RecipientFlags { revoked: [fingerprint].into(), ..RecipientFlags::default() };
        world.settings = Settings::new(SignedDuration::ZERO, flags).unwrap();
    };
    for (is_flag, is_revoked_first, is_acknowledged) in (0..8).map(|i| (i & 1 == 1, i & 2 == 2, i & 4 == 4)) {
        let case = format!("{is_flag} {is_revoked_first} {is_acknowledged}");
        let mut world = World::default();
        world.settle();
        let fingerprint = world.loaded.holders[0].recipient.fingerprint();
        let revoke = |world: &mut World| match is_flag {
            true => flag(world, fingerprint),
            false => world.ask(FIRST_KEY, Revoked),
        };
        // No look comes between a revocation and a loss.
        if is_revoked_first {
            revoke(&mut world);
        }
        let stolen = world.lose(FIRST_KEY);
        world.published[0].spec.loss_acknowledged = is_acknowledged;
        if !is_revoked_first {
            world.settle();
            revoke(&mut world);
        }
        assert_eq!(world.decide().revoked, [fingerprint], "{case}: it exposes what was sealed to it");
        assert_eq!(said(&world.settle()), (Some("sealing-key-2"), None), "{case}: the loss isn't waited for");
        let first = world.published[0].status.clone().unwrap();
        assert_eq!(first.floor, Some(Revoked), "{case}");
        // The flag is forgotten, the wish is taken back, and the private half comes back.
        world.settings = Settings::default();
        world.ask(FIRST_KEY, Active);
        world.loaded.holders.push(restored(&stolen, FIRST_KEY));
        world.settle();
        assert_eq!(
            (world.decide().revoked, world.holder(FIRST_KEY).note),
            (vec![fingerprint], Note::Says(Revoked))
        );
    }
}

#[test]
fn a_key_that_was_lost_never_comes_back_in_place_of_the_one_that_took_its_place() {
    for is_acknowledged in [false, true] {
        for is_newer_lost in [false, true] {
            let case = format!("{is_acknowledged} {is_newer_lost}");
            let mut world = World::without_renewal();
            world.settle();
            let lost = world.lose(FIRST_KEY);
            world.published[0].spec.loss_acknowledged = is_acknowledged;
            world.settle();
            world.loaded.holders.push(holder("sealing-key-2", 2, Note::Says(Active)));
            assert_eq!(said(&world.settle()).0, Some("sealing-key-2"), "{case}");
            assert_eq!(world.published[0].status.clone().unwrap().floor, Some(Retiring), "{case}");
            if is_newer_lost {
                world.lose("sealing-key-2");
            } else {
                world.ask("sealing-key-2", Revoked);
            }
            world.settle();
            // With the note that the controller wrote, as if the Secret had never gone.
            world.loaded.holders.push(lost);
            assert_eq!(said(&world.settle()).0, None, "{case}");
            assert_eq!(world.holder(FIRST_KEY).note, Note::Says(Retiring), "{case}");
        }
    }
}

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
use super::super::server_time::{ClockFault, ServerTime};
use super::super::settings::RecipientFlags;
use super::super::status::next_status;
use super::facts::VISITS_LEFT;
use super::renewal::{MAX_KEYS, MAX_RECENT, Obstacle, Why};
use super::verdict::{DateFault, Rank, Standing, Verdict};
use super::*;
use crate::conditions::rfc3339;
use KeyState::{Active, Retiring, Revoked};

mod claims;
mod losses;
mod recovery;
mod renewal;
mod restored;
mod states;

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
        let verdict = |it: &Judged<'_>| (name_of(it.key).to_owned(), it.verdict.clone());
        let verdicts = decision.verdicts.iter().map(verdict).collect();
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
        self.loaded.time = ServerTime::new(Some(now), now);
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
        self.loaded.time = ServerTime::new(Some(now), now + SignedDuration::from_mins(6));
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
                self.assert_nobody_adds_a_key_in_silence(&decision);
                let now = self.loaded.time.now();
                let status = |it: Judged<'_>| next_status(it.key, &it.verdict, &self.settings, now);
                let status = |it: Judged<'_>| (name_of(it.key).to_owned(), status(it));
                let statuses = decision.verdicts.into_iter().map(status).collect();
                self.record(statuses);
                return report;
            }
            let step = decision.step;
            self.steps.push(format!("{step:?}"));
            self.take(step);
        }
        panic!("no end: {:#?}", self.steps)
    }

    fn assert_nobody_adds_a_key_in_silence(&self, decision: &Decision<'_>) {
        for Judged { key, verdict } in &decision.verdicts {
            let is_own = matches!(verdict.standing, Standing::Held(_) | Standing::Deleting);
            let mut holders = self.loaded.holders.iter();
            let is_loaded = holders.any(|it| it.recipient.fingerprint() == key.fingerprint());
            assert!(!is_own || verdict.secret.is_some() == is_loaded, "{verdict:?}");
        }
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
                for Publish { mut key, .. } in keys {
                    let generated = key.metadata.generate_name.take().map(|start| start + "x");
                    key.metadata.name = key.metadata.name.or(generated);
                    let name = name_of(&key);
                    assert!(self.published.iter().all(|object| name_of(object) != name), "{name} is taken");
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
        let mut found = decision.verdicts.iter().filter_map(|it| it.verdict.renewal);
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

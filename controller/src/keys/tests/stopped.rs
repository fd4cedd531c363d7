//! A leader that is stopped before one of its requests, as by SIGSTOP or on a node that hangs, and goes on when
//! another replica has led meanwhile and people have changed things.
//!
//! The Lease would tell it that it no longer leads. Here nothing does: safety is in the preconditions of each request.
//! Invariants, at every moment: no floor is lowered, at most one SealingKey is called the primary. In the end there
//! is no key that neither of them would have made alone, except if what the leader decided on is gone meanwhile: then
//! there may be one more.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::deletion::{SECOND, renewed};
use super::*;

/// Stops a controller once, before one of its requests.
pub(super) struct Stop {
    /// The beginning of the request.
    beginning: &'static str,
    /// How many such requests go through first.
    left: AtomicUsize,
    /// The request that it is stopped before.
    before: Mutex<Option<String>>,
    is_reached: Notify,
    goes_on: Notify,
}

impl Stop {
    /// Stops after this many requests.
    fn after(requests: usize) -> Arc<Self> {
        let (is_reached, goes_on) = (Notify::new(), Notify::new());
        Arc::new(Self { beginning: "", left: requests.into(), before: Mutex::default(), is_reached, goes_on })
    }

    /// Stops before the first request that begins like this.
    pub(super) fn before(beginning: &'static str) -> Arc<Self> {
        let stop = Self::after(0);
        Arc::new(Self { beginning, ..Arc::into_inner(stop).expect("nobody else has it") })
    }

    /// Waits until the controller is stopped.
    pub(super) async fn is_reached(&self) {
        self.is_reached.notified().await;
    }

    pub(super) fn go_on(&self) {
        self.goes_on.notify_one();
    }

    pub(super) async fn at(&self, request: &str) {
        // To be stopped before these is to be stopped before the next one.
        if ["load", "load_bitnami", "list backups"].contains(&request) {
            return;
        }
        if request.starts_with(self.beginning) && self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            *self.before.lock().unwrap() = Some(request.to_owned());
            self.is_reached.notify_one();
            self.goes_on.notified().await;
        }
    }
}

/// What people, or another replica, do while the leader is stopped.
type Act = fn(&mut World);

/// The state of the world before the leader looks.
const BEGINNINGS: [(&str, Act); 4] = [
    ("an empty namespace", |_| ()),
    ("a newer key", |world| {
        world.start();
        world.add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    }),
    ("a key to retire", |world| {
        world.start();
        world.ask(FIRST, KeyState::Retiring);
    }),
    ("a key that is revoked", |world| {
        world.start();
        world.ask(FIRST, KeyState::Revoked);
    }),
];

const MEANWHILE: [(&str, Act); 7] = [
    ("the other replica looks", |_| ()),
    ("somebody retires all", |world| world.ask_all(KeyState::Retiring)),
    ("somebody revokes all", |world| world.ask_all(KeyState::Revoked)),
    ("somebody revokes beside the private half", |world| world.note_all("Revoked")),
    ("somebody restores an old key", |world| {
        // Beside a key that is there: the first key's name depends on what was restored before it.
        if !world.secrets.is_empty() {
            world.add("restored", 1, KeyState::Active, "kubectl-create");
        }
    }),
    ("a SealingKey is deleted", |world| drop(world.sealing_keys.pop())),
    ("the newest Secret is deleted", |world| drop(world.secrets.pop())),
];

impl World {
    /// A first key, with everything done.
    fn start(&mut self) {
        let fingerprint = self.add(FIRST, 1, KeyState::Active, "seal-controller");
        let list = json!({ "items": self.secrets });
        let loaded = Loaded::from(serde_json::from_value::<KeySecretList>(list).unwrap());
        let spec = SealingKeySpec {
            recipient: loaded.holders[0].recipient.to_string(),
            sequence: 1,
            created_at: loaded.holders[0].created_at.clone(),
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        let mut key = SealingKey::new(FIRST, spec);
        key.status = Some(SealingKeyStatus {
            fingerprint: Some(fingerprint.to_string()),
            floor: Some(KeyState::Active),
            ..SealingKeyStatus::default()
        });
        self.publish(key);
    }

    fn ask_all(&mut self, state: KeyState) {
        let names: Vec<_> = self.sealing_keys.iter().filter_map(|key| key.metadata.name.clone()).collect();
        names.iter().for_each(|name| self.ask(name, state));
    }

    fn note_all(&mut self, note: &str) {
        let version = self.next_version();
        for secret in &mut self.secrets {
            secret["metadata"]["annotations"][STATE_ANNOTATION] = json!(note);
            secret["metadata"]["resourceVersion"] = json!(version);
        }
    }

    /// The floor of each Secret of a key, by name.
    fn floors(&self) -> BTreeMap<String, KeyState> {
        let floor = |secret: &Value| {
            let note = &secret["metadata"]["annotations"][STATE_ANNOTATION];
            let name = secret["metadata"]["name"].as_str().unwrap().to_owned();
            (name, serde_json::from_value(note.clone()).unwrap())
        };
        self.secrets.iter().map(floor).collect()
    }

    /// Holds what may never be after a write; `before` is what held before it.
    fn assert_sound(&self, before: &BTreeMap<String, KeyState>, what: &str) {
        for (name, floor) in self.floors() {
            assert!(
                before.get(&name).is_none_or(|before| *before <= floor),
                "{what}: the floor of {name} sinks"
            );
        }
        assert!(self.primaries().len() <= 1, "{what}: {:?}", self.primaries());
    }
}

/// Looks until nothing is left to do. A failure, such as a key that is lost, stays one.
async fn finish(keys: &Keys<Memory>) {
    let one = keys.lead(pending()).await;
    keys.store.did();
    assert_eq!(keys.lead(pending()).await.is_ok(), one.is_ok());
    assert_eq!(keys.store.did(), [""; 0], "a second look does nothing");
}

#[tokio::test]
async fn a_leader_that_is_stopped_before_any_request_and_goes_on_later_lowers_nothing_and_makes_no_second_key()
 {
    let mut tried = 0;
    for (beginning, begin) in BEGINNINGS {
        let alone = Memory::default();
        begin(&mut alone.world());
        finish(&keys(&alone)).await;
        let alone: BTreeSet<String> = alone.world().floors().into_keys().collect();
        for (event, act) in MEANWHILE {
            for requests in 0.. {
                let store = Memory::default();
                begin(&mut store.world());
                let stop = Stop::after(requests);
                let stopped = keys(&Memory { stop: Some(stop.clone()), ..store.clone() });
                let mut look = std::pin::pin!(stopped.lead(pending()));
                tokio::select! {
                    _ = &mut look => break,
                    () = stop.is_reached() => {}
                }
                let request = stop.before.lock().unwrap().clone().unwrap_or_default();
                let what = format!("{beginning}, stopped before \"{request}\", {event}");
                act(&mut store.world());
                let other = keys(&store);
                finish(&other).await;
                let floors = store.world().floors();
                store.world().assert_sound(&floors, &what);
                stop.go_on();
                // It may say that somebody else was quicker; it goes on at its next look.
                drop(look.await);
                store.world().assert_sound(&floors, &what);
                finish(&other).await;
                store.world().assert_sound(&floors, &what);
                // No key is lost, and none is there that neither made alone. But the leader may have retired the older key
                // for one that is gone by then. That stays, and without a primary there is a newer key.
                let now = store.world().floors();
                let is_expected = |name: &&String| alone.contains(*name) || floors.contains_key(*name);
                let more = now.keys().filter(|name| !is_expected(name)).count();
                let may_be_more = usize::from(event == "the newest Secret is deleted");
                assert!(more <= may_be_more, "{what}: {floors:?}, then {now:?}");
                assert!(floors.keys().all(|name| now.contains_key(name)), "{what}");
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "{tried}");
}

/// A leader that is stopped in the middle of a deletion decided on what is gone by the time it goes on.
#[tokio::test]
async fn a_leader_that_is_stopped_in_the_middle_of_a_deletion_lets_no_key_go_that_an_object_needs() {
    let acts: [(&str, Act); 6] = [
        ("the other replica looks", |_| ()),
        ("the other key is deleted", |world| world.delete(SECOND)),
        ("all keys are deleted", |world| {
            world.delete(SECOND);
            world.delete("sealing-key-3");
        }),
        ("the key is revoked", |world| {
            if world.state(FIRST).is_some() {
                world.ask(FIRST, KeyState::Revoked);
            }
        }),
        ("the deletion is taken back", |world| {
            if world.secret(FIRST).is_some() {
                world.restore(FIRST, "sealing-key-restored");
            }
        }),
        ("the newest key is to retire", |world| world.ask("sealing-key-3", KeyState::Retiring)),
    ];
    let mut tried = 0;
    for (event, act) in acts {
        for is_needed in [false, true] {
            for requests in 0.. {
                let (store, _, [first, second]) = renewed().await;
                store.world().add("sealing-key-3", 3, KeyState::Active, "seal-controller");
                finish(&keys(&store)).await;
                let openers = if is_needed { vec![first] } else { vec![first, second] };
                store.world().objects = [("prod/db", openers)].into();
                store.world().delete(FIRST);
                let stop = Stop::after(requests);
                let stopped = keys(&Memory { stop: Some(stop.clone()), ..store.clone() });
                let mut look = std::pin::pin!(stopped.lead(pending()));
                tokio::select! {
                    _ = &mut look => break,
                    () = stop.is_reached() => {}
                }
                let request = stop.before.lock().unwrap().clone().unwrap_or_default();
                let what = format!("needed: {is_needed}, stopped before \"{request}\", {event}");
                act(&mut store.world());
                let other = keys(&store);
                drop(other.lead(pending()).await);
                let floors = store.world().floors();
                store.world().assert_sound(&floors, &what);
                stop.go_on();
                drop(look.await);
                for _ in 0..2 {
                    drop(other.lead(pending()).await);
                }
                let mut world = store.world();
                world.assert_sound(&floors, &what);
                assert_eq!(world.shut(), [""; 0], "{what}");
                assert!(
                    !is_needed || world.secret(FIRST).is_some() || event.contains("taken back"),
                    "{what}"
                );
                for key in &world.sealing_keys {
                    let state = key.status.as_ref().and_then(|status| status.state);
                    if !world.held().contains(&key.fingerprint()) {
                        // The other replica may have said meanwhile that the key stays. Then it is called lost.
                        let is_lost = state == Some(PublishedState::Lost) && event.contains("deleted");
                        assert!(is_lost || state == Some(PublishedState::Destroyed), "{what}: {state:?}");
                    } else {
                        assert_ne!(state, Some(PublishedState::Destroyed), "{what}");
                    }
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "{tried}");
}

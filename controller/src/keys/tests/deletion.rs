//! Deletions of keys over a store in memory: what goes, what stays, and who interrupts.
//!
//! The real proof is that of a cluster, and has a test on one. Invariant: every story ends with a world in which each object opens that
//! nobody applied after the proof.

use jiff::SignedDuration;
use seal_crds::resources::{Condition, ConditionStatus, KeyUsage};

use super::*;
use crate::conditions::rfc3339;

pub(super) const SECOND: &str = "sealing-key-2";

impl World {
    /// What `kubectl delete secret` does: the Secret goes, unless a finalizer holds it.
    pub(super) fn delete(&mut self, name: &str) {
        let (version, now) = (self.next_version(), rfc3339(self.now));
        let Some(secret) = self.secret(name) else { return };
        if secret["metadata"]["deletionTimestamp"].is_null() {
            secret["metadata"]["deletionTimestamp"] = json!(now);
            secret["metadata"]["resourceVersion"] = version.into();
        }
        if secret["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
            self.secrets.retain(|secret| secret["metadata"]["name"] != name);
        }
    }

    /// Takes the finalizers away; a Secret that is being deleted is gone then.
    pub(super) fn let_go(&mut self, name: &str) {
        let version = self.next_version();
        let Some(secret) = self.secret(name) else { return };
        secret["metadata"]["finalizers"] = json!([]);
        secret["metadata"]["resourceVersion"] = version.into();
        if !secret["metadata"]["deletionTimestamp"].is_null() {
            self.secrets.retain(|secret| secret["metadata"]["name"] != name);
        }
    }

    /// Another Secret with the same key, as a restore makes it.
    pub(super) fn restore(&mut self, name: &str, copy: &str) {
        let mut secret = self.secret(name).unwrap().clone();
        let metadata = secret["metadata"].as_object_mut().unwrap();
        metadata.remove("deletionTimestamp");
        metadata.insert("name".to_owned(), json!(copy));
        self.keep(secret, "seal");
    }

    /// The keys whose Secrets are there, whether or not they are being deleted.
    pub(super) fn held(&self) -> Vec<Fingerprint> {
        let list = json!({ "items": self.secrets });
        let loaded: Loaded = serde_json::from_value::<KeySecretList>(list).unwrap().into();
        loaded.holders.iter().map(|holder| holder.recipient.fingerprint()).collect()
    }

    /// The objects that no key opens any more.
    pub(super) fn shut(&self) -> Vec<&'static str> {
        let held = self.held();
        let shut = self.objects.iter().filter(|(_, openers)| !openers.iter().any(|key| held.contains(key)));
        shut.map(|(name, _)| *name).collect()
    }

    fn deletable(&self, name: &str) -> Option<Condition> {
        let key = self.sealing_keys.iter().find(|key| key.metadata.name.as_deref() == Some(name))?;
        find_condition(&key.status.as_ref()?.conditions, "Deletable").cloned()
    }
}

/// A controller with two keys, the first of which is Retiring.
pub(super) async fn renewed() -> (Memory, Keys<Memory>, [Fingerprint; 2]) {
    let (store, keys) = started().await;
    store.world().add(SECOND, 2, KeyState::Active, "seal-controller");
    settle(&keys).await;
    let held = store.world().held();
    assert_eq!(held.len(), 2);
    assert_eq!(store.world().primaries(), [SECOND]);
    (store, keys, [held[1], held[0]])
}

#[tokio::test]
async fn a_key_that_nothing_needs_goes_after_the_proof_and_leaves_a_tombstone() {
    let (store, keys, [first, second]) = renewed().await;
    store.world().objects = [("prod/db", vec![second]), ("prod/both", vec![first, second])].into();
    store.world().ask(FIRST, KeyState::Revoked);
    settle(&keys).await;
    store.world().delete(FIRST);
    let did = settle(&keys).await;
    let said = "say sealing-key-first NotNewestActive";
    let told = "announce sealing-key-first NothingNeedsIt";
    assert_eq!(did, [said, said, told, "release sealing-key-first", said]);
    assert_eq!(store.world().held(), [second]);
    assert_eq!(store.world().shut(), [""; 0]);
    assert!(keys.keyring.borrow().fingerprints().eq([second]));
    let status = store.world().sealing_key(FIRST).status.clone().unwrap();
    assert_eq!((status.state, status.floor), (Some(PublishedState::Destroyed), Some(KeyState::Revoked)));
    // Whoever deletes the tombstone loses the display, and nothing comes back. Objects aren't compared with the key any
    // more, and the primary says so.
    store.world().sealing_keys.retain(|key| key.metadata.name.as_deref() != Some(FIRST));
    assert_eq!(settle(&keys).await, ["say sealing-key-2 NewestActive"]);
    assert_eq!(settle(&keys).await, [""; 0]);
}

#[tokio::test]
async fn a_key_that_an_object_needs_stays_and_opens_until_nothing_needs_it() {
    let (store, keys, [first, second]) = renewed().await;
    store.world().objects = [("prod/old", vec![first]), ("prod/new", vec![second])].into();
    store.world().delete(FIRST);
    let did = settle(&keys).await;
    assert_eq!(did.last().unwrap(), "announce sealing-key-first KeyInUse");
    assert!(keys.keyring.borrow().find(&first).is_some(), "it opens");
    let blocked = store.world().deletable(FIRST).unwrap();
    assert_eq!((blocked.status, blocked.reason.as_str()), (ConditionStatus::False, "KeyInUse"));
    assert!(blocked.message.starts_with("1 SealedSecrets don't open without it; "), "{}", blocked.message);
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Deleting));

    store.world().objects.insert("prod/old", vec![second]);
    store.world().now += SignedDuration::from_mins(4);
    settle(&keys).await;
    assert_eq!(store.world().deletable(FIRST).unwrap().reason, "NotNeededNow");
    for (wait, held) in [(599, 2), (1, 1)] {
        store.world().now += SignedDuration::from_secs(wait);
        settle(&keys).await;
        assert_eq!(store.world().held().len(), held);
    }
    assert_eq!(store.world().held(), [second]);
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Destroyed));
}

/// A mistake that waits for days must not come true because somebody deletes the definitions, which takes objects and
/// SealingKeys along, and Git brings them back one by one.
#[tokio::test]
async fn a_key_that_was_needed_outlives_objects_that_go_for_a_moment() {
    let (store, keys, [first, second]) = renewed().await;
    let all: BTreeMap<_, _> = [("prod/new", vec![second]), ("prod/old", vec![first])].into();
    let some: BTreeMap<_, _> = [("prod/new", vec![second])].into();
    let days = SignedDuration::from_hours(72);
    for takes_sealing_keys in [false, true] {
        for (objects, reason) in [(BTreeMap::new(), "NotProven"), (some.clone(), "NotNeededNow")] {
            store.world().objects = all.clone();
            store.world().now += SignedDuration::from_mins(4);
            store.world().delete(FIRST);
            drop(keys.lead(pending()).await);
            assert_eq!(store.world().deletable(FIRST).unwrap().reason, "KeyInUse");
            store.world().now += days;
            store.world().objects = objects;
            if takes_sealing_keys {
                store.world().sealing_keys.clear();
            }
            assert_eq!(keys.lead(pending()).await, Ok(()));
            assert_eq!(store.world().deletable(FIRST).unwrap().reason, reason);
            store.world().now += SignedDuration::from_mins(9);
            assert_eq!(keys.lead(pending()).await, Ok(()));
            assert_eq!(store.world().held().len(), 2, "{reason}, {takes_sealing_keys}");
        }
    }
    // The objects are back, and later the values are sealed to the other key: the ten minutes begin anew.
    for objects in [all, some] {
        store.world().objects = objects;
        store.world().now += SignedDuration::from_mins(4);
        settle(&keys).await;
        store.world().now += SignedDuration::from_mins(9);
        settle(&keys).await;
        assert_eq!(store.world().held().len(), 2);
    }
    store.world().now += SignedDuration::from_mins(1);
    settle(&keys).await;
    assert_eq!(store.world().held(), [second]);
}

/// Whoever touches a SealingKey causes a look, and a proof opens every object.
#[tokio::test]
async fn a_proof_that_failed_is_asked_for_again_after_minutes_or_when_the_counts_change() {
    let (store, keys, [first, _]) = renewed().await;
    let (counted, receiver) = tokio::sync::watch::channel(None);
    let keys = Keys { counted: receiver, ..keys };
    store.world().objects = [("prod/old", vec![first])].into();
    store.world().delete(FIRST);
    for _ in 0..10 {
        settle(&keys).await;
        store.world().now += SignedDuration::from_secs(20);
    }
    assert_eq!(store.world().opened, 1);
    counted.send_replace(Some(Arc::new(Counted { objects: [(first, 1)].into(), at: Timestamp::UNIX_EPOCH })));
    settle(&keys).await;
    assert_eq!(store.world().opened, 2);
    store.world().now += SignedDuration::from_mins(4);
    settle(&keys).await;
    assert_eq!(store.world().opened, 3);
}

/// A proof takes minutes, and a revocation takes effect at once.
#[tokio::test]
async fn a_change_of_the_keys_ends_a_proof_and_the_next_look_sees_it() {
    let (store, keys, [first, second]) = renewed().await;
    store.world().objects = [("prod/db", vec![first, second])].into();
    store.world().delete(FIRST);
    let changed = std::future::ready(());
    assert_eq!(keys.lead(changed).await, Ok(()));
    assert_eq!(store.world().opened, 0);
    assert_eq!(store.world().deletable(FIRST), None);
    assert_eq!(store.world().held().len(), 2);
    settle(&keys).await;
    assert_eq!(store.world().held(), [second]);
}

/// Without any object nothing shows that the other keys open what is in Git.
#[tokio::test]
async fn where_there_is_no_object_no_key_goes() {
    let (store, keys, _) = renewed().await;
    store.world().delete(FIRST);
    for _ in 0..3 {
        settle(&keys).await;
        store.world().now += SignedDuration::from_hours(1);
    }
    assert_eq!(store.world().held().len(), 2);
    assert_eq!(store.world().deletable(FIRST).unwrap().reason, "NotProven");
}

/// A proof takes minutes, and people apply all the time.
#[tokio::test]
async fn what_is_applied_after_the_proof_holds_the_key_or_is_opened_first() {
    for is_needed in [false, true] {
        let (store, keys, [first, second]) = renewed().await;
        let opener = if is_needed { first } else { second };
        store.world().objects = [("prod/a", vec![second]), ("prod/b", vec![second])].into();
        store.world().delete(FIRST);
        store.before("list objects", move |world| drop(world.objects.insert("prod/b", vec![opener, opener])));
        settle(&keys).await;
        let opened = store.world().opened;
        let held = store.world().held();
        assert_eq!(store.world().shut(), [""; 0]);
        assert_eq!(held.contains(&first), is_needed);
        assert_eq!(opened, 3, "what was opened before isn't opened again");
    }
}

#[tokio::test]
async fn a_restored_copy_takes_the_deletion_back_without_a_proof() {
    let (store, keys, [first, second]) = renewed().await;
    store.world().objects = [("prod/old", vec![first])].into();
    store.world().delete(FIRST);
    settle(&keys).await;
    store.world().restore(FIRST, "sealing-key-restored");
    store.world().fails = vec!["prove"];
    let did = settle(&keys).await;
    assert!(did.contains(&"release sealing-key-first".to_owned()), "{did:?}");
    let mut held = store.world().held();
    held.sort();
    let mut expected = vec![first, second];
    expected.sort();
    assert_eq!(held, expected);
    assert_eq!(store.world().secrets.len(), 2);
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Retiring));
    assert_eq!(store.world().deletable(FIRST), None);
    assert_eq!(store.world().shut(), [""; 0]);
}

/// Each proof would count on the key that the other one lets go.
#[tokio::test]
async fn of_two_keys_that_are_deleted_at_once_none_stands_in_for_the_other() {
    let (store, keys, [first, second]) = renewed().await;
    let third = store.world().add("sealing-key-3", 3, KeyState::Active, "seal-controller");
    settle(&keys).await;
    store.world().objects = [("prod/both", vec![first, second]), ("prod/new", vec![third])].into();
    store.world().delete(FIRST);
    // The second one is deleted while the first is proven.
    store.before("prove", |world| world.delete(SECOND));
    settle(&keys).await;
    assert_eq!(store.world().held().len(), 3);
    assert_eq!(store.world().shut(), [""; 0]);
    for key in [FIRST, SECOND] {
        let blocked = store.world().deletable(key).unwrap();
        assert_eq!(blocked.reason, "KeyInUse");
        let said = "1 SealedSecrets don't open without it and the other keys that are being deleted; ";
        assert!(blocked.message.starts_with(said), "{}", blocked.message);
    }
}

/// `kubectl delete ns` deletes the Secrets of all keys, in any order, while the controller runs.
#[tokio::test]
async fn if_no_key_would_be_left_none_goes_whatever_objects_there_are() {
    let (store, keys, [first, _]) = renewed().await;
    for objects in [vec![], vec![("prod/db", vec![first])]] {
        store.world().objects = objects.into_iter().collect();
        store.world().delete(FIRST);
        store.world().delete(SECOND);
        store.world().fails = vec!["create"];
        assert!(keys.lead(pending()).await.is_err(), "nothing can be made in such a namespace");
        assert!(keys.lead(pending()).await.is_err());
        assert_eq!(store.world().held().len(), 2);
        assert_eq!(store.world().shut(), [""; 0]);
    }
}

#[tokio::test]
async fn a_finalizer_that_somebody_removes_makes_a_lost_key_unless_they_acknowledged_it() {
    for (is_acknowledged, state) in [(false, PublishedState::Lost), (true, PublishedState::Destroyed)] {
        let (store, keys, [first, _]) = renewed().await;
        store.world().objects = [("prod/old", vec![first])].into();
        store.world().delete(FIRST);
        settle(&keys).await;
        store.world().sealing_key(FIRST).spec.loss_acknowledged = is_acknowledged;
        store.world().let_go(FIRST);
        settle(&keys).await;
        assert_eq!(store.world().state(FIRST), Some(state));
    }
}

/// Somebody acts before each request of the controller's round, or the request fails; then the controller starts anew.
#[tokio::test]
async fn whatever_happens_at_whatever_moment_no_needed_key_goes_and_nothing_comes_back() {
    type Act = fn(&mut World);
    let acts: [(&str, Act); 6] = [
        ("nothing", |_| {}),
        ("the other key is deleted", |world| world.delete(SECOND)),
        ("all keys are deleted", |world| {
            world.delete(SECOND);
            world.delete("sealing-key-3");
        }),
        ("the SealingKey is deleted", |world| {
            world.sealing_keys.retain(|key| key.metadata.name.as_deref() != Some(FIRST));
        }),
        ("the key is revoked", |world| {
            if world.sealing_keys.iter().any(|key| key.metadata.name.as_deref() == Some(FIRST)) {
                world.ask(FIRST, KeyState::Revoked);
            }
        }),
        ("the deletion is taken back", |world| {
            if world.secret(FIRST).is_some() {
                world.restore(FIRST, "sealing-key-restored");
            }
        }),
    ];
    let moments = ["load", "list", "prove", "list objects", "say sealing-key-first", "release"];
    for moment in moments {
        for (what, act) in acts {
            for is_needed in [false, true] {
                for fails in [false, true] {
                    let case = format!("{moment}, {what}, needed: {is_needed}, fails: {fails}");
                    let (store, keys, [first, second]) = renewed().await;
                    store.world().add("sealing-key-3", 3, KeyState::Active, "seal-controller");
                    settle(&keys).await;
                    let openers = if is_needed { vec![first] } else { vec![first, second] };
                    store.world().objects = [("prod/db", openers)].into();
                    store.world().delete(FIRST);
                    store.before(moment, act);
                    if fails {
                        store.world().fails = vec![moment];
                    }
                    drop(keys.lead(pending()).await);
                    store.world().fails.clear();
                    // Another controller goes on, which knows nothing of the first.
                    let next = super::keys(&store);
                    drop(next.lead(pending()).await);
                    drop(next.lead(pending()).await);
                    let world = store.world();
                    assert_eq!(world.shut(), [""; 0], "{case}");
                    let held = world.held();
                    for key in &world.sealing_keys {
                        let state = key.status.as_ref().and_then(|status| status.state);
                        let is_gone = !held.contains(&key.fingerprint());
                        assert_eq!(is_gone, state == Some(PublishedState::Destroyed), "{case}: {state:?}");
                    }
                    if !is_needed && what == "nothing" {
                        assert!(!held.contains(&first), "{case}");
                    }
                    if is_needed {
                        assert!(held.contains(&first), "{case}");
                    }
                }
            }
        }
    }
}

/// The finalizer holds the private halves in the Terminating namespace until somebody has saved them. What the controller
/// has let go before is a key that nothing needed.
#[tokio::test]
async fn a_namespace_that_is_deleted_at_any_moment_keeps_every_private_half_that_is_left() {
    let moments = ["load", "list", "prove", "list objects", "say sealing-key-first", "release"];
    for is_key_deleted in [false, true] {
        // Where no key is being deleted, nothing is proven and nothing is said.
        for moment in moments.into_iter().take(if is_key_deleted { 6 } else { 2 }) {
            let case = format!("{moment}, a key is being deleted: {is_key_deleted}");
            let (store, keys, [first, second]) = renewed().await;
            store.world().objects = [("prod/db", vec![first, second]), ("prod/new", vec![second])].into();
            if is_key_deleted {
                store.world().delete(FIRST);
            }
            // The Secrets come in the order of their names; somewhere between, the controller looks.
            store.before(moment, |world| {
                world.delete(SECOND);
                world.sealing_keys.clear();
                world.fails = vec!["create", "publish"];
            });
            drop(keys.lead(pending()).await);
            store.world().delete(FIRST);
            for controller in [&keys, &super::keys(&store), &super::keys(&store)] {
                assert!(controller.lead(pending()).await.is_err(), "{case}: nothing can be made there");
            }
            let world = store.world();
            assert_eq!(world.shut(), [""; 0], "{case}");
            let held = world.held();
            assert!(held.contains(&second) && (is_key_deleted || held.contains(&first)), "{case}");
        }
    }
}

#[tokio::test]
async fn the_number_of_objects_that_need_a_key_is_said_once() {
    let (store, keys, [first, _]) = renewed().await;
    let (counted, receiver) = tokio::sync::watch::channel(None);
    let keys = Keys { counted: receiver, ..keys };
    assert_eq!(settle(&keys).await, [""; 0], "nothing is counted yet");
    let count = |objects, second| Counted {
        objects: [(first, objects)].into(),
        at: Timestamp::from_second(second).unwrap(),
    };
    counted.send_replace(Some(Arc::new(count(7, 0))));
    settle(&keys).await;
    let usage = |name: &str| store.world().sealing_key(name).status.as_ref().unwrap().usage.clone().unwrap();
    assert_eq!([FIRST, SECOND].map(|key| usage(key).objects), [7, 0]);
    counted.send_replace(Some(Arc::new(count(7, 60))));
    assert_eq!(settle(&keys).await, [""; 0]);
    counted.send_replace(Some(Arc::new(count(6, 120))));
    assert_eq!(settle(&keys).await.len(), 1);
    assert_eq!(usage(FIRST), KeyUsage { objects: 6, at: "1970-01-01T00:02:00Z".into() });
}

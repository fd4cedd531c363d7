//! The objects without a cluster: what wakes an object, what a memo saves, and a model of a cluster in which everything
//! happens in random order.

mod model;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn object(name: &str, generation: i64, version: u64, status: Value) -> Object {
    let metadata = json!({
        "name": name, "namespace": "prod", "uid": format!("uid-{name}"),
        "generation": generation, "resourceVersion": version.to_string(),
    });
    let object = json!({
        "apiVersion": "sealing.dev/v1alpha1", "kind": "SealedSecret",
        "metadata": metadata, "spec": {"text": "x".repeat(100)}, "status": status,
    });
    serde_json::from_value(object).unwrap()
}

fn ready(generation: i64) -> Value {
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "InSync", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    json!({"observedGeneration": generation, "conditions": [ready]})
}

fn key(name: &str) -> Key {
    Key { format: Format::Native, namespace: "prod".into(), name: name.into() }
}

fn secret(version: u64) -> Mark {
    Mark::of_version(&seal_crds::resources::SecretVersion {
        uid: "s-1".into(),
        resource_version: version.to_string(),
        applied: None,
    })
}

/// The objects, the Secrets in the cache, and a clock.
struct Scene {
    objects: Objects,
    secrets: HashMap<Key, Mark>,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        let objects = Objects::new(8, Natives::default());
        let mut scene = Self { objects, secrets: HashMap::new(), now: Instant::now() };
        scene.take_in(Event::Init);
        scene.take_in(Event::InitDone);
        scene
    }

    fn take_in(&mut self, event: Event<Object>) {
        let secrets = &self.secrets;
        self.objects.take_in(Format::Native, event, |key| secrets.get(key).copied());
    }

    /// The cache has this version of the Secret, and says so.
    fn has_secret(&mut self, name: &str, version: Option<u64>) {
        self.secrets.remove(&key(name));
        self.secrets.extend(version.map(|version| (key(name), secret(version))));
        let secrets = &self.secrets;
        self.objects.touch(&key(name), |key| secrets.get(key).copied());
    }

    fn begin(&mut self) -> Option<Turn> {
        let secrets = &self.secrets;
        self.objects.begin(Urgency::Again, self.now, |key| secrets.get(key).copied())
    }

    /// Ends a look that left the object like this, and the Secret in this version, if it wrote it.
    fn end(&mut self, turn: &Turn, left: Option<(&Object, Option<u64>)>, next: Next) {
        let left =
            left.map(|(it, wrote)| (Mark::of_object(&it.metadata, it.status.as_deref()), wrote.map(secret)));
        let ended = Ended { key: turn.key.clone(), begun: turn.begun, next, left };
        let secrets = &self.secrets;
        self.objects.end(ended, self.now, |key| secrets.get(key).copied());
    }

    /// The names of all whose turn it is.
    fn turns(&mut self) -> Vec<String> {
        let turns: Vec<Turn> = std::iter::from_fn(|| self.begin()).collect();
        turns.iter().for_each(|turn| self.end(turn, None, Next::OnChange));
        turns.iter().map(|turn| turn.key.name.to_string()).collect()
    }

    /// All whose turn it is, in order, with the urgency of each turn.
    fn urgencies(&mut self) -> Vec<(String, Urgency)> {
        let all = std::iter::from_fn(|| {
            let turn = self.begin()?;
            self.end(&turn, None, Next::OnChange);
            Some((turn.key.name.to_string(), turn.urgency))
        });
        all.collect()
    }

    /// An object that was new and is ready now: its Secret has version 5. The echoes of both writes are still to come.
    fn made(name: &str) -> Self {
        let mut scene = Self::new();
        scene.take_in(Event::Apply(object(name, 1, 1, Value::Null)));
        let turn = scene.begin().unwrap();
        assert!(turn.object.is_some());
        scene.end(&turn, Some((&object(name, 1, 2, ready(1)), Some(5))), Next::OnChange);
        scene
    }
}

#[test]
fn the_echoes_of_our_own_writes_cost_no_look_in_either_order() {
    for secret_first in [true, false] {
        let mut scene = Scene::made("db");
        if secret_first {
            scene.has_secret("db", Some(5));
        }
        scene.take_in(Event::Apply(object("db", 1, 2, ready(1))));
        scene.has_secret("db", Some(5));
        assert_eq!(scene.turns(), [""; 0]);
        assert_eq!(scene.objects.room(Format::Native).used(), 0, "nothing is kept whole at rest");
    }
}

#[test]
fn echoes_that_come_during_the_look_cost_no_other_one() {
    let mut scene = Scene::new();
    scene.take_in(Event::Apply(object("db", 1, 1, Value::Null)));
    let turn = scene.begin().unwrap();
    scene.has_secret("db", Some(5));
    scene.take_in(Event::Apply(object("db", 1, 2, ready(1))));
    scene.end(&turn, Some((&object("db", 1, 2, ready(1)), Some(5))), Next::OnChange);
    assert_eq!(scene.turns(), [""; 0]);
}

#[test]
fn a_secret_that_came_and_went_since_a_look_began_is_looked_at_again() {
    // The look met another's Secret, and left none. Marks of no Secret don't say that it is still so.
    for ends_after in 0..=2 {
        let mut scene = Scene::new();
        scene.take_in(Event::Apply(object("db", 1, 1, Value::Null)));
        let turn = scene.begin().unwrap();
        for (n, version) in [Some(5), None].into_iter().enumerate() {
            if n == ends_after {
                scene.end(&turn, Some((&object("db", 1, 2, ready(1)), None)), Next::OnChange);
            }
            scene.has_secret("db", version);
        }
        if ends_after == 2 {
            scene.end(&turn, Some((&object("db", 1, 2, ready(1)), None)), Next::OnChange);
        }
        assert_eq!(scene.turns(), ["db"], "the look ended after {ends_after} changes");
    }
}

#[test]
fn drift_is_seen_right_after_our_own_write_whatever_the_cache_shows_when() {
    // The Secret is changed, or deleted, after our own write was in the cache.
    for drifted in [Some(6), None] {
        let mut scene = Scene::made("db");
        scene.has_secret("db", Some(5));
        scene.take_in(Event::Apply(object("db", 1, 2, ready(1))));
        scene.has_secret("db", drifted);
        assert_eq!(scene.turns(), ["db"], "{drifted:?}");
    }
    // Its echo and its deletion came before the look ended.
    let mut scene = Scene::new();
    scene.take_in(Event::Apply(object("db", 1, 1, Value::Null)));
    let turn = scene.begin().unwrap();
    scene.has_secret("db", Some(5));
    scene.has_secret("db", None);
    scene.end(&turn, Some((&object("db", 1, 2, ready(1)), Some(5))), Next::OnChange);
    assert_eq!(scene.turns(), ["db"]);
    // The cache has both before either is told.
    let mut scene = Scene::made("db");
    scene.has_secret("db", None);
    assert_eq!(scene.turns(), ["db"]);
}

#[test]
fn a_memo_counts_for_its_object_its_status_and_its_keys_only() {
    let settled = || {
        let mut scene = Scene::made("db");
        scene.has_secret("db", Some(5));
        scene.take_in(Event::Apply(object("db", 1, 2, ready(1))));
        assert_eq!(scene.turns(), [""; 0]);
        scene
    };
    let mut annotated = object("db", 1, 3, ready(1));
    annotated.metadata.annotations = Some([("a".to_owned(), "b".to_owned())].into());
    let mut made_anew = object("db", 1, 3, ready(1));
    made_anew.metadata.uid = Some("another".to_owned());
    for changed in [object("db", 2, 3, ready(1)), object("db", 1, 3, Value::Null), annotated, made_anew] {
        let mut scene = settled();
        scene.take_in(Event::Apply(changed));
        assert_eq!(scene.turns(), ["db"]);
    }
    let mut scene = settled();
    scene.objects.look_at_all();
    assert_eq!(scene.turns(), ["db"]);
    // Labels and the like.
    let mut scene = settled();
    scene.take_in(Event::Apply(object("db", 1, 9, ready(1))));
    assert_eq!(scene.turns(), [""; 0]);
}

#[test]
fn keys_that_change_during_a_look_cause_another() {
    let mut scene = Scene::new();
    scene.take_in(Event::Apply(object("db", 1, 1, ready(1))));
    let turn = scene.begin().unwrap();
    scene.objects.look_at_all();
    scene.end(&turn, Some((&object("db", 1, 1, ready(1)), None)), Next::OnChange);
    assert_eq!(scene.turns(), ["db"]);
}

#[test]
fn a_bitnami_object_beside_a_native_one_is_looked_at_whenever_either_changes() {
    let mut scene = Scene::new();
    let bitnami = |scene: &mut Scene, version| {
        let event = Event::Apply(object("db", 1, version, ready(1)));
        scene.objects.take_in(Format::Bitnami, event, |_| None);
    };
    let looks = |scene: &mut Scene| {
        let turns: Vec<Turn> = std::iter::from_fn(|| scene.begin()).collect();
        let left = object("db", 1, 1, ready(1));
        turns.iter().for_each(|turn| scene.end(turn, Some((&left, None)), Next::OnChange));
        turns.iter().filter(|turn| turn.key.format == Format::Bitnami).count()
    };
    bitnami(&mut scene, 1);
    assert_eq!(looks(&mut scene), 1);
    bitnami(&mut scene, 2);
    assert_eq!(looks(&mut scene), 0, "it is settled");
    // A native one comes, and is there.
    scene.take_in(Event::Apply(object("db", 1, 3, Value::Null)));
    assert_eq!(looks(&mut scene), 1);
    bitnami(&mut scene, 4);
    assert_eq!(looks(&mut scene), 1, "what becomes of it depends on the native one");
    // The native one goes, and comes and goes during a look.
    scene.take_in(Event::Delete(object("db", 1, 5, Value::Null)));
    assert_eq!(looks(&mut scene), 1);
    bitnami(&mut scene, 6);
    assert_eq!(looks(&mut scene), 0);
    scene.objects.look_at_all();
    let turn = scene.begin().unwrap();
    scene.take_in(Event::Apply(object("db", 1, 7, Value::Null)));
    scene.take_in(Event::Delete(object("db", 1, 8, Value::Null)));
    scene.end(&turn, Some((&object("db", 1, 1, ready(1)), None)), Next::OnChange);
    assert_eq!(looks(&mut scene), 1);
}

#[test]
fn bitnami_objects_wait_until_all_native_ones_are_known() {
    let mut scene = Scene { objects: Objects::new(8, Natives::default()), ..Scene::new() };
    let bitnami = Event::Apply(object("db", 1, 1, Value::Null));
    scene.objects.take_in(Format::Bitnami, bitnami, |_| None);
    scene.take_in(Event::Init);
    scene.take_in(Event::InitApply(object("db", 1, 2, Value::Null)));
    scene.objects.look_at_all();
    let native = scene.begin().unwrap();
    assert!(native.key.format == Format::Native && scene.begin().is_none());
    scene.take_in(Event::InitDone);
    let bitnami = scene.begin().unwrap();
    assert!(bitnami.key.format == Format::Bitnami && bitnami.begun.native);
}

#[test]
fn an_object_that_failed_rests_through_the_echo_of_its_status_and_no_longer_than_it_was_told() {
    let mut scene = Scene::new();
    scene.take_in(Event::Apply(object("db", 1, 1, Value::Null)));
    let turn = scene.begin().unwrap();
    let failed = json!({"observedGeneration": 1});
    let wait = Duration::from_secs(1);
    scene.end(&turn, Some((&object("db", 1, 2, failed.clone()), None)), Next::After(wait));
    scene.take_in(Event::Apply(object("db", 1, 2, failed)));
    assert!(scene.begin().is_none());
    assert_eq!(scene.objects.next_time(), Some(scene.now + wait));
    scene.now += wait;
    let turn = scene.begin().unwrap();
    assert!(turn.object.is_none(), "it isn't kept whole for a second");
    assert_eq!((&*turn.version, turn.spec), ("2", Mark::of_spec(&object("db", 1, 2, Value::Null).metadata)));
}

#[test]
fn what_happened_to_an_object_says_how_urgent_its_look_is() {
    let named = |all: &[(&str, Urgency)]| -> Vec<_> {
        all.iter().map(|(name, urgency)| ((*name).to_owned(), *urgency)).collect()
    };
    let failed = json!({"observedGeneration": 1});
    let list = |scene: &mut Scene| {
        scene.take_in(Event::Init);
        for listed in [
            object("ready", 1, 1, ready(1)),
            object("failed", 1, 2, failed.clone()),
            object("new", 1, 3, Value::Null),
            object("changed", 2, 4, ready(1)),
        ] {
            scene.take_in(Event::InitApply(listed));
        }
        scene.take_in(Event::InitDone);
    };
    let mut scene = Scene { objects: Objects::new(8, Natives::default()), ..Scene::new() };
    let of_a_list = named(&[
        ("changed", Urgency::Changed),
        ("failed", Urgency::Unready),
        ("new", Urgency::Unready),
        ("ready", Urgency::Again),
    ]);
    // At the start of a term; and again after the watch was lost, when nobody knows what happened meanwhile.
    for _ in 0..2 {
        list(&mut scene);
        assert_eq!(scene.urgencies(), of_a_list);
    }

    // Somebody applies each while the watch shows it: whoever did that waits, except where no Secret ever was.
    for applied in [
        object("ready", 2, 5, ready(1)),
        object("failed", 2, 6, failed.clone()),
        object("other", 1, 7, Value::Null),
    ] {
        scene.take_in(Event::Apply(applied));
    }
    let of_a_watch =
        named(&[("ready", Urgency::Changed), ("failed", Urgency::Changed), ("other", Urgency::Unready)]);
    assert_eq!(scene.urgencies(), of_a_watch);
    scene.has_secret("changed", None);
    assert_eq!(scene.urgencies(), named(&[("changed", Urgency::Changed)]), "its Secret was touched");

    // New keys change nothing that anybody waits for.
    let mut scene = Scene { objects: Objects::new(8, Natives::default()), ..Scene::new() };
    list(&mut scene);
    scene.urgencies();
    scene.objects.look_at_all();
    let mut found = scene.urgencies();
    found.sort();
    let of_keys = [
        ("changed", Urgency::Unready),
        ("failed", Urgency::Unready),
        ("new", Urgency::Unready),
        ("ready", Urgency::Again),
    ];
    assert_eq!(found, named(&of_keys));
}

#[test]
fn after_a_new_list_what_is_not_in_it_is_forgotten_and_what_changed_is_looked_at() {
    let mut scene = Scene { objects: Objects::new(8, Natives::default()), ..Scene::new() };
    for event in [
        Event::Init,
        Event::InitApply(object("changed", 1, 1, ready(1))),
        Event::InitApply(object("gone", 1, 1, ready(1))),
    ] {
        scene.take_in(event);
    }
    assert_eq!(scene.objects.needs(), None, "the list isn't complete");
    scene.take_in(Event::InitDone);
    scene.take_in(Event::Apply(object("new", 1, 2, ready(1))));
    assert_eq!(scene.turns().len(), 3, "each was looked at as it came");
    for event in [
        Event::Init,
        Event::InitApply(object("changed", 2, 3, ready(1))),
        Event::InitApply(object("new", 1, 2, ready(1))),
        Event::InitDone,
    ] {
        scene.take_in(event);
    }
    scene.has_secret("gone", None);
    assert_eq!(scene.turns(), ["changed", "new"]);
    assert_eq!(scene.objects.known.len(), 2);
}

#[test]
fn an_object_is_kept_whole_only_while_there_is_room_and_only_until_it_is_looked_at() {
    let mut scene = Scene::new();
    let heavy = |name: &str, generation| {
        let mut object = object(name, generation, 1, Value::Null);
        object.spec = serde_json::from_value(json!("x".repeat(super::super::room::ROOM / 3))).unwrap();
        object
    };
    for name in ["a", "b", "c", "d"] {
        scene.take_in(Event::Apply(heavy(name, 1)));
    }
    // A newer version takes the room of the older one.
    scene.take_in(Event::Apply(heavy("a", 2)));
    let turns: Vec<Turn> = std::iter::from_fn(|| scene.begin()).collect();
    let kept: Vec<&str> =
        turns.iter().filter(|turn| turn.object.is_some()).map(|turn| &*turn.key.name).collect();
    assert_eq!((turns.len(), kept), (4, vec!["a", "b"]));
    drop(turns);
    assert_eq!(scene.objects.room(Format::Native).used(), 0);
}

#[test]
fn an_object_that_is_being_deleted_is_left_to_the_garbage_collector() {
    let mut scene = Scene::new();
    let going = |version| {
        let mut object = object("db", 1, version, ready(1));
        object.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        object
    };
    scene.take_in(Event::Apply(object("db", 1, 1, ready(1))));
    scene.take_in(Event::Apply(going(2)));
    assert_eq!(scene.turns(), [""; 0]);
    scene.has_secret("db", None);
    scene.objects.look_at_all();
    assert_eq!(scene.turns(), [""; 0]);
    scene.take_in(Event::Delete(going(3)));
    assert!(scene.objects.known.is_empty());
}

#[test]
fn each_object_counts_once_for_each_key_that_it_needs() {
    let [a, b] = ["a", "b"].map(Fingerprint::of);
    let usage = |only: &[Fingerprint]| {
        let only: Vec<String> = only.iter().map(ToString::to_string).collect();
        json!({"observedGeneration": 1, "usage": {"source": "", "keyring": "", "only": only}})
    };
    let mut scene = Scene::new();
    scene.take_in(Event::Init);
    for (name, status) in [("x", usage(&[a])), ("y", usage(&[a, b])), ("z", usage(&[])), ("w", Value::Null)] {
        scene.take_in(Event::InitApply(object(name, 1, 1, status)));
    }
    scene.take_in(Event::InitDone);
    assert_eq!(scene.objects.needs(), Some([(a, 2), (b, 1)].into()));
}

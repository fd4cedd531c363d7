//! Renewals, with recovery sets and their backups: cut short, done twice, tampered with, and announced.
//!
//! The decisions have their own stories ([`crate::keys::lifecycle`]). Invariant: every story ends with one primary that has
//! its backup.

use super::*;

/// A controller with its first key, made with a recovery set, and these flags for the next one.
async fn started_with_recovery(next: &[Recipient]) -> (Memory, Keys<Memory>, Recipient) {
    let store = Memory::default();
    let recovery = Identity::generate().recipient().clone();
    let mut keys = keys(&store);
    keys.settings = settings(std::slice::from_ref(&recovery));
    settle(&keys).await;
    keys.settings = settings(next);
    (store, keys, recovery)
}

fn settings(recovery: &[Recipient]) -> Settings {
    let flags = RecipientFlags { recovery: recovery.to_vec(), ..RecipientFlags::default() };
    Settings::new(jiff::SignedDuration::from_hours(24 * 365), flags).unwrap()
}

/// The texts of the published backups.
pub(super) fn published_backups(store: &Memory) -> Vec<String> {
    let world = store.world();
    world.config_maps.iter().flat_map(|map| map.data.clone().unwrap().into_values()).collect()
}

#[tokio::test]
async fn a_recovery_set_that_is_swapped_and_swapped_back_gives_the_intruder_nothing() {
    let intruder = Identity::generate();
    let (store, mut keys, recovery) = started_with_recovery(&[intruder.recipient().clone()]).await;
    let before = published_backups(&store);
    assert_eq!(before.len(), 1);
    let set = |keys: &Keys<Memory>| {
        let recipients = keys.recipients.borrow().clone().unwrap();
        recipients.current().iter().map(|named| named.recipient.clone()).collect::<Vec<_>>()
    };
    let mut did = settle(&keys).await;
    assert_eq!(did, ["say sealing-key-first NewestActive"], "only that the set has changed");
    assert!(!set(&keys).contains(intruder.recipient()) && set(&keys).contains(&recovery));
    keys.settings = settings(&[recovery]);
    did.extend(settle(&keys).await);
    assert_eq!(did.len(), 2);
    assert_eq!(published_backups(&store), before);
    let status = store.world().sealing_key(FIRST).status.clone().unwrap();
    assert!(!format!("{status:?}").contains(intruder.recipient().as_str()));
    assert_eq!(find_condition(&status.conditions, "RecoveryChanged"), None);
}

#[tokio::test]
async fn a_renewal_that_is_cut_short_before_any_request_is_finished_by_the_next_look() {
    let requests = [
        "create sealing-key-2",
        "back up",
        "publish sealing-key-2",
        "note sealing-key-first Retiring",
        "say sealing-key-first",
        "say sealing-key-2",
    ];
    for cut in requests {
        let (store, first, _) = started_with_recovery(&[Identity::generate().recipient().clone()]).await;
        store.did();
        store.world().ask(FIRST, KeyState::Retiring);
        store.world().fails = vec![cut];
        let failure = first.lead(pending()).await.unwrap_err();
        assert!(failure.message.starts_with(cut), "{failure}");
        // What is said to be the primary has everything that it needs.
        let primaries = store.world().primaries().into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert!(primaries.len() <= 1, "{cut}: {primaries:?}");
        if primaries == ["sealing-key-2"] {
            assert_eq!(store.world().note(FIRST), "Retiring");
            assert_eq!(published_backups(&store).len(), 2);
        }
        store.world().fails.clear();
        // Another controller goes on, which knows nothing of the first.
        let settings = first.settings.clone();
        let next = Keys { settings, ..keys(&store) };
        settle(&next).await;
        assert_eq!(store.world().primaries(), ["sealing-key-2"], "{cut}");
        assert_eq!(store.world().secrets.len(), 2, "{cut}: no third key");
        assert_eq!(store.world().note(FIRST), "Retiring", "{cut}");
        assert_eq!(store.world().note("sealing-key-2"), "Active", "{cut}");
        assert_eq!(published_backups(&store).len(), 2, "{cut}");
    }
}

#[tokio::test]
async fn two_leaders_that_renew_at_the_same_time_make_one_key() {
    let (store, keys, _) = started_with_recovery(&[]).await;
    store.world().ask(FIRST, KeyState::Retiring);
    // The other one is quicker, and its key is the one.
    store.before("create sealing-key-2", |world| {
        world.add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    });
    settle(&keys).await;
    assert_eq!(store.world().secrets.len(), 2);
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn a_leader_with_old_data_lowers_no_state_and_overwrites_no_record_of_a_deleted_key() {
    let (store, keys) = started().await;
    store.world().ask(FIRST, KeyState::Retiring);
    settle(&keys).await;
    // The leader has listed the SealingKeys. Meanwhile another one has seen that nothing needs the first key, wrote
    // that down, and let its Secret go.
    store.world().ask(FIRST, KeyState::Revoked);
    store.before("list", |_| {});
    store.before("load", |_| {});
    store.before("load", |world| {
        let version = Some(world.next_version());
        let key = world.sealing_key(FIRST);
        key.status.as_mut().unwrap().state = Some(PublishedState::Destroyed);
        key.metadata.resource_version = version;
        world.secrets.retain(|secret| secret["metadata"]["name"] != FIRST);
    });
    settle(&keys).await;
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Destroyed));
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn a_published_backup_is_healed_and_who_changes_it_meanwhile_is_not_overwritten_blindly() {
    let (store, keys, recovery) = started_with_recovery(&[]).await;
    keys.store.did();
    let before = published_backups(&store);
    let tamper = |world: &mut World, text: &str| {
        let version = Some(world.next_version());
        let map = &mut world.config_maps[0];
        map.data.as_mut().unwrap().insert("stolen".into(), text.into());
        map.metadata.resource_version = version;
    };
    tamper(&mut store.world(), "x");
    store.before("back up", move |world| tamper(world, "y"));
    let did = settle(&keys).await;
    assert_eq!(did.iter().filter(|did| did.starts_with("back up")).count(), 2, "{did:?}");
    assert_eq!(published_backups(&store), before);
    store.world().config_maps.clear();
    settle(&keys).await;
    assert_eq!(published_backups(&store), before);
    drop(recovery);
}

#[tokio::test]
async fn who_opens_does_not_wait_for_the_right_to_read_backups() {
    let (store, _, _) = started_with_recovery(&[]).await;
    store.world().fails = vec!["list backups"];
    let keys = keys(&store);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("list backups"), "{failure}");
    assert_eq!(keys.keyring.borrow().len(), 1);
    assert_eq!(store.world().primaries(), [FIRST], "nothing is said that isn't known");
}

#[tokio::test]
async fn a_renewal_is_announced_in_one_event() {
    let (store, keys, recovery) = started_with_recovery(&[]).await;
    let keys = Keys { settings: settings(&[recovery]), ..keys };
    settle(&keys).await;
    assert!(keys.metrics.to_text().contains("seal_controller_key_renewal_timestamp_seconds 31536000"));
    store.world().now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 340);
    let did = settle(&keys).await;
    assert_eq!(did, ["say sealing-key-first NewestActive", "announce sealing-key-first RenewalSoon"]);
}

#[tokio::test]
async fn an_immutable_config_map_in_place_of_a_backup_stops_neither_sealing_nor_what_else_is_to_do() {
    let (store, keys, _) = started_with_recovery(&[Identity::generate().recipient().clone()]).await;
    store.world().ask(FIRST, KeyState::Retiring);
    settle(&keys).await;
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
    let second = keys.keyring.borrow().fingerprints().next().unwrap();
    let name = backup::config_map_name(&second);
    {
        let mut world = store.world();
        let map = world.config_maps.iter_mut().find(|map| map.metadata.name.as_ref() == Some(&name));
        map.unwrap().data = None;
        // The API server corrects no immutable ConfigMap.
        world.fails = vec!["back up"];
        world.objects = [("prod/db", vec![second])].into();
        let secret = world.secret(FIRST).unwrap();
        secret["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("back up"), "{failure}");
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
    assert!(store.world().secret(FIRST).is_none(), "the deleted key goes");
    let missing = |store: &Memory| {
        let status = store.world().sealing_key("sealing-key-2").status.clone().unwrap();
        find_condition(&status.conditions, "BackupMissing").map(|missing| missing.message.clone())
    };
    assert!(missing(&store).unwrap().contains(&name));
    // A newer key is made and published all the same.
    store.world().fails = vec![Box::leak(format!("back up {name}").into_boxed_str())];
    store.world().ask("sealing-key-2", KeyState::Revoked);
    for _ in 0..3 {
        keys.lead(pending()).await.unwrap_err();
    }
    assert_eq!(store.world().primaries(), ["sealing-key-3"]);
    store.world().fails.clear();
    settle(&keys).await;
    assert_eq!(missing(&store), None);
}

#[tokio::test]
async fn a_recipient_that_the_files_add_is_announced_whichever_way_it_comes() {
    let intruder = || Identity::generate().recipient().clone();
    let (store, mut keys, recovery) = started_with_recovery(&[]).await;
    let flags = |recovery: &[Recipient], extra: &[Recipient], revoked: &[Fingerprint]| {
        let (recovery, extra) = (recovery.to_vec(), extra.to_vec());
        let revoked = revoked.iter().copied().collect();
        let flags = RecipientFlags { recovery, extra, revoked, ..RecipientFlags::default() };
        Settings::new(jiff::SignedDuration::ZERO, flags).unwrap()
    };
    let announced =
        |did: Vec<String>| did.into_iter().filter(|did| did.ends_with("RecipientsAdded")).collect::<Vec<_>>();
    let kept = [recovery];
    // As an extra recipient; again once it was away; and beside one that is known.
    let extra = [intruder(), intruder()];
    for (extra, is_new) in [
        (&extra[..0], false),
        (&extra[..1], true),
        (&extra[..0], false),
        (&extra[..1], true),
        (&extra[..], true),
    ] {
        keys.settings = flags(&kept, extra, &[]);
        let expected = if is_new { vec!["announce sealing-key-first RecipientsAdded"] } else { vec![] };
        assert_eq!(announced(settle(&keys).await), expected);
        assert_eq!(announced(settle(&keys).await), [""; 0]);
    }
    // In the recovery set of a new key, while the file of revoked recipients names the primary.
    let first = keys.keyring.borrow().fingerprints().next().unwrap();
    keys.settings = flags(&[intruder()], &extra, &[first]);
    assert_eq!(announced(settle(&keys).await), ["announce sealing-key-2 RecipientsAdded"]);
    // The same when there was no primary in between.
    store.world().ask("sealing-key-2", KeyState::Revoked);
    store.world().fails = vec!["create"];
    keys.lead(pending()).await.unwrap_err();
    assert_eq!(store.world().primaries(), [""; 0]);
    store.world().fails.clear();
    keys.settings = flags(&[intruder()], &extra, &[first]);
    assert_eq!(announced(settle(&keys).await), ["announce sealing-key-3 RecipientsAdded"]);
}

//! What is said of keys where a write fails, comes too late, or is one of too many.
//!
//! The words have their own tests ([`crate::keys::status`]). Invariant: at every moment at most one SealingKey is called the
//! primary.

use super::*;

#[tokio::test]
async fn a_sealing_key_whose_status_cannot_be_written_keeps_nothing_from_being_said_of_others() {
    let store = Memory::default();
    ["a-full-one", "b-planted"].iter().for_each(|name| store.world().plant(name));
    store.world().fails = vec!["say a-full-one"];
    let keys = keys(&store);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("say a-full-one"), "{failure}");
    assert_eq!(store.world().primaries(), [FIRST]);
    assert_eq!(store.world().state("b-planted"), Some(PublishedState::Planted));
    // The status also tells when the primary isn't the primary any more.
    store.world().ask(FIRST, KeyState::Revoked);
    keys.lead(pending()).await.unwrap_err();
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Revoked));
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
    assert_eq!(store.world().note(FIRST), "Revoked");
}

#[tokio::test]
async fn a_key_that_cannot_be_published_keeps_nothing_from_being_said_of_others() {
    let (store, keys) = started().await;
    store.world().add("restored", 7, KeyState::Active, "kubectl-create");
    store.world().fails = vec!["publish"];
    store.world().ask(FIRST, KeyState::Revoked);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("publish restored"), "{failure}");
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Revoked));
    assert_eq!(keys.keyring.borrow().len(), 3, "the new key, in place of the revoked one, opens too");
    assert_eq!(store.world().primaries(), [""; 0]);
    store.world().fails.clear();
    store.did();
    let mut did = settle(&keys).await;
    did.retain(|did| did.contains("restored"));
    assert_eq!(did, ["publish restored", "announce restored KeyAdded", "say restored NotNewestActive"]);
    assert_eq!(store.world().primaries(), ["sealing-key-8"]);
}

#[tokio::test]
async fn a_state_that_was_decided_on_an_older_secret_is_not_noted_and_what_follows_is_decided_afresh() {
    let (store, keys) = started().await;
    store.world().add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    store.world().add("sealing-key-3", 3, KeyState::Active, "seal-controller");
    // Somebody revokes the older key beside its private half, a moment before the controller notes Retiring
    // there.
    store.before("note sealing-key-first", |world| {
        let version = world.next_version();
        let secret = world.secret(FIRST).unwrap();
        secret["metadata"]["annotations"][STATE_ANNOTATION] = json!("Revoked");
        secret["metadata"]["resourceVersion"] = version.into();
    });
    let did = settle(&keys).await;
    let tried = ["note sealing-key-first Retiring", "note sealing-key-2 Retiring"];
    assert_eq!(did[2..4], tried, "{did:?}");
    assert_eq!(store.world().note(FIRST), "Revoked");
    assert_eq!(store.world().primaries(), ["sealing-key-3"]);
}

#[tokio::test]
async fn no_key_is_called_the_primary_while_another_may_still_be_said_to_be() {
    let (store, keys) = started().await;
    store.world().add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    // The first SealingKey, whose status calls it the primary, changes again and again.
    store.world().unrest = Some(FIRST);
    assert_eq!(keys.lead(pending()).await.unwrap_err().reason, Reason::Conflict);
    let did = store.did();
    assert!(!did.iter().any(|did| did.starts_with("say sealing-key-2")), "{did:?}");
    assert_eq!(store.world().primaries(), [FIRST]);
    store.world().unrest = None;
    settle(&keys).await;
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn no_key_is_called_the_primary_before_a_lost_one_is_recorded_as_retiring() {
    let (store, keys) = started().await;
    store.world().secrets.clear();
    settle(&keys).await;
    store.world().add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    let floor = |store: &Memory| store.world().sealing_key(FIRST).status.clone().unwrap().floor;
    store.world().fails = vec!["say sealing-key-first"];
    keys.lead(pending()).await.unwrap_err();
    assert_eq!(floor(&store), Some(KeyState::Active));
    assert_eq!(store.world().primaries(), [""; 0]);
    store.world().fails.clear();
    settle(&keys).await;
    assert_eq!(floor(&store), Some(KeyState::Retiring));
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn one_look_writes_only_so_many_statuses_of_what_others_planted() {
    let (store, keys) = started().await;
    (0..MAX_PLANTED_WRITES + 7).for_each(|i| store.world().plant(&format!("planted-{i}")));
    assert_eq!(keys.lead(pending()).await, Ok(()));
    assert_eq!(store.did().len(), MAX_PLANTED_WRITES);
    assert_eq!(settle(&keys).await.len(), 7, "the rest at the next look");
}

#[tokio::test]
async fn nobody_adds_a_key_in_silence_whether_or_not_it_has_a_sealing_key_already() {
    let (store, keys) = started().await;
    let announced =
        |did: Vec<String>| did.into_iter().filter(|did| did.ends_with("KeyAdded")).collect::<Vec<_>>();
    store.world().add("theirs", 2, KeyState::Active, "kubectl-create");
    assert_eq!(announced(settle(&keys).await), ["announce theirs KeyAdded"]);
    // Whoever creates a Secret chooses the manager that the API server names.
    store.world().add("disguised", 4, KeyState::Active, "seal-controller");
    assert_eq!(announced(settle(&keys).await), ["announce disguised KeyAdded"]);
    // Somebody writes the SealingKey before the Secret, so that the controller has nothing to publish.
    store.world().add("planted", 3, KeyState::Active, "kubectl-create");
    let secret = store.world().secrets.pop().unwrap();
    let list = json!({ "items": [secret] });
    let loaded = Loaded::from(serde_json::from_value::<KeySecretList>(list).unwrap());
    let spec = SealingKeySpec {
        recipient: loaded.holders[0].recipient.to_string(),
        sequence: 3,
        created_at: loaded.holders[0].created_at.clone(),
        state: KeyState::Active,
        loss_acknowledged: false,
    };
    store.world().publish(SealingKey::new("planted", spec));
    assert_eq!(announced(settle(&keys).await), [""; 0]);
    store.world().secrets.push(secret.clone());
    assert_eq!(announced(settle(&keys).await), ["announce planted KeyAdded"]);
    // A key that was gone and is back.
    store.world().secrets.pop();
    assert_eq!(announced(settle(&keys).await), [""; 0]);
    store.world().secrets.push(secret);
    assert_eq!(announced(settle(&keys).await), ["announce planted KeyAdded"]);
    // A SealingKey that changes all the time has the same said of it at each step, and told once.
    store.world().add("restless", 5, KeyState::Active, "kubectl-create");
    store.world().unrest = Some("restless");
    assert!(keys.lead(pending()).await.is_err());
    assert_eq!(announced(store.did()), ["announce restless KeyAdded"]);
    store.world().unrest = None;
    assert_eq!(announced(settle(&keys).await), [""; 0]);
}

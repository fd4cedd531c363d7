//! The keys of a controller over a store in memory: the effects, their order, and the results of requests
//! that fail or come too late.
//!
//! The decisions have their own stories ([`super::lifecycle`]). The memory keeps Secrets as JSON and takes
//! each write as the API server would: only under the version that it was decided on. Invariant: every
//! successful look is followed by one that writes nothing.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use seal_crds::keys::stored::{KeySecretList, StoredKey};
use seal_crds::keys::{Identity, Recipient, backup};
use seal_crds::native::NamedRecipient;
use seal_crds::plaintext::WipedString;
use seal_crds::resources::{
    KeyState, PublishedState, STATE_ANNOTATION, SealingKeySpec, SealingKeyStatus, find_condition,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use self::memory::{Memory, World};
use self::stopped::Stop;
use super::backups::{Backups, PublishBackup};
use super::bitnami::tls_secret::TlsSecret;
use super::holder::Holder;
use super::lifecycle::Raise;
use super::say::MAX_PLANTED_WRITES;
use super::server_time::ServerTime;
use super::settings::RecipientFlags;
use super::*;
use crate::contact::Contact;
use crate::leadership::Part;
use crate::leadership::tests::TestClock;
use crate::proof::Opened;
use crate::serve::Phase;
use crate::store::Notice;

mod bitnami_renewal;
mod deletion;
mod memory;
mod recipients;
mod renewal;
mod statuses;
mod stopped;

const FIRST: &str = "sealing-key-first";

/// A controller over this memory.
fn keys(store: &Memory) -> Keys<Memory> {
    let bitnami = BitnamiKeys {
        namespace: "keys".parse().unwrap(),
        making: None,
        certificate: tokio::sync::watch::Sender::new(None),
        metrics: Metrics::default(),
        said: Said::default(),
        unmade: Said::default(),
    };
    Keys {
        store: store.clone(),
        settings: Settings::default(),
        bitnami,
        keyring: tokio::sync::watch::Sender::new(Arc::default()),
        recipients: tokio::sync::watch::Sender::new(None),
        is_settled: tokio::sync::watch::Sender::new(false),
        proof: Arc::new(store.clone()),
        rest: Rest::default(),
        counted: tokio::sync::watch::Sender::new(None).subscribe(),
        health: Health::new(Contact::new(TestClock::default().clock(), Metrics::default())),
        metrics: Metrics::default(),
        said: Said::default(),
        arrivals: Arrivals::default(),
    }
}

/// A controller with its first key.
async fn started() -> (Memory, Keys<Memory>) {
    let store = Memory::default();
    let keys = keys(&store);
    assert_eq!(keys.lead(pending()).await, Ok(()));
    store.did();
    (store, keys)
}

/// Looks until all is done, and then once more, which does nothing.
async fn settle(keys: &Keys<Memory>) -> Vec<String> {
    assert_eq!(keys.lead(pending()).await, Ok(()));
    let did = keys.store.did();
    assert_eq!(keys.lead(pending()).await, Ok(()));
    assert_eq!(keys.store.did(), [""; 0], "a second look does nothing");
    did
}

/// Before the first key there is nothing to say of objects. Once all keys are lost, there is.
#[tokio::test]
async fn the_reconcile_begins_with_the_first_key_or_without_any_if_all_are_lost() {
    let store = Memory::default();
    let is_settled = |keys: &Keys<Memory>| *keys.is_settled.borrow();
    let [leader, follower] = [keys(&store), keys(&store)];
    assert_eq!(follower.follow().await, Ok(()));
    assert!(!is_settled(&follower), "the leader makes a key in a moment");
    assert_eq!(leader.lead(pending()).await, Ok(()));
    assert_eq!(follower.follow().await, Ok(()));
    assert!(is_settled(&leader) && is_settled(&follower));
    store.world.lock().unwrap().secrets.clear();
    let [leader, follower] = [keys(&store), keys(&store)];
    assert_eq!(leader.lead(pending()).await, Ok(()));
    assert_eq!(follower.follow().await, Ok(()));
    for keys in [leader, follower] {
        assert!(is_settled(&keys) && keys.keyring.borrow().is_empty());
        let (status, page) = keys.health.readiness();
        assert!(status == 503 && page.contains("its private half is missing"), "{page}");
    }
}

#[tokio::test]
async fn the_first_key_is_made_published_said_and_at_hand() {
    let store = Memory::default();
    let keys = keys(&store);
    let did = settle(&keys).await;
    assert_eq!(
        did,
        ["create sealing-key-first", "publish sealing-key-first", "say sealing-key-first NewestActive"]
    );
    assert_eq!(store.world().primaries(), [FIRST]);
    assert_eq!(store.world().note(FIRST), "Active");
    assert_eq!(keys.keyring.borrow().len(), 1);
    assert_eq!(
        keys.health.readiness().1,
        "starting: waiting for the definitions\n",
        "the keys are said, and the caches aren't complete"
    );
}

#[tokio::test]
async fn two_controllers_started_together_have_one_key() {
    let store = Memory::default();
    let (one, other) = (keys(&store), keys(&store));
    // Both controllers have seen that there is no key, and the other one is quicker.
    store.before("create", |world| {
        world.add(FIRST, 1, KeyState::Active, "seal-controller");
    });
    assert_eq!(one.lead(pending()).await, Ok(()));
    assert_eq!(other.lead(pending()).await, Ok(()));
    assert_eq!(store.world().secrets.len(), 1);
    assert_eq!(store.world().primaries(), [FIRST]);
    assert!(one.keyring.borrow().fingerprints().eq(other.keyring.borrow().fingerprints()));
}

#[tokio::test]
async fn a_replica_that_does_not_lead_opens_with_every_key_and_writes_nothing() {
    let store = Memory::default();
    let (leader, follower) = (keys(&store), keys(&store));
    assert_eq!(follower.follow().await, Ok(()));
    assert_eq!((follower.keyring.borrow().len(), store.did().len()), (0, 0), "it waits for the first key");
    assert_eq!(follower.health.readiness().1, "starting: waiting for the definitions\n");
    settle(&leader).await;
    let newer = store.world().add("restored", 2, KeyState::Active, "kubectl-create");
    store.world().plant("planted");
    assert_eq!(follower.follow().await, Ok(()));
    assert_eq!(follower.keyring.borrow().len(), 2);
    assert_eq!(
        follower.keyring.borrow().fingerprints().next(),
        leader.keyring.borrow().fingerprints().next()
    );
    assert_eq!(store.did(), [""; 0]);
    // The primary is said, so a client may seal.
    follower.health.set_phase(Phase::Serving);
    assert_eq!(follower.health.readiness().1, "ok\n");
    store.world().ask(FIRST, KeyState::Revoked);
    assert_eq!(follower.follow().await, Ok(()));
    assert!(follower.keyring.borrow().fingerprints().any(|fingerprint| fingerprint == newer));
    assert!(follower.health.readiness().1.contains("it is revoked"), "{}", follower.health.readiness().1);
    assert_eq!(store.did(), [""; 0]);
}

#[tokio::test]
async fn a_look_leads_only_while_the_term_lasts() {
    let store = Memory::default();
    let keys = keys(&store);
    let time = TestClock::default();
    let until = time.clock().now().plus(Duration::from_secs(10));
    let (_term, part) = tokio::sync::watch::channel(Part::Leads(until));
    let leadership = Leadership::new(part, time.clock());
    // The process is stopped before it publishes, until long after the end of the term.
    let stopped = time.clone();
    store.before("publish", move |_| stopped.advance(Duration::from_secs(3600)));
    assert_eq!(keys.look(&leadership, pending()).await, Ok(()));
    assert_eq!(store.did(), ["create sealing-key-first"]);
    assert_eq!(keys.keyring.borrow().len(), 1, "it goes on as a follower");
    assert_eq!(store.world().primaries(), [""; 0]);
}

#[tokio::test]
async fn what_was_loaded_opens_also_where_nothing_can_be_written() {
    let store = Memory::default();
    let fingerprint = store.world().add("restored", 1, KeyState::Active, "kubectl-create");
    store.world().fails = vec!["create", "note", "publish", "say"];
    let keys = keys(&store);
    assert_eq!(keys.lead(pending()).await.unwrap_err().reason, Reason::ApiUnavailable);
    assert!(keys.keyring.borrow().fingerprints().eq([fingerprint]));
}

#[tokio::test]
async fn the_keyring_has_the_primary_first_and_loses_a_key_whose_secret_is_gone() {
    let (store, keys) = started().await;
    let newer = store.world().add("sealing-key-2", 2, KeyState::Active, "seal-controller");
    settle(&keys).await;
    assert_eq!(keys.keyring.borrow().fingerprints().next(), Some(newer));
    assert_eq!(store.world().note(FIRST), "Retiring");
    store.world().secrets.remove(0);
    settle(&keys).await;
    assert!(keys.keyring.borrow().fingerprints().eq([newer]));
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Lost));
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn what_has_the_first_keys_name_and_is_no_key_is_said_with_what_is_wrong() {
    let store = Memory::default();
    store.world().add(FIRST, 1, KeyState::Active, "kubectl-create");
    store.world().secret(FIRST).unwrap()["data"]["identity"] = json!("bm90IGEga2V5");
    let keys = keys(&store);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert_eq!(failure.reason, Reason::KeyUnreadable);
    assert!(failure.message.contains("data.identity isn't an identity"), "{failure}");
    assert_eq!(store.did(), ["create sealing-key-first"], "once, and nothing is written over it");

    // Nor does one with the next key's name keep anything from being said.
    let (store, keys) = started().await;
    store.world().add("sealing-key-2", 2, KeyState::Active, "kubectl-create");
    store.world().secret("sealing-key-2").unwrap()["data"]["identity"] = json!("bm90IGEga2V5");
    store.world().ask(FIRST, KeyState::Revoked);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.contains("Secret sealing-key-2 exists"), "{failure}");
    assert_eq!(store.world().primaries(), [""; 0]);
    assert_eq!(store.world().state(FIRST), Some(PublishedState::Revoked));
}

#[tokio::test]
async fn a_key_that_is_made_while_a_look_reads_is_not_taken_for_a_lost_one() {
    let (store, keys) = started().await;
    // After the Secrets were read, another controller makes a key, publishes it and writes its status.
    store.before("list", |world| {
        world.add("sealing-key-2", 2, KeyState::Active, "seal-controller");
        let list = json!({ "items": world.secrets });
        let loaded = Loaded::from(serde_json::from_value::<KeySecretList>(list).unwrap());
        let holder = loaded.holders.iter().find(|holder| holder.secret == "sealing-key-2").unwrap();
        let spec = SealingKeySpec {
            recipient: holder.recipient.to_string(),
            sequence: 2,
            created_at: holder.created_at.clone(),
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        let mut key = SealingKey::new("sealing-key-2", spec);
        let fingerprint = Some(key.fingerprint().to_string());
        let floor = Some(KeyState::Active);
        key.status = Some(SealingKeyStatus { fingerprint, floor, ..SealingKeyStatus::default() });
        world.publish(key);
    });
    let did = settle(&keys).await;
    assert!(did.iter().all(|did| !did.contains("NotNewestActive") || did.contains(FIRST)), "{did:?}");
    assert_eq!(store.world().primaries(), ["sealing-key-2"]);
}

#[tokio::test]
async fn identities_do_not_wait_for_the_keys_of_sealed_secrets() {
    let store = Memory::default();
    store.world().fails = vec!["load_bitnami"];
    let keys = keys(&store);
    let failure = keys.lead(pending()).await.unwrap_err();
    assert!(failure.message.starts_with("load_bitnami"), "{failure}");
    assert_eq!((keys.keyring.borrow().len(), keys.keyring.borrow().rsa_keys().len()), (1, 0));
    assert_eq!(store.world().primaries(), [FIRST]);

    let (pem, certificate) =
        (include_str!("bitnami/testdata/newer.pem"), include_str!("bitnami/testdata/newer.crt"));
    let data = json!({"tls.key": encode(pem), "tls.crt": encode(certificate)});
    let labels = json!({"sealedsecrets.bitnami.com/sealed-secrets-key": "active"});
    store.world().bitnami.push(json!({"metadata": {"name": "x", "labels": labels}, "data": data}));
    store.world().fails.clear();
    settle(&keys).await;
    assert_eq!((keys.keyring.borrow().len(), keys.keyring.borrow().rsa_keys().len()), (1, 1));
    // Once they are loaded, they stay loaded after a failure.
    store.world().fails = vec!["load_bitnami"];
    keys.lead(pending()).await.unwrap_err();
    assert_eq!(keys.keyring.borrow().rsa_keys().len(), 1);
}

/// The text in base64.
fn encode(text: &str) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    assert_eq!(*WipedString::from(encoded.clone()).decoded(), text);
    encoded
}

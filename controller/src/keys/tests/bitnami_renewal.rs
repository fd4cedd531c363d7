//! New keys of sealed-secrets' kind: one for each predecessor, whoever makes it, and told of.
//!
//! The decision has its own tests ([`crate::keys::bitnami`]). Invariant: a second look makes nothing.

use std::time::Duration;

use super::*;
use crate::keys::bitnami::Making;

const LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";

/// The Secret of a key of 2024, as sealed-secrets writes it.
fn older() -> Value {
    let (pem, certificate) =
        (include_str!("../bitnami/testdata/newer.pem"), include_str!("../bitnami/testdata/newer.crt"));
    let data = json!({"tls.key": encode(pem), "tls.crt": encode(certificate)});
    json!({"metadata": {"name": "sealed-secrets-keyx7k2p", "labels": {LABEL: "active"}}, "data": data})
}

/// A world of 2026 with that key.
async fn with_older() -> Memory {
    let store = Memory::default();
    store.world().now = "2026-01-01T00:00:00Z".parse().unwrap();
    store.world().bitnami.push(older());
    settle(&keys(&store)).await;
    store
}

/// A controller that serves kubeseal.
fn serving(store: &Memory, days: u64) -> Keys<Memory> {
    let renewal = Some(Duration::from_secs(days * 86_400)).filter(|period| !period.is_zero());
    let keys = keys(store);
    Keys { bitnami: BitnamiKeys { making: Some(Making { renewal }), ..keys.bitnami }, ..keys }
}

fn names(store: &Memory) -> Vec<String> {
    let name = |secret: &Value| secret["metadata"]["name"].as_str().unwrap().to_owned();
    store.world().bitnami.iter().map(name).collect()
}

#[tokio::test]
async fn an_old_key_gets_one_successor_from_two_leaders_at_once_and_people_are_told_to_back_it_up() {
    let store = with_older().await;
    // One of them is stopped before it makes the key.
    let stop = Stop::before("create_bitnami");
    let stopped = serving(&Memory { stop: Some(stop.clone()), ..store.clone() }, 30);
    let other = serving(&store, 30);
    let mut look = std::pin::pin!(stopped.lead(pending()));
    tokio::select! {
        _ = &mut look => panic!("it makes a key"),
        () = stop.is_reached() => {}
    }
    let did = settle(&other).await;
    let [old, new] = &names(&store)[..] else { panic!("{:?}", names(&store)) };
    assert_eq!(did, [format!("create_bitnami {new}"), format!("announce {new} BitnamiKeyMade")]);
    assert_eq!(old, "sealed-secrets-keyx7k2p");
    assert!(new.starts_with("sealed-secrets-key-after-"), "{new}");
    stop.go_on();
    assert_eq!(look.await, Ok(()));
    assert_eq!(store.did(), [format!("create_bitnami {new}")], "it was too late, and says nothing");
    assert_eq!(names(&store).len(), 2);

    // Both open with both, and kubeseal gets the new certificate.
    for keys in [&stopped, &other] {
        assert_eq!(keys.keyring.borrow().rsa_keys().len(), 2);
        let certificate = keys.bitnami.certificate.borrow().clone().unwrap();
        assert_eq!(keys.keyring.borrow().rsa_keys()[0].fingerprint(), certificate.public_key().fingerprint());
        assert_eq!(certificate.not_before(), 1_767_225_600, "by the API server's clock");
    }

    // A key that is marked is followed by one of another name.
    store.world().bitnami[1]["metadata"]["labels"][LABEL] = json!("compromised");
    settle(&other).await;
    assert_eq!(names(&store).len(), 3);
    assert_ne!(names(&store)[1], names(&store)[2]);
    assert_eq!(other.keyring.borrow().rsa_keys().len(), 2);
}

#[tokio::test]
async fn nothing_is_renewed_where_it_is_turned_off_nor_where_kubeseal_is_not_served() {
    let store = with_older().await;
    settle(&serving(&store, 0)).await;
    settle(&serving(&store, 100_000)).await;
    let follower = serving(&store, 30);
    assert_eq!(follower.follow().await, Ok(()));
    assert_eq!((names(&store).len(), store.did().len()), (1, 0));
}

#[tokio::test]
async fn what_has_the_name_of_the_next_key_and_is_none_stays_and_is_said() {
    let store = with_older().await;
    let keys = serving(&store, 30);
    settle(&keys).await;
    // It loses its label, so the list doesn't show it, but its name is taken.
    let name = names(&store)[1].clone();
    store.world().bitnami.remove(1);
    store.world().hidden_bitnami = Some(name.clone());
    assert_eq!(keys.lead(pending()).await, Ok(()));
    assert_eq!(store.did(), [format!("create_bitnami {name}")], "once a look");
    assert!(keys.bitnami.unmade.is_said(&name));
}

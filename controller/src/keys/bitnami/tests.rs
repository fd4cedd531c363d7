//! Which Secrets are keys of the peer's, and which of the keys is the primary.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::*;

const OLDER: (&str, &str) = (include_str!("testdata/older.pem"), include_str!("testdata/older.crt"));
const NEWER: (&str, &str) = (include_str!("testdata/newer.pem"), include_str!("testdata/newer.crt"));

/// A Secret as the peer writes it.
fn secret(key: &str, certificate: &str) -> Value {
    json!({
        "metadata": {"name": "sealed-secrets-keyx7k2p", "labels": {SEALING_KEY_LABEL: "active"}},
        "type": "kubernetes.io/tls",
        "data": {"tls.key": BASE64.encode(key), "tls.crt": BASE64.encode(certificate)},
    })
}

/// A time after both certificates.
fn time() -> ServerTime {
    at("2026-01-01T00:00:00Z")
}

fn at(time: &str) -> ServerTime {
    let time = time.parse().unwrap();
    ServerTime::new(Some(time), time)
}

fn read(secret: &Value) -> Result<BitnamiKey, NoKey> {
    BitnamiKey::from_secret(serde_json::from_value(secret.clone()).unwrap(), &mut Vec::new())
}

#[track_caller]
fn key(secret: &Value) -> BitnamiKey {
    read(secret).unwrap_or_else(|problem| panic!("{problem:?}"))
}

#[track_caller]
fn assert_no_key(secret: &Value, expected: NoKey) {
    assert_eq!(read(secret).err(), Some(expected), "{secret}");
}

#[test]
fn the_primary_is_the_key_with_the_newest_certificate_whatever_the_order_of_the_secrets() {
    let keys = || vec![key(&secret(OLDER.0, OLDER.1)), key(&secret(NEWER.0, NEWER.1))];
    let mut reversed = keys();
    reversed.reverse();
    for keys in [newest_first(keys(), &time()), newest_first(reversed, &time())] {
        let dates: Vec<_> = keys.iter().map(|key| key.certificate.as_ref().unwrap().not_before()).collect();
        assert_eq!(dates, [1_704_067_200, 1_577_836_800]);
    }
}

#[test]
fn a_key_whose_certificate_is_not_valid_yet_opens_and_is_not_the_primary_until_it_is() {
    let keys = || vec![key(&secret(OLDER.0, OLDER.1)), key(&secret(NEWER.0, NEWER.1))];
    let first = |time: &ServerTime| newest_first(keys(), time)[0].dated().not_before;
    assert_eq!(first(&at("2023-12-31T23:00:00Z")), Some(1_577_836_800));
    assert_eq!(first(&at("2024-01-01T00:00:00Z")), Some(1_704_067_200));
    assert_eq!(newest_first(keys(), &at("2010-01-01T00:00:00Z")).len(), 2);
}

#[test]
fn a_key_without_its_certificate_opens_but_is_never_the_primary() {
    for certificate in ["", "-----BEGIN CERTIFICATE-----", OLDER.1] {
        let lone = key(&secret(NEWER.0, certificate));
        assert!(lone.certificate.is_none());
        let keys = newest_first(vec![lone, key(&secret(OLDER.0, OLDER.1))], &time());
        assert!(keys[0].certificate.is_some());
        assert_eq!(keys.len(), 2);
    }
}

#[test]
fn only_the_label_active_counts() {
    for value in ["compromised", "", "Active", "true"] {
        let mut secret = secret(NEWER.0, NEWER.1);
        secret["metadata"]["labels"][SEALING_KEY_LABEL] = json!(value);
        let Err(NoKey::Inactive(Some(dated))) = read(&secret) else { panic!("{value}") };
        // Its certificate still says from when it is, and of which key.
        let certified = key(&self::secret(NEWER.0, NEWER.1)).dated();
        assert_eq!(dated, Dated { is_active: false, ..certified });
    }
    // The oldest form; the list of such Secrets is asked for by name.
    let mut unlabelled = secret(NEWER.0, NEWER.1);
    unlabelled["metadata"]["labels"] = json!({});
    assert!(key(&unlabelled).certificate.is_some());
}

#[test]
fn what_holds_no_rsa_key_is_passed_over() {
    let ec = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
    let short = &NEWER.0[..NEWER.0.len() / 2];
    for unusable in ["", "hunter2", ec, short, NEWER.1] {
        assert_no_key(&secret(unusable, NEWER.1), NoKey::Unusable);
    }
    for data in [json!({}), json!({"tls.key": "!!"}), json!({"tls.key": "/w=="})] {
        let mut secret = secret("", "");
        secret["data"] = data;
        assert_no_key(&secret, NoKey::Unusable);
    }
}

#[test]
fn what_a_sealed_secret_made_is_never_a_key() {
    let made = [
        json!({"ownerReferences": [owner("sealing.dev/v1alpha1", true)]}),
        json!({"ownerReferences": [owner("bitnami.com/v1alpha1", true)]}),
        json!({"ownerReferences": [owner("v1", false), owner("bitnami.com/v1beta7", false)]}),
        json!({"annotations": {DIGEST_ANNOTATION: ""}}),
    ];
    for metadata in made {
        let mut secret = secret(NEWER.0, NEWER.1);
        secret["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        assert_no_key(&secret, NoKey::Unusable);
    }
    let mut others = secret(NEWER.0, NEWER.1);
    others["metadata"]["ownerReferences"] = json!([owner("cert-manager.io/v1", true)]);
    others["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/x": "1"});
    key(&others);
}

fn owner(api_version: &str, controller: bool) -> Value {
    json!({"apiVersion": api_version, "kind": "SealedSecret", "name": "x", "uid": "1", "controller": controller})
}

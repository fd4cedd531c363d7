//! Every form of key files, and files that are none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use seal_crds::keys::backup;
use seal_crds::keys::stored::{NotAKey, Note, Recovery, StoredKey};
use seal_crds::resources::KeyState;

use super::*;

fn keys(text: &str) -> Result<Keyring, KeyFileError> {
    read("f".to_owned(), Zeroizing::new(text.as_bytes().to_vec())).map_err(|unusable| unusable.error)
}

const PEM: &str = include_str!("../../../src/keys/testdata/rsa-2048.pem");
const CERTIFICATE: &str = include_str!("../../../src/keys/testdata/rsa-2048.crt");

fn secret(key: &str) -> String {
    format!(r#"{{"apiVersion": "v1", "kind": "Secret", "data": {{"tls.key": "{}"}}}}"#, BASE64.encode(key))
}

#[test]
fn keys_are_read_from_pem_and_from_backups_of_every_form() {
    let one = secret(PEM);
    let fingerprint = RsaPrivateKey::from_pem(PEM).unwrap().fingerprint();
    for (text, count) in [
        (PEM.to_owned(), 1),
        (format!("notes\n{CERTIFICATE}{PEM}{PEM}"), 1),
        (one.clone(), 1),
        (format!("---\n{one}\n---\n{one}\n"), 1),
        (format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{one}, {one}]}}"#), 1),
        (format!(r#"{{"metadata": {{}}, "items": [{one}]}}"#), 1),
    ] {
        for text in [text.clone(), format!("\u{feff}{text}")] {
            let keys = keys(&text).unwrap_or_else(|error| panic!("{error:?}: {text}"));
            assert_eq!(keys.rsa_keys().len(), count);
            assert!(keys.find_rsa_key(&fingerprint).is_some());
        }
    }
}

#[test]
fn every_bare_list_of_a_file_gives_its_keys_and_one_without_keys_is_no_file_of_keys() {
    let identity = Identity::generate();
    let own =
        format!(r#"{{"data": {{"identity": "{}"}}}}"#, BASE64.encode(identity.to_secret_string().as_str()));
    let both = format!(r#"{{"items": [{}]}} {{"items": [{own}]}}"#, secret(PEM));
    let found = keys(&both).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!((found.rsa_keys().len(), found.len()), (1, 1));
    for empty in [r#"{"items": []}"#, r#"{"items": []} {"items": []}"#] {
        assert!(matches!(keys(empty), Err(KeyFileError::NoSecret)), "{empty}");
    }
    // A document of another kind isn't passed over.
    let more = format!(r#"{{"items": [{own}]}} {{"other": 1}}"#);
    assert!(keys(&more).is_err());
}

#[test]
fn a_backup_of_our_own_keys_is_read_beside_the_peers() {
    let identity = Identity::generate();
    let own = format!(
        "apiVersion: v1\nkind: Secret\ntype: sealing.dev/sealing-key\ndata:\n  identity: {}\n  sequence: MQ==\n",
        BASE64.encode(identity.to_secret_string().as_str())
    );
    for (text, rsa_keys) in
        [(own.clone(), 0), (format!("\u{feff}{own}"), 0), (format!("{own}---\n{}\n", secret(PEM)), 1)]
    {
        let keys = keys(&text).unwrap_or_else(|error| panic!("{error:?}: {text}"));
        assert_eq!(keys.fingerprints().collect::<Vec<_>>(), [identity.fingerprint()]);
        assert_eq!(keys.rsa_keys().len(), rsa_keys);
    }
    let broken = "apiVersion: v1\nkind: Secret\ndata: {identity: aHVudGVyMg==}\n";
    let error = keys(broken).err().unwrap();
    let KeyFileError::Backup(BackupError::Identity(cause)) = error else { panic!("{error:?}") };
    assert!(cause.to_string().starts_with("not an identity"), "{cause}");
}

#[test]
fn what_is_no_key_is_said_without_quoting_it_and_other_files_are_read_as_identities() {
    let cut = "-----BEGIN PRIVATE KEY-----\nhunter2\n".to_owned();
    let list = r#"{"apiVersion": "v1", "kind": "List", "items": [], "x": "tls.key hunter2"}"#.to_owned();
    let yaml = "apiVersion: v1\nkind: Secret\ndata: {tls.key: [hunter2]}\n".to_owned();
    for text in [cut, list, yaml, secret("hunter2")] {
        let error = keys(&text).err().unwrap();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    for text in [
        "# apiVersion and kind: mine\nAGE-SECRET-KEY-1…",
        "# kind\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
    ] {
        let error = keys(text).err().unwrap();
        assert!(matches!(error, KeyFileError::Identities(_)), "{text}: {error:?}");
    }
}

#[test]
fn a_secret_of_keys_is_read_as_the_api_server_would_store_it() {
    let identity = Identity::generate().to_secret_string();
    let (encoded, broken) = (BASE64.encode(identity.as_str()), "aHVudGVyMg==");
    let of = |rest: &str| keys(&format!("apiVersion: v1\nkind: Secret\n{rest}\n"));
    for rest in [
        format!("stringData: {{identity: {}}}", *identity),
        format!("data: {{identity: {broken}}}\nstringData: {{identity: {}}}", *identity),
        format!("data:\n  identity: |\n    {}\n    {}", &encoded[..40], &encoded[40..]),
        format!("immutable: yes\ndata: {{identity: {encoded}}}"),
    ] {
        assert_eq!(of(&rest).unwrap_or_else(|error| panic!("{error}: {rest}")).len(), 1);
    }
    for (rest, expected) in [
        ("data: {identity: hunter2}", "item identity of this Secret isn't base64"),
        ("data: {identity: 1}", "item identity under data is a number to kubectl"),
        ("data: {identity: a, identity: b}", "the key identity is there twice"),
        ("data: {identity: ENCx}\nsops: {}", "this Secret is encrypted by SOPS"),
    ] {
        let error = of(rest).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_file_of_keys_that_is_out_of_bounds_is_refused() {
    let deep = format!("apiVersion: v1\nkind: Secret\ndata: {}", "[".repeat(100_000));
    assert_eq!(keys(&deep).err().unwrap().to_string(), "this nests deeper than 127 levels");
}

#[test]
fn saved_secrets_of_ours_are_read_as_they_were_saved_and_what_is_no_key_says_why() {
    let stored_in = |text: &str| stored("f".to_owned(), Zeroizing::new(text.as_bytes().to_vec()));
    let identity = Identity::generate();
    let date = serde_json::from_value("2026-01-02T03:04:05Z".into()).unwrap();
    let recipient = Identity::generate().recipient().clone();
    let backup = backup::encrypt(&identity, 7, &date, std::slice::from_ref(&recipient)).unwrap();
    let recovery = Recovery::new([recipient.clone()], backup.clone());
    let key = StoredKey { identity, sequence: 7, created_at: date.clone(), recovery };
    let json = String::from_utf8(key.to_json("sealing-key-7", KeyState::Revoked).to_vec()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let yaml = serde_yaml::to_string(&value).unwrap();
    let list = format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{json}, {}]}}"#, secret(PEM));
    for text in [&json, &yaml, &format!("\u{feff}{yaml}"), &list, &format!(r#"{{"items": [{json}]}}"#)] {
        let mut secrets = stored_in(text).unwrap_or_else(|unusable| panic!("{:?}: {text}", unusable.error));
        // The key of sealed-secrets beside it isn't one of ours.
        assert_eq!(secrets.len(), 1);
        let (metadata, found) = secrets.remove(0).into_key().unwrap_or_else(|not| panic!("{not}"));
        assert_eq!(metadata.name.as_deref(), Some("sealing-key-7"));
        assert_eq!(Note::of(&metadata), Note::Says(KeyState::Revoked));
        assert_eq!(found.identity.fingerprint(), key.identity.fingerprint());
        assert_eq!((found.sequence, &found.created_at), (7, &date));
        let recovery = found.recovery.unwrap();
        assert_eq!((recovery.recipients(), recovery.backup()), (&[recipient.clone()][..], backup.as_str()));
    }
    let not = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = value.clone();
        change(&mut changed);
        stored_in(&changed.to_string()).ok().unwrap().remove(0).into_key().err().unwrap()
    };
    assert_eq!(not(&|secret| secret["type"] = "Opaque".into()), NotAKey::Type);
    assert_eq!(not(&|secret| secret["immutable"] = false.into()), NotAKey::Mutable);
    let owner = serde_json::json!([{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "1"}]);
    assert_eq!(not(&|secret| secret["metadata"]["ownerReferences"] = owner.clone()), NotAKey::Owned);
    let digest =
        |secret: &mut serde_json::Value| secret["metadata"]["annotations"][DIGEST_ANNOTATION] = "".into();
    assert_eq!(not(&digest), NotAKey::Owned);
    for text in ["", "hello", &secret(PEM), "apiVersion: v1\nkind: ConfigMap\n", "AGE-SECRET-KEY-1\n"] {
        assert!(stored_in(text).is_err(), "{text}");
    }
    let sops = json.replace(r#""type""#, r#""sops":{},"type""#);
    let error = stored_in(&sops).err().unwrap().error;
    assert!(matches!(error, KeyFileError::Backup(BackupError::Sops)), "{error}");
}

//! Envelopes, to and from the real age (`filippo.io/age`, the version that `tests/toolchain/` pins).
//!
//! Not age's own test suite. Invariant: the output of our side is checked against the specification by hand, and
//! the input of our side was made by hand, so a mistake can't be made twice and cancel out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::keys::{Identity, Keyring, backup, parse_identities};
use seal_crds::native::{Item, NamedRecipient, NativeSealed, seal};
use seal_crds::resources::{Envelope, RecipientHint, SealedSecretSpec};
use seal_crds::{Place, Plaintext, Scope, Sealed as _};
use seal_tests::toolchain;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::by_hand::{self, Bound, DataKey, age_encrypt, fingerprint, pipe};

/// An identity file, written by its own program.
struct IdentityFile {
    path: PathBuf,
    identity: Identity,
    _dir: TempDir,
}

impl IdentityFile {
    /// A new identity, made by `age-keygen` with these arguments.
    fn generated(args: &[&str]) -> Self {
        let made = pipe(Command::new(toolchain::bin("age-keygen")).args(args), b"");
        Self::holding(&made)
    }

    fn ssh() -> Self {
        let vectors = toolchain::repository().join("tests/vectors/identities/ssh-ed25519");
        Self::holding(&fs::read(vectors).unwrap())
    }

    fn holding(content: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        fs::write(&path, content).unwrap();
        let identity = parse_identities(content).unwrap().remove(0);
        Self { path, identity, _dir: dir }
    }

    /// Runs `age -d -i` with this file.
    fn decrypt(&self, file: &[u8]) -> Vec<u8> {
        pipe(Command::new(toolchain::bin("age")).args(["-d", "-i"]).arg(&self.path), file)
    }

    fn keyring(&self) -> Keyring {
        Keyring::new(parse_identities(fs::read(&self.path).unwrap()).unwrap())
    }
}

fn every_kind() -> [IdentityFile; 3] {
    [IdentityFile::generated(&["-pq"]), IdentityFile::generated(&[]), IdentityFile::ssh()]
}

fn place() -> Place {
    Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() }
}

/// The items `password`, and `user` for templates, sealed by us.
fn sealed_by_us(to: &[&Identity], scope: Scope) -> SealedSecretSpec {
    let recipients: Vec<_> = to
        .iter()
        .map(|identity| NamedRecipient { recipient: identity.recipient().clone(), name: None })
        .collect();
    let item = |value: &str, template| Item::new(Plaintext::from(value.as_bytes().to_vec()), template);
    let items = BTreeMap::from([
        ("password".parse().unwrap(), item("hunter2", false)),
        ("user".parse().unwrap(), item("me", true)),
    ]);
    seal(&place(), scope, &recipients, &items, Default::default(), &BTreeSet::new()).unwrap()
}

fn open(spec: &SealedSecretSpec, keys: &Keyring) -> Vec<(String, Vec<u8>)> {
    let sealed = NativeSealed::parse(place(), spec, &BTreeSet::new()).unwrap();
    let opened = sealed.unseal(keys).unwrap_or_else(|error| panic!("{error}"));
    let value = |(name, value): (_, Plaintext)| (String::from(name), value.expose().to_vec());
    opened.data.into_iter().map(value).collect()
}

#[test]
fn age_opens_our_envelope_and_finds_the_document_of_the_specification() {
    for file in every_kind() {
        for (scope, bound) in [
            (Scope::Strict, Bound::new("strict", "prod", "db")),
            (Scope::NamespaceWide, Bound::new("namespace-wide", "prod", "db")),
            (Scope::ClusterWide, Bound::new("cluster-wide", "prod", "db")),
        ] {
            let spec = sealed_by_us(&[&file.identity], scope);
            let envelope = &spec.envelopes[0];
            let json = file.decrypt(&BASE64.decode(&envelope.age).unwrap());
            let found: Value = serde_json::from_slice(&json).unwrap();

            // The data keys are random, so they are taken from the document; everything else is known.
            let keys: Vec<_> = [0, 1].map(|index| key_in(&found, index)).into();
            assert_eq!([false, true], [keys[0].template, keys[1].template]);
            let recipient = fingerprint(file.identity.recipient().as_str());
            assert_eq!(found, by_hand::document(&bound, &[recipient], &[], &keys));
            let ids: Vec<_> = keys.iter().map(|key| key.id(&bound)).collect();
            assert_eq!(envelope.keys, ids);
        }
    }
}

fn key_in(document: &Value, index: usize) -> DataKey {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let key = &document["keys"][index];
    let bytes = URL_SAFE_NO_PAD.decode(key["key"].as_str().unwrap()).unwrap();
    DataKey { bytes: bytes.try_into().unwrap(), template: key["template"].as_bool().unwrap() }
}

#[test]
fn an_object_made_by_hand_around_a_file_of_age_opens_here() {
    for file in every_kind() {
        for scope in Scope::ALL {
            let bound = Bound::new(scope.as_str(), "prod", "db");
            let recipient = file.identity.recipient().as_str();
            let key = DataKey::labelled("a key for this test", false);
            let document = by_hand::document(&bound, &[fingerprint(recipient)], &[], &[key]);
            let spec = SealedSecretSpec {
                scope,
                envelopes: vec![Envelope {
                    keys: vec![key.id(&bound)],
                    recipients: vec![RecipientHint { name: None, fingerprint: fingerprint(recipient) }],
                    age: BASE64.encode(age_encrypt(&[recipient], document.to_string().as_bytes())),
                }],
                encrypted_data: BTreeMap::from([(
                    "password".to_owned(),
                    key.line(&bound, "password", b"hunter2"),
                )]),
                template: Default::default(),
            };
            let expected = [("password".to_owned(), b"hunter2".to_vec())];
            assert_eq!(open(&spec, &file.keyring()), expected, "{} {scope}", file.identity.kind());
            let sealed = NativeSealed::parse(place(), &spec, &BTreeSet::new()).unwrap();
            let digest = by_hand::digest(&serde_json::to_value(&spec).unwrap());
            assert_eq!(sealed.digest().to_string(), digest);
        }
    }
}

#[test]
fn every_recipient_of_several_opens_with_age_and_with_us() {
    let [a, b] = [["-pq"]; 2].map(|args| IdentityFile::generated(&args));
    let [c, d] = [IdentityFile::generated(&[]), IdentityFile::ssh()];
    for pair in [[a, b], [c, d]] {
        let spec = sealed_by_us(&[&pair[0].identity, &pair[1].identity], Scope::Strict);
        let age = BASE64.decode(&spec.envelopes[0].age).unwrap();
        assert_eq!(pair[0].decrypt(&age), pair[1].decrypt(&age));
        for file in &pair {
            assert_eq!(open(&spec, &file.keyring()).len(), 2);
        }
    }
}

#[test]
fn age_works_with_an_identity_that_we_made() {
    let ours = Identity::generate();
    let file = IdentityFile::holding(ours.to_secret_string().as_bytes());
    let encrypted = age_encrypt(&[ours.recipient().as_str()], b"hello");
    assert_eq!(file.decrypt(&encrypted), b"hello");
    // age derives the same recipient from it.
    let derived = pipe(Command::new(toolchain::bin("age-keygen")).arg("-y").arg(&file.path), b"");
    let derived = String::from_utf8(derived).unwrap();
    assert_eq!(derived.trim_end(), ours.recipient().as_str());
    // age opens an envelope that we sealed to it.
    let spec = sealed_by_us(&[&ours], Scope::Strict);
    let opened = file.decrypt(&BASE64.decode(&spec.envelopes[0].age).unwrap());
    let document: Value = serde_json::from_slice(&opened).unwrap();
    assert_eq!(document["name"], json!("db"));
}

#[test]
fn age_opens_a_backup_of_a_sealing_key_as_an_identity_file() {
    let key = Identity::generate();
    let recovery = [["-pq"]; 2].map(|args| IdentityFile::generated(&args));
    let set = recovery.each_ref().map(|file| file.identity.recipient().clone());
    let date = serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap();
    let file = backup::encrypt(&key, 2, &date, &set).unwrap();
    for recovery in &recovery {
        let opened = String::from_utf8(recovery.decrypt(file.as_bytes())).unwrap();
        let expected = format!(
            "# seal sealing key, format 1\n# sequence: 2\n# created: 2026-01-02T03:04:05Z\n# public key: {}\n{}\n",
            key.recipient(),
            *key.to_secret_string()
        );
        assert!(opened == expected, "the plaintext is that of the specification");
        // And a sealed object opens with what age printed.
        let identity = IdentityFile::holding(opened.as_bytes());
        assert_eq!(open(&sealed_by_us(&[&key], Scope::Strict), &identity.keyring()).len(), 2);
    }
    // A backup that age made is one too.
    let recipient = recovery[0].identity.recipient().as_str();
    let made = pipe(
        Command::new(toolchain::bin("age")).args(["-a", "-r", recipient]),
        &recovery[1].decrypt(file.as_bytes()),
    );
    let opened = backup::open(&made, std::iter::once(recovery[0].identity.as_age()));
    assert_eq!(opened.unwrap_or_else(|error| panic!("{error}")).identity.fingerprint(), key.fingerprint());
}

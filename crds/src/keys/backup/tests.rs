//! Tests of backups: what is written, to the byte, and that nothing else is read.

use std::error::Error as _;

use serde_json::json;

use super::*;
use crate::keys::tests::{X25519, hybrid, hybrid_recipient, tagged_recipients};

fn date() -> Time {
    serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap()
}

fn key() -> Identity {
    Identity::parse(hybrid()).unwrap()
}

fn expected() -> String {
    format!(
        "# seal sealing key, format 1\n# sequence: 2\n# created: 2026-01-02T03:04:05Z\n# public key: {}\n{}\n",
        hybrid_recipient(),
        hybrid()
    )
}

/// An armoured file with this plaintext for this recipient.
fn file_with(plaintext: &[u8], recipient: &Recipient) -> Vec<u8> {
    let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient.as_age())).unwrap();
    armoured(encryptor, plaintext)
}

fn armoured(encryptor: age::Encryptor, plaintext: &[u8]) -> Vec<u8> {
    let armour = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).unwrap();
    let mut writer = encryptor.wrap_output(armour).unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap().finish().unwrap()
}

fn open_with(file: &[u8], identity: &Identity) -> Result<BackedUpKey, OpenBackupError> {
    open(file, std::iter::once(identity.as_age()))
}

fn refused(file: &[u8], identity: &Identity) -> OpenBackupError {
    open_with(file, identity).err().unwrap()
}

#[test]
fn the_plaintext_has_the_lines_of_the_format() {
    assert_eq!(*plaintext(&key(), 2, &date()), expected());
    // An identity file to age and to us.
    let identities = crate::keys::parse_identities(expected()).unwrap();
    assert_eq!(identities[0].recipient().as_str(), hybrid_recipient());
}

#[test]
fn every_recovery_recipient_opens_the_backup_and_nobody_else() {
    let recovery = [Identity::generate(), Identity::generate()];
    let set: Vec<Recipient> =
        recovery.iter().chain([&recovery[0]]).map(|one| one.recipient().clone()).collect();
    let file = encrypt(&key(), 2, &date(), &set).unwrap();
    assert!(file.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    assert!(file.ends_with("-----END AGE ENCRYPTED FILE-----\n"));
    assert!(file.lines().all(|line| line.len() <= 64));
    for identity in &recovery {
        let opened = open_with(file.as_bytes(), identity).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(opened.identity.recipient().as_str(), hybrid_recipient());
        assert_eq!((opened.sequence, opened.created_at), (2, date()));
        // As Git leaves it in a work tree with autocrlf.
        let changed = file.replace('\n', "\r\n");
        assert!(open_with(changed.as_bytes(), identity).is_ok());
    }
    for other in [&Identity::generate(), &key()] {
        assert!(matches!(refused(file.as_bytes(), other), OpenBackupError::NoMatchingKey));
    }
}

#[test]
fn a_backup_of_a_post_quantum_key_is_for_post_quantum_recipients() {
    let classic = Identity::parse(X25519).unwrap();
    let hybrid = Identity::generate();
    let both = [hybrid.recipient().clone(), classic.recipient().clone()];
    for set in [&both[..], &both[1..]] {
        let error = encrypt(&key(), 2, &date(), set).unwrap_err();
        assert_eq!(
            error.to_string(),
            "recovery recipient 6a804773982840fa is not post-quantum, and the key is"
        );
    }
    assert!(matches!(encrypt(&key(), 2, &date(), &[]), Err(BackupError::NoRecipients)));
    let many: Vec<Recipient> = (0..16).map(|_| Identity::generate().recipient().clone()).collect();
    assert!(matches!(encrypt(&key(), 2, &date(), &many), Err(BackupError::TooManyRecipients(16))));
    assert!(encrypt(&key(), 2, &date(), &many[1..]).unwrap().len() < MAX_BACKUP_SIZE);
}

#[test]
fn nothing_but_the_lines_of_the_format_is_a_key() {
    let recovery = Identity::generate();
    let exact = expected();
    let read = |text: &str| open_with(&file_with(text.as_bytes(), recovery.recipient()), &recovery);
    assert!(read(&exact).is_ok());
    let other = Identity::generate();
    for changed in [
        String::new(),
        hybrid().to_owned(),
        exact.trim_end().to_owned(),
        format!("{exact}\n"),
        format!("\n{exact}"),
        exact.replace('\n', "\r\n"),
        exact.replace("format 1", "format 2"),
        exact.replace("sequence: 2", "sequence: 0"),
        exact.replace("sequence: 2", "sequence: -2"),
        exact.replace("sequence: 2", "sequence: 02"),
        exact.replace("sequence: 2", "sequence: 2147483648"),
        exact.replace("sequence: 2", "sequence:  2"),
        exact.replace("05Z", "05.5Z"),
        exact.replace("05Z", "05+00:00"),
        exact.replace("2026-01-02T03:04:05Z", "yesterday"),
        exact.replace(hybrid_recipient(), other.recipient().as_str()),
        exact.replace(hybrid(), &other.to_secret_string()),
        exact.replace(hybrid(), &hybrid().to_lowercase()),
        exact.replace("# sequence: 2\n", ""),
        format!("{exact}{}\n", hybrid()),
    ] {
        let Err(error) = read(&changed) else { panic!("{changed}") };
        assert!(matches!(error, OpenBackupError::Content), "{changed}");
        assert!(!format!("{error:?}{error}").contains("AGE-SECRET"));
    }
}

#[test]
fn a_file_that_encrypt_does_not_write_is_refused_before_a_key_is_tried() {
    let recovery = Identity::generate();
    let good = file_with(expected().as_bytes(), recovery.recipient());
    assert!(check(&good).is_ok());
    let passphrase = age::Encryptor::with_user_passphrase("hunter2".to_owned().into());
    let passphrase = armoured(passphrase, expected().as_bytes());
    let text = String::from_utf8(good.clone()).unwrap();
    let cut: String =
        text.lines().filter(|line| !line.starts_with("-----END")).map(|l| format!("{l}\n")).collect();
    for (file, problem) in [
        (&b""[..], "the file is not an armoured age file"),
        (b"age-encryption.org/v1\n-> X25519 a\nb\n--- c\n", "the file is not an armoured age file"),
        (expected().as_bytes(), "the file is not an armoured age file"),
        (&passphrase, "the file is encrypted to a passphrase; only recipients are allowed"),
        (cut.as_bytes(), "the file has broken armour: it was cut short or changed"),
        (&[&good[..], &good[..]].concat(), "the file has broken armour: it was cut short or changed"),
        (&[&good[..], &vec![b'\n'; MAX_BACKUP_SIZE]].concat(), "the file is larger than a backup can be"),
    ] {
        let error = refused(file, &recovery);
        assert_eq!(error.to_string(), problem);
        assert!(error.source().is_none());
        assert_eq!(check(file).unwrap_err().to_string(), problem);
    }
}

#[test]
fn a_changed_file_gives_no_key() {
    let recovery = Identity::generate();
    let file = encrypt(&key(), 2, &date(), &[recovery.recipient().clone()]).unwrap();
    let binary = without_armour(file.as_bytes()).unwrap();
    for at in [200, binary.len() - 400, binary.len() - 1] {
        let mut changed = binary.clone();
        changed[at] ^= 1;
        let mut armour = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).unwrap();
        armour.write_all(&changed).unwrap();
        let error = refused(&armour.finish().unwrap(), &recovery);
        assert!(
            matches!(error, OpenBackupError::Altered | OpenBackupError::NoMatchingKey),
            "{at}: {error:?}"
        );
    }
}

#[test]
fn a_backup_is_named_after_its_key() {
    let fingerprint = key().fingerprint();
    let name = "a091dd7e0ee9d62b75173dcc98441a0424baa941e66a8776e570a4ae60ff61ea.age";
    assert_eq!(file_name(&fingerprint), name);
    assert_eq!(named(name), Some(fingerprint));
    assert_eq!(config_map_name(&fingerprint), "sealing-key-backup-a091dd7e0ee9d62b");
    for other in ["", "a091dd7e.age", &name.to_uppercase(), &name[..64], "sealing-keys.age"] {
        assert_eq!(named(other), None, "{other}");
    }
}

#[test]
fn whom_a_backup_can_be_for_shows_in_its_stanzas() {
    let [one, two, three] = [(); 3].map(|()| Identity::generate().recipient().clone());
    let tagged: Recipient = tagged_recipients()[0].parse().unwrap();
    let set = [one.clone(), tagged.clone()];
    let file = encrypt(&key(), 2, &date(), &set).unwrap();
    assert!(may_be_for(file.as_bytes(), &set));
    // The stanza of an untagged recipient names nobody.
    assert!(may_be_for(file.as_bytes(), &[tagged.clone(), two.clone()]));
    let of_one_kind = [one.clone(), two.clone()];
    let too_many = [tagged.clone(), two, three];
    for other in [&[][..], &set[..1], &set[1..], &of_one_kind, &too_many] {
        assert!(!may_be_for(file.as_bytes(), other), "{other:?}");
    }
    assert!(!may_be_for(b"hello", &set));
    let untagged = encrypt(&key(), 2, &date(), &[one.clone(), one.clone()]).unwrap();
    assert!(may_be_for(untagged.as_bytes(), &[one]), "a repeated recipient counts once");
}

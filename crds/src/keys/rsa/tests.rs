//! RSA keys through their files, and each half through the other; `testdata/rsa-*` were made by openssl and
//! protect nothing.
//!
//! Invariant: every refusal is asserted as the whole error.

use zeroize::Zeroizing;

use super::*;

macro_rules! testdata {
    ($file:literal) => {
        include_str!(concat!("../testdata/", $file))
    };
}

/// Bits, private key and certificate.
const PAIRS: [(usize, &str, &str); 4] = [
    (2048, testdata!("rsa-2048.pem"), testdata!("rsa-2048.crt")),
    (3072, testdata!("rsa-3072.pem"), testdata!("rsa-3072.crt")),
    (4096, testdata!("rsa-4096.pem"), testdata!("rsa-4096.crt")),
    (8192, testdata!("rsa-8192.pem"), testdata!("rsa-8192.crt")),
];
const KEY: &str = PAIRS[0].1;
const CERTIFICATE: &str = PAIRS[0].2;

fn refused(text: &str) -> RsaKeyError {
    RsaPrivateKey::from_pem(text).map(|_| ()).unwrap_err()
}

/// The PEM block of a file, without the line before it.
fn block(file: &str) -> &str {
    &file[file.find("-----BEGIN").unwrap()..]
}

#[test]
fn keys_of_every_size_open_what_is_sealed_to_their_certificate() {
    for (bits, key, certificate) in PAIRS {
        let pair = RsaSealingKey::from_tls(key, certificate).unwrap();
        let public = pair.certificate.public_key();
        assert_eq!((public.bits(), public.size()), (bits, bits / 8));
        assert_eq!(public.fingerprint(), pair.private.fingerprint());
        for label in ["", "prod", "prod/db"] {
            let sealed = public.seal_oaep(b"session key", label.as_bytes());
            assert_eq!(sealed.len(), public.size());
            let opened = pair.private.open_oaep(&sealed, label.as_bytes());
            assert_eq!(opened.as_deref().map(Vec::as_slice), Some(&b"session key"[..]));
            assert!(pair.private.open_oaep(&sealed, b"other").is_none());
        }
    }
}

#[test]
fn a_key_survives_being_written_and_read() {
    for (_, key, certificate) in PAIRS {
        let pair = RsaSealingKey::from_tls(key, certificate).unwrap();
        let written = pair.private.to_secret_pem();
        assert_eq!(RsaPrivateKey::from_pem(&*written).unwrap().fingerprint(), pair.private.fingerprint());
        assert_eq!(pair.certificate.to_pem(), certificate);
        if key.contains("RSA PRIVATE KEY") {
            assert_eq!(*written, block(key));
        }
    }
    let fresh = RsaPrivateKey::generate();
    let again = RsaPrivateKey::from_pem(fresh.to_secret_pem()).unwrap();
    assert_eq!((again.public_key().bits(), again.fingerprint()), (4096, fresh.fingerprint()));
}

#[test]
fn the_fingerprint_is_that_of_rfc_7469() {
    // openssl pkey -in rsa-2048.pem -pubout -outform der | sha256sum
    let fingerprint = "535bf4689ebe727cd7c3b3e9aca75038df9a95ac3bca1036cbe354d0fc5b3a17";
    assert_eq!(RsaPrivateKey::from_pem(KEY).unwrap().fingerprint().to_string(), fingerprint);
}

#[test]
fn a_key_is_found_among_other_blocks_and_with_any_line_ends() {
    let fingerprint = RsaPrivateKey::from_pem(KEY).unwrap().fingerprint();
    let reflowed = |text: &str| {
        let (begin, rest) = block(text).split_once('\n').unwrap();
        let (body, end) = rest.split_once("-----END").unwrap();
        format!("{begin}\n{}\n-----END{end}", body.replace('\n', ""))
    };
    for text in [
        KEY.replace('\n', "\r\n"),
        format!("\u{feff}{KEY}"),
        KEY.replace('\n', "\n    "),
        reflowed(KEY),
        format!("{CERTIFICATE}{KEY}"),
        format!("{KEY}{CERTIFICATE}"),
        format!("{}{KEY}{}", testdata!("ecdsa.pem"), PAIRS[1].1),
        format!("{}{KEY}", testdata!("rsa-1024.pem")),
    ] {
        assert_eq!(RsaPrivateKey::from_pem(&text).unwrap().fingerprint(), fingerprint, "{text}");
    }
}

#[test]
fn what_is_not_a_usable_key_is_said_without_repeating_it() {
    let encrypted = testdata!("rsa-2048-passphrase.pem");
    let (header, pkcs8) = encrypted.split_at(encrypted.find("-----BEGIN ENCRYPTED").unwrap());
    let cut = &KEY[..KEY.len() / 2];
    // A number that was changed: the parts no longer belong together.
    let at = KEY.find('\n').unwrap() + 800;
    let changed = format!("{}{}{}", &KEY[..at], if &KEY[at..=at] == "A" { "B" } else { "A" }, &KEY[at + 1..]);
    for (text, error) in [
        ("", RsaKeyError::NoPem),
        (CERTIFICATE, RsaKeyError::NoPem),
        ("AGE-SECRET-KEY-1", RsaKeyError::NoPem),
        (cut, RsaKeyError::Malformed),
        (&changed, RsaKeyError::Malformed),
        ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", RsaKeyError::Malformed),
        (header, RsaKeyError::Encrypted),
        (pkcs8, RsaKeyError::Encrypted),
        (testdata!("ecdsa.pem"), RsaKeyError::NotRsa),
        (testdata!("ssh-rsa"), RsaKeyError::NotRsa),
        (testdata!("rsa-1024.pem"), RsaKeyError::WrongSize(1024)),
        (testdata!("rsa-2052.pem"), RsaKeyError::WrongSize(2052)),
    ] {
        assert_eq!(refused(text), error);
    }
    assert_eq!(RsaPrivateKey::from_pem(b"\xff").map(|_| ()).unwrap_err(), RsaKeyError::NoPem);
    let message = RsaKeyError::WrongSize(1024).to_string();
    assert_eq!(message, "the RSA key has 1024 bits; it can have 2048 to 8192, a multiple of 8");
}

#[test]
fn what_is_not_a_usable_certificate_is_said() {
    for (text, error) in [
        (KEY, CertificateError::NoPem),
        (&CERTIFICATE[..200], CertificateError::Malformed),
        (testdata!("ecdsa.crt"), CertificateError::NotRsa),
        (testdata!("rsa-1024.crt"), CertificateError::WrongSize(1024)),
        (testdata!("rsa-2052.crt"), CertificateError::WrongSize(2052)),
    ] {
        assert_eq!(Certificate::from_pem(text).unwrap_err(), error);
    }
    assert!(Certificate::from_pem(CERTIFICATE.replace('\n', "\r\n")).is_ok());
}

#[test]
fn a_certificate_of_another_key_is_no_half_of_this_one() {
    let refused = |key, certificate| RsaSealingKey::from_tls(key, certificate).map(|_| ()).unwrap_err();
    assert_eq!(refused(KEY, PAIRS[1].2), RsaSealingKeyError::Mismatch);
    assert_eq!(refused("", CERTIFICATE), RsaSealingKeyError::Private(RsaKeyError::NoPem));
    assert_eq!(refused(KEY, ""), RsaSealingKeyError::Certificate(CertificateError::NoPem));
    assert_eq!(refused(KEY, PAIRS[1].2).to_string(), "tls.crt isn't the certificate of tls.key");
}

#[test]
fn a_fresh_certificate_has_its_dates_and_another_serial_number_each_time() {
    let key = RsaPrivateKey::from_pem(KEY).unwrap();
    // On both sides of 2050, where DER writes dates in another way.
    let (before, after) = (1_800_000_000, 2_600_000_000);
    let certificate = Certificate::self_signed(&key, before, after);
    assert_eq!((certificate.not_before(), certificate.not_after()), (before, after));
    assert_eq!(certificate.public_key(), key.public_key());
    assert_eq!(Certificate::from_pem(certificate.to_pem()).unwrap(), certificate);
    assert_ne!(Certificate::self_signed(&key, before, after), certificate);
    // 9999-12-31T23:59:59Z, which RFC 5280 takes for "no end".
    assert_eq!(Certificate::self_signed(&key, before, u64::MAX).not_after(), 253_402_300_799);
}

#[test]
fn a_private_key_is_written_to_text_that_wipes() {
    let _: Zeroizing<String> = RsaPrivateKey::from_pem(KEY).unwrap().to_secret_pem();
}

#[test]
fn all_keys_of_a_text_are_read_or_none() {
    let [(_, one, certificate), (_, two, _), ..] = PAIRS;
    let sizes = |text: &str| {
        RsaPrivateKey::all_from_pem(text).map(|keys| keys.iter().map(|key| key.public_key().size()).collect())
    };
    assert_eq!(sizes(&format!("notes\n{certificate}{one}{two}")), Ok(vec![256, 384]));
    assert_eq!(sizes(certificate), Ok(vec![]));
    let cut_off = &one[..one.len() / 2];
    assert_eq!(
        sizes(&format!("{cut_off}\n{two}")),
        Err(RsaKeyError::Malformed),
        "not just the one that is whole"
    );
}

//! Tests of pairs, with keys of every kind that servers have.

use super::*;

macro_rules! testdata {
    ($file:literal) => {
        include_str!(concat!("../testdata/", $file))
    };
}

/// Private keys and their certificates, one for each kind and form.
const PAIRS: [(&str, &str); 4] = [
    (testdata!("rsa-2048.pem"), testdata!("rsa-2048.crt")),
    (testdata!("ecdsa.pem"), testdata!("ecdsa.crt")),
    (testdata!("ecdsa-p384-sec1.pem"), testdata!("ecdsa-p384.crt")),
    (testdata!("ed25519.pem"), testdata!("ed25519-expired.crt")),
];

fn fit(chain: &str, key: &str) -> Fit {
    TlsPair::read(chain.as_bytes(), key.as_bytes()).unwrap().fit
}

fn error(chain: &str, key: &str) -> TlsPairError {
    TlsPair::read(chain.as_bytes(), key.as_bytes()).unwrap_err()
}

#[test]
fn a_key_of_every_kind_fits_its_own_certificate_alone() {
    for (mine, (key, _)) in PAIRS.iter().enumerate() {
        for (other, (_, chain)) in PAIRS.iter().enumerate() {
            let expected = if mine == other { Fit::First } else { Fit::None };
            assert_eq!(fit(chain, key), expected, "{mine} {other}");
        }
    }
}

#[test]
fn a_chain_in_the_wrong_order_is_told_from_a_wrong_key() {
    let chain = format!("{}{}", PAIRS[0].1, PAIRS[1].1);
    assert_eq!(fit(&chain, PAIRS[0].0), Fit::First);
    assert_eq!(fit(&chain, PAIRS[1].0), Fit::Later);
    assert_eq!(fit(&chain, PAIRS[2].0), Fit::None);
}

#[test]
fn the_dates_are_those_of_the_first_certificate() {
    let pair = TlsPair::read(PAIRS[3].1.as_bytes(), PAIRS[3].0.as_bytes()).unwrap();
    assert!(pair.not_before < pair.not_after && pair.not_after < 1_790_000_000, "{pair:?}");
    assert!(TlsPair::read(PAIRS[1].1.as_bytes(), PAIRS[1].0.as_bytes()).unwrap().not_after > 2_000_000_000);
}

#[test]
fn a_key_that_is_not_known_is_no_wrong_key() {
    assert_eq!(fit(PAIRS[0].1, testdata!("ssh-rsa")), Fit::Unknown);
    assert_eq!(fit(testdata!("rsa-1024.crt"), testdata!("rsa-1024.pem")), Fit::Unknown);
}

#[test]
fn a_text_that_is_no_pair_says_what_it_lacks() {
    let (key, chain) = PAIRS[0];
    for (chain, key, expected) in [
        ("", key, TlsPairError::NoCertificate),
        ("LS0tLS1CRUdJTg==", key, TlsPairError::NoCertificate),
        (key, chain, TlsPairError::KeyInChain),
        (&*format!("{chain}{key}"), key, TlsPairError::KeyInChain),
        (&chain[..chain.len() / 2], key, TlsPairError::MalformedCertificate),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            key,
            TlsPairError::MalformedCertificate,
        ),
        (chain, "", TlsPairError::NoKey),
        (chain, chain, TlsPairError::NoKey),
        (chain, testdata!("rsa-2048-passphrase.pem"), TlsPairError::EncryptedKey),
        (chain, &key[..key.len() / 2], TlsPairError::MalformedKey),
    ] {
        assert_eq!(error(chain, key), expected, "{chain}");
        assert_eq!(
            expected.is_about_chain(),
            expected.to_string().contains("certificate") || expected == TlsPairError::KeyInChain
        );
    }
    assert_eq!(TlsPair::read(b"\xff", b"").unwrap_err(), TlsPairError::NoCertificate);
}

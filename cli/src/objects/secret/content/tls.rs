//! Doubts about a certificate and its key: a pair that doesn't match, or a certificate that isn't valid now.
//!
//! kubectl checks the pair when it makes such a Secret, and nobody does when it is applied: an ingress then serves its
//! default certificate. [`TlsPair`] reads both. Invariant: of the private key nothing is said but whether it fits.

use seal_crds::keys::{Fit, TlsPair};

use super::{Doubt, Items, find};

const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";

/// The doubts about the pair; none if one half is missing or empty, as in a placeholder that cert-manager fills in.
pub(super) fn doubts(items: &Items, now: u64) -> Vec<Doubt> {
    let (Some((chain_item, chain)), Some((key_item, key))) = (find(items, CHAIN), find(items, KEY)) else {
        return Vec::new();
    };
    if chain.is_empty() || key.is_empty() {
        return Vec::new();
    }
    let pair = match TlsPair::read(chain.expose(), key.expose()) {
        Ok(pair) => pair,
        Err(error) => {
            let item = if error.is_about_chain() { chain_item } else { key_item };
            return vec![Doubt::new(item, &error.to_string())];
        }
    };
    let fit = match pair.fit {
        Fit::First | Fit::Unknown => None,
        Fit::Later => Some(
            "has the certificates in the wrong order: the one of the private key has to come first, then those that signed it",
        ),
        Fit::None => {
            Some("doesn't belong to the private key in tls.key; is it the certificate of another key?")
        }
    };
    let valid = if now > pair.not_after {
        Some(format!("expired on {}; seal the renewed one", day(pair.not_after)))
    } else if now < pair.not_before {
        Some(format!("isn't valid before {}", day(pair.not_before)))
    } else {
        None
    };
    let words = fit.map(str::to_owned).into_iter().chain(valid);
    words.map(|words| Doubt::new(chain_item, &words)).collect()
}

/// A day in UTC: `2027-01-31`.
fn day(seconds: u64) -> String {
    let timestamp =
        i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp.unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::words;

    macro_rules! testdata {
        ($file:literal) => {
            include_str!(concat!("../../../../../crds/src/keys/testdata/", $file))
        };
    }

    const CHAIN: &str = testdata!("ecdsa.crt");
    const KEY: &str = testdata!("ecdsa.pem");
    /// A day in 2027, when the certificate is valid.
    const NOW: u64 = 1_800_000_000;

    fn said(chain: &str, key: &str, now: u64) -> Vec<String> {
        words(&[("tls.crt", chain), ("tls.key", key)], now)
    }

    #[test]
    fn a_valid_pair_and_an_empty_placeholder_are_not_doubted() {
        assert!(said(CHAIN, KEY, NOW).is_empty());
        assert!(said("", "", NOW).is_empty());
    }

    #[test]
    fn a_pair_that_no_server_takes_is_doubted() {
        for (chain, key, now, expected) in [
            (CHAIN, testdata!("ed25519.pem"), NOW, "doesn't belong to the private key"),
            (&*format!("{}{CHAIN}", testdata!("rsa-2048.crt")), KEY, NOW, "in the wrong order"),
            (CHAIN, KEY, 2_200_000_000, "expired on 2036-11-18"),
            (CHAIN, KEY, 1_700_000_000, "isn't valid before 2026-11-21"),
            (testdata!("ed25519-expired.crt"), testdata!("ed25519.pem"), NOW, "expired on 2021-01-01"),
            (KEY, KEY, NOW, "clients get to see"),
            (CHAIN, "x", NOW, "item tls.key has no private key"),
            (CHAIN, testdata!("rsa-2048-passphrase.pem"), NOW, "behind a passphrase"),
        ] {
            let said = said(chain, key, now);
            assert!(said.len() == 1 && said[0].contains(expected), "{expected}: {said:?}");
        }
    }
}

//! Makes a key of sealed-secrets' kind: the first one, or the successor of another.
//!
//! [`super::renewal`] decides whether one is missing. Invariants: the name follows from the predecessor, and creating
//! can't overwrite, so controllers that decide alike make one key together. The private half is in memory that is
//! wiped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use seal_crds::Reason;
use seal_crds::keys::stored::with_private_half;
use seal_crds::keys::{Certificate, Fingerprint, RsaPrivateKey};
use seal_crds::resources::bitnami::SEALING_KEY_LABEL;
use serde_json::json;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::keys::store::{KeyStore, Tried};

/// The validity of the certificate in seconds: ten years, the default of sealed-secrets.
const VALID_FOR: u64 = 10 * 365 * 24 * 60 * 60;

/// Creates a key that counts from `now`, unless a Secret has its name.
///
/// # Errors
///
/// A transient failure.
pub(super) async fn create(store: &impl KeyStore, name: &str, now: Timestamp) -> Result<Tried, Failure> {
    let (owned, now) = (name.to_owned(), u64::try_from(now.as_second()).unwrap_or_default());
    // Off the async threads: finding two primes takes a second, and longer with bad luck.
    let (fingerprint, secret) = tokio::task::spawn_blocking(move || generate(&owned, now))
        .await
        .map_err(|_| Failure::new(Reason::Interrupted, "making a key was interrupted"))?;
    let tried = store.create_bitnami(secret).await?;
    if tried == Tried::Done {
        tracing::info!(secret = name, %fingerprint, "made a sealing key of sealed-secrets' kind");
    }
    Ok(tried)
}

fn generate(name: &str, now: u64) -> (Fingerprint, Zeroizing<Vec<u8>>) {
    let key = RsaPrivateKey::generate();
    let certificate = Certificate::self_signed(&key, now, now.saturating_add(VALID_FOR));
    (key.fingerprint(), to_json(name, &key, &certificate))
}

/// The Secret that stores a key, in sealed-secrets' form.
fn to_json(name: &str, key: &RsaPrivateKey, certificate: &Certificate) -> Zeroizing<Vec<u8>> {
    let metadata = json!({ "name": name, "labels": { SEALING_KEY_LABEL: "active" } });
    let public = format!(
        r#"{{"apiVersion":"v1","kind":"Secret","type":"kubernetes.io/tls","metadata":{metadata},"data":{{"tls.crt":"{}","tls.key":""#,
        BASE64.encode(certificate.to_pem()),
    );
    with_private_half(&public, &key.to_secret_pem())
}

#[cfg(test)]
mod tests {
    use super::super::BitnamiKey;
    use super::super::tls_secret::TlsSecret;
    use super::*;

    #[test]
    fn what_is_made_is_read_back_as_a_key_of_ten_years() {
        let (fingerprint, body) = generate("k", 1_800_000_000);
        let secret: TlsSecret = serde_json::from_slice(&body).unwrap();
        assert_eq!(secret.label(), Some("active"));
        let key =
            BitnamiKey::from_secret(secret, &mut Vec::new()).unwrap_or_else(|problem| panic!("{problem:?}"));
        assert_eq!(key.key.fingerprint(), fingerprint);
        let certificate = key.certificate.unwrap();
        let dates = (certificate.not_before(), certificate.not_after());
        assert_eq!(dates, (1_800_000_000, 1_800_000_000 + VALID_FOR));
        assert_eq!(key.key.public_key().size(), 512);
    }
}

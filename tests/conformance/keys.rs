//! The RSA keys of the conformance tests, in every form that a program needs.
//!
//! They protect nothing. Invariant: the larger key has the later certificate, so controllers seal to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::keys::{Certificate, Keyring, RsaPrivateKey};
use seal_crds::resources::bitnami::SEALING_KEY_LABEL;
use serde_json::{Value, json};

/// A key, as the texts of its files.
pub(crate) struct Key {
    pub(crate) bits: usize,
    pub(crate) certificate: &'static str,
    pub(crate) private: &'static str,
}

/// A key of the smallest allowed size, and one of the peer's default size.
pub(crate) const KEYS: [Key; 2] = [
    Key {
        bits: 2048,
        certificate: include_str!("../../crds/src/keys/testdata/rsa-2048.crt"),
        private: include_str!("../../crds/src/keys/testdata/rsa-2048.pem"),
    },
    Key {
        bits: 4096,
        certificate: include_str!("../../crds/src/keys/testdata/rsa-4096.crt"),
        private: include_str!("../../crds/src/keys/testdata/rsa-4096.pem"),
    },
];

impl Key {
    pub(crate) fn parsed(&self) -> Certificate {
        Certificate::from_pem(self.certificate).unwrap()
    }

    pub(crate) fn keyring(&self) -> Keyring {
        let mut keyring = Keyring::default();
        keyring.insert_rsa_key(RsaPrivateKey::from_pem(self.private).unwrap());
        keyring
    }

    /// The key's Secret, as a controller stores it in its namespace, and as people back it up.
    pub(crate) fn secret(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {
                "namespace": namespace, "name": format!("sealed-secrets-key-{}", self.bits),
                "labels": {SEALING_KEY_LABEL: "active"},
            },
            "data": {"tls.crt": BASE64.encode(self.certificate), "tls.key": BASE64.encode(self.private)},
        })
    }
}

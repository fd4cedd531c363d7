//! Both halves of a sealing key of the Bitnami format, as its TLS Secret holds them: in the cluster, and in a
//! backup made with `kubectl get secret -o yaml`.
//!
//! The reader of the Secret (the controller from the API, `seal` from a file) has its values as bytes that wipe, and
//! hands over two of them. So no document with a private key in it passes through a type that can be printed.
//! Invariant: the certificate is that of the private key.

use super::{Certificate, CertificateError, RsaKeyError, RsaPrivateKey};

/// A private key with the certificate to hand out for it.
pub struct RsaSealingKey {
    /// The private half, which opens items.
    pub private: RsaPrivateKey,
    /// The certificate, which carries the public half and the dates.
    pub certificate: Certificate,
}

/// The reason why a Secret's values aren't a sealing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RsaSealingKeyError {
    /// The private half can't be used.
    ///
    /// No `source()`: the message already holds the cause, and a printer that walks the chain would print it twice.
    #[error("tls.key: {0}")]
    Private(RsaKeyError),
    /// The public half can't be used. The private one may open all the same: [`RsaPrivateKey::from_pem`].
    #[error("tls.crt: {0}")]
    Certificate(CertificateError),
    /// The halves don't belong together: what is sealed to the one would not open with the other.
    #[error("tls.crt isn't the certificate of tls.key")]
    Mismatch,
}

impl RsaSealingKey {
    /// The Secret's key that holds the private half.
    pub const PRIVATE: &str = "tls.key";
    /// The Secret's key that holds the certificate.
    pub const CERTIFICATE: &str = "tls.crt";

    /// Makes a sealing key from the values of the two keys of the Secret.
    ///
    /// # Errors
    ///
    /// Any [`RsaSealingKeyError`].
    pub fn from_tls(
        private: impl AsRef<[u8]>,
        certificate: impl AsRef<[u8]>,
    ) -> Result<Self, RsaSealingKeyError> {
        let private = RsaPrivateKey::from_pem(private).map_err(RsaSealingKeyError::Private)?;
        let certificate = Certificate::from_pem(certificate).map_err(RsaSealingKeyError::Certificate)?;
        if certificate.public_key() != private.public_key() {
            return Err(RsaSealingKeyError::Mismatch);
        }
        Ok(Self { private, certificate })
    }
}

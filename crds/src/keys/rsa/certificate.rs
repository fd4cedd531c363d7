//! The certificate that carries a public key to whoever seals: X.509 (RFC 5280), self-signed.
//!
//! Not a trust anchor: nobody checks its signature, here or in the peer; it is a public key with dates. Invariant:
//! a [`Certificate`] holds an RSA key within its bounds.

use std::fmt;

use der::{Decode as _, DecodePem as _, Encode as _};
use rsa::BigUint;
use x509_cert::der;

use super::RsaPublicKey;

/// The public half of a sealing key, with its dates.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    certificate: x509_cert::Certificate,
    public: RsaPublicKey,
}

/// Text that isn't the certificate of an RSA key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No PEM block of a certificate.
    #[error("no block \"CERTIFICATE\" in PEM")]
    NoPem,
    /// A block that can't be read.
    #[error("the certificate in PEM is malformed")]
    Malformed,
    /// Another kind of key, or too small or large.
    #[error("the certificate isn't one of an RSA key of 2048 to 8192 bits")]
    WrongKey,
}

impl Certificate {
    /// From PEM: the first certificate in it, as the peer takes it.
    ///
    /// # Errors
    ///
    /// Any [`CertificateError`].
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        const END: &str = "-----END CERTIFICATE-----";
        let start = text.find("-----BEGIN CERTIFICATE-----").ok_or(CertificateError::NoPem)?;
        let length = text[start..].find(END).ok_or(CertificateError::Malformed)? + END.len();
        let certificate = x509_cert::Certificate::from_pem(&text[start..start + length])
            .map_err(|_| CertificateError::Malformed)?;
        Self::new(certificate)
    }

    fn new(certificate: x509_cert::Certificate) -> Result<Self, CertificateError> {
        let info = &certificate.tbs_certificate.subject_public_key_info;
        let key = (info.algorithm.oid == rsa::pkcs1::ALGORITHM_OID)
            .then(|| info.subject_public_key.as_bytes())
            .flatten()
            .and_then(|bytes| rsa::pkcs1::RsaPublicKey::from_der(bytes).ok())
            .ok_or(CertificateError::WrongKey)?;
        let number = |bytes: rsa::pkcs1::UintRef<'_>| BigUint::from_bytes_be(bytes.as_bytes());
        let public = RsaPublicKey::from_parts(number(key.modulus), number(key.public_exponent))
            .ok_or(CertificateError::WrongKey)?;
        Ok(Self { certificate, public })
    }

    /// The key.
    pub fn public_key(&self) -> &RsaPublicKey {
        &self.public
    }

    /// When it begins to count, in seconds since 1970.
    pub fn not_before(&self) -> u64 {
        self.certificate.tbs_certificate.validity.not_before.to_unix_duration().as_secs()
    }

    /// When it no longer counts, in seconds since 1970.
    pub fn not_after(&self) -> u64 {
        self.certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs()
    }

    /// The certificate as PEM, with a line end.
    pub fn to_pem(&self) -> String {
        use base64::Engine as _;
        let der = self.certificate.to_der().expect("a parsed certificate has a DER form");
        let encoded = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> = encoded
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
            .collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.public.fingerprint())
    }
}

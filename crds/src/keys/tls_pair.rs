//! A certificate chain and a private key as a TLS server has them, in PEM: whether they belong together, and until when.
//!
//! It is for people who are about to seal such a pair, and decides nothing about sealing: no sealing key comes from here.
//! The signature of a certificate isn't checked, and no trust is. Invariants: the private key lives in memory that is
//! wiped, and no result says more of it than which certificate it belongs to.

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use x509_cert::der::Decode as _;

use super::rsa::pem;

/// The most certificates of a chain that are read. A real chain has two to four.
const MAX_CHAIN: usize = 16;

/// What a chain says of itself, and of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsPair {
    /// The relation between the chain and the private key.
    pub fit: Fit,
    /// The start of the first certificate's validity, in seconds since 1970.
    pub not_before: u64,
    /// The end of the first certificate's validity, in seconds since 1970.
    pub not_after: u64,
}

/// The relation between a chain and a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The key belongs to the first certificate, as a TLS server needs it.
    First,
    /// The key belongs to a later certificate, so the chain is in the wrong order.
    Later,
    /// The key belongs to none of the certificates.
    None,
    /// The key is of a kind that this program doesn't know.
    Unknown,
}

/// The reason why two texts aren't a certificate chain and a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsPairError {
    /// There is no block of a certificate.
    #[error("has no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// A private key stands where the certificate belongs.
    #[error("holds a private key, and clients get to see what stands there")]
    KeyInChain,
    /// A certificate can't be read.
    #[error("has a certificate that is malformed or cut off")]
    MalformedCertificate,
    /// There is no block of a private key.
    #[error("has no private key in PEM (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// The private key is behind a passphrase.
    #[error("has a private key behind a passphrase, which no program in the cluster can type")]
    EncryptedKey,
    /// The private key can't be read.
    #[error("has a private key that is malformed or cut off")]
    MalformedKey,
}

impl TlsPairError {
    /// Whether the problem is in the chain, and not in the private key.
    pub fn is_about_chain(self) -> bool {
        matches!(self, Self::NoCertificate | Self::KeyInChain | Self::MalformedCertificate)
    }
}

/// One certificate: its public key and its dates.
struct Certificate {
    public_key: Vec<u8>,
    not_before: u64,
    not_after: u64,
}

impl TlsPair {
    /// Reads a chain and a private key, both in PEM.
    ///
    /// # Errors
    ///
    /// Any [`TlsPairError`].
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, TlsPairError> {
        let chain = read_chain(chain)?;
        let first = chain.first().ok_or(TlsPairError::NoCertificate)?;
        let fit = match public_half(key)? {
            None => Fit::Unknown,
            Some(public) => match chain.iter().position(|certificate| certificate.public_key == public) {
                Some(0) => Fit::First,
                Some(_) => Fit::Later,
                None => Fit::None,
            },
        };
        Ok(Self { fit, not_before: first.not_before, not_after: first.not_after })
    }
}

fn read_chain(chain: &[u8]) -> Result<Vec<Certificate>, TlsPairError> {
    let text = std::str::from_utf8(chain).map_err(|_| TlsPairError::NoCertificate)?;
    if pem::blocks(text).any(|block| block.label.ends_with("PRIVATE KEY")) {
        return Err(TlsPairError::KeyInChain);
    }
    let certificates = pem::blocks(text).filter(|block| block.label == "CERTIFICATE").take(MAX_CHAIN);
    certificates
        .map(|block| {
            let read = |der: &[u8]| x509_cert::Certificate::from_der(der).ok();
            let found =
                block.decode().and_then(|der| read(&der)).ok_or(TlsPairError::MalformedCertificate)?;
            let contents = found.tbs_certificate;
            let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
            Ok(Certificate {
                public_key: contents.subject_public_key_info.subject_public_key.raw_bytes().to_vec(),
                not_before: seconds(contents.validity.not_before),
                not_after: seconds(contents.validity.not_after),
            })
        })
        .collect()
}

/// The public key of a private key, as the bits of a certificate have it; `None` for a key of an unknown kind.
fn public_half(key: &[u8]) -> Result<Option<Vec<u8>>, TlsPairError> {
    let text = std::str::from_utf8(key).map_err(|_| TlsPairError::NoKey)?;
    let is_key = |block: &pem::Block<'_>| block.label.ends_with("PRIVATE KEY");
    let block = pem::blocks(text).find(is_key).ok_or(TlsPairError::NoKey)?;
    if block.has_headers() || block.label.starts_with("ENCRYPTED") {
        return Err(TlsPairError::EncryptedKey);
    }
    let der = block.decode().ok_or(TlsPairError::MalformedKey)?;
    let public = match block.label {
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok().map(|pair| pair.public_key().as_ref().to_vec()),
        "EC PRIVATE KEY" => elliptic(&der),
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der)
            .ok()
            .map(|pair| pair.public_key().as_ref().to_vec())
            .or_else(|| elliptic(&der))
            .or_else(|| {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok()?;
                Some(pair.public_key().as_ref().to_vec())
            }),
        _ => return Ok(None),
    };
    // A key of a curve, or of a kind, that isn't known here is no malformed key.
    Ok(public)
}

/// The public key of a key of a NIST curve, in the form of SEC 1 or PKCS #8.
fn elliptic(der: &[u8]) -> Option<Vec<u8>> {
    [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING]
        .into_iter()
        .find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())
        .map(|pair| pair.public_key().as_ref().to_vec())
}

#[cfg(test)]
mod tests;

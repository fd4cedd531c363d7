//! The certificate, which carries a public key to the people who seal: X.509 (RFC 5280), self-signed.
//!
//! It is a public key with dates and no trust anchor: neither this program nor sealed-secrets checks its signature.
//! Invariant: a [`Certificate`] holds an RSA key within its bounds, and prints the bytes it was read from.

use std::fmt;
use std::time::Duration;

use pkcs1::LineEnding;
use sha2::{Digest as _, Sha256};
use x509_cert::der::asn1::{BitString, GeneralizedTime, OctetString, UtcTime};
use x509_cert::der::{self, DateTime, Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{AsExtension as _, Extension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};
use x509_cert::{TbsCertificate, Version};

use super::{PublicKeyProblem, RsaPrivateKey, RsaPublicKey, pem};

/// sha256WithRSAEncryption (RFC 8017, A.2.4).
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

/// The public half of a sealing key, with its dates.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    public: RsaPublicKey,
    not_before: u64,
    not_after: u64,
}

/// The reason why text isn't the certificate of an RSA key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The text has no PEM block of a certificate.
    #[error("no block \"CERTIFICATE\" in PEM")]
    NoPem,
    /// The block can't be read.
    #[error("the certificate in PEM is malformed or cut off")]
    Malformed,
    /// The key is of another kind.
    #[error("the certificate isn't one of an RSA key")]
    NotRsa,
    /// The key has this many bits, which is too few, too many or no multiple of 8.
    #[error("the certificate's RSA key has {0} bits; it can have 2048 to 8192, a multiple of 8")]
    WrongSize(usize),
}

impl Certificate {
    /// Makes a certificate of a key, signed by itself, with the same fields as those of sealed-secrets: no
    /// name, a CA that may only encipher (nonsense, but every reader takes it), a random serial number of 128
    /// bits. Dates are in seconds since 1970; a date after the year 9999 means no end.
    ///
    /// # Panics
    ///
    /// If the operating system gives no randomness.
    pub fn self_signed(key: &RsaPrivateKey, not_before: u64, not_after: u64) -> Self {
        const COMPLETE: &str = "every field is within what DER can say";
        let public = key.public_key();
        let mut serial = [0; 16];
        rand_core::RngCore::fill_bytes(&mut rand_core::OsRng, &mut serial);
        let algorithm = AlgorithmIdentifierOwned { oid: SHA256_WITH_RSA, parameters: Some(der::Any::null()) };
        let contents = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(&serial).expect(COMPLETE),
            signature: algorithm.clone(),
            issuer: Name::default(),
            validity: Validity { not_before: time(not_before), not_after: time(not_after) },
            subject: Name::default(),
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(&public.spki).expect(COMPLETE),
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(extensions(public).expect(COMPLETE)),
        };
        let signature = key.sign(&contents.to_der().expect(COMPLETE));
        let certificate = x509_cert::Certificate {
            tbs_certificate: contents,
            signature_algorithm: algorithm,
            signature: BitString::from_bytes(&signature).expect(COMPLETE),
        };
        Self::from_der(&certificate.to_der().expect(COMPLETE)).expect("what is written can be read")
    }

    /// Reads the first certificate in PEM, as sealed-secrets does.
    ///
    /// # Errors
    ///
    /// Any [`CertificateError`].
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, CertificateError> {
        let text = std::str::from_utf8(text.as_ref()).map_err(|_| CertificateError::NoPem)?;
        let block = pem::blocks(text).find(|block| block.label == "CERTIFICATE");
        let der = block.ok_or(CertificateError::NoPem)?.decode().ok_or(CertificateError::Malformed)?;
        Self::from_der(&der)
    }

    fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let certificate =
            x509_cert::Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?.tbs_certificate;
        let info = &certificate.subject_public_key_info;
        if info.algorithm.oid != pkcs1::ALGORITHM_OID {
            return Err(CertificateError::NotRsa);
        }
        let numbers = pkcs1::RsaPublicKey::try_from(info.subject_public_key.raw_bytes())
            .map_err(|_| CertificateError::Malformed)?;
        let public = RsaPublicKey::new(&numbers).map_err(|problem| match problem {
            PublicKeyProblem::Malformed => CertificateError::Malformed,
            PublicKeyProblem::Size(bits) => CertificateError::WrongSize(bits),
        })?;
        let [not_before, not_after] = [certificate.validity.not_before, certificate.validity.not_after]
            .map(|time| time.to_unix_duration().as_secs());
        Ok(Self { der: der.to_vec(), public, not_before, not_after })
    }

    /// The public key.
    pub fn public_key(&self) -> &RsaPublicKey {
        &self.public
    }

    /// The start of the certificate's validity, in seconds since 1970.
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// The end of the certificate's validity, in seconds since 1970.
    pub fn not_after(&self) -> u64 {
        self.not_after
    }

    /// The certificate as PEM, with a line end.
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("CERTIFICATE", LineEnding::LF, &self.der).expect("DER has a PEM form")
    }
}

/// The time as RFC 5280 wants it (4.1.2.5): two digits for the year up to 2049.
fn time(seconds: u64) -> Time {
    let date = DateTime::from_unix_duration(Duration::from_secs(seconds)).unwrap_or(DateTime::INFINITY);
    match UtcTime::from_date_time(date) {
        Ok(time) => Time::UtcTime(time),
        Err(_) => Time::GeneralTime(GeneralizedTime::from_date_time(date)),
    }
}

fn extensions(public: &RsaPublicKey) -> der::Result<Vec<Extension>> {
    let name = Name::default();
    // The key's id as RFC 7093 makes it (method 1), from the bits of the key alone.
    let info = SubjectPublicKeyInfoOwned::from_der(&public.spki)?;
    let id = Sha256::digest(info.subject_public_key.raw_bytes());
    Ok(vec![
        KeyUsage(KeyUsages::EncipherOnly.into()).to_extension(&name, &[])?,
        BasicConstraints { ca: true, path_len_constraint: None }.to_extension(&name, &[])?,
        SubjectKeyIdentifier(OctetString::new(&id[..20])?).to_extension(&name, &[])?,
    ])
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.public.fingerprint())
    }
}

//! Certificates and keys of TLS: the authorities that we trust, and the certificate that we log in with.
//!
//! Not the connection, which is kube's. Invariant: certificates and a key are handed on only if their form is
//! right, so that an error here names the file or field. TLS itself finds out whether they fit together.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::config::AuthInfo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::error::{Field, Owner, RouteError, ValueError};

/// A certificate with its key, as kube takes them. No `Debug`: it holds a private key.
pub(crate) struct Identity {
    /// PEM in base64.
    certificate: String,
    key: SecretString,
}

impl Identity {
    /// Made of two PEM texts. The first gives only certificates and the second only the key, since people keep
    /// both in one file.
    ///
    /// # Errors
    ///
    /// The field's name, and what is wrong with it.
    pub(crate) fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, (&'static str, ValueError)> {
        let chain = certificates(certificate).map_err(|error| ("client-certificate", error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| ("client-key", ValueError::NoKey))?;
        let label = match &key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        let chain: String = chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect();
        let key = Zeroizing::new(pem(label, key.secret_der()));
        Ok(Self { certificate: BASE64.encode(chain), key: BASE64.encode(key.as_bytes()).into() })
    }

    /// The certificate and key of a user of a kubeconfig; none if the user has neither.
    ///
    /// # Errors
    ///
    /// One is there without the other, or one can't be read.
    pub(crate) fn of_user(user: &AuthInfo, name: &str) -> Result<Option<Self>, RouteError> {
        let field = |name_of_field| Field { name: name_of_field, owner: Owner::User(name.to_owned()) };
        let key_data = user.client_key_data.as_ref().map(secrecy::ExposeSecret::expose_secret);
        let certificate = Source::new(
            ["client-certificate-data", "client-certificate"],
            user.client_certificate_data.as_deref(),
            user.client_certificate.as_deref(),
        );
        let key = Source::new(["client-key-data", "client-key"], key_data, user.client_key.as_deref());
        let (certificate, key) = match (certificate, key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => return Err(field("client-key").error(ValueError::Lone("client-certificate"))),
            (None, Some(_)) => return Err(field("client-certificate").error(ValueError::Lone("client-key"))),
        };
        let read = |source: &Source| source.read().map_err(|error| field(source.field).error(error));
        Self::from_pem(&read(&certificate)?, &read(&key)?).map(Some).map_err(|(wrong, error)| {
            let source = if wrong == "client-key" { &key } else { &certificate };
            field(source.field).error(error)
        })
    }

    /// Puts the certificate and key into the user's fields.
    pub(crate) fn put(&self, user: &mut AuthInfo) {
        user.client_certificate_data = Some(self.certificate.clone());
        user.client_key_data = Some(self.key.clone());
    }
}

/// A value that a kubeconfig holds in base64, or names a file for. Base64 goes before the file.
pub(crate) struct Source<'k> {
    pub(crate) field: &'static str,
    data: Option<&'k str>,
    path: &'k Path,
}

impl<'k> Source<'k> {
    /// None if both are empty.
    pub(crate) fn new(
        [data_field, file_field]: [&'static str; 2],
        data: Option<&'k str>,
        file: Option<&'k str>,
    ) -> Option<Self> {
        let data = data.filter(|data| !data.is_empty());
        let file = file.filter(|file| !file.is_empty());
        let field = if data.is_some() { data_field } else { file_field };
        (data.is_some() || file.is_some()).then(|| Self {
            field,
            data,
            path: Path::new(file.unwrap_or_default()),
        })
    }

    pub(crate) fn file(field: &'static str, path: &'k Path) -> Self {
        Self { field, data: None, path }
    }

    /// # Errors
    ///
    /// [`ValueError::NotBase64`], [`ValueError::Unreadable`].
    pub(crate) fn read(&self) -> Result<Zeroizing<Vec<u8>>, ValueError> {
        let bytes = match self.data {
            Some(data) => BASE64.decode(data).map_err(|_| ValueError::NotBase64)?,
            None => {
                fs::read(self.path).map_err(|error| ValueError::Unreadable(self.path.to_owned(), error))?
            }
        };
        Ok(Zeroizing::new(bytes))
    }
}

/// The certificates of a PEM text, at least one. Other parts of the text are skipped.
///
/// # Errors
///
/// [`ValueError::NoCertificate`].
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, ValueError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| ValueError::NoCertificate)?;
    if found.is_empty() {
        return Err(ValueError::NoCertificate);
    }
    Ok(found.into_iter().map(|certificate| certificate.to_vec()).collect())
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = include_str!("../../../crds/src/keys/testdata/rsa-2048.crt");

    fn a_key() -> String {
        pem("PRIVATE KEY", b"a key in DER")
    }

    fn of(fields: &str) -> String {
        let user: AuthInfo = serde_yaml::from_str(fields).unwrap();
        match Identity::of_user(&user, "me") {
            Ok(identity) => format!("{}", identity.is_some()),
            Err(RouteError::Value { field, source }) => format!("{field}: {source}"),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn each_field_that_is_wrong_is_named() {
        let base64 = |text: &str| BASE64.encode(text);
        let certificate = format!("client-certificate-data: {}", base64(CERTIFICATE));
        let key = format!("client-key-data: {}", base64(&a_key()));
        for (fields, expected) in [
            (format!("{certificate}\n{key}"), "true"),
            ("client-key: ''\nclient-certificate-data: ''".to_owned(), "false"),
            (certificate.clone(), "client-key of user me: it is missing, and client-certificate isn't"),
            (key.clone(), "client-certificate of user me: it is missing, and client-key isn't"),
            (
                format!("client-certificate-data: '*'\n{key}"),
                "client-certificate-data of user me: it isn't base64",
            ),
            (
                format!("client-certificate-data: {}\n{key}", base64(&a_key())),
                "client-certificate-data of user me: it holds no certificate in PEM",
            ),
            (
                format!("{certificate}\nclient-key-data: {}", base64(CERTIFICATE)),
                "client-key-data of user me: it holds no private key in PEM",
            ),
            (
                format!("client-certificate: /no/such.crt\n{key}"),
                "client-certificate of user me: /no/such.crt can't be read",
            ),
            (
                format!("{certificate}\nclient-key: /no/such.key"),
                "client-key of user me: /no/such.key can't be read",
            ),
        ] {
            assert_eq!(of(&fields), expected, "{fields}");
        }
    }

    #[test]
    fn a_file_with_both_is_a_certificate_and_a_key() {
        let both = format!("{}{CERTIFICATE}", a_key());
        let identity = Identity::from_pem(both.as_bytes(), both.as_bytes()).ok().unwrap();
        let certificate = String::from_utf8(BASE64.decode(identity.certificate).unwrap()).unwrap();
        assert_eq!(certificate.matches("-----BEGIN").count(), 1);
        let key = BASE64.decode(secrecy::ExposeSecret::expose_secret(&identity.key)).unwrap();
        assert_eq!(key, a_key().into_bytes());
    }

    #[test]
    fn pem_without_a_certificate_is_refused() {
        assert_eq!(certificates(format!("# ours\n{CERTIFICATE}{CERTIFICATE}").as_bytes()).unwrap().len(), 2);
        for none in ["", "hunter2", &a_key(), "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(certificates(none.as_bytes()), Err(ValueError::NoCertificate)), "{none}");
        }
    }
}

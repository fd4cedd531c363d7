//! The certificate of a sealing key of sealed-secrets: from a file, a URL, or the cluster's controller.
//!
//! The certificate's signature isn't checked, here or by kubeseal: the user who names the origin decides whom
//! to trust. Invariant: a certificate that has expired is never used to seal.

use http::{Method, StatusCode};
use seal_crds::keys::{Certificate, CertificateError};

use crate::files::input::{Input, InputError};
use crate::keys::cluster::{Access, ConnectError, Controller, Service, ServiceError};
use crate::keys::url::{self, GetError};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// The most bytes of an answer; a chain of certificates has a few kilobytes.
const MAX_CERTIFICATE: usize = 1024 * 1024;

/// The path under which controllers serve their certificate.
const PATH: &str = "/v1/cert.pem";

/// Reasons why there is no certificate to seal with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadCertificateError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("cannot fetch certificate: {url}")]
    Get { url: String, source: GetError },
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("cannot fetch certificate: {}", what(*.0))]
    Answer(StatusCode),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{from} can't be used to seal")]
    Malformed { from: String, source: CertificateError },
    #[error("{from} expired on {date}")]
    Expired { from: String, date: String },
}

fn what(status: StatusCode) -> String {
    match status {
        StatusCode::NOT_FOUND => "the Service has none (404)".to_owned(),
        StatusCode::FORBIDDEN => "the Service's proxy is forbidden (403)".to_owned(),
        StatusCode::SERVICE_UNAVAILABLE => "no endpoints available for the Service (503)".to_owned(),
        status => format!("status {}", status.as_u16()),
    }
}

impl Explain for ReadCertificateError {
    fn rule(&self) -> Rule {
        match self {
            Self::Input(error) => error.rule(),
            Self::Service(error) => error.rule(),
            Self::Connect(error) => error.rule(),
            Self::Get { .. } | Self::Answer(_) | Self::Malformed { .. } | Self::Expired { .. } => {
                Rule::BadCertificate
            }
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Service(error) => error.exit(),
            Self::Connect(error) => error.exit(),
            Self::Get { source: GetError::NotHttp, .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Input(error) => return error.hint(),
            Self::Service(error) => return error.hint(),
            Self::Connect(error) => return error.hint(),
            Self::Get { source: GetError::NotHttp, .. } => {
                "a certificate comes from a file, or a URL of http, https or file".to_owned()
            }
            Self::Get { .. } => {
                "is the URL right, and is a VPN or a proxy needed (HTTPS_PROXY)? A certificate in a file will do, \
                 too"
                .to_owned()
            }
            Self::Answer(StatusCode::FORBIDDEN) => {
                "ask for the verb get on services/proxy, or take the certificate from a file with --cert".to_owned()
            }
            Self::Answer(StatusCode::SERVICE_UNAVAILABLE) => "is the controller running?".to_owned(),
            Self::Answer(_) => {
                "is it the controller's Service? seal-controller serves it with --compat-http".to_owned()
            }
            Self::Malformed { .. } => {
                "kubeseal --fetch-cert prints the certificate of a cluster's controller".to_owned()
            }
            Self::Expired { .. } => {
                "the controller has a newer one: fetch it again (kubeseal --fetch-cert)".to_owned()
            }
        })
    }
}

/// The bytes of a file or a URL, which should be a certificate.
///
/// # Errors
///
/// [`ReadCertificateError::Input`], [`ReadCertificateError::Get`].
pub(crate) fn load(location: &str) -> Result<Vec<u8>, ReadCertificateError> {
    let path = match scheme(location) {
        None => location.to_owned(),
        Some(scheme) if scheme.eq_ignore_ascii_case("file") => file_path(location),
        Some(_) => {
            return url::get(location, MAX_CERTIFICATE)
                .map_err(|source| ReadCertificateError::Get { url: url::without_login(location), source });
        }
    };
    Ok(Input::File(path.into()).read_bytes()?.to_vec())
}

/// The answer of the cluster's controller, which should be a certificate.
///
/// # Errors
///
/// [`ReadCertificateError::Service`], [`ReadCertificateError::Connect`], [`ReadCertificateError::Answer`].
pub(crate) fn fetch(access: Access, service: &Service) -> Result<Vec<u8>, ReadCertificateError> {
    match Controller::find(access, service)?.ask(Method::GET, PATH, Vec::new())? {
        (StatusCode::OK, pem) => Ok(pem),
        (status, _) => Err(ReadCertificateError::Answer(status)),
    }
}

/// Parses a certificate and checks that it can be used to seal now. `from` names its origin in errors.
///
/// # Errors
///
/// [`ReadCertificateError::Malformed`], [`ReadCertificateError::Expired`].
pub(crate) fn for_sealing(pem: &[u8], from: &str) -> Result<Certificate, ReadCertificateError> {
    let now = jiff::Timestamp::now().as_second();
    usable_at(pem, from, u64::try_from(now).unwrap_or_default())
}

fn usable_at(pem: &[u8], from: &str, now: u64) -> Result<Certificate, ReadCertificateError> {
    let from = url::without_login(from);
    let certificate = Certificate::from_pem(pem)
        .map_err(|source| ReadCertificateError::Malformed { from: from.clone(), source })?;
    if now > certificate.not_after() {
        return Err(ReadCertificateError::Expired { from, date: date(certificate.not_after()) });
    }
    Ok(certificate)
}

/// A day in UTC, in kubeseal's form: `January 2, 2006`.
fn date(seconds: u64) -> String {
    let timestamp =
        i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp.unwrap_or(jiff::Timestamp::MAX).strftime("%B %-d, %Y").to_string()
}

/// The scheme of a URL (RFC 3986, 3.1). A single letter is a drive and not a scheme, as in kubeseal.
fn scheme(location: &str) -> Option<&str> {
    let (scheme, _) = location.split_once(':')?;
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    (scheme.len() > 1 && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(inside))
        .then_some(scheme)
}

/// The path of a `file:` URL (RFC 8089). A host in the URL is ignored: the file is always on this machine.
fn file_path(location: &str) -> String {
    let rest = location.split_once(':').map_or("", |(_, rest)| rest);
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => rest,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    String::from_utf8_lossy(&url::unescape(path)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../crds/src/keys/testdata/rsa-2048.crt");

    #[test]
    fn files_are_told_from_urls_as_the_peer_does() {
        for file in ["cert.pem", "./a:b", "C:\\cert.pem", "/x", "1http:x", "", ":"] {
            assert_eq!(scheme(file), None, "{file}");
        }
        for (url, expected) in [("https://x/y", "https"), ("file:///x", "file"), ("a+b:c", "a+b")] {
            assert_eq!(scheme(url), Some(expected));
        }
    }

    #[test]
    fn a_file_url_is_a_path_with_its_escapes() {
        for url in ["file:///a%20b/c.pem", "file://localhost/a%20b/c.pem", "file:/a%20b/c.pem#x"] {
            assert_eq!(file_path(url), "/a b/c.pem", "{url}");
        }
        assert_eq!(file_path("file:///100%"), "/100%");
    }

    #[test]
    fn a_certificate_is_used_until_the_second_it_ends() {
        let end = Certificate::from_pem(CERTIFICATE).unwrap().not_after();
        assert!(usable_at(CERTIFICATE, "cert.pem", end).is_ok());
        let error = usable_at(CERTIFICATE, "cert.pem", end + 1).unwrap_err();
        assert_eq!(error.to_string(), format!("cert.pem expired on {}", date(end)));
    }

    #[test]
    fn dates_are_written_as_the_peer_writes_them() {
        assert_eq!(date(1_136_160_000), "January 2, 2006");
        assert_eq!(date(u64::MAX), "December 30, 9999");
    }

    #[test]
    fn what_is_no_certificate_is_refused_without_quoting_it() {
        let error = usable_at(b"hunter2", "x", 0).unwrap_err();
        assert_eq!(error.to_string(), "x can't be used to seal");
    }
}

//! A server over TLS on this machine, with a certificate of its own and a log of its requests.
//!
//! Nobody trusts it by default: a test gives its certificate to the clients that should. Invariant: its threads
//! end with the process, and an answer is what the test wrote, byte for byte.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use x509_cert::TbsCertificate;
use x509_cert::der::asn1::{BitString, GeneralizedTime, Ia5String, OctetString};
use x509_cert::der::{Any, DateTime, Encode as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

/// RFC 5480: an EC key on P-256, and its signatures.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// RFC 5280, 4.2.1.6.
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// A request that the server got.
#[derive(Debug)]
pub struct Request {
    /// Its first line.
    pub line: String,
    /// Its body, if it says how long that is.
    pub body: Vec<u8>,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    certificate: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server under these names. `answer` gets each request, and writes the answer.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(
        names: &[&str],
        answer: impl Fn(&Request, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let (certificate, config) = identity(names);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = listener.local_addr().expect("it was just bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (config, log, answer) = (Arc::clone(&config), Arc::clone(&log), Arc::clone(&answer));
                // A client that doesn't trust the certificate closes the connection; some tests are about that.
                thread::spawn(move || serve(client, config, &log, &*answer));
            }
        });
        Self { address, certificate, asked }
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The first lines of all requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(
    client: TcpStream,
    config: Arc<ServerConfig>,
    log: &Mutex<Vec<String>>,
    answer: &dyn Fn(&Request, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, client);
    let head = read_head(&mut stream)?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    log.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
    let length = head.lines().find_map(|field| {
        let (name, value) = field.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body)?;
    answer(&Request { line, body }, &mut stream)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// Reads the head of a request up to and including its empty line, byte by byte: the bytes after it are for
/// another reader.
pub(crate) fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

/// A self-signed certificate for a client of this name, such as `O=system:masters,CN=kubelet`, and its key, both in
/// PEM.
///
/// # Panics
/// When the name isn't one of RFC 4514.
#[must_use]
pub fn client(name: &str) -> (String, String) {
    let (certificate, key) = certify(name.parse().expect("a name of RFC 4514"), &[]);
    (to_pem("CERTIFICATE", &certificate), to_pem("PRIVATE KEY", &key))
}

/// The certificate of a server under the names, in PEM, and what a server needs to serve with it.
fn identity(names: &[&str]) -> (String, Arc<ServerConfig>) {
    let (certificate, key) = certify(Name::default(), names);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.clone())],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key)),
        );
    (to_pem("CERTIFICATE", &certificate), Arc::new(config.expect("the key is the certificate's")))
}

fn to_pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A self-signed certificate, good for a day, and its key (PKCS #8), both in DER.
fn certify(subject: Name, names: &[&str]) -> (Vec<u8>, Vec<u8>) {
    const COMPLETE: &str = "every field is within what DER can say";
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).expect("randomness");
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref()).expect("it was just made");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let time = |at: Duration| {
        let date = DateTime::from_unix_duration(at).expect(COMPLETE);
        Time::GeneralTime(GeneralizedTime::from_date_time(date))
    };
    let day = Duration::from_secs(86_400);
    let names: Vec<_> =
        names.iter().map(|name| GeneralName::DnsName(Ia5String::new(name).expect(COMPLETE))).collect();
    // An empty list of names would not be valid.
    let extensions = (!names.is_empty()).then(|| {
        let names = SubjectAltName(names).to_der().expect(COMPLETE);
        let value = OctetString::new(names).expect(COMPLETE);
        vec![Extension { extn_id: SUBJECT_ALT_NAME, critical: true, extn_value: value }]
    });
    let signature = AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None };
    let contents = TbsCertificate {
        version: x509_cert::Version::V3,
        serial_number: SerialNumber::new(&[1]).expect(COMPLETE),
        signature: signature.clone(),
        issuer: subject.clone(),
        validity: Validity { not_before: time(now - day), not_after: time(now + day) },
        subject,
        subject_public_key_info: SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned { oid: EC_PUBLIC_KEY, parameters: Some(Any::from(P256)) },
            subject_public_key: BitString::from_bytes(pair.public_key().as_ref()).expect(COMPLETE),
        },
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions,
    };
    let signed = pair.sign(&SystemRandom::new(), &contents.to_der().expect(COMPLETE)).expect("randomness");
    let certificate = x509_cert::Certificate {
        tbs_certificate: contents,
        signature_algorithm: signature,
        signature: BitString::from_bytes(signed.as_ref()).expect(COMPLETE),
    };
    (certificate.to_der().expect(COMPLETE), key.as_ref().to_vec())
}

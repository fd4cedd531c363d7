//! A second implementation of the native format, written from the specification. It holds the first
//! implementation to the specification's words.
//!
//! It uses nothing of `seal_crds`, and few wrappers around the primitives; the real age makes the age files. It
//! isn't careful with secrets: everything here protects nothing. Invariant: it only makes items, ids and
//! documents and checks nothing, so that a test can make wrong ones.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use seal_tests::toolchain;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The context of a data key: the scope's name, and the namespace and name if the scope binds them.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) scope: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
}

impl Bound {
    pub(crate) fn new(scope: &'static str, namespace: &'static str, name: &'static str) -> Self {
        let (namespace, name) = match scope {
            "strict" => (namespace, name),
            "namespace-wide" => (namespace, ""),
            _ => ("", ""),
        };
        Self { scope, namespace, name }
    }
}

/// A data key that is the hash of a label, so that the same label always gives the same key.
#[derive(Clone, Copy)]
pub(crate) struct DataKey {
    pub(crate) bytes: [u8; 32],
    pub(crate) template: bool,
}

impl DataKey {
    pub(crate) fn labelled(label: &str, template: bool) -> Self {
        let bytes = sha256(label.as_bytes());
        Self { bytes, template }
    }

    pub(crate) fn text(&self) -> String {
        BASE64URL.encode(self.bytes)
    }

    /// HKDF(data key, "seal/v1/id" ‖ lp(scope) ‖ lp(namespace) ‖ lp(name) ‖ flag).
    fn raw_id(&self, bound: &Bound) -> [u8; 32] {
        let mut info = b"seal/v1/id".to_vec();
        for part in [bound.scope, bound.namespace, bound.name] {
            info.extend(lp(part));
        }
        info.push(if self.template { 1 } else { 0 });
        hkdf(&self.bytes, &info)
    }

    pub(crate) fn id(&self, bound: &Bound) -> String {
        BASE64URL.encode(self.raw_id(bound))
    }

    /// A line of `encryptedData`.
    pub(crate) fn line(&self, bound: &Bound, item: &str, value: &[u8]) -> String {
        self.line_of_padded(bound, item, &padded(value))
    }

    /// A line over a plaintext that the caller has padded, rightly or wrongly.
    pub(crate) fn line_of_padded(&self, bound: &Bound, item: &str, padded: &[u8]) -> String {
        let nonce = &sha256(&[&self.bytes[..], item.as_bytes(), padded].concat())[..24];
        let aad = [b"seal/v1", &self.raw_id(bound)[..], &lp(item)].concat();
        let payload = Payload { msg: padded, aad: &aad };
        let key = hkdf(&self.bytes, b"seal/v1/item");
        let sealed = XChaCha20Poly1305::new(&key.into()).encrypt(XNonce::from_slice(nonce), payload).unwrap();
        format!("{}.{}", self.id(bound), BASE64.encode([nonce, &sealed].concat()))
    }
}

/// The document inside an envelope.
pub(crate) fn document(bound: &Bound, recipients: &[String], past: &[String], keys: &[DataKey]) -> Value {
    let seen: Vec<usize> = (0..recipients.len()).collect();
    let keys: Vec<_> =
        keys.iter().map(|key| json!({"key": key.text(), "template": key.template, "seen": seen})).collect();
    let mut document = json!({
        "v": 1, "scope": bound.scope, "recipients": recipients, "past": past, "keys": keys,
    });
    for (field, part) in [("namespace", bound.namespace), ("name", bound.name)] {
        if !part.is_empty() {
            document[field] = part.into();
        }
    }
    document
}

/// Length as a big-endian u32, the value, zeros up to max(64, Padmé(4 + length)).
pub(crate) fn padded(value: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(value.len()).unwrap().to_be_bytes().to_vec();
    out.extend(value);
    // The paper's figure: E = ⌊log2 L⌋, S = ⌊log2 E⌋ + 1, and the last E − S bits are zero.
    let e = out.len().ilog2();
    let s = e.ilog2() + 1;
    let unit = 1_usize << (e - s);
    out.resize(out.len().div_ceil(unit).max(1) * unit, 0);
    out.resize(out.len().max(64), 0);
    out
}

/// SHA-256("seal/v1/digest" ‖ "1" ‖ canonical JSON), for specs whose canonical JSON is serde_json's: keys
/// and strings of ASCII without control characters.
pub(crate) fn digest(spec: &Value) -> String {
    let template = spec.get("template").cloned().unwrap_or(json!({}));
    let covered = json!({
        "encryptedData": spec["encryptedData"], "scope": spec["scope"], "template": template,
    });
    hex(&sha256(format!("seal/v1/digest1{covered}").as_bytes()))
}

/// SHA-256 of a recipient's canonical text, in hex.
pub(crate) fn fingerprint(recipient: &str) -> String {
    hex(&sha256(recipient.as_bytes()))
}

/// Encrypts with the real age.
pub(crate) fn age_encrypt(recipients: &[&str], plaintext: &[u8]) -> Vec<u8> {
    let mut command = Command::new(toolchain::bin("age"));
    recipients.iter().for_each(|recipient| {
        command.args(["-r", recipient]);
    });
    pipe(&mut command, plaintext)
}

/// Runs a program with input, and returns its output.
pub(crate) fn pipe(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Inputs and outputs here are far below what a pipe holds.
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    output.stdout
}

fn lp(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

fn hkdf(key: &[u8], info: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(Some(&[]), key).expand(info, &mut out).unwrap();
    out
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! An age plugin (<https://c2sp.org/age-plugin>) with a key of type `tagpq`, for tests: `age-plugin-touch
//! --age-plugin=identity-v1`.
//!
//! It decapsulates by hand, with other primitives than the age crate, from the specifications: MLKEM768-P256 of
//! draft-ietf-hpke-pq, and HPKE (RFC 9180). It isn't careful with secrets: its key protects nothing. Invariant: it counts
//! a touch for each file of which a stanza names its recipient, as hardware would ask for one.

use std::fs::OpenOptions;
use std::io::{self, BufRead, Write};

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use libcrux_ml_kem::mlkem768;
use seal_tests::touch;
use sha2::{Digest as _, Sha256};
use sha3::digest::{ExtendableOutput as _, Update as _, XofReader as _};
use sha3::{Sha3_256, Shake256};

const STANZA: &str = "mlkem768p256tag";
const INFO: &[u8] = b"age-encryption.org/mlkem768p256tag";
const CIPHERTEXT: usize = 1088;

struct Message {
    tag: String,
    args: Vec<String>,
    body: Vec<u8>,
}

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() != Some("--age-plugin=identity-v1") {
        return Err(io::Error::other("this plugin has identities only"));
    }
    let mut input = io::stdin().lock();
    let (mut is_known, mut files) = (false, Vec::new());
    loop {
        let message = hear(&mut input)?;
        match message.tag.as_str() {
            "add-identity" => is_known = message.args == [touch::IDENTITY],
            // The file's index, the stanza's type and its arguments.
            "recipient-stanza" => files.push((message.args, message.body)),
            "done" => break,
            _ => {}
        }
    }
    if !is_known {
        say("error", &["identity", "0"], b"this is no identity of mine")?;
        hear(&mut input)?;
    } else if let Some((args, body)) = files.iter().find(|(args, _)| is_mine(args)) {
        unlock(&mut input)?;
        if let Some(key) = open(&args[3], body) {
            say("file-key", &[&args[0]], &key)?;
            hear(&mut input)?;
        }
    }
    say("done", &[], b"")
}

/// Asks for the PIN if there is one, and counts a touch.
fn unlock(input: &mut impl BufRead) -> io::Result<()> {
    if let Ok(pin) = std::env::var(touch::PIN) {
        say("request-secret", &[], b"PIN of the test key:")?;
        let answer = hear(input)?;
        if answer.tag != "ok" || answer.body != pin.as_bytes() {
            say("error", &["internal"], b"the PIN is wrong")?;
            hear(input)?;
            say("done", &[], b"")?;
            std::process::exit(0);
        }
    }
    say("msg", &[], b"touch the test key")?;
    hear(input)?;
    if let Some(path) = std::env::var_os(touch::TOUCHES) {
        OpenOptions::new().create(true).append(true).open(path)?.write_all(b"x")?;
    }
    Ok(())
}

fn is_mine(args: &[String]) -> bool {
    let [_, kind, tag, enc] = args else { return false };
    let Ok(enc) = BASE64.decode(enc) else { return false };
    let point = Sha256::digest(uncompressed(&private().1));
    let (expected, _) = Hkdf::<Sha256>::extract(Some(INFO), &[&enc[..], &point[..4]].concat());
    kind == STANZA && *tag == BASE64.encode(&expected[..4])
}

/// The halves of the private key, out of its seed: ML-KEM-768's, and the scalar of P-256.
fn private() -> (mlkem768::MlKem768KeyPair, PrivateKey) {
    let hex = touch::record("seed");
    let seed: Vec<u8> =
        (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("it is hexadecimal")).collect();
    let mut shake = Shake256::default();
    shake.update(&seed);
    let mut stream = shake.finalize_xof();
    let (mut ml_kem, mut scalar) = ([0; 64], [0; 32]);
    stream.read(&mut ml_kem);
    stream.read(&mut scalar);
    let scalar = PrivateKey::from_private_key(&ECDH_P256, &scalar).expect("the scalar is below the order");
    (mlkem768::generate_key_pair(ml_kem), scalar)
}

fn uncompressed(scalar: &PrivateKey) -> Vec<u8> {
    scalar.compute_public_key().expect("a valid key has a public half").as_ref().to_vec()
}

/// The file key in a stanza, if it is for this key.
fn open(enc: &str, body: &[u8]) -> Option<Vec<u8>> {
    let enc = BASE64.decode(enc).ok()?;
    let (ciphertext, point) = enc.split_at_checked(CIPHERTEXT)?;
    let (ml_kem, scalar) = private();
    let ciphertext: [u8; CIPHERTEXT] = ciphertext.try_into().ok()?;
    let shared_pq = mlkem768::decapsulate(ml_kem.private_key(), &ciphertext.into());
    let peer = UnparsedPublicKey::new(&ECDH_P256, point);
    let shared_t = agree(&scalar, peer, (), |shared| Ok(shared.to_vec())).ok()?;
    let mut hash = Sha3_256::default();
    for part in [&shared_pq[..], &shared_t, point, &uncompressed(&scalar), b"MLKEM768-P256"] {
        sha3::digest::Update::update(&mut hash, part);
    }
    let shared = sha3::digest::FixedOutput::finalize_fixed(hash);
    hpke_open(&shared, body)
}

/// Base mode, single shot, without associated data: KEM 0x0050, HKDF-SHA256, ChaCha20-Poly1305.
fn hpke_open(shared: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    const SUITE: &[u8] = b"HPKE\x00\x50\x00\x01\x00\x03";
    let labelled = |label: &str, rest: &[u8]| [b"HPKE-v1", SUITE, label.as_bytes(), rest].concat();
    let extract =
        |salt: &[u8], label, input: &[u8]| Hkdf::<Sha256>::extract(Some(salt), &labelled(label, input)).0;
    let context = [&[0][..], &extract(b"", "psk_id_hash", b""), &extract(b"", "info_hash", INFO)].concat();
    let secret = Hkdf::<Sha256>::from_prk(&extract(shared, "secret", b"")).ok()?;
    let expand = |label, out: &mut [u8]| {
        let length = u16::try_from(out.len()).expect("keys are short").to_be_bytes();
        secret.expand(&[&length[..], &labelled(label, &context)].concat(), out).ok()
    };
    let (mut key, mut nonce) = ([0; 32], [0; 12]);
    expand("key", &mut key)?;
    expand("base_nonce", &mut nonce)?;
    ChaCha20Poly1305::new(&key.into()).decrypt(Nonce::from_slice(&nonce), body).ok()
}

fn hear(input: &mut impl BufRead) -> io::Result<Message> {
    let malformed = || io::Error::other("this isn't the protocol of age plugins");
    let mut next = || -> io::Result<String> {
        let mut line = String::new();
        input.read_line(&mut line)?;
        line.strip_suffix('\n').map(str::to_owned).ok_or_else(malformed)
    };
    let head = next()?;
    let mut words = head.strip_prefix("-> ").ok_or_else(malformed)?.split(' ').map(str::to_owned);
    let tag = words.next().unwrap_or_default();
    let mut encoded = String::new();
    loop {
        let line = next()?;
        encoded += &line;
        if line.len() < 64 {
            break;
        }
    }
    let body = BASE64.decode(encoded).map_err(|_| malformed())?;
    Ok(Message { tag, args: words.collect(), body })
}

fn say(tag: &str, args: &[&str], body: &[u8]) -> io::Result<()> {
    let mut text = format!("-> {tag}");
    for arg in args {
        text += &format!(" {arg}");
    }
    // The bodies here are shorter than a line of 64 characters.
    text += &format!("\n{}\n", BASE64.encode(body));
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

//! X-Wing, the hybrid of ML-KEM-768 (FIPS 203) and X25519 (RFC 7748), as a KEM for HPKE (RFC 9180):
//! draft-connolly-cfrg-xwing-kem, called MLKEM768-X25519 in draft-ietf-hpke-pq; KEM id 0x647a.
//!
//! | what | bytes | made of |
//! | --- | --- | --- |
//! | private key | 32 | seed; SHAKE256 expands it to ML-KEM's `d ‖ z` (64) and the X25519 secret (32) |
//! | public key | 1,216 | ML-KEM encapsulation key (1,184) ‖ X25519 public key (32) |
//! | encapsulated key | 1,120 | ML-KEM ciphertext (1,088) ‖ X25519 ephemeral share (32) |
//! | shared secret | 32 | SHA3-256(`ss_M ‖ ss_X ‖ ct_X ‖ pk_X ‖ "\.//^\"`) |
//!
//! The KEM isn't authenticated: a sender's key is refused. The arithmetic of ML-KEM and X25519 is that of
//! `libcrux-ml-kem` (formally verified) and `x25519-dalek`.
//!
//! Invariant: a [`PublicKey`] passed FIPS 203's modulus check (section 7.2) and its X25519 half isn't of low order, so
//! encapsulating to it can't fail. Only the seed is kept. Everything that is expanded from it, and every shared
//! secret, is wiped before the function returns. (Stack frames inside the primitives are out of reach.)

use hpke::kem::SharedSecret;
use hpke::{Deserializable, HpkeError, Kem, Serializable};
use libcrux_ml_kem::mlkem768::{
    self, MlKem768Ciphertext as Ciphertext, MlKem768PrivateKey as DecapsulationKey,
    MlKem768PublicKey as EncapsulationKey,
};
use rand_core::{CryptoRng, RngCore};
use sha3::digest::typenum::{Sum, U32, U96, U192, U1024};
use sha3::digest::{ExtendableOutput, XofReader};
use sha3::{Digest, Sha3_256, Shake256};
use subtle::ConstantTimeEq;
use x25519_dalek as x25519;
use zeroize::{Zeroize, Zeroizing};

/// `\./` above `/^\`: the draft's drawing of an X-Wing.
const LABEL: &[u8; 6] = br"\.//^\";

const EK: usize = EncapsulationKey::len();
const CT: usize = Ciphertext::len();

/// The KEM itself.
pub(super) struct XWing;

/// The 32-byte seed. Wiped on drop, compared in constant time.
///
/// [`hpke::Kem`] demands `Clone`; nothing here uses it.
#[derive(Clone)]
pub(super) struct PrivateKey(Zeroizing<[u8; 32]>);

/// A public key that is safe to encapsulate to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey(Box<[u8; EK + 32]>);

/// An encapsulated key: any bytes of the right length. ML-KEM rejects implicitly, and [`decap`](Kem::decap)
/// refuses a low-order X25519 share.
#[derive(Clone)]
pub(super) struct EncappedKey(Box<[u8; CT + 32]>);

impl Kem for XWing {
    type PublicKey = PublicKey;
    type PrivateKey = PrivateKey;
    type EncappedKey = EncappedKey;
    type NSecret = U32;

    const KEM_ID: u16 = 0x647a;

    fn sk_to_pk(sk: &PrivateKey) -> PublicKey {
        sk.expand().public
    }

    /// X-Wing draft, "Use in HPKE": the private key is SHAKE256 of the keying material. (age never derives
    /// a key pair; draft-ietf-hpke-pq labels this derivation differently.)
    fn derive_keypair(ikm: &[u8]) -> (PrivateKey, PublicKey) {
        let mut seed = Zeroizing::new([0; 32]);
        Shake256::digest_xof(ikm, seed.as_mut());
        PrivateKey(seed).into_pair()
    }

    fn gen_keypair<R: CryptoRng + RngCore>(csprng: &mut R) -> (PrivateKey, PublicKey) {
        let mut seed = Zeroizing::new([0; 32]);
        csprng.fill_bytes(seed.as_mut());
        PrivateKey(seed).into_pair()
    }

    fn encap<R: CryptoRng + RngCore>(
        pk: &PublicKey,
        sender: Option<(&PrivateKey, &PublicKey)>,
        csprng: &mut R,
    ) -> Result<(SharedSecret<Self>, EncappedKey), HpkeError> {
        let mut randomness = Zeroizing::new([0; 32]);
        csprng.fill_bytes(randomness.as_mut());
        let (ct_m, ss_m) = mlkem768::encapsulate(&pk.ml_kem(), *randomness);
        let ss_m = Zeroizing::new(ss_m);

        let ephemeral = x25519::EphemeralSecret::random_from_rng(csprng);
        let ct_x = x25519::PublicKey::from(&ephemeral);
        let pk_x = pk.x25519();
        let ss_x = ephemeral.diffie_hellman(&pk_x);
        if sender.is_some() || !ss_x.was_contributory() {
            return Err(HpkeError::EncapError);
        }

        let enc = EncappedKey(joined(ct_m.as_slice(), ct_x.as_bytes()));
        Ok((combine(&ss_m, &ss_x, &ct_x, &pk_x), enc))
    }

    fn decap(
        sk: &PrivateKey,
        sender: Option<&PublicKey>,
        enc: &EncappedKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        let expanded = sk.expand();
        let ct_x = x25519::PublicKey::from(tail(enc.0.as_ref()));
        let ss_x = expanded.x25519.diffie_hellman(&ct_x);
        if sender.is_some() || !ss_x.was_contributory() {
            return Err(HpkeError::DecapError);
        }

        let ct_m = Ciphertext::from(head::<CT>(enc.0.as_ref()));
        let ss_m = Zeroizing::new(mlkem768::decapsulate(&expanded.ml_kem.0, &ct_m));
        Ok(combine(&ss_m, &ss_x, &ct_x, &expanded.public.x25519()))
    }
}

/// `expandDecapsulationKey` of the draft.
struct ExpandedKey {
    ml_kem: WipedDecapsulationKey,
    x25519: x25519::StaticSecret,
    public: PublicKey,
}

/// libcrux's private key doesn't wipe itself.
struct WipedDecapsulationKey(DecapsulationKey);

impl Drop for WipedDecapsulationKey {
    fn drop(&mut self) {
        self.0[0..].zeroize();
    }
}

impl PrivateKey {
    fn expand(&self) -> ExpandedKey {
        let mut d_z = Zeroizing::new([0; 64]);
        let mut scalar = Zeroizing::new([0; 32]);
        let mut xof = Shake256::default();
        sha3::digest::Update::update(&mut xof, self.0.as_ref());
        let mut xof = xof.finalize_xof();
        xof.read(d_z.as_mut());
        xof.read(scalar.as_mut());

        let (ml_kem, ek) = mlkem768::generate_key_pair(*d_z).into_parts();
        let x25519 = x25519::StaticSecret::from(*scalar);
        let public = PublicKey(joined(ek.as_slice(), x25519::PublicKey::from(&x25519).as_bytes()));
        ExpandedKey { ml_kem: WipedDecapsulationKey(ml_kem), x25519, public }
    }

    fn into_pair(self) -> (Self, PublicKey) {
        let public = XWing::sk_to_pk(&self);
        (self, public)
    }

    /// The seed: the whole private key.
    pub(super) fn seed(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PublicKey {
    fn ml_kem(&self) -> EncapsulationKey {
        EncapsulationKey::from(head::<EK>(self.0.as_ref()))
    }

    fn x25519(&self) -> x25519::PublicKey {
        x25519::PublicKey::from(tail(self.0.as_ref()))
    }
}

/// `true` if every secret multiplies the point to zero, so that everybody knows the "shared" secrets with it (RFC 7748,
/// section 6.1).
pub(super) fn is_low_order(point: &x25519::PublicKey) -> bool {
    // Clamping makes every scalar a multiple of the cofactor, so one multiplication is enough to tell.
    !x25519::StaticSecret::from([0; 32]).diffie_hellman(point).was_contributory()
}

/// `Combiner` of the draft. ML-KEM's own ciphertext and key are bound by ML-KEM itself.
fn combine(
    ss_m: &[u8; 32],
    ss_x: &x25519::SharedSecret,
    ct_x: &x25519::PublicKey,
    pk_x: &x25519::PublicKey,
) -> SharedSecret<XWing> {
    let mut shared = SharedSecret::default();
    Sha3_256::new()
        .chain_update(ss_m)
        .chain_update(ss_x)
        .chain_update(ct_x)
        .chain_update(pk_x)
        .chain_update(LABEL)
        .finalize_into(&mut shared.0);
    shared
}

/// The ML-KEM part in front of the 32 bytes of X25519.
fn head<const N: usize>(bytes: &[u8]) -> &[u8; N] {
    bytes.first_chunk().expect("public and encapsulated keys begin with their ML-KEM part")
}

/// The 32 bytes of X25519 at the end.
fn tail(bytes: &[u8]) -> [u8; 32] {
    *bytes.last_chunk().expect("public and encapsulated keys end with 32 bytes of X25519")
}

fn joined<const N: usize>(ml_kem: &[u8], x25519: &[u8; 32]) -> Box<[u8; N]> {
    let bytes = [ml_kem, x25519].concat().into_boxed_slice();
    bytes.try_into().expect("N is the length of the ML-KEM part and 32")
}

fn exactly<const N: usize>(encoded: &[u8]) -> Result<Box<[u8; N]>, HpkeError> {
    let bytes: Box<[u8]> = encoded.into();
    bytes.try_into().map_err(|_| HpkeError::IncorrectInputLength(N, encoded.len()))
}

impl Serializable for PrivateKey {
    type OutputSize = U32;

    fn write_exact(&self, buf: &mut [u8]) {
        buf.copy_from_slice(self.0.as_ref());
    }
}

impl Deserializable for PrivateKey {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let mut seed = Zeroizing::new([0; 32]);
        if encoded.len() != seed.len() {
            return Err(HpkeError::IncorrectInputLength(seed.len(), encoded.len()));
        }
        seed.copy_from_slice(encoded);
        Ok(Self(seed))
    }
}

impl PartialEq for PrivateKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_ref()).into()
    }
}

impl Eq for PrivateKey {}

impl Serializable for PublicKey {
    type OutputSize = Sum<U1024, U192>;

    fn write_exact(&self, buf: &mut [u8]) {
        buf.copy_from_slice(self.0.as_ref());
    }
}

impl Deserializable for PublicKey {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let key = Self(exactly(encoded)?);
        if !mlkem768::validate_public_key(&key.ml_kem()) || is_low_order(&key.x25519()) {
            return Err(HpkeError::ValidationError);
        }
        Ok(key)
    }
}

impl Serializable for EncappedKey {
    type OutputSize = Sum<U1024, U96>;

    fn write_exact(&self, buf: &mut [u8]) {
        buf.copy_from_slice(self.0.as_ref());
    }
}

impl Deserializable for EncappedKey {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        exactly(encoded).map(Self)
    }
}

#[cfg(test)]
mod tests;

//! The private keys at hand for opening: identities for the native format, RSA keys for the Bitnami format.
//!
//! The programs load the keys, and the controller decides which key is primary; a keyring does neither. Share a
//! keyring through an `Arc`; it can't be cloned.
//!
//! Invariant: no two keys have the same fingerprint, and iteration keeps the order of insertion.

use super::{Fingerprint, Identity, RsaPrivateKey};

/// An ordered set of identities and one of RSA keys. Each key is found by its public half's fingerprint.
#[derive(Default)]
pub struct Keyring {
    identities: Vec<Identity>,
    rsa_keys: Vec<RsaPrivateKey>,
}

impl Keyring {
    /// A keyring of these identities, in the order given; a repeated one is dropped.
    pub fn new(identities: Vec<Identity>) -> Self {
        identities.into_iter().collect()
    }

    /// Adds an identity at the end. `false` if it was there already; then the new copy is dropped.
    pub fn insert(&mut self, identity: Identity) -> bool {
        let is_new = self.find(&identity.fingerprint()).is_none();
        if is_new {
            self.identities.push(identity);
        }
        is_new
    }

    /// The identity with this fingerprint. Linear: a keyring holds a handful.
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<&Identity> {
        self.iter().find(|identity| identity.fingerprint() == *fingerprint)
    }

    /// All identities, in the order of insertion.
    pub fn iter(&self) -> std::slice::Iter<'_, Identity> {
        self.identities.iter()
    }

    /// All fingerprints, in the order of insertion.
    pub fn fingerprints(&self) -> impl ExactSizeIterator<Item = Fingerprint> {
        self.iter().map(Identity::fingerprint)
    }

    /// The number of identities.
    pub fn len(&self) -> usize {
        self.identities.len()
    }

    /// `true` if there is no identity. There may still be RSA keys.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// Adds an RSA key at the end. `false` if it was there already; then the new copy is dropped.
    pub fn insert_rsa_key(&mut self, key: RsaPrivateKey) -> bool {
        let is_new = self.find_rsa_key(&key.fingerprint()).is_none();
        if is_new {
            self.rsa_keys.push(key);
        }
        is_new
    }

    /// Adds all keys of another keyring at the end, except those that are there already.
    pub fn merge(&mut self, other: Self) {
        self.extend(other.identities);
        for key in other.rsa_keys {
            self.insert_rsa_key(key);
        }
    }

    /// The RSA key with this fingerprint.
    pub fn find_rsa_key(&self, fingerprint: &Fingerprint) -> Option<&RsaPrivateKey> {
        self.rsa_keys.iter().find(|key| key.fingerprint() == *fingerprint)
    }

    /// The RSA keys alone, in the order of insertion.
    pub fn into_rsa_keys(self) -> Vec<RsaPrivateKey> {
        self.rsa_keys
    }

    /// All RSA keys, in the order of insertion.
    pub fn rsa_keys(&self) -> &[RsaPrivateKey] {
        &self.rsa_keys
    }
}

impl FromIterator<Identity> for Keyring {
    fn from_iter<I: IntoIterator<Item = Identity>>(identities: I) -> Self {
        let mut keyring = Self::default();
        keyring.extend(identities);
        keyring
    }
}

impl Extend<Identity> for Keyring {
    fn extend<I: IntoIterator<Item = Identity>>(&mut self, identities: I) {
        for identity in identities {
            self.insert(identity);
        }
    }
}

impl<'a> IntoIterator for &'a Keyring {
    type Item = &'a Identity;
    type IntoIter = std::slice::Iter<'a, Identity>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::X25519;

    #[test]
    fn identities_are_found_by_fingerprint_in_the_order_of_insertion() {
        let identities: Vec<_> = (0..3).map(|_| Identity::generate()).collect();
        let expected: Vec<_> = identities.iter().map(Identity::fingerprint).collect();
        let keyring = Keyring::new(identities);
        assert_eq!(keyring.fingerprints().collect::<Vec<_>>(), expected);
        for fingerprint in &expected {
            assert_eq!(keyring.find(fingerprint).unwrap().fingerprint(), *fingerprint);
        }
        assert!(keyring.find(&Identity::generate().fingerprint()).is_none());
    }

    #[test]
    fn an_identity_is_kept_once() {
        let mut keyring = Keyring::default();
        assert!(keyring.is_empty());
        assert!(keyring.insert(Identity::parse(X25519).unwrap()));
        assert!(!keyring.insert(Identity::parse(X25519).unwrap()));
        assert_eq!((keyring.len(), keyring.iter().count()), (1, 1));
    }
}

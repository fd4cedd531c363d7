//! The key that an argument means: a SealingKey by its name, or any key by its fingerprint or its recipient.
//!
//! A number is no name of a key: after a restore, two keys may have one number. Invariant: an argument that could mean two
//! keys means none.

use std::fmt;
use std::str::FromStr;

use seal_crds::keys::{Fingerprint, Recipient};
use seal_crds::resources::SealingKey;

use crate::keys::cluster::name_of;
use crate::keys::recipients::{looks_like_recipient, shortened};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// The fewest digits of a fingerprint that name a key.
const MIN_DIGITS: usize = 16;

/// An argument that names a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyReference {
    /// The name of a SealingKey. It may look like the start of a fingerprint, too.
    Name(String),
    /// A whole fingerprint.
    Whole(Fingerprint),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReferenceError {
    #[error("this isn't a recipient")]
    NotRecipient,
    #[error("no sealing key has the name {0}, or a fingerprint that starts with it")]
    Unknown(String),
    #[error("{given} means {one} or {other}")]
    Ambiguous { given: String, one: String, other: String },
    #[error("SealingKey {0} is no key of the controller: somebody else wrote it")]
    Planted(String),
}

impl Explain for ReferenceError {
    fn rule(&self) -> Rule {
        match self {
            Self::NotRecipient => Rule::BadRecipient,
            Self::Unknown(_) | Self::Ambiguous { .. } => Rule::Usage,
            Self::Planted(_) => Rule::NoSealingKey,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Planted(_) => Exit::Failure,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotRecipient => "give the name of a SealingKey, or a fingerprint".to_owned(),
            Self::Unknown(_) => {
                format!(
                    "seal keys status lists the keys; of a fingerprint at least {MIN_DIGITS} digits are needed, and all \
                     64 of a key that the cluster doesn't know"
                )
            }
            Self::Ambiguous { .. } => "give all 64 digits of the fingerprint".to_owned(),
            Self::Planted(name) => {
                format!("find out who wrote it, and delete it: kubectl delete sealingkey {name}")
            }
        })
    }
}

impl FromStr for KeyReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if looks_like_recipient(text) {
            let recipient: Recipient = text.parse().map_err(|_| ReferenceError::NotRecipient)?;
            return Ok(Self::Whole(recipient.fingerprint()));
        }
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Whole))
    }
}

impl fmt::Display for KeyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(&shortened(name)),
            Self::Whole(fingerprint) => f.write_str(&fingerprint.short()),
        }
    }
}

impl KeyReference {
    /// Whether a fingerprint may be meant.
    fn may_be(&self, fingerprint: &Fingerprint) -> bool {
        match self {
            Self::Whole(whole) => whole == fingerprint,
            Self::Name(digits) => digits.len() >= MIN_DIGITS && fingerprint.to_string().starts_with(digits),
        }
    }

    /// The fingerprint that is meant, among those that are known by some name; `None` if it is none of them.
    ///
    /// # Errors
    ///
    /// Two are meant.
    pub(crate) fn among<'n>(
        &self,
        known: impl IntoIterator<Item = (Fingerprint, &'n str)>,
    ) -> Result<Option<Fingerprint>, ReferenceError> {
        let mut found: Option<(Fingerprint, &str)> = None;
        for (fingerprint, name) in known {
            let is_meant = self.may_be(&fingerprint) || matches!(self, Self::Name(given) if given == name);
            match found {
                Some((first, first_name)) if is_meant && first != fingerprint => {
                    return Err(ReferenceError::Ambiguous {
                        given: self.to_string(),
                        one: format!("{first_name} ({})", first.short()),
                        other: format!("{name} ({})", fingerprint.short()),
                    });
                }
                None if is_meant => found = Some((fingerprint, name)),
                _ => {}
            }
        }
        Ok(found.map(|(fingerprint, _)| fingerprint))
    }

    /// The SealingKey that is meant, which the controller has recorded.
    ///
    /// # Errors
    ///
    /// It means no SealingKey, or two, or one that somebody else wrote.
    pub(crate) fn find<'k>(&self, keys: &'k [SealingKey]) -> Result<&'k SealingKey, ReferenceError> {
        // The controller's word decides before a name does, because others choose the names of what they plant.
        let recorded: Vec<(Fingerprint, String)> = keys
            .iter()
            .filter(|key| key.is_recorded())
            .map(|key| (key.fingerprint(), name_of(key)))
            .collect();
        let known = recorded.iter().map(|(fingerprint, name)| (*fingerprint, name.as_str()));
        if let Some(fingerprint) = self.among(known)? {
            // Of two SealingKeys of one key, the controller gives one the state.
            let all = || keys.iter().filter(|key| key.is_recorded() && key.fingerprint() == fingerprint);
            let is_stated =
                |key: &&SealingKey| key.status.as_ref().is_some_and(|status| status.state.is_some());
            return Ok(all()
                .find(is_stated)
                .or_else(|| all().next())
                .expect("it is among the recorded keys"));
        }
        let planted = keys.iter().map(|key| (key.fingerprint(), name_of(key)));
        let planted = planted.filter(|(fingerprint, name)| {
            self.may_be(fingerprint) || matches!(self, Self::Name(given) if given == name)
        });
        match planted.map(|(_, name)| name).next() {
            Some(name) => Err(ReferenceError::Planted(name)),
            None => Err(ReferenceError::Unknown(self.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::keys::Identity;
    use seal_crds::resources::{KeyState, PublishedState, SealingKeySpec, SealingKeyStatus};

    fn key(name: &str, recorded: bool) -> SealingKey {
        let spec = SealingKeySpec {
            recipient: Identity::generate().recipient().to_string(),
            sequence: 1,
            created_at: "2026-11-21T10:00:00Z".to_owned(),
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        let mut key = SealingKey::new(name, spec);
        let fingerprint = recorded.then(|| key.fingerprint().to_string());
        let state = Some(PublishedState::Active);
        key.status = Some(SealingKeyStatus { fingerprint, state, ..Default::default() });
        key
    }

    fn find(given: &str, keys: &[SealingKey]) -> Result<String, ReferenceError> {
        given.parse::<KeyReference>()?.find(keys).map(name_of)
    }

    #[test]
    fn a_key_is_found_by_its_name_its_fingerprint_and_its_recipient() {
        let keys = [key("one", true), key("two", true)];
        let two = &keys[1];
        let whole = two.fingerprint().to_string();
        for given in ["two", &whole, &whole[..16], &two.spec.recipient] {
            assert_eq!(find(given, &keys).as_deref(), Ok("two"), "{given}");
        }
        for given in ["three", "2", &whole[..15], &whole[..16].to_uppercase()] {
            assert!(matches!(find(given, &keys), Err(ReferenceError::Unknown(_))), "{given}");
        }
        assert_eq!(find("AGE-SECRET-KEY-1QQ", &keys), Err(ReferenceError::NotRecipient));
    }

    #[test]
    fn a_name_that_is_the_start_of_another_keys_fingerprint_means_neither() {
        let one = key("one", true);
        let trap = key(&one.fingerprint().short(), true);
        let given = one.fingerprint().short();
        assert!(matches!(find(&given, &[one.clone(), trap]), Err(ReferenceError::Ambiguous { .. })));
        // What somebody planted under that name doesn't come in the way.
        let planted = key(&given, false);
        assert_eq!(find(&given, &[planted, one]).as_deref(), Ok("one"));
    }

    #[test]
    fn a_planted_key_is_told_from_an_unknown_one() {
        assert_eq!(find("evil", &[key("evil", false)]), Err(ReferenceError::Planted("evil".to_owned())));
    }

    #[test]
    fn of_two_objects_of_one_key_the_one_with_the_state_is_meant() {
        let one = key("one", true);
        let mut copy = one.clone();
        copy.metadata.name = Some("copy".to_owned());
        copy.status.as_mut().unwrap().state = None;
        let short = one.fingerprint().short();
        assert_eq!(find(&short, &[copy, one]).as_deref(), Ok("one"));
    }
}

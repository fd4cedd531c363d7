//! The SealingKeys that the controller keeps, of all that the API server lists.
//!
//! The threat: a person who may write SealingKeys can make any number of them, of any size.
//! [`super::lifecycle`] decides on their meaning.
//!
//! Invariant: a SealingKey is always kept if the controller recorded it, if it has a name that a loaded key is
//! published under, or if it asks a higher state of a loaded key than those before it. Of the others only
//! [`MAX_PLANTED`] are kept, and of each SealingKey only the parts that the controller reads.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::{KeyState, SealingKey};

use super::holder::Holder;
use super::lifecycle::names;

/// The most SealingKeys that are kept although others planted them.
const MAX_PLANTED: usize = 256;

/// What a SealingKey has to say to be about a loaded key: fingerprint, sequence and date.
type Claimed = (Fingerprint, i64, String);

/// The SealingKeys that are kept so far.
pub(crate) struct Published {
    /// The loaded keys, each with the highest state that a kept SealingKey asks for; `None` before the first.
    held: BTreeMap<Claimed, Option<KeyState>>,
    names: BTreeSet<String>,
    planted: usize,
    pub(super) kept: Vec<SealingKey>,
}

impl Published {
    /// Starts without SealingKeys; `holders` are the Secrets of the loaded keys.
    pub(super) fn new(holders: &[Holder]) -> Self {
        let held = holders.iter().map(|holder| (claimed_of(holder), None)).collect();
        Self { held, names: holders.iter().flat_map(names).collect(), planted: 0, kept: Vec::new() }
    }

    /// Whether every SealingKey that counts for these keys was kept: they, and their names, were known when the
    /// SealingKeys were listed.
    pub(super) fn covers(&self, holders: &[Holder]) -> bool {
        let is_known = |holder: &Holder| self.held.contains_key(&claimed_of(holder));
        holders
            .iter()
            .all(|holder| is_known(holder) && names(holder).iter().all(|it| self.names.contains(it)))
    }

    pub(super) fn add(&mut self, object: SealingKey) {
        let asks_more = self.asks_more(&object);
        let counts = asks_more
            || object.is_recorded()
            || object.metadata.name.as_ref().is_some_and(|name| self.names.contains(name));
        if !counts {
            self.planted += 1;
        }
        if counts || self.planted <= MAX_PLANTED {
            self.kept.push(SealingKey { metadata: trim(object.metadata), ..object });
        }
    }

    /// Whether the SealingKey is the first one about a loaded key, or asks a higher state of it than those before it.
    fn asks_more(&mut self, object: &SealingKey) -> bool {
        let spec = &object.spec;
        let claimed = (object.fingerprint(), spec.sequence, spec.created_at.clone());
        let Some(asked) = self.held.get_mut(&claimed) else { return false };
        let is_more = *asked < Some(spec.state);
        if is_more {
            *asked = Some(spec.state);
        }
        is_more
    }

    /// The complaint if there are more SealingKeys than are kept.
    pub(super) fn complaint(&self) -> Option<String> {
        (self.planted > MAX_PLANTED).then(|| {
            format!(
                "there are more than {MAX_PLANTED} SealingKeys that this controller didn't write, and only so many are \
                 looked at; find out who writes them, and delete them"
            )
        })
    }
}

fn claimed_of(holder: &Holder) -> Claimed {
    (holder.recipient.fingerprint(), holder.sequence, holder.created_at.clone())
}

/// Drops labels, annotations and the like, which can be a megabyte. Namespace and UID are for Events.
fn trim(metadata: ObjectMeta) -> ObjectMeta {
    let ObjectMeta { name, namespace, uid, resource_version, generation, .. } = metadata;
    ObjectMeta { name, namespace, uid, resource_version, generation, ..ObjectMeta::default() }
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Identity;
    use seal_crds::keys::stored::Note;
    use seal_crds::resources::{SealingKeySpec, SealingKeyStatus};

    use super::*;

    fn sealing_key(name: &str, recipient: &str) -> SealingKey {
        let spec = SealingKeySpec {
            recipient: recipient.into(),
            sequence: 1,
            created_at: "2026-01-01T00:00:00Z".into(),
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        let mut key = SealingKey::new(name, spec);
        key.metadata.annotations = Some([("ballast".into(), "x".into())].into());
        key
    }

    #[test]
    fn what_counts_is_kept_however_many_others_are_planted_before_it() {
        let recipient = Identity::generate().recipient().clone();
        let holder = Holder {
            secret: "sealing-key-first".into(),
            resource_version: "1".into(),
            recipient: recipient.clone(),
            sequence: 1,
            created_at: "2026-01-01T00:00:00Z".into(),
            stored_at: "2026-01-01T00:00:00Z".into(),
            recovery: None,
            deleted_at: None,
            is_held: true,
            note: Note::Absent,
            is_noted_by_us: false,
            is_made_by_us: false,
        };
        let mut published = Published::new(&[holder]);
        (0..MAX_PLANTED).for_each(|i| published.add(sealing_key(&format!("planted-{i}"), &i.to_string())));
        assert_eq!((published.kept.len(), published.complaint()), (MAX_PLANTED, None));
        published.add(sealing_key("one-more", "x"));
        assert_eq!(published.kept.len(), MAX_PLANTED);
        assert!(published.complaint().is_some());

        let mut recorded = sealing_key("recorded", "y");
        let fingerprint = Some(recorded.fingerprint().to_string());
        recorded.status = Some(SealingKeyStatus { fingerprint, ..SealingKeyStatus::default() });
        published.add(recorded);
        published.add(sealing_key("about-the-key", recipient.as_str()));
        published.add(sealing_key("sealing-key-first", "z"));
        published.add(sealing_key(&format!("sealing-key-{}", recipient.fingerprint().short()), "z"));
        assert_eq!(published.kept.len(), MAX_PLANTED + 4);
        assert!(published.kept.iter().all(|key| key.metadata.annotations.is_none()));

        // Copies of it say nothing new, however many they are; a wish to revoke behind them counts.
        for i in 0..1000 {
            published.add(sealing_key(&format!("copy-{i}"), recipient.as_str()));
            let mut other = sealing_key(&format!("other-{i}"), recipient.as_str());
            other.spec = SealingKeySpec { sequence: 2, state: KeyState::Revoked, ..other.spec };
            published.add(other);
        }
        assert_eq!(published.kept.len(), MAX_PLANTED + 4);
        let mut revoked = sealing_key("revoked", recipient.as_str());
        revoked.spec.state = KeyState::Revoked;
        published.add(revoked);
        assert_eq!(published.kept.last().unwrap().metadata.name.as_deref(), Some("revoked"));
    }
}

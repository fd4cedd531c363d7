//! The controller's part of the list: what revoked recipients have seen, as the controller read inside of the envelopes.
//!
//! The controller compares the items of each object with the revoked recipients, at most once a minute. The primary's
//! SealingKey lists those recipients, and `usage.revoked` of an object names the list that it was compared with. So it can
//! be seen, and waited for, that every object was compared with a list that has the key. Invariant: if that isn't so when
//! the time is up, the gap has words.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::SealingKey;

use crate::keys::cluster::{Cluster, ConnectError, primary};
use crate::objects::live::{self, LiveObjects};
use crate::talk::progress::Progress;
use crate::talk::terminal;

/// How often the controller's word is looked for. Each look lists all SealedSecrets.
const INTERVAL: Duration = Duration::from_secs(5);

/// The key that is revoked, as far as the controller's word about it matters.
pub(super) struct Revoked<'t> {
    pub(super) key: Fingerprint,
    /// Its name, for people.
    pub(super) label: &'t str,
    /// It has a SealingKey, by which the controller learns of the revocation. Of any other recipient it learns by a flag.
    pub(super) is_sealing_key: bool,
}

/// The objects of the cluster, and whether the controller has said all about them.
pub(super) struct Heard {
    pub(super) live: LiveObjects,
    pub(super) word: Word,
}

/// How far the controller has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Every object was compared with the revoked recipients as they are now, and the key is one of them.
    Complete,
    /// No primary says who is revoked.
    Unsaid,
    /// The key isn't among the revoked recipients.
    Unaware,
    Behind(Behind),
}

/// The objects that weren't compared with the revoked recipients as they are now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Behind {
    objects: BTreeSet<String>,
    /// Some of them are waited for. The others don't open, so that the controller can't look inside.
    is_moving: bool,
}

/// Lists the objects once the controller has said all about them, or after this time.
///
/// # Errors
///
/// The cluster could never be asked.
pub(super) fn listen(
    cluster: &Cluster,
    revoked: &Revoked<'_>,
    time: Duration,
) -> Result<Heard, ConnectError> {
    let end = Instant::now() + time;
    let mut heard = Heard::now(cluster, revoked)?;
    if heard.is_settled(revoked) || time.is_zero() {
        return Ok(heard);
    }
    terminal::note(&format!(
        "waiting for the controller to compare every SealedSecret with {}",
        revoked.label
    ));
    let progress = Progress::new("waiting for the controller", heard.live.objects.len());
    while !heard.is_settled(revoked) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        progress.set(heard.compared());
        thread::sleep(left.min(INTERVAL));
        // A cluster that answered once may be restarting.
        heard = Heard::now(cluster, revoked).unwrap_or(heard);
    }
    Ok(heard)
}

/// The recipients that the controller takes for compromised, as far as it says so.
pub(super) fn revoked(keys: &[SealingKey]) -> BTreeSet<Fingerprint> {
    keys.iter().find(|key| key.is_primary()).map(revoked_by).unwrap_or_default()
}

fn revoked_by(primary: &SealingKey) -> BTreeSet<Fingerprint> {
    let revoked = primary.status.iter().flat_map(|status| &status.revoked_recipients);
    revoked.filter_map(|text| text.parse().ok()).collect()
}

impl Heard {
    /// The keys come first: an object that is compared with what they say afterwards is only more up to date.
    fn now(cluster: &Cluster, revoked: &Revoked<'_>) -> Result<Self, ConnectError> {
        let keys = cluster.sealing_keys()?;
        let live = live::list(cluster)?;
        let word = Word::of(primary(&keys, cluster.namespace()).ok(), &revoked.key, &live);
        Ok(Self { live, word })
    }

    /// Whether more time changes nothing.
    fn is_settled(&self, revoked: &Revoked<'_>) -> bool {
        match &self.word {
            Word::Complete => true,
            Word::Unsaid => false,
            Word::Unaware => !revoked.is_sealing_key,
            Word::Behind(behind) => !behind.is_moving,
        }
    }

    fn compared(&self) -> usize {
        let behind = match &self.word {
            Word::Complete => 0,
            Word::Behind(behind) => behind.objects.len(),
            Word::Unsaid | Word::Unaware => return 0,
        };
        self.live.objects.len().saturating_sub(behind)
    }
}

impl Word {
    fn of(primary: Option<&SealingKey>, key: &Fingerprint, live: &LiveObjects) -> Self {
        let Some(primary) = primary else { return Self::Unsaid };
        let revoked = revoked_by(primary);
        if !revoked.contains(key) {
            return Self::Unaware;
        }
        let present = Fingerprint::of_set(revoked);
        let mut behind = Behind::default();
        // The format of bitnami.com can't say who has seen a value.
        for object in live.objects.iter().filter(|object| object.claimed.format == Format::Native) {
            if object.compared.as_deref() != Some(&present) {
                behind.is_moving |= !object.is_stalled;
                behind.objects.insert(object.claimed.object.clone());
            }
        }
        if behind.objects.is_empty() { Self::Complete } else { Self::Behind(behind) }
    }

    /// What isn't known yet, as a gap of the list.
    pub(super) fn gap(&self, revoked: &Revoked<'_>) -> Option<String> {
        let inside = format!("what {} has seen inside of the envelopes in the cluster", revoked.label);
        Some(match self {
            Self::Complete => return None,
            Self::Unaware if !revoked.is_sealing_key => format!(
                "{inside}: the controller doesn't take it for revoked; type this again once --revoked-recipients names it"
            ),
            Self::Unaware | Self::Unsaid => {
                format!(
                    "{inside}: the controller hasn't said whom it takes for revoked; type this again in a minute"
                )
            }
            Self::Behind(behind) => format!(
                "{inside} of {}: the controller hasn't compared them yet; type this again in a minute, and look at what \
                 isn't Ready; \
                 a controller with --watch-namespace compares no others",
                // All of them: whoever fills the list with objects of their own would hide one that matters.
                behind.objects.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::resources::{KeyState, SealingKeySpec, SealingKeyStatus};

    use crate::objects::claimed::Claimed;
    use crate::objects::live::Live;

    fn key(digits: &str) -> Fingerprint {
        digits.repeat(32).parse().unwrap()
    }

    fn saying(revoked: &[Fingerprint]) -> SealingKey {
        let spec = SealingKeySpec {
            recipient: String::new(),
            sequence: 1,
            created_at: String::new(),
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        let revoked_recipients = revoked.iter().map(ToString::to_string).collect();
        let status = SealingKeyStatus { revoked_recipients, ..Default::default() };
        SealingKey { status: Some(status), ..SealingKey::new("primary", spec) }
    }

    fn native(name: &str, compared: Option<String>, is_stalled: bool) -> Live {
        let claimed =
            Claimed { format: Format::Native, ..Claimed::bitnami(name.to_owned(), BTreeSet::new()) };
        Live { compared, is_stalled, ..Live::unsaid(claimed) }
    }

    fn word(primary: Option<&SealingKey>, objects: Vec<Live>) -> Word {
        Word::of(primary, &key("aa"), &LiveObjects { objects, gaps: Vec::new() })
    }

    #[test]
    fn the_list_is_complete_once_every_object_was_compared_with_a_list_that_has_the_key() {
        let primary = saying(&[key("aa"), key("bb")]);
        let (present, past) = (Fingerprint::of_set([key("bb"), key("aa")]), Fingerprint::of_set([key("bb")]));
        let compared = native("prod/db", Some(present), false);
        let bitnami = Live::unsaid(Claimed::bitnami("prod/old".to_owned(), BTreeSet::new()));
        assert_eq!(word(Some(&primary), vec![compared, bitnami]), Word::Complete);
        for (compared, is_stalled) in [(None, false), (Some(past.clone()), false), (Some(past), true)] {
            let behind = Behind { objects: BTreeSet::from(["prod/x".to_owned()]), is_moving: !is_stalled };
            let said = word(Some(&primary), vec![native("prod/x", compared, is_stalled)]);
            assert_eq!(said, Word::Behind(behind));
        }
        assert_eq!(word(Some(&saying(&[key("bb")])), Vec::new()), Word::Unaware);
        assert_eq!(word(None, Vec::new()), Word::Unsaid);
    }

    #[test]
    fn what_more_time_cannot_change_is_not_waited_for() {
        let settled = |word: Word, is_sealing_key| {
            let revoked = Revoked { key: key("aa"), label: "k", is_sealing_key };
            let heard = Heard { live: LiveObjects::default(), word };
            (heard.is_settled(&revoked), heard.word.gap(&revoked).is_some())
        };
        assert_eq!(settled(Word::Complete, true), (true, false));
        assert_eq!(settled(Word::Unsaid, true), (false, true));
        assert_eq!(settled(Word::Unaware, true), (false, true));
        assert_eq!(settled(Word::Unaware, false), (true, true), "only a flag tells the controller of it");
        let behind =
            |is_moving| Word::Behind(Behind { objects: BTreeSet::from(["x".to_owned()]), is_moving });
        assert_eq!(settled(behind(true), true), (false, true));
        assert_eq!(settled(behind(false), true), (true, true), "it doesn't open");
    }
}

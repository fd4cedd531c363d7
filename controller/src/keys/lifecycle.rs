//! What is to be done about the sealing keys: from what is there to the next step.
//!
//! Not the doing ([`super`]), and not the words of a SealingKey's status ([`super::status`]). A [`Step`] is taken, and
//! then everything is read and decided afresh; so a controller that ends between two steps, or another one beside
//! it, resumes at the right one.
//!
//! Invariants. A key is its fingerprint: Secrets and SealingKeys belong to it by that, whatever their names. Its state
//! only rises. At most one key may be sealed to, and never an older one in place of a newer one: what is older than a
//! key that was Active is Retiring. A SealingKey that somebody else wrote can raise the state of a key, and do nothing
//! else.

use std::collections::BTreeSet;

use seal_crds::keys::{Fingerprint, Recipient};
use seal_crds::resources::{KeyState, SealingKey};

/// The name of the first key: fixed, so that creating it is a race with one winner. Later ones carry their sequence.
pub(super) const FIRST_KEY: &str = "sealing-key-first";

/// The highest sequence that a key can have.
pub(super) const MAX_SEQUENCE: i64 = (1 << 31) - 1;

/// A Secret with a private half, by what is public of it.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) secret: String,
    pub(super) resource_version: String,
    pub(super) recipient: Recipient,
    pub(super) sequence: i64,
    /// RFC 3339 in UTC with seconds, so that texts are in the order of time.
    pub(super) created_at: String,
    pub(super) note: Note,
    /// Whether the note is the controller's, as the API server has it written down.
    pub(super) is_noted_by_us: bool,
    /// Whether the controller made the Secret.
    pub(super) is_made_by_us: bool,
}

/// What the annotation `sealing.dev/state` of a key's Secret says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Absent,
    Says(KeyState),
    Unreadable,
}

/// What is there.
pub(super) struct Observed<'a> {
    holders: &'a [Holder],
    later: &'a [Option<Fingerprint>],
    published: Vec<Published<'a>>,
}

/// A SealingKey, with what is computed of it once: there may be any number of them.
struct Published<'a> {
    object: &'a SealingKey,
    name: &'a str,
    fingerprint: Fingerprint,
    is_recorded: bool,
}

impl<'a> Observed<'a> {
    /// `later` are the Secrets that a later version made, by the fingerprint of their recipient where they have one.
    /// They aren't loaded, and aren't lost.
    pub(super) fn new(
        holders: &'a [Holder],
        later: &'a [Option<Fingerprint>],
        published: &'a [SealingKey],
    ) -> Self {
        let published = published.iter().map(|object| Published {
            object,
            name: object.metadata.name.as_deref().unwrap_or_default(),
            fingerprint: object.fingerprint(),
            is_recorded: object.is_recorded(),
        });
        Self { holders, later, published: published.collect() }
    }
}

impl Observed<'_> {
    /// Whether a key that was had is neither at hand nor in a Secret of a later version.
    pub(super) fn misses_one(&self) -> bool {
        let held: BTreeSet<_> = self.holders.iter().map(|holder| holder.recipient.fingerprint()).collect();
        self.published.iter().any(|published| {
            published.is_recorded
                && !held.contains(&published.fingerprint)
                && !self.later.contains(&Some(published.fingerprint))
        })
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// Make a key.
    Make { name: String, sequence: i64 },
    /// Note states beside private halves, in this order.
    Raise(Vec<Raise>),
    /// Publish keys.
    Publish(Vec<Publish>),
    /// Nothing is missing: say what is so ([`state`]).
    Report,
}

/// A state to note on a Secret, if that is still the one it was decided on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Raise {
    pub(super) secret: String,
    pub(super) resource_version: String,
    pub(super) floor: KeyState,
}

/// A SealingKey to create.
#[derive(Debug)]
pub(super) struct Publish {
    pub(super) name: String,
    pub(super) holder: Holder,
    pub(super) state: KeyState,
}

/// What is so.
#[derive(Debug)]
pub(super) struct Report {
    /// The key that Secrets are sealed to.
    pub(super) primary: Option<Fingerprint>,
    /// Where there is none: why, as a sentence for people.
    pub(super) keyless: Option<String>,
    /// For each SealingKey, in the order in which to say it ([`Rank`]).
    pub(super) verdicts: Vec<(String, Verdict)>,
}

/// What is so of one SealingKey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What the SealingKey is.
    pub(super) standing: Standing,
    /// The lowest state that its key can have, to be recorded wherever the key is; none of a key that the controller never
    /// had.
    pub(super) floor: Option<KeyState>,
    /// Whether Secrets are sealed to its key.
    pub(super) is_primary: bool,
    /// Whether it is this key in whose place a newer one is due.
    pub(super) is_renewal_due: bool,
}

/// When something is said of a SealingKey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Before the primary, so that there are never two.
    Own,
    Primary,
    /// Last: there may be any number of them, and they change nothing.
    Planted,
}

/// What a SealingKey is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The public half of a key whose private half is at hand.
    Held(KeyState),
    /// The same, but what is noted of its state can't be read: treated as Revoked.
    Unreadable { secret: String },
    /// The private half is in a Secret of a later version.
    LaterVersion,
    /// The controller had the private half, and it is gone.
    Lost,
    /// The controller never had the private half.
    Planted,
    /// There is another SealingKey of the same key.
    Duplicate { of: String, is_recorded: bool },
}

/// A key whose private half is at hand.
struct Key<'a> {
    fingerprint: Fingerprint,
    /// Never empty: the Secrets that hold it, the one that counts for sequence and date first.
    holders: Vec<&'a Holder>,
    /// Never a state that a reader of SealingKeys could lower.
    floor: KeyState,
    /// The Secret whose note can't be read.
    unreadable: Option<&'a str>,
    /// The highest state that a SealingKey of it asks for.
    asked: KeyState,
    /// The SealingKey that speaks for it: the first that is recorded, or else the first. Found once, since everybody who
    /// may write SealingKeys can make any number of them.
    published: Option<&'a str>,
}

/// The next step.
pub(super) fn next(observed: &Observed<'_>) -> Step {
    let keys = keys(observed);
    if leaves_no_trace(observed)
        && let Some(step) = make(observed)
    {
        return step;
    }
    let raised = raise(&keys);
    if !raised.is_empty() {
        return Step::Raise(raised);
    }
    let unpublished = publish(observed, &keys);
    if !unpublished.is_empty() {
        return Step::Publish(unpublished);
    }
    Step::Report
}

/// What is so, whatever there is still to do.
pub(super) fn state(observed: &Observed<'_>) -> Report {
    report(observed, &keys(observed))
}

/// Whether no controller has ever kept keys here: then the first is made. A key that was restored from a backup before
/// the controller started isn't a trace of one, nor is a SealingKey that somebody wrote. One that the controller made is,
/// also without a note: the first version wrote none.
///
/// Otherwise none is made, also where none is Active: a key that is lost, or revoked, isn't replaced in silence.
fn leaves_no_trace(observed: &Observed<'_>) -> bool {
    observed.later.is_empty()
        && !observed.holders.iter().any(|holder| holder.is_noted_by_us || holder.is_made_by_us)
        && !observed.published.iter().any(|published| published.is_recorded)
}

/// The key after the newest that has room for a next one: otherwise a key could be restored after which none can be
/// made. None where all names are taken.
fn make(observed: &Observed<'_>) -> Option<Step> {
    let sequences = observed.holders.iter().map(|holder| holder.sequence);
    let last = sequences.filter(|sequence| *sequence < MAX_SEQUENCE).max().unwrap_or_default();
    let name = |sequence| match sequence {
        1 => FIRST_KEY.to_owned(),
        _ => format!("sealing-key-{sequence}"),
    };
    let is_free = |name: &String| observed.holders.iter().all(|holder| holder.secret != *name);
    let mut free = (last + 1..=MAX_SEQUENCE).filter(|sequence| is_free(&name(*sequence)));
    free.next().map(|sequence| Step::Make { name: name(sequence), sequence })
}

/// The keys, the oldest first.
fn keys<'a>(observed: &Observed<'a>) -> Vec<Key<'a>> {
    let mut keys: Vec<Key<'a>> = Vec::new();
    let mut holders: Vec<&'a Holder> = observed.holders.iter().collect();
    holders.sort_by(|one, other| other.order().cmp(&one.order()).then_with(|| one.secret.cmp(&other.secret)));
    for holder in holders {
        let fingerprint = holder.recipient.fingerprint();
        match keys.iter_mut().find(|key| key.fingerprint == fingerprint) {
            Some(key) => key.holders.push(holder),
            None => keys.push(Key {
                fingerprint,
                holders: vec![holder],
                floor: KeyState::Retiring,
                unreadable: None,
                asked: KeyState::Active,
                published: None,
            }),
        }
    }
    keys.reverse();
    for key in &mut keys {
        let unreadable = key.holders.iter().find(|holder| holder.note == Note::Unreadable);
        key.unreadable = unreadable.map(|holder| holder.secret.as_str());
        let about = || observed.published.iter().filter(|published| key.is_meant_by(published));
        let recorded = about().filter(|published| published.is_recorded).map(Published::floor).max();
        let asked = about().map(|published| published.object.spec.state).max();
        let first = about().min_by_key(|published| (!published.is_recorded, published.name));
        key.published = first.map(|published| published.name);
        (key.floor, key.asked) = (floor(&key.holders, recorded), asked.unwrap_or(KeyState::Active));
    }
    succeed(&mut keys);
    keys
}

/// The lowest state that a key can have: the highest that was noted, beside the private half or by the controller on
/// its SealingKey; without either, Retiring.
///
/// A note that raises the state counts whoever wrote it. `Active` counts only where the controller wrote it: it is in
/// every backup, and a Secret that is restored must not become the primary by that.
fn floor(holders: &[&Holder], recorded: Option<KeyState>) -> KeyState {
    let believed = |holder: &&&Holder| holder.is_noted_by_us || holder.note != Note::Says(KeyState::Active);
    let noted = holders.iter().filter(believed).filter_map(|holder| match holder.note {
        Note::Says(state) => Some(state),
        Note::Absent | Note::Unreadable => None,
    });
    noted.chain(recorded).max().unwrap_or(KeyState::Retiring)
}

/// Raises floors as far as the keys' order and their SealingKeys demand.
///
/// The newest Active key is the one to be sealed to, and all that are older retire, whatever becomes of the newest
/// later: so nobody makes an older key the primary again by retiring or revoking the newest. Retiring the newest itself
/// takes effect only when there is a newer one; Revoked takes effect at once.
fn succeed(keys: &mut [Key<'_>]) {
    let mut is_succeeded = false;
    for key in keys.iter_mut().rev() {
        // Also one whose note can't be read: corrected, it is what it was.
        if key.floor == KeyState::Active {
            if is_succeeded {
                key.floor = KeyState::Retiring;
            }
            is_succeeded = true;
        }
        if key.asked == KeyState::Revoked {
            key.floor = KeyState::Revoked;
        }
    }
}

/// The notes that are missing. The older keys come first: should this be cut short, an older key mustn't be the newest
/// Active one.
fn raise(keys: &[Key<'_>]) -> Vec<Raise> {
    // What can't be read is left to whoever wrote it.
    let readable = keys.iter().filter(|key| key.unreadable.is_none());
    let holders = readable.flat_map(|key| key.holders.iter().map(|holder| (key.floor, *holder)));
    holders
        .filter(|(floor, holder)| holder.note != Note::Says(*floor) || !holder.is_noted_by_us)
        .map(|(floor, holder)| Raise {
            secret: holder.secret.clone(),
            resource_version: holder.resource_version.clone(),
            floor,
        })
        .collect()
}

/// The keys without a SealingKey. Somebody may have taken a key's name for another recipient; then the key has a second
/// name that it is published under.
fn publish(observed: &Observed<'_>, keys: &[Key<'_>]) -> Vec<Publish> {
    let is_free = |name: &String| observed.published.iter().all(|published| published.name != name);
    let publish = |key: &Key<'_>| {
        let name = names(key.holders[0]).into_iter().find(is_free)?;
        Some(Publish { name, holder: key.holders[0].clone(), state: key.floor })
    };
    keys.iter().filter(|key| key.published.is_none()).filter_map(publish).collect()
}

/// The names that a key is published under, the first that is free.
pub(super) fn names(holder: &Holder) -> [String; 2] {
    [holder.secret.clone(), format!("sealing-key-{}", holder.recipient.fingerprint().short())]
}

fn report(observed: &Observed<'_>, keys: &[Key<'_>]) -> Report {
    let due = due(observed, keys);
    // A key that nobody can look up isn't one to seal to.
    let primary = keys.iter().rfind(|key| key.is_active()).filter(|key| key.published.is_some());
    let renewed = match primary {
        Some(key) => Some(key.fingerprint).filter(|_| key.asked == KeyState::Retiring),
        None => due.as_ref().map(|due| due.fingerprint),
    };
    let verdict = |published: &Published<'_>| {
        let standing = standing(observed, keys, published);
        let is_own = !matches!(standing, Standing::Duplicate { .. } | Standing::Planted);
        let is = |fingerprint: Option<Fingerprint>| is_own && fingerprint == Some(published.fingerprint);
        let (is_primary, is_renewal_due) = (is(primary.map(|key| key.fingerprint)), is(renewed));
        let floor = match standing {
            Standing::Planted => None,
            Standing::Lost | Standing::LaterVersion => Some(published.floor_without_secret()),
            _ => keys.iter().find(|key| key.fingerprint == published.fingerprint).map(|key| key.floor),
        };
        (published.name.to_owned(), Verdict { standing, floor, is_primary, is_renewal_due })
    };
    let mut verdicts: Vec<_> = observed.published.iter().map(verdict).collect();
    verdicts.sort_by_key(|(_, verdict)| verdict.rank());
    let keyless = primary.is_none().then(|| keyless(due));
    Report { primary: primary.map(|key| key.fingerprint), keyless, verdicts }
}

/// The key in whose place a newer one is due, where no key is sealed to.
struct Due {
    fingerprint: Fingerprint,
    name: String,
    why: &'static str,
}

/// The newest key that isn't Retiring: it was the primary, or would be.
fn due(observed: &Observed<'_>, keys: &[Key<'_>]) -> Option<Due> {
    let held =
        keys.iter().filter(|key| key.floor != KeyState::Retiring || key.unreadable.is_some()).map(|key| {
            let why = match key.floor {
                _ if key.unreadable.is_some() => "what is noted of its state can't be read",
                KeyState::Revoked => "it is revoked",
                KeyState::Active | KeyState::Retiring => {
                    "it isn't published: other SealingKeys have its names, or the API server refuses it"
                }
            };
            let due = Due { fingerprint: key.fingerprint, name: key.holders[0].secret.clone(), why };
            (key.holders[0].order(), due)
        });
    let lost = observed.published.iter().filter(|published| {
        standing(observed, keys, published) == Standing::Lost
            && published.floor_without_secret() != KeyState::Retiring
    });
    let lost = lost.map(|Published { object, name, fingerprint, .. }| {
        let order = (object.spec.sequence, object.spec.created_at.as_str(), *fingerprint);
        let (name, why) = ((*name).to_owned(), "its private half is missing");
        (order, Due { fingerprint: *fingerprint, name, why })
    });
    held.chain(lost).max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, due)| due)
}

fn keyless(due: Option<Due>) -> String {
    match due {
        Some(Due { name, why, .. }) => {
            format!(
                "Secrets are sealed to no key: the newest is {name}, and {why}; no other key takes its place"
            )
        }
        None => "Secrets are sealed to no key: all that there are are retiring, lost, or of a later version"
            .to_owned(),
    }
}

fn standing(observed: &Observed<'_>, keys: &[Key<'_>], published: &Published<'_>) -> Standing {
    if let Some(key) = keys.iter().find(|key| key.is_meant_by(published)) {
        return match (key.published, key.unreadable) {
            (Some(first), _) if first != published.name => {
                Standing::Duplicate { of: first.to_owned(), is_recorded: published.is_recorded }
            }
            (_, Some(secret)) => Standing::Unreadable { secret: secret.to_owned() },
            (_, None) => Standing::Held(key.floor),
        };
    }
    if !published.is_recorded {
        Standing::Planted
    } else if observed.later.contains(&Some(published.fingerprint)) {
        Standing::LaterVersion
    } else {
        Standing::Lost
    }
}

impl Verdict {
    pub(super) fn rank(&self) -> Rank {
        match self.standing {
            _ if self.is_primary => Rank::Primary,
            Standing::Planted | Standing::Duplicate { is_recorded: false, .. } => Rank::Planted,
            _ => Rank::Own,
        }
    }
}

impl Published<'_> {
    /// What the controller recorded of the floor. The first version recorded neither floor nor state; what it went by was
    /// the state in the spec. Otherwise that is only a wish: whoever may write SealingKeys makes one again with Active.
    fn floor(&self) -> KeyState {
        let status = self.object.status.as_ref();
        match status.map(|status| (status.floor, status.state)) {
            Some((Some(floor), _)) => floor,
            Some((None, None)) => self.object.spec.state,
            Some((None, Some(_))) | None => KeyState::Retiring,
        }
    }

    /// The same where the Secret isn't there, or can't be read: then a wish for Active doesn't count at all.
    fn floor_without_secret(&self) -> KeyState {
        let recorded = self.object.status.as_ref().and_then(|status| status.floor);
        recorded.unwrap_or_else(|| self.floor().max(KeyState::Retiring))
    }
}

impl Holder {
    /// The order of the keys. A later date decides between equal sequences, and the fingerprint between equal dates,
    /// so that every controller decides alike.
    fn order(&self) -> (i64, &str, Fingerprint) {
        (self.sequence, &self.created_at, self.recipient.fingerprint())
    }
}

impl Key<'_> {
    /// Whether a SealingKey is about this key: the controller recorded it as such, or all that it says of the key is
    /// right. Otherwise somebody wrote a recipient of ours beside a sequence or date of their own.
    fn is_meant_by(&self, published: &Published<'_>) -> bool {
        let spec = &published.object.spec;
        let is_right =
            |holder: &&Holder| (holder.sequence, &holder.created_at) == (spec.sequence, &spec.created_at);
        published.fingerprint == self.fingerprint
            && (published.is_recorded || self.holders.iter().any(is_right))
    }

    fn is_active(&self) -> bool {
        self.floor == KeyState::Active && self.unreadable.is_none()
    }
}

#[cfg(test)]
mod tests;

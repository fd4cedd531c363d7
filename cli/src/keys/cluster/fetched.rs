//! The recipients of a cluster and its keys of before, and the file of pins that remembers them.
//!
//! A merge takes the recipients of a former fetch out of the file and puts those of now in, so that a recipient that
//! the cluster no longer has isn't sealed to from then on. It keeps every recipient that somebody else put there, and
//! every mark. Invariants: no mark is dropped or lowered; a key that was ever in the file stays on its list; a second
//! merge changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::keys::pins::{Day, Mark, Marked, PinName, raise};
use seal_crds::keys::{Fingerprint, Recipient, without_byte_order_mark};
use seal_crds::native::NamedRecipient;
use seal_crds::resources::{ConditionStatus, KeyState, PublishedState, SealingKey, find_condition};

use super::own::Cluster;
use super::{KeyError, name_of};
use crate::keys::recipients::{self, label};
use crate::talk::failure::{Explain, Failure, Rule};

/// The names that a file gives to recipients without a SealingKey.
pub(crate) const RECOVERY: &str = "recovery";
const EXTRA: &str = "extra";

/// The recipients of a cluster, its keys of before, and their origin.
pub(crate) struct Fetched {
    context: String,
    server: String,
    created_at: String,
    key_name: String,
    /// The sealing key's recipient, then those for recovery, then the extra ones.
    recipients: Vec<NamedRecipient>,
    /// The keys that aren't sealed to any more, with the state that the controller says.
    former: BTreeMap<Fingerprint, Former>,
}

/// A key that isn't sealed to any more.
struct Former {
    name: PinName,
    mark: Mark,
    /// The day from which it was no longer the primary, as the controller says.
    since: Option<Day>,
}

#[derive(Debug, thiserror::Error)]
enum MergeError {
    #[error("the controller seals to {key}, which {file} calls {mark}")]
    PrimaryRefused { key: String, file: String, mark: Mark },
}

impl Explain for MergeError {
    fn rule(&self) -> Rule {
        Rule::NoSealingKey
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::PrimaryRefused { mark: Mark::Revoked, .. } => Some(
                "was the cluster restored to a time before the revocation? Revoke the key there again: seal keys revoke"
                    .to_owned(),
            ),
            Self::PrimaryRefused { .. } => {
                Some("was the cluster restored to an earlier time? seal keys renew makes a new key".to_owned())
            }
        }
    }
}

/// One difference between a file and its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The file lacks a recipient of the cluster.
    Added(String),
    /// The file has a recipient of a former fetch that the cluster no longer has.
    Removed(String),
    /// The file lacks the mark of a key, or has a lower one.
    Marked(String, Mark),
}

impl Change {
    /// What the file lacks or has too much, as words behind its name.
    pub(crate) fn due(&self) -> String {
        match self {
            Self::Added(key) => format!("lacks {key}"),
            Self::Removed(key) => format!("has {key}, which isn't sealed to any more"),
            Self::Marked(key, mark) => format!("doesn't mark {key} as {mark}"),
        }
    }

    /// What was done to the file, as words behind its name.
    pub(crate) fn done(&self) -> String {
        match self {
            Self::Added(key) => format!("has {key} now"),
            Self::Removed(key) => format!("no longer has {key}"),
            Self::Marked(key, mark) => format!("marks {key} as {mark}"),
        }
    }
}

/// A file of pins, brought up to date.
pub(crate) struct Merge {
    /// The new text, which is the old one if there are no changes.
    pub(crate) text: String,
    pub(crate) changes: Vec<Change>,
    /// Facts that a person should know.
    pub(crate) warnings: Vec<String>,
}

impl Fetched {
    /// The recipients of the primary `key`, and the former keys among `all`.
    pub(super) fn new(cluster: &Cluster, key: &SealingKey, all: &[SealingKey]) -> Result<Self, KeyError> {
        let key_name = name_of(key);
        let parse = |text: &str| text.parse().map_err(|_| KeyError::BadRecipient(key_name.clone()));
        let named = |text: &str, name: &str| {
            Ok(NamedRecipient { recipient: parse(text)?, name: Some(name.to_owned()) })
        };
        let status = key.status.clone().unwrap_or_default();
        let own = std::iter::once(named(&key.spec.recipient, &key_name));
        let recovery = status.recovery_recipients.iter().map(|text| named(text, RECOVERY));
        let extra = status.extra_recipients.iter().map(|text| named(text, EXTRA));
        let mut recipients: Vec<NamedRecipient> = Vec::new();
        for recipient in own.chain(recovery).chain(extra) {
            let recipient = recipient?;
            if !recipients.iter().any(|known| known.recipient == recipient.recipient) {
                recipients.push(recipient);
            }
        }
        Ok(Self {
            context: cluster.context().to_owned(),
            server: cluster.server().to_owned(),
            created_at: key.spec.created_at.clone(),
            recipients,
            former: all.iter().filter_map(former).collect(),
            key_name,
        })
    }

    /// The recipients to seal to: the sealing key's, then those for recovery, then the extra ones.
    pub(crate) fn recipients(&self) -> Vec<NamedRecipient> {
        self.recipients.clone()
    }

    /// The context that the cluster was found by.
    pub(crate) fn context(&self) -> &str {
        &self.context
    }

    fn primary(&self) -> &Recipient {
        &self.recipients[0].recipient
    }

    /// One line that names the cluster and the keys.
    pub(crate) fn summary(&self) -> String {
        let others = |name: &str, words: &str| {
            let all = self.recipients[1..].iter().filter(|named| named.name.as_deref() == Some(name));
            let all: Vec<String> = all.map(|named| named.recipient.fingerprint().short()).collect();
            if all.is_empty() { String::new() } else { format!(", {words} {}", all.join(", ")) }
        };
        format!(
            "context {} ({}): {} {}{}{}",
            self.context,
            self.server,
            self.key_name,
            self.primary().fingerprint().short(),
            others(RECOVERY, "for recovery"),
            others(EXTRA, "also to")
        )
    }

    /// Brings the text of a file of pins up to date; an empty text is a new file. `file` names it in messages.
    ///
    /// # Errors
    ///
    /// The text isn't a file of pins, or it refuses the primary.
    pub(crate) fn merge(&self, file: &str, text: &str, today: Day) -> Result<Merge, Failure> {
        let pins = recipients::parse(file, text)?;
        let mut warnings = Vec::new();
        let mut wanted: Vec<&NamedRecipient> = Vec::new();
        for named in &self.recipients {
            let fingerprint = named.recipient.fingerprint();
            let key = label(named.name.as_deref().unwrap_or_default(), &fingerprint);
            let is_primary = named.recipient == *self.primary();
            match pins.marked(&fingerprint).map(|marked| marked.mark) {
                Some(mark) if is_primary && mark > Mark::Retiring => {
                    return Err(MergeError::PrimaryRefused { key, file: file.to_owned(), mark }.into());
                }
                Some(Mark::Retiring) if is_primary => {
                    warnings.push(format!(
                        "the controller seals to {key}, which {file} calls retiring: was the cluster restored to an \
                         earlier time? The mark stays"
                    ));
                }
                // A revoked recovery recipient leaves the set with the next key.
                Some(mark) if mark > Mark::Retiring => {
                    warnings.push(format!(
                        "{key} is {mark} in {file} and left out of the recipients; seal keys renew makes a key \
                         without it"
                    ));
                    continue;
                }
                _ => {}
            }
            wanted.push(named);
        }
        let split = Split::of(text, |fingerprint| {
            wanted.iter().any(|named| named.recipient.fingerprint() == *fingerprint)
                || self.former.contains_key(fingerprint)
        });
        let (changes, marks) = self.changes(&pins, &split, &wanted, today);
        let is_same_list = !changes.iter().any(|change| !matches!(change, Change::Marked(..)));
        let listed = if is_same_list {
            text.to_owned()
        } else {
            let blank = if split.kept.is_empty() { "" } else { "\n" };
            format!("{}{blank}{}", self.head(&wanted), split.kept)
        };
        let text =
            raise(&listed, &marks).expect("a part of a file of pins is one, and so is what is written here");
        Ok(Merge { text, changes, warnings })
    }

    fn changes(
        &self,
        pins: &seal_crds::keys::Pins,
        split: &Split,
        wanted: &[&NamedRecipient],
        today: Day,
    ) -> (Vec<Change>, BTreeMap<Fingerprint, Marked>) {
        let mut changes = Vec::new();
        let mut marks = BTreeMap::new();
        let name = |named: &NamedRecipient| {
            label(named.name.as_deref().unwrap_or_default(), &named.recipient.fingerprint())
        };
        let missing = wanted.iter().filter(|named| !pins.recipients().contains(&named.recipient));
        changes.extend(missing.map(|named| Change::Added(name(named))));
        for former in &split.fetched {
            let fingerprint = former.recipient.fingerprint();
            if wanted.iter().any(|named| named.recipient == former.recipient) {
                continue;
            }
            changes.push(Change::Removed(label(&former.name, &fingerprint)));
            // A cluster that was restored to an earlier time has forgotten the key. The list of keys doesn't.
            if former.is_sealing_key {
                let name = PinName::shortened(&former.name);
                marks.insert(fingerprint, Marked { mark: Mark::Retiring, since: today, name });
            }
        }
        for (fingerprint, former) in &self.former {
            let since = former.since.unwrap_or(today);
            marks.insert(*fingerprint, Marked { mark: former.mark, since, name: former.name.clone() });
        }
        for (fingerprint, marked) in &marks {
            if pins.marked(fingerprint).is_none_or(|known| known.mark < marked.mark) {
                changes.push(Change::Marked(label(marked.name.as_str(), fingerprint), marked.mark));
            }
        }
        (changes, marks)
    }

    /// The part of a file that a fetch writes: the origin, and the recipients with their names.
    fn head(&self, wanted: &[&NamedRecipient]) -> String {
        let one_line = |text: &str| seal_foreign::message(text);
        let mut text =
            format!("# context: {}\n# server: {}\n", one_line(&self.context), one_line(&self.server));
        for named in wanted {
            let recipient = &named.recipient;
            let created = if recipient == self.primary() {
                format!("# created: {}\n", one_line(&self.created_at))
            } else {
                String::new()
            };
            let name = one_line(named.name.as_deref().unwrap_or_default());
            let fingerprint = recipient.fingerprint();
            text += &format!("\n# name: {name}\n{created}# fingerprint: {fingerprint}\n{recipient}\n");
        }
        text
    }
}

/// The mark of a key that isn't sealed to any more; `None` for one that is, or was never the controller's.
///
/// The threat: who may write SealingKeys, but not their status, could otherwise fill everybody's pins.
fn former(key: &SealingKey) -> Option<(Fingerprint, Former)> {
    let status = key.status.as_ref().filter(|_| key.is_recorded())?;
    let is_revoked = key.spec.state == KeyState::Revoked || status.floor == Some(KeyState::Revoked);
    let mark = match status.state? {
        PublishedState::Planted => return None,
        PublishedState::Revoked => Mark::Revoked,
        _ if is_revoked => Mark::Revoked,
        PublishedState::Active => return None,
        PublishedState::Retiring | PublishedState::Deleting | PublishedState::Lost => Mark::Retiring,
        PublishedState::Destroyed => Mark::Destroyed,
    };
    let primary = find_condition(&status.conditions, "Primary");
    let since = primary.filter(|it| mark == Mark::Retiring && it.status == ConditionStatus::False);
    let since = since.and_then(|it| Day::of_time(&it.last_transition_time));
    Some((key.fingerprint(), Former { name: PinName::shortened(&name_of(key)), mark, since }))
}

/// The keys that a fetch wrote into a file of pins as the ones to seal to: usually one. The recovery and extra recipients
/// that it wrote, and all recipients that somebody else put there, aren't among them.
pub(crate) fn sealing_keys(text: &str) -> BTreeSet<Fingerprint> {
    let fetched = Split::of(text, |_| false).fetched.into_iter();
    let is_key = |it: &FetchedBefore| it.is_sealing_key && ![RECOVERY, EXTRA].contains(&it.name.as_str());
    fetched.filter(is_key).map(|it| it.recipient.fingerprint()).collect()
}

/// The text of a file of pins, without what a former fetch wrote.
struct Split {
    /// The recipients that a former fetch wrote.
    fetched: Vec<FetchedBefore>,
    /// All other lines.
    kept: String,
}

/// A recipient that a former fetch wrote.
struct FetchedBefore {
    recipient: Recipient,
    name: String,
    is_sealing_key: bool,
}

impl Split {
    /// Splits a text. A recipient counts as fetched if the comment above it has its fingerprint, as a fetch writes it, or
    /// if `is_ours` knows it.
    fn of(text: &str, is_ours: impl Fn(&Fingerprint) -> bool) -> Self {
        let lines: Vec<&str> = without_byte_order_mark(text).split_inclusive('\n').collect();
        let mut dropped: BTreeSet<usize> = BTreeSet::new();
        let mut fetched = Vec::new();
        let mut is_after_recipient = false;
        // The comments directly above the present line, in which a fetch may have written.
        let mut above: Vec<(usize, &str, &str)> = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            if let Some((word, value)) = field(line) {
                if !is_after_recipient && ["context", "server"].contains(&word) {
                    dropped.insert(at);
                } else {
                    above.push((at, word, value));
                }
                continue;
            }
            let recipient = line.trim().parse::<Recipient>();
            if let Ok(recipient) = recipient {
                is_after_recipient = true;
                let fingerprint = recipient.fingerprint();
                let value = |wanted: &str| {
                    above.iter().find(|(_, word, _)| *word == wanted).map(|(_, _, value)| (*value).to_owned())
                };
                let is_fetched = value("fingerprint").is_some_and(|said| said == fingerprint.to_string());
                if is_fetched || is_ours(&fingerprint) {
                    dropped.insert(at);
                    dropped.extend(above.iter().map(|(at, ..)| *at));
                    // The blank line behind goes with it.
                    if lines.get(at + 1).is_some_and(|next| next.trim().is_empty()) {
                        dropped.insert(at + 1);
                    }
                    fetched.push(FetchedBefore {
                        recipient,
                        name: value("name").unwrap_or_default(),
                        is_sealing_key: value("created").is_some(),
                    });
                }
            }
            if !line.trim_start().starts_with('#') {
                above.clear();
            }
        }
        let kept = lines.iter().enumerate().filter(|(at, _)| !dropped.contains(at)).map(|(_, line)| *line);
        let kept: String = kept.collect();
        Self { fetched, kept: kept.trim_start_matches(['\r', '\n']).to_owned() }
    }
}

/// The word and the value of a comment that a fetch writes.
fn field(line: &str) -> Option<(&str, &str)> {
    let (word, value) = line.trim().strip_prefix('#')?.trim_start().split_once(':')?;
    ["context", "server", "name", "created", "fingerprint"].contains(&word).then_some((word, value.trim()))
}

#[cfg(test)]
mod tests;

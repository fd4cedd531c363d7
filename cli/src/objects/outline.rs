//! The outline of a SealedSecret: everything that stands in a manifest in the open, in either format, with its places.
//!
//! An outline is read leniently. A field that is missing or of another form is left out, so that `check`, `diff` and
//! `merge` can speak of objects that `seal` refuses. [`Outline::fault`] says why it refuses one. Nothing in an outline is
//! authenticated: each text is what its author wrote, may be hostile, and has to be escaped before it is shown.
//!
//! Invariants: an outline without a fault is an object that every reader accepts without a key. An object of kind
//! SealedSecret always has an outline, whatever is wrong with it. An outline holds no plaintext.

mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use seal_crds::keys::Fingerprint;
use seal_crds::resources::{self, bitnami};
use seal_crds::template::items_in;
use seal_crds::{Format, Scope, UnsealError, native};
use seal_documents::manifest::{Kind, Manifest};

use crate::talk::failure::Failure;

pub(crate) use read::read;

/// A SealedSecret as it stands in a file.
pub(crate) struct Outline {
    /// Its index among the objects of the manifest.
    pub(crate) object: usize,
    /// The byte of the file at which the object begins.
    pub(crate) at: usize,
    /// The format, by the API group alone. A version that this program doesn't know is a fault.
    pub(crate) format: Format,
    pub(crate) object_name: OutlineName,
    /// The scope that the object claims; `None` if it claims none that there is.
    pub(crate) scope: Option<Scope>,
    /// The byte at which the scope stands: that of the value, or of the object if nothing is written.
    pub(crate) scope_at: usize,
    pub(crate) items: BTreeMap<String, OutlineItem>,
    /// The `spec.data` of bitnami.com's deprecated form, which seals a whole Secret as one text.
    pub(crate) whole: Option<String>,
    /// In their order. Empty in the Bitnami format.
    pub(crate) envelopes: Vec<OutlineEnvelope>,
    pub(crate) template: OutlineTemplate,
    /// Annotations of the SealedSecret itself.
    pub(crate) annotations: BTreeMap<String, String>,
    /// The reason why `seal` refuses the object; `None` if it doesn't, and for a patch.
    pub(crate) fault: Option<Fault>,
    is_patch: bool,
}

/// The namespace and name that metadata says, which needn't be valid.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OutlineName {
    /// `None` if a tool such as kustomize sets it later.
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
}

/// One entry of `encryptedData`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutlineItem {
    /// The ciphertext as it stands there.
    pub(crate) line: String,
    /// The id of the data key: the text before the dot. `None` in the Bitnami format, and in a line without a dot.
    pub(crate) data_key: Option<String>,
    /// The byte at which the item's name begins.
    pub(crate) at: usize,
}

/// One envelope of the native format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutlineEnvelope {
    /// The ids of its data keys, in their order.
    pub(crate) keys: Vec<String>,
    /// The recipients that it claims, in their order; those without a fingerprint are left out, and are a fault.
    pub(crate) recipients: Vec<OutlineRecipient>,
    /// The age file, in base64. Equal texts are equal files.
    pub(crate) age: String,
    pub(crate) at: usize,
}

/// A recipient that an envelope claims.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OutlineRecipient {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) name: Option<String>,
}

/// The public shape of the Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutlineTemplate {
    pub(crate) type_: Option<String>,
    pub(crate) immutable: Option<bool>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) data: BTreeMap<String, OutlineText>,
}

/// One key of `template.data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutlineText {
    /// `None` for a null, which leaves an item out of a Secret of bitnami.com.
    pub(crate) text: Option<String>,
    /// The byte at which the key begins.
    pub(crate) at: usize,
}

/// The reason why `seal` refuses an object.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A part of it is missing, or isn't what it should be. The failure knows the place.
    Unread(Failure),
    /// Its parts don't belong together, or are out of bounds.
    Refused(UnsealError),
}

impl Outline {
    /// `true` for a patch without anything sealed, which kustomize merges into a whole object.
    pub(crate) fn is_patch(&self) -> bool {
        self.is_patch
    }

    /// The ids of the data keys that items name.
    pub(crate) fn used_keys(&self) -> BTreeSet<&str> {
        self.items.values().filter_map(|item| item.data_key.as_deref()).collect()
    }

    /// The envelope that holds a data key, the first if there are several.
    pub(crate) fn envelope_of(&self, data_key: &str) -> Option<&OutlineEnvelope> {
        self.envelopes.iter().find(|envelope| envelope.holds(data_key))
    }

    /// Everybody whom the envelopes claim to be sealed to, each once, with a name if one of them has it.
    pub(crate) fn recipients(&self) -> BTreeMap<Fingerprint, Option<&str>> {
        let mut recipients: BTreeMap<Fingerprint, Option<&str>> = BTreeMap::new();
        for recipient in self.envelopes.iter().flat_map(|envelope| &envelope.recipients) {
            let name = recipients.entry(recipient.fingerprint).or_default();
            *name = name.or(recipient.name.as_deref());
        }
        recipients
    }

    /// The keys of `template.data` whose text uses this item. A text that isn't a template uses none, and is a fault. A Go
    /// template isn't parsed: it uses an item if one of its actions says the item's name.
    pub(crate) fn uses_in_template(&self, item: &str) -> Vec<&str> {
        let uses = |key: &str, text: &str| match self.format {
            Format::Native => {
                let items = key.parse().ok().and_then(|key| items_in(&key, text).ok());
                items.is_some_and(|items| items.iter().any(|found| found.as_str() == item))
            }
            Format::Bitnami => actions(text).any(|action| has_word(action, item)),
        };
        let texts =
            self.template.data.iter().filter_map(|(key, text)| Some((key.as_str(), text.text.as_deref()?)));
        texts.filter(|(key, text)| uses(key, text)).map(|(key, _)| key).collect()
    }
}

impl fmt::Display for OutlineName {
    /// `prod/db`; `db` without a namespace. The words are those of the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(self.name.as_deref().unwrap_or("(no name)"))
    }
}

impl OutlineEnvelope {
    /// Whether a data key is in the envelope.
    pub(crate) fn holds(&self, data_key: &str) -> bool {
        self.keys.iter().any(|id| id == data_key)
    }

    /// The number of recipients that the age file itself is sealed to, without the stanzas that age adds as grease;
    /// `None` if it isn't an age file within the bounds.
    pub(crate) fn stanzas(&self) -> Option<usize> {
        native::count_stanzas(&self.age)
    }

    /// The fingerprints of the recipients that it claims.
    pub(crate) fn fingerprints(&self) -> BTreeSet<Fingerprint> {
        self.recipients.iter().map(|recipient| recipient.fingerprint).collect()
    }
}

/// Whether a text may have a SealedSecret of either group, by its words. A text without them has none, and isn't
/// parsed.
pub(crate) fn mentions_sealed_secret(text: &str) -> bool {
    text.contains(resources::SEALED_SECRET)
        && [resources::GROUP, bitnami::GROUP].iter().any(|api| text.contains(api))
}

/// The outlines of all SealedSecrets of a manifest, in their order.
pub(crate) fn read_all(manifest: &Manifest<'_>) -> Vec<Outline> {
    let sealed = manifest.objects.iter().enumerate().filter(|(_, object)| object.kind == Kind::SealedSecret);
    sealed.map(|(index, _)| read(manifest, index)).collect()
}

/// The texts between `{{` and `}}`.
fn actions(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap_or_default())
}

/// Whether a word stands in a text, not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    !word.is_empty()
        && text
            .match_indices(word)
            .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests;

//! The values that a leaked key opens, as far as public text says: the checklist of what to change at the source.
//!
//! | from | what |
//! | --- | --- |
//! | the cluster | the items of envelopes that name the key, and `status.exposed`, which the controller read inside of them, unless it says that others have seen them |
//! | files of all given revisions | the items of envelopes that name the key |
//! | bitnami.com | every item of every object that the key opened; in files every object, because none names its key |
//! | bitnami.com, while nothing says whether the key is one of sealed-secrets | the same, as what may be sealed to it |
//!
//! A key that could have been taken out of the text is not in it, so the list says "at least these". Invariants: what
//! wasn't looked at is named, and the list then counts as incomplete; each line says by which of the keys; that an object claims to be sealed to the key takes
//! no other one off the list.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::bitnami;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::Target;
use crate::commands::counted;
use crate::files::git::{Commit, Content, GitError, Repository, SUBMODULES};
use crate::keys::recipients::label;
use crate::objects::claimed::{self, Claimed};
use crate::objects::live::{Live, LiveObjects};

/// How many places of an object are named.
const MAX_PLACES: usize = 3;

/// The place of what is in the cluster.
const CLUSTER: &str = "cluster";

/// The list, as it grows.
pub(super) struct Checklist {
    /// The key, and the keys whose backups it opens, with their names.
    keys: BTreeMap<Fingerprint, String>,
    /// The key itself.
    key: Fingerprint,
    sort: Sort,
    values: BTreeMap<String, Values>,
    /// Of bitnami.com, while the sort of the key isn't known.
    may_be: BTreeMap<String, Values>,
    gaps: Vec<String>,
}

/// The sort of the key: one of sealed-secrets may open any object of bitnami.com.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Native,
    Bitnami,
    /// Its fingerprint is all that is known, as it is once no object in the cluster is sealed to a key of sealed-secrets.
    Unknown,
}

/// The values of one SealedSecret.
#[derive(Default)]
struct Values {
    items: BTreeSet<String>,
    places: BTreeSet<String>,
    /// The keys that the items are exposed to. Empty if nobody says by which.
    exposed_to: BTreeSet<Fingerprint>,
}

/// Values that are found in one place.
struct Finding<'f> {
    /// The SealedSecret.
    object: &'f str,
    items: BTreeSet<String>,
    exposed_to: BTreeSet<Fingerprint>,
    place: &'f str,
}

impl Checklist {
    pub(super) fn new(target: &Target) -> Self {
        let mut keys = target.opens_backups_of.clone();
        keys.insert(target.fingerprint, target.name.to_string());
        let sort = if target.is_native { Sort::Native } else { Sort::Unknown };
        let (values, may_be) = (BTreeMap::new(), BTreeMap::new());
        Self { keys, key: target.fingerprint, sort, values, may_be, gaps: Vec::new() }
    }

    /// Notes something that isn't looked at.
    pub(super) fn miss(&mut self, what: String) {
        self.gaps.push(what);
    }

    /// Whether the key opened objects of bitnami.com.
    pub(super) fn is_bitnami(&self) -> bool {
        self.sort == Sort::Bitnami
    }

    pub(super) fn is_complete(&self) -> bool {
        self.gaps.is_empty() && self.may_be.is_empty()
    }

    /// Adds the objects of the cluster.
    pub(super) fn add_cluster(&mut self, live: LiveObjects) {
        self.gaps.extend(live.gaps);
        for object in &live.objects {
            match object.claimed.format {
                Format::Bitnami if self.opens(object) => self.sort = Sort::Bitnami,
                Format::Native if self.opens(object) && self.sort == Sort::Unknown => {
                    self.sort = Sort::Native;
                }
                _ => {}
            }
        }
        for object in live.objects {
            let is_opened = self.opens(&object);
            // Nobody has said of it what opens it.
            let is_unsaid = object.only.is_none() && object.opened_by.is_empty();
            let Claimed { object: name, format, items, .. } = &object.claimed;
            match format {
                Format::Native => {
                    let mut finding = self.claimed(&object.claimed, CLUSTER);
                    let said = object.exposed_to.iter().filter(|key| self.keys.contains_key(key));
                    finding.exposed_to.extend(said);
                    // An older controller doesn't say to whom they are exposed, and none names all if they are many.
                    let is_ours = object.exposed_to.is_empty()
                        || object.is_exposed_to_more
                        || object.exposed_to.iter().any(|key| self.keys.contains_key(key));
                    finding.items.extend(object.exposed.iter().filter(|_| is_ours).cloned());
                    add(&mut self.values, finding);
                }
                Format::Bitnami if is_opened || is_unsaid => self.add_bitnami(name, items, CLUSTER),
                Format::Bitnami => {}
            }
        }
    }

    /// Whether the controller says that one of the keys opens an object.
    fn opens(&self, object: &Live) -> bool {
        let opened = object.only.iter().flatten().chain(&object.opened_by);
        opened.copied().any(|key| self.keys.contains_key(&key))
    }

    /// Adds the files of all commits behind these.
    pub(super) fn add_history(&mut self, repository: &Repository, tips: &[Commit]) {
        match repository.gap() {
            Ok(Some(gap)) => self.miss(format!("all of the history: {}", gap.words())),
            Ok(None) => {}
            Err(error) => self.miss(format!("all of the history: {error}")),
        }
        if let Err(error) = self.read_history(repository, tips) {
            self.miss(format!("all of the history: {error}"));
        }
    }

    fn read_history(&mut self, repository: &Repository, tips: &[Commit]) -> Result<(), GitError> {
        let history = repository.history(tips)?;
        match repository.names_submodules(tips) {
            Ok(false) => {}
            Ok(true) => self.miss(SUBMODULES.to_owned()),
            Err(error) => self.miss(format!("submodules: {error}")),
        }
        if history.missing > 0 {
            self.miss(format!("{} objects that the repository lacks", history.missing));
        }
        repository.read(&history.blobs, |blob, content| match content {
            Content::Bytes(bytes) => self.add_file(&blob.path, bytes),
            Content::TooLarge => self.miss(format!("{}: it is too large", blob.path)),
            Content::Missing => self.miss(format!("{}: the repository lacks it", blob.path)),
        })
    }

    /// Adds a file of some commit.
    fn add_file(&mut self, path: &str, bytes: Vec<u8>) {
        // What isn't text is no manifest.
        let Ok(text) = String::from_utf8(bytes) else { return };
        let source = Source::new(path.to_owned(), Zeroizing::new(text));
        let names_one = self.keys.keys().any(|key| source.text().contains(&key.to_string()));
        let may_count = self.sort != Sort::Native && source.text().contains(bitnami::GROUP);
        if !names_one && !may_count {
            return;
        }
        let found = claimed::read(&source);
        if found.is_unread {
            self.miss(format!(
                "{path} in some commit: it looks like a SealedSecret, and can't be read as one"
            ));
        }
        for object in found.objects {
            match object.format {
                Format::Native => {
                    let finding = self.claimed(&object, path);
                    add(&mut self.values, finding);
                }
                Format::Bitnami => self.add_bitnami(&object.object, &object.items, path),
            }
        }
    }

    /// The items that an object says are sealed to one of the keys.
    fn claimed<'c>(&self, object: &'c Claimed, place: &'c str) -> Finding<'c> {
        let (mut items, mut exposed_to) = (BTreeSet::new(), BTreeSet::new());
        for (recipient, sealed) in object.recipients.iter().filter(|(it, _)| self.keys.contains_key(it)) {
            items.extend(sealed.items.iter().cloned());
            exposed_to.insert(*recipient);
        }
        Finding { object: &object.object, items, exposed_to, place }
    }

    /// Adds an object of bitnami.com that the key opens, if it is one of sealed-secrets.
    fn add_bitnami(&mut self, object: &str, items: &BTreeSet<String>, place: &str) {
        let list = match self.sort {
            Sort::Native => return,
            Sort::Bitnami => &mut self.values,
            Sort::Unknown => &mut self.may_be,
        };
        add(list, Finding { object, items: items.clone(), exposed_to: BTreeSet::from([self.key]), place });
    }

    /// The list, a line for each SealedSecret. The last line says that it is never complete.
    pub(super) fn to_lines(&self) -> Vec<String> {
        let line = |(object, values): (&String, &Values)| values.line(object, &self.keys);
        let mut lines: Vec<String> = self.values.iter().map(line).collect();
        lines.extend(self.may_be.iter().map(|values| format!("may be: {}", line(values))));
        lines.extend(self.gaps.iter().map(|gap| format!("incomplete, not looked at: {gap}")));
        if !self.may_be.is_empty() {
            lines.push(
                "incomplete, not known: whether the key is one of sealed-secrets, which opens those that may be; they \
                 name no key"
                    .to_owned(),
            );
        }
        let items: usize = self.values.values().map(|values| values.items.len()).sum();
        lines.push(format!(
            "at least these: {} of {} to change at the source",
            counted(items, "value"),
            counted(self.values.len(), "SealedSecret")
        ));
        lines
    }
}

fn add(list: &mut BTreeMap<String, Values>, finding: Finding<'_>) {
    if !finding.items.is_empty() {
        let values = list.entry(finding.object.to_owned()).or_default();
        values.items.extend(finding.items);
        values.places.insert(finding.place.to_owned());
        values.exposed_to.extend(finding.exposed_to);
    }
}

impl Values {
    fn line(&self, object: &str, names: &BTreeMap<Fingerprint, String>) -> String {
        let items: Vec<&str> = self.items.iter().map(String::as_str).collect();
        let mut places: Vec<String> = self.places.iter().take(MAX_PLACES).cloned().collect();
        if self.places.len() > MAX_PLACES {
            places.push(format!("{} more", self.places.len() - MAX_PLACES));
        }
        let exposed_to = self.exposed_to.iter().filter_map(|key| Some(label(names.get(key)?, key)));
        // By name: people know those.
        let exposed_to: Vec<String> = exposed_to.collect::<BTreeSet<_>>().into_iter().collect();
        let to = if exposed_to.is_empty() { "a revoked recipient".to_owned() } else { exposed_to.join(", ") };
        format!("{object}: {} ({}), exposed to {to}", items.join(", "), places.join(", "))
    }
}

#[cfg(test)]
mod tests;

//! The values that a leaked key opens, as far as public text says: the checklist of what to change at the source.
//!
//! | from | what |
//! | --- | --- |
//! | the cluster | the items of envelopes that name the key, and `status.exposed`, which the controller read inside of them |
//! | files of all given revisions | the items of envelopes that name the key |
//! | bitnami.com | every item of every object that the key opened; in files every object, because none names its key |
//!
//! A key that could have been taken out of the text is not in it, so the list says "at least these". Invariant: what
//! wasn't looked at is named, and the list then counts as incomplete.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::Target;
use crate::files::git::{Blob, Commit, Content, GitError, Repository, SUBMODULES};
use crate::objects::claimed::{self, Claimed};
use crate::objects::live::LiveObjects;

/// How many places of an object are named.
const MAX_PLACES: usize = 3;

/// The list, as it grows.
pub(super) struct Checklist {
    /// The key, and the keys whose backups it opens.
    keys: BTreeSet<Fingerprint>,
    /// Whether the key is known to be one of sealed-secrets.
    is_bitnami: bool,
    values: BTreeMap<String, Values>,
    gaps: Vec<String>,
}

/// The values of one SealedSecret.
#[derive(Default)]
struct Values {
    items: BTreeSet<String>,
    places: BTreeSet<String>,
}

impl Checklist {
    pub(super) fn new(target: &Target) -> Self {
        let keys = std::iter::once(target.fingerprint).chain(target.opens_backups_of.keys().copied());
        Self { keys: keys.collect(), is_bitnami: false, values: BTreeMap::new(), gaps: Vec::new() }
    }

    /// Notes something that isn't looked at.
    pub(super) fn miss(&mut self, what: String) {
        self.gaps.push(what);
    }

    /// Whether the key opened objects of bitnami.com.
    pub(super) fn is_bitnami(&self) -> bool {
        self.is_bitnami
    }

    pub(super) fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Adds the objects of the cluster.
    pub(super) fn add_cluster(&mut self, live: LiveObjects) {
        self.gaps.extend(live.gaps);
        for object in live.objects {
            let opened = object.only.iter().flatten().chain(&object.opened_by);
            let is_opened = opened.copied().any(|key| self.keys.contains(&key));
            let items = match object.claimed.format {
                Format::Native => {
                    self.claimed_items(&object.claimed).chain(&object.exposed).cloned().collect()
                }
                Format::Bitnami if is_opened => {
                    self.is_bitnami = true;
                    object.claimed.items
                }
                Format::Bitnami => BTreeSet::new(),
            };
            self.add(object.claimed.object, items, "cluster");
        }
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
        if history.blobs.iter().any(Blob::names_submodules) {
            self.miss(SUBMODULES.to_owned());
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
        let names_one = self.keys.iter().any(|key| source.text().contains(&key.to_string()));
        if !names_one && !self.is_bitnami {
            return;
        }
        let found = claimed::read(&source);
        if found.is_unread {
            self.miss(format!(
                "{path} in some commit: it looks like a SealedSecret, and can't be read as one"
            ));
        }
        for object in found.objects {
            let items = match object.format {
                Format::Native => self.claimed_items(&object).cloned().collect(),
                Format::Bitnami if self.is_bitnami => object.items,
                Format::Bitnami => BTreeSet::new(),
            };
            self.add(object.object, items, path);
        }
    }

    fn claimed_items<'c>(&self, object: &'c Claimed) -> impl Iterator<Item = &'c String> {
        let named = object.recipients.iter().filter(|(recipient, _)| self.keys.contains(recipient));
        named.flat_map(|(_, sealed)| &sealed.items)
    }

    fn add(&mut self, object: String, items: BTreeSet<String>, place: &str) {
        if !items.is_empty() {
            let values = self.values.entry(object).or_default();
            values.items.extend(items);
            values.places.insert(place.to_owned());
        }
    }

    /// The list, a line for each SealedSecret. The last line says that it is never complete.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for (object, values) in &self.values {
            let items: Vec<&str> = values.items.iter().map(String::as_str).collect();
            let mut places: Vec<String> = values.places.iter().take(MAX_PLACES).cloned().collect();
            if values.places.len() > MAX_PLACES {
                places.push(format!("{} more", values.places.len() - MAX_PLACES));
            }
            text += &format!("{object}: {} ({})\n", items.join(", "), places.join(", "));
        }
        for gap in &self.gaps {
            text += &format!("incomplete, not looked at: {gap}\n");
        }
        let items: usize = self.values.values().map(|values| values.items.len()).sum();
        let count = |count: usize, noun: &str| {
            if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
        };
        text + &format!(
            "at least these: {} of {} to change at the source\n",
            count(items, "value"),
            count(self.values.len(), "SealedSecret")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::live::Live;
    use seal_crds::keys::pins::PinName;

    fn key(digits: &str) -> Fingerprint {
        digits.repeat(32).parse().unwrap()
    }

    fn list() -> Checklist {
        Checklist::new(&Target {
            fingerprint: key("aa"),
            name: PinName::shortened("leaked"),
            sealing_key: None,
            opens_backups_of: BTreeMap::from([(key("bb"), "sealing-key-first".to_owned())]),
            may_open_backups_of: Vec::new(),
        })
    }

    fn native(name: &str, recipient: &str) -> String {
        let id = "A".repeat(43);
        format!(
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}, namespace: prod}}\nspec:\n  \
             scope: strict\n  envelopes:\n  - {{keys: [{id}], age: AAAA, recipients: [{{fingerprint: {}}}]}}\n  \
             encryptedData: {{password: {id}.AAAA}}\n",
            key(recipient)
        )
    }

    fn bitnami(name: &str) -> String {
        format!(
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}, namespace: prod}}\n\
             spec: {{encryptedData: {{token: AAAA}}}}\n"
        )
    }

    #[test]
    fn files_count_if_they_name_the_key_or_one_whose_backup_it_opens() {
        let mut list = list();
        for (path, text) in [
            ("a.yaml", native("direct", "aa")),
            ("b.yaml", native("by-backup", "bb")),
            ("c.yaml", native("other", "cc")),
            ("d.yaml", bitnami("unknown")),
            ("old/a.yaml", native("direct", "aa")),
            ("prod.pub", format!("# revoked: {} 2026-11-27 k\n", key("aa"))),
        ] {
            list.add_file(path, text.into_bytes());
        }
        list.add_file("image.png", vec![0xff; 10]);
        assert_eq!(
            list.to_text(),
            "prod/by-backup: password (b.yaml)\nprod/direct: password (a.yaml, old/a.yaml)\n\
             at least these: 2 values of 2 SealedSecrets to change at the source\n"
        );
        assert!(list.is_complete());
    }

    #[test]
    fn a_file_that_names_the_key_and_cannot_be_read_makes_the_list_incomplete() {
        let mut list = list();
        list.add_file("chart.yaml", format!("{{{{ if .x }}}}\n{}", native("db", "aa")).into_bytes());
        assert!(!list.is_complete());
        assert!(list.to_text().contains("not looked at: chart.yaml in some commit"), "{}", list.to_text());
    }

    #[test]
    fn the_clusters_objects_count_by_what_they_claim_and_by_what_the_controller_says() {
        let live = |text: &str, opened_by: &[&str], exposed: &[&str]| {
            let source = Source::new("x".to_owned(), Zeroizing::new(text.to_owned()));
            Live {
                claimed: claimed::read(&source).objects.remove(0),
                only: None,
                opened_by: opened_by.iter().map(|digits| key(digits)).collect(),
                exposed: exposed.iter().map(|item| (*item).to_owned()).collect(),
            }
        };
        let mut list = list();
        list.add_cluster(LiveObjects {
            objects: vec![
                live(&native("claims", "aa"), &[], &[]),
                live(&native("rewrapped", "cc"), &["cc"], &["password"]),
                live(&native("other", "cc"), &["cc"], &[]),
                live(&bitnami("opened"), &["aa"], &[]),
                live(&bitnami("another"), &["cc"], &[]),
            ],
            gaps: Vec::new(),
        });
        // Now it is known that the key is one of sealed-secrets.
        list.add_file("old.yaml", bitnami("old").into_bytes());
        let text = list.to_text();
        let objects: Vec<&str> =
            text.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
        assert_eq!(objects, ["prod/claims", "prod/old", "prod/opened", "prod/rewrapped", "at least these"]);
    }
}

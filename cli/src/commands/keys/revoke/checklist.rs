//! The values that a leaked key opens, as far as public text says: the checklist of what to change at the source.
//!
//! | from | what |
//! | --- | --- |
//! | the cluster | the items of envelopes that name the key, and `status.exposed`, which the controller read inside of them |
//! | files of all given revisions | the items of envelopes that name the key |
//! | bitnami.com | every item of every object that the key opened; in files every object, because none names its key |
//! | bitnami.com, while nothing says whether the key is one of sealed-secrets | the same, as what may be sealed to it |
//!
//! A key that could have been taken out of the text is not in it, so the list says "at least these". Invariants: what
//! wasn't looked at is named, and the list then counts as incomplete; that an object claims to be sealed to the key takes
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
use crate::objects::claimed::{self, Claimed};
use crate::objects::live::{Live, LiveObjects};

/// How many places of an object are named.
const MAX_PLACES: usize = 3;

/// The place of what is in the cluster.
const CLUSTER: &str = "cluster";

/// The list, as it grows.
pub(super) struct Checklist {
    /// The key, and the keys whose backups it opens.
    keys: BTreeSet<Fingerprint>,
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
}

impl Checklist {
    pub(super) fn new(target: &Target) -> Self {
        let keys = std::iter::once(target.fingerprint).chain(target.opens_backups_of.keys().copied());
        let sort = if target.is_native { Sort::Native } else { Sort::Unknown };
        let (values, may_be) = (BTreeMap::new(), BTreeMap::new());
        Self { keys: keys.collect(), sort, values, may_be, gaps: Vec::new() }
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
                    let items = self.claimed_items(&object.claimed).chain(&object.exposed).cloned().collect();
                    add(&mut self.values, name, items, CLUSTER);
                }
                Format::Bitnami if is_opened || is_unsaid => self.add_bitnami(name, items, CLUSTER),
                Format::Bitnami => {}
            }
        }
    }

    /// Whether the controller says that one of the keys opens an object.
    fn opens(&self, object: &Live) -> bool {
        let opened = object.only.iter().flatten().chain(&object.opened_by);
        opened.copied().any(|key| self.keys.contains(&key))
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
        let names_one = self.keys.iter().any(|key| source.text().contains(&key.to_string()));
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
                    let items = self.claimed_items(&object).cloned().collect();
                    add(&mut self.values, &object.object, items, path);
                }
                Format::Bitnami => self.add_bitnami(&object.object, &object.items, path),
            }
        }
    }

    fn claimed_items<'c>(&self, object: &'c Claimed) -> impl Iterator<Item = &'c String> {
        let named = object.recipients.iter().filter(|(recipient, _)| self.keys.contains(recipient));
        named.flat_map(|(_, sealed)| &sealed.items)
    }

    /// Adds an object of bitnami.com that the key opens, if it is one of sealed-secrets.
    fn add_bitnami(&mut self, object: &str, items: &BTreeSet<String>, place: &str) {
        let list = match self.sort {
            Sort::Native => return,
            Sort::Bitnami => &mut self.values,
            Sort::Unknown => &mut self.may_be,
        };
        add(list, object, items.clone(), place);
    }

    /// The list, a line for each SealedSecret. The last line says that it is never complete.
    pub(super) fn to_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.values.iter().map(|(object, values)| values.line(object)).collect();
        lines.extend(self.may_be.iter().map(|(object, values)| format!("may be: {}", values.line(object))));
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

fn add(list: &mut BTreeMap<String, Values>, object: &str, items: BTreeSet<String>, place: &str) {
    if !items.is_empty() {
        let values = list.entry(object.to_owned()).or_default();
        values.items.extend(items);
        values.places.insert(place.to_owned());
    }
}

impl Values {
    fn line(&self, object: &str) -> String {
        let items: Vec<&str> = self.items.iter().map(String::as_str).collect();
        let mut places: Vec<String> = self.places.iter().take(MAX_PLACES).cloned().collect();
        if self.places.len() > MAX_PLACES {
            places.push(format!("{} more", self.places.len() - MAX_PLACES));
        }
        format!("{object}: {} ({})", items.join(", "), places.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::keys::pins::PinName;

    fn key(digits: &str) -> Fingerprint {
        digits.repeat(32).parse().unwrap()
    }

    /// The list of a key of which the cluster or the pins say that it isn't one of sealed-secrets.
    fn list() -> Checklist {
        of_sort(true)
    }

    fn of_sort(is_native: bool) -> Checklist {
        Checklist::new(&Target {
            is_native,
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

    fn bitnami_object(name: &str) -> String {
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
            ("d.yaml", bitnami_object("unknown")),
            ("old/a.yaml", native("direct", "aa")),
            ("prod.pub", format!("# revoked: {} 2026-11-27 k\n", key("aa"))),
        ] {
            list.add_file(path, text.into_bytes());
        }
        list.add_file("image.png", vec![0xff; 10]);
        assert_eq!(
            list.to_lines(),
            [
                "prod/by-backup: password (b.yaml)",
                "prod/direct: password (a.yaml, old/a.yaml)",
                "at least these: 2 values of 2 SealedSecrets to change at the source",
            ]
        );
        assert!(list.is_complete());
    }

    #[test]
    fn a_file_that_names_the_key_and_cannot_be_read_makes_the_list_incomplete() {
        let mut list = list();
        list.add_file("chart.yaml", format!("{{{{ if .x }}}}\n{}", native("db", "aa")).into_bytes());
        assert!(!list.is_complete());
        let said = list.to_lines().join("\n");
        assert!(said.contains("not looked at: chart.yaml in some commit"), "{said}");
    }

    fn live(text: &str, opened_by: &[&str], exposed: &[&str]) -> Live {
        let source = Source::new("x".to_owned(), Zeroizing::new(text.to_owned()));
        Live {
            claimed: claimed::read(&source).objects.remove(0),
            only: None,
            opened_by: opened_by.iter().map(|digits| key(digits)).collect(),
            exposed: exposed.iter().map(|item| (*item).to_owned()).collect(),
        }
    }

    #[test]
    fn what_may_be_sealed_to_a_key_of_unknown_sort_is_listed_as_such_whatever_other_objects_claim() {
        let fill = |list: &mut Checklist| {
            list.add_cluster(LiveObjects {
                // The object was sealed to a newer key; of the second one nobody says what opens it.
                objects: vec![
                    live(&bitnami_object("moved"), &["cc"], &[]),
                    live(&bitnami_object("new"), &[], &[]),
                ],
                gaps: Vec::new(),
            });
            list.add_file("claims.yaml", native("claims", "aa").into_bytes());
            list.add_file("old.yaml", bitnami_object("moved").into_bytes());
        };
        let mut unknown = of_sort(false);
        fill(&mut unknown);
        assert!(!unknown.is_complete() && !unknown.is_bitnami());
        let lines = unknown.to_lines();
        assert_eq!(
            lines[..3],
            [
                "prod/claims: password (claims.yaml)",
                "may be: prod/moved: token (old.yaml)",
                "may be: prod/new: token (cluster)",
            ]
        );
        assert!(
            lines[3].starts_with("incomplete, not known: whether the key is one of sealed-secrets"),
            "{lines:?}"
        );
        assert_eq!(lines[4], "at least these: 1 value of 1 SealedSecret to change at the source");
        let mut native = list();
        fill(&mut native);
        assert!(native.is_complete() && native.to_lines().len() == 2);
        // That the controller opens a native object with the key says its sort.
        let mut opens = of_sort(false);
        opens.add_cluster(LiveObjects {
            objects: vec![
                live(&bitnami_object("new"), &[], &[]),
                live(&self::native("db", "aa"), &["aa"], &[]),
            ],
            gaps: Vec::new(),
        });
        assert!(opens.is_complete());
    }

    #[test]
    fn the_clusters_objects_count_by_what_they_claim_and_by_what_the_controller_says() {
        let mut list = of_sort(false);
        list.add_cluster(LiveObjects {
            objects: vec![
                live(&native("claims", "aa"), &[], &[]),
                live(&native("rewrapped", "cc"), &["cc"], &["password"]),
                live(&native("other", "cc"), &["cc"], &[]),
                live(&bitnami_object("opened"), &["aa"], &[]),
                live(&bitnami_object("another"), &["cc"], &[]),
            ],
            gaps: Vec::new(),
        });
        // Now it is known that the key is one of sealed-secrets.
        list.add_file("old.yaml", bitnami_object("old").into_bytes());
        let lines = list.to_lines();
        let objects: Vec<&str> =
            lines.iter().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
        assert_eq!(objects, ["prod/claims", "prod/old", "prod/opened", "prod/rewrapped", "at least these"]);
    }
}

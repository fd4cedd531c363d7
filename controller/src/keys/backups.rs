//! The published backups of keys: one ConfigMap for each key with a recovery set.
//!
//! The backup itself is made once, with the key, and kept in the key's Secret ([`seal_crds::keys::stored`]). This file
//! says which ConfigMaps are missing or wrong; [`super::cluster`] writes them.
//!
//! Invariants: what is published is the Secret's own backup, byte for byte, and nothing else; ciphertext only. A
//! ConfigMap is changed only on the version that was found wrong.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::keys::{Fingerprint, backup};
use seal_crds::resources::KEY_BACKUP_LABEL;

use super::holder::Holder;

/// The backups of the loaded keys, and which of them are published.
#[derive(Default)]
pub(crate) struct Backups {
    /// The backups by the names of their ConfigMaps.
    wanted: BTreeMap<String, Backup>,
    /// The keys whose backup is published as it should be.
    published: BTreeSet<Fingerprint>,
    /// The resourceVersions of ConfigMaps with other content, by name.
    wrong: BTreeMap<String, Option<String>>,
}

struct Backup {
    fingerprint: Fingerprint,
    text: String,
}

/// A backup to publish.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PublishBackup {
    pub(super) fingerprint: Fingerprint,
    /// The whole ConfigMap, as it should be.
    pub(super) config_map: ConfigMap,
    /// The resourceVersion of the ConfigMap that is there with other content; `None` to create one.
    pub(super) over: Option<String>,
}

impl Backups {
    /// The backups that the Secrets of the loaded keys hold. None is published until [`Self::add`] says so.
    pub(super) fn new(holders: &[Holder]) -> Self {
        let mut wanted = BTreeMap::new();
        for holder in holders {
            let Some(recovery) = &holder.recovery else { continue };
            let fingerprint = holder.recipient.fingerprint();
            let backup = || Backup { fingerprint, text: recovery.backup().to_owned() };
            wanted.entry(backup::config_map_name(&fingerprint)).or_insert_with(backup);
        }
        Self { wanted, ..Self::default() }
    }

    /// Whether there is a backup to publish at all.
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Takes in a ConfigMap with the label of backups. One that isn't of a loaded key is left alone: it may be of a key
    /// that was deleted, or anybody's.
    pub(super) fn add(&mut self, found: &ConfigMap) {
        let name = found.metadata.name.clone().unwrap_or_default();
        let Some(backup) = self.wanted.get(&name) else { return };
        let has_binary = found.binary_data.as_ref().is_some_and(|data| !data.is_empty());
        if !has_binary && found.data == Some(backup.data()) {
            self.published.insert(backup.fingerprint);
        } else {
            self.wrong.insert(name, found.metadata.resource_version.clone());
        }
    }

    pub(super) fn is_published(&self, fingerprint: &Fingerprint) -> bool {
        self.published.contains(fingerprint)
    }

    /// The backups that aren't published, or not as they should be.
    pub(super) fn missing(&self) -> Vec<PublishBackup> {
        let missing = self.wanted.iter().filter(|(_, backup)| !self.is_published(&backup.fingerprint));
        let publish = |(name, backup): (&String, &Backup)| PublishBackup {
            fingerprint: backup.fingerprint,
            config_map: backup.config_map(name),
            over: self.wrong.get(name).cloned().flatten(),
        };
        missing.map(publish).collect()
    }
}

impl Backup {
    fn data(&self) -> BTreeMap<String, String> {
        [(backup::file_name(&self.fingerprint), self.text.clone())].into()
    }

    fn config_map(&self, name: &str) -> ConfigMap {
        let labels = [(KEY_BACKUP_LABEL.to_owned(), String::new())].into();
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            data: Some(self.data()),
            ..ConfigMap::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::super::lifecycle::tests::{backed_up, holder};
    use super::*;
    use seal_crds::keys::stored::Note;

    #[test]
    fn a_backup_is_published_as_it_is_and_anything_else_under_its_name_is_replaced() {
        let key = backed_up(holder("sealing-key-first", 1, Note::Absent));
        let plain = holder("sealing-key-2", 2, Note::Absent);
        let holders = [key.clone(), Holder { secret: "a-copy".into(), ..key.clone() }, plain];
        let mut backups = Backups::new(&holders);
        let fingerprint = key.recipient.fingerprint();
        let missing = backups.missing();
        assert_eq!(missing.len(), 1, "one a key, and only of keys with a recovery set");
        let right = missing[0].config_map.clone();
        assert_eq!(right.metadata.name, Some(format!("sealing-key-backup-{}", fingerprint.short())));
        let data = [(format!("{fingerprint}.age"), key.recovery.unwrap().backup().to_owned())].into();
        assert_eq!((right.data.as_ref(), missing[0].over.as_ref()), (Some(&data), None));

        type Change = fn(&mut ConfigMap);
        let changes: [Change; 4] = [
            |map| map.data = None,
            |map| map.data.as_mut().unwrap().values_mut().for_each(|text| text.push('\n')),
            |map| drop(map.data.as_mut().unwrap().insert("more".into(), "x".into())),
            |map| map.binary_data = Some([("more".into(), ByteString(vec![0]))].into()),
        ];
        for change in changes {
            let mut wrong = right.clone();
            wrong.metadata.resource_version = Some("7".into());
            change(&mut wrong);
            let mut backups = Backups::new(&holders);
            backups.add(&wrong);
            let missing = backups.missing();
            assert_eq!((missing[0].over.as_deref(), &missing[0].config_map), (Some("7"), &right));
            assert!(!backups.is_published(&fingerprint));
        }
        let mut other = right.clone();
        other.metadata.name = Some("sealing-key-backup-of-somebody".into());
        backups.add(&other);
        assert_eq!(backups.missing().len(), 1);
        backups.add(&right);
        assert!(backups.is_published(&fingerprint) && backups.missing().is_empty());
    }
}

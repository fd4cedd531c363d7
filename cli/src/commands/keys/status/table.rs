//! The result of `seal keys status`: a row for each key, as a table or as JSON.
//!
//! The keys are those of the controller, those that an object names, and those of sealed-secrets that opened an object.
//! Invariant: the JSON has everything that the table has.

use std::collections::BTreeMap;

use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::{Group, PublishedState, SealingKey};
use serde::Serialize;

use super::{ClusterFacts, Scan};
use crate::keys::cluster::name_of;
use crate::objects::live::Need;

/// The whole result.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// The cluster that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterName>,
    keys: Vec<Row>,
    /// SealedSecrets of bitnami.com: they name no key, so each may need any key of sealed-secrets.
    bitnami: Bitnami,
    /// What was not looked at, as sentences.
    not_looked_at: Vec<String>,
    /// The columns of files and revisions, in the order in which they were typed.
    #[serde(skip)]
    scans: Vec<String>,
}

#[derive(Serialize)]
struct ClusterName {
    context: String,
    server: String,
    namespace: String,
}

/// A key.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    fingerprint: String,
    name: String,
    /// The group of the objects that the key opens.
    group: &'static str,
    /// The state that the controller says; none for a key that isn't the controller's.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<PublishedState>,
    primary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewal: Option<String>,
    /// What the controller counted: the objects that need the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<i64>,
    /// The objects in the cluster that need the key, as the status of each says.
    #[serde(skip_serializing_if = "Option::is_none")]
    needed: Option<i64>,
    /// The objects that claim to be sealed to the key: in files, and in each revision.
    claimed: BTreeMap<String, usize>,
}

#[derive(Default, Serialize)]
struct Bitnami {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<usize>,
    #[serde(rename = "mayNeed")]
    may_need: BTreeMap<String, usize>,
}

impl Report {
    pub(super) fn new(cluster: Option<&ClusterFacts>, scans: &[Scan], mut gaps: Vec<String>) -> Self {
        let mut rows: BTreeMap<Fingerprint, Row> = BTreeMap::new();
        let mut order: Vec<Fingerprint> = Vec::new();
        for key in cluster.iter().flat_map(|cluster| recorded(&cluster.keys)) {
            order.push(key.fingerprint());
            rows.insert(key.fingerprint(), Row::of(key));
        }
        let named = scans.iter().flat_map(|scan| &scan.objects);
        let live = cluster.iter().flat_map(|cluster| &cluster.live.objects);
        let named = named.chain(live.clone().map(|object| &object.claimed));
        for (fingerprint, sealed) in named.flat_map(|claimed| &claimed.recipients) {
            let row = rows.entry(*fingerprint).or_insert_with(|| Row::unknown(fingerprint, Format::Native));
            if row.name.is_empty() {
                row.name = sealed.name.clone().unwrap_or_default();
            }
        }
        for object in live.clone().filter(|object| object.claimed.format == Format::Bitnami) {
            for fingerprint in object.only.iter().flatten().chain(&object.opened_by) {
                rows.entry(*fingerprint).or_insert_with(|| Row::unknown(fingerprint, Format::Bitnami));
            }
        }
        for (fingerprint, row) in &mut rows {
            // A number from half of the objects would be read as one from all.
            if cluster.is_some_and(|cluster| cluster.live.gaps.is_empty()) {
                let needing = live.clone().filter(|object| object.need(fingerprint) == Need::Needs);
                row.needed = i64::try_from(needing.count()).ok();
            }
            for scan in scans.iter().filter(|_| row.group == Group::NATIVE.name) {
                let claims = scan.objects.iter().filter(|object| object.recipients.contains_key(fingerprint));
                row.claimed.insert(scan.name.clone(), claims.count());
            }
        }
        let is_bitnami = |format: Format| format == Format::Bitnami;
        let bitnami = Bitnami {
            cluster: cluster.map(|_| live.clone().filter(|object| is_bitnami(object.claimed.format)).count()),
            may_need: scans
                .iter()
                .map(|scan| {
                    let objects = scan.objects.iter().filter(|object| is_bitnami(object.format));
                    (scan.name.clone(), objects.count())
                })
                .collect(),
        };
        if let Some(cluster) = cluster {
            gaps.extend(cluster.live.gaps.iter().cloned());
            if live.clone().any(|object| is_bitnami(object.claimed.format)) {
                gaps.push("keys of sealed-secrets that open nothing: their Secrets aren't read".to_owned());
            }
            let unsaid = live.filter(|object| object.only.is_none()).count();
            if unsaid > 0 {
                gaps.push(format!(
                    "{unsaid} SealedSecrets in the cluster of which the controller hasn't said what they need"
                ));
            }
        }
        gaps.extend(scans.iter().flat_map(|scan| scan.gaps.iter().cloned()));
        // The controller's keys come first, the newest on top; the others follow by name.
        let mut keys: Vec<Row> = order.iter().filter_map(|fingerprint| rows.remove(fingerprint)).collect();
        let mut others: Vec<Row> = rows.into_values().collect();
        others.sort_by(|one, other| (&one.name, &one.fingerprint).cmp(&(&other.name, &other.fingerprint)));
        keys.extend(others);
        let cluster = cluster.map(|cluster| ClusterName {
            context: cluster.context.clone(),
            server: cluster.server.clone(),
            namespace: cluster.namespace.clone(),
        });
        let scans = scans.iter().map(|scan| scan.name.clone()).collect();
        Self { cluster, keys, bitnami, not_looked_at: gaps, scans }
    }

    pub(super) fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("texts and numbers always serialize");
        text.push('\n');
        text
    }

    pub(super) fn to_lines(&self) -> Vec<String> {
        let scans = &self.scans;
        let mut table =
            vec![vec!["KEY".to_owned(), "FINGERPRINT".to_owned(), "STATE".to_owned(), "CREATED".to_owned()]];
        if self.cluster.is_some() {
            table[0].push("NEEDED BY".to_owned());
        }
        table[0].extend(scans.iter().map(|name| match name.as_str() {
            "files" => "FILES".to_owned(),
            revision => revision.to_owned(),
        }));
        for row in &self.keys {
            let state = match (row.state, row.primary) {
                (Some(state), true) => format!("{state:?}, primary"),
                (Some(state), false) => format!("{state:?}"),
                (None, _) => "-".to_owned(),
            };
            let name = if row.name.is_empty() { "-".to_owned() } else { row.name.clone() };
            let created = row.created.as_deref().and_then(|time| time.get(..10)).unwrap_or("-").to_owned();
            let mut cells =
                vec![name, row.fingerprint.get(..16).unwrap_or_default().to_owned(), state, created];
            if self.cluster.is_some() {
                cells
                    .push(row.needed.or(row.usage).map_or_else(|| "-".to_owned(), |count| count.to_string()));
            }
            cells.extend(scans.iter().map(|scan| {
                match (row.claimed.get(scan), self.bitnami.may_need.get(scan)) {
                    (Some(count), _) => count.to_string(),
                    (None, Some(may)) => format!("0-{may}"),
                    (None, None) => "-".to_owned(),
                }
            }));
            table.push(cells);
        }
        let mut lines = aligned(&table);
        for (scan, count) in self.bitnami.may_need.iter().filter(|(_, count)| **count > 0) {
            lines.push(format!(
                "{scan}: {count} of bitnami.com, each of which may need any key of sealed-secrets"
            ));
        }
        if !scans.is_empty() {
            lines.push("files and revisions are counted by what they claim".to_owned());
        }
        lines.extend(self.not_looked_at.iter().map(|gap| format!("not looked at: {gap}")));
        lines
    }
}

impl Row {
    fn of(key: &SealingKey) -> Self {
        let status = key.status.clone().unwrap_or_default();
        Self {
            fingerprint: key.fingerprint().to_string(),
            name: name_of(key),
            group: Group::NATIVE.name,
            state: status.state,
            primary: key.is_primary(),
            created: Some(key.spec.created_at.clone()),
            renewal: status.renewal,
            usage: status.usage.map(|usage| usage.objects),
            ..Self::default()
        }
    }

    /// A key that isn't the controller's.
    fn unknown(fingerprint: &Fingerprint, format: Format) -> Self {
        let name = if format == Format::Bitnami { "(of sealed-secrets)" } else { "" };
        Self {
            fingerprint: fingerprint.to_string(),
            name: name.to_owned(),
            group: Group::of(format).name,
            ..Self::default()
        }
    }
}

/// The keys that the controller has or had, the newest first.
///
/// The threat: what others planted would stand in the list as if it were a key.
fn recorded(keys: &[SealingKey]) -> Vec<&SealingKey> {
    let mut keys: Vec<&SealingKey> = keys.iter().filter(|key| key.is_recorded()).collect();
    keys.sort_by_key(|key| (std::cmp::Reverse(key.spec.sequence), name_of(key)));
    keys
}

/// The table with its columns under one another, two blanks apart.
fn aligned(table: &[Vec<String>]) -> Vec<String> {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| {
        table.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    table.iter().map(line).collect()
}

#[cfg(test)]
mod tests;

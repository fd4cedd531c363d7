//! Merges three versions of one SealedSecret.
//!
//! Items are merged by name, on the bytes of their lines. Then the data keys that the lines name are covered with whole
//! envelopes. Invariants: the merged object seals no item to anybody to whom neither side sealed it; where it depends on a
//! guess, there is no merged object.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::ItemName;
use seal_crds::native::{CoverError, cover, data_key_of};
use seal_crds::resources::{Envelope, Template};

use super::three_way::three_way;
use super::version::Version;

/// Why an object can't be merged. The words are the rest of a sentence about the object.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unmergeable {
    #[error(
        "both sides sealed the same data keys again, to other recipients; take one side, then seal rotate to all who \
         should open it"
    )]
    RewrappedTwice,
    #[error("{0}; take one side, and change the item again there")]
    Envelopes(CoverError),
    #[error(
        "its scope changed on one side, and its items on the other; take one side, and change the items again there"
    )]
    Scope,
    #[error(
        "template {key} of one side uses item {item}, and the other side sealed that item again; take one side, and make the \
         change of the other one again there"
    )]
    TemplateUse { key: ItemName, item: ItemName },
    #[error("the file has several objects of this name")]
    Ambiguous,
}

/// The merged object: what is to stand in each of the three texts, before they are merged line by line. Without a
/// conflict, all three are the same.
#[derive(Debug)]
pub(super) struct MergedObject {
    pub(super) base: Option<Version>,
    pub(super) ours: Version,
    pub(super) theirs: Version,
    /// The items that a person has to decide, and how the sides differ about each.
    pub(super) items: Vec<(String, Apart)>,
    /// The fields of the template that a person has to decide.
    pub(super) fields: Vec<(String, Apart)>,
}

/// How two sides differ about something that both of them touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Apart {
    Changed,
    Added,
    RemovedInOurs,
    RemovedInTheirs,
}

impl Apart {
    /// From whether each version has it.
    pub(super) fn of(before: bool, ours: bool, theirs: bool) -> Self {
        match (before, ours, theirs) {
            (_, false, _) => Self::RemovedInOurs,
            (_, _, false) => Self::RemovedInTheirs,
            (false, true, true) => Self::Added,
            (true, true, true) => Self::Changed,
        }
    }

    /// The rest of a sentence. The sides have git's names, by which a person then chooses one.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Changed => "changed on both sides",
            Self::Added => "added on both sides",
            Self::RemovedInOurs => "removed in ours, changed in theirs",
            Self::RemovedInTheirs => "changed in ours, removed in theirs",
        }
    }
}

impl MergedObject {
    /// The conflict in words; `None` if there is none.
    pub(super) fn describe(&self) -> Option<String> {
        let of_template = self.fields.iter().map(|(field, apart)| (format!("template {field}"), *apart));
        let all: Vec<(String, Apart)> = self.items.iter().cloned().chain(of_template).collect();
        let of_kind = |kind: Apart| {
            let names = all.iter().filter(|(_, apart)| *apart == kind).map(|(name, _)| name.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            (!names.is_empty()).then(|| format!("{names} {}", kind.words()))
        };
        let kinds = [Apart::Changed, Apart::Added, Apart::RemovedInOurs, Apart::RemovedInTheirs];
        let told: Vec<String> = kinds.into_iter().filter_map(of_kind).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// Merges an object. `is_same` says whether either side's line of an item may stand for the other's.
pub(super) fn merge(
    base: Option<&Version>,
    ours: &Version,
    theirs: &Version,
    is_same: impl Fn(&str) -> bool,
) -> Result<MergedObject, Unmergeable> {
    let mut merged = MergedObject {
        base: base.cloned(),
        ours: ours.clone(),
        theirs: theirs.clone(),
        items: Vec::new(),
        fields: Vec::new(),
    };
    let nothing = Version::default();
    let before = base.unwrap_or(&nothing);
    merge_items(&mut merged, before, ours, theirs, is_same);
    merge_scope(&mut merged, before, ours, theirs)?;
    let envelopes = merge_envelopes(&merged, before, ours, theirs)?;
    merged.each(|version| version.envelopes.clone_from(&envelopes));
    merge_template(&mut merged, &before.template, &ours.template, &theirs.template);
    check_uses(&merged, &[before, ours, theirs])?;
    Ok(merged)
}

impl MergedObject {
    /// Changes all three versions alike.
    fn each(&mut self, change: impl Fn(&mut Version)) {
        self.base.iter_mut().for_each(&change);
        change(&mut self.ours);
        change(&mut self.theirs);
    }
}

/// The deprecated form of bitnami.com counts as one item more.
fn merge_items(
    merged: &mut MergedObject,
    before: &Version,
    ours: &Version,
    theirs: &Version,
    is_same: impl Fn(&str) -> bool,
) {
    let names: BTreeSet<&String> =
        [before, ours, theirs].iter().flat_map(|version| version.items.keys()).collect();
    for name in names {
        let of = |version: &'_ Version| version.items.get(name).cloned();
        let line = match three_way(of(before), of(ours), of(theirs)) {
            Ok(line) => line,
            Err(_) if of(ours).is_some() && of(theirs).is_some() && is_same(name) => of(ours),
            Err(_) => {
                let [before, ours, theirs] = [before, ours, theirs].map(|version| of(version).is_some());
                merged.items.push((name.clone(), Apart::of(before, ours, theirs)));
                continue;
            }
        };
        merged.each(|version| match &line {
            Some(line) => drop(version.items.insert(name.clone(), line.clone())),
            None => drop(version.items.remove(name)),
        });
    }
    match three_way(&before.whole, &ours.whole, &theirs.whole) {
        Ok(whole) => merged.each(|version| version.whole.clone_from(whole)),
        Err(_) => {
            let apart = Apart::of(before.whole.is_some(), ours.whole.is_some(), theirs.whole.is_some());
            merged.items.push(("data".to_owned(), apart));
        }
    }
}

/// A line opens only under the scope that it was sealed with, so all of them have to come from the side with the scope.
fn merge_scope(
    merged: &mut MergedObject,
    before: &Version,
    ours: &Version,
    theirs: &Version,
) -> Result<(), Unmergeable> {
    if ours.scope == theirs.scope {
        merged.each(|version| version.scope = ours.scope);
        return Ok(());
    }
    let scope = three_way(before.scope, ours.scope, theirs.scope).map_err(|_| Unmergeable::Scope)?;
    let side = if scope == ours.scope { ours } else { theirs };
    if !merged.items.is_empty() || merged.ours.items != side.items || merged.ours.whole != side.whole {
        return Err(Unmergeable::Scope);
    }
    merged.each(|version| version.scope = scope);
    Ok(())
}

/// The envelopes for all lines, also for both lines of a conflict: else neither choice would open.
fn merge_envelopes(
    merged: &MergedObject,
    before: &Version,
    ours: &Version,
    theirs: &Version,
) -> Result<Vec<Envelope>, Unmergeable> {
    let lines = [&merged.ours, &merged.theirs].into_iter().flat_map(|version| version.items.values());
    let ids: BTreeSet<&str> = lines.filter_map(|line| data_key_of(line)).collect();
    check_rewraps(&ids, before, ours, theirs)?;
    let is_in = |version: &Version, envelope: &Envelope| version.envelopes.contains(envelope);
    let select = |version: &Version, is_wanted: &dyn Fn(&Envelope) -> bool| {
        version.envelopes.iter().filter(|envelope| is_wanted(envelope)).cloned().collect::<Vec<_>>()
    };
    let new = |version: &Version| select(version, &|envelope| !is_in(before, envelope));
    let kept = select(ours, &|envelope| is_in(before, envelope) && is_in(theirs, envelope));
    // One that stands on one side alone was replaced or dropped on the other, and so comes last: it may be sealed to
    // somebody who was taken out.
    let old = |version: &Version, other: &Version| {
        select(version, &|envelope| is_in(before, envelope) && !is_in(other, envelope))
    };
    let choose = |first: &Version, second: &Version| {
        let candidates =
            [new(first), new(second), kept.clone(), old(first, second), old(second, first)].concat();
        let chosen = cover(&ids, &candidates)?;
        Ok(in_order(chosen.into_iter().cloned().collect(), ours, theirs))
    };
    // Either side's rewrap may be the one that holds more.
    choose(ours, theirs).or_else(|_: CoverError| choose(theirs, ours)).map_err(Unmergeable::Envelopes)
}

/// Refuses data keys that both sides wrapped anew, to different recipients. To choose one would add somebody whom the other
/// side took out, or the other way round.
fn check_rewraps(
    ids: &BTreeSet<&str>,
    before: &Version,
    ours: &Version,
    theirs: &Version,
) -> Result<(), Unmergeable> {
    let is_new = |envelope: &Envelope| !before.envelopes.contains(envelope);
    for id in ids {
        let (Some(one), Some(other)) = (holder(ours, id), holder(theirs, id)) else { continue };
        if is_new(one) && is_new(other) && fingerprints(one) != fingerprints(other) {
            return Err(Unmergeable::RewrappedTwice);
        }
    }
    Ok(())
}

fn holder<'v>(version: &'v Version, id: &str) -> Option<&'v Envelope> {
    version.envelopes.iter().find(|envelope| holds(envelope, id))
}

fn holds(envelope: &Envelope, id: &str) -> bool {
    envelope.keys.iter().any(|key| key == id)
}

fn fingerprints(envelope: &Envelope) -> BTreeSet<&str> {
    envelope.recipients.iter().map(|hint| hint.fingerprint.as_str()).collect()
}

/// The order of our side, then that of the other, so that envelopes don't move about in the file.
fn in_order(mut chosen: Vec<Envelope>, ours: &Version, theirs: &Version) -> Vec<Envelope> {
    let place = |envelope: &Envelope| {
        let in_version = |version: &Version| version.envelopes.iter().position(|other| other == envelope);
        in_version(ours).unwrap_or_else(|| ours.envelopes.len() + in_version(theirs).unwrap_or_default())
    };
    chosen.sort_by_key(place);
    chosen
}

fn merge_template(merged: &mut MergedObject, before: &Template, ours: &Template, theirs: &Template) {
    match three_way(&before.type_, &ours.type_, &theirs.type_) {
        Ok(type_) => merged.each(|version| version.template.type_.clone_from(type_)),
        Err(_) => {
            let apart = Apart::of(before.type_.is_some(), ours.type_.is_some(), theirs.type_.is_some());
            merged.fields.push(("type".to_owned(), apart));
        }
    }
    match three_way(before.immutable, ours.immutable, theirs.immutable) {
        Ok(immutable) => merged.each(|version| version.template.immutable = immutable),
        Err(_) => {
            let [before, ours, theirs] = [before, ours, theirs].map(|template| template.immutable.is_some());
            merged.fields.push(("immutable".to_owned(), Apart::of(before, ours, theirs)));
        }
    }
    for strings in [Strings::Labels, Strings::Annotations, Strings::Data] {
        merge_strings(merged, strings, before, ours, theirs);
    }
}

/// Refuses a template that uses an item of which no version says that it may be used.
///
/// The mark that allows it is sealed in with the value, and whoever seals the item anew decides about it again. Without a key
/// there is one proof: a version whose own template uses this very line.
fn check_uses(merged: &MergedObject, versions: &[&Version; 3]) -> Result<(), Unmergeable> {
    for chosen in [&merged.ours, &merged.theirs] {
        for (key, item) in chosen.template_uses() {
            let line = chosen.items.get(item.as_str());
            let is_proven = |version: &&Version| {
                version.items.get(item.as_str()) == line
                    && version.template_uses().iter().any(|(_, used)| *used == item)
            };
            // A template whose item is gone is refused with the whole object.
            if line.is_some() && !versions.iter().any(is_proven) {
                return Err(Unmergeable::TemplateUse { key, item });
            }
        }
    }
    Ok(())
}

/// A mapping of strings in a template.
#[derive(Clone, Copy)]
enum Strings {
    Labels,
    Annotations,
    Data,
}

impl Strings {
    fn of(self, template: &Template) -> &BTreeMap<String, String> {
        match self {
            Self::Labels => &template.metadata.labels,
            Self::Annotations => &template.metadata.annotations,
            Self::Data => &template.data,
        }
    }

    fn of_mut(self, template: &mut Template) -> &mut BTreeMap<String, String> {
        match self {
            Self::Labels => &mut template.metadata.labels,
            Self::Annotations => &mut template.metadata.annotations,
            Self::Data => &mut template.data,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Labels => "label",
            Self::Annotations => "annotation",
            Self::Data => "data",
        }
    }
}

fn merge_strings(
    merged: &mut MergedObject,
    strings: Strings,
    before: &Template,
    ours: &Template,
    theirs: &Template,
) {
    let keys: BTreeSet<&String> =
        [before, ours, theirs].iter().flat_map(|template| strings.of(template).keys()).collect();
    for key in keys {
        let of = |template: &'_ Template| strings.of(template).get(key).cloned();
        match three_way(of(before), of(ours), of(theirs)) {
            Ok(text) => merged.each(|version| {
                let found = strings.of_mut(&mut version.template);
                match &text {
                    Some(text) => drop(found.insert(key.clone(), text.clone())),
                    None => drop(found.remove(key)),
                }
            }),
            Err(_) => {
                let [before, ours, theirs] = [before, ours, theirs].map(|template| of(template).is_some());
                merged.fields.push((format!("{} {key}", strings.word()), Apart::of(before, ours, theirs)));
            }
        }
    }
}

#[cfg(test)]
mod tests;

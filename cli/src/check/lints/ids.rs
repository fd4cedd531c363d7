//! Ciphertext under a place that it wasn't sealed for, told without a key.
//!
//! The id of a data key commits to the scope and to the place that the scope binds. So one id under two places is a proof:
//! one of them doesn't open. A ciphertext of bitnami.com commits to its place too. The same id under the same place twice
//! (a second cluster, a copy of a directory) is right, and so is any place that the scope leaves open.
//!
//! Invariants: a finding is a proof, so an object whose namespace isn't known contradicts none; the work grows with the
//! number of items, whatever their ids are: of the places of one id, [`MAX_PLACES`] are kept.

use std::collections::{BTreeMap, HashMap};

use seal_crds::{Format, Scope};
use seal_foreign::word;

use super::Sealed;
use super::faults::short;
use crate::check::finding::Finding;
use crate::check::lint::Lint;
use crate::objects::outline::Outline;
use crate::talk::pasted;

/// The most places of one id that others are compared with. Two that contradict each other are enough for a finding.
const MAX_PLACES: usize = 4;

/// Objects whose data keys are under another place as well, here or in an earlier state of the repository. `before` is that
/// state; its objects are the originals. One finding an object.
pub(super) fn copied(now: &[Sealed<'_>], before: &[Sealed<'_>]) -> Vec<Finding> {
    let mut now: Vec<&Sealed<'_>> = now.iter().collect();
    now.sort_by_key(|sealed| (sealed.path, sealed.outline.at));
    let (earlier, present) = (Known::of(before.iter()), Known::of(now.iter().copied()));
    let finding = |sealed: &Sealed<'_>| {
        let bound = Bound::of(sealed);
        ids(sealed.outline).find_map(|id| {
            let is_earlier = earlier.has(id, &bound);
            if let Some(original) = earlier.contradiction(id, &bound).filter(|_| !is_earlier) {
                let foreign = foreign(sealed, &original, [&earlier, &present]);
                return Some(against_earlier(sealed, id, original, &present, &foreign));
            }
            // Of two in this state, the first is taken for the original, unless the earlier state knows better.
            let places = present.places(id);
            let own = places.iter().position(|place| place.is_same(&bound)).unwrap_or(places.len());
            let is_older = |place: &Bound<'_>| !is_earlier || earlier.has(id, place);
            let before_it = places[..own].iter().enumerate().filter(|(_, place)| is_older(place));
            // A copy of what may be this very object isn't its original.
            let is_copy = |index: usize, place: &Bound<'_>| {
                places[..index].iter().any(|first| first.contradicts(place) && !first.contradicts(&bound))
            };
            let mut originals =
                before_it.filter(|(index, place)| place.contradicts(&bound) && !is_copy(*index, place));
            let original = *originals.next()?.1;
            Some(copy_of(sealed, id, original, &foreign(sealed, &original, [&earlier, &present])))
        })
    };
    now.iter().copied().filter_map(finding).collect()
}

/// Objects that a render gives other places than the files of the repository have.
pub(super) fn rendered(rendered: &[Sealed<'_>], files: &[Sealed<'_>]) -> Vec<Finding> {
    let known = Known::of(files.iter());
    let finding = |sealed: &Sealed<'_>| {
        let bound = Bound::of(sealed);
        let (id, original) = ids(sealed.outline)
            .filter(|id| !known.has(id, &bound))
            .find_map(|id| Some((id, known.contradiction(id, &bound)?)))?;
        let message = format!(
            "{} holds data key {} of {} ({}): the render gave it another place, where it doesn't open",
            sealed.name(),
            short(id),
            original,
            word(original.path)
        );
        Some(sealed.finding(Lint::Transformed, message).with(original.path))
    };
    rendered.iter().filter_map(finding).collect()
}

/// Objects of bitnami.com beside a native one of the same place, in the same directory: the native one makes the Secret.
/// Another directory may be another cluster.
pub(super) fn superseded(objects: &[Sealed<'_>]) -> Vec<Finding> {
    let place = |sealed: &Sealed<'_>| {
        let directory = sealed.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let name = &sealed.outline.object_name;
        name.name.as_ref().map(|_| (directory.to_owned(), name.clone()))
    };
    let is_whole = |sealed: &&Sealed<'_>| !sealed.outline.is_patch();
    let native: BTreeMap<_, &Sealed<'_>> = objects
        .iter()
        .filter(is_whole)
        .filter(|sealed| sealed.outline.format == Format::Native)
        .filter_map(|sealed| Some((place(sealed)?, sealed)))
        .collect();
    let bitnami = objects.iter().filter(|sealed| sealed.outline.format == Format::Bitnami).filter(is_whole);
    let finding = |sealed: &Sealed<'_>| {
        let other = native.get(&place(sealed)?)?;
        let (name, path) = (sealed.name(), word(other.path));
        let message = format!("the object of bitnami.com does nothing: {path} has a native one for {name}");
        Some(sealed.finding(Lint::Superseded, message).with(other.path))
    };
    bitnami.filter_map(finding).collect()
}

/// A place as far as a scope binds it, and the file that has it.
#[derive(Clone, Copy)]
struct Bound<'a> {
    scope: Option<Scope>,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    path: &'a str,
}

impl<'a> Bound<'a> {
    fn of(sealed: &Sealed<'a>) -> Self {
        Self {
            scope: sealed.outline.scope,
            namespace: sealed.namespace(),
            name: sealed.object(),
            path: sealed.path,
        }
    }

    /// Whether one data key can't be at home in both. A part that isn't known contradicts nothing.
    fn contradicts(&self, other: &Self) -> bool {
        let differ =
            |one: Option<&str>, other: Option<&str>| matches!((one, other), (Some(a), Some(b)) if a != b);
        let (Some(scope), Some(other_scope)) = (self.scope, other.scope) else { return false };
        scope != other_scope
            || (scope.binds_namespace() && differ(self.namespace, other.namespace))
            || (scope.binds_name() && differ(self.name, other.name))
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.scope, self.namespace, self.name) == (other.scope, other.namespace, other.name)
    }

    /// Whether they differ in the scope alone.
    fn has_other_scope_only(&self, other: &Self) -> bool {
        self.scope != other.scope && self.namespace == other.namespace && self.name == other.name
    }
}

impl std::fmt::Display for Bound<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let namespace = self.namespace.map(|namespace| format!("{}/", word(namespace))).unwrap_or_default();
        write!(f, "{namespace}{}", word(self.name.unwrap_or("(no name)")))
    }
}

/// The places under which each id is known, in the order of files.
struct Known<'a>(HashMap<&'a str, Vec<Bound<'a>>>);

impl<'a> Known<'a> {
    fn of<'s>(objects: impl Iterator<Item = &'s Sealed<'a>>) -> Self
    where
        'a: 's,
    {
        let mut known: HashMap<&str, Vec<Bound<'_>>> = HashMap::new();
        for sealed in objects {
            let bound = Bound::of(sealed);
            for id in ids(sealed.outline) {
                let places = known.entry(id).or_default();
                if places.len() < MAX_PLACES && !places.iter().any(|place| place.is_same(&bound)) {
                    places.push(bound);
                }
            }
        }
        Self(known)
    }

    fn places(&self, id: &str) -> &[Bound<'a>] {
        self.0.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    fn has(&self, id: &str, place: &Bound<'_>) -> bool {
        self.places(id).iter().any(|known| known.is_same(place))
    }

    fn contradiction(&self, id: &str, place: &Bound<'_>) -> Option<Bound<'a>> {
        self.places(id).iter().find(|known| known.contradicts(place)).copied()
    }
}

/// The texts of an object that commit to its place: the ids of its items' data keys, or its ciphertexts in the format of
/// bitnami.com.
fn ids(outline: &Outline) -> impl Iterator<Item = &str> {
    let items = outline.items.values().map(|item| match outline.format {
        Format::Native => item.data_key.as_deref().unwrap_or_default(),
        Format::Bitnami => item.line.as_str(),
    });
    // A placeholder in the place of a ciphertext is nobody's.
    items.chain(outline.whole.as_deref()).filter(|id| id.len() >= 43)
}

/// The items of an object whose data keys are at home at another place.
fn foreign<'s>(sealed: &Sealed<'s>, home: &Bound<'_>, known: [&Known<'_>; 2]) -> Vec<&'s str> {
    let is_foreign = |id: Option<&str>| id.is_some_and(|id| known.iter().any(|known| known.has(id, home)));
    let outline = sealed.outline;
    let items = outline.items.iter().filter(|(_, item)| match outline.format {
        Format::Native => is_foreign(item.data_key.as_deref()),
        Format::Bitnami => is_foreign(Some(&item.line)),
    });
    items.map(|(name, _)| name.as_str()).collect()
}

fn against_earlier(
    sealed: &Sealed<'_>,
    id: &str,
    original: Bound<'_>,
    present: &Known<'_>,
    foreign: &[&str],
) -> Finding {
    if present.has(id, &original) {
        return copy_of(sealed, id, original, foreign);
    }
    let (bound, name) = (Bound::of(sealed), sealed.name());
    let message = if bound.has_other_scope_only(&original) {
        let scope = |scope: Option<Scope>| scope.map_or("unknown", Scope::as_str);
        let (was, is) = (scope(original.scope), scope(bound.scope));
        format!("{name} was {was} before, and is {is} now: it doesn't open without sealing again")
    } else {
        let path = word(original.path);
        format!("{name} was {original} before ({path}): it doesn't open without sealing again")
    };
    let hint = seal_again(sealed, &original, foreign);
    sealed.finding(Lint::Moved, message).with(original.path).hint(hint)
}

fn copy_of(sealed: &Sealed<'_>, id: &str, original: Bound<'_>, foreign: &[&str]) -> Finding {
    let bound = Bound::of(sealed);
    let id = match sealed.outline.format {
        Format::Native => format!("data key {}", short(id)),
        Format::Bitnami => "ciphertext".to_owned(),
    };
    let other = if bound.has_other_scope_only(&original) {
        format!("the {} {original}", original.scope.map_or("unscoped", Scope::as_str))
    } else {
        original.to_string()
    };
    let message = format!("{} holds {id} of {other} ({})", sealed.name(), word(original.path));
    let hint = seal_again(sealed, &original, foreign);
    sealed.finding(Lint::Copied, message).with(original.path).hint(hint)
}

/// What makes an object open at its place: all of it is sealed again from the place that it was sealed for, which takes a
/// key; or the `foreign` items get their values anew.
fn seal_again(sealed: &Sealed<'_>, home: &Bound<'_>, foreign: &[&str]) -> String {
    let outline = sealed.outline;
    let set = sealed.pasted_set(foreign.iter().copied());
    if Bound::of(sealed).has_other_scope_only(home) {
        let was = home.scope.map_or("SCOPE", Scope::as_str);
        return format!("write its scope as it was, {was}; or seal the values for the new one: {set}");
    }
    if foreign.len() < outline.items.len() {
        return format!("seal what came from there again: {set}");
    }
    let part = |part: Option<&str>, unknown: &str| part.unwrap_or(unknown).to_owned();
    let home = format!("{}/{}", part(home.namespace, "NAMESPACE"), part(home.name, "NAME"));
    let namespace = if outline.object_name.namespace.is_some() { "" } else { " -n NAMESPACE" };
    let (target, home) = (sealed.pasted(), pasted::word(&home));
    let moved = format!("seal it again: seal move {target} --from {home}{namespace} -i IDENTITY");
    if foreign.is_empty() { moved } else { format!("{moved}; or without a key: {set}") }
}

#[cfg(test)]
mod tests;

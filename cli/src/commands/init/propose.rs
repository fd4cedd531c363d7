//! From the Secrets that a repository has to the rules that fit them.
//!
//! A directory that is named after the namespace of its objects becomes `{namespace}`, and directories that differ in one
//! name and in nothing else become `*`. The recipients of a rule are those that its objects are sealed to already, as far
//! as they are given; else all. Invariants: every object has a rule, which is the one that its own directory asked for; no
//! rule is unreachable; the last rule forbids to seal anywhere else.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::Scope;
use seal_crds::keys::Fingerprint;

use crate::rules::pattern::Pattern;

/// The fewest directories that become one with `*`.
const ALIKE: usize = 3;
/// The most rules that are proposed. A longer list isn't read by anybody.
const MOST: usize = 100;

const EVERYTHING: &str = "**";

/// An object that is there.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The path of its file from the top.
    pub(super) path: String,
    pub(super) namespace: Option<String>,
    /// The keys that it is sealed to, as far as it says so; empty for a Secret.
    pub(super) keys: BTreeSet<Fingerprint>,
    /// `None` for a Secret.
    pub(super) scope: Option<Scope>,
}

/// A recipient of the rules.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) keys: BTreeSet<Fingerprint>,
    pub(super) is_recovery: bool,
}

/// A rule that is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposed {
    pub(super) path: String,
    /// The names of the recipients; empty to forbid sealing.
    pub(super) to: Vec<String>,
    pub(super) scopes: Vec<Scope>,
}

/// The objects of one directory.
#[derive(Clone, Debug, Default)]
struct Directory {
    namespaces: BTreeSet<String>,
    keys: BTreeSet<Fingerprint>,
    scopes: BTreeSet<Scope>,
}

/// Rules by their paths, segment by segment.
type Rules = BTreeMap<Vec<String>, Rule>;

/// The rules for the objects of a repository.
pub(super) fn propose(seen: &[Seen], known: &[Known]) -> Vec<Proposed> {
    let everybody = || known.iter().map(|known| known.name.clone()).collect();
    let mut directories: BTreeMap<Vec<&str>, Directory> = BTreeMap::new();
    for object in seen {
        let mut names: Vec<&str> = object.path.split('/').collect();
        names.pop();
        let directory = directories.entry(names).or_default();
        directory.namespaces.extend(object.namespace.clone());
        directory.keys.extend(&object.keys);
        directory.scopes.extend(object.scope);
    }
    let rules = [with_namespaces, plain].into_iter().find_map(|path| fitting(&directories, known, path));
    let mut proposed: Vec<Proposed> = match rules {
        Some(rules) if !seen.is_empty() && rules.len() <= MOST => ordered(&rules)
            .into_iter()
            .map(|(path, rule)| Proposed {
                path: path.join("/"),
                to: rule.to.clone(),
                scopes: rule.scopes.clone(),
            })
            .collect(),
        // An empty repository, or one without any order that a few rules could say.
        _ => return vec![Proposed { path: EVERYTHING.to_owned(), to: everybody(), scopes: Vec::new() }],
    };
    proposed.push(Proposed { path: EVERYTHING.to_owned(), to: Vec::new(), scopes: Vec::new() });
    proposed
}

/// The fewest rules by which every directory gets what it asks for; `None` if they don't.
fn fitting(
    directories: &BTreeMap<Vec<&str>, Directory>,
    known: &[Known],
    path: fn(&[&str], &Directory) -> Vec<String>,
) -> Option<Rules> {
    let mut groups: BTreeMap<Vec<String>, Directory> = BTreeMap::new();
    for (names, directory) in directories {
        let group = groups.entry(path(names, directory)).or_default();
        group.keys.extend(&directory.keys);
        group.scopes.extend(&directory.scopes);
    }
    let mut rules: Rules = groups.into_iter().map(|(path, group)| (path, Rule::of(&group, known))).collect();
    let wanted: Vec<(String, Rule)> = directories
        .iter()
        .map(|(names, directory)| {
            let file: String = names.iter().flat_map(|name| [*name, "/"]).chain(["file"]).collect();
            (file, rules[&path(names, directory)].clone())
        })
        .collect();
    let mut reached = reached(&rules, &wanted)?;
    while let Some(merged) = alike(&rules) {
        let Some(still) = self::reached(&merged, &wanted) else { break };
        (rules, reached) = (merged, still);
    }
    // A wider rule that says the same may have come in front of a rule.
    rules.retain(|path, _| reached.contains(path));
    Some(rules)
}

/// What a rule says, apart from its path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    to: Vec<String>,
    scopes: Vec<Scope>,
}

impl Rule {
    fn of(group: &Directory, known: &[Known]) -> Self {
        let is_sealed_to = |known: &&Known| !known.is_recovery && !known.keys.is_disjoint(&group.keys);
        let mut to: Vec<String> = known.iter().filter(is_sealed_to).map(|known| known.name.clone()).collect();
        if to.is_empty() {
            to = known.iter().filter(|known| !known.is_recovery).map(|known| known.name.clone()).collect();
        }
        to.extend(known.iter().filter(|known| known.is_recovery).map(|known| known.name.clone()));
        // The firmest comes first, and so is the default.
        Self { to, scopes: group.scopes.iter().copied().collect() }
    }
}

/// The path of a rule for a directory, in which the namespace of its objects stands for any.
fn with_namespaces(names: &[&str], directory: &Directory) -> Vec<String> {
    let own = match directory.namespaces.iter().collect::<Vec<_>>()[..] {
        [own] => names.iter().rposition(|name| name == own),
        _ => None,
    };
    match own {
        None => plain(names, directory),
        Some(at) => {
            let mut segments: Vec<String> = names[..at].iter().copied().map(segment).collect();
            segments.extend(["{namespace}".to_owned(), "**".to_owned()]);
            segments
        }
    }
}

/// The path of a rule for a directory as it is.
fn plain(names: &[&str], _: &Directory) -> Vec<String> {
    let mut segments: Vec<String> = names.iter().copied().map(segment).collect();
    // What stands at the top says nothing of what is beneath.
    segments.push(if segments.is_empty() { "*" } else { "**" }.to_owned());
    segments
}

/// A name that means something in a pattern can't stand there itself.
fn segment(name: &str) -> String {
    if name.parse::<Pattern>().is_ok() { name.to_owned() } else { "*".to_owned() }
}

/// The rules after one step: those that say the same and differ in one name alone become one. `None` if there are none.
fn alike(rules: &Rules) -> Option<Rules> {
    let mut families: BTreeMap<(Vec<String>, &Rule), Vec<&Vec<String>>> = BTreeMap::new();
    for (path, rule) in rules {
        for at in (0..path.len()).filter(|at| !["*", "**", "{namespace}"].contains(&path[*at].as_str())) {
            let mut family = path.clone();
            family[at] = "*".to_owned();
            families.entry((family, rule)).or_default().push(path);
        }
    }
    let family = families.into_iter().filter(|(_, members)| members.len() >= ALIKE);
    let ((path, rule), members) = family.max_by_key(|(_, members)| members.len())?;
    let mut merged = rules.clone();
    for member in members {
        merged.remove(member);
    }
    merged.insert(path, rule.clone());
    Some(merged)
}

/// The paths of the rules that are the first for some file; `None` if one of these isn't what the file wants.
fn reached(rules: &Rules, wanted: &[(String, Rule)]) -> Option<BTreeSet<Vec<String>>> {
    let mut parsed = Vec::new();
    for (path, rule) in ordered(rules) {
        parsed.push((path.join("/").parse::<Pattern>().ok()?, path, rule));
    }
    let first = |(file, wanted): &(String, Rule)| {
        let (_, path, found) = parsed.iter().find(|(pattern, ..)| pattern.matches(file).is_some())?;
        (*found == wanted).then(|| (*path).clone())
    };
    wanted.iter().map(first).collect()
}

/// The rules with the most exact first.
fn ordered(rules: &Rules) -> Vec<(&Vec<String>, &Rule)> {
    let mut ordered: Vec<_> = rules.iter().collect();
    ordered.sort_by_key(|(path, _)| std::cmp::Reverse(exactness(path)));
    ordered
}

/// How exact a path is: names count most, and then its length.
fn exactness(path: &[String]) -> (usize, usize) {
    let names = path.iter().filter(|name| !["*", "**", "{namespace}"].contains(&name.as_str())).count();
    (names, path.len())
}

#[cfg(test)]
mod tests;

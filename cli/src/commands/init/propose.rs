//! From the Secrets that a repository has to the rules that fit them.
//!
//! A directory that is named after the namespace of its objects becomes `{namespace}`, and directories that differ in one
//! name and in nothing else become `*`. The recipients of a rule are those that its objects are sealed to already, as far
//! as they are given; else the one that a directory of its path is named after ([`home`]); else all. Recovery recipients
//! are in every rule. Invariants: every object has a rule, which is the one that its own directory asked for; no rule is
//! unreachable; the last rule forbids to seal anywhere else.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::Scope;
use seal_crds::keys::Fingerprint;

use crate::rules::pattern::Pattern;

/// The fewest directories that become one with `*`.
const ALIKE: usize = 3;
/// The most rules that are proposed if one would do. A longer list isn't read by anybody; but where rules differ, one for
/// all would let everybody read everything.
const MOST_EQUAL: usize = 100;

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

/// Directories by their names, from the top.
type Directories<'n> = BTreeMap<Vec<&'n str>, Directory>;

/// Rules by their paths, segment by segment.
type Rules = BTreeMap<Vec<String>, Rule>;

/// The rules for the objects of a repository, and for those of its directories that are named after recipients.
pub(super) fn propose(seen: &[Seen], named: &[String], known: &[Known]) -> Vec<Proposed> {
    let everybody = || known.iter().map(|known| known.name.clone()).collect();
    let mut directories = Directories::new();
    for object in seen {
        let mut names: Vec<&str> = object.path.split('/').collect();
        names.pop();
        let directory = directories.entry(names).or_default();
        directory.namespaces.extend(object.namespace.clone());
        directory.keys.extend(&object.keys);
        directory.scopes.extend(object.scope);
    }
    for path in named {
        let names: Vec<&str> = path.split('/').collect();
        // One that has objects has its rules by them.
        if home(&names, known).is_some() && !directories.keys().any(|found| found.starts_with(&names)) {
            directories.insert(names, Directory::default());
        }
    }
    let paths =
        [with_namespaces(&directories, known), at_homes(&directories, known), one_by_one(&directories)];
    let rules = paths.iter().find_map(|paths| fitting(&directories, known, paths));
    // An empty repository, or one whose names no rules can tell apart.
    let Some(rules) = rules.filter(|rules| !rules.is_empty()) else {
        return vec![Proposed { path: EVERYTHING.to_owned(), to: everybody(), scopes: Vec::new() }];
    };
    if let Some(rule) = one_for_all(&rules) {
        return vec![rule.at(EVERYTHING.to_owned())];
    }
    let mut proposed: Vec<Proposed> =
        ordered(&rules).into_iter().map(|(path, rule)| rule.at(path.join("/"))).collect();
    proposed.push(Proposed { path: EVERYTHING.to_owned(), to: Vec::new(), scopes: Vec::new() });
    proposed
}

/// What all of many rules say, if it is the same.
fn one_for_all(rules: &Rules) -> Option<&Rule> {
    let first = rules.values().next()?;
    (rules.len() > MOST_EQUAL && rules.values().all(|rule| rule == first)).then_some(first)
}

/// The recipient that a directory is named after, and where its name stands in the path: the last such name counts. A
/// single recipient gets everything anyway, whatever its name.
fn home<'k>(names: &[&str], known: &'k [Known]) -> Option<(usize, &'k Known)> {
    known.iter().filter(|known| !known.is_recovery).nth(1)?;
    let named = |name: &&str| known.iter().find(|known| !known.is_recovery && known.name == **name);
    names.iter().enumerate().rev().find_map(|(at, name)| Some((at, named(name)?)))
}

/// The fewest rules by which every directory gets what it asks for; `None` if they don't. `paths` are those of the rules
/// that the directories ask for, in their order.
fn fitting(directories: &Directories<'_>, known: &[Known], paths: &[Vec<String>]) -> Option<Rules> {
    let mut groups: BTreeMap<Vec<String>, Directory> = BTreeMap::new();
    for (path, directory) in paths.iter().zip(directories.values()) {
        let group = groups.entry(path.clone()).or_default();
        group.keys.extend(&directory.keys);
        group.scopes.extend(&directory.scopes);
    }
    let rule_of = |(path, group): (Vec<String>, Directory)| {
        let rule = Rule::of(&path, &group, known);
        (path, rule)
    };
    let mut rules: Rules = groups.into_iter().map(rule_of).collect();
    let wanted: Vec<(String, Rule)> = directories
        .keys()
        .zip(paths)
        .map(|(names, path)| {
            let file: String = names.iter().flat_map(|name| [*name, "/"]).chain(["file"]).collect();
            (file, rules[path].clone())
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
    fn at(&self, path: String) -> Proposed {
        Proposed { path, to: self.to.clone(), scopes: self.scopes.clone() }
    }

    fn of(path: &[String], group: &Directory, known: &[Known]) -> Self {
        let is_sealed_to = |known: &&Known| !known.is_recovery && !known.keys.is_disjoint(&group.keys);
        let mut to: Vec<String> = known.iter().filter(is_sealed_to).map(|known| known.name.clone()).collect();
        if to.is_empty() {
            let segments: Vec<&str> = path.iter().map(String::as_str).collect();
            to.extend(home(&segments, known).map(|(_, known)| known.name.clone()));
        }
        if to.is_empty() {
            to = known.iter().filter(|known| !known.is_recovery).map(|known| known.name.clone()).collect();
        }
        to.extend(known.iter().filter(|known| known.is_recovery).map(|known| known.name.clone()));
        // The firmest comes first, and so is the default.
        Self { to, scopes: group.scopes.iter().copied().collect() }
    }
}

/// The paths of rules for directories, in which the namespace of their objects stands for any.
fn with_namespaces(directories: &Directories<'_>, known: &[Known]) -> Vec<Vec<String>> {
    let own = |names: &[&str], directory: &Directory| {
        let [own] = directory.namespaces.iter().collect::<Vec<_>>()[..] else { return None };
        let at = names.iter().rposition(|name| name == own)?;
        // A directory that is named after a recipient says which cluster it is for, also if a namespace has that name.
        home(names, known).is_none_or(|(home, _)| at > home).then_some(at)
    };
    // The rule of a home with namespaces in it takes any name there for one, so the other directories need their own.
    let taken: BTreeSet<&[&str]> = directories
        .iter()
        .filter(|(names, directory)| own(names, directory).is_some())
        .filter_map(|(names, _)| Some(&names[..=home(names, known)?.0]))
        .collect();
    let path = |(names, directory): (&Vec<&str>, &Directory)| match own(names, directory) {
        Some(at) => to_path(&names[..at], &["{namespace}", "**"]),
        None => match home(names, known) {
            Some((at, _)) if taken.contains(&names[..=at]) => beneath(names),
            _ => at_home(names, directory, known),
        },
    };
    directories.iter().map(path).collect()
}

/// The paths of rules for directories, of which each counts with its home.
fn at_homes(directories: &Directories<'_>, known: &[Known]) -> Vec<Vec<String>> {
    directories.iter().map(|(names, directory)| at_home(names, directory, known)).collect()
}

/// The paths of rules for directories as they are.
fn one_by_one(directories: &Directories<'_>) -> Vec<Vec<String>> {
    directories.keys().map(|names| beneath(names)).collect()
}

/// The path of a rule for the home of a directory, or for the directory alone if its objects are sealed to others.
fn at_home(names: &[&str], directory: &Directory, known: &[Known]) -> Vec<String> {
    let is_sealed_to_others = |named: &Known| {
        let mut others = known.iter().filter(|known| !known.is_recovery && known.name != named.name);
        others.any(|other| !other.keys.is_disjoint(&directory.keys))
    };
    match home(names, known) {
        Some((at, named)) if !is_sealed_to_others(named) => beneath(&names[..=at]),
        _ => beneath(names),
    }
}

fn beneath(names: &[&str]) -> Vec<String> {
    // What stands at the top says nothing of what is beneath.
    to_path(names, &[if names.is_empty() { "*" } else { "**" }])
}

fn to_path(names: &[&str], end: &[&str]) -> Vec<String> {
    names.iter().copied().map(segment).chain(end.iter().copied().map(str::to_owned)).collect()
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

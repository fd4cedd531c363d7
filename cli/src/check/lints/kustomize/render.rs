//! From the kustomizations of a repository to what each of them deploys: every file, and the change of places that its
//! objects get on the way.
//!
//! A deployment starts at a kustomization that no other one takes in, or at a directory that Flux or Argo CD deploys.
//! The threat: a repository may be hostile, and a few kustomizations that take in one another twice make a number of ways
//! that doubles with each level. Invariant: the work is bounded ([`MAX_STEPS`]), a cycle ends, and a deployment that was
//! cut off says so.

use std::collections::{BTreeMap, BTreeSet};

use super::change::Change;
use super::deployed::{Deployed, Said};
use super::kustomization::Kustomization;
use super::paths::{Paths, directory, file_name};

/// The most files and directories that all deployments together may have; a repository of 5,000 files has some ten
/// thousand.
const MAX_STEPS: usize = 200_000;

/// The most ways to one directory in one deployment.
const MAX_WAYS: usize = 32;

/// The most kustomizations between a deployment and a file. The walk calls itself.
const MAX_DEPTH: usize = 64;

/// The files of one deployment.
#[derive(Debug)]
pub(super) struct Deployment {
    /// The kustomization or object that it starts at.
    pub(super) by: String,
    /// In the order of paths.
    pub(super) files: Vec<Deploys>,
    /// The namespace of objects that have none, if the deployment says one.
    pub(super) default_namespace: Option<Said>,
}

impl Deployment {
    /// The namespace that an object without one gets from a change or from the deployment, and what says so.
    pub(super) fn namespace<'c>(&'c self, change: &'c Change) -> Option<(&'c str, &'c str)> {
        match &change.namespace {
            Some(namespace) => Some((namespace, change.namespace_by.as_deref().unwrap_or(&self.by))),
            None => self.default_namespace.as_ref().map(|said| (said.text.as_str(), said.by.as_str())),
        }
    }
}

/// A file of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deploys {
    pub(super) file: String,
    pub(super) change: Change,
}

/// The deployments of a repository.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    pub(super) deployments: Vec<Deployment>,
    /// Things that weren't followed, each with its file.
    pub(super) unfollowed: BTreeSet<String>,
}

/// Follows all kustomizations, by their directories.
pub(super) fn render(
    paths: &Paths<'_>,
    kustomizations: &BTreeMap<String, Kustomization>,
    deployed: &[Deployed],
) -> Rendered {
    let mut walk =
        Walk { paths, kustomizations, steps: 0, taken_in: BTreeSet::new(), unfollowed: BTreeSet::new() };
    let mut deployments: Vec<Deployment> = deployed.iter().filter_map(|found| walk.deployed(found)).collect();
    for kustomization in kustomizations.values() {
        walk.taken_in.extend(kustomization.resources.iter().chain(&kustomization.components).cloned());
    }
    for (directory, kustomization) in kustomizations {
        if !walk.taken_in.contains(directory) {
            deployments.push(walk.deployment(directory.clone(), kustomization, &Change::default(), None));
        }
    }
    let doubts = kustomizations.values().flat_map(|kustomization| kustomization.unfollowed.iter().cloned());
    walk.unfollowed.extend(doubts);
    Rendered { deployments, unfollowed: walk.unfollowed }
}

struct Walk<'w, 'p> {
    paths: &'w Paths<'p>,
    kustomizations: &'w BTreeMap<String, Kustomization>,
    steps: usize,
    /// Directories that are a part of something larger, and so no deployment by themselves.
    taken_in: BTreeSet<String>,
    unfollowed: BTreeSet<String>,
}

/// The part of a walk that belongs to one deployment.
#[derive(Default)]
struct Ways {
    files: BTreeSet<Deploys>,
    seen: BTreeMap<String, BTreeSet<Change>>,
    depth: usize,
}

impl Walk<'_, '_> {
    /// The deployment of a directory by Flux or Argo CD; `None` if this repository has no such directory.
    fn deployed(&mut self, deployed: &Deployed) -> Option<Deployment> {
        if !self.paths.has_directory(&deployed.directory) {
            self.unfollowed.insert(format!("{}: {}", deployed.by, deployed.directory));
            return None;
        }
        let outer = Change { is_certain: deployed.is_certain, ..Change::default() };
        let own = self.kustomizations.get(&deployed.directory);
        let mut start = match own {
            Some(own) => Kustomization {
                directory: own.directory.clone(),
                resources: own.resources.clone(),
                components: own.components.clone(),
                change: own.change.clone(),
                generated: Vec::new(),
                unfollowed: Vec::new(),
            },
            None => Kustomization::of_files(&deployed.directory, self.plain_files(deployed)),
        };
        self.taken_in.insert(start.directory.clone());
        self.taken_in.extend(start.resources.iter().cloned());
        start.components.extend(deployed.components.iter().cloned());
        let change = &mut start.change;
        let overrides = [&deployed.namespace, &deployed.prefix, &deployed.suffix];
        if let Some(said) = &deployed.namespace {
            change.namespace = Some(said.text.clone());
            change.namespace_by = Some(said.by.clone());
        }
        for (field, said) in [(&mut change.prefix, &deployed.prefix), (&mut change.suffix, &deployed.suffix)]
        {
            if let Some(said) = said {
                field.clone_from(&said.text);
            }
        }
        change.by.extend(overrides.into_iter().flatten().map(|said| said.by.clone()));
        if overrides.into_iter().flatten().any(|said| said.text.contains("${") || said.text.contains("{{")) {
            start.doubt(format!("{}: a placeholder", deployed.by));
            self.unfollowed.extend(start.unfollowed.iter().cloned());
        }
        let default_namespace = deployed.default_namespace.clone();
        Some(self.deployment(deployed.by.clone(), &start, &outer, default_namespace))
    }

    /// The files of a directory without a kustomization: each manifest, and each directory that has a kustomization.
    fn plain_files(&self, deployed: &Deployed) -> Vec<String> {
        let mut entries = BTreeSet::new();
        for path in self.paths.beneath(&deployed.directory) {
            let kustomized = self.kustomized_above(path, &deployed.directory);
            let is_near = deployed.is_deep || directory(path) == deployed.directory;
            let is_manifest = [".yaml", ".yml", ".json"].iter().any(|kind| file_name(path).ends_with(kind));
            match kustomized {
                Some(directory) if deployed.is_deep => drop(entries.insert(directory)),
                None if is_near && is_manifest => drop(entries.insert(path.to_owned())),
                _ => {}
            }
        }
        entries.into_iter().collect()
    }

    /// The topmost directory beneath `top` with a kustomization that a file lies in.
    fn kustomized_above(&self, path: &str, top: &str) -> Option<String> {
        let start = if top.is_empty() { 0 } else { top.len() + 1 };
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > start);
        ends.map(|end| &path[..end])
            .find(|directory| self.kustomizations.contains_key(*directory))
            .map(str::to_owned)
    }

    fn deployment(
        &mut self,
        by: String,
        start: &Kustomization,
        outer: &Change,
        default_namespace: Option<Said>,
    ) -> Deployment {
        let mut ways = Ways::default();
        self.follow(start, outer, &mut ways);
        Deployment { by, files: ways.files.into_iter().collect(), default_namespace }
    }

    fn follow(&mut self, kustomization: &Kustomization, outer: &Change, ways: &mut Ways) {
        let seen = ways.seen.entry(kustomization.directory.clone()).or_default();
        if seen.len() >= MAX_WAYS || ways.depth >= MAX_DEPTH || self.steps >= MAX_STEPS {
            self.unfollowed.insert(format!("{}: too many ways lead here", kustomization.directory));
            return;
        }
        // A cycle changes nothing at last, or runs into the bound of ways.
        if !seen.insert(outer.clone()) {
            return;
        }
        self.steps += 1;
        ways.depth += 1;
        let own = kustomization.change.then(outer);
        let total = self.component_changes(kustomization).then(&own);
        for path in &kustomization.resources {
            self.steps += 1;
            if self.paths.has_file(path) {
                ways.files.insert(Deploys { file: path.clone(), change: total.clone() });
            } else if let Some(inner) = self.kustomizations.get(path) {
                self.follow(inner, &total, ways);
            } else {
                // A file that Git ignores, or one that a tool makes. Its objects aren't in this repository.
                self.unfollowed.insert(format!("{}: {path} isn't there", kustomization.directory));
            }
        }
        for path in &kustomization.components {
            // A component's own objects get its change too.
            if let Some(inner) = self.kustomizations.get(path) {
                self.follow(inner, &own, ways);
            }
        }
        ways.depth -= 1;
    }

    /// The changes of components, which go over everything that was taken in before them.
    fn component_changes(&self, kustomization: &Kustomization) -> Change {
        let mut all = Change::default();
        for path in &kustomization.components {
            match self.kustomizations.get(path) {
                // A component may have components; their changes would go over this one too.
                Some(component) if component.components.is_empty() => all = all.then(&component.change),
                _ => all.is_certain = false,
            }
        }
        let several = kustomization.components.len() > 1;
        if several && (all.namespace.is_some() || all.renames()) {
            all.is_certain = false;
        }
        all
    }
}

#[cfg(test)]
mod tests;

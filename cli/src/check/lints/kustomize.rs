//! kustomize, Flux and Argo CD, read without running them: whether a SealedSecret gets another place on its way to the
//! cluster than the one that it was sealed for, and whether workloads still name the Secret that comes of it.
//!
//! ```text
//! paths          the files of the repository
//! kustomization  one kustomization: what it takes in, and its change
//! deployed       objects of Flux and Argo CD, and the directories that they deploy
//! render         from all of these to the files of each deployment
//! consumers      fields that name Secrets
//! stale          of these, the ones that a renamed Secret leaves behind
//! ```
//!
//! Charts, plugins, remote bases and other repositories aren't followed; they are counted. Invariant: a finding with the
//! severity of its rule is certain from the files alone; a change that may be another is a note.

mod change;
mod consumers;
mod deployed;
mod kustomization;
mod paths;
mod render;
mod stale;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use seal_foreign::word;

use super::Sealed;
use crate::check::context::Context;
use crate::check::finding::Finding;
use crate::check::lint::{Lint, Severity};
use crate::check::namespace::Given;
use crate::talk::pasted;
use change::Change;
use deployed::Candidates;
use kustomization::Kustomization;
use paths::Paths;
use render::{Deployment, Rendered};
use stale::Stale;

pub(super) use kustomization::items;
pub(crate) use kustomization::{files_of_kustomization, path_from};
pub(crate) use paths::is_kustomization;
pub(super) use paths::join;

/// The result of following all kustomizations.
#[derive(Default)]
pub(super) struct Followed {
    pub(super) findings: Vec<Finding>,
    /// The entries that can't be followed, each with its file.
    pub(super) unfollowed: BTreeSet<String>,
    /// By their paths, the namespaces that objects of files get if they name none.
    pub(super) given: BTreeMap<String, Given>,
}

/// Everything that a tree deploys.
struct Whole {
    kustomizations: BTreeMap<String, Kustomization>,
    rendered: Rendered,
}

impl Whole {
    fn of(context: &Context<'_>) -> Self {
        let paths: Paths<'_> = context.paths.iter().map(String::as_str).collect();
        let load = |path: &str| super::load(context, path);
        let mut kustomizations = BTreeMap::new();
        let mut candidates = Candidates::default();
        for file in context.tree() {
            if is_kustomization(file.path) {
                let kustomization = Kustomization::read(file.path, file.source.text(), &load);
                kustomizations.insert(kustomization.directory.clone(), kustomization);
            } else if let Some(manifest) = &file.manifest {
                candidates.add_all(file.path, &manifest.manifest);
            }
        }
        let (deployed, elsewhere) = candidates.settle();
        let mut rendered = render::render(&paths, &kustomizations, &deployed);
        rendered.unfollowed.extend(elsewhere);
        Self { kustomizations, rendered }
    }

    /// The namespaces that objects of some files get if they name none.
    fn given(&self, files: &BTreeSet<&str>) -> BTreeMap<String, Given> {
        let mut all: BTreeMap<String, Given> = BTreeMap::new();
        let mut add = |file: &str, namespace: &str, by: &str| {
            let given = all.entry(file.to_owned()).or_default();
            given.entry(namespace.to_owned()).or_insert_with(|| by.to_owned());
        };
        let mut listed = BTreeSet::new();
        for deployment in &self.rendered.deployments {
            for deploys in deployment.files.iter().filter(|deploys| files.contains(deploys.file.as_str())) {
                listed.insert(deploys.file.as_str());
                if let Some((namespace, by)) = deployment.namespace(&deploys.change) {
                    add(&deploys.file, namespace, by);
                }
            }
        }
        // People seal a file first, and list it in the kustomization beside it then.
        for file in files.difference(&listed) {
            let beside = self.kustomizations.get(paths::directory(file)).map(|beside| &beside.change);
            if let Some((namespace, by)) =
                beside.and_then(|change| change.namespace.as_ref().zip(change.namespace_by.as_ref()))
            {
                add(file, namespace, by);
            }
        }
        all
    }
}

/// The namespaces that objects of some files get if they name none.
pub(super) fn given(context: &Context<'_>, files: &BTreeSet<&str>) -> BTreeMap<String, Given> {
    Whole::of(context).given(files)
}

/// Follows all kustomizations of a tree, for these objects of it, and for these files with objects that name no namespace.
pub(super) fn follow(context: &Context<'_>, objects: &[Sealed<'_>], files: &BTreeSet<&str>) -> Followed {
    let whole = Whole::of(context);
    let given = if files.is_empty() { BTreeMap::new() } else { whole.given(files) };
    let Whole { kustomizations, rendered } = whole;
    let mut by_file: HashMap<&str, Vec<&Sealed<'_>>> = HashMap::new();
    for sealed in objects.iter().filter(|sealed| !sealed.outline.is_patch()) {
        by_file.entry(sealed.path).or_default().push(sealed);
    }
    let mut findings = transformed(&rendered, &by_file);
    let generated = kustomizations.values().flat_map(|found| &found.generated).map(String::as_str).collect();
    findings.extend(Stale { by_file: &by_file, generated }.find(&rendered, context));
    Followed { findings, unfollowed: rendered.unfollowed, given }
}

/// The ways of one object to a cluster.
#[derive(Default)]
struct Ways<'r> {
    /// The first change of a bound part.
    broken: Option<&'r Change>,
    doubtful: Option<&'r Deployment>,
    /// The namespaces that an object without one gets, each with what says so.
    namespaces: BTreeMap<&'r str, &'r str>,
}

/// Objects whose place changes.
fn transformed(rendered: &Rendered, by_file: &HashMap<&str, Vec<&Sealed<'_>>>) -> Vec<Finding> {
    // By path and byte, so that the order of findings doesn't depend on a hash.
    let mut ways: BTreeMap<(&str, usize), (&Sealed<'_>, Ways<'_>)> = BTreeMap::new();
    for deployment in &rendered.deployments {
        for deploys in &deployment.files {
            for sealed in by_file.get(deploys.file.as_str()).into_iter().flatten() {
                let entry = ways.entry((sealed.path, sealed.outline.at));
                let (_, ways) = entry.or_insert_with(|| (sealed, Ways::default()));
                ways.add(sealed, &deploys.change, deployment);
            }
        }
    }
    ways.into_values().filter_map(|(sealed, ways)| ways.finding(sealed)).collect()
}

impl<'r> Ways<'r> {
    fn add(&mut self, sealed: &Sealed<'_>, change: &'r Change, deployment: &'r Deployment) {
        let scope = sealed.outline.scope.unwrap_or_default();
        if change.is_none() && deployment.default_namespace.is_none() {
            return;
        }
        if !change.is_certain {
            if scope.binds_name() || scope.binds_namespace() {
                self.doubtful.get_or_insert(deployment);
            }
            return;
        }
        let is_renamed = scope.binds_name() && change.renames() && sealed.object().is_some();
        let is_moved = match (sealed.namespace(), &change.namespace) {
            (Some(is), Some(becomes)) => is != becomes,
            _ => false,
        };
        if is_renamed || (is_moved && scope.binds_namespace()) {
            self.broken.get_or_insert(change);
        }
        if sealed.namespace().is_none()
            && scope.binds_namespace()
            && let Some((namespace, by)) = deployment.namespace(change)
        {
            self.namespaces.entry(namespace).or_insert(by);
        }
    }

    fn finding(self, sealed: &Sealed<'_>) -> Option<Finding> {
        let name = sealed.name();
        if let Some(change) = self.broken {
            let namespace = change.namespace.as_deref().or(sealed.namespace());
            let becomes = change.name(sealed.object().unwrap_or_default());
            let becomes = namespace.map_or(becomes.clone(), |namespace| format!("{namespace}/{becomes}"));
            let message = format!(
                "{name} becomes {} ({}), and opens as {name} only",
                word(&becomes),
                lines(&change.by)
            );
            let (path, namespace) = match change.namespace.as_deref().filter(|_| !change.renames()) {
                Some(namespace) => (pasted::path(sealed.path), pasted::word(namespace)),
                None => ("FILE".into(), "NAMESPACE".into()),
            };
            let hint = format!(
                "take it out of that kustomization, or seal one for each place: seal move {path} -n {namespace} -i IDENTITY"
            );
            return Some(files(sealed.finding(Lint::Transformed, message), &change.by).hint(hint));
        }
        if self.namespaces.len() > 1 {
            let all: Vec<String> = self
                .namespaces
                .iter()
                .take(3)
                .map(|(namespace, by)| format!("{} ({by})", word(namespace)))
                .collect();
            let message =
                format!("{name} is deployed to {}, and opens in one namespace only", all.join(" and "));
            let hint = "seal one for each namespace, beside its kustomization";
            return Some(sealed.finding(Lint::Transformed, message).hint(hint));
        }
        let by = word(&self.doubtful?.by);
        let message =
            format!("{name} is part of {by}, which isn't followed completely: its place may change");
        Some(sealed.finding(Lint::Transformed, message).only(Severity::Note))
    }
}

/// The finding with the files of `file:line`s.
fn files(finding: Finding, by: &[String]) -> Finding {
    let files: BTreeSet<&str> = by.iter().filter_map(|line| Some(line.rsplit_once(':')?.0)).collect();
    files.into_iter().fold(finding, |finding, file| finding.with(file))
}

fn lines(by: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = by.iter().take(SHOWN).map(|line| word(line)).collect();
    let more = if by.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests;

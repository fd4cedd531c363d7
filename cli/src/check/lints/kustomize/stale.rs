//! References to a Secret by the name that it had before kustomize renamed its SealedSecret.
//!
//! kustomize lets references follow a Secret that it renames. It sees a SealedSecret, so they stay as they are. Invariant: a
//! reference is stale only if no object of the same deployment has, keeps or generates a Secret of that name, and if no
//! configuration lets references follow SealedSecrets.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use seal_documents::manifest::Kind;
use seal_foreign::word;

use super::change::Change;
use super::render::{Deployment, Rendered};
use super::{consumers, files, lines};
use crate::check::context::Context;
use crate::check::finding::Finding;
use crate::check::lint::Lint;
use crate::check::lints::Sealed;
use crate::check::scanned::Scanned;

/// Search for references that a renamed Secret leaves behind.
pub(super) struct Stale<'s> {
    pub(super) by_file: &'s HashMap<&'s str, Vec<&'s Sealed<'s>>>,
    /// Names of Secrets that kustomize generates: their references follow.
    pub(super) generated: HashSet<&'s str>,
}

/// The references of files; each file is read once for all deployments.
struct Reading<'c, 's> {
    context: &'c Context<'s>,
    read: HashMap<String, Consumers>,
}

/// The references and the plain Secrets of one file.
#[derive(Default)]
struct Consumers {
    references: Vec<Named>,
    secrets: BTreeSet<String>,
}

/// A reference with its object.
#[derive(Clone)]
struct Named {
    name: String,
    at: usize,
    kind: String,
    namespace: Option<String>,
    /// `namespace/name` of the object.
    place: String,
}

impl Stale<'_> {
    /// The references of all deployments, each once.
    pub(super) fn find(&self, rendered: &Rendered, context: &Context<'_>) -> Vec<Finding> {
        let mut consumers = Reading { context, read: HashMap::new() };
        let mut found: BTreeMap<(String, usize), Finding> = BTreeMap::new();
        for deployment in &rendered.deployments {
            let (renamed, kept) = self.names(deployment);
            if renamed.is_empty() {
                continue;
            }
            let mut secrets: BTreeSet<String> = BTreeSet::new();
            for deploys in &deployment.files {
                secrets.extend(consumers.of(&deploys.file).secrets.iter().cloned());
            }
            for deploys in deployment.files.iter().filter(|deploys| deploys.change.is_certain) {
                for reference in &consumers.of(&deploys.file).references {
                    let Some((sealed, change)) = renamed.get(reference.name.as_str()) else { continue };
                    let is_found = kept.contains(&reference.name) || secrets.contains(&reference.name);
                    let namespace = |own: &Option<String>, change: &Change| {
                        change.namespace.clone().or_else(|| own.clone())
                    };
                    let consumer = namespace(&reference.namespace, &deploys.change);
                    let secret = namespace(&sealed.outline.object_name.namespace, change);
                    let is_elsewhere = consumer.is_some() && secret.is_some() && consumer != secret;
                    if is_found || is_elsewhere {
                        continue;
                    }
                    let key = (deploys.file.clone(), reference.at);
                    found.entry(key).or_insert_with(|| stale(&deploys.file, reference, sealed, change));
                }
            }
        }
        found.into_values().collect()
    }

    /// The SealedSecrets of a deployment by the names that they lose, and the names that some get or keep.
    fn names<'d>(
        &self,
        deployment: &'d Deployment,
    ) -> (HashMap<String, (Sealed<'_>, &'d Change)>, HashSet<String>) {
        let (mut renamed, mut kept) = (HashMap::new(), HashSet::new());
        for deploys in &deployment.files {
            for sealed in self.by_file.get(deploys.file.as_str()).into_iter().flatten() {
                let Some(name) = &sealed.outline.object_name.name else { continue };
                let change = &deploys.change;
                kept.insert(change.name(name));
                let is_stale = change.is_certain && change.renames() && !change.keeps_references;
                if is_stale && !self.generated.contains(name.as_str()) {
                    renamed.insert(name.clone(), (**sealed, change));
                } else if !is_stale {
                    kept.insert(name.clone());
                }
            }
        }
        (renamed, kept)
    }
}

impl Reading<'_, '_> {
    fn of(&mut self, file: &str) -> &Consumers {
        if !self.read.contains_key(file) {
            let read = self.context.file(file).map(Consumers::read).unwrap_or_default();
            self.read.insert(file.to_owned(), read);
        }
        &self.read[file]
    }
}

impl Consumers {
    fn read(file: &Scanned<'_>) -> Self {
        let Some(manifest) = file.manifest.as_ref().map(|manifest| &manifest.manifest) else {
            return Self::default();
        };
        let mut consumers = Self::default();
        for object in &manifest.objects {
            let tree = manifest.tree(object);
            let text = |path: &[&str]| {
                let node = path.iter().try_fold(object.node, |node, key| tree.get(node, key))?;
                tree.scalar(node).map(str::to_owned)
            };
            let (namespace, name) =
                (text(&["metadata", "namespace"]), text(&["metadata", "name"]).unwrap_or_default());
            if object.kind == Kind::Secret {
                consumers.secrets.insert(name);
                continue;
            }
            let place = namespace.as_ref().map_or(name.clone(), |namespace| format!("{namespace}/{name}"));
            let references = consumers::references(manifest, object).into_iter().map(|reference| Named {
                name: reference.name.to_owned(),
                at: reference.at,
                kind: text(&["kind"]).unwrap_or_default(),
                namespace: namespace.clone(),
                place: place.clone(),
            });
            consumers.references.extend(references);
        }
        consumers
    }
}

fn stale(file: &str, reference: &Named, sealed: &Sealed<'_>, change: &Change) -> Finding {
    let message = format!(
        "{} {} names Secret {}, which becomes {} ({})",
        word(&reference.kind),
        word(&reference.place),
        word(&reference.name),
        word(&change.name(&reference.name)),
        lines(&change.by)
    );
    let hint = "kustomize doesn't know that a SealedSecret becomes a Secret: add a nameReference for it to \
                configurations, or drop the prefix";
    let finding = Finding::new(Lint::StaleReference, file, message).at(reference.at).of(&reference.place);
    files(finding.with(sealed.path), &change.by).item(word(&reference.name)).hint(hint)
}

//! One kustomization, read without running kustomize: the files and directories that it takes in, and the change that
//! it makes to places.
//!
//! Fields that can't change the place of an object (labels, images, replicas, generators) are passed over. A field that
//! can and isn't followed (a plugin, a chart, a patch of `/metadata/name`) makes the change uncertain. Invariant: each
//! field is either known here or makes the kustomization uncertain.

mod patches;

use seal_documents::yaml::tree::{self, NodeId, NodeKind, Tree};

use super::super::{Load, Loaded};
use super::change::Change;
use super::paths::{directory, is_kustomization, join};

/// The fields of a kustomization that never change the place of an object of another file.
const HARMLESS: [&str; 24] = [
    "apiVersion",
    "kind",
    "metadata",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "images",
    "imageTags",
    "replicas",
    "configMapGenerator",
    "generatorOptions",
    "vars",
    "crds",
    "openapi",
    "buildMetadata",
    "sortOptions",
    "inventory",
    "resources",
    "bases",
    "components",
    "namespace",
    "namePrefix",
    "nameSuffix",
    "validators",
];

/// A kustomization as far as it can be read.
#[derive(Debug)]
pub(super) struct Kustomization {
    /// The directory that it stands in.
    pub(super) directory: String,
    /// Paths of files and directories whose objects it takes in.
    pub(super) resources: Vec<String>,
    /// Directories of components, whose changes go over everything that this kustomization has.
    pub(super) components: Vec<String>,
    /// Its own change, without that of its components.
    pub(super) change: Change,
    /// The names of the Secrets that it generates.
    pub(super) generated: Vec<String>,
    /// The fields that aren't followed, each as `file:line: field`.
    pub(super) unfollowed: Vec<String>,
}

impl Kustomization {
    /// A kustomization of some files and directories that changes nothing, as Flux makes one for a directory without.
    pub(super) fn of_files(directory: &str, resources: Vec<String>) -> Self {
        Self {
            directory: directory.to_owned(),
            resources,
            components: Vec::new(),
            change: Change::default(),
            generated: Vec::new(),
            unfollowed: Vec::new(),
        }
    }

    /// Reads a kustomization. A text that can't be read is one that takes in nothing, with a doubt.
    pub(super) fn read(path: &str, text: &str, load: Load<'_, '_>) -> Self {
        let mut kustomization = Self::of_files(directory(path), Vec::new());
        let trees = tree::parse(text, 0).unwrap_or_default();
        // kustomize takes one document.
        let root = match &trees[..] {
            [tree] => tree.root.filter(|root| tree.mapping(*root).is_some()).map(|root| (tree, root)),
            _ => None,
        };
        match root {
            Some((tree, root)) => Reader { tree, text, path, load }.read(root, &mut kustomization),
            None => kustomization.doubt(format!("{path}: it can't be read as one kustomization")),
        }
        kustomization
    }

    /// Notes a thing that isn't followed and may change places.
    pub(super) fn doubt(&mut self, what: String) {
        self.change.is_certain = false;
        self.unfollowed.push(what);
    }
}

struct Reader<'t, 'a, 'l: 't> {
    tree: &'t Tree<'a>,
    text: &'t str,
    path: &'t str,
    load: Load<'t, 'l>,
}

impl Reader<'_, '_, '_> {
    fn read(&self, root: NodeId, out: &mut Kustomization) {
        for &(key, value) in self.tree.mapping(root).unwrap_or_default() {
            let Some(field) = self.tree.scalar(key) else { continue };
            let here = || format!("{}: {field}", self.line(key));
            match field {
                "resources" | "bases" => {
                    for entry in self.texts(value) {
                        match join(&out.directory, entry) {
                            Some(path) => out.resources.push(path),
                            // Objects of a remote base don't change those of this repository.
                            None => out.unfollowed.push(format!("{}: {entry}", self.line(value))),
                        }
                    }
                }
                "components" => {
                    for entry in self.texts(value) {
                        match join(&out.directory, entry) {
                            Some(path) => out.components.push(path),
                            None => out.doubt(here()),
                        }
                    }
                }
                "namespace" => {
                    if let Some(namespace) = self.word(value) {
                        out.change.namespace = Some(namespace.to_owned());
                        out.change.namespace_by = Some(self.line(key));
                        out.change.by.push(self.line(key));
                    }
                }
                "namePrefix" | "nameSuffix" => {
                    if let Some(affix) = self.word(value) {
                        let field = if field == "namePrefix" {
                            &mut out.change.prefix
                        } else {
                            &mut out.change.suffix
                        };
                        affix.clone_into(field);
                        out.change.by.push(self.line(key));
                    }
                }
                "configurations" => self.configurations(value, out),
                "transformers" => self.transformers(value, out),
                "patches" | "patchesJson6902" | "patchesStrategicMerge" => {
                    for &patch in self.items(value) {
                        if self.may_move(patch, &out.directory) {
                            out.doubt(format!("{}: {field}", self.line(patch)));
                        }
                    }
                }
                "replacements" => {
                    for &replacement in self.items(value) {
                        if self.may_replace_a_place(replacement, &out.directory) {
                            out.doubt(format!("{}: {field}", self.line(replacement)));
                        }
                    }
                }
                "secretGenerator" => {
                    let names = self.items(value).iter().filter_map(|item| self.tree.get(*item, "name"));
                    out.generated.extend(names.filter_map(|name| self.tree.scalar(name)).map(str::to_owned));
                }
                // Generated objects are no objects of this repository, and have names of their own.
                "generators" | "helmCharts" | "helmChartInflationGenerator" | "helmGlobals" => {
                    if !self.items(value).is_empty() {
                        out.unfollowed.push(here());
                    }
                }
                field if HARMLESS.contains(&field) => {}
                _ => out.doubt(here()),
            }
        }
        // A placeholder is filled in by a tool that runs before kustomize or after it.
        let has_placeholder = |text: &str| text.contains("${") || text.contains("{{");
        let change = &out.change;
        if [change.namespace.as_deref().unwrap_or_default(), &change.prefix, &change.suffix]
            .into_iter()
            .any(has_placeholder)
        {
            out.doubt(format!("{}: a placeholder", self.path));
        }
    }

    /// `nameReference` of a configuration says which fields follow the name of a kind.
    fn configurations(&self, value: NodeId, out: &mut Kustomization) {
        for entry in self.texts(value) {
            match self.file(entry, &out.directory) {
                Loaded::Text(text) => {
                    out.change.keeps_references |=
                        text.contains("nameReference") && text.contains("SealedSecret");
                    // A configuration may leave kinds out of a prefix, or out of a namespace.
                    if ["namePrefix", "nameSuffix", "namespace:"].iter().any(|field| text.contains(field)) {
                        out.doubt(format!("{}: {entry}", self.line(value)));
                    }
                }
                // Every word of a configuration that matters here is one of interest.
                Loaded::Unread => {}
                Loaded::Absent => out.doubt(format!("{}: {entry}", self.line(value))),
            }
        }
    }

    /// Transformers are objects, in files or in place.
    fn transformers(&self, value: NodeId, out: &mut Kustomization) {
        for &item in self.items(value) {
            let entry = self.tree.scalar(item).unwrap_or_default();
            let text =
                if entry.contains('\n') { Loaded::Text(entry) } else { self.file(entry, &out.directory) };
            let change = match text {
                Loaded::Text(text) => transformers_of(text, &self.line(item)),
                Loaded::Unread | Loaded::Absent => None,
            };
            match change {
                Some(change) => out.change = out.change.then(&change),
                None => out.doubt(format!("{}: transformers", self.line(item))),
            }
        }
    }

    /// A file that an entry names.
    fn file(&self, entry: &str, directory: &str) -> Loaded<'_> {
        join(directory, entry).map_or(Loaded::Absent, |path| (self.load)(&path))
    }

    fn line(&self, node: NodeId) -> String {
        let at = self.tree.range(node).start.min(self.text.len());
        let line = self.text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}", self.path)
    }

    fn items(&self, node: NodeId) -> &[NodeId] {
        items(self.tree, node)
    }

    fn texts(&self, node: NodeId) -> impl Iterator<Item = &str> {
        self.items(node).iter().filter_map(|item| self.tree.scalar(*item))
    }

    fn word(&self, node: NodeId) -> Option<&str> {
        self.tree.scalar(node).filter(|text| !text.is_empty() && !self.tree.is_null(node))
    }
}

/// The files that a kustomization reads as manifests: its resources and patches, its generators and transformers. Nothing
/// for a file of another name.
pub(crate) fn files_of_kustomization(path: &str, text: &str) -> Vec<String> {
    const LISTS: [&str; 7] = [
        "resources",
        "bases",
        "patches",
        "patchesStrategicMerge",
        "patchesJson6902",
        "generators",
        "transformers",
    ];
    if !is_kustomization(path) {
        return Vec::new();
    }
    let trees = tree::parse(text, 0).unwrap_or_default();
    let mut found = Vec::new();
    for tree in &trees {
        let lists = LISTS.iter().filter_map(|list| tree.get(tree.root?, list));
        let entries = lists.flat_map(|list| items(tree, list));
        // A patch names its file under `path`.
        let names = entries
            .filter_map(|entry| tree.scalar(*entry).or_else(|| tree.scalar(tree.get(*entry, "path")?)));
        found.extend(names.filter_map(|name| path_from(path, name)));
    }
    found
}

/// The path that a file names from where it stands; `None` if that leads out of the repository.
pub(crate) fn path_from(path: &str, name: &str) -> Option<String> {
    if name.starts_with('/') { None } else { join(directory(path), name) }
}

/// The elements of a sequence; nothing for any other node.
pub(in super::super) fn items<'t>(tree: &'t Tree<'_>, node: NodeId) -> &'t [NodeId] {
    match tree.kind(node) {
        NodeKind::Sequence { items, .. } => items,
        _ => &[],
    }
}

/// The change of kustomize's own transformers in a text; `None` if one of them may change places in another way.
fn transformers_of(text: &str, line: &str) -> Option<Change> {
    let trees = tree::parse(text, 0).ok()?;
    let mut change = Change::default();
    for tree in &trees {
        let Some(root) = tree.root else { continue };
        let field = |path: &[&str]| {
            let node = path.iter().try_fold(root, |node, key| tree.get(node, key))?;
            tree.scalar(node)
        };
        let by = || vec![line.to_owned()];
        let step = match field(&["kind"])? {
            "NamespaceTransformer" if tree.get(root, "unsetOnly").is_none() => {
                let namespace = field(&["metadata", "namespace"])?.to_owned();
                let namespace_by = Some(line.to_owned());
                Change { namespace: Some(namespace), namespace_by, by: by(), ..Change::default() }
            }
            "PrefixTransformer" if renames_all(tree, root) => {
                Change { prefix: field(&["prefix"])?.to_owned(), by: by(), ..Change::default() }
            }
            "SuffixTransformer" if renames_all(tree, root) => {
                Change { suffix: field(&["suffix"])?.to_owned(), by: by(), ..Change::default() }
            }
            "LabelTransformer"
            | "AnnotationsTransformer"
            | "ImageTagTransformer"
            | "ReplicaCountTransformer" => {
                continue;
            }
            _ => return None,
        };
        change = change.then(&step);
    }
    Some(change)
}

/// Whether a transformer of names is configured as the fields `namePrefix` and `nameSuffix` are: for all kinds.
fn renames_all(tree: &Tree<'_>, transformer: NodeId) -> bool {
    let specs = tree.get(transformer, "fieldSpecs").map(|specs| items(tree, specs)).unwrap_or_default();
    let is_plain = |spec: &NodeId| {
        let only_path = tree.mapping(*spec).is_some_and(|entries| entries.len() == 1);
        only_path && tree.get(*spec, "path").and_then(|path| tree.scalar(path)) == Some("metadata/name")
    };
    matches!(specs, [spec] if is_plain(spec))
}

#[cfg(test)]
mod tests;

//! Secrets that are part of another object, in plain sight: the objects of a Template, what an operator is told to
//! apply, a manifest in the text of a ConfigMap, the literals of kustomize's secretGenerator.
//!
//! They can't be sealed in their place: the reader of the outer object would not understand a SealedSecret. The outer
//! object passes through and is about to be committed, so its author is warned. A stray is no error, because many are
//! templates whose values come later. (A Secret among the `items` of an object that is no List is an error of
//! [`super::find`]: a slip made it so.)
//!
//! Invariant: the search looks at every node of an object once, and at an alias as one node.

use super::fields::shown;
use super::find::{Kind, Object, classify, field};
use super::look::Look;
use crate::yaml::tree::{NodeId, NodeKind, Tree};

/// The Secrets with values that one object has beneath it.
pub struct Strays {
    /// The byte at which the first of them begins.
    pub at: usize,
    count: usize,
    /// The kind of the object they are in.
    kind: String,
}

impl std::fmt::Display for Strays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = &self.kind;
        let rule = "only a document, or an item of a List, is";
        match self.count {
            1 => write!(
                f,
                "a Secret inside of this {kind} isn't sealed ({rule}): it passes through in plaintext"
            ),
            count => {
                write!(
                    f,
                    "{count} Secrets inside of this {kind} aren't sealed ({rule}): they pass through in plaintext"
                )
            }
        }
    }
}

/// The Secrets that pass through in plaintext with an object.
pub(super) fn find(tree: &Tree<'_>, object: &Object) -> Option<Strays> {
    let secrets = tree.beneath(object.node).filter(|node| is_secret(tree, *node));
    let found: Vec<usize> =
        secrets.chain(generated(tree, object.node)).map(|node| tree.range(node).start).collect();
    let at = *found.iter().min()?;
    let kind = if object.kind == Kind::Secret {
        "Secret"
    } else {
        field(tree, object.node, "kind").unwrap_or("object")
    };
    Some(Strays { at, count: found.len(), kind: shown(kind) })
}

fn is_secret(tree: &Tree<'_>, node: NodeId) -> bool {
    match &tree.node(node).kind {
        NodeKind::Mapping { .. } => {
            let (api_version, kind) = (field(tree, node, "apiVersion"), field(tree, node, "kind"));
            let is_secret = kind.is_some()
                && !matches!(classify(tree, node, api_version, kind), Ok(Kind::Other | Kind::SealedSecret));
            is_secret && ["data", "stringData"].iter().any(|key| holds_values(tree, node, key))
        }
        NodeKind::Scalar { text, .. } => text.as_str().split("\n---").any(tells_a_secret),
        NodeKind::Sequence { .. } | NodeKind::Alias(_) => false,
    }
}

/// The generators of Secrets, for kustomize, that have values in them.
fn generated<'t>(tree: &'t Tree<'_>, kustomization: NodeId) -> impl Iterator<Item = NodeId> + 't {
    let generators = tree.get(kustomization, "secretGenerator").map(|node| items(tree, node));
    let is_value = |literal: &NodeId| {
        let value = tree.scalar(*literal).and_then(|literal| literal.split_once('='));
        value.is_some_and(|(_, value)| !value.is_empty() && Look::of(value.as_bytes()).is_none())
    };
    let has_values = move |generator: &NodeId| {
        tree.get(*generator, "literals").is_some_and(|literals| items(tree, literals).iter().any(is_value))
    };
    generators.unwrap_or_default().iter().copied().filter(has_values)
}

fn items<'t>(tree: &'t Tree<'_>, sequence: NodeId) -> &'t [NodeId] {
    match tree.kind(sequence) {
        NodeKind::Sequence { items, .. } => items,
        _ => &[],
    }
}

/// Whether there is a real value: neither null nor a placeholder.
fn holds_values(tree: &Tree<'_>, secret: NodeId, key: &str) -> bool {
    let entries = tree.get(secret, key).and_then(|values| tree.mapping(values));
    entries.unwrap_or_default().iter().any(|&(_, value)| match tree.kind(value) {
        _ if tree.is_null(value) => false,
        NodeKind::Scalar { text, .. } => Look::of(text.as_str().as_bytes()).is_none(),
        // `{{ .Values.password }}` without quotes is a mapping to YAML.
        _ => false,
    })
}

/// Whether a document of text, YAML or JSON, is a Secret with values, by its keys. It need not be valid: such text often
/// is a template.
fn tells_a_secret(text: &str) -> bool {
    if !text.contains("Secret") {
        return false;
    }
    let is_mark = |c: char| matches!(c, '"' | '\'' | '-') || c.is_whitespace();
    let pairs = || {
        let parts = text.split(['\n', ',', '{', '}']);
        parts.filter_map(|part| part.split_once(':')).map(|(key, value)| {
            let value = value.split(" #").next().unwrap_or_default();
            (key.trim_matches(is_mark), value.trim_matches(is_mark))
        })
    };
    pairs().any(|pair| pair == ("kind", "Secret"))
        && pairs().any(|pair| pair == ("apiVersion", "v1"))
        && pairs().any(|(key, _)| matches!(key, "data" | "stringData"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use crate::source::Source;
    use zeroize::Zeroizing;

    /// The kind, how many, and the line of the first, for each object that has some.
    fn strays(text: &str) -> Vec<(String, usize, usize)> {
        let source = Source::new("f".to_owned(), Zeroizing::new(text.to_owned()));
        let manifest = Manifest::parse(&source).unwrap();
        let found = manifest.objects.iter().filter_map(|object| find(manifest.tree(object), object));
        found.map(|strays| (strays.kind, strays.count, manifest.spot(strays.at).line)).collect()
    }

    const SECRET: &str = "{apiVersion: v1, kind: Secret, stringData: {a: hunter2}}";

    #[test]
    fn a_secret_anywhere_in_another_object_is_found() {
        for (kind, object) in [
            (
                "Template",
                format!("apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n- {SECRET}\n"),
            ),
            (
                "Object",
                format!(
                    "apiVersion: k.crossplane.io/v1\nkind: Object\nspec:\n  forProvider: {{manifest: {SECRET}}}\n"
                ),
            ),
            (
                "HelmRelease",
                format!("apiVersion: h/v2\nkind: HelmRelease\nspec: {{values: {{extra: [\n{SECRET}]}}}}\n"),
            ),
            ("A", format!("apiVersion: a/v1\nkind: A\n# c\nx: &x\n - {SECRET}\ny: *x\n")),
            ("A", "apiVersion: a/v1\nkind: A\n\n\nx: {kind: Secret, data: {a: eA==}}\n".to_owned()),
            (
                "A",
                "apiVersion: a/v1\nkind: A\n\n\nx: {kind: secret, apiVersion: v1, data: {a: 1}}\n".to_owned(),
            ),
        ] {
            let found = strays(&format!("---\n{object}"));
            assert_eq!((found.len(), &*found[0].0, found[0].1), (1, kind, 1), "{object}");
        }
        let literals = "apiVersion: kustomize.config.k8s.io/v1\nkind: Kustomization\nsecretGenerator:\n- {name: a, files: [b]}\n\
                        - {name: b, literals: [\"user=${USER}\", password=hunter2]}\n";
        assert_eq!(strays(literals), [("Kustomization".to_owned(), 1, 5)]);
        let two = strays(&format!("apiVersion: a/v1\nkind: A\nx:\n- {SECRET}\n- {SECRET}\n"));
        assert_eq!(two, [("A".to_owned(), 2, 4)]);
    }

    #[test]
    fn a_secret_in_text_is_found() {
        let yaml = "apiVersion: v1\nkind: ConfigMap\ndata:\n  init.yaml: |\n    # c\n    apiVersion: v1\n    kind: Secret  # c\n    \
                    stringData:\n      a: hunter2\n  other: x\n";
        assert_eq!(strays(yaml), [("ConfigMap".to_owned(), 1, 5)]);
        let applied = "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata:\n  annotations:\n    \
                       kubectl.kubernetes.io/last-applied-configuration: |\n      {\"apiVersion\":\"v1\",\"stringData\":{\"a\":\"x\"},\"kind\":\"Secret\"}\n";
        assert_eq!(strays(applied).len(), 1);
        let json = r#"{"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "apiVersion: v1\nkind: \"Secret\"\ndata: {}\n"}}"#;
        assert_eq!(strays(json), [("ConfigMap".to_owned(), 1, 1)]);
    }

    #[test]
    fn what_only_speaks_of_secrets_is_left_alone() {
        for object in [
            // It is sealed where it stands.
            SECRET.to_owned(),
            format!("apiVersion: v1\nkind: List\nitems: [{SECRET}]"),
            // References, patches, placeholders.
            "apiVersion: a/v1\nkind: A\nref: {kind: Secret, name: db}".to_owned(),
            "apiVersion: a/v1\nkind: A\nx: {apiVersion: v1, kind: Secret, data: {}}".to_owned(),
            "apiVersion: a/v1\nkind: A\nx: {apiVersion: v1, kind: Secret, data: {a: null}}".to_owned(),
            "apiVersion: a/v1\nkind: A\nx: {apiVersion: v1, kind: Secret, stringData: {a: \"${PASSWORD}\"}}".to_owned(),
            "apiVersion: a/v1\nkind: A\nx: {apiVersion: vault.dev/v1, kind: Secret, data: {a: b}}".to_owned(),
            "apiVersion: a/v1\nkind: A\nsecretGenerator: [{name: a, literals: [a=, \"b=${B}\", c], files: [x]}]".to_owned(),
            // Another document has the data.
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  x: |\n    apiVersion: v1\n    kind: ConfigMap\n    data: {}\n    ---\n    \
             valuesFrom: [{kind: Secret}]\n".to_owned(),
            "apiVersion: v1\nkind: ConfigMap\ndata: {kind: Secret, stringData: x, apiVersion: v1}".to_owned(),
        ] {
            assert_eq!(strays(&object), [], "{object}");
        }
    }
}

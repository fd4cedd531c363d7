//! Reads the outline of one object from its nodes.
//!
//! The readers of `sealed` and of the contract decide whether the object is right; this file only looks for what is there.
//! Invariant: it never fails, and the time that it takes grows with the size of the object and with nothing else.

use std::collections::BTreeMap;

use seal_crds::bitnami::{BitnamiSealed, claimed_scope};
use seal_crds::native::NativeSealed;
use seal_crds::resources::bitnami;
use seal_crds::secret::REFUSED_TYPES;
use seal_crds::{Format, UnsealError};
use seal_documents::manifest::{Manifest, Object};
use seal_documents::yaml::resolve::{Plain, plain};
use seal_documents::yaml::tree::{NodeId, NodeKind, Style, Tree};
use seal_go::template::Branching;

use super::{
    Fault, Outline, OutlineEnvelope, OutlineItem, OutlineName, OutlineRecipient, OutlineTemplate, OutlineText,
};
use crate::objects::sealed;
use crate::talk::failure::Failure;

/// Reads the outline of the object at this index of the manifest.
pub(crate) fn read(manifest: &Manifest<'_>, index: usize) -> Outline {
    let object = &manifest.objects[index];
    let look = Look { tree: manifest.tree(object) };
    let is_bitnami = look
        .text_under(object.node, &["apiVersion"])
        .is_some_and(|version| version.split('/').next() == Some(bitnami::GROUP));
    let format = if is_bitnami { Format::Bitnami } else { Format::Native };
    let at = look.at(object.node);
    let annotations = look.strings(object.node, &["metadata", "annotations"]);
    let (scope, scope_at) = match format {
        Format::Native => {
            let scope = look.under(object.node, &["spec", "scope"]);
            let word = scope.and_then(|scope| look.text(scope));
            (word.and_then(|word| word.parse().ok()), scope.map_or(at, |scope| look.at(scope)))
        }
        Format::Bitnami => {
            let stated = look.under(object.node, &["metadata", "annotations"]);
            (Some(claimed_scope(&annotations)), stated.map_or(at, |stated| look.at(stated)))
        }
    };
    let items = look.items(object.node, format);
    let envelopes = match format {
        Format::Native => look.envelopes(object.node),
        Format::Bitnami => Vec::new(),
    };
    let spec = |field: &str| look.under(object.node, &["spec", field]).is_some();
    let is_patch = !spec("envelopes") && !spec("encryptedData") && !spec("data");
    Outline {
        object: index,
        at,
        format,
        object_name: OutlineName {
            namespace: look.text_under(object.node, &["metadata", "namespace"]),
            name: look.text_under(object.node, &["metadata", "name"]),
        },
        scope,
        scope_at,
        items,
        whole: look.text_under(object.node, &["spec", "data"]).filter(|_| is_bitnami),
        envelopes,
        template: look.template(object.node),
        annotations,
        fault: if is_patch { None } else { fault(manifest, object).err() },
        is_patch,
    }
}

/// The strict readers' opinion. A namespace may be missing, since a tool may set it later.
fn fault(manifest: &Manifest<'_>, object: &Object) -> Result<(), Fault> {
    let format = sealed::format(manifest, object).map_err(Fault::Unread)?;
    let place = sealed::read_name(manifest, object, None, true).map_err(Fault::Unread)?.to_place();
    let allowed = REFUSED_TYPES.map(str::to_owned).into();
    match format {
        Format::Native => {
            let spec = manifest.spec(object).map_err(Failure::from)?;
            NativeSealed::parse(place, &spec, &allowed)?;
        }
        Format::Bitnami => {
            let spec = manifest.bitnami_spec(object).map_err(Failure::from)?;
            let annotations = manifest.annotations(object).map_err(Failure::from)?;
            BitnamiSealed::parse(place, &annotations, &spec, &allowed, Branching::Allowed)?;
        }
    }
    Ok(())
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Unread(failure)
    }
}

impl From<UnsealError> for Fault {
    fn from(error: UnsealError) -> Self {
        Self::Refused(error)
    }
}

/// A look at nodes that may be anything.
struct Look<'t, 'a> {
    tree: &'t Tree<'a>,
}

impl<'t> Look<'t, '_> {
    fn at(&self, node: NodeId) -> usize {
        self.tree.range(node).start
    }

    /// The node under some keys, each the first of its name.
    fn under(&self, node: NodeId, path: &[&str]) -> Option<NodeId> {
        path.iter().try_fold(node, |node, key| self.tree.get(node, key))
    }

    /// A scalar's text, whatever type it has; a null is none.
    fn text(&self, node: NodeId) -> Option<String> {
        self.tree.scalar(node).filter(|_| !self.tree.is_null(node)).map(str::to_owned)
    }

    fn text_under(&self, node: NodeId, path: &[&str]) -> Option<String> {
        self.under(node, path).and_then(|node| self.text(node))
    }

    /// The entries of a mapping whose keys are scalars.
    fn entries(&self, node: Option<NodeId>) -> impl Iterator<Item = (&'t str, NodeId, NodeId)> {
        let tree = self.tree;
        let entries = node.and_then(|node| tree.mapping(node)).unwrap_or_default();
        entries.iter().filter_map(|&(key, value)| Some((tree.scalar(key)?, key, value)))
    }

    fn elements(&self, node: Option<NodeId>) -> &'t [NodeId] {
        match node.map(|node| self.tree.kind(node)) {
            Some(NodeKind::Sequence { items, .. }) => items,
            _ => &[],
        }
    }

    /// A mapping of texts. Of two equal keys, the first counts, here as everywhere in an outline.
    fn strings(&self, node: NodeId, path: &[&str]) -> BTreeMap<String, String> {
        let mut strings = BTreeMap::new();
        for (key, _, value) in self.entries(self.under(node, path)) {
            if let Some(text) = self.text(value) {
                strings.entry(key.to_owned()).or_insert(text);
            }
        }
        strings
    }

    fn items(&self, object: NodeId, format: Format) -> BTreeMap<String, OutlineItem> {
        let mut items = BTreeMap::new();
        for (name, key, value) in self.entries(self.under(object, &["spec", "encryptedData"])) {
            // An item that has no text is there all the same.
            let line = self.text(value).unwrap_or_default();
            let data_key = line.split_once('.').filter(|_| format == Format::Native);
            let data_key = data_key.map(|(id, _)| id.to_owned());
            items.entry(name.to_owned()).or_insert(OutlineItem { line, data_key, at: self.at(key) });
        }
        items
    }

    fn envelopes(&self, object: NodeId) -> Vec<OutlineEnvelope> {
        let envelopes = self.elements(self.under(object, &["spec", "envelopes"])).iter();
        let texts = |list: Option<NodeId>| self.elements(list).iter().filter_map(|id| self.text(*id));
        let envelope = |&envelope: &NodeId| OutlineEnvelope {
            keys: texts(self.under(envelope, &["keys"])).collect(),
            recipients: self
                .elements(self.under(envelope, &["recipients"]))
                .iter()
                .filter_map(|&recipient| {
                    let fingerprint = self.text_under(recipient, &["fingerprint"])?.parse().ok()?;
                    Some(OutlineRecipient { fingerprint, name: self.text_under(recipient, &["name"]) })
                })
                .collect(),
            age: self.text_under(envelope, &["age"]).unwrap_or_default(),
            at: self.at(envelope),
        };
        envelopes.map(envelope).collect()
    }

    fn template(&self, object: NodeId) -> OutlineTemplate {
        let Some(template) = self.under(object, &["spec", "template"]) else {
            return OutlineTemplate::default();
        };
        let mut data = BTreeMap::new();
        for (name, key, value) in self.entries(self.under(template, &["data"])) {
            let text = OutlineText { text: self.text(value), at: self.at(key) };
            data.entry(name.to_owned()).or_insert(text);
        }
        OutlineTemplate {
            type_: self.text_under(template, &["type"]),
            immutable: self.under(template, &["immutable"]).and_then(|node| self.boolean(node)),
            labels: self.strings(template, &["metadata", "labels"]),
            annotations: self.strings(template, &["metadata", "annotations"]),
            data,
        }
    }

    fn boolean(&self, node: NodeId) -> Option<bool> {
        match self.tree.kind(node) {
            NodeKind::Scalar { text, style: Style::Plain } => match plain(text.as_str()) {
                Plain::Bool(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }
}

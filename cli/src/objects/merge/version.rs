//! One version of an object, as far as a merge looks at it: the sealed parts, and the template of the native format.
//!
//! Invariant: two versions that are equal have the same bytes in every sealed part.

use std::collections::BTreeMap;

use seal_crds::resources::{Envelope, RecipientHint, Template, TemplateMetadata};
use seal_crds::template::items_in;
use seal_crds::{Format, ItemName, Scope};

use crate::objects::outline::{Outline, OutlineEnvelope};

/// One version of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) scope: Option<Scope>,
    /// From the name of each item to its line.
    pub(super) items: BTreeMap<String, String>,
    /// The text of bitnami.com's deprecated form.
    pub(super) whole: Option<String>,
    pub(super) envelopes: Vec<Envelope>,
    /// Always empty in the Bitnami format, whose templates are merged as text: there may be fields in them that nobody
    /// knows.
    pub(super) template: Template,
}

impl Version {
    pub(super) fn of(outline: &Outline) -> Self {
        let items = outline.items.iter().map(|(name, item)| (name.clone(), item.line.clone()));
        let template = match outline.format {
            Format::Native => template(outline),
            Format::Bitnami => Template::default(),
        };
        Self {
            scope: outline.scope,
            items: items.collect(),
            whole: outline.whole.clone(),
            envelopes: outline.envelopes.iter().map(envelope).collect(),
            template,
        }
    }

    /// Each use of an item in the template: the key that shows it, and the item.
    pub(super) fn template_uses(&self) -> Vec<(ItemName, ItemName)> {
        let uses = self.template.data.iter().filter_map(|(key, text)| {
            let key: ItemName = key.parse().ok()?;
            let items = items_in(&key, text).ok()?;
            Some(items.into_iter().map(move |item| (key.clone(), item)))
        });
        uses.flatten().collect()
    }

    /// Whether everything that is sealed is the same.
    pub(super) fn is_sealed_as(&self, other: &Self) -> bool {
        self.scope == other.scope
            && self.items == other.items
            && self.whole == other.whole
            && self.envelopes == other.envelopes
    }
}

fn envelope(outline: &OutlineEnvelope) -> Envelope {
    let recipients = outline.recipients.iter().map(|recipient| RecipientHint {
        name: recipient.name.clone(),
        fingerprint: recipient.fingerprint.to_string(),
    });
    Envelope { keys: outline.keys.clone(), recipients: recipients.collect(), age: outline.age.clone() }
}

fn template(outline: &Outline) -> Template {
    let template = &outline.template;
    let data = template.data.iter().map(|(key, text)| (key.clone(), text.text.clone().unwrap_or_default()));
    Template {
        type_: template.type_.clone(),
        immutable: template.immutable,
        metadata: TemplateMetadata {
            labels: template.labels.clone(),
            annotations: template.annotations.clone(),
        },
        data: data.collect(),
    }
}

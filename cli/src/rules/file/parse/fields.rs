//! Fields, lists and words of a rules file, for [`parse`](super).
//!
//! Invariant: a list is bounded, and a mapping has only fields that are known.

use std::collections::BTreeSet;

use seal_documents::manifest::{FieldError, Fields, shown, text_of};
use seal_documents::yaml::resolve::{Plain, plain};
use seal_documents::yaml::tree::{NodeId, NodeKind, Style};

use super::super::error::RulesError;
use super::{MOST, Parsed, Reader};
use crate::talk::meant::meant;

impl<'t> Reader<'t, '_> {
    /// The entries of a list of words, of which there is at least one. Empty if the field isn't there.
    pub(super) fn words<T>(
        &self,
        fields: &Fields<'t>,
        field: &'static str,
        parse: impl Fn(&str) -> Result<T, RulesError>,
    ) -> Parsed<Vec<T>> {
        let Some(node) = fields.get(field) else { return Ok(Vec::new()) };
        let items = self.list(fields, field)?;
        if items.is_empty() {
            return Err(self.here(node, RulesError::EmptyList(field)));
        }
        let word = |item| parse(self.string(item, field)?).map_err(|error| self.here(item, error));
        items.into_iter().map(word).collect()
    }

    /// Refuses a word that a list has twice.
    pub(super) fn once<'w>(
        &self,
        words: impl Iterator<Item = &'w str>,
        fields: &Fields<'t>,
        field: &'static str,
    ) -> Parsed<()> {
        let mut seen = BTreeSet::new();
        for (index, word) in words.enumerate() {
            if !seen.insert(word) {
                let node = self.list(fields, field)?[index];
                return Err(self.here(node, RulesError::Twice(word.to_owned())));
            }
        }
        Ok(())
    }

    /// The nodes of a list. Empty if the field isn't there.
    pub(super) fn list(&self, fields: &Fields<'t>, field: &'static str) -> Parsed<Vec<NodeId>> {
        let Some(node) = fields.get(field) else { return Ok(Vec::new()) };
        self.refuse_tag(node, field)?;
        match self.tree.kind(node) {
            NodeKind::Sequence { items, .. } if items.len() > MOST => {
                Err(self.here(node, RulesError::TooMany { what: field, most: MOST }))
            }
            NodeKind::Sequence { items, .. } => Ok(items.clone()),
            _ => Err(self.here(node, RulesError::NotList(field))),
        }
    }

    pub(super) fn bool(&self, fields: &Fields<'t>, field: &'static str) -> Parsed<bool> {
        let Some(node) = fields.get(field) else { return Ok(false) };
        match self.tree.kind(node) {
            NodeKind::Scalar { text, style: Style::Plain } => match plain(text.as_str()) {
                Plain::Bool(value) => Ok(value),
                _ => Err(self.here(node, RulesError::NotBool(field))),
            },
            _ => Err(self.here(node, RulesError::NotBool(field))),
        }
    }

    pub(super) fn string(&self, node: NodeId, what: &'static str) -> Parsed<&'t str> {
        text_of(self.tree, self.text, node, || what.to_owned()).map_err(|error| error.map(RulesError::from))
    }

    pub(super) fn needed(
        &self,
        fields: &Fields<'t>,
        field: &'static str,
        of: &'static str,
        node: NodeId,
    ) -> Parsed<NodeId> {
        fields.get(field).ok_or_else(|| self.here(node, RulesError::Missing { field, of }))
    }

    /// The fields of a mapping, all of which are known.
    pub(super) fn known_fields(
        &self,
        node: NodeId,
        of: &'static str,
        known: &'static [&'static str],
    ) -> Parsed<Fields<'t>> {
        let fields = self.fields(node, of, known)?;
        self.check_names(&fields, of, known)?;
        Ok(fields)
    }

    pub(super) fn fields(
        &self,
        node: NodeId,
        of: &'static str,
        known: &'static [&'static str],
    ) -> Parsed<Fields<'t>> {
        self.refuse_tag(node, of)?;
        let fields = Fields::read(self.tree, node, of).map_err(|error| error.map(RulesError::from))?;
        // A mapping of nothing is a null to kubectl. Here it is most often a line that lost its indentation.
        if fields.iter().next().is_none() {
            return Err(self.here(node, RulesError::Missing { field: known[0], of }));
        }
        Ok(fields)
    }

    pub(super) fn check_names(
        &self,
        fields: &Fields<'t>,
        of: &'static str,
        known: &'static [&'static str],
    ) -> Parsed<()> {
        match fields.iter().find(|field| !known.contains(&field.key)) {
            None => Ok(()),
            Some(field) => {
                let meant = meant(field.key, known.iter().copied());
                let error = RulesError::UnknownField { field: shown(field.key), of, meant, known };
                Err(self.here(field.key_id, error))
            }
        }
    }

    /// A tag can make anything of a collection.
    pub(super) fn refuse_tag(&self, node: NodeId, what: &'static str) -> Parsed<()> {
        if self.tree.has_unknown_tag(self.tree.resolve(node)) {
            return Err(self.here(node, FieldError::Tagged(what.to_owned()).into()));
        }
        Ok(())
    }
}

//! Documents in YAML or JSON, read into values of Go's structs.
//!
//! A document means what kubectl would make of it. As everywhere in `seal`, a document is refused if kubectl
//! would change a key or a value. The callers check what they get. Invariant: an error shows nothing of a
//! document but its best-known keys.

use seal_documents::manifest::{FieldError, Fields, shown, text_of};
use seal_documents::source::{Located, Source, Spot};
use seal_documents::yaml::json;
use seal_documents::yaml::resolve::{Plain, plain};
use seal_documents::yaml::tree::{self, NodeId, NodeKind, Style, Tree};
use seal_go::yaml::{self, Resolved};

use super::failure::KubesealError;
use super::go_value::GoValue;
use super::schema::{Form, StructField, complete};
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

/// A document of the input: its value, and its spot.
pub(super) struct Document {
    pub(super) value: GoValue,
    pub(super) spot: Spot,
}

/// The error about text that can't be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Unreadable(tree::ParseError);

impl Explain for Unreadable {
    fn rule(&self) -> Rule {
        Rule::NotYaml
    }
}

/// Reads every document of an input; empty ones are skipped.
///
/// A field that `fields` doesn't have is left out with a warning. There is no such warning for a document of
/// another kind than `kind`, because the caller refuses that document.
pub(super) fn documents(
    source: &Source,
    kind: &str,
    fields: &'static [StructField],
) -> Result<Vec<Document>, Failure> {
    let trees = match json::parse_json(source.text()) {
        Some(parsed) => parsed,
        None => tree::parse(source.text(), 0),
    };
    let trees = trees.map_err(|error| {
        let at = source.spot_unparsed(error.at);
        Failure::from(Unreadable(error.error)).under(&KubesealError::NoSecrets).at(at)
    })?;
    let mut documents = Vec::new();
    for tree in &trees {
        let Some(root) = tree.root.filter(|root| !tree.is_null(*root)) else { continue };
        let spot = source.spot_unparsed(tree.range(root).start);
        if tree.mapping(root).is_none() {
            // For an input of one word alone, kubeseal says that there is no Secret; so this does, too.
            if trees.len() == 1 {
                continue;
            }
            return Err(Failure::from(KubesealError::NotObject).at(spot));
        }
        let is_other =
            tree.get(root, "kind").and_then(|id| tree.scalar(id)).is_some_and(|found| found != kind);
        let value = Reader { tree, source, is_quiet: is_other }.object(root, fields, "the object").map_err(
            |error: Located<FieldError>| Failure::from(error.error).at(source.spot_unparsed(error.at)),
        )?;
        documents.push(Document { value, spot });
    }
    Ok(documents)
}

struct Reader<'t, 'a> {
    tree: &'t Tree<'a>,
    source: &'t Source,
    is_quiet: bool,
}

type Reads<T> = Result<T, Located<FieldError>>;

impl Reader<'_, '_> {
    fn object(&self, id: NodeId, fields: &'static [StructField], what: &str) -> Reads<GoValue> {
        let mut entries = Vec::new();
        for found in Fields::read(self.tree, id, what)?.iter() {
            // Go's decoder takes a name in any mix of upper and lower case, and drops unknown fields.
            let known = fields.iter().find(|field| field.name.eq_ignore_ascii_case(found.key));
            let Some(field) = known else {
                if self.is_quiet {
                    continue;
                }
                let at = self.source.spot_unparsed(self.tree.range(found.key_id).start);
                terminal::warn(
                    &format!("{what} has a field {}, which is left out", shown(found.key)),
                    Some(&at),
                );
                continue;
            };
            if self.tree.is_null(found.value) && !matches!((field.name, &field.form), ("encryptedData", _)) {
                continue;
            }
            entries.push((field.name.to_owned(), self.value(found.value, &field.form, field.name)?));
        }
        Ok(GoValue::Map(complete(entries, fields)))
    }

    fn value(&self, id: NodeId, form: &Form, what: &str) -> Reads<GoValue> {
        let not = |error| Err(Located { error, at: self.tree.range(id).start });
        match form {
            Form::Text => self.text(id, what),
            Form::Bool => match self.plain(id) {
                Some((_, Plain::Bool(value))) => Ok(GoValue::Bool(value)),
                _ => not(FieldError::NotBool { what: what.to_owned() }),
            },
            Form::Integer => match self.plain(id) {
                Some((text, Plain::Number)) => match yaml::resolve(text) {
                    Resolved::Int(number) => Ok(GoValue::Number(number)),
                    _ => not(FieldError::NotScalar(what.to_owned())),
                },
                _ => not(FieldError::NotScalar(what.to_owned())),
            },
            Form::Strings | Form::NullableStrings => {
                let fields = Fields::read(self.tree, id, what)?;
                let entry = |key: &str, value| {
                    let text = match form {
                        Form::NullableStrings if self.tree.is_null(value) => GoValue::Null,
                        _ => self.text(value, &format!("{what}.{}", shown(key)))?,
                    };
                    Ok((key.to_owned(), text))
                };
                let mut entries =
                    fields.iter().map(|field| entry(field.key, field.value)).collect::<Reads<Vec<_>>>()?;
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                Ok(GoValue::Map(entries))
            }
            Form::List(form) => {
                let NodeKind::Sequence { items, .. } = self.tree.kind(id) else {
                    return not(FieldError::NotScalar(what.to_owned()));
                };
                items
                    .iter()
                    .map(|item| self.value(*item, form, what))
                    .collect::<Reads<_>>()
                    .map(GoValue::List)
            }
            Form::Object(fields) => self.object(id, fields, what),
            Form::Dropped => Ok(GoValue::Null),
        }
    }

    fn text(&self, id: NodeId, what: &str) -> Reads<GoValue> {
        text_of(self.tree, self.source.text(), id, || what.to_owned()).map(GoValue::text)
    }

    fn plain(&self, id: NodeId) -> Option<(&str, Plain)> {
        match self.tree.kind(id) {
            NodeKind::Scalar { text, style: Style::Plain } => Some((text.as_str(), plain(text.as_str()))),
            _ => None,
        }
    }
}
